"""One message on its way through its code, and what it leaves.

This module is part of the door to py-evm: it stands where py-evm's computation stood, for py-evm's opcodes and
precompiles, without its validation, tracing and kept children. The rules of forks are ``engine``'s.
"""

from collections.abc import Callable
from typing import ClassVar, Final, Self

from eth.constants import GAS_CODEDEPOSIT, STACK_DEPTH_LIMIT
from eth.exceptions import (
    ContractCreationCollision,
    FullStack,
    Halt,
    InsufficientFunds,
    InsufficientStack,
    InvalidInstruction,
    InvalidJumpDestination,
    OutOfGas,
    StackDepthLimit,
    VMError,
)

from cocket.node.chain.rules import Fork
from cocket.node.chain.vm.code import CodeStream
from cocket.node.chain.vm.context import EngineState
from cocket.node.chain.vm.machine import STACK_MAX, Machine
from cocket.node.chain.vm.message import Message, TransactionContext
from cocket.node.errors import NodeFault

RawLog = tuple[bytes, tuple[int, ...], bytes]
"""Address, topics and data of an event."""

WORD_MAX: Final = 2**256 - 1
ARITHMETIC: Final = frozenset({0x01, 0x03, 0x10, 0x11, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1B, 0x1C})
"""The opcodes with one or two words in, one out and a price of 3 that the loop spells out."""

TURNS_BETWEEN_CHECKS: Final = 64
"""JUMPDESTs between two looks at the watch: some 10,000 opcodes, a millisecond or two."""

_RESERVED_FIRST_BYTE: Final = b"\xef"

_REASONS: Final = {
    "Revert": "revert",
    "OutOfGas": "out of gas",
    "InsufficientStack": "stack underflow",
    "FullStack": "stack overflow",
    "InvalidJumpDestination": "invalid jump destination",
    "InvalidInstruction": "invalid opcode",
    "WriteProtection": "write in a static call",
    "OutOfBoundsRead": "read behind the return data",
    "ContractCreationCollision": "contract address taken",
}


class _Silence:
    """A logger that opcodes may ask whether to trace: no."""

    show_debug2 = False

    def debug2(self, *_: object) -> None:
        """Say nothing."""


class Computation(Machine):
    """The execution of one message. The subclass of a fork knows its opcodes and precompiles."""

    __slots__ = (
        "accounts_to_delete",
        "beneficiaries",
        "code",
        "error",
        "logs",
        "msg",
        "output",
        "return_data",
        "state",
        "transaction_context",
    )

    fork: ClassVar[Fork]
    opcode_table: "ClassVar[tuple[Callable[[Computation], object], ...]]"
    precompiles: "ClassVar[dict[bytes, Callable[[Computation], object]]]"
    precompile_addresses: ClassVar[frozenset[bytes]]
    initcode_bytes_max: ClassVar[int | None]
    logger = _Silence()

    def __init__(self, state: EngineState, message: Message, transaction_context: TransactionContext) -> None:
        super().__init__(message.gas)
        self.state = state
        self.msg = message
        self.transaction_context = transaction_context
        self.code = CodeStream(message.code)
        self.output = b""
        self.return_data = b""
        self.error: VMError | None = None
        self.logs: list[RawLog] = []
        self.accounts_to_delete: list[bytes] = []
        self.beneficiaries: list[bytes] = []

    # Messages

    @classmethod
    def apply_message(cls, state: EngineState, message: Message, context: TransactionContext) -> Self:
        """Transfer the value and run the code; an error takes all of it back."""
        state.watch.check()
        if message.depth > STACK_DEPTH_LIMIT:
            raise StackDepthLimit("call depth above the limit")
        snapshot = state.snapshot()
        address = message.storage_address
        if message.should_transfer_value and message.value:
            if state.get_balance(message.sender) < message.value:
                raise InsufficientFunds("balance below the value to transfer")
            state.delta_balance(message.sender, -message.value)
            state.delta_balance(address, message.value)
        state.touch_account(address)
        computation = cls(state, message, context)
        try:
            precompile = cls.precompiles.get(message.code_address)
            if precompile is None:
                computation.run()
            else:
                precompile(computation)
        except VMError as error:
            computation.fail(error)
            state.revert(snapshot)
        return computation

    @classmethod
    def apply_create_message(cls, state: EngineState, message: Message, context: TransactionContext) -> Self:
        """Run initcode and deploy what it returns; an error takes all of it back.

        Initcode above the limit fails the creating contract (EIP-3860); a transaction's was bounded before.
        """
        if message.depth and cls.initcode_bytes_max is not None and len(message.code) > cls.initcode_bytes_max:
            raise OutOfGas("initcode above the limit (EIP-3860)")
        snapshot = state.snapshot()
        address = message.storage_address
        state.increment_nonce(address)
        context.contracts_created.add(address)
        computation = cls.apply_message(state, message, context)
        if computation.error is None and computation.output:
            try:
                computation.deploy(computation.output)
            except VMError as error:
                computation.fail(error)
        if computation.error is not None:
            state.revert(snapshot)
        return computation

    @classmethod
    def collided(cls, state: EngineState, message: Message, context: TransactionContext) -> Self:
        """Return the failed creation at an address that is taken (EIP-684): all gas is gone."""
        computation = cls(state, message, context)
        computation.fail(ContractCreationCollision("a contract is at this address already"))
        return computation

    def deploy(self, code: bytes) -> None:
        """Store what initcode returned as the contract's code."""
        if len(code) > self.state.code_bytes_max:
            raise OutOfGas("code above the size limit (EIP-170)")
        if self.fork >= Fork.LONDON and code[:1] == _RESERVED_FIRST_BYTE:
            raise InvalidInstruction("code begins with the reserved byte 0xef (EIP-3541)")
        self.consume_gas(len(code) * GAS_CODEDEPOSIT)
        self.state.set_code(self.msg.storage_address, code)

    def run(self) -> None:
        """Execute opcodes until one halts; VMError when one fails.

        The opcodes that most of any program consists of are spelled out here, on local variables, which makes them
        three to ten times as quick as a call; all others are in the fork's table. Failing burns all gas, so what is
        left is written back only for those. A stack that is too short shows as IndexError.
        """
        code, table, stack, memory = self.code, self.opcode_table, self.stack, self._memory
        raw, pushes = code.raw, code.analysis.pushes
        size, gas, position, turns = len(raw), self.gas_left, 0, TURNS_BETWEEN_CHECKS
        try:
            while position < size:
                opcode = raw[position]
                position += 1
                if opcode >= 0x60:
                    if opcode < 0x80:  # PUSH, and those right behind it
                        run = pushes.get(position - 1) or code.analysis.pushes_at(position - 1)
                        words, position, cost = run
                        stack += words
                        gas -= cost
                        if gas < 0:
                            raise OutOfGas
                        if len(stack) > STACK_MAX:
                            raise FullStack
                        continue
                    if opcode < 0x90:  # DUP
                        stack.append(stack[0x7F - opcode])
                        gas -= 3
                        if gas < 0:
                            raise OutOfGas
                        if len(stack) > STACK_MAX:
                            raise FullStack
                        continue
                    if opcode < 0xA0:  # SWAP
                        below = 0x8E - opcode
                        stack[-1], stack[below] = stack[below], stack[-1]
                        gas -= 3
                        if gas < 0:
                            raise OutOfGas
                        continue
                elif opcode >= 0x50:
                    if opcode == 0x52 or opcode == 0x51:  # MSTORE, MLOAD
                        start = stack.pop()
                        gas -= 3
                        if gas < 0:
                            raise OutOfGas
                        if start + 32 > len(memory):
                            self.gas_left = gas
                            self.extend_memory(start, 32)
                            gas = self.gas_left
                        if opcode == 0x52:
                            memory[start : start + 32] = stack.pop().to_bytes(32, "big")
                        else:
                            stack.append(int.from_bytes(memory[start : start + 32], "big"))
                        continue
                    if opcode == 0x5B:  # JUMPDEST: every loop passes one
                        gas -= 1
                        if gas < 0:
                            raise OutOfGas
                        turns -= 1
                        if not turns:
                            turns = TURNS_BETWEEN_CHECKS
                            self.state.watch.check()
                        continue
                    if opcode == 0x57:  # JUMPI
                        target = stack.pop()
                        gas -= 10
                        if gas < 0:
                            raise OutOfGas
                        if stack.pop():
                            if target not in code.analysis.destinations:
                                raise InvalidJumpDestination
                            position = target
                        continue
                    if opcode == 0x50:  # POP
                        stack.pop()
                        gas -= 2
                        if gas < 0:
                            raise OutOfGas
                        continue
                    if opcode == 0x56:  # JUMP
                        target = stack.pop()
                        gas -= 8
                        if gas < 0:
                            raise OutOfGas
                        if target not in code.analysis.destinations:
                            raise InvalidJumpDestination
                        position = target
                        continue
                elif opcode in ARITHMETIC:
                    if opcode == 0x01:  # ADD
                        stack[-1] = (stack.pop() + stack[-1]) & WORD_MAX
                    elif opcode == 0x15:  # ISZERO
                        stack[-1] = 0 if stack[-1] else 1
                    elif opcode == 0x14:  # EQ
                        stack[-1] = 1 if stack.pop() == stack[-1] else 0
                    elif opcode == 0x16:  # AND
                        stack[-1] = stack.pop() & stack[-1]
                    elif opcode == 0x03:  # SUB
                        stack[-1] = (stack.pop() - stack[-1]) & WORD_MAX
                    elif opcode == 0x10:  # LT
                        stack[-1] = 1 if stack.pop() < stack[-1] else 0
                    elif opcode == 0x11:  # GT
                        stack[-1] = 1 if stack.pop() > stack[-1] else 0
                    elif opcode == 0x18:  # XOR
                        stack[-1] = stack.pop() ^ stack[-1]
                    elif opcode == 0x17:  # OR
                        stack[-1] = stack.pop() | stack[-1]
                    elif opcode == 0x1C:  # SHR
                        shift = stack.pop()
                        stack[-1] = stack[-1] >> shift if shift < 256 else 0
                    elif opcode == 0x1B:  # SHL
                        shift = stack.pop()
                        stack[-1] = (stack[-1] << shift) & WORD_MAX if shift < 256 else 0
                    else:  # NOT
                        stack[-1] ^= WORD_MAX
                    gas -= 3
                    if gas < 0:
                        raise OutOfGas
                    continue
                code.program_counter = position
                self.gas_left = gas
                try:
                    table[opcode](self)
                except IndexError as error:
                    raise NodeFault(f"opcode {opcode:#04x} found no item: {error}") from error
                position = code.program_counter
                gas = self.gas_left
        except IndexError:
            raise InsufficientStack from None
        except Halt:
            return
        self.gas_left = gas

    def fail(self, error: VMError) -> None:
        """Note the error, and burn the gas and forget the output that it makes void."""
        self.error = error
        if error.burns_gas:
            self.gas_left = 0
        if error.erases_return_data:
            self.output = self.return_data = b""

    def prepare_child_message(
        self, gas: int, to: bytes, value: int, data: bytes, code: bytes, **fields: object
    ) -> Message:
        """Return the message of a call or creation by this one."""
        sender = fields.pop("sender", self.msg.storage_address)
        return Message(gas, to, sender, value, data, code, self.msg.depth + 1, **fields)  # type: ignore[arg-type]

    def apply_child_computation(self, message: Message) -> Self:
        """Run a call or creation by this message and take over what it gave.

        Its logs, refund and destroyed accounts are taken when it succeeds. It is not kept: a transaction may make
        hundreds of thousands.
        """
        run = self.apply_create_message if message.is_create else self.apply_message
        child = run(self.state, message, self.transaction_context)
        if child.error is None:
            self.return_data = b"" if message.is_create else child.output
            self.gas_refunded += child.gas_refunded
            self.logs += child.logs
            self.accounts_to_delete += child.accounts_to_delete
        else:
            self.return_data = child.output
        return child

    # What opcodes ask of a finished call

    @property
    def is_error(self) -> bool:
        """Whether it failed."""
        return self.error is not None

    @property
    def should_erase_return_data(self) -> bool:
        """Whether the error makes the output void: all but a revert do."""
        return self.error is not None and self.error.erases_return_data

    @property
    def should_return_gas(self) -> bool:
        """Whether gas is left to its caller: failing burns all, reverting does not."""
        return self.error is None or not self.error.burns_gas

    @property
    def reason(self) -> str | None:
        """Why it failed, None when it did not."""
        return None if self.error is None else _REASONS.get(type(self.error).__name__, str(self.error))

    @property
    def contracts_created(self) -> set[bytes]:
        """The contracts that the transaction has made (EIP-6780)."""
        return self.transaction_context.contracts_created

    # What opcodes leave

    def add_log_entry(self, account: bytes, topics: tuple[int, ...], data: bytes) -> None:
        """Note an event."""
        self.logs.append((account, topics, data))

    def register_account_for_deletion(self, beneficiary: bytes) -> None:
        """Note that the contract is destroyed when the transaction ends; it may be so more than once."""
        self.accounts_to_delete.append(self.msg.storage_address)
