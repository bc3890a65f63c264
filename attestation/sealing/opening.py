"""Openings: what the controller's vault must know of a record to ask for reads of it, and nobody else.

The dialect, the importing country with its salt, and the place in its batch. It never enters a transaction: a
contract that decides about the importing country's right recomputes the batch root from it in a local call.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.canonical import encode_json
from cocket.attestation.files import anchor_json, anchor_of, dialect_of, open_country_of
from cocket.attestation.members import Members, hexadecimal, read_json
from cocket.attestation.prove import Anchor, OpenCountry
from cocket.attestation.sealing.padding import pad, unpad

OPENING_BYTES = 4096
"""All openings are as long: a path of twenty hashes is 1,400 characters."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The dialect, the importing country with its salt, and where the record is anchored."""

    dialect: str
    country: OpenCountry
    anchor: Anchor


def encode_opening(opening: Opening) -> bytes:
    """Return an opening as it is encrypted: canonical JSON, padded."""
    members = {
        "dialect": opening.dialect,
        "salt": hexadecimal(opening.country.salt),
        "country": opening.country.country,
        "anchor": anchor_json(opening.anchor),
    }
    return pad(encode_json(members), OPENING_BYTES)


def decode_opening(data: bytes) -> Opening:
    """Return the opening in what was decrypted; InvalidFile when there is none."""
    node = read_json(unpad(data), OPENING_BYTES, "opening")
    members = Members(node, "", ("dialect", "salt", "country", "anchor"))
    return Opening(dialect_of(members), open_country_of(members), anchor_of(members.node["anchor"]))
