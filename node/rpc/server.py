"""HTTP and WebSocket in front of the JSON-RPC endpoint, inside an event loop that somebody else runs.

This part alone knows Starlette and uvicorn. It never takes a signal, writes a log or reads a body beyond its limit.
Refused before JSON-RPC is reached: foreign ``Host`` names (DNS rebinding), any foreign ``Origin`` on a WebSocket, other
content types than JSON (so that a web page needs a CORS preflight, which is never granted), oversized or slow requests.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeAlias

import httptools
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from cocket.node.errors import Refused
from cocket.node.rpc.endpoint import Endpoint
from cocket.node.rpc.limits import DEFAULT_LIMITS, Limits
from cocket.node.rpc.subscriptions import Subscriber, SubscriptionHub

Page: TypeAlias = BaseRoute
"""A page beside JSON-RPC, as Starlette knows it."""

LOOPBACK_NAMES = ("localhost",)

CHECKED_HOSTS_MAX = 64
"""Allowed ``Host`` values that are remembered, so that they are not parsed again for each request."""

STOP_GRACE_S = 2
"""So long may running requests go on when the server stops."""

WEBSOCKET_POLICY_VIOLATION = 1008
WEBSOCKET_TRY_AGAIN = 1013

_JSON = [(b"content-type", b"application/json")]
_TEXT = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]


class _HttpRefusal(Exception):
    """A request that is answered with an HTTP status and one line of text, and its connection closed."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class RpcApp:
    """The ASGI application: POST / and WebSocket / are JSON-RPC; the rest are a few pages for people and probes."""

    def __init__(
        self,
        endpoint: Endpoint,
        hub: SubscriptionHub,
        health: Callable[[], dict[str, object]],
        metrics: Callable[[], bytes] = bytes,
        limits: Limits = DEFAULT_LIMITS,
        allowed_hosts: Iterable[str] = LOOPBACK_NAMES,
        routes: Iterable[Page] = (),
    ) -> None:
        self._endpoint = endpoint
        self._hub = hub
        self._health = health
        self._metrics = metrics
        self._limits = limits
        self._allowed_hosts = frozenset(name.lower() for name in allowed_hosts)
        self._checked_hosts: set[bytes | None] = set()
        own = [Route("/", self._about), Route("/health", self._answer_health), Route("/metrics", self._answer_metrics)]
        self._pages = Starlette(routes=[*own, *routes])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's request (ASGI 3)."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        headers = _headers(scope)
        try:
            self._check_host(headers.get(b"host"))
            if scope["method"] == "POST" and scope["path"] == "/":
                _check_content_type(headers.get(b"content-type", b""))
                body = await self._read_body(headers.get(b"content-length"), receive)
            else:
                await self._pages(scope, receive, send)
                return
        except _HttpRefusal as refusal:
            await _send_response(send, refusal.status, _TEXT, refusal.text.encode() + b"\n")
            return
        answer = await self._endpoint.answer(body)
        if answer is None:
            await _send_response(send, 204, [], b"")
        else:
            await _send_response(send, 200, _JSON, answer)

    async def _read_body(self, content_length: bytes | None, receive: Receive) -> bytes:
        """Return the whole body; refuse it by its announced length, or as soon as it has grown too long."""
        limit = self._limits.body_bytes_max
        too_large = _HttpRefusal(413, f"the body exceeds {limit} bytes")
        if content_length is not None and (len(content_length) > 18 or int(content_length) > limit):
            raise too_large
        body, is_unfinished = await _next_part(receive)
        if is_unfinished:
            parts = [body]
            total = len(body)
            try:
                async with asyncio.timeout(self._limits.request_s):
                    while is_unfinished and total <= limit:
                        part, is_unfinished = await _next_part(receive)
                        parts.append(part)
                        total += len(part)
            except TimeoutError:
                raise _HttpRefusal(408, f"the body took over {self._limits.request_s:g} s") from None
            body = b"".join(parts)
        if len(body) > limit:
            raise too_large
        return body

    def _check_host(self, host: bytes | None) -> None:
        """Refuse a ``Host`` that is a name we were not told of: only names can be rebound, addresses cannot."""
        if host in self._checked_hosts:
            return
        if host is None:
            raise _HttpRefusal(400, "the Host header is missing")
        name = _host_name(host.decode("latin-1").lower())
        if name not in self._allowed_hosts and not _is_ip_address(name):
            raise _HttpRefusal(
                403, "this Host name is not allowed; use an address, or add the name to the configuration"
            )

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = _headers(scope)
        try:
            self._check_host(headers.get(b"host"))
            if b"origin" in headers:
                raise _HttpRefusal(403, "web pages of other origins may not connect")
            if scope["path"] != "/":
                raise _HttpRefusal(404, "JSON-RPC over WebSocket is at /")
        except _HttpRefusal:
            await send({"type": "websocket.close", "code": WEBSOCKET_POLICY_VIOLATION})
            return
        await send({"type": "websocket.accept"})
        subscriber = self._hub.connect()
        writer = asyncio.create_task(_write_messages(subscriber, send))
        reader = asyncio.create_task(self._read_messages(subscriber, receive))
        dropped = asyncio.create_task(subscriber.dropped())
        tasks = (writer, reader, dropped)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.disconnect(subscriber)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if subscriber.is_dropped:
                with contextlib.suppress(Exception):
                    await send({"type": "websocket.close", "code": WEBSOCKET_TRY_AGAIN})

    async def _read_messages(self, subscriber: Subscriber, receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            body = text.encode() if isinstance(text, str) else message.get("bytes") or b""
            answer = await self._endpoint.answer(body, subscriber.dispatcher)
            if answer is not None:
                await subscriber.send(answer)

    async def _about(self, _request: Request) -> Response:
        return PlainTextResponse(
            "A Cocket node. POST JSON-RPC 2.0 requests to this address (content-type: application/json),\n"
            "or open a WebSocket here. GET /health says how the node does; GET /metrics is for Prometheus.\n"
        )

    async def _answer_health(self, _request: Request) -> Response:
        return JSONResponse(self._health())

    async def _answer_metrics(self, _request: Request) -> Response:
        return Response(self._metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


class _DropsStalledReaders(asyncio.Protocol):
    """Ends a connection whose other side does not read what was written for it, and with it the memory it holds."""

    limits: Limits = DEFAULT_LIMITS
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _write_timer: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.limits.answer_s, self._drop)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_write_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_write_timer()
        super().connection_lost(exc)

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _drop(self) -> None:
        self.transport.abort()


class _BoundedWebSocketProtocol(_DropsStalledReaders, WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol that drops stalled readers."""


class _BoundedHttpProtocol(_DropsStalledReaders, HttpToolsProtocol):
    """uvicorn's HTTP protocol with bounds on connections, and on the bytes and the time of a request's headers."""

    _is_in_headers = False
    _header_bytes = 0
    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > 2 * self.limits.connections_max:  # from one times on, requests are answered with 503
            transport.abort()
            return
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_header_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > self.limits.header_bytes_max:
                self._drop()
            elif self._header_timer is None:
                self._await_headers()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_headers = True
        self._header_bytes = 0

    def on_headers_complete(self) -> None:
        self._is_in_headers = False
        self._stop_header_timer()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self.limits.header_bytes_max:
            raise httptools.HttpParserError(f"headers exceed {self.limits.header_bytes_max} bytes")
        super().on_headers_complete()

    def _await_headers(self) -> None:
        self._header_timer = self.loop.call_later(self.limits.request_s, self._drop)

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None


class _QuietServer(uvicorn.Server):
    """uvicorn's server without its signal handlers, for the node's service owns the process, and without its ticks."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.stopping.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class RpcServer:
    """Serves an application on one address, inside the running event loop."""

    def __init__(self, app: RpcApp, host: str = "127.0.0.1", port: int = 8545, limits: Limits = DEFAULT_LIMITS) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._limits = limits
        self._server: _QuietServer | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is served; after ``start`` the real one, when 0 was asked for."""
        return self._port

    async def start(self) -> None:
        """Bind, listen and return once requests are answered. Raises ``Refused`` when the address cannot be had."""
        listener = _bind(self._host, self._port)
        self._port = listener.getsockname()[1]
        bounds = {"limits": self._limits}
        config = uvicorn.Config(
            self._app,
            loop="none",
            http=type("HttpProtocol", (_BoundedHttpProtocol,), bounds),
            ws=type("WebSocketProtocol", (_BoundedWebSocketProtocol,), bounds),
            ws_max_size=self._limits.body_bytes_max,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=self._limits.connections_max,
            timeout_graceful_shutdown=STOP_GRACE_S,
        )
        self._server = _QuietServer(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="rpc-server")
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0)
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        """Stop listening, let running requests end for a moment, and return."""
        if self._server is None or self._task is None:
            return
        self._server.stopping.set()
        await self._task
        self._server = self._task = None


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise Refused(
            f"RPC cannot listen on {host}:{port}: {error.strerror}; choose another address or port"
        ) from error
    return listener


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return dict(scope["headers"])


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_content_type(content_type: bytes) -> None:
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise _HttpRefusal(415, "the content-type must be application/json")


async def _next_part(receive: Receive) -> tuple[bytes, bool]:
    """Return the next bytes of the body and whether more follow."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _HttpRefusal(400, "the connection ended before the body did")
    return message.get("body", b""), message.get("more_body", False)


async def _send_response(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def _write_messages(subscriber: Subscriber, send: Callable[[dict[str, object]], Awaitable[None]]) -> None:
    async for message in subscriber.messages():
        await send({"type": "websocket.send", "text": message.decode()})
