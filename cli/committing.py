"""Making grants, orders and delegations: the file is on the disk before its hash goes to the ledger.

Without its file a commitment opens nothing for ever: so nothing is sent before the file, with its salt, is written.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cocket.attestation.merkle import HASH_BYTES
from cocket.cli.access_options import Records
from cocket.cli.account import Signatory, format_time
from cocket.cli.client import Final, NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.grant_file import Delegated, Grant, encode_opening
from cocket.cli.granting import network_of
from cocket.cli.participant import parse_address
from cocket.cli.parties import find_party, participant_behind, party_text
from cocket.cli.scope_file import SALT_BYTES
from cocket.cli.terms import (
    anchored_batch,
    extent_text,
    group_names,
    parse_anchoring,
    parse_groups,
    parse_kinds,
    parse_period,
    parse_purposes,
    purpose_names,
)
from cocket.contracts import access, consortium, participants
from cocket.contracts.access import FIRST_PARTICIPANT, Delegation, Scope, ScopeKind
from cocket.node.keystore import write_whole

_CERTIFICATE_OF_ORIGIN = 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user wishes to grant, in the user's words."""

    reader: str
    records: Records
    kinds: tuple[str, ...]
    anchored_from: str | None
    anchored_to: str | None
    groups: tuple[str, ...]
    purposes: tuple[str, ...]
    first_day: str | None
    end_day: str
    daily_cap: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """What stands on the ledger now, and the file that opens it."""

    opening: Grant | Delegated
    out: Path
    final: Final

    def as_json(self) -> dict[str, object]:
        """Return the fields for scripts."""
        return {
            "file": str(self.out),
            "what": self.opening.what,
            "commitment": self.opening.commitment,
            "valid_from": self.opening.valid_from,
            "valid_to": self.opening.valid_to,
            "block": self.final.block_number,
            "time": self.final.block_time_s,
        }

    def sentences(self, client: NodeClient) -> list[str]:
        """Return what was made as people read it."""
        opening = self.opening
        period = f"from {format_time(opening.valid_from)} until {format_time(opening.valid_to)}"
        if isinstance(opening, Grant):
            scope = opening.scope
            kind = next(iter(scope.kinds), _CERTIFICATE_OF_ORIGIN)
            names, purposes = group_names(scope.groups, kind), purpose_names(scope.purposes)
            said = f"{party_text(client, scope.reader)} may read {', '.join(names)} of {extent_text(scope)}"
        else:
            delegation = opening.delegation
            names, purposes = group_names(delegation.groups, _CERTIFICATE_OF_ORIGIN), purpose_names(delegation.purposes)
            said = f"officer 0x{delegation.officer.hex()} may read {', '.join(names)} in its authority's place"
        return [
            f"{said} for {', '.join(purposes)}, {period}",
            f"{opening.what} 0x{opening.commitment.hex()} stands since block {self.final.block_number}, "
            f"{format_time(self.final.block_time_s)}",
        ]


def commit(signatory: Signatory, opening: Grant | Delegated, out: Path) -> Made:
    """Write a file and let what it opens stand on the ledger.

    :raises CommandError: the file is there already.
    :raises ContractRefusal: the contract said no; no file is left.
    """
    if out.exists():
        raise CommandError(f"{out} exists; choose another file", Exit.REFUSED)
    data = access.commit(commitment=opening.commitment, valid_from=opening.valid_from, valid_to=opening.valid_to)
    raw = signatory.client.prepare(signatory.key, access.ADDRESS, data)
    write_whole(out, encode_opening(opening))
    return Made(opening, out, signatory.client.send_until_final(raw))


def grant_of(signatory: Signatory, wish: Wish) -> Grant:
    """Return a wish of a controller as the grant of its own records.

    :raises CommandError: the key is no participant's, the record another's, or a name is unknown.
    """
    controller = participant_behind(signatory.client, signatory.address)
    return _grant(signatory.client, wish, ScopeKind.GRANT, controller, bytes(HASH_BYTES))


def order_of(signatory: Signatory, wish: Wish, controller: str | None, reference: bytes) -> Grant:
    """Return a wish of an authority as its order, not signed yet: on a record or batch, or on all of a controller's.

    :raises CommandError: the key is no authority's, the records are under another authority, or a name is unknown.
    """
    client = signatory.client
    authority = own_authority(signatory)
    place = wish.records.find(network_of(client))
    if (place is None) != (controller is not None):
        raise CommandError("name the --controller with --all and no batch, and only then", Exit.USAGE)
    if place is not None:
        record = anchored_batch(client, place)
        over, participant, what = record.authority, record.participant, place.text
    else:
        party = find_party(client, str(controller))
        participant = party - FIRST_PARTICIPANT
        if participant <= 0:
            raise CommandError(f"--controller {controller}: an authority; records are participants'", Exit.USAGE)
        over = client.view(participants.ADDRESS, participants.authority_over(participant))
        what = f"participant {participant}"
    if over != authority:
        raise CommandError(
            f"{what} is under {party_text(client, over)}; an authority orders only reads of what is under itself",
            Exit.REFUSED,
        )
    return _grant(client, wish, ScopeKind.ORDER, participant, reference)


def own_authority(signatory: Signatory) -> int:
    """Return the authority whose admin signs.

    :raises CommandError: none.
    """
    authority = signatory.client.view(consortium.ADDRESS, consortium.authority_of(signatory.address))
    if not authority:
        raise CommandError("only the admin key of an authority may do this; name its --home", Exit.REFUSED)
    return authority


def _grant(client: NodeClient, wish: Wish, kind: ScopeKind, controller: int, reference: bytes) -> Grant:
    network = network_of(client)
    place = wish.records.find(network)
    kinds: frozenset[int] = frozenset()
    anchored = (0, 0)
    if place is None:
        if not wish.records.is_all:
            raise CommandError(
                "say which records: --record FILE, --batch ROOT with --index N or --all, or --all of a kind", Exit.USAGE
            )
        kinds, anchored = parse_kinds(wish.kinds), parse_anchoring(wish.anchored_from, wish.anchored_to)
        of_kind = min(kinds)
    else:
        if wish.anchored_from or wish.anchored_to:
            raise CommandError("--anchored-from and --anchored-to go with --all and no batch", Exit.USAGE)
        record = anchored_batch(client, place)
        if record.participant != controller:
            raise CommandError(
                f"{place.text} is participant {record.participant}'s, not participant {controller}'s: only its own "
                "records can be granted",
                Exit.REFUSED,
            )
        of_kind = record.kind
    scope = Scope(
        kind=kind,
        controller=controller,
        reader=find_party(client, wish.reader),
        batch=bytes(HASH_BYTES) if place is None else place.batch,
        index=0 if place is None else place.index,
        kinds=kinds,
        anchored_from=anchored[0],
        anchored_to=anchored[1],
        groups=parse_groups(wish.groups, of_kind),
        purposes=parse_purposes(wish.purposes),
        daily_cap=wish.daily_cap,
        reference=reference,
        salt=secrets.token_bytes(SALT_BYTES),
    )
    return Grant(network, scope, *_period(client, wish.first_day, wish.end_day))


def _period(client: NodeClient, first_day: str | None, end_day: str) -> tuple[int, int]:
    return parse_period(first_day, end_day, client.block_time_s(client.block_number()))


def delegation_of(
    signatory: Signatory,
    officer: str,
    groups: Sequence[str],
    purposes: Sequence[str],
    first_day: str | None,
    end_day: str,
) -> Delegated:
    """Return an authority's delegation to an officer.

    :raises CommandError: the key is no authority's, or a name is unknown.
    """
    client = signatory.client
    delegation = Delegation(
        own_authority(signatory),
        parse_address(officer),
        parse_groups(groups, _CERTIFICATE_OF_ORIGIN),
        parse_purposes(purposes),
        secrets.token_bytes(SALT_BYTES),
    )
    return Delegated(network_of(client), delegation, *_period(client, first_day, end_day))
