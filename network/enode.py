"""A node's address as people write it: enode://<128 hex digits>@host:port.

The only place that parses or prints it. It resolves no names and dials nothing.
"""

import re
from dataclasses import dataclass

from cocket.network.ecies import public_key_from_id
from cocket.network.errors import EnodeInvalid, PeerFault

_FORM = re.compile(
    r"enode://(?P<id>[0-9a-fA-F]{128})@(?P<host>\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):(?P<port>[0-9]{1,5})"
    r"(?:\?discport=[0-9]{1,5})?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Enode:
    """Where a node listens and the 64-byte key it must prove there; `host` is a name or an address (no brackets)."""

    node_id: bytes
    host: str
    port: int


def parse_enode(text: str) -> Enode:
    """Return the node an enode URL names; EnodeInvalid says what is wrong. A `discport` is allowed and ignored."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise EnodeInvalid(f"{text[:200]!r} is not enode://<128 hex digits>@host:port")
    port = int(match["port"])
    if not 0 < port < 65536:
        raise EnodeInvalid(f"port {port} of {text[:200]!r} is not within 1..65535")
    node_id = bytes.fromhex(match["id"])
    try:
        public_key_from_id(node_id)
    except PeerFault as error:
        raise EnodeInvalid(f"the key of {text[:200]!r} is not a point of secp256k1") from error
    return Enode(node_id, match["host"].strip("[]"), port)


def format_enode(enode: Enode) -> str:
    """Return the enode URL of a node."""
    host = f"[{enode.host}]" if ":" in enode.host else enode.host
    return f"enode://{enode.node_id.hex()}@{host}:{enode.port}"
