"""Transactions between neighbours: which peer knows which, and what is announced to whom.

What entered here is sent whole to every peer, soon and together; what came from a peer is announced by hash, since most
neighbours have it already. Everything remembered of a peer is bounded.
"""

from collections import OrderedDict, deque

from cocket.node.chain.transaction import Transaction
from cocket.node.protocols.eth import NewPooledTransactionHashes, Transactions

KNOWN_MAX = 32_768  # hashes remembered of a peer: a minute of ten times our throughput
WAITING_MAX = 16_384  # transactions that wait for the next flush; more are found by their hash later
MESSAGE_BYTES = 512 * 1024  # a Transactions message is closed at this size, far below the 10 MiB of a message
ANNOUNCED_MAX = 4096  # hashes in one announcement (devp2p's soft limit)


class Known:
    """The hashes that a peer has told of or was told of; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, transaction_hash: bytes) -> bool:
        return transaction_hash in self._hashes

    def add(self, transaction_hash: bytes) -> None:
        """Remember a hash."""
        self._hashes[transaction_hash] = None
        while len(self._hashes) > KNOWN_MAX:
            self._hashes.popitem(last=False)


class Relay:
    """The transactions that wait to be told to the neighbours."""

    def __init__(self) -> None:
        self._whole: deque[Transaction] = deque(maxlen=WAITING_MAX)
        self._by_hash: deque[Transaction] = deque(maxlen=WAITING_MAX)

    def add_own(self, transaction: Transaction) -> bool:
        """Queue a transaction that a client brought here; True when a flush has to be planned."""
        was_empty = self.is_empty()
        self._whole.append(transaction)
        return was_empty

    def add_relayed(self, transaction: Transaction) -> bool:
        """Queue a transaction that a peer brought; True when a flush has to be planned."""
        was_empty = self.is_empty()
        self._by_hash.append(transaction)
        return was_empty

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._whole and not self._by_hash

    def messages_for(self, known: Known) -> list[Transactions | NewPooledTransactionHashes]:
        """Return what to tell one peer now, and mark it as known to it."""
        messages: list[Transactions | NewPooledTransactionHashes] = []
        part: list[bytes] = []
        size = 0
        for transaction in self._whole:
            if transaction.hash in known:
                continue
            known.add(transaction.hash)
            part.append(transaction.raw)
            size += len(transaction.raw)
            if size >= MESSAGE_BYTES:
                messages.append(Transactions(tuple(part)))
                part, size = [], 0
        if part:
            messages.append(Transactions(tuple(part)))
        fresh = [transaction for transaction in self._by_hash if transaction.hash not in known]
        for start in range(0, len(fresh), ANNOUNCED_MAX):
            chosen = fresh[start : start + ANNOUNCED_MAX]
            for transaction in chosen:
                known.add(transaction.hash)
            messages.append(
                NewPooledTransactionHashes(
                    bytes(transaction.type for transaction in chosen),
                    tuple(len(transaction.raw) for transaction in chosen),
                    tuple(transaction.hash for transaction in chosen),
                )
            )
        return messages

    def clear(self) -> None:
        """Forget what waited; every peer was told."""
        self._whole.clear()
        self._by_hash.clear()
