"""``cocket keys``: encrypted key files (Web3 Secret Storage)."""

from contextlib import suppress
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
PUBLIC_SUFFIX = ".public.json"


@click.group()
def keys() -> None:
    """Make, list, import and export encrypted keys, and name those in hardware modules."""


@keys.command(
    epilog="Example: cocket keys new chamber --passphrase-file ~/.cocket-passphrase; cocket keys new vault --encryption"
)
@click.argument("name")
@click.option("--encryption", is_flag=True, help="A key that others seal to: a custodian's or a vault's.")
@FOLDER
@PASSPHRASE
@json_option
def new(name: str, encryption: bool, folder: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Make a key NAME and print its address.

    With --encryption: a key of ML-KEM-768 with X25519. Its public key is in NAME.public.json, to be given to others.
    """
    from cocket.node.keystore import key_address, new_key, save_key

    path = key_path(folder, name)
    if encryption:
        public = path.with_suffix(PUBLIC_SUFFIX)
        make_encryption_key(path, public, passphrase_file)
        show(
            as_json,
            {"name": name, "file": str(path), "public_key_file": str(public)},
            [f"key in {path}; give {public} to who seals for it"],
        )
        return
    save_key(path, new_key(), ask_passphrase(passphrase_file, confirm=True))
    address = "0x" + key_address(path).hex()
    show(as_json, {"name": name, "address": address, "file": str(path)}, [f"{address} in {path}"])


@keys.command("list", epilog="Example: cocket keys list --folder trial/NL/keys")
@FOLDER
@json_option
def list_keys(folder: Path, as_json: bool) -> None:
    """List the keys of a folder with their addresses, or that they are encryption keys; nothing is opened."""
    from cocket.node.encryption_key import load_public_key
    from cocket.node.errors import NodeFault
    from cocket.node.keystore import key_address

    if not folder.is_dir():
        raise CommandError(f"{folder}: no such folder", Exit.NOT_FOUND)
    found: list[dict[str, object]] = []
    for path in sorted(folder.glob("*.json")):
        if path.name.endswith(PUBLIC_SUFFIX):
            continue
        with suppress(NodeFault):
            found.append({"name": path.stem, "address": "0x" + key_address(path).hex()})
            continue
        with suppress(NodeFault):
            found.append({"name": path.stem, "encryption": load_public_key(path).suite.name})
    lines = [f"{key.get('address') or key['encryption']:42}  {key['name']}" for key in found]
    show(as_json, {"keys": found}, lines or [f"no keys in {folder}"])


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


@keys.command(
    epilog="Example: cocket keys hardware custodian --module /usr/lib/softhsm/libsofthsm2.so --token sg-customs "
    "--label encryption --new"
)
@click.argument("name")
@click.option(
    "--module", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The PKCS #11 library, whole path."
)
@click.option("--token", required=True, help="The token's label.")
@click.option("--label", default="encryption", show_default=True, help="The key's label in the token.")
@click.option("--new", "is_new", is_flag=True, help="Make the key there; without it one that is there is used.")
@click.option(
    "--pin-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File (mode 0600) with the token's PIN; asked for when absent.",
)
@FOLDER
@json_option
def hardware(
    name: str, module: Path, token: str, label: str, is_new: bool, pin_file: Path | None, folder: Path, as_json: bool
) -> None:
    """Name an encryption key that a hardware module keeps: P-256, made there with --new and never given.

    NAME.json says where it is and NAME.public.json who it is: take the first one for `custodian init --encryption-key`,
    the second one for the founding. The passphrase of a home with such a key is the token's PIN.
    """
    try:
        from cocket.node.hardware_key import LABEL_MAX, HardwareKey, Place, new_hardware_key, save_hardware_key
    except ImportError:
        raise CommandError("hardware modules need python-pkcs11: pip install 'cocket[hsm]'", Exit.FAILED) from None
    from cocket.node.encryption_key import encode_public_key
    from cocket.node.keystore import write_whole

    path = key_path(folder, name)
    public = path.with_suffix(PUBLIC_SUFFIX)
    for file in (path, public):
        if file.exists():
            raise CommandError(f"{file} exists; choose another name", Exit.REFUSED)
    if not 1 <= len(label) <= LABEL_MAX:
        raise CommandError(f"--label {label[:LABEL_MAX]!r}: expected 1 to {LABEL_MAX} characters", Exit.USAGE)
    place, pin = Place(module, token, label), ask_passphrase(pin_file)
    if is_new:
        new_hardware_key(place, pin)
    key = HardwareKey(place, pin)
    try:
        save_hardware_key(path, place, key.public)
        write_whole(public, encode_public_key(key.public), 0o644)
    finally:
        key.close()
    answer = {"name": name, "file": str(path), "public_key_file": str(public), "public_key": key.public.encoded}
    show(as_json, answer, [f"{place}: named in {path}, its public key in {public}"])


def make_encryption_key(path: Path, public: Path, passphrase_file: Path | None) -> None:
    """Make a key file and the file of its public key."""
    from cocket.node.encryption_key import encode_public_key, new_encryption_key, save_encryption_key
    from cocket.node.keystore import write_whole

    if public.exists():
        raise CommandError(f"{public} exists; choose another name", Exit.REFUSED)
    key = new_encryption_key()
    save_encryption_key(path, key, ask_passphrase(passphrase_file, confirm=True))
    write_whole(public, encode_public_key(key.public), 0o644)


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
