"""Encryption keys at rest: what a custodian, a vault or a recovery opens wraps with, one file a key, mode 0600.

The secret part of a file is that of Web3 Secret Storage (version 3, scrypt), as for keys that sign; but there is no
address in it, for this key signs nothing, and any 32 bytes may be one: suite and public key stand there in the clear,
so that the founding and who seals read the public key without a passphrase. A file may also hold them alone.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.sealing.hpke import PRIVATE_KEY_BYTES, Opener, PrivateKey, PublicKey, Suite, decode_public_key
from cocket.node.chain.hashing import keccak256
from cocket.node.errors import NodeFault, Refused
from cocket.node.keystore import decrypt_key_file, read_key_file, read_object, write_whole

PUBLIC_FORMAT = "cocket-encryption-key-1"
SCRYPT_WORK = 1 << 18  # 256 MiB and about a second; what Ethereum's software takes for keys that sign
_SCRYPT_BLOCKS = 8


def new_encryption_key(suite: Suite = Suite.HYBRID) -> PrivateKey:
    """Return a fresh key."""
    while True:
        key = PrivateKey(suite, secrets.token_bytes(PRIVATE_KEY_BYTES))
        try:
            _ = key.public
        except AttestationError:  # of P-256 one in four billion is no scalar
            continue
        return key


def save_encryption_key(path: Path, key: PrivateKey, passphrase: str, *, work: int = SCRYPT_WORK) -> None:
    """Encrypt a key into a new file. ``work`` is scrypt's cost.

    :raises Refused: the file exists.
    """
    if path.exists():
        raise Refused(f"{path} exists; a key is never overwritten: choose another name or move it away")
    salt, start = secrets.token_bytes(32), secrets.token_bytes(16)
    memory = 128 * _SCRYPT_BLOCKS * work + (1 << 20)
    derived = hashlib.scrypt(passphrase.encode(), salt=salt, n=work, r=_SCRYPT_BLOCKS, p=1, maxmem=memory, dklen=32)
    ciphertext = Cipher(algorithms.AES128(derived[:16]), modes.CTR(start)).encryptor().update(key.secret)
    document = {
        "version": 3,
        "id": str(uuid4()),
        **_public_json(key.public),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": start.hex()},
            "ciphertext": ciphertext.hex(),
            "kdf": "scrypt",
            "kdfparams": {"dklen": 32, "n": work, "r": _SCRYPT_BLOCKS, "p": 1, "salt": salt.hex()},
            "mac": keccak256(derived[16:] + ciphertext).hex(),
        },
    }
    write_whole(path, json.dumps(document).encode())


def load_encryption_key(path: Path, passphrase: str) -> PrivateKey:
    """Decrypt a key file.

    :raises NodeFault: the file is missing, or no encryption key's.
    :raises Refused: the passphrase does not open it.
    """
    document = read_key_file(path)
    public = _public_of(document, path)
    try:
        key = PrivateKey(public.suite, decrypt_key_file(path, document, passphrase))
        if key.public == public:
            return key
    except AttestationError:
        pass
    raise NodeFault(f"{path}: the key in it is not that of the public key beside it; the file was changed")


def open_encryption_key(path: Path, passphrase: str) -> Opener:
    """Open a key, from its file or in the hardware module that its file names; the passphrase is then its PIN.

    :raises NodeFault: the file is missing, or no encryption key's; or the module's library is not installed.
    :raises Refused: the passphrase does not open it.
    """
    if "module" not in read_object(path):
        return load_encryption_key(path, passphrase)
    try:
        from cocket.node.hardware_key import load_hardware_key
    except ImportError:
        raise NodeFault(f"{path}: a key in a hardware module; pip install 'cocket[hsm]'") from None
    return load_hardware_key(path, passphrase)


@contextmanager
def opened_encryption_key(path: Path, passphrase: str) -> Iterator[Opener]:
    """Open a key as :func:`open_encryption_key` does, and log out of its module afterwards."""
    key = open_encryption_key(path, passphrase)
    try:
        yield key
    finally:
        close_encryption_key(key)


def close_encryption_key(key: Opener) -> None:
    """Log out of the hardware module that a key is in; one that is in memory needs nothing."""
    if not isinstance(key, PrivateKey):
        key.close()


def load_public_key(path: Path) -> PublicKey:
    """Return the public key in a key file or a public key's file; nothing is opened.

    :raises NodeFault: there is none.
    """
    return _public_of(read_object(path), path)


def encode_public_key(key: PublicKey) -> bytes:
    """Return the file of a public key, to be given to who encrypts for its owner."""
    return json.dumps({"format": PUBLIC_FORMAT, **_public_json(key)}, indent=1).encode() + b"\n"


def _public_json(key: PublicKey) -> dict[str, object]:
    return {"suite": key.suite.value, "public_key": "0x" + key.encoded.hex()}


def _public_of(document: dict[str, object], path: Path) -> PublicKey:
    suite, text = document.get("suite"), document.get("public_key")
    if not isinstance(suite, int) or not isinstance(text, str):
        raise NodeFault(f"{path}: no encryption key in it; `cocket keys new NAME --encryption` makes one")
    try:
        return decode_public_key(suite, bytes.fromhex(text.removeprefix("0x")))
    except (InvalidFile, ValueError) as error:
        raise NodeFault(f"{path}: {error}") from None
