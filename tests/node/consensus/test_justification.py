"""The rules that dialogues cannot spell, each broken alone in an otherwise right message."""

from dataclasses import replace

import pytest
from simulator.players import GENESIS, Player, certificate, child, in_round, players, sealed

from cocket.node.chain.block import Block
from cocket.node.chain.header import commit_hash
from cocket.node.consensus import qbft
from cocket.node.consensus.drafts import CommitDraft, RoundChangeDraft, sign_draft
from cocket.node.consensus.effects import Gossip, Rejected, Sign
from cocket.node.consensus.events import MessageReceived
from cocket.node.consensus.justification import (
    commit_fault,
    highest_prepared,
    prepares_fault,
    proposal_fault,
    round_change_fault,
)
from cocket.node.consensus.messages import Commit, RoundChange, Signed, UnsignedCommit, UnsignedRoundChange
from cocket.node.consensus.records import encode_certificate_record, encode_message_record, restore
from cocket.node.consensus.seals import sign_seal
from cocket.node.consensus.state import Configuration, State, Times
from cocket.node.consensus.wire import decode_message, encode_round_change, encode_signed, signing_digest

A, B, C, D, STRANGER = players(5)
ALL = tuple([player.address for player in (A, B, C, D)])
BLOCK = child(GENESIS, A.address)
AGAIN = in_round(BLOCK, 1)
PREPARES = [player.prepare(BLOCK) for player in (A, B, C)]
CONFIGURATION = Configuration(D.address, Times(1, 2_000))


def state() -> State:
    return qbft.start(CONFIGURATION, GENESIS, ALL)[0]


def round_change(
    author: Player, target: int, prepared: tuple[int, bytes] | None, block: Block | None, prepares: object = PREPARES
) -> RoundChange:
    """A round change that says whatever it is told to."""
    unsigned = UnsignedRoundChange(1, target, *(prepared or (None, None)))
    signed = Signed(unsigned, author.signer.sign_digest(signing_digest(unsigned)))
    raw = encode_round_change(signed, block, [prepare.signed for prepare in prepares])  # type: ignore[attr-defined]
    message = decode_message(0x15, raw)
    assert isinstance(message, RoundChange)
    return message


def changes(*held: Player, target: int = 1) -> list[RoundChange]:
    """Round changes of b, c and d; those of ``held`` carry the certificate of BLOCK."""
    return [p.round_change(1, target, *((BLOCK, PREPARES) if p in held else ())) for p in (B, C, D)]


# --- proposals ---------------------------------------------------------------------------------------------------


def test_right_proposals_have_no_fault() -> None:
    assert proposal_fault(state(), A.proposal(BLOCK)) is None
    assert proposal_fault(state(), B.proposal(child(GENESIS, B.address, 1), changes())) is None
    assert proposal_fault(state(), B.proposal(AGAIN, changes(C), PREPARES)) is None
    everybody = [*changes(C), A.round_change(1, 1)]
    assert proposal_fault(state(), B.proposal(AGAIN, everybody, [*PREPARES, D.prepare(BLOCK)])) is None


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        (replace(BLOCK, header=replace(BLOCK.header, number=2)), "found block 2"),
        (replace(BLOCK, header=replace(BLOCK.header, parent_hash=bytes(32))), "found the parent"),
        (in_round(BLOCK, 2), "found round 2 in the block"),
        (sealed(BLOCK, (A,)), "found 1 seals"),
        (child(GENESIS, B.address), "found the coinbase"),
    ],
)
def test_a_block_that_does_not_fit_its_proposal(block: Block, fault: str) -> None:
    proposal = A.proposal(block, height=1, round_number=0)
    assert fault in (proposal_fault(state(), proposal) or "")


def test_more_round_changes_or_prepares_than_validators() -> None:
    five = [p.round_change(1, 1) for p in (A, B, C, D, STRANGER)]
    assert "found 5 round changes" in (proposal_fault(state(), B.proposal(child(GENESIS, B.address, 1), five)) or "")
    prepares = [p.prepare(BLOCK) for p in (A, B, C, D, STRANGER)]
    assert "found 5 prepares" in (proposal_fault(state(), B.proposal(AGAIN, changes(C), prepares)) or "")


def test_a_nested_signature_that_is_nobodys() -> None:
    good = changes()
    spoilt = replace(good[0], signed=replace(good[0].signed, signature=bytes(65)))
    proposal = B.proposal(child(GENESIS, B.address, 1), [spoilt, *good[1:]])
    assert "round change: message signature" in (proposal_fault(state(), proposal) or "")


def test_the_prepares_must_be_for_the_highest_prepared_round() -> None:
    later = in_round(BLOCK, 1)
    later_prepares = [p.prepare(later) for p in (A, B, C)]
    mixed = [
        B.round_change(1, 2, BLOCK, PREPARES),
        C.round_change(1, 2, later, later_prepares),
        D.round_change(1, 2),
    ]
    proposal = in_round(BLOCK, 2)
    assert proposal_fault(state(), C.proposal(proposal, mixed, later_prepares)) is None
    assert "expected height 1 round 1" in (proposal_fault(state(), C.proposal(proposal, mixed, PREPARES)) or "")


def test_a_block_proposed_again_keeps_its_first_proposer_whoever_proposes() -> None:
    stolen = replace(AGAIN, header=replace(AGAIN.header, coinbase=B.address))
    assert "expected the prepared" in (proposal_fault(state(), B.proposal(stolen, changes(C), PREPARES)) or "")


# --- round changes -----------------------------------------------------------------------------------------------


DIGEST = commit_hash(BLOCK.header)


def test_right_round_changes_have_no_fault() -> None:
    assert round_change_fault(state(), round_change(A, 1, None, None, ())) is None
    assert round_change_fault(state(), round_change(A, 1, (0, DIGEST), BLOCK)) is None
    assert round_change_fault(state(), round_change(A, 7, (0, DIGEST), BLOCK)) is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (round_change(A, 1, None, BLOCK, ()), "expected none without a prepared round"),
        (round_change(A, 1, None, None), "expected none without a prepared round"),
        (round_change(A, 1, (0, DIGEST), None), "without its block"),
        (round_change(A, 1, (0, DIGEST), child(GENESIS, A.address, mark=b"x")), "found a block"),
        (round_change(A, 1, (0, bytes(32)), BLOCK), "found a block"),
        (round_change(A, 1, (0, commit_hash(AGAIN.header)), AGAIN), "of round 1 with 0 seals"),
        (round_change(A, 1, (0, DIGEST), sealed(BLOCK, (A,))), "with 1 seals"),
        (round_change(A, 1, (0, DIGEST), BLOCK, ()), "found 0 prepares"),
        (round_change(A, 1, (0, DIGEST), BLOCK, [p.prepare(AGAIN) for p in (A, B, C)]), "found a prepare of height 1"),
        (round_change(A, 1, (0, DIGEST), BLOCK, [p.prepare(BLOCK, height=2) for p in (A, B, C)]), "height 2"),
        (round_change(A, 1, (1, DIGEST), BLOCK), "found the prepared round 1"),
    ],
)
def test_round_changes_with_one_fault(change: RoundChange, fault: str) -> None:
    assert fault in (round_change_fault(state(), change) or "")


def test_a_block_of_another_height_is_no_certificate() -> None:
    other = replace(BLOCK, header=replace(BLOCK.header, number=2))
    prepares = [p.prepare(other, height=1) for p in (A, B, C)]
    change = round_change(A, 1, (0, commit_hash(other.header)), other, prepares)
    assert "found block 2" in (round_change_fault(state(), change) or "")


def test_prepares_of_strangers_and_doubles() -> None:
    def fault(*by: Player) -> str | None:
        return prepares_fault([p.prepare(BLOCK).signed for p in by], 1, 0, DIGEST, ALL)

    assert fault(A, B, C) is None
    assert fault(A, B, C, D) is None
    assert "found 2 prepares" in (fault(A, B) or "")
    assert "second prepare" in (fault(A, B, B) or "")
    assert "one of the validators" in (fault(A, B, STRANGER) or "")


def test_the_highest_prepared_is_found_wherever_it_stands() -> None:
    payloads = [
        round_change(A, 5, None, None, ()).signed,
        round_change(B, 5, (3, DIGEST), BLOCK, ()).signed,
        round_change(C, 5, (1, DIGEST), BLOCK, ()).signed,
    ]
    highest = highest_prepared(payloads)
    assert highest is not None
    assert highest.prepared_round == 3
    assert highest_prepared(payloads[:1]) is None
    assert highest_prepared(()) is None


# --- commits -----------------------------------------------------------------------------------------------------


def commit(author: Player, seal: bytes) -> Commit:
    unsigned = UnsignedCommit(1, 0, DIGEST, seal)
    raw = encode_signed(Signed(unsigned, author.signer.sign_digest(signing_digest(unsigned))))
    message = decode_message(0x14, raw)
    assert isinstance(message, Commit)
    return message


SEAL = sign_seal(DIGEST, A.key)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HIGH = SEAL[:32] + (ORDER - int.from_bytes(SEAL[32:64], "big")).to_bytes(32, "big") + bytes([1 - SEAL[64]])


@pytest.mark.parametrize(
    ("seal", "fault"),
    [
        (SEAL, None),
        (sign_seal(DIGEST, B.key), "expected the author's"),
        (sign_seal(bytes(32), A.key), "expected the author's"),
        (HIGH, "high s"),
        (bytes(65), "recovers to no key"),
        (SEAL[:64] + b"\x02", "recovery id"),
    ],
)
def test_a_commit_seal_is_its_authors(seal: bytes, fault: str | None) -> None:
    found = commit_fault(commit(A, seal))
    assert found == fault if fault is None else fault in (found or "")


def test_a_commit_with_a_bad_seal_is_neither_kept_nor_passed_on_nor_in_the_way_of_the_right_one() -> None:
    begun = state()
    after, effects = qbft.step(begun, MessageReceived(commit(A, HIGH), B.address, 0))
    assert after == begun
    assert [type(effect) for effect in effects] == [Rejected]
    after, effects = qbft.step(after, MessageReceived(commit(A, SEAL), B.address, 0))
    assert [type(effect) for effect in effects] == [Gossip]
    assert len(after.commits) == 1


# --- and in the core ---------------------------------------------------------------------------------------------


def test_a_certificate_that_survived_without_its_commit_is_committed_now() -> None:
    prepare = D.prepare(BLOCK)
    records = [encode_message_record(prepare), encode_certificate_record(1, certificate(BLOCK, PREPARES))]
    restored = restore(records, 1, D.address)
    begun, effects = qbft.start(CONFIGURATION, GENESIS, ALL, restored)
    signing = [effect for effect in effects if isinstance(effect, Sign)]
    assert [effect.drafts for effect in signing] == [(CommitDraft(1, 0, DIGEST),)]
    assert signing[0].certificate == restored.prepared
    assert begun.prepared == restored.prepared


def test_our_own_message_coming_back_from_a_peer_changes_nothing() -> None:
    begun = state()
    change = sign_draft(RoundChangeDraft(1, 1), D.address, D.signer.sign_digest)
    entered, _ = qbft.step(begun, MessageReceived(A.round_change(1, 1), A.address, 0))
    entered, effects = qbft.step(entered, MessageReceived(B.round_change(1, 1), B.address, 0))
    assert any(isinstance(effect, Sign) for effect in effects)
    own, _ = qbft.step(entered, MessageReceived(change, None, 0))
    assert own.own == (change,)
    assert qbft.step(own, MessageReceived(change, A.address, 0)) == (own, ())
