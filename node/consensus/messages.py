"""The four QBFT messages: what they say and who signed them.

It knows neither bytes (see ``wire``) nor rules: a message is well-formed, and its author is whoever its signature
recovered to.

    Signed       payload and signature; nested in justifications, where the author is recovered only when asked
    Message      Proposal | Prepare | Commit | RoundChange: outer author recovered, raw bytes kept to be passed on

Names as in the QBFT formal specification (``UnsignedPrepare``, ``SignedPrepare``, ``Prepare``, ...).
"""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Generic, TypeAlias, TypeVar

from cocket.node.chain.block import Block


class Code(IntEnum):
    """A message's number within istanbul/100; it is under the signature too."""

    PROPOSAL = 0x12
    PREPARE = 0x13
    COMMIT = 0x14
    ROUND_CHANGE = 0x15


class Shape(Enum):
    """Which of the two encodings on the wire: with Besu's slot for a block access list, or without."""

    CURRENT = "current"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class UnsignedProposal:
    """A block proposed for a round; the block is unsealed and names the same round. ``digest`` is its commit hash."""

    height: int
    round: int
    block: Block
    digest: bytes
    shape: Shape = Shape.CURRENT


@dataclass(frozen=True, slots=True)
class UnsignedPrepare:
    """The author found the round's proposal valid; ``digest`` is its block's commit hash."""

    height: int
    round: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class UnsignedCommit:
    """The author saw a quorum prepare; ``commit_seal`` is its signature over ``digest``, for the header."""

    height: int
    round: int
    digest: bytes
    commit_seal: bytes


@dataclass(frozen=True, slots=True)
class UnsignedRoundChange:
    """The author left for ``round``; both ``prepared_`` fields are None unless it had prepared a block before."""

    height: int
    round: int
    prepared_round: int | None = None
    prepared_digest: bytes | None = None


Payload: TypeAlias = UnsignedProposal | UnsignedPrepare | UnsignedCommit | UnsignedRoundChange
P_co = TypeVar("P_co", bound=Payload, covariant=True)


@dataclass(frozen=True, slots=True)
class Signed(Generic[P_co]):
    """A payload and the 65-byte signature over it."""

    unsigned: P_co
    signature: bytes


SignedProposal: TypeAlias = Signed[UnsignedProposal]
SignedPrepare: TypeAlias = Signed[UnsignedPrepare]
SignedCommit: TypeAlias = Signed[UnsignedCommit]
SignedRoundChange: TypeAlias = Signed[UnsignedRoundChange]


@dataclass(frozen=True, slots=True)
class _Message(Generic[P_co]):
    signed: Signed[P_co]
    author: bytes
    raw: bytes = field(repr=False)

    @property
    def height(self) -> int:
        """The height that the message is about."""
        return self.signed.unsigned.height

    @property
    def round(self) -> int:
        """The round that the message is about; of a RoundChange the one to go to."""
        return self.signed.unsigned.round


@dataclass(frozen=True, slots=True)
class Proposal(_Message[UnsignedProposal]):
    """A signed proposal with the RoundChanges and Prepares that justify it (none in round 0)."""

    round_changes: tuple[SignedRoundChange, ...] = ()
    prepares: tuple[SignedPrepare, ...] = ()

    @property
    def code(self) -> Code:
        """PROPOSAL."""
        return Code.PROPOSAL

    @property
    def block(self) -> Block:
        """The proposed block, unsealed."""
        return self.signed.unsigned.block

    @property
    def digest(self) -> bytes:
        """The proposed block's commit hash."""
        return self.signed.unsigned.digest


@dataclass(frozen=True, slots=True)
class Prepare(_Message[UnsignedPrepare]):
    """A signed Prepare."""

    @property
    def code(self) -> Code:
        """PREPARE."""
        return Code.PREPARE

    @property
    def digest(self) -> bytes:
        """The commit hash of the block that was found valid."""
        return self.signed.unsigned.digest


@dataclass(frozen=True, slots=True)
class Commit(_Message[UnsignedCommit]):
    """A signed Commit; whether its seal is the author's is a rule of its own (``justification.commit_fault``)."""

    @property
    def code(self) -> Code:
        """COMMIT."""
        return Code.COMMIT

    @property
    def digest(self) -> bytes:
        """The commit hash that the seal is over."""
        return self.signed.unsigned.digest

    @property
    def commit_seal(self) -> bytes:
        """The author's seal for the header."""
        return self.signed.unsigned.commit_seal


@dataclass(frozen=True, slots=True)
class RoundChange(_Message[UnsignedRoundChange]):
    """A signed RoundChange with the block that its author had prepared, if any, and the Prepares for it."""

    block: Block | None = field(default=None, repr=False)
    block_digest: bytes | None = None
    prepares: tuple[SignedPrepare, ...] = ()

    @property
    def code(self) -> Code:
        """ROUND_CHANGE."""
        return Code.ROUND_CHANGE


Message: TypeAlias = Proposal | Prepare | Commit | RoundChange
