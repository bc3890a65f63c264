"""The eth_ methods about prices: what a transaction has to offer, and what past ones paid.

Most of our networks run at zero base fee, where every answer is zero. It never suggests a tip.
"""

from bisect import bisect_left
from itertools import accumulate, pairwise

from cocket.node.chain.header import Header
from cocket.node.rpc.backend import Backend
from cocket.node.rpc.encoding import BlockSelector, parse_block_selector, parse_quantity, quantity, shown
from cocket.node.rpc.errors import InvalidParams
from cocket.node.rpc.jsonrpc import Method, Parameter, Weight
from cocket.node.rpc.objects import JsonObject


class FeeMethods:
    """Prices of gas."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def methods(self) -> tuple[Method, ...]:
        """Give the methods by their names."""
        history = (
            Parameter("block count", _parse_count),
            Parameter("newest block", parse_block_selector),
            Parameter("reward percentiles", self._parse_percentiles, ()),
        )
        return (
            Method("eth_gasPrice", self.gas_price),
            Method("eth_maxPriorityFeePerGas", self.max_priority_fee),
            Method("eth_feeHistory", self.fee_history, history, Weight.HEAVY),
        )

    def gas_price(self) -> str:
        """The price at which a legacy transaction enters the next block: its base fee."""
        return quantity(self._backend.next_base_fee(self._backend.head) or 0)

    def max_priority_fee(self) -> str:
        """Zero: no tip is needed where blocks are not full, and validators are not paid by tips."""
        return quantity(0)

    def fee_history(self, count: int, newest: BlockSelector, percentiles: tuple[float, ...]) -> JsonObject:
        """Base fees, fullness and, at given percentiles, the tips paid in the last blocks up to ``newest``."""
        last = self._backend.header(newest)
        count = min(count, self._backend.limits.fee_history_blocks_max, last.number + 1)
        first = last.number + 1 - count
        if count == 0:
            return {"oldestBlock": quantity(first), "baseFeePerGas": [], "gasUsedRatio": []}
        deadline = self._backend.deadline()
        headers: list[Header] = []
        rewards: list[list[str]] = []
        for number in range(first, last.number + 1):
            deadline.check("the fee history", "ask for fewer blocks")
            headers.append(self._backend.header_by_number(number))
            if percentiles:
                rewards.append([quantity(tip) for tip in self._tips(headers[-1], percentiles)])
        base_fees = [header.base_fee_per_gas or 0 for header in headers]
        base_fees.append(self._backend.next_base_fee(headers[-1]) or 0)
        shaped: JsonObject = {
            "oldestBlock": quantity(first),
            "baseFeePerGas": [quantity(fee) for fee in base_fees],
            "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
        }
        if percentiles:
            shaped["reward"] = rewards
        return shaped

    def _tips(self, header: Header, percentiles: tuple[float, ...]) -> list[int]:
        """Return the tips of one block at the percentiles of its gas used."""
        if header.gas_used == 0:
            return [0] * len(percentiles)
        loaded = self._backend.load(header)
        base_fee = header.base_fee_per_gas or 0
        used = [0, *(receipt.cumulative_gas_used for receipt in loaded.receipts)]
        paid = sorted(
            (loaded.transaction(index).effective_gas_price(base_fee) - base_fee, after - before)
            for index, (before, after) in enumerate(pairwise(used))
        )
        reached = list(accumulate(gas for _, gas in paid))
        return [paid[bisect_left(reached, header.gas_used * percentile / 100)][0] for percentile in percentiles]

    def _parse_percentiles(self, value: object) -> tuple[float, ...]:
        """Return ascending percentiles from 0 to 100."""
        limit = self._backend.limits.percentiles_max
        if not isinstance(value, list) or len(value) > limit:
            raise InvalidParams(f"expected an array of at most {limit} percentiles, found {shown(value)}")
        read = tuple(
            float(item)
            for item in value
            if isinstance(item, int | float) and not isinstance(item, bool) and 0 <= item <= 100
        )
        if len(read) != len(value) or any(left > right for left, right in pairwise(read)):
            raise InvalidParams("expected ascending numbers from 0 to 100")
        return read


def _parse_count(value: object) -> int:
    """Return a count given as a quantity or, as some clients do, as a plain number."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    return parse_quantity(value, 63)
