"""Transitions in a running cluster with the node's own ledger: every machine changes its rules at the same height."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from ledger.chains import BOARD, User, set_slot
from simulator.cluster import Cluster, addresses
from simulator.ledger_chain import LedgerChain, trial_genesis
from simulator.links import Weather
from simulator.machines import Times

from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import Header, block_hash
from cocket.node.chain.rules import Transition
from cocket.node.consensus import state

PERIODS = {1: 1, 4: 3, 9: 1}
LISTED = {1: 4, 6: 0, 12: 4}
COUNTS = {1: 4, 6: 3, 12: 4}
"""From each height on: the block period, the validators in headers (none where the board decides), the validators."""


def at(table: dict[int, int], height: int) -> int:
    return table[max(start for start in table if start <= height)]


def cluster_of(seed: int) -> Cluster:
    genesis = trial_genesis(4, [User("one")], None)
    rules = genesis.spec.rules_at(0)
    slower = replace(rules, block_period_s=3, request_timeout_s=5)
    by_contract = replace(slower, validator_contract=BOARD)
    quicker = replace(by_contract, block_period_s=1, request_timeout_s=1)
    transitions = (
        Transition(4, slower),
        Transition(6, by_contract),
        Transition(9, quicker),
        Transition(12, replace(quicker, validator_contract=None), addresses(4)),
    )
    genesis = replace(genesis, spec=replace(genesis.spec, transitions=transitions))
    later = [(each.block, each.rules.block_period_s, each.rules.request_timeout_s * 1000) for each in transitions]
    cluster = Cluster(
        seed,
        times=Times(later=tuple([(block, state.Times(*times)) for block, *times in later])),
        chain_for=lambda _: LedgerChain(genesis),
        validators_at=lambda height: addresses(at(COUNTS, height)),
    )
    cluster.start_all()
    # The board is asked from 6 on; before, it is told to list three.
    raw = User("one").sign(BOARD, set_slot(0, 3))
    for machine in cluster.machines:
        assert isinstance(machine.chain, LedgerChain)
        machine.chain.pool.add(raw)
    return cluster


MODES = {1: 0, 5: 3, 10: 0}
"""A contract, then headers that begin with three validators, then the contract again."""


def cluster_by_contract(seed: int) -> Cluster:
    """Return a cluster whose board names four, gives way to headers with three, and names the last two in the end.

    The board is told so while nobody asks it.
    """
    genesis = trial_genesis(4, [User("one")], BOARD)
    rules = genesis.spec.rules_at(0)
    transitions = (
        Transition(5, replace(rules, validator_contract=None), addresses(3)),
        Transition(10, rules),
    )
    genesis = replace(genesis, spec=replace(genesis.spec, transitions=transitions))
    sets = {1: addresses(4), 5: addresses(3), 10: addresses(2)}
    cluster = Cluster(
        seed,
        chain_for=lambda _: LedgerChain(genesis),
        validators_at=lambda height: sets[max(start for start in sets if start <= height)],
    )
    cluster.start_all()
    return cluster


def tell_the_board(cluster: Cluster, count: int) -> None:
    raw = User("one").sign(BOARD, set_slot(0, count))
    for machine in cluster.machines:
        assert isinstance(machine.chain, LedgerChain)
        machine.chain.pool.add(raw)


def test_from_a_contract_to_headers_and_back_to_the_contract() -> None:
    cluster = cluster_by_contract(1)
    assert cluster.run(lambda: cluster.lowest >= 6, 60_000)
    tell_the_board(cluster, 2)
    assert cluster.run(lambda: cluster.lowest >= 14, 60_000)
    headers = headers_of(cluster, 3)
    listed = [len(decode_extra_data(header.extra_data).validators) for header in headers]
    assert listed[1:] == [at(MODES, height) for height in range(1, len(headers))]
    chain = cluster.machines[3].chain
    named = [len(chain.validators_after(header)) for header in headers[:14]]
    assert named == [4] * 4 + [3] * 5 + [2] * 5, "what the board says counts from block 10 on, not before"
    assert {header.coinbase for header in headers[10:]} == set(addresses(2))
    assert cluster.signatures.round_max == 0


@pytest.mark.parametrize("seed", range(2))
def test_a_restart_at_each_height_keeps_the_mode(seed: int) -> None:
    cluster = cluster_by_contract(seed)
    for height in range(1, 13):
        if height == 6:
            tell_the_board(cluster, 2)
        assert cluster.run(lambda height=height: cluster.lowest >= height, 60_000)  # type: ignore[misc]
        machine = cluster.machines[(height + seed) % 4]
        machine.crash()
        cluster.start(machine)
    assert all(machine.life == 4 for machine in cluster.machines)
    chains = [headers_of(cluster, index) for index in range(4)]
    for height in range(1, 13):
        assert len({block_hash(headers[height]) for headers in chains}) == 1
        assert len(decode_extra_data(chains[0][height].extra_data).validators) == at(MODES, height)


def headers_of(cluster: Cluster, index: int) -> list[Header]:
    chain = cluster.machines[index].chain
    assert isinstance(chain, LedgerChain)
    found = [chain.ledger.header_by_number(number) for number in range(cluster.lowest + 1)]
    return [header for header in found if header is not None]


def test_each_height_keeps_its_own_period_mode_and_set() -> None:
    cluster = cluster_of(1)
    assert cluster.run(lambda: cluster.lowest >= 16, 60_000)
    headers = headers_of(cluster, 0)
    gaps = [after.timestamp - before.timestamp for before, after in pairwise(headers)]
    assert gaps[1:16] == [at(PERIODS, height) for height in range(2, 17)], "nobody waits longer, nobody is too early"
    listed = [len(decode_extra_data(header.extra_data).validators) for header in headers]
    assert listed[1:] == [at(LISTED, height) for height in range(1, len(headers))]
    assert cluster.signatures.round_max == 0


@pytest.mark.parametrize("seed", range(4))
def test_under_faults_around_every_change(seed: int) -> None:
    random = Random(f"changing rules {seed}")
    cluster = cluster_of(seed)
    for height in range(1, 17):
        cluster.links.weather = Weather(loss=random.choice((0.0, 0.1)), delay_ms_max=random.choice((5, 300)))
        machine = random.choice(cluster.machines)
        if machine.is_up:
            machine.fuse.left = random.randint(1, 40)
        cluster.run(lambda height=height: cluster.safety.heights >= height, 20_000)  # type: ignore[misc]
        cluster.later(random.randint(100, 3_000), cluster.start, machine)
    cluster.links.clear()
    for machine in cluster.machines:
        machine.fuse.left = None
        cluster.start(machine)
    end = max(16, cluster.safety.heights + 1)
    assert cluster.run(lambda: cluster.lowest >= end, 120_000)
    assert sum(machine.life for machine in cluster.machines) > 8, "machines did die on the way"
    chains = [headers_of(cluster, index) for index in range(4)]
    for height in range(1, end + 1):
        assert len({block_hash(headers[height]) for headers in chains}) == 1
        extra = decode_extra_data(chains[0][height].extra_data)
        assert len(extra.validators) == at(LISTED, height)
        assert chains[0][height].timestamp >= chains[0][height - 1].timestamp + at(PERIODS, height)
