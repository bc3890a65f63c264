"""Receipts: what a keeper, a vault or a custodian, keeps of each read that it decided, and hands to the reader.

Both halves are in it: the reader's signature over its request, and the keeper's number, time, block and decision. The
keeper signs nothing: it anchors the root over all its receipts (:mod:`..receipts`), and the salt keeps that root from
telling anything. Fixed width, so that one receipt has one form.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from cocket.attestation.batch import DEPTH_MAX
from cocket.attestation.canonical import INTEGER_MAX
from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.merkle import HASH_BYTES, RECEIPT, keccak256
from cocket.attestation.reading.page import SALT_BYTES, Page, records_root
from cocket.attestation.reading.request import PURPOSES_MAX, RECORDS_MAX, ReadRequest, is_party, signer_of, signing_hash
from cocket.attestation.sealing.envelope import GROUPS_MAX
from cocket.attestation.signature import ADDRESS_BYTES, SIGNATURE_BYTES, recover

NONE = bytes(HASH_BYTES)
REFUSALS_FROM = 64
"""The Access contract's reasons from here on are refusals."""
_FORM = Struct(
    f">QQQQ{HASH_BYTES}s{SIGNATURE_BYTES}s{ADDRESS_BYTES}sQ{HASH_BYTES}sIIIBB{SALT_BYTES}s{HASH_BYTES}s{HASH_BYTES}s"
)
RECEIPT_BYTES = _FORM.size
_DECISION_AT = -(1 + SALT_BYTES + 2 * HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One decision about one request.

    ``number`` counts a keeper's receipts from 0 without gaps; ``keeper`` is its party number; ``block_number`` the head
    at which it asked the contract; ``request_hash`` what the reader signed (EIP-712); ``party`` whose reading it was:
    an officer's authority, by the delegation that it showed and the contract took, else the party of ``reader``; 0 when
    nobody's. ``groups`` is a bit mask; ``decision`` the contract's reason code; ``salt`` random. Of a bulk read,
    ``index`` is the first record's, ``count`` says how many were given, and ``records`` is the root over them
    (:mod:`..page`); else 1 and zeros. ``grant`` is the hash of what the reader claimed as it stands on the ledger;
    zeros when it claimed nothing.
    """

    number: int
    keeper: int
    time_s: int
    block_number: int
    request_hash: bytes
    signature: bytes
    reader: bytes
    party: int
    batch: bytes
    index: int
    count: int
    groups: int
    purpose: int
    decision: int
    salt: bytes
    records: bytes = NONE
    grant: bytes = NONE

    @property
    def is_bulk(self) -> bool:
        """Whether it is of a bulk read in which something was given."""
        return self.records != NONE


def receipt_of(
    request: ReadRequest,
    signature: bytes,
    *,
    number: int,
    keeper: int,
    time_s: int,
    block_number: int,
    party: int,
    decision: int,
    salt: bytes,
    grant: bytes = NONE,
    given: Page | None = None,
) -> Receipt:
    """Return the receipt of a keeper's decision about a signed request; InvalidFile when nobody can have signed it.

    ``given``: the records of a bulk read, under the same salt; None of any other.
    """
    return Receipt(
        number=number,
        keeper=keeper,
        time_s=time_s,
        block_number=block_number,
        request_hash=signing_hash(request),
        signature=signature,
        reader=signer_of(request, signature),
        party=party,
        batch=request.batch,
        index=request.index if given is None else given.indices[0],
        count=1 if given is None else len(given.indices),
        groups=request.groups,
        purpose=request.purpose,
        decision=decision,
        salt=salt,
        records=NONE if given is None else records_root(given),
        grant=grant,
    )


def encode_receipt(receipt: Receipt) -> bytes:
    """Return a receipt's bytes; ``docs/formats.md`` has the table."""
    if problem := _problem(receipt):
        raise AttestationError(f"no receipt to write: {problem}")
    return _FORM.pack(
        receipt.number,
        receipt.keeper,
        receipt.time_s,
        receipt.block_number,
        receipt.request_hash,
        receipt.signature,
        receipt.reader,
        receipt.party,
        receipt.batch,
        receipt.index,
        receipt.count,
        receipt.groups,
        receipt.purpose,
        receipt.decision,
        receipt.salt,
        receipt.records,
        receipt.grant,
    )


def decode_receipt(data: bytes) -> Receipt:
    """Return the receipt in its bytes; InvalidFile when they are none. Who signed is not judged."""
    if len(data) != RECEIPT_BYTES:
        raise InvalidFile(f"a receipt of {len(data)} bytes; expected {RECEIPT_BYTES}")
    receipt = Receipt(*_FORM.unpack(data))
    if problem := _problem(receipt):
        raise InvalidFile(f"no receipt: {problem}")
    return receipt


def _problem(receipt: Receipt) -> str | None:
    """Return what cannot be in a receipt; None when it can be one."""
    for name, below in _BELOW.items():
        number = getattr(receipt, name)
        if not 0 <= number < below:
            return f"found {name} {number}; expected it below {below}"
    for name, length in _LENGTHS.items():
        found = len(getattr(receipt, name))
        if found != length:
            return f"found {name} of {found} bytes; expected {length}"
    if not is_party(receipt.keeper):
        return f"found keeper {receipt.keeper}; expected a party's number"
    if receipt.party and not is_party(receipt.party):
        return f"found party {receipt.party}; expected a party's number, or 0"
    if receipt.count == 0 or (receipt.count > 1 and not receipt.is_bulk):
        return f"found {receipt.count} records with root 0x{receipt.records.hex()}; expected 1, or the root over them"
    return None if receipt.groups else "found no groups; expected at least one"


_BELOW = {
    "number": INTEGER_MAX + 1,
    "time_s": INTEGER_MAX + 1,
    "block_number": INTEGER_MAX + 1,
    "index": 1 << DEPTH_MAX,
    "count": RECORDS_MAX + 1,
    "groups": 1 << GROUPS_MAX,
    "purpose": PURPOSES_MAX,
    "decision": 1 << 8,
}
_LENGTHS = {
    "request_hash": HASH_BYTES,
    "signature": SIGNATURE_BYTES,
    "reader": ADDRESS_BYTES,
    "batch": HASH_BYTES,
    "salt": SALT_BYTES,
    "records": HASH_BYTES,
    "grant": HASH_BYTES,
}


def decision_in(data: bytes) -> int:
    """Return the decision in a receipt's bytes without taking the rest apart: for who looks through all of them."""
    return data[_DECISION_AT]


def leaf_of(data: bytes) -> bytes:
    """Return the leaf of a receipt's bytes in the tree of its period."""
    return keccak256(RECEIPT + data)


def is_signed(receipt: Receipt) -> bool:
    """Return whether the reader that a receipt names signed the request that it names."""
    try:
        return recover(receipt.request_hash, receipt.signature) == receipt.reader
    except InvalidFile:
        return False


def validate_receipt(
    receipt: Receipt,
    request: ReadRequest,
    signature: bytes,
    *,
    keeper: int,
    party: int,
    indices: tuple[int, ...],
    grant: bytes,
) -> None:
    """Refuse (InvalidFile) a receipt that is not of this request by this keeper, and of exactly the records that came.

    The reader looks at what it got: ``party`` is whose reading it was; ``indices`` are those records' places in the
    batch, in order; ``grant`` the hash of what it claimed, zeros for nothing.
    """
    is_bulk = request.count > 1
    expected: dict[str, int | bytes] = {
        "keeper": keeper,
        "request_hash": signing_hash(request),
        "signature": signature,
        "reader": signer_of(request, signature),
        "party": party,
        "batch": request.batch,
        "index": indices[0],
        "count": len(indices),
        "records": records_root(Page(request.batch, receipt.salt, indices)) if is_bulk else NONE,
        "groups": request.groups,
        "purpose": request.purpose,
        "grant": grant,
    }
    if receipt.decision >= REFUSALS_FROM:
        raise InvalidFile(
            f"a receipt whose decision is {receipt.decision}, a refusal; expected the reason of what came"
        )
    for name, value in expected.items():
        found = getattr(receipt, name)
        if found != value:
            raise InvalidFile(f"a receipt whose {name} is {_text(found)}; expected {_text(value)}, of the request")


def _text(value: int | bytes) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
