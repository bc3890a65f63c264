"""Frames: geth's vector, round trips, and every alteration noticed before its content is used."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sha3 import keccak_256

from cocket.network.errors import PeerFault
from cocket.network.frame import HEADER_BYTES, FrameReader, FrameWriter
from cocket.network.handshake import Secrets

LIMIT = 1 << 20


def secrets(aes: bytes = b"\x01" * 32) -> Secrets:
    return Secrets(remote_id=bytes(64), aes=aes, mac=b"\x02" * 32, egress_opening=b"same", ingress_opening=b"same")


def read(reader: FrameReader, frame: bytes, limit: int = LIMIT) -> tuple[int, bytes]:
    rest = reader.read_header(frame[:HEADER_BYTES], limit)
    assert rest == len(frame) - HEADER_BYTES
    return reader.read_body(frame[HEADER_BYTES:])


def test_ciphertexts_are_those_of_geth(eip8: dict[str, Any]) -> None:
    """The vector replaces the running macs by a constant, so the two ciphertexts are what it fixes."""
    vector = eip8["frame"]
    golden = bytes.fromhex(vector["frame"])
    empty = keccak_256(b"").digest()
    writer = FrameWriter(Secrets(bytes(64), aes=empty, mac=empty, egress_opening=b"", ingress_opening=b""))
    frame = writer.encode(vector["code"], bytes.fromhex(vector["payload"]))
    assert len(frame) == len(golden)
    assert frame[:16] == golden[:16]
    assert frame[32:48] == golden[32:48]


@given(st.lists(st.tuples(st.integers(0, 0x7F), st.binary(max_size=200)), max_size=8))
def test_messages_come_back_in_order(messages: list[tuple[int, bytes]]) -> None:
    writer, reader = FrameWriter(secrets()), FrameReader(secrets())
    for code, payload in messages:
        frame = writer.encode(code, payload)
        assert len(frame) % 16 == 0
        assert read(reader, frame) == (code, payload)


@pytest.mark.parametrize("place", range(0, 80, 5))
def test_one_altered_bit_anywhere_is_noticed(place: int) -> None:
    frame = bytearray(FrameWriter(secrets()).encode(3, b"a" * 20))
    assert len(frame) == 80
    frame[place] ^= 0x10
    with pytest.raises(PeerFault, match="mac is wrong"):
        read(FrameReader(secrets()), bytes(frame))


def test_replayed_frame_is_noticed() -> None:
    frame = FrameWriter(secrets()).encode(3, b"once")
    reader = FrameReader(secrets())
    assert read(reader, frame) == (3, b"once")
    with pytest.raises(PeerFault, match="mac is wrong"):
        read(reader, frame)


def test_frame_of_the_limit_passes_and_one_more_byte_is_refused_before_its_body() -> None:
    assert read(FrameReader(secrets()), FrameWriter(secrets()).encode(1, bytes(99)), 100) == (1, bytes(99))
    frame = FrameWriter(secrets()).encode(1, bytes(100))
    with pytest.raises(PeerFault, match="announces 101 bytes"):
        FrameReader(secrets()).read_header(frame[:HEADER_BYTES], 100)


def test_code_zero_travels_as_0x80_and_zero_or_long_codes_are_refused() -> None:
    assert read(FrameReader(secrets()), FrameWriter(secrets()).encode(0, b"x")) == (0, b"x")
    for code_byte in (0x00, 0x81):
        writer = FrameWriter(secrets())
        header = writer._aes.update((1).to_bytes(3, "big") + bytes.fromhex("c28080") + bytes(10))
        head = header + writer._mac.stir_header(header)
        body = writer._aes.update(bytes([code_byte]) + bytes(15))
        with pytest.raises(PeerFault, match="message code byte"):
            read(FrameReader(secrets()), head + body + writer._mac.stir_frame(body))


@given(st.binary(min_size=32, max_size=32))
def test_arbitrary_headers_raise_only_peer_fault(header: bytes) -> None:
    with pytest.raises(PeerFault):
        FrameReader(secrets()).read_header(header, LIMIT)
