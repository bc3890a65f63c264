"""How this node stands to its peers: which heights they show to be decided, and whether it is too early to vote on one.

A sealed header is checked here, ahead of its block, because it proves what a peer's word does not: that the height is
over. Runs on the event loop.
"""

from typing import Protocol

from cocket.node.chain.header import Header
from cocket.node.chain.ledger import Ledger
from cocket.node.consensus.seals import validate_seals
from cocket.node.consensus.validators import quorum
from cocket.node.errors import InvalidBlock, Refused
from cocket.node.joining import Joining, Outlook


class Peers(Protocol):
    """What is known of the peers (``Neighbours``)."""

    def claims(self) -> tuple[int, ...]:
        """Return the height that each claims, of those who have said."""

    def unknown(self) -> int:
        """Return how many are still to say their height."""

    def header_at(self, number: int) -> Header | None:
        """Return the unverified header of a height above our head, if it is at hand."""


class Standing:
    """One node's standing. ``now_s`` is monotonic."""

    def __init__(self, ledger: Ledger, peers: Peers, now_s: float) -> None:
        self._ledger = ledger
        self._peers = peers
        self._joining = Joining(now_s)
        self._judged: tuple[Header | None, bool] = (None, False)

    def is_decided(self, height: int) -> bool:
        """Say whether a block of this height is stored, or a header on our head at hand that a quorum sealed."""
        head, head_hash = self._ledger.head, self._ledger.head_hash
        if head.number >= height:
            return True
        header = self._peers.header_at(height)
        if header is None or header.parent_hash != head_hash:
            return False
        if self._judged[0] is not header:
            self._judged = header, self._is_sealed(header, head)
        return self._judged[1]

    def is_early(self, height: int, validator_count: int, now_s: float) -> bool:
        """Say whether this node should still wait with a height, for what its peers have of it."""
        outlook = Outlook(
            head=self._ledger.head.number,
            claims=self._peers.claims(),
            unknown=self._peers.unknown(),
            is_decided=self.is_decided(height),
            needed=quorum(validator_count) - 1,
        )
        return self._joining.is_early(height, outlook, now_s)

    def upon_old_block(self, now_s: float) -> None:
        """An old block that a peer brought became the head."""
        self._joining.upon_old_block(now_s)

    def _is_sealed(self, header: Header, parent: Header) -> bool:
        try:
            validate_seals(header, self._ledger.validators_after(parent))
        except (InvalidBlock, Refused):
            return False
        return True
