"""Padding, contents, openings and envelopes: each has one form, and nothing else is read as it."""

import pytest
from attestation.sealing.test_record import MANIFEST, RECORD, SEEDS
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.sealing.contents import Contents, decode_contents, encode_contents
from cocket.attestation.sealing.envelope import (
    ENVELOPE_BYTES_MAX,
    MAGIC,
    address_of,
    decode_envelope,
    encode_envelope,
)
from cocket.attestation.sealing.opening import OPENING_BYTES, decode_opening, encode_opening
from cocket.attestation.sealing.padding import SIZE_CLASSES, pad, unpad
from cocket.attestation.sealing.record import open_vault

ENVELOPE = encode_envelope(RECORD.ciphertexts)


@given(st.binary(max_size=5000), st.sampled_from([1024, 4096]))
def test_padding_comes_off_again_and_lengths_are_classes(data, least):
    padded = pad(data, least)
    assert unpad(padded) == data
    assert len(padded) in SIZE_CLASSES
    assert len(padded) >= least


def test_the_largest_class_is_the_end():
    largest = SIZE_CLASSES[-1] - 4
    assert len(pad(bytes(largest), 1024)) == SIZE_CLASSES[-1]
    with pytest.raises(AttestationError, match="at most 16777212"):
        pad(bytes(largest + 1), 1024)


@pytest.mark.parametrize(
    "padded",
    [
        b"",
        bytes(1023),
        (1021).to_bytes(4) + bytes(1020),
        (1).to_bytes(4) + b"ab" + bytes(1018),
        b"\xff" * 1024,
    ],
)
def test_what_was_not_padded_like_that_is_refused(padded):
    with pytest.raises(InvalidFile, match="not padded"):
        unpad(padded)


CONTENTS = Contents(b"s" * 32, (("/a", "one"), ("/b", 2), ("/c", True), ("/d", None)))


def test_contents_read_back():
    assert decode_contents(encode_contents(CONTENTS, 1024)) == CONTENTS


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"fields":[]}',
        b'{"fields":[],"seed":"0x00"}',
        b'{"fields":[["/a"]],"seed":"0x%s"}' % (b"00" * 32),
        b'{"fields":[["/a",{"x":1}]],"seed":"0x%s"}' % (b"00" * 32),
        b'{"fields":[],"more":1,"seed":"0x%s"}' % (b"00" * 32),
    ],
)
def test_other_contents_are_refused(text):
    with pytest.raises(InvalidFile):
        decode_contents(pad(text, 1024))


def test_an_opening_reads_back_at_its_one_length():
    opening = open_vault(MANIFEST, SEEDS.vault)
    data = encode_opening(opening)
    assert decode_opening(data) == opening
    assert len(data) == OPENING_BYTES


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"country":"SG"', b'"country":"sg"'),
        (b'"dialect":"', b'"dialect":"x'),
        (b'"index"', b'"idnex"'),
        (b'"salt":"0x', b'"salt":"0X'),
    ],
)
def test_another_opening_is_refused(old, new):
    text = unpad(encode_opening(open_vault(MANIFEST, SEEDS.vault)))
    assert old in text
    with pytest.raises(InvalidFile):
        decode_opening(pad(text.replace(old, new), OPENING_BYTES))


def test_an_envelope_reads_back_and_is_named_by_its_bytes():
    assert decode_envelope(ENVELOPE) == RECORD.ciphertexts
    assert address_of(ENVELOPE) != address_of(ENVELOPE + b"\0")
    assert len(address_of(ENVELOPE)) == 64


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no envelope"),
        (MAGIC, "no envelope"),
        (MAGIC + b"\0", "no envelope"),
        (MAGIC + b"\x11", "no envelope"),
        (b"cocket-envelope-2\n" + ENVELOPE[len(MAGIC) :], "no envelope"),
        (ENVELOPE + b"\0", "1 bytes after its end"),
        (ENVELOPE[:-1], "cut off"),
        (ENVELOPE[: len(MAGIC) + 3], "no size class, or cut off"),
        (MAGIC + b"\x01" + (1000).to_bytes(4) + bytes(1000), "no size class"),
        (bytes(ENVELOPE_BYTES_MAX + 1), "at most"),
    ],
)
def test_another_envelope_is_refused(data, why):
    with pytest.raises(InvalidFile, match=why):
        decode_envelope(data)
