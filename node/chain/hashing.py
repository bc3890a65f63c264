"""Keccak-256 and its well-known constants: the one place in the node that knows which library hashes.

It never truncates: addresses are cut out of hashes by those who know why.
"""

from sha3 import keccak_256

HASH_BYTES = 32
ADDRESS_BYTES = 20
ZERO_HASH = bytes(HASH_BYTES)
ZERO_ADDRESS = bytes(ADDRESS_BYTES)


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 of ``data`` (the original padding, as Ethereum uses it; not NIST's SHA3-256).

    >>> keccak256(b"").hex()
    'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
    """
    digest: bytes = keccak_256(data).digest()
    return digest


EMPTY_KECCAK = keccak256(b"")
"""The code hash of an account without code."""

EMPTY_ROOT = keccak256(b"\x80")
"""The root of a Merkle-Patricia trie without entries: keccak256(RLP(""))."""

EMPTY_OMMERS_HASH = keccak256(b"\xc0")
"""The hash of an empty list of ommers: keccak256(RLP([])). QBFT never has ommers."""
