"""A validator killed after any prefix of its disk's operations goes on where it was, and signs nothing twice.

The height has a round change in it: prepared in round 0, left by timeout, proposed again and final in round 1. The
power goes after each number of operations on the disk (an append, a sync, a cut, a rename, a folder's sync), and of
what was not synced some is lost: all, all but a torn beginning, nothing, or its content but not its length. Then the
validator begins again and the world offers it the same, or does all it can to get a second signature.
"""

from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
from simulator.checkers import SignatureChecker, Violation
from simulator.desks import ALL, A, B, C, D, Desk, LoggedDisk
from simulator.players import GENESIS, Player, child, in_round, sealed
from simulator.words import message_of_record

from cocket.node.chain.block import Block
from cocket.node.consensus.effects import Timer
from cocket.node.consensus.messages import Code, Message, UnsignedRoundChange
from cocket.node.consensus.wire import decode_message
from cocket.node.store.disk import DiskFile

TAILS = [(0, False), (60, False), (1_000_000, False), (30, True)]
"""How many of the unsynced bytes survive, and whether the rest reads as zeros."""


class PowerCut(BaseException):
    """The disk's owner lost its power before this operation."""


class MortalDisk(LoggedDisk):
    """A fake disk whose power goes when ``left`` operations were done; None never."""

    def __init__(self, left: int | None) -> None:
        super().__init__([])
        self.left = left
        self.count = 0

    def operate(self) -> None:
        if self.left is not None and self.count >= self.left:
            raise PowerCut
        self.count += 1

    def open(self, path: Path) -> DiskFile:
        return _MortalFile(super().open(path), self)

    def rename(self, source: Path, target: Path) -> None:
        self.operate()
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        self.operate()
        super().sync_folder(folder)


class _MortalFile:
    def __init__(self, file: DiskFile, disk: MortalDisk) -> None:
        self._file, self._disk = file, disk
        self.read, self.close = file.read, file.close

    def append(self, data: bytes) -> None:
        self._disk.operate()
        self._file.append(data)

    def sync(self) -> None:
        self._disk.operate()
        self._file.sync()

    def truncate(self, size: int) -> None:
        self._disk.operate()
        self._file.truncate(size)


class World:
    """What the others say of a height; with a mark they speak of other blocks, in every round.

    Made once: a message is the same whoever hears it.
    """

    def __init__(self, mark: bytes = b"") -> None:
        everybody = (A, B, C, D)
        self.first = child(GENESIS, A.address, 0, mark)
        self.second = child(GENESIS, B.address, 1, mark) if mark else in_round(self.first, 1)
        self.prepares = [player.prepare(self.first) for player in everybody]
        held = () if mark else (self.first, self.prepares[:3])
        self.changes = [player.round_change(1, 1, *held) for player in everybody]
        self.proposals = (
            A.proposal(self.first),
            B.proposal(self.second, self.changes, () if mark else self.prepares[:3]),
        )
        self.votes = [player.prepare(self.second) for player in everybody]
        self.commits = [] if mark else [player.commit(self.second) for player in everybody]
        self.head = sealed(self.second, (A, B, C)).header


WORLD, OTHER_WORLD = World(), World(b"another")


class Lives:
    """The lives of one validator on one disk, and everything that it ever sent."""

    def __init__(self, me: Player) -> None:
        self.me = me
        self.disk = MortalDisk(None)
        self.head = GENESIS
        self.signatures = SignatureChecker()
        self.sent: dict[tuple[int, int, Code], bytes] = {}

    def live(self, operations: int | None, world: World = WORLD) -> Desk | None:
        """Live through the height until the power goes; None when it went before anything was there."""
        self.disk.left, self.disk.count = operations, 0
        desk: Desk | None = None
        try:
            desk = Desk(self.me, self.disk, self.head)
            desk.answers_at_once = True
            desk.mark = b"" if world is WORLD else b"of another life"
            desk.connect(*[player for player in (A, B, C, D) if player is not self.me])
            self._check_that_it_goes_on(desk)
            for height, round_number, digest, _ in desk.asked:  # its own proposal is checked again at the start
                assert digest is not None
                desk.validator.on_validated(height, round_number, digest, True)
            self._tell(desk, world)
        except PowerCut:
            pass
        if desk is not None:
            self._note(desk)
        return desk

    def _tell(self, desk: Desk, world: World) -> None:
        """Play the others and the timers through the height; what comes late is ignored."""
        desk.open()
        self._give(desk, world.proposals[:1], world.prepares)
        desk.validator.on_timer(Timer.RESEND, 1, 0)
        desk.validator.on_timer(Timer.ROUND, 1, 0)
        self._give(desk, world.changes, world.proposals[1:], world.votes, world.commits)
        desk.validator.on_timer(Timer.ROUND, 1, 1)
        if desk.committed or world is WORLD:
            self.head = (desk.committed[0] if desk.committed else Block(world.head)).header
            desk.validator.on_new_head(self.head, ALL)

    def _give(self, desk: Desk, *messages: Sequence[Message]) -> None:
        for several in messages:
            for message in several:
                if message.author != self.me.address:
                    desk.give(message)

    def own(self, desk: Desk) -> list[Message]:
        decoded = [_decoded(code, payload) for _, code, payload in desk.sent]
        return [message for message in decoded if message.author == self.me.address]

    def copy(self) -> "Lives":
        """Return the same past, to go on from in another way."""
        other = Lives(self.me)
        other.disk, other.head, other.signatures = deepcopy(self.disk), self.head, deepcopy(self.signatures)
        other.sent.update(self.sent)
        return other

    def _note(self, desk: Desk) -> None:
        for message in self.own(desk):
            self.signatures.on_sent(self.me.letter, self.me.address, message.code, message.raw)
            self.sent[message.height, message.round, message.code] = message.raw
        self._check_order([message for record in desk.journal.records() if (message := message_of_record(record))])

    def _check_order(self, signed: list[Message]) -> None:
        """Hold what all lives signed, in order: nothing for a round that was left, nothing committed and forgotten."""
        order = SignatureChecker()
        committed = -1
        for message in signed:
            order.on_durable(self.me.letter, message)
            unsigned = message.signed.unsigned
            if isinstance(unsigned, UnsignedRoundChange) and committed >= 0:
                assert unsigned.prepared_round is not None, "it forgot what it had committed to"
                assert unsigned.prepared_round >= committed
            committed = message.round if message.code is Code.COMMIT else committed

    def _check_that_it_goes_on(self, desk: Desk) -> None:
        """Say again what was said, and be where the last word of it was, or further."""
        assert not desk.validator.status().is_watching, "its journal tells all that it signed"
        height = desk.validator.state.height
        said = {place: raw for place, raw in self.sent.items() if place[0] == height}
        assert desk.validator.state.round >= max((place[1] for place in said), default=0)
        again = {(message.round, message.code): message.raw for message in self.own(desk)}
        for (_, round_number, code), raw in said.items():
            is_superseded = any(later > round_number and kind is code for later, kind in again)
            assert is_superseded or again.get((round_number, code)) == raw, f"{code.name} {round_number} was forgotten"


@cache
def _decoded(code: int, payload: bytes) -> Message:
    return decode_message(code, payload)


@cache
def first_lives(me: Player) -> tuple[tuple[Lives, bool], ...]:
    """Return a life cut at each operation, and whether it saw the block final."""
    lived = []
    for prefix in PREFIXES:
        lives = Lives(me)
        desk = lives.live(prefix)
        lived.append((lives, desk is not None and bool(desk.committed)))
    return tuple(lived)


def operations_of(me: Player) -> int:
    lives = Lives(me)
    desk = lives.live(None)
    assert desk is not None
    assert desk.validator.state.height == 2
    kinds = {(round_number, code) for _, round_number, code in lives.sent}
    assert {(0, Code.PREPARE), (0, Code.COMMIT), (1, Code.ROUND_CHANGE), (1, Code.PREPARE), (1, Code.COMMIT)} <= kinds
    assert ((0, Code.PROPOSAL) in kinds) == (me is A)
    assert ((1, Code.PROPOSAL) in kinds) == (me is B)
    return lives.disk.count


OPERATIONS = 18
PREFIXES = range(OPERATIONS + 1)


@pytest.mark.parametrize("me", [A, B, D], ids=["first proposer", "second proposer", "no proposer"])
def test_every_operation_of_a_height_is_cut_at(me: Player) -> None:
    """The enumerations below end where the height does: a change in what the disk is asked for shows here."""
    assert operations_of(me) == OPERATIONS


@pytest.mark.parametrize("tail", TAILS, ids=str)
@pytest.mark.parametrize("me", [A, B, D], ids=["first proposer", "second proposer", "no proposer"])
def test_after_any_prefix_the_height_is_finished_as_if_nothing_had_been(me: Player, tail: tuple[int, bool]) -> None:
    for prefix, (first, is_final) in enumerate(first_lives(me)):
        lives = first.copy()
        lives.disk.crash(*tail)
        desk = lives.live(None)
        assert desk is not None
        assert desk.validator.state.height == 2, prefix
        assert desk.committed or is_final, prefix


@pytest.mark.parametrize("tail", TAILS, ids=str)
@pytest.mark.parametrize("me", [A, B, D], ids=["first proposer", "second proposer", "no proposer"])
def test_after_any_prefix_no_offer_gets_a_second_signature(me: Player, tail: tuple[int, bool]) -> None:
    """Not of the others, who speak of other blocks now, nor of our own builder, who makes another one."""
    for first, _ in first_lives(me):
        lives = first.copy()
        lives.disk.crash(*tail)
        lives.live(None, OTHER_WORLD)


@pytest.mark.parametrize("second", PREFIXES[::3])
def test_nor_after_two_cuts(second: int) -> None:
    for first, _ in first_lives(B):
        lives = first.copy()
        lives.disk.crash(7 * second)
        lives.live(second, OTHER_WORLD)
        lives.disk.crash()
        lives.live(None)


def test_the_same_offers_get_one_from_a_validator_whose_journal_is_gone() -> None:
    """The refuse beside the tests above: what they look for is there to be found."""
    forgetful = [first.copy() for first, is_final in first_lives(B) if first.sent and not is_final]
    assert len(forgetful) >= 6
    for lives in forgetful:
        lives.disk = MortalDisk(None)
        with pytest.raises(AssertionError, match=r"was forgotten|assert 0 >= 1"):
            lives.copy().live(None, OTHER_WORLD)
        lives.sent.clear()
        with pytest.raises(Violation, match="sent two PREPARE"):
            lives.live(None, OTHER_WORLD)
