"""Peers' transactions: each peer has its share of what waits, and a failed disk is heard of."""

import asyncio
from collections.abc import Awaitable, Callable
from threading import Event

from cocket.node.admission import PEER_BYTES_MAX, REFUSED_BURST, SHARES_MAX, TURN_COUNT, Admission
from cocket.node.chain.transaction import Transaction
from cocket.node.errors import InvalidTransaction, NodeFault


class SlowPool:
    """A pool that answers once it is let go; ``fault`` is what it then raises."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.go = Event()
        self.fault = fault
        self.added: list[bytes] = []

    def add(self, raw: bytes) -> bytes:
        self.go.wait(10)
        if self.fault is not None:
            raise self.fault
        self.added.append(raw)
        return raw

    def get(self, transaction_hash: bytes) -> Transaction | None:
        return None


def run(test: Callable[[asyncio.AbstractEventLoop], Awaitable[None]]) -> None:
    async def main() -> None:
        await test(asyncio.get_running_loop())

    asyncio.run(main())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.001)


def test_one_peers_flood_leaves_room_for_the_others() -> None:
    async def test(loop: asyncio.AbstractEventLoop) -> None:
        pool = SlowPool()
        admission = Admission(pool, loop, lambda _: None)  # type: ignore[arg-type]
        half = bytes(PEER_BYTES_MAX // 2)
        assert admission.offer(b"flooder", [half])
        assert admission.offer(b"flooder", [half])
        assert not admission.offer(b"flooder", [b"\1"])
        assert admission.offer(b"honest", [b"\2"])
        pool.go.set()
        await until(lambda: len(pool.added) == 3)
        await until(lambda: admission.offer(b"flooder", [half]))
        admission.close()

    run(test)


def test_a_message_larger_than_the_share_is_taken_by_an_idle_one() -> None:
    async def test(loop: asyncio.AbstractEventLoop) -> None:
        pool = SlowPool()
        pool.go.set()
        admission = Admission(pool, loop, lambda _: None)  # type: ignore[arg-type]
        assert admission.offer(b"peer", [bytes(PEER_BYTES_MAX + 1)])
        admission.close()

    run(test)


def test_a_fault_reaches_the_loops_handler_and_gives_the_share_back() -> None:
    async def test(loop: asyncio.AbstractEventLoop) -> None:
        heard: list[object] = []
        loop.set_exception_handler(lambda _loop, context: heard.append(context.get("exception")))
        pool = SlowPool(NodeFault("the disk is full"))
        pool.go.set()
        admission = Admission(pool, loop, lambda _: None)  # type: ignore[arg-type]
        for _ in range(3):
            assert admission.offer(b"peer", [bytes(PEER_BYTES_MAX)])
            await until(lambda: len(heard) > 0)
            assert isinstance(heard.pop(), NodeFault)
        admission.close()

    run(test)


def test_what_the_pool_refuses_is_passed_over() -> None:
    async def test(loop: asyncio.AbstractEventLoop) -> None:
        heard: list[object] = []
        loop.set_exception_handler(lambda _loop, context: heard.append(context))
        pool = SlowPool(InvalidTransaction("nonce"))
        pool.go.set()
        admission = Admission(pool, loop, lambda _: None)  # type: ignore[arg-type]
        assert admission.offer(b"peer", [bytes(PEER_BYTES_MAX)])
        await until(lambda: admission.offer(b"peer", [b"\1"]))
        admission.close()
        assert heard == []

    run(test)


def test_peers_take_turns_however_much_one_has_brought() -> None:
    async def test(loop: asyncio.AbstractEventLoop) -> None:
        pool = SlowPool()
        admission = Admission(pool, loop, lambda _: None)  # type: ignore[arg-type]
        flood = [number.to_bytes(4, "big") for number in range(10 * TURN_COUNT)]
        assert admission.offer(b"flooder", flood)
        assert admission.offer(b"honest", [b"vote me in"])
        pool.go.set()
        await until(lambda: len(pool.added) == len(flood) + 1)
        assert pool.added.index(b"vote me in") <= 2 * TURN_COUNT  # one turn ran, one was next when it came
        admission.close()

    run(test)


class RefusingPool(SlowPool):
    """A pool that takes nothing."""

    def add(self, raw: bytes) -> bytes:
        super().add(raw)
        raise InvalidTransaction("transaction: found one, expected none")


def test_who_brings_what_the_pool_refuses_is_not_listened_to_for_a_while() -> None:
    async def test(loop: asyncio.AbstractEventLoop) -> None:
        pool = RefusingPool()
        pool.go.set()
        admission = Admission(pool, loop, lambda _: None)  # type: ignore[arg-type]
        spam = [number.to_bytes(4, "big") for number in range(2 * REFUSED_BURST)]
        assert admission.offer(b"spammer", spam)
        await until(lambda: len(pool.added) > REFUSED_BURST)
        await until(lambda: not admission.offer(b"spammer", [b"more"]))
        assert len(pool.added) <= REFUSED_BURST + 3 * TURN_COUNT  # what came back while the thread went on
        assert admission.offer(b"honest", [b"mine"])
        await until(lambda: b"mine" in pool.added)
        admission.close()

    run(test)


def test_what_the_chain_has_already_is_not_held_against_its_bringer() -> None:
    async def test(loop: asyncio.AbstractEventLoop) -> None:
        pool = RefusingPool()
        pool.go.set()
        admission = Admission(pool, loop, lambda _: None, is_final=lambda _: True)  # type: ignore[arg-type]
        late = [number.to_bytes(4, "big") for number in range(2 * REFUSED_BURST)]
        assert admission.offer(b"honest", late)
        await until(lambda: len(pool.added) == len(late))
        assert admission.offer(b"honest", [b"another"])
        admission.close()

    run(test)


def test_what_is_remembered_of_peers_is_bounded() -> None:
    async def test(loop: asyncio.AbstractEventLoop) -> None:
        pool = SlowPool()
        pool.go.set()
        admission = Admission(pool, loop, lambda _: None)  # type: ignore[arg-type]
        for number in range(SHARES_MAX + 50):
            assert admission.offer(number.to_bytes(4, "big"), [b"x"])
            await until(lambda: not admission._is_busy)
        assert len(admission._shares) == SHARES_MAX
        admission.close()

    run(test)
