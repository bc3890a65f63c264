"""The four opcodes that call another contract, with the prices of Berlin and later.

This module is part of the door to py-evm, whose calls go through a dozen small methods each. It knows what a call
costs and what its message is; running it is ``computation``'s.
(Yellow Paper, appendix H; EIP-150, EIP-161, EIP-214, EIP-2929.)
"""

from collections.abc import Callable
from typing import Final

from eth.constants import STACK_DEPTH_LIMIT
from eth.exceptions import OutOfGas, WriteProtection
from eth.vm import opcode_values

from cocket.node.chain.vm.computation import Computation
from cocket.node.chain.vm.message import Message

_WARM_ACCOUNT_GAS: Final = 100
_COLD_ACCOUNT_GAS: Final = 2_600
_VALUE_GAS: Final = 9_000
_NEW_ACCOUNT_GAS: Final = 25_000
_STIPEND: Final = 2_300
_ADDRESS_MASK: Final = 2**160 - 1


def _call(computation: Computation) -> None:
    """CALL: another contract's code on its own storage, with value."""
    gas, to, value, *memory = computation.stack_pop_ints(7)
    caller = computation.msg
    if value and caller.is_static:
        raise WriteProtection("a static call sends value")
    address = _address(to)
    call = Message(gas, address, caller.storage_address, value, b"", b"", caller.depth + 1)
    call.is_static = caller.is_static
    _run(computation, call, memory, value, may_make=True)


def _callcode(computation: Computation) -> None:
    """CALLCODE: another contract's code on our storage, with value from us to us."""
    gas, to, value, *memory = computation.stack_pop_ints(7)
    caller = computation.msg
    ours = caller.storage_address
    call = Message(gas, ours, ours, value, b"", b"", caller.depth + 1)
    call.code_address = _address(to)
    call.is_static = caller.is_static
    _run(computation, call, memory, value)


def _delegatecall(computation: Computation) -> None:
    """DELEGATECALL: another contract's code in our place; sender and value are those that we were called with."""
    gas, to, *memory = computation.stack_pop_ints(6)
    caller = computation.msg
    call = Message(gas, caller.storage_address, caller.sender, caller.value, b"", b"", caller.depth + 1)
    call.code_address = _address(to)
    call.should_transfer_value = False
    call.is_static = caller.is_static
    _run(computation, call, memory, 0)


def _staticcall(computation: Computation) -> None:
    """STATICCALL: another contract's code on its own storage, which it cannot change."""
    gas, to, *memory = computation.stack_pop_ints(6)
    caller = computation.msg
    call = Message(gas, _address(to), caller.storage_address, 0, b"", b"", caller.depth + 1)
    call.should_transfer_value = False
    call.is_static = True
    _run(computation, call, memory, 0)


def _address(word: int) -> bytes:
    return (word & _ADDRESS_MASK).to_bytes(20, "big")


def _run(computation: Computation, call: Message, memory: list[int], value: int, may_make: bool = False) -> None:
    """Pay for a call, which still lacks data and code and has the gas that is asked for; run it and take its answer.

    ``value`` is what moves and what the price depends on; with ``may_make`` it may make the account.
    """
    state = computation.state
    in_start, in_size, out_start, out_size = memory
    computation.extend_memory(in_start, in_size)
    computation.extend_memory(out_start, out_size)
    if state.is_address_warm(call.code_address):
        extra = _WARM_ACCOUNT_GAS
    else:
        state.mark_address_warm(call.code_address)
        extra = _COLD_ACCOUNT_GAS
    if value:
        extra += _VALUE_GAS
        if may_make and state.account_is_empty(call.to):
            extra += _NEW_ACCOUNT_GAS
    left = computation.gas_left - extra
    if left < 0:
        raise OutOfGas("call")
    call.gas = min(call.gas, left - left // 64)
    computation.gas_left = left - call.gas
    if value:
        call.gas += _STIPEND
    if call.depth > STACK_DEPTH_LIMIT or (value and state.get_balance(call.sender) < value):
        computation.return_data = b""
        computation.gas_left += call.gas
        computation.stack.append(0)
        return
    call.data = call.data_as_bytes = computation.memory_read_bytes(in_start, in_size)
    call.code = state.get_code(call.code_address)
    child = computation.apply_child_computation(call)
    computation.stack.append(1 if child.error is None else 0)
    size = min(out_size, len(child.output))
    computation.memory_write(out_start, size, child.output[:size])
    computation.gas_left += child.gas_left


OPCODES: Final[dict[int, Callable[[Computation], None]]] = {
    opcode_values.CALL: _call,
    opcode_values.CALLCODE: _callcode,
    opcode_values.DELEGATECALL: _delegatecall,
    opcode_values.STATICCALL: _staticcall,
}
"""The same in every fork from Berlin to Cancun."""
