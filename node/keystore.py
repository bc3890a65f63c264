"""Keys at rest: encrypted Web3 Secret Storage (version 3, scrypt), one file a key, mode 0600.

The only module that sees a private key and a passphrase together. It never prints, logs or puts either into an error.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cocket.node.errors import NodeFault, Refused
from cocket.node.store.home import make_private

PASSPHRASE_VARIABLE = "COCKET_PASSPHRASE_FILE"  # noqa: S105 - names a path, not a secret
KEY_FILE_BYTES_MAX = 1 << 16  # a version 3 key file is about 500 bytes
PASSPHRASE_BYTES_MAX = 4096


def new_key() -> bytes:
    """Return 32 fresh random bytes that are a secp256k1 private key."""
    from coincurve import PrivateKey

    return PrivateKey().secret


def is_key(key: bytes) -> bool:
    """Whether bytes are a secp256k1 private key: 32 of them, above 0 and below the curve's order."""
    from coincurve import PrivateKey

    try:
        return len(key) == 32 and bool(PrivateKey(key))
    except ValueError:
        return False


def save_key(path: Path, key: bytes, passphrase: str, *, replace: bool = False) -> None:
    """Encrypt a private key (32 bytes) into a new file.

    :raises Refused: the file exists and ``replace`` is false.
    """
    from eth_account import Account

    if path.exists() and not replace:
        raise Refused(f"{path} exists; a key is never overwritten: choose another name or move it away")
    write_whole(path, json.dumps(Account.encrypt(key, passphrase)).encode())


def load_key(path: Path, passphrase: str) -> bytes:
    """Decrypt the file of a key that signs into its 32 bytes.

    :raises NodeFault: the file is missing, no version 3 key file, or an encryption key's.
    :raises Refused: the passphrase does not open it.
    """
    document = read_key_file(path)
    if "suite" in document:
        raise NodeFault(f"{path}: an encryption key, which signs nothing; name the file of a key that signs")
    return decrypt_key_file(path, document, passphrase)


def decrypt_key_file(path: Path, document: Mapping[str, object], passphrase: str) -> bytes:
    """Decrypt what was read from a key file.

    :raises NodeFault: it is no version 3 key file.
    :raises Refused: the passphrase does not open it.
    """
    from eth_account import Account

    try:
        return bytes(Account.decrypt(dict(document), passphrase))
    except ValueError as error:
        if "MAC mismatch" in str(error):
            raise Refused(f"{path}: the passphrase does not open this key") from None
        raise NodeFault(f"{path}: not a Web3 Secret Storage key file of version 3") from None
    except (KeyError, TypeError, NotImplementedError):
        raise NodeFault(f"{path}: not a Web3 Secret Storage key file of version 3") from None


def key_address(path: Path) -> bytes:
    """Return the address (20 bytes) that a key file names, without opening it."""
    address = read_key_file(path).get("address")
    try:
        raw = bytes.fromhex(str(address).removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 20:
        raise NodeFault(f"{path}: no address of 20 bytes in it, found {address!r}")
    return raw


def read_key_file(path: Path) -> dict[str, object]:
    """Read a key file's JSON object."""
    document = read_object(path)
    if document.get("version") != 3:
        raise NodeFault(f"{path}: not a Web3 Secret Storage key file of version 3")
    return document


def read_object(path: Path) -> dict[str, object]:
    """Read the JSON object in a file of a key.

    :raises NodeFault: it is missing, too large, or holds none.
    """
    try:
        if path.stat().st_size > KEY_FILE_BYTES_MAX:
            raise NodeFault(f"{path}: larger than {KEY_FILE_BYTES_MAX} bytes, so not a key file")
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NodeFault(f"{path}: no such key file; `cocket keys new` makes one") from None
    except OSError as error:
        raise NodeFault(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise NodeFault(f"{path}: not a Web3 Secret Storage key file (it is not JSON)") from None
    if not isinstance(document, dict):
        raise NodeFault(f"{path}: not a Web3 Secret Storage key file of version 3")
    return document


def read_passphrase(path: Path) -> str:
    """Return the first line of a passphrase file.

    :raises Refused: others may read the file, or it is empty.
    """
    try:
        status = path.stat()
        if status.st_mode & 0o077:
            raise Refused(
                f"{path}: mode {status.st_mode & 0o777:o}; others must not read a passphrase: chmod 600 {path}"
            )
        with path.open("rb") as file:
            line = file.read(PASSPHRASE_BYTES_MAX).split(b"\n", 1)[0].removesuffix(b"\r")
    except FileNotFoundError:
        raise NodeFault(f"{path}: no such passphrase file") from None
    if not line:
        raise Refused(f"{path}: the passphrase is empty")
    return line.decode("utf-8", "surrogateescape")


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all; only its owner may read it unless ``mode`` says otherwise.

    Missing folders are made for the owner alone, whatever ``mode`` says.
    """
    write_parts(path, (data,), mode)


def write_parts(path: Path, parts: Iterable[bytes], mode: int = 0o600) -> None:
    """Write a file like :func:`write_whole`, from parts: of what comes to no end nothing stays."""
    make_private(path.parent)
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
