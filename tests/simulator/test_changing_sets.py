"""The set of validators grows and shrinks by votes in the real Consortium while blocks are made: 4 -> 7 -> 4."""

from collections.abc import Sequence
from random import Random

import pytest
from simulator.consortium_trial import COUNTRIES, FOUNDERS, NEWCOMERS, ConsortiumTrial
from simulator.keys import KEYS
from simulator.ledger_chain import LedgerChain
from simulator.links import Weather
from simulator.oracle import leader_of, quorum_of
from simulator.players import Player, sealed

from cocket.node.chain.block import Block
from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import block_hash, commit_hash, round_of
from cocket.node.consensus.drafts import CommitDraft, Draft, PrepareDraft, RoundChangeDraft
from cocket.node.consensus.seals import recover_seal
from cocket.node.consensus.state import State
from cocket.node.errors import InvalidBlock

QUORUMS = {4: 3, 5: 4, 6: 4, 7: 5}
LEAVERS = (3, 2, 1)
"""Two newcomers and a founder, in the order in which they are voted out."""
STAYING = (0, 4, 5, 6)


def grow(trial: ConsortiumTrial) -> None:
    """Admit the three newcomers one by one, and let each take its seat and a turn as the proposer."""
    for newcomer in NEWCOMERS:
        trial.admit(newcomer)
        change = trial.activate(newcomer)
        everyone = set(trial.validators_at(change))
        assert set(trial.validators_at(change + 1)) == everyone | {trial.seats[newcomer]}
        assert trial.seats[newcomer] not in everyone
        trial.run_to(change + 1 + len(everyone))


def shrink(trial: ConsortiumTrial, leaver: int) -> int:
    """Vote a member out; return the height that says so."""
    return trial.finish(trial.prepare_withdrawal(leaver))


def run_to_turn_of(trial: ConsortiumTrial, index: int) -> int:
    """Run until all are about to begin a height that it is this one's turn to propose; return the head's."""
    trial.run_to(trial.height)
    while leader_of(trial.validators_at(trial.height + 1), trial.header(trial.height), 0) != trial.seats[index]:
        trial.run_to(trial.height + 1)
    return trial.height


def assert_agreed(trial: ConsortiumTrial) -> None:
    """Everybody has the same blocks, states and sets, and each block was made and sealed by its own height's set."""
    for height in range(1, trial.height + 1):
        header, validators = trial.header(height), trial.validators_at(height)
        chains = [trial.chain(index) for index in range(len(COUNTRIES)) if trial.chain(index).head.number >= height]
        found = [chain.ledger.header_by_number(height) for chain in chains]
        assert {block_hash(each) for each in found if each is not None} == {block_hash(header)}
        assert header.coinbase in validators
        digest = commit_hash(header)
        for each in found:
            assert each is not None
            sealers = [recover_seal(digest, seal) for seal in decode_extra_data(each.extra_data).seals]
            assert len(set(sealers)) == len(sealers) >= QUORUMS[len(validators)]
            assert set(sealers) <= set(validators)
        for chain in chains:
            assert chain.validators_after(header) == trial.validators_at(height + 1)


def sizes(trial: ConsortiumTrial) -> list[int]:
    """Return how many validators there were, each number once in a row."""
    counts = [len(trial.validators_at(height)) for height in range(1, trial.height + 2)]
    return [count for index, count in enumerate(counts) if index == 0 or counts[index - 1] != count]


def tell_the_story(seed: int) -> ConsortiumTrial:
    """Grow to seven, then lose three in the three ways that are hardest for who proposes."""
    trial = ConsortiumTrial(seed)
    grow(trial)
    assert trial.cluster.signatures.round_max == 0, "nobody had to wait for a newcomer"
    decide_in_the_leavers_own_block(trial, LEAVERS[0])
    decide_just_before_the_leavers_turn(trial, LEAVERS[1])
    decide_instead_of_the_leavers_block(trial, LEAVERS[2])
    assert sorted(trial.members) == list(STAYING)
    trial.run_to(trial.height + 8)
    return trial


def decide_in_the_leavers_own_block(trial: ConsortiumTrial, leaver: int) -> None:
    """The leaver proposes the decision itself; its block is prepared in round 0 and decided in round 1, by another."""
    vote = trial.prepare_withdrawal(leaver)
    head = run_to_turn_of(trial, leaver)
    trial.offer(vote, [leaver])
    names = [machine.name for machine in trial.cluster.machines]
    trial.cluster.deaf.update({(name, "COMMIT"): None for name in names})
    states = [machine.validator for machine in trial.cluster.machines]
    assert trial.cluster.run(lambda: all(each.state.round == 1 for each in states), 20_000)
    assert all(each.state.prepared is not None for each in states)
    trial.cluster.deaf.clear()
    trial.run_to(head + 1)
    decided = trial.header(head + 1)
    assert trial.block_of(vote) == head + 1
    assert (decided.coinbase, round_of(decided)) == (trial.seats[leaver], 1)
    assert leader_of(trial.validators_at(head + 1), trial.header(head), 1) != trial.seats[leaver]
    expect_gone(trial, leaver, head + 1)


def decide_just_before_the_leavers_turn(trial: ConsortiumTrial, leaver: int) -> None:
    """The next height would have been the leaver's to propose; it is its successor's, in round 0."""
    vote = trial.prepare_withdrawal(leaver)
    before = trial.validators_at(trial.height + 1)
    place = before.index(trial.seats[leaver])
    predecessor = trial.seats.index(before[place - 1])
    head = run_to_turn_of(trial, predecessor)
    trial.offer(vote, [predecessor])
    trial.run_to(head + 2)
    assert trial.block_of(vote) == head + 1
    assert leader_of(before, trial.header(head + 1), 0) == trial.seats[leaver]
    following = trial.header(head + 2)
    assert (following.coinbase, round_of(following)) == (before[(place + 1) % len(before)], 0)
    expect_gone(trial, leaver, head + 1)


def decide_instead_of_the_leavers_block(trial: ConsortiumTrial, leaver: int) -> None:
    """Cut off, the leaver proposes a height in vain; round 1 votes it out, and it hears of it three blocks later."""
    vote = trial.prepare_withdrawal(leaver)
    head = run_to_turn_of(trial, leaver)
    trial.cluster.cut([leaver])
    trial.offer(vote, [index for index in range(len(COUNTRIES)) if index != leaver])
    others = [machine for machine in trial.cluster.machines if machine is not trial.machine(leaver)]
    assert trial.cluster.run(lambda: min(machine.chain.head.number for machine in others) >= head + 4, 60_000)
    alone = trial.machine(leaver).validator.state
    assert alone.height == head + 1
    assert alone.own, "it signed for the height that was decided without it"
    decided = trial.header(head + 1)
    assert trial.block_of(vote) == head + 1
    assert round_of(decided) == 1
    expect_gone(trial, leaver, head + 1)
    trial.cluster.heal()
    trial.run_to(trial.height + 1)


def expect_gone(trial: ConsortiumTrial, leaver: int, change: int) -> None:
    before, after = trial.validators_at(change), trial.validators_at(change + 1)
    assert (trial.seats[leaver] in before, set(before) - set(after)) == (True, {trial.seats[leaver]})


@pytest.fixture(scope="module")
def told() -> ConsortiumTrial:
    """Give a story that has been told; to look at only."""
    return tell_the_story(1)


def test_from_four_to_seven_and_back_to_four(told: ConsortiumTrial) -> None:
    assert sizes(told) == [4, 5, 6, 7, 6, 5, 4]
    assert_agreed(told)
    assert told.heights_up() == [told.height] * len(COUNTRIES), "whoever left still follows"
    proposers = [told.seats.index(told.header(height).coinbase) for height in range(1, told.height + 1)]
    assert set(proposers[-8:]) == set(STAYING)
    assert set(proposers) == set(range(len(COUNTRIES)))
    rounds = [round_of(told.header(height)) for height in range(1, told.height + 1)]
    assert sum(rounds) == 2, "only where the proposer's turn was spoilt on purpose"
    for index, machine in enumerate(told.cluster.machines):
        status = machine.validator.status()
        assert (status.is_validator, status.validators) == (index in STAYING, 4)
        assert machine.life == 1
    assert told.cluster.evidence == 0


def test_the_same_seed_tells_the_same_story(told: ConsortiumTrial) -> None:
    assert tell_the_story(1).cluster.history.hex() == told.cluster.history.hex()


def test_seals_count_against_the_set_of_the_parents_state(told: ConsortiumTrial) -> None:
    chain = LedgerChain(told.genesis)
    changes = 0
    for height in range(1, told.height + 1):
        block = told.longest.block_at(height)
        assert block is not None
        before, here, after = [told.validators_at(number) for number in (max(1, height - 1), height, height + 1)]
        for gone in sorted({*before, *after} - {*here}):
            # Who left by the block before, or takes its seat by this very one: also one seal too many is refused.
            refuse(chain, resealed(told, block, [*here, gone]), "found the signer|seals, expected")
            refuse(chain, resealed(told, block, [gone, *here[1:]]), "found the signer")
            refuse(chain, resealed(told, block, [gone, *here[-quorum_of(len(here)) + 1 :]]), "found the signer")
            changes += 1
        if before != here:
            refuse(chain, resealed(told, block, here[: quorum_of(len(here)) - 1]), "seals, expected")
            # Of those who may, any quorum will do, whoever came last.
            block = resealed(told, block, here[-quorum_of(len(here)) :])
        chain.commit(block, None)
    assert changes == 6
    assert chain.head.state_root == told.header(told.height).state_root


def resealed(trial: ConsortiumTrial, block: Block, by: Sequence[bytes]) -> Block:
    return sealed(block, [Player(trial.seats.index(seat)) for seat in by])


def refuse(chain: LedgerChain, block: Block, why: str) -> None:
    with pytest.raises(InvalidBlock, match=why):
        chain.commit(block, None)


@pytest.mark.parametrize("seed", range(4))
def test_under_faults_every_decision_holds_everywhere(seed: int) -> None:
    random = Random(f"changing sets {seed}")
    trial = ConsortiumTrial(seed)
    cluster = trial.cluster
    deaths = 0

    def disturb() -> None:
        """Change the weather and, if all are up, let one validator lose its power soon; it is back in some seconds."""
        nonlocal deaths
        cluster.links.weather = Weather(
            loss=random.choice((0.0, 0.02, 0.1)),
            duplicate=random.choice((0.0, 0.1)),
            replay=random.choice((0.0, 0.1)),
            delay_ms_max=random.choice((5, 200)),
        )
        machine = trial.machine(random.choice(trial.members))
        if all(trial.machine(index).is_up for index in trial.members) and random.random() < 0.6:
            deaths += 1
            machine.fuse.left = random.randint(1, 40)
            cluster.later(random.randint(1_000, 6_000), cluster.start, machine)
        cluster.later(random.randint(3_000, 9_000), disturb)

    disturb()
    for newcomer in NEWCOMERS:
        trial.admit(newcomer)
        change = trial.activate(newcomer)
        trial.run_to(change + random.randint(1, 4))
    for leaver in LEAVERS:
        change = shrink(trial, leaver)
        trial.run_to(change + random.randint(1, 4))
    assert deaths > 2
    cluster.links.clear()
    for machine in cluster.machines:
        machine.fuse.left = None
        cluster.start(machine)
    trial.run_to(trial.height + 4)
    assert sizes(trial) == [4, 5, 6, 7, 6, 5, 4]
    assert_agreed(trial)


def test_who_was_voted_out_counts_no_more_whatever_it_says() -> None:
    trial = ConsortiumTrial(5)
    grow(trial)
    for leaver in LEAVERS:
        trial.run_to(shrink(trial, leaver) + 1)
    assert [trial.seats.index(seat) for seat in trial.validators_at(trial.height + 1)] == list(STAYING)
    cluster = trial.cluster
    for leaver in LEAVERS:
        cluster.distrust(trial.seats[leaver])
    away, left = [trial.machine(index) for index in STAYING[:2]], [trial.machine(index) for index in STAYING[2:]]
    height = run_to_turn_of(trial, STAYING[2])
    for machine in away:
        machine.crash()
    for machine in left:
        machine.rejections.clear()

    def haunt() -> None:
        """Say all that would help two of four validators to a quorum, from the leavers' own nodes and passed on."""
        for machine in [each for each in left if each.is_up]:
            for message in [
                Player(leaver).sign(draft) for leaver in LEAVERS for draft in wanted(machine.validator.state)
            ]:
                source = left[1] if machine is left[0] else left[0]
                sender = trial.machine(trial.seats.index(message.author))
                cluster.transmit(sender, machine.address, "istanbul", message.code, message.raw)
                cluster.transmit(source, machine.address, "istanbul", message.code, message.raw)
        cluster.later(150, haunt)

    haunt()
    assert cluster.run(lambda: all(machine.validator.state.accepted for machine in left), 2_000)
    cluster.run_for(40_000)
    assert trial.height == height, "two of four are no quorum"
    assert [machine.validator.state.prepared for machine in left] == [None, None]
    assert max(machine.validator.state.round for machine in left) <= 1, "nobody left of the set has gone further"
    for machine in left:
        assert {note.reason for note in machine.rejections} == {"its author is no validator"}
    cluster.start(away[0])
    trial.run_to(height + 5)
    assert_agreed(trial)


def wanted(state: State) -> list[Draft]:
    """Return what a validator waits for at a height, and two temptations to leave its round."""
    height, round_number = state.height, state.round
    drafts: list[Draft] = [RoundChangeDraft(height, round_number + 1), RoundChangeDraft(height, round_number + 9)]
    digest = state.accepted.digest if state.accepted else state.proposal.digest if state.proposal else None
    if digest is not None:
        drafts += [PrepareDraft(height, round_number, digest), CommitDraft(height, round_number, digest)]
    return drafts


def test_the_trial_is_of_who_it_says() -> None:
    assert {*FOUNDERS, *NEWCOMERS} == set(range(len(COUNTRIES)))
    assert {*LEAVERS, *STAYING} == set(range(len(COUNTRIES)))
    assert len(COUNTRIES) <= len(KEYS)
    assert {count: quorum_of(count) for count in QUORUMS} == QUORUMS
