"""Evidence of equivocation, kept on the disk: who signed two different things for one height, round and kind.

Both signed payloads are kept as they were signed, so anybody can recover the author from either without trusting this
node. It is for people: nothing here, and nothing that reads it, changes what the node does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cocket.node.chain.rlp_codec import decode_list, encode, encode_int, expect_bytes, expect_int
from cocket.node.consensus.messages import Code, Message
from cocket.node.consensus.wire import encode_signed
from cocket.node.store import schema
from cocket.node.store.store import Store

EVIDENCE_MAX: Final = 1024
"""Pairs kept in all. The earliest stay: they say as much as any later one."""
EVIDENCE_OF_ONE_MAX: Final = 64
"""Pairs kept of one author, so that one who cheats all the time leaves room for the others."""
BYTES_MAX: Final = 64 * 1024 * 1024
"""In all; a pair of proposals holds two blocks."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two signed payloads, each the RLP of ``[payload, signature]``; seen at ``seen_ms`` (since 1970)."""

    author: bytes
    code: Code
    height: int
    round: int
    first: bytes
    second: bytes
    seen_ms: int

    @property
    def key(self) -> bytes:
        """Where it lies: one pair for each height, round, kind and author."""
        return schema.evidence_key(self.height, self.round, self.code, self.author)


def evidence_of(first: Message, second: Message, seen_ms: int) -> Evidence:
    """Return what two contradicting messages prove."""
    return Evidence(
        first.author,
        first.code,
        first.height,
        first.round,
        encode_signed(first.signed),
        encode_signed(second.signed),
        seen_ms,
    )


class EvidenceBook:
    """What is kept, oldest height first. One thread writes, any may read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sizes: dict[bytes, int] = {}
        self._counts: dict[bytes, int] = {}
        for key, value in store.items(schema.EVIDENCE_PREFIX):
            self._note(key, len(value))

    def __len__(self) -> int:
        return len(self._sizes)

    def counts(self) -> dict[bytes, int]:
        """Return how many pairs are kept of each author."""
        return dict(self._counts)

    def has(self, evidence: Evidence) -> bool:
        """Say whether a pair of this height, round, kind and author is kept."""
        return evidence.key in self._sizes

    def has_room(self, evidence: Evidence) -> bool:
        """Say whether one more pair of its author and size may be kept."""
        return (
            len(self._sizes) < EVIDENCE_MAX
            and self._counts.get(evidence.author, 0) < EVIDENCE_OF_ONE_MAX
            and sum(self._sizes.values()) + len(evidence.first) + len(evidence.second) <= BYTES_MAX
        )

    def keep(self, evidence: Evidence) -> None:
        """Put a pair on the disk, with the next synced write of the store; NodeFault when the disk fails."""
        value = _encode(evidence)
        self._store.write([(evidence.key, value)], sync=False)
        self._note(evidence.key, len(value))

    def read(self, author: bytes | None = None) -> Iterator[Evidence]:
        """Yield what is kept, of one author or of all, the highest height first."""
        for key in sorted(self._sizes, reverse=True):
            if author is None or key.endswith(author):
                value = self._store.get(key)
                if value is not None:
                    yield _decode(key, value)

    def _note(self, key: bytes, size: int) -> None:
        if key not in self._sizes:
            _, _, _, author = schema.parse_evidence_key(key)
            self._counts[author] = self._counts.get(author, 0) + 1
        self._sizes[key] = size


def _encode(evidence: Evidence) -> bytes:
    return encode((evidence.first, evidence.second, encode_int(evidence.seen_ms)))


def _decode(key: bytes, value: bytes) -> Evidence:
    height, round_number, code, author = schema.parse_evidence_key(key)
    first, second, seen = decode_list(value)
    return Evidence(
        author,
        Code(code),
        height,
        round_number,
        expect_bytes(first, "first"),
        expect_bytes(second, "second"),
        expect_int(seen, "time", 63),
    )
