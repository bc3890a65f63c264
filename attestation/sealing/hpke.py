"""HPKE (RFC 9180): the one door to public-key encryption; wraps a secret for who holds a private key.

A suite is named by its KEM's number in the IANA registry; key derivation is always HKDF-SHA256, the cipher AES-256-GCM.
Base mode: it says nothing about the sender, so what a wrap is for goes into ``info`` and who made it is signed beside.
Private keys are 32 bytes: of the hybrid the seed of the X-Wing draft, of P-256 the scalar.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from hashlib import shake_256
from typing import Protocol

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.sealing.dhkem import open_wrap

PRIVATE_KEY_BYTES = 32


class Suite(IntEnum):
    """KEMs, by their numbers in IANA's registry of HPKE."""

    P256 = 0x0010
    """DHKEM(P-256, HKDF-SHA256): where the key lives in a hardware module."""
    HYBRID = 0x647A
    """X-Wing, ML-KEM-768 with X25519: what is recorded today stays closed to a later quantum computer."""


PUBLIC_KEY_BYTES = {Suite.P256: 65, Suite.HYBRID: 1216}
ENCAPSULATION_BYTES = {Suite.P256: 65, Suite.HYBRID: 1120}
TAG_BYTES = 16
_MLKEM_BYTES = 1184

_SUITES = {
    Suite.P256: hpke.Suite(hpke.KEM.P256, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM),
    Suite.HYBRID: hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM),
}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """To whom something is wrapped: the suite and the encoded public key."""

    suite: Suite
    encoded: bytes


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """Who opens it: the suite and the 32 bytes that are the key."""

    suite: Suite
    secret: bytes

    def __repr__(self) -> str:
        return f"PrivateKey({self.suite.name})"

    @property
    def public(self) -> PublicKey:
        """Return the key to wrap for."""
        key = _private(self)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return PublicKey(self.suite, key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
        mlkem_key, x25519_key = _halves(self)
        encoded = mlkem_key.public_key().public_bytes_raw() + x25519_key.public_key().public_bytes_raw()
        return PublicKey(self.suite, encoded)


class Token(Protocol):
    """Who opens it with a key that stays in a hardware module: of P-256."""

    @property
    def public(self) -> PublicKey:
        """The key to wrap for."""
        ...

    def agree(self, point: bytes) -> bytes:
        """Return the Diffie-Hellman value (32 bytes) with an uncompressed point of the curve."""
        ...

    def close(self) -> None:
        """Leave the module; it agrees to nothing afterwards."""
        ...


Opener = PrivateKey | Token
"""Who opens a wrap."""


def wrap_bytes(suite: Suite, secret_bytes: int) -> int:
    """Return how long a wrap of a secret is."""
    return ENCAPSULATION_BYTES[suite] + secret_bytes + TAG_BYTES


def wrap(key: PublicKey, secret: bytes, info: bytes) -> bytes:
    """Return a secret encrypted to a public key, opened only under the same ``info``.

    :raises InvalidFile: the public key is none of its suite.
    """
    return _SUITES[key.suite].encrypt(secret, _public(key), info=info)


def unwrap(key: Opener, wrapped: bytes, info: bytes) -> bytes:
    """Return the secret in a wrap.

    :raises InvalidFile: it was made for another key, another ``info``, or changed since.
    """
    try:
        if not isinstance(key, PrivateKey):
            return open_wrap(key.agree, key.public.encoded, wrapped, info)
        return _SUITES[key.suite].decrypt(wrapped, _private(key), info=info)
    except (InvalidTag, ValueError):
        raise InvalidFile("a wrap that this key does not open: made for another key or purpose, or changed") from None


def decode_public_key(suite: int, encoded: bytes) -> PublicKey:
    """Return a public key as a ledger or a file has it; InvalidFile when it is none of a suite that we know."""
    try:
        key = PublicKey(Suite(suite), encoded)
    except ValueError:
        known = ", ".join(f"{each:#06x} ({each.name})" for each in Suite)
        raise InvalidFile(f"an encryption key of suite {suite:#06x}; expected one of {known}") from None
    _public(key)
    return key


def _public(
    key: PublicKey,
) -> ec.EllipticCurvePublicKey | hpke.MLKEM768X25519PublicKey:
    if len(key.encoded) != PUBLIC_KEY_BYTES[key.suite]:
        raise InvalidFile(
            f"an encryption key of {len(key.encoded)} bytes; expected {PUBLIC_KEY_BYTES[key.suite]} of {key.suite.name}"
        )
    try:
        if key.suite is Suite.P256:
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.encoded)
        return hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(key.encoded[:_MLKEM_BYTES]),
            x25519.X25519PublicKey.from_public_bytes(key.encoded[_MLKEM_BYTES:]),
        )
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidFile(f"an encryption key that is no public key of {key.suite.name}") from None


def _private(key: PrivateKey) -> ec.EllipticCurvePrivateKey | hpke.MLKEM768X25519PrivateKey:
    if len(key.secret) != PRIVATE_KEY_BYTES:
        raise AttestationError(f"found a private key of {len(key.secret)} bytes; expected {PRIVATE_KEY_BYTES}")
    if key.suite is Suite.P256:
        try:
            return ec.derive_private_key(int.from_bytes(key.secret), ec.SECP256R1())
        except ValueError:
            raise AttestationError("found 32 bytes that are no private key of P-256") from None
    return hpke.MLKEM768X25519PrivateKey(*_halves(key))


def _halves(key: PrivateKey) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
    """Return both keys that the hybrid's seed unfolds to (draft-connolly-cfrg-xwing-kem, section 5.2)."""
    expanded = shake_256(key.secret).digest(96)
    return (
        mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
        x25519.X25519PrivateKey.from_private_bytes(expanded[64:]),
    )
