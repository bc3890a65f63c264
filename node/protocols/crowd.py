"""The peers that a follower may ask: how far each claims to be, what it is asked, and how often it has stalled.

The only place that matches answers to requests and picks whom to ask. A peer has one request under way at a time.
Pure: time comes in as a number.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cocket.node.errors import PeerError
from cocket.node.protocols.eth import GetBlockBodies, GetBlockHeaders
from cocket.node.protocols.lookahead import Slot

PATIENCE_MAX = 4
"""How many times as long as others a peer may take whose answers come late: on a slow link or a busy machine."""


@dataclass(slots=True)
class Asked:
    """A request under way: what was asked, until when we wait, on top of which block, and for which slots."""

    message: GetBlockHeaders | GetBlockBodies
    deadline_s: float
    anchor: tuple[int, bytes] | None = None
    anchor_source: bytes | None = None
    """Who sent the header that the answer must link to; None when it is our own head."""
    slots: tuple[Slot, ...] = ()


@dataclass(slots=True, eq=False)
class FollowedPeer:
    """A peer whose Status fits ours."""

    node_id: bytes
    head_hash: bytes | None
    """What its Status said, until its height is known."""
    height: int = -1
    """The highest block it claims: unverified."""
    asked: Asked | None = None
    asked_last: int = 0
    stalls: int = 0
    """Failures in a row that may have been accidents."""
    patience: int = 1
    """How many times as long as usual its answers are waited for."""
    late_ids: deque[int] = field(default_factory=lambda: deque(maxlen=16))
    """Requests given up: an answer to one is late, not unasked."""

    def expects(self, request_id: int) -> bool:
        """Say whether an answer with this id is one to a request of ours, be it late."""
        return (self.asked is not None and self.asked.message.request_id == request_id) or request_id in self.late_ids

    def claim(self, request_id: int, kind: type) -> Asked | None:
        """Return the request that an answer belongs to, None when it comes late; PeerError when nobody asked."""
        asked = self.asked
        if asked is None or asked.message.request_id != request_id or not isinstance(asked.message, kind):
            if request_id in self.late_ids:
                self.late_ids.remove(request_id)
                self._upon_late()
                return None
            raise PeerError(f"answer with id {request_id}: nothing was asked under it")
        self.release()
        return asked

    def _upon_late(self) -> None:
        """Be more patient: who answers late is slow, not silent, so it is asked after the others, and never dropped."""
        self.stalls = min(self.stalls, 1)
        self.patience = min(2 * self.patience, PATIENCE_MAX)

    def give_up(self) -> None:
        """Wait no longer for the request under way."""
        if self.asked is not None:
            self.late_ids.append(self.asked.message.request_id)
            self.release()

    def release(self) -> None:
        """Forget the request under way; its slots may be asked of others."""
        asked, self.asked = self.asked, None
        for slot in asked.slots if asked is not None else ():
            slot.is_asked = False


class Crowd:
    """All followed peers."""

    def __init__(self) -> None:
        self._peers: dict[bytes, FollowedPeer] = {}
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._peers)

    def __iter__(self) -> Iterator[FollowedPeer]:
        return iter(tuple(self._peers.values()))

    def get(self, node_id: bytes) -> FollowedPeer | None:
        """Return a peer that has joined, or None."""
        return self._peers.get(node_id)

    def join(self, node_id: bytes, head_hash: bytes) -> FollowedPeer:
        """Add a peer."""
        peer = self._peers[node_id] = FollowedPeer(node_id, head_hash)
        return peer

    def leave(self, node_id: bytes) -> bool:
        """Forget a peer; say whether it was there."""
        peer = self._peers.pop(node_id, None)
        if peer is not None:
            peer.release()
        return peer is not None

    def new_id(self) -> int:
        """Return a request id not used before."""
        self._last_id += 1
        return self._last_id

    def heights(self) -> list[int]:
        """Return how far the peers claim to be, of those who have said."""
        return [peer.height for peer in self._peers.values() if peer.height >= 0]

    def unknown(self) -> int:
        """Return how many peers have not said yet how far they are."""
        return sum(peer.head_hash is not None for peer in self._peers.values())

    def overdue(self, now_s: float) -> list[FollowedPeer]:
        """Return the peers whose answer should have been here."""
        return [p for p in self._peers.values() if p.asked is not None and p.asked.deadline_s <= now_s]

    @property
    def is_asked_headers(self) -> bool:
        """Whether some peer is asked for the headers above the look-ahead."""
        return any(peer.asked is not None and peer.asked.anchor is not None for peer in self._peers.values())

    @property
    def body_requests(self) -> int:
        """How many requests for bodies are under way."""
        return sum(peer.asked is not None and bool(peer.asked.slots) for peer in self._peers.values())


def least_burdened(peers: Iterable[FollowedPeer]) -> FollowedPeer | None:
    """Return the idle peer that was asked longest ago, among those with the fewest stalls: better wait than stall."""
    peers = list(peers)
    stalls_min = min((peer.stalls for peer in peers), default=0)
    idle = (peer for peer in peers if peer.asked is None and peer.stalls == stalls_min)
    return min(idle, key=lambda peer: peer.asked_last, default=None)
