"""What happens to a cluster: one seed is one story of faults, then calm, in which it must go on by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from simulator.chains import ValidatorsAt
from simulator.checkers import Violation
from simulator.cluster import Cluster, addresses
from simulator.links import Weather
from simulator.machines import JOURNAL, Machine, Times

CALM_HEIGHTS = 8
CALM_LIMIT_MS = 180_000
"""Generous for a stall to be one: some round timeouts at their ceiling of 30 s."""
FAULTS = (
    *("weather", "weather", "heal", "fuse", "fuse", "crash", "blackout"),
    *("restart", "restart", "one way", "cut", "slow", "deaf", "deaf", "wipe"),
)
KINDS = ("PROPOSAL", "PREPARE", "COMMIT", "ROUND_CHANGE", "block")


@dataclass(frozen=True)
class Outcome:
    """How a seed's story ended. ``recovery_ms`` is virtual time from calm to the first new height everywhere."""

    seed: int
    heights: int
    steps: int
    virtual_ms: int
    crashes: int
    rounds_max: int
    recovery_ms: int
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
    except (Violation, AssertionError) as error:
        violation = f"{type(error).__name__}: {error}"
    cluster = story.cluster
    return Outcome(
        seed,
        cluster.safety.heights,
        cluster.steps,
        cluster.now_ms,
        story.crashes,
        cluster.signatures.round_max,
        story.recovery_ms,
        violation,
        is_stalled,
        cluster.history.hex(),
    )


class Story:
    """Faults drawn from the seed, one after the other, over a stretch of virtual time."""

    def __init__(self, seed: int) -> None:
        random = self.random = Random(f"story {seed}")
        count = random.choice((4, 4, 4, 4, 4, 5, 7))
        fault = random.choice(("none", "none", "none", "twin", "bad builder"))
        self.is_honest = fault == "none"
        is_rotating = self.is_honest and random.random() < 0.2
        self.is_slow = random.random() < 0.2
        self.chaos_ms = random.randint(8_000, 25_000)
        self.crashes = 0
        self.wiped = ""
        self.recovery_ms = 0
        self.times = Times(request_timeout_ms=random.choice((1_000, 2_000)))
        self.cluster = Cluster(
            seed,
            5 if is_rotating else count,
            times=self.times,
            twins=(random.randrange(count),) if fault == "twin" else (),
            validators_at=rotating(addresses(5)) if is_rotating else None,
            skew_ms=random.choice((0, 0, 300, 900)),
        )
        if fault == "bad builder":
            random.choice(self.cluster.machines).is_builder_bad = True

    def tell(self) -> bool:
        """Play chaos, then calm; False when the cluster does not go on."""
        cluster = self.cluster
        cluster.start_all()
        while cluster.now_ms < self.chaos_ms:
            self._fault()
            cluster.run_for(self.random.randint(20, 2_500))
        self._calm()
        start_ms, height = cluster.now_ms, cluster.safety.heights
        honest = [machine for machine in cluster.machines if machine.address not in cluster.twin_addresses]
        if not cluster.run(lambda: _lowest(honest) > height, CALM_LIMIT_MS):
            return False
        self.recovery_ms = cluster.now_ms - start_ms
        return cluster.run(lambda: _lowest(honest) >= height + CALM_HEIGHTS, CALM_LIMIT_MS)

    def _calm(self) -> None:
        cluster = self.cluster
        cluster.links.clear()
        cluster.deaf.clear()
        cluster.times = self.times
        for machine in cluster.machines:
            machine.fuse.left = None
            cluster.start(machine)

    def _fault(self) -> None:
        random, cluster = self.random, self.cluster
        match random.choice(FAULTS):
            case "weather":
                cluster.links.weather = Weather(
                    loss=random.choice((0.0, 0.02, 0.1, 0.3)),
                    duplicate=random.choice((0.0, 0.1)),
                    overtake=random.choice((0.0, 0.2)),
                    delay_ms_max=random.choice((5, 50, 400, 1_500)),
                )
            case "heal":
                cluster.links.clear()
                cluster.deaf.clear()
            case "deaf":
                # Some kinds reach a few only: one decides, and the others must find the same block by themselves.
                kinds = random.choice((("COMMIT", "block"), tuple(random.sample(KINDS, random.randint(1, 3)))))
                hearing = random.sample(cluster.machines, random.randint(0, len(cluster.machines) // 2))
                for machine in cluster.machines:
                    for kind in kinds:
                        if machine not in hearing:
                            cluster.deaf[machine.name, kind] = None
            case "fuse":
                machine = random.choice(cluster.machines)
                if machine.is_up:
                    machine.fuse.left = random.randint(1, 60)
                    self.crashes += 1
                    self._restart_later(machine)
            case "crash":
                machine = random.choice(cluster.machines)
                self.crashes += machine.is_up
                machine.crash()
                self._restart_later(machine)
            case "blackout":
                for machine in cluster.machines:
                    self.crashes += machine.is_up
                    machine.crash()
                    self._restart_later(machine)
            case "wipe" if self.is_honest:
                self._wipe(random.choice(cluster.machines))
            case "restart":
                for machine in cluster.machines:
                    cluster.start(machine)
            case "one way":
                source, target = random.sample(cluster.machines, 2)
                cluster.links.block(source.name, target.name)
            case "cut":
                group = random.sample(cluster.machines, random.randint(1, len(cluster.machines) // 2))
                for one in group:
                    for other in cluster.machines:
                        if other not in group:
                            cluster.links.block(one.name, other.name)
                            cluster.links.block(other.name, one.name)
            case "slow" if self.is_slow:
                cluster.times = replace(self.times, execution_ms_max=random.choice((40, 1_500, 6_000)))

    def _wipe(self, machine: Machine) -> None:
        """Lose a machine's journal: the one fault that four validators bear, until it may sign again.

        Beside an empty chain a lost journal cannot be told from a new one.
        """
        watching = [m for m in self.cluster.machines if m.is_up and m.validator.status().is_watching]
        if watching or self.wiped not in ("", machine.name) or machine.chain.head.number == 0:
            return
        self.wiped = machine.name
        self.crashes += machine.is_up
        machine.crash()
        machine.disk.remove(JOURNAL)
        self._restart_later(machine)

    def _restart_later(self, machine: Machine) -> None:
        if self.random.random() < 0.7:
            self.cluster.later(self.random.randint(1, 6_000), self.cluster.start, machine)


def rotating(everyone: Sequence[bytes]) -> ValidatorsAt:
    """Return a set that leaves another one out every three heights."""

    def validators_at(height: int) -> tuple[bytes, ...]:
        out = height // 3 % len(everyone)
        return tuple([address for index, address in enumerate(everyone) if index != out])

    return validators_at


def _lowest(machines: list[Machine]) -> int:
    return min(machine.chain.head.number for machine in machines)
