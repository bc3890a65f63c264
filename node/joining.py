"""When a validator joins in: it opens no height, and leaves no round, that its peers show to be over.

Pure; time comes in as a number. It only ever makes a timer late, which the consensus core must bear anyway, so nothing
here touches safety. What it must not touch either is liveness, so every wait has an end:

- A valid sealed header of a height proves that a quorum decided it. While it is at hand its block is on the way; should
  nobody have the block after all, the height is taken part in when ``HOLD_MAX_S`` are over.
- What a peer merely claims counts only while we may well be behind: for ``LEARN_S`` after the start, and after each
  imported block that was old. A peer that claims much and serves nothing wins that much once, not at each height.
- As long as fewer peers are known than a quorum takes, no vote can be of use; the same end.

Nodes that start together tell each other the same head, and none waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

LEARN_S = 2.0
"""Time for sessions, Status and one answer, so that a node that was away hears how far the others are."""
HOLD_MAX_S = 5.0
"""At most so long at one height: as long as a peer has to answer a request for bodies."""
OLD_S = 10.0
"""A block made longer ago is caught up with: one that is being decided is younger."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a node sees of the others. ``claims`` are the heights that peers claim, ``unknown`` how many have not said.

    ``is_decided`` says that a sealed header of the height asked about is at hand, or its block stored already;
    ``needed`` how many others a quorum takes.
    """

    head: int
    claims: Sequence[int]
    unknown: int
    is_decided: bool
    needed: int


class Joining:
    """Says of a height whether it is too early to take part. One for a node's life."""

    def __init__(self, now_s: float) -> None:
        self._learning_until_s = now_s + LEARN_S
        self._height = 0
        self._hold_until_s = 0.0

    def upon_old_block(self, now_s: float) -> None:
        """An old block that a peer brought became the head."""
        self._learning_until_s = now_s + LEARN_S

    def is_early(self, height: int, outlook: Outlook, now_s: float) -> bool:
        """Say whether to wait, asked when a timer of this height is due; ask again shortly."""
        if height != self._height:
            self._height, self._hold_until_s = height, now_s + HOLD_MAX_S
        if outlook.is_decided:
            return now_s < self._hold_until_s
        is_outrun = any(claim > outlook.head for claim in outlook.claims)
        is_open = is_outrun or outlook.unknown > 0 or len(outlook.claims) < outlook.needed
        return now_s < self._learning_until_s and is_open


def is_old(age_s: float) -> bool:
    """Say whether a block made so long ago is one to catch up with."""
    return age_s > OLD_S
