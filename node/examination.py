"""Makes a ``Diagnosis``: what the ledger, the sessions, the validator and the observations say, put side by side.

It asks and sorts; what it all means is ``judgement``'s to say. It runs on the event loop, where the state stands still.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cocket.node.chain.ledger import Ledger
from cocket.node.consensus.messages import Message, RoundChange
from cocket.node.consensus.state import State
from cocket.node.diagnosis import Diagnosis, Equivocation, RefusedBlock, Rejection, RoundView, ValidatorView, Vote
from cocket.node.errors import Refused
from cocket.node.observations import REASON_CHARACTERS_MAX, Observations


@dataclass(frozen=True, slots=True)
class Line:
    """The session with a validator's node: for how long, and the height that it told of."""

    open_for_s: float
    claimed_height: int | None = None


@dataclass(frozen=True, slots=True)
class Examination:
    """Whom to ask, and what the node knows of itself at the moment: ``address`` is its validator's, if it has one."""

    ledger: Ledger
    seen: Observations
    name: str
    address: bytes | None
    state: State | None
    countries: Mapping[bytes, str]
    lines: Mapping[bytes, Line]
    peers: int
    syncing_to: int | None
    data: Path

    def diagnosis(self, now_ms: int) -> Diagnosis:
        """Return what this node knows now; ``now_ms`` is its wall clock."""
        ledger, seen, address = self.ledger, self.seen, self.address
        head = ledger.head
        rules = ledger.genesis.spec.rules_at(head.number + 1)
        validators: Sequence[bytes] = ()
        trouble: str | None = None
        try:
            validators = ledger.validators_after(head)
        except Refused as error:
            trouble = str(error)[:REASON_CHARACTERS_MAX]
        return Diagnosis(
            name=self.name,
            now_ms=now_ms,
            up_s=self._age(seen.started_s),
            genesis_hash=_hex(ledger.genesis.hash),
            height=head.number,
            head_timestamp=head.timestamp,
            since_block_s=self._age(seen.block_s),
            block_period_s=rules.block_period_s,
            request_timeout_s=rules.request_timeout_s,
            address=None if address is None else _hex(address),
            country="" if address is None else self.countries.get(address, ""),
            is_validator=address is not None and address in validators,
            is_watching=self.state is not None and self.state.watch is not None,
            round=self._round(),
            validators=tuple([self._validator(validator) for validator in validators]),
            validators_trouble=trouble,
            peers=self.peers,
            syncing_to=self.syncing_to,
            rejections=tuple(
                [
                    Rejection(
                        author=_hex(kept.last.author),
                        country=self.countries.get(kept.last.author, ""),
                        kind=_kind(kept.last.code.name),
                        reason=kept.last.reason,
                        count=kept.count,
                        last_s=self._age(kept.at_s),
                    )
                    for kept in seen.rejections()
                ]
            ),
            refused_blocks=tuple([RefusedBlock(height=kept.height, reason=kept.reason) for kept in seen.refusals()]),
            equivocations=tuple(
                [
                    Equivocation(
                        author=_hex(kept.author),
                        country=self.countries.get(kept.author, ""),
                        kind=_kind(kept.code.name),
                        height=kept.height,
                        round=kept.round,
                    )
                    for kept in seen.contradictions()
                ]
            ),
            free_bytes=free_bytes(self.data),
        )

    def _round(self) -> RoundView | None:
        state = self.state
        if state is None or not state.validators:
            return None
        return RoundView(
            height=state.height,
            round=state.round,
            since_s=self._age(self.seen.round_s) if state.is_open else None,
            timeout_s=state.round_timeout_ms / 1000,
            proposer=_hex(state.proposer_of(state.round)),
            has_proposal=state.accepted is not None or state.proposal is not None,
            prepares=len([vote for vote in state.prepares if vote.round == state.round]),
            commits=len([vote for vote in state.commits if vote.round == state.round]),
        )

    def _validator(self, address: bytes) -> ValidatorView:
        voice, line, is_self = self.seen.voice(address), self.lines.get(address), address == self.address
        own_round = None if self.state is None else self.state.round
        return ValidatorView(
            address=_hex(address),
            country=self.countries.get(address, ""),
            is_self=is_self,
            is_connected=is_self or line is not None,
            connected_s=None if line is None else round(line.open_for_s, 1),
            claimed_height=None if line is None else line.claimed_height,
            trouble=voice.trouble if line is None else None,
            spoke_s=self._age_of(voice.spoke_s),
            voted_s=self._age_of(voice.voted_s),
            agreed_s=self._age_of(voice.agreed_s),
            round=own_round if is_self else voice.round if voice.height == self.ledger.head.number + 1 else None,
            votes=() if self.state is None else _votes(self.state, address),
            clock_ms=0 if is_self else voice.clock_ms(self.seen.now_s()),
            missed_turns=voice.missed_turns,
        )

    def _age(self, at_s: float) -> float:
        return round(max(0.0, self.seen.now_s() - at_s), 1)

    def _age_of(self, at_s: float | None) -> float | None:
        return None if at_s is None else self._age(at_s)


def free_bytes(path: Path) -> int | None:
    """Return the room on the disk of a folder, None when that cannot be asked."""
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def _votes(state: State, address: bytes) -> tuple[Vote, ...]:
    """Return what a validator has said of the open height that counts there."""
    proposals = () if state.proposal is None else (state.proposal,)
    own = state.own if address == state.address else ()
    messages: dict[tuple[str, int], Message] = {}
    for message in (*proposals, *state.prepares, *state.commits, *state.round_changes, *own):
        if message.author == address:
            messages[message.code.name, message.round] = message
    return tuple(
        [
            Vote(kind=_kind(name), round=round_number, digest=_digest(message))
            for (name, round_number), message in sorted(messages.items())
        ]
    )


def _digest(message: Message) -> str | None:
    if isinstance(message, RoundChange):
        digest = message.signed.unsigned.prepared_digest
        return None if digest is None else _hex(digest)
    return _hex(message.digest)


def _kind(name: str) -> str:
    return name.lower().replace("_", " ")


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()
