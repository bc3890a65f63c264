"""A week without a quorum: nothing grows, nobody is restarted, and the chain goes on when the others are back.

Besu ends a height at round 1,000 (``MAX_ALLOWED_ROUND``); here no round is the last, and instead nobody gets far: who
is cut off waits in its round (``rounds``), and who comes back meets the others at once.
"""

import pickle

import pytest
from simulator.cluster import Cluster
from simulator.machines import JOURNAL, Times

HOUR_MS = 3_600_000
TIMES = Times(request_timeout_ms=180_000, request_timeout_max_ms=600_000)
"""A long base, so that a week is tens of thousands of steps and not millions; what one does does not depend on it."""


def sizes(cluster: Cluster) -> list[tuple[int, int, int, int]]:
    """What a machine holds: bytes of its journal and of its state, messages remembered, and syncs so far."""
    return [
        (
            len(machine.disk.content(JOURNAL)),
            len(pickle.dumps(machine.validator.state)),
            len(machine.validator._seen),
            machine.disk.sync_count,
        )
        for machine in cluster.machines
    ]


@pytest.mark.parametrize("is_noticed", [True, False], ids=["sessions break", "no session breaks"])
def test_a_week_without_a_quorum_leaves_nothing_behind(is_noticed: bool) -> None:
    cluster = Cluster(1, times=TIMES)
    cluster.start_all()
    assert cluster.run(lambda: cluster.lowest >= 2, HOUR_MS)
    if is_noticed:
        cluster.cut([0, 1])
    else:
        for one, other in ((0, 2), (0, 3), (1, 2), (1, 3)):
            cluster.links.block(f"m{one}", f"m{other}")
            cluster.links.block(f"m{other}", f"m{one}")
    cluster.run_for(HOUR_MS)
    after_an_hour, pending, steps = sizes(cluster), len(cluster._queue), cluster.steps
    heights = [machine.chain.head.number for machine in cluster.machines]
    cluster.run_for(7 * 24 * HOUR_MS)
    assert sizes(cluster) == after_an_hour
    assert len(cluster._queue) <= pending + 2
    assert cluster.steps > steps + 10_000, "they did speak all the time"
    assert [machine.chain.head.number for machine in cluster.machines] == heights
    assert cluster.signatures.round_max == 1
    if is_noticed:
        cluster.heal()
    else:
        cluster.links.clear()
    target = cluster.safety.heights + 3
    assert cluster.run(lambda: cluster.lowest >= target, 3 * TIMES.request_timeout_ms)
    assert [machine.life for machine in cluster.machines] == [1] * 4
