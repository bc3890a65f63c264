"""Streams in memory, with TCP's manners: order, back pressure, and what was written before a close still arrives.

The fake side of the transport seam: tests and simulations run whole networks on it, in virtual time if they like.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from cocket.network.errors import TransportFault
from cocket.network.transport import WRITE_BUFFER_BYTES, Listener, Receiver, Stream


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
