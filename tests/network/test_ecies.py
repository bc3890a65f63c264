"""The handshake's envelope: opens with the right key and data, and with nothing else."""

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from cocket.network import ecies
from cocket.network.errors import PeerFault

KEY = PrivateKey(bytes(31) + b"\x07")
OTHER = PrivateKey(bytes(31) + b"\x08")


def fixed(count: int) -> bytes:
    return b"\x05" * count


@given(plain=st.binary(max_size=300), bound=st.binary(max_size=8))
def test_envelope_gives_back_what_it_carries(plain: bytes, bound: bytes) -> None:
    envelope = ecies.encrypt(KEY.public_key, plain, bound, fixed)
    assert len(envelope) == len(plain) + ecies.OVERHEAD_BYTES
    assert ecies.decrypt(KEY, envelope, bound) == plain


def test_envelope_does_not_open_with_another_key() -> None:
    envelope = ecies.encrypt(KEY.public_key, b"hello", b"", fixed)
    with pytest.raises(PeerFault, match="does not open"):
        ecies.decrypt(OTHER, envelope, b"")


def test_envelope_does_not_open_with_other_bound_data() -> None:
    envelope = ecies.encrypt(KEY.public_key, b"hello", b"\x01\x02", fixed)
    with pytest.raises(PeerFault, match="does not open"):
        ecies.decrypt(KEY, envelope, b"\x01\x03")


@pytest.mark.parametrize("place", [70, 85, -1])
def test_one_altered_bit_is_noticed(place: int) -> None:
    envelope = bytearray(ecies.encrypt(KEY.public_key, b"hello", b"", fixed))
    envelope[place] ^= 1
    with pytest.raises(PeerFault, match="does not open"):
        ecies.decrypt(KEY, bytes(envelope), b"")


def test_ephemeral_key_off_the_curve_is_refused() -> None:
    envelope = b"\x04" + b"\xff" * 64 + bytes(48)
    with pytest.raises(PeerFault, match="not a point"):
        ecies.decrypt(KEY, envelope, b"")


@given(st.binary(max_size=200) | st.binary(min_size=113, max_size=200).map(lambda b: b"\x04" + b))
def test_arbitrary_bytes_raise_only_peer_fault(data: bytes) -> None:
    with pytest.raises(PeerFault):
        ecies.decrypt(KEY, data, b"")


def test_both_ends_reach_the_same_point() -> None:
    assert ecies.shared_point_x(KEY, OTHER.public_key) == ecies.shared_point_x(OTHER, KEY.public_key)
