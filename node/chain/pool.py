"""Transactions that wait for a block: who may wait, in which order they are offered, and why one was dropped.

The pool is this node's own opinion and never part of validity: the importer asks it nothing but bytes it has already
decoded. It runs no transaction. Everything in it is bounded, because anybody may fill it.

At price zero the first seen stays: another transaction of the same sender and nonce replaces it only when it pays
strictly more, by both fee fields. Transactions behind a gap of nonces are *queued*; the others are *pending*.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cocket.node.chain.hashing import EMPTY_KECCAK, keccak256
from cocket.node.chain.header import Header
from cocket.node.chain.header_rules import next_base_fee
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.permission import PermissionRule
from cocket.node.chain.sender_queue import SenderQueue, Waiting, validate_replacement
from cocket.node.chain.state import Account
from cocket.node.chain.transaction import Transaction, decode_transaction, validate_transaction
from cocket.node.errors import InvalidTransaction, Refused

_SWEEP_BLOCKS = 64  # between looks for what has waited too long: walking the whole pool is not for every block


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """What the pool holds at most; each bound keeps others from filling it.

    The whole pool fits in memory beside the node. A sender gets a share that one block can use, so that many senders
    find room. Queued transactions may never run, so they get a quarter. A transaction of 128 KiB carries the largest
    initcode; geth and Besu relay no larger ones. What could not run for some hours leaves, so that gaps that nobody
    fills do not wait for ever.

    A full pool shuts nobody out, as gas may be free and one participant may hold many keys: the next transaction of a
    sender with nothing pending takes its room from the sender that holds the most bytes (of equals, the one that came
    last), if that is more than it brings itself. That sender's highest nonces leave, with a reason. So an authority's
    small transaction always finds room, and equals do not push each other out in turns.
    """

    bytes_max: int = 64 * 1024 * 1024
    queued_bytes_max: int = 16 * 1024 * 1024
    sender_count_max: int = 1024
    sender_bytes_max: int = 4 * 1024 * 1024
    transaction_bytes_max: int = 128 * 1024
    drops_max: int = 8192
    wait_blocks_max: int = 7200


class Pool:
    """The waiting transactions of one node; safe from any thread."""

    def __init__(self, ledger: Ledger, permission: PermissionRule, limits: PoolLimits | None = None) -> None:
        self._ledger = ledger
        self._spec = ledger.genesis.spec
        self._permission = permission
        self._limits = limits or PoolLimits()
        self._senders: dict[bytes, SenderQueue] = {}
        self._by_hash: dict[bytes, Transaction] = {}
        self._drops: OrderedDict[bytes, str] = OrderedDict()
        self._bytes = 0
        self._queued_bytes = 0
        self._arrivals = 0
        self._lock = threading.Lock()

    def add(self, raw: bytes) -> bytes:
        """Take a transaction in and return its hash; one that waits already stays as it is.

        InvalidTransaction when it can never, or not from this nonce and balance, be part of a block; Refused when a
        bound, the permission contract or an earlier transaction of the same nonce says no.
        """
        if len(raw) > self._limits.transaction_bytes_max:
            raise Refused(f"transaction: {len(raw)} bytes, at most {self._limits.transaction_bytes_max} are taken")
        known = keccak256(raw)
        if known in self._by_hash:
            return known
        transaction = decode_transaction(raw)
        head = self._ledger.head
        self._validate_at(transaction, head)
        self._permission.validate(transaction, head)
        with self._lock:
            if known not in self._by_hash:
                self._insert(transaction, self._validate_account(transaction))
        return known

    def get(self, transaction_hash: bytes) -> Transaction | None:
        """Return a waiting transaction, or None."""
        return self._by_hash.get(transaction_hash)

    def why(self, transaction_hash: bytes) -> str | None:
        """Return why a transaction left the pool, or None when that is not known (any more)."""
        return self._drops.get(transaction_hash)

    def status(self) -> tuple[int, int]:
        """Return how many transactions are (pending, queued)."""
        with self._lock:
            pending = sum(sender.pending_end - sender.nonce for sender in self._senders.values())
            return pending, len(self._by_hash) - pending

    def size_bytes(self) -> int:
        """Return how many bytes of transactions wait."""
        return self._bytes

    def next_nonce(self, address: bytes) -> int:
        """Return the nonce that an account's next transaction needs, after those that are pending."""
        with self._lock:
            sender = self._senders.get(address)
            if sender is not None:
                return sender.pending_end
        _, state = self._ledger.head_state()
        account = state.account(address)
        return account.nonce if account else 0

    def content(self) -> tuple[Transaction, ...]:
        """Return every waiting transaction, pending or queued, in order of arrival."""
        with self._lock:
            entries = [entry for sender in self._senders.values() for entry in sender.entries.values()]
        return tuple(entry.transaction for entry in sorted(entries, key=lambda entry: entry.arrival))

    def pending(self, base_fee: int | None = None, count_max: int = 1 << 20) -> Iterator[Transaction]:
        """Yield pending transactions that pay ``base_fee``, by turns: one of each sender, then the next of each.

        Senders come in the order in which they began to wait; who was in the last block begins anew. A sender's nonces
        are in order. The same pool gives the same order. Who skips one has to skip its sender's later ones too.
        """
        with self._lock:
            senders = sorted(self._senders.values(), key=lambda sender: sender.turn)
            runs = [sender.run(base_fee or 0, count_max) for sender in senders]
        queues = deque(deque(run) for run in runs if run)
        for _ in range(count_max):
            if not queues:
                return
            queue = queues.popleft()
            yield queue.popleft()
            if queue:
                queues.append(queue)

    def drop(self, transaction_hash: bytes, reason: str) -> None:
        """Remove one transaction and remember why; the sender's later ones are then queued."""
        with self._lock:
            transaction = self._by_hash.get(transaction_hash)
            if transaction is not None:
                self._remove(transaction, reason)
                self._settle(transaction.sender)

    def on_block(self, transactions: Iterable[Transaction]) -> None:
        """Follow the ledger to a new head: what it includes leaves, and what its nonces made impossible."""
        head, state = self._ledger.head_state()
        included = {transaction.hash: transaction.sender for transaction in transactions}
        with self._lock:
            for address in dict.fromkeys(included.values()):
                sender = self._senders.get(address)
                if sender is None:
                    continue
                account = state.account(address)
                sender.nonce = account.nonce if account else 0
                sender.turn = self._next_arrival()
                for nonce in [nonce for nonce in sender.entries if nonce < sender.nonce]:
                    transaction = sender.entries[nonce].transaction
                    if transaction.hash in included:
                        reason = f"included in block {head.number}"
                    else:
                        reason = f"stale: another transaction with nonce {nonce} is in block {head.number}"
                    self._remove(transaction, reason)
                self._settle(address)
            if head.number % _SWEEP_BLOCKS == 0:
                self._sweep(head.number - self._limits.wait_blocks_max)

    def _validate_at(self, transaction: Transaction, head: Header) -> None:
        """Check all that needs no account, as the block after ``head`` will see it."""
        number = head.number + 1
        fork = self._spec.fork_at(number, head.timestamp + self._spec.rules_at(number).block_period_s)
        validate_transaction(transaction, self._spec, number, fork, next_base_fee(head, self._spec))
        if transaction.gas_limit > head.gas_limit:
            raise InvalidTransaction(f"gas limit: found {transaction.gas_limit}, a block holds {head.gas_limit}")

    def _validate_account(self, transaction: Transaction) -> int:
        """Check what needs the sender's account at the head, and return the account's nonce."""
        _, state = self._ledger.head_state()
        account = state.account(transaction.sender) or Account()
        if transaction.nonce < account.nonce:
            raise InvalidTransaction(
                f"nonce: found {transaction.nonce}, expected {account.nonce} or above: it was used already"
            )
        if account.code_hash != EMPTY_KECCAK:
            raise InvalidTransaction(f"sender: found a contract at 0x{transaction.sender.hex()}, expected no code")
        needed = transaction.value + transaction.gas_limit * transaction.fee_cap
        if account.balance < needed:
            raise InvalidTransaction(
                f"balance: found {account.balance} wei, expected at least {needed} for value and gas"
            )
        return account.nonce

    def _insert(self, transaction: Transaction, nonce: int) -> None:
        limits, size = self._limits, len(transaction.raw)
        sender = self._senders.get(transaction.sender) or SenderQueue(nonce)
        if transaction.nonce < sender.nonce:
            raise InvalidTransaction(f"nonce: found {transaction.nonce}, expected {sender.nonce} or above")
        old = sender.entries.get(transaction.nonce)
        if old is not None:
            validate_replacement(old.transaction, transaction)
            size -= len(old.transaction.raw)
        elif len(sender.entries) >= limits.sender_count_max:
            raise Refused(f"pool: {len(sender.entries)} transactions of this sender wait, no more may")
        if transaction.nonce >= sender.nonce + limits.sender_count_max:
            raise Refused(
                f"pool: nonce {transaction.nonce} is {transaction.nonce - sender.nonce} above the next one, less than "
                f"{limits.sender_count_max} is taken"
            )
        if sender.bytes + size > limits.sender_bytes_max:
            raise Refused(
                f"pool: {sender.bytes} bytes of this sender wait, at most {limits.sender_bytes_max} are taken"
            )
        giver = None
        if self._bytes + size > limits.bytes_max:
            has_claim = transaction.nonce == sender.nonce == sender.pending_end
            giver = self._largest_sender() if has_claim else None
            if giver is None or giver.bytes <= size:
                raise Refused(f"pool: {self._bytes} bytes wait, at most {limits.bytes_max} may: try again later")
        is_queued = transaction.nonce > sender.pending_end
        if is_queued and self._queued_bytes + size > limits.queued_bytes_max:
            raise Refused(f"pool: {self._queued_bytes} bytes wait behind gaps: send nonce {sender.pending_end}")
        if giver is not None:
            self._take_room(giver, size)
        if old is not None:
            self._forget(old.transaction, "replaced by one that pays more")
        arrival = old.arrival if old else self._next_arrival()
        before = sender.queued_bytes
        sender.insert(Waiting(transaction, arrival, self._ledger.head.number))
        self._senders[transaction.sender] = sender
        self._by_hash[transaction.hash] = transaction
        self._drops.pop(transaction.hash, None)
        self._bytes += size
        self._queued_bytes += sender.queued_bytes - before

    def _largest_sender(self) -> SenderQueue | None:
        """Return who holds the most bytes; of equals, whose first transaction came last."""

        def share(sender: SenderQueue) -> tuple[int, int]:
            return sender.bytes, next(iter(sender.entries.values())).arrival

        return max(self._senders.values(), key=share, default=None)

    def _take_room(self, giver: SenderQueue, size: int) -> None:
        """Drop a sender's highest nonces until ``size`` bytes fit; it holds more than that, so it alone is enough."""
        address = next(iter(giver.entries.values())).transaction.sender
        for nonce in sorted(giver.entries, reverse=True):
            if self._bytes + size <= self._limits.bytes_max:
                break
            self._remove(giver.entries[nonce].transaction, "the pool is full, and its sender holds the most of it")
        self._settle(address)

    def _next_arrival(self) -> int:
        self._arrivals += 1
        return self._arrivals

    def _remove(self, transaction: Transaction, reason: str) -> None:
        self._senders[transaction.sender].remove(transaction.nonce)
        self._forget(transaction, reason)
        self._bytes -= len(transaction.raw)

    def _forget(self, transaction: Transaction, reason: str) -> None:
        del self._by_hash[transaction.hash]
        self._drops[transaction.hash] = reason
        while len(self._drops) > self._limits.drops_max:
            self._drops.popitem(last=False)

    def _sweep(self, before: int) -> None:
        """Drop what came while the head was below ``before``."""
        for address, sender in list(self._senders.items()):
            old = [waiting.transaction for waiting in sender.entries.values() if waiting.since < before]
            for transaction in old:
                self._remove(transaction, f"it could not run for {self._limits.wait_blocks_max} blocks")
            if old:
                self._settle(address)

    def _settle(self, address: bytes) -> None:
        """Bring a sender's sums in order after something of it left."""
        sender = self._senders[address]
        before = sender.queued_bytes
        sender.settle()
        self._queued_bytes += sender.queued_bytes - before
        if not sender.entries:
            del self._senders[address]
