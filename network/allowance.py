"""What somebody may take of something that comes back with time: loop time, sessions, handshakes.

The only place that knows how an allowance fills. Pure: the time comes in as a number.
"""

import math

_NOTHING = 1e-9
"""Less is a rounding error: a wait for it would be too short for any clock to see its end."""


class Allowance:
    """So much at once (`burst`), and so much a second (`rate`) in the long run.

    One that is overdrawn must wait; more than `debt_max` is not owed.
    """

    __slots__ = ("_at_s", "_burst", "_debt_max", "_left", "_rate")

    def __init__(self, rate: float, burst: float, now_s: float, debt_max: float = math.inf) -> None:
        self._rate = rate
        self._burst = self._left = burst
        self._debt_max = debt_max
        self._at_s = now_s

    def left(self, now_s: float) -> float:
        """Return what may be taken now; below zero when overdrawn.

        >>> allowance = Allowance(rate=2.0, burst=10.0, now_s=0.0)
        >>> allowance.take(14.0, now_s=0.0)
        >>> allowance.left(now_s=1.0), allowance.wait_s(now_s=1.0), allowance.left(now_s=60.0)
        (-2.0, 1.0, 10.0)
        """
        if self._left < self._burst:
            self._left = min(self._burst, self._left + self._rate * (now_s - self._at_s))
        self._at_s = now_s
        return self._left

    def take(self, amount: float, now_s: float) -> None:
        """Take something that has been used already, whether it was there or not."""
        self._left = max(self.left(now_s) - amount, -self._debt_max)

    def try_take(self, amount: float, now_s: float) -> bool:
        """Take something if it is there; say whether it was."""
        if self.left(now_s) < amount:
            return False
        self._left -= amount
        return True

    def is_full(self, now_s: float) -> bool:
        """Whether nothing is missing, so that a new one would be the same."""
        return self.left(now_s) >= self._burst

    def wait_s(self, now_s: float) -> float:
        """Return how long until it is not overdrawn any more."""
        overdrawn = -self.left(now_s)
        return overdrawn / self._rate if overdrawn > _NOTHING else 0.0
