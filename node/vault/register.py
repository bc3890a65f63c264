"""The register: a keeper's receipts and the nonces of its requests, on the disk before anything is answered.

It numbers the receipts without gaps, takes each nonce once, and closes periods: seed and root of each are on the disk
before the root is sent anywhere. It never decides about a read and never sends. Several threads may append; what waits
goes to the disk with one fsync. One file a period (``000000000001.receipts``, :mod:`..period_file`).

A register that was restored from a copy would give numbers and take nonces a second time. So nothing is written before
``agree`` was told what the ledger has as this keeper's last anchored root, and the register has the same. What it
cannot see is a copy that lacks only receipts of the period that is open still.
"""

import errno
import re
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from cocket.attestation.errors import AttestationError
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.reading.receipt import Receipt, decode_receipt, encode_receipt, leaf_of
from cocket.attestation.reading.receipts import DEPTH_MAX, FIRST_SEQUENCE, NO_ROOT, Period, root_over
from cocket.attestation.reading.request import EXPIRY_S_MAX
from cocket.node.errors import Damaged, NodeError, NodeFault, Refused
from cocket.node.store.disk import Disk, DiskFile, RealDisk
from cocket.node.store.frames import is_damage
from cocket.node.vault.nonces import CLOCK_BACK_S_MAX, Nonces
from cocket.node.vault.period_file import (
    RESTORE,
    Closing,
    Header,
    Noted,
    PeriodFile,
    encode_closing,
    encode_header,
    encode_noted,
    parse_period_file,
)

RECEIPTS_MAX = 1 << DEPTH_MAX
TOGETHER_MAX = 1024
"""Receipts that go to the disk with one fsync: 260 kB."""

_NAME = re.compile(r"([0-9]{12})\.receipts", re.ASCII)
_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """What is to be anchored of a period: its sequence and its root."""

    sequence: int
    root: bytes


class _Entry:
    """A receipt that waits for the disk, and what became of it."""

    __slots__ = ("error", "expires", "is_written", "nonce", "receipt")

    def __init__(self, receipt: Receipt, nonce: bytes, expires: int) -> None:
        self.receipt = receipt
        self.nonce = nonce
        self.expires = expires
        self.is_written = False
        self.error: NodeError | None = None


class Register:
    """One keeper's receipts.

    ``number`` is the next receipt's; ``sequence`` the open period's; ``is_fresh`` says that there was no register and
    this opening made one; ``torn_bytes`` how much of a torn write it cut off.
    """

    def __init__(self, folder: Path, genesis_hash: bytes, keeper: int, now_s: int, disk: Disk | None = None) -> None:
        """Open the register in a folder, or make it.

        Refused when it is another chain's, another keeper's or another format's, or the clock is behind it; NodeFault
        when it is damaged or the disk fails.
        """
        self._folder = folder
        self._genesis_hash, self._keeper = genesis_hash, keeper
        self._disk: Disk = RealDisk() if disk is None else disk
        self._writing = threading.Lock()
        self._queueing = threading.Lock()
        self._waiting: list[_Entry] = []
        self._broken: str | None = None
        self._is_agreed = False
        self._nonces = Nonces()
        self.torn_bytes = 0
        try:
            self._load()
        except OSError as error:
            raise NodeFault(
                f"register {folder}: {error}: make it writable for this user, or make room, and start again"
            ) from error
        if now_s < self._nonces.time_s - CLOCK_BACK_S_MAX:
            self.close()
            raise Refused(
                f"register {folder}: the clock says {now_s}, the last entry is of {self._nonces.time_s}: set the "
                "clock; with an earlier one requests that expired could be sent again"
            )

    def agree(self, sequence: int, root: bytes) -> None:
        """Take what the ledger has as this keeper's last anchored root (sequence 0: none); to be told before all else.

        Refused when this register does not have it: it is an older copy, or another history. Then nothing is written.
        """
        with self._writing:
            problem = self._disagreement(sequence, root)
            self._is_agreed = problem is None
        if problem is not None:
            raise Refused(f"register {self._folder}: {problem}")

    def agrees_with(self, sequence: int, root: bytes) -> bool:
        """Return whether this register has that anchored root (sequence 0: none is anchored)."""
        with self._writing:
            return self._disagreement(sequence, root) is None

    def is_used(self, reader: bytes, nonce: bytes) -> bool:
        """Return whether a reader's nonce was used by a request that has not expired; ``append`` asks again."""
        return self._nonces.is_used(reader, nonce)

    def append(self, receipt: Receipt, nonce: bytes, expires: int) -> Receipt:
        """Number a receipt and put it with its nonce on the disk; when it returns, the request may be answered.

        The number in ``receipt`` is not used, and its time never goes back. Blocks until it is on the disk, together
        with all that other threads append meanwhile. Refused: a nonce used before, an expired request, a period or disk
        that is full, a clock that went back, a register that does not agree with the ledger. NodeFault when the disk
        fails; the register then takes nothing any more. Either way nothing may be answered.
        """
        self._validate(receipt, nonce)
        entry = _Entry(receipt, nonce, expires)
        with self._queueing:
            self._waiting.append(entry)
        with self._writing:
            while not entry.is_written and entry.error is None:
                with self._queueing:
                    batch, self._waiting = self._waiting[:TOGETHER_MAX], self._waiting[TOGETHER_MAX:]
                self._append_all(batch)
        if entry.error is not None:
            raise entry.error
        return entry.receipt

    def close_period(self, seed: bytes, now_s: int) -> ClosedPeriod:
        """End the open period and begin the next; when it returns, seed and root are on the disk.

        ``seed`` is 32 random bytes, used for nothing else. Only then may the root be sent.
        """
        with self._writing:
            self._check()
            root = root_over(self._keeper, self.sequence, self._first, self._previous, seed, self._leaves)
            closing = Closing(self._nonces.advance(now_s), seed, root)
            self._write(encode_closing(closing, self.number, self._size))
            closed, old = ClosedPeriod(self.sequence, root), self._file
            try:
                self._begin(self.sequence + 1, root)
            except OSError as error:
                self._fail(error)
            old.close()
            return closed

    def closed_after(self, sequence: int) -> tuple[ClosedPeriod, ...]:
        """Return the closed periods after the last anchored one: those still to be sent, in order."""
        with self._writing:
            pending = range(max(sequence + 1, FIRST_SEQUENCE), self.sequence)
            return tuple([ClosedPeriod(each, self._root_of(each)) for each in pending])

    def root_of(self, sequence: int) -> bytes:
        """Return a closed period's root; Refused when there is none, Damaged when its file is not what was written."""
        with self._writing:
            return self._root_of(sequence)

    def period(self, sequence: int) -> Period:
        """Return a closed period with its receipts and seed, for an auditor or for a receipt's path."""
        file, closing = self._closed(sequence)
        receipts = tuple([each.receipt for each in file.noted])
        return Period(self._keeper, sequence, file.header.first, file.header.previous, closing.seed, receipts)

    @property
    def open_count(self) -> int:
        """How many receipts the open period has; at ``RECEIPTS_MAX`` it must be closed."""
        return len(self._leaves)

    def close(self) -> None:
        """Give the open file back."""
        self._file.close()

    def _disagreement(self, sequence: int, root: bytes) -> str | None:
        """Return why this register is not the one whose root is anchored last; None when it is."""
        if sequence == 0:
            return None
        if sequence >= self.sequence:
            return (
                f"the ledger has its period {sequence}, this copy ends with {self.sequence - 1}: it is an older copy, "
                "restore a newer one; to go on from here would give numbers and take nonces a second time"
            )
        found = self._root_of(sequence)
        if found != root:
            return (
                f"period {sequence} has root 0x{found.hex()}, the ledger has 0x{root.hex()}: it is another history, "
                "restore the one that was anchored, and see that no second vault runs on a copy of this home"
            )
        return None

    def _root_of(self, sequence: int) -> bytes:
        if sequence == self.sequence - 1 and sequence >= FIRST_SEQUENCE:
            return self._previous
        return self._closed(sequence)[1].root

    def _closed(self, sequence: int) -> tuple[PeriodFile, Closing]:
        path = self._path(sequence)
        if not FIRST_SEQUENCE <= sequence < self.sequence:
            raise Refused(f"register {self._folder}: period {sequence}: {self.sequence - FIRST_SEQUENCE} are closed")
        try:
            data = self._disk.read(path)
        except OSError as error:
            raise NodeFault(f"register {path}: {error}") from error
        if data is None:
            raise Damaged(f"register {path}: it is not there; put it back from a copy")
        try:
            file = self._parse(data, sequence)
        except NodeFault as error:
            raise Damaged(str(error)) from None
        if file.closing is None or file.good_bytes != len(data):
            raise Damaged(f"register {path}: it does not end with its root; put it back from a copy")
        return file, file.closing

    def _validate(self, receipt: Receipt, nonce: bytes) -> None:
        """Refuse what only a bug can bring here."""
        if receipt.keeper != self._keeper or len(nonce) != HASH_BYTES:
            raise NodeFault(f"register: a receipt of keeper {receipt.keeper} with a nonce of {len(nonce)} bytes")
        try:
            encode_receipt(receipt)
        except AttestationError as error:
            raise NodeFault(f"register: {error}") from error

    def _append_all(self, batch: list[_Entry]) -> None:
        taken: list[_Entry] = []
        fault: NodeError = NodeFault(f"register {self._folder}: a write was interrupted")
        try:
            self._check()
            taken = self._taken(batch)
            noted = [Noted(encode_receipt(entry.receipt), entry.nonce, entry.expires) for entry in taken]
            if noted:
                self._write(encode_noted(noted, self.number, self._size))
            self._leaves += [leaf_of(each.receipt) for each in noted]
            self.number += len(noted)
            for entry in taken:
                entry.is_written = True
        except NodeError as error:
            fault = error
            for entry in taken:
                self._nonces.forget(entry.receipt.reader, entry.nonce, entry.expires)
        finally:
            for entry in batch:
                if not entry.is_written and entry.error is None:
                    entry.error = fault

    def _taken(self, batch: list[_Entry]) -> list[_Entry]:
        """Return the entries that can be written, with number and time; the others get their error."""
        taken: list[_Entry] = []
        for entry in batch:
            try:
                time_s = self._nonces.advance(entry.receipt.time_s)
                self._nonces.validate(entry.receipt.reader, entry.nonce, entry.expires)
                if len(self._leaves) + len(taken) >= RECEIPTS_MAX:
                    raise Refused(f"the period has {RECEIPTS_MAX} receipts, as many as it can: it must be closed first")
            except Refused as error:
                entry.error = error
                continue
            self._nonces.remember(entry.receipt.reader, entry.nonce, entry.expires)
            entry.receipt = replace(entry.receipt, number=self.number + len(taken), time_s=time_s)
            taken.append(entry)
        return taken

    def _check(self) -> None:
        if self._broken is not None:
            raise NodeFault(
                f"register {self._folder}: no write after one that failed ({self._broken}): restart the vault"
            )
        if not self._is_agreed:
            raise Refused(
                f"register {self._folder}: it was not compared with the ledger's last anchored root, or does not agree"
            )

    def _write(self, frame: bytes) -> None:
        self._broken = "it was interrupted"  # unless this comes to its end
        try:
            self._file.append(frame)
        except OSError as error:
            self._undo(error)
        try:
            self._file.sync()
        except OSError as error:
            self._fail(error)
        self._broken = None
        self._size += len(frame)

    def _undo(self, error: OSError) -> None:
        """Take back what was written of a frame when the disk is full: nobody has seen it."""
        if error.errno not in _FULL:
            self._fail(error)
        try:
            self._file.truncate(self._size)
        except OSError as second:
            self._fail(second)
        self._broken = None
        raise Refused(f"register {self._folder}: the disk is full: make room, nothing is answered before") from error

    def _fail(self, error: OSError) -> None:
        self._broken = str(error)
        raise NodeFault(
            f"register {self._folder}: a write failed ({error}): nothing more is answered; make room on the disk, or "
            "replace it, and start the vault again"
        ) from error

    def _path(self, sequence: int) -> Path:
        return self._folder / f"{sequence:012d}.receipts"

    def _parse(self, data: bytes, sequence: int) -> PeriodFile:
        return parse_period_file(data, self._path(sequence), self._genesis_hash, self._keeper, sequence)

    def _begin(self, sequence: int, previous: bytes) -> None:
        """Make the file of a period, whole or not at all."""
        header = encode_header(Header(self._genesis_hash, self._keeper, sequence, self.number, previous))
        path = self._path(sequence)
        beside = path.with_name(path.name + ".new")
        file = self._disk.open(beside)
        file.truncate(0)
        file.append(header)
        file.sync()
        self._disk.rename(beside, path)
        self._disk.sync_folder(self._folder)
        self._file: DiskFile = file
        self._size = len(header)
        self.sequence, self._first, self._previous = sequence, self.number, previous
        self._leaves: list[bytes] = []

    def _load(self) -> None:
        self._disk.make_folder(self._folder)
        names = [match for name in self._disk.sizes(self._folder) if (match := _NAME.fullmatch(name))]
        sequences = sorted(int(match[1]) for match in names)
        self.is_fresh = not sequences
        self.number = 0
        if self.is_fresh:
            self._begin(FIRST_SEQUENCE, NO_ROOT)
        else:
            self._load_nonces(self._load_newest(sequences[-1]))

    def _load_newest(self, sequence: int) -> PeriodFile:
        path = self._path(sequence)
        file = self._disk.open(path)
        data = file.read()
        newest = self._parse(data, sequence)
        if newest.good_bytes < len(data):
            if newest.closing is not None or is_damage(data, newest.good_bytes):
                raise NodeFault(f"register {path}: bad frame at byte {newest.good_bytes}: {RESTORE}")
            self.torn_bytes = len(data) - newest.good_bytes
            file.truncate(newest.good_bytes)
        file.sync()
        self._file, self._size = file, newest.good_bytes
        self.sequence, self._first, self._previous = sequence, newest.header.first, newest.header.previous
        self.number = self._first + len(newest.noted)
        self._leaves = [leaf_of(each.receipt) for each in newest.noted]
        if newest.closing is not None:
            self._begin(sequence + 1, newest.closing.root)
            file.close()
        return newest

    def _load_nonces(self, newest: PeriodFile) -> None:
        """Remember the nonces of all requests that may not have expired; they are in the newest files."""
        files = [newest]
        for sequence in reversed(range(FIRST_SEQUENCE, newest.header.sequence)):
            path = self._path(sequence)
            data = self._disk.read(path)
            if data is None:
                raise NodeFault(
                    f"register {path}: it is not there; put it back from a copy: nonces in it may be in use"
                )
            file = self._parse(data, sequence)
            if file.closing is None:
                raise NodeFault(f"register {path}: it does not end with its root: {RESTORE}")
            files.append(file)
            if file.time_s + EXPIRY_S_MAX < max(each.time_s for each in files):
                break
        self._nonces.advance(max(each.time_s for each in files))
        for each in [each for file in files for each in file.noted if each.expires >= self._nonces.time_s]:
            self._nonces.remember(decode_receipt(each.receipt).reader, each.nonce, each.expires)
