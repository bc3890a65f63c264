"""What an auditor finds in receipts that keepers exported, held against their roots on the ledger alone."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cocket.attestation.errors import InvalidFile
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.members import Members, octets, read_json
from cocket.attestation.reading.erasure import ERASED
from cocket.attestation.reading.page import Page, encode_page, records_root
from cocket.attestation.reading.receipt import RECEIPT_BYTES, Receipt, decode_receipt
from cocket.attestation.reading.receipts import Period, ReceiptFinding, verify_history
from cocket.attestation.reading.receipts_file import PERIOD_BYTES_MAX, decode_period, encode_period
from cocket.attestation.reading.request import groups_of
from cocket.cli.access_options import PURPOSES
from cocket.cli.account import format_time
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.parties import party_of, party_text
from cocket.cli.requesting import RECEIPTS_FORMAT
from cocket.cli.terms import group_names
from cocket.contracts import access
from cocket.contracts.access import Reason
from cocket.contracts.events import ReceiptsAnchored, decode_log, event_topic
from cocket.node.errors import Damaged
from cocket.node.keystore import write_whole
from cocket.node.vault.bulk import PAGE_SUFFIX, PAGES, load_pages

HELD_BYTES_MAX = 1 << 20
PERIOD_SUFFIX = ".period"
LATE_PERIODS = 2
"""A receipt that waits longer than so many cadences for its root is late: one may have passed when it was written."""


@dataclass(slots=True)
class Audited:
    """What was found of one keeper."""

    keeper: int
    periods: int
    receipts: list[Receipt]
    findings: list[ReceiptFinding]
    late: list[int] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return it as an object."""
        return {
            "keeper": self.keeper,
            "periods": self.periods,
            "receipts": len(self.receipts),
            "findings": [finding.text() for finding in self.findings],
            "late": self.late,
        }

    def sentences(self, client: NodeClient) -> list[str]:
        """Return it in sentences."""
        count = f"{self.periods} periods with {len(self.receipts)} receipts"
        whole = "all as anchored" if not self.findings else f"{len(self.findings)} findings"
        lines = [f"keeper {self.keeper} ({party_text(client, self.keeper)}): {count}, {whole}"]
        lines += [f"  {finding.text()}" for finding in self.findings]
        return [*lines, *[f"  period {each} was anchored late" for each in self.late]]


def load_periods(paths: Sequence[Path]) -> dict[int, list[Period]]:
    """Return the periods in files, or in all files of folders, by their keeper and in order.

    :raises CommandError: a file is none, or there is none.
    """
    files = [each for path in paths for each in (sorted(path.glob("*" + PERIOD_SUFFIX)) if path.is_dir() else [path])]
    found: dict[int, list[Period]] = {}
    for path in files:
        try:
            period = decode_period(read_bounded(path, PERIOD_BYTES_MAX))
        except InvalidFile as error:
            raise CommandError(f"{path}: {error}", Exit.USAGE) from None
        found.setdefault(period.keeper, []).append(period)
    if not found:
        raise CommandError(f"no files of periods (*{PERIOD_SUFFIX}) there; a keeper exports them", Exit.NOT_FOUND)
    return {keeper: sorted(periods, key=lambda each: each.sequence) for keeper, periods in sorted(found.items())}


def save_period(out: Path, period: Period, pages: Iterable[Page]) -> None:
    """Write a period into a folder as :func:`load_periods` takes it, after the lists of its bulk reads."""
    for page in pages:
        write_whole(out / PAGES / f"{records_root(page).hex()}{PAGE_SUFFIX}", encode_page(page))
    path = out / f"{period.keeper}-{period.sequence:08d}{PERIOD_SUFFIX}"
    write_whole(path, b"".join(encode_period(period)))


def load_pages_beside(paths: Sequence[Path]) -> dict[bytes, Page]:
    """Return the lists of bulk reads that were exported beside periods, by their roots.

    :raises CommandError: one is damaged.
    """
    folders = {path if path.is_dir() else path.parent for path in paths}
    try:
        return {root: page for folder in sorted(folders) for root, page in load_pages(folder).items()}
    except Damaged as error:
        raise CommandError(str(error), Exit.USAGE) from None


def load_held(paths: Sequence[Path]) -> list[bytes]:
    """Return the receipts that readers hold, from the files that `cocket access request` leaves.

    :raises CommandError: a file is none.
    """
    held: list[bytes] = []
    for path in paths:
        try:
            members = Members(read_json(read_bounded(path, HELD_BYTES_MAX), HELD_BYTES_MAX, "receipts"), "", _HELD)
            members.require_format(RECEIPTS_FORMAT)
            held += members.several("receipts", 64, _held)
        except InvalidFile as error:
            raise CommandError(f"{path}: {error}", Exit.USAGE) from None
    return held


_HELD = ("format", "receipts")


def _held(node: object, place: str) -> bytes:
    members = Members(node, place, ("party", "receipt"))
    return octets(members.node["receipt"], RECEIPT_BYTES, f"{place}/receipt")


def audit(
    client: NodeClient, exported: dict[int, list[Period]], held: Sequence[bytes], cadence_s: int, block: int | None
) -> Iterator[Audited]:
    """Yield what is wrong with each keeper's receipts, beside its roots on the ledger.

    A keeper whose receipts a reader holds and that exported nothing is found too. With a ``block``, what was anchored
    until then is judged, and nothing later.
    """
    at: int | str = "latest" if block is None else block
    keepers = sorted({*exported, *[decode_receipt(data).keeper for data in held]})
    for keeper in keepers:
        periods = exported.get(keeper, [])
        count = client.view(access.ADDRESS, access.receipts_anchored(keeper), at)
        if block is not None:
            periods = [period for period in periods if period.sequence <= count]
        anchored = {
            sequence: client.view(access.ADDRESS, access.receipt_root(keeper, sequence), at)
            for sequence in range(1, count + 1)
        }
        findings = list(verify_history(keeper, periods, anchored, held))
        receipts = [receipt for period in periods for receipt in _receipts(period)]
        audited = Audited(keeper, len(periods), receipts, findings)
        times = _anchored_at(client, keeper)
        for period in periods:
            first_s = min((receipt.time_s for receipt in _receipts(period)), default=None)
            at_s = times.get(period.sequence)
            if first_s is not None and at_s is not None and at_s > first_s + LATE_PERIODS * cadence_s:
                audited.late.append(period.sequence)
        yield audited


def _receipts(period: Period) -> Iterator[Receipt]:
    for data in period.receipts:
        try:
            yield decode_receipt(data)
        except InvalidFile:
            continue  # a finding says so


def receipts_of(
    exported: dict[int, list[Period]], pages: dict[bytes, Page], batch: bytes, index: int
) -> Iterator[Receipt]:
    """Yield the receipts about one record, keeper by keeper, in order.

    Also those of bulk reads of its batch whose list is not among the ``pages``: it may have been among them.
    """
    for periods in exported.values():
        for period in periods:
            yield from [each for each in _receipts(period) if each.batch == batch and _is_about(each, pages, index)]


def _is_about(receipt: Receipt, pages: dict[bytes, Page], index: int) -> bool:
    if not receipt.is_bulk:
        return receipt.index == index
    page = pages.get(receipt.records)
    return page is None or index in page.indices


def _anchored_at(client: NodeClient, keeper: int) -> dict[int, int]:
    """Return the block time of each period's anchoring."""
    topics = [event_topic(ReceiptsAnchored), keeper.to_bytes(32)]
    times: dict[int, int] = {}
    for entry in client.logs(access.ADDRESS, topics, 1, client.block_number()):
        event = decode_log(entry.address, entry.topics, entry.data)
        if isinstance(event, ReceiptsAnchored):
            times[event.sequence] = client.block_time_s(entry.block_number)
    return times


def read_row(client: NodeClient, receipt: Receipt) -> dict[str, object]:
    """Return one read as people ask of it: when, by whom (never the officer), for what, and what came of it."""
    row = told_row(
        receipt.time_s, _whose(client, receipt), receipt.purpose, receipt.groups, receipt.decision, receipt.count
    )
    return row | {"in_bulk": receipt.is_bulk, "block": receipt.block_number}


def told_row(
    time_s: int,
    reader: str,
    purpose: int,
    groups: int,
    decision: int,
    records: int,
    kind: int = CERTIFICATE_OF_ORIGIN.number,
) -> dict[str, object]:
    """Return what is told of a read, of documents of a kind; ``groups`` is a mask."""
    return {
        "time": time_s,
        "reader": reader,
        "purpose": purpose_text(purpose),
        "groups": group_names(groups_of(groups), kind),
        "was_given": decision < Reason.UNKNOWN_RECORD,
        "was_erased": decision == ERASED,
        "records": records,
        "in_bulk": records > 1,
        "reason": _REASONS.get(decision, f"reason {decision}"),
    }


def purpose_text(purpose: int) -> str:
    """Return what people call a purpose."""
    return PURPOSES[purpose - 1] if 1 <= purpose <= len(PURPOSES) else "no purpose"


def _whose(client: NodeClient, receipt: Receipt) -> str:
    """Return whose reading a receipt is of: the keeper's word for an officer's, for others what the ledger says too."""
    own = party_of(client, receipt.reader, receipt.block_number)
    if not receipt.party:
        return "nobody in force"
    if receipt.party == own:
        return party_text(client, own)
    through = f"an account of {party_text(client, own)}" if own else "an officer"
    return f"{party_text(client, receipt.party)}, through {through}"


def outcome_of(row: dict[str, object]) -> str:
    """Return what came of a read, or that it was no read."""
    return "given" if row["was_given"] else "erased" if row["was_erased"] else "refused"


def read_cells(row: dict[str, object]) -> list[str]:
    """Return a row's cells for people."""
    groups = row["groups"]
    assert isinstance(groups, list)
    return [
        format_time(int(str(row["time"]))),
        str(row["reader"]),
        str(row["purpose"]),
        ", ".join(groups),
        outcome_of(row),
        f"{row['reason']}, in bulk with {row['records']}" if row["in_bulk"] else str(row["reason"]),
    ]


_REASONS = {**{int(reason): text for reason, text in access.REASON_TEXTS.items()}, ERASED: "as it was asked to"}
READ_HEADINGS = ["time", "reader", "purpose", "groups", "outcome", "reason"]
