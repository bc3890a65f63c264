"""Executions that change nothing: calls, gas estimates, and constructors run for a genesis.

Each has its own working state over a reader and throws it away, a gas bound and a deadline. The sender pays nothing, so
``balance`` only bounds the value sent. It never touches a block's execution.
"""

from dataclasses import dataclass
from typing import Final

from cocket.node.chain.account import StateReader, WriteSet
from cocket.node.chain.hashing import ZERO_ADDRESS
from cocket.node.chain.receipt import Log
from cocket.node.chain.rules import Fork
from cocket.node.chain.transaction import INITCODE_BYTES_MAX, AccessList, Transaction, intrinsic_gas
from cocket.node.chain.vm.context import BlockContext
from cocket.node.chain.vm.execution import end_message, gas_used_by, logs_of, new_state, run_message
from cocket.node.chain.vm.watch import Watch
from cocket.node.errors import Refused

_ESTIMATE_TOLERANCE: Final = 64  # an estimate may be this share, one 64th, too high: it saves half of the runs


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A message to try: ``to`` None makes a contract of ``data``. ``gas`` includes the intrinsic gas."""

    sender: bytes = ZERO_ADDRESS
    to: bytes | None = None
    value: int = 0
    data: bytes = b""
    gas: int = 50_000_000
    access_list: AccessList = ()
    gas_price: int = 0


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a call gave. ``error`` is None, 'revert' (``output`` then holds the reason), 'out of gas' or another cause.

    ``gas_used`` is what a transaction would pay for, intrinsic gas and refund included.
    """

    output: bytes
    gas_used: int
    error: str | None
    logs: tuple[Log, ...] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """The gas limit that suffices, or None when even the requested gas does not; ``result`` is that run's."""

    gas: int | None
    result: CallResult


def call(context: BlockContext, reader: StateReader, request: CallRequest, deadline_s: float | None) -> CallResult:
    """Run a message on a state and forget its changes; ExecutionAborted after ``deadline_s`` seconds.

    A contract's mistakes are in ``error``; nothing is raised for them.
    """
    watch = Watch()
    watch.start(deadline_s)
    return _try(context, reader, request, request.gas, watch)[0]


def estimate_gas(
    context: BlockContext, reader: StateReader, request: CallRequest, deadline_s: float | None
) -> Estimate:
    """Return the least gas limit, at most a 64th too high, with which a message succeeds, up to ``request.gas``.

    All tries together take at most ``deadline_s`` seconds. The gas used alone would not do: a call hands on only
    63/64 of what is left, and refunds come last.
    """
    watch = Watch()
    watch.start(deadline_s)
    result, needed = _try(context, reader, request, request.gas, watch)
    if result.error is not None:
        return Estimate(None, result)
    too_low, enough = needed - 1, request.gas
    guess = min(needed + needed // 63 + 2_300, enough)
    while too_low + 1 < enough and (enough - too_low) * _ESTIMATE_TOLERANCE > enough:
        if _try(context, reader, request, guess, watch)[0].error is None:
            enough = guess
        else:
            too_low = guess
        guess = (too_low + enough) // 2
    return Estimate(enough, result)


def run_constructor(
    context: BlockContext,
    reader: StateReader,
    address: bytes,
    initcode: bytes,
    deadline_s: float | None = 60.0,
) -> WriteSet:
    """Deploy a contract at a fixed address, as if ``initcode`` were run there by the zero address, and return it.

    For accounts of a genesis. ``context.gas_limit`` bounds the gas; initcode may be longer than a transaction's.
    Refused when the constructor fails.
    """
    watch = Watch()
    watch.start(deadline_s)
    state = new_state(context, reader, watch)
    computation = run_message(
        state,
        sender=ZERO_ADDRESS,
        to=None,
        value=0,
        data=initcode,
        gas=context.gas_limit,
        gas_price=0,
        access_list=(),
        nonce=0,
        create_address=address,
    )
    if computation.error is not None:
        said = f" (0x{computation.output.hex()})" if computation.output else ""
        raise Refused(f"constructor at 0x{address.hex()}: {computation.reason}{said}")
    end_message(state, computation)
    return state.write_set()


def _try(
    context: BlockContext, reader: StateReader, request: CallRequest, gas: int, watch: Watch
) -> tuple[CallResult, int]:
    """Return a run's result and the gas it took before its refund."""
    intrinsic = intrinsic_gas(_as_transaction(request), context.fork)
    if gas < intrinsic:
        return CallResult(b"", gas, f"out of gas: found {gas}, expected at least {intrinsic} (intrinsic)"), gas
    if request.to is None and context.fork >= Fork.SHANGHAI and len(request.data) > INITCODE_BYTES_MAX:
        found = f"found {len(request.data)} bytes, expected at most {INITCODE_BYTES_MAX}"
        return CallResult(b"", 0, f"initcode: {found}"), gas
    state = new_state(context, reader, watch)
    balance = state.get_balance(request.sender)
    if request.value > balance:
        return CallResult(b"", 0, f"balance: found {balance}, expected at least {request.value}"), gas
    nonce = state.get_nonce(request.sender)
    state.increment_nonce(request.sender)
    computation = run_message(
        state,
        sender=request.sender,
        to=request.to,
        value=request.value,
        data=request.data,
        gas=gas - intrinsic,
        gas_price=request.gas_price,
        access_list=request.access_list,
        nonce=nonce,
    )
    used = gas_used_by(computation, gas, context.fork)
    result = CallResult(computation.output, used, computation.reason, logs_of(computation))
    return result, gas - computation.gas_left


def _as_transaction(request: CallRequest) -> Transaction:
    """Return an unsigned transaction of the request, to be priced."""
    return Transaction(
        type=1,
        chain_id=None,
        nonce=0,
        gas_price=request.gas_price,
        max_priority_fee_per_gas=None,
        max_fee_per_gas=None,
        gas_limit=request.gas,
        to=request.to,
        value=request.value,
        data=request.data,
        access_list=request.access_list,
        y_parity=0,
        r=0,
        s=0,
        raw=b"",
        hash=b"",
        sender=request.sender,
    )
