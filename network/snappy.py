"""Compression of messages after Hello: raw snappy, with the size checked before a byte is unpacked.

The only door to cramjam. It never unpacks what announces more than the caller's limit, nor what announces more than
snappy can hold in so few bytes.
"""

import cramjam

from cocket.network.errors import PeerFault

_EXPANSION_MAX = 22
"""A three-byte copy makes at most 64 bytes, so nothing true grows more than 21.4 times."""


def compress(data: bytes) -> bytes:
    """Return `data` as one raw snappy block."""
    return bytes(cramjam.snappy.compress_raw(data))


def compressed_bytes_max(size: int) -> int:
    """Return the most bytes a block of `size` bytes can take when compressed (snappy's own bound)."""
    return 32 + size + size // 6


def decompress(data: bytes, bytes_max: int) -> bytes:
    """Return what the block holds; PeerFault when it announces more than `bytes_max` or is not snappy."""
    size = _announced_size(data)
    if size > bytes_max:
        raise PeerFault(f"message announces {size} bytes uncompressed, the limit is {bytes_max}")
    if size > _EXPANSION_MAX * len(data):
        raise PeerFault(f"message announces {size} bytes uncompressed in {len(data)}, more than snappy can hold")
    try:
        return bytes(cramjam.snappy.decompress_raw(data))
    except cramjam.DecompressionError as error:
        raise PeerFault("message is not a snappy block") from error


def _announced_size(data: bytes) -> int:
    """Return the size in the block's preamble: a little-endian base-128 number of at most 32 bits."""
    size = 0
    for position, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            if size >= 1 << 32:
                break
            return size
    raise PeerFault("message does not start with a snappy size")
