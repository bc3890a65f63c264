"""Certificates as SD-JWTs: what is shown holds on both sides, digests and root; what is changed never does."""

import json
from dataclasses import replace
from functools import cache
from hashlib import sha256

import pytest
from attestation.sdjwt.trial import (
    CERTIFICATE,
    HOLDER,
    ISSUER,
    NOW,
    OTHER,
    SEALED_ISSUER,
    content_of,
    disclosure_of,
    issued,
    payload_of,
)
from attestation.sealing.trial import anchored
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.codes import EXAMPLES
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.errors import InvalidFile, InvalidSelection
from cocket.attestation.files import decode_presentation, encode_presentation
from cocket.attestation.prove import HiddenGroup, OpenCountry, OpenGroup, PartialGroup, integrity_of, present, whole
from cocket.attestation.sdjwt.base64url import encode_base64url
from cocket.attestation.sdjwt.binding import Challenge, bind
from cocket.attestation.sdjwt.combined import split
from cocket.attestation.sdjwt.issuer import Issuer
from cocket.attestation.sdjwt.showing import show
from cocket.attestation.sdjwt.unfolding import digest_of
from cocket.attestation.sdjwt.verification import verify

NAMES = DIALECTS[CERTIFICATE.dialect].kind.groups
POINTERS = [pointer for pointer, _ in whole(CERTIFICATE).fields()]
EXPORTER = "/credentialSubject/exporterDetails/name"
ISSUED = issued()
CHALLENGE = Challenge("https://customs.example", "n-0S6_WzA2Mj", NOW + 5, 300)


def read(combined, issuer=ISSUER, challenge=None):
    """Return what was verified of an SD-JWT that went through a file."""
    return verify(split(combined.text.encode()), issuer, challenge)


def shown_by(combined):
    verified = read(combined)
    assert verified.problems == ()
    assert verified.contents is not None
    return verified.contents.presentation


@pytest.mark.parametrize("name", EXAMPLES)
def test_everything_comes_back(name):
    certificate = anchored(name)
    combined = issued(certificate)
    verified = read(combined)
    assert verified.problems == ()
    assert verified.contents.presentation == whole(certificate)
    assert verified.contents.integrity == integrity_of(whole(certificate))
    assert verified.contents.holder == HOLDER.public
    assert verified.contents.issued_at == NOW


def test_a_certificate_that_is_not_anchored_comes_back():
    certificate = replace(CERTIFICATE, anchor=None)
    assert shown_by(issued(certificate, holder=None)) == whole(certificate)


@given(st.lists(st.sampled_from([*NAMES, *POINTERS]), max_size=6), st.booleans())
def test_any_selection_is_the_presentation_that_we_would_make(selection, show_country):
    chosen = show(ISSUED, selection, show_country=show_country)
    found = shown_by(chosen)
    expected = present(CERTIFICATE, selection, show_country=show_country)
    assert (found.country, found.anchor, found.dialect) == (expected.country, expected.anchor, expected.dialect)
    for one, other in zip(found.groups, expected.groups, strict=True):
        assert one == other
    assert decode_presentation(encode_presentation(found)) == found


@given(st.sets(st.sampled_from(range(len(ISSUED.disclosures)))))
def test_any_subset_of_disclosures_verifies_or_lacks_what_holds_it(kept):
    """A disclosure stands in its group's: without that one nothing signed has its digest."""
    some = replace(ISSUED, disclosures=tuple(text for at, text in enumerate(ISSUED.disclosures) if at in kept))
    verified = read(some)
    if verified.problems:
        assert "nothing signed has the digest" in verified.problems[0].found or "seed" in verified.problems[0].found
    else:
        assert verified.contents.integrity == integrity_of(present(CERTIFICATE))
        assert set(verified.contents.presentation.fields()) <= set(whole(CERTIFICATE).fields())


def test_what_is_hidden_shows_nowhere():
    few = show(ISSUED, [EXPORTER], show_country=False)
    found = shown_by(few)
    assert [type(group) for group in found.groups] == [OpenGroup, PartialGroup, *[HiddenGroup] * 4]
    assert isinstance(found.country, bytes)
    text = "".join(json.dumps(payload_of(few)) + few.text)
    for hidden in ("SG", *(pointer for pointer in POINTERS if pointer not in dict(found.fields()))):
        assert f'"{hidden}"' not in text
    assert isinstance(shown_by(ISSUED).country, OpenCountry)


def test_neither_claims_nor_digests_tell_how_many_fields_there_are():
    """What differs between documents is in the fields; a hidden group is one digest, a shown one is padded."""
    small, large = (payload_of(issued(anchored(name))) for name in EXAMPLES)
    assert small.keys() | {"exp"} == large.keys()
    assert len(small["document"]["_sd"]) == len(large["document"]["_sd"]) == len(NAMES) - 1
    counts = {}
    for name in ("parties", "transport", "commercial"):
        content = content_of(disclosure_of(ISSUED, name))[2]
        counts[name] = (len(content["leaves"]), len(content["_sd"]))
    assert counts == {"parties": (64, 65), "transport": (16, 17), "commercial": (16, 17)}


def test_decoy_leaves_and_decoy_digests_cannot_be_matched():
    """Were one made from the other, everybody could tell which leaves are fields."""
    content = content_of(disclosure_of(ISSUED, "transport"))[2]
    leaves = [bytes.fromhex(leaf[2:]) for leaf in content["leaves"]]
    made = {encode_base64url(leaf) for leaf in leaves} | {encode_base64url(sha256(leaf).digest()) for leaf in leaves}
    made |= {digest_of(encode_base64url(leaf)) for leaf in leaves} | {digest_of(text) for text in content["leaves"]}
    assert not made & set(content["_sd"])


def test_a_seed_proves_that_nothing_is_withheld():
    group = show(ISSUED, ["parties"])
    fields = [text for text in group.disclosures if content_of(text)[1] == EXPORTER]
    without = replace(group, disclosures=tuple(text for text in group.disclosures if text not in fields))
    problems = read(without).problems
    assert "the seed of group parties" in problems[0].found
    unseeded = tuple(text for text in without.disclosures if content_of(text)[1] != "seed")
    assert isinstance(shown_by(replace(without, disclosures=unseeded)).groups[1], PartialGroup)


def test_equal_certificates_have_nothing_in_common():
    one, other = issued(), issued(anchored(secret=b"\x07" * 32))
    assert not set(one.disclosures) & set(other.disclosures)
    assert payload_of(one)["document_root"] != payload_of(other)["document_root"]


# -- what is changed ---------------------------------------------------------------------------------------------------


def test_another_key_s_signature_is_no():
    assert "another key" in read(ISSUED, Issuer(OTHER.public)).problems[0].found


@pytest.mark.parametrize("at", range(len(ISSUED.disclosures)))
def test_a_changed_disclosure_is_no(at):
    for text in (ISSUED.disclosures[at][:-1], ISSUED.disclosures[at] + "A", "X" + ISSUED.disclosures[at][1:]):
        changed = (*ISSUED.disclosures[:at], text, *ISSUED.disclosures[at + 1 :])
        assert read(replace(ISSUED, disclosures=changed)).problems


def test_a_disclosure_twice_or_of_another_certificate_is_no():
    first = ISSUED.disclosures[0]
    other = issued(anchored(secret=b"\x07" * 32)).disclosures[0]
    for more in (first, other, "WyJzYWx0IiwiL2EiLDFd"):
        assert read(replace(ISSUED, disclosures=(*ISSUED.disclosures, more))).problems


@cache
def bound():
    return bind(
        show(ISSUED, ["origin", EXPORTER], show_country=False),
        HOLDER.sign,
        "https://customs.example",
        CHALLENGE.nonce,
        NOW,
    )


@pytest.mark.parametrize("flip", [1, 2, 0x20, 0x80])
def test_no_byte_flipped_is_yes(flip):
    text = bound().text.encode()
    yes = []
    for at in range(len(text)):
        changed = text[:at] + bytes([text[at] ^ flip]) + text[at + 1 :]
        try:
            if not verify(split(changed), ISSUER, CHALLENGE).problems:
                yes.append(at)
        except InvalidFile:
            continue
    assert yes == []


def test_a_changed_certificate_is_not_issued():
    subject = {**CERTIFICATE.document["credentialSubject"], "invoiceNumber": "inv-0"}
    changed = replace(CERTIFICATE, document={**CERTIFICATE.document, "credentialSubject": subject})
    with pytest.raises(InvalidSelection, match="changed since it was issued"):
        issued(changed)


@pytest.mark.parametrize("selection", [["goodies"], ["/nowhere"], [EXPORTER[:-1]], [""]])
def test_a_selection_of_nothing_is_refused(selection):
    with pytest.raises(InvalidSelection):
        show(ISSUED, selection)


def test_what_is_hidden_already_is_not_shown_again():
    few = show(ISSUED, [EXPORTER])
    assert show(few, [EXPORTER]) == few
    for gone in ("goods", "/credentialSubject/goods"):
        with pytest.raises(InvalidSelection):
            show(few, [gone])
    with pytest.raises(InvalidSelection, match="holder bound"):
        show(bind(few, HOLDER.sign, "a", "n", NOW), ["*"])


# -- key binding -------------------------------------------------------------------------------------------------------


def problems_of(combined, **changes):
    return [problem.found for problem in read(combined, challenge=replace(CHALLENGE, **changes)).problems]


def test_a_bound_presentation_answers_its_challenge():
    verified = read(bound(), challenge=CHALLENGE)
    assert verified.problems == ()
    assert (verified.binding.audience, verified.binding.nonce) == (CHALLENGE.audience, CHALLENGE.nonce)
    assert read(bound()).problems == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"audience": "https://other.example"}, "a key binding for"),
        ({"nonce": "another"}, "with nonce"),
        ({"now": NOW + 301}, "of 301 s ago"),
        ({"now": NOW - 61}, "of -61 s ago"),
    ],
)
def test_an_answer_to_another_challenge_is_no(changes, said):
    (found,) = problems_of(bound(), **changes)
    assert said in found


def test_a_binding_is_asked_for_and_held_to_key_and_disclosures():
    assert problems_of(replace(bound(), binding="")) == ["no key binding"]
    fewer = replace(bound(), disclosures=show(ISSUED, [EXPORTER], show_country=False).disclosures)
    assert problems_of(fewer) == ["a key binding of other disclosures"]
    by_other = bind(replace(bound(), binding=""), OTHER.sign, CHALLENGE.audience, CHALLENGE.nonce, NOW)
    assert problems_of(by_other) == ["a key binding signed with another key"]
    holderless = bind(issued(holder=None), HOLDER.sign, CHALLENGE.audience, CHALLENGE.nonce, NOW)
    assert problems_of(holderless) == ["a key binding"]
    for text in ("", "x" * 1025):
        with pytest.raises(InvalidSelection):
            bind(ISSUED, HOLDER.sign, "a", text, NOW)


# -- who signed --------------------------------------------------------------------------------------------------------


def test_the_header_carries_the_certificate_or_names_the_key():
    combined = issued(issuer=SEALED_ISSUER)
    assert read(combined, SEALED_ISSUER).problems == ()
    assert read(combined, ISSUER).problems == ()
    assert SEALED_ISSUER.subject == "O=Kenya Chamber"
    assert ISSUER.subject is None
