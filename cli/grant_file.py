"""Files that open what stands on the ledger as a hash: grants, delegations and orders. (``docs/formats.md``.)

The one place that knows how they look. Whoever has one knows who may read what, so they are mode 0600 and go to the
reader alone. Decoding is strict and bounded. Never asks a ledger: whether a commitment stands there is its business.
"""

from dataclasses import dataclass, replace

from cocket.attestation.canonical import INTEGER_MAX, encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.finding import shown
from cocket.attestation.members import Members, hexadecimal, read_json
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.signature import ADDRESS_BYTES, SIGNATURE_BYTES, recover
from cocket.cli.scope_file import delegation_json, delegation_of, period_of, scope_json, scope_of
from cocket.contracts import access
from cocket.contracts.access import Delegation, OrderSignature, Scope, ScopeKind

GRANT_FORMAT = "cocket-grant-1"
DELEGATION_FORMAT = "cocket-delegation-1"
ORDER_FORMAT = "cocket-order-1"
FILE_BYTES_MAX = 16 << 10
"""An order with both signatures and all groups, purposes and kinds has 3 KiB."""
OFFICERS_MAX = 2
_V_FIRST = 27


@dataclass(frozen=True, slots=True)
class Network:
    """The ledger and the Access contract that a file speaks of."""

    chain_id: int
    genesis_hash: bytes
    access: bytes


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant, an engagement's grant or an order as its file holds it; ``officers`` are an order's."""

    network: Network
    scope: Scope
    valid_from: int
    valid_to: int
    officers: tuple[OrderSignature, ...] = ()

    @property
    def commitment(self) -> bytes:
        """Return the hash under which it stands on the ledger."""
        return access.grant_commitment(self.network.chain_id, self.scope, self.network.access)

    @property
    def what(self) -> str:
        """Return what people call it."""
        return self.scope.kind.name.lower()

    def signed(self, officer: OrderSignature) -> "Grant":
        """Return an order with one more officer's signature."""
        return replace(self, officers=(*self.officers, officer))


@dataclass(frozen=True, slots=True)
class Delegated:
    """A delegation as its file holds it."""

    network: Network
    delegation: Delegation
    valid_from: int
    valid_to: int

    @property
    def commitment(self) -> bytes:
        """Return the hash under which it stands on the ledger."""
        return access.delegation_commitment(self.network.chain_id, self.delegation, self.network.access)

    @property
    def what(self) -> str:
        """Return what people call it."""
        return "delegation"


def encode_opening(opening: Grant | Delegated) -> bytes:
    """Return the file of a grant, an order or a delegation."""
    network = opening.network
    members: dict[str, object] = {
        "chain_id": network.chain_id,
        "genesis_hash": hexadecimal(network.genesis_hash),
        "access": hexadecimal(network.access),
        "valid_from": opening.valid_from,
        "valid_to": opening.valid_to,
    }
    if isinstance(opening, Delegated):
        members |= {"format": DELEGATION_FORMAT, "delegation": delegation_json(opening.delegation)}
    elif opening.scope.kind is ScopeKind.ORDER:
        officers = [_officer_json(officer) for officer in opening.officers]
        members |= {"format": ORDER_FORMAT, "scope": scope_json(opening.scope), "officers": officers}
    else:
        members |= {"format": GRANT_FORMAT, "scope": scope_json(opening.scope)}
    return encode_json(members) + b"\n"


_HEAD = ("format", "chain_id", "genesis_hash", "access", "valid_from", "valid_to")
_NAMES = {
    GRANT_FORMAT: (*_HEAD, "scope"),
    DELEGATION_FORMAT: (*_HEAD, "delegation"),
    ORDER_FORMAT: (*_HEAD, "scope", "officers"),
}


FORMATS = tuple(_NAMES)


def decode_opening(data: bytes) -> Grant | Delegated:
    """Return what a file's bytes hold; InvalidFile when they are no grant, delegation or order."""
    node = read_json(data, FILE_BYTES_MAX, "grant, delegation or order")
    name = node.get("format") if isinstance(node, dict) else None
    if not isinstance(name, str) or name not in _NAMES:
        raise InvalidFile(f"found format {shown(name)}; expected {', '.join(_NAMES)}")
    members = Members(node, "", _NAMES[name])
    network = Network(
        members.number("chain_id", INTEGER_MAX + 1),
        members.octets("genesis_hash", HASH_BYTES),
        members.octets("access", ADDRESS_BYTES),
    )
    period = period_of(members, "valid_from", "valid_to")
    if name == DELEGATION_FORMAT:
        return Delegated(network, delegation_of(members.node["delegation"], "/delegation"), *period)
    scope = scope_of(members.node["scope"], is_order=name == ORDER_FORMAT)
    grant = Grant(network, scope, *period)
    if name != ORDER_FORMAT:
        return grant
    digest = access.order_digest(grant.commitment)
    officers = members.several("officers", OFFICERS_MAX, lambda node, place: _officer(node, place, digest))
    if len({officer.delegation.officer for officer in officers}) != len(officers):
        raise InvalidFile("at /officers: found one officer twice; expected two")
    return replace(grant, officers=officers)


def _officer_json(officer: OrderSignature) -> dict[str, object]:
    signature = officer.signature[:64] + bytes((_V_FIRST + officer.signature[64],))
    return {"delegation": delegation_json(officer.delegation), "signature": hexadecimal(signature)}


def _officer(node: object, place: str, digest: bytes) -> OrderSignature:
    """Return an officer's signature; InvalidFile when it is not that officer's over this order."""
    members = Members(node, place, ("delegation", "signature"))
    delegation = delegation_of(members.node["delegation"], f"{place}/delegation")
    signature = members.octets("signature", SIGNATURE_BYTES)
    signer = recover(digest, signature)
    if signer != delegation.officer:
        raise members.refusal("signature", f"the officer's, 0x{delegation.officer.hex()}, over this order")
    return OrderSignature(delegation, signature[:64] + bytes((signature[64] - _V_FIRST,)))
