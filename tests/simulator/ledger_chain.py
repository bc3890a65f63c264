"""The node's own ledger, builder and importer under a simulated machine: real transactions, execution and roots."""

from collections.abc import Mapping

from ledger.chains import CHAIN_ID, RECORDER, FakeClock, User, make_genesis, set_slot
from simulator.keys import KEYS
from simulator.players import players

from cocket.node.chain.block import Block
from cocket.node.chain.builder import Builder
from cocket.node.chain.header import Header
from cocket.node.chain.importer import Importer
from cocket.node.chain.ledger import ExecutedBlock, Ledger
from cocket.node.chain.permission import PermissionRule
from cocket.node.chain.pool import Pool
from cocket.node.chain.rules import Fork, Permission, Spec
from cocket.node.chain.spec import AllocAccount, Genesis
from cocket.node.store.memory import MemoryStore

GAS_LIMIT = 10_000_000
BUILD_BUDGET_S = 1_000.0


def trial_genesis(
    count: int,
    users: list[User],
    contract: bytes | None,
    *,
    more: Mapping[bytes, AllocAccount] | None = None,
    permission: Permission | None = None,
) -> Genesis:
    """Return a genesis whose validators are the cluster's; by contract, or by its header; with ``more`` accounts."""
    spec = Spec(
        chain_id=CHAIN_ID,
        london_block=0,
        shanghai_time=0,
        cancun_time=0,
        zero_base_fee=True,
        validator_contract=contract,
        permission=permission,
    )
    validators = tuple([player.address for player in players(count)])
    assert len(validators) <= len(KEYS)
    return make_genesis(spec, validators, users, Fork.CANCUN, GAS_LIMIT, more)


class LedgerChain:
    """A ledger on a store that survives; everything above the store is made anew when the machine starts."""

    def __init__(self, genesis: Genesis) -> None:
        self._genesis = genesis
        self._store = MemoryStore()
        self.reopen()

    def reopen(self) -> None:
        self.ledger = Ledger(self._store, self._genesis)
        permission = PermissionRule(self.ledger)
        self.pool = Pool(self.ledger, permission, None)
        self._builder = Builder(self.ledger, permission, self.pool, FakeClock())
        self._importer = Importer(self.ledger, permission, self.pool.get, self._upon_commit)

    def _upon_commit(self, executed: ExecutedBlock) -> None:
        self.pool.on_block(executed.transactions)

    @property
    def head(self) -> Header:
        return self.ledger.head

    def validators_after(self, header: Header) -> tuple[bytes, ...]:
        return self.ledger.validators_after(header)

    def block_at(self, number: int) -> Block | None:
        return self.ledger.block_by_number(number)

    def build(self, parent: Header, coinbase: bytes, round_number: int, timestamp: int, mark: bytes = b"") -> Block:
        assert parent == self.ledger.head
        executed = self._builder.build(coinbase, timestamp, round_number, BUILD_BUDGET_S)
        self._importer.remember(executed)
        return executed.block

    def validate(self, block: Block, now_s: int) -> None:
        self._importer.execute(block, now_s)

    def commit(self, block: Block, now_s: int | None, *, sync: bool = True) -> None:
        self._importer.import_block(block, now_s, sync=sync)

    def sync(self) -> None:
        self.ledger.sync()

    def recorded(self, slot: int) -> int:
        """Return a slot of the recorder at the head."""
        return self.ledger.head_state()[1].storage(RECORDER, slot)


def record(user: User, slot: int, value: int) -> bytes:
    """Return a transaction that stores a value."""
    return user.sign(RECORDER, set_slot(slot, value))
