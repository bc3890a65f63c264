"""A chain made in this process: blocks of a trial's network, sealed with its validators' keys, as fast as it goes."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmark.trial import BLOCK_PERIOD_S, Chamber, Trial

from cocket.node.chain.block import Block
from cocket.node.chain.builder import Builder
from cocket.node.chain.header import commit_hash, with_seals
from cocket.node.chain.importer import Importer
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.permission import PermissionRule
from cocket.node.chain.pool import Pool
from cocket.node.chain.spec import Genesis
from cocket.node.consensus.seals import sign_seal
from cocket.node.consensus.validators import proposer, quorum
from cocket.node.store.level import LevelStore

TIME_BUDGET_S = 600.0


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


class Maker:
    """Makes the next blocks of a chain: each proposed by the one whose turn it is, sealed by a quorum."""

    def __init__(self, chain: Chain, trial: Trial) -> None:
        self._chain = chain
        self._pool = Pool(chain.ledger, chain.permission)
        self._builder = Builder(chain.ledger, chain.permission, self._pool, time.monotonic)
        self._keys = [trial.key(home, "validator") for home in trial.homes][: quorum(len(trial.homes))]

    def add(self, raws: Sequence[bytes]) -> Block:
        """Return the next block, of these transactions; it is in the chain."""
        ledger = self._chain.ledger
        for raw in raws:
            self._pool.add(raw)
        parent = ledger.head
        turn = proposer(ledger.validators_after(parent), parent.coinbase, 0)
        executed = self._builder.build(turn, parent.timestamp + BLOCK_PERIOD_S, 0, TIME_BUDGET_S)
        assert len(executed.transactions) == len(raws), f"{len(executed.transactions)} of {len(raws)} taken"
        assert all(receipt.status == 1 for receipt in executed.receipts), "a transaction failed"
        self._chain.importer.remember(executed)
        block = seal(executed.block, self._keys)
        self._chain.importer.import_block(block, sync=False)
        self._pool.on_block(executed.transactions)
        return block


def by_turns(chambers: list[Chamber], now_s: int) -> Iterator[bytes]:
    """Yield anchors of the chambers by turns, without end."""
    while True:
        for chamber in chambers:
            yield chamber.anchor(now_s)


def seal(block: Block, keys: list[bytes]) -> Block:
    digest = commit_hash(block.header)
    return replace(block, header=with_seals(block.header, [sign_seal(digest, key) for key in keys]))
