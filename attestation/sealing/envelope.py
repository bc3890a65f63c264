"""Envelopes: the ciphertexts of one record as one string of bytes, named by its SHA-256. (``docs/formats.md``.)"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from cocket.attestation.errors import InvalidFile
from cocket.attestation.sealing.cipher import TAG_BYTES
from cocket.attestation.sealing.padding import SIZE_CLASSES

MAGIC = b"cocket-envelope-1\n"
GROUPS_MAX = 16  # the widest kind has six
ENVELOPE_BYTES_MAX = 48 << 20
"""A document of 1 MiB fills one class of 16 MiB at most, and the others hardly at all."""


def encode_envelope(ciphertexts: Sequence[bytes]) -> bytes:
    """Return the envelope of a record's groups: magic, count 1, then of each its length 4 and the ciphertext."""
    return MAGIC + bytes((len(ciphertexts),)) + b"".join([len(each).to_bytes(4) + each for each in ciphertexts])


def decode_envelope(data: bytes) -> tuple[bytes, ...]:
    """Return the ciphertexts of an envelope; InvalidFile unless it is byte for byte what we would write."""
    if len(data) > ENVELOPE_BYTES_MAX:
        raise InvalidFile(f"an envelope of {len(data)} bytes; expected at most {ENVELOPE_BYTES_MAX}")
    at = len(MAGIC) + 1
    if data[: at - 1] != MAGIC or len(data) < at or not 1 <= data[at - 1] <= GROUPS_MAX:
        raise InvalidFile("no envelope of a version that we know")
    found = []
    for _ in range(data[at - 1]):
        length = int.from_bytes(data[at : at + 4])
        if length - TAG_BYTES not in SIZE_CLASSES or at + 4 + length > len(data):
            raise InvalidFile(f"an envelope with a group of {length} bytes, which is no size class, or cut off")
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    if at != len(data):
        raise InvalidFile(f"an envelope with {len(data) - at} bytes after its end")
    return tuple(found)


def address_of(envelope: bytes) -> str:
    """Return the name that an envelope is stored under."""
    return sha256(envelope).hexdigest()
