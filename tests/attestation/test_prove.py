"""Presentations: what is shown holds, what is changed is named, what is hidden stays hidden, what must show shows."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.batch import BatchBuilder, batch_leaf, country_hash
from cocket.attestation.check import require
from cocket.attestation.codes import EXAMPLES, load_example
from cocket.attestation.commit import commit, group_leaves, secrets_of
from cocket.attestation.errors import InvalidBatch, InvalidFile, InvalidSelection
from cocket.attestation.files import decode_presentation, encode_presentation
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.prove import (
    Anchor,
    HiddenGroup,
    OpenCountry,
    OpenGroup,
    PartialGroup,
    certificate_of,
    integrity_of,
    present,
    whole,
)

SECRET = bytes(range(32))
NAMES = CERTIFICATE_OF_ORIGIN.groups
EXPORTER = "/credentialSubject/exporterDetails/name"


def anchored(name=EXAMPLES[1], country="SG"):
    checked = require(load_example(name))
    secrets = secrets_of(SECRET, checked.dialect.kind)
    root = commit(checked.dialect.kind, checked.groups, secrets)
    builder = BatchBuilder(1, SECRET, 7)
    builder.extend(bytes(64))
    position = builder.add(batch_leaf(root, country_hash(secrets.country_salt, country)))
    batch = builder.build()
    index = batch.index_of(position)
    anchor = Anchor(4711, b"g" * 32, b"c" * 20, 7, batch.root, index, batch.path_of(index))
    return certificate_of(checked, SECRET, country).anchored(anchor)


CERTIFICATE = anchored()
POINTERS = [pointer for pointer, _ in whole(CERTIFICATE).fields()]


def kinds_of(presentation):
    return {name: type(group) for name, group in zip(NAMES, presentation.groups, strict=True)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_everything_is_whole(name):
    certificate = anchored(name)
    integrity = integrity_of(present(certificate))
    assert integrity.problems == ()
    assert integrity.is_anchored_item
    assert certificate.anchor is not None
    assert integrity.batch_root == certificate.anchor.batch


@given(st.lists(st.sampled_from([*NAMES, *POINTERS]), max_size=6), st.booleans())
def test_any_selection_is_whole_and_shows_only_what_was_asked(selection, show_country):
    presentation = present(CERTIFICATE, selection, show_country=show_country)
    integrity = integrity_of(presentation)
    assert integrity.problems == ()
    assert integrity == integrity_of(present(CERTIFICATE))
    tree = require(load_example(EXAMPLES[1])).dialect.tree
    shown = {pointer for pointer, _ in presentation.fields()}
    wanted = {
        pointer
        for pointer in POINTERS
        if pointer in selection or NAMES[tree.group_of(pointer)] in ("certificate", *selection)
    }
    assert shown == wanted
    hidden = json.dumps(sorted(set(POINTERS) - shown))
    text = encode_presentation(presentation).decode()
    assert not any(f'"{pointer}"' in text for pointer in json.loads(hidden))
    assert SECRET.hex() not in text


def test_a_prefix_shows_all_below_and_nothing_beside():
    presentation = present(CERTIFICATE, ["/credentialSubject/exporterDetails"])
    assert kinds_of(presentation)["parties"] is PartialGroup
    shown = [pointer for pointer, _ in presentation.fields() if not pointer.startswith(("/@", "/issuer"))]
    below = [pointer for pointer in shown if pointer.startswith("/credentialSubject/")]
    assert EXPORTER in below
    assert all(
        pointer.startswith(("/credentialSubject/exporterDetails/", "/credentialSubject/type")) for pointer in below
    )


def test_what_is_never_hidden_is_always_shown_whole():
    presentation = present(CERTIFICATE, [])
    assert kinds_of(presentation)["certificate"] is OpenGroup
    assert {kind for name, kind in kinds_of(presentation).items() if name != "certificate"} == {HiddenGroup}
    first = presentation.groups[0]
    assert isinstance(first, OpenGroup)
    opened = group_leaves(first.seed, first.fields)
    shown = integrity_of(presentation)
    less = replace(presentation, groups=(HiddenGroup(b"h" * 32), *presentation.groups[1:]))
    assert integrity_of(less).problems[0].found == "group certificate not shown whole"
    assert shown.problems == ()
    assert len(opened.leaves) == 16


def test_an_unanchored_certificate_has_no_batch_root():
    integrity = integrity_of(present(replace(CERTIFICATE, anchor=None)))
    assert (integrity.batch_root, integrity.is_anchored_item, integrity.problems) == (None, False, ())
    assert integrity.document_root == integrity_of(present(CERTIFICATE)).document_root


@pytest.mark.parametrize("selection", [["goodies"], ["/nowhere"], ["/credentialSubject/exporterDetails/nam"], [""]])
def test_a_selection_of_nothing_is_refused(selection):
    with pytest.raises(InvalidSelection):
        present(CERTIFICATE, selection)


@pytest.mark.parametrize("country", ["", "sg", "Singapore"])
def test_a_certificate_for_no_country_is_refused(country):
    with pytest.raises(InvalidBatch):
        certificate_of(require(load_example(EXAMPLES[0])), SECRET, country)


# A field changed, added, left out or moved is named.


def bent(presentation, group_name, **changes):
    index = NAMES.index(group_name)
    groups = list(presentation.groups)
    groups[index] = replace(groups[index], **changes)
    return replace(presentation, groups=tuple(groups))


@given(st.sampled_from(POINTERS), st.none() | st.integers(0, 9) | st.text(max_size=3))
def test_a_changed_field_is_named(pointer, value):
    everything = present(CERTIFICATE)
    for index, group in enumerate(everything.groups):
        fields = dict(group.fields)
        if pointer in fields:
            same = fields[pointer] == value and type(fields[pointer]) is type(value)
            changed = tuple((name, value if name == pointer else old) for name, old in group.fields)
            integrity = integrity_of(bent(everything, NAMES[index], fields=changed))
            named = [problem.pointer for problem in integrity.problems]
            assert pointer in named or same
            assert (pointer == named[0] and integrity.is_anchored_item) or same


def test_a_field_left_out_or_added_in_an_open_group_is_named():
    everything = present(CERTIFICATE)
    goods = everything.groups[NAMES.index("goods")]
    fewer = integrity_of(bent(everything, "goods", fields=goods.fields[1:]))
    assert [problem.pointer for problem in fewer.problems] == [goods.fields[0][0]]
    assert fewer.problems[0].found == "no such field"
    extra = ("/credentialSubject/goods/1/description", "gold")
    more = integrity_of(bent(everything, "goods", fields=(*goods.fields, extra)))
    assert [problem.pointer for problem in more.problems] == [extra[0]]
    twice = integrity_of(bent(everything, "goods", fields=(*goods.fields, goods.fields[0])))
    assert twice.problems


def test_leaving_out_field_and_leaf_breaks_the_root():
    everything = present(CERTIFICATE)
    goods = everything.groups[NAMES.index("goods")]
    pointer = goods.fields[-1][0]
    leaves = {name: leaf for name, leaf in goods.leaves.items() if name != pointer}
    integrity = integrity_of(bent(everything, "goods", fields=goods.fields[:-1], leaves=leaves))
    assert not integrity.is_anchored_item
    assert integrity.problems


def test_a_forged_leaf_breaks_the_root_even_where_the_field_agrees_with_it():
    everything = present(CERTIFICATE)
    goods = everything.groups[NAMES.index("goods")]
    fields = ((goods.fields[0][0], "721321"), *goods.fields[1:])
    own = group_leaves(goods.seed, fields).own
    leaves = dict(zip((pointer for pointer, _ in fields), own, strict=True))
    integrity = integrity_of(bent(everything, "goods", fields=fields, leaves=leaves))
    assert not integrity.is_anchored_item
    assert [problem.pointer for problem in integrity.problems] == [""]


def test_a_shown_field_with_another_disclosure_is_named():
    one = present(CERTIFICATE, [EXPORTER])
    parties = one.groups[NAMES.index("parties")]
    (field,) = parties.fields
    other_salt = group_leaves(b"s" * 32, [(EXPORTER, "Somebody Else Inc.")]).disclosures[0].decode()
    forged = integrity_of(bent(one, "parties", fields=(replace(field, disclosure=other_salt),)))
    assert [(problem.pointer, problem.found) for problem in forged.problems] == [(EXPORTER, "'Somebody Else Inc.'")]
    broken = integrity_of(bent(one, "parties", fields=(replace(field, disclosure="AAAA"),)))
    assert broken.problems[0].pointer == "/groups/1/fields/0"
    moved = integrity_of(bent(one, "parties", fields=(replace(field, index=field.index ^ 1),)))
    assert moved.problems[0].pointer == EXPORTER
    shorter = integrity_of(bent(one, "parties", fields=(replace(field, path=field.path[1:]),)))
    assert shorter.problems[0].pointer == EXPORTER


def test_a_field_in_another_group_is_named():
    # An issuer who hides a goods line among the parties would make "all goods" a lie.
    document = require(load_example(EXAMPLES[1]))
    groups = [list(fields) for fields in document.groups]
    line = groups[NAMES.index("goods")].pop()
    groups[NAMES.index("parties")] = sorted([*groups[NAMES.index("parties")], line])
    lying = certificate_of(replace(document, groups=tuple(groups)), SECRET, "SG")
    secrets = secrets_of(SECRET, CERTIFICATE_OF_ORIGIN)
    everything = whole(lying)
    opened = tuple(
        OpenGroup(seed, tuple(fields), leaves)
        for seed, fields, leaves in zip(secrets.group_seeds, groups, lying.leaves, strict=True)
    )
    integrity = integrity_of(replace(everything, groups=opened))
    assert [(problem.pointer, problem.expected) for problem in integrity.problems] == [(line[0], "group goods")]


def test_another_country_dialect_or_place_is_no_longer_that_item():
    everything = present(CERTIFICATE)
    assert isinstance(everything.country, OpenCountry)
    anchor = everything.anchor
    for other in (
        replace(everything, country=replace(everything.country, country="KE")),
        replace(everything, country=b"h" * 32),
        replace(everything, anchor=replace(anchor, index=anchor.index ^ 1)),
        replace(everything, anchor=replace(anchor, path=anchor.path[1:])),
        replace(everything, anchor=replace(anchor, batch=b"b" * 32)),
        replace(everything, country=OpenCountry(bytes(16), "sg")),
    ):
        integrity = integrity_of(other)
        assert integrity.problems
        assert not integrity.is_anchored_item
    assert integrity_of(replace(everything, dialect=EXAMPLES[0])).problems
    assert integrity_of(replace(everything, dialect="unheard of")).document_root is None


def test_a_changed_certificate_is_not_presented():
    certificate = anchored()
    subject = certificate.document["credentialSubject"]
    subject["invoiceNumber"] = "inv-0"
    with pytest.raises(InvalidSelection, match="/credentialSubject/invoiceNumber"):
        present(certificate)


SHOWN = encode_presentation(present(CERTIFICATE, ["origin", EXPORTER], show_country=False))


@pytest.mark.parametrize("flip", [1, 0x20, 0x80])
def test_any_changed_byte_is_noticed(flip):
    """Chain, genesis and contract say which ledger to ask; every other byte is held by the proof or by the form."""
    original = decode_presentation(SHOWN)
    for at in range(len(SHOWN)):
        data = SHOWN[:at] + bytes([SHOWN[at] ^ flip]) + SHOWN[at + 1 :]
        try:
            presentation = decode_presentation(data)
        except InvalidFile:
            continue
        if not integrity_of(presentation).problems:
            assert (presentation.groups, presentation.country) == (original.groups, original.country)
            assert presentation.anchor != original.anchor
            same_place = {name: getattr(original.anchor, name) for name in ("batch", "index", "path")}
            assert replace(presentation.anchor, **same_place) == presentation.anchor
