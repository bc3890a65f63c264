import contextlib
import json
from pathlib import Path

import pytest
import rlp
from eth_bloom import BloomFilter
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.chain.receipt import (
    Log,
    Receipt,
    bloom_of,
    decode_receipt,
    encode_receipt,
    join_blooms,
    may_contain,
)
from cocket.node.chain.rlp_codec import Item, encode
from cocket.node.errors import InvalidBlock

FIREFLY = json.loads((Path(__file__).parents[2] / "vectors/block_besu_firefly.json").read_text())
LOG = Log(b"\x11" * 20, (b"\x22" * 32,), b"data")

addresses = st.binary(min_size=20, max_size=20)
topics = st.lists(st.binary(min_size=32, max_size=32), max_size=4).map(tuple)
logs = st.lists(st.builds(Log, addresses, topics, st.binary(max_size=60)), max_size=4).map(tuple)


def receipt_of(kind: int, status: int, gas: int, found: tuple[Log, ...]) -> Receipt:
    return Receipt(kind, status, gas, bloom_of(found), found)


receipts = st.builds(receipt_of, st.integers(0, 0x7F), st.integers(0, 1), st.integers(0, 2**63 - 1), logs)


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def besu_logs() -> tuple[Log, ...]:
    return tuple(
        Log(raw(log["address"]), tuple(map(raw, log["topics"])), raw(log["data"])) for log in FIREFLY["receipt"]["logs"]
    )


def test_bloom_of_a_besu_receipt_is_part_of_its_blocks() -> None:
    bloom = bloom_of(besu_logs())
    assert bloom == raw(FIREFLY["receipt"]["logsBloom"])
    whole = raw(FIREFLY["block"]["logsBloom"])
    assert join_blooms([bloom, whole]) == whole
    assert bloom != whole
    assert may_contain(whole, besu_logs()[0].address)
    assert not may_contain(whole, b"\x99" * 20)


@given(receipts)
def test_round_trip_and_the_rlp_package_agree(receipt: Receipt) -> None:
    encoded = encode_receipt(receipt)
    assert decode_receipt(encoded) == receipt
    payload = rlp.encode(
        [
            receipt.status,
            receipt.cumulative_gas_used,
            receipt.logs_bloom,
            [[log.address, log.topics, log.data] for log in receipt.logs],
        ]
    )
    assert encoded == (bytes([receipt.type]) if receipt.type else b"") + payload


@given(logs)
def test_blooms_agree_with_eth_bloom(found: tuple[Log, ...]) -> None:
    oracle = BloomFilter.from_iterable([value for log in found for value in (log.address, *log.topics)])
    bloom = bloom_of(found)
    assert int.from_bytes(bloom, "big") == int(oracle)
    assert all(may_contain(bloom, value) for log in found for value in (log.address, *log.topics))
    assert join_blooms([bloom_of([log]) for log in found]) == bloom


@given(st.binary(max_size=80))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    for prefix in (b"", b"\x01", b"\x02"):
        with contextlib.suppress(InvalidBlock):
            assert encode_receipt(decode_receipt(prefix + data)) == prefix + data


def items(status: Item = b"\1", gas: Item = b"\1", bloom: Item | None = None, found: Item = ()) -> bytes:
    return encode([status, gas, bloom_of([]) if bloom is None else bloom, found])


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "found no bytes"),
        (b"\0" + items(), "found 0 as a prefix"),
        (b"\x80", "found a byte string"),
        (b"\x01" + items() + b"\0", "after the item"),
        (encode([b"\1", b"\1", bloom_of([])]), "receipt: found 3 items, expected 4"),
        (items(status=b"\2"), "status: found an integer of 2 bits"),
        (items(status=bytes(32)), "status: found an integer with a leading zero"),  # before Byzantium: a state root
        (items(gas=b"\xff" * 8), "cumulativeGasUsed: found an integer of 64 bits"),
        (items(bloom=b""), "logsBloom: found 0 bytes, expected 256"),
        (items(bloom=b"\1" * 256), "bloom: found one that is not of its logs"),
        (items(found=b""), "logs: found a byte string"),
        (items(found=((LOG.address, ()),)), "log: found 2 items, expected 3"),
        (items(found=((b"", (), b""),)), "log address: found 0 bytes"),
        (items(found=((LOG.address, (b"",), b""),)), "log topic: found 0 bytes, expected 32"),
        (items(found=((LOG.address, (bytes(32),) * 5, b""),)), "log topics: found 5, expected at most 4"),
        (items(found=((LOG.address, (), ()),)), "log data: found a list"),
    ],
)
def test_refuses_malformed_receipts_and_says_what_it_found(data: bytes, found: str) -> None:
    with pytest.raises(InvalidBlock, match=found):
        decode_receipt(data)
