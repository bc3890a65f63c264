"""P-256 keys and ES256 (RFC 7518, section 3.4): the one door to ECDSA of seal certificates and of holders.

Signatures are r || s in 64 bytes, deterministic (RFC 6979), with s in the lower half of the order: one message has one
signature of ours. Others' are taken with either s, as JOSE does. Never reads a file and never judges whose key it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.members import Members
from cocket.attestation.sdjwt.base64url import decode_base64url, encode_base64url

SIGNATURE_BYTES = 64
_COORDINATE_BYTES = 32
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

Sign = Callable[[bytes], bytes]
"""Makes the ES256 signature of a message: a key in memory, or one in a hardware module."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A point of P-256: its two coordinates. Made by :func:`public_key`, which holds it to the curve."""

    x: bytes
    y: bytes

    @property
    def jwk(self) -> dict[str, object]:
        """Return the key as a JSON Web Key (RFC 7517)."""
        return {"crv": "P-256", "kty": "EC", "x": encode_base64url(self.x), "y": encode_base64url(self.y)}

    @property
    def thumbprint(self) -> str:
        """Return the key's name: the SHA-256 of its JWK, in base64url (RFC 7638)."""
        return encode_base64url(sha256(encode_json(self.jwk)).digest())

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Return whether this key made an ES256 signature."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(self.x), int.from_bytes(self.y), ec.SECP256R1())
        r, s = int.from_bytes(signature[:_COORDINATE_BYTES]), int.from_bytes(signature[_COORDINATE_BYTES:])
        try:
            numbers.public_key().verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


def public_key(x: bytes, y: bytes) -> PublicKey:
    """Return the key at a point; InvalidFile when it is none of P-256."""
    if len(x) != _COORDINATE_BYTES or len(y) != _COORDINATE_BYTES:
        raise InvalidFile(f"a key with coordinates of {len(x)} and {len(y)} bytes; expected {_COORDINATE_BYTES} each")
    try:
        ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()).public_key()
    except ValueError:
        raise InvalidFile("a key that is no point of P-256") from None
    return PublicKey(x, y)


def public_key_of_jwk(node: object, place: str) -> PublicKey:
    """Return the key in a JSON Web Key of exactly the members that we write; InvalidFile when it is none."""
    members = Members(node, place, ("crv", "kty", "x", "y"))
    if (members.node["kty"], members.node["crv"]) != ("EC", "P-256"):
        raise members.refusal("crv", "P-256, of type EC")
    return public_key(*(decode_base64url(members.text(name, 43)) for name in ("x", "y")))


def public_key_of(key: object) -> PublicKey:
    """Return our form of a public key that cryptography read; InvalidFile when it is none of P-256."""
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidFile("a key of another kind; expected P-256 (secp256r1), which ES256 signs with")
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return PublicKey(point[1 : 1 + _COORDINATE_BYTES], point[1 + _COORDINATE_BYTES :])


class PrivateKey:
    """A key that signs. Never shows itself."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self.public = public_key_of(key.public_key())
        self._key = key

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.thumbprint})"

    def sign(self, message: bytes) -> bytes:
        """Return the ES256 signature of a message."""
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True)))
        return r.to_bytes(_COORDINATE_BYTES) + min(s, _ORDER - s).to_bytes(_COORDINATE_BYTES)
