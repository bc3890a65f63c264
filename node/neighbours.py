"""The peers that speak eth/68: their Status, what they ask, what they bring, and what is announced to them.

It joins ``protocols`` to sessions: decodes, serves from the ledger and the pool, feeds the follower and performs what
it asks, relays transactions. Whether a block is right is the importer's to say. Runs on the event loop.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cocket.network.errors import DisconnectReason
from cocket.network.session import Session
from cocket.node.admission import Admission
from cocket.node.chain.block import Block
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import Header, block_hash
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.pool import Pool
from cocket.node.chain.transaction import Transaction
from cocket.node.errors import PeerError
from cocket.node.protocols import eth, serve
from cocket.node.protocols.follow import Ask, CaughtUp, DropPeer, Effect, Follower, FollowStatus, ImportBlock
from cocket.node.relay import WAITING_MAX, Known, Relay, announcements, whole_messages

TICK_S = 1.0
STOOD_STILL_S = 1.0  # a tick so much too late: the node was stopped, or had no processor
TELL_S = 0.1  # what clients brought waits so long to be sent to the peers together
RELAY_S = 0.5  # what a peer brought is announced so much later, if it is still needed: half a block period or less
STATUS_TIMEOUT_S = 10.0  # a peer that has not said its Status by then is dropped
ANNOUNCE_DELAY_S = 0.3  # a validator has most blocks by its own commit; it hears of them late, lest it ask for them
HEAD_AGAIN_S = 1.0  # a peer whose votes are late is sent our head no more often
TYPE_MAX = 4  # EIP-7702: no chain knows a later type of transaction
REQUESTS_MAX = 16  # for transactions under way to one peer, each for up to 256
LATE_MAX = 64  # requests remembered after their time: a minute of the most that one peer is asked
WANTED_S = 5.0  # after so long an answer is no longer waited for, and a hash may be asked of another peer
SERVE_QUEUE_BYTES_MAX = 8 << 20  # four of the largest answers: who asks on before it has read these is not answered
ASKED_LOOP_S = 0.25  # of the loop's time that an answer may take uncharged: 32 bodies of full blocks
ASKED_TRANSACTIONS_LOOP_S = 0.02  # likewise for 256 transactions
AGAIN_S = 10.0  # what still waits in the pool is announced again so often: a message may have been lost


class Shell(Protocol):
    """What neighbours need of the node around them."""

    def import_block(self, block: Block, block_hash: bytes) -> None:
        """Verify a sealed block and make it the head; answer with upon_imported, upon_rejected or upon_postponed."""

    def upon_ready(self, session: Session) -> None:
        """A peer's Status fits ours."""

    def upon_admitted(self, transaction: Transaction) -> None:
        """A peer brought a transaction that is now in the pool."""

    def upon_caught_up(self, number: int) -> None:
        """No peer claims a block that we lack."""

    def drop_peer(self, node_id: bytes, reason: str, *, is_fault: bool) -> None:
        """End the session with a peer."""


@dataclass(slots=True)
class _Neighbour:
    session: Session
    joined_s: float
    has_status: bool = False
    known: Known = field(default_factory=Known)
    height: int = 0
    head_again_s: float = 0.0
    asked: dict[int, float] = field(default_factory=dict)
    """Requests for transactions: until when their answer is waited for."""
    late: deque[int] = field(default_factory=lambda: deque(maxlen=LATE_MAX))
    """Requests no longer waited for: an answer to one is late, not unasked."""

    def give_up(self, now_s: float) -> None:
        """Wait no longer for what should have been answered by now."""
        self.late += [id_ for id_, until in self.asked.items() if until <= now_s]
        self.asked = {id_: until for id_, until in self.asked.items() if until > now_s}


class Neighbours:
    """All eth/68 sessions of a node."""

    def __init__(self, ledger: Ledger, pool: Pool, shell: Shell) -> None:
        self._ledger = ledger
        self._pool = pool
        self._shell = shell
        self._loop = asyncio.get_running_loop()
        self._follower = Follower(ledger.head, ledger.head_hash, number_of=self._number_of)
        self._neighbours: dict[bytes, _Neighbour] = {}
        self._relay = Relay()
        self._admission = Admission(
            pool, self._loop, self._upon_admitted, lambda hash_: ledger.transaction_location(hash_) is not None
        )
        self._wanted: dict[bytes, float] = {}
        self._request_id = 0
        self._tell: asyncio.TimerHandle | None = None
        self._pass_on: asyncio.TimerHandle | None = None
        self._announce: asyncio.TimerHandle | None = None
        self._again_s = self._loop.time() + AGAIN_S
        self._waited: frozenset[bytes] = frozenset()
        self._ticked_s, self._stood_still = self._loop.time(), False
        self._tick = self._loop.call_later(TICK_S, self._upon_tick)

    def status(self) -> FollowStatus:
        """Return how far catching up is."""
        return self._follower.status()

    def claims(self) -> tuple[int, ...]:
        """Return the height that each peer claims, of those who have said."""
        return self._follower.claims()

    def unknown(self) -> int:
        """Return how many peers are still to say their height."""
        return self._follower.unknown()

    def header_at(self, number: int) -> Header | None:
        """Return the unverified header of a height above our head, if it is at hand."""
        return self._follower.header_at(number)

    def likely_highest(self, faults_max: int) -> int:
        """Return the greatest height that honest peers claim even if ``faults_max`` of all peers lie."""
        claims = sorted(self._follower.claims(), reverse=True)
        return claims[min(faults_max, len(claims) - 1)] if claims else 0

    def height_of(self, node_id: bytes) -> int | None:
        """Return the greatest height a peer has told of."""
        neighbour = self._neighbours.get(node_id)
        return neighbour.height or None if neighbour is not None else None

    def close(self) -> None:
        """Stop timers and the admission thread."""
        for handle in (self._tick, self._tell, self._pass_on, self._announce):
            if handle is not None:
                handle.cancel()
        self._admission.close()

    # -- sessions ----------------------------------------------------------------------------------------------------

    def upon_session(self, session: Session) -> None:
        """A session is open: say who we are."""
        self._neighbours[session.node_id] = _Neighbour(session, self._loop.time())
        genesis = self._ledger.genesis
        self._send(session, eth.status_of(genesis, genesis.spec.chain_id, self._ledger.head, self._ledger.head_hash))

    def upon_closed(self, session: Session) -> None:
        """A session is over."""
        neighbour = self._neighbours.pop(session.node_id, None)
        if neighbour is not None and neighbour.has_status:
            self._perform(self._follower.upon_gone(session.node_id, self._loop.time()))

    def upon_message(self, session: Session, code: int, payload: bytes) -> None:
        """Take one eth message.

        :raises PeerError: it is malformed or out of place.
        """
        neighbour = self._neighbours.get(session.node_id)
        if neighbour is None or neighbour.session is not session:
            return
        if not neighbour.has_status and code != eth.Code.STATUS:
            raise PeerError(f"eth: found message {code:#04x}, expected Status first")
        if code in eth.ANSWERS:
            self._validate_asked(neighbour, code, payload)
        if code == eth.Code.NEW_BLOCK and not self._follower.wants(header := eth.new_block_header(payload)):
            self._upon_heights(neighbour, eth.NewBlockHashes(((block_hash(header), header.number),)))
            return
        message = eth.decode_message(code, payload)
        if isinstance(message, eth.Status):
            self._take_status(neighbour, message)
            return
        node_id, now_s = session.node_id, self._loop.time()
        match message:
            case eth.GetBlockHeaders() | eth.GetBlockBodies() | eth.GetReceipts() | eth.GetPooledTransactions():
                self._serve(session, message)
            case eth.BlockHeaders():
                self._perform(self._follower.upon_headers(node_id, message, now_s))
            case eth.BlockBodies():
                self._perform(self._follower.upon_bodies(node_id, message, now_s))
            case eth.NewBlock():
                neighbour.height = max(neighbour.height, message.block.header.number)
                self._perform(self._follower.upon_new_block(node_id, message, now_s))
            case eth.NewBlockHashes():
                self._upon_heights(neighbour, message)
            case eth.Transactions():
                self._admit(neighbour, message.transactions)
            case eth.NewPooledTransactionHashes():
                self._ask_for(neighbour, message)
            case eth.PooledTransactions():
                self._admit(neighbour, message.transactions)

    def _upon_heights(self, neighbour: _Neighbour, message: eth.NewBlockHashes) -> None:
        neighbour.height = max([neighbour.height, *(number for _, number in message.blocks)])
        self._perform(self._follower.upon_new_block_hashes(neighbour.session.node_id, message, self._loop.time()))

    def _validate_asked(self, neighbour: _Neighbour, code: int, payload: bytes) -> None:
        """Raise PeerError for an answer that nobody asked for, before it is decoded: it may be long and dear."""
        request_id = eth.request_id_of(payload)
        if code != eth.Code.POOLED_TRANSACTIONS:
            is_expected = self._follower.expects(neighbour.session.node_id, request_id)
        elif is_expected := neighbour.asked.pop(request_id, None) is not None:
            pass
        elif is_expected := request_id in neighbour.late:
            neighbour.late.remove(request_id)
        if not is_expected or code == eth.Code.RECEIPTS:
            name = eth.Code(code).name.lower().replace("_", " ")
            raise PeerError(f"eth {name}: found an answer with id {request_id}, under which nothing was asked")
        is_pooled = code == eth.Code.POOLED_TRANSACTIONS
        neighbour.session.excuse(ASKED_TRANSACTIONS_LOOP_S if is_pooled else ASKED_LOOP_S)

    def _serve(self, session: Session, request: serve.Request) -> None:
        _, waiting_bytes = session.queue
        if waiting_bytes <= SERVE_QUEUE_BYTES_MAX:
            session.send(eth.NAME, *serve.answer(request, self._ledger, self._pool))

    def _take_status(self, neighbour: _Neighbour, status: eth.Status) -> None:
        if neighbour.has_status:
            raise PeerError("eth: found a second Status")
        genesis = self._ledger.genesis
        eth.validate_status(status, genesis, genesis.spec.chain_id, self._ledger.head)
        neighbour.has_status = True
        for transaction in self._pool.content():  # it may have none of what waits here
            self._relay_later(transaction)
        self._shell.upon_ready(neighbour.session)
        self._perform(self._follower.upon_joined(neighbour.session.node_id, status, self._loop.time()))

    # -- blocks ------------------------------------------------------------------------------------------------------

    def upon_head(self, head: Header, head_hash: bytes) -> None:
        """Our head moved: the follower goes on from there, and peers hear of it."""
        self._perform(self._follower.upon_head(head, head_hash, self._loop.time()))
        block: Block | None = None
        for node_id, neighbour in self._neighbours.items():
            if not neighbour.has_status or neighbour.height >= head.number or self._votes(neighbour):
                continue
            block = block or self._ledger.block_by_hash(head_hash)
            self._send_block(node_id, block)
        if self._announce is None:
            self._announce = self._loop.call_later(ANNOUNCE_DELAY_S, self._announce_head)

    def send_head(self, node_id: bytes) -> None:
        """Send our head to a peer that is behind, once in a while: it is slow enough without a block for each vote."""
        neighbour = self._neighbours.get(node_id)
        if neighbour is None or self._loop.time() < neighbour.head_again_s:
            return
        neighbour.head_again_s = self._loop.time() + HEAD_AGAIN_S
        self._send_block(node_id, self._ledger.block_by_hash(self._ledger.head_hash))

    def upon_imported(self, block_hash: bytes, header: Header) -> None:
        """A block that the follower brought is the head or was there already."""
        self._perform(self._follower.upon_imported(block_hash, header, self._loop.time()))

    def upon_rejected(self, block_hash: bytes, reason: str) -> None:
        """A block that the follower brought is bad."""
        self._perform(self._follower.upon_rejected(block_hash, reason, self._loop.time()))

    def upon_postponed(self, block_hash: bytes) -> None:
        """A block that the follower brought could not be checked now."""
        self._perform(self._follower.upon_postponed(block_hash, self._loop.time()))

    def _votes(self, neighbour: _Neighbour) -> bool:
        return "istanbul" in neighbour.session.capabilities

    def _announce_head(self) -> None:
        self._announce = None
        head = self._ledger.head
        message = eth.NewBlockHashes(((self._ledger.head_hash, head.number),))
        for neighbour in self._neighbours.values():
            if neighbour.has_status and neighbour.height < head.number and self._votes(neighbour):
                self._send(neighbour.session, message)

    def _send_block(self, node_id: bytes, block: Block | None) -> None:
        neighbour = self._neighbours.get(node_id)
        if neighbour is not None and neighbour.has_status and block is not None:
            difficulty = eth.total_difficulty(self._ledger.genesis, block.header.number)
            self._send(neighbour.session, eth.NewBlock(block, difficulty))

    def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Ask():
                    neighbour = self._neighbours.get(effect.peer)
                    if neighbour is not None:
                        self._send(neighbour.session, effect.message)
                case ImportBlock():
                    self._shell.import_block(effect.block, effect.block_hash)
                case DropPeer():
                    self._shell.drop_peer(effect.peer, effect.reason, is_fault=effect.is_fault)
                case CaughtUp():
                    self._shell.upon_caught_up(effect.number)

    # -- transactions ------------------------------------------------------------------------------------------------

    def announce_transaction(self, transaction: Transaction) -> None:
        """A client brought a transaction here: the peers get it soon."""
        self._relay.add_own(transaction)
        if self._tell is None:
            self._tell = self._loop.call_later(TELL_S, self._tell_own)

    def _admit(self, neighbour: _Neighbour, raws: Sequence[bytes]) -> None:
        """Have what a peer brought checked; what enters the pool is announced further."""
        if len(raws) > eth.MESSAGE_TRANSACTIONS_MAX:
            expected = eth.MESSAGE_TRANSACTIONS_MAX
            raise PeerError(f"eth: found {len(raws)} transactions in a message, expected at most {expected}")
        brought = {keccak256(raw): raw for raw in raws}
        if len(brought) < len(raws):
            raise PeerError("eth: found a transaction twice in a message")
        unknown = next((raw[0] for raw in raws if TYPE_MAX < raw[0] < 0x80), None)
        if unknown is not None:  # the specification's one reason to part over a transaction
            raise PeerError(f"eth: found a transaction of type {unknown:#04x}, expected at most {TYPE_MAX:#04x}")
        for hash_ in brought:
            neighbour.known.add(hash_)
            self._wanted.pop(hash_, None)
        fresh = [raw for hash_, raw in brought.items() if self._pool.get(hash_) is None]
        if fresh:
            self._admission.offer(neighbour.session.node_id, fresh)  # what has no room now is announced again

    def _upon_admitted(self, transaction: Transaction) -> None:
        self._shell.upon_admitted(transaction)
        self._relay_later(transaction)

    def _ask_for(self, neighbour: _Neighbour, message: eth.NewPooledTransactionHashes) -> None:
        now_s = self._loop.time()
        wanted: list[bytes] = []
        room = (REQUESTS_MAX - len(neighbour.asked)) * serve.TRANSACTIONS_MAX
        for hash_ in dict.fromkeys(message.hashes):
            neighbour.known.add(hash_)
            if len(wanted) >= room or self._wanted.get(hash_, now_s) > now_s:
                continue
            if self._pool.get(hash_) is None and self._ledger.transaction_location(hash_) is None:
                self._wanted[hash_] = now_s + WANTED_S
                wanted.append(hash_)
        for start in range(0, len(wanted), serve.TRANSACTIONS_MAX):
            self._request_id += 1
            neighbour.asked[self._request_id] = now_s + WANTED_S
            hashes = tuple(wanted[start : start + serve.TRANSACTIONS_MAX])
            self._send(neighbour.session, eth.GetPooledTransactions(self._request_id, hashes))

    def _relay_later(self, transaction: Transaction) -> None:
        self._relay.add_relayed(transaction)
        if self._pass_on is None:
            self._pass_on = self._loop.call_later(RELAY_S, self._tell_relayed)

    def _tell_own(self) -> None:
        self._tell = None
        own = self._relay.take_own()
        for neighbour in self._neighbours.values():
            if neighbour.has_status:
                for message in whole_messages(own, neighbour.known):
                    self._send(neighbour.session, message)

    def _tell_relayed(self) -> None:
        self._pass_on = None
        waiting = [transaction for transaction in self._relay.take_relayed() if self._pool.get(transaction.hash)]
        for neighbour in self._neighbours.values():
            if neighbour.has_status:
                for message in announcements(waiting, neighbour.known):
                    self._send(neighbour.session, message)

    def _announce_again(self) -> None:
        """Tell all peers of what has waited in the pool since the last time, whatever they were told before."""
        pending = self._pool.content()[:WAITING_MAX]
        for message in announcements([tx for tx in pending if tx.hash in self._waited], Known()):
            for neighbour in self._neighbours.values():
                if neighbour.has_status:
                    self._send(neighbour.session, message)
        self._waited = frozenset(tx.hash for tx in pending)

    # -- shared ------------------------------------------------------------------------------------------------------

    def _send(self, session: Session, message: eth.Message) -> None:
        session.send(eth.NAME, *eth.encode_message(message))

    def _number_of(self, block_hash: bytes) -> int | None:
        header = self._ledger.header_by_hash(block_hash)
        return None if header is None else header.number

    def _upon_tick(self) -> None:
        self._tick = self._loop.call_later(TICK_S, self._upon_tick)
        now_s = self._loop.time()
        stood_still = now_s - self._ticked_s > TICK_S + STOOD_STILL_S and not self._stood_still
        self._ticked_s, self._stood_still = now_s, stood_still
        if stood_still:
            return  # what has come meanwhile is read first, before anybody is called slow
        for node_id, neighbour in tuple(self._neighbours.items()):
            if not neighbour.has_status and now_s - neighbour.joined_s > STATUS_TIMEOUT_S:
                self._shell.drop_peer(node_id, f"no Status within {STATUS_TIMEOUT_S:.0f} s", is_fault=False)
            neighbour.give_up(now_s)
        self._wanted = {hash_: until for hash_, until in self._wanted.items() if until > now_s}
        if now_s >= self._again_s:
            self._again_s = now_s + AGAIN_S
            self._announce_again()
        self._perform(self._follower.upon_tick(now_s))


def goodbye_reason(is_fault: bool) -> DisconnectReason:
    """Return devp2p's word for why a peer is dropped: what is malformed, invalid or out of place is a breach."""
    return DisconnectReason.BREACH_OF_PROTOCOL if is_fault else DisconnectReason.USELESS_PEER


def fault_reason(error: PeerError) -> DisconnectReason:
    """Return devp2p's word for what a peer sent: a breach, or eth's own reason when it is of another network."""
    is_other = isinstance(error, eth.WrongNetwork)
    return DisconnectReason.SUBPROTOCOL_ERROR if is_other else DisconnectReason.BREACH_OF_PROTOCOL
