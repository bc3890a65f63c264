"""``cocket access request --all``: a batch read by a grant with a daily cap; its receipts name each record's reader."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import cocket, done, refused
from e2e.trial import free_ports
from keepers import accredit, by_passphrase, make_custodian, make_vault, running
from office import Office, open_office
from sealed import certificates_of, seal_all, write_sealed

from cocket.cli.auditing import load_pages_beside, load_periods, receipts_of
from cocket.cli.errors import Exit
from cocket.cli.keeping import export_periods
from cocket.node.encryption_key import load_public_key
from cocket.node.vault.bulk import PAGES
from cocket.node.vault.settings import KeeperHome

PURPOSE = ("--group", "goods", "--purpose", "risk-analysis")


class Bulk:
    """A batch of two records that BR was granted, three a day in bulk, read until the cap."""

    def __init__(self, office: Office) -> None:
        self.office = office
        first = free_ports(3)
        vault = make_vault(office, "vault", first)
        self.homes = [vault, *[make_custodian(office, who, who, first + at) for at, who in ((1, "KE"), (2, "NL"))]]
        for at, (home, country) in enumerate(zip(self.homes, ("KE", "KE", "NL"), strict=True)):
            accredit(office, home, country)
            kind = KeeperHome(home).settings().kind
            signing = office.by_chamber if kind == "vault" else office.home(country)
            done(kind, "announce", home, "--url", f"https://127.0.0.1:{first + at}", *signing)
            config = KeeperHome(home).config
            config.write_text(config.read_text().replace("anchor_s = 3600", "anchor_s = 1"))
        self.records = office.issue(*office.documents, options=("--valid-to", "2099-01-01"))
        public = load_public_key(vault / "keys" / "encryption.public.json")
        sealed = seal_all(office, certificates_of(self.records), public)
        done("vault", "store", vault, *write_sealed(office.folder / "s", ["a", "b"], sealed), *by_passphrase(office))
        self.batch = "0x" + sealed[0].anchor.batch.hex()
        self.indices = sorted(each.anchor.index for each in sealed)
        self.grant = office.folder / "bulk.grant.json"
        done(
            "access", "grant", "--reader", "BR", "--batch", self.batch, "--all", *PURPOSE, "--daily-cap", 3,
            "--to", "2099-01-01", "--out", self.grant, *office.by_chamber,
        )  # fmt: skip
        self.first, self.second = office.folder / "first", office.folder / "second"
        office.chain.seal(int(time.time()))
        with running(*self.homes) as services:
            self.answers = [self.read(self.first), self.read(self.second), self.read(office.folder / "third")]
            self.again = self.read(self.first)
            deadline = time.monotonic() + 60
            while any(sum(event == "anchoring" for event, _ in each.log.lines) < 2 for each in services):
                assert time.monotonic() < deadline
                office.chain.seal(int(time.time()))
                time.sleep(0.2)

    def read(self, out: Path, *more: object) -> object:
        self.office.chain.seal(int(time.time()))
        return cocket(
            "access", "request", "--batch", self.batch, "--all", *PURPOSE, "--grant", self.grant, "--out", out,
            *self.office.home("BR"), "--json", *more,
        )  # fmt: skip


@pytest.fixture(scope="module")
def bulk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bulk]:
    with open_office(tmp_path_factory.mktemp("bulk-office")) as office:
        yield Bulk(office)


def test_a_batch_is_read_until_the_day_s_cap_and_says_from_where_to_go_on(bulk: Bulk) -> None:
    whole, part, none = bulk.answers
    assert (whole.code, whole.json()["records"], whole.json()["following"]) == (Exit.DONE, 2, None)
    assert sorted(path.name for path in bulk.first.glob("*.read.json")) == sorted(
        f"{index}.read.json" for index in bulk.indices
    )
    for path in bulk.first.glob("*.read.json"):
        (verdict,) = cocket("verify", path, "--node", bulk.office.url, "--json").json()["verdicts"]
        assert (verdict["integrity"]["answer"], verdict["issuance"]["answer"]) == ("yes", "yes")
    assert (part.code, part.json()["records"], part.json()["following"]) == (Exit.REFUSED, 1, bulk.indices[1])
    assert "go on tomorrow" in part.json()["problem"]
    assert none.code == Exit.REFUSED
    assert "3 were given today" in none.out + none.err
    assert bulk.again.code == Exit.REFUSED
    assert "choose another folder, or --from-index" in bulk.again.out + bulk.again.err


def test_the_receipts_say_that_each_record_was_read_in_bulk(bulk: Bulk, tmp_path: Path) -> None:
    folder = tmp_path / "receipts"
    export_periods(KeeperHome(bulk.homes[0]), folder, 1)
    held = ("--held", next(bulk.first.glob("*.receipts.json")))
    audited = cocket("audit", "receipts", folder, *held, "--json", "--node", bulk.office.url).json()
    assert [each["findings"] == [] for each in audited["keepers"]] == [True, False, False], (
        "the custodians exported none"
    )
    first, second = (
        done("document", "receipts", folder, "--record", record, "--node", bulk.office.url)["reads"]
        for record in sorted(bulk.records, key=lambda path: certificates_of([path])[0].anchor.index)  # type: ignore[union-attr]
    )
    assert [(row["reader"], row["records"], row["was_given"]) for row in first] == [  # type: ignore[attr-defined]
        ("the authority of BR", 2, True),
        ("the authority of BR", 1, True),
    ]
    assert [row["records"] for row in second] == [2]  # type: ignore[attr-defined]
    said = cocket("document", "receipts", folder, "--record", bulk.records[0], "--node", bulk.office.url).out
    assert "in bulk with 2" in said


def test_without_the_list_a_record_may_have_been_among_those_read(bulk: Bulk, tmp_path: Path) -> None:
    folder = tmp_path / "receipts"
    export_periods(KeeperHome(bulk.homes[0]), folder, 1)
    batch, periods = bytes.fromhex(bulk.batch[2:]), load_periods([folder])
    assert not list(receipts_of(periods, load_pages_beside([folder]), batch, 1 << 19))
    for page in (folder / PAGES).iterdir():
        page.unlink()
    assert len(list(receipts_of(periods, load_pages_beside([folder]), batch, 1 << 19))) == 2


def test_a_keeper_that_lost_a_list_does_not_export_as_if_it_had_none(bulk: Bulk, tmp_path: Path) -> None:
    page = next((KeeperHome(bulk.homes[0]).receipts / PAGES).iterdir())
    data = page.read_bytes()
    page.unlink()
    try:
        said = refused(Exit.FAILED, "vault", "receipts", bulk.homes[0], "--out", tmp_path / "out")
    finally:
        page.write_bytes(data)
    assert "put it back from a copy" in said


def test_one_record_of_a_batch_is_no_bulk_read(bulk: Bulk, tmp_path: Path) -> None:
    said = refused(
        Exit.USAGE, "access", "request", "--all", *PURPOSE, "--out", tmp_path / "out", *bulk.office.home("BR")
    )
    assert "--batch" in said
