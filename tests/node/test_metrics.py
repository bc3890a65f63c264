"""What Prometheus reads."""

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from cocket.node.consensus.messages import Code
from cocket.node.expiry import Expiring
from cocket.node.metrics import Figures, Metrics, PeerLoad
from cocket.node.validator_ports import Status

STATUS = Status(
    height=8,
    round=2,
    is_validator=True,
    is_watching=False,
    is_open=True,
    is_prepared=False,
    proposer=None,
    validators=4,
    peers=3,
)
FIGURES = Figures(
    height=7,
    head_timestamp_s=1_700_000_007,
    highest=9,
    peers=5,
    pool_pending=11,
    pool_queued=2,
    pool_bytes=4096,
    chain_id=20261,
    version="cocket/v1",
    validator=STATUS,
    duplicates=6,
    network_events={"session opened": 4, "inbound turned away": 300},
    peer_loads=(PeerLoad("KE", 0.25, 0), PeerLoad("0xab", 40.5, 17)),
    expiring=(Expiring("seal certificate", 7, 2, 1_700_900_000),),
)


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_the_figures_of_the_moment_are_read_when_asked() -> None:
    now = FIGURES
    metrics = Metrics(lambda: now)
    found = samples(metrics)
    assert found["cocket_height",] == 7
    assert found["cocket_highest",] == 9
    assert found["cocket_round",] == 2
    assert found["cocket_validator_peers",] == 3
    assert found["cocket_pool_transactions", "queued"] == 2
    assert found["cocket_consensus_messages_duplicate_total",] == 6
    assert found["cocket_info", "20261", "cocket/v1"] == 1
    assert found["cocket_network_events_total", "inbound_turned_away"] == 300
    assert found["cocket_peer_loop_seconds_total", "KE"] == 0.25
    assert found["cocket_peer_waits_total", "0xab"] == 17
    assert found["cocket_expires_timestamp_seconds", "2", "7", "seal certificate"] == 1_700_900_000
    now = replace(FIGURES, height=8)
    assert samples(metrics)["cocket_height",] == 8


def test_a_follower_has_no_round() -> None:
    assert ("cocket_round",) not in samples(Metrics(lambda: replace(FIGURES, validator=None)))


def test_what_passes_by_is_counted_by_kind_and_author() -> None:
    metrics = Metrics(lambda: FIGURES)
    assert samples(metrics)["cocket_consensus_messages_rejected_total", "commit"] == 0
    for _ in range(2):
        metrics.rejected(Code.COMMIT)
    metrics.equivocated("KE", Code.PREPARE)
    found = samples(metrics)
    assert found["cocket_consensus_messages_rejected_total", "commit"] == 2
    assert found["cocket_equivocations_total", "prepare", "KE"] == 1
