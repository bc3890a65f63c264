"""``cocket certificate export`` and ``import``: certificates as SD-JWTs (RFC 9901), for wallets and other readers."""

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.keys import PASSPHRASE, ask_passphrase
from cocket.cli.output import json_option, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cocket.attestation.sdjwt.binding import Challenge
    from cocket.attestation.sdjwt.combined import Combined
    from cocket.attestation.sdjwt.issuer import Issuer
    from cocket.attestation.sdjwt.verification import Verified

_EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
OUT = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The new file; it is not overwritten."
)
AUDIENCE = click.option("--audience", default=None, help="Whom the holder's signature is for, like a URL.")
NONCE = click.option("--nonce", default=None, help="What the verifier asked the holder to sign.")
BINDING_AGE_S = 300  # a presentation is answered while both are there; a nonce alone says nothing of when


@click.command(
    "export",
    epilog="Example: cocket certificate export issued/coffee.certificate.json --to sd-jwt --key seal.pem "
    "--certificate seal.crt --holder wallet.pub --out coffee.sd-jwt",
)
@click.argument("file", type=_EXISTING)
@click.option(
    "--to", "form", type=click.Choice(["sd-jwt"]), default="sd-jwt", show_default=True, help="The form to write."
)
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Seal key: P-256 in PEM, under a passphrase.",
)
@click.option(
    "--certificate", "certificates", type=_EXISTING, help="The seal key's certificate in PEM, then its chain."
)
@click.option("--holder", type=_EXISTING, help="Public key in PEM that presentations can be bound to.")
@OUT
@PASSPHRASE
@json_option
def export_certificate(
    file: Path,
    form: str,
    key_file: Path,
    certificates: Path | None,
    holder: Path | None,
    out: Path,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Sign a certificate for readers of RFC 9901, with all its disclosures, and write it to a file.

    The file opens everything, so it is its owner's, mode 0600; `cocket certificate present` shows parts of it. The seal
    key signs with ES256. Whether its certificate is in force is not checked here.
    """
    from cocket.attestation.finding import shown
    from cocket.attestation.sdjwt.issuance import issue
    from cocket.attestation.sdjwt.issuer import Issuer
    from cocket.cli.certificate import owned
    from cocket.node.keystore import write_whole
    from cocket.node.pem_key import load_pem_key

    _refuse_existing(out)
    certificate = owned(file)
    holder_key = None if holder is None else read_issuer(holder).key
    issuer = None if certificates is None else read_issuer(certificates)
    if issuer is not None and not issuer.chain:
        raise CommandError(f"{certificates}: a public key; --certificate takes certificates", Exit.USAGE)
    key = load_pem_key(key_file, ask_passphrase(passphrase_file))
    if issuer is not None and issuer.key != key.public:
        raise CommandError(f"{certificates}: the first certificate is of another key than {key_file}", Exit.REFUSED)
    issuer = issuer or Issuer(key.public)
    combined = issue(certificate, issuer, key.sign, _now(), holder_key)
    write_whole(out, combined.text.encode() + b"\n")
    answer: dict[str, object] = {
        "file": str(out),
        "form": form,
        "bytes": len(combined.text),
        "disclosures": len(combined.disclosures),
        "key": key.public.thumbprint,
        "subject": issuer.subject,
        "holder": None if holder_key is None else holder_key.thumbprint,
    }
    by = f"key {key.public.thumbprint}" + (f" of {shown(issuer.subject)}" if issuer.subject else "")
    whom = f"its holder is key {holder_key.thumbprint}" if holder_key else "no holder's key is in it"
    show(
        as_json,
        answer,
        [
            f"{out}: an SD-JWT of {len(combined.disclosures)} disclosures, signed with {by}; {whom}",
            "It opens everything: keep it as you would a signed original.",
        ],
    )


@click.command(
    "import",
    epilog="Example: cocket certificate import coffee.sd-jwt --issuer seal.crt --audience https://customs.example "
    "--nonce n-0S6_WzA2Mj --out coffee.json",
)
@click.argument("file", type=_EXISTING)
@click.option(
    "--issuer", "issuer_file", type=_EXISTING, required=True, help="PEM of the seal's certificate or public key."
)
@click.option("--trust", type=_EXISTING, help="Certificates that you trust (PEM): the seal's must lead to one of them.")
@click.option("--crl", "crls", multiple=True, type=_EXISTING, help="With --trust: a certificate revocation list.")
@AUDIENCE
@NONCE
@click.option(
    "--binding-age",
    "age_s_max",
    type=click.IntRange(min=1),
    default=BINDING_AGE_S,
    show_default=True,
    help="Seconds that the holder's signature may be old.",
)
@OUT
@json_option
def import_certificate(
    file: Path,
    issuer_file: Path,
    trust: Path | None,
    crls: tuple[Path, ...],
    audience: str | None,
    nonce: str | None,
    age_s_max: int,
    out: Path,
    as_json: bool,
) -> None:
    """Check an SD-JWT of ours and make a presentation of it, which `verify`, `show` and `bundle` read.

    Checks the signature by the issuer's key that you have, all digests, the document root and the batch; with
    --audience and --nonce also that its holder signed it for you; with --trust and --crl that the seal's certificate
    led to somebody you trust when it sealed, and was not revoked. Exit code 5: something does not hold, 6: something
    could not be checked; nothing is written then.
    """
    from cocket.attestation.files import encode_presentation
    from cocket.attestation.sdjwt.verification import verify
    from cocket.node.keystore import write_whole

    _refuse_existing(out)
    issuer = read_issuer(issuer_file)
    challenge = _challenge(audience, nonce, age_s_max)
    combined = read_sd_jwt(file)
    with naming(file):
        verified = verify(combined, issuer, challenge)
    contents = verified.contents
    if contents is None or verified.problems:
        problems = [{"pointer": one.pointer, "found": one.found, "expected": one.expected} for one in verified.problems]
        said = [f"{file} DOES NOT HOLD; nothing was written", *(f"  {one.text()}" for one in verified.problems)]
        show(as_json, {"holds": False, "file": None, "problems": problems}, said)
        raise click.exceptions.Exit(Exit.VERIFICATION_NO)
    seal = [] if trust is None else _seal_checks(file, issuer, contents.issued_at, trust, crls)
    write_whole(out, encode_presentation(contents.presentation), 0o644)
    checked, unchecked = _checks(issuer, verified, len(combined.disclosures), challenge, seal)
    answer: dict[str, object] = {
        "holds": True,
        "file": str(out),
        "problems": [],
        "fields": [pointer for pointer, _ in contents.presentation.fields()],
        "document_root": contents.integrity.document_root,
        "batch": contents.integrity.batch_root,
        "issued_at": contents.issued_at,
        "key": issuer.key.thumbprint,
        "subject": issuer.subject,
        "checked": checked,
        "not_checked": unchecked,
    }
    sentences = [
        f"{out}: a presentation of {len(list(contents.presentation.fields()))} fields",
        *(f"  checked: {one}" for one in checked),
        *(f"  NOT checked: {one}" for one in unchecked),
    ]
    show(as_json, answer, sentences)


def _checks(
    issuer: "Issuer", verified: "Verified", disclosures: int, challenge: "Challenge | None", seal: "Sequence[str]"
) -> "tuple[Sequence[str], Sequence[str]]":
    """Return what of an SD-JWT that holds was checked, and what was not."""
    from cocket.attestation.finding import shown

    assert verified.contents is not None, "only asked for what holds"
    root, batch = verified.contents.integrity.document_root, verified.contents.integrity.batch_root
    of = f", which a certificate of {shown(issuer.subject)} names" if issuer.subject else ""
    checked = [
        f"the signature, with key {issuer.key.thumbprint}{of}",
        f"{disclosures} disclosures against the digests that were signed",
        f"document root 0x{root.hex() if root else ''}, made again from what is shown",
        *seal,
    ]
    unchecked = ["the ledger: `cocket certificate verify` asks it"]
    if not seal:
        what = "the seal certificate's chain, dates, usage and revocation: name --trust and --crl"
        unchecked.insert(0, what if issuer.chain else "whose key that is")
    if batch is not None:
        checked.append(f"batch 0x{batch.hex()}, to which root, country and path lead")
    if verified.binding is None:
        unchecked.append("who presents it: nobody signed for that")
        return checked, unchecked
    signed = f"its holder's signature for {shown(verified.binding.audience)}, nonce {shown(verified.binding.nonce)}"
    checked.append(signed if challenge else "its holder's signature over exactly these disclosures")
    if challenge is None:
        unchecked.append(
            f"whom and when that is for: it says {shown(verified.binding.audience)}; give --audience and --nonce"
        )
    return checked, unchecked


def _seal_checks(file: Path, issuer: "Issuer", at_s: int, trust: Path, crls: "Sequence[Path]") -> list[str]:
    """Return what was checked of a seal's certificates, as of when it sealed.

    :raises CommandError: they lead to nobody trusted, one was revoked, or that could not be checked.
    """
    from cocket.attestation.identity.chain import check_chain, check_revocation
    from cocket.cli.identity import read_crl, read_trusted

    if not issuer.chain:
        raise CommandError(f"{file}: --trust judges certificates, and --issuer names a bare public key", Exit.USAGE)
    trusted = read_trusted(trust)
    answers = [
        check_chain(issuer.chain, trusted, at_s),
        check_revocation(issuer.chain, trusted, [read_crl(path) for path in crls], at_s),
    ]
    for answer in answers:
        if answer.answer != "yes":
            code = Exit.VERIFICATION_NO if answer.answer == "no" else Exit.COULD_NOT_CHECK
            raise CommandError(f"{file}: {answer.reason}; nothing was written", code)
    return [answer.reason for answer in answers]


def present_sd_jwt(
    combined: "Combined",
    selection: "Sequence[str]",
    *,
    show_country: bool,
    holder_key: Path | None,
    audience: str | None,
    nonce: str | None,
    passphrase_file: Path | None,
) -> "tuple[Combined, list[str]]":
    """Return an SD-JWT that discloses a selection, bound by its holder's key if one is named, and the fields shown."""
    from cocket.attestation.sdjwt.binding import bind
    from cocket.attestation.sdjwt.contents import contents_of
    from cocket.attestation.sdjwt.showing import show as show_fields
    from cocket.attestation.sdjwt.unfolding import unfold
    from cocket.attestation.sdjwt.verification import signed_of
    from cocket.node.pem_key import load_pem_key

    if len({holder_key is None, audience is None, nonce is None}) != 1:
        raise CommandError("a holder signs with --holder-key for --audience and --nonce; give all three", Exit.USAGE)
    shown = show_fields(combined, selection, show_country=show_country)
    contents = contents_of(unfold(signed_of(shown).payload, shown.disclosures))
    pointers = [pointer for pointer, _ in contents.presentation.fields()]
    if holder_key is None or audience is None or nonce is None:
        return shown, pointers
    key = load_pem_key(holder_key, ask_passphrase(passphrase_file))
    if key.public != contents.holder:
        held = "no holder" if contents.holder is None else f"holder {contents.holder.thumbprint}"
        raise CommandError(f"{holder_key}: key {key.public.thumbprint}; the SD-JWT names {held}", Exit.REFUSED)
    return bind(shown, key.sign, audience, nonce, _now()), pointers


@contextmanager
def naming(path: Path) -> "Iterator[None]":
    """Say of which file it is that a document or an SD-JWT is refused."""
    from cocket.attestation.errors import AttestationError

    try:
        yield
    except AttestationError as error:
        raise CommandError(f"{path}: {error}", Exit.USAGE) from None


def read_sd_jwt(path: Path) -> "Combined":
    """Read an SD-JWT file.

    :raises CommandError: it is none.
    """
    from cocket.attestation.sdjwt.combined import SD_JWT_BYTES_MAX, split

    with naming(path):
        return split(read_bounded(path, SD_JWT_BYTES_MAX + 1))


def is_sd_jwt_file(path: Path) -> bool:
    """Return whether a file looks like an SD-JWT."""
    from cocket.attestation.sdjwt.combined import SD_JWT_BYTES_MAX, is_sd_jwt

    return is_sd_jwt(read_bounded(path, SD_JWT_BYTES_MAX + 1))


def refuse_sd_jwt(path: Path, data: bytes) -> None:
    """Say of an SD-JWT what to do with it, where a certificate or presentation is expected."""
    from cocket.attestation.sdjwt.combined import is_sd_jwt

    if is_sd_jwt(data):
        raise CommandError(
            f"{path}: an SD-JWT; `cocket certificate import` checks it and makes a presentation of it", Exit.USAGE
        )


def read_issuer(path: Path) -> "Issuer":
    """Read a PEM file of certificates or of a public key.

    :raises CommandError: it is neither, or of no P-256 key.
    """
    from cocket.attestation.sdjwt.issuer import PEM_BYTES_MAX, issuer_of_pem

    with naming(path):
        return issuer_of_pem(read_bounded(path, PEM_BYTES_MAX))


def _challenge(audience: str | None, nonce: str | None, age_s_max: int) -> "Challenge | None":
    from cocket.attestation.sdjwt.binding import Challenge

    if audience is None and nonce is None:
        return None
    if audience is None or nonce is None:
        raise CommandError("a holder's signature is for --audience and over --nonce; give both", Exit.USAGE)
    return Challenge(audience, nonce, _now(), age_s_max)


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise CommandError(f"{out} exists; choose another file", Exit.REFUSED)


def _now() -> int:
    return int(datetime.now(UTC).timestamp())
