"""Records: what was sealed opens with enough custodians and the vault's ciphertext, and no otherwise."""

from dataclasses import replace
from itertools import combinations

import pytest
from attestation.sealing.trial import CERTIFICATE, GENESIS_HASH, anchored, custody_of, random_of

from cocket.attestation.codes import EXAMPLES
from cocket.attestation.errors import AttestationError, FalseShare, InvalidDocument, InvalidFile
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.prove import HiddenGroup, OpenCountry, integrity_of, present, whole
from cocket.attestation.sealing.cipher import TAG_BYTES
from cocket.attestation.sealing.custody import mask, opening_key, vault_seed
from cocket.attestation.sealing.record import (
    group_key,
    open_group,
    open_vault,
    presentation_of,
    random_bytes,
    recovered_key,
    rewrap,
    rewrap_bytes,
    seal,
    sealable,
    sealable_of,
    validate_manifest,
)

GROUPS = range(len(CERTIFICATE_OF_ORIGIN.groups))


def sealed(certificate=CERTIFICATE, threshold=2, count=4, label="sealing", **more):
    custody, seeds = custody_of(threshold, count, certificate.anchor.batch)
    randomness = random_of(label, random_bytes(CERTIFICATE_OF_ORIGIN, threshold))
    return seal(sealable(certificate), custody, seeds, randomness, **more), custody, seeds


RECORD, CUSTODY, SEEDS = sealed()
MANIFEST = RECORD.manifest


def masks_of(seeds, manifest, group, numbers):
    return {number: mask(seeds.custodians[number - 1], manifest.binding, group) for number in numbers}


def keys_of(record, seeds, threshold, numbers):
    manifest = record.manifest
    return [group_key(manifest, threshold, group, masks_of(seeds, manifest, group, numbers)) for group in GROUPS]


def opened(record, keys):
    return {group: open_group(record.manifest, group, record.ciphertexts[group], keys[group]) for group in GROUPS}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize(("threshold", "count"), [(1, 1), (2, 4), (3, 4), (3, 3)])
def test_what_was_sealed_opens_whole_and_is_the_certificate(name, threshold, count):
    certificate = anchored(name)
    record, custody, seeds = sealed(certificate, threshold, count)
    validate_manifest(record.manifest, custody)
    opening = open_vault(record.manifest, seeds.vault)
    groups = opened(record, keys_of(record, seeds, threshold, range(1, threshold + 1)))
    shown = presentation_of(record.manifest, opening.dialect, opening.country, opening.anchor, groups)
    assert shown == whole(certificate)
    integrity = integrity_of(shown)
    assert integrity.problems == ()
    assert integrity.is_anchored_item


def test_any_two_custodians_of_four_open_it_and_more_do_too():
    for numbers in [*combinations(range(1, 5), 2), (1, 2, 3, 4)]:
        assert keys_of(RECORD, SEEDS, 2, numbers) == keys_of(RECORD, SEEDS, 2, (1, 2))


def test_one_of_two_is_refused_and_its_share_leads_nowhere():
    with pytest.raises(AttestationError, match="answers of 1 custodians; expected 2"):
        group_key(MANIFEST, 2, 0, masks_of(SEEDS, MANIFEST, 0, [1]))
    with pytest.raises(InvalidFile, match="another key"):
        group_key(MANIFEST, 1, 0, masks_of(SEEDS, MANIFEST, 0, [1]))


def test_a_custodian_that_answers_falsely_is_named():
    masks = masks_of(SEEDS, MANIFEST, 0, [1, 2, 3])
    for number in (1, 2):
        with pytest.raises(FalseShare, match=f"custodian number {number}") as caught:
            group_key(MANIFEST, 2, 0, {**masks, number: bytes(32)})
        assert caught.value.number == number
    assert group_key(MANIFEST, 2, 0, {1: masks[1], 3: masks[3]})


@pytest.mark.parametrize("number", [0, 5, -1])
def test_an_answer_of_nobody_is_refused(number):
    with pytest.raises(AttestationError, match="expected 1 to 4"):
        group_key(MANIFEST, 2, 0, {number: bytes(32), 1: bytes(32)})


def test_the_answer_for_a_group_opens_no_other_group_and_no_other_record():
    other = sealed(anchored(EXAMPLES[0]), label="another")[0]
    masks = masks_of(SEEDS, MANIFEST, 2, [1, 2])
    for group in GROUPS:
        if group != 2:
            with pytest.raises(FalseShare):
                group_key(MANIFEST, 2, group, masks)
    for manifest in (other.manifest, sealed(key_epoch=2, label="again")[0].manifest):
        with pytest.raises(FalseShare):
            group_key(manifest, 2, 2, masks)


def test_the_recovery_seed_opens_everything_without_a_custodian():
    keys = [recovered_key(MANIFEST, group, SEEDS.recovery) for group in GROUPS]
    assert keys == keys_of(RECORD, SEEDS, 2, (3, 4))
    with pytest.raises(InvalidFile, match="another key"):
        recovered_key(MANIFEST, 0, SEEDS.vault)


def test_without_the_keys_nothing_opens_and_a_key_opens_its_group_only():
    keys = keys_of(RECORD, SEEDS, 2, (1, 2))
    assert len(set(keys)) == len(keys)
    for group in GROUPS:
        for other in GROUPS:
            if other != group:
                with pytest.raises(InvalidFile, match="another key"):
                    open_group(MANIFEST, group, RECORD.ciphertexts[group], keys[other])
                with pytest.raises(InvalidFile, match="not the one the manifest names"):
                    open_group(MANIFEST, group, RECORD.ciphertexts[other], keys[group])


def test_a_changed_ciphertext_or_manifest_does_not_open():
    keys = keys_of(RECORD, SEEDS, 2, (1, 2))
    ciphertext = RECORD.ciphertexts[1]
    for at in (0, 100, len(ciphertext) - 1):
        changed = ciphertext[:at] + bytes([ciphertext[at] ^ 1]) + ciphertext[at + 1 :]
        with pytest.raises(InvalidFile, match="not the one the manifest names"):
            open_group(MANIFEST, 1, changed, keys[1])
    bindings = [{"genesis_hash": b"x" * 32}, {"document_root": b"x" * 32}, {"kind": 2}, {"key_epoch": 2}]
    for change in bindings:
        elsewhere = replace(MANIFEST, binding=replace(MANIFEST.binding, **change))
        with pytest.raises(InvalidFile, match="does not open"):
            open_group(elsewhere, 1, ciphertext, keys[1])
    groups = list(MANIFEST.groups)
    groups[1] = replace(groups[1], hash=groups[0].hash)
    with pytest.raises(InvalidFile, match="not those attested"):
        open_group(replace(MANIFEST, groups=tuple(groups)), 1, ciphertext, keys[1])


def test_groups_not_opened_stay_hidden_and_the_country_with_them():
    keys = keys_of(RECORD, SEEDS, 2, (1, 2))
    opening = open_vault(MANIFEST, SEEDS.vault)
    two = {group: open_group(MANIFEST, group, RECORD.ciphertexts[group], keys[group]) for group in (0, 2)}
    shown = presentation_of(MANIFEST, opening.dialect, b"h" * 32, opening.anchor, two)
    assert [isinstance(group, HiddenGroup) for group in shown.groups] == [False, True, False, True, True, True]
    shown = presentation_of(MANIFEST, opening.dialect, opening.country, opening.anchor, two)
    assert integrity_of(shown).problems == ()


def test_the_vault_knows_where_it_belongs_and_nobody_else():
    opening = open_vault(MANIFEST, SEEDS.vault)
    assert opening.anchor == CERTIFICATE.anchor
    assert isinstance(opening.country, OpenCountry)
    assert opening.country.country == "SG"
    for seed in (*SEEDS.custodians, SEEDS.recovery):
        with pytest.raises(InvalidFile, match="does not open"):
            open_vault(MANIFEST, seed)
    assert opening_key(SEEDS.vault, MANIFEST.binding) != opening_key(SEEDS.recovery, MANIFEST.binding)


def test_the_recovery_key_restores_the_opening_too():
    assert open_vault(MANIFEST, vault_seed(SEEDS.recovery)) == open_vault(MANIFEST, SEEDS.vault)
    assert vault_seed(SEEDS.vault) != SEEDS.recovery


def test_what_was_opened_whole_is_sealed_anew_under_the_next_epoch():
    keys = [recovered_key(MANIFEST, group, SEEDS.recovery) for group in GROUPS]
    opening = open_vault(MANIFEST, SEEDS.vault)
    everything = presentation_of(MANIFEST, opening.dialect, opening.country, opening.anchor, opened(RECORD, keys))
    custody, seeds = custody_of(1, 1, label="new seeds")
    randomness = random_of("anew", random_bytes(CERTIFICATE_OF_ORIGIN, 1))
    again = seal(sealable_of(everything), custody, seeds, randomness, key_epoch=2)
    assert again.manifest.binding == replace(MANIFEST.binding, key_epoch=2)
    assert not {group.key for group in again.manifest.groups} & {group.key for group in MANIFEST.groups}
    assert opened(again, keys_of(again, seeds, 1, (1,))) == opened(RECORD, keys)
    with pytest.raises(InvalidFile, match="another key"):
        recovered_key(again.manifest, 0, SEEDS.recovery)


def test_a_presentation_that_hides_something_is_not_sealed():
    for hiding in (present(CERTIFICATE, ("goods",)), present(CERTIFICATE, show_country=False)):
        with pytest.raises(InvalidDocument, match="hides something"):
            sealable_of(hiding)


def test_lengths_say_the_size_class_only():
    lengths = {tuple(len(each) for each in sealed(anchored(name))[0].ciphertexts) for name in EXAMPLES}
    assert lengths == {tuple(size + TAG_BYTES for size in CERTIFICATE_OF_ORIGIN.sealed_bytes_min)}
    assert len({len(sealed(anchored(country=country))[0].manifest.opening) for country in ("SG", "ZZ")}) == 1


def test_nothing_planted_is_seen_without_keys():
    seen = b"".join([*RECORD.ciphertexts, MANIFEST.opening, repr(MANIFEST).encode()])
    words = [value for _, value in whole(CERTIFICATE).fields() if isinstance(value, str) and len(value) > 5]
    assert len(words) > 20
    assert not [word for word in words if word.encode() in seen]
    assert CERTIFICATE.secret not in seen


def test_two_sealings_of_one_certificate_have_nothing_in_common():
    again, _, _ = sealed(label="once more")
    for one, another in zip(MANIFEST.groups, again.manifest.groups, strict=True):
        assert one.hash == another.hash
        assert one.key != another.key
        assert not set(one.shares) & set(another.shares)
        assert one.ciphertext != another.ciphertext


def test_rewrapping_changes_who_opens_what_is_stored_and_withdraws_nothing():
    keys = keys_of(RECORD, SEEDS, 2, (1, 2))
    opening = open_vault(MANIFEST, SEEDS.vault)
    custody, seeds = custody_of(3, 4, label="new seeds")
    randomness = random_of("rewrap", rewrap_bytes(CERTIFICATE_OF_ORIGIN, 3))
    manifest = rewrap(MANIFEST, keys, opening, custody, seeds, randomness)
    validate_manifest(manifest, custody)
    record = replace(RECORD, manifest=manifest)
    assert keys_of(record, seeds, 3, (1, 2, 4)) == keys
    assert opened(record, keys) == opened(RECORD, keys)
    assert open_vault(manifest, seeds.vault) == opening
    assert [recovered_key(manifest, group, seeds.recovery) for group in GROUPS] == keys
    with pytest.raises(FalseShare):
        group_key(manifest, 3, 0, masks_of(SEEDS, manifest, 0, (1, 2, 3)))
    with pytest.raises(InvalidFile):
        open_vault(manifest, SEEDS.vault)
    assert keys_of(RECORD, SEEDS, 2, (1, 2)) == keys, "whoever kept the former manifest"


def test_rewrapping_for_a_single_custodian_takes_no_randomness():
    keys = keys_of(RECORD, SEEDS, 2, (1, 2))
    custody, seeds = custody_of(1, 1, label="new seeds")
    manifest = rewrap(MANIFEST, keys, open_vault(MANIFEST, SEEDS.vault), custody, seeds, b"")
    assert keys_of(replace(RECORD, manifest=manifest), seeds, 1, (1,)) == keys


def test_rewrapping_wants_a_new_custody_of_the_same_batch_and_true_keys():
    keys = keys_of(RECORD, SEEDS, 2, (1, 2))
    opening = open_vault(MANIFEST, SEEDS.vault)
    randomness = random_of("rewrap", rewrap_bytes(CERTIFICATE_OF_ORIGIN, 2))
    with pytest.raises(AttestationError, match="under already"):
        rewrap(MANIFEST, keys, opening, CUSTODY, SEEDS, randomness)
    custody, seeds = custody_of(2, 4, b"x" * 32)
    with pytest.raises(AttestationError, match="another batch"):
        rewrap(MANIFEST, keys, opening, custody, seeds, randomness)
    custody, seeds = custody_of(2, 4, label="new seeds")
    with pytest.raises(InvalidFile, match="another key"):
        rewrap(MANIFEST, [*keys[:-1], bytes(32)], opening, custody, seeds, randomness)
    with pytest.raises(AttestationError, match="random bytes"):
        rewrap(MANIFEST, keys, opening, custody, seeds, randomness[:-1])


def test_what_is_not_anchored_here_or_was_changed_is_not_sealed():
    randomness = random_of("sealing", random_bytes(CERTIFICATE_OF_ORIGIN, 2))
    with pytest.raises(InvalidDocument, match="not anchored"):
        sealable(replace(CERTIFICATE, anchor=None))
    with pytest.raises(InvalidDocument, match="was changed"):
        sealable(replace(CERTIFICATE, secret=b"x" * 32))
    elsewhere = replace(CERTIFICATE, anchor=replace(CERTIFICATE.anchor, genesis_hash=b"x" * 32))
    with pytest.raises(InvalidDocument, match="which the custody is for"):
        seal(sealable(elsewhere), CUSTODY, SEEDS, randomness)
    with pytest.raises(AttestationError, match="random bytes"):
        seal(sealable(CERTIFICATE), CUSTODY, SEEDS, randomness[:-1])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda m: replace(m, binding=replace(m.binding, kind=99)), "kind 99"),
        (lambda m: replace(m, groups=m.groups[:-1]), "5 groups"),
        (lambda m: replace(m, binding=replace(m.binding, document_root=b"x" * 32)), "lead to the document root"),
        (lambda m: replace(m, custody=b"x" * 32), "not the one that the manifest names"),
        (lambda m: replace(m, binding=replace(m.binding, genesis_hash=b"x" * 32)), "not the one"),
        (lambda m: replace(m, groups=(replace(m.groups[0], shares=m.groups[0].shares[:3]), *m.groups[1:])), "of 3"),
    ],
)
def test_a_manifest_that_does_not_hold_is_refused(change, why):
    validate_manifest(MANIFEST, CUSTODY)
    with pytest.raises(InvalidFile, match=why):
        validate_manifest(change(MANIFEST), CUSTODY)


def test_the_binding_names_the_network():
    assert MANIFEST.binding.genesis_hash == GENESIS_HASH
