"""How bytes reach another node: the seam between sessions and sockets, with a real and an in-memory side.

The only place in this package that opens sockets. `TcpTransport` is TCP through asyncio; `PipeTransport` joins two ends
in memory with the same manners (order, back pressure, half-sent bytes on a close) and passes the same tests. Neither
knows what the bytes mean.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from cocket.network.errors import TransportFault

WRITE_BUFFER_BYTES = 256 * 1024
"""Above this a stream says it is not writable: enough for a burst of votes; the session's own queue is behind it."""
LISTEN_BACKLOG = 64


class Receiver(Protocol):
    """Who hears what a stream brings. None of these may block."""

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived."""

    def writing_resumed(self) -> None:
        """The stream, full before, takes more again."""

    def stream_closed(self, detail: str) -> None:
        """The stream is gone, for either side's reason; called once, last."""


class Stream(Protocol):
    """One two-way ordered flow of bytes to another node."""

    @property
    def remote(self) -> str:
        """The other end's address, for messages."""

    @property
    def is_writable(self) -> bool:
        """Whether more may be written without piling up."""

    def start(self, receiver: Receiver) -> None:
        """Name who hears; nothing is delivered before."""

    def write(self, data: bytes) -> None:
        """Send bytes, buffering what does not leave at once. After a close it is a no-op."""

    def pause_reading(self) -> None:
        """Deliver nothing more until resumed."""

    def resume_reading(self) -> None:
        """Deliver again."""

    def close(self) -> None:
        """Send what is buffered, then close; a peer that never closes its side is for the caller to `abort`."""

    def abort(self) -> None:
        """Close now; what is buffered is lost."""


class Listener(Protocol):
    """An address that accepts streams."""

    @property
    def port(self) -> int:
        """The port really listened on."""

    async def close(self) -> None:
        """Accept no more; streams already accepted live on."""


class Transport(Protocol):
    """A way to reach nodes and be reached."""

    async def listen(self, host: str, port: int, upon_stream: Callable[[Stream], None]) -> Listener:
        """Accept streams at an address (port 0: any free one); TransportFault when it cannot be had."""

    async def dial(self, host: str, port: int) -> Stream:
        """Return a stream to an address; TransportFault when nobody answers there."""


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


class PipeStream:
    """One end of a pipe in memory; what it writes arrives at `other` a loop turn later."""

    def __init__(self, remote: str) -> None:
        self._remote = remote
        self.other: PipeStream | None = None
        self._receiver: Receiver | None = None
        self._inbox: deque[bytes] = deque()
        self._inbox_bytes = 0
        self._is_reading = False
        self._is_scheduled = False
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
        return self.other is not None and not self._is_closing and self.other._inbox_bytes < WRITE_BUFFER_BYTES

    def start(self, receiver: Receiver) -> None:
        """Name who hears; nothing is delivered before."""
        self._receiver = receiver
        self.resume_reading()

    def write(self, data: bytes) -> None:
        """Send bytes to the other end."""
        if self.other is not None and not self._is_closing and not self.other._is_closing and data:
            self.other._inbox.append(bytes(data))
            self.other._inbox_bytes += len(data)
            self.other._schedule()

    def pause_reading(self) -> None:
        """Deliver nothing more until resumed."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """Deliver again."""
        self._is_reading = True
        self._schedule()

    def close(self) -> None:
        """Close once the other end has read what was written; nothing more is delivered here."""
        if not self._is_closing:
            self._is_closing = True
            self._inbox.clear()
            if self.other is not None and self.other._end is None:
                self.other._end = "closed"
                self.other._schedule()
            self._finish("closed")

    def abort(self) -> None:
        """Close now; what the other end has not read is lost."""
        if self.other is not None:
            self.other._inbox.clear()
        self.close()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._is_scheduled = False
        if self._receiver is None:
            return
        if self._inbox and self._is_reading:
            data = self._inbox.popleft()
            was_full = self._inbox_bytes >= WRITE_BUFFER_BYTES
            self._inbox_bytes -= len(data)
            if self._inbox or self._end is not None:
                self._schedule()
            self._receiver.data_received(data)
            writer = self.other
            if was_full and self._inbox_bytes < WRITE_BUFFER_BYTES and writer is not None and writer._receiver:
                writer._receiver.writing_resumed()
        elif not self._inbox and self._end is not None and self._is_reading:
            self._is_closing = True
            self._finish(self._end)

    def _finish(self, detail: str) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            asyncio.get_running_loop().call_soon(receiver.stream_closed, detail)


class PipeListener:
    """An address in a PipeTransport that accepts streams."""

    def __init__(self, transport: "PipeTransport", port: int) -> None:
        self._transport = transport
        self._port = port

    @property
    def port(self) -> int:
        """The port really listened on."""
        return self._port

    async def close(self) -> None:
        """Accept no more."""
        self._transport.listening.pop(self._port, None)


class PipeTransport:
    """A network in memory: nodes that share one instance reach each other by port; hosts are not looked at."""

    def __init__(self) -> None:
        self.listening: dict[int, Callable[[Stream], None]] = {}
        self._last_port = 30302

    async def listen(self, host: str, port: int, upon_stream: Callable[[Stream], None]) -> Listener:
        """Accept pipes at a port; TransportFault when it is taken."""
        if port == 0:
            self._last_port += 1
            port = self._last_port
        if port in self.listening:
            raise TransportFault(f"cannot listen on {host}:{port}: address already in use")
        self.listening[port] = upon_stream
        return PipeListener(self, port)

    async def dial(self, host: str, port: int) -> Stream:
        """Return a pipe to whoever listens at the port; TransportFault when nobody does."""
        upon_stream = self.listening.get(port)
        if upon_stream is None:
            raise TransportFault(f"cannot reach {host}:{port}: connection refused")
        near, far = PipeStream(f"{host}:{port}"), PipeStream("pipe")
        near.other, far.other = far, near
        upon_stream(far)
        await asyncio.sleep(0)
        return near
