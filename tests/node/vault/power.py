"""A disk whose power goes, or that fails, before any of its operations."""

from pathlib import Path

from cocket.node.store.disk import DiskFile, FakeDisk

TAILS = [(0, False), (40, False), (1_000_000, False), (20, True)]
"""How many of the unsynced bytes survive, and whether the rest reads as zeros."""


class PowerCut(BaseException):
    """The disk's owner lost its power before this operation."""


class MortalDisk(FakeDisk):
    """A fake disk whose power goes when ``left`` operations were done (None: never); with ``error`` it raises that."""

    def __init__(self, left: int | None = None, error: OSError | None = None) -> None:
        super().__init__()
        self.left, self.error = left, error
        self.count = 0

    def operate(self) -> None:
        if self.left is not None and self.count >= self.left:
            raise PowerCut if self.error is None else self.error
        self.count += 1

    def revive(self, torn_bytes: int, is_zeroed: bool) -> None:
        """Lose what was not synced, and work again."""
        self.left = None
        self.crash(torn_bytes, is_zeroed)

    def open(self, path: Path) -> DiskFile:  # type: ignore[override]
        return _MortalFile(super().open(path), self)

    def rename(self, source: Path, target: Path) -> None:
        self.operate()
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        self.operate()
        super().sync_folder(folder)

    def unlink(self, path: Path) -> None:
        self.operate()
        super().unlink(path)


class _MortalFile:
    def __init__(self, file: DiskFile, disk: MortalDisk) -> None:
        self._file, self._disk = file, disk
        self.read, self.close = file.read, file.close

    def append(self, data: bytes) -> None:
        self._disk.operate()
        self._file.append(data)

    def sync(self) -> None:
        self._disk.operate()
        self._file.sync()

    def truncate(self, size: int) -> None:
        self._disk.operate()
        self._file.truncate(size)
