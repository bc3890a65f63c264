"""Key files: encrypted, private, never overwritten, and told apart from what is none."""

import json
from pathlib import Path

import pytest
from eth_account import Account

from cocket.node.errors import NodeFault, Refused
from cocket.node.keystore import key_address, load_key, new_key, read_passphrase, save_key, write_whole
from cocket.node.signer import KeySigner

KEY = bytes(range(1, 33))


@pytest.fixture
def cheap(tmp_path: Path) -> Path:
    path = tmp_path / "cheap.json"
    path.write_text(json.dumps(Account.encrypt(KEY, "right", kdf="pbkdf2", iterations=1)))
    return path


def test_a_saved_key_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "admin.json"
    save_key(path, KEY, "right")
    assert path.stat().st_mode & 0o777 == 0o600
    assert KEY.hex() not in path.read_text()
    assert load_key(path, "right") == KEY
    assert key_address(path) == KeySigner(KEY).address
    with pytest.raises(Refused, match="does not open") as refusal:
        load_key(path, "wrong")
    assert "wrong" not in str(refusal.value)


def test_a_key_is_never_overwritten(cheap: Path) -> None:
    before = cheap.read_bytes()
    with pytest.raises(Refused, match="never overwritten"):
        save_key(cheap, new_key(), "other")
    assert cheap.read_bytes() == before


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"version": 3}', '{"version": 1}', "[" * 10_000, "\x00"])
def test_what_is_no_key_file_is_said(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(NodeFault, match=r"x\.json: not a Web3 Secret Storage key file"):
        load_key(path, "right")


def test_a_missing_or_huge_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(NodeFault, match="no such key file"):
        load_key(tmp_path / "x.json", "right")
    huge = tmp_path / "huge.json"
    huge.write_bytes(b" " * 100_000)
    with pytest.raises(NodeFault, match="larger than"):
        load_key(huge, "right")


def test_a_passphrase_file_is_private_and_not_empty(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    write_whole(path, b"one\r\ntwo\n")
    assert read_passphrase(path) == "one"
    path.chmod(0o640)
    with pytest.raises(Refused, match="chmod 600"):
        read_passphrase(path)
    write_whole(path, b"\n")
    with pytest.raises(Refused, match="empty"):
        read_passphrase(path)
    with pytest.raises(NodeFault, match="no such passphrase file"):
        read_passphrase(tmp_path / "none")


def test_writing_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    (tmp_path / "file.new").write_bytes(b"left by a crash")
    write_whole(path, b"new", 0o644)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_missing_folders_are_made_for_the_owner_alone_and_others_stay_as_they_are(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for mode in (0o600, 0o644):
        write_whole(tmp_path / f"home{mode}" / "keys" / "deep" / "file", b"secret", mode)
        for folder in (f"home{mode}", f"home{mode}/keys", f"home{mode}/keys/deep"):
            assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_signer_shows_its_address_and_not_its_key() -> None:
    signer = KeySigner(KEY)
    assert KEY.hex() not in repr(signer)
    assert repr(signer) == f"KeySigner(0x{signer.address.hex()})"
    signature = signer.sign_digest(bytes(32))
    assert len(signature) == 65
    assert signature == signer.sign_digest(bytes(32))
