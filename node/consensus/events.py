"""What can happen to a validator, as the consensus core sees it: the inputs of ``qbft.step``.

Frozen facts; whoever makes them has looked at the clock, so the core need not. ``now_ms`` is wall time, milliseconds
since 1970. A timer event names the height and round that it was started for, an answer those that it was asked for:
what comes late says so itself and is ignored.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from cocket.node.chain.block import Block
from cocket.node.chain.header import Header
from cocket.node.consensus.messages import Message


@dataclass(frozen=True, slots=True)
class BlockTimeout:
    """The parent's timestamp plus the block period has come: the height opens. (UponBlockTimeout)"""

    height: int


@dataclass(frozen=True, slots=True)
class RoundTimeout:
    """The round lasted its time without a final block. (UponRoundTimeout)"""

    height: int
    round: int


@dataclass(frozen=True, slots=True)
class ResendTimeout:
    """Another base timeout of an open height went by: say again what was said."""

    height: int


@dataclass(frozen=True, slots=True)
class EarlyTimeout:
    """A proposal whose timestamp was ahead of the clock is due."""

    height: int
    round: int


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A well-formed message: a peer's, or our own once it is signed and durable (then ``source`` is None).

    ``source`` is the address of the peer that handed it over; the author may be another.
    """

    message: Message
    source: bytes | None
    now_ms: int


@dataclass(frozen=True, slots=True)
class BlockBuilt:
    """The answer to BuildBlock: an unsealed block of that height and round, or None when none could be made."""

    height: int
    round: int
    block: Block | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class BlockValidated:
    """The answer to ValidateBlock: valid, not valid and why, or None when the check was broken off."""

    height: int
    round: int
    digest: bytes
    is_valid: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NewHead:
    """A sealed block is stored as the head, by our commit or by import. (UponNewBlock)

    ``validators`` are those of the next height, ascending.
    """

    header: Header
    validators: tuple[bytes, ...]
    now_ms: int


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """A session with the validator ``address`` came up."""

    address: bytes


@dataclass(frozen=True, slots=True)
class PeerDisconnected:
    """The session with the validator ``address`` is gone."""

    address: bytes


Event: TypeAlias = (
    BlockTimeout
    | RoundTimeout
    | ResendTimeout
    | EarlyTimeout
    | MessageReceived
    | BlockBuilt
    | BlockValidated
    | NewHead
    | PeerConnected
    | PeerDisconnected
)
