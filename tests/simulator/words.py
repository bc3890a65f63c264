"""Consensus messages as the machines of a cluster share them: equal bytes are decoded once for all of them."""

from functools import lru_cache
from typing import Final

from cocket.node.chain.rlp_codec import decode_list, encode, expect_int
from cocket.node.consensus.messages import Code, Message, RoundChange
from cocket.node.consensus.wire import author_of, decode_message, decode_signed_round_change

DECODED_MAX: Final = 8192
"""Messages remembered: some tens of heights of ten validators."""

decode = lru_cache(maxsize=DECODED_MAX)(decode_message)


def message_of_record(record: bytes) -> Message | None:
    """Return what a journal's record says that its validator signed; None for a certificate.

    A round change comes without its block: that is in the certificate before it.
    """
    kind, body = decode_list(record)[:2]
    if kind == b"":
        return None
    code = Code(expect_int(kind, "kind"))
    if code is Code.ROUND_CHANGE:
        signed = decode_signed_round_change(body)
        return RoundChange(signed, author_of(signed), b"")
    return decode(code, encode(body))
