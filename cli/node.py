"""``cocket node``: run a node from its home."""

from pathlib import Path

import click


@click.group()
def node() -> None:
    """Run a node."""


@node.command(epilog="Example: cocket node run --home trial/NL")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    help="The node's home: genesis.json, node.toml, keys, data.",
)
@click.option("--json", "as_json", is_flag=True, help="Log one JSON object a line.")
def run(home: Path, as_json: bool) -> None:
    """Run the node until Ctrl-C or SIGTERM. The log goes to stderr, one line a block."""
    from cocket.node.service import run_node

    run_node(home, json_log=as_json)
