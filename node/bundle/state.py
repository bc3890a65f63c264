"""The state after one block, read by proofs alone: what a verifier replays and a maker records.

Nodes of the tries stand in a bundle in the order in which a reader first comes to them, each once. So a reader takes
the next one whenever it needs one that it has not seen, and compares its hash: a missing, surplus or misplaced node is
found without being looked for. The maker reads through the same walk and writes down what it came to.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from cocket.node.bundle.errors import Unproven
from cocket.node.chain.account import Account, decode_account
from cocket.node.chain.hashing import EMPTY_ROOT, keccak256
from cocket.node.chain.rlp_codec import RlpError, decode, expect_bytes, expect_int
from cocket.node.chain.trie import Nodes, look_up
from cocket.node.errors import NodeFault

NODE_BYTES_MAX: Final = 600
"""A full branch has 532; a leaf of an account with its longest path 146."""

Prepare = Callable[[bytes, int | None], None]
"""Called before an account (None) or one of its slots is looked up."""


class Replay:
    """The nodes of a bundle, given out in their order; ``finish`` refuses what nobody came to."""

    def __init__(self, nodes: Sequence[bytes], where: str) -> None:
        self._nodes = nodes
        self._where = where
        self._next = 0
        self._seen: dict[bytes, bytes] = {}

    def __call__(self, node_hash: bytes) -> bytes:
        """Return the node with this hash: one seen before, or the next; Unproven when it is neither."""
        seen = self._seen.get(node_hash)
        if seen is not None:
            return seen
        if self._next == len(self._nodes):
            raise Unproven(f"{self._where}: found {self._next} proof nodes, expected 0x{node_hash.hex()} after them")
        node = self._nodes[self._next]
        if keccak256(node) != node_hash:
            raise Unproven(
                f"{self._where}: found another proof node at position {self._next}, expected 0x{node_hash.hex()}"
            )
        self._next += 1
        self._seen[node_hash] = node
        return node

    def finish(self) -> None:
        """Raise Unproven when nodes are left over."""
        if self._next != len(self._nodes):
            raise Unproven(f"{self._where}: found {len(self._nodes)} proof nodes, expected the {self._next} needed")


class Recorder:
    """Nodes that a node's proofs gave, of which those that a reader came to are kept in its order."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}
        self._used: dict[bytes, bytes] = {}

    def add(self, nodes: Iterable[bytes]) -> None:
        """Know more nodes."""
        self._known.update((keccak256(node), node) for node in nodes)

    def __call__(self, node_hash: bytes) -> bytes | None:
        """Return the node with this hash and keep it, None when no proof gave it."""
        node = self._known.get(node_hash)
        if node is not None:
            self._used.setdefault(node_hash, node)
        return node

    @property
    def nodes(self) -> tuple[bytes, ...]:
        """What a bundle carries."""
        return tuple(self._used.values())


class ProvenState:
    """Accounts and slots under one state root; Unproven when the nodes do not lead to one."""

    def __init__(self, root: bytes, nodes: Nodes, where: str, prepare: Prepare | None = None) -> None:
        self._root = root
        self._nodes = nodes
        self._where = where
        self._prepare = prepare or (lambda _address, _slot: None)
        self._accounts: dict[bytes, Account | None] = {}

    def account(self, address: bytes) -> Account | None:
        """Return an account, None when it is proven that there is none."""
        if address not in self._accounts:
            self._prepare(address, None)
            data = self._look_up(self._root, keccak256(address), f"account 0x{address.hex()}")
            try:
                self._accounts[address] = None if data is None else decode_account(data)
            except RlpError as error:
                raise Unproven(f"{self._where}: account 0x{address.hex()}: {error}") from None
        return self._accounts[address]

    def slot(self, address: bytes, slot: int) -> int:
        """Return the value of a slot, zero when it is proven that it has none."""
        account = self.account(address)
        if account is None or account.storage_root == EMPTY_ROOT:
            return 0
        self._prepare(address, slot)
        what = f"slot {slot:#x} of 0x{address.hex()}"
        data = self._look_up(account.storage_root, keccak256(slot.to_bytes(32, "big")), what)
        try:
            return 0 if data is None else expect_int(expect_bytes(decode(data), "slot"), "slot", 256)
        except RlpError as error:
            raise Unproven(f"{self._where}: {what}: {error}") from None

    def _look_up(self, root: bytes, key: bytes, what: str) -> bytes | None:
        try:
            return look_up(self._nodes, root, key)
        except NodeFault as error:  # missing or malformed: here whoever made the proof is to blame
            raise Unproven(f"{self._where}: the proof nodes do not lead to {what} ({error})") from None
