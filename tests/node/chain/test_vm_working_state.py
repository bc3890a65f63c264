"""The working state against a model that copies everything at each snapshot, and code analysis against a plain scan."""

import copy
from dataclasses import dataclass, field

from evm.world import Allocated, World
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.node.chain.hashing import EMPTY_KECCAK, keccak256
from cocket.node.chain.state import apply_write_set
from cocket.node.chain.vm.code import CodeStream, analysis_of
from cocket.node.chain.vm.working_state import WorkingState

ADDRESSES = [bytes([index]) * 20 for index in range(1, 5)]
ALLOC = {
    ADDRESSES[0]: Allocated(balance=5),
    ADDRESSES[1]: Allocated(nonce=1, code=b"\x01", storage={0: 1, 1: 2}),
    ADDRESSES[2]: Allocated(),
}


@dataclass
class Model:
    """What the state should know: plain dictionaries."""

    accounts: dict[bytes, tuple[int, int, bytes]] = field(default_factory=dict)
    slots: dict[tuple[bytes, int], int] = field(default_factory=dict)
    transient: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    warm: set[object] = field(default_factory=set)
    touched: set[bytes] = field(default_factory=set)

    @classmethod
    def start(cls) -> "Model":
        model = cls()
        for address, account in ALLOC.items():
            model.accounts[address] = (account.nonce, account.balance, account.code)
            model.slots |= {(address, slot): value for slot, value in account.storage.items()}
        return model

    def get(self, address: bytes) -> tuple[int, int, bytes]:
        return self.accounts.get(address, (0, 0, b""))

    def delete(self, address: bytes) -> None:
        self.accounts.pop(address, None)
        self.slots = {key: value for key, value in self.slots.items() if key[0] != address}


addresses = st.sampled_from(ADDRESSES)
slots = st.integers(0, 2)
small = st.integers(0, 3)
actions = st.one_of(
    st.tuples(st.just("balance"), addresses, small),
    st.tuples(st.just("nonce"), addresses, small),
    st.tuples(st.just("code"), addresses, st.sampled_from([b"\x01", b"\x02\x03"])),
    st.tuples(st.just("slot"), addresses, slots, small),
    st.tuples(st.just("transient"), addresses, slots, small),
    st.tuples(st.just("warm"), addresses, slots),
    st.tuples(st.just("touch"), addresses),
    st.tuples(st.just("delete"), addresses),
    st.tuples(st.just("snapshot")),
    st.tuples(st.just("revert")),
    st.tuples(st.just("end")),
)


def check(state: WorkingState, model: Model, originals: Model) -> None:
    for address in ADDRESSES:
        nonce, balance, code = model.get(address)
        assert (state.get_nonce(address), state.get_balance(address), state.get_code(address)) == model.get(address)
        assert state.get_code_hash(address) == (keccak256(code) if code else EMPTY_KECCAK)
        assert state.account_is_empty(address) is not state.account_exists(address)
        assert state.account_is_empty(address) is (not nonce and not balance and not code)
        for slot in range(3):
            assert state.get_storage(address, slot) == model.slots.get((address, slot), 0)
            assert state.is_storage_warm(address, slot) == ((address, slot) in model.warm)
            transient = model.transient.get((address, slot), b"")
            assert state.get_transient_storage(address, slot) == transient
            original = originals.slots.get((address, slot), 0)
            assert state.get_storage(address, slot, from_journal=False) == original
        assert state.is_address_warm(address) == (address in model.warm)


@given(st.lists(actions, max_size=40))
@settings(max_examples=400)
def test_the_state_keeps_and_takes_back_like_its_model(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    world = World(ALLOC)
    state, model = WorkingState(world.reader), Model.start()
    originals = copy.deepcopy(model)
    stack: list[tuple[int, Model]] = []
    for step in steps:
        match step:
            case ("balance", address, value):
                state.set_balance(address, value)
                nonce, _, code = model.get(address)
                model.accounts[address] = (nonce, value, code)
                model.touched.add(address)
            case ("nonce", address, value):
                state.set_nonce(address, value)
                _, balance, code = model.get(address)
                model.accounts[address] = (value, balance, code)
                model.touched.add(address)
            case ("code", address, code):
                state.set_code(address, code)
                nonce, balance, _ = model.get(address)
                model.accounts[address] = (nonce, balance, code)
                model.touched.add(address)
            case ("slot", address, slot, value):
                if model.slots.get((address, slot), 0) != value:
                    model.touched.add(address)
                state.set_storage(address, slot, value)
                model.slots[address, slot] = value
            case ("transient", address, slot, value):
                state.set_transient_storage(address, slot, bytes([value]))
                model.transient[address, slot] = bytes([value])
            case ("warm", address, slot):
                state.mark_address_warm(address)
                state.mark_storage_warm(address, slot)
                model.warm |= {address, (address, slot)}
            case ("touch", address):
                state.touch_account(address)
                model.touched.add(address)
            case ("delete", address):
                # Deleting happens when a transaction ends, before its state is asked again.
                state.delete_account(address)
                model.delete(address)
                model.touched.add(address)
                state.end_transaction()
                stack, originals = _ended(model)
            case ("snapshot",):
                stack.append((state.snapshot(), copy.deepcopy(model)))
            case ("revert",) if stack:
                mark, model = stack.pop()
                state.revert(mark)
            case ("end",):
                state.end_transaction()
                stack, originals = _ended(model)
        check(state, model, originals)
    state.end_transaction()
    _ended(model)
    writes = state.write_set()
    root, _, _ = apply_write_set(world.nodes.get, world.root, writes)
    expected = {
        address: Allocated(
            balance=balance,
            nonce=nonce,
            code=code,
            storage={slot: value for (owner, slot), value in model.slots.items() if owner == address and value},
        )
        for address, (nonce, balance, code) in model.accounts.items()
    }
    assert root == World(expected).root


def _ended(model: Model) -> tuple[list[tuple[int, Model]], Model]:
    """Remove touched empty accounts from the model and forget what lasts a transaction."""
    for address in model.touched:
        if model.get(address) == (0, 0, b""):
            model.delete(address)
    model.touched.clear()
    model.warm.clear()
    model.transient.clear()
    return [], copy.deepcopy(model)


def test_writing_back_what_was_there_is_no_write() -> None:
    world = World(ALLOC)
    state = WorkingState(world.reader)
    state.set_storage(ADDRESSES[1], 0, 9)
    state.set_balance(ADDRESSES[0], 7)
    state.end_transaction()
    state.set_storage(ADDRESSES[1], 0, 1)
    state.set_balance(ADDRESSES[0], 5)
    state.end_transaction()
    writes = state.write_set()
    assert (writes.accounts, writes.storage) == ({}, {})


def plain_scan(code: bytes) -> set[int]:
    found, position = set(), 0
    while position < len(code):
        if code[position] == 0x5B:
            found.add(position)
        position += code[position] - 0x5E if 0x60 <= code[position] <= 0x7F else 1
    return found


opcode_bytes = st.sampled_from([0x00, 0x5A, 0x5B, 0x5C, 0x5F, 0x60, 0x61, 0x7F, 0x80]) | st.integers(0, 255)


@given(st.lists(opcode_bytes, max_size=200).map(bytes))
def test_destinations_are_those_of_a_plain_scan(code: bytes) -> None:
    assert analysis_of(code).destinations == plain_scan(code)


@given(st.lists(st.tuples(st.integers(1, 32), st.binary(min_size=32, max_size=32)), max_size=6), st.integers(0, 40))
def test_pushes_in_a_row_are_read_at_once_and_zeros_stand_behind_the_end(
    pushes: list[tuple[int, bytes]], cut: int
) -> None:
    code = b"\x50" + b"".join(bytes([0x5F + size]) + data[:size] for size, data in pushes)
    code = code[: max(1, len(code) - cut)]
    words, position = [], 1
    while position < len(code):
        size = code[position] - 0x5F
        words.append(int.from_bytes((code + bytes(32))[position + 1 : position + 1 + size], "big"))
        position += 1 + size
    analysis = analysis_of(code)
    assert analysis.pushes_at(1) == (tuple(words), position, 3 * len(words))
    assert analysis.pushes[1] == analysis.pushes_at(1)
    assert analysis_of(code + b"\x5f").pushes_at(1)[1] == position  # PUSH0 is not of Berlin


def test_a_stream_steps_over_what_it_reads() -> None:
    stream = CodeStream(b"abcdef")
    assert [stream.read(2), stream.read(3), stream.read(3), stream.program_counter, len(stream)] == [
        b"ab",
        b"cde",
        b"f",
        8,
        6,
    ]
