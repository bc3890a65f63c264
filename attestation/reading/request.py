"""Read requests: the one place that knows what a reader signs, and how that is written.

A request names the record, the field groups, the purpose and whose vault it is for, says the last final block that the
reader saw, and brings a fresh key that the answers are wrapped to. Signed as EIP-712 typed data for one chain and one
Access contract. That signature is the reader's half of every receipt; nothing is signed after the delivery. Never asks
a ledger or a clock: whether the request is to be granted is the keeper's to find out.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.batch import DEPTH_MAX
from cocket.attestation.canonical import INTEGER_MAX
from cocket.attestation.errors import InvalidFile
from cocket.attestation.members import Members, hexadecimal, octets
from cocket.attestation.merkle import HASH_BYTES, keccak256
from cocket.attestation.sealing.envelope import GROUPS_MAX
from cocket.attestation.sealing.hpke import PUBLIC_KEY_BYTES, PublicKey, Suite, decode_public_key
from cocket.attestation.signature import ADDRESS_BYTES, SIGNATURE_BYTES, recover
from cocket.attestation.typed_data import typed_data_hash, word

FORMAT = "cocket-read-request-1"
DOMAIN = "Cocket read request"
EXPIRY_S_MAX = 300
"""How far ahead a request may expire: so long its keepers remember its nonce."""
PURPOSES_MAX = 32
"""Purposes are numbers below this: the ledger keeps those of a right as bits of one word."""
RECORDS_MAX = 64
"""Records that one request can ask for in bulk: 64 masks of 16 groups are 32 kB, their paths 110 kB."""
AUTHORITIES_MAX = 255
PARTICIPANTS_FROM = 1 << 32
"""Party numbers: an authority has its own, participant p has this and p."""

_REQUEST_TYPE = (
    b"ReadRequest(bytes32 batch,uint32 index,uint32 count,uint32 groups,uint8 purpose,uint64 vault,bytes32 blockHash,"
    b"uint64 blockNumber,uint64 expires,bytes32 nonce,uint16 suite,bytes freshKey)"
)


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What a reader asks for.

    ``access`` is the Access contract's address. ``count`` above 1 asks in bulk: for so many records at most, the first
    from ``index`` on that the vault holds and the contract opens. ``groups`` has bit *i* for the kind's group *i*;
    ``vault`` is the party whose vault is asked; the block is the last final one that the reader saw; ``expires`` is in
    Unix seconds; ``fresh_key`` is of this request alone, and the answers are wrapped to it.
    """

    chain_id: int
    genesis_hash: bytes
    access: bytes
    batch: bytes
    index: int
    count: int
    groups: int
    purpose: int
    vault: int
    block_hash: bytes
    block_number: int
    expires: int
    nonce: bytes
    fresh_key: PublicKey


def signing_hash(request: ReadRequest) -> bytes:
    """Return the hash of 32 bytes that the reader signs (EIP-712); receipts and answers name the request by it."""
    message = (
        keccak256(_REQUEST_TYPE)
        + request.batch
        + word(request.index)
        + word(request.count)
        + word(request.groups)
        + word(request.purpose)
        + word(request.vault)
        + request.block_hash
        + word(request.block_number)
        + word(request.expires)
        + request.nonce
        + word(request.fresh_key.suite)
        + keccak256(request.fresh_key.encoded)
    )
    return typed_data_hash(DOMAIN, request.chain_id, request.access, request.genesis_hash, message)


def signer_of(request: ReadRequest, signature: bytes) -> bytes:
    """Return the address that signed a request; InvalidFile when the signature is none (see :mod:`..signature`)."""
    return recover(signing_hash(request), signature)


def groups_of(mask: int) -> tuple[int, ...]:
    """Return the field groups in a bit mask, in order.

    >>> groups_of(0b101)
    (0, 2)
    """
    return tuple([group for group in range(mask.bit_length()) if mask >> group & 1])


def is_party(number: int) -> bool:
    """Return whether a number can be a party's: an authority's 1 to 255, or a participant's from 2**32 + 1.

    >>> [is_party(number) for number in (0, 255, 256, 1 << 32, (1 << 32) + 1, 1 << 33)]
    [False, True, False, False, True, False]
    """
    return 1 <= number <= AUTHORITIES_MAX or PARTICIPANTS_FROM < number < 2 * PARTICIPANTS_FROM


def party_in(members: Members, name: str) -> int:
    """Return the party that a member has; InvalidFile when it can be none's."""
    number = members.number(name, INTEGER_MAX)
    if not is_party(number):
        raise members.refusal(name, "a party: an authority's number, or 2**32 and a participant's")
    return number


def request_json(request: ReadRequest, signature: bytes) -> dict[str, object]:
    """Return a signed request as it is sent."""
    return {
        "format": FORMAT,
        "chain_id": request.chain_id,
        "genesis_hash": hexadecimal(request.genesis_hash),
        "access": hexadecimal(request.access),
        "batch": hexadecimal(request.batch),
        "index": request.index,
        "count": request.count,
        "groups": request.groups,
        "purpose": request.purpose,
        "vault": request.vault,
        "block_hash": hexadecimal(request.block_hash),
        "block_number": request.block_number,
        "expires": request.expires,
        "nonce": hexadecimal(request.nonce),
        "suite": request.fresh_key.suite.value,
        "fresh_key": hexadecimal(request.fresh_key.encoded),
        "signature": hexadecimal(signature),
    }


_NAMES = (
    "format",
    "chain_id",
    "genesis_hash",
    "access",
    "batch",
    "index",
    "count",
    "groups",
    "purpose",
    "vault",
    "block_hash",
    "block_number",
    "expires",
    "nonce",
    "suite",
    "fresh_key",
    "signature",
)


def request_of(node: object) -> tuple[ReadRequest, bytes]:
    """Return a request and its signature from their JSON; InvalidFile when they are none. Who signed is not judged."""
    members = Members(node, "", _NAMES)
    members.require_format(FORMAT)
    groups = members.number("groups", 1 << GROUPS_MAX)
    count = members.number("count", RECORDS_MAX + 1)
    if not count:
        raise members.refusal("count", f"how many records, 1 to {RECORDS_MAX}")
    if not groups:
        raise members.refusal("groups", "a bit for each group that is asked for, at least one")
    vault = party_in(members, "vault")
    request = ReadRequest(
        chain_id=members.number("chain_id", INTEGER_MAX + 1),
        genesis_hash=members.octets("genesis_hash", HASH_BYTES),
        access=members.octets("access", ADDRESS_BYTES),
        batch=members.octets("batch", HASH_BYTES),
        index=members.number("index", 1 << DEPTH_MAX),
        count=count,
        groups=groups,
        purpose=members.number("purpose", PURPOSES_MAX),
        vault=vault,
        block_hash=members.octets("block_hash", HASH_BYTES),
        block_number=members.number("block_number", INTEGER_MAX + 1),
        expires=members.number("expires", INTEGER_MAX + 1),
        nonce=members.octets("nonce", HASH_BYTES),
        fresh_key=_fresh_key(members),
    )
    return request, members.octets("signature", SIGNATURE_BYTES)


def _fresh_key(members: Members) -> PublicKey:
    number = members.number("suite", 1 << 16)
    if number not in list(Suite):
        known = ", ".join(f"{each:d} ({each.name})" for each in Suite)
        raise members.refusal("suite", f"one of {known}")
    suite = Suite(number)
    encoded = octets(members.node["fresh_key"], PUBLIC_KEY_BYTES[suite], "/fresh_key")
    try:
        return decode_public_key(suite, encoded)
    except InvalidFile as error:
        raise InvalidFile(f"at /fresh_key: found {error}") from None
