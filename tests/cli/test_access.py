"""Grants, delegations and orders through the command line: each yes of ``explain`` beside its no, files and lists."""

import json
from pathlib import Path

import pytest
from command import Answer, cocket, done, refused
from office import END_DAY, FIRST_DAY, TODAY, Office

from cocket.cli import access_options, granting
from cocket.cli.errors import CommandError
from cocket.cli.grant_file import Grant, decode_opening, encode_opening
from cocket.contracts.access import Purpose, decode_claim_values

DATES = ("--from", FIRST_DAY, "--to", END_DAY)
TERMS = ("--group", "goods", "--group", "origin", "--purpose", "import-clearance", *DATES)
ASKED = ("--group", "goods", "--purpose", "import-clearance")


@pytest.fixture(scope="module")
def certificate(office: Office) -> Path:
    """Give a certificate for import into SG."""
    return office.issue(options=("--for-country", "SG"))[0]


def grant(office: Office, out: Path, *more: object, terms: tuple[object, ...] = TERMS) -> dict[str, object]:
    return done("access", "grant", *more, *terms, "--out", out, *office.by_chamber)


def explained(office: Office, reader: object, certificate: Path, *more: object) -> Answer:
    words = ASKED if "--group" not in more else ()
    return cocket(
        "access", "explain", "--reader", reader, "--record", certificate, *words, *more, "--node", office.url, "--json"
    )


def reason(office: Office, reader: object, certificate: Path, *more: object) -> str:
    """Return the reason for a yes or no, and see that the exit code agrees."""
    answer = explained(office, reader, certificate, *more)
    found = answer.json()
    assert answer.code == (0 if found["may_read"] else 3), answer
    assert found["may_read"] == str(found["reason"]).startswith("by_")
    return str(found["reason"])


# -- grants ------------------------------------------------------------------------------------------------------------


def test_a_grant_is_a_hash_on_the_ledger_and_a_file(office: Office, certificate: Path, tmp_path: Path) -> None:
    out = tmp_path / "coffee.grant.json"
    assert reason(office, "BR", certificate) == "other_country"
    answer = grant(office, out, "--reader", "BR", "--record", certificate)
    assert out.stat().st_mode & 0o777 == 0o600
    found = decode_opening(out.read_bytes())
    assert isinstance(found, Grant)
    assert answer["commitment"] == "0x" + found.commitment.hex()
    assert encode_opening(found) == out.read_bytes()
    assert reason(office, "BR", certificate, "--grant", out) == "by_grant"
    assert reason(office, "NL", certificate, "--grant", out) == "other_reader"
    said = cocket("access", "explain", "--reader", "BR", "--record", certificate, *ASKED, "--grant", out, "--node",
                  office.url)  # fmt: skip
    assert said.out.startswith("YES: a grant of its controller (reason 2), as of block ")
    assert "grant to the authority of BR: record" in said.out
    assert "goods, origin for import-clearance; commitment 0x" in said.out


def test_a_withdrawal_counts_from_its_block(office: Office, certificate: Path, tmp_path: Path) -> None:
    out = tmp_path / "coffee.grant.json"
    granted = grant(office, out, "--reader", "BR", "--record", certificate)
    withdrawn = done("access", "withdraw", out, "--reason", 3, *office.by_chamber)
    assert withdrawn["commitment"] == granted["commitment"]
    assert reason(office, "BR", certificate, "--grant", out) == "withdrawn"
    for block, then in ((granted["block"], "by_grant"), (withdrawn["block"], "withdrawn")):
        assert reason(office, "BR", certificate, "--grant", out, "--block", block) == then
    said = explained(office, "BR", certificate, "--grant", out).json()
    assert "(reason 3)" in str(said["rules"])
    assert "withdrawn already" in refused(3, "access", "withdraw", out, *office.by_chamber)


def test_a_grant_can_be_withdrawn_by_its_hash_alone_but_not_by_another(
    office: Office, certificate: Path, tmp_path: Path
) -> None:
    out = tmp_path / "coffee.grant.json"
    commitment = grant(office, out, "--reader", "BR", "--record", certificate)["commitment"]
    assert "not its commitment" in refused(3, "access", "withdraw", commitment, *office.home("KE"))
    done("access", "withdraw", commitment, *office.by_chamber)
    assert reason(office, "BR", certificate, "--grant", out) == "withdrawn"


def test_a_grant_opens_nothing_else(office: Office, certificate: Path, tmp_path: Path) -> None:
    out = tmp_path / "coffee.grant.json"
    grant(office, out, "--reader", "BR", "--record", certificate)
    other = office.issue()[0]
    shown = ("--grant", out)
    assert reason(office, "BR", other, *shown) == "other_record"
    assert reason(office, "BR", certificate, *shown, "--group", "parties", "--purpose", "import-clearance") == (
        "other_groups"
    )
    assert reason(office, "BR", certificate, *shown, "--group", "goods", "--purpose", "audit") == "other_purpose"
    assert reason(office, "0x" + "11" * 20, certificate, *shown) == "unknown_reader"


def test_a_grant_counts_between_its_dates(office: Office, certificate: Path, tmp_path: Path) -> None:
    early, late = tmp_path / "early.json", tmp_path / "late.json"
    terms = TERMS[:-4]
    grant(office, early, "--reader", "BR", "--record", certificate, *terms, "--to", "2025-10-10", terms=())
    grant(office, late, "--reader", "BR", "--record", certificate, *terms, "--from", "2025-10-11", "--to", END_DAY,
          terms=())  # fmt: skip
    assert reason(office, "BR", certificate, "--grant", early) == "by_grant"
    assert reason(office, "BR", certificate, "--grant", late) == "not_yet"
    assert "not after" in refused(
        2, "access", "grant", "--reader", "BR", "--record", certificate, *terms, "--to", FIRST_DAY,
        "--out", tmp_path / "no.json", *office.by_chamber,
    )  # fmt: skip
    assert not (tmp_path / "no.json").exists()


@pytest.mark.parametrize("whole", ["batch", "kind"])
def test_a_grant_can_reach_a_batch_or_a_kind(office: Office, tmp_path: Path, whole: str) -> None:
    first, second = office.issue(*office.documents[:2])
    out = tmp_path / "wide.json"
    which = ("--record", first, "--all") if whole == "batch" else ("--all", "--anchored-from", FIRST_DAY)
    grant(office, out, "--reader", "NL", *which)
    later = office.issue()[0]
    assert reason(office, "NL", first, "--grant", out) == "by_grant"
    assert reason(office, "NL", second, "--grant", out) == "by_grant"
    assert reason(office, "NL", later, "--grant", out) == {"batch": "other_record", "kind": "by_grant"}[whole]


def test_a_participant_reads_by_its_number_or_account(office: Office, certificate: Path, tmp_path: Path) -> None:
    key = office.make_key("reader")
    number = office.accredit("NL", key, "Reader")
    for name in (number, office.address(key)):
        out = tmp_path / f"{name}.json"
        grant(office, out, "--reader", name, "--record", certificate)
        assert reason(office, number, certificate, "--grant", out) == "by_grant"
        assert reason(office, office.address(key), certificate, "--grant", out) == "by_grant"
    done("participant", "suspend", number, *office.home("NL"))
    answer = explained(office, number, certificate, "--grant", out)
    assert answer.json()["reason"] == "reader_not_in_force"
    assert "mandate suspended" in str(answer.json()["rules"])


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"--reader": "XX"}, 4, "authority list"),
        ({"--reader": "999"}, 4, "participant list"),
        ({"--reader": "chamber"}, 2, "names nobody"),
        ({"--reader": "0x" + "11" * 20}, 4, "no authority and no participant"),
        ({"--group": "weight"}, 2, "parties"),
        ({"--purpose": "curiosity"}, 2, "import-clearance"),
        ({"--index": 3}, 2, "leave --batch"),
        ({"--anchored-from": FIRST_DAY}, 2, "no batch"),
        ({"--record": None}, 2, "say which records"),
        ({"--record": None, "--batch": "0x" + "22" * 32, "--index": 0}, 4, "no batch 0x2222"),
        ({"--record": None, "--batch": "0x22", "--index": 0}, 2, "64 hexadecimal"),
        ({"--record": None, "--batch": "0x" + "22" * 32}, 2, "either --index N"),
        ({"--record": None, "--index": 1}, 2, "--batch"),
        ({"--to": "soon"}, 2, "like 2026-11-23"),
    ],
)
def test_a_wrong_wish_is_explained(
    office: Office, certificate: Path, tmp_path: Path, change: dict[str, object], code: int, word: str
) -> None:
    options: dict[str, object] = {
        "--reader": "BR", "--record": certificate, "--group": "goods", "--purpose": "audit", "--to": END_DAY,
        "--out": tmp_path / "no.json", **change,
    }  # fmt: skip
    words = [word for name, value in options.items() if value is not None for word in (name, value)]
    answer = cocket("access", "grant", *words, *office.by_chamber)
    assert answer.code == code, answer
    assert word in answer.err
    assert not (tmp_path / "no.json").exists()


def test_only_the_controller_grants(office: Office, certificate: Path, tmp_path: Path) -> None:
    key = office.make_key("rival")
    office.accredit("KE", key, "Rival")
    out = tmp_path / "no.json"
    words = ("access", "grant", "--reader", "BR", "--record", certificate, *TERMS, "--out", out)
    assert "only its own records" in refused(3, *words, *office.signed_by(key))
    assert "belongs to no participant" in refused(3, *words, *office.home("KE"))
    assert not out.exists()
    grant(office, out, "--reader", "BR", "--record", certificate)
    assert "exists" in refused(3, *words, *office.by_chamber)


# -- the default right and control -------------------------------------------------------------------------------------


def test_the_importing_authority_reads_by_right(office: Office, certificate: Path) -> None:
    assert reason(office, "SG", certificate) == "by_right"
    assert reason(office, "NL", certificate) == "other_country"
    assert reason(office, "SG", certificate, "--group", "parties", "--purpose", "import-clearance") == "other_groups"
    answer = explained(office, "SG", certificate).json()
    assert "certificate, goods, origin for import-clearance" in str(answer["rules"])
    assert "it goes to SG" in str(answer["rules"])


def test_without_the_certificate_no_right_is_shown(office: Office, certificate: Path, tmp_path: Path) -> None:
    anchor = json.loads(certificate.read_bytes())["anchor"]
    words = ("access", "explain", "--reader", "SG", "--batch", anchor["batch"], "--index", anchor["index"], *ASKED)
    answer = cocket(*words, "--node", office.url, "--json")
    assert (answer.code, answer.json()["reason"]) == (3, "no_grant")
    hidden = tmp_path / "hidden.json"
    done("certificate", "present", certificate, "--hide-country", "--out", hidden)
    assert reason(office, "SG", hidden) == "no_grant"


def test_a_controller_reads_its_own(office: Office, certificate: Path) -> None:
    assert reason(office, 1, certificate, "--group", "*", "--purpose", "own-records") == "by_control"
    assert reason(office, "KE", certificate) == "other_country"


def test_a_changed_certificate_explains_nothing(office: Office, certificate: Path, tmp_path: Path) -> None:
    document = json.loads(certificate.read_bytes())
    document["country"] = "BR"
    changed = tmp_path / "changed.certificate.json"
    changed.write_text(json.dumps(document))
    assert explained(office, "BR", changed).code == 5


# -- as of when --------------------------------------------------------------------------------------------------------


def test_a_day_is_answered_as_of_its_last_block(office: Office, certificate: Path) -> None:
    answer = explained(office, "SG", certificate, "--on", TODAY)
    assert answer.code == 0
    as_of = answer.json()["as_of"]
    assert isinstance(as_of, dict)
    assert as_of["block"] == office.client.block_number()
    assert "nobody can say yet" in str(explained(office, "SG", certificate, "--on", "2098-01-01").json()["error"])
    assert explained(office, "SG", certificate, "--on", "2098-01-01").code == 6
    assert "begins later" in str(explained(office, "SG", certificate, "--on", "2020-01-01").json()["error"])
    assert explained(office, "SG", certificate, "--on", TODAY, "--block", 1).code == 2
    assert explained(office, "SG", certificate, "--block", 0).json()["reason"] == "unknown_record"
    assert explained(office, "SG", certificate, "--all").code == 2


# -- delegations -------------------------------------------------------------------------------------------------------


def test_an_officer_reads_in_its_authoritys_place(office: Office, certificate: Path, tmp_path: Path) -> None:
    officer = office.address(office.make_key("officer"))
    out = tmp_path / "officer.delegation.json"
    words = ("access", "delegate", "--officer", officer, *TERMS, "--out", out)
    assert "only the admin key" in refused(3, *words, *office.by_chamber)
    done(*words, *office.home("SG"))
    assert out.stat().st_mode & 0o777 == 0o600
    assert reason(office, officer, certificate) == "unknown_reader"
    assert reason(office, officer, certificate, "--delegation", out) == "by_right"
    assert reason(office, "NL", certificate, "--delegation", out) == "no_delegation"
    wider = ("--group", "parties", "--purpose", "import-clearance")
    assert reason(office, officer, certificate, "--delegation", out, *wider) == "other_groups"
    granted = tmp_path / "grant.json"
    grant(office, granted, "--reader", "SG", "--record", certificate)
    both = ("--delegation", out, "--grant", granted)
    ways = explained(office, officer, certificate, *both).json()["ways"]
    assert isinstance(ways, list)
    assert [way["reason"] for way in ways] == ["by_grant", "by_right"]
    assert "delegation of the authority of SG to officer" in str(ways[0]["rules"])
    done("access", "withdraw", out, *office.home("SG"))
    assert reason(office, officer, certificate, *both) == "withdrawn"


# -- lists -------------------------------------------------------------------------------------------------------------


def listed(office: Office, *words: object) -> list[dict[str, object]]:
    found = done("access", "list", *words, "--node", office.url)["openings"]
    assert isinstance(found, list)
    return found


def test_what_stands_is_listed_from_its_files(office: Office, certificate: Path, tmp_path: Path) -> None:
    for name in ("standing", "withdrawn"):
        grant(office, tmp_path / f"{name}.json", "--reader", "BR", "--record", certificate)
    done("access", "withdraw", tmp_path / "withdrawn.json", *office.by_chamber)
    grant(office, tmp_path / "later.json", "--reader", "NL", "--all", *TERMS[:-4], "--from", "2098-01-01", "--to",
          END_DAY, terms=())  # fmt: skip
    done("access", "delegate", "--officer", "0x" + "33" * 20, *TERMS, "--out", tmp_path / "officer.json",
         *office.home("KE"))  # fmt: skip
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("nothing")
    found = {Path(str(entry["file"])).stem: entry for entry in listed(office, tmp_path)}
    states = {name: (entry["what"], entry["state"]) for name, entry in found.items()}
    assert states == {
        "standing": ("grant", "in force"),
        "withdrawn": ("grant", "withdrawn"),
        "later": ("grant", "not yet"),
        "officer": ("delegation", "in force"),
    }
    assert found["standing"]["reader"] == "the authority of BR"
    assert found["standing"]["groups"] == ["certificate", "goods", "origin"], "the one that is never hidden too"
    assert found["withdrawn"]["withdrawn_at"]
    said = cocket("access", "list", tmp_path, "--node", office.url).out
    assert "certificate-of-origin anchored at any time" in said
    assert "other.json" not in said
    assert "cocket-grant-1" in refused(2, "access", "list", tmp_path / "other.json", "--node", office.url)
    assert refused(2, "access", "list", "--node", office.url)


def test_what_no_file_opens_is_listed_by_its_party(office: Office, certificate: Path, tmp_path: Path) -> None:
    key = office.make_key("forgetful")
    number = office.accredit("BR", key, "Forgetful")
    own = office.issue(office.documents[0], by=office.signed_by(key))[0]
    kept, lost = tmp_path / "kept.json", tmp_path / "lost.json"
    for out in (kept, lost):
        done("access", "grant", "--reader", "KE", "--record", own, *TERMS, "--out", out, *office.signed_by(key))
    lost.unlink()
    assert [entry["what"] for entry in listed(office, kept)] == ["grant"]
    assert [entry["what"] for entry in listed(office, kept, "--by", number)] == ["grant", None]
    (unknown,) = listed(office, "--by", office.address(key))[1:]
    assert unknown["state"] == "in force"
    done("access", "withdraw", unknown["commitment"], *office.signed_by(key))
    assert [entry["state"] for entry in listed(office, "--by", number)].count("withdrawn") == 1


# -- files -------------------------------------------------------------------------------------------------------------


def test_what_a_reader_shows_is_made_of_its_files(office: Office, certificate: Path, tmp_path: Path) -> None:
    network = granting.network_of(office.client)
    granted, delegated = tmp_path / "grant.json", tmp_path / "officer.json"
    grant(office, granted, "--reader", "SG", "--record", certificate)
    done("access", "delegate", "--officer", "0x" + "33" * 20, *TERMS, "--out", delegated, *office.home("SG"))
    assert granting.load_claim(None, network=network) == b""
    for files in ((granted, None), (None, delegated), (granted, delegated)):
        scope, delegation, officers = decode_claim_values(granting.load_claim(*files, network=network))
        assert isinstance(scope, tuple)
        assert isinstance(delegation, tuple)
        assert (scope[0] != 0, delegation[0] != 0, list(officers)) == (files[0] is not None, files[1] is not None, [])  # type: ignore[call-overload]
    with pytest.raises(CommandError, match="opens nothing by itself"):
        granting.load_claim(delegated, network=network)
    with pytest.raises(CommandError, match="expected a delegation"):
        granting.load_claim(granted, granted, network=network)


@pytest.mark.parametrize("member", ["chain_id", "genesis_hash", "access"])
def test_files_of_another_network_are_refused(office: Office, certificate: Path, tmp_path: Path, member: str) -> None:
    out = tmp_path / "grant.json"
    grant(office, out, "--reader", "BR", "--record", certificate)
    document = json.loads(out.read_bytes())
    document[member] = 5 if member == "chain_id" else "0x" + "ab" * ((len(document[member]) - 2) // 2)
    out.write_text(json.dumps(document))
    assert "expected chain 20261" in refused(3, "access", "withdraw", out, *office.by_chamber)
    assert explained(office, "BR", certificate, "--grant", out).code == 3
    with pytest.raises(CommandError, match="expected chain 20261"):
        granting.load_claim(out, network=granting.network_of(office.client))


def test_purposes_have_the_ledgers_numbers() -> None:
    assert [Purpose(1 + at).name for at in range(len(access_options.PURPOSES))] == [
        name.upper().replace("-", "_") for name in access_options.PURPOSES
    ]
    assert len(access_options.PURPOSES) == len(Purpose)
