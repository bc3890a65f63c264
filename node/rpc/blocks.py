"""The eth_ methods that read blocks, transactions and receipts.

It never touches the state; an unknown block or transaction is null, as clients expect.
"""

from cocket.node.rpc.backend import Backend, LoadedBlock
from cocket.node.rpc.encoding import (
    BlockSelector,
    data,
    parse_block_selector,
    parse_bool,
    parse_hash,
    parse_quantity,
    quantity,
)
from cocket.node.rpc.jsonrpc import Method, Parameter, Weight
from cocket.node.rpc.objects import JsonObject, block_object, receipt_object, transaction_object

INDEX_BITS = 32

_BLOCK = Parameter("block", parse_block_selector)
_BLOCK_HASH = Parameter("block hash", parse_hash)
_FULL = Parameter("full transactions", parse_bool, False)
_INDEX = Parameter("index", lambda value: parse_quantity(value, INDEX_BITS))
_TRANSACTION_HASH = Parameter("transaction hash", parse_hash)


class BlockMethods:
    """Reads of the chain itself."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def methods(self) -> tuple[Method, ...]:
        """Give the methods by their names."""
        by_block, by_hash = self._weight_of_block, self._weight_of_hash
        by_transaction, by_receipt = self._weight_of_transaction, self._weight_of_receipt
        number_and_index, hash_and_index = (_BLOCK, _INDEX), (_BLOCK_HASH, _INDEX)
        return (
            Method("eth_blockNumber", self.block_number),
            Method("eth_getBlockByNumber", self.block_by_number, (_BLOCK, _FULL), by_block),
            Method("eth_getBlockByHash", self.block_by_hash, (_BLOCK_HASH, _FULL), by_hash),
            Method("eth_getBlockReceipts", self.block_receipts, (_BLOCK,), Weight.READ),
            Method("eth_getBlockTransactionCountByNumber", self.count_by_number, (_BLOCK,), by_block),
            Method("eth_getBlockTransactionCountByHash", self.count_by_hash, (_BLOCK_HASH,), by_hash),
            Method("eth_getUncleCountByBlockNumber", self.uncle_count_by_number, (_BLOCK,)),
            Method("eth_getUncleCountByBlockHash", self.uncle_count_by_hash, (_BLOCK_HASH,)),
            Method("eth_getTransactionByBlockNumberAndIndex", self.transaction_at_number, number_and_index, by_block),
            Method("eth_getTransactionByBlockHashAndIndex", self.transaction_at_hash, hash_and_index, by_hash),
            Method("eth_getTransactionByHash", self.transaction_by_hash, (_TRANSACTION_HASH,), by_transaction),
            Method("eth_getRawTransactionByHash", self.raw_transaction, (_TRANSACTION_HASH,), by_transaction),
            Method("eth_getTransactionReceipt", self.transaction_receipt, (_TRANSACTION_HASH,), by_receipt),
        )

    def block_number(self) -> str:
        """The height of the head."""
        return quantity(self._backend.head.number)

    def block_by_number(self, selector: BlockSelector, is_full: bool) -> JsonObject | None:
        """A block, or null; with whole transactions or with their hashes."""
        return self._block_object(self._backend.loaded(selector), is_full)

    def block_by_hash(self, block_hash: bytes, is_full: bool) -> JsonObject | None:
        """A block by its hash, or null."""
        return self._block_object(self._backend.loaded(BlockSelector(hash=block_hash)), is_full)

    def block_receipts(self, selector: BlockSelector) -> list[JsonObject] | None:
        """All receipts of a block, or null."""
        loaded = self._backend.loaded(selector)
        return None if loaded is None else [_receipt(loaded, index) for index in range(loaded.transaction_count)]

    def count_by_number(self, selector: BlockSelector) -> str | None:
        """How many transactions a block has, or null."""
        loaded = self._backend.loaded(selector)
        return None if loaded is None else quantity(loaded.transaction_count)

    def count_by_hash(self, block_hash: bytes) -> str | None:
        """How many transactions a block has, by its hash, or null."""
        return self.count_by_number(BlockSelector(hash=block_hash))

    def uncle_count_by_number(self, selector: BlockSelector) -> str | None:
        """Zero, or null for an unknown block: QBFT has no uncles."""
        return None if self._backend.find_header(selector) is None else quantity(0)

    def uncle_count_by_hash(self, block_hash: bytes) -> str | None:
        """Zero, or null for an unknown block."""
        return self.uncle_count_by_number(BlockSelector(hash=block_hash))

    def transaction_by_hash(self, transaction_hash: bytes) -> JsonObject | None:
        """A transaction of a block, or of the pool, or null."""
        found = self._backend.located(transaction_hash)
        if found is not None:
            loaded, index = found
            return transaction_object(loaded.transaction(index), loaded.place(index))
        pending = self._backend.pool.get(transaction_hash)
        return None if pending is None else transaction_object(pending, None)

    def transaction_at_number(self, selector: BlockSelector, index: int) -> JsonObject | None:
        """The transaction at a position of a block, or null."""
        loaded = self._backend.loaded(selector)
        if loaded is None or index >= loaded.transaction_count:
            return None
        return transaction_object(loaded.transaction(index), loaded.place(index))

    def transaction_at_hash(self, block_hash: bytes, index: int) -> JsonObject | None:
        """The transaction at a position of a block by its hash, or null."""
        return self.transaction_at_number(BlockSelector(hash=block_hash), index)

    def raw_transaction(self, transaction_hash: bytes) -> str | None:
        """The canonical bytes of a transaction of a block or of the pool, or null."""
        found = self._backend.located(transaction_hash)
        if found is not None:
            loaded, index = found
            return data(loaded.block.transactions[index])
        pending = self._backend.pool.get(transaction_hash)
        return None if pending is None else data(pending.raw)

    def transaction_receipt(self, transaction_hash: bytes) -> JsonObject | None:
        """The receipt of a final transaction, or null."""
        found = self._backend.located(transaction_hash)
        return None if found is None else _receipt(*found)

    def _weight_of_block(self, selector: BlockSelector, more: object = False) -> Weight:
        """A block in memory is shown at once; whole transactions need their senders recovered."""
        return Weight.LIGHT if more is not True and self._backend.is_at_hand(selector) else Weight.READ

    def _weight_of_hash(self, block_hash: bytes, more: object = False) -> Weight:
        return self._weight_of_block(BlockSelector(hash=block_hash), more)

    def _weight_of_transaction(self, transaction_hash: bytes) -> Weight:
        is_at_hand = self._backend.is_transaction_at_hand(transaction_hash, with_receipt=False)
        return Weight.LIGHT if is_at_hand else Weight.READ

    def _weight_of_receipt(self, transaction_hash: bytes) -> Weight:
        is_at_hand = self._backend.is_transaction_at_hand(transaction_hash, with_receipt=True)
        return Weight.LIGHT if is_at_hand else Weight.READ

    def _block_object(self, loaded: LoadedBlock | None, is_full: bool) -> JsonObject | None:
        if loaded is None:
            return None
        transactions: list[object] = (
            [
                transaction_object(loaded.transaction(index), loaded.place(index))
                for index in range(loaded.transaction_count)
            ]
            if is_full
            else [data(transaction_hash) for transaction_hash in loaded.transaction_hashes]
        )
        return block_object(
            loaded.header,
            loaded.hash,
            transactions,
            loaded.size,
            self._backend.genesis_difficulty,
            loaded.block.has_withdrawals,
        )


def _receipt(loaded: LoadedBlock, index: int) -> JsonObject:
    gas_used_before, first_log_index = loaded.before(index)
    return receipt_object(
        loaded.receipts[index], loaded.transaction(index), loaded.place(index), gas_used_before, first_log_index
    )
