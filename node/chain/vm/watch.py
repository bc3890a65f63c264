"""How a running execution is stopped: by another thread, or by its deadline.

This module alone knows when an execution must end early. It never touches the state: who starts an execution takes
its changes back.
"""

from time import monotonic

from cocket.node.errors import NodeError


class ExecutionAborted(NodeError):
    """An execution was stopped before its end, by ``abort()`` or at its deadline; it says nothing about validity."""


class Watch:
    """Asked at every loop turn, call and long precompile step of an execution, so it must be cheap."""

    __slots__ = ("_is_aborted", "_until")

    def __init__(self) -> None:
        self._is_aborted = False
        self._until = float("inf")

    def abort(self) -> None:
        """Stop the execution soon; safe from any thread, and for good."""
        self._is_aborted = True

    def start(self, deadline_s: float | None) -> None:
        """Begin a stretch that may take ``deadline_s`` seconds; None sets no bound."""
        self._until = float("inf") if deadline_s is None else monotonic() + deadline_s

    def check(self) -> None:
        """Raise ExecutionAborted if it is time to stop."""
        if self._is_aborted:
            raise ExecutionAborted("execution aborted: its result is no longer wanted")
        if monotonic() > self._until:
            raise ExecutionAborted("execution aborted: its deadline has passed; lower its gas or its input")
