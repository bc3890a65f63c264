"""Item proofs: that a sealed record is the one at a place of an anchored batch.

Custodians' masks are of a document root, and the ledger decides about a place in a batch; this proof ties the two, so
that a grant for one record never gives a mask of another. It tells neither the importing country nor any field.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.batch import DEPTH_MAX, DEPTH_MIN, ISSUER_MAX, batch_leaf, batch_root
from cocket.attestation.errors import InvalidFile
from cocket.attestation.kinds import KINDS
from cocket.attestation.members import Members, hash_of, hexadecimal
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.sealing.binding import KEY_EPOCH_MAX, Binding


@dataclass(frozen=True, slots=True)
class Item:
    """A record's document root, kind and key epoch, the hash of its importing country, and its path in the batch."""

    document_root: bytes
    kind: int
    key_epoch: int
    destination: bytes
    path: tuple[bytes, ...]


def binding_of(item: Item, genesis_hash: bytes) -> Binding:
    """Return what the masks of a record are bound to."""
    return Binding(genesis_hash, item.document_root, item.kind, item.key_epoch)


def validate_item(item: Item, issuer: int, batch: bytes, index: int) -> None:
    """Refuse (InvalidFile) an item that does not lead to ``index`` of a batch by ``issuer``, the ledger's."""
    if not DEPTH_MIN <= len(item.path) <= DEPTH_MAX or not 0 <= index < 1 << len(item.path):
        raise InvalidFile(f"a path of {len(item.path)} hashes, by which no batch has an index {index}")
    if not 0 < issuer <= ISSUER_MAX:
        raise InvalidFile(f"issuer {issuer}; expected a participant's number")
    reached = batch_root(batch_leaf(item.document_root, item.destination), index, item.path, item.kind, issuer)
    if reached != batch:
        raise InvalidFile(f"an item that leads to 0x{reached.hex()}; expected 0x{batch.hex()}, the batch asked for")


def item_json(item: Item) -> dict[str, object]:
    """Return an item proof as it is sent."""
    return {
        "document_root": hexadecimal(item.document_root),
        "kind": item.kind,
        "key_epoch": item.key_epoch,
        "destination": hexadecimal(item.destination),
        "path": [hexadecimal(each) for each in item.path],
    }


def item_of(node: object) -> Item:
    """Return an item proof from its JSON; InvalidFile when it is none. Where it leads is not judged."""
    members = Members(node, "", ("document_root", "kind", "key_epoch", "destination", "path"))
    kind, path = members.number("kind", 1 << 16), members.several("path", DEPTH_MAX, hash_of)
    if kind not in KINDS:
        raise members.refusal("kind", f"one of {', '.join(map(str, KINDS))}")
    if len(path) < DEPTH_MIN:
        raise members.refusal("path", f"at least {DEPTH_MIN} hashes")
    return Item(
        members.octets("document_root", HASH_BYTES),
        kind,
        members.number("key_epoch", KEY_EPOCH_MAX + 1),
        members.octets("destination", HASH_BYTES),
        path,
    )
