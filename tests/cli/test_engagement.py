"""Engagements through the command line: drafted, signed by both sides, committed, ended; each yes with its no."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from command import cocket, done, refused
from office import END_DAY, FIRST_DAY, Office
from test_access import reason

from cocket.attestation.reading.engagement import decode_engagement, engagement_hash
from cocket.cli.grant_file import Grant, decode_opening

FOR_AUDIT = ("--group", "goods", "--purpose", "audit")
TERMS = ("--group", "goods", "--group", "origin", "--anchored-from", FIRST_DAY, "--from", FIRST_DAY, "--to", END_DAY)


@dataclass(frozen=True)
class Parties:
    """An auditor and a second controller beside the office's chamber, with a certificate of each controller."""

    auditor: int
    by_auditor: tuple[str, ...]
    second: int
    by_second: tuple[str, ...]
    certificate: Path
    of_second: Path


@pytest.fixture(scope="module")
def parties(office: Office) -> Parties:
    auditor, second = office.make_key("auditor"), office.make_key("second")
    numbers = office.accredit("NL", auditor, "Auditor", "auditor"), office.accredit("BR", second, "Second")
    by_second = office.signed_by(second)
    return Parties(
        numbers[0], office.signed_by(auditor), numbers[1], by_second, office.issue()[0], office.issue(by=by_second)[0]
    )


def draft(office: Office, parties: Parties, out: Path, *more: object) -> Path:
    controllers = ("--controller", 1, "--controller", parties.second)
    done("engagement", "draft", "--auditor", parties.auditor, *controllers, *TERMS, *more, "--out", out,
         "--node", office.url)  # fmt: skip
    return out


def shown(office: Office, file: Path) -> list[tuple[object, ...]]:
    found = done("engagement", "show", file, "--node", office.url)["parties"]
    assert isinstance(found, list)
    return [(entry["participant"], entry["is_signed"], entry["state"]) for entry in found]


def test_an_engagement_opens_records_once_both_sides_signed(office: Office, parties: Parties, tmp_path: Path) -> None:
    file, claim = draft(office, parties, tmp_path / "audit.json"), tmp_path / "grant.json"
    assert file.stat().st_mode & 0o777 == 0o600
    absent = "not on the ledger"
    assert shown(office, file) == [(parties.auditor, False, None), (1, False, absent), (parties.second, False, absent)]
    commit = ("engagement", "commit", file, "--out", claim)
    assert f"the auditor, participant {parties.auditor}, has not signed" in refused(3, *commit, *office.by_chamber)
    done("engagement", "sign", file, *parties.by_auditor)
    assert "the controller, participant 1, has not signed" in refused(3, *commit, *office.by_chamber)
    assert "has signed already" in refused(3, "engagement", "sign", file, *parties.by_auditor)
    assert done("engagement", "sign", file, *office.by_chamber)["signatures"] == 2
    assert not claim.exists()
    made = done(*commit, *office.by_chamber)
    assert claim.stat().st_mode & 0o777 == 0o600
    opening = decode_opening(claim.read_bytes())
    assert isinstance(opening, Grant)
    assert opening.scope.reference == engagement_hash(decode_engagement(file.read_bytes()).engagement)
    assert made["commitment"] == "0x" + opening.commitment.hex()
    held = ("--grant", claim)
    assert reason(office, parties.auditor, parties.certificate, *held, *FOR_AUDIT) == "by_engagement"
    assert reason(office, "NL", parties.certificate, *held, *FOR_AUDIT) == "other_reader"
    for group, purpose, expected in (
        ("parties", "audit", "other_groups"),
        ("goods", "statistics", "other_purpose"),
    ):
        words = ("--group", group, "--purpose", purpose)
        assert reason(office, parties.auditor, parties.certificate, *held, *words) == expected
    assert reason(office, parties.auditor, parties.of_second, *held, *FOR_AUDIT) == "other_record"
    assert shown(office, file) == [(parties.auditor, True, None), (1, True, "in force"),
                                   (parties.second, False, absent)]  # fmt: skip


def test_each_controller_gives_and_ends_its_own(office: Office, parties: Parties, tmp_path: Path) -> None:
    file = draft(office, parties, tmp_path / "audit.json")
    claims = tmp_path / "first.json", tmp_path / "second.json"
    done("engagement", "sign", file, *parties.by_auditor)
    for by, claim in zip((office.by_chamber, parties.by_second), claims, strict=True):
        done("engagement", "sign", file, *by)
        done("engagement", "commit", file, "--out", claim, *by)
    first, second = (decode_opening(claim.read_bytes()) for claim in claims)
    assert isinstance(first, Grant)
    assert isinstance(second, Grant)
    assert first.scope.salt != second.scope.salt
    records = parties.certificate, parties.of_second
    for record, claim in zip(records, claims, strict=True):
        assert reason(office, parties.auditor, record, "--grant", claim, *FOR_AUDIT) == "by_engagement"
    assert "is no controller" in refused(3, "engagement", "end", file, *parties.by_auditor)
    assert "belongs to no participant" in refused(3, "engagement", "end", file, *office.home("KE"))
    done("engagement", "end", file, "--reason", 2, *office.by_chamber)
    reasons = [
        reason(office, parties.auditor, record, "--grant", claim, *FOR_AUDIT)
        for record, claim in zip(records, claims, strict=True)
    ]
    assert reasons == ["withdrawn", "by_engagement"]
    assert [state for _, _, state in shown(office, file)] == [None, "withdrawn", "in force"]
    assert "withdrawn already" in refused(3, "engagement", "end", file, *office.by_chamber)
    again = ("engagement", "commit", file, "--out", tmp_path / "again.json")
    assert "ended this engagement" in refused(3, *again, *office.by_chamber)
    assert not (tmp_path / "again.json").exists()
    assert done(*again, *parties.by_second)["block"] is None
    assert (tmp_path / "again.json").read_bytes() == claims[1].read_bytes()
    assert "exists" in refused(3, *again, *parties.by_second)


def test_an_engagement_is_over_at_its_end(office: Office, parties: Parties, tmp_path: Path) -> None:
    file, claim = tmp_path / "audit.json", tmp_path / "grant.json"
    words = ("--group", "goods", "--from", "2098-01-01", "--to", END_DAY)
    done("engagement", "draft", "--auditor", parties.auditor, "--controller", 1, *words, "--out", file,
         "--node", office.url)  # fmt: skip
    for by in (parties.by_auditor, office.by_chamber):
        done("engagement", "sign", file, *by)
    done("engagement", "commit", file, "--out", claim, *office.by_chamber)
    assert reason(office, parties.auditor, parties.certificate, "--grant", claim, *FOR_AUDIT) == "not_yet"


def test_a_changed_engagement_has_no_signatures_of_its_parties(
    office: Office, parties: Parties, tmp_path: Path
) -> None:
    file = draft(office, parties, tmp_path / "audit.json")
    for by in (parties.by_auditor, office.by_chamber):
        done("engagement", "sign", file, *by)
    document = json.loads(file.read_bytes())
    file.write_text(json.dumps({**document, "groups": [0, 1, 2, 3]}))
    out = tmp_path / "no.json"
    assert "has not signed" in refused(3, "engagement", "commit", file, "--out", out, *office.by_chamber)
    file.write_text(json.dumps({**document, "chain_id": 5}))
    for words in (("show", file, "--node", office.url), ("commit", file, "--out", out, *office.by_chamber)):
        assert "expected chain 20261" in refused(3, "engagement", *words)
    file.write_text("{}")
    assert refused(2, "engagement", "show", file, "--node", office.url)
    assert not out.exists()


def test_only_its_parties_sign(office: Office, parties: Parties, tmp_path: Path) -> None:
    file = draft(office, parties, tmp_path / "audit.json")
    key = office.make_key("outsider")
    office.accredit("SG", key, "Outsider")
    assert "is no party" in refused(3, "engagement", "sign", file, *office.signed_by(key))
    assert "belongs to no participant" in refused(3, "engagement", "sign", file, *office.home("KE"))
    out = tmp_path / "no.json"
    assert "is no controller" in refused(3, "engagement", "commit", file, "--out", out, *office.signed_by(key))


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"--auditor": "1"}, 2, "cannot audit itself"),
        ({"--auditor": "NL"}, 2, "are participants"),
        ({"--auditor": "second"}, 2, "names nobody"),
        ({"--auditor": "999"}, 4, "participant list"),
        ({"--controller": "KE"}, 2, "are participants"),
        ({"--group": "weight"}, 2, "expected one of"),
        ({"--anchored-to": "1970-01-01"}, 2, "not after"),
        ({"--to": FIRST_DAY}, 2, "not after"),
    ],
)
def test_a_wrong_draft_is_explained(
    office: Office, parties: Parties, tmp_path: Path, change: dict[str, object], code: int, word: str
) -> None:
    out = tmp_path / "no.json"
    options: dict[str, object] = {
        "--auditor": parties.auditor, "--controller": 1, "--group": "goods", "--to": END_DAY, "--out": out, **change,
    }  # fmt: skip
    words = [each for pair in options.items() for each in pair]
    answer = cocket("engagement", "draft", *words, "--node", office.url)
    assert (answer.code, word in answer.err) == (code, True), answer
    assert not out.exists()


def test_an_auditor_is_accredited_as_one(office: Office, parties: Parties, tmp_path: Path) -> None:
    words = ("--auditor", parties.second, "--controller", 1, "--group", "goods", "--to", END_DAY, "--node", office.url)
    out = tmp_path / "no.json"
    assert "not accredited as an auditor" in refused(3, "engagement", "draft", *words, "--out", out)
    draft(office, parties, out)
    assert "exists" in refused(3, "engagement", "draft", *words, "--out", out)
