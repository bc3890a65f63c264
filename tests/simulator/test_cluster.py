"""Whole clusters in virtual time: what must hold between validators, and how soon they go on after trouble."""

from random import Random

import pytest
from simulator.cluster import Cluster
from simulator.links import Weather
from simulator.machines import JOURNAL, Times

from cocket.node.chain.header import block_hash, round_of
from cocket.node.consensus.messages import Shape
from cocket.node.consensus.validators import quorum

BASE_MS = Times().request_timeout_ms


def running(seed: int = 1, count: int = 4, height: int = 2, **options: object) -> Cluster:
    cluster = Cluster(seed, count, **options)  # type: ignore[arg-type]
    cluster.start_all()
    assert cluster.run(lambda: cluster.lowest >= height, 60_000)
    return cluster


def lowest_of(cluster: Cluster, *indices: int) -> int:
    return min(cluster.machines[index].chain.head.number for index in indices)


def goes_on(cluster: Cluster, *indices: int, within_ms: int, heights: int = 1) -> bool:
    indices = indices or tuple(range(len(cluster.machines)))
    target = cluster.safety.heights + heights
    return cluster.run(lambda: lowest_of(cluster, *indices) >= target, within_ms)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_a_calm_network_makes_a_block_a_period_in_round_0(count: int) -> None:
    cluster = running(count=count, height=10)
    assert cluster.now_ms < 11_000
    assert cluster.signatures.round_max == 0
    headers = [machine.chain.block_at(10).header for machine in cluster.machines]  # type: ignore[union-attr]
    assert len({block_hash(header) for header in headers}) == 1


def test_the_legacy_shape_works_as_well() -> None:
    assert running(height=5, shape=Shape.LEGACY).signatures.round_max == 0


def test_each_validator_proposes_in_turn() -> None:
    cluster = running(height=8)
    blocks = [cluster.machines[0].chain.block_at(number) for number in range(1, 9)]
    proposers = [cluster.addresses.index(block.header.coinbase) for block in blocks if block is not None]
    assert proposers == [0, 1, 2, 3, 0, 1, 2, 3]


def test_a_dead_validator_costs_rounds_and_no_heights() -> None:
    cluster = running()
    cluster.machines[3].crash()
    assert goes_on(cluster, 0, 1, 2, within_ms=40_000, heights=8)
    assert cluster.signatures.round_max >= 1
    cluster.start(cluster.machines[3])
    assert goes_on(cluster, within_ms=5_000)
    rounds = [round_of(cluster.machines[0].chain.block_at(number).header) for number in range(3, 10)]  # type: ignore[union-attr]
    assert max(rounds) == 1


def test_two_of_four_dead_is_no_quorum_and_nobody_lies_about_it() -> None:
    cluster = running()
    height = cluster.safety.heights
    for index in (2, 3):
        cluster.machines[index].crash()
    cluster.run_for(600_000)
    assert cluster.safety.heights <= height + 1


@pytest.mark.parametrize("seed", range(3))
def test_all_four_killed_between_commit_sent_and_block_stored(seed: int) -> None:
    cluster = running(seed)
    height = cluster.safety.heights + 2
    for machine in cluster.machines:
        machine.kill_before_storing = height
    assert cluster.run(lambda: not any(machine.is_up for machine in cluster.machines), 60_000)
    assert cluster.safety.heights == height - 1, "nobody stored it"
    sealed = [machine.killed_with for machine in cluster.machines]
    names = {block_hash(block.header) for block in sealed if block is not None}
    assert len(names) == 1
    assert None not in sealed, "each had a quorum of commits in hand"
    cluster.start_all()
    assert cluster.run(lambda: cluster.lowest >= height, 10_000)
    assert {cluster.safety.final_at(height)} == names
    assert goes_on(cluster, within_ms=10_000)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2)])
def test_the_same_when_they_come_back_one_after_the_other(order: tuple[int, ...]) -> None:
    cluster = running(7)
    height = cluster.safety.heights + 2
    for machine in cluster.machines:
        machine.kill_before_storing = height
    assert cluster.run(lambda: not any(machine.is_up for machine in cluster.machines), 60_000)
    block = cluster.machines[0].killed_with
    assert block is not None
    for index in order:
        cluster.start(cluster.machines[index])
        cluster.run_for(9_000)
    assert cluster.lowest >= height
    assert cluster.safety.final_at(height) == block_hash(block.header)


@pytest.mark.parametrize("fuse", range(1, 40, 3))
def test_a_machine_killed_at_any_touch_of_the_world_comes_back(fuse: int) -> None:
    cluster = running()
    for machine in cluster.machines:
        machine.fuse.left = fuse
        cluster.run(lambda machine=machine: not machine.is_up, 5_000)  # type: ignore[misc]
        cluster.start(machine)
        assert not machine.validator.status().is_watching
    assert goes_on(cluster, within_ms=60_000, heights=2)


def test_an_even_cut_stops_the_chain_and_its_end_starts_it() -> None:
    cluster = running()
    cluster.cut([0, 1])
    cluster.run_for(3_600_000)
    assert cluster.signatures.round_max <= 3, "waiting writes nothing"
    cluster.heal()
    assert goes_on(cluster, within_ms=2 * BASE_MS)


def test_so_does_a_cut_that_no_session_noticed() -> None:
    cluster = running()
    for one in (0, 1):
        for other in (2, 3):
            cluster.links.block(f"m{one}", f"m{other}")
            cluster.links.block(f"m{other}", f"m{one}")
    cluster.run_for(3_600_000)
    cluster.links.clear()
    assert goes_on(cluster, within_ms=2 * BASE_MS)


def test_one_who_is_cut_off_catches_up() -> None:
    cluster = running()
    cluster.cut([2])
    assert goes_on(cluster, 0, 1, 3, within_ms=200_000, heights=30)
    cluster.heal()
    assert goes_on(cluster, within_ms=10_000)


@pytest.mark.parametrize("seed", range(12))
def test_a_quorum_lost_for_an_hour_goes_on_within_seconds(seed: int) -> None:
    random = Random(f"hour {seed}")
    count = random.choice((4, 5, 6, 7, 10))
    cluster = running(seed, count)
    needed = quorum(count)
    for _ in range(random.randint(2, 6)):  # never a quorum at once; some come, some go, with what they signed
        for machine in cluster.machines:
            machine.crash()
        for machine in random.sample(cluster.machines, random.randint(0, needed - 1)):
            cluster.start(machine)
        cluster.run_for(random.randint(1_000, 1_200_000))
    down = [machine for machine in cluster.machines if not machine.is_up]
    random.shuffle(down)
    for machine in down[: needed - (count - len(down))]:
        cluster.start(machine)
    alive = [index for index, machine in enumerate(cluster.machines) if machine.is_up]
    assert len(alive) == needed
    # The dead ones' turns pass too: some rounds at most, each twice the last.
    assert goes_on(cluster, *alive, within_ms=15 * BASE_MS)


def test_bad_weather_for_long_is_no_stall() -> None:
    cluster = running(3)
    cluster.links.weather = Weather(loss=0.15, duplicate=0.1, overtake=0.2, delay_ms_max=300)
    assert goes_on(cluster, within_ms=600_000, heights=15)


def test_slow_execution_is_given_the_time_it_needs() -> None:
    cluster = running(4)
    cluster.times = Times(execution_ms_min=5_000, execution_ms_max=7_000)
    assert goes_on(cluster, within_ms=300_000, heights=2)


def test_clocks_that_differ_by_a_second_or_so_do_no_harm() -> None:
    cluster = running(5, height=20, skew_ms=900)
    assert cluster.signatures.round_max <= 1


def test_a_proposer_whose_blocks_are_false_is_passed_over() -> None:
    cluster = running()
    cluster.machines[1].is_builder_bad = True
    assert goes_on(cluster, within_ms=100_000, heights=8)
    coinbases = {cluster.machines[0].chain.block_at(number).header.coinbase for number in range(4, 11)}  # type: ignore[union-attr]
    assert cluster.addresses[1] not in coinbases


@pytest.mark.parametrize("seed", range(3))
def test_a_validator_that_runs_twice_under_one_key_cannot_split_the_others(seed: int) -> None:
    cluster = Cluster(seed, twins=(1,))
    cluster.start_all()
    honest = (0, 2, 3)
    assert cluster.run(lambda: lowest_of(cluster, *honest) >= 6, 120_000)
    names = [machine.name for machine in cluster.machines]
    assert names == ["m0", "m1", "m2", "m3", "m1'"]
    # Each twin hears one half only: the classical attack.
    for twin, deaf_to in (("m1", ("m2", "m3")), ("m1'", ("m0",))):
        for name in deaf_to:
            cluster.links.block(twin, name)
            cluster.links.block(name, twin)
    assert goes_on(cluster, *honest, within_ms=200_000, heights=6)


def test_a_lost_journal_makes_a_watcher_until_a_new_height_is_final() -> None:
    cluster = running()
    machine = cluster.machines[2]
    machine.crash()
    machine.disk.remove(JOURNAL)
    cluster.start(machine)
    assert machine.validator.status().is_watching
    assert goes_on(cluster, within_ms=120_000, heights=2)
    assert cluster.run(lambda: not machine.validator.status().is_watching, 60_000)
    votes = len(machine.validator.state.signed)
    assert cluster.run(lambda: len(machine.validator.state.signed) > votes, 60_000)


def test_the_validator_set_may_change_from_height_to_height() -> None:
    def validators_at(height: int) -> tuple[bytes, ...]:
        addresses = Cluster(0, 5).addresses
        return addresses[:4] if height <= 4 else addresses if height <= 8 else addresses[1:]

    cluster = Cluster(1, 5, validators_at=validators_at)
    cluster.start_all()
    assert cluster.run(lambda: cluster.lowest >= 12, 60_000)
    assert not cluster.machines[0].validator.status().is_validator
    assert cluster.machines[4].validator.status().is_validator
    assert [cluster.machines[4].validator.status().validators] == [4]


def test_a_network_stops_with_a_joiner_that_is_down_only_when_it_is_needed() -> None:
    cluster = Cluster(2, 5)
    for machine in cluster.machines[:4]:
        cluster.start(machine)
    assert cluster.run(lambda: lowest_of(cluster, 0, 1, 2, 3) >= 6, 60_000)
    cluster.start(cluster.machines[4])
    assert goes_on(cluster, within_ms=10_000)


def test_two_syncs_a_height_besides_the_block() -> None:
    cluster = running()
    before = [machine.disk.sync_count for machine in cluster.machines]
    assert goes_on(cluster, within_ms=60_000, heights=10)
    heights = 11
    for machine, count in zip(cluster.machines, before, strict=True):
        assert machine.disk.sync_count - count <= 2 * heights
