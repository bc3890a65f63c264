"""One simulated machine: a real Validator and a real SigningJournal, on a disk, a clock and links that are not.

Beside the validator it does what the service does around it: announces final blocks, serves blocks to peers that are
behind, imports what it lacks, and drops peers that break the protocol. A *fuse* kills it at a chosen touch of the
outside world (a byte written, a sync, a message sent, a block stored), so that crashes fall between any two of them; a
spoilt disk ends its process at the next write, as a NodeFault does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from simulator.chains import GENESIS_TIME_S, Chain, is_slow
from simulator.checkers import Violation
from simulator.words import decode, message_of_record

from cocket.node.chain.block import Block, decode_block, encode_block
from cocket.node.chain.header import Header
from cocket.node.consensus import state
from cocket.node.consensus.effects import Rejected, Timer
from cocket.node.consensus.messages import Message
from cocket.node.consensus.validators import quorum
from cocket.node.errors import InvalidBlock, NodeFault, PeerError
from cocket.node.joining import Joining, Outlook
from cocket.node.signer import KeySigner
from cocket.node.store.disk import DiskFile, FakeDisk
from cocket.node.store.journal import SigningJournal
from cocket.node.validator import Validator

if TYPE_CHECKING:
    from simulator.cluster import Cluster

JOURNAL = Path("/home/journal")
GENESIS_HASH = bytes(range(32))
BLOCKS_SERVED_MAX = 8
SYNC_EVERY = 4
"""Blocks caught up with for each sync of the chain; fewer than a node's, for nobody here is long away."""
LATE_S = 3.0
"""A block made longer ago is caught up with; less than a node's, for the same reason."""
ASK_AGAIN_MS = 50
SLOW_EXECUTION_MS = (300_000, 400_000)
"""How long a slow block takes, if it is not broken off: past every round and every patience."""


class Killed(BaseException):
    """The machine lost its power at this instruction."""


@dataclass
class Fuse:
    """Kills at the ``left``-th touch; None never."""

    left: int | None = None

    def touch(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.left = None
                raise Killed


class FusedDisk(FakeDisk):
    """A fake disk that may lose power before and after each write and sync."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self.fuse = fuse
        self.is_spoilt = False

    def spoil_soon(self, room_bytes: int | None) -> None:
        """Fail each sync from now on, or with ``room_bytes`` fill up after so many."""
        self.is_spoilt = True
        self.is_broken = room_bytes is None
        self.room_bytes = room_bytes

    def mend(self) -> None:
        """Work again."""
        self.is_spoilt = self.is_broken = False
        self.room_bytes = None

    def check(self) -> None:
        """Fail as a database would."""
        if self.is_spoilt:
            raise NodeFault("database: a write failed")

    def open(self, path: Path) -> "_FusedFile":  # type: ignore[override]
        return _FusedFile(super().open(path), self.fuse)


class _FusedFile:
    def __init__(self, file: DiskFile, fuse: Fuse) -> None:
        self._file = file
        self._fuse = fuse
        self.read = file.read
        self.truncate = file.truncate
        self.close = file.close

    def append(self, data: bytes) -> None:
        self._fuse.touch()
        self._file.append(data)
        self._fuse.touch()

    def sync(self) -> None:
        self._fuse.touch()
        self._file.sync()
        self._fuse.touch()


class WatchedJournal(SigningJournal):
    """A signing journal whose records the checker sees once they are durable."""

    on_durable: Callable[[Message], None]

    def append_all(self, records: Sequence[bytes]) -> None:
        super().append_all(records)
        self.note(records)

    def note(self, records: Sequence[bytes]) -> None:
        for record in records:
            message = message_of_record(record)
            if message is not None:
                self.on_durable(message)


class SharingValidator(Validator):
    """A validator that decodes what all others of the cluster decode only once with them."""

    decode = staticmethod(decode)


@dataclass(frozen=True)
class Times:
    """The network's times, and how long executions take."""

    block_period_s: int = 1
    request_timeout_ms: int = 2_000
    request_timeout_max_ms: int = 30_000
    execution_ms_min: int = 5
    execution_ms_max: int = 40
    later: tuple[tuple[int, state.Times], ...] = ()

    def ceiling_ms(self, height: int) -> int:
        """Return how long a round of this height may last."""
        ceilings = [times.request_timeout_max_ms for begin, times in self.later if begin <= height]
        return ceilings[-1] if ceilings else self.request_timeout_max_ms


class Machine:
    """A machine with an address; ``name`` tells twins of one address apart."""

    def __init__(self, cluster: "Cluster", name: str, key: bytes, chain: Chain, random: Random, skew_ms: int) -> None:
        self.cluster = cluster
        self.name = name
        self.signer = KeySigner(key)
        self.address = self.signer.address
        self.chain = chain
        self.random = random
        self.skew_ms = skew_ms
        self.fuse = Fuse()
        self.disk = FusedDisk(self.fuse)
        self.is_up = False
        self.life = 0
        self.is_builder_bad = False
        self.kill_before_storing: int | None = None
        self.killed_with: Block | None = None
        self.disk_faults = 0
        self.rejections: list[Rejected] = []
        self._timers: dict[Timer, int] = {}
        self._execution: tuple[object, ...] | None = None
        self._asked_at_ms = -1_000_000
        self._claims: dict[bytes, int] = {}
        self._joining = Joining(0)
        self._is_shown = False
        self.validator: Validator

    # --- power ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        assert not self.is_up
        self.life += 1
        self.is_up = True
        self._timers.clear()
        self._execution = None
        self._asked_at_ms = -1_000_000
        self._claims.clear()
        self._joining = Joining(self.cluster.now_ms / 1000)
        self._is_shown = self.random.random() < 0.5
        self.guarded(self._start)

    def _start(self) -> None:
        self.chain.reopen()
        journal = WatchedJournal(JOURNAL, GENESIS_HASH, self.address, self.disk)
        journal.on_durable = lambda message: self.cluster.on_durable(self, message)
        if journal.height == self.chain.head.number + 1:
            journal.note(journal.records())  # the power may have gone between a sync and its return
        times = self.cluster.times
        self.validator = SharingValidator(
            times=state.Times(times.block_period_s, times.request_timeout_ms, times.request_timeout_max_ms),
            later_times=times.later,
            signer=self.signer,
            journal=journal,
            clock=self,
            timers=self,
            transport=self,
            executor=self,
            chain=self,
            observer=self,
            shape=self.cluster.shape,
        )
        self.validator.start(self.chain.head, self.chain.validators_after(self.chain.head))

    def crash(self) -> None:
        """Lose power: memory, unsynced bytes but for a torn beginning, and every session."""
        if not self.is_up:
            return
        self.is_up = False
        self.fuse.left = None
        self.disk.crash(self.random.choice((0, 0, 3, 40, 200)), is_zeroed=self.random.random() < 0.2)
        self.cluster.on_down(self)

    def guarded(self, action: Callable[..., None], *arguments: object) -> None:
        """Run what a process does at one event; its power may go in the middle, or its disk."""
        try:
            action(*arguments)
        except Killed:
            self.crash()
        except NodeFault as fault:
            if not self.disk.is_spoilt:
                raise Violation(f"{self.name}: stops of its own accord: {fault}") from fault
            self.disk_faults += 1
            self.disk.mend()
            self.crash()
            self.cluster.later(self.random.randint(500, 6_000), self.cluster.start, self)  # an operator made room

    # --- the validator's ports -----------------------------------------------------------------------------------

    def now_ms(self) -> int:
        return GENESIS_TIME_S * 1000 + self.cluster.now_ms + self.skew_ms

    def send(self, address: bytes, code: int, payload: bytes) -> None:
        self.fuse.touch()
        self.cluster.on_sent(self, code, payload)
        self.cluster.transmit(self, address, "istanbul", code, payload)

    def start_block_timer(self, height: int, at_s: int) -> None:
        self.start_timer(Timer.BLOCK, height, 0, max(0, at_s * 1000 - self.now_ms()))

    def start_timer(self, timer: Timer, height: int, round_number: int, after_ms: int) -> None:
        if timer is Timer.ROUND and after_ms > self.cluster.times.ceiling_ms(height):
            raise Violation(f"{self.name}: would wait {after_ms} ms in round {round_number} of height {height}")
        generation = self._timers[timer] = self._timers.get(timer, 0) + 1
        self.cluster.later(after_ms, self.fire, self.life, timer, generation, height, round_number)

    def build(self, height: int, round_number: int, parent: Header, not_before_s: int) -> None:
        times = self.cluster.times
        timestamp = max(not_before_s, self.now_ms() // 1000)
        block = self.chain.build(parent, self.address, round_number, timestamp)
        if self.is_builder_bad:
            block = replace(block, header=replace(block.header, state_root=bytes(32)))
        block = self.made(block, parent)
        self._execute(("built", height, round_number), block, times.execution_ms_min, times.execution_ms_max)

    def made(self, block: Block, parent: Header) -> Block:
        """Return what becomes of a block that the chain built; an adversary has its own ideas."""
        return block

    def validate(self, height: int, round_number: int, digest: bytes, block: Block) -> None:
        times = self.cluster.times
        least_ms, most_ms = SLOW_EXECUTION_MS if is_slow(block) else (times.execution_ms_min, times.execution_ms_max)
        self._execute(("validated", height, round_number, digest), block, least_ms, most_ms)

    def _execute(self, question: tuple[object, ...], block: Block, least_ms: int, most_ms: int) -> None:
        assert self._execution is None, f"{self.name}: two executions at once"
        self._execution = question
        self.cluster.later(self.random.randint(least_ms, most_ms), self.answer, self.life, question, block)

    def abort(self) -> None:
        assert self._execution is not None, f"{self.name}: aborts nothing"
        self.cluster.later(1, self.answer, self.life, self._execution, None)

    def commit(self, block: Block) -> None:
        if self.kill_before_storing == block.header.number:
            self.kill_before_storing = None
            self.killed_with = block
            raise Killed
        try:
            self._store(block, None)
        except InvalidBlock as error:
            raise Violation(f"{self.name}: decided what the chain refuses: {error}") from error

    def sync(self) -> None:
        self.chain.sync()

    def peer_ahead(self, address: bytes, height: int) -> None:
        if height > self.chain.head.number:
            self._ask(address)

    def peer_behind(self, address: bytes, height: int) -> None:
        self.cluster.transmit(self, address, "status", self.chain.head.number, b"")

    def rejected(self, note: Rejected) -> None:
        self.rejections.append(note)

    def equivocated(self, first: Message, second: Message) -> None:
        self.cluster.on_equivocation(self, first, second)

    # --- what happens --------------------------------------------------------------------------------------------

    def fire(self, life: int, timer: Timer, generation: int, height: int, round_number: int) -> None:
        if self.is_up and life == self.life and self._timers[timer] == generation:
            if timer in (Timer.BLOCK, Timer.ROUND) and self._is_early(height):
                self.start_timer(timer, height, round_number, ASK_AGAIN_MS)
            else:
                self.guarded(self.validator.on_timer, timer, height, round_number)

    def _is_early(self, height: int) -> bool:
        outlook = Outlook(
            head=self.chain.head.number,
            claims=tuple(self._claims.values()),
            unknown=0,
            is_decided=self._is_decided(height),
            needed=quorum(len(self.validator.state.validators)) - 1,
        )
        return self._joining.is_early(height, outlook, self.cluster.now_ms / 1000)

    def _is_decided(self, height: int) -> bool:
        """Whether a sealed header of this height is at hand: in some lives always when anybody has one, else never."""
        return self._is_shown and any(machine.chain.head.number >= height for machine in self.cluster.machines)

    def answer(self, life: int, question: tuple[object, ...], block: Block | None) -> None:
        if self.is_up and life == self.life and self._execution == question:
            self._execution = None
            self.guarded(self._answer, question, block)

    def _answer(self, question: tuple[object, ...], block: Block | None) -> None:
        match question:
            case ("built", int(height), int(round_number)):
                self.validator.on_built(height, round_number, block)
            case ("validated", int(height), int(round_number), bytes(digest)):
                if block is None:
                    self.validator.on_validated(height, round_number, digest, None)
                    return
                try:
                    self.chain.validate(block, self.now_ms() // 1000)
                except InvalidBlock as error:
                    self.validator.on_validated(height, round_number, digest, False, str(error))
                else:
                    self.validator.on_validated(height, round_number, digest, True)

    def connected(self, address: bytes) -> None:
        self.guarded(self._connected, address)

    def _connected(self, address: bytes) -> None:
        self.validator.on_peer_connected(address)
        self.cluster.transmit(self, address, "status", self.chain.head.number, b"")

    def disconnected(self, address: bytes) -> None:
        self._claims.pop(address, None)
        self.guarded(self.validator.on_peer_disconnected, address)

    def receive(self, source: bytes, kind: str, number: int, payload: bytes) -> None:
        self.guarded(self._receive, source, kind, number, payload)

    def _receive(self, source: bytes, kind: str, number: int, payload: bytes) -> None:
        if kind in ("status", "block"):
            self._claims[source] = max(number, self._claims.get(source, 0))
        match kind:
            case "istanbul":
                try:
                    self.validator.on_message(source, number, payload)
                except PeerError as error:
                    if self.cluster.is_honest(source):
                        raise Violation(f"{self.name}: an honest peer sent what does not decode: {error}") from error
                    self.cluster.drop(self, source)
            case "status" if number > self.chain.head.number:
                self._ask(source)
            case "ask":
                for height in range(number, number + BLOCKS_SERVED_MAX):
                    block = self.chain.block_at(height)
                    if block is not None:
                        self.cluster.transmit(self, source, "block", height, encode_block(block))
            case "block" if number > self.chain.head.number:
                try:
                    self._import(source, decode_block(payload))
                except InvalidBlock as error:
                    if self.cluster.is_honest(source):
                        raise Violation(f"{self.name}: an honest peer sent a false block: {error}") from error
                    self.cluster.drop(self, source)

    def _ask(self, address: bytes) -> None:
        """Ask for what follows our head; one question at a time, again when no answer came."""
        if self.cluster.now_ms - self._asked_at_ms > 200:
            self._asked_at_ms = self.cluster.now_ms
            self.cluster.transmit(self, address, "ask", self.chain.head.number + 1, b"")

    def _import(self, source: bytes, block: Block) -> None:
        number = block.header.number
        if number > self.chain.head.number + 1:
            self._ask(source)
        elif number == self.chain.head.number + 1:
            self._store(block, source)

    def _store(self, block: Block, source: bytes | None) -> None:
        self.fuse.touch()
        self.disk.check()
        number = block.header.number
        is_late = source is not None and self.now_ms() / 1000 - block.header.timestamp > LATE_S
        is_synced = not is_late or number % SYNC_EVERY == 0 or not self._is_decided(number + 1)
        if is_synced:
            self.validator.sync_journal()
        self.chain.commit(block, None, sync=is_synced)
        self.cluster.on_stored(self, block)
        if is_late:
            self._joining.upon_old_block(self.cluster.now_ms / 1000)
        self.fuse.touch()
        self.validator.on_new_head(block.header, self.chain.validators_after(block.header))
        encoded = encode_block(block)
        for address in self.cluster.addresses:
            if address not in (self.address, source):
                self.cluster.transmit(self, address, "block", block.header.number, encoded)
