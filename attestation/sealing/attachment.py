"""Attached files, sealed: segment by segment, so that a file of any size passes through little memory.

A file's key springs from the key of the field group that names the file: who opens that group opens the file, and
nobody else, and a group encrypted anew takes its files along. Each segment is AES-256-GCM with its number in the nonce,
and whether it is the last (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015): none can be left
out, moved, or taken for the end. The last is padded, so that a length tells a file's size to a segment only.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from hashlib import sha256

from cocket.attestation.errors import InvalidFile
from cocket.attestation.merkle import FROM_GROUP_KEY_ATTACHMENT, SEALED_SEGMENT
from cocket.attestation.sealing.binding import Binding
from cocket.attestation.sealing.cipher import TAG_BYTES, decrypt, encrypt

SEGMENT_BYTES = 1 << 20
SEALED_SEGMENT_BYTES = SEGMENT_BYTES + TAG_BYTES
SEGMENTS_MAX = 4096
"""Of one file: 4 GiB. A nonce's counter would go much further."""
FILE_BYTES_MAX = SEGMENTS_MAX * SEGMENT_BYTES - 1
_END = b"\x80"
_COUNTER_BYTES = 11


def attachment_key(group_key: bytes, binding: Binding, group: int, place: int) -> bytes:
    """Return the key (32 bytes) of the file at a place of a record's attachments."""
    label = FROM_GROUP_KEY_ATTACHMENT + binding.encode(group) + bytes((place,))
    return hmac.digest(group_key, label, "sha256")


def seal_segments(key: bytes, parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a file's sealed segments, each of ``SEALED_SEGMENT_BYTES``, from its bytes in parts of any size.

    :raises InvalidFile: it is longer than ``FILE_BYTES_MAX``.
    """
    number, waiting = 0, bytearray()
    for part in parts:
        waiting += part
        while len(waiting) >= SEGMENT_BYTES:
            if number == SEGMENTS_MAX - 1:
                raise InvalidFile(f"a file of more than {FILE_BYTES_MAX} bytes; attach it in parts")
            yield encrypt(key, bytes(waiting[:SEGMENT_BYTES]), SEALED_SEGMENT, _nonce(number, False))
            del waiting[:SEGMENT_BYTES]
            number += 1
    last = (bytes(waiting) + _END).ljust(SEGMENT_BYTES, b"\0")
    yield encrypt(key, last, SEALED_SEGMENT, _nonce(number, True))


def open_segments(key: bytes, segments: Iterable[bytes], digest: bytes) -> Iterator[bytes]:
    """Yield a file's bytes in parts; what was yielded counts only when this comes to its end.

    ``digest`` is its SHA-256, as the document has it.

    :raises InvalidFile: a segment is another's, changed, moved, missing or too many; or the file is another.
    """
    hashed = sha256()
    waiting: bytes | None = None
    number = 0
    for segment in segments:
        if waiting is not None:
            part = _opened(key, waiting, number, is_last=False)
            hashed.update(part)
            yield part
            number += 1
        waiting = segment
    if waiting is None:
        raise InvalidFile("no segments; expected at least one")
    last = _unpadded(_opened(key, waiting, number, is_last=True))
    hashed.update(last)
    if not hmac.compare_digest(hashed.digest(), digest):
        raise InvalidFile("a file that is not the one the document names: it has another hash")
    yield last


def _opened(key: bytes, segment: bytes, number: int, *, is_last: bool) -> bytes:
    if len(segment) != SEALED_SEGMENT_BYTES or number >= SEGMENTS_MAX:
        raise InvalidFile(f"a segment {number} of {len(segment)} bytes; expected {SEALED_SEGMENT_BYTES}")
    try:
        return decrypt(key, segment, SEALED_SEGMENT, _nonce(number, is_last))
    except InvalidFile:
        where = "the last segment" if is_last else f"segment {number}"
        raise InvalidFile(f"{where} does not open: another's, changed, or not at its place") from None


def _unpadded(padded: bytes) -> bytes:
    data, end, rest = padded.rpartition(_END)
    if not end or any(rest):
        raise InvalidFile("a last segment that is not padded as one")
    return data


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES) + bytes((is_last,))
