"""Genesis files: known hashes, every key of Besu's, our own keys, and each refusal."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from eth.vm.forks.cancun.blocks import CancunBlockHeader
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from cocket.node.chain.extra_data import ExtraData, Vote, encode_extra_data
from cocket.node.chain.hashing import EMPTY_OMMERS_HASH, EMPTY_ROOT, keccak256
from cocket.node.chain.rlp_codec import encode, encode_int
from cocket.node.chain.spec import (
    AllocAccount,
    Fork,
    ForkId,
    Genesis,
    Permission,
    configuration_hash,
    fork_id,
    is_fork_compatible,
    parse_genesis,
)
from cocket.node.errors import InvalidGenesis

SEPOLIA = json.loads((Path(__file__).parents[2] / "vectors/genesis_sepolia.json").read_text())
VALIDATORS = (b"\x01" * 20, b"\x02" * 20)
CONTRACT = "0x0000000000000000000000000000000000008888"

Json = dict[str, object]


def extra_data(**fields: object) -> str:
    return "0x" + encode_extra_data(ExtraData(**fields)).hex()  # type: ignore[arg-type]


def founding() -> Json:
    """A London chain with its validators in headers, in Besu's keys."""
    return {
        "config": {
            "chainId": 2017,
            "berlinBlock": 0,
            "londonBlock": 0,
            "qbft": {"blockPeriodSeconds": 2, "requestTimeoutSeconds": 4, "epochLength": 30000},
        },
        "nonce": "0x0",
        "timestamp": "0x58ee40ba",
        "extraData": extra_data(validators=VALIDATORS),
        "gasLimit": "0x1c9c380",
        "difficulty": "0x1",
        "mixHash": "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365",
        "coinbase": "0x0000000000000000000000000000000000000000",
        "alloc": {},
    }


def parse(change: Callable[[Json], object] | None = None) -> Genesis:
    genesis = founding()
    if change is not None:
        change(genesis)
    return parse_genesis(json.dumps(genesis).encode())


def config(**keys: object) -> Callable[[Json], object]:
    return lambda genesis: genesis["config"].update(keys)  # type: ignore[attr-defined]


def qbft(**keys: object) -> Callable[[Json], object]:
    return lambda genesis: genesis["config"]["qbft"].update(keys)  # type: ignore[index]


def root(**keys: object) -> Callable[[Json], object]:
    return lambda genesis: genesis.update(keys)


def without(*path: str) -> Callable[[Json], object]:
    def change(genesis: Json) -> None:
        place: object = genesis
        for key in path[:-1]:
            place = place[key]  # type: ignore[index]
        del place[path[-1]]  # type: ignore[attr-defined]

    return change


def alloc(**account: object) -> Callable[[Json], object]:
    return root(alloc={"11" * 20: account})


# Known hashes


def test_sepolia_has_its_known_hash() -> None:
    genesis = parse_genesis(json.dumps(SEPOLIA["genesis"]).encode(), is_foreign=True)
    assert "0x" + genesis.hash.hex() == SEPOLIA["hash"]
    assert genesis.header.base_fee_per_gas == 1_000_000_000
    assert len(genesis.alloc) == 15
    assert (genesis.spec.chain_id, genesis.spec.cancun_time) == (11155111, 1706655072)


def test_sepolia_is_refused_as_our_own_chain_by_the_first_key_that_is_not_ours() -> None:
    with pytest.raises(
        InvalidGenesis, match=r"genesis\.config\.qbft: found null, expected an object: this node runs QBFT"
    ):
        parse_genesis(json.dumps(SEPOLIA["genesis"]).encode())


def test_a_cancun_genesis_with_code_and_storage_is_as_py_evm_and_the_trie_package_have_it() -> None:
    code, slots = b"\x60\x00\x60\x00\xfd", {0: 5, 2**255: 2**256 - 1}
    genesis = parse(
        lambda found: (
            config(shanghaiTime=0, cancunTime=0)(found),
            root(
                alloc={
                    "0x" + "aa" * 20: {
                        "balance": "1000",
                        "nonce": "0x1",
                        "code": "0x" + code.hex(),
                        "storage": {"0x0": "0x5", "80" + "00" * 31: "ff" * 32, "0x07": "0x00"},
                    },
                    "BB" * 20: {"balance": "0x10", "comment": "a remark", "privateKey": "11"},
                    "cc" * 20: {},
                }
            )(found),
        )
    )
    storage = HexaryTrie({})
    for slot, value in slots.items():
        storage[keccak256(slot.to_bytes(32, "big"))] = encode(encode_int(value))
    state = HexaryTrie({})
    for address, account in (
        (b"\xaa" * 20, [b"\1", encode_int(1000), storage.root_hash, keccak256(code)]),
        (b"\xbb" * 20, [b"", b"\x10", EMPTY_ROOT, keccak256(b"")]),
        (b"\xcc" * 20, [b"", b"", EMPTY_ROOT, keccak256(b"")]),
    ):
        state[keccak256(address)] = encode([bytes(item) for item in account])
    oracle = CancunBlockHeader(
        difficulty=1,
        block_number=0,
        gas_limit=0x1C9C380,
        timestamp=0x58EE40BA,
        coinbase=bytes(20),
        parent_hash=bytes(32),
        uncles_hash=EMPTY_OMMERS_HASH,
        state_root=state.root_hash,
        transaction_root=EMPTY_ROOT,
        receipt_root=EMPTY_ROOT,
        bloom=0,
        gas_used=0,
        extra_data=encode_extra_data(ExtraData(validators=VALIDATORS)),
        mix_hash=bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"),
        nonce=bytes(8),
        base_fee_per_gas=10**9,
        withdrawals_root=EMPTY_ROOT,
        blob_gas_used=0,
        excess_blob_gas=0,
        parent_beacon_block_root=bytes(32),
    )
    assert genesis.hash == oracle.hash
    assert genesis.alloc[b"\xaa" * 20] == AllocAccount(1000, 1, code, {**slots, 7: 0})
    assert genesis.alloc[b"\xbb" * 20] == AllocAccount(16, 0, b"", {})


def test_the_header_takes_the_shape_of_its_fork() -> None:
    berlin = parse(without("config", "londonBlock")).header
    london = parse().header
    shanghai = parse(config(shanghaiTime=0x58EE40BA)).header
    cancun = parse(config(cancunTime=5)).header
    later = parse(config(shanghaiTime=0x58EE40BB)).header
    assert (berlin.base_fee_per_gas, berlin.withdrawals_root) == (None, None)
    assert (london.base_fee_per_gas, london.withdrawals_root) == (10**9, None)
    assert later == london
    assert (shanghai.withdrawals_root, shanghai.blob_gas_used) == (EMPTY_ROOT, None)
    assert (cancun.withdrawals_root, cancun.blob_gas_used, cancun.excess_blob_gas) == (EMPTY_ROOT, 0, 0)
    assert cancun.parent_beacon_block_root == bytes(32)
    assert cancun.requests_hash is None


def test_header_fields_of_block_0() -> None:
    header = parse(
        root(
            nonce="0x1f",
            parentHash="0x" + "77" * 32,
            coinbase="0x" + "88" * 20,
            baseFeePerGas="0x7",
            number="0x0",
            gasUsed="0x0",
        )
    ).header
    assert (header.nonce, header.parent_hash) == (b"\0" * 7 + b"\x1f", b"\x77" * 32)
    assert (header.coinbase, header.base_fee_per_gas, header.difficulty) == (b"\x88" * 20, 7, 1)
    assert (header.gas_limit, header.timestamp, header.state_root) == (0x1C9C380, 0x58EE40BA, EMPTY_ROOT)
    assert parse(config(zeroBaseFee=True)).header.base_fee_per_gas == 10**9  # as Besu: only later blocks are at 0
    assert parse(lambda found: found.pop("timestamp")).header.timestamp == 0


# What config says


def test_besu_defaults_and_values() -> None:
    spec = parse(root(config={"chainId": 7, "londonBlock": 0, "qbft": {}})).spec
    assert (spec.block_period_s, spec.request_timeout_s, spec.epoch_length) == (1, 1, 30_000)
    assert (spec.block_reward_wei, spec.mining_beneficiary, spec.validator_contract) == (0, None, None)
    assert (spec.zero_base_fee, spec.contract_size_limit, spec.per_tx_gas_limit) == (False, 24_576, None)
    assert (spec.permission, spec.request_timeout_max_s, spec.initial_base_fee) == (None, 30, 10**9)
    assert (spec.london_block, spec.shanghai_time, spec.cancun_time) == (0, None, None)

    spec = parse(
        lambda found: (
            config(zeroBaseFee=True, contractSizeLimit=2147483647, shanghaiTime=10**10, cancunTime="0x3b9aca0000")(
                found
            ),
            qbft(blockreward="5000000000000000000", miningbeneficiary="0x" + "99" * 20, pertxgaslimit=10**7)(found),
            root(extraData=extra_data())(found),
            qbft(validatorcontractaddress=CONTRACT)(found),
        )
    ).spec
    assert (spec.block_period_s, spec.request_timeout_s) == (2, 4)
    assert (spec.block_reward_wei, spec.mining_beneficiary) == (5 * 10**18, b"\x99" * 20)
    assert spec.validator_contract == bytes.fromhex(CONTRACT[2:])
    assert (spec.zero_base_fee, spec.contract_size_limit, spec.per_tx_gas_limit) == (True, 2**31 - 1, 10**7)
    assert (spec.shanghai_time, spec.cancun_time) == (10**10, 256 * 10**9)


def test_keys_compare_without_case() -> None:
    plain = parse(config(zeroBaseFee=True))
    assert parse(config(ZEROBASEFEE=True)).spec == plain.spec
    assert parse(lambda found: found.update(GASLIMIT=found.pop("gasLimit"))).hash == parse().hash


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        *(
            (config, key, 0)
            for key in ("homesteadBlock", "eip150Block", "eip155Block", "eip158Block", "byzantiumBlock")
        ),
        *((config, key, 0) for key in ("constantinopleBlock", "petersburgBlock", "istanbulBlock")),
        *(
            (config, key, 0)
            for key in ("muirGlacierBlock", "constantinopleFixBlock", "arrowGlacierBlock", "grayGlacierBlock")
        ),
        (config, "eip150Hash", "0x" + "00" * 32),
        (config, "discovery", {"bootnodes": ["enode://..."]}),
        (config, "checkpoint", {"number": 5}),
        (config, "blobSchedule", {"cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3338477}}),
        (config, "ecCurve", "secp256k1"),
        (config, "fixedBaseFee", False),
        (config, "evmStackSize", 1024),
        (config, "transitions", {}),
        (config, "transitions", {"qbft": []}),
        (qbft, "gossipedHistoryLimit", 5),
        (qbft, "messageQueueLimit", 5),
        (qbft, "duplicateMessageLimit", 5),
        (qbft, "futureMessagesLimit", 5),
        (qbft, "futureMessagesMaxDistance", 5),
        (qbft, "emptyBlockPeriodSeconds", 0),
        (qbft, "xEmptyBlockPeriodSeconds", 0),
        (qbft, "xBlockPeriodMilliseconds", 0),
        (qbft, "startBlock", 0),
        (qbft, "miningBeneficiary", ""),
        (root, "_comment", "a remark"),
        (root, "blobGasUsed", "0x0"),
        (root, "excessBlobGas", "0x0"),
    ],
)
def test_keys_that_change_nothing_are_accepted(place: object, key: str, value: object) -> None:
    changed = parse(place(**{key: value}))  # type: ignore[operator]
    assert changed.spec == parse().spec
    assert changed.hash == parse().hash


@pytest.mark.parametrize(
    ("change", "found"),
    [
        *((config(**{key: 5}), rf"genesis\.config\.{key}: found 5, expected none or 0; the rules before Berlin")
          for key in ("homesteadBlock", "eip150Block", "eip158Block", "byzantiumBlock", "constantinopleBlock",
                      "petersburgBlock", "istanbulBlock", "muirGlacierBlock", "berlinBlock")),
        *((config(**{key: 5}), rf"config\.{key}: found 5, expected none or 0; .* fork ids")
          for key in ("arrowGlacierBlock", "grayGlacierBlock", "mergeNetsplitBlock")),
        *((config(**{key: 0}), rf"config\.{key}: found 0, expected none; this node runs Berlin to Cancun")
          for key in ("pragueTime", "osakaTime", "bpo1Time", "bpo2Time", "bpo3Time", "bpo4Time", "bpo5Time",
                      "amsterdamTime", "futureEipsTime", "experimentalEipsTime")),
        *((config(**{key: {}}), rf"config\.{key}: found an object, expected none; this node runs QBFT only")
          for key in ("ibft2", "ibft", "clique", "ethash")),
        (config(isQuorum=True), "isQuorum: found true, expected none"),
        (config(qip714Block=0), "qip714Block"),
        (config(daoForkBlock=5), "daoForkBlock: found 5"),
        (config(classicForkBlock=5), "classicForkBlock"),
        (config(terminalTotalDifficulty=0), "terminalTotalDifficulty: found 0, expected none; a QBFT chain"),
        *((config(**{key: CONTRACT}), rf"config\.{key}: .* system calls to request contracts are not run")
          for key in ("depositContractAddress", "withdrawalRequestContractAddress",
                      "consolidationRequestContractAddress")),
        (config(ecCurve="secp256r1"), 'ecCurve: found "secp256r1", expected none or "secp256k1"'),
        (config(fixedBaseFee=True), "fixedBaseFee: found true, expected none or false"),
        (config(baseFeePerGas="0x7"), "set baseFeePerGas beside config"),
        (config(evmStackSize=2048), "evmStackSize: found 2048, expected none or 1024"),
        (config(contractSizeLimit=0), "contractSizeLimit: found 0"),
        (config(contractSizeLimit=2**31), "contractSizeLimit: found 2147483648"),
        (config(zeroBaseFee="true"), 'zeroBaseFee: found "true", expected true or false'),
        (config(transitions={"ibft2": [{"block": 5}]}), r"transitions\.ibft2: found a list of 1, expected none or"),
        (config(blobSchedule=5), "blobSchedule: found 5, expected an object"),
        (config(someNewRule=1), r"genesis\.config\.someNewRule: found 1, expected no such key"),
        (config(chainId=0), "chainId: found null, expected a whole number above 0"),
        (without("config", "chainId"), "chainId: found null"),
        (config(chainId=2**64), "chainId: found 18446744073709551616"),
        (without("config", "qbft"), "qbft: found null"),
        (without("config"), r"genesis\.config: found none"),
        (without("config", "berlinBlock"), None),
        (lambda found: (without("config", "berlinBlock")(found), without("config", "londonBlock")(found)),
         "berlinBlock: found null, expected 0 .or londonBlock 0."),
        (lambda found: (without("config", "berlinBlock")(found), config(londonBlock=5)(found)), "berlinBlock"),
        (config(shanghaiTime=20, cancunTime=10), "cancunTime: found 10, expected at least shanghaiTime, 20"),
        (lambda found: (without("config", "londonBlock")(found), config(shanghaiTime=10**10)(found)),
         "londonBlock: found null, expected a height"),
        (config(londonBlock=5, shanghaiTime=0), "londonBlock: found 5, expected 0, since Shanghai or Cancun begins"),
        (config(londonBlock=5, shanghaiTime=10**10), None),
        (lambda found: (config(londonBlock=5)(found), root(baseFeePerGas="0x7")(found)),
         "baseFeePerGas: found 7, expected none, since block 0 is before London"),
        (qbft(emptyBlockPeriodSeconds=5), "emptyBlockPeriodSeconds: found 5"),
        (qbft(xEmptyBlockPeriodSeconds=5), "xEmptyBlockPeriodSeconds: found 5"),
        (qbft(xBlockPeriodMilliseconds=500), "xBlockPeriodMilliseconds: found 500"),
        (qbft(startBlock=5), "startBlock: found 5"),
        (qbft(blockPeriodSeconds=0), r"config\.qbft\.blockPeriodSeconds: found 0, expected a whole number from 1"),
        (qbft(requestTimeoutSeconds=0), "requestTimeoutSeconds: found 0"),
        (qbft(epochLength=0), "epochLength: found 0"),
        (qbft(blockReward="-5"), 'blockReward: found "-5"'),
        (qbft(blockReward=2**256), "blockReward: found 1157"),
        (qbft(miningBeneficiary="0x11"), "miningBeneficiary: .* expected 20 bytes, not 1"),
        (qbft(validatorContractAddress="here"), "validatorContractAddress: found"),
        (qbft(perTxGasLimit=20_999), "perTxGasLimit: found 20999"),
        (qbft(newLimit=5), r"genesis\.config\.qbft\.newLimit: found 5, expected no such key"),
        (root(newField=5), r"genesis\.newField: found 5, expected no such key"),
        (root(number="0x1"), "number: found .*, expected none or 0"),
        (root(gasUsed="0x1"), "gasUsed: found"),
        (root(blobGasUsed="0x20000"), "blobGasUsed: found"),
        (root(excessBlobGas="0x20000"), "excessBlobGas: found .*, expected none or 0; this chain carries no blobs"),
        (root(difficulty="10"), "difficulty: found .*, expected a string that starts with 0x"),
        (without("difficulty"), "difficulty: found null"),
        (without("gasLimit"), "gasLimit: found null"),
        (root(gasLimit="010"), "gasLimit: found"),
        (root(nonce="0x1" + "0" * 16), "nonce: found"),
        (root(mixHash="0x00"), "mixHash: .* expected 32 bytes, not 1"),
        (root(coinbase="0x00"), "coinbase: .* expected 20 bytes, not 1"),
        (root(timestamp="soon"), "timestamp: found"),
        (root(extraData="0xzz"), "extraData: found"),
        (without("extraData"), r"genesis\.extraData: extraData is not QBFT's"),
        (root(extraData="0x" + "00" * 32), "extraData is not QBFT's"),
        (root(extraData=extra_data()), "extraData: found no validators, expected some"),
        (root(extraData=extra_data(validators=VALIDATORS * 2)), "found a validator twice"),
        (root(extraData=extra_data(validators=VALIDATORS, round=1)), "found a vote, a round or seals"),
        (root(extraData=extra_data(validators=VALIDATORS, seals=(b"\1" * 65,))), "found a vote, a round or seals"),
        (root(extraData=extra_data(validators=VALIDATORS, vote=Vote(b"\1" * 20, True))), "found a vote, a round or"),
        (root(alloc=[]), r"genesis\.alloc: found a list of 0, expected an object"),
        (root(alloc={"11" * 19: {}}), "an address of 20 bytes as its key"),
        (root(alloc={"here": {}}), "an address of 20 bytes as its key"),
        (root(alloc={"11" * 20: {}, "0x" + "11" * 20: {}}), "expected each address once"),
        (root(alloc={"aa" * 20: {}, "AA" * 20: {}}), "found it twice"),
        (root(alloc={"11" * 20: 5}), r"genesis\.alloc\.1111.*: found 5, expected an object"),
        (alloc(balance=-1), "balance: found -1"),
        (alloc(balance=2**256), "balance: found"),
        (alloc(nonce="16"), "nonce: found .*, expected a string that starts with 0x"),
        (alloc(code="0x6"), "code: found"),
        (alloc(code=6), "code: found 6"),
        (alloc(storage={"0x0": "0x1", "0x00": "0x2"}), "expected each slot once"),
        (alloc(storage={"0x0": 1}), "storage.0x0: found 1, expected a hex slot and a hex value"),
        (alloc(storage={"slot": "0x1"}), "storage.slot: found"),
        (alloc(storage={"0x" + "1" * 65: "0x1"}), "at most 32 bytes"),
        (alloc(storage={"0x": "0x1"}), "a hex slot"),
        (alloc(balanse=1), r"alloc\.1111.*\.balanse: found 1, expected no such key"),
    ],
)  # fmt: skip
def test_each_refusal_names_the_key(change: Callable[[Json], object], found: str | None) -> None:
    if found is None:
        parse(change)
        return
    with pytest.raises(InvalidGenesis, match=found):
        parse(change)


@given(st.binary(max_size=40), st.integers(0, 10**6))
def test_damaged_files_raise_nothing_else(damage: bytes, place: int) -> None:
    data = json.dumps(founding()).encode()
    place %= len(data)
    with contextlib.suppress(InvalidGenesis):
        parse_genesis(data[:place] + damage + data[place + len(damage) :])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.sampled_from(["", "0x", "0x0", "0x1f", "ff" * 20, "5"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "0x0", "ff" * 20]), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(
    st.sampled_from(["chainId", "londonBlock", "cancunTime", "qbft", "transitions", "cocket", "zeroBaseFee"]),
    st.sampled_from(["alloc", "nonce", "gasLimit", "extraData", "difficulty", "timestamp", "config"]),
    json_values,
)
def test_any_value_under_any_key_is_read_or_refused(config_key: str, root_key: str, value: object) -> None:
    for change in (config(**{config_key: value}), root(**{root_key: value})):
        with contextlib.suppress(InvalidGenesis):
            parse(change)


# Our own keys


def with_own(own: Json, **changes: object) -> Json:
    genesis = founding()
    found: Json = {**genesis["config"], "cocket": own, **changes}  # type: ignore[dict-item]
    vanity = configuration_hash(found)
    return {**genesis, "config": found, "extraData": extra_data(vanity=vanity, validators=VALIDATORS)}


def test_the_founding_configuration_is_the_text_whose_hash_block_0_has() -> None:
    later = {"qbft": [{"block": 9, "blockPeriodSeconds": 3}]}
    ours = parse_genesis(json.dumps(with_own({"ceremony": "2026-11"}, transitions=later)).encode())
    text = ours.founding_configuration
    assert text is not None
    assert keccak256(text) == ours.extra_data.vanity
    assert b"transitions" not in text
    assert parse().founding_configuration is None


def test_our_own_rules() -> None:
    permission = {"contract": "0x" + "0c" * 20, "fromBlock": 5, "toBlock": 9}
    own = {"ceremony": "2026-11", "permission": permission, "requestTimeoutMaxSeconds": 20}
    spec = parse_genesis(json.dumps(with_own(own)).encode()).spec
    assert spec.permission == Permission(b"\x0c" * 20, 5, 9)
    assert [spec.permission.is_on(number) for number in (4, 5, 9, 10)] == [False, True, True, False]
    assert spec.request_timeout_max_s == 20
    always = parse_genesis(json.dumps(with_own({"permission": {"contract": "0x" + "0c" * 20}})).encode()).spec
    assert always.permission == Permission(b"\x0c" * 20, 1, None)
    assert always.permission.is_on(10**9)


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ({"permission": {}}, r"config\.cocket\.permission\.contract: found null"),
        ({"permission": {"contract": "0x" + "0c" * 20, "fromBlock": 0}}, "fromBlock: found 0"),
        ({"permission": {"contract": "0x" + "0c" * 20, "fromBlock": 5, "toBlock": 4}}, "toBlock: found 4"),
        ({"permission": {"contract": "0x" + "0c" * 20, "until": 4}}, "until: found 4, expected no such key"),
        ({"requestTimeoutMaxSeconds": 3}, "requestTimeoutMaxSeconds: found 3, expected at least .*, 4"),
        ({"requestTimeoutMaxSeconds": 0}, "requestTimeoutMaxSeconds: found 0"),
        ({"ceremony": 5}, "ceremony: found 5, expected a string"),
        ({"other": 5}, r"config\.cocket\.other: found 5, expected no such key"),
    ],
)
def test_our_own_rules_refused(own: Json, found: str) -> None:
    with pytest.raises(InvalidGenesis, match=found):
        parse_genesis(json.dumps(with_own(own)).encode())


def test_the_configuration_is_inside_the_genesis_hash() -> None:
    genesis = with_own({"ceremony": "2026-11"})
    parse_genesis(json.dumps(genesis).encode())
    # The same values in another order of keys are the same configuration.
    reordered = {**genesis, "config": dict(reversed(genesis["config"].items()))}  # type: ignore[attr-defined]
    parse_genesis(json.dumps(reordered).encode())
    for changed in (
        {"qbft": {**genesis["config"]["qbft"], "blockPeriodSeconds": 3}},  # type: ignore[index]
        {"zeroBaseFee": True},
        {"cocket": {"ceremony": "2026-12"}},
        {"chainId": 2018},
    ):
        with pytest.raises(InvalidGenesis, match="the hash of config; one of them was changed after the founding"):
            parse_genesis(json.dumps({**genesis, "config": {**genesis["config"], **changed}}).encode())  # type: ignore[dict-item]


def test_what_members_may_add_later_is_outside_the_configuration_hash() -> None:
    plain = founding()["config"]
    assert isinstance(plain, dict)
    later = {"pragueTime": 5, "OSAKATIME": 6, "blobSchedule": {}, "transitions": {"qbft": []}}
    assert configuration_hash({**plain, **later}) == configuration_hash(plain)
    assert configuration_hash({**plain, "cancunTime": 6}) != configuration_hash(plain)
    assert configuration_hash({"blockReward": 2**70}) == keccak256(b'{"blockReward":1180591620717411303424}')
    with pytest.raises(InvalidGenesis, match="half a surrogate pair"):
        parse_genesis(json.dumps({**founding(), "config": {**plain, "cocket": {"ceremony": "\ud800"}}}).encode())


# Forks


def test_forks_by_height_and_time() -> None:
    spec = parse(config(londonBlock=5, shanghaiTime=0x58EE40BA + 10, cancunTime=0x58EE40BA + 20)).spec
    start = 0x58EE40BA
    assert spec.fork_at(4, start) is Fork.BERLIN
    assert spec.fork_at(4, start + 50) is Fork.BERLIN
    assert spec.fork_at(5, start + 9) is Fork.LONDON
    assert spec.fork_at(5, start + 10) is Fork.SHANGHAI
    assert spec.fork_at(5, start + 19) is Fork.SHANGHAI
    assert spec.fork_at(5, start + 20) is Fork.CANCUN
    assert parse(config(cancunTime=0)).spec.fork_at(0, 0) is Fork.CANCUN
    assert parse(without("config", "londonBlock")).spec.fork_at(10**9, 10**12) is Fork.BERLIN
    assert list(Fork) == sorted(Fork)


def test_fork_ids_of_a_chain() -> None:
    plain = parse(config(shanghaiTime=0, cancunTime=0))
    assert fork_id(plain).next == 0
    assert fork_id(plain) == fork_id(plain, 10**6, 10**12)
    upgrading = parse(config(londonBlock=5, shanghaiTime=0x58EE40BA + 10))
    ids = [fork_id(upgrading, number, 0x58EE40BA + seconds) for number, seconds in ((0, 0), (5, 9), (6, 10))]
    assert [found.next for found in ids] == [5, 0x58EE40BA + 10, 0]
    assert len({found.hash for found in ids}) == 3
    assert all(is_fork_compatible(upgrading, 6, 0x58EE40BA + 10, found) for found in ids)
    assert not is_fork_compatible(upgrading, 6, 0x58EE40BA + 10, fork_id(plain))
    assert not is_fork_compatible(upgrading, 6, 0x58EE40BA + 10, ForkId(ids[1].hash, 0))


def test_the_genesis_knows_its_validators_and_bytes() -> None:
    data = json.dumps(founding()).encode()
    genesis = parse_genesis(data)
    assert genesis.extra_data.validators == VALIDATORS
    assert genesis.raw == data


def test_a_file_that_is_too_large_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cocket.node.chain.spec.GENESIS_BYTES_MAX", 100)
    with pytest.raises(InvalidGenesis, match="expected at most 100"):
        parse()
