import pytest
from evm.assembler import deployer
from ledger.chains import BOARD, RECORDER, SPINNER, Chain, FakeClock, User, set_slot
from ledger.faults import CURSED_SLOT, FaultyLedger

from cocket.node.chain import builder as builder_module
from cocket.node.chain.builder import Builder
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import block_hash, round_of
from cocket.node.chain.importer import StopSwitch
from cocket.node.chain.rlp_codec import decode, encode, join_list
from cocket.node.chain.vm import ExecutionAborted
from cocket.node.consensus.wire import ITEMS_MAX, NESTED_MAX
from cocket.node.errors import NodeFault


def test_an_empty_pool_makes_an_empty_block() -> None:
    chain = Chain()
    executed = chain.build(round_number=3)
    assert executed.block.transactions == ()
    assert executed.state_root == chain.head.state_root
    assert round_of(executed.block.header) == 3
    assert executed.hash == block_hash(executed.block.header)
    chain.importer.import_block(chain.seal(executed.block))


def test_what_it_makes_is_what_the_importer_makes_of_it() -> None:
    chain, other = Chain(has_permission=True), Chain(has_permission=True)
    users = chain.users
    executed = chain.build(
        users[0].sign(RECORDER, set_slot(1, 1)),
        users[0].sign(RECORDER, set_slot(1, 0)),
        users[1].sign(None, deployer(b"\x60\x01")),
        users[2].sign(SPINNER, gas_limit=50_000),
        users[3].sign(users[3].address, value=3),
    )
    assert len(executed.block.transactions) == 5
    assert [receipt.status for receipt in executed.receipts].count(0) == 1
    assert other.importer.execute(executed.block, None) == executed
    assert executed.senders == tuple(transaction.sender for transaction in executed.transactions)


def test_a_remembered_block_of_our_own_is_only_written() -> None:
    chain = Chain()
    executed = chain.build(chain.users[0].sign(RECORDER, set_slot(1, 1)))
    chain.importer.remember(executed)
    assert chain.importer.execute(executed.block, None) is executed
    chain.importer.import_block(chain.seal(executed.block))
    assert chain.storage(RECORDER, 1) == 1


def test_the_gas_limit_is_kept_and_others_find_room() -> None:
    chain = Chain(gas_limit=500_000)
    big, small, other = chain.users[:3]
    raws = [
        big.sign(SPINNER, gas_limit=400_000),
        big.sign(SPINNER, gas_limit=400_000),
        small.sign(RECORDER, set_slot(1, 1), gas_limit=90_000),
        other.sign(RECORDER, set_slot(2, 1), gas_limit=400_000),
    ]
    block = chain.extend(*raws)
    assert block.transactions == (raws[0], raws[2])
    assert chain.pool.status() == (2, 0)
    assert chain.extend().transactions == (raws[3], raws[1])


def test_a_full_block_stops_looking() -> None:
    chain = Chain(gas_limit=63_000)
    raws = [user.sign(chain.users[0].address, gas_limit=21_000) for user in chain.users]
    assert chain.extend(*raws).transactions == tuple(raws[:3])
    assert chain.head.gas_used == 63_000


def test_the_bytes_of_a_block_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain()
    raws = [user.sign(RECORDER, set_slot(1, 1)) for user in chain.users]
    small = User("small").address
    monkeypatch.setattr(builder_module, "_BLOCK_BYTES_MAX", 2 * len(raws[0]) + 120)
    tiny = chain.users[3].sign(small, gas_limit=21_000, nonce=0)
    assert chain.extend(*raws[:3], tiny).transactions == (raws[0], raws[1], tiny)
    assert chain.extend().transactions == (raws[2],)


def test_the_transactions_of_a_block_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain()
    raws = [user.sign(RECORDER, set_slot(1, 1)) for user in chain.users[:3]]
    monkeypatch.setattr(builder_module, "_BLOCK_TRANSACTIONS_MAX", 2)
    assert chain.extend(*raws).transactions == tuple(raws[:2])
    assert chain.extend().transactions == (raws[2],)


def test_the_largest_block_that_is_made_is_one_that_peers_decode() -> None:
    """Or an honest proposer would be dropped by all: here with a justification of the longest kind beside it."""
    fields = [b"\x01" * 8, b"\x01" * 4, b"\x52\x08", bytes(20), b"", b"", b"\x1c", b"\x01" * 32, b"\x01" * 32]
    transactions = join_list([encode(fields)] * builder_module._BLOCK_TRANSACTIONS_MAX)
    signed = join_list([encode([[b"\x01"] * 4, b"\x01" * 65])] * NESTED_MAX)
    decode(join_list([transactions, signed, signed]), ITEMS_MAX)


def test_permission_that_was_taken_away_drops_with_the_reason() -> None:
    chain = Chain(has_permission=True)
    admin, user = chain.users[:2]
    raws = [user.sign(RECORDER, set_slot(1, 1)) for _ in range(2)]
    block = chain.make(admin.sign(BOARD, set_slot(int.from_bytes(user.address, "big"), 0)))
    for raw in raws:
        chain.pool.add(raw)
    chain.importer.import_block(block)
    assert chain.extend().transactions == ()
    assert "may not transact" in (chain.pool.why(keccak256(raws[0])) or "")
    assert chain.pool.status() == (0, 1)


def test_a_balance_that_is_gone_drops_with_the_reason() -> None:
    chain = Chain()
    user, friend = chain.users[:2]
    everything = user.sign(friend.address, value=9 * 10**17)
    too_much = user.sign(friend.address, value=9 * 10**17)
    assert chain.extend(everything, too_much).transactions == (everything,)
    assert "balance" in (chain.pool.why(keccak256(too_much)) or "")


# Time


def test_the_budget_ends_the_block_and_keeps_the_rest() -> None:
    clock = FakeClock()
    chain = Chain(clock=clock)
    raws = [user.sign(RECORDER, set_slot(1, 1)) for user in chain.users]
    for raw in raws:
        chain.pool.add(raw)
    clock.step_s = 1.0
    executed = chain.build(budget_s=5.0)
    assert executed.block.transactions == tuple(raws[:2])
    clock.step_s = 0.0
    chain.importer.import_block(chain.seal(executed.block))
    assert chain.pool.status() == (2, 0)


def test_no_time_at_all_makes_an_empty_block() -> None:
    clock = FakeClock()
    chain = Chain(clock=clock)
    clock.step_s = 1.0
    executed = chain.build(chain.users[0].sign(RECORDER, set_slot(1, 1)), budget_s=0.0)
    assert executed.block.transactions == ()
    assert chain.pool.status() == (1, 0)


def test_a_slow_transaction_is_dropped_with_a_reason_and_the_block_goes_on() -> None:
    chain = Chain(clock=FakeClock())
    slow = chain.users[0].sign(SPINNER, gas_limit=9_000_000)
    later = chain.users[0].sign(RECORDER, set_slot(1, 1))
    quick = chain.users[1].sign(RECORDER, set_slot(2, 2))
    executed = chain.build(slow, later, quick, budget_s=0.2)
    assert executed.block.transactions == (quick,)
    assert chain.pool.why(keccak256(slow)) == "too slow: it ran longer than 0.050 s"
    assert chain.pool.status() == (1, 1)
    Chain().importer.execute(executed.block, None)


def test_a_transaction_that_only_had_the_rest_of_the_time_waits() -> None:
    clock = FakeClock()
    chain = Chain(clock=clock)
    slow = chain.users[0].sign(SPINNER, gas_limit=9_000_000)
    chain.pool.add(slow)
    clock.step_s = 0.08
    executed = chain.build(budget_s=0.2)
    assert executed.block.transactions == ()
    assert chain.pool.why(keccak256(slow)) is None
    assert chain.pool.status() == (1, 0)


def test_a_pulled_switch_stops_it_and_drops_nothing() -> None:
    chain = Chain()
    chain.pool.add(chain.users[0].sign(SPINNER, gas_limit=1_000_000))
    switch = StopSwitch()
    switch.pull()
    switch.pull()
    with pytest.raises(ExecutionAborted):
        chain.builder.build(chain.validators[0], chain.head.timestamp + 1, 0, 100.0, switch)
    assert chain.pool.status() == (1, 0)


def test_two_nodes_with_the_same_pool_make_the_same_block() -> None:
    one, other = Chain(), Chain()
    raws = [user.sign(RECORDER, set_slot(n, n)) for n, user in enumerate(one.users * 3, 1)]
    assert one.build(*raws) == other.build(*raws)


# Faults of our own


def test_a_transaction_on_which_the_engine_fails_is_dropped_and_the_block_goes_on() -> None:
    chain, sound = Chain(), Chain()
    user, other = chain.users[:2]
    before, cursed, after = (user.sign(RECORDER, set_slot(slot, 1)) for slot in (1, CURSED_SLOT, 2))
    theirs = other.sign(RECORDER, set_slot(3, 3))
    for raw in (before, cursed, after, theirs):
        chain.pool.add(raw)
    ledger = FaultyLedger(chain.store, chain.genesis)
    builder = Builder(ledger, chain.permission, chain.pool, chain.clock)
    executed = builder.build(chain.validators[0], chain.head.timestamp + 1, 0, 1000.0)
    assert executed.block.transactions == (before, theirs)
    assert chain.pool.why(keccak256(cursed)) == "engine fault: ZeroDivisionError('a fault of the engine')"
    assert chain.pool.get(keccak256(after)) is not None
    sound.importer.execute(executed.block, None)


def test_a_failed_disk_is_no_fault_of_a_transaction() -> None:
    chain = Chain()
    raw = chain.users[0].sign(RECORDER, set_slot(CURSED_SLOT, 1))
    chain.pool.add(raw)
    ledger = FaultyLedger(chain.store, chain.genesis)
    ledger.error = NodeFault("the disk is full")
    builder = Builder(ledger, chain.permission, chain.pool, chain.clock)
    with pytest.raises(NodeFault, match="the disk is full"):
        builder.build(chain.validators[0], chain.head.timestamp + 1, 0, 1000.0)
    assert chain.pool.get(keccak256(raw)) is not None
