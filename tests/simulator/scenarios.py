"""What happens to a cluster: one seed is one story of faults, then calm, in which it must go on by itself.

The seed draws how many validators there are and whether the set changes, who cheats and how, and one fault after the
other. Safety is asserted at each step by the checkers; liveness after the calm.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from simulator.adversaries import KINDS
from simulator.chains import ValidatorsAt
from simulator.cluster import Cluster
from simulator.keys import addresses
from simulator.links import Weather
from simulator.machines import JOURNAL, Machine, Times
from simulator.oracle import faults_of

HEIGHTS_MIN = 60
"""A story has at least so many heights."""
CHAOS_HEIGHTS = 50
CHAOS_LIMIT_MS = 420_000
"""Faults go on until so many heights are final, or so long: faults may leave no quorum for ever."""
NO_PROPOSALS_MS = 150_000
"""Long enough for a timeout that doubles without end to be past its ceiling of 30 s."""
FAULTS_MIN = 5
CALM_HEIGHTS = 8
CALM_LIMIT_MS = 180_000
"""Generous for a stall to be one: some round timeouts at their ceiling of 30 s."""
HEIGHT_LIMIT_MS = 60_000
"""The same for each further height: with an adversary, some turns cost a round or two."""
SIZES = (4, 4, 4, 4, 5, 6, 7, 7, 8, 10)
MESSAGE_KINDS = ("PROPOSAL", "PREPARE", "COMMIT", "ROUND_CHANGE", "block")
TWIN = "twin"
CHEATS = (
    *KINDS,
    TWIN,
    *("unjustified proposer", "certificate forger") * 3,  # these have some tens of tricks each
    *("ballot stuffer", "seal forger", "equivocator"),
)


@dataclass(frozen=True)
class Outcome:
    """How a seed's story ended. ``recovery_ms`` is virtual time from calm to the first new height everywhere."""

    seed: int
    validators: int
    heights: int
    steps: int
    virtual_ms: int
    round_max: int
    recovery_ms: int
    evidence: int
    faults: dict[str, int]
    adversaries: dict[str, int]
    violation: str | None
    is_stalled: bool
    history_hash: str


def play(seed: int) -> Outcome:
    """Tell one seed's story."""
    story = Story(seed)
    violation: str | None = None
    is_stalled = False
    try:
        is_stalled = not story.tell()
    except Exception as error:  # a checker's word, or a machine's crash: both must not be
        violation = f"{type(error).__name__}: {error}"
    cluster = story.cluster
    return Outcome(
        seed,
        len(cluster.addresses),
        cluster.safety.heights,
        cluster.steps,
        cluster.now_ms,
        cluster.signatures.round_max,
        story.recovery_ms,
        cluster.evidence,
        dict(sorted(story.faults.items())),
        dict(sorted(Counter(story.cheats.values()).items())),
        violation,
        is_stalled,
        cluster.history.hex(),
    )


class Story:
    """Faults drawn from the seed, one after the other, over a stretch of virtual time."""

    def __init__(self, seed: int) -> None:
        random = self.random = Random(f"story {seed}")
        count = random.choice(SIZES)
        self.faults: Counter[str] = Counter()
        self.wiped = ""
        self.recovery_ms = 0
        self.is_slow = random.random() < 0.2
        everyone = addresses(count)
        validators_at: ValidatorsAt | None = None
        size_min = count
        if count > 4 and random.random() < 0.5:
            size_min = 4
            validators_at = growing_and_shrinking(everyone, size_min, random)
        self.cheats = self._draw_cheats(count, faults_of(size_min))
        self.times = Times(request_timeout_ms=random.choice((1_000, 2_000)))
        self.cluster = Cluster(
            seed,
            count,
            times=self.times,
            twins=[index for index, kind in self.cheats.items() if kind == TWIN],
            adversaries={index: kind for index, kind in self.cheats.items() if kind != TWIN},
            validators_at=validators_at,
            skew_ms=random.choice((0, 0, 300, 900)),
        )
        if validators_at is not None:
            self.faults["validator set changes"] += 1
        self._faults: dict[str, tuple[int, Callable[[], bool]]] = {
            "loss, replay, delay, reordering": (3, self._weather),
            "messages that reach a few only": (2, self._deafness),
            "one-way partition": (1, self._one_way),
            "partition": (1, self._cut),
            "crash at a touch of the world": (3, self._fuse),
            "crash": (2, self._crash),
            "all crash at once": (1, self._blackout),
            "disk error": (1, self._disk_error),
            "disk full": (1, self._disk_full),
            "clock step": (1, self._clock_step),
            "journal lost": (1, self._wipe),
            "slow machines": (1, self._slowness),
            "slow transaction": (1, self._slow_transaction),
            "no proposals for minutes": (1, self._no_proposals),
        }

    def _draw_cheats(self, count: int, faults: int) -> dict[int, str]:
        if self.random.random() < 0.25:
            return {}
        indices = self.random.sample(range(count), self.random.randint(1, faults))
        return {index: self.random.choice(CHEATS) for index in sorted(indices)}

    @property
    def honest(self) -> list[Machine]:
        return [machine for machine in self.cluster.machines if self.cluster.is_honest(machine.address)]

    def tell(self) -> bool:
        """Play chaos, then calm; False when the cluster does not go on."""
        cluster = self.cluster
        cluster.start_all()
        while not self._is_chaos_over():
            self._fault()
            cluster.run_for(self.random.randint(20, 5_000))
        self._calm()
        start_ms, height = cluster.now_ms, cluster.safety.heights
        if not cluster.run(lambda: _lowest(self.honest) > height, CALM_LIMIT_MS):
            return False
        self.recovery_ms = cluster.now_ms - start_ms
        for wanted in range(height + 1, max(height + CALM_HEIGHTS, HEIGHTS_MIN) + 1):
            if not cluster.run(lambda wanted=wanted: _lowest(self.honest) >= wanted, HEIGHT_LIMIT_MS):  # type: ignore[misc]
                return False
        return True

    def _is_chaos_over(self) -> bool:
        if self.cluster.now_ms > CHAOS_LIMIT_MS:
            return True
        return self.cluster.safety.heights >= CHAOS_HEIGHTS and self.faults.total() >= FAULTS_MIN

    def _calm(self) -> None:
        """End every fault but the adversaries: those are for ever."""
        self._heal()
        for machine in self.cluster.machines:
            machine.disk.mend()
            machine.fuse.left = None
            self.cluster.start(machine)

    def _heal(self) -> None:
        self.cluster.links.clear()
        self.cluster.deaf.clear()
        self.cluster.times = self.times
        for machine in self.cluster.machines:
            machine.skew_ms = max(-900, min(900, machine.skew_ms))

    def _fault(self) -> None:
        """Let the next thing happen: a fault, or some time in which the machines get on their feet."""
        choice = self.random.random()
        if choice < 0.2:
            self._heal()
        if choice < 0.45:
            for machine in self.cluster.machines:
                self.cluster.start(machine)
            return
        names = [name for name, (weight, _) in self._faults.items() for _ in range(weight)]
        name = self.random.choice(names)
        if self._faults[name][1]():
            self.faults[name] += 1

    # --- the network ---------------------------------------------------------------------------------------------

    def _weather(self) -> bool:
        random = self.random
        self.cluster.links.weather = Weather(
            loss=random.choice((0.0, 0.02, 0.1, 0.3)),
            duplicate=random.choice((0.0, 0.1, 0.5)),
            replay=random.choice((0.0, 0.0, 0.1, 0.5)),
            overtake=random.choice((0.0, 0.2)),
            delay_ms_max=random.choice((5, 50, 400, 1_500)),
        )
        return True

    def _deafness(self) -> bool:
        """Some kinds reach a few only: one decides, and the others must find the same block by themselves."""
        random, machines = self.random, self.cluster.machines
        kinds = random.choice((("COMMIT", "block"), tuple(random.sample(MESSAGE_KINDS, random.randint(1, 3)))))
        hearing = random.sample(machines, random.randint(0, len(machines) // 2))
        for machine in machines:
            for kind in kinds:
                if machine not in hearing:
                    self.cluster.deaf[machine.name, kind] = None
        return True

    def _one_way(self) -> bool:
        source, target = self.random.sample(self.cluster.machines, 2)
        self.cluster.links.block(source.name, target.name)
        return True

    def _cut(self) -> bool:
        machines = self.cluster.machines
        group = self.random.sample(machines, self.random.randint(1, len(machines) // 2))
        for one in group:
            for other in machines:
                if other not in group:
                    self.cluster.links.block(one.name, other.name)
                    self.cluster.links.block(other.name, one.name)
        return True

    def _no_proposals(self) -> bool:
        """Rounds change for minutes, by a quorum, and nothing else comes: timeouts grow as far as they ever do."""
        if self.faults["no proposals for minutes"] or self.random.random() < 0.5:
            return False
        self._calm()
        for machine in self.cluster.machines:
            self.cluster.deaf[machine.name, "PROPOSAL"] = None
        self.cluster.run_for(NO_PROPOSALS_MS)
        return True

    # --- machines ------------------------------------------------------------------------------------------------

    def _fuse(self) -> bool:
        machine = self.random.choice(self.cluster.machines)
        if not machine.is_up:
            return False
        machine.fuse.left = self.random.randint(1, 60)
        self._restart_later(machine)
        return True

    def _crash(self) -> bool:
        machine = self.random.choice(self.cluster.machines)
        was_up = machine.is_up
        machine.crash()
        self._restart_later(machine)
        return was_up

    def _blackout(self) -> bool:
        for machine in self.cluster.machines:
            machine.crash()
            self._restart_later(machine)
        return True

    def _disk_error(self) -> bool:
        return self._spoil_disk(None)

    def _disk_full(self) -> bool:
        return self._spoil_disk(self.random.randint(0, 3_000))

    def _spoil_disk(self, room_bytes: int | None) -> bool:
        machine = self.random.choice(self.cluster.machines)
        if machine.is_up:
            machine.disk.spoil_soon(room_bytes)
        return machine.is_up

    def _clock_step(self) -> bool:
        machine = self.random.choice(self.cluster.machines)
        machine.skew_ms = self.random.choice((-10_000, -3_000, -1_500, 1_500, 3_000, 10_000))
        return True

    def _wipe(self) -> bool:
        """Lose a machine's journal: the one fault that four validators bear, until it may sign again.

        Beside an empty chain a lost journal cannot be told from a new one; and who watches is missing, as an adversary
        would be.
        """
        machine = self.random.choice(self.cluster.machines)
        watching = [m for m in self.cluster.machines if m.is_up and m.validator.status().is_watching]
        if self.cheats or watching or self.wiped not in ("", machine.name) or machine.chain.head.number == 0:
            return False
        self.wiped = machine.name
        machine.crash()
        machine.disk.remove(JOURNAL)
        self._restart_later(machine)
        return True

    def _slowness(self) -> bool:
        if self.is_slow:
            self.cluster.times = replace(self.times, execution_ms_max=self.random.choice((1_500, 6_000)))
        return self.is_slow

    def _slow_transaction(self) -> bool:
        """A transaction whose execution fills the builder's time budget, in every block for a while."""
        self.cluster.times = replace(self.times, execution_ms_max=self.times.request_timeout_ms // 4)
        return True

    def _restart_later(self, machine: Machine) -> None:
        if self.random.random() < 0.8:
            self.cluster.later(self.random.randint(1, 6_000), self.cluster.start, machine)


def growing_and_shrinking(everyone: Sequence[bytes], size_min: int, random: Random) -> ValidatorsAt:
    """Return a set that loses or wins one validator every few heights, of ``size_min`` to all."""
    sets: list[tuple[bytes, ...]] = []
    now = list(everyone[:size_min])
    while len(sets) < 4 * HEIGHTS_MIN:
        sets += [tuple(sorted(now))] * random.randint(2, 8)
        out = [address for address in everyone if address not in now]
        if out and (len(now) == size_min or random.random() < 0.6):
            now.append(random.choice(out))
        elif len(now) > size_min:
            now.remove(random.choice(now))
    return lambda height: sets[min(height, len(sets) - 1)]


def _lowest(machines: list[Machine]) -> int:
    return min(machine.chain.head.number for machine in machines)
