import threading

import pytest
from evm.assembler import deployer
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger.chains import BOARD, ETHER, RECORDER, SPINNER, Chain, User, set_slot

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.pool import Pool, PoolLimits
from cocket.node.chain.transaction import Transaction
from cocket.node.errors import InvalidTransaction, NodeError, Refused


def record(user: User, slot: int = 1, **fields: object) -> bytes:
    return user.sign(RECORDER, set_slot(slot, 7), **fields)


def hashes(transactions: object) -> list[bytes]:
    return [transaction.hash for transaction in transactions]  # type: ignore[attr-defined]


@pytest.fixture
def chain() -> Chain:
    return Chain()


def test_what_is_taken_is_found_again(chain: Chain) -> None:
    raw = record(chain.users[0])
    assert chain.pool.add(raw) == keccak256(raw)
    transaction = chain.pool.get(keccak256(raw))
    assert isinstance(transaction, Transaction)
    assert transaction.raw == raw
    assert transaction.sender == chain.users[0].address
    assert chain.pool.status() == (1, 0)
    assert chain.pool.size_bytes() == len(raw)


def test_adding_again_changes_nothing(chain: Chain) -> None:
    raw = record(chain.users[0])
    assert chain.pool.add(raw) == chain.pool.add(raw)
    assert chain.pool.status() == (1, 0)


def test_what_is_unknown_is_none(chain: Chain) -> None:
    assert chain.pool.get(bytes(32)) is None
    assert chain.pool.why(bytes(32)) is None
    chain.pool.drop(bytes(32), "unknown")
    assert chain.pool.why(bytes(32)) is None


# What is refused


@pytest.mark.parametrize(
    ("fields", "error", "reason"),
    [
        ({"chain_id": 1}, InvalidTransaction, "chain id: found 1, expected 4455"),
        ({"chain_id": None}, InvalidTransaction, "unprotected"),
        ({"gas_limit": 20_000}, InvalidTransaction, "intrinsic"),
        ({"gas_limit": 10_000_001}, InvalidTransaction, "a block holds 10000000"),
        ({"value": ETHER + 1}, InvalidTransaction, "balance: found 1000000000000000000 wei"),
        ({"gas_price": ETHER}, InvalidTransaction, "balance"),
        ({"nonce": 1024}, Refused, "nonce 1024 is 1024 above the next one"),
        ({"max_fee_per_gas": 1, "max_priority_fee_per_gas": 2}, InvalidTransaction, "priority fee"),
    ],
)
def test_it_says_why_it_refuses(chain: Chain, fields: dict[str, object], error: type[NodeError], reason: str) -> None:
    with pytest.raises(error, match=reason):
        chain.pool.add(record(chain.users[0], **fields))
    assert chain.pool.status() == (0, 0)


def test_a_nonce_that_was_used_is_refused(chain: Chain) -> None:
    chain.extend(record(chain.users[0]))
    with pytest.raises(InvalidTransaction, match="nonce: found 0, expected 1 or above"):
        chain.pool.add(record(chain.users[0], 2, nonce=0))
    chain.pool.add(record(chain.users[0], 2))


def test_more_than_the_cap_of_the_genesis_is_refused() -> None:
    chain = Chain(per_tx_gas_limit=50_000)
    with pytest.raises(InvalidTransaction, match="expected at most 50000"):
        chain.pool.add(record(chain.users[0], gas_limit=50_001))
    chain.pool.add(record(chain.users[0], gas_limit=50_000, nonce=0))


def test_a_fee_below_the_base_fee_is_refused() -> None:
    chain = Chain(zero_base_fee=False)
    with pytest.raises(InvalidTransaction, match="base fee"):
        chain.pool.add(record(chain.users[0], nonce=0))
    chain.pool.add(record(chain.users[0], gas_price=10**9, nonce=0))


def test_oversized_bytes_are_refused_before_they_are_read(chain: Chain) -> None:
    with pytest.raises(Refused, match="131073 bytes, at most 131072"):
        chain.pool.add(b"\x02" * (128 * 1024 + 1))


@given(data=st.binary(max_size=300))
def test_any_bytes_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(NodeError):
        CHAIN.pool.add(data)


CHAIN = Chain()


def test_a_sender_without_permission_is_refused() -> None:
    chain = Chain(has_permission=True)
    stranger = User("stranger")
    with pytest.raises(Refused, match="may not transact"):
        chain.pool.add(record(stranger))
    chain.extend(chain.users[0].sign(BOARD, set_slot(int.from_bytes(stranger.address, "big"), 1)))
    chain.pool.add(record(stranger, nonce=0))
    with pytest.raises(Refused, match="may not deploy"):
        chain.pool.add(stranger.sign(None, deployer(b"\x00"), nonce=1))
    chain.pool.add(chain.users[1].sign(None, deployer(b"\x00")))


# Order


def test_who_was_served_waits_behind_who_was_not() -> None:
    chain = Chain(gas_limit=100_000)
    a, b = chain.users[:2]
    raws = [user.sign(SPINNER, gas_limit=60_000) for user in (a, a, b)]
    assert chain.extend(*raws).transactions == (raws[0],)
    assert chain.extend().transactions == (raws[2],)
    assert chain.extend().transactions == (raws[1],)


def test_senders_take_turns_in_the_order_of_their_arrival(chain: Chain) -> None:
    a, b, c, _ = chain.users
    raws = {name: record(user) for name, user in (("a0", a), ("a1", a), ("a2", a), ("b0", b), ("c0", c), ("c1", c))}
    for name in ("b0", "a0", "a1", "a2", "c0", "c1"):
        chain.pool.add(raws[name])
    expected = [keccak256(raws[name]) for name in ("b0", "a0", "c0", "a1", "c1", "a2")]
    assert hashes(chain.pool.pending()) == expected
    assert hashes(chain.pool.pending(count_max=4)) == expected[:4]


def test_the_order_of_nonces_is_not_that_of_arrival(chain: Chain) -> None:
    user = chain.users[0]
    raws = [record(user) for _ in range(3)]
    for raw in reversed(raws):
        chain.pool.add(raw)
    assert hashes(chain.pool.pending()) == [keccak256(raw) for raw in raws]
    assert hashes(chain.pool.content()) == [keccak256(raw) for raw in reversed(raws)]


def test_who_does_not_pay_the_base_fee_waits_and_so_do_its_later_ones(chain: Chain) -> None:
    user, other = chain.users[:2]
    cheap = [record(user, gas_price=5), record(user, gas_price=50)]
    dear = [record(other, gas_price=10)]
    for raw in cheap + dear:
        chain.pool.add(raw)
    assert hashes(chain.pool.pending(base_fee=6)) == hashes(map(chain.pool.get, map(keccak256, dear)))
    assert len(list(chain.pool.pending(base_fee=5))) == 3


# Gaps


def test_a_gap_queues_and_filling_it_promotes(chain: Chain) -> None:
    user = chain.users[0]
    raws = [record(user) for _ in range(4)]
    for raw in (raws[1], raws[3]):
        chain.pool.add(raw)
    assert chain.pool.status() == (0, 2)
    assert list(chain.pool.pending()) == []
    assert chain.pool.next_nonce(user.address) == 0
    chain.pool.add(raws[0])
    assert chain.pool.status() == (2, 1)
    assert chain.pool.next_nonce(user.address) == 2
    chain.pool.add(raws[2])
    assert chain.pool.status() == (4, 0)
    assert hashes(chain.pool.pending()) == [keccak256(raw) for raw in raws]
    assert chain.pool._queued_bytes == 0


def test_queued_bytes_are_bounded_and_pending_ones_still_find_room(chain: Chain) -> None:
    pool = Pool(chain.ledger, chain.permission, PoolLimits(queued_bytes_max=400))
    user = chain.users[0]
    raws = [record(user) for _ in range(6)]
    pool.add(raws[5])
    pool.add(raws[4])
    with pytest.raises(Refused, match="behind gaps: send nonce 0"):
        pool.add(raws[3])
    for raw in raws[:4]:
        pool.add(raw)
    assert pool.status() == (6, 0)


# Replacement


@pytest.mark.parametrize(
    ("old", "new", "is_better"),
    [
        ({"gas_price": 0}, {"gas_price": 0}, False),
        ({"gas_price": 5}, {"gas_price": 5}, False),
        ({"gas_price": 5}, {"gas_price": 4}, False),
        ({"gas_price": 5}, {"gas_price": 6}, True),
        ({"gas_price": 5}, {"max_fee_per_gas": 6, "max_priority_fee_per_gas": 5}, False),
        ({"gas_price": 5}, {"max_fee_per_gas": 6, "max_priority_fee_per_gas": 6}, True),
        (
            {"max_fee_per_gas": 9, "max_priority_fee_per_gas": 1},
            {"max_fee_per_gas": 9, "max_priority_fee_per_gas": 2},
            False,
        ),
        (
            {"max_fee_per_gas": 9, "max_priority_fee_per_gas": 1},
            {"max_fee_per_gas": 10, "max_priority_fee_per_gas": 2},
            True,
        ),
    ],
)
def test_only_a_strictly_better_price_replaces(
    chain: Chain, old: dict[str, object], new: dict[str, object], is_better: bool
) -> None:
    user = chain.users[0]
    first, second = record(user, 1, nonce=0, **old), record(user, 2, nonce=0, **new)
    chain.pool.add(first)
    if not is_better:
        with pytest.raises(Refused, match="a replacement must offer more in both"):
            chain.pool.add(second)
        assert hashes(chain.pool.pending()) == [keccak256(first)]
        return
    chain.pool.add(second)
    assert hashes(chain.pool.pending()) == [keccak256(second)]
    assert chain.pool.why(keccak256(first)) == "replaced by one that pays more"
    assert chain.pool.size_bytes() == len(second)
    assert chain.pool.status() == (1, 0)


def test_a_replacement_keeps_its_turn_and_its_followers(chain: Chain) -> None:
    user, other = chain.users[:2]
    for raw in (record(user, nonce=0), record(user, nonce=1), record(other)):
        chain.pool.add(raw)
    better = record(user, 9, nonce=0, gas_price=1)
    chain.pool.add(better)
    order = list(chain.pool.pending())
    assert order[0].hash == keccak256(better)
    assert [transaction.sender for transaction in order] == [user.address, other.address, user.address]


# Bounds


def test_a_sender_s_count_is_bounded(chain: Chain) -> None:
    pool = Pool(chain.ledger, chain.permission, PoolLimits(sender_count_max=3))
    user = chain.users[0]
    for _ in range(3):
        pool.add(record(user))
    with pytest.raises(Refused, match="3 transactions of this sender wait, no more may"):
        pool.add(record(user, nonce=3))
    pool.add(record(user, 5, nonce=2, gas_price=1))
    pool.add(record(chain.users[1]))
    assert pool.status() == (4, 0)


def test_a_sender_s_bytes_are_bounded(chain: Chain) -> None:
    pool = Pool(chain.ledger, chain.permission, PoolLimits(sender_bytes_max=400))
    user = chain.users[0]
    pool.add(record(user))
    pool.add(record(user))
    with pytest.raises(Refused, match="bytes of this sender"):
        pool.add(record(user))
    pool.add(record(chain.users[1]))


def test_the_whole_pool_is_bounded(chain: Chain) -> None:
    pool = Pool(chain.ledger, chain.permission, PoolLimits(bytes_max=400))
    first = [record(user) for user in chain.users[:2]]
    for raw in first:
        pool.add(raw)
    with pytest.raises(Refused, match="try again later"):
        pool.add(record(chain.users[2], nonce=0))
    with pytest.raises(Refused, match="try again later"):
        pool.add(record(chain.users[0], nonce=1))
    pool.drop(keccak256(first[0]), "for room")
    pool.add(record(chain.users[2], nonce=0))
    assert pool.size_bytes() <= 400


def test_a_full_pool_takes_the_next_transaction_of_who_has_none_from_who_holds_the_most(chain: Chain) -> None:
    spammer, other, authority, late = chain.users
    size = len(record(spammer, nonce=0))
    pool = Pool(chain.ledger, chain.permission, PoolLimits(bytes_max=5 * size))
    spam = [record(spammer) for _ in range(4)]
    quiet = record(other)
    for raw in (*spam, quiet):
        pool.add(raw)
    for refused in (record(spammer, nonce=4), record(other, nonce=1), record(authority, nonce=1)):
        with pytest.raises(Refused, match="try again later"):
            pool.add(refused)
    suspension = record(authority, nonce=0)
    pool.add(suspension)
    assert pool.why(keccak256(spam[3])) == "the pool is full, and its sender holds the most of it"
    assert hashes(pool.content()) == [keccak256(raw) for raw in (*spam[:3], quiet, suspension)]
    pool.add(record(late, nonce=0))
    assert pool.why(keccak256(spam[2])) is not None
    assert pool.size_bytes() <= 5 * size
    assert pool.status() == (5, 0)


def test_room_for_a_large_one_is_taken_from_one_sender_and_its_gaps_first(chain: Chain) -> None:
    spammer, other = chain.users[:2]
    spam = [record(spammer, nonce=nonce) for nonce in (0, 1, 2, 5, 7)]
    pool = Pool(chain.ledger, chain.permission, PoolLimits(bytes_max=sum(map(len, spam))))
    for raw in spam:
        pool.add(raw)
    assert pool.status() == (3, 2)
    large = other.sign(RECORDER, set_slot(1, 1) + bytes(len(spam[0])))
    pool.add(large)
    assert hashes(pool.content()) == [keccak256(raw) for raw in (*spam[:2], large)]
    assert pool.status() == (3, 0)
    assert pool._queued_bytes == 0
    assert pool.size_bytes() == sum(len(transaction.raw) for transaction in pool.content())


def test_a_gap_does_not_keep_its_own_filling_out_of_a_full_pool(chain: Chain) -> None:
    user = chain.users[0]
    raws = [record(user, nonce=nonce) for nonce in (0, 1, 2, 3)]
    pool = Pool(chain.ledger, chain.permission, PoolLimits(bytes_max=sum(map(len, raws[1:]))))
    for raw in raws[1:]:
        pool.add(raw)
    pool.add(raws[0])
    assert hashes(pool.pending()) == [keccak256(raw) for raw in raws[:3]]
    assert pool.status() == (3, 0)
    assert pool._queued_bytes == 0
    assert pool.size_bytes() == sum(map(len, raws[:3]))


def test_equals_do_not_push_each_other_out(chain: Chain) -> None:
    first, second, third = chain.users[:3]
    raws = [record(first), record(second)]
    pool = Pool(chain.ledger, chain.permission, PoolLimits(bytes_max=sum(map(len, raws)) + 10))
    for raw in raws:
        pool.add(raw)
    with pytest.raises(Refused, match="try again later"):
        pool.add(record(third, nonce=0))
    small = third.sign(RECORDER, nonce=0)
    pool.add(small)
    assert hashes(pool.content()) == [keccak256(raws[0]), keccak256(small)]


def test_what_is_remembered_of_drops_is_bounded(chain: Chain) -> None:
    pool = Pool(chain.ledger, chain.permission, PoolLimits(drops_max=2))
    raws = [record(user) for user in chain.users[:3]]
    for raw in raws:
        pool.add(raw)
    for raw in raws:
        pool.drop(keccak256(raw), "slow")
    assert [pool.why(keccak256(raw)) for raw in raws] == [None, "slow", "slow"]


# Leaving


def test_a_drop_queues_the_later_ones(chain: Chain) -> None:
    user = chain.users[0]
    raws = [record(user) for _ in range(3)]
    for raw in raws:
        chain.pool.add(raw)
    chain.pool.drop(keccak256(raws[0]), "too slow")
    assert chain.pool.status() == (0, 2)
    assert chain.pool.why(keccak256(raws[0])) == "too slow"
    chain.pool.add(raws[0])
    assert chain.pool.status() == (3, 0)
    assert chain.pool.why(keccak256(raws[0])) is None


def test_a_block_takes_out_what_it_includes_and_what_it_made_stale(chain: Chain) -> None:
    user, other = chain.users[:2]
    mine = [record(user) for _ in range(3)]
    stale = record(user, 8, nonce=0, gas_price=0)
    theirs = record(other)
    node = Chain()
    for raw in (stale, mine[1], mine[2], theirs):
        node.pool.add(raw)
    block = chain.extend(mine[0], mine[1])
    node.importer.import_block(block)
    assert node.pool.why(keccak256(stale)) == "stale: another transaction with nonce 0 is in block 1"
    assert node.pool.why(keccak256(mine[1])) == "included in block 1"
    assert node.pool.status() == (2, 0)
    assert hashes(node.pool.pending()) == [keccak256(theirs), keccak256(mine[2])]
    assert node.pool.size_bytes() == len(mine[2]) + len(theirs)
    assert node.pool.next_nonce(user.address) == 3


def test_what_cannot_run_leaves_after_some_time() -> None:
    chain = Chain(1, limits=PoolLimits(wait_blocks_max=60))
    user, other = chain.users[:2]
    for _ in range(5):
        chain.extend()
    lost = record(user, nonce=3)
    chain.pool.add(lost)
    while chain.head.number < 70:
        chain.extend()
    chain.pool.add(record(other, nonce=4))
    assert chain.pool.status() == (0, 2)
    while chain.head.number < 128:
        chain.extend()
    assert chain.pool.status() == (0, 1)
    assert chain.pool.why(keccak256(lost)) == "it could not run for 60 blocks"


def test_a_block_of_others_transactions_changes_nothing(chain: Chain) -> None:
    node = Chain()
    raw = record(chain.users[1])
    node.pool.add(raw)
    node.importer.import_block(chain.extend(record(chain.users[0])))
    assert node.pool.status() == (1, 0)


def test_a_block_may_fill_a_gap(chain: Chain) -> None:
    node = Chain()
    user = chain.users[0]
    first, second = record(user), record(user)
    node.pool.add(second)
    assert node.pool.status() == (0, 1)
    node.importer.import_block(chain.extend(first))
    assert node.pool.status() == (1, 0)
    assert node.pool._queued_bytes == 0


def test_an_account_s_next_nonce_without_the_pool(chain: Chain) -> None:
    chain.extend(record(chain.users[0]))
    assert chain.pool.next_nonce(chain.users[0].address) == 1
    assert chain.pool.next_nonce(b"\x55" * 20) == 0


def test_an_empty_pool_holds_nothing(chain: Chain) -> None:
    for raw in [record(user) for user in chain.users for _ in range(3)]:
        chain.pool.add(raw)
    chain.extend()
    assert chain.pool.status() == (0, 0)
    assert (chain.pool._senders, chain.pool._by_hash) == ({}, {})
    assert (chain.pool.size_bytes(), chain.pool._queued_bytes) == (0, 0)


step = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 2), st.integers(0, 7), st.integers(0, 2)),
    st.tuples(st.just("drop"), st.integers(0, 2), st.integers(0, 7), st.integers(0, 2)),
    st.tuples(st.just("block"), st.integers(0, 4), st.just(0), st.just(0)),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(step, max_size=25))
def test_its_sums_agree_with_its_content_whatever_happens(steps: list[tuple[str, int, int, int]]) -> None:
    chain = Chain(1, user_count=3, limits=PoolLimits(sender_count_max=5, queued_bytes_max=600, bytes_max=1500))
    pool = chain.pool
    for what, who, nonce, price in steps:
        raw = record(chain.users[who % 3], 1, nonce=nonce, gas_price=price)
        try:
            if what == "add":
                pool.add(raw)
            elif what == "drop":
                pool.drop(keccak256(raw), "dropped")
            else:
                block = chain.builder.build(chain.validators[0], chain.head.timestamp + 1, 0, 1000.0).block
                chain.importer.import_block(chain.seal(block))
        except (InvalidTransaction, Refused):
            pass
        content = pool.content()
        assert pool.size_bytes() == sum(len(transaction.raw) for transaction in content)
        assert set(hashes(content)) == set(pool._by_hash)
        pending = list(pool.pending())
        assert pool.status() == (len(pending), len(content) - len(pending))
        queued = set(hashes(content)) - set(hashes(pending))
        assert pool._queued_bytes == sum(len(pool._by_hash[hash_].raw) for hash_ in queued)
        for user in chain.users:
            account = chain.ledger.head_state()[1].account(user.address)
            assert account is not None
            nonces = [transaction.nonce for transaction in pending if transaction.sender == user.address]
            assert nonces == list(range(account.nonce, account.nonce + len(nonces)))


def test_many_threads_may_add(chain: Chain) -> None:
    raws = {user.address: [record(user) for _ in range(20)] for user in chain.users}
    threads = [
        threading.Thread(target=lambda own: [chain.pool.add(raw) for raw in own], args=(own,)) for own in raws.values()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert chain.pool.status() == (80, 0)
