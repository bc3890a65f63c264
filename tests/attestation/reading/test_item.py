"""Item proofs: a sealed record is the one at its place in an anchored batch, and at no other."""

import json
from dataclasses import replace

import pytest
from attestation.sealing.trial import CERTIFICATE, GENESIS_HASH
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.attestation.batch import country_hash
from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.prove import integrity_of, whole
from cocket.attestation.reading.item import Item, binding_of, item_json, item_of, validate_item
from cocket.attestation.sealing.binding import Binding

ANCHOR = CERTIFICATE.anchor
WHOLE = whole(CERTIFICATE)
ITEM = Item(
    integrity_of(WHOLE).document_root, 1, 4, country_hash(WHOLE.country.salt, WHOLE.country.country), ANCHOR.path
)


def test_an_item_leads_to_its_place():
    validate_item(ITEM, ANCHOR.issuer, ANCHOR.batch, ANCHOR.index)
    assert binding_of(ITEM, GENESIS_HASH) == Binding(GENESIS_HASH, ITEM.document_root, 1, 4)


@pytest.mark.parametrize(
    "changed",
    [
        replace(ITEM, document_root=b"o" * 32),
        replace(ITEM, kind=2),
        replace(ITEM, destination=b"o" * 32),
        replace(ITEM, path=(*ITEM.path[1:], ITEM.path[0])),
        replace(ITEM, path=(*ITEM.path, bytes(32))),
    ],
    ids=["document", "kind", "destination", "path", "longer"],
)
def test_another_item_does_not(changed):
    with pytest.raises(InvalidFile, match="an item that leads to 0x"):
        validate_item(changed, ANCHOR.issuer, ANCHOR.batch, ANCHOR.index)


def test_it_leads_to_no_other_place():
    with pytest.raises(InvalidFile, match="an item that leads to 0x"):
        validate_item(ITEM, ANCHOR.issuer, ANCHOR.batch, ANCHOR.index ^ 1)
    with pytest.raises(InvalidFile, match="an item that leads to 0x"):
        validate_item(ITEM, ANCHOR.issuer + 1, ANCHOR.batch, ANCHOR.index)
    with pytest.raises(InvalidFile, match="an item that leads to 0x"):
        validate_item(ITEM, ANCHOR.issuer, b"o" * 32, ANCHOR.index)
    for index in (-1, 16):
        with pytest.raises(InvalidFile, match="no batch has an index"):
            validate_item(ITEM, ANCHOR.issuer, ANCHOR.batch, index)
    for issuer in (0, 1 << 32):
        with pytest.raises(InvalidFile, match="expected a participant's number"):
            validate_item(ITEM, issuer, ANCHOR.batch, ANCHOR.index)
    with pytest.raises(InvalidFile, match="a path of 3 hashes"):
        validate_item(replace(ITEM, path=ITEM.path[:3]), ANCHOR.issuer, ANCHOR.batch, 0)


HASHES = st.binary(min_size=32, max_size=32)


@given(
    st.builds(
        Item, HASHES, st.just(1), st.integers(0, (1 << 32) - 1), HASHES, st.lists(HASHES, min_size=4, max_size=20)
    )
)
@settings(max_examples=20)
def test_an_item_reads_back(item):
    item = replace(item, path=tuple(item.path))
    assert item_of(json.loads(encode_json(item_json(item)))) == item


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("document_root", "0x00", "hexadecimal digits"),
        ("kind", 2, "expected one of 1"),
        ("kind", 1 << 16, "an integer below"),
        ("key_epoch", 1 << 32, "an integer below"),
        ("destination", 1, "hexadecimal digits"),
        ("path", ["0x" + "00" * 32] * 3, "at least 4 hashes"),
        ("path", ["0x" + "00" * 32] * 21, "an array of at most 20"),
        ("path", ["0x"] * 4, "hexadecimal digits"),
        ("more", 1, "expected an object of"),
    ],
)
def test_another_item_is_refused(name, value, why):
    node = item_json(ITEM)
    node[name] = value
    with pytest.raises(InvalidFile, match=why):
        item_of(node)
