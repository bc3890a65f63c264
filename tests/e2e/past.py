"""A past for a trial network: blocks made and sealed in this process, put into homes before their nodes start."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from e2e.trial import Trial
from ledger.chains import SignedChain

from cocket.node.store.home import make_private
from cocket.node.store.level import LevelStore

TRANSACTIONS = 2  # at most in a block; every third is empty


def give_past(trial: Trial, folder: Path, blocks: int, countries: Sequence[str]) -> None:
    """Make so many blocks of a second each, and put the chain into the homes of these authorities.

    Their journals begin beside it, so the nodes must be started with ``--trust-journal``.
    """
    validators = [keys.validator for keys in trial.keys.values()]
    chain = SignedChain(trial.founded.genesis, validators, LevelStore(folder))
    for number in range(1, blocks + 1):
        chain.extend(*[trial.transfer()[0] for _ in range(number % (TRANSACTIONS + 1))])
    chain.ledger.close()
    for country in countries:
        data = trial.homes[country].data
        make_private(data)
        shutil.copytree(folder, data / "chain")
