"""The eth_ methods that execute code and change nothing: eth_call and eth_estimateGas.

Both run on the worker, under a gas bound and a deadline. A call sees the state after the chosen block, as a
transaction of that block would.
"""

from dataclasses import replace

from cocket.node.chain.hashing import ZERO_ADDRESS
from cocket.node.chain.transaction import AccessList
from cocket.node.chain.vm import CallRequest, CallResult, ExecutionAborted, call, estimate_gas
from cocket.node.rpc.backend import Backend
from cocket.node.rpc.encoding import (
    LATEST,
    BlockSelector,
    data,
    parse_address,
    parse_block_selector,
    parse_data,
    parse_hash,
    parse_quantity,
    quantity,
    shown,
)
from cocket.node.rpc.errors import (
    ExecutionReverted,
    InvalidInput,
    InvalidParams,
    LimitExceeded,
    MethodNotSupported,
    RpcError,
)
from cocket.node.rpc.jsonrpc import Method, Parameter, Weight

_READ_KEYS = frozenset({"from", "to", "gas", "value", "data", "input", "accessList", "gasPrice"})
_PASSED_OVER_KEYS = frozenset({"maxFeePerGas", "maxPriorityFeePerGas", "nonce", "chainId", "type"})
"""Part of a transaction, without effect on a call: nothing is paid, and the nonce is the account's."""

ACCESS_LIST_MAX = 1024
"""Addresses and slots of an access list."""

TRANSFER_GAS = 21_000
"""What a plain transfer needs: wallets expect exactly this, and the search for an estimate may stay a little above."""

_ERROR_SELECTOR = bytes.fromhex("08c379a0")
_PANIC_SELECTOR = bytes.fromhex("4e487b71")


class CallMethods:
    """Executions that leave no trace."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def methods(self) -> tuple[Method, ...]:
        """Give the methods by their names."""
        parameters = (
            Parameter("call", self.parse_call),
            Parameter("block", parse_block_selector, LATEST),
            Parameter("state overrides", _refuse_overrides, None),
            Parameter("block overrides", _refuse_overrides, None),
        )
        return (
            Method("eth_call", self.call, parameters, Weight.HEAVY),
            Method("eth_estimateGas", self.estimate_gas, parameters, Weight.HEAVY),
        )

    def call(self, request: CallRequest, selector: BlockSelector, *_overrides: None) -> str:
        """What the called code returns. Raises ``ExecutionReverted`` with the revert data, or ``InvalidInput``."""
        header = self._backend.header(selector)
        ledger = self._backend.ledger
        try:
            result = call(ledger.context(header), ledger.state(header), request, self._backend.limits.call_s)
        except ExecutionAborted:
            raise self._too_slow() from None
        if result.error is not None:
            raise failure(result)
        return data(result.output)

    def estimate_gas(self, request: CallRequest, selector: BlockSelector, *_overrides: None) -> str:
        """A gas limit with which the transaction succeeds on the state after the chosen block."""
        header = self._backend.header(selector)
        ledger = self._backend.ledger
        context, state = ledger.context(header), ledger.state(header)
        try:
            if not request.data and request.to is not None and not request.access_list:
                transfer = call(context, state, replace(request, gas=TRANSFER_GAS), self._backend.limits.call_s)
                if transfer.error is None:
                    return quantity(TRANSFER_GAS)
            estimate = estimate_gas(context, state, request, self._backend.limits.call_s)
        except ExecutionAborted:
            raise self._too_slow() from None
        if estimate.gas is None:
            raise failure(estimate.result)
        return quantity(estimate.gas)

    def parse_call(self, value: object) -> CallRequest:
        """Return the call of a transaction object; its gas is capped, and is the block's limit when left out."""
        if not isinstance(value, dict):
            raise InvalidParams(f"expected a call object, found {shown(value)}")
        unknown = sorted(str(key) for key in value.keys() - _READ_KEYS - _PASSED_OVER_KEYS)
        if unknown:
            raise InvalidParams(f"found the key {shown(unknown[0])}, which no call has")
        present = {key: item for key, item in value.items() if item is not None}
        gas_max = min(self._backend.limits.call_gas_max, self._gas_limit())
        return CallRequest(
            sender=parse_address(present["from"]) if "from" in present else ZERO_ADDRESS,
            to=parse_address(present["to"]) if present.get("to", "0x") != "0x" else None,
            value=parse_quantity(present.get("value", "0x0")),
            data=_call_data(present),
            gas=min(parse_quantity(present["gas"], 64), gas_max) if "gas" in present else gas_max,
            access_list=parse_access_list(present.get("accessList", [])),
            gas_price=parse_quantity(present.get("gasPrice", "0x0")),
        )

    def _gas_limit(self) -> int:
        head = self._backend.head
        per_transaction = self._backend.ledger.genesis.spec.rules_at(head.number + 1).per_tx_gas_limit
        block = head.gas_limit
        return block if per_transaction is None else min(block, per_transaction)

    def _too_slow(self) -> RpcError:
        return LimitExceeded(f"the call took over {self._backend.limits.call_s:g} s: lower its gas or its input")


def failure(result: CallResult) -> RpcError:
    """Give the error of a call that failed: code 3 with its data for a revert, else what the machine said."""
    if result.error != "revert":
        return InvalidInput(result.error or "the call failed")
    reason = revert_reason(result.output)
    return ExecutionReverted("execution reverted" + (f": {reason}" if reason else ""), data(result.output))


def revert_reason(output: bytes) -> str | None:
    """Return the text of ``Error(string)``, the code of ``Panic(uint256)``, or None for any other revert data.

    The bytes are the contract's, so anything may be in them.
    """
    body = output[4:]
    if output[:4] == _PANIC_SELECTOR and len(body) == 32:
        return f"panic {hex(int.from_bytes(body, 'big'))}"
    if output[:4] != _ERROR_SELECTOR or int.from_bytes(body[:32], "big") != 32 or len(body) < 64:
        return None
    length = int.from_bytes(body[32:64], "big")
    if length > len(body) - 64:
        return None
    return body[64 : 64 + length].decode("utf-8", "replace")


def parse_access_list(value: object) -> AccessList:
    """Return an access list (EIP-2930): addresses with their storage keys of 32 bytes."""
    if not isinstance(value, list):
        raise InvalidParams(f"expected an access list as an array, found {shown(value)}")
    read: list[tuple[bytes, tuple[int, ...]]] = []
    size = 0
    for entry in value:
        if not isinstance(entry, dict) or entry.keys() != {"address", "storageKeys"}:
            raise InvalidParams("expected address and storageKeys in each entry of an access list")
        keys = entry["storageKeys"]
        if not isinstance(keys, list):
            raise InvalidParams(f"expected storageKeys as an array, found {shown(keys)}")
        size += 1 + len(keys)
        if size > ACCESS_LIST_MAX:
            raise LimitExceeded(f"an access list may have at most {ACCESS_LIST_MAX} addresses and keys")
        slots = tuple(int.from_bytes(parse_hash(key), "big") for key in keys)
        read.append((parse_address(entry["address"]), slots))
    return tuple(read)


def _call_data(present: dict[object, object]) -> bytes:
    """Return the data under either of its names; under both it must be the same."""
    named = [parse_data(present[name]) for name in ("input", "data") if name in present]
    if len(named) == 2 and named[0] != named[1]:
        raise InvalidParams("input and data differ; expected one of them, or the same in both")
    return named[0] if named else b""


def _refuse_overrides(value: object) -> None:
    if value != {}:
        raise MethodNotSupported("state and block overrides are not offered")
