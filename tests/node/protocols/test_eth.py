"""eth/68: exact bytes, round trips, limits, and the Status check."""

import contextlib
from dataclasses import replace

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger.chains import Chain, make_genesis

from cocket.node.chain.block import Body
from cocket.node.chain.fork_id import ForkId
from cocket.node.chain.receipt import Log, Receipt, bloom_of
from cocket.node.chain.rules import Fork
from cocket.node.errors import PeerError
from cocket.node.protocols import eth
from cocket.node.protocols.eth import (
    BlockBodies,
    BlockHeaders,
    Code,
    GetBlockBodies,
    GetBlockHeaders,
    GetPooledTransactions,
    GetReceipts,
    Message,
    NewBlock,
    NewBlockHashes,
    NewPooledTransactionHashes,
    PooledTransactions,
    Receipts,
    Status,
    Transactions,
    decode_message,
    encode_message,
    status_of,
    validate_status,
)

hashes = st.binary(min_size=32, max_size=32)
ids = st.integers(0, 2**64 - 1)
numbers = st.integers(0, 2**63 - 1)
typed = st.binary(min_size=1, max_size=40).map(lambda b: bytes([1 + b[0] % 4]) + b)
legacy = st.lists(st.binary(max_size=20), min_size=1, max_size=5).map(rlp.encode)
transactions = st.lists(typed | legacy, max_size=5).map(tuple)
hash_lists = st.lists(hashes, max_size=5).map(tuple)
logs = st.builds(
    Log, st.binary(min_size=20, max_size=20), st.lists(hashes, max_size=4).map(tuple), st.binary(max_size=20)
)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    found = tuple(draw(st.lists(logs, max_size=3)))
    return Receipt(draw(st.integers(0, 3)), draw(st.integers(0, 1)), draw(numbers), bloom_of(found), found)


@st.composite
def pooled(draw: st.DrawFn) -> NewPooledTransactionHashes:
    found = draw(hash_lists)
    sizes = tuple(draw(st.lists(st.integers(0, 2**32 - 1), min_size=len(found), max_size=len(found))))
    return NewPooledTransactionHashes(draw(st.binary(min_size=len(found), max_size=len(found))), sizes, found)


messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        Status, ids, st.integers(0, 2**200), hashes, hashes, st.builds(ForkId, st.binary(min_size=4, max_size=4), ids)
    ),
    st.builds(NewBlockHashes, st.lists(st.tuples(hashes, numbers), max_size=5).map(tuple)),
    st.builds(Transactions, transactions),
    st.builds(GetBlockHeaders, ids, hashes | ids, ids, ids, st.booleans()),
    st.builds(GetBlockBodies, ids, hash_lists),
    st.builds(BlockBodies, ids, st.lists(st.builds(Body, transactions, st.booleans()), max_size=3).map(tuple)),
    pooled(),
    st.builds(GetPooledTransactions, ids, hash_lists),
    st.builds(PooledTransactions, ids, transactions),
    st.builds(GetReceipts, ids, hash_lists),
    st.builds(Receipts, ids, st.lists(st.lists(receipts(), max_size=3).map(tuple), max_size=3).map(tuple)),
)


@given(messages)
@settings(max_examples=300)
def test_round_trip(message: Message) -> None:
    code, payload = encode_message(message)
    assert decode_message(code, payload) == message


def test_headers_and_blocks_round_trip(chain: Chain) -> None:
    headers = tuple(chain.ledger.header_by_number(n) for n in range(9))
    answer = BlockHeaders(7, headers)  # type: ignore[arg-type]
    assert decode_message(*encode_message(answer)) == answer
    block = chain.ledger.block_by_number(3)
    assert block is not None
    assert decode_message(*encode_message(NewBlock(block, 4))) == NewBlock(block, 4)


def test_exact_bytes_of_a_headers_request() -> None:
    """[request id, [start, limit, skip, reverse]]: the shape of caps/eth.md with EIP-2481 ids."""
    code, payload = encode_message(GetBlockHeaders(1111, 9999, 5, 5, False))
    assert (code, payload.hex()) == (3, "ca820457c682270f050580")
    code, payload = encode_message(GetBlockHeaders(1111, bytes(31) + b"\x01", 1, 0, True))
    assert payload.hex() == "e8820457e4a0" + "00" * 31 + "01018001"


def test_exact_bytes_of_a_status() -> None:
    status = Status(1337, 5, b"\x01" * 32, b"\x02" * 32, ForkId(bytes.fromhex("aabbccdd"), 0))
    code, payload = encode_message(status)
    expected = rlp.encode([68, 1337, 5, b"\x01" * 32, b"\x02" * 32, [bytes.fromhex("aabbccdd"), 0]])
    assert (code, payload) == (0, expected)


def test_exact_bytes_of_an_announcement() -> None:
    """EIP-5793: types as one byte string, then sizes, then hashes."""
    code, payload = encode_message(NewPooledTransactionHashes(b"\x00\x02", (100, 300), (b"\x01" * 32, b"\x02" * 32)))
    assert (code, payload) == (8, rlp.encode([b"\x00\x02", [100, 300], [b"\x01" * 32, b"\x02" * 32]]))


def test_typed_transactions_travel_as_strings_and_legacy_ones_as_lists() -> None:
    old, new = rlp.encode([b"a", b"b"]), b"\x02" + rlp.encode([b"c"])
    _, payload = encode_message(PooledTransactions(5, (old, new)))
    assert rlp.decode(payload) == [b"\x05", [[b"a", b"b"], new]]


def test_receipts_carry_their_bloom_and_typed_ones_travel_as_strings(chain: Chain) -> None:
    found = chain.ledger.receipts_by_number(2)
    assert found is not None
    _, payload = encode_message(Receipts(5, (found,)))
    (_, ((first, second),)) = rlp.decode(payload)
    assert isinstance(first, list)
    assert len(first[2]) == 256
    assert second[0] == 2


# -- refusals ---------------------------------------------------------------------------------------------------------

H = b"\x01" * 32


@pytest.mark.parametrize(
    ("code", "item", "says"),
    [
        (0x0D, [], "found code 0x0d"),
        (0x11, [], "found code 0x11"),
        (Code.STATUS, [68, 1, 1, H, H], "found 5 items, expected 6"),
        (Code.STATUS, [68, 1, 1, H, H[1:], [b"abcd", 0]], "genesis hash: found 31 bytes"),
        (Code.STATUS, [68, 1, 1, H, H, b"abcd"], "fork id: found a byte string"),
        (Code.STATUS, [68, b"\x00\x01", 1, H, H, [b"abcd", 0]], "leading zero"),
        (Code.STATUS, [68, 2**64, 1, H, H, [b"abcd", 0]], "network id"),
        (Code.STATUS, [68, 1, 1, H, H, [b"abc", 0]], "fork hash: found 3 bytes"),
        (Code.NEW_BLOCK_HASHES, [[H]], "found 1 items"),
        (Code.NEW_BLOCK_HASHES, [[H, 1]] * 1025, "found 1025, expected at most 1024"),
        (Code.GET_BLOCK_HEADERS, [1, [H, 1, 0]], "found 3 items"),
        (Code.GET_BLOCK_HEADERS, [1, [H, 1, 0, 2]], "order"),
        (Code.GET_BLOCK_HEADERS, [1, [H + H, 1, 0, 1]], "start"),
        (Code.GET_BLOCK_HEADERS, [2**64, [H, 1, 0, 1]], "request id"),
        (Code.GET_BLOCK_HEADERS, [H, 1, 0, 1], "request id and content: found 4 items"),
        (Code.BLOCK_HEADERS, [1, [[H]]], "header"),
        (Code.BLOCK_HEADERS, [1, [[]] * 1025], "found 1025"),
        (Code.GET_BLOCK_BODIES, [1, [H[1:]]], "hash: found 31 bytes"),
        (Code.GET_BLOCK_BODIES, [1, [H] * 4097], "found 4097"),
        (Code.BLOCK_BODIES, [1, [[[], [[]]]]], "ommers: found 1, expected none"),
        (Code.BLOCK_BODIES, [1, [[[], []]] * 1025], "found 1025"),
        (Code.BLOCK_BODIES, [1, [[[b""], []]]], "an empty byte string"),
        (Code.NEW_BLOCK, [[], 1], "block"),
        (Code.NEW_BLOCK, [[[], [], []], 2**300], "header"),
        (Code.TRANSACTIONS, [b"\x80a"], "transaction 0"),
        (Code.NEW_POOLED_TRANSACTION_HASHES, [b"\x00", [1], []], "as many of each"),
        (Code.NEW_POOLED_TRANSACTION_HASHES, [b"\x00" * 4097, [1] * 4097, [H] * 4097], "found 4097"),
        (Code.POOLED_TRANSACTIONS, [1], "found 1 items"),
        (Code.RECEIPTS, [1, [[[1, 1, bytes(256)]]]], "receipt"),
        (Code.RECEIPTS, [1, [[[1, 1, b"\x01" + bytes(255), []]]]], "bloom"),
        (Code.RECEIPTS, [1, [[b""]]], "receipt"),
    ],
)
def test_malformed_message_is_refused(code: int, item: object, says: str) -> None:
    with pytest.raises(PeerError, match=says):
        decode_message(code, rlp.encode(item))


@pytest.mark.parametrize("code", list(Code))
def test_no_rlp_is_refused(code: Code) -> None:
    for payload in (b"", b"\x80", b"\xc1", b"\xc0\xc0", b"\xf9\xff\xff", b"\xf8\x00"):
        with pytest.raises(PeerError):
            decode_message(code, payload)


@pytest.mark.parametrize("code", list(Code))
def test_deep_nesting_is_refused(code: Code) -> None:
    nested = b"\xc0"
    for _ in range(5000):
        nested = rlp.codec.length_prefix(len(nested), 0xC0) + nested
    with pytest.raises(PeerError):
        decode_message(code, nested)


@given(st.sampled_from(list(Code)) | st.integers(0, 255), st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_peer_error(code: int, payload: bytes) -> None:
    with contextlib.suppress(PeerError):
        decode_message(code, payload)


nests = st.recursive(st.binary(max_size=40), lambda inner: st.lists(inner, max_size=5), max_leaves=30)


@given(st.sampled_from(list(Code)), nests.filter(lambda item: isinstance(item, list)))
@settings(max_examples=300)
def test_arbitrary_lists_raise_only_peer_error(code: Code, item: object) -> None:
    with contextlib.suppress(PeerError):
        decode_message(code, rlp.encode(item))


# -- status -----------------------------------------------------------------------------------------------------------


def test_own_status_is_accepted_at_every_height(chain: Chain) -> None:
    for number in (0, 5):
        head = chain.ledger.header_by_number(number)
        assert head is not None
        status = status_of(chain.genesis, 4455, head, chain.ledger.hash_by_number(number) or b"")
        assert status.total_difficulty == number + 1
        validate_status(status, chain.genesis, 4455, chain.head)
        validate_status(decode_message(*encode_message(status)), chain.genesis, 4455, head)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 69}, "status version: found 69, expected 68"),
        ({"network_id": 1}, "status network id: found 1, expected 4455"),
        ({"genesis_hash": bytes(32)}, "status genesis: found 00"),
        ({"fork_id": ForkId(b"abcd", 0)}, "status fork id: found 61626364/0, which does not fit"),
    ],
)
def test_status_of_another_chain_is_refused(chain: Chain, change: dict[str, object], says: str) -> None:
    status = status_of(chain.genesis, 4455, chain.head, chain.ledger.head_hash)
    validate_status(status, chain.genesis, 4455, chain.head)
    with pytest.raises(PeerError, match=says):
        validate_status(replace(status, **change), chain.genesis, 4455, chain.head)  # type: ignore[arg-type]


def test_peer_that_misses_a_fork_we_have_passed_is_refused(chain: Chain) -> None:
    """EIP-2124 through a chain whose Shanghai came later than its genesis."""
    old_time = chain.genesis.header.timestamp
    spec = replace(chain.genesis.spec, shanghai_time=old_time + 100, cancun_time=None)
    ours = make_genesis(spec, chain.validators, chain.users, Fork.LONDON, 10_000_000)
    theirs = replace(ours, spec=replace(spec, shanghai_time=None))
    before = replace(ours.header, number=5, timestamp=old_time + 50)
    after = replace(ours.header, number=60, timestamp=old_time + 150)
    stale = status_of(theirs, 1, after, H)
    validate_status(stale, ours, 1, before)
    with pytest.raises(PeerError, match="fork id"):
        validate_status(stale, ours, 1, after)
    validate_status(status_of(ours, 1, after, H), ours, 1, before)
    validate_status(status_of(ours, 1, before, H), ours, 1, after)


def test_limits_are_what_the_issue_of_interop_asks() -> None:
    assert (eth.NAME, eth.VERSION, eth.LENGTH) == ("eth", 68, 17)


@pytest.mark.parametrize("code", sorted(eth.PAYLOAD_BYTES_MAX))
def test_more_bytes_than_any_honest_message_of_its_kind_are_not_decoded(code: eth.Code) -> None:
    bytes_max = eth.PAYLOAD_BYTES_MAX[code]
    for size, says in ((bytes_max, "RLP|item|found|expected"), (bytes_max + 1, f"at most {bytes_max}$")):
        with pytest.raises(PeerError, match=says) as caught:
            decode_message(code, b"\xff" * size)
        assert (f"found {size} bytes" in str(caught.value)) == (size > bytes_max)


@pytest.mark.parametrize(
    "message",
    [
        NewBlockHashes(((b"\xff" * 32, (1 << 63) - 1),) * eth.ANNOUNCED_BLOCKS_MAX),
        GetBlockHeaders((1 << 64) - 1, b"\xff" * 32, (1 << 64) - 1, (1 << 64) - 1, True),
        GetBlockBodies((1 << 64) - 1, (b"\xff" * 32,) * eth.HASHES_MAX),
        GetPooledTransactions((1 << 64) - 1, (b"\xff" * 32,) * eth.HASHES_MAX),
        GetReceipts((1 << 64) - 1, (b"\xff" * 32,) * eth.HASHES_MAX),
        NewPooledTransactionHashes(
            b"\x02" * eth.HASHES_MAX, ((1 << 32) - 1,) * eth.HASHES_MAX, (b"\xff" * 32,) * eth.HASHES_MAX
        ),
        Status((1 << 64) - 1, (1 << 256) - 1, b"\xff" * 32, b"\xff" * 32, ForkId(b"\xff" * 4, (1 << 64) - 1)),
    ],
)
def test_the_longest_honest_message_of_its_kind_passes(message: Message) -> None:
    assert decode_message(*encode_message(message)) == message


@given(st.integers(0, 2**64 - 1), st.binary(max_size=100))
def test_request_id_is_read_without_the_rest(request_id: int, rest: bytes) -> None:
    item = rlp.encode(request_id)
    for body in (item + rest, item + bytes(60_000)):
        size = len(body)
        width = (size.bit_length() + 7) // 8
        head = bytes([0xC0 + size]) if size < 56 else bytes([0xF7 + width]) + size.to_bytes(width, "big")
        assert eth.request_id_of(head + body) == request_id


@given(st.binary(max_size=20))
def test_request_id_of_any_bytes_raises_only_its_own_error(data: bytes) -> None:
    with contextlib.suppress(PeerError):
        assert 0 <= eth.request_id_of(data) < 1 << 64
