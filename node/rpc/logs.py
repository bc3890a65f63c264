"""The eth_ methods that search logs, and those that install and poll filters.

Searches run on the worker under a deadline; blooms skip blocks without reading them. It never scans without a bound.
"""

from collections import deque

from cocket.node.rpc.backend import Backend, LoadedBlock
from cocket.node.rpc.encoding import BlockSelector, data, shown
from cocket.node.rpc.errors import InvalidParams, LimitExceeded, ResourceNotFound
from cocket.node.rpc.filters import FilterRegistry, LogPattern, LogQuery, parse_log_query
from cocket.node.rpc.jsonrpc import Method, Parameter, Weight
from cocket.node.rpc.objects import JsonObject, log_object

FILTER_BLOCKS_MAX = 1000
"""Hashes of new blocks in one answer."""


class LogMethods:
    """Log search, and filters for those who poll."""

    def __init__(self, backend: Backend, registry: FilterRegistry) -> None:
        self._backend = backend
        self._registry = registry
        self._transactions: deque[bytes] = deque(maxlen=backend.limits.filter_changes_max)
        self._transactions_seen = 0

    def methods(self) -> tuple[Method, ...]:
        """Give the methods by their names."""
        query = Parameter("filter", lambda value: parse_log_query(value, self._backend.limits))
        filter_id = Parameter("filter id", _parse_filter_id)
        return (
            Method("eth_getLogs", self.logs, (query,), Weight.HEAVY),
            Method("eth_newFilter", self.new_filter, (query,)),
            Method("eth_newBlockFilter", self.new_block_filter),
            Method("eth_newPendingTransactionFilter", self.new_pending_filter),
            Method("eth_uninstallFilter", self._registry.uninstall, (filter_id,)),
            Method("eth_getFilterChanges", self.filter_changes, (filter_id,), self._weight_of_changes),
            Method("eth_getFilterLogs", self.filter_logs, (filter_id,), Weight.HEAVY),
        )

    def on_transaction(self, transaction_hash: bytes) -> None:
        """Remember a transaction that entered the pool, for the filters of pending transactions."""
        self._transactions.append(transaction_hash)
        self._transactions_seen += 1

    def logs(self, query: LogQuery) -> list[JsonObject]:
        """The logs of one block or of a range, in order. An unknown block hash is an error, as EIP-234 wants it."""
        if query.block_hash is not None:
            header = self._backend.find_header(BlockSelector(hash=query.block_hash))
            if header is None:
                raise ResourceNotFound(f"no block {data(query.block_hash)}")
            return self._search_all(query.pattern, header.number, header.number)
        first, last = self._number(query.from_block), self._number(query.to_block)
        if first > last:
            raise InvalidParams(f"the filter begins at block {first}, after its end at {last}")
        return self._search_all(query.pattern, first, min(last, self._backend.head.number))

    def new_filter(self, query: LogQuery) -> str:
        """Install a filter of logs; it tells of those after now."""
        if query.block_hash is not None:
            raise InvalidParams("expected fromBlock and toBlock, found blockHash: one block has no changes")
        return self._registry.install(query, self._next_number())

    def new_block_filter(self) -> str:
        """Install a filter of block hashes."""
        return self._registry.install(None, self._next_number())

    def new_pending_filter(self) -> str:
        """Install a filter of the hashes of transactions that enter the pool."""
        return self._registry.install(None, self._transactions_seen, is_pending=True)

    def filter_logs(self, filter_id: str) -> list[JsonObject]:
        """All logs that an installed filter matches."""
        query = self._registry.get(filter_id).query
        if query is None:
            raise InvalidParams("expected a filter of logs, found one of blocks or transactions")
        return self.logs(query)

    def filter_changes(self, filter_id: str) -> list[object]:
        """What is new since the filter was last asked; the rest comes with the next question when it is too much."""
        installed = self._registry.get(filter_id)
        if installed.is_pending:
            missed = self._transactions_seen - installed.cursor
            installed.cursor = self._transactions_seen
            known = list(self._transactions)
            return [data(transaction_hash) for transaction_hash in known[max(0, len(known) - missed) :]]
        head = self._backend.head.number
        if installed.query is None:
            last = min(head, installed.cursor + FILTER_BLOCKS_MAX - 1)
            changes: list[object] = [data(self._backend.hash_at(n)) for n in range(installed.cursor, last + 1)]
            installed.cursor = last + 1
            return changes
        query = installed.query
        first = max(installed.cursor, query.from_block.number or 0)
        last = head if query.to_block.number is None else min(query.to_block.number, head)
        last = min(last, first + self._backend.limits.log_blocks_max - 1)
        found, following = self._search(query.pattern, first, last)
        installed.cursor = max(installed.cursor, following)
        return list(found)

    def _search_all(self, pattern: LogPattern, first: int, last: int) -> list[JsonObject]:
        """Return the matching logs of all blocks from first to last. Raises ``LimitExceeded`` when it cannot."""
        limits = self._backend.limits
        span = last - first + 1
        if span > limits.log_blocks_max:
            raise LimitExceeded(f"the range has {span} blocks, at most {limits.log_blocks_max} are searched at a time")
        found, following = self._search(pattern, first, last)
        if following <= last:
            raise LimitExceeded(
                f"the range from block {first} to {last} has over {limits.logs_max} logs or takes over "
                f"{limits.call_s:g} s; the first {len(found)} logs are before block {following}: ask for shorter ranges"
            )
        return found

    def _search(self, pattern: LogPattern, first: int, last: int) -> tuple[list[JsonObject], int]:
        """Return the matching logs of the blocks from first on, and the number after the last block searched.

        It ends early, but always after a whole block and after one at least, when the time is over or the next block's
        logs would be too many.
        """
        deadline = self._backend.deadline()
        found: list[JsonObject] = []
        for number in range(first, last + 1):
            if number > first and deadline.is_over:
                return found, number
            header = self._backend.header_by_number(number)
            if pattern.may_match(header.logs_bloom):
                more = self._matching(pattern, self._backend.load(header))
                if found and len(found) + len(more) > self._backend.limits.logs_max:
                    return found, number
                found += more
        return found, max(first, last + 1)

    def _matching(self, pattern: LogPattern, loaded: LoadedBlock) -> list[JsonObject]:
        """Return the matching logs of one block."""
        found: list[JsonObject] = []
        log_index = 0
        for index, receipt in enumerate(loaded.receipts):
            for log in receipt.logs:
                if pattern.matches(log):
                    found.append(log_object(log, log_index, loaded.transaction_hashes[index], loaded.place(index)))
                log_index += 1
        return found

    def _number(self, selector: BlockSelector) -> int:
        if selector.number is not None:
            return selector.number
        return self._backend.header(selector).number

    def _next_number(self) -> int:
        return self._backend.head.number + 1

    def _weight_of_changes(self, filter_id: str) -> Weight:
        return Weight.HEAVY if self._registry.is_of_logs(filter_id) else Weight.LIGHT


def _parse_filter_id(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidParams(f"expected a filter id, found {shown(value)}")
    return value
