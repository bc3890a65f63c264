"""Both disks keep what was synced; the fake one loses the rest as it is told."""

import errno
from pathlib import Path

import pytest

from cocket.node.store.disk import Disk, FakeDisk, RealDisk


@pytest.fixture(params=[RealDisk, FakeDisk])
def disk(request: pytest.FixtureRequest) -> Disk:
    made: Disk = request.param()
    return made


def test_a_file_grows_is_cut_and_is_found_again(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert not disk.exists(path)
    file = disk.open(path)
    file.append(b"abc")
    file.append(b"def")
    file.sync()
    disk.sync_folder(tmp_path)
    file.truncate(4)
    file.append(b"X")
    assert file.read() == b"abcdX"
    file.close()
    assert disk.exists(path)
    assert disk.open(path).read() == b"abcdX"


def test_a_rename_replaces_and_keeps_the_open_file(disk: Disk, tmp_path: Path) -> None:
    old, new = disk.open(tmp_path / "f"), disk.open(tmp_path / "f.new")
    old.append(b"old")
    new.append(b"new")
    disk.rename(tmp_path / "f.new", tmp_path / "f")
    new.append(b"er")
    assert disk.open(tmp_path / "f").read() == b"newer"
    assert not disk.exists(tmp_path / "f.new")


def test_files_are_read_listed_and_taken_away(disk: Disk, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert disk.sizes(folder) == {}
    disk.make_folder(folder)
    disk.make_folder(folder)
    for name in ("f", "g"):
        disk.open(folder / name).append(b"abc" + name.encode())
    assert (disk.read(folder / "f"), disk.read(folder / "h")) == (b"abcf", None)
    assert disk.sizes(folder) == {"f": 4, "g": 4}
    disk.unlink(folder / "f")
    disk.unlink(folder / "h")
    assert (disk.read(folder / "f"), disk.sizes(folder), disk.sizes(tmp_path)) == (None, {"g": 4}, {})


def test_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    RealDisk().make_folder(tmp_path / "a" / "b")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b")] == [0o700, 0o700]


def test_a_file_taken_away_is_back_after_a_crash_unless_its_folder_was_synced() -> None:
    disk = FakeDisk()
    synced_file(disk)
    disk.unlink(PATH)
    disk.crash()
    assert disk.read(PATH) == b"safe"
    disk.unlink(PATH)
    disk.sync_folder(PATH.parent)
    disk.crash()
    assert disk.read(PATH) is None


def test_a_closed_file_takes_nothing(disk: Disk, tmp_path: Path) -> None:
    file = disk.open(tmp_path / "f")
    file.close()
    with pytest.raises(OSError, match=r".") as raised:
        file.append(b"a")
    assert raised.value.errno == errno.EBADF


PATH = Path("/home/journal")


def synced_file(disk: FakeDisk) -> None:
    file = disk.open(PATH)
    file.append(b"safe")
    file.sync()
    disk.sync_folder(PATH.parent)
    file.append(b"lost")


@pytest.mark.parametrize(
    ("torn_bytes", "is_zeroed", "left"),
    [(0, False, b"safe"), (1, False, b"safel"), (9, False, b"safelost"), (1, True, b"safel\0\0\0")],
)
def test_a_crash_keeps_what_was_synced(torn_bytes: int, is_zeroed: bool, left: bytes) -> None:
    disk = FakeDisk()
    synced_file(disk)
    disk.crash(torn_bytes, is_zeroed)
    assert disk.content(PATH) == left
    assert disk.open(PATH).read() == left


def test_a_crash_loses_names_that_were_not_synced() -> None:
    disk = FakeDisk()
    file = disk.open(PATH)
    file.append(b"data")
    file.sync()
    disk.crash()
    assert not disk.exists(PATH)


def test_a_crash_undoes_a_rename_that_was_not_synced() -> None:
    disk = FakeDisk()
    synced_file(disk)
    beside = disk.open(PATH.with_name("new"))
    beside.append(b"new")
    beside.sync()
    disk.rename(PATH.with_name("new"), PATH)
    disk.crash()
    assert disk.content(PATH) == b"safe"


def test_files_opened_before_a_crash_are_dead() -> None:
    disk = FakeDisk()
    file = disk.open(PATH)
    disk.crash()
    with pytest.raises(OSError, match="before a crash"):
        file.read()


def test_a_full_disk_takes_what_fits() -> None:
    disk = FakeDisk(room_bytes=3)
    with pytest.raises(OSError, match="no space"):
        disk.open(PATH).append(b"abcd")
    assert disk.content(PATH) == b"abc"


def test_a_broken_disk_does_not_sync() -> None:
    disk = FakeDisk()
    file = disk.open(PATH)
    disk.is_broken = True
    with pytest.raises(OSError, match="input/output"):
        file.sync()
    with pytest.raises(OSError, match="input/output"):
        disk.sync_folder(PATH.parent)
    assert disk.sync_count == 0
