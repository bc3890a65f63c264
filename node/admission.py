"""What peers bring for the pool, checked on a thread of its own so that the event loop keeps time.

Peers take turns, and each has a share of what may wait, so that one cannot keep the others' transactions out. A peer
that brings much which the pool refuses is not listened to for a while: not dropped, for it may honestly think otherwise
(devp2p caps/eth.md, "Transaction Encoding and Validity").
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from cocket.network.allowance import Allowance
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.pool import Pool
from cocket.node.chain.transaction import Transaction
from cocket.node.errors import InvalidTransaction, Refused

PEER_BYTES_MAX = 4 << 20  # of one peer that wait to be checked; a message to an idle share always has room
TURN_COUNT = 64  # transactions of one peer that are checked before another's: some ms, so the others hardly wait
REFUSED_BURST = 4096  # refused ones of one peer: what may cross a few full blocks that hold them already
REFUSED_PER_S = 64  # likewise in the long run: some hundredths of a core, whatever a peer brings
SHARES_MAX = 512  # peers remembered, four times the sessions; of those with nothing waiting the oldest are forgotten


@dataclass(slots=True)
class _Share:
    """What one peer brought and may bring."""

    refusals: Allowance
    waiting: deque[bytes] = field(default_factory=deque)
    waiting_bytes: int = 0


class Admission:
    """Offers transactions to the pool; ``on_admitted`` is told on the loop of each that entered.

    ``is_final`` says of a hash whether the chain has it: a transaction that came late is not held against its bringer.
    It is asked on the thread.
    """

    def __init__(
        self,
        pool: Pool,
        loop: asyncio.AbstractEventLoop,
        on_admitted: Callable[[Transaction], None],
        is_final: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        self._pool = pool
        self._loop = loop
        self._on_admitted = on_admitted
        self._is_final = is_final
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="admission")
        self._shares: OrderedDict[bytes, _Share] = OrderedDict()
        self._turns: deque[bytes] = deque()
        self._is_busy = False

    def offer(self, peer: bytes, raws: Sequence[bytes]) -> bool:
        """Queue what a peer brought; False when nothing was taken: its share is full, or too much was refused."""
        size = sum(map(len, raws))
        share = self._share_of(peer)
        if share.waiting_bytes and share.waiting_bytes + size > PEER_BYTES_MAX:
            return False
        if share.refusals.left(self._loop.time()) < 0:
            return False
        if not share.waiting:
            self._turns.append(peer)
        share.waiting.extend(raws)
        share.waiting_bytes += size
        self._take_turn()
        return True

    def close(self) -> None:
        """Finish what runs, drop what waits, and end the thread."""
        self._turns.clear()
        for share in self._shares.values():
            share.waiting.clear()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _share_of(self, peer: bytes) -> _Share:
        share = self._shares.pop(peer, None)
        if share is None:
            share = _Share(Allowance(REFUSED_PER_S, REFUSED_BURST, self._loop.time()))
            if len(self._shares) >= SHARES_MAX:
                idle = next((other for other, known in self._shares.items() if not known.waiting_bytes), None)
                if idle is not None:
                    del self._shares[idle]
        self._shares[peer] = share
        return share

    def _take_turn(self) -> None:
        """Have the next peer's first transactions checked, if the thread is idle."""
        if self._is_busy or not self._turns:
            return
        peer = self._turns.popleft()
        share = self._shares[peer]
        raws = [share.waiting.popleft() for _ in range(min(TURN_COUNT, len(share.waiting)))]
        if share.waiting:
            self._turns.append(peer)
        self._is_busy = True
        self._thread.submit(self._add_all, raws).add_done_callback(lambda done: self._answer(done, peer, raws))

    def _add_all(self, raws: Sequence[bytes]) -> tuple[list[Transaction], int]:
        """Return what entered the pool, and how many were refused that are not on the chain either."""
        admitted, refused = [], 0
        for raw in raws:
            try:
                transaction = self._pool.get(self._pool.add(raw))
            except (InvalidTransaction, Refused):
                refused += not self._is_final(keccak256(raw))
                continue
            if transaction is not None:
                admitted.append(transaction)
        return admitted, refused

    def _answer(self, future: "Future[tuple[list[Transaction], int]]", peer: bytes, raws: Sequence[bytes]) -> None:
        if future.cancelled() or self._loop.is_closed():
            return
        error = future.exception()
        admitted, refused = ([], 0) if error else future.result()
        self._loop.call_soon_threadsafe(self._upon_checked, peer, raws, admitted, refused, error)

    def _upon_checked(
        self,
        peer: bytes,
        raws: Sequence[bytes],
        admitted: list[Transaction],
        refused: int,
        error: BaseException | None,
    ) -> None:
        self._is_busy = False
        share = self._shares[peer]
        share.waiting_bytes -= sum(map(len, raws))
        share.refusals.take(refused, self._loop.time())
        if share.refusals.left(self._loop.time()) < 0 and share.waiting:
            share.waiting_bytes -= sum(map(len, share.waiting))  # the rest is likely to be more of the same
            share.waiting.clear()
            self._turns.remove(peer)
        self._take_turn()
        if error is not None:
            raise error  # to the loop's handler: a NodeFault stops the node
        for transaction in admitted:
            self._on_admitted(transaction)
