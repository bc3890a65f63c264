"""What the signing journal holds, as bytes, and what a validator is again after reading it.

A record is one RLP list: the exact body of a Proposal, Prepare or Commit that we signed; the signed payload of a
RoundChange (its block and Prepares are the certificate's, kept once); or a certificate, written together with the
Commit that rests on it. This module never touches the disk.

    [code, body]                              Proposal, Prepare, Commit
    [0x15, signed payload]                    RoundChange
    [0, height, round, digest, block, [signed prepares]]      certificate
"""

from collections.abc import Iterable
from typing import Final

from cocket.node.chain.block import block_from_items, encode_block
from cocket.node.chain.hashing import HASH_BYTES
from cocket.node.chain.rlp_codec import (
    RlpError,
    decode,
    encode,
    encode_int,
    expect_bytes,
    expect_int,
    expect_list,
    join_list,
)
from cocket.node.consensus.drafts import PreparedCertificate, round_change_of
from cocket.node.consensus.messages import Code, Message, RoundChange, Shape, SignedRoundChange
from cocket.node.consensus.state import Restored, SignedVote
from cocket.node.consensus.wire import (
    author_of,
    decode_message,
    decode_signed_prepare,
    decode_signed_round_change,
    encode_signed,
)
from cocket.node.errors import InvalidBlock, NodeFault, PeerError

_CERTIFICATE: Final = 0


def encode_message_record(message: Message) -> bytes:
    """Return the record of a message that we signed."""
    body = encode_signed(message.signed) if isinstance(message, RoundChange) else message.raw
    return join_list((encode(encode_int(message.code)), body))


def encode_certificate_record(height: int, certificate: PreparedCertificate) -> bytes:
    """Return the record of what a Commit rests on."""
    head = (encode_int(_CERTIFICATE), encode_int(height), encode_int(certificate.round), certificate.digest)
    prepares = join_list(map(encode_signed, certificate.prepares))
    return join_list((*map(encode, head), encode_block(certificate.block), prepares))


def restore(records: Iterable[bytes], height: int, address: bytes, shape: Shape = Shape.CURRENT) -> Restored:
    """Return what ``records`` (oldest first) say of ``height``; other heights' records are passed over.

    NodeFault when a record is not ours or cannot be read: the journal is damaged, and signing beside it is unsafe.
    """
    messages: list[Message] = []
    certificates: list[PreparedCertificate] = []
    for record in records:
        try:
            found = _decode_record(record, height, certificates, shape)
        except (RlpError, InvalidBlock, PeerError) as error:
            raise NodeFault(f"journal: found a record that cannot be read ({error}); see docs/operations") from error
        if isinstance(found, PreparedCertificate):
            certificates.append(found)
        elif found is not None:
            if found.author != address:
                raise NodeFault(f"journal: found a record of 0x{found.author.hex()}, expected 0x{address.hex()}")
            messages.append(found)
    round_number = max((message.round for message in messages), default=0)
    latest = {message.code: message for message in sorted(messages, key=lambda message: message.round)}
    return Restored(
        round_number,
        tuple([latest[code] for code in Code if code in latest]),
        tuple([SignedVote(m.code, m.round, _digest_of(m)) for m in messages if m.round >= round_number]),
        max(certificates, key=lambda certificate: certificate.round, default=None),
    )


def _decode_record(
    record: bytes, height: int, certificates: list[PreparedCertificate], shape: Shape
) -> Message | PreparedCertificate | None:
    items = expect_list(decode(record), "record")
    if not items:
        raise RlpError("record: found no items")
    kind = expect_int(items[0], "record kind", 8)
    if kind == _CERTIFICATE:
        expect_list(items, "certificate", 6)
        if expect_int(items[1], "height", 63) != height:
            return None
        return PreparedCertificate(
            expect_int(items[2], "round", 31),
            expect_bytes(items[3], "digest", HASH_BYTES),
            block_from_items(items[4]),
            tuple([decode_signed_prepare(item) for item in expect_list(items[5], "prepares")]),
        )
    expect_list(items, "record", 2)
    if kind == Code.ROUND_CHANGE:
        signed = decode_signed_round_change(items[1])
        return _round_change(signed, certificates, shape) if signed.unsigned.height == height else None
    message = decode_message(kind, encode(items[1]))
    return message if message.height == height else None


def _round_change(signed: SignedRoundChange, certificates: list[PreparedCertificate], shape: Shape) -> RoundChange:
    author = author_of(signed)
    digest = signed.unsigned.prepared_digest
    if digest is None:
        return round_change_of(signed, author, None, shape)
    for certificate in certificates:
        if certificate.digest == digest:
            return round_change_of(signed, author, certificate, shape)
    raise RlpError(f"round change: found no certificate for 0x{digest.hex()} before it")


def _digest_of(message: Message) -> bytes:
    if isinstance(message, RoundChange):
        return message.signed.unsigned.prepared_digest or b""
    return message.digest
