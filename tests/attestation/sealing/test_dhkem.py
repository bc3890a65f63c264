"""Wraps opened with one Diffie-Hellman of a key elsewhere: what the library wraps, and nothing that changed."""

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.attestation.errors import InvalidFile
from cocket.attestation.sealing.dhkem import open_wrap
from cocket.attestation.sealing.hpke import PrivateKey, PublicKey, Suite, unwrap, wrap

KEY = PrivateKey(Suite.P256, b"\x07" * 32)
OTHER = PrivateKey(Suite.P256, b"\x08" * 32)


class Module:
    """A module that keeps a key, in software."""

    def __init__(self, key: PrivateKey) -> None:
        self.public: PublicKey = key.public
        self.points: list[bytes] = []
        self._key = ec.derive_private_key(int.from_bytes(key.secret), ec.SECP256R1())

    def agree(self, point: bytes) -> bytes:
        self.points.append(point)
        return self._key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))

    def close(self) -> None:
        self.points.clear()


@given(st.binary(max_size=200), st.binary(max_size=80))
@settings(max_examples=30)
def test_a_module_opens_what_the_library_wraps(secret, info):
    assert unwrap(Module(KEY), wrap(KEY.public, secret, info), info) == secret


def test_what_was_made_for_another_key_or_purpose_or_changed_is_refused():
    wrapped = wrap(KEY.public, b"secret", b"info")
    for key, data, info in (
        (OTHER, wrapped, b"info"),
        (KEY, wrapped, b"other"),
        (KEY, wrapped[:-1], b"info"),
        (KEY, wrapped[:-1] + bytes((wrapped[-1] ^ 1,)), b"info"),
        (KEY, wrap(OTHER.public, b"secret", b"info"), b"info"),
    ):
        with pytest.raises(InvalidFile, match="does not open"):
            unwrap(Module(key), data, info)
    with pytest.raises(InvalidTag):
        open_wrap(Module(OTHER).agree, OTHER.public.encoded, wrapped, b"info")


@pytest.mark.parametrize("point", [b"", b"\x04" + bytes(64), b"\x04" + b"\xff" * 64, b"\x02" + bytes(32)])
def test_what_is_no_point_never_reaches_the_module(point):
    module = Module(KEY)
    with pytest.raises(InvalidFile, match="does not open"):
        unwrap(module, point + bytes(64), b"info")
    assert module.points == []
