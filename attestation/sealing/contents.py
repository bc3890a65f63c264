"""Contents: what is encrypted of a field group, its seed and all its fields, so that who opens it has all of it."""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.canonical import encode_json, parse_json
from cocket.attestation.disclose import FIELDS_MAX, Field, is_field_value
from cocket.attestation.errors import InvalidDocument, InvalidFile
from cocket.attestation.finding import shown
from cocket.attestation.members import Members, hexadecimal
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
    try:
        node = parse_json(unpad(data), SIZE_CLASSES[-1])
    except InvalidDocument as error:
        raise InvalidFile(f"no contents of a group: {error}") from None
    members = Members(node, "", ("fields", "seed"))
    return Contents(members.octets("seed", HASH_BYTES), members.several("fields", FIELDS_MAX, _field))


def _field(node: object, place: str) -> Field:
    if not isinstance(node, list) or len(node) != 2 or not isinstance(node[0], str) or not is_field_value(node[1]):
        raise InvalidFile(f"at {place}: found {shown(node)}; expected [pointer, value of one field]")
    return node[0], node[1]
