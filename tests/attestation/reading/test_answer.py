"""Answers: masks come back to the reader that asked, for what it asked, from whom it asked, and to nobody else."""

from dataclasses import replace

import pytest
from attestation.reading.trial import FRESH_KEYS, KEEPER, REQUEST, random_of
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.reading.answer import unwrap_masks, wrap_masks
from cocket.attestation.sealing.hpke import PrivateKey, Suite

MASKS = {group: random_of(f"mask {group}", 32) for group in (0, 2, 5)}
OTHERS = {group: random_of(f"other mask {group}", 32) for group in (0, 2, 5)}
KEY = FRESH_KEYS[Suite.P256]


@pytest.mark.parametrize("suite", Suite)
def test_masks_come_back(suite):
    request = replace(REQUEST, fresh_key=FRESH_KEYS[suite].public)
    wrapped = wrap_masks(request, KEEPER, [MASKS])
    assert unwrap_masks(request, KEEPER, FRESH_KEYS[suite], wrapped, 1) == (MASKS,)
    assert not any(mask in wrapped for mask in MASKS.values())


def test_an_answer_opens_as_nothing_else():
    wrapped = wrap_masks(REQUEST, KEEPER, [MASKS])
    assert unwrap_masks(REQUEST, KEEPER, KEY, wrapped, 1) == (MASKS,)
    for request, keeper, key in (
        (replace(REQUEST, nonce=b"o" * 32), KEEPER, KEY),
        (replace(REQUEST, groups=0b100011), KEEPER, KEY),
        (REQUEST, KEEPER + 1, KEY),
        (REQUEST, KEEPER, PrivateKey(Suite.P256, b"o" * 32)),
    ):
        with pytest.raises(InvalidFile, match="a wrap that this key does not open"):
            unwrap_masks(request, keeper, key, wrapped, 1)
    with pytest.raises(InvalidFile, match="for 2 groups of 1 records"):
        unwrap_masks(replace(REQUEST, groups=0b11), KEEPER, KEY, wrapped, 1)


def test_a_changed_answer_is_refused():
    wrapped = wrap_masks(REQUEST, KEEPER, [MASKS])
    for changed in (wrapped[:-1], wrapped + b"\0", b""):
        with pytest.raises(InvalidFile, match=f"an answer of {len(changed)} bytes; expected 177 for 3 groups"):
            unwrap_masks(REQUEST, KEEPER, KEY, changed, 1)
    with pytest.raises(InvalidFile, match="does not open"):
        unwrap_masks(REQUEST, KEEPER, KEY, wrapped[:-1] + bytes((wrapped[-1] ^ 1,)), 1)


@given(st.binary(min_size=177, max_size=177))
@settings(max_examples=30)
def test_opening_raises_nothing_else(data):
    with pytest.raises(InvalidFile):
        unwrap_masks(REQUEST, KEEPER, KEY, data, 1)


@pytest.mark.parametrize(
    "masks", [{}, {0: MASKS[0]}, {**MASKS, 1: MASKS[0]}, {**MASKS, 5: b"short"}], ids=["none", "few", "more", "short"]
)
def test_masks_of_other_groups_are_not_wrapped(masks):
    with pytest.raises(AttestationError, match=r"expected 32 bytes for each of \[0, 2, 5\]"):
        wrap_masks(REQUEST, KEEPER, [MASKS, masks])


def test_masks_of_several_records_come_back_in_order():
    wrapped = wrap_masks(REQUEST, KEEPER, [MASKS, OTHERS])
    assert unwrap_masks(REQUEST, KEEPER, KEY, wrapped, 2) == (MASKS, OTHERS)
    with pytest.raises(InvalidFile, match="for 3 groups of 1 records"):
        unwrap_masks(REQUEST, KEEPER, KEY, wrapped, 1)
