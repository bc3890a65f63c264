"""Which process of the suite is given which file: those that wait for real nodes run beside those that compute.

A file is run by one process, as with ``--dist loadfile``. Files of ``tests/e2e`` come first, lest they are left over
for the end, when the other processes have nothing to do. At most half of the processes run such files at once:
networks of nodes that compete for the machine time out, and the attackers of the siege yield to everybody. The rest
follow, those that take longest at their head.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

WAITING: Final = "tests/e2e/"
FIRST: Final = (
    "tests/e2e/test_siege.py",
    "tests/e2e/test_soak.py",
    WAITING,
    "tests/cli/",
    "tests/simulator/",
    "tests/contracts/",
)


def order(items: list[pytest.Item]) -> None:
    """Put files in the order in which they are to be begun; within a file nothing changes."""
    items.sort(key=lambda item: rank(item.nodeid))


def rank(nodeid: str) -> int:
    """Return how many kinds of files are begun before this one."""
    return next((number for number, prefix in enumerate(FIRST) if nodeid.startswith(prefix)), len(FIRST))


def chosen(files: Iterable[str], is_next_waiting: bool) -> str:
    """Return the first file of the kind that is wanted next, or the first of all when there is none."""
    queue = list(files)
    return next((file for file in queue if file.startswith(WAITING) is is_next_waiting), queue[0])


class Distribution(LoadFileScheduling):
    """xdist's distribution of files, but that what a process is given depends on what the others do."""

    def _assign_work_unit(self, node: "WorkerController") -> None:
        others = sum(self._is_waiting(other) for other in self.nodes if other is not node)
        self.workqueue.move_to_end(chosen(self.workqueue, others < max(self.numnodes // 2, 1)), last=False)
        super()._assign_work_unit(node)

    def _is_waiting(self, node: "WorkerController") -> bool:
        return any(
            file.startswith(WAITING) and not all(tests.values()) for file, tests in self.assigned_work[node].items()
        )
