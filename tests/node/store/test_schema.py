import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.errors import NodeFault, Refused
from cocket.node.store import schema
from cocket.node.store.memory import MemoryStore

HASH = bytes(range(32))
ADDRESS = bytes(range(20))


def test_the_layout_is_what_homes_on_disk_have() -> None:
    """Changing any of these needs a new FORMAT_VERSION."""
    assert schema.FORMAT_VERSION == 1
    assert schema.header_key(HASH) == b"h" + HASH
    assert schema.number_key(258) == b"#" + bytes(6) + b"\x01\x02"
    assert schema.body_key(HASH) == b"b" + HASH
    assert schema.receipts_key(HASH) == b"r" + HASH
    assert schema.location_key(HASH) == b"t" + HASH
    assert schema.account_key(ADDRESS) == b"a" + ADDRESS
    assert schema.slot_key(ADDRESS, 1) == b"s" + ADDRESS + bytes(31) + b"\x01"
    assert schema.slot_key(ADDRESS, 1).startswith(schema.slot_prefix(ADDRESS))
    assert schema.code_key(HASH) == b"c" + HASH
    assert schema.node_key(HASH) == b"n" + HASH
    assert schema.HEAD_KEY == b"mhead"


@given(value=st.integers(0, 2**256 - 1))
def test_slots_come_back(value: int) -> None:
    assert schema.decode_slot(schema.encode_slot(value)) == value


def test_an_absent_slot_is_zero() -> None:
    assert schema.decode_slot(None) == 0


@given(number=st.integers(0, 2**64 - 1), index=st.integers(0, 2**32 - 1))
def test_places_come_back(number: int, index: int) -> None:
    assert schema.decode_location(schema.encode_location(number, index)) == (number, index)


def test_a_damaged_place_is_a_fault() -> None:
    with pytest.raises(NodeFault, match="11 bytes"):
        schema.decode_location(bytes(11))


def test_the_same_owner_opens_again() -> None:
    store = MemoryStore()
    schema.open_meta(store, HASH, ADDRESS)
    schema.open_meta(store, HASH, ADDRESS)
    schema.open_meta(store, HASH, None)


def test_a_home_made_without_a_key_takes_the_first() -> None:
    store = MemoryStore()
    schema.open_meta(store, HASH, None)
    schema.open_meta(store, HASH, ADDRESS)
    with pytest.raises(Refused, match="validator"):
        schema.open_meta(store, HASH, bytes(20))


def test_another_genesis_is_refused() -> None:
    store = MemoryStore()
    schema.open_meta(store, HASH, ADDRESS)
    with pytest.raises(Refused, match=r"genesis 0x0001.*hashes to 0x0000.*use the genesis file"):
        schema.open_meta(store, bytes(32), ADDRESS)


def test_another_validator_is_refused() -> None:
    store = MemoryStore()
    schema.open_meta(store, HASH, ADDRESS)
    with pytest.raises(Refused, match="put the right key in place"):
        schema.open_meta(store, HASH, bytes(20))


def test_another_format_is_refused() -> None:
    store = MemoryStore()
    schema.open_meta(store, HASH, ADDRESS)
    store.write([(b"mformat", (7).to_bytes(4, "big"))])
    with pytest.raises(Refused, match="format 7 found, this program reads 1"):
        schema.open_meta(store, HASH, ADDRESS)
