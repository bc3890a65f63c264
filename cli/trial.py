"""A trial network: the founding ceremony of all authorities done on one machine, by the ceremony's own functions."""

import secrets
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cocket.attestation.sealing.hpke import PublicKey
from cocket.genesis import ceremony
from cocket.genesis.confirmation import encode_confirmation
from cocket.genesis.founding import contract_code_hashes, gather
from cocket.genesis.parameters import Parameters, encode_parameters
from cocket.genesis.record import encode_record
from cocket.node.config import Home, PeerSettings, RpcSettings, Settings
from cocket.node.keystore import read_passphrase, write_whole

LOOPBACK = "127.0.0.1"


def found(
    folder: Path,
    countries: Sequence[str],
    chain_id: int,
    block_period_s: int,
    rpc_port: int,
    peer_port: int,
    timestamp: int | None = None,
) -> bytes:
    """Found a network in a new folder and return its genesis hash; on any error the folder is as it was.

    ``timestamp`` is that of block 0, in seconds since 1970; without it the founding is now.
    """
    building = folder.with_name(folder.name + ".new")
    if building.exists():
        shutil.rmtree(building)
    building.mkdir(parents=True, mode=0o700)
    try:
        founded_at = int(time.time()) - 1 if timestamp is None else timestamp
        genesis_hash = _found(building, countries, chain_id, block_period_s, rpc_port, peer_port, founded_at)
        if folder.exists():
            folder.rmdir()
        building.rename(folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return genesis_hash


def _found(
    folder: Path,
    countries: Sequence[str],
    chain_id: int,
    block_period_s: int,
    rpc_port: int,
    peer_port: int,
    timestamp: int,
) -> bytes:
    parameters = Parameters(
        ceremony=f"trial-{chain_id}",
        chain_id=chain_id,
        countries=tuple(countries),
        timestamp=timestamp,
        contracts=contract_code_hashes(),
        block_period_seconds=block_period_s,
        request_timeout_seconds=2 * block_period_s,
    )
    parameters.validate()
    homes = {country: Home(folder / country) for country in countries}

    def passphrase_in(folder: Path) -> str:
        write_whole(folder / "passphrase", secrets.token_hex(16).encode() + b"\n")
        return read_passphrase(folder / "passphrase")

    def open_keys(country: str) -> ceremony.AuthorityKeys:
        return ceremony.open_keys(homes[country], passphrase_in(homes[country].path))

    def custodian_key(country: str) -> PublicKey:
        home = homes[country]
        return ceremony.custodian_key(home, passphrase_in(home.encryption_key.parent))

    with ThreadPoolExecutor() as threads:  # scrypt works outside the interpreter's lock
        keys = dict(zip(countries, threads.map(open_keys, countries), strict=True))
        custodians = dict(zip(countries, threads.map(custodian_key, countries), strict=True))
    endpoints = {country: f"{LOOPBACK}:{peer_port + index}" for index, country in enumerate(countries)}
    records = [
        ceremony.record(keys[country], custodians[country], parameters, country, endpoints[country])
        for country in countries
    ]
    founded = gather(parameters, records)
    (folder / "founding").mkdir()
    write_whole(folder / "founding" / "parameters.json", encode_parameters(parameters), 0o644)
    write_whole(folder / "founding" / "genesis.json", founded.genesis_json, 0o644)
    for index, (country, record) in enumerate(zip(countries, records, strict=True)):
        settings = Settings(
            name=country,
            rpc=RpcSettings(port=rpc_port + index),
            peers=PeerSettings(host=LOOPBACK, port=peer_port + index),
        )
        confirmation = ceremony.confirm(
            homes[country], keys[country], parameters, records, founded.genesis_json, settings
        )
        write_whole(folder / "founding" / f"{country}.record.json", encode_record(record), 0o644)
        write_whole(folder / "founding" / f"{country}.confirmation.json", encode_confirmation(confirmation), 0o644)
    return founded.genesis.hash
