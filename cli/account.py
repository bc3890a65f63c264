"""Who signs a command's transaction and through which node: ``--home`` for an authority, ``--key`` for anybody."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import wraps
from pathlib import Path

import click

from cocket.cli.client import DEFAULT_URL, NodeClient, address_of
from cocket.cli.errors import CommandError, Exit
from cocket.cli.keys import ask_passphrase
from cocket.node.config import Home
from cocket.node.keystore import load_key

_YEAR_10000_S = 253_402_300_800


@dataclass(frozen=True, slots=True)
class Signatory:
    """A node to speak with and an account to sign with."""

    client: NodeClient
    key: bytes
    address: bytes

    def __repr__(self) -> str:
        return f"Signatory(0x{self.address.hex()})"


@dataclass(frozen=True, slots=True)
class Signing:
    """The options that say who signs; nothing is opened before ``open``."""

    home: Path | None
    key_file: Path | None
    passphrase_file: Path | None
    node_url: str | None

    def open(self) -> Signatory:
        """Return who signs, asking for the passphrase where no file has it.

        :raises CommandError: neither a home nor a key is named.
        """
        home = self.home
        if self.key_file is None and home is None:
            raise CommandError("say who signs: --home HOME for an authority's admin key, or --key FILE", Exit.USAGE)
        url = self.node_url or (home_url(home) if home is not None else DEFAULT_URL)
        path = self.key_file if self.key_file is not None else Path(str(home)) / "keys" / "admin.json"
        passphrase_file = self.passphrase_file
        if passphrase_file is None and home is not None:
            beside = home / Home(home).settings().keys.passphrase_file
            passphrase_file = beside if beside.exists() else None
        key = load_key(path, ask_passphrase(passphrase_file))
        return Signatory(NodeClient(url), key, address_of(key))


def signing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--home``, ``--key``, ``--passphrase-file`` and ``--node`` to a command, which gets them as ``signing``."""

    @wraps(command)
    def signing_command(
        *,
        home: Path | None,
        key_file: Path | None,
        passphrase_file: Path | None,
        node_url: str | None,
        **others: object,
    ) -> None:
        command(signing=Signing(home, key_file, passphrase_file, node_url), **others)

    for option in (
        click.option(
            "--node",
            "node_url",
            envvar="COCKET_NODE",
            help=f"JSON-RPC of a node; default: the home's, or {DEFAULT_URL}.",
        ),
        click.option(
            "--passphrase-file",
            type=click.Path(path_type=Path, dir_okay=False),
            envvar="COCKET_PASSPHRASE_FILE",
            help="File (mode 0600) with the passphrase; default: the home's, or asked for.",
        ),
        click.option(
            "--key", "key_file", type=click.Path(path_type=Path, dir_okay=False), help="Key file to sign with."
        ),
        click.option(
            "--home",
            type=click.Path(path_type=Path, file_okay=False, exists=True),
            help="An authority's home: its admin key and its node.",
        ),
    ):
        signing_command = option(signing_command)
    return signing_command


on_option = click.option(
    "--on",
    "on",
    default=None,
    help="The day that counts, like the date of import, or a moment like 2026-12-01T12:00:00Z; default: today.",
)


def home_url(home: Path) -> str:
    """Return the JSON-RPC address of a home's node."""
    rpc = Home(home).settings().rpc
    return f"http://{rpc.host}:{rpc.port}"


def parse_day(text: str) -> date:
    """Return a date of the form 2026-11-23.

    :raises CommandError: anything else.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is not a date; write it like 2026-11-23", Exit.USAGE) from None


def parse_when(text: str) -> date:
    """Return a date, or a moment of the form 2026-11-23T12:00:00Z as a ``datetime`` in UTC.

    :raises CommandError: anything else.

    >>> parse_when("2026-11-23T12:00:00+01:00").isoformat()
    '2026-11-23T11:00:00+00:00'
    """
    if "T" not in text:
        return parse_day(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise CommandError(
            f"{text[:40]!r} is no moment with a time zone; write it like 2026-11-23T12:00:00Z", Exit.USAGE
        )
    return found.astimezone(UTC).replace(microsecond=0)


def day_start_s(day: date) -> int:
    """Return the first second of a day in UTC, seconds since 1970."""
    return int(datetime.combine(day, time(), UTC).timestamp())


def format_time(time_s: int) -> str:
    """Return block time as people read it; anybody can put a time on the ledger that no calendar has."""
    if time_s >= _YEAR_10000_S:
        return "after the year 9999"
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
