"""Kinds of document: their numbers on the ledger, their field groups in published order, what is never hidden.

A kind's list of groups is part of the commitment: it can be added to only as a new kind. Knows no dialect.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of document: ``number`` is what the ledger knows it by (16 bits), ``groups`` the published order.

    ``sealed_bytes_min`` is the least size class of each group when it is sealed: wide enough for what is usual.
    The first group is never hidden: every presentation opens it whole, so that nothing in it can be withheld.
    """

    number: int
    name: str
    groups: tuple[str, ...]
    sealed_bytes_min: tuple[int, ...]

    @property
    def never_hidden(self) -> str:
        """Return the name of the group that each presentation shows whole."""
        return self.groups[NEVER_HIDDEN]


CERTIFICATE_OF_ORIGIN = Kind(
    number=1,
    name="certificate of origin",
    groups=(
        "certificate",  # what it is, its number, who issued it, from when until when, which country it certifies
        "parties",  # exporter, importer, producer, maker, seller, ship-to
        "goods",  # names, descriptions, codes, quantities, weights
        "origin",  # per line: country, criterion, agreement
        "transport",  # date of export
        "commercial",  # invoice and order numbers, prices
    ),
    sealed_bytes_min=(4096, 4096, 16384, 4096, 1024, 4096),
)

NEVER_HIDDEN = 0
"""The number of the group that is never hidden, in every kind."""
KINDS = {kind.number: kind for kind in (CERTIFICATE_OF_ORIGIN,)}
