"""A founded ledger behind a real RPC server in this process, that seals a block as soon as a transaction arrives.

Contracts, permission, seals and RPC are the real ones; the validators' seals are made here instead of by consensus.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from command import done
from eth_account import Account
from founding.founders import PASSPHRASE, custodian_of, make_home, make_parameters
from single_node import SingleChain, served

from cocket.attestation.examples import example_documents
from cocket.cli.client import NodeClient, address_of
from cocket.genesis import ceremony
from cocket.genesis.founding import gather
from cocket.node.chain.header import Header, commit_hash, with_seals
from cocket.node.config import Home, RpcSettings, Settings, format_settings
from cocket.node.consensus.seals import address_of_key, sign_seal

COUNTRIES = ("BR", "KE", "NL", "SG")
FIRST_DAY = "2025-10-01"  # before the founding's fixed time
TODAY = "2025-10-09"  # the day of the founding, and of every block of a test
END_DAY = "2099-01-01"


class FoundedChain(SingleChain):
    """The chain of a founding, each block sealed by all its validators."""

    def __init__(self, genesis_json: bytes, validator_keys: list[bytes]) -> None:
        super().__init__(genesis_json)
        self._keys = validator_keys

    def seal(self, timestamp: int | None = None) -> Header:
        """Build, seal and import the next block."""
        coinbase = address_of_key(self._keys[0])
        executed = self.builder.build(coinbase, timestamp or self.ledger.head.timestamp + 1, 0, 10.0)
        digest = commit_hash(executed.block.header)
        sealed = with_seals(executed.block.header, [sign_seal(digest, key) for key in self._keys])
        self.importer.remember(executed)
        imported = self.importer.import_block(replace(executed.block, header=sealed), sync=False)
        self.pool.on_block(executed.transactions)
        return imported


class Office:
    """What the people of the tests have at hand: homes, a chamber's key, the node's address, documents."""

    def __init__(self, folder: Path, url: str, homes: dict[str, Home], chain: FoundedChain) -> None:
        self.folder = folder
        self.url = url
        self.homes = homes
        self.chain = chain
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text(PASSPHRASE + "\n")
        self.passphrase.chmod(0o600)
        self._issued = 0
        self.chamber = self.make_key("chamber")
        for name, data in example_documents():
            (folder / name).write_bytes(data)
        self.documents = [folder / name for name, _ in example_documents()]

    def home(self, country: str) -> tuple[str, str]:
        return ("--home", str(self.homes[country].path))

    def signed_by(self, key_file: Path) -> tuple[str, ...]:
        return ("--key", str(key_file), "--passphrase-file", str(self.passphrase), "--node", self.url)

    @property
    def by_chamber(self) -> tuple[str, ...]:
        return self.signed_by(self.chamber)

    @property
    def client(self) -> NodeClient:
        return NodeClient(self.url)

    def make_key(self, name: str) -> Path:
        """Make a cheap key file."""
        path = self.folder / f"{name}.json"
        key = name.encode().rjust(32, b"\x07")
        path.write_text(json.dumps(Account.encrypt(key, PASSPHRASE, kdf="pbkdf2", iterations=1)))
        return path

    def address(self, key_file: Path) -> str:
        return "0x" + address_of(bytes(Account.decrypt(json.loads(key_file.read_text()), PASSPHRASE))).hex()

    def accredit(self, country: str, key_file: Path, name: str, role: str = "chamber") -> int:
        """Accredit a participant, by default a chamber, and return its number."""
        out = self.folder / f"{name}.participant.json"
        answer = done(
            "participant", "accredit", *self.home(country), "--name", name, "--role", role,
            "--account", self.address(key_file), "--from", FIRST_DAY, "--to", END_DAY, "--out", out,
        )  # fmt: skip
        return int(str(answer["participant"]))

    def folder_for_batch(self) -> Path:
        """Return a new folder's path."""
        self._issued += 1
        return self.folder / f"batch-{self._issued}"

    def issue(self, *documents: Path, by: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> list[Path]:
        """Issue certificates of these documents, or of the first example, and return their files in order."""
        out = self.folder_for_batch()
        chosen = documents or (self.documents[0],)
        signed = by or self.by_chamber
        done("certificate", "issue", *chosen, "--out", out, "--valid-from", FIRST_DAY, *options, *signed)
        return [out / f"{document.stem}.certificate.json" for document in chosen]

    def anchored_count(self) -> int:
        """Return how many transactions of the chamber are in the chain."""
        address = bytes.fromhex(self.address(self.chamber)[2:])
        account = self.chain.ledger.state(self.chain.ledger.head).account(address)
        return 0 if account is None else account.nonce


@contextlib.contextmanager
def open_office(folder: Path, change_genesis: Callable[[bytes], bytes] = bytes) -> Iterator[Office]:
    """Found a network of four, serve it, and accredit a chamber in KE as participant 1.

    ``change_genesis`` makes another network of what was founded: one with other contracts, say.
    """
    homes = {country: make_home(folder, country) for country in COUNTRIES}
    keys = {country: ceremony.open_keys(home, PASSPHRASE) for country, home in homes.items()}
    parameters = make_parameters(*COUNTRIES)
    records = [
        ceremony.record(
            keys[country], custodian_of(homes[country]), parameters, country, f"{country.lower()}.example:30303"
        )
        for country in COUNTRIES
    ]
    founded = gather(parameters, records)
    chain = FoundedChain(change_genesis(founded.genesis_json), [keys[country].validator for country in COUNTRIES])
    with served(chain) as url:
        port = urlsplit(url).port
        assert port is not None
        for home in homes.values():
            (home.path / "passphrase").write_text(PASSPHRASE + "\n")
            (home.path / "passphrase").chmod(0o600)
            home.config.write_text(format_settings(Settings(rpc=RpcSettings(port=port))))
        office = Office(folder, url, homes, chain)
        assert office.accredit("KE", office.chamber, "Kenya Chamber of Commerce") == 1
        yield office
