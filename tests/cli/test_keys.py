"""Key files: made, listed, imported, exported; and every way in which a key is kept from harm."""

import json
import os
from pathlib import Path

import pytest
from command import cocket, done, refused
from eth_account import Account

from cocket.node.encryption_key import load_encryption_key, load_public_key

KEY = bytes(range(1, 33))
PASSPHRASE = "a passphrase of the tests"
ADDRESS = str(Account.from_key(KEY).address).lower()


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    return write_passphrase(tmp_path / "passphrase")


def write_passphrase(path: Path, passphrase: str = PASSPHRASE) -> Path:
    path.write_text(passphrase + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with one cheap key."""
    folder = tmp_path / "keys"
    folder.mkdir()
    write_key(folder / "cheap.json")
    return folder


def write_key(path: Path) -> None:
    path.write_text(json.dumps(Account.encrypt(KEY, PASSPHRASE, kdf="pbkdf2", iterations=1)))


def at(folder: Path, passphrase: Path) -> tuple[object, ...]:
    return ("--folder", folder, "--passphrase-file", passphrase)


def test_a_new_encryption_key_has_its_public_key_beside_it(tmp_path: Path, passphrase: Path) -> None:
    folder = tmp_path / "keys"
    answer = done("keys", "new", "vault", "--encryption", *at(folder, passphrase))
    path, public = folder / "vault.json", folder / "vault.public.json"
    assert (answer["file"], answer["public_key_file"]) == (str(path), str(public))
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_encryption_key(path, PASSPHRASE).public == load_public_key(public)
    assert done("keys", "list", "--folder", folder)["keys"] == [{"name": "vault", "encryption": "HYBRID"}]
    assert "HYBRID" in cocket("keys", "list", "--folder", folder).out
    assert str(public) in refused(3, "keys", "new", "vault", "--encryption", *at(folder, passphrase))
    public.unlink()
    assert str(path) in refused(3, "keys", "new", "vault", "--encryption", *at(folder, passphrase))
    assert not public.exists()
    assert "signs nothing" in refused(
        1, "keys", "export", "vault", "--to-file", tmp_path / "raw.hex", *at(folder, passphrase)
    )


def test_a_new_key_is_encrypted_and_its_owner_s_alone(tmp_path: Path, passphrase: Path) -> None:
    folder = tmp_path / "fresh" / "keys"
    answer = done("keys", "new", "chamber", *at(folder, passphrase))
    path = folder / "chamber.json"
    assert answer["file"] == str(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    document = json.loads(path.read_text())
    assert document["version"] == 3
    assert document["crypto"]["kdf"] == "scrypt"
    before = path.read_bytes()
    assert str(path) in refused(3, "keys", "new", "chamber", *at(folder, passphrase))
    assert path.read_bytes() == before
    raw = tmp_path / "raw.hex"
    done("keys", "export", "chamber", "--to-file", raw, *at(folder, passphrase))
    assert str(Account.from_key(raw.read_text().strip()).address).lower() == answer["address"]


def test_the_list_opens_nothing_and_skips_what_is_no_key(folder: Path) -> None:
    (folder / "notes.json").write_text("{}")
    (folder / "broken.json").write_bytes(b"\xff")
    assert done("keys", "list", "--folder", folder)["keys"] == [{"name": "cheap", "address": ADDRESS}]
    assert cocket("keys", "list", "--folder", folder).out == f"{ADDRESS}  cheap\n"
    assert "no such folder" in refused(4, "keys", "list", "--folder", folder / "nowhere")


def test_export_is_a_file_never_shown_and_never_over_another(folder: Path, passphrase: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw.hex"
    answer = cocket("keys", "export", "cheap", "--to-file", raw, *at(folder, passphrase))
    assert answer.code == 0
    assert KEY.hex() not in answer.out + answer.err
    assert raw.read_text() == KEY.hex() + "\n"
    assert raw.stat().st_mode & 0o777 == 0o600
    assert str(raw) in refused(3, "keys", "export", "cheap", "--to-file", raw, *at(folder, passphrase))
    missing = refused(1, "keys", "export", "nobody", "--to-file", tmp_path / "x", *at(folder, passphrase))
    assert "no such key file" in missing


@pytest.mark.parametrize("content", [KEY.hex(), "0x" + KEY.hex() + "\n", KEY.hex().upper()])
def test_a_raw_key_is_imported(tmp_path: Path, passphrase: Path, content: str) -> None:
    raw = tmp_path / "raw.hex"
    raw.write_text(content)
    answer = done("keys", "import", "mine", "--from-file", raw, *at(tmp_path / "k", passphrase))
    assert answer["address"] == ADDRESS


def test_a_key_file_of_other_software_is_imported_with_its_passphrase(
    folder: Path, tmp_path: Path, passphrase: Path
) -> None:
    source = folder / "cheap.json"
    answer = done("keys", "import", "mine", "--from-file", source, *at(tmp_path / "k", passphrase))
    assert answer["address"] == ADDRESS
    wrong = write_passphrase(tmp_path / "wrong", "another")
    error = refused(3, "keys", "import", "other", "--from-file", source, *at(tmp_path / "k", wrong))
    assert "does not open this key" in error
    assert str(source) in error
    assert not (tmp_path / "k" / "other.json").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"00" * 31, b"zz" * 32, b"\xff\xfe", b"{", b'{"version": 1}', b'{"version": 3}', b"00" * 32, b"ff" * 32],
    ids=["empty", "short", "no hex", "bytes", "brace", "version 1", "hollow", "zero", "beyond the order"],
)
def test_what_is_no_key_is_said_and_named(tmp_path: Path, passphrase: Path, content: bytes) -> None:
    raw = tmp_path / "raw.hex"
    raw.write_bytes(content)
    answer = cocket("keys", "import", "mine", "--from-file", raw, *at(tmp_path / "k", passphrase), "--json")
    assert answer.code in (1, 2)
    assert str(raw) in str(answer.json()["error"])
    assert content.decode("latin1") not in answer.err or len(content) < 10  # what may be a key is not shown
    assert not (tmp_path / "k" / "mine.json").exists()


def test_an_oversized_key_file_is_not_read(folder: Path, tmp_path: Path, passphrase: Path) -> None:
    huge = folder / "huge.json"
    with huge.open("wb") as hole:
        hole.truncate(10 << 30)
    assert "huge.json" in refused(2, "keys", "import", "mine", "--from-file", huge, *at(tmp_path / "k", passphrase))
    assert "huge.json" in refused(1, "keys", "export", "huge", "--to-file", tmp_path / "x", *at(folder, passphrase))
    assert len(done("keys", "list", "--folder", folder)["keys"]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", ".", "..", "../chamber", "a/b", "/etc/passwd", ".hidden"])
def test_a_name_is_no_path(folder: Path, passphrase: Path, name: str) -> None:
    assert "no name for a key" in refused(2, "keys", "new", name, *at(folder, passphrase))


# -- passphrases -------------------------------------------------------------------------------------------------------


def export(folder: Path, passphrase: Path) -> tuple[object, ...]:
    return ("keys", "export", "cheap", "--to-file", folder / "raw", *at(folder, passphrase))


def test_a_wrong_passphrase_is_refused(folder: Path, tmp_path: Path) -> None:
    wrong = write_passphrase(tmp_path / "wrong", "another")
    error = refused(3, *export(folder, wrong))
    assert str(folder / "cheap.json") in error
    assert "another" not in error


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666])
def test_a_passphrase_that_others_read_is_refused(folder: Path, passphrase: Path, mode: int) -> None:
    passphrase.chmod(mode)
    assert f"chmod 600 {passphrase}" in refused(3, *export(folder, passphrase))


def test_a_passphrase_file_that_is_none_is_said(folder: Path, passphrase: Path) -> None:
    passphrase.write_text("\nsecond line\n")
    assert "empty" in refused(3, *export(folder, passphrase))
    passphrase.unlink()
    assert str(passphrase) in refused(1, *export(folder, passphrase))


def test_windows_line_ends_and_other_bytes_are_fine(folder: Path, passphrase: Path) -> None:
    passphrase.write_bytes(PASSPHRASE.encode() + b"\r\nmore")
    done(*export(folder, passphrase))


def test_the_passphrase_file_may_come_from_the_environment(
    folder: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COCKET_PASSPHRASE_FILE", str(passphrase))
    done("keys", "export", "cheap", "--folder", folder, "--to-file", folder / "raw")


def test_without_a_terminal_nothing_waits_for_a_passphrase(folder: Path) -> None:
    import subprocess
    import sys

    words = ["keys", "export", "cheap", "--folder", str(folder), "--to-file", str(folder / "raw")]
    ran = subprocess.run(
        [sys.executable, "-m", "cocket.cli", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,
        env={**os.environ, "COCKET_PASSPHRASE_FILE": ""},
    )
    assert ran.returncode != 0
    assert "Traceback" not in ran.stderr
    assert not (folder / "raw").exists()
