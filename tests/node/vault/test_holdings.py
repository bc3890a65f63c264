"""Holdings: what is given is what was put there; a record's versions follow each other; room is bounded and made."""

from hashlib import sha256
from pathlib import Path

import pytest
from node.vault.power import TAILS, MortalDisk, PowerCut

from cocket.attestation.sealing.envelope import ENVELOPE_BYTES_MAX
from cocket.node.errors import Damaged, NodeFault, Refused
from cocket.node.store.disk import FakeDisk
from cocket.node.vault import entry as entry_module
from cocket.node.vault import holdings as holdings_module
from cocket.node.vault.entry import Version
from cocket.node.vault.holdings import HeldRecord, Holdings
from cocket.node.vault.shelf import FolderShelf, MemoryShelf, Shelf

BATCH = b"b" * 32
QUOTA = 100_000
ENTRY = "records/" + BATCH.hex() + "-5"


def holdings_on(shelf: Shelf | None = None, quota_bytes: int = QUOTA) -> Holdings:
    return Holdings(MemoryShelf() if shelf is None else shelf, quota_bytes)


def store(holdings: Holdings, key_epoch: int = 1, mark: bytes = b"", index: int = 5, envelope: bytes = b"") -> Version:
    """Store a record whose envelope is its key epoch's, as a re-wrap keeps it, and whose manifest has a mark."""
    manifest, custody = b"manifest %d " % key_epoch + mark, b"custody " + mark
    sealed = envelope or b"envelope %d" % key_epoch
    return holdings.store(BATCH, index, key_epoch, manifest=manifest, custody=custody, envelope=sealed)


def name_of(data: bytes) -> str:
    return "objects/" + sha256(data).hexdigest()


def test_a_record_comes_back() -> None:
    holdings = holdings_on()
    assert (holdings.find(BATCH, 5), holdings.versions(BATCH, 5)) == (None, ())
    version = store(holdings)
    assert version == Version(1, *[sha256(each).digest() for each in (b"manifest 1 ", b"custody ", b"envelope 1")])
    assert holdings.find(BATCH, 5) == HeldRecord(version, b"manifest 1 ", b"custody ", b"envelope 1")
    assert (holdings.find(BATCH, 6), holdings.find(b"o" * 32, 5)) == (None, None)


def test_the_same_once_more_changes_nothing() -> None:
    shelf = MemoryShelf()
    holdings = holdings_on(shelf)
    store(holdings)
    before, used = dict(shelf.objects), holdings.used_bytes
    store(holdings)
    holdings.put(b"custody ")
    assert (shelf.objects, holdings.used_bytes) == (before, used)
    assert used == sum(map(len, shelf.objects.values())) == holdings_on(shelf).used_bytes


def test_the_newest_version_wins_and_older_ones_stay_until_told() -> None:
    holdings = holdings_on()
    first = store(holdings)
    rewrapped = store(holdings, mark=b"new custody")
    anew = store(holdings, key_epoch=2)
    assert holdings.versions(BATCH, 5) == (anew, rewrapped, first)
    assert [holdings.get(each.manifest) for each in (anew, rewrapped, first)] == [
        b"manifest 2 ",
        b"manifest 1 new custody",
        b"manifest 1 ",
    ]
    assert holdings.forget_older(BATCH, 5) == 2
    assert holdings.forget_older(BATCH, 5) == 0
    assert holdings.forget_older(BATCH, 6) == 0
    assert holdings.versions(BATCH, 5) == (anew,)
    assert holdings.sweep() == len(b"manifest 1 new custody") + len(b"custody new custody") + len(
        b"manifest 1 " + b"envelope 1"
    )
    assert holdings.sweep() == 0
    assert holdings.find(BATCH, 5) == HeldRecord(anew, b"manifest 2 ", b"custody ", b"envelope 2")
    with pytest.raises(Damaged, match="is not there"):
        holdings.get(first.manifest)


def test_what_other_records_name_is_not_swept() -> None:
    holdings = holdings_on()
    store(holdings, index=5)
    store(holdings, index=6)
    assert holdings.drop(BATCH, 5)
    assert not holdings.drop(BATCH, 5)
    assert holdings.sweep() == 0
    assert holdings.find(BATCH, 6) is not None
    assert holdings.drop(BATCH, 6)
    assert holdings.sweep() > 0
    assert holdings.used_bytes == 0


def test_an_older_epoch_and_another_envelope_under_the_same_are_refused() -> None:
    holdings = holdings_on()
    store(holdings, key_epoch=3)
    with pytest.raises(Refused, match="key epoch 2; expected 3, the newest held, or a later one"):
        store(holdings, key_epoch=2)
    with pytest.raises(Refused, match="another envelope under key epoch 3; expected a later epoch"):
        store(holdings, key_epoch=3, mark=b"m", envelope=b"other")
    assert len(holdings.versions(BATCH, 5)) == 1
    store(holdings, key_epoch=3, mark=b"m")
    store(holdings, key_epoch=4, envelope=b"other")
    assert len(holdings.versions(BATCH, 5)) == 3


def test_versions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings_module, "VERSIONS_MAX", 3)
    holdings = holdings_on()
    for key_epoch in (1, 2, 3):
        store(holdings, key_epoch)
    with pytest.raises(Refused, match="3 versions of this record are held, as many as can be: forget the older"):
        store(holdings, 4)
    store(holdings, 3)
    holdings.forget_older(BATCH, 5)
    store(holdings, 4)


def test_as_many_versions_as_can_be_fit_an_entry() -> None:
    holdings = holdings_on()
    for key_epoch in range(entry_module.VERSIONS_MAX):
        store(holdings, (1 << 32) - 100 + key_epoch)
    assert len(holdings.versions(BATCH, 5)) == entry_module.VERSIONS_MAX


def test_the_quota_is_held_and_says_what_to_do() -> None:
    holdings = holdings_on(quota_bytes=600)
    store(holdings)
    used = holdings.used_bytes
    with pytest.raises(Refused, match=rf"1000 bytes more than the {used} held are over .* 600: forget older versions"):
        holdings.put(b"x" * 1000)
    with pytest.raises(Refused, match="over the vault's quota"):
        store(holdings, key_epoch=2, envelope=b"x" * 600)
    assert holdings.used_bytes == used
    holdings.put(b"x" * (600 - used))
    with pytest.raises(Refused, match="over the vault's quota of 600"):
        holdings.put(b"y")
    holdings.sweep()
    holdings.put(b"y")
    assert holdings.used_bytes == used + 1


def test_a_smaller_quota_lets_what_is_held_be_read_and_mended() -> None:
    shelf = MemoryShelf()
    store(holdings_on(shelf))
    holdings = holdings_on(shelf, quota_bytes=1)
    assert holdings.find(BATCH, 5) is not None
    store(holdings)
    shelf.objects[name_of(b"custody ")] = b"custodX "
    holdings.put(b"custody ")
    assert holdings.find(BATCH, 5) is not None
    with pytest.raises(Refused, match="over the vault's quota of 1"):
        store(holdings, key_epoch=2)


def test_an_object_is_bounded() -> None:
    holdings = holdings_on(quota_bytes=1 << 40)
    with pytest.raises(Refused, match="expected at most"):
        holdings.put(bytes(ENVELOPE_BYTES_MAX + 1))


@pytest.mark.parametrize(
    ("batch", "index", "key_epoch"), [(b"b" * 31, 0, 0), (BATCH, 1 << 20, 0), (BATCH, -1, 0), (BATCH, 0, 1 << 32)]
)
def test_no_record_is_elsewhere(batch: bytes, index: int, key_epoch: int) -> None:
    with pytest.raises(NodeFault, match="no record has"):
        holdings_on().store(batch, index, key_epoch, manifest=b"m", custody=b"c", envelope=b"e")


@pytest.mark.parametrize("data", [b"manifest 1 ", b"custody ", b"envelope 1"])
def test_a_damaged_or_missing_object_is_named_and_never_given(data: bytes) -> None:
    shelf = MemoryShelf()
    holdings = holdings_on(shelf)
    store(holdings)
    name = name_of(data)
    shelf.objects[name] = data[:-1] + b"?"
    with pytest.raises(Damaged, match=f"object {name[8:]} is not what was put there; put it back from a copy"):
        holdings.find(BATCH, 5)
    del shelf.objects[name]
    with pytest.raises(Damaged, match=f"object {name[8:]} is not there; put it back from a copy"):
        holdings.find(BATCH, 5)
    assert holdings.put(data) == sha256(data).digest()  # the copy
    assert holdings.find(BATCH, 5) is not None


def test_a_damaged_entry_is_named_and_nothing_is_swept() -> None:
    shelf = MemoryShelf()
    holdings = holdings_on(shelf)
    store(holdings)
    good = shelf.objects[ENTRY]
    for bad in (good[:-1], good + b" ", good[:40] + b"?" + good[41:], b"", b"?" + good[1:]):
        shelf.objects[ENTRY] = bad
        for operation in (
            lambda: holdings.find(BATCH, 5),
            lambda: holdings.forget_older(BATCH, 5),
            lambda: store(holdings),
            holdings.sweep,
        ):
            with pytest.raises(Damaged, match=f"entry {ENTRY}: .*; put it back from a copy"):
                operation()
    shelf.objects[ENTRY] = good
    assert holdings.find(BATCH, 5) is not None
    shelf.objects[ENTRY.replace("-5", "-6")] = good
    with pytest.raises(Damaged, match="it is another record's"):
        holdings.find(BATCH, 6)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"batch":"0x00","format":"cocket-holding-1","index":5,"versions":[]}',
        b'{"batch":"0x' + b"62" * 32 + b'","format":"cocket-holding-2","index":5,"versions":[]}',
        b'{"batch":"0x' + b"62" * 32 + b'","format":"cocket-holding-1","index":5,"versions":[]}',
        b'{"batch":"0x' + b"62" * 32 + b'","format":"cocket-holding-1","index":5,"versions":[{}]}',
    ],
)
def test_an_entry_that_nobody_wrote_is_damage(body: bytes) -> None:
    shelf = MemoryShelf()
    shelf.objects[ENTRY] = sha256(body).digest() + body
    with pytest.raises(Damaged, match=f"entry {ENTRY}"):
        holdings_on(shelf).find(BATCH, 5)


def test_a_damaged_entry_can_be_dropped_and_the_record_stored_again() -> None:
    shelf = MemoryShelf()
    holdings = holdings_on(shelf)
    store(holdings)
    shelf.objects[ENTRY] = b"?"
    holdings = holdings_on(shelf)
    assert holdings.drop(BATCH, 5)
    store(holdings)
    assert holdings.find(BATCH, 5) is not None
    assert holdings.used_bytes == sum(map(len, shelf.objects.values()))


def test_a_scrub_names_all_that_is_wrong_and_says_how_far_it_is() -> None:
    shelf = MemoryShelf()
    holdings = holdings_on(shelf)
    store(holdings, index=5)
    store(holdings, index=6, key_epoch=2)
    steps = list(holdings.scrub())
    assert [step.problem for step in steps] == [None] * 7
    assert (steps[-1].done_bytes, steps[-1].total_bytes) == (holdings.used_bytes, holdings.used_bytes)
    assert [step.done_bytes for step in steps] == sorted({step.done_bytes for step in steps})

    shelf.objects[name_of(b"envelope 1")] = b"?"
    del shelf.objects[name_of(b"manifest 2 ")]
    problems = {step.name: step.problem for step in holdings.scrub() if step.problem is not None}
    assert problems == {
        name_of(b"envelope 1"): "it is not what was put there; put it back from a copy",
        "records/" + BATCH.hex() + "-6": f"object {name_of(b'manifest 2 ')[8:]} of key epoch 2 is not there; put it "
        "back from a copy",
    }
    shelf.objects[ENTRY] = b"?"
    problems = {step.name: step.problem for step in holdings.scrub() if step.problem is not None}
    assert len(problems) == 3
    assert "its checksum is another" in str(problems[ENTRY])


def test_a_scrub_may_run_while_objects_go() -> None:
    shelf = MemoryShelf()
    holdings = holdings_on(shelf)
    store(holdings)
    store(holdings, key_epoch=2)
    scrub = holdings.scrub()
    found = [next(scrub)]
    holdings.forget_older(BATCH, 5)
    holdings.sweep()
    assert [step.problem for step in [*found, *scrub]] == [None] * 6


# ---- the disk


def run(disk: MortalDisk, stored: list[int]) -> None:
    holdings = Holdings(FolderShelf(Path("/shelf"), disk), QUOTA)
    for key_epoch in (1, 2):
        store(holdings, key_epoch)
        stored.append(key_epoch)
    holdings.forget_older(BATCH, 5)
    stored.append(3)
    holdings.sweep()
    stored.append(4)


@pytest.mark.parametrize(("torn", "zeroed"), TAILS[1:3])
def test_a_power_cut_before_any_operation_leaves_the_old_record_or_the_new(torn: int, zeroed: bool) -> None:
    whole = MortalDisk()
    run(whole, [])
    for left in range(whole.count):
        disk, stored = MortalDisk(left), list[int]()
        with pytest.raises(PowerCut):
            run(disk, stored)
        disk.revive(torn, zeroed)
        holdings = Holdings(FolderShelf(Path("/shelf"), disk), QUOTA)
        assert [step for step in holdings.scrub() if step.problem is not None] == []
        found = holdings.find(BATCH, 5)
        held = 0 if found is None else found.version.key_epoch
        done = len(stored)
        assert held in ((done, done + 1) if done < 2 else (2,))
        run(disk, []) if held < 2 else store(holdings, 2)
        holdings.sweep()
        assert holdings.find(BATCH, 5) is not None


def test_a_full_disk_leaves_what_was_there() -> None:
    disk = FakeDisk()
    holdings = Holdings(FolderShelf(Path("/shelf"), disk), QUOTA)
    first = store(holdings)
    for room in range(0, 400, 7):
        disk.room_bytes = room
        with pytest.raises(Refused, match="the disk is full"):
            store(holdings, key_epoch=2, envelope=b"e" * 400)
        assert holdings.versions(BATCH, 5) == (first,)
        assert holdings.find(BATCH, 5) is not None
        assert [step for step in holdings.scrub() if step.problem is not None] == []
    disk.room_bytes = None
    assert store(holdings, key_epoch=2, envelope=b"e" * 400).key_epoch == 2
