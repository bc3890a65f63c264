"""Who may transact and who may deploy: a rule of consensus, asked of a contract in the state before the block.

This module alone knows how it is asked, so that every node gets the same answer: caller zero, a fixed gas, the
context and state of the parent block. Revert, a short answer or out of gas are a no. It keeps no list of its own.
"""

import threading
from collections import OrderedDict

from cocket.node.chain.hashing import ZERO_ADDRESS
from cocket.node.chain.header import Header, block_hash
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.transaction import Transaction
from cocket.node.chain.vm import CallRequest, call
from cocket.node.errors import Refused

PERMISSION_GAS = 1_000_000
"""Gas of a question, the intrinsic gas included: part of the rule, since out of gas is a no."""

MAY_TRANSACT = bytes.fromhex("45a334bd")
"""Selector of ``mayTransact(address)``, which returns ``bool``."""

MAY_DEPLOY = bytes.fromhex("56e54f59")
"""Selector of ``mayDeploy(address)``, which returns ``bool``."""

_ANSWERS_KEPT = 8192  # two blocks' worth of distinct senders, far above what the gas of a block allows
_TRUE = (1).to_bytes(32, "big")


class PermissionRule:
    """The answers of one chain's permission contract; safe from any thread."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rule = ledger.genesis.spec.permission
        self._answers: OrderedDict[tuple[bytes, bytes, bytes], bool] = OrderedDict()
        self._lock = threading.Lock()
        self._parent: tuple[Header, bytes] | None = None

    def validate(self, transaction: Transaction, parent: Header) -> None:
        """Refuse a transaction whose sender may not transact, or may not deploy, in the block after ``parent``.

        Only a create by the transaction itself counts as deploying, and it needs both permissions.
        """
        sender = transaction.sender
        if not self.may_transact(sender, parent):
            raise Refused(f"permission: 0x{sender.hex()} may not transact after block {parent.number}: {self._who()}")
        if transaction.to is None and not self.may_deploy(sender, parent):
            raise Refused(f"permission: 0x{sender.hex()} may not deploy after block {parent.number}: {self._who()}")

    def may_transact(self, sender: bytes, parent: Header) -> bool:
        """Return whether an account may have a transaction in the block after ``parent``."""
        return self._ask(MAY_TRANSACT, sender, parent)

    def may_deploy(self, sender: bytes, parent: Header) -> bool:
        """Return whether an account may make a contract by a transaction in the block after ``parent``."""
        return self._ask(MAY_DEPLOY, sender, parent)

    def _who(self) -> str:
        return f"ask an authority for accreditation (contract 0x{self._rule.contract.hex()})" if self._rule else ""

    def _ask(self, question: bytes, sender: bytes, parent: Header) -> bool:
        if self._rule is None or not self._rule.is_on(parent.number + 1):
            return True
        key = (self._hash_of(parent), question, sender)
        with self._lock:
            answer = self._answers.get(key)
        if answer is None:
            request = CallRequest(
                sender=ZERO_ADDRESS,
                to=self._rule.contract,
                data=question + bytes(12) + sender,
                gas=PERMISSION_GAS,
            )
            result = call(self._ledger.context(parent), self._ledger.state(parent), request, None)
            answer = result.error is None and result.output[:32] == _TRUE
            with self._lock:
                self._answers[key] = answer
                while len(self._answers) > _ANSWERS_KEPT:
                    self._answers.popitem(last=False)
        return answer

    def _hash_of(self, parent: Header) -> bytes:
        """Return a parent's hash, taken once for all senders of a block."""
        last = self._parent
        if last is None or last[0] is not parent:
            last = self._parent = (parent, block_hash(parent))
        return last[1]
