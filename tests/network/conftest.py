"""What the network tests share: keys, two joined ends in memory, and a loop whose time jumps when nothing is ready."""

import asyncio
import hashlib
import json
import selectors
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop
from coincurve import PrivateKey

from cocket.network.connection import Connection, Event, LocalNode
from cocket.network.ecies import node_id_of
from cocket.network.hello import Capability

T = TypeVar("T")
ETH = Capability("eth", 68, 17)
ISTANBUL = Capability("istanbul", 100, 22)


class Entropy:
    """Random bytes that are the same every time."""

    def __init__(self, seed: str) -> None:
        self._state = hashlib.sha256(seed.encode()).digest()

    def __call__(self, count: int) -> bytes:
        out = b""
        while len(out) < count:
            self._state = hashlib.sha256(self._state).digest()
            out += self._state
        return out[:count]


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop that never waits: when nothing is ready, its time jumps to the next timer."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing is left that could happen: the test would hang"
            self._loop.jump(timeout)
        return ready


def _run_in(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    failures: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    try:
        return loop.run_until_complete(coroutine)
    finally:
        leftovers = asyncio.all_tasks(loop)
        for task in leftovers:
            task.cancel()
        if leftovers:
            loop.run_until_complete(asyncio.wait(leftovers))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        assert not failures, failures


@pytest.fixture
def run_virtual() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Run a coroutine to its end in virtual time; an error in any callback fails the test."""
    return lambda coroutine: _run_in(VirtualTimeLoop(), coroutine)


@pytest.fixture
def run_real() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Run a coroutine to its end in a real loop; an error in any callback fails the test."""
    return lambda coroutine: _run_in(asyncio.SelectorEventLoop(), coroutine)


@pytest.fixture
def run_uvloop() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Run a coroutine to its end in the loop that nodes run on."""
    return lambda coroutine: _run_in(uvloop.new_event_loop(), coroutine)


@pytest.fixture(scope="session")
def eip8() -> dict[str, Any]:
    """geth's published handshake and frame vectors."""
    path = Path(__file__).parents[1] / "vectors" / "rlpx_eip8_geth.json"
    return json.loads(path.read_text())


def key_of(name: str) -> PrivateKey:
    return PrivateKey(hashlib.sha256(name.encode()).digest())


def local_node(name: str, **changes: Any) -> LocalNode:
    given: dict[str, Any] = {
        "key": key_of(name),
        "client_id": f"test/{name}",
        "capabilities": (ETH, ISTANBUL),
        "may_enter": lambda node_id: True,
    }
    return LocalNode(**(given | changes))


class Joined:
    """Two ends in memory: `dialler` has dialled `listener`; bytes move when `carry` is called."""

    def __init__(
        self,
        dialler: LocalNode | None = None,
        listener: LocalNode | None = None,
        remote_id: bytes | None = None,
        alter: Callable[[bytes], bytes] = lambda data: data,
    ) -> None:
        dialler = dialler or local_node("dialler")
        listener = listener or local_node("listener")
        self.alter = alter
        self.dialler = Connection(dialler, remote_id or listener.node_id, Entropy("dialler"))
        self.listener = Connection(listener, None, Entropy("listener"))

    def carry(self) -> tuple[list[Event], list[Event]]:
        """Carry bytes both ways until silence; return the events at (dialler, listener)."""
        at_dialler: list[Event] = []
        at_listener: list[Event] = []
        for _ in range(100):
            there = self.alter(self.dialler.take_output())
            self.listener.receive(there)
            at_listener += drain(self.listener)
            back = self.listener.take_output()
            self.dialler.receive(back)
            at_dialler += drain(self.dialler)
            if not there and not back:
                return at_dialler, at_listener
        raise AssertionError("two ends chatter without end")


def drain(connection: Connection) -> Iterator[Event]:
    while (event := connection.next_event()) is not None:
        yield event


@pytest.fixture
def joined() -> Joined:
    """Two ends that have exchanged Hellos."""
    pair = Joined()
    pair.carry()
    assert pair.dialler.is_open
    assert pair.listener.is_open
    return pair


@pytest.fixture
def net() -> Any:
    """The makers of this file, for tests that build their own ends."""

    class Makers:
        Entropy = Entropy
        Joined = Joined
        ETH = ETH
        ISTANBUL = ISTANBUL
        key_of = staticmethod(key_of)
        local_node = staticmethod(local_node)
        drain = staticmethod(drain)
        node_id = staticmethod(lambda name: node_id_of(key_of(name)))

    return Makers
