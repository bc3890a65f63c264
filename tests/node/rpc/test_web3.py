"""web3.py as a user has it, against a real server over a chain of one validator."""

from collections.abc import Iterator

import pytest
import vyper
from eth_account import Account as EthAccount
from eth_account.signers.local import LocalAccount
from single_node import CHAIN_ID, ETHER, USER_KEYS, SingleChain, served
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import (
    BadFunctionCallOutput,
    BlockNotFound,
    ContractLogicError,
    TransactionNotFound,
    Web3RPCError,
)
from web3.middleware import ExtraDataToPOAMiddleware, SignAndSendRawMiddlewareBuilder
from web3.types import TxReceipt

from cocket.node.chain.proof import verify_account_proof
from cocket.node.rpc.limits import Limits

SOURCE = """
# pragma version 0.4.3
# pragma evm-version london

event Anchored:
    issuer: indexed(address)
    batch: indexed(bytes32)
    size: uint256

roots: public(HashMap[uint256, bytes32])
count: public(uint256)

@external
def anchor(batch: bytes32, size: uint256):
    assert size > 0, "counter: empty batch"
    self.count += 1
    self.roots[self.count] = batch
    log Anchored(issuer=msg.sender, batch=batch, size=size)

@external
@view
def forever() -> uint256:
    total: uint256 = 0
    for i: uint256 in range(1000000000):
        total += i
    return total
"""


@pytest.fixture(scope="module")
def artifact() -> dict[str, object]:
    compiled = vyper.compile_code(SOURCE, output_formats=["abi", "bytecode", "layout"])
    assert isinstance(compiled, dict)
    return compiled


@pytest.fixture(scope="module")
def web3() -> Iterator[Web3]:
    chain = SingleChain()
    chain.seal()
    with served(chain, Limits(call_s=0.5)) as url:
        connected = Web3(Web3.HTTPProvider(url))
        connected.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
        user: LocalAccount = EthAccount.from_key(USER_KEYS[0])
        connected.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(user), layer=0)
        connected.eth.default_account = user.address
        yield connected


def wait(web3: Web3, transaction_hash: bytes) -> TxReceipt:
    return web3.eth.wait_for_transaction_receipt(transaction_hash, timeout=20, poll_latency=0.01)


@pytest.fixture(scope="module")
def contract(web3: Web3, artifact: dict[str, object]) -> Contract:
    factory = web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    receipt = wait(web3, factory.constructor().transact())
    assert receipt["status"] == 1
    assert receipt["to"] is None
    address = receipt["contractAddress"]
    assert address is not None
    deployed: Contract = web3.eth.contract(address=address, abi=artifact["abi"])
    return deployed


@pytest.fixture(scope="module")
def count_slot(artifact: dict[str, object]) -> int:
    layout = artifact["layout"]
    assert isinstance(layout, dict)
    slot: int = layout["storage_layout"]["count"]["slot"]
    return slot


def batch(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_it_connects(web3: Web3) -> None:
    assert web3.is_connected()
    assert web3.eth.chain_id == CHAIN_ID
    assert web3.net.version == str(CHAIN_ID)
    assert web3.client_version == "Cocket/test"
    assert web3.eth.syncing is False
    assert list(web3.eth.accounts) == []
    assert (web3.eth.gas_price, web3.eth.max_priority_fee) == (0, 0)


def test_blocks_look_as_those_of_any_poa_chain(web3: Web3) -> None:
    genesis = web3.eth.get_block("earliest")
    assert genesis["number"] == 0
    latest = web3.eth.get_block("latest", full_transactions=True)
    assert web3.eth.get_block(latest["hash"])["number"] == latest["number"]
    assert latest["baseFeePerGas"] == 0
    assert len(latest["proofOfAuthorityData"]) > 65  # type: ignore[typeddict-item]
    with pytest.raises(BlockNotFound):
        web3.eth.get_block(10**9)
    with pytest.raises(TransactionNotFound):
        web3.eth.get_transaction_receipt(batch(1))  # type: ignore[arg-type]


def test_value_is_sent_and_the_receipt_waited_for(web3: Web3) -> None:
    stranger = Web3.to_checksum_address("0x" + "5a" * 20)
    transaction_hash = web3.eth.send_transaction({"to": stranger, "value": Web3.to_wei(3, "gwei")})
    receipt = wait(web3, transaction_hash)
    assert (receipt["status"], receipt["gasUsed"], receipt["type"]) == (1, 21_000, 2)
    assert web3.eth.get_balance(stranger) == Web3.to_wei(3, "gwei")
    assert web3.eth.get_balance(stranger, "earliest") == 0
    found = web3.eth.get_transaction(transaction_hash)
    assert (found["value"], found["blockNumber"]) == (Web3.to_wei(3, "gwei"), receipt["blockNumber"])
    assert web3.eth.get_transaction_by_block(receipt["blockNumber"], 0) == found
    assert web3.eth.get_block_transaction_count(receipt["blockHash"]) == 1
    assert web3.eth.get_block_receipts(receipt["blockNumber"])[0] == receipt


def test_a_contract_is_deployed_sent_to_called_and_its_logs_filtered(
    web3: Web3, contract: Contract, count_slot: int
) -> None:
    start = web3.eth.block_number
    event_filter = contract.events.Anchored.create_filter(from_block="latest")
    receipts = [wait(web3, contract.functions.anchor(batch(number), number).transact()) for number in (7, 8)]
    assert contract.functions.count().call() == 2
    assert contract.functions.roots(2).call() == batch(8)
    assert contract.functions.count().call(block_identifier=start) == 0
    events = contract.events.Anchored().get_logs(from_block=start)
    assert [event["args"]["size"] for event in events] == [7, 8]
    assert events[0]["args"]["issuer"] == web3.eth.default_account
    only = contract.events.Anchored().get_logs(from_block=0, argument_filters={"batch": batch(8)})
    assert [event["transactionHash"] for event in only] == [receipts[1]["transactionHash"]]
    assert [event["args"]["size"] for event in event_filter.get_new_entries()] == [7, 8]
    assert event_filter.get_new_entries() == []
    assert contract.events.Anchored().process_receipt(receipts[0])[0]["args"]["batch"] == batch(7)
    assert web3.eth.get_storage_at(contract.address, count_slot) == batch(2)
    assert len(web3.eth.get_code(contract.address)) > 100


def test_a_revert_brings_its_reason(web3: Web3, contract: Contract) -> None:
    with pytest.raises(ContractLogicError, match="counter: empty batch"):
        contract.functions.anchor(batch(1), 0).call()
    with pytest.raises(ContractLogicError, match="counter: empty batch"):
        contract.functions.anchor(batch(1), 0).estimate_gas()
    receipt = wait(web3, contract.functions.anchor(batch(1), 0).transact({"gas": 200_000}))
    assert receipt["status"] == 0


def test_an_endless_call_ends(web3: Web3, contract: Contract) -> None:
    with pytest.raises(Web3RPCError, match=r"out of gas|took over"):
        contract.functions.forever().call()


def test_an_estimate_suffices(web3: Web3, contract: Contract) -> None:
    anchor = contract.functions.anchor(batch(9), 1)
    estimate = anchor.estimate_gas()
    receipt = wait(web3, anchor.transact({"gas": estimate}))
    assert receipt["status"] == 1
    assert receipt["gasUsed"] <= estimate < receipt["gasUsed"] * 1.1


def test_a_proof_holds_under_the_state_root(web3: Web3, contract: Contract, count_slot: int) -> None:
    block = web3.eth.get_block("latest")
    slots = (count_slot, 999)
    proof = web3.eth.get_proof(contract.address, list(slots), block["number"])
    nodes = {
        slot: [bytes(node) for node in found["proof"]] for slot, found in zip(slots, proof["storageProof"], strict=True)
    }
    account, values = verify_account_proof(
        bytes(block["stateRoot"]),
        bytes.fromhex(contract.address[2:]),
        [bytes(node) for node in proof["accountProof"]],
        nodes,
    )
    assert account is not None
    assert account.code_hash == bytes(proof["codeHash"])
    assert account.storage_root == bytes(proof["storageHash"])
    assert values == {count_slot: contract.functions.count().call(), 999: 0}


def test_a_refused_transaction_says_why(web3: Web3) -> None:
    used: LocalAccount = EthAccount.from_key(USER_KEYS[1])
    fields = {"to": b"\x5a" * 20, "gas": 21_000, "gasPrice": 0, "nonce": 0, "chainId": CHAIN_ID}
    rich = used.sign_transaction({**fields, "value": 5000 * ETHER})
    with pytest.raises(Web3RPCError, match="balance"):
        web3.eth.send_raw_transaction(rich.raw_transaction)
    foreign = used.sign_transaction({**fields, "value": 0, "chainId": 1})
    with pytest.raises(Web3RPCError, match=f"chain id: found 1, expected {CHAIN_ID}"):
        web3.eth.send_raw_transaction(foreign.raw_transaction)
    with pytest.raises(Web3RPCError, match="transaction"):
        web3.eth.send_raw_transaction(b"\x02\xc0")


def test_a_call_of_nothing_has_no_output(web3: Web3, artifact: dict[str, object]) -> None:
    nobody = web3.eth.contract(address=Web3.to_checksum_address("0x" + "77" * 20), abi=artifact["abi"])
    with pytest.raises(BadFunctionCallOutput):
        nobody.functions.count().call()


def test_fee_history_and_block_filter(web3: Web3) -> None:
    history = web3.eth.fee_history(2, "latest", [10, 90])
    assert history["baseFeePerGas"] == [0, 0, 0]
    assert history["reward"] == [[0, 0], [0, 0]]
    blocks = web3.eth.filter("latest")
    pending = web3.eth.filter("pending")
    sent = web3.eth.send_transaction({"to": web3.eth.default_account, "value": 0})
    receipt = wait(web3, sent)
    assert list(blocks.get_new_entries()) == [receipt["blockHash"]]
    assert list(pending.get_new_entries()) == [sent]


def test_batches(web3: Web3) -> None:
    with web3.batch_requests() as requests:
        requests.add(web3.eth.get_block(0))
        requests.add(web3.eth.get_balance(web3.eth.default_account))
        block, balance = requests.execute()
    assert block["number"] == 0
    assert balance > 900 * ETHER
