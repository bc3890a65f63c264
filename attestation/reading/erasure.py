"""Erasures: what a controller, or its authority, signs so that one keeper forgets a record for good.

Each keeper, a vault or a custodian, gets a request of its own. It is typed data of another name than a read request, so
that neither can be passed off as the other; its receipt stands in the keeper's register like that of a read, with the
decision ERASED, and a keeper that starts reads there what it must not give again. Never asks a ledger or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.batch import DEPTH_MAX
from cocket.attestation.canonical import INTEGER_MAX
from cocket.attestation.members import Members, hexadecimal
from cocket.attestation.merkle import HASH_BYTES, keccak256
from cocket.attestation.reading.request import party_in
from cocket.attestation.signature import SIGNATURE_BYTES, recover

FORMAT = "cocket-erase-request-1"
DOMAIN = "Cocket erase request"
ERASED = 250
"""In place of the contract's reason: what a receipt of an erasure says."""
ALL_GROUPS = 0xFFFF
REASON_MAX = (1 << 16) - 1

_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)"
_REQUEST_TYPE = (
    b"EraseRequest(bytes32 batch,uint32 index,uint64 keeper,uint16 reason,bytes32 blockHash,uint64 blockNumber,"
    b"uint64 expires,bytes32 nonce)"
)


@dataclass(frozen=True, slots=True)
class EraseRequest:
    """What is to be forgotten by whom: ``keeper`` is the party whose vault or custodian it is; ``reason`` a code.

    Block and expiry are as in a read request.
    """

    chain_id: int
    genesis_hash: bytes
    batch: bytes
    index: int
    keeper: int
    reason: int
    block_hash: bytes
    block_number: int
    expires: int
    nonce: bytes


def signing_hash(request: EraseRequest) -> bytes:
    """Return the hash of 32 bytes that is signed (EIP-712)."""
    domain = keccak256(
        keccak256(_DOMAIN_TYPE)
        + keccak256(DOMAIN.encode())
        + keccak256(b"1")
        + _word(request.chain_id)
        + request.genesis_hash
    )
    body = keccak256(
        keccak256(_REQUEST_TYPE)
        + request.batch
        + _word(request.index)
        + _word(request.keeper)
        + _word(request.reason)
        + request.block_hash
        + _word(request.block_number)
        + _word(request.expires)
        + request.nonce
    )
    return keccak256(b"\x19\x01" + domain + body)


def _word(number: int) -> bytes:
    return number.to_bytes(32)


def signer_of(request: EraseRequest, signature: bytes) -> bytes:
    """Return the address that signed a request; InvalidFile when the signature is none."""
    return recover(signing_hash(request), signature)


def request_json(request: EraseRequest, signature: bytes) -> dict[str, object]:
    """Return a signed request as it is sent."""
    return {
        "format": FORMAT,
        "chain_id": request.chain_id,
        "genesis_hash": hexadecimal(request.genesis_hash),
        "batch": hexadecimal(request.batch),
        "index": request.index,
        "keeper": request.keeper,
        "reason": request.reason,
        "block_hash": hexadecimal(request.block_hash),
        "block_number": request.block_number,
        "expires": request.expires,
        "nonce": hexadecimal(request.nonce),
        "signature": hexadecimal(signature),
    }


_NAMES = (
    "format",
    "chain_id",
    "genesis_hash",
    "batch",
    "index",
    "keeper",
    "reason",
    "block_hash",
    "block_number",
    "expires",
    "nonce",
    "signature",
)


def request_of(node: object) -> tuple[EraseRequest, bytes]:
    """Return a request and its signature from their JSON; InvalidFile when they are none. Who signed is not judged."""
    members = Members(node, "", _NAMES)
    members.require_format(FORMAT)
    keeper = party_in(members, "keeper")
    request = EraseRequest(
        chain_id=members.number("chain_id", INTEGER_MAX + 1),
        genesis_hash=members.octets("genesis_hash", HASH_BYTES),
        batch=members.octets("batch", HASH_BYTES),
        index=members.number("index", 1 << DEPTH_MAX),
        keeper=keeper,
        reason=members.number("reason", REASON_MAX + 1),
        block_hash=members.octets("block_hash", HASH_BYTES),
        block_number=members.number("block_number", INTEGER_MAX + 1),
        expires=members.number("expires", INTEGER_MAX + 1),
        nonce=members.octets("nonce", HASH_BYTES),
    )
    return request, members.octets("signature", SIGNATURE_BYTES)
