"""Rules: by what a keeper decides, as its operator set it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

HEAD_AGE_S_MAX = 30


@dataclass(frozen=True, slots=True)
class Rules:
    """By what a keeper decides.

    ``keeper`` is the party that its receipts are of; ``replacements`` are the Access contracts that its operator
    confirmed, by those that they replace; ``head_age_s`` how old its ledger's last block may be; ``retention_days`` how
    long records are kept whatever their controller says, and ``kinds_retention_days`` those of some kinds, by number.
    """

    chain_id: int
    genesis_hash: bytes
    keeper: int
    replacements: Mapping[bytes, bytes]
    head_age_s: int = HEAD_AGE_S_MAX
    retention_days: int = 0
    kinds_retention_days: Mapping[int, int] = field(default_factory=dict)

    def kept_days(self, kind: int) -> int:
        """Return how long records of a kind are kept."""
        return self.kinds_retention_days.get(kind, self.retention_days)
