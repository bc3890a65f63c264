"""Any events in any order: what the core may never do, whatever peers say, timers fire and executors answer."""

from dataclasses import FrozenInstanceError
from random import Random

import pytest
from simulator.players import GENESIS, PERIOD_S, Player, child, in_round, players, sealed

from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import Header, block_hash
from cocket.node.consensus import qbft
from cocket.node.consensus.drafts import CommitDraft, RoundChangeDraft, code_of, sign_draft
from cocket.node.consensus.effects import (
    BuildBlock,
    CommitBlock,
    Effect,
    Gossip,
    Sign,
    StartTimer,
    ValidateBlock,
)
from cocket.node.consensus.events import (
    BlockBuilt,
    BlockTimeout,
    BlockValidated,
    EarlyTimeout,
    Event,
    MessageReceived,
    NewHead,
    PeerConnected,
    PeerDisconnected,
    ResendTimeout,
    RoundTimeout,
)
from cocket.node.consensus.inbox import FUTURE_AUTHOR_MESSAGES_MAX
from cocket.node.consensus.messages import Code, Message
from cocket.node.consensus.seals import seal_authors
from cocket.node.consensus.state import VERDICTS_MAX, Configuration, State, Times
from cocket.node.consensus.validators import quorum

EVENTS = 120


class Storm:
    """One core, and events drawn from a generator: some sensible, some not."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.count = self.random.choice((1, 4, 4, 5, 7))
        self.players = players(self.count + 1)  # the last one validates nothing
        self.validators = tuple([player.address for player in self.players[: self.count]])
        self.me = self.random.choice(self.players[: self.count])
        configuration = Configuration(self.me.address, Times(PERIOD_S, 1_000, 8_000))
        self.state, effects = qbft.start(configuration, GENESIS, self.validators)
        self.running: BuildBlock | ValidateBlock | None = None
        self.signed: dict[tuple[int, int, Code], bytes] = {}
        self.left: dict[int, int] = {}
        self.committed: dict[int, bytes] = {}
        self.own: list[Message] = []
        self.see(effects)

    def blow(self) -> None:
        for _ in range(EVENTS):
            self.tell(self.own_or_any())

    def tell(self, event: Event) -> None:
        before = self.state
        state, effects = qbft.step(before, event)
        assert (state, effects) == qbft.step(before, event), "the same event on the same state says the same"
        assert state.height >= before.height
        assert state.height > before.height or state.round >= before.round
        self.state = state
        self.check_bounds(state)
        self.see(effects)

    # --- events --------------------------------------------------------------------------------------------------

    def own_or_any(self) -> Event:
        if self.own:
            return MessageReceived(self.own.pop(0), None, self.now_ms())
        random, state = self.random, self.state
        height = state.height + random.choice((0, 0, 0, 0, 0, -1, 1, 2, 30))
        round_number = max(0, state.round + random.choice((0, 0, 0, 0, 1, 1, -1, 3)))
        match random.randrange(14):
            case 0:
                return BlockTimeout(height)
            case 1:
                return RoundTimeout(height, round_number)
            case 2:
                return ResendTimeout(height)
            case 3:
                return EarlyTimeout(height, round_number)
            case 4:
                return PeerConnected(random.choice(self.players).address)
            case 5:
                return PeerDisconnected(random.choice(self.players).address)
            case 6 if random.random() < 0.15:
                return self.new_head()
            case 6 | 7 | 8:
                return self.answer()
            case _:
                author = random.choice(self.players)
                return MessageReceived(
                    self.message(author, height, round_number), random.choice(self.players).address, self.now_ms()
                )

    def now_ms(self) -> int:
        return (self.state.parent.timestamp + self.random.choice((1, 1, 1, -1, -9))) * 1000

    def new_head(self) -> NewHead:
        coinbase = self.random.choice(self.players).address
        block = sealed(child(self.state.parent, coinbase), self.players[: quorum(self.count)])
        return NewHead(block.header, self.validators, self.now_ms())

    def answer(self) -> Event:
        running, random = self.running, self.random
        self.running = None
        match running:
            case None:
                return BlockValidated(self.state.height, self.state.round, bytes(32), True)
            case BuildBlock():
                block = child(running.parent, self.me.address, running.round) if random.random() < 0.9 else None
                return BlockBuilt(running.height, running.round, block)
            case ValidateBlock():
                verdict = random.choice((True, True, True, True, False, None))
                return BlockValidated(running.height, running.round, running.digest, verdict, "drawn")

    def message(self, author: Player, height: int, round_number: int) -> Message:
        random, parent = self.random, self.state.parent
        coinbase = self.state.proposer_of(random.choice((0, round_number)))
        block = in_round(child(parent, coinbase, 0, random.choice((b"", b"", b"", b"other"))), round_number)
        voters = random.sample(self.players, random.randint(0, self.count))
        if author is self.me:
            author = self.players[-1]
        match random.randrange(5):
            case 0:
                leader = next(p for p in self.players if p.address == self.state.proposer_of(round_number))
                prepared_round = random.choice((None, max(0, round_number - 1)))
                held = None if prepared_round is None else in_round(block, prepared_round)
                others = [p for p in self.players[: self.count] if p is not self.me] or [self.players[-1]]
                changes = [p.round_change(height, round_number, held) for p in others] if round_number else []
                prepares = [p.prepare(held) for p in others] if held is not None and round_number else []
                chosen = leader if leader is not self.me else author
                return chosen.proposal(block, changes, prepares, height=height)
            case 1:
                return author.prepare(block, height=height)
            case 2:
                return author.commit(block, height=height)
            case 3:
                return author.round_change(height, round_number)
            case _:
                held = in_round(block, max(0, round_number - 1))
                return author.round_change(height, round_number, held, [p.prepare(held) for p in voters])

    # --- what may never be ---------------------------------------------------------------------------------------

    def see(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case Sign():
                    self.see_signing(effect)
                case BuildBlock() | ValidateBlock():
                    assert self.running is None, "one execution at a time"
                    self.running = effect
                case CommitBlock():
                    self.see_commit(effect)
                case StartTimer():
                    assert 0 < effect.after_ms <= 8_000
                case Gossip():
                    assert effect.message.author != self.me.address
                    assert self.state.is_validator(effect.message.author)
                    assert effect.message.height == self.state.height

    def see_signing(self, effect: Sign) -> None:
        for draft in effect.drafts:
            place = (draft.height, draft.round, code_of(draft))
            assert place not in self.signed, "signed once"
            assert draft.round >= self.left.get(draft.height, 0), "no vote for a round that was left"
            self.signed[place] = b"" if isinstance(draft, RoundChangeDraft) else draft.digest
            if isinstance(draft, RoundChangeDraft):
                self.left[draft.height] = draft.round
            if isinstance(draft, CommitDraft):
                certificate = effect.certificate
                assert certificate is not None
                assert (certificate.round, certificate.digest) == (draft.round, draft.digest)
                assert len(certificate.prepares) >= quorum(self.count)
            self.own.append(sign_draft(draft, self.me.address, self.me.signer.sign_digest))

    def see_commit(self, effect: CommitBlock) -> None:
        header: Header = effect.block.header
        assert header.number not in self.committed, "decided once"
        self.committed[header.number] = block_hash(header)
        seals = decode_extra_data(header.extra_data).seals
        assert len(seal_authors(effect.digest, seals, self.validators)) >= quorum(self.count)

    def check_bounds(self, state: State) -> None:
        count = len(state.validators)
        assert len(state.prepares) <= 2 * count
        assert len(state.round_changes) <= 2 * count
        assert len(state.commits) <= 3 * count
        assert len(state.verdicts) <= VERDICTS_MAX
        assert len(state.future) <= FUTURE_AUTHOR_MESSAGES_MAX * count
        assert len(state.own) <= 4
        assert len(state.signed) <= 8
        assert len({(vote.author, vote.round) for vote in state.prepares}) == len(state.prepares)
        assert len({(vote.author, vote.round) for vote in state.commits}) == len(state.commits)


@pytest.mark.parametrize("seed", range(80))
def test_any_events_break_no_rule(seed: int) -> None:
    Storm(seed).blow()


def test_the_storms_reach_what_they_are_to_check() -> None:
    kinds: set[Code] = set()
    committed = 0
    for seed in range(20):
        storm = Storm(seed)
        storm.blow()
        kinds |= {code for _, _, code in storm.signed}
        committed += len(storm.committed)
    assert kinds == set(Code)
    assert committed > 0


def test_a_state_cannot_be_changed() -> None:
    state = Storm(1).state
    with pytest.raises(FrozenInstanceError):
        state.round = 1  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        state.extra = 1  # type: ignore[attr-defined]
