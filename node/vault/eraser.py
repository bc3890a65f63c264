"""The eraser: forgets a record when its controller or that one's authority says so, and leaves a receipted tombstone.

A vault takes away manifest, envelope and entry; what opens them, the masked shares and the opening, is in the manifest.
A custodian keeps nothing of a record, for its seed is of a batch; from then on it answers for that record no more.
Copies of ciphertexts and manifests elsewhere stay, and with enough custodians that never heard of it they open.
"""

from collections.abc import Callable
from http import HTTPStatus
from secrets import token_bytes

from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.erasure import (
    ALL_GROUPS,
    ERASED,
    EraseRequest,
    signer_of,
    signing_hash,
)
from cocket.attestation.reading.exchange import Erased, decode_erase_call, encode_erased
from cocket.attestation.reading.page import SALT_BYTES
from cocket.attestation.reading.receipt import Receipt
from cocket.attestation.sealing.custody_file import decode_custody
from cocket.contracts import access, certificates
from cocket.contracts.certificates import Batch
from cocket.node.errors import Damaged, Refused, Unavailable
from cocket.node.vault.declined import NO_SUCH_RECORD, Declined, declined
from cocket.node.vault.gate import Gate
from cocket.node.vault.holdings import Holdings
from cocket.node.vault.ledger import Head, Ledger
from cocket.node.vault.parties import own_party
from cocket.node.vault.register import Register
from cocket.node.vault.rules import Rules
from cocket.node.vault.tombstones import Tombstones

DAY_S = 86_400


class Eraser:
    """What answers an erase call, in several threads. ``holdings`` None: a custodian's."""

    def __init__(
        self,
        ledger: Ledger,
        register: Register,
        rules: Rules,
        gate: Gate,
        tombstones: Tombstones,
        now_s: Callable[[], int],
        *,
        party: int,
        holdings: Holdings | None,
    ) -> None:
        self._ledger = ledger
        self._register = register
        self._rules = rules
        self._gate = gate
        self._tombstones = tombstones
        self._now_s = now_s
        self._party = party
        self._holdings = holdings

    def erase(self, body: bytes) -> bytes:
        """Forget a record and return the answer, its receipt on the disk first; Declined with what is told instead."""
        request, signature = decode_erase_call(body)
        if request.keeper != self._party:
            raise declined(HTTPStatus.BAD_REQUEST, f"the request is for party {request.keeper}, not {self._party}")
        signer = self._gate.signer(request, lambda: signer_of(request, signature))
        head = self._gate.head(request)
        batch = self._ledger.view(certificates.ADDRESS, certificates.batch(request.batch), head.number)
        party = self._validated_party(request, batch, signer, head)
        place = (request.batch, request.index)
        custodians = self._custodians(request)
        receipt = self._note(request, signature, signer, party, head)
        self._tombstones.add(place)
        if self._holdings is not None:
            self._holdings.erase(*place)
        return encode_erased(Erased(receipt, custodians))

    def _validated_party(self, request: EraseRequest, batch: Batch, signer: bytes, head: Head) -> int:
        """Return who erases; refuse who has no say about the record, and what a hold or the retention forbids."""
        authority, standing = self._gate.parties_of(signer, head)
        is_controller = standing.in_force and standing.participant == batch.participant != 0
        is_authority = authority == batch.authority != 0
        if not is_controller and not is_authority:
            raise Declined(HTTPStatus.FORBIDDEN, NO_SUCH_RECORD)
        if request.index >> batch.depth:
            raise declined(HTTPStatus.NOT_FOUND, f"index {request.index}; the batch has {1 << batch.depth} places")
        if (request.batch, request.index) in self._tombstones:
            raise declined(HTTPStatus.GONE, "the record was erased before")
        view = access.frozen_for(request.batch, request.index, batch.participant)
        if held := self._ledger.view(access.ADDRESS, view, head.number):
            raise declined(
                HTTPStatus.CONFLICT,
                f"a legal hold: the record is frozen (reason code {held}) by its authority",
            )
        until_s = batch.anchored_at + self._rules.kept_days(batch.kind) * DAY_S
        if not is_authority and self._now_s() < until_s:
            days = -(-(until_s - self._now_s()) // DAY_S)
            raise declined(HTTPStatus.CONFLICT, f"it is to be kept {days} days more; its authority may erase it")
        return own_party(authority, standing)

    def _custodians(self, request: EraseRequest) -> tuple[int, ...]:
        """Return who else is to be told: the record's custodians, as far as this vault knows them."""
        if self._holdings is None:
            return ()
        try:
            held = self._holdings.find(request.batch, request.index)
            seats = () if held is None else decode_custody(held.custody).custodians
        except (Damaged, InvalidFile):
            return ()
        return tuple([seat.authority for seat in seats])

    def _note(self, request: EraseRequest, signature: bytes, signer: bytes, party: int, head: Head) -> Receipt:
        receipt = Receipt(
            number=0,
            keeper=self._rules.keeper,
            time_s=self._now_s(),
            block_number=head.number,
            request_hash=signing_hash(request),
            signature=signature,
            reader=signer,
            party=party,
            batch=request.batch,
            index=request.index,
            count=1,
            groups=ALL_GROUPS,
            purpose=0,
            decision=ERASED,
            salt=token_bytes(SALT_BYTES),
        )
        try:
            return self._register.append(receipt, request.nonce, request.expires)
        except Refused as error:
            if self._register.is_used(signer, request.nonce):
                raise declined(HTTPStatus.CONFLICT, str(error)) from None
            raise Unavailable(f"no receipt can be kept: {error}") from error
