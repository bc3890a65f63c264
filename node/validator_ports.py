"""What a validator asks of the machine around it, one small protocol each, and what it says of itself.

The service gives the real ones, the simulator its own; how they are to behave is said at each method and in
``validator``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cocket.node.chain.block import Block
from cocket.node.chain.header import Header
from cocket.node.consensus.effects import Rejected, Timer
from cocket.node.consensus.messages import Message


class Clock(Protocol):
    """Wall time."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        ...


class Journal(Protocol):
    """The signing journal (``node.store.journal.SigningJournal``)."""

    @property
    def height(self) -> int | None:
        """The height started last."""
        ...

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        ...

    def records(self) -> tuple[bytes, ...]:
        """Return the records of that height, oldest first."""
        ...

    def append_all(self, records: Sequence[bytes]) -> None:
        """Make records durable, with one fsync, before returning."""
        ...

    def start_height(self, height: int, sync: bool = False) -> None:
        """Begin a height; with ``sync`` durable on return, else with the next append."""
        ...

    def sync(self) -> None:
        """Make what was begun without ``sync`` durable on return."""
        ...

    def replace(self, height: int, *records: bytes) -> None:
        """Put these records in place of everything, durably."""
        ...

    def must_watch(self, head_number: int) -> bool:
        """Say whether the journal cannot know what was signed after the block ``head_number``."""
        ...


class Transport(Protocol):
    """Sends to one peer; never raises: what cannot be sent is dropped, for it is sent again."""

    def send(self, address: bytes, code: int, payload: bytes) -> None:
        """Send one istanbul message to the peer of this address."""
        ...


class Timers(Protocol):
    """One timer of each kind; starting one replaces the one of its kind."""

    def start_block_timer(self, height: int, at_s: int) -> None:
        """Call ``on_timer(Timer.BLOCK, height, 0)`` at this wall time, or at once."""
        ...

    def start_timer(self, timer: Timer, height: int, round_number: int, after_ms: int) -> None:
        """Call ``on_timer(timer, height, round_number)`` after this much monotonic time."""
        ...


class Executor(Protocol):
    """Builds and checks blocks, one at a time; each call is answered once by on_built or on_validated."""

    def build(self, height: int, round_number: int, parent: Header, not_before_s: int) -> None:
        """Build an unsealed block on ``parent`` naming this round, our address as coinbase."""
        ...

    def validate(self, height: int, round_number: int, digest: bytes, block: Block) -> None:
        """Check an unsealed block: everything but the seals."""
        ...

    def abort(self) -> None:
        """Break off what runs, soon."""
        ...


class Chain(Protocol):
    """Where final blocks go."""

    def commit(self, block: Block) -> None:
        """Store a sealed block as the head; ends in on_new_head."""
        ...

    def sync(self) -> None:
        """Make every block stored so far durable before returning; nothing when they are."""
        ...


class Observer(Protocol):
    """Who wants to know; the log, and whoever keeps peers level."""

    def peer_ahead(self, address: bytes, height: int) -> None:
        """Say that a peer speaks as if it had the block of this height."""
        ...

    def peer_behind(self, address: bytes, height: int) -> None:
        """Say that a peer still votes on a height that is final here."""
        ...

    def rejected(self, note: Rejected) -> None:
        """Say that a message was dropped, and why."""
        ...

    def equivocated(self, first: Message, second: Message) -> None:
        """Say that somebody signed two different messages for one height, round and kind; may be said again."""
        ...


@dataclass(frozen=True, slots=True)
class Status:
    """What a validator is doing, for people: ``proposer`` is whose turn it is, ``peers`` the connected validators."""

    height: int
    round: int
    is_validator: bool
    is_watching: bool
    is_open: bool
    is_prepared: bool
    proposer: bytes | None
    validators: int
    peers: int
