"""The eth_ methods that search logs, and those that install and poll filters.

Searches run on the worker under a deadline; blooms skip blocks without reading them. It never scans without a bound.
"""

from collections import deque

from cocket.node.chain.header import Header
from cocket.node.rpc.backend import Backend
from cocket.node.rpc.encoding import BlockSelector, data, shown
from cocket.node.rpc.errors import InvalidParams, LimitExceeded, ResourceNotFound
from cocket.node.rpc.filters import FilterRegistry, LogPattern, LogQuery, parse_log_query
from cocket.node.rpc.jsonrpc import Method, Parameter, Weight
from cocket.node.rpc.objects import JsonObject, log_object


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
            return self._search(query.pattern, header.number, header.number)
        first, last = self._number(query.from_block), self._number(query.to_block)
        if first > last:
            raise InvalidParams(f"the filter begins at block {first}, after its end at {last}")
        return self._search(query.pattern, first, min(last, self._backend.head.number))

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
        """What is new since the filter was last asked."""
        installed = self._registry.get(filter_id)
        if installed.is_pending:
            missed = self._transactions_seen - installed.cursor
            installed.cursor = self._transactions_seen
            known = list(self._transactions)
            return [data(transaction_hash) for transaction_hash in known[max(0, len(known) - missed) :]]
        first, head = installed.cursor, self._backend.head
        if installed.query is None:
            self._check_span(first, head.number)
            changes: list[object] = [data(self._backend.hash_at(number)) for number in range(first, head.number + 1)]
        else:
            last = self._last_number(installed.query.to_block, head)
            first = max(first, self._first_number(installed.query.from_block))
            changes = list(self._search(installed.query.pattern, first, last))
        installed.cursor = head.number + 1
        return changes

    def _search(self, pattern: LogPattern, first: int, last: int) -> list[JsonObject]:
        """Return the matching logs of the blocks from first to last, both included."""
        self._check_span(first, last)
        limits = self._backend.limits
        deadline = self._backend.deadline()
        found: list[JsonObject] = []
        for number in range(first, last + 1):
            deadline.check("the log search", f"it came to block {number} of {first} to {last}; ask for a shorter range")
            header = self._backend.header_by_number(number)
            if not pattern.may_match(header.logs_bloom):
                continue
            loaded = self._backend.load(header)
            log_index = 0
            for index, receipt in enumerate(loaded.receipts):
                place = loaded.place(index)
                for log in receipt.logs:
                    if pattern.matches(log):
                        found.append(log_object(log, log_index, loaded.transaction_hashes[index], place))
                    log_index += 1
            if len(found) > limits.logs_max:
                raise LimitExceeded(
                    f"over {limits.logs_max} logs match between blocks {first} and {number}; ask for a shorter range"
                )
        return found

    def _check_span(self, first: int, last: int) -> None:
        span, limit = last - first + 1, self._backend.limits.log_blocks_max
        if span > limit:
            raise LimitExceeded(f"the range has {span} blocks, at most {limit} are searched at a time")

    def _number(self, selector: BlockSelector) -> int:
        if selector.number is not None:
            return selector.number
        return self._backend.header(selector).number

    def _first_number(self, selector: BlockSelector) -> int:
        return 0 if selector.number is None else selector.number

    def _last_number(self, selector: BlockSelector, head: Header) -> int:
        return head.number if selector.number is None else min(selector.number, head.number)

    def _next_number(self) -> int:
        return self._backend.head.number + 1

    def _weight_of_changes(self, filter_id: str) -> Weight:
        return Weight.HEAVY if self._registry.is_of_logs(filter_id) else Weight.LIGHT


def _parse_filter_id(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidParams(f"expected a filter id, found {shown(value)}")
    return value
