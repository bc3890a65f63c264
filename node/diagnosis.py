"""What one node knows of why blocks come or do not: plain data that ``cocket_diagnosis`` gives and ``judgement`` reads.

It judges nothing and computes nothing. Ages are seconds by the monotonic clock, so a wrong wall clock falsifies none of
them; ``None`` says that the node cannot know. Every list is bounded by the validators of the head or by the bounds of
``observations``.
"""

import msgspec


class Vote(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A consensus message of a validator that counts at the open height; ``digest`` is the block's, if it names one."""

    kind: str
    round: int
    digest: str | None = None


class ValidatorView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One validator of the open height, as this node sees it.

    ``spoke_s`` is the age of the last consensus message that its own node handed over, whoever wrote it; ``voted_s`` of
    the last that it wrote itself, by whatever way; ``agreed_s`` of the last of these that agreed to a block (proposal,
    prepare, commit). ``claimed_height`` is the greatest height that it has told of.
    ``clock_ms`` is how far its clock is ahead of this node's (behind: negative), to about a second. ``missed_turns``
    counts its turns to propose without a block since its last block. ``trouble`` says why there is no session.
    """

    address: str
    country: str = ""
    is_self: bool = False
    is_connected: bool = False
    connected_s: float | None = None
    claimed_height: int | None = None
    trouble: str | None = None
    spoke_s: float | None = None
    voted_s: float | None = None
    agreed_s: float | None = None
    round: int | None = None
    votes: tuple[Vote, ...] = ()
    clock_ms: int | None = None
    missed_turns: int = 0

    @property
    def name(self) -> str:
        """What people call it."""
        return self.country or self.address


class RoundView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The height being decided. ``since_s`` is None while it waits for the block period; ``timeout_s`` its length."""

    height: int
    round: int
    since_s: float | None
    timeout_s: float
    proposer: str
    has_proposal: bool
    prepares: int
    commits: int


class Rejection(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Consensus messages of one author that this node dropped for one reason: the last one's words and age."""

    author: str
    country: str
    kind: str
    reason: str
    count: int
    last_s: float

    @property
    def name(self) -> str:
        """What people call the author."""
        return self.country or self.author


class RefusedBlock(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A sealed block that this node did not take from a peer."""

    height: int
    reason: str


class Equivocation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Two different messages that one validator signed for one height, round and kind, seen lately."""

    author: str
    country: str
    kind: str
    height: int
    round: int

    @property
    def name(self) -> str:
        """What people call the author."""
        return self.country or self.author


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All of it. ``syncing_to`` is the height that a node that catches up wants to reach, None when it is level."""

    name: str
    now_ms: int
    up_s: float
    genesis_hash: str
    height: int
    head_timestamp: int
    since_block_s: float
    block_period_s: int
    request_timeout_s: int
    address: str | None = None
    country: str = ""
    is_validator: bool = False
    is_watching: bool = False
    round: RoundView | None = None
    validators: tuple[ValidatorView, ...] = ()
    validators_trouble: str | None = None
    peers: int = 0
    syncing_to: int | None = None
    rejections: tuple[Rejection, ...] = ()
    refused_blocks: tuple[RefusedBlock, ...] = ()
    equivocations: tuple[Equivocation, ...] = ()
    free_bytes: int | None = None

    @property
    def who(self) -> str:
        """What people call this node; a validator is called as the others call it."""
        return self.country or (self.address if self.is_validator else None) or self.name or "this node"

    @property
    def patience_s(self) -> float:
        """How long a block, or a validator's word, may be away before it is missed."""
        return patience_s(self.block_period_s, self.request_timeout_s)


def patience_s(block_period_s: int, request_timeout_s: int) -> float:
    """Return how long a block may be away: a missing proposer costs one round, a second one is worth a word.

    >>> patience_s(1, 2)
    5.0
    """
    return 2.0 * request_timeout_s + block_period_s
