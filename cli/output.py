"""How commands speak: one JSON object on stdout with ``--json``, sentences otherwise; progress and errors on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence

import click

from cocket.cli.errors import CommandError, Exit, exit_code, is_kind
from cocket.cli.refusals import explain

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of sentences.")


def show(as_json: bool, answer: Mapping[str, object], sentences: Sequence[str]) -> None:
    """Print an answer: the object with ``--json``, else the sentences."""
    if as_json:
        click.echo(json.dumps(answer, default=_plain))
    else:
        for sentence in sentences:
            click.echo(sentence)


def note(sentence: str) -> None:
    """Say something on the way, on stderr, where it does not disturb ``--json``."""
    click.echo(sentence, err=True)


def show_error(message: str, code: Exit) -> None:
    """Print the object that ``--json`` gives instead of an answer."""
    click.echo(json.dumps({"error": message, "exit_code": int(code)}))


def fail(error: BaseException, as_json: bool) -> Exit:
    """Say what went wrong and return the exit code."""
    code = exit_code(error)
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and not isinstance(error, CommandError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if is_kind(error, "cocket.contracts.errors.ContractRefusal"):
        message = explain(message)
    if code is None:
        code = Exit.FAILED
        message = f"this is a fault in cocket, please report it: {type(error).__name__}: {message}"
    if as_json:
        show_error(message, code)
    click.echo(f"cocket: {message}", err=True)
    return code


def table(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> list[str]:
    """Return aligned lines of a small table."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [headings, *rows]
    ]


def is_terminal() -> bool:
    """Whether a person watches stderr, so that a progress bar makes sense."""
    return sys.stderr.isatty()


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    raise TypeError(f"{type(value).__name__} is not JSON")
