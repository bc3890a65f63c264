"""Signed chains for tests: a genesis with validators, users and small contracts, and blocks built, sealed, imported.

Everything is real but the clock: keys, signatures, seals, execution and roots.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evm.assembler import assemble, return_top

from cocket.node.chain.block import Block
from cocket.node.chain.builder import Builder
from cocket.node.chain.extra_data import ExtraData, encode_extra_data
from cocket.node.chain.hashing import EMPTY_OMMERS_HASH, EMPTY_ROOT, ZERO_ADDRESS, ZERO_HASH
from cocket.node.chain.header import Header, commit_hash, with_seals
from cocket.node.chain.header_rules import MIX_HASH
from cocket.node.chain.importer import Importer
from cocket.node.chain.ledger import ExecutedBlock, Ledger
from cocket.node.chain.permission import PermissionRule
from cocket.node.chain.pool import Pool, PoolLimits
from cocket.node.chain.rules import Fork, Permission, Spec
from cocket.node.chain.spec import AllocAccount, Genesis
from cocket.node.chain.state import genesis_state
from cocket.node.chain.transaction import sign_transaction
from cocket.node.consensus.seals import address_of_key, sign_seal
from cocket.node.consensus.validators import proposer
from cocket.node.store.memory import MemoryStore
from cocket.node.store.store import Store

CHAIN_ID = 4455
GENESIS_TIME = 1_700_000_000
ETHER = 10**18
BOARD = bytes.fromhex("00" * 18 + "b0a4")
RECORDER = bytes.fromhex("00" * 18 + "4ec0")
SPINNER = bytes.fromhex("00" * 18 + "5919")

# One contract for validators and permissions. 64 bytes of calldata: slot := value. 36: mayTransact is bit 0 and
# mayDeploy bit 1 of the slot of the address. 4: getValidators() lists slots 1.. of as many as slot 0 says.
BOARD_CODE = assemble(
    "CALLDATASIZE PUSH 64 EQ @set JUMPI CALLDATASIZE PUSH 36 EQ @may JUMPI CALLDATASIZE PUSH 4 EQ @list JUMPI "
    "PUSH 0 PUSH 0 REVERT "
    "set: PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD SSTORE STOP "
    "may: PUSH 4 CALLDATALOAD SLOAD PUSH 0 CALLDATALOAD PUSH 224 SHR PUSH 0x56e54f59 EQ SHR PUSH 1 AND "
    + return_top()
    + " list: PUSH 32 PUSH 0 MSTORE PUSH 0 SLOAD PUSH 32 MSTORE PUSH 0 "
    "next: DUP1 PUSH 0 SLOAD EQ @done JUMPI PUSH 1 ADD DUP1 SLOAD DUP2 PUSH 32 MUL PUSH 32 ADD MSTORE @next JUMP "
    "done: PUSH 32 MUL PUSH 64 ADD PUSH 0 RETURN"
)
# slot := value of 64 bytes of calldata, and an event with the slot as its topic and the value as data.
RECORDER_CODE = assemble(
    "PUSH 32 CALLDATALOAD DUP1 PUSH 0 CALLDATALOAD SSTORE PUSH 0 MSTORE PUSH 0 CALLDATALOAD PUSH 32 PUSH 0 LOG1 STOP"
)
# Runs until its gas is gone.
SPINNER_CODE = assemble("again: @again JUMP")


def key_of(name: str) -> bytes:
    """Return a private key that is always the same for a name."""
    return name.encode().rjust(32, b"\x01")


class User:
    """A funded account that counts its nonces."""

    def __init__(self, name: str) -> None:
        self.key = key_of(name)
        self.address = address_of_key(self.key)
        self.nonce = 0

    def sign(self, to: bytes | None, data: bytes = b"", **fields: object) -> bytes:
        """Return a signed transaction with the next nonce, or with the one given."""
        if "nonce" not in fields:
            fields["nonce"] = self.nonce
            self.nonce += 1
        fields = {"chain_id": CHAIN_ID, "gas_limit": 200_000, "gas_price": 0} | fields
        if "max_fee_per_gas" in fields:
            del fields["gas_price"]
        return sign_transaction(self.key, to=to, data=data, **fields)  # type: ignore[arg-type]


def set_slot(slot: int, value: int) -> bytes:
    """Return the calldata that makes a board or a recorder store a value."""
    return slot.to_bytes(32, "big") + value.to_bytes(32, "big")


class SignedChain:
    """One node's chain of a genesis, with all that makes and checks its blocks; ``keys`` are its validators'."""

    def __init__(
        self,
        genesis: Genesis,
        keys: Sequence[bytes],
        store: Store,
        limits: PoolLimits | None = None,
        clock: "FakeClock | None" = None,
    ) -> None:
        self.genesis = genesis
        self.keys = list(keys)
        self.clock = clock or FakeClock()
        self.open(store, limits)

    def open(self, store: Store, limits: PoolLimits | None = None) -> None:
        """Start, or start again, on a store."""
        self.store = store
        self.ledger = Ledger(store, self.genesis)
        self.permission = PermissionRule(self.ledger)
        self.pool = Pool(self.ledger, self.permission, limits)
        self.builder = Builder(self.ledger, self.permission, self.pool, self.clock)
        self.importer = Importer(self.ledger, self.permission, self.pool.get, self._follow)

    def _follow(self, executed: ExecutedBlock) -> None:
        self.pool.on_block(executed.transactions)

    @property
    def head(self) -> Header:
        """The head of the ledger."""
        return self.ledger.head

    def build(self, *raws: bytes, round_number: int = 0, period_s: int = 1, budget_s: float = 1000.0) -> ExecutedBlock:
        """Return the block that the height's proposer makes of the pool with these transactions."""
        for raw in raws:
            self.pool.add(raw)
        validators = self.ledger.validators_after(self.head)
        turn = proposer(validators, self.head.coinbase, round_number)
        return self.builder.build(turn, self.head.timestamp + period_s, round_number, budget_s)

    def seal(self, block: Block, keys: Sequence[bytes] | None = None) -> Block:
        """Return a block with the seals of these keys, by default of a quorum."""
        keys = self.keys[: -(-2 * len(self.keys) // 3)] if keys is None else keys
        digest = commit_hash(block.header)
        return replace(block, header=with_seals(block.header, [sign_seal(digest, key) for key in keys]))

    def make(self, *raws: bytes, **how: object) -> Block:
        """Return a sealed block of these transactions, not imported."""
        return self.seal(self.build(*raws, **how).block)  # type: ignore[arg-type]

    def extend(self, *raws: bytes, **how: object) -> Block:
        """Build, seal and import a block."""
        block = self.make(*raws, **how)
        self.importer.import_block(block)
        return block

    def storage(self, address: bytes, slot: int) -> int:
        """Return a slot at the head."""
        return self.ledger.head_state()[1].storage(address, slot)


class Chain(SignedChain):
    """A chain of its own validators, users and small contracts."""

    def __init__(
        self,
        validator_count: int = 4,
        *,
        is_contract_mode: bool = False,
        has_permission: bool = False,
        fork: Fork = Fork.CANCUN,
        gas_limit: int = 10_000_000,
        user_count: int = 4,
        store: Store | None = None,
        limits: PoolLimits | None = None,
        clock: "FakeClock | None" = None,
        **spec: object,
    ) -> None:
        keys = sorted((key_of(f"validator {n}") for n in range(validator_count)), key=address_of_key)
        self.validators = tuple(address_of_key(key) for key in keys)
        self.users = [User(f"user {n}") for n in range(user_count)]
        permission = Permission(BOARD, 1) if has_permission else None
        fields: dict[str, object] = {
            "chain_id": CHAIN_ID,
            "london_block": 0 if fork >= Fork.LONDON else None,
            "shanghai_time": 0 if fork >= Fork.SHANGHAI else None,
            "cancun_time": 0 if fork >= Fork.CANCUN else None,
            "zero_base_fee": True,
            "validator_contract": BOARD if is_contract_mode else None,
            "permission": permission,
        }
        genesis = make_genesis(Spec(**(fields | spec)), self.validators, self.users, fork, gas_limit)  # type: ignore[arg-type]
        super().__init__(genesis, keys, store or MemoryStore(), limits, clock)


class FakeClock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.step_s = 0.0

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


def make_genesis(
    spec: Spec,
    validators: Sequence[bytes],
    users: Sequence[User],
    fork: Fork,
    gas_limit: int,
    more: Mapping[bytes, AllocAccount] | None = None,
) -> Genesis:
    """Return a genesis with the small contracts, the board filled with validators and permissions, and ``more``."""
    board = {0: len(validators)} | {n: int.from_bytes(address, "big") for n, address in enumerate(validators, 1)}
    board |= {int.from_bytes(user.address, "big"): 3 for user in users}
    alloc = {
        BOARD: AllocAccount(0, 1, BOARD_CODE, board),
        RECORDER: AllocAccount(0, 1, RECORDER_CODE, {}),
        SPINNER: AllocAccount(0, 1, SPINNER_CODE, {}),
    } | {user.address: AllocAccount(ETHER, 0, b"", {}) for user in users}
    alloc |= more or {}
    root, _, _ = genesis_state(alloc)
    header_validators = () if spec.validator_contract is not None else tuple(validators)
    header = Header(
        parent_hash=ZERO_HASH,
        ommers_hash=EMPTY_OMMERS_HASH,
        coinbase=ZERO_ADDRESS,
        state_root=root,
        transactions_root=EMPTY_ROOT,
        receipts_root=EMPTY_ROOT,
        logs_bloom=bytes(256),
        difficulty=1,
        number=0,
        gas_limit=gas_limit,
        gas_used=0,
        timestamp=GENESIS_TIME,
        extra_data=encode_extra_data(ExtraData(validators=header_validators)),
        mix_hash=MIX_HASH,
        nonce=bytes(8),
        base_fee_per_gas=None if fork < Fork.LONDON else 0 if spec.zero_base_fee else spec.initial_base_fee,
        withdrawals_root=EMPTY_ROOT if fork >= Fork.SHANGHAI else None,
        blob_gas_used=0 if fork >= Fork.CANCUN else None,
        excess_blob_gas=0 if fork >= Fork.CANCUN else None,
        parent_beacon_block_root=ZERO_HASH if fork >= Fork.CANCUN else None,
    )
    return Genesis(spec, header, alloc, b"")
