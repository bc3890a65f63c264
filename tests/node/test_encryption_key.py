"""Encryption keys: any 32 bytes, encrypted, never taken for a key that signs nor a signing key for one of them."""

import json
from pathlib import Path

import pytest
from eth_account import Account

from cocket.attestation.errors import AttestationError
from cocket.attestation.sealing.hpke import PrivateKey, Suite
from cocket.node.encryption_key import (
    encode_public_key,
    load_encryption_key,
    load_public_key,
    new_encryption_key,
    save_encryption_key,
)
from cocket.node.errors import NodeFault, Refused
from cocket.node.keystore import key_address, load_key

SEED = b"\xff" * 32  # no private key of secp256k1: above its order
KEY = PrivateKey(Suite.HYBRID, SEED)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "custodian" / "encryption.json"
    save_encryption_key(path, KEY, "right", work=2)
    return path


@pytest.mark.parametrize("key", [KEY, new_encryption_key(), new_encryption_key(Suite.P256)], ids=lambda k: k.suite.name)
def test_a_saved_key_opens_with_its_passphrase_alone(tmp_path: Path, key: PrivateKey) -> None:
    path = tmp_path / "x.json"
    save_encryption_key(path, key, "right", work=2)
    assert path.stat().st_mode & 0o777 == 0o600
    assert key.secret.hex() not in path.read_text()
    assert load_encryption_key(path, "right") == key
    assert load_public_key(path) == key.public
    with pytest.raises(Refused, match="does not open") as refusal:
        load_encryption_key(path, "wrong")
    assert "wrong" not in str(refusal.value)


def test_other_software_opens_the_secret_part(path: Path) -> None:
    document = json.loads(path.read_text())
    assert bytes(Account.decrypt(document, "right")) == SEED
    assert "address" not in document


def test_the_work_is_that_of_keys_that_sign(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    save_encryption_key(path, KEY, "right")
    found = json.loads(path.read_text())["crypto"]["kdfparams"]
    usual = Account.encrypt(b"\1" * 32, "right", kdf="scrypt", iterations=None)["crypto"]["kdfparams"]
    assert {name: found[name] for name in ("n", "r", "p")} == {name: usual[name] for name in ("n", "r", "p")}


def test_a_key_is_never_overwritten(path: Path) -> None:
    with pytest.raises(Refused, match="never overwritten"):
        save_encryption_key(path, new_encryption_key(), "other", work=2)
    assert load_encryption_key(path, "right") == KEY


def test_keys_that_encrypt_and_keys_that_sign_are_not_taken_for_each_other(path: Path, tmp_path: Path) -> None:
    with pytest.raises(NodeFault, match="signs nothing"):
        load_key(path, "right")
    with pytest.raises(NodeFault, match="no address"):
        key_address(path)
    signing = tmp_path / "signing.json"
    signing.write_text(json.dumps(Account.encrypt(b"\1" * 32, "right", kdf="pbkdf2", iterations=1)))
    for load in (load_public_key, lambda where: load_encryption_key(where, "right")):
        with pytest.raises(NodeFault, match="no encryption key in it"):
            load(signing)


def test_a_public_key_file_has_the_public_key_alone(tmp_path: Path) -> None:
    path = tmp_path / "vault.public.json"
    path.write_bytes(encode_public_key(KEY.public))
    assert load_public_key(path) == KEY.public
    with pytest.raises(NodeFault, match="not a Web3 Secret Storage key file"):
        load_encryption_key(path, "right")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"public_key": "0x" + new_encryption_key().public.encoded.hex()}, "not that of the public key beside it"),
        ({"suite": 0x20}, "suite 0x0020; expected one of"),
        ({"suite": "hybrid"}, "no encryption key in it"),
        ({"public_key": "0x00"}, "1 bytes; expected 1216"),
        ({"public_key": "zz"}, "non-hexadecimal"),
        ({"public_key": None}, "no encryption key in it"),
        ({"version": 1}, "not a Web3 Secret Storage key file"),
        ({"crypto": {}}, "not a Web3 Secret Storage key file"),
    ],
)
def test_a_changed_file_is_refused(path: Path, change: dict[str, object], why: str) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(NodeFault, match=why):
        load_encryption_key(path, "right")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"suite": 16}', "[" * 10_000])
def test_what_is_no_file_of_a_key_is_said(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(NodeFault, match=r"x\.json: "):
        load_public_key(path)


def test_nothing_but_a_scalar_is_a_key_of_p256() -> None:
    with pytest.raises(AttestationError, match="no private key of P-256"):
        _ = PrivateKey(Suite.P256, SEED).public
