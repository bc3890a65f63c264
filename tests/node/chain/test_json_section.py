import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.chain.json_section import NESTING_MAX, Section, parse_hex, parse_json
from cocket.node.errors import InvalidGenesis


def section(text: str) -> Section:
    return parse_json(text.encode(), 100_000)


def test_keys_compare_without_case_and_each_is_taken_once() -> None:
    read = section('{"ChainID": 5, "other": null}')
    assert read.has("chainid")
    assert read.integer("chainId", 0) == 5
    assert not read.has("chainId")
    assert read.integer("chainId", 9) == 9
    assert not read.has("other")
    read.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "line 1 column 1: Expecting value, expected JSON"),
        ("[]", "found a list of 0, expected an object"),
        ("5", "found 5, expected an object"),
        ('{"a": 1, "A": 2}', r"genesis\.A: found it twice"),
        ('{"a": 1, "a": 1}', r"genesis\.a: found it twice"),
        ('{"a": 1.0}', "found the number 1.0, expected whole numbers only"),
        ('{"a": 1e3}', "found the number 1e3"),
        ('{"a": NaN}', "found the number NaN"),
        ('{"a": -Infinity}', "found the number -Infinity"),
        ('{"a": 1' + "0" * 80 + "}", "a number of 81 digits"),
        ('{"a": 1} x', "Extra data"),
        ('{"unknown": 7}', r"genesis\.unknown: found 7, expected no such key"),
        ('{"unknown": {"a": 1}}', "found an object, expected no such key"),
        ('{"unknown": "' + "x" * 200 + '"}', r"found \"x+\.\.\. \(202 characters\)"),
    ],
)
def test_refuses_and_says_what_it_found(text: str, found: str) -> None:
    with pytest.raises(InvalidGenesis, match=found):
        section(text).close()


def test_nesting_is_bounded_before_the_decoder_sees_it() -> None:
    brackets = "[" * (NESTING_MAX - 1) + "]" * (NESTING_MAX - 1)
    section(f'{{"a": {brackets}}}').ignore("a")
    for text in (f'{{"a": [{brackets}]}}', "[" * 90_000, '{"a":' * 15_000, '{"' + "\\" * 8 + '": ' + "[" * 90_000):
        with pytest.raises(InvalidGenesis, match="nested deeper than 32"):
            section(text)
    section('{"a\\\\": "' + "[" * 90 + '", "b": "\\"[[' + "{" * 90 + '"}').ignore(
        "a\\", "b"
    )  # in strings they are text
    with pytest.raises(InvalidGenesis, match="expected JSON"):
        section('{"' + '\\"' * 40_000)


def test_bytes_are_bounded_and_utf8() -> None:
    with pytest.raises(InvalidGenesis, match="found 12 bytes, expected at most 11"):
        parse_json(b'{"a": 12345}', 11)
    with pytest.raises(InvalidGenesis, match="not UTF-8 at 1"):
        parse_json(b"{\xff}", 100)
    assert parse_json(b'\xef\xbb\xbf{"a": 1}', 100).integer("a", 0) == 1


@given(st.binary(max_size=60))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    with pytest.raises(InvalidGenesis):
        parse_json(data + b"]", 100)


def test_a_remark_may_stand_behind_an_underscore() -> None:
    section('{"_comment": "why"}').close()


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ('"7"', 7), ('"0x1F"', 31), ('"0X1f"', 31), ('"0"', 0), ("0", 0)]
)
def test_integers_in_each_form(text: str, value: int) -> None:
    assert section(f'{{"a": {text}}}').integer("a", 99) == value
    assert section(f'{{"a": {text}}}').optional_integer("a") == value


@pytest.mark.parametrize(
    "text", ["-1", '"-1"', '"007"', '"0x"', '""', '"1f"', '" 7"', '"7_0"', '"٧"', "true", "[]", "{}"]
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(InvalidGenesis, match=r"genesis\.a: found"):
        section(f'{{"a": {text}}}').integer("a", 0)


def test_integers_are_bounded() -> None:
    assert section('{"a": 255}').integer("a", 0, bits=8) == 255
    with pytest.raises(InvalidGenesis, match=r"a: found 256, expected a whole number from 0 to 2\^8 - 1"):
        section('{"a": 256}').integer("a", 0, bits=8)
    with pytest.raises(InvalidGenesis, match="from 3 to"):
        section('{"a": 2}').integer("a", 5, minimum=3)
    assert section("{}").optional_integer("a") is None
    assert section('{"a": null}').integer("a", 4) == 4


def test_a_number_that_readers_take_differently_needs_0x() -> None:
    assert section('{"a": "0x10"}').hex_integer("a", 0) == 16
    assert section('{"a": "9"}').hex_integer("a", 0) == 9
    assert section('{"a": 0}').hex_integer("a", 1) == 0
    assert section("{}").hex_integer("a", 1) == 1
    for text in ('"10"', "10"):
        with pytest.raises(InvalidGenesis, match="expected a string that starts with 0x"):
            section(f'{{"a": {text}}}').hex_integer("a", 0)


def test_data_and_addresses() -> None:
    assert section('{"a": "0xABcd"}').data("a") == b"\xab\xcd"
    assert section('{"a": "0x"}').data("a") == b""
    assert section('{"a": ""}').data("a") is None
    assert section("{}").data("a") is None
    assert section('{"a": "abcd"}').data("a", may_be_bare=True) == b"\xab\xcd"
    assert section('{"a": "0x' + "11" * 20 + '"}').address("a") == b"\x11" * 20
    for text in ('"abcd"', '"0xabc"', '"0xzz"', '"0x 11"', "5", "true"):
        with pytest.raises(InvalidGenesis, match="pairs of hex digits"):
            section(f'{{"a": {text}}}').data("a")
    with pytest.raises(InvalidGenesis, match="expected 20 bytes, not 2"):
        section('{"a": "0xabcd"}').address("a")
    assert parse_hex("٠٠") is None
    assert parse_hex("0x٠٠") is None


def test_booleans_and_texts() -> None:
    assert section('{"a": true}').boolean("a")
    assert not section('{"a": false}').boolean("a")
    assert not section("{}").boolean("a")
    with pytest.raises(InvalidGenesis, match="expected true or false"):
        section('{"a": 1}').boolean("a")
    assert section('{"a": "b"}').text("a") == "b"
    assert section("{}").text("a", "c") == "c"
    with pytest.raises(InvalidGenesis, match="expected a string"):
        section('{"a": 1}').text("a")


def test_only_and_forbid() -> None:
    section('{"a": 0, "b": "0x0", "c": null}').only("a", 0, "why")
    section('{"a": "0x0"}').only("a", 0, "why")
    section("{}").forbid("why", "a")
    section('{"a": null}').forbid("why", "a")
    with pytest.raises(InvalidGenesis, match=r"a: found 1, expected none or 0; why"):
        section('{"a": 1}').only("a", 0, "why")
    with pytest.raises(InvalidGenesis, match="found false, expected none or 0"):
        section('{"a": false}').only("a", 0, "why")
    with pytest.raises(InvalidGenesis, match="found 0, expected none or false"):
        section('{"a": 0}').only("a", False, "why")
    with pytest.raises(InvalidGenesis, match=r"genesis\.A: found 0, expected none; why|genesis\.a: found 0"):
        section('{"A": 0}').forbid("why", "a")


def test_sections_know_their_place() -> None:
    inner = section('{"outer": {"x": {"y": 1}}}').section("outer")
    assert inner is not None
    deep = inner.section("x")
    assert deep is not None
    with pytest.raises(InvalidGenesis, match=r"genesis\.outer\.x\.y: found 1"):
        deep.close()
    assert section("{}").section("outer") is None
    with pytest.raises(InvalidGenesis, match=r"genesis\.outer: found 5, expected an object"):
        section('{"outer": 5}').section("outer")


def test_the_plain_object_is_whole_whatever_was_taken() -> None:
    read = section('{"a": {"B": [1, {"c": "d"}]}, "e": 2}')
    read.ignore("e")
    assert read.plain() == {"a": {"B": [1, {"c": "d"}]}, "e": 2}
    assert read.values() == [("a", [("B", [1, [("c", "d")]])])]
    read.close()
