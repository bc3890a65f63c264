"""Checks of certificates of origin: each rule allows the published example and refuses its breach, with the place."""

import json
from copy import deepcopy
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.check import FINDINGS_MAX, check, require
from cocket.attestation.codes import EXAMPLES, hs_editions_of, is_country, load_example, load_schema
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.errors import InvalidDocument
from cocket.attestation.finding import Finding, shown

W3C, USMCA = (json.loads(load_example(name)) for name in EXAMPLES)
CODE = "/credentialSubject/items/0/product/commodity/commodityCode"
UNSET = object()


def changed(document, pointer, value):
    """Return a copy with the value at a pointer set, added, or taken away (UNSET)."""
    copy = deepcopy(document)
    *way, last = pointer.split("/")[1:]
    node = copy
    for part in way:
        node = node[int(part)] if isinstance(node, list) else node[part]
    key = int(last) if isinstance(node, list) else last
    if value is UNSET:
        del node[key]
    else:
        node[key] = value
    return copy


def report(document, invoice_number=None):
    return check(json.dumps(document).encode(), invoice_number)


def told(document, invoice_number=None):
    findings = report(document, invoice_number).findings
    return [(finding.severity, finding.rule, finding.pointer) for finding in findings]


def test_the_published_certificate_is_acceptable_and_understood():
    checked = require(load_example(EXAMPLES[0]))
    certificate = checked.certificate
    assert checked.dialect.name == "w3c-certification-of-origin"
    assert certificate.number == "urn:uuid:326c74c8-f4d7-4c1b-b158-2683deb8768e"
    assert certificate.issuer_name == "North Italy Chamber of Commerce"
    assert certificate.origin_country is not None
    assert certificate.origin_country.text == "IT"
    assert certificate.export_date == date(2022, 2, 2)
    assert certificate.hs_edition == "2022"
    (line,) = certificate.goods
    assert (line.hs_code, line.description) == ("851671", "Premium Prosumer Espresso Makers - Model Dolce")


def test_the_dialect_has_no_invoice_so_the_rule_could_not_be_checked_unless_one_is_given():
    assert told(W3C) == [("unchecked", "invoice", "")]
    assert told(W3C, "INV-7") == []


def test_the_published_usmca_certificate_is_acceptable_with_two_warnings():
    result = report(USMCA)
    place = "/credentialSubject/{}/location/address/addressCountry"
    assert told(USMCA) == [
        ("warning", "country", place.format("producerDetails")),
        ("warning", "country", place.format("importerDetails/0")),
    ]
    assert "'Mexico'" in result.findings[1].text()
    assert result.checked is not None
    certificate = result.checked.certificate
    assert (certificate.agreement, certificate.invoice_number, certificate.is_blanket) == (
        "USMCA",
        "inv-2023091",
        False,
    )
    assert [party.role for party in certificate.parties] == ["exporter", "producer", "importer"]
    assert certificate.goods[0].criterion == "A"


def test_a_usmca_certificate_without_invoice_covers_a_period():
    document = changed(USMCA, "/credentialSubject/invoiceNumber", UNSET)
    result = report(document)
    assert result.checked is not None
    assert result.checked.certificate.is_blanket
    assert "invoice" not in [finding.rule for finding in result.findings]


@pytest.mark.parametrize(
    ("document", "pointer", "value", "expected"),
    [
        # schema
        (W3C, "/validFrom", UNSET, ("error", "schema", "")),
        (W3C, "/validFrom", "yesterday", ("error", "schema", "/validFrom")),
        (W3C, "/validFrom", "2022-02-02", ("error", "schema", "/validFrom")),
        (W3C, "/id", 7, ("error", "schema", "/id")),
        (W3C, "/id", "no uri", ("error", "schema", "/id")),
        (W3C, "/remark", "x", ("error", "schema", "")),
        (W3C, "/credentialSubject/items/0/colour", "red", ("error", "schema", "/credentialSubject/items/0")),
        (W3C, "/credentialSubject/dateOfExport", "2022-02-30", ("error", "schema", "/credentialSubject/dateOfExport")),
        (W3C, "/@context", ["https://www.w3.org/ns/credentials/v2"], ("error", "schema", "/@context")),
        (W3C, "/credentialSubject/items/0/type", ["Thing"], ("error", "schema", "/credentialSubject/items/0/type")),
        (USMCA, "/validUntil", UNSET, ("error", "schema", "")),
        (
            USMCA,
            "/credentialSubject/goods/0/originCriterion",
            "E",
            ("error", "schema", "/credentialSubject/goods/0/originCriterion"),
        ),
        # dialect
        (W3C, "/type", ["VerifiableCredential", "BillOfLading"], ("error", "dialect", "/type")),
        (W3C, "/type", UNSET, ("error", "dialect", "/type")),
        # dates
        (W3C, "/validFrom", "2016-12-31T23:59:60Z", ("error", "date", "/validFrom")),  # a leap second has no moment
        (W3C, "/validUntil", "2018-01-01T00:00:00Z", ("error", "validity", "/validUntil")),
        (W3C, "/validFrom", "2022-02-03T00:00:00Z", ("warning", "issued-after-export", "/validFrom")),
        (USMCA, "/validUntil", "2024-01-02T00:00:00Z", ("error", "date", "/validUntil")),
        # countries
        (
            W3C,
            "/credentialSubject/manufacturingCountry",
            "Italy",
            ("error", "country", "/credentialSubject/manufacturingCountry"),
        ),
        (
            W3C,
            "/credentialSubject/manufacturingCountry",
            "EU",
            ("warning", "country", "/credentialSubject/manufacturingCountry"),
        ),
        (
            W3C,
            "/credentialSubject/items/0/countryOfOrigin",
            "ZZ",
            ("error", "country", "/credentialSubject/items/0/countryOfOrigin"),
        ),
        (
            W3C,
            "/credentialSubject/items/0/countryOfOrigin",
            "FR",
            ("warning", "origin-differs", "/credentialSubject/items/0/countryOfOrigin"),
        ),
        # goods
        (W3C, "/credentialSubject/items", [], ("error", "goods", "/credentialSubject/items")),
        (W3C, "/credentialSubject/items/0/product", UNSET, ("unchecked", "hs-code", "/credentialSubject/items/0")),
        (W3C, CODE, "8516.71", None),
        (W3C, CODE, "8516", ("error", "hs-code", CODE)),
        (W3C, CODE, "8516710000", ("error", "hs-code", CODE)),
        (W3C, CODE, "123456", ("error", "hs-code", CODE)),
        (W3C, CODE, "\u0668\u0665\u0661\u0666\u0667\u0661", ("error", "hs-code", CODE)),
        (W3C, CODE, "854890", ("warning", "hs-edition", CODE)),  # 2017 only; exported in 2022
        (W3C, CODE, "854921", None),  # 2022
    ],
)
def test_each_rule_says_where(document, pointer, value, expected):
    findings = told(changed(document, pointer, value), "INV-7" if document is W3C else None)
    known = [] if document is W3C else told(USMCA)
    new = [finding for finding in findings if finding not in known]
    assert new[:1] == ([] if expected is None else [expected])


def test_a_code_is_read_in_the_edition_of_the_year_of_export():
    before = changed(changed(W3C, CODE, "854921"), "/credentialSubject/dateOfExport", "2021-12-31")
    assert told(before, "INV-7") == [("warning", "hs-edition", CODE)]
    assert "2017" in report(before, "INV-7").findings[0].expected


def test_an_hts_code_is_read_by_its_first_six_digits():
    document = changed(changed(USMCA, "/credentialSubject/goods/0/commodityCodeType", "HTS"), CODE_USMCA, "7213200010")
    assert told(document) == told(USMCA)
    assert require(json.dumps(document).encode()).certificate.goods[0].hs_code == "721320"
    assert ("error", "hs-code", CODE_USMCA) in told(changed(document, CODE_USMCA, "721320"))


CODE_USMCA = "/credentialSubject/goods/0/commodityCode"


def test_an_invoice_given_beside_must_be_the_one_stated():
    assert ("error", "invoice", "") in told(USMCA, "INV-other")
    assert told(USMCA, "inv-2023091") == told(USMCA)


def test_a_fraction_is_kept_and_checked():
    priced = changed(W3C, "/credentialSubject/items/0/lineItemTotalPrice", {"type": ["PriceSpecification"], "price": 0})
    data = json.dumps(priced).replace('"price": 0', '"price": 1250.50').encode()
    fields = dict(require(data).groups[5])
    assert str(fields["/credentialSubject/items/0/lineItemTotalPrice/price"]) == "1250.50"


def test_findings_tell_found_and_expected():
    (finding,) = report(changed(W3C, "/validFrom", UNSET)).findings
    assert (finding.found, finding.expected) == ("no 'validFrom'", "a member 'validFrom'")
    with pytest.raises(InvalidDocument, match="validFrom") as caught:
        require(json.dumps(changed(W3C, "/validFrom", UNSET)).encode())
    assert caught.value.findings == (finding,)


def test_findings_are_bounded():
    many = changed(W3C, "/credentialSubject/items", [{"type": ["TradeLineItem"], "x": 1}] * 500)
    assert len(report(many).findings) == FINDINGS_MAX
    lines = [{"type": ["TradeLineItem"]}] * 300 + [{"type": ["TradeLineItem"], "countryOfOrigin": "ZZ"}]
    hidden = report(changed(W3C, "/credentialSubject/items", lines))
    assert not hidden.is_acceptable  # the one error is not lost behind three hundred notes
    assert (hidden.findings[0].severity, len(hidden.findings)) == ("error", FINDINGS_MAX)
    assert shown("x" * 10_000).endswith("(cut off)")
    assert Finding("error", "r", "", "f", "e").text().startswith("error at the whole document")


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_findings(data):
    result = check(data)
    assert result.checked is None
    assert result.findings
    assert not result.is_acceptable


POINTERS = [pointer for name in EXAMPLES for group in require(load_example(name)).groups for pointer, _ in group]
JUNK = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2) | st.just({"a": {}})


@given(st.sampled_from([W3C, USMCA]), st.sampled_from(POINTERS), JUNK)
def test_any_value_in_any_field_gives_findings_not_errors(document, pointer, junk):
    try:
        bent = changed(document, pointer, junk)
    except (KeyError, IndexError):
        return
    result = report(bent)
    assert result.is_acceptable == (not any(finding.severity == "error" for finding in result.findings))


def test_the_code_lists_are_whole():
    # 5,387 codes of HS 2017 and 5,612 of HS 2022 (WCO), 249 countries (ISO 3166-1).
    assert [len(CODES[edition]) for edition in ("2017", "2022")] == [5387, 5612]
    assert hs_editions_of("090111") == ("2017", "2022")
    assert sum(is_country(a + b) for a in ALPHABET for b in ALPHABET) == 249


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CODES = {
    edition: [f"{number:06}" for number in range(1_000_000) if edition in hs_editions_of(f"{number:06}")]
    for edition in ("2017", "2022")
}


def test_each_dialect_has_a_schema_of_its_own_that_refers_to_nothing_outside():
    for name in DIALECTS:
        text = json.dumps(load_schema(name))
        assert json.loads(text)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert text.count('"$ref": "#/$defs/') == text.count('"$ref"')
