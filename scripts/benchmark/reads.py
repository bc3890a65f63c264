"""Reads: the contract's answer, and releases of shares by a custodian over TLS, beside a running network of four.

A release is a custodian's answer to a signed request, with everything in it: TLS, signatures, the contract's EVM at a
young head, the receipt's fsync, the masks wrapped. The requests are signed before the clock runs.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from benchmark.progress import say
from benchmark.run import Run
from demo_reads import Reads

from cocket.attestation.examples import bulk_documents
from cocket.attestation.files import decode_certificate
from cocket.attestation.reading.exchange import Release, ShareCall, encode_share_call
from cocket.attestation.reading.request import signing_hash
from cocket.cli.processes import NodeProcess
from cocket.contracts import access, certificates
from cocket.contracts.access import Claim, Evidence, Question, Right, ServiceKind, encode_claim, encode_evidence
from cocket.node.keystore import load_key, read_passphrase
from cocket.node.vault.connection import SHARE_PATH, call_service
from cocket.node.vault.ledger import Ledger
from cocket.node.vault.reader import Reader, Wanted
from cocket.node.vault.signing import wallet_of

BATCH, QUICK_BATCH = 10_000, 500
RELEASES, QUICK_RELEASES = 300, 40
CLIENTS = 8
ASKED = 200
PURPOSE = 2
"""Risk analysis, which the default right does not have: the grant is what counts."""


class Office:
    """A chamber, its vault and four custodians beside the nodes of a run, made with the shipped commands."""

    def __init__(self, run: Run, nodes: Sequence[NodeProcess]) -> None:
        self.folder = run.folder
        self.trial = run.folder / "trial"
        self.nodes = {node.name: node for node in nodes}
        self.result: dict[str, object] = {}
        self._passphrase = run.folder / "chamber.passphrase"
        self._passphrase.write_text("a passphrase of the benchmark\n")
        self._passphrase.chmod(0o600)

    @property
    def chamber(self) -> Sequence[str]:
        key = str(self.folder / "keys" / "chamber.json")
        return ("--key", key, "--passphrase-file", str(self._passphrase), "--node", self.nodes["KE"].url)

    def say(self, sentence: str) -> None:
        say(sentence.strip())

    def note(self, name: str, is_expected: bool) -> None:
        self.result[name] = is_expected

    def cocket(self, *arguments: str, code: int = 0) -> dict:
        command = [sys.executable, "-m", "cocket.cli", *arguments, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != code:
            raise RuntimeError(f"cocket {' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def accredit(self) -> None:
        key = self.cocket(
            "keys", "new", "chamber", "--folder", str(self.folder / "keys"), "--passphrase-file", str(self._passphrase)
        )
        self.cocket(
            "participant", "accredit", "--home", str(self.trial / "KE"), "--name", "a chamber", "--role", "chamber",
            "--account", str(key["address"]), "--to", "2099-01-01",
            "--out", str(self.folder / "chamber.participant.json"),
        )  # fmt: skip

    def issue(self, count: int) -> Path:
        """Issue a batch for import into SG, and return one of its certificates."""
        source, out = self.folder / "bulk.jsonl", self.folder / "bulk"
        source.write_bytes(b"".join(document.replace(b"\n", b" ") + b"\n" for document in bulk_documents(count)))
        self.cocket("certificate", "issue", str(source), "--out", str(out), "--for-country", "SG", *self.chamber)
        return sorted(out.glob("*.certificate.json"))[count // 2]

    def admin(self, country: str) -> bytes:
        home = self.trial / country
        return load_key(home / "keys" / "admin.json", read_passphrase(home / "passphrase"))


def measure(run: Run) -> dict[str, object]:
    say("reads: a vault and four custodians beside four nodes")
    with run.trial.running() as nodes:
        office = Office(run, nodes)
        office.accredit()
        record = office.issue(QUICK_BATCH if run.is_quick else BATCH)
        services = Reads(office)
        services.record = record
        try:
            services.open_services()
            services.seal_record()
            return _figures(office, record, QUICK_RELEASES if run.is_quick else RELEASES)
        finally:
            services.stop()
            services.clean()


def _figures(office: Office, record: Path, count: int) -> dict[str, object]:
    certificate = decode_certificate(record.read_bytes())
    anchor = certificate.anchor
    assert anchor is not None
    grant = office.folder / "brazil.grant.json"
    office.cocket(
        "access", "grant", "--reader", "BR", "--record", str(record), "--group", "*", "--purpose", "risk-analysis",
        "--to", "2099-01-01", "--out", str(grant), *office.chamber,
    )  # fmt: skip
    ledger = Ledger(office.nodes["SG"].url)
    claim = _claim(grant, ledger)
    brazil, singapore = office.admin("BR"), office.admin("SG")
    wanted = Wanted(anchor.batch, anchor.index, frozenset({0, 2, 3}), PURPOSE, claim)
    reader = Reader(ledger, wallet_of(brazil), lambda: int(time.time()))
    by_right = Wanted(anchor.batch, anchor.index, frozenset({0, 2, 3}), 1)
    right = Reader(ledger, wallet_of(singapore), lambda: int(time.time()))
    evidence = _evidence(certificate)
    figures: dict[str, object] = {
        "may_read_ms": _median_ms(_question(ledger, brazil, wanted, claim, b"")),
        "may_read_by_right_ms": _median_ms(_question(ledger, singapore, by_right, b"", evidence)),
        "read_ms": _median_ms(lambda: right.read(by_right), 20),
    }
    calls = _calls(reader, wanted, ledger, 2 * count)
    service = ledger.view(access.ADDRESS, access.service_of(3, ServiceKind.CUSTODIAN), ledger.head().number)

    def release(body: bytes) -> None:
        call_service(service, SHARE_PATH, body, "the custodian")

    waiting = iter(calls[:count])
    figures["release_ms"] = _median_ms(lambda: release(next(waiting)), count - 1)
    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(release, calls[count:]))
    figures["releases_per_s"] = round(count / (time.perf_counter() - start), 1)
    ledger.close()
    return figures


def _claim(grant: Path, ledger: Ledger) -> bytes:
    from cocket.cli.grant_file import Network
    from cocket.cli.granting import load_grant

    chain_id, genesis_hash = ledger.chain()
    return encode_claim(Claim(load_grant(grant, Network(chain_id, genesis_hash, access.ADDRESS)).scope))


def _evidence(certificate) -> bytes:
    from cocket.attestation.sealing.record import sealable

    laid_open = sealable(certificate)
    country = laid_open.country
    return encode_evidence(
        Evidence(Right(laid_open.document_root, country.country, country.salt, laid_open.anchor.path))
    )


def _question(ledger: Ledger, key: bytes, wanted: Wanted, claim: bytes, evidence: bytes) -> Callable[[], object]:
    """Return what asks a node whether a reader may read, by a local call at its head."""
    from cocket.node.consensus.seals import address_of_key

    number = ledger.head().number
    question = Question(address_of_key(key), wanted.batch, wanted.index, wanted.groups, wanted.purpose)
    view = access.may_read(question, claim, evidence)
    decision = ledger.view(access.ADDRESS, view, number)
    assert decision.may_read, decision
    return lambda: ledger.view(access.ADDRESS, view, number)


def _calls(reader: Reader, wanted: Wanted, ledger: Ledger, count: int) -> list[bytes]:
    """Return share calls with a request of its own each, as a reader makes them after the vault's release."""
    head = ledger.head()
    batch = ledger.view(certificates.ADDRESS, certificates.batch(wanted.batch), head.number)
    first = reader._signed(wanted, batch, head)
    vault = reader._service(first.request.vault, ServiceKind.VAULT, head)
    release: Release = reader._release(first, vault, batch, head)
    calls = []
    for _ in range(count):
        signed = reader._signed(wanted, batch, head)
        request = replace(signed.request, expires=int(time.time()) + 290)
        signature = reader._sign(signing_hash(request))
        calls.append(
            encode_share_call(
                ShareCall(request, signature, wanted.claim, release.evidence, release.items, release.custody)
            )
        )
    return calls


def _median_ms(work: Callable[[], object], count: int = ASKED) -> float:
    spent = []
    work()
    for _ in range(count):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return round(1000 * statistics.median(spent), 2)
