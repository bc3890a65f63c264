"""The votes on validators that this node's operator wants cast: one a block, in the blocks that this node proposes.

They live in memory only, as Besu's do: an operator who restarts the node says them again. A vote that means nothing at
the moment (to add a validator, to drop a stranger, or cast already since the tally began) waits, and is cast when it
means something again, such as after an epoch. Only chains whose headers carry the validators have use for them.
(Besu, ``VoteProposer``.)
"""

from threading import Lock
from typing import Final

from cocket.node.chain.extra_data import Vote
from cocket.node.chain.votes import VoteTally
from cocket.node.errors import Refused

VOTES_MAX: Final = 1000
"""As many as there may be validators; an operator has a few."""


class PendingVotes:
    """One operator's open votes, by address; safe from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._votes: dict[bytes, bool] = {}
        self._turn = 0

    def propose(self, address: bytes, is_add: bool) -> None:
        """Vote for adding an address to the validators, or for dropping it; in place of an earlier vote about it."""
        with self._lock:
            if address not in self._votes and len(self._votes) >= VOTES_MAX:
                raise Refused(f"pending votes: there are {VOTES_MAX}, no more may be: discard some")
            self._votes[address] = is_add

    def discard(self, address: bytes) -> None:
        """Take back a vote, if there is one; what stands in a block already stays there."""
        with self._lock:
            self._votes.pop(address, None)

    def all(self) -> dict[bytes, bool]:
        """Return the votes by address: True to add, False to drop."""
        with self._lock:
            return dict(self._votes)

    def next(self, voter: bytes, tally: VoteTally) -> Vote | None:
        """Return the vote for the next block of ``voter``, by turns of those that mean something, or None."""
        with self._lock:
            useful = [Vote(*vote) for vote in self._votes.items() if _is_useful(Vote(*vote), voter, tally)]
            if not useful:
                return None
            chosen = useful[self._turn % len(useful)]
            self._turn += 1
            return chosen


def _is_useful(vote: Vote, voter: bytes, tally: VoteTally) -> bool:
    """Say whether a vote would change the set, or turn one of the same voter that stands the other way."""
    if (voter, vote.recipient, not vote.is_add) in tally.votes:
        return True
    is_there = vote.recipient in tally.validators
    return is_there != vote.is_add and (voter, vote.recipient, vote.is_add) not in tally.votes
