"""What a dialect is: the handful of things that one published form of a document says for itself.

A dialect is a module with one ``DIALECT``; :mod:`cocket.attestation.dialects` lists them. Knows no dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from cocket.attestation.disclose import GroupTree
from cocket.attestation.kinds import Kind
from cocket.attestation.origin import CertificateOfOrigin, Stated


@dataclass(frozen=True, slots=True)
class Dialect:
    """One published form of a kind of document.

    ``name`` also names its JSON Schema; ``document_type`` is what its ``/type`` holds; ``tree`` says which group each
    field belongs to; ``read`` turns a document that holds to the schema into the model (Unreadable when it cannot).
    The two pointers say where its period of validity stands: always in the group that is never hidden.
    """

    name: str
    document_type: str
    kind: Kind
    tree: GroupTree
    read: Callable[[dict[str, object]], CertificateOfOrigin]
    valid_from_pointer: str = "/validFrom"
    valid_until_pointer: str = "/validUntil"


class Unreadable(ValueError):
    """A value that the schema lets pass and we cannot read: a date that is none."""

    def __init__(self, pointer: str, found: str, expected: str) -> None:
        super().__init__(f"found {found} at {pointer}; expected {expected}")
        self.pointer, self.found, self.expected = pointer, found, expected


def member(node: object, name: str) -> object:
    """Return a member of an object, or None when it is no object or has no such member."""
    return node.get(name) if isinstance(node, dict) else None


def items(node: object) -> list[object]:
    """Return the items of an array; nothing when it is none."""
    return node if isinstance(node, list) else []


def text(node: object) -> str | None:
    """Return a text, or None when it is none."""
    return node if isinstance(node, str) else None


def stated(node: object, pointer: str) -> Stated | None:
    """Return a text with its place, or None when it is none."""
    return Stated(pointer, node) if isinstance(node, str) else None


def moment(node: object, pointer: str) -> datetime:
    """Return a date-time with its offset (RFC 3339)."""
    try:
        value = datetime.fromisoformat(node if isinstance(node, str) else "")
    except ValueError:
        raise Unreadable(pointer, str(node), "a date-time of RFC 3339 such as 2026-02-01T08:00:00Z") from None
    if value.tzinfo is None:
        raise Unreadable(pointer, str(node), "a date-time with its offset from UTC")
    return value


def day(node: object, pointer: str) -> date:
    """Return a date (RFC 3339 full-date)."""
    try:
        return date.fromisoformat(node if isinstance(node, str) else "")
    except ValueError:
        raise Unreadable(pointer, str(node), "a date such as 2026-02-01") from None
