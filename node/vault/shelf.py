"""Shelves: where a vault's objects lie by their names; in a folder, or in memory for tests. Knows nothing of records.

An object is written whole or not at all, and is on the disk when ``put`` returns. What it holds is not looked at: who
takes an object out checks it (:mod:`..holdings`).
"""

import errno
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from cocket.node.errors import NodeFault, Refused
from cocket.node.store.disk import Disk, RealDisk

KINDS = ("objects", "records")
_NAME = re.compile(f"({'|'.join(KINDS)})/([0-9a-f]{{2}})([0-9a-f]{{62}}(?:-[0-9]{{1,10}})?)", re.ASCII)
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Shelf(Protocol):
    """Objects by name: ``objects/`` or ``records/``, 64 hexadecimal digits, and for a record ``-`` and a number."""

    def put(self, name: str, data: bytes) -> None:
        """Keep an object, in place of what had its name. Refused when it is full; NodeFault when it fails."""
        ...

    def get(self, name: str) -> bytes | None:
        """Return an object as it lies there, None when there is none of this name."""
        ...

    def remove(self, name: str) -> None:
        """Take an object away, if it is there."""
        ...

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Yield the names of all objects that begin so, each with its size in bytes."""
        ...


class MemoryShelf:
    """A shelf that forgets."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, name: str, data: bytes) -> None:
        """Keep an object."""
        _parts(name)
        self.objects[name] = data

    def get(self, name: str) -> bytes | None:
        """Return an object."""
        _parts(name)
        return self.objects.get(name)

    def remove(self, name: str) -> None:
        """Take an object away."""
        _parts(name)
        self.objects.pop(name, None)

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Yield names and sizes."""
        yield from [(name, len(data)) for name, data in sorted(self.objects.items()) if name.startswith(prefix)]


class FolderShelf:
    """A shelf in a folder: 256 folders a kind, by the first two digits; files for their owner only.

    A file is written beside (in ``new/``) and renamed when it is on the disk; what a crash left there is taken away at
    the next opening by a writer. One process writes at a time, and others may read meanwhile.
    """

    def __init__(self, folder: Path, disk: Disk | None = None, *, is_reader: bool = False) -> None:
        """Open the shelf, or make it unless it is only to be read; NodeFault when the disk fails."""
        self._folder = folder
        self._disk: Disk = RealDisk() if disk is None else disk
        self._new = folder / "new"
        self._made: set[Path] = set()
        self._count = 0
        self._lock = threading.Lock()
        if is_reader:
            return
        try:
            self._disk.make_folder(self._new)
            for name in self._disk.sizes(self._new):
                self._disk.unlink(self._new / name)
        except OSError as error:
            raise NodeFault(f"shelf {folder}: {error}: make it writable for this user, and start again") from error

    def put(self, name: str, data: bytes) -> None:
        """Keep an object: on the disk, under its name, when it returns."""
        path = self._path(name)
        with self._lock:
            self._count += 1
            beside = self._new / str(self._count)
        try:
            self._make(path.parent)
            self._write(beside, data)
            self._disk.rename(beside, path)
            self._disk.sync_folder(path.parent)
        except OSError as error:
            with suppress(OSError):
                self._disk.unlink(beside)
            if error.errno in _FULL:
                raise Refused(
                    f"shelf {self._folder}: the disk is full ({len(data)} bytes to keep): make room"
                ) from error
            raise NodeFault(f"shelf {self._folder}: {path.name}: {error}: see to the disk") from error

    def get(self, name: str) -> bytes | None:
        """Return an object."""
        path = self._path(name)
        try:
            return self._disk.read(path)
        except OSError as error:
            raise NodeFault(f"shelf {path}: {error}: see to the disk") from error

    def remove(self, name: str) -> None:
        """Take an object away."""
        path = self._path(name)
        try:
            self._disk.unlink(path)
            self._disk.sync_folder(path.parent)
        except FileNotFoundError:
            return  # not even its folder is there
        except OSError as error:
            raise NodeFault(f"shelf {path}: {error}: see to the disk") from error

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Yield names and sizes, folder by folder."""
        for kind in KINDS:
            for number in range(256):
                shard = f"{number:02x}"
                folder = f"{kind}/{shard}"
                if not folder.startswith(prefix[: len(folder)]):
                    continue
                try:
                    found = self._disk.sizes(self._folder / kind / shard)
                except OSError as error:
                    raise NodeFault(f"shelf {self._folder / kind / shard}: {error}: see to the disk") from error
                names = [(f"{kind}/{shard}{rest}", size) for rest, size in sorted(found.items())]
                yield from [(name, size) for name, size in names if name.startswith(prefix) and _NAME.fullmatch(name)]

    def _path(self, name: str) -> Path:
        kind, shard, rest = _parts(name)
        return self._folder / kind / shard / rest

    def _make(self, folder: Path) -> None:
        if folder not in self._made:
            self._disk.make_folder(folder)
            self._made.add(folder)

    def _write(self, path: Path, data: bytes) -> None:
        file = self._disk.open(path)
        try:
            file.append(data)
            file.sync()
        finally:
            file.close()


def is_name(name: str) -> bool:
    """Return whether a text is the name of an object."""
    return _NAME.fullmatch(name) is not None


def require_name(name: str) -> None:
    """Refuse (NodeFault) what is no name of an object."""
    _parts(name)


def _parts(name: str) -> tuple[str, str, str]:
    """Return kind, first two digits and the rest; a name that is none never becomes a path."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise NodeFault(f"shelf: {name!r} is no name of an object")
    return match[1], match[2], match[3]
