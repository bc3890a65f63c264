"""Who owns a node's data folder: one process, held by a lock that the operating system frees when it dies.

And who may read it: its owner alone, for the ledger is the members' and the files in it have the system's usual mode.

It names what lies in the folder and opens none of it.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from cocket.node.errors import NodeFault, Refused

_PRIVATE = 0o700


def make_private(path: Path) -> None:
    """Make a folder and all that are missing above it, each for its owner alone; those that are there stay as they are.

    ``Path.mkdir`` gives its mode to the last one only.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=_PRIVATE, exist_ok=True)


class DataFolder:
    """A node's data folder, locked for this process until ``release``; also a context manager.

    Two nodes on one folder would sign with one key against two journals. Refused when another process has it.
    """

    def __init__(self, path: Path) -> None:
        """Make the folder if need be, close it to others if it is ours, and lock it."""
        self.path = path
        try:
            make_private(path)
            _close_to_others(path)
            self._descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise NodeFault(f"home {path}: {error}: make it writable for this user") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise Refused(
                f"home {path}: the node with process id {owner} uses it: stop that one first, or use another home"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    @property
    def chain(self) -> Path:
        """The folder of the database."""
        return self.path / "chain"

    @property
    def journal(self) -> Path:
        """The signing journal."""
        return self.path / "journal"

    def release(self) -> None:
        """Let another process have the folder; releasing twice is nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "DataFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _close_to_others(path: Path) -> None:
    """Take everybody else's rights from a folder that this user owns; another owner's is that owner's to judge."""
    status = path.stat()
    if status.st_uid == os.geteuid() and status.st_mode & 0o077:
        path.chmod(_PRIVATE)


def owner_of(path: Path) -> int | None:
    """Return the id of the process that holds a data folder, None when none does or the system does not say.

    It only looks (Linux' ``/proc/locks``): taking the lock, be it for a moment, could keep a node from starting.
    """
    try:
        inode = (path / "lock").stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
        owner = (path / "lock").read_bytes()[:20].decode("ascii", "replace").strip()
    except OSError:
        return None
    for line in lines:  # 1: FLOCK  ADVISORY  WRITE 4711 00:2f:1234 0 EOF
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
            return int(owner) if owner.isdecimal() else None
    return None
