from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocket.node.errors import NodeError, NodeFault, Refused
from cocket.node.store import journal as journal_module
from cocket.node.store.disk import Disk, FakeDisk, RealDisk
from cocket.node.store.journal import SigningJournal

GENESIS = bytes(range(32))
VALIDATOR = bytes(range(20))
PATH = Path("/home/journal")
HEADER_BYTES = 68


def opened(disk: Disk, path: Path = PATH) -> SigningJournal:
    return SigningJournal(path, GENESIS, VALIDATOR, disk)


@pytest.mark.parametrize("disk", [RealDisk(), FakeDisk()])
def test_records_of_the_open_height_come_back(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = opened(disk, path)
    assert (first.is_fresh, first.height, first.records()) == (True, None, ())
    first.start_height(1)
    first.append(b"proposal", b"prepare")
    first.append(b"commit")
    first.start_height(2)
    first.append(b"", b"prepare 2")
    assert first.records() == (b"", b"prepare 2")
    first.close()
    again = opened(disk, path)
    assert (again.is_fresh, again.height, again.records()) == (False, 2, (b"", b"prepare 2"))
    assert again.torn_bytes == 0
    again.close()


def test_the_real_file_is_for_its_owner_only(tmp_path: Path) -> None:
    opened(RealDisk(), tmp_path / "journal").close()
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600


def test_one_append_is_one_fsync_and_a_height_costs_none() -> None:
    disk = FakeDisk()
    journal = opened(disk)
    before = disk.sync_count
    for height in range(1, 11):
        journal.start_height(height)
        journal.append_all([b"proposal", b"prepare"])
        journal.append(b"commit")
    assert disk.sync_count - before == 20
    journal.start_height(11, sync=True)
    assert disk.sync_count - before == 21


def test_what_was_appended_survives_a_crash_and_a_bare_height_may_not() -> None:
    disk = FakeDisk()
    journal = opened(disk)
    journal.start_height(7)
    journal.append(b"commit")
    journal.start_height(8)
    assert (journal.height, journal.records()) == (8, ())
    disk.crash()
    again = opened(disk)
    assert (again.height, again.records()) == (7, (b"commit",))
    again.start_height(8, sync=True)
    disk.crash()
    assert (opened(disk).height, opened(disk).records()) == (8, ())


def test_starting_the_open_height_again_keeps_its_records() -> None:
    journal = opened(FakeDisk())
    journal.start_height(7)
    journal.append(b"commit")
    assert journal.records() == (b"commit",)


def test_a_bare_height_survives_the_death_of_the_process() -> None:
    disk = FakeDisk()
    opened(disk).start_height(8)
    assert opened(disk).height == 8


@given(
    torn=st.integers(0, 200),
    is_zeroed=st.booleans(),
    lost=st.lists(st.binary(max_size=40), min_size=1, max_size=3),
    advances=st.booleans(),
)
def test_a_torn_write_is_cut_off(torn: int, is_zeroed: bool, lost: list[bytes], advances: bool) -> None:
    """Whatever a crash leaves of a write that was not synced, what was synced comes back and appending goes on."""
    disk = FakeDisk()
    journal = opened(disk)
    journal.start_height(3)
    journal.append(b"a")
    journal.append(b"b")
    if advances:
        journal.start_height(4)
    disk.is_broken = True
    journal.start_height(5)
    with pytest.raises(NodeFault):
        journal.append(*lost)
    disk.is_broken = False
    disk.crash(torn, is_zeroed)
    again = opened(disk)
    assert (again.height, again.records()) in (
        (3, (b"a", b"b")),
        (4, ()),
        (5, ()),
        (5, tuple(lost)),
    )
    again.start_height(6)
    again.append(b"c")
    disk.crash()
    assert opened(disk).records() == (b"c",)


def test_a_lost_height_mark_before_a_torn_write_is_not_damage() -> None:
    """The mark was never synced; that a later unsynced frame reached the disk first says nothing about it."""
    disk = FakeDisk()
    journal = opened(disk)
    journal.start_height(3)
    journal.append(b"a")
    mark = journal.size_bytes
    journal.start_height(4)
    disk.is_broken = True
    with pytest.raises(NodeFault):
        journal.append(b"proposal")
    disk.is_broken = False
    disk.crash(torn_bytes=10_000)
    disk.spoil(PATH, mark)
    again = opened(disk)
    assert (again.height, again.records()) == (3, (b"a",))
    assert again.torn_bytes > 0


def frame_bounds() -> tuple[FakeDisk, list[int]]:
    disk = FakeDisk()
    journal = opened(disk)
    bounds = [journal.size_bytes]
    for record in (b"first", b"second", b"third"):
        journal.start_height(1)
        journal.append(record)
        bounds.append(journal.size_bytes)
    return disk, bounds


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("offset", [0, 9, 15, 22, 26, 31])
def test_damage_in_the_middle_stops_the_node(which: int, offset: int) -> None:
    disk, bounds = frame_bounds()
    disk.spoil(PATH, bounds[which] + offset)
    with pytest.raises(NodeFault, match=r"bad frame at byte .*watches until a new height"):
        opened(disk)


def test_the_last_frame_when_bad_counts_as_torn() -> None:
    disk, bounds = frame_bounds()
    disk.spoil(PATH, bounds[2] + 30)
    again = opened(disk)
    assert again.records() == (b"first", b"second")
    assert again.torn_bytes == bounds[3] - bounds[2]


@pytest.mark.parametrize("position", [0, 10, 20, 50, 66])
def test_a_bad_header_stops_the_node(position: int) -> None:
    disk, _ = frame_bounds()
    disk.spoil(PATH, position)
    with pytest.raises(NodeFault, match="bad header"):
        opened(disk)


def test_a_short_file_is_a_bad_header() -> None:
    disk = FakeDisk()
    disk.open(PATH).append(b"cocketj\n")
    with pytest.raises(NodeFault, match="bad header"):
        opened(disk)


def test_a_crash_while_it_is_made_leaves_none() -> None:
    disk = FakeDisk()
    disk.is_broken = True
    with pytest.raises(NodeFault, match="start again"):
        opened(disk)
    disk.is_broken = False
    disk.crash()
    assert opened(disk).is_fresh


def test_another_chain_is_refused() -> None:
    disk, _ = frame_bounds()
    with pytest.raises(Refused, match=r"genesis 0x0001.*0x0000"):
        SigningJournal(PATH, bytes(32), VALIDATOR, disk)


def test_another_validator_is_refused() -> None:
    disk, _ = frame_bounds()
    with pytest.raises(Refused, match=r"validator 0x0001.*0x0000"):
        SigningJournal(PATH, GENESIS, bytes(20), disk)


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, _ = frame_bounds()
    monkeypatch.setattr(journal_module, "FORMAT_VERSION", 2)
    with pytest.raises(Refused, match="format 1 found, this program reads 2"):
        opened(disk)


def test_a_lower_height_is_a_fault() -> None:
    journal = opened(FakeDisk())
    journal.start_height(5)
    journal.append(b"a")
    for call in (journal.start_height, journal.replace):
        with pytest.raises(NodeFault, match="height 4 after height 5"):
            call(4)
    assert (journal.height, journal.records()) == (5, (b"a",))


def test_a_record_without_a_height_is_a_fault() -> None:
    journal = opened(FakeDisk())
    with pytest.raises(NodeFault, match="before any height"):
        journal.append(b"a")


def test_heights_that_go_back_in_the_file_are_damage() -> None:
    disk = FakeDisk()
    journal = opened(disk)
    journal.start_height(5)
    journal.append(b"a")
    journal.height = 0
    journal.start_height(4)
    journal.append(b"b")
    with pytest.raises(NodeFault, match="height 4 after 5"):
        opened(disk)


def test_a_full_disk_stops_signing_until_a_restart() -> None:
    disk = FakeDisk()
    journal = opened(disk)
    journal.start_height(1)
    journal.append(b"a")
    disk.room_bytes = 10
    journal.start_height(1)
    with pytest.raises(NodeFault, match=r"no space.*make room"):
        journal.append(b"b")
    disk.room_bytes = None
    journal.start_height(1)
    with pytest.raises(NodeFault, match="no write after one that failed"):
        journal.append(b"b")
    with pytest.raises(NodeFault, match="no write after one that failed"):
        journal.replace(1, b"b")
    assert journal.records() == (b"a",)
    again = opened(disk)
    assert (again.records(), again.torn_bytes) == ((b"a",), 10)
    again.start_height(1)
    again.append(b"b")
    assert opened(disk).records() == (b"a", b"b")


def test_a_height_begun_is_durable_when_asked_for_and_costs_one_fsync() -> None:
    disk = FakeDisk()
    journal = opened(disk)
    journal.sync()
    before = disk.sync_count
    journal.start_height(5)
    journal.start_height(6)
    journal.sync()
    journal.sync()
    assert disk.sync_count - before == 1
    journal.start_height(7)
    disk.crash()
    assert opened(disk).height == 6


def test_a_failed_fsync_of_a_height_ends_the_journal() -> None:
    disk = FakeDisk()
    journal = opened(disk)
    journal.start_height(5)
    disk.is_broken = True
    with pytest.raises(NodeFault, match="a write failed"):
        journal.sync()
    disk.is_broken = False
    with pytest.raises(NodeFault, match="no write after one that failed"):
        journal.append(b"vote")


def test_a_failed_fsync_is_never_retried() -> None:
    disk = FakeDisk()
    journal = opened(disk)
    disk.is_broken = True
    journal.start_height(1)
    with pytest.raises(NodeFault, match="input/output"):
        journal.append(b"b")
    disk.is_broken = False
    journal.start_height(1)
    with pytest.raises(NodeFault, match="no write after one that failed"):
        journal.append(b"b")


@pytest.mark.parametrize("how", ["append", "advance"])
def test_a_long_file_is_written_anew_when_a_height_ends(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "COMPACT_BYTES", 1000)
    disk = FakeDisk()
    journal = opened(disk)
    journal.start_height(1)
    journal.append(bytes(2000))
    journal.append(b"kept while the height is open")
    assert len(journal.records()) == 2
    if how == "append":
        journal.start_height(2)
        journal.append(b"new")
    else:
        journal.start_height(2)
        journal.start_height(2)
        journal.append(b"new")
    assert journal.size_bytes < 1000
    disk.crash()
    again = opened(disk)
    assert (again.height, again.records()) == (2, (b"new",))


@pytest.mark.parametrize("steps", [1, 2])
def test_a_crash_while_it_is_written_anew_keeps_the_old_one(steps: int) -> None:
    disk = FakeDisk()
    journal = opened(disk)
    journal.start_height(1)
    journal.append(b"old")
    disk.room_bytes = 5 if steps == 1 else None
    disk.is_broken = steps == 2
    with pytest.raises(NodeFault):
        journal.replace(2, b"new")
    disk.room_bytes, disk.is_broken = None, False
    disk.crash(torn_bytes=3)
    again = opened(disk)
    assert (again.height, again.records()) == (1, (b"old",))
    again.replace(2, b"new")
    assert opened(disk).records() == (b"new",)


@pytest.mark.parametrize(
    ("height", "head", "watches"),
    [(0, 0, False), (0, 1, True), (0, 9, True), (8, 9, True), (9, 9, False), (10, 9, False), (11, 9, True)],
)
def test_a_journal_that_does_not_fit_the_chain_makes_it_watch(height: int, head: int, watches: bool) -> None:
    journal = opened(FakeDisk())
    journal.start_height(height)
    assert journal.must_watch(head) is watches


def test_an_oversized_record_is_refused_before_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "RECORD_BYTES_MAX", 10)
    journal = opened(FakeDisk())
    journal.start_height(1)
    with pytest.raises(NodeFault, match="11 bytes"):
        journal.append(bytes(11))
    journal.start_height(1)
    journal.append(bytes(10))


@settings(max_examples=200)
@given(tail=st.binary(max_size=120))
def test_any_tail_is_cut_or_named(tail: bytes) -> None:
    disk = FakeDisk()
    made = opened(disk)
    made.start_height(1)
    made.append(b"a")
    disk.open(PATH).append(tail)
    try:
        again = opened(disk)
    except NodeError:
        return
    assert again.records()[:1] == (b"a",)


@given(data=st.binary(max_size=200))
def test_any_file_is_read_or_named(data: bytes) -> None:
    disk = FakeDisk()
    disk.open(PATH).append(data)
    with pytest.raises(NodeFault):
        opened(disk)
