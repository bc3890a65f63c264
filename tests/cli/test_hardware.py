"""A vault and a custodian whose encryption keys are in a hardware module: made, sealed to, run and read from."""

import json
import time
from pathlib import Path

import pytest
from command import cocket, done, refused
from e2e.trial import free_ports
from keepers import accredit, by_passphrase, make_vault, running
from office import open_office
from sealed import certificates_of, seal_all, write_sealed
from softhsm import MODULE, PIN, WITHOUT, token

from cocket.attestation.files import decode_presentation
from cocket.attestation.prove import whole
from cocket.cli.errors import Exit
from cocket.node.encryption_key import load_public_key
from cocket.node.vault.settings import KeeperHome

pytestmark = pytest.mark.skipif(not MODULE.is_file(), reason=WITHOUT)


def test_a_key_is_made_in_the_module_named_and_used_again(tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text(PIN + "\n")
    pin.chmod(0o600)
    where = ("--module", MODULE, "--token", token(), "--pin-file", pin, "--folder", tmp_path)
    answer = done("keys", "hardware", "custodian", *where, "--label", "cli", "--new")
    assert json.loads((tmp_path / "custodian.public.json").read_text())["public_key"] == answer["public_key"]
    again = done("keys", "hardware", "same", *where, "--label", "cli")
    assert again["public_key"] == answer["public_key"]
    assert "it exists" in refused(Exit.REFUSED, "keys", "hardware", "third", *where, "--label", "cli", "--new")
    assert "exists" in refused(Exit.REFUSED, "keys", "hardware", "same", *where, "--label", "cli")
    assert "NoSuchKey" in refused(Exit.REFUSED, "keys", "hardware", "none", *where, "--label", "none")
    assert {"name": "custodian", "encryption": "P256"} in done("keys", "list", "--folder", tmp_path)["keys"]  # type: ignore[operator]
    pin.write_text("0000\n")
    assert "the PIN does not open" in refused(Exit.REFUSED, "keys", "hardware", "n", *where, "--label", "cli")


def test_records_are_sealed_to_a_vault_in_a_module_and_read_from_it(tmp_path: Path) -> None:
    with open_office(tmp_path) as office:
        pin = office.folder / "pin"
        pin.write_text(PIN + "\n")
        pin.chmod(0o600)
        port = free_ports(1)
        done(
            "keys", "hardware", "vault", "--module", MODULE, "--token", token(), "--label", "vault", "--new",
            "--pin-file", pin, "--folder", office.folder,
        )  # fmt: skip
        home = office.folder / "hardware-vault"
        done(
            "vault", "init", home, "--account", office.address(office.chamber), "--encryption-key",
            office.folder / "vault.json", "--port", port, "--passphrase-file", pin, "--node", office.url,
        )  # fmt: skip
        accredit(office, home, "KE")
        done("vault", "announce", home, "--url", f"https://127.0.0.1:{port}", *office.by_chamber)
        records = office.issue(office.documents[0], options=("--for-country", "SG", "--valid-to", "2099-01-01"))
        public = load_public_key(home / "keys" / "encryption.public.json")
        sealed = seal_all(office, certificates_of(records), public)
        stored = done(
            "vault", "store", home, *write_sealed(office.folder / "s", ["a"], sealed), "--passphrase-file", pin
        )
        assert stored["stored"] == 1
        office.chain.seal(int(time.time()))
        with running(home, passphrase=PIN):
            office.chain.seal(int(time.time()))
            answer = cocket(
                "access", "request", "--record", records[0], "--group", "goods", "--purpose", "import-clearance",
                "--out", office.folder / "read.json", *office.home("SG"),
            )  # fmt: skip
        assert "custodian" in answer.err, "the vault gave its part; no custodian is announced here"
        assert "vault" not in answer.err


def test_an_authority_registers_a_key_in_a_module_and_its_custodian_answers_with_it(tmp_path: Path) -> None:
    """From the vote on the key to a read of what was sealed to it, by the module's Diffie-Hellman alone."""
    with open_office(tmp_path) as office:
        pin = office.folder / "pin"
        pin.write_text(PIN + "\n")
        pin.chmod(0o600)
        module = ("--module", MODULE, "--token", token(), "--label", "network", "--new", "--pin-file", pin)
        done("keys", "hardware", "custodian", *module, "--folder", office.folder)
        parameters, record = office.folder / "parameters.json", office.folder / "KE.record.json"
        done(
            "genesis",
            "parameters",
            "--ceremony",
            "rotate",
            "--chain-id",
            20_261,
            "--country",
            "KE",
            "--out",
            parameters,
        )
        done(
            "genesis", "record", "--home", office.homes["KE"].path, "--country", "KE", "--endpoint",
            "ke.example:30303", "--parameters", parameters, "--encryption-key",
            office.folder / "custodian.public.json", "--passphrase-file", office.passphrase, "--out", record,
        )  # fmt: skip
        number = done("authority", "propose", "keys", record, *office.home("KE"))["proposal"]
        assert "of P256" in cocket("authority", "proposals", "--node", office.url).out
        for voter in ("NL", "SG"):
            answer = done("authority", "vote", number, "--for", *office.home(voter))
        assert answer["standing"] == "executed"
        first = free_ports(2)
        vault = make_vault(office, "vault", first)
        custodian = office.folder / "ke-custodian"
        done(
            "custodian", "init", custodian, "--country", "KE", "--encryption-key", office.folder / "custodian.json",
            "--port", first + 1, "--passphrase-file", pin, "--node", office.url,
        )  # fmt: skip
        for at, (home, signing) in enumerate(((vault, office.by_chamber), (custodian, office.home("KE")))):
            accredit(office, home, "KE")
            kind = KeeperHome(home).settings().kind
            done(kind, "announce", home, "--url", f"https://127.0.0.1:{first + at}", *signing)
        document = office.issue(office.documents[0], options=("--for-country", "SG", "--valid-to", "2099-01-01"))[0]
        offline = ("--module", MODULE, "--token", token(), "--label", "offline", "--new", "--pin-file", pin)
        done("keys", "hardware", "recovery", *offline, "--folder", office.folder)
        recovery = office.folder / "recovery.public.json"
        done(
            "document", "seal", document, "--out", office.folder / "sealed", "--custodian", "KE", "--threshold", 1,
            "--vault-key", vault / "keys" / "encryption.public.json", "--recovery", recovery, *office.by_chamber,
        )  # fmt: skip
        manifest = next((office.folder / "sealed").glob("*.manifest.json"))
        done("vault", "store", vault, manifest, *by_passphrase(office))
        office.chain.seal(int(time.time()))
        with running(vault), running(custodian, passphrase=PIN):
            office.chain.seal(int(time.time()))
            read = done(
                "access", "request", "--record", document, "--group", "goods", "--purpose", "import-clearance", "--out",
                office.folder / "read.json", *office.home("SG"),
            )  # fmt: skip
        assert read["groups"] == ["certificate", "goods"]
        assert len(read["answered"]) == 2  # type: ignore[arg-type]
        opened = tmp_path / "opened"
        by_module = ("--recovery-key", office.folder / "recovery.json", "--recovery-passphrase-file", pin)
        done("document", "open", manifest, *by_module, "--out", opened)
        assert decode_presentation(next(opened.iterdir()).read_bytes()) == whole(certificates_of([document])[0])
        other = ("--recovery-key", office.folder / "custodian.json", "--recovery-passphrase-file", pin)
        assert "another recovery key" in refused(
            Exit.REFUSED, "document", "open", manifest, *other, "--out", opened / "x"
        )
