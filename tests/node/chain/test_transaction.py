"""Transactions against eth-account and a real Besu one, their strictness, and each stateless rule by its breach."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.rlp_codec import Item, decode_list, encode, encode_int
from cocket.node.chain.rules import Fork, Spec
from cocket.node.chain.transaction import (
    INITCODE_BYTES_MAX,
    NONCE_MAX,
    SECP256K1_N,
    AccessList,
    Transaction,
    decode_transaction,
    intrinsic_gas,
    sign_transaction,
    validate_transaction,
)
from cocket.node.errors import InvalidTransaction

FIREFLY = json.loads((Path(__file__).parents[2] / "vectors/block_besu_firefly.json").read_text())["transaction"]
KEY = keccak256(b"a key for tests")
SENDER = bytes.fromhex(Account.from_key(KEY).address[2:])
TO = b"\x33" * 20
CHAIN_ID = 2017
SPEC = Spec(chain_id=CHAIN_ID)
ACCESS: AccessList = ((b"\x11" * 20, (0, 2**256 - 1)), (b"\x12" * 20, ()))


def legacy(**changes: object) -> bytes:
    fields = {"chain_id": CHAIN_ID, "nonce": 3, "gas_limit": 100_000, "to": TO, "gas_price": 7}
    return sign_transaction(KEY, **{**fields, **changes})  # type: ignore[arg-type]


def fee_market(**changes: object) -> bytes:
    fees = {"gas_price": None, "max_fee_per_gas": 9, "max_priority_fee_per_gas": 2}
    return legacy(**{**fees, **changes})


def eth_account(fields: dict[str, object]) -> bytes:
    common = {"nonce": 3, "gas": 100_000, "to": "0x" + TO.hex(), "value": 5, "data": "0xabcd00"}
    return bytes(Account.from_key(KEY).sign_transaction({**common, **fields}).raw_transaction)


ETH_ACCESS = [
    {"address": "0x" + "11" * 20, "storageKeys": ["0x" + "00" * 32, "0x" + "ff" * 32]},
    {"address": "0x" + "12" * 20, "storageKeys": []},
]


@pytest.mark.parametrize(
    ("foreign", "ours", "kind"),
    [
        ({"gasPrice": 7, "chainId": CHAIN_ID}, {"gas_price": 7}, 0),
        ({"gasPrice": 7}, {"gas_price": 7, "chain_id": None}, 0),
        (
            {"gasPrice": 7, "chainId": CHAIN_ID, "type": 1, "accessList": ETH_ACCESS},
            {"gas_price": 7, "access_list": ACCESS},
            1,
        ),
        (
            {"maxFeePerGas": 9, "maxPriorityFeePerGas": 2, "chainId": CHAIN_ID, "type": 2, "accessList": ETH_ACCESS},
            {"gas_price": None, "max_fee_per_gas": 9, "max_priority_fee_per_gas": 2, "access_list": ACCESS},
            2,
        ),
        (
            {"maxFeePerGas": 9, "maxPriorityFeePerGas": 2, "chainId": CHAIN_ID, "type": 2},
            {"gas_price": None, "max_fee_per_gas": 9, "max_priority_fee_per_gas": 2},
            2,
        ),
    ],
)
def test_agrees_with_eth_account(foreign: dict[str, object], ours: dict[str, object], kind: int) -> None:
    raw = eth_account(foreign)
    assert legacy(value=5, data=b"\xab\xcd\0", **ours) == raw
    decoded = decode_transaction(raw)
    assert (decoded.type, decoded.sender, decoded.hash, decoded.raw) == (kind, SENDER, keccak256(raw), raw)
    assert decoded.chain_id == foreign.get("chainId")
    assert (decoded.nonce, decoded.gas_limit, decoded.to, decoded.value) == (3, 100_000, TO, 5)
    assert decoded.data == b"\xab\xcd\0"
    assert decoded.access_list == ours.get("access_list", ())
    fees = (decoded.gas_price, decoded.max_fee_per_gas, decoded.max_priority_fee_per_gas)
    assert fees == ((None, 9, 2) if kind == 2 else (7, None, None))
    assert decode_transaction(eth_account({**foreign, "to": ""})).to is None


def test_agrees_with_besu() -> None:
    fields: list[Item] = [
        encode_int(int(FIREFLY["nonce"], 16)),
        encode_int(int(FIREFLY["gasPrice"], 16)),
        encode_int(int(FIREFLY["gas"], 16)),
        bytes.fromhex(FIREFLY["to"][2:]),
        encode_int(int(FIREFLY["value"], 16)),
        bytes.fromhex(FIREFLY["input"][2:]),
        *(encode_int(int(FIREFLY[key], 16)) for key in "vrs"),
    ]
    decoded = decode_transaction(encode(fields))
    assert decoded.hash == bytes.fromhex(FIREFLY["hash"][2:])
    assert decoded.sender == bytes.fromhex(FIREFLY["from"][2:])
    assert decoded.chain_id == int(FIREFLY["chainId"], 16)
    validate_transaction(decoded, Spec(chain_id=int(FIREFLY["chainId"], 16)), 0, Fork.LONDON, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([legacy, fee_market]),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.none() | st.binary(min_size=20, max_size=20),
    st.integers(0, 2**256 - 1),
    st.binary(max_size=80),
    st.none() | st.lists(st.tuples(st.binary(min_size=20, max_size=20), st.tuples(st.integers(0, 9))), max_size=3),
)
def test_what_we_sign_decodes(
    sign: object, nonce: int, gas: int, to: bytes | None, value: int, data: bytes, access: list[object] | None
) -> None:
    access_list = None if access is None else tuple(access)
    raw = sign(nonce=nonce, gas_limit=gas, to=to, value=value, data=data, access_list=access_list)  # type: ignore[operator]
    found = decode_transaction(raw)
    assert (found.nonce, found.gas_limit, found.to, found.value, found.data) == (nonce, gas, to, value, data)
    assert found.sender == SENDER
    assert found.access_list == (access_list or ())


@given(st.binary(max_size=120))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    for prefix in (b"", b"\x01", b"\x02", b"\xf8"):
        with pytest.raises(InvalidTransaction):
            decode_transaction(prefix + data)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([legacy(), legacy(access_list=ACCESS), fee_market()]), st.integers(0, 400), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_another_transaction(raw: bytes, position: int, value: int) -> None:
    data = bytearray(raw)
    data[position % len(data)] = value
    with contextlib.suppress(InvalidTransaction):
        found = decode_transaction(bytes(data))
        assert found.raw == bytes(data)
        assert found.sender != SENDER or bytes(data) == raw


def changed(raw: bytes, index: int, value: Item) -> bytes:
    prefix, payload = (b"", raw) if raw[0] >= 0xC0 else (raw[:1], raw[1:])
    items: list[Item] = list(decode_list(payload))
    items[index] = value
    return prefix + encode(items)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", "found no bytes"),
        (b"\x03" + legacy(), "found 3 .blob., expected 0, 1 or 2"),
        (b"\x04" + legacy(), "type: found 0x04"),
        (b"\x00" + legacy(), "type: found 0x00"),
        (b"\x80", "type: found 0x80"),
        (legacy() + b"\0", "after the item"),
        (b"\x02", "found no bytes"),
        (b"\x02\x80", "found a byte string"),
        (encode([b""] * 8), "legacy transaction: found 8 items, expected 9"),
        (b"\x01" + encode([b""] * 12), "transaction of type 1: found 12 items, expected 11"),
        (b"\x02" + encode([b""] * 11), "transaction of type 2: found 11 items, expected 12"),
        (changed(legacy(), 0, b"\0"), "nonce: found an integer with a leading zero"),
        (changed(legacy(), 0, b"\1" * 9), "nonce: found an integer of 9 bytes, expected at most 64 bits"),
        (changed(legacy(), 1, b"\1" * 33), "gasPrice: found an integer of 33 bytes"),
        (changed(legacy(), 2, b"\1" * 9), "gas: found an integer of 9 bytes"),
        (changed(legacy(), 3, b"\1" * 19), "to: found 19 bytes, expected 20"),
        (changed(legacy(), 4, b"\1" * 33), "value: found"),
        (changed(legacy(), 5, []), "data: found a list"),
        (changed(legacy(), 6, b"\x1a"), "v: found 26"),
        (changed(legacy(), 6, b""), "v: found 0"),
        (changed(legacy(), 6, b"\x22"), "v: found 34"),
        (changed(legacy(), 7, b""), "signature r: found 0x0"),
        (changed(legacy(), 7, SECP256K1_N.to_bytes(32, "big")), "signature r: found 0xf"),
        (changed(legacy(), 8, b""), "signature s: found 0x0"),
        (changed(legacy(), 8, (SECP256K1_N // 2 + 1).to_bytes(32, "big")), "signature s: .* half the group order"),
        (changed(fee_market(), 8, b""), "accessList: found a byte string"),
        (changed(fee_market(), 8, [b""]), "accessList entry: found a byte string"),
        (changed(fee_market(), 8, [[TO]]), "accessList entry: found 1 items, expected 2"),
        (changed(fee_market(), 8, [[TO[1:], []]]), "accessList address: found 19 bytes"),
        (changed(fee_market(), 8, [[TO, [b"\1"]]]), "accessList slot: found 1 bytes, expected 32"),
        (changed(fee_market(), 9, b"\2"), "yParity: found an integer of 2 bits"),
        (changed(fee_market(), 0, b"\0\1"), "chainId: found an integer with a leading zero"),
    ],
)
def test_refuses_malformed_transactions_and_says_what_it_found(raw: bytes, found: str) -> None:
    with pytest.raises(InvalidTransaction, match=found):
        decode_transaction(raw)


def test_a_signature_that_no_key_made_is_refused() -> None:
    with pytest.raises(InvalidTransaction, match="that no key made"):
        decode_transaction(changed(legacy(), 7, encode_int(5)))  # no point of the curve has x = 5
    assert decode_transaction(changed(legacy(), 7, encode_int(1))).sender != SENDER


def test_the_other_signature_of_the_same_key_is_refused() -> None:
    items = decode_list(fee_market()[1:])
    high_s = SECP256K1_N - int.from_bytes(items[11], "big")  # type: ignore[arg-type]
    twin = changed(changed(fee_market(), 11, high_s.to_bytes(32, "big")), 9, b"" if items[9] else b"\1")
    with pytest.raises(InvalidTransaction, match="EIP-2"):
        decode_transaction(twin)


def test_signing_a_typed_transaction_needs_a_chain_id() -> None:
    with pytest.raises(ValueError, match="chain id"):
        fee_market(chain_id=None)


def tx(raw: bytes | None = None, **changes: object) -> Transaction:
    return replace(decode_transaction(fee_market() if raw is None else raw), **changes)  # type: ignore[arg-type]


def test_intrinsic_gas_by_hand() -> None:
    plain = tx(data=b"")
    assert intrinsic_gas(plain, Fork.BERLIN) == 21_000
    assert intrinsic_gas(replace(plain, data=b"\0\0\1"), Fork.CANCUN) == 21_000 + 2 * 4 + 16
    assert intrinsic_gas(replace(plain, access_list=ACCESS), Fork.BERLIN) == 21_000 + 2 * 2_400 + 2 * 1_900
    create = replace(plain, to=None, data=b"\1" * 33)
    assert intrinsic_gas(create, Fork.LONDON) == 53_000 + 33 * 16
    assert intrinsic_gas(create, Fork.SHANGHAI) == 53_000 + 33 * 16 + 2 * 2


def validate(transaction: Transaction, fork: Fork = Fork.CANCUN, base_fee: int | None = 7, **spec: object) -> None:
    validate_transaction(transaction, replace(SPEC, **spec), 1, fork, base_fee)  # type: ignore[arg-type]


def test_valid_transactions_pass() -> None:
    validate(tx())
    validate(tx(legacy()))
    validate(tx(legacy(access_list=ACCESS)))
    validate(tx(nonce=NONCE_MAX))
    validate(tx(gas_limit=21_000))
    validate(tx(), per_tx_gas_limit=100_000)
    validate(tx(max_priority_fee_per_gas=9))
    validate(tx(), base_fee=9)
    validate(tx(legacy()), fork=Fork.BERLIN, base_fee=None)
    validate(tx(legacy(access_list=ACCESS)), fork=Fork.BERLIN, base_fee=None)
    validate(tx(to=None, data=bytes(INITCODE_BYTES_MAX), gas_limit=10**6))
    validate(tx(to=None, data=bytes(INITCODE_BYTES_MAX + 1), gas_limit=10**6), fork=Fork.LONDON)


@pytest.mark.parametrize(
    ("transaction", "settings_", "found"),
    [
        (tx(), {"fork": Fork.BERLIN, "base_fee": None}, "type: found 2 .* before London"),
        (tx(chain_id=1), {}, "chain id: found 1, expected 2017"),
        (tx(legacy(chain_id=None)), {}, "chain id: found none .unprotected., expected 2017"),
        (tx(nonce=NONCE_MAX + 1), {}, "nonce: found 18446744073709551615"),
        (tx(gas_limit=20_999), {}, "gas limit: found 20999, expected at least 21000"),
        (tx(data=b"\1", gas_limit=21_015), {}, "expected at least 21016"),
        (tx(), {"per_tx_gas_limit": 99_999}, "gas limit: found 100000, expected at most 99999 .pertxgaslimit."),
        (tx(to=None, data=bytes(INITCODE_BYTES_MAX + 1), gas_limit=10**6), {}, "initcode: found 49153 bytes"),
        (tx(max_priority_fee_per_gas=10), {}, "priority fee: found 10, expected at most the maximum fee 9"),
        (tx(), {"base_fee": 10}, "fee: found at most 9, expected at least the base fee 10"),
        (tx(legacy()), {"base_fee": 8}, "fee: found at most 7, expected at least the base fee 8"),
    ],
)
def test_each_rule_by_its_breach(transaction: Transaction, settings_: dict[str, object], found: str) -> None:
    with pytest.raises(InvalidTransaction, match=found):
        validate(transaction, **settings_)  # type: ignore[arg-type]


def test_a_block_may_hold_an_unprotected_transaction_as_for_besu() -> None:
    validate_transaction(tx(legacy(chain_id=None)), SPEC, 1, Fork.CANCUN, 7, may_be_unprotected=True)


def test_prices() -> None:
    assert (tx().fee_cap, tx().tip_cap) == (9, 2)
    assert [tx().effective_gas_price(fee) for fee in (None, 0, 5, 7, 8)] == [2, 2, 7, 9, 9]
    assert (tx(legacy()).fee_cap, tx(legacy()).tip_cap) == (7, 7)
    assert [tx(legacy()).effective_gas_price(fee) for fee in (None, 0, 5)] == [7, 7, 7]
