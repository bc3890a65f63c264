"""Batches: the one place that knows how up to a million documents become the one root that a transaction anchors.

A batch leaf hides which document it is and which country it is meant for; leaves stand in a shuffled order among
random padding, so a leaf's index tells neither when it was issued nor how many there are. About 100 bytes a document.
Never knows what a document says.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence

from sha3 import keccak_256

from cocket.attestation.disclose import SALT_BYTES
from cocket.attestation.errors import InvalidBatch
from cocket.attestation.merkle import (
    BATCH_LEAF,
    BATCH_NODE,
    BATCH_ROOT,
    COUNTRY,
    FROM_BATCH_SEED_ORDER,
    FROM_BATCH_SEED_PADDING,
    HASH_BYTES,
    climb,
    keccak256,
    spread,
)

DEPTH_MIN = 4  # a batch of one looks like a batch of sixteen
DEPTH_MAX = 20  # a million documents in one transaction; the ledger's contract has the same bound
SEED_BYTES = 32
ISSUER_MAX = (1 << 32) - 1  # participant numbers on the ledger
_COUNTRY = re.compile("[A-Z]{2}")
ANY_COUNTRY = "ZZ"  # no importing country stated (ISO 3166 leaves ZZ to its users): any may use the certificate


def country_hash(salt: bytes, country: str) -> bytes:
    """Return the salted hash of the importing country (ISO 3166 alpha-2, or ``ZZ`` for none stated)."""
    if (
        len(salt) != SALT_BYTES
        or len(country) != 2
        or not (country.isascii() and country.isalpha() and country.isupper())
    ):
        raise InvalidBatch(f"found country {country!r}; expected two capital letters and a salt of {SALT_BYTES} bytes")
    return keccak256(COUNTRY + salt + country.encode())


def batch_leaf(document_root: bytes, country: bytes) -> bytes:
    """Return a document's leaf in its batch, from its root and the hash of its importing country."""
    return keccak256(BATCH_LEAF + document_root + country)


def batch_root(leaf: bytes, index: int, path: Sequence[bytes], kind: int, issuer: int) -> bytes:
    """Return the batch root that a leaf reaches by its path; the same walk as ``Certificates`` makes on the ledger.

    ``issuer`` is the participant's number there: the same tree anchored by another has another root.
    """
    top = climb(leaf, index, path, BATCH_NODE)
    return _root_of(top, len(path), kind, issuer)


def _root_of(top: bytes, depth: int, kind: int, issuer: int) -> bytes:
    return keccak256(BATCH_ROOT + bytes((depth,)) + kind.to_bytes(2, "big") + issuer.to_bytes(4, "big") + top)


class Batch:
    """A finished batch: its root, and each document's index and path by the position it was added at.

    ``top`` is what its issuer anchors; the ledger makes ``root`` of it as here, with the number of who sends it.
    """

    __slots__ = ("_levels", "_order", "count", "depth", "issuer", "kind", "root", "top")

    def __init__(self, kind: int, issuer: int, count: int, levels: tuple[bytes, ...], order: array[int]) -> None:
        self.kind = kind
        self.issuer = issuer
        self.count = count
        self.depth = len(levels) - 1
        self.top = levels[-1]
        self.root = _root_of(self.top, self.depth, kind, issuer)
        self._levels = levels
        self._order = order

    def index_of(self, position: int) -> int:
        """Return the index in the tree of the document that was added at ``position``."""
        if not 0 <= position < self.count:
            raise InvalidBatch(f"found position {position}; expected 0 to {self.count - 1}")
        return self._order[position]

    def leaf_at(self, index: int) -> bytes:
        """Return the leaf at ``index`` (padding too)."""
        return _at(self._levels[0], index)

    def path_of(self, index: int) -> tuple[bytes, ...]:
        """Return the siblings of the leaf at ``index``, from the leaf upwards."""
        if not 0 <= index < 1 << self.depth:
            raise InvalidBatch(f"found index {index}; expected 0 to {(1 << self.depth) - 1}")
        return tuple(_at(level, (index >> height) ^ 1) for height, level in enumerate(self._levels[:-1]))


def _at(level: bytes, index: int) -> bytes:
    return level[HASH_BYTES * index : HASH_BYTES * index + HASH_BYTES]


class BatchBuilder:
    """Takes leaves as they come, keeps 32 bytes of each, and builds the batch of an issuer at the end.

    The same leaves in the same order with the same seed give the same batch: so a killed issuance goes on.
    """

    def __init__(self, kind: int, seed: bytes, issuer: int) -> None:
        if len(seed) != SEED_BYTES or not 0 < kind < 1 << 16:
            raise InvalidBatch(f"expected a seed of {SEED_BYTES} bytes and a kind of 16 bits")
        if not 0 < issuer <= ISSUER_MAX:
            raise InvalidBatch(f"found issuer {issuer}; expected a participant's number, 1 to {ISSUER_MAX}")
        self._kind = kind
        self._issuer = issuer
        self._seed = seed
        self._leaves = bytearray()

    def __len__(self) -> int:
        return len(self._leaves) // HASH_BYTES

    def extend(self, leaves: bytes) -> None:
        """Add leaves, concatenated."""
        if len(leaves) % HASH_BYTES or len(self._leaves) + len(leaves) > HASH_BYTES << DEPTH_MAX:
            raise InvalidBatch(f"found {len(leaves)} bytes of leaves; expected whole hashes, at most 2**{DEPTH_MAX}")
        self._leaves += leaves

    def add(self, leaf: bytes) -> int:
        """Add one leaf; return its position."""
        if len(leaf) != HASH_BYTES:
            raise InvalidBatch(f"found a leaf of {len(leaf)} bytes; expected {HASH_BYTES}")
        self.extend(leaf)
        return len(self) - 1

    def build(self) -> Batch:
        """Return the batch over all leaves added; the builder can go on afterwards."""
        count = len(self)
        if not count:
            raise InvalidBatch("found no document; expected at least one")
        depth = max(DEPTH_MIN, (count - 1).bit_length())
        order = _shuffled(1 << depth, self._seed)
        padding = spread(FROM_BATCH_SEED_PADDING, self._seed, HASH_BYTES * ((1 << depth) - count))
        placed = bytearray(HASH_BYTES << depth)
        for source, first in ((self._leaves, 0), (padding, count)):
            for at in range(0, len(source), HASH_BYTES):
                to = HASH_BYTES * order[first + at // HASH_BYTES]
                placed[to : to + HASH_BYTES] = source[at : at + HASH_BYTES]
        levels = [bytes(placed)]
        del placed, padding
        while len(levels[-1]) > HASH_BYTES:
            levels.append(_level_above(levels[-1]))
        return Batch(self._kind, self._issuer, count, tuple(levels), order[:count])


def _level_above(level: bytes) -> bytes:
    """Return the concatenated parents of a level; two siblings already lie side by side."""
    pair = 2 * HASH_BYTES
    return b"".join([keccak_256(BATCH_NODE + level[at : at + pair]).digest() for at in range(0, len(level), pair)])


def _shuffled(size: int, seed: bytes) -> array[int]:
    """Return the numbers below ``size`` in a random order drawn from the seed (Fisher-Yates, 64 bits a draw).

    The draw for ``last`` is ``(word * (last + 1)) >> 64``: its bias is below 2**-43 at our sizes.
    """
    order = array("I", range(size))
    stream = spread(FROM_BATCH_SEED_ORDER, seed, 8 * size)
    for last in range(size - 1, 0, -1):
        draw = int.from_bytes(stream[8 * last : 8 * last + 8], "big") * (last + 1) >> 64
        order[last], order[draw] = order[draw], order[last]
    return order
