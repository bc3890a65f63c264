"""Frames: how records lie in a file that only grows, so that a torn write can be told from damage to what was safe.

One write is one frame. A frame says its mark, a number that its file gives a meaning, its size, and how much of the
file was on the disk before it was written; so, when a frame is bad, a later good one tells whether the bad one was a
torn write, which nobody has seen and is cut off, or damage to what was safe. It never touches a disk.

=======  ===========================================================================
bytes    frame
=======  ===========================================================================
8 4 8 4  mark, payload size, synced bytes before this frame, CRC-32 of these three
...      payload: records, each after its size in 4 bytes
4        CRC-32 of the payload
=======  ===========================================================================
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

_FRAME = struct.Struct(">QIQ")
_CRC = struct.Struct(">I")
_HEAD_BYTES = _FRAME.size + _CRC.size


class Frame(NamedTuple):
    """A good frame: its mark, its records, and the position after it."""

    mark: int
    records: tuple[bytes, ...]
    end: int


def with_checksum(data: bytes) -> bytes:
    """Return bytes, as the header of a file, with their CRC-32 behind them."""
    return data + _CRC.pack(crc32(data))


def without_checksum(data: bytes, size: int) -> bytes | None:
    """Return the first ``size`` bytes of a file if their CRC-32 is behind them, else None."""
    body, end = data[:size], size + _CRC.size
    return body if len(data) >= end and _CRC.unpack_from(data, size)[0] == crc32(body) else None


def encode_frame(mark: int, records: Sequence[bytes], synced: int) -> bytes:
    """Return a frame; ``synced`` is how much of the file is on the disk now."""
    parts = []
    for record in records:
        parts += [_CRC.pack(len(record)), record]
    payload = b"".join(parts)
    return with_checksum(_FRAME.pack(mark, len(payload), synced)) + with_checksum(payload)


def read_frame(data: bytes, position: int) -> Frame | None:
    """Return the frame at a position of a file's bytes, None when there is none, or not a whole one."""
    start = position + _HEAD_BYTES
    head = without_checksum(data[position:start], _FRAME.size)
    if head is None:
        return None
    mark, size, _ = _FRAME.unpack(head)
    payload = without_checksum(data[start : start + size + _CRC.size], size)
    if payload is None:
        return None
    records = []
    at = 0
    while at < size:
        length = int.from_bytes(payload[at : at + 4])
        records.append(payload[at + 4 : at + 4 + length])
        at += 4 + length
    if at != size:
        return None
    return Frame(mark, tuple(records), start + size + _CRC.size)


def is_damage(data: bytes, position: int) -> bool:
    """Return whether a later frame says that what is bad at a position was once safe; else it is a torn write."""
    for later in range(position + 1, len(data) - _HEAD_BYTES + 1):
        head = without_checksum(data[later : later + _HEAD_BYTES], _FRAME.size)
        if head is not None and _FRAME.unpack(head)[2] > position and read_frame(data, later) is not None:
            return True
    return False
