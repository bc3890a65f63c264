"""What an execution knows of its block, and the state with it under the names that opcodes use.

This module imports no engine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cocket.node.chain.account import StateReader
from cocket.node.chain.rules import DEFAULT_CODE_BYTES_MAX, Fork
from cocket.node.chain.vm.watch import Watch
from cocket.node.chain.vm.working_state import WorkingState

_ANCESTORS_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class BlockContext:
    """The block that transactions are executed in.

    ``base_fee`` is None before London. ``mix_hash`` is what PREVRANDAO gives from Shanghai on; before, DIFFICULTY
    gives 1. ``block_hash_of`` gives the hash of an ancestor by number, or None. ``zero_base_fee`` is the genesis
    key: with it BLOBBASEFEE gives 0 too. ``contract_size_limit`` bounds deployed code in bytes.
    """

    number: int
    timestamp: int
    coinbase: bytes
    gas_limit: int
    base_fee: int | None
    fork: Fork
    chain_id: int
    mix_hash: bytes
    block_hash_of: Callable[[int], bytes | None]
    zero_base_fee: bool = False
    contract_size_limit: int = DEFAULT_CODE_BYTES_MAX


class EngineState(WorkingState):
    """The working state with what opcodes ask about the block, by their names for it; ``watch`` may stop them."""

    __slots__ = (
        "base_fee",
        "blob_base_fee",
        "block_number",
        "chain_id",
        "code_bytes_max",
        "coinbase",
        "context",
        "difficulty",
        "execution_context",
        "gas_limit",
        "mix_hash",
        "precompiles",
        "timestamp",
        "watch",
    )

    def __init__(self, context: BlockContext, reader: StateReader, precompiles: frozenset[bytes], watch: Watch) -> None:
        super().__init__(reader)
        self.context = context
        self.watch = watch
        self.precompiles = precompiles
        self.block_number = context.number
        self.timestamp = context.timestamp
        self.coinbase = context.coinbase
        self.gas_limit = context.gas_limit
        self.base_fee = context.base_fee or 0
        # No block carries blobs, so their base fee stays at its least, 1; without base fees it is 0 as in Besu.
        self.blob_base_fee = 0 if context.zero_base_fee else 1
        self.difficulty = 1
        self.mix_hash = context.mix_hash
        self.chain_id = context.chain_id
        self.code_bytes_max = context.contract_size_limit
        self.execution_context = self  # CHAINID asks there

    def get_ancestor_hash(self, number: int) -> bytes:
        """Return the hash of one of the 256 last blocks, empty (zero) for any other."""
        if not 0 <= number < self.block_number <= number + _ANCESTORS_MAX:
            return b""
        return self.context.block_hash_of(number) or b""

    def is_address_warm(self, address: bytes) -> bool:
        """Say whether the account was accessed in this transaction; precompiles always are (EIP-2929)."""
        return address in self._warm or address in self.precompiles
