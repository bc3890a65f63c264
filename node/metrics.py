"""A node's figures in Prometheus' text format: the one place that knows its library.

What the node knows anyway is read when somebody asks; only what passes by is counted as it happens.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cocket.node.consensus.messages import Code
from cocket.node.expiry import Expiring
from cocket.node.validator_ports import Status


@dataclass(frozen=True, slots=True)
class PeerLoad:
    """What one session costs: of the event loop's time, and how often its peer was made to wait for some."""

    peer: str
    loop_s: float
    waits: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How the node stands; ``validator`` is None for a follower, ``highest`` what honest peers claim."""

    height: int
    head_timestamp_s: int
    highest: int
    peers: int
    pool_pending: int
    pool_queued: int
    pool_bytes: int
    chain_id: int
    version: str
    validator: Status | None
    duplicates: int
    network_events: Mapping[str, int] = field(default_factory=dict)
    peer_loads: tuple[PeerLoad, ...] = ()
    expiring: tuple[Expiring, ...] = ()


class Metrics:
    """Counts what passes by, and renders it with the figures of the moment."""

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_FiguresCollector(figures))
        self._equivocations = Counter(
            "cocket_equivocations",
            "Pairs of different messages that one validator signed for one height, round and kind.",
            ("validator", "kind"),
            registry=self._registry,
        )
        self._rejected = Counter(
            "cocket_consensus_messages_rejected",
            "Well-formed consensus messages that broke a rule of the moment.",
            ("kind",),
            registry=self._registry,
        )
        self._rejected_of = {code: self._rejected.labels(code.name.lower()) for code in Code}

    def equivocated(self, validator: str, code: Code) -> None:
        """Count a pair of contradicting messages, by the validator's country (or address) and their kind."""
        self._equivocations.labels(validator, code.name.lower()).inc()

    def rejected(self, code: Code) -> None:
        """Count a message that broke a rule."""
        self._rejected_of[code].inc()

    def render(self) -> bytes:
        """Return what ``GET /metrics`` answers."""
        return generate_latest(self._registry)


class _FiguresCollector(Collector):
    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures()
        status = figures.validator
        info = GaugeMetricFamily("cocket_info", "Version and chain.", labels=("version", "chain_id"))
        info.add_metric((figures.version, str(figures.chain_id)), 1)
        yield info
        for name, text, value in (
            ("height", "Height of the last final block.", figures.height),
            ("head_timestamp_seconds", "Timestamp of the last final block, since 1970.", figures.head_timestamp_s),
            ("highest", "Greatest height of the network that this node knows of.", figures.highest),
            ("peers", "Connected peers.", figures.peers),
            ("pool_bytes", "Bytes of the transactions that wait.", figures.pool_bytes),
        ):
            yield GaugeMetricFamily(f"cocket_{name}", text, value)
        pool = GaugeMetricFamily("cocket_pool_transactions", "Transactions that wait.", labels=("state",))
        pool.add_metric(("pending",), figures.pool_pending)
        pool.add_metric(("queued",), figures.pool_queued)
        yield pool
        yield CounterMetricFamily(
            "cocket_consensus_messages_duplicate", "Consensus messages that had come before.", figures.duplicates
        )
        yield from _network_families(figures)
        expires = GaugeMetricFamily(
            "cocket_expires_timestamp_seconds",
            "When mandates and seal certificates of participants end, since 1970: those within six weeks.",
            labels=("what", "participant", "authority"),
        )
        for each in figures.expiring:
            expires.add_metric((each.what, str(each.participant), str(each.authority)), each.expires_s)
        yield expires
        if status is None:
            return
        for name, text, value in (
            ("round", "Round of the height being decided.", status.round),
            ("validators", "Validators of that height.", status.validators),
            ("validator_peers", "Of them connected to this node.", status.peers),
            ("is_validator", "1 when this node is one of them.", int(status.is_validator)),
            ("is_watching", "1 while this node signs nothing because its journal is missing.", int(status.is_watching)),
        ):
            yield GaugeMetricFamily(f"cocket_{name}", text, value)


def _network_families(figures: Figures) -> Iterator[Metric]:
    events = CounterMetricFamily(
        "cocket_network_events", "Sessions opened, closed, refused, turned away.", labels=("event",)
    )
    for event, count in figures.network_events.items():
        events.add_metric((event.replace(" ", "_"),), count)
    yield events
    loop = CounterMetricFamily(
        "cocket_peer_loop_seconds", "What a session's messages took of the event loop's time.", labels=("peer",)
    )
    waits = CounterMetricFamily(
        "cocket_peer_waits", "How often a peer was made to wait because that was over its share.", labels=("peer",)
    )
    for load in figures.peer_loads:
        loop.add_metric((load.peer,), load.loop_s)
        waits.add_metric((load.peer,), load.waits)
    yield loop
    yield waits
