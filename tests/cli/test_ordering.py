"""Orders of two officers, and what no grant gets past: freezes, declined rights, countries; each yes with its no."""

import json
from pathlib import Path

import pytest
from command import cocket, done, refused
from office import FIRST_DAY, Office, open_office
from other_access import in_genesis, refusing
from test_access import ASKED, DATES, TERMS, explained, grant, reason

from cocket.attestation.merkle import keccak256
from cocket.cli.grant_file import Grant, decode_opening
from cocket.node.vault.residency import decode_residency

FOR_COURT = ("--group", "parties", "--purpose", "court-order")


@pytest.fixture(scope="module")
def certificate(office: Office) -> Path:
    """Give a certificate for import into SG."""
    return office.issue(options=("--for-country", "SG"))[0]


@pytest.fixture(scope="module")
def document(office: Office) -> Path:
    """Give what a court wrote."""
    path = office.folder / "court.txt"
    path.write_text("Case 7: the parties shall be disclosed.")
    return path


def officer(office: Office, name: str, country: str = "KE") -> tuple[Path, Path]:
    """Return an officer's key and delegation, made when they are not there."""
    key, out = office.folder / f"{name}.json", office.folder / f"{name}.delegation.json"
    if not out.exists():
        office.make_key(name)
        done("access", "delegate", "--officer", office.address(key), "--group", "*", "--purpose", "court-order",
             *DATES, "--out", out, *office.home(country))  # fmt: skip
    return key, out


def order(office: Office, certificate: Path, document: Path, out: Path, *more: object, country: str = "KE") -> Path:
    which = more or ("--record", certificate)
    what = ("--group", "parties", "--document", document, *DATES)
    done("access", "order", "--reader", "NL", *which, *what, "--out", out, *office.home(country))
    return out


def sign(office: Office, out: Path, name: str, *more: object, country: str = "KE") -> tuple[object, ...]:
    key, delegation = officer(office, name, country)
    return ("access", "order-sign", out, "--delegation", delegation, *more, *office.signed_by(key))


# -- orders ------------------------------------------------------------------------------------------------------------


def test_an_order_counts_with_two_officers(office: Office, certificate: Path, document: Path, tmp_path: Path) -> None:
    out = order(office, certificate, document, tmp_path / "case.order.json")
    shown = ("--grant", out, *FOR_COURT)
    assert reason(office, "NL", certificate, *shown) == "too_few_officers"
    assert done(*sign(office, out, "judge", "--document", document))["signatures"] == 1
    assert reason(office, "NL", certificate, *shown) == "too_few_officers"
    assert "has signed already" in refused(3, *sign(office, out, "judge"))
    assert done(*sign(office, out, "clerk"))["signatures"] == 2
    assert out.stat().st_mode & 0o777 == 0o600
    assert reason(office, "NL", certificate, *shown) == "by_order"
    assert reason(office, "BR", certificate, *shown) == "other_reader"
    assert "two officers have signed" in refused(3, *sign(office, out, "third"))
    found = decode_opening(out.read_bytes())
    assert isinstance(found, Grant)
    assert found.scope.reference == keccak256(document.read_bytes())
    done("access", "withdraw", out, *office.home("KE"))
    assert reason(office, "NL", certificate, *shown) == "withdrawn"
    assert "the order is not in force" in refused(
        3, *sign(office, order_without(out, tmp_path / "again.json"), "judge")
    )


def order_without(signed: Path, out: Path) -> Path:
    out.write_text(json.dumps({**json.loads(signed.read_bytes()), "officers": []}))
    return out


def test_an_order_on_all_of_a_controller(office: Office, certificate: Path, document: Path, tmp_path: Path) -> None:
    out = order(office, certificate, document, tmp_path / "case.json", "--all", "--controller", 1)
    for name in ("judge", "clerk"):
        done(*sign(office, out, name))
    assert reason(office, "NL", certificate, "--grant", out, *FOR_COURT) == "by_order"


def test_what_would_not_count_is_not_signed(office: Office, certificate: Path, document: Path, tmp_path: Path) -> None:
    out = order(office, certificate, document, tmp_path / "case.json")
    before = out.read_bytes()
    assert "the officer of the authority of NL" in refused(3, *sign(office, out, "stranger", country="NL"))
    _, delegation = officer(office, "judge")
    words = ("access", "order-sign", out, "--delegation", delegation)
    assert "the delegation is to" in refused(3, *words, *office.by_chamber)
    other = tmp_path / "other.txt"
    other.write_text("Case 8")
    assert "another document" in refused(3, *sign(office, out, "judge", "--document", other))
    granted = tmp_path / "grant.json"
    grant(office, granted, "--reader", "NL", "--record", certificate)
    assert "expected an order" in refused(2, *sign(office, granted, "judge"))
    _, gone = officer(office, "retired")
    done("access", "withdraw", gone, *office.home("KE"))
    assert "the delegation is not in force" in refused(3, *sign(office, out, "retired"))
    assert out.read_bytes() == before


def test_an_authority_orders_what_is_under_itself(
    office: Office, certificate: Path, document: Path, tmp_path: Path
) -> None:
    words = ("access", "order", "--reader", "NL", "--group", "parties", "--document", document, *DATES,
             "--out", tmp_path / "no.json")  # fmt: skip
    for which in (("--record", certificate), ("--all", "--controller", 1)):
        assert "is under the authority of KE" in refused(3, *words, *which, *office.home("BR"))
        assert "only the admin key" in refused(3, *words, *which, *office.by_chamber)
    assert "--controller" in refused(2, *words, "--all", *office.home("KE"))
    assert "--controller" in refused(2, *words, "--record", certificate, "--controller", 1, *office.home("KE"))
    assert "an authority" in refused(2, *words, "--all", "--controller", "KE", *office.home("KE"))
    assert not (tmp_path / "no.json").exists()


# -- freezes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["record", "batch", "controller"])
def test_a_freeze_stops_all_reads_until_released(office: Office, tmp_path: Path, what: str) -> None:
    key = office.make_key(f"frozen-{what}")
    number = office.accredit("KE", key, f"Frozen {what}")
    first, second = office.issue(*office.documents[:2], by=office.signed_by(key), options=("--for-country", "SG"))
    out = tmp_path / "grant.json"
    done("access", "grant", "--reader", "BR", "--record", first, *TERMS, "--out", out, *office.signed_by(key))
    record = ("--record", first)
    named = {"record": record, "batch": (*record, "--all"), "controller": ("--controller", number)}
    for others in (office.home("BR"), office.by_chamber):
        assert refused(3, "access", "freeze", *named[what], *others)
    done("access", "freeze", *named[what], "--reason", 12, *office.home("KE"))
    for reader, shown in (("BR", ("--grant", out)), ("SG", ()), (number, ())):
        assert reason(office, reader, first, *shown) == "frozen"
    assert "reason code 12" in str(explained(office, "SG", first).json()["rules"])
    assert reason(office, "SG", second) == ("by_right" if what == "record" else "frozen")
    assert "frozen already" in refused(3, "access", "freeze", *named[what], *office.home("KE"))
    done("access", "release", *named[what], *office.home("KE"))
    assert reason(office, "BR", first, "--grant", out) == "by_grant"
    assert "not frozen" in refused(3, "access", "release", *named[what], *office.home("KE"))


def test_a_freeze_says_of_what(office: Office, certificate: Path) -> None:
    assert "say which record" in refused(2, "access", "freeze", *office.home("KE"))
    assert "either" in refused(2, "access", "freeze", "--controller", 1, "--record", certificate, *office.home("KE"))
    assert "no such participant" in refused(3, "access", "freeze", "--controller", 999, *office.home("KE"))
    missing = ("--batch", "0x" + "77" * 32, "--all")
    assert "no such batch" in refused(3, "access", "freeze", *missing, *office.home("KE"))


# -- declined rights ---------------------------------------------------------------------------------------------------


def test_a_right_is_declined_before_anchoring(office: Office, tmp_path: Path) -> None:
    certificate = office.issue(options=("--for-country", "SG", "--decline-right"))[0]
    assert reason(office, "SG", certificate) == "opted_out"
    out = tmp_path / "grant.json"
    grant(office, out, "--reader", "SG", "--record", certificate)
    assert reason(office, "SG", certificate, "--grant", out) == "by_grant"
    batch = json.loads(certificate.read_bytes())["anchor"]["batch"]
    late = refused(3, "access", "decline-right", "--batch", batch, *office.by_chamber)
    assert "anchored already" in late
    done("access", "decline-right", "--batch", "0x" + "66" * 32, *office.by_chamber)
    assert refused(3, "access", "decline-right", "--batch", "0x" + "66" * 32, *office.home("KE"))
    assert refused(2, "access", "decline-right", "--batch", "0x66", *office.by_chamber)


def test_a_job_that_was_anchored_with_the_right_cannot_decline_it(office: Office) -> None:
    out = office.folder_for_batch()
    words = ("certificate", "issue", office.documents[0], "--out", out, "--valid-from", FIRST_DAY, *office.by_chamber)
    done(*words)
    assert "without --decline-right" in refused(3, *words, "--decline-right")
    assert done(*words)["was_anchored_before"] is True


def test_a_job_that_declined_goes_on(office: Office) -> None:
    out = office.folder_for_batch()
    words = ("certificate", "issue", office.documents[0], "--out", out, "--valid-from", FIRST_DAY, "--decline-right",
             *office.by_chamber)  # fmt: skip
    done(*words)
    assert done(*words)["was_anchored_before"] is True


# -- countries ---------------------------------------------------------------------------------------------------------


def test_a_batch_is_bound_to_countries(office: Office, tmp_path: Path) -> None:
    certificate = office.issue(options=("--for-country", "SG"))[0]
    granted, bound = tmp_path / "grant.json", tmp_path / "residency.json"
    grant(office, granted, "--reader", "BR", "--record", certificate)
    words = ("access", "residency", "--record", certificate)
    done(*words, "--country", "sg", "--country", "NL", "--out", bound, *office.by_chamber)
    assert bound.stat().st_mode & 0o777 == 0o600
    batch, residency = decode_residency(bound.read_bytes())
    assert "0x" + batch.hex() == json.loads(certificate.read_bytes())["anchor"]["batch"]
    assert residency.countries == ("NL", "SG")
    shown = ("--grant", granted, "--residency", bound)
    assert reason(office, "BR", certificate, *shown) == "outside_residency"
    assert "shown: NL, SG" in str(explained(office, "BR", certificate, *shown).json()["rules"])
    assert reason(office, "SG", certificate, "--residency", bound) == "by_right"
    assert reason(office, "SG", certificate) == "outside_residency"
    other = office.issue()[0]
    assert "the record is of" in str(explained(office, "SG", other, "--residency", bound).json()["error"])
    done(*words, "--lift", *office.by_chamber)
    assert reason(office, "BR", certificate, "--grant", granted) == "by_grant"


def test_countries_are_named_or_lifted(office: Office, certificate: Path, tmp_path: Path) -> None:
    out = tmp_path / "residency.json"
    words = ("access", "residency", "--record", certificate)
    for more in ((), ("--country", "SG"), ("--out", out), ("--lift", "--country", "SG"), ("--lift", "--out", out)):
        assert "--lift" in refused(2, *words, *more, *office.by_chamber)
    assert refused(2, *words, "--country", "Singapore", "--out", out, *office.by_chamber)
    assert refused(3, *words, "--country", "SG", "--out", out, *office.home("KE"))
    assert not out.exists()
    assert cocket("access", "explain", "--reader", "SG", "--record", certificate, *ASKED, "--residency",
                  certificate, "--node", office.url).code == 2  # fmt: skip


# -- an Access that refuses --------------------------------------------------------------------------------------------


def test_whoever_asks_one_that_refuses_is_refused(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    """The answers are the contract's and nobody else's: control, grant and right are a no once it says so."""
    with open_office(tmp_path_factory.mktemp("refusing"), lambda genesis: in_genesis(genesis, refusing())) as office:
        certificate = office.issue(options=("--for-country", "SG"))[0]
        out = tmp_path / "grant.json"
        grant(office, out, "--reader", "BR", "--record", certificate)
        found = done("access", "list", out, "--node", office.url)["openings"]
        assert isinstance(found, list)
        assert [entry["state"] for entry in found] == ["in force"]
        for reader, shown in (("BR", ("--grant", out)), ("SG", ()), (1, ())):
            assert reason(office, reader, certificate, *shown) == "no_grant"
