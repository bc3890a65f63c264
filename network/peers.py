"""The peers of this node: who is known, who is connected, who is dialled next.

The only place that decides whether a session with some node may exist. Only known nodes: `is_allowed` is asked in the
handshake the moment the other end's key is known, and again for all whenever the list changes. It logs nothing (every
happening goes to `on_event`), knows no block and no vote, and holds everything others can fill within a bound.

Two nodes that dial each other at once would have two sessions; both ends keep the one dialled by the smaller node id.
"""

import asyncio
import os
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from coincurve import PrivateKey

from cocket.network.allowance import Allowance
from cocket.network.connection import MESSAGE_BYTES_MAX, Connection, LocalNode, Message
from cocket.network.dialler import Dialler, DialLimits
from cocket.network.ecies import Entropy
from cocket.network.enode import Enode
from cocket.network.errors import DisconnectReason, PeerFault, TransportFault
from cocket.network.gate import Gate, GateLimits
from cocket.network.hello import Capability
from cocket.network.report import EventKind, NetworkEvent, NetworkStatus, PeerStatus
from cocket.network.session import Ending, Session, SessionLimits
from cocket.network.tcp import TcpTransport
from cocket.network.transport import Listener, Stream, Transport

__all__ = ["EventKind", "NetworkEvent", "NetworkLimits", "NetworkStatus", "PeerNetwork", "PeerStatus"]


@dataclass(frozen=True, slots=True)
class NetworkLimits:
    """What the peer network may take, each with its reason."""

    sessions_max: int = 128
    """Open sessions: twice the customs authorities one could think of, with followers."""
    inbound_handshakes_max: int = 32
    """Inbound streams before Hello. One more, and the oldest goes of the address that has most, one where a known node
    is last of all: it needs two round trips, so a crowd of silent strangers cannot keep it out. (A claimed node id
    proves nothing before Hello.)"""
    gate: GateLimits = field(default_factory=GateLimits)
    inbound_sessions_burst: int = 20
    """Sessions that one node may open at once: a service that its supervisor starts again and again for a while."""
    inbound_sessions_per_s: float = 0.2
    """Likewise in the long run: an honest node's own dialling slows down to one in some ten seconds."""
    breach_hold_off_s: float = 30.0
    """A node that broke the protocol in an open session is not let in again for so long."""
    hold_off_max_s: float = 120.0
    """Who breaks it again stays away twice as long, up to this: long for who does harm, short for who has a fault."""
    hold_off_memory_s: float = 600.0
    """After so long without a breach the next one counts as the first."""
    dial: DialLimits = field(default_factory=DialLimits)
    message_bytes_max: int = MESSAGE_BYTES_MAX


def _ignore_event(event: NetworkEvent) -> None:
    """The `on_event` of those who do not listen."""


class PeerNetwork:
    """All sessions of this node. `start`, feed it the known nodes with `update_known`, `close` at the end.

    `on_session` and `on_closed` are called in pairs, `on_message` only between them; all three run in the event
    loop and must not block. A handler may raise PeerFault to end the session with its reason; anything else it raises
    ends the session too and goes on to the loop's exception handler.
    """

    def __init__(
        self,
        node_key: bytes,
        client_id: str,
        capabilities: Iterable[tuple[str, int, int]],
        listen: tuple[str, int] | None,
        is_allowed: Callable[[bytes], bool],
        *,
        on_session: Callable[[Session], None],
        on_message: Callable[[Session, str, int, bytes], None],
        on_closed: Callable[[Session, Ending], None],
        on_event: Callable[[NetworkEvent], None] = _ignore_event,
        transport: Transport | None = None,
        limits: NetworkLimits | None = None,
        session_limits: SessionLimits | None = None,
        entropy: Entropy = os.urandom,
        rng: random.Random | None = None,
    ) -> None:
        self._key = PrivateKey(node_key)
        self._client_id = client_id
        self._capabilities = tuple(Capability(*capability) for capability in capabilities)
        self._listen = listen
        self._is_allowed = is_allowed
        self._on_session = on_session
        self._on_message = on_message
        self._on_closed = on_closed
        self._on_event = on_event
        self._transport = transport or TcpTransport()
        self._limits = limits or NetworkLimits()
        self._session_limits = session_limits or SessionLimits()
        self._entropy = entropy
        self._rng = rng or random.Random()
        self._listener: Listener | None = None
        self._diallers: dict[bytes, Dialler] = {}
        self._sessions: dict[bytes, Session] = {}
        self._unopened: dict[Session, None] = {}
        self._streams: set[Session] = set()
        self._held_off_until_s: dict[bytes, float] = {}
        self._breaches: dict[bytes, tuple[int, float, float]] = {}
        self._openings: dict[bytes, Allowance] = {}
        self._gate = Gate(self._limits.gate, asyncio.get_running_loop().time())
        self._counts = dict.fromkeys(EventKind, 0)
        self._is_started = self._is_closing = False
        self._local = self._local_node(0)
        self.node_id: bytes = self._local.node_id

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen, if an address was given, and begin to dial; TransportFault when the address cannot be had."""
        if self._listen is not None:
            self._listener = await self._transport.listen(*self._listen, self._upon_stream)
            self._local = self._local_node(self._listener.port)
            self._tell(EventKind.LISTENING, f"{self._listen[0]}:{self._listener.port}", self.node_id, "")
        self._is_started = True
        for dialler in self._diallers.values():
            dialler.start()

    async def close(self) -> None:
        """Stop listening and dialling, say goodbye to all, and wait until the streams are gone."""
        self._is_closing = True
        if self._listener is not None:
            await self._listener.close()
        tasks = [task for dialler in self._diallers.values() if (task := dialler.stop()) is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        for session in (*self._sessions.values(), *self._unopened):
            session.disconnect(DisconnectReason.CLIENT_QUITTING, "this node stops")
        for session in tuple(self._streams):
            await session.closed.wait()

    @property
    def port(self) -> int:
        """The port really listened on, 0 when not listening."""
        return self._listener.port if self._listener is not None else 0

    @property
    def sessions(self) -> Mapping[bytes, Session]:
        """Open sessions by 64-byte node id."""
        return MappingProxyType(self._sessions)

    # -- who is known ------------------------------------------------------------------------------------------------

    def update_known(self, enodes: Iterable[Enode]) -> None:
        """Set whom to dial (this node itself is left out) and end the sessions `is_allowed` no longer allows.

        Nodes without a known address need no enode: whoever `is_allowed` allows may dial in.
        """
        wanted = {enode.node_id: enode for enode in enodes if enode.node_id != self.node_id}
        now_s = asyncio.get_running_loop().time()
        self._gate.update_known([enode.host for enode in wanted.values()], self._is_allowed)
        self._forget_what_is_over(now_s)
        for node_id, dialler in tuple(self._diallers.items()):
            if wanted.get(node_id) != dialler.enode:
                del self._diallers[node_id]
                dialler.stop()
        for node_id, enode in wanted.items():
            if node_id not in self._diallers:
                self._diallers[node_id] = Dialler(enode, self, self._limits.dial, self._rng)
                if self._is_started and not self._is_closing:
                    self._diallers[node_id].start()
        for session in (*self._sessions.values(), *self._unopened):
            if session.is_identified and not self._is_allowed(session.node_id):
                session.disconnect(DisconnectReason.USELESS_PEER, "no longer among the nodes that may connect")

    def disconnect(self, node_id: bytes, reason: DisconnectReason, detail: str, hold_off_s: float = 0.0) -> None:
        """End the session with a node, if there is one, and neither dial it nor let it in for `hold_off_s`.

        For a breach that is longer if there was another one not long ago. Who is only slow is never put off for longer.
        """
        if hold_off_s > 0 and (node_id in self._diallers or self._is_allowed(node_id)):
            self._hold_off(node_id, hold_off_s, is_breach=reason is DisconnectReason.BREACH_OF_PROTOCOL)
        session = self._sessions.get(node_id)
        if session is not None:
            session.disconnect(reason, detail)

    def _hold_off(self, node_id: bytes, seconds: float, *, is_breach: bool) -> None:
        now_s = asyncio.get_running_loop().time()
        if is_breach:
            count, last_s, until_s = self._breaches.get(node_id, (0, now_s, now_s))
            if now_s < until_s:
                return  # told of twice: by who found it, and by the end of the session
            if now_s - last_s > self._limits.hold_off_memory_s:
                count = 0
            seconds = min(seconds * 2.0 ** min(count, 16), max(seconds, self._limits.hold_off_max_s))
            self._breaches[node_id] = (count + 1, now_s, now_s + seconds)
        self._held_off_until_s[node_id] = max(self._held_off_until_s.get(node_id, 0.0), now_s + seconds)

    def _forget_what_is_over(self, now_s: float) -> None:
        memory_s = self._limits.hold_off_memory_s
        self._held_off_until_s = {node: until for node, until in self._held_off_until_s.items() if until > now_s}
        self._breaches = {node: known for node, known in self._breaches.items() if now_s - known[1] <= memory_s}
        self._openings = {node: known for node, known in self._openings.items() if not known.is_full(now_s)}

    def status(self) -> NetworkStatus:
        """Return what the peer network does now."""
        now_s = asyncio.get_running_loop().time()
        return NetworkStatus(
            port=self.port,
            known=len(self._diallers),
            inbound_handshakes=sum(not session.is_outbound for session in self._unopened),
            peers=tuple(_status_of(session, now_s) for session in self._sessions.values()),
            counts=dict(self._counts),
        )

    # -- what sessions call ------------------------------------------------------------------------------------------

    def upon_open(self, session: Session) -> None:
        """Admit a session that has said Hello, unless it is a duplicate or one too many."""
        self._unopened.pop(session, None)
        node_id = session.node_id
        self._gate.meet(node_id, session.remote)
        if not session.is_outbound and not self._may_open_again(node_id):
            session.disconnect(DisconnectReason.USELESS_PEER, "it opens sessions again and again")
            return
        rival = self._sessions.get(node_id)
        if rival is not None:
            if not self._is_preferred(session, rival):
                session.disconnect(DisconnectReason.ALREADY_CONNECTED)
                return
            rival.disconnect(DisconnectReason.ALREADY_CONNECTED, "replaced by another session with the same node")
        if len(self._sessions) >= self._limits.sessions_max:
            session.disconnect(DisconnectReason.TOO_MANY_PEERS, f"there are {len(self._sessions)} sessions already")
            return
        self._sessions[node_id] = session
        direction = "outbound" if session.is_outbound else "inbound"
        spoken = ", ".join(f"{name}/{version}" for name, version in session.capabilities.items())
        self._tell(EventKind.OPENED, session.remote, node_id, f"{direction}, {session.client_id}, {spoken}")
        self._on_session(session)

    def upon_message(self, session: Session, message: Message) -> None:
        """Hand a message to the service."""
        self._on_message(session, message.capability, message.code, message.payload)

    def upon_end(self, session: Session, ending: Ending) -> None:
        """Forget a session; tell the service only if it had been told of its beginning."""
        self._unopened.pop(session, None)
        if self._sessions.get(session.node_id) is session:
            del self._sessions[session.node_id]
            if ending.is_ours and ending.reason is DisconnectReason.BREACH_OF_PROTOCOL:
                self._hold_off(session.node_id, self._limits.breach_hold_off_s, is_breach=True)
            self._tell(EventKind.CLOSED, session.remote, session.node_id, ending.detail)
            self._on_closed(session, ending)
        elif ending.reason is DisconnectReason.ALREADY_CONNECTED:
            self._tell(EventKind.DUPLICATE, session.remote, session.node_id, ending.detail)
        else:
            kind = EventKind.DIAL_FAILED if session.is_outbound else EventKind.REFUSED
            self._tell(kind, session.remote, session.node_id, ending.detail)
        dialler = self._diallers.get(session.node_id)
        if dialler is not None:
            dialler.upon_end(session)

    def upon_gone(self, session: Session) -> None:
        """Forget the last trace of a session."""
        self._streams.discard(session)

    def _may_open_again(self, node_id: bytes) -> bool:
        """Count a session that a node has opened; when there are too many it is put off for a while."""
        limits, now_s = self._limits, asyncio.get_running_loop().time()
        openings = self._openings.get(node_id)
        if openings is None:
            openings = Allowance(limits.inbound_sessions_per_s, limits.inbound_sessions_burst, now_s)
            self._openings[node_id] = openings
        if openings.try_take(1, now_s):
            return True
        self._hold_off(node_id, 1 / limits.inbound_sessions_per_s, is_breach=False)
        return False

    def _is_preferred(self, session: Session, rival: Session) -> bool:
        """Whether a new session replaces the one there is.

        The other end's newer dial does (it would not dial with a live session); of two crossing dials the smaller id's.
        """
        if session.is_outbound == rival.is_outbound:
            return not session.is_outbound
        dialler = self.node_id if session.is_outbound else session.node_id
        return dialler == min(self.node_id, session.node_id)

    # -- in ----------------------------------------------------------------------------------------------------------

    def _upon_stream(self, stream: Stream) -> None:
        if self._is_closing:
            stream.abort()
            return
        if not self._gate.admits(stream.remote, asyncio.get_running_loop().time()):
            stream.abort()
            self._tell(EventKind.TURNED_AWAY, stream.remote, b"", "too many handshakes from there, or in all")
            return
        inbound = [session for session in self._unopened if not session.is_outbound]
        if len(inbound) >= self._limits.inbound_handshakes_max:
            slowest = inbound[self._gate.pushed_out([session.remote for session in inbound])]
            slowest.disconnect(DisconnectReason.TOO_MANY_PEERS, "slow to say Hello while others wait to be let in")
        self._start_session(Connection(self._local, None, self._entropy), stream, is_outbound=False)

    def _start_session(self, connection: Connection, stream: Stream, *, is_outbound: bool) -> Session:
        session = Session(connection, stream, self, self._session_limits, is_outbound)
        self._unopened[session] = None
        self._streams.add(session)
        session.start()
        return session

    # -- out ---------------------------------------------------------------------------------------------------------

    def is_connected(self, node_id: bytes) -> bool:
        """Whether there is an open session with a node."""
        return node_id in self._sessions

    def is_larger_than(self, node_id: bytes) -> bool:
        """Whether our own node id is the larger one."""
        return self.node_id > node_id

    def held_off_s(self, node_id: bytes) -> float:
        """For how long a node is to stay away after what it did, 0 if it is not."""
        return max(0.0, self._held_off_until_s.get(node_id, 0.0) - asyncio.get_running_loop().time())

    def may_enter(self, node_id: bytes) -> bool:
        """Whether a session with a node may be: it is allowed, and not held off."""
        return self.held_off_s(node_id) == 0 and self._is_allowed(node_id)

    async def dial(self, enode: Enode) -> Session | None:
        """Return a session to a node, its handshake begun, or None when it cannot be reached."""
        where = f"{enode.host}:{enode.port}"
        try:
            async with asyncio.timeout(self._limits.dial.timeout_s):
                stream = await self._transport.dial(enode.host, enode.port)
        except TransportFault as fault:
            self._tell(EventKind.DIAL_FAILED, where, enode.node_id, str(fault))
            return None
        except TimeoutError:
            detail = f"no answer within {self._limits.dial.timeout_s:g} s"
            self._tell(EventKind.DIAL_FAILED, where, enode.node_id, detail)
            return None
        try:
            connection = Connection(self._local, enode.node_id, self._entropy)
        except PeerFault as fault:
            stream.abort()
            self._tell(EventKind.DIAL_FAILED, where, enode.node_id, str(fault))
            return None
        return self._start_session(connection, stream, is_outbound=True)

    # -- shared ------------------------------------------------------------------------------------------------------

    def _local_node(self, port: int) -> LocalNode:
        return LocalNode(
            key=self._key,
            client_id=self._client_id,
            capabilities=self._capabilities,
            may_enter=self.may_enter,
            listen_port=port,
            message_bytes_max=self._limits.message_bytes_max,
        )

    def _tell(self, kind: EventKind, remote: str, node_id: bytes, detail: str) -> None:
        self._counts[kind] += 1
        self._on_event(NetworkEvent(kind, remote, node_id, detail))


def _status_of(session: Session, now_s: float) -> PeerStatus:
    frames, size = session.queue
    counters = session.counters
    return PeerStatus(
        node_id=session.node_id,
        remote=session.remote,
        client_id=session.client_id,
        capabilities=tuple(f"{name}/{version}" for name, version in session.capabilities.items()),
        is_outbound=session.is_outbound,
        open_for_s=now_s - (session.opened_at_s if session.opened_at_s is not None else now_s),
        messages_in=counters.messages_in,
        messages_out=counters.messages_out,
        bytes_in=counters.bytes_in,
        bytes_out=counters.bytes_out,
        queue_frames=frames,
        queue_bytes=size,
        loop_s=counters.loop_s,
        waits=counters.waits,
    )
