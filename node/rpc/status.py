"""What RPC asks of the running node beside its ledger and its pool: peers, round, progress, version.

The node's service implements ``NodeStatus``; ``StandaloneStatus`` is a node without peers. It never computes a fact.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cocket.node.diagnosis import Diagnosis
from cocket.node.evidence import Evidence


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """How far a node that is catching up has come."""

    starting_block: int
    """The height at which it began."""
    current_block: int
    """Its height now."""
    highest_block: int
    """The greatest height that a peer has told of."""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One connected peer."""

    node_id: bytes
    """Its 64-byte public node key."""
    endpoint: str
    """Its address and port."""
    client: str
    """What it says that it is."""
    is_inbound: bool
    """Whether it connected to us."""
    height: int | None = None
    """The greatest height that it has told of."""


class NodeStatus(Protocol):
    """The facts that only the running node knows. All are quick, and asked on the event loop."""

    def client_version(self) -> str:
        """The name, version and platform of this node (web3_clientVersion)."""
        ...

    def is_listening(self) -> bool:
        """Whether peers can connect."""
        ...

    def peers(self) -> Sequence[PeerStatus]:
        """The connected peers."""
        ...

    def sync_progress(self) -> SyncProgress | None:
        """The progress while the node is catching up, None once it is level with its peers."""
        ...

    def round(self) -> int | None:
        """The round of the height being decided, None when this node does not take part."""
        ...

    def address(self) -> bytes | None:
        """This node's validator address, None when it has no validator key."""
        ...

    def enode(self) -> str | None:
        """Where peers reach this node, None without a network."""
        ...

    def evidence(self, author: bytes | None = None) -> Iterable[Evidence]:
        """The evidence of equivocation kept, of one validator or of all, highest first; asked on any thread."""
        ...

    def diagnosis(self) -> Diagnosis | None:
        """What this node knows of why blocks come or do not, None without a network."""
        ...


@dataclass(frozen=True, slots=True)
class StandaloneStatus:
    """The status of a node that has no peers: a single validator, a tool, or a test."""

    version: str = "Cocket"
    validator: bytes | None = None
    connected: tuple[PeerStatus, ...] = ()
    progress: SyncProgress | None = None
    kept: tuple[Evidence, ...] = ()

    def client_version(self) -> str:
        """The version that was given."""
        return self.version

    def is_listening(self) -> bool:
        """False: nobody can connect."""
        return False

    def peers(self) -> Sequence[PeerStatus]:
        """The peers that were given."""
        return self.connected

    def sync_progress(self) -> SyncProgress | None:
        """The progress that was given."""
        return self.progress

    def round(self) -> int | None:
        """Round 0 where there is a validator: alone it never needs another."""
        return None if self.validator is None else 0

    def address(self) -> bytes | None:
        """The validator that was given."""
        return self.validator

    def enode(self) -> str | None:
        """None: there is no network."""
        return None

    def evidence(self, author: bytes | None = None) -> Iterable[Evidence]:
        """The evidence that was given."""
        return [found for found in self.kept if author in (None, found.author)]

    def diagnosis(self) -> Diagnosis | None:
        """None: there is nobody to look at."""
        return None
