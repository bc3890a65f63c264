"""The bytes of ``istanbul/100``: what is under a signature, and what is on the wire, in both shapes.

The one place that knows them. It never judges a message by the state of the chain. Bytes as in Besu since 26.1.0
(``Shape.CURRENT``: a slot for a block access list, always empty before Amsterdam) and before it (``Shape.LEGACY``).
Rounds fit 31 bits, as in extraData, and no round below that is the last.
"""

from collections.abc import Sequence
from typing import Final

from cocket.node.chain.block import Block, block_from_items, encode_block
from cocket.node.chain.extra_data import ROUND_BITS
from cocket.node.chain.hashing import HASH_BYTES, keccak256
from cocket.node.chain.header import commit_hash
from cocket.node.chain.rlp_codec import (
    Decoded,
    RlpError,
    decode,
    encode,
    encode_int,
    expect_bytes,
    expect_int,
    expect_list,
    join_list,
)
from cocket.node.consensus.messages import (
    Code,
    Commit,
    Message,
    Payload,
    Prepare,
    Proposal,
    RoundChange,
    Shape,
    Signed,
    SignedPrepare,
    SignedProposal,
    SignedRoundChange,
    UnsignedCommit,
    UnsignedPrepare,
    UnsignedProposal,
    UnsignedRoundChange,
)
from cocket.node.consensus.seals import SIGNATURE_BYTES, is_low_s, recover_seal
from cocket.node.errors import InvalidBlock, PeerError

HEIGHT_BITS: Final = 63
MESSAGE_BYTES_MAX: Final = 10 * 1024 * 1024
"""Besu drops a peer for more in one devp2p message."""
ITEMS_MAX: Final = 1 << 19
"""RLP items in one message: a block of 29,000 legacy transactions, which takes a gas limit of 600 million. More would
hold the event loop for seconds, and a vote needs not be true to cost that."""
NESTED_MAX: Final = 256
"""Signed payloads in one justification: one per validator, and a network of authorities has tens of them."""

_NOTHING: Final = b"\x80"
_EMPTY_LIST: Final = b"\xc0"


def encode_unsigned(unsigned: Payload) -> bytes:
    """Return the RLP of a payload."""
    height, round_number = encode_int(unsigned.height), encode_int(unsigned.round)
    match unsigned:
        case UnsignedProposal():
            parts = [encode(height), encode(round_number), encode_block(unsigned.block)]
            return join_list(parts if unsigned.shape is Shape.LEGACY else [*parts, _NOTHING])
        case UnsignedPrepare():
            return encode((height, round_number, unsigned.digest))
        case UnsignedCommit():
            return encode((height, round_number, unsigned.digest, unsigned.commit_seal))
        case UnsignedRoundChange(prepared_round=None):
            return encode((height, round_number, ()))
        case UnsignedRoundChange():
            assert unsigned.prepared_round is not None
            assert unsigned.prepared_digest is not None, "prepared: a round without a digest"
            prepared = (encode_int(unsigned.prepared_round), unsigned.prepared_digest)
            return encode((height, round_number, prepared))


_CODES: Final = {
    UnsignedProposal: Code.PROPOSAL,
    UnsignedPrepare: Code.PREPARE,
    UnsignedCommit: Code.COMMIT,
    UnsignedRoundChange: Code.ROUND_CHANGE,
}


def signing_digest(unsigned: Payload) -> bytes:
    """Return the 32 bytes that are signed: keccak256(RLP([code, payload])), the payload nested as a list.

    (Besu, ``QbftPayload``; GoQuorum, ``EncodePayloadForSigning``.)
    """
    return _digest(_CODES[type(unsigned)], encode_unsigned(unsigned))


def _digest(code: Code, payload: bytes) -> bytes:
    return keccak256(join_list((bytes((code,)), payload)))


def author_of(signed: Signed[Payload]) -> bytes:
    """Return the 20-byte address that signed; PeerError when the signature is nobody's or its s is high."""
    return _recover(signing_digest(signed.unsigned), signed.signature)


def _recover(digest: bytes, signature: bytes) -> bytes:
    if not is_low_s(signature):
        raise PeerError("message signature: found a high s, expected s at most half the group's order")
    try:
        return recover_seal(digest, signature)
    except ValueError as error:
        raise PeerError(f"message {error}") from None


def encode_signed(signed: Signed[Payload]) -> bytes:
    """Return ``[payload, signature]``: the whole body of a Prepare or a Commit, a nested item elsewhere."""
    return join_list((encode_unsigned(signed.unsigned), encode(signed.signature)))


def encode_proposal(
    signed: SignedProposal, round_changes: Sequence[SignedRoundChange], prepares: Sequence[SignedPrepare]
) -> bytes:
    """Return ``[signed, [[round changes], [prepares]]]``."""
    justification = join_list((join_list(map(encode_signed, round_changes)), join_list(map(encode_signed, prepares))))
    return join_list((encode_signed(signed), justification))


def encode_round_change(
    signed: SignedRoundChange, block: Block | None, prepares: Sequence[SignedPrepare], shape: Shape = Shape.CURRENT
) -> bytes:
    """Return ``[signed, block or [], nothing, [prepares]]``; the legacy shape lacks the third item."""
    parts = [encode_signed(signed), _EMPTY_LIST if block is None else encode_block(block)]
    if shape is Shape.CURRENT:
        parts.append(_NOTHING)
    return join_list([*parts, join_list(map(encode_signed, prepares))])


def decode_message(code: int, data: bytes) -> Message:
    """Return the message of an istanbul code and body, in whichever shape it came.

    PeerError says what is malformed: an unknown code, too many bytes, anything but strict RLP, a bad signature. What
    an honest peer may pass on unchecked (a nested signature, a commit seal) is for the rules to judge.
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise PeerError(f"message: found {len(data)} bytes, expected at most {MESSAGE_BYTES_MAX}")
    try:
        match code:
            case Code.PROPOSAL:
                return _decode_proposal(expect_list(decode(data, ITEMS_MAX), "body", 2), data)
            case Code.PREPARE:
                return _decode_prepare(decode(data, ITEMS_MAX), data)
            case Code.COMMIT:
                return _decode_commit(decode(data, ITEMS_MAX), data)
            case Code.ROUND_CHANGE:
                return _decode_round_change(expect_list(decode(data, ITEMS_MAX), "body"), data)
            case _:
                raise PeerError(f"message: found code {code:#04x}, expected 0x12 to 0x15")
    except (RlpError, InvalidBlock) as error:
        raise PeerError(f"{Code(code).name.lower()}: {error}") from None


def decode_signed_prepare(item: Decoded) -> SignedPrepare:
    """Return a nested Prepare; RlpError when malformed. Its author is not recovered yet."""
    payload, signature = _payload_and_signature(item)
    height, round_number, rest = _payload_start(payload, 3)
    return Signed(UnsignedPrepare(height, round_number, expect_bytes(rest[0], "digest", HASH_BYTES)), signature)


def decode_signed_round_change(item: Decoded) -> SignedRoundChange:
    """Return a nested RoundChange; RlpError when malformed. Its author is not recovered yet."""
    payload, signature = _payload_and_signature(item)
    height, round_number, rest = _payload_start(payload, 3)
    prepared = expect_list(rest[0], "prepared")
    if not prepared:
        return Signed(UnsignedRoundChange(height, round_number), signature)
    if len(prepared) != 2:
        raise RlpError(f"prepared: found {len(prepared)} items, expected none or a round and a digest")
    prepared_round = expect_int(prepared[0], "prepared round", ROUND_BITS)
    digest = expect_bytes(prepared[1], "prepared digest", HASH_BYTES)
    return Signed(UnsignedRoundChange(height, round_number, prepared_round, digest), signature)


def _decode_proposal(body: list[Decoded], data: bytes) -> Proposal:
    payload, signature = _payload_and_signature(body[0])
    items = expect_list(payload, "payload")
    shape = _shape_of(len(items), 3, "payload")
    height, round_number, rest = _payload_start(items, len(items))
    if shape is Shape.CURRENT:
        expect_bytes(rest[1], "block access list", 0)
    block = block_from_items(rest[0])
    round_changes, prepares = expect_list(body[1], "justification", 2)
    # The author comes first, so that nested items cost nothing to those who sign nothing.
    author = _recover(_digest(Code.PROPOSAL, encode(items)), signature)
    return Proposal(
        Signed(UnsignedProposal(height, round_number, block, commit_hash(block.header), shape), signature),
        author,
        data,
        tuple([decode_signed_round_change(item) for item in _nested(round_changes, "round changes")]),
        _prepares_of(prepares),
    )


def _decode_prepare(body: Decoded, data: bytes) -> Prepare:
    signed = decode_signed_prepare(body)
    return Prepare(signed, author_of(signed), data)


def _decode_commit(body: Decoded, data: bytes) -> Commit:
    payload, signature = _payload_and_signature(body)
    height, round_number, rest = _payload_start(payload, 4)
    digest = expect_bytes(rest[0], "digest", HASH_BYTES)
    seal = expect_bytes(rest[1], "commit seal", SIGNATURE_BYTES)
    signed = Signed(UnsignedCommit(height, round_number, digest, seal), signature)
    return Commit(signed, author_of(signed), data)


def _decode_round_change(body: list[Decoded], data: bytes) -> RoundChange:
    shape = _shape_of(len(body), 3, "body")
    if shape is Shape.CURRENT:
        expect_bytes(body[2], "block access list", 0)
    signed = decode_signed_round_change(body[0])
    author = author_of(signed)
    prepares = _prepares_of(body[-1])
    if not expect_list(body[1], "block"):
        return RoundChange(signed, author, data, None, None, prepares)
    block = block_from_items(body[1])
    return RoundChange(signed, author, data, block, commit_hash(block.header), prepares)


def _shape_of(count: int, legacy: int, what: str) -> Shape:
    if count not in (legacy, legacy + 1):
        raise RlpError(f"{what}: found {count} items, expected {legacy} or {legacy + 1}")
    return Shape.LEGACY if count == legacy else Shape.CURRENT


def _payload_and_signature(item: Decoded) -> tuple[Decoded, bytes]:
    payload, signature = expect_list(item, "signed payload", 2)
    return payload, expect_bytes(signature, "signature", SIGNATURE_BYTES)


def _payload_start(payload: Decoded, count: int) -> tuple[int, int, list[Decoded]]:
    items = expect_list(payload, "payload", count)
    return expect_int(items[0], "height", HEIGHT_BITS), expect_int(items[1], "round", ROUND_BITS), items[2:]


def _nested(item: Decoded, what: str) -> list[Decoded]:
    items = expect_list(item, what)
    if len(items) > NESTED_MAX:
        raise RlpError(f"{what}: found {len(items)}, expected at most {NESTED_MAX}")
    return items


def _prepares_of(item: Decoded) -> tuple[SignedPrepare, ...]:
    return tuple([decode_signed_prepare(entry) for entry in _nested(item, "prepares")])
