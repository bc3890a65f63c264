"""A vault and four custodians on a real ledger, their registers on fake disks, and readers that call them directly."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest
from command import done
from founding.founders import PASSPHRASE
from office import COUNTRIES, Office, open_office
from sealed import certificates_of, random_of, seal_all

from cocket.attestation.attachments import Attachment, entry_of
from cocket.attestation.prove import Anchor, Certificate
from cocket.attestation.reading.exchange import ReleaseCall, decode_release_call
from cocket.attestation.reading.request import signing_hash
from cocket.attestation.sealing.hpke import PrivateKey, Suite
from cocket.cli.client import address_of
from cocket.contracts import access
from cocket.contracts.access import (
    Claim,
    Purpose,
    Residency,
    Scope,
    ScopeKind,
    Service,
    ServiceKind,
    encode_claim,
    grant_commitment,
    participant_party,
)
from cocket.node.encryption_key import load_encryption_key
from cocket.node.keystore import load_key
from cocket.node.store.disk import FakeDisk
from cocket.node.vault.bulk import load_bulk
from cocket.node.vault.connection import SEGMENT_PATH, ReadRefused
from cocket.node.vault.decision import Judge
from cocket.node.vault.declined import Declined
from cocket.node.vault.eraser import Eraser
from cocket.node.vault.gate import Gate
from cocket.node.vault.holdings import Holdings
from cocket.node.vault.ledger import Ledger
from cocket.node.vault.lister import Lister
from cocket.node.vault.reader import Reader, Wanted
from cocket.node.vault.register import Register
from cocket.node.vault.release import Vault
from cocket.node.vault.rules import Rules
from cocket.node.vault.share import Custodian
from cocket.node.vault.shelf import MemoryShelf
from cocket.node.vault.showing import Showing
from cocket.node.vault.signing import wallet_of
from cocket.node.vault.tombstones import Tombstones

VAULT_KEY = PrivateKey(Suite.HYBRID, b"v" * 32)
LISTING_KEY = b"l" * 32
CHAMBER = participant_party(1)
VAULT_KEEPER = participant_party(2)
"""Receipts of the vault; the custodian of authority n keeps its own as party n."""
STAND_IN = participant_party(3)
"""A vault in another place that holds copies, opened with the same key."""
FAR = 1 << 39


@dataclass
class Keeper:
    """A vault or custodian: what answers, its register and the disk under it."""

    answer: Callable[[bytes], bytes]
    segment: Callable[[bytes], bytes]
    erase: Callable[[bytes], bytes]
    register: Register
    disk: FakeDisk
    eraser: Callable[[int, Holdings | None], Eraser]
    lister: Callable[[int], Lister]
    showing: Callable[[int], Showing]


class Reads:
    """What tests of reads have at hand. The clock is the ledger's last block, plus ``late_s``."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.client = office.client
        self.ledger = Ledger(office.url)
        self.announced = _Announced(office.url)
        self.chain_id, self.genesis_hash = self.ledger.chain()
        self.late_s = 0
        self.retention_days = 0
        self.kinds_retention_days: dict[int, int] = {}
        self.holdings = Holdings(MemoryShelf(), 1 << 30)
        self.residencies: dict[bytes, Residency] = {}
        self.keepers: dict[str, Keeper] = {}
        self.calls: list[str] = []
        self.begin()

    def begin(self, replacements: dict[bytes, bytes] | None = None) -> None:
        """Start all keepers anew, with empty registers."""
        judge, keeper = self._judge(VAULT_KEEPER, replacements or {})
        vault = Vault(judge, self.holdings, self.residencies.get, VAULT_KEY, CHAMBER, self.now_s)
        self.keepers = {
            "vault": replace(
                keeper,
                answer=vault.release,
                segment=vault.segment,
                erase=keeper.eraser(CHAMBER, self.holdings).erase,
            )
        }
        judge, keeper = self._judge(STAND_IN, replacements or {})
        stand_in = Vault(judge, self.holdings, self.residencies.get, VAULT_KEY, STAND_IN, self.now_s)
        self.keepers["stand-in"] = replace(keeper, answer=stand_in.release)
        for number, country in enumerate(COUNTRIES, 1):
            judge, keeper = self._judge(number, replacements or {})
            key = load_encryption_key(self.office.homes[country].encryption_key, PASSPHRASE)
            custodian = Custodian(judge, key, number, self.genesis_hash)
            self.keepers[country] = replace(keeper, answer=custodian.share, erase=keeper.eraser(number, None).erase)

    def _judge(self, party: int, replacements: dict[bytes, bytes]) -> tuple[Judge, Keeper]:
        disk = FakeDisk()
        register = Register(Path("receipts"), self.genesis_hash, party, self.now_s(), disk)
        register.agree(0, bytes(32))
        days, kinds = self.retention_days, self.kinds_retention_days
        rules = Rules(self.chain_id, self.genesis_hash, party, replacements, 30, days, kinds)
        gate, tombstones = Gate(self.ledger, register, rules, self.now_s), Tombstones()
        bulk = load_bulk(Path("receipts"), self.genesis_hash, party, disk)
        judge = Judge(self.ledger, register, rules, gate, tombstones, bulk, self.now_s)

        def eraser(of: int, holdings: Holdings | None) -> Eraser:
            return Eraser(self.ledger, register, rules, gate, tombstones, self.now_s, party=of, holdings=holdings)

        def lister(rows_max: int) -> Lister:
            return Lister(self.ledger, rules, gate, bulk, Path("receipts"), LISTING_KEY, disk, rows_max)

        def showing(of: int) -> Showing:
            return Showing(self.ledger, register, gate, bulk, of)

        return judge, Keeper(bytes, bytes, bytes, register, disk, eraser, lister, showing)

    def now_s(self) -> int:
        return self.office.chain.ledger.head.timestamp + self.late_s

    def admin(self, country: str) -> bytes:
        """Return an authority's admin key."""
        return load_key(self.office.homes[country].path / "keys" / "admin.json", PASSPHRASE)

    def key(self, path: Path) -> bytes:
        """Return the key in a file."""
        return load_key(path, PASSPHRASE)

    @property
    def chamber(self) -> bytes:
        return self.key(self.office.chamber)

    def issue(self, country: str = "SG") -> list[Anchor]:
        """Issue both examples for a country, seal them, put them into the vault; return where they are."""
        out = self.office.folder_for_batch()
        done(
            "certificate", "issue", *self.office.documents, "--out", out, "--valid-from", "2025-10-01",
            "--for-country", country, *self.office.by_chamber,
        )  # fmt: skip
        files = [out / f"{document.stem}.certificate.json" for document in self.office.documents]
        return self.seal(certificates_of(files))

    def issue_attached(self, country: str, contents: dict[str, bytes]) -> Anchor:
        """Issue the first example with attached files, seal it with them, put all into the vault."""
        files = [Attachment(name, "application/pdf", sha256(data).digest()) for name, data in contents.items()]
        document = json.loads(self.office.documents[0].read_text()) | {"relatedResource": list(map(entry_of, files))}
        path = self.office.folder_for_batch().with_suffix(".json")
        path.write_text(json.dumps(document))
        record = self.office.issue(path, options=("--for-country", country))
        return self.seal(certificates_of(record), contents=contents)[0]

    def seal(
        self,
        certificates: list[Certificate],
        contract: bytes = access.ADDRESS,
        contents: dict[str, bytes] | None = None,
    ) -> list[Anchor]:
        """Seal certificates of one batch and put them into the vault."""
        sealed = seal_all(self.office, certificates, VAULT_KEY.public, contract, contents)
        for each in sealed:
            self.holdings.store(
                each.anchor.batch,
                each.anchor.index,
                1,
                manifest=each.manifest,
                custody=each.custody,
                envelope=each.envelope,
                files=each.files,
            )
        return [each.anchor for each in sealed]

    def address(self, key: bytes) -> bytes:
        """Return the address of a key."""
        return address_of(key)

    def grant(
        self,
        reader: int,
        anchor: Anchor,
        groups: set[int],
        purpose: Purpose,
        label: str = "",
        valid_from: int = 0,
        valid_to: int = FAR,
        daily_cap: int = 0,
    ) -> tuple[bytes, bytes]:
        """Let a grant stand; return the claim that opens it, and its hash on the ledger."""
        scope = Scope(
            kind=ScopeKind.GRANT, controller=1, reader=reader, batch=anchor.batch, index=anchor.index,
            kinds=frozenset(), anchored_from=0, anchored_to=0, groups=frozenset(groups), purposes=frozenset({purpose}),
            daily_cap=daily_cap, reference=bytes(32), salt=random_of(f"{anchor} {label} {reader}", 16),
        )  # fmt: skip
        commitment = grant_commitment(self.chain_id, scope)
        self.commit(commitment, valid_from=valid_from, valid_to=valid_to)
        return encode_claim(Claim(scope)), commitment

    def commit(self, commitment: bytes, key: bytes | None = None, valid_from: int = 0, valid_to: int = FAR) -> None:
        data = access.commit(commitment=commitment, valid_from=valid_from, valid_to=valid_to)
        self.client.send(key or self.chamber, access.ADDRESS, data)

    def reader(self, key: bytes) -> Reader:
        """Return a reader with a key, whose calls go to the keepers here."""
        return Reader(self.announced, wallet_of(key), self.now_s, self.call)

    def close(self) -> None:
        """Close what is open."""
        self.ledger.close()
        self.announced.close()

    def call(self, service: Service, path: str, body: bytes, who: str) -> bytes:
        """Answer as the HTTPS server does."""
        self.calls.append(service.url)
        try:
            keeper = self.keepers[service.url]
            return keeper.segment(body) if path == SEGMENT_PATH else keeper.answer(body)
        except Declined as error:
            if error.status >= 500:
                raise
            raise ReadRefused(who, error.refusal) from None

    def receipts(self) -> dict[str, int]:
        """Return how many receipts each keeper has written."""
        return {name: keeper.register.number for name, keeper in self.keepers.items()}


class _Announced(Ledger):
    """The ledger, on which all services have announced themselves by their names here."""

    def view(self, address, view, number):  # type: ignore[no-untyped-def]
        for party, kind, name, keeper in _SERVICES:
            if view.data == access.service_of(party, kind).data:
                return Service(keeper, bytes(32), name)
        return super().view(address, view, number)


_SERVICES = [
    (CHAMBER, ServiceKind.VAULT, "vault", VAULT_KEEPER),
    (STAND_IN, ServiceKind.VAULT, "stand-in", STAND_IN),
    *[(number, ServiceKind.CUSTODIAN, country, number) for number, country in enumerate(COUNTRIES, 1)],
]


def wanted(anchor: Anchor, *groups: int, purpose: Purpose = Purpose.IMPORT_CLEARANCE, **more: object) -> Wanted:
    """Return what to ask of a record."""
    return Wanted(anchor.batch, anchor.index, frozenset(groups), purpose, **more)


@contextmanager
def open_reads(folder: Path, change_genesis: Callable[[bytes], bytes] = bytes) -> Iterator[Reads]:
    """Found a ledger, perhaps with other contracts, and start all keepers."""
    with open_office(folder, change_genesis) as office:
        reads = Reads(office)
        yield reads
        reads.close()


def request_by(reads: Reads, key: bytes, asked: Wanted, **changes: object) -> ReleaseCall:
    """Return a call of a reader as the vault gets it, some of the request changed before it is signed."""
    calls: list[bytes] = []

    class Stop(Exception):
        pass

    def caught(service: object, path: str, body: bytes, who: str) -> bytes:
        calls.append(body)
        raise Stop

    reader = reads.reader(key)
    reader._call = caught
    with pytest.raises(Stop):
        reader.read(asked)
    call = decode_release_call(calls[0])
    request = replace(call.request, **changes)  # type: ignore[arg-type]
    return ReleaseCall(request, wallet_of(key)(signing_hash(request)), call.claim)
