"""The rules of one chain, as its genesis.json sets them, and its block 0. The same file gives Besu's genesis hash.

This module alone knows genesis.json's keys (Besu's, compared without case). Each is implemented, refused by name, or
listed below among those that change neither validity nor state; a key that is none of these is refused too, because a
rule that one node follows and another does not know splits the chain.

Our own rules stand under ``config.cocket``, which Besu ignores: the permission rule, the ceiling of the round timeout,
and the ceremony's name. A file that has them must carry the hash of its ``config`` as vanity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import msgspec

from cocket.node.chain.extra_data import ExtraData, decode_extra_data
from cocket.node.chain.fork_id import ForkId, ForkSchedule, fork_id_at, is_compatible
from cocket.node.chain.hashing import EMPTY_OMMERS_HASH, EMPTY_ROOT, ZERO_ADDRESS, ZERO_HASH, keccak256
from cocket.node.chain.header import Header, block_hash
from cocket.node.chain.json_section import Section, parse_hex, parse_json
from cocket.node.chain.rules import DEFAULT_BASE_FEE, DEFAULT_CODE_BYTES_MAX, Fork, Permission, Spec
from cocket.node.chain.state import genesis_state
from cocket.node.errors import InvalidBlock, InvalidGenesis

__all__ = [
    "AllocAccount",
    "Fork",
    "ForkId",
    "Genesis",
    "Permission",
    "Spec",
    "configuration_hash",
    "fork_id",
    "is_fork_compatible",
    "parse_genesis",
]

GENESIS_BYTES_MAX: Final = 1 << 26
"""A public network's allocation is some megabytes; more is refused before it is parsed."""

_FORKS_BEFORE_BERLIN: Final = (
    "homesteadBlock",
    "eip150Block",
    "eip155Block",
    "eip158Block",
    "byzantiumBlock",
    "constantinopleBlock",
    "constantinopleFixBlock",
    "petersburgBlock",
    "istanbulBlock",
    "muirGlacierBlock",
    "berlinBlock",
)
_GLACIERS: Final = ("arrowGlacierBlock", "grayGlacierBlock", "mergeNetsplitBlock")
_FORKS_AFTER_CANCUN: Final = (
    *("pragueTime", "osakaTime", "bpo1Time", "bpo2Time", "bpo3Time", "bpo4Time", "bpo5Time", "amsterdamTime"),
    *(
        "futureEipsTime",
        "experimentalEipsTime",
        "cancunEOFTime",
        "verkleTime",
        "bogotaTime",
        "polisTime",
        "bangkokTime",
    ),
)
_OTHER_ENGINES: Final = ("ibft2", "ibft", "clique", "ethash", "isQuorum", "qip714Block")
_OTHER_CHAINS: Final = (
    *("daoForkBlock", "daoForkSupport", "classicForkBlock", "ecip1015Block", "dieHardBlock", "gothamBlock"),
    *("ecip1041Block", "atlantisBlock", "aghartaBlock", "phoenixBlock", "thanosBlock", "magnetoBlock"),
    *("mystiqueBlock", "spiralBlock", "ecip1017EraRounds", "ecip1049Block"),
)
_MERGE: Final = ("terminalTotalDifficulty", "terminalTotalDifficultyPassed", "terminalBlockHash", "terminalBlockNumber")
_SYSTEM_CONTRACTS: Final = (
    "depositContractAddress",
    "withdrawalRequestContractAddress",
    "consolidationRequestContractAddress",
)
_NETWORKING: Final = ("discovery", "checkpoint", "eip150Hash")
"""Change neither validity nor state: whom to ask for peers, where to begin a sync, a hash that clients ignore."""
_QBFT_MESSAGE_LIMITS: Final = (
    *("gossipedHistoryLimit", "messageQueueLimit", "duplicateMessageLimit"),
    *("futureMessagesLimit", "futureMessagesMaxDistance"),
)
"""Change neither validity nor state: bounds of Besu's own queues; ours are our own."""


@dataclass(frozen=True, slots=True)
class AllocAccount:
    """One account of block 0: wei, nonce, code, and slots with their values."""

    balance: int
    nonce: int
    code: bytes
    storage: Mapping[int, int]


@dataclass(frozen=True)
class Genesis:
    """A chain's beginning: its rules, its block 0, the accounts of its state (20-byte keys), and the file's bytes."""

    spec: Spec
    header: Header
    alloc: Mapping[bytes, AllocAccount]
    raw: bytes

    @cached_property
    def hash(self) -> bytes:
        """The hash of block 0: the chain's identity."""
        return block_hash(self.header)

    @cached_property
    def extra_data(self) -> ExtraData:
        """What block 0 says of vanity and validators."""
        return decode_extra_data(self.header.extra_data)

    @cached_property
    def forks(self) -> ForkSchedule:
        """When the rules change, for fork ids."""
        spec = self.spec
        times = (spec.shanghai_time, spec.cancun_time)
        return ForkSchedule.of(self.hash, self.header.timestamp, (spec.london_block,), times)


def fork_id(genesis: Genesis, number: int = 0, timestamp: int = 0) -> ForkId:
    """Return (checksum, next fork) of a node whose head has this height and time (EIP-2124)."""
    return fork_id_at(genesis.forks, number, timestamp)


def is_fork_compatible(genesis: Genesis, number: int, timestamp: int, remote: ForkId) -> bool:
    """Say whether a peer with the fork id ``remote`` may follow our chain, whose head has this height and time."""
    return is_compatible(genesis.forks, number, timestamp, remote)


def configuration_hash(config: Mapping[str, object]) -> bytes:
    """Return the keccak256 of a founding configuration, which stands as vanity in the extraData of block 0.

    So block period, validator contract and permission rule are inside the genesis hash. Left out is what members may
    add later by agreement: forks after Cancun with their blob schedule, and transitions. The bytes are JSON with
    sorted keys and no spaces.
    """
    later = {key.lower() for key in (*_FORKS_AFTER_CANCUN, "blobSchedule", "transitions")}
    founding = {key: value for key, value in config.items() if key.lower() not in later}
    try:
        return keccak256(msgspec.json.encode(founding, order="sorted"))
    except OverflowError:
        raise InvalidGenesis("genesis.config: found a number above 2^64 - 1, expected it as a 0x string") from None


def parse_genesis(data: bytes, *, is_foreign: bool = False) -> Genesis:
    """Return the chain that a genesis.json begins; InvalidGenesis names the key, what was found and expected.

    ``is_foreign`` reads a file of a chain with another consensus, to hash its block 0: consensus keys, forks that we
    do not run and keys that we do not know are passed over, and ``spec`` then says nothing about its consensus.
    """
    root = parse_json(data, GENESIS_BYTES_MAX)
    config = root.section("config")
    if config is None:
        raise InvalidGenesis("genesis.config: found none, expected an object with chainId and qbft")
    spec = _parse_forks(config)
    timestamp = root.integer("timestamp", 0)
    if is_foreign:
        return Genesis(spec, *_parse_block(root, spec, timestamp), bytes(data))
    spec = _parse_config(config, spec)
    own = config.section("cocket")
    vanity = None if own is None else configuration_hash(config.plain())
    if own is not None:
        spec = _parse_own(own, spec)
    config.close()
    _validate_start(config, spec, timestamp)
    header, alloc = _parse_block(root, spec, timestamp)
    root.close()
    _validate_extra_data(header, spec, vanity)
    return Genesis(spec, header, alloc, bytes(data))


def _parse_forks(config: Section) -> Spec:
    """Return the chain id and the forks that shape block 0."""
    return Spec(
        chain_id=config.integer("chainId", 0, bits=64),
        london_block=config.optional_integer("londonBlock"),
        shanghai_time=config.optional_integer("shanghaiTime"),
        cancun_time=config.optional_integer("cancunTime"),
    )


def _parse_config(config: Section, spec: Spec) -> Spec:
    """Return ``spec`` with the rest of ``config``, apart from our own section; what is left there is unknown."""
    if not spec.chain_id:
        config.refuse("chainId", None, "a whole number above 0")
    qbft = config.section("qbft")
    if qbft is None:
        config.refuse("qbft", None, "an object: this node runs QBFT")
    if not config.has("berlinBlock") and spec.london_block != 0:
        config.refuse("berlinBlock", None, "0 (or londonBlock 0): the rules before Berlin are not run")
    for key in _FORKS_BEFORE_BERLIN:
        config.only(key, 0, "the rules before Berlin are not run: all forks up to Berlin begin at block 0")
    for key in _GLACIERS:
        config.only(key, 0, "it has no meaning in QBFT but enters fork ids")
    config.forbid("this node runs Berlin to Cancun", *_FORKS_AFTER_CANCUN)
    config.forbid("this node runs QBFT only", *_OTHER_ENGINES)
    config.forbid("it belongs to a chain whose rules are not run here", *_OTHER_CHAINS)
    config.forbid("a QBFT chain has no merge", *_MERGE)
    config.forbid("system calls to request contracts are not run", *_SYSTEM_CONTRACTS)
    config.forbid("set baseFeePerGas beside config instead", "baseFeePerGas")
    config.only("ecCurve", "secp256k1", "validators' keys are secp256k1")
    config.only("fixedBaseFee", False, "it would take the base fee from each node's own settings")
    config.only("evmStackSize", 1024, "the engine's stack has 1024 places")
    _refuse_transitions(config.section("transitions"))
    config.section("blobSchedule")  # no blob is ever used, and the genesis has no excess: it cannot matter
    config.ignore(*_NETWORKING)
    spec = replace(
        spec,
        zero_base_fee=config.boolean("zeroBaseFee"),
        contract_size_limit=config.integer("contractSizeLimit", DEFAULT_CODE_BYTES_MAX, minimum=1, bits=31),
    )
    return _parse_qbft(qbft, spec)


def _parse_qbft(qbft: Section, spec: Spec) -> Spec:
    """Return ``spec`` with the rules under ``config.qbft``."""
    qbft.only("emptyBlockPeriodSeconds", 0, "this node makes empty blocks at the block period")
    qbft.only("xEmptyBlockPeriodSeconds", 0, "this node makes empty blocks at the block period")
    qbft.only("xBlockPeriodMilliseconds", 0, "this node's block period is whole seconds")
    qbft.only("startBlock", 0, "a chain that began with another consensus is not run")
    qbft.ignore(*_QBFT_MESSAGE_LIMITS)
    spec = replace(
        spec,
        block_period_s=qbft.integer("blockPeriodSeconds", 1, minimum=1, bits=31),
        request_timeout_s=qbft.integer("requestTimeoutSeconds", 1, minimum=1, bits=31),
        epoch_length=qbft.integer("epochLength", 30_000, minimum=1),
        block_reward_wei=qbft.integer("blockReward", 0, bits=256),
        mining_beneficiary=qbft.address("miningBeneficiary"),
        validator_contract=qbft.address("validatorContractAddress"),
        per_tx_gas_limit=qbft.optional_integer("perTxGasLimit", minimum=21_000),
    )
    qbft.close()
    return spec


def _parse_own(own: Section, spec: Spec) -> Spec:
    """Return ``spec`` with our own rules, which Besu does not know."""
    permission = own.section("permission")
    if permission is not None:
        contract = permission.address("contract")
        if contract is None:
            permission.refuse("contract", None, "a contract's address")
        from_block = permission.integer("fromBlock", 1, minimum=1)
        to_block = permission.optional_integer("toBlock", minimum=from_block)
        permission.close()
        spec = replace(spec, permission=Permission(contract, from_block, to_block))
    own.text("ceremony")
    ceiling = own.integer("requestTimeoutMaxSeconds", max(30, spec.request_timeout_s), minimum=1, bits=31)
    if ceiling < spec.request_timeout_s:
        own.refuse("requestTimeoutMaxSeconds", ceiling, f"at least requestTimeoutSeconds, {spec.request_timeout_s}")
    own.close()
    return replace(spec, request_timeout_max_s=ceiling)


def _refuse_transitions(transitions: Section | None) -> None:
    if transitions is None:
        return
    for engine, value in transitions.values():
        if value != [] and value is not None:
            transitions.refuse(engine, value, "an empty list: this node does not change QBFT's rules at a height yet")


def _validate_start(config: Section, spec: Spec, timestamp: int) -> None:
    """Refuse fork heights and times that contradict each other, or that Besu versions read differently."""
    times = [time for time in (spec.shanghai_time, spec.cancun_time) if time is not None]
    if not times:
        return
    if times != sorted(times):
        config.refuse("cancunTime", spec.cancun_time, f"at least shanghaiTime, {spec.shanghai_time}")
    if spec.london_block is None:
        config.refuse("londonBlock", None, "a height, since Shanghai or Cancun is to follow")
    if times[0] <= timestamp and spec.london_block:
        config.refuse("londonBlock", spec.london_block, "0, since Shanghai or Cancun begins at block 0")


def _parse_block(root: Section, spec: Spec, timestamp: int) -> tuple[Header, dict[bytes, AllocAccount]]:
    """Return block 0's header and the accounts of its state. Blocks after it begin with no blobs used."""
    alloc = _parse_alloc(root.section("alloc"))
    for key in ("number", "gasUsed"):
        root.only(key, 0, "block 0 has it")
    for key in ("blobGasUsed", "excessBlobGas"):
        root.only(key, 0, "this chain carries no blobs")
    fork = spec.fork_at(0, timestamp)
    base_fee = root.optional_integer("baseFeePerGas")
    if base_fee is None and spec.london_block == 0:
        base_fee = DEFAULT_BASE_FEE
    if base_fee is not None and spec.london_block != 0:
        root.refuse("baseFeePerGas", base_fee, "none, since block 0 is before London")
    beacon_root = root.data("parentBeaconBlockRoot", 32) or ZERO_HASH
    gas_limit = root.optional_integer("gasLimit")
    if gas_limit is None:
        root.refuse("gasLimit", None, "a whole number")
    if not root.has("difficulty"):
        root.refuse("difficulty", None, "0x1")
    is_shanghai, is_cancun = fork >= Fork.SHANGHAI, fork >= Fork.CANCUN
    header = Header(
        parent_hash=root.data("parentHash", 32) or ZERO_HASH,
        ommers_hash=EMPTY_OMMERS_HASH,
        coinbase=root.address("coinbase") or ZERO_ADDRESS,
        state_root=genesis_state(alloc)[0],
        transactions_root=EMPTY_ROOT,
        receipts_root=EMPTY_ROOT,
        logs_bloom=bytes(256),
        difficulty=root.hex_integer("difficulty", 1, bits=256),
        number=0,
        gas_limit=gas_limit,
        gas_used=0,
        timestamp=timestamp,
        extra_data=root.data("extraData") or b"",
        mix_hash=root.data("mixHash", 32) or ZERO_HASH,
        nonce=root.hex_integer("nonce", 0, bits=64).to_bytes(8, "big"),
        base_fee_per_gas=base_fee,
        withdrawals_root=EMPTY_ROOT if is_shanghai else None,
        blob_gas_used=0 if is_cancun else None,
        excess_blob_gas=0 if is_cancun else None,
        parent_beacon_block_root=beacon_root if is_cancun else None,
    )
    return header, alloc


def _parse_alloc(alloc: Section | None) -> dict[bytes, AllocAccount]:
    """Return the accounts of block 0 by address; remarks and the private keys of trial files are passed over."""
    accounts: dict[bytes, AllocAccount] = {}
    if alloc is None:
        return accounts
    for key, value in alloc.values():
        address = parse_hex(key, may_be_bare=True)
        if address is None or len(address) != 20:
            alloc.refuse(key, value, "an address of 20 bytes as its key")
        if address in accounts:
            alloc.refuse(key, value, "each address once")
        entry = Section(f"{alloc.path}.{key}", value)
        accounts[address] = AllocAccount(
            balance=entry.integer("balance", 0, bits=256),
            nonce=entry.hex_integer("nonce", 0, bits=64),
            code=entry.data("code", may_be_bare=True) or b"",
            storage=_parse_storage(entry.section("storage")),
        )
        entry.ignore("comment", "privateKey")
        entry.close()
    return accounts


def _parse_storage(storage: Section | None) -> dict[int, int]:
    """Return values by slot: both are hex numbers of at most 32 bytes, with or without 0x."""
    slots: dict[int, int] = {}
    if storage is None:
        return slots
    for key, value in storage.values():
        slot, number = _word(key), _word(value)
        if slot is None or number is None:
            storage.refuse(key, value, "a hex slot and a hex value of at most 32 bytes each")
        if slot in slots:
            storage.refuse(key, value, "each slot once")
        slots[slot] = number
    return slots


def _word(value: object) -> int | None:
    """Return the number of a hex string of at most 32 bytes, which may have an odd number of digits, or None."""
    digits = value[2:] if isinstance(value, str) and value[:2] in ("0x", "0X") else value
    if not isinstance(digits, str) or not 0 < len(digits) <= 64:
        return None
    found = parse_hex(digits.zfill(64), may_be_bare=True)
    return None if found is None else int.from_bytes(found, "big")


def _validate_extra_data(header: Header, spec: Spec, vanity: bytes | None) -> None:
    """Refuse extraData in block 0 that is not QBFT's, or that does not fit the way validators are chosen."""
    try:
        extra = decode_extra_data(header.extra_data)
    except InvalidBlock as error:
        raise InvalidGenesis(f"genesis.extraData: {error}") from None
    if extra.vote is not None or extra.round or extra.seals:
        raise InvalidGenesis("genesis.extraData: found a vote, a round or seals, expected none in block 0")
    if len(set(extra.validators)) != len(extra.validators):
        raise InvalidGenesis("genesis.extraData: found a validator twice, expected each once")
    if spec.validator_contract is None and not extra.validators:
        raise InvalidGenesis("genesis.extraData: found no validators, expected some (or a validatorContractAddress)")
    if vanity is not None and extra.vanity != vanity:
        raise InvalidGenesis(
            f"genesis.extraData: found vanity 0x{extra.vanity.hex()}, expected 0x{vanity.hex()}, the hash of config; "
            "one of them was changed after the founding"
        )
