"""``cocket audit``: receipts held to what was anchored of them, and the provenance of a record."""

from pathlib import Path

import click

from cocket.cli.access_options import PURPOSES, Records, record_options
from cocket.cli.account import Signing, signing_options
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


@audit.command(
    epilog="Example: cocket audit fetch --engagement audit-2026.grant.json --batch 0xb1e9... --all "
    "--out ke-vault-receipts --key keys/auditor.json"
)
@click.option(
    "--engagement",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="The grant's file that the controller's commitment to the engagement made.",
)
@record_options
@click.option("--purpose", type=click.Choice(PURPOSES), default="audit", show_default=True, help="One agreed on.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the files.")
@signing_options
@json_option
def fetch(engagement: Path, records: Records, purpose: str, out: Path, signing: Signing, as_json: bool) -> None:
    """Get the receipts of a controller's vault by an engagement with it, while that is in force.

    The contract decides, about a record or batch that the engagement reaches. Periods that are in --out already are not
    fetched again. `cocket audit receipts` then holds them to what was anchored.
    """
    from cocket.cli.fetching import fetch_periods
    from cocket.cli.granting import network_of

    signatory = signing.open()
    place = records.require(network_of(signatory.client))
    new, last = fetch_periods(signatory, engagement, place, purpose, out)
    answer = {"folder": str(out), "new": new, "last": last}
    show(as_json, answer, [f"{new} new periods, the last is {last}; `cocket audit receipts {out}` checks them"])


@audit.command(epilog="Example: cocket audit provenance issued/coffee.certificate.json --receipts ke-vault-receipts/")
@click.argument("record", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--receipts",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="Periods of receipts that you have, files or folders: its reads come from them.",
)
@node_option
@json_option
def provenance(record: Path, paths: tuple[Path, ...], node_url: str, as_json: bool) -> None:
    """Tell who attested a record under which mandate, what became of it, and who read it: each line with its proof.

    RECORD is a certificate or a presentation of it. What is public comes from the node's final blocks, reads from the
    receipts that you name. Exit code 5 when a receipt does not lead to what was anchored.
    """
    from cocket.cli.auditing import load_pages_beside, load_periods
    from cocket.cli.certificate import anchor_of
    from cocket.cli.provenance import HEADINGS
    from cocket.cli.provenance import provenance as lines_of

    client = NodeClient(node_url)
    anchor = anchor_of(record)
    lines = lines_of(client, anchor, load_periods(paths) if paths else {}, load_pages_beside(paths))
    answer = {"batch": anchor.batch, "index": anchor.index, "lines": [line.as_json() for line in lines]}
    said = table([line.cells() for line in lines], HEADINGS)
    if not paths:
        said.append("of reads nothing is said: name --receipts that you have")
    show(as_json, answer, said)
    if not all(line.is_proven for line in lines):
        raise click.exceptions.Exit(Exit.VERIFICATION_NO)
