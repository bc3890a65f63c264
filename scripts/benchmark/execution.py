"""Execution: sealed blocks from memory through the shipped importer onto a synced LevelDB, and a stored chain's import.

One core. The genesis is that of the founding, with its contracts and its permission rule; the blocks hold
``Certificates.anchor`` from 40 accredited keys. Making the blocks is not timed.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from benchmark.chain import Chain, Maker, by_turns
from benchmark.progress import say
from benchmark.run import Run
from benchmark.trial import Trial

from cocket.node.chain.block import Block
from cocket.node.chain.chain_file import export_file, import_file

BLOCK_TRANSACTIONS = 100  # as the network makes them
BLOCKS = 30
QUICK_BLOCKS = 6


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


def sealed_blocks(trial: Trial, folder: Path, count: int) -> list[Block]:
    """Return the block that accredits the chambers, and ``count`` blocks of their anchors."""
    say(f"building {count} blocks of {BLOCK_TRANSACTIONS} anchors")
    with Chain(folder, trial.genesis) as chain:
        maker = Maker(chain, trial)
        anchors = by_turns(trial.chambers(), trial.now_s)
        return [
            maker.add(trial.accreditations()),
            *(maker.add(list(islice(anchors, BLOCK_TRANSACTIONS))) for _ in range(count)),
        ]


@contextmanager
def one_core() -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
