"""Files: what is written reads back, byte for byte; anything else is InvalidFile, whatever the bytes."""

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.check import require
from cocket.attestation.codes import EXAMPLES, load_example
from cocket.attestation.errors import InvalidFile
from cocket.attestation.files import (
    FILE_BYTES_MAX,
    decode_certificate,
    decode_file,
    decode_presentation,
    encode_certificate,
    encode_presentation,
)
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.prove import Anchor, certificate_of, present
from cocket.attestation.verdict import verdict

ANCHOR = Anchor(4711, b"g" * 32, b"c" * 20, 7, b"b" * 32, 5, (b"p" * 32,) * 4)
PLAIN = certificate_of(require(load_example(EXAMPLES[0])), b"s" * 32, "ZZ")
CERTIFICATE = PLAIN.anchored(ANCHOR)
CERTIFICATE_FILE = encode_certificate(CERTIFICATE)
PRESENTATION = present(PLAIN, ["/credentialSubject/items/0/name"])
PRESENTATION = replace(PRESENTATION, anchor=ANCHOR)
PRESENTATION_FILE = encode_presentation(PRESENTATION)
GROUPS = CERTIFICATE_OF_ORIGIN.groups


@pytest.mark.parametrize("certificate", [CERTIFICATE, PLAIN])
def test_a_certificate_reads_back(certificate):
    data = encode_certificate(certificate)
    assert decode_certificate(data) == decode_file(data) == certificate
    assert encode_certificate(decode_certificate(data)) == data


@given(st.lists(st.sampled_from([*GROUPS, "/credentialSubject/dateOfExport"])), st.booleans(), st.booleans())
def test_a_presentation_reads_back(selection, show_country, is_anchored):
    presentation = present(PLAIN, selection, show_country=show_country)
    if is_anchored:
        presentation = replace(presentation, anchor=ANCHOR)
    data = encode_presentation(presentation)
    assert decode_presentation(data) == decode_file(data) == presentation
    assert encode_presentation(decode_presentation(data)) == data


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_the_own_error(data):
    with pytest.raises(InvalidFile):
        decode_file(data)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("0x" + "ab" * 32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["hash", "seed", "path"]), inner),
    max_leaves=6,
)


def places(node, way=()):
    yield way
    if isinstance(node, dict | list):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(child, (*way, key))


@pytest.mark.parametrize("data", [CERTIFICATE_FILE, PRESENTATION_FILE])
@given(st.data())
def test_any_junk_in_any_place_is_read_or_refused(data, drawn):
    tree = json.loads(data)
    way = drawn.draw(st.sampled_from([way for way in places(tree) if way]))
    node = tree
    for key in way[:-1]:
        node = node[key]
    node[way[-1]] = drawn.draw(JUNK)
    try:
        read = decode_file(json.dumps(tree).encode())
    except InvalidFile as error:
        refusal = str(error)
        assert "found" in refusal or "no certificate" in refusal, refusal
        return
    result = verdict(read, None, date(2026, 6, 1))  # whatever was read can be judged
    assert result.integrity.answer in ("yes", "no", "could not check")
    assert result.overall != "yes"  # no ledger was asked


@pytest.mark.parametrize("data", [CERTIFICATE_FILE, PRESENTATION_FILE])
def test_each_member_is_needed_and_no_other_known(data):
    tree = json.loads(data)
    for name in tree:
        less = {key: value for key, value in tree.items() if key != name}
        with pytest.raises(InvalidFile):
            decode_file(json.dumps(less).encode())
    with pytest.raises(InvalidFile, match="note"):
        decode_file(json.dumps({**tree, "note": 1}).encode())


def refused(tree, pattern):
    with pytest.raises(InvalidFile, match=pattern):
        decode_file(json.dumps(tree).encode())


def test_refusals_name_the_place():
    certificate, presentation = json.loads(CERTIFICATE_FILE), json.loads(PRESENTATION_FILE)
    refused({**certificate, "format": "cocket-certificate-2"}, "cocket-certificate-2.*cocket-certificate-1")
    refused({**certificate, "dialect": "edi3"}, "'edi3'.*w3c-certification-of-origin")
    refused({**certificate, "secret": certificate["secret"].upper()}, "/secret")
    refused({**certificate, "country": "sg"}, "/country")
    refused({**certificate, "leaves": certificate["leaves"][1:]}, "/leaves: found 5 groups; expected 6")
    refused({**certificate, "document": []}, "/document")
    refused({**presentation, "groups": presentation["groups"][1:]}, "/groups: found 5; expected 6")
    anchor = presentation["anchor"]
    refused(
        {**presentation, "anchor": {**anchor, "index": 16}}, "/anchor/index: found 16; expected an integer below 16"
    )
    refused({**presentation, "anchor": {**anchor, "index": True}}, "/anchor/index")
    for issuer in (-1, 1 << 32, "7", None):
        refused({**presentation, "anchor": {**anchor, "issuer": issuer}}, "/anchor/issuer")
    refused({**presentation, "anchor": {key: anchor[key] for key in anchor if key != "issuer"}}, "/anchor")
    refused({**presentation, "anchor": {**anchor, "path": anchor["path"] * 6}}, "/anchor/path")
    refused({**presentation, "anchor": {**anchor, "contract": "0x00"}}, "/anchor/contract")
    groups = presentation["groups"]
    refused({**presentation, "groups": [{**groups[0], "hash": groups[1]["hash"]}, *groups[1:]]}, "/groups/0")
    refused({**presentation, "groups": [{**groups[0], "fields": [["/a", [1]]]}, *groups[1:]]}, "/groups/0/fields/0")
    with pytest.raises(InvalidFile, match="bytes"):
        decode_file(b" " * (FILE_BYTES_MAX + 1))
    with pytest.raises(InvalidFile, match="cocket-presentation-1"):
        decode_presentation(CERTIFICATE_FILE)
    with pytest.raises(InvalidFile, match="cocket-certificate-1"):
        decode_certificate(PRESENTATION_FILE)


def test_a_presentation_does_not_carry_the_secret():
    assert b"secret" not in PRESENTATION_FILE
    assert (b"s" * 32).hex().encode() not in PRESENTATION_FILE
