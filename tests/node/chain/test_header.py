"""Headers against real Besu ones, against py-evm's encodings as oracle, and their strictness."""

import contextlib
import json
from dataclasses import astuple, replace
from pathlib import Path

import pytest
from coincurve import PublicKey
from eth.rlp.headers import BlockHeader as BerlinBlockHeader
from eth.vm.forks.cancun.blocks import CancunBlockHeader
from eth.vm.forks.london.blocks import LondonBlockHeader
from eth.vm.forks.shanghai.blocks import ShanghaiBlockHeader
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.node.chain.extra_data import EXTRA_DATA_BYTES_MAX, ExtraData, decode_extra_data, encode_extra_data
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import (
    Header,
    block_hash,
    commit_hash,
    decode_header,
    encode_header,
    header_from_items,
    header_items,
    round_of,
    with_round,
    with_seals,
)
from cocket.node.chain.rlp_codec import decode, encode
from cocket.node.errors import InvalidBlock

VECTORS = Path(__file__).parents[2] / "vectors"
ROUND_1 = json.loads((VECTORS / "header_besu_round1.json").read_text())
FIREFLY = json.loads((VECTORS / "block_besu_firefly.json").read_text())["block"]

hashes = st.binary(min_size=32, max_size=32)
amounts = st.integers(0, 2**63 - 1)
headers = st.builds(
    Header,
    *(hashes, hashes, st.binary(min_size=20, max_size=20), hashes, hashes, hashes),
    *(st.binary(min_size=256, max_size=256), st.integers(0, 2**256 - 1), amounts, amounts, amounts, amounts),
    extra_data=st.binary(max_size=100),
    mix_hash=hashes,
    nonce=st.binary(min_size=8, max_size=8),
)


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def signer_of(seal: bytes, digest: bytes) -> bytes:
    key = PublicKey.from_signature_and_message(seal, digest, hasher=None)
    return keccak256(key.format(compressed=False)[1:])[12:]


def firefly_header() -> Header:
    def number(key: str) -> int:
        return int(FIREFLY[key], 16)

    return Header(
        parent_hash=raw(FIREFLY["parentHash"]),
        ommers_hash=raw(FIREFLY["sha3Uncles"]),
        coinbase=raw(FIREFLY["miner"]),
        state_root=raw(FIREFLY["stateRoot"]),
        transactions_root=raw(FIREFLY["transactionsRoot"]),
        receipts_root=raw(FIREFLY["receiptsRoot"]),
        logs_bloom=raw(FIREFLY["logsBloom"]),
        difficulty=number("difficulty"),
        number=number("number"),
        gas_limit=number("gasLimit"),
        gas_used=number("gasUsed"),
        timestamp=number("timestamp"),
        extra_data=raw(FIREFLY["extraData"]),
        mix_hash=raw(FIREFLY["mixHash"]),
        nonce=raw(FIREFLY["nonce"]),
        base_fee_per_gas=number("baseFeePerGas"),
    )


def test_besu_header_committed_in_round_1() -> None:
    encoded = raw(ROUND_1["encoded"])
    header = decode_header(encoded)
    assert encode_header(header) == encoded
    assert (header.number, header.timestamp, round_of(header)) == (7528, 1715495307, 1)
    assert header.state_root == raw(ROUND_1["state_root"])
    assert commit_hash(header) == raw(ROUND_1["commit_hash"])
    assert block_hash(header) == raw(ROUND_1["block_hash"])
    extra = decode_extra_data(header.extra_data)
    assert extra.validators == tuple(map(raw, ROUND_1["validators"]))
    signers = [signer_of(seal, commit_hash(header)) for seal in extra.seals]
    assert len(set(signers)) == 3
    assert set(signers) <= set(extra.validators)
    # The seals are over the actual round: over the block hash they recover strangers.
    assert not set(extra.validators) & {signer_of(seal, block_hash(header)) for seal in extra.seals}


def test_besu_header_with_london_and_zero_base_fee() -> None:
    header = firefly_header()
    assert block_hash(header) == raw(FIREFLY["hash"])
    extra = decode_extra_data(header.extra_data)
    assert [signer_of(seal, commit_hash(header)) for seal in extra.seals] == list(extra.validators)
    assert encode_header(decode_header(encode_header(header))) == encode_header(header)


def test_the_block_hash_is_the_same_whatever_round_and_seals() -> None:
    header = firefly_header()
    resealed = with_seals(with_round(header, 5), [b"\1" * 65, b"\2" * 65])
    assert block_hash(resealed) == block_hash(header)
    assert commit_hash(resealed) != commit_hash(header)
    assert commit_hash(resealed) == commit_hash(with_round(header, 5))
    assert encode_header(resealed) != encode_header(header)
    assert round_of(resealed) == 5
    assert decode_extra_data(with_round(resealed, 6).extra_data).seals == ()


def test_block_0_is_hashed_as_it_stands() -> None:
    sealed = with_seals(with_round(replace(firefly_header(), number=0), 3), [b"\1" * 65])
    assert block_hash(sealed) == keccak256(encode_header(sealed))
    foreign = replace(sealed, extra_data=b"not QBFT at all")
    assert block_hash(foreign) == keccak256(encode_header(foreign))


def test_a_later_header_needs_qbft_extra_data() -> None:
    foreign = replace(firefly_header(), extra_data=b"not QBFT at all")
    for ask in (block_hash, commit_hash, round_of):
        with pytest.raises(InvalidBlock, match="extraData is not QBFT's"):
            ask(foreign)


@settings(max_examples=30, deadline=None)
@given(headers, amounts, hashes, amounts, amounts, hashes)
def test_encodes_each_fork_as_py_evm(
    header: Header, base_fee: int, withdrawals: bytes, blob_gas: int, excess: int, beacon: bytes
) -> None:
    plain = astuple(header)[:15]
    oracle_fields = (*plain[:6], int.from_bytes(header.logs_bloom, "big"), *plain[7:])
    cancun = replace(
        header,
        base_fee_per_gas=base_fee,
        withdrawals_root=withdrawals,
        blob_gas_used=blob_gas,
        excess_blob_gas=excess,
        parent_beacon_block_root=beacon,
    )
    names = [name for name, _ in CancunBlockHeader._meta.fields]
    fields = dict(zip(names, (*oracle_fields, base_fee, withdrawals, blob_gas, excess, beacon), strict=True))
    shanghai = replace(cancun, blob_gas_used=None, excess_blob_gas=None, parent_beacon_block_root=None)
    london = replace(shanghai, withdrawals_root=None)
    for ours, oracle, count in (
        (header, BerlinBlockHeader, 15),
        (london, LondonBlockHeader, 16),
        (shanghai, ShanghaiBlockHeader, 17),
        (cancun, CancunBlockHeader, 20),
    ):
        expected = oracle(**{name: fields[name] for name in names[:count]})
        assert keccak256(encode_header(ours)) == expected.hash
        assert decode_header(encode_header(ours)) == ours
        assert header_from_items(decode(encode(header_items(ours)))) == ours


def test_a_header_with_prague_fields_decodes() -> None:
    header = replace(
        firefly_header(),
        withdrawals_root=bytes(32),
        blob_gas_used=0,
        excess_blob_gas=0,
        parent_beacon_block_root=bytes(32),
        requests_hash=b"\3" * 32,
    )
    assert decode_header(encode_header(header)) == header


def test_a_gap_among_the_fork_fields_is_our_own_bug() -> None:
    with pytest.raises(AssertionError):
        encode_header(replace(firefly_header(), base_fee_per_gas=None, withdrawals_root=bytes(32)))


@given(st.binary(max_size=100))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    with pytest.raises(InvalidBlock):
        decode_header(data)


@settings(max_examples=200)
@given(st.integers(0, 900), st.integers(0, 255))
def test_a_changed_byte_decodes_canonically_or_is_refused(position: int, value: int) -> None:
    data = bytearray(raw(ROUND_1["encoded"]))
    data[position % len(data)] = value
    with contextlib.suppress(InvalidBlock):
        assert encode_header(decode_header(bytes(data))) == bytes(data)


@pytest.mark.parametrize(
    ("index", "value", "found"),
    [
        (0, b"", "parentHash: found 0 bytes, expected 32"),
        (1, b"a" * 31, "ommersHash: found 31 bytes"),
        (2, b"a" * 21, "coinbase: found 21 bytes, expected 20"),
        (3, [], "stateRoot: found a list"),
        (6, b"a" * 255, "logsBloom: found 255 bytes, expected 256"),
        (7, b"\1" * 33, "difficulty: found an integer of 33 bytes"),
        (8, b"\0", "number: found an integer with a leading zero"),
        (9, b"\xff" * 8, "gasLimit: found an integer of 64 bits, expected at most 63"),
        (10, b"\1" * 9, "gasUsed"),
        (11, b"\xff" * 8, "timestamp"),
        (12, b"e" * (EXTRA_DATA_BYTES_MAX + 1), "extraData: found 131073 bytes"),
        (13, b"", "mixHash"),
        (14, b"\0" * 7, "nonce: found 7 bytes, expected 8"),
        (15, b"\1" * 33, "baseFeePerGas"),
    ],
)
def test_each_field_is_checked(index: int, value: bytes, found: str) -> None:
    items = header_items(firefly_header())
    items[index] = value
    with pytest.raises(InvalidBlock, match=found):
        decode_header(encode(items))


@pytest.mark.parametrize("count", [0, 14, 22])
def test_the_number_of_fields_is_bounded(count: int) -> None:
    with pytest.raises(InvalidBlock, match=f"found {count} fields, expected 15 to 21"):
        header_from_items([b""] * count)


def test_extra_data_of_our_own_making_round_trips_through_a_header() -> None:
    extra = ExtraData(validators=(b"v" * 20,), round=2)
    header = replace(firefly_header(), extra_data=encode_extra_data(extra))
    assert decode_extra_data(decode_header(encode_header(header)).extra_data) == extra
