"""Check: a document against its published schema, its code lists and the rules of its kind, before it is attested.

The one place that says whether a document may be attested. Every finding has a JSON Pointer, what was found and what
was expected. No schema is ever fetched: what they refer to ships with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind

from cocket.attestation import attachments
from cocket.attestation.canonical import parse_json
from cocket.attestation.codes import load_schema
from cocket.attestation.dialect import Dialect, Unreadable
from cocket.attestation.dialects import DIALECTS, recognise
from cocket.attestation.disclose import Field, fields_of
from cocket.attestation.errors import InvalidDocument
from cocket.attestation.finding import Finding, shown
from cocket.attestation.origin import CertificateOfOrigin, findings_of

FINDINGS_MAX = 100  # after a hundred, the hundred-and-first helps nobody


@dataclass(frozen=True, slots=True)
class CheckedDocument:
    """A document that may be attested: its fields by group in published order, and what it means."""

    dialect: Dialect
    document: dict[str, object]
    groups: tuple[Sequence[Field], ...]
    certificate: CertificateOfOrigin


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings, and the checked document unless one of them is an error."""

    findings: tuple[Finding, ...]
    checked: CheckedDocument | None

    @property
    def is_acceptable(self) -> bool:
        """Return whether the document may be attested: no finding is an error."""
        return self.checked is not None


@lru_cache(maxsize=8)
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(load_schema(name), validate_formats=True, offline=True)


def check(data: bytes, invoice_number: str | None = None) -> CheckReport:
    """Return the findings on a document's bytes; never raises for what they hold.

    ``invoice_number`` is that of the commercial invoice, when it is known beside the document.
    """
    try:
        document = parse_json(data)
        dialect = recognise(document)
        if dialect is None or not isinstance(document, dict):
            known = ", ".join(known.document_type for known in DIALECTS.values())
            found = shown(document.get("type", "nothing")) if isinstance(document, dict) else "no object"
            return CheckReport((Finding("error", "dialect", "/type", found, f"one of {known}"),), None)
        groups = fields_of(document, dialect.tree, len(dialect.kind.groups))
    except InvalidDocument as error:
        return CheckReport(error.findings, None)
    validator, published = _validator(dialect.name), document
    if attachments.MEMBER in document:  # the data model's, in any credential: no published schema of a dialect knows it
        if problems := tuple(attachments.findings_of(document[attachments.MEMBER])):
            return CheckReport(problems, None)
        published = {name: node for name, node in document.items() if name != attachments.MEMBER}
    if not validator.is_valid(published):
        return CheckReport(tuple(map(_schema_finding, islice(validator.iter_errors(published), FINDINGS_MAX))), None)
    try:
        certificate = dialect.read(document)
    except Unreadable as error:
        return CheckReport((Finding("error", "date", error.pointer, error.found, error.expected),), None)
    noticed = sorted(findings_of(certificate, invoice_number), key=_is_no_error)  # errors first, none cut off by notes
    findings = tuple(noticed[:FINDINGS_MAX])
    if findings and findings[0].severity == "error":
        return CheckReport(findings, None)
    return CheckReport(findings, CheckedDocument(dialect, document, groups, certificate))


def _is_no_error(finding: Finding) -> bool:
    return finding.severity != "error"


def require(data: bytes, invoice_number: str | None = None) -> CheckedDocument:
    """Return the checked document, or raise InvalidDocument with its findings."""
    report = check(data, invoice_number)
    if report.checked is None:
        errors = [finding for finding in report.findings if finding.severity == "error"]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InvalidDocument(errors[0].text() + more, report.findings)
    return report.checked


def _schema_finding(error: ValidationError) -> Finding:
    """Return a schema's complaint in our words."""
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error.instance_path)
    found, expected = _told(error)
    return Finding("error", "schema", pointer, found, expected)


def _told(error: ValidationError) -> tuple[str, str]:
    found = shown(error.instance)
    match error.kind:
        case ValidationErrorKind.Required(name):
            return f"no {name!r}", f"a member {name!r}"
        case ValidationErrorKind.AdditionalProperties(names):
            return f"{', '.join(map(shown, names))}", "only members that the schema knows"
        case ValidationErrorKind.Constant(value):
            return found, shown(value)
        case ValidationErrorKind.Enum(options):
            return found, f"one of {shown(options)}"
        case ValidationErrorKind.Format(name):
            return found, f"a {name}"
        case ValidationErrorKind.Type(types):
            return found, f"a value of type {' or '.join(types)}"
    return found, shown(error.message)
