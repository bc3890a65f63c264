from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator.players import GENESIS, certificate, child, in_round, players, sealed

from cocket.node.chain.block import Block, block_items
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import commit_hash, with_seals
from cocket.node.chain.rlp_codec import decode, encode, encode_int
from cocket.node.consensus.drafts import (
    CommitDraft,
    PrepareDraft,
    RoundChangeDraft,
    code_of,
    round_change_of,
    sign_draft,
)
from cocket.node.consensus.messages import Code, Message, Proposal, RoundChange, Shape
from cocket.node.consensus.seals import recover_seal, sign_seal
from cocket.node.consensus.wire import (
    MESSAGE_BYTES_MAX,
    NESTED_MAX,
    author_of,
    decode_message,
    encode_signed,
    encode_unsigned,
    signing_digest,
)
from cocket.node.errors import PeerError

A, B, C, D = players(4)
BLOCK = child(GENESIS, A.address, mark=b"anchored")
LEGACY_TRANSACTION = encode([b"\x01", b"", b"\x52\x08", bytes(20), b"", b"data", b"\x25", b"r", b"s"])
MIXED = replace(BLOCK, transactions=(*BLOCK.transactions, LEGACY_TRANSACTION), has_withdrawals=True)
PREPARES = [player.prepare(BLOCK) for player in (A, B, C)]
CHANGES = [player.round_change(1, 1) for player in (A, B, C)]
PREPARED_CHANGES = [player.round_change(1, 1, BLOCK, PREPARES) for player in (A, B, C)]
AGAIN = in_round(BLOCK, 1)


def samples(shape: Shape) -> list[Message]:
    return [
        A.proposal(BLOCK, shape=shape),
        A.proposal(MIXED, shape=shape),
        B.proposal(child(GENESIS, B.address, 1), CHANGES, shape=shape),
        B.proposal(AGAIN, PREPARED_CHANGES, PREPARES, shape=shape),
        A.prepare(BLOCK),
        A.commit(BLOCK),
        A.round_change(1, 1, shape=shape),
        A.round_change(1, 300, BLOCK, PREPARES, shape=shape),
        A.round_change(1, 2, MIXED, [p.prepare(MIXED) for p in (A, B, C)], shape=shape),
    ]


ALL_SAMPLES = [*samples(Shape.CURRENT), *samples(Shape.LEGACY)]


def fields(message: Message) -> tuple[object, ...]:
    return (message.signed, message.author, message.raw)


@pytest.mark.parametrize("message", ALL_SAMPLES, ids=lambda message: message.code.name)
def test_a_message_is_the_same_after_the_wire(message: Message) -> None:
    assert decode_message(message.code, message.raw) == message
    assert message.author == A.address or isinstance(message, Proposal)


def test_drafts_and_decoded_messages_agree() -> None:
    for draft in (
        PrepareDraft(1, 0, bytes(32)),
        CommitDraft(1, 2, bytes(32)),
        RoundChangeDraft(7, 1),
        RoundChangeDraft(1, 1, certificate(BLOCK, PREPARES)),
    ):
        for shape in Shape:
            made = sign_draft(draft, A.address, A.signer.sign_digest, shape)
            assert decode_message(made.code, made.raw) == made
            assert made.code is code_of(draft)


def test_shapes_differ_by_one_empty_slot() -> None:
    current, legacy = A.proposal(BLOCK), A.proposal(BLOCK, shape=Shape.LEGACY)
    payload = decode(current.raw)[0][0]
    assert payload[3] == b""
    assert decode(legacy.raw)[0][0] == payload[:3]
    assert current.signed.signature != legacy.signed.signature
    changed, changed_legacy = A.round_change(1, 1), A.round_change(1, 1, shape=Shape.LEGACY)
    assert decode(changed.raw) == [decode(changed_legacy.raw)[0], [], b"", []]
    assert decode(changed_legacy.raw)[1:] == [[], []]
    assert changed.signed == changed_legacy.signed


def test_the_shape_of_a_proposal_is_that_in_which_it_came() -> None:
    for shape in Shape:
        message = A.proposal(BLOCK, shape=shape)
        assert message.signed.unsigned.shape is shape
        assert author_of(message.signed) == A.address


def test_what_is_signed_is_the_code_and_the_payload_nested_as_a_list() -> None:
    prepare = A.prepare(BLOCK)
    digest = commit_hash(BLOCK.header)
    spelled = keccak256(encode([b"\x13", [b"\x01", b"", digest]]))
    assert signing_digest(prepare.signed.unsigned) == spelled
    assert recover_seal(spelled, prepare.signed.signature) == A.address
    proposal = A.proposal(MIXED)
    spelled = keccak256(encode([b"\x12", [b"\x01", b"", block_items(MIXED), b""]]))
    assert signing_digest(proposal.signed.unsigned) == spelled
    change = A.round_change(1, 2, BLOCK, PREPARES)
    assert signing_digest(change.signed.unsigned) == keccak256(encode([b"\x15", [b"\x01", b"\x02", [b"", digest]]]))
    commit = A.commit(BLOCK)
    assert signing_digest(commit.signed.unsigned) == keccak256(
        encode([b"\x14", [b"\x01", b"", digest, commit.commit_seal]])
    )
    assert recover_seal(digest, commit.commit_seal) == A.address


def test_bodies_are_as_besus() -> None:
    prepare = A.prepare(BLOCK)
    assert decode(prepare.raw) == [[b"\x01", b"", commit_hash(BLOCK.header)], prepare.signed.signature]
    assert prepare.raw == encode_signed(prepare.signed)
    fresh = decode(A.proposal(BLOCK).raw)
    assert fresh[1] == [[], []]
    justified = decode(B.proposal(AGAIN, PREPARED_CHANGES, PREPARES).raw)
    assert justified[1] == [
        [decode(encode_signed(change.signed)) for change in PREPARED_CHANGES],
        [decode(prepare.raw) for prepare in PREPARES],
    ]
    change = decode(A.round_change(1, 1, BLOCK, PREPARES).raw)
    assert change[0][0] == [b"\x01", b"\x01", [b"", commit_hash(BLOCK.header)]]
    assert change[3] == [decode(prepare.raw) for prepare in PREPARES]


def test_a_round_change_is_made_again_to_the_byte() -> None:
    held = certificate(BLOCK, PREPARES)
    for shape in Shape:
        change = A.round_change(1, 1, BLOCK, PREPARES, shape)
        assert round_change_of(change.signed, A.address, held, shape) == change
        assert round_change_of(A.round_change(1, 1).signed, A.address, None, shape).block is None


def refused(code: int, items: object, match: str) -> None:
    with pytest.raises(PeerError, match=match):
        decode_message(code, encode(items))  # type: ignore[arg-type]


def signed_items(code: Code, payload: list[object], key: bytes = A.key) -> list[object]:
    return [payload, sign_seal(keccak256(encode([bytes([code]), payload])), key)]  # type: ignore[list-item]


DIGEST = commit_hash(BLOCK.header)


@pytest.mark.parametrize("code", [0x00, 0x10, 0x11, 0x16, 0x33, -1, 300])
def test_other_codes_are_refused(code: int) -> None:
    with pytest.raises(PeerError, match="code"):
        decode_message(code, A.prepare(BLOCK).raw)


def test_a_signature_under_another_code_is_not_the_authors() -> None:
    payload = [b"\x01", b"", DIGEST]
    signature = sign_seal(keccak256(encode([b"\x14", payload])), A.key)
    assert decode_message(Code.PREPARE, encode([payload, signature])).author != A.address


def test_oversized_messages_are_refused_unread() -> None:
    with pytest.raises(PeerError, match="at most"):
        decode_message(Code.PREPARE, bytes(MESSAGE_BYTES_MAX + 1))


def test_a_high_s_is_refused_and_its_low_form_taken() -> None:
    prepare = A.prepare(BLOCK)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    signature = prepare.signed.signature
    high = (
        signature[:32]
        + (order - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
        + bytes([1 - signature[64]])
    )
    refused(Code.PREPARE, [decode(encode_unsigned(prepare.signed.unsigned)), high], "high s")


@pytest.mark.parametrize("recovery_id", [2, 3, 27, 28, 255])
def test_a_recovery_id_besides_0_and_1_is_refused(recovery_id: int) -> None:
    prepare = A.prepare(BLOCK)
    payload = decode(encode_unsigned(prepare.signed.unsigned))
    refused(Code.PREPARE, [payload, prepare.signed.signature[:64] + bytes([recovery_id])], "recovery id")


@pytest.mark.parametrize(
    ("code", "payload", "match"),
    [
        (Code.PREPARE, [b"\x01", b""], "found 2 items"),
        (Code.PREPARE, [b"\x01", b"", DIGEST, b""], "found 4 items"),
        (Code.PREPARE, [b"\x01", b"", DIGEST[:31]], "digest"),
        (Code.PREPARE, [b"\x00", b"", DIGEST], "leading zero"),
        (Code.PREPARE, [b"\x01", b"\x00\x01", DIGEST], "leading zero"),
        (Code.PREPARE, [b"\x80" + bytes(7), b"", DIGEST], "height"),
        (Code.PREPARE, [b"\x01", b"\x80" + bytes(3), DIGEST], "round"),
        (Code.PREPARE, [[], b"", DIGEST], "height"),
        (Code.PREPARE, b"payload", "payload"),
        (Code.COMMIT, [b"\x01", b"", DIGEST], "found 3 items"),
        (Code.COMMIT, [b"\x01", b"", DIGEST, bytes(64)], "commit seal"),
    ],
)
def test_malformed_payloads_are_refused(code: Code, payload: list[object], match: str) -> None:
    refused(code, signed_items(code, payload), match)


@pytest.mark.parametrize(
    ("items", "match"),
    [
        ([], "round_change"),
        ([[], b"", []], "signed payload"),
        ([signed_items(Code.ROUND_CHANGE, [b"\x01", b"\x01", []])], "found 1 items"),
        ([signed_items(Code.ROUND_CHANGE, [b"\x01", b"\x01", []]), [], b"\x01", []], "block access list"),
        ([signed_items(Code.ROUND_CHANGE, [b"\x01", b"\x01", []]), [], b"", [], []], "found 5 items"),
        ([signed_items(Code.ROUND_CHANGE, [b"\x01", b"\x01", [b""]]), [], b"", []], "prepared"),
        ([signed_items(Code.ROUND_CHANGE, [b"\x01", b"\x01", b""]), [], b"", []], "prepared"),
        ([signed_items(Code.ROUND_CHANGE, [b"\x01", b"\x01", [b"", DIGEST, b""]]), [], b"", []], "prepared"),
        ([signed_items(Code.ROUND_CHANGE, [b"\x01", b"\x01", []]), b"", b"", []], "block"),
        ([signed_items(Code.ROUND_CHANGE, [b"\x01", b"\x01", []]), [[]], b"", []], "round_change"),
        ([signed_items(Code.ROUND_CHANGE, [b"\x01", b"\x01", []]), [], b"", [b"x"]], "signed payload"),
    ],
)
def test_malformed_round_changes_are_refused(items: list[object], match: str) -> None:
    refused(Code.ROUND_CHANGE, items, match)


def proposal_items(payload: list[object], justification: object = ((), ())) -> list[object]:
    return [signed_items(Code.PROPOSAL, payload), justification]


@pytest.mark.parametrize(
    ("payload", "justification", "match"),
    [
        ([b"\x01", b""], [[], []], "payload"),
        ([b"\x01", b"", block_items(BLOCK), b"\x01"], [[], []], "block access list"),
        ([b"\x01", b"", block_items(BLOCK), b"", b""], [[], []], "payload"),
        ([b"\x01", b"", [], b""], [[], []], "block"),
        ([b"\x01", b"", block_items(BLOCK), b""], [[]], "justification"),
        ([b"\x01", b"", block_items(BLOCK), b""], b"", "justification"),
        ([b"\x01", b"", block_items(BLOCK), b""], [[[]], []], "signed payload"),
        ([b"\x01", b"", block_items(BLOCK), b""], [[b""] * (NESTED_MAX + 1), []], "at most 256"),
        ([b"\x01", b"", block_items(BLOCK), b""], [[], [b""] * (NESTED_MAX + 1)], "at most 256"),
        (
            [b"\x01", b"", block_items(Block(replace(BLOCK.header, extra_data=b"no list"))), b""],
            [[], []],
            "extraData",
        ),
    ],
)
def test_malformed_proposals_are_refused(payload: list[object], justification: object, match: str) -> None:
    refused(Code.PROPOSAL, proposal_items(payload, justification), match)


def test_a_sealed_block_still_decodes_for_the_rules_to_judge() -> None:
    message = A.proposal(sealed(BLOCK, (A, B, C)))
    assert message.digest == commit_hash(with_seals(message.block.header, ()))


@pytest.mark.parametrize("message", ALL_SAMPLES, ids=lambda message: message.code.name)
def test_no_byte_can_change_unnoticed(message: Message) -> None:
    for position in range(0, len(message.raw), 7):
        spoilt = bytearray(message.raw)
        spoilt[position] ^= 1
        try:
            found = decode_message(message.code, bytes(spoilt))
        except PeerError:
            continue
        # What is signed by the outer author changed, or a nested part that the rules judge.
        is_nested = isinstance(found, Proposal | RoundChange) and found.signed == message.signed
        assert found.author != message.author or is_nested


@settings(max_examples=300)
@given(st.sampled_from([0x12, 0x13, 0x14, 0x15, 0x16]), st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_peer_error(code: int, data: bytes) -> None:
    with pytest.raises(PeerError):
        decode_message(code, data)


nested = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=5), max_leaves=25)


@settings(max_examples=300)
@given(st.sampled_from([0x12, 0x13, 0x14, 0x15]), nested)
def test_any_rlp_is_a_message_or_a_peer_error(code: int, items: object) -> None:
    with pytest.raises(PeerError):
        decode_message(code, encode(items))  # type: ignore[arg-type]


@settings(max_examples=200)
@given(st.sampled_from(ALL_SAMPLES), st.data())
def test_cut_and_changed_messages_raise_nothing_but_peer_errors(message: Message, data: st.DataObject) -> None:
    raw = bytearray(message.raw)
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with suppress(PeerError):
        decode_message(message.code, bytes(raw))


def test_deep_nesting_is_a_peer_error() -> None:
    data = b""
    for _ in range(3000):
        data = encode([data]) if not data else encode_list_prefix(data) + data
    with pytest.raises(PeerError):
        decode_message(Code.PREPARE, data)


def encode_list_prefix(data: bytes) -> bytes:
    size = len(data)
    if size < 56:
        return bytes([0xC0 + size])
    spelled = encode_int(size)
    return bytes([0xF7 + len(spelled)]) + spelled
