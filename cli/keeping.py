"""What ``cocket vault`` and ``cocket custodian`` have in common: making a home, announcing it, asking how it is."""

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from cocket.attestation.transport import fingerprint_of, new_transport_certificate
from cocket.cli.account import Signing
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.keys import PUBLIC_SUFFIX, ask_passphrase
from cocket.node.vault.settings import KeeperHome, KeeperSettings

if TYPE_CHECKING:
    from cocket.contracts.access import Service, ServiceKind

CERTIFICATE_BYTES_MAX = 1 << 16
KEY_FILE_BYTES_MAX = 1 << 16

folder_argument = click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
new_folder_argument = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
host_option = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="COCKET_PASSPHRASE_FILE",
    help="File (mode 0600) with the passphrase of its keys; best where it is on no disk. Asked for when absent.",
)
cadence_option = click.option(
    "--anchor-every",
    "anchor_s",
    type=click.IntRange(1, 86400),
    default=3600,
    show_default=True,
    help="Seconds in which it anchors its receipts, read or not; all the network's keepers had best have the same.",
)
url_option = click.option(
    "--url", required=True, help="Where readers reach it: https://host:port, at most 128 characters."
)


def make_home(
    folder: Path,
    kind: str,
    party: int,
    client: NodeClient,
    host: str,
    port: int,
    anchor_s: int,
    passphrase_file: Path | None,
    encryption_key: Path | None,
) -> KeeperHome:
    """Make the home of a vault or custodian: keys, certificate, settings. Settings come last, whole or not at all.

    :raises CommandError: there is one already.
    """
    from cocket.node.encryption_key import (
        encode_public_key,
        new_encryption_key,
        opened_encryption_key,
        save_encryption_key,
    )
    from cocket.node.keystore import new_key, save_key, write_whole
    from cocket.node.vault.settings import format_settings

    home = KeeperHome(folder)
    if home.config.exists():
        raise CommandError(f"{home.config} exists; choose another folder", Exit.REFUSED)
    settings = KeeperSettings(
        kind=kind,
        party=party,
        chain_id=client.chain_id(),
        genesis_hash="0x" + client.genesis_hash().hex(),
        node=client.url,
        host=host,
        port=port,
        anchor_s=anchor_s,
    )
    passphrase = ask_passphrase(passphrase_file, confirm=encryption_key is None)
    if encryption_key is None:
        key = new_encryption_key()
        save_encryption_key(home.encryption_key, key, passphrase)
        public = key.public
    else:
        with opened_encryption_key(encryption_key, passphrase) as opened:
            public = opened.public
        write_whole(home.encryption_key, read_bounded(encryption_key, KEY_FILE_BYTES_MAX))
    write_whole(home.encryption_key.with_suffix(PUBLIC_SUFFIX), encode_public_key(public), 0o644)
    save_key(home.account, new_key(), passphrase)
    certificate_key, certificate = new_transport_certificate(
        f"cocket {kind} of {party}", int(time.time()), secrets.token_bytes(16)
    )
    write_whole(home.certificate_key, certificate_key)
    write_whole(home.certificate, certificate, 0o644)
    write_whole(home.config, format_settings(settings).encode(), 0o644)
    return home


def account_of(home: KeeperHome) -> str:
    """Return the address of a keeper's own account; nothing is opened."""
    from cocket.node.keystore import key_address

    return "0x" + key_address(home.account).hex()


def announce_service(home: KeeperHome, url: str, signing: Signing) -> tuple["Service", int]:
    """Tell the ledger where a home's service is, signed by the party itself; return that and the block.

    :raises CommandError: its account is of nobody yet, or who signs is another party.
    """
    from cocket.cli.participant import parse_address
    from cocket.cli.parties import party_of
    from cocket.contracts import access
    from cocket.contracts.access import Service

    settings = home.settings()
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None:
        raise CommandError(f"--url {url!r}: expected https://host:port", Exit.USAGE)
    signatory = signing.open()
    client = signatory.client
    party = party_of(client, signatory.address)
    if party != settings.party:
        raise CommandError(
            f"the key that signs acts for party {party}; the service is of party {settings.party}", Exit.REFUSED
        )
    keeper = party_of(client, parse_address(account_of(home)))
    if not keeper:
        raise CommandError(f"account {account_of(home)} is nobody's on the ledger: {accredit_it(home)}", Exit.REFUSED)
    certificate = fingerprint_of(read_bounded(home.certificate, CERTIFICATE_BYTES_MAX))
    service = Service(keeper, certificate, url)
    data = access.serve(kind=service_kind(settings.kind), keeper=keeper, certificate=certificate, url=url)
    final = client.send(signatory.key, access.ADDRESS, data)
    return service, final.block_number


def accredit_it(home: KeeperHome) -> str:
    """Return the command by which an authority makes a keeper's account a participant."""
    return (
        f"its authority accredits it: cocket participant accredit --role service --name NAME --account "
        f"{account_of(home)} --to DATE --home HOME"
    )


def service_kind(kind: str) -> "ServiceKind":
    """Return what the ledger calls a kind of keeper."""
    from cocket.contracts.access import ServiceKind

    return ServiceKind[kind.upper()]


def export_periods(home: KeeperHome, out: Path, first: int) -> tuple[int, int]:
    """Write a keeper's closed periods into a folder, one file each; return how many, and how many receipts.

    :raises CommandError: its account is nobody's, or there is none closed yet.
    """
    from cocket.cli.auditing import save_period
    from cocket.cli.participant import parse_address
    from cocket.cli.parties import party_of
    from cocket.node.vault.bulk import pages_of
    from cocket.node.vault.periods import closed_periods
    from cocket.node.vault.settings import octets_of

    settings = home.settings()
    keeper = party_of(NodeClient(settings.node), parse_address(account_of(home)))
    if not keeper:
        raise CommandError(f"account {account_of(home)} is nobody's on the ledger: {accredit_it(home)}", Exit.REFUSED)
    periods = receipts = 0
    for period in closed_periods(home.receipts, octets_of(settings.genesis_hash, 32), keeper, first):
        save_period(out, period, pages_of(home.receipts, period))
        periods += 1
        receipts += len(period.receipts)
    if not periods:
        raise CommandError(
            f"no period from {first} on is closed yet; one is every {settings.anchor_s} s", Exit.NOT_FOUND
        )
    return periods, receipts


def keeper_status(home: KeeperHome) -> tuple[dict[str, object], list[str]]:
    """Return what the ledger has of a keeper, and whether it answers there: as an object, and in sentences."""
    from cocket.cli.participant import parse_address
    from cocket.cli.parties import party_of
    from cocket.contracts import access
    from cocket.node.errors import Unavailable
    from cocket.node.vault.connection import ask_health

    settings = home.settings()
    client = NodeClient(settings.node)
    service = client.view(access.ADDRESS, access.service_of(settings.party, service_kind(settings.kind)))
    keeper = party_of(client, parse_address(account_of(home)))
    anchored = client.view(access.ADDRESS, access.receipts_anchored(keeper)) if keeper else 0
    own = fingerprint_of(read_bounded(home.certificate, CERTIFICATE_BYTES_MAX))
    is_announced = bool(service.url) and (service.keeper, service.certificate) == (keeper, own)
    problem: str | None = "the ledger does not name it: announce it"
    if is_announced:
        try:
            problem = ask_health(service, f"the {settings.kind}")
        except Unavailable as error:
            problem = str(error)
    answer: dict[str, object] = {
        "kind": settings.kind,
        "party": settings.party,
        "account": account_of(home),
        "keeper": keeper,
        "url": service.url,
        "announced": is_announced,
        "answers": problem is None,
        "problem": problem,
        "periods_anchored": anchored,
    }
    sentences = [
        f"{settings.kind} of party {settings.party}, at {service.url or 'no address on the ledger'}",
        f"its receipts are of party {keeper}: {anchored} periods are anchored"
        if keeper
        else f"its account is nobody's: {accredit_it(home)}",
        "it answers" if problem is None else f"it does not answer: {problem}",
    ]
    return answer, sentences
