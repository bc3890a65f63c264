"""What is remembered of the others, and how much of what they can send."""

from dataclasses import replace

from simulator.players import GENESIS, Player, child, players

from cocket.node import observations as module
from cocket.node.chain.header import Header
from cocket.node.consensus.effects import Rejected
from cocket.node.consensus.messages import Code, Proposal
from cocket.node.observations import Observations

A, B, C, D = sorted(players(4), key=lambda player: player.address)
EVERYBODY = tuple(player.address for player in (A, B, C, D))


class Bedside:
    """Observations of A with clocks that move when told to, on a chain of headers."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.wall_ms = GENESIS.timestamp * 1000
        self.seen = Observations(lambda: self.now_s, lambda: self.wall_ms)
        self.head: Header = GENESIS
        self.seen.begin(GENESIS, EVERYBODY)
        for player in (B, C, D):
            self.seen.joined(player.address)

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.wall_ms += round(seconds * 1000)

    def propose(self, by: Player, ahead_ms: int = 0, round_number: int = 0, source: Player | None = None) -> Proposal:
        """Hear a proposal for the next block of one whose clock is ahead of ours by so much."""
        self.wait(1)
        timestamp = (self.wall_ms + ahead_ms) // 1000
        block = child(self.head, by.address, round_number)
        message = by.proposal(replace(block, header=replace(block.header, timestamp=timestamp)))
        self.seen.heard((source or by).address, message)
        return message

    def extend(self, by: Player, round_number: int = 0, *, is_level: bool = True) -> None:
        self.head = child(self.head, by.address, round_number=round_number).header
        self.seen.head(self.head, EVERYBODY, is_level=is_level)

    def clock_ms(self, player: Player) -> int | None:
        return self.seen.voice(player.address).clock_ms(self.now_s)


def rejected(author: bytes, reason: str) -> Rejected:
    return Rejected(Code.PROPOSAL, 1, 0, author, reason)


def test_who_spoke_who_wrote_and_who_agreed_are_three_things() -> None:
    bed = Bedside()
    bed.wait(10)
    bed.seen.heard(B.address, C.prepare(child(GENESIS, A.address)))
    bed.wait(1)
    bed.seen.heard(D.address, C.round_change(1, 1))
    bed.wait(1)
    bed.seen.heard(D.address, None)
    voices = [bed.seen.voice(player.address) for player in (B, C, D)]
    assert [voice.spoke_s for voice in voices] == [1010.0, None, 1012.0]
    assert [voice.voted_s for voice in voices] == [None, 1011.0, None]
    assert [voice.agreed_s for voice in voices] == [None, 1010.0, None]
    assert (voices[1].height, voices[1].round) == (1, 1)


def test_old_words_that_anybody_can_say_again_bring_nobody_back() -> None:
    bed = Bedside()
    old, last = C.prepare(child(GENESIS, A.address), height=8), C.prepare(child(GENESIS, A.address), height=9)
    for _ in range(9):
        bed.extend(A)
    bed.seen.heard(B.address, old)
    assert bed.seen.voice(C.address).voted_s is None
    bed.seen.heard(B.address, last)  # a late vote for the head
    assert bed.seen.voice(C.address).voted_s == bed.now_s


def test_a_clock_shows_in_proposals_of_round_0() -> None:
    bed = Bedside()
    bed.wait(module.SETTLED_S + 1)
    for ahead_ms in (30_000, 30_900):
        bed.propose(B, ahead_ms)
        bed.extend(B)
    assert 29_000 < (bed.clock_ms(B) or 0) < 31_000
    assert bed.clock_ms(C) is None
    bed.wait(module.KEPT_S)
    assert bed.clock_ms(B) is None


def test_one_proposal_or_two_that_differ_tell_no_clock() -> None:
    bed = Bedside()
    bed.wait(module.SETTLED_S + 1)
    bed.propose(B, 30_000)
    assert bed.clock_ms(B) is None
    bed.extend(B)
    bed.propose(B, 0)
    bed.extend(B)
    assert bed.clock_ms(B) is None
    bed.propose(B, 0)
    assert bed.clock_ms(B) == 0


def test_copies_later_rounds_young_sessions_and_far_heights_tell_no_clock() -> None:
    bed = Bedside()
    bed.propose(B, 30_000)  # the session is young
    bed.wait(module.SETTLED_S + 1)
    bed.propose(C, 30_000, round_number=1)
    bed.propose(C, 30_000, round_number=2)
    bed.propose(D, 30_000)
    bed.propose(D, 30_000)  # of the same height
    far = child(GENESIS, D.address)
    bed.seen.heard(D.address, D.proposal(far, height=500))
    bed.seen.heard(D.address, D.proposal(far, height=501))
    assert [bed.clock_ms(player) for player in (B, C, D)] == [None, None, None]


def test_turns_that_passed_are_counted_until_the_next_block() -> None:
    bed = Bedside()
    bed.extend(C, round_number=2)  # after genesis the turns are A, B, C, D
    assert [bed.seen.voice(address).missed_turns for address in EVERYBODY] == [1, 1, 0, 0]
    bed.extend(A, round_number=1)  # D, A
    assert [bed.seen.voice(address).missed_turns for address in EVERYBODY] == [0, 1, 0, 1]
    bed.extend(D, round_number=3, is_level=False)
    assert [bed.seen.voice(address).missed_turns for address in EVERYBODY] == [0, 1, 0, 1]  # while we caught up


def test_a_round_of_any_number_costs_one_circle() -> None:
    bed = Bedside()
    bed.extend(A, round_number=2**31 - 1)
    assert [bed.seen.voice(address).missed_turns for address in EVERYBODY] == [0, 1, 1, 1]


def test_rejections_of_one_reason_are_one_and_end_with_the_next_block() -> None:
    bed = Bedside()
    for early in (3_100, 4_200):
        bed.seen.rejected(rejected(B.address, f"its timestamp is {early} ms too early"))
    bed.seen.rejected(rejected(C.address, "its block is not valid: 0xabc"))
    assert [(kept.last.author, kept.count) for kept in bed.seen.rejections()] == [(B.address, 2), (C.address, 1)]
    assert "4200" in bed.seen.rejections()[0].last.reason
    bed.extend(B)
    assert [kept.last.author for kept in bed.seen.rejections()] == [C.address]
    bed.wait(module.KEPT_S + 1)
    assert bed.seen.rejections() == ()


def test_nothing_that_others_send_fills_the_memory() -> None:
    bed = Bedside()
    long = "x" * 10_000
    for number in range(1_000):
        stranger = number.to_bytes(20, "big")
        bed.seen.rejected(rejected(stranger, long))
        bed.seen.rejected(rejected(B.address, "x" * (number % 200)))
        bed.seen.joined(stranger)
        bed.seen.parted(stranger, long)
        bed.seen.heard(stranger, None)
        bed.seen.refused(number, long)
        bed.seen.equivocated(C.prepare(child(GENESIS, A.address)))
    bed.seen.parted(B.address, long)
    assert len(bed.seen.rejections()) == module.REJECTIONS_MAX
    assert len(bed.seen.refusals()) == len(bed.seen.contradictions()) == module.LAST_MAX
    assert {len(kept.reason) for kept in bed.seen.refusals()} == {module.REASON_CHARACTERS_MAX}
    assert max(len(kept.last.reason) for kept in bed.seen.rejections()) <= module.REASON_CHARACTERS_MAX
    bed.wait(module.KEPT_S + 1)
    assert bed.seen.refusals() == bed.seen.contradictions() == bed.seen.rejections() == (), "old news is no news"
    assert len(bed.seen.voice(B.address).trouble or "") == module.REASON_CHARACTERS_MAX
    assert bed.seen.voice((7).to_bytes(20, "big")).spoke_s is None


def test_that_a_node_is_of_another_network_is_not_forgotten_while_it_stays_out() -> None:
    bed = Bedside()
    bed.seen.parted(B.address, "status genesis: found aa, expected bb")
    bed.seen.parted(B.address, "connection closed before Hello")
    assert bed.seen.voice(B.address).trouble == "status genesis: found aa, expected bb"
    bed.wait(module.MISFIT_KEPT_S)
    bed.seen.parted(B.address, "connection refused")
    assert bed.seen.voice(B.address).trouble == "connection refused"
    bed.seen.parted(B.address, "status genesis: found aa, expected bb")
    bed.seen.joined(B.address)
    bed.seen.parted(B.address, "connection refused")
    assert bed.seen.voice(B.address).trouble == "connection refused"


def test_a_session_ends_the_trouble_and_new_validators_begin_anew() -> None:
    bed = Bedside()
    bed.seen.parted(B.address, "connection refused")
    assert bed.seen.voice(B.address).trouble == "connection refused"
    bed.seen.joined(B.address)
    assert bed.seen.voice(B.address).trouble is None
    bed.seen.heard(B.address, None)
    bed.seen.head(child(GENESIS, A.address).header, EVERYBODY[2:], is_level=True)
    assert bed.seen.voice(B.address).spoke_s is None
    bed.seen.head(child(GENESIS, A.address).header, None, is_level=True)  # unreadable: those of before stay
    bed.seen.heard(C.address, None)
    assert bed.seen.voice(C.address).spoke_s == bed.now_s
