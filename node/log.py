"""How the node's log is written: one line a happening on stderr, for people or as JSON. Only ``service`` writes it.

Writing never raises: a full disk, or a reader that went away, must not stop a node in the middle of its work.
"""

import logging
import sys
from contextlib import suppress
from typing import Protocol, TextIO, cast

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Log(Protocol):
    """A structured log: an event and its facts."""

    def debug(self, event: str, **facts: object) -> None:
        """Write what only a developer wants."""

    def info(self, event: str, **facts: object) -> None:
        """Write what an operator reads."""

    def warning(self, event: str, **facts: object) -> None:
        """Write what an operator should look at."""

    def error(self, event: str, **facts: object) -> None:
        """Write what stops or hurts the node."""


class _Patient:
    """A stream on which what cannot be written is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # ValueError: it was closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def open_log(level: str, *, as_json: bool, **facts: object) -> Log:
    """Return a log on stderr at a level (debug, info, warning, error); ``facts`` stand on every line."""
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Patient(sys.stderr))),
    )
    return cast(Log, structlog.get_logger(**facts))
