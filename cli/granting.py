"""From files of grants, orders and delegations to what a reader shows the contract, for the ledger that is asked."""

from dataclasses import replace
from pathlib import Path

from cocket.attestation.errors import InvalidFile
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.grant_file import FILE_BYTES_MAX, Delegated, Grant, Network, decode_opening
from cocket.contracts import access
from cocket.contracts.access import Claim, encode_claim


def network_of(client: NodeClient) -> Network:
    """Return the ledger that a node is on, with the Access contract of its founding."""
    return Network(client.chain_id(), client.genesis_hash(), access.ADDRESS)


def load_claim(path: Path | None, delegation: Path | None = None, *, network: Network) -> bytes:
    """Return what a reader shows the contract, as its bytes: the grant or order in one file, its delegation in another.

    Empty when it has neither: it reads by right, or what it controls.

    :raises CommandError: a file is none of these, or of another network.
    """
    if path is None and delegation is None:
        return b""
    claim = Claim()
    if path is not None:
        grant = load_grant(path, network)
        claim = Claim(grant.scope, officers=grant.officers)
    if delegation is not None:
        claim = replace(claim, delegation=load_delegation(delegation, network).delegation)
    return encode_claim(claim)


def load_grant(path: Path, network: Network) -> Grant:
    """Return the grant or order in a file.

    :raises CommandError: it holds neither, or one of another network.
    """
    found = load_opening(path, network)
    if isinstance(found, Grant):
        return found
    raise CommandError(f"{path}: a delegation, which opens nothing by itself; expected a grant or an order", Exit.USAGE)


def load_delegation(path: Path, network: Network) -> Delegated:
    """Return the delegation in a file.

    :raises CommandError: it holds none, or one of another network.
    """
    found = load_opening(path, network)
    if isinstance(found, Delegated):
        return found
    raise CommandError(f"{path}: found {found.what}; expected a delegation", Exit.USAGE)


def load_opening(path: Path, network: Network) -> Grant | Delegated:
    """Return what a file holds, by its ``format``.

    :raises CommandError: it is no such file, or of another network.
    """
    data = read_bounded(path, FILE_BYTES_MAX)
    try:
        found = decode_opening(data)
    except InvalidFile as error:
        raise CommandError(f"{path}: {error}", Exit.USAGE) from None
    require_network(path, found.network, network)
    return found


def require_network(path: Path, found: Network, network: Network) -> None:
    """Refuse a file of another network than the one that is asked, which it would mean nothing to.

    :raises CommandError: it is.
    """
    if found != network:
        raise CommandError(
            f"{path}: of chain {found.chain_id}, genesis 0x{found.genesis_hash.hex()}, Access "
            f"0x{found.access.hex()}; expected chain {network.chain_id}, genesis "
            f"0x{network.genesis_hash.hex()}, Access 0x{network.access.hex()}",
            Exit.REFUSED,
        )
