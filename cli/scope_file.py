"""Scopes and delegations as JSON: what a grant opens, and what an officer may read. (``docs/formats.md``.)

Part of the files in :mod:`cocket.cli.grant_file`. Sets are arrays of their numbers, each once and in order.
"""

from cocket.attestation.batch import DEPTH_MAX
from cocket.attestation.canonical import INTEGER_MAX
from cocket.attestation.errors import InvalidFile
from cocket.attestation.members import Members, hexadecimal
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.reading.request import is_party
from cocket.attestation.signature import ADDRESS_BYTES
from cocket.contracts import access
from cocket.contracts.access import Delegation, Scope, ScopeKind

SALT_BYTES = 16
_KINDS_MAX = 64
_TIME_MAX = 253_402_300_800  # the year 10000
_AUTHORITIES_MAX = 1 << 8
_WORD_32 = 1 << 32

_SCOPE_NAMES = (
    "kind",
    "controller",
    "reader",
    "batch",
    "index",
    "kinds",
    "anchored_from",
    "anchored_to",
    "groups",
    "purposes",
    "daily_cap",
    "reference",
    "salt",
)


def scope_json(scope: Scope) -> dict[str, object]:
    """Return a scope as our files write it."""
    return {
        "kind": scope.kind.name.lower(),
        "controller": scope.controller,
        "reader": scope.reader,
        "batch": hexadecimal(scope.batch),
        "index": scope.index,
        "kinds": sorted(scope.kinds),
        "anchored_from": scope.anchored_from,
        "anchored_to": scope.anchored_to,
        "groups": sorted(scope.groups),
        "purposes": sorted(scope.purposes),
        "daily_cap": scope.daily_cap,
        "reference": hexadecimal(scope.reference),
        "salt": hexadecimal(scope.salt),
    }


def scope_of(node: object, *, is_order: bool) -> Scope:
    """Return the scope of an order, or of a grant or engagement, from its JSON; InvalidFile when it is none."""
    members = Members(node, "/scope", _SCOPE_NAMES)
    expected = (ScopeKind.ORDER,) if is_order else (ScopeKind.GRANT, ScopeKind.ENGAGEMENT)
    kinds = {kind.name.lower(): kind for kind in expected}
    kind = members.text("kind", 16)
    if kind not in kinds:
        raise members.refusal("kind", " or ".join(kinds))
    reader = members.number("reader", INTEGER_MAX + 1)
    if not is_party(reader):
        raise members.refusal("reader", "a party: an authority's number, or 2**32 and a participant's")
    controller = members.number("controller", _WORD_32)
    if not controller:
        raise members.refusal("controller", "a participant's number from 1")
    index = members.number("index", _WORD_32)
    if index >= 1 << DEPTH_MAX and index != access.EVERY_INDEX:
        raise members.refusal("index", f"an index below {1 << DEPTH_MAX}, or {access.EVERY_INDEX} for a whole batch")
    scope = Scope(
        kind=kinds[kind],
        controller=controller,
        reader=reader,
        batch=members.octets("batch", HASH_BYTES),
        index=index,
        kinds=members.numbers("kinds", range(_KINDS_MAX)),
        anchored_from=members.number("anchored_from", _TIME_MAX),
        anchored_to=members.number("anchored_to", _TIME_MAX),
        groups=groups_of(members),
        purposes=purposes_of(members),
        daily_cap=members.number("daily_cap", _WORD_32),
        reference=members.octets("reference", HASH_BYTES),
        salt=members.octets("salt", SALT_BYTES),
    )
    _require_one_extent(scope)
    return scope


def _require_one_extent(scope: Scope) -> None:
    """Refuse a scope that names both a batch and a period, or neither: the contract would look at one of them only."""
    wide = (bool(scope.kinds), scope.anchored_from < scope.anchored_to, scope.index == 0)
    narrow = (bool(scope.kinds), scope.anchored_from, scope.anchored_to)
    if not all(wide) if scope.batch == bytes(HASH_BYTES) else any(narrow):
        raise InvalidFile(
            "at /scope: found no one extent; expected a batch and an index with no kinds and no period, or a batch of "
            "zeros and index 0 with kinds and a period"
        )


def groups_of(members: Members) -> frozenset[int]:
    """Return field groups from members that have them; InvalidFile when there are none."""
    return members.numbers("groups", range(access.GROUPS_MAX), 1)


def purposes_of(members: Members) -> frozenset[int]:
    """Return purposes from members that have them; InvalidFile when there are none."""
    return members.numbers("purposes", range(1, access.PURPOSES_MAX), 1)


def period_of(members: Members, first: str, end: str) -> tuple[int, int]:
    """Return two times, the first before the other; InvalidFile otherwise."""
    times = members.number(first, _TIME_MAX), members.number(end, _TIME_MAX)
    if times[0] >= times[1]:
        raise members.refusal(end, f"a time after {first}")
    return times


def delegation_json(delegation: Delegation) -> dict[str, object]:
    """Return a delegation as our files write it."""
    return {
        "authority": delegation.authority,
        "officer": hexadecimal(delegation.officer),
        "groups": sorted(delegation.groups),
        "purposes": sorted(delegation.purposes),
        "salt": hexadecimal(delegation.salt),
    }


def delegation_of(node: object, place: str) -> Delegation:
    """Return the delegation at a place from its JSON; InvalidFile when it is none."""
    members = Members(node, place, ("authority", "officer", "groups", "purposes", "salt"))
    authority = members.number("authority", _AUTHORITIES_MAX)
    if not authority:
        raise members.refusal("authority", "an authority's number from 1")
    return Delegation(
        authority,
        members.octets("officer", ADDRESS_BYTES),
        groups_of(members),
        purposes_of(members),
        members.octets("salt", SALT_BYTES),
    )
