"""One sender's waiting transactions, by nonce: which can run now, and which wait behind a gap.

It counts bytes and judges replacements; bounds over all senders, and everything about blocks, are the pool's.
"""

from dataclasses import dataclass

from cocket.node.chain.transaction import Transaction
from cocket.node.errors import Refused


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transaction, its place in the order of arrival, and the head's number when it came."""

    transaction: Transaction
    arrival: int
    since: int


class SenderQueue:
    """The transactions of one sender; those from ``nonce`` on without a gap are pending, the others queued.

    ``nonce`` is the account's at the head, ``pending_end`` the first that is missing; ``turn`` says whose comes first.
    """

    __slots__ = ("bytes", "entries", "nonce", "pending_end", "queued_bytes", "turn")

    def __init__(self, nonce: int) -> None:
        self.nonce = nonce
        self.pending_end = nonce
        self.entries: dict[int, Waiting] = {}
        self.bytes = 0
        self.queued_bytes = 0
        self.turn = 0

    def insert(self, waiting: Waiting) -> None:
        """Take a transaction in, in place of one with its nonce; what it was the gap of becomes pending."""
        transaction = waiting.transaction
        nonce, size = transaction.nonce, len(transaction.raw)
        if nonce == self.pending_end == self.nonce:
            self.turn = waiting.arrival
        old = self.entries.get(nonce)
        self.entries[nonce] = waiting
        change = size - (len(old.transaction.raw) if old else 0)
        self.bytes += change
        if nonce >= self.pending_end:
            self.queued_bytes += change
            self._extend()

    def remove(self, nonce: int) -> None:
        """Take a transaction out; ``settle`` has to follow."""
        del self.entries[nonce]

    def settle(self) -> None:
        """Find the gap and the sums anew after something left, or the account's nonce moved."""
        self.pending_end = self.nonce
        self.bytes = self.queued_bytes = sum(len(waiting.transaction.raw) for waiting in self.entries.values())
        self._extend()

    def run(self, base_fee: int, count_max: int) -> list[Transaction]:
        """Return the pending transactions up to the first that does not pay, at most ``count_max``."""
        run = []
        for nonce in range(self.nonce, min(self.pending_end, self.nonce + count_max)):
            transaction = self.entries[nonce].transaction
            if transaction.fee_cap < base_fee:
                break
            run.append(transaction)
        return run

    def _extend(self) -> None:
        while (waiting := self.entries.get(self.pending_end)) is not None:
            self.pending_end += 1
            self.queued_bytes -= len(waiting.transaction.raw)


def validate_replacement(old: Transaction, new: Transaction) -> None:
    """Refuse a second transaction of one nonce unless it pays strictly more, whatever the base fee will be."""
    if new.fee_cap <= old.fee_cap or new.tip_cap <= old.tip_cap:
        raise Refused(
            f"pool: nonce {old.nonce} is taken by 0x{old.hash.hex()}, offering {old.fee_cap} and {old.tip_cap} wei; "
            f"found {new.fee_cap} and {new.tip_cap}: a replacement must offer more in both"
        )
