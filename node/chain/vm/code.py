"""Code as an execution walks it: where it stands, what it pushes, and where it may jump to.

This module alone analyses code. py-evm's stream asks for each jump by recursion, which a long run of PUSH1 drives
beyond Python's limit, and forgets its answers with each call. Here one pass finds all destinations at the first jump,
a run of PUSHes, of which two fifths of any program consist, is read once, and both are kept by code.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

_JUMPDEST: Final = 0x5B
_PUSH0: Final = 0x5F
_PUSH32: Final = 0x7F
_PUSH_GAS: Final = 3
_JUMPDEST_OR_PUSH: Final = re.compile(rb"[\x5b\x60-\x7f]")
_ANALYSES_MAX: Final = 64  # contracts in use at once; the worst code's analysis takes some 1.5 MB


Pushes = tuple[tuple[int, ...], int, int]
"""The words that PUSHes in a row push, the position behind them, and their gas."""


class Analysis:
    """What is known of some code so far."""

    __slots__ = ("_destinations", "_raw", "pushes")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._destinations: frozenset[int] | None = None
        self.pushes: dict[int, Pushes] = {}
        """The runs of PUSHes by where they start, as far as they have been executed."""

    @property
    def destinations(self) -> frozenset[int]:
        """The positions of all JUMPDESTs that are no data of a PUSH."""
        if self._destinations is None:
            self._destinations = frozenset(_find_destinations(self._raw))
        return self._destinations

    def pushes_at(self, start: int) -> "Pushes":
        """Return the run of PUSHes that starts here, and remember it; behind the end of code bytes are zero."""
        raw, position, words = self._raw, start, []
        while position < len(raw) and _PUSH0 < raw[position] <= _PUSH32:
            size = raw[position] - _PUSH0
            data = raw[position + 1 : position + 1 + size]
            words.append(int.from_bytes(data, "big") << 8 * (size - len(data)))
            position += 1 + size
        run = tuple(words), position, _PUSH_GAS * len(words)
        self.pushes[start] = run
        return run


@lru_cache(maxsize=_ANALYSES_MAX)
def analysis_of(raw: bytes) -> Analysis:
    """Return the analysis of some code, shared by all its executions, also in other threads."""
    return Analysis(raw)


class CodeStream:
    """A position in code, with the surface that opcodes of py-evm use."""

    __slots__ = ("analysis", "program_counter", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.program_counter = 0
        self.analysis = analysis_of(raw)

    def __len__(self) -> int:
        return len(self.raw)

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer at the end, and step over them."""
        start = self.program_counter
        self.program_counter = start + size
        return self.raw[start : start + size]


def _find_destinations(raw: bytes) -> Iterator[int]:
    position = 0
    while match := _JUMPDEST_OR_PUSH.search(raw, position):
        position = match.end()
        opcode = raw[position - 1]
        if opcode == _JUMPDEST:
            yield position - 1
        else:
            position += opcode - _PUSH0
