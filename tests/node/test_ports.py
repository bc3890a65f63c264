"""What the validator hears of builds and checks, and which errors stop the node instead."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from ledger.chains import RECORDER, Chain, set_slot
from ledger.faults import CURSED_SLOT, FaultyLedger

from cocket.node.chain.block import Block
from cocket.node.chain.builder import Builder
from cocket.node.chain.importer import Importer
from cocket.node.consensus.effects import Timer
from cocket.node.errors import NodeFault
from cocket.node.ports import ASK_AGAIN_S, LedgerExecutor, LoopTimers
from cocket.node.worker import BlockWorker


class Listener:
    """Keeps the answers that a validator would get, and the errors that reach the loop's handler."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.built: list[Block | None] = []
        self.verdicts: list[tuple[bool | None, str]] = []
        self.errors: list[object] = []
        self._news = asyncio.Event()
        loop.set_exception_handler(self._upon_error)

    def on_built(self, height: int, round_number: int, block: Block | None) -> None:
        self.built.append(block)
        self._news.set()

    def on_validated(self, height: int, round_number: int, digest: bytes, is_valid: bool | None, reason: str) -> None:
        self.verdicts.append((is_valid, reason))
        self._news.set()

    def _upon_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        self.errors.append(context.get("exception"))
        self._news.set()

    async def next(self) -> None:
        async with asyncio.timeout(60):
            await self._news.wait()
        self._news.clear()


Test = Callable[[LedgerExecutor, Listener], Awaitable[None]]


def run(chain: Chain, test: Test, ledger: FaultyLedger | None = None) -> None:
    """Let a real executor on a real worker answer a listener."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        worker, listener = BlockWorker(loop), Listener(loop)
        used = ledger or chain.ledger
        importer = Importer(used, chain.permission)
        builder = Builder(used, chain.permission, chain.pool, chain.clock)
        executor = LedgerExecutor(
            worker,
            used,
            importer,
            builder,
            chain.validators[0],
            lambda _height: 1000.0,
            lambda: listener,  # type: ignore[arg-type,return-value]
        )
        await test(executor, listener)
        worker.close()

    asyncio.run(main())


def faulty(chain: Chain, error: Exception) -> FaultyLedger:
    ledger = FaultyLedger(chain.store, chain.genesis)
    ledger.error = error
    return ledger


def test_a_right_proposal_is_valid_and_a_wrong_one_is_not() -> None:
    chain = Chain()
    block = chain.make(chain.users[0].sign(RECORDER, set_slot(CURSED_SLOT, 1)))

    async def test(executor: LedgerExecutor, listener: Listener) -> None:
        executor.validate(1, 0, bytes(32), block)
        await listener.next()
        executor.validate(1, 0, bytes(32), replace(block, header=replace(block.header, state_root=bytes(32))))
        await listener.next()
        assert listener.verdicts[0] == (True, "")
        assert listener.verdicts[1][0] is False
        assert "state root" in listener.verdicts[1][1]
        assert listener.errors == []

    run(chain, test)


def test_a_proposal_on_which_our_engine_fails_is_voted_down_with_the_reason() -> None:
    chain = Chain()
    block = chain.make(chain.users[0].sign(RECORDER, set_slot(CURSED_SLOT, 1)))

    async def test(executor: LedgerExecutor, listener: Listener) -> None:
        executor.validate(1, 0, bytes(32), block)
        await listener.next()
        assert listener.verdicts == [(False, "engine fault: ZeroDivisionError('a fault of the engine')")]
        assert listener.errors == []

    run(chain, test, FaultyLedger(chain.store, chain.genesis))


@pytest.mark.parametrize("is_build", [True, False])
def test_a_failed_disk_stops_the_node_at_a_proposal_as_at_a_build(is_build: bool) -> None:
    chain = Chain()
    block = chain.make(chain.users[0].sign(RECORDER, set_slot(CURSED_SLOT, 1)))

    async def test(executor: LedgerExecutor, listener: Listener) -> None:
        if is_build:
            executor.build(1, 0, chain.head, chain.head.timestamp + 1)
        else:
            executor.validate(1, 0, bytes(32), block)
        await listener.next()
        assert [str(error) for error in listener.errors] == ["the disk is full"]
        assert isinstance(listener.errors[0], NodeFault)
        assert (listener.built, listener.verdicts) == ([], [])

    run(chain, test, faulty(chain, NodeFault("the disk is full")))


def test_a_build_answers_with_a_block_without_what_our_engine_fails_on() -> None:
    chain = Chain()
    chain.pool.add(chain.users[0].sign(RECORDER, set_slot(CURSED_SLOT, 1)))
    good = chain.users[1].sign(RECORDER, set_slot(1, 1))
    chain.pool.add(good)

    async def test(executor: LedgerExecutor, listener: Listener) -> None:
        executor.build(1, 0, chain.head, chain.head.timestamp + 1)
        await listener.next()
        assert listener.errors == []
        assert [block and block.transactions for block in listener.built] == [(good,)]

    run(chain, test, FaultyLedger(chain.store, chain.genesis))


def test_any_other_error_of_a_build_stops_the_node_instead_of_leaving_it_waiting() -> None:
    chain = Chain()

    class FaultyBuilder(Builder):
        def build(self, *args: object, **fields: object) -> object:  # type: ignore[override]
            raise ZeroDivisionError("a fault of the builder")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        worker, listener = BlockWorker(loop), Listener(loop)
        builder = FaultyBuilder(chain.ledger, chain.permission, chain.pool, chain.clock)
        executor = LedgerExecutor(
            worker,
            chain.ledger,
            chain.importer,
            builder,
            chain.validators[0],
            lambda _height: 1.0,
            lambda: listener,  # type: ignore[arg-type,return-value]
        )
        executor.build(1, 0, chain.head, chain.head.timestamp + 1)
        await listener.next()
        worker.close()
        [error] = listener.errors
        assert isinstance(error, NodeFault)
        assert str(error) == "block 1 cannot be built: ZeroDivisionError('a fault of the builder')"
        assert listener.built == []

    asyncio.run(main())


def test_a_build_on_a_head_that_moved_answers_with_nothing() -> None:
    chain = Chain()
    chain.pool.add(chain.users[0].sign(RECORDER, set_slot(1, 1)))

    async def test(executor: LedgerExecutor, listener: Listener) -> None:
        executor.build(1, 0, replace(chain.head, timestamp=1), chain.head.timestamp + 1)
        await listener.next()
        assert listener.built == [None]
        assert listener.errors == []

    run(chain, test)


# --- timers -------------------------------------------------------------------------------------------------------


class FakeLoop:
    """A loop whose time passes only when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._handles: list[FakeHandle] = []

    def call_later(self, after_s: float, callback: Callable[..., None], *arguments: object) -> "FakeHandle":
        handle = FakeHandle(self.now_s + after_s, callback, arguments)
        self._handles.append(handle)
        return handle

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds
        for handle in [handle for handle in self._handles if handle.at_s <= self.now_s]:
            self._handles.remove(handle)
            if not handle.is_cancelled:
                handle.callback(*handle.arguments)


class FakeHandle:
    def __init__(self, at_s: float, callback: Callable[..., None], arguments: tuple[object, ...]) -> None:
        self.at_s, self.callback, self.arguments = at_s, callback, arguments
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Alarm:
    """Timers, what they fired, and the heights said to be early."""

    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.early: set[int] = set()
        self.fired: list[tuple[Timer, int, int]] = []
        self.timers = LoopTimers(self.loop, self._fire, self.early.__contains__)  # type: ignore[arg-type]

    def _fire(self, timer: Timer, height: int, round_number: int) -> None:
        self.fired.append((timer, height, round_number))


def test_a_height_is_opened_and_a_round_left_only_when_it_is_not_early() -> None:
    alarm = Alarm()
    alarm.early.add(7)
    alarm.timers.start_block_timer(7, 0)
    alarm.timers.start_timer(Timer.ROUND, 7, 3, 0)
    for _ in range(3):
        alarm.loop.pass_time(ASK_AGAIN_S)
    assert alarm.fired == []
    alarm.early.clear()
    alarm.loop.pass_time(ASK_AGAIN_S)
    assert sorted(alarm.fired, key=str) == [(Timer.BLOCK, 7, 0), (Timer.ROUND, 7, 3)]
    alarm.loop.pass_time(1)
    assert len(alarm.fired) == 2


def test_a_height_that_begins_takes_the_place_of_one_held_back() -> None:
    alarm = Alarm()
    alarm.early.add(7)
    alarm.timers.start_block_timer(7, 0)
    alarm.loop.pass_time(ASK_AGAIN_S)
    alarm.timers.start_block_timer(8, 0)
    alarm.early.clear()
    alarm.loop.pass_time(1)
    assert alarm.fired == [(Timer.BLOCK, 8, 0)]


def test_what_is_said_again_and_what_waits_for_a_clock_is_not_held_back() -> None:
    alarm = Alarm()
    alarm.early.add(7)
    alarm.timers.start_timer(Timer.RESEND, 7, 0, 1_000)
    alarm.timers.start_timer(Timer.EARLY, 7, 0, 1_000)
    alarm.loop.pass_time(0.9)
    assert alarm.fired == []
    alarm.loop.pass_time(0.2)
    assert [timer for timer, _, _ in alarm.fired] == [Timer.RESEND, Timer.EARLY]


def test_a_timer_held_back_is_cancelled_with_the_others() -> None:
    alarm = Alarm()
    alarm.early.add(7)
    alarm.timers.start_block_timer(7, 0)
    alarm.loop.pass_time(ASK_AGAIN_S)
    alarm.timers.cancel_all()
    alarm.early.clear()
    alarm.loop.pass_time(1)
    assert alarm.fired == []
