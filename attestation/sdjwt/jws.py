"""Signed JSON in its compact form (RFC 7515): the one place that knows how header, payload and signature are joined.

Only ES256 is taken, whatever a header asks for, and no header with critical extensions. Never knows what a payload
means; :mod:`cocket.attestation.sdjwt.p256` says whose signature it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.finding import shown
from cocket.attestation.members import read_json
from cocket.attestation.sdjwt.base64url import decode_base64url, encode_base64url
from cocket.attestation.sdjwt.p256 import SIGNATURE_BYTES, Sign

ALGORITHM = "ES256"


@dataclass(frozen=True, slots=True)
class Jws:
    """A signed JSON object: header and payload as parsed and as their texts, what was signed, and the signature."""

    header: dict[str, object]
    payload: dict[str, object]
    header_text: bytes
    payload_text: bytes
    signed: bytes
    signature: bytes

    @property
    def is_canonical(self) -> bool:
        """Return whether header and payload are in their canonical text, as all that we sign is."""
        return (encode_json(self.header), encode_json(self.payload)) == (self.header_text, self.payload_text)


def encode_jws(header: dict[str, object], payload: dict[str, object], sign: Sign) -> str:
    """Return header and payload, signed."""
    signed = f"{encode_base64url(encode_json(header))}.{encode_base64url(encode_json(payload))}"
    return f"{signed}.{encode_base64url(sign(signed.encode()))}"


def decode_jws(text: str, bytes_max: int, what: str) -> Jws:
    """Return the parts of a signed JSON object, unjudged; InvalidFile says that it is no ``what``, and why."""
    parts = text.split(".")
    if len(parts) != 3:
        raise InvalidFile(f"no {what}: found {len(parts)} parts; expected header.payload.signature")
    header_text, payload_text, signature = (decode_base64url(part) for part in parts)
    header, payload = _object(header_text, bytes_max, what), _object(payload_text, bytes_max, what)
    if header.get("alg") != ALGORITHM:
        raise InvalidFile(f"{what} with algorithm {shown(header.get('alg'))}; expected {ALGORITHM}")
    if "crit" in header:
        raise InvalidFile(f"{what} with critical extensions {shown(header['crit'])}; expected none")
    if len(signature) != SIGNATURE_BYTES:
        raise InvalidFile(f"{what} with a signature of {len(signature)} bytes; expected {SIGNATURE_BYTES}")
    return Jws(header, payload, header_text, payload_text, f"{parts[0]}.{parts[1]}".encode(), signature)


def _object(data: bytes, bytes_max: int, what: str) -> dict[str, object]:
    node = read_json(data, bytes_max, what)
    if not isinstance(node, dict):
        raise InvalidFile(f"no {what}: found {shown(node)}; expected a JSON object")
    return node
