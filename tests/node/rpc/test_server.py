import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import NamedTuple

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from cocket.node.chain.receipt import Log
from cocket.node.errors import Refused
from cocket.node.http_server import HttpServer
from cocket.node.rpc.endpoint import Endpoint, Worker
from cocket.node.rpc.jsonrpc import Dispatcher, Method, Parameter, Weight
from cocket.node.rpc.limits import Limits
from cocket.node.rpc.server import RpcApp
from cocket.node.rpc.subscriptions import BlockNews, SubscriptionHub

LIMITS = Limits(
    body_bytes_max=1000,
    header_bytes_max=2000,
    request_s=0.2,
    answer_s=0.2,
    subscriber_queue_max=4,
    subscriptions_max=2,
)
LARGE = "x" * (8 << 20)

METHODS = (
    Method("ping", lambda: "pong"),
    Method("heavy", lambda: "done", (), Weight.HEAVY),
    Method("large", lambda: LARGE),
    Method("echo", lambda text: text, (Parameter("text", str),)),
)


class Counter:
    """Ids that tests can foresee, in place of random bytes."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(size, "big")


class Served(NamedTuple):
    port: int
    hub: SubscriptionHub
    server: HttpServer


@contextlib.asynccontextmanager
async def serving(limits: Limits = LIMITS) -> AsyncIterator[Served]:
    dispatcher = Dispatcher(METHODS, 8)
    worker = Worker("worker", 4, 5.0)
    hub = SubscriptionHub(dispatcher, limits, Counter())

    async def page(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("a page")

    endpoint = Endpoint(dispatcher, worker, worker, limits)
    metrics = b"cocket_height 7.0\n"
    app = RpcApp(endpoint, hub, lambda: {"height": 7}, lambda: metrics, limits, routes=[Route("/page", page)])
    server = HttpServer(app, port=0, limits=limits)
    await server.start()
    try:
        yield Served(server.port, hub, server)
    finally:
        await server.stop()
        await worker.stop()


def run(scenario: Callable[[Served], Awaitable[None]], limits: Limits = LIMITS) -> None:
    async def main() -> None:
        async with serving(limits) as served:
            await scenario(served)

    asyncio.run(main())


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(head[0].split()[1]), headers, body)


async def exchange(port: int, raw: bytes) -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        return await read_answer(reader)
    finally:
        writer.close()
        await writer.wait_closed()


async def read_to_end(port: int, raw: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionResetError):
            await writer.wait_closed()


def post(body: bytes, *, host: str = "127.0.0.1", kind: str = "application/json", path: str = "/") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


def test_a_post_is_answered() -> None:
    async def scenario(served: Served) -> None:
        answer = await exchange(served.port, post(PING))
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert json.loads(answer.body) == {"jsonrpc": "2.0", "id": 1, "result": "pong"}
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
        heavy = await exchange(served.port, post(PING.replace(b"ping", b"heavy")))
        assert json.loads(heavy.body)["result"] == "done"

    run(scenario)


def test_a_connection_is_kept_and_may_be_pipelined() -> None:
    async def scenario(served: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(post(PING) * 3)
        for _ in range(3):
            assert (await read_answer(reader)).status == 200
        writer.close()
        await writer.wait_closed()

    run(scenario)


def test_notifications_are_answered_with_no_content() -> None:
    async def scenario(served: Served) -> None:
        answer = await exchange(served.port, post(b'{"jsonrpc":"2.0","method":"ping"}'))
        assert (answer.status, answer.body) == (204, b"")

    run(scenario)


@pytest.mark.parametrize(
    ("raw", "code"), [(b"", -32700), (b"{", -32700), (b"[" * 900, -32600), (b"[]", -32600), (b"\xff", -32700)]
)
def test_a_bad_body_is_a_typed_error(raw: bytes, code: int) -> None:
    async def scenario(served: Served) -> None:
        answer = await exchange(served.port, post(raw))
        assert answer.status == 200
        assert json.loads(answer.body)["error"]["code"] in (code, -32700)

    run(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8545", "localhost", "LocalHost:1", "[::1]:8545", "10.1.2.3"])
def test_addresses_and_loopback_names_may_be_the_host(host: str) -> None:
    async def scenario(served: Served) -> None:
        assert (await exchange(served.port, post(PING, host=host))).status == 200

    run(scenario)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8545", "127.0.0.1.evil.example", "[::1", ""])
def test_any_other_host_is_refused(host: str) -> None:
    async def scenario(served: Served) -> None:
        answer = await exchange(served.port, post(PING, host=host))
        assert answer.status == (200 if host == "[::1" else 403)
        page = await exchange(served.port, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert page.status == answer.status

    run(scenario)


def test_a_missing_host_is_refused() -> None:
    async def scenario(served: Served) -> None:
        assert (await exchange(served.port, b"GET / HTTP/1.0\r\n\r\n")).status == 400

    run(scenario)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_other_content_types_are_refused(kind: str) -> None:
    async def scenario(served: Served) -> None:
        assert (await exchange(served.port, post(PING, kind=kind))).status == 415
        assert (await exchange(served.port, post(PING, kind="Application/JSON; charset=utf-8"))).status == 200

    run(scenario)


def test_an_announced_oversize_is_refused_before_the_body_is_read() -> None:
    async def scenario(served: Served) -> None:
        for length in (b"1001", b"9" * 15):
            head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            answer = await exchange(served.port, head + b"Content-Length: " + length + b"\r\n\r\n")
            assert answer.status == 413
            assert b"1000 bytes" in answer.body
        assert (await exchange(served.port, post(PING.ljust(1000)))).status == 200

    run(scenario)


def test_an_oversized_chunked_body_is_refused_as_it_grows() -> None:
    async def scenario(served: Served) -> None:
        head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        endless = head + b"Transfer-Encoding: chunked\r\n\r\n" + (b"1f4\r\n" + b" " * 500 + b"\r\n") * 3
        assert (await exchange(served.port, endless)).status == 413

    run(scenario)


def test_a_slow_body_is_given_up() -> None:
    async def scenario(served: Served) -> None:
        answer = await exchange(served.port, post(PING)[:-5])
        assert answer.status == 408

    run(scenario)


def test_slow_headers_are_given_up() -> None:
    async def scenario(served: Served) -> None:
        for unfinished in (b"", b"POST / HTTP/1.1\r\nHost: 127.0"):
            assert await read_to_end(served.port, unfinished) == b""

    run(scenario)


def test_oversized_headers_are_refused() -> None:
    async def scenario(served: Served) -> None:
        start = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
        assert (await exchange(served.port, start + b"x" * 2100 + b"\r\n\r\n")).status == 400
        for endless in (start + b"x" * 2100, start + b"x\r\nX: " * 400):
            assert await read_to_end(served.port, endless) == b""

    run(scenario)


@pytest.mark.parametrize(
    "raw", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"\x00" * 50]
)
def test_what_is_not_http_gets_400(raw: bytes) -> None:
    async def scenario(served: Served) -> None:
        assert (await exchange(served.port, raw)).status == 400
        assert (await exchange(served.port, post(PING))).status == 200

    run(scenario)


def test_people_and_probes_get_pages() -> None:
    async def scenario(served: Served) -> None:
        async def get(path: str, method: str = "GET") -> Answer:
            return await exchange(served.port, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

        about = await get("/")
        assert (about.status, b"JSON-RPC 2.0" in about.body) == (200, True)
        assert json.loads((await get("/health")).body) == {"height": 7}
        metrics = await get("/metrics")
        assert (metrics.status, metrics.body) == (200, b"cocket_height 7.0\n")
        assert (await get("/metrics", "DELETE")).status == 405
        assert (await get("/page")).body == b"a page"
        assert (await get("/none")).status == 404
        assert (await get("/", "PUT")).status == 405
        assert (await exchange(served.port, post(PING, path="/health"))).status == 405

    run(scenario)


def test_a_taken_port_is_refused_with_what_to_do() -> None:
    async def scenario(served: Served) -> None:
        second = HttpServer(served.server._app, port=served.port)
        with pytest.raises(Refused, match="choose another address or port"):
            await second.start()

    run(scenario)


def socket_to(port: int, **options: object) -> connect:
    return connect(f"ws://127.0.0.1:{port}/", proxy=None, compression=None, **options)  # type: ignore[arg-type]


async def call(connection: ClientConnection, method: str, *params: object) -> object:
    await connection.send(json.dumps({"jsonrpc": "2.0", "id": 9, "method": method, "params": params}))
    answer = json.loads(await connection.recv())
    return answer.get("result", answer.get("error"))


async def read_all(connection: ClientConnection) -> None:
    while True:
        await connection.recv()


LOG = Log(b"\x01" * 20, (b"\x02" * 32,), b"\x03")
OTHER = Log(b"\x04" * 20, (), b"")
NEWS = BlockNews({"number": "0x5"}, (OTHER, LOG), lambda position, log: {"at": position, "data": log.data.hex()})


def test_a_websocket_answers_and_brings_blocks_and_logs() -> None:
    async def scenario(served: Served) -> None:
        async with socket_to(served.port) as connection:
            assert await call(connection, "ping") == "pong"
            assert await call(connection, "eth_subscribe", "newHeads") == "0x1"
            assert await call(connection, "eth_subscribe", "logs", {"address": "0x" + "01" * 20}) == "0x2"
            assert len(served.hub) == 1
            served.hub.on_block(NEWS)
            head, log = [json.loads(await connection.recv()) for _ in range(2)]
            assert head["method"] == log["method"] == "eth_subscription"
            assert head["params"] == {"subscription": "0x1", "result": {"number": "0x5"}}
            assert log["params"] == {"subscription": "0x2", "result": {"at": 1, "data": "03"}}
            assert await call(connection, "eth_unsubscribe", "0x1") is True
            assert await call(connection, "eth_unsubscribe", "0x1") is False

    run(scenario)


def test_a_websocket_has_its_own_bounds() -> None:
    async def scenario(served: Served) -> None:
        async with socket_to(served.port) as connection:
            for kind in ("newHeads", "newPendingTransactions"):
                await call(connection, "eth_subscribe", kind)
            refused = await call(connection, "eth_subscribe", "newHeads")
            assert isinstance(refused, dict)
            assert refused["code"] == -32005
            wrong = await call(connection, "eth_subscribe", "syncing")
            assert isinstance(wrong, dict)
            assert wrong["code"] == -32602
            await connection.send(b"\xff\x00")
            assert json.loads(await connection.recv())["error"]["code"] == -32700
            await connection.send("x" * 1001)
            with pytest.raises(ConnectionClosed):
                await connection.recv()

    run(scenario)


def test_a_subscriber_that_does_not_read_is_dropped() -> None:
    async def scenario(served: Served) -> None:
        async with socket_to(served.port) as connection:
            await call(connection, "eth_subscribe", "newPendingTransactions")
            for number in range(10):  # without a turn for the writer
                served.hub.on_transaction(number.to_bytes(32, "big"))
            with pytest.raises(ConnectionClosed, match="1013"):
                await read_all(connection)
        assert len(served.hub) == 0
        async with socket_to(served.port) as connection:
            assert await call(connection, "ping") == "pong"

    run(scenario)


async def ask_and_stall(port: int, *parts: bytes) -> int:
    """Write, reading only what follows all parts but the last, until the other side gives up; count what is left."""
    loop = asyncio.get_running_loop()
    with socket.create_connection(("127.0.0.1", port)) as stalled:
        stalled.setblocking(False)
        for part in parts[:-1]:
            await loop.sock_sendall(stalled, part)
            await loop.sock_recv(stalled, 1 << 16)
        await loop.sock_sendall(stalled, parts[-1])
        await asyncio.sleep(10 * LIMITS.answer_s)  # a loaded machine is late
        left = 0
        with contextlib.suppress(ConnectionResetError):
            while received := await loop.sock_recv(stalled, 1 << 20):
                left += len(received)
        return left


def test_who_asks_but_does_not_read_is_dropped() -> None:
    async def scenario(served: Served) -> None:
        assert await ask_and_stall(served.port, post(PING.replace(b"ping", b"large"))) < len(LARGE)
        upgrade = (
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        question = PING.replace(b"ping", b"large")
        frame = bytes([0x81, 0x80 | len(question)]) + bytes(4) + question
        assert 0 < await ask_and_stall(served.port, upgrade, frame * 3) < len(LARGE)
        assert (await exchange(served.port, post(PING))).status == 200
        assert len(served.hub) == 0

    run(scenario, replace(LIMITS, request_s=10.0))  # nor may a loaded machine's headers be late


def test_stopping_ends_open_connections() -> None:
    async def scenario(served: Served) -> None:
        async with socket_to(served.port) as connection:
            assert await call(connection, "ping") == "pong"
            _, writer = await asyncio.open_connection("127.0.0.1", served.port)
            await served.server.stop()
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            writer.close()
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", served.port)

    run(scenario)


def test_web_pages_of_other_origins_may_not_open_a_websocket() -> None:
    async def scenario(served: Served) -> None:
        with pytest.raises(InvalidStatus, match="403"):
            async with socket_to(served.port, origin="https://evil.example"):
                pass
        with pytest.raises(InvalidStatus, match="403"):
            async with connect(f"ws://127.0.0.1:{served.port}/other", proxy=None, additional_headers={}):
                pass

    run(scenario)
