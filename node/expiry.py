"""What ends soon, as the ledger has it: mandates of participants and their seal certificates, six weeks ahead.

Read from the state of the head, slot by slot, without the engine; a bounded number of participants at a time, so that a
long list is gone through in several looks and none of them takes long.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cocket.contracts import participants
from cocket.contracts.participants import MandateStatus
from cocket.node.chain.header import Header

AHEAD_S = 42 * 86400
"""Long enough to get a certificate renewed and accredited."""
BEHIND_S = 7 * 86400
"""What is over goes on to be told for a week."""
LOOKED_AT_MAX = 2048
"""Participants a look: three slots each, some 20 ms."""
PAUSE_S = 60


@dataclass(frozen=True, slots=True)
class Expiring:
    """One thing that ends: a ``mandate`` or a ``seal certificate`` of a participant, and when (Unix seconds)."""

    what: str
    participant: int
    authority: int
    expires_s: int


class ExpiryWatch:
    """Looks through the participants of a chain, again and again."""

    def __init__(self, state: Callable[[], tuple[Header, Callable[[bytes, int], int]]]) -> None:
        """Take what gives the head and its storage: the value at (address, slot)."""
        self._state = state
        self._found: dict[int, tuple[Expiring, ...]] = {}
        self._next = 1
        self._is_through = False
        self._looked_s = 0

    def expiring(self) -> tuple[Expiring, ...]:
        """Return what ends within six weeks of the head's time or is over for up to one, the next first."""
        head, storage = self._state()
        if not self._is_through or abs(head.timestamp - self._looked_s) >= PAUSE_S:
            self._look(storage)
            self._looked_s = head.timestamp
        soon = range(head.timestamp - BEHIND_S, head.timestamp + AHEAD_S + 1)
        found = [each for several in self._found.values() for each in several if each.expires_s in soon]
        return tuple(sorted(found, key=lambda each: (each.expires_s, each.participant, each.what)))

    def _look(self, storage: Callable[[bytes, int], int]) -> None:
        count = storage(participants.ADDRESS, participants.count_slot())
        end = min(self._next + LOOKED_AT_MAX, count + 1)
        for number in range(self._next, end):
            found = _ends_of(number, storage)
            if found:
                self._found[number] = found
            else:
                self._found.pop(number, None)
        self._is_through = self._is_through or end > count
        self._next = 1 if end > count else end


def _ends_of(number: int, storage: Callable[[bytes, int], int]) -> tuple[Expiring, ...]:
    """Return when the mandate of a participant and its seal end; nothing of one whose mandate was ended."""
    mandate = participants.decode_mandate_word(storage(participants.ADDRESS, participants.mandate_slot(number)))
    if mandate.status not in (MandateStatus.ACTIVE, MandateStatus.SUSPENDED):
        return ()
    ends = [Expiring("mandate", number, mandate.authority, mandate.valid_to)]
    binding = storage(participants.ADDRESS, participants.seal_slot(number))
    if binding:
        slot = participants.seal_span_slot(number, binding.to_bytes(32))
        span = participants.decode_seal_span(storage(participants.ADDRESS, slot))
        ends.append(Expiring("seal certificate", number, mandate.authority, span.expires))
    return tuple(ends)
