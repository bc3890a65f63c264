"""A small disk for a node's data, which a test fills and empties; needs the right to mount."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

_NAME = "cocket-disk-"


class DiskUnavailable(Exception):
    """No disk can be mounted here; the message says why."""


@contextlib.contextmanager
def small_disk(path: Path, size_bytes: int) -> Iterator["SmallDisk"]:
    """Give a disk of so many bytes at ``path``; it is gone afterwards. DiskUnavailable where none can be mounted."""
    _unmount_orphans()
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", f"{_NAME}{os.getpid()}", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise DiskUnavailable(f"a small disk cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


class SmallDisk:
    """A mounted disk, and the ballast on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave no byte on it."""
        for part, mode in ((1 << 16, "wb"), (1, "ab")):
            with contextlib.suppress(OSError), self._ballast.open(mode, buffering=0) as file:
                while True:
                    file.write(bytes(part))

    def make_room(self) -> None:
        """Take the ballast off again."""
        self._ballast.unlink()


def _unmount_orphans() -> None:
    """Unmount what a test process left that was killed."""
    for line in Path("/proc/mounts").read_text().splitlines():
        source, where, *_ = line.split(" ")
        owner = source.removeprefix(_NAME)
        if owner != source and owner.isdecimal() and not Path("/proc", owner).exists():
            subprocess.run(["umount", "--lazy", where], check=False)
