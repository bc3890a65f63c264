"""``cocket certificate print``: a picture whose scanned text ``cocket verify`` judges, online and offline."""

import json
from collections.abc import Iterator
from hashlib import shake_256
from pathlib import Path

import pytest
import zxingcpp
from command import cocket, done, refused
from office import Office, open_office
from PIL import Image

from cocket.attestation.base45 import decode_base45, encode_base45
from cocket.attestation.printed import PREFIX
from cocket.cli.errors import Exit


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(tmp_path_factory.mktemp("printing")) as opened:
        yield opened


@pytest.fixture(scope="module")
def certificates(office: Office) -> list[Path]:
    """One as usual and one whose goods are described at length, issued; their codes hold the path and do not."""
    wordy = json.loads(office.documents[0].read_text())
    wordy["credentialSubject"]["items"][0]["description"] = shake_256(b"words").hexdigest(350)
    long = office.folder / "wordy.json"
    long.write_text(json.dumps(wordy))
    return office.issue(office.documents[0], long)


def printed(office: Office, certificate: Path, out: Path, *more: object, is_signed: bool = True) -> dict[str, object]:
    key = ("--issuer-key", office.chamber, "--passphrase-file", office.passphrase) if is_signed else ()
    return done("certificate", "print", certificate, "--qr", out, "--text", out.with_suffix(".txt"), *key, *more)


def verdict(code: Path, *more: object) -> tuple[int, dict[str, str]]:
    answer = cocket("verify", code, *more, "--json")
    (found,) = answer.json()["verdicts"]  # type: ignore[misc]
    words = ("integrity", "issuance", "in_force", "issuer_authority", "superseded", "used")
    return answer.code, {word: found[word]["answer"] for word in words}


ONLINE = {
    "integrity": "yes",
    "issuance": "yes",
    "in_force": "yes",
    "issuer_authority": "yes",
    "superseded": "no",
    "used": "no",
}
NOT_CHECKED = dict.fromkeys(ONLINE, "could not check")


def test_the_picture_s_text_is_verified_by_a_node(office: Office, certificates: list[Path], tmp_path: Path) -> None:
    answer = printed(office, certificates[0], tmp_path / "code.png", "--field", "goods")
    assert (answer["has_path"], answer["is_signed"]) == (True, True)
    (scanned,) = zxingcpp.read_barcodes(Image.open(tmp_path / "code.png"), zxingcpp.BarcodeFormat.QRCode)
    code = tmp_path / "code.txt"
    assert code.read_text() == scanned.text + "\n" == f"{answer['text']}\n"
    on = ("--on", "2025-10-10")
    assert verdict(code, *on, "--node", office.url) == (Exit.DONE, ONLINE)
    offline = verdict(code, *on, "--anchor", "0x" + office.client.genesis_hash().hex())
    assert offline == (Exit.COULD_NOT_CHECK, {**NOT_CHECKED, "integrity": "yes"})
    shown = done("certificate", "show", code)["fields"]
    assert isinstance(shown, dict)
    assert shown["/credentialSubject/items/0/name"] == "Espresso Italiano"
    assert not [pointer for pointer in shown if "dateOfExport" in pointer]


def test_a_long_certificate_is_tied_by_its_issuer_s_signature(
    office: Office, certificates: list[Path], tmp_path: Path
) -> None:
    answer = printed(office, certificates[1], tmp_path / "long.svg", "--field", "goods")
    assert (answer["has_path"], answer["is_signed"], answer["version"]) == (False, True, "25-M")
    assert (tmp_path / "long.svg").read_text().startswith("<?xml")
    code, on = tmp_path / "long.txt", ("--on", "2025-10-10")
    assert verdict(code, *on, "--node", office.url) == (Exit.DONE, ONLINE)
    assert "the word of its issuer" in cocket("verify", code, *on, "--node", office.url).out
    offline = verdict(code, *on, "--anchor", "0x" + office.client.genesis_hash().hex())
    assert offline == (Exit.COULD_NOT_CHECK, NOT_CHECKED)
    other = office.make_key("stranger")
    forged = tmp_path / "forged.svg"
    done(
        "certificate", "print", certificates[1], "--field", "goods", "--qr", forged, "--text",
        tmp_path / "forged.txt", "--issuer-key", other, "--passphrase-file", office.passphrase,
    )  # fmt: skip
    said, found = verdict(tmp_path / "forged.txt", *on, "--node", office.url)
    assert (said, found["integrity"], found["issuance"]) == (Exit.VERIFICATION_NO, "no", "could not check")


def test_a_withdrawn_certificate_s_print_is_no_longer_good(office: Office, tmp_path: Path) -> None:
    (certificate,) = office.issue(office.documents[0])
    printed(office, certificate, tmp_path / "code.svg", is_signed=False)
    code = tmp_path / "code.txt"
    assert verdict(code, "--on", "2025-10-10", "--node", office.url) == (Exit.DONE, ONLINE)
    done("certificate", "withdraw", certificate, "--reason", 4, *office.by_chamber)
    assert verdict(code, "--on", "2025-10-10", "--node", office.url)[0] == Exit.VERIFICATION_NO


def test_a_changed_code_is_not_good(office: Office, certificates: list[Path], tmp_path: Path) -> None:
    answer = printed(office, certificates[0], tmp_path / "code.svg")
    data = decode_base45(str(answer["text"])[len(PREFIX) :])
    bad = tmp_path / "bad.txt"
    bad.write_text(PREFIX + encode_base45(data[:-70] + bytes((data[-70] ^ 1,)) + data[-69:]))
    code, found = verdict(bad, "--on", "2025-10-10", "--node", office.url)
    assert (code, found["integrity"]) == (Exit.VERIFICATION_NO, "no")
    bad.write_text(PREFIX + "abc")
    assert "base 45" in refused(Exit.USAGE, "verify", bad)


def test_nothing_is_overwritten_and_what_cannot_be_printed_says_why(
    office: Office, certificates: list[Path], tmp_path: Path
) -> None:
    there = tmp_path / "there.svg"
    there.write_text("mine")
    assert "exists" in refused(Exit.REFUSED, "certificate", "print", certificates[0], "--qr", there)
    words = ("certificate", "print", certificates[0], "--qr")
    assert ".png or .svg" in refused(Exit.USAGE, *words, tmp_path / "code.gif")
    part = refused(Exit.REFUSED, *words, tmp_path / "c.svg", "--field", "/credentialSubject/items/0/name")
    assert "shown in part" in part
    unknown = refused(Exit.REFUSED, *words, tmp_path / "c.svg", "--field", "tea")
    assert "expected one of certificate, parties" in unknown
    worthless = cocket("certificate", "print", certificates[1], "--field", "goods", "--qr", tmp_path / "w.svg")
    assert "IT PROVES NOTHING" in worthless.out
