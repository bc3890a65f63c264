"""Rounds: entering one, leaving it in time, and which one to go to.

The specification's roundTimeout doubles with the round number, and a node goes one round up at each timeout, or
to the rounds of f+1 others. Three things are ours, each only an earlier or farther timeout and so safe at any time:

- the timeout has a ceiling, and doubles with the rounds *entered* (``State.rounds_entered``): a node that returns
  from hours of absence does not begin with the longest wait;
- when sessions with a quorum come back, the wait begins at the base again;
- when those in my round can no longer become a quorum without those ahead, I go to where a quorum can be, not up
  one by one: without this two nodes back in round 1 would climb for hours to a third in round 200. One who lies about
  its round can use this only while there is no honest quorum together anyway, and gains ``JUMP_MAX`` at most.
"""

from dataclasses import replace
from typing import Final, TypeAlias

from cocket.node.consensus.effects import AbortExecution, Effect, Sign, StartTimer, Timer
from cocket.node.consensus.events import RoundTimeout
from cocket.node.consensus.inbox import prune_votes
from cocket.node.consensus.messages import Draft, Message, PreparedCertificate, RoundChangeDraft, code_of
from cocket.node.consensus.state import SignedVote, State, name_of
from cocket.node.consensus.validators import faults_max, quorum

JUMP_MAX: Final = 4096
"""Rounds skipped at one timeout: a day of rounds of 30 s and more."""

Step: TypeAlias = tuple[State, tuple[Effect, ...]]


def sign(state: State, drafts: tuple[Draft, ...], certificate: PreparedCertificate | None = None) -> Step:
    """Ask for signatures on what was not signed yet at this height; nothing when we may not sign."""
    if not state.may_sign:
        return state, ()
    new = tuple([draft for draft in drafts if state.signed_vote(code_of(draft), draft.round) is None])
    if not new:
        return state, ()
    assert all(draft.round == state.round for draft in new), "votes are signed for the current round only"  # noqa: S101
    signed = (*state.signed, *[SignedVote(code_of(draft), draft.round, digest_of(draft)) for draft in new])
    return replace(state, signed=signed), (Sign(new, certificate),)


def digest_of(draft: Draft) -> bytes:
    """Return the digest that a draft speaks for; of a RoundChange the prepared one, empty when none is."""
    if isinstance(draft, RoundChangeDraft):
        return b"" if draft.prepared is None else draft.prepared.digest
    return draft.digest


def start_timers(state: State, *, is_opening: bool) -> tuple[Effect, ...]:
    """Return the round timer for the current round, with the resend timer when the height opens."""
    if not state.may_sign:
        return ()
    effects: list[Effect] = [StartTimer(Timer.ROUND, state.height, state.round, state.round_timeout_ms)]
    if is_opening:
        effects.append(StartTimer(Timer.RESEND, state.height, state.round, state.configuration.request_timeout_ms))
    return tuple(effects)


def enter_round(state: State, round_number: int) -> Step:
    """Go to a later round: forget what was accepted in this one, keep what counts there, start its time."""
    assert round_number > state.round, "rounds only grow"  # noqa: S101
    proposal = state.proposal if state.proposal is not None and state.proposal.round == round_number else None
    effects: list[Effect] = []
    execution = state.execution
    if execution is not None and not execution.is_aborted:
        is_wanted = proposal is not None and execution.name is not None and execution.name == name_of(proposal.block)
        if not is_wanted:
            execution = replace(execution, is_aborted=True)
            effects.append(AbortExecution())
    prepared_round = None if state.prepared is None else state.prepared.round
    entered = replace(
        state,
        round=round_number,
        rounds_entered=state.rounds_entered + 1,
        is_open=True,
        proposal=proposal,
        accepted=None,
        built=None,
        signed=tuple([vote for vote in state.signed if vote.round >= round_number]),
        prepares=prune_votes(state.prepares, round_number),
        commits=prune_votes(state.commits, round_number, prepared_round),
        round_changes=prune_votes(state.round_changes, round_number),
        execution=execution,
    )
    return entered, (*effects, *start_timers(entered, is_opening=not state.is_open))


def change_round(state: State, round_number: int) -> Step:
    """Go to a later round of our own accord: enter it and say so. (``createRoundChange``)"""
    entered, effects = enter_round(state, round_number)
    entered, signing = sign(entered, (RoundChangeDraft(entered.height, round_number, entered.prepared),))
    return entered, (*effects, *signing)


def upon_round_timeout(state: State, event: RoundTimeout) -> Step:
    """Leave a round that took too long. (UponRoundTimeout)"""
    is_late = (event.height, event.round) != (state.height, state.round)
    if is_late or not state.is_open or not state.may_sign or state.committing is not None:
        return state, ()
    return change_round(state, round_after_timeout(state))


def round_after_timeout(state: State) -> int:
    """Return the round to go to: the next one, or the first where a quorum can still meet (see the module)."""
    needed = quorum(len(state.validators))
    here = [state.address]
    ahead: dict[bytes, int] = {}
    votes: tuple[Message, ...] = (*state.round_changes, *state.prepares, *state.commits)
    for vote in votes:
        if vote.author == state.address:
            continue
        if vote.round > state.round:
            ahead[vote.author] = max(vote.round, ahead.get(vote.author, 0))
        elif vote.round == state.round and vote.author not in here:
            here.append(vote.author)
    count_here = len([author for author in here if author not in ahead])
    rounds_ahead = sorted(ahead.values())
    if count_here < needed <= count_here + len(rounds_ahead):
        return min(rounds_ahead[needed - count_here - 1], state.round + JUMP_MAX)
    return state.round + 1


def upon_round_change(state: State) -> Step | None:
    """Go to the later round that f+1 validators went to: one of them is honest. (UponRoundChange, its second half)

    With more than f+1 ahead it is the highest round that f+1 reached. What the proposer of the round then does is in
    ``qbft.propose``. A quorum is more than f, so Besu's move to a quorum's round is covered.
    """
    if state.committing is not None:
        return None
    ahead = sorted(
        [c.round for c in state.round_changes if c.round > state.round and c.author != state.address], reverse=True
    )
    faults = faults_max(len(state.validators))
    if len(ahead) <= faults:
        return None
    return change_round(state, ahead[faults])
