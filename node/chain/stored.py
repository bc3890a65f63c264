"""Records as the database holds them, decoded again: what does not decode there is damage, and stops the node.

The same bytes from a peer would be the peer's fault; that is the only difference to the codecs, which do the work.
"""

from cocket.node.chain.block import Body, decode_body
from cocket.node.chain.header import Header, decode_header
from cocket.node.chain.receipt import Receipt, decode_receipt
from cocket.node.chain.rlp_codec import RlpError, decode_list, expect_bytes
from cocket.node.errors import InvalidBlock, NodeFault


def stored_header(data: bytes) -> Header:
    """Return a stored header."""
    try:
        return decode_header(data)
    except InvalidBlock as error:
        raise NodeFault(f"database: a header does not decode ({error}): restore it from a copy") from error


def stored_body(data: bytes | None) -> Body:
    """Return a stored body; None is damage too, for its header is there."""
    try:
        if data is None:
            raise InvalidBlock("it is missing")
        return decode_body(data)
    except InvalidBlock as error:
        raise NodeFault(f"database: a body does not decode ({error}): restore it from a copy") from error


def stored_receipts(data: bytes) -> tuple[Receipt, ...]:
    """Return the stored receipts of a block."""
    try:
        return tuple([decode_receipt(expect_bytes(item, "receipt")) for item in decode_list(data)])
    except (InvalidBlock, RlpError) as error:
        raise NodeFault(f"database: receipts do not decode ({error}): restore it from a copy") from error
