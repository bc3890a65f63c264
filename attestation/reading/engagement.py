"""Audit engagements: the one place that knows what an auditor and its controllers sign, and how that is written.

An engagement says whose records of which kinds and time an auditor may read, which field groups, for what, from when to
when. Both sides sign it as EIP-712 typed data for one chain and one Access contract. Its hash is the reference of the
grants that stand on the ledger for it, one of each controller's, and their salts derive from its own: who has the
engagement knows them all, and who sees one of them learns nothing of the others. Whose account signed, and what stands,
only the ledger says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cocket.attestation.canonical import INTEGER_MAX, encode_json
from cocket.attestation.members import Members, hexadecimal, octets, read_json
from cocket.attestation.merkle import FROM_ENGAGEMENT_SALT, HASH_BYTES, keccak256, spread
from cocket.attestation.reading.request import PURPOSES_MAX
from cocket.attestation.sealing.envelope import GROUPS_MAX
from cocket.attestation.signature import ADDRESS_BYTES, SIGNATURE_BYTES, recover
from cocket.attestation.typed_data import typed_data_hash, word

FORMAT = "cocket-engagement-1"
DOMAIN = "Cocket engagement"
CONTROLLERS_MAX = 64
"""One audit of a chamber's members; more are more engagements."""
SIGNATURES_MAX = CONTROLLERS_MAX + 1
SALT_BYTES = 32
GRANT_SALT_BYTES = 16
FILE_BYTES_MAX = 32 << 10
"""With all signatures it has 12 KiB."""
KINDS_MAX = 64
TIME_MAX = 253_402_300_800
"""The year 10000."""
_PARTICIPANTS_MAX = 1 << 32

_TYPE = (
    b"Engagement(uint32 auditor,uint32[] controllers,uint64 kinds,uint40 anchoredFrom,uint40 anchoredTo,"
    b"uint16 groups,uint32 purposes,uint40 validFrom,uint40 validTo,bytes32 salt)"
)


@dataclass(frozen=True, slots=True)
class Engagement:
    """What both sides agree on.

    ``auditor`` and ``controllers`` are participants' numbers, the latter in order; ``kinds``, ``groups`` and
    ``purposes`` sets of numbers; periods are [from, to) in Unix seconds: of anchoring, and of reading.
    """

    chain_id: int
    genesis_hash: bytes
    access: bytes
    auditor: int
    controllers: tuple[int, ...]
    kinds: frozenset[int]
    anchored_from: int
    anchored_to: int
    groups: frozenset[int]
    purposes: frozenset[int]
    valid_from: int
    valid_to: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class SignedEngagement:
    """An engagement and the signatures gathered so far, in the order in which they came."""

    engagement: Engagement
    signatures: tuple[bytes, ...] = ()

    def signers(self) -> tuple[bytes, ...]:
        """Return the addresses that signed; InvalidFile when a signature is none (see :mod:`..signature`)."""
        digest = engagement_hash(self.engagement)
        return tuple([recover(digest, signature) for signature in self.signatures])

    def signed(self, signature: bytes) -> SignedEngagement:
        """Return it with one more signature."""
        return replace(self, signatures=(*self.signatures, signature))


def engagement_hash(engagement: Engagement) -> bytes:
    """Return the hash of 32 bytes that both sides sign (EIP-712), and by which its grants name it."""
    message = (
        keccak256(_TYPE)
        + word(engagement.auditor)
        + keccak256(b"".join([word(controller) for controller in engagement.controllers]))
        + word(_bits(engagement.kinds))
        + word(engagement.anchored_from)
        + word(engagement.anchored_to)
        + word(_bits(engagement.groups))
        + word(_bits(engagement.purposes))
        + word(engagement.valid_from)
        + word(engagement.valid_to)
        + engagement.salt
    )
    return typed_data_hash(DOMAIN, engagement.chain_id, engagement.access, engagement.genesis_hash, message)


def grant_salt(engagement: Engagement, controller: int) -> bytes:
    """Return the salt of the grant that a controller gives for it."""
    return spread(FROM_ENGAGEMENT_SALT, engagement.salt + controller.to_bytes(4), GRANT_SALT_BYTES)


def _bits(numbers: frozenset[int]) -> int:
    return sum(1 << number for number in numbers)


# -- bytes -------------------------------------------------------------------------------------------------------------


def encode_engagement(signed: SignedEngagement) -> bytes:
    """Return the file of an engagement. Who has it knows who audits whom: it is for the parties alone."""
    engagement = signed.engagement
    members = {
        "format": FORMAT,
        "chain_id": engagement.chain_id,
        "genesis_hash": hexadecimal(engagement.genesis_hash),
        "access": hexadecimal(engagement.access),
        "auditor": engagement.auditor,
        "controllers": list(engagement.controllers),
        "kinds": sorted(engagement.kinds),
        "anchored_from": engagement.anchored_from,
        "anchored_to": engagement.anchored_to,
        "groups": sorted(engagement.groups),
        "purposes": sorted(engagement.purposes),
        "valid_from": engagement.valid_from,
        "valid_to": engagement.valid_to,
        "salt": hexadecimal(engagement.salt),
        "signatures": [hexadecimal(signature) for signature in signed.signatures],
    }
    return encode_json(members) + b"\n"


_NAMES = (
    "format",
    "chain_id",
    "genesis_hash",
    "access",
    "auditor",
    "controllers",
    "kinds",
    "anchored_from",
    "anchored_to",
    "groups",
    "purposes",
    "valid_from",
    "valid_to",
    "salt",
    "signatures",
)


def decode_engagement(data: bytes) -> SignedEngagement:
    """Return the engagement in a file; InvalidFile when there is none, or one account has signed twice."""
    members = Members(read_json(data, FILE_BYTES_MAX, "engagement"), "", _NAMES)
    members.require_format(FORMAT)
    engagement = Engagement(
        chain_id=members.number("chain_id", INTEGER_MAX + 1),
        genesis_hash=members.octets("genesis_hash", HASH_BYTES),
        access=members.octets("access", ADDRESS_BYTES),
        auditor=members.number("auditor", _PARTICIPANTS_MAX),
        controllers=tuple(sorted(members.numbers("controllers", range(1, _PARTICIPANTS_MAX), 1, CONTROLLERS_MAX))),
        kinds=members.numbers("kinds", range(KINDS_MAX), 1),
        anchored_from=members.number("anchored_from", TIME_MAX),
        anchored_to=members.number("anchored_to", TIME_MAX),
        groups=members.numbers("groups", range(GROUPS_MAX), 1),
        purposes=members.numbers("purposes", range(1, PURPOSES_MAX), 1),
        valid_from=members.number("valid_from", TIME_MAX),
        valid_to=members.number("valid_to", TIME_MAX),
        salt=members.octets("salt", SALT_BYTES),
    )
    if not engagement.auditor or engagement.auditor in engagement.controllers:
        raise members.refusal("auditor", "a participant's number from 1, and none of the controllers'")
    if engagement.anchored_from >= engagement.anchored_to:
        raise members.refusal("anchored_to", "a time after anchored_from")
    if engagement.valid_from >= engagement.valid_to:
        raise members.refusal("valid_to", "a time after valid_from")
    signed = SignedEngagement(engagement, members.several("signatures", SIGNATURES_MAX, _signature))
    if len(set(signed.signers())) != len(signed.signatures):
        raise members.refusal("signatures", "each of another account")
    return signed


def _signature(value: object, place: str) -> bytes:
    return octets(value, SIGNATURE_BYTES, place)
