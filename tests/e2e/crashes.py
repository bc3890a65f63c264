"""A node that is killed, as by SIGKILL, right before a write of its journal or its database."""

from pathlib import Path

FOLDER = Path(__file__).parent / "crashing"


class Crashes:
    """What ``environment`` a node must be started with to die so, and what it wrote until then."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def environment(self, writes: int) -> dict[str, str]:
        """Return the variables of a node that does so many writes and dies before the next; negative: it lives."""
        self._file.unlink(missing_ok=True)
        return {"PYTHONPATH": str(FOLDER), "COCKET_TEST_WRITES": str(writes), "COCKET_TEST_RECORD": str(self._file)}

    def writes(self) -> list[str]:
        """Return the names of the writes since it was started; before the last it died, if it did."""
        return self._file.read_text().splitlines() if self._file.exists() else []
