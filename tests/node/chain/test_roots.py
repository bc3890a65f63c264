"""List roots against the ``trie`` package."""

import random

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.roots import EMPTY_OMMERS_HASH, EMPTY_ROOT, ordered_root


def oracle_root(items: list[bytes]) -> bytes:
    trie = HexaryTrie({})
    for index, item in enumerate(items):
        trie[rlp.encode(index)] = item
    return bytes(trie.root_hash)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=6) | st.binary(min_size=25, max_size=70), max_size=40))
def test_agrees_with_the_trie_package(items: list[bytes]) -> None:
    assert ordered_root(items) == oracle_root(items)


@pytest.mark.parametrize("count", [1, 2, 16, 17, 127, 128, 129, 255, 256, 257, 600])
@pytest.mark.parametrize("size", [1, 31, 32, 120])
def test_agrees_where_keys_change_their_length(count: int, size: int) -> None:
    generator = random.Random(count * 1000 + size)
    items = [generator.randbytes(size) for _ in range(count)]
    assert ordered_root(items) == oracle_root(items)


def test_agrees_for_equal_items_and_known_constants() -> None:
    assert ordered_root([]) == EMPTY_ROOT == oracle_root([])
    assert EMPTY_ROOT.hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    assert EMPTY_OMMERS_HASH.hex() == "1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
    assert ordered_root([b"same"] * 300) == oracle_root([b"same"] * 300)


def test_order_and_content_count() -> None:
    items = [keccak256(bytes([index])) for index in range(5)]
    assert ordered_root(items) != ordered_root(items[::-1])
    assert ordered_root(items) != ordered_root(items[:-1])
