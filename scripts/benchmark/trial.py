"""The network that is measured: four founding authorities, 40 accredited chambers, and what they sign."""

import random
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmark.progress import say

from cocket.cli.processes import NodeProcess, stop_all
from cocket.cli.trial import found
from cocket.contracts import certificates, participants
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.spec import Genesis, parse_genesis
from cocket.node.chain.transaction import sign_transaction
from cocket.node.config import Home
from cocket.node.consensus.seals import address_of_key
from cocket.node.keystore import load_key, read_passphrase

COUNTRIES = ("BR", "KE", "NL", "SG")
CHAMBERS = 40
CHAIN_ID = 20_261
BLOCK_PERIOD_S = 1
KIND = 1
DEPTH = 16
DAY_S = 86_400
ACCREDIT_GAS = 400_000
ANCHOR_GAS = 200_000
POLL_S = 0.2


class Chamber:
    """A participant's key, and its anchors in order of nonce."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.key = keccak256(b"benchmark chamber %d" % number)
        self.address = address_of_key(self.key)
        self._nonce = 0

    def anchor(self, now_s: int) -> bytes:
        """Return the next signed ``Certificates.anchor``, each of another batch."""
        top = keccak256(self.key + self._nonce.to_bytes(8, "big"))
        data = certificates.anchor(
            top=top,
            depth=DEPTH,
            kind=KIND,
            valid_from=now_s - DAY_S,
            valid_to=now_s + 365 * DAY_S,
            residency="KE",
            custody=keccak256(b"custody"),
        )
        raw = sign(self.key, self._nonce, certificates.ADDRESS, data, ANCHOR_GAS)
        self._nonce += 1
        return raw


class Trial:
    """A founded network on this machine, founded so many seconds ago; nothing runs yet."""

    def __init__(self, folder: Path, countries: Sequence[str] = COUNTRIES, age_s: int = 1) -> None:
        say(f"founding {', '.join(countries)}")
        rpc_port = free_ports(2 * len(countries))
        found(
            folder / "trial",
            countries,
            CHAIN_ID,
            BLOCK_PERIOD_S,
            rpc_port,
            rpc_port + len(countries),
            int(time.time()) - age_s,
        )
        self.homes = [Home(folder / "trial" / country) for country in countries]
        self.genesis: Genesis = parse_genesis(self.homes[0].genesis.read_bytes())
        self.now_s = int(time.time())

    def chambers(self) -> list[Chamber]:
        """Return the chambers as before their first transaction."""
        return [Chamber(number) for number in range(CHAMBERS)]

    def key(self, home: Home, name: str) -> bytes:
        return load_key(home.path / "keys" / f"{name}.json", read_passphrase(home.path / "passphrase"))

    def accreditations(self) -> list[bytes]:
        """Return the signed transactions by which the first authority accredits every chamber."""
        admin = self.key(self.homes[0], "admin")
        return [
            sign(admin, nonce, participants.ADDRESS, self._accredit(chamber), ACCREDIT_GAS)
            for nonce, chamber in enumerate(self.chambers())
        ]

    def _accredit(self, chamber: Chamber) -> bytes:
        return participants.accredit(
            identity=keccak256(chamber.address),
            roles=participants.Role.CHAMBER,
            kinds=[KIND],
            valid_from=self.now_s - DAY_S,
            valid_to=self.now_s + 365 * DAY_S,
            keys=[chamber.address],
        )

    @contextmanager
    def running(self, *options: str) -> Iterator[list[NodeProcess]]:
        """Run all nodes as processes, with options of ``node run``, and stop them whatever happens."""
        nodes = [NodeProcess(home.path) for home in self.homes]
        with ExitStack() as stack:
            stack.callback(stop, nodes)
            for node in nodes:
                node.start(*options)
            for node in nodes:
                node.wait_ready()
            yield nodes


def heights(nodes: Sequence[NodeProcess]) -> list[int]:
    """Return the height of each node's head, 0 where none answers."""
    return [node.height() or 0 for node in nodes]


def wait_for(holds: Callable[[], bool], what: str, nodes: Sequence[NodeProcess], deadline_s: float = 600.0) -> None:
    """Poll until something holds; an error says what did not, or which of the nodes has ended."""
    deadline = time.monotonic() + deadline_s
    while not holds():
        for node in nodes:
            if node.exit_code() is not None:
                raise RuntimeError(f"{node.name} ended; its log ends with:\n{node.log_tail()}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {deadline_s:.0f} s: {what}; {nodes[0].log_tail()}")
        time.sleep(POLL_S)


def stop(nodes: list[NodeProcess]) -> None:
    """Stop the nodes; a second Ctrl-C does not leave them behind."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop_all(nodes)
    signal.signal(signal.SIGINT, before)


def sign(key: bytes, nonce: int, to: bytes, data: bytes, gas: int) -> bytes:
    return sign_transaction(key, chain_id=CHAIN_ID, nonce=nonce, gas_limit=gas, to=to, data=data, max_fee_per_gas=0)


def free_ports(count: int) -> int:
    """Return the first of so many neighbouring ports that nobody uses now, below the ephemeral ones."""
    for _ in range(200):
        first = random.randrange(12_000, 32_000 - count)
        if all(is_free(port) for port in range(first, first + count)):
            return first
    raise OSError(f"no {count} neighbouring ports are free")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
