"""HTTP by uvicorn, inside an event loop that somebody else runs: what JSON-RPC and the vault's services stand on.

This part alone knows uvicorn. It bounds connections, the bytes and time of headers and bodies, and how long a reader
may stall. It never takes a signal or writes a log, and knows nothing of what is asked.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import httptools
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from cocket.node.errors import Refused

STOP_GRACE_S = 2
"""So long may running requests go on when the server stops."""

JSON_HEADERS = [(b"content-type", b"application/json")]
TEXT_HEADERS = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How much one caller may ask of a server, before anybody looks at what it asks."""

    body_bytes_max: int = 4 << 20
    """A batch of thirty transactions of 128 KiB, the largest that the pool takes; also a WebSocket message."""
    header_bytes_max: int = 16 << 10
    """HTTP request line and headers; browsers stay below 8 KiB."""
    request_s: float = 20.0
    """To send a whole request once begun; slower callers hold a connection for nothing."""
    answer_s: float = 30.0
    """To read an answer; who stalls longer loses the connection, which may hold 16 MiB."""
    connections_max: int = 512
    """Open connections; beyond, requests are answered with 503, and beyond twice as many none is taken."""


DEFAULT_HTTP_LIMITS = HttpLimits()


@dataclass(frozen=True, slots=True)
class Tls:
    """Files (PEM) of the certificate that a server shows and of its key."""

    certificate: str
    key: str


class HttpRefusal(Exception):
    """A request that is answered with an HTTP status and one line of text, and its connection closed."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class _DropsStalledReaders(asyncio.Protocol):
    """Ends a connection whose other side does not read what was written for it, and with it the memory it holds."""

    limits: HttpLimits = DEFAULT_HTTP_LIMITS
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


class HttpServer:
    """Serves an application on one address, inside the running event loop."""

    def __init__(
        self,
        app: ASGIApp,
        host: str = "127.0.0.1",
        port: int = 8545,
        limits: HttpLimits = DEFAULT_HTTP_LIMITS,
        *,
        name: str = "RPC",
        tls: Tls | None = None,
    ) -> None:
        """Take what answers. ``name`` is what an operator calls it; with ``tls`` it speaks TLS 1.3 and nothing else."""
        self._app = app
        self._host = host
        self._port = port
        self._limits = limits
        self._name = name
        self._tls = tls
        self._server: _QuietServer | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is served; after ``start`` the real one, when 0 was asked for."""
        return self._port

    async def start(self) -> None:
        """Bind, listen and return once requests are answered. Raises ``Refused`` when the address cannot be had."""
        listener = _bind(self._name, self._host, self._port)
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
        if self._tls is not None:
            config.ssl_certfile, config.ssl_keyfile = self._tls.certificate, self._tls.key
            config.load()
            assert config.ssl is not None
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
        self._server = _QuietServer(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="http-server")
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


async def read_body(limits: HttpLimits, content_length: bytes | None, receive: Receive) -> bytes:
    """Return the whole body; refuse it by its announced length, or as soon as it has grown too long."""
    limit = limits.body_bytes_max
    too_large = HttpRefusal(413, f"the body exceeds {limit} bytes")
    if content_length is not None and (len(content_length) > 18 or int(content_length) > limit):
        raise too_large
    body, is_unfinished = await _next_part(receive)
    if is_unfinished:
        parts = [body]
        total = len(body)
        try:
            async with asyncio.timeout(limits.request_s):
                while is_unfinished and total <= limit:
                    part, is_unfinished = await _next_part(receive)
                    parts.append(part)
                    total += len(part)
        except TimeoutError:
            raise HttpRefusal(408, f"the body took over {limits.request_s:g} s") from None
        body = b"".join(parts)
    if len(body) > limit:
        raise too_large
    return body


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Return a request's headers by their names in lower case."""
    return dict(scope["headers"])


def check_json(content_type: bytes) -> None:
    """Refuse a body that is not announced as JSON: a web page then needs a CORS preflight, which nobody grants."""
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise HttpRefusal(415, "the content-type must be application/json")


async def send_response(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Answer a request with a whole body."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def _next_part(receive: Receive) -> tuple[bytes, bool]:
    """Return the next bytes of the body and whether more follow."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise HttpRefusal(400, "the connection ended before the body did")
    return message.get("body", b""), message.get("more_body", False)


def _bind(name: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY on such only
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise Refused(
            f"{name} cannot listen on {host}:{port}: {error.strerror}; choose another address or port"
        ) from error
    return listener
