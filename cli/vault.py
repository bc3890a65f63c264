"""``cocket vault``: holds sealed records, and gives their ciphertexts to who may read them, in its own process."""

from collections.abc import Iterator
from pathlib import Path

import click

from cocket.cli.account import Signing, signing_options
from cocket.cli.client import NodeClient, node_option
from cocket.cli.errors import CommandError, Exit
from cocket.cli.keeping import (
    account_of,
    accredit_it,
    announce_service,
    cadence_option,
    export_periods,
    folder_argument,
    host_option,
    keeper_status,
    make_home,
    new_folder_argument,
    passphrase_option,
    url_option,
)
from cocket.cli.output import json_option, note, show
from cocket.node.vault.settings import VAULT, KeeperHome


@click.group()
def vault() -> None:
    """Run a vault: it keeps sealed records, and gives them out when the contract allows a read."""


@vault.command(
    epilog="Example: cocket vault init ke-vault --account 0x8ba1f109551bd432803012645ac136ddd64dba72 "
    "--passphrase-file /run/ke-vault.passphrase"
)
@new_folder_argument
@click.option("--account", required=True, help="An account of who controls the records: a chamber's, say.")
@click.option(
    "--encryption-key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A key file of `cocket keys`, in a hardware module perhaps; default: a new key.",
)
@host_option
@click.option("--port", type=click.IntRange(0, 65535), default=8645, show_default=True, help="Port to listen on.")
@cadence_option
@passphrase_option
@node_option
@json_option
def init(
    folder: Path,
    account: str,
    encryption_key: Path | None,
    host: str,
    port: int,
    anchor_s: int,
    passphrase_file: Path | None,
    node_url: str,
    as_json: bool,
) -> None:
    """Make a vault's home FOLDER, with an encryption key that records are sealed to and an account for its receipts."""
    from cocket.cli.keys import PUBLIC_SUFFIX
    from cocket.cli.participant import parse_address
    from cocket.cli.parties import party_of

    client = NodeClient(node_url)
    party = party_of(client, parse_address(account))
    if not party:
        raise CommandError(f"account {account} is nobody's on this ledger; expected a participant's", Exit.NOT_FOUND)
    home = make_home(folder, VAULT, party, client, host, port, anchor_s, passphrase_file, encryption_key)
    public = home.encryption_key.with_suffix(PUBLIC_SUFFIX)
    show(
        as_json,
        {"folder": str(folder), "party": party, "account": account_of(home), "public_key_file": str(public)},
        [
            f"vault of party {party} in {folder}; records are sealed to {public}",
            accredit_it(home),
            f"then: cocket vault announce {folder} --url https://... --key KEY; cocket vault run {folder}",
        ],
    )


@vault.command(
    epilog="Example: cocket vault announce ke-vault --url https://vault.example:8645 --key keys/chamber.json"
)
@folder_argument
@url_option
@signing_options
@json_option
def announce(folder: Path, url: str, signing: Signing, as_json: bool) -> None:
    """Tell the ledger where the vault of FOLDER is and which certificate it shows; who controls its records signs."""
    service, block = announce_service(KeeperHome(folder), url, signing)
    answer = {"url": service.url, "certificate": service.certificate, "keeper": service.keeper, "block": block}
    show(as_json, answer, [f"readers find the vault at {url} since block {block}"])


@vault.command(epilog="Example: cocket vault run ke-vault")
@folder_argument
@passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Log one JSON object a line.")
def run(folder: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Run the vault of FOLDER until Ctrl-C or SIGTERM. The log goes to stderr."""
    from cocket.cli.keys import ask_passphrase
    from cocket.node.vault.service import run_keeper

    run_keeper(folder, ask_passphrase(passphrase_file), kind=VAULT, json_log=as_json)


@vault.command(epilog="Example: cocket vault receipts ke-vault --out receipts")
@folder_argument
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the files.")
@click.option("--first", type=click.IntRange(min=1), default=1, show_default=True, help="The first period's number.")
@json_option
def receipts(folder: Path, out: Path, first: int, as_json: bool) -> None:
    """Export the closed periods of receipts of FOLDER for an auditor; it may run meanwhile.

    They say who read what: give them to who may know that.
    """
    periods, count = export_periods(KeeperHome(folder), out, first)
    answer = {"periods": periods, "receipts": count, "folder": str(out)}
    show(as_json, answer, [f"{periods} periods with {count} receipts are in {out}"])


@vault.command(
    epilog="Example: cocket vault capability ke-vault --record issued/coffee.certificate.json --out coffee.reads.json"
)
@folder_argument
@click.option(
    "--record",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="The certificate whose reads are listed.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The new file, mode 0600.")
@json_option
def capability(folder: Path, record: Path, out: Path, as_json: bool) -> None:
    """Write the file by which a record's subject asks the vault of FOLDER who read it: to go with its copy.

    Who holds the file lists the reads of that record with `cocket document reads`, needs no key and no node for it, and
    can do nothing else.
    """
    from cocket.cli.listing import write_capability

    made = write_capability(KeeperHome(folder), record, out)
    answer = {"file": str(out), "batch": made.batch, "index": made.index, "url": made.url}
    show(as_json, answer, [f"{out}: give it to the record's subject, to nobody else; cocket document reads {out}"])


@vault.command(epilog="Example: cocket vault status ke-vault")
@folder_argument
@json_option
def status(folder: Path, as_json: bool) -> None:
    """Say what the ledger has of the vault of FOLDER, and whether it answers."""
    answer, sentences = keeper_status(KeeperHome(folder))
    show(as_json, answer, sentences)


@vault.command(epilog="Example: cocket vault store ke-vault sealed/coffee.manifest.json sealed/tea.manifest.json")
@folder_argument
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@passphrase_option
@json_option
def store(folder: Path, manifests: tuple[Path, ...], passphrase_file: Path | None, as_json: bool) -> None:
    """Put sealed records into the vault of FOLDER; it may run meanwhile.

    Each NAME.manifest.json stands for NAME.envelope and custody.json beside it. All parts must lead to a place in a
    batch on the ledger, and its controller must have signed the manifest. What is held already stays as it is.
    """
    from cocket.cli.depositing import deposit_all
    from cocket.cli.keys import ask_passphrase

    count, problems = deposit_all(KeeperHome(folder), manifests, ask_passphrase(passphrase_file))
    answer = {"stored": count, "refused": [{"file": str(path), "reason": reason} for path, reason in problems]}
    show(as_json, answer, [f"{count} of {len(manifests)} records are in the vault"])
    for path, reason in problems:
        note(f"{path}: {reason}")
    if problems:
        raise click.exceptions.Exit(Exit.REFUSED)


@vault.command(epilog="Example: cocket vault scrub ke-vault")
@folder_argument
@json_option
def scrub(folder: Path, as_json: bool) -> None:
    """Read everything that the vault of FOLDER holds, and name what is damaged; it may run meanwhile."""
    from cocket.node.vault.holdings import Holdings, Scrubbed
    from cocket.node.vault.shelves import open_shelf

    home = KeeperHome(folder)
    settings = home.settings()
    holdings = Holdings(open_shelf(home, settings, is_reader=True), settings.quota_bytes)

    def steps() -> Iterator[Scrubbed]:
        told = 0
        for step in holdings.scrub():
            if step.done_bytes * 10 // max(step.total_bytes, 1) > told:
                told = step.done_bytes * 10 // step.total_bytes
                note(f"{told * 10} % of {step.total_bytes} bytes")
            yield step

    looked = list(steps())
    damaged = [(step.name, step.problem) for step in looked if step.problem is not None]
    answer = {"objects": len(looked), "bytes": holdings.used_bytes, "damaged": [name for name, _ in damaged]}
    lines = [f"{len(looked)} objects, {holdings.used_bytes} bytes, {len(damaged)} damaged"]
    show(as_json, answer, [*lines, *[f"{name}: {problem}" for name, problem in damaged]])
    if damaged:
        raise click.exceptions.Exit(Exit.FAILED)
