"""The JSON profile: what is read, what is refused, and that there is one text for one value."""

import json
import sys
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.canonical import DOCUMENT_BYTES_MAX, INTEGER_MAX, encode_json, parse_json, segment
from cocket.attestation.errors import InvalidDocument

NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=8).filter(
    lambda name: not name.isdigit()
)
SCALARS = st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | st.text(max_size=12)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4))


@given(VALUES)
def test_the_canonical_text_is_that_of_rfc_8785(value):
    # Within the profile (ASCII names, no floats) Python's own writer with these settings writes RFC 8785's text.
    oracle = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert encode_json(value) == oracle


@given(VALUES)
def test_what_is_written_reads_back(value):
    assert parse_json(encode_json(value)) == value


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_spacing_escapes_and_order_do_not_count(value, indent, ensure_ascii):
    text = json.dumps(value, indent=indent, ensure_ascii=ensure_ascii).encode()
    assert encode_json(parse_json(text)) == encode_json(value)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_the_own_error(data):
    with suppress(InvalidDocument):
        parse_json(data)


@given(st.text('{}[]",:\\u0123ae-. tfn', max_size=60))
def test_arbitrary_json_like_text_raises_nothing_but_the_own_error(text):
    try:
        value = parse_json(text.encode())
    except InvalidDocument:
        return
    assert json.loads(text) is not None or value is None


@pytest.mark.parametrize("text", ["12.50", "0.0000001", "-0.10", "100000000000000000000.5", "-0.0"])
def test_a_decimal_is_kept_digit_for_digit(text):
    value = parse_json(text.encode())
    assert isinstance(value, Decimal)
    assert encode_json({"a": [value]}) == b'{"a":[' + text.encode() + b"]}"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"1e3", "json-number"),
        (b"[1E400]", "json-number"),
        (b"0." + b"1" * 60, "json-number"),
        (b'{"a":1,"a":2}', "json-names"),
        (b'{"a":{"b":1,"b":1}}', "json-names"),
        (b'{"a":1,"\\u0061":2}', "json-names"),
        (b'{"a":"\\u003a","b":1,"b":1}', "json-names"),  # an escaped colon does not hide the second name
        (b'{"a":":","b":"::","b":1}', "json-names"),
        (b"[" * 41 + b"]" * 41, "json"),
        (b"[" * 100_000, "json"),
        (b'"\\ud800"', "json"),
        (b'"\xff"', "json"),
        (b"\xef\xbb\xbf{}", "json"),
        (b"NaN", "json"),
        (b"", "json"),
        (b"{} {}", "json"),
        (b"9" * 5000, "json"),
        (b'"' + b"a" * DOCUMENT_BYTES_MAX + b'"', "json"),
    ],
)
def test_refused(data, rule):
    with pytest.raises(InvalidDocument) as caught:
        parse_json(data)
    assert [finding.rule for finding in caught.value.findings] == [rule]
    assert caught.value.findings[0].expected


@pytest.mark.parametrize("opener", [b"[", b'{"a":', b'[{"]":', b'{"\\"}":['])
def test_nesting_is_refused_before_the_decoder_recurses_whatever_recursion_limit_others_set(opener):
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)  # as py_ecc does
    try:
        with pytest.raises(InvalidDocument, match="nested too deep"):
            parse_json(opener * 100_000)
    finally:
        sys.setrecursionlimit(before)


def test_brackets_side_by_side_or_in_texts_are_not_nested():
    for data in (b"[" + b"[]," * 5_000 + b"[]]", b'["' + b"[" * 5_000 + b'","' + b'\\"{' * 5_000 + b'"]'):
        assert parse_json(data) == json.loads(data)


@pytest.mark.parametrize(
    "data", [b'{"a":":::","b:c":1}', b'{"a":"\\u003a","b":{"a":1}}', b'[{"a":1},{"a":1}]', b'{"a":"\\":\\\\"}']
)
def test_names_that_only_look_doubled_are_read(data):
    assert parse_json(data) == json.loads(data)


@pytest.mark.parametrize("name", ["", "é", "a\n", "12", "x" * 129])
def test_names_outside_the_profile_are_refused(name):
    with pytest.raises(InvalidDocument):
        segment(name)


def test_a_name_is_escaped_as_a_pointer_does():
    assert segment("@context") == "/@context"
    assert segment("a/b~1") == "/a~1b~01"
