"""The rules of one round: take the proposal, prepare, commit, finish, and on our own turn propose.

Each gives None unless the state enables it, like the predicates of the formal specification, whose names they have.
"""

from dataclasses import replace

from cocket.node.chain.block import Block
from cocket.node.chain.header import commit_hash, with_round, with_seals
from cocket.node.consensus.drafts import CommitDraft, PreparedCertificate, PrepareDraft, ProposalDraft
from cocket.node.consensus.effects import CommitBlock, rejected
from cocket.node.consensus.execution import abort_execution, start_build, start_validation
from cocket.node.consensus.inbox import votes_for
from cocket.node.consensus.justification import highest_prepared
from cocket.node.consensus.messages import Code, RoundChange, SignedPrepare, SignedRoundChange
from cocket.node.consensus.rounds import Step, enter_round, sign
from cocket.node.consensus.state import Accepted, State
from cocket.node.consensus.validators import quorum


def upon_proposal(state: State) -> Step | None:
    """Take the justified proposal: go to its round, have its block checked, and prepare it. (UponProposal)"""
    proposal = state.proposal
    if proposal is None or state.committing is not None:
        return None
    if proposal.round > state.round:
        return enter_round(state, proposal.round)
    verdict = state.verdict_on(proposal.block)
    if verdict is None:
        if not state.is_due:
            return None
        return start_validation(state, proposal.block, proposal.digest)
    if not verdict.is_valid:
        return replace(state, proposal=None), (rejected(proposal, f"its block is not valid: {verdict.reason}"),)
    accepted = replace(state, proposal=None, accepted=Accepted(state.round, proposal.digest, proposal.block))
    return sign(accepted, (PrepareDraft(state.height, state.round, proposal.digest),))


def upon_prepare(state: State) -> Step | None:
    """With a quorum of Prepares for the accepted proposal, be prepared, and commit. (UponPrepare)"""
    accepted = state.accepted
    if accepted is None or state.committing is not None:
        return None
    if state.prepared is not None and state.prepared.round == accepted.round:
        if state.signed_vote(Code.COMMIT, accepted.round) is not None or not state.may_sign:
            return None
        # The certificate survived a crash and the Commit did not: nobody has seen one.
        return sign(state, (CommitDraft(state.height, accepted.round, accepted.digest),), state.prepared)
    prepares = votes_for(state.prepares, accepted.round, accepted.digest)
    if len(prepares) < quorum(len(state.validators)):
        return None
    certificate = PreparedCertificate(
        accepted.round, accepted.digest, accepted.block, tuple([prepare.signed for prepare in prepares])
    )
    prepared = replace(state, prepared=certificate)
    return sign(prepared, (CommitDraft(state.height, accepted.round, accepted.digest),), certificate)


def upon_commit(state: State) -> Step | None:
    """With a quorum of Commits for the accepted or the prepared block, seal it: it is final. (UponCommit)"""
    if state.committing is not None or not state.commits:
        return None
    for held in (state.accepted, state.prepared):
        if held is None:
            continue
        commits = votes_for(state.commits, held.round, held.digest)
        if len(commits) < quorum(len(state.validators)):
            continue
        seals = [commit.commit_seal for commit in sorted(commits, key=lambda commit: commit.author)]
        sealed = replace(held.block, header=with_seals(held.block.header, seals))
        state, aborting = abort_execution(state)
        return replace(state, committing=held.digest), (*aborting, CommitBlock(sealed, held.digest))
    return None


def propose(state: State) -> Step | None:
    """On our turn, propose: the block prepared in the highest round if any round change has one, else a fresh one.

    (The first half of UponRoundChange, and UponBlockTimeout.)
    """
    if (
        state.committing is not None
        or not state.is_open
        or state.accepted is not None
        or state.proposal is not None
        or not state.may_sign
        or state.proposer_of(state.round) != state.address
        or state.signed_vote(Code.PROPOSAL, state.round) is not None
    ):
        return None
    justification = _received_justification(state)
    if justification is None:
        return None
    block = justification[2] or state.built
    if block is None:
        return start_build(state)
    digest = commit_hash(block.header)
    verdict = state.verdict_on(block)
    if verdict is None:
        return start_validation(state, block, digest)
    assert verdict.is_valid, "a block known to be false is no candidate"
    return sign(
        state,
        (
            ProposalDraft(state.height, state.round, block, digest, justification[0], justification[1]),
            PrepareDraft(state.height, state.round, digest),
        ),
    )


def _received_justification(
    state: State,
) -> tuple[tuple[SignedRoundChange, ...], tuple[SignedPrepare, ...], Block | None] | None:
    """Return the round changes, prepares and block to propose the current round with; no block when it is free.

    None while too few round changes are there. (``isReceivedProposalJustification``) A round change whose block turned
    out to be false is its author's fault and does not count.
    """
    if state.round == 0:
        return (), (), None
    changes = [change for change in state.round_changes if change.round == state.round and not _is_false(state, change)]
    if len(changes) < quorum(len(state.validators)):
        return None
    signed = tuple([change.signed for change in changes])
    highest = highest_prepared(signed)
    if highest is None or highest.prepared_round is None:
        return signed, (), None
    for change in changes:
        if change.block is not None and change.signed.unsigned == highest:
            header = with_round(change.block.header, state.round)
            return signed, change.prepares, replace(change.block, header=header)
    raise AssertionError("a prepared round change without a block was kept")


def _is_false(state: State, change: RoundChange) -> bool:
    if change.block is None:
        return False
    verdict = state.verdict_on(change.block)
    return verdict is not None and not verdict.is_valid
