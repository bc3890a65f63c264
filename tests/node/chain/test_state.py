"""Accounts, roots and readers: two readers of one state agree, and roots are those that other clients know."""

import contextlib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.chain.hashing import EMPTY_KECCAK, EMPTY_ROOT, keccak256
from cocket.node.chain.rlp_codec import RlpError
from cocket.node.chain.state import (
    Account,
    EmptyState,
    FlatReader,
    LayeredReader,
    TrieReader,
    WriteSet,
    apply_write_set,
    decode_account,
    encode_account,
    genesis_state,
)
from cocket.node.errors import NodeFault
from cocket.node.store.schema import account_key, code_key, encode_slot, slot_key

ALICE = bytes(19) + b"\x0a"
BOB = bytes(19) + b"\x0b"
CAROL = bytes(19) + b"\x0c"
accounts = st.builds(
    Account,
    nonce=st.integers(0, 2**64 - 1),
    balance=st.integers(0, 2**256 - 1),
    code_hash=st.binary(min_size=32, max_size=32),
    storage_root=st.binary(min_size=32, max_size=32),
)


@dataclass
class Allocated:
    balance: int = 0
    nonce: int = 0
    code: bytes = b""
    storage: dict[int, int] = field(default_factory=dict)


@given(accounts)
def test_an_account_survives_its_encoding(account: Account) -> None:
    assert decode_account(encode_account(account)) == account


@given(st.binary(max_size=120))
def test_decoding_an_account_raises_nothing_but_its_own_error(data: bytes) -> None:
    with contextlib.suppress(RlpError):
        assert encode_account(decode_account(data)) == data


def test_the_empty_genesis_has_the_empty_root() -> None:
    assert genesis_state({}) == (EMPTY_ROOT, {}, WriteSet())


def test_one_account_has_the_root_of_its_single_leaf() -> None:
    root, nodes, write_set = genesis_state({ALICE: Allocated(balance=5)})
    (leaf,) = nodes.values()
    assert root == keccak256(leaf)
    assert encode_account(Account(balance=5)) in leaf
    assert write_set.accounts == {ALICE: Account(balance=5)}


def test_a_genesis_serves_what_was_allocated_and_leaves_zero_slots_out() -> None:
    alloc = {
        ALICE: Allocated(balance=5, nonce=3),
        BOB: Allocated(code=b"\x00\x01", storage={1: 7, 2**255: 2**256 - 1, 9: 0}),
        CAROL: Allocated(),
    }
    root, nodes, write_set = genesis_state(alloc)
    reader = TrieReader(nodes.get, root, write_set.codes.get)
    assert reader.account(ALICE) == Account(nonce=3, balance=5)
    assert reader.account(CAROL) == Account()
    assert reader.account(bytes(20)) is None
    bob = reader.account(BOB)
    assert bob is not None
    assert bob == write_set.accounts[BOB]
    assert reader.code(bob.code_hash) == b"\x00\x01"
    assert reader.code(EMPTY_KECCAK) == b""
    assert [reader.storage(BOB, slot) for slot in (1, 2**255, 9, 10)] == [7, 2**256 - 1, 0, 0]
    assert reader.storage(bytes(20), 1) == 0
    assert write_set.storage == {BOB: {1: 7, 2**255: 2**256 - 1}}


def test_the_flat_reader_reads_the_keys_of_the_schema() -> None:
    code_hash = keccak256(b"code")
    table = {
        account_key(ALICE): encode_account(Account(nonce=1, code_hash=code_hash)),
        slot_key(ALICE, 3): encode_slot(300),
        code_key(code_hash): b"code",
    }
    reader = FlatReader(table.get)
    assert reader.account(ALICE) == Account(nonce=1, code_hash=code_hash)
    assert reader.account(BOB) is None
    assert [reader.storage(ALICE, 3), reader.storage(ALICE, 4), reader.storage(BOB, 3)] == [300, 0, 0]
    assert [reader.code(code_hash), reader.code(EMPTY_KECCAK)] == [b"code", b""]


def test_readers_name_missing_code_and_damaged_accounts() -> None:
    reader = FlatReader({account_key(ALICE): b"\xc0"}.get)
    with pytest.raises(NodeFault, match="cannot be decoded"):
        reader.account(ALICE)
    for empty in (reader, EmptyState(), TrieReader({}.get, EMPTY_ROOT, {}.get)):
        with pytest.raises(NodeFault, match="code 11"):
            empty.code(b"\x11" * 32)
        assert empty.code(EMPTY_KECCAK) == b""


def test_the_empty_state_has_nothing() -> None:
    assert EmptyState().account(ALICE) is None
    assert EmptyState().storage(ALICE, 0) == 0


def test_a_write_set_gives_the_root_of_a_state_made_at_once() -> None:
    before = {
        ALICE: Allocated(balance=5),
        BOB: Allocated(nonce=1, code=b"\x01", storage={1: 7, 2: 8}),
        CAROL: Allocated(nonce=1, code=b"\x02", storage={1: 1, 5: 5}),
    }
    after = {
        BOB: Allocated(nonce=2, code=b"\x01", storage={1: 9, 3: 3}),
        CAROL: Allocated(nonce=1, code=b"\x03", storage={6: 6}),
    }
    root, nodes, start = genesis_state(before)
    bob, carol = start.accounts[BOB], start.accounts[CAROL]
    assert bob is not None
    assert carol is not None
    writes = WriteSet(
        accounts={
            ALICE: None,
            BOB: Account(nonce=2, code_hash=bob.code_hash, storage_root=bob.storage_root),
            CAROL: Account(nonce=1, code_hash=keccak256(b"\x03")),
        },
        storage={BOB: {1: 9, 2: 0, 3: 3}, CAROL: {6: 6}},
        codes={keccak256(b"\x03"): b"\x03"},
        cleared=(CAROL,),
    )
    new_root, new_nodes, finals = apply_write_set(nodes.get, root, writes)
    expected_root, expected_nodes, expected = genesis_state(after)
    assert new_root == expected_root
    assert finals == {ALICE: None} | dict(expected.accounts)
    assert set(expected_nodes) <= set(nodes) | set(new_nodes)
    # Zeroing every slot leaves an account with the empty root.
    gone = WriteSet(accounts={BOB: finals[BOB]}, storage={BOB: {1: 0, 3: 0}})
    _, _, last = apply_write_set((nodes | new_nodes).get, new_root, gone)
    assert last[BOB] == Account(nonce=2, code_hash=bob.code_hash)


def test_a_layered_reader_sees_the_writes_first() -> None:
    root, nodes, start = genesis_state(
        {ALICE: Allocated(balance=5, storage={1: 1, 2: 2}), BOB: Allocated(balance=6, storage={1: 1})}
    )
    below = TrieReader(nodes.get, root, start.codes.get)
    code_hash = keccak256(b"new")
    writes = WriteSet(
        accounts={ALICE: Account(balance=7, code_hash=code_hash), BOB: None},
        storage={ALICE: {1: 0, 3: 3}},
        codes={code_hash: b"new"},
    )
    reader = LayeredReader(below, writes)
    assert reader.account(ALICE) == Account(balance=7, code_hash=code_hash)
    assert reader.account(BOB) is None
    assert reader.account(CAROL) is None
    assert [reader.storage(ALICE, slot) for slot in (1, 2, 3)] == [0, 2, 3]
    assert reader.storage(BOB, 1) == 0
    assert reader.code(code_hash) == b"new"
    assert reader.code(EMPTY_KECCAK) == b""
    cleared = LayeredReader(below, WriteSet(accounts={ALICE: Account(balance=5)}, cleared=(ALICE,)))
    assert [cleared.storage(ALICE, slot) for slot in (1, 2)] == [0, 0]
