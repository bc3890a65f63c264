"""A period's file and a receipt's proof read back; anything else is refused with its place."""

import json

import pytest
from attestation.reading.trial import history_of
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.receipts import proof_of, root_by
from cocket.attestation.reading.receipts_file import decode_period, encode_period, proof_json, proof_of_json

PERIODS, ANCHORED = history_of(3, 0)
FILE = b"".join(encode_period(PERIODS[0]))
HEAD, *LINES = FILE.splitlines(keepends=True)
PROOF = proof_of(PERIODS[0], 1)


def with_head(**members):
    return encode_json(json.loads(HEAD) | members) + b"\n" + b"".join(LINES)


def test_a_period_reads_back():
    for period in PERIODS:
        assert decode_period(b"".join(encode_period(period))) == period
    assert len(LINES) == 3


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no period's first line"),
        (b"x" * 2000 + b"\n", "no period's first line"),
        (b"[]\n", "expected an object of"),
        (with_head(format="cocket-receipts-2"), "expected cocket-receipts-1"),
        (with_head(keeper=0), "a party's number"),
        (with_head(sequence=0), "a number from 1"),
        (with_head(first=-1), "an integer below"),
        (with_head(previous="0x"), "hexadecimal digits"),
        (with_head(seed="0x" + "00" * 31), "hexadecimal digits"),
        (with_head(receipts=2), "expected 2 lines of 568"),
        (with_head(receipts=(1 << 20) + 1), "an integer below"),
        (with_head(more=1), "expected an object of"),
        (FILE[:-1], "expected 3 lines of 568"),
        (FILE + b"\n", "expected 3 lines of 568"),
        (HEAD + b"".join(LINES).upper(), "at line 2: found .*; expected 0x and 566 hexadecimal digits"),
        (HEAD + LINES[0] + LINES[1][:-1] + b"0" + LINES[2], "at line 3: found no end of the line"),
        (HEAD + LINES[0] + b"\xff" * 568 + b"\n" + LINES[2], "at line 3: found"),
    ],
)
def test_another_file_is_refused(data, why):
    with pytest.raises(InvalidFile, match=why):
        decode_period(data)


@given(st.binary(max_size=120), st.binary(max_size=1700))
@settings(max_examples=50)
def test_decoding_raises_nothing_else(head, rest):
    for data in (head + b"\n" + rest, HEAD + (rest + bytes(1659))[:1659]):
        with pytest.raises(InvalidFile):
            decode_period(data)


def test_a_proof_reads_back():
    proof = proof_of_json(json.loads(encode_json(proof_json(PROOF))))
    assert proof == PROOF
    assert root_by(proof, PERIODS[0].receipts[1]) == ANCHORED[1]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("format", "cocket-receipts-1", "expected cocket-receipt-proof-1"),
        ("keeper", 256, "a party's number"),
        ("sequence", 0, "a number from 1"),
        ("first", "0", "an integer below"),
        ("previous", None, "hexadecimal digits"),
        ("place", 1 << 20, "an integer below"),
        ("path", ["0x" + "00" * 32] * 21, "an array of at most 20"),
        ("path", ["0x"], "hexadecimal digits"),
        ("more", 1, "expected an object of"),
    ],
)
def test_another_proof_is_refused(name, value, why):
    with pytest.raises(InvalidFile, match=why):
        proof_of_json(proof_json(PROOF) | {name: value})
