"""A whole session in memory: its order of life, and every way the other end can break it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cocket.network import hello as p2p
from cocket.network import snappy
from cocket.network.connection import Connection, Left, Message, Opened, Ponged
from cocket.network.errors import DisconnectReason, PeerFault
from cocket.network.frame import FrameWriter


def test_hellos_are_exchanged_and_say_who_is_there(net: Any) -> None:
    pair = net.Joined()
    (at_dialler,), (at_listener,) = pair.carry()
    assert isinstance(at_dialler, Opened)
    assert isinstance(at_listener, Opened)
    assert at_dialler.hello.client_id == "test/listener"
    assert at_listener.hello.node_id == net.node_id("dialler") == pair.listener.remote_id
    assert [(s.name, s.offset) for s in at_dialler.shared] == [("eth", 16), ("istanbul", 33)]
    assert pair.dialler.is_open
    assert pair.listener.is_open


def test_messages_travel_both_ways_in_order(joined: Any) -> None:
    joined.listener.receive(joined.dialler.encode("eth", 0, b"status"))
    joined.listener.receive(joined.dialler.encode("istanbul", 0x12, b"proposal" * 1000))
    joined.dialler.receive(joined.listener.encode("eth", 16, b""))
    at_dialler, at_listener = joined.carry()
    assert at_listener == [Message("eth", 0, b"status"), Message("istanbul", 0x12, b"proposal" * 1000)]
    assert at_dialler == [Message("eth", 16, b"")]


@pytest.mark.parametrize("piece", [1, 7, 33])
def test_bytes_may_arrive_in_any_pieces(net: Any, piece: int) -> None:
    pair = net.Joined()
    events: list[object] = []

    def dribble(data: bytes, end: Connection) -> None:
        for start in range(0, len(data), piece):
            end.receive(data[start : start + piece])
            events.extend(net.drain(end))

    for _ in range(3):
        dribble(pair.dialler.take_output(), pair.listener)
        dribble(pair.listener.take_output(), pair.dialler)
    dribble(pair.dialler.encode("eth", 1, b"abc"), pair.listener)
    assert [type(event) for event in events] == [Opened, Opened, Message]


def test_events_come_one_at_a_time(joined: Any) -> None:
    for number in range(3):
        joined.listener.receive(joined.dialler.encode("eth", number, b""))
    assert joined.listener.next_event() == Message("eth", 0, b"")
    assert joined.listener.next_event() == Message("eth", 1, b"")
    assert joined.listener.next_event() == Message("eth", 2, b"")
    assert joined.listener.next_event() is None


def test_ping_is_answered(joined: Any) -> None:
    joined.listener.receive(joined.dialler.ping())
    assert joined.listener.next_event() == Ponged()
    joined.dialler.receive(joined.listener.take_output())
    assert joined.dialler.next_event() == Ponged()
    assert joined.dialler.take_output() == b""


@pytest.mark.parametrize("reason", list(DisconnectReason))
def test_farewell_tells_the_reason_and_ends_both(joined: Any, reason: DisconnectReason) -> None:
    joined.listener.receive(joined.dialler.farewell(reason))
    assert joined.listener.next_event() == Left(reason)
    assert not joined.dialler.is_open
    assert not joined.listener.is_open
    joined.listener.receive(b"more")
    assert joined.listener.next_event() is None


def test_disconnect_that_is_not_compressed_is_understood(joined: Any) -> None:
    """Clients differ on whether a Disconnect around Hello is compressed."""
    joined.listener.receive(joined.dialler._encode(p2p.CODE_DISCONNECT, b"\xc1\x04"))
    assert joined.listener.next_event() == Left(DisconnectReason.TOO_MANY_PEERS)


def test_disconnect_instead_of_hello_is_understood(net: Any) -> None:
    pair = net.Joined()
    dialler = speak_frames(pair)
    pair.listener.receive(dialler.encode(p2p.CODE_DISCONNECT, b"\xc1\x05"))
    assert pair.listener.next_event() == Left(DisconnectReason.ALREADY_CONNECTED)


def speak_frames(pair: Any) -> FrameWriter:
    """Return what writes the dialler's frames right after the handshake, its Hello not yet sent."""
    pair.listener.receive(pair.dialler.take_output())
    assert pair.listener.next_event() is None
    output = pair.listener.take_output()
    ack = output[: 2 + int.from_bytes(output[:2], "big")]
    return FrameWriter(pair.dialler._initiator.read_ack(ack))


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_stranger_is_refused_in_the_handshake_and_gets_no_answer(net: Any) -> None:
    asked: list[bytes] = []

    def nobody(node_id: bytes) -> bool:
        asked.append(node_id)
        return False

    pair = net.Joined(listener=net.local_node("listener", may_enter=nobody))
    with pytest.raises(PeerFault, match="stranger") as caught:
        pair.carry()
    assert caught.value.reason is DisconnectReason.USELESS_PEER
    assert asked == [net.node_id("dialler")]
    assert pair.listener.take_output() == b""
    assert pair.listener.farewell(caught.value.reason) == b""


def test_node_that_may_not_be_dialled_is_not_dialled(net: Any) -> None:
    with pytest.raises(PeerFault, match="stranger"):
        Connection(net.local_node("a", may_enter=lambda _: False), net.node_id("b"), net.Entropy("a"))


def test_wrong_key_dialled_is_refused(net: Any) -> None:
    pair = net.Joined(remote_id=net.node_id("someone else"))
    with pytest.raises(PeerFault, match="wrong node id dialled"):
        pair.carry()


def test_node_does_not_talk_to_itself(net: Any) -> None:
    with pytest.raises(PeerFault) as caught:
        Connection(net.local_node("a"), net.node_id("a"), net.Entropy("a"))
    assert caught.value.reason is DisconnectReason.CONNECTED_TO_SELF
    twin = net.Joined(dialler=net.local_node("b"), listener=net.local_node("a"))
    twin.listener._own_id = net.node_id("b")
    with pytest.raises(PeerFault, match="itself"):
        twin.carry()


def test_no_shared_capability_is_refused(net: Any) -> None:
    pair = net.Joined(
        dialler=net.local_node("dialler", capabilities=(net.ISTANBUL,)),
        listener=net.local_node("listener", capabilities=(net.ETH,)),
    )
    with pytest.raises(PeerFault, match="no shared capability") as caught:
        pair.carry()
    assert caught.value.reason is DisconnectReason.USELESS_PEER


def impostor_hello(net: Any, **changes: Any) -> bytes:
    return p2p.encode_hello(
        p2p.Hello(
            **(
                {"client_id": "x", "capabilities": (("eth", 68),), "listen_port": 0, "node_id": net.node_id("dialler")}
                | changes
            )
        )
    )


@pytest.mark.parametrize(
    ("code", "changes", "reason"),
    [
        (0, {"node_id": b"\x05" * 64}, DisconnectReason.UNEXPECTED_IDENTITY),
        (0, {"version": 4}, DisconnectReason.INCOMPATIBLE_P2P_VERSION),
        (0, {"client_id": "x" * 2048}, DisconnectReason.BREACH_OF_PROTOCOL),
        (2, {}, DisconnectReason.BREACH_OF_PROTOCOL),
        (0x10, {}, DisconnectReason.BREACH_OF_PROTOCOL),
    ],
)
def test_wrong_first_message_is_refused(net: Any, code: int, changes: Any, reason: DisconnectReason) -> None:
    pair = net.Joined()
    pair.listener.receive(speak_frames(pair).encode(code, impostor_hello(net, **changes)))
    with pytest.raises(PeerFault) as caught:
        pair.listener.next_event()
    assert caught.value.reason is reason


def test_second_hello_is_a_breach(joined: Any, net: Any) -> None:
    joined.listener.receive(joined.dialler._encode(p2p.CODE_HELLO, impostor_hello(net)))
    with pytest.raises(PeerFault, match="belongs to no shared capability"):
        joined.listener.next_event()


def test_code_outside_the_shared_capabilities_is_a_breach(joined: Any) -> None:
    joined.listener.receive(joined.dialler._encode(0x10 + 17 + 22, snappy.compress(b"")))
    with pytest.raises(PeerFault, match="0x37 belongs to no shared capability"):
        joined.listener.next_event()


def test_tampered_frame_ends_the_session(joined: Any) -> None:
    frame = bytearray(joined.dialler.encode("eth", 0, b"status"))
    frame[33] ^= 1
    joined.listener.receive(bytes(frame))
    with pytest.raises(PeerFault, match="frame mac is wrong"):
        joined.listener.next_event()
    assert not joined.listener.is_open


def test_tampered_header_ends_the_session(joined: Any) -> None:
    frame = bytearray(joined.dialler.encode("eth", 0, b"status"))
    frame[1] ^= 1
    joined.listener.receive(bytes(frame))
    with pytest.raises(PeerFault, match="frame header mac is wrong"):
        joined.listener.next_event()


def small_pair(net: Any, **listener: Any) -> Any:
    pair = net.Joined(listener=net.local_node("listener", message_bytes_max=1000, **listener))
    pair.carry()
    return pair


def test_message_of_the_limit_passes_and_one_byte_more_does_not(net: Any) -> None:
    pair = small_pair(net)
    pair.listener.receive(pair.dialler.encode("eth", 0, bytes(1000)))
    assert pair.listener.next_event() == Message("eth", 0, bytes(1000))
    pair.listener.receive(pair.dialler.encode("eth", 0, bytes(1001)))
    with pytest.raises(PeerFault, match="1001 bytes uncompressed"):
        pair.listener.next_event()


def test_oversized_frame_is_refused_by_its_header(net: Any) -> None:
    pair = small_pair(net)
    noise = net.Entropy("noise")(4000)
    pair.listener.receive(pair.dialler.encode("eth", 0, noise)[:32])
    with pytest.raises(PeerFault, match=r"frame announces 400\d bytes"):
        pair.listener.next_event()


def test_snappy_bomb_is_refused(joined: Any) -> None:
    joined.listener.receive(joined.dialler._encode(0x10, snappy.compress(bytes(15 << 20))))
    with pytest.raises(PeerFault, match="the limit is 10485760"):
        joined.listener.next_event()


def test_message_that_is_not_snappy_is_refused(joined: Any) -> None:
    joined.listener.receive(joined.dialler._encode(0x10, b"\x05abcde"))
    with pytest.raises(PeerFault, match="not a snappy block"):
        joined.listener.next_event()


def test_own_oversized_message_is_our_bug(joined: Any) -> None:
    with pytest.raises(AssertionError, match="over the limit"):
        joined.dialler.encode("eth", 0, bytes((10 << 20) + 1))
    with pytest.raises(KeyError):
        joined.dialler.encode("snap", 0, b"")


@given(chunks=st.lists(st.binary(max_size=600), max_size=4))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arbitrary_bytes_raise_only_peer_fault(net: Any, chunks: list[bytes]) -> None:
    end = Connection(net.local_node("listener"), None, net.Entropy("listener"))
    try:
        for chunk in chunks:
            end.receive(chunk)
            assert list(net.drain(end)) == []
    except PeerFault:
        assert not end.is_open
