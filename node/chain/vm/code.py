"""Code as an execution walks it: where it stands, and where it may jump to.

This module alone analyses code. py-evm's stream asks for each jump by recursion, which a long run of PUSH1 drives
beyond Python's limit, and forgets its answers with each call; here one pass finds all destinations, kept by code.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

_STOP: Final = 0x00
_JUMPDEST: Final = 0x5B
_PUSH0: Final = 0x5F
_JUMPDEST_OR_PUSH: Final = re.compile(rb"[\x5b\x60-\x7f]")
_ANALYSES_MAX: Final = 256  # contracts in use at once; a code and its set take at most some megabytes


@lru_cache(maxsize=_ANALYSES_MAX)
def jump_destinations(code: bytes) -> frozenset[int]:
    """Return the positions of all JUMPDESTs that are no data of a PUSH."""
    found = []
    position = 0
    while match := _JUMPDEST_OR_PUSH.search(code, position):
        at = match.start()
        opcode = code[at]
        if opcode == _JUMPDEST:
            found.append(at)
            position = at + 1
        else:
            position = at + 1 + opcode - _PUSH0
    return frozenset(found)


class CodeStream:
    """A position in code, with the surface that opcodes of py-evm use."""

    __slots__ = ("destinations", "program_counter", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.program_counter = 0
        self.destinations = jump_destinations(raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, position: int) -> int:
        return self.raw[position]

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer at the end, and step over them."""
        start = self.program_counter
        self.program_counter = start + size
        return self.raw[start : start + size]

    def peek(self) -> int:
        """Return the opcode at the position; behind the end it is STOP."""
        position = self.program_counter
        return self.raw[position] if position < len(self.raw) else _STOP

    def is_valid_opcode(self, position: int) -> bool:
        """Say whether a jump may go there."""
        return position in self.destinations

    @contextmanager
    def seek(self, position: int) -> Iterator["CodeStream"]:
        """Read elsewhere for a while."""
        anchor = self.program_counter
        self.program_counter = position
        try:
            yield self
        finally:
            self.program_counter = anchor
