"""A torn end is cut off, damage is not; against logs that LevelDB itself wrote."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.errors import NodeFault
from cocket.node.store.level import LevelStore
from cocket.node.store.level_log import cut_torn_log, torn_position

SIZES = (10, 3000, 40_000, 5, 70_000, 200)


def grown(folder: Path) -> tuple[Path, list[int]]:
    """A database after some batches, and how long its log was after each."""
    store = LevelStore(folder)
    lengths = []
    log = max(folder.glob("*.log"))
    for number, size in enumerate(SIZES):
        store.write([(b"k%d" % number, bytes(range(256)) * (size // 256 + 1))])
        lengths.append(log.stat().st_size)
    store.close()
    return log, lengths


def test_a_whole_log_has_no_torn_end(tmp_path: Path) -> None:
    log, lengths = grown(tmp_path)
    data = log.read_bytes()
    assert len(data) == lengths[-1]
    assert torn_position(data) is None
    for length in lengths:
        assert torn_position(data[:length]) is None
    assert torn_position(b"") is None
    assert cut_torn_log(tmp_path) == 0
    assert cut_torn_log(tmp_path / "nowhere") == 0


@pytest.mark.parametrize("which", range(1, len(SIZES)))
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("is_zeroed", [False, True])
def test_what_is_left_of_the_last_batch_is_cut_off(tmp_path: Path, which: int, share: float, is_zeroed: bool) -> None:
    log, lengths = grown(tmp_path)
    before, after = lengths[which - 1], lengths[which]
    kept = before + max(1, int((after - before) * share))
    log.write_bytes(log.read_bytes()[:kept] + (bytes(after - kept) if is_zeroed else b""))
    store = LevelStore(tmp_path)
    assert [key for key, _ in store.items(b"k")] == [b"k%d" % number for number in range(which)]
    store.write([(b"next", b"1")])
    store.close()
    again = LevelStore(tmp_path)
    assert again.get(b"next") == b"1"
    assert again.torn_bytes == 0
    again.close()


@pytest.mark.parametrize("which", range(len(SIZES) - 1))
def test_damage_before_a_good_batch_stops_the_node(tmp_path: Path, which: int) -> None:
    log, lengths = grown(tmp_path)
    data = bytearray(log.read_bytes())
    data[lengths[which] - 3] ^= 0xFF
    log.write_bytes(data)
    with pytest.raises(NodeFault, match="restore it from a copy"):
        LevelStore(tmp_path)
    assert log.read_bytes() == data


def test_the_store_says_how_much_was_torn(tmp_path: Path) -> None:
    log, lengths = grown(tmp_path)
    data = log.read_bytes()
    log.write_bytes(data[: lengths[-1] - 50] + bytes(50))
    store = LevelStore(tmp_path)
    assert store.torn_bytes == lengths[-1] - lengths[-2]
    store.close()


@given(data=st.binary(max_size=300))
def test_any_bytes_have_a_position_or_none(data: bytes) -> None:
    position = torn_position(data)
    assert position is None or 0 <= position < len(data)
