"""The codec against the ``rlp`` package as oracle, and its strictness case by case."""

import contextlib

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st
from rlp.exceptions import DecodingError

from cocket.node.chain import rlp_codec
from cocket.node.chain.rlp_codec import (
    DEPTH_MAX,
    RlpError,
    decode,
    decode_int,
    decode_list,
    encode,
    encode_int,
    expect_bytes,
    expect_int,
    expect_list,
    join_list,
    split_list,
)

byte_strings = st.binary(max_size=4) | st.binary(max_size=80) | st.sampled_from([b"\0", b"\x7f", b"\x80", b"x" * 300])
items = st.recursive(byte_strings, lambda inner: st.lists(inner, max_size=6), max_leaves=40)
# Bytes near the borders of the encoding, so that arbitrary input is often almost RLP.
near_rlp = st.lists(
    st.sampled_from([b"", b"\0", b"\x01", b"\x7f", b"\x80", b"\x81", b"\x82", b"\xb7", b"\xb8", b"\xb9", b"\xbf"])
    | st.sampled_from([b"\xc0", b"\xc1", b"\xc2", b"\xc4", b"\xf7", b"\xf8", b"\xf9", b"\xff", b"\x38", b"a" * 56])
    | items.map(rlp.encode),
    max_size=8,
).map(b"".join)


@settings(deadline=None, max_examples=300)
@given(items)
def test_encodes_as_the_oracle_and_decodes_its_own(item: rlp_codec.Item) -> None:
    encoded = encode(item)
    assert encoded == rlp.encode(item)
    assert decode(encoded) == item


@settings(deadline=None, max_examples=500)
@given(near_rlp | st.binary(max_size=60))
def test_accepts_exactly_what_the_oracle_accepts(data: bytes) -> None:
    try:
        expected = rlp.decode(data, strict=True)
    except DecodingError:
        with pytest.raises(RlpError):
            decode(data)
        return
    found = decode(data)
    assert found == expected
    assert encode(found) == data  # canonical: there is one encoding of each item


@settings(deadline=None)
@given(items, st.integers(0, 400), st.integers(0, 255))
def test_a_changed_byte_never_raises_another_error(item: rlp_codec.Item, position: int, value: int) -> None:
    data = bytearray(encode(item))
    data[position % len(data)] = value
    with contextlib.suppress(RlpError):
        assert encode(decode(bytes(data))) == bytes(data)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "no bytes"),
        (b"\x81\x7f", "a prefixed byte 0x7f"),
        (b"\x80\x80", "1 bytes after the item"),
        (b"\x82a", "a string of 2 bytes"),
        (b"\xb8\x37" + b"a" * 55, "the length 55"),
        (b"\xb9\x00\x38" + b"a" * 56, "the length 56 in 2 bytes"),
        (b"\xb9\x38", "the end of the data"),
        (b"\xc2\x80", "a list of 2 bytes"),
        (b"\xc1\x81", "a string of 1 bytes"),
        (b"\xf8\x37" + b"a" * 55, "the length 55"),
        (b"\xbf" + b"\xff" * 8, "a string of 18446744073709551615 bytes"),
        (b"\xff" + b"\xff" * 8, "a list of 18446744073709551615 bytes"),
    ],
)
def test_refuses_what_is_not_canonical_and_says_what_it_found(data: bytes, found: str) -> None:
    with pytest.raises(RlpError, match=found):
        decode(data)


def nested(depth: int) -> bytes:
    data = b"\xc0"
    for _ in range(depth - 1):
        data = join_list([data])
    return data


def test_nesting_is_bounded() -> None:
    assert decode(nested(DEPTH_MAX)) is not None
    with pytest.raises(RlpError, match="nested deeper"):
        decode(nested(DEPTH_MAX + 1))
    with pytest.raises(RlpError, match="nested deeper"):
        decode(nested(5000))  # far beyond the interpreter's own stack


def test_the_number_of_items_is_bounded_in_all_lists_together() -> None:
    lists = join_list([join_list([b"\x01"] * 5)] * 4)  # 4 lists of 5 + 8, in one of 4 + 8, and that is an item too
    assert decode(lists, 4 * 13 + 12 + 9) == [[b"\x01"] * 5] * 4
    with pytest.raises(RlpError, match="too many items"):
        decode(lists, 4 * 13 + 12 + 8)
    assert decode(join_list([b"\xc0"] * 10), 10 * 8 + 18 + 9) == [[]] * 10
    with pytest.raises(RlpError, match="too many items"):
        decode(join_list([b"\xc0"] * 11), 10 * 8 + 18 + 9)


TEN_MIB = 10 * 1024 * 1024


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(join_list([b"\xc0"] * (TEN_MIB - 4)), id="empty lists"),
        pytest.param(join_list([b"\x80"] * (TEN_MIB - 4)), id="empty strings"),
        pytest.param(join_list([join_list([b"\x01" * 18])] * 524_000), id="short lists"),
        pytest.param(join_list([join_list([b"\x01"] * 524_288)] * 19), id="long lists"),
    ],
)
def test_what_takes_seconds_to_decode_is_refused_in_its_first_part(bomb: bytes) -> None:
    assert len(bomb) <= TEN_MIB
    with pytest.raises(RlpError, match="too many items") as caught:
        decode(bomb)
    assert int(str(caught.value).split()[2].rstrip(":")) < TEN_MIB / 2


def test_the_smallest_transactions_that_fill_a_message_are_decoded() -> None:
    fields = [b"\x01" * 8, b"\x01" * 4, b"\x52\x08", bytes(20), b"", b"", b"\x1c", b"\x01" * 32, b"\x01" * 32]
    transaction = encode(fields)
    count = (TEN_MIB - 1024) // len(transaction)
    assert len(decode_list(join_list([transaction] * count))) == count > 90_000


@given(st.lists(items, max_size=6))
def test_a_list_is_split_without_looking_into_its_items(parts: list[rlp_codec.Item]) -> None:
    assert split_list(encode(parts)) == [encode(part) for part in parts]


@given(st.binary(max_size=40))
def test_splitting_any_bytes_raises_only_its_own_error(data: bytes) -> None:
    with contextlib.suppress(RlpError):
        assert data.endswith(b"".join(split_list(data)))


def test_what_is_split_is_one_whole_list_of_few_items() -> None:
    for data in (b"", b"\x80", b"\x83abc", b"\xc1", b"\xc1\x01\x01", b"\xc2\x83a", b"\xf8", b"\xf8\x01\x01"):
        with pytest.raises(RlpError):
            split_list(data)
    assert split_list(join_list([b"\x01"] * rlp_codec.SPLIT_MAX)) == [b"\x01"] * rlp_codec.SPLIT_MAX
    with pytest.raises(RlpError, match="more than 16 items"):
        split_list(join_list([b"\x01"] * (rlp_codec.SPLIT_MAX + 1)))


@given(st.lists(items, max_size=6))
def test_joins_what_is_already_encoded(parts: list[rlp_codec.Item]) -> None:
    assert join_list([encode(part) for part in parts]) == encode(parts)


@given(st.integers(0, 2**256 - 1))
def test_integers_round_trip_in_their_shortest_form(value: int) -> None:
    assert rlp.sedes.big_endian_int.serialize(value) == encode_int(value)
    assert decode_int(encode_int(value)) == value


def test_integers_are_bounded_and_without_leading_zeros() -> None:
    assert decode_int(b"\xff" * 8, 64) == 2**64 - 1
    assert expect_int(b"", "n") == 0
    with pytest.raises(RlpError, match="leading zero"):
        decode_int(b"\x00")
    with pytest.raises(RlpError, match="leading zero"):
        decode_int(b"\x00\x01")
    with pytest.raises(RlpError, match="9 bytes, expected at most 64 bits"):
        decode_int(b"\x01" + bytes(8), 64)
    with pytest.raises(RlpError, match="64 bits, expected at most 63"):
        decode_int(b"\xff" * 8, 63)
    with pytest.raises(RlpError, match="2 bits, expected at most 1"):
        decode_int(b"\x02", 1)
    with pytest.raises(RlpError, match="n: found a list of 1 items, expected an integer"):
        expect_int([b""], "n")
    with pytest.raises(OverflowError):
        encode_int(-1)  # our own bug, not a peer's


def test_expectations_name_what_they_wanted() -> None:
    assert decode_list(b"\xc1\x01") == [b"\x01"]
    with pytest.raises(RlpError, match="item: found a byte string of 1 bytes, expected a list"):
        decode_list(b"\x01")
    with pytest.raises(RlpError, match="pair: found 1 items, expected 2"):
        expect_list([b""], "pair", 2)
    assert expect_bytes(b"ab", "root", 2) == b"ab"
    with pytest.raises(RlpError, match="root: found 2 bytes, expected 32"):
        expect_bytes(b"ab", "root", 32)
    with pytest.raises(RlpError, match="root: found a list of 0 items, expected a byte string"):
        expect_bytes([], "root")
