"""Homes with cheap key files, so that a test of the founding spends no time in scrypt."""

import json
from pathlib import Path

from eth_account import Account

from cocket.attestation.sealing.hpke import PrivateKey, PublicKey, Suite
from cocket.genesis import ceremony
from cocket.genesis.founding import contract_code_hashes
from cocket.genesis.parameters import Parameters
from cocket.node.config import Home
from cocket.node.encryption_key import save_encryption_key

PASSPHRASE = "a passphrase of the tests"


def make_home(folder: Path, country: str) -> Home:
    """Return a home whose three keys are encrypted with one round of PBKDF2, and its custodian's with next to none."""
    home = Home(folder / country)
    keys = home.path / "keys"
    keys.mkdir(parents=True)
    for index, name in enumerate(ceremony.KEY_NAMES):
        key = bytes([7]) * 29 + country.encode() + bytes([index])
        (keys / f"{name}.json").write_text(json.dumps(Account.encrypt(key, PASSPHRASE, kdf="pbkdf2", iterations=1)))
    custodian = PrivateKey(Suite.HYBRID, bytes([7]) * 29 + country.encode() + bytes([3]))
    save_encryption_key(home.encryption_key, custodian, PASSPHRASE, work=2)
    return home


def custodian_of(home: Home) -> PublicKey:
    """Return the public key of a home's custodian."""
    return ceremony.custodian_key(home, PASSPHRASE)


def make_parameters(*countries: str) -> Parameters:
    """Return parameters for these countries, at a fixed time."""
    return Parameters(
        ceremony="test",
        chain_id=20261,
        countries=tuple(sorted(countries)),
        timestamp=1_760_000_000,
        contracts=contract_code_hashes(),
    )
