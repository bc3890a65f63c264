"""What our files ask of a disk, the real one, and one in memory that forgets what was not synced.

Nothing here knows what the bytes mean. Errors are the operating system's (OSError); whose file it is judges them.
"""

import errno
import os
from pathlib import Path
from typing import Protocol


class DiskFile(Protocol):
    """One open file that only grows at its end, or is cut."""

    def read(self) -> bytes:
        """Return the whole content, as this process sees it."""
        ...

    def append(self, data: bytes) -> None:
        """Add bytes at the end; a crash may lose them, or keep a part, until ``sync``."""
        ...

    def sync(self) -> None:
        """Return when everything appended is on the disk."""
        ...

    def truncate(self, size: int) -> None:
        """Cut the file to its first ``size`` bytes; on the disk on return."""
        ...

    def close(self) -> None:
        """Give the file back; says nothing about what is on the disk."""
        ...


class Disk(Protocol):
    """A file system, as far as a journal, a register or a shelf needs one."""

    def exists(self, path: Path) -> bool:
        """Return whether there is a file of this name."""
        ...

    def open(self, path: Path) -> DiskFile:
        """Open a file, making an empty one when there is none; its name is not on the disk before ``sync_folder``."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, in place of what had it; not on the disk before ``sync_folder``."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """Return when the names in a folder are on the disk."""
        ...

    def make_folder(self, folder: Path) -> None:
        """Make a folder for its owner only, and those above it that are missing; nothing when it is there."""
        ...

    def read(self, path: Path) -> bytes | None:
        """Return the content of a file, None when there is none of this name."""
        ...

    def unlink(self, path: Path) -> None:
        """Take a file away, if it is there; not on the disk before ``sync_folder``."""
        ...

    def sizes(self, folder: Path) -> dict[str, int]:
        """Return the names of the files in a folder, each with its size in bytes; none when there is no such folder."""
        ...


class RealDisk:
    """The operating system's files."""

    def exists(self, path: Path) -> bool:
        """Return whether there is a file of this name."""
        return path.exists()

    def open(self, path: Path) -> "_RealFile":
        """Open a file for its owner only."""
        return _RealFile(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name."""
        source.replace(target)

    def sync_folder(self, folder: Path) -> None:
        """Sync the folder's own entry list."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_folder(self, folder: Path) -> None:
        """Make a folder, each new one known to the folder above it."""
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
            self.sync_folder(each.parent)

    def read(self, path: Path) -> bytes | None:
        """Return the content of a file."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def unlink(self, path: Path) -> None:
        """Take a file away."""
        path.unlink(missing_ok=True)

    def sizes(self, folder: Path) -> dict[str, int]:
        """Return the names and sizes of the files in a folder."""
        try:
            with os.scandir(folder) as entries:
                return {entry.name: entry.stat().st_size for entry in entries if entry.is_file(follow_symlinks=False)}
        except FileNotFoundError:
            return {}


class _RealFile:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> bytes:
        size = os.fstat(self._descriptor).st_size
        parts = []
        position = 0
        while position < size:
            part = os.pread(self._descriptor, size - position, position)
            if not part:
                break
            parts.append(part)
            position += len(part)
        return b"".join(parts)

    def append(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def sync(self) -> None:
        os.fdatasync(self._descriptor)  # flushes the size too, and not the times

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)
        os.fsync(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class FakeDisk:
    """A disk in memory that behaves as badly as a real one may, and always the same way.

    ``crash`` takes away what was not synced: appended bytes, but for a torn beginning, and names whose folder was not
    synced. ``room_bytes`` makes it full; ``is_broken`` makes every sync fail. Files opened before a crash are dead.
    """

    def __init__(self, room_bytes: int | None = None) -> None:
        self.room_bytes = room_bytes
        self.is_broken = False
        self.sync_count = 0
        self._names: dict[Path, _Inode] = {}
        self._synced_names: dict[Path, _Inode] = {}
        self._life = 0

    def exists(self, path: Path) -> bool:
        """Return whether there is a file of this name."""
        return path in self._names

    def open(self, path: Path) -> "_FakeFile":
        """Open a file."""
        return _FakeFile(self, self._names.setdefault(path, _Inode()))

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name."""
        self._names[target] = self._names.pop(source)

    def sync_folder(self, folder: Path) -> None:
        """Make the names of a folder survive a crash."""
        self._count_sync()
        kept = {path: inode for path, inode in self._synced_names.items() if path.parent != folder}
        self._synced_names = kept | {path: inode for path, inode in self._names.items() if path.parent == folder}

    def make_folder(self, folder: Path) -> None:
        """Do nothing: names here are whole paths."""

    def read(self, path: Path) -> bytes | None:
        """Return the content of a file."""
        return bytes(self._names[path].data) if path in self._names else None

    def unlink(self, path: Path) -> None:
        """Take a file away, for good once its folder is synced."""
        self._names.pop(path, None)

    def sizes(self, folder: Path) -> dict[str, int]:
        """Return the names and sizes of the files in a folder."""
        parts = folder.parts
        return {path.name: len(inode.data) for path, inode in self._names.items() if path.parts[:-1] == parts}

    def remove(self, path: Path) -> None:
        """Lose a file for good, as an operator can."""
        self._names.pop(path, None)
        self._synced_names.pop(path, None)

    def crash(self, torn_bytes: int = 0, is_zeroed: bool = False) -> None:
        """Lose what was not synced.

        The first ``torn_bytes`` of each file's unsynced bytes stay; with ``is_zeroed`` the file keeps its whole
        length and what was lost reads as zeros, as after some file systems' recovery.
        """
        self._life += 1
        for inode in {id(inode): inode for inode in (*self._names.values(), *self._synced_names.values())}.values():
            whole = len(inode.data)
            del inode.data[inode.synced_bytes + torn_bytes :]
            if is_zeroed:
                inode.data.extend(bytes(whole - len(inode.data)))
            inode.synced_bytes = len(inode.data)
        self._names = dict(self._synced_names)

    def content(self, path: Path) -> bytes:
        """Return a file's bytes."""
        return bytes(self._names[path].data)

    def spoil(self, path: Path, position: int) -> None:
        """Flip the bits of one byte, as a bad sector would."""
        self._names[path].data[position] ^= 0xFF

    def _count_sync(self) -> None:
        if self.is_broken:
            raise OSError(errno.EIO, "input/output error")
        self.sync_count += 1

    def _take_room(self, size: int) -> int:
        if self.room_bytes is None:
            return size
        taken = min(size, self.room_bytes)
        self.room_bytes -= taken
        return taken


class _Inode:
    """A file's bytes, and how many of them are on the disk."""

    __slots__ = ("data", "synced_bytes")

    def __init__(self) -> None:
        self.data = bytearray()
        self.synced_bytes = 0


class _FakeFile:
    def __init__(self, disk: FakeDisk, inode: _Inode) -> None:
        self._disk = disk
        self._inode = inode
        self._life = disk._life
        self._is_closed = False

    def read(self) -> bytes:
        return bytes(self._live().data)

    def append(self, data: bytes) -> None:
        inode = self._live()
        taken = self._disk._take_room(len(data))
        inode.data.extend(data[:taken])
        if taken < len(data):
            raise OSError(errno.ENOSPC, "no space left on device")

    def sync(self) -> None:
        inode = self._live()
        self._disk._count_sync()
        inode.synced_bytes = len(inode.data)

    def truncate(self, size: int) -> None:
        inode = self._live()
        self._disk._count_sync()
        del inode.data[size:]
        inode.synced_bytes = len(inode.data)

    def close(self) -> None:
        self._is_closed = True

    def _live(self) -> _Inode:
        if self._is_closed or self._life != self._disk._life:
            raise OSError(errno.EBADF, "the file was closed, or opened before a crash")
        return self._inode
