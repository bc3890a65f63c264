"""What the peer network tells: happenings for the log, and its state for status. Plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class EventKind(Enum):
    """What can happen in the peer network."""

    LISTENING = "listening"
    OPENED = "session opened"
    CLOSED = "session closed"
    REFUSED = "inbound refused"
    TURNED_AWAY = "inbound turned away"
    DIAL_FAILED = "dial failed"
    DUPLICATE = "duplicate session dropped"


@dataclass(frozen=True, slots=True)
class NetworkEvent:
    """One happening, for the log: `node_id` is empty while unknown, `detail` says why in words."""

    kind: EventKind
    remote: str
    node_id: bytes
    detail: str


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One open session, for `status`."""

    node_id: bytes
    remote: str
    client_id: str
    capabilities: tuple[str, ...]
    is_outbound: bool
    open_for_s: float
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    queue_frames: int
    queue_bytes: int
    loop_s: float
    """What its messages took of this node's event loop."""
    waits: int
    """How often it was made to wait, because that was more than its share."""


@dataclass(frozen=True, slots=True)
class NetworkStatus:
    """The peer network at one moment; the counts are since the start."""

    port: int
    known: int
    inbound_handshakes: int
    peers: tuple[PeerStatus, ...]
    counts: Mapping[EventKind, int]
