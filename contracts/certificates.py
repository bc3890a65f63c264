"""Typed calls to Certificates: anchored batches, the state of single documents, and how much of each is used.

Writes give calldata: an issuer's key sends ``anchor`` and changes of state, its authority's admin may send the latter
too, importing authorities' admins send ``use``. Views give a View. A batch is named by its root, a document by batch
and index. Shares are parts per million; periods are [from, to) in unix seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import cast

from sha3 import keccak_256

from cocket.contracts.abi import View, interface
from cocket.contracts.artifact import load_artifact
from cocket.contracts.history import Word, decode_word, latest_slot, mapping_slot, past_slot
from cocket.contracts.values import decode_country, encode_country

ADDRESS = bytes.fromhex("00000000000000000000000000000000000c0c04")

DEPTH_MIN = 4
DEPTH_MAX = 20
WHOLE_PPM = 1_000_000

_CERTIFICATES = "Certificates"
_ZERO = bytes(32)


class ItemStatus(IntEnum):
    """How a document stands. WITHDRAWN and SUPERSEDED are for good; a withdrawn batch shows as WITHDRAWN."""

    IN_FORCE = 0
    SUSPENDED = 1
    WITHDRAWN = 2
    SUPERSEDED = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """What was anchored under a root; ``anchored_at`` 0: nothing was. ``withdrawn_at`` 0: it stands."""

    participant: int
    authority: int
    kind: int
    depth: int
    residency: str
    anchored_at: int
    valid_from: int
    valid_to: int
    withdrawn_at: int
    by_authority: bool
    reason: int


@dataclass(frozen=True, slots=True)
class ItemState:
    """How a document stood at a time; ``since`` 0: nothing was ever said of it, so it was in force."""

    status: ItemStatus
    since: int
    by_authority: bool
    reason: int


@dataclass(frozen=True, slots=True)
class Item:
    """How a document stands, what replaced it (``by_batch`` zeros: nothing), and how much of it is used."""

    status: ItemStatus
    since: int
    by_authority: bool
    reason: int
    by_batch: bytes
    by_index: int
    used_ppm: int


def anchor(
    *, top: bytes, depth: int, kind: int, valid_from: int, valid_to: int, residency: str = "", custody: bytes = _ZERO
) -> bytes:
    """Give the calldata that attests a batch, by the top of its tree.

    The ledger makes the batch root of it and of the sender's participant number, and names the batch by that.
    ``residency`` is the country in which the documents stay, empty when not stated; ``custody`` is the hash of who
    keeps them and how many must agree to open them.
    """
    country = encode_country(residency) if residency else b"\0\0"
    return interface(_CERTIFICATES).call("anchor", top, depth, kind, valid_from, valid_to, country, custody)


def suspend(*, batch: bytes, index: int, reason: int) -> bytes:
    """Give the calldata that puts a document out of force until it is reinstated, for a reason code of 1 to 65535."""
    return interface(_CERTIFICATES).call("suspend", batch, index, reason)


def reinstate(*, batch: bytes, index: int) -> bytes:
    """Give the calldata that puts a suspended document in force again."""
    return interface(_CERTIFICATES).call("reinstate", batch, index)


def withdraw(*, batch: bytes, index: int, reason: int) -> bytes:
    """Give the calldata that puts a document out of force for good."""
    return interface(_CERTIFICATES).call("withdraw", batch, index, reason)


def supersede(*, batch: bytes, index: int, by_batch: bytes, by_index: int) -> bytes:
    """Give the calldata that replaces a document by another of the same issuer."""
    return interface(_CERTIFICATES).call("supersede", batch, index, by_batch, by_index)


def withdraw_batch(*, batch: bytes, reason: int) -> bytes:
    """Give the calldata that puts a whole batch out of force for good."""
    return interface(_CERTIFICATES).call("withdrawBatch", batch, reason)


def use(
    *, batch: bytes, index: int, document_root: bytes, destination: bytes, path: Sequence[bytes], share_ppm: int
) -> bytes:
    """Give the calldata that claims a share of a document for imported goods.

    ``destination`` is the importing country's salted hash, as it stands in the batch leaf; ``path`` goes from the leaf
    up.
    """
    return interface(_CERTIFICATES).call("use", batch, index, document_root, destination, list(path), share_ppm)


def release_use(*, batch: bytes, index: int, share_ppm: int) -> bytes:
    """Give the calldata that gives back a share which the sender's authority has claimed."""
    return interface(_CERTIFICATES).call("releaseUse", batch, index, share_ppm)


def batch(root: bytes) -> View[Batch]:
    """Ask what was anchored under a root."""
    return interface(_CERTIFICATES).view("batch", root, make=_batch)


def item(root: bytes, index: int) -> View[Item]:
    """Ask how a document stands; the call is refused for an unknown batch or an index beyond it."""
    return interface(_CERTIFICATES).view("item", root, index, make=_item)


def item_at(root: bytes, index: int, time: int) -> View[ItemState]:
    """Ask how a document stood at a time; refused like ``item``, and for a time before the batch was anchored."""
    return interface(_CERTIFICATES).view("itemAt", root, index, time, make=_state)


def used_by(root: bytes, index: int, authority: int) -> View[int]:
    """Ask how much of a document an authority has used, in parts per million."""
    return interface(_CERTIFICATES).view("usedBy", root, index, authority, make=lambda value: cast(int, value))


def version() -> View[str]:
    """Ask for the version of the contract's code and interface."""
    return interface(_CERTIFICATES).view("version", make=str)


def batch_slot(root: bytes) -> int:
    """Give the storage slot of a batch's record."""
    return mapping_slot(load_artifact(_CERTIFICATES).layout["batches"], root)


def item_slot(root: bytes, index: int) -> int:
    """Give the storage slot of the newest word about a document; zero there means in force."""
    return latest_slot(load_artifact(_CERTIFICATES).layout, _subject(root, index))


def past_item_slot(root: bytes, index: int, sequence: int) -> int:
    """Give the storage slot of an earlier word about a document, by its sequence number."""
    return past_slot(load_artifact(_CERTIFICATES).layout, _subject(root, index), sequence)


def used_slot(root: bytes, index: int) -> int:
    """Give the storage slot of how much of a document is used, in parts per million."""
    outer = mapping_slot(load_artifact(_CERTIFICATES).layout["used"], root)
    return mapping_slot(outer, index.to_bytes(32, "big"))


def used_by_slot(root: bytes, index: int, authority: int) -> int:
    """Give the storage slot of how much of a document an authority has used, in parts per million."""
    outer = mapping_slot(load_artifact(_CERTIFICATES).layout["used_by"], root)
    return mapping_slot(mapping_slot(outer, index.to_bytes(32, "big")), authority.to_bytes(32, "big"))


def successor_slots(root: bytes, index: int) -> tuple[int, int]:
    """Give the storage slots of what replaced a document: the batch, and the index in it."""
    outer = mapping_slot(load_artifact(_CERTIFICATES).layout["successors"], root)
    first = mapping_slot(outer, index.to_bytes(32, "big"))
    return first, first + 1


def decode_batch_word(word: int) -> Batch:
    """Give the batch in a storage word, as a storage proof shows it."""
    return Batch(
        participant=word & 0xFFFFFFFF,
        authority=word >> 32 & 0xFFFF,
        kind=word >> 48 & 0xFF,
        depth=word >> 56 & 0x7F,
        residency=decode_country((word >> 64 & 0xFFFF).to_bytes(2, "big")),
        anchored_at=word >> 80 & (1 << 40) - 1,
        valid_from=word >> 120 & (1 << 40) - 1,
        valid_to=word >> 160 & (1 << 40) - 1,
        withdrawn_at=word >> 200 & (1 << 40) - 1,
        by_authority=bool(word >> 63 & 1),
        reason=word >> 240,
    )


def decode_item_word(word: int) -> ItemState:
    """Give a document's state in a storage word. Whether its batch was withdrawn stands in the batch's record."""
    entry: Word = decode_word(word)
    return ItemState(
        status=ItemStatus(entry.fact & 0xFF),
        since=entry.time,
        by_authority=bool(entry.fact >> 8 & 0xFF),
        reason=entry.fact >> 16 & 0xFFFF,
    )


def _subject(root: bytes, index: int) -> int:
    return int.from_bytes(keccak_256(root + index.to_bytes(32, "big")).digest(), "big")


def _batch(values: tuple[int, int, int, int, bytes, int, int, int, int, bool, int]) -> Batch:
    participant, authority, kind, depth, residency = values[:5]
    return Batch(participant, authority, kind, depth, decode_country(residency), *values[5:])


def _state(values: tuple[int, int, bool, int]) -> ItemState:
    return ItemState(ItemStatus(values[0]), *values[1:])


def _item(values: tuple[int, int, bool, int, bytes, int, int]) -> Item:
    return Item(ItemStatus(values[0]), *values[1:])
