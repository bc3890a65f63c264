"""The peer network: who gets in, who is dialled when, and that two nodes end with one session."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from cocket.network.connection import Connection
from cocket.network.dialler import DialLimits
from cocket.network.enode import Enode
from cocket.network.errors import DisconnectReason, TransportFault
from cocket.network.gate import GateLimits
from cocket.network.peers import EventKind, NetworkEvent, NetworkLimits, PeerNetwork
from cocket.network.pipe import PipeTransport
from cocket.network.session import Ending, Session, SessionLimits
from cocket.network.tcp import TcpTransport
from cocket.network.transport import Stream, Transport

Run = Callable[[Coroutine[Any, Any, None]], None]
CAPABILITIES = [("eth", 68, 17), ("istanbul", 100, 22)]


class Node:
    """A peer network and what it told."""

    def __init__(self, net: Any, name: str, transport: Transport, allowed: set[bytes] | None = None, **changes: Any):
        self.allowed = allowed
        self.opened: list[Session] = []
        self.closed: list[tuple[Session, Ending]] = []
        self.messages: list[tuple[bytes, str, int, bytes]] = []
        self.events: list[NetworkEvent] = []
        self._news = asyncio.Event()
        given: dict[str, Any] = {
            "capabilities": CAPABILITIES,
            "listen": ("127.0.0.1", 0),
            "is_allowed": lambda node_id: self.allowed is None or node_id in self.allowed,
            "entropy": net.Entropy(name),
            "rng": random.Random(name),
        }
        self.network = PeerNetwork(
            net.key_of(name).secret,
            f"test/{name}",
            transport=transport,
            on_session=self._upon_session,
            on_message=self._upon_message,
            on_closed=self._upon_closed,
            on_event=self._upon_event,
            **(given | changes),
        )

    def _upon_session(self, session: Session) -> None:
        self.opened.append(session)
        self._news.set()

    def _upon_message(self, session: Session, capability: str, code: int, payload: bytes) -> None:
        self.messages.append((session.node_id, capability, code, payload))
        self._news.set()

    def _upon_closed(self, session: Session, ending: Ending) -> None:
        self.closed.append((session, ending))
        self._news.set()

    def _upon_event(self, event: NetworkEvent) -> None:
        self.events.append(event)
        self._news.set()

    @property
    def enode(self) -> Enode:
        return Enode(self.network.node_id, "127.0.0.1", self.network.port)

    @property
    def peers(self) -> set[bytes]:
        return set(self.network.sessions)

    def told(self, kind: EventKind) -> list[str]:
        return [event.detail for event in self.events if event.kind is kind]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10_000):
            while not condition():
                self._news.clear()
                await self._news.wait()


async def closing(*nodes: Node) -> None:
    for node in nodes:
        await node.network.close()
        assert node.peers == set()
        assert {session for session, _ in node.closed} == set(node.opened)
        assert len(node.closed) == len(node.opened)


@pytest.fixture(params=["pipe", "tcp", "uvloop"])
def play(request: pytest.FixtureRequest, run_virtual: Run, run_real: Run, run_uvloop: Run) -> Callable[..., None]:
    """Run a scene over pipes in virtual time, and over real TCP in both loops."""
    run = {"pipe": run_virtual, "tcp": run_real, "uvloop": run_uvloop}[request.param]
    make = PipeTransport if request.param == "pipe" else TcpTransport

    def perform(scene: Callable[[Transport], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with asyncio.timeout(10_000 if make is PipeTransport else 20):
                await scene(make())

        run(whole())

    return perform


def test_a_mesh_of_four_connects_and_talks(net: Any, play: Callable[..., None]) -> None:
    async def scene(transport: Transport) -> None:
        nodes = [Node(net, name, transport) for name in "ABCD"]
        for node in nodes:
            await node.network.start()
        for node in nodes:
            node.network.update_known([other.enode for other in nodes])
        for node in nodes:
            await node.until(lambda node=node: len(node.peers) == 3)  # type: ignore[misc]
        for node in nodes:
            for session in node.network.sessions.values():
                assert session.send("istanbul", 0x12, node.network.node_id)
        for node in nodes:
            await node.until(lambda node=node: len({m[0] for m in node.messages}) == 3)  # type: ignore[misc]
            assert all(sender == payload for sender, _, _, payload in node.messages)
        status = nodes[0].network.status()
        assert status.known == 3
        assert len(status.peers) == 3
        assert status.peers[0].capabilities == ("eth/68", "istanbul/100")
        assert status.port == nodes[0].network.port
        await closing(*nodes)
        assert nodes[3].closed[0][1].reason is DisconnectReason.CLIENT_QUITTING

    play(scene)


def test_two_that_dial_at_once_keep_the_smaller_ones_dial(net: Any, play: Callable[..., None]) -> None:
    async def scene(transport: Transport) -> None:
        limits = NetworkLimits(dial=DialLimits(yield_s=0))
        a, b = Node(net, "A", transport, limits=limits), Node(net, "B", transport, limits=limits)
        await a.network.start()
        await b.network.start()
        a.network.update_known([b.enode])
        b.network.update_known([a.enode])
        small, large = sorted((a, b), key=lambda node: node.network.node_id)

        def settled() -> bool:
            return (
                any(s.is_outbound for s in small.network.sessions.values())
                and any(not s.is_outbound for s in large.network.sessions.values())
                and small.network.status().inbound_handshakes == large.network.status().inbound_handshakes == 0
            )

        await small.until(lambda: bool(small.peers))
        await large.until(lambda: bool(large.peers))
        async with asyncio.timeout(5):
            while not settled():
                await asyncio.sleep(0)
        assert small.network.sessions[large.network.node_id].send("eth", 0, b"hi")
        await large.until(lambda: bool(large.messages))
        await closing(a, b)

    play(scene)


def test_stranger_is_refused_and_a_known_node_is_not(net: Any, play: Callable[..., None]) -> None:
    async def scene(transport: Transport) -> None:
        home = Node(net, "home", transport, allowed={net.node_id("friend")})
        friend, stranger = Node(net, "friend", transport), Node(net, "stranger", transport)
        for node in (home, friend, stranger):
            await node.network.start()
        stranger.network.update_known([home.enode])
        await stranger.until(lambda: bool(stranger.told(EventKind.DIAL_FAILED)))
        friend.network.update_known([home.enode])
        await home.until(lambda: bool(home.peers))
        assert home.peers == {friend.network.node_id}
        assert "stranger" in home.told(EventKind.REFUSED)[0]
        assert "may not list this node" in stranger.told(EventKind.DIAL_FAILED)[0]
        assert stranger.opened == []
        await closing(stranger, friend, home)

    play(scene)


def test_wrong_key_at_an_address_is_noticed(net: Any, play: Callable[..., None]) -> None:
    async def scene(transport: Transport) -> None:
        home, other = Node(net, "home", transport), Node(net, "other", transport)
        await home.network.start()
        await other.network.start()
        other.network.update_known([Enode(net.node_id("expected"), "127.0.0.1", home.network.port)])
        await home.until(lambda: bool(home.told(EventKind.REFUSED)))
        assert "wrong node id dialled" in home.told(EventKind.REFUSED)[0]
        await other.until(lambda: bool(other.told(EventKind.DIAL_FAILED)))
        assert home.opened == other.opened == []
        await closing(home, other)

    play(scene)


def test_no_shared_capability_is_told_to_both(net: Any, play: Callable[..., None]) -> None:
    async def scene(transport: Transport) -> None:
        home = Node(net, "home", transport)
        other = Node(net, "other", transport, capabilities=[("les", 4, 8)])
        await home.network.start()
        await other.network.start()
        other.network.update_known([home.enode])
        await home.until(lambda: bool(home.told(EventKind.REFUSED)))
        await other.until(lambda: bool(other.told(EventKind.DIAL_FAILED)))
        assert "no shared capability" in home.told(EventKind.REFUSED)[0]
        assert (
            "no shared capability" in other.told(EventKind.DIAL_FAILED)[0]
            or "useless peer" in other.told(EventKind.DIAL_FAILED)[0]
        )
        await closing(home, other)

    play(scene)


def test_node_removed_from_the_list_is_disconnected_and_stays_out(net: Any, play: Callable[..., None]) -> None:
    async def scene(transport: Transport) -> None:
        home = Node(net, "home", transport, allowed={net.node_id("a"), net.node_id("b")})
        a, b = Node(net, "a", transport), Node(net, "b", transport)
        for node in (home, a, b):
            await node.network.start()
        a.network.update_known([home.enode])
        b.network.update_known([home.enode])
        await home.until(lambda: len(home.peers) == 2)
        home.allowed = {net.node_id("b")}
        home.network.update_known([])
        assert home.peers == {b.network.node_id}
        assert home.closed[0][1].detail == "no longer among the nodes that may connect"
        await a.until(lambda: bool(a.closed))
        await a.until(lambda: bool(a.told(EventKind.DIAL_FAILED)))
        assert home.peers == {b.network.node_id}
        await closing(home, a, b)

    play(scene)


def test_one_too_many_is_told_so(net: Any, play: Callable[..., None]) -> None:
    async def scene(transport: Transport) -> None:
        home = Node(net, "home", transport, limits=NetworkLimits(sessions_max=1))
        a, b = Node(net, "a", transport), Node(net, "b", transport)
        for node in (home, a, b):
            await node.network.start()
        a.network.update_known([home.enode])
        await home.until(lambda: bool(home.peers))
        b.network.update_known([home.enode])
        await b.until(lambda: bool(b.closed))
        assert b.closed[0][1].reason is DisconnectReason.TOO_MANY_PEERS
        assert "1 sessions already" in home.told(EventKind.REFUSED)[0]
        assert home.peers == {a.network.node_id}
        await closing(home, a, b)

    play(scene)


def test_node_does_not_dial_itself(net: Any, play: Callable[..., None]) -> None:
    async def scene(transport: Transport) -> None:
        home = Node(net, "home", transport)
        await home.network.start()
        home.network.update_known([home.enode])
        assert home.network.status().known == 0
        await closing(home)

    play(scene)


def test_taken_port_is_said_at_start(net: Any, play: Callable[..., None]) -> None:
    async def scene(transport: Transport) -> None:
        home = Node(net, "home", transport)
        await home.network.start()
        with pytest.raises(TransportFault, match="cannot listen"):
            await Node(net, "x", transport, listen=("127.0.0.1", home.network.port)).network.start()
        await closing(home)

    play(scene)


# -- time: only over pipes --------------------------------------------------------------------------------------------


class DialTimes(PipeTransport):
    """A transport that keeps when it was asked to dial."""

    def __init__(self) -> None:
        super().__init__()
        self.times_s: list[float] = []

    async def dial(self, host: str, port: int) -> Stream:
        self.times_s.append(asyncio.get_running_loop().time())
        return await super().dial(host, port)


def test_backoff_doubles_with_jitter_up_to_its_ceiling(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        transport = DialTimes()
        home = Node(net, "home", transport)
        await home.network.start()
        home.network.update_known([Enode(net.node_id("gone"), "nowhere", 9)])
        await asyncio.sleep(120)
        pauses = [b - a for a, b in zip(transport.times_s, transport.times_s[1:], strict=False)]
        assert transport.times_s[0] in (0, 0.25)
        for pause, full in zip(pauses, [0.5, 1, 2, 4, 8, 15, 15, 15, 15], strict=False):
            assert full / 2 <= pause <= full + 1e-9
        assert len(set(pauses)) == len(pauses) > 8
        assert home.told(EventKind.DIAL_FAILED)[0] == "cannot reach nowhere:9: connection refused"
        await closing(home)

    run_virtual(scene())


def test_the_same_seed_gives_the_same_pauses(net: Any, run_virtual: Run) -> None:
    async def times() -> list[float]:
        transport = DialTimes()
        home = Node(net, "home", transport)
        await home.network.start()
        home.network.update_known([Enode(net.node_id("gone"), "nowhere", 9)])
        await asyncio.sleep(60)
        await closing(home)
        return [round(time, 9) for time in transport.times_s]

    async def scene() -> None:
        start = asyncio.get_running_loop().time()
        first = await times()
        middle = asyncio.get_running_loop().time()
        second = await times()
        assert [round(time - start, 6) for time in first] == [round(time - middle, 6) for time in second]

    run_virtual(scene())


def test_peer_that_comes_back_is_found_again(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        home, other = Node(net, "home", transport), Node(net, "other", transport, listen=("", 7))
        await home.network.start()
        await other.network.start()
        home.network.update_known([other.enode])
        await home.until(lambda: bool(home.peers))
        await asyncio.sleep(100)
        await closing(other)
        assert home.peers == set()
        await asyncio.sleep(60)
        again = Node(net, "other", transport, listen=("", 7))
        await again.network.start()
        back_s = asyncio.get_running_loop().time()
        await home.until(lambda: bool(home.peers))
        assert asyncio.get_running_loop().time() - back_s <= 15
        await closing(home, again)

    run_virtual(scene())


def test_session_that_never_lives_long_is_not_dialled_at_full_speed(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        transport = DialTimes()
        home, other = Node(net, "home", transport), Node(net, "other", transport)
        await home.network.start()
        await other.network.start()
        home.network._on_session = lambda session: session.disconnect(DisconnectReason.SUBPROTOCOL_ERROR, "no")
        home.network.update_known([other.enode])
        await asyncio.sleep(60)
        assert 5 <= len(transport.times_s) <= 14
        home.closed.clear()
        await closing(home)
        await closing(other)

    run_virtual(scene())


def test_held_off_node_is_neither_dialled_nor_let_in_until_then(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        home, other = Node(net, "home", transport), Node(net, "other", transport)
        await home.network.start()
        await other.network.start()
        home.network.update_known([other.enode])
        other.network.update_known([home.enode])
        await home.until(lambda: bool(home.peers))
        await asyncio.sleep(20)
        start_s = asyncio.get_running_loop().time()
        count = len(home.opened)
        home.network.disconnect(other.network.node_id, DisconnectReason.USELESS_PEER, "a seal is wrong", 60.0)
        assert home.peers == set()
        assert home.closed[-1][1].detail == "a seal is wrong"
        await home.until(lambda: len(home.opened) > count)
        assert 60 <= asyncio.get_running_loop().time() - start_s <= 80
        assert any("stranger" in detail for detail in home.told(EventKind.REFUSED))
        await closing(home, other)

    run_virtual(scene())


def test_crowd_of_silent_strangers_does_not_keep_a_known_node_out(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        home = Node(net, "home", transport, limits=NetworkLimits(inbound_handshakes_max=4))
        await home.network.start()
        crowd = [await transport.dial("", home.network.port) for _ in range(6)]
        assert home.network.status().inbound_handshakes == 4
        friend = Node(net, "friend", transport)
        await friend.network.start()
        friend.network.update_known([home.enode])
        await home.until(lambda: bool(home.peers))
        assert home.told(EventKind.REFUSED).count("slow to say Hello while others wait to be let in") == 3
        await asyncio.sleep(11)
        assert home.network.status().inbound_handshakes == 0
        assert home.network.status().counts[EventKind.REFUSED] == 6
        for stream in crowd:
            stream.abort()
        await closing(home, friend)

    run_virtual(scene())


def test_peers_own_new_dial_replaces_its_dead_one(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        home, first = Node(net, "home", transport), Node(net, "other", transport)
        await home.network.start()
        await first.network.start()
        first.network.update_known([home.enode])
        await home.until(lambda: bool(home.peers))
        (old,) = home.network.sessions.values()
        again = Node(net, "other", transport)
        await again.network.start()
        again.network.update_known([home.enode])
        await home.until(lambda: len(home.opened) == 2)
        (new,) = home.network.sessions.values()
        assert new is not old
        assert home.closed[0][0] is old
        assert home.closed[0][1].reason is DisconnectReason.ALREADY_CONNECTED
        await closing(again, first, home)

    run_virtual(scene())


def test_close_waits_until_every_stream_is_gone(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        home, other = Node(net, "home", transport), Node(net, "other", transport)
        await home.network.start()
        await other.network.start()
        home.network.update_known([other.enode, Enode(net.node_id("gone"), "nowhere", 9)])
        silent = await transport.dial("", home.network.port)
        await home.until(lambda: bool(home.peers))
        await closing(home)
        assert home.network._streams == set()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        with pytest.raises(TransportFault):
            await transport.dial("", home.network.port)
        await other.until(lambda: bool(other.closed))
        assert other.closed[0][1].reason is DisconnectReason.CLIENT_QUITTING
        silent.abort()
        await closing(other)

    run_virtual(scene())


def test_handshake_timeout_is_the_sessions_own(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        home = Node(net, "home", transport, session_limits=SessionLimits(handshake_s=3))
        await home.network.start()
        stream = await transport.dial("", home.network.port)
        await home.until(lambda: bool(home.told(EventKind.REFUSED)))
        assert asyncio.get_running_loop().time() == pytest.approx(3)
        assert home.told(EventKind.REFUSED) == ["no Hello within 3 s"]
        stream.abort()
        await closing(home)

    run_virtual(scene())


def test_flood_of_connections_is_turned_away_at_the_gate(net: Any, play: Callable[..., None]) -> None:
    async def scene(transport: Transport) -> None:
        limits = NetworkLimits(gate=GateLimits(address_burst=8, address_per_s=0.001))
        home = Node(net, "home", transport, limits=limits)
        await home.network.start()
        crowd = [await transport.dial("127.0.0.1", home.network.port) for _ in range(40)]
        await home.until(lambda: len(home.told(EventKind.TURNED_AWAY)) == 32)
        assert home.network.status().inbound_handshakes == 8
        assert len(home.network._streams) == 8
        for stream in crowd:
            stream.abort()
        await closing(home)

    play(scene)


class FromElsewhere:
    """A pipe's end that says it comes from another address."""

    def __init__(self, stream: Stream, remote: str) -> None:
        self._stream = stream
        self.remote = remote

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def test_crowd_from_one_address_pushes_out_its_own(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        home = Node(net, "home", transport, limits=NetworkLimits(inbound_handshakes_max=4))
        await home.network.start()
        upon_stream = transport.listening[home.network.port]
        hosts = iter(["192.0.2.1", *["198.51.100.9"] * 20])
        transport.listening[home.network.port] = lambda stream: upon_stream(FromElsewhere(stream, f"{next(hosts)}:7"))
        streams = [await transport.dial("", home.network.port) for _ in range(21)]
        waiting = [session.remote for session in home.network._unopened]
        assert waiting == ["192.0.2.1:7", *["198.51.100.9:7"] * 3]
        for stream in streams:
            stream.abort()
        await closing(home)

    run_virtual(scene())


async def open_once(net: Any, home: Node, transport: Transport, name: str) -> Connection:
    """Dial as a bare client and exchange Hellos; the stream is cut when the other end has said all."""
    stream = await transport.dial("", home.network.port)
    client = Connection(net.local_node(name), home.network.node_id, net.Entropy(name))

    class Ear:
        def data_received(self, data: bytes) -> None:
            client.receive(data)

        def writing_resumed(self) -> None:
            pass

        def stream_closed(self, detail: str) -> None:
            pass

    stream.start(Ear())
    for _ in range(20):
        if output := client.take_output():
            stream.write(output)
        await asyncio.sleep(0)
        for _event in net.drain(client):
            pass
    stream.abort()
    await asyncio.sleep(0.01)
    return client


def test_node_that_opens_sessions_without_end_is_put_off(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        home = Node(net, "home", transport)
        await home.network.start()
        for _ in range(22):
            await open_once(net, home, transport, "restless")
        assert len(home.opened) == 20
        assert home.told(EventKind.REFUSED)[0] == "it opens sessions again and again"
        assert home.network.held_off_s(net.node_id("restless")) == pytest.approx(5, abs=0.1)
        assert "stranger" in home.told(EventKind.REFUSED)[1]
        await open_once(net, home, transport, "calm")
        assert len(home.opened) == 21
        await asyncio.sleep(60)
        await open_once(net, home, transport, "restless")
        assert len(home.opened) == 22
        await closing(home)

    run_virtual(scene())


def test_each_further_breach_keeps_a_node_out_twice_as_long(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        home = Node(net, "home", PipeTransport(), limits=NetworkLimits(hold_off_max_s=100))
        node_id = net.node_id("other")
        lengths = []
        for _ in range(4):
            home.network.disconnect(node_id, DisconnectReason.BREACH_OF_PROTOCOL, "", 30)
            home.network.disconnect(node_id, DisconnectReason.BREACH_OF_PROTOCOL, "again for the same", 30)
            lengths.append(home.network.held_off_s(node_id))
            await asyncio.sleep(lengths[-1] + 1)
        assert lengths == pytest.approx([30, 60, 100, 100])
        await asyncio.sleep(601)
        home.network.disconnect(node_id, DisconnectReason.BREACH_OF_PROTOCOL, "", 30)
        assert home.network.held_off_s(node_id) == pytest.approx(30)
        home.network.update_known([])
        assert len(home.network._breaches) == 1
        await asyncio.sleep(700)
        home.network.update_known([])
        assert home.network._breaches == {}
        assert home.network._held_off_until_s == {}

    run_virtual(scene())


def test_breach_counts_also_while_a_node_is_put_off_for_something_else(net: Any, run_virtual: Run) -> None:
    """Or who has used up its openings, and still has a session, could break the protocol as often as it likes."""

    async def scene() -> None:
        home = Node(net, "home", PipeTransport())
        node_id = net.node_id("other")
        for expected in (30, 60):
            home.network.disconnect(node_id, DisconnectReason.USELESS_PEER, "", 5)
            home.network.disconnect(node_id, DisconnectReason.BREACH_OF_PROTOCOL, "", 30)
            home.network.disconnect(node_id, DisconnectReason.USELESS_PEER, "shorter", 5)
            assert home.network.held_off_s(node_id) == pytest.approx(expected)
            await asyncio.sleep(expected + 1)

    run_virtual(scene())


def test_who_is_only_slow_is_never_put_off_for_longer(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        home = Node(net, "home", PipeTransport())
        for _ in range(4):
            home.network.disconnect(net.node_id("slow"), DisconnectReason.USELESS_PEER, "", 5)
            assert home.network.held_off_s(net.node_id("slow")) == pytest.approx(5)
            await asyncio.sleep(6)

    run_virtual(scene())


def test_breach_in_an_open_session_keeps_its_node_out(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        home, other = Node(net, "home", transport), Node(net, "other", transport)
        await home.network.start()
        await other.network.start()
        other.network.update_known([home.enode])
        await other.until(lambda: bool(other.opened))
        await home.until(lambda: bool(home.opened))
        other.opened[0]._stream.write(bytes(64))
        await home.until(lambda: bool(home.closed))
        assert home.closed[0][1].reason is DisconnectReason.BREACH_OF_PROTOCOL
        assert home.network.held_off_s(other.network.node_id) == pytest.approx(30)
        await asyncio.sleep(25)
        assert home.peers == set()
        await home.until(lambda: bool(home.peers))
        await closing(home, other)

    run_virtual(scene())


def test_name_that_is_only_claimed_is_not_put_off(net: Any, run_virtual: Run) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        home = Node(net, "home", transport)
        await home.network.start()
        client = Connection(net.local_node("victim"), home.network.node_id, net.Entropy("forger"))
        stream = await transport.dial("", home.network.port)
        stream.write(client.take_output() + bytes(64))  # a frame that a holder of the key would not send
        await home.until(lambda: bool(home.told(EventKind.REFUSED)))
        assert "frame header mac" in home.told(EventKind.REFUSED)[0]
        assert home.network.held_off_s(net.node_id("victim")) == 0
        stream.abort()
        await closing(home)

    run_virtual(scene())
