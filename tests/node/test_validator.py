"""The validator's shell: what it does with its ports, and in which order; here the ports write down what comes."""

import pytest
from simulator.desks import ALL, STRANGER, A, B, C, D, Desk
from simulator.players import GENESIS, child, in_round, sealed

from cocket.node import validator as shell
from cocket.node.chain.header import Header, commit_hash
from cocket.node.consensus.effects import Timer
from cocket.node.consensus.messages import Code, Shape
from cocket.node.consensus.records import encode_message_record
from cocket.node.consensus.state import Times
from cocket.node.consensus.wire import decode_message
from cocket.node.errors import NodeFault, PeerError
from cocket.node.validator import Validator


def test_proposal_and_prepare_are_durable_together_and_then_sent() -> None:
    desk = Desk(A).connect(B, C, D)
    desk.open()
    desk.take()
    desk.validator.on_built(1, 0, child(GENESIS, A.address))
    assert desk.take() == [
        *["sync chain", "sync"],
        *["send proposal to b", "send proposal to c", "send proposal to d"],
        *["send prepare to b", "send prepare to c", "send prepare to d"],
    ]
    assert len(desk.journal.records()) == 2


def test_the_certificate_and_the_commit_are_durable_together_and_then_sent() -> None:
    desk = Desk(B).connect(A, C, D)
    desk.answers_at_once = True
    block = child(GENESIS, A.address)
    desk.open()
    desk.give(A.proposal(block))
    desk.give(A.prepare(block))
    desk.take()
    desk.give(C.prepare(block))
    assert desk.take() == [
        *["send prepare to a", "send prepare to d"],  # gossip
        *["sync chain", "sync", "send commit to a", "send commit to c", "send commit to d"],
    ]
    assert len(desk.journal.records()) == 3


def test_a_height_costs_two_syncs_at_most() -> None:
    for me, peers in ((A, (B, C, D)), (B, (A, C, D))):
        desk = Desk(me).connect(*peers)
        desk.answers_at_once = True
        block = child(GENESIS, A.address)
        before = desk.disk.sync_count
        desk.open()
        if me is not A:
            desk.give(A.proposal(block))
        for player in peers:
            desk.give(player.prepare(block))
        for player in peers:
            desk.give(player.commit(block))
        assert len(desk.committed) == 1
        desk.validator.on_new_head(desk.committed[0].header, ALL)
        assert desk.disk.sync_count - before == 2


def test_what_is_committed_is_sealed_by_a_quorum() -> None:
    desk = Desk(B).connect(A, C, D)
    block = desk.prepared()
    desk.give(A.commit(block))
    assert not desk.committed
    desk.give(C.commit(block))
    header = desk.committed[0].header
    assert commit_hash(header) == commit_hash(block.header)
    assert desk.validator.status().height == 1
    desk.validator.on_new_head(header, ALL)
    assert desk.validator.status().height == 2
    assert desk.journal.height == 2


def test_nothing_is_sent_when_the_disk_fails_and_nothing_goes_on() -> None:
    desk = Desk(A).connect(B, C, D)
    desk.open()
    desk.take()
    desk.disk.is_broken = True
    with pytest.raises(NodeFault, match="write failed"):
        desk.validator.on_built(1, 0, child(GENESIS, A.address))
    assert not desk.sent
    desk.disk.is_broken = False
    for call in (
        lambda: desk.validator.on_timer(Timer.ROUND, 1, 0),
        lambda: desk.validator.on_peer_connected(STRANGER.address),
        lambda: desk.give(B.prepare(child(GENESIS, A.address))),
    ):
        with pytest.raises(NodeFault, match="earlier fault"):
            call()
    assert not desk.sent


def test_a_restart_sends_the_same_bytes_and_signs_nothing() -> None:
    desk = Desk(B).connect(A, C, D)
    desk.prepared()
    own = {payload for _, code, payload in desk.sent if decode_message(code, payload).author == B.address}
    assert len(own) == 2
    again = desk.again().connect(A)
    assert again.signer.count == 0
    assert {payload for _, _, payload in again.sent} == own
    again.validator.on_timer(Timer.RESEND, 1, 0)
    assert {payload for _, _, payload in again.sent} == own


def test_a_restart_before_the_sync_signs_for_the_first_time() -> None:
    desk = Desk(B).connect(A, C, D)
    desk.answers_at_once = True
    block = child(GENESIS, A.address)
    desk.open()
    desk.disk.is_broken = True
    with pytest.raises(NodeFault):
        desk.give(A.proposal(block))
    desk.disk.is_broken = False
    again = desk.again().connect(A)
    again.answers_at_once = True
    again.open()
    again.give(A.proposal(child(GENESIS, A.address, mark=b"other")))
    assert [code for _, code, _ in again.sent] == [Code.PREPARE]


def test_a_restart_in_a_later_round_goes_on_there_with_its_certificate() -> None:
    desk = Desk(B).connect(A, C, D)
    block = desk.prepared()
    desk.validator.on_timer(Timer.ROUND, 1, 0)
    said = [payload for _, code, payload in desk.sent if code == Code.ROUND_CHANGE]
    again = desk.again().connect(C)
    again.answers_at_once = True
    assert again.validator.status().round == 1
    assert [payload for _, code, payload in again.sent if code == Code.ROUND_CHANGE] == said[:1]
    for player in (C, D):
        again.give(player.round_change(1, 1))
    proposal = next(decode_message(code, payload) for _, code, payload in again.sent if code == Code.PROPOSAL)
    assert proposal.digest == commit_hash(in_round(block, 1).header)


def test_a_restart_after_the_block_was_stored_begins_the_next_height() -> None:
    desk = Desk(B).connect(A, C, D)
    block = desk.prepared()
    head = sealed(block, (A, B, C)).header
    desk.disk.crash()
    again = Desk(B, desk.disk, head).connect(A)
    assert not again.sent
    assert not again.validator.status().is_watching
    assert again.journal.height == 2


# --- a journal that cannot be relied on ---------------------------------------------------------------------------


def heads(count: int) -> list[Header]:
    """Headers of blocks 1, 2, ..., each a period after the last."""
    made: list[Header] = []
    for _ in range(count):
        made.append(sealed(child(made[-1] if made else GENESIS, A.address), (A, B, C)).header)
    return made


def test_without_a_journal_beside_a_chain_it_watches_until_a_block_of_after_its_start_is_final() -> None:
    chain = heads(12)
    desk = Desk(B, head=chain[1])
    desk.connect(A, C, D)
    assert desk.validator.status().is_watching
    desk.answers_at_once = True
    desk.open()
    desk.validator.on_timer(Timer.ROUND, 3, 0)
    # The clock says one period after genesis: blocks caught up with are not newer than the start and its slack.
    for header in chain[2:6]:
        desk.validator.on_new_head(header, ALL)
        assert desk.validator.status().is_watching
    assert desk.signer.count == 0
    assert desk.journal.height is None
    desk.validator.on_new_head(chain[6], ALL)
    assert not desk.validator.status().is_watching
    assert desk.journal.height == 8
    desk.open()
    assert [code for _, code, _ in desk.sent] == [Code.PROPOSAL] * 3 + [Code.PREPARE] * 3


def test_a_watcher_that_is_killed_watches_again() -> None:
    desk = Desk(B, head=heads(1)[0])
    desk.disk.crash()
    assert Desk(B, desk.disk, heads(1)[0]).validator.status().is_watching


def test_the_operators_word_ends_the_watch() -> None:
    desk = Desk(B, head=heads(2)[1], is_journal_trusted=True)
    assert not desk.validator.status().is_watching
    assert desk.journal.height == 3


def test_beside_a_chain_restored_from_a_copy_it_watches_up_to_the_journals_height() -> None:
    chain = heads(6)
    desk = Desk(B, head=chain[3])
    desk.validator.on_new_head(chain[4], ALL)
    ahead = Desk(B)
    ahead.journal.start_height(5, sync=True)
    again = Desk(B, ahead.disk, chain[0], is_journal_trusted=True).connect(A)
    for header in chain[1:4]:
        again.validator.on_new_head(header, ALL)
        assert again.validator.status().is_watching
    again.validator.on_new_head(chain[4], ALL)
    assert not again.validator.status().is_watching
    assert again.journal.height == 6


def test_imported_heights_are_durable_when_asked_for() -> None:
    chain = heads(3)
    desk = Desk(B)
    before = desk.disk.sync_count
    for header in chain:
        desk.validator.on_new_head(header, ALL)
    assert desk.disk.sync_count == before
    desk.validator.sync_journal()
    desk.validator.sync_journal()
    assert desk.disk.sync_count == before + 1
    desk.disk.crash()
    assert not Desk(B, desk.disk, chain[2]).validator.status().is_watching


def test_imported_heights_are_marked_so_that_a_power_cut_is_no_lost_journal() -> None:
    """The journal goes to the disk before the block, which goes before the head moves."""
    chain = heads(3)
    desk = Desk(B)
    for header in chain:
        desk.validator.sync_journal()
        desk.disk.crash()
        assert not Desk(B, desk.disk, header).validator.status().is_watching
        desk = Desk(B, desk.disk, header)
    desk = Desk(B)
    for header in chain:
        desk.validator.sync_journal()
        desk.validator.on_new_head(header, ALL)
    desk.disk.crash()
    again = Desk(B, desk.disk, chain[2])
    assert not again.validator.status().is_watching


def test_one_who_validates_nothing_for_a_while_marks_its_heights_too() -> None:
    chain = heads(4)
    desk = Desk(B)
    others = tuple([player.address for player in (A, C, D)])
    for header in chain[:3]:
        desk.validator.sync_journal()
        desk.validator.on_new_head(header, others)
    desk.disk.crash()
    again = Desk(B, desk.disk, chain[2])
    assert not again.validator.status().is_watching


def test_heights_that_are_caught_up_with_cost_no_sync() -> None:
    desk = Desk(B)
    before = desk.disk.sync_count
    for header in heads(5):
        desk.validator.on_new_head(header, ALL)
    assert desk.disk.sync_count == before
    assert desk.journal.height == 6


def test_anothers_record_in_the_journal_is_a_fault() -> None:
    desk = Desk(B)
    desk.journal.append(encode_message_record(C.prepare(child(GENESIS, A.address))))
    with pytest.raises(NodeFault, match="found a record of"):
        desk.again()


def test_a_journal_filled_by_one_height_is_written_anew_with_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(B).connect(A, C, D)
    block = desk.prepared()
    monkeypatch.setattr(shell, "JOURNAL_BYTES_MAX", 0)
    desk.validator.on_timer(Timer.ROUND, 1, 0)
    desk.give(D.round_change(1, 1))
    desk.give(C.round_change(1, 1))  # B proposes again, and its Prepare follows
    again_block = in_round(block, 1)
    for player in (A, C):
        desk.give(player.prepare(again_block))  # B commits in round 1: two certificates are needed now
    desk.validator.on_timer(Timer.ROUND, 1, 1)
    own = desk.validator.state.own
    assert [message.code for message in own] == [Code.PROPOSAL, Code.PREPARE, Code.COMMIT, Code.ROUND_CHANGE]
    again = desk.again().connect(A)
    assert again.validator.state.round == 2
    assert set(again.validator.state.own) == set(own)
    assert again.validator.state.prepared == desk.validator.state.prepared
    assert again.signer.count == 0


# --- messages ----------------------------------------------------------------------------------------------------


def test_what_does_not_decode_is_the_peers_fault_and_stops_nothing() -> None:
    desk = Desk(B).connect(A)
    for code, payload in ((0x12, b""), (0x13, b"\xc0"), (0x99, b"")):
        with pytest.raises(PeerError):
            desk.validator.on_message(A.address, code, payload)
    desk.open()
    assert desk.take()[-1] == "resend timer 0"


def test_a_message_is_passed_on_once_to_validators_besides_author_and_bringer() -> None:
    desk = Desk(B).connect(A, C, D, STRANGER)
    message = A.prepare(child(GENESIS, A.address))
    desk.give(message, via=C)
    desk.give(message, via=D)
    desk.give(message)
    assert desk.sent == [(D.address, Code.PREPARE, message.raw)]


def test_what_breaks_a_rule_is_not_passed_on() -> None:
    desk = Desk(B).connect(A, C, D)
    block = child(GENESIS, A.address)
    desk.give(STRANGER.prepare(block), via=A)
    desk.give(C.proposal(block))
    assert not desk.sent
    assert [line.split(":")[0] for line in desk.take()[-2:]] == ["rejected prepare", "rejected proposal"]


def test_a_peer_that_validates_nothing_is_not_heard_nor_its_rubbish_decoded() -> None:
    desk = Desk(B).connect(A, C, STRANGER)
    desk.give(A.prepare(child(GENESIS, A.address)), via=STRANGER)
    desk.validator.on_message(STRANGER.address, 0x12, b"rubbish")
    assert not desk.sent
    assert not desk.validator.state.prepares


def test_our_words_go_to_connected_validators_only() -> None:
    desk = Desk(B).connect(A, C, STRANGER)
    desk.validator.on_peer_disconnected(C.address)
    desk.open()
    desk.validator.on_timer(Timer.ROUND, 1, 0)
    assert [address for address, _, _ in desk.sent] == [A.address]


def test_the_memory_of_what_was_passed_on_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "SEEN_MAX", 3)
    desk = Desk(B).connect(A, C, D)
    for number in range(1, 9):
        desk.give(C.prepare(in_round(child(GENESIS, A.address), number)))
    assert len(desk.validator._seen) == 3


def test_peers_ahead_and_behind_are_told_of() -> None:
    desk = Desk(B).connect(A)
    chain = heads(2)
    desk.give(A.prepare(child(GENESIS, A.address), height=4))
    for header in chain:
        desk.validator.on_new_head(header, ALL)
    desk.take()
    desk.give(A.round_change(1, 1))
    assert desk.take() == ["a behind at 1"]


def test_both_shapes_are_understood_and_one_is_spoken() -> None:
    desk = Desk(B).connect(A, C, D)
    desk.answers_at_once = True
    desk.open()
    desk.give(A.proposal(child(GENESIS, A.address), shape=Shape.LEGACY))
    assert [code for _, code, _ in desk.sent if code == Code.PREPARE] == [Code.PREPARE] * 3
    desk.give(C.round_change(1, 1, shape=Shape.LEGACY))
    assert not [line for line in desk.take() if line.startswith("rejected")]


# --- use ---------------------------------------------------------------------------------------------------------


def test_an_executor_may_answer_at_once() -> None:
    desk = Desk(A).connect(B)
    desk.answers_at_once = True
    desk.open()
    assert [code for _, code, _ in desk.sent] == [Code.PROPOSAL, Code.PREPARE]


def test_a_builders_block_of_another_round_is_our_fault() -> None:
    desk = Desk(A)
    desk.open()
    with pytest.raises(NodeFault, match="builder"):
        desk.validator.on_built(1, 0, child(GENESIS, A.address, 1))


def test_timers_of_the_past_do_nothing() -> None:
    desk = Desk(B)
    desk.take()
    desk.validator.on_timer(Timer.ROUND, 0, 0)
    desk.validator.on_timer(Timer.RESEND, 7, 0)
    desk.validator.on_timer(Timer.EARLY, 1, 3)
    desk.validator.on_timer(Timer.BLOCK, 9, 0)
    assert desk.take() == []


def test_it_is_started_once_and_before_it_is_used() -> None:
    desk = Desk(B)
    with pytest.raises(NodeFault, match="twice"):
        desk.validator.start(GENESIS, ALL)
    unstarted = Validator(
        times=Times(1, 1, 1),
        signer=desk.signer,
        journal=desk.journal,
        clock=desk,
        timers=desk,
        transport=desk,
        executor=desk,
        chain=desk,
        observer=desk,
    )
    with pytest.raises(NodeFault, match="before start"):
        unstarted.on_timer(Timer.BLOCK, 1, 0)


def test_status_says_what_it_does() -> None:
    desk = Desk(B).connect(A, STRANGER)
    status = desk.validator.status()
    assert (status.height, status.round, status.is_validator, status.validators, status.peers) == (1, 0, True, 4, 1)
    assert status.proposer == A.address
    assert not status.is_open
    desk.prepared()
    status = desk.validator.status()
    assert status.is_open
    assert status.is_prepared
    assert not Desk(STRANGER).validator.status().is_validator
