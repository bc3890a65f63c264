"""What a JSON-RPC caller is told when something is wrong: one class per code, one table from our errors to codes.

This part alone knows the numbers. It never sends a traceback, a path or a secret of the node to a caller.

    NodeError
      RpcError
        ParseError            -32700  the body is not JSON
        InvalidRequest        -32600  JSON, but not a JSON-RPC 2.0 request
        MethodNotFound        -32601
        InvalidParams         -32602  which parameter, what was found, what was expected
        InternalError         -32603  our fault; the details are in the node's log
        InvalidInput          -32000  a call that failed without a revert (out of gas, ...), or that a rule refused
        ResourceNotFound      -32001  an unknown block, filter or subscription
        ResourceUnavailable   -32002  busy or stopping: try again later
        TransactionRejected   -32003  with the pool's reason
        MethodNotSupported    -32004  known, deliberately not offered
        LimitExceeded         -32005  too much was asked for; the limit is named
        ExecutionReverted          3  with the revert data

Sources: JSON-RPC 2.0 section 5.1, EIP-1474, and ethereum/execution-apis for code 3.
"""

from typing import ClassVar

from cocket.node.errors import InvalidTransaction, NodeError, Refused


class RpcError(NodeError):
    """An answer with an error object: a code, a message for people and optional data for programs."""

    code: ClassVar[int] = -32603

    def __init__(self, message: str, data: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class ParseError(RpcError):
    """The body is not JSON."""

    code = -32700


class InvalidRequest(RpcError):
    """The body is JSON but not a JSON-RPC 2.0 request."""

    code = -32600


class MethodNotFound(RpcError):
    """No method has this name."""

    code = -32601


class InvalidParams(RpcError):
    """A parameter is missing, superfluous or of the wrong shape."""

    code = -32602


class InternalError(RpcError):
    """The node failed; its own log has the details."""

    code = -32603


class InvalidInput(RpcError):
    """A call that ended in an exceptional halt, or that a rule of the node refused."""

    code = -32000


class ResourceNotFound(RpcError):
    """An unknown block, state, filter or subscription."""

    code = -32001


class ResourceUnavailable(RpcError):
    """The node is busy or stopping; the same request may succeed later."""

    code = -32002


class TransactionRejected(RpcError):
    """The pool refused a transaction; the message is its reason."""

    code = -32003


class MethodNotSupported(RpcError):
    """A known method or option that this node deliberately does not offer."""

    code = -32004


class LimitExceeded(RpcError):
    """More was asked for than one request may have; the message names the limit."""

    code = -32005


class ExecutionReverted(RpcError):
    """The called code reverted; ``data`` is its revert data as hex."""

    code = 3


def rpc_error_from(error: BaseException) -> RpcError:
    """Give the answer for any error: the one table from our errors to JSON-RPC codes.

    What is not in the table is our fault and becomes an ``InternalError`` that says nothing of the inside.
    """
    if isinstance(error, RpcError):
        return error
    if isinstance(error, InvalidTransaction):
        return TransactionRejected(str(error))
    if isinstance(error, Refused):
        return InvalidInput(str(error))
    if isinstance(error, RecursionError):
        return InvalidRequest("the request is nested too deeply")
    return InternalError("the node could not answer because of an internal error; its log has the details")
