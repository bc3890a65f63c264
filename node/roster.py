"""Who may connect, and which validator stands behind a node: what ``Consortium`` says at the head.

The only reader of the contract's roster. A chain without that contract has the operator's static peers alone, and a
node's validator address is then that of its node key, as Besu has it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from cocket.contracts import consortium
from cocket.contracts.abi import View
from cocket.contracts.errors import ContractError
from cocket.network.enode import Enode, parse_enode
from cocket.network.errors import EnodeInvalid
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import Header
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.vm import CallRequest, call
from cocket.node.errors import Refused

T = TypeVar("T")

CALL_GAS = 5_000_000
CALL_DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class Roster:
    """Nodes by node id (64 bytes): where they listen, and the validator address (20 bytes) behind each."""

    version: int = -1
    enodes: dict[bytes, Enode] = field(default_factory=dict)
    validators: dict[bytes, bytes] = field(default_factory=dict)
    countries: dict[bytes, str] = field(default_factory=dict)
    """Country by validator address, for people."""

    def address_of(self, node_id: bytes) -> bytes:
        """Return the validator address behind a node."""
        return self.validators.get(node_id) or keccak256(node_id)[12:]


def read_roster(ledger: Ledger, known: Roster, at: Header | None = None) -> Roster:
    """Return the roster at the head, or after another final block; the known one when it has not changed.

    :raises Refused: the contract does not answer as it should.
    """
    header = at or ledger.head
    if not ledger.genesis.spec.has_asked(consortium.ADDRESS, header.number + 1):
        return known
    try:
        version = _ask(ledger, header, consortium.roster_version())
        return known if version == known.version else _read(ledger, header, version)
    except ContractError as error:
        raise Refused(f"Consortium: {error}") from error


def _ask(ledger: Ledger, header: Header, view: View[T]) -> T:
    request = CallRequest(to=consortium.ADDRESS, data=view.data, gas=CALL_GAS)
    result = call(ledger.context(header), ledger.state(header), request, CALL_DEADLINE_S)
    if result.error is not None:
        raise Refused(f"Consortium: a call at block {header.number} failed: {result.error}")
    return view.decode(result.output)


def _read(ledger: Ledger, header: Header, version: int) -> Roster:
    roster = Roster(version)
    for number in range(1, _ask(ledger, header, consortium.authority_count()) + 1):
        authority = _ask(ledger, header, consortium.authority(number))
        if authority.status is not consortium.Status.ACTIVE:
            continue
        try:
            keys = _ask(ledger, header, consortium.keys(authority.keys_id))
        except ContractError:
            continue  # one authority's nonsense must not hide the others
        roster.countries[keys.validator] = authority.country
        for enode in _enodes(keys.nodes):
            roster.enodes[enode.node_id] = enode
            roster.validators[enode.node_id] = keys.validator
    return roster


def _enodes(nodes: tuple[consortium.Node, ...]) -> Iterator[Enode]:
    """Yield the nodes that can be dialled; the contract does not know what an address is."""
    for node in nodes:
        try:
            yield parse_enode(f"enode://{node.node_id.hex()}@{node.endpoint}")
        except EnodeInvalid:
            continue
