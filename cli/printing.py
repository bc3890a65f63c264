"""``cocket certificate print``: the code that goes beside the printed text, as a picture and as text."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.errors import CommandError, Exit
from cocket.cli.keys import PASSPHRASE
from cocket.cli.output import json_option, show

if TYPE_CHECKING:
    from cocket.attestation.printed import Printed

PICTURES = (".png", ".svg")
MODULE_PIXELS = 6
OUT = click.Path(path_type=Path, dir_okay=False)


@click.command(
    "print",
    epilog="Example: cocket certificate print issued/coffee.certificate.json --field goods --qr coffee.svg "
    "--issuer-key keys/chamber.json",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--field", "selection", multiple=True, help="A group that the code shows whole, beside what is never hidden."
)
@click.option("--hide-country", is_flag=True, help="Do not show the importing country.")
@click.option("--qr", "picture", type=OUT, required=True, help="The picture, .png or .svg.")
@click.option("--text", "text_file", type=OUT, help="Also the code's text, as a scanner gives it.")
@click.option(
    "--issuer-key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The issuer's key file, to sign the code: with it a code too small for the path can be verified by a node.",
)
@PASSPHRASE
@json_option
def print_code(
    file: Path,
    selection: tuple[str, ...],
    hide_country: bool,
    picture: Path,
    text_file: Path | None,
    issuer_key: Path | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Make the QR code of a certificate: values and proof of what is printed beside it, not a link.

    `cocket verify` takes its text. The path to the batch is in it where it fits; else only a node, which knows the
    issuer's key, can say what a signed code is worth, and offline it is "could not check".
    """
    import segno

    from cocket.attestation.errors import InvalidSelection
    from cocket.attestation.printed import encode_printed
    from cocket.node.keystore import write_whole

    if picture.suffix not in PICTURES:
        raise CommandError(f"--qr {picture}: expected a name that ends with .png or .svg", Exit.USAGE)
    for path in (picture, text_file):
        if path is not None and path.exists():
            raise CommandError(f"{path} exists; choose another file", Exit.REFUSED)
    try:
        printed = _printed(file, selection, is_country_shown=not hide_country)
        if issuer_key is not None:
            printed = _signed(printed, issuer_key, passphrase_file)
        text = encode_printed(printed)
    except InvalidSelection as error:
        raise CommandError(f"{file}: {error}", Exit.REFUSED) from None
    code = segno.make_qr(text, error="m", boost_error=False)
    write_whole(picture, _picture_of(code, picture.suffix), 0o644)
    if text_file is not None:
        write_whole(text_file, text.encode() + b"\n", 0o644)
    answer = _answer(picture, text, printed)
    answer["version"] = code.designator
    show(as_json, answer, _sentences(answer))


def _printed(file: Path, selection: tuple[str, ...], *, is_country_shown: bool) -> "Printed":
    from cocket.attestation.printed import Printed
    from cocket.attestation.prove import present
    from cocket.cli.certificate import anchor_in, owned

    certificate = owned(file)
    anchor_in(certificate, file)
    return Printed(present(certificate, selection, show_country=is_country_shown))


def _signed(printed: "Printed", issuer_key: Path, passphrase_file: Path | None) -> "Printed":
    from cocket.attestation.printed import Printed
    from cocket.cli.keys import ask_passphrase
    from cocket.node.keystore import load_key
    from cocket.node.vault.signing import wallet_of

    sign = wallet_of(load_key(issuer_key, ask_passphrase(passphrase_file)))
    return Printed(printed.presentation, sign(printed.signing_hash()))


def _picture_of(code: object, suffix: str) -> bytes:
    from io import BytesIO

    out = BytesIO()
    code.save(out, kind=suffix[1:], scale=MODULE_PIXELS)  # type: ignore[attr-defined]
    return out.getvalue()


def _answer(picture: Path, text: str, printed: "Printed") -> dict[str, object]:
    from cocket.attestation.printed import decode_printed

    return {
        "picture": str(picture),
        "text": text,
        "characters": len(text),
        "has_path": decode_printed(text.encode()).has_path,
        "is_signed": printed.signature is not None,
    }


def _sentences(answer: dict[str, object]) -> list[str]:
    worth = {
        (True, True): "it has the path to its batch and its issuer's signature",
        (True, False): "it has the path to its batch; nobody signed it",
        (False, True): "the path to its batch does not fit, its issuer's signature is in it: a node says whose that is",
        (False, False): "the path to its batch does not fit and nobody signed it: IT PROVES NOTHING; name --issuer-key",
    }[bool(answer["has_path"]), bool(answer["is_signed"])]
    return [f"{answer['picture']}: a QR code of version {answer['version']}, {answer['characters']} characters", worth]
