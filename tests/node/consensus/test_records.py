import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator.players import GENESIS, certificate, child, in_round, players

from cocket.node.chain.rlp_codec import encode
from cocket.node.consensus.messages import Code, Shape
from cocket.node.consensus.records import encode_certificate_record, encode_message_record, restore
from cocket.node.consensus.state import Restored, SignedVote
from cocket.node.errors import NodeFault

A, B, C, D = players(4)
BLOCK = child(GENESIS, A.address, mark=b"anchored")
PREPARES = [player.prepare(BLOCK) for player in (A, B, C)]
HELD = certificate(BLOCK, PREPARES)


def test_nothing_is_nothing() -> None:
    assert restore((), 1, A.address) == Restored()


@pytest.mark.parametrize("shape", list(Shape))
def test_what_was_written_is_what_comes_back(shape: Shape) -> None:
    proposal, prepare, commit = A.proposal(BLOCK, shape=shape), A.prepare(BLOCK), A.commit(BLOCK)
    change = A.round_change(1, 1, BLOCK, PREPARES, shape)
    records = [
        encode_message_record(proposal),
        encode_message_record(prepare),
        encode_certificate_record(1, HELD),
        encode_message_record(commit),
        encode_message_record(change),
    ]
    restored = restore(records, 1, A.address, shape)
    assert restored.round == 1
    assert restored.prepared == HELD
    assert restored.own == (proposal, prepare, commit, change)
    assert restored.signed == (SignedVote(Code.ROUND_CHANGE, 1, HELD.digest),)
    early = restore(records[:2], 1, A.address, shape)
    assert early.signed == (
        SignedVote(Code.PROPOSAL, 0, HELD.digest),
        SignedVote(Code.PREPARE, 0, HELD.digest),
    )


def test_a_round_change_is_small_and_comes_back_whole() -> None:
    change = A.round_change(1, 3, BLOCK, PREPARES)
    record = encode_message_record(change)
    assert len(record) < 200 < len(change.raw)
    assert restore([encode_certificate_record(1, HELD), record], 1, A.address).own == (change,)


def test_the_latest_of_each_kind_counts_whatever_the_order() -> None:
    changes = [A.round_change(1, number) for number in (1, 2, 3)]
    restored = restore([encode_message_record(change) for change in changes], 1, A.address)
    assert restored.round == 3
    assert restored.own == (changes[2],)


def test_the_highest_certificate_counts_and_a_round_change_finds_its_own() -> None:
    later = in_round(BLOCK, 1)
    held_later = certificate(later, [player.prepare(later) for player in (A, B, C)])
    change = A.round_change(1, 1, BLOCK, PREPARES)
    commit = A.commit(later)
    records = [
        encode_certificate_record(1, HELD),
        encode_message_record(change),
        encode_certificate_record(1, held_later),
        encode_message_record(commit),
    ]
    restored = restore(records, 1, A.address)
    assert restored.prepared == held_later
    assert restored.own == (commit, change)


def test_other_heights_are_passed_over() -> None:
    records = [
        encode_certificate_record(1, HELD),
        encode_message_record(A.commit(BLOCK)),
        encode_message_record(A.round_change(1, 4)),
    ]
    assert restore(records, 2, A.address) == Restored()


def test_anothers_record_is_a_fault() -> None:
    with pytest.raises(NodeFault, match="found a record of"):
        restore([encode_message_record(B.prepare(BLOCK))], 1, A.address)


def test_a_round_change_without_its_certificate_is_a_fault() -> None:
    with pytest.raises(NodeFault, match="no certificate"):
        restore([encode_message_record(A.round_change(1, 1, BLOCK, PREPARES))], 1, A.address)


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\xc0",
        b"\x80",
        encode([b"\x13"]),
        encode([b"\x16", b""]),
        encode([b"\x00", b"\x01"]),
        encode([b"", b"\x01", b"", b"", [], []]),
        encode([b"\x13", [[b"\x01", b"", bytes(32)], bytes(65)]]),
    ],
)
def test_what_is_no_record_is_a_fault(record: bytes) -> None:
    with pytest.raises(NodeFault, match="journal"):
        restore([record], 1, A.address)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_a_fault(record: bytes) -> None:
    with pytest.raises(NodeFault):
        restore([record], 1, A.address)
