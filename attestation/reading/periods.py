"""Calls for periods: how an auditor gets a vault's receipts, as far as an engagement with its controller lasts.

Signed typed data of a name of its own, so that it is neither a read request nor an erasure. The claim is the
engagement's; whether it is in force is the Access contract's to say. What is given is a whole closed period with the
lists of its bulk reads: an anchored root can only be made again from all of it. Never asks a ledger or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.canonical import INTEGER_MAX, encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.members import Members, hexadecimal, read_members
from cocket.attestation.merkle import HASH_BYTES, keccak256
from cocket.attestation.reading.page import Page, decode_page, encode_page
from cocket.attestation.reading.receipts import DEPTH_MAX, Period
from cocket.attestation.reading.receipts_file import decode_period, encode_period
from cocket.attestation.reading.request import PURPOSES_MAX, party_in
from cocket.attestation.signature import ADDRESS_BYTES, SIGNATURE_BYTES, recover
from cocket.attestation.typed_data import typed_data_hash, word

REQUEST = "cocket-periods-request-1"
CALL = "cocket-periods-call-1"
ANSWER = "cocket-period-1"
DOMAIN = "Cocket periods request"
CALL_BYTES_MAX = 1 << 16
PERIOD_TEXT_MAX = 64 << 20
"""Some 110,000 receipts; a longer period is exported by its vault's operator."""
_ARGUMENT_BYTES_MAX = 8192
_PAGE_TEXT_MAX = 4096

_REQUEST_TYPE = (
    b"PeriodsRequest(bytes32 batch,uint64 vault,uint8 purpose,uint64 sequence,bytes32 blockHash,uint64 blockNumber,"
    b"uint64 expires,bytes32 nonce)"
)


@dataclass(frozen=True, slots=True)
class PeriodsRequest:
    """Which period of whose vault is asked for, by an engagement that reaches a batch, for one of its purposes.

    Block, expiry and nonce are as in a read request.
    """

    chain_id: int
    genesis_hash: bytes
    access: bytes
    batch: bytes
    vault: int
    purpose: int
    sequence: int
    block_hash: bytes
    block_number: int
    expires: int
    nonce: bytes


@dataclass(frozen=True, slots=True)
class PeriodsCall:
    """What is sent: the request, its signature, and the bytes of the claim that shows the engagement."""

    request: PeriodsRequest
    signature: bytes
    claim: bytes


@dataclass(frozen=True, slots=True)
class PeriodGiven:
    """What is answered: the period (None: not closed yet), the lists of its bulk reads, and how many are closed."""

    period: Period | None
    pages: tuple[Page, ...]
    closed: int


def signing_hash(request: PeriodsRequest) -> bytes:
    """Return the hash of 32 bytes that is signed (EIP-712)."""
    message = (
        keccak256(_REQUEST_TYPE)
        + request.batch
        + word(request.vault)
        + word(request.purpose)
        + word(request.sequence)
        + request.block_hash
        + word(request.block_number)
        + word(request.expires)
        + request.nonce
    )
    return typed_data_hash(DOMAIN, request.chain_id, request.access, request.genesis_hash, message)


def signer_of(request: PeriodsRequest, signature: bytes) -> bytes:
    """Return the address that signed a request; InvalidFile when the signature is none."""
    return recover(signing_hash(request), signature)


def encode_periods_call(call: PeriodsCall) -> bytes:
    """Return the body of a call."""
    request = call.request
    return encode_json(
        {
            "format": CALL,
            "request": {
                "format": REQUEST,
                "chain_id": request.chain_id,
                "genesis_hash": hexadecimal(request.genesis_hash),
                "access": hexadecimal(request.access),
                "batch": hexadecimal(request.batch),
                "vault": request.vault,
                "purpose": request.purpose,
                "sequence": request.sequence,
                "block_hash": hexadecimal(request.block_hash),
                "block_number": request.block_number,
                "expires": request.expires,
                "nonce": hexadecimal(request.nonce),
                "signature": hexadecimal(call.signature),
            },
            "claim": hexadecimal(call.claim),
        }
    )


_REQUEST = (
    *("format", "chain_id", "genesis_hash", "access", "batch", "vault", "purpose", "sequence"),
    *("block_hash", "block_number", "expires", "nonce", "signature"),
)


def decode_periods_call(data: bytes) -> PeriodsCall:
    """Return the call in its body; InvalidFile when it is none. Who signed is not judged."""
    outer = read_members(data, CALL_BYTES_MAX, CALL, ("request", "claim"))
    members = Members(outer.node["request"], "/request", _REQUEST)
    members.require_format(REQUEST)
    vault = party_in(members, "vault")
    claim = outer.some_octets("claim", _ARGUMENT_BYTES_MAX)
    request = PeriodsRequest(
        chain_id=members.number("chain_id", INTEGER_MAX + 1),
        genesis_hash=members.octets("genesis_hash", HASH_BYTES),
        access=members.octets("access", ADDRESS_BYTES),
        batch=members.octets("batch", HASH_BYTES),
        vault=vault,
        purpose=members.number("purpose", PURPOSES_MAX),
        sequence=members.number("sequence", INTEGER_MAX + 1),
        block_hash=members.octets("block_hash", HASH_BYTES),
        block_number=members.number("block_number", INTEGER_MAX + 1),
        expires=members.number("expires", INTEGER_MAX + 1),
        nonce=members.octets("nonce", HASH_BYTES),
    )
    return PeriodsCall(request, members.octets("signature", SIGNATURE_BYTES), claim)


def encode_period_given(given: PeriodGiven) -> bytes:
    """Return a vault's answer."""
    return encode_json(
        {
            "format": ANSWER,
            "period": None if given.period is None else b"".join(encode_period(given.period)).decode(),
            "pages": [encode_page(page).decode() for page in given.pages],
            "closed": given.closed,
        }
    )


def decode_period_given(data: bytes, bytes_max: int) -> PeriodGiven:
    """Return a vault's answer; InvalidFile when it is none. ``verify_history`` judges what it says."""
    members = read_members(data, bytes_max, ANSWER, ("period", "pages", "closed"))
    is_open = members.node["period"] is None
    period = None if is_open else decode_period(members.text("period", PERIOD_TEXT_MAX).encode())
    pages = members.several("pages", 1 << DEPTH_MAX, _page)
    return PeriodGiven(period, pages, members.number("closed", INTEGER_MAX + 1))


def _page(node: object, place: str) -> Page:
    if not isinstance(node, str) or len(node) > _PAGE_TEXT_MAX:
        raise InvalidFile(f"at {place}: found no page's text")
    return decode_page(node.encode())
