"""A node that follows and serves a real chain over a peer network: the little of a service that tests need."""

import asyncio
import hashlib
import random
from collections.abc import Callable
from typing import Any

from ledger.chains import CHAIN_ID, Chain

from cocket.network.enode import Enode
from cocket.network.errors import DisconnectReason, PeerFault
from cocket.network.peers import NetworkEvent, PeerNetwork
from cocket.network.session import Ending, Session
from cocket.network.transport import Transport
from cocket.node.chain.block import Block
from cocket.node.errors import InvalidBlock, PeerError
from cocket.node.protocols import eth, istanbul, serve
from cocket.node.protocols.eth import (
    BlockBodies,
    BlockHeaders,
    Message,
    NewBlock,
    NewBlockHashes,
    Status,
    decode_message,
    encode_message,
    status_of,
    validate_status,
)
from cocket.node.protocols.follow import Ask, CaughtUp, DropPeer, Effect, Follower, ImportBlock


class FollowingNode:
    """A ledger, a peer network and a follower, joined as the service joins them; imports run at once."""

    def __init__(self, name: str, chain: Chain, transport: Transport, **changes: Any) -> None:
        self.chain = chain
        self.follower = Follower(chain.ledger.head, chain.ledger.head_hash)
        self.dropped: list[DropPeer] = []
        self.endings: list[Ending] = []
        self.events: list[NetworkEvent] = []
        self.caught_up: list[int] = []
        self.network_id = CHAIN_ID
        self._news = asyncio.Event()
        self._greeted: set[bytes] = set()
        self.network = PeerNetwork(
            hashlib.sha256(name.encode()).digest(),
            f"cocket/{name}",
            [eth.CAPABILITY, istanbul.CAPABILITY],
            ("127.0.0.1", 0),
            lambda node_id: True,
            on_session=self._upon_session,
            on_message=self._upon_message,
            on_closed=self._upon_closed,
            on_event=self.events.append,
            transport=transport,
            rng=random.Random(name),
            **changes,
        )

    @property
    def enode(self) -> Enode:
        return Enode(self.network.node_id, "127.0.0.1", self.network.port)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def send(self, session: Session, message: Message) -> None:
        code, payload = encode_message(message)
        session.send("eth", code, payload)

    def announce(self, block: Block) -> None:
        """Send a block to all, as validators do after a commit."""
        for session in self.network.sessions.values():
            self.send(session, NewBlock(block, eth.total_difficulty(self.chain.genesis, block.header.number)))

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _upon_session(self, session: Session) -> None:
        ledger = self.chain.ledger
        self.send(session, status_of(self.chain.genesis, self.network_id, ledger.head, ledger.head_hash))

    def _upon_closed(self, session: Session, ending: Ending) -> None:
        self._greeted.discard(session.node_id)
        self.endings.append(ending)
        self._perform(self.follower.upon_gone(session.node_id, self._now_s()))
        self._news.set()

    def _upon_message(self, session: Session, capability: str, code: int, payload: bytes) -> None:
        try:
            if capability == "eth":
                self._upon_eth(session, decode_message(code, payload))
        except PeerError as error:
            raise PeerFault(str(error), DisconnectReason.SUBPROTOCOL_ERROR) from error
        finally:
            self._news.set()

    def _upon_eth(self, session: Session, message: Message) -> None:
        node_id, now_s = session.node_id, self._now_s()
        if (node_id in self._greeted) == isinstance(message, Status):
            raise PeerError(f"eth: found {type(message).__name__}, expected one Status and that first")
        match message:
            case Status():
                validate_status(message, self.chain.genesis, self.network_id, self.chain.head)
                self._greeted.add(node_id)
                self._perform(self.follower.upon_joined(node_id, message, now_s))
            case BlockHeaders():
                self._perform(self.follower.upon_headers(node_id, message, now_s))
            case BlockBodies():
                self._perform(self.follower.upon_bodies(node_id, message, now_s))
            case NewBlock():
                self._perform(self.follower.upon_new_block(node_id, message, now_s))
            case NewBlockHashes():
                self._perform(self.follower.upon_new_block_hashes(node_id, message, now_s))
            case eth.GetBlockHeaders() | eth.GetBlockBodies() | eth.GetReceipts() | eth.GetPooledTransactions():
                session.send("eth", *serve.answer(message, self.chain.ledger, self.chain.pool))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Ask(peer, message):
                    session = self.network.sessions.get(peer)
                    if session is not None:
                        self.send(session, message)
                case ImportBlock(block, block_hash, _):
                    asyncio.get_running_loop().call_soon(self._import, block, block_hash)
                case DropPeer(peer, reason, is_fault):
                    self.dropped.append(effect)
                    hold_off_s = 60.0 if is_fault else 0.0
                    self.network.disconnect(peer, DisconnectReason.SUBPROTOCOL_ERROR, reason, hold_off_s)
                case CaughtUp(number):
                    self.caught_up.append(number)
        self._news.set()

    def _import(self, block: Block, block_hash: bytes) -> None:
        try:
            header = self.chain.importer.import_block(block)
        except InvalidBlock as error:
            self._perform(self.follower.upon_rejected(block_hash, str(error), self._now_s()))
        else:
            self._perform(self.follower.upon_imported(block_hash, header, self._now_s()))
