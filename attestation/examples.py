"""Certificates to try things with: the published examples, and any number of variations of them.

Variations are a function of a seed and a position alone, so that every run of a trial issues the same documents. They
change numbers, dates, goods, quantities and parties; never the form. The parties are fictional, the HS codes are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from hashlib import shake_256

from cocket.attestation.canonical import encode_json, parse_json
from cocket.attestation.codes import EXAMPLES, load_example
from cocket.attestation.dialect import member

_GOODS = (  # description and code of the Harmonized System, the same in editions 2017 and 2022
    ("Coffee, not roasted, not decaffeinated, washed Arabica", "090111"),
    ("Black tea, fermented, in packings above 3 kg", "090240"),
    ("Fresh cut roses", "060311"),
    ("Avocados, fresh", "080440"),
    ("Electro-thermic coffee makers for domestic use", "851671"),
    ("Cotton T-shirts, knitted", "610910"),
    ("Non-alloy steel rods, hot-rolled, in coils", "721320"),
    ("Unglazed ceramic tiles", "690721"),
    ("Soya beans, other than seed", "120190"),
    ("Wooden office furniture", "940330"),
    ("Insulated electric conductors for vehicles", "854430"),
    ("Footwear with outer soles of rubber and uppers of leather", "640399"),
)
_CITIES = ("Mombasa", "Nairobi", "Santos", "Rotterdam", "Singapore", "Trieste", "Monterrey", "Durban")
_START = datetime(2026, 1, 5, 8, 0, 0, tzinfo=UTC)


def example_documents() -> tuple[tuple[str, bytes], ...]:
    """Return the published examples, unchanged: name and JSON bytes."""
    return tuple((name, load_example(name)) for name in EXAMPLES)


def bulk_documents(
    count: int, seed: bytes = b"cocket", first: int = 0, line_count: int | None = None
) -> Iterator[bytes]:
    """Yield ``count`` variations from position ``first`` on, as JSON bytes; of three, two follow the first example.

    ``line_count`` fixes the number of goods lines of the first example's variations (by default one to four).
    """
    originals = [parse_json(load_example(name)) for name in EXAMPLES]
    for position in range(first, first + count):
        draws = shake_256(seed + position.to_bytes(8, "big")).digest(64)
        original = deepcopy(originals[1 if position % 3 == 2 and line_count is None else 0])
        if not isinstance(original, dict):
            continue
        subject = member(original, "credentialSubject")
        start = _START + timedelta(days=draws[16] % 150, minutes=draws[17])
        original["id"] = f"urn:uuid:{_uuid(draws[:16])}"
        original["validFrom"] = _time(start)
        if isinstance(subject, dict) and "items" in subject:
            _vary_w3c(subject, draws, start, line_count)
        elif isinstance(subject, dict):
            original["validUntil"] = _time(start + timedelta(days=364))
            _vary_usmca(subject, draws, position)
        yield encode_json(original)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _uuid(octets: bytes) -> str:
    digits = octets.hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


def _vary_w3c(subject: dict[str, object], draws: bytes, start: datetime, line_count: int | None) -> None:
    lines = subject["items"]
    if not isinstance(lines, list):
        return
    count = 1 + draws[18] % 4 if line_count is None else line_count
    subject["items"] = [_w3c_line(deepcopy(lines[0]), draws[20 + at % 40] + at, at) for at in range(count)]
    subject["dateOfExport"] = (start + timedelta(days=2 + draws[19] % 20)).strftime("%Y-%m-%d")


def _w3c_line(line: object, draw: int, at: int) -> object:
    description, code = _GOODS[draw % len(_GOODS)]
    commodity = member(member(line, "product"), "commodity")
    if isinstance(line, dict) and isinstance(commodity, dict):
        line |= {"name": f"Lot {at + 1}-{draw}", "description": description, "itemCount": 1 + draw * 3}
        commodity["commodityCode"] = code
    return line


def _vary_usmca(subject: dict[str, object], draws: bytes, position: int) -> None:
    description, code = _GOODS[draws[18] % len(_GOODS)]
    goods = subject["goods"]
    if isinstance(goods, list) and isinstance(goods[0], dict):
        goods[0] |= {"description": description, "commodityCode": code, "originCriterion": "ABCD"[draws[19] % 4]}
    subject["invoiceNumber"] = f"inv-{position:07}"
    for name in ("exporterDetails", "producerDetails"):
        address = member(member(member(subject, name), "location"), "address")
        if isinstance(address, dict):
            address["addressLocality"] = _CITIES[draws[20] % len(_CITIES)]
            address["addressCountry"] = "US"
