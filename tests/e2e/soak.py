"""The soak: four real nodes under load through stops, kills, cuts, slow links, wrong clocks and a full disk.

``python -m e2e.soak 10m`` or ``90s``; ``--kills 10`` kills all four at once so often instead. Each phase is a fault and
what must hold in it. The floors are those of Hyperledger Besu's soak test of QBFT: healthy at least 50 blocks a minute
at a period of 1 s, one of four stopped at least 20, two stopped none, both back: new blocks within two base timeouts
and 30 s, with nobody restarted that was not stopped. And for ours: no two blocks at one height, nothing lost that a
client saw final. Exit code 0 when every criterion holds, 1 when one does not, 2 for a wrong command line.

Without root there are no hosts with wires (``e2e.hosts``) and no small disk: what was not run is said.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from e2e.ailments import Ailment
from e2e.disks import DiskUnavailable, SmallDisk, small_disk
from e2e.hosts import Hosts, WiredHosts, open_hosts
from e2e.load import Load, Memory
from e2e.trial import POLL_S, Trial, wait_until

from cocket.cli.processes import NodeProcess, stop_all
from cocket.node.chain.extra_data import decode_extra_data

COUNTRIES = ("BR", "KE", "NL", "SG")
BASE_TIMEOUT_S = 2.0  # of the trial
RESUME_S = 2 * BASE_TIMEOUT_S + 30.0
HEALTHY_PER_MINUTE, ONE_STOPPED_PER_MINUTE = 50.0, 20.0
SLOW_PER_MINUTE = 20.0  # a fault of the links or of one clock costs no more than a stopped node
PHASES_SHARE = 12.0  # a phase's window is this part of the soak
WINDOW_S = (10.0, 60.0)
SETTLE_S = 2.0  # what was agreed on before a fault may still arrive
CLOCK_STEPS_S = (90, -90, 2)
DISK_BYTES = 64 << 20  # of one node: room for hours of these blocks
RECEIPTS = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """What one phase showed."""

    phase: str
    seconds: float
    blocks: int
    blocks_per_minute: float
    rounds: dict[str, int] = field(default_factory=dict)
    resume_s: float | None = None
    final: int = 0
    compared: int = 0


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that must hold, and what was found; ``is_timed`` when a busy machine alone can make it fail."""

    name: str
    wanted: str
    found: str
    holds: bool
    is_timed: bool = False


class Soak:
    """A running network and what it showed so far."""

    def __init__(
        self, folder: Path, hosts: Hosts, disk: SmallDisk | None, window_s: float, say: Callable[[str], None]
    ) -> None:
        self.hosts = hosts
        self.disk = disk
        self.window_s = window_s
        self.figures: list[Figures] = []
        self.not_run: list[str] = []
        self.failures: list[str] = []
        if not hosts.has_wires:
            self.not_run.append(f"partition, slow links: {hosts.why}")
        self._say = say
        self.trial = Trial(folder, *COUNTRIES, hosts=hosts)
        self.load = Load(self.trial)
        self.memory = Memory(self.trial, self.load)
        self.ailment = Ailment(folder / "SG.ailment")
        self.trial.environments["SG"].update(self.ailment.environment)
        self._pids: dict[str, int | None] = {}
        if disk is None:
            self.not_run.append("full disk: no small disk can be mounted here")
        else:
            self.trial.homes["NL"].data.symlink_to(disk.path)

    def start(self) -> None:
        self.trial.start()
        self.trial.wait_height(2)
        self._note_pids(*COUNTRIES)
        self.load.start()

    def close(self) -> None:
        self.load.stop()
        for node in self.trial.nodes.values():
            _send(node, signal.SIGCONT)
        self.trial.close()

    # -- phases ------------------------------------------------------------------------------------------------------

    def healthy(self) -> None:
        self._measure("healthy", 2 * self.window_s, COUNTRIES)

    def one_stopped(self) -> None:
        self._stop("SG")
        self._measure("one stopped", 1.5 * self.window_s, ("BR", "KE", "NL"))

    def two_stopped_and_back(self) -> None:
        """Two of four make nothing; when the others are back it goes on by itself."""
        self._stop("SG", "NL")
        rest = ("BR", "KE")
        time.sleep(SETTLE_S)
        self._measure("two stopped", self.window_s, rest)
        before = max(self.trial.heights(rest))
        started_s = time.monotonic()
        self.trial.start("NL", "SG")
        self._note_pids("NL", "SG")
        self._resume("both back", before, started_s)

    def killed(self) -> None:
        """All at once, as by a power cut, under load; and all start again."""
        before = max(self.trial.heights())
        for node in self.trial.nodes.values():
            _send(node, signal.SIGKILL)
        for node in self.trial.nodes.values():
            node.kill()
        seen = [each.height for each in self.load.seen()]
        started_s = time.monotonic()
        self.trial.start()
        self._note_pids(*COUNTRIES)
        self._resume("all killed", max([before, *seen]), started_s, back=1_000_000)

    def frozen(self) -> None:
        """One is held still for longer than its peers wait for a round, then all but a quorum."""
        node = self.trial["KE"]
        _send(node, signal.SIGSTOP)
        self._measure("one frozen", self.window_s, ("BR", "NL", "SG"))
        _send(self.trial["BR"], signal.SIGSTOP)
        time.sleep(SETTLE_S)
        before = max(self.trial.heights(("NL", "SG")))
        time.sleep(self.window_s / 2)
        started_s = time.monotonic()
        _send(self.trial["BR"], signal.SIGCONT)
        _send(node, signal.SIGCONT)
        self._resume("two frozen", before, started_s)

    def parted(self) -> None:
        """Two and two: none has a quorum; healed, all go on."""
        wires = self.hosts
        assert isinstance(wires, WiredHosts)
        cut = wires.counts("cut")
        wires.part((0, 1), (2, 3))
        time.sleep(SETTLE_S)
        self._measure("partition 2|2", self.window_s, COUNTRIES)
        before = max(self.trial.heights())
        if wires.counts("cut") == cut:
            self.failures.append("the partition cut no packet")
        started_s = time.monotonic()
        wires.mend()
        self._resume("partition healed", before, started_s)

    def slow(self) -> None:
        wires = self.hosts
        assert isinstance(wires, WiredHosts)
        lost = wires.counts("lost")
        wires.shape_all(delay_s=0.2, jitter_s=0.05, loss=0.01, rate_bits=1e6)
        self._measure("slow links", 1.5 * self.window_s, COUNTRIES)
        if wires.counts("lost") == lost:
            self.failures.append("the slow links lost no packet")
        before = max(self.trial.heights())
        started_s = time.monotonic()
        wires.mend()
        self._resume("links good again", before, started_s)

    def disk_full(self) -> None:
        """One has no room to write: it says so and ends, the others go on; with room it starts and is level again."""
        assert self.disk is not None
        node, rest = self.trial["NL"], ("BR", "KE", "SG")
        self.disk.fill()
        wait_until(lambda: not node.is_running(), "the node without room ends")
        if node.exit_code() != 1 or "make room" not in node.log_tail():
            self.failures.append(f"a full disk ended NL with code {node.exit_code()}: {node.log_tail()}")
        self._measure("one disk full", self.window_s, rest)
        self.disk.make_room()
        before = max(self.trial.heights(rest))
        started_s = time.monotonic()
        self.trial.start("NL")
        self._note_pids("NL")
        self._resume("room again", before, started_s)

    def clock_stepped(self) -> None:
        for seconds in CLOCK_STEPS_S:
            self.ailment.set(clock_s=seconds)
            self._measure(f"clock {seconds:+d} s", self.window_s, COUNTRIES)
        before = max(self.trial.heights())
        started_s = time.monotonic()
        self.ailment.set()
        self._resume("clock right again", before, started_s)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _stop(self, *countries: str) -> None:
        nodes = [self.trial[country] for country in countries]
        killed = stop_all([node for node in nodes if node.is_running()])
        if killed:
            self.failures.append(f"had to be killed: {', '.join(killed)}")

    def _measure(self, phase: str, seconds: float, countries: Sequence[str]) -> None:
        """Count blocks from one that just came to the last that came within so many seconds."""
        seen = len(self.load.seen())
        first = max(self.trial.heights(countries))
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and max(self.trial.heights(countries)) == first:
            time.sleep(POLL_S)
        start = last = max(self.trial.heights(countries))
        started_s = last_s = time.monotonic()
        while time.monotonic() < end_s:
            time.sleep(POLL_S)
            height = max(self.trial.heights(countries))
            if height > last:
                last, last_s = height, time.monotonic()
        blocks = last - first
        # Until now when the next block is overdue, else until the last one came: so few blocks give a true rate.
        now_s = time.monotonic()
        until_s = last_s if last > start and now_s - last_s < 1.5 else now_s
        per_minute = 60 * (last - start) / (until_s - started_s) if blocks and until_s > started_s else 0.0
        final = len(self.load.seen()) - seen
        rounds = self._rounds(first, last, countries[0])
        self._add(Figures(phase, seconds, blocks, round(per_minute, 1), rounds, None, final))

    def _resume(self, phase: str, before: int, started_s: float, back: int = 0) -> None:
        """Wait for a block that is new at all nodes, then hold everything against what was seen before."""
        seen = len(self.load.seen())
        self.trial.wait_height(before + 1)
        resume_s = time.monotonic() - started_s
        height = max(self.trial.heights())
        compared = self.memory.check(back) + self.memory.check_receipts(RECEIPTS)
        final = len(self.load.seen()) - seen
        rounds = self._rounds(before, height, "BR")
        self._add(Figures(phase, resume_s, height - before, 0.0, rounds, round(resume_s, 1), final, compared))
        self._check_lives()

    def _add(self, figures: Figures) -> None:
        self.figures.append(figures)
        self._say(_line(figures))

    def _rounds(self, after: int, last: int, country: str) -> dict[str, int]:
        """Return how many blocks were made in which round."""
        found: dict[int, int] = {}
        for height in range(after + 1, last + 1):
            block = self.trial[country].ask("eth_getBlockByNumber", hex(height), False)
            if isinstance(block, dict):
                number = decode_extra_data(bytes.fromhex(block["extraData"][2:])).round
                found[number] = found.get(number, 0) + 1
        return {str(number): found[number] for number in sorted(found)}

    def _note_pids(self, *countries: str) -> None:
        self._pids.update({country: self.trial[country].pid for country in countries})

    def _check_lives(self) -> None:
        """Nobody ended that was not stopped: the processes are the ones that we started."""
        for country, pid in self._pids.items():
            node = self.trial[country]
            if node.pid != pid:
                self.failures.append(f"{country} ended by itself with code {node.exit_code()}: {node.log_tail()}")
                self._pids[country] = node.pid

    # -- the whole ---------------------------------------------------------------------------------------------------

    def phases(self) -> list[Callable[[], None]]:
        """Return what one cycle plays here, in order; the second and third belong together."""
        wired = [self.parted, self.slow] if self.hosts.has_wires else []
        small = [self.disk_full] if self.disk is not None else []
        return [
            self.healthy,
            self.one_stopped,
            self.two_stopped_and_back,
            self.killed,
            *wired,
            *small,
            self.clock_stepped,
            self.frozen,
        ]

    def run(self, seconds: float) -> None:
        """Play all phases once, then again while time is left."""
        end_s = time.monotonic() + seconds
        phases = self.phases()
        longest_s = 4 * self.window_s
        number = 0
        while number < len(phases) or time.monotonic() + longest_s < end_s or number % len(phases) in (1, 2):
            phases[number % len(phases)]()
            number += 1

    def finish(self) -> None:
        """Stop the load and compare everything a last time."""
        self.load.stop()
        self.memory.check(back=1_000_000)
        self._check_lives()

    def criteria(self) -> list[Criterion]:
        """Return what must hold, each with the worst that was found."""
        floors = [
            ("healthy", HEALTHY_PER_MINUTE),
            ("one stopped", ONE_STOPPED_PER_MINUTE),
            ("one frozen", ONE_STOPPED_PER_MINUTE),
            ("one disk full", ONE_STOPPED_PER_MINUTE),
            ("slow links", SLOW_PER_MINUTE),
            *((f"clock {seconds:+d} s", SLOW_PER_MINUTE) for seconds in CLOCK_STEPS_S),
        ]
        found: list[Criterion] = []
        for phase, floor in floors:
            rates = [figures.blocks_per_minute for figures in self.figures if figures.phase == phase]
            if rates:
                wanted = f">= {floor:g} blocks/min"
                found.append(Criterion(phase, wanted, f"{min(rates):g} blocks/min", min(rates) >= floor, True))
        for phase in ("two stopped", "partition 2|2"):
            counts = [figures.blocks for figures in self.figures if figures.phase == phase]
            if counts:
                found.append(Criterion(phase, "0 blocks", f"{max(counts)} blocks", max(counts) == 0))
        for phase in dict.fromkeys(figures.phase for figures in self.figures if figures.resume_s is not None):
            times = [f.resume_s for f in self.figures if f.phase == phase and f.resume_s is not None]
            holds = max(times) <= RESUME_S
            found.append(Criterion(phase, f"a new block within {RESUME_S:g} s", f"{max(times):g} s", holds, True))
        memory = self.memory
        compared = sum(figures.compared for figures in self.figures)
        found.append(_none("nothing lost that a client saw final", memory.lost, f"0 of {compared} looked up"))
        found.append(_none("one block a height", memory.forks, "0 forks"))
        found.append(_none("nobody ended that was not stopped", self.failures, "nobody"))
        return found


def _none(name: str, found: list[str], good: str) -> Criterion:
    return Criterion(name, "none", good if not found else f"{len(found)}: {'; '.join(found[:3])}", not found)


def _send(node: NodeProcess, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if node.pid is not None:
            os.kill(node.pid, number)


def _line(figures: Figures) -> str:
    rounds = " ".join(f"{count} in round {number}" for number, count in figures.rounds.items()) or "none"
    what = f"{figures.blocks_per_minute:5.1f} blocks/min"
    if figures.resume_s is not None:
        what = f"resumed in {figures.resume_s:.1f} s"
    return (
        f"{figures.phase:18} {what:20} {figures.seconds:5.1f} s, {figures.blocks} blocks ({rounds}), "
        f"{figures.final} transactions final, {figures.compared} compared"
    )


def parse_duration(text: str) -> float:
    """Return seconds of a duration such as 90s, 10m or 1h.

    >>> [parse_duration(text) for text in ("90s", "10m", "1h", "5")]
    [90.0, 600.0, 3600.0, 5.0]
    """
    match = re.fullmatch(r"(\d{1,6})([smh]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration like 90s, 10m or 1h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


@contextlib.contextmanager
def soaking(window_s: float, say: Callable[[str], None]) -> Iterator[Soak]:
    """Give a started network, and leave nothing of it."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cocket-soak-")))
        hosts = stack.enter_context(open_hosts(len(COUNTRIES)))
        disk = None
        with contextlib.suppress(DiskUnavailable):
            disk = stack.enter_context(small_disk(folder / "disk", DISK_BYTES))
        soak = Soak(folder, hosts, disk, window_s, say)
        try:
            soak.start()
            yield soak
        finally:
            soak.close()


def run(seconds: float, kills: int, say: Callable[[str], None], shortest_s: float = WINDOW_S[0]) -> dict[str, object]:
    """Soak so long, or kill so often, and return all that was found.

    Each phase is played at least once and measured for at least ``shortest_s``.
    """
    window_s = min(max(seconds / PHASES_SHARE, shortest_s), WINDOW_S[1])
    began_s = time.monotonic()
    stalled = ""
    with soaking(window_s, say) as soak:
        for reason in soak.not_run:
            say(f"not run: {reason}")
        try:
            if kills:
                for _ in range(kills):
                    soak._measure("healthy", WINDOW_S[0] / 2, COUNTRIES)
                    soak.killed()
            else:
                soak.run(seconds)
            soak.finish()
        except AssertionError as error:  # something that a phase waited for did not come
            stalled = str(error)
        criteria = soak.criteria()
        if stalled:
            criteria.append(Criterion("it goes on by itself", "no wait in vain", stalled, False))
        return {
            "seconds": round(time.monotonic() - began_s, 1),
            "wired": soak.hosts.has_wires,
            "not_run": soak.not_run,
            "heights": max(soak.trial.heights()),
            "transactions_sent": soak.load.sent,
            "transactions_seen_final": len(soak.load.seen()),
            "transactions_lost": len(soak.memory.lost),
            "phases": [asdict(figures) for figures in soak.figures],
            "criteria": [asdict(criterion) for criterion in criteria],
        }


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m e2e.soak",
        description="Run four real nodes under load through real faults and judge what they make of them.",
        epilog="Example: python -m e2e.soak 10m --json",
    )
    parser.add_argument("duration", type=parse_duration, nargs="?", default=90.0, help="90s, 10m, 1h (default 90s)")
    parser.add_argument("--kills", type=int, default=0, help="only kill all four at once under load, so many times")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    found = run(options.duration, options.kills, lambda line: print(line, file=sys.stderr, flush=True))
    criteria = found["criteria"]
    assert isinstance(criteria, list)
    for criterion in criteria:
        mark = "holds" if criterion["holds"] else "FAILS"
        line = f"{mark}  {criterion['name']}: wanted {criterion['wanted']}, found {criterion['found']}"
        print(line, file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps(found))
    return 0 if all(criterion["holds"] for criterion in criteria) else 1


if __name__ == "__main__":
    sys.exit(main())
