"""The CertificationOfOrigin of the W3C traceability vocabulary (made with US CBP): its groups and its reading.

Source: w3c-ccg/traceability-vocab, ``credentials/CertificationOfOrigin.yml``; the mapping is in ``docs/formats.md``.
The dialect has no place for an invoice: the claim's invoice can only be given beside the document.
"""

from __future__ import annotations

from cocket.attestation.attachments import MEMBER
from cocket.attestation.dialect import Dialect, day, items, member, moment, stated, text
from cocket.attestation.disclose import GroupTree
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.origin import CertificateOfOrigin, GoodsLine, Party

_GROUP = {name: index for index, name in enumerate(CERTIFICATE_OF_ORIGIN.groups)}


def _all(group: str) -> GroupTree:
    return GroupTree(_GROUP[group])


_PRODUCT = GroupTree(
    _GROUP["goods"],
    {"manufacturer": _all("parties"), "seller": _all("parties"), "productPrice": _all("commercial")},
)
_LINE = GroupTree(
    _GROUP["goods"],
    {
        "product": _PRODUCT,
        "shipToParty": _all("parties"),
        "countryOfOrigin": _all("origin"),
        "freeTradeAgreement": _all("origin"),
        "purchaseOrderNumber": _all("commercial"),
        "lineItemTotalPrice": _all("commercial"),
    },
)
_SUBJECT = GroupTree(_GROUP["certificate"], {"items": _LINE, "dateOfExport": _all("transport")})
TREE = GroupTree(_GROUP["certificate"], {"credentialSubject": _SUBJECT, MEMBER: _all("commercial")})


def read(document: dict[str, object]) -> CertificateOfOrigin:
    """Return the model of a document that holds to the schema."""
    subject, issuer = member(document, "credentialSubject"), member(document, "issuer")
    until = document.get("validUntil")
    lines = items(member(subject, "items"))
    goods = tuple(_line(line, f"/credentialSubject/items/{at}") for at, line in enumerate(lines))
    return CertificateOfOrigin(
        number=text(document.get("id")) or "",
        issuer_id=text(member(issuer, "id")) or "",
        issuer_name=text(member(issuer, "name")),
        valid_from=moment(document.get("validFrom"), "/validFrom"),
        valid_until=None if until is None else moment(until, "/validUntil"),
        origin_country=stated(member(subject, "manufacturingCountry"), "/credentialSubject/manufacturingCountry"),
        export_date=day(member(subject, "dateOfExport"), "/credentialSubject/dateOfExport"),
        export_date_pointer="/credentialSubject/dateOfExport",
        goods=goods,
        goods_pointer="/credentialSubject/items",
        parties=tuple(party for at, line in enumerate(lines) for party in _parties(line, at)),
        invoice_number=None,
        has_invoice_field=False,
        is_blanket=False,
        agreement=next((text(member(line, "freeTradeAgreement")) for line in lines), None),
    )


def _line(line: object, pointer: str) -> GoodsLine:
    product = member(line, "product")
    commodity = member(product, "commodity")
    return GoodsLine(
        pointer=pointer,
        description=text(member(line, "description")) or text(member(product, "description")),
        code=stated(member(commodity, "commodityCode"), f"{pointer}/product/commodity/commodityCode"),
        code_type=text(member(commodity, "commodityCodeType")),
        origin_country=stated(member(line, "countryOfOrigin"), f"{pointer}/countryOfOrigin"),
        criterion=None,
    )


def _parties(line: object, at: int) -> list[Party]:
    """Return the parties of a line; only the ship-to party has an address in this dialect."""
    product, ship_to = member(line, "product"), member(line, "shipToParty")
    found = []
    for role, name in (("maker", "manufacturer"), ("seller", "seller")):
        if (party := member(product, name)) is not None:
            found.append(Party(role, text(member(party, "name")), None))
    if ship_to is not None:
        country = member(member(member(ship_to, "location"), "address"), "addressCountry")
        pointer = f"/credentialSubject/items/{at}/shipToParty/location/address/addressCountry"
        found.append(Party("ship to", text(member(ship_to, "name")), stated(country, pointer)))
    return found


DIALECT = Dialect("w3c-certification-of-origin", "CertificationOfOrigin", CERTIFICATE_OF_ORIGIN, TREE, read)
