"""The one thread on which blocks are built, checked and stored, so that the event loop never waits for the EVM.

It takes jobs one at a time, in order, and answers on the event loop. A build or check can be broken off; storing a
final block cannot.
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from cocket.node.chain.importer import StopSwitch

T = TypeVar("T")

# With the interpreter's default of 5 ms a busy EVM thread delays each turn of the loop by as much.
SWITCH_INTERVAL_S = 0.0005


class BlockWorker:
    """Runs jobs on one thread and hands each result, or the error, to a callback on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._loop = loop
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="blocks")
        self._stops: set[StopSwitch] = set()

    def run(self, job: Callable[[], T], done: Callable[[T | None, BaseException | None], None]) -> None:
        """Queue a job that runs to its end."""
        self._thread.submit(job).add_done_callback(lambda future: self._answer(future, done))

    def run_stoppable(
        self, job: Callable[[StopSwitch], T], done: Callable[[T | None, BaseException | None], None]
    ) -> None:
        """Queue a job that ``stop`` breaks off, also while it waits."""
        switch = StopSwitch()
        self._stops.add(switch)

        def finish(result: T | None, error: BaseException | None) -> None:
            self._stops.discard(switch)
            done(result, error)

        self.run(lambda: job(switch), finish)

    def stop_running(self) -> None:
        """Break off every stoppable job; each still answers, with ExecutionAborted."""
        for switch in tuple(self._stops):
            switch.pull()

    def close(self) -> None:
        """Break off what can be, finish the rest, and end the thread."""
        self.stop_running()
        self._thread.shutdown(wait=True)

    def _answer(self, future: "Future[T]", done: Callable[[T | None, BaseException | None], None]) -> None:
        error = future.exception()
        result = None if error is not None else future.result()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(done, result, error)
