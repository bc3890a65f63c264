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

from cocket.node.chain.header import Header, block_hash
from cocket.node.consensus.admission import keep_own, receive
from cocket.node.consensus.effects import Effect, Send, StartBlockTimer, StartTimer, Timer
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
from cocket.node.consensus.execution import abort_execution, upon_block_built, upon_block_validated
from cocket.node.consensus.rounds import Step, start_timers, upon_round_change, upon_round_quorum, upon_round_timeout
from cocket.node.consensus.state import Accepted, Configuration, Restored, State, Watch
from cocket.node.consensus.turns import propose, upon_commit, upon_prepare, upon_proposal

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
        state = keep_own(state, message)
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
            taken = upon_block_built(state, event)
        case BlockValidated():
            taken = upon_block_validated(state, event)
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
    state, aborting = abort_execution(state)
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
    return (StartBlockTimer(state.height, state.parent.timestamp + state.times.block_period_s),)


def _upon_resend_timeout(state: State, event: ResendTimeout) -> Step:
    if event.height != state.height or not state.is_open or state.committing is not None or not state.may_sign:
        return state, ()
    timer = StartTimer(Timer.RESEND, state.height, state.round, state.times.request_timeout_ms)
    return state, (Send(state.own), timer) if state.own else (timer,)


def _upon_peer_connected(state: State, event: PeerConnected) -> Step:
    if event.address in state.peers:
        return state, ()
    state = replace(state, peers=(*state.peers, event.address))
    return state, (Send(state.own, event.address),) if state.own and state.is_validator(event.address) else ()


_RULES: Final = (upon_commit, upon_round_change, upon_proposal, upon_prepare, propose, upon_round_quorum)
