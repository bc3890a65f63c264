"""Manifests: the one place that knows what is said in the clear of a sealed record, and how it is signed.

Hashes of ciphertexts, keys and shares, so that every part can be checked by itself and a custodian that lies is known
by name; the shares under their masks; the opening for the vault. Signed as EIP-712 typed data, so that a person with
any Ethereum wallet sees what is signed; ``docs/formats.md`` has the types.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.members import Members, hash_of, hexadecimal, read_json
from cocket.attestation.merkle import HASH_BYTES, keccak256
from cocket.attestation.sealing.binding import KEY_EPOCH_MAX, Binding
from cocket.attestation.sealing.cipher import TAG_BYTES
from cocket.attestation.sealing.envelope import GROUPS_MAX
from cocket.attestation.sealing.opening import OPENING_BYTES
from cocket.attestation.sealing.shamir import SHARES_MAX

FORMAT = "cocket-manifest-1"
SIGNATURE_BYTES = 65
MANIFEST_BYTES_MAX = 1 << 20
"""Sixteen groups shared among sixteen custodians are 40 kB."""
DOMAIN = "Cocket sealed record"

_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)"
_GROUP_TYPE = b"Group(bytes32 hash,bytes32 ciphertext,bytes32 key,bytes32 recovery,bytes32[] masked,bytes32[] shares)"
_MANIFEST_TYPE = (
    b"Manifest(bytes32 documentRoot,uint16 kind,uint32 keyEpoch,bytes32 custody,Group[] groups,bytes opening)"
    + _GROUP_TYPE
)


@dataclass(frozen=True, slots=True)
class SealedGroup:
    """What is known of a sealed group without any key.

    ``hash`` is the group's in the commitment; ``ciphertext`` its SHA-256; ``key`` the hash of its key; ``recovery`` the
    key under the recovery seed's mask; ``masked`` the custodians' shares under theirs, ``shares`` the shares' hashes.
    """

    hash: bytes
    ciphertext: bytes
    key: bytes
    recovery: bytes
    masked: tuple[bytes, ...]
    shares: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A sealed record: to what it is bound, whose custody (by its hash), its groups, the encrypted opening."""

    chain_id: int
    binding: Binding
    custody: bytes
    groups: tuple[SealedGroup, ...]
    opening: bytes


def signing_hash(manifest: Manifest) -> bytes:
    """Return the hash of 32 bytes that the controller signs (EIP-712)."""
    binding = manifest.binding
    domain = keccak256(
        keccak256(_DOMAIN_TYPE)
        + keccak256(DOMAIN.encode())
        + keccak256(b"1")
        + _word(manifest.chain_id)
        + binding.genesis_hash
    )
    group_type = keccak256(_GROUP_TYPE)
    groups = [
        keccak256(
            group_type
            + group.hash
            + group.ciphertext
            + group.key
            + group.recovery
            + keccak256(b"".join(group.masked))
            + keccak256(b"".join(group.shares))
        )
        for group in manifest.groups
    ]
    body = keccak256(
        keccak256(_MANIFEST_TYPE)
        + binding.document_root
        + _word(binding.kind)
        + _word(binding.key_epoch)
        + manifest.custody
        + keccak256(b"".join(groups))
        + keccak256(manifest.opening)
    )
    return keccak256(b"\x19\x01" + domain + body)


def _word(number: int) -> bytes:
    return number.to_bytes(32)


def manifest_json(manifest: Manifest, signature: bytes) -> dict[str, object]:
    """Return a signed manifest as its file has it."""
    binding = manifest.binding
    return {
        "format": FORMAT,
        "chain_id": manifest.chain_id,
        "genesis_hash": hexadecimal(binding.genesis_hash),
        "document_root": hexadecimal(binding.document_root),
        "kind": binding.kind,
        "key_epoch": binding.key_epoch,
        "custody": hexadecimal(manifest.custody),
        "groups": [
            {
                "hash": hexadecimal(group.hash),
                "ciphertext": hexadecimal(group.ciphertext),
                "key": hexadecimal(group.key),
                "recovery": hexadecimal(group.recovery),
                "masked": [hexadecimal(each) for each in group.masked],
                "shares": [hexadecimal(each) for each in group.shares],
            }
            for group in manifest.groups
        ],
        "opening": hexadecimal(manifest.opening),
        "signature": hexadecimal(signature),
    }


_NAMES = (
    "format",
    "chain_id",
    "genesis_hash",
    "document_root",
    "kind",
    "key_epoch",
    "custody",
    "groups",
    "opening",
    "signature",
)


def encode_manifest(manifest: Manifest, signature: bytes) -> bytes:
    """Return the file of a signed manifest: canonical JSON."""
    return encode_json(manifest_json(manifest, signature))


def decode_manifest(data: bytes) -> tuple[Manifest, bytes]:
    """Return a manifest and its signature from their file; InvalidFile when it is none. Who signed is not judged."""
    return manifest_of(read_json(data, MANIFEST_BYTES_MAX, "manifest"))


def manifest_of(node: object) -> tuple[Manifest, bytes]:
    """Return a manifest and its signature from their JSON; InvalidFile when they are none. Who signed is not judged."""
    members = Members(node, "", _NAMES)
    members.require_format(FORMAT)
    binding = Binding(
        members.octets("genesis_hash", HASH_BYTES),
        members.octets("document_root", HASH_BYTES),
        members.number("kind", 1 << 16),
        members.number("key_epoch", KEY_EPOCH_MAX + 1),
    )
    groups = members.several("groups", GROUPS_MAX, _group)
    if not groups or len({len(group.masked) for group in groups} | {len(group.shares) for group in groups}) != 1:
        raise InvalidFile("at /groups: found groups with different numbers of shares; expected one of each custodian")
    manifest = Manifest(
        members.number("chain_id", 1 << 53),
        binding,
        members.octets("custody", HASH_BYTES),
        groups,
        members.octets("opening", OPENING_BYTES + TAG_BYTES),
    )
    return manifest, members.octets("signature", SIGNATURE_BYTES)


def _group(node: object, place: str) -> SealedGroup:
    members = Members(node, place, ("hash", "ciphertext", "key", "recovery", "masked", "shares"))
    return SealedGroup(
        hash=members.octets("hash", HASH_BYTES),
        ciphertext=members.octets("ciphertext", HASH_BYTES),
        key=members.octets("key", HASH_BYTES),
        recovery=members.octets("recovery", HASH_BYTES),
        masked=members.several("masked", SHARES_MAX, hash_of),
        shares=members.several("shares", SHARES_MAX, hash_of),
    )
