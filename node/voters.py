"""The sessions that carry votes, by the validator behind each: the validator's transport.

An authority may have several nodes; a validator counts as connected while one of them is. It knows no vote.
"""

from collections.abc import Callable

from cocket.network.session import Session
from cocket.node.protocols import istanbul


class Voters:
    """Sessions by validator address; ``connected`` and ``disconnected`` hear of the first and the last of each."""

    def __init__(self, connected: Callable[[bytes], None], disconnected: Callable[[bytes], None]) -> None:
        self._connected = connected
        self._disconnected = disconnected
        self._sessions: dict[bytes, dict[bytes, Session]] = {}

    def add(self, address: bytes, session: Session) -> None:
        """Take a session of a validator; one without the capability for votes is passed over."""
        if istanbul.NAME not in session.capabilities:
            return
        sessions = self._sessions.setdefault(address, {})
        is_first = not sessions
        sessions[session.node_id] = session
        if is_first:
            self._connected(address)

    def remove(self, session: Session) -> None:
        """Forget a session, under whatever address it stands."""
        for address, sessions in tuple(self._sessions.items()):
            if sessions.get(session.node_id) is session:
                del sessions[session.node_id]
                if not sessions:
                    del self._sessions[address]
                    self._disconnected(address)

    def remove_moved(self, address_of: Callable[[bytes], bytes]) -> None:
        """Forget the sessions behind which another validator stands now; ``address_of`` takes a node id."""
        for address, sessions in tuple(self._sessions.items()):
            for session in tuple(sessions.values()):
                if address_of(session.node_id) != address:
                    self.remove(session)

    def node_ids(self, address: bytes) -> tuple[bytes, ...]:
        """Return the connected nodes of a validator."""
        return tuple(self._sessions.get(address, {}))

    def send(self, address: bytes, code: int, payload: bytes) -> None:
        """Send a consensus message to a validator's nodes; what cannot be sent is dropped, for it is sent again."""
        for session in tuple(self._sessions.get(address, {}).values()):
            session.send(istanbul.NAME, code, payload)
