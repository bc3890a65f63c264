"""The eth_ methods that read accounts: balance, nonce, code, slots and their proofs.

The head is read at once, history on the reader thread, proofs on the worker. It never executes code.
"""

from cocket.node.chain.proof import account_proof
from cocket.node.chain.state import Account
from cocket.node.rpc.backend import Backend
from cocket.node.rpc.encoding import (
    LATEST,
    BlockSelector,
    data,
    parse_address,
    parse_block_selector,
    parse_slot,
    quantity,
    shown,
)
from cocket.node.rpc.errors import InvalidParams, LimitExceeded
from cocket.node.rpc.jsonrpc import Method, Parameter, Weight
from cocket.node.rpc.objects import JsonObject

_ADDRESS = Parameter("address", parse_address)
_SLOT = Parameter("slot", parse_slot)
_BLOCK = Parameter("block", parse_block_selector, LATEST)


class AccountMethods:
    """Reads of the state."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def methods(self) -> tuple[Method, ...]:
        """Give the methods by their names."""
        return (
            Method("eth_accounts", self.accounts),
            Method("eth_getBalance", self.balance, (_ADDRESS, _BLOCK), self._weight),
            Method("eth_getTransactionCount", self.transaction_count, (_ADDRESS, _BLOCK), self._weight),
            Method("eth_getCode", self.code, (_ADDRESS, _BLOCK), self._weight),
            Method("eth_getStorageAt", self.storage_at, (_ADDRESS, _SLOT, _BLOCK), self._weight_of_slot),
            Method("eth_getProof", self.proof, (_ADDRESS, Parameter("slots", self._parse_slots), _BLOCK), Weight.HEAVY),
        )

    def accounts(self) -> list[str]:
        """None: the node keeps no keys of its users."""
        return []

    def balance(self, address: bytes, selector: BlockSelector) -> str:
        """The balance in wei."""
        return quantity(self._account(address, selector).balance)

    def transaction_count(self, address: bytes, selector: BlockSelector) -> str:
        """The nonce; at ``pending``, what comes after the address's transactions in the pool."""
        nonce = self._account(address, selector).nonce
        if selector.tag == "pending":
            nonce = max(nonce, self._backend.pool.next_nonce(address))
        return quantity(nonce)

    def code(self, address: bytes, selector: BlockSelector) -> str:
        """The code, empty where there is none."""
        reader = self._backend.state(selector)
        account = reader.account(address)
        return data(b"" if account is None else reader.code(account.code_hash))

    def storage_at(self, address: bytes, slot: int, selector: BlockSelector) -> str:
        """The 32 bytes of a slot."""
        return data(self._backend.state(selector).storage(address, slot).to_bytes(32, "big"))

    def proof(self, address: bytes, slots: tuple[tuple[str, int], ...], selector: BlockSelector) -> JsonObject:
        """An account and some slots with their Merkle proofs (EIP-1186); absent ones are proven absent."""
        header = self._backend.header(selector)
        proven = account_proof(self._backend.ledger.nodes, header.state_root, address, [slot for _, slot in slots])
        account = proven.account or Account()
        return {
            "address": data(address),
            "accountProof": [data(node) for node in proven.nodes],
            "balance": quantity(account.balance),
            "codeHash": data(account.code_hash),
            "nonce": quantity(account.nonce),
            "storageHash": data(account.storage_root),
            "storageProof": [
                {"key": key, "value": quantity(slot.value), "proof": [data(node) for node in slot.nodes]}
                for (key, _), slot in zip(slots, proven.slots, strict=True)
            ],
        }

    def _account(self, address: bytes, selector: BlockSelector) -> Account:
        return self._backend.state(selector).account(address) or Account()

    def _parse_slots(self, value: object) -> tuple[tuple[str, int], ...]:
        """Return the asked slots with their spelling, which the answer repeats."""
        if not isinstance(value, list):
            raise InvalidParams(f"expected an array of storage slots, found {shown(value)}")
        if len(value) > self._backend.limits.proof_slots_max:
            raise LimitExceeded(f"found {len(value)} slots, at most {self._backend.limits.proof_slots_max} are proven")
        return tuple((str(item), parse_slot(item)) for item in value)

    def _weight(self, _address: bytes, selector: BlockSelector) -> Weight:
        return Weight.LIGHT if self._backend.is_head(selector) else Weight.READ

    def _weight_of_slot(self, _address: bytes, _slot: int, selector: BlockSelector) -> Weight:
        return Weight.LIGHT if self._backend.is_head(selector) else Weight.READ
