"""Validators that cheat: each kind runs a real validator inside, so that it is in step, and lies to the others.

Up to f of them may be in a cluster, and nothing may break. They have their own keys, all that they were sent, and time.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

from simulator.chains import SLOW_MARK, Chain
from simulator.machines import Machine
from simulator.players import Player
from simulator.spoiling import (
    CHANGES,
    COMMITS,
    FALSE_SEALS,
    FAR,
    PROPOSALS,
    Bench,
    Certificate,
    falsely_sealed,
    propose,
    sign_again,
)
from simulator.words import decode

from cocket.node.chain.block import Block, encode_block
from cocket.node.chain.header import Header, commit_hash, round_of
from cocket.node.consensus.drafts import CommitDraft, PrepareDraft, RoundChangeDraft
from cocket.node.consensus.messages import Code, Commit, Message, Prepare, Proposal, RoundChange, Signed
from cocket.node.consensus.wire import MESSAGE_BYTES_MAX, encode_round_change, encode_signed
from cocket.node.errors import PeerError

if TYPE_CHECKING:
    from simulator.cluster import Cluster

STRANGERS: Final = (13, 14, 15)
"""Keys of nobody in the network."""
HEARD_MAX: Final = 400
ROUND_MAX: Final = (1 << 31) - 1


class Adversary(Machine):
    """One that so far behaves. A kind changes what it says (``instead_of``), and says more when ``idle``."""

    idle_ms = (150, 1_500)

    def __init__(self, cluster: "Cluster", name: str, me: Player, chain: Chain, random: Random, skew_ms: int) -> None:
        super().__init__(cluster, name, me.key, chain, random, skew_ms)
        self.me = me
        self.strangers = tuple([Player(index) for index in STRANGERS])
        self.heard: deque[Message] = deque(maxlen=HEARD_MAX)
        self._instead: dict[bytes, Sequence[Message]] = {}

    # --- what a kind decides -------------------------------------------------------------------------------------

    def instead_of(self, message: Message) -> Sequence[Message]:
        """Return what all get instead of a message of its own."""
        return (message,)

    def instead_for(self, message: Message, address: bytes) -> Sequence[Message]:
        """Return what one peer gets instead; by default what all get."""
        said = self._instead.get(message.raw)
        if said is None:
            said = self._instead[message.raw] = tuple(self.instead_of(message))
            if len(self._instead) > HEARD_MAX:
                del self._instead[next(iter(self._instead))]
        return said

    def idle(self) -> None:
        """Do something of its own accord, once in a while."""

    # --- how it is in the cluster --------------------------------------------------------------------------------

    def start(self) -> None:
        super().start()
        self._idle_later()

    def _idle_later(self) -> None:
        self.cluster.later(self.random.randint(*self.idle_ms), self._upon_idle, self.life)

    def _upon_idle(self, life: int) -> None:
        if self.is_up and life == self.life:
            self.idle()
            self._idle_later()

    def send(self, address: bytes, code: int, payload: bytes) -> None:
        message = decode(code, payload)
        if message.author != self.address:
            super().send(address, code, payload)
            return
        self.fuse.touch()
        for said in self.instead_for(message, address):
            self.tell(address, said)

    def receive(self, source: bytes, kind: str, number: int, payload: bytes) -> None:
        if kind == "istanbul":
            try:
                self.heard.append(decode(number, payload))
            except PeerError:
                return
        super().receive(source, kind, number, payload)

    def tell(self, address: bytes, message: Message) -> None:
        self.say(address, message.code, message.raw)

    def say(self, address: bytes, code: int, raw: bytes) -> None:
        self.cluster.transmit(self, address, "istanbul", code, raw)

    @property
    def bench(self) -> Bench:
        state = self.validator.state
        return Bench(self.me, self.strangers[0], self.chain, state.parent, state.validators, tuple(self.heard))

    def spoilt(self, messages: Iterable[Message | None]) -> Sequence[Message]:
        """Return what could be made, in an order of chance: of two that a validator would take, the first counts."""
        made = [message for message in messages if message is not None]
        self.random.shuffle(made)
        return made

    def some_peers(self) -> list[bytes]:
        others = [address for address in self.cluster.addresses if address != self.address]
        return self.random.sample(others, self.random.randint(1, len(others)))

    def tell_some(self, messages: Iterable[Message]) -> None:
        peers = self.some_peers()
        for message in messages:
            for address in peers:
                self.tell(address, message)


class SilentProposer(Adversary):
    """Votes, and never proposes."""

    def instead_of(self, message: Message) -> Sequence[Message]:
        return () if isinstance(message, Proposal) else (message,)


class Equivocator(Adversary):
    """Tells half of the others one thing and half another: blocks, votes and what it had prepared."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._others: dict[bytes, bytes] = {}

    def instead_for(self, message: Message, address: bytes) -> Sequence[Message]:
        if self.cluster.addresses.index(address) % 2 == 0:
            return (message,)
        return super().instead_for(message, address)

    def instead_of(self, message: Message) -> Sequence[Message]:
        match message:
            case Proposal():
                if message.prepares:
                    return (message,)
                header = message.block.header
                block = self.chain.build(
                    self.validator.state.parent, header.coinbase, message.round, header.timestamp, b"second"
                )
                self._others[message.digest] = commit_hash(block.header)
                return (propose(self.me, block, message.height, message.round, message.round_changes),)
            case Prepare():
                digest = self._other(message.digest)
                return (self.me.sign(PrepareDraft(message.height, message.round, digest)),)
            case Commit():
                digest = self._other(message.digest)
                return (self.me.sign(CommitDraft(message.height, message.round, digest)),)
            case RoundChange():
                return (self.me.sign(RoundChangeDraft(message.height, message.round)),)

    def _other(self, digest: bytes) -> bytes:
        if len(self._others) > HEARD_MAX:
            self._others.clear()
        if digest not in self._others:
            seen = [m.digest for m in self.heard if isinstance(m, Proposal) and m.height == self.validator.state.height]
            self._others[digest] = next((other for other in seen if other != digest), FAR)
        return self._others[digest]


class UnjustifiedProposer(Adversary):
    """Proposes out of turn, and in turn with justifications and blocks spoilt in one way each, one after the other.

    It never commits, so that more blocks are prepared, and proposed again, than committed.
    """

    def instead_of(self, message: Message) -> Sequence[Message]:
        state, bench = self.validator.state, self.bench
        match message:
            case Proposal():
                return self.spoilt([spoil(bench, message) for spoil in PROPOSALS.values()])
            case Prepare() if state.proposer_of(message.round) != self.address and message.round == 0:
                leader = state.proposer_of(0)
                timestamp = max(state.parent.timestamp + 1, self.now_ms() // 1000)
                block = self.chain.build(state.parent, leader, 0, timestamp, b"out of turn")
                return (propose(self.me, block, message.height, 0), message)
            case Commit():
                return ()
        return (message,)


class CertificateForger(Adversary):
    """Leaves for later rounds with certificates spoilt in one way each, and never commits."""

    def instead_of(self, message: Message) -> Sequence[Message]:
        held = self.validator.state.prepared
        if held is None or not isinstance(message, Commit | RoundChange):
            return (message,)
        certificate = Certificate(message.height, held.round, held.digest, held.block, held.prepares)
        return self.spoilt([spoil(self.bench, certificate) for spoil in CHANGES.values()])


class SealForger(Adversary):
    """Commits with seals that are none, and hands out blocks that no quorum sealed."""

    idle_ms = (400, 2_500)

    def instead_of(self, message: Message) -> Sequence[Message]:
        if not isinstance(message, Commit):
            return (message,)
        return self.spoilt([spoil(self.bench, message) for spoil in COMMITS.values()])

    def idle(self) -> None:
        bench = self.bench
        seals = [m.commit_seal for m in self.heard if isinstance(m, Commit) and m.height == bench.parent.number + 1]
        block = falsely_sealed(bench, self.random.choice(FALSE_SEALS), seals)
        if block is not None:
            for address in self.some_peers():
                self.cluster.transmit(self, address, "block", block.header.number, encode_block(block))


class StaleRoundChanger(Adversary):
    """Changes rounds all the time, to near and far ones, and forgets what it had prepared."""

    def instead_of(self, message: Message) -> Sequence[Message]:
        if isinstance(message, RoundChange):
            return (self.me.sign(RoundChangeDraft(message.height, message.round)),)
        return (message,)

    def idle(self) -> None:
        state = self.validator.state
        here = state.round
        rounds = (here - 1, here, here + 1, here + 2, here + 7, here + 1_000, ROUND_MAX)
        round_number = min(max(1, self.random.choice(rounds)), ROUND_MAX)
        self.tell_some([self.me.sign(RoundChangeDraft(state.height, round_number))])


class Replayer(Adversary):
    """Sends again what it heard, its own and others', from this height and from long ago."""

    def idle(self) -> None:
        if self.heard:
            known = list(self.heard)
            self.tell_some([self.random.choice(known) for _ in range(self.random.randint(1, 6))])


class Relabeller(Adversary):
    """Puts others' signatures under other heights, rounds and blocks."""

    def idle(self) -> None:
        known = [message for message in self.heard if message.author != self.address]
        state = self.validator.state
        for message in self.random.sample(known, min(len(known), 4)):
            unsigned = message.signed.unsigned
            labels: list[dict[str, object]] = [
                {"height": state.height, "round": state.round},
                {"height": state.height, "round": state.round + 1},
                {"height": state.height},
                {"round": state.round + 1},
            ]
            relabelled = replace(unsigned, **self.random.choice(labels))  # type: ignore[arg-type]
            signed: Signed[object] = Signed(relabelled, message.signed.signature)  # type: ignore[type-var]
            match message:
                case Prepare() | Commit():
                    raw = encode_signed(signed)  # type: ignore[arg-type]
                case RoundChange():
                    raw = encode_round_change(signed, message.block, message.prepares)  # type: ignore[arg-type]
                case Proposal():
                    continue
            for address in self.some_peers():
                self.say(address, message.code, raw)


class StrangersVoter(Adversary):
    """Brings votes of people whom nobody knows."""

    def instead_of(self, message: Message) -> Sequence[Message]:
        match message:
            case Prepare():
                draft = PrepareDraft(message.height, message.round, message.digest)
                return (message, *[stranger.sign(draft) for stranger in self.strangers])
            case Commit():
                sealing = CommitDraft(message.height, message.round, message.digest)
                return (message, *[stranger.sign(sealing) for stranger in self.strangers])
            case _:
                return (message,)

    def idle(self) -> None:
        state = self.validator.state
        draft = RoundChangeDraft(state.height, state.round + 1)
        self.tell_some([stranger.sign(draft) for stranger in self.strangers])


class BallotStuffer(Adversary):
    """Casts each vote several times: the same words under signatures that differ, and for other rounds."""

    def instead_of(self, message: Message) -> Sequence[Message]:
        if not isinstance(message, Prepare):
            return (message,)
        if self.random.random() < 0.5:
            draft = PrepareDraft(message.height, message.round + 1, message.digest)
            return (message, self.me.sign(draft))
        again = [sign_again(self.me, message.signed, self.random.getrandbits(200) | 1) for _ in range(3)]
        return (message, *[decode(Code.PREPARE, encode_signed(signed)) for signed in again])


class Babbler(Adversary):
    """Sends bytes that are no messages: cut, changed, random, nested deeply, and far too many."""

    idle_ms = (400, 3_000)

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._oversize_left = 1

    def idle(self) -> None:
        random = self.random
        raw = random.choice(list(self.heard)).raw if self.heard else b"\xc0"
        place = random.randrange(len(raw))
        nonsense = [
            raw[:place],
            raw + b"\x00",
            raw[:place] + bytes((raw[place] ^ (1 << random.randrange(8)),)) + raw[place + 1 :],
            random.randbytes(random.randint(0, 300)),
            b"\xc1" * 5_000,
            b"\xf9\xff\xff" + bytes(200),
        ]
        if self._oversize_left:
            self._oversize_left -= 1
            nonsense = [bytes(MESSAGE_BYTES_MAX + 1)]
        self.say(random.choice(self.some_peers()), random.choice((*Code, 0x11, 0x16)), random.choice(nonsense))


class WrongBlockProposer(Adversary):
    """Builds blocks that execution or the header rules refuse."""

    def made(self, block: Block, parent: Header) -> Block:
        header = block.header
        wrong: list[dict[str, object]] = [
            {"state_root": FAR},
            {"transactions_root": FAR},
            {"timestamp": parent.timestamp},
            {"timestamp": header.timestamp + 3_600},
        ]
        return replace(block, header=replace(header, **self.random.choice(wrong)))  # type: ignore[arg-type]


class SlowBlockProposer(Adversary):
    """Builds blocks that take everybody longer to execute than a round lasts."""

    def made(self, block: Block, parent: Header) -> Block:
        header = block.header
        return self.chain.build(parent, header.coinbase, round_of(header), header.timestamp, SLOW_MARK)


class Flooder(Adversary):
    """Fills what others keep: messages for heights and rounds to come."""

    idle_ms = (200, 1_500)

    def idle(self) -> None:
        state = self.validator.state
        flood: list[Message] = []
        for _ in range(30):
            height = state.height + (0 if self.random.random() < 0.5 else self.random.randint(1, 12))
            round_number = self.random.randint(0, 60)
            draft = self.random.choice(
                (
                    PrepareDraft(height, round_number, self.random.randbytes(32)),
                    CommitDraft(height, round_number, self.random.randbytes(32)),
                    RoundChangeDraft(height, round_number + 1),
                )
            )
            flood.append(self.me.sign(draft))
        self.tell_some(flood)


class Hoarder(Adversary):
    """Waits with its votes and proposals, and tells each other peer only some of them."""

    def instead_for(self, message: Message, address: bytes) -> Sequence[Message]:
        return (message,) if self.random.random() < 0.4 else ()


class Boaster(Adversary):
    """Claims to be far ahead, and has nothing to show for it."""

    def idle(self) -> None:
        number = self.chain.head.number + self.random.choice((1, 3, 1_000_000))
        for address in self.some_peers():
            self.cluster.transmit(self, address, "status", number, b"")


KINDS: Final[dict[str, type[Adversary]]] = {
    "silent proposer": SilentProposer,
    "equivocator": Equivocator,
    "unjustified proposer": UnjustifiedProposer,
    "certificate forger": CertificateForger,
    "seal forger": SealForger,
    "stale round changer": StaleRoundChanger,
    "replayer": Replayer,
    "relabeller": Relabeller,
    "strangers' voter": StrangersVoter,
    "ballot stuffer": BallotStuffer,
    "babbler": Babbler,
    "wrong-block proposer": WrongBlockProposer,
    "slow-block proposer": SlowBlockProposer,
    "flooder": Flooder,
    "hoarder": Hoarder,
    "boaster": Boaster,
}
