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
@click.option(
    "--trust-journal",
    "is_journal_trusted",
    is_flag=True,
    help="Sign at once although the signing journal is missing or not as old as the chain. Only when so many "
    "validators lost theirs together that no block can come; a validator that signs twice breaks the ledger's promise.",
)
def run(home: Path, as_json: bool, is_journal_trusted: bool) -> None:
    """Run the node until Ctrl-C or SIGTERM. The log goes to stderr, one line a block."""
    from cocket.node.service import run_node

    run_node(home, json_log=as_json, is_journal_trusted=is_journal_trusted)
