"""The tree of a period, and an auditor who finds whatever was done to a keeper's receipts after they were anchored."""

from dataclasses import replace
from hashlib import shake_256

import pytest
from attestation.reading.trial import KEEPER, history_of, receipt_number

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.merkle import keccak256
from cocket.attestation.reading.receipt import encode_receipt, leaf_of
from cocket.attestation.reading.receipts import (
    DEPTH_MAX,
    NO_ROOT,
    Period,
    proof_of,
    root_by,
    root_of,
    root_over,
    verify_history,
    verify_period,
)

PERIODS, ANCHORED = history_of(3, 0, 70)


def rules(periods, anchored=ANCHORED, held=(), keeper=KEEPER):
    return [(each.sequence, each.number, each.rule) for each in verify_history(keeper, periods, anchored, held)]


def root_by_hand(period, depth):
    """The root, from docs/formats.md alone."""
    missing = (1 << depth) - len(period.receipts)
    padding = shake_256(b"cocket\x01\x34" + period.seed).digest(32 * missing)
    level = [keccak256(b"cocket\x01\x30" + each) for each in period.receipts]
    level += [padding[32 * at : 32 * at + 32] for at in range(missing)]
    while len(level) > 1:
        level = [keccak256(b"cocket\x01\x31" + level[at] + level[at + 1]) for at in range(0, len(level), 2)]
    numbers = period.keeper.to_bytes(8) + period.sequence.to_bytes(8) + period.first.to_bytes(8)
    return keccak256(b"cocket\x01\x32" + numbers + bytes((depth,)) + period.previous + level[0])


@pytest.mark.parametrize(("at", "depth"), [(0, 6), (1, 6), (2, 7)])
def test_a_root_is_that_of_the_formats_page(at, depth):
    assert root_of(PERIODS[at]) == root_by_hand(PERIODS[at], depth)


def test_each_receipt_has_a_path_to_the_anchored_root():
    for period in PERIODS:
        for at, receipt in enumerate(period.receipts[::23]):
            proof = proof_of(period, period.first + 23 * at)
            assert root_by(proof, receipt) == ANCHORED[period.sequence]


def test_no_other_path_leads_there():
    period = PERIODS[0]
    proof, receipt = proof_of(period, 1), period.receipts[1]
    assert root_by(proof, receipt) == ANCHORED[1]
    for changed in (
        replace(proof, sequence=2),
        replace(proof, previous=b"p" * 32),
        replace(proof, path=(bytes(32), *proof.path[1:])),
        replace(proof, path=(*proof.path, bytes(32))),
    ):
        assert root_by(changed, receipt) != ANCHORED[1]
    altered = encode_receipt(replace(receipt_number(1), decision=0))
    assert root_by(proof, altered) != ANCHORED[1]


def test_a_proof_of_another_receipt_is_refused():
    proof, receipt = proof_of(PERIODS[0], 1), PERIODS[0].receipts[1]
    for changed in (replace(proof, place=2), replace(proof, first=1), replace(proof, keeper=3)):
        with pytest.raises(InvalidFile, match="which the proof is not about"):
            root_by(changed, receipt)
    for changed in (
        replace(proof, path=proof.path[1:]),
        replace(proof, path=proof.path * 4),
        replace(proof, place=64),
        replace(proof, place=-1),
    ):
        with pytest.raises(InvalidFile, match="which no period has"):
            root_by(changed, receipt)
    with pytest.raises(InvalidFile, match="a receipt of 3 bytes"):
        root_by(proof, b"abc")
    for number in (3, -1):
        with pytest.raises(AttestationError, match="expected 0 to 2"):
            proof_of(PERIODS[0], number)


def test_a_period_over_its_bound_or_without_its_seed_has_no_root():
    with pytest.raises(AttestationError, match="and 1048577 receipts"):
        root_over(KEEPER, 1, 0, NO_ROOT, b"s" * 32, [b""] * ((1 << DEPTH_MAX) + 1))
    with pytest.raises(AttestationError, match="a seed of 31 bytes"):
        root_over(KEEPER, 1, 0, NO_ROOT, b"s" * 31, [])


def test_the_root_says_nothing_of_how_many_there_were():
    """Depth and length are the same without receipts and with 64; the seed makes each root another."""
    empty = Period(KEEPER, 1, 0, NO_ROOT, b"s" * 32, ())
    assert root_of(empty) == root_by_hand(empty, 6)
    full = replace(PERIODS[2], receipts=PERIODS[2].receipts[:64])
    assert root_of(full) == root_by_hand(full, 6)
    assert root_of(empty) != root_of(replace(empty, seed=b"t" * 32))


def test_a_true_history_has_no_finding():
    held = [PERIODS[0].receipts[2], PERIODS[2].receipts[69], encode_receipt(receipt_number(73))]
    assert rules(PERIODS, held=held) == []
    assert rules([], anchored={}) == []


def test_a_deleted_receipt_is_found():
    first = PERIODS[0]
    without = replace(first, receipts=(first.receipts[0], first.receipts[2]))
    assert (1, 1, "missing") in rules([without, *PERIODS[1:]])
    assert (1, None, "root") in rules([without, *PERIODS[1:]])
    assert (2, None, "missing") in rules([without, *PERIODS[1:]])  # numbers go on from 3, not 2
    closed_up = replace(first, receipts=(first.receipts[0], encode_receipt(replace(receipt_number(2), number=1))))
    assert (1, None, "root") in rules([closed_up, *PERIODS[1:]])
    last = replace(PERIODS[2], receipts=PERIODS[2].receipts[:-1])
    assert rules([*PERIODS[:2], last]) == [(3, None, "root")]


def test_an_added_or_changed_receipt_is_found():
    added = replace(PERIODS[2], receipts=(*PERIODS[2].receipts, encode_receipt(receipt_number(73))))
    assert rules([*PERIODS[:2], added]) == [(3, None, "root")]
    changed = encode_receipt(replace(receipt_number(1), decision=0))
    period = replace(PERIODS[0], receipts=(PERIODS[0].receipts[0], changed, PERIODS[0].receipts[2]))
    assert rules([period, *PERIODS[1:]]) == [(1, None, "root")]


def test_reordered_receipts_are_found():
    one, two, three = PERIODS[0].receipts
    assert rules([replace(PERIODS[0], receipts=(one, three, two)), *PERIODS[1:]]) == [
        (1, 1, "missing"),
        (1, 2, "order"),
        (1, None, "root"),
    ]


def test_reordered_missing_and_repeated_periods_are_found():
    one, two, three = PERIODS
    assert rules([one, three, two]) == [(2, None, "missing"), (2, None, "order")]
    assert rules([one, three]) == [(2, None, "missing")]
    assert rules([two, three]) == [(1, None, "missing")]
    assert rules([one, one, two, three]) == [(1, None, "order")]
    assert rules([one, two]) == [(3, None, "missing")]
    assert rules([]) == [(1, None, "missing"), (2, None, "missing"), (3, None, "missing")]


def test_a_fork_is_found():
    """Another history from the same beginning, as two auditors could be told."""
    other = replace(PERIODS[1], receipts=(encode_receipt(receipt_number(3)),))
    after = replace(PERIODS[2], first=4, previous=root_of(other))
    assert rules([PERIODS[0], other, after]) == [
        (2, None, "root"),
        *[(3, number, "order") for number in range(4, 74)],
        (3, None, "root"),
        (3, None, "previous"),
    ]
    unanchored = rules([PERIODS[0], other], anchored={1: ANCHORED[1]})
    assert unanchored == [(2, None, "unanchored")]


def test_a_receipt_that_a_reader_shows_and_the_keeper_does_not_is_found():
    held = encode_receipt(replace(receipt_number(4), salt=b"o" * 16))
    assert rules(PERIODS, held=[held]) == [(3, 4, "fork")]
    of_another_keeper = encode_receipt(receipt_number(4, keeper=3))
    assert rules(PERIODS, held=[of_another_keeper]) == []
    with pytest.raises(InvalidFile, match="a receipt of 1 bytes"):
        rules(PERIODS, held=[b"x"])


def test_what_no_reader_signed_and_what_is_of_another_keeper_is_found():
    forged = encode_receipt(replace(receipt_number(0), reader=b"o" * 20))
    foreign = encode_receipt(receipt_number(1, keeper=3))
    period = Period(KEEPER, 1, 0, NO_ROOT, b"s" * 32, (forged, foreign, b"x"))
    assert [(each.number, each.rule) for each in verify_period(period, root_of(period))] == [
        (0, "signature"),
        (1, "keeper"),
        (2, "receipt"),
    ]
    assert (1, None, "keeper") in rules(PERIODS, keeper=3)


def test_a_period_with_a_wrong_seed_is_found():
    assert rules([replace(PERIODS[0], seed=b"o" * 32), *PERIODS[1:]]) == [(1, None, "root")]
    assert rules([replace(PERIODS[0], seed=b""), *PERIODS[1:]]) == [(1, None, "root")]
    assert rules([replace(PERIODS[0], seed=b""), PERIODS[1]], anchored={}) == [
        (1, None, "root"),
        (2, None, "unanchored"),
    ]


def test_a_period_shows_neither_its_seed_nor_its_receipts():
    assert repr(PERIODS[0]) == f"Period(keeper={KEEPER}, sequence=1, first=0, 3 receipts)"
    assert PERIODS[0].seed.hex() not in repr(PERIODS[0])
    assert leaf_of(PERIODS[0].receipts[0]) != leaf_of(PERIODS[0].receipts[1])
