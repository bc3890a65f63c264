"""``cocket vault``, ``custodian`` and ``access request``: from homes to a read over TLS, and what each refuses."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from command import cocket, done, refused
from e2e.trial import free_ports
from keepers import Running, accredit, by_passphrase, make_custodian, make_vault, running
from node.vault.buckets import CREDENTIALS, bucket, is_installed
from office import Office, open_office
from sealed import certificates_of, seal_all, write_sealed

from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.reading.receipt import decode_receipt
from cocket.cli.errors import Exit
from cocket.node.encryption_key import load_public_key
from cocket.node.errors import NodeFault, Refused
from cocket.node.vault.settings import KeeperHome, format_settings, parse_settings, retention_by_kind


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office of our own: its ledger's clock goes with ours."""
    with open_office(tmp_path_factory.mktemp("vault-office")) as opened:
        yield opened


@pytest.fixture(scope="module")
def ports() -> int:
    return free_ports(4)


@pytest.fixture(scope="module")
def vault(office: Office, ports: int) -> Path:
    return make_vault(office, "ke-vault", ports)


@pytest.fixture(scope="module")
def custodians(office: Office, ports: int) -> list[Path]:
    return [make_custodian(office, who, f"{who}-custodian", ports + 1 + at) for at, who in enumerate(("KE", "NL"))]


@pytest.fixture(scope="module")
def manifests(office: Office, vault: Path) -> list[Path]:
    out = office.folder_for_batch()
    done(
        "certificate", "issue", *office.documents, "--out", out, "--valid-from", "2025-10-01",
        "--valid-to", "2099-01-01", "--for-country", "SG", *office.by_chamber,
    )  # fmt: skip
    names = [document.stem for document in office.documents]
    public = load_public_key(vault / "keys" / "encryption.public.json")
    sealed = seal_all(office, certificates_of([out / f"{name}.certificate.json" for name in names]), public)
    return write_sealed(office.folder / "sealed", names, sealed)


@pytest.fixture(scope="module")
def services(office: Office, vault: Path, custodians: list[Path], ports: int) -> Iterator[list[Running]]:
    """The vault and two custodians, accredited, announced and running."""
    announced = zip(
        (vault, *custodians),
        ("KE", "KE", "NL"),
        (office.by_chamber, office.home("KE"), office.home("NL")),
        strict=True,
    )
    for at, (home, country, signing) in enumerate(announced):
        accredit(office, home, country)
        kind = KeeperHome(home).settings().kind
        done(kind, "announce", home, "--url", f"https://127.0.0.1:{ports + at}", *signing)
    office.chain.seal(int(time.time()))
    with running(vault, *custodians) as services:
        yield services


def test_a_home_is_private_and_made_once(office: Office, vault: Path) -> None:
    settings = KeeperHome(vault).settings()
    assert (settings.kind, settings.party) == ("vault", (1 << 32) + 1)
    for path in (KeeperHome(vault).account, KeeperHome(vault).encryption_key, KeeperHome(vault).certificate_key):
        assert path.stat().st_mode & 0o077 == 0
    again = refused(
        Exit.REFUSED, "vault", "init", vault, "--account", office.address(office.chamber), *by_passphrase(office),
        "--node", office.url,
    )  # fmt: skip
    assert "exists" in again
    nobody = refused(
        Exit.NOT_FOUND, "vault", "init", office.folder / "nobody", "--account", "0x" + "12" * 20,
        *by_passphrase(office), "--node", office.url,
    )  # fmt: skip
    assert "nobody's" in nobody


def test_a_custodian_takes_the_key_that_its_authority_registered(office: Office, vault: Path) -> None:
    for country, key in (("SG", office.homes["NL"].encryption_key), ("SG", vault / "keys" / "encryption.json")):
        found = refused(
            Exit.REFUSED, "custodian", "init", office.folder / "wrong", "--country", country, "--encryption-key", key,
            *by_passphrase(office), "--node", office.url,
        )  # fmt: skip
        assert "another public key" in found
    assert "no authority" in refused(
        Exit.NOT_FOUND, "custodian", "init", office.folder / "wrong", "--country", "XX", "--encryption-key",
        office.homes["NL"].encryption_key, *by_passphrase(office), "--node", office.url,
    )  # fmt: skip
    assert not (office.folder / "wrong").exists()


def test_only_its_party_announces_a_service_and_only_with_an_account_that_is_somebody_s(
    office: Office, ports: int
) -> None:
    home = make_vault(office, "unannounced", ports + 3)
    url = ("--url", f"https://127.0.0.1:{ports + 3}")
    assert "does not answer" in cocket("vault", "status", home).out
    assert "nobody's on the ledger" in refused(Exit.REFUSED, "vault", "announce", home, *url, *office.by_chamber)
    accredit(office, home, "KE")
    assert "acts for party 2" in refused(Exit.REFUSED, "vault", "announce", home, *url, *office.home("KE"))
    wrong = ("--url", "http://127.0.0.1:1")
    assert "https://" in refused(Exit.USAGE, "vault", "announce", home, *wrong, *office.by_chamber)


def test_records_are_stored_when_all_leads_to_the_ledger(office: Office, vault: Path, manifests: list[Path]) -> None:
    for _ in range(2):  # the second time changes nothing
        stored = done("vault", "store", vault, *manifests, *by_passphrase(office))
        assert stored == {"stored": len(manifests), "refused": []}
    good = done("vault", "scrub", vault)
    assert (good["objects"], good["damaged"]) == (2 * len(manifests) + 1 + len(manifests), [])


def test_what_does_not_belong_together_is_not_stored(office: Office, vault: Path, manifests: list[Path]) -> None:
    folder = office.folder / "mixed"
    folder.mkdir()
    first, second = manifests
    (folder / "custody.json").write_bytes((first.parent / "custody.json").read_bytes())
    envelope = first.with_name(first.name.removesuffix(".manifest.json") + ".envelope").read_bytes()
    forged = json.loads(first.read_bytes())
    forged["signature"] = json.loads(second.read_bytes())["signature"]
    cases = {
        "other": (second.read_bytes(), envelope, "an envelope that is not the one"),
        "cut": (first.read_bytes(), envelope[:-1], "envelope"),
        "signature": (json.dumps(forged).encode(), envelope, "no key of participant 1"),
        "none": (b"{}", envelope, "expected an object"),
    }
    for name, (manifest, data, words) in cases.items():
        (folder / f"{name}.manifest.json").write_bytes(manifest)
        (folder / f"{name}.envelope").write_bytes(data)
        answer = cocket("vault", "store", vault, folder / f"{name}.manifest.json", *by_passphrase(office), "--json")
        assert answer.code == Exit.REFUSED
        (refusal,) = answer.json()["refused"]  # type: ignore[misc]
        assert words in str(refusal), name


def test_a_damaged_object_is_found_by_the_scrub(office: Office, ports: int, manifests: list[Path]) -> None:
    home = office.folder / "scrubbed"
    (home / "keys").mkdir(parents=True)
    original = KeeperHome(office.folder / "ke-vault")
    KeeperHome(home).config.write_text(format_settings(original.settings()))
    KeeperHome(home).encryption_key.write_bytes(original.encryption_key.read_bytes())
    done("vault", "store", home, manifests[0], *by_passphrase(office))
    envelope = max((home / "shelf").rglob("*"), key=lambda path: path.stat().st_size)
    data = bytearray(envelope.read_bytes())
    data[100] ^= 1
    envelope.write_bytes(data)
    answer = cocket("vault", "scrub", home, "--json")
    assert answer.code == Exit.FAILED
    assert len(answer.json()["damaged"]) == 1  # type: ignore[arg-type]


@pytest.mark.skipif(not is_installed(), reason="scripts/oracles installs the server")
def test_a_vault_s_shelf_can_be_a_bucket(
    office: Office, manifests: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = office.folder / "in-a-bucket"
    (home / "keys").mkdir(parents=True)
    original = KeeperHome(office.folder / "ke-vault")
    KeeperHome(home).encryption_key.write_bytes(original.encryption_key.read_bytes())
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with bucket(tmp_path) as endpoint:
        settings = msgspec.structs.replace(original.settings(), shelf="s3://vault/ke", s3_endpoint=endpoint)
        KeeperHome(home).config.write_text(format_settings(settings))
        assert done("vault", "store", home, *manifests, *by_passphrase(office))["stored"] == len(manifests)
        found = done("vault", "scrub", home)
        assert (found["objects"], found["damaged"]) == (3 * len(manifests) + 1, [])
    assert not list((home / "shelf").rglob("*.envelope"))
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cocket("vault", "scrub", home).code == Exit.FAILED


def test_a_read_over_tls_leaves_a_presentation_that_verifies_and_receipts(
    office: Office, services: list[Running], vault: Path, manifests: list[Path]
) -> None:
    done("vault", "store", vault, *manifests, *by_passphrase(office))
    record = office.folder / "batch-1" / (manifests[0].name.removesuffix(".manifest.json") + ".certificate.json")
    out = office.folder / "read.json"
    office.chain.seal(int(time.time()))
    asked = ("--record", record, "--group", "goods", "--purpose", "import-clearance")
    read = done("access", "request", *asked, "--out", out, *office.home("SG"))
    assert read["groups"] == ["certificate", "goods"]
    assert out.stat().st_mode & 0o077 == 0
    assert done("verify", out, "--node", office.url)
    receipts = json.loads((office.folder / "read.receipts.json").read_bytes())["receipts"]
    assert [each["party"] for each in receipts] == [(1 << 32) + 1, 2, 3]
    assert {decode_receipt(bytes.fromhex(each["receipt"][2:])).number for each in receipts} == {0}
    assert "exists" in refused(Exit.REFUSED, "access", "request", *asked, "--out", out, *office.home("SG"))
    other = office.folder / "other.json"
    no = refused(Exit.REFUSED, "access", "request", *asked, "--out", other, *office.home("BR"))
    assert "for import into another country (reason 84" in no
    assert not other.exists()
    assert done("vault", "status", vault)["answers"] is True


def test_a_record_is_erased_over_tls_and_not_taken_again(
    office: Office, services: list[Running], vault: Path, manifests: list[Path]
) -> None:
    done("vault", "store", vault, *manifests, *by_passphrase(office))
    record = office.folder / "batch-1" / (manifests[1].name.removesuffix(".manifest.json") + ".certificate.json")
    office.chain.seal(int(time.time()))
    stranger = cocket("document", "erase", "--record", record, *office.home("SG"))
    assert stranger.code == Exit.REFUSED
    assert "you may not read it" in stranger.out
    asked = ("document", "erase", "--record", record, "--reason", 2)
    answer = done(*asked, "--custodian", "KE", "--custodian", "NL", *office.by_chamber)
    assert answer["is_erased"] is True
    keepers = answer["keepers"]
    assert isinstance(keepers, list)
    assert [each["party"] for each in keepers] == [(1 << 32) + 1, 2, 3]
    assert "erased before" in cocket(*asked, *office.by_chamber).out
    again = cocket("vault", "store", vault, manifests[1], *by_passphrase(office), "--json")
    assert "it is not taken again" in again.out
    out = office.folder / "erased.json"
    no = refused(
        Exit.REFUSED, "access", "request", "--record", record, "--group", "goods", "--purpose", "own-records",
        "--out", out, *office.by_chamber,
    )  # fmt: skip
    assert "the record was erased" in no


def test_a_service_with_another_certificate_than_the_ledger_has_gets_nothing(
    office: Office, services: list[Running], vault: Path, manifests: list[Path], ports: int
) -> None:
    other = make_vault(office, "impostor", ports + 3)
    accredit(office, other, "KE")
    home = KeeperHome(vault)
    done("vault", "announce", other, "--url", f"https://127.0.0.1:{ports}", *office.by_chamber)
    office.chain.seal(int(time.time()))
    record = office.folder / "batch-1" / (manifests[0].name.removesuffix(".manifest.json") + ".certificate.json")
    asked = ("--record", record, "--group", "goods", "--purpose", "import-clearance")
    said = refused(Exit.FAILED, "access", "request", *asked, "--out", office.folder / "pinned.json", *office.home("SG"))
    assert "another certificate than the one that is known of it" in said
    status = done("vault", "status", vault)
    assert (status["announced"], status["answers"]) == (False, False)
    done("vault", "announce", home.path, "--url", f"https://127.0.0.1:{ports}", *office.by_chamber)


def test_receipts_are_anchored_also_when_nobody_read(office: Office, ports: int) -> None:
    home = make_vault(office, "anchoring", ports + 3, "--anchor-every", 1)
    accredit(office, home, "KE")
    office.chain.seal(int(time.time()))
    with running(home) as (service,):
        deadline = time.monotonic() + 20
        while done("vault", "status", home)["periods_anchored"] == 0:
            assert time.monotonic() < deadline
    assert any(event == "anchoring" for event, _ in service.log.lines)
    office.chain.seal(int(time.time()))
    anchored = done("vault", "status", home)["periods_anchored"]
    copies = sorted((home / "receipts").glob("*.receipts"))
    for path in copies[1:]:  # as a backup of the beginning would have it
        path.unlink()
    copies[0].write_bytes(copies[0].read_bytes()[:104])
    old = Running(home)
    old.stop()
    assert isinstance(old.error, Refused), (old.error, anchored)
    assert "it is an older copy" in str(old.error)


def test_settings_that_are_none_say_which_key(office: Office, vault: Path) -> None:
    text = KeeperHome(vault).config.read_text()
    assert parse_settings(text.encode()) == KeeperHome(vault).settings()
    for change, key in (
        (("anchor_s = 3600", "anchor_s = 0"), "anchor_s"),
        (('kind = "vault"', 'kind = "bank"'), "kind"),
        (("port = ", "porte = "), "porte"),
        (('genesis_hash = "0x', 'genesis_hash = "'), "genesis_hash"),
    ):
        with pytest.raises(NodeFault, match=key):
            parse_settings(text.replace(*change).encode())
    with pytest.raises(NodeFault, match="replacements"):
        parse_settings(text.encode() + b'[replacements]\n"0x12" = "0x34"\n')
    kept = parse_settings(text.encode() + b'[kinds_retention_days]\n"certificate of origin" = 1825\n')
    assert retention_by_kind(kept) == {CERTIFICATE_OF_ORIGIN.number: 1825}
    tables = msgspec.structs.replace(kept, replacements={"0x" + "12" * 20: "0x" + "34" * 20})
    assert parse_settings(format_settings(tables).encode()) == tables
    for line in ('"certificate" = 1', '"certificate of origin" = -1', '"certificate of origin" = 36501'):
        with pytest.raises(NodeFault, match=r"kinds_retention_days.*by kind: certificate of origin"):
            parse_settings(text.encode() + f"[kinds_retention_days]\n{line}\n".encode())
    wrong_kind = refused(Exit.REFUSED, "custodian", "run", vault, *by_passphrase(office))
    assert "it is a vault's" in wrong_kind
