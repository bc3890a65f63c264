"""Sharing: any threshold of the shares give the secret back; fewer are consistent with every secret."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.errors import AttestationError
from cocket.attestation.sealing.shamir import SHARES_MAX, coefficient_bytes, combine, split

SECRET = bytes(range(100, 132))


@st.composite
def sharings(draw):
    count = draw(st.integers(1, SHARES_MAX))
    threshold = draw(st.integers(1, count))
    secret = draw(st.binary(min_size=1, max_size=40))
    size = coefficient_bytes(len(secret), threshold)
    coefficients = draw(st.binary(min_size=size, max_size=size))
    chosen = draw(st.permutations(range(1, count + 1)))[:threshold]
    return secret, threshold, count, coefficients, chosen


@given(sharings())
def test_any_threshold_of_them_give_the_secret_back(sharing):
    secret, threshold, count, coefficients, chosen = sharing
    shares = split(secret, threshold, count, coefficients)
    assert [len(share) for share in shares] == [len(secret)] * count
    assert combine({number: shares[number - 1] for number in chosen}) == secret
    assert combine(dict(enumerate(shares, 1))) == secret


def test_shares_are_the_values_of_the_polynomial_over_the_field_of_aes():
    """57 * 83 = c1 is FIPS 197's own example; here the share of number 3 by 3 * a = a ^ 2a."""
    assert split(b"\x00", 2, 3, b"\x57")[2] == bytes([0x57 ^ 0xAE])
    assert split(b"\x11", 2, 3, b"\x83")[1] == bytes([0x11 ^ ((0x83 << 1) ^ 0x11B)])
    assert split(b"\x11", 3, 3, b"\x02\x03")[0] == bytes([0x11 ^ 0x02 ^ 0x03])


ALL = bytes(range(256))


@pytest.mark.parametrize("secret", [0x00, 0x42, 0xFF])
def test_one_of_two_fits_every_secret_equally(secret):
    """Over all coefficients each share takes each value once, whatever the secret: 256 of them shared at once."""
    for share in split(bytes([secret]) * 256, 2, 5, ALL):
        assert sorted(share) == list(ALL)


@pytest.mark.parametrize("secret", [0x00, 0x42, 0xFF])
def test_two_of_three_fit_every_secret_equally(secret):
    coefficients = ALL * 256 + b"".join(bytes([each]) * 256 for each in ALL)
    for one, another in combinations(split(bytes([secret]) * 65536, 3, 4, coefficients), 2):
        assert len(set(zip(one, another, strict=True))) == 65536


@pytest.mark.parametrize(("threshold", "count"), [(0, 1), (2, 1), (1, SHARES_MAX + 1), (1, 0)])
def test_impossible_numbers_are_refused(threshold, count):
    with pytest.raises(AttestationError, match=f"found {threshold} of {count} shares"):
        split(SECRET, threshold, count, bytes(max(0, coefficient_bytes(32, threshold))))


def test_other_randomness_than_needed_is_refused():
    with pytest.raises(AttestationError, match="found 31 random bytes; expected 32"):
        split(SECRET, 2, 3, bytes(31))


@pytest.mark.parametrize("shares", [{}, {0: SECRET}, {SHARES_MAX + 1: SECRET}, {1: SECRET, 2: SECRET[:-1]}])
def test_what_cannot_be_shares_is_refused(shares):
    with pytest.raises(AttestationError, match="found shares"):
        combine(shares)
