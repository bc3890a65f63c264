"""``cocket keys``: encrypted key files (Web3 Secret Storage)."""

from pathlib import Path

import click

from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.output import json_option, show

FOLDER = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("keys"),
    show_default=True,
    help="Where key files lie.",
)
PASSPHRASE = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="COCKET_PASSPHRASE_FILE",
    help="File (mode 0600) whose first line is the passphrase; asked for when absent.",
)


@click.group()
def keys() -> None:
    """Make, list, import and export encrypted keys."""


@keys.command(epilog="Example: cocket keys new chamber --passphrase-file ~/.cocket-passphrase")
@click.argument("name")
@FOLDER
@PASSPHRASE
@json_option
def new(name: str, folder: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Make a key NAME and print its address."""
    from cocket.node.keystore import key_address, new_key, save_key

    path = key_path(folder, name)
    save_key(path, new_key(), ask_passphrase(passphrase_file, confirm=True))
    address = "0x" + key_address(path).hex()
    show(as_json, {"name": name, "address": address, "file": str(path)}, [f"{address} in {path}"])


@keys.command("list", epilog="Example: cocket keys list --folder trial/NL/keys")
@FOLDER
@json_option
def list_keys(folder: Path, as_json: bool) -> None:
    """List the keys of a folder with their addresses; nothing is opened."""
    from cocket.node.errors import NodeFault
    from cocket.node.keystore import key_address

    if not folder.is_dir():
        raise CommandError(f"{folder}: no such folder", Exit.NOT_FOUND)
    found: list[dict[str, object]] = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append({"name": path.stem, "address": "0x" + key_address(path).hex()})
        except NodeFault:
            continue
    show(as_json, {"keys": found}, [f"{key['address']}  {key['name']}" for key in found] or [f"no keys in {folder}"])


@keys.command("import", epilog="Example: cocket keys import chamber --from-file raw-key.hex")
@click.argument("name")
@click.option(
    "--from-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="File with the private key as 64 hex digits, or another key file.",
)
@FOLDER
@PASSPHRASE
@json_option
def import_key(name: str, from_file: Path, folder: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Encrypt an existing private key as NAME.

    A key file of other Ethereum software is opened, and then kept, with the same passphrase.
    """
    from cocket.node.keystore import KEY_FILE_BYTES_MAX, is_key, key_address, load_key, save_key

    text = read_bounded(from_file, KEY_FILE_BYTES_MAX).decode(errors="replace").strip()
    passphrase = ask_passphrase(passphrase_file, confirm=not text.startswith("{"))
    if text.startswith("{"):
        key = load_key(from_file, passphrase)
    else:
        try:
            key = bytes.fromhex(text.removeprefix("0x"))
        except ValueError:
            key = b""
        if not is_key(key):
            raise CommandError(f"{from_file}: expected a private key of 64 hex digits, or a key file", Exit.USAGE)
    path = key_path(folder, name)
    save_key(path, key, passphrase)
    address = "0x" + key_address(path).hex()
    show(as_json, {"name": name, "address": address, "file": str(path)}, [f"{address} in {path}"])


@keys.command(epilog="Example: cocket keys export chamber --to-file raw-key.hex")
@click.argument("name")
@click.option("--to-file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="New file, mode 0600.")
@FOLDER
@PASSPHRASE
@json_option
def export(name: str, to_file: Path, folder: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Write the private key of NAME as hex into a new file. It is never printed."""
    from cocket.node.keystore import load_key, write_whole

    if to_file.exists():
        raise CommandError(f"{to_file} exists; choose another file", Exit.REFUSED)
    key = load_key(key_path(folder, name), ask_passphrase(passphrase_file))
    write_whole(to_file, key.hex().encode() + b"\n")
    show(
        as_json,
        {"name": name, "file": str(to_file)},
        [f"unencrypted private key in {to_file} (mode 0600): guard or remove it"],
    )


def key_path(folder: Path, name: str) -> Path:
    """Return the file of a named key."""
    if not name or name != Path(name).name or name.startswith("."):
        raise CommandError(f"{name!r} is no name for a key; use letters, digits and dashes", Exit.USAGE)
    return folder / f"{name}.json"


def ask_passphrase(file: Path | None, *, confirm: bool = False) -> str:
    """Return the passphrase: from a file if one is named, else from the terminal without echo."""
    from cocket.node.keystore import read_passphrase

    if file is not None:
        return read_passphrase(file)
    passphrase = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    if not isinstance(passphrase, str) or not passphrase:
        raise CommandError("an empty passphrase protects nothing", Exit.REFUSED)
    return passphrase
