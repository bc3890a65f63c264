"""The capability that carries consensus votes: its name, its codes, and how large each message may be.

The only place that knows which codes of istanbul/100 exist. The messages themselves belong to `node.consensus`. There
is no Status and no request in this capability. (Besu and GoQuorum; 22 codes, of which four are used.)
"""

from enum import IntEnum

from cocket.node.errors import PeerError

NAME = "istanbul"
VERSION = 100
LENGTH = 22
CAPABILITY = (NAME, VERSION, LENGTH)


class Code(IntEnum):
    """Message codes, counted from the capability's offset; the same numbers stand in what is signed."""

    PROPOSAL = 0x12
    PREPARE = 0x13
    COMMIT = 0x14
    ROUND_CHANGE = 0x15


PAYLOAD_BYTES_MAX = {
    Code.PROPOSAL: 10 * 1024 * 1024,
    Code.PREPARE: 1024,
    Code.COMMIT: 1024,
    Code.ROUND_CHANGE: 10 * 1024 * 1024,
}
"""A Prepare has some 120 bytes and a Commit some 190; the other two hold a block, so they may fill a message."""


def parse_code(code: int, payload: bytes) -> Code:
    """Return which message a peer sent; PeerError when the code is not used or the payload is over its limit."""
    try:
        known = Code(code)
    except ValueError:
        raise PeerError(f"istanbul message: found code {code:#04x}, expected 0x12 to 0x15") from None
    if len(payload) > PAYLOAD_BYTES_MAX[known]:
        raise PeerError(
            f"istanbul {known.name.lower()}: found {len(payload)} bytes, expected at most {PAYLOAD_BYTES_MAX[known]}"
        )
    return known
