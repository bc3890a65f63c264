"""Receipts and logs: their consensus encoding and their bloom filters.

A receipt here is what the receipts root commits to; block, transaction and contract address beside it are for those
who serve it. Only receipts with a status are known (Byzantium on), which every chain that we speak has.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.rlp_codec import (
    Decoded,
    Item,
    RlpError,
    decode_list,
    encode,
    encode_int,
    expect_bytes,
    expect_int,
    expect_list,
)
from cocket.node.errors import InvalidBlock

BLOOM_BYTES = 256
TYPE_MAX = 0x7F
TOPICS_MAX = 4


@dataclass(frozen=True, slots=True)
class Log:
    """An event: the contract's address (20 bytes), up to four topics (32 bytes each) and free bytes."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction did: ``status`` 1 or 0, gas used in the block up to and with it, bloom and logs.

    ``type`` is the transaction's: 0 for legacy.
    """

    type: int
    status: int
    cumulative_gas_used: int
    logs_bloom: bytes
    logs: tuple[Log, ...]


def encode_receipt(receipt: Receipt) -> bytes:
    """Return the consensus encoding: RLP of a legacy receipt, ``type || RLP`` of a typed one (EIP-2718)."""
    payload = encode(
        [
            encode_int(receipt.status),
            encode_int(receipt.cumulative_gas_used),
            receipt.logs_bloom,
            [log_item(log) for log in receipt.logs],
        ]
    )
    return bytes([receipt.type]) + payload if receipt.type else payload


def decode_receipt(data: bytes) -> Receipt:
    """Return the receipt of a consensus encoding; InvalidBlock unless it is canonical and its bloom is its logs'."""
    try:
        receipt = _decode(data)
    except RlpError as error:
        raise InvalidBlock(f"receipt: {error}") from None
    if receipt.logs_bloom != bloom_of(receipt.logs):
        raise InvalidBlock("receipt bloom: found one that is not of its logs, expected that of its logs")
    return receipt


def log_item(log: Log) -> Item:
    """Return ``[address, topics, data]`` as an RLP item."""
    return (log.address, log.topics, log.data)


def log_from_item(item: Decoded) -> Log:
    """Return the log that decoded RLP spells; RlpError says what is off."""
    address, topics, data = expect_list(item, "log", 3)
    found = expect_list(topics, "log topics")
    if len(found) > TOPICS_MAX:
        raise RlpError(f"log topics: found {len(found)}, expected at most {TOPICS_MAX}")
    return Log(
        expect_bytes(address, "log address", 20),
        tuple([expect_bytes(topic, "log topic", 32) for topic in found]),
        expect_bytes(data, "log data"),
    )


def bloom_of(logs: Iterable[Log]) -> bytes:
    """Return the 256-byte bloom filter of the addresses and topics of ``logs`` (Yellow Paper, 4.3.1)."""
    bits = 0
    for log in logs:
        bits |= _bloom_bits(log.address)
        for topic in log.topics:
            bits |= _bloom_bits(topic)
    return bits.to_bytes(BLOOM_BYTES, "big")


def join_blooms(blooms: Iterable[bytes]) -> bytes:
    """Return the union of bloom filters: a header's bloom is that of its receipts'."""
    bits = 0
    for bloom in blooms:
        bits |= int.from_bytes(bloom, "big")
    return bits.to_bytes(BLOOM_BYTES, "big")


def may_contain(bloom: bytes, value: bytes) -> bool:
    """Say whether an address or topic may be among the logs of ``bloom``; a no is certain."""
    bits = _bloom_bits(value)
    return int.from_bytes(bloom, "big") & bits == bits


@lru_cache(maxsize=4096)
def _bloom_bits(value: bytes) -> int:
    """Return the three bits of an address or topic; cached, since the same contracts and events come back."""
    digest = keccak256(value)
    return (
        1 << (int.from_bytes(digest[0:2], "big") & 2047)
        | 1 << (int.from_bytes(digest[2:4], "big") & 2047)
        | 1 << (int.from_bytes(digest[4:6], "big") & 2047)
    )


def _decode(data: bytes) -> Receipt:
    if not data:
        raise RlpError("found no bytes, expected a receipt")
    receipt_type, payload = (data[0], data[1:]) if data[0] <= TYPE_MAX else (0, data)
    if data[0] == 0:
        raise RlpError("type: found 0 as a prefix, expected a legacy receipt without one")
    items = expect_list(decode_list(payload), "receipt", 4)
    return Receipt(
        type=receipt_type,
        status=expect_int(items[0], "status", 1),
        cumulative_gas_used=expect_int(items[1], "cumulativeGasUsed", 63),
        logs_bloom=expect_bytes(items[2], "logsBloom", BLOOM_BYTES),
        logs=tuple([log_from_item(log) for log in expect_list(items[3], "logs")]),
    )
