"""Files of receipts: a period as its keeper exports it to an auditor, and the proof of one receipt.

A period is lines of text: the first one says whose and which, each other one is a receipt. It holds the seed, so it is
for auditors only: who reads what stands in it.
"""

from __future__ import annotations

from collections.abc import Iterator

from cocket.attestation.canonical import INTEGER_MAX, encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.members import Members, hash_of, hexadecimal, octets, read_json
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.reading.receipt import RECEIPT_BYTES
from cocket.attestation.reading.receipts import DEPTH_MAX, FIRST_SEQUENCE, PERIOD_SEED_BYTES, Period, ReceiptProof
from cocket.attestation.reading.request import is_party

FORMAT = "cocket-receipts-1"
PROOF_FORMAT = "cocket-receipt-proof-1"
_HEAD_BYTES_MAX = 1024
_LINE_BYTES = 2 + 2 * RECEIPT_BYTES
PERIOD_BYTES_MAX = _HEAD_BYTES_MAX + ((_LINE_BYTES + 1) << DEPTH_MAX)
"""As many receipts as a period can have: 437 MB."""


def encode_period(period: Period) -> Iterator[bytes]:
    """Yield the lines of a period's file, each with its line feed."""
    head = {
        "format": FORMAT,
        "keeper": period.keeper,
        "sequence": period.sequence,
        "first": period.first,
        "previous": hexadecimal(period.previous),
        "seed": hexadecimal(period.seed),
        "receipts": len(period.receipts),
    }
    yield encode_json(head) + b"\n"
    for receipt in period.receipts:
        yield hexadecimal(receipt).encode() + b"\n"


def decode_period(data: bytes) -> Period:
    """Return the period in a file; InvalidFile when there is none. ``verify_period`` judges what it says."""
    if len(data) > PERIOD_BYTES_MAX:
        raise InvalidFile(f"a period of {len(data)} bytes; expected at most {PERIOD_BYTES_MAX}")
    head, _, rest = data.partition(b"\n")
    names = ("format", "keeper", "sequence", "first", "previous", "seed", "receipts")
    members = Members(read_json(head, _HEAD_BYTES_MAX, "period's first line"), "", names)
    members.require_format(FORMAT)
    keeper, sequence, first, previous = _bound(members)
    seed = members.octets("seed", PERIOD_SEED_BYTES)
    count = members.number("receipts", (1 << DEPTH_MAX) + 1)
    if len(rest) != count * (_LINE_BYTES + 1):
        raise InvalidFile(f"a period with {len(rest)} bytes of receipts; expected {count} lines of {_LINE_BYTES}")
    return Period(keeper, sequence, first, previous, seed, tuple(_receipts(rest)))


def _receipts(rest: bytes) -> Iterator[bytes]:
    for at in range(0, len(rest), _LINE_BYTES + 1):
        line = rest[at : at + _LINE_BYTES + 1].decode("ascii", "replace")
        place = f"line {2 + at // (_LINE_BYTES + 1)}"
        if line[-1] != "\n":
            raise InvalidFile(f"at {place}: found no end of the line; expected {_LINE_BYTES} characters")
        yield octets(line[:-1], RECEIPT_BYTES, place)


def proof_json(proof: ReceiptProof) -> dict[str, object]:
    """Return the proof of a receipt as it is handed on beside the receipt."""
    return {
        "format": PROOF_FORMAT,
        "keeper": proof.keeper,
        "sequence": proof.sequence,
        "first": proof.first,
        "previous": hexadecimal(proof.previous),
        "place": proof.place,
        "path": [hexadecimal(each) for each in proof.path],
    }


def proof_of_json(node: object) -> ReceiptProof:
    """Return a receipt's proof from its JSON; InvalidFile when it is none. Where it leads is not judged."""
    members = Members(node, "", ("format", "keeper", "sequence", "first", "previous", "place", "path"))
    members.require_format(PROOF_FORMAT)
    place = members.number("place", 1 << DEPTH_MAX)
    return ReceiptProof(*_bound(members), place, members.several("path", DEPTH_MAX, hash_of))


def _bound(members: Members) -> tuple[int, int, int, bytes]:
    """Return what a root binds beside its leaves: keeper, sequence, number of the first receipt, root before."""
    keeper, sequence = members.number("keeper", INTEGER_MAX + 1), members.number("sequence", INTEGER_MAX + 1)
    if not is_party(keeper):
        raise members.refusal("keeper", "a party's number")
    if sequence < FIRST_SEQUENCE:
        raise members.refusal("sequence", f"a number from {FIRST_SEQUENCE}")
    return keeper, sequence, members.number("first", INTEGER_MAX + 1), members.octets("previous", HASH_BYTES)
