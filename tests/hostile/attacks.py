"""What hostile peers do, one function a kind, and who may do it.

An attack runs until its time is over, its goal is reached, or the node sheds it (``Shed``); then it is begun anew.
Nothing here waits for ever and nothing buffers without bound.
"""

import asyncio
import functools
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum

from hostile.client import FOLLOWS, VOTES, HostileClient, Shed, Tally, bomb

from cocket.network import snappy
from cocket.network.connection import MESSAGE_BYTES_MAX, Message
from cocket.network.enode import Enode
from cocket.node.chain.block import Block
from cocket.node.chain.fork_id import ForkId
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import Header, block_hash
from cocket.node.chain.rlp_codec import decode, encode, encode_int, join_list
from cocket.node.chain.transaction import sign_transaction
from cocket.node.consensus.drafts import CommitDraft, PrepareDraft, RoundChangeDraft, sign_draft
from cocket.node.consensus.messages import Code as VoteCode
from cocket.node.consensus.messages import Signed, UnsignedRoundChange
from cocket.node.consensus.wire import encode_round_change, signing_digest
from cocket.node.protocols import eth, istanbul
from cocket.node.signer import KeySigner

ELSEWHERE = "127.0.0.66"
"""Where strangers come from: an address of their own, as in life."""
SLOW_S = 1.0
SLOW_COUNT = 100
RETRY_S = 0.05
BASE = 0x10
TEN_MIB = MESSAGE_BYTES_MAX


class Who(Enum):
    """Whose key an attacker holds."""

    STRANGER = "stranger"
    """Nobody's whom the nodes know: a new one for each connection."""
    FOLLOWER = "follower"
    """Its own, of a node that every authority lists."""
    VALIDATOR = "validator"
    """An authority's validator key, used as node key: a node with it speaks for that validator, beside the real one."""
    NODE = "node"
    """An authority's node key: each session that the attacker opens takes the place of the real node's."""


@dataclass(frozen=True, slots=True)
class Goal:
    """When an attacker has shown enough: shed once with these words, or so many messages sent. Without one: never."""

    shed: str = ""
    messages: int = 0

    def is_reached(self, tally: Tally) -> bool:
        return bool(self.shed and tally.sheds[self.shed]) or 0 < self.messages <= tally.messages


@dataclass(frozen=True, slots=True)
class Front:
    """Where an attacker stands: whom it attacks, with which key, until when (loop time) or what is reached."""

    target: Enode
    key: bytes
    tally: Tally
    until_s: float
    who: Who
    chain_id: int
    goal: Goal
    variant: int
    """Which of several ways this one tries: always the same one, so that each way is tried by somebody."""
    lane: int
    """Its number among the attacker's fronts."""

    @property
    def is_over(self) -> bool:
        return self.left_s <= 0 or self.goal.is_reached(self.tally)

    @property
    def left_s(self) -> float:
        return self.until_s - asyncio.get_running_loop().time()

    def client(self) -> HostileClient:
        """Return a connection not yet made."""
        if self.who is Who.STRANGER:
            return HostileClient(os.urandom(32), self.target, self.tally, source=ELSEWHERE)
        capabilities = FOLLOWS if self.who is Who.FOLLOWER else VOTES
        return HostileClient(self.key, self.target, self.tally, capabilities=capabilities)

    @asynccontextmanager
    async def session(self, change: Callable[[eth.Status], eth.Status] = lambda s: s) -> AsyncIterator[HostileClient]:
        """Give a session with Status exchanged."""
        client = self.client()
        try:
            await client.join(change)
            yield client
        finally:
            client.close()


Attack = Callable[[Front], Awaitable[None]]


async def keep_on(attack: Attack, front: Front) -> None:
    """Attack until the time is over, beginning anew each time we are shed."""
    while not front.is_over:
        try:
            async with asyncio.timeout(front.left_s):
                await attack(front)
        except Shed as shed:
            front.tally.sheds[str(shed)] += 1
        except TimeoutError:
            front.tally.sheds["no answer"] += 0 if front.is_over else 1
        await asyncio.sleep(RETRY_S)


async def _reading(client: HostileClient, sending: Awaitable[None], upon: Callable[[Message], None] = id) -> None:
    """Send while whatever comes is read and thrown away."""

    async def listen() -> None:
        while True:
            for message in await client.read():
                upon(message)

    async with asyncio.TaskGroup() as group:
        listener = group.create_task(listen())
        await sending
        listener.cancel()


def _flat(attack: Attack) -> Attack:
    """Turn the group of errors that two tasks leave into the one that matters."""

    async def run(front: Front) -> None:
        try:
            await attack(front)
        except* Shed as group:
            raise group.exceptions[0] from None

    return run


# -- before Hello ----------------------------------------------------------------------------------------------------


async def connect_flood(front: Front) -> None:
    """Open connections as fast as possible and drop each at once."""
    while not front.is_over:
        client = front.client()
        await client.connect()
        client.close()


async def slow_handshake(front: Front) -> None:
    """Hold many connections, each with a handshake packet of a byte a second."""

    async def one() -> None:
        client = front.client()
        try:
            await client.connect()
            for byte in client.connection.take_output():
                if front.is_over:
                    return
                await client.write(bytes([byte]))
                await client.read_for(SLOW_S)
        except Shed as shed:
            front.tally.sheds[str(shed)] += 1
        finally:
            client.close()

    while not front.is_over:
        await asyncio.gather(*[one() for _ in range(SLOW_COUNT)])


async def handshake_garbage(front: Front) -> None:
    """Send auth packets of the right size that do not open: each costs the node a point multiplication."""
    client = front.client()
    try:
        await client.connect()
        packet = client.connection.take_output()
        await client.write(packet[:-40] + os.urandom(40))
        await client.read_for(5.0)
    finally:
        client.close()


async def stranger(front: Front) -> None:
    """Shake hands properly, with a key that nobody lists."""
    client = front.client()
    try:
        await client.open()
    finally:
        client.close()


# -- a known key, the protocol broken ----------------------------------------------------------------------------------


OTHER_NETWORKS: tuple[Callable[[eth.Status], eth.Status], ...] = (
    lambda status: replace(status, network_id=status.network_id + 1),
    lambda status: replace(status, genesis_hash=bytes(32)),
    lambda status: replace(status, fork_id=ForkId(b"\xde\xad\xbe\xef", 0)),
    lambda status: replace(status, version=67),
)


async def wrong_network(front: Front) -> None:
    """Say a Status of another network, genesis, fork or version."""
    async with front.session(OTHER_NETWORKS[front.variant % len(OTHER_NETWORKS)]) as client:
        await client.read_for(5.0)


async def slow_frame(front: Front) -> None:
    """Announce a frame of 10 MiB and send a byte of it a second."""
    async with front.session() as client:
        await client.send_header_only(TEN_MIB)
        while not front.is_over:
            await client.write(b"\x00")
            await client.read_for(SLOW_S)


async def oversize(front: Front) -> None:
    """Announce a frame larger than any may be."""
    async with front.session() as client:
        await client.send_header_only((1 << 24) - 1)
        await client.read_for(5.0)


SNAPPY_BOMBS: tuple[Callable[[], bytes], ...] = (
    lambda: bomb(0xFFFFFFFF),  # a few bytes that say they hold gigabytes
    lambda: bomb(TEN_MIB + 1),
    lambda: bomb(TEN_MIB),  # as much as is allowed, said and not true
    lambda: snappy.compress(bytes(TEN_MIB)),  # and true
    lambda: snappy.compress(bytes(4 * TEN_MIB)),
)


async def snappy_bomb(front: Front) -> None:
    """Send little that says it holds much, and does or does not."""
    body = _made(SNAPPY_BOMBS[front.variant % len(SNAPPY_BOMBS)])
    async with front.session() as client:
        await client.send_raw(BASE + eth.Code.TRANSACTIONS, body)
        await client.read_for(5.0)


@functools.cache
def _made(make: Callable[[], bytes]) -> bytes:
    """Return what is dear to make, made once."""
    return make()


def _nested(depth: int) -> bytes:
    data = b"\xc0"
    for _ in range(depth):
        data = join_list([data])
    return data


RLP_BOMBS: tuple[Callable[[], bytes], ...] = (
    lambda: join_list([b"\xc0"] * (TEN_MIB - 4)),  # ten million empty lists
    lambda: join_list([b"\x80"] * (TEN_MIB - 4)),  # ten million empty strings
    lambda: join_list([join_list([b"\x01" * 18])] * 524_000),  # half a million lists: six seconds if decoded whole
    lambda: join_list([join_list([b"\x01"] * 524_288)] * 19),
    lambda: _nested(5_000),
    lambda: b"\xff" + b"\xff" * 8,  # a list that says it is 16 EiB long
    lambda: b"\xbf" + b"\xff" * 8,
)


async def rlp_bomb(front: Front) -> None:
    """Send what costs most to decode for its size, as transactions."""
    body = snappy.compress(_made(RLP_BOMBS[front.variant % len(RLP_BOMBS)]))
    async with front.session() as client:
        await client.send_raw(BASE + eth.Code.TRANSACTIONS, body)
        await client.read_for(5.0)


UNASKED: tuple[tuple[eth.Code, Callable[[], bytes]], ...] = (
    (eth.Code.BLOCK_BODIES, lambda: join_list([b"\x07", join_list([join_list([b"\xc0", b"\xc0"])] * 1024)])),
    (
        eth.Code.POOLED_TRANSACTIONS,
        lambda: join_list([b"\x07", join_list([encode(b"\x02" + bytes(300))] * 8_000)]),
    ),
    (eth.Code.RECEIPTS, lambda: join_list([b"\x07", join_list([b"\xc0"] * 1024)])),
)


async def answers_nobody_asked_for(front: Front) -> None:
    """Send answers without a question, large ones."""
    code, payload = UNASKED[front.variant % len(UNASKED)]
    async with front.session() as client:
        await client.send(eth.NAME, code, _made(payload))
        await client.read_for(5.0)


# -- a known key, the protocol kept ------------------------------------------------------------------------------------


@_flat
async def ping_flood(front: Front) -> None:
    """Send pings at full speed and read the pongs."""
    async with front.session() as client:

        async def send() -> None:
            while not front.is_over:
                await client.send_raw(0x02, snappy.compress(b"\xc0"))

        await _reading(client, send())


def _requests(head_hash: bytes) -> tuple[eth.Message, ...]:
    top = (1 << 64) - 1
    return (
        eth.GetBlockHeaders(1, 0, 512),
        eth.GetBlockHeaders(2, head_hash, top, 0, True),
        eth.GetBlockHeaders(3, 0, top, top, False),
        eth.GetBlockHeaders(4, top, top, top, True),
        eth.GetBlockBodies(5, (head_hash,) * eth.HASHES_MAX),
        eth.GetReceipts(6, (head_hash,) * eth.HASHES_MAX),
        eth.GetPooledTransactions(7, (head_hash,) * eth.HASHES_MAX),
    )


@_flat
async def request_flood(front: Front) -> None:
    """Ask for as much as one may, at full speed, and read the answers."""
    async with front.session() as client:
        assert client.status is not None
        requests = _requests(client.status.head_hash)

        async def send() -> None:
            for message in itertools.cycle(requests):
                if front.is_over:
                    return
                await client.send_eth(message)

        await _reading(client, send())


async def deaf(front: Front) -> None:
    """Ask for as much as one may and never read an answer."""
    async with front.session() as client:
        assert client.status is not None
        for message in itertools.cycle(_requests(client.status.head_hash)):
            if front.is_over:
                return
            await client.send_eth(message)


@_flat
async def block_flood(front: Front) -> None:
    """Announce blocks of absurd heights, some of them huge."""
    async with front.session() as client:
        header = await _head_of(client)
        far = replace(header, number=header.number + 1_000_000)
        small, huge, many = [
            eth.encode_message(eth.NewBlock(Block(far, transactions, header.withdrawals_root is not None), 1 << 200))
            for transactions in ((), (b"\x02" + bytes(64 * 1024),) * 150, (b"\xc0",) * 500_000)
        ]

        async def send() -> None:
            for turn in itertools.count():
                if front.is_over:
                    return
                await client.send(eth.NAME, *{0: huge, 25: many}.get(turn % 50, small))
                hashes = tuple([(os.urandom(32), (1 << 63) - 1 - n) for n in range(64)])
                await client.send_eth(eth.NewBlockHashes(hashes))

        await _reading(client, send())


@_flat
async def endless_headers(front: Front) -> None:
    """Claim a chain a million blocks long; serve headers that link to the node's head, and none of their bodies.

    The bodies are not answered at all, or answered with none.
    """
    answers_bodies = front.variant % 2 == 0
    async with front.session() as client:
        head = await _head_of(client)
        await client.send_eth(eth.NewBlockHashes(((os.urandom(32), head.number + 1_000_000),)))
        served = {head.number: head}

        def serve(query: eth.GetBlockHeaders) -> eth.BlockHeaders:
            start = query.start
            assert isinstance(start, int)
            parent = served.get(start - 1, head)
            headers = []
            for number in range(start, start + query.limit):
                parent = replace(parent, number=number, parent_hash=block_hash(parent), timestamp=parent.timestamp + 1)
                parent = replace(parent, transactions_root=keccak256(encode_int(number)), gas_used=21_000)
                served[number] = parent
                headers.append(parent)
            return eth.BlockHeaders(query.request_id, tuple(headers))

        while not front.is_over:
            for message in await client.read():
                if message.capability != eth.NAME:
                    continue
                found = eth.decode_message(message.code, message.payload)
                if isinstance(found, eth.GetBlockHeaders) and isinstance(found.start, int):
                    await client.send_eth(serve(found))
                if isinstance(found, eth.GetBlockBodies) and answers_bodies:
                    await client.send_eth(eth.BlockBodies(found.request_id, ()))
                if isinstance(found, eth.NewBlock):
                    served[found.block.header.number] = found.block.header


@_flat
async def transaction_flood(front: Front) -> None:
    """Bring transactions that are no use: bad signatures, unpermitted senders, nonces far ahead."""
    key = keccak256(front.key)

    def raw(nonce: int) -> bytes:
        return sign_transaction(
            key, chain_id=front.chain_id, nonce=nonce, gas_limit=30_000, to=bytes(20), max_fee_per_gas=0
        )

    template = raw(0)
    async with front.session() as client:

        async def send() -> None:
            for turn in itertools.count():
                if front.is_over:
                    return
                spoilt = [template[:-32] + os.urandom(32) for _ in range(500)]
                await client.send_eth(eth.Transactions((*spoilt, *[raw(turn * 10 + n) for n in range(10)])))

        await _reading(client, send())


@_flat
async def announcement_flood(front: Front) -> None:
    """Announce transactions that do not exist."""
    async with front.session() as client:

        async def send() -> None:
            while not front.is_over:
                hashes = tuple([os.urandom(32) for _ in range(eth.HASHES_MAX)])
                sizes = (100,) * len(hashes)
                await client.send_eth(eth.NewPooledTransactionHashes(bytes([2]) * len(hashes), sizes, hashes))

        await _reading(client, send())


@_flat
async def grants(front: Front) -> None:
    """Announce what does not exist, answer at once with nothing when asked for it, and flood with questions meanwhile.

    Who is asked for something may take of the loop what the answer takes; nothing of that may serve the flood.
    """
    async with front.session() as client:
        assert client.status is not None
        requests = _requests(client.status.head_hash)

        def announce() -> eth.NewPooledTransactionHashes:
            hashes = tuple([os.urandom(32) for _ in range(256)])
            return eth.NewPooledTransactionHashes(bytes([2]) * 256, (100,) * 256, hashes)

        answers: list[int] = []

        def upon(message: Message) -> None:
            if message.capability == eth.NAME and message.code == eth.Code.GET_POOLED_TRANSACTIONS:
                found = eth.decode_message(message.code, message.payload)
                assert isinstance(found, eth.GetPooledTransactions)
                answers.append(found.request_id)

        async def send() -> None:
            for message in itertools.cycle(requests):
                if front.is_over:
                    return
                while answers:
                    await client.send_eth(eth.PooledTransactions(answers.pop(), ()))
                    await client.send_eth(announce())
                await client.send_eth(message)

        await client.send_eth(announce())
        await _reading(client, send(), upon)


async def churn(front: Front) -> None:
    """Open and close sessions as fast as possible."""
    async with front.session():
        pass


# -- a validator's key -------------------------------------------------------------------------------------------------


LANES = 16


class _Ear:
    """Learns from what the node says which height it is at."""

    def __init__(self, lane: int) -> None:
        self.lane = lane % LANES
        self.head: Header | None = None
        self.height = 0
        self.heard: list[tuple[int, bytes]] = []

    def __call__(self, message: Message) -> None:
        if message.capability == eth.NAME:
            if message.code == eth.Code.NEW_BLOCK_HASHES:
                found = eth.decode_message(message.code, message.payload)
                assert isinstance(found, eth.NewBlockHashes)
                self.height = max([self.height, *(number + 1 for _, number in found.blocks)])
        elif len(message.payload) < 1024:
            body = decode(message.payload)
            signed = body[0] if message.code in (VoteCode.PROPOSAL, VoteCode.ROUND_CHANGE) else body
            self.height = max(self.height, int.from_bytes(signed[0][0], "big"))  # type: ignore[index,arg-type]
            self.heard = [*self.heard[-100:], (message.code, message.payload)]


def _voting(make: Callable[[_Ear, KeySigner, int], list[tuple[int, bytes]]]) -> Attack:
    @_flat
    async def attack(front: Front) -> None:
        signer = KeySigner(front.key)
        ear = _Ear(front.lane)
        async with front.session() as client:
            ear.head = await _head_of(client)
            ear.height = ear.head.number + 1

            async def send() -> None:
                for turn in itertools.count():
                    if front.is_over:
                        return
                    made = make(ear, signer, turn)
                    if not made:
                        await asyncio.sleep(RETRY_S)
                    for code, payload in made:
                        await client.send(istanbul.NAME, code, payload)

            await _reading(client, send(), ear)

    return attack


def _future(ear: _Ear, signer: KeySigner, turn: int) -> list[tuple[int, bytes]]:
    """Valid votes for heights to come."""
    height, round_number = ear.height + 1 + turn % 9, turn // 9 % 1000
    drafts = (PrepareDraft(height, round_number, os.urandom(32)), CommitDraft(height, round_number, os.urandom(32)))
    made = [sign_draft(draft, signer.address, signer.sign_digest) for draft in drafts]
    return [(int(message.code), message.raw) for message in made]


def _rounds(ear: _Ear, signer: KeySigner, turn: int) -> list[tuple[int, bytes]]:
    """Valid round changes of the present height, each for a later round than the one before: each is passed on.

    No two nodes are sent the same ones, so that what they pass on is new to the others.
    """
    message = sign_draft(RoundChangeDraft(ear.height, turn * LANES + ear.lane + 1), signer.address, signer.sign_digest)
    return [(int(message.code), message.raw)]


def _contradictions(ear: _Ear, signer: KeySigner, turn: int) -> list[tuple[int, bytes]]:
    """Pairs of votes of which an honest validator signs only one: each pair is evidence."""
    drafts = [PrepareDraft(ear.height, turn * LANES + ear.lane + 1, os.urandom(32)) for _ in range(2)]
    made = [sign_draft(draft, signer.address, signer.sign_digest) for draft in drafts]
    return [(int(message.code), message.raw) for message in made]


_HUGE: list[Block] = []


def _huge_rounds(ear: _Ear, signer: KeySigner, turn: int) -> list[tuple[int, bytes]]:
    """Round changes, signed and well-formed, with a block of almost 10 MiB, or of as many transactions as are read."""
    if not _HUGE:
        assert ear.head is not None
        large, many = (b"\x02" + os.urandom(64 * 1024),) * 155, (b"\xc9" + b"\x01" * 9,) * 28_000
        has_withdrawals = ear.head.withdrawals_root is not None
        _HUGE.extend([Block(ear.head, transactions, has_withdrawals) for transactions in (large, many)])
    unsigned = UnsignedRoundChange(ear.height, turn + 2, 0, os.urandom(32))
    signed = Signed(unsigned, signer.sign_digest(signing_digest(unsigned)))
    return [(int(VoteCode.ROUND_CHANGE), encode_round_change(signed, _HUGE[turn % 2], ()))]


def _replayed(ear: _Ear, _signer: KeySigner, turn: int) -> list[tuple[int, bytes]]:
    """What we were sent ourselves, over and over."""
    return [ear.heard[turn % len(ear.heard)]] if ear.heard else []


async def vote_garbage(front: Front) -> None:
    """Send bytes that are no vote."""
    async with front.session() as client:
        await client.send(istanbul.NAME, int(VoteCode.COMMIT), os.urandom(190))
        await client.read_for(5.0)


async def _head_of(client: HostileClient) -> Header:
    assert client.status is not None
    found = await client.ask(eth.GetBlockHeaders(1, client.status.head_hash, 1))
    assert isinstance(found, eth.BlockHeaders)
    if not found.headers:
        raise Shed("it does not serve its head")
    return found.headers[0]


# -- an authority's node key -------------------------------------------------------------------------------------------


async def usurper(front: Front) -> None:
    """Open sessions in an authority's name, each of which takes the place of the real one's, and say nothing."""
    async with front.session() as client:
        await client.read_for(1.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of attack: with whose key it is made, and how many ways of it there are."""

    who: Who
    attack: Attack
    variants: int = 1
    payloads: tuple[Callable[[], bytes], ...] = ()
    """What takes seconds to make, for each variant: made before the time of an attack begins."""

    def prepare(self, variant: int) -> None:
        """Make what is dear to make."""
        if self.payloads:
            _made(self.payloads[variant % len(self.payloads)])


ATTACKS: dict[str, Kind] = {
    "connect-flood": Kind(Who.STRANGER, connect_flood),
    "slow-handshake": Kind(Who.STRANGER, slow_handshake),
    "handshake-garbage": Kind(Who.STRANGER, handshake_garbage),
    "stranger": Kind(Who.STRANGER, stranger),
    "wrong-network": Kind(Who.FOLLOWER, wrong_network, len(OTHER_NETWORKS)),
    "slow-frame": Kind(Who.FOLLOWER, slow_frame),
    "oversize": Kind(Who.FOLLOWER, oversize),
    "snappy-bomb": Kind(Who.FOLLOWER, snappy_bomb, len(SNAPPY_BOMBS), SNAPPY_BOMBS),
    "rlp-bomb": Kind(Who.FOLLOWER, rlp_bomb, len(RLP_BOMBS), RLP_BOMBS),
    "unasked-answers": Kind(Who.FOLLOWER, answers_nobody_asked_for, len(UNASKED), tuple([made for _, made in UNASKED])),
    "ping-flood": Kind(Who.FOLLOWER, ping_flood),
    "request-flood": Kind(Who.FOLLOWER, request_flood),
    "deaf": Kind(Who.FOLLOWER, deaf),
    "block-flood": Kind(Who.FOLLOWER, block_flood),
    "endless-headers": Kind(Who.FOLLOWER, endless_headers, 2),
    "transaction-flood": Kind(Who.FOLLOWER, transaction_flood),
    "announcement-flood": Kind(Who.FOLLOWER, announcement_flood),
    "grants": Kind(Who.FOLLOWER, grants),
    "churn": Kind(Who.FOLLOWER, churn),
    "votes-to-come": Kind(Who.VALIDATOR, _voting(_future)),
    "votes-of-later-rounds": Kind(Who.VALIDATOR, _voting(_rounds)),
    "votes-that-contradict": Kind(Who.VALIDATOR, _voting(_contradictions)),
    "votes-with-huge-blocks": Kind(Who.VALIDATOR, _voting(_huge_rounds)),
    "votes-replayed": Kind(Who.VALIDATOR, _voting(_replayed)),
    "votes-of-garbage": Kind(Who.VALIDATOR, vote_garbage),
    "stolen-node-key": Kind(Who.NODE, usurper),
}
