"""Fields, disclosures and back: RFC 9901's form, any order, nothing lost."""

import base64
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.canonical import encode_json
from cocket.attestation.disclose import (
    FIELDS_MAX,
    GroupTree,
    decode_disclosure,
    document_of,
    encode_disclosure,
    fields_of,
)
from cocket.attestation.errors import InvalidDocument, InvalidFile

NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=6).filter(
    lambda name: not name.isdigit()
)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.decimals(
    -(10**9), 10**9, places=3, allow_nan=False, allow_infinity=False
)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=5)
ONE = GroupTree(0)


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_fields_in_any_order_give_the_document_back(document, random):
    (fields,) = fields_of(document, ONE, 1)
    shuffled = list(fields)
    random.shuffle(shuffled)
    back = document_of(shuffled) if document else {}
    assert encode_json(back) == encode_json(document)


@given(DOCUMENTS)
def test_fields_do_not_depend_on_the_order_of_names(document):
    turned = dict(reversed(document.items()))
    assert fields_of(turned, ONE, 1) == fields_of(document, ONE, 1)


@given(st.binary(min_size=16, max_size=16), st.text(max_size=20), SCALARS)
def test_a_disclosure_reads_back(salt, pointer, value):
    text = encode_disclosure(salt, pointer, value).decode()
    assert decode_disclosure(text) == (salt, pointer, value)
    padded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert json.loads(padded, parse_float=Decimal)[1:] == [pointer, value]


@given(st.text(max_size=80))
def test_arbitrary_disclosures_raise_nothing_but_the_own_error(text):
    with pytest.raises(InvalidFile):
        decode_disclosure(text)


@given(st.binary(max_size=60))
def test_arbitrary_bytes_in_base64_raise_nothing_but_the_own_error(data):
    text = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    with pytest.raises(InvalidFile):
        decode_disclosure(text)


@pytest.mark.parametrize(
    "content",
    [
        b'["AAAAAAAAAAAAAAAAAAAAAA","/a", 1]',  # a space: another text for the same field
        b'["AAAAAAAAAAAAAAAAAAAAAA","/a","\\u0061"]',
        b'["AAAAAAAAAAAAAAAAAAAAAB","/a",1]',  # the salt's spare bits are not zero
        b'["AAAAAAAAAAAAAAAAAAAAAA==","/a",1]',
        b'["AAAA","/a",1]',
        b'["AAAAAAAAAAAAAAAAAAAAAA","/a",[1]]',
        b'["AAAAAAAAAAAAAAAAAAAAAA","/a",{"b":1}]',
        b'["AAAAAAAAAAAAAAAAAAAAAA","/a"]',
        b'["AAAAAAAAAAAAAAAAAAAAAA",1,1]',
        b'["AAAAAAAAAAAAAAAAAAAAAA","/a",1e3]',
    ],
)
def test_a_disclosure_in_another_form_is_refused(content):
    with pytest.raises(InvalidFile):
        decode_disclosure(base64.urlsafe_b64encode(content).rstrip(b"=").decode())


def test_groups_follow_names_whatever_their_position():
    tree = GroupTree(0, {"items": GroupTree(1, {"price": GroupTree(2)})})
    document = {"id": "x", "items": [{"name": "a", "price": {"amount": 1}}, {"name": "b", "price": 2}], "z": {}}
    first, goods, prices = fields_of(document, tree, 3)
    assert first == [("/id", "x"), ("/z", {})]
    assert goods == [("/items/0/name", "a"), ("/items/1/name", "b")]
    assert prices == [("/items/0/price/amount", 1), ("/items/1/price", 2)]
    for group, fields in enumerate((first, goods, prices)):
        assert {tree.group_of(pointer) for pointer, _ in fields} == {group}


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"a": [{"b": 2**53}]}, "/a/0/b"),
        ({"a": {"12": 1}}, "/a"),
        ({"a": {"é": 1}}, "/a"),
        ({"a": [1.5]}, "/a/0"),
        ({"a": {1: 2}}, "/a"),
        ({"a": b"x"}, "/a"),
    ],
)
def test_values_outside_the_profile_are_refused_with_their_place(document, pointer):
    with pytest.raises(InvalidDocument) as caught:
        fields_of(document, ONE, 1)
    assert caught.value.findings[0].pointer == pointer


def test_too_deep_and_too_many_are_refused():
    deep: object = "x"
    for _ in range(33):
        deep = [deep]
    with pytest.raises(InvalidDocument, match="nested too deep"):
        fields_of(deep, ONE, 1)
    with pytest.raises(InvalidDocument, match="fields"):
        fields_of({"a": [1] * (FIELDS_MAX + 1)}, ONE, 1)
    assert len(fields_of({"a": [1] * FIELDS_MAX}, ONE, 1)[0]) == FIELDS_MAX


@pytest.mark.parametrize(
    "pointers",
    [("/a", "/a/b"), ("/a/b", "/a"), ("/a", "/a"), ("/a/0", "/a/b"), ("a",), ("",), ("/a" * 33,)],
)
def test_pointers_that_contradict_each_other_are_refused(pointers):
    with pytest.raises(InvalidFile):
        document_of((pointer, "x") for pointer in pointers)
