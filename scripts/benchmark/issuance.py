"""Issuance and verification: ``scripts/bench_issue.py`` measures; this runs it, and ends it with all its workers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from benchmark.progress import say
from benchmark.run import Run

SCRIPT = Path(__file__).resolve().parents[1] / "bench_issue.py"
RATES_TIMEOUT_S = 420
MILLION_TIMEOUT_S = 900


def rates(run: Run) -> dict[str, object]:
    say("issuing and verifying certificates, with open-attestation beside us")
    figures = tell(["--documents", "4000" if run.is_quick else "20000"], RATES_TIMEOUT_S)
    del figures["issue_million_rss_mb"]
    return figures


def million(run: Run) -> dict[str, object]:
    count = 100_000 if run.is_quick else 1_000_000
    say(f"issuing {count} certificates in one batch")
    return tell(["--million", str(count)], MILLION_TIMEOUT_S)


def tell(arguments: list[str], timeout_s: float) -> dict[str, object]:
    # A group of its own, so that its pool of workers ends with it, whatever happens here.
    child = subprocess.Popen([sys.executable, SCRIPT, *arguments], stdout=subprocess.PIPE, start_new_session=True)
    try:
        told, _ = child.communicate(timeout=timeout_s)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode != 0:
        raise RuntimeError(f"{SCRIPT.name} {' '.join(arguments)} ended with {child.returncode}")
    figures: dict[str, object] = json.loads(told.splitlines()[-1])
    return figures
