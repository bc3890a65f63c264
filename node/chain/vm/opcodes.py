"""Opcodes that programs use often and that py-evm does in a roundabout way, done straight.

This module is part of the door to py-evm: each of these has py-evm's price and meaning. Those of the loop itself are
in ``computation``; all others are py-evm's.
"""

from collections.abc import Callable
from typing import Final

from eth.exceptions import OutOfGas, WriteProtection
from eth.vm import opcode_values

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.vm.computation import Computation

_BASE_GAS: Final = 2
_VERY_LOW_GAS: Final = 3
_COPY_WORD_GAS: Final = 3
_KECCAK_GAS: Final = 30
_KECCAK_WORD_GAS: Final = 6
_WARM_SLOT_GAS: Final = 100  # EIP-2929
_COLD_SLOT_GAS: Final = 2_100
_SET_SLOT_GAS: Final = 20_000
_RESET_SLOT_GAS: Final = 2_900  # 5,000 less the cold access that is paid beside it
_CALL_STIPEND: Final = 2_300


def _caller(computation: Computation) -> None:
    computation.consume_gas(_BASE_GAS)
    computation.stack_push_bytes(computation.msg.sender)


def _callvalue(computation: Computation) -> None:
    computation.consume_gas(_BASE_GAS)
    computation.stack_push_int(computation.msg.value)


def _calldatasize(computation: Computation) -> None:
    computation.consume_gas(_BASE_GAS)
    computation.stack_push_int(len(computation.msg.data))


def _calldataload(computation: Computation) -> None:
    computation.consume_gas(_VERY_LOW_GAS)
    start = computation.stack_pop1_int()
    word = computation.msg.data[start : start + 32]
    computation.stack.append(int.from_bytes(word, "big") << (8 * (32 - len(word))) if word else 0)


def _codecopy(computation: Computation) -> None:
    computation.consume_gas(_VERY_LOW_GAS)
    start, source, size = computation.stack_pop_ints(3)
    computation.extend_memory(start, size)
    computation.consume_gas((size + 31) // 32 * _COPY_WORD_GAS)
    computation.memory_write(start, size, computation.msg.code[source : source + size].ljust(size, b"\x00"))


def _keccak256(computation: Computation) -> None:
    computation.consume_gas(_KECCAK_GAS)
    start, size = computation.stack_pop_ints(2)
    computation.extend_memory(start, size)
    computation.consume_gas((size + 31) // 32 * _KECCAK_WORD_GAS)
    digest = keccak256(computation.memory_read_bytes(start, size))
    computation.stack.append(int.from_bytes(digest, "big"))


def _sload(computation: Computation) -> None:
    slot = computation.stack_pop1_int()
    state, address = computation.state, computation.msg.storage_address
    if state.is_storage_warm(address, slot):
        computation.consume_gas(_WARM_SLOT_GAS)
    else:
        state.mark_storage_warm(address, slot)
        computation.consume_gas(_COLD_SLOT_GAS)
    computation.stack.append(state.get_storage(address, slot))


def sstore(clear_refund: int) -> Callable[[Computation], None]:
    """Return SSTORE with what the fork refunds for a cleared slot (EIP-2200, EIP-2929, EIP-3529)."""

    def store(computation: Computation) -> None:
        message, state = computation.msg, computation.state
        if message.is_static:
            raise WriteProtection("a static call writes a slot")
        if computation.gas_left <= _CALL_STIPEND:
            raise OutOfGas("SSTORE with no more than a call's stipend")
        slot, value = computation.stack_pop_ints(2)
        address = message.storage_address
        current = state.get_storage(address, slot)
        original = state.get_storage(address, slot, from_journal=False)
        gas = _WARM_SLOT_GAS
        if current == value:
            pass
        elif original == current:
            gas = _RESET_SLOT_GAS if original else _SET_SLOT_GAS
            if original and not value:
                computation.gas_refunded += clear_refund
        else:
            if original:
                computation.gas_refunded += clear_refund * ((not value) - (not current))
            if original == value:
                computation.gas_refunded += (_RESET_SLOT_GAS if original else _SET_SLOT_GAS) - _WARM_SLOT_GAS
        if not state.is_storage_warm(address, slot):
            state.mark_storage_warm(address, slot)
            gas += _COLD_SLOT_GAS
        computation.consume_gas(gas)
        state.set_storage(address, slot, value)

    return store


OPCODES: Final[dict[int, Callable[[Computation], None]]] = {
    opcode_values.CALLDATALOAD: _calldataload,
    opcode_values.CALLDATASIZE: _calldatasize,
    opcode_values.CALLER: _caller,
    opcode_values.CALLVALUE: _callvalue,
    opcode_values.CODECOPY: _codecopy,
    opcode_values.SHA3: _keccak256,
    opcode_values.SLOAD: _sload,
}
"""The same in every fork from Berlin on."""
