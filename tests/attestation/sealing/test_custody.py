"""Custody: seeds open for their holders and no other seat; f faulty custodians neither open nor keep shut."""

import json
from dataclasses import replace

import pytest
from attestation.sealing.trial import ACCESS, GENESIS_HASH, KEYS, RECOVERY_KEY, VAULT_KEY, custody_of, random_of

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.sealing.binding import Binding
from cocket.attestation.sealing.custody import VAULT, Holder, draw, mask, masked, open_seat, opening_key, seed_bytes
from cocket.attestation.sealing.custody_file import custody_hash, decode_custody, encode_custody

CUSTODY, SEEDS = custody_of(2, 4)
BINDING = Binding(GENESIS_HASH, b"r" * 32, 1, 1)


def test_each_holder_opens_its_seat_and_no_other():
    for seat, key, seed in zip(CUSTODY.custodians, KEYS, SEEDS.custodians, strict=False):
        assert open_seat(CUSTODY, seat, key) == seed
        for other in CUSTODY.custodians:
            if other is not seat:
                with pytest.raises(InvalidFile, match="does not open"):
                    open_seat(CUSTODY, other, key)
    assert open_seat(CUSTODY, CUSTODY.recovery, RECOVERY_KEY) == SEEDS.recovery
    assert open_seat(CUSTODY, CUSTODY.vault, VAULT_KEY) == SEEDS.vault


@pytest.mark.parametrize(
    "change",
    [
        {"batch": b"x" * 32},
        {"genesis_hash": b"x" * 32},
        {"access": b"x" * 20},
        {"threshold": 3},
        {"custodians": CUSTODY.custodians[:3]},
        {"custodians": (replace(CUSTODY.custodians[0], keys_epoch=4), *CUSTODY.custodians[1:])},
        {"custodians": (replace(CUSTODY.custodians[0], authority=9), *CUSTODY.custodians[1:])},
        {"custodians": (CUSTODY.custodians[1], CUSTODY.custodians[0], *CUSTODY.custodians[2:])},
    ],
)
def test_a_seed_opens_for_what_it_was_wrapped_for_only(change):
    changed = replace(CUSTODY, **change)
    seat = next(each for each in changed.custodians if each.wrapped == CUSTODY.custodians[0].wrapped)
    with pytest.raises(InvalidFile, match="does not open"):
        open_seat(changed, seat, KEYS[0])


@pytest.mark.parametrize(
    ("threshold", "count"), [(1, 1), (1, 2), (2, 2), (3, 3), (2, 4), (3, 4), (3, 7), (5, 7), (6, 16), (11, 16)]
)
def test_thresholds_that_f_faulty_neither_open_nor_keep_shut(threshold, count):
    holders = [Holder(number, 0, KEYS[0].public) for number in range(1, count + 1)]
    custody, _ = draw(*_draw(threshold, holders))
    assert custody.threshold == threshold


@pytest.mark.parametrize(("threshold", "count"), [(0, 1), (2, 1), (1, 4), (4, 4), (2, 7), (6, 7), (5, 16), (12, 16)])
def test_other_thresholds_are_refused(threshold, count):
    holders = [Holder(number, 0, KEYS[0].public) for number in range(1, count + 1)]
    with pytest.raises(AttestationError, match=f"threshold of {threshold} with {count}"):
        draw(*_draw(threshold, holders))


def _draw(threshold, holders):
    randomness = random_of("any", seed_bytes(len(holders)))
    return GENESIS_HASH, ACCESS, b"b" * 32, threshold, holders, RECOVERY_KEY.public, VAULT_KEY.public, randomness


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({4: [Holder(1, 0, KEYS[0].public)] * 2}, "twice"),
        ({4: [Holder(VAULT, 0, KEYS[0].public)], 3: 1}, "no authority's number"),
        ({0: b"short"}, "genesis hash"),
        ({1: b"short"}, "address of 20"),
        ({2: b"short"}, "batch root"),
        ({7: bytes(31)}, "31 random bytes"),
    ],
)
def test_what_cannot_be_a_custody_is_refused(change, why):
    arguments = list(_draw(2, [Holder(number, 0, KEYS[0].public) for number in (1, 2)]))
    for at, value in change.items():
        arguments[at] = value
    if 7 not in change:
        arguments[7] = random_of("any", seed_bytes(len(arguments[4])))
    with pytest.raises(AttestationError, match=why):
        draw(*arguments)


def test_masks_differ_by_seed_group_record_kind_and_epoch():
    seed = SEEDS.custodians[0]
    bindings = [
        BINDING,
        replace(BINDING, genesis_hash=b"x" * 32),
        replace(BINDING, document_root=b"x" * 32),
        replace(BINDING, kind=2),
        replace(BINDING, key_epoch=2),
    ]
    masks = {mask(each, binding, group) for each in SEEDS.custodians for binding in bindings for group in range(6)}
    assert len(masks) == 4 * 5 * 6
    assert opening_key(seed, BINDING) not in masks
    assert masked(masked(seed, b"m" * 32), b"m" * 32) == seed


def test_seeds_are_not_shown():
    assert repr(SEEDS) == "Seeds(4 custodians)"


def test_a_custody_reads_back():
    data = encode_custody(CUSTODY)
    assert decode_custody(data) == CUSTODY
    assert encode_custody(decode_custody(data)) == data
    assert custody_hash(CUSTODY) != custody_hash(replace(CUSTODY, threshold=3))
    assert custody_hash(CUSTODY) != custody_hash(replace(CUSTODY, access=b"x" * 20))
    assert not any(seed.hex() in data.decode() for seed in (*SEEDS.custodians, SEEDS.recovery, SEEDS.vault))


def _set(node, place, value):
    for name in place[:-1]:
        node = node[name]
    node[place[-1]] = value


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        (["format"], "cocket-custody-2", "expected cocket-custody-1"),
        (["threshold"], 1, "threshold of 1 with 4"),
        (["threshold"], "2", "expected an integer"),
        (["batch"], "0x00", "64 hexadecimal digits"),
        (["access"], "0x" + "00" * 32, "40 hexadecimal digits"),
        (["custodians"], [], "threshold of 2 with 0"),
        (["custodians", 1, "authority"], 1, "named twice"),
        (["custodians", 0, "authority"], VAULT, "integer below"),
        (["custodians", 0, "suite"], 0x20, "one of"),
        (["custodians", 1, "suite"], 0x647A, "hexadecimal digits"),
        (["custodians", 0, "more"], 1, "expected an object of"),
        (["recovery", "wrapped"], "0x", "hexadecimal digits"),
        (["vault"], None, "expected an object of"),
    ],
)
def test_another_file_is_refused(place, value, why):
    node = json.loads(encode_custody(CUSTODY))
    _set(node, place, value)
    with pytest.raises(InvalidFile, match=why):
        decode_custody(json.dumps(node).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"format": "cocket-custody-1"}', b" " * 70_000])
def test_no_file_is_refused(data):
    with pytest.raises(InvalidFile):
        decode_custody(data)
