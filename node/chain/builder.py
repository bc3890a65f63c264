"""Makes the next block from the pool, within a time budget as well as the gas limit.

It takes transactions by turns of their senders, drops from the pool what cannot run or runs too long, and leaves what
does not fit for later. It judges by the same rules as the importer but decides nothing about validity; it signs
nothing and knows no seals.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cocket.node.chain.block import Block
from cocket.node.chain.extra_data import ExtraData, Vote, encode_extra_data
from cocket.node.chain.hashing import EMPTY_OMMERS_HASH, EMPTY_ROOT, ZERO_HASH
from cocket.node.chain.header import Header, block_hash
from cocket.node.chain.header_rules import DIFFICULTY, MIX_HASH, next_base_fee, next_excess_blob_gas, next_gas_limit
from cocket.node.chain.importer import StopSwitch, block_reward
from cocket.node.chain.ledger import ExecutedBlock, Ledger
from cocket.node.chain.pending_votes import PendingVotes
from cocket.node.chain.permission import PermissionRule
from cocket.node.chain.pool import Pool
from cocket.node.chain.receipt import Receipt, encode_receipt, join_blooms
from cocket.node.chain.roots import ordered_root
from cocket.node.chain.rules import Fork
from cocket.node.chain.state import apply_write_set
from cocket.node.chain.transaction import Transaction, validate_transaction
from cocket.node.chain.vm import BlockExecution, ExecutionAborted
from cocket.node.errors import InvalidTransaction, NodeFault, Refused

# Roots and trie take about as long again as two thirds of the execution: what remains of the budget is theirs.
_EXECUTION_SHARE = 0.6
# One transaction may not use more than this share of the budget: validators on slower machines must follow.
_TRANSACTION_SHARE = 0.25
# After so many senders whose next transaction does not fit what is left of gas or bytes, the block is full.
_MISSES_MAX = 64
_LEAST_GAS = 21_000
# A proposal has to fit a peer's message, of 10 MiB for Besu and for us, together with its justification.
_BLOCK_BYTES_MAX = 8 * 1024 * 1024
# Peers decode no proposal of more than some 29,000 legacy transactions (ITEMS_MAX of the consensus messages), and would
# drop who sends one: well below that, whatever the gas limit and the time allow.
_BLOCK_TRANSACTIONS_MAX = 16_384


@dataclass(slots=True)
class _Filling:
    """A block on its way: what is in it, and whose turns are over."""

    transactions: list[Transaction] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    finished_senders: set[bytes] = field(default_factory=set)
    size_bytes: int = 0
    misses: int = 0


class Builder:
    """Makes blocks on one ledger's head; ``clock`` gives monotonic seconds, ``votes`` are the operator's."""

    def __init__(
        self,
        ledger: Ledger,
        permission: PermissionRule,
        pool: Pool,
        clock: Callable[[], float],
        votes: PendingVotes | None = None,
    ) -> None:
        self._ledger = ledger
        self._permission = permission
        self._pool = pool
        self._clock = clock
        self._votes = votes or PendingVotes()

    def build(
        self,
        coinbase: bytes,
        timestamp: int,
        round_number: int,
        time_budget_s: float,
        stop: StopSwitch | None = None,
    ) -> ExecutedBlock:
        """Return an executed block on the head, unsealed, that takes at most about ``time_budget_s`` to make.

        ``coinbase`` is the proposer; ``timestamp``, in seconds, is the caller's to keep in the rules.
        ExecutionAborted when ``stop`` was pulled.
        """
        start_s = self._clock()
        parent = self._ledger.head
        draft = self._draft(parent, coinbase, timestamp, round_number)
        execution = BlockExecution(self._ledger.context(draft), self._ledger.state(parent))
        if stop is not None:
            stop.attach(execution)
        filling = _Filling()
        end_s = start_s + time_budget_s * _EXECUTION_SHARE
        share_s = time_budget_s * _TRANSACTION_SHARE
        for transaction in self._pool.pending(draft.base_fee_per_gas, parent.gas_limit // _LEAST_GAS):
            left_s = end_s - self._clock()
            if len(filling.transactions) >= _BLOCK_TRANSACTIONS_MAX:
                break
            if left_s <= 0 or filling.misses > _MISSES_MAX or draft.gas_limit - execution.gas_used < _LEAST_GAS:
                break
            if transaction.sender not in filling.finished_senders:
                self._take(execution, transaction, filling, min(left_s, share_s), left_s >= share_s, stop)
        return self._finish(draft, parent, execution, filling)

    def _take(
        self,
        execution: BlockExecution,
        transaction: Transaction,
        filling: _Filling,
        deadline_s: float,
        is_whole_share: bool,
        stop: StopSwitch | None,
    ) -> None:
        """Run one transaction into the block, or end its sender's turns, and drop it if it can never run."""
        filling.finished_senders.add(transaction.sender)
        has_gas = transaction.gas_limit <= execution.context.gas_limit - execution.gas_used
        if not has_gas or filling.size_bytes + len(transaction.raw) > _BLOCK_BYTES_MAX:
            filling.misses += 1
            return
        context = execution.context
        try:
            # It may have come into the pool under the rules of an earlier height.
            validate_transaction(transaction, self._ledger.genesis.spec, context.number, context.fork, context.base_fee)
            self._permission.validate(transaction, self._ledger.head)
            receipt = execution.apply(transaction, deadline_s)
        except (InvalidTransaction, Refused) as error:
            self._pool.drop(transaction.hash, str(error))
            return
        except ExecutionAborted:
            if stop is not None and stop.is_pulled:
                raise
            if is_whole_share:
                self._pool.drop(transaction.hash, f"too slow: it ran longer than {deadline_s:.3f} s")
            return
        except NodeFault:
            raise
        except Exception as error:
            # A fault of ours that this transaction finds. It was taken back, so the block goes on without it; kept, it
            # would stop every proposer in turn.
            self._pool.drop(transaction.hash, f"engine fault: {error!r}")
            return
        filling.finished_senders.discard(transaction.sender)
        filling.size_bytes += len(transaction.raw)
        filling.transactions.append(transaction)
        filling.receipts.append(receipt)

    def _draft(self, parent: Header, coinbase: bytes, timestamp: int, round_number: int) -> Header:
        """Return the header as far as it is known before the execution."""
        spec = self._ledger.genesis.spec
        fork = spec.fork_at(parent.number + 1, timestamp)
        validators, vote = self._validators_and_vote(parent, coinbase)
        return Header(
            parent_hash=self._ledger.head_hash,
            ommers_hash=EMPTY_OMMERS_HASH,
            coinbase=coinbase,
            state_root=EMPTY_ROOT,
            transactions_root=EMPTY_ROOT,
            receipts_root=EMPTY_ROOT,
            logs_bloom=bytes(256),
            difficulty=DIFFICULTY,
            number=parent.number + 1,
            gas_limit=next_gas_limit(parent, spec),
            gas_used=0,
            timestamp=timestamp,
            extra_data=encode_extra_data(ExtraData(validators=validators, vote=vote, round=round_number)),
            mix_hash=MIX_HASH,
            nonce=bytes(8),
            base_fee_per_gas=next_base_fee(parent, spec),
            withdrawals_root=EMPTY_ROOT if fork >= Fork.SHANGHAI else None,
            blob_gas_used=0 if fork >= Fork.CANCUN else None,
            excess_blob_gas=next_excess_blob_gas(parent) if fork >= Fork.CANCUN else None,
            parent_beacon_block_root=ZERO_HASH if fork >= Fork.CANCUN else None,
        )

    def _validators_and_vote(self, parent: Header, coinbase: bytes) -> tuple[tuple[bytes, ...], Vote | None]:
        """Return what the header says of validators: nothing where a contract decides.

        An epoch's first block carries no vote: none would count in it. (Besu's may carry one.)
        """
        spec, number = self._ledger.genesis.spec, parent.number + 1
        if spec.rules_at(number).validator_contract is not None:
            return (), None
        tally = self._ledger.tally_after(parent)
        vote = None if number % spec.epoch_length == 0 else self._votes.next(coinbase, tally)
        return self._ledger.validators_after(parent), vote

    def _finish(self, draft: Header, parent: Header, execution: BlockExecution, filling: _Filling) -> ExecutedBlock:
        write_set = execution.finish(block_reward(self._ledger, draft))
        root, nodes, accounts = apply_write_set(self._ledger.nodes, parent.state_root, write_set)
        transactions, receipts = tuple(filling.transactions), tuple(filling.receipts)
        raws = tuple([transaction.raw for transaction in transactions])
        encoded = tuple([encode_receipt(receipt) for receipt in receipts])
        header = replace(
            draft,
            state_root=root,
            transactions_root=ordered_root(raws),
            receipts_root=ordered_root(encoded),
            logs_bloom=join_blooms(receipt.logs_bloom for receipt in receipts),
            gas_used=execution.gas_used,
        )
        block = Block(header, raws, has_withdrawals=header.withdrawals_root is not None)
        write_set = replace(write_set, accounts=accounts)
        return ExecutedBlock(block, block_hash(header), transactions, receipts, encoded, write_set, nodes)
