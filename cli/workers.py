"""Work on many documents in as many processes as there are cores; on a few, in this one."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, TypeVar

from cocket.cli.errors import CommandError

CHUNK_DOCUMENTS = 200
CHUNKS_AHEAD = 4
"""Chunks that a process may lag behind its feed: bounds the memory."""

A = TypeVar("A")
B = TypeVar("B")
P = ParamSpec("P")


def run_ahead(processes: Executor, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Yield work's results in order, with a bounded number of items under way."""
    ahead = CHUNKS_AHEAD * (os.cpu_count() or 1)
    waiting: deque[Future[B]] = deque()
    try:
        for item in items:
            waiting.append(processes.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise CommandError(
            "a working process was killed, perhaps for want of memory; run the same command again to go on"
        ) from None


class _Here(Executor):
    """Does the work where it is asked for: a few documents are done before another process has started."""

    def submit(self, work: Callable[P, B], /, *arguments: P.args, **named: P.kwargs) -> Future[B]:
        future: Future[B] = Future()
        future.set_result(work(*arguments, **named))
        return future


@contextlib.contextmanager
def open_processes(document_count: int) -> Iterator[Executor]:
    """Give processes to work on so many documents; on an error what waits is dropped."""
    if document_count <= CHUNK_DOCUMENTS:
        yield _Here()
        return
    processes = ProcessPoolExecutor(
        mp_context=multiprocessing.get_context("forkserver"), initializer=_leave_with_parent
    )
    try:
        yield processes
    finally:
        processes.shutdown(cancel_futures=True)


def _leave_with_parent() -> None:
    """Let Ctrl-C be the parent's to handle, and end when the parent was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_after, args=(parent.join,), daemon=True).start()


def _leave_after(wait: Callable[[], None]) -> None:
    wait()
    os._exit(1)
