"""Rules: by what a keeper decides, as its operator set it."""

from collections.abc import Mapping
from dataclasses import dataclass

HEAD_AGE_S_MAX = 30


@dataclass(frozen=True, slots=True)
class Rules:
    """By what a keeper decides.

    ``keeper`` is the party that its receipts are of; ``replacements`` are the Access contracts that its operator
    confirmed, by those that they replace; ``head_age_s`` how old its ledger's last block may be; ``retention_days`` how
    long records of a kind are kept whatever their controller says.
    """

    chain_id: int
    genesis_hash: bytes
    keeper: int
    replacements: Mapping[bytes, bytes]
    head_age_s: int = HEAD_AGE_S_MAX
    retention_days: int = 0
