"""Clients that send transactions all the time and keep what they saw final, so that a loss can be seen later.

One client a node: it sends its authority's empty transfers there and reads that node's blocks. What it found in a
block is final, and must be in that block, at every node, for ever.
"""

import threading
import time
from dataclasses import dataclass

from e2e.trial import CHAIN_ID, Trial

from cocket.cli.client import address_of
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.transaction import sign_transaction

ANSWER_S = 2.0
FORGOTTEN_S = 8.0  # what is not final by then may be lost with a pool, and the nonce is asked for again
PAUSE_S = 0.25
TRANSACTIONS = 2  # sent at each turn
BLOCKS_READ_MAX = 50  # at each turn


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client saw final."""

    transaction: str
    block: str
    height: int
    node: str


class Client:
    """One client, in a thread of its own."""

    def __init__(self, trial: Trial, country: str, is_over: threading.Event) -> None:
        self._node = trial.nodes[country]
        self._country = country
        self._key = trial.keys[country].admin
        self._address = address_of(self._key)
        self._is_over = is_over
        self._nonce: int | None = None
        self._waiting: dict[str, float] = {}
        self._height = 0
        self.sent = 0
        self.refused = 0
        self.seen: list[Seen] = []
        """Only grows; another thread may read a beginning of it."""
        self.thread = threading.Thread(target=self._run, name=f"client of {country}")

    def _run(self) -> None:
        while not self._is_over.wait(PAUSE_S):
            if self._node.is_running():
                self._send()
                self._read()

    def _send(self) -> None:
        now_s = time.monotonic()
        if self._waiting and now_s - next(iter(self._waiting.values())) > FORGOTTEN_S:
            self._waiting.clear()
            self._nonce = None
        if self._nonce is None:
            found = self._ask("eth_getTransactionCount", "0x" + self._address.hex(), "pending")
            if not isinstance(found, str):
                return
            self._nonce = int(found, 16)
        for _ in range(TRANSACTIONS):
            raw = sign_transaction(
                self._key,
                chain_id=CHAIN_ID,
                nonce=self._nonce,
                gas_limit=30_000,
                to=self._address,
                max_fee_per_gas=0,
            )
            name = "0x" + keccak256(raw).hex()
            if self._ask("eth_sendRawTransaction", "0x" + raw.hex()) != name:
                self._nonce = None
                self.refused += 1
                return
            self.sent += 1
            self._waiting[name] = now_s
            self._nonce += 1

    def _read(self) -> None:
        head = self._ask("eth_blockNumber")
        if not isinstance(head, str):
            return
        for height in range(self._height + 1, min(int(head, 16), self._height + BLOCKS_READ_MAX) + 1):
            block = self._ask("eth_getBlockByNumber", hex(height), False)
            if not isinstance(block, dict):
                return
            for name in block["transactions"]:
                if self._waiting.pop(name, None) is not None:
                    self.seen.append(Seen(name, block["hash"], height, self._country))
            self._height = height

    def _ask(self, method: str, *params: object) -> object:
        return self._node.ask(method, *params, timeout_s=ANSWER_S)


class Load:
    """A client at each node, from ``start`` to ``stop``."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._is_over = threading.Event()
        self.clients = [Client(trial, country, self._is_over) for country in trial.nodes]

    def start(self) -> None:
        for client in self.clients:
            client.thread.start()

    def stop(self) -> None:
        """End all clients; harmless when they never began."""
        self._is_over.set()
        for client in self.clients:
            if client.thread.is_alive():
                client.thread.join()

    def seen(self) -> list[Seen]:
        """Return what any client has seen final."""
        return [each for client in self.clients for each in client.seen]

    @property
    def sent(self) -> int:
        return sum(client.sent for client in self.clients)


class Memory:
    """All blocks that nodes told of and all that clients saw final, held against what the nodes have now."""

    def __init__(self, trial: Trial, load: Load) -> None:
        self._trial = trial
        self._load = load
        self._hashes: dict[int, str] = {}
        self._level = 0
        self.lost: list[str] = []
        self.forks: list[str] = []

    def check(self, back: int = 0) -> int:
        """Compare all nodes' blocks since the last check with each other and with what was seen final.

        ``back`` so many of those that were compared before once more.

        Return how many transactions were compared. All nodes must be up and have what any client saw.
        """
        seen = self._load.seen()
        by_height: dict[int, list[Seen]] = {}
        for each in seen:
            by_height.setdefault(each.height, []).append(each)
        level = max([self._level, *by_height])
        self._trial.wait_height(level)
        compared = 0
        for height in range(max(0, self._level - back) + 1, level + 1):
            for country, node in self._trial.nodes.items():
                block = node.ask("eth_getBlockByNumber", hex(height), False, timeout_s=30.0)
                if not isinstance(block, dict):
                    self.lost.append(f"block {height} at {country}")
                    continue
                known = self._hashes.setdefault(height, block["hash"])
                if block["hash"] != known:
                    self.forks.append(f"block {height} is {block['hash']} at {country}, {known} elsewhere")
                for each in by_height.get(height, ()):
                    compared += 1
                    if each.block != block["hash"] or each.transaction not in block["transactions"]:
                        self.lost.append(f"{each.transaction}, final at {each.node} in block {height}, at {country}")
        # Late readers have seen transactions of heights compared before: their blocks must be the known ones.
        self.forks += [
            f"block {each.height} was {each.block} for a client of {each.node}, {self._hashes[each.height]} elsewhere"
            for each in seen
            if each.height in self._hashes and each.block != self._hashes[each.height]
        ]
        self._level = level
        return compared

    def check_receipts(self, count: int) -> int:
        """Ask every node for the receipts of the last so many transactions seen final; return how many were asked."""
        last = sorted(self._load.seen(), key=lambda each: each.height)[-count:]
        if last:
            self._trial.wait_height(last[-1].height)
        for each in last:
            for country in self._trial.nodes:
                receipt = self._trial.receipt(country, each.transaction)
                if receipt is None or receipt["blockHash"] != each.block:
                    self.lost.append(f"receipt of {each.transaction}, final at {each.node} in {each.height}, {country}")
        return len(last)
