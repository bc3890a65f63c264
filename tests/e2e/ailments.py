"""What ails one node, set while it runs, which spares a restart: a clock that is off, cut lines, a slow disk.

It is Python's own wall clock that is stepped (``ailing/sitecustomize.py``), and the monotonic one goes on undisturbed:
libfaketime, which stands between a process and the C library, slows a node so much that it misses its rounds.
"""

import json
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent / "ailing"


class Ailment:
    """One node's; ``environment`` is what the node must be started with."""

    def __init__(self, file: Path) -> None:
        """Begin in good health."""
        self._file = file
        self.set()
        self.environment = {"PYTHONPATH": str(FOLDER), "COCKET_TEST_AILMENT": str(file)}

    def set(self, *, clock_s: int = 0, cut_ports: Sequence[int] = (), import_s: int = 0) -> None:
        """Make the node ill in these ways alone: its clock so far off, no way to those ports, so long for a block."""
        beside = self._file.with_name(self._file.name + ".new")
        beside.write_text(json.dumps({"clock_s": clock_s, "cut_ports": list(cut_ports), "import_s": import_s}))
        beside.replace(self._file)
