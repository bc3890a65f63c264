"""What makes a header right, given its parent and the validators of its height: everything but seals and execution.

The rules are Besu's for QBFT, and besides the base fee, which Besu computes but does not check. The nonce is free, as
with Besu. Seals are for ``consensus.seals``; roots, gas used and bloom are for whoever executes the block.
(Besu, ``QbftBlockHeaderValidationRulesetFactory``; EIP-1559, EIP-4844.)
"""

from collections.abc import Sequence
from typing import Final

from cocket.node.chain.block import Block
from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.hashing import EMPTY_OMMERS_HASH, EMPTY_ROOT, ZERO_HASH
from cocket.node.chain.header import Header, block_hash
from cocket.node.chain.roots import ordered_root
from cocket.node.chain.rules import Fork, Spec
from cocket.node.errors import InvalidBlock

MIX_HASH: Final = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")
"""The mixHash of every QBFT block ("ctical byzantine fault tolerance")."""

DIFFICULTY: Final = 1
TRANSACTION_GAS: Final = 21_000
"""What every transaction costs at least before refunds (Yellow Paper, appendix G)."""
GAS_LIMIT_MIN: Final = 5_000
GAS_LIMIT_DIVISOR: Final = 1_024
CLOCK_DRIFT_S: Final = 1
"""How far a header's time may lie ahead of our clock, as in Besu."""

_ELASTICITY: Final = 2
_BASE_FEE_DIVISOR: Final = 8
_BLOB_GAS_TARGET: Final = 393_216


def validate_header(
    header: Header, parent: Header, spec: Spec, validators: Sequence[bytes], now_s: int | None = None
) -> None:
    """Raise InvalidBlock if ``header`` breaks a rule; the message names the rule, what was found and what expected.

    ``validators`` are those of the header's height, ascending. ``now_s`` is the wall clock in seconds since 1970; None
    leaves the clock out, as for blocks that were final long ago. Seals are not looked at.
    """
    _validate_ancestry(header, parent)
    fork = spec.fork_at(header.number, header.timestamp)
    _validate_constants(header)
    _validate_gas(header, parent, fork)
    _validate_time(header, parent, spec, now_s)
    _validate_fee_fields(header, parent, spec)
    _validate_fork_fields(header, parent, fork)
    _validate_validators(header, spec, validators)


def transactions_max(header: Header) -> int:
    """Return how many transactions can have used the gas that a header states: a bound before any byte is hashed.

    From London on refunds never bring one below 21,000 gas (EIP-3529 caps them at a fifth); before, they may halve it.
    A header without a base fee counts as one from before, which is never too few.
    """
    return header.gas_used // (TRANSACTION_GAS // 2 if header.base_fee_per_gas is None else TRANSACTION_GAS)


def validate_body(block: Block, fork: Fork) -> None:
    """Raise InvalidBlock if the transactions are not those of the header, or withdrawals stand where none may be.

    More transactions than the stated gas can pay are refused before their root is computed. From Shanghai on the
    (empty) withdrawals list may be there or not: Besu versions differ, and either is accepted.
    """
    count, count_max = len(block.transactions), transactions_max(block.header)
    if count > count_max:
        raise InvalidBlock(
            f"gas used: found {block.header.gas_used} for {count} transactions, expected at most {count_max} of them"
        )
    root = ordered_root(block.transactions)
    if root != block.header.transactions_root:
        raise _breach("transactionsRoot", block.header.transactions_root, root)
    if block.has_withdrawals and fork < Fork.SHANGHAI:
        raise InvalidBlock("withdrawals: found a list before Shanghai, expected none")


def next_base_fee(parent: Header, spec: Spec) -> int | None:
    """Return the base fee, in wei, of the block after ``parent``; None before London (EIP-1559; zeroBaseFee)."""
    if spec.london_block is None or parent.number + 1 < spec.london_block:
        return None
    if spec.zero_base_fee:
        return 0
    if parent.base_fee_per_gas is None or parent.number + 1 == spec.london_block:
        return spec.initial_base_fee
    base_fee, target = parent.base_fee_per_gas, parent.gas_limit // _ELASTICITY
    if parent.gas_used > target:
        return base_fee + max(1, base_fee * (parent.gas_used - target) // target // _BASE_FEE_DIVISOR)
    if parent.gas_used < target:
        return base_fee - base_fee * (target - parent.gas_used) // target // _BASE_FEE_DIVISOR
    return base_fee


def next_gas_limit(parent: Header, spec: Spec, target: int | None = None) -> int:
    """Return the gas limit to propose after ``parent``: the same, or as far towards ``target`` as one block may go."""
    limit = _comparable_gas_limit(parent, spec.fork_at(parent.number + 1, parent.timestamp))
    if target is None:
        return limit
    step = max(0, limit // GAS_LIMIT_DIVISOR - 1)
    return max(GAS_LIMIT_MIN, min(max(target, limit - step), limit + step))


def next_excess_blob_gas(parent: Header) -> int:
    """Return the excess blob gas of a Cancun block after ``parent`` (EIP-4844); without blobs it only falls."""
    total = (parent.excess_blob_gas or 0) + (parent.blob_gas_used or 0)
    return max(0, total - _BLOB_GAS_TARGET)


def _validate_ancestry(header: Header, parent: Header) -> None:
    if header.number != parent.number + 1:
        raise _breach("number", header.number, parent.number + 1)
    expected = block_hash(parent)
    if header.parent_hash != expected:
        raise _breach("parentHash", header.parent_hash, expected)


def _validate_constants(header: Header) -> None:
    if header.mix_hash != MIX_HASH:
        raise _breach("mixHash", header.mix_hash, MIX_HASH)
    if header.difficulty != DIFFICULTY:
        raise _breach("difficulty", header.difficulty, DIFFICULTY)
    if header.ommers_hash != EMPTY_OMMERS_HASH:
        raise _breach("ommersHash", header.ommers_hash, EMPTY_OMMERS_HASH)


def _validate_gas(header: Header, parent: Header, fork: Fork) -> None:
    if header.gas_used > header.gas_limit:
        raise _breach("gasUsed", header.gas_used, f"at most the gas limit {header.gas_limit}")
    if header.gas_limit < GAS_LIMIT_MIN:
        raise _breach("gasLimit", header.gas_limit, f"at least {GAS_LIMIT_MIN}")
    before = _comparable_gas_limit(parent, fork)
    bound = before // GAS_LIMIT_DIVISOR
    if abs(header.gas_limit - before) >= bound:
        raise _breach("gasLimit", header.gas_limit, f"less than {bound} away from {before}")


def _validate_time(header: Header, parent: Header, spec: Spec, now_s: int | None) -> None:
    earliest = parent.timestamp + spec.rules_at(header.number).block_period_s
    if header.timestamp < earliest:
        raise _breach("timestamp", header.timestamp, f"at least {earliest} (parent's and the block period)")
    if now_s is not None and header.timestamp > now_s + CLOCK_DRIFT_S:
        raise _breach("timestamp", header.timestamp, f"at most {now_s + CLOCK_DRIFT_S} (our clock and the drift)")


def _validate_fee_fields(header: Header, parent: Header, spec: Spec) -> None:
    expected = next_base_fee(parent, spec)
    if header.base_fee_per_gas != expected:
        raise _breach("baseFeePerGas", header.base_fee_per_gas, expected)


def _validate_fork_fields(header: Header, parent: Header, fork: Fork) -> None:
    """Check the fields after baseFeePerGas; none at all is right in any fork, as Besu made headers before 26.1.0."""
    if header.requests_hash is not None:
        raise _breach("requestsHash", header.requests_hash, None)
    root = header.withdrawals_root
    if root is not None and (fork < Fork.SHANGHAI or root != EMPTY_ROOT):
        raise _breach("withdrawalsRoot", root, EMPTY_ROOT if fork >= Fork.SHANGHAI else None)
    has_blob_fields = fork >= Fork.CANCUN and root is not None
    for name, found, expected in (
        ("blobGasUsed", header.blob_gas_used, 0),
        ("excessBlobGas", header.excess_blob_gas, next_excess_blob_gas(parent)),
        ("parentBeaconBlockRoot", header.parent_beacon_block_root, ZERO_HASH),
    ):
        if found != (expected if has_blob_fields else None):
            raise _breach(name, found, expected if has_blob_fields else None)


def _validate_validators(header: Header, spec: Spec, validators: Sequence[bytes]) -> None:
    if header.coinbase not in validators:
        raise _breach("coinbase", header.coinbase, "a validator of this height")
    extra = decode_extra_data(header.extra_data)
    is_contract_mode = spec.rules_at(header.number).validator_contract is not None
    if extra.vote is not None and is_contract_mode:
        raise InvalidBlock(
            f"extraData vote: found one about 0x{extra.vote.recipient.hex()}, expected none; a contract decides"
        )
    expected = () if is_contract_mode else tuple(validators)
    if extra.validators != expected:
        raise InvalidBlock(
            f"extraData validators: found {_show_all(extra.validators)}, expected {_show_all(expected)}"
            + (" (a contract names them)" if is_contract_mode else ", ascending")
        )


def _comparable_gas_limit(parent: Header, fork: Fork) -> int:
    """Return the limit that the next one is measured against: at the London block, twice the parent's (EIP-1559)."""
    is_london_block = fork >= Fork.LONDON and parent.base_fee_per_gas is None
    return parent.gas_limit * _ELASTICITY if is_london_block else parent.gas_limit


def _breach(rule: str, found: bytes | int | None, expected: bytes | int | str | None) -> InvalidBlock:
    return InvalidBlock(f"{rule}: found {_show(found)}, expected {_show(expected)}")


def _show(value: bytes | int | str | None) -> str:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return "none" if value is None else str(value)


def _show_all(addresses: Sequence[bytes]) -> str:
    shown = ", ".join(f"0x{address.hex()}" for address in addresses[:8])
    more = f" and {len(addresses) - 8} more" if len(addresses) > 8 else ""
    return f"[{shown}{more}]"
