"""What WebSocket clients have subscribed to, and the bounded queue in front of each.

This part alone knows eth_subscribe. It never waits for a slow reader: one whose queue is full is dropped.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import msgspec

from cocket.node.chain.receipt import Log
from cocket.node.rpc.encoding import shown
from cocket.node.rpc.errors import InvalidParams, LimitExceeded
from cocket.node.rpc.filters import LogPattern, matching, parse_log_query, random_id
from cocket.node.rpc.jsonrpc import Dispatcher, Method, Parameter, notification
from cocket.node.rpc.limits import Limits

KINDS = ("newHeads", "logs", "newPendingTransactions")


@dataclass(frozen=True, slots=True)
class BlockNews:
    """What subscribers are told of a new block: its header object, and its logs with a way to shape each."""

    head: object
    logs: Sequence[Log]
    log_object: Callable[[int, Log], object]
    """Gives the JSON object of the log at a position in the block."""


@dataclass(frozen=True, slots=True)
class _Subscription:
    kind: str
    pattern: LogPattern | None


class Subscriber:
    """One WebSocket connection: its subscriptions, and the messages that wait for it."""

    def __init__(self, dispatcher: Dispatcher, limits: Limits, random_bytes: Callable[[int], bytes]) -> None:
        self._limits = limits
        self._random_bytes = random_bytes
        self._subscriptions: dict[str, _Subscription] = {}
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._has_messages = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._is_dropped = asyncio.Event()
        own = (
            Method(
                "eth_subscribe", self._subscribe, (Parameter("kind", _parse_kind), Parameter("filter", _object, None))
            ),
            Method("eth_unsubscribe", self._unsubscribe, (Parameter("subscription", _parse_id),)),
        )
        self.dispatcher = dispatcher.with_methods(own)

    @property
    def is_dropped(self) -> bool:
        """Whether the connection read too slowly and is to be closed."""
        return self._is_dropped.is_set()

    def _subscribe(self, kind: str, options: object) -> str:
        if len(self._subscriptions) >= self._limits.subscriptions_max:
            raise LimitExceeded(f"{self._limits.subscriptions_max} subscriptions are open on this connection")
        pattern = None
        if kind == "logs":
            pattern = parse_log_query({} if options is None else options, self._limits).pattern
        subscription_id = random_id(self._random_bytes)
        self._subscriptions[subscription_id] = _Subscription(kind, pattern)
        return subscription_id

    def _unsubscribe(self, subscription_id: str) -> bool:
        return self._subscriptions.pop(subscription_id, None) is not None

    def on_block(self, news: BlockNews, head: bytes) -> None:
        """Queue what this connection has subscribed to of a new block; ``head`` is the header object as JSON."""
        for subscription_id, subscription in self._subscriptions.items():
            if subscription.kind == "newHeads":
                self._offer(notification(subscription_id, head))
            elif subscription.pattern is not None:
                for position, log in matching(news.logs, subscription.pattern):
                    shaped = msgspec.json.encode(news.log_object(position, log))
                    self._offer(notification(subscription_id, shaped))

    def on_transaction(self, transaction_hash: bytes) -> None:
        """Queue the hash of a transaction that entered the pool, where it was subscribed to."""
        for subscription_id, subscription in self._subscriptions.items():
            if subscription.kind == "newPendingTransactions":
                self._offer(notification(subscription_id, b'"0x%b"' % transaction_hash.hex().encode()))

    async def send(self, message: bytes) -> None:
        """Queue an answer once there is room: a client that asks but does not read only stops itself."""
        await self._has_room.wait()
        self._put(message)

    async def messages(self) -> AsyncIterator[bytes]:
        """Give the queued messages, oldest first, until the connection is dropped."""
        while not self._is_dropped.is_set():
            await self._has_messages.wait()
            message = self._outbox.popleft()
            self._outbox_bytes -= len(message)
            self._mark()
            yield message

    def _offer(self, message: bytes) -> None:
        """Queue news, or drop the connection when there is no room for it."""
        if self._has_room.is_set():
            self._put(message)
        else:
            self._is_dropped.set()

    def _put(self, message: bytes) -> None:
        self._outbox.append(message)
        self._outbox_bytes += len(message)
        self._mark()

    def _mark(self) -> None:
        limits = self._limits
        is_full = len(self._outbox) >= limits.subscriber_queue_max or self._outbox_bytes >= limits.subscriber_bytes_max
        (self._has_room.clear if is_full else self._has_room.set)()
        (self._has_messages.set if self._outbox else self._has_messages.clear)()

    async def dropped(self) -> None:
        """Return once the connection is to be closed because it reads too slowly."""
        await self._is_dropped.wait()


class SubscriptionHub:
    """All subscribers; the node's service tells it of blocks and transactions."""

    def __init__(self, dispatcher: Dispatcher, limits: Limits, random_bytes: Callable[[int], bytes]) -> None:
        self._dispatcher = dispatcher
        self._limits = limits
        self._random_bytes = random_bytes
        self._subscribers: dict[int, Subscriber] = {}

    def __len__(self) -> int:
        return len(self._subscribers)

    def connect(self) -> Subscriber:
        """Return a new connection's subscriber."""
        subscriber = Subscriber(self._dispatcher, self._limits, self._random_bytes)
        self._subscribers[id(subscriber)] = subscriber
        return subscriber

    def disconnect(self, subscriber: Subscriber) -> None:
        """Forget a connection."""
        self._subscribers.pop(id(subscriber), None)

    def on_block(self, news: BlockNews) -> None:
        """Tell every subscriber of a new block. Call it on the event loop."""
        if not self._subscribers:
            return
        head = msgspec.json.encode(news.head)
        for subscriber in list(self._subscribers.values()):
            subscriber.on_block(news, head)

    def on_transaction(self, transaction_hash: bytes) -> None:
        """Tell every subscriber of a transaction that entered the pool. Call it on the event loop."""
        for subscriber in list(self._subscribers.values()):
            subscriber.on_transaction(transaction_hash)


def _parse_kind(value: object) -> str:
    if not isinstance(value, str) or value not in KINDS:
        raise InvalidParams(f"expected one of {', '.join(KINDS)}, found {shown(value)}")
    return value


def _parse_id(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidParams(f"expected a subscription id, found {shown(value)}")
    return value


def _object(value: object) -> object:
    return value
