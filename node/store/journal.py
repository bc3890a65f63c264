"""The signing journal: what this validator signed, on the disk before anybody else can see it.

Append-only and framed. It knows heights and opaque records; it never interprets, signs or sends. After a restart the
records of the open height are resent as they are and nothing is signed anew, so losing the journal is dangerous and
is made visible: ``is_fresh``, ``height`` and ``must_watch``.

File: a header (magic, format, genesis hash, validator address, CRC), then frames (:mod:`..frames`) whose mark is the
height. One ``append`` is one frame and one fsync. A torn write, which nobody has seen, is cut off; damage to what was
safe stops the node.

Starting a height costs no fsync: the next one carries it. The file is written anew only when it has
grown past ``COMPACT_BYTES`` and a height ends.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

from cocket.node.errors import NodeFault, Refused
from cocket.node.store.disk import Disk, DiskFile, RealDisk
from cocket.node.store.frames import encode_frame, is_damage, read_frame, with_checksum, without_checksum

FORMAT_VERSION = 1
COMPACT_BYTES = 16 * 1024 * 1024
# A record is a signed message or a block with its certificate; blocks are bounded to 10 MiB on the wire.
RECORD_BYTES_MAX = 32 * 1024 * 1024

_MAGIC = b"cocketj\n"
_HEADER = struct.Struct(">8sI32s20s")
_HEADER_BYTES = len(with_checksum(bytes(_HEADER.size)))


class SigningJournal:
    """The records of one validator's open height.

    ``height`` is the height started last, None when none was; ``is_fresh`` says that there was no journal and this
    opening made one; ``torn_bytes`` how much of a torn write it cut off.
    """

    def __init__(self, path: Path, genesis_hash: bytes, validator: bytes, disk: Disk | None = None) -> None:
        """Open the journal at ``path``, or make it.

        Refused when it is another chain's, another validator's or another format's; NodeFault when it is damaged or
        the disk fails.
        """
        self._path = path
        self._disk: Disk = RealDisk() if disk is None else disk
        self._header = _HEADER.pack(_MAGIC, FORMAT_VERSION, genesis_hash, validator)
        self._broken: str | None = None
        self._records: list[bytes] = []
        self._size = self._synced = 0
        self.height: int | None = None
        self.torn_bytes = 0
        try:
            self.is_fresh = not self._disk.exists(path)
            if self.is_fresh:
                self._file = self._write_anew(b"")
            else:
                self._file = self._disk.open(path)
                self._load()
        except OSError as error:
            raise NodeFault(
                f"journal {path}: {error}: make its folder writable, or make room, and start again"
            ) from error

    def records(self) -> tuple[bytes, ...]:
        """Return the records of the current height, oldest first."""
        return tuple(self._records)

    def append(self, *records: bytes) -> None:
        """Put records of the open height on the disk; when it returns they may be sent.

        However many, they are one frame and one fsync. NodeFault when no height was started, and when the disk fails;
        the journal then takes nothing any more.
        """
        self._write(_frame(self._open_height(), records, self._synced), sync=True)
        self._records += records

    def append_all(self, records: Sequence[bytes]) -> None:
        """Put several records on the disk with one fsync; see ``append``."""
        self.append(*records)

    def start_height(self, height: int, sync: bool = False) -> None:
        """Open a height and forget the records of earlier ones; nothing when it is open already.

        Without ``sync`` it costs no fsync: a crash may undo it, and then the records before it are there again.
        NodeFault for a height below the open one: it may have been signed for already.
        """
        if height == self.height:
            return
        self._check_height(height)
        if self._size > COMPACT_BYTES:
            self.replace(height)
            return
        self._write(_frame(height, (), self._synced), sync=sync)
        self.height = height
        self._records.clear()

    def sync(self) -> None:
        """Make the height that was started last durable; nothing when it is."""
        if self._synced < self._size:
            self._write(b"", sync=True)

    def replace(self, height: int, *records: bytes) -> None:
        """Put ``records`` in place of everything: for an open height that went through very many rounds."""
        self._check_height(height)
        self._check_whole()
        try:
            old = self._file
            self._file = self._write_anew(_frame(height, records, _HEADER_BYTES))
            old.close()
        except OSError as error:
            self._fail(error)
        self.height = height
        self._records = list(records)

    def must_watch(self, head_number: int) -> bool:
        """Return whether this journal cannot say what was signed for the next height of a chain ending at a number.

        So it is beside a chain when it is new (height 0) or older than the chain, and when it is ahead of a chain that
        was restored. Such a validator signs nothing. In the last case that ends by itself at ``height``; in the others
        the caller ends it by ``start_height``, and must not call that before a height is final whose block was proposed
        after this start: blocks caught up with may be older than what was signed.
        """
        height = self.height or 0
        return height < head_number or height > head_number + 1

    @property
    def size_bytes(self) -> int:
        """The size of the file; the caller may ``replace`` when one height fills it."""
        return self._size

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _open_height(self) -> int:
        if self.height is None:
            raise NodeFault("journal: a record before any height was started: it may sign twice")
        return self.height

    def _check_height(self, height: int) -> None:
        if self.height is not None and height < self.height:
            raise NodeFault(f"journal: height {height} after height {self.height}: it may sign twice")

    def _write(self, data: bytes, *, sync: bool) -> None:
        self._check_whole()
        try:
            self._file.append(data)
            if sync:
                self._file.sync()
        except OSError as error:
            self._fail(error)
        self._size += len(data)
        if sync:
            self._synced = self._size

    def _check_whole(self) -> None:
        if self._broken is not None:
            raise NodeFault(f"journal {self._path}: no write after one that failed ({self._broken}): restart the node")

    def _fail(self, error: OSError) -> None:
        self._broken = str(error)
        raise NodeFault(
            f"journal {self._path}: a write failed ({error}): nothing more is signed; make room on the disk, or "
            "replace it, and start the node again"
        ) from error

    def _write_anew(self, frame: bytes) -> DiskFile:
        """Write a whole journal beside the old one, then put it in its place."""
        beside = self._path.with_name(self._path.name + ".new")
        file = self._disk.open(beside)
        file.truncate(0)
        file.append(with_checksum(self._header) + frame)
        file.sync()
        self._disk.rename(beside, self._path)
        self._disk.sync_folder(self._path.parent)
        self._size = self._synced = _HEADER_BYTES + len(frame)
        return file

    def _load(self) -> None:
        data = self._file.read()
        _validate_header(data, self._header, self._path)
        position = _HEADER_BYTES
        while position < len(data):
            frame = read_frame(data, position)
            if frame is None:
                self._cut(data, position)
                break
            height, records, position = frame
            if self.height is not None and height < self.height:
                raise NodeFault(f"journal {self._path}: height {height} after {self.height}: {_DAMAGED}")
            if height != self.height:
                self._records.clear()
            self.height = height
            self._records += records
        self._file.sync()  # a height mark may still be on its way
        self._size = self._synced = position

    def _cut(self, data: bytes, position: int) -> None:
        """Cut a torn write off, unless a later frame says that what is bad here was once safe."""
        if is_damage(data, position):
            raise NodeFault(f"journal {self._path}: bad frame at byte {position}: {_DAMAGED}")
        self.torn_bytes = len(data) - position
        self._file.truncate(position)


_DAMAGED = (
    "it is damaged; move it away and start again: the node then watches until a new height is final before it signs"
)


def _frame(height: int, records: Sequence[bytes], synced: int) -> bytes:
    for record in records:
        if len(record) > RECORD_BYTES_MAX:
            raise NodeFault(f"journal: a record of {len(record)} bytes, at most {RECORD_BYTES_MAX} are kept")
    return encode_frame(height, records, synced)


def _validate_header(data: bytes, expected: bytes, path: Path) -> None:
    """Refuse a journal that is not this chain's and this validator's."""
    header = without_checksum(data, _HEADER.size)
    if header is None:
        raise NodeFault(f"journal {path}: bad header: {_DAMAGED}")
    if header == expected:
        return
    magic, version, genesis_hash, validator = _HEADER.unpack(header)
    if (magic, version) != (_MAGIC, FORMAT_VERSION):
        raise Refused(f"journal {path}: format {version} found, this program reads {FORMAT_VERSION}: use its program")
    _, _, expected_genesis, expected_validator = _HEADER.unpack(expected)
    if genesis_hash != expected_genesis:
        raise Refused(
            f"journal {path}: it is of the chain with genesis 0x{genesis_hash.hex()}, this one has "
            f"0x{expected_genesis.hex()}: use the home that belongs to this chain"
        )
    raise Refused(
        f"journal {path}: it is of the validator 0x{validator.hex()}, this node's key is 0x{expected_validator.hex()}: "
        "put the right key in place; for a new key use a new home"
    )
