"""The one door to symmetric encryption: AES-256-GCM under keys and nonces that are used once.

A key encrypts one group of one record of one epoch, or one opening, and never anything else; so the nonce is zeros.
That of an attached file encrypts its segments, each under a nonce of its own (:mod:`..attachment`).
AES-GCM does not commit to its key: who opens something compares the key's hash, and then the commitment.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cocket.attestation.errors import InvalidFile

KEY_BYTES = 32
TAG_BYTES = 16
_NONCE = bytes(12)


def encrypt(key: bytes, plaintext: bytes, binding: bytes, nonce: bytes = _NONCE) -> bytes:
    """Return the ciphertext and its tag of 16 bytes. The key must be fresh, or the nonce (12 bytes) under it."""
    return AESGCM(key).encrypt(nonce, plaintext, binding)


def decrypt(key: bytes, ciphertext: bytes, binding: bytes, nonce: bytes = _NONCE) -> bytes:
    """Return the plaintext; InvalidFile when key, nonce, ciphertext or binding are others."""
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, binding)
    except InvalidTag:
        raise InvalidFile("a ciphertext that this key does not open: another's, or changed") from None
