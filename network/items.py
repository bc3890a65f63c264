"""RLP as this package reads it: small, strict, and raising nothing but PeerFault.

The only door to the `rlp` library in `network`. Everything decoded here is at most a few KiB (handshake, Hello, ping,
disconnect), so recursion and copying inside the library are bounded by size before it sees a byte.
"""

from collections.abc import Sequence
from typing import TypeAlias

import rlp

from cocket.network.errors import PeerFault

Item: TypeAlias = "bytes | list[Item]"


def decode_list(data: bytes, what: str, *, is_padded: bool = False) -> list[Item]:
    """Return the items of one RLP list; bytes after it are allowed only when `is_padded` (EIP-8)."""
    try:
        item = rlp.decode(data, strict=not is_padded)
    except (rlp.DecodingError, RecursionError) as error:
        raise PeerFault(f"{what} is not RLP: {type(error).__name__}") from error
    if not isinstance(item, list):
        raise PeerFault(f"{what} is an RLP string, expected a list")
    return item


def encode_list(items: Sequence[object]) -> bytes:
    """Return the RLP of nested bytes, ints (big endian, no leading zero) and lists."""
    encoded: bytes = rlp.encode(items)
    return encoded


def take_bytes(item: Item, length: int | None, what: str) -> bytes:
    """Return a string item, of exactly `length` bytes unless that is None."""
    if not isinstance(item, bytes):
        raise PeerFault(f"{what} is a list, expected a string")
    if length is not None and len(item) != length:
        raise PeerFault(f"{what} has {len(item)} bytes, expected {length}")
    return item


def take_int(item: Item, bytes_max: int, what: str) -> int:
    """Return a scalar item of at most `bytes_max` bytes without leading zero."""
    data = take_bytes(item, None, what)
    if len(data) > bytes_max or data[:1] == b"\x00":
        raise PeerFault(f"{what} is not a number of at most {bytes_max} bytes without leading zero")
    return int.from_bytes(data, "big")
