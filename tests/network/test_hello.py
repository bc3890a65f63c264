"""Hello, Disconnect and the sharing of message codes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.network.errors import DisconnectReason, PeerFault
from cocket.network.hello import (
    Capability,
    Hello,
    decode_disconnect,
    decode_hello,
    encode_disconnect,
    encode_hello,
    share_capabilities,
    validate_hello,
)
from cocket.network.items import encode_list

ID = b"\x11" * 64
OTHER_ID = b"\x22" * 64
CAPABILITIES = (("eth", 68), ("istanbul", 100))
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
hellos = st.builds(
    Hello,
    client_id=names,
    capabilities=st.lists(st.tuples(names, st.integers(0, 2**32 - 1)), max_size=10).map(tuple),
    listen_port=st.integers(0, 65535),
    node_id=st.binary(min_size=64, max_size=64),
    version=st.integers(0, 100),
)


@given(hellos)
def test_hello_round_trip(hello: Hello) -> None:
    assert decode_hello(encode_hello(hello)) == hello


def test_further_items_are_ignored() -> None:
    body = encode_list([5, b"x", [[b"eth", 68, 1]], 0, ID, b"later", [1]])
    assert decode_hello(body).capabilities == (("eth", 68),)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (encode_list([5, b"x" * 2048, [], 0, ID]), "the limit is 2048"),
        (encode_list([5, b"x", [], 0]), "4 items"),
        (encode_list([5, b"x", b"eth", 0, ID]), "capabilities are a string"),
        (encode_list([5, b"x", [b"eth"], 0, ID]), "is not .name, version."),
        (encode_list([5, b"x", [[b"eth", [68]]], 0, ID]), "is a list, expected a string"),
        (encode_list([5, b"x", [], 0, ID[1:]]), "63 bytes, expected 64"),
        (encode_list([b"\x00", b"x", [], 0, ID]), "leading zero"),
        (b"\x80", "expected a list"),
        (b"\xc0\xc0", "not RLP"),
        (b"\xc1" * 2000, "not RLP"),
        (b"", "not RLP"),
    ],
)
def test_bad_hello_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(PeerFault, match=says):
        decode_hello(body)


def test_deeply_nested_hello_is_refused_not_a_crash() -> None:
    body = b"\xc0"
    while len(body) < 2000:
        size = len(body)
        body = (
            bytes([0xC0 + size])
            if size < 56
            else b"\xf8" + bytes([size])
            if size < 256
            else b"\xf9" + size.to_bytes(2, "big")
        ) + body
    with pytest.raises(PeerFault):
        decode_hello(body)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_peer_fault(data: bytes) -> None:
    with contextlib.suppress(PeerFault):
        decode_hello(data)


def test_client_id_stays_on_one_printable_line() -> None:
    body = encode_list([5, b"evil\n\x1b[2Jname\xff", [[b"eth", 68]], 0, ID])
    assert decode_hello(body).client_id == "evil??[2Jname\ufffd"


def hello(**changes: object) -> Hello:
    given: dict[str, object] = {"client_id": "x", "capabilities": CAPABILITIES, "listen_port": 0, "node_id": ID}
    return Hello(**(given | changes))  # type: ignore[arg-type]


def test_right_hello_is_accepted() -> None:
    validate_hello(hello(), handshake_id=ID, own_id=OTHER_ID)
    validate_hello(hello(version=6), handshake_id=ID, own_id=OTHER_ID)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 4}, DisconnectReason.INCOMPATIBLE_P2P_VERSION),
        ({"node_id": bytes(64)}, DisconnectReason.NULL_NODE_IDENTITY),
        ({"node_id": OTHER_ID}, DisconnectReason.CONNECTED_TO_SELF),
        ({"node_id": b"\x33" * 64}, DisconnectReason.UNEXPECTED_IDENTITY),
    ],
)
def test_wrong_hello_is_refused_with_the_right_reason(changes: dict[str, object], reason: DisconnectReason) -> None:
    with pytest.raises(PeerFault) as caught:
        validate_hello(hello(**changes), handshake_id=ID, own_id=OTHER_ID)
    assert caught.value.reason is reason


def test_offsets_follow_the_alphabet() -> None:
    ours = [Capability("snap", 1, 8), Capability("istanbul", 100, 22), Capability("eth", 68, 17)]
    shared = share_capabilities(ours, [("istanbul", 100), ("snap", 1), ("eth", 67), ("eth", 68)])
    assert [(s.name, s.version, s.offset) for s in shared] == [("eth", 68, 16), ("istanbul", 100, 33), ("snap", 1, 55)]


def test_highest_common_version_wins() -> None:
    ours = [Capability("eth", 68, 17), Capability("eth", 69, 18), Capability("istanbul", 100, 22)]
    assert share_capabilities(ours, [("eth", 68), ("eth", 69), ("eth", 70)])[0].version == 69
    assert share_capabilities(ours, [("eth", 69), ("istanbul", 100)])[1].offset == 16 + 18
    assert share_capabilities(ours, [("eth", 68), ("istanbul", 99)])[0].length == 17


def test_no_shared_capability_is_refused() -> None:
    with pytest.raises(PeerFault, match="it offers eth/62, les/4") as caught:
        share_capabilities([Capability("eth", 68, 17)], [("eth", 62), ("les", 4)])
    assert caught.value.reason is DisconnectReason.USELESS_PEER


@pytest.mark.parametrize("reason", list(DisconnectReason))
def test_disconnect_round_trip(reason: DisconnectReason) -> None:
    assert decode_disconnect(encode_disconnect(reason)) is reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x04", 4),
        (b"\xc0", 0),
        (b"", 0),
        (b"\xc1\x80", 0),
        (b"\x7f", 0),
        (b"\xc2\x04\x05", 4),
        (b"\xc3\x04\xc1\x05", 4),
        (b"\xc1\xc0", 0),
        (b"\xc2\x81\x80", 0),
        (b"\xc1", 0),
        (b"\x04\x05", 0),
    ],
)
def test_other_shapes_of_disconnect_are_understood(body: bytes, reason: int) -> None:
    assert decode_disconnect(body) == reason
