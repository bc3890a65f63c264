"""Transactions between neighbours: which peer knows which, and what is announced to whom.

What entered here is sent whole to every peer, soon and together. What came from a peer is announced by hash, later:
where all are neighbours everybody has it from its origin by then, or it is in a block, and nothing need be said.
Everything remembered of a peer is bounded.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence

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
        self._own: deque[Transaction] = deque(maxlen=WAITING_MAX)
        self._relayed: deque[Transaction] = deque(maxlen=WAITING_MAX)

    def add_own(self, transaction: Transaction) -> None:
        """Queue a transaction that a client brought here."""
        self._own.append(transaction)

    def add_relayed(self, transaction: Transaction) -> None:
        """Queue a transaction that a peer brought."""
        self._relayed.append(transaction)

    def take_own(self) -> tuple[Transaction, ...]:
        """Return what clients brought, and forget it."""
        return _take(self._own)

    def take_relayed(self) -> tuple[Transaction, ...]:
        """Return what peers brought, and forget it."""
        return _take(self._relayed)


def whole_messages(transactions: Iterable[Transaction], known: Known) -> list[Transactions]:
    """Return the messages that bring one peer what it does not know, and mark that as known to it."""
    messages: list[Transactions] = []
    part: list[bytes] = []
    size = 0
    for transaction in _unknown(transactions, known):
        part.append(transaction.raw)
        size += len(transaction.raw)
        if size >= MESSAGE_BYTES:
            messages.append(Transactions(tuple(part)))
            part, size = [], 0
    if part:
        messages.append(Transactions(tuple(part)))
    return messages


def announcements(transactions: Iterable[Transaction], known: Known) -> list[NewPooledTransactionHashes]:
    """Return the messages that tell one peer the hashes it does not know, and mark them as known to it."""
    fresh = _unknown(transactions, known)
    return [_announcement(fresh[start : start + ANNOUNCED_MAX]) for start in range(0, len(fresh), ANNOUNCED_MAX)]


def _announcement(transactions: Sequence[Transaction]) -> NewPooledTransactionHashes:
    return NewPooledTransactionHashes(
        bytes([transaction.type for transaction in transactions]),
        tuple([len(transaction.raw) for transaction in transactions]),
        tuple([transaction.hash for transaction in transactions]),
    )


def _unknown(transactions: Iterable[Transaction], known: Known) -> list[Transaction]:
    fresh = []
    for transaction in transactions:
        if transaction.hash not in known:
            known.add(transaction.hash)
            fresh.append(transaction)
    return fresh


def _take(queue: deque[Transaction]) -> tuple[Transaction, ...]:
    taken = tuple(queue)
    queue.clear()
    return taken
