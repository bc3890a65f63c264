"""Rules that change at a height: how genesis.json says so, and each rule the block before, at and after."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ledger.chains import BOARD, RECORDER, Chain, set_slot

from cocket.node.chain.block import Block
from cocket.node.chain.extra_data import ExtraData, Vote, decode_extra_data, encode_extra_data
from cocket.node.chain.header import Header
from cocket.node.chain.rules import Rules, Spec, Transition
from cocket.node.chain.spec import AllocAccount, Genesis, configuration_hash, fork_id, parse_genesis
from cocket.node.chain.state import genesis_state
from cocket.node.consensus.seals import address_of_key
from cocket.node.consensus.validators import quorum
from cocket.node.errors import InvalidBlock, InvalidGenesis, InvalidTransaction

VECTOR = json.loads((Path(__file__).parents[2] / "vectors/transitions_besu.json").read_text())
ONE, TWO = "0x1234567890123456789012345678901234567890", "0x9876543210987654321098765432109876543210"
CONTRACT, ZERO = "0x0000000000000000000000000000000000008888", "0x" + "0" * 40
FOUNDERS = (b"\x01" * 20, b"\x02" * 20)

Json = dict[str, object]


def genesis(transitions: object, **config: object) -> Json:
    return {
        "config": {
            "chainId": 2017,
            "berlinBlock": 0,
            "londonBlock": 0,
            "qbft": {"blockPeriodSeconds": 2, "requestTimeoutSeconds": 4, "blockReward": "7"},
            "transitions": transitions,
            **config,
        },
        "extraData": "0x" + encode_extra_data(ExtraData(validators=FOUNDERS)).hex(),
        "gasLimit": "0x1c9c380",
        "difficulty": "0x1",
        "alloc": {},
    }


def parse(transitions: object, **config: object) -> Genesis:
    return parse_genesis(json.dumps(genesis(transitions, **config)).encode())


def qbft(*changes: Json, **config: object) -> Spec:
    return parse({"qbft": changes}, **config).spec


FIRST = parse({}).spec.rules_at(0)


# What the file says


def test_besus_own_example_is_read() -> None:
    # JsonGenesisConfigOptionsTest, loadConfigWithQbftTransitions.
    spec = qbft({"block": 20, "validators": [ONE, TWO]}, {"block": 25, "validators": [ONE]})
    one, two = bytes.fromhex(ONE[2:]), bytes.fromhex(TWO[2:])
    assert spec.transitions == (Transition(20, FIRST, (one, two)), Transition(25, FIRST, (one,)))
    assert [spec.validators_from(number) for number in (19, 20, 21, 25, 26)] == [None, (one, two), None, (one,), None]


def test_a_transition_keeps_what_it_does_not_name_and_holds_from_its_block_on() -> None:
    spec = qbft(
        {"block": 30, "blockRewarD": "0x10", "miningBeneficiary": "", "perTxGasLimit": 0, "emptyBlockPeriodSeconds": 0},
        {"BLOCK": 10, "BlockPeriodSeconds": 5, "miningbeneficiary": ONE, "pertxgaslimit": "0x7a120"},
        {"block": 20, "validatorSelectionMode": "Contract", "validatorContractAddress": CONTRACT},
        {"block": 40, "validatorselectionmode": "BLOCKHEADER", "validators": [TWO]},
    )
    at_10 = replace(FIRST, block_period_s=5, mining_beneficiary=bytes.fromhex(ONE[2:]), per_tx_gas_limit=500_000)
    at_20 = replace(at_10, validator_contract=bytes.fromhex(CONTRACT[2:]))
    at_30 = replace(at_20, block_reward_wei=16, mining_beneficiary=None, per_tx_gas_limit=None)
    at_40 = replace(at_30, validator_contract=None)
    for block, before, after in ((10, FIRST, at_10), (20, at_10, at_20), (30, at_20, at_30), (40, at_30, at_40)):
        assert [spec.rules_at(block + n) for n in (-1, 0, 1)] == [before, after, after]
    assert Rules(2, 4, 30, 7, None, None, None) == FIRST
    assert spec.rules_at(0) == FIRST
    assert (spec.has_asked(bytes.fromhex(CONTRACT[2:]), 19), spec.has_asked(bytes.fromhex(CONTRACT[2:]), 20)) == (
        False,
        True,
    )
    assert spec.has_asked(bytes.fromhex(CONTRACT[2:]), 10**9)


def test_our_own_transitions_change_the_round_timeouts() -> None:
    own = [
        {"block": 5, "requestTimeoutSeconds": 6},
        {"block": 9, "requestTimeoutSeconds": 40, "requestTimeoutMaxSeconds": 60},
    ]
    spec = parse({"cocket": own, "qbft": [{"block": 5, "blockPeriodSeconds": 3}]}).spec
    at_5 = replace(FIRST, block_period_s=3, request_timeout_s=6)
    assert [spec.rules_at(number) for number in (4, 5, 8)] == [FIRST, at_5, at_5]
    assert spec.rules_at(9) == replace(at_5, request_timeout_s=40, request_timeout_max_s=60)


@pytest.mark.parametrize(
    ("transitions", "found"),
    [
        ([], r"config\.transitions: found a list of 0, expected an object"),
        ({"qbft": {}}, r"transitions\.qbft: found an object, expected a list of at most 256 objects"),
        ({"qbft": [5]}, r"transitions\.qbft\[0\]: found 5, expected an object"),
        ({"qbft": [{"block": n} for n in range(1, 258)]}, r"found a list of 257, expected a list of at most 256"),
        (
            {"ibft2": [{"block": 5}]},
            r"transitions\.ibft2: found a list of 1, expected none .*; this node runs QBFT",
        ),
        ({"clique": [{"block": 5}]}, r"transitions\.clique: found a list of 1"),
        ({"other": []}, r"transitions\.other: found a list of 0, expected no such key"),
        ({"qbft": [{}]}, r"qbft\[0\]\.block: found null, expected the height"),
        ({"qbft": [{"block": 0}]}, r"qbft\[0\]\.block: found 0, expected a whole number from 1"),
        ({"qbft": [{"block": 5}, {"block": "5"}]}, r"qbft\[1\]\.block: found 5, expected each height once"),
        ({"cocket": [{"block": 5}, {"block": "5"}]}, r"cocket\[1\]\.block: found 5, expected each height once"),
        *(
            ({"qbft": [{"block": 5, **change}]}, found)
            for change, found in (
                ({"blockPeriodSeconds": 0}, r"qbft\[0\]\.blockPeriodSeconds: found 0, expected a whole number from 1"),
                (
                    {"emptyBlockPeriodSeconds": 5},
                    "emptyBlockPeriodSeconds: found 5, expected none or 0; this",
                ),
                ({"xemptyblockperiodseconds": 5}, "xemptyblockperiodseconds|xEmptyBlockPeriodSeconds: found 5"),
                ({"xBlockPeriodMilliseconds": 200}, "xBlockPeriodMilliseconds: found 200, expected none or 0"),
                ({"blockReward": -1}, "blockReward: found -1"),
                ({"blockReward": "0x" + "f" * 65}, r"blockReward: found .*, expected a whole number from 0 to 2\^256"),
                ({"miningBeneficiary": None}, 'miningBeneficiary: found null, expected an address, or "" for the prop'),
                ({"miningBeneficiary": "0x12"}, "miningBeneficiary: found .*, expected 20 bytes, not 1"),
                ({"perTxGasLimit": 20_999}, r"perTxGasLimit: found 20999, expected 0 \(no bound\) or at least 21000"),
                ({"epochLength": 5}, r"qbft\[0\]\.epochLength: found 5, expected no such key"),
                ({"requestTimeoutSeconds": 5}, r"qbft\[0\]\.requestTimeoutSeconds: found 5, expected no such key"),
                ({"validators": ONE}, "validators: found .*, expected a list of addresses"),
                ({"validators": [ONE[:-2]]}, "validators: found a list of 1, expected a list of addresses"),
                ({"validators": [5]}, "validators: found a list of 1, expected a list of addresses"),
                ({"validators": [ONE, ONE]}, "validators: found a list of 2, expected each address once"),
                ({"validators": []}, "validators: found a list of 0, expected at least one, or no such key"),
                (
                    {"validators": [ONE, ZERO]},
                    "validators: found a list of 2, expected .* none of them the zero address",
                ),
                (
                    {"validators": [f"0x{number:040x}" for number in range(1, 1002)]},
                    "validators: found a list of 1001, expected at most 1000",
                ),
                (
                    {"validatorSelectionMode": "contract", "validatorContractAddress": ZERO},
                    "validatorContractAddress: found .*, expected an address that a contract can have",
                ),
                ({"validatorSelectionMode": "vote"}, 'validatorSelectionMode: found "vote", expected "contract" or'),
                ({"validatorSelectionMode": ""}, 'validatorSelectionMode: found "", expected "contract" or'),
                ({"validatorSelectionMode": "contract"}, "validatorContractAddress: found null, expected the address"),
                (
                    {"validatorSelectionMode": "blockheader"},
                    "validators: found null, expected at least one: the",
                ),
                (
                    {"validatorSelectionMode": "blockheader", "validators": []},
                    "validators: found null, expected at",
                ),
                ({"validatorContractAddress": CONTRACT}, "validatorContractAddress: .* beside validatorSelectionMode"),
                (
                    {
                        "validatorSelectionMode": "blockheader",
                        "validators": [ONE],
                        "validatorContractAddress": CONTRACT,
                    },
                    "validatorContractAddress: .* beside validatorSelectionMode",
                ),
                (
                    {"validatorSelectionMode": "contract", "validators": [ONE], "validatorContractAddress": CONTRACT},
                    "validators: found a list of 1, expected none: from this block on a contract names the validators",
                ),
            )
        ),
        (
            {"cocket": [{"block": 5, "requestTimeoutSeconds": 31}]},
            "requestTimeoutMaxSeconds: found 30, expected",
        ),
        ({"cocket": [{"block": 5, "requestTimeoutSeconds": 0}]}, "requestTimeoutSeconds: found 0"),
        ({"cocket": [{"block": 5, "blockPeriodSeconds": 3}]}, r"cocket\[0\]\.blockPeriodSeconds: found 3, expected no"),
    ],
)
def test_each_refusal_names_the_key(transitions: object, found: str) -> None:
    with pytest.raises(InvalidGenesis, match=found):
        parse(transitions)


def test_empty_lists_change_nothing() -> None:
    assert parse({"qbft": [], "ibft2": [], "clique": None, "cocket": []}).spec == parse({}).spec == parse(None).spec


def test_the_genesis_hash_and_the_fork_id_do_not_change() -> None:
    changed = parse({"qbft": [{"block": 5, "blockPeriodSeconds": 3}], "cocket": [{"block": 6}]})
    assert changed.hash == parse({}).hash
    assert [fork_id(changed, number) for number in (0, 4, 5, 6)] == [fork_id(parse({}), 0)] * 4


def test_besu_versions_differ_on_transitions_beside_forks_by_time_so_its_files_may_not_have_both() -> None:
    change = {"qbft": [{"block": 5, "blockPeriodSeconds": 3}]}
    for times in ({"shanghaiTime": 0}, {"shanghaiTime": 0, "cancunTime": 2_000_000_000}):
        with pytest.raises(InvalidGenesis, match=r"transitions\.qbft: found 1 beside shanghaiTime or cancunTime"):
            parse(change, **times)
        assert parse({"qbft": [], "cocket": [{"block": 5, "requestTimeoutSeconds": 9}]}, **times).spec.transitions


def test_a_network_of_ours_may_have_both_and_keeps_its_identity() -> None:
    def founded(transitions: object) -> Genesis:
        file = genesis(transitions, shanghaiTime=0, cancunTime=0, cocket={"ceremony": "2026-11"})
        config = file["config"]
        assert isinstance(config, dict)
        vanity = configuration_hash(config)
        file["extraData"] = "0x" + encode_extra_data(ExtraData(vanity, FOUNDERS)).hex()
        return parse_genesis(json.dumps(file).encode())

    changed = founded({"qbft": [{"block": 5, "blockPeriodSeconds": 3}], "cocket": [{"block": 5}]})
    assert changed.hash == founded({}).hash
    assert changed.spec.rules_at(5).block_period_s == 3


# What holds at a height


def at(block: int, validators: tuple[bytes, ...] | None = None, **rules: object) -> Transition:
    first = Rules(1, 1, 30, 0, None, None, None)
    return Transition(block, replace(first, **rules), validators)  # type: ignore[arg-type]


def sealed(chain: Chain, block: Block) -> Block:
    """The block with the seals of a quorum of its height's validators."""
    validators = chain.ledger.validators_after(chain.head)
    keys = [key for key in chain.keys if address_of_key(key) in validators][: quorum(len(validators))]
    return chain.seal(block, keys)


def extend(chain: Chain, *raws: bytes, period_s: int = 1, vote: Vote | None = None) -> Header:
    block = chain.build(*raws, period_s=period_s).block
    if vote is not None:
        extra = replace(decode_extra_data(block.header.extra_data), vote=vote)
        block = replace(block, header=replace(block.header, extra_data=encode_extra_data(extra)))
    return chain.importer.import_block(sealed(chain, block))


def listed(header: Header) -> tuple[bytes, ...]:
    return decode_extra_data(header.extra_data).validators


def refuse(chain: Chain, block: Block, why: str) -> None:
    with pytest.raises(InvalidBlock, match=why):
        chain.importer.import_block(sealed(chain, block))


@pytest.mark.parametrize(("first", "then"), [(1, 3), (3, 1)])
def test_the_block_period_of_a_height_is_measured_from_its_parent(first: int, then: int) -> None:
    chain = Chain(block_period_s=first, transitions=(at(3, block_period_s=then),))
    for number in range(1, 6):
        period_s = first if number < 3 else then
        refuse(chain, chain.build(period_s=period_s - 1).block, "timestamp: found .*, expected at least")
        assert extend(chain, period_s=period_s).number == number


def test_reward_and_beneficiary() -> None:
    beneficiary = b"\xbe" * 20
    chain = Chain(
        1,
        transitions=(
            at(2, block_reward_wei=5),
            at(4, block_reward_wei=7, mining_beneficiary=beneficiary),
            at(6, block_reward_wei=7),
        ),
    )
    paid = []
    for _ in range(7):
        extend(chain)
        _, state = chain.ledger.head_state()
        accounts = [state.account(address) for address in (chain.validators[0], beneficiary)]
        paid.append(tuple(account.balance if account else 0 for account in accounts))
        assert chain.ledger.context(chain.head).coinbase == (
            beneficiary if chain.head.number in (4, 5) else chain.validators[0]
        )
    assert paid == [(0, 0), (5, 0), (10, 0), (10, 7), (10, 14), (17, 14), (24, 14)]


def test_the_gas_that_one_transaction_may_have() -> None:
    chain = Chain(transitions=(at(3, per_tx_gas_limit=100_000), at(4)))
    user = chain.users[0]
    high = [user.sign(RECORDER, set_slot(1, n), gas_limit=100_001, nonce=n) for n in range(4)]
    extend(chain, high[0])
    extend(chain, high[1])
    with pytest.raises(InvalidTransaction, match="gas limit: found 100001, expected at most 100000"):
        chain.pool.add(high[2])
    low = user.sign(RECORDER, set_slot(1, 9), gas_limit=100_000, nonce=2)
    extend(chain, low)
    assert chain.storage(RECORDER, 1) == 9
    extend(chain, high[3])
    assert chain.storage(RECORDER, 1) == 3


def test_what_waits_from_before_a_lower_bound_is_dropped_not_proposed_and_refused_in_a_block() -> None:
    chain = Chain(transitions=(at(2, per_tx_gas_limit=100_000),))
    raw = chain.users[0].sign(RECORDER, set_slot(1, 1), gas_limit=100_001)
    empty = chain.make()
    chain.pool.add(raw)
    chain.importer.import_block(empty)
    full = Chain()
    full.importer.import_block(full.make())
    with_it = full.build(raw).block
    refuse(
        chain,
        replace(with_it, header=replace(with_it.header, parent_hash=chain.ledger.head_hash)),
        "transaction 0: gas",
    )
    assert extend(chain).gas_used == 0
    assert chain.pool.status() == (0, 0)


# Who validates


def test_from_headers_to_a_contract_and_to_another() -> None:
    # The board lists all four; the set of block 3 is what it says after block 2.
    chain = Chain(transitions=(at(3, validator_contract=BOARD),))
    assert listed(extend(chain)) == chain.validators
    header = extend(chain, chain.users[0].sign(BOARD, set_slot(0, 3)))
    assert listed(header) == chain.validators
    assert chain.ledger.validators_after(header) == chain.validators[:3]
    block = chain.build().block
    with_list = encode_extra_data(ExtraData(validators=chain.validators[:3]))
    refuse(chain, replace(block, header=replace(block.header, extra_data=with_list)), "extraData validators: found")
    with_vote = encode_extra_data(ExtraData(vote=Vote(ONE_ADDRESS, True)))
    refuse(chain, replace(block, header=replace(block.header, extra_data=with_vote)), "extraData vote: found one")
    assert listed(extend(chain)) == ()
    assert chain.ledger.validators_after(chain.head) == chain.validators[:3]


ONE_ADDRESS = bytes.fromhex(ONE[2:])


def test_the_contract_is_the_next_height_s_and_its_state_the_parent_s() -> None:
    other = bytes.fromhex("00" * 18 + "b0a5")
    chain = Chain(is_contract_mode=True, transitions=(at(3, validator_contract=other),))
    alloc = dict(chain.genesis.alloc)
    alloc[other] = replace(alloc[BOARD], storage=dict(alloc[BOARD].storage) | {0: 1})
    chain.genesis = with_alloc(chain.genesis, alloc)
    chain.open(type(chain.store)())
    extend(chain)
    assert chain.ledger.validators_after(chain.head) == chain.validators
    header = extend(chain, chain.users[0].sign(other, set_slot(0, 2)))
    assert chain.ledger.validators_after(header) == chain.validators[:2]
    extend(chain)
    assert chain.ledger.validators_after(chain.head) == chain.validators[:2]


def with_alloc(genesis: Genesis, alloc: dict[bytes, AllocAccount]) -> Genesis:
    return Genesis(genesis.spec, replace(genesis.header, state_root=genesis_state(alloc)[0]), alloc, b"")


def test_from_a_contract_to_headers_the_list_begins() -> None:
    whole = Chain()
    fewer = (whole.validators[3], whole.validators[0])
    chain = Chain(is_contract_mode=True, transitions=(at(2, fewer),))
    extend(chain)
    assert listed(chain.head) == ()
    assert chain.ledger.validators_after(chain.head) == tuple(sorted(fewer))
    block = chain.build().block
    refuse(chain, replace(block, header=replace(block.header, extra_data=encode_extra_data(ExtraData()))), "validators")
    for _ in range(3):
        assert listed(extend(chain)) == tuple(sorted(fewer))


def test_validators_of_a_transition_hold_from_its_block_and_the_votes_begin_anew() -> None:
    whole = Chain()
    newcomer, fewer = ONE_ADDRESS, whole.validators[:3]
    chain = Chain(transitions=(at(4, fewer),))
    # Two votes of four: one more would do. The transition forgets them.
    for _ in range(2):
        extend(chain, vote=Vote(newcomer, True))
    extend(chain)
    assert listed(chain.head) == whole.validators
    assert chain.ledger.validators_after(chain.head) == fewer
    assert chain.ledger.tally_after(chain.head).votes == ()
    extend(chain, vote=Vote(newcomer, True))
    assert listed(chain.head) == fewer
    assert chain.ledger.validators_after(chain.head) == fewer
    extend(chain, vote=Vote(newcomer, True))
    assert chain.ledger.validators_after(chain.head) == tuple(sorted((*fewer, newcomer)))


def test_a_vote_in_the_block_before_counts_in_the_new_tally_as_for_besu() -> None:
    # ForkingVoteTallyCache makes the new tally for the block before, and VoteTallyCache then applies that block's vote.
    whole = Chain()
    chain = Chain(transitions=(at(3, whole.validators[:1]),))
    extend(chain)
    extend(chain, vote=Vote(ONE_ADDRESS, True))
    assert chain.ledger.validators_after(chain.head) == tuple(sorted((whole.validators[0], ONE_ADDRESS)))


@pytest.mark.parametrize("block", [3, 4, 5])
def test_validators_of_a_transition_around_an_epoch(block: int) -> None:
    whole = Chain()
    fewer = whole.validators[1:3]
    chain = Chain(epoch_length=4, transitions=(at(block, fewer),))
    for number in range(1, 10):
        vote = Vote(ONE_ADDRESS, True) if number == 4 else None  # an epoch's own vote never counts
        assert listed(extend(chain, vote=vote)) == (whole.validators if number < block else fewer)


def test_the_ledger_reads_the_same_set_from_the_transition_and_step_by_step() -> None:
    whole = Chain()
    chain = Chain(epoch_length=5, transitions=(at(3, whole.validators[:3]), at(7, whole.validators[1:])))
    for number in range(1, 12):
        extend(chain, vote=Vote(whole.validators[3], number % 2 == 0))
        step_by_step = chain.ledger.validators_after(chain.head)
        chain.ledger._sets.clear()
        chain.ledger._tally = None
        assert chain.ledger.validators_after(chain.head) == step_by_step


def test_from_headers_to_besus_contract_and_back_as_besus_own_test_has_it() -> None:
    contract = bytes.fromhex(VECTOR["contract"]["address"][2:])
    alloc = {
        VECTOR["contract"]["address"]: {"balance": "0", **{k: VECTOR["contract"][k] for k in ("code", "storage")}},
    }
    file = genesis({"qbft": VECTOR["transitions"]}) | {"alloc": alloc, "extraData": VECTOR["extra_data"]}
    chain = Chain(1)
    chain.genesis = parse_genesis(json.dumps(file).encode())
    chain.open(type(chain.store)())
    chain.keys = [bytes.fromhex(node["key"][2:]) for node in VECTOR["nodes"]]
    assert ["0x" + address_of_key(key).hex() for key in chain.keys] == [node["address"] for node in VECTOR["nodes"]]
    for expected in VECTOR["expected"]:
        if expected["block"]:
            extend(chain, period_s=2)
        header = chain.head
        assert header.number == expected["block"]
        assert ["0x" + validator.hex() for validator in listed(header)] == expected["extra_data_validators"]
        if header.number:
            parent = chain.ledger.header_by_number(header.number - 1)
            assert parent is not None
            assert ["0x" + v.hex() for v in chain.ledger.validators_after(parent)] == expected["validators"]
    assert chain.genesis.spec.rules_at(1).validator_contract == contract
