"""The operator's votes on validators, as Besu names them: propose, discard, and those that are pending.

This part alone says who may vote and when: only where headers carry the validators, only at a node with a validator's
key, and only while RPC listens on a loopback address, because there is no password on it and a vote is the operator's.
It never casts a vote: the builder does, in the blocks that this node proposes.
"""

import ipaddress
from collections.abc import Callable

from cocket.node.chain.hashing import ZERO_ADDRESS
from cocket.node.chain.pending_votes import PendingVotes
from cocket.node.rpc.backend import Backend
from cocket.node.rpc.encoding import data, parse_address, parse_bool
from cocket.node.rpc.errors import InvalidParams, MethodNotSupported
from cocket.node.rpc.jsonrpc import Method, Parameter


class VoteMethods:
    """Votes to add or drop validators, for chains whose headers carry them.

    ``host`` is where RPC listens; ``on_vote`` is told of each vote proposed (True to add, False to drop) or discarded
    (None).
    """

    def __init__(
        self, backend: Backend, votes: PendingVotes, host: str, on_vote: Callable[[bytes, bool | None], None]
    ) -> None:
        self._backend = backend
        self._votes = votes
        self._host = host
        self._on_vote = on_vote

    def methods(self) -> tuple[Method, ...]:
        """Give the methods by their names."""
        address = Parameter("validator", parse_address)
        return (
            Method("qbft_proposeValidatorVote", self.propose, (address, Parameter("add", parse_bool))),
            Method("qbft_discardValidatorVote", self.discard, (address,)),
            Method("qbft_getPendingVotes", self.pending),
        )

    def propose(self, address: bytes, is_add: bool) -> bool:
        """Vote for adding (true) or dropping (false) a validator, in place of an earlier vote about it; true."""
        self._check_mode()
        self._check_operator()
        if self._backend.status.address() is None:
            raise MethodNotSupported(
                "this node has no validator's key: it proposes no block that could carry a vote; ask a validator's"
            )
        if address == ZERO_ADDRESS:
            raise InvalidParams("validator: found the zero address, whose key nobody has")
        self._votes.propose(address, is_add)
        self._on_vote(address, is_add)
        return True

    def discard(self, address: bytes) -> bool:
        """Take back a vote, if there is one; what is in a block already stays there. True."""
        self._check_mode()
        self._check_operator()
        self._votes.discard(address)
        self._on_vote(address, None)
        return True

    def pending(self) -> dict[str, bool]:
        """The votes that this node casts in its blocks by address: true to add, false to drop."""
        self._check_mode()
        return {data(address): is_add for address, is_add in self._votes.all().items()}

    def _check_mode(self) -> None:
        """Refuse where a contract decides the validators of the next block."""
        number = self._backend.head.number + 1
        contract = self._backend.ledger.genesis.spec.rules_at(number).validator_contract
        if contract is not None:
            raise MethodNotSupported(
                f"the contract {data(contract)} decides the validators of block {number}, not votes in headers: "
                "see cocket authority propose"
            )

    def _check_operator(self) -> None:
        if not _is_loopback(self._host):
            raise MethodNotSupported(
                f"JSON-RPC listens on {self._host}, where others may reach it without a password: a vote is taken only "
                "while rpc.host is a loopback address such as 127.0.0.1"
            )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
