"""Executions by the book: validity, fees, refunds, what lasts a transaction, and what each fork changes."""

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from evm.assembler import assemble, deployer, return_top
from evm.programs import words
from evm.world import COINBASE, ETHER, KEYS, MIX_HASH, SENDERS, Allocated, World, block_context, funded, transaction
from ledger.faults import CURSED_SLOT, FaultyReader

from cocket.node.chain.hashing import EMPTY_ROOT, keccak256
from cocket.node.chain.receipt import Receipt
from cocket.node.chain.rules import Fork
from cocket.node.chain.state import Account, EmptyState
from cocket.node.chain.transaction import Transaction
from cocket.node.chain.vm import (
    BlockExecution,
    CallRequest,
    CallResult,
    ExecutionAborted,
    call,
    contract_address,
    estimate_gas,
    run_constructor,
)
from cocket.node.errors import InvalidTransaction, NodeFault, Refused

TARGET = b"\x0a" * 20
OTHER = b"\x0b" * 20
OTHER_WORD = int.from_bytes(OTHER, "big")
FORKS = list(Fork)


def executed(
    source: str,
    fork: Fork = Fork.CANCUN,
    world: World | None = None,
    storage: dict[int, int] | None = None,
    **fields: Any,
) -> tuple[Receipt, World]:
    """Return the receipt of one transaction to a contract with this source, and the state after it."""
    world = world or funded({TARGET: Allocated(code=assemble(source), storage=storage or {}, balance=100)})
    execution = BlockExecution(block_context(fork), world.reader)
    receipt = execution.apply(transaction(0, 0, TARGET, **fields))
    world.apply(execution.finish())
    return receipt, world


def answer(source: str, fork: Fork = Fork.CANCUN, **changes: object) -> int | str:
    """Return the word that source leaves on the stack, or why it fails."""
    world = funded({TARGET: Allocated(code=assemble(source + " " + return_top()), balance=100)})
    result = call(block_context(fork, **changes), world.reader, CallRequest(to=TARGET), None)
    return result.error or int.from_bytes(result.output, "big")


def gas_of(receipts: list[Receipt]) -> list[int]:
    totals = [0, *(receipt.cumulative_gas_used for receipt in receipts)]
    return [after - before for before, after in pairwise(totals)]


# Validity


def test_a_transfer_costs_its_intrinsic_gas_and_moves_value() -> None:
    world = funded()
    execution = BlockExecution(block_context(), world.reader)
    receipt = execution.apply(transaction(0, 0, OTHER, value=5, gas_limit=21_000))
    assert (receipt.status, receipt.cumulative_gas_used, receipt.logs, receipt.type) == (1, 21_000, (), 0)
    assert execution.gas_used == 21_000
    writes = execution.finish()
    assert writes.accounts == {SENDERS[0]: Account(nonce=1, balance=1_000 * ETHER - 5), OTHER: Account(balance=5)}
    assert not writes.storage
    assert not writes.codes


INVALID: list[tuple[str, Callable[[], Transaction], str]] = [
    ("nonce too low", lambda: transaction(1, 0, OTHER), "nonce: found 0, expected 1"),
    ("nonce too high", lambda: transaction(1, 2, OTHER), "nonce: found 2, expected 1"),
    ("value above balance", lambda: transaction(2, 0, OTHER, value=1_000 * ETHER + 1), "balance"),
    ("gas above balance", lambda: transaction(2, 0, OTHER, gas_price=ETHER, gas_limit=30_000), "balance"),
    (
        "the maximum fee counts, not the price",
        lambda: transaction(2, 0, OTHER, gas_price=None, max_fee_per_gas=ETHER, gas_limit=30_000),
        "balance",
    ),
    ("no room in the block", lambda: transaction(2, 0, OTHER, gas_limit=29_979_001), "left in block"),
    ("the sender is a contract", lambda: transaction(3, 0, OTHER), "EIP-3607"),
]


@pytest.mark.parametrize(("make", "reason"), [case[1:] for case in INVALID], ids=[case[0] for case in INVALID])
def test_an_invalid_transaction_is_refused_and_changes_nothing(make: Callable[[], Transaction], reason: str) -> None:
    world = funded({SENDERS[3]: Allocated(balance=ETHER, code=b"\x00")})
    execution = BlockExecution(block_context(), world.reader)
    execution.apply(transaction(1, 0, OTHER, value=1))
    before = execution.finish()
    with pytest.raises(InvalidTransaction, match=reason):
        execution.apply(make())
    assert execution.finish() == before
    assert execution.gas_used == 21_000
    execution.apply(transaction(1, 1, OTHER, gas_limit=29_979_000))  # exactly the room that is left


@pytest.mark.parametrize("error", [ZeroDivisionError("ours"), NodeFault("the disk is full")])
def test_an_error_of_our_own_leaves_the_state_as_it_was(error: Exception) -> None:
    code = assemble(f"PUSH 9 PUSH 0 SSTORE PUSH {CURSED_SLOT} SLOAD STOP")
    world = funded({TARGET: Allocated(code=code)})
    execution = BlockExecution(block_context(), FaultyReader(world.reader, error))
    execution.apply(transaction(1, 0, OTHER, value=1))
    before = execution.finish()
    with pytest.raises(type(error)):
        execution.apply(transaction(0, 0, TARGET, value=5))
    assert execution.finish() == before
    assert execution.gas_used == 21_000
    assert execution.apply(transaction(0, 0, OTHER, value=5)).cumulative_gas_used == 42_000


def test_the_whole_balance_may_be_spent() -> None:
    world = funded()
    execution = BlockExecution(block_context(base_fee=1), world.reader)
    fee = 21_000 * 2
    execution.apply(transaction(2, 0, OTHER, value=1_000 * ETHER - fee, gas_price=2, gas_limit=21_000))
    world.apply(execution.finish())
    assert world.reader.account(SENDERS[2]) == Account(nonce=1)


def test_a_fee_below_the_base_fee_is_refused() -> None:
    execution = BlockExecution(block_context(base_fee=10), funded().reader)
    with pytest.raises(InvalidTransaction, match="base fee 10"):
        execution.apply(transaction(0, 0, OTHER, gas_price=9))
    assert execution.apply(transaction(0, 0, OTHER, gas_price=10)).status == 1


# Fees


@pytest.mark.parametrize(
    ("fees", "price", "tip"),
    [
        ({"gas_price": 12}, 12, 2),
        ({"gas_price": 10}, 10, 0),
        ({"gas_price": None, "max_fee_per_gas": 20, "max_priority_fee_per_gas": 3}, 13, 3),
        ({"gas_price": None, "max_fee_per_gas": 11, "max_priority_fee_per_gas": 3}, 11, 1),
        ({"gas_price": 12, "access_list": ()}, 12, 2),
    ],
)
def test_the_coinbase_gets_the_tip_and_the_base_fee_is_burnt(fees: dict[str, Any], price: int, tip: int) -> None:
    world = funded()
    execution = BlockExecution(block_context(base_fee=10), world.reader)
    execution.apply(transaction(0, 0, OTHER, value=7, **fees))
    world.apply(execution.finish())
    assert world.reader.account(SENDERS[0]) == Account(nonce=1, balance=1_000 * ETHER - 7 - 21_000 * price)
    assert world.reader.account(COINBASE) == (Account(balance=21_000 * tip) if tip else None)


def test_gasprice_is_what_is_paid() -> None:
    world = funded({TARGET: Allocated(code=assemble("GASPRICE PUSH 0 SSTORE"))})
    execution = BlockExecution(block_context(base_fee=10), world.reader)
    execution.apply(
        transaction(0, 0, TARGET, gas_price=None, max_fee_per_gas=20, max_priority_fee_per_gas=3, gas_limit=60_000)
    )
    assert execution.finish().storage == {TARGET: {0: 13}}


def test_a_failed_transaction_pays_and_counts_but_leaves_nothing() -> None:
    source = "PUSH 1 PUSH 0 SSTORE PUSH 0 PUSH 0 LOG0 INVALID"
    receipt, world = executed(source, gas_limit=100_000, gas_price=1, value=5)
    assert (receipt.status, receipt.cumulative_gas_used, receipt.logs) == (0, 100_000, ())
    assert receipt.logs_bloom == bytes(256)
    assert world.reader.account(SENDERS[0]) == Account(nonce=1, balance=1_000 * ETHER - 100_000)
    assert world.reader.storage(TARGET, 0) == 0


def test_a_revert_keeps_the_unused_gas() -> None:
    receipt, _ = executed("PUSH 0 PUSH 0 REVERT", gas_limit=100_000)
    assert (receipt.status, receipt.cumulative_gas_used) == (0, 21_006)


def test_a_reward_is_paid_at_the_end_and_zero_touches_nothing() -> None:
    execution = BlockExecution(block_context(), funded().reader)
    assert not execution.finish((OTHER, 0)).accounts
    assert execution.finish((OTHER, 5)).accounts == {OTHER: Account(balance=5)}


# Empty accounts (EIP-161)


def test_an_empty_account_is_not_made() -> None:
    world = funded()
    execution = BlockExecution(block_context(), world.reader)
    execution.apply(transaction(0, 0, OTHER))
    assert set(execution.finish().accounts) == {SENDERS[0]}


def test_an_empty_account_of_the_genesis_goes_when_touched_and_not_before() -> None:
    world = funded({OTHER: Allocated(), COINBASE: Allocated(), TARGET: Allocated(code=assemble("PUSH 0"))})
    execution = BlockExecution(block_context(), world.reader)
    execution.apply(transaction(0, 0, TARGET))
    writes = execution.finish()
    assert writes.accounts[COINBASE] is None  # each transaction touches it
    assert OTHER not in writes.accounts
    execution.apply(transaction(0, 1, OTHER))
    assert execution.finish().accounts[OTHER] is None


def test_a_touch_that_is_reverted_is_none() -> None:
    source = f"PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH {OTHER_WORD} GAS CALL PUSH 0 PUSH 0 REVERT"
    world = funded({OTHER: Allocated(), TARGET: Allocated(code=assemble(source))})
    execution = BlockExecution(block_context(), world.reader)
    execution.apply(transaction(0, 0, TARGET))
    assert OTHER not in execution.finish().accounts


@pytest.mark.parametrize(("number", "value", "is_gone"), [(3, 0, True), (3, 1, False), (4, 0, False)])
def test_a_reverted_touch_of_0x03_is_kept(number: int, value: int, is_gone: bool) -> None:
    address = bytes(19) + bytes([number])
    source = f"PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH {value} PUSH {number} GAS CALL INVALID"
    world = funded({address: Allocated(), TARGET: Allocated(code=assemble(source), balance=1)})
    execution = BlockExecution(block_context(), world.reader)
    assert execution.apply(transaction(0, 0, TARGET)).status == 0
    assert (address in execution.finish().accounts) is is_gone


# What lasts one transaction


def test_warm_slots_and_accounts_are_forgotten_between_transactions() -> None:
    source = f"PUSH 1 SLOAD PUSH {OTHER_WORD} BALANCE"
    world = funded({TARGET: Allocated(code=assemble(source))})
    execution = BlockExecution(block_context(), world.reader)
    gas = gas_of([execution.apply(transaction(0, nonce, TARGET)) for nonce in range(3)])
    assert gas == [21_000 + 3 + 2_100 + 3 + 2_600] * 3


def test_an_access_list_makes_slots_and_accounts_warm() -> None:
    source = f"PUSH 1 SLOAD PUSH {OTHER_WORD} BALANCE"
    receipt, _ = executed(source, access_list=((TARGET, (1,)), (OTHER, ())))
    assert receipt.cumulative_gas_used == 21_000 + 2 * 2_400 + 1_900 + 3 + 100 + 3 + 100


@pytest.mark.parametrize("fork", FORKS)
def test_the_coinbase_is_warm_from_shanghai_on(fork: Fork) -> None:
    receipt, _ = executed("COINBASE BALANCE", fork)
    assert receipt.cumulative_gas_used == 21_002 + (100 if fork >= Fork.SHANGHAI else 2_600)


def test_the_original_value_is_that_before_the_transaction_not_the_block() -> None:
    world = funded({TARGET: Allocated(code=assemble("PUSH 0 CALLDATALOAD PUSH 0 SSTORE"))})
    execution = BlockExecution(block_context(), world.reader)
    values = [5, 6, 6, 5]
    receipts = [execution.apply(transaction(0, nonce, TARGET, words(value))) for nonce, value in enumerate(values)]
    base = 21_000 + 31 * 4 + 16 + 9
    assert gas_of(receipts) == [base + 22_100, base + 5_000, base + 2_200, base + 5_000]


@pytest.mark.parametrize(("fork", "refund"), [(Fork.BERLIN, 15_000), (Fork.LONDON, 4_800), (Fork.CANCUN, 4_800)])
def test_clearing_a_slot_is_refunded(fork: Fork, refund: int) -> None:
    receipt, _ = executed("PUSH 0 PUSH 0 SSTORE", fork, storage={0: 1})
    used = 21_000 + 6 + 5_000
    cap = used // (2 if fork is Fork.BERLIN else 5)
    assert receipt.cumulative_gas_used == used - min(refund, cap)


def test_a_slot_set_and_cleared_in_one_transaction_is_refunded_and_not_written() -> None:
    source = "PUSH 1 PUSH 0 SSTORE PUSH 0 PUSH 0 SSTORE"
    receipt, world = executed(source)
    used = 21_000 + 12 + 22_100 + 100
    assert receipt.cumulative_gas_used == used - used // 5
    assert world.reader.account(TARGET) == Account(balance=100, code_hash=keccak256(assemble(source)))


def test_transient_slots_are_forgotten_between_transactions() -> None:
    world = funded({TARGET: Allocated(code=assemble("PUSH 0 TLOAD PUSH 1 SSTORE PUSH 7 PUSH 0 TSTORE"))})
    execution = BlockExecution(block_context(), world.reader)
    for nonce in range(2):
        assert execution.apply(transaction(0, nonce, TARGET)).status == 1
    assert not execution.finish().storage


def test_transient_slots_are_reverted() -> None:
    inner = "PUSH 9 PUSH 0 TSTORE PUSH 0 PUSH 0 REVERT"
    source = f"""PUSH 7 PUSH 0 TSTORE PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH {OTHER_WORD} GAS DELEGATECALL POP
        PUSH 0 TLOAD PUSH 1 SSTORE"""
    world = funded({TARGET: Allocated(code=assemble(source)), OTHER: Allocated(code=assemble(inner))})
    execution = BlockExecution(block_context(), world.reader)
    assert execution.apply(transaction(0, 0, TARGET)).status == 1
    assert execution.finish().storage == {TARGET: {1: 7}}


# Creations and destructions


def test_a_contract_is_made_at_the_address_of_sender_and_nonce() -> None:
    world = funded()
    execution = BlockExecution(block_context(), world.reader)
    receipt = execution.apply(transaction(0, 0, None, deployer(b"\x00"), value=3))
    writes = execution.finish()
    made = contract_address(SENDERS[0], 0)
    assert receipt.status == 1
    assert writes.accounts[made] == Account(nonce=1, balance=3, code_hash=keccak256(b"\x00"))
    assert writes.codes == {keccak256(b"\x00"): b"\x00"}
    data = deployer(b"\x00")
    words_of_initcode = (len(data) + 31) // 32
    intrinsic = 53_000 + 4 * data.count(0) + 16 * (len(data) - data.count(0)) + 2 * words_of_initcode
    # Five pushes, CODECOPY of a word, a word of memory, the deposit of a byte.
    assert receipt.cumulative_gas_used == intrinsic + 5 * 3 + 3 + 3 + 3 + 200


@pytest.mark.parametrize(
    "there",
    [Allocated(nonce=1), Allocated(code=b"\x00"), Allocated(balance=1, storage={1: 1})],
    ids=["nonce", "code", "slots"],
)
def test_a_taken_address_burns_all_gas(there: Allocated) -> None:
    world = funded({contract_address(SENDERS[0], 0): there})
    execution = BlockExecution(block_context(), world.reader)
    receipt = execution.apply(transaction(0, 0, None, deployer(b"\x00"), gas_limit=100_000, value=1))
    assert (receipt.status, receipt.cumulative_gas_used) == (0, 100_000)
    assert execution.finish().accounts == {SENDERS[0]: Account(nonce=1, balance=1_000 * ETHER)}


def test_money_at_the_address_is_no_obstacle() -> None:
    made = contract_address(SENDERS[0], 0)
    world = funded({made: Allocated(balance=9)})
    execution = BlockExecution(block_context(), world.reader)
    assert execution.apply(transaction(0, 0, None, deployer(b"\x00"))).status == 1
    assert execution.finish().accounts[made] == Account(nonce=1, balance=9, code_hash=keccak256(b"\x00"))


@pytest.mark.parametrize("fork", FORKS)
def test_code_beginning_with_0xef_is_refused_from_london_on(fork: Fork) -> None:
    execution = BlockExecution(block_context(fork), funded().reader)
    receipt = execution.apply(transaction(0, 0, None, deployer(b"\xef\x00")))
    assert receipt.status == (0 if fork >= Fork.LONDON else 1)


@pytest.mark.parametrize(("size", "status"), [(100, 1), (101, 0)])
def test_the_code_size_limit_is_the_genesis(size: int, status: int) -> None:
    execution = BlockExecution(block_context(contract_size_limit=100), funded().reader)
    receipt = execution.apply(transaction(0, 0, None, assemble(f"PUSH {size} PUSH 0 RETURN"), gas_limit=200_000))
    assert receipt.status == status
    assert (receipt.cumulative_gas_used == 200_000) is (status == 0)


@pytest.mark.parametrize("fork", [Fork.LONDON, Fork.SHANGHAI])
@pytest.mark.parametrize(("size", "may"), [(49_152, True), (49_153, False)])
def test_initcode_of_a_contract_is_bounded_from_shanghai_on(fork: Fork, size: int, may: bool) -> None:
    source = f"PUSH {size} PUSH 0 PUSH 0 CREATE PUSH 0 SSTORE"
    receipt, _ = executed(source, fork, gas_limit=3_000_000)
    assert receipt.status == int(may or fork is Fork.LONDON)


DESTROY = "PUSH 1 PUSH 7 SSTORE CALLER SELFDESTRUCT"


@pytest.mark.parametrize("fork", FORKS)
def test_selfdestruct_removes_the_contract_before_cancun_only(fork: Fork) -> None:
    receipt, world = executed(DESTROY, fork, storage={1: 1})
    account = world.reader.account(TARGET)
    assert receipt.status == 1
    assert world.reader.account(SENDERS[0]) == Account(nonce=1, balance=1_000 * ETHER + 100)
    if fork >= Fork.CANCUN:
        assert account is not None
        assert account.balance == 0
        assert [world.reader.storage(TARGET, slot) for slot in (1, 7)] == [1, 1]
    else:
        assert account is None


@pytest.mark.parametrize("fork", FORKS)
def test_a_contract_destroyed_in_the_transaction_that_made_it_is_gone_in_every_fork(fork: Fork) -> None:
    world = funded()
    execution = BlockExecution(block_context(fork), world.reader)
    receipt = execution.apply(transaction(0, 0, None, assemble(DESTROY), value=5))
    assert receipt.status == 1
    writes = execution.finish()
    assert writes.accounts == {SENDERS[0]: Account(nonce=1, balance=1_000 * ETHER)}
    assert not writes.storage
    assert not writes.cleared


@pytest.mark.parametrize("fork", FORKS)
def test_selfdestruct_for_itself_burns_the_money_only_where_it_destroys(fork: Fork) -> None:
    _, world = executed("ADDRESS SELFDESTRUCT", fork)
    account = world.reader.account(TARGET)
    assert (account.balance if account else None) == (100 if fork >= Fork.CANCUN else None)


@pytest.mark.parametrize("fork", [Fork.BERLIN, Fork.LONDON])
def test_selfdestruct_is_refunded_in_berlin_only(fork: Fork) -> None:
    receipt, _ = executed("CALLER SELFDESTRUCT", fork)
    used = 21_000 + 2 + 5_000
    assert receipt.cumulative_gas_used == (used - used // 2 if fork is Fork.BERLIN else used)


def test_a_contract_destroyed_and_made_again_in_one_block_has_its_new_slots_only() -> None:
    runtime = assemble("CALLDATASIZE @destroy JUMPI PUSH 5 PUSH 5 SSTORE STOP destroy: CALLER SELFDESTRUCT")
    factory = assemble(
        "CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY PUSH 1 CALLDATASIZE PUSH 0 PUSH 0 CREATE2 PUSH 0 SSTORE"
    )
    initcode = deployer(runtime, first="PUSH 9 PUSH 9 SSTORE")
    world = funded({TARGET: Allocated(code=factory)})
    made = keccak256(b"\xff" + TARGET + words(1) + keccak256(initcode))[12:]
    first = BlockExecution(block_context(Fork.SHANGHAI), world.reader)
    first.apply(transaction(0, 0, TARGET, initcode))
    first.apply(transaction(0, 1, made))
    world.apply(first.finish())
    account = world.reader.account(made)
    assert account is not None
    assert [world.reader.storage(made, slot) for slot in (5, 9)] == [5, 9]

    second = BlockExecution(block_context(Fork.SHANGHAI), world.reader)
    assert second.apply(transaction(0, 2, made, b"\x01")).status == 1
    assert second.apply(transaction(0, 3, TARGET, initcode)).status == 1
    writes = second.finish()
    assert writes.cleared == (made,)
    assert writes.storage[made] == {9: 9}
    assert writes.accounts[made] == replace(account, storage_root=EMPTY_ROOT)
    world.apply(writes)
    assert [world.reader.storage(made, slot) for slot in (5, 9)] == [0, 9]

    third = BlockExecution(block_context(Fork.SHANGHAI), world.reader)
    assert third.apply(transaction(0, 4, made, b"\x01")).status == 1
    writes = third.finish()
    assert (writes.accounts[made], writes.cleared, dict(writes.storage)) == (None, (made,), {})


# Forks and the block


@pytest.mark.parametrize("fork", FORKS)
@pytest.mark.parametrize(
    ("source", "since", "value"),
    [
        ("BASEFEE", Fork.LONDON, 0),
        ("PUSH0", Fork.SHANGHAI, 0),
        ("PUSH 0 TLOAD", Fork.CANCUN, 0),
        ("PUSH 1 PUSH 0 TSTORE PUSH 0 TLOAD", Fork.CANCUN, 1),
        ("PUSH 7 PUSH 0 MSTORE PUSH 32 PUSH 0 PUSH 32 MCOPY PUSH 32 MLOAD", Fork.CANCUN, 7),
        ("BLOBBASEFEE", Fork.CANCUN, 0),
        ("PUSH 0 BLOBHASH", Fork.CANCUN, 0),
    ],
)
def test_opcodes_come_with_their_forks(fork: Fork, source: str, since: Fork, value: int) -> None:
    assert answer(source, fork) == (value if fork >= since else "invalid opcode")


@pytest.mark.parametrize("fork", FORKS)
def test_prevrandao_is_the_mix_hash_from_shanghai_on_and_difficulty_one_before(fork: Fork) -> None:
    assert answer("PREVRANDAO", fork) == (int.from_bytes(MIX_HASH, "big") if fork >= Fork.SHANGHAI else 1)


def test_the_block_is_known_to_contracts() -> None:
    context = {"number": 300, "timestamp": 77, "gas_limit": 123, "base_fee": 5, "chain_id": 9}
    found = [answer(source, **context) for source in ("NUMBER", "TIMESTAMP", "GASLIMIT", "BASEFEE", "CHAINID")]
    assert found == [300, 77, 123, 5, 9]
    assert answer("COINBASE") == int.from_bytes(COINBASE, "big")


def test_the_blob_base_fee_is_one_unless_base_fees_are_zero() -> None:
    assert [answer("BLOBBASEFEE", zero_base_fee=flag) for flag in (False, True)] == [1, 0]


def test_blockhash_gives_the_last_256_ancestors() -> None:
    expected = {299: True, 44: True, 43: False, 300: False, 301: False, 2**255: False}
    for number, is_known in expected.items():
        found = answer(f"PUSH {number} BLOCKHASH", number=300)
        known = int.from_bytes(keccak256((number % 2**64).to_bytes(8, "big")), "big")
        assert found == (known if is_known else 0)
    assert answer("PUSH 299 BLOCKHASH", number=300, block_hash_of=lambda number: None) == 0


# Time


def test_abort_from_another_thread_stops_an_endless_loop() -> None:
    world = funded({TARGET: Allocated(code=assemble("loop: @loop JUMP"))})
    execution = BlockExecution(block_context(gas_limit=2**60), world.reader)
    threading.Timer(0.02, execution.abort).start()
    with pytest.raises(ExecutionAborted, match="no longer wanted"):
        execution.apply(transaction(0, 0, TARGET, gas_limit=2**50))
    with pytest.raises(ExecutionAborted):
        execution.apply(transaction(1, 0, OTHER))


ENDLESS = {
    "loop": "loop: PUSH 1 POP @loop JUMP",
    "calls": "loop: PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS PUSH 5000 STATICCALL POP @loop JUMP",
    "depth": "PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS GAS CALL PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS GAS CALL",
}


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS)
def test_a_transaction_over_its_deadline_leaves_the_block_as_it_was(source: str) -> None:
    world = funded({TARGET: Allocated(code=assemble("PUSH 5 PUSH 5 SSTORE " + source))})
    execution = BlockExecution(block_context(gas_limit=2**60), world.reader)
    execution.apply(transaction(1, 0, OTHER, value=1))
    before = execution.finish()
    with pytest.raises(ExecutionAborted, match="deadline"):
        execution.apply(transaction(0, 0, TARGET, gas_limit=2**50, value=3), deadline_s=0.02)
    assert execution.finish() == before
    assert execution.gas_used == 21_000
    assert execution.apply(transaction(0, 0, OTHER, value=2), deadline_s=10.0).status == 1


def test_a_call_has_a_deadline() -> None:
    world = funded({TARGET: Allocated(code=assemble(ENDLESS["loop"]))})
    with pytest.raises(ExecutionAborted, match="deadline"):
        call(block_context(), world.reader, CallRequest(to=TARGET, gas=2**50), 0.02)


# What hostile code meets


@pytest.mark.parametrize("source", ["ADDRESS GAS CALL", "CREATE", "DELEGATECALL"])
def test_a_thousand_calls_deep_is_no_recursion_error(source: str) -> None:
    calls = {
        "ADDRESS GAS CALL": "PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS GAS CALL",
        "DELEGATECALL": "PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS GAS DELEGATECALL",
        "CREATE": "CODESIZE PUSH 0 PUSH 0 CODECOPY CODESIZE PUSH 0 PUSH 0 CREATE",
    }
    code = assemble(f"{calls[source]} PUSH 0 SLOAD PUSH 1 ADD DUP1 PUSH 0 SSTORE {return_top()}")
    world = funded({TARGET: Allocated(code=code)})
    results: list[CallResult] = []

    def run() -> None:
        results.append(call(block_context(), world.reader, CallRequest(to=TARGET, gas=10**14), None))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    depth = int.from_bytes(results[0].output, "big")
    assert results[0].error is None
    assert depth == (1 if source == "CREATE" else 1_025)


def test_a_jump_behind_many_pushes_is_resolved() -> None:
    pushes = b"\x60" * 20_001  # each second byte is data, so the JUMPDEST after an odd number is data too
    for code, error in ((pushes + b"\x5b", "invalid jump destination"), (pushes + b"\x60\x5b", None)):
        target = len(code) - 1
        world = funded({TARGET: Allocated(code=assemble(f"PUSH {target + 4} JUMP") + code)})
        assert len(assemble(f"PUSH {target + 4} JUMP")) == 4
        assert call(block_context(), world.reader, CallRequest(to=TARGET), None).error == error


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("INVALID", "invalid opcode"),
        ("0x0c", "invalid opcode"),
        ("POP", "stack underflow"),
        ("PUSH 1 ADD", "stack underflow"),
        ("PUSH 1 SWAP1", "stack underflow"),
        ("PUSH 1 DUP2", "stack underflow"),
        ("PUSH 0 MSTORE", "stack underflow"),
        ("PUSH 1 SLOAD SSTORE", "stack underflow"),
        ("PUSH 1 " * 1_025, "stack overflow"),
        ("PUSH 1 " + "DUP1 " * 1_024, "stack overflow"),
        ("PUSH 1 " * 1_024 + "CALLER", "stack overflow"),
        ("PUSH 3 JUMP", "invalid jump destination"),
        (f"PUSH {2**256 - 1} JUMP", "invalid jump destination"),
        ("PUSH 1 PUSH 3 JUMPI", "invalid jump destination"),
        ("PUSH 1 PUSH 0 PUSH 0 RETURNDATACOPY", "read behind the return data"),
        (f"PUSH {2**255} MLOAD", "out of gas"),
        (f"PUSH 1 PUSH {2**256 - 1} MSTORE", "out of gas"),
        (f"PUSH {2**200} PUSH 0 KECCAK256", "out of gas"),
        (f"PUSH {2**200} PUSH {2**200} PUSH {2**200} CALLDATACOPY", "out of gas"),
        (f"PUSH {2**255} PUSH {2**255} RETURN", "out of gas"),
        (f"PUSH {2**255} PUSH 0 LOG0", "out of gas"),
    ],
)
def test_mistakes_have_names(source: str, error: str) -> None:
    world = funded({TARGET: Allocated(code=assemble(source))})
    result = call(block_context(), world.reader, CallRequest(to=TARGET, gas=1_000_000), None)
    assert (result.error, result.gas_used, result.output) == (error, 1_000_000, b"")


@pytest.mark.parametrize("source", [f"PUSH {2**255} PUSH 0 SWAP1 {op}" for op in ("LOG0", "RETURN", "KECCAK256")])
def test_nothing_at_an_absurd_place_is_free(source: str) -> None:
    world = funded({TARGET: Allocated(code=assemble(source.replace("SWAP1 ", "SWAP1 SWAP1 SWAP1 ")))})
    assert call(block_context(), world.reader, CallRequest(to=TARGET, gas=100_000), None).error is None


WRITES = [
    "PUSH 1 PUSH 0 SSTORE",
    "PUSH 0 PUSH 0 LOG0",
    "PUSH 0 PUSH 0 PUSH 0 CREATE",
    "CALLER SELFDESTRUCT",
    "PUSH 1 PUSH 0 TSTORE",
    "PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 1 CALLER GAS CALL",
]


@pytest.mark.parametrize("source", WRITES)
def test_a_static_call_cannot_write(source: str) -> None:
    outer = f"PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH {OTHER_WORD} PUSH 100000 STATICCALL {return_top()}"
    world = funded({TARGET: Allocated(code=assemble(outer)), OTHER: Allocated(code=assemble(source), balance=5)})
    static = call(block_context(), world.reader, CallRequest(to=TARGET), None)
    plain = call(block_context(), world.reader, CallRequest(to=OTHER), None)
    assert (int.from_bytes(static.output, "big"), static.error, plain.error) == (0, None, None)


# Calls, estimates, constructors


def test_a_call_returns_output_logs_and_gas_and_changes_nothing() -> None:
    source = "PUSH 1 PUSH 0 SSTORE PUSH 3 PUSH 0 PUSH 0 LOG1 PUSH 0 SLOAD " + return_top()
    world = funded({TARGET: Allocated(code=assemble(source))})
    for _ in range(2):
        result = call(block_context(), world.reader, CallRequest(sender=SENDERS[0], to=TARGET), 5.0)
        assert result.output == words(1)
        assert [log.topics for log in result.logs] == [(words(3),)]
        assert result.error is None
    receipt, _ = executed(source)
    assert result.gas_used == receipt.cumulative_gas_used


def test_a_reverting_call_gives_the_reason() -> None:
    world = funded({TARGET: Allocated(code=assemble("PUSH 7 PUSH 0 MSTORE PUSH 32 PUSH 0 REVERT"))})
    result = call(block_context(), world.reader, CallRequest(to=TARGET), None)
    assert (result.error, result.output, result.logs) == ("revert", words(7), ())


def test_a_call_may_send_only_what_the_sender_has_but_pays_no_gas() -> None:
    world = funded()
    poor = CallRequest(to=OTHER, value=1)
    assert "balance" in (call(block_context(), world.reader, poor, None).error or "")
    rich = CallRequest(sender=SENDERS[0], to=OTHER, value=1_000 * ETHER, gas_price=10**9)
    assert call(block_context(), world.reader, rich, None).error is None


def test_a_call_without_the_intrinsic_gas_is_out_of_gas() -> None:
    result = call(block_context(), funded().reader, CallRequest(to=OTHER, gas=20_999), None)
    assert "out of gas" in (result.error or "")
    assert call(block_context(), funded().reader, CallRequest(to=OTHER, gas=21_000), None).error is None


def test_a_call_can_make_a_contract_and_returns_its_code() -> None:
    result = call(block_context(), funded().reader, CallRequest(sender=SENDERS[0], data=deployer(b"\x01\x02")), None)
    assert (result.error, result.output) == (None, b"\x01\x02")
    long = CallRequest(data=bytes(49_153))
    assert "initcode" in (call(block_context(), funded().reader, long, None).error or "")
    assert call(block_context(Fork.LONDON), funded().reader, long, None).error is None


@pytest.mark.parametrize(
    "source",
    [
        "STOP",
        "PUSH 0 PUSH 0 SSTORE",  # refunded at the end
        "PUSH 5 PUSH 1 SSTORE",
        # A caller that needs most of 63/64 of the gas below it, and fails when that fails.
        f"""PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH {OTHER_WORD} GAS CALL ISZERO @bad JUMPI STOP
        bad: INVALID""",
    ],
)
def test_an_estimate_suffices_and_is_near(source: str) -> None:
    inner = assemble("PUSH 1 PUSH 1 SSTORE PUSH 1 PUSH 2 SSTORE PUSH 1 PUSH 3 SSTORE")
    world = funded({TARGET: Allocated(code=assemble(source), storage={0: 1}), OTHER: Allocated(code=inner)})
    request = CallRequest(sender=SENDERS[0], to=TARGET, gas=30_000_000)
    estimate = estimate_gas(block_context(), world.reader, request, 10.0)
    assert estimate.gas is not None
    assert call(block_context(), world.reader, replace(request, gas=estimate.gas), None).error is None
    much_less = estimate.gas * 63 // 64 - 1
    assert call(block_context(), world.reader, replace(request, gas=much_less), None).error is not None


def test_an_estimate_of_what_always_fails_says_why() -> None:
    world = funded({TARGET: Allocated(code=assemble("PUSH 0 PUSH 0 REVERT"))})
    estimate = estimate_gas(block_context(), world.reader, CallRequest(to=TARGET), None)
    assert (estimate.gas, estimate.result.error) == (None, "revert")


def test_a_constructor_runs_at_a_fixed_address() -> None:
    initcode = assemble("PUSH 9 PUSH 9 SSTORE ADDRESS PUSH 8 SSTORE PUSH 1 PUSH 0 RETURN")
    writes = run_constructor(block_context(number=0), EmptyState(), TARGET, initcode)
    assert writes.accounts == {TARGET: Account(nonce=1, code_hash=keccak256(b"\x00"))}
    assert writes.storage == {TARGET: {9: 9, 8: int.from_bytes(TARGET, "big")}}
    assert writes.codes == {keccak256(b"\x00"): b"\x00"}


def test_a_constructor_may_be_longer_than_a_transaction() -> None:
    initcode = assemble("PUSH 1 PUSH 0 RETURN") + bytes(200_000)
    assert TARGET in run_constructor(block_context(number=0), EmptyState(), TARGET, initcode).accounts


def test_a_failing_constructor_is_refused_with_its_reason() -> None:
    with pytest.raises(Refused, match="revert.*0x" + words(7).hex()):
        run_constructor(block_context(), EmptyState(), TARGET, assemble("PUSH 7 PUSH 0 MSTORE PUSH 32 PUSH 0 REVERT"))


def test_keys_and_senders_belong_together() -> None:
    assert len(KEYS) == len(set(SENDERS))
