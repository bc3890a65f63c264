"""Listings: capabilities, calls and answers have one strict form each; a secret is of one record of one network."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.listing import (
    Capability,
    Listing,
    ListingCall,
    Row,
    decode_call,
    decode_capability,
    decode_listing,
    encode_call,
    encode_capability,
    encode_listing,
    listing_secret,
)

CHAMBER = (1 << 32) + 1
CAPABILITY = Capability(4711, b"g" * 32, CHAMBER, "https://vault.example:8645", b"c" * 32, b"b" * 32, 5, b"s" * 32)
CALL = ListingCall(4711, b"g" * 32, b"b" * 32, 5, b"s" * 32, 1_800_000_000)
ROWS = (Row(9, 2, "NL", 4, 0b101, 2, 1), Row(9, CHAMBER, "KE", 9, 0xFFFF, 250, 1), Row(7, 0, "", 0, 1, 68, 64))
LISTING = Listing(1, 80, 1_800_000_000, ROWS, True)
BYTES_MAX = 1 << 20


def test_a_secret_is_of_one_record_of_one_network_by_one_key():
    secret = listing_secret(b"k" * 32, b"g" * 32, b"b" * 32, 5)
    others = [
        listing_secret(b"o" * 32, b"g" * 32, b"b" * 32, 5),
        listing_secret(b"k" * 32, b"o" * 32, b"b" * 32, 5),
        listing_secret(b"k" * 32, b"g" * 32, b"o" * 32, 5),
        listing_secret(b"k" * 32, b"g" * 32, b"b" * 32, 6),
    ]
    assert len({secret, *others}) == 5


def test_all_read_back():
    assert decode_capability(encode_capability(CAPABILITY)) == CAPABILITY
    assert decode_call(encode_call(CALL)) == CALL
    assert decode_listing(encode_listing(LISTING), BYTES_MAX) == LISTING


def test_secrets_are_not_shown():
    shown = repr(CAPABILITY) + repr(CALL)
    assert "ssss" not in shown
    assert b"s".hex() * 4 not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "cocket-listing-capability-2"),
        ("chain_id", -1),
        ("genesis_hash", "0x12"),
        ("vault", 0),
        ("vault", 256),
        ("url", "http://vault.example"),
        ("url", "https://" + "v" * 128),
        ("url", "https://v\n"),
        ("certificate", "0x" + "C" * 64),
        ("batch", None),
        ("index", 1 << 20),
        ("secret", "0x" + "00" * 31),
    ],
)
def test_another_capability_is_none(name, value):
    node = json.loads(encode_capability(CAPABILITY)) | {name: value}
    with pytest.raises(InvalidFile, match=f"/{name}"):
        decode_capability(json.dumps(node).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "x"),
        ("chain_id", "1"),
        ("genesis_hash", ""),
        ("batch", 1),
        ("index", -1),
        ("secret", ""),
        ("before", 1.5),
    ],
)
def test_another_call_is_none(name, value):
    node = json.loads(encode_call(CALL)) | {name: value}
    with pytest.raises(InvalidFile):
        decode_call(json.dumps(node).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time", -1), ("party", 256), ("country", "ke"), ("country", "KEN"), ("country", None), ("purpose", 32),
        ("groups", 1 << 16), ("decision", 256), ("records", 65),
    ],
)  # fmt: skip
def test_another_row_is_none(name, value):
    node = json.loads(encode_listing(LISTING))
    node["reads"][0][name] = value
    with pytest.raises(InvalidFile, match=f"/reads/0/{name}"):
        decode_listing(json.dumps(node).encode(), BYTES_MAX)


def test_the_newest_come_first():
    with pytest.raises(InvalidFile, match="newest first"):
        decode_listing(encode_listing(replace(LISTING, rows=ROWS[::-1])), BYTES_MAX)


def test_an_answer_is_bounded():
    with pytest.raises(InvalidFile):
        decode_listing(encode_listing(LISTING), 100)
    with pytest.raises(InvalidFile, match="at most 1024"):
        decode_listing(encode_listing(replace(LISTING, rows=ROWS[:1] * 1025)), BYTES_MAX)
    assert len(encode_listing(replace(LISTING, rows=ROWS[1:2] * 1024))) < BYTES_MAX


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_garbage_is_refused(data):
    for decode in (decode_capability, decode_call, lambda found: decode_listing(found, BYTES_MAX)):
        with pytest.raises(InvalidFile):
            decode(data)
