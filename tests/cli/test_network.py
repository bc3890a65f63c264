"""``cocket network create``: a whole founding in one command, with real encrypted keys, or nothing at all."""

import json
from pathlib import Path

import pytest
from command import cocket, done, refused

from cocket.genesis.confirmation import decode_confirmation
from cocket.node.chain.spec import parse_genesis
from cocket.node.config import Home


def create(folder: Path, *countries: str) -> tuple[object, ...]:
    return ("network", "create", folder, *[word for country in countries for word in ("--authority", country)])


def test_a_home_is_ready_and_guarded(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    answer = done(*create(folder, "NL"), "--chain-id", 77, "--rpc-port", 9100, "--peer-port", 9200)
    assert answer["authorities"] == ["NL"]
    home = Home(folder / "NL")
    genesis = parse_genesis(home.genesis.read_bytes())
    assert answer["genesis_hash"] == "0x" + genesis.hash.hex() == home.settings().genesis_hash
    assert genesis.spec.chain_id == 77
    assert genesis.spec.block_period_s == 1
    assert (home.settings().rpc.port, home.settings().peers.port) == (9100, 9200)
    assert (folder / "NL" / "passphrase").stat().st_mode & 0o777 == 0o600
    passphrases = {(folder / "NL" / name / "passphrase").read_text() for name in (".", "custodian")}
    assert len(passphrases) == 2
    for name in ("keys/admin", "keys/validator", "keys/node", "custodian/encryption"):
        path = folder / "NL" / f"{name}.json"
        assert path.stat().st_mode & 0o777 == 0o600
        assert json.loads(path.read_text())["crypto"]["kdf"] == "scrypt"
    confirmed = decode_confirmation((folder / "founding" / "NL.confirmation.json").read_bytes())
    assert confirmed.genesis_hash == answer["genesis_hash"]
    assert [path.name for path in tmp_path.iterdir()] == ["trial"]
    assert "not empty" in refused(3, *create(folder, "NL"))


@pytest.mark.parametrize(
    ("countries", "code", "word"),
    [
        (("nl",), 2, "ISO 3166"),
        (("NLD",), 2, "ISO 3166"),
        (("NL", "NL"), 2, "twice"),
        (tuple(f"A{chr(65 + index)}" for index in range(17)), 2, "one machine takes 16"),
    ],
)
def test_what_cannot_be_founded_leaves_nothing(
    tmp_path: Path, countries: tuple[str, ...], code: int, word: str
) -> None:
    folder = tmp_path / "trial"
    assert word in refused(code, *create(folder, *countries))
    assert list(tmp_path.iterdir()) == []


def test_up_needs_homes(tmp_path: Path) -> None:
    answer = cocket("network", "up", tmp_path)
    assert answer.code == 4
    assert "cocket network create" in answer.err
    assert cocket("network", "up", tmp_path / "nowhere").code == 2
