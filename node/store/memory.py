"""A store in memory, for tests, the simulator and trial runs: the same rules as the one on disk, and no disk."""

import threading
import weakref
from collections.abc import Iterable, Iterator

from cocket.node.errors import NodeFault


class MemoryStore:
    """A ``Store`` in a dictionary.

    A snapshot costs nothing to take: writes hand the old values of what they change to the snapshots still alive.
    """

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._snapshots: weakref.WeakSet[_Snapshot] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._is_closed = False

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        return self._values.get(key)

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the (key, value) pairs under a prefix, in key order."""
        with self._lock:
            found = sorted(item for item in self._values.items() if item[0].startswith(prefix))
        yield from found

    def write(self, puts: Iterable[tuple[bytes, bytes]], deletes: Iterable[bytes] = (), *, sync: bool = True) -> None:
        """Apply one batch; ``sync`` means nothing here."""
        if self._is_closed:
            raise NodeFault("store: written after it was closed")
        puts, deletes = list(puts), list(deletes)
        with self._lock:
            for snapshot in self._snapshots:
                snapshot.remember(self._values, puts, deletes)
            for key in deletes:
                self._values.pop(key, None)
            self._values.update(puts)

    def snapshot(self) -> "_Snapshot":
        """Return a view of this moment."""
        with self._lock:
            snapshot = _Snapshot(self._values, self._lock)
            self._snapshots.add(snapshot)
            return snapshot

    def close(self) -> None:
        """End the use of this store; its values stay readable."""
        self._is_closed = True


class _Snapshot:
    """The store's own values, but for the keys that were changed since: those are remembered here."""

    def __init__(self, values: dict[bytes, bytes], lock: threading.Lock) -> None:
        self._values = values
        self._lock = lock
        self._old: dict[bytes, bytes | None] = {}

    def remember(self, values: dict[bytes, bytes], puts: list[tuple[bytes, bytes]], deletes: list[bytes]) -> None:
        for key in deletes:
            if key not in self._old:
                self._old[key] = values.get(key)
        for key, _ in puts:
            if key not in self._old:
                self._old[key] = values.get(key)

    def get(self, key: bytes) -> bytes | None:
        with self._lock:
            return self._old[key] if key in self._old else self._values.get(key)

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        with self._lock:
            merged: dict[bytes, bytes | None] = {**self._values, **self._old}
        yield from sorted((key, value) for key, value in merged.items() if value is not None and key.startswith(prefix))
