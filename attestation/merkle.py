"""Domains and hashes: the one place that knows the exact bytes of every hash in a commitment.

Each preimage starts with eight bytes: ``cocket``, the version of this scheme, and the role of the hash; no two roles
share a preimage. The rest is fixed by role (``docs/formats.md`` has the table; ``Certificates`` walks the batch part
on the ledger). All hashes are keccak256; secrets spread through SHAKE-256 under domains of the same shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import shake_256

from sha3 import keccak_256

_SCHEME = b"cocket\x01"

FIELD = _SCHEME + b"\x01"  # disclosure
FIELD_NODE = _SCHEME + b"\x02"  # left || right
GROUP = _SCHEME + b"\x03"  # group index u8 || depth u8 || top
DOCUMENT = _SCHEME + b"\x04"  # kind u16 || group count u8 || group hash...
COUNTRY = _SCHEME + b"\x05"  # salt[16] || alpha-2
BATCH_LEAF = _SCHEME + b"\x06"  # document root || country hash
BATCH_NODE = _SCHEME + b"\x07"  # left || right
BATCH_ROOT = _SCHEME + b"\x08"  # depth u8 || kind u16 || issuer u32 || top

FROM_BATCH_SECRET = _SCHEME + b"\x10"  # batch secret || position u32 -> document secret
FROM_DOCUMENT_SECRET = _SCHEME + b"\x11"  # document secret -> group seeds || country salt
FROM_GROUP_SEED = _SCHEME + b"\x12"  # group seed -> salts || decoys
FROM_BATCH_SEED_ORDER = _SCHEME + b"\x13"  # batch seed -> order
FROM_BATCH_SEED_PADDING = _SCHEME + b"\x14"  # batch seed -> padding leaves
FROM_GROUP_SEED_SD_JWT = _SCHEME + b"\x15"  # group seed -> two salts || decoy digests of its SD-JWT

CUSTODY = _SCHEME + b"\x20"  # a custody's canonical text
SHARE = _SCHEME + b"\x21"  # share
KEY = _SCHEME + b"\x22"  # group key
WRAPPED_SEED = _SCHEME + b"\x23"  # HPKE info: genesis hash || batch root || seat
SEALED_GROUP = _SCHEME + b"\x24"  # AES-GCM associated data: binding
SEALED_OPENING = _SCHEME + b"\x25"  # AES-GCM associated data: binding

FROM_SEED_MASK = _SCHEME + b"\x28"  # HMAC under a seed: binding -> mask of a share
FROM_SEED_OPENING = _SCHEME + b"\x29"  # HMAC under a seed: binding -> key of the opening
FROM_RECOVERY_SEED = _SCHEME + b"\x2a"  # HMAC under the recovery seed: nothing -> the vault's seed
FROM_RUN_SECRET = _SCHEME + b"\x2b"  # HMAC under a run's secret: binding -> what keys and sharing are drawn from

FROM_GROUP_KEY_ATTACHMENT = _SCHEME + b"\x2c"  # HMAC under a group key: binding || place u8 -> key of an attached file
SEALED_SEGMENT = _SCHEME + b"\x2d"  # AES-GCM associated data of an attached file's segment

RECEIPT = _SCHEME + b"\x30"  # a receipt's bytes
RECEIPT_NODE = _SCHEME + b"\x31"  # left || right
RECEIPT_ROOT = _SCHEME + b"\x32"  # keeper u64 || sequence u64 || first number u64 || depth u8 || previous root || top
WRAPPED_MASKS = _SCHEME + b"\x33"  # HPKE info: request hash || keeper u64
FROM_PERIOD_SEED = _SCHEME + b"\x34"  # period seed -> padding leaves
PAGE_RECORD = _SCHEME + b"\x36"  # receipt salt || batch root || index u32; in an empty place receipt salt || place u8
PAGE_NODE = _SCHEME + b"\x37"  # left || right
PAGE = _SCHEME + b"\x38"  # count u8 || top
FROM_LISTING_KEY = _SCHEME + b"\x39"  # HMAC under a listing key: genesis hash || batch root || index u32 -> secret
RELEASE_TICKET = _SCHEME + b"\x3a"  # HMAC under a vault's key: batch root || index u32 || list's SHA-256 || expires u64
SEAL_BINDING = _SCHEME + b"\x50"  # the binding's file
FROM_ENGAGEMENT_SALT = _SCHEME + b"\x35"  # engagement salt || controller u32 -> salt of its grant

HASH_BYTES = 32


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 of ``data`` (Ethereum's, not SHA3-256)."""
    digest: bytes = keccak_256(data).digest()
    return digest


def spread(domain: bytes, secret: bytes, byte_count: int) -> bytes:
    """Return ``byte_count`` bytes drawn from a secret under a domain (SHAKE-256)."""
    return shake_256(domain + secret).digest(byte_count)


def top_of(leaves: Sequence[bytes], node_domain: bytes) -> bytes:
    """Return the top of the Merkle tree over a power of two of leaves."""
    level = leaves
    while len(level) > 1:
        level = _parents(level, node_domain)
    return level[0]


def _parents(level: Sequence[bytes], node_domain: bytes) -> list[bytes]:
    pairs = iter(level)
    return [keccak_256(node_domain + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]


def paths_of(leaves: Sequence[bytes], indices: Sequence[int], node_domain: bytes) -> list[tuple[bytes, ...]]:
    """Return for each index its path: the sibling at each level, from the leaf upwards."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        pairs = iter(levels[-1])
        levels.append(
            [keccak_256(node_domain + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
        )
    return [tuple(level[(index >> height) ^ 1] for height, level in enumerate(levels[:-1])) for index in indices]


def climb(leaf: bytes, index: int, path: Sequence[bytes], node_domain: bytes) -> bytes:
    """Return the top that a leaf at ``index`` reaches by ``path``: bit *i* of the index says right at level *i*."""
    node = leaf
    for height, sibling in enumerate(path):
        node = keccak256(node_domain + (sibling + node if index >> height & 1 else node + sibling))
    return node
