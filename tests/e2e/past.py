"""A past for a trial network: blocks made and sealed in this process, put into homes before their nodes start."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from e2e.trial import Trial

from cocket.node.chain.builder import Builder
from cocket.node.chain.header import commit_hash, with_seals
from cocket.node.chain.importer import Importer
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.permission import PermissionRule
from cocket.node.chain.pool import Pool
from cocket.node.consensus.seals import sign_seal
from cocket.node.consensus.validators import proposer, quorum
from cocket.node.store.home import make_private
from cocket.node.store.level import LevelStore

BUILD_S = 60.0
TRANSACTIONS = 2  # at most in a block; every third is empty


def give_past(trial: Trial, folder: Path, blocks: int, countries: Sequence[str]) -> None:
    """Make so many blocks of a second each, and put the chain into the homes of these authorities.

    Their journals begin beside it, so the nodes must be started with ``--trust-journal``.
    """
    ledger = Ledger(LevelStore(folder), trial.founded.genesis)
    permission = PermissionRule(ledger)
    pool = Pool(ledger, permission)
    builder = Builder(ledger, permission, pool, time.monotonic)
    importer = Importer(ledger, permission)
    keys = [trial.keys[country].validator for country in trial.keys]
    for number in range(1, blocks + 1):
        for _ in range(number % (TRANSACTIONS + 1)):
            pool.add(trial.transfer()[0])
        parent = ledger.head
        turn = proposer(ledger.validators_after(parent), parent.coinbase, 0)
        executed = builder.build(turn, parent.timestamp + 1, 0, BUILD_S)
        importer.remember(executed)
        digest = commit_hash(executed.block.header)
        seals = [sign_seal(digest, key) for key in keys[: quorum(len(keys))]]
        header = with_seals(executed.block.header, seals)
        importer.import_block(replace(executed.block, header=header), sync=False)
        pool.on_block(executed.transactions)
    ledger.close()
    for country in countries:
        data = trial.homes[country].data
        make_private(data)
        shutil.copytree(folder, data / "chain")
