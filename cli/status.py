"""``cocket status``: one look at a node."""

from typing import cast

import click

from cocket.cli.client import NodeClient, node_option
from cocket.cli.output import json_option, show


@click.command(epilog="Example: cocket status --node http://127.0.0.1:8546")
@node_option
@json_option
def status(node_url: str, as_json: bool) -> None:
    """Height, round, validators, peers and pool of a node."""
    answer = NodeClient(node_url).status()
    show(as_json, answer, sentences(answer))


def sentences(answer: dict[str, object]) -> list[str]:
    """Return the lines that a person reads."""
    return [f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in answer.items()]


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)}" for name, item in cast("dict[str, object]", value).items())
    return str(value)
