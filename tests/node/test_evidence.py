"""What is kept of equivocators, and how much."""

import pytest
from simulator.players import GENESIS, Player, child, players

from cocket.node import evidence as module
from cocket.node.chain.header import commit_hash
from cocket.node.chain.rlp_codec import decode
from cocket.node.consensus.messages import Code
from cocket.node.consensus.wire import author_of, decode_signed_prepare
from cocket.node.evidence import Evidence, EvidenceBook, evidence_of
from cocket.node.store.memory import MemoryStore

A, B, C, D = players(4)
BLOCK, OTHER = child(GENESIS, A.address), child(GENESIS, A.address, mark=b"other")


def pair(by: Player = B, height: int = 1) -> Evidence:
    return evidence_of(by.prepare(BLOCK, height=height), by.prepare(OTHER, height=height), 1_700_000_000_123)


def test_both_payloads_prove_their_author_to_anybody() -> None:
    book = EvidenceBook(MemoryStore())
    book.keep(pair())
    (found,) = book.read()
    assert (found.author, found.code, found.height, found.round) == (B.address, Code.PREPARE, 1, 0)
    signed = [decode_signed_prepare(decode(payload)) for payload in (found.first, found.second)]
    assert {author_of(one) for one in signed} == {B.address}
    assert [one.unsigned.digest for one in signed] == [commit_hash(BLOCK.header), commit_hash(OTHER.header)]
    assert found.seen_ms == 1_700_000_000_123


def test_proposals_and_round_changes_are_kept_too() -> None:
    book = EvidenceBook(MemoryStore())
    prepares = [player.prepare(BLOCK) for player in (A, B, C)]
    book.keep(evidence_of(A.proposal(BLOCK), A.proposal(OTHER), 1))
    book.keep(evidence_of(D.round_change(1, 1), D.round_change(1, 1, BLOCK, prepares), 1))
    assert [(found.author, found.code) for found in book.read()] == [
        (D.address, Code.ROUND_CHANGE),
        (A.address, Code.PROPOSAL),
    ]


def test_it_is_there_after_a_restart_highest_first_and_by_author() -> None:
    store = MemoryStore()
    book = EvidenceBook(store)
    for by, height in ((B, 1), (C, 7), (B, 3)):
        book.keep(pair(by, height))
    again = EvidenceBook(store)
    assert len(again) == 3
    assert again.counts() == {B.address: 2, C.address: 1}
    assert [found.height for found in again.read()] == [7, 3, 1]
    assert [found.height for found in again.read(B.address)] == [3, 1]
    assert list(again.read(A.address)) == []
    assert again.has(pair(C, 7))
    assert not again.has(pair(C, 8))


def test_one_pair_is_kept_of_a_height_round_kind_and_author() -> None:
    book = EvidenceBook(MemoryStore())
    book.keep(pair())
    book.keep(pair())
    assert len(book) == 1
    assert book.counts() == {B.address: 1}


def test_who_cheats_all_the_time_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVIDENCE_OF_ONE_MAX", 2)
    monkeypatch.setattr(module, "EVIDENCE_MAX", 3)
    book = EvidenceBook(MemoryStore())
    for height in (1, 2):
        assert book.has_room(pair(B, height))
        book.keep(pair(B, height))
    assert not book.has_room(pair(B, 3))
    assert book.has_room(pair(C, 1))
    book.keep(pair(C, 1))
    assert not book.has_room(pair(D, 1))


def test_bytes_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_MAX", len(pair().first) + len(pair().second) - 1)
    assert not EvidenceBook(MemoryStore()).has_room(pair())
