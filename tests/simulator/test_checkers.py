"""A checker that cannot fail checks nothing: each is shown what it must refuse."""

from collections.abc import Sequence

import pytest
from simulator.checkers import History, SafetyChecker, SignatureChecker, Violation
from simulator.players import GENESIS, Player, child, in_round, players, sealed

from cocket.node.chain.block import Block
from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import with_seals
from cocket.node.consensus.messages import Code

A, B, C, D, STRANGER = players(5)
ALL = tuple([player.address for player in (A, B, C, D)])
BLOCK = child(GENESIS, A.address)
OTHER = child(GENESIS, A.address, mark=b"other")


def checker() -> SafetyChecker:
    return SafetyChecker(lambda height: ALL)


def test_the_same_block_with_other_seals_or_of_another_round_is_the_same() -> None:
    safety = checker()
    safety.on_stored("m0", sealed(BLOCK, (A, B, C)))
    safety.on_stored("m1", sealed(BLOCK, (B, C, D)))
    safety.on_stored("m2", sealed(in_round(BLOCK, 3), (A, B, C, D)))
    assert safety.heights == 1
    assert safety.final_at(1) is not None


def test_two_blocks_at_a_height_are_a_violation() -> None:
    safety = checker()
    safety.on_stored("m0", sealed(BLOCK, (A, B, C)))
    with pytest.raises(Violation, match="elsewhere"):
        safety.on_stored("m1", sealed(OTHER, (A, B, C)))


@pytest.mark.parametrize("by", [(), (A, B), (A, B, B), (A, B, STRANGER)])
def test_too_few_seals_are_a_violation(by: Sequence[Player]) -> None:
    with pytest.raises(Violation, match="sealed by"):
        checker().on_stored("m0", sealed(BLOCK, by))


def test_seals_of_another_round_are_a_violation() -> None:
    moved = in_round(BLOCK, 1)
    seals = decode_extra_data(sealed(BLOCK, (A, B, C)).header.extra_data).seals
    header = with_seals(moved.header, seals)
    with pytest.raises(Violation, match="sealed by"):
        checker().on_stored("m0", Block(header, moved.transactions))


def test_a_vote_may_be_sent_again_but_never_another() -> None:
    signatures = SignatureChecker()
    for _ in range(2):
        signatures.on_sent("m0", A.address, Code.PREPARE, A.prepare(BLOCK).raw)
    signatures.on_sent("m0", A.address, Code.PREPARE, A.prepare(in_round(BLOCK, 1)).raw)
    signatures.on_sent("m0", A.address, Code.PREPARE, B.prepare(OTHER).raw)  # passed on, not signed
    with pytest.raises(Violation, match="two PREPARE"):
        signatures.on_sent("m0", A.address, Code.PREPARE, A.prepare(OTHER).raw)


@pytest.mark.parametrize(
    ("code", "one", "other"),
    [
        (Code.PROPOSAL, A.proposal(BLOCK), A.proposal(OTHER)),
        (Code.COMMIT, A.commit(BLOCK), A.commit(OTHER)),
        (Code.ROUND_CHANGE, A.round_change(1, 1), A.round_change(1, 1, BLOCK, [A.prepare(BLOCK)])),
    ],
    ids=["proposal", "commit", "round change"],
)
def test_each_kind_of_double_vote_is_a_violation(code, one, other) -> None:
    signatures = SignatureChecker()
    signatures.on_sent("m0", A.address, code, one.raw)
    with pytest.raises(Violation, match="two"):
        signatures.on_sent("m0", A.address, code, other.raw)


def test_a_vote_for_a_round_left_behind_is_a_violation() -> None:
    signatures = SignatureChecker()
    signatures.on_durable("m0", A.prepare(BLOCK))
    signatures.on_durable("m0", A.round_change(1, 2))
    signatures.on_durable("m0", A.commit(in_round(BLOCK, 2)))
    assert signatures.round_max == 2
    with pytest.raises(Violation, match="after leaving"):
        signatures.on_durable("m0", A.commit(BLOCK))


def test_histories_are_equal_only_for_the_same_notes_in_the_same_order() -> None:
    def told(*notes: object) -> str:
        history = History()
        for note in notes:
            history.note(note)
        return history.hex()

    assert told(1, b"x") == told(1, b"x")
    assert len({told(1, 2), told(2, 1), told(1), told(12)}) == 4
