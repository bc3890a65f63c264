"""A peer with bad intentions: real RLPx over a real socket, and after the handshake whatever its user likes to send.

It is the node's own pure ``Connection`` driven by hand, so what it says is well-formed until an attack makes it not so.
Everything it buffers is bounded: it waits while the other end does not read.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from coincurve import PrivateKey

from cocket.network import snappy
from cocket.network.connection import Connection, Left, LocalNode, Message, Opened
from cocket.network.enode import Enode
from cocket.network.errors import PeerFault
from cocket.network.hello import Capability
from cocket.node.protocols import eth, istanbul

FOLLOWS = (eth.CAPABILITY,)
VOTES = (eth.CAPABILITY, istanbul.CAPABILITY)
PATIENCE_S = 5.0  # for an answer of the other end; a node under siege may be slow
READ_BYTES = 1 << 16
WRITE_AHEAD_BYTES = 1 << 20  # what our own end buffers before it waits for the other to read


class Shed(Exception):
    """The other end got rid of us; the text says how: its reason, or that it just closed."""


@dataclass(slots=True)
class Tally:
    """What an attacker has done and what became of it."""

    connections: int = 0
    sessions: int = 0
    messages: int = 0
    sheds: Counter[str] = field(default_factory=Counter)


class HostileClient:
    """One connection to a node, dialled with a key of our choice."""

    def __init__(
        self,
        key: bytes,
        target: Enode,
        tally: Tally,
        *,
        source: str = "127.0.0.1",
        capabilities: tuple[tuple[str, int, int], ...] = FOLLOWS,
    ) -> None:
        self._target = target
        self._tally = tally
        self._source = source
        local = LocalNode(
            PrivateKey(key), "hostile/1", tuple(Capability(*given) for given in capabilities), lambda node_id: True
        )
        self.connection = Connection(local, target.node_id, os.urandom)
        self.status: eth.Status | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    # -- the stream --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Have a TCP connection, nothing sent yet."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                self._reader, self._writer = await asyncio.open_connection(
                    self._target.host, self._target.port, local_addr=(self._source, 0)
                )
        except (OSError, TimeoutError) as error:
            raise Shed("not accepted") from error
        self._writer.transport.set_write_buffer_limits(WRITE_AHEAD_BYTES)
        self._tally.connections += 1

    async def write(self, data: bytes) -> None:
        """Send bytes as they are, waiting while the other end does not read."""
        assert self._writer is not None
        self._writer.write(data)
        try:
            await self._writer.drain()
        except OSError:
            await self._learn_why()

    async def _learn_why(self) -> None:
        """Read what is left, in which the other end may have said goodbye; always raises Shed."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await self.read()

    async def read(self) -> list[Message]:
        """Return what the other end has said by now, waiting until it says something.

        :raises Shed: it has left.
        """
        assert self._reader is not None
        try:
            data = await self._reader.read(READ_BYTES)
        except OSError:
            data = b""
        if not data:
            raise Shed("closed")
        self.connection.receive(data)
        messages = []
        try:
            while (event := self.connection.next_event()) is not None:
                match event:
                    case Left():
                        raise Shed(event.reason.text)
                    case Message():
                        messages.append(event)
                    case Opened():
                        self._tally.sessions += 1
        except PeerFault as fault:
            raise Shed(f"its own fault: {fault}") from fault
        if self._writer is not None and (output := self.connection.take_output()):
            self._writer.write(output)
        return messages

    async def read_for(self, seconds: float, upon: Callable[[Message], None] = lambda message: None) -> None:
        """Read and answer pings for a while."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + seconds
        while (left_s := end_s - loop.time()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    for message in await self.read():
                        upon(message)
            except TimeoutError:
                return

    def close(self) -> None:
        """Be gone at once."""
        if self._writer is not None:
            self._writer.transport.abort()

    # -- the session -------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect and exchange Hellos."""
        await self.connect()
        await self.write(self.connection.take_output())
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not self.connection.is_open:
                    self._keep(await self.read())
        except TimeoutError:
            raise Shed("no Hello in time") from None

    async def join(self, change: Callable[[eth.Status], eth.Status] = lambda status: status) -> None:
        """Open a session whose Status is the other end's own, changed or not."""
        await self.open()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while self.status is None:
                    self._keep(await self.read())
        except TimeoutError:
            raise Shed("no Status in time") from None
        await self.send(eth.NAME, *eth.encode_message(change(self.status)))

    def _keep(self, messages: list[Message]) -> None:
        for message in messages:
            if message.capability == eth.NAME and message.code == eth.Code.STATUS:
                found = eth.decode_message(message.code, message.payload)
                assert isinstance(found, eth.Status)
                self.status = found

    async def send(self, capability: str, code: int, payload: bytes) -> None:
        """Send one message."""
        await self.write(self.connection.encode(capability, code, payload))
        self._tally.messages += 1

    async def send_eth(self, message: eth.Message) -> None:
        """Send one eth message."""
        await self.send(eth.NAME, *eth.encode_message(message))

    async def send_raw(self, code: int, body: bytes) -> None:
        """Send a frame with a code of the session and a body that is not compressed for us."""
        assert self.connection._writer is not None
        await self.write(self.connection._writer.encode(code, body))
        self._tally.messages += 1

    async def send_header_only(self, size: int) -> None:
        """Announce a frame of ``size`` bytes, of which nothing follows."""
        writer = self.connection._writer
        assert writer is not None
        header = writer._aes.update(size.to_bytes(3, "big") + bytes.fromhex("c28080") + bytes(10))
        await self.write(header + writer._mac.stir_header(header))

    async def ask(self, message: eth.Message) -> eth.Message:
        """Return the next answer of the matching kind."""
        await self.send_eth(message)
        wanted = {eth.GetBlockHeaders: eth.Code.BLOCK_HEADERS, eth.GetBlockBodies: eth.Code.BLOCK_BODIES}[type(message)]
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for found in await self.read():
                    if found.capability == eth.NAME and found.code == wanted:
                        return eth.decode_message(found.code, found.payload)


def bomb(size: int) -> bytes:
    """Return a snappy block of a few bytes that says it holds ``size``."""
    announced = bytearray()
    while size >= 0x80:
        announced.append(size & 0x7F | 0x80)
        size >>= 7
    announced.append(size)
    return bytes(announced) + snappy.compress(bytes(64))[1:]
