"""The trie against the ``trie`` package's HexaryTrie as oracle, and its decoder against arbitrary bytes."""

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from cocket.node.chain.hashing import EMPTY_ROOT, keccak256
from cocket.node.chain.trie import look_up, path_nodes, update_trie
from cocket.node.chain.trie_node import BadNode, decode_node
from cocket.node.errors import NodeFault

# Few nibbles differ, so that tries are deep, branches collapse and nodes are short enough to lie in their parents.
NIBBLE_PAIRS = [0x00, 0x01, 0x10, 0x11, 0xF0]
close_keys = st.lists(st.sampled_from(NIBBLE_PAIRS), min_size=3, max_size=3).map(lambda tail: bytes(29) + bytes(tail))
spread_keys = st.integers(0, 40).map(lambda number: keccak256(bytes([number])))
mixed_keys = st.lists(st.sampled_from(NIBBLE_PAIRS), min_size=2, max_size=2).flatmap(
    lambda head: st.sampled_from([bytes(head) + bytes(30), bytes(head) + bytes([7]) * 30, bytes(30) + bytes(head)])
)
keys = close_keys | spread_keys | mixed_keys
values = st.sampled_from([b"", b"", b"\x01", b"\x80", b"ab", b"v" * 31, b"v" * 32, b"v" * 60])
batches = st.lists(st.dictionaries(keys, values, max_size=12), min_size=1, max_size=5)


class Oracle:
    """The same changes, one key at a time, by the trie package."""

    def __init__(self) -> None:
        self.trie = HexaryTrie({})

    def apply(self, batch: dict[bytes, bytes]) -> bytes:
        for key, value in batch.items():
            if value:
                self.trie[key] = value
            elif key in self.trie:
                del self.trie[key]
        return bytes(self.trie.root_hash)


@given(batches)
@settings(max_examples=300, deadline=None)
def test_roots_equal_those_of_the_trie_package(all_changes: list[dict[bytes, bytes]]) -> None:
    oracle = Oracle()
    nodes: dict[bytes, bytes] = {}
    entries: dict[bytes, bytes] = {}
    root = EMPTY_ROOT
    for batch in all_changes:
        expected = oracle.apply(batch)
        root, new = update_trie(nodes.get, root, batch.items())
        assert root == expected
        assert all(keccak256(data) == node_hash for node_hash, data in new.items())
        nodes.update(new)
        entries.update(batch)
        for key, value in entries.items():
            assert look_up(nodes.get, root, key) == (value or None)


def test_a_large_trie_grows_and_shrinks_like_the_trie_package() -> None:
    random_ = random.Random(7)
    oracle = Oracle()
    nodes: dict[bytes, bytes] = {}
    root = EMPTY_ROOT
    known: list[bytes] = []
    for _ in range(20):
        batch = {random_.randbytes(32): random_.randbytes(random_.choice([1, 5, 70])) for _ in range(60)}
        batch |= {key: random_.choice([b"", b"changed"]) for key in random_.sample(known, min(len(known), 50))}
        known = sorted(set(known) | set(batch))
        root, new = update_trie(nodes.get, root, batch.items())
        nodes.update(new)
        assert root == oracle.apply(batch)
    root, _ = update_trie(nodes.get, root, [(key, b"") for key in known])
    assert root == EMPTY_ROOT


def test_only_nodes_of_the_final_trie_are_returned() -> None:
    random_ = random.Random(8)
    first = {random_.randbytes(32): b"value" * 10 for _ in range(300)}
    root, nodes = update_trie({}.get, EMPTY_ROOT, first.items())
    reachable = set()
    for key in first:
        reachable |= {keccak256(data) for data in path_nodes(nodes.get, root, key)}
    assert set(nodes) == reachable


def test_no_changes_and_absent_deletes_keep_the_root() -> None:
    key = keccak256(b"key")
    root, nodes = update_trie({}.get, EMPTY_ROOT, [(key, b"value")])
    assert update_trie(nodes.get, root, []) == (root, {})
    assert update_trie(nodes.get, root, [(keccak256(b"other"), b"")])[0] == root
    assert update_trie(nodes.get, EMPTY_ROOT, [(key, b"")]) == (EMPTY_ROOT, {})


def test_a_missing_node_is_named() -> None:
    root, _ = update_trie({}.get, EMPTY_ROOT, [(keccak256(b"key"), b"value" * 10)])
    with pytest.raises(NodeFault, match=root.hex()):
        look_up({}.get, root, keccak256(b"key"))


@given(st.binary(max_size=700))
def test_the_decoder_raises_nothing_but_its_own_error(data: bytes) -> None:
    with contextlib.suppress(BadNode):
        decode_node(data)


@given(st.dictionaries(spread_keys, values.filter(bool), min_size=2, max_size=20), st.data())
@settings(deadline=None)
def test_a_cut_or_flipped_node_decodes_or_says_why(entries: dict[bytes, bytes], data: st.DataObject) -> None:
    _, nodes = update_trie({}.get, EMPTY_ROOT, entries.items())
    node = data.draw(st.sampled_from(sorted(nodes.values())))
    position = data.draw(st.integers(0, len(node) - 1))
    flipped = node[:position] + bytes([node[position] ^ data.draw(st.integers(1, 255))]) + node[position + 1 :]
    for damaged in (flipped, node[:position], node + b"\x00"):
        with contextlib.suppress(BadNode):
            decode_node(damaged)
    with pytest.raises(BadNode):
        decode_node(node[:position])


@pytest.mark.parametrize(
    ("bytes_hex", "reason"),
    [
        ("", "no list"),
        ("80", "no list"),
        ("c0", "no list"),
        ("c3808080", "3 items"),
        ("d1" + "80" * 17, "fewer than two"),
        ("c22080", "without a value"),
        ("c20080", "without nibbles"),
        ("c21180", "neither a hash nor"),
        ("c24001", "flag"),
        ("c22101", "zero after an even flag"),
    ],
)
def test_malformed_nodes_are_refused(bytes_hex: str, reason: str) -> None:
    with pytest.raises(BadNode, match=reason):
        decode_node(bytes.fromhex(bytes_hex))
