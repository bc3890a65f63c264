"""What genesis.json's ``config`` says: Besu's keys, and our own under ``cocket``, read into a Spec.

Each key is implemented, refused by name, or listed here among those that change neither validity nor state; a key that
is none of these is refused too, because a rule that one node follows and another does not know splits the chain.
(Besu, ``JsonGenesisConfigOptions``, ``JsonBftConfigOptions``.)
"""

from dataclasses import replace
from typing import Final

from cocket.node.chain.json_section import Section
from cocket.node.chain.rules import DEFAULT_CODE_BYTES_MAX, Permission, Spec

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
FORKS_AFTER_CANCUN: Final = (
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


def parse_forks(config: Section) -> Spec:
    """Return the chain id and the forks that shape block 0."""
    return Spec(
        chain_id=config.integer("chainId", 0, bits=64),
        london_block=config.optional_integer("londonBlock"),
        shanghai_time=config.optional_integer("shanghaiTime"),
        cancun_time=config.optional_integer("cancunTime"),
    )


def parse_config(config: Section, spec: Spec) -> Spec:
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
    config.forbid("this node runs Berlin to Cancun", *FORKS_AFTER_CANCUN)
    config.forbid("this node runs QBFT only", *_OTHER_ENGINES)
    config.forbid("it belongs to a chain whose rules are not run here", *_OTHER_CHAINS)
    config.forbid("a QBFT chain has no merge", *_MERGE)
    config.forbid("system calls to request contracts are not run", *_SYSTEM_CONTRACTS)
    config.forbid("set baseFeePerGas beside config instead", "baseFeePerGas")
    config.only("ecCurve", "secp256k1", "validators' keys are secp256k1")
    config.only("fixedBaseFee", False, "it would take the base fee from each node's own settings")
    config.only("evmStackSize", 1024, "the engine's stack has 1024 places")
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


def parse_own(own: Section, spec: Spec) -> Spec:
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


def validate_start(config: Section, spec: Spec, timestamp: int) -> None:
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
