"""Draws: random bytes that come in whole and are used in equal parts, each part once."""

from __future__ import annotations

from cocket.attestation.errors import AttestationError


def draws_of(randomness: bytes, count: int, size: int) -> tuple[bytes, ...]:
    """Return ``count`` parts of ``size`` bytes, which may be 0; AttestationError unless that is all of ``randomness``.

    >>> draws_of(b"abcd", 2, 2)
    (b'ab', b'cd')
    """
    if len(randomness) != count * size:
        raise AttestationError(f"found {len(randomness)} random bytes; expected {count * size}")
    return tuple([randomness[index * size : (index + 1) * size] for index in range(count)])
