"""A real Validator on a desk: its ports write down what comes, and a test plays the world around it."""

from pathlib import Path

from simulator.players import GENESIS, PERIOD_S, Player, child, players

from cocket.node.chain.block import Block
from cocket.node.chain.header import Header
from cocket.node.consensus.effects import Rejected, Timer
from cocket.node.consensus.messages import Code, Message
from cocket.node.consensus.state import Times
from cocket.node.store.disk import DiskFile, FakeDisk
from cocket.node.store.journal import SigningJournal
from cocket.node.validator import Validator

A, B, C, D, STRANGER = players(5)
ALL = tuple([player.address for player in (A, B, C, D)])
JOURNAL = Path("/home/journal")
GENESIS_HASH = bytes(32)
NAMES = {player.address: player.letter for player in (A, B, C, D, STRANGER)}


class LoggedDisk(FakeDisk):
    """A fake disk that says when something became durable."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.log = log

    def open(self, path: Path) -> DiskFile:
        return _LoggedFile(super().open(path), self.log)


class _LoggedFile:
    def __init__(self, file: DiskFile, log: list[str]) -> None:
        self._file, self._log = file, log
        self.read, self.append, self.truncate, self.close = file.read, file.append, file.truncate, file.close

    def sync(self) -> None:
        self._file.sync()
        self._log.append("sync")


class CountingSigner:
    """A player's signer that counts."""

    def __init__(self, player: Player) -> None:
        self.address = player.address
        self.count = 0
        self._signer = player.signer

    def sign_digest(self, digest: bytes) -> bytes:
        self.count += 1
        return self._signer.sign_digest(digest)


class Desk:
    """One validator, its disk, and the list of all it did; ``mark`` tells the blocks it builds from those of others."""

    def __init__(self, me: Player, disk: LoggedDisk | None = None, head: Header = GENESIS, **options: bool) -> None:
        self.me = me
        self.log: list[str] = []
        self.disk = disk or LoggedDisk(self.log)
        self.disk.log = self.log
        self.signer = CountingSigner(me)
        self.sent: list[tuple[bytes, int, bytes]] = []
        self.asked: list[tuple[int, int, bytes | None, Block | None]] = []
        self.committed: list[Block] = []
        self.answers_at_once = False
        self.mark = b""
        self.now = (GENESIS.timestamp + PERIOD_S) * 1000
        self.journal = SigningJournal(JOURNAL, GENESIS_HASH, me.address, self.disk)
        self.validator = Validator(
            times=Times(PERIOD_S, 2_000),
            signer=self.signer,
            journal=self.journal,
            clock=self,
            timers=self,
            transport=self,
            executor=self,
            chain=self,
            observer=self,
            is_journal_trusted=options.get("is_journal_trusted", False),
        )
        self.log.clear()
        self.validator.start(head, ALL)

    def now_ms(self) -> int:
        return self.now

    def send(self, address: bytes, code: int, payload: bytes) -> None:
        self.sent.append((address, code, payload))
        self.log.append(f"send {Code(code).name.lower()} to {NAMES[address]}")

    def start_block_timer(self, height: int, at_s: int) -> None:
        self.log.append(f"block timer {height}")

    def start_timer(self, timer: Timer, height: int, round_number: int, after_ms: int) -> None:
        self.log.append(f"{timer.value} timer {round_number}")

    def build(self, height: int, round_number: int, parent: Header, not_before_s: int) -> None:
        self.log.append(f"build {round_number}")
        self.asked.append((height, round_number, None, None))
        if self.answers_at_once:
            self.validator.on_built(height, round_number, child(parent, self.me.address, round_number, self.mark))

    def validate(self, height: int, round_number: int, digest: bytes, block: Block) -> None:
        self.log.append(f"validate {round_number}")
        self.asked.append((height, round_number, digest, block))
        if self.answers_at_once:
            self.validator.on_validated(height, round_number, digest, True)

    def abort(self) -> None:
        self.log.append("abort")

    def commit(self, block: Block) -> None:
        self.log.append(f"commit {block.header.number}")
        self.committed.append(block)

    def sync(self) -> None:
        self.log.append("sync chain")

    def peer_ahead(self, address: bytes, height: int) -> None:
        self.log.append(f"{NAMES[address]} ahead at {height}")

    def peer_behind(self, address: bytes, height: int) -> None:
        self.log.append(f"{NAMES[address]} behind at {height}")

    def rejected(self, note: Rejected) -> None:
        self.log.append(f"rejected {note.code.name.lower()}: {note.reason}")

    def equivocated(self, first: Message, second: Message) -> None:
        self.log.append(f"{NAMES[first.author]} signed two {second.code.name.lower()}s at {first.height}.{first.round}")

    # --- what a test does ----------------------------------------------------------------------------------------

    def connect(self, *peers: Player) -> "Desk":
        for player in peers:
            self.validator.on_peer_connected(player.address)
        return self

    def give(self, message: Message, via: Player | None = None) -> None:
        source = message.author if via is None else via.address
        self.validator.on_message(source, message.code, message.raw)

    def open(self) -> None:
        self.validator.on_timer(Timer.BLOCK, self.validator.state.height, 0)

    def take(self) -> list[str]:
        taken = list(self.log)
        self.log.clear()
        return taken

    def prepared(self) -> Block:
        """Go to where our Commit is sent, as one who does not propose."""
        self.answers_at_once = True
        block = child(GENESIS, A.address)
        self.open()
        self.give(A.proposal(block))
        self.give(A.prepare(block))
        self.give(C.prepare(block))
        return block

    def again(self, **options: bool) -> "Desk":
        """Lose power and start on what the disk has."""
        self.disk.crash()
        return Desk(self.me, self.disk, **options)
