"""Hostile peers of many kinds at once against four real nodes, one of which stands still for a while meanwhile.

Attackers end when they have been shed, or have sent their fill, so nothing here depends on how fast the machine is; how
fast blocks come under each attack is measured by ``scripts/simulate --siege``.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from hostile.attacker import Plan
from hostile.attacks import ATTACKS
from hostile.siege import COUNTRIES, Assault, Attacked, Besieged, Span, honest_sessions_lost, idle, plan_of, story_of

SHED_AS = {
    "stranger": "closed",
    "slow-handshake": "closed",
    "handshake-garbage": "closed",
    "wrong-network": "subprotocol error",
    "oversize": "breach of protocol",
    "snappy-bomb": "breach of protocol",
    "rlp-bomb": "breach of protocol",
    "unasked-answers": "breach of protocol",
    "endless-headers": "breach of protocol",
    "churn": "useless peer",
}
FLOODS = {"request-flood": 100, "block-flood": 50, "announcement-flood": 50, "votes-of-later-rounds": 200}
SECONDS_MAX = 60.0
FROZEN_S = 6.0  # an honest node that stands still so long is slow, not gone


@pytest.fixture
def besieged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    with closing(Besieged(tmp_path_factory.mktemp("siege"), *COUNTRIES)) as network:
        network.start()
        network.wait_height(1)
        yield network


def attacking(network: Besieged, kind: str, **goal: object) -> Plan:
    """Return a plan of a few connections, in which each way that there is of a kind is tried on each node."""
    keys = network.keys_of(kind)[: ATTACKS[kind].variants]
    return plan_of(network, kind, SECONDS_MAX, keys, crowd=1, **goal)


def test_attack_that_never_reached_a_node_is_told_of() -> None:
    """Or a siege in which nobody attacked would count as withstood."""
    tallies = {"churn": {"connections": 3}, "ping-flood": {"connections": 0}, "deaf": {"sheds": {"killed": 1}}}
    attack = Attacked("everything", Span(0, 1, ("churn", "ping-flood", "deaf", "oversize")), tallies, 0, 0, 0, 0)
    assert idle([attack]) == ["everything: ping-flood", "everything: deaf", "everything: oversize"]


def test_hostile_peers_are_shed_and_blocks_go_on(besieged: Besieged) -> None:
    """Each attacker is shed with the right word, no honest node is, and all four go on together."""
    plans = [attacking(besieged, kind, goal_shed=shed) for kind, shed in SHED_AS.items()]
    plans += [attacking(besieged, kind, goal_messages=count) for kind, count in FLOODS.items()]
    since_s, frozen = time.time(), besieged["NL"].pid
    assert frozen is not None
    with closing(Assault([plans])) as assault:
        os.kill(frozen, signal.SIGSTOP)
        try:
            time.sleep(FROZEN_S)
        finally:
            os.kill(frozen, signal.SIGCONT)
        tallies = assault.end()
    with closing(Assault([[attacking(besieged, "votes-of-garbage", goal_shed="breach of protocol")]])) as assault:
        tallies |= assault.end()
    for kind, shed in (SHED_AS | {"votes-of-garbage": "breach of protocol"}).items():
        expected = len(COUNTRIES) * ATTACKS[kind].variants
        assert tallies[kind]["sheds"].get(shed, 0) >= expected, (kind, tallies[kind])  # type: ignore[attr-defined]
    for kind, count in FLOODS.items():
        assert tallies[kind]["messages"] >= count * len(COUNTRIES), (kind, tallies[kind])  # type: ignore[operator]
    besieged.wait_blocks(2)
    assert len(besieged.block_hashes(min(besieged.heights()))) == 1
    whole = Span(since_s, time.time(), (*SHED_AS, *FLOODS))
    assert honest_sessions_lost([story_of(node) for node in besieged.nodes.values()], whole) == []
    for node in besieged.nodes.values():
        assert "unexpected" not in node.log.read_text(errors="replace")
