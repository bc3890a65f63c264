"""Hex quantities, hex data and block names, strictly, in both directions.

This part alone knows how JSON-RPC spells numbers and bytes (EIP-1474, ethereum/execution-apis ``base-types``).
It never guesses: a number without ``0x``, a leading zero in a quantity or an odd number of digits is refused.
"""

import re
from dataclasses import dataclass

from cocket.node.rpc.errors import InvalidParams

_QUANTITY = re.compile(r"0x(?:0|[1-9a-fA-F][0-9a-fA-F]*)", re.ASCII)
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
_SLOT = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)

SHOWN_CHARACTERS_MAX = 80
"""So much of a wrong value is repeated in an error: enough to recognise it, too little to amplify it."""

BLOCK_TAGS = ("latest", "safe", "finalized", "pending", "earliest")


def shown(value: object) -> str:
    """Give a short text for a wrong value, for use in messages."""
    kind = {dict: "an object", list: "an array", bool: "a boolean", type(None): "null", float: "a fraction"}.get(
        type(value)
    )
    if kind is not None:
        return kind
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "..."


def quantity(number: int) -> str:
    """Give the hex quantity of a whole number from 0 up.

    >>> quantity(0), quantity(1024)
    ('0x0', '0x400')
    """
    return hex(number)


def data(value: bytes) -> str:
    """Give the hex data of bytes.

    >>> data(b""), data(bytes([0, 15]))
    ('0x', '0x000f')
    """
    return "0x" + value.hex()


def parse_quantity(value: object, bits_max: int = 256) -> int:
    """Return the number of a hex quantity: ``0x`` and digits without a leading zero, of at most ``bits_max`` bits.

    >>> parse_quantity("0x41")
    65
    """
    if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
        raise InvalidParams(f'expected a quantity such as "0x41" (no leading zeros), found {shown(value)}')
    if (len(value) - 2) * 4 > bits_max + 3:
        raise InvalidParams(f"expected a quantity of at most {bits_max} bits, found {shown(value)}")
    number = int(value, 16)
    if number >> bits_max:
        raise InvalidParams(f"expected a quantity of at most {bits_max} bits, found {shown(value)}")
    return number


def parse_data(value: object, length: int | None = None) -> bytes:
    """Return the bytes of hex data: ``0x`` and two digits a byte; exactly ``length`` bytes when it is given.

    >>> parse_data("0x000f")
    b'\\x00\\x0f'
    """
    expected = "whole bytes" if length is None else f"{length} bytes"
    if not isinstance(value, str) or _DATA.fullmatch(value) is None:
        raise InvalidParams(f"expected {expected} as 0x and hex digits, found {shown(value)}")
    raw = bytes.fromhex(value[2:])
    if length is not None and len(raw) != length:
        raise InvalidParams(f"expected {expected} as 0x and hex digits, found {len(raw)} bytes: {shown(value)}")
    return raw


def parse_address(value: object) -> bytes:
    """Return the 20 bytes of an address. Upper and lower case are alike: a checksum is not verified."""
    return parse_data(value, 20)


def parse_hash(value: object) -> bytes:
    """Return the 32 bytes of a hash."""
    return parse_data(value, 32)


def parse_slot(value: object) -> int:
    """Return a storage slot's number from 1 to 64 hex digits; leading zeros are usual here, so they are taken."""
    if not isinstance(value, str) or _SLOT.fullmatch(value) is None:
        raise InvalidParams(f"expected a storage slot of 0x and 1 to 64 hex digits, found {shown(value)}")
    return int(value, 16)


def parse_bool(value: object) -> bool:
    """Return a JSON boolean; nothing else is true or false."""
    if not isinstance(value, bool):
        raise InvalidParams(f"expected true or false, found {shown(value)}")
    return value


@dataclass(frozen=True, slots=True)
class BlockSelector:
    """Which block a caller means (EIP-1898): a tag, a number or a hash; exactly one of them is set."""

    tag: str | None = None
    number: int | None = None
    hash: bytes | None = None


LATEST = BlockSelector(tag="latest")


def parse_block_selector(value: object) -> BlockSelector:
    """Return the selected block: a tag, a hex quantity, ``{"blockNumber": ...}`` or ``{"blockHash": ...}`` (EIP-1898).

    ``requireCanonical`` is read and has no effect: with instant finality every block of this node is canonical.
    """
    if isinstance(value, dict):
        return _parse_block_object(value)
    if isinstance(value, str) and value in BLOCK_TAGS:
        return BlockSelector(tag=value)
    if isinstance(value, str) and value.startswith("0x"):
        return BlockSelector(number=parse_quantity(value, 64))
    raise InvalidParams(f"expected a block number, one of {', '.join(BLOCK_TAGS)}, or an object, found {shown(value)}")


def _parse_block_object(value: dict[object, object]) -> BlockSelector:
    unknown = sorted(str(key) for key in value.keys() - {"blockNumber", "blockHash", "requireCanonical"})
    if unknown:
        raise InvalidParams(f"expected blockNumber or blockHash (EIP-1898), found the key {shown(unknown[0])}")
    if "requireCanonical" in value:
        parse_bool(value["requireCanonical"])
    if ("blockNumber" in value) == ("blockHash" in value):
        raise InvalidParams("expected exactly one of blockNumber and blockHash (EIP-1898)")
    if "blockHash" in value:
        return BlockSelector(hash=parse_hash(value["blockHash"]))
    return BlockSelector(number=parse_quantity(value["blockNumber"], 64))
