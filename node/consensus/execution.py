"""The one execution at a time: asking for a block to be built or checked, and what the answer means.

A check's result is kept by the block's name for the height, so a block proposed again is not executed again.
"""

from dataclasses import replace

from cocket.node.chain.block import Block
from cocket.node.consensus.effects import AbortExecution, BuildBlock, ValidateBlock, rejected
from cocket.node.consensus.events import BlockBuilt, BlockValidated
from cocket.node.consensus.rounds import Step
from cocket.node.consensus.state import VERDICTS_MAX, Execution, ExecutionKind, State, Verdict, name_of


def start_build(state: State) -> Step | None:
    """Ask for a block for our proposal, once a round; None while something runs."""
    if state.execution is not None or state.unbuilt_round == state.round:
        return None
    execution = Execution(ExecutionKind.BUILD, state.height, state.round)
    not_before_s = state.parent.timestamp + state.times.block_period_s
    return replace(state, execution=execution), (BuildBlock(state.height, state.round, state.parent, not_before_s),)


def start_validation(state: State, block: Block, digest: bytes) -> Step | None:
    """Ask for a check of a block; None while something runs."""
    if state.execution is not None:
        return None
    execution = Execution(ExecutionKind.VALIDATE, state.height, state.round, digest, name_of(block))
    return replace(state, execution=execution), (ValidateBlock(state.height, state.round, digest, block),)


def abort_execution(state: State) -> Step:
    """Ask for what runs to be broken off; it stays in the state until it is answered."""
    if state.execution is None or state.execution.is_aborted:
        return state, ()
    return replace(state, execution=replace(state.execution, is_aborted=True)), (AbortExecution(),)


def upon_block_built(state: State, event: BlockBuilt) -> Step:
    """Keep the block made for our proposal, if the round still wants it."""
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


def upon_block_validated(state: State, event: BlockValidated) -> Step:
    """Remember what was found of a block of this height, whatever round asked."""
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
    return replace(state, proposal=None), (rejected(state.proposal, "the check of its block was broken off"),)


def _note(state: State, block: Block, is_valid: bool, reason: str) -> State:
    verdict = Verdict(name_of(block), is_valid, reason)
    return replace(state, verdicts=(*state.verdicts, verdict)[-VERDICTS_MAX:])
