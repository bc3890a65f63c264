"""Size classes: the one place that knows how long a sealed group is, whatever it holds.

What is encrypted is padded to a power of four of bytes, so that a length says only which class it is in. Each group of
a kind has its least class, published with the kind and wide enough for what is usual.
"""

from __future__ import annotations

from cocket.attestation.errors import AttestationError, InvalidFile

LENGTH_BYTES = 4
SIZE_CLASSES = tuple(1 << power for power in range(10, 25, 2))
"""1 KiB to 16 MiB: a document of 1 MiB, its pointers written out, fits."""


def size_class(byte_count: int, least: int) -> int:
    """Return the class that so many bytes fall in; AttestationError when there is none so large.

    >>> [size_class(count, 1024) for count in (0, 1020, 1021)]
    [1024, 1024, 4096]
    """
    needed = max(byte_count + LENGTH_BYTES, least)
    for size in SIZE_CLASSES:
        if size >= needed:
            return size
    raise AttestationError(f"a group of {byte_count} bytes; at most {SIZE_CLASSES[-1] - LENGTH_BYTES} can be sealed")


def pad(data: bytes, least: int) -> bytes:
    """Return the length in 4 bytes, the data, and zeros up to the size of its class."""
    return (len(data).to_bytes(LENGTH_BYTES) + data).ljust(size_class(len(data), least), b"\0")


def unpad(padded: bytes) -> bytes:
    """Return the data; InvalidFile when they were not padded as :func:`pad` does, to one class or another."""
    length = int.from_bytes(padded[:LENGTH_BYTES])
    end = LENGTH_BYTES + length
    if len(padded) not in SIZE_CLASSES or end > len(padded) or any(padded[end:]):
        raise InvalidFile(f"{len(padded)} bytes that are not padded to a size class")
    return padded[LENGTH_BYTES:end]
