"""Blocks that peers say come next, before anyone has checked a seal: a bounded, linked run on top of our head.

The only place that keeps unverified blocks. Each slot knows who sent its header, because that peer answers for it; a
body counts only when its transactions hash to the header's root, so it does not matter who sent that. Pure.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cocket.node.chain.block import Block, Body
from cocket.node.chain.hashing import EMPTY_ROOT
from cocket.node.chain.header import Header, block_hash
from cocket.node.chain.header_rules import transactions_max
from cocket.node.chain.roots import ordered_root
from cocket.node.errors import PeerError

_HEADER_BYTES = 640
"""A header without its extraData, rounded up."""


@dataclass(slots=True, eq=False)
class Slot:
    """One block to come: header, its hash, the peer that sent it, and the body once there."""

    header: Header
    hash: bytes
    source: bytes
    body: Body | None = None
    size_bytes: int = 0
    is_asked: bool = False
    is_live: bool = True
    lacking: set[bytes] = field(default_factory=set)
    """Peers that answered without this body."""

    @property
    def block(self) -> Block:
        """The whole block, once the body is there."""
        assert self.body is not None, "asked for a block without body"
        return Block(self.header, self.body.transactions, self.body.has_withdrawals)


def link_headers(headers: Sequence[Header], anchor_number: int, anchor_hash: bytes) -> list[bytes]:
    """Return the hash of each header, having checked that they follow the anchor one by one; PeerError where not.

    InvalidBlock when an extraData does not even decode.
    """
    hashes = []
    for header in headers:
        anchor_number += 1
        if header.number != anchor_number:
            raise PeerError(f"headers: found height {header.number}, expected {anchor_number}")
        if header.parent_hash != anchor_hash:
            found, expected = header.parent_hash.hex()[:16], anchor_hash.hex()[:16]
            raise PeerError(f"headers: block {header.number} has parent {found}, expected {expected}")
        anchor_hash = block_hash(header)
        hashes.append(anchor_hash)
    return hashes


class Delivered:
    """Transactions that a peer sent, before it is known which header they belong to.

    Their root is computed at most once, and not at all while there are more than a header's gas can pay: a peer may
    send millions of single bytes in one message, and this runs on the event loop.
    """

    __slots__ = ("_root", "_transactions")

    def __init__(self, transactions: Sequence[bytes]) -> None:
        self._transactions = transactions
        self._root: bytes | None = None

    def is_of(self, header: Header) -> bool:
        """Say whether these are the transactions that a header commits to."""
        if len(self._transactions) > transactions_max(header):
            return False
        if self._root is None:
            self._root = ordered_root(self._transactions)
        return self._root == header.transactions_root


class LookAhead:
    """The run of slots above the head, in order."""

    def __init__(self) -> None:
        self._slots: deque[Slot] = deque()
        self.size_bytes = 0
        """Bytes of all headers and bodies kept."""

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    @property
    def first(self) -> Slot | None:
        """The next block to import."""
        return self._slots[0] if self._slots else None

    @property
    def last(self) -> Slot | None:
        """The highest block known to link."""
        return self._slots[-1] if self._slots else None

    def header_at(self, number: int) -> Header | None:
        """Return the header of a height, if it is here."""
        index = number - self._slots[0].header.number if self._slots else -1
        return self._slots[index].header if 0 <= index < len(self._slots) else None

    def append(self, header: Header, hash_: bytes, source: bytes, body: Body | None = None) -> None:
        """Add the block after the last; one without transactions needs no body from anybody."""
        if body is None and header.transactions_root == EMPTY_ROOT:
            body = Body()
        slot = Slot(header, hash_, source, size_bytes=_HEADER_BYTES + len(header.extra_data))
        self._slots.append(slot)
        self.size_bytes += slot.size_bytes
        if body is not None:
            self.fill(slot, body.transactions)

    def fill(self, slot: Slot, transactions: tuple[bytes, ...]) -> None:
        """Give a slot its transactions; a body has the (empty) withdrawals list just when the header has a root."""
        slot.body = Body(transactions, slot.header.withdrawals_root is not None)
        slot.is_asked = False
        size = sum(map(len, transactions))
        slot.size_bytes += size
        self.size_bytes += size

    def drop_through(self, number: int) -> None:
        """Forget the blocks up to a height: they are imported."""
        while self._slots and self._slots[0].header.number <= number:
            self._forget(self._slots.popleft())

    def drop_from(self, source: bytes) -> None:
        """Forget all from the first header that this peer sent: what follows builds on it."""
        count = next((index for index, slot in enumerate(self._slots) if slot.source == source), len(self._slots))
        while len(self._slots) > count:
            self._forget(self._slots.pop())

    def clear(self) -> None:
        """Forget all."""
        while self._slots:
            self._forget(self._slots.pop())

    def _forget(self, slot: Slot) -> None:
        slot.is_live = False
        self.size_bytes -= slot.size_bytes
