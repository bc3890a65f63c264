"""Attachments: what a document names by hash has one strict form, and lies in a group that can be hidden."""

import json

import pytest

from cocket.attestation.attachments import (
    Attachment,
    attachments_in,
    entry_of,
    findings_of,
    group_of,
    is_media_type,
    is_name,
)
from cocket.attestation.check import check
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.errors import InvalidFile
from cocket.attestation.examples import example_documents
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN

EXAMPLES = dict(example_documents())
SCAN = Attachment("scan 1.pdf", "application/pdf", bytes(range(32)))
PHOTO = Attachment("photo.png", "image/png", b"p" * 32)


def attached(document, *files):
    return json.dumps({**json.loads(document), "relatedResource": [entry_of(each) for each in files]}).encode()


def test_an_entry_has_the_hash_as_rfc_6920_and_as_subresource_integrity():
    assert entry_of(SCAN) == {
        "id": "ni:///sha-256;AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "mediaType": "application/pdf",
        "digestSRI": "sha256-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "name": "scan 1.pdf",
    }


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_dialect_takes_them_into_a_group_that_can_be_hidden(name):
    document = EXAMPLES[name]
    report = check(attached(document, SCAN, PHOTO))
    assert report.checked is not None, report.findings
    dialect = report.checked.dialect
    group = group_of(dialect)
    assert CERTIFICATE_OF_ORIGIN.groups[group] == "commercial"
    assert group != 0
    assert attachments_in(report.checked.groups[group]) == (SCAN, PHOTO)
    others = [fields for at, fields in enumerate(report.checked.groups) if at != group]
    assert [attachments_in(fields) for fields in others] == [()] * 5


def test_all_dialects_name_them_in_the_same_group():
    assert {group_of(dialect) for dialect in DIALECTS.values()} == {5}


CHANGES = [
    (lambda entries: entries.clear(), "/relatedResource"),
    (
        lambda entries: entries.extend(entries[0] | {"name": f"{at}.pdf"} for at in range(16)),
        "/relatedResource",
    ),
    (lambda entries: entries.append("scan.pdf"), "/relatedResource/1"),
    (lambda entries: entries[0].update(extra=1), "/relatedResource/0"),
    (lambda entries: entries[0].pop("name"), "/relatedResource/0"),
    (lambda entries: entries[0].update(name="../scan.pdf"), "/relatedResource/0/name"),
    (lambda entries: entries[0].update(name=".scan"), "/relatedResource/0/name"),
    (lambda entries: entries[0].update(name="scan."), "/relatedResource/0/name"),
    (lambda entries: entries[0].update(name=""), "/relatedResource/0/name"),
    (lambda entries: entries[0].update(name=7), "/relatedResource/0/name"),
    (lambda entries: entries.append(entries[0] | {"name": "SCAN 1.PDF"}), "/relatedResource/1/name"),
    (lambda entries: entries[0].update(mediaType="pdf"), "/relatedResource/0/mediaType"),
    (lambda entries: entries[0].update(digestSRI="sha256-AAAA"), "/relatedResource/0/digestSRI"),
    (lambda entries: entries[0].update(digestSRI=entries[0]["digestSRI"][7:]), "/relatedResource/0/digestSRI"),
    (lambda entries: entries[0].update(digestSRI="sha384-" + "A" * 43 + "="), "/relatedResource/0/digestSRI"),
    (lambda entries: entries[0].update(digestSRI=None), "/relatedResource/0/digestSRI"),
    (lambda entries: entries[0].update(id=entry_of(PHOTO)["id"]), "/relatedResource/0/id"),
]


@pytest.mark.parametrize(("change", "pointer"), CHANGES)
def test_any_other_form_is_refused_with_its_place(change, pointer):
    entries = [entry_of(SCAN)]
    change(entries)
    found = list(findings_of(entries))
    assert [finding.pointer for finding in found] == [pointer]
    document = {**json.loads(next(iter(EXAMPLES.values()))), "relatedResource": entries}
    report = check(json.dumps(document).encode())
    assert report.checked is None
    assert [(finding.rule, finding.pointer) for finding in report.findings] == [("attachment", pointer)]


def test_fields_that_are_not_all_of_an_entry_name_no_file():
    with pytest.raises(InvalidFile, match="attachment"):
        attachments_in([("/relatedResource/0/name", "scan.pdf")])
    assert attachments_in([("/credentialSubject/items/0/name", "scan.pdf")]) == ()


def test_names_are_safe_in_a_folder():
    assert [is_name(each) for each in ("a", "Scan-1_b.c d.pdf", "a" * 100)] == [True] * 3
    for name in ("", "a" * 101, "a/b", "a\\b", "..", "-a", "a\n", "é", "a ", None):
        assert not is_name(name)


def test_media_types_have_two_parts():
    assert is_media_type("application/vnd.ms-excel")
    for text in ("application", "a/", "/b", "a/b/c", "A/b", "a/b; c=d", None):
        assert not is_media_type(text)
