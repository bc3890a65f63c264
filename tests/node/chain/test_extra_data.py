import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.chain.extra_data import (
    EXTRA_DATA_BYTES_MAX,
    ExtraData,
    Vote,
    decode_extra_data,
    encode_extra_data,
    unsealed_extra_data,
)
from cocket.node.chain.rlp_codec import Item, encode
from cocket.node.errors import InvalidBlock

VECTOR = json.loads((Path(__file__).parents[2] / "vectors/extra_data_besu.json").read_text())
ADDRESS = bytes(range(20))

extras = st.builds(
    ExtraData,
    vanity=st.binary(max_size=40),
    validators=st.lists(st.binary(min_size=20, max_size=20), max_size=5).map(tuple),
    vote=st.none() | st.builds(Vote, st.binary(min_size=20, max_size=20), st.booleans()),
    round=st.integers(0, 2**31 - 1),
    seals=st.lists(st.binary(min_size=65, max_size=65), max_size=4).map(tuple),
)


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def besu_extra() -> ExtraData:
    return ExtraData(
        vanity=raw(VECTOR["vanity"]),
        validators=tuple(map(raw, VECTOR["validators"])),
        vote=Vote(raw(VECTOR["vote"]["recipient"]), VECTOR["vote"]["is_add"]),
        round=VECTOR["round"],
        seals=tuple(map(raw, VECTOR["seals"])),
    )


def test_besu_bytes_decode_and_encode() -> None:
    assert decode_extra_data(raw(VECTOR["encoded"])) == besu_extra()
    assert encode_extra_data(besu_extra()) == raw(VECTOR["encoded"])


def test_besu_genesis_in_contract_mode() -> None:
    encoded = bytes.fromhex("e5a00000000000000000000000000000000000000000000000000000000000000000c0c080c0")
    assert decode_extra_data(encoded) == ExtraData()
    assert encode_extra_data(ExtraData()) == encoded


@given(extras)
def test_round_trip(extra: ExtraData) -> None:
    encoded = encode_extra_data(extra)
    assert decode_extra_data(encoded) == extra


@given(
    st.binary(max_size=80)
    | extras.map(encode_extra_data).flatmap(lambda data: st.sampled_from([data[:-1], data + b"\0"]))
)
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        extra = decode_extra_data(data)
    except InvalidBlock:
        return
    assert encode_extra_data(extra) == data


@given(extras)
def test_the_bytes_under_the_hashes_empty_round_and_seals_but_keep_their_places(extra: ExtraData) -> None:
    block = decode_extra_data(unsealed_extra_data(encode_extra_data(extra), 0))
    commit = decode_extra_data(unsealed_extra_data(encode_extra_data(extra)))
    assert (block.round, block.seals) == (0, ())
    assert (commit.round, commit.seals) == (extra.round, ())
    assert block.vanity == commit.vanity == extra.vanity
    assert block.validators == commit.validators == extra.validators
    assert block.vote == commit.vote == extra.vote


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ((b"", (), (), b""), "found 4 items, expected 5"),
        ((b"", (), (), b"", (), b""), "found 6 items, expected 5"),
        (((), (), (), b"", ()), "vanity: found a list"),
        ((b"", b"", (), b"", ()), "validators: found a byte string"),
        ((b"", (ADDRESS[1:],), (), b"", ()), "validator: found 19 bytes, expected 20"),
        ((b"", (), b"", b"", ()), "vote: found a byte string"),
        ((b"", (), (ADDRESS,), b"", ()), "vote: found 1 items, expected 2"),
        ((b"", (), (ADDRESS, b"\x01"), b"", ()), "vote kind: found 0x01"),
        ((b"", (), (ADDRESS, b"\x00"), b"", ()), "vote kind: found 0x00"),
        ((b"", (), (ADDRESS[1:], b"\xff"), b"", ()), "recipient: found 19 bytes"),
        ((b"", (), (), b"\x00\x01", ()), "round: found an integer with a leading zero"),
        ((b"", (), (), b"\x00\x00\x00\x01", ()), "round: found an integer with a leading zero"),  # IBFT2's form
        ((b"", (), (), b"\x80\x00\x00\x00", ()), "round: found an integer of 32 bits"),
        ((b"", (), (), b"", (b"\1" * 64,)), "seal: found 64 bytes, expected 65"),
    ],
)
def test_refuses_what_is_not_qbft(items: Item, found: str) -> None:
    with pytest.raises(InvalidBlock, match=found):
        decode_extra_data(encode(items))


def test_a_drop_vote_is_an_empty_string() -> None:
    extra = ExtraData(vote=Vote(ADDRESS, is_add=False))
    assert b"\x94" + ADDRESS + b"\x80" in encode_extra_data(extra)
    assert decode_extra_data(encode_extra_data(extra)) == extra


def test_size_is_bounded_before_decoding() -> None:
    with pytest.raises(InvalidBlock, match=f"expected at most {EXTRA_DATA_BYTES_MAX}"):
        decode_extra_data(bytes(EXTRA_DATA_BYTES_MAX + 1))
