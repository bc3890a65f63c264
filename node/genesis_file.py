"""The network of a home: its ``genesis.json``, held to the hash that its authority confirmed in ``node.toml``."""

from cocket.node.chain.spec import Genesis, parse_genesis
from cocket.node.config import Home, Settings
from cocket.node.errors import InvalidGenesis, NodeFault, Refused


def read_genesis(home: Home, settings: Settings) -> Genesis:
    """Return the chain that a home belongs to.

    :raises NodeFault: no genesis is installed.
    :raises InvalidGenesis: the file is malformed.
    :raises Refused: it is not the one that was confirmed.
    """
    try:
        genesis = parse_genesis(home.genesis.read_bytes())
    except FileNotFoundError:
        raise NodeFault(f"{home.genesis}: no genesis there; `cocket genesis confirm` installs it") from None
    except InvalidGenesis as error:
        raise InvalidGenesis(f"{home.genesis}: {error}") from error
    if settings.genesis_hash and settings.genesis_hash != "0x" + genesis.hash.hex():
        raise Refused(
            f"{home.genesis}: its hash is 0x{genesis.hash.hex()}, but this authority confirmed "
            f"{settings.genesis_hash}; put the confirmed file back"
        )
    return genesis
