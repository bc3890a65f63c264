"""Validators by votes in headers: who they are after a block, where no contract says it.

Pure: a tally is a value, and each header makes the next one. It validates nothing; a proposer may vote for anything.
"""

from dataclasses import dataclass

from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import Header


@dataclass(frozen=True, slots=True)
class VoteTally:
    """The validators (ascending) and the open votes: (voter, recipient, is for adding), at most one of each pair."""

    validators: tuple[bytes, ...]
    votes: tuple[tuple[bytes, bytes, bool], ...]

    def after(self, header: Header, epoch_length: int, beginning: tuple[bytes, ...] | None = None) -> "VoteTally":
        """Return the tally after a block.

        ``beginning`` are the validators that a transition sets for the next block: then the tally begins anew with
        them, and yet the vote in this very block counts, as it does for Besu's ``ForkingVoteTallyCache``.

        The first block of an epoch sets the validators to those in its header and forgets all votes, its own too.
        Any other block's vote takes the place of an earlier one of the same voter about the same address; more than
        half of the validators decide. What was decided ends all votes about it, and with a removed validator go its
        own. The last validator cannot be voted out: nobody could make a block then.
        (Besu, ``VoteTally`` and ``VoteTallyUpdater``.)
        """
        if beginning is not None:
            begun = VoteTally(tuple(sorted(beginning)), ())
            return begun if header.number % epoch_length == 0 else begun.after(header, epoch_length)
        extra = decode_extra_data(header.extra_data)
        if header.number % epoch_length == 0:
            return VoteTally(tuple(sorted(extra.validators)), ())
        if extra.vote is None:
            return self
        voter, recipient, is_add = header.coinbase, extra.vote.recipient, extra.vote.is_add
        votes = tuple(vote for vote in self.votes if vote[:2] != (voter, recipient))
        votes += ((voter, recipient, is_add),)
        agreeing = sum(1 for vote in votes if vote[1:] == (recipient, is_add))
        if agreeing <= len(self.validators) // 2:
            return VoteTally(self.validators, votes)
        votes = tuple(vote for vote in votes if vote[1] != recipient)
        if not is_add and self.validators == (recipient,):
            return VoteTally(self.validators, votes)
        if is_add:
            return VoteTally(tuple(sorted({*self.validators, recipient})), votes)
        votes = tuple(vote for vote in votes if vote[0] != recipient)
        return VoteTally(tuple(validator for validator in self.validators if validator != recipient), votes)
