"""Where a record comes from and what became of it: each line says when, what, by whom, and by what it is proven.

Public lines come from the logs of final blocks, as one node has them; reads come from the receipts that the caller has,
and are told as proven only when they lead to a root on the ledger.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cocket.attestation.prove import Anchor
from cocket.attestation.reading.page import Page
from cocket.attestation.reading.receipts import Period, verify_period
from cocket.cli.account import format_time
from cocket.cli.auditing import outcome_of, read_row, receipts_of
from cocket.cli.client import LogEntry, NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.parties import party_text
from cocket.contracts import access, certificates, consortium, participants
from cocket.contracts.access import EVERY_INDEX, participant_party
from cocket.contracts.events import (
    BatchAnchored,
    BatchWithdrawn,
    ControllerFrozen,
    ControllerReleased,
    DefaultRightDeclined,
    Event,
    ItemReinstated,
    ItemSuperseded,
    ItemSuspended,
    ItemUsed,
    ItemWithdrawn,
    RecordFrozen,
    RecordReleased,
    ResidencySet,
    UseReleased,
    decode_log,
    event_topic,
)
from cocket.node.bundle.item import change_reason

PPM_OF_PERCENT = 10_000
NOT_PROVEN = "NOT proven"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened to a record, and what proves it (``proof``), or why nothing does."""

    time_s: int
    block: int
    what: str
    by: str
    proof: str
    is_proven: bool = True

    def as_json(self) -> dict[str, object]:
        """Return the line as an object."""
        return {
            "time": self.time_s,
            "block": self.block,
            "what": self.what,
            "by": self.by,
            "proof": self.proof,
            "is_proven": self.is_proven,
        }

    def cells(self) -> list[str]:
        """Return the line's cells for people."""
        return [format_time(self.time_s), str(self.block), self.what, self.by, self.proof]


HEADINGS = ["time", "block", "what", "by", "proven by"]


def provenance(
    client: NodeClient, anchor: Anchor, exported: dict[int, list[Period]], pages: dict[bytes, Page]
) -> list[Line]:
    """Return all lines about a record, the oldest first.

    :raises CommandError: the ledger has no such record.
    """
    head = client.block_number()
    batch = client.view(certificates.ADDRESS, certificates.batch(anchor.batch), head)
    if not batch.anchored_at:
        raise CommandError(f"the ledger has no batch 0x{anchor.batch.hex()}", Exit.NOT_FOUND)
    lines = [
        line
        for entry in _entries(client, anchor, batch.participant, head)
        if (line := _line(client, entry, batch)) is not None
    ]
    lines += _reads(client, anchor, exported, pages, head)
    return sorted(lines, key=lambda line: (line.time_s, line.block))


def _entries(client: NodeClient, anchor: Anchor, participant: int, head: int) -> Iterator[LogEntry]:
    """Yield the logs about a record: of itself, of its batch, and of its controller."""
    index = anchor.index.to_bytes(32)
    every = EVERY_INDEX.to_bytes(32)
    controller = participant.to_bytes(32)
    asked: list[tuple[bytes, Sequence[bytes | None]]] = [
        (certificates.ADDRESS, [event_topic(BatchAnchored), anchor.batch]),
        (certificates.ADDRESS, [event_topic(BatchWithdrawn), anchor.batch]),
        (certificates.ADDRESS, [None, anchor.batch, index]),
        (access.ADDRESS, [event_topic(DefaultRightDeclined), anchor.batch, controller]),
        (access.ADDRESS, [event_topic(ResidencySet), anchor.batch, controller]),
        (access.ADDRESS, [event_topic(ControllerFrozen), controller]),
        (access.ADDRESS, [event_topic(ControllerReleased), controller]),
        *[
            (access.ADDRESS, [event_topic(kind), anchor.batch, place])
            for kind in (RecordFrozen, RecordReleased)
            for place in (index, every)
        ],
    ]
    seen: set[tuple[int, bytes, tuple[bytes, ...], bytes]] = set()
    for address, topics in asked:
        for entry in client.logs(address, topics, 1, head):
            key = (entry.block_number, entry.transaction_hash, entry.topics, entry.data)
            if key not in seen:
                seen.add(key)
                yield entry


def _line(client: NodeClient, entry: LogEntry, batch: certificates.Batch) -> Line | None:
    event = decode_log(entry.address, entry.topics, entry.data)
    told = None if event is None else _told(client, event, batch, entry.block_number)
    if told is None:
        return None
    what, by = told
    proof = f"log of transaction 0x{entry.transaction_hash.hex()}"
    return Line(client.block_time_s(entry.block_number), entry.block_number, what, by, proof)


def _told(client: NodeClient, event: Event, batch: certificates.Batch, block: int) -> tuple[str, str] | None:
    """Return what an event says, and by whom that was."""
    issuer = party_text(client, participant_party(batch.participant))
    authority = party_text(client, batch.authority)

    def by(by_authority: bool) -> str:
        return authority if by_authority else issuer

    match event:
        case BatchAnchored():
            return "attested", f"{issuer}, {_mandate(client, batch, block)}"
        case ItemSuspended() | ItemWithdrawn() | BatchWithdrawn():
            word = "suspended" if isinstance(event, ItemSuspended) else "withdrawn"
            is_batch = isinstance(event, BatchWithdrawn)
            reason = change_reason(event.reason, is_by_authority=event.by_authority, is_batch=is_batch)
            return f"{word} ({reason})", by(event.by_authority)
        case ItemReinstated():
            return "reinstated", by(event.by_authority)
        case ItemSuperseded():
            return f"superseded by item {event.by_index} of batch 0x{event.by_batch.hex()}", issuer
        case ItemUsed():
            return f"{event.share / PPM_OF_PERCENT:g} % used", party_text(client, event.authority)
        case UseReleased():
            return f"{event.share / PPM_OF_PERCENT:g} % given back", party_text(client, event.authority)
        case RecordFrozen():
            return f"reads frozen (reason code {event.reason})", authority
        case RecordReleased():
            return "freeze lifted", authority
        case ControllerFrozen():
            return f"reads of all its issuer's records frozen (reason code {event.reason})", authority
        case ControllerReleased():
            return "freeze of all its issuer's records lifted", authority
        case DefaultRightDeclined():
            return "default right declined", issuer
        case ResidencySet():
            return "bound to countries, by their hash" if any(event.commitment) else "bound to no countries", issuer
    return None


def _mandate(client: NodeClient, batch: certificates.Batch, block: int) -> str:
    """Return the mandate under which a batch was attested."""
    held = client.view(participants.ADDRESS, participants.mandate_at(batch.participant, batch.anchored_at), block)
    country = client.view(consortium.ADDRESS, consortium.authority(held.authority), block).country
    roles = "/".join(role.name.lower() for role in participants.Role if role in held.roles and role.name)
    first, end = format_time(held.valid_from)[:10], format_time(held.valid_to)[:10]
    return f"{roles} accredited by {country} from {first} until {end}"


def _reads(
    client: NodeClient, anchor: Anchor, exported: dict[int, list[Period]], pages: dict[bytes, Page], head: int
) -> Iterator[Line]:
    """Yield what the receipts at hand say of reads of a record."""
    for keeper, periods in exported.items():
        for period in periods:
            found = list(receipts_of({keeper: [period]}, pages, anchor.batch, anchor.index))
            if not found:
                continue
            root = client.view(access.ADDRESS, access.receipt_root(keeper, period.sequence), head)
            problem = next(verify_period(period, root if any(root) else None), None)
            for receipt in found:
                row = read_row(client, receipt)
                outcome = outcome_of(row)
                groups = ", ".join(row["groups"]) if isinstance(row["groups"], list) else ""
                what = f"{outcome} by {party_text(client, keeper)}: {groups} for {row['purpose']}, {row['reason']}"
                what += f", in bulk with {receipt.count}" if receipt.is_bulk else ""
                proof = (
                    f"receipt {receipt.number} in period {period.sequence} of keeper {keeper}, root 0x{root.hex()}"
                    if problem is None
                    else f"{NOT_PROVEN}: {problem.text()}"
                )
                yield Line(receipt.time_s, receipt.block_number, what, str(row["reader"]), proof, problem is None)
