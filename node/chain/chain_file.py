"""A chain as a file: sealed blocks as RLP, one after the other, to carry a chain to another node or program.

The format is that of Besu's and geth's block export. Reading is streaming and bounded: one block at a time, and an
oversized one is refused before it is read. What is read goes through the importer like everything else.
"""

import os
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path

from cocket.node.chain.block import Block, decode_block, encode_block, encode_body
from cocket.node.chain.header import block_hash
from cocket.node.chain.importer import Importer
from cocket.node.chain.ledger import Ledger
from cocket.node.errors import InvalidBlock, NodeFault, Refused

BLOCK_BYTES_MAX = 32 * 1024 * 1024
"""Three times what peers accept in a message, so that any block that was ever final fits."""

SYNC_EVERY = 64
"""Blocks between fsyncs while a file is imported: a crash costs those again, and nothing else."""

Progress = Callable[[int, int], None]
"""Called with each block's number when it is done, and the bytes of the file up to its end."""


class MalformedFile(InvalidBlock):
    """The bytes at a place of the file are no block."""


class CutFile(InvalidBlock):
    """The file ends within a block; all before it are whole."""


class ForeignChain(Refused):
    """The file's blocks belong to the chain of another network."""


def import_file(
    importer: Importer,
    ledger: Ledger,
    path: Path,
    progress: Progress = lambda _number, _end: None,
    *,
    sync_every: int = SYNC_EVERY,
) -> int:
    """Import every block of a file and return how many were new.

    Blocks that are here already are compared and passed over, block 0 too. InvalidBlock says which block of the file,
    at which byte, breaks which rule; all blocks before it stay imported. ForeignChain when the first block is not on
    our chain; Refused when blocks are missing between our head and it.
    """
    added = 0
    try:
        for at, end, block in _read_places(path):
            number = block.header.number
            if at == 0:
                _validate_first(block, ledger, path)
            is_new = number > ledger.head.number
            try:
                if is_new:
                    importer.import_block(block, sync=(added + 1) % sync_every == 0)
                else:
                    _compare(block, ledger)
            except InvalidBlock as error:
                raise InvalidBlock(f"{path}: block {number} at byte {at}: {error}") from error
            added += is_new
            progress(number, end)
    except NodeFault:
        raise  # the disk failed, or we did: nothing may be written any more
    except BaseException:
        ledger.sync()
        raise
    ledger.sync()
    return added


def export_file(
    ledger: Ledger,
    path: Path,
    first: int = 0,
    last: int | None = None,
    progress: Progress = lambda _number, _end: None,
) -> int:
    """Write the blocks from ``first`` to ``last`` (the head) to a new file and return how many they are.

    The file appears when it is whole and on the disk, readable by its owner alone; before, and when anything fails,
    nothing of that name is there.
    """
    last = ledger.head.number if last is None else last
    if not 0 <= first <= last <= ledger.head.number:
        raise Refused(f"export: blocks {first} to {last} asked for, the chain has 0 to {ledger.head.number}")
    if os.path.lexists(path):
        raise Refused(f"{path}: it exists already: choose another name")
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)  # what an export left that was killed
        try:
            _write_blocks(ledger, partial, range(first, last + 1), progress)
            partial.rename(path)
            _sync_folder(path.parent)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise NodeFault(f"{path}: {error}: nothing was exported; make the folder writable, or make room") from error
    return last - first + 1


def read_blocks(path: Path) -> Iterator[tuple[int, Block]]:
    """Yield (byte position, block) for each block of a file.

    MalformedFile where it is none, CutFile where the file ends within one; Refused when it cannot be read.
    """
    return ((at, block) for at, _, block in _read_places(path))


def _write_blocks(ledger: Ledger, partial: Path, numbers: range, progress: Progress) -> None:
    end = 0
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        for number in numbers:
            block = ledger.block_by_number(number)
            if block is None:
                raise NodeFault(f"database: block {number} is missing: restore it from a copy")
            end += file.write(encode_block(block))
            progress(number, end)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_places(path: Path) -> Iterator[tuple[int, int, Block]]:
    """Yield (first byte, end, block) for each block of a file."""
    try:
        with path.open("rb") as file:
            at, before = 0, "at the beginning"
            while data := _read_item(file, path, at, before):
                try:
                    block = decode_block(data)
                except InvalidBlock as error:
                    raise MalformedFile(f"{path}: at byte {at}, {before}: {error}") from error
                yield at, at + len(data), block
                at, before = at + len(data), f"after block {block.header.number}"
    except OSError as error:
        raise Refused(f"{path}: {error}") from error


def _read_item(file: BufferedReader, path: Path, at: int, before: str) -> bytes:
    """Return the next RLP list whole, or nothing at the end of the file."""
    lead = file.read(1)
    if not lead:
        return b""
    where = f"{path}: at byte {at}, {before}"
    if lead[0] < 0xC0:
        raise MalformedFile(f"{where}: found 0x{lead.hex()}, expected a block (an RLP list)")
    width = max(0, lead[0] - 0xF7)
    prefix = file.read(width)
    size = int.from_bytes(prefix, "big") if width else lead[0] - 0xC0
    if size > BLOCK_BYTES_MAX:
        raise MalformedFile(f"{where}: found a block of {size} bytes, expected at most {BLOCK_BYTES_MAX}")
    payload = file.read(size)
    if len(prefix) < width or len(payload) < size:
        raise CutFile(f"{where}: found the end of the file within a block")
    return lead + prefix + payload


def _validate_first(block: Block, ledger: Ledger, path: Path) -> None:
    """Refuse a file whose first block does not go on from, or repeat, what is here; its own rules come later."""
    header, head = block.header, ledger.head
    ours = ledger.genesis.hash if header.number == 0 else ledger.hash_by_number(header.number - 1)
    if ours is None:
        raise Refused(
            f"{path}: it begins with block {header.number}, the chain here ends with block {head.number}: import "
            f"blocks {head.number + 1} to {header.number - 1} first"
        )
    if header.number == 0:
        what, found = "its block 0 is", block_hash(header)
    else:
        what, found = f"its first block, {header.number}, follows on", header.parent_hash
    if found != ours:
        raise ForeignChain(
            f"{path}: it holds the chain of another network: {what} 0x{found.hex()}, expected 0x{ours.hex()} of the "
            f"network with genesis 0x{ledger.genesis.hash.hex()}"
        )


def _compare(block: Block, ledger: Ledger) -> None:
    """Refuse another block than the final one of its height; only its seals may be others."""
    found, ours = block_hash(block.header), ledger.hash_by_number(block.header.number)
    if ours is None or found != ours:
        expected = "none" if ours is None else "0x" + ours.hex()
        raise InvalidBlock(f"found 0x{found.hex()}, but {expected} is final here at this height")
    if encode_body(block.body) != ledger.body_bytes(ours):
        raise InvalidBlock(f"its transactions are not those of 0x{ours.hex()}, which is final here")
