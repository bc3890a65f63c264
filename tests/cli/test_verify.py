"""Bundles, checkpoints and verdicts offline through the command line, on a founded ledger behind real RPC."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command import cocket, done, refused
from office import TODAY, Office, open_office

LATER = "2025-10-12"

PROGRAM = """
import sys
events = []
sys.addaudithook(lambda event, _arguments: events.append(event) if event.startswith("socket.") else None)
sys.argv = ["cocket", *sys.argv[1:]]
from cocket.cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code
loaded = sorted({"eth", "web3", "plyvel", "starlette"} & sys.modules.keys())
print(code, loaded, events, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Give an office of these tests' own: days pass in it."""
    with open_office(tmp_path_factory.mktemp("office")) as opened:
        yield opened


@pytest.fixture(scope="module")
def certificate(office: Office) -> Path:
    return office.issue()[0]


@pytest.fixture(scope="module")
def genesis(office: Office) -> str:
    return "0x" + office.chain.ledger.genesis.hash.hex()


@pytest.fixture(scope="module")
def bundle(office: Office, certificate: Path) -> Path:
    """Give a bundle of a certificate, made after the day on which all blocks of these tests are."""
    next_day(office)
    out = office.folder / "coffee.bundle"
    answer = done("certificate", "bundle", certificate, "--out", out, "--node", office.url)
    assert answer["bytes"] == out.stat().st_size
    assert str(answer["last_day"]) >= TODAY
    return out


def next_day(office: Office) -> None:
    """Seal an empty block after the next midnight, and one on top of it."""
    time_s = office.chain.ledger.head.timestamp
    office.chain.seal(time_s + 86_400 - time_s % 86_400 + 60)


def verdict_of(file: Path, anchor: object, code: int, *more: str) -> dict[str, dict[str, object]]:
    answer = cocket("verify", file, "--anchor", anchor, "--json", *more)
    assert answer.code == code, answer
    (found,) = answer.json()["verdicts"]  # type: ignore[misc]
    assert isinstance(found, dict)
    return found


def test_a_bundle_is_verified_from_the_genesis_hash_alone(bundle: Path, genesis: str) -> None:
    found = verdict_of(bundle, genesis, 0, "--on", TODAY)
    assert found["overall"] == "yes"
    assert "proven from the genesis" in str(found["in_force"]["reason"])
    said = cocket("verify", bundle, "--anchor", genesis.removeprefix("0x"), "--on", TODAY)
    assert said.out.startswith(f"GOOD on {TODAY}\n")


def test_it_needs_no_network_no_configuration_and_no_engine(bundle: Path, genesis: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, "verify", bundle, "--anchor", genesis, "--on", TODAY, "--json"],
        capture_output=True, text=True, check=True, cwd=tmp_path, env={}, timeout=60,
    )  # fmt: skip
    assert json.loads(ran.stdout)["overall"] == "yes"
    assert ran.stderr.splitlines()[-1] == "0 [] []"


def test_the_watch_of_that_test_sees_a_socket_and_an_engine(certificate: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, "verify", certificate, "--node", "http://127.0.0.1:9", "--json"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("6 ")
    assert "'web3'" in last
    assert "socket.connect" in last


def test_of_a_later_day_it_says_which_day_it_is_good_for(bundle: Path, genesis: str) -> None:
    answer = cocket("verify", bundle, "--anchor", genesis, "--on", LATER)
    assert answer.code == 6
    assert f"the last day of which it can say everything is --on {TODAY}" in answer.err
    (moment,) = re.findall("last moment --on (.+)", answer.err)
    assert verdict_of(bundle, genesis, 0, "--on", moment)["overall"] == "yes"
    assert verdict_of(bundle, genesis, 6, "--on", moment.replace("Z", ".0-01:00"))["overall"] == "could not check"
    for wrong in ("2025-10-09T12:00:00", "2025-10-09Tnoon"):
        assert "time zone" in refused(2, "verify", bundle, "--anchor", genesis, "--on", wrong)
    found = verdict_of(bundle, genesis, 6, "--on", LATER)
    assert {found[name]["answer"] for name in ("in_force", "issuer_authority", "superseded")} == {"could not check"}
    assert found["issuance"]["answer"] == "yes"
    undated = cocket("verify", bundle, "--anchor", genesis, "--json")
    assert undated.json()["on"] == datetime.now(UTC).date().isoformat()
    assert undated.code != 0


def test_another_anchor_proves_nothing(bundle: Path) -> None:
    found = verdict_of(bundle, "0x" + "12" * 32, 6, "--on", TODAY)
    assert found["integrity"]["answer"] == "yes"
    assert {found[name]["answer"] for name in ("issuance", "in_force", "issuer_authority", "used")} == {
        "could not check"
    }
    assert "the bundle does not prove it: the bundle begins at block" in str(found["issuance"]["reason"])
    assert found["as_of"] is None


def test_a_damaged_bundle_is_usage_and_a_bundle_wants_an_anchor(bundle: Path, tmp_path: Path, genesis: str) -> None:
    damaged = tmp_path / "damaged.bundle"
    damaged.write_bytes(bundle.read_bytes()[:-1])
    assert "no whole bundle" in refused(2, "verify", damaged, "--anchor", genesis)
    assert "an anchor that you already have" in refused(2, "verify", bundle)
    assert "expected a genesis hash" in refused(2, "verify", bundle, "--anchor", "0x12")
    assert "expected a genesis hash" in refused(2, "verify", bundle, "--anchor", tmp_path)
    assert "checkpoint" in refused(2, "verify", bundle, "--anchor", damaged)


def test_what_is_withdrawn_later_is_a_no_in_a_newer_bundle(office: Office, genesis: str) -> None:
    file = office.issue()[0]
    day = datetime.fromtimestamp(office.chain.ledger.head.timestamp, UTC).date()
    next_day(office)
    before, after = (office.folder / f"{name}.bundle" for name in ("before", "after"))
    done("certificate", "bundle", file, "--out", before, "--node", office.url)
    done("certificate", "withdraw", file, *office.by_chamber)
    next_day(office)
    done("certificate", "bundle", file, "--out", after, "--node", office.url)
    next_ = (day + timedelta(days=1)).isoformat()
    assert verdict_of(before, genesis, 0, "--on", day.isoformat())["in_force"]["answer"] == "yes"
    assert verdict_of(before, genesis, 6, "--on", next_)["in_force"]["answer"] == "could not check"
    assert verdict_of(after, genesis, 5, "--on", next_)["in_force"]["answer"] == "no"
    assert verdict_of(after, genesis, 0, "--on", day.isoformat())["in_force"]["answer"] == "yes"
    both = cocket("verify", before, after, "--anchor", genesis, "--on", next_, "--json")
    assert both.code == 5
    assert [one["overall"] for one in both.json()["verdicts"]] == ["could not check", "no"]  # type: ignore[index,attr-defined]
    spoken = cocket("verify", before, after, "--anchor", genesis, "--on", next_)
    assert f"{after}:\nNOT GOOD on {next_}" in spoken.out


def test_a_certificate_is_verified_by_a_node_or_left_open(office: Office, certificate: Path, genesis: str) -> None:
    asked = cocket("verify", certificate, "--on", TODAY, "--node", office.url)
    assert asked.code == 0
    assert f"by the word of the node {office.url}" in asked.out
    held = cocket("verify", certificate, "--on", TODAY, "--node", office.url, "--anchor", genesis)
    assert held.code == 0
    other = cocket("verify", certificate, "--on", TODAY, "--node", office.url, "--anchor", "0x" + "12" * 32)
    assert other.code == 6
    assert "not on the anchor's" in other.out
    alone = cocket("verify", certificate, "--on", TODAY, "--anchor", genesis)
    assert alone.code == 6
    assert "name a --node, or get the certificate's bundle" in alone.out


def test_a_bundle_shows_what_its_presentation_shows(office: Office, certificate: Path, genesis: str) -> None:
    shown, out = office.folder / "shown.json", office.folder / "shown.bundle"
    done("certificate", "present", certificate, "--field", "goods", "--out", shown)
    next_day(office)
    done("certificate", "bundle", shown, "--out", out, "--node", office.url)
    assert verdict_of(out, genesis, 0, "--on", TODAY)["overall"] == "yes"
    secret = json.loads(certificate.read_bytes())["secret"][2:]
    assert secret.encode() not in out.read_bytes()
    assert bytes.fromhex(secret) not in out.read_bytes()


def test_a_bundle_is_not_written_over_and_not_made_of_what_is_not_there(office: Office, certificate: Path) -> None:
    out = office.folder / "again.bundle"
    out.write_text("kept")
    assert "exists" in refused(3, "certificate", "bundle", certificate, "--out", out, "--node", office.url)
    assert out.read_text() == "kept"
    new = office.folder / "new.bundle"
    high = ("--height", "99999", "--node", office.url)
    assert "blocks only" in refused(4, "certificate", "bundle", certificate, "--out", new, *high)
    assert not new.exists()


def test_a_checkpoint_gathers_signatures_and_is_an_anchor(office: Office, certificate: Path, bundle: Path) -> None:
    file, copy = office.folder / "cp.json", office.folder / "cp-copy.json"
    first = done("ledger", "checkpoint", file, *office.home("KE"))
    assert (first["signed_by"], first["needed"], first["is_complete"]) == (["KE"], 3, False)
    assert "expected 3 of 4" in refused(2, "verify", bundle, "--anchor", file)
    copy.write_bytes(file.read_bytes())
    done("ledger", "checkpoint", file, *office.home("NL"))
    done("ledger", "checkpoint", copy, *office.home("SG"))
    last = done("ledger", "checkpoint", file, "--with", copy)
    assert (last["signed_by"], last["is_complete"]) == (["KE", "NL", "SG"], True)
    assert done("ledger", "checkpoint", file)["signed_by"] == ["KE", "NL", "SG"]
    assert "An anchor now" in cocket("ledger", "checkpoint", file).out
    assert "before the checkpoint" in str(verdict_of(bundle, file, 6, "--on", TODAY)["issuance"]["reason"])
    next_day(office)
    from_genesis, from_checkpoint = (office.folder / f"{name}.bundle" for name in ("long", "short"))
    done("certificate", "bundle", certificate, "--out", from_genesis, "--node", office.url)
    done("certificate", "bundle", certificate, "--out", from_checkpoint, "--from", file, "--node", office.url)
    for made in (from_genesis, from_checkpoint):
        found = verdict_of(made, file, 0, "--on", TODAY)
        assert "signed by KE, NL, SG" in str(found["in_force"]["reason"])
    assert from_checkpoint.stat().st_size < from_genesis.stat().st_size


def test_a_checkpoint_is_signed_by_authorities_alone_and_of_one_block(office: Office) -> None:
    file = office.folder / "another.json"
    assert "say who signs" in refused(2, "ledger", "checkpoint", file)
    assert "the admin of no active authority" in refused(3, "ledger", "checkpoint", file, *office.by_chamber)
    assert not file.exists()
    done("ledger", "checkpoint", file, "--height", 1, *office.home("BR"))
    assert "choose another file" in refused(2, "ledger", "checkpoint", file, "--height", 2, *office.home("KE"))
    changed = json.loads(file.read_bytes())
    changed["signatures"] = []
    changed["block_hash"] = "0x" + "00" * 32
    file.write_text(json.dumps(changed))
    assert "not signed" in refused(5, "ledger", "checkpoint", file, *office.home("KE"))
    file.write_text("{}")
    assert "checkpoint" in refused(2, "ledger", "checkpoint", file, *office.home("KE"))
