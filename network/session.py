"""One live session with another node: a connection joined to a stream, with its timers and its bounded queue.

The only place that knows when silence becomes a ping and then an end, how much may wait to be sent, how many messages
one session may have handled before the others have their turn, and how much of the loop's time it may take in all: what
a peer sends beyond that waits in TCP. It knows no capability's meaning and logs nothing.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cocket.network.allowance import Allowance
from cocket.network.connection import Connection, Left, Message, Opened, Ponged
from cocket.network.errors import DisconnectReason, PeerFault
from cocket.network.transport import Stream


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one session may take of this node, each with its reason."""

    handshake_s: float = 10.0
    """From the first byte to Hello: Besu's own timeout."""
    silence_s: float = 15.0
    """After so long without a byte we ping; after as long again we leave (Besu and geth do the same)."""
    queue_frames_max: int = 4096
    """Frames waiting to leave: several heights of votes from a hundred validators; more means the peer has stopped."""
    queue_bytes_max: int = 32 * 1024 * 1024
    """Bytes waiting to leave: three of the largest messages."""
    turn_messages: int = 32
    """Messages handled before the loop serves others: a few ms of votes with their recovery."""
    turn_bytes: int = 1024 * 1024
    """Likewise in bytes, for messages that are dear by size."""
    turn_s: float = 0.005
    """Likewise in time, for messages that are dear to answer (headers, bodies): others wait no longer than this."""
    loop_share: float = 0.2
    """Of the loop's time, what one peer's messages may take in the long run: honest ones take some 0.02, and a flood of
    a few peers leaves most of the loop to the votes of the others."""
    loop_burst_s: float = 0.5
    """What may be taken at once: one of the dearest messages. What was asked for comes on top."""
    loop_debt_s_max: float = 0.4
    """What may be owed after a dear message: two seconds of waiting, well below the five for which an answer is waited
    for, so that nobody counts as slow because it was made to wait."""
    frame_bytes_per_s_min: int = 8 * 1024
    """A frame that comes more slowly than that holds a buffer of its size for nothing: a link of 64 kbit/s carries no
    votes in time either."""
    late_s: float = 1.0
    """A timer that comes so much too late says that this node stood still (stopped, or without a processor): what came
    meanwhile is read first, before anybody is called silent."""
    linger_s: float = 2.0
    """How long a Disconnect may take to leave before the stream is cut."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a session ended: `is_ours` when this end decided, `reason` in devp2p's words, `detail` for people."""

    reason: DisconnectReason
    detail: str
    is_ours: bool


@dataclass(slots=True)
class SessionCounters:
    """What has passed through one session."""

    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    loop_s: float = 0.0
    """What the other end's messages took of the loop's time."""
    waits: int = 0
    """How often it was made to wait, because that was more than its share."""


class SessionOwner(Protocol):
    """Who is told of a session's life: the peer network."""

    def upon_open(self, session: "Session") -> None:
        """Hellos are exchanged; the owner may disconnect at once (a duplicate, one too many)."""

    def upon_message(self, session: "Session", message: Message) -> None:
        """A message arrived on an open session."""

    def upon_end(self, session: "Session", ending: Ending) -> None:
        """The session is over; called once."""

    def upon_gone(self, session: "Session") -> None:
        """The stream of an ended session is gone too; called once, last."""


class Session:
    """One session, from its first byte to its end. Made by `PeerNetwork`; the service sends and disconnects with it."""

    def __init__(
        self,
        connection: Connection,
        stream: Stream,
        owner: SessionOwner,
        limits: SessionLimits,
        is_outbound: bool,
        busy_s: Callable[[], float] = time.thread_time,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._owner = owner
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._queue: deque[bytes] = deque()
        self._queue_bytes = 0
        self._busy_s = busy_s
        self._loop_time = Allowance(limits.loop_share, limits.loop_burst_s, self._loop.time(), limits.loop_debt_s_max)
        self._excuse_s = self._excused_s = 0.0
        self._is_reading = True
        self._heard_at_s = 0.0
        self._frame_since_s: float | None = None
        self._is_stream_closed = False
        self._linger: asyncio.TimerHandle | None = None
        self.is_outbound = is_outbound
        self.counters = SessionCounters()
        self.ending: Ending | None = None
        self.opened_at_s: float | None = None
        """Loop time when Hellos were exchanged, None before."""
        self.closed = asyncio.Event()
        """Set once the stream is gone too."""
        self._timer = self._call_in_time(limits.handshake_s, self._upon_handshake_timeout)

    # -- what the service uses ---------------------------------------------------------------------------------------

    @property
    def node_id(self) -> bytes:
        """The other end's 64-byte node id; empty while unknown."""
        return self._connection.remote_id or b""

    @property
    def remote(self) -> str:
        """The other end's address, for messages."""
        return self._stream.remote

    @property
    def client_id(self) -> str:
        """What the other end says it is."""
        return self._connection.hello.client_id if self._connection.hello is not None else ""

    @property
    def capabilities(self) -> dict[str, int]:
        """Name and version of what both ends speak."""
        return {shared.name: shared.version for shared in self._connection.shared}

    @property
    def is_open(self) -> bool:
        """Whether messages may be sent."""
        return self.ending is None and self._connection.is_open

    @property
    def is_identified(self) -> bool:
        """Whether the other end has named itself and may enter."""
        return self._connection.remote_id is not None

    @property
    def queue(self) -> tuple[int, int]:
        """Frames and bytes that wait to leave."""
        return len(self._queue), self._queue_bytes

    def send(self, capability: str, code: int, payload: bytes) -> bool:
        """Queue one message; False when the session has ended or ends now because its queue is full.

        `payload` is the message's RLP, uncompressed; `code` counts from the capability's own zero. KeyError when the
        capability is not shared: ask `capabilities` first.
        """
        if not self.is_open:
            return False
        frame = self._connection.encode(capability, code, payload)
        self.counters.messages_out += 1
        return self._send(frame)

    def excuse(self, seconds: float) -> None:
        """Charge the other end less, by up to so much, for the message being handled: it was asked for.

        Nothing is left over for its next message, or who has itself asked for trifles could flood with the rest.
        """
        self._excuse_s = seconds

    def disconnect(self, reason: DisconnectReason, detail: str = "") -> None:
        """Say goodbye and end the session; harmless when it has ended."""
        if self.ending is not None:
            return
        self._end(Ending(reason, detail or reason.text, is_ours=True), self._connection.farewell(reason))

    # -- what the stream calls ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin: the dialling end's first packet leaves."""
        self._stream.start(self)
        self._flush_connection()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the stream."""
        if self.ending is not None:
            return
        self._heard_at_s = self._loop.time()
        self.counters.bytes_in += len(data)
        self._connection.receive(data)
        if self._is_reading:
            self._take_turn()

    def writing_resumed(self) -> None:
        """The stream has room again: send what waits."""
        while self._queue and self._stream.is_writable:
            frame = self._queue.popleft()
            self._queue_bytes -= len(frame)
            self._stream.write(frame)

    def stream_closed(self, detail: str) -> None:
        """The stream is gone."""
        self._is_stream_closed = True
        if self._linger is not None:
            self._linger.cancel()
        where = "" if self._connection.is_open else " before Hello (it may not list this node)"
        self._end(Ending(DisconnectReason.TCP_ERROR, f"connection {detail}{where}", is_ours=False), b"")
        self.closed.set()
        self._owner.upon_gone(self)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _take_turn(self) -> None:
        """Handle what has arrived, up to a turn's worth; then the rest waits until the others had theirs.

        A peer that has used up its share of the loop's time waits until it has some again.
        """
        if self.ending is not None:
            return
        began_s, self._excused_s = self._busy_s(), 0.0
        has_more = self._handle_some()
        now_s = self._loop.time()
        busy_s = self._busy_s() - began_s
        self._loop_time.take(busy_s - self._excused_s, now_s)
        self.counters.loop_s += busy_s
        if self.ending is not None:
            return
        self._flush_connection()
        if self.ending is not None:
            return
        wait_s = self._loop_time.wait_s(now_s)
        if wait_s > 0:
            self.counters.waits += 1
            self._loop.call_later(wait_s, self._take_turn)
        elif has_more:
            self._loop.call_soon(self._take_turn)
        must_read = not has_more and wait_s == 0
        if must_read != self._is_reading:
            self._is_reading = must_read
            (self._stream.resume_reading if must_read else self._stream.pause_reading)()

    def _handle_some(self) -> bool:
        """Handle a turn's worth of what has arrived; return whether there may be more."""
        messages, size = self._limits.turn_messages, self._limits.turn_bytes
        end_s = self._loop.time() + self._limits.turn_s
        has_more = is_anew = False
        try:
            while self.ending is None:
                if messages <= 0 or size <= 0 or self._loop.time() > end_s:
                    has_more = True
                    break
                began_s = self._busy_s()
                event = self._connection.next_event()
                if event is None:
                    break
                is_anew = True
                messages -= 1
                match event:
                    case Message():
                        size -= len(event.payload)
                        self.counters.messages_in += 1
                        self._excuse_s = 0.0
                        self._owner.upon_message(self, event)
                        if self._excuse_s:
                            self._excused_s += min(self._excuse_s, self._busy_s() - began_s)
                    case Ponged():
                        pass
                    case Opened():
                        self._upon_opened()
                    case Left():
                        detail = f"the other end left: {event.reason.text}"
                        self._end(Ending(event.reason, detail, is_ours=False), b"")
        except PeerFault as fault:
            self._flush_connection()
            self.disconnect(fault.reason, str(fault))
            return False
        except BaseException:
            self.disconnect(DisconnectReason.SUBPROTOCOL_ERROR, "this node failed while handling a message")
            raise
        if not self._connection.awaited_bytes:
            self._frame_since_s = None
        elif is_anew or self._frame_since_s is None:
            self._frame_since_s = self._loop.time()
        return has_more

    def _upon_opened(self) -> None:
        self._timer.cancel()
        self.opened_at_s = self._loop.time()
        self._timer = self._call_in_time(self._limits.silence_s, self._upon_silence_check)
        self._flush_connection()
        self._owner.upon_open(self)

    def _upon_silence_check(self) -> None:
        """After `silence_s` without a byte: ping, and look again as long after that.

        Who is made to wait is not silent, and who sends a byte now and then of a frame without end is not alive.
        """
        now_s = self._loop.time()
        if not self._is_reading:
            self._heard_at_s = now_s
            self._frame_since_s = None
        elif self._frame_since_s is not None:
            allowed_s = self._limits.silence_s + self._connection.awaited_bytes / self._limits.frame_bytes_per_s_min
            if now_s - self._frame_since_s > allowed_s:
                self.disconnect(DisconnectReason.PING_TIMEOUT, f"a frame has not come whole within {allowed_s:.0f} s")
                return
        wait_s = self._limits.silence_s - (now_s - self._heard_at_s)
        if wait_s > 0:
            self._timer = self._call_in_time(wait_s, self._upon_silence_check)
            return
        heard_at_s = self._heard_at_s
        self._timer = self._call_in_time(self._limits.silence_s, lambda: self._upon_ping_timeout(heard_at_s))
        self._send(self._connection.ping())

    def _call_in_time(self, seconds: float, then: Callable[[], None]) -> asyncio.TimerHandle:
        """Set the session's timer; when this node stood still meanwhile, it first looks at what has come."""
        due_s = self._loop.time() + seconds

        def upon_time() -> None:
            now_s = self._loop.time()
            if now_s - due_s > self._limits.late_s:
                self._heard_at_s, self._frame_since_s = now_s, None
                self._timer = self._loop.call_later(self._limits.late_s, then)
            else:
                then()

        return self._loop.call_later(seconds, upon_time)

    def _upon_ping_timeout(self, heard_at_s: float) -> None:
        if self._heard_at_s == heard_at_s and self._is_reading:
            self.disconnect(DisconnectReason.PING_TIMEOUT, f"silent for {2 * self._limits.silence_s:g} s")
        else:
            self._upon_silence_check()

    def _upon_handshake_timeout(self) -> None:
        self.disconnect(DisconnectReason.PING_TIMEOUT, f"no Hello within {self._limits.handshake_s:g} s")

    def _flush_connection(self) -> None:
        output = self._connection.take_output()
        if output:
            self._send(output)

    def _send(self, frame: bytes) -> bool:
        self.counters.bytes_out += len(frame)
        if not self._queue and self._stream.is_writable:
            self._stream.write(frame)
            return True
        self._queue.append(frame)
        self._queue_bytes += len(frame)
        if len(self._queue) <= self._limits.queue_frames_max and self._queue_bytes <= self._limits.queue_bytes_max:
            return True
        waiting = f"{len(self._queue)} frames and {self._queue_bytes} bytes"
        ending = Ending(DisconnectReason.USELESS_PEER, f"it does not read: {waiting} wait to leave", is_ours=True)
        self._connection.farewell(DisconnectReason.USELESS_PEER)
        self._queue.clear()
        self._end(ending, b"")
        return False

    def _end(self, ending: Ending, farewell: bytes) -> None:
        """End: with a farewell it leaves first and the stream closes behind it, without one the stream is cut."""
        if self.ending is not None:
            return
        self.ending = ending
        self._timer.cancel()
        if not self._is_stream_closed:
            for frame in (*self._queue, farewell):
                self._stream.write(frame)
            self._queue.clear()
            self._queue_bytes = 0
            if not farewell:
                self._stream.abort()
            else:
                self._stream.close()
                self._linger = self._loop.call_later(self._limits.linger_s, self._stream.abort)
        self._owner.upon_end(self, ending)
