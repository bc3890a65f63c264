"""A lone validator killed before each write that it does, one start after the other, and started again.

A network of one makes a block whatever the others do, so each write of a height is its own: the journal's records and
syncs, the commit of a block to the database, the journal's new file. What a client saw final stays; the chain that is
left at the end is verified block by block by another node's rules.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from e2e.crashes import Crashes
from e2e.trial import CHAIN_ID, Trial, wait_until

from cocket.cli.client import address_of
from cocket.node.chain.transaction import sign_transaction

HEIGHTS = 1  # whose every write is died at, those of the start before it included


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    trial = Trial(tmp_path_factory.mktemp("crashes"), "NL")
    with closing(trial):
        yield trial


class Client:
    """Sends transactions when it can, and keeps the blocks that it saw."""

    def __init__(self, trial: Trial) -> None:
        self._node = trial["NL"]
        self._key = trial.keys["NL"].admin
        self.hashes: dict[int, str] = {}
        self.transactions = 0

    def turn(self) -> None:
        address = address_of(self._key)
        nonce = self._node.ask("eth_getTransactionCount", "0x" + address.hex(), "pending")
        if isinstance(nonce, str):
            raw = sign_transaction(
                self._key, chain_id=CHAIN_ID, nonce=int(nonce, 16), gas_limit=30_000, to=address, max_fee_per_gas=0
            )
            self._node.ask("eth_sendRawTransaction", "0x" + raw.hex())
        block = self._node.ask("eth_getBlockByNumber", "latest", False)
        if isinstance(block, dict):
            self.transactions += len(block["transactions"])
            known = self.hashes.setdefault(int(block["number"], 16), block["hash"])
            assert known == block["hash"]

    def check(self) -> None:
        """All that was seen is there, as it was."""
        for height, known in self.hashes.items():
            block = self._node.ask("eth_getBlockByNumber", hex(height), False)
            assert isinstance(block, dict), f"block {height} is lost"
            assert block["hash"] == known


def run_until(trial: Trial, crashes: Crashes, client: Client, writes: int) -> list[str]:
    """Start the node, let it die before the write after so many, and return its writes, the last one not done."""
    node = trial["NL"]
    trial.environments["NL"].update(crashes.environment(writes))
    node.start()

    def is_dead() -> bool:
        client.turn()
        return not node.is_running()

    wait_until(is_dead, f"death after {writes} writes")
    assert node.exit_code() == -9, node.log_tail()
    return crashes.writes()


def test_a_node_killed_before_any_write_goes_on_and_loses_nothing(lone: Trial) -> None:
    node, client, crashes = lone["NL"], Client(lone), Crashes(lone.homes["NL"].path / "writes")

    def live(blocks: int) -> list[str]:
        """Start without a death, see that all is there, and stop again after some blocks."""
        lone.environments["NL"].update(crashes.environment(-1))
        lone.start()
        client.check()
        height = node.height()
        assert height is not None

        def has_more() -> bool:
            client.turn()
            return (node.height() or 0) >= height + blocks

        wait_until(has_more, "further blocks")
        node.kill()
        return crashes.writes()

    written = live(HEIGHTS + 1)
    commits = [number for number, name in enumerate(written) if name == "block commit"]
    last = commits[HEIGHTS] if len(commits) > HEIGHTS else len(written)
    died_before: set[str] = set()
    for writes in range(last + 1):
        names = run_until(lone, crashes, client, writes)
        assert len(names) == writes + 1
        died_before.add(names[-1])
    assert {"journal append", "journal sync", "block commit"} <= died_before
    live(1)
    assert client.transactions > 0
    verify(lone)


def done(*arguments: object) -> dict[str, object]:
    """Run a command of ``cocket ledger`` that must succeed and return its answer."""
    command = [sys.executable, "-m", "cocket.cli", "ledger", *map(str, arguments), "--json"]
    answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    assert isinstance(answer, dict)
    return answer


def verify(trial: Trial) -> None:
    """Carry the chain to a home of the same network without one: every block is verified as a stranger's."""
    home, file = trial.homes["NL"], trial.homes["NL"].path.parent / "chain.blocks"
    exported = done("export", "--home", home.path, "--out", file)
    stranger = home.path.parent / "stranger"
    shutil.copytree(home.path, stranger, ignore=shutil.ignore_patterns("data", "node.log"))
    imported = done("import", file, "--home", stranger)
    assert (imported["height"], imported["state_root"]) == (exported["last"], exported["state_root"])
