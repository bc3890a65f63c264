# pragma version ==0.4.3
# pragma evm-version london
"""
@title Append-only dated history
@notice What was true of a subject from which second on. The newest entry lies in one slot, so that "now" is one read;
        entry i of the older ones lies at past[subject][i]. An entry is never changed, so one recent header proves any day:
        the entry that began on or before it, and the next one, which began after it.
@dev A word is time (40 bits) | sequence (16 bits, from 0) | fact (200 bits). Zero means that nothing was ever said.
"""

FACT_BITS: constant(uint256) = 200
SEQUENCE_MASK: constant(uint256) = 2**16 - 1
TIME_SHIFT: constant(uint256) = 216
FACT_MASK: constant(uint256) = 2**200 - 1
BISECTION_STEPS: constant(uint256) = 17  # 2**16 entries at most

latest: HashMap[uint256, uint256]
past: HashMap[uint256, HashMap[uint256, uint256]]


@internal
def _append(subject: uint256, time: uint256, fact: uint256):
    """
    @notice Say that `fact` holds of `subject` from `time` on. Callers give times that never go back.
    """
    word: uint256 = self.latest[subject]
    sequence: uint256 = 0
    if word != 0:
        older: uint256 = (word >> FACT_BITS) & SEQUENCE_MASK
        assert older < SEQUENCE_MASK, "history: full"
        self.past[subject][older] = word
        sequence = older + 1
    self.latest[subject] = (time << TIME_SHIFT) | (sequence << FACT_BITS) | fact


@internal
@view
def _word_at(subject: uint256, time: uint256) -> uint256:
    """
    @notice The last word that began on or before `time`; zero when nothing was said by then.
    """
    word: uint256 = self.latest[subject]
    if word >> TIME_SHIFT <= time:
        return word
    low: uint256 = 0
    high: uint256 = (word >> FACT_BITS) & SEQUENCE_MASK  # as many older entries as the newest one's sequence
    for _: uint256 in range(BISECTION_STEPS):
        if low == high:
            break
        middle: uint256 = (low + high) // 2
        if self.past[subject][middle] >> TIME_SHIFT <= time:
            low = middle + 1
        else:
            high = middle
    if low == 0:
        return 0
    return self.past[subject][low - 1]


@internal
@pure
def _fact(word: uint256) -> uint256:
    return word & FACT_MASK


@internal
@pure
def _time(word: uint256) -> uint256:
    return word >> TIME_SHIFT


@internal
@pure
def _sequence(word: uint256) -> uint256:
    return (word >> FACT_BITS) & SEQUENCE_MASK
