"""The USMCACertificationOfOrigin of the W3C traceability vocabulary (made with US CBP): its groups and its reading.

Source: w3c-ccg/traceability-vocab, ``credentials/USMCACertificationOfOrigin.yml``; mapping in ``docs/formats.md``.
The certifier is the issuer. With an invoice number it is for one shipment; without one it covers its whole period
(USMCA, article 5.2: a blanket certification of at most twelve months).
"""

from __future__ import annotations

from datetime import datetime

from cocket.attestation.attachments import MEMBER
from cocket.attestation.dialect import Dialect, Unreadable, items, member, moment, stated, text
from cocket.attestation.disclose import GroupTree
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.origin import CertificateOfOrigin, GoodsLine, Party

_GROUP = {name: index for index, name in enumerate(CERTIFICATE_OF_ORIGIN.groups)}


def _all(group: str) -> GroupTree:
    return GroupTree(_GROUP[group])


_GOODS = GroupTree(_GROUP["goods"], {"originCriterion": _all("origin"), "countryOfOrigin": _all("origin")})
_SUBJECT = GroupTree(
    _GROUP["certificate"],
    {
        "exporterDetails": _all("parties"),
        "variousExporters": _all("parties"),
        "producerDetails": _all("parties"),
        "variousProducers": _all("parties"),
        "importerDetails": _all("parties"),
        "variousImporters": _all("parties"),
        "goods": _GOODS,
        "invoiceNumber": _all("commercial"),
    },
)
_ISSUER = GroupTree(_GROUP["certificate"], {"employee": _all("parties"), "location": _all("parties")})
TREE = GroupTree(
    _GROUP["certificate"],
    {"credentialSubject": _SUBJECT, "issuer": _ISSUER, MEMBER: _all("commercial")},
)


def read(document: dict[str, object]) -> CertificateOfOrigin:
    """Return the model of a document that holds to the schema."""
    subject, issuer = member(document, "credentialSubject"), member(document, "issuer")
    start, until = moment(document.get("validFrom"), "/validFrom"), moment(document.get("validUntil"), "/validUntil")
    invoice = text(member(subject, "invoiceNumber"))
    if until > _twelve_months_after(start):
        raise Unreadable("/validUntil", until.isoformat(), f"at most twelve months after {start.isoformat()}")
    goods = items(member(subject, "goods"))
    parties = [("exporter", member(subject, "exporterDetails"), "/credentialSubject/exporterDetails")]
    parties.append(("producer", member(subject, "producerDetails"), "/credentialSubject/producerDetails"))
    for at, importer in enumerate(items(member(subject, "importerDetails"))):
        parties.append(("importer", importer, f"/credentialSubject/importerDetails/{at}"))
    return CertificateOfOrigin(
        number=text(document.get("id")) or "",
        issuer_id=text(member(issuer, "id")) or "",
        issuer_name=text(member(issuer, "name")),
        valid_from=start,
        valid_until=until,
        origin_country=None,
        export_date=None,
        export_date_pointer="",
        goods=tuple(_line(line, f"/credentialSubject/goods/{at}") for at, line in enumerate(goods)),
        goods_pointer="/credentialSubject/goods",
        parties=tuple(_party(role, party, pointer) for role, party, pointer in parties),
        invoice_number=invoice,
        has_invoice_field=True,
        is_blanket=invoice is None,
        agreement="USMCA",
    )


def _twelve_months_after(start: datetime) -> datetime:
    """Return the same day of the next year (28 February for a leap day)."""
    try:
        return start.replace(year=start.year + 1)
    except ValueError:
        return start.replace(year=start.year + 1, day=28) if start.year < 9999 else start


def _line(line: object, pointer: str) -> GoodsLine:
    return GoodsLine(
        pointer=pointer,
        description=text(member(line, "description")),
        code=stated(member(line, "commodityCode"), f"{pointer}/commodityCode"),
        code_type=text(member(line, "commodityCodeType")),
        origin_country=stated(member(line, "countryOfOrigin"), f"{pointer}/countryOfOrigin"),
        criterion=text(member(line, "originCriterion")),
    )


def _party(role: str, party: object, pointer: str) -> Party:
    country = member(member(member(party, "location"), "address"), "addressCountry")
    place = f"{pointer}/location/address/addressCountry"
    return Party(role, text(member(party, "name")), stated(country, place))


DIALECT = Dialect("w3c-usmca-certification-of-origin", "USMCACertificationOfOrigin", CERTIFICATE_OF_ORIGIN, TREE, read)
