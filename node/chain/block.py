"""A block: a header and its transactions as canonical bytes, and their RLP inside blocks and bodies.

A transaction is ``type || payload`` or a legacy RLP list, exactly the bytes that its hash is taken of; this module
never looks inside one. QBFT has no ommers and no withdrawals: a non-empty list of either is refused. Whether the
(empty) list of withdrawals is there at all depends on who made the block (Besu 24.3 left it out), so it is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cocket.node.chain.header import Header, encode_header, header_from_items, header_items
from cocket.node.chain.rlp_codec import Decoded, Item, RlpError, decode, decode_list, encode, expect_list, join_list
from cocket.node.errors import InvalidBlock

_EMPTY_LIST = b"\xc0"


@dataclass(frozen=True, slots=True)
class Body:
    """What a block has besides its header: canonical transaction bytes, and whether a withdrawals list is there."""

    transactions: tuple[bytes, ...] = ()
    has_withdrawals: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A header, canonical transaction bytes, and whether an (empty) withdrawals list is there."""

    header: Header
    transactions: tuple[bytes, ...] = ()
    has_withdrawals: bool = False

    @property
    def body(self) -> Body:
        """The block without its header."""
        return Body(self.transactions, self.has_withdrawals)


def block_items(block: Block) -> list[Item]:
    """Return ``[header, transactions, ommers(, withdrawals)]`` as RLP items, for nesting in a message."""
    return [header_items(block.header), *body_items(block.body)]


def block_from_items(item: Decoded) -> Block:
    """Return the block that decoded RLP spells; InvalidBlock says what is off."""
    try:
        items = expect_list(item, "block")
        if not items:
            raise RlpError("block: found no items, expected a header and a body")
        body = _body_of(items[1:])
    except RlpError as error:
        raise InvalidBlock(str(error)) from None
    return Block(header_from_items(items[0]), body.transactions, body.has_withdrawals)


def body_items(body: Body) -> list[Item]:
    """Return ``[transactions, ommers(, withdrawals)]`` as RLP items; a legacy transaction is a list among them."""
    transactions: list[Item] = [decode(raw) if is_legacy(raw) else raw for raw in body.transactions]
    return [transactions, (), ()] if body.has_withdrawals else [transactions, ()]


def body_from_items(item: Decoded) -> Body:
    """Return the body that decoded RLP spells; InvalidBlock says what is off."""
    try:
        return _body_of(expect_list(item, "block body"))
    except RlpError as error:
        raise InvalidBlock(str(error)) from None


def encode_block(block: Block) -> bytes:
    """Return a block's RLP: ``[header, transactions, ommers(, withdrawals)]``."""
    return join_list([encode_header(block.header), *_body_parts(block.body)])


def decode_block(data: bytes) -> Block:
    """Return the block that ``data`` is the whole and canonical RLP of; anything else is InvalidBlock."""
    try:
        items = decode(data)
    except RlpError as error:
        raise InvalidBlock(f"block: {error}") from None
    return block_from_items(items)


def encode_body(body: Body) -> bytes:
    """Return a body's RLP: ``[transactions, ommers(, withdrawals)]``."""
    return join_list(_body_parts(body))


def decode_body(data: bytes) -> Body:
    """Return the body that ``data`` is the whole and canonical RLP of; anything else is InvalidBlock."""
    try:
        return _body_of(decode_list(data))
    except RlpError as error:
        raise InvalidBlock(f"block body: {error}") from None


def is_legacy(raw: bytes) -> bool:
    """Say whether canonical transaction bytes are a legacy transaction, an RLP list (EIP-2718)."""
    return raw[0] >= 0xC0


def encode_transactions(transactions: Sequence[bytes]) -> bytes:
    """Return the RLP list of transactions as it stands in a body and in eth messages: typed ones as byte strings."""
    return join_list([raw if is_legacy(raw) else encode(raw) for raw in transactions])


def transactions_from_items(item: Decoded) -> tuple[bytes, ...]:
    """Return canonical transaction bytes from a decoded list of transactions; RlpError says which one is off."""
    return tuple([_canonical(index, entry) for index, entry in enumerate(expect_list(item, "transactions"))])


def _body_parts(body: Body) -> list[bytes]:
    parts = [encode_transactions(body.transactions), _EMPTY_LIST]
    return [*parts, _EMPTY_LIST] if body.has_withdrawals else parts


def _body_of(items: list[Decoded]) -> Body:
    if len(items) not in (2, 3):
        raise RlpError(f"block body: found {len(items)} lists, expected transactions, ommers and perhaps withdrawals")
    for name, item in zip(("ommers", "withdrawals"), items[1:], strict=False):
        if found := len(expect_list(item, name)):
            raise RlpError(f"{name}: found {found}, expected none")
    return Body(transactions_from_items(items[0]), len(items) == 3)


def _canonical(index: int, item: Decoded) -> bytes:
    if not isinstance(item, bytes):
        return encode(item)
    if not item or item[0] > 0x7F:
        found = f"a byte string that starts with {item[0]:#04x}" if item else "an empty byte string"
        raise RlpError(f"transaction {index}: found {found}, expected a type below 0x80 or a legacy list")
    return item
