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
from benchmark.trial import Trial

from cocket.cli.processes import NodeProcess
from cocket.node.chain.hashing import keccak256

SECONDS = 60
QUICK_SECONDS = 15
POLL_S = 0.1
GRACE_S = 30  # to become final after the last was sent
SETUP_S = 60


@dataclass(slots=True)
class Load:
    """Every transaction of the run by its hash: when it was due, when it was seen final, where."""

    due: dict[str, float] = field(default_factory=dict)
    final: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    answers_s: list[float] = field(default_factory=list)
    is_over: bool = False

    @property
    def is_settled(self) -> bool:
        return self.is_over and len(self.final) + len(self.refused) >= len(self.due)


def measure(run: Run) -> dict[str, object]:
    trial, rate_per_s = run.trial, run.rate_per_s
    count = int(rate_per_s * (QUICK_SECONDS if run.is_quick else SECONDS))
    say(f"signing {count} anchors")
    chambers = trial.chambers()
    turns = -(-count // len(chambers))
    signed = [[chamber.anchor(trial.now_s) for _ in range(turns)] for chamber in chambers]
    with trial.running() as nodes, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(drive(trial, nodes, signed, rate_per_s))


async def drive(
    trial: Trial, nodes: Sequence[NodeProcess], signed: list[list[bytes]], rate_per_s: float
) -> dict[str, object]:
    watchers = [await Connection(node.url).open() for node in nodes]
    await accredit(trial, watchers)
    load = Load()
    first_block = await height(watchers[0]) + 1
    start = time.monotonic() + 0.5
    say(f"{rate_per_s:g} anchors a second from {len(signed)} senders to {len(nodes)} nodes")
    mine: list[set[str]] = [set() for _ in nodes]
    watching = [
        asyncio.create_task(watch(watcher, load, own, first_block)) for watcher, own in zip(watchers, mine, strict=True)
    ]
    sending = []
    for number, raws in enumerate(signed):
        at = number % len(nodes)
        first_s, every_s = start + number / rate_per_s, len(signed) / rate_per_s
        sending.append(asyncio.create_task(send(nodes[at], raws, load, mine[at], first_s, every_s)))
    busy = [cpu_s(node.pid) for node in nodes]
    await asyncio.gather(*sending)
    load.is_over = True
    sent_s = time.monotonic() - start
    say(f"all sent in {sent_s:.1f} s; waiting for the last to be final")
    await asyncio.wait(watching, timeout=GRACE_S)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    used_s = sum(cpu_s(node.pid) for node in nodes) - sum(busy)
    return await figures_of(load, watchers, first_block, start) | {
        "network_offered_tx_per_s": rate_per_s,
        "network_node_cpu_ms_per_tx": round(1000 * used_s / len(load.due), 2),
        "network_node_rss_mb": round(max(resident_mb(node.pid) for node in nodes), 1),
    }


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


async def watch(watcher: Connection, load: Load, mine: set[str], number: int) -> None:
    """Note when each of ``mine`` is first seen in a block of this node."""
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


async def figures_of(load: Load, watchers: Sequence[Connection], first_block: int, start: float) -> dict[str, object]:
    last = min([await height(watcher) for watcher in watchers])
    succeeded: set[str] = set()
    sizes: list[int] = []
    times: list[int] = []
    for number in range(first_block, last + 1):
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
    seconds = max(load.final[hash_] for hash_ in done) - start
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
