"""Replay clusters from seeds: ``python -m simulator --seeds 100 --json``, or one again: ``--seed 42``.

Exit code 0 when all held, 1 on a violation or a stall; the seed to replay is printed. ``heights_per_s`` is per second
of processor time: one thread, whatever else the machine does.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from hashlib import sha256

from simulator.scenarios import Outcome, play


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="simulate", description="Play deterministic clusters full of faults.")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to play (default 100)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument("--seed", type=int, help="play this one seed only")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args(arguments)
    seeds = [options.seed] if options.seed is not None else range(options.first, options.first + options.seeds)
    started, started_cpu = time.perf_counter(), time.process_time()
    outcomes: list[Outcome] = []
    for seed in seeds:
        outcome = play(seed)
        outcomes.append(outcome)
        report(outcome, is_quiet=options.json and options.seed is None)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    summary = summarize(outcomes) | {
        "seconds": round(seconds, 1),
        "heights_per_s": round(sum(outcome.heights for outcome in outcomes) / cpu_seconds, 1),
    }
    if options.json:
        print(json.dumps(summary))
    else:
        print(", ".join(f"{name} {value}" for name, value in summary.items()))
    return 1 if summary["violations"] or summary["stalls"] else 0


def report(outcome: Outcome, *, is_quiet: bool) -> None:
    """Print a seed's outcome; when quiet only what went wrong, to stderr."""
    is_bad = outcome.violation is not None or outcome.is_stalled
    if is_bad:
        what = outcome.violation or "no new height after the calm"
        print(f"seed {outcome.seed}: {what}; replay: scripts/simulate --seed {outcome.seed}", file=sys.stderr)
    if not is_quiet:
        print(", ".join(f"{name} {value}" for name, value in asdict(outcome).items()))


def summarize(outcomes: list[Outcome]) -> dict[str, object]:
    """Return the figures over all seeds that depend on the seeds only."""
    together = sha256("".join(outcome.history_hash for outcome in outcomes).encode()).hexdigest()
    bad = [outcome.seed for outcome in outcomes if outcome.violation is not None or outcome.is_stalled]
    return {
        "seeds": len(outcomes),
        "violations": len([outcome for outcome in outcomes if outcome.violation is not None]),
        "stalls": len([outcome for outcome in outcomes if outcome.is_stalled]),
        "steps": sum(outcome.steps for outcome in outcomes),
        "heights": sum(outcome.heights for outcome in outcomes),
        "crashes": sum(outcome.crashes for outcome in outcomes),
        "round_max": max((outcome.rounds_max for outcome in outcomes), default=0),
        "recovery_ms_max": max((outcome.recovery_ms for outcome in outcomes), default=0),
        "replay": bad,
        "history_hash": together,
    }


if __name__ == "__main__":
    sys.exit(main())
