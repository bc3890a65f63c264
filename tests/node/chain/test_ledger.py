import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from evm.assembler import assemble, deployer, return_top
from ledger.chains import BOARD, RECORDER, Chain, set_slot

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import block_hash
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.receipt import encode_receipt
from cocket.node.chain.roots import ordered_root
from cocket.node.chain.rules import Fork
from cocket.node.chain.spec import AllocAccount, Genesis
from cocket.node.chain.state import TrieReader, genesis_state
from cocket.node.chain.vm import contract_address
from cocket.node.errors import NodeFault, Refused
from cocket.node.store.level import LevelStore
from cocket.node.store.memory import MemoryStore

Pair = tuple[bytes, bytes]


def test_block_0_is_written_on_the_first_opening() -> None:
    chain = Chain()
    ledger, genesis = chain.ledger, chain.genesis
    assert ledger.head == genesis.header
    assert ledger.head_hash == genesis.hash == ledger.hash_by_number(0)
    assert ledger.header_by_number(0) == genesis.header
    block = ledger.block_by_number(0)
    assert block is not None
    assert block.transactions == ()
    assert ledger.receipts_by_number(0) == ()
    account = ledger.head_state()[1].account(chain.users[0].address)
    assert account is not None
    assert account.balance == 10**18


def test_an_alloc_that_is_not_the_header_s_is_a_fault() -> None:
    genesis = Chain().genesis
    with pytest.raises(NodeFault, match="alloc"):
        Ledger(MemoryStore(), Genesis(genesis.spec, genesis.header, {}, b""))


@pytest.fixture
def grown() -> Chain:
    """A chain of three blocks: a record and a create, two records, none."""
    chain = Chain(is_contract_mode=True, has_permission=True)
    users = chain.users
    chain.extend(users[0].sign(RECORDER, set_slot(1, 10)), users[1].sign(None, deployer(b"\x60\x00")))
    chain.extend(users[0].sign(RECORDER, set_slot(1, 20)), users[2].sign(RECORDER, set_slot(2, 30)))
    chain.extend()
    return chain


def test_what_was_committed_is_read_back(grown: Chain) -> None:
    ledger = grown.ledger
    assert ledger.head.number == 3
    for number in range(1, 4):
        block = ledger.block_by_number(number)
        assert block is not None
        hash_ = block_hash(block.header)
        assert ledger.hash_by_number(number) == hash_
        assert ledger.block_by_hash(hash_) == block
        assert ledger.header_by_hash(hash_) == block.header
        receipts = ledger.receipts_by_number(number)
        assert receipts is not None
        assert receipts == ledger.receipts_by_hash(hash_)
        assert ordered_root([encode_receipt(receipt) for receipt in receipts]) == block.header.receipts_root
        for index, raw in enumerate(block.transactions):
            assert ledger.transaction_location(keccak256(raw)) == (number, index)


def test_what_is_not_there_is_none(grown: Chain) -> None:
    ledger = grown.ledger
    assert ledger.hash_by_number(4) is None
    assert ledger.hash_by_number(-1) is None
    for by_number in (ledger.header_by_number, ledger.block_by_number, ledger.receipts_by_number):
        assert by_number(4) is None
    for by_hash in (
        ledger.header_by_hash,
        ledger.block_by_hash,
        ledger.receipts_by_hash,
        ledger.body_bytes,
        ledger.transaction_location,
        ledger.nodes,
    ):
        assert by_hash(bytes(32)) is None


def test_history_is_read_from_the_trie_and_the_head_from_the_tables(grown: Chain) -> None:
    values = []
    for number in range(4):
        header = grown.ledger.header_by_number(number)
        assert header is not None
        values.append(grown.ledger.state(header).storage(RECORDER, 1))
    assert values == [0, 10, 20, 20]
    assert isinstance(grown.ledger.state(grown.genesis.header), TrieReader)
    assert not isinstance(grown.ledger.state(grown.head), TrieReader)
    created = contract_address(grown.users[1].address, 0)
    for state in (
        grown.ledger.head_state()[1],
        TrieReader(grown.ledger.nodes, grown.head.state_root, grown.ledger._code),
    ):
        account = state.account(created)
        assert account is not None
        assert state.code(account.code_hash) == b"\x60\x00"


def test_tables_and_trie_agree_at_the_head(grown: Chain) -> None:
    """Rebuilding the state from the flat tables gives the head's root."""
    alloc = {}
    _, reader = grown.ledger.head_state()
    for key, _ in grown.store.items(b"a"):
        address = key[1:]
        account = reader.account(address)
        assert account is not None
        slots = {int.from_bytes(k[21:], "big"): int.from_bytes(v, "big") for k, v in grown.store.items(b"s" + address)}
        alloc[address] = AllocAccount(account.balance, account.nonce, reader.code(account.code_hash), slots)
    assert genesis_state(alloc)[0] == grown.head.state_root


def test_a_destroyed_contract_leaves_no_slots() -> None:
    chain = Chain(fork=Fork.SHANGHAI)
    user = chain.users[0]
    code = assemble(
        "CALLDATASIZE ISZERO @end JUMPI PUSH 7 PUSH 3 SSTORE PUSH 8 PUSH 4 SSTORE STOP end: CALLER SELFDESTRUCT"
    )
    target = contract_address(user.address, 0)
    chain.extend(user.sign(None, deployer(code)), user.sign(target, b"\x01"))
    assert len(list(chain.store.items(b"s" + target))) == 2
    chain.extend(user.sign(target))
    assert list(chain.store.items(b"s" + target)) == []
    assert chain.ledger.head_state()[1].account(target) is None


def test_a_slot_set_to_zero_leaves_the_table(grown: Chain) -> None:
    grown.extend(grown.users[0].sign(RECORDER, set_slot(1, 0)))
    assert len(list(grown.store.items(b"s" + RECORDER))) == 1
    assert grown.storage(RECORDER, 1) == 0


class WatchedStore(MemoryStore):
    """Fails at the write with this number, before anything of it is done, and at every later one; counts the others."""

    def __init__(self, at: int = 1000) -> None:
        super().__init__()
        self.left = at
        self.syncs: list[bool] = []

    def write(self, puts: Iterable[Pair], deletes: Iterable[bytes] = (), *, sync: bool = True) -> None:
        if self.left == 0:
            raise NodeFault("database: a write failed (no space left on device)")
        self.left -= 1
        self.syncs.append(sync)
        super().write(puts, deletes, sync=sync)


def test_committing_is_one_synced_batch() -> None:
    store = WatchedStore()
    chain = Chain(store=store)
    store.syncs.clear()
    chain.extend(chain.users[0].sign(RECORDER, set_slot(1, 1)))
    assert store.syncs == [True]


def test_what_is_no_child_of_the_head_is_a_fault(grown: Chain) -> None:
    executed = grown.build(grown.users[0].sign(RECORDER, set_slot(5, 5)))
    sealed = grown.seal(executed.block).header
    other = replace(sealed, timestamp=sealed.timestamp + 1)
    with pytest.raises(NodeFault, match="not that of the executed block"):
        grown.ledger.commit(executed, other)
    grown.ledger.commit(executed, sealed)
    with pytest.raises(NodeFault, match="not a child of the head"):
        grown.ledger.commit(executed, sealed)


def test_it_opens_again_where_it_ended(tmp_path: Path) -> None:
    chain = Chain(store=LevelStore(tmp_path))
    chain.extend(chain.users[0].sign(RECORDER, set_slot(1, 10)))
    head = chain.head
    chain.ledger.close()
    chain.open(LevelStore(tmp_path))
    assert chain.head == head
    chain.extend(chain.users[0].sign(RECORDER, set_slot(1, 20)))
    assert chain.storage(RECORDER, 1) == 20
    chain.ledger.close()


def test_another_genesis_or_validator_is_refused() -> None:
    store = MemoryStore()
    chain = Chain(store=store)
    Ledger(store, chain.genesis, b"\x01" * 20)
    Ledger(store, chain.genesis)
    with pytest.raises(Refused, match="another home"):
        Ledger(store, Chain(3).genesis)
    with pytest.raises(Refused, match="belongs to the validator"):
        Ledger(store, chain.genesis, b"\x02" * 20)
    assert Ledger(store, chain.genesis, b"\x01" * 20).head == chain.genesis.header


@pytest.mark.parametrize("prefix", [b"n", b"#"])
def test_a_head_that_is_not_whole_is_a_fault(grown: Chain, prefix: bytes) -> None:
    grown.store.write([], [key for key, _ in grown.store.items(prefix)])
    with pytest.raises(NodeFault, match="its head, block 3, is not whole"):
        Ledger(grown.store, grown.genesis)


@pytest.mark.parametrize("prefix", [b"h", b"b", b"r"])
@pytest.mark.parametrize("damage", ["lost", "spoiled"])
def test_a_damaged_record_is_a_fault(grown: Chain, prefix: bytes, damage: str) -> None:
    for key, _ in list(grown.store.items(prefix)):
        grown.store.write([] if damage == "lost" else [(key, b"\xc2\x01")], [key])
    if prefix == b"h":
        with pytest.raises(NodeFault, match="restore it"):
            Ledger(grown.store, grown.genesis)
    elif prefix == b"b" or damage == "spoiled":
        read = grown.ledger.block_by_number if prefix == b"b" else grown.ledger.receipts_by_number
        with pytest.raises(NodeFault, match="restore it"):
            read(1)


@pytest.mark.parametrize("at", range(1, 5))
def test_after_a_failed_write_the_chain_ends_at_the_last_whole_block(at: int) -> None:
    store = WatchedStore(at)
    chain = Chain(store=store)
    user = chain.users[0]
    done = at - 1
    for value in range(1, at):
        chain.extend(user.sign(RECORDER, set_slot(1, value)))
    failing = chain.make(user.sign(RECORDER, set_slot(1, at)))
    for _ in range(2):
        with pytest.raises(NodeFault, match="no space"):
            chain.importer.import_block(failing)
    for _ in range(2):
        assert chain.head.number == done
        assert chain.storage(RECORDER, 1) == done
        store.left = 100
        chain.open(store)
    user.nonce = done
    chain.extend(user.sign(RECORDER, set_slot(1, 99)))
    assert chain.storage(RECORDER, 1) == 99


def test_a_failed_first_write_leaves_nothing() -> None:
    store = WatchedStore(0)
    with pytest.raises(NodeFault):
        Chain(store=store)
    store.left = 100
    assert Chain(store=store).head.number == 0


def test_readers_see_one_moment_while_blocks_are_committed() -> None:
    """The head, its number and its state belong together in every reader's eyes."""
    chain = Chain(user_count=1)
    user = chain.users[0]
    wrong: list[tuple[int, int]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            header, state = chain.ledger.head_state()
            pair = (state.storage(RECORDER, 1), state.storage(RECORDER, 2))
            if pair != (header.number, header.number):
                wrong.append(pair)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1, 20):
        chain.extend(user.sign(RECORDER, set_slot(1, number)), user.sign(RECORDER, set_slot(2, number)))
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []


# Validators


def test_validators_of_the_header() -> None:
    chain = Chain(4)
    assert chain.ledger.validators_after(chain.head) == chain.validators
    chain.extend()
    assert chain.ledger.validators_after(chain.head) == chain.validators


def test_validators_of_the_contract_are_sorted_and_follow_the_state() -> None:
    chain = Chain(4, is_contract_mode=True)
    before = chain.head
    swapped = [
        set_slot(1, int.from_bytes(chain.validators[3], "big")),
        set_slot(4, int.from_bytes(chain.validators[0], "big")),
    ]
    chain.extend(*[chain.users[0].sign(BOARD, data) for data in swapped])
    assert chain.ledger.validators_after(chain.head) == chain.validators
    chain.extend(chain.users[0].sign(BOARD, set_slot(0, 3)))
    assert chain.ledger.validators_after(chain.head) == chain.validators[1:]
    assert chain.ledger.validators_after(before) == chain.validators


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("PUSH 0 PUSH 0 REVERT", "revert"),
        ("STOP", "found 0 bytes"),
        ("PUSH 1 " + return_top(), "found 32 bytes"),
        ("PUSH 32 PUSH 0 MSTORE PUSH 64 PUSH 0 RETURN", "found 64 bytes"),  # an empty list
        ("PUSH 32 PUSH 0 MSTORE PUSH 1 PUSH 32 MSTORE PUSH 64 PUSH 0 RETURN", "no 1 addresses"),
        (
            "PUSH 32 PUSH 0 MSTORE PUSH 1 PUSH 32 MSTORE PUSH 0 NOT PUSH 64 MSTORE PUSH 96 PUSH 0 RETURN",
            "no 1 addresses",
        ),
        ("PUSH 32 PUSH 0 MSTORE PUSH 1 PUSH 200 SHL PUSH 32 MSTORE PUSH 96 PUSH 0 RETURN", "1 to 1000"),
        ("PUSH 64 PUSH 0 MSTORE PUSH 1 PUSH 32 MSTORE PUSH 96 PUSH 0 RETURN", "1 to 1000"),
        ("again: @again JUMP", "out of gas"),
    ],
)
def test_a_contract_that_does_not_answer_stops_the_height(code: str, reason: str) -> None:
    chain = Chain(is_contract_mode=True)
    genesis = chain.genesis
    alloc = dict(genesis.alloc) | {BOARD: AllocAccount(0, 1, assemble(code), {})}
    header = replace(genesis.header, state_root=genesis_state(alloc)[0])
    ledger = Ledger(MemoryStore(), Genesis(genesis.spec, header, alloc, b""))
    with pytest.raises(Refused, match=rf"getValidators\(\).*{reason}"):
        ledger.validators_after(ledger.head)


def test_a_contract_that_is_not_there_stops_the_height() -> None:
    chain = Chain(is_contract_mode=True)
    genesis = replace(chain.genesis, spec=replace(chain.genesis.spec, validator_contract=b"\x01" * 20))
    with pytest.raises(Refused, match="found"):
        Ledger(MemoryStore(), genesis).validators_after(genesis.header)


def test_few_validator_sets_are_kept() -> None:
    chain = Chain(1)
    for _ in range(70):
        chain.extend()
    assert len(chain.ledger._sets) <= 64
    first = chain.ledger.header_by_number(1)
    assert first is not None
    assert chain.ledger.validators_after(first) == chain.validators


def test_block_hashes_reach_back_256_blocks() -> None:
    chain = Chain(1)
    for _ in range(3):
        chain.extend()
    context = chain.ledger.context(chain.head)
    assert [context.block_hash_of(number) == chain.ledger.hash_by_number(number) for number in (0, 1, 2)] == [True] * 3
    assert context.block_hash_of(3) is None
    assert context.block_hash_of(-1) is None


def test_blocks_are_made_durable_once_and_by_the_next_synced_one() -> None:
    store = WatchedStore()
    chain = Chain(store=store)
    ledger = chain.ledger
    chain.importer.import_block(chain.make())
    store.syncs.clear()
    assert ledger.is_durable
    ledger.sync()
    assert store.syncs == []
    chain.importer.import_block(chain.make(), sync=False)
    assert not ledger.is_durable
    ledger.sync()
    ledger.sync()
    assert ledger.is_durable
    chain.importer.import_block(chain.make(), sync=False)
    chain.importer.import_block(chain.make())
    assert ledger.is_durable
    assert store.syncs == [False, True, False, True]


def test_what_an_earlier_process_left_is_made_durable_when_asked_for() -> None:
    store = WatchedStore()
    Chain(store=store).extend()
    ledger = Chain(store=store).ledger
    store.syncs.clear()
    assert not ledger.is_durable
    ledger.sync()
    assert ledger.is_durable
    assert store.syncs == [True]


def test_a_crash_between_unsynced_blocks_keeps_whole_blocks(tmp_path: Path) -> None:
    """What waits for the next sync is lost with the process, and only whole blocks of it."""
    chain = Chain(store=LevelStore(tmp_path))
    for value in range(1, 4):
        block = chain.make(chain.users[0].sign(RECORDER, set_slot(1, value)))
        chain.importer.import_block(block, sync=value == 1)
    assert chain.head.number == 3
    store = chain.store
    assert isinstance(store, LevelStore)
    store._db.close()  # as a killed process would leave it
    chain.open(LevelStore(tmp_path))
    assert chain.head.number == 1
    assert chain.storage(RECORDER, 1) == 1
    chain.ledger.close()


@pytest.mark.parametrize("is_zeroed", [False, True])
@pytest.mark.parametrize("lost_bytes", [1, 100, 1500])
def test_a_torn_last_batch_leaves_the_block_before(tmp_path: Path, lost_bytes: int, is_zeroed: bool) -> None:
    """A power cut while the last batch was on its way: cut short, or its end reads as zeros."""
    chain = Chain(store=LevelStore(tmp_path))
    for value in range(1, 5):
        chain.extend(chain.users[0].sign(RECORDER, set_slot(1, value)))
    chain.ledger.close()
    log = max(tmp_path.glob("*.log"))
    data = log.read_bytes()
    log.write_bytes(data[:-lost_bytes] + (bytes(lost_bytes) if is_zeroed else b""))
    try:
        chain.open(LevelStore(tmp_path))
    except NodeFault as fault:
        assert is_zeroed
        assert "restore it" in str(fault)  # noqa: PT017
        return
    assert chain.head.number == 3
    assert chain.storage(RECORDER, 1) == 3
    chain.users[0].nonce = 3
    chain.extend(chain.users[0].sign(RECORDER, set_slot(1, 9)))
    assert chain.storage(RECORDER, 1) == 9
    chain.ledger.close()
