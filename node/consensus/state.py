"""What a validator knows at one height: the state that ``qbft.step`` takes and gives.

Frozen, and tuples throughout: iteration order never depends on hashing, so the same events give the same effects in
every process. Every tuple has a bound beside it. It holds no rule besides plain questions about itself; the names are
those of the QBFT formal specification's ``NodeState`` where that has one.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from cocket.node.chain.block import Block
from cocket.node.chain.header import Header, block_hash
from cocket.node.consensus.drafts import PreparedCertificate
from cocket.node.consensus.messages import Code, Commit, Message, Prepare, Proposal, RoundChange
from cocket.node.consensus.validators import is_validator, proposer

VERDICTS_MAX: Final = 8
"""Blocks whose check is remembered at one height: one per recent round, and blocks are large."""

TIMEOUT_DOUBLINGS_MAX: Final = 32
"""Beyond this any base timeout is past any ceiling; keeps the shift small in the millionth round."""


@dataclass(frozen=True, slots=True)
class Times:
    """The network's times at a height: between blocks, and the base and ceiling of the round timeout."""

    block_period_s: int
    request_timeout_ms: int
    request_timeout_max_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class Configuration:
    """What never changes while the node runs: whose state this is, and the network's times.

    ``later`` holds heights with the times from there on, ascending.
    """

    address: bytes
    times: Times
    later: tuple[tuple[int, Times], ...] = ()

    def times_at(self, height: int) -> Times:
        """Return the times of a height: of its block, and of the rounds that decide it."""
        for begin, times in reversed(self.later):
            if height >= begin:
                return times
        return self.times


@dataclass(frozen=True, slots=True)
class Watch:
    """Sign nothing: until a head of at least ``height`` whose timestamp is past ``time_s`` (seconds since 1970).

    Where the journal cannot say what was signed before, only a block that was proposed after the start shows that the
    heights signed for are over.
    """

    height: int
    time_s: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """The proposal accepted in the current round (``proposalAcceptedForCurrentRound``)."""

    round: int
    digest: bytes
    block: Block = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a block of this height is valid, found by execution; ``name`` covers header (round apart) and body."""

    name: "BlockName"
    is_valid: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BlockName:
    """What makes two proposed blocks the same one: the block hash alone would let a false body borrow a verdict."""

    block_hash: bytes
    transactions: tuple[bytes, ...] = field(repr=False)
    has_withdrawals: bool


class ExecutionKind(Enum):
    """What runs: making a block or checking one."""

    BUILD = "build"
    VALIDATE = "validate"


@dataclass(frozen=True, slots=True)
class Execution:
    """The one execution that runs; it is over when it is answered, also if nobody waits for it any more."""

    kind: ExecutionKind
    height: int
    round: int
    digest: bytes = b""
    name: BlockName | None = None
    is_aborted: bool = False


@dataclass(frozen=True, slots=True)
class SignedVote:
    """A kind of message signed for a round of this height: never again, and never another digest."""

    code: Code
    round: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Restored:
    """What the journal says of the open height."""

    round: int = 0
    own: tuple[Message, ...] = ()
    signed: tuple[SignedVote, ...] = ()
    prepared: PreparedCertificate | None = None


@dataclass(frozen=True, slots=True)
class FutureMessage:
    """A message for a height to come, and who handed it over."""

    message: Message
    source: bytes | None


@dataclass(frozen=True, slots=True)
class State:
    """A validator at the height after ``parent``.

    ``rounds_entered`` counts the rounds entered at this height since it began or the process started: the round
    timeout doubles with it. ``is_quorate`` says that a quorum is known to have come to this round (to round 0 all
    come), ``is_open`` that the block timer is over.
    ``proposal`` is the justified proposal for ``round`` whose block is not known to be valid yet, ``heard`` the first
    one taken in the latest round, to hold a second one of its author against; ``built`` the block made for our own.
    ``prepares``, ``commits`` and ``round_changes`` hold at most two or three messages of each validator (see
    ``inbox``), ``future`` is bounded by author and in all (see ``future``), ``signed`` grows by at most four a round,
    ``own`` holds the latest of each kind.
    """

    configuration: Configuration
    parent: Header = field(repr=False)
    parent_hash: bytes
    validators: tuple[bytes, ...]
    watch: Watch | None = None
    peers: tuple[bytes, ...] = ()
    round: int = 0
    rounds_entered: int = 0
    is_quorate: bool = True
    is_open: bool = False
    proposal: Proposal | None = None
    heard: Proposal | None = None
    is_due: bool = True
    accepted: Accepted | None = None
    prepared: PreparedCertificate | None = None
    committing: bytes | None = None
    built: Block | None = None
    unbuilt_round: int | None = None
    signed: tuple[SignedVote, ...] = ()
    own: tuple[Message, ...] = ()
    prepares: tuple[Prepare, ...] = ()
    commits: tuple[Commit, ...] = ()
    round_changes: tuple[RoundChange, ...] = ()
    future: tuple[FutureMessage, ...] = ()
    execution: Execution | None = None
    verdicts: tuple[Verdict, ...] = ()

    @property
    def height(self) -> int:
        """The height that is being decided."""
        return self.parent.number + 1

    @property
    def address(self) -> bytes:
        """Who we are."""
        return self.configuration.address

    @property
    def times(self) -> Times:
        """The times of this height."""
        return self.configuration.times_at(self.height)

    def is_validator(self, address: bytes) -> bool:
        """Say whether ``address`` validates this height."""
        return is_validator(self.validators, address)

    @property
    def may_sign(self) -> bool:
        """Say whether we validate this height and may speak."""
        return self.watch is None and self.is_validator(self.address)

    def proposer_of(self, round_number: int) -> bytes:
        """Return whose turn it is in a round of this height."""
        return proposer(self.validators, self.parent.coinbase, round_number)

    def signed_vote(self, code: Code, round_number: int) -> SignedVote | None:
        """Return what we signed of a kind in a round, if anything."""
        for vote in self.signed:
            if vote.code is code and vote.round == round_number:
                return vote
        return None

    def verdict_on(self, block: Block) -> Verdict | None:
        """Return what is known of a block, whatever round its header names."""
        if not self.verdicts:
            return None
        name = name_of(block)
        for verdict in self.verdicts:
            if verdict.name == name:
                return verdict
        return None

    @property
    def round_timeout_ms(self) -> int:
        """How long the current round lasts: the base, doubled with each round entered, up to the ceiling."""
        times = self.times
        doubled = times.request_timeout_ms << min(self.rounds_entered, TIMEOUT_DOUBLINGS_MAX)
        return min(doubled, max(times.request_timeout_max_ms, times.request_timeout_ms))


def name_of(block: Block) -> BlockName:
    """Return a proposed block's name."""
    return BlockName(block_hash(block.header), block.transactions, block.has_withdrawals)
