"""Anchoring: sends the roots of a keeper's receipts to the ledger, one a period, also when nobody read.

The period is closed on the disk before its root is sent; what was not anchored, because the ledger stood still or the
process ended, is sent again until it is. Before all else it compares the register with the ledger's last root.
"""

from collections.abc import Callable
from secrets import token_bytes

from cocket.attestation.merkle import HASH_BYTES
from cocket.contracts import access
from cocket.contracts.errors import ContractRefusal
from cocket.node.chain.transaction import sign_transaction
from cocket.node.errors import Refused, Unavailable
from cocket.node.vault.ledger import Head, Ledger
from cocket.node.vault.register import RECEIPTS_MAX, ClosedPeriod, Register

ANCHOR_S = 3600
EARLY_RECEIPTS = RECEIPTS_MAX // 2
"""A period that has so many is closed before its time."""


class Anchoring:
    """Closes and anchors periods of one register. One thread alone may call it."""

    def __init__(
        self,
        ledger: Ledger,
        register: Register,
        *,
        key: bytes,
        account: bytes,
        keeper: int,
        chain_id: int,
        anchor_s: int,
        now_s: Callable[[], int],
    ) -> None:
        """Take what it needs; ``key`` signs for ``account``, which acts for the party ``keeper``."""
        self._ledger = ledger
        self._register = register
        self._key, self._account, self._keeper = key, account, keeper
        self._chain_id = chain_id
        self._anchor_s = anchor_s
        self._now_s = now_s
        self._turn = now_s() // anchor_s

    def agree(self, head_age_s: int) -> int:
        """Compare the register with the ledger and return how many periods that has.

        Refused when they disagree: then nothing may be given. Unavailable when the node does not answer, or its last
        block is older than ``head_age_s``: it could be behind, and agree with a copy that is.
        """
        head = self._ledger.head()
        if self._now_s() - head.time_s > head_age_s:
            raise Unavailable(f"node {self._ledger.url}: its last block {head.number} is old; wait until it is level")
        sequence, root = self._anchored(head)
        self._register.agree(sequence, root)
        return sequence

    def step(self) -> tuple[ClosedPeriod, ...]:
        """Close the period when it is time, and send what is not anchored; return what was sent.

        To be called every few seconds. Unavailable: it is tried again with the next call. Refused: the ledger says no,
        or has another history of this keeper.
        """
        sequence, root = self._anchored(self._ledger.head())
        if not self._register.agrees_with(sequence, root):
            self._register.agree(sequence, root)
        if self._is_time():
            self._register.close_period(token_bytes(HASH_BYTES), self._now_s())
            self._turn = self._now_s() // self._anchor_s
        pending = self._register.closed_after(sequence)
        if pending:
            self._send(pending)
        return pending

    def _is_time(self) -> bool:
        return self._register.open_count >= EARLY_RECEIPTS or self._now_s() // self._anchor_s > self._turn

    def _anchored(self, head: Head) -> tuple[int, bytes]:
        sequence = self._ledger.view(access.ADDRESS, access.receipts_anchored(self._keeper), head.number)
        if not sequence:
            return 0, bytes(HASH_BYTES)
        return sequence, self._ledger.view(access.ADDRESS, access.receipt_root(self._keeper, sequence), head.number)

    def _send(self, pending: tuple[ClosedPeriod, ...]) -> None:
        """Send each root in a transaction of its own; what was sent before and is not final yet is not sent twice."""
        calls = [access.anchor_receipts(sequence=each.sequence, root=each.root) for each in pending]
        final, sent = self._ledger.nonces(self._account)
        if sent - final >= len(calls):
            return
        try:
            gas = self._ledger.estimate_gas(self._account, access.ADDRESS, calls[0])
        except ContractRefusal as error:
            raise Refused(f"the ledger takes no receipts of party {self._keeper}: {error}") from error
        for nonce, data in enumerate(calls, final):
            if nonce >= sent:
                self._ledger.send(self._signed(nonce, gas * 2, data))

    def _signed(self, nonce: int, gas_limit: int, data: bytes) -> bytes:
        return sign_transaction(
            self._key,
            chain_id=self._chain_id,
            nonce=nonce,
            gas_limit=gas_limit,
            to=access.ADDRESS,
            data=data,
            max_fee_per_gas=0,
            max_priority_fee_per_gas=0,
        )
