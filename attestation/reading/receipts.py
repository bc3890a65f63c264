"""Receipts of a period: the tree that a keeper anchors, and what an auditor finds in what it exports.

The leaves stand in order of number and are filled up with leaves drawn from a secret of the period, to a power of two
and at least 64: a root says nothing about how many reads there were, also when there was none. Each root binds the one
before it, so anchored roots make one history: nothing in it can be left out, put elsewhere, or told in two ways. Never
asks a ledger: what is anchored comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.merkle import (
    FROM_PERIOD_SEED,
    HASH_BYTES,
    RECEIPT_NODE,
    RECEIPT_ROOT,
    climb,
    keccak256,
    paths_of,
    spread,
    top_of,
)
from cocket.attestation.reading.receipt import decode_receipt, is_signed, leaf_of

DEPTH_MIN = 6
"""A period without reads looks like one with 64."""
DEPTH_MAX = 20
"""A million receipts: 290 a second for an hour. A keeper closes a period that is full before its time."""
PERIOD_SEED_BYTES = 32
FIRST_SEQUENCE = 1
"""The Access contract counts a keeper's anchored roots from here."""
NO_ROOT = bytes(HASH_BYTES)
"""In place of the root before the first."""


@dataclass(frozen=True, slots=True)
class Period:
    """The receipts between two anchored roots, as their keeper has them and an auditor gets them.

    ``sequence`` counts the periods from 1; ``first`` is the number of the first receipt, also when there is none;
    ``previous`` the root before; ``receipts`` the bytes of each, in order.
    """

    keeper: int
    sequence: int
    first: int
    previous: bytes
    seed: bytes
    receipts: tuple[bytes, ...]

    def __repr__(self) -> str:
        return (
            f"Period(keeper={self.keeper}, sequence={self.sequence}, first={self.first}, {len(self.receipts)} receipts)"
        )


@dataclass(frozen=True, slots=True)
class ReceiptProof:
    """Where a receipt stands in an anchored period: what binds the root, the leaf's place, and its path."""

    keeper: int
    sequence: int
    first: int
    previous: bytes
    place: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ReceiptFinding:
    """One thing that is wrong with a keeper's receipts: the period, the receipt's number if it is about one, the rule.

    Rules: ``missing`` (a receipt or period that must be there), ``order``, ``root`` (not what was anchored: something
    was deleted, added, changed or moved), ``previous`` (a history that does not follow from the one before), ``fork``
    (a receipt that a reader shows and the keeper does not: one of them is false, for keepers sign none),
    ``unanchored``, ``keeper``, ``signature``, ``receipt`` (no receipt at all).
    """

    sequence: int
    number: int | None
    rule: str
    found: str
    expected: str

    def text(self) -> str:
        """Return the finding as one line for people.

        >>> ReceiptFinding(3, 17, "missing", "number 18", "number 17").text()
        'period 3, receipt 17 (missing): found number 18; expected number 17'
        """
        where = f"period {self.sequence}" + ("" if self.number is None else f", receipt {self.number}")
        return f"{where} ({self.rule}): found {self.found}; expected {self.expected}"


def root_of(period: Period) -> bytes:
    """Return the root that is anchored for a period."""
    leaves = [leaf_of(each) for each in period.receipts]
    return root_over(period.keeper, period.sequence, period.first, period.previous, period.seed, leaves)


def root_over(keeper: int, sequence: int, first: int, previous: bytes, seed: bytes, leaves: Sequence[bytes]) -> bytes:
    """Return the root of a period by its receipts' leaves, in order of number."""
    filled = _filled(leaves, seed)
    depth = len(filled).bit_length() - 1
    return _root(keeper, sequence, first, depth, previous, top_of(filled, RECEIPT_NODE))


def _root(keeper: int, sequence: int, first: int, depth: int, previous: bytes, top: bytes) -> bytes:
    numbers = keeper.to_bytes(8) + sequence.to_bytes(8) + first.to_bytes(8) + bytes((depth,))
    return keccak256(RECEIPT_ROOT + numbers + previous + top)


def _filled(leaves: Sequence[bytes], seed: bytes) -> list[bytes]:
    """Return the leaves and as many drawn from the seed as make them a power of two."""
    if len(seed) != PERIOD_SEED_BYTES or len(leaves) > 1 << DEPTH_MAX:
        raise AttestationError(
            f"found a seed of {len(seed)} bytes and {len(leaves)} receipts; expected {PERIOD_SEED_BYTES} and at most "
            f"2**{DEPTH_MAX}"
        )
    depth = max(DEPTH_MIN, (len(leaves) - 1).bit_length())
    missing = (1 << depth) - len(leaves)
    padding = spread(FROM_PERIOD_SEED, seed, HASH_BYTES * missing)
    return [*leaves, *[padding[at : at + HASH_BYTES] for at in range(0, len(padding), HASH_BYTES)]]


def proof_of(period: Period, number: int) -> ReceiptProof:
    """Return the proof that the receipt of a number is in the period's root; AttestationError when it is not there."""
    place = number - period.first
    if not 0 <= place < len(period.receipts):
        last = period.first + len(period.receipts) - 1
        raise AttestationError(f"found number {number}; expected {period.first} to {last}, the period's receipts")
    path = paths_of(_filled([leaf_of(each) for each in period.receipts], period.seed), [place], RECEIPT_NODE)[0]
    return ReceiptProof(period.keeper, period.sequence, period.first, period.previous, place, path)


def root_by(proof: ReceiptProof, receipt: bytes) -> bytes:
    """Return the root that a receipt reaches by its proof: the anchored one, or something is false.

    :raises InvalidFile: the proof cannot be this receipt's, or no period's.
    """
    decoded = decode_receipt(receipt)
    depth = len(proof.path)
    if not DEPTH_MIN <= depth <= DEPTH_MAX or not 0 <= proof.place < 1 << depth:
        raise InvalidFile(f"a path of {depth} hashes to place {proof.place}, which no period has")
    if (decoded.keeper, decoded.number) != (proof.keeper, proof.first + proof.place):
        raise InvalidFile(f"receipt {decoded.number} of keeper {decoded.keeper}, which the proof is not about")
    top = climb(leaf_of(receipt), proof.place, proof.path, RECEIPT_NODE)
    return _root(proof.keeper, proof.sequence, proof.first, depth, proof.previous, top)


def verify_period(period: Period, anchored: bytes | None) -> Iterator[ReceiptFinding]:
    """Yield what is wrong with one period by itself, beside the root that is anchored for it (None: there is none)."""
    for place, data in enumerate(period.receipts):
        yield from _receipt_findings(period, period.first + place, data)
    try:
        found = root_of(period)
    except AttestationError as error:
        yield ReceiptFinding(period.sequence, None, "root", str(error), "a period")
        return
    if anchored is None:
        yield ReceiptFinding(period.sequence, None, "unanchored", "no root on the ledger", f"0x{found.hex()}")
    elif found != anchored:
        yield ReceiptFinding(
            period.sequence, None, "root", f"receipts that lead to 0x{found.hex()}", f"0x{anchored.hex()}, as anchored"
        )


def _receipt_findings(period: Period, number: int, data: bytes) -> Iterator[ReceiptFinding]:
    try:
        receipt = decode_receipt(data)
    except InvalidFile as error:
        yield ReceiptFinding(period.sequence, number, "receipt", str(error), "a receipt")
        return
    if receipt.number != number:
        rule = "missing" if receipt.number > number else "order"
        yield ReceiptFinding(period.sequence, number, rule, f"number {receipt.number}", f"number {number}")
    if receipt.keeper != period.keeper:
        yield ReceiptFinding(period.sequence, number, "keeper", f"party {receipt.keeper}", f"party {period.keeper}")
    if not is_signed(receipt):
        reader = f"0x{receipt.reader.hex()}"
        yield ReceiptFinding(period.sequence, number, "signature", "another's or none", f"the signature of {reader}")


def verify_history(
    keeper: int, periods: Iterable[Period], anchored: Mapping[int, bytes], held: Iterable[bytes] = ()
) -> Iterator[ReceiptFinding]:
    """Yield what is wrong with everything that a keeper exported, its periods in order.

    ``anchored`` has all its roots on the ledger by their sequence; ``held`` are receipts that readers say they were
    given: each must be among those exported, unless it is of a period still open. Without a finding, nothing was
    deleted, added, reordered or told in two ways since it was anchored. Of a read that was never written down, and that
    no reader shows a receipt of, receipts say nothing.

    :raises InvalidFile: one of ``held`` is no receipt.
    """
    sought = {leaf_of(data): receipt for data in held if (receipt := decode_receipt(data)).keeper == keeper}
    sequence, end = FIRST_SEQUENCE, 0
    last: Period | None = None
    starts: list[tuple[int, int]] = []
    for period in periods:
        for data in period.receipts:
            sought.pop(leaf_of(data), None)
        yield from verify_period(period, anchored.get(period.sequence))
        if period.keeper != keeper:
            yield ReceiptFinding(period.sequence, None, "keeper", f"party {period.keeper}", f"party {keeper}")
        if period.sequence < sequence:
            found = "it twice, or after a later one"
            yield ReceiptFinding(period.sequence, None, "order", found, f"period {sequence} or later")
            continue
        for absent in range(sequence, min(period.sequence, sequence + _ABSENT_MAX)):
            yield ReceiptFinding(absent, None, "missing", "no such period", "it exported like the others")
        yield from _link_findings(period, last, end if period.sequence == sequence else None, anchored)
        last, sequence, end = period, period.sequence + 1, period.first + len(period.receipts)
        starts.append((period.first, period.sequence))
    for absent in sorted(each for each in anchored if each >= sequence):
        yield ReceiptFinding(absent, None, "missing", "no such period", f"one with root 0x{anchored[absent].hex()}")
    for receipt in sought.values():
        if receipt.number < end:
            within = max((each for each in starts if each[0] <= receipt.number), default=(0, FIRST_SEQUENCE))[1]
            found = f"another receipt of that number, or none, than reader 0x{receipt.reader.hex()} shows"
            yield ReceiptFinding(within, receipt.number, "fork", found, "one receipt: one of the two is false")


_ABSENT_MAX = 1000  # a hole in the history is told period by period so far


def _link_findings(
    period: Period, last: Period | None, end: int | None, anchored: Mapping[int, bytes]
) -> Iterator[ReceiptFinding]:
    """Yield where a period does not follow from the one before; ``end`` is None when that is not there."""
    previous = NO_ROOT if period.sequence == FIRST_SEQUENCE else anchored.get(period.sequence - 1)
    if previous is None and last is not None and end is not None and len(last.seed) == PERIOD_SEED_BYTES:
        previous = root_of(last)
    if previous is not None and period.previous != previous:
        found, expected = f"0x{period.previous.hex()} as the root before", f"0x{previous.hex()}"
        yield ReceiptFinding(period.sequence, None, "previous", found, expected)
    if end is not None and period.first != end:
        rule = "missing" if period.first > end else "order"
        yield ReceiptFinding(period.sequence, None, rule, f"numbers from {period.first}", f"numbers from {end}")
