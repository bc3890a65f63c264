"""The pairing check against py_ecc, and points of the second group that are none."""

import random
from functools import cache

import pytest
from py_ecc import optimized_bn128 as bn128

from cocket.node.chain.vm import alt_bn128, pairing
from cocket.node.chain.vm.alt_bn128 import FIELD, NotOnCurve

G1: alt_bn128.Point = (1, 2)


def nothing() -> None:
    """Do not stop."""


@cache
def second(factor: int) -> pairing.Twisted:
    """Return a multiple of the second group's generator, by py_ecc."""
    x, y = bn128.normalize(bn128.multiply(bn128.G2, factor))
    return (int(x.coeffs[0]), int(x.coeffs[1])), (int(y.coeffs[0]), int(y.coeffs[1]))


def negative(point: alt_bn128.Point) -> alt_bn128.Point:
    return point[0], -point[1] % FIELD


def py_ecc_says_one(pairs: list[tuple[alt_bn128.Point, pairing.Twisted]]) -> bool:
    product = bn128.FQ12.one()
    for (x, y), (qx, qy) in pairs:
        one = (bn128.FQ(x), bn128.FQ(y), bn128.FQ(1)) if (x, y) != (0, 0) else bn128.Z1
        is_infinity = (qx, qy) == ((0, 0), (0, 0))
        other = bn128.Z2 if is_infinity else (bn128.FQ2(qx), bn128.FQ2(qy), bn128.FQ2.one())
        product *= bn128.pairing(other, one, final_exponentiate=False)
    return bool(bn128.final_exponentiate(product) == bn128.FQ12.one())


def test_the_pairing_is_bilinear() -> None:
    draw = random.Random(1)
    for _ in range(3):
        a, b = draw.getrandbits(250), draw.getrandbits(250)
        left = (alt_bn128.multiply(G1, a), second(b))
        product = alt_bn128.multiply(G1, a * b)
        assert pairing.is_product_one([left, (negative(product), second(1))], nothing)
        assert not pairing.is_product_one([left, (product, second(1))], nothing)
        assert not pairing.is_product_one([left, (negative(alt_bn128.add(product, G1)), second(1))], nothing)


def test_infinity_pairs_to_one() -> None:
    infinity = ((0, 0), (0, 0))
    assert pairing.is_product_one([], nothing)
    assert pairing.is_product_one([((0, 0), second(3)), (G1, infinity), ((0, 0), infinity)], nothing)
    assert not pairing.is_product_one([((0, 0), second(3)), (G1, second(1))], nothing)


def test_py_ecc_says_the_same() -> None:
    cases: list[list[tuple[alt_bn128.Point, pairing.Twisted]]] = [
        [(G1, second(2)), (negative(alt_bn128.multiply(G1, 2)), second(1))],
        [(G1, second(2)), (alt_bn128.multiply(G1, 5), second(3)), (negative(alt_bn128.multiply(G1, 17)), second(1))],
        [(G1, second(2)), (alt_bn128.multiply(G1, 5), second(3)), (negative(alt_bn128.multiply(G1, 16)), second(1))],
    ]
    said = [pairing.is_product_one(case, nothing) for case in cases]
    assert said == [py_ecc_says_one(case) for case in cases] == [True, True, False]


def test_each_pair_may_be_stopped() -> None:
    steps: list[int] = []
    pairing.is_product_one([(G1, second(1))] * 3, lambda: steps.append(1))
    assert len(steps) == 4


def test_points_of_the_group_pass() -> None:
    for factor in (1, 2, 5, bn128.curve_order - 1):
        assert pairing.validate_twisted(*second(factor)) == second(factor)
    assert pairing.validate_twisted((0, 0), (0, 0)) == ((0, 0), (0, 0))


def square_root(number: bn128.FQ2) -> bn128.FQ2 | None:
    """Return a root in Fp2 of p = 3 mod 4 (Adj and Rodriguez-Henriquez, algorithm 9)."""
    part = number ** ((FIELD - 3) // 4)
    alpha, root = part * part * number, part * number
    minus_one = bn128.FQ2([FIELD - 1, 0])
    found = root * bn128.FQ2([0, 1]) if alpha == minus_one else root * (bn128.FQ2.one() + alpha) ** ((FIELD - 1) // 2)
    return found if found * found == number else None


def test_points_of_the_twist_beside_the_group_are_refused() -> None:
    refused = 0
    for x in range(1, 12):
        root = square_root(bn128.FQ2([x, 1]) ** 3 + bn128.b2)
        if root is None:
            continue
        y = (int(root.coeffs[0]), int(root.coeffs[1]))
        with pytest.raises(NotOnCurve, match="order"):
            pairing.validate_twisted((x, 1), y)
        refused += 1
    assert refused


@pytest.mark.parametrize("place", range(4))
def test_points_off_the_twist_and_numbers_above_the_field_are_refused(place: int) -> None:
    numbers = [*second(1)[0], *second(1)[1]]
    moved = numbers.copy()
    moved[place] = (moved[place] + 1) % FIELD
    with pytest.raises(NotOnCurve, match="equation"):
        pairing.validate_twisted((moved[0], moved[1]), (moved[2], moved[3]))
    numbers[place] += FIELD
    with pytest.raises(NotOnCurve, match="modulus"):
        pairing.validate_twisted((numbers[0], numbers[1]), (numbers[2], numbers[3]))
