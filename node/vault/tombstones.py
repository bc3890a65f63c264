"""Tombstones: the records that a keeper was told to forget. They stand among its receipts, so no older copy lacks them.

A register that was restored from a copy is taken only if it has the last anchored root; so a shelf that was restored
beside it, with records from before, loses them again at the start.
"""

import re
import threading
from pathlib import Path

from cocket.attestation.reading.erasure import ERASED
from cocket.attestation.reading.receipt import decision_in, decode_receipt
from cocket.node.errors import NodeFault
from cocket.node.store.disk import Disk, RealDisk
from cocket.node.vault.period_file import parse_period_file

Place = tuple[bytes, int]
_NAME = re.compile(r"([0-9]{12})\.receipts", re.ASCII)


class Tombstones:
    """Places (batch and index) of records that are erased."""

    def __init__(self, places: set[Place] | None = None) -> None:
        self._places: set[Place] = set() if places is None else places
        self._lock = threading.Lock()

    def __contains__(self, place: Place) -> bool:
        return place in self._places

    def add(self, place: Place) -> None:
        """Take a record as erased; its receipt is on the disk."""
        with self._lock:
            self._places.add(place)

    def places(self) -> list[Place]:
        """Return all of them."""
        with self._lock:
            return sorted(self._places)


def load_tombstones(folder: Path, genesis_hash: bytes, keeper: int, disk: Disk | None = None) -> Tombstones:
    """Return the records that a register's receipts say are erased; NodeFault when one of its files is damaged."""
    disk = RealDisk() if disk is None else disk
    places: set[Place] = set()
    try:
        names = sorted(name for name in disk.sizes(folder) if _NAME.fullmatch(name))
        for name in names:
            path = folder / name
            data = disk.read(path) or b""
            file = parse_period_file(data, path, genesis_hash, keeper, int(name[:12]))
            for noted in file.noted:
                if decision_in(noted.receipt) == ERASED:
                    receipt = decode_receipt(noted.receipt)
                    places.add((receipt.batch, receipt.index))
    except OSError as error:
        raise NodeFault(f"register {folder}: {error}") from error
    return Tombstones(places)
