"""One class of tests that every store passes, and what only the one on disk can get wrong."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cocket.node.errors import NodeFault, Refused
from cocket.node.store.level import LevelStore
from cocket.node.store.memory import MemoryStore
from cocket.node.store.store import Store


@pytest.fixture(params=["memory", "level"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else LevelStore(tmp_path / "chain")
    yield made
    made.close()


def test_an_absent_key_is_none(store: Store) -> None:
    assert store.get(b"k") is None


@pytest.mark.parametrize("sync", [True, False])
def test_a_batch_is_seen_at_once(store: Store, sync: bool) -> None:
    store.write([(b"a", b"1"), (b"b", b"")], sync=sync)
    assert (store.get(b"a"), store.get(b"b")) == (b"1", b"")
    store.write([(b"a", b"2")], [b"b"], sync=sync)
    assert (store.get(b"a"), store.get(b"b")) == (b"2", None)


def test_a_put_wins_over_a_delete_of_the_same_batch(store: Store) -> None:
    store.write([(b"a", b"1")])
    store.write([(b"a", b"2")], [b"a"])
    assert store.get(b"a") == b"2"


@pytest.mark.parametrize("sync", [True, False])
def test_items_come_in_order_and_only_under_their_prefix(store: Store, sync: bool) -> None:
    store.write([(b"b2", b"x"), (b"a", b"y"), (b"b1", b"z"), (b"c", b"w"), (b"b3", b"v")])
    store.write([(b"b0", b"u")], [b"b3"], sync=sync)
    assert list(store.items(b"b")) == [(b"b0", b"u"), (b"b1", b"z"), (b"b2", b"x")]


@pytest.mark.parametrize("sync", [True, False])
def test_a_snapshot_does_not_move(store: Store, sync: bool) -> None:
    store.write([(b"a", b"1"), (b"b", b"2")], sync=sync)
    before = store.snapshot()
    store.write([(b"a", b"9"), (b"c", b"3")], [b"b"], sync=sync)
    middle = store.snapshot()
    store.write([(b"a", b"10")], sync=True)
    assert [before.get(key) for key in (b"a", b"b", b"c")] == [b"1", b"2", None]
    assert list(before.items(b"")) == [(b"a", b"1"), (b"b", b"2")]
    assert list(middle.items(b"")) == [(b"a", b"9"), (b"c", b"3")]
    assert store.get(b"a") == b"10"


def test_a_closed_store_does_not_write(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(NodeFault):
        store.write([(b"a", b"1")])


writes = st.lists(
    st.tuples(
        st.dictionaries(st.binary(min_size=1, max_size=2), st.binary(max_size=3), max_size=4),
        st.lists(st.binary(min_size=1, max_size=2), max_size=3),
        st.booleans(),
    ),
    max_size=14,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=writes)
def test_both_stores_agree(batches: list[tuple[dict[bytes, bytes], list[bytes], bool]], tmp_path_factory) -> None:
    memory, level = MemoryStore(), LevelStore(tmp_path_factory.mktemp("agree"))
    views = []
    for puts, deletes, sync in batches:
        for each in (memory, level):
            each.write(puts.items(), deletes, sync=sync)
        views.append((memory.snapshot(), level.snapshot()))
    assert list(memory.items(b"")) == list(level.items(b""))
    for one, other in views:
        assert list(one.items(b"")) == list(other.items(b""))
    level.close()


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    first = LevelStore(tmp_path)
    first.write([(b"a", b"1")])
    first.write([(b"b", b"2")], sync=False)
    first.close()
    second = LevelStore(tmp_path)
    assert (second.get(b"a"), second.get(b"b")) == (b"1", b"2")
    second.close()


def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    first = LevelStore(tmp_path)
    with pytest.raises(Refused, match="another process"):
        LevelStore(tmp_path)
    first.close()
    LevelStore(tmp_path).close()


def test_a_folder_that_cannot_be_made_stops_the_node(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NodeFault, match="writable"):
        LevelStore(tmp_path / "file" / "chain")


def test_a_damaged_database_says_what_to_do(tmp_path: Path) -> None:
    LevelStore(tmp_path).close()
    (tmp_path / "CURRENT").write_bytes(b"MANIFEST-999999\n")
    with pytest.raises(NodeFault, match="restore it"):
        LevelStore(tmp_path)


def test_a_disk_that_does_not_let_it_open_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "LOCK").mkdir()
    with pytest.raises(NodeFault, match="make room on the disk"):
        LevelStore(tmp_path)


def test_reading_after_close_is_a_fault(tmp_path: Path) -> None:
    store = LevelStore(tmp_path)
    view = store.snapshot()
    store.close()
    for reader in (store, view):
        with pytest.raises(NodeFault):
            reader.get(b"a")
        with pytest.raises(NodeFault):
            list(reader.items(b"a"))


def test_many_waiting_batches_are_one_with_the_next_synced_one(tmp_path: Path) -> None:
    store = LevelStore(tmp_path)
    for number in range(40):
        store.write([(b"n", number.to_bytes(1, "big")), (b"k%d" % number, b"v")], sync=False)
    assert store.get(b"n") == b"\x27"
    store.write([], sync=True)
    assert store._layers == ()
    assert len(list(store.items(b"k"))) == 40
    store.close()


def test_waiting_batches_are_bounded(tmp_path: Path) -> None:
    store = LevelStore(tmp_path)
    for number in range(33):
        store.write([(bytes([number]), bytes(1024 * 1024))], sync=False)
    assert store._waiting_bytes < 2 * 1024 * 1024
    store.close()


def test_readers_in_other_threads_see_whole_batches(store: Store) -> None:
    """A reader on a snapshot never sees the half of a batch."""
    torn: list[tuple[bytes | None, bytes | None]] = []
    store.write([(b"x", b"0"), (b"y", b"0")])
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            view = store.snapshot()
            pair = (view.get(b"x"), view.get(b"y"))
            if pair[0] != pair[1]:
                torn.append(pair)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        value = number.to_bytes(2, "big")
        store.write([(b"x", value), (b"y", value)], sync=number % 3 == 0)
    done.set()
    reader.join()
    assert torn == []
