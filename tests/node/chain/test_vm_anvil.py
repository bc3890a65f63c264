"""Blocks of mixed transactions, executed by us and by anvil: same receipts, same state, in every fork.

Anvil 1.4.4: 1.7.1 gives London's refunds in Berlin too.
"""

import gzip
import json
import random
from typing import Any

import pytest
from evm.anvil import Anvil, install
from evm.programs import fixed_contracts, mixed, random_contracts
from evm.world import COINBASE, ETHER, SENDERS, Allocated, World, block_context

from cocket.node.chain.receipt import Receipt
from cocket.node.chain.rules import Fork
from cocket.node.chain.state import genesis_state
from cocket.node.chain.transaction import Transaction
from cocket.node.chain.vm import BlockExecution


@pytest.fixture(scope="session", autouse=True)
def _anvil_is_installed() -> None:
    install()


def shown(receipts: list[Receipt]) -> list[dict[str, object]]:
    """Return our receipts as JSON-RPC shows them, as far as they are compared."""
    before = 0
    found = []
    for receipt in receipts:
        logs = [
            ("0x" + log.address.hex(), ["0x" + topic.hex() for topic in log.topics], "0x" + log.data.hex())
            for log in receipt.logs
        ]
        found.append(
            {
                "status": receipt.status,
                "gasUsed": receipt.cumulative_gas_used - before,
                "logs": logs,
                "logsBloom": "0x" + receipt.logs_bloom.hex(),
                "type": receipt.type,
            }
        )
        before = receipt.cumulative_gas_used
    return found


def expected(receipt: dict[str, Any]) -> dict[str, object]:
    return {
        "status": int(receipt["status"], 16),
        "gasUsed": int(receipt["gasUsed"], 16),
        "logs": [(log["address"], log["topics"], log["data"]) for log in receipt["logs"]],
        "logsBloom": receipt["logsBloom"],
        "type": int(receipt["type"], 16),
    }


def anvil_state(anvil: Anvil) -> dict[bytes, Allocated]:
    """Return anvil's accounts that are not empty."""
    dump = json.loads(gzip.decompress(bytes.fromhex(anvil.rpc("anvil_dumpState")[2:])))
    state = {}
    for address, account in dump["accounts"].items():
        storage = {int(slot, 16): int(value, 16) for slot, value in account["storage"].items()}
        found = Allocated(
            balance=int(account["balance"], 16),
            nonce=account["nonce"],
            code=bytes.fromhex(account["code"][2:]),
            storage={slot: value for slot, value in storage.items() if value},
        )
        if found != Allocated():
            state[bytes.fromhex(address[2:])] = found
    return state


def compare(transactions: list[list[Transaction]], alloc: dict[bytes, Allocated], fork: Fork, base_fee: int) -> None:
    """Execute blocks on both sides and compare receipts and the whole state."""
    world = World(alloc)
    with Anvil(alloc, fork, base_fee) as anvil:
        for block_transactions in transactions:
            block = anvil.mine([transaction.raw for transaction in block_transactions])
            context = block_context(
                fork,
                number=int(block["number"], 16),
                timestamp=int(block["timestamp"], 16),
                gas_limit=int(block["gasLimit"], 16),
                base_fee=int(block["baseFeePerGas"], 16) if fork >= Fork.LONDON else None,
                mix_hash=bytes.fromhex(block["mixHash"][2:]),
                block_hash_of=lambda number: bytes.fromhex(
                    anvil.rpc("eth_getBlockByNumber", hex(number), False)["hash"][2:]
                ),
                zero_base_fee=False,
            )
            # Anvil decides the order, so ours is taken from its block.
            places = {tx_hash: place for place, tx_hash in enumerate(block["transactions"])}
            block_transactions = sorted(block_transactions, key=lambda found: places["0x" + found.hash.hex()])
            execution = BlockExecution(context, world.reader)
            ours = shown([execution.apply(transaction) for transaction in block_transactions])
            theirs = [expected(receipt) for receipt in anvil.rpc("eth_getBlockReceipts", block["number"])]
            for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
                assert one == other, f"transaction {index} to {block_transactions[index].to!r}"
            assert execution.gas_used == int(block["gasUsed"], 16)
            root = world.apply(execution.finish())
            assert root == genesis_state(anvil_state(anvil))[0]


@pytest.mark.parametrize("fork", list(Fork), ids=lambda fork: fork.name)
@pytest.mark.parametrize(("seed", "fee", "block_count"), [(1, 0, 1), (2, 9, 3)])
def test_mixed_transactions(fork: Fork, seed: int, fee: int, block_count: int) -> None:
    alloc = {sender: Allocated(balance=1_000 * ETHER) for sender in SENDERS}
    alloc |= fixed_contracts(fork) | random_contracts(seed) | {COINBASE: Allocated(balance=1)}
    base_fee = fee if fork >= Fork.LONDON else 0
    transactions = mixed(random.Random(seed), fork, base_fee)
    assert len(transactions) > 300
    size = -(-len(transactions) // block_count)
    compare([transactions[i : i + size] for i in range(0, len(transactions), size)], alloc, fork, base_fee)
