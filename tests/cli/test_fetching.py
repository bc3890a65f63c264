"""``cocket audit fetch``: an auditor gets a vault's receipts by an engagement, and holds them to what was anchored."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import done, refused
from e2e.trial import free_ports
from keepers import accredit, by_passphrase, make_vault, running
from office import Office, open_office
from sealed import certificates_of, seal_all, write_sealed

from cocket.cli.errors import Exit
from cocket.node.encryption_key import load_public_key
from cocket.node.vault.settings import KeeperHome


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(tmp_path_factory.mktemp("fetching-office")) as opened:
        yield opened


def test_an_auditor_fetches_receipts_while_it_is_engaged(office: Office, tmp_path: Path) -> None:
    port = free_ports(1)
    vault = make_vault(office, "vault", port)
    config = KeeperHome(vault).config
    config.write_text(config.read_text().replace("anchor_s = 3600", "anchor_s = 1"))
    accredit(office, vault, "KE")
    done("vault", "announce", vault, "--url", f"https://127.0.0.1:{port}", *office.by_chamber)
    record = office.issue(office.documents[0], options=("--for-country", "SG", "--valid-to", "2099-01-01"))[0]
    sealed = seal_all(office, certificates_of([record]), load_public_key(vault / "keys" / "encryption.public.json"))
    done("vault", "store", vault, *write_sealed(office.folder / "s", ["a"], sealed), *by_passphrase(office))
    auditor = office.make_key("auditor")
    number = office.accredit("NL", auditor, "An auditor", "auditor")
    by_auditor = office.signed_by(auditor)
    draft, grant = tmp_path / "audit.json", tmp_path / "audit.grant.json"
    done(
        "engagement", "draft", "--auditor", number, "--controller", 1, "--group", "goods", "--anchored-from",
        "2025-10-01", "--from", "2025-10-01", "--to", "2099-01-01", "--out", draft, "--node", office.url,
    )  # fmt: skip
    done("engagement", "sign", draft, *by_auditor)
    done("engagement", "sign", draft, *office.by_chamber)
    done("engagement", "commit", draft, "--out", grant, *office.by_chamber)
    out = tmp_path / "receipts"
    fetch = ("audit", "fetch", "--engagement", grant, "--record", record, "--out", out)
    office.chain.seal(int(time.time()))
    with running(vault) as services:
        refused(
            Exit.REFUSED, "access", "request", "--record", record, "--group", "goods", "--purpose", "audit", "--out",
            tmp_path / "read.json", *office.home("BR"),
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while sum(event == "anchoring" for event, _ in services[0].log.lines) < 3:
            assert time.monotonic() < deadline
            office.chain.seal(int(time.time()))
            time.sleep(0.2)
        first = done(*fetch, *by_auditor)
        assert int(str(first["new"])) == int(str(first["last"])) >= 2
        office.chain.seal(int(time.time()))
        block = office.client.block_number()
        again = done(*fetch, *by_auditor)
        assert int(str(again["last"])) - int(str(again["new"])) == int(str(first["last"]))
        assert "another reader" in refused(Exit.REFUSED, *fetch, *office.home("BR"))
        done("engagement", "end", draft, "--reason", 2, *office.by_chamber)
        assert "was withdrawn" in refused(Exit.REFUSED, *fetch, *by_auditor)
    words = ("--list", "--cadence", 1, "--block", block, "--node", office.url)
    held = done("audit", "receipts", out, *words)
    assert held["is_as_anchored"] is True, held
    reads = held["reads"]
    assert isinstance(reads, list)
    assert [(each["reader"], each["was_given"]) for each in reads] == [("the authority of BR", False)]
    lines = done("audit", "provenance", record, "--receipts", out, "--node", office.url)["lines"]
    assert "refused by" in str(lines)
