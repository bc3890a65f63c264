"""Period files: how the receipts of one period, and how it was closed, lie in a file; bytes in and out, no disk.

A header (magic, format, genesis hash, keeper, sequence, number of the first receipt, root before; CRC), then frames
(:mod:`cocket.node.store.frames`) whose mark is the number of their first receipt. A record is ``01`` and a request's
expiry 8, nonce 32 and receipt; or ``02`` and the time of closing 8, seed 32, root 32: the last of its file.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cocket.attestation.errors import InvalidFile
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.reading.receipt import RECEIPT_BYTES, decode_receipt
from cocket.attestation.reading.receipts import PERIOD_SEED_BYTES
from cocket.node.errors import NodeFault, Refused
from cocket.node.store.frames import encode_frame, read_frame, with_checksum, without_checksum

FORMAT_VERSION = 3
RESTORE = "it is damaged; restore it from the newest copy: the vault goes on if that agrees with its last anchored root"

_MAGIC = b"cocketr\n"
_HEADER = struct.Struct(f">8sI{HASH_BYTES}sQQQ{HASH_BYTES}s")
_RECEIPT = struct.Struct(f">BQ{HASH_BYTES}s{RECEIPT_BYTES}s")
_CLOSING = struct.Struct(f">BQ{PERIOD_SEED_BYTES}s{HASH_BYTES}s")
_RECEIPT_TYPE, _CLOSING_TYPE = 1, 2


@dataclass(frozen=True, slots=True)
class Noted:
    """A receipt's bytes as they are kept: with the nonce of its request and until when that is remembered."""

    receipt: bytes
    nonce: bytes
    expires: int


@dataclass(frozen=True, slots=True)
class Closing:
    """How a period ended: when, and the seed and the root that were made for it."""

    time_s: int
    seed: bytes
    root: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """Whose receipts a file has, and from which on."""

    genesis_hash: bytes
    keeper: int
    sequence: int
    first: int
    previous: bytes


@dataclass(frozen=True, slots=True)
class PeriodFile:
    """What is in a file as far as it is good, which is ``good_bytes`` of it; ``closing`` is None while it is open."""

    header: Header
    noted: tuple[Noted, ...]
    closing: Closing | None
    good_bytes: int

    @property
    def time_s(self) -> int:
        """The last time that it says; 0 when it says none."""
        if self.closing is not None:
            return self.closing.time_s
        return decode_receipt(self.noted[-1].receipt).time_s if self.noted else 0


def encode_header(header: Header) -> bytes:
    """Return the beginning of a file."""
    numbers = (header.keeper, header.sequence, header.first)
    return with_checksum(_HEADER.pack(_MAGIC, FORMAT_VERSION, header.genesis_hash, *numbers, header.previous))


def encode_noted(noted: Sequence[Noted], number: int, size: int) -> bytes:
    """Return receipts from a number on as one frame, for a file of ``size`` bytes on the disk."""
    records = [_RECEIPT.pack(_RECEIPT_TYPE, each.expires, each.nonce, each.receipt) for each in noted]
    return encode_frame(number, records, size)


def encode_closing(closing: Closing, number: int, size: int) -> bytes:
    """Return the end of a file of ``size`` bytes; ``number`` is the next receipt's."""
    return encode_frame(number, [_CLOSING.pack(_CLOSING_TYPE, closing.time_s, closing.seed, closing.root)], size)


def parse_period_file(data: bytes, path: Path, genesis_hash: bytes, keeper: int, sequence: int) -> PeriodFile:
    """Return what is in a file, up to where it is good.

    Refused when it is another chain's or keeper's or format's; NodeFault when what is whole in it is wrong.
    """
    header, at = _parse_header(data, path, genesis_hash, keeper, sequence)
    noted: list[Noted] = []
    closing: Closing | None = None
    while closing is None and (frame := read_frame(data, at)) is not None:
        if frame.mark != header.first + len(noted):
            expected = header.first + len(noted)
            raise NodeFault(f"register {path}: receipt {frame.mark} where {expected} must be: {RESTORE}")
        for record in frame.records:
            found = None if closing is not None else _parse_record(record, header.first + len(noted), keeper)
            if found is None:
                raise NodeFault(f"register {path}: no receipt {header.first + len(noted)} where it must be: {RESTORE}")
            if isinstance(found, Closing):
                closing = found
            else:
                noted.append(found)
        at = frame.end
    return PeriodFile(header, tuple(noted), closing, at)


def _parse_record(record: bytes, number: int, keeper: int) -> Noted | Closing | None:
    """Return what a record is; None when it is neither the receipt of that number nor a closing."""
    if len(record) == _CLOSING.size and record[0] == _CLOSING_TYPE:
        return Closing(*_CLOSING.unpack(record)[1:])
    if len(record) != _RECEIPT.size or record[0] != _RECEIPT_TYPE:
        return None
    _, expires, nonce, data = _RECEIPT.unpack(record)
    try:
        receipt = decode_receipt(data)
    except InvalidFile:
        return None
    return Noted(data, nonce, expires) if (receipt.number, receipt.keeper) == (number, keeper) else None


def _parse_header(data: bytes, path: Path, genesis_hash: bytes, keeper: int, sequence: int) -> tuple[Header, int]:
    raw = without_checksum(data, _HEADER.size)
    if raw is None:
        raise NodeFault(f"register {path}: bad header: {RESTORE}")
    magic, version, *parts = _HEADER.unpack(raw)
    if (magic, version) != (_MAGIC, FORMAT_VERSION):
        raise Refused(f"register {path}: format {version} found, this program reads {FORMAT_VERSION}: use its program")
    header = Header(*parts)
    if header.genesis_hash != genesis_hash:
        raise Refused(
            f"register {path}: it is of the chain with genesis 0x{header.genesis_hash.hex()}, this one has "
            f"0x{genesis_hash.hex()}: use the home that belongs to this chain"
        )
    if header.keeper != keeper:
        raise Refused(f"register {path}: it is of party {header.keeper}, this keeper is {keeper}: use its own home")
    if header.sequence != sequence:
        raise NodeFault(f"register {path}: it is of period {header.sequence}: give it its name back")
    return header, len(with_checksum(raw))
