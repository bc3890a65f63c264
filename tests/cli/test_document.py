"""``cocket document``: certificates sealed, recovered, re-wrapped and encrypted anew, and what is refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import cocket, done, refused
from founding.founders import PASSPHRASE
from office import Office, open_office

from cocket.attestation.files import decode_certificate, decode_presentation
from cocket.attestation.prove import whole
from cocket.attestation.sealing.custody_file import decode_custody
from cocket.attestation.sealing.hpke import PrivateKey, Suite
from cocket.attestation.sealing.manifest import decode_manifest
from cocket.attestation.sealing.record import validate_manifest
from cocket.cli.errors import Exit
from cocket.node.encryption_key import encode_public_key, save_encryption_key

FOUR = ("--custodian", "BR", "--custodian", "KE", "--custodian", "NL", "--custodian", "SG")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(tmp_path_factory.mktemp("document-office")) as opened:
        for name in ("vault", "recovery"):
            key = PrivateKey(Suite.HYBRID, name.encode().rjust(32))
            save_encryption_key(opened.folder / f"{name}.json", key, PASSPHRASE, work=2)
            (opened.folder / f"{name}.public.json").write_bytes(encode_public_key(key.public))
        yield opened


@pytest.fixture(scope="module")
def issued(office: Office) -> list[Path]:
    return office.issue(*office.documents)


@pytest.fixture(scope="module")
def sealed(office: Office, issued: list[Path]) -> list[Path]:
    done("document", "seal", *issued, "--out", office.folder / "sealed", *FOUR, "--threshold", 2, *terms(office))
    return manifests_in(office.folder / "sealed")


def terms(office: Office, *, signing: tuple[str, ...] = ()) -> tuple[object, ...]:
    keys = ("--vault-key", office.folder / "vault.public.json", "--recovery", office.folder / "recovery.public.json")
    return (*keys, *(signing or office.by_chamber))


def by_recovery(office: Office, key: str = "recovery") -> tuple[object, ...]:
    return ("--recovery-key", office.folder / f"{key}.json", "--recovery-passphrase-file", office.passphrase)


def manifests_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.manifest.json"))


def test_what_was_sealed_is_recovered_whole(office: Office, issued: list[Path], sealed: list[Path]) -> None:
    custody = decode_custody((sealed[0].parent / "custody.json").read_bytes())
    assert (custody.threshold, [seat.authority for seat in custody.custodians]) == (2, [1, 2, 3, 4])
    for path in sealed:
        manifest, _ = decode_manifest(path.read_bytes())
        validate_manifest(manifest, custody)
        assert path.stat().st_mode & 0o077 == 0
    out = office.folder / "opened"
    done("document", "open", *sealed, *by_recovery(office), "--out", out)
    for certificate, opened in zip(sorted(issued), sorted(out.iterdir()), strict=True):
        expected = whole(decode_certificate(certificate.read_bytes()))
        assert decode_presentation(opened.read_bytes()) == expected
        assert opened.stat().st_mode & 0o077 == 0
    assert "exists" in refused(Exit.REFUSED, "document", "open", *sealed, *by_recovery(office), "--out", out)
    other = refused(Exit.REFUSED, "document", "open", *sealed, *by_recovery(office, "vault"), "--out", out / "other")
    assert "another recovery key" in other


def test_a_seal_that_ended_is_not_made_again_and_one_that_did_not_is(office: Office, issued: list[Path]) -> None:
    out = office.folder / "interrupted"
    command = ("document", "seal", *issued, "--out", out, *FOUR, "--threshold", 3, *terms(office))
    assert done(*command)["was_sealed_before"] is False
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert done(*command)["was_sealed_before"] is True
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    (out / "custody.json").unlink()  # it is written last
    assert done(*command)["was_sealed_before"] is False
    assert not {path.read_bytes() for path in out.iterdir()} & set(before.values())
    other = office.issue()
    again = refused(Exit.REFUSED, "document", "seal", *other, "--out", out, *FOUR, *terms(office))
    assert "it holds other sealed records" in again


def test_one_custodian_is_the_plain_case_and_says_what_it_means(office: Office, issued: list[Path]) -> None:
    answer = cocket("document", "seal", *issued, "--out", office.folder / "alone", *terms(office))
    assert answer.code == 0
    assert 'one custodian, KE: "the contract decides" then means "one honest custodian decides"' in answer.out
    again = done("document", "seal", *issued, "--out", office.folder / "alone-too", *terms(office))
    assert (again["custodians"], again["threshold"]) == (["KE"], 1)


@pytest.mark.parametrize(("threshold", "is_allowed"), [(1, False), (2, True), (3, True), (4, False)])
def test_the_threshold_keeps_faulty_custodians_from_opening_and_from_keeping_shut(
    office: Office, issued: list[Path], threshold: int, is_allowed: bool
) -> None:
    command = (
        "document", "seal", *issued, "--out", office.folder / f"threshold-{threshold}", *FOUR,
        "--threshold", threshold, *terms(office),
    )  # fmt: skip
    if is_allowed:
        assert done(*command)["threshold"] == threshold
    else:
        assert "threshold from 2 to 3" in refused(Exit.REFUSED, *command)


def test_what_cannot_be_sealed_says_why(office: Office, issued: list[Path]) -> None:
    def no(code: Exit, *files: object, more: tuple[object, ...] = ()) -> str:
        out = office.folder / "refused"
        said = refused(code, "document", "seal", *files, "--out", out, *(more or terms(office)))
        assert not (out / "custody.json").exists()
        return said

    changed = json.loads(issued[0].read_bytes())
    changed["document"]["name"] = "another name"
    forged = office.folder / "forged.certificate.json"
    forged.write_text(json.dumps(changed))
    assert "changed since it was issued" in no(Exit.USAGE, forged)
    other = office.issue(office.documents[1])
    assert "which the custody is for" in no(Exit.USAGE, issued[0], *other)
    assert "two of the files have one name" in no(Exit.USAGE, issued[0], issued[0])
    assert "belongs to no participant" in no(Exit.REFUSED, *issued, more=terms(office, signing=office.home("KE")))
    stranger = office.make_key("another chamber")
    office.accredit("NL", stranger, "Another chamber")
    theirs = terms(office, signing=office.signed_by(stranger))
    assert "batch" in (said := no(Exit.REFUSED, *issued, more=theirs))
    assert "is participant 1's" in said
    assert "names an authority twice" in no(
        Exit.USAGE, *issued, more=("--custodian", "KE", "--custodian", "KE", *terms(office))
    )


def test_rewrapping_keeps_ciphertexts_and_encrypting_anew_keeps_none(
    office: Office, sealed: list[Path], issued: list[Path]
) -> None:
    three = ("--custodian", "KE", "--custodian", "NL", "--custodian", "SG")
    rewrapped, anew = office.folder / "rewrapped", office.folder / "anew"
    said = cocket("document", "rewrap", *sealed, "--out", rewrapped, *by_recovery(office), *three, *terms(office))
    assert "withdraws nothing" in said.out
    answer = done("document", "reencrypt", *sealed, "--out", anew, *by_recovery(office), *three, *terms(office))
    assert answer["is_encrypted_anew"] is True
    for old in sealed:
        name = old.name.removesuffix(".manifest.json")
        envelopes = [(folder / f"{name}.envelope").read_bytes() for folder in (old.parent, rewrapped, anew)]
        assert envelopes[0] == envelopes[1] != envelopes[2]
        manifests = [decode_manifest((folder / old.name).read_bytes())[0] for folder in (old.parent, rewrapped, anew)]
        assert [each.binding.key_epoch for each in manifests] == [1, 1, 2]
        assert [group.key for group in manifests[0].groups] == [group.key for group in manifests[1].groups]
        assert not {group.key for group in manifests[0].groups} & {group.key for group in manifests[2].groups}
    for folder in (rewrapped, anew):
        out = folder / "opened"
        done("document", "open", *manifests_in(folder), *by_recovery(office), "--out", out)
        for certificate, opened in zip(sorted(issued), sorted(out.iterdir()), strict=True):
            assert decode_presentation(opened.read_bytes()) == whole(decode_certificate(certificate.read_bytes()))
    no = refused(
        Exit.REFUSED, "document", "rewrap", *sealed, "--out", office.folder / "no", *by_recovery(office, "vault"),
        *three, *terms(office),
    )  # fmt: skip
    assert "another recovery key" in no


def test_the_recovery_key_survives_on_paper(office: Office, sealed: list[Path]) -> None:
    paper, key = office.folder / "paper", office.folder / "restored.json"
    passphrase = ("--passphrase-file", office.passphrase)
    done(
        "document", "recovery", "split", office.folder / "recovery.json", "--threshold", 2, "--parts", 3,
        "--out", paper, *passphrase,
    )  # fmt: skip
    parts = sorted(paper.iterdir())
    assert [part.stat().st_mode & 0o077 for part in parts] == [0, 0, 0]
    too_few = refused(Exit.USAGE, "document", "recovery", "combine", parts[0], "--out", key, *passphrase)
    assert "expected 2" in too_few
    slip = office.folder / "slip.txt"
    slip.write_text(parts[0].read_text().replace(" 1 OF", " 3 OF"))
    said = refused(Exit.USAGE, "document", "recovery", "combine", slip, parts[1], "--out", key, *passphrase)
    assert "copied wrong" in said
    done("document", "recovery", "combine", parts[0], parts[2], "--out", key, *passphrase)
    out = office.folder / "from-paper"
    done("document", "open", *sealed, *by_recovery(office, "restored"), "--out", out)
    assert len(list(out.iterdir())) == len(sealed)
