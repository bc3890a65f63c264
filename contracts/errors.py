"""What can go wrong in a call to a contract, split by whose fault it is.

ContractError
├── MalformedValue      an argument cannot be encoded: ours
├── MalformedAnswer     bytes from a chain are not what the interface promises: the node's, or another contract's
├── MalformedArtifact   a compiled artifact is missing or damaged: the installation's
└── ContractRefusal     a contract said no, and why
"""

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

REVERT_BYTES_MAX = 1024
"""A reason is a short line; more than this is not one of ours."""

_ERROR_STRING = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")


class ContractError(Exception):
    """The root of what this package raises."""


class MalformedValue(ContractError):
    """An argument does not fit the interface; the message names it, what was found and what was expected."""


class MalformedAnswer(ContractError):
    """Bytes from a chain do not decode as the interface promises."""


class MalformedArtifact(ContractError):
    """A compiled artifact is missing or damaged."""


class ContractRefusal(ContractError):
    """A contract said no.

    ``contract`` is the lower-case name in front of the colon, or empty when the revert carried none; ``reason`` is the
    rest.
    """

    def __init__(self, contract: str, reason: str) -> None:
        super().__init__(f"{contract}: {reason}" if contract else reason)
        self.contract = contract
        self.reason = reason


def decode_revert(output: bytes) -> ContractRefusal:
    """Give what a revert's output says. Never raises: whatever the bytes, the call was refused.

    Ours are ``Error(string)`` with ``contract: reason``. A value outside its ABI type reverts with no output.
    """
    if not output:
        return ContractRefusal("", "reverted without a reason (a value outside its type, or no such function)")
    if len(output) > REVERT_BYTES_MAX:
        return ContractRefusal("", f"reverted with {len(output)} bytes, more than a reason has")
    try:
        if output[:4] == _ERROR_STRING:
            (text,) = decode(["string"], output[4:])
            contract, colon, reason = text.partition(": ")
            return ContractRefusal(contract, reason) if colon else ContractRefusal("", text)
        if output[:4] == _PANIC:
            (code,) = decode(["uint256"], output[4:])
            return ContractRefusal("", f"panic {code:#x}")
    except (DecodingError, UnicodeDecodeError, OverflowError):
        pass
    return ContractRefusal("", f"reverted with 0x{output[:64].hex()}")
