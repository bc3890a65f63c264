"""Measures the shipped product and says which floors it meets; the last line of the output is one JSON object.

scripts/bench --json                                   everything, some fifteen minutes
scripts/bench --json --only network_tx_per_s           one figure and those measured with it
scripts/bench --json --quick                           short runs, to try things out: the figures are rough
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

from benchmark import bundles, execution, issuance, joining, network, reads, rest, sealing
from benchmark.floors import FLOORS, Verdict, describe_machine, judge
from benchmark.progress import say
from benchmark.run import Run

RATE_PER_S = 120.0
LIMIT_S = 1800  # the whole run; a million certificates are three minutes of it
Figures = Mapping[str, object]

# Each measurement, and the keys with floors that it gives.
MEASUREMENTS: tuple[tuple[Callable[[Run], Figures], tuple[str, ...]], ...] = (
    (rest.cli_help, ("cli_help_s",)),
    (execution.measure, ("execution_tx_per_s", "import_tx_per_s")),
    (rest.node_at_rest, ("node_rss_mb",)),
    (network.measure, ("network_tx_per_s", "network_p99_s", "network_lost")),
    (joining.measure, ("join_5000_blocks_s",)),
    (issuance.rates, ("issue_certificates_per_s", "issue_vs_openattestation", "verify_ms")),
    (bundles.measure, ("bundle_verify_ms",)),
    (sealing.measure, ("seal_documents_per_s", "rewrap_10000_s")),
    (reads.measure, ("release_ms", "releases_per_s", "may_read_ms", "may_read_by_right_ms")),
    (issuance.million, ("issue_million_rss_mb",)),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object in the last line")
    parser.add_argument("--only", nargs="+", metavar="KEY", choices=sorted(FLOORS), help="measure only these")
    parser.add_argument("--quick", action="store_true", help="short runs; rough figures")
    parser.add_argument("--rate", type=float, default=RATE_PER_S, help="transactions a second offered (%(default)s)")
    arguments = parser.parse_args()
    wanted = set(arguments.only or FLOORS)
    figures: dict[str, object] = {
        "machine": describe_machine(),
        "load_average": round(os.getloadavg()[0], 2),
        "is_quick": arguments.quick,
    }
    errors: dict[str, str] = {}
    started = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, interrupt)
    signal.alarm(LIMIT_S)
    run = Run(Path(tempfile.mkdtemp(prefix="cocket-bench-")), arguments.quick, arguments.rate)
    try:
        for measure, keys in MEASUREMENTS:
            if wanted.isdisjoint(keys):
                continue
            try:
                figures |= measure(run)
            except Exception as error:
                say(f"{', '.join(keys)}: {type(error).__name__}: {error}")
                errors |= dict.fromkeys(keys, f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        say("stopped")
        return 130
    finally:
        signal.alarm(0)
        shutil.rmtree(run.folder, ignore_errors=True)
    verdicts = judge(figures, wanted | (FLOORS.keys() & figures.keys()))
    figures |= {"seconds": round(time.monotonic() - started, 1), "floors": verdicts, "errors": errors}
    if arguments.json:
        print(json.dumps(figures))
    else:
        report(figures, verdicts)
    return 1 if any(verdict["is_met"] is False for verdict in verdicts.values()) else 0


def report(figures: Figures, verdicts: Mapping[str, Verdict]) -> None:
    print(", ".join(f"{name} {value}" for name, value in describe_machine().items()))
    for key, verdict in verdicts.items():
        met = {True: "met", False: "MISSED", None: "not measured"}[verdict["is_met"]]
        print(f"{key:28} {figures.get(key)!s:>12}   floor {verdict['rule']} {verdict['floor']}: {met}")


def interrupt(number: int, _frame: FrameType | None) -> None:
    """End like Ctrl-C, for which asyncio and we have our endings."""
    if number == signal.SIGALRM:
        say(f"not done after {LIMIT_S} s")
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
