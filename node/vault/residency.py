"""Residency files: the countries into which a batch may be released; its controller opens them to its vault."""

from pathlib import Path

from cocket.attestation.canonical import encode_json
from cocket.attestation.disclose import SALT_BYTES
from cocket.attestation.errors import InvalidFile
from cocket.attestation.finding import shown
from cocket.attestation.members import Members, hexadecimal, read_json
from cocket.attestation.merkle import HASH_BYTES
from cocket.contracts.access import COUNTRIES_MAX, Residency
from cocket.node.errors import Damaged, NodeFault

FORMAT = "cocket-residency-1"
_BYTES_MAX = 4096


def encode_residency(batch: bytes, residency: Residency) -> bytes:
    """Return the file of a batch's countries."""
    return encode_json(
        {
            "format": FORMAT,
            "batch": hexadecimal(batch),
            "salt": hexadecimal(residency.salt),
            "countries": list(residency.countries),
        }
    )


def decode_residency(data: bytes) -> tuple[bytes, Residency]:
    """Return the batch and its countries from their file; InvalidFile when it is none."""
    members = Members(read_json(data, _BYTES_MAX, "residency"), "", ("format", "batch", "salt", "countries"))
    members.require_format(FORMAT)
    countries = members.several("countries", COUNTRIES_MAX, _country)
    if not countries:
        raise members.refusal("countries", "at least one")
    return members.octets("batch", HASH_BYTES), Residency(members.octets("salt", SALT_BYTES), countries)


def load_residency(path: Path, batch: bytes) -> Residency | None:
    """Return the countries of a batch from its file, None when there is none; Damaged when it is another's."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NodeFault(f"{path}: {error.strerror}: make it readable for this user") from error
    try:
        found, residency = decode_residency(data)
    except InvalidFile as error:
        raise Damaged(f"{path}: {error}") from None
    if found != batch:
        raise Damaged(f"{path}: it is of batch 0x{found.hex()}")
    return residency


def _country(node: object, place: str) -> str:
    if not isinstance(node, str) or len(node) != 2 or not (node.isascii() and node.isalpha() and node.isupper()):
        raise InvalidFile(f"at {place}: found {shown(node)}; expected two capital letters")
    return node
