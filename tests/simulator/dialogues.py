"""Dialogues with the consensus core, as text: what happens (``>``) and what it asks for then (``<``), line by line.

    me b                              whose core it is; a, b, c, d validate unless ``validators`` says otherwise
    times 3 5 s 8000 ms               from height 3 on another block period and round timeout
    > block timeout
    < round timer 0 after 2000 ms
    > a: proposal a@0                 a's block, in round 0, at the height that is being decided
    > c via d: prepare a@0            handed over by d
    > d: round change 1 prepared a@0 by a b d
    > b: proposal a@1 for b(a@0) c d by a b d        with its round changes and prepares
    > restart                         all is forgotten but the journal
    > signed                          what the last ``sign`` asked for comes back, signed

A block's name is its proposer and round; ``a'@0`` is another block of a's. After each ``>`` come, as ``<``, all
its effects, in order. ``#`` begins a remark. ``height 3`` after a message says another height.
"""

import re

from simulator.players import GENESIS, LETTERS, PERIOD_S, Player, child, in_round, players, sealed

from cocket.node.chain.block import Block
from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import commit_hash
from cocket.node.consensus import qbft
from cocket.node.consensus.drafts import Draft, PrepareDraft, ProposalDraft, RoundChangeDraft, sign_draft
from cocket.node.consensus.effects import (
    AbortExecution,
    BuildBlock,
    CommitBlock,
    Effect,
    Equivocation,
    Gossip,
    PeerAhead,
    PeerBehind,
    Rejected,
    Send,
    Sign,
    StartBlockTimer,
    StartTimer,
    Timer,
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
from cocket.node.consensus.messages import Message, Prepare, Proposal, RoundChange
from cocket.node.consensus.records import encode_certificate_record, encode_message_record, restore
from cocket.node.consensus.seals import recover_seal
from cocket.node.consensus.state import Configuration, State, Times, Watch


class Dialogue:
    """A core, the players around it, and the names of things."""

    def __init__(self) -> None:
        self.me = "a"
        self.validators = "abcd"
        self.watch: Watch | None = None
        self.later: tuple[tuple[int, Times], ...] = ()
        self.now_ms = (GENESIS.timestamp + PERIOD_S) * 1000
        self.parent = GENESIS
        self.players = {player.letter: player for player in players(len(LETTERS))}
        self.letters = {player.address: letter for letter, player in self.players.items()}
        self.names: dict[bytes, str] = {}
        self.unsigned: Sign | None = None
        self.records: list[bytes] = []
        self.state: State | None = None

    def run(self, text: str) -> str:
        """Return the same text with the effects that really come."""
        lines: list[str] = []
        for line in text.splitlines():
            if line.startswith("<"):
                continue
            lines.append(line)
            spoken = line.split("#")[0].strip()
            if spoken.startswith(">"):
                lines += [f"< {said}" for said in self.tell(spoken[1:].strip())]
            elif spoken:
                self._set(spoken)
        return "\n".join(lines) + "\n"

    # --- what happens --------------------------------------------------------------------------------------------

    def _set(self, line: str) -> None:
        key, _, value = line.partition(" ")
        match key:
            case "me":
                self.me = value
            case "validators":
                self.validators = value.replace(" ", "")
            case "watch":
                height, after_s = value.split()
                self.watch = Watch(int(height), GENESIS.timestamp + int(after_s))
            case "times":
                height, period_s, _, timeout_ms, _ = value.split()
                self.later += ((int(height), Times(int(period_s), int(timeout_ms))),)
            case _:
                raise ValueError(f"unknown setting: {line}")

    def tell(self, line: str) -> list[str]:
        """Return what is asked for when this happens."""
        configuration = Configuration(self.players[self.me].address, Times(PERIOD_S, 2000), self.later)
        if self.state is None:
            self.state, _ = qbft.start(configuration, self.parent, self._addresses(), None, self.watch)
        if line == "signed":
            return self._signed()
        if line == "restart":
            return self._restart(configuration)
        if line.startswith("now "):
            self.now_ms = (GENESIS.timestamp + PERIOD_S) * 1000 + int(line.split()[1])
            return []
        return self._step(self._event(line))

    def _signed(self) -> list[str]:
        assert self.unsigned is not None, "nothing was asked to be signed"
        wanted, self.unsigned = self.unsigned, None
        me = self.players[self.me]
        messages = [sign_draft(draft, me.address, me.signer.sign_digest) for draft in wanted.drafts]
        if wanted.certificate is not None:
            self.records.append(encode_certificate_record(messages[0].height, wanted.certificate))
        self.records += [encode_message_record(message) for message in messages]
        said: list[str] = []
        for message in messages:
            said += self._step(MessageReceived(message, None, self.now_ms))
        return said

    def _restart(self, configuration: Configuration) -> list[str]:
        self.unsigned = None
        restored = restore(self.records, self.parent.number + 1, configuration.address)
        self.state, effects = qbft.start(configuration, self.parent, self._addresses(), restored, self.watch)
        return [self._say(effect) for effect in effects]

    def _step(self, event: Event) -> list[str]:
        assert self.state is not None
        self.state, effects = qbft.step(self.state, event)
        return [self._say(effect) for effect in effects]

    def _event(self, line: str) -> Event:
        assert self.state is not None
        height, round_number = self.state.height, self.state.round
        if match := re.fullmatch(r"(\w)(?: via (\w))?: (.*)", line):
            author, via, what = match.groups()
            message = self._message(self.players[author], what)
            return MessageReceived(message, self.players[via or author].address, self.now_ms)
        words = line.split()
        match words:
            case ["block", "timeout", *rest]:
                return BlockTimeout(int(rest[0]) if rest else height)
            case ["round", "timeout", number]:
                return RoundTimeout(height, int(number))
            case ["resend", "timeout"]:
                return ResendTimeout(height)
            case ["early", "timeout", number]:
                return EarlyTimeout(height, int(number))
            case ["built", "nothing", number]:
                return BlockBuilt(height, int(number), None)
            case ["built", name]:
                block = self._block(name)
                return BlockBuilt(block.header.number, int(name.split("@")[1]), block)
            case ["valid", name, *rest]:
                return self._validated(name, rest, True, "")
            case ["invalid", name, *rest]:
                return self._validated(name, rest, False, "a wrong state root")
            case ["broken", "off", name, *rest]:
                return self._validated(name, rest, None, "")
            case ["head", name]:
                block = sealed(self._block(name), [self.players[letter] for letter in self.validators])
                self.parent = block.header
                return NewHead(block.header, self._addresses(), self.now_ms)
            case ["connected", letter]:
                return PeerConnected(self.players[letter].address)
            case ["disconnected", letter]:
                return PeerDisconnected(self.players[letter].address)
            case _:
                raise ValueError(f"unknown event at round {round_number}: {line}")

    def _validated(self, name: str, rest: list[str], is_valid: bool | None, reason: str) -> BlockValidated:
        block = self._block(name)
        round_number = int(rest[1]) if rest else int(name.split("@")[1])
        return BlockValidated(block.header.number, round_number, commit_hash(block.header), is_valid, reason)

    def _message(self, author: Player, what: str) -> Message:
        height: int | None = None
        if match := re.search(r" height (\d+)$", what):
            height, what = int(match[1]), what[: match.start()]
        here = self.parent.number + 1 if height is None else height
        if match := re.fullmatch(r"round change (\d+)(?: prepared (\S+) by (.+))?", what):
            block = self._block(match[2]) if match[2] else None
            return author.round_change(here, int(match[1]), block, self._prepares(match[3], match[2]))
        if match := re.fullmatch(r"(prepare|commit) (\S+?)(?: in round (\d+))?", what):
            block, round_number = self._block(match[2]), int(match[3]) if match[3] else None
            return (author.prepare if match[1] == "prepare" else author.commit)(
                block, height=height, round_number=round_number
            )
        match = re.fullmatch(r"proposal (\S+)(?: for (.+?))?(?: by ([\w ]+))?", what)
        if match is None:
            raise ValueError(f"unknown message: {what}")
        block = self._block(match[1])
        round_number = int(match[1].split("@")[1])
        changes = [self._nested_change(word, round_number) for word in (match[2] or "").split()]
        prepared = re.search(r"\(([^)]+)\)", match[2] or "")
        prepares = self._prepares(match[3], prepared[1] if prepared else match[1])
        return author.proposal(block, changes, prepares, height=height)

    def _nested_change(self, word: str, round_number: int) -> RoundChange:
        match = re.fullmatch(r"(\w)(?:->(\d+))?(?:\(([^)]+)\))?", word)
        assert match is not None, word
        target = int(match[2]) if match[2] else round_number
        block = self._block(match[3]) if match[3] else None
        return self.players[match[1]].round_change(self.parent.number + 1, target, block)

    def _prepares(self, letters: str | None, name: str | None) -> list[Prepare]:
        if not letters or not name:
            return []
        return [self.players[letter].prepare(self._block(name)) for letter in letters.split()]

    def _block(self, name: str) -> Block:
        match = re.fullmatch(r"(\w)('*)@(\d+)", name)
        assert match is not None, f"no block's name: {name}"
        fresh = child(self.parent, self.players[match[1]].address, 0, match[2].encode())
        block = in_round(fresh, int(match[3]))
        self.names[commit_hash(block.header)] = name
        return block

    def _addresses(self) -> tuple[bytes, ...]:
        return tuple([self.players[letter].address for letter in self.validators])

    # --- what is asked for ---------------------------------------------------------------------------------------

    def _say(self, effect: Effect) -> str:
        match effect:
            case StartBlockTimer():
                return f"block timer {effect.height} at +{effect.at_s - GENESIS.timestamp} s"
            case StartTimer():
                shown = f" {effect.round}" if effect.timer in (Timer.ROUND, Timer.EARLY) else ""
                return f"{effect.timer.value} timer{shown} after {effect.after_ms} ms"
            case Sign():
                self.unsigned = effect
                what = ", ".join([self._draft(draft) for draft in effect.drafts])
                return f"sign {what}" + (" with its certificate" if effect.certificate else "")
            case Send():
                what = ", ".join([self._said(message) for message in effect.messages])
                return f"send {what} to {self._letter(effect.to) if effect.to else 'all'}"
            case Gossip():
                source = "" if effect.source == effect.message.author else f" via {self._letter(effect.source)}"
                return f"gossip {self._letter(effect.message.author)}'s {self._said(effect.message)}{source}"
            case BuildBlock():
                return f"build {effect.round} not before +{effect.not_before_s - GENESIS.timestamp} s"
            case ValidateBlock():
                return f"validate {self._name(effect.digest)} in round {effect.round}"
            case AbortExecution():
                return "abort"
            case CommitBlock():
                seals = decode_extra_data(effect.block.header.extra_data).seals
                by = sorted([self._letter(recover_seal(effect.digest, seal)) for seal in seals])
                return f"commit {self._name(effect.digest)} sealed by {' '.join(by)}"
            case PeerAhead():
                return f"{self._letter(effect.source)} is ahead, at {effect.height}"
            case PeerBehind():
                return f"{self._letter(effect.source)} is behind, at {effect.height}"
            case Rejected():
                who = self._letter(effect.author)
                return f"rejected {who}'s {effect.code.name.lower().replace('_', ' ')}: {self._spell(effect.reason)}"
            case Equivocation():
                who = self._letter(effect.first.author)
                return f"evidence of {who}: {self._said(effect.first)} and {self._said(effect.second)}"

    def _draft(self, draft: Draft) -> str:
        match draft:
            case RoundChangeDraft(prepared=None):
                return f"round change {draft.round}"
            case RoundChangeDraft():
                assert draft.prepared is not None
                return f"round change {draft.round} prepared {self._name(draft.prepared.digest)}"
            case ProposalDraft():
                prepared = f" by {len(draft.prepares)} prepares" if draft.prepares else ""
                changes = f" for {len(draft.round_changes)} round changes" if draft.round_changes else ""
                return f"proposal {self._name(draft.digest)}{changes}{prepared}"
            case PrepareDraft():
                return f"prepare {self._name(draft.digest)}"
            case _:
                return f"commit {self._name(draft.digest)}"

    def _said(self, message: Message) -> str:
        if isinstance(message, RoundChange):
            prepared = f" prepared {self._name(message.block_digest)}" if message.block_digest else ""
            return f"round change {message.round}{prepared}"
        kind = "proposal" if isinstance(message, Proposal) else message.code.name.lower()
        return f"{kind} {self._name(message.digest)}"

    def _name(self, digest: bytes) -> str:
        if digest not in self.names:
            # A block that only the core has made: one of ours in a new round.
            for name in list(self.names.values()):
                letter = name.split("@")[0]
                for round_number in range(12):
                    self._block(f"{letter}@{round_number}")
        return self.names.get(digest, digest.hex()[:8])

    def _letter(self, address: bytes | None) -> str:
        return "us" if address is None else self.letters.get(address, address.hex()[:8])

    def _spell(self, reason: str) -> str:
        for address, letter in self.letters.items():
            reason = reason.replace(f"0x{address.hex()}", letter)
        return re.sub(r"0x([0-9a-f]{64})", lambda match: self._name(bytes.fromhex(match[1])), reason)


def held(*happenings: str, me: str = "b", validators: str = "abcd") -> Dialogue:
    """Return the dialogue after these happenings; what is to be signed comes back signed, at once."""
    dialogue = Dialogue()
    dialogue.me, dialogue.validators = me, validators
    for happening in happenings:
        dialogue.tell(happening)
        while dialogue.unsigned is not None:
            dialogue.tell("signed")
    return dialogue


def said(*happenings: str, me: str = "b", validators: str = "abcd") -> list[str]:
    """Return what the core asks for at the last of these happenings, gossip apart, which no rule of QBFT is about."""
    *before, last = happenings
    return [line for line in held(*before, me=me, validators=validators).tell(last) if not line.startswith("gossip")]


if __name__ == "__main__":
    from pathlib import Path

    for path in sorted(Path("node/consensus/dialogues").glob("*.txt")):
        path.write_text(Dialogue().run(path.read_text()))
