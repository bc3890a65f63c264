"""Besu's integration tests of QBFT: what each of them is about, and where the same behaviour is tested here.

Their names are those of ``consensus/qbft-core/src/integration-test`` in https://github.com/besu-eth/besu. What they do
with messages within one height is told in the dialogues ``besu_...``; here is what takes several heights, a signer, or
a network's edge.
"""

import ast
from pathlib import Path

import pytest
from simulator.desks import ALL, STRANGER, A, B, C, D, Desk
from simulator.players import GENESIS, Player, child, in_round, sealed

from cocket.node.chain.block import Block
from cocket.node.chain.header import Header, commit_hash
from cocket.node.consensus.effects import Timer
from cocket.node.consensus.messages import Code, Message, Signed, UnsignedCommit
from cocket.node.consensus.wire import decode_message, encode_signed, signing_digest
from cocket.node.errors import NodeFault, PeerError

TESTS = Path(__file__).resolve().parents[1]
DIALOGUES = "node/consensus/dialogues/"
HERE = "node/test_besu_scenarios.py::"
VALIDATOR = "node/test_validator.py::"
LEDGER = "node/chain/test_ledger.py::"

SCENARIOS = {
    "FutureHeightTest": {
        "messagesForFutureHeightAreBufferedUntilChainHeightCatchesUp": HERE
        + "test_a_height_that_was_told_of_before_it_began_is_final_at_once",
        "messagesFromPreviousHeightAreDiscarded": HERE + "test_votes_of_the_last_height_are_not_answered",
        "multipleNewChainHeadEventsDoesNotRestartCurrentHeightManager": HERE
        + "test_the_same_head_told_again_restarts_nothing",
        "correctMessagesAreExtractedFromFutureHeightBuffer": HERE + "test_each_height_takes_its_own_messages_only",
    },
    "FutureRoundTest": {
        "messagesForFutureRoundAreNotActionedUntilRoundIsActive": DIALOGUES + "besu_future_round.txt",
        "priorRoundsCannotBeCompletedAfterReceptionOfNewRound": DIALOGUES + "besu_prior_round_unprepared.txt",
    },
    "GossipTest": {
        "gossipMessagesToPeers": HERE + "test_every_kind_is_passed_on_once",
        "onlyGossipOnce": HERE + "test_every_kind_is_passed_on_once",
        "messageWithUnknownValidatorIsNotGossiped": VALIDATOR + "test_what_breaks_a_rule_is_not_passed_on",
        "messageIsNotGossipedToSenderOrCreator": VALIDATOR
        + "test_a_message_is_passed_on_once_to_validators_besides_author_and_bringer",
        "futureMessageIsNotGossipedImmediately": HERE + "test_a_message_of_a_height_to_come_is_passed_on_when_it_comes",
        "previousHeightMessageIsNotGossiped": HERE + "test_votes_of_the_last_height_are_not_answered",
        "futureMessageGetGossipedLater": HERE + "test_a_message_of_a_height_to_come_is_passed_on_when_it_comes",
    },
    "LocalNodeIsProposerTest": {
        "basicCase": DIALOGUES + "happy_path_proposer.txt",
        "importsToChainWithoutReceivingPrepareMessages": DIALOGUES + "besu_proposer_hears_no_prepare.txt",
        "nodeDoesNotSendRoundChangeIfRoundTimesOutAfterBlockImportButBeforeNewBlock": DIALOGUES
        + "besu_after_the_decision.txt",
        "nodeDoesNotSendCommitMessageAfterBlockIsImportedAndBeforeNewBlockEvent": DIALOGUES
        + "besu_after_the_decision.txt",
    },
    "LocalNodeNotProposerTest": {
        "preparesReceivedFromNonProposerIsValid": DIALOGUES + "happy_path.txt",
        "commitMessagesReceivedBeforePrepareCorrectlyImports": DIALOGUES + "votes_before_the_proposal.txt",
        "canImportABlockIfSufficientCommitsReceivedWithoutPreparesAndThatNoPacketsSentAfterImport": DIALOGUES
        + "votes_before_the_proposal.txt",
    },
    "ReceivedFutureProposalTest": {
        "proposalWithEmptyPrepareCertificatesOfferNewBlock": DIALOGUES + "future_round_jump.txt",
        "proposalFromIllegalSenderIsDiscardedAndNoPrepareForNewRoundIsSent": DIALOGUES
        + "besu_received_future_proposal.txt",
        "proposalWithPrepareCertificateResultsInNewRoundStartingWithExpectedBlock": DIALOGUES
        + "besu_received_future_proposal.txt",
        "futureProposalWithInsufficientPreparesDoesNotTriggerNextRound": DIALOGUES
        + "besu_received_future_proposal.txt",
        "futureProposalWithInvalidPrepareDoesNotTriggerNextRound": DIALOGUES + "besu_received_future_proposal.txt",
        "proposalMessageForPriorRoundIsNotActioned": DIALOGUES + "besu_proposal_of_a_prior_round.txt",
        "receiveRoundStateIsNotLostIfASecondProposalMessageIsReceivedForCurrentRound": DIALOGUES
        + "besu_received_future_proposal.txt",
    },
    "RoundChangeTest": {
        "onRoundChangeTimerExpiryEventRoundChangeMessageIsSent": DIALOGUES + "round_change_none_prepared.txt",
        "roundChangeHasEmptyCertificateIfNoPrepareMessagesReceived": DIALOGUES + "besu_prepares_of_a_left_round.txt",
        "roundChangeHasEmptyCertificateIfInsufficientPreparesAreReceived": HERE
        + "test_a_round_change_tells_what_was_prepared_and_nothing_less",
        "roundChangeHasPopulatedCertificateIfQuorumPrepareMessagesAndProposalAreReceived": HERE
        + "test_a_round_change_tells_what_was_prepared_and_nothing_less",
        "whenSufficientRoundChangeMessagesAreReceivedForNewRoundLocalNodeCreatesProposalMsg": DIALOGUES
        + "round_change_none_prepared.txt",
        "proposalMessageContainsBlockOnWhichPeerPrepared": DIALOGUES + "highest_prepared_wins.txt",
        "cannotRoundChangeToAnEarlierRound": DIALOGUES + "besu_no_way_back.txt",
        "multipleRoundChangeMessagesFromSamePeerDoesNotTriggerRoundChange": DIALOGUES + "besu_one_word_a_round.txt",
        "subsequentRoundChangeMessagesFromPeerDoNotOverwritePriorMessage": DIALOGUES + "besu_one_word_a_round.txt",
        "messagesFromPreviousRoundAreDiscardedOnTransitionToFutureRound": DIALOGUES
        + "besu_prepares_of_a_left_round.txt",
        "roundChangeExpiryForNonCurrentRoundIsDiscarded": DIALOGUES + "besu_no_way_back.txt",
        "illegallyConstructedRoundChangeMessageIsDiscarded": DIALOGUES + "besu_illegal_round_change.txt",
        # Besu can give a block proposed again its new proposer; in QBFT as it is run it keeps its first one.
        "roundChangeUpdatedBlockProposerIsValidAndPrepareIsTransmitted": "node/consensus/test_justification.py::"
        + "test_a_block_proposed_again_keeps_its_first_proposer_whoever_proposes",
    },
    "SpuriousBehaviourTest": {
        "badlyFormedRlpDoesNotPreventOngoingBftOperation": HERE + "test_rubbish_and_unknown_codes_stop_nothing",
        "messageWithIllegalMessageCodeAreDiscardedAndDoNotPreventOngoingBftOperation": HERE
        + "test_rubbish_and_unknown_codes_stop_nothing",
        "nonValidatorsCannotTriggerResponses": DIALOGUES + "besu_strangers.txt",
        "preparesWithMisMatchedDigestAreNotRespondedTo": DIALOGUES + "besu_other_digests.txt",
        "oneCommitSealIsIllegalPreventsImport": HERE + "test_an_illegal_seal_does_not_make_the_quorum",
    },
    "TransitionsTest": {
        "transitionsBlockPeriod": HERE + "test_a_height_opens_a_period_after_its_parent",
    },
    "ValidatorContractTest": {
        "retrievesValidatorsFromValidatorContract": LEDGER
        + "test_validators_of_the_contract_are_sorted_and_follow_the_state",
        "transitionsFromBlockHeaderModeToValidatorContractMode": HERE + "test_the_next_height_has_its_own_validators",
    },
    "QbftRoundIntegrationTest": {
        "signingFailsOnReceiptOfProposalUpdatesRoundButTransmitsNothing": HERE
        + "test_a_signer_that_fails_sends_nothing_and_stops_the_validator",
        "failuresToSignStillAllowBlockToBeImported": DIALOGUES + "watch.txt",
    },
}
"""Besu's classes and tests, and ours.

Not among them: the validator contract in each fork (one call like any other, which the engine's tests hold), and
changes between header and contract mode, which are the ledger's.
"""


@pytest.mark.parametrize("where", sorted({ours for tests in SCENARIOS.values() for ours in tests.values()}))
def test_every_scenario_is_there(where: str) -> None:
    path, _, name = where.partition("::")
    text = (TESTS / path).read_text()
    assert not name or name in {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}


def votes(*by: Player, block: Block, what: str = "prepare commit") -> list[Message]:
    prepares = [player.prepare(block) for player in by] if "prepare" in what else []
    return [*prepares, *([player.commit(block) for player in by] if "commit" in what else [])]


def chain(count: int) -> list[Block]:
    """Blocks 1, 2, ..., each by the one whose turn it is."""
    blocks: list[Block] = []
    parent: Header = GENESIS
    for number in range(count):
        blocks.append(child(parent, (A, B, C, D)[number % 4].address))
        parent = sealed(blocks[-1], (A, B, C)).header
    return blocks


def desk_of(me: Player) -> Desk:
    desk = Desk(me).connect(*[player for player in (A, B, C, D) if player is not me])
    desk.answers_at_once = True
    return desk


def own(desk: Desk) -> list[Code]:
    """The kinds of our own that were sent, in order, each message once."""
    seen: dict[bytes, Code] = {}
    for _, code, payload in desk.sent:
        if decode_message(code, payload).author == desk.me.address:
            seen.setdefault(payload, Code(code))
    return list(seen.values())


def head(desk: Desk, block: Block) -> None:
    desk.validator.on_new_head(sealed(block, (A, B, C)).header, ALL)


# --- heights -----------------------------------------------------------------------------------------------------


def test_a_height_that_was_told_of_before_it_began_is_final_at_once() -> None:
    first, second = chain(2)
    desk = desk_of(D)
    for message in (B.proposal(second), *votes(A, B, C, block=second)):
        desk.give(message)
    assert desk.sent == []
    assert desk.committed == []
    assert [line for line in desk.take() if "ahead" in line][:3] == ["b ahead at 1", "a ahead at 1", "b ahead at 1"]
    head(desk, first)
    assert own(desk) == [Code.PREPARE]  # a quorum of Commits is there too: nothing is left to be committed
    assert [block.header.number for block in desk.committed] == [2]


def test_each_height_takes_its_own_messages_only() -> None:
    first, second, third = chain(3)
    desk = desk_of(D)
    desk.now += 2_000
    for message in votes(A, B, C, block=third, what="prepare"):
        desk.give(message)
    head(desk, first)
    assert desk.sent == []
    desk.give(B.proposal(second))
    assert own(desk) == [Code.PREPARE]
    desk.give(C.proposal(third))
    assert own(desk) == [Code.PREPARE]
    head(desk, second)
    assert own(desk) == [Code.PREPARE, Code.PREPARE, Code.COMMIT]
    assert desk.validator.state.height == 3


def test_votes_of_the_last_height_are_not_answered() -> None:
    (first,) = chain(1)
    desk = desk_of(D)
    desk.give(A.proposal(first))
    head(desk, first)
    desk.sent.clear()
    for message in (A.proposal(in_round(first, 1)), *votes(A, B, C, block=first)):
        desk.give(message)
    assert desk.sent == []
    assert desk.committed == []
    assert desk.validator.state.height == 2


def test_the_same_head_told_again_restarts_nothing() -> None:
    first, second = chain(2)
    desk = desk_of(D)
    head(desk, first)
    desk.give(B.proposal(second))
    desk.give(B.prepare(second))
    desk.sent.clear()
    before = desk.validator.state
    head(desk, first)
    assert desk.validator.state == before
    assert desk.sent == []
    desk.give(C.prepare(second))
    assert own(desk) == [Code.COMMIT]


def test_a_height_opens_a_period_after_its_parent() -> None:
    """A second after the parent here; other periods from a height on are the genesis' transitions."""
    desk = Desk(A)
    assert "block timer 1" in desk.take()
    (first,) = chain(1)
    head(desk, first)
    assert "block timer 2" in desk.take()
    assert first.header.timestamp == GENESIS.timestamp + 1


def test_the_next_height_has_its_own_validators() -> None:
    """Whoever says who they are, a header or a contract: turn, quorum and voice are the new set's."""
    (first,) = chain(1)
    desk = desk_of(D).connect(STRANGER)
    five = (*ALL, STRANGER.address)
    second = child(sealed(first, (A, B, C)).header, B.address)
    desk.give(STRANGER.prepare(second))  # no validator's yet: not even kept
    desk.validator.on_new_head(sealed(first, (A, B, C)).header, five)
    desk.give(B.proposal(second))
    desk.give(A.prepare(second))
    desk.give(B.prepare(second))
    assert own(desk) == [Code.PREPARE], "three of five are no quorum"
    desk.give(STRANGER.prepare(second))
    assert own(desk) == [Code.PREPARE, Code.COMMIT]
    third = child(sealed(second, (A, B, C, D)).header, C.address)
    desk.validator.on_new_head(sealed(second, (A, B, C, D)).header, (A.address, B.address, C.address))
    desk.sent.clear()
    desk.give(C.proposal(third))
    desk.give(STRANGER.prepare(third))
    desk.open()
    assert own(desk) == [], "one who was voted out is silent"


# --- rounds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "is_prepared"), [((A,), False), ((A, C), True)])
def test_a_round_change_tells_what_was_prepared_and_nothing_less(by: tuple[Player, ...], is_prepared: bool) -> None:
    (first,) = chain(1)
    desk = desk_of(B)
    desk.open()
    for message in (A.proposal(first), *votes(*by, block=first, what="prepare")):
        desk.give(message)
    desk.validator.on_timer(Timer.ROUND, 1, 0)
    change = next(decode_message(code, payload) for _, code, payload in desk.sent if code == Code.ROUND_CHANGE)
    unsigned = change.signed.unsigned
    expected = (0, commit_hash(first.header)) if is_prepared else (None, None)
    assert (unsigned.prepared_round, unsigned.prepared_digest) == expected  # type: ignore[union-attr]


# --- gossip ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", [A, C], ids=["from its author", "from another"])
def test_every_kind_is_passed_on_once(via: Player) -> None:
    (first,) = chain(1)
    desk = desk_of(B)
    again = in_round(first, 4)
    changes = [player.round_change(1, 4, first, [p.prepare(first) for p in (A, C, D)]) for player in (A, C, D)]
    for message in (
        A.proposal(first),
        A.prepare(first),
        A.commit(first),
        changes[0],
        A.proposal(again, changes, [player.prepare(first) for player in (A, C, D)]),
    ):
        desk.sent.clear()
        for _ in range(3):
            desk.give(message, via=via)
        desk.give(message, via=D)
        passed = [to for to, _, payload in desk.sent if payload == message.raw]
        assert passed == ([C.address, D.address] if via is A else [D.address])


def test_a_message_of_a_height_to_come_is_passed_on_when_it_comes() -> None:
    first, second = chain(2)
    desk = desk_of(B)
    message = A.prepare(second)
    desk.give(message, via=C)
    assert desk.sent == []
    head(desk, first)
    assert desk.sent == [(D.address, Code.PREPARE, message.raw)]
    desk.give(message, via=D)
    assert len(desk.sent) == 1


# --- spurious behaviour ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "payload"), [(0x13, b""), (0x16, b""), (0x11, b"\xc0"), (0x14, b"\xc1\x80")])
def test_rubbish_and_unknown_codes_stop_nothing(code: int, payload: bytes) -> None:
    (first,) = chain(1)
    desk = desk_of(B)
    with pytest.raises(PeerError):
        desk.validator.on_message(C.address, code, payload)
    desk.give(A.proposal(first))
    assert own(desk) == [Code.PREPARE]


def test_an_illegal_seal_does_not_make_the_quorum() -> None:
    desk = Desk(B).connect(A, C, D)
    block = desk.prepared()
    other = child(GENESIS, A.address, mark=b"other")
    desk.give(A.commit(block))
    spoilt = UnsignedCommit(1, 0, commit_hash(block.header), C.commit(other).commit_seal)
    signed = Signed(spoilt, C.signer.sign_digest(signing_digest(spoilt)))
    desk.validator.on_message(C.address, Code.COMMIT, encode_signed(signed))
    assert desk.committed == []
    assert "found a commit seal of" in desk.take()[-1]
    desk.give(C.commit(block))
    assert len(desk.committed) == 1


def test_a_signer_that_fails_sends_nothing_and_stops_the_validator() -> None:
    """Besu goes on without a voice; here a key that cannot sign is a fault, and the operator hears of it."""

    def fail(digest: bytes) -> bytes:
        raise NodeFault("signer: the device is gone")

    (first,) = chain(1)
    desk = desk_of(B)
    desk.signer.sign_digest = fail  # type: ignore[method-assign]
    with pytest.raises(NodeFault, match="device is gone"):
        desk.give(A.proposal(first))
    assert own(desk) == []
    assert desk.journal.records() == ()
    with pytest.raises(NodeFault, match="earlier fault"):
        desk.open()
