"""What a ledger's state says of one item, read slot by slot into the facts that a verdict is made of.

The order of the reads is the order of a bundle's proof nodes. Words carry times and no heights, so no block number
stands beside what happened; who used a share is proven by a slot for each authority whose shares make up the total.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from cocket.attestation.verdict import BatchFacts, BlockPoint, IssuerFacts, ItemChange, Mandate, Use
from cocket.contracts import certificates, consortium, directory, participants
from cocket.contracts.certificates import Batch, ItemStatus
from cocket.contracts.consortium import Standing, Status
from cocket.contracts.errors import ContractError
from cocket.contracts.history import decode_word, words_back
from cocket.contracts.participants import MandateStatus, Role
from cocket.node.bundle.deployed import Contract, open_named
from cocket.node.bundle.errors import Unproven
from cocket.node.bundle.state import ProvenState

WORDS_MAX: Final = 64
"""Entries of one history in a bundle, the newest. Few have ten; an issuer that suspends and reinstates a document a
thousand times makes the verdict on its early days "could not check", and no bundle of a megabyte."""

T = TypeVar("T")

_ISSUING: Final = Role.CHAMBER | Role.EXPORTER


def change_reason(code: int, *, is_by_authority: bool, is_batch: bool) -> str:
    """Return who put a document out of force and why, for people.

    >>> change_reason(4, is_by_authority=False, is_batch=True)
    'the whole batch, by its issuer, reason code 4'
    """
    whole = "the whole batch, " if is_batch else ""
    return f"{whole}by its {'authority' if is_by_authority else 'issuer'}, reason code {code}"


class ItemReader:
    """Reads about one item of a batch in the state after one block; Unproven when a word is none of the contracts'."""

    def __init__(self, state: ProvenState, consortium_: Contract, batch: bytes, index: int) -> None:
        self._state = state
        self._consortium = consortium_
        self._certificates = open_named(state, directory.CERTIFICATES)
        self._batch, self._index = batch, index
        self.contract = self._certificates.address

    def record(self) -> Batch | None:
        """Return the batch's record, None when it is proven that the ledger has no such batch."""
        word = self._certificates.slot(certificates.batch_slot(self._batch))
        return _read("batch", certificates.decode_batch_word, word) if word else None

    def changes(self, record: Batch) -> tuple[tuple[ItemChange, ...], int]:
        """Return what became of the item, in order of time, and since when that is all."""
        words, since_s = _history(
            self._certificates,
            certificates.item_slot(self._batch, self._index),
            lambda sequence: certificates.past_item_slot(self._batch, self._index, sequence),
        )
        states = [_read("item", certificates.decode_item_word, word) for word in words]
        successor = ""
        if states and states[-1].status is ItemStatus.SUPERSEDED:
            batch, index = map(self._certificates.slot, certificates.successor_slots(self._batch, self._index))
            successor = f"0x{batch:064x} item {index}"
        found = []
        for state in states:
            at = BlockPoint(None, state.since)
            reason = change_reason(state.reason, is_by_authority=state.by_authority, is_batch=False)
            match state.status:
                case ItemStatus.IN_FORCE:
                    found.append(ItemChange("in force", at))
                case ItemStatus.SUSPENDED:
                    found.append(ItemChange("suspended", at, reason))
                case ItemStatus.WITHDRAWN:
                    found.append(ItemChange("withdrawn", at, reason))
                case ItemStatus.SUPERSEDED:
                    found.append(ItemChange("superseded", at, successor=successor))
        if record.withdrawn_at:
            reason = change_reason(record.reason, is_by_authority=record.by_authority, is_batch=True)
            found.append(ItemChange("withdrawn", BlockPoint(None, record.withdrawn_at), reason))
        return tuple(sorted(found, key=lambda change: change.at.time_s)), since_s

    def uses(self, users: Sequence[int]) -> tuple[Use, ...]:
        """Return what each of these authorities has used; Unproven unless they are all who used it, and no others."""
        total = self._certificates.slot(certificates.used_slot(self._batch, self._index))
        found = []
        for authority in users:
            share = self._certificates.slot(certificates.used_by_slot(self._batch, self._index, authority))
            if not share:
                raise Unproven(f"use: found authority {authority}, expected those that used a share only")
            found.append((self.country(authority), share))
        if sum(share for _, share in found) != total:
            raise Unproven(f"use: found the shares of {len(found)} authorities, expected all of {total} millionths")
        return tuple(Use(country, share, None) for country, share in found)

    def issuer(self, record: Batch) -> IssuerFacts:
        """Return the issuer's mandates, suspended where its authority was out of good standing."""
        contract = open_named(self._state, directory.PARTICIPANTS)
        words, mandates_s = _history(
            contract,
            participants.mandate_slot(record.participant),
            lambda sequence: participants.past_mandate_slot(record.participant, sequence),
        )
        mandates = [_read("mandate", participants.decode_mandate_word, word) for word in words]
        if any(mandate.authority != record.authority for mandate in mandates):
            raise Unproven(f"participant {record.participant}: found a mandate of another authority than the batch's")
        words, standings_s = _history(
            self._consortium,
            consortium.standing_slot(record.authority),
            lambda sequence: consortium.past_standing_slot(record.authority, sequence),
        )
        standings = [_read("standing", consortium.decode_standing_word, word) for word in words]
        country = self.country(record.authority)
        return IssuerFacts(
            record.participant, country, merge_mandates(mandates, standings, country), max(mandates_s, standings_s)
        )

    def country(self, authority: int) -> str:
        """Return the country of an authority."""
        word = self._consortium.slot(consortium.country_slot(authority))
        return _read("country", consortium.decode_country_word, word)


def batch_facts(record: Batch) -> BatchFacts:
    """Return what a verdict wants to know of a batch's record."""
    anchored = BlockPoint(None, record.anchored_at)
    return BatchFacts(record.depth, record.kind, record.participant, anchored, record.valid_from, record.valid_to)


def merge_mandates(
    mandates: Sequence[participants.Mandate], standings: Sequence[Standing], country: str
) -> tuple[Mandate, ...]:
    """Return an issuer's mandates over time, as its accrediting authority's standing lets them count.

    Both histories are in order; of words of one second the last counts. A mandate without an issuing role is for no
    kind at all.
    """
    merged = []
    for time_s in sorted({mandate.since for mandate in mandates} | {standing.since for standing in standings}):
        held = [mandate for mandate in mandates if mandate.since <= time_s]
        stood = [standing for standing in standings if standing.since <= time_s]
        if not held:
            continue
        mandate = held[-1]
        if mandate.status is not MandateStatus.ACTIVE and mandate.since != time_s:
            continue  # what its authority is does not count then
        status: Status = stood[-1].status if stood else Status.UNKNOWN
        merged.append(_merged(mandate, status, BlockPoint(None, time_s), country))
    return tuple(merged)


def _merged(mandate: participants.Mandate, status: Status, since: BlockPoint, country: str) -> Mandate:
    kinds = tuple(sorted(mandate.kinds)) if mandate.roles & _ISSUING else ()
    reason = f"reason code {mandate.reason}" if mandate.reason else ""
    if mandate.status is MandateStatus.SUSPENDED:
        return Mandate("suspended", since, kinds, mandate.valid_from, mandate.valid_to, reason)
    if mandate.status is not MandateStatus.ACTIVE:
        return Mandate("ended", since, kinds, mandate.valid_from, mandate.valid_to, reason)
    if status is not Status.ACTIVE:
        reason = f"its accrediting authority {country} was {status.name.lower()}"
        return Mandate("suspended", since, kinds, mandate.valid_from, mandate.valid_to, reason)
    return Mandate("active", since, kinds, mandate.valid_from, mandate.valid_to)


def _history(contract: Contract, latest: int, past: Callable[[int], int]) -> tuple[tuple[int, ...], int]:
    """Return the newest words of a history, and the time since which they are all."""
    try:
        words, is_whole = words_back(latest, contract.slot, past, WORDS_MAX)
    except ContractError as error:
        raise Unproven(str(error)) from None
    return words, 0 if is_whole else decode_word(words[0]).time


def _read(what: str, decode: Callable[[int], T], word: int) -> T:
    try:
        return decode(word)
    except (ContractError, ValueError) as error:
        raise Unproven(f"{what}: found the word {word:#066x}, expected one of the contract's ({error})") from None
