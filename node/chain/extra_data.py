"""What QBFT keeps in a header's extraData: ``[vanity, validators, vote, round, seals]``, one RLP list.

It knows the encoding only: whether the validators are the right ones, or the seals enough, is for the header rules
and for consensus. (Besu, ``QbftExtraDataCodec``; besides Besu's own leniency, items after the seals are refused.)
"""

from dataclasses import dataclass

from cocket.node.chain.rlp_codec import (
    Decoded,
    Item,
    RlpError,
    decode,
    encode,
    encode_int,
    expect_bytes,
    expect_int,
    expect_list,
)
from cocket.node.errors import InvalidBlock

SEAL_BYTES = 65
ROUND_BITS = 31
"""Besu keeps a round in a signed 32-bit integer."""

EXTRA_DATA_BYTES_MAX = 1 << 17
"""Some 1,500 validators with their seals; a header with more is refused before it is decoded."""


@dataclass(frozen=True, slots=True)
class Vote:
    """A proposer's vote to add ``recipient`` (20 bytes) to the validators, or to drop it."""

    recipient: bytes
    is_add: bool


@dataclass(frozen=True, slots=True)
class ExtraData:
    """The five items: free bytes, validators (20 bytes each), a vote, the round that committed, seals (65 each)."""

    vanity: bytes = bytes(32)
    validators: tuple[bytes, ...] = ()
    vote: Vote | None = None
    round: int = 0
    seals: tuple[bytes, ...] = ()


def encode_extra_data(extra: ExtraData) -> bytes:
    """Return the RLP of the five items.

    >>> encode_extra_data(ExtraData(vanity=b"")).hex()
    'c580c0c080c0'
    """
    vote: Item = () if extra.vote is None else (extra.vote.recipient, b"\xff" if extra.vote.is_add else b"")
    return encode((extra.vanity, extra.validators, vote, encode_int(extra.round), extra.seals))


def decode_extra_data(data: bytes) -> ExtraData:
    """Return the five items of a header's extraData; InvalidBlock if it is not QBFT's, strictly encoded."""
    if len(data) > EXTRA_DATA_BYTES_MAX:
        raise InvalidBlock(f"extraData: found {len(data)} bytes, expected at most {EXTRA_DATA_BYTES_MAX}")
    try:
        items = expect_list(decode(data), "extraData", 5)
        return ExtraData(
            vanity=expect_bytes(items[0], "extraData vanity"),
            validators=tuple([expect_bytes(v, "extraData validator", 20) for v in expect_list(items[1], "validators")]),
            vote=_vote_of(expect_list(items[2], "extraData vote")),
            round=expect_int(items[3], "extraData round", ROUND_BITS),
            seals=tuple([expect_bytes(s, "extraData seal", SEAL_BYTES) for s in expect_list(items[4], "seals")]),
        )
    except RlpError as error:
        raise InvalidBlock(f"extraData is not QBFT's: {error}") from None


def unsealed_extra_data(data: bytes, round_number: int | None = None) -> bytes:
    """Return ``data`` re-encoded without seals, and with ``round_number`` in place of its round if given.

    These are the bytes under a header's hashes: the block hash takes round 0, the commit hash the actual round.
    """
    extra = decode_extra_data(data)
    round_number = extra.round if round_number is None else round_number
    return encode_extra_data(ExtraData(extra.vanity, extra.validators, extra.vote, round_number))


def _vote_of(items: list[Decoded]) -> Vote | None:
    if not items:
        return None
    recipient, kind = expect_list(items, "extraData vote", 2)
    kind = expect_bytes(kind, "extraData vote kind")
    if kind not in (b"\xff", b""):
        raise RlpError(f"extraData vote kind: found 0x{kind.hex()}, expected 0xff (add) or nothing (drop)")
    return Vote(expect_bytes(recipient, "extraData vote recipient", 20), kind == b"\xff")
