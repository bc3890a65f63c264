"""Signatures: the one door to secp256k1 here; whose account signed a hash.

One form is taken: r || s || v in 65 bytes with v 27 or 28, as wallets give it, and s in the lower half of the order
(EIP-2), so that one hash has one signature of one key and nobody makes a second from the first. Never signs.
"""

from __future__ import annotations

from coincurve import PublicKey

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.merkle import HASH_BYTES, keccak256

SIGNATURE_BYTES = 65
ADDRESS_BYTES = 20
_V_MIN = 27
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def recover(digest: bytes, signature: bytes) -> bytes:
    """Return the 20-byte address whose key signed a hash.

    :raises InvalidFile: the signature has another form, or is no signature of anybody.
    """
    if len(digest) != HASH_BYTES:
        raise AttestationError(f"found a hash of {len(digest)} bytes; expected {HASH_BYTES}")
    if len(signature) != SIGNATURE_BYTES:
        raise InvalidFile(f"a signature of {len(signature)} bytes; expected {SIGNATURE_BYTES}: r, s and v")
    if signature[64] not in (_V_MIN, _V_MIN + 1):
        raise InvalidFile(f"a signature with v {signature[64]}; expected {_V_MIN} or {_V_MIN + 1}")
    if int.from_bytes(signature[32:64]) > _ORDER // 2:
        raise InvalidFile("a signature with s in the upper half of the order; expected the lower (EIP-2)")
    recoverable = signature[:64] + bytes((signature[64] - _V_MIN,))
    try:
        key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception as error:  # coincurve raises a bare Exception for what parses as no point
        raise InvalidFile("a signature that no key can have made") from error
    return keccak256(key.format(compressed=False)[1:])[-ADDRESS_BYTES:]
