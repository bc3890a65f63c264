"""Members: the one place that takes JSON objects of our files apart strictly.

All members of an object must be there and known; each is taken by its name with its shape; what does not fit is
InvalidFile, which names the place, what was found and what was expected. Bytes are ``0x`` and lower-case hexadecimal.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import TypeVar

from cocket.attestation.canonical import parse_json
from cocket.attestation.errors import InvalidDocument, InvalidFile
from cocket.attestation.finding import shown
from cocket.attestation.merkle import HASH_BYTES

T = TypeVar("T")


def read_json(data: bytes, bytes_max: int, what: str) -> object:
    """Return the JSON value of a file or of a part of one; InvalidFile says that it is no ``what``, and why."""
    try:
        return parse_json(data, bytes_max)
    except InvalidDocument as error:
        raise InvalidFile(f"no {what}: {error}") from None


def hexadecimal(data: bytes) -> str:
    """Return bytes as our files write them.

    >>> hexadecimal(b"\\x01\\xab")
    '0x01ab'
    """
    return "0x" + data.hex()


class Members:
    """The members of one object in a file, taken by name with their shape; all must be known."""

    def __init__(self, node: object, place: str, names: tuple[str, ...]) -> None:
        if not isinstance(node, dict) or set(node) != set(names):
            found = ", ".join(sorted(node)) if isinstance(node, dict) else shown(node)
            raise InvalidFile(f"at {place or 'the top'}: found {found}; expected an object of {', '.join(names)}")
        self.node, self.place = node, place

    def refusal(self, name: str, expected: str) -> InvalidFile:
        """Return the error that says what was found at a member and what was expected."""
        return InvalidFile(f"at {self.place}/{name}: found {shown(self.node[name])}; expected {expected}")

    def require_format(self, form: str) -> None:
        """Refuse an object that says that it is of another format."""
        if self.node["format"] != form:
            raise self.refusal("format", form)

    def text(self, name: str, characters_max: int) -> str:
        """Return a text of at most so many characters."""
        value = self.node[name]
        if not isinstance(value, str) or len(value) > characters_max:
            raise self.refusal(name, f"a text of at most {characters_max} characters")
        return value

    def country(self, name: str) -> str:
        """Return an ISO 3166 alpha-2 code, by its shape."""
        value = self.node[name]
        if not isinstance(value, str) or not re.fullmatch("[A-Z]{2}", value, re.ASCII):
            raise self.refusal(name, "two capital letters")
        return value

    def number(self, name: str, below: int) -> int:
        """Return an integer from 0."""
        value = self.node[name]
        if type(value) is not int or not 0 <= value < below:
            raise self.refusal(name, f"an integer below {below}")
        return value

    def octets(self, name: str, byte_count: int) -> bytes:
        """Return exactly so many bytes."""
        return octets(self.node[name], byte_count, f"{self.place}/{name}")

    def some_octets(self, name: str, bytes_max: int) -> bytes:
        """Return at most so many bytes, perhaps none."""
        value = self.node[name]
        if (
            not isinstance(value, str)
            or len(value) > 2 + 2 * bytes_max
            or not re.fullmatch("0x([0-9a-f]{2})*", value, re.ASCII)
        ):
            raise self.refusal(name, f"0x and hexadecimal digits of at most {bytes_max} bytes")
        return bytes.fromhex(value[2:])

    def numbers(self, name: str, known: range, least: int = 0, count_max: int | None = None) -> frozenset[int]:
        """Return a set of numbers from an array that holds each once and in order."""
        value = self.node[name]
        most = len(known) if count_max is None else count_max
        if (
            not isinstance(value, list)
            or not least <= len(value) <= most
            or any(type(number) is not int or number not in known for number in value)
            or value != sorted(set(value))
        ):
            expected = f"{least} to {most} numbers from {known.start} to {known.stop - 1}, each once and in order"
            raise self.refusal(name, expected)
        return frozenset(value)

    def several(self, name: str, count_max: int, one: Callable[[object, str], T]) -> tuple[T, ...]:
        """Return the items of an array, each taken by ``one`` from the item and its place."""
        value = self.node[name]
        if not isinstance(value, list) or len(value) > count_max:
            raise self.refusal(name, f"an array of at most {count_max}")
        return tuple(one(item, f"{self.place}/{name}/{at}") for at, item in enumerate(value))


def read_members(data: bytes, bytes_max: int, form: str, names: tuple[str, ...]) -> Members:
    """Return the members of a file or message of a format, which is one object of ``format`` and these names."""
    members = Members(read_json(data, bytes_max, form), "", ("format", *names))
    members.require_format(form)
    return members


def base64_text(data: bytes) -> str:
    """Return many bytes as our messages write them.

    >>> base64_text(b"abcd")
    'YWJjZA=='
    """
    return base64.b64encode(data).decode()


def from_base64(value: object, bytes_max: int, place: str) -> bytes:
    """Return at most so many bytes from the one base64 text that stands for them."""
    if isinstance(value, str) and len(value) <= 4 * (bytes_max // 3 + 1):
        try:
            found = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            found = None
        if found is not None and base64_text(found) == value:
            return found
    raise InvalidFile(f"at {place}: found {shown(value)}; expected base64 of at most {bytes_max} bytes")


def octets(value: object, byte_count: int, place: str) -> bytes:
    """Return exactly so many bytes from their hexadecimal text at a place."""
    if not isinstance(value, str) or not re.fullmatch(f"0x[0-9a-f]{{{2 * byte_count}}}", value, re.ASCII):
        raise InvalidFile(f"at {place}: found {shown(value)}; expected 0x and {2 * byte_count} hexadecimal digits")
    return bytes.fromhex(value[2:])


def hash_of(value: object, place: str) -> bytes:
    """Return a hash of 32 bytes from its hexadecimal text at a place."""
    return octets(value, HASH_BYTES, place)
