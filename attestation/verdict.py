"""Verdicts: what a verifier is told about a certificate, from its fields and from what a ledger says. Never a boolean.

Each question has an answer of its own: ``yes``, ``no`` (with the reason, the block and the date) or ``could not
check`` (with what was missing). What could not be checked is never shown as a no. The ledger's facts come in as
:class:`LedgerFacts`, filled by whoever can read a ledger; a part that is None was not read. Asks nobody itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime, time
from typing import Literal

from cocket.attestation.dialect import Unreadable, moment
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.errors import InvalidDocument
from cocket.attestation.prove import (
    Certificate,
    Integrity,
    OpenGroup,
    Presentation,
    Problem,
    integrity_of,
    whole,
)

YES: Literal["yes"] = "yes"
NO: Literal["no"] = "no"
COULD_NOT_CHECK: Literal["could not check"] = "could not check"
Word = Literal["yes", "no", "could not check"]

FULL_SHARE_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class BlockPoint:
    """A block and its time (UNIX seconds); ``number`` is None when only the time is known."""

    number: int | None
    time_s: int

    def text(self) -> str:
        """Return the point for people.

        >>> BlockPoint(17, 1700000000).text()
        'block 17, 2023-11-14T22:13:20Z'
        """
        when = datetime.fromtimestamp(self.time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return when if self.number is None else f"block {self.number}, {when}"


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """What the ledger has of a batch: its shape, its issuer (participant id), when anchored; valid in [from, until)."""

    depth: int
    kind: int
    issuer: int
    anchored: BlockPoint
    valid_from_s: int
    valid_until_s: int


@dataclass(frozen=True, slots=True)
class ItemChange:
    """One change of an item's status: from ``at`` on it is in force again, suspended, withdrawn or superseded."""

    status: Literal["in force", "suspended", "withdrawn", "superseded"]
    at: BlockPoint
    reason: str = ""
    successor: str = ""


@dataclass(frozen=True, slots=True)
class Mandate:
    """One entry of an issuer's dated history, from ``since`` to the next entry: scope, dates [from, until), status."""

    status: Literal["active", "suspended", "ended"]
    since: BlockPoint
    kinds: tuple[int, ...]
    valid_from_s: int
    valid_until_s: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class IssuerFacts:
    """Who the issuer is: participant id, the country that accredited it, its history in order of time.

    Of what was before ``known_from_s`` nothing is said.
    """

    participant: int
    accredited_by: str
    mandates: tuple[Mandate, ...]
    known_from_s: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """A share of a certificate (parts per million) that an importing country has used; ``at`` None: time not known."""

    country: str
    share_ppm: int
    at: BlockPoint | None


@dataclass(frozen=True, slots=True)
class Warrant:
    """Why facts are believed, in words that follow "as of block 17,".

    ``is_closed``: they end with their block for good, so of a date that ends later they say nothing; else they are of
    a ledger that goes on, asked just now.
    """

    text: str
    is_closed: bool


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """What one ledger says, as of one final block, about one item of one batch.

    ``has_batch`` False: that ledger knows no such batch. The others are None when they were not, or could not be, read.
    Of the item's changes before ``changes_known_from_s`` nothing is said.
    """

    chain_id: int
    genesis_hash: bytes
    contract: bytes
    as_of: BlockPoint
    has_batch: bool | None = None
    batch: BatchFacts | None = None
    changes: tuple[ItemChange, ...] | None = None
    issuer: IssuerFacts | None = None
    uses: tuple[Use, ...] | None = None
    changes_known_from_s: int = 0
    warrant: Warrant | None = None

    def is_silent_on(self, on_date: date | None) -> bool:
        """Say whether the facts end before the date does, and no later ones can be had from where they came."""
        is_closed = self.warrant is not None and self.warrant.is_closed
        return is_closed and on_date is not None and _end_of(on_date) > self.as_of.time_s


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: the word, why, at which block and when (ISO 8601), and the field (JSON Pointer) it is about."""

    answer: Word
    reason: str
    block: int | None = None
    time: str | None = None
    pointer: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answers. A good certificate: yes, yes, yes, yes, no, and used as the reader may judge."""

    integrity: Answer
    issuance: Answer
    in_force: Answer
    issuer_authority: Answer
    superseded: Answer
    used: Answer

    @property
    def overall(self) -> Word:
        """Return ``no`` when an answer speaks against the certificate, else ``could not check`` when one is that.

        Use speaks neither way: that a certificate was used is what it is for.
        """
        good = (self.integrity, self.issuance, self.in_force, self.issuer_authority)
        if any(answer.answer == NO for answer in good) or self.superseded.answer == YES:
            return NO
        return COULD_NOT_CHECK if any(a.answer == COULD_NOT_CHECK for a in (*good, self.superseded)) else YES

    def as_json(self) -> dict[str, object]:
        """Return the verdict as plain values, with the overall word."""
        answers = {field.name: asdict(getattr(self, field.name)) for field in fields(self)}
        return {"overall": self.overall, **answers}


def verdict(
    shown: Certificate | Presentation,
    facts: LedgerFacts | None,
    on_date: date | None,
    missing: str = "no ledger was asked",
) -> Verdict:
    """Return the verdict on a certificate or presentation on a date (UTC; its last second counts), or at a moment.

    A moment is a ``datetime`` in UTC. Without facts, or without a date, what hangs on them could not be checked;
    ``missing`` says why there are no facts.
    """
    try:
        presentation = whole(shown) if isinstance(shown, Certificate) else shown
        integrity = integrity_of(presentation)
    except InvalidDocument as error:
        places = [Problem(finding.pointer, finding.found, finding.expected) for finding in error.findings]
        unread = tuple(places) or (Problem("", str(error), "a document that can be read"),)
        return _nothing(Integrity(None, None, False, unread), "the document cannot be read")
    return verdict_of(presentation, integrity, integrity_answer(integrity), facts, on_date, missing)


def verdict_of(
    presentation: Presentation,
    integrity: Integrity,
    word: Answer,
    facts: LedgerFacts | None,
    on_date: date | None,
    missing: str,
) -> Verdict:
    """Return the verdict on a presentation whose integrity was looked at, with ``word`` as the answer to that."""
    ledger = _usable(presentation, integrity, facts, missing)
    if isinstance(ledger, str):
        missed = unknown(ledger)
        in_force = document_period(presentation, integrity, on_date) or missed
        return Verdict(word, missed, in_force, missed, missed, missed)
    issuance = _issuance(presentation, ledger)
    if issuance.answer == NO:
        missed = unknown("the ledger has no such certificate")
        in_force = document_period(presentation, integrity, on_date) or missed
        return Verdict(word, issuance, in_force, missed, missed, missed)
    return Verdict(
        word,
        *(
            _warranted(answer, ledger)
            for answer in (
                issuance,
                _in_force(presentation, integrity, ledger, on_date),
                _issuer_authority(presentation, ledger, on_date),
                _superseded(ledger, on_date),
                _used(ledger),
            )
        ),
    )


def _warranted(answer: Answer, facts: LedgerFacts) -> Answer:
    """Return an answer that, when it is a yes, says as of which block, and why that is believed."""
    if answer.answer != YES or facts.warrant is None:
        return answer
    return replace(answer, reason=f"{answer.reason}; as of {facts.as_of.text()}, {facts.warrant.text}")


def unknown(missing: str) -> Answer:
    """Return that something could not be checked, and what was missing."""
    return Answer(COULD_NOT_CHECK, missing)


def _at(answer: Word, reason: str, point: BlockPoint) -> Answer:
    when = datetime.fromtimestamp(point.time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Answer(answer, reason, point.number, when)


def _nothing(integrity: Integrity, missing: str) -> Verdict:
    return Verdict(integrity_answer(integrity), *(unknown(missing),) * 5)


def integrity_answer(integrity: Integrity) -> Answer:
    """Return whether the fields shown are those that were attested."""
    if integrity.problems:
        first = integrity.problems[0]
        reason = "; ".join(problem.text() for problem in integrity.problems[:10])
        return Answer(NO, reason, pointer=first.pointer or None)
    if integrity.batch_root is None:
        return unknown("no anchor: the fields agree with each other, but with no batch to compare them to")
    return Answer(YES, f"the fields shown lead to batch 0x{integrity.batch_root.hex()}")


def _usable(
    presentation: Presentation, integrity: Integrity, facts: LedgerFacts | None, missing: str
) -> LedgerFacts | str:
    """Return the facts when they are about this very item, else what is missing."""
    anchor = presentation.anchor
    if anchor is None:
        return "the certificate names no ledger: it was not anchored"
    if not integrity.is_anchored_item:
        return (
            "the fields do not lead to the batch that the certificate names, so nothing the ledger says is about them"
        )
    if facts is None:
        return missing
    wanted = (anchor.chain_id, anchor.genesis_hash, anchor.contract)
    if wanted != (facts.chain_id, facts.genesis_hash, facts.contract):
        return (
            f"the certificate is anchored on chain {anchor.chain_id} (genesis 0x{anchor.genesis_hash.hex()}), contract "
            f"0x{anchor.contract.hex()}; the ledger asked is chain {facts.chain_id} (0x{facts.genesis_hash.hex()})"
        )
    return facts


def _issuance(presentation: Presentation, facts: LedgerFacts) -> Answer:
    batch, anchor = facts.batch, presentation.anchor
    if facts.has_batch is False:
        return _at(NO, f"the ledger has no such batch as of {facts.as_of.text()}", facts.as_of)
    if batch is None or anchor is None:
        return unknown("the record of the batch was not read")
    kind = DIALECTS[presentation.dialect].kind.number
    depth = len(anchor.path) or batch.depth  # a printed code without its path says nothing of the depth
    if (batch.depth, batch.kind) != (depth, kind):
        found = f"the batch is of kind {batch.kind} and depth {batch.depth}"
        return _at(NO, f"{found}; the certificate is of kind {kind} and depth {depth}", batch.anchored)
    if (
        batch.issuer != anchor.issuer
    ):  # follows from the root, which binds the issuer; so these facts are of no true ledger
        found = f"the batch is participant {batch.issuer}'s"
        return _at(NO, f"{found}; the certificate names participant {anchor.issuer}", batch.anchored)
    return _at(YES, f"anchored by participant {batch.issuer} at {batch.anchored.text()}", batch.anchored)


def _end_of(when: date) -> int:
    """Return the second that counts: a moment's own, a day's last."""
    if isinstance(when, datetime):
        return int(when.timestamp())
    return int(datetime.combine(when, time(23, 59, 59), UTC).timestamp())


def _day_of(when: date) -> date:
    return when.date() if isinstance(when, datetime) else when


def document_period(presentation: Presentation, integrity: Integrity, on_date: date | None) -> Answer | None:
    """Return what the document's own dates say against the date: a no, or that they cannot be relied on."""
    if on_date is None:
        return None
    dialect = DIALECTS.get(presentation.dialect)
    group = presentation.groups[0] if presentation.groups else None
    if dialect is None or not isinstance(group, OpenGroup):
        return unknown("the certificate's own dates are hidden")
    pointers = (dialect.valid_from_pointer, dialect.valid_until_pointer)
    changed = [problem.pointer for problem in integrity.problems if problem.pointer in pointers]
    if changed or (integrity.problems and not integrity.is_anchored_item):
        return unknown("the dates shown are not proven to be those attested")
    stated = dict(group.fields)
    for pointer in pointers:
        if pointer not in stated:
            continue
        try:
            day = moment(stated[pointer], pointer).astimezone(UTC).date()
        except (Unreadable, OverflowError):
            return Answer(COULD_NOT_CHECK, f"{pointer} is no date", pointer=pointer)
        is_early = pointer == dialect.valid_from_pointer and _day_of(on_date) < day
        if is_early or (pointer == dialect.valid_until_pointer and _day_of(on_date) > day):
            word = "before" if is_early else "after"
            return Answer(NO, f"not valid {word} {day}", time=str(stated[pointer]), pointer=pointer)
    return None


def _until(facts: LedgerFacts, on_date: date) -> tuple[int, str]:
    """Return the moment that a date stands for, no later than the facts, and a word when they end before it."""
    end = _end_of(on_date)
    if end <= facts.as_of.time_s:
        return end, ""
    return facts.as_of.time_s, "" if facts.warrant is not None else f" as of {facts.as_of.text()}"


def _on(when: date) -> str:
    return f"at {when:%Y-%m-%dT%H:%M:%SZ}" if isinstance(when, datetime) else f"on {when}"


def _text_of(when: date) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}" if isinstance(when, datetime) else f"{when} is over"


def _silence(facts: LedgerFacts, on_date: date) -> Answer:
    return unknown(f"the facts end with {facts.as_of.text()}, before {_text_of(on_date)}; newer ones are needed")


def _in_force(presentation: Presentation, integrity: Integrity, facts: LedgerFacts, on_date: date | None) -> Answer:
    """Return a no of the document or of the ledger before anything that could not be checked."""
    if on_date is None:
        return unknown("no date was asked about")
    by_document = document_period(presentation, integrity, on_date)
    if by_document is not None and by_document.answer == NO:
        return by_document
    by_ledger = _ledger_period(facts, on_date)
    return by_ledger if by_ledger.answer != YES or by_document is None else by_document


def _ledger_period(facts: LedgerFacts, on_date: date) -> Answer:
    batch = facts.batch
    if batch is None:
        return unknown("the batch's dates were not read")
    if _end_of(on_date) < batch.valid_from_s:
        return _at(NO, "the batch is not yet valid on that date", BlockPoint(None, batch.valid_from_s))
    if _start_of(on_date) >= batch.valid_until_s:
        return _at(NO, "the batch is no longer valid on that date", BlockPoint(None, batch.valid_until_s))
    if _end_of(on_date) < batch.anchored.time_s:
        return _at(NO, f"not anchored before {batch.anchored.text()}", batch.anchored)
    if facts.changes is None:
        return unknown("the item's status was not read")
    if facts.is_silent_on(on_date):
        for change in facts.changes:
            if change.status in ("withdrawn", "superseded"):  # for good
                return _at(NO, f"{_change_text(change)}, {change.at.text()}", change.at)
        return _silence(facts, on_date)
    moment_s, as_of = _until(facts, on_date)
    if moment_s < facts.changes_known_from_s:
        return unknown(f"the item's status is known from {BlockPoint(None, facts.changes_known_from_s).text()} only")
    until_then = [change for change in facts.changes if change.at.time_s <= moment_s]
    later = [change for change in facts.changes if change.at.time_s > moment_s and change.status != "in force"]
    if until_then and until_then[-1].status != "in force":
        change = until_then[-1]
        return _at(NO, f"{_change_text(change)}, {change.at.text()}", change.at)
    note = f"; {_change_text(later[0])} later, {later[0].at.text()}" if later else ""
    return Answer(YES, f"in force {_on(on_date)}{as_of}{note}")


def _start_of(when: date) -> int:
    return _end_of(when) if isinstance(when, datetime) else int(datetime.combine(when, time(), UTC).timestamp())


def _change_text(change: ItemChange) -> str:
    by = f" by {change.successor}" if change.successor else ""
    return f"{change.status}{by}{f' ({change.reason})' if change.reason else ''}"


def _issuer_authority(presentation: Presentation, facts: LedgerFacts, on_date: date | None) -> Answer:
    if on_date is None:
        return unknown("no date was asked about")
    issuer = facts.issuer
    if issuer is None:
        return unknown("the issuer's accreditation was not read")
    if facts.batch is not None and facts.batch.issuer != issuer.participant:
        return unknown(f"facts about participant {issuer.participant}; the issuer is {facts.batch.issuer}")
    kind = DIALECTS[presentation.dialect].kind.number
    if facts.is_silent_on(on_date):
        return _silence(facts, on_date)
    moment_s, as_of = _until(facts, on_date)
    if moment_s < issuer.known_from_s:
        return unknown(f"the issuer's history is known from {BlockPoint(None, issuer.known_from_s).text()} only")
    answer = _entitlement(issuer, kind, moment_s, as_of)
    if answer.answer == NO and facts.batch is not None and facts.batch.anchored.time_s >= issuer.known_from_s:
        anchored = facts.batch.anchored
        then = _entitlement(issuer, kind, anchored.time_s, "").answer == YES
        note = f"; it {'was' if then else 'was not'} entitled when the batch was anchored, {anchored.text()}"
        return Answer(NO, answer.reason + note, answer.block, answer.time)
    return answer


def _entitlement(issuer: IssuerFacts, kind: int, moment_s: int, as_of: str) -> Answer:
    """Return whether an issuer was entitled to a kind at a moment."""
    who = f"participant {issuer.participant}, accredited by {issuer.accredited_by},"
    held = [mandate for mandate in issuer.mandates if mandate.since.time_s <= moment_s]
    if not held:
        first = min(issuer.mandates, key=lambda mandate: mandate.since.time_s, default=None)
        if first is None:
            return Answer(NO, f"{who} has no mandate")
        return _at(NO, f"{who} had no mandate before {first.since.text()}", first.since)
    mandate = max(held, key=lambda entry: entry.since.time_s)
    reason = f" ({mandate.reason})" if mandate.reason else ""
    if mandate.status != "active":
        return _at(NO, f"{who} was {mandate.status}{reason}, {mandate.since.text()}", mandate.since)
    if kind not in mandate.kinds:
        return _at(NO, f"{who} had no mandate for kind {kind}", mandate.since)
    if not mandate.valid_from_s <= moment_s < mandate.valid_until_s:
        edge = mandate.valid_from_s if moment_s < mandate.valid_from_s else mandate.valid_until_s
        word = "begins" if moment_s < mandate.valid_from_s else "ended"
        return _at(NO, f"{who} had a mandate that {word} {BlockPoint(None, edge).text()}", BlockPoint(None, edge))
    return _at(YES, f"{who} entitled since {mandate.since.text()}{as_of}", mandate.since)


def _superseded(facts: LedgerFacts, on_date: date | None) -> Answer:
    if facts.changes is None:
        return unknown("the item's status was not read")
    moment_s = facts.as_of.time_s if on_date is None else _until(facts, on_date)[0]
    for change in facts.changes:
        if change.status == "superseded" and change.at.time_s <= moment_s:
            return _at(YES, f"{_change_text(change)}, {change.at.text()}", change.at)
    if on_date is not None and facts.is_silent_on(on_date):
        return _silence(facts, on_date)
    return Answer(NO, f"not superseded as of {facts.as_of.text()}")


def _used(facts: LedgerFacts) -> Answer:
    if facts.uses is None:
        return unknown("its use was not read")
    if not facts.uses:
        return Answer(NO, f"not used as of {facts.as_of.text()}")
    total = sum(use.share_ppm for use in facts.uses)
    rest = "in full" if total >= FULL_SHARE_PPM else f"{_percent(FULL_SHARE_PPM - total)} left"
    reason = f"used by {', '.join(_uses_text(facts.uses))}: {rest}"
    last = facts.uses[-1].at
    return Answer(YES, reason) if last is None else _at(YES, reason, last)


def _uses_text(uses: tuple[Use, ...]) -> Iterator[str]:
    for use in uses:
        when = "" if use.at is None else f", {use.at.text()}"
        yield f"{use.country} ({_percent(use.share_ppm)}{when})"


def _percent(share_ppm: int) -> str:
    return f"{share_ppm / 10_000:g} %"
