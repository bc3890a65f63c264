"""The validators that a contract names: how it is asked, and what counts as an answer.

It keeps nothing and decides nothing: who asks which block's state is the ledger's.
"""

from cocket.node.chain.hashing import ZERO_ADDRESS
from cocket.node.chain.rules import VALIDATORS_MAX
from cocket.node.chain.state import StateReader
from cocket.node.chain.vm import BlockContext, CallRequest, call
from cocket.node.errors import Refused

GET_VALIDATORS = bytes.fromhex("b7ab4db5")
"""Selector of ``getValidators()``, which returns ``address[]`` (Besu's validator contract interface)."""


def ask_validators(context: BlockContext, state: StateReader, contract: bytes) -> tuple[bytes, ...]:
    """Return what ``getValidators()`` answers in a block's own state and context, ascending; duplicates stay.

    The caller is the zero address, the gas the block's limit. Refused when it reverts, or answers nothing or nonsense:
    no block can follow then. (Besu, ``ValidatorContractController``.)
    """
    request = CallRequest(sender=ZERO_ADDRESS, to=contract, data=GET_VALIDATORS, gas=context.gas_limit)
    result = call(context, state, request, None)
    where = f"getValidators() of 0x{contract.hex()} after block {context.number}"
    if result.error is not None:
        raise Refused(f"{where}: {result.error}: no block can follow until the contract answers")
    return _decode_addresses(result.output, where)


def _decode_addresses(output: bytes, where: str) -> tuple[bytes, ...]:
    """Return the sorted ``address[]`` of an ABI answer."""
    words = [output[at : at + 32] for at in range(0, len(output) - len(output) % 32, 32)]
    count = int.from_bytes(words[1], "big") if len(words) > 1 else 0
    if len(words) < 2 or int.from_bytes(words[0], "big") != 32 or not 0 < count <= VALIDATORS_MAX:
        raise Refused(f"{where}: found {len(output)} bytes, expected a list of 1 to {VALIDATORS_MAX} addresses")
    if len(words) < 2 + count or any(any(word[:12]) for word in words[2 : 2 + count]):
        raise Refused(f"{where}: found no {count} addresses in {len(output)} bytes")
    return tuple(sorted(word[12:] for word in words[2 : 2 + count]))
