"""The dialects that we read: a list. Another one is another module beside these and a line here."""

from __future__ import annotations

from cocket.attestation import w3c_origin, w3c_usmca
from cocket.attestation.dialect import Dialect, items, member

DIALECTS = {dialect.name: dialect for dialect in (w3c_origin.DIALECT, w3c_usmca.DIALECT)}


def recognise(document: object) -> Dialect | None:
    """Return the dialect of a document by its ``/type``; None when it is none of ours."""
    types = items(member(document, "type"))
    return next((dialect for dialect in DIALECTS.values() if dialect.document_type in types), None)
