"""The formal specification's validity rules for messages (``node_auxiliary_functions.dfy``), one by one.

The core is d's, in round 1 of block 1, where it is b's turn: what it says to a message is nothing, or why not.
"""

from dataclasses import replace

import pytest
from simulator.desks import ALL, STRANGER, A, B, C, D
from simulator.dialogues import held, said
from simulator.players import GENESIS, Player, child, in_round, sealed

from cocket.node.chain.block import Block
from cocket.node.chain.header import commit_hash, with_seals
from cocket.node.consensus import qbft
from cocket.node.consensus.events import MessageReceived
from cocket.node.consensus.justification import (
    commit_fault,
    highest_prepared,
    prepares_fault,
    proposal_fault,
    round_change_fault,
)
from cocket.node.consensus.messages import Commit, Signed, UnsignedCommit, UnsignedRoundChange
from cocket.node.consensus.seals import sign_seal, validate_seals
from cocket.node.consensus.state import State
from cocket.node.consensus.wire import decode_message, encode_signed, signing_digest
from cocket.node.errors import InvalidBlock

BLOCK = child(GENESIS, A.address)
DIGEST = commit_hash(BLOCK.header)
AGAIN = in_round(BLOCK, 1)
IN_ROUND_1 = ["block timeout", "round timeout 0"]
VALID = ["round timer 1 after 4000 ms"]

cases = pytest.mark.parametrize


def state_of(*happenings: str) -> State:
    state = held(*(happenings or IN_ROUND_1), me="d").state
    assert state is not None
    return state


def verdict(message: str) -> str:
    """Return what d says to a message of b: the reason, or that it is checked."""
    told = [line for line in said(*IN_ROUND_1, f"b: {message}", me="d") if "timer" not in line]
    assert len(told) == 1
    return told[0].removeprefix("rejected b's proposal: ")


def allowed(what: str, message: str) -> object:
    name = message.split()[1]
    return pytest.param(message, f"validate {name} in round {name[-1]}", id=f"allowed: {what}")


def refused(what: str, message: str, reason: str) -> object:
    return pytest.param(message, reason, id=f"refused: {what}")


# --- proposals ---------------------------------------------------------------------------------------------------


@cases(
    ("message", "says"),
    [
        allowed("a quorum, nothing prepared, fresh", "proposal b@1 for a b c"),
        allowed("all, nothing prepared", "proposal b@1 for a b c d"),
        allowed("one prepared, with its proof", "proposal a@1 for a b c(a@0) by a b c"),
        allowed("the highest of several prepared", "proposal b@5 for b(b@1) a(a@0) c by a b c"),
        refused("too few round changes", "proposal b@1 for b c", "found 2 round changes, expected 3 to 4"),
        refused(
            "a round change of another round",
            "proposal b@1 for a->2 b c",
            "found a round change to height 1 round 2, expected height 1 round 1",
        ),
        refused(
            "nothing prepared, another's block",
            "proposal c@1 for a b c",
            "found the coinbase c in a fresh block, expected its proposer b",
        ),
        refused(
            "one prepared, another block",
            "proposal b@1 for a b c(a@0) by a b c",
            "found a block that in round 0 is b@0, expected the prepared a@0",
        ),
        refused(
            "one prepared, too few prepares",
            "proposal a@1 for a b c(a@0) by a b",
            "found 2 prepares, expected 3 to 4",
        ),
        refused(
            "a lower one than the highest",
            "proposal a@5 for a(a@0) b(b@1) c by a b c",
            "found a block that in round 1 is a@1, expected the prepared b@1",
        ),
        refused(
            "prepares of a stranger",
            "proposal a@1 for a b c(a@0) by a b e",
            "found a prepare of e, expected one of the validators",
        ),
    ],
)
def test_is_proposal_justification(message: str, says: str) -> None:
    """``isProposalJustification``: a quorum left for this round, and the block is the highest prepared, or free."""
    assert verdict(message) == says


def test_is_proposal_justification_in_round_0() -> None:
    """``isProposalJustification``, round 0: the block is its proposer's, of this height and round."""
    assert proposal_fault(state_of("block timeout"), A.proposal(BLOCK)) is None
    for block, reason in (
        (child(GENESIS, B.address), "coinbase"),
        (in_round(BLOCK, 1), "found round 1 in the block"),
        (replace(BLOCK, header=replace(BLOCK.header, number=2)), "found block 2"),
    ):
        fault = proposal_fault(state_of("block timeout"), A.proposal(block, height=1, round_number=0))
        assert reason in (fault or "")


@cases(
    ("message", "reason"),
    [
        ("proposal b@1 for a b b", "found a second round change of b, expected one per validator"),
        ("proposal a@1 for a b c(a@0) by a b b", "found a second prepare of b, expected one per validator"),
        ("proposal a@1 for a(a'@0) b c(a@0) by a b c", "found two blocks prepared in round 0, expected one"),
        ("proposal b@1 for a b c by a b c", "found 3 prepares, expected none when nobody had prepared"),
        ("proposal b@1 for a b c d e", "found 5 round changes, expected 3 to 4"),
        ("proposal a@1 for a b c(a@0) by a b c d e", "found 5 prepares, expected 3 to 4"),
    ],
)
def test_difference_a_justification_has_nothing_besides(message: str, reason: str) -> None:
    """``isProposalJustification`` differs: what the specification's sets would let pass beside a proof is refused.

    As Besu does. No honest proposer says such things: it takes one valid RoundChange of each author.
    """
    assert verdict(message) == reason


def test_difference_round_0_has_no_justification() -> None:
    """``isProposalJustification`` differs: in round 0 the specification looks at none, and we take none."""
    assert said("block timeout", "a: proposal a@0 for a b c", me="d") == [
        "rejected a's proposal: found a justification in round 0, expected none"
    ]


def test_difference_the_block_is_unsealed_and_on_our_head() -> None:
    """``isProposalJustification`` differs: the parent by its hash, not by the height alone, and no seals."""
    state = state_of("block timeout")
    stray = replace(BLOCK, header=replace(BLOCK.header, parent_hash=bytes(32)))
    assert "found the parent" in (proposal_fault(state, A.proposal(stray)) or "")
    assert "found 1 seals" in (proposal_fault(state, A.proposal(sealed(BLOCK, (A,)))) or "")


@cases(
    ("happenings", "says"),
    [
        pytest.param(["b: proposal b@1 for a b c"], ["validate b@1 in round 1"], id="allowed: our round"),
        pytest.param(
            ["b: proposal b@1 for a b c", "valid b@1", "c: proposal c@2 for a b c"],
            ["round timer 2 after 8000 ms", "validate c@2 in round 2"],
            id="allowed: a later round after one is accepted",
        ),
        pytest.param(
            ["c: proposal b@1 for a b c"],
            ["rejected c's proposal: found the author c, expected round 1's proposer b"],
            id="refused: another's turn",
        ),
        pytest.param(
            ["b: proposal b@1 for a b"],
            ["rejected b's proposal: found 2 round changes, expected 3 to 4"],
            id="refused: unjustified",
        ),
        pytest.param(["b: proposal b@1 for a b c height 2"], ["b is ahead, at 1"], id="refused: another height"),
        pytest.param(["a: proposal a@0"], [], id="refused: an earlier round"),
        pytest.param(
            ["b: proposal b@1 for a b c", "valid b@1", "b: proposal b@1 for a b d"],
            [],
            id="refused: a second one in the round",
        ),
    ],
)
def test_is_valid_proposal(happenings: list[str], says: list[str]) -> None:
    """``isValidProposal``: its round's proposer's, justified, for this height, the first one in its round."""
    assert said(*IN_ROUND_1, *happenings, me="d") == says


def test_is_valid_proposal_names_its_own_block() -> None:
    """``isValidProposal``: the digest is its block's; on the wire nothing else can be said."""
    proposal = A.proposal(BLOCK)
    assert proposal.digest == commit_hash(proposal.block.header)
    assert decode_message(proposal.code, proposal.raw) == proposal


def test_difference_a_later_round_is_taken_also_when_nothing_is_accepted() -> None:
    """``isValidProposal`` differs: for a later round the specification wants one accepted in the present one.

    Besu wants none. A quorum left for that round, so nobody waits for ours any more; we sign nothing for it meanwhile.
    """
    assert said("block timeout", "b: proposal b@1 for a b c", me="d") == [*VALID, "validate b@1 in round 1"]


@cases(
    ("block", "fault"),
    [
        pytest.param(BLOCK, None, id="allowed: its proposer's"),
        pytest.param(child(GENESIS, C.address), "found the coinbase", id="refused: another's"),
    ],
)
def test_validate_non_prepared_block(block: Block, fault: str | None) -> None:
    """``validateNonPreparedBlock``: a fresh block is valid, and its proposer's; see the importer for its execution."""
    found = proposal_fault(state_of("block timeout"), A.proposal(block))
    assert found is None if fault is None else fault in (found or "")


# --- round changes -----------------------------------------------------------------------------------------------


@cases(
    ("author", "unsigned", "fault"),
    [
        pytest.param(C, UnsignedRoundChange(1, 1), None, id="allowed: not prepared"),
        pytest.param(C, UnsignedRoundChange(1, 1, 0, DIGEST), "of a", id="allowed: prepared in an earlier round"),
        pytest.param(C, UnsignedRoundChange(2, 1), "height 2 round 1", id="refused: another height"),
        pytest.param(C, UnsignedRoundChange(1, 2), "height 1 round 2", id="refused: another round"),
        pytest.param(C, UnsignedRoundChange(1, 1, 1, DIGEST), "prepared round 1", id="refused: prepared in this round"),
        pytest.param(C, UnsignedRoundChange(1, 1, 7, DIGEST), "prepared round 7", id="refused: in a later one"),
        pytest.param(STRANGER, UnsignedRoundChange(1, 1), "one of the validators", id="refused: no validator's"),
    ],
)
def test_valid_round_change(author: Player, unsigned: UnsignedRoundChange, fault: str | None) -> None:
    """``validRoundChange``: of this height and round, by a validator, prepared in an earlier round or not at all.

    (The one that is prepared is valid, and so asks for another block than the fresh one that is proposed here.)
    """
    signed = Signed(unsigned, author.signer.sign_digest(signing_digest(unsigned)))
    change = replace(C.round_change(1, 1), signed=signed)
    others = [A.round_change(1, 1), B.round_change(1, 1)]
    found = proposal_fault(state_of(), B.proposal(child(GENESIS, B.address, 1), [*others, change]))
    if fault == "of a":
        fault = f"expected the prepared 0x{DIGEST.hex()}"
    assert found is None if fault is None else fault in (found or "")


@cases(
    ("message", "reason"),
    [
        ("round change 0", "found round 0, expected 1 or more"),
        ("round change 1 prepared a@1 by a c d", "found the prepared round 1, expected less than 1"),
        ("round change 1 prepared a@0 by a c", "found 2 prepares, expected 3 to 4"),
        ("round change 1 prepared a@0 by a c e", "found a prepare of e, expected one of the validators"),
        ("round change 1 prepared a@0 by a c c", "found a second prepare of c, expected one per validator"),
    ],
)
def test_difference_a_round_change_proves_what_it_says(message: str, reason: str) -> None:
    """``validRoundChange`` differs: a received RoundChange shows its block and the Prepares, as Besu wants it.

    The specification leaves that to whoever collects a justification; a claim without proof would be in the way there.
    """
    assert said("block timeout", f"c: {message}", me="d") == [f"rejected c's round change: {reason}"]
    right = "c: round change 1 prepared a@0 by a b c"
    assert said("block timeout", f"c: {message}", right, "b: round change 1", me="d")[-1] == "sign round change 1"


def test_difference_a_round_changes_block_is_the_one_it_says() -> None:
    """``validRoundChange`` differs, the same: the block beside the signed words is the one of the digest in them."""
    right = C.round_change(1, 1, BLOCK, [player.prepare(BLOCK) for player in (A, B, C)])
    other = child(GENESIS, A.address, mark=b"other")
    assert round_change_fault(state_of("block timeout"), right) is None
    wrong = replace(right, block=other, block_digest=commit_hash(other.header))
    assert "found a block" in (round_change_fault(state_of("block timeout"), wrong) or "")


@cases(
    ("prepared_rounds", "highest"),
    [
        pytest.param((None, 3, 1), 3, id="allowed: the highest"),
        pytest.param((2, None, 2), 2, id="allowed: two of one round"),
        pytest.param((0, None, None), 0, id="allowed: round 0"),
        pytest.param((None, None, None), None, id="refused: none"),
        pytest.param((), None, id="refused: nobody"),
    ],
)
def test_is_highest_prepared(prepared_rounds: tuple[int | None, ...], highest: int | None) -> None:
    """``isHighestPrepared``: prepared at all, and in no lower a round than any other that is."""
    changes = [
        player.round_change(1, 5, None if number is None else in_round(BLOCK, number)).signed
        for player, number in zip((A, B, C), prepared_rounds, strict=False)
    ]
    found = highest_prepared(changes)
    assert (None if found is None else found.prepared_round) == highest


@cases(
    ("happenings", "says"),
    [
        pytest.param(["c: round change 1"], ["build 1 not before +1 s", *VALID], id="allowed: our own block, a quorum"),
        pytest.param(
            ["c: round change 1 prepared a@0 by a c d"],
            ["validate a@1 in round 1", *VALID],
            id="allowed: the prepared block, a quorum",
        ),
        pytest.param(["b via c: round change 1"], [], id="refused: ours twice"),
        pytest.param(["c: round change 2"], VALID, id="refused: another round's"),
        pytest.param(["c: round change 1 height 2"], ["c is ahead, at 1"], id="refused: another height's"),
    ],
)
def test_is_received_proposal_justification(happenings: list[str], says: list[str]) -> None:
    """``isReceivedProposalJustification``: among what was received is a quorum's justification for our round."""
    assert said(*IN_ROUND_1, "a: round change 1", *happenings, me="b") == says


@cases(
    ("authors", "is_there"),
    [
        pytest.param("acd", True, id="allowed: a quorum without us"),
        pytest.param("da", True, id="allowed: a quorum with us, for f+1 took us along"),
        pytest.param("c", False, id="refused: one"),
        pytest.param("ccc", False, id="refused: one, often"),
    ],
)
def test_has_received_proposal_justification(authors: str, is_there: bool) -> None:
    """``hasReceivedProposalJustification``: as soon as there is one, whatever came in which order; not before."""
    happenings = ["block timeout", *[f"{letter}: round change 1" for letter in authors], "built b@1"]
    assert bool([line for line in said(*happenings) if line.startswith("sign proposal b@1")]) is is_there


def test_difference_the_prepares_of_a_round_change_are_enough() -> None:
    """``isReceivedProposalJustification`` differs: Prepares come from the RoundChange, not from those heard before.

    As in Besu: who heard no Prepare of round 0 can still propose the block again that another prepared there.
    """
    state = held(*IN_ROUND_1, "a: round change 1", "c: round change 1 prepared a@0 by a c d", "valid a@1").state
    assert state is not None
    assert [vote.round for vote in state.prepares] == [1]
    proposal = next(message for message in state.own if message.code == 0x12)
    assert proposal_fault(state, proposal) is None  # type: ignore[arg-type]


def test_difference_the_prepared_block_is_proposed_in_its_new_round() -> None:
    """``isReceivedProposalJustification`` differs: the specification wants a received block that has the new round.

    No RoundChange carries one, for a block is prepared in an earlier round. As in Besu, the round in it is replaced,
    and all else stays: coinbase, transactions, state.
    """
    state = held(*IN_ROUND_1, "a: round change 1", "c: round change 1 prepared a@0 by a c d", "valid a@1").state
    assert state is not None
    assert state.proposer_of(1) == B.address
    assert state.proposal is None
    assert state.accepted is not None
    assert in_round(state.accepted.block, 0) == BLOCK
    assert state.accepted.block.header.coinbase == A.address


# --- prepares ----------------------------------------------------------------------------------------------------


@cases(
    ("prepare", "fault"),
    [
        pytest.param(C.prepare(BLOCK), None, id="allowed"),
        pytest.param(C.prepare(BLOCK, height=2), "height 2", id="refused: another height"),
        pytest.param(C.prepare(BLOCK, round_number=1), "round 1", id="refused: another round"),
        pytest.param(C.prepare(AGAIN, round_number=0), "found a prepare of height 1", id="refused: another block"),
        pytest.param(STRANGER.prepare(BLOCK), "one of the validators", id="refused: no validator's"),
    ],
)
def test_valid_signed_prepare_for_height_round_and_digest(prepare: object, fault: str | None) -> None:
    """``validSignedPrepareForHeightRoundAndDigest``: this height, this round, this block, by a validator."""
    three = [A.prepare(BLOCK).signed, B.prepare(BLOCK).signed, prepare.signed]  # type: ignore[attr-defined]
    found = prepares_fault(three, 1, 0, DIGEST, ALL)
    assert found is None if fault is None else fault in (found or "")


def test_valid_prepares_for_height_round_and_digest() -> None:
    """``validPreparesForHeightRoundAndDigest``: those among all that was received; one too few is too few."""
    right = [player.prepare(BLOCK).signed for player in (A, B, C, D)]
    assert prepares_fault(right, 1, 0, DIGEST, ALL) is None
    assert prepares_fault(right[1:], 1, 0, DIGEST, ALL) is None
    assert "found 2 prepares" in (prepares_fault(right[2:], 1, 0, DIGEST, ALL) or "")
    heard = ["a: prepare a@0", "b: prepare a'@0", "c: prepare a@0", "c: prepare a'@0"]
    accepted = ["a: proposal a@0", "valid a@0"]
    assert said("block timeout", *heard, *accepted, me="d") == ["sign prepare a@0"]
    state = held("block timeout", *heard, *accepted, me="d").state
    assert state is not None
    assert state.prepared is not None, "a's, c's first and our own"


# --- commits -----------------------------------------------------------------------------------------------------


def commit(author: Player, seal: bytes, digest: bytes = DIGEST) -> Commit:
    unsigned = UnsignedCommit(1, 0, digest, seal)
    message = decode_message(0x14, encode_signed(Signed(unsigned, author.signer.sign_digest(signing_digest(unsigned)))))
    assert isinstance(message, Commit)
    return message


@cases(
    ("message", "is_valid"),
    [
        pytest.param(commit(A, sign_seal(DIGEST, A.key)), True, id="allowed"),
        pytest.param(commit(A, sign_seal(DIGEST, B.key)), False, id="refused: another's seal"),
        pytest.param(commit(A, sign_seal(commit_hash(AGAIN.header), A.key)), False, id="refused: another block's seal"),
        pytest.param(commit(A, bytes(65)), False, id="refused: no signature"),
    ],
)
def test_validate_commit(message: Commit, is_valid: bool) -> None:
    """``validateCommit``: the seal is the author's, over the block's commit hash; height, round and digest are ours."""
    assert (commit_fault(message) is None) is is_valid
    after, _ = qbft.step(state_of("block timeout"), MessageReceived(message, B.address, 0))
    assert after.commits == ((message,) if is_valid else ())


@cases(
    ("last", "says"),
    [
        pytest.param("c: commit a@0", ["commit a@0 sealed by a b c"], id="allowed"),
        pytest.param("c: commit a'@0", [], id="refused: another block"),
        pytest.param("c: commit a@0 in round 1", [], id="refused: another round"),
        pytest.param("c: commit a@0 height 2", ["c is ahead, at 1"], id="refused: another height"),
        pytest.param("e: commit a@0", ["rejected e's commit: its author is no validator"], id="refused: a stranger"),
        pytest.param("a: commit a@0", [], id="refused: the same one again"),
    ],
)
def test_valid_commits_for_height_round_and_digest(last: str, says: list[str]) -> None:
    """``validCommitsForHeightRoundAndDigest``: only these make the quorum."""
    assert said("block timeout", "a: proposal a@0", "valid a@0", "a: commit a@0", "b: commit a@0", last, me="d") == says


# --- new blocks --------------------------------------------------------------------------------------------------


@cases(
    ("by", "is_valid"),
    [
        pytest.param((A, B, C), True, id="allowed: a quorum"),
        pytest.param((A, B, C, D), True, id="allowed: all"),
        pytest.param((A, B), False, id="refused: one too few"),
        pytest.param((A, B, STRANGER), False, id="refused: a stranger among them"),
    ],
)
def test_valid_new_block(by: tuple[Player, ...], is_valid: bool) -> None:
    """``ValidNewBlock``: a quorum of the parent's validators sealed it, and nobody else."""
    header = sealed(BLOCK, by).header
    if is_valid:
        validate_seals(header, ALL)
        return
    with pytest.raises(InvalidBlock, match="seal"):
        validate_seals(header, ALL)


def test_valid_new_block_is_sealed_for_its_round() -> None:
    """``ValidNewBlock``: a seal is over the block with its round; the same seals in another round are nobody's."""
    seals = [sign_seal(DIGEST, player.key) for player in (A, B, C)]
    validate_seals(with_seals(BLOCK.header, seals), ALL)
    with pytest.raises(InvalidBlock, match="seal 0"):
        validate_seals(with_seals(AGAIN.header, seals), ALL)


def test_difference_a_block_has_one_seal_of_each() -> None:
    """``ValidNewBlock`` differs: its seals are a set, a header's a list, in which nobody counts twice."""
    with pytest.raises(InvalidBlock, match="second seal"):
        validate_seals(sealed(BLOCK, (A, B, C, C)).header, ALL)
