"""The terms of a grant as a user says them: which records, which field groups, for what, from when to when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cocket.attestation.kinds import KINDS, NEVER_HIDDEN
from cocket.attestation.merkle import HASH_BYTES
from cocket.cli.access_options import PURPOSES
from cocket.cli.account import day_start_s, format_time, parse_day
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.grant_file import Network
from cocket.cli.participant import KINDS as KIND_NAMES
from cocket.contracts import access, certificates
from cocket.contracts.access import Purpose, Scope

"""The first group of each kind."""
ALL_GROUPS = "*"
ALWAYS_S = day_start_s(date(9999, 12, 31))
"""As the end of a period: never."""


@dataclass(frozen=True, slots=True)
class Place:
    """A record, or all of a batch (``index`` EVERY_INDEX), on the ledger; ``batch`` zeros: records by kind and time."""

    batch: bytes
    index: int

    @property
    def text(self) -> str:
        """Return what people call it."""
        if self.index == access.EVERY_INDEX:
            return f"all of batch 0x{self.batch.hex()}"
        return f"record {self.index} of batch 0x{self.batch.hex()}"


def parse_place(
    record: Path | None, batch: str | None, index: int | None, *, is_all: bool, network: Network
) -> Place | None:
    """Return the place that a user names by a certificate's file or by its root, None when neither is named.

    :raises CommandError: two are named, or no index and not all; or the file is of another network.
    """
    if record is not None and (batch is not None or index is not None):
        raise CommandError("--record FILE names batch and index already; leave --batch and --index out", Exit.USAGE)
    if record is not None:
        root, at = _place_in(record, network)
        return Place(root, access.EVERY_INDEX if is_all else at)
    if batch is None:
        if index is not None:
            raise CommandError("--index counts in a batch; name it with --batch", Exit.USAGE)
        return None
    if (index is None) != is_all:
        raise CommandError("name either --index N of the batch, or --all of it", Exit.USAGE)
    return Place(parse_hash(batch, "--batch"), access.EVERY_INDEX if index is None else index)


def _place_in(record: Path, network: Network) -> tuple[bytes, int]:
    from cocket.cli.certificate import anchor_of

    anchor = anchor_of(record)
    if (anchor.chain_id, anchor.genesis_hash) != (network.chain_id, network.genesis_hash):
        raise CommandError(
            f"{record}: anchored on chain {anchor.chain_id}, genesis 0x{anchor.genesis_hash.hex()}; the node is on "
            f"chain {network.chain_id}, genesis 0x{network.genesis_hash.hex()}",
            Exit.REFUSED,
        )
    return anchor.batch, anchor.index


def anchored_batch(client: NodeClient, place: Place, block: int | str = "latest") -> certificates.Batch:
    """Return what the ledger has of a place's batch.

    :raises CommandError: nothing, or a smaller one.
    """
    found = client.view(certificates.ADDRESS, certificates.batch(place.batch), block)
    if not found.anchored_at:
        raise CommandError(f"the ledger has no batch 0x{place.batch.hex()}", Exit.NOT_FOUND)
    if place.index != access.EVERY_INDEX and place.index >> found.depth:
        raise CommandError(
            f"batch 0x{place.batch.hex()} has {1 << found.depth} places, from 0; found index {place.index}",
            Exit.NOT_FOUND,
        )
    return found


def parse_hash(text: str, what: str) -> bytes:
    """Return the 32 bytes of a hash.

    :raises CommandError: anything but 0x and 64 hex digits.
    """
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != HASH_BYTES:
        raise CommandError(f"{what} {text[:80]!r}: expected 0x and 64 hexadecimal digits", Exit.USAGE)
    return raw


def parse_groups(names: Iterable[str], kind: int) -> frozenset[int]:
    """Return the numbers of field groups of a document kind, by name; ``*`` is all.

    The group that is never hidden is always among them: no read goes without it.

    :raises CommandError: the kind has no such group, or is none that we know.
    """
    known = _kind_groups(kind)
    wanted = set(names)
    if ALL_GROUPS in wanted:
        return frozenset(range(len(known)))
    if unknown := sorted(wanted - set(known)):
        raise CommandError(f"--group {unknown[0][:80]!r}: expected one of {', '.join(known)}, or *", Exit.USAGE)
    return frozenset({NEVER_HIDDEN, *[known.index(name) for name in wanted]})


def _kind_groups(kind: int) -> tuple[str, ...]:
    if kind not in KINDS:
        raise CommandError(f"documents of kind {kind} are of a newer version; their groups are not known", Exit.FAILED)
    return KINDS[kind].groups


def parse_purposes(names: Iterable[str]) -> frozenset[int]:
    """Return the numbers of purposes, by name."""
    return frozenset(Purpose(1 + PURPOSES.index(name)) for name in names)


def parse_kinds(names: Iterable[str]) -> frozenset[int]:
    """Return the numbers of document kinds, by name."""
    return frozenset(KIND_NAMES[name] for name in names)


def parse_anchoring(first: str | None, end: str | None) -> tuple[int, int]:
    """Return a period of anchoring, seconds since 1970: from the beginning and for ever where nothing is said.

    :raises CommandError: it ends before it begins.
    """
    period = day_start_s(parse_day(first)) if first else 0, day_start_s(parse_day(end)) if end else ALWAYS_S
    if period[0] >= period[1]:
        raise CommandError(f"--anchored-to {end} is not after --anchored-from {first or 'the beginning'}", Exit.USAGE)
    return period


def parse_period(first: str | None, end: str, now_s: int) -> tuple[int, int]:
    """Return from when to when, seconds since 1970: from the first day's beginning, or now; the end day is not in it.

    :raises CommandError: it ends before it begins.
    """
    period = now_s if first is None else day_start_s(parse_day(first)), day_start_s(parse_day(end))
    if period[0] >= period[1]:
        raise CommandError(f"--to {end} is not after {format_time(period[0])}, when it would begin", Exit.USAGE)
    return period


# -- back into words ---------------------------------------------------------------------------------------------------


def group_names(groups: Iterable[int], kind: int | None) -> list[str]:
    """Return the names of field groups, or their numbers where their kind is not known."""
    known = KINDS[kind].groups if kind in KINDS else ()
    return [known[group] if group < len(known) else str(group) for group in sorted(groups)]


def purpose_names(purposes: Iterable[int]) -> list[str]:
    """Return the names of purposes, or the numbers of those that have none here."""
    return [PURPOSES[number - 1] if number <= len(PURPOSES) else str(number) for number in sorted(purposes)]


def kind_names(kinds: Iterable[int]) -> list[str]:
    """Return the names of document kinds, or the numbers of those that have none here."""
    names = {number: name for name, number in KIND_NAMES.items()}
    return [names.get(kind, str(kind)) for kind in sorted(kinds)]


def extent_text(scope: Scope) -> str:
    """Return which records a scope reaches."""
    if scope.batch != bytes(HASH_BYTES):
        return Place(scope.batch, scope.index).text
    return f"{', '.join(kind_names(scope.kinds))} anchored {anchoring_text(scope.anchored_from, scope.anchored_to)}"


def anchoring_text(first: int, end: int) -> str:
    """Return a period of anchoring as people read it."""
    since = f"from {format_time(first)[:10]}" if first else ""
    until = f"until {format_time(end)[:10]}" if end < ALWAYS_S else ""
    return " ".join(each for each in (since, until) if each) or "at any time"
