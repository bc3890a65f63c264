"""How bytes reach another node: the seam between sessions and what carries them.

Two sides of it exist, `tcp` and the in-memory `pipe`, and pass the same tests. Neither knows what the bytes mean.
"""

from collections.abc import Callable
from typing import Protocol

WRITE_BUFFER_BYTES = 256 * 1024
"""Above this a stream says it is not writable: enough for a burst of votes; the session's own queue is behind it."""


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
