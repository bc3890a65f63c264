"""RLP, strict and quick: the one door to it in the node.

Only the canonical encoding of an item is accepted: shortest length prefixes, no bytes after the item, no leading
zero in an integer. Nesting and the number of items are bounded, because a peer's bytes decide them. It never
knows what an item means.

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

ITEMS_MAX = 1 << 21
"""Items in one decoding, in all lists together, each list counting for LIST_ITEMS more. A full 10 MiB message of the
smallest legacy transactions has 1.6 million so counted. Ten million empty strings, half a megabyte when compressed, are
decoded in two seconds, and in six when they stand in lists: no peer may hold the event loop so long."""

LIST_ITEMS = 8
"""A list costs about as much as so many items of a few bytes, in time and in memory."""

SPLIT_MAX = 16
"""Items that ``split_list`` looks for: a block or a message has less."""

_LOOK_BYTES = 1 << 16
"""After so many bytes of one list its items are counted: seldom enough to cost nothing. What is counted at the end of
a list is counted late by no more than that."""


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


def decode(data: bytes, items_max: int = ITEMS_MAX) -> Decoded:
    """Return the item that ``data`` is the whole and canonical encoding of; anything else is an RlpError.

    ``items_max`` is for who knows that no honest sender needs as many as ITEMS_MAX.
    """
    size = len(data)
    if not size:
        raise RlpError("found no bytes, expected an RLP item")
    items = _decode_items(data, 0, size, 0, [items_max], single=True)
    return items[0]


def decode_list(data: bytes, items_max: int = ITEMS_MAX) -> list[Decoded]:
    """Return the items of the list that ``data`` is the whole and canonical encoding of."""
    return expect_list(decode(data, items_max), "item")


def split_list(data: bytes) -> list[bytes]:
    """Return the encoded items of a list, not looking into them: to read a part before the rest is worth it.

    >>> [item.hex() for item in split_list(encode([b"cat", [b"", b"\\x01"]]))]
    ['83636174', 'c28001']
    """
    start, stop = _span(data, 0, len(data))
    if data[0] < 0xC0 or stop != len(data):
        raise RlpError(f"item: found {len(data)} bytes, expected a list of them all")
    items: list[bytes] = []
    while start < stop:
        if len(items) == SPLIT_MAX:
            raise RlpError(f"item: found more than {SPLIT_MAX} items in a list, expected fewer")
        _, end = _span(data, start, stop)
        items.append(data[start:end])
        start = end
    return items


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


def _span(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Return where the content of the item at ``pos`` starts and stops; whether it is canonical is not looked at."""
    lead = data[pos] if pos < end else 0
    if lead < 0x80:
        start, stop = pos, pos + 1
    elif lead < 0xB8 or 0xC0 <= lead < 0xF8:
        start = pos + 1
        stop = start + (lead - 0x80 if lead < 0xB8 else lead - 0xC0)
    else:
        width = lead - (0xB7 if lead < 0xC0 else 0xF7)
        start = pos + 1 + width
        stop = start + _long_size(data, pos + 1, width, end)
    if stop > end:
        raise RlpError(f"at byte {pos}: found an item of {stop - start} bytes, expected at most {end - start}")
    return start, stop


def _decode_items(data: bytes, pos: int, end: int, depth: int, left: list[int], single: bool = False) -> list[Decoded]:
    """Return the items between ``pos`` and ``end``; with ``single`` exactly one must fill the space.

    ``left`` is how many items may still come, in one cell for all lists.
    """
    items: list[Decoded] = []
    append = items.append
    look = pos + _LOOK_BYTES
    while pos < end:
        if pos >= look:
            look = pos + _LOOK_BYTES
            if len(items) > left[0]:
                raise RlpError(f"at byte {pos}: found too many items, expected fewer")
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
            append(_decode_items(data, start, stop, depth + 1, left))
            pos = stop
        if single and pos < end:
            raise RlpError(f"at byte {pos}: found {end - pos} bytes after the item, expected none")
    left[0] -= len(items) + LIST_ITEMS
    if left[0] < 0:
        raise RlpError(f"at byte {end}: found too many items, expected fewer")
    return items
