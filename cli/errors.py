"""The one table of exit codes, and how errors of every room become a message and a code.

=====  ==========================================================
code   meaning
=====  ==========================================================
0      done
1      failed: the machine, the node or a file
2      usage: the command line or an input is malformed
3      refused by policy: a rule, a contract or a safeguard said no
4      not found
5      verification says no
6      could not check
=====  ==========================================================
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    VERIFICATION_NO = 5
    COULD_NOT_CHECK = 6


class CommandError(Exception):
    """An error that ends a command: a message for the person, an exit code for the script."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


# By module and name, so that this table imports none of the rooms.
EXIT_CODES: dict[str, Exit] = {
    "cocket.attestation.errors.InvalidDocument": Exit.USAGE,
    "cocket.attestation.errors.AttestationError": Exit.USAGE,
    "cocket.contracts.errors.ContractRefusal": Exit.REFUSED,
    "cocket.contracts.errors.MalformedValue": Exit.USAGE,
    "cocket.contracts.errors.ContractError": Exit.FAILED,
    "cocket.genesis.errors.CeremonyRefused": Exit.REFUSED,
    "cocket.genesis.errors.FoundingError": Exit.USAGE,
    "cocket.network.errors.NetworkError": Exit.FAILED,
    "cocket.node.bundle.errors.InvalidBundle": Exit.USAGE,
    "cocket.node.bundle.errors.InvalidCheckpoint": Exit.USAGE,
    "cocket.node.bundle.errors.Unproven": Exit.COULD_NOT_CHECK,
    "cocket.node.errors.InvalidGenesis": Exit.USAGE,
    "cocket.node.errors.InvalidTransaction": Exit.REFUSED,
    "cocket.node.errors.Refused": Exit.REFUSED,
    "cocket.node.errors.NodeError": Exit.FAILED,
    "builtins.PermissionError": Exit.FAILED,
    "builtins.FileNotFoundError": Exit.NOT_FOUND,
    "builtins.OSError": Exit.FAILED,
}


def is_kind(error: BaseException, name: str) -> bool:
    """Whether an error is of a class with this full name."""
    return any(f"{kind.__module__}.{kind.__qualname__}" == name for kind in type(error).__mro__)


def exit_code(error: BaseException) -> Exit | None:
    """Return the exit code of an error that a user can cause, or None for a fault of ours."""
    if isinstance(error, CommandError):
        return error.code
    for kind in type(error).__mro__:
        code = EXIT_CODES.get(f"{kind.__module__}.{kind.__qualname__}")
        if code is not None:
            return code
    return None
