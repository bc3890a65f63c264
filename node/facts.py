"""What RPC asks of the running node beside its ledger and its pool; it computes little and changes nothing."""

import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from cocket.network.enode import Enode, format_enode
from cocket.network.peers import PeerNetwork
from cocket.node.chain.ledger import Ledger
from cocket.node.consensus.validators import faults_max
from cocket.node.diagnosis import Diagnosis
from cocket.node.evidence import Evidence, EvidenceBook
from cocket.node.examination import Examination, Line
from cocket.node.neighbours import Neighbours
from cocket.node.observations import Observations
from cocket.node.roster import Roster
from cocket.node.rpc.status import PeerStatus, SyncProgress
from cocket.node.validator import Validator


def client_version() -> str:
    """Return what this node says it is, to peers and clients."""
    return f"cocket/v{version('cocket')}/{sys.platform}-{platform.machine()}/python{platform.python_version()}"


class NodeFacts:
    """The running node's ``NodeStatus``."""

    def __init__(
        self,
        network: PeerNetwork,
        neighbours: Neighbours,
        validator: Callable[[], Validator | None],
        address: bytes | None,
        host: str,
        evidence: EvidenceBook,
        *,
        name: str,
        ledger: Ledger,
        observations: Observations,
        roster: Callable[[], Roster],
        is_ready: Callable[[bytes], bool],
        data: Path,
    ) -> None:
        """Keep whom to ask; ``address`` is the validator's, ``host`` where peers reach us, ``data`` where our data lie.

        ``is_ready`` says of a node id whether its Status fits ours.
        """
        self._network = network
        self._neighbours = neighbours
        self._validator = validator
        self._address = address
        self._host = host
        self._evidence = evidence
        self._name = name
        self._ledger = ledger
        self._observations = observations
        self._roster = roster
        self._is_ready = is_ready
        self._data = data

    def client_version(self) -> str:
        """Return name, version and platform."""
        return client_version()

    def is_listening(self) -> bool:
        """Whether peers can connect."""
        return self._network.port != 0

    def peers(self) -> Sequence[PeerStatus]:
        """Return the connected peers."""
        return [
            PeerStatus(
                peer.node_id,
                peer.remote,
                peer.client_id,
                not peer.is_outbound,
                self._neighbours.height_of(peer.node_id),
            )
            for peer in self._network.status().peers
        ]

    def highest(self) -> int:
        """Return the height of the network as far as f of its peers cannot make it up."""
        validator = self._validator()
        validators = 1 if validator is None else validator.status().validators
        return self._neighbours.likely_highest(faults_max(validators))

    def sync_progress(self) -> SyncProgress | None:
        """Return the progress while catching up."""
        follow, highest = self._neighbours.status(), self.highest()
        return None if highest <= follow.head + 1 else SyncProgress(follow.start, follow.head, highest)

    def round(self) -> int | None:
        """Return the round of the height being decided, None when this node does not take part."""
        validator = self._validator()
        if validator is None:
            return None
        status = validator.status()
        return status.round if status.is_validator else None

    def address(self) -> bytes | None:
        """Return the validator address."""
        return self._address

    def enode(self) -> str | None:
        """Return where peers reach this node."""
        return (
            format_enode(Enode(self._network.node_id, self._host, self._network.port)) if self._network.port else None
        )

    def evidence(self, author: bytes | None = None) -> Iterable[Evidence]:
        """Return the evidence of equivocation kept, of one validator or of all, highest first."""
        return self._evidence.read(author)

    def diagnosis(self) -> Diagnosis:
        """Return what this node knows of why blocks come or do not."""
        validator, roster, progress = self._validator(), self._roster(), self.sync_progress()
        peers = self._network.status().peers
        examination = Examination(
            ledger=self._ledger,
            seen=self._observations,
            name=self._name,
            address=self._address,
            state=None if validator is None else validator.state,
            countries=roster.countries,
            lines={
                roster.address_of(peer.node_id): Line(peer.open_for_s, self._neighbours.height_of(peer.node_id))
                for peer in peers
                if self._is_ready(peer.node_id)
            },
            peers=len(peers),
            syncing_to=None if progress is None else progress.highest_block,
            data=self._data,
        )
        return examination.diagnosis(time.time_ns() // 1_000_000)
