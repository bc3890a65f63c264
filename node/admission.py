"""What peers bring for the pool, checked on a thread of its own so that the event loop keeps time.

Each peer has a share of what may wait, so that one cannot keep the others' transactions out.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from cocket.node.chain.pool import Pool
from cocket.node.chain.transaction import Transaction
from cocket.node.errors import InvalidTransaction, Refused

PEER_BYTES_MAX = 4 << 20  # of one peer that wait to be checked; a message to an idle share always has room


class Admission:
    """Offers transactions to the pool; ``on_admitted`` is told on the loop of each that entered."""

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop, on_admitted: Callable[[Transaction], None]) -> None:
        self._pool = pool
        self._loop = loop
        self._on_admitted = on_admitted
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="admission")
        self._waiting_bytes: defaultdict[bytes, int] = defaultdict(int)

    def offer(self, peer: bytes, raws: Sequence[bytes]) -> bool:
        """Queue what a peer brought; False when its share is full and nothing was taken."""
        size = sum(map(len, raws))
        waiting = self._waiting_bytes[peer]
        if waiting and waiting + size > PEER_BYTES_MAX:
            return False
        self._waiting_bytes[peer] += size
        future = self._thread.submit(self._add_all, raws)
        future.add_done_callback(lambda done: self._answer(done, peer, size))
        return True

    def close(self) -> None:
        """Finish what runs, drop what waits, and end the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _add_all(self, raws: Sequence[bytes]) -> list[Transaction]:
        admitted = []
        for raw in raws:
            try:
                transaction = self._pool.get(self._pool.add(raw))
            except (InvalidTransaction, Refused):
                continue  # the pool remembers why; a peer with another head may honestly think otherwise
            if transaction is not None:
                admitted.append(transaction)
        return admitted

    def _answer(self, future: "Future[list[Transaction]]", peer: bytes, size: int) -> None:
        if future.cancelled() or self._loop.is_closed():
            return
        error = future.exception()
        self._loop.call_soon_threadsafe(self._upon_checked, peer, size, [] if error else future.result(), error)

    def _upon_checked(self, peer: bytes, size: int, admitted: list[Transaction], error: BaseException | None) -> None:
        self._waiting_bytes[peer] -= size
        if not self._waiting_bytes[peer]:
            del self._waiting_bytes[peer]
        if error is not None:
            raise error  # to the loop's handler: a NodeFault stops the node
        for transaction in admitted:
            self._on_admitted(transaction)
