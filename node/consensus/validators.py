"""How many validators must agree, how many may fail, and whose turn it is to propose.

It knows numbers and sorted addresses only; where a height's validators come from is the chain's business.
(QBFT formal specification: ``quorum``, ``f``, ``proposer``; the proposer's order as Besu's ``BftProposerSelector``.)
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence


def quorum(validator_count: int) -> int:
    """Return how many validators must agree: the least whole number of two thirds.

    Two such groups share an honest member while at most ``faults_max`` are faulty, so no height finalizes twice.
    (QBFT formal specification, ``quorum``.)

    >>> [quorum(n) for n in (1, 4, 5, 6, 7, 10)]
    [1, 3, 4, 4, 5, 7]
    """
    return -(-2 * validator_count // 3)


def faults_max(validator_count: int) -> int:
    """Return how many validators may fail in any way without harm: ``f`` of the QBFT formal specification.

    >>> [faults_max(n) for n in (1, 3, 4, 6, 7)]
    [0, 0, 1, 1, 2]
    """
    return max(0, validator_count - 1) // 3


def proposer(validators: Sequence[bytes], parent_coinbase: bytes, round_number: int) -> bytes:
    """Return the address whose turn it is in ``round_number`` of the height after a block made by ``parent_coinbase``.

    ``validators`` are the next height's, ascending. Round 0 is the turn of the one after the parent's proposer, and
    each further round of the next in the circle. A parent proposer that is no validator any more (or the zero address
    of a genesis) leaves the turn to the first address above it. A block proposed again in a later round keeps its
    first proposer as coinbase, so that one counts.

    >>> a, b, c, d = (bytes([letter]) * 20 for letter in b"abcd")
    >>> [proposer((a, b, c, d), b, r)[:1] for r in range(4)]
    [b'c', b'd', b'a', b'b']
    >>> [proposer((a, b, d), c, r)[:1] for r in range(2)]
    [b'd', b'a']
    """
    assert validators, "a height without validators has no proposer"
    count = len(validators)
    start = bisect_right(validators, parent_coinbase)
    return validators[(start + round_number) % count]


def is_validator(validators: Sequence[bytes], address: bytes) -> bool:
    """Say whether ``address`` is among ``validators``, which are ascending."""
    index = bisect_left(validators, address)
    return index < len(validators) and validators[index] == address
