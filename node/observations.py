"""What a node has heard and seen of the others, as far as it helps to say what is wrong: bounded, and nothing else.

The shell, the validator and the peers tell it; ``examination`` reads it. It never judges, never looks at the chain, and
asks for the time only through the two clocks that it is given. Consensus depends on nothing here.

A validator's clock shows in the blocks that it proposes: in round 0 it proposes when its own clock has reached the
timestamp, so timestamp minus arrival is its clock minus ours, less the way and the time to build: about a second. A
proposal that was sent again after a reconnection would look late, so only the first copy counts, and only over a
session that stood before the proposal could have been made.
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cocket.node.chain.header import Header, round_of
from cocket.node.consensus.effects import Rejected
from cocket.node.consensus.messages import Code, Message, Proposal
from cocket.node.consensus.validators import proposer

SAMPLES_MAX: Final = 3
"""Proposals that a clock is judged by: the median of three bears one that was late."""
SAMPLE_AGREEMENT_MS: Final = 2_000
"""Two of them at least must be so near each other."""
MISFIT: Final = "status "
"""How the reason begins why a session ended with a node whose Status does not fit ours."""
MISFIT_KEPT_S: Final = 180.0
"""Such a node stays out for up to two minutes; that nobody gets through meanwhile says nothing new."""
SETTLED_S: Final = 5.0
"""A younger session may still bring a proposal that was made before it stood."""
KEPT_S: Final = 600.0
"""What is older says nothing of now."""
REJECTIONS_MAX: Final = 64
"""Kinds of rejection remembered, by author and reason: a few for each validator of a large network."""
REASON_CHARACTERS_MAX: Final = 300
"""A reason quotes what others sent, so it may not be of any length."""
LAST_MAX: Final = 8
"""Blocks refused and equivocations remembered: the last few tell as much as all."""

_VARIABLE: Final = re.compile(r"0x[0-9a-f]+|\d+")


@dataclass(slots=True)
class Voice:
    """What was heard of one validator, with times of the monotonic clock; ``trouble`` is why it has no session."""

    joined_s: float | None = None
    trouble: str | None = None
    misfit_s: float | None = None
    spoke_s: float | None = None
    voted_s: float | None = None
    agreed_s: float | None = None
    height: int = 0
    round: int = 0
    timed: int = 0
    samples: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES_MAX))
    missed_turns: int = 0

    def clock_ms(self, now_s: float) -> int | None:
        """Return how far its clock is ahead of ours, None when that cannot be told."""
        samples = sorted([offset for offset, at_s in self.samples if now_s - at_s < KEPT_S])
        if len(samples) < 2:
            return None
        median = samples[len(samples) // 2]
        near = [sample for sample in samples if abs(sample - median) <= SAMPLE_AGREEMENT_MS]
        return median if len(near) >= 2 else None


@dataclass(frozen=True, slots=True)
class Rejections:
    """Messages of one author dropped for one reason."""

    last: Rejected
    count: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """A sealed block that a peer brought and that was not taken."""

    height: int
    reason: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Where a validator signed two different messages of one kind. Not the messages: a proposal holds a whole block."""

    author: bytes
    code: Code
    height: int
    round: int
    at_s: float


class Observations:
    """The memory. ``validators`` of the open height are the only ones remembered by name."""

    def __init__(self, monotonic: Callable[[], float], wall_ms: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._wall_ms = wall_ms
        self._voices: dict[bytes, Voice] = {}
        self._rejections: dict[tuple[bytes, Code, str], Rejections] = {}
        self._parent: Header | None = None
        self._validators: tuple[bytes, ...] = ()
        self._refusals: deque[Refusal] = deque(maxlen=LAST_MAX)
        self._contradictions: deque[Contradiction] = deque(maxlen=LAST_MAX)
        self.started_s = monotonic()
        self.block_s = self.started_s
        self.round_s = self.started_s

    def now_s(self) -> float:
        """Return the monotonic time that the ages count from."""
        return self._monotonic()

    # -- what happens ------------------------------------------------------------------------------------------------

    def begin(self, head: Header, validators: Sequence[bytes]) -> None:
        """Start at a head: these validate the next height."""
        self._parent = head
        self._set_validators(validators)

    def joined(self, address: bytes) -> None:
        """A session with a validator's node stands."""
        voice = self._voices.get(address)
        if voice is not None:
            voice.joined_s, voice.trouble, voice.misfit_s = self._monotonic(), None, None
            voice.samples.clear()  # who comes back may have set its clock

    def parted(self, address: bytes, detail: str) -> None:
        """A session with a validator's node ended, or none came about, and why."""
        voice, now_s = self._voices.get(address), self._monotonic()
        if voice is None:
            return
        if detail.startswith(MISFIT):
            voice.misfit_s = now_s
        elif voice.misfit_s is not None and now_s - voice.misfit_s < MISFIT_KEPT_S:
            return
        voice.trouble = detail[:REASON_CHARACTERS_MAX]

    def heard(self, source: bytes, message: Message | None) -> None:
        """A validator's node handed over a consensus message; None is one that had been passed on before."""
        now_s = self._monotonic()
        carrier = self._voices.get(source)
        if carrier is not None:
            carrier.spoke_s = now_s
        author = None if message is None else self._voices.get(message.author)
        if message is None or author is None or message.height < self._height - 1:
            return  # late votes for the last block are usual; what was said of older ones anybody can say again
        author.voted_s = now_s
        author.height, author.round = message.height, message.round
        if message.code is not Code.ROUND_CHANGE:
            author.agreed_s = now_s
        if isinstance(message, Proposal) and message.round == 0 and carrier is not None:
            self._time(author, message.height, message.block.header.timestamp, carrier.joined_s)

    def entered(self) -> None:
        """Our validator is in another round now, or its round has opened."""
        self.round_s = self._monotonic()

    def rejected(self, note: Rejected) -> None:
        """A consensus message was dropped by a rule of the present state."""
        author = note.author if note.author in self._voices else b""  # strangers share one place
        note = replace(note, reason=note.reason[:REASON_CHARACTERS_MAX])
        name = (author, note.code, _VARIABLE.sub("#", note.reason))
        before = self._rejections.pop(name, None)
        if len(self._rejections) >= REJECTIONS_MAX:
            del self._rejections[next(iter(self._rejections))]
        count = 1 if before is None else before.count + 1
        self._rejections[name] = Rejections(note, count, self._monotonic())

    def head(self, header: Header, validators: Sequence[bytes] | None, *, is_level: bool) -> None:
        """A block is the head; ``is_level`` says that it came as it was made, not while we caught up.

        ``validators`` are those of the next height, None when the contract does not say.
        """
        self.block_s = self._monotonic()
        parent, self._parent = self._parent, header
        if is_level and parent is not None and header.number == parent.number + 1:
            self._take_turns(parent, header)
        if validators is not None:
            self._set_validators(validators)
        # What was rejected of one that has made a block since is over.
        self._rejections = {name: kept for name, kept in self._rejections.items() if name[0] != header.coinbase}

    def refused(self, height: int, reason: str) -> None:
        """A sealed block that a peer brought was not taken."""
        self._refusals.append(Refusal(height, reason[:REASON_CHARACTERS_MAX], self._monotonic()))

    def equivocated(self, message: Message) -> None:
        """A validator signed another message than this for the same height, round and kind."""
        self._contradictions.append(
            Contradiction(message.author, message.code, message.height, message.round, self._monotonic())
        )

    # -- what is known -----------------------------------------------------------------------------------------------

    def voice(self, address: bytes) -> Voice:
        """Return what was heard of a validator."""
        return self._voices.get(address) or Voice()

    def rejections(self) -> tuple[Rejections, ...]:
        """Return what was dropped lately, the newest last."""
        return tuple([kept for kept in self._rejections.values() if self._is_recent(kept.at_s)])

    def refusals(self) -> tuple[Refusal, ...]:
        """Return which sealed blocks were not taken lately, the newest last."""
        return tuple([kept for kept in self._refusals if self._is_recent(kept.at_s)])

    def contradictions(self) -> tuple[Contradiction, ...]:
        """Return who lately signed two things, the newest last; the evidence book has them all."""
        return tuple([kept for kept in self._contradictions if self._is_recent(kept.at_s)])

    # -- inside ------------------------------------------------------------------------------------------------------

    @property
    def _height(self) -> int:
        return 0 if self._parent is None else self._parent.number + 1

    def _is_recent(self, at_s: float) -> bool:
        return self._monotonic() - at_s <= KEPT_S

    def _set_validators(self, validators: Sequence[bytes]) -> None:
        if tuple(validators) != self._validators:
            self._validators = tuple(validators)
            self._voices = {address: self._voices.get(address) or Voice() for address in validators}

    def _take_turns(self, parent: Header, header: Header) -> None:
        """Note who made a block and whose turns passed before; and, of a block of round 0, its proposer's clock."""
        round_number, count = round_of(header), len(self._validators)
        for turn in range(max(0, round_number - count), round_number) if count else ():
            voice = self._voices.get(proposer(self._validators, parent.coinbase, turn))
            if voice is not None:
                voice.missed_turns += 1
        maker = self._voices.get(header.coinbase)
        if maker is not None:
            maker.missed_turns = 0
            if round_number == 0:
                self._time(maker, header.number, header.timestamp, self.started_s)

    def _time(self, voice: Voice, height: int, timestamp: int, joined_s: float | None) -> None:
        if height <= voice.timed or height > self._height + 1:
            return  # a copy; or a height that nobody can propose yet
        voice.timed = height
        now_s = self._monotonic()
        if joined_s is not None and now_s - joined_s > SETTLED_S:
            voice.samples.append((timestamp * 1000 - self._wall_ms(), now_s))
