"""A block header: its fields, its RLP in each fork, and QBFT's three hashes of it.

It knows nothing of rules: any well-formed header decodes, and whether its values are right is for ``header_rules``.
The *block hash* (round 0, no seals) is a block's identity whatever round committed it; the *commit hash* (actual
round, no seals) is what validators seal; the stored bytes, with seals, differ between nodes and are never an identity.
(Besu, ``BftBlockHashing``.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cocket.node.chain.extra_data import (
    EXTRA_DATA_BYTES_MAX,
    decode_extra_data,
    encode_extra_data,
    unsealed_extra_data,
)
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.rlp_codec import (
    Decoded,
    Item,
    RlpError,
    decode,
    encode,
    encode_int,
    expect_bytes,
    expect_int,
    expect_list,
)
from cocket.node.errors import InvalidBlock

FIELDS_MIN: Final = 15
FIELDS_MAX: Final = 21
_EXTRA_DATA_INDEX: Final = 12


@dataclass(frozen=True, slots=True)
class Header:
    """A block header; the fields are in the order of its RLP, and a fork that does not apply leaves None at the end.

    Hashes and roots are 32 bytes, ``coinbase`` 20, ``logs_bloom`` 256, ``nonce`` 8; gas, time (seconds) and height
    are whole numbers. ``extra_data`` is QBFT's list (see ``extra_data``), but free bytes in a foreign genesis.
    """

    parent_hash: bytes
    ommers_hash: bytes
    coinbase: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    logs_bloom: bytes
    difficulty: int
    number: int
    gas_limit: int
    gas_used: int
    timestamp: int
    extra_data: bytes
    mix_hash: bytes
    nonce: bytes
    base_fee_per_gas: int | None = None
    withdrawals_root: bytes | None = None
    blob_gas_used: int | None = None
    excess_blob_gas: int | None = None
    parent_beacon_block_root: bytes | None = None
    requests_hash: bytes | None = None


def header_items(header: Header) -> list[Item]:
    """Return a header's fields as RLP items, for nesting; a header with a gap among the fork fields is our own bug."""
    items: list[Item] = [
        header.parent_hash,
        header.ommers_hash,
        header.coinbase,
        header.state_root,
        header.transactions_root,
        header.receipts_root,
        header.logs_bloom,
        encode_int(header.difficulty),
        encode_int(header.number),
        encode_int(header.gas_limit),
        encode_int(header.gas_used),
        encode_int(header.timestamp),
        header.extra_data,
        header.mix_hash,
        header.nonce,
    ]
    fork_fields = (
        header.base_fee_per_gas,
        header.withdrawals_root,
        header.blob_gas_used,
        header.excess_blob_gas,
        header.parent_beacon_block_root,
        header.requests_hash,
    )
    present = [field for field in fork_fields if field is not None]
    assert None not in fork_fields[: len(present)], "a fork field is set after one that is not"
    items.extend([field if isinstance(field, bytes) else encode_int(field) for field in present])
    return items


def header_from_items(items: Decoded) -> Header:
    """Return the header that decoded RLP spells; sizes and ranges are checked, InvalidBlock says which field is off."""
    try:
        return _header_of(expect_list(items, "header"))
    except RlpError as error:
        raise InvalidBlock(str(error)) from None


def encode_header(header: Header) -> bytes:
    """Return a header's RLP, as stored and sent: with its round and seals."""
    return encode(header_items(header))


def decode_header(data: bytes) -> Header:
    """Return the header that ``data`` is the whole and canonical RLP of; anything else is InvalidBlock."""
    try:
        return _header_of(expect_list(decode(data), "header"))
    except RlpError as error:
        raise InvalidBlock(f"header: {error}") from None


def block_hash(header: Header) -> bytes:
    """Return a block's identity: the hash with round 0 and no seals; of block 0, of the bytes as they are."""
    if header.number == 0:
        return keccak256(encode_header(header))
    return _hash_with(header, unsealed_extra_data(header.extra_data, 0))


def commit_hash(header: Header) -> bytes:
    """Return what validators seal: the hash with the actual round and no seals."""
    return _hash_with(header, unsealed_extra_data(header.extra_data))


def with_round(header: Header, round_number: int) -> Header:
    """Return the unsealed header of the same block proposed in ``round_number``."""
    return replace(header, extra_data=unsealed_extra_data(header.extra_data, round_number))


def with_seals(header: Header, seals: Sequence[bytes]) -> Header:
    """Return the same header with ``seals`` (65 bytes each) instead of those it has."""
    extra = replace(decode_extra_data(header.extra_data), seals=tuple(seals))
    return replace(header, extra_data=encode_extra_data(extra))


def round_of(header: Header) -> int:
    """Return the round that ``header`` names: that of its proposal, then of its commit."""
    return decode_extra_data(header.extra_data).round


def _hash_with(header: Header, extra_data: bytes) -> bytes:
    items = header_items(header)
    items[_EXTRA_DATA_INDEX] = extra_data
    return keccak256(encode(items))


def _header_of(items: list[Decoded]) -> Header:
    count = len(items)
    if not FIELDS_MIN <= count <= FIELDS_MAX:
        raise RlpError(f"header: found {count} fields, expected {FIELDS_MIN} to {FIELDS_MAX}")
    extra_data = expect_bytes(items[_EXTRA_DATA_INDEX], "extraData")
    if len(extra_data) > EXTRA_DATA_BYTES_MAX:
        raise RlpError(f"extraData: found {len(extra_data)} bytes, expected at most {EXTRA_DATA_BYTES_MAX}")
    return Header(
        parent_hash=expect_bytes(items[0], "parentHash", 32),
        ommers_hash=expect_bytes(items[1], "ommersHash", 32),
        coinbase=expect_bytes(items[2], "coinbase", 20),
        state_root=expect_bytes(items[3], "stateRoot", 32),
        transactions_root=expect_bytes(items[4], "transactionsRoot", 32),
        receipts_root=expect_bytes(items[5], "receiptsRoot", 32),
        logs_bloom=expect_bytes(items[6], "logsBloom", 256),
        difficulty=expect_int(items[7], "difficulty", 256),
        number=expect_int(items[8], "number", 63),
        gas_limit=expect_int(items[9], "gasLimit", 63),
        gas_used=expect_int(items[10], "gasUsed", 63),
        timestamp=expect_int(items[11], "timestamp", 63),
        extra_data=extra_data,
        mix_hash=expect_bytes(items[13], "mixHash", 32),
        nonce=expect_bytes(items[14], "nonce", 8),
        base_fee_per_gas=expect_int(items[15], "baseFeePerGas", 256) if count > 15 else None,
        withdrawals_root=expect_bytes(items[16], "withdrawalsRoot", 32) if count > 16 else None,
        blob_gas_used=expect_int(items[17], "blobGasUsed", 63) if count > 17 else None,
        excess_blob_gas=expect_int(items[18], "excessBlobGas", 63) if count > 18 else None,
        parent_beacon_block_root=expect_bytes(items[19], "parentBeaconBlockRoot", 32) if count > 19 else None,
        requests_hash=expect_bytes(items[20], "requestsHash", 32) if count > 20 else None,
    )
