"""What genesis.json's ``config.transitions`` says: which of QBFT's rules change at which height.

``transitions.qbft`` has Besu's keys and meaning: each entry keeps what it does not name. ``transitions.cocket``, which
Besu passes over, changes the round timeouts, for which Besu has no transition; it stands here and not under
``config.cocket`` because that is inside the genesis hash, and what comes later must not be. What Besu ignores without
a word (a contract's address without the mode, validators where a contract decides) is refused here: whoever wrote it
meant something. (Besu, ``BftFork``, ``QbftFork``, ``QbftForksSchedulesFactory``.)
"""

from dataclasses import replace
from typing import Final

from cocket.node.chain.hashing import ZERO_ADDRESS
from cocket.node.chain.json_section import Section
from cocket.node.chain.rules import VALIDATORS_MAX, Rules, Spec, Transition
from cocket.node.errors import InvalidGenesis

TRANSITIONS_MAX: Final = 256
"""They are looked through for each block; a network has a few in its life."""

_OTHER_ENGINES: Final = ("ibft2", "clique")


def parse_transitions(transitions: Section, spec: Spec, *, is_ours: bool) -> tuple[Transition, ...]:
    """Return the transitions, ascending, each with all the rules from its block on.

    ``is_ours`` says that the file is of a ceremony of ours. ``block`` is a height, always. In a file of Besu's with a
    fork by time it is refused, because versions of Besu differ: some read it as a time there.
    """
    for engine in _OTHER_ENGINES:
        transitions.only(engine, [], "this node runs QBFT only")
    changes = _by_block(transitions, "qbft")
    timeouts = _by_block(transitions, "cocket")
    transitions.close()
    if changes and not is_ours and (spec.shanghai_time is not None or spec.cancun_time is not None):
        raise InvalidGenesis(
            f"{transitions.path}.qbft: found {len(changes)} beside shanghaiTime or cancunTime, expected none: versions "
            "of Besu differ on whether block is a height or a time then"
        )
    rules, found = spec.rules_at(0), []
    for block in sorted({*changes, *timeouts}):
        validators = None
        if block in changes:
            rules, validators = _parse_change(changes[block], rules)
        if block in timeouts:
            rules = _parse_timeouts(timeouts[block], rules)
        found.append(Transition(block, rules, validators))
    return tuple(found)


def _by_block(transitions: Section, key: str) -> dict[int, Section]:
    """Return the entries of a list by their height."""
    found: dict[int, Section] = {}
    for entry in transitions.sections(key, TRANSITIONS_MAX):
        block = entry.optional_integer("block", minimum=1)
        if block is None:
            entry.refuse("block", None, "the height from which the change holds, at least 1")
        if block in found:
            entry.refuse("block", block, "each height once")
        found[block] = entry
    return found


def _parse_change(change: Section, rules: Rules) -> tuple[Rules, tuple[bytes, ...] | None]:
    """Return the rules after one of Besu's transitions, and the validators that it sets."""
    change.only("emptyBlockPeriodSeconds", 0, "this node makes empty blocks at the block period")
    change.only("xEmptyBlockPeriodSeconds", 0, "this node makes empty blocks at the block period")
    change.only("xBlockPeriodMilliseconds", 0, "this node's block period is whole seconds")
    contract, validators = _parse_selection(change, rules)
    rules = replace(
        rules,
        block_period_s=change.integer("blockPeriodSeconds", rules.block_period_s, minimum=1, bits=31),
        block_reward_wei=change.integer("blockReward", rules.block_reward_wei, bits=256),
        mining_beneficiary=_parse_beneficiary(change, rules),
        validator_contract=contract,
        per_tx_gas_limit=_parse_gas_limit(change, rules),
    )
    change.close()
    return rules, validators


def _parse_timeouts(change: Section, rules: Rules) -> Rules:
    timeout = change.integer("requestTimeoutSeconds", rules.request_timeout_s, minimum=1, bits=31)
    ceiling = change.integer("requestTimeoutMaxSeconds", rules.request_timeout_max_s, minimum=1, bits=31)
    if ceiling < timeout:
        change.refuse("requestTimeoutMaxSeconds", ceiling, f"at least requestTimeoutSeconds, {timeout}")
    change.close()
    return replace(rules, request_timeout_s=timeout, request_timeout_max_s=ceiling)


def _parse_beneficiary(change: Section, rules: Rules) -> bytes | None:
    """Return who gets the reward; the empty string gives it back to the proposer."""
    if change.is_null("miningBeneficiary"):
        change.refuse("miningBeneficiary", None, 'an address, or "" for the proposer of each block')
    return change.address("miningBeneficiary") if change.has("miningBeneficiary") else rules.mining_beneficiary


def _parse_gas_limit(change: Section, rules: Rules) -> int | None:
    """Return the bound of a transaction's gas; 0 lifts it."""
    if not change.has("perTxGasLimit"):
        return rules.per_tx_gas_limit
    limit = change.integer("perTxGasLimit", 0)
    if 0 < limit < 21_000:
        change.refuse("perTxGasLimit", limit, "0 (no bound) or at least 21000, what the least transaction takes")
    return limit or None


def _parse_selection(change: Section, rules: Rules) -> tuple[bytes | None, tuple[bytes, ...] | None]:
    """Return the validator contract, None for validators in headers, and the validators to begin with."""
    has_mode = change.has("validatorSelectionMode")
    mode = change.text("validatorSelectionMode")
    contract = change.address("validatorContractAddress")
    validators = change.addresses("validators")
    if has_mode and mode.lower() not in ("contract", "blockheader"):
        change.refuse("validatorSelectionMode", mode, '"contract" or "blockheader"')
    if contract is not None and mode.lower() != "contract":
        change.refuse("validatorContractAddress", "0x" + contract.hex(), 'it beside validatorSelectionMode "contract"')
    if mode.lower() == "contract" and contract is None:
        change.refuse("validatorContractAddress", None, "the address of the contract that names the validators")
    if mode.lower() == "blockheader" and not validators:
        change.refuse("validators", None, "at least one: the headers before have none to go on with")
    selected = contract if has_mode else rules.validator_contract
    if validators is not None and selected is not None:
        change.refuse("validators", list(validators), "none: from this block on a contract names the validators")
    if validators == ():
        change.refuse("validators", [], "at least one, or no such key")
    if validators is not None and (ZERO_ADDRESS in validators or len(validators) > VALIDATORS_MAX):
        change.refuse("validators", list(validators), f"at most {VALIDATORS_MAX}, none of them the zero address")
    if contract == ZERO_ADDRESS:
        change.refuse("validatorContractAddress", "0x" + contract.hex(), "an address that a contract can have")
    return selected, validators
