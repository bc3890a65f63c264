"""Typed calls to Participants: who acts under an authority, with which scope, dates and keys.

Writes give calldata and are sent by the admin of the accrediting authority. Views give a View. A participant is a
number; ``identity`` is a salted hash of who it is. Periods are [from, to) in unix seconds. A scope is a set of document
kinds, 0 to 63.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import cast

from cocket.contracts.abi import View, interface
from cocket.contracts.artifact import load_artifact
from cocket.contracts.errors import MalformedValue
from cocket.contracts.history import Word, decode_word, latest_slot, mapping_slot, past_slot

ADDRESS = bytes.fromhex("00000000000000000000000000000000000c0c03")

KINDS = 64
"""Document kinds that a scope can name."""

_PARTICIPANTS = "Participants"


class Role(IntFlag):
    """What a participant is; one may be several. Chambers and exporters issue; a service keeps read receipts."""

    CHAMBER = 1
    EXPORTER = 2
    PORT = 4
    CARRIER = 8
    AUDITOR = 16
    SERVICE = 32


class MandateStatus(IntEnum):
    """How a mandate stands. An ended one is over for good."""

    UNKNOWN = 0
    ACTIVE = 1
    SUSPENDED = 2
    ENDED = 3


@dataclass(frozen=True, slots=True)
class Mandate:
    """A mandate as it stands, or stood, since ``since``. ``sequence`` counts its changes from 0."""

    status: MandateStatus
    roles: Role
    authority: int
    reason: int
    kinds: frozenset[int]
    valid_from: int
    valid_to: int
    since: int
    sequence: int


@dataclass(frozen=True, slots=True)
class KeySpan:
    """From when to when a key acted for a participant; ``valid_to`` 0: still; both 0: never."""

    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class SealSpan:
    """From when to when a seal's binding stood (``bound_to`` 0: still; all 0: never), and its certificate's end."""

    bound_from: int
    bound_to: int
    expires: int


@dataclass(frozen=True, slots=True)
class Issuer:
    """The participant behind a key that may issue now, and its authority."""

    participant: int
    authority: int


@dataclass(frozen=True, slots=True)
class Standing:
    """For whom a key acts: participant (0: nobody), its authority, its roles, whether the mandate is in force."""

    participant: int
    authority: int
    roles: Role
    in_force: bool


def accredit(
    *, identity: bytes, roles: Role, kinds: Iterable[int], valid_from: int, valid_to: int, keys: Sequence[bytes]
) -> bytes:
    """Give the calldata that accredits a participant under the sender's authority, with 1 to 8 keys (addresses)."""
    return interface(_PARTICIPANTS).call(
        "accredit", identity, int(roles), encode_kinds(kinds), valid_from, valid_to, list(keys)
    )


def change_mandate(*, participant: int, roles: Role, kinds: Iterable[int], valid_from: int, valid_to: int) -> bytes:
    """Give the calldata that gives a participant another scope or other dates from now on."""
    return interface(_PARTICIPANTS).call(
        "changeMandate", participant, int(roles), encode_kinds(kinds), valid_from, valid_to
    )


def suspend(*, participant: int, reason: int) -> bytes:
    """Give the calldata that suspends a mandate, for a reason code of 1 to 65535."""
    return interface(_PARTICIPANTS).call("suspend", participant, reason)


def reinstate(*, participant: int) -> bytes:
    """Give the calldata that lifts a suspension."""
    return interface(_PARTICIPANTS).call("reinstate", participant)


def end(*, participant: int, reason: int) -> bytes:
    """Give the calldata that ends a mandate for good."""
    return interface(_PARTICIPANTS).call("end", participant, reason)


def add_key(*, participant: int, key: bytes) -> bytes:
    """Give the calldata that lets another account act for a participant."""
    return interface(_PARTICIPANTS).call("addKey", participant, key)


def remove_key(*, participant: int, key: bytes) -> bytes:
    """Give the calldata that stops an account from acting for a participant; any of its keys may send it too."""
    return interface(_PARTICIPANTS).call("removeKey", participant, key)


def bind_seal(*, participant: int, binding: bytes, expires: int) -> bytes:
    """Give the calldata by which a participant says that a seal certificate is its own, until it expires."""
    return interface(_PARTICIPANTS).call("bindSeal", participant, binding, expires)


def unbind_seal(*, participant: int, reason: int) -> bytes:
    """Give the calldata that ends a participant's seal; a key of its own or its authority may send it."""
    return interface(_PARTICIPANTS).call("unbindSeal", participant, reason)


def issuer(key: bytes, kind: int) -> View[Issuer]:
    """Ask who may issue that kind now with this key; the call is refused with the reason when nobody may."""
    return interface(_PARTICIPANTS).view("issuer", key, kind, make=Issuer)


def entitled(participant: int, kind: int, time: int) -> View[bool]:
    """Ask whether a participant could issue that kind at a time: mandate, scope, dates, its authority's standing."""
    return interface(_PARTICIPANTS).view("entitled", participant, kind, time, make=bool)


def authority_behind(key: bytes) -> View[int]:
    """Ask which authority answers for a key whose participant's mandate is active now; 0 when none does."""
    return interface(_PARTICIPANTS).view("authorityBehind", key, make=_int)


def standing_of(key: bytes) -> View[Standing]:
    """Ask for whom a key acts now; whether the authority is in good standing is the Consortium's to say."""
    return interface(_PARTICIPANTS).view("standingOf", key, make=_standing)


def authority_over(participant: int) -> View[int]:
    """Ask which authority accredited a participant, whatever its mandate; 0 when there is none of that number."""
    return interface(_PARTICIPANTS).view("authorityOver", participant, make=_int)


def is_active(key: bytes) -> View[bool]:
    """Ask whether a key belongs to a participant whose mandate is active now."""
    return interface(_PARTICIPANTS).view("isActive", key, make=bool)


def participant_of(key: bytes) -> View[int]:
    """Ask for which participant a key acts, whatever its mandate; 0 when for none."""
    return interface(_PARTICIPANTS).view("participantOf", key, make=_int)


def participant_by_identity(identity: bytes) -> View[int]:
    """Ask which participant was accredited under a salted hash; 0 when none."""
    return interface(_PARTICIPANTS).view("participantByIdentity", identity, make=_int)


def identity_of(participant: int) -> View[bytes]:
    """Ask for the salted hash of who a participant is."""
    return interface(_PARTICIPANTS).view("identityOf", participant, make=lambda value: cast(bytes, value))


def participant_count() -> View[int]:
    """Ask how many participants were ever accredited."""
    return interface(_PARTICIPANTS).view("participantCount", make=_int)


def mandate(participant: int) -> View[Mandate]:
    """Ask for a mandate as it stands; status UNKNOWN when there is no such participant."""
    return interface(_PARTICIPANTS).view("mandate", participant, make=_mandate)


def mandate_at(participant: int, time: int) -> View[Mandate]:
    """Ask for a mandate as it stood at a time; status UNKNOWN before it was given."""
    return interface(_PARTICIPANTS).view("mandateAt", participant, time, make=_mandate)


def key_span(participant: int, key: bytes) -> View[KeySpan]:
    """Ask from when to when a key acted for a participant."""
    return interface(_PARTICIPANTS).view("keySpan", participant, key, make=KeySpan)


def seal_of(participant: int) -> View[bytes]:
    """Ask for the binding of a participant's seal certificate that stands; zeros when none does."""
    return interface(_PARTICIPANTS).view("sealOf", participant, make=lambda value: cast(bytes, value))


def seal_span(participant: int, binding: bytes) -> View[SealSpan]:
    """Ask from when to when a binding stood for a participant, and when its certificate ends."""
    return interface(_PARTICIPANTS).view("sealSpan", participant, binding, make=lambda values: SealSpan(*values))


def version() -> View[str]:
    """Ask for the version of the contract's code and interface."""
    return interface(_PARTICIPANTS).view("version", make=str)


def encode_kinds(kinds: Iterable[int]) -> int:
    """Give a set of document kinds as the bits of one number; raises MalformedValue beyond 0 to 63.

    >>> encode_kinds({1, 3})
    10
    """
    bits = 0
    for kind in kinds:
        if not 0 <= kind < KINDS:
            raise MalformedValue(f"kinds: {kind}, expected 0 to {KINDS - 1}")
        bits |= 1 << kind
    return bits


def decode_kinds(bits: int) -> frozenset[int]:
    """Give the document kinds in the bits of a number."""
    return frozenset(kind for kind in range(KINDS) if bits >> kind & 1)


def mandate_slot(participant: int) -> int:
    """Give the storage slot of a participant's newest mandate word."""
    return latest_slot(load_artifact(_PARTICIPANTS).layout, participant)


def past_mandate_slot(participant: int, sequence: int) -> int:
    """Give the storage slot of an earlier mandate word, by its sequence number."""
    return past_slot(load_artifact(_PARTICIPANTS).layout, participant, sequence)


def count_slot() -> int:
    """Give the storage slot of the number of participants."""
    return load_artifact(_PARTICIPANTS).layout["participant_count"]


def seal_slot(participant: int) -> int:
    """Give the storage slot of the binding that stands for a participant's seal."""
    return mapping_slot(load_artifact(_PARTICIPANTS).layout["seals"], participant.to_bytes(32))


def seal_span_slot(participant: int, binding: bytes) -> int:
    """Give the storage slot of a binding's dates."""
    outer = mapping_slot(load_artifact(_PARTICIPANTS).layout["seal_spans"], participant.to_bytes(32))
    return mapping_slot(outer, binding)


def decode_seal_span(word: int) -> SealSpan:
    """Give the dates in a storage word, as a storage proof shows it."""
    mask = (1 << 40) - 1
    return SealSpan(word & mask, word >> 40 & mask, word >> 80 & mask)


def decode_mandate_word(word: int) -> Mandate:
    """Give the mandate in a storage word, as a storage proof shows it."""
    entry: Word = decode_word(word)
    fact = entry.fact
    return Mandate(
        status=MandateStatus(fact & 0xFF),
        roles=Role(fact >> 8 & 0xFF),
        authority=fact >> 16 & 0xFFFF,
        reason=fact >> 32 & 0xFFFF,
        kinds=decode_kinds(fact >> 48 & (1 << 64) - 1),
        valid_from=fact >> 112 & (1 << 40) - 1,
        valid_to=fact >> 152 & (1 << 40) - 1,
        since=entry.time,
        sequence=entry.sequence,
    )


def _int(value: object) -> int:
    return cast(int, value)


def _mandate(values: tuple[int, int, int, int, int, int, int, int, int]) -> Mandate:
    status, roles, authority, reason, kinds, valid_from, valid_to, since, sequence = values
    return Mandate(
        MandateStatus(status),
        Role(roles),
        authority,
        reason,
        decode_kinds(kinds),
        valid_from,
        valid_to,
        since,
        sequence,
    )


def _standing(values: tuple[int, int, int, bool]) -> Standing:
    participant, authority, roles, in_force = values
    return Standing(participant, authority, Role(roles), in_force)
