"""Words and slots of the contracts' dated histories (``history.vy``), for storage proofs.

A word is time (40 bits) | sequence (16 bits) | fact (200 bits). The newest lies at ``latest[subject]``, older ones at
``past[subject][sequence]``. What was true at a time is the last word that began on or before it; that word and the next
one prove it at one header.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sha3 import keccak_256

from cocket.contracts.errors import MalformedAnswer


@dataclass(frozen=True, slots=True)
class Word:
    """One entry of a history: true from ``time`` on, the ``sequence``-th from 0; a zero word gives all zero."""

    time: int
    sequence: int
    fact: int


def decode_word(word: int) -> Word:
    """Give the entry in a storage word."""
    return Word(word >> 216, word >> 200 & 0xFFFF, word & (1 << 200) - 1)


def latest_slot(layout: Mapping[str, int], subject: int) -> int:
    """Give the slot of a subject's newest word, in a contract with this storage layout."""
    return mapping_slot(layout["history.latest"], subject.to_bytes(32, "big"))


def past_slot(layout: Mapping[str, int], subject: int, sequence: int) -> int:
    """Give the slot of a subject's older word, by its sequence number."""
    outer = mapping_slot(layout["history.past"], subject.to_bytes(32, "big"))
    return mapping_slot(outer, sequence.to_bytes(32, "big"))


def words_back(
    latest: int, read: Callable[[int], int], past: Callable[[int], int], count_max: int
) -> tuple[tuple[int, ...], bool]:
    """Give the words of a history, oldest first, and whether they are all: the newest and ``count_max`` - 1 before it.

    ``read`` gives the value of a slot, ``past`` the slot of an earlier word by its sequence number. Each word must
    bear its own number, and times may not go back: MalformedAnswer otherwise.
    """
    words: list[int] = []
    slot, expected = latest, None
    while len(words) < count_max:
        word = read(slot)
        entry = decode_word(word)
        if not word and not words:
            return (), True
        if expected is not None and (entry.sequence, bool(word)) != (expected, True):
            raise MalformedAnswer(f"history: found entry {entry.sequence}, expected {expected}")
        if words and entry.time > decode_word(words[-1]).time:
            raise MalformedAnswer(f"history: entry {entry.sequence} is younger than the next one")
        words.append(word)
        if not entry.sequence:
            return tuple(reversed(words)), True
        expected = entry.sequence - 1
        slot = past(expected)
    return tuple(reversed(words)), False


def mapping_slot(slot: int, key: bytes) -> int:
    """Give the slot of a mapping's value, as Vyper lays it out: keccak256(slot | key), the key in 32 bytes."""
    return int.from_bytes(keccak_256(slot.to_bytes(32, "big") + key.rjust(32, b"\0")).digest(), "big")
