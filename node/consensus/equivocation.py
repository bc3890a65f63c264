"""Two different messages of one author for one height, round and kind: what no honest validator signs.

Found among what is kept anyway, so an equivocator can fill nothing. It is reported as an effect and changes no state:
which of the two counts is decided by the ordinary rules (the first one kept stays).
"""

from collections.abc import Iterable

from cocket.node.consensus.effects import Equivocation
from cocket.node.consensus.messages import Commit, Message, Proposal


def contradicted(kept: Iterable[Message], message: Message) -> tuple[Equivocation, ...]:
    """Return the evidence that ``message`` makes with one of the messages kept; nothing when there is none."""
    for first in kept:
        if contradicts(first, message):
            return (Equivocation(first, message),)
    return ()


def contradicts(first: Message, second: Message) -> bool:
    """Say whether both are of one author, height, round and kind, and say different things.

    Other bytes alone are no contradiction: a signature may be made anew for the same words, and whoever passes a
    proposal on may give it another justification, which is not under its author's signature.
    """
    if first.code is not second.code or (first.height, first.round) != (second.height, second.round):
        return False
    if first.author != second.author:
        return False
    if isinstance(first, Proposal) and isinstance(second, Proposal):
        return first.digest != second.digest or first.block.transactions != second.block.transactions
    if isinstance(first, Commit) and isinstance(second, Commit):
        return first.digest != second.digest
    return first.signed.unsigned != second.signed.unsigned
