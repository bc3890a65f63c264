"""Attached files: named in a document, sealed with its record, read with its group, recovered, sealed anew, erased."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import cocket, done, refused
from e2e.trial import free_ports
from founding.founders import PASSPHRASE
from keepers import accredit, by_passphrase, make_custodian, make_vault, running
from office import Office, open_office

from cocket.attestation.sealing.attachment import SEALED_SEGMENT_BYTES, SEGMENT_BYTES
from cocket.attestation.sealing.hpke import PrivateKey, Suite
from cocket.cli.errors import Exit
from cocket.node.encryption_key import encode_public_key, save_encryption_key
from cocket.node.vault.holdings import Holdings
from cocket.node.vault.settings import KeeperHome
from cocket.node.vault.shelf import FolderShelf

SCAN = bytes(range(256)) * 12_000  # 3 MB: three segments
NOTE = b"%PDF-1.7 an invoice"
GROUPS = ("--group", "commercial", "--purpose", "own-records")


class Attached:
    """A record that attaches two files, sealed, in a vault that runs beside two custodians."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.files = office.folder / "scans"
        self.files.mkdir()
        (self.files / "bill of lading.png").write_bytes(SCAN)
        (self.files / "invoice.pdf").write_bytes(NOTE)
        self.document = office.folder / "coffee.json"
        scans = sorted(self.files.iterdir())
        done("document", "attach", office.documents[0], *scans, "--out", self.document)
        first = free_ports(3)
        self.vault = make_vault(office, "vault", first)
        self.homes = [self.vault, *[make_custodian(office, who, who, first + at) for at, who in ((1, "KE"), (2, "NL"))]]
        for at, (home, country) in enumerate(zip(self.homes, ("KE", "KE", "NL"), strict=True)):
            accredit(office, home, country)
            kind = KeeperHome(home).settings().kind
            signing = office.by_chamber if kind == "vault" else office.home(country)
            done(kind, "announce", home, "--url", f"https://127.0.0.1:{first + at}", *signing)
        self.record = office.issue(self.document, options=("--for-country", "SG", "--valid-to", "2099-01-01"))[0]
        key = PrivateKey(Suite.HYBRID, b"recovery".rjust(32))
        save_encryption_key(office.folder / "recovery.json", key, PASSPHRASE, work=2)
        (office.folder / "recovery.public.json").write_bytes(encode_public_key(key.public))
        self.terms = (
            "--custodian", "KE", "--custodian", "NL", "--custodian", "SG", "--custodian", "BR", "--threshold", 2,
            "--vault-key", self.vault / "keys" / "encryption.public.json",
            "--recovery", office.folder / "recovery.public.json", *office.by_chamber,
        )  # fmt: skip
        self.sealed = office.folder / "sealed"
        done("document", "seal", self.record, "--out", self.sealed, "--attachments", self.files, *self.terms)
        self.by_recovery = (
            "--recovery-key", office.folder / "recovery.json", "--recovery-passphrase-file", office.passphrase,
        )  # fmt: skip

    def store(self, folder: Path) -> object:
        return cocket("vault", "store", self.vault, *folder.glob("*.manifest.json"), *by_passphrase(self.office))

    def read(self, name: str, *words: object) -> dict[str, object]:
        self.office.chain.seal(int(time.time()))
        out = self.office.folder / name
        return done("access", "request", "--record", self.record, "--out", out, *words, *self.office.by_chamber)

    def holdings(self) -> Holdings:
        return Holdings(FolderShelf(KeeperHome(self.vault).shelf, is_reader=True), 1 << 40)


@pytest.fixture(scope="module")
def attached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attached]:
    with open_office(tmp_path_factory.mktemp("attached-office")) as office:
        yield Attached(office)


def test_a_document_names_files_by_their_hash(attached: Attached, tmp_path: Path) -> None:
    entries = json.loads(attached.document.read_text())["relatedResource"]
    assert [(each["name"], each["mediaType"]) for each in entries] == [
        ("bill of lading.png", "image/png"),
        ("invoice.pdf", "application/pdf"),
    ]
    assert cocket("certificate", "check", attached.document).code == 0
    out = tmp_path / "more.json"
    done(
        "document", "attach", attached.document, attached.document, "--media-type", "application/ld+json", "--out", out
    )
    assert json.loads(out.read_text())["relatedResource"][2]["mediaType"] == "application/ld+json"
    twice = ("document", "attach", attached.document, attached.files / "invoice.pdf", "--out", tmp_path / "twice.json")
    assert "another name than those before" in refused(Exit.USAGE, *twice)
    odd = tmp_path / ".hidden"
    odd.write_bytes(b"x")
    assert "call it by" in refused(Exit.USAGE, "document", "attach", out, odd, "--out", tmp_path / "odd.json")
    assert "exists" in refused(Exit.REFUSED, "document", "attach", out, attached.record, "--out", out)
    assert not (tmp_path / "twice.json").exists()


def test_they_are_sealed_in_segments_and_only_those_that_were_named(attached: Attached, tmp_path: Path) -> None:
    sizes = [path.stat().st_size for path in sorted(attached.sealed.glob("*.attachment"))]
    assert [size // SEALED_SEGMENT_BYTES for size in sizes] == [3, 1]
    assert all(SCAN[:1000] not in path.read_bytes() for path in attached.sealed.iterdir())
    command = ("document", "seal", attached.record, "--out", tmp_path / "sealed", *attached.terms)
    assert "--attachments FOLDER" in refused(Exit.USAGE, *command)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "No such file" in refused(Exit.NOT_FOUND, *command, "--attachments", empty)
    (empty / "invoice.pdf").write_bytes(NOTE)
    (empty / "bill of lading.png").write_bytes(SCAN + b"x")
    assert "another file than the document names" in refused(Exit.REFUSED, *command, "--attachments", empty)
    assert not list((tmp_path / "sealed").glob("*attachment*"))
    assert not (tmp_path / "sealed" / "custody.json").exists()


def test_who_reads_the_group_that_names_them_reads_them(attached: Attached, tmp_path: Path) -> None:
    assert attached.store(attached.sealed).code == Exit.DONE
    attached.office.chain.seal(int(time.time()))
    with running(*attached.homes):
        folder = tmp_path / "files"
        answer = attached.read("first.json", *GROUPS, "--attachments", folder)
        assert answer["attached_files"] == [str(folder / "bill of lading.png"), str(folder / "invoice.pdf")]
        assert (folder / "bill of lading.png").read_bytes() == SCAN
        assert (folder / "invoice.pdf").read_bytes() == NOTE
        assert (folder / "invoice.pdf").stat().st_mode & 0o077 == 0
        goods = ("--group", "goods", "--purpose", "own-records")
        assert attached.read("goods.json", *goods, "--attachments", tmp_path / "none")["attached_files"] == []
        assert not (tmp_path / "none").exists()
        attached.office.chain.seal(int(time.time()))
        told = cocket(
            "access", "request", "--record", attached.record, "--out", attached.office.folder / "told.json", *GROUPS,
            *attached.office.by_chamber,
        )  # fmt: skip
        assert "it attaches bill of lading.png, invoice.pdf" in told.out
        again = cocket(
            "access", "request", "--record", attached.record, "--out", attached.office.folder / "again.json", *GROUPS,
            "--attachments", folder, *attached.office.by_chamber,
        )  # fmt: skip
        assert again.code == Exit.REFUSED
        assert "exists" in again.err
        bulk = ("access", "request", "--batch", "0x" + "12" * 32, "--all", "--out", tmp_path / "bulk", *GROUPS)
        assert "for one record" in refused(Exit.USAGE, *bulk, "--attachments", folder, *attached.office.by_chamber)


def test_the_vault_counts_scrubs_and_keeps_them_with_their_record(attached: Attached) -> None:
    attached.store(attached.sealed)
    holdings = attached.holdings()
    assert holdings.used_bytes > 4 * SEGMENT_BYTES
    assert [step.name for step in holdings.scrub() if step.problem] == []
    objects = sorted(KeeperHome(attached.vault).shelf.glob("objects/*/*"), key=lambda path: path.stat().st_size)
    segment = next(path for path in objects if path.stat().st_size == SEALED_SEGMENT_BYTES)
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-1] + bytes((whole[-1] ^ 1,)))
    assert cocket("vault", "scrub", attached.vault).code == Exit.FAILED
    segment.unlink()
    said = cocket("vault", "scrub", attached.vault)
    assert "is not there; put it back" in said.out
    attached.store(attached.sealed)
    assert cocket("vault", "scrub", attached.vault).code == Exit.DONE


def test_recovery_opens_them_and_sealing_anew_takes_them_along(attached: Attached, tmp_path: Path) -> None:
    manifest = next(attached.sealed.glob("*.manifest.json"))
    done("document", "open", manifest, *attached.by_recovery, "--out", tmp_path / "opened")
    files = next((tmp_path / "opened").glob("*.files"))
    assert (files / "bill of lading.png").read_bytes() == SCAN
    rewrapped, anew = tmp_path / "rewrapped", tmp_path / "anew"
    done("document", "rewrap", manifest, *attached.by_recovery, "--out", rewrapped, *attached.terms)
    done("document", "reencrypt", manifest, *attached.by_recovery, "--out", anew, *attached.terms)
    for at, path in enumerate(sorted(attached.sealed.glob("*.attachment"))):
        assert (rewrapped / path.name).read_bytes() == path.read_bytes()
        assert (anew / path.name).read_bytes() != path.read_bytes(), at
        assert (anew / path.name).stat().st_size == path.stat().st_size
    done("document", "open", next(anew.glob("*.manifest.json")), *attached.by_recovery, "--out", tmp_path / "again")
    assert (next((tmp_path / "again").glob("*.files")) / "invoice.pdf").read_bytes() == NOTE
    lost = sorted(rewrapped.glob("*.attachment"))[-1]
    lost.unlink()
    words = ("document", "open", next(rewrapped.glob("*.manifest.json")), *attached.by_recovery)
    assert f"{lost.name} is not beside it" in refused(Exit.USAGE, *words, "--out", tmp_path / "lost")
    assert attached.store(rewrapped).code == Exit.DONE, "the vault has the files of these keys"
    for path in anew.glob("*.attachment"):
        path.rename(path.with_suffix(".away"))
    assert "must lie beside it" in attached.store(anew).err
    for path in anew.glob("*.away"):
        path.rename(path.with_suffix(".attachment"))
    assert attached.store(anew).code == Exit.DONE
    attached.office.chain.seal(int(time.time()))
    with running(*attached.homes):
        attached.read("anew.json", *GROUPS, "--attachments", tmp_path / "read")
        assert (tmp_path / "read" / "bill of lading.png").read_bytes() == SCAN


def test_an_erased_record_s_files_are_gone(attached: Attached, tmp_path: Path) -> None:
    attached.office.chain.seal(int(time.time()))
    with running(*attached.homes):
        attached.office.chain.seal(int(time.time()))
        done(
            "document",
            "erase",
            "--record",
            attached.record,
            "--reason",
            2,
            "--custodian",
            "KE",
            *attached.office.by_chamber,
        )
    sizes = [path.stat().st_size for path in KeeperHome(attached.vault).shelf.glob("objects/*/*")]
    assert [size for size in sizes if size >= SEGMENT_BYTES] == []
