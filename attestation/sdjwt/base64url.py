"""Base64url without padding (RFC 7515, section 2), where each text stands for bytes that no other text stands for."""

from __future__ import annotations

from binascii import b2a_base64

from cocket.attestation import disclose
from cocket.attestation.errors import InvalidFile
from cocket.attestation.finding import shown

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def encode_base64url(data: bytes) -> str:
    """Return bytes as text.

    >>> encode_base64url(b"\\xff\\xfe")
    '__4'
    """
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_URL_SAFE).decode()


def decode_base64url(text: str) -> bytes:
    """Return the bytes of a text; InvalidFile unless it is the one that we would write (spare bits are zero)."""
    data = disclose.decode_base64url(text)
    if encode_base64url(data) != text:
        raise InvalidFile(f"found {shown(text)}; expected base64url whose spare bits are zero")
    return data
