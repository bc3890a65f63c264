"""The one way in which files of the founding are read and written: canonical JSON.

Keys sorted, no white space, integers and strings only: the same object always has the same bytes, so hashes and
signatures over it mean the same on every machine.
"""

from typing import TypeVar

import msgspec

from cocket.genesis.errors import InvalidRecord
from cocket.node.chain.hashing import keccak256

FILE_BYTES_MAX = 1 << 20  # a record is about 2 kB; the largest list of 64 confirmations stays far below

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


def encode_canonical(value: object) -> bytes:
    """Return the canonical JSON bytes of a struct, mapping or sequence."""
    return msgspec.json.encode(value, order="sorted")


def decode_strict(data: bytes, kind: type[_Struct], what: str) -> _Struct:
    """Decode JSON into a struct.

    :raises InvalidRecord: too large, not JSON, an unknown key, or a value of the wrong type; ``what`` names the file.
    """
    if len(data) > FILE_BYTES_MAX:
        raise InvalidRecord(f"{what}: {len(data)} bytes; at most {FILE_BYTES_MAX} are read")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRecord(f"{what}: {error}") from None


def digest_of(purpose: str, *parts: bytes) -> bytes:
    """Return the 32-byte digest that a key signs for one purpose.

    Parts are hashed one by one, so that none can run into another.
    """
    return keccak256(
        b"".join([keccak256(b"cocket founding " + purpose.encode()), *(keccak256(part) for part in parts)])
    )


def parse_hex(text: str, length: int, what: str) -> bytes:
    """Return the bytes of ``0x`` and exactly ``length`` bytes of lower-case hex.

    :raises InvalidRecord: anything else.
    """
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != length or text != "0x" + raw.hex():
        raise InvalidRecord(f"{what}: expected 0x and {2 * length} lower-case hex digits, found {text[:80]!r}")
    return raw
