"""The RPC of a node as one thing to start, stop and tell the news: methods, worker, intake, subscriptions, server.

The node's service makes one, and nobody else needs to know the other parts. It never decides what a block is worth.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from cocket.node.chain.header import Header
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.pending_votes import PendingVotes
from cocket.node.chain.pool import Pool
from cocket.node.chain.receipt import Log
from cocket.node.chain.transaction import Transaction
from cocket.node.http_server import HttpServer
from cocket.node.rpc.accounts import AccountMethods
from cocket.node.rpc.backend import Backend
from cocket.node.rpc.blocks import BlockMethods
from cocket.node.rpc.calls import CallMethods
from cocket.node.rpc.encoding import quantity
from cocket.node.rpc.endpoint import Endpoint, Worker
from cocket.node.rpc.errors import MethodNotSupported, ResourceUnavailable
from cocket.node.rpc.fees import FeeMethods
from cocket.node.rpc.filters import FilterRegistry
from cocket.node.rpc.jsonrpc import Dispatcher, Method, Parameter
from cocket.node.rpc.limits import DEFAULT_LIMITS, Limits
from cocket.node.rpc.logs import LogMethods
from cocket.node.rpc.node_facts import NodeMethods
from cocket.node.rpc.objects import header_object, log_object
from cocket.node.rpc.server import LOOPBACK_NAMES, Page, RpcApp
from cocket.node.rpc.status import NodeStatus
from cocket.node.rpc.subscriptions import BlockNews, SubscriptionHub
from cocket.node.rpc.transactions import Intake, TransactionMethods
from cocket.node.rpc.votes import VoteMethods

_NOT_OFFERED = {
    "eth_sendTransaction": "this node keeps no keys of its users: sign, and use eth_sendRawTransaction",
    "eth_sign": "this node keeps no keys of its users",
    "eth_signTransaction": "this node keeps no keys of its users",
    "eth_subscribe": "subscriptions need a WebSocket connection",
    "eth_unsubscribe": "subscriptions need a WebSocket connection",
}


class RpcGateway:
    """JSON-RPC over HTTP and WebSocket for one node."""

    def __init__(
        self,
        ledger: Ledger,
        pool: Pool,
        status: NodeStatus,
        *,
        host: str = "127.0.0.1",
        port: int = 8545,
        allowed_hosts: Iterable[str] = LOOPBACK_NAMES,
        limits: Limits = DEFAULT_LIMITS,
        votes: PendingVotes | None = None,
        metrics: Callable[[], bytes] = bytes,
        on_transaction: Callable[[Transaction], None] = lambda _transaction: None,
        on_fault: Callable[[str, BaseException], None] = lambda _method, _error: None,
        on_vote: Callable[[bytes, bool | None], None] = lambda _address, _is_add: None,
        routes: Iterable[Page] = (),
    ) -> None:
        """Make the gateway; nothing is opened yet.

        ``votes`` are the operator's on validators, which the builder casts; ``on_vote`` is told when they change.
        ``metrics`` gives what ``GET /metrics`` answers, asked on the event loop.
        ``on_transaction`` is told, on the event loop, of each transaction that a caller brought into the pool, so that
        it can be announced to peers. ``on_fault`` is told of errors of ours, with the method's name. ``routes`` are
        further pages, as Starlette knows them.
        """
        self._backend = Backend(ledger, pool, status, limits)
        self._votes = VoteMethods(self._backend, votes or PendingVotes(), host, on_vote)
        self._announce = on_transaction
        self._reader = Worker("reader", limits.read_queue_max, limits.wait_s)
        self._worker = Worker("worker", limits.heavy_queue_max, limits.wait_s)
        self._intake = Intake(pool, limits.submission_queue_max, self._on_accepted)
        self._untold: deque[Header] = deque(maxlen=limits.subscriber_queue_max)
        self._telling: asyncio.Task[None] | None = None
        self._logs = LogMethods(self._backend, FilterRegistry(limits, time.monotonic, secrets.token_bytes))
        dispatcher = Dispatcher(self._methods(), limits.batch_length_max)
        self.endpoint = Endpoint(dispatcher, self._reader, self._worker, limits, on_fault)
        self._hub = SubscriptionHub(dispatcher, limits, secrets.token_bytes)
        app = RpcApp(self.endpoint, self._hub, self._health, metrics, limits, allowed_hosts, routes)
        self._server = HttpServer(app, host, port, limits)

    @property
    def port(self) -> int:
        """The port that is served; after ``start`` the real one, when 0 was asked for."""
        return self._server.port

    async def start(self) -> None:
        """Listen and answer. Raises ``Refused`` when the address cannot be had."""
        await self._server.start()

    async def stop(self) -> None:
        """Stop listening and end the threads."""
        await self._server.stop()
        if self._telling is not None:
            self._telling.cancel()
        await self._intake.stop()
        await self._reader.stop()
        await self._worker.stop()

    def on_block(self, header: Header) -> None:
        """Tell subscribers of a block that has become final. Call it on the event loop, once a block, in order."""
        if not len(self._hub):
            return
        self._untold.append(header)
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell(), name="rpc-news")

    def on_transaction(self, transaction_hash: bytes) -> None:
        """Tell filters and subscribers of a transaction that entered the pool from elsewhere. Call it on the loop."""
        self._logs.on_transaction(transaction_hash)
        self._hub.on_transaction(transaction_hash)

    def _on_accepted(self, transaction: Transaction) -> None:
        self.on_transaction(transaction.hash)
        self._announce(transaction)

    def _methods(self) -> Iterable[Method]:
        backend = self._backend
        yield from BlockMethods(backend).methods()
        yield from AccountMethods(backend).methods()
        yield from CallMethods(backend).methods()
        yield from FeeMethods(backend).methods()
        yield from self._logs.methods()
        yield from TransactionMethods(backend, self._intake).methods()
        yield from NodeMethods(backend).methods()
        yield from self._votes.methods()
        for name, reason in _NOT_OFFERED.items():
            yield _refusal(name, reason)

    def _news(self, header: Header) -> BlockNews:
        loaded = self._backend.load(header)
        logs: list[Log] = []
        origins: list[int] = []
        for index, receipt in enumerate(loaded.receipts):
            logs.extend(receipt.logs)
            origins.extend([index] * len(receipt.logs))

        def shaped(position: int, log: Log) -> object:
            index = origins[position]
            return log_object(log, position, loaded.transaction_hashes[index], loaded.place(index))

        return BlockNews(header_object(header, loaded.hash), logs, shaped)

    async def _tell(self) -> None:
        """Read the blocks that subscribers are to be told of off the event loop, and tell them in order."""
        try:
            while self._untold:
                header = self._untold.popleft()
                self._hub.on_block(await self._reader.run(partial(self._news, header)))
        except ResourceUnavailable:
            self._untold.clear()
        finally:
            self._telling = None

    def _health(self) -> dict[str, object]:
        status = self._backend.status
        return {
            "status": "level" if status.sync_progress() is None else "catching up",
            "height": self._backend.head.number,
            "headAgeSeconds": max(0, int(time.time()) - self._backend.head.timestamp),
            "peers": len(status.peers()),
            "chainId": quantity(self._backend.ledger.genesis.spec.chain_id),
        }


def _refusal(name: str, reason: str) -> Method:
    def refuse(*_arguments: object) -> None:
        raise MethodNotSupported(f"{name}: {reason}")

    anything = tuple(Parameter(f"parameter {position}", lambda value: value, None) for position in range(1, 4))
    return Method(name, refuse, anything)
