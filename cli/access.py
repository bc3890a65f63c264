"""``cocket access``: who may read what: grants, delegations and orders, and why a reader may or may not read."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.access_options import (
    ANCHORED_FROM,
    ANCHORED_TO,
    EXISTING,
    FROM,
    GROUPS,
    KIND,
    OUT,
    PURPOSE,
    PURPOSES,
    REASON,
    TO,
    Records,
    record_options,
)
from cocket.cli.account import Signing, day_start_s, format_time, parse_day, signing_options
from cocket.cli.client import NodeClient, node_option
from cocket.cli.errors import CommandError, Exit
from cocket.cli.ordering import order, order_sign
from cocket.cli.output import json_option, show, table
from cocket.cli.restricting import decline_right, freeze, release, residency

if TYPE_CHECKING:
    from cocket.cli.standing import Standing


@click.group()
def access() -> None:
    """Grant, order, withdraw and freeze reads; list what stands; explain why a reader may or may not read."""


for _command in (order, order_sign, freeze, release, decline_right, residency):
    access.add_command(_command)


@access.command(
    epilog="Example: cocket access grant --reader BR --record issued/coffee.certificate.json --group goods "
    "--group origin --purpose import-clearance --to 2027-06-01 --out coffee.grant.json --key keys/chamber.json"
)
@click.option("--reader", required=True, help="An account (0x...), a participant's number, or an authority's country.")
@record_options
@KIND
@ANCHORED_FROM
@ANCHORED_TO
@GROUPS
@PURPOSE
@FROM
@TO
@click.option(
    "--daily-cap",
    type=click.IntRange(0, (1 << 32) - 1),
    default=0,
    show_default=True,
    help="How many records a day it may read in bulk; 0: one by one only.",
)
@OUT
@signing_options
@json_option
def grant(
    reader: str,
    records: Records,
    kinds: tuple[str, ...],
    anchored_from: str | None,
    anchored_to: str | None,
    groups: tuple[str, ...],
    purposes: tuple[str, ...],
    first_day: str | None,
    end_day: str,
    daily_cap: int,
    out: Path,
    signing: Signing,
    as_json: bool,
) -> None:
    """Let a reader read records of yours. The ledger gets a salted hash; the file that opens it goes to the reader.

    Which records: --record FILE; or --batch ROOT with --index N or --all; or --all alone: all of a kind that are
    anchored in a period, also later ones. A withdrawal stops later reads; what was read stays read.
    """
    from cocket.cli.committing import Wish, commit, grant_of

    wish = Wish(reader, records, kinds, anchored_from, anchored_to, groups, purposes, first_day, end_day, daily_cap)
    signatory = signing.open()
    made = commit(signatory, grant_of(signatory, wish), out)
    show(
        as_json,
        made.as_json(),
        [*made.sentences(signatory.client), f"give {out} to the reader, and keep a copy: nothing else opens it"],
    )


@access.command(
    epilog="Example: cocket access delegate --officer 0x8ba1f109551bd432803012645ac136ddd64dba72 --group '*' "
    "--purpose import-clearance --to 2027-01-01 --out officer.delegation.json --home trial/KE"
)
@click.option("--officer", required=True, help="The officer's account.")
@GROUPS
@PURPOSE
@FROM
@TO
@OUT
@signing_options
@json_option
def delegate(
    officer: str,
    groups: tuple[str, ...],
    purposes: tuple[str, ...],
    first_day: str | None,
    end_day: str,
    out: Path,
    signing: Signing,
    as_json: bool,
) -> None:
    """Let an officer with a key of its own read in your authority's place: these groups, for these purposes."""
    from cocket.cli.committing import commit, delegation_of

    signatory = signing.open()
    delegated = delegation_of(signatory, officer, groups, purposes, first_day, end_day)
    made = commit(signatory, delegated, out)
    show(as_json, made.as_json(), [*made.sentences(signatory.client), f"give {out} to the officer, and keep a copy"])


@access.command(epilog="Example: cocket access withdraw coffee.grant.json --reason 3 --key keys/chamber.json")
@click.argument("opening")
@REASON
@signing_options
@json_option
def withdraw(opening: str, reason: int, signing: Signing, as_json: bool) -> None:
    """End a grant, delegation or order of yours, by its file or by its hash (0x...). What was read stays read."""
    from cocket.cli.granting import load_opening, network_of
    from cocket.cli.terms import parse_hash
    from cocket.contracts import access as contract

    signatory = signing.open()
    path = Path(opening)
    if opening.startswith("0x") and not path.exists():
        commitment = parse_hash(opening, "commitment")
    else:
        commitment = load_opening(path, network_of(signatory.client)).commitment
    data = contract.withdraw(commitment=commitment, reason=reason)
    final = signatory.client.send(signatory.key, contract.ADDRESS, data)
    said = (
        f"withdrawn in block {final.block_number}, {format_time(final.block_time_s)}: reads are refused from then on; "
        "what was read before stays read"
    )
    answer = {"commitment": commitment, "block": final.block_number, "time": final.block_time_s}
    show(as_json, answer, [said])


@access.command(
    epilog="Example: cocket access request --batch 0xb1e9... --index 5 --group goods --group origin --purpose "
    "import-clearance --out coffee.read.json --home trial/SG"
)
@record_options
@GROUPS
@click.option("--purpose", required=True, type=click.Choice(PURPOSES), help="What it is read for.")
@click.option("--grant", "grant_file", type=EXISTING, help="The file of a grant, engagement or order for you.")
@click.option("--delegation", type=EXISTING, help="The file by which your authority delegated to you.")
@click.option("--vault", type=click.IntRange(min=1), help="Party whose vault is asked; default: who issued the record.")
@click.option("--from-index", type=click.IntRange(min=0), default=0, help="With --all: from where to go on.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The new file; with --all the folder. Nothing is overwritten.",
)
@click.option(
    "--attachments",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the files that the record attaches; they are read with the group that names them (commercial).",
)
@signing_options
@json_option
def request(
    records: Records,
    groups: tuple[str, ...],
    purpose: str,
    grant_file: Path | None,
    delegation: Path | None,
    vault: int | None,
    from_index: int,
    out: Path,
    attachments: Path | None,
    signing: Signing,
    as_json: bool,
) -> None:
    """Read field groups of a sealed record, from its vault and custodians, if the contract says that you may.

    What is read is a presentation in --out, mode 0600, and always has the group that is never hidden; `cocket verify`
    says what it is worth. Your signature over the request, and the receipts beside it, prove who read what for what.

    With --batch ROOT --all it reads in bulk what a grant with a daily cap opens of that batch, page by page, into the
    folder --out; it ends with the batch or with the day's cap, and says from where to go on.
    """
    from cocket.cli.requesting import Request
    from cocket.cli.requesting import request as read

    signatory = signing.open()
    asked = Request(records, groups, purpose, grant_file, delegation, vault)
    if records.is_all and attachments is not None:
        raise CommandError("--attachments is for one record; a bulk read fetches no files", Exit.USAGE)
    if records.is_all:
        from cocket.cli.bulk_requesting import request_all

        bulk = request_all(signatory, asked, out, from_index)
        show(as_json, bulk.as_json(), bulk.sentences())
        if bulk.problem is not None:
            raise click.exceptions.Exit(Exit.REFUSED)
        return
    found = read(signatory, asked, out, attachments)
    show(as_json, found.as_json(), found.sentences(signatory))


@access.command("list", epilog="Example: cocket access list grants/ --by 1 --node http://127.0.0.1:8546")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--by",
    "giver",
    default=None,
    help="Also what this party has on the ledger and no file here opens.",
)
@node_option
@json_option
def list_openings(paths: tuple[Path, ...], giver: str | None, node_url: str, as_json: bool) -> None:
    """List what these files, and all in these folders, open, and how each stands on the ledger.

    With --by: also the hashes that this party (an account, a participant's number, a country) has on the ledger and
    that no file here opens.
    """
    from cocket.cli.granting import network_of
    from cocket.cli.parties import find_party
    from cocket.cli.standing import found_in, unopened

    if not paths and giver is None:
        raise CommandError("name files or folders of grants, or --by whom", Exit.USAGE)
    client = NodeClient(node_url)
    head = client.block_number()
    listed: list[Standing] = found_in(client, paths, network_of(client), head)
    if giver is not None:
        listed += unopened(client, find_party(client, giver), {entry.commitment for entry in listed}, head)
    when = f"as of block {head}, {format_time(client.block_time_s(head))}"
    rows = [entry.row() for entry in listed]
    headings = ["file", "what", "reader", "records", "groups", "purposes", "from", "to", "state"]
    answer = {"block": head, "time": client.block_time_s(head)}
    show(
        as_json,
        {"as_of": answer, "openings": [entry.as_json() for entry in listed]},
        [*table(rows, headings), when] if rows else [f"nothing, {when}"],
    )


@access.command(
    epilog="Example: cocket access explain --reader BR --record issued/coffee.certificate.json --group goods "
    "--purpose import-clearance --grant coffee.grant.json --on 2026-12-01"
)
@click.option("--reader", required=True, help="An account (0x...), a participant's number, or an authority's country.")
@record_options
@GROUPS
@click.option("--purpose", required=True, type=click.Choice(PURPOSES), help="What it is read for.")
@click.option("--grant", "grants", multiple=True, type=EXISTING, help="A grant's or order's file that the reader has.")
@click.option("--delegation", type=EXISTING, help="The delegation's file of an officer.")
@click.option("--residency", "bound", type=EXISTING, help="The file of the countries that the batch is bound to.")
@click.option("--on", default=None, help="As of the end of that day, like 2026-11-23; default: now.")
@click.option("--block", type=click.IntRange(min=0), help="As of that block.")
@node_option
@json_option
def explain(
    reader: str,
    records: Records,
    groups: tuple[str, ...],
    purpose: str,
    grants: tuple[Path, ...],
    delegation: Path | None,
    bound: Path | None,
    on: str | None,
    block: int | None,
    node_url: str,
    as_json: bool,
) -> None:
    """Say why a reader may or may not read a record, as the contract decides it, with the rule it goes by.

    Asked of the node alone: what the files open does not go to the ledger. Whether the default right counts is seen
    with --record FILE, which shows the importing country. Exit code 0: it may; 3: it may not.
    """
    from cocket.cli.explaining import moment_block
    from cocket.cli.questioning import explain_as_of

    if on is not None and block is not None:
        raise CommandError("name either --on DATE or --block N", Exit.USAGE)
    client = NodeClient(node_url)
    at = block
    if at is None:
        at = client.block_number() if on is None else moment_block(client, day_start_s(parse_day(on)))
    explanation = explain_as_of(client, at, reader, records, groups, purpose, grants, delegation, bound)
    best = explanation.best
    as_of = {"block": at, "time": client.block_time_s(at)}
    answer = {**best.as_json(), "as_of": as_of, "ways": [way.as_json() for way in explanation.ways]}
    said = [
        f"{'YES' if best.decision.may_read else 'NO'}: {best.decision.text} (reason {int(best.decision.reason)}), "
        f"as of block {at}, {format_time(client.block_time_s(at))}"
    ]
    for way in explanation.ways:
        said.append(f"  {way.shown}: {'yes' if way.decision.may_read else 'no'}, {way.decision.text}")
        said += [f"    {rule}" for rule in way.rules]
    show(as_json, answer, said)
    if not best.decision.may_read:
        raise click.exceptions.Exit(Exit.REFUSED)
