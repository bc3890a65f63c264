"""The validator's ports in a real node: asyncio's timers, the block worker, the wall clock.

They turn ``Validator``'s requests into loop timers and worker jobs, and bring the answers back on the loop.
"""

import asyncio
import time
from collections.abc import Callable

from cocket.node.chain.block import Block
from cocket.node.chain.builder import Builder
from cocket.node.chain.header import Header, block_hash
from cocket.node.chain.importer import Importer, StopSwitch, UnknownParent
from cocket.node.chain.ledger import ExecutedBlock, Ledger
from cocket.node.chain.vm import ExecutionAborted
from cocket.node.consensus.effects import Timer
from cocket.node.errors import InvalidBlock, NodeFault, Refused
from cocket.node.validator import Validator
from cocket.node.worker import BlockWorker

ASK_AGAIN_S = 0.05  # a timer held back asks so often whether it may fire


class WallClock:
    """The machine's wall clock."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        return time.time_ns() // 1_000_000


class LoopTimers:
    """One loop timer of each kind; a new one replaces the old. ``fire`` is the validator's ``on_timer``.

    Those that begin a height or end a round wait on while ``is_early`` says of their height that we lag behind.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        fire: Callable[[Timer, int, int], None],
        is_early: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self._loop = loop
        self._fire = fire
        self._is_early = is_early
        self._handles: dict[Timer, asyncio.TimerHandle] = {}

    def start_block_timer(self, height: int, at_s: int) -> None:
        """Fire Timer.BLOCK at this wall time, at once when it is past."""
        self._start(Timer.BLOCK, height, 0, max(0.0, at_s - time.time()))

    def start_timer(self, timer: Timer, height: int, round_number: int, after_ms: int) -> None:
        """Fire after so much monotonic time."""
        self._start(timer, height, round_number, after_ms / 1000)

    def cancel_all(self) -> None:
        """Fire nothing any more."""
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()

    def _start(self, timer: Timer, height: int, round_number: int, after_s: float) -> None:
        previous = self._handles.get(timer)
        if previous is not None:
            previous.cancel()
        self._handles[timer] = self._loop.call_later(after_s, self._upon_due, timer, height, round_number)

    def _upon_due(self, timer: Timer, height: int, round_number: int) -> None:
        if timer in (Timer.BLOCK, Timer.ROUND) and self._is_early(height):
            self._start(timer, height, round_number, ASK_AGAIN_S)
        else:
            self._fire(timer, height, round_number)


class LedgerExecutor:
    """Builds and checks blocks on the worker, and answers the validator.

    ``time_budget_s`` gives the time to build the block of a height, ``answer_to`` the validator.
    """

    def __init__(
        self,
        worker: BlockWorker,
        ledger: Ledger,
        importer: Importer,
        builder: Builder,
        coinbase: bytes,
        time_budget_s: Callable[[int], float],
        answer_to: Callable[[], Validator],
    ) -> None:
        self._worker = worker
        self._ledger = ledger
        self._importer = importer
        self._builder = builder
        self._coinbase = coinbase
        self._time_budget_s = time_budget_s
        self._answer_to = answer_to

    def build(self, height: int, round_number: int, parent: Header, not_before_s: int) -> None:
        """Build an unsealed block on the head."""

        def job(stop: StopSwitch) -> ExecutedBlock | None:
            if self._ledger.head_hash != block_hash(parent):
                return None  # a block was imported meanwhile
            timestamp, budget_s = max(not_before_s, int(time.time())), self._time_budget_s(height)
            executed = self._builder.build(self._coinbase, timestamp, round_number, budget_s, stop)
            self._importer.remember(executed)
            return executed

        def done(executed: ExecutedBlock | None, error: BaseException | None) -> None:
            if isinstance(error, NodeFault):
                raise error
            if error is not None and not isinstance(error, ExecutionAborted):
                raise NodeFault(f"block {height} cannot be built: {error!r}") from error
            self._answer_to().on_built(height, round_number, None if executed is None else executed.block)

        self._worker.run_stoppable(job, done)

    def validate(self, height: int, round_number: int, digest: bytes, block: Block) -> None:
        """Check an unsealed block, seals apart."""

        def job(stop: StopSwitch) -> None:
            self._importer.execute(block, int(time.time()), stop)

        def done(_nothing: None, error: BaseException | None) -> None:
            is_valid, reason = _verdict(error)
            self._answer_to().on_validated(height, round_number, digest, is_valid, reason)

        self._worker.run_stoppable(job, done)

    def abort(self) -> None:
        """Break off what runs."""
        self._worker.stop_running()


def _verdict(error: BaseException | None) -> tuple[bool | None, str]:
    """Return what to say of a proposal, None when nothing can be said, and why; NodeFault when this node must stop."""
    match error:
        case None:
            return True, ""
        case ExecutionAborted() | UnknownParent():
            return None, str(error)
        case InvalidBlock() | Refused():
            return False, str(error)
        case NodeFault():
            raise error
        case Exception():
            # A fault of ours that somebody's proposal finds: to vote no and go on is better than to stop, as all would.
            return False, f"engine fault: {error!r}"
        case _:
            raise NodeFault(f"a proposal cannot be checked: {error!r}") from error
