"""How grants, orders and delegations stand on the ledger: those in files, and those of a party that no file opens."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cocket.attestation.canonical import parse_json
from cocket.attestation.errors import InvalidDocument
from cocket.cli.account import format_time
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.grant_file import FILE_BYTES_MAX, FORMATS, Delegated, Grant, Network
from cocket.cli.granting import load_opening
from cocket.cli.parties import party_text
from cocket.cli.terms import extent_text, group_names, purpose_names
from cocket.contracts import access
from cocket.contracts.access import Commitment
from cocket.contracts.events import CommitmentMade, decode_log, event_topic

_CERTIFICATE_OF_ORIGIN = 1
FILES_MAX = 10_000
"""In one folder: each costs a question to the node."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One line of the list: a file, if any, what it opens, and what the ledger has of it at a time."""

    file: Path | None
    opening: Grant | Delegated | None
    commitment: bytes
    found: Commitment
    reader: str
    now_s: int

    @property
    def state(self) -> str:
        """Return how it stands, in a word."""
        found = self.found
        if not found.made_at:
            return "not on the ledger"
        if found.withdrawn_at:
            return "withdrawn"
        if self.now_s < found.valid_from:
            return "not yet"
        return "in force" if self.now_s < found.valid_to else "expired"

    def row(self) -> list[str]:
        """Return the cells for people."""
        found = self.found
        state = self.state
        if state == "withdrawn":
            state += f" {format_time(found.withdrawn_at)} (reason {found.reason})"
        days = [format_time(time_s)[:10] if found.made_at else "" for time_s in (found.valid_from, found.valid_to)]
        groups, purposes = self._words()
        what = "?" if self.opening is None else self.opening.what
        name = f"no file: 0x{self.commitment.hex()}" if self.file is None else self.file.name
        terms = [_shortened(self._records()), ", ".join(groups), ", ".join(purposes)]
        return [name, what, self.reader, *terms, *days, state]

    def as_json(self) -> dict[str, object]:
        """Return the fields for scripts."""
        found = self.found
        groups, purposes = self._words()
        return {
            "file": None if self.file is None else str(self.file),
            "what": None if self.opening is None else self.opening.what,
            "commitment": self.commitment,
            "reader": self.reader,
            "records": self._records(),
            "groups": groups,
            "purposes": purposes,
            "valid_from": found.valid_from,
            "valid_to": found.valid_to,
            "made_at": found.made_at,
            "withdrawn_at": found.withdrawn_at or None,
            "reason": found.reason or None,
            "party": found.party,
            "state": self.state,
        }

    def _records(self) -> str:
        return extent_text(self.opening.scope) if isinstance(self.opening, Grant) else ""

    def _words(self) -> tuple[list[str], list[str]]:
        opening = self.opening
        if opening is None:
            return [], []
        terms = opening.scope if isinstance(opening, Grant) else opening.delegation
        return group_names(terms.groups, _CERTIFICATE_OF_ORIGIN), purpose_names(terms.purposes)


def _shortened(text: str) -> str:
    """Return a text whose hashes are cut to what tells them apart in a table."""
    return re.sub("(0x[0-9a-f]{8})[0-9a-f]{56}", r"\1...", text)


def is_in_force(client: NodeClient, commitment: bytes, block: int) -> bool:
    """Whether a commitment stands on the ledger and counts, as of a block."""
    return _standing(client, None, None, commitment, "", block).state == "in force"


def found_in(client: NodeClient, paths: Iterable[Path], network: Network, block: int) -> list[Standing]:
    """Return how what these files open stands; of folders, all files in them that are grants, orders or delegations.

    :raises CommandError: a file that is named is none of these, or one is of another network.
    """
    return [standing_of(client, path, load_opening(path, network), block) for path in _files(paths)]


def standing_of(client: NodeClient, path: Path | None, opening: Grant | Delegated, block: int) -> Standing:
    """Return how what a file opens stands on the ledger, as of a block."""
    if isinstance(opening, Grant):
        reader = party_text(client, opening.scope.reader)
    else:
        reader = f"officer 0x{opening.delegation.officer.hex()}"
    return _standing(client, path, opening, opening.commitment, reader, block)


def unopened(client: NodeClient, party: int, known: set[bytes], block: int) -> list[Standing]:
    """Return how the commitments of a party stand that are not known; who reads by them the ledger does not say."""
    topics = [event_topic(CommitmentMade), None, party.to_bytes(32)]
    listed = []
    for entry in client.logs(access.ADDRESS, topics, 0, block):
        event = decode_log(entry.address, entry.topics, entry.data)
        if isinstance(event, CommitmentMade) and event.commitment not in known:
            listed.append(_standing(client, None, None, event.commitment, "?", block))
    return listed


def _standing(
    client: NodeClient, path: Path | None, opening: Grant | Delegated | None, commitment: bytes, reader: str, block: int
) -> Standing:
    found = client.view(access.ADDRESS, access.commitment_of(commitment), block)
    return Standing(path, opening, commitment, found, reader, client.block_time_s(block))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(each for each in path.iterdir() if each.is_file() and each.suffix == ".json")
        if len(inside) > FILES_MAX:
            raise CommandError(f"{path}: {len(inside)} files; expected at most {FILES_MAX} in a folder", Exit.USAGE)
        yield from (each for each in inside if _is_opening(each))


def _is_opening(path: Path) -> bool:
    """Whether a file in a folder says of itself that it is a grant, an order or a delegation."""
    if path.stat().st_size > FILE_BYTES_MAX:
        return False
    try:
        node = parse_json(read_bounded(path, FILE_BYTES_MAX), FILE_BYTES_MAX)
    except InvalidDocument:
        return False
    return isinstance(node, dict) and node.get("format") in FORMATS
