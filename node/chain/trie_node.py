"""The nodes of a Merkle-Patricia trie over keys of one length: their shapes, and their encoding.

This module alone knows how a node is written. It reads no store and follows no reference. A path is the string of its
hex digits, one a nibble; a child is kept as the bytes that stand for it in its parent, its reference: a hash with its
RLP prefix, or a node shorter than 32 bytes itself. So most of a branch is copied and never decoded.
(Ethereum Yellow Paper, appendix D.)
"""

from typing import TypeAlias

from cocket.node.errors import NodeFault

EMPTY_ITEM = b"\x80"
HASH_PREFIX = b"\xa0"


class Leaf:
    """The one key under it: the rest of its nibbles and its value."""

    __slots__ = ("path", "value")

    def __init__(self, path: str, value: bytes) -> None:
        self.path = path
        self.value = value


class Extension:
    """Nibbles that every key under it shares, and the branch below, as a reference."""

    __slots__ = ("child", "path")

    def __init__(self, path: str, child: "bytes | Branch") -> None:
        self.path = path
        self.child = child


class Branch:
    """Sixteen children by their next nibble; an untouched one stays a reference."""

    __slots__ = ("children",)

    def __init__(self, children: "list[bytes | Node | None]") -> None:
        self.children = children


Node: TypeAlias = "Leaf | Extension | Branch"


class BadNode(NodeFault):
    """Bytes that are not a trie node of a trie over keys of one length: a damaged database, or a forged proof."""


def decode_node(data: bytes) -> Node:
    """Return a node with its children as references; BadNode on bytes that are no canonical node.

    A branch must have at least two children and no value, an extension at least one nibble and a branch below (the
    caller sees that), a leaf a value: in a trie over keys of one length nothing else can stand.
    """
    items = _split_list(data)
    if len(items) == 17:
        if items[16] != EMPTY_ITEM:
            raise BadNode("found a branch with a value, expected none")
        children: list[bytes | Node | None] = []
        for item in items[:16]:
            if item == EMPTY_ITEM:
                children.append(None)
            elif _is_reference(item):
                children.append(item)
            else:
                raise BadNode(f"found a child of {len(item)} bytes, expected a hash or a short node")
        if children.count(None) > 14:
            raise BadNode("found a branch with fewer than two children")
        return Branch(children)
    if len(items) != 2:
        raise BadNode(f"found a node of {len(items)} items, expected 2 or 17")
    digits = _string(items[0]).hex()
    flag = digits[:1]
    if flag in ("0", "2"):
        if digits[1] != "0":
            raise BadNode(f"found the path 0x{digits}, expected a zero after an even flag")
        path = digits[2:]
    elif flag in ("1", "3"):
        path = digits[1:]
    else:
        raise BadNode(f"found the path 0x{digits}, expected a flag from 0 to 3")
    if flag in ("2", "3"):
        value = _string(items[1])
        if not value:
            raise BadNode("found a leaf without a value")
        return Leaf(path, value)
    if not path:
        raise BadNode("found an extension without nibbles")
    if not _is_reference(items[1]):
        raise BadNode("found an extension whose child is neither a hash nor a short node")
    return Extension(path, items[1])


def packed_path(path: str, flag: int) -> bytes:
    """Return nibbles as bytes behind their flag: 2 for a leaf, 0 for an extension, one more when odd."""
    return bytes.fromhex(f"{flag + 1}{path}" if len(path) & 1 else f"{flag}0{path}")


def _is_reference(item: bytes) -> bool:
    return (len(item) == 33 and item[0] == 0xA0) or (item[0] >= 0xC0 and len(item) < 32)


def _split_list(data: bytes) -> list[bytes]:
    """Return the encoded items of an RLP list, which must fill ``data`` exactly; children are not looked into."""
    size = len(data)
    if size < 2 or data[0] < 0xC0:
        raise BadNode("found no list")
    pos, end = _span(data, 0, size)
    if end != size:
        raise BadNode(f"found {size} bytes, expected {end}")
    items: list[bytes] = []
    while pos < size:
        lead = data[pos]
        if lead == 0xA0:
            stop = pos + 33
        elif lead <= 0x80:
            stop = pos + 1
        else:
            stop = _span(data, pos, size)[1]
        if stop > size:
            raise BadNode("found an item that ends behind its list")
        items.append(data[pos:stop])
        if len(items) > 17:
            raise BadNode("found more than 17 items")
        pos = stop
    return items


def _span(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Return where the content of the prefixed item at ``pos`` starts and stops."""
    lead = data[pos]
    offset = 0xC0 if lead >= 0xC0 else 0x80
    if lead < offset + 56:
        stop = pos + 1 + lead - offset
        if lead == 0x81 and (stop > end or data[pos + 1] < 0x80):
            raise BadNode("found a single byte with a prefix")
        return pos + 1, stop
    start = pos + 1 + lead - offset - 55
    if start > end:
        raise BadNode("found a length that ends behind its list")
    size = int.from_bytes(data[pos + 1 : start], "big")
    if size < 56 or not data[pos + 1]:
        raise BadNode("found a length that is not in its shortest form")
    return start, start + size


def _string(item: bytes) -> bytes:
    """Return the content of an encoded byte string."""
    lead = item[0]
    if lead < 0x80:
        return item
    if lead >= 0xC0:
        raise BadNode("found a list, expected a byte string")
    return item[1:] if lead < 0xB8 else item[1 + lead - 0xB7 :]
