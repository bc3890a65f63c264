"""Base 45 (RFC 9285): bytes as the characters that a QR code keeps closest, two bytes in three characters."""

from __future__ import annotations

from cocket.attestation.errors import InvalidFile

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_DIGITS = {character: digit for digit, character in enumerate(_ALPHABET)}


def encode_base45(data: bytes) -> str:
    """Return the text of bytes.

    >>> encode_base45(b"base-45")
    'UJCLQE7W581'
    """
    digits: list[int] = []
    for at in range(0, len(data), 2):
        part = data[at : at + 2]
        number = int.from_bytes(part)
        digits += [number % 45, number // 45 % 45, number // 2025][: len(part) + 1]
    return "".join([_ALPHABET[digit] for digit in digits])


def decode_base45(text: str) -> bytes:
    """Return the bytes of a text; InvalidFile when it is the text of none.

    >>> decode_base45("QED8WEX0")
    b'ietf!'
    """
    try:
        digits = [_DIGITS[character] for character in text]
    except KeyError as error:
        raise InvalidFile(f"found {error.args[0]!r}; expected characters of base 45 (RFC 9285)") from None
    parts: list[bytes] = []
    for at in range(0, len(digits), 3):
        part = digits[at : at + 3]
        number = sum(digit * 45**place for place, digit in enumerate(part))
        if len(part) == 1 or number >= 1 << 8 * (len(part) - 1):
            raise InvalidFile(f"found {text[at : at + 3]!r}; expected the base 45 of {len(part) - 1 or 1} bytes")
        parts.append(number.to_bytes(len(part) - 1))
    return b"".join(parts)
