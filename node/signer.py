"""The one use of the validator key: signing a 32-byte digest. A remote signer or an HSM can stand here later."""

from typing import Protocol

from coincurve import PrivateKey
from sha3 import keccak_256


class Signer(Protocol):
    """Signs digests for one address."""

    @property
    def address(self) -> bytes:
        """The 20 bytes that signatures recover to."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Return r || s || recovery id (65 bytes, low s) over 32 bytes."""


class KeySigner:
    """Signs with a private key held in memory."""

    __slots__ = ("_key", "address")

    def __init__(self, key: bytes) -> None:
        self._key = PrivateKey(key)
        self.address = keccak_256(self._key.public_key.format(compressed=False)[1:]).digest()[12:]

    def sign_digest(self, digest: bytes) -> bytes:
        """Return r || s || recovery id (65 bytes, low s) over 32 bytes."""
        return self._key.sign_recoverable(digest, hasher=None)

    def __repr__(self) -> str:
        return f"KeySigner(0x{self.address.hex()})"
