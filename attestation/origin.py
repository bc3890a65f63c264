"""The certificate of origin as we understand it: one model for all dialects, and the rules that hold in each.

Knows no dialect's names: a dialect reads its document into :class:`CertificateOfOrigin`, each part with the pointer
it came from, and :func:`findings_of` applies the rules of origin certificates to that. Pure values, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from cocket.attestation.codes import hs_edition_on, hs_editions_of, is_country, is_customs_territory
from cocket.attestation.finding import Finding, Severity, shown

_HS = re.compile(r"[0-9]{6}", re.ASCII)
_HTS = re.compile(r"[0-9]{8}(?:[0-9]{2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stated:
    """A text and where in the document it stands."""

    pointer: str
    text: str


@dataclass(frozen=True, slots=True)
class GoodsLine:
    """One line of goods. ``code_type`` is ``HS`` (six digits) or ``HTS`` (eight or ten, the first six are HS)."""

    pointer: str
    description: str | None
    code: Stated | None
    code_type: str | None
    origin_country: Stated | None
    criterion: str | None
    invoice_number: str | None = None

    @property
    def hs_code(self) -> str | None:
        """Return the six digits of the Harmonized System, without dots; None when there are none."""
        digits = self.code.text.replace(".", "") if self.code else ""
        return digits[:6] if _HS.fullmatch(digits) or _HTS.fullmatch(digits) else None


@dataclass(frozen=True, slots=True)
class Party:
    """A party: its role (``exporter``, ``importer``, ``producer``, ``maker``, ``seller``, ``ship to``)."""

    role: str
    name: str | None
    country: Stated | None


@dataclass(frozen=True, slots=True)
class CertificateOfOrigin:
    """A certificate of origin, whatever dialect it was written in; absent parts are None.

    ``has_invoice_field``: whether the dialect has a place for the invoice's number at all. ``is_blanket``: the
    certificate covers a period, not one shipment, so it needs no invoice.
    """

    number: str
    issuer_id: str
    issuer_name: str | None
    valid_from: datetime
    valid_until: datetime | None
    origin_country: Stated | None
    export_date: date | None
    export_date_pointer: str
    goods: tuple[GoodsLine, ...]
    goods_pointer: str
    parties: tuple[Party, ...]
    invoice_number: str | None
    has_invoice_field: bool
    is_blanket: bool
    agreement: str | None

    @property
    def hs_edition(self) -> str:
        """Return the edition of the Harmonized System that the codes are read in: that of the year of export."""
        return hs_edition_on((self.export_date or self.valid_from).year)


def findings_of(certificate: CertificateOfOrigin, invoice_number: str | None) -> Iterator[Finding]:
    """Yield what the rules of origin certificates say; ``invoice_number`` is one given beside the document."""
    yield from _date_findings(certificate)
    yield from _invoice_findings(certificate, invoice_number)
    if certificate.origin_country is not None:
        yield from _country_findings(certificate.origin_country, "error")
    if not certificate.goods:
        yield Finding("error", "goods", certificate.goods_pointer, "no goods", "at least one line of goods")
    for line in certificate.goods:
        yield from _goods_findings(line, certificate)
    for party in certificate.parties:
        if party.country is not None:
            yield from _country_findings(party.country, "warning")


def _date_findings(certificate: CertificateOfOrigin) -> Iterator[Finding]:
    until = certificate.valid_until
    if until is not None and until < certificate.valid_from:
        expected = f"a time after {certificate.valid_from.isoformat()}, when it starts to be valid"
        yield Finding("error", "validity", "/validUntil", until.isoformat(), expected)
    exported = certificate.export_date
    if exported is not None and certificate.valid_from.date() > exported:
        expected = f"a start no later than the export on {exported}, or a remark that it was issued retrospectively"
        yield Finding("warning", "issued-after-export", "/validFrom", certificate.valid_from.isoformat(), expected)


def _invoice_findings(certificate: CertificateOfOrigin, given: str | None) -> Iterator[Finding]:
    """A claim of origin hangs on a commercial invoice, unless it covers a period."""
    stated = [certificate.invoice_number, *(line.invoice_number for line in certificate.goods)]
    numbers = [number for number in stated if number]
    expected = "the number of the commercial invoice that the claim of origin hangs on"
    if given is not None and numbers and given not in numbers:
        yield Finding("error", "invoice", "", shown(", ".join(numbers)), f"invoice {given}, which was given beside it")
    elif given is None and not numbers and not certificate.is_blanket:
        if certificate.has_invoice_field:
            yield Finding("warning", "invoice", "", "no invoice number", expected)
        else:
            found = "no invoice number: this dialect has no place for one"
            yield Finding("unchecked", "invoice", "", found, f"{expected}, given beside the document")


def _country_findings(stated: Stated, severity: Severity) -> Iterator[Finding]:
    expected = "a country of ISO 3166-1, two capital letters"
    if is_customs_territory(stated.text):
        found = f"{shown(stated.text)}, which customs use and ISO has not officially assigned"
        yield Finding("warning", "country", stated.pointer, found, expected)
    elif not is_country(stated.text):
        yield Finding(severity, "country", stated.pointer, shown(stated.text), expected)


def _goods_findings(line: GoodsLine, certificate: CertificateOfOrigin) -> Iterator[Finding]:
    if line.code is None:
        yield Finding("unchecked", "hs-code", line.pointer, "no commodity code", "a code of the Harmonized System")
    else:
        yield from _code_findings(line, line.code, certificate.hs_edition)
    origin = line.origin_country
    if origin is not None:
        yield from _country_findings(origin, "error")
        certified = certificate.origin_country
        if certified is not None and origin.text != certified.text:
            expected = f"{certified.text}, the country that the certificate is for"
            yield Finding("warning", "origin-differs", origin.pointer, shown(origin.text), expected)


def _code_findings(line: GoodsLine, code: Stated, edition: str) -> Iterator[Finding]:
    digits = code.text.replace(".", "")
    if line.code_type == "HTS":
        form, length = _HTS, "8 or 10 digits (HTS)"
    else:
        form, length = _HS, "6 digits (HS)"
    if line.code_type is None:
        yield Finding("warning", "hs-code", code.pointer, "a code without its type", "HS or HTS; read as HS")
    if not form.fullmatch(digits):
        yield Finding("error", "hs-code", code.pointer, shown(code.text), length)
        return
    editions = hs_editions_of(digits[:6])
    if not editions:
        expected = f"a code of the Harmonized System, edition {edition}"
        yield Finding("error", "hs-code", code.pointer, shown(code.text), expected)
    elif edition not in editions:
        found = f"{shown(code.text)}, a code of edition {' and '.join(editions)} only"
        yield Finding("warning", "hs-edition", code.pointer, found, f"a code of edition {edition}, in force at export")
