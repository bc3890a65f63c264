"""The methods about the node and its network: net_, web3_, qbft_, eth_syncing, eth_chainId and cocket_status.

It never computes what the ledger or the node's status can be asked.
"""

from itertools import islice

from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import round_of
from cocket.node.diagnosis import Diagnosis
from cocket.node.expiry import ExpiryWatch
from cocket.node.rpc.backend import Backend
from cocket.node.rpc.encoding import (
    LATEST,
    BlockSelector,
    data,
    parse_address,
    parse_block_selector,
    parse_data,
    parse_hash,
    parse_quantity,
    quantity,
)
from cocket.node.rpc.jsonrpc import Method, Parameter, Weight
from cocket.node.rpc.objects import JsonObject

EVIDENCE_COUNT = 10
"""Pairs of signed payloads in an answer when no number is named; two proposals may be some megabytes."""
EVIDENCE_COUNT_MAX = 100
EXPIRING_MAX = 100
"""What ends soon, told in a status: the next hundred."""
SIGNER_METRICS_BLOCKS = 100
"""Blocks that are counted when none are named."""


class NodeMethods:
    """Facts about the node, its peers and its validators."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._expiry = ExpiryWatch(backend.ledger.head_storage)

    def methods(self) -> tuple[Method, ...]:
        """Give the methods by their names."""
        block = Parameter("block", parse_block_selector, LATEST)
        block_hash = Parameter("block hash", parse_hash)
        bounds = (Parameter("first", parse_block_selector, None), Parameter("last", parse_block_selector, LATEST))
        author = Parameter("validator", parse_address, None)
        count = Parameter("count", parse_quantity, EVIDENCE_COUNT)
        return (
            Method("eth_chainId", self.chain_id),
            Method("eth_syncing", self.syncing),
            Method("net_version", self.network_version),
            Method("net_listening", self.listening),
            Method("net_peerCount", self.peer_count),
            Method("web3_clientVersion", self.client_version),
            Method("web3_sha3", self.sha3, (Parameter("data", parse_data),)),
            Method("qbft_getValidatorsByBlockNumber", self.validators_by_number, (block,), Weight.HEAVY),
            Method("qbft_getValidatorsByBlockHash", self.validators_by_hash, (block_hash,), Weight.HEAVY),
            Method("qbft_getSignerMetrics", self.signer_metrics, bounds, Weight.HEAVY),
            Method("qbft_getRequestTimeoutSeconds", self.request_timeout_s),
            Method("qbft_getEvidence", self.evidence, (author, count), Weight.HEAVY),
            Method("cocket_status", self.status),
            Method("cocket_diagnosis", self.diagnosis),
            Method("cocket_foundingConfiguration", self.founding_configuration),
        )

    def chain_id(self) -> str:
        """The chain id that transactions are signed for."""
        return quantity(self._backend.ledger.genesis.spec.chain_id)

    def syncing(self) -> JsonObject | bool:
        """False when level with the peers, else how far the node has come."""
        progress = self._backend.status.sync_progress()
        if progress is None:
            return False
        return {
            "startingBlock": quantity(progress.starting_block),
            "currentBlock": quantity(progress.current_block),
            "highestBlock": quantity(progress.highest_block),
        }

    def network_version(self) -> str:
        """The network id in decimal, which is the chain id."""
        return str(self._backend.ledger.genesis.spec.chain_id)

    def listening(self) -> bool:
        """Whether peers can connect."""
        return self._backend.status.is_listening()

    def peer_count(self) -> str:
        """How many peers are connected."""
        return quantity(len(self._backend.status.peers()))

    def client_version(self) -> str:
        """Name, version and platform of this node."""
        return self._backend.status.client_version()

    def sha3(self, value: bytes) -> str:
        """Keccak-256 of the given data."""
        return data(keccak256(value))

    def validators_by_number(self, selector: BlockSelector) -> list[str] | None:
        """The validators of a block, or null for an unknown one; ``pending`` gives those of the next block.

        As Besu answers: what the contract says after the block, or in header mode the set that the header carries.
        """
        header = self._backend.find_header(selector)
        if header is None:
            return None
        ledger = self._backend.ledger
        if selector.tag == "pending":
            return [data(validator) for validator in ledger.validators_after(header)]
        contract = ledger.genesis.spec.rules_at(header.number).validator_contract
        if contract is not None:
            return [data(validator) for validator in ledger.ask_contract(header, contract)]
        return [data(validator) for validator in sorted(decode_extra_data(header.extra_data).validators)]

    def validators_by_hash(self, block_hash: bytes) -> list[str] | None:
        """The validators of a block by its hash, or null."""
        return self.validators_by_number(BlockSelector(hash=block_hash))

    def signer_metrics(self, first: BlockSelector | None, last: BlockSelector) -> list[JsonObject]:
        """How many blocks each validator proposed from ``first`` to ``last``, and its last one.

        Left out, ``first`` makes it the last hundred blocks, as in Besu. The validators of the next block are always
        there; who proposes nothing is what this is asked for.
        """
        backend = self._backend
        end = backend.header(last).number
        start = max(0, end - SIGNER_METRICS_BLOCKS + 1) if first is None else backend.header(first).number
        deadline = backend.deadline()
        counts = dict.fromkeys(backend.ledger.validators_after(backend.head), (0, 0))
        for number in range(max(start, 1), end + 1):
            deadline.check("the count of proposals", f"it came to block {number} of {end}; ask for fewer blocks")
            proposer = backend.header_by_number(number).coinbase
            counts[proposer] = (counts.get(proposer, (0, 0))[0] + 1, number)
        return [
            {
                "address": data(address),
                "proposedBlockCount": quantity(count),
                "lastProposedBlockNumber": quantity(number),
            }
            for address, (count, number) in counts.items()
        ]

    def request_timeout_s(self) -> int:
        """The base of the round timeout at the next height, in seconds."""
        return self._backend.ledger.genesis.spec.rules_at(self._backend.head.number + 1).request_timeout_s

    def evidence(self, author: bytes | None, count: int) -> list[JsonObject]:
        """Who signed two different things for one height, round and kind: both signed payloads, highest height first.

        Of one validator, or of all. Each payload is the RLP of ``[payload, signature]``, the signature being over
        keccak256(RLP([code, payload])): anybody can recover its author.
        """
        return [
            {
                "validator": data(found.author),
                "kind": found.code.name.lower(),
                "code": quantity(found.code),
                "height": quantity(found.height),
                "round": quantity(found.round),
                "first": data(found.first),
                "second": data(found.second),
                "seenAt": quantity(found.seen_ms // 1000),
            }
            for found in islice(self._backend.status.evidence(author), min(count, EVIDENCE_COUNT_MAX))
        ]

    def founding_configuration(self) -> str | None:
        """The text of the genesis's configuration whose Keccak-256 block 0 has as vanity; null where it has none."""
        text = self._backend.ledger.genesis.founding_configuration
        return None if text is None else text.decode()

    def diagnosis(self) -> Diagnosis | None:
        """What ``cocket doctor`` reads, in plain numbers; null from a node without a network."""
        return self._backend.status.diagnosis()

    def status(self) -> JsonObject:
        """What ``cocket status`` shows: the chain, the round, the validators, the peers and the pool."""
        backend, node = self._backend, self._backend.status
        ledger = backend.ledger
        head = ledger.head
        address = node.address()
        validators = ledger.validators_after(head)
        pending, queued = backend.pool.status()
        round_number = node.round()
        return {
            "clientVersion": node.client_version(),
            "chainId": quantity(ledger.genesis.spec.chain_id),
            "genesisHash": data(ledger.genesis.hash),
            "height": quantity(head.number),
            "headHash": data(backend.hash_at(head.number)),
            "headTimestamp": quantity(head.timestamp),
            "headRound": None if head.number == 0 else quantity(round_of(head)),
            "stateRoot": data(head.state_root),
            "round": None if round_number is None else quantity(round_number),
            "validators": [data(validator) for validator in validators],
            "address": None if address is None else data(address),
            "isValidator": address is not None and address in validators,
            "enode": node.enode(),
            "expiring": [
                {
                    "what": each.what,
                    "participant": quantity(each.participant),
                    "authority": quantity(each.authority),
                    "expires": quantity(each.expires_s),
                }
                for each in self._expiry.expiring()[:EXPIRING_MAX]
            ],
            "peers": [
                {
                    "id": data(peer.node_id),
                    "endpoint": peer.endpoint,
                    "client": peer.client,
                    "isInbound": peer.is_inbound,
                    "height": None if peer.height is None else quantity(peer.height),
                }
                for peer in node.peers()
            ],
            "pool": {
                "pending": quantity(pending),
                "queued": quantity(queued),
                "bytes": quantity(backend.pool.size_bytes()),
            },
            "syncing": self.syncing(),
        }
