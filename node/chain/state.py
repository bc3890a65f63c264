"""The state of the chain: its roots, and the readers that serve it from flat tables or from the trie.

This module alone knows how accounts and slots lie in the secure trie: keys are Keccak hashes of addresses and slots,
values are RLP. The trie is brought up to date once a block. It writes nothing: new nodes and accounts are returned
for the one batch that commits a block. Accounts and write sets are ``account``'s, node shapes ``trie``'s, and proofs
``proof``'s; all of it is had from here.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from cocket.node.chain.account import (
    Account,
    EmptyState,
    StateReader,
    WriteSet,
    decode_account,
    encode_account,
    load_account,
)
from cocket.node.chain.hashing import EMPTY_KECCAK, EMPTY_ROOT, keccak256
from cocket.node.chain.proof import AccountProof, InvalidProof, SlotProof, account_proof, verify_account_proof
from cocket.node.chain.rlp_codec import decode as decode_rlp
from cocket.node.chain.rlp_codec import decode_int, encode, encode_int, expect_bytes
from cocket.node.chain.trie import Nodes, look_up, update_trie
from cocket.node.errors import NodeFault
from cocket.node.store.schema import account_key, code_key, decode_slot, slot_key

__all__ = [
    "EMPTY_KECCAK",
    "EMPTY_ROOT",
    "Account",
    "AccountProof",
    "EmptyState",
    "FlatReader",
    "InvalidProof",
    "LayeredReader",
    "Nodes",
    "SlotProof",
    "StateReader",
    "TrieReader",
    "WriteSet",
    "account_proof",
    "apply_write_set",
    "decode_account",
    "encode_account",
    "genesis_state",
    "verify_account_proof",
]


class AllocatedAccount(Protocol):
    """What a genesis says of one account; ``storage`` maps slots to values."""

    @property
    def balance(self) -> int: ...
    @property
    def nonce(self) -> int: ...
    @property
    def code(self) -> bytes: ...
    @property
    def storage(self) -> Mapping[int, int]: ...


def apply_write_set(
    nodes: Nodes, root: bytes, write_set: WriteSet
) -> tuple[bytes, dict[bytes, bytes], dict[bytes, Account | None]]:
    """Return (root, new trie nodes by hash, accounts with their final storage roots) after a block's writes.

    The accounts are those of the write set, for the flat table; None is a removed one. NodeFault when a node of the
    old trie is missing.
    """
    new_nodes: dict[bytes, bytes] = {}
    accounts: dict[bytes, Account | None] = {}
    changes: list[tuple[bytes, bytes]] = []
    for address, account in write_set.accounts.items():
        slots = write_set.storage.get(address)
        if account is not None and slots:
            old_root = EMPTY_ROOT if address in write_set.cleared else account.storage_root
            storage_root, storage_nodes = update_trie(
                nodes, old_root, [(_slot_trie_key(slot), _slot_trie_value(value)) for slot, value in slots.items()]
            )
            new_nodes.update(storage_nodes)
            account = replace(account, storage_root=storage_root)
        accounts[address] = account
        changes.append((keccak256(address), b"" if account is None else encode_account(account)))
    new_root, state_nodes = update_trie(nodes, root, changes)
    new_nodes.update(state_nodes)
    return new_root, new_nodes, accounts


def genesis_state(alloc: Mapping[bytes, AllocatedAccount]) -> tuple[bytes, dict[bytes, bytes], WriteSet]:
    """Return (root, trie nodes by hash, write set) of a genesis allocation by address.

    Zero slots are left out. An account that is all zero is still an account (until touched), as in other clients.
    """
    accounts: dict[bytes, Account | None] = {}
    storage: dict[bytes, dict[int, int]] = {}
    codes: dict[bytes, bytes] = {}
    for address, allocated in alloc.items():
        code_hash = keccak256(allocated.code) if allocated.code else EMPTY_KECCAK
        if allocated.code:
            codes[code_hash] = allocated.code
        accounts[address] = Account(nonce=allocated.nonce, balance=allocated.balance, code_hash=code_hash)
        slots = {slot: value for slot, value in allocated.storage.items() if value}
        if slots:
            storage[address] = slots
    root, nodes, finals = apply_write_set(lambda _: None, EMPTY_ROOT, WriteSet(accounts, storage, codes))
    return root, nodes, WriteSet(finals, storage, codes)


class FlatReader:
    """The state at the head, read from flat tables: one look-up for an account, a slot or a code."""

    def __init__(self, get: Callable[[bytes], bytes | None]) -> None:
        self._get = get

    def account(self, address: bytes) -> Account | None:
        """Return the account at an address, or None."""
        return load_account(self._get(account_key(address)), f"account 0x{address.hex()}")

    def storage(self, address: bytes, slot: int) -> int:
        """Return the value of a slot, zero when absent."""
        return decode_slot(self._get(slot_key(address, slot)))

    def code(self, code_hash: bytes) -> bytes:
        """Return the code with this hash."""
        return _load_code(self._get(code_key(code_hash)), code_hash)


class TrieReader:
    """The state at any root whose nodes are kept, read from the trie: history, and what a proof proves.

    ``codes`` gives code by hash, or None.
    """

    def __init__(self, nodes: Nodes, root: bytes, codes: Callable[[bytes], bytes | None]) -> None:
        self._nodes = nodes
        self._root = root
        self._codes = codes
        self._accounts: dict[bytes, Account | None] = {}

    def account(self, address: bytes) -> Account | None:
        """Return the account at an address, or None; NodeFault when this state is not kept."""
        if address not in self._accounts:
            data = look_up(self._nodes, self._root, keccak256(address))
            self._accounts[address] = load_account(data, f"account 0x{address.hex()}")
        return self._accounts[address]

    def storage(self, address: bytes, slot: int) -> int:
        """Return the value of a slot, zero when absent."""
        account = self.account(address)
        if account is None:
            return 0
        data = look_up(self._nodes, account.storage_root, _slot_trie_key(slot))
        return 0 if data is None else decode_int(expect_bytes(decode_rlp(data), "slot"))

    def code(self, code_hash: bytes) -> bytes:
        """Return the code with this hash."""
        return _load_code(None if code_hash == EMPTY_KECCAK else self._codes(code_hash), code_hash)


class LayeredReader:
    """A state with writes laid over it that are not committed yet: a constructor after another, a pending block."""

    def __init__(self, below: StateReader, writes: WriteSet) -> None:
        self._below = below
        self._writes = writes

    def account(self, address: bytes) -> Account | None:
        """Return the account; its storage root is the one from below."""
        if address in self._writes.accounts:
            return self._writes.accounts[address]
        return self._below.account(address)

    def storage(self, address: bytes, slot: int) -> int:
        """Return the value of a slot."""
        value = self._writes.storage.get(address, {}).get(slot)
        if value is not None:
            return value
        if address in self._writes.cleared or self.account(address) is None:
            return 0
        return self._below.storage(address, slot)

    def code(self, code_hash: bytes) -> bytes:
        """Return the code with this hash."""
        code = self._writes.codes.get(code_hash)
        return self._below.code(code_hash) if code is None else code


def _load_code(code: bytes | None, code_hash: bytes) -> bytes:
    if code is None:
        if code_hash == EMPTY_KECCAK:
            return b""
        raise NodeFault(f"code {code_hash.hex()} is missing: the database is damaged")
    return code


def _slot_trie_key(slot: int) -> bytes:
    return keccak256(slot.to_bytes(32, "big"))


def _slot_trie_value(value: int) -> bytes:
    """Return a slot's value as the storage trie holds it, the RLP of the integer; empty, a deletion, for zero."""
    return encode(encode_int(value)) if value else b""
