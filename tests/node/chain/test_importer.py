"""Every rule that makes a block invalid, each broken alone in an otherwise right and freshly sealed block."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from evm.assembler import deployer
from ledger.chains import BOARD, RECORDER, SPINNER, Chain, User, set_slot

from cocket.node.chain.block import Block, decode_block, encode_block
from cocket.node.chain.extra_data import ExtraData, Vote, decode_extra_data, encode_extra_data
from cocket.node.chain.header import Header, block_hash, commit_hash, with_round, with_seals
from cocket.node.chain.importer import Importer, StopSwitch, UnknownParent
from cocket.node.chain.permission import PermissionRule
from cocket.node.chain.roots import ordered_root
from cocket.node.chain.rules import Fork
from cocket.node.chain.transaction import Transaction
from cocket.node.chain.vm import ExecutionAborted
from cocket.node.consensus.seals import sign_seal
from cocket.node.errors import InvalidBlock

Change = Callable[[Chain, Header], Header]


@pytest.fixture(params=["header", "contract"])
def chain(request: pytest.FixtureRequest) -> Chain:
    made = Chain(is_contract_mode=request.param == "contract", has_permission=True)
    made.extend(made.users[0].sign(RECORDER, set_slot(1, 1)))
    return made


def next_block(chain: Chain) -> Block:
    """A right block with an effect, a create and a transfer, not yet imported and not remembered by the importer."""
    users = chain.users
    return chain.make(
        users[0].sign(RECORDER, set_slot(2, 3)),
        users[1].sign(None, deployer(b"\x60\x00")),
        users[2].sign(users[3].address, value=5),
    )


def rebuilt(chain: Chain, block: Block, **fields: object) -> Block:
    """The same block with other header fields, sealed by a quorum."""
    return chain.seal(replace(block, header=replace(block.header, **fields)))  # type: ignore[arg-type]


def with_transactions(chain: Chain, block: Block, *raws: bytes) -> Block:
    """The same block with other transactions, the right root of them and gas for them, sealed by a quorum."""
    header = replace(block.header, transactions_root=ordered_root(raws), gas_used=21_001 * len(raws))
    return chain.seal(replace(block, header=header, transactions=raws))


def refuse(chain: Chain, block: Block, reason: str) -> None:
    """The block is refused for this reason by both entrances, or by the sealed one only; nothing is changed."""
    before = chain.ledger.head_hash
    with pytest.raises(InvalidBlock, match=reason):
        chain.importer.import_block(decode_block(encode_block(block)))
    assert chain.ledger.head_hash == before


def test_a_right_block_is_imported_everywhere(chain: Chain) -> None:
    block = next_block(chain)
    chain.importer.import_block(block)
    assert chain.ledger.head_hash == block_hash(block.header)
    assert chain.storage(RECORDER, 2) == 3
    assert chain.ledger.block_by_number(2) == block
    assert chain.ledger.head == block.header


def test_importing_again_changes_nothing_and_keeps_our_seals(chain: Chain) -> None:
    block = next_block(chain)
    first = chain.importer.import_block(block)
    other_seals = chain.seal(block, chain.keys[1:])
    assert chain.importer.import_block(other_seals) == first
    assert chain.ledger.head == first


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"parent_hash": bytes(32)}, "parent.*expected the head"),
        ({"ommers_hash": bytes(32)}, "ommersHash"),
        ({"coinbase": b"\x99" * 20}, "coinbase"),
        ({"state_root": bytes(32)}, "state root: found 0x0000.*expected 0x"),
        ({"transactions_root": bytes(32)}, "transactionsRoot"),
        ({"receipts_root": bytes(32)}, "receipts root"),
        ({"logs_bloom": bytes(256)}, "logs bloom"),
        ({"logs_bloom": b"\xff" * 256}, "logs bloom"),
        ({"difficulty": 0}, "difficulty"),
        ({"difficulty": 2}, "difficulty"),
        ({"gas_limit": 4999, "gas_used": 0}, "gasLimit"),
        ({"gas_limit": 11_000_000}, "gasLimit"),
        ({"gas_used": 0}, "gas used: found 0"),
        ({"gas_used": 99_999_999}, "gasUsed"),
        ({"timestamp": 1_700_000_001}, "timestamp"),
        ({"mix_hash": bytes(32)}, "mixHash"),
        ({"base_fee_per_gas": 1}, "baseFeePerGas"),
        ({"withdrawals_root": bytes(32)}, "withdrawalsRoot"),
        ({"blob_gas_used": 131_072}, "blobGasUsed"),
        ({"excess_blob_gas": 1}, "excessBlobGas"),
        ({"parent_beacon_block_root": b"\x01" * 32}, "parentBeaconBlockRoot"),
        ({"requests_hash": bytes(32)}, "requestsHash"),
    ],
)
def test_a_wrong_header_field_is_refused(chain: Chain, fields: dict[str, object], reason: str) -> None:
    block = next_block(chain)
    refuse(chain, rebuilt(chain, block, **fields), reason)
    chain.importer.import_block(block)


def test_a_wrong_field_is_refused_as_a_proposal_too(chain: Chain) -> None:
    block = next_block(chain)
    with pytest.raises(InvalidBlock, match="state root"):
        chain.importer.execute(replace(block, header=replace(block.header, state_root=bytes(32))), None)
    with pytest.raises(InvalidBlock, match="baseFeePerGas"):
        chain.importer.execute(replace(block, header=replace(block.header, base_fee_per_gas=7)), None)


@pytest.mark.parametrize(("number", "error"), [(1, "is final here"), (4, "expected 2")])
def test_a_wrong_height_is_refused(chain: Chain, number: int, error: str) -> None:
    block = rebuilt(chain, next_block(chain), number=number)
    refuse(chain, block, error)


def test_a_block_further_ahead_has_an_unknown_parent(chain: Chain) -> None:
    block = rebuilt(chain, next_block(chain), number=9)
    with pytest.raises(UnknownParent, match="the head is block 1"):
        chain.importer.import_block(block)
    with pytest.raises(UnknownParent):
        chain.importer.execute(block, None)


def test_a_second_block_of_a_final_height_is_refused(chain: Chain) -> None:
    one, other = next_block(chain), chain.make(period_s=2)
    chain.importer.import_block(one)
    refuse(chain, other, "block 2: found 0x.* is final here")


@pytest.mark.parametrize(("early_s", "is_right"), [(0, True), (1, True), (2, False)])
def test_a_block_from_the_future_is_refused_when_there_is_a_clock(chain: Chain, early_s: int, is_right: bool) -> None:
    block = next_block(chain)
    now_s = block.header.timestamp - early_s
    if is_right:
        chain.importer.execute(block, now_s)
        chain.importer.import_block(block, now_s)
    else:
        for check in (chain.importer.execute, chain.importer.import_block):
            with pytest.raises(InvalidBlock, match="timestamp"):
                check(block, now_s)
        chain.importer.import_block(block)


def extra(header: Header, **fields: object) -> bytes:
    return encode_extra_data(replace(decode_extra_data(header.extra_data), **fields))  # type: ignore[arg-type]


def test_other_validators_in_the_header_are_refused(chain: Chain) -> None:
    block = next_block(chain)
    for validators in ((), chain.validators[:3], chain.validators[::-1], (*chain.validators, b"\xff" * 20)):
        if validators == decode_extra_data(block.header.extra_data).validators:
            continue
        refuse(chain, rebuilt(chain, block, extra_data=extra(block.header, validators=validators)), "validators")


def test_a_vote_is_refused_in_contract_mode() -> None:
    chain = Chain(is_contract_mode=True)
    block = chain.make()
    voting = rebuilt(chain, block, extra_data=extra(block.header, vote=Vote(b"\x01" * 20, True)))
    refuse(chain, voting, "vote")
    chain.importer.import_block(block)


def test_extra_data_that_is_not_qbfts_is_refused(chain: Chain) -> None:
    block = next_block(chain)
    broken = replace(block, header=replace(block.header, extra_data=b"\x01\x02"))
    for check in (chain.importer.import_block, lambda wrong: chain.importer.execute(wrong, None)):
        with pytest.raises(InvalidBlock, match="extraData"):
            check(broken)


# Seals


def test_too_few_seals_are_refused(chain: Chain) -> None:
    block = next_block(chain)
    for count in range(3):
        refuse(chain, chain.seal(block, chain.keys[:count]), f"found {count} seals, expected 3")
    chain.importer.import_block(chain.seal(block, chain.keys))


def test_the_same_validator_does_not_count_twice(chain: Chain) -> None:
    block = next_block(chain)
    refuse(chain, chain.seal(block, [*chain.keys[:2], chain.keys[1]]), "second seal")


def test_a_stranger_s_seal_is_refused_even_above_the_quorum(chain: Chain) -> None:
    block = next_block(chain)
    stranger = User("stranger").key
    refuse(chain, chain.seal(block, [*chain.keys[:2], stranger]), "one of the validators")
    refuse(chain, chain.seal(block, [*chain.keys[:3], stranger]), "one of the validators")


def test_seals_of_another_round_are_refused(chain: Chain) -> None:
    block = next_block(chain)
    seals = decode_extra_data(block.header.extra_data).seals
    refuse(chain, replace(block, header=with_seals(with_round(block.header, 1), seals)), "seal 0")


def test_seals_of_the_block_hash_instead_of_the_commit_hash_are_refused(chain: Chain) -> None:
    block = next_block(chain)
    header = with_round(block.header, 2)
    seals = [sign_seal(block_hash(header), key) for key in chain.keys[:3]]
    refuse(chain, replace(block, header=with_seals(header, seals)), "seal 0")
    right = [sign_seal(commit_hash(header), key) for key in chain.keys[:3]]
    chain.importer.import_block(replace(block, header=with_seals(header, right)))


def test_garbage_as_a_seal_is_refused(chain: Chain) -> None:
    block = next_block(chain)
    seals = decode_extra_data(block.header.extra_data).seals
    refuse(chain, replace(block, header=with_seals(block.header, [*seals[:2], bytes(65)])), "seal 2")
    refuse(chain, replace(block, header=with_seals(block.header, [*seals[:2], seals[2][:64] + b"\x1b"])), "recovery id")


def test_seals_count_against_the_set_of_the_parent_s_state() -> None:
    """A new validator counts from the block after the one that made it one, and a removed one no longer."""
    chain = Chain(4, is_contract_mode=True)
    newcomer = User("newcomer")
    chain.extend(
        chain.users[0].sign(BOARD, set_slot(0, 5)),
        chain.users[0].sign(BOARD, set_slot(5, int.from_bytes(newcomer.address, "big"))),
    )
    assert newcomer.address in chain.ledger.validators_after(chain.head)
    block = chain.make()
    refuse(chain, chain.seal(block, chain.keys[:3]), "found 3 seals, expected 4 to 5")
    chain.importer.import_block(chain.seal(block, [*chain.keys[:3], newcomer.key]))
    removal = chain.build(chain.users[0].sign(BOARD, set_slot(0, 4))).block
    chain.importer.import_block(chain.seal(removal, chain.keys))
    refuse(chain, chain.seal(chain.make(), [*chain.keys[:2], newcomer.key]), "one of the validators")


# Transactions


def test_transactions_that_are_not_the_root_s_are_refused(chain: Chain) -> None:
    block = next_block(chain)
    swapped = (block.transactions[1], block.transactions[0], block.transactions[2])
    for transactions in ((), block.transactions[:2], swapped, (*block.transactions, block.transactions[0])):
        refuse(chain, replace(block, transactions=transactions), "transactionsRoot")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"nonce": 5}, "transaction 0: nonce: found 5, expected 1"),
        ({"nonce": 0}, "transaction 0: nonce: found 0, expected 1"),
        ({"nonce": 2**64 - 1}, "transaction 0: nonce"),
        ({"chain_id": 1}, "transaction 0: chain id: found 1"),
        ({"gas_limit": 20_999}, "transaction 0: gas limit: found 20999"),
        ({"gas_limit": 10_000_001}, "transaction 0: gas limit: found 10000001.*left in block"),
        ({"value": 10**19}, "transaction 0: balance"),
        ({"gas_price": 10**18}, "transaction 0: balance"),
        ({"max_fee_per_gas": 1, "max_priority_fee_per_gas": 2}, "transaction 0: priority fee"),
    ],
)
def test_an_invalid_transaction_makes_the_block_invalid(chain: Chain, fields: dict[str, object], reason: str) -> None:
    user = chain.users[0]
    raw = user.sign(RECORDER, set_slot(4, 4), **({"nonce": 1} | fields))
    refuse(chain, with_transactions(chain, chain.make(), raw), reason)


def test_an_unprotected_transaction_is_valid_in_a_block_as_for_besu(chain: Chain) -> None:
    raw = chain.users[0].sign(RECORDER, set_slot(4, 4), chain_id=None, nonce=1)
    refuse(chain, with_transactions(chain, chain.make(), raw), "gas used")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x03" + b"\xc0", "blob"),
        (b"\x05" + b"\xc0", "type"),
        (b"\x02", "transaction 0"),
        (b"\xc0", "transaction 0"),
        (b"\x02\xc1\x80", "transaction 0"),
    ],
)
def test_bytes_that_are_no_transaction_make_the_block_invalid(chain: Chain, raw: bytes, reason: str) -> None:
    refuse(chain, with_transactions(chain, chain.make(), raw), reason)


def test_oversized_initcode_makes_the_block_invalid(chain: Chain) -> None:
    raw = chain.users[0].sign(None, bytes(49_153), nonce=1, gas_limit=5_000_000)
    refuse(chain, with_transactions(chain, chain.make(), raw), "transaction 0: initcode")


def test_a_transaction_above_the_cap_of_the_genesis_makes_the_block_invalid() -> None:
    chain = Chain(per_tx_gas_limit=100_000)
    raw = chain.users[0].sign(RECORDER, set_slot(4, 4), gas_limit=100_001)
    refuse(chain, with_transactions(chain, chain.make(), raw), "transaction 0: gas limit: found 100001")


def test_a_fee_below_the_base_fee_makes_the_block_invalid() -> None:
    chain = Chain(zero_base_fee=False)
    base_fee = chain.make().header.base_fee_per_gas or 0
    raw = chain.users[0].sign(RECORDER, set_slot(4, 4), gas_price=base_fee - 1)
    refuse(chain, with_transactions(chain, chain.make(), raw), "transaction 0: fee: found at most")


def test_more_gas_than_the_block_has_makes_it_invalid(chain: Chain) -> None:
    raws = [chain.users[0].sign(SPINNER, gas_limit=6_000_000) for _ in range(2)]
    refuse(chain, with_transactions(chain, chain.make(), *raws), "transaction 1: gas limit: found 6000000")


def test_the_same_transaction_twice_makes_the_block_invalid(chain: Chain) -> None:
    raw = chain.users[0].sign(RECORDER, set_slot(4, 4))
    refuse(chain, with_transactions(chain, chain.make(), raw, raw), "transaction 1: nonce")


def test_a_sender_without_permission_makes_the_block_invalid(chain: Chain) -> None:
    stranger = User("stranger")
    raw = stranger.sign(RECORDER, set_slot(4, 4))
    refuse(chain, with_transactions(chain, chain.make(), raw), "transaction 0: permission: .* may not transact")


def test_deploying_without_permission_makes_the_block_invalid(chain: Chain) -> None:
    user = chain.users[3]
    chain.extend(chain.users[0].sign(BOARD, set_slot(int.from_bytes(user.address, "big"), 1)))
    raw = user.sign(None, deployer(b"\x00"), nonce=0)
    refuse(chain, with_transactions(chain, chain.make(), raw), "transaction 0: permission: .* may not deploy")
    chain.extend(user.sign(RECORDER, set_slot(9, 9)))
    assert chain.storage(RECORDER, 9) == 9


def test_permission_is_that_of_the_parent_not_of_the_block_itself(chain: Chain) -> None:
    """Taking it away in a block leaves the block's own transactions valid; the next one's are not."""
    user = chain.users[1]
    block = chain.extend(
        chain.users[0].sign(BOARD, set_slot(int.from_bytes(user.address, "big"), 0)),
        user.sign(RECORDER, set_slot(7, 7)),
    )
    assert len(block.transactions) == 2
    refuse(chain, with_transactions(chain, chain.make(), user.sign(RECORDER, set_slot(7, 8))), "may not transact")


# Withdrawals


def test_the_withdrawals_list_may_be_left_out_as_by_older_besu(chain: Chain) -> None:
    block = next_block(chain)
    assert block.has_withdrawals
    chain.importer.import_block(replace(block, has_withdrawals=False))
    stored = chain.ledger.block_by_number(2)
    assert stored is not None
    assert not stored.has_withdrawals


def test_a_withdrawals_list_before_shanghai_is_refused() -> None:
    chain = Chain(fork=Fork.LONDON)
    block = chain.make()
    assert not block.has_withdrawals
    refuse(chain, replace(block, has_withdrawals=True), "withdrawals")
    chain.importer.import_block(block)


@pytest.mark.parametrize("fork", list(Fork))
def test_every_fork_makes_and_takes_blocks(fork: Fork) -> None:
    chain = Chain(fork=fork)
    chain.extend(chain.users[0].sign(RECORDER, set_slot(1, 2)))
    assert chain.storage(RECORDER, 1) == 2
    assert Chain(fork=fork).importer.import_block(chain.ledger.block_by_number(1) or chain.make()) == chain.head


# Results


def test_a_block_that_was_checked_is_not_run_again(chain: Chain) -> None:
    block = next_block(chain)
    executed = chain.importer.execute(block, None)
    assert chain.importer.execute(replace(block, header=with_round(block.header, 3)), None) is executed


def test_a_remembered_result_does_not_lend_itself_to_another_body(chain: Chain) -> None:
    block = next_block(chain)
    chain.importer.execute(block, None)
    refuse(chain, replace(block, transactions=block.transactions[:1]), "transactionsRoot")


def test_a_remembered_result_still_needs_seals(chain: Chain) -> None:
    block = next_block(chain)
    chain.importer.execute(block, None)
    refuse(chain, chain.seal(block, chain.keys[:2]), "seals")


def test_a_remembered_result_is_worth_nothing_on_another_head(chain: Chain) -> None:
    one, other = next_block(chain), chain.make(period_s=3)
    for block in (one, other):
        chain.importer.execute(block, None)
    chain.importer.import_block(one)
    with pytest.raises(InvalidBlock, match="expected the head"):
        chain.importer.execute(other, None)


def test_few_results_are_kept(chain: Chain) -> None:
    for period_s in range(1, 10):
        chain.importer.execute(chain.make(period_s=period_s), None)
    assert len(chain.importer._results) == 4


def test_each_new_block_is_told_of_once_and_is_then_the_head(chain: Chain) -> None:
    heard: list[tuple[bytes, bytes]] = []
    ledger = chain.ledger
    importer = Importer(ledger, chain.permission, on_commit=lambda done: heard.append((done.hash, ledger.head_hash)))
    block = next_block(chain)
    importer.import_block(block)
    importer.import_block(block)
    hash_ = block_hash(block.header)
    assert heard == [(hash_, hash_)]


def test_a_pulled_switch_stops_an_execution(chain: Chain) -> None:
    block = chain.make(chain.users[0].sign(SPINNER, gas_limit=1_000_000))
    switch = StopSwitch()
    switch.pull()
    with pytest.raises(ExecutionAborted):
        chain.importer.execute(block, None, switch)
    chain.importer.execute(block, None, StopSwitch())


def test_more_transactions_than_the_gas_pays_are_refused_undecoded(chain: Chain) -> None:
    """One small transaction over and over, with its right root: neither hashed nor decoded."""
    block = chain.make()
    raws = (b"\x02",) * 3
    header = replace(block.header, transactions_root=ordered_root(raws), gas_used=62_999)
    refuse(chain, chain.seal(replace(block, header=header, transactions=raws)), "gas used: found 62999 for 3")
    header = replace(header, gas_used=63_000)
    refuse(chain, chain.seal(replace(block, header=header, transactions=raws)), "transaction 0")


def test_a_switch_pulled_while_a_block_is_decoded_stops_it_there(chain: Chain) -> None:
    user = chain.users[0]
    raws = [user.sign(RECORDER, set_slot(1, 1)) for _ in range(5)]
    block = chain.make(*raws)
    switch, looked = StopSwitch(), []

    def look(hash_: bytes) -> Transaction | None:
        looked.append(hash_)
        if len(looked) == 2:
            switch.pull()
        return chain.pool.get(hash_)

    importer = Importer(chain.ledger, chain.permission, look)
    with pytest.raises(ExecutionAborted, match="no longer wanted"):
        importer.execute(block, None, switch)
    assert len(looked) == 2
    importer.execute(block, None, StopSwitch())
    assert len(looked) == 7


def test_a_switch_pulled_while_permissions_are_asked_stops_it_there(chain: Chain) -> None:
    block = next_block(chain)
    switch, asked = StopSwitch(), []

    class PullingRule(PermissionRule):
        def validate(self, transaction: Transaction, parent: Header) -> None:
            asked.append(transaction.sender)
            switch.pull()
            super().validate(transaction, parent)

    importer = Importer(chain.ledger, PullingRule(chain.ledger))
    with pytest.raises(ExecutionAborted, match="no longer wanted"):
        importer.execute(block, None, switch)
    assert asked == [chain.users[0].address]
    importer = Importer(chain.ledger, PullingRule(chain.ledger))
    importer.execute(block, None, StopSwitch())
    assert len(asked) == 4


def test_a_reward_goes_to_the_beneficiary_of_the_genesis() -> None:
    chain = Chain(block_reward_wei=7, mining_beneficiary=b"\x77" * 20)
    chain.extend()
    chain.extend()
    account = chain.ledger.head_state()[1].account(b"\x77" * 20)
    assert account is not None
    assert account.balance == 14
    wrong = rebuilt(chain, chain.make(), state_root=chain.head.state_root)
    refuse(chain, wrong, "state root")


def test_a_reward_goes_to_the_proposer_without_one() -> None:
    chain = Chain(1, block_reward_wei=7)
    chain.extend()
    account = chain.ledger.head_state()[1].account(chain.validators[0])
    assert account is not None
    assert account.balance == 7


def test_fees_go_to_the_proposer() -> None:
    chain = Chain(1)
    block = chain.extend(chain.users[0].sign(RECORDER, set_slot(1, 1), gas_price=3))
    account = chain.ledger.head_state()[1].account(chain.validators[0])
    assert account is not None
    assert account.balance == 3 * block.header.gas_used


def test_extra_data_of_the_default_is_what_we_make() -> None:
    chain = Chain()
    made = decode_extra_data(chain.build(round_number=2).block.header.extra_data)
    assert made == ExtraData(bytes(32), chain.validators, None, 2, ())
