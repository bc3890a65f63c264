"""``cocket verify``: the verdict on what one was handed, from a node's word or, offline, from a bundle's proofs."""

from datetime import UTC, datetime
from pathlib import Path

import click

from cocket.cli.account import on_option, parse_when
from cocket.cli.client import DEFAULT_URL
from cocket.cli.errors import CommandError, Exit
from cocket.cli.output import json_option, show


@click.command(
    epilog="Example: cocket verify coffee.bundle --on 2026-12-01 --anchor "
    "0x1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a"
)
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@on_option
@click.option(
    "--anchor",
    "anchor_text",
    metavar="HASH|FILE",
    default=None,
    help="What you already trust, for bundles: the network's genesis hash, or a checkpoint file.",
)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Certificates that you trust (PEM): the checkpoint must be sealed by authorities whose own lead there.",
)
@click.option(
    "--crl",
    "crls",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A certificate revocation list (PEM or DER), with --trust.",
)
@click.option(
    "--node",
    "node_url",
    default=None,
    envvar="COCKET_NODE",
    help=f"JSON-RPC of a node, for certificates and presentations; default without --anchor: {DEFAULT_URL}.",
)
@json_option
def verify(
    files: tuple[Path, ...],
    on: str | None,
    anchor_text: str | None,
    trust: Path | None,
    crls: tuple[Path, ...],
    node_url: str | None,
    as_json: bool,
) -> None:
    """Give the verdict on certificates, presentations and bundles: each answer yes, no or could not check, and why.

    A bundle needs no network and no configuration, only an anchor: it proves every answer from there. Of a date that
    ends after its last block it says nothing.

    Exit code 0: good; 5: something speaks against one; 6: something could not be checked.
    """
    from cocket.cli.judging import Source, exit_of, judge, parse_anchor

    day = parse_when(on) if on else datetime.now(UTC).date()
    if anchor_text is None and (trust is not None or crls):
        raise CommandError("--trust and --crl are for a sealed checkpoint: --anchor FILE", Exit.USAGE)
    anchor = None if anchor_text is None else parse_anchor(anchor_text, trust, crls)
    source = Source(node_url or (DEFAULT_URL if anchor is None else None), anchor)
    judged = [judge(file, source, day) for file in files]
    code = exit_of(judged)
    words = {0: "yes", 5: "no", 6: "could not check"}
    sentences: list[str] = []
    for one in judged:
        sentences += [*([f"{one.file}:"] if len(files) > 1 else []), *one.sentences()]
    verdicts = [{"file": str(one.file), **one.as_json()} for one in judged]
    show(as_json, {"overall": words[code], "on": day.isoformat(), "verdicts": verdicts}, sentences)
    if code:
        raise click.exceptions.Exit(code)
