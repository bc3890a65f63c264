"""What can be found wrong with a network: a finding, how grave it is, and the words that findings share.

Pure. ``judgement`` makes findings of what one node knows, ``cocket doctor`` more of what several nodes and a home say.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

CLOCK_TOLERANCE_MS: Final = 2_000
"""A proposal tells its author's clock to about a second; a proposal more than three seconds early is dropped."""
ROOM_BYTES_MIN: Final = 256 << 20
"""Less room than that: a few hours of full blocks, or one compaction of the database."""


class Severity(Enum):
    """How grave: blocks or a node stand still; something is wrong but blocks come; worth knowing."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or that could not be told: whom it is about, what was seen, and what to do."""

    code: str
    severity: Severity
    who: tuple[str, ...]
    seen: str
    advice: str

    @property
    def is_illness(self) -> bool:
        """Whether somebody should do something."""
        return self.severity is not Severity.NOTE

    @property
    def rank(self) -> int:
        """Its severity as a number, the gravest first."""
        return tuple(Severity).index(self.severity)


def gravest_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings by severity, else in their order."""
    return tuple(sorted(findings, key=lambda finding: finding.rank))


def judge_room(name: str, free_bytes: int | None, where: str) -> Iterator[Finding]:
    """Yield that the disk is nearly full; ``where`` says of which data, in words. None: it could not be asked."""
    if free_bytes is not None and free_bytes < ROOM_BYTES_MIN:
        seen = f"{name} has {free_bytes >> 20} MiB left on the disk of {where}; full, its node stops."
        yield Finding("disk-low", Severity.WARNING, (name,), seen, "Make room.")


def clock_off(name: str, seen: str, how: str) -> Finding:
    """Return that a clock is off; ``how`` says how that was measured."""
    advice = f"Set {name}'s clock and keep it set (chrony or systemd-timesyncd). {how}"
    return Finding("clock-off", Severity.WARNING, (name,), seen, advice.rstrip())


def judge_clocks(clocks: Mapping[str, int], how: str) -> Iterator[Finding]:
    """Yield whose clock is off by the majority's; ``clocks`` are in milliseconds against any one of them.

    >>> [finding.seen for finding in judge_clocks({"BR": 0, "KE": 300, "NL": -60_000}, "")]
    ["NL's clock is about 60 s behind that of BR and KE."]
    """
    readings = sorted(clocks.values())
    median = readings[(len(readings) - 1) // 2]
    near = sorted([name for name, clock_ms in clocks.items() if abs(clock_ms - median) <= CLOCK_TOLERANCE_MS])
    far = sorted([name for name in clocks if name not in near])
    if len(near) * 2 > len(clocks):
        for name in far:
            off_ms = clocks[name] - median
            side = "ahead of" if off_ms > 0 else "behind"
            off = seconds_of(abs(off_ms) / 1000)
            yield clock_off(name, f"{name}'s clock is about {off} {side} that of {names_of(near)}.", how)
    elif far:
        yield Finding(
            "clock-unclear",
            Severity.WARNING,
            tuple(sorted(clocks)),
            f"The clocks of {names_of(sorted(clocks))} are up to {seconds_of((readings[-1] - readings[0]) / 1000)} "
            "apart; no majority says which are right.",
            f"Compare each with a time server (chronyc tracking, or timedatectl). {how}",
        )


def names_of(names: Sequence[str]) -> str:
    """Return names as people list them.

    >>> names_of(("BR", "KE", "NL"))
    'BR, KE and NL'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nobody"


def seconds_of(age_s: float) -> str:
    """Return a time as people say it.

    >>> [seconds_of(age) for age in (0.4, 59.6, 150.0, 7200.0)]
    ['0 s', '60 s', '2 min 30 s', '2 h']
    """
    whole = round(age_s)
    if whole < 120:
        return f"{whole} s"
    hours, minutes, seconds = whole // 3600, whole % 3600 // 60, whole % 60
    return " ".join([f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (seconds, "s")) if n])
