"""Which votes are kept, and how many: the bounded form of the specification's ``messagesReceived``.

Of each validator and kind: one vote for the current round, one for the highest later round it spoke of, and of Commits
one for the round that we prepared in, since a quorum of those is final whatever round we are in. So what one
validator sends can only push out its own. The first vote of a round stays; a second one is never taken.
"""

from collections.abc import Sequence
from typing import TypeVar

from cocket.node.consensus.messages import Commit, Message, Prepare, RoundChange
from cocket.node.consensus.state import FutureMessage

FUTURE_HEIGHTS_MAX = 10
"""How far ahead a message may be, as Besu's ``futuremessagesmaxdistance``; beyond it a node follows by blocks."""
FUTURE_MESSAGES_MAX = 1024
FUTURE_BYTES_MAX = 64 * 1024 * 1024
"""In all, as Besu since 26.7.1."""
FUTURE_AUTHOR_MESSAGES_MAX = 48
"""Of one author: ten heights of proposal, prepare, commit and round change, and a few rounds more."""
FUTURE_AUTHOR_BYTES_MAX = 12 * 1024 * 1024
"""Of one author: one message of the largest size, and some."""

V = TypeVar("V", bound=Prepare | Commit | RoundChange)
D = TypeVar("D", Prepare, Commit)


def keep_vote(
    votes: tuple[V, ...], vote: V, current_round: int, prepared_round: int | None = None
) -> tuple[V, ...] | None:
    """Return the votes with ``vote`` among them, or None when there is no place for it."""
    round_number = vote.round
    if round_number < current_round and round_number != prepared_round:
        return None
    pushed_out: V | None = None
    for kept in votes:
        if kept.author != vote.author:
            continue
        if kept.round == round_number:
            return None
        if kept.round > current_round and round_number > current_round:
            if kept.round > round_number:
                return None
            pushed_out = kept
    if pushed_out is not None:
        votes = tuple([kept for kept in votes if kept is not pushed_out])
    return (*votes, vote)


def prune_votes(votes: tuple[V, ...], current_round: int, prepared_round: int | None = None) -> tuple[V, ...]:
    """Return the votes that still count in ``current_round``."""
    return tuple([vote for vote in votes if vote.round >= current_round or vote.round == prepared_round])


def votes_for(votes: Sequence[D], round_number: int, digest: bytes) -> tuple[D, ...]:
    """Return the Prepares or Commits of a round for one digest; at most one of each validator."""
    return tuple([vote for vote in votes if vote.round == round_number and vote.digest == digest])


def keep_future(
    future: tuple[FutureMessage, ...], message: Message, source: bytes | None, head: int
) -> tuple[FutureMessage, ...] | None:
    """Return the waiting messages with ``message`` among them, or None when it is known, too far or there is no room.

    When its author's share is full, the author's farthest message makes room for a nearer one.
    """
    if message.height > head + FUTURE_HEIGHTS_MAX:
        return None
    author_count = author_bytes = total_bytes = 0
    farthest: FutureMessage | None = None
    for kept in future:
        size = len(kept.message.raw)
        total_bytes += size
        if kept.message.author != message.author:
            continue
        if _slot(kept.message) == _slot(message):
            return None
        author_count += 1
        author_bytes += size
        if farthest is None or kept.message.height >= farthest.message.height:
            farthest = kept
    new = FutureMessage(message, source)
    size = len(message.raw)
    if farthest is not None and (
        author_count >= FUTURE_AUTHOR_MESSAGES_MAX or author_bytes + size > FUTURE_AUTHOR_BYTES_MAX
    ):
        if farthest.message.height <= message.height:
            return None
        gone = farthest
        future = tuple([kept for kept in future if kept is not gone])
        return keep_future(future, message, source, head)
    if len(future) >= FUTURE_MESSAGES_MAX or total_bytes + size > FUTURE_BYTES_MAX:
        return None
    return (*future, new)


def _slot(message: Message) -> tuple[int, int, int]:
    return message.height, message.round, message.code
