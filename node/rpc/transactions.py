"""The methods that bring transactions to the pool and tell what became of them.

Checking a transaction costs a signature recovery and may cost a question to the permission contract, so it is done on
a thread of its own, many at a turn. It never holds the event loop, and never more than a bounded number.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.pool import Pool
from cocket.node.chain.transaction import Transaction
from cocket.node.errors import Refused
from cocket.node.rpc.backend import Backend
from cocket.node.rpc.encoding import data, parse_data, parse_hash, quantity
from cocket.node.rpc.errors import ResourceUnavailable, TransactionRejected
from cocket.node.rpc.jsonrpc import Method, Parameter, Weight
from cocket.node.rpc.objects import JsonObject

TURN_LENGTH = 64
"""Transactions checked before their senders are told: few enough for a prompt answer, enough to share the hand-over."""


class Intake:
    """Brings raw transactions to the pool on one thread, in the order in which they came."""

    def __init__(self, pool: Pool, queue_max: int, on_accepted: Callable[[Transaction], None]) -> None:
        self._pool = pool
        self._queue_max = queue_max
        self._on_accepted = on_accepted
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="rpc-intake")
        self._waiting: deque[tuple[bytes, asyncio.Future[bytes]]] = deque()
        self._is_running = False
        self._is_stopped = False

    async def submit(self, raw: bytes) -> bytes:
        """Return the hash of a transaction that the pool took.

        Raises what the pool says against it, or ``ResourceUnavailable`` when too many wait.
        """
        if self._is_stopped:
            raise ResourceUnavailable("the node is stopping")
        known = keccak256(raw)
        if self._pool.get(known) is not None:
            return known
        if len(self._waiting) >= self._queue_max:
            raise ResourceUnavailable(f"the node is busy: {len(self._waiting)} transactions wait; try again later")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes] = loop.create_future()
        self._waiting.append((raw, future))
        if not self._is_running:
            self._start_turn(loop)
        return await future

    async def stop(self) -> None:
        """Refuse what waits and return once the thread has ended."""
        self._is_stopped = True
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(ResourceUnavailable("the node is stopping"))
        await asyncio.to_thread(self._executor.shutdown)

    def _start_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        turn = [self._waiting.popleft() for _ in range(min(TURN_LENGTH, len(self._waiting)))]
        self._is_running = True
        self._executor.submit(self._check, loop, turn)

    def _check(self, loop: asyncio.AbstractEventLoop, turn: list[tuple[bytes, "asyncio.Future[bytes]"]]) -> None:
        """Bring a turn's transactions to the pool, on the thread."""
        outcomes: list[bytes | Exception] = []
        for raw, _ in turn:
            try:
                outcomes.append(self._pool.add(raw))
            except Exception as error:  # every outcome, our own faults too, is for whoever sent it
                outcomes.append(error)
        loop.call_soon_threadsafe(self._end_turn, loop, turn, outcomes)

    def _end_turn(
        self,
        loop: asyncio.AbstractEventLoop,
        turn: list[tuple[bytes, "asyncio.Future[bytes]"]],
        outcomes: list[bytes | Exception],
    ) -> None:
        """Tell the senders of a turn, on the event loop, and begin the next."""
        self._is_running = False
        if self._waiting and not self._is_stopped:
            self._start_turn(loop)
        for (_, future), outcome in zip(turn, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, bytes):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)
        for transaction in (self._pool.get(outcome) for outcome in outcomes if isinstance(outcome, bytes)):
            if transaction is not None:
                self._on_accepted(transaction)


class TransactionMethods:
    """Sending transactions, and asking for their fate."""

    def __init__(self, backend: Backend, intake: Intake) -> None:
        self._backend = backend
        self._intake = intake

    def methods(self) -> tuple[Method, ...]:
        """Give the methods by their names."""
        transaction_hash = Parameter("transaction hash", parse_hash)
        return (
            Method("eth_sendRawTransaction", self.send, (Parameter("transaction", parse_data),), Weight.DEFERRED),
            Method("txpool_status", self.pool_status),
            Method("cocket_transactionStatus", self.transaction_status, (transaction_hash,)),
        )

    async def send(self, raw: bytes) -> str:
        """Bring a signed transaction to the pool and give its hash. Raises ``TransactionRejected`` with the reason."""
        try:
            return data(await self._intake.submit(raw))
        except Refused as error:
            raise TransactionRejected(str(error)) from None

    def pool_status(self) -> JsonObject:
        """How many transactions are pending, and how many wait for an earlier nonce."""
        pending, queued = self._backend.pool.status()
        return {"pending": quantity(pending), "queued": quantity(queued)}

    def transaction_status(self, transaction_hash: bytes) -> JsonObject:
        """What became of a transaction: final, pending, queued, dropped (and why), or unknown."""
        location = self._backend.ledger.transaction_location(transaction_hash)
        if location is not None:
            number, index = location
            return {"status": "final", "blockNumber": quantity(number), "transactionIndex": quantity(index)}
        pool = self._backend.pool
        waiting = pool.get(transaction_hash)
        if waiting is not None:
            next_nonce = pool.next_nonce(waiting.sender)
            if waiting.nonce < next_nonce:
                return {"status": "pending"}
            return {"status": "queued", "reason": f"it has nonce {waiting.nonce}, nonce {next_nonce} is missing"}
        reason = pool.why(transaction_hash)
        if reason is not None:
            return {"status": "dropped", "reason": reason}
        return {"status": "unknown"}
