"""Shelves: the folder and the one in memory do the same; an object is there whole or not at all."""

from pathlib import Path

import pytest
from node.vault.power import TAILS, MortalDisk, PowerCut

from cocket.node.errors import NodeFault, Refused
from cocket.node.store.disk import FakeDisk, RealDisk
from cocket.node.vault.shelf import FolderShelf, MemoryShelf, Shelf

ONE, TWO = "objects/" + "ab" * 32, "objects/" + "cd" * 32
ENTRY = "records/" + "ab" * 32 + "-1048575"
FOLDER = Path("/home/shelf")
FULL = 28


@pytest.fixture(params=["real folder", "fake folder", "memory"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    if request.param == "memory":
        return MemoryShelf()
    return FolderShelf(tmp_path / "shelf", RealDisk() if request.param == "real folder" else FakeDisk())


def test_what_is_put_is_there_until_it_is_taken_away(shelf: Shelf) -> None:
    assert list(shelf.sizes()) == []
    for name, data in ((TWO, b""), (ONE, b"one"), (ENTRY, b"entry")):
        assert shelf.get(name) is None
        shelf.put(name, data)
        assert shelf.get(name) == data
    shelf.put(ONE, b"other")
    assert shelf.get(ONE) == b"other"
    assert list(shelf.sizes()) == [(ONE, 5), (TWO, 0), (ENTRY, 5)]
    shelf.remove(ONE)
    shelf.remove(ONE)
    assert shelf.get(ONE) is None
    assert list(shelf.sizes()) == [(TWO, 0), (ENTRY, 5)]
    shelf.remove("objects/" + "00" * 32)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "objects/",
        "objects/../../" + "ab" * 30,
        "objects/" + "AB" * 32,
        "objects/" + "ab" * 31,
        "others/" + "ab" * 32,
        "records/" + "ab" * 32 + "-",
        "records/" + "ab" * 32 + "-1/..",
        "records/" + "ab" * 32 + "-" + "1" * 11,
        ONE + "\n",
        "/" + ONE,
    ],
)
def test_another_name_never_becomes_a_path(shelf: Shelf, name: str) -> None:
    for operation in (lambda: shelf.put(name, b"x"), lambda: shelf.get(name), lambda: shelf.remove(name)):
        with pytest.raises(NodeFault, match="is no name of an object"):
            operation()


def test_files_are_for_their_owner_only_and_in_folders_by_their_first_digits(tmp_path: Path) -> None:
    FolderShelf(tmp_path / "shelf").put(ONE, b"one")
    path = tmp_path / "shelf" / "objects" / "ab" / ("ab" * 31)
    assert path.read_bytes() == b"one"
    assert path.stat().st_mode & 0o777 == 0o600
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in path.parents[:3])
    assert list((tmp_path / "shelf" / "new").iterdir()) == []


def test_what_is_no_object_is_not_listed(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path / "shelf")
    shelf.put(ONE, b"one")
    (tmp_path / "shelf" / "objects" / "ab" / "notes.txt").write_text("mine")
    assert list(shelf.sizes()) == [(ONE, 3)]


def test_a_full_disk_is_said_and_nothing_is_half_written() -> None:
    disk = FakeDisk()
    shelf = FolderShelf(FOLDER, disk)
    shelf.put(ONE, b"one")
    disk.room_bytes = 2
    for name in (ONE, TWO):
        with pytest.raises(Refused, match=r"the disk is full \(5 bytes to keep\): make room"):
            shelf.put(name, b"other")
    assert (shelf.get(ONE), shelf.get(TWO)) == (b"one", None)
    assert disk.sizes(FOLDER / "new") == {}
    disk.room_bytes = None
    shelf.put(TWO, b"other")
    assert shelf.get(TWO) == b"other"


def run(disk: MortalDisk, kept: dict[str, bytes]) -> None:
    shelf = FolderShelf(FOLDER, disk)
    for name, data in ((ONE, b"first of this name"), (TWO, b"two"), (ONE, b"second of this name")):
        shelf.put(name, data)
        kept[name] = data


def operations() -> int:
    disk = MortalDisk()
    run(disk, {})
    return disk.count


@pytest.mark.parametrize(("torn", "zeroed"), TAILS)
def test_a_power_cut_before_any_operation(torn: int, zeroed: bool) -> None:
    assert operations() == 12
    for left in range(operations()):
        disk, kept = MortalDisk(left), dict[str, bytes]()
        with pytest.raises(PowerCut):
            run(disk, kept)
        disk.revive(torn, zeroed)
        shelf = FolderShelf(FOLDER, disk)
        for name, data in kept.items():
            assert shelf.get(name) in (data, b"second of this name")
        assert {shelf.get(name) for name, _ in shelf.sizes()} <= {b"first of this name", b"second of this name", b"two"}
        assert disk.sizes(FOLDER / "new") == {}
        run(disk, kept)
        assert {name: shelf.get(name) for name in kept} == kept


def test_a_disk_that_fails_at_any_operation_is_named() -> None:
    for left in range(operations()):
        disk, kept = MortalDisk(left, OSError(5, "input/output error")), dict[str, bytes]()
        with pytest.raises(NodeFault, match=r"input/output error.*see to the disk"):
            run(disk, kept)
        disk.left = None
        shelf = FolderShelf(FOLDER, disk)
        for name, data in kept.items():
            assert shelf.get(name) in (data, b"second of this name")
