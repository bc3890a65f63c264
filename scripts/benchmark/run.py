"""What the measurements of one run share: a folder, how long they may take, and a network founded once."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmark.trial import Trial


@dataclass
class Run:
    folder: Path
    is_quick: bool
    rate_per_s: float

    @cached_property
    def trial(self) -> Trial:
        return Trial(self.folder)
