"""Where a simulated machine's blocks are: real headers, hashes and seals, and an execution that is only a hash.

``StubChain`` is durable as the node's database is: what a synced ``commit`` returned for survives every crash, and what
came before it; blocks committed without ``sync`` are gone.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from cocket.node.chain.block import Block
from cocket.node.chain.extra_data import ExtraData, encode_extra_data
from cocket.node.chain.hashing import EMPTY_OMMERS_HASH, EMPTY_ROOT, ZERO_ADDRESS, ZERO_HASH, keccak256
from cocket.node.chain.header import Header, block_hash
from cocket.node.consensus.seals import validate_seals
from cocket.node.errors import InvalidBlock

GENESIS_TIME_S = 1_700_000_000
SLOW_MARK = b"slow"
"""A block with this mark takes every machine far longer to execute than a round lasts."""
MIX_HASH = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")


def is_slow(block: Block) -> bool:
    return any(transaction[1:].startswith(SLOW_MARK) for transaction in block.transactions)


ValidatorsAt = Callable[[int], tuple[bytes, ...]]


def genesis_header() -> Header:
    return Header(
        ZERO_HASH,
        EMPTY_OMMERS_HASH,
        ZERO_ADDRESS,
        EMPTY_ROOT,
        EMPTY_ROOT,
        EMPTY_ROOT,
        bytes(256),
        1,
        0,
        30_000_000,
        0,
        GENESIS_TIME_S,
        encode_extra_data(ExtraData()),
        MIX_HASH,
        bytes(8),
        0,
    )


class Chain(Protocol):
    """What a machine needs of a chain."""

    def reopen(self) -> None:
        """Begin again with what is on the disk."""

    @property
    def head(self) -> Header: ...
    def validators_after(self, header: Header) -> tuple[bytes, ...]: ...
    def block_at(self, number: int) -> Block | None: ...
    def build(self, parent: Header, coinbase: bytes, round_number: int, timestamp: int, mark: bytes = b"") -> Block: ...
    def validate(self, block: Block, now_s: int) -> None:
        """InvalidBlock unless the unsealed block is valid on our head."""

    def commit(self, block: Block, now_s: int | None, *, sync: bool = True) -> None:
        """Store a sealed block that consensus decided or a peer gave; InvalidBlock unless it and its seals hold."""

    def sync(self) -> None:
        """Make all blocks durable."""


class StubChain:
    """A chain whose state root is the hash of the parent's and the transactions."""

    def __init__(self, validators_at: ValidatorsAt, block_period_s: int) -> None:
        self._validators_at = validators_at
        self._block_period_s = block_period_s
        self._blocks: list[Block] = [Block(genesis_header())]
        self._durable = 1

    def reopen(self) -> None:
        del self._blocks[self._durable :]

    def sync(self) -> None:
        self._durable = len(self._blocks)

    @property
    def head(self) -> Header:
        return self._blocks[-1].header

    def validators_after(self, header: Header) -> tuple[bytes, ...]:
        return self._validators_at(header.number + 1)

    def block_at(self, number: int) -> Block | None:
        return self._blocks[number] if number < len(self._blocks) else None

    def build(self, parent: Header, coinbase: bytes, round_number: int, timestamp: int, mark: bytes = b"") -> Block:
        """Return a block of two transactions; ``mark`` makes another one of the same coinbase."""
        number = parent.number + 1
        salt = coinbase + number.to_bytes(8, "big") + mark
        transactions = tuple([b"\x02" + mark + keccak256(salt + bytes([i])) for i in range(2)])
        header = replace(
            parent,
            parent_hash=block_hash(parent),
            coinbase=coinbase,
            state_root=_state_root(parent, transactions),
            transactions_root=keccak256(b"".join(transactions)),
            number=number,
            timestamp=timestamp,
            extra_data=encode_extra_data(ExtraData(round=round_number)),
        )
        return Block(header, transactions)

    def validate(self, block: Block, now_s: int) -> None:
        header, parent = block.header, self.head
        if header.number != parent.number + 1 or header.parent_hash != block_hash(parent):
            raise InvalidBlock(f"block {header.number}: not on block {parent.number}")
        if header.timestamp < parent.timestamp + self._block_period_s:
            raise InvalidBlock(f"timestamp: found {header.timestamp}, expected the period after {parent.timestamp}")
        if header.timestamp > now_s + 1:
            raise InvalidBlock(f"timestamp: found {header.timestamp}, expected at most {now_s + 1}")
        if header.coinbase not in self.validators_after(parent):
            raise InvalidBlock("coinbase: no validator")
        if header.transactions_root != keccak256(b"".join(block.transactions)):
            raise InvalidBlock("transactions root")
        if header.state_root != _state_root(parent, block.transactions):
            raise InvalidBlock("state root")

    def commit(self, block: Block, now_s: int | None, *, sync: bool = True) -> None:
        self.validate(block, block.header.timestamp)
        validate_seals(block.header, self.validators_after(self.head))
        self._blocks.append(block)
        if sync:
            self.sync()


def _state_root(parent: Header, transactions: tuple[bytes, ...]) -> bytes:
    return keccak256(parent.state_root + b"".join(transactions))
