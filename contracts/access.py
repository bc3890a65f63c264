"""Typed calls to Access: who may read what, by which commitment, right or order; services and anchored receipts.

Writes give calldata: a participant's key makes and withdraws grants on its own records, an authority's admin delegates
to officers, orders, and freezes. Views give a View. What opens a commitment (:class:`Scope`, :class:`Delegation`) never
enters a transaction: only ``may_read`` takes it, by a local call. A party is a number: authority n is n, participant p
is 2**32 + p. Groups and purposes are sets of numbers on our side and bits on the ledger's. Periods are [from, to) in
unix seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cache
from typing import cast

from sha3 import keccak_256

from cocket.contracts.abi import Parameter, View, decode_values, encode_values, interface
from cocket.contracts.errors import MalformedAnswer, MalformedValue
from cocket.contracts.values import encode_country

ADDRESS = bytes.fromhex("00000000000000000000000000000000000c0c05")

FIRST_PARTICIPANT = 1 << 32
EVERY_INDEX = (1 << 32) - 1
"""In place of an index: all records of a batch."""
GROUPS_MAX = 16
PURPOSES_MAX = 32
COUNTRIES_MAX = 64
LISTING_DELAY_S_MAX = 315_360_000
"""Ten years of 365 days: a vote delays what a record's subject is told of reads, and never drops it."""
URL_BYTES_MAX = 128
OPENING_BYTES_MAX = 8192
"""A claim with two officers has 1,300 bytes, an evidence with every country 3,000."""

_ACCESS = "Access"
_SCHEME = b"cocket\x01"
_GRANT = _SCHEME + b"\x40"
_DELEGATION = _SCHEME + b"\x41"
_RESIDENCY = _SCHEME + b"\x42"
_ORDER = _SCHEME + b"\x43"


class Purpose(IntEnum):
    """What something is read for. The numbers are the ledger's; 0 is none."""

    IMPORT_CLEARANCE = 1
    RISK_ANALYSIS = 2
    ORIGIN_VERIFICATION = 3
    AUDIT = 4
    COURT_ORDER = 5
    STATISTICS = 6
    TRADE_FINANCE = 7
    TRANSPORT = 8
    OWN_RECORDS = 9


class ScopeKind(IntEnum):
    """What a commitment gives: NONE is no commitment at all."""

    NONE = 0
    GRANT = 1
    ENGAGEMENT = 2
    ORDER = 3


class ServiceKind(IntEnum):
    """What a party serves under an address of its own."""

    VAULT = 1
    CUSTODIAN = 2


class Reason(IntEnum):
    """Why a reader may read (below UNKNOWN_RECORD) or may not."""

    BY_CONTROL = 1
    BY_GRANT = 2
    BY_ENGAGEMENT = 3
    BY_ORDER = 4
    BY_RIGHT = 5
    UNKNOWN_RECORD = 64
    UNKNOWN_READER = 65
    READER_NOT_IN_FORCE = 66
    AUTHORITY_NOT_IN_FORCE = 67
    NOTHING_ASKED = 68
    FROZEN = 69
    OUTSIDE_RESIDENCY = 70
    NO_GRANT = 71
    NOT_YET = 72
    EXPIRED = 73
    WITHDRAWN = 74
    OTHER_READER = 75
    OTHER_RECORD = 76
    OTHER_GROUPS = 77
    OTHER_PURPOSE = 78
    NOT_AN_AUDITOR = 79
    TOO_FEW_OFFICERS = 80
    NO_DELEGATION = 81
    NO_RIGHT = 82
    OPTED_OUT = 83
    OTHER_COUNTRY = 84
    NOT_IN_BATCH = 85


REASON_TEXTS = {
    Reason.BY_CONTROL: "the reader controls the record",
    Reason.BY_GRANT: "a grant of its controller",
    Reason.BY_ENGAGEMENT: "an audit engagement of its controller",
    Reason.BY_ORDER: "an order of its controller's authority",
    Reason.BY_RIGHT: "the default right of the importing authority",
    Reason.UNKNOWN_RECORD: "the ledger has no such record",
    Reason.UNKNOWN_READER: "the key is of no authority and no participant",
    Reason.READER_NOT_IN_FORCE: "the reader's mandate is suspended, ended or outside its dates",
    Reason.AUTHORITY_NOT_IN_FORCE: "the reader's authority is not in force",
    Reason.NOTHING_ASKED: "no field group, or no purpose, was asked for",
    Reason.FROZEN: "reads of this record are frozen by its controller's authority",
    Reason.OUTSIDE_RESIDENCY: "the record may not be released into the reader's country",
    Reason.NO_GRANT: "no such grant stands on the ledger",
    Reason.NOT_YET: "the grant is not valid yet",
    Reason.EXPIRED: "the grant has expired",
    Reason.WITHDRAWN: "the grant was withdrawn",
    Reason.OTHER_READER: "the grant is another reader's",
    Reason.OTHER_RECORD: "the grant is for other records",
    Reason.OTHER_GROUPS: "the grant, right or delegation does not reach all field groups asked for",
    Reason.OTHER_PURPOSE: "the grant, right or delegation is for other purposes",
    Reason.NOT_AN_AUDITOR: "the reader is not accredited as an auditor",
    Reason.TOO_FEW_OFFICERS: "the order is not signed by two officers of the controller's authority",
    Reason.NO_DELEGATION: "the authority has not delegated to this officer",
    Reason.NO_RIGHT: "importing authorities have no default right to records anchored then",
    Reason.OPTED_OUT: "the controller declined the default right when it anchored the batch",
    Reason.OTHER_COUNTRY: "the record is for import into another country",
    Reason.NOT_IN_BATCH: "what was shown does not lead to the batch",
}
"""Each reason as a person reads it."""


@dataclass(frozen=True, slots=True)
class Question:
    """Who (an address) would read which groups of which record, for what."""

    reader: bytes
    batch: bytes
    index: int
    groups: frozenset[int]
    purpose: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What a grant, engagement or order opens, for whom; its hash alone stands on the ledger.

    ``batch`` zeros: all records of the controller of these document ``kinds`` anchored in the period; else that one,
    at ``index`` or all of it (EVERY_INDEX). ``daily_cap``: records a day in bulk, 0 for none. ``reference``: hash of
    the engagement or the court's order. ``salt``: 16 random bytes, fresh for each.
    """

    kind: ScopeKind
    controller: int
    reader: int
    batch: bytes
    index: int
    kinds: frozenset[int]
    anchored_from: int
    anchored_to: int
    groups: frozenset[int]
    purposes: frozenset[int]
    daily_cap: int
    reference: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class Delegation:
    """What an authority lets an officer (an address) read in its place; its hash alone stands on the ledger."""

    authority: int
    officer: bytes
    groups: frozenset[int]
    purposes: frozenset[int]
    salt: bytes


_SCOPE_KIND, _DAILY_CAP = [[field.name for field in fields(Scope)].index(name) for name in ("kind", "daily_cap")]
_AUTHORITY = [field.name for field in fields(Delegation)].index("authority")


@dataclass(frozen=True, slots=True)
class OrderSignature:
    """An officer's signature (65 bytes: r, s, 0 or 1) over an order's commitment, and what was delegated to it."""

    delegation: Delegation
    signature: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """What a reader shows: the scope of its grant, its delegation, an order's signatures; each may be missing."""

    scope: Scope | None = None
    delegation: Delegation | None = None
    officers: tuple[OrderSignature, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownClaim:
    """What a keeper needs of a shown claim.

    ``commitment`` is the hash of its scope as it stands on the ledger, zeros when it shows none; ``daily_cap`` records
    a day in bulk; ``authority`` whose delegation it shows, 0 for nobody's.
    """

    commitment: bytes = bytes(32)
    daily_cap: int = 0
    authority: int = 0

    @property
    def has_scope(self) -> bool:
        """Whether it shows a grant, an engagement or an order."""
        return any(self.commitment)


@dataclass(frozen=True, slots=True)
class Residency:
    """Countries into which a batch may be released, and the salt of the hash that stands on the ledger."""

    salt: bytes
    countries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Right:
    """What opens a default right: the document's root, its importing country with the salt, its path in the batch."""

    document_root: bytes
    country: str
    salt: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a vault shows beside: a default right's opening, a residency's; each may be missing."""

    right: Right | None = None
    residency: Residency | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a reader may read, and by what or why not."""

    may_read: bool
    reason: Reason

    @property
    def text(self) -> str:
        """Return the reason as a sentence's part."""
        return REASON_TEXTS[self.reason]


@dataclass(frozen=True, slots=True)
class Commitment:
    """What stands under a commitment; ``made_at`` 0: nothing. ``withdrawn_at`` 0: it was not withdrawn."""

    valid_from: int
    valid_to: int
    made_at: int
    withdrawn_at: int
    party: int
    reason: int


@dataclass(frozen=True, slots=True)
class DefaultRight:
    """Groups and purposes that importing authorities have by right; nothing when either is empty."""

    groups: frozenset[int]
    purposes: frozenset[int]


@dataclass(frozen=True, slots=True)
class Service:
    """Where a vault or custodian is: which party keeps its receipts, its certificate's SHA-256, its HTTPS address."""

    keeper: int
    certificate: bytes
    url: str


def participant_party(participant: int) -> int:
    """Give the party that a participant is."""
    return FIRST_PARTICIPANT + participant


def authority_party(authority: int) -> int:
    """Give the party that an authority is."""
    return authority


def commit(*, commitment: bytes, valid_from: int, valid_to: int) -> bytes:
    """Give the calldata that lets a grant, engagement, order or delegation stand."""
    return interface(_ACCESS).call("commit", commitment, valid_from, valid_to)


def withdraw(*, commitment: bytes, reason: int) -> bytes:
    """Give the calldata that ends a commitment of the sender's from that block on."""
    return interface(_ACCESS).call("withdraw", commitment, reason)


def decline_default_right(*, batch: bytes) -> bytes:
    """Give the calldata that declines the default right for a batch which the sender is about to anchor."""
    return interface(_ACCESS).call("declineDefaultRight", batch)


def set_residency(*, batch: bytes, commitment: bytes) -> bytes:
    """Give the calldata that binds the sender's batch to countries, by their hash; zeros lift it."""
    return interface(_ACCESS).call("setResidency", batch, commitment)


def freeze(*, batch: bytes, index: int, reason: int) -> bytes:
    """Give the calldata that stops reads of a record, or of a whole batch (EVERY_INDEX)."""
    return interface(_ACCESS).call("freeze", batch, index, reason)


def release(*, batch: bytes, index: int) -> bytes:
    """Give the calldata that lifts a freeze of a record or batch."""
    return interface(_ACCESS).call("release", batch, index)


def freeze_controller(*, participant: int, reason: int) -> bytes:
    """Give the calldata that stops reads of all records of a controller."""
    return interface(_ACCESS).call("freezeController", participant, reason)


def release_controller(*, participant: int) -> bytes:
    """Give the calldata that lifts the freeze of a controller's records."""
    return interface(_ACCESS).call("releaseController", participant)


def serve(*, kind: ServiceKind, keeper: int, certificate: bytes, url: str) -> bytes:
    """Give the calldata that says where the sender's vault or custodian is; an empty address ends it."""
    return interface(_ACCESS).call("serve", int(kind), keeper, certificate, url)


def anchor_receipts(*, sequence: int, root: bytes) -> bytes:
    """Give the calldata that anchors the sender's receipts of one period."""
    return interface(_ACCESS).call("anchorReceipts", sequence, root)


def may_read(question: Question, claim: bytes = b"", evidence: bytes = b"") -> View[Decision]:
    """Ask whether a reader may read; ``claim`` and ``evidence`` as encoded, empty for none.

    :raises MalformedAnswer: they are not exactly the encoding of a claim and an evidence.
    """
    asked = (
        question.reader,
        question.batch,
        question.index,
        _bits(question.groups, GROUPS_MAX, "groups"),
        question.purpose,
    )
    shown = decode_claim_values(claim) if claim else _claim_values(Claim())
    proof = decode_evidence_values(evidence) if evidence else _evidence_values(Evidence())
    return interface(_ACCESS).view("mayRead", asked, shown, proof, make=_decision)


def commitment_of(commitment: bytes) -> View[Commitment]:
    """Ask what stands under a commitment."""
    return interface(_ACCESS).view("commitmentOf", commitment, make=lambda values: Commitment(*values))


def listing_delay_at(purpose: int, time: int) -> View[int]:
    """Ask how many seconds after a read for a purpose at that time the record's subject is told of it."""
    return interface(_ACCESS).view("listingDelayAt", purpose, time, make=lambda value: cast(int, value))


def default_right_at(kind: int, time: int) -> View[DefaultRight]:
    """Ask for the default right to documents of a kind that are anchored at a time."""
    return interface(_ACCESS).view("defaultRightAt", kind, time, make=_default_right)


def declined(batch: bytes, participant: int) -> View[bool]:
    """Ask whether a participant declined the default right for a batch."""
    return interface(_ACCESS).view("declined", batch, participant, make=bool)


def residency_of(batch: bytes, participant: int) -> View[bytes]:
    """Ask for the hash of the countries that a participant's batch is bound to; zeros when it is not."""
    return interface(_ACCESS).view("residencyOf", batch, participant, make=lambda value: cast(bytes, value))


def frozen_for(batch: bytes, index: int, participant: int) -> View[int]:
    """Ask for the reason why reads of a record of that controller are stopped; 0 when they are not."""
    return interface(_ACCESS).view("frozenFor", batch, index, participant, make=lambda value: cast(int, value))


def service_of(party: int, kind: ServiceKind) -> View[Service]:
    """Ask where a party's vault or custodian is; an empty address when it has none."""
    return interface(_ACCESS).view("serviceOf", party, int(kind), make=lambda values: Service(*values))


def receipts_anchored(keeper: int) -> View[int]:
    """Ask how many periods of receipts a keeper has anchored."""
    return interface(_ACCESS).view("receiptsAnchored", keeper, make=lambda value: cast(int, value))


def receipt_root(keeper: int, sequence: int) -> View[bytes]:
    """Ask for the anchored root of one period of a keeper's receipts; zeros when it has not been."""
    return interface(_ACCESS).view("receiptRoot", keeper, sequence, make=lambda value: cast(bytes, value))


def version() -> View[str]:
    """Ask for the version of the contract's code and interface."""
    return interface(_ACCESS).view("version", make=str)


# -- what is hashed and shown ------------------------------------------------------------------------------------------


def grant_commitment(chain_id: int, scope: Scope, contract: bytes = ADDRESS) -> bytes:
    """Give the hash under which a grant, engagement or order stands on the ledger."""
    types = _types()
    return _commitment(_GRANT, chain_id, contract, (types["scope"],), (_scope_values(scope),))


def delegation_commitment(chain_id: int, delegation: Delegation, contract: bytes = ADDRESS) -> bytes:
    """Give the hash under which a delegation stands on the ledger."""
    types = _types()
    return _commitment(_DELEGATION, chain_id, contract, (types["delegation"],), (_delegation_values(delegation),))


def residency_commitment(chain_id: int, batch: bytes, residency: Residency, contract: bytes = ADDRESS) -> bytes:
    """Give the hash under which the countries of a batch stand on the ledger."""
    types = _types()
    parameters = (_plain("batch", "bytes32", 32), types["residency_salt"], types["residency"])
    values = (batch, residency.salt, _countries(residency))
    return _commitment(_RESIDENCY, chain_id, contract, parameters, values)


def order_digest(commitment: bytes) -> bytes:
    """Give the hash that each of two officers signs for an order."""
    return bytes(keccak_256(_ORDER + commitment).digest())


def encode_claim(claim: Claim) -> bytes:
    """Give the bytes in which a reader shows a claim."""
    return encode_values("claim", (_types()["claim"],), (_claim_values(claim),))


def encode_evidence(evidence: Evidence) -> bytes:
    """Give the bytes in which a vault shows an evidence."""
    return encode_values("evidence", (_types()["evidence"],), (_evidence_values(evidence),))


def decode_claim_values(data: bytes) -> tuple[object, ...]:
    """Give a claim's values from its bytes; MalformedAnswer when they are not exactly a claim's."""
    return _decode_opening("claim", data)


def shown_claim(claim: bytes, chain_id: int, contract: bytes) -> ShownClaim:
    """Return what a claim's bytes show; no bytes show nothing. MalformedAnswer when they are no claim's."""
    if not claim:
        return ShownClaim()
    scope, delegation, _ = cast(tuple[tuple[object, ...], ...], decode_claim_values(claim))
    authority = cast(int, delegation[_AUTHORITY])
    if scope[_SCOPE_KIND] == ScopeKind.NONE:
        return ShownClaim(authority=authority)
    commitment = _commitment(_GRANT, chain_id, contract, (_types()["scope"],), (scope,))
    return ShownClaim(commitment, cast(int, scope[_DAILY_CAP]), authority)


def decode_evidence_values(data: bytes) -> tuple[object, ...]:
    """Give an evidence's values from its bytes; MalformedAnswer when they are not exactly an evidence's."""
    return _decode_opening("evidence", data)


def _decode_opening(name: str, data: bytes) -> tuple[object, ...]:
    if len(data) > OPENING_BYTES_MAX:
        raise MalformedAnswer(f"{name}: {len(data)} bytes, expected at most {OPENING_BYTES_MAX}")
    (values,) = decode_values(name, (_types()[name],), data)
    return cast(tuple[object, ...], values)


@cache
def _types() -> dict[str, Parameter]:
    """Give the types of what is shown, and of their parts by name, as the contract's interface has them."""
    found = {parameter.name: parameter for parameter in interface(_ACCESS).functions["mayRead"].inputs}
    for outer in ("claim", "evidence"):
        found.update({part.name: part for part in found[outer].parts})
    return found


def _plain(name: str, type_name: str, size: int | None = None) -> Parameter:
    return Parameter(name, type_name, type_name.replace("address", "uint160"), (), size, False)


def _commitment(
    tag: bytes, chain_id: int, contract: bytes, parameters: tuple[Parameter, ...], values: tuple[object, ...]
) -> bytes:
    head = (_plain("tag", "bytes8", 8), _plain("chain id", "uint256"), _plain("contract", "address", 20))
    return bytes(
        keccak_256(encode_values("commitment", (*head, *parameters), (tag, chain_id, contract, *values))).digest()
    )


def _scope_values(scope: Scope | None) -> tuple[object, ...]:
    if scope is None:
        return (0, 0, 0, bytes(32), 0, 0, 0, 0, 0, 0, 0, bytes(32), bytes(16))
    values = {field.name: getattr(scope, field.name) for field in fields(scope)}
    values["kind"] = int(scope.kind)
    values["kinds"] = _bits(scope.kinds, 64, "kinds")
    values["groups"] = _bits(scope.groups, GROUPS_MAX, "groups")
    values["purposes"] = _bits(scope.purposes, PURPOSES_MAX, "purposes")
    return tuple(values.values())


def _delegation_values(delegation: Delegation | None) -> tuple[object, ...]:
    if delegation is None:
        return (0, bytes(20), 0, 0, bytes(16))
    groups = _bits(delegation.groups, GROUPS_MAX, "groups")
    purposes = _bits(delegation.purposes, PURPOSES_MAX, "purposes")
    return (delegation.authority, delegation.officer, groups, purposes, delegation.salt)


def _claim_values(claim: Claim) -> tuple[object, ...]:
    officers = [
        (_delegation_values(each.delegation), 27 + each.signature[64], each.signature[:32], each.signature[32:64])
        for each in claim.officers
    ]
    return (_scope_values(claim.scope), _delegation_values(claim.delegation), officers)


def _evidence_values(evidence: Evidence) -> tuple[object, ...]:
    right, residency = evidence.right, evidence.residency
    shown: tuple[object, ...] = (bytes(32), bytes(2), bytes(16), [])
    if right is not None:
        shown = (right.document_root, encode_country(right.country), right.salt, list(right.path))
    bound = (bytes(16), []) if residency is None else (residency.salt, _countries(residency))
    return (*shown, *bound)


def _countries(residency: Residency) -> list[bytes]:
    if not 1 <= len(residency.countries) <= COUNTRIES_MAX:
        raise MalformedValue(f"residency: {len(residency.countries)} countries, expected 1 to {COUNTRIES_MAX}")
    return [encode_country(country) for country in residency.countries]


def encode_bits(numbers: Iterable[int], limit: int, what: str) -> int:
    """Give a set of numbers below ``limit`` as bits."""
    return _bits(frozenset(numbers), limit, what)


def decode_bits(word: int) -> frozenset[int]:
    """Give the set of numbers in bits."""
    return frozenset(number for number in range(word.bit_length()) if word >> number & 1)


def _bits(numbers: frozenset[int], limit: int, what: str) -> int:
    if any(not 0 <= number < limit for number in numbers):
        raise MalformedValue(f"{what}: {sorted(numbers)}, expected numbers from 0 to {limit - 1}")
    return sum(1 << number for number in numbers)


def _decision(may_read: bool, reason: int) -> Decision:
    found = Reason(reason)
    if may_read != (found < Reason.UNKNOWN_RECORD):
        raise MalformedAnswer(f"Access.mayRead: {may_read} with reason {found.name}")
    return Decision(may_read, found)


def _default_right(groups: int, purposes: int) -> DefaultRight:
    return DefaultRight(decode_bits(groups), decode_bits(purposes))
