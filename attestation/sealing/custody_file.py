"""Custody files: the one place that knows how a custody is written, and the hash by which manifests name it."""

from __future__ import annotations

from functools import lru_cache

from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.finding import shown
from cocket.attestation.members import Members, hexadecimal, read_json
from cocket.attestation.merkle import CUSTODY, HASH_BYTES, keccak256
from cocket.attestation.sealing.custody import (
    ACCESS_BYTES,
    RECOVERY,
    SEED_BYTES,
    VAULT,
    Custody,
    Seat,
    validate_threshold,
)
from cocket.attestation.sealing.hpke import Suite, wrap_bytes
from cocket.attestation.sealing.shamir import SHARES_MAX

CUSTODY_FORMAT = "cocket-custody-1"
CUSTODY_BYTES_MAX = 1 << 16
"""Sixteen custodians and two more, with a wrap of 2,400 characters each."""
KEYS_EPOCH_MAX = (1 << 32) - 1

_NAMES = ("format", "genesis_hash", "access", "batch", "threshold", "custodians", "recovery", "vault")


def encode_custody(custody: Custody) -> bytes:
    """Return a custody as canonical JSON. It holds no secret: seeds are wrapped to who holds them."""
    return encode_json(
        {
            "format": CUSTODY_FORMAT,
            "genesis_hash": hexadecimal(custody.genesis_hash),
            "access": hexadecimal(custody.access),
            "batch": hexadecimal(custody.batch),
            "threshold": custody.threshold,
            "custodians": [
                {"authority": seat.authority, "keys_epoch": seat.keys_epoch, **_wrap_json(seat)}
                for seat in custody.custodians
            ],
            "recovery": _wrap_json(custody.recovery),
            "vault": _wrap_json(custody.vault),
        }
    )


@lru_cache(maxsize=16)
def custody_hash(custody: Custody) -> bytes:
    """Return the 32 bytes by which a manifest names its custody."""
    return keccak256(CUSTODY + encode_custody(custody))


def decode_custody(data: bytes) -> Custody:
    """Return the custody in a file; InvalidFile when there is none, or one that could not be kept."""
    members = Members(read_json(data, CUSTODY_BYTES_MAX, "custody"), "", _NAMES)
    members.require_format(CUSTODY_FORMAT)
    threshold = members.number("threshold", SHARES_MAX + 1)
    custodians = members.several("custodians", SHARES_MAX, _custodian)
    try:
        validate_threshold(threshold, len(custodians))
    except AttestationError as error:
        raise InvalidFile(f"at /threshold: {error}") from None
    if len({seat.authority for seat in custodians}) != len(custodians):
        raise InvalidFile("at /custodians: an authority is named twice; expected each once")
    return Custody(
        members.octets("genesis_hash", HASH_BYTES),
        members.octets("access", ACCESS_BYTES),
        members.octets("batch", HASH_BYTES),
        threshold,
        custodians,
        _seat(RECOVERY, 0, Members(members.node["recovery"], "/recovery", ("suite", "wrapped"))),
        _seat(VAULT, 0, Members(members.node["vault"], "/vault", ("suite", "wrapped"))),
    )


def _wrap_json(seat: Seat) -> dict[str, object]:
    return {"suite": seat.suite.value, "wrapped": hexadecimal(seat.wrapped)}


def _custodian(node: object, place: str) -> Seat:
    members = Members(node, place, ("authority", "keys_epoch", "suite", "wrapped"))
    return _seat(members.number("authority", VAULT), members.number("keys_epoch", KEYS_EPOCH_MAX + 1), members)


def _seat(authority: int, keys_epoch: int, members: Members) -> Seat:
    number = members.number("suite", 1 << 16)
    if number not in list(Suite):
        known = ", ".join(f"{each:d} ({each.name})" for each in Suite)
        raise InvalidFile(f"at {members.place}/suite: found {shown(number)}; expected one of {known}")
    suite = Suite(number)
    return Seat(authority, keys_epoch, suite, members.octets("wrapped", wrap_bytes(suite, SEED_BYTES)))
