"""Decisions: whether a keeper, a vault or a custodian, gives what a signed request asks for; the contract says so.

Everything comes from the ledger at the keeper's own head, which is young and not behind the one that the reader saw:
who signed, in force by whom, and what Access says of it there. Each decision that is told is receipted, nonce and
receipt on the disk, before it is told. To strangers all refusals look alike, and nothing of the record is looked at.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from secrets import token_bytes
from typing import Never

from cocket.attestation.kinds import KINDS
from cocket.attestation.reading.exchange import Refusal
from cocket.attestation.reading.page import SALT_BYTES, Page
from cocket.attestation.reading.receipt import Receipt, receipt_of
from cocket.attestation.reading.request import ReadRequest, groups_of, signer_of
from cocket.contracts import access, certificates
from cocket.contracts.access import Decision, Question, Reason, ShownClaim, authority_party
from cocket.contracts.certificates import Batch
from cocket.contracts.errors import ContractError, ContractRefusal
from cocket.node.errors import NodeError, Refused, Unavailable
from cocket.node.vault.bulk import Bulk
from cocket.node.vault.declined import NO_SUCH_RECORD, Declined, declined
from cocket.node.vault.gate import Gate
from cocket.node.vault.ledger import Head, Ledger
from cocket.node.vault.parties import own_party
from cocket.node.vault.register import Register
from cocket.node.vault.rules import Rules
from cocket.node.vault.tombstones import Tombstones

REFUSALS_AN_HOUR = 60
"""Receipted refusals of one reader: what a clerk's mistakes need, and no more of the register."""
READERS_MAX = 4096
"""Readers with refusals of the last hour that are remembered; beyond, nobody's are receipted."""
_HOUR_S = 3600
_STRANGERS = (Reason.UNKNOWN_READER, Reason.NO_DELEGATION)
_UNJUDGED = (*_STRANGERS, Reason.UNKNOWN_RECORD, Reason.NOTHING_ASKED)
"""Reasons that say nothing of a delegation that was shown, or that there is none."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What Access said of a request, at which block.

    ``shown`` is what the claim shows; ``own_party`` the signer's own, 0 for none.
    """

    request: ReadRequest
    signature: bytes
    reader: bytes
    claim: bytes
    head: Head
    batch: Batch
    decision: Decision
    own_party: int
    shown: ShownClaim

    @property
    def party(self) -> int:
        """Whose reading it is: the authority's whose delegation the contract took, else the signer's own."""
        if self.shown.authority and self.decision.reason not in _UNJUDGED:
            return authority_party(self.shown.authority)
        return self.own_party


class Judge:
    """Rules on requests, and keeps the receipts of it; for several threads."""

    def __init__(
        self,
        ledger: Ledger,
        register: Register,
        rules: Rules,
        gate: Gate,
        tombstones: Tombstones,
        bulk: Bulk,
        now_s: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._register = register
        self._rules = rules
        self._gate = gate
        self._tombstones = tombstones
        self._bulk = bulk
        self._now_s = now_s
        self._refusals: dict[bytes, deque[int]] = {}
        self._counting = threading.Lock()

    def rule(
        self, request: ReadRequest, signature: bytes, claim: bytes, evidence: bytes, index: int | None = None
    ) -> Ruling:
        """Return what Access says of a request now; Declined when it is not one to be decided, or a stranger's.

        ``index``: the record of a bulk read that it is asked about, None: the one that the request names.
        """
        reader = self._gate.signer(request, lambda: signer_of(request, signature))
        head = self._gate.head(request)
        party = own_party(*self._gate.parties_of(reader, head))
        if not party and not claim:
            raise Declined(HTTPStatus.FORBIDDEN, NO_SUCH_RECORD)
        self._gate.validate_contract(request.access, head)
        asked = _question(request, reader, request.index if index is None else index)
        shown = self._shown(request, claim)
        decision, batch = self._ask(request, asked, claim, evidence, head)
        if not party and decision.reason in (*_STRANGERS, Reason.UNKNOWN_RECORD):
            raise Declined(HTTPStatus.FORBIDDEN, NO_SUCH_RECORD)
        return Ruling(request, signature, reader, claim, head, batch, decision, party, shown)

    def rule_again(self, ruling: Ruling, evidence: bytes) -> Ruling:
        """Return what Access says of the same, at the same block, when it is shown an evidence."""
        asked = _question(ruling.request, ruling.reader, ruling.request.index)
        decision, _ = self._ask(ruling.request, asked, ruling.claim, evidence, ruling.head)
        return replace(ruling, decision=decision)

    def rule_each(self, ruling: Ruling, evidence: bytes, indices: Sequence[int]) -> list[Ruling]:
        """Return what Access says of other records of the batch, at the same block."""
        request, reader = ruling.request, ruling.reader
        views = [access.may_read(_question(request, reader, each), ruling.claim, evidence) for each in indices]
        decisions = self._ledger.views(request.access, views, ruling.head.number)
        return [replace(ruling, decision=decision) for decision in decisions]

    def validate_allowed(self, ruling: Ruling) -> None:
        """Refuse (Declined, with a receipt for who has some left this hour) what Access refuses."""
        if not ruling.decision.may_read:
            self.refuse(ruling)
        group_count = len(KINDS[ruling.batch.kind].groups) if ruling.batch.kind in KINDS else 0
        if beyond := [group for group in groups_of(ruling.request.groups) if group >= group_count]:
            raise declined(
                HTTPStatus.BAD_REQUEST, f"group {beyond[0]}; documents of kind {ruling.batch.kind} have {group_count}"
            )

    def validate_kept(self, ruling: Ruling, index: int) -> None:
        """Refuse (Declined) a record of the batch that was erased."""
        if (ruling.request.batch, index) in self._tombstones:
            raise declined(HTTPStatus.GONE, "the record was erased, as its controller or its authority wanted")

    def bulk_left(self, ruling: Ruling) -> int:
        """Return how many records the reader's grant still opens today in bulk."""
        return self._bulk.left(ruling.shown.commitment, ruling.shown.daily_cap, self._now_s())

    def note_bulk(self, ruling: Ruling, indices: tuple[int, ...]) -> Receipt:
        """Return the one receipt of all records that are given, when list, receipt and nonce are on the disk.

        Declined when they are more than the reader's grant still opens today.
        """
        commitment, cap = ruling.shown.commitment, ruling.shown.daily_cap
        page = Page(ruling.request.batch, token_bytes(SALT_BYTES), indices)
        self._bulk.take(commitment, len(indices), cap, self._now_s())
        try:
            self._bulk.keep(page)
            return self.note(ruling, page)
        except NodeError:
            self._bulk.give_back(commitment, len(indices))
            raise

    def note(self, ruling: Ruling, given: Page | None = None) -> Receipt:
        """Return the receipt of a decision, when it and the request's nonce are on the disk."""
        request = ruling.request
        receipt = receipt_of(
            request,
            ruling.signature,
            number=0,
            keeper=self._rules.keeper,
            time_s=self._now_s(),
            block_number=ruling.head.number,
            party=ruling.party,
            decision=int(ruling.decision.reason),
            salt=token_bytes(SALT_BYTES) if given is None else given.salt,
            grant=ruling.shown.commitment,
            given=given,
        )
        try:
            return self._register.append(receipt, request.nonce, request.expires)
        except Refused as error:
            if self._register.is_used(ruling.reader, request.nonce):
                raise declined(HTTPStatus.CONFLICT, str(error)) from None
            raise Unavailable(f"no receipt can be kept: {error}") from error

    def contract_for(self, contract: bytes) -> bytes:
        """Return the contract that decides for custodies made under one: that one, unless the operator confirmed."""
        return self._rules.replacements.get(contract, contract)

    def _shown(self, request: ReadRequest, claim: bytes) -> ShownClaim:
        try:
            return access.shown_claim(claim, request.chain_id, request.access)
        except ContractError as error:
            raise declined(HTTPStatus.BAD_REQUEST, str(error)) from None

    def _ask(
        self, request: ReadRequest, asked: Question, claim: bytes, evidence: bytes, head: Head
    ) -> tuple[Decision, Batch]:
        try:
            view = access.may_read(asked, claim, evidence)
        except ContractError as error:
            raise declined(HTTPStatus.BAD_REQUEST, str(error)) from None
        batch = certificates.batch(request.batch)
        try:
            return self._ledger.two_views((request.access, view), (certificates.ADDRESS, batch), head.number)
        except ContractRefusal as error:
            raise declined(HTTPStatus.BAD_REQUEST, f"the contract cannot judge this claim: {error}") from None

    def refuse(self, ruling: Ruling) -> Never:
        """Refuse what Access refuses: Declined, with a receipt for who has some left this hour."""
        with self._counting:
            is_within_quota = self._may_be_receipted(ruling.reader)
        if not is_within_quota:
            raise declined(
                HTTPStatus.TOO_MANY_REQUESTS, f"{REFUSALS_AN_HOUR} refusals in an hour: see `cocket access explain`"
            )
        reason = ruling.decision.reason
        receipt = self.note(ruling)
        refusal = Refusal(ruling.decision.text, int(reason), ruling.head.number, receipt)
        raise Declined(HTTPStatus.FORBIDDEN, refusal)

    def _may_be_receipted(self, reader: bytes) -> bool:
        """Return whether a reader has receipted refusals left, and take one."""
        now_s = self._now_s()
        if reader not in self._refusals and len(self._refusals) >= READERS_MAX:
            self._refusals = {who: times for who, times in self._refusals.items() if times[-1] > now_s - _HOUR_S}
            if len(self._refusals) >= READERS_MAX:
                return False
        times = self._refusals.setdefault(reader, deque(maxlen=REFUSALS_AN_HOUR))
        if len(times) == REFUSALS_AN_HOUR and times[0] > now_s - _HOUR_S:
            return False
        times.append(now_s)
        return True


def _question(request: ReadRequest, reader: bytes, index: int) -> Question:
    return Question(reader, request.batch, index, frozenset(groups_of(request.groups)), request.purpose)
