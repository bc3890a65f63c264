"""Fork ids: how two nodes see, before they exchange blocks, whether they follow the same rules (EIP-2124, EIP-6122).

Pure arithmetic over a genesis hash and the blocks and times of the forks; who is disconnected is for the protocol.
"""

from collections.abc import Iterable
from typing import NamedTuple
from zlib import crc32


class ForkId(NamedTuple):
    """The checksum (4 bytes) of the genesis and the forks passed, and the next fork's block or time (0: none known)."""

    hash: bytes
    next: int


class ForkSchedule(NamedTuple):
    """When the rules change: heights above 0, then times after the genesis', each sorted and without repeats."""

    genesis_hash: bytes
    blocks: tuple[int, ...]
    times: tuple[int, ...]

    @classmethod
    def of(
        cls, genesis_hash: bytes, genesis_time: int, blocks: Iterable[int | None], times: Iterable[int | None]
    ) -> "ForkSchedule":
        """Return the schedule of forks at ``blocks`` and ``times``, without None and those active at the genesis."""
        return cls(
            genesis_hash,
            tuple(sorted({block for block in blocks if block is not None and block > 0})),
            tuple(sorted({time for time in times if time is not None and time > genesis_time})),
        )


def fork_id_at(schedule: ForkSchedule, number: int, timestamp: int) -> ForkId:
    """Return the fork id of a node whose head has this height and time."""
    return _ids(schedule)[_passed(schedule, number, timestamp)]


def is_compatible(schedule: ForkSchedule, number: int, timestamp: int, remote: ForkId) -> bool:
    """Say whether a peer with the fork id ``remote`` may follow the same chain as we, whose head is as given.

    The four rules of EIP-2124: the same forks passed, and its next fork not already behind us; or it lags and knows
    what comes next; or it is ahead along forks that we know. Anything else is another chain, or stale software.
    """
    ids = _ids(schedule)
    here = _passed(schedule, number, timestamp)
    if remote.hash == ids[here].hash:
        # A next fork that we have passed but do not know of: the peer will split off, or we are the stale ones.
        # Heights and times share this one number.
        is_time = remote.next > _TIME_MIN or remote.next in schedule.times
        return not remote.next or remote.next > (timestamp if is_time else number)
    for index, known in enumerate(ids):
        if remote.hash == known.hash:
            return index > here or remote.next == known.next
    return False


_TIME_MIN = 1_438_269_973
"""The time of Ethereum's first block: a fork number above it is taken for a time (as geth does)."""


def _passed(schedule: ForkSchedule, number: int, timestamp: int) -> int:
    """Return how many forks lie behind: in order, blocks before times, up to the first that is still to come."""
    blocks = sum(block <= number for block in schedule.blocks)
    if blocks < len(schedule.blocks):
        return blocks
    return blocks + sum(time <= timestamp for time in schedule.times)


def _ids(schedule: ForkSchedule) -> list[ForkId]:
    """Return the fork id before each fork and after the last."""
    forks = [*schedule.blocks, *schedule.times]
    checksum = crc32(schedule.genesis_hash)
    ids = []
    for fork in forks:
        ids.append(ForkId(checksum.to_bytes(4, "big"), fork))
        checksum = crc32(fork.to_bytes(8, "big"), checksum)
    return [*ids, ForkId(checksum.to_bytes(4, "big"), 0)]
