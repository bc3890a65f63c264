import doctest

import pytest

from cocket.network import allowance, gate
from cocket.network.allowance import Allowance


def test_examples() -> None:
    assert doctest.testmod(allowance).failed == doctest.testmod(gate).failed == 0


def test_what_is_not_there_is_not_taken() -> None:
    purse = Allowance(rate=1, burst=2, now_s=0)
    assert [purse.try_take(1, 0) for _ in range(3)] == [True, True, False]
    assert purse.left(0) == 0
    assert not purse.try_take(1, 0.9)
    assert purse.try_take(1, 1.0)


def test_it_fills_up_to_its_burst() -> None:
    purse = Allowance(rate=1, burst=2, now_s=0)
    assert purse.is_full(0)
    assert purse.left(1_000) == 2
    purse.take(3, 1_000)
    assert not purse.is_full(1_000)
    assert purse.left(1_000.5) == -0.5
    assert purse.is_full(1_003)


def test_who_has_overdrawn_waits_as_long_as_it_takes() -> None:
    purse = Allowance(rate=0.25, burst=1, now_s=0)
    purse.take(2, 0)
    assert purse.wait_s(0) == 4
    assert purse.wait_s(3) == pytest.approx(1)
    assert purse.wait_s(4) == 0
