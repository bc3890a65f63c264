import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.chain.block import (
    Block,
    Body,
    block_from_items,
    block_items,
    body_from_items,
    body_items,
    decode_block,
    decode_body,
    encode_block,
    encode_body,
    encode_transactions,
    is_legacy,
    transactions_from_items,
)
from cocket.node.chain.header import decode_header, header_items
from cocket.node.chain.rlp_codec import Item, RlpError, decode, encode
from cocket.node.errors import InvalidBlock

VECTOR = json.loads((Path(__file__).parents[2] / "vectors/header_besu_round1.json").read_text())
HEADER = decode_header(bytes.fromhex(VECTOR["encoded"][2:]))
LEGACY = encode([b"\1", b"to", [b"nested"], b""])
TYPED = b"\x02" + encode([b"\1", []])

transactions = st.lists(
    st.lists(st.binary(max_size=60), max_size=5).map(encode)
    | st.builds(lambda kind, payload: bytes([kind]) + payload, st.integers(0, 0x7F), st.binary(max_size=80)),
    max_size=5,
).map(tuple)


@given(transactions, st.booleans())
def test_blocks_and_bodies_round_trip(raws: tuple[bytes, ...], has_withdrawals: bool) -> None:
    block = Block(HEADER, raws, has_withdrawals)
    assert decode_block(encode_block(block)) == block
    assert encode(block_items(block)) == encode_block(block)
    assert block_from_items(decode(encode_block(block))) == block
    assert decode_body(encode_body(block.body)) == block.body == Body(raws, has_withdrawals)
    assert encode(body_items(block.body)) == encode_body(block.body)
    assert body_from_items(decode(encode_body(block.body))) == block.body
    assert transactions_from_items(decode(encode_transactions(raws))) == raws


def test_typed_transactions_travel_as_byte_strings_and_legacy_ones_as_lists() -> None:
    assert encode_transactions([LEGACY, TYPED]) == encode([decode(LEGACY), TYPED])
    assert is_legacy(LEGACY)
    assert not is_legacy(TYPED)


def test_the_withdrawals_list_is_kept_apart_from_its_absence() -> None:
    with_list, without = Block(HEADER, (), True), Block(HEADER, (), False)
    assert len(decode(encode_block(with_list))) == 4
    assert len(decode(encode_block(without))) == 3
    assert decode_block(encode_block(with_list)) != decode_block(encode_block(without))


@given(st.binary(max_size=80))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    with pytest.raises(InvalidBlock):
        decode_block(data)
    with contextlib.suppress(InvalidBlock):
        assert encode_body(decode_body(data)) == data


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ([], "block: found no items"),
        ([header_items(HEADER)], "found 0 lists"),
        ([header_items(HEADER), ()], "found 1 lists"),
        ([header_items(HEADER), (), (), (), ()], "found 4 lists"),
        ([b"header", (), ()], "header: found a byte string"),
        ([header_items(HEADER)[:14], (), ()], "header: found 14 fields"),
        ([header_items(HEADER), b"", ()], "transactions: found a byte string"),
        ([header_items(HEADER), (b"",), ()], "transaction 0: found an empty byte string"),
        ([header_items(HEADER), (TYPED, b"\x80abc"), ()], "transaction 1: found a byte string that starts with 0x80"),
        ([header_items(HEADER), (), (header_items(HEADER),)], "ommers: found 1, expected none"),
        ([header_items(HEADER), (), b""], "ommers: found a byte string"),
        ([header_items(HEADER), (), (), ((),)], "withdrawals: found 1, expected none"),
        (b"block", "block: found a byte string"),
    ],
)
def test_refuses_malformed_blocks_and_says_what_it_found(items: Item, found: str) -> None:
    with pytest.raises(InvalidBlock, match=found):
        decode_block(encode(items))
    with pytest.raises(InvalidBlock, match=found):
        block_from_items(decode(encode(items)))


def test_refuses_trailing_bytes_and_malformed_bodies() -> None:
    with pytest.raises(InvalidBlock, match="after the item"):
        decode_block(encode_block(Block(HEADER)) + b"\0")
    with pytest.raises(InvalidBlock, match="block body: found a byte string"):
        body_from_items(b"")
    with pytest.raises(InvalidBlock, match="block body"):
        decode_body(b"\x80")
    with pytest.raises(RlpError, match="transactions: found a byte string"):
        transactions_from_items(b"")


def test_a_block_is_its_parts() -> None:
    block = Block(HEADER, (TYPED,), True)
    assert block.body == Body((TYPED,), True)
    assert replace(block, transactions=()) == Block(HEADER, (), True)
