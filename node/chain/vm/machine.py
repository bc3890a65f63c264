"""What code works with: gas, a stack of words, and memory.

This module is part of the door to py-evm: it has the surface that py-evm's opcodes and precompiles work on. It knows
no message, no state and no opcode. The stack holds integers only.
"""

from typing import Final

from eth.exceptions import FullStack, InsufficientStack, OutOfGas

STACK_MAX: Final = 1024


class Machine:
    """Gas left and refunded, stack and memory of one execution."""

    __slots__ = ("_memory", "gas_left", "gas_refunded", "stack")

    def __init__(self, gas: int) -> None:
        self.gas_left = gas
        self.gas_refunded = 0
        self.stack: list[int] = []
        self._memory = bytearray()

    # Gas

    def consume_gas(self, amount: int, reason: str = "") -> None:
        """Pay, or fail."""
        if amount > self.gas_left:
            raise OutOfGas(reason)
        self.gas_left -= amount

    def return_gas(self, amount: int) -> None:
        """Take back what a call did not use."""
        self.gas_left += amount

    def refund_gas(self, amount: int) -> None:
        """Count a refund, which may be negative, for the transaction's end."""
        self.gas_refunded += amount

    def get_gas_remaining(self) -> int:
        """Return the gas that is left."""
        return self.gas_left

    # Stack

    def stack_push_int(self, value: int) -> None:
        """Push a word."""
        if len(self.stack) >= STACK_MAX:
            raise FullStack
        self.stack.append(value)

    def stack_push_bytes(self, value: bytes) -> None:
        """Push the word that up to 32 bytes spell."""
        if len(self.stack) >= STACK_MAX:
            raise FullStack
        self.stack.append(int.from_bytes(value, "big"))

    def stack_pop1_int(self) -> int:
        """Pop a word."""
        if not self.stack:
            raise InsufficientStack
        return self.stack.pop()

    stack_pop1_any = stack_pop1_int

    def stack_pop1_bytes(self) -> bytes:
        """Pop a word as its 32 bytes."""
        if not self.stack:
            raise InsufficientStack
        return self.stack.pop().to_bytes(32, "big")

    def stack_pop_ints(self, count: int) -> tuple[int, ...]:
        """Pop words, the top first."""
        stack = self.stack
        if len(stack) < count:
            raise InsufficientStack
        words = tuple(stack[: -count - 1 : -1])
        del stack[-count:]
        return words

    def stack_swap(self, position: int) -> None:
        """Exchange the top with the word ``position`` below it."""
        stack = self.stack
        if len(stack) <= position:
            raise InsufficientStack
        stack[-1], stack[-position - 1] = stack[-position - 1], stack[-1]

    def stack_dup(self, position: int) -> None:
        """Push a copy of the word at ``position``, 1 being the top."""
        stack = self.stack
        if len(stack) >= STACK_MAX:
            raise FullStack
        if len(stack) < position:
            raise InsufficientStack
        stack.append(stack[-position])

    # Memory

    def extend_memory(self, start: int, size: int) -> None:
        """Pay for memory up to ``start + size`` and make it, in words of 32 bytes."""
        if not size:
            return
        before = len(self._memory) >> 5
        after = (start + size + 31) >> 5
        if after > before:
            cost = (after - before) * 3 + after * after // 512 - before * before // 512
            if cost > self.gas_left:
                raise OutOfGas("memory")
            self.gas_left -= cost
            self._memory += bytes((after - before) << 5)

    def memory_write(self, start: int, size: int, value: bytes) -> None:
        """Write within the memory that there is."""
        if size:
            self._memory[start : start + size] = value

    def memory_read_bytes(self, start: int, size: int) -> bytes:
        """Return a copy of memory."""
        return bytes(self._memory[start : start + size])

    def memory_copy(self, destination: int, source: int, length: int) -> None:
        """Copy within memory; the ranges may overlap."""
        if length:
            self._memory[destination : destination + length] = self._memory[source : source + length]
