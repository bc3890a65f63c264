"""Verdicts offline: a bundle over two changes of the validators, judged for the first time in a process."""

import statistics
import subprocess
import sys
from pathlib import Path

from benchmark.progress import say
from benchmark.run import Run

TESTS = Path(__file__).resolve().parents[2] / "tests"
TIMEOUT_S = 60
# The tests' story of a certificate: founded by four, a fifth came, one left; suspended, reinstated, used by two.
MAKE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from bundles.networks import Story
from cocket.node.bundle.file import encode_bundle
story = Story()
Path(sys.argv[2]).write_bytes(encode_bundle(story.bundle(story.good)))
print(story.network.genesis_hash.hex())
"""
# What is imported is not in it, and no cache is warm: contracts' layouts are loaded, seals recovered, hashes made anew.
JUDGE = """
import sys, time
from datetime import date
from pathlib import Path
from cocket.cli.judging import Source, judge
file, anchor = Path(sys.argv[1]), bytes.fromhex(sys.argv[2])
start = time.perf_counter()
judged = judge(file, Source(anchor=anchor), date(2025, 10, 14))
spent = time.perf_counter() - start
assert judged.verdict.overall == "yes", judged
print(1000 * spent)
"""


def measure(run: Run) -> dict[str, object]:
    say("verdicts offline")
    file = run.folder / "verdict.bundle"
    genesis = _told(MAKE, TESTS, file)
    spent = [float(_told(JUDGE, file, genesis)) for _ in range(3 if run.is_quick else 15)]
    return {"bundle_verify_ms": round(statistics.median(spent), 2), "bundle_bytes": file.stat().st_size}


def _told(program: str, *arguments: object) -> str:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stderr.strip().splitlines()[-1])
    return ran.stdout.strip()
