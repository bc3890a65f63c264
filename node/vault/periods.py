"""Periods of a register as they lie in its folder; read beside what writes them, and never written."""

import re
from collections.abc import Iterator
from pathlib import Path

from cocket.attestation.reading.receipt import Receipt, decode_receipt
from cocket.attestation.reading.receipts import Period
from cocket.node.errors import Damaged, NodeFault
from cocket.node.store.disk import Disk, RealDisk
from cocket.node.vault.period_file import parse_period_file

PERIOD_NAME = re.compile(r"([0-9]{12})\.receipts", re.ASCII)


def closed_periods(folder: Path, genesis_hash: bytes, keeper: int, first: int = 1) -> Iterator[Period]:
    """Yield the periods from a sequence on that were closed, in order.

    Refused when they are another chain's or keeper's; NodeFault when one is damaged, or cannot be read.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if PERIOD_NAME.fullmatch(path.name))
    except OSError as error:
        raise NodeFault(f"register {folder}: {error.strerror}: name the folder of a vault or custodian") from error
    for name in names:
        sequence, path = int(name[:12]), folder / name
        if sequence < first:
            continue
        try:
            data = path.read_bytes()
        except OSError as error:
            raise NodeFault(f"register {path}: {error.strerror}") from error
        file = parse_period_file(data, path, genesis_hash, keeper, sequence)
        if file.closing is None:
            return
        receipts = tuple([each.receipt for each in file.noted])
        yield Period(keeper, sequence, file.header.first, file.header.previous, file.closing.seed, receipts)


def receipts_of_batch(
    folder: Path, genesis_hash: bytes, keeper: int, batch: bytes, disk: Disk | None = None
) -> Iterator[Receipt]:
    """Yield the receipts about records of one batch, the newest first, those of the open period too.

    A file that does not name the batch is not taken apart. Damaged when one that does is, or cannot be read.
    """
    files = RealDisk() if disk is None else disk
    try:
        names = sorted((name for name in files.sizes(folder) if PERIOD_NAME.fullmatch(name)), reverse=True)
        for name in names:
            path = folder / name
            data = files.read(path) or b""
            if batch not in data:
                continue
            file = parse_period_file(data, path, genesis_hash, keeper, int(name[:12]))
            for noted in reversed(file.noted):
                receipt = decode_receipt(noted.receipt)
                if receipt.batch == batch:
                    yield receipt
    except (OSError, NodeFault) as error:
        raise Damaged(f"register {folder}: {error}") from error
