"""Merkle-Patricia tries over 32-byte keys: many changes at once, look-ups and proofs of paths.

This module alone knows the shape of trie nodes. It never knows what keys or values mean, and it writes nothing: it
reads old nodes through a function and returns the new ones.

A change of many keys descends once, key by key in order, so that every node on the way is read, encoded and hashed a
single time however many keys lie under it; only nodes of the final trie are returned. Inside, a key is the string of
its hex digits, one per nibble, and a child is kept as the bytes that stand for it in its parent (a hash with its RLP
prefix, or a short node itself), so that most of a branch is copied and never decoded.
(Ethereum Yellow Paper, appendix D.)
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TypeAlias, cast

from cocket.node.chain.hashing import EMPTY_ROOT, keccak256
from cocket.node.chain.rlp_codec import encode, join_list
from cocket.node.errors import NodeFault

Nodes: TypeAlias = Callable[[bytes], bytes | None]
"""Where old nodes are read: hash -> RLP of the node, None when it is missing."""

_EMPTY = b"\x80"
_HASH_PREFIX = b"\xa0"


class _Leaf:
    """The one key under it: the rest of its nibbles and its value."""

    __slots__ = ("path", "value")

    def __init__(self, path: str, value: bytes) -> None:
        self.path = path
        self.value = value


class _Extension:
    """Nibbles that every key under it shares, and the branch below, as a reference."""

    __slots__ = ("child", "path")

    def __init__(self, path: str, child: "bytes | _Branch") -> None:
        self.path = path
        self.child = child


class _Branch:
    """Sixteen children by their next nibble; an untouched one stays a reference."""

    __slots__ = ("children",)

    def __init__(self, children: "list[bytes | _Node | None]") -> None:
        self.children = children


_Node: TypeAlias = "_Leaf | _Extension | _Branch"
_Change: TypeAlias = tuple[str, bytes]


class BadNode(NodeFault):
    """Bytes that are not a trie node of a trie over keys of one length: a damaged database, or a forged proof."""


def update_trie(nodes: Nodes, root: bytes, changes: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the root after ``changes`` and the new nodes by hash; an empty value deletes its key.

    Keys are 32 bytes and distinct; their order does not matter. Deleting an absent key changes nothing. NodeFault when
    a node that is needed is missing.
    """
    ordered = sorted([(key.hex(), value) for key, value in changes])
    if not ordered:
        return root, {}
    batch = _Batch(nodes)
    top = batch.merge(None if root == EMPTY_ROOT else batch.load(_HASH_PREFIX + root), ordered, 0)
    if top is None:
        return EMPTY_ROOT, {}
    data = batch.encode(top)
    new_root = keccak256(data)
    batch.written[new_root] = data
    return new_root, batch.written


def look_up(nodes: Nodes, root: bytes, key: bytes) -> bytes | None:
    """Return the value of a key, or None; NodeFault when a node on the way is missing."""
    path = key.hex()
    if root == EMPTY_ROOT:
        return None
    reference: bytes | _Node | None = _HASH_PREFIX + root
    depth = 0
    while isinstance(reference, bytes):
        node = decode_node(_fetch(nodes, reference))
        if isinstance(node, _Leaf):
            return node.value if node.path == path[depth:] else None
        if depth >= len(path):
            raise BadNode(f"found a node below {depth} nibbles of a key of {len(path)}")
        if isinstance(node, _Branch):
            reference = node.children[int(path[depth], 16)]
            depth += 1
        else:
            reference = node.child if path.startswith(node.path, depth) else None
            depth += len(node.path)
    return None


def path_nodes(nodes: Nodes, root: bytes, key: bytes) -> list[bytes]:
    """Return the nodes from the root towards a key, root first, that prove its value or its absence.

    A node shorter than 32 bytes lies inside its parent and is not listed by itself; the empty trie has no nodes.
    """
    found: list[bytes] = []

    def recorded(node_hash: bytes) -> bytes | None:
        data = nodes(node_hash)
        if data is not None:
            found.append(data)
        return data

    look_up(recorded, root, key)
    return found


def decode_node(data: bytes) -> _Node:
    """Return a node with its children as references; BadNode on bytes that are no canonical node.

    A branch must have at least two children and no value, an extension at least one nibble and a branch below (the
    caller sees that), a leaf a value: in a trie over keys of one length nothing else can stand.
    """
    items = _split_list(data)
    if len(items) == 17:
        if items[16] != _EMPTY:
            raise BadNode("found a branch with a value, expected none")
        children: list[bytes | _Node | None] = []
        for item in items[:16]:
            if item == _EMPTY:
                children.append(None)
            elif _is_reference(item):
                children.append(item)
            else:
                raise BadNode(f"found a child of {len(item)} bytes, expected a hash or a short node")
        if children.count(None) > 14:
            raise BadNode("found a branch with fewer than two children")
        return _Branch(children)
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
        return _Leaf(path, value)
    if not path:
        raise BadNode("found an extension without nibbles")
    if not _is_reference(items[1]):
        raise BadNode("found an extension whose child is neither a hash nor a short node")
    return _Extension(path, items[1])


class _Batch:
    """One set of changes on its way down; ``written`` collects the nodes that need a place of their own."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.written: dict[bytes, bytes] = {}

    def load(self, reference: bytes) -> _Node:
        """Return the node behind a reference."""
        return decode_node(_fetch(self._nodes, reference))

    def merge(self, node: "_Node | None", changes: Sequence[_Change], depth: int) -> "_Node | None":
        """Return what a subtrie at ``depth`` becomes; every change's key leads into it."""
        if isinstance(node, _Branch):
            return self._merge_branch(node, changes, depth)
        if isinstance(node, _Extension):
            return self._merge_extension(node, changes, depth)
        puts = [change for change in changes if change[1]]
        if node is not None:
            key = changes[0][0][:depth] + node.path
            if all(change[0] != key for change in changes):
                puts.append((key, node.value))
                puts.sort()
        return _build(puts, depth) if puts else None

    def _merge_branch(self, node: _Branch, changes: Sequence[_Change], depth: int) -> "_Node | None":
        children = node.children
        for digit, group in groupby(changes, lambda change: change[0][depth]):
            index = int(digit, 16)
            child = children[index]
            if isinstance(child, bytes):
                child = self.load(child)
            children[index] = self.merge(child, list(group), depth + 1)
        left = [index for index in range(16) if children[index] is not None]
        if len(left) > 1:
            return node
        if not left:
            return None
        only = children[left[0]]
        return _prepend(f"{left[0]:x}", self.load(only) if isinstance(only, bytes) else cast(_Node, only))

    def _merge_extension(self, node: _Extension, changes: Sequence[_Change], depth: int) -> "_Node | None":
        path = node.path
        stay = [change for change in changes if change[1] or change[0].startswith(path, depth)]
        if not stay:
            return node
        shared = min(_shared(path, change[0], depth) for change in stay)
        if shared == len(path):
            child = self.load(node.child) if isinstance(node.child, bytes) else node.child
            merged = self.merge(child, stay, depth + shared)
            return None if merged is None else _prepend(path, merged)
        children: list[bytes | _Node | None] = [None] * 16
        rest = path[shared + 1 :]
        children[int(path[shared], 16)] = _Extension(rest, node.child) if rest else node.child
        split = self._merge_branch(_Branch(children), stay, depth + shared)
        return None if split is None else _prepend(path[:shared], split)

    def encode(self, node: _Node) -> bytes:
        """Return a node's RLP; everything below it that is new goes to ``written``."""
        if isinstance(node, _Branch):
            parts = [
                child if isinstance(child, bytes) else _EMPTY if child is None else self._reference(child)
                for child in node.children
            ]
            parts.append(_EMPTY)
            return join_list(parts)
        if isinstance(node, _Leaf):
            return encode([_packed(node.path, 2), node.value])
        child = node.child
        return join_list((encode(_packed(node.path, 0)), child if isinstance(child, bytes) else self._reference(child)))

    def _reference(self, node: _Node) -> bytes:
        data = self.encode(node)
        if len(data) < 32:
            return data
        node_hash = keccak256(data)
        self.written[node_hash] = data
        return _HASH_PREFIX + node_hash


def _build(puts: Sequence[_Change], depth: int) -> _Node:
    """Return a fresh subtrie of sorted, distinct keys that agree up to ``depth``."""
    first = puts[0][0]
    if len(puts) == 1:
        return _Leaf(first[depth:], puts[0][1])
    shared = _shared(first[depth:], puts[-1][0], depth)
    at = depth + shared
    children: list[bytes | _Node | None] = [None] * 16
    for digit, group in groupby(puts, lambda change: change[0][at]):
        children[int(digit, 16)] = _build(list(group), at + 1)
    branch = _Branch(children)
    return _Extension(first[depth:at], branch) if shared else branch


def _prepend(path: str, node: _Node) -> _Node:
    """Return a node that stands ``path`` higher than ``node`` and leads to it."""
    if not path:
        return node
    if isinstance(node, _Branch):
        return _Extension(path, node)
    if isinstance(node, _Leaf):
        return _Leaf(path + node.path, node.value)
    return _Extension(path + node.path, node.child)


def _shared(path: str, key: str, depth: int) -> int:
    """Return how many nibbles of ``path`` the key has from ``depth`` on."""
    if key.startswith(path, depth):
        return len(path)
    count = 0
    while path[count] == key[depth + count]:
        count += 1
    return count


def _packed(path: str, flag: int) -> bytes:
    """Return nibbles as bytes behind their flag: 2 for a leaf, 0 for an extension, one more when odd."""
    return bytes.fromhex(f"{flag + 1}{path}" if len(path) & 1 else f"{flag}0{path}")


def _fetch(nodes: Nodes, reference: bytes) -> bytes:
    if len(reference) != 33:
        return reference
    data = nodes(reference[1:])
    if data is None:
        raise NodeFault(f"trie node {reference[1:].hex()} is missing: the database is damaged or this state was pruned")
    return data


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
