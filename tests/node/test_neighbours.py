"""What neighbours are told, when, and how often; on a loop whose time moves when the test says so."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, cast

import pytest
from ledger.chains import RECORDER, Chain, set_slot

from cocket.network.errors import DisconnectReason
from cocket.network.session import Session
from cocket.node.chain.block import Block
from cocket.node.chain.header import encode_header
from cocket.node.chain.rlp_codec import join_list
from cocket.node.chain.transaction import Transaction, decode_transaction
from cocket.node.errors import PeerError
from cocket.node.neighbours import (
    ASKED_TRANSACTIONS_LOOP_S,
    HEAD_AGAIN_S,
    RELAY_S,
    SERVE_QUEUE_BYTES_MAX,
    STATUS_TIMEOUT_S,
    TELL_S,
    TICK_S,
    TYPE_MAX,
    Neighbours,
    fault_reason,
    goodbye_reason,
)
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
        self.queue = (0, 0)
        self.excused_s = 0.0

    def excuse(self, seconds: float) -> None:
        self.excused_s += seconds

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
        self.may_drop = False
        self.dropped: list[tuple[bytes, str, bool]] = []
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
        assert self.may_drop, f"dropped {node_id!r}: {reason}"
        self.dropped.append((node_id, reason, is_fault))


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


def test_answer_that_nobody_asked_for_is_refused_before_it_is_decoded(run: Run) -> None:
    async def main() -> None:
        scene = Scene("a")
        (peer,) = scene.peers
        for code in sorted(eth.ANSWERS):
            # [7, and then what is no RLP]: that it is not looked at shows in the words of the refusal.
            with pytest.raises(PeerError, match="id 7, under which nothing was asked"):
                scene.neighbours.upon_message(cast(Session, peer), code, b"\xc3\x07\xff\xff")
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
        assert peer.excused_s == 0  # only what answers
        for _ in range(7):
            await scene.loop.step(1.0)
        scene.hear(peer, eth.PooledTransactions(asked.request_id, (raw,)))
        assert (await scene.admitted.get()).hash == transaction.hash
        assert peer.excused_s == ASKED_TRANSACTIONS_LOOP_S
        for unasked in (asked.request_id, asked.request_id + 1):
            with pytest.raises(PeerError, match="nothing was asked"):
                scene.hear(peer, eth.PooledTransactions(unasked, ()))
        scene.neighbours.close()

    run(main())


def test_who_asks_for_more_than_it_reads_is_not_answered_until_it_has_read(run: Run) -> None:
    """Not dropped: a node that was frozen or is on a slow link has much to read, and asks at once."""

    async def main() -> None:
        scene = Scene("a")
        (peer,) = scene.peers
        for waiting, is_served in ((SERVE_QUEUE_BYTES_MAX, True), (SERVE_QUEUE_BYTES_MAX + 1, False), (0, True)):
            peer.queue = (4, waiting)
            scene.hear(peer, eth.GetBlockHeaders(1, 0, 1))
            assert [type(message) for message in peer.take()] == [eth.BlockHeaders] * is_served
        scene.neighbours.close()

    run(main())


def test_block_that_is_not_the_next_one_is_not_decoded_further_than_its_header(run: Run) -> None:
    """Or each of ten megabytes, of any height, would be the loop's to read."""

    async def main() -> None:
        scene = Scene("a")
        (peer,) = scene.peers
        head = scene.chain.ledger.head
        nonsense = b"\xc2\xff\xff"
        for number, parent_hash in (
            (head.number, bytes(32)),
            (head.number + 9, bytes(32)),
            (head.number + 1, bytes(32)),
        ):
            header = replace(head, number=number, parent_hash=parent_hash)
            payload = join_list([join_list([encode_header(header), nonsense, b"\xc0"]), b"\x01"])
            scene.neighbours.upon_message(cast(Session, peer), eth.Code.NEW_BLOCK, payload)
            assert scene.neighbours.height_of(peer.node_id) == max(
                number, scene.neighbours.height_of(peer.node_id) or 0
            )
        following = replace(head, number=head.number + 1, parent_hash=scene.chain.ledger.head_hash)
        payload = join_list([join_list([encode_header(following), nonsense, b"\xc0"]), b"\x01"])
        with pytest.raises(PeerError, match="new block: at byte"):
            scene.neighbours.upon_message(cast(Session, peer), eth.Code.NEW_BLOCK, payload)
        for payload in (b"", b"\xc0", b"\xc2\xc0\x01", b"\xc3\xc1\xc0\x01", b"\xc2\x01\x01"):
            with pytest.raises(PeerError, match="eth new block"):
                scene.neighbours.upon_message(cast(Session, peer), eth.Code.NEW_BLOCK, payload)
        scene.neighbours.close()

    run(main())


def test_transaction_of_a_type_that_nobody_knows_is_a_breach_and_an_invalid_one_is_not(run: Run) -> None:
    async def main() -> None:
        scene = Scene("a")
        (peer,) = scene.peers
        scene.hear(peer, eth.Transactions((b"\x03 nonsense", bytes([TYPE_MAX]) + b" more of it")))
        with pytest.raises(PeerError, match="type 0x05"):
            scene.hear(peer, eth.Transactions((bytes([TYPE_MAX + 1]) + b"x",)))
        scene.neighbours.close()

    run(main())


def test_second_status_and_another_networks_are_told_apart(run: Run) -> None:
    async def main() -> None:
        scene = Scene("a")
        ledger = scene.chain.ledger
        ours = eth.status_of(ledger.genesis, ledger.genesis.spec.chain_id, ledger.head, ledger.head_hash)
        with pytest.raises(PeerError, match="second Status") as second:
            scene.hear(scene.peers[0], ours)
        assert fault_reason(second.value) is DisconnectReason.BREACH_OF_PROTOCOL
        other = Peer("b")
        scene.neighbours.upon_session(cast(Session, other))
        with pytest.raises(PeerError, match="expected Status first") as early:
            scene.hear(other, eth.GetBlockHeaders(1, 0, 1))
        assert fault_reason(early.value) is DisconnectReason.BREACH_OF_PROTOCOL
        with pytest.raises(PeerError, match="network id") as foreign:
            scene.hear(other, replace(ours, network_id=99))
        assert fault_reason(foreign.value) is DisconnectReason.SUBPROTOCOL_ERROR
        scene.neighbours.close()

    run(main())


def test_who_says_no_status_is_dropped_without_blame(run: Run) -> None:
    async def main() -> None:
        scene = Scene("a")
        silent = Peer("b")
        scene.neighbours.upon_session(cast(Session, silent))
        scene.may_drop = True
        for _ in range(int(STATUS_TIMEOUT_S / TICK_S)):
            assert scene.dropped == []
            await scene.loop.step(TICK_S)
        assert scene.dropped == [(silent.node_id, "no Status within 10 s", False)]
        scene.neighbours.close()

    run(main())


def test_node_that_stood_still_hears_what_has_come_before_it_blames_anybody(run: Run) -> None:
    async def main() -> None:
        scene = Scene("a")
        late = Peer("b")
        scene.neighbours.upon_session(cast(Session, late))
        await scene.loop.step(STATUS_TIMEOUT_S + 60)  # stopped and resumed: timers run before the sockets are read
        ledger = scene.chain.ledger
        scene.hear(late, eth.status_of(ledger.genesis, ledger.genesis.spec.chain_id, ledger.head, ledger.head_hash))
        silent = Peer("c")
        scene.neighbours.upon_session(cast(Session, silent))
        scene.may_drop = True
        for _ in range(3):  # but a node that is always late does not wait for ever
            await scene.loop.step(STATUS_TIMEOUT_S)
        assert {node_id for node_id, _, _ in scene.dropped} == {silent.node_id}
        scene.neighbours.close()

    run(main())


def test_goodbye_has_devp2ps_word() -> None:
    assert goodbye_reason(is_fault=True) is DisconnectReason.BREACH_OF_PROTOCOL
    assert goodbye_reason(is_fault=False) is DisconnectReason.USELESS_PEER
