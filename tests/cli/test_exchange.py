"""Certificates as SD-JWTs through the command line: export, present, import, verify; and what each refuses."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command import cocket, done, refused
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from office import TODAY, Office

PASSPHRASE = "a passphrase of the tests"
AUDIENCE, NONCE = "https://customs.example", "n-0S6_WzA2Mj"
FIELD = "/credentialSubject/items/0/description"
SEAL, WALLET, OTHER = (ec.derive_private_key(2000 + at, ec.SECP256R1()) for at in range(3))


@pytest.fixture(scope="module")
def certificate(office: Office) -> Path:
    """Give one good certificate that no test changes."""
    return office.issue()[0]


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of keys in PEM, a seal certificate and a passphrase."""
    folder = tmp_path_factory.mktemp("safe")
    (folder / "passphrase").write_text(PASSPHRASE + "\n")
    (folder / "passphrase").chmod(0o600)
    for name, key in (("seal", SEAL), ("wallet", WALLET), ("other", OTHER)):
        write_key(folder / f"{name}.pem", key)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pub").write_bytes(public)
    (folder / "seal.crt").write_bytes(certificate_pem(SEAL))
    (folder / "other.crt").write_bytes(certificate_pem(OTHER))
    return folder


def write_key(path: Path, key: ec.EllipticCurvePrivateKey, passphrase: str | None = PASSPHRASE) -> Path:
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return path


def certificate_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Kenya Chamber")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1000).not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    signed = builder.not_valid_after(datetime(2028, 1, 1, tzinfo=UTC)).sign(key, SHA256())
    return signed.public_bytes(Encoding.PEM)


def export(certificate: Path, safe: Path, out: Path, *more: object) -> tuple[object, ...]:
    return ("certificate", "export", certificate, "--key", safe / "seal.pem", "--out", out, *passphrase(safe), *more)


def passphrase(safe: Path) -> tuple[object, ...]:
    return ("--passphrase-file", safe / "passphrase")


@pytest.fixture
def exported(certificate: Path, safe: Path, tmp_path: Path) -> Path:
    out = tmp_path / "coffee.sd-jwt"
    done(*export(certificate, safe, out, "--certificate", safe / "seal.crt", "--holder", safe / "wallet.pub"))
    return out


def bound(exported: Path, safe: Path, out: Path, nonce: str = NONCE) -> Path:
    holder = ("--holder-key", safe / "wallet.pem", "--audience", AUDIENCE, "--nonce", nonce, *passphrase(safe))
    answer = done("certificate", "present", exported, "--field", FIELD, "--hide-country", *holder, "--out", out)
    assert FIELD in answer["fields"]  # type: ignore[operator]
    return out


def test_from_export_to_verdict(office: Office, exported: Path, safe: Path, tmp_path: Path) -> None:
    assert exported.stat().st_mode & 0o777 == 0o600
    shown = bound(exported, safe, tmp_path / "shown.sd-jwt")
    out = tmp_path / "shown.json"
    asked = ("--audience", AUDIENCE, "--nonce", NONCE)
    answer = done("certificate", "import", shown, "--issuer", safe / "seal.crt", *asked, "--out", out)
    assert answer["holds"] is True
    assert answer["subject"] == "O=Kenya Chamber"
    assert FIELD in answer["fields"]  # type: ignore[operator]
    assert any("chain, dates, usage and revocation" in one for one in answer["not_checked"])  # type: ignore[attr-defined]
    assert any(NONCE in one for one in answer["checked"])  # type: ignore[attr-defined]
    verdict = cocket("certificate", "verify", out, "--on", TODAY, "--node", office.url, "--json")
    assert verdict.code == 0
    assert verdict.json()["overall"] == "yes"
    fields = done("certificate", "show", out)["fields"]
    assert isinstance(fields, dict)
    assert sorted(fields) == sorted(answer["fields"])  # type: ignore[call-overload]
    said = cocket("certificate", "import", shown, "--issuer", safe / "seal.pub", "--out", tmp_path / "again.json")
    assert said.code == 0
    assert "NOT checked: whose key that is" in said.out
    assert "NOT checked: whom and when that is for" in said.out


def test_all_of_it_gives_all_fields_back(certificate: Path, exported: Path, safe: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.json"
    done("certificate", "import", exported, "--issuer", safe / "seal.pub", "--out", out)
    assert done("certificate", "show", out) == done("certificate", "show", certificate)


def test_what_does_not_hold_is_no_and_nothing_is_written(exported: Path, safe: Path, tmp_path: Path) -> None:
    shown = bound(exported, safe, tmp_path / "shown.sd-jwt")
    out = tmp_path / "out.json"
    words = ("certificate", "import", shown, "--out", out)
    for more, found in (
        (("--issuer", safe / "other.crt"), "another key"),
        (("--issuer", safe / "seal.crt", "--audience", AUDIENCE, "--nonce", "another"), "with nonce"),
        (("--issuer", safe / "seal.crt", "--audience", "https://else.example", "--nonce", NONCE), "a key binding for"),
    ):
        answer = cocket(*words, *more, "--json")
        assert answer.code == 5
        assert found in answer.json()["problems"][0]["found"]  # type: ignore[index]
        said = cocket(*words, *more)
        assert said.code == 5
        assert "DOES NOT HOLD" in said.out
    asked = ("--issuer", safe / "seal.crt", "--audience", AUDIENCE, "--nonce", NONCE)
    unbound = cocket("certificate", "import", exported, *asked, "--out", out)
    assert unbound.code == 5
    assert "no key binding" in unbound.out
    parts = shown.read_text().split("~")
    changed = tmp_path / "changed.sd-jwt"
    changed.write_text("~".join([parts[0], parts[1][:-1] + ("A" if parts[1][-1] != "A" else "E"), *parts[2:]]))
    assert cocket("certificate", "import", changed, "--issuer", safe / "seal.crt", "--out", out).code == 5
    assert not out.exists()


def test_what_is_no_sd_jwt_is_usage(certificate: Path, exported: Path, safe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    issuer = ("--issuer", safe / "seal.crt", "--out", out)
    assert str(certificate) in refused(2, "certificate", "import", certificate, *issuer)
    short = tmp_path / "short"
    short.write_text("eyJ~")
    assert str(short) in refused(2, "certificate", "import", short, *issuer)
    refused(2, "certificate", "import", exported, "--issuer", safe / "seal.pem", "--out", out)
    assert "give both" in refused(2, "certificate", "import", exported, *issuer, "--nonce", "n")
    huge = tmp_path / "huge"
    with huge.open("wb") as hole:
        hole.truncate(10 << 30)
    assert "not read" in refused(2, "certificate", "import", huge, *issuer)
    for words in (("show", exported), ("verify", exported), ("export", exported, "--key", "x", "--out", out)):
        assert "cocket certificate import" in refused(2, "certificate", *words)
    assert not out.exists()


def test_nothing_is_overwritten(certificate: Path, exported: Path, safe: Path) -> None:
    before = exported.read_bytes()
    refused(3, *export(certificate, safe, exported))
    refused(3, "certificate", "present", exported, "--out", exported)
    refused(3, "certificate", "import", exported, "--issuer", safe / "seal.crt", "--out", exported)
    assert exported.read_bytes() == before


def test_only_the_owner_s_unchanged_file_is_exported(certificate: Path, safe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.sd-jwt"
    forged, shown = tmp_path / "forged.json", tmp_path / "shown.json"
    forged.write_bytes(certificate.read_bytes().replace(b"Model Dolce", b"Model Amaro"))
    assert FIELD in refused(2, *export(forged, safe, out))
    done("certificate", "present", certificate, "--out", shown)
    assert "only the owner's" in refused(2, *export(shown, safe, out))
    assert not out.exists()


def test_a_key_and_its_certificate_belong_together(certificate: Path, safe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.sd-jwt"
    assert "another key" in refused(3, *export(certificate, safe, out, "--certificate", safe / "other.crt"))
    assert "public key" in refused(2, *export(certificate, safe, out, "--certificate", safe / "seal.pub"))
    refused(2, *export(certificate, safe, out, "--holder", safe / "passphrase"))
    answer = done(*export(certificate, safe, out))
    assert answer["subject"] is None
    assert answer["holder"] is None
    header = json.loads(_decode(out.read_text().split(".")[0]))
    assert header == {"alg": "ES256", "kid": answer["key"], "typ": "cocket+sd-jwt"}


def _decode(text: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_only_its_holder_signs_for_an_sd_jwt(certificate: Path, exported: Path, safe: Path, tmp_path: Path) -> None:
    words = ("certificate", "present", exported, "--out", tmp_path / "out", *passphrase(safe))
    asked = ("--audience", AUDIENCE, "--nonce", NONCE)
    assert "names holder" in refused(3, *words, "--holder-key", safe / "other.pem", *asked)
    assert "give all three" in refused(2, *words, *asked)
    assert "give all three" in refused(2, *words, "--holder-key", safe / "wallet.pem")
    holderless = tmp_path / "holderless.sd-jwt"
    done(*export(certificate, safe, holderless))
    others = ("certificate", "present", holderless, "--out", tmp_path / "out", *passphrase(safe))
    assert "names no holder" in refused(3, *others, "--holder-key", safe / "wallet.pem", *asked)
    plain = ("certificate", "present", certificate, "--out", tmp_path / "out")
    assert "no SD-JWT" in refused(2, *plain, "--nonce", "n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["plain", "wrong passphrase", "curve", "public", "huge", "missing", "text"])
def test_a_key_file_that_does_not_serve_is_said(certificate: Path, safe: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "key.pem"
    code, said = {
        "plain": (3, "not under a passphrase"),
        "wrong passphrase": (3, "does not open"),
        "curve": (1, "expected P-256"),
        "public": (1, "expected a P-256 private key"),
        "huge": (1, "larger than"),
        "missing": (1, "no such key file"),
        "text": (1, "expected a P-256 private key"),
    }[name]
    if name == "plain":
        write_key(path, SEAL, None)
    elif name == "wrong passphrase":
        write_key(path, SEAL, "another")
    elif name == "curve":
        write_key(path, ec.derive_private_key(7, ec.SECP384R1()))
    elif name == "public":
        path.write_bytes((safe / "seal.pub").read_bytes())
    elif name == "huge":
        path.write_bytes(b"x" * (1 << 15))
    elif name == "text":
        path.write_text("hello")
    out = tmp_path / "out.sd-jwt"
    words = ("certificate", "export", certificate, "--key", path, "--out", out, *passphrase(safe))
    error = refused(code, *words)
    assert said in error
    assert str(path) in error
    assert PASSPHRASE not in error
    assert not out.exists()


def test_what_a_holder_signed_is_shown_without_its_control_characters(
    exported: Path, safe: Path, tmp_path: Path
) -> None:
    shown = bound(exported, safe, tmp_path / "shown.sd-jwt", nonce="\x1b[2Jn")
    asked = ("--audience", AUDIENCE, "--nonce", "\x1b[2Jn", "--out", tmp_path / "out.json")
    answer = cocket("certificate", "import", shown, "--issuer", safe / "seal.crt", *asked)
    assert answer.code == 0
    assert "\x1b" not in answer.out
