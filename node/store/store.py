"""What the node asks of a database: reads, one atomic batch, and a view that does not move.

Keys and values are bytes; what they mean is the schema's. Two stores exist, ``MemoryStore`` and ``LevelStore``, and
both pass the same tests.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol


class Reader(Protocol):
    """Reads of a store, or of a snapshot of one; safe from any thread."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        ...

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the (key, value) pairs whose key begins with ``prefix``, in key order."""
        ...


class Store(Reader, Protocol):
    """A key-value store with one writer."""

    def write(self, puts: Iterable[tuple[bytes, bytes]], deletes: Iterable[bytes] = (), *, sync: bool = True) -> None:
        """Apply one batch: the deletes, then the puts; all of it or nothing, also after a crash at any instruction.

        With ``sync`` the batch, and every earlier batch, is on the disk on return. Without, it is visible at once, and
        a crash may lose it, but only together with every later batch: what is found again is always a prefix of what
        was written. NodeFault when the disk fails; the store then refuses to write ever again.
        """
        ...

    def snapshot(self) -> Reader:
        """Return a view of this moment, which later writes do not change; it is freed when it is dropped."""
        ...

    def close(self) -> None:
        """Make everything durable and give the database back; closing twice is nothing."""
        ...
