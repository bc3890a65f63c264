"""A ledger whose state cannot be read at one slot: what a fault of our own engine looks like from outside."""

from cocket.node.chain.header import Header
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.state import Account, StateReader

CURSED_SLOT = 13


class FaultyReader:
    """A state that raises ``error`` when anybody reads slot 13, of any account."""

    def __init__(self, reader: StateReader, error: Exception) -> None:
        self._reader = reader
        self._error = error

    def account(self, address: bytes) -> Account | None:
        """Return the account as it is."""
        return self._reader.account(address)

    def storage(self, address: bytes, slot: int) -> int:
        """Return the slot as it is, but for one."""
        if slot == CURSED_SLOT:
            raise self._error
        return self._reader.storage(address, slot)

    def code(self, code_hash: bytes) -> bytes:
        """Return the code as it is."""
        return self._reader.code(code_hash)


class FaultyLedger(Ledger):
    """A ledger of such states."""

    error: Exception = ZeroDivisionError("a fault of the engine")

    def state(self, header: Header) -> StateReader:
        """Return the state after a block, with the slot that cannot be read."""
        return FaultyReader(super().state(header), self.error)
