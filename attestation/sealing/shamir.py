"""Shamir's secret sharing: any ``threshold`` of the shares give the secret back, fewer say nothing about it.

Byte by byte over GF(2^8) with the polynomial of AES; the share of number *i* is the value at *i*, so numbers begin at
1. Multiplying a whole secret by one element is one table look-up a byte, done by ``bytes.translate``. Randomness comes
in as the coefficients. (Shamir, "How to share a secret", 1979.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from cocket.attestation.errors import AttestationError
from cocket.attestation.sealing.draws import draws_of

SHARES_MAX = 16
"""Numbers of custodians or of paper shares; each is one more mask in every manifest."""


def coefficient_bytes(secret_bytes: int, threshold: int) -> int:
    """Return how many random bytes :func:`split` takes."""
    return secret_bytes * (threshold - 1)


def split(secret: bytes, threshold: int, count: int, coefficients: bytes) -> tuple[bytes, ...]:
    """Return the shares number 1 to ``count``, each as long as the secret.

    >>> split(b"A", 1, 2, b"")
    (b'A', b'A')
    """
    if not 1 <= threshold <= count <= SHARES_MAX:
        raise AttestationError(f"found {threshold} of {count} shares; expected 1 to {SHARES_MAX}, no fewer than needed")
    terms = draws_of(coefficients, threshold - 1, len(secret))
    return tuple([_value_at(number, secret, terms) for number in range(1, count + 1)])


def combine(shares: Mapping[int, bytes]) -> bytes:
    """Return the secret from shares by their numbers. From fewer than the threshold, or a false one: something else."""
    if not shares or not all(1 <= number <= SHARES_MAX for number in shares):
        raise AttestationError(f"found shares {sorted(shares)}; expected numbers from 1 to {SHARES_MAX}")
    if len({len(share) for share in shares.values()}) != 1:
        raise AttestationError("found shares of several lengths; expected all as long as the secret")
    total = 0
    for number, share in shares.items():
        factor = 1
        for other in shares:
            if other != number:
                factor = _product(factor, _product(other, _inverse(other ^ number)))
        total ^= int.from_bytes(share.translate(_multiples(factor)))
    return total.to_bytes(len(next(iter(shares.values()))))


def _value_at(number: int, secret: bytes, terms: Sequence[bytes]) -> bytes:
    """Return the polynomial's value, by Horner's rule."""
    value = 0
    table = _multiples(number)
    for term in reversed(terms):
        value = int.from_bytes((value ^ int.from_bytes(term)).to_bytes(len(secret)).translate(table))
    return (value ^ int.from_bytes(secret)).to_bytes(len(secret))


def _product(left: int, right: int) -> int:
    """Return the product of two elements of GF(2^8), modulo x^8 + x^4 + x^3 + x + 1."""
    product = 0
    while right:
        if right & 1:
            product ^= left
        left <<= 1
        if left & 0x100:
            left ^= 0x11B
        right >>= 1
    return product


def _inverse(element: int) -> int:
    """Return the inverse of an element that is not 0: its 254th power."""
    power = 1
    for _ in range(254):
        power = _product(power, element)
    return power


@cache
def _multiples(factor: int) -> bytes:
    """Return the table of all products with one element."""
    return bytes([_product(factor, element) for element in range(256)])
