"""The pairing check of alt_bn128 (EIP-197): fifteen times as quick as py_ecc's, so that a block's gas buys seconds.

The optimal ate pairing. Fp2 is Fp[i] with i^2 = -1; the second group lies on the twist y^2 = x^3 + 3 / (9 + i) over it.
Fp12 is Fp[w] with w^12 = 18 w^6 - 82, where i = w^6 - 9, and a point (x, y) of the twist is (x w^2, y w^3) of the
curve. An element of Fp12 is a list of twelve numbers; two are multiplied as two large integers that hold the numbers
side by side, because one large multiplication is much quicker than 144 small ones.

Only whether the product is one is asked, so nothing is ever divided in Fp12. This module knows the curve and nothing
of gas or bytes. py_ecc is the oracle of its tests.
"""

from collections.abc import Callable, Iterable
from typing import Final

from cocket.node.chain.vm.alt_bn128 import FIELD, ORDER, NotOnCurve, Point

P: Final = FIELD

Fp2 = tuple[int, int]
"""a + b i."""

Twisted = tuple[Fp2, Fp2]
"""An affine point of the twist; both coordinates zero is the point at infinity."""

_INFINITY: Final = ((0, 0), (0, 0))
_Jacobian = tuple[Fp2, Fp2, Fp2]

_U: Final = 4965661367192848881
_LOOP: Final = bin(6 * _U + 2)[3:]
_HARD: Final = (P**4 - P**2 + 1) // ORDER
_SLOT_BITS: Final = 528  # above twelve products of two numbers of 254 bits
_SLOT: Final = (1 << _SLOT_BITS) - 1
_SLOT_BYTES: Final = _SLOT_BITS // 8


def _mul2(x: Fp2, y: Fp2) -> Fp2:
    a, b = x
    c, d = y
    return (a * c - b * d) % P, (a * d + b * c) % P


def _square2(x: Fp2) -> Fp2:
    a, b = x
    return (a + b) * (a - b) % P, 2 * a * b % P


def _sub2(x: Fp2, y: Fp2) -> Fp2:
    return x[0] - y[0], x[1] - y[1]


def _inverse2(x: Fp2) -> Fp2:
    a, b = x
    norm = pow(a * a + b * b, -1, P)
    return a * norm % P, -b * norm % P


def _pow2(x: Fp2, exponent: int) -> Fp2:
    product: Fp2 = (1, 0)
    for bit in bin(exponent)[2:]:
        product = _square2(product)
        if bit == "1":
            product = _mul2(product, x)
    return product


_XI: Final = (9, 1)
_TWIST_B: Final = _mul2((3, 0), _inverse2(_XI))
_FROBENIUS_X: Final = _pow2(_XI, (P - 1) // 3)
_FROBENIUS_Y: Final = _pow2(_XI, (P - 1) // 2)
_ROOT: Final = _pow2(_XI, (P * P - 1) // 6)[0]  # w^(p^2) = _ROOT w
_ROOTS: Final = [pow(_ROOT, power, P) for power in range(12)]


def validate_twisted(x: Fp2, y: Fp2) -> Twisted:
    """Return the point of the second group, or raise NotOnCurve: off the twist, or not of the group's order."""
    if max(*x, *y) >= P:
        raise NotOnCurve("coordinate not below the field's modulus")
    point = x, y
    if point == _INFINITY:
        return point
    right = _mul2(_square2(x), x)
    left = _square2(y)
    if (left[0] - right[0] - _TWIST_B[0]) % P or (left[1] - right[1] - _TWIST_B[1]) % P:
        raise NotOnCurve("coordinates do not satisfy the twist's equation")
    if not _has_group_order(point):
        raise NotOnCurve("point is not of the group's order")
    return point


def is_product_one(pairs: Iterable[tuple[Point, Twisted]], on_step: Callable[[], None]) -> bool:
    """Say whether the product of pairings is one; ``on_step`` is called before each and before the end."""
    product = [1] + [0] * 11
    for point, twisted in pairs:
        on_step()
        if point != (0, 0) and twisted != _INFINITY:
            product = _mul12(product, _miller(point, twisted))
    on_step()
    # (p^12 - 1) / r = (p^6 - 1) (p^2 + 1) hard; and z^(p^6 - 1) = 1 says that z is its own conjugate, w -> -w.
    squared = [coefficient * root for coefficient, root in zip(product, _ROOTS, strict=True)]
    power = _pow12(_mul12(product, [coefficient % P for coefficient in squared]), _HARD)
    return not any(power[1::2])


def _has_group_order(point: Twisted) -> bool:
    """Say whether the group's order times the point is infinity."""
    x, y = point
    total: _Jacobian = (x, y, (1, 0))
    for bit in bin(ORDER)[3:]:
        total = _double(total)
        if bit == "1":
            total = _add(total, point)
    return total[2] == (0, 0)


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    yy = _square2(y)
    s = _mul2(x, yy)
    s = 4 * s[0], 4 * s[1]
    xx = _square2(x)
    m = 3 * xx[0], 3 * xx[1]
    mm = _square2(m)
    x3 = (mm[0] - 2 * s[0]) % P, (mm[1] - 2 * s[1]) % P
    yyyy = _square2(yy)
    y3 = _mul2(m, _sub2(s, x3))
    z3 = _mul2(y, z)
    return x3, ((y3[0] - 8 * yyyy[0]) % P, (y3[1] - 8 * yyyy[1]) % P), (2 * z3[0] % P, 2 * z3[1] % P)


def _add(point: _Jacobian, other: Twisted) -> _Jacobian:
    """Return the sum of a Jacobian point and an affine one."""
    x, y, z = point
    if z == (0, 0):
        return other[0], other[1], (1, 0)
    zz = _square2(z)
    h = _sub2(_mul2(other[0], zz), x)
    r = _sub2(_mul2(other[1], _mul2(zz, z)), y)
    h, r = (h[0] % P, h[1] % P), (r[0] % P, r[1] % P)
    if h == (0, 0):
        return _double(point) if r == (0, 0) else ((0, 0), (0, 0), (0, 0))
    hh = _square2(h)
    hhh, v = _mul2(h, hh), _mul2(x, hh)
    rr = _square2(r)
    x3 = (rr[0] - hhh[0] - 2 * v[0]) % P, (rr[1] - hhh[1] - 2 * v[1]) % P
    y3 = _sub2(_mul2(r, _sub2(v, x3)), _mul2(y, hhh))
    return x3, (y3[0] % P, y3[1] % P), _mul2(z, h)


def _miller(point: Point, twisted: Twisted) -> list[int]:
    """Return the pairing before its final exponentiation."""
    total = twisted
    product = [1] + [0] * 11
    for bit in _LOOP:
        line, total = _line(total, total, point)
        product = _mul12(_mul12(product, product), line)
        if bit == "1":
            line, total = _line(total, twisted, point)
            product = _mul12(product, line)
    once = _frobenius(twisted)
    x, y = _frobenius(once)
    line, total = _line(total, once, point)
    product = _mul12(product, line)
    line, total = _line(total, (x, (-y[0] % P, -y[1] % P)), point)
    return _mul12(product, line)


def _line(first: Twisted, second: Twisted, point: Point) -> tuple[list[int], Twisted]:
    """Return the line through two points of the twist (the tangent, if they are one) at ``point``, and their sum.

    The points are of the group's order and the loop is shorter than it, so the line is never vertical.
    """
    (x1, y1), (x2, y2) = first, second
    if first == second:
        xx = _square2(x1)
        slope = _mul2((3 * xx[0], 3 * xx[1]), _inverse2((2 * y1[0], 2 * y1[1])))
    else:
        slope = _mul2(_sub2(y2, y1), _inverse2(_sub2(x2, x1)))
    ss = _square2(slope)
    x3 = (ss[0] - x1[0] - x2[0]) % P, (ss[1] - x1[1] - x2[1]) % P
    y3 = _sub2(_mul2(slope, _sub2(x1, x3)), y1)
    # y - slope x w + (slope x1 - y1) w^3, with a + b i = (a - 9 b) + b w^6.
    a, b = -slope[0] * point[0], -slope[1] * point[0]
    c, d = _sub2(_mul2(slope, x1), y1)
    line = [point[1], (a - 9 * b) % P, 0, (c - 9 * d) % P, 0, 0, 0, b % P, 0, d % P, 0, 0]
    return line, (x3, (y3[0] % P, y3[1] % P))


def _frobenius(point: Twisted) -> Twisted:
    """Return the point whose image on the curve is the p-th power of this one's."""
    (a, b), (c, d) = point
    return _mul2((a, -b), _FROBENIUS_X), _mul2((c, -d), _FROBENIUS_Y)


def _mul12(x: list[int], y: list[int]) -> list[int]:
    wide = _pack(x) * _pack(y) if x is not y else _pack(x) ** 2
    data = wide.to_bytes(_SLOT_BYTES * 23, "little")
    c = [int.from_bytes(data[i : i + _SLOT_BYTES], "little") for i in range(0, _SLOT_BYTES * 23, _SLOT_BYTES)]
    # w^18 and above come down in two steps: w^12 = 18 w^6 - 82, w^18 = 242 w^6 - 1476.
    low = [(c[i] - 82 * c[i + 12] - (1476 * c[i + 18] if i < 5 else 0)) % P for i in range(6)]
    return low + [(c[i + 6] + 18 * c[i + 12] + (242 * c[i + 18] if i < 5 else 0)) % P for i in range(6)]


def _pack(x: list[int]) -> int:
    return int.from_bytes(b"".join([number.to_bytes(_SLOT_BYTES, "little") for number in x]), "little")


def _pow12(x: list[int], exponent: int) -> list[int]:
    """Return a power, four bits at a time."""
    powers = [[1] + [0] * 11, x]
    for _ in range(14):
        powers.append(_mul12(powers[-1], x))
    product = powers[0]
    for digit in f"{exponent:x}":
        for _ in range(4):
            product = _mul12(product, product)
        if digit != "0":
            product = _mul12(product, powers[int(digit, 16)])
    return product
