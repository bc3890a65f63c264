"""A chain with one validator that seals a block as soon as a transaction arrives, behind a real RPC server.

For tests of RPC: real ledger, pool, builder, importer and seals; no consensus, no peers, no clock.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from cocket.node.chain.builder import Builder
from cocket.node.chain.extra_data import ExtraData, encode_extra_data
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import Header, commit_hash, with_seals
from cocket.node.chain.importer import Importer
from cocket.node.chain.ledger import Ledger
from cocket.node.chain.pending_votes import PendingVotes
from cocket.node.chain.permission import PermissionRule
from cocket.node.chain.pool import Pool
from cocket.node.chain.spec import parse_genesis
from cocket.node.chain.transaction import Transaction
from cocket.node.consensus.seals import address_of_key, sign_seal
from cocket.node.rpc.gateway import RpcGateway
from cocket.node.rpc.limits import DEFAULT_LIMITS, Limits
from cocket.node.rpc.status import StandaloneStatus
from cocket.node.store.memory import MemoryStore
from cocket.node.store.store import Store

CHAIN_ID = 6116
GENESIS_TIME = 1_700_000_000
ETHER = 10**18
GAS_LIMIT = 30_000_000


VALIDATOR_KEY = keccak256(b"the only validator")
VALIDATOR = address_of_key(VALIDATOR_KEY)
USER_KEYS = tuple(keccak256(b"user %d" % number) for number in range(50))
USERS = tuple(address_of_key(key) for key in USER_KEYS)


def genesis_json(*, zero_base_fee: bool = True, alloc: dict[str, object] | None = None, **config: object) -> bytes:
    extra_data = encode_extra_data(ExtraData(validators=(VALIDATOR,)))
    document = {
        "config": {
            "chainId": CHAIN_ID,
            "berlinBlock": 0,
            "londonBlock": 0,
            "shanghaiTime": 0,
            "cancunTime": 0,
            "zeroBaseFee": zero_base_fee,
            "qbft": {"epochlength": 30000, "blockperiodseconds": 1, "requesttimeoutseconds": 4},
            **config,
        },
        "nonce": "0x0",
        "timestamp": hex(GENESIS_TIME),
        "gasLimit": hex(GAS_LIMIT),
        "difficulty": "0x1",
        "mixHash": "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365",
        "coinbase": "0x" + "00" * 20,
        "extraData": "0x" + extra_data.hex(),
        "alloc": {user.hex(): {"balance": hex(1000 * ETHER)} for user in USERS} | (alloc or {}),
    }
    if zero_base_fee:
        document["baseFeePerGas"] = "0x0"
    return json.dumps(document).encode()


class SingleChain:
    """Ledger, pool and builder of one validator; ``seal`` makes the next block final."""

    def __init__(self, genesis: bytes | None = None, store: Store | None = None) -> None:
        self.ledger = Ledger(store or MemoryStore(), parse_genesis(genesis or genesis_json()), VALIDATOR)
        self.permission = PermissionRule(self.ledger)
        self.pool = Pool(self.ledger, self.permission)
        self.votes = PendingVotes()
        self.builder = Builder(self.ledger, self.permission, self.pool, time.monotonic, self.votes)
        self.importer = Importer(self.ledger, self.permission, self.pool.get)

    def seal(self, timestamp: int | None = None) -> Header:
        """Build, seal and import the next block."""
        executed = self.builder.build(VALIDATOR, timestamp or self.ledger.head.timestamp + 1, 0, 10.0)
        header = executed.block.header
        sealed = with_seals(header, [sign_seal(commit_hash(header), VALIDATOR_KEY)])
        self.importer.remember(executed)
        imported = self.importer.import_block(replace(executed.block, header=sealed), sync=False)
        self.pool.on_block(executed.transactions)
        return imported


@contextlib.asynccontextmanager
async def running(
    chain: SingleChain, limits: Limits = DEFAULT_LIMITS, *, is_sealing: bool = True
) -> AsyncIterator[RpcGateway]:
    """Serve a chain; with ``is_sealing`` each accepted transaction is sealed at the loop's next turn."""
    loop = asyncio.get_running_loop()
    is_due = False

    def seal() -> None:
        nonlocal is_due
        is_due = False
        if chain.pool.status()[0]:
            gateway.on_block(chain.seal())

    def on_transaction(_transaction: Transaction) -> None:
        nonlocal is_due
        if is_sealing and not is_due:
            is_due = True
            loop.call_soon(seal)

    status = StandaloneStatus("Cocket/test", VALIDATOR)
    gateway = RpcGateway(chain.ledger, chain.pool, status, port=0, limits=limits, on_transaction=on_transaction)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


@contextlib.contextmanager
def served(chain: SingleChain, limits: Limits = DEFAULT_LIMITS, *, is_sealing: bool = True) -> Iterator[str]:
    """Serve a chain on a thread of its own, for clients that block, such as web3.py; gives the URL."""
    ports: list[int] = []
    is_up, is_over = threading.Event(), threading.Event()

    async def main() -> None:
        async with running(chain, limits, is_sealing=is_sealing) as gateway:
            ports.append(gateway.port)
            is_up.set()
            await asyncio.to_thread(is_over.wait)

    thread = threading.Thread(target=asyncio.run, args=(main(),), name="single-node")
    thread.start()
    try:
        assert is_up.wait(30), "the server did not start"
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        is_over.set()
        thread.join()
