"""Against an independent peer, npm @ethereumjs/devp2p: handshake, frames, Hello, snappy, eth/68 and istanbul offsets.

Needs node and npm; the peer's packages are installed once from their lock file into tests/oracles/devp2p.
"""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import rlp
from ledger.chains import CHAIN_ID, RECORDER, Chain, set_slot

from cocket.network.enode import Enode
from cocket.network.errors import DisconnectReason
from cocket.network.peers import EventKind, NetworkEvent, PeerNetwork
from cocket.network.session import Ending, Session
from cocket.node.chain.header import header_items
from cocket.node.protocols import eth, istanbul, serve
from cocket.node.protocols.eth import (
    BlockBodies,
    BlockHeaders,
    GetBlockBodies,
    GetBlockHeaders,
    GetReceipts,
    Status,
    Transactions,
    decode_message,
    encode_message,
    status_of,
    validate_status,
)

ORACLE = Path(__file__).parents[1] / "oracles" / "devp2p"
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(scope="module")
def oracle() -> Path:
    """The oracle's script, its packages installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not on this machine")
    if not (ORACLE / "node_modules" / "@ethereumjs" / "devp2p").is_dir():
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=ORACLE, check=True, capture_output=True, timeout=300
        )
    return ORACLE / "peer.mjs"


@pytest.fixture(scope="module")
def chain() -> Chain:
    made = Chain()
    for number in range(3):
        typed = made.users[1].sign(RECORDER, set_slot(number, 7), max_fee_per_gas=10, max_priority_fee_per_gas=0)
        made.extend(made.users[0].sign(RECORDER, set_slot(number, 1)), typed)
    return made


class Peer:
    """The independent peer's process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, script: Path, key: bytes, chain: Chain, fork_hash: bytes | None = None) -> "Peer":
        fork = fork_hash or eth.fork_id(chain.genesis).hash
        setup = {"key": key.hex(), "chainId": CHAIN_ID, "forkHash": fork.hex(), "clientId": "oracle/1"}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            "node", str(script), json.dumps(setup), stdin=pipe, stdout=pipe, limit=1 << 24
        )
        peer = cls(process)
        await peer.hear("ready")
        return peer

    def do(self, what: str, **fields: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **fields}).encode() + b"\n")

    async def hear(self, event: str) -> dict[str, Any]:
        """The next event, which must be this one."""
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            line = await self._process.stdout.readline()
        heard: dict[str, Any] = json.loads(line)
        assert heard["event"] == event, heard
        return heard

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


class Home:
    """Our end: a peer network that keeps what it hears."""

    def __init__(self, key: bytes) -> None:
        self.sessions: asyncio.Queue[Session] = asyncio.Queue()
        self.messages: asyncio.Queue[tuple[str, int, bytes]] = asyncio.Queue()
        self.endings: asyncio.Queue[Ending] = asyncio.Queue()
        self.refusals: asyncio.Queue[NetworkEvent] = asyncio.Queue()
        self.allowed: bool = True
        self.network = PeerNetwork(
            key,
            "cocket/test",
            [eth.CAPABILITY, istanbul.CAPABILITY],
            ("127.0.0.1", 0),
            lambda node_id: self.allowed,
            on_session=self.sessions.put_nowait,
            on_message=lambda session, capability, code, payload: self.messages.put_nowait((capability, code, payload)),
            on_closed=lambda session, ending: self.endings.put_nowait(ending),
            on_event=lambda event: self.refusals.put_nowait(event) if event.kind is EventKind.REFUSED else None,
        )


async def soon(queue: "asyncio.Queue[Any]") -> Any:
    async with asyncio.timeout(20):
        return await queue.get()


async def join(net: Any, oracle: Path, chain: Chain, *, is_dialled_by_us: bool) -> tuple[Home, Peer, Session]:
    """Connect, one way or the other, and check what each says of the other."""
    home = Home(net.key_of("home").secret)
    peer = await Peer.start(oracle, net.key_of("oracle").secret, chain)
    await home.network.start()
    if is_dialled_by_us:
        peer.do("listen")
        port = (await peer.hear("listening"))["port"]
        home.network.update_known([Enode(net.node_id("oracle"), "127.0.0.1", port)])
    else:
        peer.do("dial", id=home.network.node_id.hex(), port=home.network.port)
    session: Session = await soon(home.sessions)
    opened = await peer.hear("open")
    assert opened["id"] == home.network.node_id.hex()
    assert opened["clientId"] == "cocket/test"
    assert opened["capabilities"] == ["eth/68", "istanbul/100"]
    assert opened["offsets"] == {"ETH": 16, "Istanbul": 33}
    assert opened["port"] == home.network.port
    assert session.node_id == net.node_id("oracle")
    assert session.client_id == "oracle/1"
    assert session.is_outbound == is_dialled_by_us
    return home, peer, session


def send(session: Session, message: eth.Message) -> None:
    code, payload = encode_message(message)
    assert session.send("eth", code, payload)


async def exchange_status(home: Home, peer: Peer, session: Session, chain: Chain) -> None:
    ours = status_of(chain.genesis, CHAIN_ID, chain.head, chain.ledger.head_hash)
    send(session, ours)
    peer.do("status", td="04", head=chain.ledger.head_hash.hex(), genesis=chain.genesis.hash.hex())
    capability, code, payload = await soon(home.messages)
    theirs = decode_message(code, payload)
    assert capability == "eth"
    assert isinstance(theirs, Status)
    validate_status(theirs, chain.genesis, CHAIN_ID, chain.head)
    assert theirs == ours
    heard = await peer.hear("status")
    assert heard["genesis"] == chain.genesis.hash.hex()
    assert heard["head"] == chain.ledger.head_hash.hex()
    assert heard["td"] == "04"
    assert heard["forkHash"] == ours.fork_id.hash.hex()


async def close(home: Home, peer: Peer) -> None:
    await home.network.close()
    await peer.stop()


@pytest.mark.parametrize("is_dialled_by_us", [True, False], ids=["we dial", "it dials"])
def test_hello_status_and_requests_both_ways(
    net: Any, oracle: Path, chain: Chain, run_real: Run, is_dialled_by_us: bool
) -> None:
    async def scene() -> None:
        home, peer, session = await join(net, oracle, chain, is_dialled_by_us=is_dialled_by_us)
        await exchange_status(home, peer, session, chain)
        # it asks, as Besu does at once: the header of the head in our Status; then bodies and receipts
        head = chain.ledger.head_hash
        for question in (GetBlockHeaders(77, head, 1), GetBlockBodies(78, (head,)), GetReceipts(79, (head,))):
            code, payload = encode_message(question)
            peer.do("send", protocol="eth", code=code, payload=payload.hex())
            _, code, payload = await soon(home.messages)
            request = decode_message(code, payload)
            assert request == question
            answer = serve.answer(request, chain.ledger, chain.pool)  # type: ignore[arg-type]
            assert session.send("eth", *answer)
            heard = await peer.hear("message")
            assert (heard["code"], heard["payload"]) == (answer[0], answer[1].hex())
        # we ask, it answers with what we gave it
        send(session, GetBlockHeaders(5, 1, 2))
        heard = await peer.hear("message")
        assert heard["code"] == 3
        assert rlp.decode(bytes.fromhex(heard["payload"])) == [b"\x05", [b"\x01", b"\x02", b"", b""]]
        body = rlp.encode([5, [header_items(chain.head)]])
        peer.do("send", protocol="eth", code=4, payload=body.hex())
        _, code, payload = await soon(home.messages)
        assert decode_message(code, payload) == BlockHeaders(5, (chain.head,))
        await close(home, peer)

    run_real(scene())


def test_votes_travel_at_the_offset_after_eth(net: Any, oracle: Path, chain: Chain, run_real: Run) -> None:
    async def scene() -> None:
        home, peer, session = await join(net, oracle, chain, is_dialled_by_us=False)
        await exchange_status(home, peer, session, chain)
        for code in istanbul.Code:
            vote = rlp.encode([b"vote", int(code)])
            assert session.send("istanbul", code, vote)
            heard = await peer.hear("message")
            assert heard == {"event": "message", "protocol": "istanbul", "code": int(code), "payload": vote.hex()}
            peer.do("send", protocol="istanbul", code=int(code), payload=vote.hex())
            assert await soon(home.messages) == ("istanbul", code, vote)
        await close(home, peer)

    run_real(scene())


def test_large_messages_both_ways(net: Any, oracle: Path, chain: Chain, run_real: Run) -> None:
    async def scene() -> None:
        home, peer, session = await join(net, oracle, chain, is_dialled_by_us=True)
        await exchange_status(home, peer, session, chain)
        message = Transactions((b"\x02" + net.Entropy("large")(1_000_000), b"\x02" + bytes(1_000_000)))
        send(session, message)
        heard = await peer.hear("message")
        assert decode_message(heard["code"], bytes.fromhex(heard["payload"])) == message
        bodies = rlp.encode([1, [[[b"\x02" + net.Entropy("bodies")(300_000)], []]]])
        peer.do("send", protocol="eth", code=6, payload=bodies.hex())
        _, code, payload = await soon(home.messages)
        assert payload == bodies
        assert isinstance(decode_message(code, payload), BlockBodies)
        await close(home, peer)

    run_real(scene())


def test_ping_and_disconnect_are_understood_both_ways(net: Any, oracle: Path, chain: Chain, run_real: Run) -> None:
    async def scene() -> None:
        home, peer, session = await join(net, oracle, chain, is_dialled_by_us=False)
        await exchange_status(home, peer, session, chain)
        peer.do("ping")
        await peer.hear("pong")
        before = session.counters.bytes_in
        session._send(session._connection.ping())
        async with asyncio.timeout(20):
            while session.counters.bytes_in == before:
                await asyncio.sleep(0)
        session.disconnect(DisconnectReason.USELESS_PEER)
        assert await peer.hear("closed") == {"event": "closed", "reason": 3, "isOurs": False}
        await soon(home.endings)
        peer.do("dial", id=home.network.node_id.hex(), port=home.network.port)
        await peer.hear("open")
        peer.do("disconnect", reason=4)
        ending: Ending = await soon(home.endings)
        assert ending.reason is DisconnectReason.TOO_MANY_PEERS
        assert not ending.is_ours
        await close(home, peer)

    run_real(scene())


def test_stranger_is_refused(net: Any, oracle: Path, chain: Chain, run_real: Run) -> None:
    async def scene() -> None:
        home = Home(net.key_of("home").secret)
        home.allowed = False
        await home.network.start()
        peer = await Peer.start(oracle, net.key_of("oracle").secret, chain)
        peer.do("dial", id=home.network.node_id.hex(), port=home.network.port)
        refusal: NetworkEvent = await soon(home.refusals)
        assert refusal.detail.startswith(f"stranger {net.node_id('oracle').hex()[:16]}")
        assert home.sessions.empty()
        await close(home, peer)

    run_real(scene())


def test_other_fork_id_ends_its_side(net: Any, oracle: Path, chain: Chain, run_real: Run) -> None:
    """The independent peer does not take a Status of other rules either: our fork id is really looked at."""

    async def scene() -> None:
        home = Home(net.key_of("home").secret)
        await home.network.start()
        peer = await Peer.start(oracle, net.key_of("oracle").secret, chain, fork_hash=b"\x01\x02\x03\x04")
        peer.do("dial", id=home.network.node_id.hex(), port=home.network.port)
        session: Session = await soon(home.sessions)
        await peer.hear("open")
        peer.do("status", td="04", head=chain.ledger.head_hash.hex(), genesis=chain.genesis.hash.hex())
        send(session, status_of(chain.genesis, CHAIN_ID, chain.head, chain.ledger.head_hash))
        ending: Ending = await soon(home.endings)
        assert ending.reason is DisconnectReason.SUBPROTOCOL_ERROR
        await close(home, peer)

    run_real(scene())
