"""How fast long work goes, and when a line about it is due: pure, the caller has the clock."""

from dataclasses import dataclass

EVERY_S = 3.0  # often enough to see that it goes on, seldom enough to read


@dataclass(frozen=True, slots=True)
class Speed:
    """Steps a second since the line before, and the seconds that what is left takes at that; None when unknown."""

    per_s: float
    left_s: float | None


class Pace:
    """Says at most every few seconds how fast the work went since it last said so."""

    def __init__(self, now_s: float, done: float, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._since_s = now_s
        self._done = done

    def measure(self, now_s: float, done: float, whole: float) -> Speed | None:
        """Return the speed when a line is due, else None.

        >>> pace = Pace(now_s=0.0, done=100)
        >>> pace.measure(1.0, 150, 1000)
        >>> pace.measure(4.0, 300, 1000)
        Speed(per_s=50.0, left_s=14.0)
        """
        passed_s = now_s - self._since_s
        if passed_s < self._every_s:
            return None
        per_s = max(0.0, done - self._done) / passed_s
        self._since_s, self._done = now_s, done
        return Speed(per_s, max(0.0, whole - done) / per_s if per_s else None)
