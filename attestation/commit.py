"""Commitment: the one place that knows how a document's fields become one 32-byte root. (``docs/formats.md``.)

Each field group is a Merkle tree of its own: field leaves and decoys, sorted by hash, padded to a power of two of at
least 16. Salts and decoys spring from the group's seed, so the seed and all fields of a group rebuild its hash, which
proves that nothing in it was left out; without the seed a decoy cannot be told from a field. The document root hashes
the kind and all groups in the kind's published order. Randomness comes in as the document's 32-byte secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sha3 import keccak_256

from cocket.attestation.disclose import SALT_BYTES, Field, encode_disclosure
from cocket.attestation.errors import AttestationError
from cocket.attestation.kinds import Kind
from cocket.attestation.merkle import (
    DOCUMENT,
    FIELD,
    FIELD_NODE,
    FROM_BATCH_SECRET,
    FROM_DOCUMENT_SECRET,
    FROM_GROUP_SEED,
    GROUP,
    HASH_BYTES,
    keccak256,
    paths_of,
    spread,
    top_of,
)

SECRET_BYTES = 32
GROUP_SIZE_MIN = 16  # a group of one line and a group of none look alike
GROUP_DEPTH_MAX = 14  # FIELDS_MAX
POSITION_MAX = 1 << 32


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a document's secret unfolds to: one seed a group, and the salt of the importing country."""

    group_seeds: tuple[bytes, ...]
    country_salt: bytes


def document_secret(batch_secret: bytes, position: int) -> bytes:
    """Return the 32-byte secret of the document at ``position`` in a batch, so that one secret a batch need be kept."""
    if len(batch_secret) != SECRET_BYTES or not 0 <= position < POSITION_MAX:
        raise AttestationError(f"expected a batch secret of {SECRET_BYTES} bytes and a position below 2**32")
    return spread(FROM_BATCH_SECRET, batch_secret + position.to_bytes(4, "big"), SECRET_BYTES)


def secrets_of(secret: bytes, kind: Kind) -> Secrets:
    """Return the group seeds and the country's salt that a document's secret unfolds to."""
    if len(secret) != SECRET_BYTES:
        raise AttestationError(f"found a document secret of {len(secret)} bytes; expected {SECRET_BYTES}")
    end = SECRET_BYTES * len(kind.groups)
    stream = spread(FROM_DOCUMENT_SECRET, secret, end + SALT_BYTES)
    return Secrets(tuple(stream[at : at + SECRET_BYTES] for at in range(0, end, SECRET_BYTES)), stream[end:])


@dataclass(frozen=True, slots=True)
class GroupLeaves:
    """A group laid open: its fields in order of pointer, their disclosures and leaves; and all leaves, sorted."""

    fields: Sequence[Field]
    disclosures: tuple[bytes, ...]
    own: tuple[bytes, ...]
    leaves: tuple[bytes, ...]

    @property
    def depth(self) -> int:
        """Return the height of the group's tree."""
        return len(self.leaves).bit_length() - 1

    @property
    def top(self) -> bytes:
        """Return the top of the group's tree."""
        return top_of(self.leaves, FIELD_NODE)

    def places_of(self, positions: Sequence[int]) -> list[tuple[int, tuple[bytes, ...]]]:
        """Return (index, path) of the fields at these positions in order of pointer."""
        indices = [self.leaves.index(self.own[position]) for position in positions]
        return list(zip(indices, paths_of(self.leaves, indices, FIELD_NODE), strict=True))


def field_leaf(disclosure: bytes) -> bytes:
    """Return the leaf of a disclosure (its ASCII bytes)."""
    return keccak256(FIELD + disclosure)


@dataclass(frozen=True, slots=True)
class GroupSalts:
    """What a group's seed unfolds to for a number of fields: their salts in order of pointer, and the decoy leaves."""

    salts: tuple[bytes, ...]
    decoys: tuple[bytes, ...]


def group_salts(seed: bytes, field_count: int) -> GroupSalts:
    """Return the salts of a group's fields and the decoys that pad it to a power of two, at least 16."""
    size = max(GROUP_SIZE_MIN, 1 << (field_count - 1).bit_length()) if field_count else GROUP_SIZE_MIN
    end = SALT_BYTES * field_count
    stream = spread(FROM_GROUP_SEED, seed, end + HASH_BYTES * (size - field_count))
    return GroupSalts(
        tuple([stream[at : at + SALT_BYTES] for at in range(0, end, SALT_BYTES)]),
        tuple([stream[at : at + HASH_BYTES] for at in range(end, len(stream), HASH_BYTES)]),
    )


def group_leaves(seed: bytes, fields: Sequence[Field]) -> GroupLeaves:
    """Return a group laid open; ``fields`` in order of pointer, as :func:`disclose.fields_of` gives them."""
    unfolded = group_salts(seed, len(fields))
    disclosures = [
        encode_disclosure(salt, pointer, value) for salt, (pointer, value) in zip(unfolded.salts, fields, strict=True)
    ]
    own = [keccak_256(FIELD + disclosure).digest() for disclosure in disclosures]
    return GroupLeaves(fields, tuple(disclosures), tuple(own), tuple(sorted([*own, *unfolded.decoys])))


def group_hash(index: int, depth: int, top: bytes) -> bytes:
    """Return the hash of the group at ``index`` in its kind's order."""
    return keccak256(GROUP + bytes((index, depth)) + top)


def group_hash_of(seed: bytes, index: int, fields: Sequence[Field]) -> bytes:
    """Return the hash of a group from its seed and all its fields, in order of pointer."""
    group = group_leaves(seed, fields)
    return group_hash(index, group.depth, group.top)


def document_root(kind: Kind, group_hashes: Sequence[bytes]) -> bytes:
    """Return a document's root from the hashes of all groups of its kind, in the kind's order."""
    if len(group_hashes) != len(kind.groups):
        raise AttestationError(f"found {len(group_hashes)} groups; a {kind.name} has {len(kind.groups)}")
    return keccak256(DOCUMENT + kind.number.to_bytes(2, "big") + bytes((len(group_hashes),)) + b"".join(group_hashes))


def commit(kind: Kind, groups: Sequence[Sequence[Field]], secrets: Secrets) -> bytes:
    """Return the document root over ``groups`` of fields, each in order of pointer."""
    hashes = [group_hash_of(secrets.group_seeds[index], index, fields) for index, fields in enumerate(groups)]
    return document_root(kind, hashes)
