"""Showing: a holder's choice of disclosures. A selection means what it means for a presentation of ours.

Needs no key and no secret: an SD-JWT with fewer disclosures is as valid as before. Holds them to the digests and to the
document root first, so that nobody hands on what no verifier would take; the issuer's signature is not judged here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cocket.attestation.dialects import DIALECTS
from cocket.attestation.errors import InvalidSelection
from cocket.attestation.finding import shown
from cocket.attestation.prove import EVERYTHING
from cocket.attestation.sdjwt.combined import Combined
from cocket.attestation.sdjwt.contents import contents_of
from cocket.attestation.sdjwt.layout import COUNTRY, DOCUMENT
from cocket.attestation.sdjwt.unfolding import unfold
from cocket.attestation.sdjwt.verification import signed_of


def show(combined: Combined, selection: Sequence[str] = (EVERYTHING,), *, show_country: bool = True) -> Combined:
    """Return an SD-JWT that discloses some fields.

    ``selection`` holds names of groups (with their seeds), JSON Pointers (that field, or all fields below) or ``*``.
    Refuses (InvalidSelection) what names nothing that is disclosed here, and one that is bound to a holder already.
    """
    if combined.binding:
        raise InvalidSelection("found a presentation that its holder bound; choose fields of the one that was issued")
    unfolded = unfold(signed_of(combined).payload, combined.disclosures)
    contents = contents_of(unfolded)
    if contents.problems:
        raise InvalidSelection(f"the certificate was changed since it was issued: {contents.problems[0].text()}")
    names = DIALECTS[contents.presentation.dialect].kind.groups
    groups = {name for name in selection if not name.startswith("/")}
    pointers = [name for name in selection if name.startswith("/")]
    if unknown := sorted(groups - {EVERYTHING, *names}):
        raise InvalidSelection(f"found group {unknown[0]!r}; expected one of {', '.join(names)}, or a pointer")
    known = [pointer for pointer, _ in contents.presentation.fields()]
    for wanted in pointers:
        if not any(_is_at_or_below(pointer, wanted) for pointer in known):
            raise InvalidSelection(f"found pointer {shown(wanted)}; no field there is disclosed in this SD-JWT")
    for wanted in sorted(groups - {EVERYTHING, names[0]}):
        if (DOCUMENT, wanted) not in unfolded.disclosures:
            raise InvalidSelection(f"found group {wanted}; it is hidden in this SD-JWT")
    chosen: set[str] = set()
    for path, text in unfolded.disclosures.items():
        if path == (COUNTRY,):
            chosen |= {text} if show_country else set()
        elif EVERYTHING in groups or path[1] in groups:
            chosen.add(text)
        elif len(path) == 3 and any(_is_at_or_below(str(path[2]), wanted) for wanted in pointers):
            chosen |= {text, unfolded.disclosures[path[:2]]}
    return replace(combined, disclosures=tuple(text for text in combined.disclosures if text in chosen))


def _is_at_or_below(pointer: str, wanted: str) -> bool:
    return pointer == wanted or pointer.startswith(wanted + "/")
