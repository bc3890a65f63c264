"""Seal bindings: that the holder of an X.509 seal certificate and a party of a ledger are one.

Each side speaks for the other: the seal's key signs a statement that names ledger and party (ES256), and a key of the
party puts the hash of all of it on the ledger. A salt in it keeps the ledger from telling whose certificate it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.canonical import INTEGER_MAX, encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.members import Members, hexadecimal, read_json
from cocket.attestation.merkle import HASH_BYTES, SEAL_BINDING, keccak256
from cocket.attestation.sdjwt.issuer import Issuer, issuer_of_header
from cocket.attestation.sdjwt.p256 import SIGNATURE_BYTES, Sign
from cocket.attestation.signature import ADDRESS_BYTES

FORMAT = "cocket-seal-binding-1"
STATEMENT = "cocket-seal-statement-1"
SALT_BYTES = 16
BINDING_BYTES_MAX = 1 << 17


@dataclass(frozen=True, slots=True)
class Statement:
    """What a seal's key signs: its holder is this participant of this ledger. ``contract`` is that of participants."""

    chain_id: int
    genesis_hash: bytes
    contract: bytes
    participant: int
    salt: bytes

    def encode(self) -> bytes:
        """Return the canonical text that is signed."""
        return encode_json(_statement_json(self) | {"format": STATEMENT})


@dataclass(frozen=True, slots=True)
class SealBinding:
    """A statement, the certificates whose first one's key signed it, and the signature."""

    statement: Statement
    issuer: Issuer
    signature: bytes

    @property
    def is_signed(self) -> bool:
        """Whether the certificate's key signed the statement."""
        return self.issuer.key.verifies(self.statement.encode(), self.signature)


def bind(statement: Statement, issuer: Issuer, sign: Sign) -> SealBinding:
    """Return the binding that a seal's key signs; InvalidFile when the certificate is of another key."""
    binding = SealBinding(statement, issuer, sign(statement.encode()))
    if not issuer.chain:
        raise InvalidFile("a key without a certificate; expected the seal's certificate")
    if not binding.is_signed:
        raise InvalidFile("a certificate of another key than the one that signed")
    return binding


def binding_hash(binding: SealBinding) -> bytes:
    """Return what stands on the ledger for a binding."""
    return keccak256(SEAL_BINDING + encode_binding(binding))


def encode_binding(binding: SealBinding) -> bytes:
    """Return the file of a binding: for those who may know who the participant is."""
    return encode_json(
        _statement_json(binding.statement)
        | {
            "format": FORMAT,
            "x5c": binding.issuer.header["x5c"],
            "signature": hexadecimal(binding.signature),
        }
    )


def decode_binding(data: bytes) -> SealBinding:
    """Return the binding in a file; InvalidFile when it is none. Whether it is true is not judged."""
    members = Members(read_json(data, BINDING_BYTES_MAX, "seal binding"), "", _NAMES)
    members.require_format(FORMAT)
    statement = Statement(
        members.number("chain_id", INTEGER_MAX + 1),
        members.octets("genesis_hash", HASH_BYTES),
        members.octets("contract", ADDRESS_BYTES),
        members.number("participant", 1 << 32),
        members.octets("salt", SALT_BYTES),
    )
    issuer = issuer_of_header(members.node["x5c"])
    return SealBinding(statement, issuer, members.octets("signature", SIGNATURE_BYTES))


_NAMES = ("format", "chain_id", "genesis_hash", "contract", "participant", "salt", "x5c", "signature")


def _statement_json(statement: Statement) -> dict[str, object]:
    return {
        "chain_id": statement.chain_id,
        "genesis_hash": hexadecimal(statement.genesis_hash),
        "contract": hexadecimal(statement.contract),
        "participant": statement.participant,
        "salt": hexadecimal(statement.salt),
    }
