"""The store on disk: LevelDB through plyvel, the only door to it.

It repairs nothing but the end of a write that a power cut tore: any other database that does not open, and any write
that fails, stops the node with what to do.

LevelDB keeps its promise of order only while one log file lasts: after a power cut it can lose an unsynced batch and
still hold a later, synced one of the next file. So an unsynced batch never reaches LevelDB by itself: it waits in
memory, readable, and goes down in one batch with the next synced one.
"""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import plyvel

from cocket.node.errors import NodeError, NodeFault, Refused
from cocket.node.store.level_log import cut_torn_log

# Unsynced batches waiting in memory are written when they reach this size, so that the node stays small.
_PENDING_BYTES_MAX = 32 * 1024 * 1024
# A look-up walks the waiting batches one by one: more than these are first made one.
_LAYERS_MAX = 8
_CACHE_BYTES = 16 * 1024 * 1024
_WRITE_BUFFER_BYTES = 8 * 1024 * 1024
_OPEN_FILES_MAX = 256
# Ten bits a key make one look-up in a hundred of an absent key touch a table; new accounts and slots are absent.
_BLOOM_BITS = 10

_Layer = dict[bytes, bytes | None]


class _Source(Protocol):
    """What plyvel's database and its snapshots both offer."""

    def get(self, key: bytes) -> bytes | None: ...

    def iterator(self, *, prefix: bytes) -> Iterator[tuple[bytes, bytes]]: ...


class _Reading:
    """Reads through waiting batches, newest first, down to LevelDB."""

    def __init__(self, source: _Source, layers: tuple[_Layer, ...] = ()) -> None:
        self._source = source
        self._layers = layers

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None; NodeFault when the database is damaged or closed."""
        for layer in reversed(self._layers):
            if key in layer:
                return layer[key]
        try:
            return self._source.get(key)
        except (plyvel.Error, RuntimeError) as error:
            raise _read_fault(error) from error

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the (key, value) pairs under a prefix, in key order."""
        waiting: _Layer = {}
        for layer in self._layers:
            waiting.update((key, value) for key, value in layer.items() if key.startswith(prefix))
        try:
            if not waiting:
                yield from self._source.iterator(prefix=prefix)
                return
            merged: _Layer = dict(self._source.iterator(prefix=prefix))
        except (plyvel.Error, RuntimeError) as error:
            raise _read_fault(error) from error
        merged.update(waiting)
        yield from sorted((key, value) for key, value in merged.items() if value is not None)


class LevelStore(_Reading):
    """A ``Store`` in a folder; one process at a time.

    ``torn_bytes`` says how much of a write that a power cut tore was cut off on opening: it was never promised.
    """

    def __init__(self, path: Path) -> None:
        """Open the database in ``path``, and make it when there is none.

        Refused when another process has it open; NodeFault when it is damaged or the disk fails.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NodeFault(f"database {path}: {error}: make its folder writable") from error
        self.torn_bytes = 0
        try:
            self._db = _open(path)
        except plyvel.CorruptionError as error:
            self.torn_bytes = _cut_torn_write(path, error)
            try:
                self._db = _open(path)
            except plyvel.Error as again:
                raise _open_fault(path, again) from again
        except plyvel.Error as error:
            raise _open_fault(path, error) from error
        super().__init__(self._db)
        self._path = path
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._broken: str | None = None

    def write(self, puts: Iterable[tuple[bytes, bytes]], deletes: Iterable[bytes] = (), *, sync: bool = True) -> None:
        """Apply one batch; see ``Store.write``."""
        batch: _Layer = dict.fromkeys(deletes)
        batch.update(puts)
        with self._lock:
            if self._broken is not None:
                raise NodeFault(
                    f"database {self._path}: no write after a failed one ({self._broken}): restart the node"
                )
            if not sync:
                self._wait(batch)
                if self._waiting_bytes < _PENDING_BYTES_MAX:
                    return
                batch = {}
            self._write_down(batch)

    def snapshot(self) -> _Reading:
        """Return a view of this moment."""
        with self._lock:
            try:
                return _Reading(self._db.snapshot(), self._layers)
            except RuntimeError as error:
                raise _read_fault(error) from error

    def close(self) -> None:
        """Write what waits, and give the database back."""
        with self._lock:
            if self._layers and self._broken is None and not self._db.closed:
                self._write_down({})
            self._db.close()

    def _wait(self, batch: _Layer) -> None:
        layers = (*self._layers, batch)
        if len(layers) > _LAYERS_MAX:
            merged: _Layer = {}
            for layer in layers:
                merged.update(layer)
            layers = (merged,)
        self._layers = layers
        self._waiting_bytes += sum(len(key) + len(value or b"") for key, value in batch.items())

    def _write_down(self, last: _Layer) -> None:
        try:
            with self._db.write_batch(transaction=True, sync=True) as down:
                for layer in (*self._layers, last):
                    for key, value in layer.items():
                        if value is None:
                            down.delete(key)
                        else:
                            down.put(key, value)
        except (plyvel.Error, RuntimeError, OSError) as error:
            self._broken = _text(error)
            raise NodeFault(
                f"database {self._path}: a write failed ({_text(error)}): nothing of it counts; make room on the "
                "disk, or replace it, and start the node again"
            ) from error
        self._layers = ()
        self._waiting_bytes = 0


def _open(path: Path) -> plyvel.DB:
    return plyvel.DB(
        str(path),
        create_if_missing=True,
        paranoid_checks=True,  # else LevelDB skips what is damaged, synced or not, and says nothing
        lru_cache_size=_CACHE_BYTES,
        write_buffer_size=_WRITE_BUFFER_BYTES,
        max_open_files=_OPEN_FILES_MAX,
        bloom_filter_bits=_BLOOM_BITS,
    )


def _cut_torn_write(path: Path, error: Exception) -> int:
    try:
        torn_bytes = cut_torn_log(path)
    except OSError as fault:
        raise NodeFault(f"database {path}: {fault}: check the disk") from fault
    if not torn_bytes:
        raise _open_fault(path, error) from error
    return torn_bytes


def _open_fault(path: Path, error: Exception) -> NodeError:
    """Return what a database that does not open means, and what to do."""
    text = _text(error)
    if text.startswith("IO error: lock "):
        return Refused(f"database {path}: another process has it open: stop that node first")
    if isinstance(error, plyvel.IOError):
        return NodeFault(f"database {path} does not open ({text}): make room on the disk, or its files accessible")
    return NodeFault(
        f"database {path} does not open ({text}): restore it from a copy, or remove it and let the node catch up from "
        "its peers"
    )


def _text(error: Exception) -> str:
    """Return an error's message; plyvel's are bytes."""
    detail = error.args[0] if error.args else ""
    return detail.decode(errors="replace") if isinstance(detail, bytes) else str(error)


def _read_fault(error: Exception) -> NodeFault:
    return NodeFault(f"database: a read failed ({_text(error)}): it is damaged or closed; restore it from a copy")
