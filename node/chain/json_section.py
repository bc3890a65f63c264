"""Reading genesis.json strictly: one JSON object at a time, each key taken once, none left over unseen.

Keys compare without case, as in Besu; a key that stands twice is refused, since readers disagree on which one counts.
Numbers may be JSON integers, decimal strings or 0x strings, but never a form that two readers take differently
(leading zeros are octal to some; floats lose digits). This module knows no key's meaning.
"""

import json
import re
from typing import NoReturn

from cocket.node.errors import InvalidGenesis

INT_DIGITS_MAX = 80
"""A 256-bit number has 78 decimal digits."""

NESTING_MAX = 32
"""A genesis has six levels. The decoder recurses on the C stack, and relies on a limit that libraries may have raised
so far that a long row of brackets would end the process: so the depth is found first, without recursion."""

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


def parse_json(data: bytes, bytes_max: int) -> "Section":
    """Return the object that a JSON text of at most ``bytes_max`` bytes is; InvalidGenesis names what is off."""
    if len(data) > bytes_max:
        raise InvalidGenesis(f"genesis: found {len(data)} bytes, expected at most {bytes_max}")
    if _nesting(data) > NESTING_MAX:
        raise InvalidGenesis(f"genesis: found objects nested deeper than {NESTING_MAX}, expected a genesis file")
    try:
        value: object = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_unique,
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_bounded_int,
        )
    except UnicodeDecodeError as error:
        raise InvalidGenesis(f"genesis: found bytes that are not UTF-8 at {error.start}, expected JSON") from None
    except json.JSONDecodeError as error:
        raise InvalidGenesis(f"genesis line {error.lineno} column {error.colno}: {error.msg}, expected JSON") from None
    return Section("genesis", value)


def parse_hex(value: object, *, may_be_bare: bool = False) -> bytes | None:
    """Return the bytes of pairs of hex digits after 0x (which may be missing if ``may_be_bare``), or None."""
    if not isinstance(value, str):
        return None
    if value[:2] in ("0x", "0X"):
        digits = value[2:]
    elif may_be_bare:
        digits = value
    else:
        return None
    return bytes.fromhex(digits) if len(digits) % 2 == 0 and _HEX_DIGITS.issuperset(digits) else None


class Section:
    """One JSON object with its place in the file; what is not taken when it is closed is refused by name."""

    def __init__(self, path: str, value: object) -> None:
        if not isinstance(value, _Pairs):
            raise InvalidGenesis(f"{path}: found {_show(value)}, expected an object")
        self.path = path
        self._entries = value
        self._left: dict[str, tuple[str, object]] = {}
        for key, entry in value:
            if key.lower() in self._left:
                raise InvalidGenesis(f"{path}.{key}: found it twice, expected once (keys compare without case)")
            self._left[key.lower()] = (key, entry)

    def has(self, key: str) -> bool:
        """Say whether ``key`` is there, not yet taken and not null."""
        entry = self._left.get(key.lower())
        return entry is not None and entry[1] is not None

    def is_null(self, key: str) -> bool:
        """Say whether ``key`` is there and null, where that could be read as a value."""
        entry = self._left.get(key.lower())
        return entry is not None and entry[1] is None

    def take(self, key: str) -> object:
        """Return the value of ``key`` and strike it off; null and absent are both None."""
        return self._left.pop(key.lower(), (key, None))[1]

    def integer(self, key: str, default: int, *, minimum: int = 0, bits: int = 63) -> int:
        """Return an integer of at least ``minimum`` and at most ``bits`` bits; ``default`` if absent."""
        found = self.optional_integer(key, minimum=minimum, bits=bits)
        return default if found is None else found

    def optional_integer(self, key: str, *, minimum: int = 0, bits: int = 63) -> int | None:
        """Return an integer of at least ``minimum`` and at most ``bits`` bits; None if absent."""
        value = self.take(key)
        return None if value is None else self._bounded(key, _integer(value), value, minimum, bits)

    def hex_integer(self, key: str, default: int, *, bits: int = 63) -> int:
        """Return an integer that some readers take for hex even without 0x: so with 0x, or a number below 10."""
        value = self.take(key)
        if value is None:
            return default
        number = _integer(value)
        if not (isinstance(value, str) and value[:2] in ("0x", "0X")) and not 0 <= number <= 9:
            self.refuse(key, value, "a string that starts with 0x")
        return self._bounded(key, number, value, 0, bits)

    def text(self, key: str, default: str = "") -> str:
        """Return a string, or ``default``."""
        value = self.take(key)
        if value is not None and not isinstance(value, str):
            self.refuse(key, value, "a string")
        return default if value is None else value

    def boolean(self, key: str) -> bool:
        """Return a truth value, False if absent."""
        value = self.take(key)
        if value is not None and not isinstance(value, bool):
            self.refuse(key, value, "true or false")
        return bool(value)

    def data(self, key: str, size: int | None = None, *, may_be_bare: bool = False) -> bytes | None:
        """Return the bytes of a hex string, of ``size`` bytes if given; None if absent or the empty string (as Besu).

        It starts with 0x, unless ``may_be_bare``.
        """
        value = self.take(key)
        if value is None or value == "":
            return None
        found = parse_hex(value, may_be_bare=may_be_bare)
        if found is None:
            self.refuse(key, value, "a string of 0x and pairs of hex digits")
        if size is not None and len(found) != size:
            self.refuse(key, value, f"{size} bytes, not {len(found)}")
        return found

    def address(self, key: str) -> bytes | None:
        """Return a 20-byte address; None if absent or the empty string."""
        return self.data(key, 20)

    def addresses(self, key: str) -> tuple[bytes, ...] | None:
        """Return a list of 20-byte addresses, each once; None if absent."""
        value = self.take(key)
        if value is None:
            return None
        found = [parse_hex(entry) for entry in value] if isinstance(value, list) else [None]
        if isinstance(value, _Pairs) or not all(entry is not None and len(entry) == 20 for entry in found):
            self.refuse(key, value, "a list of addresses, strings of 0x and 40 hex digits")
        if len(set(found)) != len(found):
            self.refuse(key, value, "each address once")
        return tuple([entry for entry in found if entry is not None])

    def section(self, key: str) -> "Section | None":
        """Return the object under ``key``, or None."""
        value = self.take(key)
        return None if value is None else Section(f"{self.path}.{key}", value)

    def sections(self, key: str, count_max: int) -> "list[Section]":
        """Return the objects of the list under ``key``, at most ``count_max``; none if absent."""
        value = self.take(key)
        if value is None:
            return []
        if not isinstance(value, list) or isinstance(value, _Pairs) or len(value) > count_max:
            self.refuse(key, value, f"a list of at most {count_max} objects")
        return [Section(f"{self.path}.{key}[{index}]", entry) for index, entry in enumerate(value)]

    def values(self) -> list[tuple[str, object]]:
        """Return every entry left as (key, value), and strike them off."""
        left, self._left = self._left, {}
        return list(left.values())

    def ignore(self, *keys: str) -> None:
        """Strike off keys that change nothing here, whatever their value."""
        for key in keys:
            self.take(key)

    def forbid(self, why: str, *keys: str) -> None:
        """Refuse each of ``keys`` that is there (null apart), for ``why``."""
        for key in keys:
            value = self.take(key)
            if value is not None:
                raise InvalidGenesis(f"{self.path}.{key}: found {_show(value)}, expected none; {why}")

    def only(self, key: str, allowed: object, why: str) -> None:
        """Refuse ``key`` unless it is absent or has the one value that changes nothing, for ``why``."""
        value = self.take(key)
        found = _integer(value) if isinstance(allowed, int) and not isinstance(allowed, bool) else value
        if value is not None and (found != allowed or type(found) is not type(allowed)):
            raise InvalidGenesis(f"{self.path}.{key}: found {_show(value)}, expected none or {_show(allowed)}; {why}")

    def refuse(self, key: str, value: object, expected: str) -> NoReturn:
        """Raise InvalidGenesis that names the key, what was found and what was expected."""
        raise InvalidGenesis(f"{self.path}.{key}: found {_show(value)}, expected {expected}")

    def plain(self) -> dict[str, object]:
        """Return the whole object as read, taken or not: dicts, lists, strings and numbers."""
        return {key: _plain(value) for key, value in self._entries}

    def close(self) -> None:
        """Refuse what was not taken: a key that this node does not know might change what others hold valid."""
        for key, value in self._left.values():
            if value is not None and not key.startswith("_"):
                raise InvalidGenesis(
                    f"{self.path}.{key}: found {_show(value)}, expected no such key: this node does not know it; "
                    "remove it, or put an underscore before a remark"
                )

    def _bounded(self, key: str, number: int, value: object, minimum: int, bits: int) -> int:
        if number < minimum or number >> bits:
            self.refuse(key, value, f"a whole number from {minimum} to 2^{bits} - 1")
        return number


class _Pairs(list[tuple[str, object]]):
    """A JSON object as read: its entries in order, also when a key stands twice."""


def _nesting(data: bytes) -> int:
    """Return how deep brackets outside of strings are nested."""
    depth = deepest = 0
    for token in _TOKEN.finditer(data):
        mark = data[token.start()]
        if mark in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, object]]) -> _Pairs:
    return _Pairs(pairs)


def _plain(value: object) -> object:
    if isinstance(value, _Pairs):
        return {key: _plain(entry) for key, entry in value}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def _no_float(text: str) -> NoReturn:
    raise InvalidGenesis(f"genesis: found the number {text[:40]}, expected whole numbers only")


def _bounded_int(text: str) -> int:
    if len(text) > INT_DIGITS_MAX:
        raise InvalidGenesis(f"genesis: found a number of {len(text)} digits, expected at most {INT_DIGITS_MAX}")
    return int(text)


def _integer(value: object) -> int:
    """Return the number that an integer or a string spells, -1 if it spells none (which no caller accepts)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or len(value) > INT_DIGITS_MAX:
        return -1
    if value[:2] in ("0x", "0X"):
        return int(value[2:], 16) if len(value) > 2 and _HEX_DIGITS.issuperset(value[2:]) else -1
    is_decimal = value.isascii() and value.isdigit() and (value == "0" or value[0] != "0")
    return int(value) if is_decimal else -1


def _show(value: object) -> str:
    if isinstance(value, _Pairs):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"
