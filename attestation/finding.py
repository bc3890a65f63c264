"""A finding: one thing that a check noticed in a document, with its place. Knows no rule; only how one is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "unchecked"]
"""``error``: refused. ``warning``: attested, but somebody should look. ``unchecked``: a rule lacked what it needs."""

FOUND_CHARACTERS_MAX = 120  # a finding is a line for people; the document itself is at hand


@dataclass(frozen=True, slots=True)
class Finding:
    """One notice: where (JSON Pointer, RFC 6901), by which rule, what was found and what was expected."""

    severity: Severity
    rule: str
    pointer: str
    found: str
    expected: str

    def text(self) -> str:
        """Return the finding as one line for people.

        >>> Finding("error", "hs-code", "/items/0/code", "851", "six digits").text()
        'error at /items/0/code (hs-code): found 851; expected six digits'
        """
        where = self.pointer or "the whole document"
        return f"{self.severity} at {where} ({self.rule}): found {self.found}; expected {self.expected}"


def shown(value: object) -> str:
    """Return a value as a finding shows it: on one line, cut when long.

    >>> shown("a" * 200)[-20:]
    'aaaaaaa... (cut off)'
    """
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= FOUND_CHARACTERS_MAX else text[: FOUND_CHARACTERS_MAX - 13] + "... (cut off)"
