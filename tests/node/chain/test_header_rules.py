"""Each header rule by its breach, base fees by hand and against py-evm, on headers of each fork."""

import re
from dataclasses import replace

import pytest
from eth.vm.forks.london.blocks import LondonBlockHeader
from eth.vm.forks.london.headers import calculate_expected_base_fee_per_gas
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.chain.block import Block
from cocket.node.chain.extra_data import ExtraData, Vote, encode_extra_data
from cocket.node.chain.hashing import EMPTY_OMMERS_HASH, EMPTY_ROOT
from cocket.node.chain.header import Header, block_hash, with_round, with_seals
from cocket.node.chain.header_rules import (
    MIX_HASH,
    next_base_fee,
    next_excess_blob_gas,
    next_gas_limit,
    transactions_max,
    validate_body,
    validate_header,
)
from cocket.node.chain.roots import ordered_root
from cocket.node.chain.rules import Fork, Spec
from cocket.node.errors import InvalidBlock

VALIDATORS = tuple(bytes([letter]) * 20 for letter in b"abcd")
STRANGER = b"z" * 20
PARENT_TIME = 1_700_000_000
GAS_LIMIT = 30_000_000

LONDON = Spec(chain_id=1, block_period_s=2)
BERLIN = replace(LONDON, london_block=None)
SHANGHAI = replace(LONDON, shanghai_time=0)
CANCUN = replace(SHANGHAI, cancun_time=0, zero_base_fee=True)
CONTRACT = replace(CANCUN, validator_contract=b"c" * 20)
SPECS = {"Berlin": BERLIN, "London": LONDON, "Shanghai": SHANGHAI, "Cancun": CANCUN, "contract": CONTRACT}


def parent_of(spec: Spec, **changes: object) -> Header:
    fork = spec.fork_at(100, PARENT_TIME)
    listed = () if spec.validator_contract is not None else VALIDATORS
    header = Header(
        parent_hash=b"p" * 32,
        ommers_hash=EMPTY_OMMERS_HASH,
        coinbase=VALIDATORS[0],
        state_root=b"s" * 32,
        transactions_root=EMPTY_ROOT,
        receipts_root=EMPTY_ROOT,
        logs_bloom=bytes(256),
        difficulty=1,
        number=100,
        gas_limit=GAS_LIMIT,
        gas_used=GAS_LIMIT // 2,
        timestamp=PARENT_TIME,
        extra_data=encode_extra_data(ExtraData(validators=listed)),
        mix_hash=MIX_HASH,
        nonce=bytes(8),
        base_fee_per_gas=None if fork < Fork.LONDON else 0 if spec.zero_base_fee else 1_000_000,
        withdrawals_root=EMPTY_ROOT if fork >= Fork.SHANGHAI else None,
        blob_gas_used=0 if fork >= Fork.CANCUN else None,
        excess_blob_gas=0 if fork >= Fork.CANCUN else None,
        parent_beacon_block_root=bytes(32) if fork >= Fork.CANCUN else None,
    )
    return replace(header, **changes)  # type: ignore[arg-type]


def child_of(parent: Header, **changes: object) -> Header:
    child = replace(
        parent,
        parent_hash=block_hash(parent),
        number=parent.number + 1,
        coinbase=VALIDATORS[1],
        gas_used=21_000,
        timestamp=parent.timestamp + 2,
    )
    return replace(child, **changes)  # type: ignore[arg-type]


def extra(**fields: object) -> bytes:
    return encode_extra_data(ExtraData(**fields))  # type: ignore[arg-type]


def check(header: Header, parent: Header, spec: Spec, now_s: int | None = PARENT_TIME + 2) -> None:
    validate_header(header, parent, spec, VALIDATORS, now_s)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_right_header_passes_in_each_fork(spec: Spec) -> None:
    parent = parent_of(spec)
    check(child_of(parent), parent, spec)
    check(child_of(parent, timestamp=PARENT_TIME + 50), parent, spec, PARENT_TIME + 50)
    check(child_of(parent, nonce=b"anything"), parent, spec)  # as Besu
    check(with_seals(with_round(child_of(parent), 5), [b"s" * 65]), parent, spec)  # seals are another's concern
    resealed = with_seals(with_round(parent, 7), [b"t" * 65])
    check(child_of(parent), resealed, spec)  # the parent's identity does not depend on its seals


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number": 102}, "number: found 102, expected 101"),
        ({"number": 100}, "number: found 100, expected 101"),
        ({"parent_hash": b"q" * 32}, "parentHash: found 0x7171"),
        ({"mix_hash": bytes(32)}, "mixHash: found 0x0000"),
        ({"difficulty": 2}, "difficulty: found 2, expected 1"),
        ({"difficulty": 0}, "difficulty: found 0, expected 1"),
        ({"ommers_hash": bytes(32)}, "ommersHash: found 0x0000"),
        ({"gas_used": GAS_LIMIT + 1}, "gasUsed: found 30000001, expected at most the gas limit 30000000"),
        ({"gas_limit": GAS_LIMIT + 29_296}, "gasLimit: found 30029296, expected less than 29296 away from 30000000"),
        ({"gas_limit": GAS_LIMIT - 29_296}, "gasLimit: found 29970704, expected less than 29296 away"),
        ({"timestamp": PARENT_TIME + 1}, f"timestamp: found {PARENT_TIME + 1}, expected at least {PARENT_TIME + 2}"),
        ({"timestamp": PARENT_TIME + 4}, f"timestamp: found {PARENT_TIME + 4}, expected at most {PARENT_TIME + 3}"),
        ({"coinbase": STRANGER}, "coinbase: found 0x7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a, expected a validator"),
        ({"coinbase": bytes(20)}, "coinbase: found 0x0000"),
        ({"extra_data": b"free text"}, "extraData is not QBFT's"),
        ({"extra_data": extra(validators=VALIDATORS[:3])}, "extraData validators: found [0x6161"),
        ({"extra_data": extra(validators=(*VALIDATORS, STRANGER))}, "extraData validators: found [0x6161"),
        ({"extra_data": extra(validators=VALIDATORS[::-1])}, "extraData validators: found [0x6464"),
    ],
)
def test_each_rule_by_its_breach(spec: Spec, changes: dict[str, object], message: str) -> None:
    parent = parent_of(spec)
    with pytest.raises(InvalidBlock, match=re.escape(message)):
        check(child_of(parent, **changes), parent, spec)


@pytest.mark.parametrize(
    ("spec", "changes", "message"),
    [
        (BERLIN, {"base_fee_per_gas": 0}, "baseFeePerGas: found 0, expected none"),
        (LONDON, {"base_fee_per_gas": None}, "baseFeePerGas: found none, expected 1000000"),
        (LONDON, {"base_fee_per_gas": 999_999}, "baseFeePerGas: found 999999, expected 1000000"),
        (CANCUN, {"base_fee_per_gas": 1}, "baseFeePerGas: found 1, expected 0"),
        (LONDON, {"withdrawals_root": EMPTY_ROOT}, "withdrawalsRoot: found 0x56e81f17"),
        (SHANGHAI, {"withdrawals_root": bytes(32)}, "withdrawalsRoot: found 0x0000"),
        (SHANGHAI, {"blob_gas_used": 0}, "blobGasUsed: found 0, expected none"),
        (CANCUN, {"blob_gas_used": 131_072}, "blobGasUsed: found 131072, expected 0"),
        (CANCUN, {"blob_gas_used": None}, "blobGasUsed: found none, expected 0"),
        (CANCUN, {"excess_blob_gas": 1}, "excessBlobGas: found 1, expected 0"),
        (CANCUN, {"excess_blob_gas": None}, "excessBlobGas: found none, expected 0"),
        (CANCUN, {"parent_beacon_block_root": b"r" * 32}, "parentBeaconBlockRoot: found 0x7272"),
        (CANCUN, {"parent_beacon_block_root": None}, "parentBeaconBlockRoot: found none, expected 0x0000"),
        (CANCUN, {"requests_hash": bytes(32)}, "requestsHash: found 0x0000"),
        (CONTRACT, {"extra_data": extra(validators=VALIDATORS)}, "expected [] (a contract names them)"),
        (LONDON, {"extra_data": extra()}, "extraData validators: found [], expected [0x6161"),
        (CONTRACT, {"extra_data": extra(vote=Vote(STRANGER, True))}, "vote: found one about 0x7a7a"),
        (CONTRACT, {"extra_data": extra(vote=Vote(STRANGER, False))}, "vote: found one about 0x7a7a"),
    ],
)
def test_each_fork_and_mode_by_its_breach(spec: Spec, changes: dict[str, object], message: str) -> None:
    parent = parent_of(spec)
    with pytest.raises(InvalidBlock, match=re.escape(message)):
        check(child_of(parent, **changes), parent, spec)


@pytest.mark.parametrize("spec", [SHANGHAI, CANCUN, CONTRACT])
def test_a_header_may_end_at_the_base_fee_as_besu_made_them(spec: Spec) -> None:
    short: dict[str, object] = dict.fromkeys(
        ("withdrawals_root", "blob_gas_used", "excess_blob_gas", "parent_beacon_block_root")
    )
    parent = parent_of(spec)
    check(child_of(parent, **short), parent, spec)
    short_parent = parent_of(spec, **short)
    check(child_of(short_parent), short_parent, spec)
    check(child_of(parent_of(spec)), parent_of(spec), spec)


def test_a_proposer_may_vote_where_headers_carry_the_validators() -> None:
    for number in (100, 30_000 - 1):  # in an epoch's first block too, where it does not count
        parent = parent_of(LONDON, number=number)
        vote = extra(validators=VALIDATORS, vote=Vote(STRANGER, True))
        check(child_of(parent, extra_data=vote), parent, LONDON)


def test_the_bounds_themselves_are_inside() -> None:
    parent = parent_of(LONDON)
    for limit in (GAS_LIMIT + 29_295, GAS_LIMIT - 29_295):
        check(child_of(parent, gas_limit=limit), parent, LONDON)
    check(child_of(parent, timestamp=PARENT_TIME + 3), parent, LONDON)  # one second ahead of the clock
    check(child_of(parent, gas_used=GAS_LIMIT), parent, LONDON)


def test_old_blocks_have_no_clock_rule() -> None:
    parent = parent_of(LONDON)
    far = child_of(parent, timestamp=PARENT_TIME + 10**6)
    check(far, parent, LONDON, None)
    with pytest.raises(InvalidBlock, match="our clock"):
        check(far, parent, LONDON)


def test_the_gas_limit_has_a_floor() -> None:
    parent = parent_of(LONDON, gas_limit=5_003, gas_used=0, base_fee_per_gas=0)
    check(child_of(parent, gas_limit=5_000, gas_used=0), parent, LONDON)
    with pytest.raises(InvalidBlock, match="gasLimit: found 4999, expected at least 5000"):
        check(child_of(parent, gas_limit=4_999, gas_used=0), parent, LONDON)


def test_the_london_block_doubles_the_limit_and_begins_the_base_fee() -> None:
    spec = replace(LONDON, london_block=101)
    parent = parent_of(BERLIN)
    check(child_of(parent, gas_limit=2 * GAS_LIMIT, base_fee_per_gas=10**9), parent, spec)
    with pytest.raises(InvalidBlock, match="away from 60000000"):
        check(child_of(parent, base_fee_per_gas=10**9), parent, spec)
    with pytest.raises(InvalidBlock, match="baseFeePerGas: found 7, expected 1000000000"):
        check(child_of(parent, gas_limit=2 * GAS_LIMIT, base_fee_per_gas=7), parent, spec)
    assert next_gas_limit(parent, spec) == 2 * GAS_LIMIT
    assert next_base_fee(parent, replace(spec, london_block=102)) is None
    free = replace(spec, zero_base_fee=True)
    check(child_of(parent, gas_limit=2 * GAS_LIMIT, base_fee_per_gas=0), parent, free)


def test_base_fees_by_hand() -> None:
    parent = parent_of(LONDON)
    cases = {GAS_LIMIT: 1_125_000, GAS_LIMIT // 2: 1_000_000, 0: 875_000, GAS_LIMIT // 2 + 1: 1_000_001}
    for gas_used, expected in cases.items():
        assert next_base_fee(replace(parent, gas_used=gas_used), LONDON) == expected
    assert next_base_fee(replace(parent, gas_used=0, base_fee_per_gas=7), LONDON) == 7  # too small to fall
    assert next_base_fee(replace(parent, gas_used=GAS_LIMIT, base_fee_per_gas=0), LONDON) == 1
    assert next_base_fee(parent, CANCUN) == 0
    assert next_base_fee(parent_of(BERLIN), BERLIN) is None


@given(st.integers(0, 10**12), st.integers(5_000, 10**9), st.floats(0, 1))
def test_base_fees_as_py_evm(base_fee: int, gas_limit: int, share: float) -> None:
    gas_used = int(gas_limit * share)
    parent = parent_of(LONDON, gas_limit=gas_limit, gas_used=gas_used, base_fee_per_gas=base_fee)
    oracle = LondonBlockHeader(
        difficulty=1, block_number=100, gas_limit=gas_limit, gas_used=gas_used, base_fee_per_gas=base_fee, timestamp=1
    )
    assert next_base_fee(parent, LONDON) == calculate_expected_base_fee_per_gas(oracle)


@given(st.integers(5_000, 10**9), st.none() | st.integers(0, 2 * 10**9))
def test_a_proposed_gas_limit_is_always_right(gas_limit: int, target: int | None) -> None:
    parent = parent_of(LONDON, gas_limit=gas_limit, gas_used=0)
    limit = next_gas_limit(parent, LONDON, target)
    check(child_of(parent, gas_limit=limit, gas_used=0, base_fee_per_gas=875_000), parent, LONDON)
    if target is None:
        assert limit == gas_limit
    else:
        assert abs(limit - max(target, 5_000)) <= abs(gas_limit - max(target, 5_000))


def test_excess_blob_gas_only_falls() -> None:
    parent = parent_of(CANCUN)
    assert next_excess_blob_gas(parent) == 0
    assert next_excess_blob_gas(replace(parent, excess_blob_gas=500_000)) == 106_784
    assert next_excess_blob_gas(replace(parent, excess_blob_gas=400_000, blob_gas_used=131_072)) == 137_856
    assert next_excess_blob_gas(parent_of(LONDON)) == 0


def test_bodies() -> None:
    transactions = (b"\x02one", b"\x02two")
    header = parent_of(SHANGHAI, transactions_root=ordered_root(transactions), gas_used=63_000)
    validate_body(Block(header, transactions, True), Fork.SHANGHAI)
    validate_body(Block(header, transactions, False), Fork.SHANGHAI)
    validate_body(Block(header, transactions, False), Fork.LONDON)
    with pytest.raises(InvalidBlock, match="withdrawals: found a list before Shanghai, expected none"):
        validate_body(Block(header, transactions, True), Fork.LONDON)
    for wrong in ((), transactions[::-1], transactions[:1], (*transactions, b"\x02three")):
        with pytest.raises(InvalidBlock, match="transactionsRoot: found 0x"):
            validate_body(Block(header, wrong, True), Fork.SHANGHAI)


@pytest.mark.parametrize(("base_fee", "gas_used"), [(0, 63_000), (7, 63_000), (None, 31_500)])
def test_more_transactions_than_the_gas_pays_are_refused_before_they_are_hashed(
    base_fee: int | None, gas_used: int
) -> None:
    transactions = (b"\x02one", b"\x02two", b"\x02three")
    header = parent_of(SHANGHAI, transactions_root=ordered_root(transactions), base_fee_per_gas=base_fee)
    validate_body(Block(replace(header, gas_used=gas_used), transactions), Fork.SHANGHAI)
    assert transactions_max(replace(header, gas_used=gas_used)) == 3
    less = replace(header, gas_used=gas_used - 1)
    with pytest.raises(InvalidBlock, match=f"found {gas_used - 1} for 3 transactions, expected at most 2"):
        validate_body(Block(less, transactions), Fork.SHANGHAI)
    unhashable = (b"",) * 3  # a root of empty items cannot be computed, so none was tried
    with pytest.raises(InvalidBlock, match="gas used"):
        validate_body(Block(less, unhashable), Fork.SHANGHAI)
