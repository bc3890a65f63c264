"""What the methods read from: ledger, pool and node status, with the last blocks kept decoded.

This part alone turns a caller's block selector into a header. It never writes, and any thread may ask it.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from threading import Lock

from cocket.node.chain.block import Block, encode_block
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import Header
from cocket.node.chain.header_rules import next_base_fee
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.pool import Pool
from cocket.node.chain.receipt import Receipt
from cocket.node.chain.state import StateReader
from cocket.node.chain.transaction import Transaction, decode_transaction
from cocket.node.errors import NodeFault
from cocket.node.rpc.encoding import BlockSelector, data
from cocket.node.rpc.errors import LimitExceeded, ResourceNotFound
from cocket.node.rpc.limits import DEFAULT_LIMITS, Limits
from cocket.node.rpc.objects import Place
from cocket.node.rpc.status import NodeStatus

BLOCKS_KEPT = 16
"""Decoded blocks in memory: clients ask for the receipts of the last few, one transaction at a time."""


class LoadedBlock:
    """A block with what its transactions and receipts look like; each part is decoded when it is first asked for."""

    def __init__(self, block: Block, block_hash: bytes, load_receipts: Callable[[], tuple[Receipt, ...]]) -> None:
        self.block = block
        self.hash = block_hash
        self._load_receipts = load_receipts
        self._receipts: tuple[Receipt, ...] | None = None
        self._transactions: dict[int, Transaction] = {}
        self._hashes: tuple[bytes, ...] | None = None
        self._log_counts: tuple[int, ...] | None = None

    @property
    def header(self) -> Header:
        """The block's header, with this node's seals."""
        return self.block.header

    @property
    def transaction_count(self) -> int:
        """How many transactions there are."""
        return len(self.block.transactions)

    @property
    def size(self) -> int:
        """The bytes of the block's RLP."""
        return len(encode_block(self.block))

    @property
    def transaction_hashes(self) -> tuple[bytes, ...]:
        """The transactions' hashes, in order."""
        if self._hashes is None:
            self._hashes = tuple(keccak256(raw) for raw in self.block.transactions)
        return self._hashes

    @property
    def has_receipts(self) -> bool:
        """Whether the receipts are decoded already."""
        return self._receipts is not None

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """The receipts, in order."""
        if self._receipts is None:
            self._receipts = self._load_receipts()
        return self._receipts

    def transaction(self, index: int) -> Transaction:
        """Return the transaction at an index; its sender is recovered once."""
        found = self._transactions.get(index)
        if found is None:
            found = self._transactions[index] = decode_transaction(self.block.transactions[index])
        return found

    def place(self, index: int) -> Place:
        """Return where the transaction at an index is."""
        return Place(self.block.header, self.hash, index)

    def before(self, index: int) -> tuple[int, int]:
        """Return the gas used and the number of logs of the transactions before an index."""
        if self._log_counts is None:
            self._log_counts = (0, *accumulate(len(receipt.logs) for receipt in self.receipts))
        return (self.receipts[index - 1].cumulative_gas_used if index else 0), self._log_counts[index]


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of the time that one heavy request may take."""

    clock: Callable[[], float]
    end_s: float
    allowed_s: float

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return self.clock() > self.end_s

    def check(self, what: str, advice: str) -> None:
        """Raise ``LimitExceeded`` once the time is over."""
        if self.is_over:
            raise LimitExceeded(f"{what} took over {self.allowed_s:g} s: {advice}")


class Backend:
    """The node as the methods see it."""

    def __init__(
        self,
        ledger: Ledger,
        pool: Pool,
        status: NodeStatus,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ledger = ledger
        self.pool = pool
        self.status = status
        self.limits = limits
        self._clock = clock
        self._blocks: OrderedDict[bytes, LoadedBlock] = OrderedDict()
        self._blocks_lock = Lock()

    @property
    def head(self) -> Header:
        """The header of the last final block."""
        return self.ledger.head

    @property
    def genesis_difficulty(self) -> int:
        """The difficulty of block 0."""
        return self.ledger.genesis.header.difficulty

    def deadline(self) -> Deadline:
        """Return the deadline of a heavy request that begins now."""
        return Deadline(self._clock, self._clock() + self.limits.call_s, self.limits.call_s)

    def find_header(self, selector: BlockSelector) -> Header | None:
        """Return the selected header or None. Blocks are final at once, so all tags but ``earliest`` are the head."""
        if selector.hash is not None:
            return self.ledger.header_by_hash(selector.hash)
        if selector.number is not None:
            return self.ledger.header_by_number(selector.number)
        return self.ledger.genesis.header if selector.tag == "earliest" else self.ledger.head

    def header(self, selector: BlockSelector) -> Header:
        """Return the selected header. Raises ``ResourceNotFound``."""
        found = self.find_header(selector)
        if found is not None:
            return found
        name = str(selector.number) if selector.hash is None else data(selector.hash)
        raise ResourceNotFound(f"no block {name}; the head is block {self.head.number}")

    def header_by_number(self, number: int) -> Header:
        """Return the header of a height that is known to be final."""
        found = self.ledger.header_by_number(number)
        if found is None:
            raise ResourceNotFound(f"no block {number}; the head is block {self.head.number}")
        return found

    def hash_at(self, number: int) -> bytes:
        """Return the hash of the block of a height that is known to be final."""
        found = self.ledger.hash_by_number(number)
        if found is None:
            raise ResourceNotFound(f"no block {number}; the head is block {self.head.number}")
        return found

    def is_head(self, selector: BlockSelector) -> bool:
        """Say whether the head is selected, which is read from flat tables at once."""
        if selector.tag is not None:
            return selector.tag != "earliest"
        head = self.ledger.head
        return selector.number == head.number or selector.hash == self.ledger.head_hash

    def state(self, selector: BlockSelector) -> StateReader:
        """Return the state after the selected block; it does not change while it is read."""
        return self.ledger.state(self.header(selector))

    def next_base_fee(self, header: Header) -> int | None:
        """Return the base fee of the block after a header, None before London."""
        return next_base_fee(header, self.ledger.genesis.spec)

    def loaded(self, selector: BlockSelector) -> LoadedBlock | None:
        """Return the selected block or None."""
        block_hash = self._hash_of(selector)
        return None if block_hash is None else self._load(block_hash)

    def load(self, header: Header) -> LoadedBlock:
        """Return the block of a final header."""
        found = self._load(self.hash_at(header.number))
        if found is None:
            raise NodeFault(f"block {header.number} has a header but no body: the database is damaged")
        return found

    def located(self, transaction_hash: bytes) -> tuple[LoadedBlock, int] | None:
        """Return the block of a final transaction and its index in it, or None."""
        location = self.ledger.transaction_location(transaction_hash)
        if location is None:
            return None
        number, index = location
        loaded = self._load(self.hash_at(number))
        return None if loaded is None else (loaded, index)

    def is_at_hand(self, selector: BlockSelector) -> bool:
        """Say whether the selected block is in memory, or does not exist."""
        block_hash = self._hash_of(selector)
        return block_hash is None or block_hash in self._blocks

    def is_transaction_at_hand(self, transaction_hash: bytes, *, with_receipt: bool) -> bool:
        """Say whether a transaction's block, or also its receipts, are in memory, or it is in none."""
        location = self.ledger.transaction_location(transaction_hash)
        if location is None:
            return True
        kept = self._blocks.get(self.hash_at(location[0]))
        return kept is not None and (kept.has_receipts or not with_receipt)

    def _hash_of(self, selector: BlockSelector) -> bytes | None:
        if selector.hash is not None:
            return selector.hash
        if selector.number is None and selector.tag != "earliest":
            return self.ledger.head_hash
        return self.ledger.hash_by_number(selector.number or 0)

    def _load(self, block_hash: bytes) -> LoadedBlock | None:
        with self._blocks_lock:
            kept = self._blocks.get(block_hash)
            if kept is not None:
                self._blocks.move_to_end(block_hash)
                return kept
        block = self.ledger.block_by_hash(block_hash)
        if block is None:
            return None
        loaded = LoadedBlock(block, block_hash, lambda: self.ledger.receipts_by_hash(block_hash) or ())
        with self._blocks_lock:
            self._blocks[block_hash] = loaded
            while len(self._blocks) > BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        return loaded
