"""Every method on a small chain, through the endpoint: what it answers, and what it refuses."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from single_node import CHAIN_ID, ETHER, GAS_LIMIT, USER_KEYS, USERS, VALIDATOR, SingleChain, genesis_json

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import block_hash
from cocket.node.chain.transaction import sign_transaction
from cocket.node.consensus.messages import Code
from cocket.node.evidence import Evidence
from cocket.node.rpc.gateway import RpcGateway
from cocket.node.rpc.limits import DEFAULT_LIMITS, Limits
from cocket.node.rpc.status import PeerStatus, StandaloneStatus, SyncProgress

LOGGER = b"\x10" * 20
REVERTER = b"\x11" * 20
SPINNER = b"\x12" * 20
COUNTER = b"\x13" * 20

# calldata word 0 is logged as topic 1, the word 7 as data: PUSH1 7 PUSH1 0 MSTORE, CALLDATALOAD(0), LOG1(0, 32)
LOGGER_CODE = "6007600052600035602060 00a100".replace(" ", "")
# Error("no entry"): MSTORE selector, offset, length and text, REVERT(0, 100)
REVERT_DATA = (
    bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (8).to_bytes(32, "big") + b"no entry".ljust(32, b"\0")
)
REVERTER_CODE = (
    "".join(f"7f{REVERT_DATA.ljust(128, bytes(1))[at : at + 32].hex()}60{at:02x}52" for at in (0, 32, 64, 96))
    + "60646000fd"
)
SPINNER_CODE = "5b600056"
COUNTER_CODE = "6000546001018060005560005260206000f3"  # slot 0 += 1, returned

TOPIC_A, TOPIC_B = b"\xaa" * 32, b"\xbb" * 32

GENESIS = genesis_json(
    alloc={
        LOGGER.hex(): {"balance": "0x0", "code": "0x" + LOGGER_CODE},
        REVERTER.hex(): {"balance": "0x0", "code": "0x" + REVERTER_CODE},
        SPINNER.hex(): {"balance": "0x0", "code": "0x" + SPINNER_CODE},
        COUNTER.hex(): {"balance": "0x5", "code": "0x" + COUNTER_CODE, "storage": {"0x0": "0x29"}},
    }
)

PEER = PeerStatus(b"\x04" * 64, "192.0.2.1:30303", "Besu/v26", is_inbound=True, height=9)


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


class Node:
    """A gateway that is not served: bodies go to its endpoint, each in an event loop of the test."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS, genesis: bytes = GENESIS) -> None:
        self.chain = SingleChain(genesis)
        self.limits = limits
        self.status = StandaloneStatus("Cocket/test", VALIDATOR, (PEER,))
        self.announced: list[bytes] = []
        self.faults: list[str] = []

    def run(self, scenario: Callable[["Session"], Awaitable[None]]) -> None:
        async def main() -> None:
            gateway = RpcGateway(
                self.chain.ledger,
                self.chain.pool,
                self.status,
                port=0,
                limits=self.limits,
                on_transaction=lambda transaction: self.announced.append(transaction.hash),
                on_fault=lambda method, error: self.faults.append(f"{method}: {error!r}"),
            )
            try:
                await scenario(Session(self, gateway))
            finally:
                await gateway.stop()

        asyncio.run(main())

    def send(self, user: int, **fields: object) -> bytes:
        """Bring a transaction to the pool, and return its hash."""
        return self.chain.pool.add(self.signed(user, **fields))

    def signed(self, user: int, **fields: object) -> bytes:
        defaults: dict[str, object] = {
            "chain_id": CHAIN_ID,
            "nonce": self.chain.pool.next_nonce(USERS[user]),
            "gas_limit": 100_000,
            "to": USERS[0],
            "max_fee_per_gas": 0,
            "max_priority_fee_per_gas": 0,
        }
        return sign_transaction(USER_KEYS[user], **(defaults | fields))  # type: ignore[arg-type]


class Session:
    def __init__(self, node: Node, gateway: RpcGateway) -> None:
        self.node = node
        self.gateway = gateway

    async def answer(self, method: str, *params: object) -> dict[str, object]:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        raw = await self.gateway.endpoint.answer(body)
        assert raw is not None
        assert not self.node.faults, self.node.faults
        shaped: dict[str, object] = json.loads(raw)
        return shaped

    async def ask(self, method: str, *params: object) -> object:
        answer = await self.answer(method, *params)
        assert "result" in answer, answer
        return answer["result"]

    async def ask_object(self, method: str, *params: object) -> dict[str, object]:
        found = await self.ask(method, *params)
        assert isinstance(found, dict)
        return found

    async def ask_list(self, method: str, *params: object) -> list[object]:
        found = await self.ask(method, *params)
        assert isinstance(found, list)
        return found

    async def refusal(self, method: str, *params: object) -> tuple[int, str, object]:
        error = (await self.answer(method, *params))["error"]
        assert isinstance(error, dict)
        return error["code"], error["message"], error.get("data")


@pytest.fixture
def node() -> Node:
    """A chain of three blocks: a transfer; two logs and a create; nothing."""
    made = Node()
    made.send(1, value=5, to=USERS[2])
    made.chain.seal()
    made.send(1, to=LOGGER, data=TOPIC_A)
    made.send(2, to=LOGGER, data=TOPIC_B, max_fee_per_gas=None, max_priority_fee_per_gas=None, gas_price=0)
    made.send(3, to=None, data=bytes.fromhex("600160005360016000f3"), access_list=((COUNTER, (0, 1)),))
    made.chain.seal()
    made.chain.seal()
    return made


def test_the_chain_and_the_node_are_named(node: Node) -> None:
    async def scenario(session: Session) -> None:
        assert await session.ask("eth_chainId") == hex(CHAIN_ID)
        assert await session.ask("net_version") == str(CHAIN_ID)
        assert await session.ask("net_listening") is False
        assert await session.ask("net_peerCount") == "0x1"
        assert await session.ask("web3_clientVersion") == "Cocket/test"
        assert await session.ask("web3_sha3", "0x68") == hexed(keccak256(b"h"))
        assert await session.ask("eth_syncing") is False
        assert await session.ask("eth_accounts") == []
        assert await session.ask("eth_blockNumber") == "0x3"
        assert await session.ask("qbft_getRequestTimeoutSeconds") == 4

    node.run(scenario)


def test_progress_is_told_while_catching_up(node: Node) -> None:
    node.status = StandaloneStatus(progress=SyncProgress(1, 3, 16))

    async def scenario(session: Session) -> None:
        expected = {"startingBlock": "0x1", "currentBlock": "0x3", "highestBlock": "0x10"}
        assert await session.ask("eth_syncing") == expected

    node.run(scenario)


def test_validators_are_told_by_number_hash_and_tag(node: Node) -> None:
    async def scenario(session: Session) -> None:
        for selector in ("latest", "pending", "earliest", "0x2"):
            assert await session.ask("qbft_getValidatorsByBlockNumber", selector) == [hexed(VALIDATOR)]
        head = hexed(node.chain.ledger.head_hash)
        assert await session.ask("qbft_getValidatorsByBlockHash", head) == [hexed(VALIDATOR)]
        assert await session.ask("qbft_getValidatorsByBlockHash", hexed(bytes(32))) is None
        assert await session.ask("qbft_getValidatorsByBlockNumber", "0x99") is None

    node.run(scenario)


def test_proposals_are_counted(node: Node) -> None:
    async def scenario(session: Session) -> None:
        whole = {"address": hexed(VALIDATOR), "proposedBlockCount": "0x3", "lastProposedBlockNumber": "0x3"}
        assert await session.ask("qbft_getSignerMetrics") == [whole]
        assert await session.ask("qbft_getSignerMetrics", "earliest", "latest") == [whole]
        part = {**whole, "proposedBlockCount": "0x1", "lastProposedBlockNumber": "0x2"}
        assert await session.ask("qbft_getSignerMetrics", "0x2", "0x2") == [part]
        none = {**whole, "proposedBlockCount": "0x0", "lastProposedBlockNumber": "0x0"}
        assert await session.ask("qbft_getSignerMetrics", "0x3", "0x2") == [none]
        assert (await session.refusal("qbft_getSignerMetrics", "0x9"))[0] == -32001

    node.run(scenario)


def test_evidence_of_equivocation_is_listed_by_validator_and_bounded() -> None:
    kept = tuple(
        Evidence(author, Code.PREPARE, height, 1, b"first", b"second", 1_700_000_000_999)
        for author, height in ((USERS[0], 9), (USERS[1], 8), (USERS[0], 7))
    )

    async def scenario(session: Session) -> None:
        found = await session.ask("qbft_getEvidence")
        assert isinstance(found, list)
        assert found[0] == {
            "validator": hexed(USERS[0]),
            "kind": "prepare",
            "code": "0x13",
            "height": "0x9",
            "round": "0x1",
            "first": hexed(b"first"),
            "second": hexed(b"second"),
            "seenAt": hex(1_700_000_000),
        }
        assert [row["height"] for row in found] == ["0x9", "0x8", "0x7"]
        of_one = await session.ask("qbft_getEvidence", hexed(USERS[0]))
        assert [row["height"] for row in of_one] == ["0x9", "0x7"]  # type: ignore[attr-defined]
        assert len(await session.ask("qbft_getEvidence", None, "0x1")) == 1  # type: ignore[arg-type]
        assert await session.ask("qbft_getEvidence", hexed(USERS[2])) == []
        assert (await session.refusal("qbft_getEvidence", "0x12"))[0] == -32602
        assert (await session.refusal("qbft_getEvidence", None, -1))[0] == -32602

    node = Node()
    node.status = StandaloneStatus("Cocket/test", VALIDATOR, (PEER,), None, kept)
    node.run(scenario)


def test_a_founding_configuration_is_told_where_block_0_has_its_hash(node: Node) -> None:
    async def scenario(session: Session) -> None:
        assert await session.ask("cocket_foundingConfiguration") is None  # a genesis of Besu's has none

    node.run(scenario)


def test_a_node_without_a_network_has_no_diagnosis(node: Node) -> None:
    async def scenario(session: Session) -> None:
        assert await session.ask("cocket_diagnosis") is None
        assert (await session.refusal("cocket_diagnosis", "0x1"))[0] == -32602

    node.run(scenario)


def test_the_status_has_what_the_command_line_shows(node: Node) -> None:
    async def scenario(session: Session) -> None:
        node.send(4)
        status = await session.ask_object("cocket_status")
        head = node.chain.ledger.head
        assert (status["height"], status["headHash"]) == ("0x3", hexed(node.chain.ledger.head_hash))
        assert (status["round"], status["headRound"]) == ("0x0", "0x0")
        assert status["validators"] == [hexed(VALIDATOR)]
        assert (status["address"], status["isValidator"]) == (hexed(VALIDATOR), True)
        assert status["stateRoot"] == hexed(head.state_root)
        pool = status["pool"]
        assert isinstance(pool, dict)
        assert (pool["pending"], pool["queued"]) == ("0x1", "0x0")
        peers = status["peers"]
        assert isinstance(peers, list)
        assert peers == [
            {
                "id": "0x" + "04" * 64,
                "endpoint": "192.0.2.1:30303",
                "client": "Besu/v26",
                "isInbound": True,
                "height": "0x9",
            }
        ]
        json.dumps(status)

    node.run(scenario)


def test_a_block_has_all_its_members(node: Node) -> None:
    async def scenario(session: Session) -> None:
        header = node.chain.ledger.header_by_number(2)
        assert header is not None
        block = await session.ask_object("eth_getBlockByNumber", "0x2", False)
        assert block == await session.ask_object("eth_getBlockByHash", hexed(block_hash(header)), False)
        assert block["hash"] == hexed(block_hash(header))
        assert block["miner"] == hexed(VALIDATOR)
        assert block["difficulty"] == "0x1"
        assert block["totalDifficulty"] == "0x3"
        assert block["extraData"] == hexed(header.extra_data)
        assert block["gasLimit"] == hex(GAS_LIMIT)
        assert block["baseFeePerGas"] == "0x0"
        assert block["uncles"] == block["withdrawals"] == []
        assert (block["blobGasUsed"], block["excessBlobGas"]) == ("0x0", "0x0")
        assert block["parentBeaconBlockRoot"] == hexed(bytes(32))
        assert len(str(block["withdrawalsRoot"])) == 66
        stored = node.chain.ledger.block_by_number(2)
        assert stored is not None
        assert block["transactions"] == [hexed(keccak256(raw)) for raw in stored.transactions]
        assert int(str(block["size"]), 16) > 600
        full = await session.ask_object("eth_getBlockByNumber", "latest", True)
        assert (full["number"], full["transactions"]) == ("0x3", [])

    node.run(scenario)


def test_block_tags_are_the_head_and_the_genesis(node: Node) -> None:
    async def scenario(session: Session) -> None:
        for tag in ("latest", "safe", "finalized", "pending"):
            assert (await session.ask_object("eth_getBlockByNumber", tag))["number"] == "0x3"
        genesis = await session.ask_object("eth_getBlockByNumber", "earliest")
        assert (genesis["number"], genesis["hash"]) == ("0x0", hexed(node.chain.ledger.genesis.hash))
        assert await session.ask("eth_getBlockByNumber", "0x4") is None
        assert await session.ask("eth_getBlockByNumber", hex(2**64 - 1)) is None
        assert await session.ask("eth_getBlockByHash", hexed(bytes(32))) is None
        assert (await session.refusal("eth_getBlockByNumber", "0x04"))[0] == -32602
        assert (await session.refusal("eth_getBlockByNumber", "newest"))[0] == -32602
        assert (await session.refusal("eth_getBlockByNumber", hex(2**64)))[0] == -32602

    node.run(scenario)


def test_counts_of_transactions_and_uncles(node: Node) -> None:
    async def scenario(session: Session) -> None:
        head = hexed(node.chain.ledger.head_hash)
        assert await session.ask("eth_getBlockTransactionCountByNumber", "0x2") == "0x3"
        assert await session.ask("eth_getBlockTransactionCountByHash", head) == "0x0"
        assert await session.ask("eth_getBlockTransactionCountByNumber", "0x9") is None
        assert await session.ask("eth_getUncleCountByBlockNumber", "0x2") == "0x0"
        assert await session.ask("eth_getUncleCountByBlockHash", head) == "0x0"
        assert await session.ask("eth_getUncleCountByBlockHash", hexed(bytes(32))) is None

    node.run(scenario)


def test_transactions_of_each_type_are_shown(node: Node) -> None:
    async def scenario(session: Session) -> None:
        block = await session.ask_object("eth_getBlockByNumber", "0x2", True)
        transactions = block["transactions"]
        assert isinstance(transactions, list)
        by_type = {transaction["type"]: transaction for transaction in transactions}
        assert set(by_type) == {"0x0", "0x1", "0x2"} or set(by_type) == {"0x0", "0x2"}
        legacy, fee_market = by_type["0x0"], by_type["0x2"]
        assert int(legacy["v"], 16) - 35 - 2 * CHAIN_ID in (0, 1)
        assert "yParity" not in legacy
        assert "maxFeePerGas" not in legacy
        assert fee_market["yParity"] == fee_market["v"]
        assert (fee_market["maxFeePerGas"], fee_market["gasPrice"]) == ("0x0", "0x0")
        create = next(transaction for transaction in transactions if transaction["to"] is None)
        assert create["accessList"] == [
            {"address": hexed(COUNTER), "storageKeys": [hexed(bytes(32)), hexed(bytes(31) + b"\1")]}
        ]
        for index, transaction in enumerate(transactions):
            assert transaction["transactionIndex"] == hex(index)
            assert await session.ask("eth_getTransactionByHash", transaction["hash"]) == transaction
            assert await session.ask("eth_getTransactionByBlockNumberAndIndex", "0x2", hex(index)) == transaction
            by_hash = await session.ask("eth_getTransactionByBlockHashAndIndex", block["hash"], hex(index))
            assert by_hash == transaction
            raw = str(await session.ask("eth_getRawTransactionByHash", transaction["hash"]))
            assert hexed(keccak256(bytes.fromhex(raw[2:]))) == transaction["hash"]
        assert await session.ask("eth_getTransactionByBlockNumberAndIndex", "0x2", "0x3") is None
        assert await session.ask("eth_getTransactionByBlockNumberAndIndex", "0x9", "0x0") is None
        assert await session.ask("eth_getTransactionByHash", hexed(bytes(32))) is None
        assert await session.ask("eth_getRawTransactionByHash", hexed(bytes(32))) is None

    node.run(scenario)


def test_receipts_count_gas_and_logs_through_the_block(node: Node) -> None:
    async def scenario(session: Session) -> None:
        receipts = await session.ask_list("eth_getBlockReceipts", "0x2")
        assert len(receipts) == 3
        gas, log_index = 0, 0
        for index, receipt in enumerate(receipts):
            assert isinstance(receipt, dict)
            gas += int(receipt["gasUsed"], 16)
            assert (receipt["cumulativeGasUsed"], receipt["transactionIndex"]) == (hex(gas), hex(index))
            assert receipt["status"] == "0x1"
            assert receipt["effectiveGasPrice"] == "0x0"
            for log in receipt["logs"]:
                assert (log["logIndex"], log["transactionIndex"]) == (hex(log_index), hex(index))
                assert log["removed"] is False
                log_index += 1
            assert await session.ask("eth_getTransactionReceipt", receipt["transactionHash"]) == receipt
            assert (receipt["contractAddress"] is None) == (receipt["to"] is not None)
        assert log_index == 2
        created = next(receipt for receipt in receipts if isinstance(receipt, dict) and receipt["contractAddress"])
        assert isinstance(created, dict)
        assert await session.ask("eth_getCode", created["contractAddress"]) == "0x01"
        assert await session.ask("eth_getBlockReceipts", "0x9") is None
        assert await session.ask("eth_getTransactionReceipt", hexed(bytes(32))) is None

    node.run(scenario)


def test_accounts_are_read_now_and_in_the_past(node: Node) -> None:
    async def scenario(session: Session) -> None:
        user = hexed(USERS[2])
        assert await session.ask("eth_getBalance", user) == hex(1000 * ETHER + 5)
        first = node.chain.ledger.hash_by_number(1)
        assert first is not None
        for selector in ("0x1", {"blockNumber": "0x1"}, {"blockHash": hexed(first)}):
            assert await session.ask("eth_getBalance", user, selector) == hex(1000 * ETHER + 5)
            assert await session.ask("eth_getTransactionCount", user, selector) == "0x0"
        assert await session.ask("eth_getBalance", user, "earliest") == hex(1000 * ETHER)
        assert await session.ask("eth_getTransactionCount", user, "latest") == "0x1"
        assert await session.ask("eth_getCode", hexed(COUNTER), "earliest") == "0x" + COUNTER_CODE
        assert await session.ask("eth_getCode", user) == "0x"
        for slot in ("0x0", hexed(bytes(32)), "0x00"):
            assert await session.ask("eth_getStorageAt", hexed(COUNTER), slot, "latest") == hexed(bytes(31) + b"\x29")
        assert await session.ask("eth_getStorageAt", hexed(COUNTER), "0x1", "0x0") == hexed(bytes(32))
        assert await session.ask("eth_getBalance", hexed(b"\x99" * 20)) == "0x0"
        assert (await session.refusal("eth_getBalance", user, "0x9"))[0] == -32001
        assert (await session.refusal("eth_getBalance", user, {"blockHash": hexed(bytes(32))}))[0] == -32001
        assert (await session.refusal("eth_getBalance", user[:-2]))[0] == -32602
        assert (await session.refusal("eth_getBalance"))[0] == -32602

    node.run(scenario)


def test_the_pending_nonce_counts_the_pool(node: Node) -> None:
    async def scenario(session: Session) -> None:
        user = hexed(USERS[5])
        for _ in range(3):
            node.send(5)
        node.send(5, nonce=7)
        assert await session.ask("eth_getTransactionCount", user, "pending") == "0x3"
        assert await session.ask("eth_getTransactionCount", user, "latest") == "0x0"
        assert await session.ask("eth_getTransactionCount", hexed(USERS[6]), "pending") == "0x0"
        assert await session.ask("txpool_status") == {"pending": "0x3", "queued": "0x1"}

    node.run(scenario)


def test_proofs_repeat_the_asked_slots_and_are_bounded(node: Node) -> None:
    node.limits = Limits(proof_slots_max=2)

    async def scenario(session: Session) -> None:
        long = hexed((1).to_bytes(32, "big"))
        proof = await session.ask_object("eth_getProof", hexed(COUNTER), ["0x0", long], "latest")
        slots = proof["storageProof"]
        assert isinstance(slots, list)
        assert [(slot["key"], slot["value"]) for slot in slots] == [("0x0", "0x29"), (long, "0x0")]
        assert proof["balance"] == "0x5"
        absent = await session.ask_object("eth_getProof", hexed(b"\x99" * 20), [])
        assert (absent["nonce"], absent["balance"]) == ("0x0", "0x0")
        assert absent["storageHash"] == "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
        assert (await session.refusal("eth_getProof", hexed(COUNTER), ["0x0"] * 3))[0] == -32005
        assert (await session.refusal("eth_getProof", hexed(COUNTER), "0x0"))[0] == -32602
        assert (await session.refusal("eth_getProof", hexed(COUNTER), [0]))[0] == -32602

    node.run(scenario)


def test_a_call_returns_and_changes_nothing(node: Node) -> None:
    async def scenario(session: Session) -> None:
        call = {"to": hexed(COUNTER)}
        for _ in range(2):
            assert await session.ask("eth_call", call, "latest") == hexed((42).to_bytes(32, "big"))
        assert await session.ask("eth_call", call, "earliest", {}, None) == hexed((42).to_bytes(32, "big"))
        assert await session.ask("eth_call", {"data": "0x602a60005260206000f3"}) == hexed((42).to_bytes(32, "big"))
        assert await session.ask("eth_call", {"to": hexed(USERS[0]), "from": hexed(USERS[1]), "value": "0x1"}) == "0x"
        estimate = int(str(await session.ask("eth_estimateGas", call)), 16)
        assert 26_000 < estimate < 50_000
        assert await session.ask("eth_estimateGas", {"to": hexed(USERS[0])}) == hex(21_000)

    node.run(scenario)


def test_a_revert_is_code_three_with_its_data(node: Node) -> None:
    async def scenario(session: Session) -> None:
        for method in ("eth_call", "eth_estimateGas"):
            refusal = await session.refusal(method, {"to": hexed(REVERTER)})
            assert refusal == (3, "execution reverted: no entry", hexed(REVERT_DATA))
        panic = "0x634e487b7160e01b600052601160045260246000fd"
        code, message, _ = await session.refusal("eth_call", {"data": panic})
        assert (code, message) == (3, "execution reverted: panic 0x11")
        bare = await session.refusal("eth_call", {"data": "0x60006000fd"})
        assert bare == (3, "execution reverted", "0x")

    node.run(scenario)


def test_a_call_that_fails_otherwise_says_how(node: Node) -> None:
    node.limits = Limits(call_gas_max=200_000)

    async def scenario(session: Session) -> None:
        assert (await session.refusal("eth_call", {"to": hexed(SPINNER), "gas": "0xffffffffff"}))[:1] == (-32000,)
        poor = {"from": hexed(b"\x99" * 20), "to": hexed(USERS[0]), "value": "0x1"}
        code, message, _ = await session.refusal("eth_call", poor)
        assert (code, "balance" in message) == (-32000, True)
        code, message, _ = await session.refusal("eth_call", {"to": hexed(COUNTER), "gas": "0x1"})
        assert (code, "out of gas" in message) == (-32000, True)

    node.run(scenario)


def test_a_call_that_takes_too_long_is_ended(node: Node) -> None:
    node.limits = Limits(call_s=0.05)

    async def scenario(session: Session) -> None:
        for method in ("eth_call", "eth_estimateGas"):
            code, message, _ = await session.refusal(method, {"to": hexed(SPINNER), "gas": "0x1c9c380"})
            assert (code, "took over 0.05 s" in message) == (-32005, True)

    node.run(scenario)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("0x", -32602), ([], -32602), ({"to": "0x12"}, -32602), ({"too": "0x"}, -32602), ({"gas": -1}, -32602),
        ({"data": "0x1"}, -32602), ({"data": "0x01", "input": "0x02"}, -32602), ({"value": "0x" + "f" * 65}, -32602),
        ({"accessList": {}}, -32602), ({"accessList": [{"address": "0x"}]}, -32602),
        ({"accessList": [{"address": "0x" + "11" * 20, "storageKeys": ["0x0"]}]}, -32602),
        ({"accessList": [{"address": "0x" + "11" * 20, "storageKeys": ["0x" + "00" * 32] * 2000}]}, -32005),
        ({"blobVersionedHashes": []}, -32602),
    ],
)  # fmt: skip
def test_a_malformed_call_is_refused(node: Node, call: object, code: int) -> None:
    async def scenario(session: Session) -> None:
        assert (await session.refusal("eth_call", call))[0] == code

    node.run(scenario)


def test_overrides_are_refused_by_name(node: Node) -> None:
    async def scenario(session: Session) -> None:
        overrides = {hexed(COUNTER): {"balance": "0x1"}}
        assert (await session.refusal("eth_call", {"to": hexed(COUNTER)}, "latest", overrides))[0] == -32004

    node.run(scenario)


def test_prices_are_zero_on_a_free_chain(node: Node) -> None:
    async def scenario(session: Session) -> None:
        assert await session.ask("eth_gasPrice") == "0x0"
        assert await session.ask("eth_maxPriorityFeePerGas") == "0x0"
        history = await session.ask_object("eth_feeHistory", "0x2", "latest", [0, 50, 100])
        assert history["oldestBlock"] == "0x2"
        assert history["baseFeePerGas"] == ["0x0"] * 3
        assert history["reward"] == [["0x0"] * 3] * 2
        ratios = history["gasUsedRatio"]
        assert isinstance(ratios, list)
        assert 0 < ratios[0] < 0.01
        assert ratios[1] == 0
        assert "reward" not in await session.ask_object("eth_feeHistory", 100, "0x1")
        empty = await session.ask_object("eth_feeHistory", "0x0", "latest")
        assert empty["gasUsedRatio"] == []

    node.run(scenario)


def test_prices_follow_the_base_fee_and_the_tips() -> None:
    paid = Node(genesis=genesis_json(zero_base_fee=False))
    gwei = 10**9
    for user, tip in ((1, 1), (2, 2), (3, 3)):
        paid.send(user, max_fee_per_gas=5 * gwei, max_priority_fee_per_gas=tip * gwei)
    paid.chain.seal()

    async def scenario(session: Session) -> None:
        history = await session.ask_object("eth_feeHistory", "0x1", "latest", [0, 50, 100])
        assert history["reward"] == [[hex(gwei), hex(2 * gwei), hex(3 * gwei)]]
        base_fees = history["baseFeePerGas"]
        assert isinstance(base_fees, list)
        assert await session.ask("eth_gasPrice") == base_fees[1]
        receipts = await session.ask_list("eth_getBlockReceipts", "latest")
        prices = sorted(int(receipt["effectiveGasPrice"], 16) for receipt in receipts if isinstance(receipt, dict))
        assert prices == [int(base_fees[0], 16) + tip * gwei for tip in (1, 2, 3)]

    paid.run(scenario)


@pytest.mark.parametrize("percentiles", ["0x1", [101], [-1], [2, 1], ["1"], [True], [0] * 101])
def test_odd_percentiles_are_refused(node: Node, percentiles: object) -> None:
    async def scenario(session: Session) -> None:
        assert (await session.refusal("eth_feeHistory", "0x1", "latest", percentiles))[0] == -32602

    node.run(scenario)


def test_logs_are_found_by_address_topic_and_range(node: Node) -> None:
    async def scenario(session: Session) -> None:
        async def topics(query: dict[str, object]) -> list[str]:
            logs = await session.ask_list("eth_getLogs", {"fromBlock": "earliest", **query})
            return sorted(log["topics"][0] for log in logs if isinstance(log, dict))

        both = [hexed(TOPIC_A), hexed(TOPIC_B)]
        assert await topics({}) == both
        assert await topics({"address": hexed(LOGGER)}) == both
        assert await topics({"address": [hexed(COUNTER), hexed(LOGGER)]}) == both
        assert await topics({"address": hexed(COUNTER)}) == []
        assert await topics({"topics": [hexed(TOPIC_B)]}) == [hexed(TOPIC_B)]
        assert await topics({"topics": [both]}) == both
        assert await topics({"topics": [None]}) == both
        assert await topics({"topics": [[]]}) == both
        assert await topics({"topics": [None, None]}) == []
        assert await topics({"topics": [], "toBlock": "0x1"}) == []
        assert await topics({"fromBlock": "0x2", "toBlock": "0x2"}) == both
        assert await topics({"toBlock": "0x99"}) == both
        assert await session.ask("eth_getLogs", {}) == []
        second = node.chain.ledger.hash_by_number(2)
        assert second is not None
        logs = await session.ask_list("eth_getLogs", {"blockHash": hexed(second), "topics": [hexed(TOPIC_A)]})
        assert len(logs) == 1
        log = logs[0]
        assert isinstance(log, dict)
        assert (log["address"], log["data"]) == (hexed(LOGGER), hexed((7).to_bytes(32, "big")))
        assert (log["blockNumber"], log["blockHash"]) == ("0x2", hexed(second))

    node.run(scenario)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (None, -32602), ("0x", -32602), ({"from": "0x1"}, -32602), ({"address": "0x12"}, -32602),
        ({"topics": "0x12"}, -32602), ({"topics": [None] * 5}, -32602), ({"topics": ["0x12"]}, -32602),
        ({"fromBlock": "0x3", "toBlock": "0x1"}, -32602), ({"blockHash": "0x" + "00" * 32}, -32001),
        ({"blockHash": "0x" + "00" * 32, "fromBlock": "0x1"}, -32602),
        ({"address": ["0x" + "00" * 20] * 300}, -32005), ({"topics": [["0x" + "00" * 32] * 300]}, -32005),
    ],
)  # fmt: skip
def test_a_malformed_log_filter_is_refused(node: Node, query: object, code: int) -> None:
    async def scenario(session: Session) -> None:
        assert (await session.refusal("eth_getLogs", query))[0] == code

    node.run(scenario)


def test_a_log_search_is_bounded(node: Node) -> None:
    node.send(1, to=LOGGER, data=TOPIC_B)
    node.chain.seal()
    node.limits = Limits(log_blocks_max=4, logs_max=2)

    async def scenario(session: Session) -> None:
        code, message, _ = await session.refusal("eth_getLogs", {"fromBlock": "0x0"})
        assert (code, "5 blocks, at most 4" in message) == (-32005, True)
        code, message, _ = await session.refusal("eth_getLogs", {"fromBlock": "0x1"})
        assert (code, "over 2 logs" in message, "before block 4" in message) == (-32005, True, True)
        assert len(await session.ask_list("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x3"})) == 2
        assert len(await session.ask_list("eth_getLogs", {"fromBlock": "0x1", "topics": [hexed(TOPIC_A)]})) == 1

    node.run(scenario)


def test_a_log_search_that_takes_too_long_says_how_far_it_came(node: Node) -> None:
    node.limits = Limits(call_s=-1)

    async def scenario(session: Session) -> None:
        code, message, _ = await session.refusal("eth_getLogs", {"fromBlock": "0x2"})
        assert (code, "the first 2 logs are before block 3" in message) == (-32005, True)
        assert len(await session.ask_list("eth_getLogs", {"fromBlock": "0x2", "toBlock": "0x2"})) == 2

    node.run(scenario)


def test_a_filter_that_lags_gets_its_changes_in_parts(node: Node) -> None:
    node.limits = Limits(logs_max=2, log_blocks_max=3)

    async def scenario(session: Session) -> None:
        filter_id = await session.ask("eth_newFilter", {})
        for _ in range(5):
            node.send(1, to=LOGGER, data=TOPIC_B)
            node.chain.seal()
        parts = [await session.ask_list("eth_getFilterChanges", filter_id) for _ in range(4)]
        numbers = [[log["blockNumber"] for log in part if isinstance(log, dict)] for part in parts]
        assert numbers == [["0x4", "0x5"], ["0x6", "0x7"], ["0x8"], []]

    node.run(scenario)


def test_filters_tell_what_is_new_once(node: Node) -> None:
    async def scenario(session: Session) -> None:
        logs = await session.ask("eth_newFilter", {"fromBlock": "0x0", "address": hexed(LOGGER)})
        late = await session.ask("eth_newFilter", {"fromBlock": "0x5"})
        blocks = await session.ask("eth_newBlockFilter")
        for filter_id in (logs, blocks):
            assert await session.ask("eth_getFilterChanges", filter_id) == []
        assert len(await session.ask_list("eth_getFilterLogs", logs)) == 2
        for _ in range(2):
            node.send(1, to=LOGGER, data=TOPIC_B)
            node.chain.seal()
        found = await session.ask_list("eth_getFilterChanges", logs)
        assert [log["blockNumber"] for log in found if isinstance(log, dict)] == ["0x4", "0x5"]
        assert await session.ask("eth_getFilterChanges", logs) == []
        assert len(await session.ask_list("eth_getFilterChanges", late)) == 1
        hashes = [node.chain.ledger.hash_by_number(number) for number in (4, 5)]
        assert await session.ask("eth_getFilterChanges", blocks) == [hexed(hash_) for hash_ in hashes if hash_]
        assert (await session.refusal("eth_getFilterLogs", blocks))[0] == -32602
        assert await session.ask("eth_uninstallFilter", logs) is True
        assert await session.ask("eth_uninstallFilter", logs) is False
        assert (await session.refusal("eth_getFilterChanges", logs))[0] == -32001
        assert (await session.refusal("eth_getFilterChanges", 5))[0] == -32602

    node.run(scenario)


def test_sent_transactions_are_announced_filtered_and_told_of(node: Node) -> None:
    async def scenario(session: Session) -> None:
        pending = await session.ask("eth_newPendingTransactionFilter")
        raw = node.signed(7)
        sent = await session.ask("eth_sendRawTransaction", hexed(raw))
        assert sent == hexed(keccak256(raw))
        assert node.announced == [keccak256(raw)]
        assert await session.ask("eth_getFilterChanges", pending) == [sent]
        assert await session.ask("eth_getFilterChanges", pending) == []
        assert await session.ask("eth_sendRawTransaction", hexed(raw)) == sent
        assert node.announced == [keccak256(raw)]
        waiting = await session.ask_object("eth_getTransactionByHash", sent)
        assert (waiting["blockHash"], waiting["from"]) == (None, hexed(USERS[7]))
        assert await session.ask("eth_getRawTransactionByHash", sent) == hexed(raw)
        assert await session.ask("eth_getTransactionReceipt", sent) is None
        assert await session.ask("cocket_transactionStatus", sent) == {"status": "pending"}
        queued = await session.ask("eth_sendRawTransaction", hexed(node.signed(7, nonce=5)))
        told = await session.ask_object("cocket_transactionStatus", queued)
        assert (told["status"], told["reason"]) == ("queued", "it has nonce 5, nonce 1 is missing")
        node.chain.seal()
        final = await session.ask_object("cocket_transactionStatus", sent)
        assert (final["status"], final["blockNumber"]) == ("final", "0x4")
        node.chain.pool.drop(bytes.fromhex(str(queued)[2:]), "too slow")
        dropped = await session.ask_object("cocket_transactionStatus", queued)
        assert dropped == {"status": "dropped", "reason": "too slow"}
        assert await session.ask("cocket_transactionStatus", hexed(bytes(32))) == {"status": "unknown"}

    node.run(scenario)


def test_a_refused_transaction_has_its_reason(node: Node) -> None:
    async def scenario(session: Session) -> None:
        used = node.signed(1, nonce=0)
        foreign = node.signed(1, chain_id=1)
        unprotected = node.signed(1, chain_id=None, max_fee_per_gas=None, max_priority_fee_per_gas=None)
        large = b"\x02" + bytes(200_000)
        for raw, reason in (
            (used, "nonce"),
            (foreign, "chain id"),
            (unprotected, "unprotected"),
            (large, "131072"),
            (b"", "transaction"),
            (b"\x03\xc0", "transaction"),
            (b"\xc0", "transaction"),
        ):
            code, message, _ = await session.refusal("eth_sendRawTransaction", hexed(raw))
            assert (code, reason in message) == (-32003, True), message
        assert (await session.refusal("eth_sendRawTransaction", "0x0"))[0] == -32602
        assert node.announced == []

    node.run(scenario)


def test_many_transactions_at_once_are_taken_in_order(node: Node) -> None:
    async def scenario(session: Session) -> None:
        raws = [node.signed(8, nonce=nonce) for nonce in range(200)]
        answers = await asyncio.gather(*(session.ask("eth_sendRawTransaction", hexed(raw)) for raw in raws))
        assert answers == [hexed(keccak256(raw)) for raw in raws]
        assert node.chain.pool.status() == (200, 0)

    node.run(scenario)


def test_too_many_waiting_transactions_are_told_as_busy(node: Node) -> None:
    node.limits = Limits(submission_queue_max=2)

    async def scenario(session: Session) -> None:
        raws = [node.signed(8, nonce=nonce) for nonce in range(10)]
        answers = await asyncio.gather(*(session.answer("eth_sendRawTransaction", hexed(raw)) for raw in raws))
        refused = [answer["error"] for answer in answers if "error" in answer]
        assert 0 < len(refused) < 10
        assert all(isinstance(error, dict) and error["code"] == -32002 for error in refused)
        assert await session.ask("eth_sendRawTransaction", hexed(raws[-1])) == hexed(keccak256(raws[-1]))

    node.run(scenario)


@pytest.mark.parametrize(
    ("method", "word"),
    [
        ("eth_sendTransaction", "eth_sendRawTransaction"),
        ("eth_subscribe", "WebSocket"),
    ],
)
def test_what_is_not_offered_says_why(node: Node, method: str, word: str) -> None:
    async def scenario(session: Session) -> None:
        code, message, _ = await session.refusal(method, "anything", {})
        assert (code, word in message) == (-32004, True)

    node.run(scenario)


FUZZED = Node(Limits(call_s=0.2))
METHOD_NAMES = sorted(RpcGateway(FUZZED.chain.ledger, FUZZED.chain.pool, FUZZED.status).endpoint.dispatcher.methods)
TEXTS = ["latest", "earliest", "pending", "0x0", "0x1", "0x", "0x" + "f" * 64, "0x02c0", hexed(bytes(32))]
ADDRESSES = [hexed(COUNTER), hexed(LOGGER), hexed(SPINNER)]
OBJECTS = [
    {"to": hexed(COUNTER)},
    {"to": hexed(REVERTER)},
    {"data": "0xfe"},
    {"fromBlock": "0x0"},
    {"blockNumber": "0x0"},
]
ODDITIES = [["0x0"], [], {}, None, True, 0, 1.5, -1, 2**70, [1, 50]]
PLAUSIBLE = st.sampled_from([*TEXTS, *ADDRESSES, *OBJECTS, *ODDITIES])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(METHOD_NAMES), st.lists(PLAUSIBLE | JSON, max_size=4))
def test_no_parameters_cause_a_fault_of_ours(method: str, params: list[object]) -> None:
    async def scenario(session: Session) -> None:
        answer = await session.answer(method, *params)
        assert ("result" in answer) != ("error" in answer)

    FUZZED.run(scenario)


ASKED = """
eth_chainId eth_blockNumber eth_getBlockByNumber eth_getBlockByHash eth_getBlockReceipts eth_getTransactionByHash
eth_getTransactionByBlockNumberAndIndex eth_getTransactionByBlockHashAndIndex eth_getTransactionReceipt
eth_getTransactionCount eth_getBalance eth_getCode eth_getStorageAt eth_getProof eth_call eth_estimateGas eth_gasPrice
eth_maxPriorityFeePerGas eth_feeHistory eth_sendRawTransaction eth_getLogs eth_newFilter eth_newBlockFilter
eth_newPendingTransactionFilter eth_getFilterChanges eth_getFilterLogs eth_uninstallFilter eth_syncing net_version
net_listening net_peerCount web3_clientVersion web3_sha3 qbft_getValidatorsByBlockNumber
qbft_getValidatorsByBlockHash txpool_status
"""


def test_every_promised_method_is_there() -> None:
    assert set(ASKED.split()) <= set(METHOD_NAMES)
