"""Printed certificates: what a code holds comes back, proves itself by path or signature, and nothing changed does."""

from dataclasses import replace
from io import BytesIO

import pytest
import segno
import zxingcpp
from attestation.reading.trial import READER, sign
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cocket.attestation.base45 import decode_base45, encode_base45
from cocket.attestation.batch import batch_leaf, batch_root, country_hash
from cocket.attestation.check import check
from cocket.attestation.errors import InvalidFile, InvalidSelection
from cocket.attestation.examples import example_documents
from cocket.attestation.printed import BYTES_MAX, CHARACTERS_MAX, PREFIX, Printed, decode_printed, encode_printed
from cocket.attestation.printed_verdict import Signer, printed_verdict
from cocket.attestation.prove import Anchor, Certificate, OpenCountry, certificate_of, present, whole
from cocket.attestation.verdict import BatchFacts, BlockPoint, LedgerFacts, Warrant

ISSUER = 7
EXAMPLES = [data for _, data in example_documents()]
POINT = BlockPoint(10, 1_800_000_000)


def certificate(at: int = 0, depth: int = 4) -> Certificate:
    """Return an example, anchored in a batch of a depth."""
    checked = check(EXAMPLES[at]).checked
    assert checked is not None
    made = certificate_of(checked, b"s" * 32, "SG")
    everything = whole(made)
    root = Printed(replace(everything, anchor=Anchor(1, b"", b"", 1, b"", 0, ()))).integrity.document_root
    country = everything.country
    assert root is not None
    assert isinstance(country, OpenCountry)
    path = tuple(bytes((level,)) * 32 for level in range(depth))
    leaf = batch_leaf(root, country_hash(country.salt, country.country))
    batch = batch_root(leaf, 5, path, checked.dialect.kind.number, ISSUER)
    return made.anchored(Anchor(4711, b"g" * 32, b"c" * 20, ISSUER, batch, 5, path))


def printed_of(*selection: str, at: int = 0, depth: int = 4, signed: bool = True, country: bool = True) -> Printed:
    printed = Printed(present(certificate(at, depth), selection, show_country=country))
    return replace(printed, signature=sign(printed.signing_hash())) if signed else printed


def facts_of(printed: Printed, depth: int) -> LedgerFacts:
    anchor = printed.anchor
    batch = BatchFacts(depth, 1, ISSUER, POINT, 0, 1 << 40)
    return LedgerFacts(
        anchor.chain_id, anchor.genesis_hash, anchor.contract, POINT, has_batch=True, batch=batch, changes=(), uses=(),
        warrant=Warrant("by the word of a node", is_closed=False),
    )  # fmt: skip


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("selection", [(), ("goods",), ("goods", "origin")])
@pytest.mark.parametrize("country", [True, False])
def test_what_is_printed_comes_back_with_its_path(at, selection, country):
    printed = printed_of(*selection, at=at, country=country)
    text = encode_printed(printed)
    assert len(text) <= CHARACTERS_MAX
    assert decode_printed(text.encode() + b"\n") == printed
    assert printed.has_path
    assert printed.integrity.is_anchored_item
    assert not printed.integrity.problems
    assert printed.signer() == READER


def test_a_scanner_that_is_not_ours_reads_the_picture():
    text = encode_printed(printed_of("goods"))
    code = segno.make_qr(text, error="m", boost_error=False)
    assert code.mode == "alphanumeric"
    assert int(code.version) <= 25
    picture = BytesIO()
    code.save(picture, kind="png", scale=4)
    (found,) = zxingcpp.read_barcodes(Image.open(picture), zxingcpp.BarcodeFormat.QRCode)
    assert found.text == text


def test_the_longest_text_is_a_code_of_version_25():
    text = PREFIX + encode_base45(b"\xff" * BYTES_MAX)
    assert int(segno.make_qr(text, error="m", boost_error=False).version) == 25
    longer = PREFIX + encode_base45(b"\xff" * (BYTES_MAX + 8))
    assert int(segno.make_qr(longer, error="m", boost_error=False).version) > 25


def test_a_path_that_does_not_fit_is_left_out_and_the_signature_ties_the_fields_to_their_place():
    printed = printed_of("goods", depth=16)
    found = decode_printed(encode_printed(printed).encode())
    assert not found.has_path
    assert found.integrity.document_root == printed.integrity.document_root
    assert found.signer() == READER
    facts = facts_of(found, 16)
    in_force = printed_verdict(found, facts, None, Signer(READER, "in force"))
    assert (in_force.integrity.answer, in_force.issuance.answer) == ("yes", "yes")
    assert "the word of its issuer" in in_force.issuance.reason
    for signer, words in (
        (None, "whether by its issuer"),
        (Signer(READER, "ended"), "has ended"),
    ):
        unsure = printed_verdict(found, facts, None, signer)
        assert {unsure.integrity.answer, unsure.issuance.answer, unsure.superseded.answer} == {"could not check"}
        assert words in unsure.integrity.reason
    other = printed_verdict(found, facts, None, Signer(READER, "none"))
    assert (other.integrity.answer, other.issuance.answer) == ("no", "could not check")
    offline = printed_verdict(found, None, None, None)
    assert offline.overall == "could not check"


def test_with_the_path_no_signature_is_needed_but_another_s_is_a_no():
    printed = printed_of("goods", signed=False)
    assert printed_verdict(printed, facts_of(printed, 4), None, None).issuance.answer == "yes"
    signed = printed_of("goods")
    assert printed_verdict(signed, facts_of(signed, 4), None, Signer(READER, "ended")).integrity.answer == "yes"
    assert printed_verdict(signed, facts_of(signed, 4), None, Signer(READER, "none")).integrity.answer == "no"


def test_without_path_and_signature_a_code_proves_nothing():
    found = decode_printed(encode_printed(printed_of("goods", depth=20, signed=False)).encode())
    assert (found.has_path, found.signature) == (False, None)
    verdict = printed_verdict(found, facts_of(found, 20), None, None)
    assert (verdict.integrity.answer, verdict.issuance.answer) == ("could not check", "could not check")
    assert "no path and no signature" in verdict.integrity.reason


def test_a_place_that_is_another_issuer_s_is_a_no_also_when_an_issuer_signed_it():
    """A participant that signs a code for a batch that is not its own is told apart by the ledger's batch."""
    found = decode_printed(encode_printed(printed_of("goods", depth=16)).encode())
    facts = facts_of(found, 16)
    assert facts.batch is not None
    facts = replace(facts, batch=replace(facts.batch, issuer=ISSUER + 1))
    assert printed_verdict(found, facts, None, Signer(READER, "in force")).issuance.answer == "no"


@pytest.mark.parametrize("depth", [4, 16])
def test_a_changed_value_a_moved_place_and_another_country_are_never_a_yes(depth):
    printed = decode_printed(encode_printed(printed_of("goods", depth=depth)).encode())
    presentation, anchor = printed.presentation, printed.anchor
    goods = presentation.groups[2]
    pointer, value = goods.fields[0]
    worse = replace(goods, fields=((pointer, f"{value}!"), *goods.fields[1:]))
    changes = [
        replace(presentation, groups=(*presentation.groups[:2], worse, *presentation.groups[3:])),
        replace(presentation, anchor=replace(anchor, index=6)),
        replace(presentation, anchor=replace(anchor, batch=b"o" * 32)),
        replace(presentation, country=OpenCountry(presentation.country.salt, "BR")),
    ]
    for changed in changes:
        found = decode_printed(encode_printed(replace(printed, presentation=changed)).encode())
        signer = found.signer()
        assert signer != READER
        verdict = printed_verdict(found, facts_of(found, depth), None, Signer(signer or b"", "none"))
        assert verdict.integrity.answer == "no"


def test_what_does_not_fit_or_is_shown_in_part_is_refused():
    with pytest.raises(InvalidSelection, match="show fewer groups"):
        encode_printed(printed_of("*", at=1, depth=4, signed=True, country=False))
    with pytest.raises(InvalidSelection, match="goods shown in part"):
        encode_printed(printed_of("/credentialSubject/items/0/name"))
    with pytest.raises(InvalidSelection, match="not anchored"):
        _ = Printed(replace(printed_of().presentation, anchor=None)).anchor


DATA = decode_base45(encode_printed(printed_of("goods"))[len(PREFIX) :])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cut off"),
        (DATA[:-1], "cut off"),
        (DATA + b"\0", "1 bytes more"),
        (b"\x04" + DATA[1:], "flags 4"),
        (DATA[:61] + bytes(4) + DATA[65:], "issuer 0"),
        (DATA[:101] + b"\x15" + DATA[102:], "path of 21"),
        (DATA[:102] + b"\xff\xff" + DATA[104:], "groups 1111111111111111"),
        (DATA[:104] + b"\0\0" + DATA[106:], "cut off"),
    ],
)
def test_another_code_is_refused(data, why):
    with pytest.raises(InvalidFile, match=why):
        decode_printed((PREFIX + encode_base45(data)).encode())


@given(st.binary(max_size=300), st.integers(0, len(DATA) - 1), st.integers(1, 255))
@settings(max_examples=200)
def test_decoding_raises_nothing_else(random, at, flip):
    for data in (random, DATA[:at] + bytes((DATA[at] ^ flip,)) + DATA[at + 1 :]):
        try:
            found = decode_printed((PREFIX + encode_base45(data)).encode())
        except InvalidFile:
            continue
        assert found != printed_of("goods")


@pytest.mark.parametrize("text", [b"", b"COCKET2:", b"COCKET1:abc", b"COCKET1:" + b"0" * CHARACTERS_MAX])
def test_another_text_is_refused(text):
    with pytest.raises(InvalidFile):
        decode_printed(text)
