"""What a chain's genesis decides beyond block 0: which rules hold when, and its fixed amounts and addresses.

It knows no file format (``spec`` reads genesis.json) and applies no rule itself.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

DEFAULT_BASE_FEE: Final = 1_000_000_000
"""The base fee, in wei, of a London chain's beginning (EIP-1559)."""

DEFAULT_CODE_BYTES_MAX: Final = 24_576
"""Bound of a contract's code (EIP-170)."""

VALIDATORS_MAX: Final = 1000
"""Who names more is broken: their seals would not fit a header."""


class Fork(IntEnum):
    """The rule sets that this node executes, in order."""

    BERLIN = 0
    LONDON = 1
    SHANGHAI = 2
    CANCUN = 3


@dataclass(frozen=True, slots=True)
class Permission:
    """Which contract (20 bytes) is asked who may transact and deploy, from which block on and to which, inclusive."""

    contract: bytes
    from_block: int = 1
    to_block: int | None = None

    def is_on(self, number: int) -> bool:
        """Say whether the rule holds for the block of this height."""
        return self.from_block <= number and (self.to_block is None or number <= self.to_block)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a transition may change: the times, the reward and who decides the validators.

    ``validator_contract`` is None when headers carry the validators. ``mining_beneficiary`` None means the block's
    coinbase. Rewards are wei.
    """

    block_period_s: int
    request_timeout_s: int
    request_timeout_max_s: int
    block_reward_wei: int
    mining_beneficiary: bytes | None
    validator_contract: bytes | None
    per_tx_gas_limit: int | None


@dataclass(frozen=True, slots=True)
class Transition:
    """The rules from ``block`` on, all of them; ``validators``, if given, are the set of exactly that block.

    From there the votes begin anew.
    """

    block: int
    rules: Rules
    validators: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """What a chain's genesis file decides beyond block 0.

    Fork heights and times (seconds) are None for a fork that never comes. The fields that ``Rules`` has too are those
    of block 0: ask ``rules_at`` for a height's. ``transitions`` ascend.
    """

    chain_id: int
    london_block: int | None = 0
    shanghai_time: int | None = None
    cancun_time: int | None = None
    zero_base_fee: bool = False
    initial_base_fee: int = DEFAULT_BASE_FEE
    contract_size_limit: int = DEFAULT_CODE_BYTES_MAX
    block_period_s: int = 1
    request_timeout_s: int = 1
    request_timeout_max_s: int = 30
    epoch_length: int = 30_000
    block_reward_wei: int = 0
    mining_beneficiary: bytes | None = None
    validator_contract: bytes | None = None
    per_tx_gas_limit: int | None = None
    permission: Permission | None = None
    transitions: tuple[Transition, ...] = ()

    def rules_at(self, number: int) -> Rules:
        """Return what holds for the block of this height, and for the rounds that decide it."""
        for transition in reversed(self.transitions):
            if number >= transition.block:
                return transition.rules
        return Rules(
            self.block_period_s,
            self.request_timeout_s,
            self.request_timeout_max_s,
            self.block_reward_wei,
            self.mining_beneficiary,
            self.validator_contract,
            self.per_tx_gas_limit,
        )

    def validators_from(self, number: int) -> tuple[bytes, ...] | None:
        """Return the validators that a transition sets for exactly this height, None where none does."""
        for transition in self.transitions:
            if transition.block == number:
                return transition.validators
        return None

    def has_asked(self, contract: bytes, number: int) -> bool:
        """Say whether a contract names the validators of this height, or named those of an earlier one."""
        rules = (self.rules_at(0), *[each.rules for each in self.transitions if each.block <= number])
        return any(each.validator_contract == contract for each in rules)

    def fork_at(self, number: int, timestamp: int) -> Fork:
        """Return the rules of the block with this height and time; a time fork waits for London's height."""
        if self.london_block is None or number < self.london_block:
            return Fork.BERLIN
        if self.cancun_time is not None and timestamp >= self.cancun_time:
            return Fork.CANCUN
        if self.shanghai_time is not None and timestamp >= self.shanghai_time:
            return Fork.SHANGHAI
        return Fork.LONDON
