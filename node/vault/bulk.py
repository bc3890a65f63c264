"""Bulk reads as a keeper counts and lists them: so many records a day by one grant, and which ones by which receipt.

What was given today is counted again from the receipts when a keeper starts, so no restart makes a day begin anew. A
page's list of records is on the disk before its receipt is (``pages/ROOT.page`` beside the receipts).
"""

import errno
import threading
from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.page import Page, decode_page, encode_page, records_root
from cocket.attestation.reading.receipt import Receipt, decode_receipt
from cocket.attestation.reading.receipts import Period
from cocket.node.errors import Damaged, NodeFault, Refused
from cocket.node.store.disk import Disk, RealDisk
from cocket.node.vault.declined import declined
from cocket.node.vault.period_file import parse_period_file
from cocket.node.vault.periods import PERIOD_NAME

PAGES = "pages"
PAGE_SUFFIX = ".page"
DAY_S = 86400
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Bulk:
    """What one keeper gave in bulk; for several threads."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        """Take the folder of the keeper's receipts."""
        self._folder = folder / PAGES
        self._disk: Disk = RealDisk() if disk is None else disk
        self._lock = threading.Lock()
        self._day = 0
        self._given: defaultdict[bytes, int] = defaultdict(int)

    def take(self, grant: bytes, count: int, cap: int, time_s: int) -> None:
        """Count records as given today; Declined, and none is counted, when that is more than the grant allows."""
        if not cap:
            raise declined(
                HTTPStatus.FORBIDDEN, "a bulk read needs a grant with a daily cap: ask for one record at a time"
            )
        with self._lock:
            self._begin(time_s // DAY_S)
            given = self._given[grant]
            if given + count > cap:
                raise declined(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"the grant allows {cap} records a day in bulk (UTC), {given} were given today: "
                    + (f"ask for {cap - given} or fewer" if given < cap else "go on tomorrow"),
                )
            self._given[grant] = given + count

    def give_back(self, grant: bytes, count: int) -> None:
        """Take back a ``take``: nothing was given."""
        with self._lock:
            self._given[grant] = max(0, self._given[grant] - count)

    def left(self, grant: bytes, cap: int, time_s: int) -> int:
        """Return how many records a grant still allows today."""
        with self._lock:
            self._begin(time_s // DAY_S)
            return max(0, cap - self._given[grant])

    def note(self, receipt: Receipt) -> None:
        """Count what a receipt says was given, when it is of the newest day seen; any other counts for nothing."""
        if receipt.is_bulk and receipt.time_s // DAY_S >= self._day:
            self._begin(receipt.time_s // DAY_S)
            self._given[receipt.grant] += receipt.count

    def keep(self, page: Page) -> None:
        """Put the list of a page's records on the disk. Refused when that is full; NodeFault when it fails."""
        path = self._folder / (records_root(page).hex() + PAGE_SUFFIX)
        try:
            self._disk.make_folder(self._folder)
            file = self._disk.open(path)
            try:
                file.truncate(0)
                file.append(encode_page(page))
                file.sync()
            finally:
                file.close()
            self._disk.sync_folder(self._folder)
        except OSError as error:
            if error.errno in _FULL:
                raise Refused(f"{path}: the disk is full: make room, nothing is answered before") from error
            raise NodeFault(f"{path}: {error}") from error

    def page(self, root: bytes) -> Page:
        """Return the list of a page's records by its root; Damaged when it is not there, or another."""
        path = self._folder / (root.hex() + PAGE_SUFFIX)
        try:
            return _decoded(self._disk.read(path), path, root)
        except OSError as error:
            raise Damaged(f"{path}: {error}: put it back from a copy") from error

    def _begin(self, day: int) -> None:
        if day > self._day:
            self._day = day
            self._given.clear()


def load_bulk(folder: Path, genesis_hash: bytes, keeper: int, disk: Disk | None = None) -> Bulk:
    """Return what a register's receipts say was given in bulk on their last day; NodeFault when a file is damaged."""
    files = RealDisk() if disk is None else disk
    bulk = Bulk(folder, files)
    last_s = 0
    try:
        for name in sorted((name for name in files.sizes(folder) if PERIOD_NAME.fullmatch(name)), reverse=True):
            path = folder / name
            file = parse_period_file(files.read(path) or b"", path, genesis_hash, keeper, int(name[:12]))
            last_s = max(last_s, file.time_s)
            if file.time_s and file.time_s // DAY_S < last_s // DAY_S:
                break
            for noted in reversed(file.noted):
                bulk.note(decode_receipt(noted.receipt))
    except OSError as error:
        raise NodeFault(f"register {folder}: {error}") from error
    return bulk


def pages_of(folder: Path, period: Period) -> Iterator[Page]:
    """Yield the lists of a period's bulk reads from a folder of receipts; Damaged when one is not there or another."""
    for receipt in map(decode_receipt, period.receipts):
        if receipt.is_bulk:
            path = folder / PAGES / (receipt.records.hex() + PAGE_SUFFIX)
            try:
                data = path.read_bytes()
            except OSError as error:
                raise Damaged(f"{path}: {error}: put it back from a copy") from error
            yield _decoded(data, path, receipt.records)


def _decoded(data: bytes | None, path: Path, root: bytes) -> Page:
    try:
        page = decode_page(data or b"")
    except InvalidFile as error:
        raise Damaged(f"{path}: {error}: put it back from a copy") from error
    if records_root(page) != root:
        raise Damaged(f"{path}: it is another page's: put it back from a copy")
    return page


def load_pages(folder: Path) -> dict[bytes, Page]:
    """Return the pages in a folder of receipts, or of an export, by their roots; Damaged names a file that is none."""
    pages: dict[bytes, Page] = {}
    for path in sorted((folder / PAGES).glob("*" + PAGE_SUFFIX)):
        try:
            page = decode_page(path.read_bytes())
        except (InvalidFile, OSError) as error:
            raise Damaged(f"{path}: {error}") from error
        pages[records_root(page)] = page
    return pages
