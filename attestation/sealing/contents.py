"""Contents: what is encrypted of a field group, its seed and all its fields, so that who opens it has all of it."""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.canonical import encode_json
from cocket.attestation.disclose import FIELDS_MAX, Field
from cocket.attestation.files import field_of
from cocket.attestation.members import Members, hexadecimal, read_json
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.sealing.padding import SIZE_CLASSES, pad, unpad


@dataclass(frozen=True, slots=True)
class Contents:
    """A group's seed and its fields in order of pointer."""

    seed: bytes
    fields: tuple[Field, ...]


def encode_contents(contents: Contents, least: int) -> bytes:
    """Return contents as they are encrypted: canonical JSON, padded to a size class, at least ``least`` bytes."""
    fields = [[pointer, value] for pointer, value in contents.fields]
    return pad(encode_json({"fields": fields, "seed": hexadecimal(contents.seed)}), least)


def decode_contents(data: bytes) -> Contents:
    """Return the contents in what was decrypted; InvalidFile when there are none."""
    members = Members(read_json(unpad(data), SIZE_CLASSES[-1], "contents of a group"), "", ("fields", "seed"))
    return Contents(members.octets("seed", HASH_BYTES), members.several("fields", FIELDS_MAX, field_of))
