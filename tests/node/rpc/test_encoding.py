import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.rpc import encoding
from cocket.node.rpc.encoding import BlockSelector
from cocket.node.rpc.errors import InvalidParams

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=6,
)


@given(st.integers(0, 2**256 - 1))
def test_a_quantity_comes_back(number: int) -> None:
    assert encoding.parse_quantity(encoding.quantity(number)) == number


@given(st.binary(max_size=200))
def test_data_comes_back(value: bytes) -> None:
    assert encoding.parse_data(encoding.data(value)) == value


@pytest.mark.parametrize("text", ["0x0", "0x1", "0xff", "0xFf", "0x" + "f" * 64])
def test_a_canonical_quantity_is_read(text: str) -> None:
    assert encoding.parse_quantity(text) == int(text, 16)


@pytest.mark.parametrize(
    "value",
    ["", "0x", "0x00", "0x01", "1", "0X1", "0x1 ", "0x1\n", " 0x1", "0x-1", "0x1_0", "0xg", "0x\u0661", "latest"],
)
def test_any_other_quantity_is_refused(value: object) -> None:
    with pytest.raises(InvalidParams, match="expected a quantity"):
        encoding.parse_quantity(value)


@pytest.mark.parametrize("value", [1, 1.0, True, None, [], {}])
def test_a_quantity_is_a_string(value: object) -> None:
    with pytest.raises(InvalidParams, match="expected a quantity"):
        encoding.parse_quantity(value)


@pytest.mark.parametrize("value", ["0x1" + "0" * 64, "0x" + "f" * 100_000])
def test_an_overlong_quantity_is_refused(value: str) -> None:
    with pytest.raises(InvalidParams, match="at most 256 bits"):
        encoding.parse_quantity(value)


def test_a_quantity_is_bounded_by_bits() -> None:
    assert encoding.parse_quantity("0xffffffffffffffff", 64) == 2**64 - 1
    with pytest.raises(InvalidParams, match="at most 64 bits"):
        encoding.parse_quantity("0x10000000000000000", 64)
    assert encoding.parse_quantity("0x7fffffffffffffff", 63) == 2**63 - 1
    with pytest.raises(InvalidParams, match="at most 63 bits"):
        encoding.parse_quantity("0x8000000000000000", 63)


@pytest.mark.parametrize("value", ["", "0x0", "0xabc", "abcd", "0xzz", "0xab\n", "0x ab", 12, None, True, ["0xab"]])
def test_data_with_odd_or_foreign_digits_is_refused(value: object) -> None:
    with pytest.raises(InvalidParams):
        encoding.parse_data(value)


def test_an_address_has_twenty_bytes() -> None:
    assert encoding.parse_address("0x" + "Ab" * 20) == b"\xab" * 20
    for digits in (0, 38, 42, 64):
        with pytest.raises(InvalidParams, match="20 bytes"):
            encoding.parse_address("0x" + "a" * digits)


def test_a_slot_may_have_leading_zeros_but_at_most_32_bytes() -> None:
    assert encoding.parse_slot("0x0") == 0
    assert encoding.parse_slot("0x" + "0" * 63 + "5") == 5
    for wrong in ("0x", "0x" + "0" * 65, "5", 5):
        with pytest.raises(InvalidParams, match="storage slot"):
            encoding.parse_slot(wrong)


@pytest.mark.parametrize("tag", encoding.BLOCK_TAGS)
def test_each_tag_is_read(tag: str) -> None:
    assert encoding.parse_block_selector(tag) == BlockSelector(tag=tag)


def test_a_block_is_selected_by_number_or_hash() -> None:
    selected = BlockSelector(number=16)
    assert encoding.parse_block_selector("0x10") == selected
    assert encoding.parse_block_selector({"blockNumber": "0x10"}) == selected
    by_hash = {"blockHash": "0x" + "12" * 32, "requireCanonical": True}
    assert encoding.parse_block_selector(by_hash) == BlockSelector(hash=b"\x12" * 32)


@pytest.mark.parametrize(
    "value",
    [
        "newest", "Latest", "16", 16, "0x010", "0x" + "12" * 32, None, [], {}, {"blockNumber": "latest"},
        {"blockHash": "0x12"}, {"blockNumber": "0x1", "blockHash": "0x" + "12" * 32},
        {"blockHash": "0x" + "12" * 32, "requireCanonical": "yes"}, {"blockNumber": "0x1", "extra": 1},
    ],
)  # fmt: skip
def test_any_other_block_is_refused(value: object) -> None:
    with pytest.raises(InvalidParams):
        encoding.parse_block_selector(value)


@given(json_values)
def test_readers_raise_nothing_but_invalid_params(value: object) -> None:
    readers = (
        encoding.parse_quantity,
        encoding.parse_data,
        encoding.parse_address,
        encoding.parse_hash,
        encoding.parse_slot,
        encoding.parse_bool,
        encoding.parse_block_selector,
    )
    for reader in readers:
        with contextlib.suppress(InvalidParams):
            reader(value)


def test_a_wrong_value_is_shown_but_not_amplified() -> None:
    with pytest.raises(InvalidParams) as caught:
        encoding.parse_address("0x" + "zz" * 100_000)
    assert len(str(caught.value)) < 200
