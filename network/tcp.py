"""Streams over TCP, through asyncio or uvloop: the only place in this package that opens sockets."""

import asyncio
from collections.abc import Callable
from typing import cast

from cocket.network.errors import TransportFault
from cocket.network.transport import WRITE_BUFFER_BYTES, Listener, Receiver, Stream

LISTEN_BACKLOG = 64


class TcpStream(asyncio.Protocol):
    """A stream over a TCP connection."""

    def __init__(self, upon_stream: Callable[[Stream], None] | None = None) -> None:
        self._upon_stream = upon_stream
        self._transport: asyncio.Transport | None = None
        self._receiver: Receiver | None = None
        self._writable = True
        self._remote = "unknown"
        self._is_closing = False
        self._early = b""
        self._end: str | None = None

    @property
    def remote(self) -> str:
        """The other end's address, for messages."""
        return self._remote

    @property
    def is_writable(self) -> bool:
        """Whether more may be written without piling up."""
        return self._writable

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio says the connection stands."""
        stream = cast(asyncio.Transport, transport)
        self._transport = stream
        stream.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        peername = transport.get_extra_info("peername")
        if peername:
            self._remote = f"[{peername[0]}]:{peername[1]}" if ":" in peername[0] else f"{peername[0]}:{peername[1]}"
        if self._upon_stream is not None:
            self._upon_stream(self)

    def start(self, receiver: Receiver) -> None:
        """Name who hears; nothing is delivered before."""
        self._receiver = receiver
        loop = asyncio.get_running_loop()
        if self._early:
            loop.call_soon(self.data_received, self._early)
            self._early = b""
        if self._end is not None:
            loop.call_soon(self._finish)
        self.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Asyncio brings bytes."""
        if self._is_closing:
            return
        if self._receiver is not None:
            self._receiver.data_received(data)
        else:
            # Nobody hears yet. (uvloop starts to read after connection_made even if paused there, so pause here.)
            self._early += data
            self.pause_reading()

    def pause_writing(self) -> None:
        """Asyncio's buffer is full."""
        self._writable = False

    def resume_writing(self) -> None:
        """Asyncio's buffer has room again."""
        self._writable = True
        if self._receiver is not None:
            self._receiver.writing_resumed()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio says it is over."""
        self._writable = False
        self._end = str(exc) if exc is not None else "closed"
        self._finish()

    def write(self, data: bytes) -> None:
        """Send bytes, buffering what does not leave at once."""
        if self._transport is not None and not self._is_closing and not self._transport.is_closing():
            self._transport.write(data)

    def pause_reading(self) -> None:
        """Deliver nothing more until resumed."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Deliver again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Send what is buffered, then say that no more comes, and be gone when the other end says so too.

        Closing outright with bytes unread would reset the connection, and the other end might never read our last.
        """
        if self._transport is not None and not self._is_closing and not self._transport.is_closing():
            self._is_closing = True
            self._transport.resume_reading()
            self._transport.write_eof()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()

    def _finish(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.stream_closed(self._end or "closed")


class TcpListener:
    """A listening TCP socket."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server

    @property
    def port(self) -> int:
        """The port really listened on."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Accept no more."""
        self._server.close()


class TcpTransport:
    """TCP through the running loop."""

    async def listen(self, host: str, port: int, upon_stream: Callable[[Stream], None]) -> Listener:
        """Accept TCP connections; TransportFault when the address is taken or not ours."""
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(lambda: TcpStream(upon_stream), host, port, backlog=LISTEN_BACKLOG)
        except OSError as error:
            raise TransportFault(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        return TcpListener(server)

    async def dial(self, host: str, port: int) -> Stream:
        """Return a TCP connection; TransportFault when nobody answers."""
        loop = asyncio.get_running_loop()
        try:
            _, stream = await loop.create_connection(TcpStream, host, port)
        except OSError as error:
            raise TransportFault(f"cannot reach {host}:{port}: {error.strerror or error}") from error
        return stream
