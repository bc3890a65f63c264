"""Proofs of presence and absence hold; a changed, missing, foreign or oversized node is refused, whatever it holds."""

import random

import pytest
from evm.world import Allocated, World
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.node.chain.hashing import EMPTY_ROOT, keccak256
from cocket.node.chain.proof import AccountProof, InvalidProof, account_proof, verify_account_proof
from cocket.node.chain.state import Account

ADDRESSES = [keccak256(bytes([index]))[:20] for index in range(60)]
CONTRACT, ABSENT = ADDRESSES[0], b"\x99" * 20
SLOTS = {slot * 7: slot + 1 for slot in range(40)}
WORLD = World(
    {address: Allocated(balance=index + 1) for index, address in enumerate(ADDRESSES)}
    | {CONTRACT: Allocated(nonce=1, code=b"\x01", storage=SLOTS)}
)


def verified(proof: AccountProof, root: bytes = WORLD.root) -> tuple[Account | None, dict[int, int]]:
    return verify_account_proof(root, proof.address, proof.nodes, {slot.slot: slot.nodes for slot in proof.slots})


def test_an_account_and_its_slots_are_proven() -> None:
    proof = account_proof(WORLD.nodes.get, WORLD.root, CONTRACT, [0, 7, 8])
    account, values = verified(proof)
    assert account == proof.account
    assert account is not None
    assert account.nonce == 1
    assert values == {0: 1, 7: 2, 8: 0}
    assert [slot.value for slot in proof.slots] == [1, 2, 0]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_account_is_proven(address: bytes) -> None:
    assert verified(account_proof(WORLD.nodes.get, WORLD.root, address))[0] == WORLD.reader.account(address)


def test_absence_is_proven() -> None:
    proof = account_proof(WORLD.nodes.get, WORLD.root, ABSENT, [3])
    assert proof.account is None
    assert proof.nodes
    assert verified(proof) == (None, {3: 0})


def test_slots_of_an_account_without_storage_are_zero() -> None:
    proof = account_proof(WORLD.nodes.get, WORLD.root, ADDRESSES[5], [1])
    assert verified(proof)[1] == {1: 0}
    assert proof.slots[0].nodes == ()


def test_the_empty_trie_proves_absence_without_nodes() -> None:
    assert verify_account_proof(EMPTY_ROOT, ABSENT, []) == (None, {})


def test_another_root_is_refused() -> None:
    proof = account_proof(WORLD.nodes.get, WORLD.root, CONTRACT)
    with pytest.raises(InvalidProof, match="do not lead there"):
        verified(proof, keccak256(b"other"))


def test_a_missing_node_is_refused_at_every_place() -> None:
    proof = account_proof(WORLD.nodes.get, WORLD.root, CONTRACT, [7])
    assert len(proof.nodes) > 1
    for index in range(len(proof.nodes)):
        with pytest.raises(InvalidProof):
            verify_account_proof(WORLD.root, CONTRACT, proof.nodes[:index] + proof.nodes[index + 1 :])
    for index in range(len(proof.slots[0].nodes)):
        cut = proof.slots[0].nodes[:index] + proof.slots[0].nodes[index + 1 :]
        with pytest.raises(InvalidProof, match="slot 0x7"):
            verify_account_proof(WORLD.root, CONTRACT, proof.nodes, {7: cut})


def test_another_accounts_nodes_prove_nothing() -> None:
    proof = account_proof(WORLD.nodes.get, WORLD.root, ADDRESSES[1])
    for other in ADDRESSES[2:30]:
        if keccak256(other)[0] >> 4 != keccak256(ADDRESSES[1])[0] >> 4:
            with pytest.raises(InvalidProof):
                verify_account_proof(WORLD.root, other, proof.nodes)


def test_too_many_and_too_large_nodes_are_refused() -> None:
    with pytest.raises(InvalidProof, match="66 nodes"):
        verify_account_proof(WORLD.root, CONTRACT, [b"\xc0"] * 66)
    with pytest.raises(InvalidProof, match="601 bytes"):
        verify_account_proof(WORLD.root, CONTRACT, [bytes(601)])


def test_a_leaf_that_is_no_account_is_refused() -> None:
    leaf = bytes.fromhex("e3a120") + keccak256(CONTRACT) + b"\x07"
    with pytest.raises(InvalidProof, match="account"):
        verify_account_proof(keccak256(leaf), CONTRACT, [leaf])


@given(st.lists(st.binary(max_size=80), max_size=4), st.data())
@settings(deadline=None)
def test_hostile_nodes_raise_nothing_but_invalid_proof(nodes: list[bytes], data: st.DataObject) -> None:
    root = keccak256(data.draw(st.sampled_from([*nodes, b""])))
    with pytest.raises(InvalidProof):
        verify_account_proof(root, CONTRACT, nodes)


def test_flipped_bytes_never_prove_another_value() -> None:
    random_ = random.Random(3)
    proof = account_proof(WORLD.nodes.get, WORLD.root, CONTRACT)
    for _ in range(300):
        nodes = [bytearray(node) for node in proof.nodes]
        node = random_.choice(nodes)
        node[random_.randrange(len(node))] ^= random_.randrange(1, 256)
        with pytest.raises(InvalidProof):
            verify_account_proof(WORLD.root, CONTRACT, [bytes(node) for node in nodes])
