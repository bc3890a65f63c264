"""``cocket custodian``: an authority's service that lets records open when the contract allows it, a process apart."""

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
from cocket.cli.output import json_option, show
from cocket.node.vault.settings import CUSTODIAN, KeeperHome


@click.group()
def custodian() -> None:
    """Run an authority's custodian: it answers for its share of records when the contract allows a read."""


@custodian.command(
    epilog="Example: cocket custodian init sg-custodian --country SG --encryption-key sg/custodian/encryption.json "
    "--passphrase-file /run/sg-custodian.passphrase"
)
@new_folder_argument
@click.option("--country", required=True, help="The authority whose shares it holds, by its country.")
@click.option(
    "--encryption-key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="The authority's encryption key file, whose public key the ledger has.",
)
@host_option
@click.option("--port", type=click.IntRange(0, 65535), default=8745, show_default=True, help="Port to listen on.")
@cadence_option
@passphrase_option
@node_option
@json_option
def init(
    folder: Path,
    country: str,
    encryption_key: Path,
    host: str,
    port: int,
    anchor_s: int,
    passphrase_file: Path | None,
    node_url: str,
    as_json: bool,
) -> None:
    """Make a custodian's home FOLDER, with an account of its own for its receipts."""
    from cocket.contracts import consortium
    from cocket.node.encryption_key import load_public_key

    client = NodeClient(node_url)
    authority = client.view(consortium.ADDRESS, consortium.authority_of_country(country))
    if not authority:
        raise CommandError(f"{country}: no authority of that country on this ledger", Exit.NOT_FOUND)
    listed = client.view(
        consortium.ADDRESS,
        consortium.keys(client.view(consortium.ADDRESS, consortium.authority(authority)).keys_id),
    )
    public = load_public_key(encryption_key)
    if (listed.encryption_suite, listed.encryption_key) != (public.suite, public.encoded):
        raise CommandError(
            f"{encryption_key}: another public key than the ledger has of {country}; name the key that was registered",
            Exit.REFUSED,
        )
    home = make_home(folder, CUSTODIAN, authority, client, host, port, anchor_s, passphrase_file, encryption_key)
    show(
        as_json,
        {"folder": str(folder), "party": authority, "account": account_of(home)},
        [
            f"custodian of {country} (party {authority}) in {folder}",
            accredit_it(home),
            f"then: cocket custodian announce {folder} --url https://... --home HOME; cocket custodian run {folder}",
        ],
    )


@custodian.command(
    epilog="Example: cocket custodian announce sg-custodian --url https://custodian.example:8745 --home trial/SG"
)
@folder_argument
@url_option
@signing_options
@json_option
def announce(folder: Path, url: str, signing: Signing, as_json: bool) -> None:
    """Tell the ledger where the custodian of FOLDER is and what certificate it shows; the authority's admin signs."""
    service, block = announce_service(KeeperHome(folder), url, signing)
    answer = {"url": service.url, "certificate": service.certificate, "keeper": service.keeper, "block": block}
    show(as_json, answer, [f"readers find the custodian at {url} since block {block}"])


@custodian.command(epilog="Example: cocket custodian run sg-custodian")
@folder_argument
@passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Log one JSON object a line.")
def run(folder: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Run the custodian of FOLDER until Ctrl-C or SIGTERM. The log goes to stderr."""
    from cocket.cli.keys import ask_passphrase
    from cocket.node.vault.service import run_keeper

    run_keeper(folder, ask_passphrase(passphrase_file), kind=CUSTODIAN, json_log=as_json)


@custodian.command(epilog="Example: cocket custodian receipts sg-custodian --out receipts")
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


@custodian.command(epilog="Example: cocket custodian status sg-custodian")
@folder_argument
@json_option
def status(folder: Path, as_json: bool) -> None:
    """Say what the ledger has of the custodian of FOLDER, and whether it answers."""
    answer, sentences = keeper_status(KeeperHome(folder))
    show(as_json, answer, sentences)
