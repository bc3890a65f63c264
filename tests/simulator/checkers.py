"""What must hold whatever happens, checked apart from the scenarios that make it happen.

``SafetyChecker`` sees blocks, ``SignatureChecker`` and ``ConductChecker`` see every word of the honest,
``BoundsChecker`` sees how much they keep. None uses a rule of the core: quorums, proposers and certificates are the
oracle's.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from simulator.chains import ValidatorsAt
from simulator.oracle import fault_of, proposal_fault, quorum_of
from simulator.words import decode

from cocket.node.chain.block import Block
from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import Header, block_hash, commit_hash
from cocket.node.consensus.messages import (
    Code,
    Commit,
    Message,
    Prepare,
    Proposal,
    RoundChange,
    UnsignedRoundChange,
)
from cocket.node.consensus.seals import recover_seal
from cocket.node.consensus.state import State


class Violation(AssertionError):
    """A property that must hold does not."""


class SafetyChecker:
    """Sees each block that a machine stores: one block a height, sealed by a quorum of distinct validators."""

    def __init__(self, validators_at: ValidatorsAt) -> None:
        self._validators_at = validators_at
        self._final: dict[int, bytes] = {}
        self._sealed: dict[bytes, None] = {}

    @property
    def heights(self) -> int:
        return max(self._final, default=0)

    def final_at(self, height: int) -> bytes | None:
        return self._final.get(height)

    def on_stored(self, machine: str, block: Block) -> None:
        header = block.header
        name = block_hash(header)
        known = self._final.setdefault(header.number, name)
        if known != name:
            raise Violation(f"{machine}: block {header.number} is {name.hex()}, elsewhere {known.hex()}")
        sealed = name + header.extra_data
        if sealed not in self._sealed:
            self._sealed[sealed] = None
            self._check_seals(machine, block)

    def _check_seals(self, machine: str, block: Block) -> None:
        validators = self._validators_at(block.header.number)
        digest = commit_hash(block.header)
        authors = {recover_seal(digest, seal) for seal in decode_extra_data(block.header.extra_data).seals}
        if not authors <= set(validators) or len(authors) < quorum_of(len(validators)):
            raise Violation(f"{machine}: block {block.header.number} is sealed by {len(authors)} of {len(validators)}")


class SignatureChecker:
    """Sees what each author makes durable and sends: one message per height, round and kind, also across restarts.

    And no vote for a round that its author has already left by a RoundChange.
    """

    def __init__(self) -> None:
        self._sent: dict[tuple[bytes, int, int, Code], bytes] = {}
        self._known: dict[bytes, None] = {}
        self._left: dict[tuple[bytes, int], int] = {}
        self.round_max = 0

    def on_sent(self, machine: str, address: bytes, code: int, payload: bytes) -> None:
        if payload in self._known:
            return
        message = decode(code, payload)
        if message.author != address:
            return
        self._known[payload] = None
        vote = (address, message.height, message.round, message.code)
        if self._sent.setdefault(vote, payload) != payload:
            raise Violation(f"{machine}: sent two {message.code.name} at {message.height}.{message.round}")

    def on_durable(self, machine: str, message: Message) -> None:
        author, height, round_number = message.author, message.height, message.round
        left_for = self._left.get((author, height), 0)
        if round_number < left_for:
            kind = message.code.name
            raise Violation(f"{machine}: {kind} at {height}.{round_number} after leaving for round {left_for}")
        if isinstance(message, RoundChange):
            self._left[author, height] = round_number
        self.round_max = max(self.round_max, round_number)


JUMP_MAX = 4097
"""How far beyond every honest one's round an honest validator may go at once."""

Vote = tuple[bytes, int, int, Code]
"""Author, height, round and kind."""


def vote_of(message: Message) -> Vote:
    return message.author, message.height, message.round, message.code


def word_of(message: Message) -> object:
    """Return what a message says, apart from how it was signed."""
    return message.signed.unsigned if isinstance(message, RoundChange) else message.digest


@dataclass
class _Given:
    """What one machine has been given for one height, its own words included."""

    proposals: dict[tuple[int, bytes], list[Proposal]] = field(default_factory=dict)
    prepares: dict[tuple[int, bytes], set[bytes]] = field(default_factory=dict)


class ConductChecker:
    """Judges each word that an honest machine signs or passes on, by what it was given before.

    A Prepare needs a valid proposal, a Commit a quorum of Prepares, a RoundChange the certificate of what its author
    committed to; whatever is sent must be valid by the oracle, and durable first when it is one's own. And nobody
    may be given a word of an honest author that this author has not signed.
    """

    def __init__(self) -> None:
        self._given: dict[str, dict[int, _Given]] = {}
        self._signed: dict[Vote, object] = {}
        self._locked: dict[tuple[bytes, int], tuple[int, bytes]] = {}
        self._rounds: dict[int, int] = {}
        self._judged: dict[tuple[bytes, bytes], None] = {}

    def on_given(self, machine: str, message: Message, head: Header, *, is_author_honest: bool) -> None:
        """See a message arrive at an honest machine whose head is ``head``."""
        if is_author_honest:
            signed = self._signed.get(vote_of(message))
            if signed != word_of(message):
                raise Violation(
                    f"{machine}: was given {message.code.name} at {message.height}.{message.round} that "
                    f"0x{message.author.hex()} never signed"
                )
        if message.height > head.number:
            self._keep(machine, message, head.number)

    def has_signed(self, message: Message) -> bool:
        """Say whether this word is known to be durable already: a journal is read again at each start."""
        return self._signed.get(vote_of(message)) == word_of(message)

    def on_signed(self, machine: str, message: Message, head: Header, validators: Sequence[bytes]) -> None:
        """See an honest machine make a word of its own durable."""
        self._signed[vote_of(message)] = word_of(message)
        given = self._keep(machine, message, head.number)
        where = f"{message.code.name} at {message.height}.{message.round}"
        match message:
            case Prepare():
                proposals = given.proposals.get((message.round, message.digest), [])
                if not any(proposal_fault(proposal, head, validators) is None for proposal in proposals):
                    raise Violation(f"{machine}: signs {where} without a valid proposal")
            case Commit():
                authors = given.prepares.get((message.round, message.digest), set()) & set(validators)
                if len(authors) < quorum_of(len(validators)):
                    raise Violation(f"{machine}: signs {where} with {len(authors)} prepares of {len(validators)}")
                lock = self._locked.get((message.author, message.height), (-1, b""))
                self._locked[message.author, message.height] = max(lock, (message.round, message.digest))
            case RoundChange():
                self._check_lock(machine, message.author, message.signed.unsigned)
                known = self._rounds.get(message.height, 0)
                if message.round > known + JUMP_MAX:
                    raise Violation(f"{machine}: {where} follows a claim: no honest one is beyond round {known}")
                self._rounds[message.height] = max(known, message.round)

    def on_sent(
        self, machine: str, address: bytes, message: Message, head: Header, validators: Sequence[bytes]
    ) -> None:
        """See an honest machine send a word of its own, or pass on somebody else's."""
        if message.author == address and self._signed.get(vote_of(message)) != word_of(message):
            raise Violation(f"{machine}: sends {message.code.name} at {message.height}.{message.round} before its sync")
        known = (message.raw, head.parent_hash)
        if known in self._judged:
            return
        if fault := fault_of(message, head, validators):
            who = "says" if message.author == address else "passes on"
            raise Violation(f"{machine}: {who} {message.code.name} at {message.height}.{message.round}: {fault}")
        self._judged[known] = None

    def _check_lock(self, machine: str, author: bytes, said: UnsignedRoundChange) -> None:
        locked = self._locked.get((author, said.height))
        if locked is None:
            return
        round_number, digest = locked
        found = -1 if said.prepared_round is None else said.prepared_round
        if found < round_number or (found == round_number and said.prepared_digest != digest):
            raise Violation(f"{machine}: leaves for {said.height}.{said.round} without what it committed to")

    def _keep(self, machine: str, message: Message, head: int) -> _Given:
        heights = self._given.setdefault(machine, {})
        given = heights.get(message.height)
        if given is None:
            for height in [height for height in heights if height <= head]:
                del heights[height]
            given = heights[message.height] = _Given()
        match message:
            case Proposal():
                given.proposals.setdefault((message.round, message.digest), []).append(message)
            case Prepare():
                given.prepares.setdefault((message.round, message.digest), set()).add(message.author)
            case _:
                pass
        return given


class BoundsChecker:
    """Sees what an honest validator keeps: no adversary may make it keep more."""

    VOTES_OF_ONE = 3
    FUTURE_OF_ONE = 48
    FUTURE = 1024
    VERDICTS = 8

    def on_state(self, machine: str, state: State) -> None:
        count = max(len(state.validators), 1)
        for what, found, most in (
            ("prepares", len(state.prepares), self.VOTES_OF_ONE * count),
            ("commits", len(state.commits), self.VOTES_OF_ONE * count),
            ("round changes", len(state.round_changes), self.VOTES_OF_ONE * count),
            ("verdicts", len(state.verdicts), self.VERDICTS),
            ("waiting messages", len(state.future), self.FUTURE),
        ):
            if found > most:
                raise Violation(f"{machine}: keeps {found} {what}, at most {most}")
        if len(state.future) > self.FUTURE_OF_ONE:
            authors = Counter(waiting.message.author for waiting in state.future)
            if max(authors.values()) > self.FUTURE_OF_ONE:
                raise Violation(f"{machine}: keeps {max(authors.values())} waiting messages of one author")


class History:
    """A running hash of everything that happens, in order: equal for equal runs."""

    def __init__(self) -> None:
        self._hash = sha256()
        self.count = 0

    def note(self, *parts: object) -> None:
        """Take in what happened; bytes at the end are taken as they are, which is quicker than spelling them."""
        self.count += 1
        *words, last = parts
        self._hash.update(repr(words).encode())
        self._hash.update(last if isinstance(last, bytes) else repr(last).encode())

    def hex(self) -> str:
        return self._hash.hexdigest()
