"""The gate: what each signed request must be before anything is decided about it.

Of this network, in time, signed by somebody, new, and at a head of this keeper's ledger that is young and not behind
the one that its signer saw.
"""

from collections.abc import Callable
from http import HTTPStatus

from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.erasure import EraseRequest
from cocket.attestation.reading.periods import PeriodsRequest
from cocket.attestation.reading.request import EXPIRY_S_MAX, ReadRequest
from cocket.contracts import access, directory
from cocket.contracts.participants import Standing
from cocket.node.vault.declined import declined
from cocket.node.vault.ledger import Head, Ledger
from cocket.node.vault.parties import parties_of
from cocket.node.vault.register import Register
from cocket.node.vault.rules import Rules

Signed = ReadRequest | EraseRequest | PeriodsRequest
"""What is signed for a keeper."""


class Gate:
    """Lets requests in, or says (Declined) why not; for several threads."""

    def __init__(self, ledger: Ledger, register: Register, rules: Rules, now_s: Callable[[], int]) -> None:
        self._ledger = ledger
        self._register = register
        self._rules = rules
        self._now_s = now_s

    def signer(self, request: Signed, recover: Callable[[], bytes]) -> bytes:
        """Return who signed a request (``recover`` finds it) that is for this network, in time, and new."""
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
            signer = recover()
        except InvalidFile as error:
            raise declined(HTTPStatus.BAD_REQUEST, str(error)) from None
        if self._register.is_used(signer, request.nonce):
            raise declined(HTTPStatus.CONFLICT, "the request's nonce was used before: sign a new request")
        return signer

    def head(self, request: Signed) -> Head:
        """Return the block to decide at."""
        head, seen = self._ledger.head_beside(request.block_hash)
        self._validate_age(head)
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

    def young_head(self) -> Head:
        """Return the last block, to tell something by that is not asked for at a block."""
        head = self._ledger.head()
        self._validate_age(head)
        return head

    def _validate_age(self, head: Head) -> None:
        age_s = self._now_s() - head.time_s
        if age_s > self._rules.head_age_s:
            raise declined(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"the ledger stands still: its last block {head.number} is {age_s} s old, nothing is decided by one "
                f"older than {self._rules.head_age_s} s",
            )

    def validate_contract(self, contract: bytes, head: Head) -> None:
        """Refuse a contract that nobody here trusts: it would be asked, and could say anything."""
        replacements = self._rules.replacements
        if contract in (access.ADDRESS, *replacements, *replacements.values()):
            return
        named = self._ledger.view(directory.ADDRESS, directory.address_of(directory.ACCESS), head.number)
        if contract != named:
            raise declined(HTTPStatus.BAD_REQUEST, f"contract 0x{contract.hex()} is not Access; 0x{named.hex()} is")

    def parties_of(self, signer: bytes, head: Head) -> tuple[int, Standing]:
        """Return the number of the authority that an account acts for (0: none), and its standing as a participant."""
        return parties_of(self._ledger, signer, head.number)
