"""Tickets: what lets a reader fetch the sealed segments of files that a record it was given attaches.

A release gives the ciphertexts of field groups at once. Those of attached files are larger, and are fetched a segment
at a time by a ticket that came with the release: the vault's MAC over the record, the list of its files, and until
when. So the contract decided about them, and the receipt of the release is theirs too. Their keys spring from the key
of the group that names them.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from cocket.attestation.attachments import ATTACHMENTS_MAX
from cocket.attestation.batch import DEPTH_MAX
from cocket.attestation.canonical import INTEGER_MAX, encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.members import Members, base64_text, from_base64, hexadecimal, read_members
from cocket.attestation.merkle import HASH_BYTES, RELEASE_TICKET
from cocket.attestation.sealing.attachment import SEALED_SEGMENT_BYTES, SEGMENTS_MAX

SEGMENT_CALL = "cocket-segment-call-1"
SEGMENT = "cocket-segment-1"
MAC_BYTES = 32
TICKET_S = 3600
"""So long after its release a ticket counts: 4 GiB at 10 Mbit/s."""
_CALL_BYTES_MAX = 4096
_ANSWER_BYTES_MAX = 2 * SEALED_SEGMENT_BYTES


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a vault says of a record's files: how many segments each has, and the MAC that gives them until a time.

    ``listed`` is the address of the list of the files, as they are sealed now.
    """

    segments: tuple[int, ...]
    listed: bytes
    expires: int
    mac: bytes

    def __repr__(self) -> str:
        return f"Ticket({len(self.segments)} files, expires={self.expires})"


@dataclass(frozen=True, slots=True)
class SegmentCall:
    """What is asked of a vault by a ticket: a segment of the file at a place of a record's."""

    batch: bytes
    index: int
    listed: bytes
    expires: int
    mac: bytes
    file: int
    segment: int

    def __repr__(self) -> str:
        return f"SegmentCall(batch=0x{self.batch.hex()}, index={self.index}, file={self.file}, segment={self.segment})"


def ticket_mac(key: bytes, batch: bytes, index: int, listed: bytes, expires: int) -> bytes:
    """Return the MAC of a ticket under a vault's key."""
    return hmac.digest(key, RELEASE_TICKET + batch + index.to_bytes(4) + listed + expires.to_bytes(8), "sha256")


def ticket_json(ticket: Ticket | None) -> dict[str, object] | None:
    """Return a ticket as it goes with a record; None when the record has no files to give."""
    if ticket is None:
        return None
    return {
        "segments": list(ticket.segments),
        "listed": hexadecimal(ticket.listed),
        "expires": ticket.expires,
        "mac": hexadecimal(ticket.mac),
    }


def ticket_of(node: object, place: str) -> Ticket | None:
    """Return a ticket from its JSON; InvalidFile when it is none."""
    if node is None:
        return None
    members = Members(node, place, ("segments", "listed", "expires", "mac"))
    segments = members.several("segments", ATTACHMENTS_MAX, _count)
    if not segments:
        raise members.refusal("segments", "one number for each file, at least one")
    return Ticket(
        segments,
        members.octets("listed", HASH_BYTES),
        members.number("expires", INTEGER_MAX + 1),
        members.octets("mac", MAC_BYTES),
    )


def encode_segment_call(call: SegmentCall) -> bytes:
    """Return the body of a call."""
    return encode_json(
        {
            "format": SEGMENT_CALL,
            "batch": hexadecimal(call.batch),
            "index": call.index,
            "listed": hexadecimal(call.listed),
            "expires": call.expires,
            "mac": hexadecimal(call.mac),
            "file": call.file,
            "segment": call.segment,
        }
    )


_CALL = ("batch", "index", "listed", "expires", "mac", "file", "segment")


def decode_segment_call(data: bytes) -> SegmentCall:
    """Return the call in its body; InvalidFile when it is none."""
    members = read_members(data, _CALL_BYTES_MAX, SEGMENT_CALL, _CALL)
    return SegmentCall(
        batch=members.octets("batch", HASH_BYTES),
        index=members.number("index", 1 << DEPTH_MAX),
        listed=members.octets("listed", HASH_BYTES),
        expires=members.number("expires", INTEGER_MAX + 1),
        mac=members.octets("mac", MAC_BYTES),
        file=members.number("file", ATTACHMENTS_MAX),
        segment=members.number("segment", SEGMENTS_MAX),
    )


def encode_segment(segment: bytes) -> bytes:
    """Return a vault's answer."""
    return encode_json({"format": SEGMENT, "segment": base64_text(segment)})


def decode_segment(data: bytes) -> bytes:
    """Return the sealed segment in a vault's answer; InvalidFile when it is none."""
    members = read_members(data, _ANSWER_BYTES_MAX, SEGMENT, ("segment",))
    found = from_base64(members.node["segment"], SEALED_SEGMENT_BYTES, "/segment")
    if len(found) != SEALED_SEGMENT_BYTES:
        raise InvalidFile(f"at /segment: found {len(found)} bytes; expected base64 of {SEALED_SEGMENT_BYTES}")
    return found


def _count(node: object, place: str) -> int:
    if type(node) is not int or not 1 <= node <= SEGMENTS_MAX:
        raise InvalidFile(f"at {place}: found {node!r:.40}; expected a number of segments, 1 to {SEGMENTS_MAX}")
    return node
