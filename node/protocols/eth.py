"""The messages of eth/68: how nodes follow and serve a chain, in exact bytes.

The only place that knows their codes, shapes and limits. Decoding is strict and bounded: whatever a peer sends gives a
message or a PeerError, and no list in it is longer than its limit. It decides nothing but whether a Status fits ours.
(devp2p caps/eth.md, version 68; EIP-2124, EIP-4938, EIP-5793.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from cocket.node.chain import rlp_codec
from cocket.node.chain.block import (
    Block,
    Body,
    block_from_items,
    body_from_items,
    encode_block,
    encode_body,
    encode_transactions,
    transactions_from_items,
)
from cocket.node.chain.fork_id import ForkId
from cocket.node.chain.header import Header, encode_header, header_from_items
from cocket.node.chain.receipt import Receipt, decode_receipt, encode_receipt
from cocket.node.chain.rlp_codec import (
    LIST_ITEMS,
    Decoded,
    RlpError,
    decode,
    decode_list,
    encode,
    encode_int,
    expect_bytes,
    expect_int,
    expect_list,
    join_list,
    split_list,
)
from cocket.node.chain.spec import Genesis, fork_id, is_fork_compatible
from cocket.node.errors import InvalidBlock, PeerError

NAME = "eth"
VERSION = 68
LENGTH = 17
CAPABILITY = (NAME, VERSION, LENGTH)

HEADERS_MAX = 1024
BODIES_MAX = 1024
RECEIPTS_MAX = 1024
HASHES_MAX = 4096
ANNOUNCED_BLOCKS_MAX = 1024
MESSAGE_TRANSACTIONS_MAX = 8192
"""Longest lists accepted: geth's and Besu's own answers are half of these or less; the 10 MiB of a message bound the
rest (blocks)."""

_HASH_BYTES = 33
_ENVELOPE_BYTES = 64
"""List prefixes and a request id, rounded up."""


class Code(IntEnum):
    """Message codes, counted from the capability's offset."""

    STATUS = 0x00
    NEW_BLOCK_HASHES = 0x01
    TRANSACTIONS = 0x02
    GET_BLOCK_HEADERS = 0x03
    BLOCK_HEADERS = 0x04
    GET_BLOCK_BODIES = 0x05
    BLOCK_BODIES = 0x06
    NEW_BLOCK = 0x07
    NEW_POOLED_TRANSACTION_HASHES = 0x08
    GET_POOLED_TRANSACTIONS = 0x09
    POOLED_TRANSACTIONS = 0x0A
    GET_RECEIPTS = 0x0F
    RECEIPTS = 0x10


PAYLOAD_BYTES_MAX = {
    Code.STATUS: 1024,
    Code.NEW_BLOCK_HASHES: _ENVELOPE_BYTES + ANNOUNCED_BLOCKS_MAX * (_HASH_BYTES + 12),
    Code.GET_BLOCK_HEADERS: 128,
    Code.GET_BLOCK_BODIES: _ENVELOPE_BYTES + HASHES_MAX * _HASH_BYTES,
    Code.NEW_POOLED_TRANSACTION_HASHES: _ENVELOPE_BYTES + HASHES_MAX * (_HASH_BYTES + 1 + 6),
    Code.GET_POOLED_TRANSACTIONS: _ENVELOPE_BYTES + HASHES_MAX * _HASH_BYTES,
    Code.GET_RECEIPTS: _ENVELOPE_BYTES + HASHES_MAX * _HASH_BYTES,
}
"""What the longest honest message of a kind takes, so that nothing larger is decoded; the other kinds hold blocks or
transactions and may fill a message."""

_TRANSACTION_ITEMS = 9 + LIST_ITEMS + 1
_HEADER_ITEMS = 21 + LIST_ITEMS + 1

ITEMS_MAX = {
    Code.TRANSACTIONS: 64 + MESSAGE_TRANSACTIONS_MAX * _TRANSACTION_ITEMS,
    Code.POOLED_TRANSACTIONS: 64 + MESSAGE_TRANSACTIONS_MAX * _TRANSACTION_ITEMS,
    Code.BLOCK_HEADERS: 64 + HEADERS_MAX * _HEADER_ITEMS,
}
"""RLP items of the longest honest message of a kind, where that is far less than 10 MiB can hold: decoding stops there,
for it is the event loop that decodes."""

ANSWERS = frozenset({Code.BLOCK_HEADERS, Code.BLOCK_BODIES, Code.POOLED_TRANSACTIONS, Code.RECEIPTS})
"""Codes of messages that only answer a request."""


class WrongNetwork(PeerError):
    """A well-formed Status of another chain, other rules or another protocol version."""


@dataclass(frozen=True, slots=True)
class Status:
    """Who a node is: the first message, both ways. Hashes are 32 bytes."""

    network_id: int
    total_difficulty: int
    head_hash: bytes
    genesis_hash: bytes
    fork_id: ForkId
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class NewBlockHashes:
    """Blocks that the sender has: (hash, height) of each."""

    blocks: tuple[tuple[bytes, int], ...]


@dataclass(frozen=True, slots=True)
class Transactions:
    """Transactions for the pool, as canonical bytes."""

    transactions: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GetBlockHeaders:
    """Asks for up to `limit` headers from `start` (a height or a hash) on, each `skip` apart, backwards if reverse."""

    request_id: int
    start: int | bytes
    limit: int
    skip: int = 0
    is_reverse: bool = False


@dataclass(frozen=True, slots=True)
class BlockHeaders:
    """Answers GetBlockHeaders, in the order asked; fewer than asked when the sender has no more."""

    request_id: int
    headers: tuple[Header, ...]


@dataclass(frozen=True, slots=True)
class GetBlockBodies:
    """Asks for the bodies of these blocks."""

    request_id: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class BlockBodies:
    """Answers GetBlockBodies; those the sender lacks are left out without a trace."""

    request_id: int
    bodies: tuple[Body, ...]


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block just made or imported, sent unasked."""

    block: Block
    total_difficulty: int


@dataclass(frozen=True, slots=True)
class NewPooledTransactionHashes:
    """Transactions that the sender has: type, encoded size in bytes and hash of each."""

    types: bytes
    sizes: tuple[int, ...]
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GetPooledTransactions:
    """Asks for these transactions."""

    request_id: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PooledTransactions:
    """Answers GetPooledTransactions with canonical bytes; those the sender lacks are left out."""

    request_id: int
    transactions: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GetReceipts:
    """Asks for the receipts of these blocks."""

    request_id: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Receipts:
    """Answers GetReceipts: one tuple of receipts a block."""

    request_id: int
    receipts: tuple[tuple[Receipt, ...], ...]


Message: TypeAlias = (
    Status
    | NewBlockHashes
    | Transactions
    | GetBlockHeaders
    | BlockHeaders
    | GetBlockBodies
    | BlockBodies
    | NewBlock
    | NewPooledTransactionHashes
    | GetPooledTransactions
    | PooledTransactions
    | GetReceipts
    | Receipts
)


def encode_message(message: Message) -> tuple[Code, bytes]:
    """Return a message's code and RLP."""
    match message:
        case Status():
            fork = [message.fork_id.hash, encode_int(message.fork_id.next)]
            numbers = [encode_int(n) for n in (message.version, message.network_id, message.total_difficulty)]
            return Code.STATUS, encode([*numbers, message.head_hash, message.genesis_hash, fork])
        case NewBlockHashes(blocks):
            return Code.NEW_BLOCK_HASHES, encode([[block_hash, encode_int(number)] for block_hash, number in blocks])
        case Transactions(transactions):
            return Code.TRANSACTIONS, encode_transactions(transactions)
        case GetBlockHeaders(request_id, start):
            origin = encode_int(start) if isinstance(start, int) else start
            order = b"\x01" if message.is_reverse else b""
            query = [origin, encode_int(message.limit), encode_int(message.skip), order]
            return Code.GET_BLOCK_HEADERS, encode([encode_int(request_id), query])
        case BlockHeaders(request_id, headers):
            return encode_answer(Code.BLOCK_HEADERS, request_id, [encode_header(header) for header in headers])
        case GetBlockBodies(request_id, hashes):
            return Code.GET_BLOCK_BODIES, encode([encode_int(request_id), hashes])
        case BlockBodies(request_id, bodies):
            return encode_answer(Code.BLOCK_BODIES, request_id, [encode_body(body) for body in bodies])
        case NewBlock(block):
            difficulty = encode(encode_int(message.total_difficulty))
            return Code.NEW_BLOCK, join_list([encode_block(block), difficulty])
        case NewPooledTransactionHashes(types, sizes, hashes):
            return Code.NEW_POOLED_TRANSACTION_HASHES, encode([types, [encode_int(size) for size in sizes], hashes])
        case GetPooledTransactions(request_id, hashes):
            return Code.GET_POOLED_TRANSACTIONS, encode([encode_int(request_id), hashes])
        case PooledTransactions(request_id, transactions):
            body = [encode(encode_int(request_id)), encode_transactions(transactions)]
            return Code.POOLED_TRANSACTIONS, join_list(body)
        case GetReceipts(request_id, hashes):
            return Code.GET_RECEIPTS, encode([encode_int(request_id), hashes])
        case Receipts(request_id, receipts):
            return encode_answer(Code.RECEIPTS, request_id, [encode_receipts(block) for block in receipts])


def encode_answer(code: Code, request_id: int, encoded: Sequence[bytes]) -> tuple[Code, bytes]:
    """Return an answer whose items are encoded already, so that who serves can weigh them first."""
    return code, join_list([encode(encode_int(request_id)), join_list(encoded)])


def encode_receipts(receipts: Sequence[Receipt]) -> bytes:
    """Return one block's receipts as eth/68 sends them: a list, typed receipts as byte strings."""
    return join_list([encode(raw) if raw[0] < 0xC0 else raw for raw in map(encode_receipt, receipts)])


def decode_message(code: int, payload: bytes) -> Message:
    """Return the message that a peer sent; PeerError says what is off, whatever the bytes are."""
    decoder = _DECODERS.get(code)
    if decoder is None:
        raise PeerError(f"eth message: found code {code:#04x}, expected one of eth/{VERSION}")
    bytes_max = PAYLOAD_BYTES_MAX.get(Code(code))
    if bytes_max is not None and len(payload) > bytes_max:
        name = Code(code).name.lower().replace("_", " ")
        raise PeerError(f"eth {name}: found {len(payload)} bytes, expected at most {bytes_max}")
    try:
        return decoder(decode_list(payload, ITEMS_MAX.get(Code(code), rlp_codec.ITEMS_MAX)))
    except (RlpError, InvalidBlock) as error:
        raise PeerError(f"eth {Code(code).name.lower().replace('_', ' ')}: {error}") from None


def request_id_of(payload: bytes) -> int:
    """Return the request id that a message with one starts with; PeerError when there is none. Nothing else is read."""
    skip = 1 if payload[:1] < b"\xf8" else payload[0] - 0xF6
    lead = payload[skip : skip + 1]
    size = 0 if lead < b"\x80" else lead[0] - 0x80
    if not lead or payload[0] < 0xC0 or size > 8:
        raise PeerError("eth answer: found no request id of at most 8 bytes")
    return int.from_bytes(payload[skip + 1 : skip + 1 + size] if lead >= b"\x80" else lead, "big")


def new_block_header(payload: bytes) -> Header:
    """Return the header in a NewBlock, of which nothing else is read: most blocks sent unasked are not wanted."""
    try:
        items = split_list(payload)
        if len(items) != 2:
            raise RlpError(f"block and total difficulty: found {len(items)} items, expected 2")
        parts = split_list(items[0])
        if not parts:
            raise RlpError("block: found no items, expected a header and a body")
        return header_from_items(decode(parts[0], ITEMS_MAX[Code.BLOCK_HEADERS]))
    except (RlpError, InvalidBlock) as error:
        raise PeerError(f"eth new block: {error}") from None


def status_of(genesis: Genesis, network_id: int, head: Header, head_hash: bytes) -> Status:
    """Return what to say of ourselves; in QBFT each block adds 1 to the total difficulty."""
    return Status(
        network_id=network_id,
        total_difficulty=total_difficulty(genesis, head.number),
        head_hash=head_hash,
        genesis_hash=genesis.hash,
        fork_id=fork_id(genesis, head.number, head.timestamp),
    )


def total_difficulty(genesis: Genesis, number: int) -> int:
    """Return the total difficulty at a height: the genesis' own and 1 for each QBFT block."""
    return genesis.header.difficulty + number


def validate_status(status: Status, genesis: Genesis, network_id: int, head: Header) -> None:
    """Raise WrongNetwork unless a peer with this Status follows our chain; `head` is ours."""
    if status.version != VERSION:
        raise WrongNetwork(f"status version: found {status.version}, expected {VERSION}")
    if status.network_id != network_id:
        raise WrongNetwork(f"status network id: found {status.network_id}, expected {network_id}")
    if status.genesis_hash != genesis.hash:
        raise WrongNetwork(f"status genesis: found {status.genesis_hash.hex()}, expected {genesis.hash.hex()}")
    if not is_fork_compatible(genesis, head.number, head.timestamp, status.fork_id):
        ours = fork_id(genesis, head.number, head.timestamp)
        raise WrongNetwork(
            f"status fork id: found {status.fork_id.hash.hex()}/{status.fork_id.next},"
            f" which does not fit {ours.hash.hex()}/{ours.next}: other rules, or older software"
        )


def _status(items: list[Decoded]) -> Status:
    version, network_id, difficulty, head_hash, genesis_hash, fork = expect_list(items, "status", 6)
    fork_hash, fork_next = expect_list(fork, "fork id", 2)
    return Status(
        version=expect_int(version, "version", 32),
        network_id=expect_int(network_id, "network id", 64),
        total_difficulty=expect_int(difficulty, "total difficulty"),
        head_hash=expect_bytes(head_hash, "head hash", 32),
        genesis_hash=expect_bytes(genesis_hash, "genesis hash", 32),
        fork_id=ForkId(expect_bytes(fork_hash, "fork hash", 4), expect_int(fork_next, "next fork", 64)),
    )


def _bounded(item: Decoded, what: str, count_max: int) -> list[Decoded]:
    items = expect_list(item, what)
    if len(items) > count_max:
        raise RlpError(f"{what}: found {len(items)}, expected at most {count_max}")
    return items


def _hashes(item: Decoded, count_max: int) -> tuple[bytes, ...]:
    return tuple([expect_bytes(entry, "hash", 32) for entry in _bounded(item, "hashes", count_max)])


def _request(items: list[Decoded]) -> tuple[int, Decoded]:
    request_id, content = expect_list(items, "request id and content", 2)
    return expect_int(request_id, "request id", 64), content


def _new_block_hashes(items: list[Decoded]) -> NewBlockHashes:
    blocks = []
    for entry in _bounded(items, "blocks", ANNOUNCED_BLOCKS_MAX):
        block_hash, number = expect_list(entry, "announced block", 2)
        blocks.append((expect_bytes(block_hash, "hash", 32), expect_int(number, "height", 63)))
    return NewBlockHashes(tuple(blocks))


def _get_block_headers(items: list[Decoded]) -> GetBlockHeaders:
    request_id, query = _request(items)
    origin, limit, skip, order = expect_list(query, "query", 4)
    start = expect_bytes(origin, "start")
    return GetBlockHeaders(
        request_id=request_id,
        start=start if len(start) == 32 else expect_int(start, "start", 64),
        limit=expect_int(limit, "limit", 64),
        skip=expect_int(skip, "skip", 64),
        is_reverse=expect_int(order, "order", 1) == 1,
    )


def _block_headers(items: list[Decoded]) -> BlockHeaders:
    request_id, content = _request(items)
    headers = _bounded(content, "headers", HEADERS_MAX)
    return BlockHeaders(request_id, tuple([header_from_items(header) for header in headers]))


def _block_bodies(items: list[Decoded]) -> BlockBodies:
    request_id, content = _request(items)
    return BlockBodies(request_id, tuple([body_from_items(body) for body in _bounded(content, "bodies", BODIES_MAX)]))


def _new_block(items: list[Decoded]) -> NewBlock:
    block, difficulty = expect_list(items, "block and total difficulty", 2)
    return NewBlock(block_from_items(block), expect_int(difficulty, "total difficulty"))


def _new_pooled(items: list[Decoded]) -> NewPooledTransactionHashes:
    types, sizes, hashes = expect_list(items, "types, sizes and hashes", 3)
    found = NewPooledTransactionHashes(
        types=expect_bytes(types, "types"),
        sizes=tuple([expect_int(size, "size", 32) for size in _bounded(sizes, "sizes", HASHES_MAX)]),
        hashes=_hashes(hashes, HASHES_MAX),
    )
    if not len(found.types) == len(found.sizes) == len(found.hashes):
        counts = f"{len(found.types)} types, {len(found.sizes)} sizes, {len(found.hashes)} hashes"
        raise RlpError(f"found {counts}, expected as many of each")
    return found


def _pooled_transactions(items: list[Decoded]) -> PooledTransactions:
    request_id, content = _request(items)
    return PooledTransactions(request_id, transactions_from_items(content))


def _receipts(items: list[Decoded]) -> Receipts:
    request_id, content = _request(items)
    blocks = []
    for block in _bounded(content, "receipts", RECEIPTS_MAX):
        raws = [entry if isinstance(entry, bytes) else encode(entry) for entry in expect_list(block, "receipts")]
        blocks.append(tuple([decode_receipt(raw) for raw in raws]))
    return Receipts(request_id, tuple(blocks))


_DECODERS: dict[int, Callable[[list[Decoded]], Message]] = {
    Code.STATUS: _status,
    Code.NEW_BLOCK_HASHES: _new_block_hashes,
    Code.TRANSACTIONS: lambda items: Transactions(transactions_from_items(items)),
    Code.GET_BLOCK_HEADERS: _get_block_headers,
    Code.BLOCK_HEADERS: _block_headers,
    Code.GET_BLOCK_BODIES: lambda items: GetBlockBodies(*_asked(items)),
    Code.BLOCK_BODIES: _block_bodies,
    Code.NEW_BLOCK: _new_block,
    Code.NEW_POOLED_TRANSACTION_HASHES: _new_pooled,
    Code.GET_POOLED_TRANSACTIONS: lambda items: GetPooledTransactions(*_asked(items)),
    Code.POOLED_TRANSACTIONS: _pooled_transactions,
    Code.GET_RECEIPTS: lambda items: GetReceipts(*_asked(items)),
    Code.RECEIPTS: _receipts,
}


def _asked(items: list[Decoded]) -> tuple[int, tuple[bytes, ...]]:
    request_id, content = _request(items)
    return request_id, _hashes(content, HASHES_MAX)
