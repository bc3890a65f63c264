"""The network under load: four ``cocket node run`` processes, 40 senders at a steady rate, and a client with a watch.

The load is open: a transaction has its moment, and its latency runs from that moment also when an earlier answer was
late. Final is when the block with it is seen at the node that took it. Whether all succeeded, and whether the four
nodes have the same chain, is asked when the load is over.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from benchmark.client import Connection, RpcError
from benchmark.progress import say
from benchmark.rest import resident_mb
from benchmark.run import Run
from benchmark.trial import Chamber, Trial

from cocket.cli.processes import NodeProcess
from cocket.node.chain.hashing import keccak256

SECONDS = 60
QUICK_SECONDS = 15
PEAK_RATE_PER_S = 400.0  # more than two cores do: how much gets through, and that nothing is lost
PEAK_SECONDS = 20
QUICK_PEAK_SECONDS = 5
POLL_S = 0.1
GRACE_S = 60  # to become final after the last was sent
SETUP_S = 60


@dataclass(slots=True)
class Load:
    """Every transaction of one load by its hash: when it was due, when it was seen final, why it was refused."""

    first_block: int
    start_s: float
    due: dict[str, float] = field(default_factory=dict)
    final: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    answers_s: list[float] = field(default_factory=list)
    is_over: bool = False

    @property
    def is_settled(self) -> bool:
        return self.is_over and len(self.final) + len(self.refused) >= len(self.due)


def measure(run: Run) -> dict[str, object]:
    seconds, peak_seconds = (QUICK_SECONDS, QUICK_PEAK_SECONDS) if run.is_quick else (SECONDS, PEAK_SECONDS)
    chambers = run.trial.chambers()
    steady = sign_for(chambers, run.rate_per_s, seconds, run.trial.now_s)
    peak = sign_for(chambers, PEAK_RATE_PER_S, peak_seconds, run.trial.now_s)
    with run.trial.running() as nodes, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(drive(run.trial, nodes, steady, run.rate_per_s, peak))


def sign_for(chambers: Sequence[Chamber], rate_per_s: float, seconds: float, now_s: int) -> list[list[bytes]]:
    """Return each chamber's next anchors, enough for such a rate and time."""
    turns = -(-int(rate_per_s * seconds) // len(chambers))
    say(f"signing {turns * len(chambers)} anchors")
    return [[chamber.anchor(now_s) for _ in range(turns)] for chamber in chambers]


async def drive(
    trial: Trial, nodes: Sequence[NodeProcess], steady: list[list[bytes]], rate_per_s: float, peak: list[list[bytes]]
) -> dict[str, object]:
    watchers = [await Connection(node.url).open() for node in nodes]
    await accredit(trial, watchers)
    used_s = -sum(cpu_s(node.pid) for node in nodes)
    load = await put_load(nodes, watchers, steady, rate_per_s)
    used_s += sum(cpu_s(node.pid) for node in nodes)
    figures = await figures_of(load, watchers) | {
        "network_offered_tx_per_s": rate_per_s,
        "network_node_cpu_ms_per_tx": round(1000 * used_s / len(load.due), 2),
        "network_node_rss_mb": round(max(resident_mb(node.pid) for node in nodes), 1),
    }
    beyond = await figures_of(await put_load(nodes, watchers, peak, PEAK_RATE_PER_S), watchers)
    return figures | {
        "network_peak_tx_per_s": beyond["network_tx_per_s"],
        "network_peak_offered_tx_per_s": PEAK_RATE_PER_S,
        "network_peak_p99_s": beyond["network_p99_s"],
        "network_peak_lost": beyond["network_lost"],
    }


async def put_load(
    nodes: Sequence[NodeProcess], watchers: Sequence[Connection], signed: list[list[bytes]], rate_per_s: float
) -> Load:
    """Send the transactions at a steady rate, the senders spread over the nodes, and watch until all are final."""
    say(f"{rate_per_s:g} anchors a second from {len(signed)} senders to {len(nodes)} nodes")
    load = Load(await height(watchers[0]) + 1, time.monotonic() + 0.5)
    mine: list[set[str]] = [set() for _ in nodes]
    watching = [asyncio.create_task(watch(watcher, load, own)) for watcher, own in zip(watchers, mine, strict=True)]
    every_s = len(signed) / rate_per_s
    async with asyncio.TaskGroup() as sending:
        for number, raws in enumerate(signed):
            at = number % len(nodes)
            first_s = load.start_s + number / rate_per_s
            sending.create_task(send(nodes[at], raws, load, mine[at], first_s, every_s))
    load.is_over = True
    say(f"all sent in {time.monotonic() - load.start_s:.1f} s; waiting for the last to be final")
    _, unfinished = await asyncio.wait(watching, timeout=GRACE_S)
    for task in unfinished:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return load


async def accredit(trial: Trial, watchers: Sequence[Connection]) -> None:
    raws = trial.accreditations()
    say(f"accrediting {len(raws)} chambers")
    for raw in raws:
        await watchers[0].ask("eth_sendRawTransaction", "0x" + raw.hex())
    async with asyncio.timeout(SETUP_S):
        for watcher in watchers:
            for raw in raws:
                while (receipt := await watcher.ask("eth_getTransactionReceipt", hash_of(raw))) is None:
                    await asyncio.sleep(POLL_S)
                assert isinstance(receipt, dict)
                assert receipt["status"] == "0x1", f"not accredited: {receipt}"


async def send(
    node: NodeProcess, raws: list[bytes], load: Load, mine: set[str], first_s: float, every_s: float
) -> None:
    """Send one sender's transactions, each at its moment or, when the answer before is late, as soon as it came."""
    connection = await Connection(node.url).open()
    requests = [(hash_of(raw), connection.request("eth_sendRawTransaction", "0x" + raw.hex())) for raw in raws]
    for turn, (hash_, request) in enumerate(requests):
        due = first_s + turn * every_s
        await asyncio.sleep(due - time.monotonic())
        load.due[hash_] = due
        mine.add(hash_)
        try:
            await connection.exchange(request)
        except (RpcError, OSError, TimeoutError, EOFError) as error:
            load.refused[hash_] = f"{type(error).__name__}: {error}"
            say(f"{node.name}, nonce {turn}: {load.refused[hash_]}")
            if not isinstance(error, RpcError):
                return
        load.answers_s.append(time.monotonic() - due)
    connection.close()


async def watch(watcher: Connection, load: Load, mine: set[str]) -> None:
    """Note when each of ``mine`` is first seen in a block of this node."""
    number = load.first_block
    while not load.is_settled:
        block = await watcher.ask("eth_getBlockByNumber", hex(number), False)
        if block is None:
            await asyncio.sleep(POLL_S)
            continue
        assert isinstance(block, dict)
        seen = time.monotonic()
        for hash_ in mine.intersection(block["transactions"]):
            load.final[hash_] = seen
        number += 1


async def figures_of(load: Load, watchers: Sequence[Connection]) -> dict[str, object]:
    last = min([await height(watcher) for watcher in watchers])
    succeeded: set[str] = set()
    sizes: list[int] = []
    times: list[int] = []
    for number in range(load.first_block, last + 1):
        hashes = {str((await block_of(watcher, number))["hash"]) for watcher in watchers}
        assert len(hashes) == 1, f"block {number} differs between nodes: {hashes}"
        receipts = await watchers[0].ask("eth_getBlockReceipts", hex(number))
        assert isinstance(receipts, list)
        sizes.append(len(receipts))
        times.append(int(str((await block_of(watchers[0], number))["timestamp"]), 16))
        succeeded |= {receipt["transactionHash"] for receipt in receipts if receipt["status"] == "0x1"}
    done = [hash_ for hash_ in load.due if hash_ in load.final and hash_ in succeeded]
    latencies = sorted(load.final[hash_] - load.due[hash_] for hash_ in done)
    if not latencies:
        raise RuntimeError("nothing became final")
    seconds = max(load.final[hash_] for hash_ in done) - load.start_s
    gaps = [after - before for before, after in itertools.pairwise(times)]
    return {
        "network_tx_per_s": round(len(done) / seconds, 1),
        "network_p50_s": round(statistics.median(latencies), 3),
        "network_p99_s": round(latencies[-(-99 * len(latencies) // 100) - 1], 3),
        "network_max_s": round(latencies[-1], 3),
        "network_lost": len(load.due) - len(done),
        "network_transactions": len(done),
        "network_seconds": round(seconds, 1),
        "network_block_transactions_max": max(sizes),
        "network_block_gap_max_s": max(gaps, default=0),
        "network_answer_p99_ms": round(1000 * sorted(load.answers_s)[-(-99 * len(load.answers_s) // 100) - 1], 1),
    }


async def height(watcher: Connection) -> int:
    return int(str(await watcher.ask("eth_blockNumber")), 16)


async def block_of(watcher: Connection, number: int) -> dict[str, object]:
    block = await watcher.ask("eth_getBlockByNumber", hex(number), False)
    assert isinstance(block, dict)
    return block


def hash_of(raw: bytes) -> str:
    return "0x" + keccak256(raw).hex()


def cpu_s(pid: int | None) -> float:
    """Return the processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
