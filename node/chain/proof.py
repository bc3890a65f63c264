"""Proofs that an account or a slot has a value, or does not exist, under a state root: made here and checked here.

This module alone knows how a proof is checked. Checking is pure and trusts nothing but the root: it says what the
nodes prove, not whether a claim holds. What a proven value means, and whose root it is, are others' questions.
(EIP-1186.)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cocket.node.chain.account import Account, decode_account
from cocket.node.chain.hashing import EMPTY_ROOT, keccak256
from cocket.node.chain.rlp_codec import RlpError, decode, expect_bytes, expect_int
from cocket.node.chain.trie import Nodes, look_up, path_nodes
from cocket.node.errors import NodeError, NodeFault

_NODES_MAX: Final = 65  # one a nibble and the root: a longer path does not exist
_NODE_BYTES_MAX: Final = 600  # a full branch has 532


class InvalidProof(NodeError):
    """Nodes that do not lead from the root to the key; the message says where they end."""


@dataclass(frozen=True, slots=True)
class SlotProof:
    """A slot, its value (zero when absent), and the nodes of the storage trie from its root towards it."""

    slot: int
    value: int
    nodes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AccountProof:
    """What eth_getProof answers: an account (None when absent), the nodes from the state root, and its slots."""

    address: bytes
    account: Account | None
    nodes: tuple[bytes, ...]
    slots: tuple[SlotProof, ...]


def account_proof(nodes: Nodes, root: bytes, address: bytes, slots: Iterable[int] = ()) -> AccountProof:
    """Return the proof of an account, or of its absence, and of its slots; NodeFault when the state is not kept."""
    key = keccak256(address)
    data = look_up(nodes, root, key)
    account = None if data is None else decode_account(data)
    storage_root = EMPTY_ROOT if account is None else account.storage_root
    slot_proofs = []
    for slot in slots:
        slot_key = keccak256(slot.to_bytes(32, "big"))
        value = look_up(nodes, storage_root, slot_key)
        slot_proofs.append(SlotProof(slot, _slot_value(value), tuple(path_nodes(nodes, storage_root, slot_key))))
    return AccountProof(address, account, tuple(path_nodes(nodes, root, key)), tuple(slot_proofs))


def verify_account_proof(
    root: bytes, address: bytes, nodes: Sequence[bytes], slot_nodes: Mapping[int, Sequence[bytes]] | None = None
) -> tuple[Account | None, dict[int, int]]:
    """Return what the nodes prove under ``root``: the account, None for its absence, and its slots' values.

    InvalidProof unless they prove it. Nothing else is raised, whatever the bytes are.
    """
    data = _prove(nodes, root, keccak256(address), f"account 0x{address.hex()}")
    try:
        account = None if data is None else decode_account(data)
    except RlpError as error:
        raise InvalidProof(f"account 0x{address.hex()}: {error}") from None
    storage_root = EMPTY_ROOT if account is None else account.storage_root
    values = {}
    for slot, found in (slot_nodes or {}).items():
        value = _prove(found, storage_root, keccak256(slot.to_bytes(32, "big")), f"slot {slot:#x}")
        try:
            values[slot] = _slot_value(value)
        except RlpError as error:
            raise InvalidProof(f"slot {slot:#x}: {error}") from None
    return account, values


def _prove(nodes: Sequence[bytes], root: bytes, key: bytes, what: str) -> bytes | None:
    """Return the value of a key under a root by these nodes alone, None when they prove that there is none."""
    if len(nodes) > _NODES_MAX:
        raise InvalidProof(f"{what}: found {len(nodes)} nodes, expected at most {_NODES_MAX}")
    for node in nodes:
        if len(node) > _NODE_BYTES_MAX:
            raise InvalidProof(f"{what}: found a node of {len(node)} bytes, expected at most {_NODE_BYTES_MAX}")
    known = {keccak256(node): node for node in nodes}
    try:
        return look_up(known.get, root, key)
    except NodeFault as error:  # a node that is missing or malformed: here the sender's fault
        raise InvalidProof(f"{what}: the nodes do not lead there from the root 0x{root.hex()} ({error})") from None


def _slot_value(data: bytes | None) -> int:
    return 0 if data is None else expect_int(expect_bytes(decode(data), "slot", None), "slot", 256)
