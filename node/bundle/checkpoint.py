"""Checkpoints: a block that authorities vouch for, as an anchor younger than the genesis.

The file says which block, who seals after it, which authorities were active then, with which admin account and which
X.509 seal certificate, and carries their signatures: of the admin (EIP-712 typed data), of the seal's key (ES256 over
the same hash), or both. It is an anchor like a genesis hash, to be had from somebody one trusts; or, by its seals, from
anybody, for whom trusts those who issued the certificates. A quorum of its authorities must have signed, two thirds, so
that a checkpoint is never easier to forge than a block. (``docs/formats.md``; ADR 20.)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import AttestationError
from cocket.attestation.members import Members, hexadecimal, octets, read_json
from cocket.attestation.sdjwt.issuer import Issuer, issuer_of_header
from cocket.attestation.sdjwt.p256 import SIGNATURE_BYTES as SEAL_BYTES
from cocket.contracts.consortium import VALIDATORS_MAX
from cocket.node.bundle.errors import InvalidCheckpoint
from cocket.node.bundle.file import AUTHORITIES_MAX
from cocket.node.chain.hashing import ADDRESS_BYTES, HASH_BYTES, keccak256
from cocket.node.consensus.seals import SIGNATURE_BYTES, is_low_s, recover_seal
from cocket.node.consensus.validators import quorum

FORMAT: Final = "cocket-checkpoint-2"
CHECKPOINT_BYTES_MAX: Final = 1 << 20
"""255 authorities with a signature each are some 80 KB, a chain of certificates is 4 to 12 KB: 60 such and more."""

_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)"
_AUTHORITY_TYPE: Final = b"Authority(uint16 number,string country,address admin,bytes32 seal)"
_TYPE: Final = (
    b"Checkpoint(uint64 height,bytes32 blockHash,uint64 time,address[] validators,Authority[] authorities)"
    + _AUTHORITY_TYPE
)
_NAMES: Final = (
    *("format", "chain_id", "genesis_hash", "height", "block_hash", "time"),
    *("validators", "authorities", "signatures", "seals"),
)


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority that was active at the block: its number, its country, its admin account.

    ``seal`` is the SHA-256 of its seal certificate (DER) as the ledger has it, zeros when it has none.
    """

    number: int
    country: str
    admin: bytes
    seal: bytes = bytes(HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Seal:
    """An authority's signature with its seal's key: whose, its certificates, the certificate's own first, and ES256."""

    number: int
    issuer: Issuer
    signature: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A block, the validators after it (ascending), the authorities, and signatures in the order of their signers."""

    chain_id: int
    genesis_hash: bytes
    height: int
    block_hash: bytes
    time_s: int
    validators: tuple[bytes, ...]
    authorities: tuple[Authority, ...]
    signatures: tuple[bytes, ...] = ()
    seals: tuple[Seal, ...] = ()

    @property
    def needed(self) -> int:
        """How many authorities must have signed: the quorum of the active ones."""
        return quorum(len(self.authorities))

    def signers(self) -> tuple[Authority, ...]:
        """Return who signed, with admin key or seal, in order of number.

        InvalidCheckpoint on a signature or seal of nobody here, or a second one.
        """
        digest = signing_hash(self)
        found = {authority.number: authority for authority in (*self._admins(digest), *self._sealers(digest))}
        return tuple([found[number] for number in sorted(found)])

    def _sealers(self, message: bytes) -> tuple[Authority, ...]:
        by_number = {authority.number: authority for authority in self.authorities}
        for seal in self.seals:
            authority = by_number.get(seal.number)
            if authority is None or seal.issuer.fingerprint != authority.seal:
                raise InvalidCheckpoint(f"checkpoint: the seal of {seal.number} is of none of its authorities")
            if not seal.issuer.key.verifies(message, seal.signature):
                raise InvalidCheckpoint(f"checkpoint: the seal of {authority.country} does not hold")
        numbers = [seal.number for seal in self.seals]
        if numbers != sorted(set(numbers)):
            raise InvalidCheckpoint("checkpoint: found seals in another order, expected one each, by number")
        return tuple([by_number[number] for number in numbers])

    def _admins(self, digest: bytes) -> tuple[Authority, ...]:
        by_admin = {authority.admin: authority for authority in self.authorities}
        found: list[Authority] = []
        for position, signature in enumerate(self.signatures):
            try:
                admin = recover_seal(digest, signature)
            except ValueError as error:
                raise InvalidCheckpoint(f"checkpoint: signature {position}: {error}") from None
            if admin not in by_admin or not is_low_s(signature):
                raise InvalidCheckpoint(f"checkpoint: signature {position} is of none of its authorities")
            found.append(by_admin[admin])
        if [signer.number for signer in found] != sorted({signer.number for signer in found}):
            raise InvalidCheckpoint("checkpoint: found signatures in another order, expected one each, by number")
        return tuple(found)

    def signed(self, signatures: Iterable[bytes] = (), seals: Iterable[Seal] = ()) -> "Checkpoint":
        """Return the checkpoint with more signatures and seals, each authority's once and in order of number."""
        by_number: dict[int, bytes] = {}
        for signature in (*self.signatures, *signatures):
            (signer,) = replace(self, signatures=(signature,), seals=()).signers()
            by_number.setdefault(signer.number, signature)
        sealed: dict[int, Seal] = {}
        for seal in (*self.seals, *seals):
            sealed.setdefault(seal.number, seal)
        made = replace(
            self,
            signatures=tuple([by_number[number] for number in sorted(by_number)]),
            seals=tuple([sealed[number] for number in sorted(sealed)]),
        )
        made.signers()
        return made

    def unsigned(self) -> "Checkpoint":
        """Return what is signed, for comparison."""
        return replace(self, signatures=(), seals=())


def signing_hash(checkpoint: Checkpoint) -> bytes:
    """Return the hash of 32 bytes that an authority's admin signs (EIP-712), and the message that its seal signs."""
    domain = keccak256(
        keccak256(_DOMAIN_TYPE)
        + keccak256(b"Cocket checkpoint")
        + keccak256(b"1")
        + _word(checkpoint.chain_id)
        + checkpoint.genesis_hash
    )
    authority_type = keccak256(_AUTHORITY_TYPE)
    authorities = [
        keccak256(
            authority_type
            + _word(authority.number)
            + keccak256(authority.country.encode())
            + authority.admin.rjust(32, b"\0")
            + authority.seal
        )
        for authority in checkpoint.authorities
    ]
    body = keccak256(
        keccak256(_TYPE)
        + _word(checkpoint.height)
        + checkpoint.block_hash
        + _word(checkpoint.time_s)
        + keccak256(b"".join([validator.rjust(32, b"\0") for validator in checkpoint.validators]))
        + keccak256(b"".join(authorities))
    )
    return keccak256(b"\x19\x01" + domain + body)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the file of a checkpoint: canonical JSON."""
    return encode_json(
        {
            "format": FORMAT,
            "chain_id": checkpoint.chain_id,
            "genesis_hash": hexadecimal(checkpoint.genesis_hash),
            "height": checkpoint.height,
            "block_hash": hexadecimal(checkpoint.block_hash),
            "time": checkpoint.time_s,
            "validators": [hexadecimal(validator) for validator in checkpoint.validators],
            "authorities": [
                {
                    "number": authority.number,
                    "country": authority.country,
                    "admin": hexadecimal(authority.admin),
                    "seal": hexadecimal(authority.seal),
                }
                for authority in checkpoint.authorities
            ],
            "signatures": [hexadecimal(signature) for signature in checkpoint.signatures],
            "seals": [
                {"number": seal.number, **seal.issuer.header, "signature": hexadecimal(seal.signature)}
                for seal in checkpoint.seals
            ],
        }
    )


def decode_checkpoint(data: bytes) -> Checkpoint:
    """Return the checkpoint in a file; InvalidCheckpoint when it is none, or a signature is of nobody in it.

    Whether enough signed is for ``validate_signers``: a checkpoint is gathered signature by signature.
    """
    try:
        members = Members(read_json(data, CHECKPOINT_BYTES_MAX, "checkpoint"), "", _NAMES)
        members.require_format(FORMAT)
        checkpoint = Checkpoint(
            chain_id=members.number("chain_id", 1 << 53),
            genesis_hash=members.octets("genesis_hash", HASH_BYTES),
            height=members.number("height", 1 << 53),
            block_hash=members.octets("block_hash", HASH_BYTES),
            time_s=members.number("time", 1 << 53),
            validators=members.several("validators", VALIDATORS_MAX, _address),
            authorities=members.several("authorities", AUTHORITIES_MAX, _authority),
            signatures=members.several("signatures", AUTHORITIES_MAX, _signature),
            seals=members.several("seals", AUTHORITIES_MAX, _seal),
        )
    except AttestationError as error:
        raise InvalidCheckpoint(f"checkpoint: {error}") from None
    numbers = [_word(authority.number) for authority in checkpoint.authorities]
    _require_ascending(checkpoint.validators, "validators")
    _require_ascending(numbers, "authorities")
    if len({authority.admin for authority in checkpoint.authorities}) != len(numbers):
        raise InvalidCheckpoint("checkpoint: found one admin for two authorities, expected one each")
    checkpoint.signers()
    return checkpoint


def validate_signers(checkpoint: Checkpoint) -> tuple[Authority, ...]:
    """Return who signed; InvalidCheckpoint unless they are a quorum of its authorities."""
    signers = checkpoint.signers()
    if len(signers) < checkpoint.needed:
        raise InvalidCheckpoint(
            f"checkpoint: found the signatures of {len(signers)} authorities, expected {checkpoint.needed} of "
            f"{len(checkpoint.authorities)}; the others add theirs with: cocket ledger checkpoint FILE --home HOME"
        )
    return signers


def _require_ascending(found: Sequence[bytes], what: str) -> None:
    if not found or list(found) != sorted(set(found)):
        raise InvalidCheckpoint(f"checkpoint: {what}: found none or another order, expected them ascending, each once")


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _address(node: object, place: str) -> bytes:
    return octets(node, ADDRESS_BYTES, place)


def _signature(node: object, place: str) -> bytes:
    return octets(node, SIGNATURE_BYTES, place)


def _authority(node: object, place: str) -> Authority:
    members = Members(node, place, ("number", "country", "admin", "seal"))
    number = members.number("number", AUTHORITIES_MAX + 1)
    admin, seal = members.octets("admin", ADDRESS_BYTES), members.octets("seal", HASH_BYTES)
    return Authority(number, members.country("country"), admin, seal)


def _seal(node: object, place: str) -> Seal:
    members = Members(node, place, ("number", "x5c", "signature"))
    issuer = issuer_of_header(members.node["x5c"])
    return Seal(members.number("number", AUTHORITIES_MAX + 1), issuer, members.octets("signature", SEAL_BYTES))
