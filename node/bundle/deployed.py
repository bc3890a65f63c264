"""The contracts whose storage a verifier understands: where they are, and that they are the ones that it knows.

A slot means something only under the code that writes it. So a contract is read only when the hash of its code is that
of the contract whose storage layout we have; where it lies is what the Directory, which lies where the founding put it,
says at that block.
"""

from cocket.contracts import consortium, directory
from cocket.contracts.artifact import deployed_code_hash
from cocket.node.bundle.errors import Unproven
from cocket.node.bundle.state import ProvenState


class Contract:
    """One contract's storage at a block."""

    def __init__(self, state: ProvenState, address: bytes, name: str) -> None:
        """Raise Unproven when its code is not that of the contract of this name that we know."""
        account = state.account(address)
        found = None if account is None else account.code_hash
        if found != deployed_code_hash(name, directory.ADDRESS):
            code = "no contract" if found is None else f"the code 0x{found.hex()}"
            raise Unproven(f"{name} at 0x{address.hex()}: found {code}, expected the version that this cocket knows")
        self._state = state
        self.address = address

    def slot(self, slot: int) -> int:
        """Return the value of a slot, zero when it has none."""
        return self._state.slot(self.address, slot)


def open_consortium(state: ProvenState) -> Contract:
    """Return the Consortium, whose address the founding configuration names to consensus."""
    return Contract(state, consortium.ADDRESS, directory.CONSORTIUM)


def open_named(state: ProvenState, name: str) -> Contract:
    """Return the contract that the Directory calls by this name."""
    entry = Contract(state, directory.ADDRESS, "Directory").slot(directory.entry_slot(name))
    if not 0 < entry < 1 << 160:
        raise Unproven(f"the Directory has {entry:#x} for {name}, expected a contract's address")
    return Contract(state, entry.to_bytes(20, "big"), name)
