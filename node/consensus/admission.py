"""Which messages are taken in: checked against the present state, kept or refused, and passed on when kept.

Nothing here moves a round or signs; the rules that fire on what was kept are in ``turns`` and ``rounds``.
"""

from dataclasses import replace
from typing import Final

from cocket.node.consensus.effects import (
    Effect,
    Equivocation,
    Gossip,
    PeerAhead,
    PeerBehind,
    StartTimer,
    Timer,
    rejected,
)
from cocket.node.consensus.equivocation import contradicted
from cocket.node.consensus.events import MessageReceived
from cocket.node.consensus.inbox import keep_future, keep_vote
from cocket.node.consensus.justification import commit_fault, proposal_fault, round_change_fault
from cocket.node.consensus.messages import Code, Commit, Message, Prepare, Proposal, RoundChange
from cocket.node.consensus.rounds import Step
from cocket.node.consensus.state import State

CLOCK_AHEAD_MS: Final = 1_000
"""A timestamp may be this far ahead of our clock, as in Besu's header rule."""
EARLY_MS_MAX: Final = 2_000
"""A proposal that is early beyond that waits up to this long; one still earlier is dropped, and comes again."""
EARLY_MARGIN_MS: Final = 20
"""Timers and wall clock need not agree to the millisecond, and a block found early is found invalid."""


def receive(state: State, event: MessageReceived) -> Step:
    """Check a message against the present state and keep it, or say why not; what is kept is passed on."""
    message, source = event.message, event.source
    if message.height < state.height:
        return state, _behind(state, message, source)
    if not state.is_validator(message.author):
        return state, (rejected(message, "its author is no validator"),)
    if message.height > state.height:
        ahead = () if source is None else (PeerAhead(source, message.height - 1),)
        future = keep_future(state.future, message, source, state.parent.number)
        if future is None:
            return state, (*ahead, *contradicted([waiting.message for waiting in state.future], message))
        return replace(state, future=future), ahead
    if state.committing is not None:
        return state, ()
    if message.author == state.address:
        return _receive_own(state, message)
    match message:
        case Proposal():
            return _receive_proposal(state, message, source, event.now_ms)
        case Prepare():
            prepares = keep_vote(state.prepares, message, state.round)
            if prepares is None:
                return state, contradicted(state.prepares, message)
            return replace(state, prepares=prepares), (Gossip(message, source),)
        case Commit():
            commits = keep_vote(state.commits, message, state.round, _prepared_round(state))
            if commits is None:
                return state, contradicted(state.commits, message)
            if fault := commit_fault(message):
                return state, (rejected(message, fault),)
            return replace(state, commits=commits), (Gossip(message, source),)
        case RoundChange():
            changes = keep_vote(state.round_changes, message, state.round)
            if changes is None:
                return state, contradicted(state.round_changes, message)
            if fault := round_change_fault(state, message):
                return state, (rejected(message, fault),)
            return replace(state, round_changes=changes), (Gossip(message, source),)


def _receive_own(state: State, message: Message) -> Step:
    """Take our own message, which is durable and sent by now; one that we do not remember signing is nobody's."""
    vote = state.signed_vote(message.code, message.round)
    if vote is None:
        # An echo of what an earlier life of this node signed in a round that is over, or somebody else has our key.
        return state, (rejected(message, "it is signed with our key, and not by us in this round"),)
    if any(own.code is message.code and own.round >= message.round for own in state.own):
        return state, contradicted(state.own, message)
    own = (*[own for own in state.own if own.code is not message.code], message)
    return keep_own(replace(state, own=own), message), ()


def keep_own(state: State, message: Message) -> State:
    """Put a message of our own among those that count in the current round, if it is of it."""
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
    equivocation: tuple[Equivocation, ...] = () if state.heard is None else contradicted((state.heard,), message)
    is_decided = round_number < state.round or (round_number == state.round and state.accepted is not None)
    if is_decided or (state.proposal is not None and state.proposal.round >= round_number):
        return state, equivocation
    if fault := proposal_fault(state, message):
        return state, (*equivocation, rejected(message, fault))
    vote = state.signed_vote(Code.PREPARE, round_number)
    if vote is not None and vote.digest != message.digest:
        return state, (*equivocation, rejected(message, "we prepared another block in this round"))
    early_ms = message.block.header.timestamp * 1000 - CLOCK_AHEAD_MS - now_ms
    if early_ms > EARLY_MS_MAX:
        return state, (rejected(message, f"its timestamp is {early_ms} ms too early, at most {EARLY_MS_MAX} wait"),)
    heard = message if state.heard is None or state.heard.round < round_number else state.heard
    kept = replace(state, proposal=message, heard=heard, is_due=early_ms <= 0)
    effects: tuple[Effect, ...] = (*equivocation, Gossip(message, source))
    if early_ms > 0:
        return kept, (*effects, StartTimer(Timer.EARLY, state.height, round_number, early_ms + EARLY_MARGIN_MS))
    return kept, effects


def _behind(state: State, message: Message, source: bytes | None) -> tuple[Effect, ...]:
    """Say that a peer lacks our head: it still votes on what is final, and not merely a moment late."""
    if source is None or source != message.author or not state.is_validator(source):
        return ()
    if message.height == state.parent.number and message.code is not Code.ROUND_CHANGE:
        return ()
    return (PeerBehind(source, message.height),)


def _prepared_round(state: State) -> int | None:
    return None if state.prepared is None else state.prepared.round
