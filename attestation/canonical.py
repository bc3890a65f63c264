"""JSON as we read and write it: the one place that turns bytes into values and values into their one text.

The profile is a strict part of I-JSON (RFC 7493) whose canonical text is RFC 8785's: names are ASCII, integers stay
within 2**53 - 1, there are no floating-point numbers. A number with a fraction (``12.50``) is kept as the decimal it
was written as, digit for digit, and written out the same; exponents (``1e3``) are refused, as they have many
spellings. A name given twice in one object is refused: two readers could disagree on which one counts. A name of
digits only is refused too: in a JSON Pointer it could not be told from the position in an array.

Never reads a file and never knows what a document means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

import msgspec

from cocket.attestation.errors import InvalidDocument
from cocket.attestation.finding import Finding, shown

DOCUMENT_BYTES_MAX = 1 << 20  # the largest published certificate of origin has 60 kB; a bound, so nobody fills us
DEPTH_MAX = 32  # of a document: our deepest schema nests 9 levels
NESTING_MAX = DEPTH_MAX + 8  # of any JSON that we read: a document inside a file
BRACKETS_SAFE = 256  # so many nested in each other overflow no stack, whatever recursion limit other packages set
INTEGER_MAX = (1 << 53) - 1  # beyond it a reader in JavaScript sees another number (RFC 7493, section 2.2)
DECIMAL_CHARACTERS_MAX = 40  # more than any quantity in trade; keeps a number from being a payload
NAME_CHARACTERS_MAX = 128
NAMES_EXPECTED = f"a name of 1 to {NAME_CHARACTERS_MAX} printable ASCII characters, not of digits only"

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"([ \t\r\n]*+:)?', re.DOTALL)


class _RefusedNumber(Exception):  # no ValueError: the decoder would wrap that
    """A number outside the profile, raised inside the decoder's hook."""


def _decimal(text: str) -> Decimal:
    if len(text) > DECIMAL_CHARACTERS_MAX:
        raise _RefusedNumber(f"a number of {len(text)} characters; expected at most {DECIMAL_CHARACTERS_MAX}")
    if "e" in text or "E" in text:
        raise _RefusedNumber(f"{text}; expected a number without exponent, written out")
    return Decimal(text)


_DECODER = msgspec.json.Decoder(float_hook=_decimal)
_ENCODER = msgspec.json.Encoder(order="sorted")

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _refuse(rule: str, found: str, expected: str, pointer: str = "") -> InvalidDocument:
    finding = Finding("error", rule, pointer, found, expected)
    return InvalidDocument(finding.text(), (finding,))


def parse_json(data: bytes, bytes_max: int = DOCUMENT_BYTES_MAX) -> object:
    """Return the value that ``data`` spells: dict, list, str, int, Decimal, bool or None.

    Refuses (InvalidDocument) what is too big, no JSON, nested too deep for the parser, holds a name twice in one
    object, or a number outside the profile. Names, integers and depth are held by :func:`validate_profile`.
    """
    if len(data) > bytes_max:
        raise _refuse("json", f"{len(data)} bytes", f"at most {bytes_max} bytes")
    if data.count(b"[") + data.count(b"{") > BRACKETS_SAFE and _is_too_deep(data):
        raise _refuse("json", "values nested too deep", f"at most {NESTING_MAX} levels")
    try:
        value: object = _DECODER.decode(data)
    except _RefusedNumber as error:
        raise _refuse("json-number", str(error).partition(";")[0], str(error).partition("expected ")[2]) from None
    except (msgspec.DecodeError, ValueError, UnicodeDecodeError) as error:
        raise _refuse("json", str(error), "one JSON value in UTF-8") from None
    if isinstance(value, dict | list):
        names, colons = _counts_of(value)
        is_plain = b"\\u" not in data  # then a colon is written as itself, and counting colons counts names
        if not (is_plain and data.count(b":") == names + colons) and sum(map(bool, _STRING.findall(data))) != names:
            raise _refuse("json-names", "a name that stands twice in one object", "each name once")
    return value


def _is_too_deep(data: bytes) -> bool:
    """Return whether brackets outside texts nest too deep, before the decoder recurses into them."""
    depth = 0
    for bracket in _STRING.sub(b"", data).translate(None, delete=_NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > NESTING_MAX:
            return True
    return False


def _counts_of(value: dict[str, object] | list[object]) -> tuple[int, int]:
    """Return how many name-value pairs a parsed value has at all levels, and how many colons inside its texts.

    Goes level by level, so that nesting is bounded here and recursion below is safe.
    """
    names = colons = 0
    level: list[dict[str, object] | list[object]] = [value]
    for _ in range(NESTING_MAX):
        below: list[dict[str, object] | list[object]] = []
        for node in level:
            children: Iterable[object] = node
            if isinstance(node, dict):
                names += len(node)
                for name in node:
                    if ":" in name:
                        colons += name.count(":")
                children = node.values()
            for child in children:
                if type(child) is str:
                    if ":" in child:
                        colons += child.count(":")
                elif isinstance(child, dict | list):
                    below.append(child)
        if not below:
            return names, colons
        level = below
    raise _refuse("json", "values nested too deep", f"at most {NESTING_MAX} levels")


def encode_json(value: object) -> bytes:
    """Return the canonical text of a value within the profile (RFC 8785; a Decimal as it was written).

    >>> encode_json({"b": [1, None], "a": Decimal("12.50")})
    b'{"a":12.50,"b":[1,null]}'
    """
    return _ENCODER.encode(_spelled(value))


def _spelled(value: object) -> object:
    """Return the value with each Decimal replaced by its own text."""
    if type(value) is Decimal:
        return msgspec.Raw(format(value, "f").encode())
    if type(value) is dict:
        return {name: child if type(child) is str else _spelled(child) for name, child in value.items()}
    if type(value) is list:
        return [child if type(child) is str else _spelled(child) for child in value]
    return value


@lru_cache(maxsize=4096)
def segment(name: str) -> str:
    """Return a name as a segment of a JSON Pointer with its slash (RFC 6901), or refuse a name outside the profile.

    >>> segment("a/b~c")
    '/a~1b~0c'
    """
    if not name.isascii() or not name.isprintable() or not 0 < len(name) <= NAME_CHARACTERS_MAX or name.isdigit():
        raise _refuse("json-names", shown(name), NAMES_EXPECTED)
    return "/" + name.replace("~", "~0").replace("/", "~1")
