"""``cocket node run`` on a home that is not in order: the file, what is wrong and what to do, and no node."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command import cocket
from e2e.trial import Trial, save_passphrase

from cocket.cli.errors import Exit
from cocket.node.config import Home


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Trial(tmp_path_factory.mktemp("one"), "NL").homes["NL"]


@pytest.fixture
def home(founded: Home, tmp_path: Path) -> Home:
    """Give a founded home that a test may damage."""
    shutil.copytree(founded.path, tmp_path / "NL")
    return Home(tmp_path / "NL")


def run(home: Home) -> tuple[int, str]:
    answer = cocket("node", "run", "--home", home.path)
    assert answer.out == ""
    assert not (home.data / "chain").exists()
    return answer.code, answer.err.strip().splitlines()[-1]


def append(home: Home, text: str) -> None:
    home.config.write_text(text + home.config.read_text())


DAMAGES: dict[str, tuple[Callable[[Home], object], str, str, Exit]] = {
    "no genesis": (lambda h: h.genesis.unlink(), "genesis.json", "cocket genesis confirm", Exit.FAILED),
    "genesis no JSON": (lambda h: h.genesis.write_text("{"), "genesis.json", "JSON", Exit.USAGE),
    "genesis of a list": (lambda h: h.genesis.write_text("[]"), "genesis.json", "object", Exit.USAGE),
    "genesis of bytes": (lambda h: h.genesis.write_bytes(b"\xff\xfe"), "genesis.json", "JSON", Exit.USAGE),
    "a key misspelt": (lambda h: append(h, "nmae = 'x'\n"), "node.toml", "nmae", Exit.FAILED),
    "no TOML": (lambda h: h.config.write_text("["), "node.toml", "Invalid", Exit.FAILED),
    "a word for a level": (lambda h: append(h, "log_level = 'loud'\n"), "node.toml", "warning", Exit.FAILED),
    "another passphrase": (lambda h: save_passphrase(h, "x"), "node.json", "does not open", Exit.REFUSED),
    "an open passphrase": (lambda h: (h.path / "passphrase").chmod(0o644), "passphrase", "chmod 600", Exit.REFUSED),
    "no passphrase": (lambda h: (h.path / "passphrase").unlink(), "passphrase", "no such", Exit.FAILED),
    "no validator key": (
        lambda h: (h.path / "keys/validator.json").unlink(),
        "validator.json",
        "no such key file",
        Exit.FAILED,
    ),
    "a hollow key": (lambda h: (h.path / "keys/node.json").write_bytes(b"{}"), "node.json", "version 3", Exit.FAILED),
    "a folder for a key": (
        lambda h: ((h.path / "keys/node.json").unlink(), (h.path / "keys/node.json").mkdir()),
        "node.json",
        "directory",
        Exit.FAILED,
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_home_is_explained(home: Home, damage: str) -> None:
    do, where, what, code = DAMAGES[damage]
    do(home)
    found, said = run(home)
    assert str(home.path) in said
    assert where in said
    assert what in said
    assert found == code


def test_a_static_peer_that_is_none_is_named(home: Home) -> None:
    home.config.write_text(home.config.read_text() + "static = ['enode://nobody@nowhere']\n")
    code, said = run(home)
    assert code == Exit.FAILED
    assert str(home.config) in said
    assert "peers.static" in said
    assert "enode://nobody@nowhere" in said


def test_another_genesis_than_the_confirmed_one_is_refused(home: Home) -> None:
    document = json.loads(home.genesis.read_bytes())
    document["timestamp"] = hex(int(document["timestamp"], 16) + 1)
    home.genesis.write_text(json.dumps(document))
    code, said = run(home)
    assert code == Exit.REFUSED
    assert str(home.genesis) in said
    assert home.settings().genesis_hash in said


def test_a_home_that_is_not_there_is_usage(tmp_path: Path) -> None:
    answer = cocket("node", "run", "--home", tmp_path / "nowhere")
    assert answer.code == Exit.USAGE
    assert "nowhere" in answer.err


def test_a_data_folder_that_cannot_be_is_said(home: Home) -> None:
    home.data.write_text("a file where the folder should be")
    answer = cocket("node", "run", "--home", home.path)
    assert answer.code == Exit.FAILED
    assert str(home.data) in answer.err
