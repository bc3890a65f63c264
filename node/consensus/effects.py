"""What the consensus core asks for: the outputs of ``qbft.step``, to be performed one after the other, in order.

The order is the safety contract. Whoever performs them never reorders, skips or repeats one, and stops the node when
one fails for a reason of its own (disk, key): a later effect may rest on an earlier one.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from cocket.node.chain.block import Block
from cocket.node.chain.header import Header
from cocket.node.consensus.drafts import Draft, PreparedCertificate
from cocket.node.consensus.messages import Code, Message


class Timer(Enum):
    """The four clocks of a validator; starting one replaces it, and one that fires for what is past is ignored."""

    BLOCK = "block"
    ROUND = "round"
    RESEND = "resend"
    EARLY = "early"


@dataclass(frozen=True, slots=True)
class StartBlockTimer:
    """Give BlockTimeout(height) at wall time ``at_s`` (seconds since 1970), at once when that is past."""

    height: int
    at_s: int


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Give the timer's event after ``after_ms`` of monotonic time."""

    timer: Timer
    height: int
    round: int
    after_ms: int


@dataclass(frozen=True, slots=True)
class Sign:
    """Sign the drafts; make the certificate and the signed bytes durable together; send to all validators; hand back.

    Nothing of it may leave before everything of it is durable. Each message then comes back as MessageReceived with
    source None, in order and before any other event. A draft is asked for at most once per height, round and kind.
    """

    drafts: tuple[Draft, ...]
    certificate: PreparedCertificate | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Send the stored bytes of own messages once more, to one validator or to all."""

    messages: tuple[Message, ...]
    to: bytes | None = None


@dataclass(frozen=True, slots=True)
class Gossip:
    """Pass a message's raw bytes on to all connected validators but its author and ``source``; it comes once."""

    message: Message
    source: bytes | None


@dataclass(frozen=True, slots=True)
class BuildBlock:
    """Make an unsealed block on ``parent`` with ``round`` in its extraData, timestamp ``not_before_s`` or later.

    Answer with BlockBuilt, always, also after AbortExecution.
    """

    height: int
    round: int
    parent: Header = field(repr=False)
    not_before_s: int


@dataclass(frozen=True, slots=True)
class ValidateBlock:
    """Check an unsealed block wholly, seals apart: header rules, execution, roots.

    Answer with BlockValidated of this digest, always, also after AbortExecution.
    """

    height: int
    round: int
    digest: bytes
    block: Block = field(repr=False)


@dataclass(frozen=True, slots=True)
class AbortExecution:
    """Break off the build or check that runs; nobody waits for its result. It is still answered."""


@dataclass(frozen=True, slots=True)
class CommitBlock:
    """Store the sealed block as the new head, announce it, and answer with NewHead. It is final."""

    block: Block = field(repr=False)
    digest: bytes


@dataclass(frozen=True, slots=True)
class PeerAhead:
    """``source`` speaks of a later height, so it has block ``height`` or its author has: follow it."""

    source: bytes
    height: int


@dataclass(frozen=True, slots=True)
class PeerBehind:
    """``source`` sent its own message about a height that is final here: it lacks our head; announce that to it."""

    source: bytes
    height: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A well-formed message broke a rule of the present state and was dropped: for the log, nobody is to blame."""

    code: Code
    height: int
    round: int
    author: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Equivocation:
    """An author signed two different messages for one height, round and kind: to be kept as evidence, nothing more."""

    first: Message
    second: Message


Effect: TypeAlias = (
    StartBlockTimer
    | StartTimer
    | Sign
    | Send
    | Gossip
    | BuildBlock
    | ValidateBlock
    | AbortExecution
    | CommitBlock
    | PeerAhead
    | PeerBehind
    | Rejected
    | Equivocation
)


def rejected(message: Message, reason: str) -> Rejected:
    """Return the note that a message was dropped."""
    return Rejected(message.code, message.height, message.round, message.author, reason)
