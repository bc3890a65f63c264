"""How one known node is kept connected: when it is dialled, and how long we wait after each failure.

The only place that knows the pauses. Whether a session exists, and who may enter, it asks; it opens nothing itself.
"""

import asyncio
import random
from dataclasses import dataclass
from typing import Protocol

from cocket.network.enode import Enode
from cocket.network.session import Session


@dataclass(frozen=True, slots=True)
class DialLimits:
    """The times of dialling, each with its reason."""

    timeout_s: float = 10.0
    """To a TCP connection; the handshake has its own timeout after it."""
    backoff_first_s: float = 0.5
    backoff_max_s: float = 15.0
    """Known peers are few and wanted: a network that comes back finds itself within this time."""
    yield_s: float = 0.25
    """The larger node id's first dial waits so long (the smaller may dial it first), so that dials rarely cross."""
    stable_s: float = 10.0
    """A session that lived so long counts as a success: the next dial starts from the first backoff again."""


class DialOwner(Protocol):
    """What a dialler asks of the peer network."""

    def is_connected(self, node_id: bytes) -> bool:
        """Whether there is a session with this node."""

    def may_enter(self, node_id: bytes) -> bool:
        """Whether a session with this node may be."""

    def held_off_s(self, node_id: bytes) -> float:
        """For how long this node is to stay away, 0 if it is not."""

    def is_larger_than(self, node_id: bytes) -> bool:
        """Whether our own id is the larger one."""

    async def dial(self, enode: Enode) -> Session | None:
        """Return a session to this node, its handshake begun, or None when it cannot be reached."""


class Dialler:
    """Keeps dialling one node from `start` until `stop`."""

    def __init__(self, enode: Enode, owner: DialOwner, limits: DialLimits, rng: random.Random) -> None:
        self.enode = enode
        self._owner = owner
        self._limits = limits
        self._rng = rng
        self._failures = 0
        self._session_ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to dial, if not begun."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep_connected())

    def stop(self) -> "asyncio.Task[None] | None":
        """Dial no more; return what is to be awaited until that is so."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    def upon_end(self, session: Session) -> None:
        """A session with the node, whoever dialled it, has ended."""
        lived_s = asyncio.get_running_loop().time() - session.opened_at_s if session.opened_at_s is not None else 0.0
        if lived_s >= self._limits.stable_s:
            self._failures = 0
        self._session_ended.set()

    async def _keep_connected(self) -> None:
        owner, node_id = self._owner, self.enode.node_id
        while True:
            self._session_ended.clear()
            if owner.is_connected(node_id):
                await self._session_ended.wait()
                continue
            pause_s = max(self._pause_s(), owner.held_off_s(node_id))
            if pause_s > 0:
                await asyncio.sleep(pause_s)
                if owner.is_connected(node_id):
                    continue
            self._failures += 1
            if owner.may_enter(node_id):
                session = await owner.dial(self.enode)
                if session is not None:
                    await session.closed.wait()

    def _pause_s(self) -> float:
        """Hardly a pause before the first dial, then doubling ones with jitter, so that nodes do not dial in step."""
        if self._failures == 0:
            return self._limits.yield_s if self._owner.is_larger_than(self.enode.node_id) else 0.0
        doubled = self._limits.backoff_first_s * 2.0 ** min(self._failures - 1, 16)
        return min(doubled, self._limits.backoff_max_s) * (0.5 + self._rng.random() / 2)
