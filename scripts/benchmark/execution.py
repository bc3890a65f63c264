"""Execution: sealed blocks from memory through the shipped importer onto a synced LevelDB, and a stored chain's import.

One core. The genesis is that of the founding, with its contracts and its permission rule; the blocks hold
``Certificates.anchor`` from 40 accredited keys. Making the blocks is not timed.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

from benchmark.progress import say
from benchmark.run import Run
from benchmark.trial import BLOCK_PERIOD_S, Chamber, Trial

from cocket.node.chain.block import Block
from cocket.node.chain.builder import Builder
from cocket.node.chain.chain_file import export_file, import_file
from cocket.node.chain.header import commit_hash, with_seals
from cocket.node.chain.importer import Importer
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.permission import PermissionRule
from cocket.node.chain.pool import Pool
from cocket.node.chain.spec import Genesis
from cocket.node.consensus.seals import sign_seal
from cocket.node.consensus.validators import proposer, quorum
from cocket.node.store.level import LevelStore

BLOCK_TRANSACTIONS = 100  # as the network makes them
BLOCKS = 30
QUICK_BLOCKS = 6
TIME_BUDGET_S = 600.0


def measure(run: Run) -> dict[str, object]:
    trial, folder = run.trial, run.folder
    blocks = sealed_blocks(trial, folder / "source", QUICK_BLOCKS if run.is_quick else BLOCKS)
    measured = blocks[1:]
    count = sum(len(block.transactions) for block in measured)
    say(f"executing {count} transactions in {len(measured)} blocks")
    with one_core(), Chain(folder / "executed", trial.genesis) as chain:
        chain.importer.import_block(blocks[0])
        seconds, cpu_seconds = -time.perf_counter(), -time.process_time()
        for block in measured:
            chain.importer.import_block(block)
        seconds += time.perf_counter()
        cpu_seconds += time.process_time()
        head = chain.ledger.head_hash
        export_file(chain.ledger, folder / "chain.rlp", first=2)
    say(f"importing a file of {len(measured)} blocks")
    with one_core(), Chain(folder / "imported", trial.genesis) as chain:
        chain.importer.import_block(blocks[0])
        import_seconds = -time.perf_counter()
        added = import_file(chain.importer, chain.ledger, folder / "chain.rlp")
        import_seconds += time.perf_counter()
        assert added == len(measured)
        assert chain.ledger.head_hash == head
    return {
        "execution_tx_per_s": round(count / seconds, 1),
        "execution_tx_per_cpu_s": round(count / cpu_seconds, 1),
        "execution_transactions": count,
        "execution_gas_per_tx": sum(block.header.gas_used for block in measured) // count,
        "import_tx_per_s": round(count / import_seconds, 1),
    }


class Chain:
    """A ledger in a folder of its own, with the importer that a node gives it."""

    def __init__(self, folder: Path, genesis: Genesis) -> None:
        self.ledger = Ledger(LevelStore(folder), genesis)
        self.permission = PermissionRule(self.ledger)
        self.importer = Importer(self.ledger, self.permission)

    def __enter__(self) -> "Chain":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.ledger.close()


def sealed_blocks(trial: Trial, folder: Path, count: int) -> list[Block]:
    """Return the block that accredits the chambers, and ``count`` blocks of their anchors."""
    say(f"building {count} blocks of {BLOCK_TRANSACTIONS} anchors")
    keys = [trial.key(home, "validator") for home in trial.homes][: quorum(len(trial.homes))]
    with Chain(folder, trial.genesis) as chain:
        pool = Pool(chain.ledger, chain.permission)
        builder = Builder(chain.ledger, chain.permission, pool, time.monotonic)

        def add(raws: list[bytes]) -> Block:
            for raw in raws:
                pool.add(raw)
            parent = chain.ledger.head
            turn = proposer(chain.ledger.validators_after(parent), parent.coinbase, 0)
            executed = builder.build(turn, parent.timestamp + BLOCK_PERIOD_S, 0, TIME_BUDGET_S)
            assert len(executed.transactions) == len(raws), f"{len(executed.transactions)} of {len(raws)} taken"
            assert all(receipt.status == 1 for receipt in executed.receipts), "a transaction failed"
            chain.importer.remember(executed)
            block = seal(executed.block, keys)
            chain.importer.import_block(block, sync=False)
            pool.on_block(executed.transactions)
            return block

        anchors = by_turns(trial.chambers(), trial.now_s)
        return [
            add(trial.accreditations()),
            *(add(list(islice(anchors, BLOCK_TRANSACTIONS))) for _ in range(count)),
        ]


def by_turns(chambers: list[Chamber], now_s: int) -> Iterator[bytes]:
    """Yield anchors of the chambers by turns, without end."""
    while True:
        for chamber in chambers:
            yield chamber.anchor(now_s)


def seal(block: Block, keys: list[bytes]) -> Block:
    digest = commit_hash(block.header)
    return replace(block, header=with_seals(block.header, [sign_seal(digest, key) for key in keys]))


@contextmanager
def one_core() -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
