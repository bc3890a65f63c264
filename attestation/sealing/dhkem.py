"""Opening an HPKE wrap with a key that never leaves its module: DHKEM(P-256, HKDF-SHA256), AES-256-GCM, base mode.

The module does one step, the Diffie-Hellman of its key with the sender's point; RFC 9180, sections 4.1, 5.1 and 5.2, is
done here. Everything else about HPKE is the library's (:mod:`..hpke`), which takes no such step from outside.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

POINT_BYTES = 65
_KEM = b"KEM\x00\x10"
_HPKE = b"HPKE\x00\x10\x00\x01\x00\x02"
_VERSION = b"HPKE-v1"
_BASE_MODE = b"\x00"

Agree = Callable[[bytes], bytes]
"""Gives the 32-byte Diffie-Hellman value (the x coordinate) of a key with an uncompressed point of P-256."""


def open_wrap(agree: Agree, public: bytes, wrapped: bytes, info: bytes) -> bytes:
    """Return the secret in a wrap for the key whose point is ``public``.

    :raises InvalidTag: it was made for another key or another ``info``, or changed since.
    :raises ValueError: it begins with no point of the curve.
    """
    point, ciphertext = wrapped[:POINT_BYTES], wrapped[POINT_BYTES:]
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)  # a module may take points of other curves
    extracted = _extract(_KEM, b"", b"eae_prk", agree(point))
    shared = _expand(_KEM, extracted, b"shared_secret", point + public, 32)
    context = _BASE_MODE + _extract(_HPKE, b"", b"psk_id_hash", b"") + _extract(_HPKE, b"", b"info_hash", info)
    secret = _extract(_HPKE, shared, b"secret", b"")
    key, nonce = (_expand(_HPKE, secret, label, context, size) for label, size in ((b"key", 32), (b"base_nonce", 12)))
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


def _extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    return HKDF.extract(SHA256(), salt or None, _VERSION + suite + label + material)


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, size: int) -> bytes:
    labelled = size.to_bytes(2) + _VERSION + suite + label + info
    return HKDFExpand(SHA256(), size, labelled).derive(key)
