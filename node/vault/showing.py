"""Showing receipts: gives an auditor a vault's closed periods while an engagement with its controller is in force.

The contract decides, about a batch that the engagement reaches; withdrawn, expired, or the auditor suspended, nothing
more is given. What is given is the whole period, also receipts of records outside the engagement: an anchored root
cannot be made again from less. It is receipts of one controller's vault, and that controller signed the engagement.
"""

from http import HTTPStatus

from cocket.attestation.kinds import NEVER_HIDDEN
from cocket.attestation.reading.periods import (
    PERIOD_TEXT_MAX,
    PeriodGiven,
    decode_periods_call,
    encode_period_given,
    signer_of,
)
from cocket.attestation.reading.receipt import RECEIPT_BYTES, decode_receipt
from cocket.contracts import access, certificates
from cocket.contracts.access import Question, Reason, participant_party
from cocket.contracts.errors import ContractError
from cocket.node.vault.bulk import Bulk
from cocket.node.vault.declined import NO_SUCH_RECORD, Declined, declined
from cocket.node.vault.gate import Gate
from cocket.node.vault.ledger import Ledger
from cocket.node.vault.parties import own_party
from cocket.node.vault.register import Register

FIRST_PLACE = 0
RECEIPTS_MAX = PERIOD_TEXT_MAX // (2 * RECEIPT_BYTES + 3) - 8


class Showing:
    """What answers a call for a period, in several threads; ``party`` is whose vault it is."""

    def __init__(self, ledger: Ledger, register: Register, gate: Gate, bulk: Bulk, party: int) -> None:
        self._ledger = ledger
        self._register = register
        self._gate = gate
        self._bulk = bulk
        self._party = party

    def period(self, body: bytes) -> bytes:
        """Return the answer to a call; Declined with what is told instead."""
        call = decode_periods_call(body)
        request = call.request
        if request.vault != self._party:
            raise declined(HTTPStatus.BAD_REQUEST, f"the request is for the vault of {request.vault}, not this one")
        signer = self._gate.signer(request, lambda: signer_of(request, call.signature))
        head = self._gate.head(request)
        if not own_party(*self._gate.parties_of(signer, head)):
            raise Declined(HTTPStatus.FORBIDDEN, NO_SUCH_RECORD)
        self._gate.validate_contract(request.access, head)
        question = Question(signer, request.batch, FIRST_PLACE, frozenset({NEVER_HIDDEN}), request.purpose)
        try:
            view = access.may_read(question, call.claim, b"")
            decision, batch = self._ledger.two_views(
                (request.access, view), (certificates.ADDRESS, certificates.batch(request.batch)), head.number
            )
        except ContractError as error:
            raise declined(HTTPStatus.BAD_REQUEST, f"the contract cannot judge this claim: {error}") from None
        if participant_party(batch.participant) != self._party:
            raise Declined(HTTPStatus.FORBIDDEN, NO_SUCH_RECORD)
        if decision.reason is not Reason.BY_ENGAGEMENT:
            why = "no engagement" if decision.may_read else decision.text
            raise declined(HTTPStatus.FORBIDDEN, f"receipts are for auditors engaged by their controller: {why}")
        return encode_period_given(self._given(request.sequence))

    def _given(self, sequence: int) -> PeriodGiven:
        closed = self._register.sequence - 1
        if not 1 <= sequence <= closed:
            return PeriodGiven(None, (), closed)
        period = self._register.period(sequence)
        count = len(period.receipts)
        if count > RECEIPTS_MAX:
            raise declined(
                HTTPStatus.NOT_FOUND,
                f"period {sequence} has {count} receipts, too many to send: let it be exported",
            )
        found = [decode_receipt(each) for each in period.receipts]
        pages = tuple([self._bulk.page(each.records) for each in found if each.is_bulk])
        return PeriodGiven(period, pages, closed)
