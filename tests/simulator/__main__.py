"""Replay clusters from seeds, plant bugs and see which seed finds them, or soak and besiege real nodes.

    python -m simulator --seeds 2000 --json        play so many stories
    python -m simulator --seed 42                  one again
    python -m simulator --mutant all --json        plant each bug and say which seed found it
    python -m simulator --mutant "resend missing"  one bug
    python -m simulator --soak 10m                 four real nodes through real faults, for so long
    python -m simulator --kills 10                 four real nodes killed at once under load, so often
    python -m simulator --siege                    four real nodes, hostile peers of every kind, block times

Exit code 0 when all held, 1 on a violation, a stall or a bug that nobody found; the seed to replay is printed.
``heights_per_s``, by the number of validators, is per second of processor time: one core, whatever else runs.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from hashlib import sha256

from simulator.mutants import MUTANTS, Mutant, mutant_named, planted
from simulator.scenarios import Outcome, play

MUTANT_SEEDS = 500
"""A planted bug must be found within so many stories."""
PROGRESS_S = 10.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="simulate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, help=f"how many seeds to play (default 100; {MUTANT_SEEDS} a mutant)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument("--seed", type=int, help="play this one seed only")
    parser.add_argument("--mutant", metavar="NAME", help="plant this bug first; `all` for each in turn, `list` to see")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--soak", metavar="DURATION", help="run four real nodes through faults for so long, as 10m")
    parser.add_argument("--kills", metavar="TIMES", help="kill four real nodes at once under load, so many times")
    parser.add_argument(
        "--siege",
        nargs=argparse.REMAINDER,
        metavar="KIND",
        help="besiege four real nodes with hostile peers of these kinds, or of all; more with --siege --help",
    )
    options = parser.parse_args(arguments)
    if options.siege is not None:
        from hostile import siege

        return siege.main([*options.siege, *(["--json"] if options.json else [])])
    if options.soak is not None or options.kills is not None:
        from e2e import soak

        what = [options.soak] if options.soak is not None else ["--kills", options.kills]
        return int(soak.main([*what, *(["--json"] if options.json else [])]))
    if options.mutant is not None:
        return hunt(options)
    count = 100 if options.seeds is None else options.seeds
    seeds = [options.seed] if options.seed is not None else range(options.first, options.first + count)
    return judge(seeds, options.jobs, as_json=options.json, is_one=options.seed is not None)


# --- stories ---------------------------------------------------------------------------------------------------------


def judge(seeds: Iterable[int], jobs: int, *, as_json: bool, is_one: bool) -> int:
    """Play the seeds and sum them up."""
    seeds = list(seeds)
    started = said = time.perf_counter()
    cpu_seconds: Counter[int] = Counter()
    heights: Counter[int] = Counter()
    outcomes: list[Outcome] = []
    for outcome, cpu_s in _spread(_timed, seeds, jobs):
        outcomes.append(outcome)
        cpu_seconds[outcome.validators] += cpu_s
        heights[outcome.validators] += outcome.heights
        report(outcome, is_quiet=as_json and not is_one)
        if time.perf_counter() - said > PROGRESS_S:
            said = time.perf_counter()
            print(f"{len(outcomes)} of {len(seeds)} seeds", file=sys.stderr, flush=True)
    summary = summarize(outcomes) | {
        "seconds": round(time.perf_counter() - started, 1),
        "heights_per_s": {
            validators: round(heights[validators] / max(cpu_seconds[validators], 1e-9), 1)
            for validators in sorted(heights)
        },
    }
    if as_json:
        print(json.dumps(summary))
    else:
        print(", ".join(f"{name} {value}" for name, value in summary.items()))
    return 1 if summary["violations"] or summary["stalls"] else 0


def _timed(seed: int) -> tuple[Outcome, float]:
    started = time.process_time()
    return play(seed), time.process_time() - started


def _spread(work, items, jobs):  # type: ignore[no-untyped-def]
    """Yield the results in order, by so many processes."""
    if jobs <= 1 or len(items) <= 1:
        yield from map(work, items)
        return
    with multiprocessing.get_context("fork").Pool(min(jobs, len(items))) as pool:
        yield from pool.imap(work, items)


def report(outcome: Outcome, *, is_quiet: bool) -> None:
    """Print a seed's outcome; when quiet only what went wrong, to stderr."""
    if is_bad(outcome):
        what = outcome.violation or "no new height after the calm"
        print(f"seed {outcome.seed}: {what}; replay: scripts/simulate --seed {outcome.seed}", file=sys.stderr)
    if not is_quiet:
        print(", ".join(f"{name} {value}" for name, value in asdict(outcome).items()))


def is_bad(outcome: Outcome) -> bool:
    return outcome.violation is not None or outcome.is_stalled


def summarize(outcomes: list[Outcome]) -> dict[str, object]:
    """Return the figures over all seeds that depend on the seeds only."""
    together = sha256("".join(outcome.history_hash for outcome in outcomes).encode()).hexdigest()
    faults: Counter[str] = Counter()
    adversaries: Counter[str] = Counter()
    for outcome in outcomes:
        faults.update(outcome.faults)
        adversaries.update(outcome.adversaries)
    return {
        "seeds": len(outcomes),
        "violations": len([outcome for outcome in outcomes if outcome.violation is not None]),
        "stalls": len([outcome for outcome in outcomes if outcome.is_stalled]),
        "steps": sum(outcome.steps for outcome in outcomes),
        "heights": sum(outcome.heights for outcome in outcomes),
        "heights_min": min((outcome.heights for outcome in outcomes), default=0),
        "simulated_hours": round(sum(outcome.virtual_ms for outcome in outcomes) / 3_600_000, 2),
        "validators": dict(sorted(Counter(outcome.validators for outcome in outcomes).items())),
        "faults": dict(sorted(faults.items())),
        "faults_min": min((sum(outcome.faults.values()) for outcome in outcomes), default=0),
        "adversaries": dict(sorted(adversaries.items())),
        "evidence": sum(outcome.evidence for outcome in outcomes),
        "round_max": max((outcome.round_max for outcome in outcomes), default=0),
        "recovery_ms_max": max((outcome.recovery_ms for outcome in outcomes), default=0),
        "replay": [outcome.seed for outcome in outcomes if is_bad(outcome)],
        "history_hash": together,
    }


# --- planted bugs ----------------------------------------------------------------------------------------------------


def hunt(options: argparse.Namespace) -> int:
    """Plant bugs, each in its own process, and play seeds until one finds it."""
    if options.mutant == "list":
        for mutant in MUTANTS:
            print(f"{mutant.name:50} {mutant.by}")
        return 0
    try:
        mutants = list(MUTANTS) if options.mutant == "all" else [mutant_named(options.mutant)]
    except KeyError:
        print(f"no mutant is named {options.mutant!r}; `--mutant list` names them", file=sys.stderr)
        return 2
    count = MUTANT_SEEDS if options.seeds is None else options.seeds
    seeds = [options.seed] if options.seed is not None else list(range(options.first, options.first + count))
    found: list[dict[str, object]] = []
    for row in _spread(_hunt_one, [(mutant.name, seeds) for mutant in mutants], options.jobs):
        found.append(row)
        caught = f"seed {row['seed']}: {row['how']}" if row["caught"] else f"NOT CAUGHT in {len(seeds)} seeds"
        print(f"{row['name']}: {caught}", file=sys.stderr if options.json else sys.stdout, flush=True)
    if options.json:
        print(json.dumps({"mutants": found}))
    return 0 if all(row["caught"] for row in found) else 1


def _hunt_one(task: tuple[str, list[int]]) -> dict[str, object]:
    name, seeds = task
    mutant: Mutant = mutant_named(name)
    with planted(mutant):
        for outcome in _outcomes(seeds):
            if is_bad(outcome):
                how = outcome.violation or "stall"
                return {"name": name, "caught": True, "seed": outcome.seed, "how": how, "by": mutant.by}
    return {"name": name, "caught": False, "seed": None, "how": None, "by": mutant.by}


def _outcomes(seeds: list[int]) -> Iterator[Outcome]:
    for seed in seeds:
        yield play(seed)


if __name__ == "__main__":
    sys.exit(main())
