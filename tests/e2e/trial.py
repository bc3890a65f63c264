"""A trial network of real processes, founded with cheap key files so that no test waits for scrypt."""

import itertools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from coincurve import PrivateKey
from e2e.hosts import HostedNode, Hosts
from founding.founders import PASSPHRASE, custodian_of, make_home

from cocket.cli.client import address_of
from cocket.cli.ports import free_port_block
from cocket.cli.processes import NodeProcess, stop_all
from cocket.genesis import ceremony
from cocket.genesis.founding import contract_code_hashes, gather
from cocket.genesis.parameters import Parameters
from cocket.network.enode import Enode, format_enode
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.transaction import sign_transaction
from cocket.node.config import Home, PeerSettings, RpcSettings, Settings

CHAIN_ID = 20_261
DEADLINE_S = 90.0  # far more than anything takes on an idle machine; a busy one is slow, not wrong
POLL_S = 0.05
# Each test process has ports of its own, below those that the system gives to outgoing connections; none comes twice.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PORTS = itertools.count(10_000 + 2_000 * (_WORKER % 5) + 10 * (os.getpid() % 50), 20)


def free_ports(count: int) -> int:
    """Return the first of so many neighbouring ports that nobody listens on now."""
    return free_port_block(count, above=next(_PORTS))


def wait_until(holds: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until something holds; an AssertionError says what did not."""
    end = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < end, f"not within {deadline_s:.0f} s: {what}"
        time.sleep(POLL_S)


def memory_mb(node: NodeProcess, field: str = "VmRSS") -> float:
    """Return the resident memory of a node in megabytes (MiB); ``VmHWM``: the most that it had."""
    lines = Path(f"/proc/{node.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


def save_passphrase(home: Home, passphrase: str = PASSPHRASE) -> None:
    path = home.path / "passphrase"
    path.write_text(passphrase + "\n")
    path.chmod(0o600)


class Trial:
    """A network founded so many seconds ago, a home for each authority, and its nodes as processes."""

    def __init__(self, folder: Path, *countries: str, hosts: Hosts | None = None, age_s: int = 1) -> None:
        self.hosts = hosts or Hosts(len(countries))
        self.index = {country: index for index, country in enumerate(countries)}
        self.homes = {country: make_home(folder, country) for country in countries}
        first = free_ports(2 * len(countries))
        parameters = Parameters(
            ceremony="e2e",
            chain_id=CHAIN_ID,
            countries=tuple(countries),
            timestamp=int(time.time()) - age_s,
            contracts=contract_code_hashes(),
            block_period_seconds=1,
            request_timeout_seconds=2,
            request_timeout_max_seconds=4,
        )
        self.keys = {country: ceremony.open_keys(home, PASSPHRASE) for country, home in self.homes.items()}
        self.peer_ports = {country: first + len(countries) + index for index, country in enumerate(countries)}
        records = [
            ceremony.record(
                self.keys[country],
                custodian_of(self.homes[country]),
                parameters,
                country,
                f"{self.hosts.address(self.index[country])}:{self.peer_ports[country]}",
            )
            for country in countries
        ]
        self.parameters = parameters
        self.founded = gather(parameters, records)
        for index, (country, home) in enumerate(self.homes.items()):
            save_passphrase(home)
            ceremony.confirm(
                home,
                self.keys[country],
                parameters,
                records,
                self.founded.genesis_json,
                self.settings_of(country, first + index),
            )
        self.environments: dict[str, dict[str, str]] = {country: {} for country in countries}
        self.nodes: dict[str, NodeProcess] = {
            country: HostedNode(home.path, self.hosts, self.index[country], self.environments[country])
            for country, home in self.homes.items()
        }
        self._nonce = 0

    def settings_of(self, country: str, rpc_port: int, **others: object) -> Settings:
        return Settings(
            name=country,
            rpc=RpcSettings(port=rpc_port),
            peers=PeerSettings(host=self.hosts.address(self.index[country]), port=self.peer_ports[country]),
            **others,  # type: ignore[arg-type]
        )

    def __getitem__(self, country: str) -> NodeProcess:
        return self.nodes[country]

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self, *countries: str, options: Sequence[str] = ()) -> None:
        """Start these nodes, or all, with options of ``node run``, and wait until each answers."""
        chosen = [self.nodes[country] for country in countries or self.nodes]
        for node in chosen:
            node.start(*options)
        for node in chosen:
            node.wait_ready(DEADLINE_S)

    def restore(self) -> None:
        """Have all nodes up and making blocks together, whatever a test before did."""
        stopped = [country for country, node in self.nodes.items() if not node.is_running()]
        if stopped:
            self.start(*stopped)
        self.wait_blocks(1)

    def close(self) -> None:
        """Stop everything, for certain."""
        stop_all(list(self.nodes.values()))

    # -- what it does ------------------------------------------------------------------------------------------------

    def heights(self, countries: Sequence[str] = ()) -> list[int]:
        return [-1 if (height := self.nodes[c].height()) is None else height for c in countries or self.nodes]

    def wait_height(self, height: int, countries: Sequence[str] = ()) -> None:
        """Wait until these nodes, or all, have a height."""
        wait_until(
            lambda: min(self.heights(countries)) >= height,
            f"height {height} at {', '.join(countries or self.nodes)}; {self.logs()}",
        )

    def wait_blocks(self, count: int, countries: Sequence[str] = ()) -> None:
        """Wait until so many more blocks are final at these nodes, or all."""
        self.wait_height(max(self.heights(countries)) + count, countries)

    def block_hashes(self, height: int, countries: Sequence[str] = ()) -> set[str]:
        """Return the different hashes that nodes give for a height."""
        found = set()
        for country in countries or self.nodes:
            block = self.nodes[country].ask("eth_getBlockByNumber", hex(height), False)
            assert isinstance(block, dict), f"{country} has no block {height}"
            found.add(block["hash"])
        return found

    def transfer(self, country: str = "") -> tuple[bytes, str]:
        """Return the next of an authority's empty transactions to itself, signed, and its hash."""
        key = self.keys[country or next(iter(self.keys))].admin
        raw = sign_transaction(
            key, chain_id=CHAIN_ID, nonce=self._nonce, gas_limit=30_000, to=address_of(key), max_fee_per_gas=0
        )
        self._nonce += 1
        return raw, "0x" + keccak256(raw).hex()

    def send(self, country: str) -> str:
        """Send the next transaction to one node and return its hash."""
        raw, transaction_hash = self.transfer()
        assert self.nodes[country].ask("eth_sendRawTransaction", "0x" + raw.hex()) == transaction_hash
        return transaction_hash

    def resume_nonce(self, country: str) -> None:
        """Go on with the nonce that a node gives, pending transactions counted, if it answers."""
        address = "0x" + address_of(self.keys[next(iter(self.keys))].admin).hex()
        found = self.nodes[country].ask("eth_getTransactionCount", address, "pending")
        if isinstance(found, str):
            self._nonce = int(found, 16)

    def receipt(self, country: str, transaction_hash: str) -> dict[str, str] | None:
        found = self.nodes[country].ask("eth_getTransactionReceipt", transaction_hash)
        return found if isinstance(found, dict) else None

    def logs(self) -> str:
        return "\n".join(f"{node.log}:\n{node.log_tail()}" for node in self.nodes.values())

    def enode(self, country: str) -> str:
        return self.enode_of(self.keys[country].node, self.peer_ports[country])

    @staticmethod
    def enode_of(node_key: bytes, port: int) -> str:
        node_id = PrivateKey(node_key).public_key.format(compressed=False)[1:]
        return format_enode(Enode(node_id, "127.0.0.1", port))
