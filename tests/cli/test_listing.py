"""``cocket vault capability`` and ``document reads``: a subject without key and node lists who read its record."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import done, refused
from e2e.trial import free_ports
from keepers import accredit, by_passphrase, make_vault, running
from office import Office, open_office
from sealed import certificates_of, seal_all, write_sealed

from cocket.attestation.reading.listing import decode_capability
from cocket.cli.errors import Exit
from cocket.node.encryption_key import load_public_key


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(tmp_path_factory.mktemp("listing-office")) as opened:
        yield opened


def test_a_subject_lists_who_asked_for_its_record(office: Office) -> None:
    port = free_ports(1)
    vault = make_vault(office, "vault", port)
    accredit(office, vault, "KE")
    record = office.issue(office.documents[0], options=("--for-country", "SG", "--valid-to", "2099-01-01"))[0]
    capability, url = office.folder / "coffee.reads.json", f"https://127.0.0.1:{port}"
    words = ("vault", "capability", vault, "--record", record, "--out", capability)
    assert "vault announce" in refused(Exit.REFUSED, *words)
    done("vault", "announce", vault, "--url", url, *office.by_chamber)
    assert done(*words)["url"] == url
    assert capability.stat().st_mode & 0o777 == 0o600
    assert "exists" in refused(Exit.REFUSED, *words)
    sealed = seal_all(office, certificates_of([record]), load_public_key(vault / "keys" / "encryption.public.json"))
    done("vault", "store", vault, *write_sealed(office.folder / "s", ["a"], sealed), *by_passphrase(office))
    office.chain.seal(int(time.time()))
    with running(vault):
        assert done("document", "reads", capability)["reads"] == []
        for purpose in ("import-clearance", "audit"):
            refused(
                Exit.REFUSED, "access", "request", "--record", record, "--group", "goods", "--purpose", purpose,
                "--out", office.folder / "read.json", *office.home("BR"),
            )  # fmt: skip
        answer = done("document", "reads", capability)
        assert answer["is_complete"] is True
        reads = answer["reads"]
        assert isinstance(reads, list)
        assert [(each["reader"], each["purpose"], each["was_given"]) for each in reads] == [
            ("the authority of BR", "audit", False),
            ("the authority of BR", "import-clearance", False),
        ]
        assert done("document", "reads", capability, "--node", office.url)["reads"] == reads
        forged = office.folder / "forged.reads.json"
        secret = decode_capability(capability.read_bytes()).secret.hex()
        forged.write_text(capability.read_text().replace(secret, "0" * 64))
        assert "no such record" in refused(Exit.REFUSED, "document", "reads", forged)
        moved = office.folder / "moved.reads.json"
        moved.write_text(capability.read_text().replace(url, "https://127.0.0.1:1"))
        assert "cannot be reached" in refused(Exit.FAILED, "document", "reads", moved)
        assert done("document", "reads", moved, "--node", office.url)["reads"] == reads
        other = office.folder / "certificate.reads.json"
        certificate = decode_capability(capability.read_bytes()).certificate.hex()
        other.write_text(capability.read_text().replace(certificate, "0" * 64))
        assert "another certificate" in refused(Exit.FAILED, "document", "reads", other)
    assert str(record) in refused(Exit.USAGE, "document", "reads", record)


def test_only_a_vault_of_the_record_s_controller_makes_one(office: Office, tmp_path: Path) -> None:
    record = office.issue(office.documents[0])[0]
    trader = office.make_key("trader-with-vault")
    office.accredit("NL", trader, "A trader with a vault")
    home = tmp_path / "trader-vault"
    done(
        "vault", "init", home, "--account", office.address(trader), "--port", 0, *by_passphrase(office), "--node",
        office.url,
    )  # fmt: skip
    words = ("vault", "capability", home, "--record", record, "--out", tmp_path / "none.json")
    assert "whose vault this is" in refused(Exit.REFUSED, *words)
    assert not (tmp_path / "none.json").exists()
