"""The founding as one authority does it, on its own machine, in its node's home: record, then confirm.

Separate machines share only the parameters, the records and genesis.json. ``cocket network create`` calls these same
functions for all authorities on one machine.

The encryption key is its custodian's, not the node's: it lies in a folder and under a passphrase of its own, and of it
the founding reads the public key alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from coincurve import PrivateKey

from cocket.attestation.sealing.hpke import PublicKey
from cocket.genesis.confirmation import Confirmation, make_confirmation
from cocket.genesis.errors import CeremonyRefused
from cocket.genesis.founding import Founded, gather
from cocket.genesis.parameters import Parameters
from cocket.genesis.record import Founder, Record, make_record
from cocket.node.config import Home, Settings, format_settings
from cocket.node.encryption_key import load_public_key, new_encryption_key, save_encryption_key
from cocket.node.keystore import load_key, new_key, save_key, write_whole
from cocket.node.signer import KeySigner

KEY_NAMES = ("admin", "validator", "node")


@dataclass(frozen=True, slots=True)
class AuthorityKeys:
    """The three private keys of an authority and its node, 32 bytes each."""

    admin: bytes
    validator: bytes
    node: bytes

    def __repr__(self) -> str:
        return "AuthorityKeys(...)"


def open_keys(home: Home, passphrase: str) -> AuthorityKeys:
    """Return the authority's keys, making those that are not there yet."""
    keys: dict[str, bytes] = {}
    for name in KEY_NAMES:
        path = home.path / "keys" / f"{name}.json"
        if path.exists():
            keys[name] = load_key(path, passphrase)
        else:
            keys[name] = new_key()
            save_key(path, keys[name], passphrase)
    return AuthorityKeys(**keys)


def custodian_key(home: Home, passphrase: str) -> PublicKey:
    """Return the public key in the home's folder ``custodian``, making the key under this passphrase if need be."""
    if not home.encryption_key.exists():
        save_encryption_key(home.encryption_key, new_encryption_key(), passphrase)
    return load_public_key(home.encryption_key)


def record(
    keys: AuthorityKeys,
    custodian: PublicKey,
    parameters: Parameters,
    country: str,
    endpoint: str,
    seal_certificate: bytes = bytes(32),
) -> Record:
    """Return an authority's signed record.

    ``endpoint`` is host:port of its node, ``seal_certificate`` the SHA-256 of its seal certificate (DER).
    """
    return make_record(
        parameters,
        country,
        admin=KeySigner(keys.admin),
        validator=KeySigner(keys.validator),
        node_key=keys.node,
        endpoint=endpoint,
        encryption_key=custodian,
        seal_certificate_hash=seal_certificate,
    )


def confirm(
    home: Home,
    keys: AuthorityKeys,
    parameters: Parameters,
    records: Sequence[Record],
    genesis_json: bytes,
    settings: Settings | None = None,
) -> Confirmation:
    """Gather again from the records, compare, install genesis.json and node.toml in the home, and sign the hash.

    :raises CeremonyRefused: the file is not what the records mean, this home's keys are in no record, or the home
        belongs to another network.
    """
    founded = gather(parameters, records)
    if founded.genesis_json != genesis_json:
        raise CeremonyRefused(
            f"genesis.json: it is not what these parameters and records mean; "
            f"they give genesis 0x{founded.genesis.hash.hex()}: gather again, and do not confirm this file"
        )
    founder = own_founder(founded, keys)
    install(home, founded, founder, settings or Settings())
    return make_confirmation(founder.country, founded.genesis.hash, KeySigner(keys.admin))


def own_founder(founded: Founded, keys: AuthorityKeys) -> Founder:
    """Return the founder whose keys these are.

    :raises CeremonyRefused: no record holds all three of them.
    """
    own = (
        KeySigner(keys.admin).address,
        KeySigner(keys.validator).address,
        PrivateKey(keys.node).public_key.format(compressed=False)[1:],
    )
    for founder in founded.founders:
        if (founder.admin, founder.validator, founder.node_id) == own:
            return founder
    raise CeremonyRefused(f"keys: the admin 0x{own[0].hex()} of this home is in none of the records")


def install(home: Home, founded: Founded, founder: Founder, settings: Settings) -> None:
    """Put genesis.json and node.toml into a home.

    :raises CeremonyRefused: the home holds another genesis.
    """
    if home.genesis.exists() and home.genesis.read_bytes() != founded.genesis_json:
        raise CeremonyRefused(f"{home.genesis}: another genesis is there; use a new home for a new network")
    settings = msgspec.structs.replace(
        settings, name=settings.name or founder.country, genesis_hash="0x" + founded.genesis.hash.hex()
    )
    write_whole(home.genesis, founded.genesis_json)
    if not home.config.exists():
        write_whole(home.config, format_settings(settings).encode())
