"""Somebody with every disk of vault and custodians reads nothing without passphrases, nor with one too few."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import done
from founding.founders import PASSPHRASE
from keepers import by_passphrase, make_custodian, make_vault
from office import COUNTRIES, Office, open_office
from sealed import certificates_of, seal_all, write_sealed

from cocket.attestation.sealing.custody import open_seat
from cocket.attestation.sealing.custody_file import decode_custody
from cocket.node.encryption_key import load_encryption_key, load_public_key, save_encryption_key
from cocket.node.vault.settings import KeeperHome

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from attacker import attack

WORDS = ("Model Dolce", "Espresso Italiano", "North Italy Chamber")


class Disks:
    """Homes of four nodes, a vault that holds one record, four custodians, each with a passphrase of its own."""

    def __init__(self, office: Office) -> None:
        vault = make_vault(office, "vault", 1)
        homes = [make_custodian(office, country, country.lower(), 1) for country in COUNTRIES]
        certificate = office.issue(office.documents[0])[0]
        public = load_public_key(vault / "keys" / "encryption.public.json")
        manifests = write_sealed(
            office.folder / "sealed", ["coo"], seal_all(office, certificates_of([certificate]), public)
        )
        done("vault", "store", vault, *manifests, *by_passphrase(office))
        self.passphrases = {}
        for home in (vault, *homes):
            self.passphrases[home.name] = f"the passphrase of {home.name}"
            path = KeeperHome(home).encryption_key
            key = load_encryption_key(path, PASSPHRASE)
            path.unlink()
            save_encryption_key(path, key, self.passphrases[home.name], work=2)
        for country in COUNTRIES:  # the founding's copies lie beside the nodes, under the same key
            path = office.homes[country].encryption_key
            key = load_encryption_key(path, PASSPHRASE)
            path.unlink()
            save_encryption_key(path, key, self.passphrases[country.lower()], work=2)
        self.folders = [vault, *homes, *[office.homes[country].path for country in COUNTRIES]]
        self.manifest = manifests[0]


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disks]:
    with open_office(tmp_path_factory.mktemp("attacked-office")) as office:
        yield Disks(office)


def test_without_passphrases_nothing_is_read(disks: Disks) -> None:
    loot = attack(disks.folders, WORDS, ["a guess", "another"])
    assert (loot.records, loot.keys_opened) == (1, 0)
    assert loot.windows > 50_000
    assert loot.is_nothing()


@pytest.mark.parametrize("country", COUNTRIES)
def test_with_the_vault_s_and_one_custodian_s_nothing_is_read(disks: Disks, country: str) -> None:
    known = [disks.passphrases["vault"], disks.passphrases[country.lower()]]
    loot = attack(disks.folders, WORDS, known)
    assert loot.keys_opened == 2
    assert loot.is_nothing()


def test_with_two_custodians_the_same_tool_reads_it_all(disks: Disks) -> None:
    loot = attack(disks.folders, WORDS, [disks.passphrases["br"], disks.passphrases["sg"]])
    assert loot.groups_opened == 6
    assert set(loot.words) == set(WORDS)


def test_and_finds_words_and_seeds_that_lie_in_the_open(disks: Disks, tmp_path: Path) -> None:
    planted = tmp_path / "disk"
    planted.mkdir()
    (planted / "notes").write_bytes(b"\0" * 100 + WORDS[0].encode() + b"\0" * 100)
    assert attack([*disks.folders, planted], WORDS).words == [WORDS[0]]
    custody = decode_custody((disks.manifest.parent / "custody.json").read_bytes())
    key = load_encryption_key(KeeperHome(disks.folders[1]).encryption_key, disks.passphrases["br"])
    (planted / "notes").write_text("seed " + open_seat(custody, custody.custodians[0], key).hex())
    assert not attack([*disks.folders, planted], WORDS).is_nothing()
