"""A small world for executions: funded keys, an allocation, a block context, and signed transactions."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.rules import Fork
from cocket.node.chain.state import StateReader, TrieReader, WriteSet, apply_write_set, genesis_state
from cocket.node.chain.transaction import Transaction, decode_transaction, sign_transaction
from cocket.node.chain.vm import BlockContext

CHAIN_ID = 4242
COINBASE = b"\xc0" * 20
MIX_HASH = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")
KEYS = [keccak256(bytes([index])) for index in range(12)]
ETHER = 10**18


def address_of(key: bytes) -> bytes:
    from coincurve import PublicKey

    return keccak256(PublicKey.from_secret(key).format(compressed=False)[1:])[12:]


SENDERS = [address_of(key) for key in KEYS]


@dataclass
class Allocated:
    balance: int = 0
    nonce: int = 0
    code: bytes = b""
    storage: Mapping[int, int] = field(default_factory=dict)


def block_context(fork: Fork = Fork.CANCUN, **changes: object) -> BlockContext:
    fields: dict[str, object] = {
        "number": 7,
        "timestamp": 1_700_000_000,
        "coinbase": COINBASE,
        "gas_limit": 30_000_000,
        "base_fee": 0 if fork >= Fork.LONDON else None,
        "fork": fork,
        "chain_id": CHAIN_ID,
        "mix_hash": MIX_HASH,
        "block_hash_of": lambda number: keccak256(number.to_bytes(8, "big")),
        "zero_base_fee": True,
    }
    return BlockContext(**(fields | changes))  # type: ignore[arg-type]


class World:
    """A state with its trie, to which write sets are applied."""

    def __init__(self, alloc: Mapping[bytes, Allocated]) -> None:
        self.root, self.nodes, write_set = genesis_state(alloc)
        self.codes = dict(write_set.codes)

    @property
    def reader(self) -> StateReader:
        return TrieReader(self.nodes.get, self.root, self.codes.get)

    def apply(self, write_set: WriteSet) -> bytes:
        self.root, new, _ = apply_write_set(self.nodes.get, self.root, write_set)
        self.nodes |= new
        self.codes |= write_set.codes
        return self.root


def funded(alloc: Mapping[bytes, Allocated] | None = None) -> World:
    """Return a world in which every key has 1,000 ether, and ``alloc``."""
    return World({sender: Allocated(balance=1_000 * ETHER) for sender in SENDERS} | dict(alloc or {}))


def transaction(sender: int, nonce: int, to: bytes | None, data: bytes = b"", **fields: object) -> Transaction:
    """Return a signed and decoded transaction of the numbered key; gas price 0 unless given."""
    fields = {"chain_id": CHAIN_ID, "gas_limit": 1_000_000, "gas_price": 0} | fields
    return decode_transaction(sign_transaction(KEYS[sender], nonce=nonce, to=to, data=data, **fields))  # type: ignore[arg-type]
