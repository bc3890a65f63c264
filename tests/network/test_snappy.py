"""Compression: round trips, and a bomb refused before it is unpacked."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.network.errors import PeerFault
from cocket.network.snappy import compress, compressed_bytes_max, decompress


@given(st.binary(max_size=2000) | st.integers(0, 200_000).map(bytes))
def test_round_trip(data: bytes) -> None:
    block = compress(data)
    assert len(block) <= compressed_bytes_max(len(data))
    assert decompress(block, len(data)) == data


def test_one_byte_over_the_limit_is_refused() -> None:
    block = compress(bytes(1001))
    assert decompress(block, 1001) == bytes(1001)
    with pytest.raises(PeerFault, match="1001 bytes uncompressed, the limit is 1000"):
        decompress(block, 1000)


def test_bomb_is_refused_by_its_size_alone() -> None:
    """Sixteen MiB of zeros take 786 kB; the announced size is enough to refuse."""
    with pytest.raises(PeerFault, match="the limit is 10485760"):
        decompress(compress(bytes(1 << 24)), 10 << 20)


def test_size_no_block_could_hold_is_refused_before_room_is_made() -> None:
    with pytest.raises(PeerFault, match="more than snappy can hold"):
        decompress(b"\x80\x80\x80\x04abc", 10 << 20)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff\xff\xff\xff\xff\x01", b"\xff\xff\xff\xff\x1f"])
def test_bad_preamble_is_refused(data: bytes) -> None:
    with pytest.raises(PeerFault, match="snappy size"):
        decompress(data, 1000)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_peer_fault(data: bytes) -> None:
    with contextlib.suppress(PeerFault):
        assert len(decompress(data, 5000)) <= 5000
