"""The keys of simulated machines and players, in the order of their addresses."""

from cocket.node.consensus.seals import address_of_key

KEYS = tuple(sorted([bytes([0, *[i + 1] * 31]) for i in range(16)], key=address_of_key))
"""Keys whose addresses ascend, so that the first machine is the first in the circle."""


def addresses(count: int) -> tuple[bytes, ...]:
    """Return the addresses of the first ``count`` machines, ascending."""
    return tuple([address_of_key(key) for key in KEYS[:count]])
