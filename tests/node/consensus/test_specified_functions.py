"""The formal specification's functions (``node_auxiliary_functions.dfy``): numbers, names, turns, and what is said.

What the specification leaves open (``digest``, ``sign...``, ``validators...``, ``getNewBlock``) is held to the
properties that it asks for.
"""

from dataclasses import replace

import pytest
from simulator.desks import ALL, STRANGER, A, B, C, D, Desk
from simulator.dialogues import held, said
from simulator.players import GENESIS, child, in_round, sealed

from cocket.node.chain.header import block_hash, commit_hash, round_of, with_round
from cocket.node.consensus.messages import Code, Prepare, Proposal, RoundChange
from cocket.node.consensus.seals import recover_seal, sign_seal
from cocket.node.consensus.state import State
from cocket.node.consensus.validators import faults_max, proposer, quorum
from cocket.node.consensus.wire import author_of

BLOCK = child(GENESIS, A.address)
OTHER = child(GENESIS, A.address, mark=b"other")
PREPARED = ["block timeout", "a: proposal a@0", "valid a@0", "a: prepare a@0", "c: prepare a@0"]
IN_ROUND_1 = ["block timeout", "round timeout 0"]


def state_of(*happenings: str, me: str = "b", validators: str = "abcd") -> State:
    state = held(*happenings, me=me, validators=validators).state
    assert state is not None
    return state


# --- names and signatures ----------------------------------------------------------------------------------------


def test_digest() -> None:
    """``digest``: two blocks that differ in anything, their round too, have different ones. (lemmaDigest)"""
    blocks = [BLOCK, OTHER, in_round(BLOCK, 1), in_round(OTHER, 1), child(GENESIS, B.address)]
    blocks += [replace(BLOCK, header=replace(BLOCK.header, timestamp=BLOCK.header.timestamp + 1))]
    assert len({commit_hash(block.header) for block in blocks}) == len(blocks)
    assert commit_hash(BLOCK.header) == commit_hash(child(GENESIS, A.address).header)


def test_hash_block_for_commit_seal() -> None:
    """``hashBlockForCommitSeal``: of the block without its seals; so seals change nothing, and the round does."""
    assert commit_hash(sealed(BLOCK, (A, B, C)).header) == commit_hash(BLOCK.header)
    assert commit_hash(in_round(BLOCK, 1).header) != commit_hash(BLOCK.header)


def test_replace_round_in_block() -> None:
    """``replaceRoundInBlock``: the round is another, all else the same, and the way back leads home."""
    again = replace(BLOCK, header=with_round(BLOCK.header, 7))
    assert round_of(again.header) == 7
    assert replace(again.header, extra_data=BLOCK.header.extra_data) == BLOCK.header
    assert with_round(again.header, 0) == BLOCK.header


def test_from_block_to_raw_block() -> None:
    """``fromBlockToRawBlock``, ``fromBlockchainToRawBlockchain``: the block's name in the chain."""
    assert block_hash(sealed(in_round(BLOCK, 3), (A, B, C)).header) == block_hash(BLOCK.header)
    assert block_hash(OTHER.header) != block_hash(BLOCK.header)


def test_sign_and_recover() -> None:
    """``signProposal``, ``signPrepare``, ``signCommit``, ``signRoundChange`` and their authors.

    ``recoverSignedProposalAuthor``, ``recoverSignedPrepareAuthor``, ``recoverSignedCommitAuthor``,
    ``recoverSignedRoundChangeAuthor``: who signed is found again, and other words are not theirs.
    """
    for player in (A, B):
        for message in (
            player.proposal(BLOCK),
            player.prepare(BLOCK),
            player.commit(BLOCK),
            player.round_change(1, 1),
        ):
            assert message.author == player.address
            assert author_of(message.signed) == player.address
            other = replace(message.signed, unsigned=replace(message.signed.unsigned, height=2))
            assert author_of(other) != player.address
    signatures = {p.prepare(b).signed.signature for p in (A, B) for b in (BLOCK, OTHER)}
    assert len(signatures) == 4


def test_sign_hash() -> None:
    """``signHash``, ``recoverSignedHashAuthor``: a seal is one author's over one hash."""
    digest = commit_hash(BLOCK.header)
    assert recover_seal(digest, sign_seal(digest, A.key)) == A.address
    assert recover_seal(commit_hash(OTHER.header), sign_seal(digest, A.key)) != A.address


# --- numbers and turns -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [*range(1, 60), 997, 1000])
def test_quorum_and_f(count: int) -> None:
    """``quorum``, ``f``: to the number; and two quorums share an honest one, and the honest alone are one."""
    assert quorum(count) == (count * 2 - 1) // 3 + 1
    assert faults_max(count) == (count - 1) // 3
    assert 2 * quorum(count) - count > faults_max(count)
    assert count - faults_max(count) >= quorum(count)


def test_f_of_nobody() -> None:
    """``f``: 0 of 0."""
    assert faults_max(0) == 0


def test_proposer() -> None:
    """``proposer``: block 1 begins with the first validator, a later block with the one after its parent's proposer."""
    assert [proposer(ALL, GENESIS.coinbase, number) for number in range(5)] == [*ALL, ALL[0]]
    for index, parent in enumerate(ALL):
        turns = [proposer(ALL, parent, number) for number in range(4)]
        assert turns == [ALL[(index + 1 + number) % 4] for number in range(4)]


def test_difference_the_turn_when_the_validators_change() -> None:
    """``proposer`` differs: counted by address in the new set, as Besu does, not by the place in the old one.

    All count the same, so it is safe. The specification would give c's successor at place 3 of three: a, again.
    """
    assert proposer((A.address, B.address, D.address), C.address, 0) == D.address
    assert proposer((A.address, B.address, D.address), D.address, 0) == A.address


def test_power_of_2_and_round_timeout() -> None:
    """``powerOf2``, ``roundTimeout``: the time of a round doubles with each one entered."""
    lasts = [state_of("block timeout").round_timeout_ms]
    happenings = ["block timeout"]
    for number in range(3):
        happenings += [f"round timeout {number}", *[f"{p}: round change {number + 1}" for p in "ac"]]
        lasts.append(state_of(*happenings, me="b").round_timeout_ms)
    assert lasts == [2_000 * 2**number for number in range(4)]


def test_difference_the_timeout_has_a_ceiling_and_begins_anew_at_each_height() -> None:
    """``roundTimeout`` differs (ADR 10): at most the genesis' ceiling, and doubled by rounds entered, not by number."""
    far = replace(state_of(*IN_ROUND_1), rounds_entered=1_000_000)
    assert far.round_timeout_ms == 30_000
    assert state_of("block timeout", "a: round change 900", "c: round change 900").round_timeout_ms == 4_000
    assert state_of(*IN_ROUND_1, "head a@0", "block timeout").round_timeout_ms == 2_000


def test_difference_no_round_is_the_last() -> None:
    """``roundTimeout`` differs: it would be astronomic in round 1,000, where Besu ends; here rounds go on as any."""
    far = ["block timeout", "a: round change 1000000", "c: round change 1000000"]
    assert said(*far) == ["round timer 1000000 after 4000 ms", "sign round change 1000000"]
    assert said(*far, "round timeout 1000000", me="d")[-1] == "sign round change 1000001"
    assert said(*far, "d: proposal d@1000003 for a c d")[-1] == "validate d@1000003 in round 1000003"


def test_min_set() -> None:
    """``minSet``: f+1 are followed to the lowest of their rounds; of more than f+1 we take the farthest f+1."""
    seven = {"me": "g", "validators": "abcdefg"}
    changes = ["a: round change 9", "b: round change 3", "c: round change 5"]
    assert said("block timeout", *changes, **seven)[-1] == "sign round change 3"
    ahead = state_of("block timeout", *changes[:2], **seven)
    assert ahead.round == 0
    assert said("block timeout", "a: round change 9", "b: round change 5", "d: round change 9", **seven)[-1] == (
        "sign round change 5"
    )
    early = ["a: round change 9 height 2", "c: round change 5 height 2", "d: round change 3 height 2"]
    signed = [line for line in said(*early, "head a@0") if line.startswith("sign")]
    assert signed == ["sign round change 5"], "two of the three are in round 5 or beyond"


def test_get_new_block() -> None:
    """``getNewBlock``: asked for once a round, for this height and round; one of another is not proposed."""
    assert said("block timeout", me="a")[-1] == "build 0 not before +1 s"
    assert said("block timeout", "built a@0", me="a") == ["sign proposal a@0, prepare a@0"]
    assert said("block timeout", "round timeout 0", "built a@0", me="a") == []


# --- what is sent ------------------------------------------------------------------------------------------------


def test_multicast() -> None:
    """``Multicast``: to each validator of the height that is connected, and to nobody else."""
    desk = Desk(A).connect(B, C, D, STRANGER)
    desk.answers_at_once = True
    desk.open()
    for code in (Code.PROPOSAL, Code.PREPARE):
        assert [to for to, sent, _ in desk.sent if sent == code] == [B.address, C.address, D.address]


def test_difference_our_own_message_counts_when_it_is_durable_and_travels_nowhere() -> None:
    """``Multicast`` differs: to ourselves nothing is sent; the message is taken when it is on the disk."""
    desk = Desk(A).connect(B)
    desk.answers_at_once = True
    desk.open()
    assert A.address not in [to for to, _, _ in desk.sent]
    assert [vote.author for vote in desk.validator.state.prepares] == [A.address]
    assert "sync" in desk.log


def test_create_round_change() -> None:
    """``createRoundChange``, ``digestOptionalBlock``, ``optionIsPresent``, ``optionGet``: it says what is prepared."""
    for happenings, expected in (([*PREPARED, "round timeout 0"], (0, True)), (IN_ROUND_1, (None, False))):
        state = state_of(*happenings)
        change = next(message for message in state.own if isinstance(message, RoundChange))
        unsigned = change.signed.unsigned
        assert (unsigned.height, unsigned.round, change.author) == (1, 1, B.address)
        assert unsigned.prepared_round == expected[0]
        assert (unsigned.prepared_digest is not None) is expected[1]
        assert (change.block is not None) is expected[1]
        if state.prepared is not None:
            assert change.block == state.prepared.block
            assert unsigned.prepared_digest == change.block_digest == commit_hash(state.prepared.block.header)


def test_get_round_change_justification() -> None:
    """``getRoundChangeJustification``: a quorum's Prepares for the prepared block; none when none is prepared."""
    held_back = next(m for m in state_of(*PREPARED, "round timeout 0").own if isinstance(m, RoundChange))
    assert sorted(author_of(signed) for signed in held_back.prepares) == sorted((A.address, B.address, C.address))
    assert {signed.unsigned.digest for signed in held_back.prepares} == {held_back.block_digest}
    bare = next(m for m in state_of(*PREPARED[:-1], "round timeout 0").own if isinstance(m, RoundChange))
    assert bare.prepares == ()


# --- what was received -------------------------------------------------------------------------------------------


def test_received_prepares_and_extract_signed_prepares() -> None:
    """``receivedPrepares``, ``extractSignedPrepares``: Prepares are kept, whatever their block."""
    state = state_of("block timeout", "a: prepare a@0", "c: prepare a'@0", "a: commit a@0")
    assert [vote.author for vote in state.prepares] == [A.address, C.address]
    assert state_of("head a@0", "a: prepare a@0 height 1").prepares == (), "of a height that is over"
    assert all(isinstance(vote, Prepare) and vote.signed.unsigned.digest == vote.digest for vote in state.prepares)
    certificate = state_of(*PREPARED).prepared
    assert certificate is not None
    assert set(certificate.prepares) == {vote.signed for vote in state_of(*PREPARED).prepares}


def test_received_round_changes_and_extract_signed_round_changes() -> None:
    """``receivedRoundChanges``, ``extractSignedRoundChanges``, ``setUnionOnSeq``: a proposal carries those received."""
    state = state_of(*IN_ROUND_1, "c: round change 1", "d: round change 1", "built b@1")
    proposal = next(message for message in state.own if isinstance(message, Proposal))
    assert set(proposal.round_changes) == {change.signed for change in state.round_changes}
    assert {author_of(signed) for signed in proposal.round_changes} == {B.address, C.address, D.address}


def test_received_signed_round_changes_for_current_height_and_future_rounds() -> None:
    """``receivedSignedRoundChangesForCurrentHeightAndFutureRounds``: of this height, of a later round, and no other."""
    two = [*IN_ROUND_1, "a: round change 4"]
    assert said(*two, "c: round change 3")[-1] == "sign round change 3"
    for other in ("c: round change 1", "c: round change 4 height 2", "c: commit a@0 in round 4"):
        assert not [line for line in said(*two, other) if line.startswith("sign")]


def test_get_set_of_round_change_senders() -> None:
    """``getSetOfRoundChangeSenders``: authors count, not messages."""
    assert said("block timeout", "a: round change 4", "a: round change 5", "a: round change 6") == []
    assert said("block timeout", "a: round change 4", "c: round change 6")[-1] == "sign round change 4"


def test_received_blocks_in_round_changes() -> None:
    """``receivedBlocksInRoundChanges``: the block to propose again is one that came in a RoundChange."""
    state = state_of(*IN_ROUND_1, "a: round change 1", "c: round change 1 prepared a@0 by a c d", "valid a@1")
    carried = [change.block for change in state.round_changes if change.block is not None]
    assert state.accepted is not None
    assert [in_round(block, 1) for block in carried] == [state.accepted.block]


def test_difference_what_is_kept_is_bounded() -> None:
    """``receivedRoundChanges`` differs: of each author the current round's message and the farthest later one's.

    The specification keeps all it ever received (``messagesReceived``). An honest author goes up only, so its last
    word is what it stands by; what one author sends pushes out nobody else's (``test_inbox``).
    """
    many = [f"a: round change {number}" for number in range(1, 30)]
    state = state_of(*IN_ROUND_1, "d: round change 1", *many)
    assert [(change.author, change.round) for change in state.round_changes] == [
        *[(B.address, 1), (D.address, 1), (A.address, 1), (A.address, 29)]
    ]


# --- what always holds -------------------------------------------------------------------------------------------


def test_valid_node_state() -> None:
    """``validNodeState``: what is prepared has its round, block and a quorum's Prepares."""
    for happenings in (IN_ROUND_1, PREPARED, [*PREPARED, "round timeout 0"], [*PREPARED, "restart"]):
        prepared = state_of(*happenings).prepared
        if prepared is None:
            assert happenings is IN_ROUND_1
            continue
        assert commit_hash(prepared.block.header) == prepared.digest
        assert round_of(prepared.block.header) == prepared.round
        assert len({author_of(signed) for signed in prepared.prepares}) >= quorum(4)
        assert {(s.unsigned.round, s.unsigned.digest) for s in prepared.prepares} == {(prepared.round, prepared.digest)}


def test_state_blockchain_invariant() -> None:
    """``StateBlockchainInvariant``: a height without validators decides nothing: nobody has a turn or a voice."""
    assert said("block timeout", "a: proposal a@0", validators="") == [
        "rejected a's proposal: its author is no validator"
    ]
    with pytest.raises(AssertionError, match="without validators"):
        proposer((), A.address, 0)
    assert state_of("block timeout").is_validator(state_of("block timeout").proposer_of(0))
