"""Block 0 as genesis.json gives it: its header, whose hash is the chain's identity, and the accounts of its state.

The same file gives Besu's genesis hash. It knows no rule of the blocks that follow. (Besu, ``GenesisState``.)
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cocket.node.chain.hashing import EMPTY_OMMERS_HASH, EMPTY_ROOT, ZERO_ADDRESS, ZERO_HASH
from cocket.node.chain.header import Header
from cocket.node.chain.json_section import Section, parse_hex
from cocket.node.chain.rules import DEFAULT_BASE_FEE, Fork, Spec
from cocket.node.chain.state import genesis_state


@dataclass(frozen=True, slots=True)
class AllocAccount:
    """One account of block 0: wei, nonce, code, and slots with their values."""

    balance: int
    nonce: int
    code: bytes
    storage: Mapping[int, int]


def parse_block(root: Section, spec: Spec, timestamp: int) -> tuple[Header, dict[bytes, AllocAccount]]:
    """Return block 0's header and the accounts of its state. Blocks after it begin with no blobs used."""
    alloc = _parse_alloc(root.section("alloc"))
    for key in ("number", "gasUsed"):
        root.only(key, 0, "block 0 has it")
    for key in ("blobGasUsed", "excessBlobGas"):
        root.only(key, 0, "this chain carries no blobs")
    fork = spec.fork_at(0, timestamp)
    base_fee = root.optional_integer("baseFeePerGas")
    if base_fee is None and spec.london_block == 0:
        base_fee = DEFAULT_BASE_FEE
    if base_fee is not None and spec.london_block != 0:
        root.refuse("baseFeePerGas", base_fee, "none, since block 0 is before London")
    beacon_root = root.data("parentBeaconBlockRoot", 32) or ZERO_HASH
    gas_limit = root.optional_integer("gasLimit")
    if gas_limit is None:
        root.refuse("gasLimit", None, "a whole number")
    if not root.has("difficulty"):
        root.refuse("difficulty", None, "0x1")
    is_shanghai, is_cancun = fork >= Fork.SHANGHAI, fork >= Fork.CANCUN
    header = Header(
        parent_hash=root.data("parentHash", 32) or ZERO_HASH,
        ommers_hash=EMPTY_OMMERS_HASH,
        coinbase=root.address("coinbase") or ZERO_ADDRESS,
        state_root=genesis_state(alloc)[0],
        transactions_root=EMPTY_ROOT,
        receipts_root=EMPTY_ROOT,
        logs_bloom=bytes(256),
        difficulty=root.hex_integer("difficulty", 1, bits=256),
        number=0,
        gas_limit=gas_limit,
        gas_used=0,
        timestamp=timestamp,
        extra_data=root.data("extraData") or b"",
        mix_hash=root.data("mixHash", 32) or ZERO_HASH,
        nonce=root.hex_integer("nonce", 0, bits=64).to_bytes(8, "big"),
        base_fee_per_gas=base_fee,
        withdrawals_root=EMPTY_ROOT if is_shanghai else None,
        blob_gas_used=0 if is_cancun else None,
        excess_blob_gas=0 if is_cancun else None,
        parent_beacon_block_root=beacon_root if is_cancun else None,
    )
    return header, alloc


def _parse_alloc(alloc: Section | None) -> dict[bytes, AllocAccount]:
    """Return the accounts of block 0 by address; remarks and the private keys of trial files are passed over."""
    accounts: dict[bytes, AllocAccount] = {}
    if alloc is None:
        return accounts
    for key, value in alloc.values():
        address = parse_hex(key, may_be_bare=True)
        if address is None or len(address) != 20:
            alloc.refuse(key, value, "an address of 20 bytes as its key")
        if address in accounts:
            alloc.refuse(key, value, "each address once")
        entry = Section(f"{alloc.path}.{key}", value)
        accounts[address] = AllocAccount(
            balance=entry.integer("balance", 0, bits=256),
            nonce=entry.hex_integer("nonce", 0, bits=64),
            code=entry.data("code", may_be_bare=True) or b"",
            storage=_parse_storage(entry.section("storage")),
        )
        entry.ignore("comment", "privateKey")
        entry.close()
    return accounts


def _parse_storage(storage: Section | None) -> dict[int, int]:
    """Return values by slot: both are hex numbers of at most 32 bytes, with or without 0x."""
    slots: dict[int, int] = {}
    if storage is None:
        return slots
    for key, value in storage.values():
        slot, number = _word(key), _word(value)
        if slot is None or number is None:
            storage.refuse(key, value, "a hex slot and a hex value of at most 32 bytes each")
        if slot in slots:
            storage.refuse(key, value, "each slot once")
        slots[slot] = number
    return slots


def _word(value: object) -> int | None:
    """Return the number of a hex string of at most 32 bytes, which may have an odd number of digits, or None."""
    digits = value[2:] if isinstance(value, str) and value[:2] in ("0x", "0X") else value
    if not isinstance(digits, str) or not 0 < len(digits) <= 64:
        return None
    found = parse_hex(digits.zfill(64), may_be_bare=True)
    return None if found is None else int.from_bytes(found, "big")
