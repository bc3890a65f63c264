"""A wall clock of a node's own, which a test steps while the node runs; its monotonic clock goes on undisturbed.

It is Python's own clock that is stepped (``stepped/sitecustomize.py``): libfaketime, which stands between a process and
the C library, slows a node so much that it misses its rounds.
"""

from pathlib import Path

FOLDER = Path(__file__).parent / "stepped"


class SteppedClock:
    """One node's wall clock; ``environment`` is what the node must be started with."""

    def __init__(self, file: Path) -> None:
        """Begin without an offset."""
        self._file = file
        self.step(0)
        self.environment = {"PYTHONPATH": str(FOLDER), "COCKET_TEST_CLOCK": str(file)}

    def step(self, seconds: int) -> None:
        """Set the clock so far from the machine's, at once."""
        beside = self._file.with_name(self._file.name + ".new")
        beside.write_text(f"{seconds}\n")
        beside.replace(self._file)
