"""The cluster once more with the node's own ledger and EVM instead of the stub: blocks with effects, under faults."""

from contextlib import suppress
from random import Random

import pytest
from ledger.chains import BOARD, User, set_slot
from simulator.cluster import Cluster
from simulator.ledger_chain import LedgerChain, record, trial_genesis
from simulator.links import Weather

from cocket.node.chain.header import block_hash
from cocket.node.errors import InvalidTransaction, Refused


def cluster_of(seed: int, users: list[User], contract: bytes | None = BOARD, count: int = 4) -> Cluster:
    genesis = trial_genesis(count, users, contract)
    cluster = Cluster(seed, count, chain_for=lambda _: LedgerChain(genesis))
    cluster.start_all()
    return cluster


def chains_of(cluster: Cluster) -> list[LedgerChain]:
    return [machine.chain for machine in cluster.machines if isinstance(machine.chain, LedgerChain)]


def offer(cluster: Cluster, raw: bytes) -> None:
    """Put a transaction into the pool of every machine that is up, as gossip would; what is final is refused."""
    for machine in cluster.machines:
        if machine.is_up and isinstance(machine.chain, LedgerChain):
            with suppress(InvalidTransaction, Refused):
                machine.chain.pool.add(raw)


def agree(cluster: Cluster, height: int) -> None:
    """All have the same block and state at a height."""
    headers = [chain.ledger.header_by_number(height) for chain in chains_of(cluster)]
    assert len({block_hash(header) for header in headers if header is not None}) == 1
    assert len({header.state_root for header in headers if header is not None}) == 1
    assert None not in headers


@pytest.mark.parametrize("contract", [BOARD, None], ids=["contract", "header"])
def test_transactions_are_final_and_equal_everywhere(contract: bytes | None) -> None:
    users = [User("one"), User("two")]
    cluster = cluster_of(1, users, contract)
    for value in range(1, 6):
        offer(cluster, record(users[0], 1, value))
        offer(cluster, record(users[1], 2, 10 * value))
        height = cluster.safety.heights + 1
        assert cluster.run(lambda height=height: cluster.lowest >= height, 10_000)  # type: ignore[misc]
        agree(cluster, height)
    assert cluster.run(lambda: all(chain.recorded(2) == 50 for chain in chains_of(cluster)), 10_000)
    assert [chain.recorded(1) for chain in chains_of(cluster)] == [5] * 4
    assert cluster.signatures.round_max == 0


def test_all_four_killed_between_commit_sent_and_block_stored() -> None:
    users = [User("one")]
    cluster = cluster_of(2, users)
    assert cluster.run(lambda: cluster.lowest >= 2, 60_000)
    height = cluster.safety.heights + 2
    for machine in cluster.machines:
        machine.kill_before_storing = height
    assert cluster.run(lambda: cluster.lowest >= height - 1, 60_000)
    offer(cluster, record(users[0], 1, 77))
    assert cluster.run(lambda: not any(machine.is_up for machine in cluster.machines), 60_000)
    names = {block_hash(m.killed_with.header) for m in cluster.machines if m.killed_with is not None}
    assert len(names) == 1
    cluster.start_all()
    assert cluster.run(lambda: cluster.lowest >= height, 20_000)
    assert {cluster.safety.final_at(height)} == names
    # The block that was decided had the transaction in it; after the restart it came from the journal, not the pool.
    assert [chain.recorded(1) for chain in chains_of(cluster)] == [77] * 4
    agree(cluster, height)


def test_the_contract_changes_the_validators_and_the_next_height_has_them() -> None:
    users = [User("one")]
    cluster = cluster_of(3, users)
    assert cluster.run(lambda: cluster.lowest >= 2, 60_000)
    # The board's slot 0 says how many of its list are validators: from four to three.
    offer(cluster, users[0].sign(BOARD, set_slot(0, 3)))
    everyone, fewer = cluster.addresses, cluster.addresses[:3]
    assert cluster.run(lambda: chains_of(cluster)[0].validators_after(chains_of(cluster)[0].head) == fewer, 20_000)
    change = cluster.machines[0].chain.head.number
    cluster.safety._validators_at = lambda height: everyone if height <= change else fewer
    assert cluster.run(lambda: cluster.lowest >= change + 5, 60_000)
    assert cluster.machines[0].validator.status().validators == 3
    assert not cluster.machines[3].validator.status().is_validator
    agree(cluster, change + 5)


@pytest.mark.parametrize("seed", range(3))
def test_under_faults_every_transaction_is_final_once(seed: int) -> None:
    random = Random(f"real {seed}")
    users = [User("one")]
    cluster = cluster_of(seed, users)
    raws: list[bytes] = []
    for value in range(1, 13):
        raws.append(record(users[0], value, value))
        offer(cluster, raws[-1])
        cluster.links.weather = Weather(loss=random.choice((0.0, 0.1)), delay_ms_max=random.choice((5, 200)))
        machine = random.choice(cluster.machines)
        if machine.is_up and random.random() < 0.5:
            machine.fuse.left = random.randint(1, 40)
            cluster.later(random.randint(500, 4_000), cluster.start, machine)
        cluster.run_for(random.randint(200, 2_000))
    cluster.links.clear()
    for machine in cluster.machines:
        machine.fuse.left = None
        cluster.start(machine)
    assert cluster.run(lambda: cluster.lowest >= cluster.safety.heights, 120_000)
    assert any(chains_of(cluster)[0].recorded(value) for value in range(1, 12)), "some were final amid the faults"
    for raw in raws:
        offer(cluster, raw)
    assert cluster.run(lambda: all(chain.recorded(12) == 12 for chain in chains_of(cluster)), 120_000)
    for height in range(1, cluster.lowest + 1):
        agree(cluster, height)
    blocks = [chains_of(cluster)[0].block_at(height) for height in range(1, cluster.lowest + 1)]
    assert [raw for block in blocks if block is not None for raw in block.transactions] == raws
