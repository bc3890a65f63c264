"""Options that commands about reads share: which records, groups and purposes, for whom, from when to when."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.errors import CommandError, Exit
from cocket.cli.participant import KINDS

if TYPE_CHECKING:
    from cocket.cli.grant_file import Network
    from cocket.cli.terms import Place

# As the ledger numbers them, from 1; here by name, so that --help needs none of the contracts' modules.
PURPOSES = (
    "import-clearance",
    "risk-analysis",
    "origin-verification",
    "audit",
    "court-order",
    "statistics",
    "trade-finance",
    "transport",
    "own-records",
)
EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
OUT = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The new file; it is not overwritten."
)
GROUPS = click.option(
    "--group",
    "groups",
    multiple=True,
    required=True,
    help="A field group by name (goods, origin ...), or * for all; the one that is never hidden is always among them.",
)
PURPOSE = click.option(
    "--purpose", "purposes", multiple=True, required=True, type=click.Choice(PURPOSES), help="What it may be read for."
)
FROM = click.option("--from", "first_day", default=None, help="First day, like 2026-11-23; default: from now on.")
TO = click.option("--to", "end_day", required=True, help="The day on which it ends (that day no longer counts).")
KIND = click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(sorted(KINDS)),
    default=("certificate-of-origin",),
    show_default=True,
    help="Kind of document, with --all and no batch.",
)
ANCHORED_FROM = click.option(
    "--anchored-from", default=None, help="First day of anchoring, with --all and no batch; default: the beginning."
)
ANCHORED_TO = click.option(
    "--anchored-to", default=None, help="Day on which that ends, with --all and no batch; default: never."
)
REASON = click.option(
    "--reason", type=click.IntRange(1, 65535), default=1, show_default=True, help="Reason code, for the ledger."
)


@dataclass(frozen=True, slots=True)
class Records:
    """The options that say which record, batch or records are meant."""

    record: Path | None
    batch: str | None
    index: int | None
    is_all: bool

    @property
    def is_any(self) -> bool:
        """Whether anything is said of which records."""
        return self.is_all or (self.record, self.batch, self.index) != (None, None, None)

    def find(self, network: "Network") -> "Place | None":
        """Return the place that is named, None when only ``--all``, or nothing, is said."""
        from cocket.cli.terms import parse_place

        return parse_place(self.record, self.batch, self.index, is_all=self.is_all, network=network)

    def require(self, network: "Network") -> "Place":
        """Return the place that is named.

        :raises CommandError: none is.
        """
        place = self.find(network)
        if place is None:
            raise CommandError("say which record: --record FILE, or --batch ROOT with --index N or --all", Exit.USAGE)
        return place


def record_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--record``, ``--batch``, ``--index`` and ``--all`` to a command, which gets them as ``records``."""

    @wraps(command)
    def record_command(
        *, record: Path | None, batch: str | None, index: int | None, is_all: bool, **others: object
    ) -> None:
        command(records=Records(record, batch, index, is_all), **others)

    for option in (
        click.option("--all", "is_all", is_flag=True, help="All records of the batch that is named, or of all."),
        click.option("--index", type=click.IntRange(min=0), help="The record's place in --batch."),
        click.option("--batch", default=None, help="A batch by its root, 0x and 64 hex digits."),
        click.option("--record", type=EXISTING, help="A certificate or presentation, whose record it is about."),
    ):
        record_command = option(record_command)
    return record_command
