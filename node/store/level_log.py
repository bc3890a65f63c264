"""A write that a power cut tore, told from damage to what was safe, in LevelDB's log.

LevelDB by itself can only take every bad record for harmless, and then silently skip what was synced, or none, and
then not start after a power cut. A write returns when it is synced, and one record follows the other; so a bad record
with no good one behind it was never promised to anybody and may be cut off, and any other is damage. This module reads
and cuts; it never changes what is good. (LevelDB, ``log_format.md``; CRC-32C, RFC 3720.)
"""

import os
from pathlib import Path
from typing import Final

_BLOCK_BYTES: Final = 32_768
_HEADER_BYTES: Final = 7  # CRC-32C of type and payload, 4; length, 2; type, 1; little endian
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def cut_torn_log(folder: Path) -> int:
    """Cut a torn write off the newest log of a LevelDB folder, and return how many bytes it had; 0 when there is none.

    The database must be closed. OSError when the disk fails.
    """
    logs = sorted(folder.glob("*.log"))
    if not logs:
        return 0
    data = logs[-1].read_bytes()
    keep = torn_position(data)
    if keep is None:
        return 0
    descriptor = os.open(logs[-1], os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, keep)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return len(data) - keep


def torn_position(data: bytes) -> int | None:
    """Return where a log's torn write begins; None when all is good, or what is bad has something good behind it."""
    position = batch = 0  # of the record looked at; of the first record of its batch
    while position < len(data):
        room = _BLOCK_BYTES - position % _BLOCK_BYTES
        if room < _HEADER_BYTES:
            position += room
            continue
        kind = _kind_at(data, position)
        if kind is None:
            return None if _is_followed(data, position + 1) else min(batch, position)
        position += _HEADER_BYTES + int.from_bytes(data[position + 4 : position + 6], "little")
        if kind in (_FULL, _LAST):
            batch = position
    return None if batch >= position else batch


def _kind_at(data: bytes, position: int) -> int | None:
    """Return the type of the good record at a position, None when there is none."""
    header = data[position : position + _HEADER_BYTES]
    if len(header) < _HEADER_BYTES:
        return None
    size, kind = int.from_bytes(header[4:6], "little"), header[6]
    end = position + _HEADER_BYTES + size
    if not _FULL <= kind <= _LAST or end > len(data) or end > position - position % _BLOCK_BYTES + _BLOCK_BYTES:
        return None
    return kind if _masked_crc32c(data[position + 6 : end]) == int.from_bytes(header[:4], "little") else None


def _is_followed(data: bytes, start: int) -> bool:
    """Return whether a good record begins a batch anywhere from ``start`` on: only a later write can have made it."""
    for position in range(start, len(data) - _HEADER_BYTES + 1):
        if data[position + 6] in (_FULL, _FIRST) and _kind_at(data, position) is not None:
            return True
    return False


def _make_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE: Final = _make_table()


def _masked_crc32c(data: bytes) -> int:
    """Return CRC-32C as LevelDB writes it: rotated, and a constant added."""
    crc, table = 0xFFFFFFFF, _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
