"""Verdicts on printed certificates: by the path to the batch as on any presentation, else by the issuer's signature.

A signature ties the fields to their place only where a ledger says whose key it is; alone it proves nothing, for
anybody can sign.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from cocket.attestation.printed import Printed
from cocket.attestation.prove import Integrity
from cocket.attestation.verdict import (
    NO,
    YES,
    Answer,
    LedgerFacts,
    Verdict,
    document_period,
    integrity_answer,
    unknown,
    verdict_of,
)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed a printed certificate: the account, and whether it is, was or never was a key of its issuer."""

    account: bytes
    standing: Literal["in force", "ended", "none"]


def printed_verdict(
    printed: Printed,
    facts: LedgerFacts | None,
    on_date: date | None,
    signer: Signer | None,
    missing: str = "no ledger was asked",
) -> Verdict:
    """Return the verdict on a printed certificate; ``signer`` is what the ledger of the facts says of its signature."""
    presentation, integrity = printed.presentation, printed.integrity
    word = _integrity(printed, integrity, signer)
    if printed.has_path or word.answer == NO:
        return verdict_of(presentation, integrity, word, facts, on_date, missing)
    if word.answer == YES:
        tied = replace(integrity, batch_root=printed.anchor.batch, is_anchored_item=True)
        found = verdict_of(presentation, tied, word, facts, on_date, missing)
        if found.issuance.answer != YES:
            return found
        by = "that this is its item is the word of its issuer, whose signature the code has"
        return replace(found, issuance=replace(found.issuance, reason=f"{found.issuance.reason}; {by}"))
    missed = unknown("the code has no path to its batch: ask a node, or get the certificate's bundle")
    in_force = document_period(presentation, integrity, on_date) or missed
    return Verdict(word, missed, in_force, missed, missed, missed)


def _integrity(printed: Printed, integrity: Integrity, signer: Signer | None) -> Answer:
    """Return whether what is printed is what was attested."""
    if integrity.problems:
        return integrity_answer(integrity)
    issuer = printed.anchor.issuer
    if signer is not None and signer.standing == "none":
        who = f"0x{signer.account.hex()}"
        return Answer(NO, f"signed by {who}, which was never a key of participant {issuer}, its issuer")
    if printed.has_path:
        return integrity_answer(integrity)
    place = f"item {printed.anchor.index} of batch 0x{printed.anchor.batch.hex()}"
    if printed.signature is None:
        return unknown(f"nothing in the code ties the fields to {place}: no path and no signature")
    if signer is None:
        return unknown(f"the fields are signed as {place}; whether by its issuer, a ledger has to say")
    if signer.standing == "ended":
        return unknown(f"signed by a key of participant {issuer} that has ended, and a code does not say when")
    return Answer(YES, f"the fields shown are {place}, by the signature of participant {issuer}")
