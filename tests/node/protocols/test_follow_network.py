"""Following over real sessions, with real seals and execution: a node that was down, and blocks that break rules."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from following.nodes import FollowingNode
from ledger.chains import RECORDER, Chain, set_slot

from cocket.network.errors import DisconnectReason
from cocket.network.pipe import PipeTransport
from cocket.network.tcp import TcpTransport
from cocket.network.transport import Transport
from cocket.node.chain.block import Block, encode_body
from cocket.node.chain.header import Header, block_hash, with_seals
from cocket.node.protocols.eth import GetBlockHeaders, encode_message


@pytest.fixture(scope="module")
def source() -> Chain:
    """A chain of sixty blocks, some with transactions."""
    made = Chain()
    for number in range(60):
        transactions = [made.users[n].sign(RECORDER, set_slot(number, n)) for n in range(number % 3)]
        made.extend(*transactions)
    return made


@asynccontextmanager
async def running(*nodes: FollowingNode) -> AsyncIterator[None]:
    for node in nodes:
        await node.network.start()
    try:
        yield
    finally:
        for node in nodes:
            await node.network.close()


@pytest.mark.parametrize("make", [PipeTransport, TcpTransport])
def test_node_that_was_down_catches_up_by_itself(source: Chain, make: Callable[[], Transport]) -> None:
    async def scene() -> None:
        transport = make()
        servers = [FollowingNode(name, source, transport) for name in "AB"]
        late = FollowingNode("late", Chain(), transport)
        async with running(*servers, late):
            late.network.update_known([server.enode for server in servers])
            await late.until(lambda: late.caught_up == [60])
            assert late.chain.ledger.head_hash == source.ledger.head_hash
            assert late.chain.head.state_root == source.head.state_root
            assert late.dropped == []

    asyncio.run(scene())


def test_announced_blocks_keep_a_node_level() -> None:
    async def scene() -> None:
        transport = PipeTransport()
        source = Chain()
        maker, follower = FollowingNode("maker", source, transport), FollowingNode("follower", Chain(), transport)
        async with running(maker, follower):
            follower.network.update_known([maker.enode])
            await follower.until(lambda: follower.caught_up == [0])
            for number in range(5):
                maker.announce(source.extend(source.users[0].sign(RECORDER, set_slot(number, 1))))
                await follower.until(lambda: follower.chain.ledger.head_hash == source.ledger.head_hash)
            assert follower.caught_up == [0]
            assert follower.network.status().peers[0].messages_out <= 2

    asyncio.run(scene())


Change = Callable[[Chain, Block], Block]


def resealed(**fields: Any) -> Change:
    """A change of header fields that a whole quorum of validators signs."""
    return lambda chain, block: chain.seal(replace(block, header=replace(block.header, **fields)))


BREACHES: list[tuple[Change, str]] = [
    (lambda chain, block: replace(block, header=with_seals(block.header, ())), "seal"),
    (lambda chain, block: chain.seal(block, chain.keys[:2]), "seal"),
    (lambda chain, block: chain.seal(block, [chain.keys[0]] * 3), "seal"),
    (lambda chain, block: chain.seal(block, [bytes([7]) * 32] * 3), "seal"),
    (resealed(state_root=bytes(32)), "state root"),
    (resealed(receipts_root=bytes(32)), "receipts root"),
    (resealed(gas_used=21_001), "gas used"),
    (resealed(timestamp=1), "timestamp"),
    (resealed(coinbase=bytes(20)), "coinbase"),
    (resealed(difficulty=2), "difficulty"),
    (resealed(base_fee_per_gas=1), "baseFee"),
]


def wrong_block(change: Change) -> tuple[Chain, Block]:
    source = Chain()
    source.extend(source.users[0].sign(RECORDER, set_slot(1, 1)))
    return source, change(source, source.make(source.users[1].sign(RECORDER, set_slot(2, 2))))


@pytest.mark.parametrize(("change", "says"), BREACHES)
def test_announced_block_that_breaks_a_rule_costs_the_session(change: Change, says: str) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        source, wrong = wrong_block(change)
        liar, follower = FollowingNode("liar", source, transport), FollowingNode("follower", Chain(), transport)
        async with running(liar, follower):
            follower.network.update_known([liar.enode])
            await follower.until(lambda: follower.caught_up == [1])
            liar.announce(wrong)
            await follower.until(lambda: bool(follower.dropped))
            assert says in follower.dropped[0].reason
            assert follower.dropped[0].is_fault
            assert follower.chain.head.number == 1
            assert follower.network.sessions == {}
            await liar.until(lambda: bool(liar.endings))
            assert liar.endings[0].reason is DisconnectReason.SUBPROTOCOL_ERROR

    asyncio.run(scene())


class Forging:
    """A ledger that serves one wrong block on top of the true ones."""

    def __init__(self, chain: Chain, block: Block) -> None:
        self._ledger = chain.ledger
        self._block = block
        chain.ledger = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    @property
    def head(self) -> Header:
        return self._block.header

    @property
    def head_hash(self) -> bytes:
        return block_hash(self._block.header)

    def header_by_number(self, number: int) -> Any:
        return self._block.header if number == self._block.header.number else self._ledger.header_by_number(number)

    def header_by_hash(self, hash_: bytes) -> Any:
        return self._block.header if hash_ == self.head_hash else self._ledger.header_by_hash(hash_)

    def body_bytes(self, hash_: bytes) -> Any:
        return encode_body(self._block.body) if hash_ == self.head_hash else self._ledger.body_bytes(hash_)


@pytest.mark.parametrize(("change", "says"), BREACHES)
def test_served_block_that_breaks_a_rule_costs_the_session_and_the_good_ones_stay(change: Change, says: str) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        source, wrong = wrong_block(change)
        Forging(source, wrong)
        liar, follower = FollowingNode("liar", source, transport), FollowingNode("follower", Chain(), transport)
        async with running(liar, follower):
            follower.network.update_known([liar.enode])
            await follower.until(lambda: bool(follower.dropped))
            assert "block 2" in follower.dropped[0].reason
            assert says in follower.dropped[0].reason
            assert follower.chain.head.number == 1
            assert follower.follower.status().look_ahead_blocks == 0

    asyncio.run(scene())


def test_node_of_another_network_is_told_and_refused(source: Chain) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        home, other = FollowingNode("home", source, transport), FollowingNode("other", Chain(), transport)
        other.network_id = 99
        async with running(home, other):
            other.network.update_known([home.enode])
            await home.until(lambda: bool(home.endings))
            assert "network id: found 99, expected 4455" in home.endings[0].detail
            await other.until(lambda: bool(other.endings))

    asyncio.run(scene())


def test_message_before_a_status_is_a_breach(source: Chain) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        home, other = FollowingNode("home", source, transport), FollowingNode("other", source, transport)
        other.send = lambda session, message: session.send("eth", *encode_message(GetBlockHeaders(1, 0, 1)))  # type: ignore[method-assign]
        async with running(home, other):
            other.network.update_known([home.enode])
            await home.until(lambda: bool(home.endings))
            assert "found GetBlockHeaders, expected one Status and that first" in home.endings[0].detail

    asyncio.run(scene())


def test_node_comes_back_after_its_only_peer_was_gone(source: Chain) -> None:
    async def scene() -> None:
        transport = PipeTransport()
        late = FollowingNode("late", Chain(), transport)
        first = FollowingNode("first", source, transport)
        async with running(late):
            async with running(first):
                late.network.update_known([first.enode])
                await late.until(lambda: late.chain.head.number >= 5)
            stopped_at = late.chain.head.number
            second = FollowingNode("second", source, transport)
            async with running(second):
                late.network.update_known([second.enode])
                await late.until(lambda: late.chain.head.number == 60)
            assert stopped_at <= 60

    asyncio.run(scene())
