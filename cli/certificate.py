"""``cocket certificate``: check, issue, show, present, export, withdraw, supersede, use and verify certificates."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.account import Signing, day_start_s, format_time, on_option, parse_day, parse_when, signing_options
from cocket.cli.client import NodeClient, node_option
from cocket.cli.errors import CommandError, Exit
from cocket.cli.exchange import (
    AUDIENCE,
    NONCE,
    export_certificate,
    import_certificate,
    is_sd_jwt_file,
    present_sd_jwt,
    read_sd_jwt,
    refuse_sd_jwt,
)
from cocket.cli.files import read_bounded
from cocket.cli.keys import PASSPHRASE
from cocket.cli.output import json_option, show
from cocket.cli.printing import print_code
from cocket.cli.progress import progress_bars

if TYPE_CHECKING:
    from collections.abc import Callable

    from cocket.attestation.prove import Anchor, Certificate, Presentation
    from cocket.cli.progress import Progress

FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True))
FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
FINDINGS_SHOWN = 200
WHOLE_PPM = 1_000_000


@click.group()
def certificate() -> None:
    """Check, issue, show, present, print, bundle, export, withdraw, supersede, use, verify certificates of origin."""


certificate.add_command(export_certificate)
certificate.add_command(import_certificate)
certificate.add_command(print_code)


@certificate.command(epilog="Example: cocket certificate check coffee.json tea.json")
@FILES
@click.option("--invoice", default=None, help="Number of the commercial invoice the origin claim hangs on.")
@json_option
def check(files: tuple[Path, ...], invoice: str | None, as_json: bool) -> None:
    """Check documents against their schema, code lists and rules. Nothing is sent anywhere.

    Files hold one JSON object each; .jsonl files one a line. Each finding says where, what was found and what was
    expected.
    """
    from cocket.attestation.check import check as check_document
    from cocket.cli.issuing import list_sources, read_documents

    sources = list_sources(files)
    answers: list[dict[str, object]] = []
    sentences: list[str] = []
    unacceptable = 0
    for source, data in zip(sources, read_documents(sources), strict=True):
        report = check_document(data, invoice)
        unacceptable += not report.is_acceptable
        answers.append(
            {
                "document": source.name,
                "is_acceptable": report.is_acceptable,
                "findings": [
                    {
                        "severity": f.severity,
                        "rule": f.rule,
                        "pointer": f.pointer,
                        "found": f.found,
                        "expected": f.expected,
                    }
                    for f in report.findings
                ],
            }
        )
        if len(sentences) < FINDINGS_SHOWN:
            sentences.append(f"{source.name}: {'can be issued' if report.is_acceptable else 'cannot be issued'}")
            sentences += [f"  {finding.text()}" for finding in report.findings]
    sentences.append(f"{len(sources) - unacceptable} of {len(sources)} documents can be issued")
    show(as_json, {"documents": answers, "acceptable": len(sources) - unacceptable}, sentences)
    if unacceptable:
        raise click.exceptions.Exit(Exit.USAGE)


@certificate.command(
    epilog="Example: cocket certificate issue coffee.json tea.json --out issued --key keys/chamber.json"
)
@FILES
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder of this batch; run again with it to go on after an interruption.",
)
@click.option(
    "--for-country",
    "country",
    default="ZZ",
    show_default=True,
    help="ISO 3166 code of the importing country; ZZ: none stated.",
)
@click.option("--valid-from", default=None, help="First day, like 2026-11-23; default: today.")
@click.option("--valid-to", default=None, help="Day on which the validity ends; default: a year after the first.")
@click.option("--skip-invalid", is_flag=True, help="Issue the documents that pass, and report the others.")
@click.option("--decline-right", is_flag=True, help="Decline importing authorities' default right to read these.")
@signing_options
@json_option
def issue(
    files: tuple[Path, ...],
    out: Path,
    country: str,
    valid_from: str | None,
    valid_to: str | None,
    skip_invalid: bool,
    decline_right: bool,
    signing: Signing,
    as_json: bool,
) -> None:
    """Issue certificates: check, commit, anchor all as one batch, wait until final, write one file each.

    One file or a hundred thousand: one transaction. The certificate files open everything in them; they are the
    owner's, mode 0600. After an interruption the same command goes on and never anchors twice.
    """
    from cocket.cli import issuing

    first = parse_day(valid_from) if valid_from else datetime.now(UTC).date()
    end = parse_day(valid_to) if valid_to else _a_year_after(first)
    if end <= first:
        raise CommandError(f"--valid-to {end} is not after --valid-from {first}", Exit.USAGE)
    sources = issuing.list_sources(files)
    if not sources:
        raise CommandError("no documents in these files", Exit.USAGE)
    signatory = signing.open()
    with progress_bars() as progress:
        issued = issuing.issue(
            sources,
            out,
            signatory,
            country=country,
            valid_from=day_start_s(first),
            valid_to=day_start_s(end),
            are_dates_given=bool(valid_from or valid_to),
            skip_invalid=skip_invalid,
            progress=progress,
            declines_right=decline_right,
        )
    sentences = [
        f"{issued.certificates} certificates are final in block {issued.final.block_number}, "
        f"{format_time(issued.final.block_time_s)}"
        + (" (anchored by an earlier run)" if issued.was_anchored_before else ""),
        f"batch 0x{issued.root.hex()}; the certificate files are in {out}",
    ]
    if issued.refused:
        sentences.append(
            f"{len(issued.refused)} documents were refused and left out: "
            + ", ".join(name for name, _ in issued.refused[:10])
        )
    show(as_json, issuing.as_json(issued), sentences)


@certificate.command("show", epilog="Example: cocket certificate show issued/coffee.certificate.json")
@FILE
@json_option
def show_certificate(file: Path, as_json: bool) -> None:
    """Show what a certificate or presentation says, and where it is anchored. `verify` says whether it is true."""
    from cocket.attestation.prove import Certificate, whole

    shown = read_certificate(file)
    presentation = whole(shown) if isinstance(shown, Certificate) else shown
    fields = dict(presentation.fields())
    anchor = presentation.anchor
    answer: dict[str, object] = {"dialect": presentation.dialect, "fields": fields, "anchor": None}
    sentences = [f"{pointer}: {value}" for pointer, value in fields.items()]
    if anchor is not None:
        answer["anchor"] = {
            "chain_id": anchor.chain_id,
            "issuer": anchor.issuer,
            "batch": anchor.batch,
            "index": anchor.index,
        }
        sentences.append(
            f"anchored on chain {anchor.chain_id} by participant {anchor.issuer}: batch 0x{anchor.batch.hex()}, "
            f"item {anchor.index}"
        )
    else:
        sentences.append("not anchored")
    show(as_json, answer, sentences)


@certificate.command(
    epilog="Example: cocket certificate present issued/coffee.certificate.json --field goods --field /issuer/name "
    "--out coffee.json"
)
@FILE
@click.option(
    "--field",
    "selection",
    multiple=True,
    default=("*",),
    show_default=True,
    help="A group (goods, parties ...), a JSON Pointer, or * for all.",
)
@click.option("--hide-country", is_flag=True, help="Do not show the importing country.")
@click.option(
    "--holder-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Of an SD-JWT: sign as its holder with this key (P-256 in PEM), for --audience and --nonce.",
)
@AUDIENCE
@NONCE
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@PASSPHRASE
@json_option
def present(
    file: Path,
    selection: tuple[str, ...],
    hide_country: bool,
    holder_key: Path | None,
    audience: str | None,
    nonce: str | None,
    out: Path,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Make a presentation that shows some fields and proves them; the others stay closed.

    FILE is a certificate, or an SD-JWT that was exported: then the presentation is one too.
    """
    from cocket.attestation.files import encode_presentation
    from cocket.attestation.prove import present as present_fields
    from cocket.node.keystore import write_whole

    if is_sd_jwt_file(file):
        combined, pointers = present_sd_jwt(
            read_sd_jwt(file),
            selection,
            show_country=not hide_country,
            holder_key=holder_key,
            audience=audience,
            nonce=nonce,
            passphrase_file=passphrase_file,
        )
        data = combined.text.encode() + b"\n"
    else:
        if holder_key or audience or nonce:
            raise CommandError(f"{file}: no SD-JWT, so no holder signs for it; export it first", Exit.USAGE)
        presentation = present_fields(owned(file), selection, show_country=not hide_country)
        pointers = [pointer for pointer, _ in presentation.fields()]
        data = encode_presentation(presentation)
    if out.exists():
        raise CommandError(f"{out} exists; choose another file", Exit.REFUSED)
    write_whole(out, data, 0o644)
    show(
        as_json, {"file": str(out), "fields": pointers}, [f"{out} shows {len(pointers)} fields: {', '.join(pointers)}"]
    )


@certificate.command(
    epilog="Example: cocket certificate withdraw issued/coffee.certificate.json --reason 4 --key keys/chamber.json"
)
@FILE
@click.option("--reason", type=click.IntRange(1, 65535), default=1, show_default=True, help="Reason code.")
@signing_options
@json_option
def withdraw(
    file: Path,
    reason: int,
    signing: Signing,
    as_json: bool,
) -> None:
    """Withdraw a certificate for good. Its issuer may, and the authority that accredited the issuer."""
    from cocket.contracts import certificates

    anchor = anchor_of(file)
    signatory = signing.open()
    data = certificates.withdraw(batch=anchor.batch, index=anchor.index, reason=reason)
    final = signatory.client.send(signatory.key, certificates.ADDRESS, data)
    said = f"withdrawn in block {final.block_number}, {format_time(final.block_time_s)}"
    show(as_json, {"block": final.block_number, "time": final.block_time_s}, [said])


@certificate.command(
    epilog="Example: cocket certificate supersede old.certificate.json --by new.certificate.json "
    "--key keys/chamber.json"
)
@FILE
@click.option(
    "--by",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="The certificate that replaces it.",
)
@signing_options
@json_option
def supersede(
    file: Path,
    by: Path,
    signing: Signing,
    as_json: bool,
) -> None:
    """Replace a certificate by another of the same issuer."""
    from cocket.contracts import certificates

    old, new = anchor_of(file), anchor_of(by)
    signatory = signing.open()
    data = certificates.supersede(batch=old.batch, index=old.index, by_batch=new.batch, by_index=new.index)
    final = signatory.client.send(signatory.key, certificates.ADDRESS, data)
    said = f"superseded in block {final.block_number}, {format_time(final.block_time_s)}"
    show(as_json, {"block": final.block_number, "time": final.block_time_s}, [said])


@certificate.command(epilog="Example: cocket certificate use coffee.certificate.json --share 40 --home trial/SG")
@FILE
@click.option(
    "--share",
    default="100",
    show_default=True,
    help="Per cent of the goods claimed under it, with at most four decimals.",
)
@signing_options
@json_option
def use(
    file: Path,
    share: str,
    signing: Signing,
    as_json: bool,
) -> None:
    """Claim a certificate, or a share of it, for imported goods. More than the whole is refused by consensus."""
    from cocket.attestation.batch import country_hash
    from cocket.attestation.prove import Certificate, OpenCountry, integrity_of, whole
    from cocket.contracts import certificates

    share_ppm = parse_share(share)
    shown = read_certificate(file)
    anchor = anchor_in(shown, file)
    presentation = whole(shown) if isinstance(shown, Certificate) else shown
    integrity = integrity_of(presentation)
    if integrity.problems or integrity.document_root is None:
        problem = integrity.problems[0].text() if integrity.problems else "it leads to no root"
        raise CommandError(f"the certificate was changed since it was issued: {problem}", Exit.VERIFICATION_NO)
    country = presentation.country
    destination = country_hash(country.salt, country.country) if isinstance(country, OpenCountry) else country
    signatory = signing.open()
    data = certificates.use(
        batch=anchor.batch,
        index=anchor.index,
        document_root=integrity.document_root,
        destination=destination,
        path=anchor.path,
        share_ppm=share_ppm,
    )
    final = signatory.client.send(signatory.key, certificates.ADDRESS, data)
    used = signatory.client.view(certificates.ADDRESS, certificates.item(anchor.batch, anchor.index)).used_ppm
    when = f"block {final.block_number}, {format_time(final.block_time_s)}"
    said = f"{share_ppm / 10_000:g} % used in {when}; {used / 10_000:g} % of it in all"
    show(as_json, {"block": final.block_number, "time": final.block_time_s, "used_ppm": used}, [said])


@certificate.command(epilog="Example: cocket certificate verify coffee.certificate.json --on 2026-12-01")
@FILE
@on_option
@node_option
@json_option
def verify(file: Path, on: str | None, node_url: str, as_json: bool) -> None:
    """Give the verdict on a certificate or presentation: each answer yes, no or could not check, with its reason.

    Exit code 0: good; 5: something speaks against it; 6: something could not be checked.
    """
    from cocket.cli.judging import Source, exit_of, judge

    day = parse_when(on) if on else datetime.now(UTC).date()
    judged = judge(file, Source(node_url), day)
    show(as_json, judged.as_json(), judged.sentences())
    if code := exit_of([judged]):
        raise click.exceptions.Exit(code)


@certificate.command(epilog="Example: cocket certificate bundle coffee.presentation.json --out coffee.bundle")
@FILE
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The new file; it is not overwritten."
)
@click.option(
    "--from",
    "checkpoint",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A checkpoint to begin at; default: the genesis.",
)
@click.option("--height", type=click.IntRange(min=1), help="The block to tell of; default: the node's last one.")
@node_option
@json_option
def bundle(file: Path, out: Path, checkpoint: Path | None, height: int | None, node_url: str, as_json: bool) -> None:
    """Make a file that proves the verdict offline: the fields shown, headers, seals and storage proofs from an anchor.

    FILE is a presentation, or a certificate, of which everything is shown then. `cocket verify` reads it offline.
    """
    from cocket.attestation.prove import Certificate, present
    from cocket.cli.bundling import make_bundle
    from cocket.cli.judging import parse_anchor
    from cocket.node.bundle.checkpoint import Checkpoint
    from cocket.node.bundle.file import encode_bundle
    from cocket.node.keystore import write_whole

    if out.exists():
        raise CommandError(f"{out} exists; choose another file", Exit.REFUSED)
    shown = read_certificate(file)
    presentation = present(shown) if isinstance(shown, Certificate) else shown
    anchor = None if checkpoint is None else parse_anchor(str(checkpoint))
    assert not isinstance(anchor, bytes), "a file is a checkpoint"
    with progress_bars() as progress:
        made = make_bundle(NodeClient(node_url), presentation, anchor, height, _changes_progress(progress))
    data = encode_bundle(made)
    write_whole(out, data, 0o644)
    head = made.head.header
    begin = "the genesis" if not isinstance(anchor, Checkpoint) else f"the checkpoint of block {anchor.height}"
    day = datetime.fromtimestamp(head.timestamp + 1, UTC).date() - timedelta(days=1)
    moment = f"{datetime.fromtimestamp(head.timestamp, UTC):%Y-%m-%dT%H:%M:%SZ}"
    answer = {
        "file": str(out),
        "bytes": len(data),
        "block": head.number,
        "time": head.timestamp,
        "last_day": day.isoformat(),
        "last_moment": moment,
        "changes_of_validators": len(made.changes),
        "genesis_hash": presentation.anchor.genesis_hash if presentation.anchor else None,
    }
    said = [
        f"{out}: {len(data)} bytes, from {begin} over {len(made.changes)} changes of the validators to block "
        f"{head.number}, {format_time(head.timestamp)}",
        f"It can say everything of days up to {day}: cocket verify {out} --on {day} --anchor ...; and of {moment}",
    ]
    show(as_json, answer, said)


def _changes_progress(report: "Progress") -> "Callable[[int, int], None]":
    def progress(done: int, whole: int) -> None:
        report("proving" if whole else "finding", done, whole or done)

    return progress


def read_certificate(path: Path) -> "Certificate | Presentation":
    """Read a certificate or presentation file, or the text of a printed one's code.

    :raises CommandError: it is neither.
    """
    from cocket.attestation.errors import AttestationError
    from cocket.attestation.files import FILE_BYTES_MAX, decode_file
    from cocket.attestation.printed import decode_printed, is_printed

    data = read_bounded(path, FILE_BYTES_MAX)
    refuse_sd_jwt(path, data)
    try:
        return decode_printed(data).presentation if is_printed(data) else decode_file(data)
    except AttestationError as error:
        raise CommandError(f"{path}: {error}", Exit.USAGE) from None


def anchor_of(path: Path) -> "Anchor":
    """Return where a file's certificate is anchored.

    :raises CommandError: it is not.
    """
    return anchor_in(read_certificate(path), path)


def anchor_in(shown: "Certificate | Presentation", path: Path) -> "Anchor":
    """Return where a certificate that was read from a file is anchored.

    :raises CommandError: it is not.
    """
    if shown.anchor is None:
        raise CommandError(f"{path}: not anchored, so the ledger knows nothing of it", Exit.NOT_FOUND)
    return shown.anchor


def parse_share(text: str) -> int:
    """Return a share written in per cent as millionths of the whole.

    :raises CommandError: not a number, not above 0, above 100, or finer than the ledger counts.

    >>> parse_share("37.5")
    375000
    """
    try:
        share_ppm = Decimal(text) * (WHOLE_PPM // 100)
        if share_ppm == share_ppm.to_integral_value() and 0 < share_ppm <= WHOLE_PPM:
            return int(share_ppm)
    except ArithmeticError:
        pass
    raise CommandError(
        f"--share {text[:40]!r}: expected per cent above 0 and up to 100 with at most four decimals, like 37.5",
        Exit.USAGE,
    )


def owned(path: Path) -> "Certificate":
    """Read an owner's certificate file.

    :raises CommandError: it is none, or a presentation.
    """
    from cocket.attestation.prove import Certificate

    shown = read_certificate(path)
    if not isinstance(shown, Certificate):
        raise CommandError(f"{path}: a presentation; only the owner's certificate file shows other fields", Exit.USAGE)
    return shown


def _a_year_after(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year + 1, month=3, day=1)
