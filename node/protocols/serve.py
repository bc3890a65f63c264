"""Answers to what peers ask of the chain and the pool, each bounded in count and bytes.

The only place that knows how much one answer may hold. It reads through `ChainSource` and `PoolSource`, keeps nothing,
and never refuses a well-formed request: what we do not have is left out, as eth/68 wants.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from cocket.node.chain.block import is_legacy
from cocket.node.chain.header import Header, encode_header
from cocket.node.chain.receipt import Receipt
from cocket.node.chain.rlp_codec import encode
from cocket.node.chain.transaction import Transaction
from cocket.node.protocols.eth import (
    Code,
    GetBlockBodies,
    GetBlockHeaders,
    GetPooledTransactions,
    GetReceipts,
    encode_answer,
    encode_receipts,
)

HEADERS_MAX = 512
BODIES_MAX = 128
RECEIPTS_MAX = 256
TRANSACTIONS_MAX = 256
"""Besu serves as many; a peer that asks for more gets these."""
ANSWER_BYTES_SOFT = 2 * 1024 * 1024
"""An answer that has reached this holds no further item (geth's limit): the loop is busy with it for some 20 ms."""
ANSWER_BYTES_MAX = 10 * 1024 * 1024 - 1024
"""An item that would take an answer over this is left out with all after it: peers drop a session for more."""

Request = GetBlockHeaders | GetBlockBodies | GetReceipts | GetPooledTransactions


class ChainSource(Protocol):
    """What serving needs of the ledger; None for what it has not."""

    def header_by_number(self, number: int, /) -> Header | None:
        """Return the header at a height."""

    def header_by_hash(self, block_hash: bytes, /) -> Header | None:
        """Return the header of a block."""

    def body_bytes(self, block_hash: bytes, /) -> bytes | None:
        """Return a block's body as RLP."""

    def receipts_by_hash(self, block_hash: bytes, /) -> tuple[Receipt, ...] | None:
        """Return the receipts of a block."""


class PoolSource(Protocol):
    """What serving needs of the pool."""

    def get(self, transaction_hash: bytes, /) -> Transaction | None:
        """Return a pending transaction."""


def answer(request: Request, chain: ChainSource, pool: PoolSource) -> tuple[Code, bytes]:
    """Return code and RLP of the answer to a request; empty when we have nothing of it."""
    match request:
        case GetBlockHeaders():
            headers = (encode_header(header) for header in _headers(request, chain))
            return encode_answer(Code.BLOCK_HEADERS, request.request_id, _weighed(headers))
        case GetBlockBodies():
            return encode_answer(Code.BLOCK_BODIES, request.request_id, _weighed(_bodies(request.hashes, chain)))
        case GetReceipts():
            return encode_answer(Code.RECEIPTS, request.request_id, _weighed(_receipts(request.hashes, chain)))
        case GetPooledTransactions():
            found = _transactions(request.hashes, pool)
            return encode_answer(Code.POOLED_TRANSACTIONS, request.request_id, _weighed(found))


def _weighed(encoded: Iterable[bytes]) -> list[bytes]:
    """Return the items from the first on that fit one answer."""
    kept: list[bytes] = []
    size = 0
    for item in encoded:
        size += len(item)
        if size > ANSWER_BYTES_MAX:
            break
        kept.append(item)
        if size >= ANSWER_BYTES_SOFT:
            break
    return kept


def _headers(request: GetBlockHeaders, chain: ChainSource) -> Iterator[Header]:
    start = request.start
    header = chain.header_by_number(start) if isinstance(start, int) else chain.header_by_hash(start)
    step = (request.skip + 1) * (-1 if request.is_reverse else 1)
    for left in range(min(request.limit, HEADERS_MAX), 0, -1):
        if header is None:
            return
        yield header
        number = header.number + step
        header = chain.header_by_number(number) if number >= 0 and left > 1 else None


def _bodies(hashes: tuple[bytes, ...], chain: ChainSource) -> Iterator[bytes]:
    for block_hash in hashes[:BODIES_MAX]:
        body = chain.body_bytes(block_hash)
        if body is not None:
            yield body


def _receipts(hashes: tuple[bytes, ...], chain: ChainSource) -> Iterator[bytes]:
    for block_hash in hashes[:RECEIPTS_MAX]:
        receipts = chain.receipts_by_hash(block_hash)
        if receipts is not None:
            yield encode_receipts(receipts)


def _transactions(hashes: tuple[bytes, ...], pool: PoolSource) -> Iterator[bytes]:
    for transaction_hash in hashes[:TRANSACTIONS_MAX]:
        transaction = pool.get(transaction_hash)
        if transaction is not None:
            yield transaction.raw if is_legacy(transaction.raw) else encode(transaction.raw)
