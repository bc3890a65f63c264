"""Homes with cheap key files, so that a test of the founding spends no time in scrypt."""

import json
from pathlib import Path

from eth_account import Account

from cocket.genesis import ceremony
from cocket.genesis.founding import contract_code_hashes
from cocket.genesis.parameters import Parameters
from cocket.node.config import Home

PASSPHRASE = "a passphrase of the tests"


def make_home(folder: Path, country: str) -> Home:
    """Return a home whose four keys are made and encrypted with one round of PBKDF2."""
    home = Home(folder / country)
    keys = home.path / "keys"
    keys.mkdir(parents=True)
    for index, name in enumerate(ceremony.KEY_NAMES):
        key = bytes([7]) * 29 + country.encode() + bytes([index])
        (keys / f"{name}.json").write_text(json.dumps(Account.encrypt(key, PASSPHRASE, kdf="pbkdf2", iterations=1)))
    return home


def make_parameters(*countries: str) -> Parameters:
    """Return parameters for these countries, at a fixed time."""
    return Parameters(
        ceremony="test",
        chain_id=20261,
        countries=tuple(sorted(countries)),
        timestamp=1_760_000_000,
        contracts=contract_code_hashes(),
    )
