"""Entries: the small file that says which objects belong to a record, after its SHA-256; bytes in and out, no disk."""

from dataclasses import dataclass
from hashlib import sha256

from cocket.attestation.batch import DEPTH_MAX
from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.members import Members, hexadecimal, read_json
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.sealing.binding import KEY_EPOCH_MAX
from cocket.node.errors import Damaged

FORMAT = "cocket-holding-2"
VERSIONS_MAX = 64
"""A record is sealed anew or re-wrapped now and then; each time adds one until the older are forgotten."""
_ENTRY_BYTES_MAX = 1 << 16
NONE = bytes(HASH_BYTES)
_CHECK_BYTES = 32


@dataclass(frozen=True, slots=True)
class Version:
    """A record as sealed under one key epoch and one custody: the addresses (SHA-256) of its three objects.

    ``attachments`` is that of the list of its attached files' segments, zeros when it has none.
    """

    key_epoch: int
    manifest: bytes
    custody: bytes
    envelope: bytes
    attachments: bytes = NONE


def encode_entry(batch: bytes, index: int, versions: tuple[Version, ...]) -> bytes:
    """Return the entry of a record with its versions, the newest first: canonical JSON, after its SHA-256."""
    body = encode_json(
        {
            "format": FORMAT,
            "batch": hexadecimal(batch),
            "index": index,
            "versions": [
                {
                    "key_epoch": each.key_epoch,
                    "manifest": hexadecimal(each.manifest),
                    "custody": hexadecimal(each.custody),
                    "envelope": hexadecimal(each.envelope),
                    "attachments": hexadecimal(each.attachments),
                }
                for each in versions
            ],
        }
    )
    return sha256(body).digest() + body


def decode_entry(data: bytes, name: str, batch: bytes, index: int) -> tuple[Version, ...]:
    """Return the versions in the entry of a record; Damaged, with the entry's name, when it is not that."""
    check, body = data[:_CHECK_BYTES], data[_CHECK_BYTES:]
    try:
        if sha256(body).digest() != check:
            raise InvalidFile("its checksum is another")
        members = Members(read_json(body, _ENTRY_BYTES_MAX, "entry"), "", ("format", "batch", "index", "versions"))
        members.require_format(FORMAT)
        if (members.octets("batch", HASH_BYTES), members.number("index", 1 << DEPTH_MAX)) != (batch, index):
            raise InvalidFile("it is another record's")
        versions = members.several("versions", VERSIONS_MAX, _version)
        if not versions:
            raise members.refusal("versions", "at least one")
    except InvalidFile as error:
        raise Damaged(f"entry {name}: {error}; put it back from a copy") from None
    return versions


def _version(node: object, place: str) -> Version:
    members = Members(node, place, ("key_epoch", "manifest", "custody", "envelope", "attachments"))
    return Version(
        members.number("key_epoch", KEY_EPOCH_MAX + 1),
        members.octets("manifest", HASH_BYTES),
        members.octets("custody", HASH_BYTES),
        members.octets("envelope", HASH_BYTES),
        members.octets("attachments", HASH_BYTES),
    )
