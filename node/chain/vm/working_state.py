"""The state while a block executes: reads through a StateReader, writes kept with their undo, a WriteSet at the end.

This module alone knows how a call's changes are taken back: every change leaves (mapping, key, old value) in one
list, a snapshot is the list's length, and reverting puts old values back. It imports no engine, computes no
root and knows no opcode's price. One thread at a time uses it.
"""

from cocket.node.chain.account import Account, StateReader, WriteSet
from cocket.node.chain.hashing import EMPTY_KECCAK, EMPTY_ROOT, keccak256

_NEVER_SET = object()
_RIPEMD160 = bytes(19) + b"\x03"

_Fields = tuple[int, int, bytes, bytes]
"""Nonce, balance, code hash and the storage root from before the block. An absent account is ``_ABSENT``."""

_ABSENT: _Fields = (0, 0, EMPTY_KECCAK, EMPTY_ROOT)


class WorkingState:
    """Accounts, slots and per-transaction marks over a reader.

    An account that does not exist and one that is empty read the same: since EIP-161 no rule tells them apart, and a
    touched empty account is removed when its transaction ends.
    """

    __slots__ = (
        "_accounts",
        "_base",
        "_base_slots",
        "_changed",
        "_cleared",
        "_codes",
        "_deployed",
        "_originals",
        "_reader",
        "_slots",
        "_touched",
        "_transient",
        "_undo",
        "_warm",
        "_written",
    )

    def __init__(self, reader: StateReader) -> None:
        self._reader = reader
        self._undo: list[tuple[dict, object, object]] = []  # type: ignore[type-arg]
        self._accounts: dict[bytes, _Fields] = {}
        self._base: dict[bytes, Account | None] = {}
        self._slots: dict[bytes, dict[int, int]] = {}
        self._base_slots: dict[bytes, dict[int, int]] = {}
        self._cleared: dict[bytes, bool] = {}
        self._written: dict[bytes, set[int]] = {}
        self._codes: dict[bytes, bytes] = {EMPTY_KECCAK: b""}
        self._deployed: dict[bytes, bytes] = {}
        self._changed: set[bytes] = set()
        # What lasts one transaction:
        self._touched: dict[bytes, bool] = {}
        self._warm: dict[object, bool] = {}
        self._transient: dict[tuple[bytes, int], bytes] = {}
        self._originals: dict[tuple[bytes, int], int] = {}

    # Snapshots

    def snapshot(self) -> int:
        """Return a mark to go back to."""
        return len(self._undo)

    def revert(self, snapshot: int) -> None:
        """Undo everything since the mark, warm addresses and transient slots included.

        But a touch of the empty account 0x03 stays: the clients' behaviour in block 2,675,119 of the main network
        became the rule (ethereum/EIPs issue 716). It matters where a genesis has that account, empty.
        """
        is_kept = _RIPEMD160 in self._touched and self.account_is_empty(_RIPEMD160)
        undo = self._undo
        while len(undo) > snapshot:
            mapping, key, old = undo.pop()
            if old is _NEVER_SET:
                del mapping[key]
            else:
                mapping[key] = old
        if is_kept:
            self._touched[_RIPEMD160] = True

    def commit(self, snapshot: int) -> None:
        """Keep what was done since the mark (an outer revert still undoes it)."""

    def begin_transaction(self) -> None:
        """Forget what lasts one transaction: undo, warm sets, transient slots, original values, touches."""
        self._undo.clear()
        self._warm.clear()
        self._transient.clear()
        self._originals.clear()
        self._touched.clear()

    def end_transaction(self) -> None:
        """Remove touched accounts that are empty (EIP-161); after this the transaction cannot be reverted."""
        for address in self._touched:
            if self.account_is_empty(address):
                self.delete_account(address)
        self._changed.update(self._touched)
        self.begin_transaction()

    # Accounts

    def _load(self, address: bytes) -> _Fields:
        account = self._reader.account(address)
        self._base[address] = account
        fields = (
            _ABSENT if account is None else (account.nonce, account.balance, account.code_hash, account.storage_root)
        )
        self._accounts[address] = fields
        return fields

    def _fields(self, address: bytes) -> _Fields:
        fields = self._accounts.get(address)
        return self._load(address) if fields is None else fields

    def _set(self, address: bytes, old: _Fields, new: _Fields) -> None:
        self.touch_account(address)
        if new != old:
            self._undo.append((self._accounts, address, old))
            self._accounts[address] = new

    def touch_account(self, address: bytes) -> None:
        """Mark an account as involved in a possible change, so that it is removed if it ends empty."""
        if address not in self._touched:
            self._undo.append((self._touched, address, _NEVER_SET))
            self._touched[address] = True

    def get_balance(self, address: bytes) -> int:
        """Return the balance in wei."""
        return self._fields(address)[1]

    def set_balance(self, address: bytes, balance: int) -> None:
        """Set the balance in wei."""
        if balance < 0:
            raise ValueError(f"balance of 0x{address.hex()} would be {balance}")
        old = self._fields(address)
        self._set(address, old, (old[0], balance, old[2], old[3]))

    def delta_balance(self, address: bytes, delta: int) -> None:
        """Add to the balance, or take from it."""
        self.set_balance(address, self._fields(address)[1] + delta)

    def get_nonce(self, address: bytes) -> int:
        """Return the nonce."""
        return self._fields(address)[0]

    def set_nonce(self, address: bytes, nonce: int) -> None:
        """Set the nonce."""
        old = self._fields(address)
        self._set(address, old, (nonce, old[1], old[2], old[3]))

    def increment_nonce(self, address: bytes) -> None:
        """Count one transaction or creation."""
        self.set_nonce(address, self._fields(address)[0] + 1)

    def get_code_hash(self, address: bytes) -> bytes:
        """Return the hash of the code; that of nothing when there is none."""
        return self._fields(address)[2]

    def get_code(self, address: bytes) -> bytes:
        """Return the code, empty when there is none."""
        code_hash = self._fields(address)[2]
        code = self._codes.get(code_hash)
        if code is None:
            code = self._codes[code_hash] = self._reader.code(code_hash)
        return code

    def set_code(self, address: bytes, code: bytes) -> None:
        """Deploy code."""
        code_hash = keccak256(code)
        self._codes[code_hash] = code
        self._deployed[code_hash] = code
        old = self._fields(address)
        self._set(address, old, (old[0], old[1], code_hash, old[3]))

    def account_exists(self, address: bytes) -> bool:
        """Say whether the account is not empty."""
        return not self.account_is_empty(address)

    def account_is_empty(self, address: bytes) -> bool:
        """Say whether nonce, balance and code are all absent (EIP-161: such an account is dead)."""
        nonce, balance, code_hash, _ = self._fields(address)
        return not nonce and not balance and code_hash == EMPTY_KECCAK

    def has_code_or_nonce(self, address: bytes) -> bool:
        """Say whether no contract may be made here: it has code, a nonce, or slots (EIP-684, EIP-7610)."""
        nonce, _, code_hash, storage_root = self._fields(address)
        return bool(nonce) or code_hash != EMPTY_KECCAK or storage_root != EMPTY_ROOT

    def delete_account(self, address: bytes) -> None:
        """Remove an account with its slots."""
        self.delete_storage(address)
        self._set(address, self._fields(address), _ABSENT)

    # Slots

    def _load_slot(self, address: bytes, slot: int, slots: dict[int, int]) -> int:
        base = self._base_slots.setdefault(address, {})
        value = base.get(slot)
        if value is None:
            value = base[slot] = self._reader.storage(address, slot)
        if address in self._cleared:
            value = 0
        slots[slot] = value
        return value

    def get_storage(self, address: bytes, slot: int, from_journal: bool = True) -> int:
        """Return a slot's value; with py-evm's ``from_journal`` false that before the transaction (EIP-2200)."""
        if not from_journal:
            original = self._originals.get((address, slot))
            if original is not None:
                return original
        slots = self._slots.get(address)
        if slots is None:
            slots = self._slots[address] = {}
        value = slots.get(slot)
        return self._load_slot(address, slot, slots) if value is None else value

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        """Set a slot; zero removes it."""
        old = self.get_storage(address, slot)
        if old == value:
            return
        self._originals.setdefault((address, slot), old)
        self.touch_account(address)
        self._written.setdefault(address, set()).add(slot)
        slots = self._slots[address]
        self._undo.append((slots, slot, old))
        slots[slot] = value

    def delete_storage(self, address: bytes) -> None:
        """Remove all slots of an account."""
        if address in self._cleared or self._fields(address)[3] != EMPTY_ROOT or self._slots.get(address):
            self.touch_account(address)
            self._undo.append((self._slots, address, self._slots.get(address, {})))
            self._slots[address] = {}
            if address not in self._cleared:
                self._undo.append((self._cleared, address, _NEVER_SET))
                self._cleared[address] = True

    # Marks of one transaction

    def is_address_warm(self, address: bytes) -> bool:
        """Say whether the account was accessed in this transaction (EIP-2929)."""
        return address in self._warm

    def mark_address_warm(self, address: bytes) -> None:
        """Note that the account was accessed."""
        if address not in self._warm:
            self._undo.append((self._warm, address, _NEVER_SET))
            self._warm[address] = True

    def is_storage_warm(self, address: bytes, slot: int) -> bool:
        """Say whether the slot was accessed in this transaction (EIP-2929)."""
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: bytes, slot: int) -> None:
        """Note that the slot was accessed."""
        key = (address, slot)
        if key not in self._warm:
            self._undo.append((self._warm, key, _NEVER_SET))
            self._warm[key] = True

    def get_transient_storage(self, address: bytes, slot: int) -> bytes:
        """Return a transient slot's value, empty for zero (EIP-1153)."""
        return self._transient.get((address, slot), b"")

    def set_transient_storage(self, address: bytes, slot: int, value: bytes) -> None:
        """Set a transient slot, which is forgotten with its transaction."""
        key = (address, slot)
        self._undo.append((self._transient, key, self._transient.get(key, b"")))
        self._transient[key] = value

    # The end of a block

    def write_set(self) -> WriteSet:
        """Return what changed since the reader's state; between transactions only."""
        accounts: dict[bytes, Account | None] = {}
        storage: dict[bytes, dict[int, int]] = {}
        codes: dict[bytes, bytes] = {}
        cleared: list[bytes] = []
        for address in sorted(self._changed):
            fields = self._fields(address)
            base = self._base[address]
            is_cleared = address in self._cleared and base is not None and base.storage_root != EMPTY_ROOT
            slots = self._changed_slots(address, is_cleared)
            account = None
            if fields != _ABSENT or slots:
                nonce, balance, code_hash, storage_root = fields
                account = Account(nonce, balance, code_hash, EMPTY_ROOT if is_cleared else storage_root)
            if is_cleared:
                cleared.append(address)
            if slots:
                storage[address] = slots
            if account == base and not slots and not is_cleared:
                continue
            accounts[address] = account
            if account is not None and account.code_hash in self._deployed:
                codes[account.code_hash] = self._deployed[account.code_hash]
        return WriteSet(accounts, storage, codes, tuple(cleared))

    def _changed_slots(self, address: bytes, is_cleared: bool) -> dict[int, int]:
        written = self._written.get(address)
        if not written:
            return {}
        base = {} if is_cleared else self._base_slots.get(address, {})
        values = {slot: self.get_storage(address, slot) for slot in sorted(written)}
        return {slot: value for slot, value in values.items() if value != base.get(slot, 0)}
