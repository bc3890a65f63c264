"""``cocket document``: seal certificates for a vault and custodians, and bring sealed ones under another custody."""

import secrets
from collections.abc import Callable
from copy import copy
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.access_options import REASON, Records, record_options
from cocket.cli.account import Signing, format_time, signing_options
from cocket.cli.certificate import present
from cocket.cli.client import NodeClient, node_option
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.keys import PASSPHRASE, ask_passphrase
from cocket.cli.output import json_option, show, table

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from cocket.attestation.sealing.hpke import Opener
    from cocket.cli.custody import Terms

EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
FOLDER = click.Path(path_type=Path, file_okay=False)
MANIFESTS = click.argument("manifests", nargs=-1, required=True, type=EXISTING)
RECOVERY_KEY = click.option(
    "--recovery-key", type=EXISTING, required=True, help="The recovery key's file, put together again."
)
RECOVERY_PASSPHRASE = click.option(
    "--recovery-passphrase-file",
    "recovery_passphrase_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File (mode 0600) with the passphrase of the recovery key; asked for when absent.",
)
PAPER_BYTES_MAX = 4096


def custody_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say under which custody; a command gets them as ``terms``."""

    @wraps(command)
    def custody_command(
        *,
        countries: tuple[str, ...],
        threshold: int | None,
        vault_key: Path,
        recovery_public_key: Path,
        **others: object,
    ) -> None:
        from cocket.cli.custody import Terms

        command(terms=Terms(countries, threshold, vault_key, recovery_public_key), **others)

    for option in (
        click.option(
            "--recovery",
            "recovery_public_key",
            type=EXISTING,
            required=True,
            help="Public key that opens all of it when custodians are gone; its private part belongs offline.",
        ),
        click.option("--vault-key", type=EXISTING, required=True, help="Public key of the vault."),
        click.option(
            "--threshold",
            type=click.IntRange(min=1),
            default=None,
            help="How many custodians must answer; default: more than half.",
        ),
        click.option(
            "--custodian",
            "countries",
            multiple=True,
            help="Country of an authority whose custodian holds a share; default: your authority alone.",
        ),
    ):
        custody_command = option(custody_command)
    return custody_command


@click.group()
def document() -> None:
    """Seal documents, open them by the recovery key, bring them under another custody; present and erase them."""


_present = copy(present)
_present.epilog = "Example: cocket document present issued/coffee.certificate.json --field goods --out coffee.json"
document.add_command(_present)


@document.command(epilog="Example: cocket document attach coffee.json scans/invoice.pdf --out coffee-attached.json")
@click.argument("file", type=EXISTING)
@click.argument("attachments", nargs=-1, required=True, type=EXISTING)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The new document.")
@click.option("--media-type", default=None, help="Like application/pdf; default: by each file's name.")
@json_option
def attach(file: Path, attachments: tuple[Path, ...], out: Path, media_type: str | None, as_json: bool) -> None:
    """Name files in a document by their SHA-256 (`relatedResource`), before it is issued: scans, PDFs, of any size.

    What is attested then holds the files too. They are sealed with the record (`document seal --attachments`); who
    reads the group that names them (commercial) reads them, and nobody else.
    """
    from cocket.cli.attaching import attach as attach_all
    from cocket.node.keystore import write_whole

    if out.exists():
        raise CommandError(f"{out} exists; choose another name", Exit.REFUSED)
    write_whole(out, attach_all(file, attachments, media_type), 0o644)
    answer = {"file": str(out), "attached": [path.name for path in attachments]}
    show(as_json, answer, [f"{out} names {len(attachments)} files; issue it, and keep them for `document seal`"])


@document.command(
    epilog="Example: cocket document seal issued/*.certificate.json --out sealed --custodian KE --custodian NL "
    "--custodian SG --custodian BR --threshold 2 --vault-key ke-vault/keys/encryption.public.json "
    "--recovery keys/recovery.public.json --key keys/chamber.json"
)
@click.argument("files", nargs=-1, required=True, type=EXISTING)
@click.option("--out", type=FOLDER, required=True, help="Folder for manifests, envelopes and the custody.")
@click.option(
    "--attachments",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder with the files that the certificates attach, under the names that they have there.",
)
@custody_options
@signing_options
@json_option
def seal(
    files: tuple[Path, ...], out: Path, attachments: Path | None, terms: "Terms", signing: Signing, as_json: bool
) -> None:
    """Seal certificates of one batch, which must be on the ledger: each field group under a key of its own.

    The keys are shared among the custodians, whose keys the ledger has; without as many as must answer, nobody opens a
    record, not its vault either. After an interruption the same command begins anew.
    """
    from cocket.cli.progress import progress_bars
    from cocket.cli.sealing import seal as seal_all

    signatory = signing.open()
    with progress_bars() as progress:
        sealed = seal_all(files, out, signatory, terms, progress, attachments)
    show(as_json, sealed.as_json(), sealed.sentences())


@document.command(
    "open",
    epilog="Example: cocket document open sealed/coffee.manifest.json --recovery-key keys/recovery.json --out opened",
)
@MANIFESTS
@RECOVERY_KEY
@RECOVERY_PASSPHRASE
@click.option("--out", type=FOLDER, required=True, help="Folder for what is opened, mode 0600.")
@json_option
def open_sealed(
    manifests: tuple[Path, ...], recovery_key: Path, recovery_passphrase_file: Path | None, out: Path, as_json: bool
) -> None:
    """Open sealed records whole by the recovery key, without ledger, vault or custodian, and leave no receipt."""
    from cocket.cli.resealing import find_stored, open_records

    stored = find_stored(manifests)
    with _recovery(recovery_key, recovery_passphrase_file) as key:
        written = open_records(stored, key, out)
    answer = {"opened": [str(path) for path in written]}
    show(as_json, answer, [f"{path}" for path in written])


@document.command(
    epilog="Example: cocket document rewrap sealed/*.manifest.json --out rewrapped --recovery-key keys/recovery.json "
    "--custodian KE --custodian NL --threshold 2 --vault-key vault.public.json --recovery recovery.public.json "
    "--key keys/chamber.json"
)
@MANIFESTS
@RECOVERY_KEY
@RECOVERY_PASSPHRASE
@click.option("--out", type=FOLDER, required=True, help="Another folder, for what `cocket vault store` takes.")
@custody_options
@signing_options
@json_option
def rewrap(
    manifests: tuple[Path, ...],
    recovery_key: Path,
    recovery_passphrase_file: Path | None,
    out: Path,
    terms: "Terms",
    signing: Signing,
    as_json: bool,
) -> None:
    """Change who can open stored records; the ciphertexts stay. It withdraws nothing.

    Who had a key keeps it, and the former custodians still answer for whoever kept the former manifest. To end that,
    encrypt anew: `cocket document reencrypt`.
    """
    _reseal(manifests, recovery_key, recovery_passphrase_file, out, terms, signing, as_json, is_anew=False)


@document.command(
    epilog="Example: cocket document reencrypt sealed/*.manifest.json --out anew --recovery-key keys/recovery.json "
    "--custodian KE --custodian NL --threshold 2 --vault-key vault.public.json --recovery recovery.public.json "
    "--key keys/chamber.json"
)
@MANIFESTS
@RECOVERY_KEY
@RECOVERY_PASSPHRASE
@click.option("--out", type=FOLDER, required=True, help="Another folder, for what `cocket vault store` takes.")
@custody_options
@signing_options
@json_option
def reencrypt(
    manifests: tuple[Path, ...],
    recovery_key: Path,
    recovery_passphrase_file: Path | None,
    out: Path,
    terms: "Terms",
    signing: Signing,
    as_json: bool,
) -> None:
    """Encrypt stored records anew, under new keys of the next epoch; former keys open none of the new ciphertexts.

    Copies of the former ciphertexts stay open to who has their keys: have them destroyed. To change custodians only,
    `cocket document rewrap` is enough.
    """
    _reseal(manifests, recovery_key, recovery_passphrase_file, out, terms, signing, as_json, is_anew=True)


@document.command(
    epilog="Example: cocket document erase --record issued/coffee.certificate.json --reason 2 --key keys/chamber.json"
)
@record_options
@REASON
@click.option("--vault", type=click.IntRange(min=1), help="Party whose vault is asked; default: who issued the record.")
@click.option(
    "--custodian", "countries", multiple=True, help="Country of a custodian; default: all that the vault knows."
)
@signing_options
@json_option
def erase(
    records: Records,
    reason: int,
    vault: int | None,
    countries: tuple[str, ...],
    signing: Signing,
    as_json: bool,
) -> None:
    """Have a record forgotten for good by its vault and its custodians; its controller or that one's authority signs.

    The vault takes ciphertexts, manifest and opening away; custodians answer for the record no more. Each keeps a
    receipt as tombstone, which a restored backup obeys. A record that its authority froze stays (legal hold), and so
    does one within its vault's retention, unless its authority asks. Copies handed on before are not reached.
    """
    from cocket.cli.erasing import erase as erase_all
    from cocket.cli.granting import network_of
    from cocket.cli.parties import find_authority

    signatory = signing.open()
    place = records.require(network_of(signatory.client))
    custodians = [find_authority(signatory.client, country) for country in countries]
    told = erase_all(signatory, place, reason, vault, custodians)
    is_done = all(each.problem is None for each in told)
    answer = {"is_erased": is_done, "keepers": [each.as_json() for each in told]}
    show(as_json, answer, [each.sentence for each in told])
    if not is_done:
        raise click.exceptions.Exit(Exit.REFUSED)


@document.command(epilog="Example: cocket document receipts --record issued/coffee.certificate.json ke-vault-receipts/")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--record", type=EXISTING, required=True, help="The certificate whose reads are listed.")
@node_option
@json_option
def receipts(paths: tuple[Path, ...], record: Path, node_url: str, as_json: bool) -> None:
    """List who read a record, for what, and who was refused, from periods of receipts (files or folders).

    An authority is named and never its officer. `cocket audit receipts` says whether the periods are as anchored.
    """
    from cocket.cli.auditing import READ_HEADINGS, load_pages_beside, load_periods, read_cells, read_row, receipts_of
    from cocket.cli.certificate import anchor_of

    client = NodeClient(node_url)
    anchor = anchor_of(record)
    found = receipts_of(load_periods(paths), load_pages_beside(paths), anchor.batch, anchor.index)
    rows = [read_row(client, receipt) for receipt in found]
    answer = {"batch": anchor.batch, "index": anchor.index, "reads": rows}
    lines = table([read_cells(row) for row in rows], READ_HEADINGS)
    show(as_json, answer, lines if rows else ["nobody asked for it in these periods"])


@document.command(epilog="Example: cocket document reads coffee.reads.json")
@click.argument("capability", type=EXISTING)
@click.option("--node", "node_url", default=None, help="Ask this node where the vault is; default: as the file says.")
@json_option
def reads(capability: Path, node_url: str | None, as_json: bool) -> None:
    """List who read a record, for what, and who was refused, as its vault tells who holds a CAPABILITY.

    It came with the copy of the record. Reads for a purpose that the authorities delay are told later.
    """
    from cocket.cli.auditing import READ_HEADINGS, read_cells
    from cocket.cli.listing import list_reads, row_json

    listing = list_reads(capability, node_url)
    rows = [row_json(row, listing.kind) for row in listing.rows]
    answer = {"reads": rows, "block": listing.block_number, "time": listing.time_s, "is_complete": listing.is_complete}
    lines = table([read_cells(row) for row in rows], READ_HEADINGS) if rows else ["nobody asked for it"]
    show(as_json, answer, [*lines, f"as of block {listing.block_number}, {format_time(listing.time_s)}"])


@document.group()
def recovery() -> None:
    """Write the recovery key in parts on paper, and put it together again."""


@recovery.command(
    epilog="Example: cocket document recovery split keys/recovery.json --threshold 3 --parts 5 --out paper"
)
@click.argument("key_file", type=EXISTING)
@click.option("--threshold", type=click.IntRange(1, 16), required=True, help="How many parts give the key back.")
@click.option("--parts", type=click.IntRange(1, 16), required=True, help="How many parts there are.")
@click.option("--out", type=FOLDER, required=True, help="Folder for the parts, one line a file, mode 0600.")
@PASSPHRASE
@json_option
def split(key_file: Path, threshold: int, parts: int, out: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Write a key in parts, to be copied by hand or printed; then destroy the files, and the key's file too."""
    from cocket.attestation.sealing.paper import encode_paper_share, paper_bytes, paper_shares
    from cocket.node.encryption_key import load_encryption_key
    from cocket.node.keystore import write_whole

    if threshold > parts:
        raise CommandError(f"--threshold {threshold}; expected at most the number of parts, {parts}", Exit.USAGE)
    paths = [out / f"part-{number}.txt" for number in range(1, parts + 1)]
    if there := [path for path in paths if path.exists()]:
        raise CommandError(f"{there[0]} exists; choose another folder", Exit.REFUSED)
    key = load_encryption_key(key_file, ask_passphrase(passphrase_file))
    shares = paper_shares(key, threshold, parts, secrets.token_bytes(paper_bytes(threshold)))
    for path, share in zip(paths, shares, strict=True):
        write_whole(path, encode_paper_share(share).encode() + b"\n")
    show(
        as_json,
        {"parts": [str(path) for path in paths], "threshold": threshold},
        [f"{parts} parts in {out}, any {threshold} of which give the key back", "give each to another keeper"],
    )


@recovery.command(
    epilog="Example: cocket document recovery combine part-1.txt part-4.txt part-5.txt --out keys/recovery.json"
)
@click.argument("parts", nargs=-1, required=True, type=EXISTING)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The key's new file.")
@PASSPHRASE
@json_option
def combine(parts: tuple[Path, ...], out: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Put a key together from its parts, into an encrypted file."""
    from cocket.attestation.errors import InvalidFile
    from cocket.attestation.sealing.paper import decode_paper_share, restore
    from cocket.node.encryption_key import save_encryption_key

    shares = []
    for path in parts:
        try:
            shares.append(decode_paper_share(read_bounded(path, PAPER_BYTES_MAX).decode("ascii", "replace").strip()))
        except InvalidFile as error:
            raise CommandError(f"{path}: {error}", Exit.USAGE) from None
    key = restore(shares)
    save_encryption_key(out, key, ask_passphrase(passphrase_file, confirm=True))
    show(as_json, {"file": str(out), "suite": key.suite.name}, [f"the key is in {out}"])


def _reseal(
    manifests: tuple[Path, ...],
    recovery_key: Path,
    recovery_passphrase_file: Path | None,
    out: Path,
    terms: "Terms",
    signing: Signing,
    as_json: bool,
    *,
    is_anew: bool,
) -> None:
    from cocket.cli.progress import progress_bars
    from cocket.cli.resealing import find_stored, reseal

    stored = find_stored(manifests)
    with _recovery(recovery_key, recovery_passphrase_file) as key:
        signatory = signing.open()
        with progress_bars() as progress:
            sealed = reseal(stored, key, out, signatory, terms, progress, is_anew=is_anew)
    said = (
        "encrypted anew: keys of before open none of it; see that former ciphertexts are destroyed"
        if is_anew
        else "re-wrapped: it changes who can open what is stored, and withdraws nothing"
    )
    show(as_json, {**sealed.as_json(), "is_encrypted_anew": is_anew}, [*sealed.sentences(), said])


def _recovery(path: Path, passphrase_file: Path | None) -> "AbstractContextManager[Opener]":
    from cocket.node.encryption_key import opened_encryption_key

    return opened_encryption_key(path, ask_passphrase(passphrase_file))
