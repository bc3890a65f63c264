"""``cocket audit``: hold the receipts that vaults and custodians exported to what they anchored on the ledger."""

from pathlib import Path

import click

from cocket.cli.client import NodeClient, node_option
from cocket.cli.errors import Exit
from cocket.cli.output import json_option, show, table


@click.group()
def audit() -> None:
    """Find what was deleted, added, reordered or told in two ways in the receipts of vaults and custodians."""


@audit.command(
    epilog="Example: cocket audit receipts ke-vault-receipts/ sg-custodian-receipts/ --held coffee.read.receipts.json"
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--held",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Receipts that a reader was given: each must be among those exported.",
)
@click.option(
    "--cadence",
    type=click.IntRange(min=1),
    default=3600,
    show_default=True,
    help="Seconds in which a keeper anchors; what waited longer than twice that is late.",
)
@click.option("--block", type=click.IntRange(min=1), help="Judge what was anchored until that block; default: all.")
@click.option("--list", "is_listed", is_flag=True, help="Also list every read.")
@node_option
@json_option
def receipts(
    paths: tuple[Path, ...],
    held: tuple[Path, ...],
    cadence: int,
    block: int | None,
    is_listed: bool,
    node_url: str,
    as_json: bool,
) -> None:
    """Check periods of receipts (files or folders of them) against the roots on the ledger, which alone are believed.

    Exit code 0: all is as anchored; 5: something is not. Without a finding nothing was deleted, added, moved or told in
    two ways. Of a read that was never written down, and of which no reader shows a receipt, receipts say nothing.
    """
    from cocket.cli.auditing import READ_HEADINGS, load_held, load_periods, read_cells, read_row
    from cocket.cli.auditing import audit as audit_all

    client = NodeClient(node_url)
    found = list(audit_all(client, load_periods(paths), load_held(held), cadence, block))
    lines = [line for each in found for line in each.sentences(client)]
    answer: dict[str, object] = {"keepers": [each.as_json() for each in found]}
    if is_listed:
        rows = [read_row(client, receipt) for each in found for receipt in each.receipts]
        answer["reads"] = rows
        lines += table([read_cells(row) for row in rows], READ_HEADINGS)
    answer["is_as_anchored"] = not any(each.findings for each in found)
    show(as_json, answer, lines)
    if not answer["is_as_anchored"]:
        raise click.exceptions.Exit(Exit.VERIFICATION_NO)
