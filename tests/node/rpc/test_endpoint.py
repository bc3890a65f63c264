import asyncio
import json
import threading
from collections.abc import Awaitable, Callable

import pytest

from cocket.node.errors import InvalidTransaction, NodeFault, Refused
from cocket.node.rpc.endpoint import Endpoint, Worker
from cocket.node.rpc.errors import ExecutionReverted, ResourceUnavailable
from cocket.node.rpc.jsonrpc import Dispatcher, Method, Parameter, Weight
from cocket.node.rpc.limits import Limits

LIMITS = Limits(response_bytes_max=200, batch_length_max=8)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def thread_name() -> str:
    return threading.current_thread().name


def raising(error: Exception) -> Callable[[], object]:
    def raise_it() -> object:
        raise error

    return raise_it


async def later() -> str:
    await asyncio.sleep(0)
    return "later"


METHODS = (
    Method("light", thread_name),
    Method("heavy", thread_name, (), Weight.HEAVY),
    Method("read", thread_name, (), Weight.READ),
    Method("deferred", later, (), Weight.DEFERRED),
    Method("echo", lambda text: text, (Parameter("text", str),)),
    Method("revert", raising(ExecutionReverted("execution reverted: no", "0x08c379a0"))),
    Method("rejected", raising(InvalidTransaction("nonce 3 is used, expected 4"))),
    Method("refused", raising(Refused("the pool is full"))),
    Method("broken", raising(ZeroDivisionError("secret detail")), (), Weight.HEAVY),
    Method("fault", raising(NodeFault("disk"))),
    Method("recursive", raising(RecursionError())),
)


def run(scenario: Callable[[Endpoint, Worker], Awaitable[None]], on_fault: list[str] | None = None) -> None:
    async def main() -> None:
        reader, worker = Worker("reader", 2, 5.0), Worker("worker", 2, 5.0)
        faults: list[str] = [] if on_fault is None else on_fault
        endpoint = Endpoint(
            Dispatcher(METHODS, 8), reader, worker, LIMITS, lambda method, _error: faults.append(method)
        )
        try:
            await scenario(endpoint, worker)
        finally:
            await reader.stop()
            await worker.stop()

    asyncio.run(main())


def request(method: str, *params: object, identity: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": list(params)}


async def ask(endpoint: Endpoint, body: object) -> object:
    answer = await endpoint.answer(json.dumps(body).encode())
    return None if answer is None else json.loads(answer)


def test_each_call_runs_where_its_weight_says() -> None:
    async def scenario(endpoint: Endpoint, _worker: Worker) -> None:
        names = ["light", "read", "heavy", "deferred"]
        answers = await ask(endpoint, [request(name, identity=name) for name in names])
        assert isinstance(answers, list)
        results = {answer["id"]: answer["result"] for answer in answers}
        assert results["light"] == "MainThread"
        assert results["read"].startswith("rpc-reader")
        assert results["heavy"].startswith("rpc-worker")
        assert results["deferred"] == "later"

    run(scenario)


@pytest.mark.parametrize(
    ("method", "code", "message", "data"),
    [
        ("revert", 3, "execution reverted: no", "0x08c379a0"),
        ("rejected", -32003, "nonce 3 is used, expected 4", None),
        ("refused", -32000, "the pool is full", None),
        ("recursive", -32600, "the request is nested too deeply", None),
    ],
)
def test_errors_are_shaped_by_the_table(method: str, code: int, message: str, data: object) -> None:
    async def scenario(endpoint: Endpoint, _worker: Worker) -> None:
        answer = await ask(endpoint, request(method))
        assert isinstance(answer, dict)
        expected = {"code": code, "message": message, **({} if data is None else {"data": data})}
        assert answer == {"jsonrpc": "2.0", "id": 1, "error": expected}

    run(scenario)


@pytest.mark.parametrize("method", ["broken", "fault"])
def test_our_own_faults_are_reported_here_and_not_told(method: str) -> None:
    faults: list[str] = []

    async def scenario(endpoint: Endpoint, _worker: Worker) -> None:
        answer = await ask(endpoint, request(method))
        assert isinstance(answer, dict)
        assert answer["error"]["code"] == -32603
        assert "secret" not in json.dumps(answer)

    run(scenario, faults)
    assert faults == [method]


def test_notifications_get_no_answer() -> None:
    async def scenario(endpoint: Endpoint, _worker: Worker) -> None:
        for method in ("light", "revert", "none"):
            assert await ask(endpoint, {"jsonrpc": "2.0", "method": method}) is None
        assert await ask(endpoint, [{"jsonrpc": "2.0", "method": "light"}] * 3) is None
        mixed = await ask(endpoint, [{"jsonrpc": "2.0", "method": "light"}, request("light", identity=5)])
        assert isinstance(mixed, list)
        assert [answer["id"] for answer in mixed] == [5]

    run(scenario)


def test_an_answer_has_a_size_limit() -> None:
    async def scenario(endpoint: Endpoint, _worker: Worker) -> None:
        fits = await ask(endpoint, request("echo", "x" * 190))
        exceeds = await ask(endpoint, request("echo", "x" * 200))
        assert isinstance(fits, dict)
        assert isinstance(exceeds, dict)
        assert fits["result"] == "x" * 190
        assert exceeds["error"]["code"] == -32005

    run(scenario)


def test_a_batch_shares_the_size_limit() -> None:
    async def scenario(endpoint: Endpoint, _worker: Worker) -> None:
        answers = await ask(endpoint, [request("echo", "x" * 90, identity=number) for number in range(4)])
        assert isinstance(answers, list)
        assert ["result" in answer for answer in answers] == [True, False, False, False]
        assert {answer["error"]["code"] for answer in answers[1:]} == {-32005}

    run(scenario)


def test_a_batch_has_a_time_limit() -> None:
    async def main() -> None:
        clock = Clock()

        def tick() -> float:
            clock.now_s += 12
            return clock.now_s

        worker = Worker("worker", 2, 5.0)
        endpoint = Endpoint(Dispatcher([Method("tick", tick)], 8), worker, worker, Limits(batch_s=30), clock=clock)
        answers = await ask(endpoint, [request("tick", identity=number) for number in range(5)])
        assert isinstance(answers, list)
        assert [answer.get("result", 0) for answer in answers] == [12, 24, 36, 0, 0]
        assert {answer["error"]["code"] for answer in answers[3:]} == {-32005}
        await worker.stop()

    asyncio.run(main())


def test_a_full_queue_is_told_as_busy_and_recovers() -> None:
    async def scenario(_endpoint: Endpoint, worker: Worker) -> None:
        gate = threading.Event()
        waiting = [asyncio.create_task(worker.run(gate.wait)) for _ in range(2)]
        while worker.waiting < 2:
            await asyncio.sleep(0)
        with pytest.raises(ResourceUnavailable, match="busy: 2 requests are waiting for its worker"):
            await worker.run(thread_name)
        gate.set()
        assert await asyncio.gather(*waiting) == [True, True]
        assert (await worker.run(thread_name)).startswith("rpc-worker")

    run(scenario)


def test_a_job_that_waited_too_long_is_not_begun() -> None:
    async def main() -> None:
        clock = Clock()
        worker = Worker("worker", 4, 5.0, clock)
        gate = threading.Event()
        first = asyncio.create_task(worker.run(gate.wait))
        second = asyncio.create_task(worker.run(thread_name))
        while worker.waiting < 2:
            await asyncio.sleep(0)
        clock.now_s = 6.0
        gate.set()
        assert await first is True
        with pytest.raises(ResourceUnavailable, match="waited over 5 s"):
            await second
        await worker.stop()

    asyncio.run(main())


def test_stopping_refuses_what_waits() -> None:
    async def main() -> None:
        worker = Worker("worker", 4, 5.0)
        gate = threading.Event()
        started = threading.Event()

        def hold() -> bool:
            started.set()
            return gate.wait()

        running = asyncio.create_task(worker.run(hold))
        queued = asyncio.create_task(worker.run(thread_name))
        await asyncio.to_thread(started.wait)
        stopping = asyncio.create_task(worker.stop())
        with pytest.raises(ResourceUnavailable, match="stopping"):
            await queued
        gate.set()
        await stopping
        assert await running is True
        with pytest.raises(ResourceUnavailable, match="stopping"):
            await worker.run(thread_name)

    asyncio.run(main())
