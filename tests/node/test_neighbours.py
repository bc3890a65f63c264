"""What neighbours are told, when, and how often; on a loop whose time moves when the test says so."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
from ledger.chains import RECORDER, Chain, set_slot

from cocket.network.session import Session
from cocket.node.chain.block import Block
from cocket.node.chain.transaction import Transaction, decode_transaction
from cocket.node.errors import PeerError
from cocket.node.neighbours import HEAD_AGAIN_S, RELAY_S, TELL_S, Neighbours
from cocket.node.protocols import eth

Run = Callable[[Coroutine[Any, Any, None]], None]


class SteppedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still between steps."""

    now_s = 100.0

    def time(self) -> float:
        return self.now_s

    async def step(self, seconds: float) -> None:
        self.now_s += seconds + 0.001
        for _ in range(3):
            await asyncio.sleep(0)


@pytest.fixture
def run() -> Run:
    def run_here(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=SteppedLoop) as runner:
            runner.run(main)

    return run_here


class Peer:
    """A session that keeps what it is told; it does not vote unless ``is_validator``."""

    def __init__(self, name: str, *, is_validator: bool = True) -> None:
        self.node_id = name.encode() * 64
        self.capabilities = {"eth": 68} | ({"istanbul": 100} if is_validator else {})
        self.told: list[eth.Message] = []

    def send(self, capability: str, code: int, payload: bytes) -> bool:
        assert capability == "eth"
        self.told.append(eth.decode_message(code, payload))
        return True

    def take(self) -> list[eth.Message]:
        told, self.told = self.told, []
        return told


class Scene:
    """Neighbours over a chain, which is the shell too, and peers that have said their Status."""

    def __init__(self, *names: str) -> None:
        self.loop = cast(SteppedLoop, asyncio.get_running_loop())
        self.chain = Chain()
        self.chain.extend()
        self.admitted: asyncio.Queue[Transaction] = asyncio.Queue()
        self.neighbours = Neighbours(self.chain.ledger, self.chain.pool, self)
        self.peers = [Peer(name) for name in names]
        ledger = self.chain.ledger
        for peer in self.peers:
            self.neighbours.upon_session(cast(Session, peer))
            self.hear(peer, eth.status_of(ledger.genesis, ledger.genesis.spec.chain_id, ledger.head, ledger.head_hash))
            peer.take()

    def hear(self, peer: Peer, message: eth.Message) -> None:
        self.neighbours.upon_message(cast(Session, peer), *eth.encode_message(message))

    def sign(self, value: int) -> bytes:
        return self.chain.users[0].sign(RECORDER, set_slot(1, value))

    def import_block(self, block: Block, block_hash: bytes) -> None:
        raise AssertionError("nobody brings a block here")

    def upon_ready(self, session: Session) -> None:
        pass

    def upon_admitted(self, transaction: Transaction) -> None:
        self.admitted.put_nowait(transaction)

    def upon_caught_up(self, number: int) -> None:
        pass

    def drop_peer(self, node_id: bytes, reason: str, *, is_fault: bool) -> None:
        raise AssertionError(f"dropped {node_id!r}: {reason}")


def test_what_a_client_brought_is_sent_whole_and_together(run: Run) -> None:
    async def main() -> None:
        scene = Scene("a", "b")
        raws = scene.sign(1), scene.sign(2)
        for raw in raws:
            scene.chain.pool.add(raw)
            scene.neighbours.announce_transaction(decode_transaction(raw))
        assert [peer.take() for peer in scene.peers] == [[], []]
        await scene.loop.step(TELL_S)
        assert [peer.take() for peer in scene.peers] == [[eth.Transactions(raws)]] * 2
        await scene.loop.step(RELAY_S)
        assert [peer.take() for peer in scene.peers] == [[], []]
        scene.neighbours.close()

    run(main())


def test_what_a_peer_brought_is_announced_later_to_the_others(run: Run) -> None:
    async def main() -> None:
        scene = Scene("a", "b")
        origin, other = scene.peers
        raw = scene.sign(1)
        scene.hear(origin, eth.Transactions((raw,)))
        transaction = await scene.admitted.get()
        await scene.loop.step(TELL_S)
        assert other.take() == []
        await scene.loop.step(RELAY_S)
        announced = eth.NewPooledTransactionHashes(bytes([transaction.type]), (len(raw),), (transaction.hash,))
        assert other.take() == [announced]
        assert origin.take() == []
        scene.neighbours.close()

    run(main())


def test_what_a_block_took_meanwhile_is_not_announced(run: Run) -> None:
    async def main() -> None:
        scene = Scene("a", "b")
        origin, other = scene.peers
        scene.hear(origin, eth.Transactions((scene.sign(1),)))
        await scene.admitted.get()
        scene.chain.extend()
        await scene.loop.step(RELAY_S)
        assert other.take() == []
        scene.neighbours.close()

    run(main())


def test_late_votes_are_answered_with_the_head_once_in_a_while(run: Run) -> None:
    async def main() -> None:
        scene = Scene("a", "b")
        late, other = scene.peers
        for _ in range(3):
            scene.neighbours.send_head(late.node_id)
        (message,) = late.take()
        assert isinstance(message, eth.NewBlock)
        assert message.block.header.number == 1
        await scene.loop.step(HEAD_AGAIN_S)
        scene.neighbours.send_head(late.node_id)
        assert len(late.take()) == 1
        assert other.take() == []
        scene.neighbours.send_head(b"x" * 64)  # gone meanwhile
        scene.neighbours.close()

    run(main())


def test_an_answer_after_its_time_is_late_and_one_that_nobody_asked_for_breaks_the_protocol(run: Run) -> None:
    """A node that is slow must not throw out those who answered it."""

    async def main() -> None:
        scene = Scene("a")
        (peer,) = scene.peers
        raw = scene.sign(1)
        transaction = decode_transaction(raw)
        scene.hear(peer, eth.NewPooledTransactionHashes(bytes([transaction.type]), (len(raw),), (transaction.hash,)))
        (asked,) = peer.take()
        assert isinstance(asked, eth.GetPooledTransactions)
        for _ in range(7):
            await scene.loop.step(1.0)
        scene.hear(peer, eth.PooledTransactions(asked.request_id, (raw,)))
        assert (await scene.admitted.get()).hash == transaction.hash
        for unasked in (asked.request_id, asked.request_id + 1):
            with pytest.raises(PeerError, match="was not asked"):
                scene.hear(peer, eth.PooledTransactions(unasked, ()))
        scene.neighbours.close()

    run(main())
