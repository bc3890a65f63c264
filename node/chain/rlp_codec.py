"""RLP, strict and quick: the one door to it in the node.

Only the canonical encoding of an item is accepted: shortest length prefixes, no bytes after the item, no leading
zero in an integer. Nesting and the numbers of lists and items are bounded, because a peer's bytes decide them. It
never knows what an item means.

Own lines instead of the ``rlp`` package: the codec is hot in every profile (headers, transactions, consensus
messages), and the package's generic path costs two to four times as much; its tests keep the package as their oracle.
(Ethereum Yellow Paper, appendix B.)
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Item: TypeAlias = bytes | Sequence["Item"]
"""What can be encoded: a byte string, or a sequence of items."""

Decoded: TypeAlias = bytes | list["Decoded"]
"""What decoding gives: a byte string, or a list."""

DEPTH_MAX = 16
"""Lists within lists. The deepest we speak: a RoundChange with a block with a legacy transaction, nine."""

LISTS_MAX = 1 << 19
"""Lists in one decoding. An empty list is one byte on the wire and 64 in memory; a full 10 MiB message of receipts
has about 200,000."""

ITEMS_MAX = 1 << 20
"""Items in one list. A full 10 MiB message of the smallest transactions has so many in all; ten million empty strings,
480 KiB when compressed, would hold the event loop for seconds."""

_LOOK_BYTES = 1 << 16
"""After so many bytes of one list its items are counted: seldom enough to cost nothing."""


class RlpError(ValueError):
    """Bytes that are not the canonical RLP of what was expected; the caller knows whom to blame and translates."""


_STRING_PREFIX = tuple(bytes([0x80 + size]) for size in range(56))
_LIST_PREFIX = tuple(bytes([0xC0 + size]) for size in range(56))


def encode(item: Item) -> bytes:
    """Return the RLP of a byte string or of a nested sequence of byte strings.

    >>> encode([b"cat", [b"", b"\\x01"]]).hex()
    'c783636174c28001'
    """
    return _encode_string(item) if isinstance(item, bytes) else _encode_list(item)


def join_list(encoded: Iterable[bytes]) -> bytes:
    """Return the RLP list of items that are already encoded, so that known bytes are not encoded twice."""
    body = b"".join(encoded)
    size = len(body)
    return (_LIST_PREFIX[size] if size < 56 else _long_prefix(0xF7, size)) + body


def encode_int(value: int) -> bytes:
    """Return an unsigned integer's shortest big-endian bytes, zero being empty: an item, not yet encoded."""
    return value.to_bytes((value.bit_length() + 7) >> 3, "big")


def decode(data: bytes) -> Decoded:
    """Return the item that ``data`` is the whole and canonical encoding of; anything else is an RlpError."""
    size = len(data)
    if not size:
        raise RlpError("found no bytes, expected an RLP item")
    lists_left = [LISTS_MAX]
    items = _decode_items(data, 0, size, 0, lists_left, single=True)
    return items[0]


def decode_list(data: bytes) -> list[Decoded]:
    """Return the items of the list that ``data`` is the whole and canonical encoding of."""
    return expect_list(decode(data), "item")


def expect_list(item: Decoded, what: str, size: int | None = None) -> list[Decoded]:
    """Return ``item`` if it is a list, of ``size`` items if given."""
    if not isinstance(item, list):
        raise RlpError(f"{what}: found a byte string of {len(item)} bytes, expected a list")
    if size is not None and len(item) != size:
        raise RlpError(f"{what}: found {len(item)} items, expected {size}")
    return item


def expect_bytes(item: Decoded, what: str, size: int | None = None) -> bytes:
    """Return ``item`` if it is a byte string, of ``size`` bytes if given."""
    if not isinstance(item, bytes):
        raise RlpError(f"{what}: found a list of {len(item)} items, expected a byte string")
    if size is not None and len(item) != size:
        raise RlpError(f"{what}: found {len(item)} bytes, expected {size}")
    return item


def expect_int(item: Decoded, what: str, bits: int = 256) -> int:
    """Return the unsigned integer that ``item`` spells, without leading zeros and of at most ``bits`` bits."""
    if not isinstance(item, bytes):
        raise RlpError(f"{what}: found a list of {len(item)} items, expected an integer")
    if not item:
        return 0
    if item[0] == 0:
        raise RlpError(f"{what}: found an integer with a leading zero byte, expected the shortest form")
    if len(item) * 8 > bits + 7:
        raise RlpError(f"{what}: found an integer of {len(item)} bytes, expected at most {bits} bits")
    value = int.from_bytes(item, "big")
    if value >> bits:
        raise RlpError(f"{what}: found an integer of {value.bit_length()} bits, expected at most {bits}")
    return value


def decode_int(data: bytes, bits: int = 256) -> int:
    """Return the unsigned integer whose shortest big-endian bytes are ``data`` (the inverse of encode_int)."""
    return expect_int(data, "integer", bits)


def _long_prefix(offset: int, size: int) -> bytes:
    length = size.to_bytes((size.bit_length() + 7) >> 3, "big")
    return bytes([offset + len(length)]) + length


def _encode_string(item: bytes) -> bytes:
    size = len(item)
    if size == 1 and item[0] < 0x80:
        return item
    return (_STRING_PREFIX[size] if size < 56 else _long_prefix(0xB7, size)) + item


def _encode_list(items: Sequence[Item]) -> bytes:
    parts: list[bytes] = []
    append = parts.append
    for item in items:
        if isinstance(item, bytes):
            size = len(item)
            if size < 56:
                if size != 1 or item[0] >= 0x80:
                    append(_STRING_PREFIX[size])
            else:
                append(_long_prefix(0xB7, size))
            append(item)
        else:
            append(_encode_list(item))
    return join_list(parts)


def _long_size(data: bytes, pos: int, width: int, end: int) -> int:
    """Return the size that ``width`` bytes at ``pos`` spell, for strings and lists of 56 bytes or more."""
    if pos + width > end:
        raise RlpError(f"at byte {pos}: found the end of the data, expected a length of {width} bytes")
    size = int.from_bytes(data[pos : pos + width], "big")
    if data[pos] == 0 or size < 56:
        raise RlpError(f"at byte {pos}: found the length {size} in {width} bytes, expected the shortest form")
    return size


def _decode_items(
    data: bytes, pos: int, end: int, depth: int, lists_left: list[int], single: bool = False
) -> list[Decoded]:
    """Return the items between ``pos`` and ``end``; with ``single`` exactly one must fill the space."""
    items: list[Decoded] = []
    append = items.append
    look = pos + _LOOK_BYTES
    while pos < end:
        if pos >= look:
            look = pos + _LOOK_BYTES
            if len(items) > ITEMS_MAX:
                raise RlpError(f"at byte {pos}: found more than {ITEMS_MAX} items in a list, expected fewer")
        lead = data[pos]
        if lead < 0x80:
            append(data[pos : pos + 1])
            pos += 1
        elif lead < 0xC0:
            if lead < 0xB8:
                start = pos + 1
                stop = start + lead - 0x80
                if lead == 0x81 and stop <= end and data[start] < 0x80:
                    raise RlpError(f"at byte {pos}: found a prefixed byte {data[start]:#04x}, expected it bare")
            else:
                start = pos + lead - 0xB6
                stop = start + _long_size(data, pos + 1, lead - 0xB7, end)
            if stop > end:
                raise RlpError(f"at byte {pos}: found a string of {stop - start} bytes, expected at most {end - start}")
            append(data[start:stop])
            pos = stop
        else:
            if lead < 0xF8:
                start = pos + 1
                stop = start + lead - 0xC0
            else:
                start = pos + lead - 0xF6
                stop = start + _long_size(data, pos + 1, lead - 0xF7, end)
            if stop > end:
                raise RlpError(f"at byte {pos}: found a list of {stop - start} bytes, expected at most {end - start}")
            if depth == DEPTH_MAX:
                raise RlpError(f"at byte {pos}: found a list nested deeper than {DEPTH_MAX}, expected less")
            lists_left[0] -= 1
            if lists_left[0] < 0:
                raise RlpError(f"at byte {pos}: found more than {LISTS_MAX} lists, expected fewer")
            append(_decode_items(data, start, stop, depth + 1, lists_left))
            pos = stop
        if single and pos < end:
            raise RlpError(f"at byte {pos}: found {end - pos} bytes after the item, expected none")
    return items
