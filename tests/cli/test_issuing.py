"""Issue jobs: killed at each step and begun again, they anchor once and end with every file; folders are guarded."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command import cocket, done, refused
from founding.founders import PASSPHRASE
from office import FIRST_DAY, TODAY, Office

from cocket.attestation.examples import bulk_documents
from cocket.cli import issuing
from cocket.cli.account import Signatory, day_start_s, parse_day
from cocket.cli.client import Final, NodeClient, address_of
from cocket.cli.errors import CommandError
from cocket.contracts import certificates, participants
from cocket.contracts.events import BatchAnchored, event_topic
from cocket.genesis import ceremony

COUNT = 2 * issuing.CHUNK_DOCUMENTS + 7
DEADLINE_S = 60
BULK_DAY = "2026-07-01"  # all documents of the bulk are in force


class Killed(BaseException):
    """The power cut of a test."""


class DyingClient(NodeClient):
    """Dies at one call, before or after it was carried out."""

    def __init__(self, url: str, at: str, *, after: bool) -> None:
        super().__init__(url)
        self._at, self._after = at, after

    def _die(self, name: str, *, after: bool) -> None:
        if (name, after) == (self._at, self._after):
            raise Killed(name)

    def prepare(self, key: bytes, to: bytes, data: bytes) -> bytes:
        self._die("prepare", after=False)
        raw = super().prepare(key, to, data)
        self._die("prepare", after=True)
        return raw

    def send_raw(self, raw: bytes) -> bytes:
        self._die("send", after=False)
        transaction_hash = super().send_raw(raw)
        self._die("send", after=True)
        return transaction_hash

    def wait(self, transaction_hash: bytes, timeout_s: float = DEADLINE_S) -> Final:
        self._die("wait", after=False)
        final = super().wait(transaction_hash, timeout_s)
        self._die("wait", after=True)
        return final


def dies_at(step: str, at_least: int) -> Callable[[str, int, int], None]:
    def progress(name: str, count: int, _total: int) -> None:
        if name == step and count >= at_least:
            raise Killed(step)

    return progress


@pytest.fixture(scope="module")
def bulk(office: Office) -> Path:
    path = office.folder / "bulk.jsonl"
    path.write_bytes(b"".join(document.replace(b"\n", b" ") + b"\n" for document in bulk_documents(COUNT)))
    return path


def run(
    office: Office,
    files: list[Path],
    out: Path,
    client: NodeClient | None = None,
    progress: Callable[[str, int, int], None] = lambda _step, _count, _total: None,
    name: str = "chamber",
) -> issuing.Issued:
    key = name.encode().rjust(32, b"\x07")
    signatory = Signatory(client or office.client, key, address_of(key))
    first = day_start_s(parse_day(FIRST_DAY))
    return issuing.issue(
        issuing.list_sources(files),
        out,
        signatory,
        country="ZZ",
        valid_from=first,
        valid_to=first + 365 * 86_400,
        are_dates_given=False,
        skip_invalid=False,
        progress=progress,
    )


def anchored(office: Office, root: bytes) -> int:
    """Return how often a root was anchored."""
    client = office.client
    topics = [event_topic(BatchAnchored), root]
    return sum(1 for _ in client.logs(certificates.ADDRESS, topics, 0, client.block_number()))


def is_all_good(office: Office, file: Path, on: str = TODAY) -> bool:
    return cocket("certificate", "verify", file, "--on", on, "--node", office.url).code == 0


STEPS = {
    "before the committing": ("progress", "committing", False),
    "before anchoring": ("progress", "anchoring", False),
    "before signing": ("prepare", "", False),
    "after signing, before it is written": ("prepare", "", True),
    "after it is written, before sending": ("send", "", False),
    "after sending": ("send", "", True),
    "before waiting": ("wait", "", False),
    "after it is final, before that is written": ("wait", "", True),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_job_killed_at_any_step_goes_on_and_anchors_once(office: Office, step: str) -> None:
    out = office.folder_for_batch()
    at, word, after = STEPS[step]
    before = office.anchored_count()
    files = [office.documents[0]]
    progress = dies_at(word if at == "progress" else "never", 0)
    with pytest.raises(Killed):
        run(office, files, out, DyingClient(office.url, at, after=after), progress)
    assert not list(out.glob("*.certificate.json"))
    issued = run(office, files, out)
    again = run(office, files, out)
    assert again.was_anchored_before
    assert again.root == issued.root
    assert again.final == issued.final
    assert anchored(office, issued.root) == 1
    assert office.anchored_count() == before + 1
    (file,) = out.glob("*.certificate.json")
    assert is_all_good(office, file)


def test_a_job_killed_while_it_writes_files_writes_them_all(office: Office, bulk: Path) -> None:
    out = office.folder_for_batch()
    before = office.anchored_count()
    with pytest.raises(Killed):
        run(office, [bulk], out, progress=dies_at("writing", 1))
    written = sorted(out.glob("*.certificate.json"))
    assert 0 < len(written) < COUNT
    kept = {path: path.read_bytes() for path in written}
    issued = run(office, [bulk], out)
    assert issued.certificates == COUNT
    assert issued.was_anchored_before
    files = sorted(out.glob("*.certificate.json"))
    assert len(files) == COUNT
    assert all(path.read_bytes() == data for path, data in kept.items())
    assert not list(out.glob("*.new"))
    assert office.anchored_count() == before + 1
    assert is_all_good(office, files[-2], BULK_DAY)
    # What was lost since, as after a power cut, comes back; what is there stays as it is.
    files[3].unlink()
    files[5].write_bytes(b"")
    stamp = files[0].stat().st_mtime_ns
    run(office, [bulk], out)
    assert is_all_good(office, files[3], BULK_DAY)
    assert files[5].stat().st_size > 0
    assert files[0].stat().st_mtime_ns == stamp
    assert office.anchored_count() == before + 1


def test_a_nonce_that_was_taken_meanwhile_is_signed_anew(office: Office) -> None:
    """The key was used elsewhere between the kill and the next run, so the kept transaction can never be final."""
    out = office.folder_for_batch()
    with pytest.raises(Killed):
        run(office, [office.documents[0]], out, DyingClient(office.url, "send", after=False))
    run(office, [office.documents[0]], office.folder_for_batch())
    issued = run(office, [office.documents[0]], out)
    assert not issued.was_anchored_before
    assert anchored(office, issued.root) == 1
    assert is_all_good(office, next(iter(out.glob("*.certificate.json"))))


def test_a_transaction_that_failed_is_signed_anew(office: Office) -> None:
    """The issuer was suspended between signing and sending; once it is reinstated the job can go on."""
    out = office.folder_for_batch()
    with pytest.raises(Killed):
        run(office, [office.documents[0]], out, DyingClient(office.url, "send", after=False))
    done("participant", "suspend", 1, *office.home("KE"))
    again = ("certificate", "issue", office.documents[0], "--out", out, *office.by_chamber)
    assert refused(3, *again)
    assert refused(3, *again)
    done("participant", "reinstate", 1, *office.home("KE"))
    assert done(*again)["certificates"] == 1
    assert is_all_good(office, next(iter(out.glob("*.certificate.json"))))


def test_a_key_of_nobody_is_told_before_anything_is_made(office: Office) -> None:
    out = office.folder_for_batch()
    nobody = office.signed_by(office.make_key("nobody"))
    issue = ("certificate", "issue", office.documents[0], "--out", out)
    for signed in (nobody, office.home("KE")):  # an authority accredits issuers, and is none
        assert "ask an authority for accreditation" in refused(3, *issue, *signed)
        assert not list(out.iterdir())
    done(*issue, *office.by_chamber)
    assert json.loads((out / issuing.JOB_FILE).read_text())["issuer"] == 1


def test_certificates_name_their_issuer_and_another_cannot_go_on_with_the_job(office: Office) -> None:
    key = office.make_key("second-chamber")
    number = office.accredit("NL", key, "Kamer van Koophandel")
    (file,) = office.issue(by=office.signed_by(key))
    assert json.loads(file.read_text())["anchor"]["issuer"] == number
    assert f"by participant {number}:" in cocket("certificate", "show", file).out
    assert is_all_good(office, file)
    again = ("certificate", "issue", office.documents[0], "--out", file.parent)
    assert "other issuer" in refused(3, *again, *office.by_chamber)
    # A key that was removed since can still have the files of its own final batch written again.
    remove_key(office, number, key)
    file.unlink()
    done(*again, *office.signed_by(key))
    assert is_all_good(office, file)


def test_a_key_that_changes_hands_before_its_transaction_is_final_is_told(office: Office) -> None:
    """The ledger then makes another root than the job's: its certificates would lead nowhere, so none is written."""
    key = office.make_key("mover")
    first = office.accredit("NL", key, "First holder")

    class MovingClient(NodeClient):
        def send_raw(self, raw: bytes) -> bytes:
            remove_key(office, first, key)
            office.accredit("NL", key, "Second holder")
            return super().send_raw(raw)

    out = office.folder_for_batch()
    with pytest.raises(CommandError, match=f"anchored as participant {first + 1}'s"):
        run(office, [office.documents[0]], out, MovingClient(office.url), name="mover")
    assert [path.name for path in out.iterdir()] == [issuing.JOB_FILE]
    with pytest.raises(CommandError, match="other issuer"):
        run(office, [office.documents[0]], out, name="mover")


def remove_key(office: Office, number: int, key: Path) -> None:
    """Let NL take a key from its participant."""
    admin = ceremony.open_keys(office.homes["NL"], PASSPHRASE).admin
    account = bytes.fromhex(office.address(key)[2:])
    data = participants.remove_key(participant=number, key=account)
    office.client.send(admin, participants.ADDRESS, data)


# -- the folder --------------------------------------------------------------------------------------------------------


def issue(office: Office, out: Path, *documents: Path, options: tuple[object, ...] = ()) -> tuple[object, ...]:
    return ("certificate", "issue", *documents, "--out", out, *office.by_chamber, *options)


def test_a_folder_holds_one_job(office: Office) -> None:
    out = office.folder_for_batch()
    first = issue(office, out, office.documents[0], options=("--valid-from", FIRST_DAY))
    answer = done(*first)
    before = office.anchored_count()
    assert str(out) in refused(3, *issue(office, out, office.documents[1]))
    assert "documents" in refused(3, *issue(office, out, *office.documents))
    country = ("--for-country", "SG")
    assert "country" in refused(3, *issue(office, out, office.documents[0], options=country))
    dates = ("--valid-from", FIRST_DAY, "--valid-to", "2026-01-01")
    assert "dates" in refused(3, *issue(office, out, office.documents[0], options=dates))
    again = done(*issue(office, out, office.documents[0]))  # dates not given: those of the job
    assert again == {**answer, "was_anchored_before": True}
    assert office.anchored_count() == before


def test_a_folder_of_other_files_is_refused(office: Office, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear customs")
    assert str(tmp_path) in refused(3, *issue(office, tmp_path, office.documents[0]))
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_documents_may_be_mended_before_anything_was_sent(office: Office, tmp_path: Path) -> None:
    document = json.loads(office.documents[0].read_bytes())
    document["credentialSubject"]["items"][0]["product"]["commodity"]["commodityCode"] = "999999"
    file = tmp_path / "coffee.json"
    file.write_text(json.dumps(document))
    out = office.folder_for_batch()
    before = office.anchored_count()
    said = refused(2, *issue(office, out, file, options=("--valid-from", FIRST_DAY)))
    assert "coffee" in said
    assert "commodityCode" in said
    assert office.anchored_count() == before
    file.write_bytes(office.documents[0].read_bytes())
    assert done(*issue(office, out, file, options=("--valid-from", FIRST_DAY)))["certificates"] == 1


def test_two_runs_in_one_folder_at_once_are_refused(office: Office) -> None:
    import fcntl

    out = office.folder_for_batch()
    out.mkdir()
    descriptor = os.open(out, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert "another run" in refused(3, *issue(office, out, office.documents[0]))
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b"\xff", b'{"documents": 1}', b"[" * 100_000])
def test_a_damaged_job_file_is_named(office: Office, content: bytes) -> None:
    out = office.folder_for_batch()
    out.mkdir()
    (out / "issue.json").write_bytes(content)
    assert str(out / "issue.json") in refused(2, *issue(office, out, office.documents[0]))


# -- documents ---------------------------------------------------------------------------------------------------------


def test_some_are_left_out_when_asked(office: Office, tmp_path: Path) -> None:
    lines = tmp_path / "mixed.jsonl"
    good = office.documents[0].read_bytes().replace(b"\n", b" ")
    lines.write_bytes(good + b"\n{}\n\nnonsense\n" + good + b"\n")
    out = office.folder_for_batch()
    options = ("--valid-from", FIRST_DAY)
    assert "mixed-000002" in refused(2, *issue(office, out, lines, options=options))
    answer = done(*issue(office, out, lines, options=(*options, "--skip-invalid")))
    assert answer["certificates"] == 2
    refusals = answer["refused"]
    assert isinstance(refusals, list)
    assert [entry["document"] for entry in refusals] == ["mixed-000002", "mixed-000003"]
    assert sorted(path.name for path in out.glob("*.certificate.json")) == [
        "mixed-000001.certificate.json",
        "mixed-000004.certificate.json",
    ]
    for file in out.glob("*.certificate.json"):
        assert is_all_good(office, file)


def test_input_that_cannot_be_issued_is_explained(office: Office, tmp_path: Path) -> None:
    out = office.folder_for_batch()
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"\n\n")
    assert "no documents" in refused(2, *issue(office, out, empty))
    huge = tmp_path / "huge.json"
    with huge.open("wb") as hole:
        hole.truncate(10 << 30)
    assert str(huge) in refused(2, *issue(office, out, huge))
    line = tmp_path / "line.jsonl"
    with line.open("wb") as hole:
        hole.truncate(10 << 30)
    assert f"{line}, line 1" in refused(2, *issue(office, out, line))
    twin = tmp_path / "twin" / office.documents[0].name
    twin.parent.mkdir()
    twin.write_bytes(office.documents[0].read_bytes())
    assert "rename" in refused(2, *issue(office, out, office.documents[0], twin))
    assert cocket(*issue(office, out, tmp_path / "nowhere.json")).code == 2
    dates = ("--valid-from", "2026-01-02", "--valid-to", "2026-01-02")
    assert "not after" in refused(2, *issue(office, out, office.documents[0], options=dates))
    assert not out.exists() or not list(out.glob("*.certificate.json"))


# -- real processes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_real_run_that_is_interrupted_leaves_no_process_and_goes_on(
    office: Office, bulk: Path, number: signal.Signals
) -> None:
    """The signal arrives while working processes are busy; Ctrl-C goes to all of them, as from a terminal."""
    out = office.folder_for_batch()
    command = [
        sys.executable,
        "-m",
        "cocket.cli",
        *map(str, issue(office, out, bulk, options=("--valid-from", FIRST_DAY))),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        end = time.monotonic() + DEADLINE_S
        while not (out / "issue.json").exists():
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.002)
        if number is signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.kill()
        process.wait(DEADLINE_S)
        while members(process.pid):
            assert time.monotonic() < end, f"still there: {members(process.pid)}"
            time.sleep(0.02)
        said = process.communicate()[1]
    finally:
        for pid in members(process.pid):
            os.kill(pid, signal.SIGKILL)
    if number is signal.SIGINT:
        assert process.returncode == 1
        assert said.strip() == "cocket: stopped"
    issued = run(office, [bulk], out)
    assert issued.certificates == COUNT
    assert anchored(office, issued.root) == 1


def members(group: int) -> list[int]:
    """Return the live processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, its_group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state != "Z":
            found.append(int(path.parent.name))
    return found
