"""Links between machines: bytes in, arrival times out. Faults are drawn from one generator, so a seed replays them."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Weather:
    """How links behave: shares of messages lost, doubled, replayed and overtaken, and delays in milliseconds."""

    loss: float = 0.0
    duplicate: float = 0.0
    replay: float = 0.0
    overtake: float = 0.0
    delay_ms_min: int = 1
    delay_ms_max: int = 5


CALM = Weather()
REPLAY_MS = (500, 20_000)
"""How late a message comes again: in a later round, or at a later height."""


class Links:
    """All links of a cluster. A link is a pair (source, target) of machine names and keeps order, but for faults."""

    def __init__(self, random: Random) -> None:
        self.weather = CALM
        self.random = random
        self.blocked: dict[tuple[str, str], None] = {}
        self._last: dict[tuple[str, str], int] = {}

    def block(self, source: str, target: str) -> None:
        """Lose everything from source to target, one way."""
        self.blocked[source, target] = None

    def clear(self) -> None:
        """End every fault."""
        self.weather = CALM
        self.blocked.clear()

    def arrivals(self, now_ms: int, source: str, target: str) -> list[int]:
        """Return when a message that leaves now arrives: never, once, or more often."""
        link = (source, target)
        if link in self.blocked:
            return []
        weather, random = self.weather, self.random
        if weather.loss and random.random() < weather.loss:
            return []
        count = 2 if weather.duplicate and random.random() < weather.duplicate else 1
        times = []
        for _ in range(count):
            at = now_ms + random.randint(weather.delay_ms_min, weather.delay_ms_max)
            if not (weather.overtake and random.random() < weather.overtake):
                at = self._last[link] = max(at, self._last.get(link, 0))
            times.append(at)
        if weather.replay and random.random() < weather.replay:
            times.append(now_ms + random.randint(*REPLAY_MS))
        return times
