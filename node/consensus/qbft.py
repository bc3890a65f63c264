"""QBFT as one function: ``step(state, event) -> (state, effects)``.

Pure and deterministic: no clock, no key, no disk, no socket. An event is first taken in (a vote is checked and kept, a
timer moves the round, an answer is noted), then the rules that the new state enables fire until none does, like the
``NodeNextSubStep``s of the formal specification, whose names they have:

    upon_block_timeout, upon_round_timeout, upon_new_block      events
    upon_commit, upon_round_change, upon_proposal, upon_prepare      rules
    propose, upon_round_quorum

(``propose`` is what UponBlockTimeout and UponRoundChange share, the proposer's turn; the last begins a round's time.)
Signature, author, proposer and justification are judged before anything is executed; at most one execution runs; its
result is kept by the block's name, so a block proposed again is not executed again.

Differences to the specification, all safe: rounds and timeouts (see ``rounds``); a quorum of Commits of the round
that we prepared in is final also when we have left that round; a justified proposal for a later round moves us there
before its block is executed.
"""

from dataclasses import replace
from typing import Final

from cocket.node.chain.block import Block
from cocket.node.chain.header import Header, block_hash, commit_hash, with_round, with_seals
from cocket.node.consensus.effects import (
    AbortExecution,
    BuildBlock,
    CommitBlock,
    Effect,
    Gossip,
    PeerAhead,
    PeerBehind,
    Rejected,
    Send,
    StartBlockTimer,
    StartTimer,
    Timer,
    ValidateBlock,
)
from cocket.node.consensus.events import (
    BlockBuilt,
    BlockTimeout,
    BlockValidated,
    EarlyTimeout,
    Event,
    MessageReceived,
    NewHead,
    PeerConnected,
    PeerDisconnected,
    ResendTimeout,
    RoundTimeout,
)
from cocket.node.consensus.inbox import keep_future, keep_vote, votes_for
from cocket.node.consensus.justification import highest_prepared, proposal_fault, round_change_fault
from cocket.node.consensus.messages import (
    Code,
    Commit,
    CommitDraft,
    Message,
    Prepare,
    PreparedCertificate,
    PrepareDraft,
    Proposal,
    ProposalDraft,
    RoundChange,
    SignedPrepare,
    SignedRoundChange,
)
from cocket.node.consensus.rounds import (
    Step,
    enter_round,
    sign,
    start_timers,
    upon_round_change,
    upon_round_quorum,
    upon_round_timeout,
)
from cocket.node.consensus.state import (
    VERDICTS_MAX,
    Accepted,
    Configuration,
    Execution,
    ExecutionKind,
    Restored,
    State,
    Verdict,
    Watch,
    name_of,
)
from cocket.node.consensus.validators import quorum

CLOCK_AHEAD_MS: Final = 1_000
"""A timestamp may be this far ahead of our clock, as in Besu's header rule."""
EARLY_MS_MAX: Final = 2_000
"""A proposal that is early beyond that waits up to this long; one still earlier is dropped, and comes again."""
EARLY_MARGIN_MS: Final = 20
"""Timers and wall clock need not agree to the millisecond, and a block found early is found invalid."""
SUBSTEPS_MAX: Final = 64
"""Rules fired after one event; each goes forward (a round, a vote, an execution), so a handful is the most."""


def start(
    configuration: Configuration,
    parent: Header,
    validators: tuple[bytes, ...],
    restored: Restored | None = None,
    watch: Watch | None = None,
) -> Step:
    """Return the state of a validator that begins, or begins again, at the height after ``parent``.

    ``restored`` is what its journal says of that height: it goes on in that round, resends those messages and never
    signs another one for the same round and kind. With ``watch`` it signs nothing for now.
    """
    state = State(configuration, parent, block_hash(parent), validators, watch=watch)
    if restored is None or not restored.own:
        return state, _start_block_timer(state)
    prepared = restored.prepared
    is_prepared_here = prepared is not None and prepared.round == restored.round
    state = replace(
        state,
        round=restored.round,
        is_quorate=restored.round == 0,
        is_open=True,
        signed=restored.signed,
        own=restored.own,
        prepared=prepared,
        accepted=Accepted(prepared.round, prepared.digest, prepared.block) if prepared and is_prepared_here else None,
    )
    for message in restored.own:
        state = _keep_own(state, message)
    effects = (*start_timers(state, is_opening=True), Send(restored.own))
    return _settle(state, effects)


def step(state: State, event: Event) -> Step:
    """Return what becomes of a state by an event, and what is to be done, in order."""
    match event:
        case MessageReceived():
            taken = receive(state, event)
        case BlockTimeout():
            taken = upon_block_timeout(state, event)
        case RoundTimeout():
            taken = upon_round_timeout(state, event)
        case ResendTimeout():
            taken = _upon_resend_timeout(state, event)
        case EarlyTimeout():
            is_now = (event.height, event.round) == (state.height, state.round)
            taken = (replace(state, is_due=True) if is_now else state), ()
        case BlockBuilt():
            taken = _upon_block_built(state, event)
        case BlockValidated():
            taken = _upon_block_validated(state, event)
        case NewHead():
            taken = upon_new_block(state, event)
        case PeerConnected():
            taken = _upon_peer_connected(state, event)
        case PeerDisconnected():
            taken = replace(state, peers=tuple([peer for peer in state.peers if peer != event.address])), ()
    return _settle(*taken)


def _settle(state: State, effects: tuple[Effect, ...]) -> Step:
    """Fire the rules that ``state`` enables until none is."""
    for _ in range(SUBSTEPS_MAX):
        for rule in _RULES:
            fired = rule(state)
            if fired is not None:
                state = fired[0]
                effects += fired[1]
                break
        else:
            return state, effects
    raise AssertionError(f"the rules of height {state.height} round {state.round} did not come to rest")


# --- messages ----------------------------------------------------------------------------------------------------


def receive(state: State, event: MessageReceived) -> Step:
    """Check a message against the present state and keep it, or say why not; what is kept is passed on."""
    message, source = event.message, event.source
    if message.height < state.height:
        return state, _behind(state, message, source)
    if not state.is_validator(message.author):
        return state, (_rejected(message, "its author is no validator"),)
    if message.height > state.height:
        future = keep_future(state.future, message, source, state.parent.number)
        ahead = () if source is None else (PeerAhead(source, message.height - 1),)
        return (state if future is None else replace(state, future=future)), ahead
    if state.committing is not None:
        return state, ()
    if message.author == state.address:
        return _receive_own(state, message)
    match message:
        case Proposal():
            return _receive_proposal(state, message, source, event.now_ms)
        case Prepare():
            prepares = keep_vote(state.prepares, message, state.round)
            return _kept(state, None if prepares is None else replace(state, prepares=prepares), message, source)
        case Commit():
            commits = keep_vote(state.commits, message, state.round, _prepared_round(state))
            return _kept(state, None if commits is None else replace(state, commits=commits), message, source)
        case RoundChange():
            changes = keep_vote(state.round_changes, message, state.round)
            if changes is None:
                return state, ()
            if fault := round_change_fault(state, message):
                return state, (_rejected(message, fault),)
            return _kept(state, replace(state, round_changes=changes), message, source)


def _receive_own(state: State, message: Message) -> Step:
    """Take our own message, which is durable and sent by now; one that we do not remember signing is nobody's."""
    vote = state.signed_vote(message.code, message.round)
    if vote is None:
        # An echo of what an earlier life of this node signed in a round that is over, or somebody else has our key.
        return state, (_rejected(message, "it is signed with our key, and not by us in this round"),)
    if any(own.code is message.code and own.round >= message.round for own in state.own):
        return state, ()
    own = (*[own for own in state.own if own.code is not message.code], message)
    return _keep_own(replace(state, own=own), message), ()


def _keep_own(state: State, message: Message) -> State:
    match message:
        case Proposal():
            return replace(state, proposal=message, is_due=True) if message.round == state.round else state
        case Prepare():
            return replace(state, prepares=keep_vote(state.prepares, message, state.round) or state.prepares)
        case Commit():
            kept = keep_vote(state.commits, message, state.round, _prepared_round(state))
            return replace(state, commits=kept or state.commits)
        case RoundChange():
            return replace(
                state, round_changes=keep_vote(state.round_changes, message, state.round) or state.round_changes
            )


def _receive_proposal(state: State, message: Proposal, source: bytes | None, now_ms: int) -> Step:
    round_number = message.round
    if round_number < state.round or (round_number == state.round and state.accepted is not None):
        return state, ()
    if state.proposal is not None and state.proposal.round >= round_number:
        return state, ()
    if fault := proposal_fault(state, message):
        return state, (_rejected(message, fault),)
    vote = state.signed_vote(Code.PREPARE, round_number)
    if vote is not None and vote.digest != message.digest:
        return state, (_rejected(message, "we prepared another block in this round"),)
    early_ms = message.block.header.timestamp * 1000 - CLOCK_AHEAD_MS - now_ms
    if early_ms > EARLY_MS_MAX:
        return state, (_rejected(message, f"its timestamp is {early_ms} ms too early, at most {EARLY_MS_MAX} wait"),)
    kept = replace(state, proposal=message, is_due=early_ms <= 0)
    if early_ms > 0:
        timer = StartTimer(Timer.EARLY, state.height, round_number, early_ms + EARLY_MARGIN_MS)
        return kept, (Gossip(message, source), timer)
    return kept, (Gossip(message, source),)


def _kept(state: State, kept: State | None, message: Message, source: bytes | None) -> Step:
    return (state, ()) if kept is None else (kept, (Gossip(message, source),))


def _behind(state: State, message: Message, source: bytes | None) -> tuple[Effect, ...]:
    """Say that a peer lacks our head: it still votes on what is final, and not merely a moment late."""
    if source is None or source != message.author or not state.is_validator(source):
        return ()
    if message.height == state.parent.number and message.code is not Code.ROUND_CHANGE:
        return ()
    return (PeerBehind(source, message.height),)


def _rejected(message: Message, reason: str) -> Rejected:
    return Rejected(message.code, message.height, message.round, message.author, reason)


def _prepared_round(state: State) -> int | None:
    return None if state.prepared is None else state.prepared.round


# --- rules -------------------------------------------------------------------------------------------------------


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
        return _validate(state, proposal.block, proposal.digest)
    if not verdict.is_valid:
        return replace(state, proposal=None), (_rejected(proposal, f"its block is not valid: {verdict.reason}"),)
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
        state, aborting = _abort(state)
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
        return _build(state)
    digest = commit_hash(block.header)
    verdict = state.verdict_on(block)
    if verdict is None:
        return _validate(state, block, digest)
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


_RULES: Final = (upon_commit, upon_round_change, upon_proposal, upon_prepare, propose, upon_round_quorum)


# --- execution ---------------------------------------------------------------------------------------------------


def _build(state: State) -> Step | None:
    if state.execution is not None or state.unbuilt_round == state.round:
        return None
    execution = Execution(ExecutionKind.BUILD, state.height, state.round)
    not_before_s = state.parent.timestamp + state.configuration.block_period_s
    return replace(state, execution=execution), (BuildBlock(state.height, state.round, state.parent, not_before_s),)


def _validate(state: State, block: Block, digest: bytes) -> Step | None:
    if state.execution is not None:
        return None
    execution = Execution(ExecutionKind.VALIDATE, state.height, state.round, digest, name_of(block))
    return replace(state, execution=execution), (ValidateBlock(state.height, state.round, digest, block),)


def _abort(state: State) -> Step:
    if state.execution is None or state.execution.is_aborted:
        return state, ()
    return replace(state, execution=replace(state.execution, is_aborted=True)), (AbortExecution(),)


def _upon_block_built(state: State, event: BlockBuilt) -> Step:
    execution = state.execution
    if execution is None or (execution.kind, execution.height, execution.round) != (
        ExecutionKind.BUILD,
        event.height,
        event.round,
    ):
        return state, ()
    state = replace(state, execution=None)
    if execution.is_aborted or (event.height, event.round) != (state.height, state.round):
        return state, ()
    if event.block is None:
        return replace(state, unbuilt_round=state.round), ()
    return replace(_note(state, event.block, True, ""), built=event.block), ()


def _upon_block_validated(state: State, event: BlockValidated) -> Step:
    execution = state.execution
    if execution is None or (execution.kind, execution.height, execution.round, execution.digest) != (
        ExecutionKind.VALIDATE,
        event.height,
        event.round,
        event.digest,
    ):
        return state, ()
    assert execution.name is not None
    state = replace(state, execution=None)
    if event.height != state.height:
        return state, ()
    if event.is_valid is not None:
        verdict = Verdict(execution.name, event.is_valid, event.reason)
        return replace(state, verdicts=(*state.verdicts, verdict)[-VERDICTS_MAX:]), ()
    if execution.is_aborted or state.proposal is None or state.proposal.digest != event.digest:
        return state, ()
    # Broken off by no wish of ours: the round goes on without us.
    return replace(state, proposal=None), (_rejected(state.proposal, "the check of its block was broken off"),)


def _note(state: State, block: Block, is_valid: bool, reason: str) -> State:
    verdict = Verdict(name_of(block), is_valid, reason)
    return replace(state, verdicts=(*state.verdicts, verdict)[-VERDICTS_MAX:])


# --- time, heads and peers ---------------------------------------------------------------------------------------


def upon_block_timeout(state: State, event: BlockTimeout) -> Step:
    """Open the height: round 0 runs from now, and its proposer has its turn. (UponBlockTimeout)"""
    if event.height != state.height or state.is_open or state.committing is not None:
        return state, ()
    opened = replace(state, is_open=True)
    return opened, start_timers(opened, is_opening=True)


def upon_new_block(state: State, event: NewHead) -> Step:
    """Begin the next height, whoever finished this one. (UponNewBlock)"""
    header = event.header
    if header.number <= state.parent.number:
        return state, ()
    state, aborting = _abort(state)
    watch = state.watch
    if watch is not None and header.number >= watch.height and header.timestamp > watch.time_s:
        watch = None
    fresh = State(
        state.configuration,
        header,
        block_hash(header),
        event.validators,
        watch=watch,
        peers=state.peers,
        execution=state.execution,
    )
    effects = (*aborting, *_start_block_timer(fresh))
    later = [w for w in state.future if w.message.height > fresh.height and fresh.is_validator(w.message.author)]
    fresh = replace(fresh, future=tuple(later))
    for waiting in state.future:
        if waiting.message.height == fresh.height:
            fresh, more = receive(fresh, MessageReceived(waiting.message, waiting.source, event.now_ms))
            effects += more
    return fresh, effects


def _start_block_timer(state: State) -> tuple[Effect, ...]:
    if not state.is_validator(state.address):
        return ()
    return (StartBlockTimer(state.height, state.parent.timestamp + state.configuration.block_period_s),)


def _upon_resend_timeout(state: State, event: ResendTimeout) -> Step:
    if event.height != state.height or not state.is_open or state.committing is not None or not state.may_sign:
        return state, ()
    timer = StartTimer(Timer.RESEND, state.height, state.round, state.configuration.request_timeout_ms)
    return state, (Send(state.own), timer) if state.own else (timer,)


def _upon_peer_connected(state: State, event: PeerConnected) -> Step:
    if event.address in state.peers:
        return state, ()
    state = replace(state, peers=(*state.peers, event.address))
    return state, (Send(state.own, event.address),) if state.own and state.is_validator(event.address) else ()
