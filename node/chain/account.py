"""What the state of the chain is made of: accounts, the reads that an engine asks for, and the writes it gives back.

This module alone knows how an account is encoded. It computes no root and reads no store: those are ``state``'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cocket.node.chain.hashing import EMPTY_KECCAK, EMPTY_ROOT
from cocket.node.chain.rlp_codec import RlpError, decode_list, encode, encode_int, expect_bytes, expect_int
from cocket.node.errors import NodeFault


@dataclass(frozen=True, slots=True)
class Account:
    """One account as the state trie holds it; ``storage_root`` is the root of its own trie of slots."""

    nonce: int = 0
    balance: int = 0
    code_hash: bytes = EMPTY_KECCAK
    storage_root: bytes = EMPTY_ROOT


class StateReader(Protocol):
    """The state after some block: what the engine reads. Absent is None, zero or empty; it never changes."""

    def account(self, address: bytes) -> Account | None:
        """Return the account at a 20-byte address, or None when there is none."""
        ...

    def storage(self, address: bytes, slot: int) -> int:
        """Return the value of a slot; an absent one, also of an absent account, is zero."""
        ...

    def code(self, code_hash: bytes) -> bytes:
        """Return the code with this hash; the empty hash gives empty code. NodeFault when the code is missing."""
        ...


@dataclass(frozen=True, slots=True)
class WriteSet:
    """What a block changed, to be laid over the state it was executed on.

    ``accounts`` holds every changed account, None for a removed one. An account whose slots changed is always among
    them; its ``storage_root`` is still the one from before the block (``apply_write_set`` gives the new one).
    ``storage`` holds changed slots only, zero for a removed one. ``codes`` holds code that was deployed, by its hash.
    ``cleared`` lists accounts that lost all earlier slots (they were destroyed, and perhaps made again since): first
    clear, then write ``storage``.
    """

    accounts: Mapping[bytes, Account | None] = field(default_factory=dict)
    storage: Mapping[bytes, Mapping[int, int]] = field(default_factory=dict)
    codes: Mapping[bytes, bytes] = field(default_factory=dict)
    cleared: tuple[bytes, ...] = ()


def encode_account(account: Account) -> bytes:
    """Return the account's RLP, ``[nonce, balance, storage root, code hash]``, as it lies in the state trie."""
    return encode([encode_int(account.nonce), encode_int(account.balance), account.storage_root, account.code_hash])


def decode_account(data: bytes) -> Account:
    """Return the account that ``encode_account`` encoded; RlpError on anything else."""
    items = decode_list(data)
    if len(items) != 4:
        raise RlpError(f"account: found {len(items)} items, expected 4")
    return Account(
        nonce=expect_int(items[0], "account nonce", 64),
        balance=expect_int(items[1], "account balance", 256),
        storage_root=expect_bytes(items[2], "account storage root", 32),
        code_hash=expect_bytes(items[3], "account code hash", 32),
    )


def load_account(data: bytes | None, where: str) -> Account | None:
    """Return the account in bytes of our own store, None for None; NodeFault when they are damaged."""
    if data is None:
        return None
    try:
        return decode_account(data)
    except RlpError as error:
        raise NodeFault(f"{where}: a stored account cannot be decoded ({error}): the database is damaged") from error


class EmptyState:
    """The state before the genesis: no accounts at all. For constructors that run while a genesis is made."""

    def account(self, address: bytes) -> Account | None:
        """Return None."""
        return None

    def storage(self, address: bytes, slot: int) -> int:
        """Return zero."""
        return 0

    def code(self, code_hash: bytes) -> bytes:
        """Return empty code for the empty hash; there is no other."""
        if code_hash != EMPTY_KECCAK:
            raise NodeFault(f"code {code_hash.hex()} asked of the empty state")
        return b""
