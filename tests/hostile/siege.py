"""A network under siege: four real nodes, attackers of every kind, and the blocks that come meanwhile.

    scripts/simulate --siege                          every kind, one after the other; some eight minutes
    scripts/simulate --siege churn ping-flood         these only
    scripts/simulate --siege --json                   with one JSON object as the last line

Each attack has a time of peace before and after it. A client sends a transaction twice a second all the time. Block
times are read from the log of each node, so that measuring costs the nodes nothing. The attackers are processes of
their own that yield the processor to the nodes (``nice -n 19``): nodes and attackers share one machine, and what is
asked is whether the nodes shed them, not who has more processors. Exit code 0 when no node ended or failed inside, no
session between honest nodes was lost, every kind reached a node, and blocks came under every attack.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles

import msgspec
from coincurve import PrivateKey
from e2e.trial import CHAIN_ID, Trial, memory_mb
from hostile.attacker import Plan
from hostile.attacks import ATTACKS, Who
from prometheus_client.parser import text_string_to_metric_families

from cocket.cli.processes import NodeProcess
from cocket.network.enode import Enode, format_enode
from cocket.node.chain.hashing import keccak256
from cocket.node.config import Settings

COUNTRIES = ("BR", "KE", "NL", "SG")
ROBBED = "SG"
"""Whose keys the attackers hold too; its own node goes on, as one that does not know that it was robbed."""
FOLLOWERS = 2
"""Hostile followers of each kind at least, each with a key of its own, which no other kind's offences have put off."""
PROCESSES = 2
CROWD = 8
"""Connections that a stranger has at once to each node."""
EVERYTHING = "everything"
"""All kinds at once, but those that need the same key."""
NOBODY_PORT = 9
SECONDS = 10.0
PEACE_S = 5.0
GRACE_S = 60.0
SEND_S = 0.5
FINAL_S = 10.0  # after the last peace a transaction under way still has so long
_BLOCK = re.compile(r"^(\S+) \[info +\] block .*\bheight=(\d+).*\bround=(\d+)")
_CLOSED = re.compile(r"^(\S+) \[\w+ +\] session closed .*\bpeer=(\S+)")


class Besieged(Trial):
    """A trial network in which every node knows some followers, and one validator's key as a node: all are hostile."""

    def settings_of(self, country: str, rpc_port: int, **others: object) -> Settings:
        settings = super().settings_of(country, rpc_port, **others)
        followers = [key for kind in ATTACKS for key in follower_keys(kind)]
        enodes = [enode_of(key) for key in (*followers, self.keys[ROBBED].validator)]
        return msgspec.structs.replace(settings, peers=msgspec.structs.replace(settings.peers, static=tuple(enodes)))

    def keys_of(self, kind: str) -> tuple[bytes, ...]:
        match ATTACKS[kind].who:
            case Who.STRANGER:
                return (bytes(32),) * PROCESSES  # a stranger makes a new key each time
            case Who.FOLLOWER:
                return follower_keys(kind)
            case Who.VALIDATOR:
                return (self.keys[ROBBED].validator,)
            case Who.NODE:
                return (self.keys[ROBBED].node,)


def follower_keys(kind: str) -> tuple[bytes, ...]:
    if ATTACKS[kind].who is not Who.FOLLOWER:
        return ()
    return tuple([keccak256(f"{kind} {number}".encode()) for number in range(max(FOLLOWERS, ATTACKS[kind].variants))])


def enode_of(key: bytes) -> str:
    return format_enode(Enode(PrivateKey(key).public_key.format(compressed=False)[1:], "127.0.0.1", NOBODY_PORT))


# -- what the nodes tell -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Story:
    """What one node's log tells: when each block came, in which round it was decided, whose sessions ended when."""

    name: str
    blocks: tuple[tuple[float, int, int], ...]
    """Time (seconds since 1970), height and round of each."""
    closed: tuple[tuple[float, str], ...]


def story_of(node: NodeProcess) -> Story:
    """Read a node's log."""
    blocks, closed = [], []
    for line in node.log.read_text(errors="replace").splitlines():
        if (found := _BLOCK.match(line)) is not None:
            blocks.append((_time_of(found[1]), int(found[2]), int(found[3])))
        elif (found := _CLOSED.match(line)) is not None:
            closed.append((_time_of(found[1]), found[2]))
    return Story(node.name, tuple(blocks), tuple(closed))


def _time_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass(frozen=True, slots=True)
class Span:
    """Some time of the siege; ``kinds`` attack in it, or nobody does and they did right before."""

    since_s: float
    until_s: float
    kinds: tuple[str, ...] = ()
    is_peace: bool = False

    def holds(self, at_s: float) -> bool:
        return self.since_s <= at_s < self.until_s

    def intervals_s(self, story: Story) -> list[float]:
        """Return how long each block was waited for: all that an attack touches, or that lie wholly within peace."""
        pairs = pairwise([at_s for at_s, _, _ in story.blocks])
        if self.is_peace:
            return [end - start for start, end in pairs if start >= self.since_s and end < self.until_s]
        return [end - start for start, end in pairs if start < self.until_s and end > self.since_s]


def figures(stories: Sequence[Story], spans: Sequence[Span]) -> dict[str, object]:
    """Return what is reported of some time: of blocks what the node saw that saw fewest, of waiting what all saw."""
    seconds = sum(span.until_s - span.since_s for span in spans)
    counts = [sum(span.holds(at_s) for at_s, _, _ in story.blocks for span in spans) for story in stories]
    intervals = [interval for story in stories for span in spans for interval in span.intervals_s(story)]
    rounds = {
        height: round_
        for story in stories
        for at_s, height, round_ in story.blocks
        if any(span.holds(at_s) for span in spans)
    }
    found: dict[str, object] = {
        "blocks": min(counts),
        "blocks_per_min": round(60 * min(counts) / seconds, 1),
        "rounds": {str(each): count for each, count in sorted(Counter(rounds.values()).items())},
    }
    if len(intervals) < 2:
        return found
    return found | {
        "median_s": round(median(intervals), 3),
        "p99_s": round(quantiles(intervals, n=100, method="inclusive")[98], 3),
        "max_s": round(max(intervals), 3),
    }


def honest_to(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the countries whose sessions are all honest: with its keys an attacker is called like the robbed one."""
    is_robbed = any(ATTACKS[kind].who in (Who.VALIDATOR, Who.NODE) for kind in kinds)
    return tuple([country for country in COUNTRIES if country != ROBBED or not is_robbed])


def honest_sessions_lost(stories: Sequence[Story], span: Span) -> list[str]:
    """Return which sessions between honest nodes ended in some time, as "BR with KE"."""
    honest = honest_to(span.kinds)
    is_usurped = any(ATTACKS[kind].who is Who.NODE for kind in span.kinds)
    return [
        f"{story.name} with {peer}"
        for story in stories
        for at_s, peer in story.closed
        if span.holds(at_s) and peer in honest and not (is_usurped and story.name == ROBBED)
    ]


def loads(network: Besieged) -> dict[tuple[str, str], tuple[float, float]]:
    """Return what each honest peer took of each node's loop so far, and how often it had to wait."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for country, node in network.nodes.items():
        with urllib.request.urlopen(f"{node.url}/metrics", timeout=30) as response:
            families = text_string_to_metric_families(response.read().decode())
        values = {(s.name, s.labels.get("peer")): s.value for family in families for s in family.samples}
        for peer in set(COUNTRIES) - {ROBBED, country}:
            name = "cocket_peer_{}_total"
            found[country, peer] = (
                values.get((name.format("loop_seconds"), peer), 0.0),
                values.get((name.format("waits"), peer), 0.0),
            )
    return found


def memory_mib(network: Besieged) -> int:
    """Return the resident memory of the largest node."""
    return int(max(memory_mb(node) for node in network.nodes.values()))


# -- who attacks, and who does not -------------------------------------------------------------------------------------


class Assault:
    """Attackers at work; ``end`` waits for them and returns their tallies, kind by kind."""

    def __init__(self, plans: Sequence[Sequence[Plan]]) -> None:
        """Start one process for each sequence of plans, and wait until all are ready to attack."""
        self._plans = plans
        self._processes = [
            subprocess.Popen(
                ["nice", "-n", "19", sys.executable, "-m", "hostile.attacker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=Path(__file__).parents[1],
            )
            for _ in plans
        ]
        for process, its in zip(self._processes, plans, strict=True):
            assert process.stdin is not None
            process.stdin.write(json.dumps([asdict(plan) for plan in its]).encode())
            process.stdin.close()
        for process in self._processes:
            assert process.stdout is not None
            process.stdout.readline()  # READY, or nothing when it has failed

    def end(self) -> dict[str, dict[str, object]]:
        """Wait for all; one that has no end (the machine has no time for those that yield) is killed and says so."""
        tallies: dict[str, dict[str, object]] = {}
        try:
            for process, plans in zip(self._processes, self._plans, strict=True):
                try:
                    process.wait(max(plan.seconds for plan in plans) + GRACE_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                assert process.stdout is not None
                output = process.stdout.read()
                results = json.loads(output) if output else [{"sheds": {"attacker did not end": 1}} for _ in plans]
                for plan, result in zip(plans, results, strict=True):
                    _add(tallies.setdefault(plan.kind, {}), result)
        finally:
            self.close()
        return tallies

    def close(self) -> None:
        """End whoever still runs."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _add(tally: dict[str, object], result: Mapping[str, object]) -> None:
    for name, value in result.items():
        if isinstance(value, dict):
            sheds = Counter(tally.get(name, {}))  # type: ignore[call-overload]
            sheds.update({how: count for how, count in value.items() if count})
            tally[name] = dict(sheds.most_common())
        else:
            tally[name] = tally.get(name, 0) + value  # type: ignore[operator]


def plan_of(network: Besieged, kind: str, seconds: float, keys: Sequence[bytes], **others: object) -> Plan:
    is_usurper = ATTACKS[kind].who is Who.NODE  # a node refuses who claims to be itself, which is no news
    targets = tuple([network.enode(country) for country in COUNTRIES if country != ROBBED or not is_usurper])
    given = {"crowd": CROWD, **others}
    return Plan(kind, seconds, targets, tuple([key.hex() for key in keys]), CHAIN_ID, **given)  # type: ignore[arg-type]


def plans_of(network: Besieged, kinds: Sequence[str], seconds: float) -> list[list[Plan]]:
    """Return the plans of each attacking process: the keys of each kind are shared out among the processes."""
    plans: list[list[Plan]] = [[] for _ in range(PROCESSES)]
    for kind in kinds:
        for number, key in enumerate(network.keys_of(kind)):
            plans[number % PROCESSES].append(plan_of(network, kind, seconds, [key], first_variant=number))
    return [its for its in plans if its]


def kinds_at_once() -> tuple[str, ...]:
    """Return the kinds that can attack together: of those with the robbed authority's keys only one."""
    robbers = [kind for kind, known in ATTACKS.items() if known.who in (Who.VALIDATOR, Who.NODE)]
    return tuple([kind for kind in ATTACKS if kind not in robbers or kind == "votes-of-later-rounds"])


@dataclass(slots=True)
class Client(threading.Thread):
    """Somebody who uses the network all the while: sends a transaction twice a second and notes when."""

    network: Besieged
    country: str
    sent: list[tuple[float, str]] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        threading.Thread.__init__(self, daemon=True)
        self._is_over = threading.Event()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        raw, name = self.network.transfer()
        while not self._is_over.wait(SEND_S):
            at_s = time.time()
            if self.network[self.country].ask("eth_sendRawTransaction", "0x" + raw.hex()) == name:
                self.sent.append((at_s, name))
                raw, name = self.network.transfer()
            else:
                self.refused += 1

    def end(self) -> None:
        self._is_over.set()
        self.join()

    def figures(self, story: Story, span: Span) -> dict[str, object]:
        """Return how many of the transactions sent in some time are final, and how long that took."""
        heights = {height: at_s for at_s, height, _ in story.blocks}
        waits = []
        sent = [(at_s, name) for at_s, name in self.sent if span.holds(at_s)]
        for at_s, name in sent:
            receipt = self.network.receipt(self.country, name)
            if receipt is not None:
                waits.append(heights[int(receipt["blockNumber"], 16)] - at_s)
        found: dict[str, object] = {"transactions": len(sent), "transactions_final": len(waits)}
        return found | ({"final_max_s": round(max(waits), 3)} if waits else {})


# -- the siege ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attacked:
    """One attack of the siege, and what was counted meanwhile."""

    name: str
    span: Span
    tallies: Mapping[str, Mapping[str, object]]
    honest_loop_share_max: float
    honest_waits: int
    memory_mib: int
    log_kib: int


def besiege(network: Besieged, name: str, seconds: float) -> Attacked:
    """Attack for a while."""
    kinds = kinds_at_once() if name == EVERYTHING else (name,)
    with closing(Assault(plans_of(network, kinds, seconds))) as assault:
        before, since_s, log_bytes = loads(network), time.time(), _log_bytes(network)
        tallies = assault.end()
    until_s, after = time.time(), loads(network)
    shares = [(after[pair][0] - before[pair][0]) / (until_s - since_s) for pair in before]
    return Attacked(
        name,
        Span(since_s, until_s, kinds),
        tallies,
        round(max(shares), 4),
        int(sum(after[pair][1] - before[pair][1] for pair in before)),
        memory_mib(network),
        (_log_bytes(network) - log_bytes) // 1024,
    )


def _log_bytes(network: Besieged) -> int:
    return max(node.log.stat().st_size for node in network.nodes.values())


def rest(seconds: float, after: Sequence[str] = ()) -> Span:
    """Let a time of peace pass; the sessions of who attacked before it may end in it."""
    since_s = time.time()
    time.sleep(seconds)
    return Span(since_s, time.time(), tuple(after), is_peace=True)


def report_of(
    attacks: Sequence[Attacked], peaces: Sequence[Span], stories: Sequence[Story], client: Client
) -> dict[str, object]:
    """Return all figures; there is one time of peace more than there are attacks."""
    watched = next(story for story in stories if story.name == client.country)
    rows: dict[str, object] = {}
    for number, attack in enumerate(attacks):
        rows[attack.name] = {
            "before": figures(stories, peaces[number : number + 1]),
            "during": figures(stories, [attack.span]) | client.figures(watched, attack.span),
            "after": figures(stories, peaces[number + 1 : number + 2]),
            "honest_sessions_lost": honest_sessions_lost(stories, attack.span),
            "honest_loop_share_max": attack.honest_loop_share_max,
            "honest_waits": attack.honest_waits,
            "memory_mib_max": attack.memory_mib,
            "log_kib_max": attack.log_kib,
            "attackers": attack.tallies,
        }
    spans = (*[attack.span for attack in attacks], *peaces)
    lost = [each for span in spans for each in honest_sessions_lost(stories, span)]
    return {
        "attacks": rows,
        "peace": figures(stories, peaces),
        "siege": figures(stories, [attack.span for attack in attacks]),
        "honest_sessions_lost": len(lost),
        "idle": idle(attacks),
        "stalled": [attack.name for attack in attacks if not figures(stories, [attack.span])["blocks"]],
    }


def idle(attacks: Sequence[Attacked]) -> list[str]:
    """Return which kinds never reached a node, as "everything: churn": what was counted then says nothing of them."""
    return [
        f"{attack.name}: {kind}"
        for attack in attacks
        for kind in attack.span.kinds
        if not attack.tallies.get(kind, {}).get("connections")
    ]


def sheds_of(row: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Counter[str]:
    """Return how often the attackers of a row were got rid of, by the word that they were told."""
    sheds: Counter[str] = Counter()
    for tally in row["attackers"].values():
        sheds.update(tally.get("sheds", {}))
    return sheds


def print_table(report: Mapping[str, object]) -> None:
    """Print a row for each attack."""
    print(f"{'attack':24}{'blocks/min':>11}{'median':>8}{'p99':>8}{'max':>8}  {'rounds':14}{'shed as'}")
    attacks: Mapping[str, Mapping[str, object]] = report["attacks"]  # type: ignore[assignment]
    rows: list[tuple[str, object, str]] = [("(peace)", report["peace"], "")]
    for name, row in attacks.items():
        sheds = sheds_of(row)  # type: ignore[arg-type]
        rows.append((name, row["during"], ", ".join(f"{how} {count}" for how, count in sheds.most_common(3))))
    for name, found, shed in rows:
        assert isinstance(found, dict)
        times = "".join([f"{found.get(key, float('nan')):8.3f}" for key in ("median_s", "p99_s", "max_s")])
        rounds = " ".join(f"{each}:{count}" for each, count in found["rounds"].items())
        print(f"{name:24}{found['blocks_per_min']:11.1f}{times}  {rounds:14}{shed}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="simulate --siege", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = (*ATTACKS, EVERYTHING)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(known)} (default: all)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each attack (default %(default)g)")
    parser.add_argument(
        "--peace", type=float, default=PEACE_S, help="seconds before and after each attack (default %(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.kinds) - set(known)):
        parser.error(f"no attack is called {', '.join(unknown)}; there are {', '.join(known)}")
    names = options.kinds or known
    with tempfile.TemporaryDirectory(prefix="siege-") as folder, closing(Besieged(Path(folder), *COUNTRIES)) as network:
        network.start()
        network.wait_height(3)
        client = Client(network, COUNTRIES[0])
        client.start()
        attacks, peaces = [], [rest(options.peace)]
        for number, name in enumerate(names, 1):
            attacks.append(besiege(network, name, options.seconds))
            peaces.append(rest(options.peace, attacks[-1].span.kinds))
            _tell(f"{number} of {len(names)}: {name}, height {min(network.heights())}")
        client.end()
        time.sleep(FINAL_S)
        stories = [story_of(node) for node in network.nodes.values()]
        report = report_of(attacks, peaces, stories, client)
        report["nodes_gone"] = [country for country, node in network.nodes.items() if not node.is_running()]
        report["failures"] = sum(
            node.log.read_text(errors="replace").count("unexpected") for node in network.nodes.values()
        )
        report["one_chain"] = len(network.block_hashes(min(network.heights()))) == 1
    if options.json:
        print(json.dumps(report))
    else:
        print_table(report)
        for name in ("honest_sessions_lost", "idle", "stalled", "nodes_gone", "failures", "one_chain"):
            print(f"{name.replace('_', ' ')}: {report[name]}")
    is_good = report["one_chain"] and not any(
        report[name] for name in ("honest_sessions_lost", "idle", "stalled", "nodes_gone", "failures")
    )
    return 0 if is_good else 1


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
