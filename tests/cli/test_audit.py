"""``cocket audit`` and ``document receipts``: receipts of real reads, anchored and exported; tampering is found."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import cocket, done, refused
from e2e.trial import free_ports
from keepers import Running, accredit, by_passphrase, make_custodian, make_vault, running
from office import Office, open_office
from sealed import certificates_of, seal_all, write_sealed

from cocket.attestation.reading.receipts import Period
from cocket.attestation.reading.receipts_file import decode_period, encode_period
from cocket.cli.errors import Exit
from cocket.node.encryption_key import load_public_key
from cocket.node.vault.settings import KeeperHome


class Audit:
    """A record that SG read twice and BR was refused once; the vault's and both custodians' periods, exported."""

    def __init__(self, office: Office) -> None:
        self.office = office
        first = free_ports(3)
        vault = make_vault(office, "vault", first)
        homes = [vault, *[make_custodian(office, who, who, first + at) for at, who in ((1, "KE"), (2, "NL"))]]
        for at, (home, country) in enumerate(zip(homes, ("KE", "KE", "NL"), strict=True)):
            accredit(office, home, country)
            kind = KeeperHome(home).settings().kind
            signing = office.by_chamber if kind == "vault" else office.home(country)
            done(kind, "announce", home, "--url", f"https://127.0.0.1:{first + at}", *signing)
        out = office.folder_for_batch()
        document = office.documents[0]
        done(
            "certificate", "issue", document, "--out", out, "--valid-from", "2025-10-01",
            "--valid-to", "2099-01-01", "--for-country", "SG", *office.by_chamber,
        )  # fmt: skip
        self.record = out / f"{document.stem}.certificate.json"
        public = load_public_key(vault / "keys" / "encryption.public.json")
        sealed = seal_all(office, certificates_of([self.record]), public)
        manifests = write_sealed(office.folder / "sealed", ["coo"], sealed)
        done("vault", "store", vault, *manifests, *by_passphrase(office))
        office.chain.seal(int(time.time()))
        with running(*homes):
            self._read("first", "SG", Exit.DONE)
            self._read("second", "SG", Exit.DONE)
            self._read("refused", "BR", Exit.REFUSED)
        for home in homes:  # all of it in one period, which is closed after the next start
            config = KeeperHome(home).config
            config.write_text(config.read_text().replace("anchor_s = 3600", "anchor_s = 1"))
        office.chain.seal(int(time.time()))
        with running(*homes) as services:
            self._wait_anchored(services)
        self.folders = []
        for home in homes:
            self.folders.append(office.folder / f"{home.name}-receipts")
            kind = KeeperHome(home).settings().kind
            done(kind, "receipts", home, "--out", self.folders[-1])

    def _read(self, name: str, country: str, code: Exit) -> None:
        self.office.chain.seal(int(time.time()))
        answer = cocket(
            "access", "request", "--record", self.record, "--group", "goods", "--purpose", "import-clearance",
            "--out", self.office.folder / f"{name}.json", *self.office.home(country),
        )  # fmt: skip
        assert answer.code == code, answer

    def _wait_anchored(self, services: list[Running]) -> None:
        """Wait until each keeper has anchored two periods: that of the reads, and one without."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if all(sum(event == "anchoring" for event, _ in each.log.lines) >= 2 for each in services):
                return
            time.sleep(0.1)
        raise AssertionError("receipts were not anchored in time")

    def held(self, name: str) -> tuple[object, ...]:
        return ("--held", self.office.folder / f"{name}.receipts.json")


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audit]:
    with open_office(tmp_path_factory.mktemp("audit-office")) as office:
        yield Audit(office)


def tampered(audit: Audit, folder: Path, change: object) -> Path:
    """Return a copy of the vault's periods, the one with the reads changed."""
    copy = folder / "tampered"
    copy.mkdir()
    for path in audit.folders[0].iterdir():
        period = decode_period(path.read_bytes())
        changed = change(period) if len(period.receipts) == 3 else period  # type: ignore[operator]
        (copy / path.name).write_bytes(b"".join(encode_period(changed)))
    return copy


def test_all_receipts_of_real_reads_are_as_anchored(audit: Audit) -> None:
    held = (*audit.held("first"), *audit.held("second"))
    found = done("audit", "receipts", *audit.folders, *held, "--list", "--node", audit.office.url)
    assert found["is_as_anchored"] is True
    keepers = found["keepers"]
    assert isinstance(keepers, list)
    assert [each["receipts"] for each in keepers] == [3, 2, 2]
    assert [each["findings"] for each in keepers] == [[], [], []]
    listed = done("document", "receipts", audit.folders[0], "--record", audit.record, "--node", audit.office.url)
    reads = listed["reads"]
    assert isinstance(reads, list)
    assert [(row["reader"], row["was_given"]) for row in reads] == [
        ("the authority of SG", True), ("the authority of SG", True), ("the authority of BR", False),
    ]  # fmt: skip
    assert {row["purpose"] for row in reads} == {"import-clearance"}
    assert "the authority of SG" in cocket(
        "document", "receipts", audit.folders[0], "--record", audit.record, "--node", audit.office.url
    ).out  # fmt: skip


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("deleted", lambda period: _with(period, period.receipts[:1] + period.receipts[2:])),
        ("cut off", lambda period: _with(period, period.receipts[:2])),
        ("reordered", lambda period: _with(period, (period.receipts[1], period.receipts[0], period.receipts[2]))),
        ("added", lambda period: _with(period, (*period.receipts, period.receipts[0]))),
        ("changed", lambda period: _with(period, (_flipped(period.receipts[0]), *period.receipts[1:]))),
    ],
)
def test_receipts_that_were_tampered_with_are_found(audit: Audit, tmp_path: Path, what: str, change: object) -> None:
    copy = tampered(audit, tmp_path, change)
    answer = cocket("audit", "receipts", copy, "--json", "--node", audit.office.url)
    assert answer.code == Exit.VERIFICATION_NO, what
    assert answer.json()["is_as_anchored"] is False


def _with(period: Period, receipts: tuple[bytes, ...]) -> Period:
    return Period(period.keeper, period.sequence, period.first, period.previous, period.seed, receipts)


def _flipped(data: bytes) -> bytes:
    return data[:20] + bytes((data[20] ^ 1,)) + data[21:]


def test_a_period_that_is_missing_and_a_keeper_that_exports_nothing_are_found(audit: Audit, tmp_path: Path) -> None:
    copy = tampered(audit, tmp_path, lambda period: period)
    (with_reads,) = [path for path in copy.iterdir() if len(decode_period(path.read_bytes()).receipts) == 3]
    with_reads.unlink()
    answer = cocket("audit", "receipts", copy, "--json", "--node", audit.office.url)
    assert answer.code == Exit.VERIFICATION_NO
    only_vault = cocket(
        "audit", "receipts", audit.folders[0], *audit.held("first"), "--json", "--node", audit.office.url
    )
    assert only_vault.code == Exit.VERIFICATION_NO
    assert "no such period" in only_vault.out


def test_receipts_that_waited_too_long_are_marked_late_and_nothing_else(audit: Audit) -> None:
    found = done("audit", "receipts", audit.folders[0], "--cadence", 1, "--node", audit.office.url)
    assert found["is_as_anchored"] is True
    (keeper,) = found["keepers"]  # type: ignore[misc]
    assert isinstance(keeper, dict)
    on_time = done("audit", "receipts", audit.folders[0], "--cadence", 3600, "--node", audit.office.url)
    assert on_time["keepers"][0]["late"] == []  # type: ignore[index]


def test_as_of_a_block_what_was_anchored_later_is_not_judged(audit: Audit, tmp_path: Path) -> None:
    copy = tampered(audit, tmp_path, lambda period: period)
    newest = max(copy.iterdir())
    newest.unlink()
    node = ("--node", audit.office.url)
    assert "no such period" in cocket("audit", "receipts", copy, *node).out
    early = done("audit", "receipts", copy, "--block", 5, *node)
    assert early["keepers"][0]["periods"] == 0  # type: ignore[index]


def test_files_that_are_none_say_so(audit: Audit, tmp_path: Path) -> None:
    empty = refused(Exit.NOT_FOUND, "audit", "receipts", tmp_path, "--node", audit.office.url)
    assert "no files of periods" in empty
    bad = tmp_path / "bad.period"
    bad.write_text("nothing")
    assert str(bad) in refused(Exit.USAGE, "audit", "receipts", bad, "--node", audit.office.url)
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({"format": "other", "receipts": []}))
    said = refused(Exit.USAGE, "audit", "receipts", audit.folders[0], "--held", wrong, "--node", audit.office.url)
    assert "cocket-read-receipts-1" in said


# -- provenance --------------------------------------------------------------------------------------------------------


def provenance_of(audit: Audit, *more: object) -> list[dict[str, object]]:
    found = done("audit", "provenance", audit.record, *more, "--node", audit.office.url)
    lines = found["lines"]
    assert isinstance(lines, list)
    return lines


def test_provenance_tells_everything_once_and_in_order(audit: Audit) -> None:
    office, kenya = audit.office, audit.office.home("KE")
    done("certificate", "use", audit.record, "--share", 40, *office.home("SG"))
    done("access", "freeze", "--record", audit.record, "--reason", 12, *kenya)
    done("access", "release", "--record", audit.record, *kenya)
    done("certificate", "withdraw", audit.record, "--reason", 4, *office.by_chamber)
    lines = provenance_of(audit, "--receipts", audit.folders[0])
    assert [str(line["what"]).partition(" by ")[0] for line in lines] == [
        "attested", "given", "given", "refused", "40 % used", "reads frozen (reason code 12)", "freeze lifted",
        "withdrawn (by its issuer, reason code 4)",
    ]  # fmt: skip
    assert "chamber accredited by KE from 2025-10-01 until 2099-01-01" in str(lines[0]["by"])
    assert [line["by"] for line in lines[1:4]] == ["the authority of SG", "the authority of SG", "the authority of BR"]
    assert all(line["is_proven"] for line in lines)
    assert {str(line["proof"]).split()[0] for line in lines} == {"log", "receipt"}
    assert [line["time"] for line in lines] == sorted(int(str(line["time"])) for line in lines)
    silent = cocket("audit", "provenance", audit.record, "--node", office.url)
    assert "of reads nothing is said" in silent.out
    assert "the authority of BR" not in silent.out


def test_a_read_by_a_receipt_that_was_tampered_with_is_not_told_as_proven(audit: Audit, tmp_path: Path) -> None:
    copy = tampered(audit, tmp_path, lambda period: _with(period, period.receipts[:2]))
    answer = cocket("audit", "provenance", audit.record, "--receipts", copy, "--json", "--node", audit.office.url)
    assert answer.code == Exit.VERIFICATION_NO
    lines = answer.json()["lines"]
    assert isinstance(lines, list)
    assert {line["is_proven"] for line in lines if "given" in line["what"]} == {False}
    assert all(line["is_proven"] for line in lines if "log" in line["proof"])
