"""Bindings: what a sealed group is tied to, so that nothing of one record can be passed off as another's."""

from __future__ import annotations

from dataclasses import dataclass

KEY_EPOCH_MAX = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Binding:
    """One record of one network, under the keys of one epoch: re-encryption begins a new one.

    ``kind`` fixes the groups and their order, so it is the version of their schema.
    """

    genesis_hash: bytes
    document_root: bytes
    kind: int
    key_epoch: int

    def encode(self, group: int) -> bytes:
        """Return genesis hash 32, document root 32, kind 2, key epoch 4, and the group's place in its kind 1."""
        kind, epoch = self.kind.to_bytes(2), self.key_epoch.to_bytes(4)
        return self.genesis_hash + self.document_root + kind + epoch + bytes((group,))
