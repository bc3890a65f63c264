"""Merkle-Patricia tries over 32-byte keys: many changes at once, look-ups and proofs of paths.

This module alone follows references between nodes. It never knows what keys or values mean, nor how a node is written
(``trie_node``), and it writes nothing: it reads old nodes through a function and returns the new ones.

A change of many keys descends once, key by key in order, so that every node on the way is read, encoded and hashed a
single time however many keys lie under it; only nodes of the final trie are returned.
(Ethereum Yellow Paper, appendix D.)
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TypeAlias, cast

from cocket.node.chain.hashing import EMPTY_ROOT, keccak256
from cocket.node.chain.rlp_codec import encode, join_list
from cocket.node.chain.trie_node import (
    EMPTY_ITEM,
    HASH_PREFIX,
    BadNode,
    Branch,
    Extension,
    Leaf,
    Node,
    decode_node,
    packed_path,
)
from cocket.node.errors import NodeFault

Nodes: TypeAlias = Callable[[bytes], bytes | None]
"""Where old nodes are read: hash -> RLP of the node, None when it is missing."""

_Change: TypeAlias = tuple[str, bytes]


def update_trie(nodes: Nodes, root: bytes, changes: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the root after ``changes`` and the new nodes by hash; an empty value deletes its key.

    Keys are 32 bytes and distinct; their order does not matter. Deleting an absent key changes nothing. NodeFault when
    a node that is needed is missing.
    """
    ordered = sorted([(key.hex(), value) for key, value in changes])
    if not ordered:
        return root, {}
    batch = _Batch(nodes)
    top = batch.merge(None if root == EMPTY_ROOT else batch.load(HASH_PREFIX + root), ordered, 0)
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
    reference: bytes | Node | None = HASH_PREFIX + root
    depth = 0
    while isinstance(reference, bytes):
        node = decode_node(_fetch(nodes, reference))
        if isinstance(node, Leaf):
            return node.value if node.path == path[depth:] else None
        if depth >= len(path):
            raise BadNode(f"found a node below {depth} nibbles of a key of {len(path)}")
        if isinstance(node, Branch):
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


class _Batch:
    """One set of changes on its way down; ``written`` collects the nodes that need a place of their own."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.written: dict[bytes, bytes] = {}

    def load(self, reference: bytes) -> Node:
        """Return the node behind a reference."""
        return decode_node(_fetch(self._nodes, reference))

    def merge(self, node: "Node | None", changes: Sequence[_Change], depth: int) -> "Node | None":
        """Return what a subtrie at ``depth`` becomes; every change's key leads into it."""
        if isinstance(node, Branch):
            return self._merge_branch(node, changes, depth)
        if isinstance(node, Extension):
            return self._merge_extension(node, changes, depth)
        puts = [change for change in changes if change[1]]
        if node is not None:
            key = changes[0][0][:depth] + node.path
            if all(change[0] != key for change in changes):
                puts.append((key, node.value))
                puts.sort()
        return _build(puts, depth) if puts else None

    def _merge_branch(self, node: Branch, changes: Sequence[_Change], depth: int) -> "Node | None":
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
        return _prepend(f"{left[0]:x}", self.load(only) if isinstance(only, bytes) else cast(Node, only))

    def _merge_extension(self, node: Extension, changes: Sequence[_Change], depth: int) -> "Node | None":
        path = node.path
        stay = [change for change in changes if change[1] or change[0].startswith(path, depth)]
        if not stay:
            return node
        shared = min(_shared(path, change[0], depth) for change in stay)
        if shared == len(path):
            child = self.load(node.child) if isinstance(node.child, bytes) else node.child
            merged = self.merge(child, stay, depth + shared)
            return None if merged is None else _prepend(path, merged)
        children: list[bytes | Node | None] = [None] * 16
        rest = path[shared + 1 :]
        children[int(path[shared], 16)] = Extension(rest, node.child) if rest else node.child
        split = self._merge_branch(Branch(children), stay, depth + shared)
        return None if split is None else _prepend(path[:shared], split)

    def encode(self, node: Node) -> bytes:
        """Return a node's RLP; everything below it that is new goes to ``written``."""
        if isinstance(node, Branch):
            parts = [
                child if isinstance(child, bytes) else EMPTY_ITEM if child is None else self._reference(child)
                for child in node.children
            ]
            parts.append(EMPTY_ITEM)
            return join_list(parts)
        if isinstance(node, Leaf):
            return encode([packed_path(node.path, 2), node.value])
        child = node.child
        return join_list(
            (encode(packed_path(node.path, 0)), child if isinstance(child, bytes) else self._reference(child))
        )

    def _reference(self, node: Node) -> bytes:
        data = self.encode(node)
        if len(data) < 32:
            return data
        node_hash = keccak256(data)
        self.written[node_hash] = data
        return HASH_PREFIX + node_hash


def _build(puts: Sequence[_Change], depth: int) -> Node:
    """Return a fresh subtrie of sorted, distinct keys that agree up to ``depth``."""
    first = puts[0][0]
    if len(puts) == 1:
        return Leaf(first[depth:], puts[0][1])
    shared = _shared(first[depth:], puts[-1][0], depth)
    at = depth + shared
    children: list[bytes | Node | None] = [None] * 16
    for digit, group in groupby(puts, lambda change: change[0][at]):
        children[int(digit, 16)] = _build(list(group), at + 1)
    branch = Branch(children)
    return Extension(first[depth:at], branch) if shared else branch


def _prepend(path: str, node: Node) -> Node:
    """Return a node that stands ``path`` higher than ``node`` and leads to it."""
    if not path:
        return node
    if isinstance(node, Branch):
        return Extension(path, node)
    if isinstance(node, Leaf):
        return Leaf(path + node.path, node.value)
    return Extension(path + node.path, node.child)


def _shared(path: str, key: str, depth: int) -> int:
    """Return how many nibbles of ``path`` the key has from ``depth`` on."""
    if key.startswith(path, depth):
        return len(path)
    count = 0
    while path[count] == key[depth + count]:
        count += 1
    return count


def _fetch(nodes: Nodes, reference: bytes) -> bytes:
    if len(reference) != 33:
        return reference
    data = nodes(reference[1:])
    if data is None:
        raise NodeFault(f"trie node {reference[1:].hex()} is missing: the database is damaged or this state was pruned")
    return data
