"""The lister: tells the subject of a record, by the capability that came with its copy, who read it.

From the vault's own receipts: each read and each receipted refusal, with authority or participant and purpose, never
the officer. Where the authorities voted a delay for a purpose, a read for it is told so long after it by the ledger's
time, and not dropped. To who has no capability all records look alike.
"""

import hmac
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from secrets import token_bytes

from cocket.attestation.reading.listing import (
    KEY_BYTES,
    ROWS_MAX,
    Listing,
    ListingCall,
    Row,
    decode_call,
    encode_listing,
    listing_secret,
)
from cocket.attestation.reading.receipt import Receipt
from cocket.contracts import access, certificates, consortium, directory, participants
from cocket.contracts.access import FIRST_PARTICIPANT
from cocket.node.errors import NodeFault
from cocket.node.keystore import write_whole
from cocket.node.store.disk import Disk
from cocket.node.vault.bulk import Bulk
from cocket.node.vault.declined import NO_SUCH_RECORD, Declined, declined
from cocket.node.vault.gate import Gate
from cocket.node.vault.ledger import Head, Ledger
from cocket.node.vault.periods import receipts_of_batch
from cocket.node.vault.rules import Rules

TOGETHER = 64
"""Receipts whose delays are asked for together."""


class Lister:
    """What answers a listing call; in several threads, one at a time, for it reads through the receipts."""

    def __init__(
        self,
        ledger: Ledger,
        rules: Rules,
        gate: Gate,
        bulk: Bulk,
        receipts: Path,
        key: bytes,
        disk: Disk | None = None,
        rows_max: int = ROWS_MAX,
    ) -> None:
        """Take the folder of the receipts and the vault's listing key."""
        self._ledger = ledger
        self._rules = rules
        self._gate = gate
        self._bulk = bulk
        self._receipts = receipts
        self._key = key
        self._disk = disk
        self._rows_max = rows_max
        self._reading = threading.Lock()

    def answer(self, body: bytes) -> bytes:
        """Return the answer to a call; Declined with what is told instead."""
        call = decode_call(body)
        rules = self._rules
        if (call.chain_id, call.genesis_hash) != (rules.chain_id, rules.genesis_hash):
            raise declined(HTTPStatus.BAD_REQUEST, "the capability is of another network")
        secret = listing_secret(self._key, rules.genesis_hash, call.batch, call.index)
        if not hmac.compare_digest(call.secret, secret):
            raise Declined(HTTPStatus.FORBIDDEN, NO_SUCH_RECORD)
        head = self._gate.young_head()
        if not self._reading.acquire(blocking=False):
            raise declined(HTTPStatus.SERVICE_UNAVAILABLE, "another listing is being made: try again in a moment")
        try:
            return encode_listing(self._listing(call, head))
        finally:
            self._reading.release()

    def _listing(self, call: ListingCall, head: Head) -> Listing:
        batch = self._ledger.view(certificates.ADDRESS, certificates.batch(call.batch), head.number)
        countries: dict[int, str] = {}
        rows: list[Row] = []
        is_complete = True
        for receipt in self._told(call, head):
            if len(rows) >= self._rows_max:
                is_complete = False
                break
            if receipt.party not in countries:
                countries[receipt.party] = self._country_of(receipt.party, head)
            rows.append(_row(receipt, countries[receipt.party]))
        if not is_complete:
            rows = _whole_seconds(rows)
        return Listing(batch.kind, head.number, head.time_s, tuple(rows), is_complete)

    def _told(self, call: ListingCall, head: Head) -> Iterator[Receipt]:
        """Yield the receipts that are told now, the newest first."""
        contract = self._ledger.view(directory.ADDRESS, directory.address_of(directory.ACCESS), head.number)
        about = self._about(call)
        while some := list(islice(about, TOGETHER)):
            asked = sorted({(each.purpose, each.time_s) for each in some})
            views = [access.listing_delay_at(purpose, time_s) for purpose, time_s in asked]
            delays = dict(zip(asked, self._ledger.views(contract, views, head.number), strict=True))
            for receipt in some:
                delay_s = delays[receipt.purpose, receipt.time_s]
                if not delay_s or receipt.time_s + delay_s <= head.time_s:
                    yield receipt

    def _about(self, call: ListingCall) -> Iterator[Receipt]:
        rules = self._rules
        found = receipts_of_batch(self._receipts, rules.genesis_hash, rules.keeper, call.batch, self._disk)
        for receipt in found:
            if receipt.time_s < call.before_s and self._is_about(receipt, call.index):
                yield receipt

    def _is_about(self, receipt: Receipt, index: int) -> bool:
        if not receipt.is_bulk:
            return receipt.index == index
        return index in self._bulk.page(receipt.records).indices

    def _country_of(self, party: int, head: Head) -> str:
        """Return the country of an authority, or of the authority that accredited a participant; empty for nobody."""
        authority = party
        if party >= FIRST_PARTICIPANT:
            over = participants.authority_over(party - FIRST_PARTICIPANT)
            authority = self._ledger.view(participants.ADDRESS, over, head.number)
        if not authority:
            return ""
        return self._ledger.view(consortium.ADDRESS, consortium.authority(authority), head.number).country


def load_listing_key(path: Path, make: Callable[[int], bytes] = token_bytes) -> bytes:
    """Return the listing key in a vault's home, made when there is none; NodeFault when the file is something else."""
    if not path.exists():
        write_whole(path, make(KEY_BYTES).hex().encode() + b"\n")
    try:
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise NodeFault(f"{path}: no listing key; put it back from a copy: without it capabilities open nothing")
    return key


def _whole_seconds(rows: list[Row]) -> list[Row]:
    """Return the rows without those of the last second, of which there may be more, unless it has all of them."""
    last_s = rows[-1].time_s
    return [row for row in rows if row.time_s > last_s] or rows


def _row(receipt: Receipt, country: str) -> Row:
    return Row(
        time_s=receipt.time_s,
        party=receipt.party,
        country=country,
        purpose=receipt.purpose,
        groups=receipt.groups,
        decision=receipt.decision,
        records=receipt.count,
    )
