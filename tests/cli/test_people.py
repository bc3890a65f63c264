"""Authorities and participants through the command line: lists, accreditation, proposals, votes, seats, status."""

import json
from pathlib import Path

import pytest
from command import cocket, done, refused
from founding.founders import PASSPHRASE, custodian_of, make_home, make_parameters
from office import END_DAY, FIRST_DAY, Office, open_office

from cocket.cli.proposing import keys_of
from cocket.contracts import access, consortium
from cocket.contracts.access import Purpose
from cocket.genesis import ceremony
from cocket.genesis.record import encode_record


def node(office: Office) -> tuple[str, str]:
    return ("--node", office.url)


# -- participants ------------------------------------------------------------------------------------------------------


def test_a_participant_is_listed_without_its_name(office: Office, tmp_path: Path) -> None:
    key = office.make_key("exporter")
    out = tmp_path / "exporter.participant.json"
    answer = done(
        "participant", "accredit", *office.home("NL"), "--name", "Tulpen en Zonen", "--role", "exporter", "--role",
        "carrier", "--account", office.address(key), "--from", FIRST_DAY, "--to", END_DAY, "--out", out,
    )  # fmt: skip
    opening = json.loads(out.read_text())
    assert opening["name"] == "Tulpen en Zonen"
    assert opening["identity"] == answer["identity"]
    assert out.stat().st_mode & 0o777 == 0o600
    listed = done("participant", "list", *node(office))["participants"]
    assert isinstance(listed, list)
    (entry,) = [entry for entry in listed if entry["participant"] == answer["participant"]]
    assert entry["roles"] == ["exporter", "carrier"]
    assert entry["authority"] == "NL"
    assert entry["status"] == "active"
    said = cocket("participant", "list", *node(office))
    assert "Tulpen" not in said.out
    assert "exporter, carrier  NL" in said.out
    done("participant", "suspend", answer["participant"], "--reason", 3, *office.home("NL"))
    assert "suspended since" in cocket("participant", "list", *node(office)).out
    assert refused(3, "participant", "suspend", answer["participant"], *office.home("NL"))
    done("participant", "reinstate", answer["participant"], *office.home("NL"))
    assert refused(3, "participant", "reinstate", answer["participant"], *office.home("NL"))
    assert refused(3, "participant", "suspend", answer["participant"], *office.home("KE"))  # not its authority
    assert refused(3, "participant", "suspend", 999, *office.home("NL"))


def accredit(office: Office, **changes: object) -> tuple[object, ...]:
    options: dict[str, object] = {
        "name": "X", "role": "port", "account": "0x" + "11" * 20, "from": FIRST_DAY, "to": END_DAY,
        "out": office.folder / "x.json", **changes,
    }  # fmt: skip
    return ("participant", "accredit", *[w for name, value in options.items() for w in (f"--{name}", value)])


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"account": "0x12"}, 2, "40 hex digits"),
        ({"account": "chamber"}, 2, "40 hex digits"),
        ({"to": "tomorrow"}, 2, "like 2026-11-23"),
        ({"to": FIRST_DAY}, 2, "is not after"),
        ({"role": "king"}, 2, "chamber"),
        ({"account": "0x" + "00" * 20}, 3, ""),
    ],
)
def test_a_wrong_accreditation_is_explained(office: Office, changes: dict[str, object], code: int, word: str) -> None:
    answer = cocket(*accredit(office, **changes), *office.home("NL"))
    assert answer.code == code
    assert word in answer.err
    assert not (office.folder / "x.json").exists()


def test_only_an_authority_accredits(office: Office) -> None:
    assert refused(3, *accredit(office), *office.by_chamber)
    assert "say who signs" in refused(2, *accredit(office))


def test_an_account_serves_one_participant(office: Office) -> None:
    assert refused(3, *accredit(office, account=office.address(office.chamber)), *office.home("NL"))


# -- authorities -------------------------------------------------------------------------------------------------------


def test_authorities_are_listed(office: Office) -> None:
    listed = done("authority", "list", *node(office))["authorities"]
    assert isinstance(listed, list)
    assert [entry["country"] for entry in listed][:4] == ["BR", "KE", "NL", "SG"]
    assert all(entry["status"] == "active" for entry in listed[:4])
    assert "BR" in cocket("authority", "list", *node(office)).out


def proposal(office: Office, number: object) -> dict[str, object]:
    made = done("authority", "proposals", *node(office))["proposals"]
    assert isinstance(made, list)
    found = next(entry for entry in made if entry["proposal"] == number)
    assert isinstance(found, dict)
    return found


def test_a_parameter_changes_by_more_than_half(office: Office) -> None:
    number = done("authority", "propose", "parameter", "proposal-period", 2_000_000, *office.home("KE"))["proposal"]
    assert proposal(office, number)["standing"] == "open"
    assert "open" in str(done("authority", "vote", number, "--against", *office.home("BR"))["standing"])
    assert refused(3, "authority", "vote", number, "--for", *office.home("BR"))  # a vote is final
    done("authority", "vote", number, "--for", *office.home("NL"))
    answer = done("authority", "vote", number, "--for", *office.home("SG"))
    assert answer["standing"] == "executed"
    assert refused(3, "authority", "execute", number, *office.home("SG"))
    assert refused(3, "authority", "vote", 999, "--for", *office.home("SG"))
    assert proposal(office, number)["approvals"] == [2, 3, 4]


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (("parameter", "spacing-blocks", 7), "spacing-blocks 7"),
        (
            ("default-right", "--group", "goods", "--purpose", "import-clearance"),
            "certificate-of-origin: certificate, goods for import-clearance",
        ),
        (("default-right",), "certificate-of-origin: nothing"),
        (("listing-delay", "risk-analysis", 180), "risk-analysis 180 days"),
        (("directory-entry", "Access", "0x" + "ab" * 20), "Access 0x" + "ab" * 20),
    ],
)
def test_voters_see_what_they_vote_on(office: Office, words: tuple[object, ...], about: str) -> None:
    number = done("authority", "propose", *words, *office.home("KE"))["proposal"]
    assert proposal(office, number)["about"] == about
    done("authority", "vote", number, "--against", *office.home("BR"))
    done("authority", "vote", number, "--against", *office.home("NL"))


def test_the_authorities_decide_on_default_rights_and_delays(tmp_path: Path) -> None:
    right = ("default-right", "--group", "origin", "--purpose", "statistics")
    with open_office(tmp_path) as office:
        for words in (right, ("listing-delay", "audit", 30)):
            number = done("authority", "propose", *words, *office.home("KE"))["proposal"]
            done("authority", "vote", number, "--for", *office.home("NL"))
            answer = done("authority", "vote", number, "--for", *office.home("SG"))
            assert answer["standing"] == "executed"
        later = int(str(answer["time"])) + 1
        found = office.client.view(access.ADDRESS, access.default_right_at(1, later))
        assert (found.groups, found.purposes) == ({0, 3}, {Purpose.STATISTICS})
        assert office.client.view(access.ADDRESS, access.listing_delay_at(Purpose.AUDIT, later)) == 30 * 86_400


def test_a_right_has_groups_and_purposes(office: Office) -> None:
    words = ("authority", "propose", "default-right")
    assert "both" in refused(2, *words, "--group", "goods", *office.home("KE"))
    assert "expected one of" in refused(2, *words, "--group", "x", "--purpose", "audit", *office.home("KE"))
    assert cocket("authority", "propose", "listing-delay", "audit", 3651, *office.home("KE")).code == 2
    assert refused(2, "authority", "propose", "directory-entry", "Access", "0x12", *office.home("KE"))
    consortium_s = ("authority", "propose", "directory-entry", "Consortium", "0x" + "ab" * 20)
    assert "stays what it is" in refused(3, *consortium_s, *office.home("KE"))


def test_voters_see_what_would_be_recorded(office: Office, tmp_path: Path) -> None:
    home = make_home(tmp_path, "FR")
    keys = ceremony.open_keys(home, PASSPHRASE)
    record = ceremony.record(keys, custodian_of(home), make_parameters("FR"), "FR", "fr.example:30303")
    file = tmp_path / "FR.record.json"
    file.write_bytes(encode_record(record))
    admission = done("authority", "propose", "admit", file, *office.home("KE"))["proposal"]
    entry = proposal(office, admission)
    assert (entry["kind"], entry["country"], entry["standing"]) == ("admission", "FR", "open")
    _, recorded = keys_of(record)
    node_id = recorded.nodes[0].node_id.hex()
    assert entry["keys"] == {
        "admin": "0x" + recorded.admin.hex(),
        "validator": "0x" + recorded.validator.hex(),
        "seal_certificate": "0x" + recorded.seal_certificate.hex(),
        "encryption_suite": recorded.encryption_suite,
        "encryption_key": "0x" + recorded.encryption_key.hex(),
        "nodes": [{"node_id": "0x" + node_id, "endpoint": "fr.example:30303"}],
    }
    wanted = [
        f"proposal {admission} would record for FR:",
        f"  admin      0x{recorded.admin.hex()}",
        f"  validator  0x{recorded.validator.hex()}",
        f"  node       {node_id[:16]}...{node_id[-16:]} at fr.example:30303",
        f"  custodian  {recorded.encryption_key.hex()[:16]}...{recorded.encryption_key.hex()[-16:]} of HYBRID",
    ]
    lines = cocket("authority", "proposals", *node(office)).out.splitlines()
    at = lines.index(wanted[0])
    assert lines[at : at + 5] == wanted
    # New keys of a member are shown with whose they would be; what was decided is no longer announced.
    admin = ceremony.open_keys(office.homes["NL"], PASSPHRASE).admin
    office.client.send(admin, consortium.ADDRESS, consortium.propose_keys(authority=3, keys=recorded))
    replacement = int(str(admission)) + 1
    entry = proposal(office, replacement)
    assert (entry["kind"], entry["country"], entry["about"]) == ("keys", "NL", "authority 3")
    assert f"proposal {replacement} would record for NL:" in cocket("authority", "proposals", *node(office)).out
    for number in (admission, replacement):
        for country in ("BR", "SG"):
            done("authority", "vote", number, "--against", *office.home(country))
        assert proposal(office, number)["standing"] == "rejected"
        assert isinstance(proposal(office, number)["keys"], dict)
    assert "would record" not in cocket("authority", "proposals", *node(office)).out


def test_a_proposal_without_keys_shows_none(office: Office) -> None:
    number = done("authority", "propose", "parameter", "proposal-period", 1_500_000, *office.home("KE"))["proposal"]
    assert "keys" not in proposal(office, number)
    assert "would record" not in cocket("authority", "proposals", *node(office)).out


def test_only_authorities_propose_and_vote(office: Office) -> None:
    assert refused(3, "authority", "propose", "parameter", "spacing-blocks", 5, *office.by_chamber)
    assert refused(3, "authority", "vote", 1, "--for", *office.by_chamber)
    assert "authority list" in refused(4, "authority", "propose", "suspend", "XX", *office.home("KE"))
    assert cocket("authority", "propose", "parameter", "colour", 5, *office.home("KE")).code == 2
    assert cocket("authority", "vote", 1, *office.home("KE")).code == 2


def test_a_record_of_another_ceremony_and_garbage_are_no_admission(office: Office, tmp_path: Path) -> None:
    bad = tmp_path / "FR.record.json"
    bad.write_text("{}")
    assert str(bad) in refused(2, "authority", "propose", "admit", bad, *office.home("KE"))


# -- status ------------------------------------------------------------------------------------------------------------


def test_status_is_one_look(office: Office) -> None:
    answer = done("status", *node(office))
    assert answer["chain_id"] == 20_261
    assert isinstance(answer["height"], int)
    validators = answer["validators"]
    assert isinstance(validators, list)
    assert len(validators) == 4
    said = cocket("status", *node(office))
    assert said.out.startswith(f"height      {answer['height']} at 2025-10-09")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "ftp://127.0.0.1", "http://", "http://[::1"])
def test_no_node_is_said_with_its_address(url: str) -> None:
    assert url in refused(1, "status", "--node", url)
