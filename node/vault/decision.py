"""Decisions: whether a keeper, a vault or a custodian, gives what a signed request asks for; the contract says so.

Everything comes from the ledger at the keeper's own head, which is young and not behind the one that the reader saw:
who signed, in force by whom, and what Access says of it there. Each decision that is told is receipted, nonce and
receipt on the disk, before it is told. To strangers all refusals look alike, and nothing of the record is looked at.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from secrets import token_bytes
from typing import Never

from cocket.attestation.errors import InvalidFile
from cocket.attestation.kinds import KINDS
from cocket.attestation.reading.exchange import Refusal
from cocket.attestation.reading.receipt import SALT_BYTES, Receipt, receipt_of
from cocket.attestation.reading.request import EXPIRY_S_MAX, ReadRequest, groups_of, signer_of
from cocket.contracts import access, certificates, consortium, directory, participants
from cocket.contracts.access import Decision, Question, Reason
from cocket.contracts.certificates import Batch
from cocket.contracts.errors import ContractError, ContractRefusal
from cocket.node.errors import Refused, Unavailable
from cocket.node.vault.ledger import Head, Ledger
from cocket.node.vault.register import Register

HEAD_AGE_S_MAX = 30
REFUSALS_AN_HOUR = 60
"""Receipted refusals of one reader: what a clerk's mistakes need, and no more of the register."""
READERS_MAX = 4096
"""Readers with refusals of the last hour that are remembered; beyond, nobody's are receipted."""
_HOUR_S = 3600
_STRANGERS = (Reason.UNKNOWN_READER, Reason.NO_DELEGATION)
NO_SUCH_RECORD = Refusal("no such record, or you may not read it")


class Declined(Refused):
    """A request that is answered with a refusal: the HTTP status and what is told."""

    def __init__(self, status: HTTPStatus, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.status = status
        self.refusal = refusal


def declined(status: HTTPStatus, text: str) -> Declined:
    """Return a refusal that tells a reason in words and nothing else."""
    return Declined(status, Refusal(text))


@dataclass(frozen=True, slots=True)
class Rules:
    """By what a keeper decides.

    ``keeper`` is the party that its receipts are of; ``replacements`` are the Access contracts that its operator
    confirmed, by those that they replace; ``head_age_s`` how old its ledger's last block may be.
    """

    chain_id: int
    genesis_hash: bytes
    keeper: int
    replacements: Mapping[bytes, bytes]
    head_age_s: int = HEAD_AGE_S_MAX


@dataclass(frozen=True, slots=True)
class Ruling:
    """What Access said of a request, at which block; ``is_member``: the signer itself stands on the ledger."""

    request: ReadRequest
    signature: bytes
    reader: bytes
    claim: bytes
    head: Head
    batch: Batch
    decision: Decision
    is_member: bool


class Judge:
    """Rules on requests, and keeps the receipts of it; for several threads."""

    def __init__(self, ledger: Ledger, register: Register, rules: Rules, now_s: Callable[[], int]) -> None:
        self._ledger = ledger
        self._register = register
        self._rules = rules
        self._now_s = now_s
        self._refusals: dict[bytes, deque[int]] = {}
        self._counting = threading.Lock()

    def rule(self, request: ReadRequest, signature: bytes, claim: bytes, evidence: bytes) -> Ruling:
        """Return what Access says of a request now; Declined when it is not one to be decided, or a stranger's."""
        reader = self._signer(request, signature)
        head = self._head(request)
        is_member = self._is_member(reader, head)
        if not is_member and not claim:
            raise Declined(HTTPStatus.FORBIDDEN, NO_SUCH_RECORD)
        self._validate_contract(request, head)
        decision, batch = self._ask(request, reader, claim, evidence, head)
        if not is_member and decision.reason in (*_STRANGERS, Reason.UNKNOWN_RECORD):
            raise Declined(HTTPStatus.FORBIDDEN, NO_SUCH_RECORD)
        return Ruling(request, signature, reader, claim, head, batch, decision, is_member)

    def rule_again(self, ruling: Ruling, evidence: bytes) -> Ruling:
        """Return what Access says of the same, at the same block, when it is shown an evidence."""
        decision, _ = self._ask(ruling.request, ruling.reader, ruling.claim, evidence, ruling.head)
        return replace(ruling, decision=decision)

    def validate_allowed(self, ruling: Ruling) -> None:
        """Refuse (Declined, with a receipt for who has some left this hour) what Access refuses."""
        if not ruling.decision.may_read:
            self._refuse(ruling)
        group_count = len(KINDS[ruling.batch.kind].groups) if ruling.batch.kind in KINDS else 0
        if beyond := [group for group in groups_of(ruling.request.groups) if group >= group_count]:
            raise declined(
                HTTPStatus.BAD_REQUEST, f"group {beyond[0]}; documents of kind {ruling.batch.kind} have {group_count}"
            )

    def note(self, ruling: Ruling) -> Receipt:
        """Return the receipt of a decision, when it and the request's nonce are on the disk."""
        request = ruling.request
        receipt = receipt_of(
            request,
            ruling.signature,
            number=0,
            keeper=self._rules.keeper,
            time_s=self._now_s(),
            block_number=ruling.head.number,
            decision=int(ruling.decision.reason),
            salt=token_bytes(SALT_BYTES),
        )
        try:
            return self._register.append(receipt, request.nonce, request.expires)
        except Refused as error:
            if self._is_used(request, ruling.reader):
                raise declined(HTTPStatus.CONFLICT, str(error)) from None
            raise Unavailable(f"no receipt can be kept: {error}") from error

    def contract_for(self, contract: bytes) -> bytes:
        """Return the contract that decides for custodies made under one: that one, unless the operator confirmed."""
        return self._rules.replacements.get(contract, contract)

    def _signer(self, request: ReadRequest, signature: bytes) -> bytes:
        """Return who signed a request that is for this network, in time, and new."""
        rules, now_s = self._rules, self._now_s()
        if (request.chain_id, request.genesis_hash) != (rules.chain_id, rules.genesis_hash):
            raise declined(
                HTTPStatus.BAD_REQUEST,
                f"chain {request.chain_id} with genesis 0x{request.genesis_hash.hex()}; "
                f"this is {rules.chain_id} with 0x{rules.genesis_hash.hex()}",
            )
        if not now_s <= request.expires <= now_s + EXPIRY_S_MAX:
            raise declined(
                HTTPStatus.BAD_REQUEST,
                f"the request expires at {request.expires}, it is {now_s}: expected up to {EXPIRY_S_MAX} s from now",
            )
        try:
            reader = signer_of(request, signature)
        except InvalidFile as error:
            raise declined(HTTPStatus.BAD_REQUEST, str(error)) from None
        if self._is_used(request, reader):
            raise declined(HTTPStatus.CONFLICT, "the request's nonce was used before: sign a new request")
        return reader

    def _is_used(self, request: ReadRequest, reader: bytes) -> bool:
        return self._register.is_used(reader, request.nonce)

    def _head(self, request: ReadRequest) -> Head:
        """Return the block to decide at: young, and not behind the reader's."""
        head, seen = self._ledger.head_beside(request.block_hash)
        age_s = self._now_s() - head.time_s
        if age_s > self._rules.head_age_s:
            raise declined(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"the ledger stands still: its last block {head.number} is {age_s} s old, nothing is decided by one "
                f"older than {self._rules.head_age_s} s",
            )
        if head.number < request.block_number:
            raise declined(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"the ledger here ends with block {head.number}, before {request.block_number} which the request names",
            )
        if seen is None or seen.number != request.block_number:
            raise declined(
                HTTPStatus.BAD_REQUEST, f"no block {request.block_number} with hash 0x{request.block_hash.hex()}"
            )
        return head

    def _is_member(self, reader: bytes, head: Head) -> bool:
        authority, standing = self._ledger.two_views(
            (consortium.ADDRESS, consortium.authority_of(reader)),
            (participants.ADDRESS, participants.standing_of(reader)),
            head.number,
        )
        return authority != 0 or standing.participant != 0

    def _validate_contract(self, request: ReadRequest, head: Head) -> None:
        """Refuse a request for a contract that nobody here trusts: it would be asked, and could say anything."""
        replacements = self._rules.replacements
        if request.access in (access.ADDRESS, *replacements, *replacements.values()):
            return
        named = self._ledger.view(directory.ADDRESS, directory.address_of(directory.ACCESS), head.number)
        if request.access != named:
            raise declined(
                HTTPStatus.BAD_REQUEST, f"contract 0x{request.access.hex()} is not Access; 0x{named.hex()} is"
            )

    def _ask(
        self, request: ReadRequest, reader: bytes, claim: bytes, evidence: bytes, head: Head
    ) -> tuple[Decision, Batch]:
        groups = frozenset(groups_of(request.groups))
        question = Question(reader, request.batch, request.index, groups, request.purpose)
        try:
            view = access.may_read(question, claim, evidence)
        except ContractError as error:
            raise declined(HTTPStatus.BAD_REQUEST, str(error)) from None
        batch = certificates.batch(request.batch)
        try:
            return self._ledger.two_views((request.access, view), (certificates.ADDRESS, batch), head.number)
        except ContractRefusal as error:
            raise declined(HTTPStatus.BAD_REQUEST, f"the contract cannot judge this claim: {error}") from None

    def _refuse(self, ruling: Ruling) -> Never:
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
