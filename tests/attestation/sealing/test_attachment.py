"""Attached files: they open to what was sealed, with the key of their group and place, and in no other way."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.attestation.errors import InvalidFile
from cocket.attestation.sealing import attachment
from cocket.attestation.sealing.attachment import (
    SEALED_SEGMENT_BYTES,
    SEGMENT_BYTES,
    attachment_key,
    open_segments,
    seal_segments,
)
from cocket.attestation.sealing.binding import Binding

KEY = b"k" * 32
BINDING = Binding(b"g" * 32, b"d" * 32, 1, 1)
DATA = bytes(range(256)) * 9000  # 2.2 segments


def opened(segments, key=KEY, data=DATA):
    return b"".join(open_segments(key, segments, sha256(data).digest()))


SEGMENTS = list(seal_segments(KEY, [DATA]))


def test_a_file_s_key_is_of_one_group_one_place_and_one_sealing():
    key = attachment_key(KEY, BINDING, 5, 0)
    others = [
        attachment_key(b"o" * 32, BINDING, 5, 0),
        attachment_key(KEY, BINDING, 4, 0),
        attachment_key(KEY, BINDING, 5, 1),
        attachment_key(KEY, Binding(b"g" * 32, b"d" * 32, 1, 2), 5, 0),
        attachment_key(KEY, Binding(b"g" * 32, b"o" * 32, 1, 1), 5, 0),
    ]
    assert len({key, *others}) == 6
    assert all(len(each) == 32 for each in others)


@pytest.mark.parametrize("size", [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES])
def test_files_of_any_size_open_and_lengths_tell_segments_only(size):
    data = b"\x80" * size
    segments = list(seal_segments(KEY, [data]))
    assert [len(each) for each in segments] == [SEALED_SEGMENT_BYTES] * (size // SEGMENT_BYTES + 1)
    assert opened(segments, data=data) == data


@given(st.lists(st.integers(0, 3 * SEGMENT_BYTES // 2), max_size=4))
@settings(max_examples=10, deadline=None)
def test_it_does_not_matter_in_which_parts_a_file_comes(sizes):
    parts = [DATA[:size] for size in sizes]
    whole = b"".join(parts)
    assert list(seal_segments(KEY, parts)) == list(seal_segments(KEY, [whole]))


def test_nothing_else_opens_to_it():
    first, second, last = SEGMENTS
    assert opened(SEGMENTS) == DATA
    changed = bytes((second[0] ^ 1,)) + second[1:]
    for segments, why in (
        ([], "no segments"),
        ([first, second], "the last segment does not open"),
        ([first, last], "the last segment does not open"),
        ([second, first, last], "segment 0 does not open"),
        ([first, second, last, last], "segment 2 does not open"),
        ([first, changed, last], "segment 1 does not open"),
        ([first, second, last[:-1]], "bytes; expected"),
        ([first, second, last + b"x"], "bytes; expected"),
    ):
        with pytest.raises(InvalidFile, match=why):
            opened(segments)
    with pytest.raises(InvalidFile, match="does not open"):
        opened(SEGMENTS, key=b"o" * 32)
    with pytest.raises(InvalidFile, match="another hash"):
        opened(SEGMENTS, data=b"other")


def test_a_file_that_is_too_long_is_refused_before_its_last_segment(monkeypatch):
    monkeypatch.setattr(attachment, "SEGMENTS_MAX", 2)
    assert len(list(seal_segments(KEY, [bytes(2 * SEGMENT_BYTES - 1)]))) == 2
    with pytest.raises(InvalidFile, match="attach it in parts"):
        list(seal_segments(KEY, [bytes(2 * SEGMENT_BYTES)]))


def test_one_segment_is_in_memory_at_a_time():
    taken = []

    def parts():
        for number in range(50):
            taken.append(number)
            yield bytes(SEGMENT_BYTES)

    segments = seal_segments(KEY, parts())
    next(segments)
    assert len(taken) == 1
    data = open_segments(KEY, segments, bytes(32))
    with pytest.raises(InvalidFile):  # it begins with the second segment
        next(data)
