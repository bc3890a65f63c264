"""Rounds: entering one, leaving it in time, and which one to go to.

The specification's roundTimeout doubles with the round number; a node goes one round up at each timeout, or to the
rounds of f+1 others. Besides, all only a later, earlier or farther timeout and so safe at any time:

- The timeout has a ceiling, and doubles with the rounds *entered* (``State.rounds_entered``): a node that comes into a
  late round from afar does not begin with the longest wait.
- A round above 0 lasts its time from when a quorum is known to have come to it (``State.is_quorate``), and until then
  is not left by timeout: going on alone leads away from the others. So a node that is cut off waits in round 1, not
  in round 100, all meet within a few timeouts when they are together again, and a long outage writes nothing.
- When at a timeout those in my round cannot become a quorum without those ahead, I go to where one can meet, not up
  one by one: those ahead wait there (Besu, which never waits, has the longer timeout there). One who lies about its
  round can use this only while no quorum of others is together anyway, and gains ``JUMP_MAX`` at most.
"""

from dataclasses import replace
from typing import Final, TypeAlias

from cocket.node.consensus.drafts import Draft, PreparedCertificate, RoundChangeDraft, code_of
from cocket.node.consensus.effects import AbortExecution, Effect, Sign, StartTimer, Timer
from cocket.node.consensus.events import RoundTimeout
from cocket.node.consensus.inbox import prune_votes
from cocket.node.consensus.messages import Message
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
    assert all(draft.round == state.round for draft in new), "votes are signed for the current round only"
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
        effects.append(StartTimer(Timer.RESEND, state.height, state.round, state.times.request_timeout_ms))
    return tuple(effects)


def enter_round(state: State, round_number: int) -> Step:
    """Go to a later round: forget what was accepted in this one, keep what counts there, start its time."""
    assert round_number > state.round, "rounds only grow"
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
    entered = replace(entered, is_quorate=proposal is not None or _has_quorum_come(entered))
    return entered, (*effects, *start_timers(entered, is_opening=not state.is_open))


def change_round(state: State, round_number: int) -> Step:
    """Go to a later round of our own accord: enter it and say so. (``createRoundChange``)"""
    entered, effects = enter_round(state, round_number)
    entered, signing = sign(entered, (RoundChangeDraft(entered.height, round_number, entered.prepared),))
    return entered, (*effects, *signing)


def upon_round_timeout(state: State, event: RoundTimeout) -> Step:
    """Leave a round that took too long; wait on in one to which no quorum has come. (UponRoundTimeout)"""
    is_late = (event.height, event.round) != (state.height, state.round)
    if is_late or not state.is_open or not state.may_sign or state.committing is not None:
        return state, ()
    if not state.is_quorate:
        return state, start_timers(state, is_opening=False)
    return change_round(state, meeting_round(state) or state.round + 1)


def upon_round_quorum(state: State) -> Step | None:
    """When a quorum has come to the round, its time begins."""
    if state.is_quorate or state.committing is not None or not _has_quorum_come(state):
        return None
    return replace(state, is_quorate=True), start_timers(state, is_opening=False)


def _has_quorum_come(state: State) -> bool:
    here, ahead = whereabouts(state)
    return len(here) + len(ahead) >= quorum(len(state.validators))


def meeting_round(state: State) -> int | None:
    """Return the first round ahead where a quorum can still meet, None when it can meet in ours (see the module)."""
    needed = quorum(len(state.validators))
    here, ahead = whereabouts(state)
    if len(here) >= needed or len(here) + len(ahead) < needed:
        return None
    return min(sorted(ahead)[needed - len(here) - 1], state.round + JUMP_MAX)


def whereabouts(state: State) -> tuple[list[bytes], list[int]]:
    """Return who is known to be in our round, ourselves included, and the rounds of those who are ahead."""
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
    return [author for author in here if author not in ahead], list(ahead.values())


def upon_round_change(state: State) -> Step | None:
    """Go to the later round that f+1 validators went to: one of them is honest. (UponRoundChange, its second half)

    With more than f+1 ahead it is the highest round that f+1 reached. What the proposer of the round then does is in
    ``turns.propose``. A quorum is more than f, so Besu's move to a quorum's round is covered.
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
