"""The way of one body through the node: light calls at once, reads and heavy calls each on a thread behind a bounded
queue, deferred ones awaited.

This part alone decides what may hold the event loop. HTTP and WebSocket both end here; it knows neither.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from cocket.node.rpc.errors import InternalError, LimitExceeded, ResourceUnavailable, RpcError, rpc_error_from
from cocket.node.rpc.jsonrpc import (
    Call,
    Dispatcher,
    Failure,
    Weight,
    batch_response,
    error_response,
    result_response,
)
from cocket.node.rpc.limits import Limits

Result = TypeVar("Result")

LIGHT_CALLS_IN_A_ROW = 16
"""After so many calls of a batch the event loop gets a turn."""


class Worker:
    """One thread with a bounded queue in front of it."""

    def __init__(
        self, name: str, queue_max: int, wait_s_max: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"rpc-{name}")
        self._queue_max = queue_max
        self._wait_s_max = wait_s_max
        self._clock = clock
        self._waiting = 0
        self._is_stopped = False

    @property
    def waiting(self) -> int:
        """How many requests are queued or being performed."""
        return self._waiting

    async def run(self, job: Callable[[], Result]) -> Result:
        """Return the job's result from the worker thread. Raises ``ResourceUnavailable`` when busy or stopping."""
        if self._is_stopped:
            raise ResourceUnavailable("the node is stopping")
        if self._waiting >= self._queue_max:
            raise ResourceUnavailable(
                f"the node is busy: {self._waiting} requests are waiting for its {self._name}; try again later"
            )
        begin_before = self._clock() + self._wait_s_max

        def perform() -> Result:
            if self._clock() > begin_before:
                raise ResourceUnavailable(f"the node is busy: the request waited over {self._wait_s_max:g} s")
            return job()

        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, perform)
        except asyncio.CancelledError:
            if self._is_stopped:
                raise ResourceUnavailable("the node is stopping") from None
            raise
        finally:
            self._waiting -= 1

    async def stop(self) -> None:
        """Refuse what waits and return once the thread has ended, at the latest after the current job."""
        self._is_stopped = True
        self._executor.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._executor.shutdown)


class Endpoint:
    """Answers bodies: every one gets bytes back, or None when it held notifications only."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        reader: Worker,
        worker: Worker,
        limits: Limits,
        on_fault: Callable[[str, BaseException], None] = lambda _method, _error: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dispatcher = dispatcher
        self._workers = {Weight.READ: reader, Weight.HEAVY: worker}
        self._limits = limits
        self._on_fault = on_fault
        self._clock = clock

    async def answer(self, body: bytes, dispatcher: Dispatcher | None = None) -> bytes | None:
        """Return the answer to a body. Never raises for what a caller sent.

        ``dispatcher`` replaces the endpoint's own where a connection has methods of its own (subscriptions).
        """
        try:
            parsed = (dispatcher or self.dispatcher).parse(body)
        except Exception as error:  # parsing raises nothing; should it ever, the caller gets an answer all the same
            self._on_fault("parse", error)
            return error_response(None, rpc_error_from(error))
        if not parsed.is_batch:
            return await self._answer_one(parsed.requests[0], self._limits.response_bytes_max)
        responses: list[bytes] = []
        room = self._limits.response_bytes_max
        end_s = self._clock() + self._limits.batch_s
        for position, request in enumerate(parsed.requests, 1):
            response = await self._answer_one(request, room if self._clock() < end_s else 0)
            if response is not None:
                responses.append(response)
                room -= len(response) + 1
            if position % LIGHT_CALLS_IN_A_ROW == 0:
                await asyncio.sleep(0)
        return batch_response(responses) if responses else None

    async def _answer_one(self, request: Call | Failure, room: int) -> bytes | None:
        if isinstance(request, Failure):
            return None if request.is_notification else error_response(request.id, request.error)
        try:
            if room <= 0:
                limits = self._limits
                raise LimitExceeded(
                    f"the batch exceeds {limits.response_bytes_max} bytes of answers or {limits.batch_s:g} s; divide it"
                )
            result = await self._perform(request)
            if len(result) > room:
                raise LimitExceeded(f"the answer exceeds {self._limits.response_bytes_max} bytes; ask for less")
        except Exception as error:
            return None if request.is_notification else error_response(request.id, self._rpc_error(request, error))
        return None if request.is_notification else result_response(request.id, result)

    async def _perform(self, call: Call) -> bytes:
        weight = call.weight
        if weight is Weight.LIGHT:
            return call.perform()
        if weight is Weight.DEFERRED:
            return msgspec.json.encode(await call.start())
        return await self._workers[weight].run(call.perform)

    def _rpc_error(self, call: Call, error: Exception) -> RpcError:
        shaped = rpc_error_from(error)
        if isinstance(shaped, InternalError):
            self._on_fault(call.method.name, error)
        return shaped
