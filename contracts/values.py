"""Small values as contracts hold them: countries, names of contracts and code lists."""

from cocket.contracts.errors import MalformedAnswer, MalformedValue

NAME_BYTES = 32


def encode_country(country: str) -> bytes:
    """Give a country's two bytes from its ISO 3166 alpha-2 code; raises MalformedValue.

    >>> encode_country("NL")
    b'NL'
    """
    if len(country) != 2 or not (country.isascii() and country.isalpha() and country.isupper()):
        raise MalformedValue(f"country: {country!r} is not two capital letters (ISO 3166 alpha-2)")
    return country.encode("ascii")


def decode_country(value: object) -> str:
    """Give the country in two bytes, the empty string for two zero bytes; raises MalformedAnswer."""
    if value == b"\0\0":
        return ""
    if not isinstance(value, bytes) or len(value) != 2 or not (value.isalpha() and value.isupper()):
        raise MalformedAnswer(f"country: {value!r} is not two capital letters")
    return value.decode("ascii")


def encode_name(name: str) -> bytes:
    """Give a name's 32 bytes: printable ASCII, padded with zeros on the right; raises MalformedValue.

    >>> encode_name("HS")[:4]
    b'HS\\x00\\x00'
    """
    if not name or len(name) > NAME_BYTES or not (name.isascii() and name.isprintable()):
        raise MalformedValue(f"name: {name!r} is not 1 to {NAME_BYTES} printable ASCII characters")
    return name.encode("ascii").ljust(NAME_BYTES, b"\0")


def decode_name(value: object) -> str:
    """Give the name in 32 bytes, the empty string for zeros; raises MalformedAnswer."""
    if not isinstance(value, bytes) or len(value) != NAME_BYTES:
        raise MalformedAnswer(f"name: {value!r} is not {NAME_BYTES} bytes")
    name = value.rstrip(b"\0")
    if not all(0x20 <= byte < 0x7F for byte in name):
        raise MalformedAnswer(f"name: 0x{value.hex()} is not printable ASCII")
    return name.decode("ascii")
