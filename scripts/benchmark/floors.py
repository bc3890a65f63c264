"""The floors on a machine of two cores, and the description of the one at hand."""

import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict

# key -> (rule, floor)
FLOORS: dict[str, tuple[str, float]] = {
    "execution_tx_per_s": (">=", 450),
    "import_tx_per_s": (">=", 450),
    "network_tx_per_s": (">=", 100),
    "network_p99_s": ("<", 5),
    "network_lost": ("<=", 0),
    "join_5000_blocks_s": ("<", 300),
    "issue_certificates_per_s": (">=", 4000),
    "issue_vs_openattestation": (">=", 1.5),
    "issue_million_rss_mb": ("<", 4000),
    "verify_ms": ("<", 5),
    "bundle_verify_ms": ("<", 50),
    "seal_documents_per_s": (">=", 700),
    "rewrap_10000_s": ("<", 15),
    "release_ms": ("<", 25),
    "releases_per_s": (">=", 100),
    "may_read_ms": ("<", 2),
    "may_read_by_right_ms": ("<", 5),
    "node_rss_mb": ("<", 250),
    "cli_help_s": ("<", 0.15),
}


class Verdict(TypedDict):
    rule: str
    floor: float
    is_met: bool | None


def judge(figures: Mapping[str, object], wanted: Iterable[str]) -> dict[str, Verdict]:
    """Return for each wanted key its floor and whether it is met.

    None says that it cannot be measured here (a figure that is None: no npm to compare with); a figure that is missing
    because its measurement failed is not met.
    """
    keys = set(wanted)
    return {key: _verdict(key, figures) for key in FLOORS if key in keys}


def _verdict(key: str, figures: Mapping[str, object]) -> Verdict:
    rule, floor = FLOORS[key]
    figure = figures.get(key)
    is_met: bool | None = False
    if isinstance(figure, int | float):
        is_met = {">=": figure >= floor, "<": figure < floor, "<=": figure <= floor}[rule]
    elif key in figures:
        is_met = None
    return Verdict(rule=rule, floor=floor, is_met=is_met)


def describe_machine() -> dict[str, object]:
    return {
        "cpu": _value_of("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": int((_value_of("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) // 1024,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _value_of(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
