"""The nonces of requests that have not expired: each reader's is taken once. In memory only; the register fills it."""

from cocket.attestation.reading.request import EXPIRY_S_MAX
from cocket.node.errors import Refused

NONCES_MAX = 1 << 17
"""Requests of the last five minutes: 436 a second. About 30 MB of memory."""
CLOCK_BACK_S_MAX = 30
"""How far the clock may be behind the last time: steps of time synchronisation, and no more."""


class Nonces:
    """Nonces, forgotten when the time has passed their request's expiry: by that it is refused from then on.

    So time never goes back here; ``time_s`` is the last one.
    """

    def __init__(self) -> None:
        self.time_s = 0
        self._used: set[tuple[bytes, bytes]] = set()
        self._expiring: dict[int, list[tuple[bytes, bytes]]] = {}

    def __len__(self) -> int:
        return len(self._used)

    def advance(self, time_s: int) -> int:
        """Return the time, never before the last one. Refused when the clock is far behind that."""
        if time_s < self.time_s - CLOCK_BACK_S_MAX:
            raise Refused(f"the keeper's clock says {time_s}, its last entry is of {self.time_s}: set its clock")
        if time_s > self.time_s:
            self.time_s = time_s
            for expires in [each for each in self._expiring if each < time_s]:
                self._used.difference_update(self._expiring.pop(expires))
        return self.time_s

    def is_used(self, reader: bytes, nonce: bytes) -> bool:
        """Return whether a reader used a nonce in a request that has not expired."""
        return (reader, nonce) in self._used

    def validate(self, reader: bytes, nonce: bytes, expires: int) -> None:
        """Refuse a request that was made before, expired, expires too far ahead, or is one too many."""
        if self.is_used(reader, nonce):
            raise Refused("the request's nonce was used before: sign a new request")
        if not self.time_s <= expires <= self.time_s + EXPIRY_S_MAX:
            raise Refused(
                f"the request expires at {expires}, it is {self.time_s}: expected up to {EXPIRY_S_MAX} s from now"
            )
        if len(self._used) >= NONCES_MAX:
            raise Refused(f"{NONCES_MAX} requests came in the last {EXPIRY_S_MAX} s: try again later")

    def remember(self, reader: bytes, nonce: bytes, expires: int) -> None:
        """Take a nonce as used; nothing when its request has expired."""
        if expires >= self.time_s:
            self._used.add((reader, nonce))
            self._expiring.setdefault(expires, []).append((reader, nonce))

    def forget(self, reader: bytes, nonce: bytes, expires: int) -> None:
        """Take back a ``remember``: the request was not written down, so it was never answered."""
        if (reader, nonce) in self._used:
            self._used.discard((reader, nonce))
            self._expiring[expires].remove((reader, nonce))
