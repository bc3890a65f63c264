"""Is this block right? The one answer, for every source: peers, files and the consensus' own proposals.

``execute`` checks all but the seals and runs the block on its parent's state; ``import_block`` checks the seals too and
commits. Each broken rule is an InvalidBlock that names what was found and what was expected. It changes nothing before
everything is checked, and keeps few results, so that a block checked as a proposal is not run again when it is final.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from cocket.node.chain.block import Block
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import Header, block_hash
from cocket.node.chain.header_rules import validate_body, validate_header
from cocket.node.chain.ledger import ExecutedBlock, Ledger
from cocket.node.chain.permission import PermissionRule
from cocket.node.chain.receipt import Receipt, encode_receipt, join_blooms
from cocket.node.chain.roots import ordered_root
from cocket.node.chain.state import apply_write_set
from cocket.node.chain.transaction import Transaction, decode_transaction, validate_transaction
from cocket.node.chain.vm import BlockExecution, ExecutionAborted
from cocket.node.consensus.seals import validate_seals
from cocket.node.errors import InvalidBlock, InvalidTransaction, Refused

_RESULTS_KEPT = 4  # at most one execution runs; proposals of a few rounds may differ


class UnknownParent(InvalidBlock):
    """A block that does not build on our head: nobody's fault when we are behind, so ask for what lies between."""


class StopSwitch:
    """Stops an execution from another thread, also one that has not begun."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._execution: BlockExecution | None = None
        self._is_pulled = False

    @property
    def is_pulled(self) -> bool:
        """Whether ``pull`` was called."""
        return self._is_pulled

    def pull(self) -> None:
        """Make the execution raise ExecutionAborted soon; pulling twice is nothing."""
        with self._lock:
            self._is_pulled = True
            if self._execution is not None:
                self._execution.abort()

    def check(self) -> None:
        """Raise ExecutionAborted once ``pull`` was called: for work that comes before an execution."""
        if self._is_pulled:
            raise ExecutionAborted("check aborted: its result is no longer wanted")

    def attach(self, execution: BlockExecution) -> None:
        """Name the execution that ``pull`` stops."""
        with self._lock:
            self._execution = execution
            if self._is_pulled:
                execution.abort()


class Importer:
    """Checks blocks against one ledger; one thread at a time executes.

    ``known`` gives an already decoded transaction by its hash, so that what came through the pool is not recovered
    again; the hash binds every byte. ``on_commit`` is told of each block after it became the head, on the same thread.
    """

    def __init__(
        self,
        ledger: Ledger,
        permission: PermissionRule,
        known: Callable[[bytes], Transaction | None] = lambda _: None,
        on_commit: Callable[[ExecutedBlock], None] = lambda _: None,
    ) -> None:
        self._ledger = ledger
        self._spec = ledger.genesis.spec
        self._permission = permission
        self._known = known
        self._on_commit = on_commit
        self._results: OrderedDict[bytes, ExecutedBlock] = OrderedDict()

    def import_block(self, block: Block, now_s: int | None = None, *, sync: bool = True) -> Header:
        """Check a sealed block and make it the head; return the stored header, also when it was there before.

        ``now_s`` is the wall clock for a block that was just made, None for an old one. UnknownParent when it is
        further ahead than the next height; InvalidBlock when it breaks a rule.
        """
        header = block.header
        hash_ = block_hash(header)
        stored = self._stored(header, hash_)
        if stored is not None:
            return stored
        parent, found = self._begin(block, hash_, now_s)
        validate_seals(header, self._ledger.validators_after(parent))
        executed = found or self._execute(block, hash_, parent, StopSwitch())
        self._ledger.commit(executed, header, sync=sync)
        self._results.clear()
        self._on_commit(executed)
        return header

    def execute(self, block: Block, now_s: int | None, stop: StopSwitch | None = None) -> ExecutedBlock:
        """Check everything but seals of a block on our head, run it, and return what committing it writes.

        What was checked before is not run again. InvalidBlock names the rule that is broken; ExecutionAborted when
        ``stop`` was pulled.
        """
        hash_ = block_hash(block.header)
        parent, found = self._begin(block, hash_, now_s)
        return found or self._execute(block, hash_, parent, stop or StopSwitch())

    def _begin(self, block: Block, hash_: bytes, now_s: int | None) -> tuple[Header, ExecutedBlock | None]:
        """Return the parent and, if this very block was run before, what came of it; else check its header."""
        parent = self._parent(block.header)
        found = self._results.get(hash_)
        if found is not None and found.block.body == block.body:
            return parent, found
        validate_header(block.header, parent, self._spec, self._ledger.validators_after(parent), now_s)
        return parent, None

    def _execute(self, block: Block, hash_: bytes, parent: Header, stop: StopSwitch) -> ExecutedBlock:
        header = block.header
        validate_body(block, self._spec.fork_at(header.number, header.timestamp))
        transactions = self._decode(block, stop)
        self._validate_permission(transactions, parent, stop)
        execution = BlockExecution(self._ledger.context(header), self._ledger.state(parent))
        stop.attach(execution)
        receipts = _apply_all(execution, transactions)
        encoded = _validate_receipts(header, execution.gas_used, receipts)
        write_set = execution.finish(block_reward(self._ledger, header))
        root, nodes, accounts = apply_write_set(self._ledger.nodes, parent.state_root, write_set)
        if root != header.state_root:
            raise InvalidBlock(f"state root: found 0x{header.state_root.hex()}, expected 0x{root.hex()}")
        write_set = replace(write_set, accounts=accounts)
        executed = ExecutedBlock(block, hash_, transactions, receipts, encoded, write_set, nodes)
        self.remember(executed)
        return executed

    def remember(self, executed: ExecutedBlock) -> None:
        """Keep a result, such as a block of our own builder, so that it is not run again."""
        self._results[executed.hash] = executed
        while len(self._results) > _RESULTS_KEPT:
            self._results.popitem(last=False)

    def _stored(self, header: Header, hash_: bytes) -> Header | None:
        """Return our header of a height that is final, None above; InvalidBlock when ours is another block."""
        ours = self._ledger.hash_by_number(header.number)
        if ours is not None and ours != hash_:
            raise InvalidBlock(
                f"block {header.number}: found 0x{hash_.hex()}, but 0x{ours.hex()} is final here at this height"
            )
        return None if ours is None else self._ledger.header_by_hash(ours)

    def _parent(self, header: Header) -> Header:
        head, head_hash = self._ledger.head, self._ledger.head_hash
        if header.number > head.number + 1:
            raise UnknownParent(f"block {header.number}: the head is block {head.number}, expected {head.number + 1}")
        if header.number != head.number + 1 or header.parent_hash != head_hash:
            raise InvalidBlock(
                f"block {header.number}: found the parent 0x{header.parent_hash.hex()}, expected the head, block "
                f"{head.number} 0x{head_hash.hex()}"
            )
        return head

    def _decode(self, block: Block, stop: StopSwitch) -> tuple[Transaction, ...]:
        header, spec = block.header, self._spec
        fork = spec.fork_at(header.number, header.timestamp)
        transactions = []
        for index, raw in enumerate(block.transactions):
            stop.check()
            try:
                transaction = self._known(keccak256(raw)) or decode_transaction(raw)
                validate_transaction(
                    transaction, spec, header.number, fork, header.base_fee_per_gas, may_be_unprotected=True
                )
            except InvalidTransaction as error:
                raise InvalidBlock(f"transaction {index}: {error}") from error
            transactions.append(transaction)
        return tuple(transactions)

    def _validate_permission(self, transactions: tuple[Transaction, ...], parent: Header, stop: StopSwitch) -> None:
        asked: set[tuple[bytes, bool]] = set()
        for index, transaction in enumerate(transactions):
            question = (transaction.sender, transaction.to is None)
            if question in asked:
                continue
            asked.add(question)
            stop.check()
            try:
                self._permission.validate(transaction, parent)
            except Refused as error:
                raise InvalidBlock(f"transaction {index}: {error}") from error


def block_reward(ledger: Ledger, header: Header) -> tuple[bytes, int] | None:
    """Return (beneficiary, wei) of a block's reward, None when there is none."""
    rules = ledger.genesis.spec.rules_at(header.number)
    return (rules.mining_beneficiary or header.coinbase, rules.block_reward_wei) if rules.block_reward_wei else None


def _apply_all(execution: BlockExecution, transactions: tuple[Transaction, ...]) -> tuple[Receipt, ...]:
    receipts = []
    for index, transaction in enumerate(transactions):
        try:
            receipts.append(execution.apply(transaction))
        except InvalidTransaction as error:
            raise InvalidBlock(f"transaction {index}: {error}") from error
    return tuple(receipts)


def _validate_receipts(header: Header, gas_used: int, receipts: tuple[Receipt, ...]) -> tuple[bytes, ...]:
    """Return the receipts' encodings when the header commits to them and what they sum up to."""
    if gas_used != header.gas_used:
        raise InvalidBlock(f"gas used: found {header.gas_used}, expected {gas_used}")
    bloom = join_blooms(receipt.logs_bloom for receipt in receipts)
    if bloom != header.logs_bloom:
        raise InvalidBlock(f"logs bloom: found 0x{header.logs_bloom.hex()}, expected 0x{bloom.hex()}")
    encoded = tuple([encode_receipt(receipt) for receipt in receipts])
    root = ordered_root(encoded)
    if root != header.receipts_root:
        raise InvalidBlock(f"receipts root: found 0x{header.receipts_root.hex()}, expected 0x{root.hex()}")
    return encoded
