"""Closed periods of a register as they lie in its folder; read beside the service that writes it, and never written."""

import re
from collections.abc import Iterator
from pathlib import Path

from cocket.attestation.reading.receipts import Period
from cocket.node.errors import NodeFault
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
