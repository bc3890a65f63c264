"""Receipts: one form of fixed width, both halves in it; a reader sees when it was given another's."""

from dataclasses import replace
from typing import Any

import pytest
from attestation.reading.trial import KEEPER, READER, REQUEST, receipt_number, sign
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.merkle import keccak256
from cocket.attestation.reading.page import Page, records_root
from cocket.attestation.reading.receipt import (
    RECEIPT_BYTES,
    Receipt,
    decode_receipt,
    encode_receipt,
    is_signed,
    leaf_of,
    receipt_of,
    validate_receipt,
)
from cocket.attestation.reading.request import signing_hash

SIGNATURE = sign(signing_hash(REQUEST))
RECEIPT = receipt_of(
    REQUEST,
    SIGNATURE,
    number=9,
    keeper=KEEPER,
    time_s=1_800_000_009,
    block_number=80,
    party=4,
    decision=2,
    salt=b"s" * 16,
)
NUMBERS = st.integers(0, (1 << 53) - 1)
HASHES = st.binary(min_size=32, max_size=32)
RECEIPTS = st.builds(
    Receipt,
    number=NUMBERS,
    keeper=st.integers(1, 255) | st.integers((1 << 32) + 1, (1 << 33) - 1),
    time_s=NUMBERS,
    block_number=NUMBERS,
    request_hash=HASHES,
    signature=st.binary(min_size=65, max_size=65),
    reader=st.binary(min_size=20, max_size=20),
    party=st.just(0) | st.integers(1, 255) | st.integers((1 << 32) + 1, (1 << 33) - 1),
    batch=HASHES,
    index=st.integers(0, (1 << 20) - 1),
    count=st.just(1),
    groups=st.integers(1, (1 << 16) - 1),
    purpose=st.integers(0, 31),
    decision=st.integers(0, 255),
    salt=st.binary(min_size=16, max_size=16),
    records=HASHES,
    grant=HASHES,
)


def test_the_bytes_are_those_of_the_formats_page():
    expected = (
        (9).to_bytes(8)
        + (2).to_bytes(8)
        + (1_800_000_009).to_bytes(8)
        + (80).to_bytes(8)
        + signing_hash(REQUEST)
        + SIGNATURE
        + READER
        + (4).to_bytes(8)
        + b"b" * 32
        + (5).to_bytes(4)
        + (1).to_bytes(4)
        + (0b100101).to_bytes(4)
        + bytes((3, 2))
        + b"s" * 16
        + bytes(32)
        + bytes(32)
    )
    data = encode_receipt(RECEIPT)
    assert data == expected
    assert len(data) == RECEIPT_BYTES == 283
    assert leaf_of(data) == keccak256(b"cocket\x01\x30" + expected)


@given(RECEIPTS)
@settings(max_examples=50)
def test_a_receipt_reads_back(receipt):
    assert decode_receipt(encode_receipt(receipt)) == receipt


@given(st.binary(min_size=RECEIPT_BYTES, max_size=RECEIPT_BYTES) | st.binary(max_size=400))
@settings(max_examples=100)
def test_any_other_bytes_are_refused_and_what_is_taken_has_one_form(data):
    try:
        receipt = decode_receipt(data)
    except InvalidFile:
        return
    assert encode_receipt(receipt) == data


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("number", 1 << 53, "found number"),
        ("number", -1, "found number"),
        ("keeper", 0, "found keeper 0"),
        ("keeper", 256, "found keeper 256"),
        ("party", 256, "found party 256"),
        ("time_s", 1 << 60, "found time_s"),
        ("block_number", 1 << 60, "found block_number"),
        ("index", 1 << 20, "found index"),
        ("groups", 0, "found no groups"),
        ("groups", 1 << 16, "found groups"),
        ("purpose", 32, "found purpose"),
        ("decision", 256, "found decision"),
        ("salt", b"s" * 15, "found salt of 15 bytes"),
        ("reader", b"r" * 21, "found reader of 21 bytes"),
        ("count", 65, "found count 65"),
        ("count", 2, "found 2 records with root 0x00"),
        ("grant", b"", "found grant of 0 bytes"),
    ],
)
def test_what_no_receipt_can_hold_is_not_written(name, value, why):
    with pytest.raises(AttestationError, match=why):
        encode_receipt(replace(RECEIPT, **{name: value}))


@pytest.mark.parametrize(
    ("at", "value", "why"),
    [
        (0, b"\xff", "found number"),
        (8, bytes(8), "found keeper 0"),
        (16, b"\xff", "found time_s"),
        (24, b"\xff", "found block_number"),
        (149, b"\xff", "found party"),
        (189, b"\xff", "found index"),
        (193, bytes(4), "found 0 records"),
        (193, b"\xff", "found count"),
        (196, b"\x02", "found 2 records with root 0x00"),
        (197, bytes(4), "found no groups"),
        (197, b"\xff", "found groups"),
        (201, b"\x20", "found purpose 32"),
    ],
)
def test_what_no_receipt_can_hold_is_not_read(at, value, why):
    data = encode_receipt(RECEIPT)
    with pytest.raises(InvalidFile, match=why):
        decode_receipt(data[:at] + value + data[at + len(value) :])


@pytest.mark.parametrize("length", [0, RECEIPT_BYTES - 1, RECEIPT_BYTES + 1])
def test_another_length_is_refused(length):
    with pytest.raises(InvalidFile, match=f"a receipt of {length} bytes; expected 283"):
        decode_receipt(bytes(length))


def test_a_receipt_shows_who_signed():
    assert is_signed(RECEIPT)
    assert not is_signed(replace(RECEIPT, reader=b"o" * 20))
    assert not is_signed(replace(RECEIPT, request_hash=b"o" * 32))
    assert not is_signed(replace(RECEIPT, signature=bytes(65)))


def test_a_reader_takes_the_receipt_of_its_request():
    validate_receipt(RECEIPT, REQUEST, SIGNATURE, keeper=KEEPER, party=4, indices=(5,), grant=bytes(32))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keeper", 3),
        ("request_hash", b"o" * 32),
        ("signature", b"o" * 65),
        ("reader", b"o" * 20),
        ("party", 3),
        ("decision", 69),
        ("party", 0),
        ("batch", b"o" * 32),
        ("index", 6),
        ("groups", 1),
        ("purpose", 0),
        ("count", 2),
        ("records", b"o" * 32),
        ("grant", b"o" * 32),
    ],
)
def test_a_reader_takes_no_other(name, value):
    with pytest.raises(InvalidFile, match=f"a receipt whose {name} is"):
        validate_receipt(
            replace(RECEIPT, **{name: value}), REQUEST, SIGNATURE, keeper=KEEPER, party=4, indices=(5,), grant=bytes(32)
        )


def test_no_receipt_is_made_of_a_signature_that_is_none():
    with pytest.raises(InvalidFile, match="no key can have made"):
        receipt_of(
            REQUEST,
            bytes(64) + b"\x1b",
            number=0,
            keeper=KEEPER,
            time_s=0,
            block_number=0,
            party=0,
            decision=0,
            salt=b"s" * 16,
        )


def test_receipts_of_the_same_read_differ_by_their_salt():
    assert leaf_of(encode_receipt(receipt_number(1))) != leaf_of(
        encode_receipt(replace(receipt_number(1), salt=b"o" * 16))
    )


def test_a_reader_takes_the_receipt_of_a_page_with_exactly_the_records_that_came():
    request = replace(REQUEST, count=64)
    signature, page = sign(signing_hash(request)), Page(REQUEST.batch, b"s" * 16, (7, 8, 30))
    receipt = receipt_of(
        request, signature, number=9, keeper=KEEPER, time_s=1, block_number=1, party=4, decision=2, salt=page.salt,
        grant=b"g" * 32, given=page,
    )  # fmt: skip
    assert (receipt.index, receipt.count, receipt.records) == (7, 3, records_root(page))
    whose: dict[str, Any] = {"keeper": KEEPER, "party": 4, "grant": b"g" * 32}
    validate_receipt(receipt, request, signature, indices=(7, 8, 30), **whose)
    for others in ((7, 8), (7, 8, 31), (7, 8, 30, 31), (8, 30)):
        with pytest.raises(InvalidFile, match="a receipt whose"):
            validate_receipt(receipt, request, signature, indices=others, **whose)
