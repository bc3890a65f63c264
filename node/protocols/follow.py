"""Catching up with the chain: whom to ask for what, in which order blocks are imported, and whom to drop.

The only place that knows how a node follows others. A state machine without I/O: what happened goes in as a method
call with the time, what to do comes out as effects. It verifies nothing itself: `ImportBlock` is answered by
`upon_imported` or `upon_rejected`, and a rejected block costs the peer that sent its header the session and all it
sent. What is not verified is bounded in blocks and bytes.

One peer at a time leads: its headers must link to our head one by one. Bodies are asked of the leader and of others,
and matched by the transactions root. QBFT is final, so there is one chain and nothing here ever goes back.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from cocket.node.chain.block import Block
from cocket.node.chain.header import Header, block_hash
from cocket.node.errors import InvalidBlock, PeerError
from cocket.node.protocols.crowd import Asked, Crowd, FollowedPeer, least_burdened
from cocket.node.protocols.eth import (
    BlockBodies,
    BlockHeaders,
    GetBlockBodies,
    GetBlockHeaders,
    NewBlock,
    NewBlockHashes,
    Status,
)
from cocket.node.protocols.lookahead import Delivered, LookAhead, Slot, link_headers

_GAS_GROWTH_MAX = 4
"""How much higher than our head's the gas limit of a block in the look-ahead can be: 512 steps of less than 1/1024 come
to 1.65, and the London block doubles."""


@dataclass(frozen=True, slots=True)
class FollowLimits:
    """What catching up may take, each with its reason."""

    headers_at_once: int = 192
    """As Besu asks; well within what any peer serves at once."""
    bodies_at_once: int = 32
    """Matching them by root takes some 5 us a transaction of the event loop, so not too many in one go."""
    look_ahead_blocks: int = 512
    """Unverified headers kept: some seconds of importing, so that the network's delay does not show."""
    look_ahead_bytes: int = 16 * 1024 * 1024
    """Above this no further body is asked for; answers under way may add a message (10 MiB) each."""
    body_requests_max: int = 2
    answer_s: float = 5.0
    """A peer that has not answered by then has stalled: another one is asked. One that answers late gets more time."""
    stalls_max: int = 3
    """So many in a row without an answer, be it late, and the peer is dropped."""
    retry_s: float = 1.0
    """Pause after an import that could not run for reasons of our own."""
    level_slack: int = 2
    """So many blocks behind still counts as level: one is always on its way."""
    announced_ahead_max: int = 30
    """A NewBlock further ahead is only a sign that we are behind (Besu's window)."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Send this request to a peer."""

    peer: bytes
    message: GetBlockHeaders | GetBlockBodies


@dataclass(frozen=True, slots=True)
class ImportBlock:
    """Verify this block in full and make it the head; answer with `upon_imported`, `upon_rejected` or
    `upon_postponed`. `source` answers for it. One at a time."""

    block: Block
    block_hash: bytes
    source: bytes


@dataclass(frozen=True, slots=True)
class DropPeer:
    """End the session with a peer; after a fault of its own it should stay away for a while."""

    peer: bytes
    reason: str
    is_fault: bool


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """No peer claims a block that we lack; said each time this becomes true."""

    number: int


Effect: TypeAlias = Ask | ImportBlock | DropPeer | CaughtUp
_Take: TypeAlias = Callable[[FollowedPeer], list[Effect] | None]


@dataclass(frozen=True, slots=True)
class FollowStatus:
    """How far catching up is. `highest` is the most any peer claims: unverified."""

    start: int
    head: int
    highest: int
    look_ahead_blocks: int
    look_ahead_bytes: int
    peers: int
    is_level: bool


class Follower:
    """Follows the chain from our head on. Every method returns what to do now, in order."""

    def __init__(
        self,
        head: Header,
        head_hash: bytes,
        limits: FollowLimits | None = None,
        number_of: Callable[[bytes], int | None] = lambda _: None,
    ) -> None:
        self._head_number = self._start = head.number
        self._head_hash = head_hash
        self._head_gas_limit = head.gas_limit
        self._limits = limits or FollowLimits()
        self._number_of = number_of
        self._crowd = Crowd()
        self._look_ahead = LookAhead()
        self._importing: Slot | None = None
        self._retry_at_s = 0.0
        self._leader: bytes | None = None
        self._is_level = False

    def status(self) -> FollowStatus:
        """Return how far we are."""
        return FollowStatus(
            start=self._start,
            head=self._head_number,
            highest=max([self._head_number, *self._crowd.heights()]),
            look_ahead_blocks=len(self._look_ahead),
            look_ahead_bytes=self._look_ahead.size_bytes,
            peers=len(self._crowd),
            is_level=self._is_level,
        )

    def claims(self) -> tuple[int, ...]:
        """Return the height that each peer claims: unverified."""
        return tuple(self._crowd.heights())

    def unknown(self) -> int:
        """Return how many peers are still to say how far they are."""
        return self._crowd.unknown()

    def header_at(self, number: int) -> Header | None:
        """Return the unverified header of a height above our head, linked to it, if it is at hand."""
        return self._look_ahead.header_at(number)

    # -- what happens ------------------------------------------------------------------------------------------------

    def upon_joined(self, node_id: bytes, status: Status, now_s: float) -> list[Effect]:
        """A peer's Status was accepted; eth/68 gives only its head's hash, so the height is asked for if unknown."""
        peer = self._crowd.join(node_id, status.head_hash)
        number = self._head_number if status.head_hash == self._head_hash else self._number_of(status.head_hash)
        if number is not None:
            peer.head_hash, peer.height = None, number
        return self._next(now_s)

    def upon_gone(self, node_id: bytes, now_s: float) -> list[Effect]:
        """A peer's session ended; the headers it sent go with it, others will send them again."""
        self._forget(node_id)
        return self._next(now_s)

    def expects(self, node_id: bytes, request_id: int) -> bool:
        """Say whether a peer's answer with this id is one to a request of ours: if not, it need not be decoded."""
        peer = self._crowd.get(node_id)
        return peer is not None and peer.expects(request_id)

    def upon_headers(self, node_id: bytes, message: BlockHeaders, now_s: float) -> list[Effect]:
        """A peer answers with headers."""
        return self._guarded(node_id, now_s, lambda peer: self._take_headers(peer, message))

    def upon_bodies(self, node_id: bytes, message: BlockBodies, now_s: float) -> list[Effect]:
        """A peer answers with bodies."""
        return self._guarded(node_id, now_s, lambda peer: self._take_bodies(peer, message))

    def upon_new_block(self, node_id: bytes, message: NewBlock, now_s: float) -> list[Effect]:
        """A peer sends a block unasked: taken when it is the next, else a sign of how far the peer is."""
        return self._guarded(node_id, now_s, lambda peer: self._take_new_block(peer, message.block))

    def wants(self, header: Header) -> bool:
        """Say whether a block sent unasked is the next one and has room: of another only the height counts."""
        tip_number, tip_hash = self._tip
        is_next = header.number == tip_number + 1 and header.parent_hash == tip_hash
        return is_next and self._room > 0 and header.number <= self._head_number + self._limits.announced_ahead_max

    def upon_new_block_hashes(self, node_id: bytes, message: NewBlockHashes, now_s: float) -> list[Effect]:
        """A peer announces blocks that it has."""

        def take(peer: FollowedPeer) -> None:
            peer.height = max([peer.height, *(number for _, number in message.blocks)])

        return self._guarded(node_id, now_s, take)

    def upon_imported(self, block_hash_: bytes, header: Header, now_s: float) -> list[Effect]:
        """An ImportBlock is done: the block is our head, or was there already."""
        self._finish_import(block_hash_)
        return self.upon_head(header, block_hash_, now_s)

    def upon_rejected(self, block_hash_: bytes, reason: str, now_s: float) -> list[Effect]:
        """An ImportBlock failed because the block is bad: whoever sent its header is dropped with all it sent."""
        effects: list[Effect] = []
        slot = self._finish_import(block_hash_)
        if slot is not None:
            if slot.is_live:
                self._look_ahead.clear()
            effects = self._drop(slot.source, f"block {slot.header.number}: {reason}", is_fault=True)
        return effects + self._next(now_s)

    def upon_postponed(self, block_hash_: bytes, now_s: float) -> list[Effect]:
        """An ImportBlock could not run for reasons of our own: it is tried again after a pause."""
        if self._finish_import(block_hash_) is not None:
            self._retry_at_s = now_s + self._limits.retry_s
        return self._next(now_s)

    def upon_head(self, head: Header, head_hash: bytes, now_s: float) -> list[Effect]:
        """Our head moved, by an import or by consensus."""
        if head.number > self._head_number:
            self._head_number, self._head_hash, self._head_gas_limit = head.number, head_hash, head.gas_limit
            self._look_ahead.drop_through(head.number)
            first = self._look_ahead.first
            if first is not None and first.header.parent_hash != head_hash:
                self._look_ahead.clear()
        return self._next(now_s)

    def upon_tick(self, now_s: float) -> list[Effect]:
        """Time passed (a second or so between ticks is right): whoever has not answered in time has stalled."""
        effects: list[Effect] = []
        for peer in self._crowd.overdue(now_s):
            peer.give_up()
            effects += self._blame(peer, f"did not answer {self._limits.stalls_max} requests in time")
        return effects + self._next(now_s)

    # -- taking what peers send --------------------------------------------------------------------------------------

    def _guarded(
        self, node_id: bytes, now_s: float, take: Callable[[FollowedPeer], "list[Effect] | None"]
    ) -> list[Effect]:
        """Let `take` handle what a peer sent; whatever it finds broken costs the peer its session."""
        peer = self._crowd.get(node_id)
        if peer is None:
            return []
        try:
            effects = take(peer) or []
        except (PeerError, InvalidBlock) as error:
            effects = self._drop(node_id, str(error), is_fault=True)
        return effects + self._next(now_s)

    def _take_headers(self, peer: FollowedPeer, message: BlockHeaders) -> list[Effect] | None:
        asked = peer.claim(message.request_id, GetBlockHeaders)
        if asked is None:
            return None
        assert isinstance(asked.message, GetBlockHeaders)
        headers = message.headers
        if len(headers) > asked.message.limit:
            raise PeerError(f"headers: found {len(headers)}, expected at most {asked.message.limit}")
        if asked.anchor is None:
            return self._take_head(peer, headers)
        if not headers:
            peer.height = min(peer.height, asked.anchor[0])
            return self._blame(peer, "has not the blocks that it announces")
        if asked.anchor_source not in (None, peer.node_id) and headers[0].parent_hash != asked.anchor[1]:
            self._begin_anew(peer, asked.anchor[1])
        else:
            self._extend(peer, headers, link_headers(headers, *asked.anchor))
        peer.stalls = 0
        if len(headers) < asked.message.limit and headers[-1].number < peer.height:
            self._leader = None  # it drips: let another lead
        return None

    def _take_head(self, peer: FollowedPeer, headers: tuple[Header, ...]) -> list[Effect] | None:
        """Learn a peer's height from the header of the head that its Status named."""
        if not headers:
            return self._drop(peer.node_id, "does not serve the header of its own head", is_fault=False)
        if block_hash(headers[0]) != peer.head_hash:
            raise PeerError("headers: found another block than the head asked for by its hash")
        peer.head_hash = None
        peer.height = max(peer.height, headers[0].number)
        peer.stalls = 0
        return None

    def _begin_anew(self, peer: FollowedPeer, anchor_hash: bytes) -> None:
        """A peer's headers do not link to what another one sent: one of them lies, so it leads from our own head."""
        last = self._look_ahead.last
        if last is not None and last.hash == anchor_hash:
            self._look_ahead.clear()
        self._leader = peer.node_id

    def _extend(self, peer: FollowedPeer, headers: tuple[Header, ...], hashes: list[bytes]) -> None:
        """Append what is new of linked headers: our tip may have moved while they were under way."""
        for header, hash_ in zip(headers, hashes, strict=True):
            tip_number, tip_hash = self._tip
            if header.number == tip_number + 1 and header.parent_hash == tip_hash and self._room:
                self._validate_gas(header)
                self._look_ahead.append(header, hash_, peer.node_id)

    def _validate_gas(self, header: Header) -> None:
        """Raise PeerError if a header states gas that no block so near our head can have: it bounds what we hash."""
        gas_max = min(header.gas_limit, _GAS_GROWTH_MAX * self._head_gas_limit)
        if header.gas_used > gas_max:
            raise PeerError(f"block {header.number}: found {header.gas_used} gas used, expected at most {gas_max}")

    def _take_bodies(self, peer: FollowedPeer, message: BlockBodies) -> list[Effect] | None:
        asked = peer.claim(message.request_id, GetBlockBodies)
        if asked is None:
            return None
        waiting = iter(asked.slots)
        for body in message.bodies:
            slot = self._match(waiting, body.transactions, peer.node_id)
            if slot.is_live and slot.body is None:
                self._look_ahead.fill(slot, body.transactions)
        if message.bodies:
            peer.stalls = 0
            return None
        for slot in asked.slots:
            slot.lacking.add(peer.node_id)
        if any(slot.is_live and slot.source == peer.node_id for slot in asked.slots):
            return self._drop(peer.node_id, "has not the bodies of headers that it sent", is_fault=True)
        return None

    def _match(self, waiting: Iterable[Slot], transactions: tuple[bytes, ...], node_id: bytes) -> Slot:
        """Return the next slot asked for whose root these transactions have; those passed over are lacking."""
        delivered = Delivered(transactions)
        for slot in waiting:
            if delivered.is_of(slot.header):
                return slot
            if slot.source == node_id:
                break
            slot.lacking.add(node_id)
        raise PeerError("bodies: found one that belongs to none of the blocks asked for, in their order")

    def _take_new_block(self, peer: FollowedPeer, block: Block) -> None:
        header = block.header
        peer.height = max(peer.height, header.number)
        if self.wants(header):
            self._validate_gas(header)
            if not Delivered(block.transactions).is_of(header):
                raise PeerError(f"new block {header.number}: the transactions are not those of its header")
            self._look_ahead.append(header, block_hash(header), peer.node_id, block.body)

    # -- what to do next ---------------------------------------------------------------------------------------------

    @property
    def _tip(self) -> tuple[int, bytes]:
        last = self._look_ahead.last
        return (self._head_number, self._head_hash) if last is None else (last.header.number, last.hash)

    @property
    def _room(self) -> int:
        """How many more unverified blocks may be kept."""
        if self._look_ahead.size_bytes >= self._limits.look_ahead_bytes:
            return 0
        return max(0, self._limits.look_ahead_blocks - len(self._look_ahead))

    def _next(self, now_s: float) -> list[Effect]:
        """Return everything that can be started now."""
        return [
            *self._import_next(now_s),
            *self._ask_heads(now_s),
            *self._ask_headers(now_s),
            *self._ask_bodies(now_s),
            *self._tell_level(),
        ]

    def _import_next(self, now_s: float) -> list[Effect]:
        first = self._look_ahead.first
        if self._importing is not None or first is None or first.body is None or now_s < self._retry_at_s:
            return []
        self._importing = first
        return [ImportBlock(first.block, first.hash, first.source)]

    def _finish_import(self, block_hash_: bytes) -> Slot | None:
        slot = self._importing
        if slot is None or slot.hash != block_hash_:
            return None
        self._importing = None
        return slot

    def _ask_heads(self, now_s: float) -> list[Effect]:
        effects: list[Effect] = []
        for peer in self._crowd:
            if peer.head_hash is not None and peer.asked is None:
                message = GetBlockHeaders(self._crowd.new_id(), peer.head_hash, 1)
                effects.append(self._ask(peer, Asked(message, self._deadline_s(peer, now_s))))
        return effects

    def _ask_headers(self, now_s: float) -> list[Effect]:
        tip = self._tip
        limit = min(self._limits.headers_at_once, self._room)
        is_worth_it = limit == self._limits.headers_at_once or limit >= len(self._look_ahead)
        if self._crowd.is_asked_headers or limit == 0 or not is_worth_it:
            return []
        ahead = [peer for peer in self._crowd if peer.height > tip[0]]
        leader = next((peer for peer in ahead if peer.node_id == self._leader), None)
        if leader is None:
            leader = least_burdened(ahead)
        if leader is None or leader.asked is not None:
            return []
        self._leader = leader.node_id
        message = GetBlockHeaders(self._crowd.new_id(), tip[0] + 1, min(limit, leader.height - tip[0]))
        last = self._look_ahead.last
        source = None if last is None else last.source
        return [self._ask(leader, Asked(message, self._deadline_s(leader, now_s), tip, source))]

    def _ask_bodies(self, now_s: float) -> list[Effect]:
        effects: list[Effect] = []
        limits = self._limits
        while (
            self._crowd.body_requests < limits.body_requests_max
            and self._look_ahead.size_bytes < limits.look_ahead_bytes
        ):
            missing = [slot for slot in self._look_ahead if slot.body is None and not slot.is_asked]
            peer, slots = self._body_peer(missing)
            if peer is None:
                break
            for slot in slots:
                slot.is_asked = True
            message = GetBlockBodies(self._crowd.new_id(), tuple(slot.hash for slot in slots))
            effects.append(self._ask(peer, Asked(message, self._deadline_s(peer, now_s), slots=slots)))
        return effects

    def _body_peer(self, missing: list[Slot]) -> tuple[FollowedPeer | None, tuple[Slot, ...]]:
        """Return whom to ask for the first missing bodies, and for which: the least burdened that may have them."""
        if not missing:
            return None, ()
        first = missing[0]
        number = first.header.number
        peer = least_burdened(p for p in self._crowd if p.height >= number and p.node_id not in first.lacking)
        if peer is None:
            return None, ()
        wanted = missing[: self._limits.bodies_at_once]
        return peer, tuple(s for s in wanted if s.header.number <= peer.height and peer.node_id not in s.lacking)

    def _tell_level(self) -> list[Effect]:
        """Say when no peer claims more than we have; a block or two behind is not yet called behind."""
        known = self._crowd.heights()
        if not known:
            return []
        behind = max(known) - self._head_number
        if self._is_level:
            self._is_level = behind <= self._limits.level_slack
            return []
        self._is_level = behind <= 0
        return [CaughtUp(self._head_number)] if self._is_level else []

    # -- peers -------------------------------------------------------------------------------------------------------

    def _ask(self, peer: FollowedPeer, asked: Asked) -> Ask:
        peer.asked = asked
        peer.asked_last = asked.message.request_id
        return Ask(peer.node_id, asked.message)

    def _deadline_s(self, peer: FollowedPeer, now_s: float) -> float:
        return now_s + peer.patience * self._limits.answer_s

    def _blame(self, peer: FollowedPeer, reason: str) -> list[Effect]:
        """Count a failure that may be an accident; the third in a row is not."""
        peer.stalls += 1
        if self._leader == peer.node_id:
            self._leader = None
        return self._drop(peer.node_id, reason, is_fault=False) if peer.stalls >= self._limits.stalls_max else []

    def _drop(self, node_id: bytes, reason: str, *, is_fault: bool) -> list[Effect]:
        return [DropPeer(node_id, reason, is_fault)] if self._forget(node_id) else []

    def _forget(self, node_id: bytes) -> bool:
        if self._leader == node_id:
            self._leader = None
        self._look_ahead.drop_from(node_id)
        return self._crowd.leave(node_id)
