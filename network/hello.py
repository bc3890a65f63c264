"""The p2p base protocol: Hello, Disconnect, Ping, Pong, and how message codes are shared out among capabilities.

The only place that knows these four messages. Pure. (devp2p rlpx.md, "p2p Capability".)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cocket.network.errors import DisconnectReason, PeerFault
from cocket.network.frame import MESSAGE_CODE_LIMIT
from cocket.network.items import decode_list, encode_list, take_bytes, take_int

P2P_VERSION = 5
CODE_HELLO, CODE_DISCONNECT, CODE_PING, CODE_PONG = range(4)
BASE_CODES = 0x10
"""Codes below this belong to the base protocol."""
HELLO_BYTES_MAX = 2048
"""Besu's limit; a real Hello has some 150 bytes."""
EMPTY_BODY = b"\xc0"
_CAPABILITY_NAME_BYTES_MAX = 32
_CLIENT_ID_BYTES_MAX = 256


@dataclass(frozen=True, slots=True)
class Capability:
    """A subprotocol this node speaks: its name, version and how many message codes it takes."""

    name: str
    version: int
    length: int


@dataclass(frozen=True, slots=True)
class SharedCapability:
    """A subprotocol both ends speak: its codes are `offset` .. `offset + length - 1` on this session."""

    name: str
    version: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Hello:
    """Who speaks, with which client, and what it can: the first message of a session, both ways."""

    client_id: str
    capabilities: tuple[tuple[str, int], ...]
    listen_port: int
    node_id: bytes
    version: int = P2P_VERSION


def encode_hello(hello: Hello) -> bytes:
    """Return the Hello body."""
    capabilities = [[name.encode(), version] for name, version in hello.capabilities]
    return encode_list([hello.version, hello.client_id.encode(), capabilities, hello.listen_port, hello.node_id])


def decode_hello(body: bytes) -> Hello:
    """Return the Hello in a body of at most 2 KiB; items after the fifth are ignored (EIP-8)."""
    if len(body) > HELLO_BYTES_MAX:
        raise PeerFault(f"Hello has {len(body)} bytes, the limit is {HELLO_BYTES_MAX}")
    items = decode_list(body, "Hello")
    if len(items) < 5:
        raise PeerFault(f"Hello has {len(items)} items, expected at least 5")
    if not isinstance(items[2], list):
        raise PeerFault("Hello capabilities are a string, expected a list")
    capabilities = []
    for item in items[2]:
        if not isinstance(item, list) or len(item) < 2:
            raise PeerFault("Hello capability is not [name, version]")
        name = take_bytes(item[0], None, "Hello capability name")[:_CAPABILITY_NAME_BYTES_MAX]
        capabilities.append((_text(name), take_int(item[1], 4, "Hello capability version")))
    return Hello(
        version=take_int(items[0], 4, "Hello version"),
        client_id=_text(take_bytes(items[1], None, "Hello client id")[:_CLIENT_ID_BYTES_MAX]),
        capabilities=tuple(capabilities),
        listen_port=take_int(items[3], 4, "Hello port"),
        node_id=take_bytes(items[4], 64, "Hello node id"),
    )


def _text(data: bytes) -> str:
    """Return bytes a stranger chose as one line of printable text: it will stand in logs."""
    text = data.decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)


def validate_hello(hello: Hello, handshake_id: bytes, own_id: bytes) -> None:
    """Raise PeerFault unless this Hello may open a session with the holder of the handshake's key."""
    if hello.version < P2P_VERSION:
        raise PeerFault(
            f"p2p version is {hello.version}, expected {P2P_VERSION} or later",
            DisconnectReason.INCOMPATIBLE_P2P_VERSION,
        )
    if not any(hello.node_id):
        raise PeerFault("Hello node id is all zero", DisconnectReason.NULL_NODE_IDENTITY)
    if hello.node_id == own_id:
        raise PeerFault("this node has dialled itself", DisconnectReason.CONNECTED_TO_SELF)
    if hello.node_id != handshake_id:
        raise PeerFault(
            f"Hello node id {hello.node_id.hex()[:16]} is not the handshake's {handshake_id.hex()[:16]}",
            DisconnectReason.UNEXPECTED_IDENTITY,
        )


def share_capabilities(ours: Sequence[Capability], theirs: Sequence[tuple[str, int]]) -> tuple[SharedCapability, ...]:
    """Return what both speak, with code offsets: highest common version of each name, names in alphabetical order.

    >>> share_capabilities([Capability("istanbul", 100, 22), Capability("eth", 68, 17)],
    ...                    [("eth", 68), ("istanbul", 100)])[1].offset
    33
    """
    offered = set(theirs)
    best: dict[str, Capability] = {}
    for capability in ours:
        known = best.get(capability.name)
        if (capability.name, capability.version) in offered and (known is None or known.version < capability.version):
            best[capability.name] = capability
    shared = []
    offset = BASE_CODES
    for name in sorted(best):
        capability = best[name]
        shared.append(SharedCapability(name, capability.version, offset, capability.length))
        offset += capability.length
    assert offset <= MESSAGE_CODE_LIMIT, "our own capabilities take more codes than a session has"
    if not shared:
        raise PeerFault(
            "no shared capability: it offers " + (", ".join(f"{n}/{v}" for n, v in theirs[:8]) or "none"),
            DisconnectReason.USELESS_PEER,
        )
    return tuple(shared)


def encode_disconnect(reason: DisconnectReason) -> bytes:
    """Return the Disconnect body."""
    return encode_list([int(reason)])


def decode_disconnect(body: bytes) -> DisconnectReason:
    """Return why the other end leaves; an unknown or unreadable reason counts as "requested" (it leaves anyway).

    The reason stands first in a list (rlpx.md), whose further items are ignored, or alone, as some clients send it.
    """
    try:
        items = decode_list(body, "Disconnect") if body[:1] >= b"\xc0" else [body]
        return DisconnectReason(take_int(items[0], 1, "Disconnect reason"))
    except (PeerFault, ValueError, IndexError):
        return DisconnectReason.REQUESTED
