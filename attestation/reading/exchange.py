"""Exchanges: what a reader sends to a vault and to custodians, and what they answer, as JSON. (``docs/formats.md``.)

Two calls (``release`` of a vault, ``share`` of a custodian) and one refusal. ``claim`` and ``evidence`` are the Access
contract's argument bytes: here they are only bounded. Strict and bounded both ways, for each side is hostile to the
other. Never decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.batch import DEPTH_MAX
from cocket.attestation.canonical import INTEGER_MAX, encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.finding import shown
from cocket.attestation.members import Members, base64_text, from_base64, hexadecimal, read_json, read_members
from cocket.attestation.reading.erasure import EraseRequest
from cocket.attestation.reading.erasure import request_json as erase_request_json
from cocket.attestation.reading.erasure import request_of as erase_request_of
from cocket.attestation.reading.item import Item, item_json, item_of
from cocket.attestation.reading.receipt import RECEIPT_BYTES, Receipt, decode_receipt, encode_receipt
from cocket.attestation.reading.request import AUTHORITIES_MAX, ReadRequest, groups_of, request_json, request_of
from cocket.attestation.reading.ticket import Ticket, ticket_json, ticket_of
from cocket.attestation.sealing.custody import Custody
from cocket.attestation.sealing.custody_file import CUSTODY_BYTES_MAX, decode_custody, encode_custody
from cocket.attestation.sealing.envelope import ENVELOPE_BYTES_MAX, GROUPS_MAX
from cocket.attestation.sealing.manifest import Manifest, manifest_json, manifest_of
from cocket.attestation.sealing.shamir import SHARES_MAX

RELEASE_CALL = "cocket-release-call-1"
RELEASE = "cocket-release-1"
SHARE_CALL = "cocket-share-call-1"
SHARE = "cocket-share-1"
ERASED = "cocket-erased-1"
REFUSAL = "cocket-refusal-1"

ARGUMENT_BYTES_MAX = 8192
"""A claim or an evidence, as the Access contract's calls bound them."""
CALL_BYTES_MAX = 1 << 18
"""A custody of 64 kB, claim and evidence of 16 kB each in hexadecimal, the paths of 64 records, and the rest."""
ANSWER_BYTES_MAX = 2 * ENVELOPE_BYTES_MAX
_WRAPPED_BYTES_MAX = 4096
_TEXT_MAX = 400


@dataclass(frozen=True, slots=True)
class ReleaseCall:
    """What a reader sends to a vault: its signed request, and what it claims (empty: nothing)."""

    request: ReadRequest
    signature: bytes
    claim: bytes


@dataclass(frozen=True, slots=True)
class Given:
    """One record that a vault gives: its place in the batch, manifest with signature, ciphertexts by group, proof.

    ``ticket`` is for the files that the groups asked for attach; None when there are none.
    """

    index: int
    manifest: Manifest
    manifest_signature: bytes
    ciphertexts: dict[int, bytes]
    item: Item
    ticket: Ticket | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """What a vault gives: one record, or in bulk several of one custody, and what custodians ask for.

    ``following`` is from where the next request in bulk goes on; None when the vault has no more of the batch.
    """

    receipt: Receipt
    custody: Custody
    records: tuple[Given, ...]
    evidence: bytes
    following: int | None = None

    @property
    def indices(self) -> tuple[int, ...]:
        """The places of the records in their batch, in order."""
        return tuple([each.index for each in self.records])

    @property
    def items(self) -> tuple[tuple[int, Item], ...]:
        """The proofs of the records by their places, as custodians ask for them."""
        return tuple([(each.index, each.item) for each in self.records])


@dataclass(frozen=True, slots=True)
class ShareCall:
    """What a reader sends to a custodian: the same request and claim, and what the vault gave it to show.

    ``items`` are the proofs of the records by their places in the batch, in order.
    """

    request: ReadRequest
    signature: bytes
    claim: bytes
    evidence: bytes
    items: tuple[tuple[int, Item], ...]
    custody: Custody


@dataclass(frozen=True, slots=True)
class Share:
    """What a custodian gives: its masks, wrapped to the request's fresh key."""

    receipt: Receipt
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Erased:
    """What a keeper answers when it forgot a record: its receipt, and from a vault whose custodians are to be told."""

    receipt: Receipt
    custodians: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is given. ``code`` is the Access contract's reason, 0 when it was not asked or is not told."""

    text: str
    code: int = 0
    block_number: int = 0
    receipt: Receipt | None = None


def encode_release_call(call: ReleaseCall) -> bytes:
    """Return the body of a call to a vault."""
    return encode_json(
        {
            "format": RELEASE_CALL,
            "request": request_json(call.request, call.signature),
            "claim": hexadecimal(call.claim),
        }
    )


def decode_release_call(data: bytes) -> ReleaseCall:
    """Return a call from its body; InvalidFile when it is none."""
    members = read_members(data, CALL_BYTES_MAX, RELEASE_CALL, ("request", "claim"))
    request, signature = request_of(members.node["request"])
    return ReleaseCall(request, signature, _argument(members, "claim"))


def encode_share_call(call: ShareCall) -> bytes:
    """Return the body of a call to a custodian."""
    return encode_json(
        {
            "format": SHARE_CALL,
            "request": request_json(call.request, call.signature),
            "claim": hexadecimal(call.claim),
            "evidence": hexadecimal(call.evidence),
            "items": [[index, item_json(item)] for index, item in call.items],
            "custody": base64_text(encode_custody(call.custody)),
        }
    )


def decode_share_call(data: bytes) -> ShareCall:
    """Return a call from its body; InvalidFile when it is none."""
    names = ("request", "claim", "evidence", "items", "custody")
    members = read_members(data, CALL_BYTES_MAX, SHARE_CALL, names)
    request, signature = request_of(members.node["request"])
    return ShareCall(
        request,
        signature,
        _argument(members, "claim"),
        _argument(members, "evidence"),
        _items(members, request),
        decode_custody(_bytes_of(members, "custody", CUSTODY_BYTES_MAX)),
    )


def encode_release(release: Release) -> bytes:
    """Return a vault's answer."""
    return encode_json(
        {
            "format": RELEASE,
            "receipt": hexadecimal(encode_receipt(release.receipt)),
            "custody": base64_text(encode_custody(release.custody)),
            "records": [_given_json(each) for each in release.records],
            "evidence": hexadecimal(release.evidence),
            "following": release.following,
        }
    )


def decode_release(data: bytes, request: ReadRequest) -> Release:
    """Return a vault's answer to a request; InvalidFile when it is none, or gives other groups."""
    members = read_members(data, ANSWER_BYTES_MAX, RELEASE, ("receipt", "custody", "records", "evidence", "following"))
    records = members.several("records", request.count, lambda node, place: _given(node, place, request))
    _validate_places(members, "records", [each.index for each in records], request)
    is_last = members.node["following"] is None
    return Release(
        _receipt(members),
        decode_custody(_bytes_of(members, "custody", CUSTODY_BYTES_MAX)),
        records,
        _argument(members, "evidence"),
        None if is_last else members.number("following", 1 << DEPTH_MAX),
    )


def encode_share(share: Share) -> bytes:
    """Return a custodian's answer."""
    return encode_json(
        {
            "format": SHARE,
            "receipt": hexadecimal(encode_receipt(share.receipt)),
            "wrapped": hexadecimal(share.wrapped),
        }
    )


def decode_share(data: bytes) -> Share:
    """Return a custodian's answer; InvalidFile when it is none."""
    members = read_members(data, CALL_BYTES_MAX, SHARE, ("receipt", "wrapped"))
    return Share(_receipt(members), members.some_octets("wrapped", _WRAPPED_BYTES_MAX))


def encode_erase_call(request: EraseRequest, signature: bytes) -> bytes:
    """Return the body of an erase call."""
    return encode_json(erase_request_json(request, signature))


def decode_erase_call(data: bytes) -> tuple[EraseRequest, bytes]:
    """Return an erase request and its signature from the body of a call; InvalidFile when it is none."""
    return erase_request_of(read_json(data, CALL_BYTES_MAX, "erase call"))


def encode_erased(erased: Erased) -> bytes:
    """Return a keeper's answer to an erase call."""
    return encode_json(
        {
            "format": ERASED,
            "receipt": hexadecimal(encode_receipt(erased.receipt)),
            "custodians": list(erased.custodians),
        }
    )


def decode_erased(data: bytes) -> Erased:
    """Return a keeper's answer to an erase call; InvalidFile when it is none."""
    members = read_members(data, CALL_BYTES_MAX, ERASED, ("receipt", "custodians"))
    return Erased(_receipt(members), members.several("custodians", SHARES_MAX, _authority))


def encode_refusal(refusal: Refusal) -> bytes:
    """Return a refusal's body."""
    receipt = refusal.receipt
    return encode_json(
        {
            "format": REFUSAL,
            "reason": refusal.text,
            "code": refusal.code,
            "block": refusal.block_number,
            "receipt": None if receipt is None else hexadecimal(encode_receipt(receipt)),
        }
    )


def decode_refusal(data: bytes) -> Refusal:
    """Return a refusal from its body; InvalidFile when it is none."""
    members = read_members(data, CALL_BYTES_MAX, REFUSAL, ("reason", "code", "block", "receipt"))
    is_receipted = members.node["receipt"] is not None
    return Refusal(
        members.text("reason", _TEXT_MAX),
        members.number("code", 256),
        members.number("block", INTEGER_MAX + 1),
        _receipt(members) if is_receipted else None,
    )


def _receipt(members: Members) -> Receipt:
    return decode_receipt(members.octets("receipt", RECEIPT_BYTES))


def _argument(members: Members, name: str) -> bytes:
    return members.some_octets(name, ARGUMENT_BYTES_MAX)


def _bytes_of(members: Members, name: str, bytes_max: int) -> bytes:
    return from_base64(members.node[name], bytes_max, f"{members.place}/{name}")


def _authority(node: object, place: str) -> int:
    if type(node) is not int or not 1 <= node <= AUTHORITIES_MAX:
        raise InvalidFile(f"at {place}: found {shown(node)}; expected an authority's number")
    return node


def _given_json(given: Given) -> dict[str, object]:
    return {
        "index": given.index,
        "manifest": manifest_json(given.manifest, given.manifest_signature),
        "ciphertexts": [[group, base64_text(data)] for group, data in sorted(given.ciphertexts.items())],
        "item": item_json(given.item),
        "ticket": ticket_json(given.ticket),
    }


def _given(node: object, place: str, request: ReadRequest) -> Given:
    members = Members(node, place, ("index", "manifest", "ciphertexts", "item", "ticket"))
    manifest, signature = manifest_of(members.node["manifest"])
    ciphertexts = members.several("ciphertexts", GROUPS_MAX, _ciphertext)
    if tuple(group for group, _ in ciphertexts) != groups_of(request.groups):
        found = [group for group, _ in ciphertexts]
        raise InvalidFile(f"ciphertexts of groups {found}; expected {list(groups_of(request.groups))}, as asked for")
    index = members.number("index", 1 << DEPTH_MAX)
    ticket = ticket_of(members.node["ticket"], f"{place}/ticket")
    return Given(index, manifest, signature, dict(ciphertexts), item_of(members.node["item"]), ticket)


def _items(members: Members, request: ReadRequest) -> tuple[tuple[int, Item], ...]:
    items = members.several("items", request.count, _item)
    _validate_places(members, "items", [index for index, _ in items], request)
    return items


def _item(node: object, place: str) -> tuple[int, Item]:
    if not isinstance(node, list) or len(node) != 2 or type(node[0]) is not int or not 0 <= node[0] < 1 << DEPTH_MAX:
        raise InvalidFile(f"at {place}: found {shown(node)}; expected a record's place and its proof")
    return node[0], item_of(node[1])


def _validate_places(members: Members, name: str, indices: list[int], request: ReadRequest) -> None:
    """Refuse records that were not asked for: another than the one, or in bulk before the first or twice."""
    if request.count == 1 and indices != [request.index]:
        raise InvalidFile(f"at /{name}: found places {indices}; expected {request.index}, the record asked for")
    if not indices or indices != sorted(set(indices)) or indices[0] < request.index:
        raise InvalidFile(f"at /{name}: found places {indices}; expected some from {request.index} on, each once")


def _ciphertext(node: object, place: str) -> tuple[int, bytes]:
    if not isinstance(node, list) or len(node) != 2 or type(node[0]) is not int or not 0 <= node[0] < GROUPS_MAX:
        raise InvalidFile(f"at {place}: found {shown(node)}; expected a group's number and its ciphertext")
    return node[0], from_base64(node[1], ENVELOPE_BYTES_MAX, f"{place}/1")
