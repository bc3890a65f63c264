"""Figures at rest: the memory of a node that just started, and how soon the command line answers."""

import statistics
import subprocess
import sysconfig
import time
from pathlib import Path

from benchmark.progress import say
from benchmark.run import Run
from benchmark.trial import heights, wait_for

COMMAND = Path(sysconfig.get_path("scripts")) / "cocket"
BLOCKS_AT_REST = 5


def cli_help(run: Run) -> dict[str, object]:
    say("cocket --help")
    spent = []
    for _ in range(5 if run.is_quick else 15):
        start = time.perf_counter()
        subprocess.run([COMMAND, "--help"], check=True, stdout=subprocess.DEVNULL, timeout=30)
        spent.append(time.perf_counter() - start)
    return {"cli_help_s": round(statistics.median(spent), 3)}


def node_at_rest(run: Run) -> dict[str, object]:
    """Return the largest of the four nodes' resident memory, a few empty blocks after their start."""
    with run.trial.running() as nodes:
        say("a network at rest")
        wait_for(lambda: min(heights(nodes)) >= BLOCKS_AT_REST, "the network makes blocks", nodes, deadline_s=60)
        return {"node_rss_mb": round(max(resident_mb(node.pid) for node in nodes), 1)}


def resident_mb(pid: int | None, field: str = "VmRSS") -> float:
    """Return a process's resident memory in megabytes (MiB); ``VmHWM``: the most that it had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(f"process {pid} has no memory: it ended")
