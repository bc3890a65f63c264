"""Frames read back; a bad one with nothing behind it is torn, one that a later frame knows as safe is damage."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.node.store.frames import Frame, encode_frame, is_damage, read_frame, with_checksum, without_checksum

NUMBERS = st.integers(0, (1 << 64) - 1)


@given(mark=NUMBERS, records=st.lists(st.binary(max_size=30), max_size=4), synced=NUMBERS, before=st.binary(max_size=9))
@settings(max_examples=50)
def test_a_frame_reads_back(mark: int, records: list[bytes], synced: int, before: bytes) -> None:
    data = before + encode_frame(mark, records, synced)
    assert read_frame(data, len(before)) == Frame(mark, tuple(records), len(data))
    for end in range(len(before), len(data)):
        assert read_frame(data[:end], len(before)) is None


@given(st.binary(max_size=100))
@settings(max_examples=50)
def test_other_bytes_are_no_frame(data: bytes) -> None:
    assert read_frame(data, 0) is None
    assert not is_damage(data, 0)


def test_each_spoilt_byte_is_noticed() -> None:
    data = encode_frame(7, [b"abc", b""], 100)
    for at in range(len(data)):
        assert read_frame(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :], 0) is None


@pytest.mark.parametrize(("synced", "damage"), [(0, False), (5, True)])
def test_a_later_frame_tells_what_was_safe(synced: int, damage: bool) -> None:
    """The bad part begins at byte 0; the frame behind it says how much was on the disk before it was written."""
    assert is_damage(b"torn." + encode_frame(1, [b"x"], synced), 0) is damage


def test_a_checksum_is_behind_what_it_is_of() -> None:
    data = with_checksum(b"header")
    assert without_checksum(data + b"more", 6) == b"header"
    assert without_checksum(data[:-1], 6) is None
    assert without_checksum(b"Header" + data[6:], 6) is None
