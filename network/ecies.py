"""The sealed envelope of the RLPx handshake: ECIES over secp256k1 as devp2p fixes it.

The only place that knows its key derivation and layout: ephemeral public key (65) || iv (16) || ciphertext || tag (32);
AES-128-CTR, HMAC-SHA256, NIST SP 800-56 concatenation KDF with SHA-256 (devp2p rlpx.md, "ECIES Encryption").
It draws no randomness of its own: the caller's `entropy` gives the ephemeral key and the iv.
"""

import hashlib
import hmac
from collections.abc import Callable

from coincurve import PrivateKey, PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from cocket.network.errors import PeerFault

Entropy = Callable[[int], bytes]
"""Gives so many random bytes: `os.urandom` in a node, a counter in a test."""

OVERHEAD_BYTES = 65 + 16 + 32
"""How much longer an envelope is than what it carries."""


def public_key_from_id(node_id: bytes) -> PublicKey:
    """Return the curve point a 64-byte node id names; PeerFault when it lies off the curve."""
    if len(node_id) != 64:
        raise PeerFault(f"node id has {len(node_id)} bytes, expected 64")
    try:
        return PublicKey(b"\x04" + node_id)
    except ValueError as error:
        raise PeerFault("node id is not a point of secp256k1") from error


def node_id_of(key: PrivateKey) -> bytes:
    """Return the 64-byte node id (uncompressed public key without its first byte) of a private key."""
    return key.public_key.format(compressed=False)[1:]


def shared_point_x(key: PrivateKey, remote: PublicKey) -> bytes:
    """Return the 32-byte x coordinate both ends reach: ECDH as RLPx uses it, unhashed."""
    return remote.multiply(key.secret).format(compressed=True)[1:]


def _derive_keys(shared_x: bytes) -> tuple[bytes, bytes]:
    """Return (AES-128 key, HMAC key) from the shared x: one round of the concatenation KDF is all 32 bytes."""
    derived = hashlib.sha256(b"\x00\x00\x00\x01" + shared_x).digest()
    return derived[:16], hashlib.sha256(derived[16:]).digest()


def _counter_mode(key: bytes, iv: bytes, data: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update(data)


def encrypt(recipient: PublicKey, plain: bytes, authenticated: bytes, entropy: Entropy) -> bytes:
    """Return `plain` in an envelope only `recipient` opens; `authenticated` is bound by the tag but not carried."""
    ephemeral = PrivateKey(entropy(32))
    iv = entropy(16)
    aes_key, mac_key = _derive_keys(shared_point_x(ephemeral, recipient))
    sealed = iv + _counter_mode(aes_key, iv, plain)
    tag = hmac.digest(mac_key, sealed + authenticated, "sha256")
    return ephemeral.public_key.format(compressed=False) + sealed + tag


def decrypt(key: PrivateKey, envelope: bytes, authenticated: bytes) -> bytes:
    """Return what the envelope carries; PeerFault when it is short, its key is no point, or the tag is wrong."""
    if len(envelope) < OVERHEAD_BYTES:
        raise PeerFault(f"handshake envelope has {len(envelope)} bytes, expected at least {OVERHEAD_BYTES}")
    if envelope[0] != 4:
        raise PeerFault(f"handshake envelope starts with {envelope[0]:#04x}, expected 0x04 (an uncompressed key)")
    ephemeral = public_key_from_id(envelope[1:65])
    sealed, tag = envelope[65:-32], envelope[-32:]
    aes_key, mac_key = _derive_keys(shared_point_x(key, ephemeral))
    if not hmac.compare_digest(hmac.digest(mac_key, sealed + authenticated, "sha256"), tag):
        raise PeerFault("handshake envelope does not open with this node's key: wrong node id dialled, or altered")
    return _counter_mode(aes_key, sealed[:16], sealed[16:])
