"""Transactions on a state: what of their validity needs it, what they cost, and what they leave.

This module alone runs a transaction from start to end: buying gas, the message, refunds, fees and destroyed accounts.
It never decides about roots, seals, permissions or the rules of ``transaction`` that need no state, which must have
been checked before.
"""

from collections.abc import Iterable
from typing import Final

from cocket.node.chain.account import StateReader, WriteSet
from cocket.node.chain.hashing import EMPTY_KECCAK, keccak256
from cocket.node.chain.receipt import Log, Receipt, bloom_of
from cocket.node.chain.rlp_codec import encode, encode_int
from cocket.node.chain.rules import Fork
from cocket.node.chain.transaction import AccessList, Transaction, intrinsic_gas
from cocket.node.chain.vm.computation import Computation, RawLog
from cocket.node.chain.vm.context import BlockContext, EngineState
from cocket.node.chain.vm.engine import COMPUTATIONS
from cocket.node.chain.vm.message import Message, TransactionContext
from cocket.node.chain.vm.watch import Watch
from cocket.node.errors import InvalidTransaction

_REFUND_QUOTIENT_BERLIN: Final = 2
_REFUND_QUOTIENT: Final = 5  # EIP-3529
_SELFDESTRUCT_REFUND_BERLIN: Final = 24_000


class BlockExecution:
    """The transactions of one block, one after the other, on the state of its parent.

    >>> execution = BlockExecution(context, reader)  # doctest: +SKIP
    >>> receipts = [execution.apply(transaction) for transaction in transactions]  # doctest: +SKIP
    >>> write_set = execution.finish()  # doctest: +SKIP
    """

    def __init__(self, context: BlockContext, reader: StateReader) -> None:
        self.context = context
        self._watch = Watch()
        self._state = new_state(context, reader, self._watch)
        self._gas_used = 0

    @property
    def gas_used(self) -> int:
        """The gas that all transactions so far have used."""
        return self._gas_used

    def abort(self) -> None:
        """Make a running ``apply`` raise ExecutionAborted soon, and every later one at once; safe from any thread."""
        self._watch.abort()

    def apply(self, transaction: Transaction, deadline_s: float | None = None) -> Receipt:
        """Execute a transaction and return its receipt.

        InvalidTransaction when the state or the block has no room for it, ExecutionAborted when it takes longer than
        ``deadline_s`` seconds or ``abort`` was called: these, and whatever else goes wrong inside, leave the state as
        it was, and the block can go on without it.
        """
        state, context = self._state, self.context
        self._validate(transaction)
        price = transaction.effective_gas_price(context.base_fee)
        sender = transaction.sender
        self._watch.start(deadline_s)
        state.begin_transaction()
        try:
            state.delta_balance(sender, -transaction.gas_limit * price)
            state.increment_nonce(sender)
            computation = run_message(
                state,
                sender=sender,
                to=transaction.to,
                value=transaction.value,
                data=transaction.data,
                gas=transaction.gas_limit - intrinsic_gas(transaction, context.fork),
                gas_price=price,
                access_list=transaction.access_list,
                nonce=transaction.nonce,
            )
            gas_left = transaction.gas_limit - gas_used_by(computation, transaction.gas_limit, context.fork)
            state.delta_balance(sender, gas_left * price)
            gas_used = transaction.gas_limit - gas_left
            state.delta_balance(context.coinbase, gas_used * (price - state.base_fee))
            logs = logs_of(computation)
            receipt = Receipt(
                type=transaction.type,
                status=int(computation.error is None),
                cumulative_gas_used=self._gas_used + gas_used,
                logs_bloom=bloom_of(logs),
                logs=logs,
            )
            end_message(state, computation)
        except BaseException:
            state.revert(0)
            raise
        self._gas_used += gas_used
        return receipt

    def finish(self, reward: tuple[bytes, int] | None = None) -> WriteSet:
        """Return what the block changed, after paying ``reward``, (beneficiary, wei), if there is one.

        A reward of zero touches nothing.
        """
        if reward is not None and reward[1]:
            self._state.begin_transaction()
            self._state.delta_balance(*reward)
            self._state.end_transaction()
        return self._state.write_set()

    def _validate(self, transaction: Transaction) -> None:
        state, context, sender = self._state, self.context, transaction.sender
        room = context.gas_limit - self._gas_used
        if transaction.gas_limit > room:
            raise InvalidTransaction(
                f"gas limit: found {transaction.gas_limit}, expected at most {room} (left in block)"
            )
        nonce = state.get_nonce(sender)
        if transaction.nonce != nonce:
            raise InvalidTransaction(f"nonce: found {transaction.nonce}, expected {nonce} for 0x{sender.hex()}")
        if state.get_code_hash(sender) != EMPTY_KECCAK:
            raise InvalidTransaction(f"sender: found a contract at 0x{sender.hex()}, expected no code (EIP-3607)")
        if transaction.fee_cap < state.base_fee:
            raise InvalidTransaction(
                f"fee: found at most {transaction.fee_cap}, expected at least the base fee {state.base_fee}"
            )
        cost = transaction.gas_limit * transaction.fee_cap + transaction.value
        balance = state.get_balance(sender)
        if balance < cost:
            raise InvalidTransaction(f"balance: found {balance} at 0x{sender.hex()}, expected at least {cost}")


def new_state(context: BlockContext, reader: StateReader, watch: Watch) -> EngineState:
    """Return a fresh state for executions in a block."""
    return EngineState(context, reader, COMPUTATIONS[context.fork].precompile_addresses, watch)


def run_message(
    state: EngineState,
    *,
    sender: bytes,
    to: bytes | None,
    value: int,
    data: bytes,
    gas: int,
    gas_price: int,
    access_list: AccessList,
    nonce: int,
    create_address: bytes | None = None,
) -> Computation:
    """Run a transaction's message with ``gas`` after the intrinsic gas; its errors are in what is returned.

    ``create_address`` replaces the address that follows from sender and nonce.
    """
    execution = COMPUTATIONS[state.context.fork]
    target = to or create_address or contract_address(sender, nonce)
    _warm_up(state, sender, target, access_list)
    transaction_context = TransactionContext(sender, gas_price)
    if to is not None:
        message = Message(gas, to, sender, value, data, state.get_code(to))
        return execution.apply_message(state, message, transaction_context)
    message = Message(gas, b"", sender, value, b"", data, create_address=target)
    if state.has_code_or_nonce(target):
        return execution.collided(state, message, transaction_context)
    return execution.apply_create_message(state, message, transaction_context)


def gas_used_by(computation: Computation, gas_limit: int, fork: Fork) -> int:
    """Return the gas that a transaction pays for, after its refund (EIP-3529)."""
    used = gas_limit - computation.gas_left
    if computation.error is not None:
        return used
    refund = computation.gas_refunded
    if fork < Fork.LONDON:
        refund += _SELFDESTRUCT_REFUND_BERLIN * len(set(computation.accounts_to_delete))
        return used - min(refund, used // _REFUND_QUOTIENT_BERLIN)
    return used - min(refund, used // _REFUND_QUOTIENT)


def end_message(state: EngineState, computation: Computation) -> None:
    """Remove destroyed and touched empty accounts; the transaction is then final."""
    if computation.error is None:
        for address in computation.accounts_to_delete:
            state.delete_account(address)
    state.end_transaction()


def logs_of(computation: Computation) -> tuple[Log, ...]:
    """Return the events of a transaction, none of a failed one."""
    return tuple(_logs(computation.logs)) if computation.error is None else ()


def contract_address(sender: bytes, nonce: int) -> bytes:
    """Return the address of the contract that a create by ``sender`` with ``nonce`` makes."""
    return keccak256(encode([sender, encode_int(nonce)]))[12:]


def _logs(raw_logs: Iterable[RawLog]) -> Iterable[Log]:
    for address, topics, data in raw_logs:
        yield Log(address, tuple([topic.to_bytes(32, "big") for topic in topics]), data)


def _warm_up(state: EngineState, sender: bytes, target: bytes, access_list: AccessList) -> None:
    """Mark what a transaction may access at the warm price from its start (EIP-2929, EIP-2930, EIP-3651)."""
    state.mark_address_warm(sender)
    state.mark_address_warm(target)
    if state.context.fork >= Fork.SHANGHAI:
        state.mark_address_warm(state.coinbase)
    for address, slots in access_list:
        state.mark_address_warm(address)
        for slot in slots:
            state.mark_storage_warm(address, slot)
