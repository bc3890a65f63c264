import doctest
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.consensus import validators
from cocket.node.consensus.validators import faults_max, is_validator, proposer, quorum

A, B, C, D = (bytes([letter]) * 20 for letter in b"abcd")


def test_examples() -> None:
    assert doctest.testmod(validators).failed == 0


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5), (10, 7)])
def test_quorum_is_as_in_besu(count: int, expected: int) -> None:
    assert quorum(count) == expected


@given(st.integers(1, 10_000))
def test_quorum_is_the_formal_specifications(count: int) -> None:
    assert quorum(count) == (count * 2 - 1) // 3 + 1
    assert faults_max(count) == (count - 1) // 3


@given(st.integers(1, 10_000))
def test_two_quorums_share_an_honest_member_and_the_honest_are_one(count: int) -> None:
    assert 2 * quorum(count) - count > faults_max(count)
    assert count - faults_max(count) >= quorum(count)


def test_quorum_by_exhaustion() -> None:
    for count in range(1, 8):
        for one in combinations(range(count), quorum(count)):
            for other in combinations(range(count), quorum(count)):
                assert len(set(one) & set(other)) > faults_max(count)


def test_no_validators_tolerate_no_fault() -> None:
    assert faults_max(0) == 0


def test_the_turn_goes_round_after_the_parents_proposer() -> None:
    assert [proposer((A, B, C, D), B, r) for r in range(5)] == [C, D, A, B, C]
    assert proposer((A, B, C, D), D, 0) == A


def test_a_proposer_that_left_gives_the_turn_to_the_next_address() -> None:
    assert [proposer((A, B, D), C, r) for r in range(3)] == [D, A, B]
    assert proposer((A, B, C), D, 0) == A


def test_block_1_begins_with_the_lowest_address() -> None:
    assert [proposer((A, B, C), bytes(20), r) for r in range(4)] == [A, B, C, A]


def test_without_validators_there_is_no_proposer() -> None:
    with pytest.raises(AssertionError):
        proposer((), A, 0)


def test_is_validator() -> None:
    assert all(is_validator((A, C), who) == (who in (A, C)) for who in (A, B, C, D, bytes(20), b"\xff" * 20))
    assert not is_validator((), A)
