"""Published data that ships with the package: the only module that reads it (schemas, code lists, examples).

``data/SOURCE.md`` and ``examples/SOURCE.md`` say where each comes from and under which licence. Read once, then kept.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import msgspec

HS_EDITIONS = ("2017", "2022")  # in force from the first of January of that year
EXAMPLES = ("w3c-certification-of-origin", "w3c-usmca-certification-of-origin")


def _read(name: str) -> bytes:
    return files("cocket.attestation").joinpath(name).read_bytes()


@lru_cache(maxsize=8)
def load_schema(name: str) -> dict[str, object]:
    """Return a published JSON Schema (2020-12) by the name of its dialect."""
    return msgspec.json.decode(_read(f"data/{name}.schema.json"), type=dict[str, object])


class _HsFile(msgspec.Struct):
    editions: dict[str, dict[str, str]]


@lru_cache(maxsize=1)
def _hs_codes() -> dict[str, tuple[str, ...]]:
    """Return each six-digit code with the editions it stands in."""
    found: dict[str, tuple[str, ...]] = {}
    editions = msgspec.json.decode(_read("data/hs-codes.json"), type=_HsFile).editions
    for edition in HS_EDITIONS:
        for chapter, rests in editions[edition].items():
            for rest in rests.split():
                found[chapter + rest] = (*found.get(chapter + rest, ()), edition)
    return found


def hs_editions_of(code: str) -> tuple[str, ...]:
    """Return the editions of the Harmonized System that have this six-digit code.

    >>> hs_editions_of("854890"), hs_editions_of("854921"), hs_editions_of("000000")
    (('2017',), ('2022',), ())
    """
    return _hs_codes().get(code, ())


def hs_edition_on(year: int) -> str:
    """Return the edition in force in a year (2017 for the years before it: the oldest that we carry)."""
    return "2022" if year >= 2022 else "2017"


class _CountryFile(msgspec.Struct):
    codes: str
    customs: str


@lru_cache(maxsize=1)
def _countries() -> tuple[frozenset[str], frozenset[str]]:
    """Return the officially assigned codes, and those that only customs use."""
    file = msgspec.json.decode(_read("data/iso3166.json"), type=_CountryFile)
    return frozenset(file.codes.split()), frozenset(file.customs.split())


def is_country(code: str) -> bool:
    """Return whether this is an officially assigned ISO 3166-1 alpha-2 code.

    >>> is_country("KE"), is_country("Kenya"), is_country("ZZ")
    (True, False, False)
    """
    return code in _countries()[0]


def is_customs_territory(code: str) -> bool:
    """Return whether customs use this code though ISO has not officially assigned it: EU, Northern Ireland, Kosovo.

    >>> is_customs_territory("EU"), is_customs_territory("KE")
    (True, False)
    """
    return code in _countries()[1]


def load_example(name: str) -> bytes:
    """Return a published example certificate, unchanged."""
    return _read(f"examples/{name}.json")
