"""A fifth authority joins: admitted by votes, from an empty folder over thousands of blocks to its first own one.

Four real nodes have a chain that was made beforehand, as old as its blocks say, and go on with it. The newcomer is
admitted through the command line, its node starts with nothing, catches up over eth/68 from the four, takes its
validator seat through the command line as soon as it is level, and proposes. The clock runs from the start of its
process; how its operator hears that it is level (``eth_syncing``) and sends ``activate`` is part of it.
"""

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import cast

from benchmark.chain import Chain, Maker, by_turns
from benchmark.progress import say
from benchmark.rest import COMMAND, resident_mb
from benchmark.run import Run
from benchmark.trial import BLOCK_PERIOD_S, CHAIN_ID, Trial, free_ports, heights, stop, wait_for

from cocket.cli.processes import NodeProcess
from cocket.node.config import Home, PeerSettings, RpcSettings, Settings, format_settings
from cocket.node.keystore import write_whole
from cocket.node.store.home import make_private

BLOCKS = 5000
QUICK_BLOCKS = 300
NEWCOMER = "FR"
SIZES = (3, 0, 5, 2, 4, 1, 6, 3)  # anchors a block, by turns; each stands for a batch of up to 65,536 certificates
SAY_EVERY_S = 10.0
COMMAND_S = 120.0


@dataclass(slots=True)
class Watched:
    """What was seen of a newcomer: seconds since its start, and how many samples said that it is catching up."""

    first_block_s: float = 0.0
    level_s: float = 0.0
    syncing: int = 0
    height: int = 0


def measure(run: Run) -> dict[str, object]:
    blocks = QUICK_BLOCKS if run.is_quick else BLOCKS
    folder = run.folder / "joining"
    trial = Trial(folder, age_s=blocks * BLOCK_PERIOD_S + 5)
    transactions = make_past(trial, folder / "past", blocks)
    # Nobody has signed these blocks but this process, and every journal begins empty: the operators say so.
    with trial.running("--trust-journal") as nodes:
        wait_for(lambda: min(heights(nodes)) > blocks + 1, "the four go on with the chain", nodes)
        home = make_home(trial, folder)
        admit(trial, folder, home)
        with joining(home) as newcomer:
            return watch(nodes, newcomer, transactions) | {
                # A figure of so many blocks says nothing of five thousand.
                **({"join_5000_blocks_s": None} if run.is_quick else {}),
            }


def make_past(trial: Trial, folder: Path, blocks: int) -> int:
    """Make a chain of so many blocks, put it into every home, and return how many transactions it has."""
    say(f"making {blocks} blocks of {min(SIZES)} to {max(SIZES)} anchors")
    raws = trial.accreditations()
    anchors, count, said_s = by_turns(trial.chambers(), trial.now_s), len(raws), time.monotonic()
    with Chain(folder, trial.genesis) as chain:
        maker = Maker(chain, trial)
        maker.add(raws)
        for number in range(2, blocks + 1):
            maker.add(batch := list(islice(anchors, SIZES[number % len(SIZES)])))
            count += len(batch)
            if time.monotonic() - said_s > SAY_EVERY_S:
                said_s = time.monotonic()
                say(f"{number} of {blocks} blocks made")
    for home in trial.homes:
        make_private(home.data)
        shutil.copytree(folder, home.data / "chain")
    return count


def make_home(trial: Trial, folder: Path) -> Home:
    """Make the newcomer's home: keys and record by the command line, the network's genesis, and its settings."""
    home = Home(folder / NEWCOMER)
    home.path.mkdir(mode=0o700)
    port = free_ports(2)
    write_whole(home.path / "passphrase", b"of a trial\n")
    parameters = folder / "parameters.json"
    passphrase, endpoint = home.path / "passphrase", f"127.0.0.1:{port + 1}"
    named = ("--ceremony", "joining", "--chain-id", CHAIN_ID, "--country", NEWCOMER)
    cocket("genesis", "parameters", *named, "--out", parameters)
    keys = ("--home", home.path, "--country", NEWCOMER, "--endpoint", endpoint, "--passphrase-file", passphrase)
    cocket("genesis", "record", *keys, "--parameters", parameters, "--out", record_of(folder))
    settings = Settings(
        name=NEWCOMER,
        genesis_hash="0x" + trial.genesis.hash.hex(),
        rpc=RpcSettings(port=port),
        peers=PeerSettings(port=port + 1),
    )
    shutil.copyfile(trial.homes[0].genesis, home.genesis)
    write_whole(home.config, format_settings(settings).encode())
    return home


def admit(trial: Trial, folder: Path, home: Home) -> None:
    """Admit the newcomer: one authority proposes, as many vote as the contract asks for."""
    first, *others = trial.homes
    answer = cocket("authority", "propose", "admit", record_of(folder), "--home", first.path)
    for voter in others:
        if answer["standing"] != "open":
            break
        answer = cocket("authority", "vote", answer["proposal"], "--for", "--home", voter.path)
    assert answer["standing"] == "executed", f"{home.path.name} is not admitted: {answer}"
    say(f"{home.path.name} is admitted in block {answer['block']}")


@contextmanager
def joining(home: Home) -> Iterator[NodeProcess]:
    """Give the newcomer's node, not started, and stop it whatever happens."""
    newcomer = NodeProcess(home.path)
    try:
        yield newcomer
    finally:
        stop([newcomer])


def watch(nodes: Sequence[NodeProcess], newcomer: NodeProcess, transactions: int) -> dict[str, object]:
    """Start the newcomer and follow it until a block of its own is final at the others."""
    before = max(heights(nodes))
    started_s = time.monotonic()
    newcomer.start()
    newcomer.wait_ready()
    opening_mb = resident_mb(newcomer.pid, "VmHWM")
    forget_peak(newcomer.pid)
    seen = follow_to_level(nodes, newcomer, started_s)
    meanwhile = min(heights(nodes)) - before
    say(f"level at block {seen.height} after {seen.level_s:.1f} s; the others made {meanwhile} blocks meanwhile")
    seat = cocket("authority", "activate", "--home", newcomer.home)
    seated_s = time.monotonic() - started_s
    address = address_of(newcomer)
    block = int(str(seat["block"]))
    found: list[int] = []

    def has_proposed() -> bool:
        nonlocal block
        while (made := nodes[0].ask("eth_getBlockByNumber", hex(block), False)) is not None:
            assert isinstance(made, dict)
            if made["miner"] == address:
                found.append(block)
                return True
            block += 1
        return False

    wait_for(has_proposed, f"a block of {newcomer.name}", [*nodes, newcomer])
    proposed_s = time.monotonic() - started_s
    hashes = {block_of(node, found[0])["hash"] for node in wait_heights([*nodes, newcomer], found[0])}
    assert len(hashes) == 1, f"block {found[0]} differs between nodes: {hashes}"
    times = [int(block_of(nodes[0], number)["timestamp"], 16) for number in range(before, found[0] + 1)]
    sync_s = seen.level_s - seen.first_block_s
    return {
        "join_5000_blocks_s": round(proposed_s, 1),
        "join_first_proposed_s": round(proposed_s, 1),
        "join_level_s": round(seen.level_s, 1),
        "join_sync_s": round(sync_s, 1),
        "join_seated_s": round(seated_s, 1),
        "join_blocks": seen.height,
        "join_transactions": transactions,
        "join_blocks_per_s": round(seen.height / sync_s, 1),
        "join_peak_rss_mb": round(resident_mb(newcomer.pid, "VmHWM"), 1),
        "join_opening_rss_mb": round(opening_mb, 1),
        "join_samples_syncing": seen.syncing,
        "join_blocks_meanwhile": meanwhile,
        "join_block_gap_max_s": max(after - earlier for earlier, after in itertools.pairwise(times)),
    }


def follow_to_level(nodes: Sequence[NodeProcess], newcomer: NodeProcess, started_s: float) -> Watched:
    """Wait until the newcomer says that it is level, and has what the others have."""
    seen, said_s = Watched(), started_s

    def is_level() -> bool:
        nonlocal said_s
        now_s = time.monotonic()
        seen.height = newcomer.height() or 0
        if seen.height and not seen.first_block_s:
            seen.first_block_s = now_s - started_s
        syncing = newcomer.ask("eth_syncing")
        seen.syncing += isinstance(syncing, dict)
        if now_s - said_s > SAY_EVERY_S:
            said_s = now_s
            say(f"{newcomer.name} has {seen.height} blocks")
        if syncing is not False or seen.height < max(heights(nodes)) - 1:
            return False
        seen.level_s = time.monotonic() - started_s
        return True

    wait_for(is_level, f"{newcomer.name} is level", [newcomer])
    assert seen.syncing, f"{newcomer.name} never said that it catches up"
    return seen


def wait_heights(nodes: list[NodeProcess], height: int) -> list[NodeProcess]:
    wait_for(lambda: min(heights(nodes)) >= height, f"block {height} at all", nodes)
    return nodes


def block_of(node: NodeProcess, number: int) -> dict[str, str]:
    block = node.ask("eth_getBlockByNumber", hex(number), False, timeout_s=30.0)
    assert isinstance(block, dict), f"{node.name} gives no block {number}"
    return block


def address_of(node: NodeProcess) -> object:
    status = node.ask("cocket_status", timeout_s=30.0)
    assert isinstance(status, dict), f"{node.name} gives no status"
    return status["address"]


def forget_peak(pid: int | None) -> None:
    """Let a process's peak begin anew: opening key files takes 256 MB each for a moment, catching up does not."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def record_of(folder: Path) -> Path:
    return folder / f"{NEWCOMER}.record.json"


def cocket(*arguments: object) -> dict[str, object]:
    """Run a command and return its answer; RuntimeError with what it said when it fails."""
    words = [str(word) for word in arguments]
    done = subprocess.run(
        [COMMAND, *words, "--json"],
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise RuntimeError(f"cocket {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return cast(dict[str, object], json.loads(done.stdout))
