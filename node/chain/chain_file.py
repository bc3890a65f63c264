"""A chain as a file: sealed blocks as RLP, one after the other, to carry a chain to another node or program.

Reading is streaming and bounded: one block at a time, and an oversized one is refused before it is read. What is read
goes through the importer like everything else.
"""

from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path

from cocket.node.chain.block import Block, decode_block, encode_block
from cocket.node.chain.header import block_hash
from cocket.node.chain.importer import Importer
from cocket.node.chain.ledger import Ledger
from cocket.node.errors import InvalidBlock, NodeFault, Refused

BLOCK_BYTES_MAX = 32 * 1024 * 1024
"""Three times what peers accept in a message, so that any block that was ever final fits."""

SYNC_EVERY = 64
"""Blocks between fsyncs while a file is imported: a crash costs those again, and nothing else."""

Progress = Callable[[int], None]
"""Called with each block's number when it is done."""


def import_file(
    importer: Importer,
    ledger: Ledger,
    path: Path,
    progress: Progress = lambda _: None,
    *,
    sync_every: int = SYNC_EVERY,
) -> int:
    """Import every block of a file and return how many were new.

    Blocks that are here already are passed over, block 0 too when it is ours. InvalidBlock says which block of the
    file, at which byte, breaks which rule; all blocks before it stay imported.
    """
    added = 0
    try:
        for at, block in read_blocks(path):
            number = block.header.number
            is_new = number > ledger.head.number
            try:
                if number == 0:
                    _validate_genesis(block, ledger)
                else:
                    importer.import_block(block, sync=is_new and (added + 1) % sync_every == 0)
            except InvalidBlock as error:
                raise InvalidBlock(f"{path}: block {number} at byte {at}: {error}") from error
            added += is_new
            progress(number)
    except NodeFault:
        raise  # the disk failed, or we did: nothing may be written any more
    except BaseException:
        ledger.sync()
        raise
    ledger.sync()
    return added


def export_file(
    ledger: Ledger, path: Path, first: int = 0, last: int | None = None, progress: Progress = lambda _: None
) -> int:
    """Write the blocks from ``first`` to ``last`` (the head) to a new file and return how many they are."""
    last = ledger.head.number if last is None else last
    if not 0 <= first <= last <= ledger.head.number:
        raise Refused(f"export: blocks {first} to {last} asked for, the chain has 0 to {ledger.head.number}")
    try:
        with path.open("xb") as file:
            for number in range(first, last + 1):
                block = ledger.block_by_number(number)
                if block is None:
                    raise NodeFault(f"database: block {number} is missing: restore it from a copy")
                file.write(encode_block(block))
                progress(number)
    except FileExistsError as error:
        raise Refused(f"{path}: it exists already: choose another name") from error
    except OSError as error:
        raise NodeFault(f"{path}: {error}: the export is not whole, remove it and make room") from error
    return last - first + 1


def read_blocks(path: Path) -> Iterator[tuple[int, Block]]:
    """Yield (byte position, block) for each block of a file; InvalidBlock where it is none, or the file is cut off."""
    try:
        with path.open("rb") as file:
            at = 0
            while data := _read_item(file, path, at):
                try:
                    block = decode_block(data)
                except InvalidBlock as error:
                    raise InvalidBlock(f"{path}: at byte {at}: {error}") from error
                yield at, block
                at += len(data)
    except OSError as error:
        raise Refused(f"{path}: {error}") from error


def _read_item(file: BufferedReader, path: Path, at: int) -> bytes:
    """Return the next RLP list whole, or nothing at the end of the file."""
    lead = file.read(1)
    if not lead:
        return b""
    if lead[0] < 0xC0:
        raise InvalidBlock(f"{path}: at byte {at}: found 0x{lead.hex()}, expected a block (an RLP list)")
    width = max(0, lead[0] - 0xF7)
    prefix = file.read(width)
    size = int.from_bytes(prefix, "big") if width else lead[0] - 0xC0
    if size > BLOCK_BYTES_MAX:
        raise InvalidBlock(f"{path}: at byte {at}: found a block of {size} bytes, expected at most {BLOCK_BYTES_MAX}")
    payload = file.read(size)
    if len(prefix) < width or len(payload) < size:
        raise InvalidBlock(f"{path}: at byte {at}: found the end of the file within a block")
    return lead + prefix + payload


def _validate_genesis(block: Block, ledger: Ledger) -> None:
    found = block_hash(block.header)
    if found != ledger.genesis.hash:
        raise InvalidBlock(f"genesis: found 0x{found.hex()}, expected 0x{ledger.genesis.hash.hex()}")
