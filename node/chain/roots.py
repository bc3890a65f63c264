"""The root of an ordered list, as headers commit to transactions, receipts and withdrawals.

The list is a Merkle-Patricia trie whose keys are RLP(0), RLP(1), ...: all known at once, so the root is computed in
one pass over the sorted keys, without a database and without building up a trie entry by entry. Nothing here is
stored or updated; the state trie is another thing (``state``). (Yellow Paper, appendix D.)
"""

from collections.abc import Sequence

from cocket.node.chain.hashing import EMPTY_OMMERS_HASH, EMPTY_ROOT, keccak256
from cocket.node.chain.rlp_codec import encode, encode_int, join_list

__all__ = ["EMPTY_OMMERS_HASH", "EMPTY_ROOT", "ordered_root"]

_Entry = tuple[bytes, bytes]


def ordered_root(items: Sequence[bytes]) -> bytes:
    """Return the root of the trie that maps RLP(index) to each of ``items``; none of them may be empty."""
    if not items:
        return EMPTY_ROOT
    entries = sorted((_nibbles(encode(encode_int(index))), value) for index, value in enumerate(items))
    return keccak256(_node(entries, 0))


def _nibbles(key: bytes) -> bytes:
    """Return a key's half bytes, one a byte."""
    return bytes([half for byte in key for half in (byte >> 4, byte & 15)])


def _path(nibbles: bytes, is_leaf: bool) -> bytes:
    """Return the hex-prefix encoding of a piece of a path (Yellow Paper, appendix C)."""
    flag = 0x20 if is_leaf else 0
    if len(nibbles) & 1:
        head, nibbles = bytes([flag | 0x10 | nibbles[0]]), nibbles[1:]
    else:
        head = bytes([flag])
    return head + bytes([nibbles[i] << 4 | nibbles[i + 1] for i in range(0, len(nibbles), 2)])


def _node(entries: Sequence[_Entry], depth: int) -> bytes:
    """Return the RLP of the node that holds ``entries``, which are sorted and agree on the nibbles before ``depth``.

    No key is the beginning of another: RLP of integers is self-delimiting, so a branch never has a value.
    """
    first = entries[0][0]
    if len(entries) == 1:
        return join_list([encode(_path(first[depth:], True)), encode(entries[0][1])])
    last = entries[-1][0]
    split = depth
    while first[split] == last[split]:
        split += 1
    if split > depth:
        return join_list([encode(_path(first[depth:split], False)), _reference(_node(entries, split))])
    children = [b"\x80"] * 17
    start = 0
    for stop in range(1, len(entries) + 1):
        nibble = entries[start][0][depth]
        if stop == len(entries) or entries[stop][0][depth] != nibble:
            children[nibble] = _reference(_node(entries[start:stop], depth + 1))
            start = stop
    return join_list(children)


def _reference(node: bytes) -> bytes:
    """Return how a parent names a node: by its hash, or by itself if it is shorter than a hash."""
    return node if len(node) < 32 else b"\xa0" + keccak256(node)
