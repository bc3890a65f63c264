"""One end of one session, without a socket: bytes in, events and bytes out.

The only place that knows the order of a session's life: handshake, Hello, messages, Disconnect. Pure in the manner of
h11: `receive` takes what arrived, `next_event` gives what it means one at a time (so that the caller decides how many
it handles before others have their turn), `take_output` gives what must be sent. Every buffer here is bounded by the
largest packet or frame that the present state allows. It knows no clock: silence is the caller's to notice.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from coincurve import PrivateKey

from cocket.network import hello as p2p
from cocket.network import snappy
from cocket.network.ecies import Entropy, node_id_of
from cocket.network.errors import DisconnectReason, PeerFault
from cocket.network.frame import FRAME_BYTES_LIMIT, HEADER_BYTES, FrameReader, FrameWriter
from cocket.network.handshake import PREFIX_BYTES, Initiator, Responder, Secrets, packet_size
from cocket.network.hello import Capability, Hello, SharedCapability

MESSAGE_BYTES_MAX = 10 * 1024 * 1024
"""Largest message uncompressed: Besu drops a peer above it, so nothing useful is larger."""


@dataclass(frozen=True, slots=True)
class LocalNode:
    """Who this end is: its key, what it says in Hello and what it speaks.

    `may_enter` is asked with the 64-byte id of the other end as soon as that is known.
    """

    key: PrivateKey = field(repr=False)
    client_id: str
    capabilities: tuple[Capability, ...]
    may_enter: Callable[[bytes], bool]
    listen_port: int = 0
    message_bytes_max: int = MESSAGE_BYTES_MAX

    def __post_init__(self) -> None:
        compressed = snappy.compressed_bytes_max(self.message_bytes_max)
        assert compressed + 1 < FRAME_BYTES_LIMIT, "message_bytes_max does not fit a frame of 16 MiB when compressed"

    @property
    def node_id(self) -> bytes:
        """This node's 64-byte id."""
        return node_id_of(self.key)


@dataclass(frozen=True, slots=True)
class Opened:
    """Hellos are exchanged: messages may flow."""

    hello: Hello
    shared: tuple[SharedCapability, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a shared capability; `code` counts from that capability's own zero, `payload` is uncompressed."""

    capability: str
    code: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Ponged:
    """A sign of life that carries nothing else (ping or pong); the answer, if one is due, is in the output."""


@dataclass(frozen=True, slots=True)
class Left:
    """The other end says goodbye, and why; nothing after it counts."""

    reason: DisconnectReason


Event = Opened | Message | Ponged | Left


class _Stage(Enum):
    AUTH = "auth"  # the dialled end waits for the auth packet
    ACK = "ack"  # the dialling end waits for the ack packet
    HELLO = "hello"
    OPEN = "open"
    ENDED = "ended"


class Connection:
    """One end of a session: give `remote_id` to dial, leave it None to be dialled.

    Any PeerFault out of `next_event` ends it: the caller may still send `farewell(reason)`, and then closes.
    """

    def __init__(self, local: LocalNode, remote_id: bytes | None, entropy: Entropy) -> None:
        self._local = local
        self._own_id = local.node_id
        self.remote_id: bytes | None = None
        """The other end's node id as soon as it is known, None before."""
        self.hello: Hello | None = None
        self.shared: tuple[SharedCapability, ...] = ()
        self._input = bytearray()
        self._output = bytearray()
        self._body_bytes = 0
        self._reader: FrameReader | None = None
        self._writer: FrameWriter | None = None
        self._by_name: dict[str, SharedCapability] = {}
        self._frame_bytes_max = snappy.compressed_bytes_max(local.message_bytes_max) + 1
        self._responder: Responder | None = None
        self._initiator: Initiator | None = None
        if remote_id is None:
            self._responder = Responder(local.key, entropy)
            self._stage = _Stage.AUTH
        else:
            self._validate_remote(remote_id)
            self.remote_id = remote_id
            self._initiator = Initiator(local.key, remote_id, entropy)
            self._output += self._initiator.auth
            self._stage = _Stage.ACK

    @property
    def is_open(self) -> bool:
        """Whether messages may be sent."""
        return self._stage is _Stage.OPEN

    @property
    def awaited_bytes(self) -> int:
        """How long the packet or frame is of which only a part is there, at least 1; 0 between two of them."""
        return self._body_bytes + HEADER_BYTES if self._body_bytes else min(len(self._input), HEADER_BYTES)

    def receive(self, data: bytes) -> None:
        """Take bytes that arrived; what they mean comes out of `next_event`."""
        if self._stage is not _Stage.ENDED:
            self._input += data

    def take_output(self) -> bytes:
        """Return, once, what must be sent to the other end."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def next_event(self) -> Event | None:
        """Return what happened next, or None until more bytes arrive; PeerFault when the other end is at fault."""
        try:
            while True:
                if self._stage is _Stage.ENDED:
                    return None
                if self._reader is None:
                    if not self._shake_hands():
                        return None
                    continue
                frame = self._next_frame(self._reader)
                if frame is None:
                    return None
                event = self._upon_hello(*frame) if self._stage is _Stage.HELLO else self._upon_message(*frame)
                if event is not None:
                    return event
        except PeerFault:
            self._end()
            raise

    def encode(self, capability: str, code: int, payload: bytes) -> bytes:
        """Return the frame that carries one message; frames must be sent in the order they were encoded."""
        shared = self._by_name[capability]
        assert 0 <= code < shared.length, f"code {code:#x} is outside {capability}/{shared.version}"
        assert len(payload) <= self._local.message_bytes_max, f"own message of {len(payload)} bytes is over the limit"
        return self._encode(shared.offset + code, snappy.compress(payload))

    def ping(self) -> bytes:
        """Return the frame of a Ping; its Pong comes as an event."""
        return self._encode(p2p.CODE_PING, snappy.compress(p2p.EMPTY_BODY))

    def farewell(self, reason: DisconnectReason) -> bytes:
        """Return the last bytes to send: a Disconnect if frames can be sent at all, else none."""
        self._end()
        if self._writer is None:
            return b""
        return self.take_output() + self._encode(p2p.CODE_DISCONNECT, snappy.compress(p2p.encode_disconnect(reason)))

    def _end(self) -> None:
        self._stage = _Stage.ENDED
        self._input.clear()

    def _encode(self, code: int, body: bytes) -> bytes:
        assert self._writer is not None, "frames are sent after the handshake"
        return self._writer.encode(code, body)

    def _take(self, size: int) -> bytes | None:
        if len(self._input) < size:
            return None
        taken = bytes(memoryview(self._input)[:size])
        del self._input[:size]
        return taken

    def _validate_remote(self, node_id: bytes) -> None:
        if node_id == self._own_id:
            raise PeerFault("this node has dialled itself", DisconnectReason.CONNECTED_TO_SELF)
        if not self._local.may_enter(node_id):
            raise PeerFault(
                f"stranger {node_id.hex()[:16]}: not among the nodes that may connect", DisconnectReason.USELESS_PEER
            )

    def _shake_hands(self) -> bool:
        """Handle a whole handshake packet if one is there; return whether it was."""
        if len(self._input) < PREFIX_BYTES:
            return False
        packet = self._take(packet_size(self._input[:PREFIX_BYTES]))
        if packet is None:
            return False
        if self._responder is not None:
            node_id = self._responder.read_auth(packet)
            self._validate_remote(node_id)
            self.remote_id = node_id
            ack, secrets = self._responder.accept()
            self._output += ack
        else:
            assert self._initiator is not None, "one of the two roles"
            secrets = self._initiator.read_ack(packet)
        self._start_frames(secrets)
        return True

    def _start_frames(self, secrets: Secrets) -> None:
        self._initiator = self._responder = None
        self._reader, self._writer = FrameReader(secrets), FrameWriter(secrets)
        self._stage = _Stage.HELLO
        ours = Hello(
            client_id=self._local.client_id,
            capabilities=tuple((c.name, c.version) for c in self._local.capabilities),
            listen_port=self._local.listen_port,
            node_id=self._own_id,
        )
        self._output += self._encode(p2p.CODE_HELLO, p2p.encode_hello(ours))

    def _next_frame(self, reader: FrameReader) -> tuple[int, bytes] | None:
        if not self._body_bytes:
            header = self._take(HEADER_BYTES)
            if header is None:
                return None
            is_hello = self._stage is _Stage.HELLO
            self._body_bytes = reader.read_header(
                header, p2p.HELLO_BYTES_MAX + 1 if is_hello else self._frame_bytes_max
            )
        body = self._take(self._body_bytes)
        if body is None:
            return None
        self._body_bytes = 0
        return reader.read_body(body)

    def _upon_hello(self, code: int, body: bytes) -> Event:
        if code == p2p.CODE_DISCONNECT:
            return self._upon_disconnect(body)
        if code != p2p.CODE_HELLO:
            raise PeerFault(f"first message has code {code:#x}, expected Hello")
        hello = p2p.decode_hello(body)
        assert self.remote_id is not None, "the handshake names the other end"
        p2p.validate_hello(hello, self.remote_id, self._own_id)
        self.shared = p2p.share_capabilities(self._local.capabilities, hello.capabilities)
        self._by_name = {shared.name: shared for shared in self.shared}
        self.hello = hello
        self._stage = _Stage.OPEN
        return Opened(hello, self.shared)

    def _upon_message(self, code: int, body: bytes) -> Event:
        if code == p2p.CODE_DISCONNECT:
            return self._upon_disconnect(body)
        for shared in self.shared:
            if shared.offset <= code < shared.offset + shared.length:
                payload = snappy.decompress(body, self._local.message_bytes_max)
                return Message(shared.name, code - shared.offset, payload)
        if code == p2p.CODE_PING:
            self._output += self._encode(p2p.CODE_PONG, snappy.compress(p2p.EMPTY_BODY))
            return Ponged()
        if code == p2p.CODE_PONG:
            return Ponged()
        raise PeerFault(f"message code {code:#x} belongs to no shared capability")

    def _upon_disconnect(self, body: bytes) -> Left:
        """Read a Disconnect, compressed or not: clients differ on which it is around Hello."""
        self._end()
        with contextlib.suppress(PeerFault):
            body = snappy.decompress(body, 16)
        return Left(p2p.decode_disconnect(body))
