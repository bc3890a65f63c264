"""``cocket network``: a whole network on this machine, for trying out."""

import secrets
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from cocket.cli.errors import CommandError, Exit
from cocket.cli.output import json_option, note, show, table
from cocket.cli.status import plain

if TYPE_CHECKING:
    from cocket.cli.processes import NodeProcess

AUTHORITIES_ON_ONE_MACHINE_MAX = 16
ENDINGS = (signal.SIGTERM, signal.SIGHUP)  # beside Ctrl-C; a closed terminal must not leave nodes behind


@click.group()
def network() -> None:
    """A whole network on this machine, for trying out.

    Real authorities found a network with `cocket genesis`, each on its own machine; here one command does their parts.
    """


@network.command(
    epilog="Example: cocket network create trial --authority NL --authority KE --authority SG --authority BR"
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--authority", "authorities", multiple=True, required=True, help="ISO 3166 alpha-2 code; once per authority."
)
@click.option("--chain-id", type=click.IntRange(min=1), default=None, help="EIP-155 chain id; default: a random one.")
@click.option(
    "--block-period", type=click.IntRange(1, 60), default=1, show_default=True, help="Seconds between blocks."
)
@click.option(
    "--rpc-port",
    type=click.IntRange(1, 65000),
    default=8545,
    show_default=True,
    help="The first node's; the next count up.",
)
@click.option(
    "--peer-port",
    type=click.IntRange(1, 65000),
    default=30303,
    show_default=True,
    help="The first node's; the next count up.",
)
@json_option
def create(
    folder: Path,
    authorities: tuple[str, ...],
    chain_id: int | None,
    block_period: int,
    rpc_port: int,
    peer_port: int,
    as_json: bool,
) -> None:
    """Found a network of authorities in FOLDER: keys, records, genesis, confirmations, one home each.

    Each home has its own random passphrase in the file `passphrase` (mode 0600): good for trying out only.
    """
    from cocket.cli.trial import found

    if folder.exists() and any(folder.iterdir()):
        raise CommandError(f"{folder} is not empty; choose a new folder", Exit.REFUSED)
    countries = sorted(authorities)
    if len(set(countries)) < len(countries):
        raise CommandError("an authority is named twice", Exit.USAGE)
    if len(countries) > AUTHORITIES_ON_ONE_MACHINE_MAX:
        raise CommandError(
            f"{len(countries)} authorities; one machine takes {AUTHORITIES_ON_ONE_MACHINE_MAX}", Exit.USAGE
        )
    note(f"founding {', '.join(countries)}: making {4 * len(countries)} encrypted keys ...")
    genesis_hash = found(
        folder, countries, chain_id or secrets.randbelow(1 << 31) + 1, block_period, rpc_port, peer_port
    )
    show(
        as_json,
        {"folder": str(folder), "genesis_hash": "0x" + genesis_hash.hex(), "authorities": countries},
        [f"genesis 0x{genesis_hash.hex()} of {', '.join(countries)}", f"now run: cocket network up {folder}"],
    )


@network.command(epilog="Example: cocket network up trial")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--seconds", type=click.IntRange(min=1), default=None, help="Stop by itself after so long.")
@click.option("--json", "as_json", is_flag=True, help="Print each status as one JSON object a line.")
def up(folder: Path, seconds: int | None, as_json: bool) -> None:
    """Run all nodes of a network as child processes until Ctrl-C; a line of status each."""
    from cocket.cli.processes import NodeProcess, stop_all

    homes = sorted(path.parent for path in folder.glob("*/node.toml"))
    if not homes:
        raise CommandError(f"{folder} holds no homes; `cocket network create {folder} ...` makes them", Exit.NOT_FOUND)
    nodes = [NodeProcess(home) for home in homes]
    taken = [node.url for node in nodes if node.is_address_taken()]
    if taken:
        raise CommandError(f"something listens at {', '.join(taken)} already; is the network up?", Exit.REFUSED)
    for number in ENDINGS:
        signal.signal(number, _interrupt)
    try:
        for node in nodes:
            node.start()
        for node in nodes:
            node.wait_ready()
        note(f"{len(nodes)} nodes are up; Ctrl-C stops them; in another terminal: cocket status --node {nodes[0].url}")
        _watch(nodes, None if seconds is None else time.monotonic() + seconds, as_json)
    except KeyboardInterrupt:
        pass
    finally:
        for number in (signal.SIGINT, *ENDINGS):
            signal.signal(number, signal.SIG_IGN)
        note("stopping ...")
        killed = stop_all(nodes)
    if killed:
        raise CommandError(f"had to be killed: {', '.join(killed)}; their logs are node.log in each home")
    note("all nodes have stopped")


def _watch(nodes: "list[NodeProcess]", deadline: float | None, as_json: bool) -> None:
    """Print the status of all nodes once a second, over the last one on a terminal."""
    drawn = 0
    said_dead: set[str] = set()
    while deadline is None or time.monotonic() < deadline:
        rows = [_status_row(node) for node in nodes]
        if as_json:
            show(True, {"nodes": rows}, [])
        elif sys.stdout.isatty():
            lines = table([list(row.values()) for row in rows], list(rows[0]))
            click.echo((f"\x1b[{drawn}A" if drawn else "") + "\n".join(f"\x1b[2K{line}" for line in lines))
            drawn = len(lines)
        else:
            click.echo("  ".join(f"{row['node']} {row['height']}" for row in rows))
        for node in nodes:
            if not node.is_running() and node.name not in said_dead:
                said_dead.add(node.name)
                drawn = 0
                note(f"node {node.name} has ended; its log ends with:\n{node.log_tail()}")
        if len(said_dead) == len(nodes):
            raise CommandError("all nodes have ended")
        time.sleep(1)


def _status_row(node: "NodeProcess") -> dict[str, str]:
    status = node.ask("cocket_status", timeout_s=2)
    if not isinstance(status, dict):
        return {"node": node.name, "height": "-", "round": "-", "peers": "-", "pool": "-", "rpc": node.url}
    known = plain(status)
    return {
        "node": node.name,
        "height": str(known["height"]),
        "round": str(known["round"]),
        "peers": str(len(status["peers"])),
        "pool": str(sum(int(status["pool"][name], 16) for name in ("pending", "queued"))),
        "rpc": node.url,
    }


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
