"""Which logs a caller wants, and the filters that callers install and poll.

This part alone knows how topics are matched and when a filter expires. It never reads a block: the search is the
backend's. Blocks are final here, so a filter never has to report a removed log.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from cocket.node.chain.receipt import Log, bloom_of
from cocket.node.rpc.encoding import (
    LATEST,
    BlockSelector,
    parse_address,
    parse_block_selector,
    parse_hash,
    quantity,
    shown,
)
from cocket.node.rpc.errors import InvalidParams, LimitExceeded, ResourceNotFound
from cocket.node.rpc.limits import Limits

TOPIC_POSITIONS = 4
ID_BYTES = 16

_FILTER_KEYS = frozenset({"fromBlock", "toBlock", "address", "topics", "blockHash"})


def bloom_mask(value: bytes) -> int:
    """Return the bits that an address or topic sets in a 2048-bit bloom, as a number."""
    return int.from_bytes(bloom_of((Log(value, (), b""),)), "big")


class LogPattern:
    """Which logs match: any of some addresses, and at each topic position any of some topics, or anything."""

    __slots__ = ("_masks", "addresses", "topics")

    def __init__(self, addresses: frozenset[bytes] | None, topics: tuple[frozenset[bytes] | None, ...]) -> None:
        self.addresses = addresses
        self.topics = topics
        wanted = [group for group in (addresses, *topics) if group is not None]
        self._masks = tuple(tuple(bloom_mask(value) for value in sorted(group)) for group in wanted)

    def may_match(self, bloom: bytes) -> bool:
        """Say whether a block with this bloom can hold a matching log; a yes may be wrong, a no is not."""
        bits = int.from_bytes(bloom, "big")
        return all(any(bits & mask == mask for mask in masks) for masks in self._masks)

    def matches(self, log: Log) -> bool:
        """Say whether a log matches. A log with fewer topics than the pattern has positions does not."""
        if self.addresses is not None and log.address not in self.addresses:
            return False
        if len(log.topics) < len(self.topics):
            return False
        return all(wanted is None or topic in wanted for wanted, topic in zip(self.topics, log.topics, strict=False))


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A pattern and where to look: one block by its hash, or a range of blocks, both ends included."""

    pattern: LogPattern
    from_block: BlockSelector
    to_block: BlockSelector
    block_hash: bytes | None = None


def parse_log_query(value: object, limits: Limits) -> LogQuery:
    """Return the query of a filter object (eth_getLogs, eth_newFilter, eth_subscribe "logs").

    Refuses unknown keys: a misspelt one would silently match everything.
    """
    if not isinstance(value, dict):
        raise InvalidParams(f"expected a filter object, found {shown(value)}")
    unknown = sorted(str(key) for key in value.keys() - _FILTER_KEYS)
    if unknown:
        raise InvalidParams(
            f"expected {', '.join(sorted(_FILTER_KEYS))} in a filter, found the key {shown(unknown[0])}"
        )
    pattern = LogPattern(_addresses(value.get("address"), limits), _topics(value.get("topics"), limits))
    if value.get("blockHash") is None:
        return LogQuery(pattern, _bound(value.get("fromBlock")), _bound(value.get("toBlock")))
    if value.get("fromBlock") is not None or value.get("toBlock") is not None:
        raise InvalidParams("expected blockHash, or fromBlock and toBlock, not both (EIP-234)")
    return LogQuery(pattern, LATEST, LATEST, parse_hash(value["blockHash"]))


def _bound(value: object) -> BlockSelector:
    return LATEST if value is None else parse_block_selector(value)


def _addresses(value: object, limits: Limits) -> frozenset[bytes] | None:
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    if len(values) > limits.log_addresses_max:
        raise LimitExceeded(f"found {len(values)} addresses, at most {limits.log_addresses_max} may be asked for")
    return frozenset(parse_address(item) for item in values) or None


def _topics(value: object, limits: Limits) -> tuple[frozenset[bytes] | None, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidParams(f"expected topics as an array, found {shown(value)}")
    if len(value) > TOPIC_POSITIONS:
        raise InvalidParams(f"expected at most {TOPIC_POSITIONS} topic positions, found {len(value)}")
    return tuple(_topic_position(item, limits) for item in value)


def _topic_position(value: object, limits: Limits) -> frozenset[bytes] | None:
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    if len(values) > limits.log_topics_max:
        raise LimitExceeded(f"found {len(values)} topics at a position, at most {limits.log_topics_max} are taken")
    if None in values:
        return None
    return frozenset(parse_hash(item) for item in values) or None


@dataclass(slots=True)
class InstalledFilter:
    """A filter that somebody polls: what it watches, and up to where its owner has been told."""

    query: LogQuery | None
    """The log query, or None for a filter of blocks or of pending transactions."""
    is_pending: bool
    """Whether it watches pending transactions."""
    cursor: int
    """The next block number, or the next entry of the pool's journal, that its owner has not seen."""
    asked_at_s: float


class FilterRegistry:
    """The installed filters by id; bounded, and emptied of those that nobody asks for.

    The event loop and the worker both ask it, hence the lock.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float], random_bytes: Callable[[int], bytes]) -> None:
        self._limits = limits
        self._clock = clock
        self._random_bytes = random_bytes
        self._filters: dict[str, InstalledFilter] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._filters)

    def install(self, query: LogQuery | None, cursor: int, is_pending: bool = False) -> str:
        """Return the id of a new filter; ids are not guessable, for filters belong to whoever knows the id.

        Raises ``LimitExceeded`` when too many are installed and none has expired.
        """
        installed = InstalledFilter(query, is_pending, cursor, self._clock())
        filter_id = random_id(self._random_bytes)
        with self._lock:
            self._remove_expired()
            if len(self._filters) >= self._limits.filters_max:
                raise LimitExceeded(
                    f"{self._limits.filters_max} filters are installed; uninstall some or use eth_getLogs"
                )
            self._filters[filter_id] = installed
        return filter_id

    def get(self, filter_id: str) -> InstalledFilter:
        """Return a filter and keep it alive. Raises ``ResourceNotFound`` for an unknown or expired one."""
        with self._lock:
            self._remove_expired()
            found = self._filters.get(filter_id)
            if found is None:
                raise ResourceNotFound(f"no filter {shown(filter_id)}: it never was, was uninstalled, or has expired")
            found.asked_at_s = self._clock()
            return found

    def is_of_logs(self, filter_id: str) -> bool:
        """Say whether there is such a filter and it watches logs."""
        found = self._filters.get(filter_id)
        return found is not None and found.query is not None

    def uninstall(self, filter_id: str) -> bool:
        """Remove a filter; say whether there was one."""
        with self._lock:
            self._remove_expired()
            return self._filters.pop(filter_id, None) is not None

    def _remove_expired(self) -> None:
        oldest = self._clock() - self._limits.filter_expiry_s
        for filter_id in [key for key, value in self._filters.items() if value.asked_at_s < oldest]:
            del self._filters[filter_id]


def random_id(random_bytes: Callable[[int], bytes]) -> str:
    """Return a new id of a filter or subscription: a hex quantity, as clients parse it as one."""
    return quantity(int.from_bytes(random_bytes(ID_BYTES), "big"))


def matching(logs: Sequence[Log], pattern: LogPattern) -> list[tuple[int, Log]]:
    """Return the matching logs of one block with their positions."""
    return [(position, log) for position, log in enumerate(logs) if pattern.matches(log)]
