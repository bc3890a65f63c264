"""Listings: how the subject of a record, who may have no key on any ledger, asks a vault who read it.

With its copy it gets a capability: where the vault is, and a secret that the vault recomputes from a key of its own.
Who holds it may list reads of that record and nothing else. What is told names authorities and participants, never an
officer, and comes later where a vote delays it. Never asks a ledger or a clock.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from cocket.attestation.batch import DEPTH_MAX
from cocket.attestation.canonical import INTEGER_MAX, encode_json
from cocket.attestation.members import Members, hexadecimal, read_members
from cocket.attestation.merkle import FROM_LISTING_KEY, HASH_BYTES
from cocket.attestation.reading.request import PURPOSES_MAX, RECORDS_MAX, is_party, party_in
from cocket.attestation.sealing.envelope import GROUPS_MAX

CAPABILITY = "cocket-listing-capability-1"
CALL = "cocket-listing-call-1"
LISTING = "cocket-listing-1"

KEY_BYTES = SECRET_BYTES = 32
CAPABILITY_BYTES_MAX = 4096
CALL_BYTES_MAX = 4096
ROWS_MAX = 1024
ALWAYS_S = INTEGER_MAX
_URL_CHARACTERS_MAX = 128
_KINDS_MAX = 1 << 16


@dataclass(frozen=True, slots=True)
class Capability:
    """What lets its holder list the reads of one record.

    ``vault`` is the party whose vault it is; ``url`` and ``certificate`` (SHA-256) where it was when this was made.
    """

    chain_id: int
    genesis_hash: bytes
    vault: int
    url: str
    certificate: bytes
    batch: bytes
    index: int
    secret: bytes

    def __repr__(self) -> str:
        return f"Capability(batch=0x{self.batch.hex()}, index={self.index})"


@dataclass(frozen=True, slots=True)
class ListingCall:
    """What is asked of a vault: reads of a record before a time (Unix seconds)."""

    chain_id: int
    genesis_hash: bytes
    batch: bytes
    index: int
    secret: bytes
    before_s: int = ALWAYS_S

    def __repr__(self) -> str:
        return f"ListingCall(batch=0x{self.batch.hex()}, index={self.index}, before_s={self.before_s})"


@dataclass(frozen=True, slots=True)
class Row:
    """One read, or one refusal: when, whose, for what, which groups (a mask), and what the contract said.

    ``country`` is the party's authority's, empty when nobody's; ``records`` more than 1 when it was read in bulk.
    """

    time_s: int
    party: int
    country: str
    purpose: int
    groups: int
    decision: int
    records: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What a vault tells, the newest first, as of a block: of a document of which kind, and whether that is all."""

    kind: int
    block_number: int
    time_s: int
    rows: tuple[Row, ...]
    is_complete: bool


def listing_secret(key: bytes, genesis_hash: bytes, batch: bytes, index: int) -> bytes:
    """Return the secret of a record's capability, by the vault's listing key (32 bytes)."""
    return hmac.digest(key, FROM_LISTING_KEY + genesis_hash + batch + index.to_bytes(4), "sha256")


def encode_capability(capability: Capability) -> bytes:
    """Return the file of a capability."""
    return encode_json(
        {
            "format": CAPABILITY,
            "chain_id": capability.chain_id,
            "genesis_hash": hexadecimal(capability.genesis_hash),
            "vault": capability.vault,
            "url": capability.url,
            "certificate": hexadecimal(capability.certificate),
            "batch": hexadecimal(capability.batch),
            "index": capability.index,
            "secret": hexadecimal(capability.secret),
        }
    )


_CAPABILITY = ("chain_id", "genesis_hash", "vault", "url", "certificate", "batch", "index", "secret")


def decode_capability(data: bytes) -> Capability:
    """Return the capability in a file; InvalidFile when it is none."""
    members = read_members(data, CAPABILITY_BYTES_MAX, CAPABILITY, _CAPABILITY)
    vault = party_in(members, "vault")
    url = members.text("url", _URL_CHARACTERS_MAX)
    if not url.startswith("https://") or not url.isascii() or not url.isprintable():
        raise members.refusal("url", "https://host:port")
    return Capability(
        chain_id=members.number("chain_id", INTEGER_MAX + 1),
        genesis_hash=members.octets("genesis_hash", HASH_BYTES),
        vault=vault,
        url=url,
        certificate=members.octets("certificate", HASH_BYTES),
        batch=members.octets("batch", HASH_BYTES),
        index=members.number("index", 1 << DEPTH_MAX),
        secret=members.octets("secret", SECRET_BYTES),
    )


def encode_call(call: ListingCall) -> bytes:
    """Return the body of a call."""
    return encode_json(
        {
            "format": CALL,
            "chain_id": call.chain_id,
            "genesis_hash": hexadecimal(call.genesis_hash),
            "batch": hexadecimal(call.batch),
            "index": call.index,
            "secret": hexadecimal(call.secret),
            "before": call.before_s,
        }
    )


_CALL = ("chain_id", "genesis_hash", "batch", "index", "secret", "before")


def decode_call(data: bytes) -> ListingCall:
    """Return the call in its body; InvalidFile when it is none."""
    members = read_members(data, CALL_BYTES_MAX, CALL, _CALL)
    return ListingCall(
        chain_id=members.number("chain_id", INTEGER_MAX + 1),
        genesis_hash=members.octets("genesis_hash", HASH_BYTES),
        batch=members.octets("batch", HASH_BYTES),
        index=members.number("index", 1 << DEPTH_MAX),
        secret=members.octets("secret", SECRET_BYTES),
        before_s=members.number("before", INTEGER_MAX + 1),
    )


def encode_listing(listing: Listing) -> bytes:
    """Return a vault's answer."""
    return encode_json(
        {
            "format": LISTING,
            "kind": listing.kind,
            "block": listing.block_number,
            "time": listing.time_s,
            "reads": [_row_json(row) for row in listing.rows],
            "is_complete": listing.is_complete,
        }
    )


def decode_listing(data: bytes, bytes_max: int) -> Listing:
    """Return a vault's answer; InvalidFile when it is none."""
    members = read_members(data, bytes_max, LISTING, ("kind", "block", "time", "reads", "is_complete"))
    is_complete = members.node["is_complete"]
    if not isinstance(is_complete, bool):
        raise members.refusal("is_complete", "true or false")
    rows = members.several("reads", ROWS_MAX, _row)
    if list(rows) != sorted(rows, key=lambda row: -row.time_s):
        raise members.refusal("reads", "the newest first")
    return Listing(
        kind=members.number("kind", _KINDS_MAX),
        block_number=members.number("block", INTEGER_MAX + 1),
        time_s=members.number("time", INTEGER_MAX + 1),
        rows=rows,
        is_complete=is_complete,
    )


def _row_json(row: Row) -> dict[str, object]:
    return {
        "time": row.time_s,
        "party": row.party,
        "country": row.country,
        "purpose": row.purpose,
        "groups": row.groups,
        "decision": row.decision,
        "records": row.records,
    }


def _row(node: object, place: str) -> Row:
    members = Members(node, place, ("time", "party", "country", "purpose", "groups", "decision", "records"))
    party = members.number("party", INTEGER_MAX)
    if party and not is_party(party):
        raise members.refusal("party", "a party's number, or 0")
    return Row(
        time_s=members.number("time", INTEGER_MAX + 1),
        party=party,
        country=members.country("country") if members.node["country"] != "" else "",
        purpose=members.number("purpose", PURPOSES_MAX),
        groups=members.number("groups", 1 << GROUPS_MAX),
        decision=members.number("decision", 1 << 8),
        records=members.number("records", RECORDS_MAX + 1),
    )
