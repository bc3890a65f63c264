"""Founded networks for tests of bundles: real contracts, seals and RPC methods; members come and go by vote.

Every network has the same chain id, countries, contracts, times and names; ``salt`` alone makes its keys.
"""

import json
from collections.abc import Mapping, Sequence

import msgspec
from founding.founders import make_parameters
from ledger.chains import SignedChain

from cocket.attestation.batch import BatchBuilder, country_hash
from cocket.attestation.check import require
from cocket.attestation.codes import EXAMPLES, load_example
from cocket.attestation.commit import document_secret, secrets_of
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.prove import Anchor, Certificate, certificate_of, integrity_of, whole
from cocket.attestation.sealing.hpke import PrivateKey, PublicKey, Suite
from cocket.attestation.work import Chunk, commit_chunk
from cocket.cli.bundling import make_bundle
from cocket.cli.client import NodeClient
from cocket.contracts import certificates, consortium, participants
from cocket.contracts.abi import View
from cocket.genesis.ceremony import AuthorityKeys, record
from cocket.genesis.founding import gather
from cocket.node.bundle.checkpoint import Checkpoint
from cocket.node.bundle.file import Bundle
from cocket.node.chain.block import Block
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.transaction import sign_transaction
from cocket.node.consensus.seals import address_of_key
from cocket.node.rpc.accounts import AccountMethods
from cocket.node.rpc.backend import Backend
from cocket.node.rpc.blocks import BlockMethods
from cocket.node.rpc.calls import CallMethods
from cocket.node.rpc.filters import FilterRegistry
from cocket.node.rpc.jsonrpc import Call, Dispatcher
from cocket.node.rpc.limits import DEFAULT_LIMITS
from cocket.node.rpc.logs import LogMethods
from cocket.node.rpc.node_facts import NodeMethods
from cocket.node.rpc.status import StandaloneStatus
from cocket.node.store.memory import MemoryStore

FOUNDERS = ("BR", "KE", "NL", "SG")
SPACING_BLOCKS = 10
SECRET = bytes(range(32))
DOCUMENT = json.dumps(
    {**json.loads(load_example(EXAMPLES[0])), "validFrom": "2025-10-01T00:00:00Z", "validUntil": "2027-12-31T12:00:00Z"}
).encode()
FAR_S = 4_000_000_000
GAS = 4_000_000


def key_of(*words: str) -> bytes:
    """Return a private key that is always the same for the same words."""
    return keccak256(" ".join(words).encode())


def custodian_of(*words: str) -> PublicKey:
    """Return the public key of a custodian."""
    return PrivateKey(Suite.HYBRID, key_of(*words, "custodian")).public


class LocalClient(NodeClient):
    """A client whose node is a ledger in this process: the node's own RPC methods, without a socket."""

    def __init__(self, chain: SignedChain) -> None:
        self.url = "http://in.process"
        self._times = {}
        self._genesis_hash = None
        backend = Backend(chain.ledger, chain.pool, StandaloneStatus())
        rooms = (BlockMethods, AccountMethods, CallMethods, NodeMethods)
        logs = LogMethods(backend, FilterRegistry(DEFAULT_LIMITS, lambda: 0.0, bytes))
        methods = [method for room in rooms for method in room(backend).methods()]
        self._dispatcher = Dispatcher([*methods, *logs.methods()], 1)

    def ask(self, method: str, *params: object) -> object:
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        (call,) = self._dispatcher.parse(body).requests
        assert isinstance(call, Call), call
        return msgspec.json.decode(call.perform())


class Network:
    """One network; each ``send`` is a block of its own, sealed by the first of the set in force, exactly a quorum."""

    def __init__(self, salt: str = "") -> None:
        self.salt = salt
        keys = {
            country: AuthorityKeys(*(key_of(salt, country, name) for name in ("admin", "validator", "node")))
            for country in FOUNDERS
        }
        parameters = make_parameters(*FOUNDERS)
        founded = gather(
            parameters,
            [
                record(keys[country], custodian_of(salt, country), parameters, country, f"{country.lower()}.example:1")
                for country in FOUNDERS
            ],
        )
        self.chain = SignedChain(founded.genesis, [], MemoryStore())
        self.client = LocalClient(self.chain)
        self._nonces: dict[bytes, int] = {}
        self._sealers: dict[bytes, bytes] = {}
        self.numbers = {country: number for number, country in enumerate(FOUNDERS, 1)}
        for country in FOUNDERS:
            self._know(country)
        self.chamber = key_of(salt, "chamber")

    @property
    def height(self) -> int:
        return self.chain.head.number

    @property
    def genesis_hash(self) -> bytes:
        return self.chain.genesis.hash

    def admin(self, country: str) -> bytes:
        return key_of(self.salt, country, "admin")

    def validator(self, country: str) -> bytes:
        return address_of_key(key_of(self.salt, country, "validator"))

    def _know(self, country: str) -> None:
        self._sealers[self.validator(country)] = key_of(self.salt, country, "validator")

    def sealer_keys(self, addresses: Sequence[bytes]) -> list[bytes]:
        return [self._sealers[address] for address in addresses]

    def extend(self, *raws: bytes, period_s: int = 2) -> Block:
        """Add a block, sealed by all of the set in force, from the highest address down, as a node may have them."""
        keys = self.sealer_keys(self.chain.ledger.validators_after(self.chain.head)[::-1])
        block = self.chain.seal(self.chain.build(*raws, period_s=period_s).block, keys)
        self.chain.importer.import_block(block)
        return block

    def next_day(self) -> None:
        """Add a block a minute after the next midnight (UTC)."""
        time_s = self.chain.head.timestamp
        self.extend(period_s=86_400 - time_s % 86_400 + 60)

    def pass_blocks(self, count: int = 1, period_s: int = 2) -> None:
        for _ in range(count):
            self.extend(period_s=period_s)

    def send(self, key: bytes, to: bytes, data: bytes, period_s: int = 2) -> int:
        """Send a transaction that must succeed in a block of its own; return the height."""
        sender = address_of_key(key)
        nonce = self._nonces.get(sender, 0)
        raw = sign_transaction(
            key, to=to, data=data, nonce=nonce, gas_limit=GAS, gas_price=0, chain_id=self.chain.genesis.spec.chain_id
        )
        self._nonces[sender] = nonce + 1
        self.extend(raw, period_s=period_s)
        receipts = self.chain.ledger.receipts_by_number(self.height)
        assert receipts is not None
        assert receipts[0].status == 1, "the transaction was refused"
        return self.height

    def ask(self, view: View[int]) -> int:
        return self.client.view(consortium.ADDRESS, view)

    def consortium(self, country: str, data: bytes) -> int:
        return self.send(self.admin(country), consortium.ADDRESS, data)

    def certificates(self, key: bytes, data: bytes, period_s: int = 2) -> int:
        return self.send(key, certificates.ADDRESS, data, period_s)

    def wait_spacing(self) -> None:
        while self.height + 1 < self.ask(consortium.last_set_change()) + SPACING_BLOCKS:
            self.pass_blocks()

    def decide(self, voters: Sequence[str], data: bytes) -> int:
        """Let the first propose and the others approve; return the height of the last vote."""
        first, *others = voters
        height = self.consortium(first, data)
        number = self.ask(consortium.proposal_count())
        for voter in others:
            height = self.consortium(voter, consortium.vote(proposal=number, approve=True))
        return height

    def admit(self, country: str, voters: Sequence[str]) -> int:
        """Vote a country in and let it take its seat; return the height that changed the validators."""
        keys = consortium.Keys(
            admin=address_of_key(self.admin(country)),
            validator=self.validator(country),
            seal_certificate=bytes(32),
            encryption_suite=1,
            encryption_key=key_of(self.salt, country, "secret"),
            nodes=(
                consortium.Node(key_of(country, self.salt, "x") + key_of(country, "y"), f"{country.lower()}.example:1"),
            ),
        )
        self.decide(voters, consortium.propose_admission(country=country, keys=keys))
        self._know(country)
        self.numbers[country] = self.ask(consortium.authority_count())
        self.wait_spacing()
        return self.consortium(country, consortium.activate())

    def withdraw_authority(self, country: str, voters: Sequence[str]) -> int:
        """Vote a country out; return the height that changed the validators."""
        self.wait_spacing()
        return self.decide(voters, consortium.propose_withdrawal(authority=self.numbers[country], reason=7))

    def suspend_authority(self, country: str, voters: Sequence[str]) -> int:
        self.wait_spacing()
        return self.decide(voters, consortium.propose_suspension(authority=self.numbers[country], reason=9))

    def accredit(self) -> None:
        """Let KE accredit the chamber, participant 1."""
        data = participants.accredit(
            identity=keccak256(b"chamber"),
            roles=participants.Role.CHAMBER,
            kinds={1},
            valid_from=self.chain.head.timestamp - 1000,
            valid_to=FAR_S,
            keys=[address_of_key(self.chamber)],
        )
        self.send(self.admin("KE"), participants.ADDRESS, data)

    def issue(self, secret: bytes = SECRET, country: str = "SG") -> Certificate:
        """Anchor a batch of one certificate; return the owner's."""
        result = commit_chunk(Chunk(0, (DOCUMENT,), secret, country))
        builder = BatchBuilder(1, secret, 1)
        builder.extend(result.leaves)
        batch = builder.build()
        index = batch.index_of(0)
        data = certificates.anchor(top=batch.top, depth=batch.depth, kind=1, valid_from=1_750_000_000, valid_to=FAR_S)
        self.certificates(self.chamber, data)
        anchor = Anchor(
            self.chain.genesis.spec.chain_id,
            self.genesis_hash,
            certificates.ADDRESS,
            1,
            batch.root,
            index,
            batch.path_of(index),
        )
        return certificate_of(require(DOCUMENT), document_secret(secret, 0), country).anchored(anchor)


class Story:
    """What becomes of one certificate, day by day from 2025-10-09 on, while the validators change three times.

    Heights of interest are attributes; each day's event is before noon, and some block follows after its midnight.
    """

    def __init__(self) -> None:
        network = self.network = Network()
        network.accredit()
        self.certificate = network.issue()
        place = self.certificate.anchor
        assert place is not None
        item = {"batch": place.batch, "index": place.index}
        network.next_day()  # 10th
        network.certificates(network.chamber, certificates.suspend(**item, reason=3))
        network.next_day()  # 11th
        network.certificates(network.chamber, certificates.reinstate(**item))
        network.next_day()  # 12th
        self.changes = [network.admit("UY", ("BR", "KE", "NL"))]
        network.next_day()  # 13th
        self.use("SG", 400_000)
        self.use("NL", 200_000)
        network.next_day()  # 14th
        self.changes.append(network.withdraw_authority("BR", ("KE", "NL", "SG", "UY")))
        network.next_day()  # 15th
        self.good = network.height
        network.next_day()  # 16th
        network.certificates(network.admin("KE"), certificates.withdraw(**item, reason=4))
        network.next_day()  # 17th
        self.withdrawn = network.height
        self.changes.append(network.suspend_authority("KE", ("NL", "SG", "UY")))
        network.next_day()  # 18th
        network.pass_blocks()
        self.end = network.height

    def use(self, country: str, share_ppm: int) -> None:
        """Let an authority claim a share."""
        integrity = integrity_of(whole(self.certificate))
        secrets = secrets_of(self.certificate.secret, DIALECTS[self.certificate.dialect].kind)
        place = self.certificate.anchor
        assert place is not None
        assert integrity.document_root is not None
        data = certificates.use(
            batch=place.batch,
            index=place.index,
            document_root=integrity.document_root,
            destination=country_hash(secrets.country_salt, self.certificate.country),
            path=place.path,
            share_ppm=share_ppm,
        )
        self.network.certificates(self.network.admin(country), data)

    def bundle(self, height: int | None = None, checkpoint: Checkpoint | None = None) -> Bundle:
        """Return the bundle of the whole certificate as of a height, by default the end."""
        return make_bundle(self.network.client, whole(self.certificate), checkpoint, height or self.end)


def words(found: Mapping[str, object]) -> dict[str, str]:
    """Return the answer to each question of a verdict's JSON."""
    return {name: answer["answer"] for name, answer in found.items() if isinstance(answer, dict)}
