"""``cocket identity`` and ``participant keys``: seals bound and verified, did:web documents, keys rotated and lost."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attestation.identity.authorities import BELOW, OTHER, ROOT, SEAL, SEAL_KEY, pem
from command import cocket, done, refused
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from founding.founders import PASSPHRASE
from office import Office, open_office

from cocket.cli.errors import Exit

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(tmp_path_factory.mktemp("identity")) as opened:
        opened.chain.seal(int(NOW.timestamp()))
        yield opened


@pytest.fixture(scope="module")
def safe(office: Office) -> Path:
    """A folder with a seal's key and certificates, roots and lists."""
    folder = office.folder / "seal"
    folder.mkdir()
    key = SEAL_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode()))
    made = NOW - timedelta(days=1)
    for name, data in {
        "seal.pem": key,
        "seal.crt": pem(SEAL, BELOW.certificate),
        "other.crt": pem(OTHER.seal("Other", SEAL_KEY)),
        "roots.pem": pem(ROOT.certificate),
        "other-roots.pem": pem(OTHER.certificate),
        "seals.crl": pem(BELOW.list_revoked(made)),
        "root.crl": pem(ROOT.list_revoked(made)),
        "revoked.crl": pem(BELOW.list_revoked(made, {1000: made})),
    }.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)
    return folder


def bind(office: Office, safe: Path, out: Path, *more: object) -> tuple[object, ...]:
    return (
        "identity", "bind", "--certificate", safe / "seal.crt", "--seal-key", safe / "seal.pem",
        "--seal-passphrase-file", office.passphrase, "--out", out, *(more or office.by_chamber),
    )  # fmt: skip


@pytest.fixture(scope="module")
def bound(office: Office, safe: Path) -> Path:
    out = office.folder / "chamber.seal.json"
    answer = done(*bind(office, safe, out))
    assert answer["participant"] == 1
    assert "Kenya Chamber" in str(answer["subject"])
    return out


def verdict(office: Office, binding: Path, *words: object) -> tuple[int, list[str]]:
    answer = cocket("identity", "verify", binding, *words, "--node", office.url, "--json")
    found = answer.json()
    names = ("signed", "bound", "chain", "not_revoked", "overall")
    return answer.code, [found[name]["answer"] if name != "overall" else found[name] for name in names]  # type: ignore[index]


def lists(safe: Path, *names: str) -> tuple[object, ...]:
    return tuple([word for name in names for word in ("--crl", safe / name)])


def test_a_bound_seal_is_verified(office: Office, safe: Path, bound: Path) -> None:
    trust = ("--trust", safe / "roots.pem")
    crls = lists(safe, "seals.crl", "root.crl")
    assert verdict(office, bound, *trust, *crls) == (Exit.DONE, ["yes"] * 5)
    assert verdict(office, bound, *trust) == (Exit.COULD_NOT_CHECK, ["yes"] * 3 + ["could not check"] * 2)
    revoked = verdict(office, bound, *trust, *lists(safe, "revoked.crl", "root.crl"))
    assert revoked == (Exit.VERIFICATION_NO, ["yes", "yes", "yes", "no", "no"])
    stranger = verdict(office, bound, "--trust", safe / "other-roots.pem", *crls)
    assert stranger == (Exit.VERIFICATION_NO, ["yes", "yes", "no", "could not check", "no"])
    early = verdict(office, bound, *trust, *crls, "--on", "2026-01-15")
    assert early == (Exit.VERIFICATION_NO, ["yes", "no", "yes", "yes", "no"])
    said = cocket("identity", "verify", bound, *trust, *crls, "--node", office.url).out
    assert said.startswith("GOOD")
    assert "bound by participant 1" in said


def test_a_changed_binding_is_not_the_one_on_the_ledger(
    office: Office, safe: Path, bound: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed.json"
    changed.write_text(bound.read_text().replace('"participant":1', '"participant":2'))
    code, found = verdict(office, changed, "--trust", safe / "roots.pem", *lists(safe, "seals.crl", "root.crl"))
    assert (code, found[:2]) == (Exit.VERIFICATION_NO, ["no", "no"])
    changed.write_text(json.dumps(json.loads(bound.read_text()) | {"chain_id": 1}, separators=(",", ":")))
    code, found = verdict(office, changed, "--trust", safe / "roots.pem", *lists(safe, "seals.crl", "root.crl"))
    assert (code, found[:2]) == (Exit.VERIFICATION_NO, ["no", "could not check"])
    changed.write_text("{}")
    assert "expected an object of" in refused(
        Exit.USAGE, "identity", "verify", changed, "--trust", safe / "roots.pem", "--node", office.url
    )


def test_who_may_not_bind_is_told(office: Office, safe: Path, bound: Path, tmp_path: Path) -> None:
    stranger = office.make_key("nobody")
    words = bind(office, safe, tmp_path / "s.json", *office.signed_by(stranger))
    assert "belongs to no participant" in refused(Exit.REFUSED, *words)
    other = [
        safe / "other.crt" if word == safe / "seal.crt" else word for word in bind(office, safe, tmp_path / "o.json")
    ]
    assert done(*other)["participant"] == 1, "a certificate of the same key may be bound instead"
    assert "exists" in refused(Exit.REFUSED, *bind(office, safe, bound))
    trust = ("--trust", safe / "roots.pem", *lists(safe, "seals.crl", "root.crl"))
    assert verdict(office, bound, *trust)[1][1] == "no", "the other one took its place"


def test_its_authority_ends_a_seal(office: Office, safe: Path, tmp_path: Path) -> None:
    out = tmp_path / "again.json"
    done(*bind(office, safe, out))
    trust = ("--trust", safe / "roots.pem", *lists(safe, "seals.crl", "root.crl"))
    assert verdict(office, out, *trust)[0] == Exit.DONE
    unbind = ("identity", "unbind", "--participant", 1, "--reason", 4)
    assert "not its authority" in refused(Exit.REFUSED, *unbind, *office.home("SG"))
    done(*unbind, *office.home("KE"))
    assert verdict(office, out, *trust) == (Exit.VERIFICATION_NO, ["yes", "no", "yes", "yes", "no"])
    assert "no seal" in refused(Exit.REFUSED, *unbind, *office.home("KE"))


def test_a_document_of_did_web_names_seal_accounts_and_vault(office: Office, safe: Path, tmp_path: Path) -> None:
    binding, out = tmp_path / "seal.json", tmp_path / "did.json"
    done(*bind(office, safe, binding))
    words = ("identity", "did", "--domain", "chamber.example", "--participant", 1, "--node", office.url)
    answer = done(*words, "--binding", binding, "--out", out)
    assert answer["url"] == "https://chamber.example/.well-known/did.json"
    document = json.loads(out.read_text())
    assert document["id"] == "did:web:chamber.example"
    seal, account = document["verificationMethod"]
    assert (seal["type"], seal["publicKeyJwk"]["crv"], len(seal["publicKeyJwk"]["x5c"])) == (
        "JsonWebKey2020",
        "P-256",
        2,
    )
    address = office.address(office.chamber)
    assert account["blockchainAccountId"].lower() == f"eip155:20261:{address}".lower()
    assert document["assertionMethod"] == [seal["id"], account["id"]]
    assert "exists" in refused(Exit.REFUSED, *words, "--out", out)
    assert "not the seal" in refused(Exit.REFUSED, *words[:4], "--participant", 2, "--node", office.url,
                                     "--binding", binding, "--out", tmp_path / "n.json")  # fmt: skip
    assert "expected one like" in refused(Exit.USAGE, "identity", "did", "--domain", "http://x", *words[4:],
                                          "--out", tmp_path / "n.json")  # fmt: skip


def test_an_imported_sd_jwt_is_held_to_whom_one_trusts(office: Office, safe: Path, tmp_path: Path) -> None:
    (certificate,) = office.issue(office.documents[0])
    exported = tmp_path / "coffee.sd-jwt"
    done(
        "certificate", "export", certificate, "--key", safe / "seal.pem", "--passphrase-file", office.passphrase,
        "--certificate", safe / "seal.crt", "--out", exported,
    )  # fmt: skip
    words = ("certificate", "import", exported, "--issuer", safe / "seal.crt", "--out", tmp_path / "coffee.json")
    trust = ("--trust", safe / "roots.pem")
    now = datetime.now(UTC)
    for name, crl in {
        "now.crl": BELOW.list_revoked(now - timedelta(hours=1)),
        "now-root.crl": ROOT.list_revoked(now - timedelta(hours=1)),
        "now-revoked.crl": BELOW.list_revoked(now - timedelta(hours=1), {1000: now - timedelta(days=2)}),
    }.items():
        (safe / name).write_bytes(pem(crl))
    assert "no list of" in refused(Exit.COULD_NOT_CHECK, *words, *trust)
    assert "was revoked at" in refused(
        Exit.VERIFICATION_NO, *words, *trust, *lists(safe, "now-revoked.crl", "now-root.crl")
    )
    assert "does not lead" in refused(Exit.VERIFICATION_NO, *words, "--trust", safe / "other-roots.pem")
    assert not (tmp_path / "coffee.json").exists()
    answer = done(*words, *trust, *lists(safe, "now.crl", "now-root.crl"))
    assert any("no certificate of the path was revoked" in str(each) for each in answer["checked"])  # type: ignore[attr-defined]
    assert not any("chain" in str(each) for each in answer["not_checked"])  # type: ignore[attr-defined]


def test_a_participant_with_a_new_key_keeps_its_records(office: Office, tmp_path: Path) -> None:
    """The only key is lost: its authority adds one and removes the other; records and grants are the participant's."""
    lost = office.make_key("lost")
    number = office.accredit("KE", lost, "Tea Exporters", "exporter")
    (record,) = office.issue(office.documents[0], by=office.signed_by(lost))
    grant = tmp_path / "grant.json"
    terms = ("--reader", "BR", "--record", record, "--group", "goods", "--purpose", "audit", "--to", "2099-01-01")
    done("access", "grant", *terms, "--out", grant, *office.signed_by(lost))
    new = office.make_key("new")
    address = office.address(new)
    assert "not its authority" in refused(
        Exit.REFUSED, "participant", "add-key", number, "--account", address, *office.home("SG")
    )
    refused(Exit.REFUSED, "participant", "add-key", number, "--account", address, *office.signed_by(lost))
    done("participant", "add-key", number, "--account", address, *office.home("KE"))
    done("participant", "remove-key", number, "--account", office.address(lost), *office.home("KE"))
    listed = done("participant", "keys", number, "--node", office.url)["keys"]
    assert [(row["account"].lower(), bool(row["to"])) for row in listed] == [  # type: ignore[attr-defined]
        (office.address(lost).lower(), True), (address.lower(), False),
    ]  # fmt: skip
    assert "now" in cocket("participant", "keys", number, "--node", office.url).out
    refused(Exit.REFUSED, "certificate", "withdraw", record, "--reason", 4, *office.signed_by(lost))
    done("access", "withdraw", grant, "--reason", 1, *office.signed_by(new))
    done("certificate", "withdraw", record, "--reason", 4, *office.signed_by(new))
    again = refused(
        Exit.REFUSED, "participant", "add-key", number, "--account", office.address(lost), *office.home("KE")
    )
    assert "key was removed" in again
    assert "there is no participant 99" in refused(Exit.NOT_FOUND, "participant", "keys", 99, "--node", office.url)


def test_the_status_of_a_node_tells_what_ends_within_six_weeks(office: Office) -> None:
    head_s = office.chain.ledger.head.timestamp
    end = datetime.fromtimestamp(head_s, UTC).date() + timedelta(days=30)
    key = office.make_key("soon")
    done(
        "participant", "accredit", *office.home("KE"), "--name", "Soon", "--role", "chamber", "--account",
        office.address(key), "--from", "2025-10-01", "--to", end, "--out", office.folder / "soon.json",
    )  # fmt: skip
    office.chain.seal(office.chain.ledger.head.timestamp + 61)
    expiring = done("status", "--node", office.url)["expiring"]
    assert isinstance(expiring, list)
    assert [each["what"] for each in expiring] == ["mandate"]
    said = cocket("status", "--node", office.url).out
    assert f"ENDS        mandate of participant {expiring[0]['participant']} (authority 2): {end}" in said
