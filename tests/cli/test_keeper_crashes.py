"""A custodian, a process with real files, killed before each write that it does: no share is without its receipt."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import done
from e2e.crashes import Crashes
from e2e.trial import free_ports
from founding.founders import PASSPHRASE
from keepers import accredit, by_passphrase, make_custodian
from office import Office, open_office
from sealed import certificates_of, seal_all

from cocket.attestation.batch import country_hash
from cocket.attestation.prove import Anchor
from cocket.attestation.reading.exchange import ShareCall, decode_share, encode_share_call
from cocket.attestation.reading.item import Item
from cocket.attestation.reading.receipt import Receipt, decode_receipt, encode_receipt
from cocket.attestation.reading.request import signing_hash
from cocket.attestation.sealing.custody_file import decode_custody
from cocket.attestation.sealing.hpke import PrivateKey, Suite
from cocket.attestation.sealing.manifest import decode_manifest
from cocket.attestation.sealing.record import sealable
from cocket.contracts import access, certificates
from cocket.contracts.access import Evidence, Right, Service, ServiceKind, encode_evidence
from cocket.node.errors import Unavailable
from cocket.node.keystore import load_key
from cocket.node.vault.connection import SHARE_PATH, ask_health, call_service
from cocket.node.vault.ledger import Ledger
from cocket.node.vault.period_file import parse_period_file
from cocket.node.vault.reader import Reader, Wanted
from cocket.node.vault.signing import wallet_of

VAULT = PrivateKey(Suite.HYBRID, b"v" * 32)
DEADLINE_S = 40


class Custodian:
    """KE's custodian as a process, and a reader that asks it for shares of one record, again and again."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.port = free_ports(1)
        self.home = make_custodian(office, "KE", "crashing", self.port)
        self.keeper = (1 << 32) + accredit(office, self.home, "KE")
        done("custodian", "announce", self.home, "--url", f"https://127.0.0.1:{self.port}", *office.home("KE"))
        out = office.folder_for_batch()
        document = office.documents[0]
        done(
            "certificate", "issue", document, "--out", out, "--valid-from", "2025-10-01", "--for-country", "SG",
            *office.by_chamber,
        )  # fmt: skip
        (certificate,) = certificates_of([out / f"{document.stem}.certificate.json"])
        (sealed,) = seal_all(office, [certificate], VAULT.public)
        self.custody = decode_custody(sealed.custody)
        self.binding = decode_manifest(sealed.manifest)[0].binding
        self.laid_open = sealable(certificate)
        self.ledger = Ledger(office.url)
        key = load_key(office.homes["SG"].path / "keys" / "admin.json", PASSPHRASE)
        self.sign = wallet_of(key)
        self.reader = Reader(self.ledger, self.sign, lambda: int(time.time()))
        self.service: Service = self.ledger.view(
            access.ADDRESS, access.service_of(2, ServiceKind.CUSTODIAN), self.ledger.head().number
        )

    def body(self) -> bytes:
        """Return a share call of its own request."""
        self.office.chain.seal(max(int(time.time()), self.office.chain.ledger.head.timestamp + 1))
        anchor: Anchor = self.laid_open.anchor
        head = self.ledger.head()
        batch = self.ledger.view(certificates.ADDRESS, certificates.batch(anchor.batch), head.number)
        wanted = Wanted(anchor.batch, anchor.index, frozenset({2}), 1)
        request = self.reader._signed(wanted, batch, head).request
        country = self.laid_open.country
        item = Item(
            self.binding.document_root, self.binding.kind, self.binding.key_epoch,
            country_hash(country.salt, country.country), anchor.path,
        )  # fmt: skip
        right = Right(self.binding.document_root, country.country, country.salt, anchor.path)
        evidence = encode_evidence(Evidence(right))
        return encode_share_call(
            ShareCall(request, self.sign(signing_hash(request)), b"", evidence, ((anchor.index, item),), self.custody)
        )

    def run(self, environment: dict[str, str], asks: int) -> tuple[list[Receipt], int | None]:
        """Run it, ask for shares, and end it; return the receipts that came with shares, and how it ended by itself."""
        command = [sys.executable, "-m", "cocket.cli", "custodian", "run", str(self.home), *by_passphrase(self.office)]
        self.office.chain.seal(max(int(time.time()), self.office.chain.ledger.head.timestamp + 1))
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        given: list[Receipt] = []
        try:
            self._wait(process)
            for _ in range(asks):
                try:
                    given.append(decode_share(call_service(self.service, SHARE_PATH, self.body(), "KE")).receipt)
                except Unavailable:
                    break
            died = process.poll() if process.poll() is not None else None
        finally:
            process.kill()
            ended = process.wait()
        return given, ended if died is None else died

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while process.poll() is None and time.monotonic() < deadline:
            try:
                ask_health(self.service, "KE")
            except Unavailable:
                time.sleep(0.02)
                continue
            return

    def written(self) -> set[bytes]:
        """Return all receipts on the disk."""
        found: set[bytes] = set()
        for path in sorted((self.home / "receipts").glob("*.receipts")):
            file = parse_period_file(path.read_bytes(), path, self.ledger.chain()[1], self.keeper, int(path.stem))
            found.update(each.receipt for each in file.noted)
        return found


@pytest.fixture(scope="module")
def custodian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Custodian]:
    with open_office(tmp_path_factory.mktemp("crashing-office")) as office:
        custodian = Custodian(office)
        yield custodian
        custodian.ledger.close()


def test_no_share_is_given_whose_receipt_is_not_on_the_disk(custodian: Custodian, tmp_path: Path) -> None:
    crashes = Crashes(tmp_path / "writes")
    given, _ = custodian.run(crashes.environment(-1), 2)
    assert len(given) == 2
    names, all_given = crashes.writes(), [*given]
    died_before: set[str] = set()
    for writes in range(len(names) + 1):
        given, ended = custodian.run(crashes.environment(writes), 3)
        assert ended == -9
        all_given += given
        died_before.add(crashes.writes()[-1])
        on_disk = custodian.written()
        assert {encode_receipt(receipt) for receipt in all_given} <= on_disk
        numbers = sorted(decode_receipt(data).number for data in on_disk)
        assert numbers == list(range(len(numbers)))
    assert {"journal append", "journal sync"} <= died_before
    assert len(all_given) > 2  # some were given before a death
