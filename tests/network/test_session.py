"""One session's timers, queue and turns, in virtual time over pipes."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cocket.network.connection import Connection, Message
from cocket.network.errors import DisconnectReason, PeerFault
from cocket.network.pipe import PipeStream, PipeTransport
from cocket.network.session import Ending, Session, SessionLimits
from cocket.network.transport import Stream

Run = Callable[[Coroutine[Any, Any, None]], None]


class Owner:
    """Keeps what a session tells; `upon` is called with each message."""

    def __init__(self) -> None:
        self.opened: list[Session] = []
        self.messages: list[Message] = []
        self.ended: list[Ending] = []
        self.gone = 0
        self.upon: Callable[[Session, Message], None] = lambda session, message: None

    def upon_open(self, session: Session) -> None:
        self.opened.append(session)

    def upon_message(self, session: Session, message: Message) -> None:
        self.messages.append(message)
        self.upon(session, message)

    def upon_end(self, session: Session, ending: Ending) -> None:
        self.ended.append(ending)

    def upon_gone(self, session: Session) -> None:
        self.gone += 1


class Scene:
    """Two sessions on the two ends of one pipe."""

    def __init__(self, near: Session, far: Session) -> None:
        self.near, self.far = near, far
        self.near_owner: Owner = near._owner  # type: ignore[assignment]
        self.far_owner: Owner = far._owner  # type: ignore[assignment]


async def pipe() -> tuple[PipeStream, PipeStream]:
    arrived: list[Stream] = []
    transport = PipeTransport()
    listener = await transport.listen("", 1, arrived.append)
    near = await transport.dial("", listener.port)
    assert isinstance(near, PipeStream)
    assert isinstance(arrived[0], PipeStream)
    return near, arrived[0]


async def join(
    net: Any,
    limits: SessionLimits | None = None,
    streams: tuple[PipeStream, PipeStream] | None = None,
    busy_s: Callable[[], float] = lambda: 0.0,
) -> Scene:
    near_stream, far_stream = streams or await pipe()
    limits = limits or SessionLimits()
    near = Session(
        Connection(net.local_node("near"), net.node_id("far"), net.Entropy("near")), near_stream, Owner(), limits, True
    )
    far = Session(
        Connection(net.local_node("far"), None, net.Entropy("far")), far_stream, Owner(), limits, False, busy_s
    )
    near.start()
    far.start()
    await turns()
    assert near.is_open
    assert far.is_open
    return Scene(near, far)


async def turns(count: int = 60) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def finish(scene: Scene) -> None:
    scene.near.disconnect(DisconnectReason.CLIENT_QUITTING)
    await scene.near.closed.wait()
    await scene.far.closed.wait()
    assert len(scene.near_owner.ended) == len(scene.far_owner.ended) == 1
    assert scene.near_owner.gone == scene.far_owner.gone == 1


def test_sessions_open_send_and_leave(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        scene = await join(net)
        assert scene.near_owner.opened == [scene.near]
        assert scene.far.node_id == net.node_id("near")
        assert scene.far.client_id == "test/near"
        assert scene.far.capabilities == {"eth": 68, "istanbul": 100}
        assert scene.near.send("istanbul", 0x13, b"prepare")
        await turns()
        assert scene.far_owner.messages == [Message("istanbul", 0x13, b"prepare")]
        assert scene.near.counters.messages_out == scene.far.counters.messages_in == 1
        assert scene.near.counters.bytes_out == scene.far.counters.bytes_in > 0
        await finish(scene)
        assert scene.far_owner.ended[0].reason is DisconnectReason.CLIENT_QUITTING
        assert not scene.far_owner.ended[0].is_ours
        assert scene.near_owner.ended[0].is_ours
        assert not scene.near.send("eth", 0, b"late")

    run_virtual(play())


def test_silent_dialler_is_dropped_after_ten_seconds(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()
        near, far = await pipe()
        owner = Owner()
        session = Session(
            Connection(net.local_node("far"), None, net.Entropy("far")), far, owner, SessionLimits(), False
        )
        session.start()
        await session.closed.wait()
        assert loop.time() == pytest.approx(10)
        assert owner.ended[0].detail == "no Hello within 10 s"
        assert owner.ended[0].reason is DisconnectReason.PING_TIMEOUT
        assert owner.opened == []
        near.close()

    run_virtual(play())


def test_peer_that_stalls_after_the_handshake_is_dropped_too(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        near, far = await pipe()
        owner = Owner()
        session = Session(
            Connection(net.local_node("far"), None, net.Entropy("far")), far, owner, SessionLimits(), False
        )
        session.start()
        near.write(Connection(net.local_node("near"), net.node_id("far"), net.Entropy("near")).take_output())
        await turns()
        assert session.is_identified
        await session.closed.wait()
        assert asyncio.get_running_loop().time() == pytest.approx(10)
        assert owner.ended[0].detail == "no Hello within 10 s"

    run_virtual(play())


def test_silence_is_pinged_and_answered_and_the_session_lives_on(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        scene = await join(net)
        await asyncio.sleep(14)
        before = scene.near.counters.bytes_in
        await asyncio.sleep(0.9)
        assert scene.near.counters.bytes_in == before
        await asyncio.sleep(0.2)
        assert scene.near.counters.bytes_in > before
        await asyncio.sleep(600)
        assert scene.near.is_open
        assert scene.far.is_open
        await finish(scene)

    run_virtual(play())


@pytest.mark.parametrize("stop_at_s", [1, 5, 14, 16, 29])
def test_node_that_stood_still_reads_before_it_calls_anybody_silent(net: Any, run_virtual: Run, stop_at_s: int) -> None:
    """Stopped for a minute and resumed, whatever the timer was waiting for; the loop runs timers before sockets."""

    async def play() -> None:
        scene = await join(net)
        scene.far._timer.cancel()
        scene.far._stream.pause_reading()  # it answers no ping in time, as its machine is slow too
        frame = scene.far._connection.encode("eth", 2, bytes(100))
        scene.far._stream.write(frame[:40])
        await asyncio.sleep(stop_at_s)
        assert scene.near.is_open
        asyncio.get_running_loop().jump(60)  # type: ignore[attr-defined]
        await asyncio.sleep(0.5)  # timers that are over run now, and what has come is not read yet
        assert scene.near.is_open
        scene.far._stream.write(frame[40:])
        await asyncio.sleep(5)
        assert len(scene.near_owner.messages) == 1
        scene.far._stream.resume_reading()
        await finish(scene)

    run_virtual(play())


def test_peer_silent_after_a_ping_is_dropped(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        scene = await join(net)
        scene.far._stream.pause_reading()
        scene.far._timer.cancel()
        opened_at_s = scene.near.opened_at_s
        assert opened_at_s is not None
        await scene.near.closed.wait()
        assert asyncio.get_running_loop().time() - opened_at_s == pytest.approx(30)
        assert scene.near_owner.ended[0].reason is DisconnectReason.PING_TIMEOUT
        scene.far._stream.resume_reading()
        await scene.far.closed.wait()
        assert scene.far_owner.ended[0].reason is DisconnectReason.PING_TIMEOUT

    run_virtual(play())


@pytest.mark.parametrize(
    ("limits", "payload"),
    [(SessionLimits(queue_frames_max=10), b"x"), (SessionLimits(queue_bytes_max=600_000), b"x" * 100_000)],
)
def test_peer_that_does_not_read_fills_its_queue_and_is_dropped(
    net: Any, run_virtual: Run, limits: SessionLimits, payload: bytes
) -> None:
    async def play() -> None:
        scene = await join(net, limits)
        scene.far._stream.pause_reading()
        noise = net.Entropy("noise")(300_000)
        assert scene.near.send("eth", 0, noise)
        assert not scene.near._stream.is_writable
        sent = 0
        while scene.near.send("eth", 1, noise[:100_000] if len(payload) > 1 else payload):
            sent += 1
            assert sent <= 10
        assert sent == (10 if len(payload) == 1 else 5)
        assert "does not read" in scene.near_owner.ended[0].detail
        assert scene.near.queue == (0, 0)
        await scene.near.closed.wait()
        scene.far._stream.resume_reading()
        await scene.far.closed.wait()

    run_virtual(play())


def test_queue_drains_in_order_when_the_peer_reads_again(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        scene = await join(net)
        scene.far._stream.pause_reading()
        scene.near.send("eth", 0, net.Entropy("noise")(300_000))
        for number in range(1, 9):
            assert scene.near.send("eth", number, b"")
        assert scene.near.queue[0] == 8
        scene.far._stream.resume_reading()
        await turns()
        assert [message.code for message in scene.far_owner.messages] == list(range(9))
        assert scene.near.queue == (0, 0)
        await finish(scene)

    run_virtual(play())


def test_a_flood_is_handled_in_turns_with_others_between(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        scene = await join(net, SessionLimits(turn_messages=4))
        handled_before: list[int] = []
        beats = 0

        async def other() -> None:
            nonlocal beats
            while len(scene.far_owner.messages) < 40:
                handled_before.append(len(scene.far_owner.messages))
                beats += 1
                await asyncio.sleep(0)

        frames = b"".join(scene.near._connection.encode("eth", 2, b"tx") for _ in range(40))
        scene.near._stream.write(frames)
        await other()
        steps = [after - before for before, after in itertools.pairwise(handled_before)]
        assert max(steps) <= 4
        assert beats >= 10
        await finish(scene)

    run_virtual(play())


def test_large_messages_end_a_turn_sooner(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        scene = await join(net, SessionLimits(turn_bytes=1000))
        frames = b"".join(scene.near._connection.encode("eth", 2, bytes(600)) for _ in range(6))
        seen: list[int] = []
        scene.far_owner.upon = lambda session, message: seen.append(round(asyncio.get_running_loop().time()))
        scene.near._stream.write(frames)
        counts = []
        while len(scene.far_owner.messages) < 6:
            counts.append(len(scene.far_owner.messages))
            await asyncio.sleep(0)
        assert {2, 4} <= set(counts)
        await finish(scene)

    run_virtual(play())


def test_handler_may_blame_the_peer(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        scene = await join(net)

        def blame(session: Session, message: Message) -> None:
            raise PeerFault("status names another genesis", DisconnectReason.SUBPROTOCOL_ERROR)

        scene.far_owner.upon = blame
        scene.near.send("eth", 0, b"x")
        scene.near.send("eth", 1, b"y")
        await scene.near.closed.wait()
        assert len(scene.far_owner.messages) == 1
        assert scene.far_owner.ended[0].detail == "status names another genesis"
        assert scene.near_owner.ended[0].reason is DisconnectReason.SUBPROTOCOL_ERROR

    run_virtual(play())


def test_handler_may_disconnect_and_hears_nothing_more(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        scene = await join(net)
        scene.far_owner.upon = lambda session, message: session.disconnect(DisconnectReason.USELESS_PEER)
        for _ in range(3):
            scene.near.send("eth", 0, b"x")
        await scene.near.closed.wait()
        assert len(scene.far_owner.messages) == 1
        assert scene.near_owner.ended[0].reason is DisconnectReason.USELESS_PEER

    run_virtual(play())


def test_our_own_failure_ends_the_session_and_is_not_hidden(net: Any) -> None:
    loop = asyncio.new_event_loop()
    seen: list[BaseException] = []
    loop.set_exception_handler(lambda _, context: seen.append(context["exception"]))

    async def play() -> None:
        scene = await join(net)

        def fail(session: Session, message: Message) -> None:
            raise ZeroDivisionError

        scene.far_owner.upon = fail
        scene.near.send("eth", 0, b"x")
        await scene.near.closed.wait()
        assert scene.far_owner.ended[0].reason is DisconnectReason.SUBPROTOCOL_ERROR

    loop.run_until_complete(play())
    loop.close()
    assert [type(error) for error in seen] == [ZeroDivisionError]


def test_disconnect_that_cannot_leave_is_cut_off(net: Any, run_virtual: Run) -> None:
    class Stuck(PipeStream):
        """A stream whose close never finishes by itself, as TCP to a peer that does not read."""

        aborted_at_s = -1.0

        def close(self) -> None:
            pass

        def abort(self) -> None:
            self.aborted_at_s = asyncio.get_running_loop().time()
            super().close()

    async def play() -> None:
        stuck, far = Stuck("stuck"), PipeStream("far")
        stuck.other, far.other = far, stuck
        scene = await join(net, streams=(stuck, far))
        far.pause_reading()
        scene.near.disconnect(DisconnectReason.REQUESTED)
        await scene.near.closed.wait()
        assert stuck.aborted_at_s == pytest.approx(2)
        far.resume_reading()
        await scene.far.closed.wait()

    run_virtual(play())


class Work:
    """A processor clock: each message costs what the test says."""

    def __init__(self, cost_s: float) -> None:
        self.cost_s = cost_s
        self.busy_s = 0.0

    def __call__(self) -> float:
        return self.busy_s

    def upon(self, _session: Session, _message: Message) -> None:
        self.busy_s += self.cost_s


def test_who_uses_up_its_share_of_the_loop_waits_and_loses_nothing(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        work = Work(cost_s=0.1)
        scene = await join(net, SessionLimits(loop_share=0.2, loop_burst_s=0.5, turn_messages=1), busy_s=work)
        scene.far_owner.upon = work.upon
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for number in range(16):
            scene.near.send("eth", number, b"")
        await turns()
        assert len(scene.far_owner.messages) == 6  # five at once, and one that overdraws
        assert not scene.far._is_reading
        while len(scene.far_owner.messages) < 16:
            await asyncio.sleep(0.1)
        assert loop.time() - began_s == pytest.approx(5.0, abs=0.2)  # 1.6 s of work, 0.5 at once, 0.2 a second
        assert [message.code for message in scene.far_owner.messages] == list(range(16))
        await finish(scene)

    run_virtual(play())


ANSWER, TRIFLE, FLOOD = range(3)


class Asker(Work):
    """Has asked for answers, which cost a little more than is excused, and for trifles; the rest is a flood."""

    def upon(self, session: Session, message: Message) -> None:
        self.busy_s += 0.001 if message.code == TRIFLE else self.cost_s
        if message.code != FLOOD:
            session.excuse(0.09)


@pytest.mark.parametrize(
    ("codes", "handled"),
    [
        ([ANSWER] * 60, 51),  # a hundredth of a second each is over
        ([FLOOD] * 60, 6),
        ([TRIFLE] * 40 + [FLOOD] * 60, 46),  # what trifles did not use is not the flood's
        ([TRIFLE, FLOOD] * 30, 12),
    ],
)
def test_what_was_asked_for_comes_on_top_and_leaves_nothing_over(
    net: Any, run_virtual: Run, codes: list[int], handled: int
) -> None:
    async def play() -> None:
        work = Asker(cost_s=0.1)
        scene = await join(net, SessionLimits(turn_messages=1), busy_s=work)
        scene.far_owner.upon = work.upon
        for code in codes:
            scene.near.send("eth", code, b"")
        await turns(400)
        assert len(scene.far_owner.messages) == handled
        await finish(scene)

    run_virtual(play())


def test_who_is_made_to_wait_is_not_taken_for_dead(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        work = Work(cost_s=10.0)
        scene = await join(net, SessionLimits(silence_s=4, loop_debt_s_max=2), busy_s=work)
        scene.near._timer.cancel()
        scene.far_owner.upon = work.upon
        scene.near.send("eth", 0, b"")
        await asyncio.sleep(9.5)  # without a byte for longer than a ping may take
        assert not scene.far._is_reading
        assert scene.far.is_open
        await asyncio.sleep(1)
        assert scene.far._is_reading
        scene.near.send("eth", 1, b"")
        await asyncio.sleep(0.1)
        assert len(scene.far_owner.messages) == 2
        await asyncio.sleep(9)
        await finish(scene)

    run_virtual(play())


def test_no_message_is_so_dear_that_its_sender_waits_as_long_as_an_answer_may_take(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        work = Work(cost_s=30.0)
        scene = await join(net, busy_s=work)
        scene.far_owner.upon = work.upon
        scene.near.send("eth", 0, b"")
        await turns()
        assert not scene.far._is_reading
        assert (scene.far.counters.loop_s, scene.far.counters.waits) == (30, 1)
        await asyncio.sleep(2.1)
        assert scene.far._is_reading
        await finish(scene)

    run_virtual(play())


def test_frame_that_comes_a_byte_a_second_ends_the_session(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        scene = await join(net, SessionLimits(silence_s=15, frame_bytes_per_s_min=1000))
        scene.near._timer.cancel()  # its pings would come between the pieces
        frame = scene.near._connection.encode("eth", 2, net.Entropy("noise")(30_000))
        began_s = asyncio.get_running_loop().time()
        scene.near._stream.write(frame[:32])
        for byte in frame[32:]:
            scene.near._stream.write(bytes([byte]))
            await asyncio.sleep(1)
            if scene.far.ending is not None:
                break
        assert scene.far.ending is not None
        assert "has not come whole within 45 s" in scene.far.ending.detail
        assert scene.far.ending.reason is DisconnectReason.PING_TIMEOUT
        assert 45 <= asyncio.get_running_loop().time() - began_s <= 75
        await scene.near.closed.wait()

    run_virtual(play())


def test_slow_but_steady_frames_are_taken(net: Any, run_virtual: Run) -> None:
    async def play() -> None:
        scene = await join(net, SessionLimits(silence_s=15, frame_bytes_per_s_min=1000))
        scene.near._timer.cancel()  # its pings would come between the pieces
        for _ in range(4):
            frame = scene.near._connection.encode("eth", 2, net.Entropy("noise")(30_000))
            for start in range(0, len(frame), 1500):
                scene.near._stream.write(frame[start : start + 1500])
                await asyncio.sleep(1)
        assert len(scene.far_owner.messages) == 4
        await finish(scene)

    run_virtual(play())
