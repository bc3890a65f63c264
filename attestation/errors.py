"""What can go wrong with a document, a file or a proof: the only errors that this package raises.

::

    AttestationError
    ├── InvalidDocument     a document that we refuse to attest; carries its findings
    ├── InvalidFile         a certificate or presentation file that cannot be read as one
    ├── InvalidSelection    a wish to show fields that the document does not have, or fewer than must be shown
    ├── InvalidBatch        leaves that cannot become a batch: none, too many, of the wrong size
    ├── FalseDisclosure     disclosures of an SD-JWT that do not belong to what was signed, or that no reader may take
    └── FalseShare          a custodian's answer that does not lead to its share; says whose

A proof that does not hold is no error: it is a verdict (see :mod:`cocket.attestation.verdict`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cocket.attestation.finding import Finding


class AttestationError(Exception):
    """Root of everything that this package raises on purpose."""


class InvalidDocument(AttestationError):
    """A document is refused; ``findings`` says where, what was found and what was expected."""

    def __init__(self, message: str, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class InvalidFile(AttestationError):
    """Bytes are not a certificate or presentation file of a version that we know."""


class InvalidSelection(AttestationError):
    """Fields were asked for that are not there, or fields left out that a presentation must show."""


class InvalidBatch(AttestationError):
    """A batch is empty, over its capacity, or its parts have the wrong size."""


class FalseDisclosure(AttestationError):
    """An SD-JWT's disclosures and digests break a rule of RFC 9901, section 7.1: unknown, twice, out of place."""


class FalseShare(AttestationError):
    """What custodian ``number`` answered does not lead to the share that the manifest has of it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"the answer of custodian number {number} does not lead to its share; ask another one")
        self.number = number
