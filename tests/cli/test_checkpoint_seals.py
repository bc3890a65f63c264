"""Checkpoints sealed with authorities' X.509 seals: an anchor for who trusts those who issued the certificates."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attestation.identity.authorities import BELOW, OTHER, ROOT, key_of, pem
from command import cocket, done, refused
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from founding.founders import PASSPHRASE
from office import Office, open_office

from cocket.cli.errors import Exit
from cocket.contracts import consortium

NOW = datetime(2026, 2, 1, tzinfo=UTC)
DAY = "2026-02-01"
SEALED = {"KE": 20, "NL": 21, "SG": 22}


class Seals:
    """Three of four authorities whose seal certificates the ledger has, and a bundle to verify."""

    def __init__(self, office: Office) -> None:
        self.office = office
        office.chain.seal(int(NOW.timestamp()))
        self.folder = office.folder / "seals"
        self.folder.mkdir()
        parameters = self.folder / "parameters.json"
        made = NOW - timedelta(days=1)
        for country, seed in SEALED.items():
            key, encryption = key_of(seed), BestAvailableEncryption(PASSPHRASE.encode())
            self.write(f"{country}.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
            self.write(f"{country}.crt", pem(BELOW.seal(f"Customs of {country}", key, seed), BELOW.certificate))
        for name, data in {
            "roots.pem": pem(ROOT.certificate),
            "other.pem": pem(OTHER.certificate),
            "other.crt": pem(OTHER.seal("Another", key_of(20), 9)),
            "seals.crl": pem(BELOW.list_revoked(made)),
            "root.crl": pem(ROOT.list_revoked(made)),
            "revoked.crl": pem(BELOW.list_revoked(made, {21: made})),
        }.items():
            self.write(name, data)
        done(
            "genesis", "parameters", "--ceremony", "seals", "--chain-id", 20_261, "--country", "KE", "--country", "NL",
            "--country", "SG", "--out", parameters,
        )  # fmt: skip
        for country in SEALED:
            record = self.folder / f"{country}.record.json"
            done(
                "genesis", "record", "--home", office.homes[country].path, "--country", country, "--endpoint",
                f"{country.lower()}.example:30303", "--parameters", parameters, "--seal-certificate",
                self.folder / f"{country}.crt", "--passphrase-file", office.passphrase, "--out", record,
            )  # fmt: skip
            number = done("authority", "propose", "keys", record, *office.home("KE"))["proposal"]
            said = cocket("authority", "proposals", "--node", office.url).out
            assert "(SHA-256 of its certificate)" in said
            for voter in ("NL", "SG"):
                answer = done("authority", "vote", number, "--for", *office.home(voter))
            assert answer["standing"] == "executed"
        self.certificate = office.issue(office.documents[0])[0]
        self.checkpoint = office.folder / "cp.json"
        office.chain.seal(int(NOW.timestamp()) + 86_400)
        self.bundle = office.folder / "coffee.bundle"

    def write(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)
        (self.folder / name).chmod(0o600)

    def seal(self, country: str, file: Path | None = None, certificate: str = "", key: str = "") -> tuple[object, ...]:
        return (
            "ledger", "checkpoint", file or self.checkpoint, *self.office.home(country),
            "--seal-certificate", self.folder / (certificate or f"{country}.crt"),
            "--seal-key", self.folder / (key or f"{country}.pem"),
            "--seal-passphrase-file", self.office.passphrase,
        )  # fmt: skip

    def verify(self, *words: object) -> int:
        return cocket("verify", self.bundle, "--on", DAY, "--anchor", self.checkpoint, *words).code


@pytest.fixture(scope="module")
def seals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seals]:
    with open_office(tmp_path_factory.mktemp("seals-office")) as office:
        made = Seals(office)
        for country in SEALED:
            answer = done(*made.seal(country))
        assert answer["is_complete"] is True
        assert [str(each).split("=")[1].split(",")[0] for each in answer["sealed_by"]] == [  # type: ignore[attr-defined]
            f"Customs of {country}" for country in SEALED
        ]
        office.chain.seal(int(NOW.timestamp()) + 2 * 86_400)
        done("certificate", "bundle", made.certificate, "--out", made.bundle, "--node", office.url)
        yield made


def test_the_ledger_has_the_certificates_that_records_name(seals: Seals) -> None:
    client = seals.office.client
    kenya = client.view(consortium.ADDRESS, consortium.authority(2))
    seal = client.view(consortium.ADDRESS, consortium.keys(kenya.keys_id)).seal_certificate
    assert any(seal)
    assert json.loads(seals.checkpoint.read_text())["authorities"][1]["seal"] == "0x" + seal.hex()


def test_a_sealed_checkpoint_is_an_anchor_for_who_trusts_the_issuers(seals: Seals) -> None:
    roots, other = seals.folder / "roots.pem", seals.folder / "other.pem"
    lists = ("--crl", seals.folder / "seals.crl", "--crl", seals.folder / "root.crl")
    assert seals.verify() == Exit.DONE
    assert seals.verify("--trust", roots) == Exit.DONE
    assert seals.verify("--trust", roots, *lists) == Exit.DONE
    said = cocket("verify", seals.bundle, "--on", DAY, "--anchor", seals.checkpoint, "--trust", roots).out
    assert "KE (O=Customs of KE" in said
    words = ("verify", seals.bundle, "--on", DAY, "--anchor", seals.checkpoint)
    untrusted = refused(Exit.VERIFICATION_NO, *words, "--trust", other)
    assert "trusted seals of 0 authorities, 3 of 4 are needed; KE: the chain does not lead" in untrusted
    revoked = ("--crl", seals.folder / "revoked.crl", "--crl", seals.folder / "root.crl")
    assert "trusted seals of 2 authorities" in refused(Exit.VERIFICATION_NO, *words, "--trust", roots, *revoked)
    assert "no list" in refused(
        Exit.VERIFICATION_NO, *words, "--trust", roots, *lists[:0], "--crl", seals.folder / "root.crl"
    )


def test_seals_stand_for_admin_keys_and_the_other_way_round(seals: Seals) -> None:
    node = json.loads(seals.checkpoint.read_text())
    for changes, code in (
        ({"signatures": []}, Exit.DONE),
        ({"seals": []}, Exit.DONE),
        ({"signatures": node["signatures"][:2], "seals": node["seals"][2:]}, Exit.DONE),
        ({"signatures": node["signatures"][:2], "seals": node["seals"][:2]}, Exit.USAGE),
    ):
        file = seals.office.folder / "part.json"
        file.write_text(json.dumps({**node, **changes}))
        assert cocket("verify", seals.bundle, "--on", DAY, "--anchor", file).code == code, changes
    trusted = ("--trust", seals.folder / "roots.pem")
    file.write_text(json.dumps({**node, "seals": node["seals"][:2]}))
    words = ("verify", seals.bundle, "--on", DAY, "--anchor", file, *trusted)
    assert "trusted seals of 2 authorities, 3 of 4" in refused(Exit.VERIFICATION_NO, *words)


def test_a_seal_of_anybody_else_is_refused(seals: Seals) -> None:
    node = json.loads(seals.checkpoint.read_text())
    first, second, third = node["seals"]
    file = seals.office.folder / "false.json"
    for made, why in (
        ([first, first, third], "another order"),
        ([third, second, first], "another order"),
        ([{**first, "signature": second["signature"]}, second, third], "does not hold"),
        ([{**first, "x5c": second["x5c"]}, second, third], "of none of its authorities"),
        ([{**first, "number": 1}, second, third], "of none of its authorities"),
        ([{**first, "number": 9}], "of none of its authorities"),
        ([{**first, "x5c": []}], "checkpoint"),
        ([{"number": 2}], "/seals/0"),
    ):
        file.write_text(json.dumps({**node, "seals": made}))
        assert why in refused(Exit.USAGE, "ledger", "checkpoint", file), why
    file.write_text(json.dumps({**node, "height": node["height"] + 1, "signatures": []}))
    assert "does not hold" in refused(Exit.USAGE, "ledger", "checkpoint", file)


def test_only_the_certificate_that_the_ledger_has_seals(seals: Seals, tmp_path: Path) -> None:
    new = tmp_path / "cp.json"
    assert "of no active authority" in refused(Exit.REFUSED, *seals.seal("KE", new, certificate="other.crt"))
    assert "not that of the certificate" in refused(Exit.USAGE, *seals.seal("KE", new, key="NL.pem"))
    assert not new.exists()
    both = ("ledger", "checkpoint", new, *seals.office.home("KE"), "--seal-key", seals.folder / "KE.pem")
    assert "both" in refused(Exit.USAGE, *both)


def test_trust_is_for_sealed_checkpoints(seals: Seals) -> None:
    trust = ("--trust", seals.folder / "roots.pem")
    assert "--anchor FILE" in refused(Exit.USAGE, "verify", seals.bundle, *trust)
    assert "--anchor FILE" in refused(Exit.USAGE, "verify", seals.bundle, "--anchor", "0x" + "12" * 32, *trust)


def test_keys_are_proposed_for_members(seals: Seals, tmp_path: Path) -> None:
    record = json.loads((seals.folder / "KE.record.json").read_text())
    record["body"]["country"] = "FR"
    file = tmp_path / "FR.record.json"
    file.write_text(json.dumps(record))
    assert cocket("authority", "propose", "keys", file, *seals.office.home("KE")).code != 0
