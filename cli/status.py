"""``cocket status``: one look at a node."""

from collections.abc import Mapping, Sequence
from typing import cast

import click

from cocket.cli.account import format_time
from cocket.cli.client import NodeClient, node_option
from cocket.cli.errors import CommandError
from cocket.cli.output import json_option, show


@click.command(epilog="Example: cocket status --node http://127.0.0.1:8546")
@node_option
@json_option
def status(node_url: str, as_json: bool) -> None:
    """Height, round, validators, peers and pool of a node; mandates and seal certificates that end within six weeks."""
    found = NodeClient(node_url).status()
    try:
        answer = plain(found)
    except (KeyError, TypeError, ValueError):
        raise CommandError(f"{node_url}: a node of another version answers there") from None
    show(as_json, answer, sentences(answer))


def plain(status: Mapping[str, object]) -> dict[str, object]:
    """Return what ``cocket_status`` answers with numbers as numbers."""
    pool = cast("Mapping[str, str]", status["pool"])
    syncing = status["syncing"]
    return {
        "height": _number(status["height"]),
        "round": _number(status["round"]),
        "head_hash": status["headHash"],
        "head_time": _number(status["headTimestamp"]),
        "state_root": status["stateRoot"],
        "is_validator": status["isValidator"],
        "validators": status["validators"],
        "peers": [
            {"endpoint": peer["endpoint"], "client": peer["client"], "height": _number(peer["height"])}
            for peer in cast("Sequence[Mapping[str, object]]", status["peers"])
        ],
        "pool": {name: _number(count) for name, count in pool.items()},
        "syncing_to": _number(syncing["highestBlock"]) if isinstance(syncing, Mapping) else None,
        "chain_id": _number(status["chainId"]),
        "genesis_hash": status["genesisHash"],
        "enode": status["enode"],
        "expiring": [
            {name: value if name == "what" else _number(value) for name, value in each.items()}
            for each in cast("Sequence[Mapping[str, object]]", status["expiring"])
        ],
        "version": status["clientVersion"],
    }


def sentences(answer: Mapping[str, object]) -> list[str]:
    """Return the lines that a person reads."""
    validators = cast("Sequence[str]", answer["validators"])
    peers = cast("Sequence[Mapping[str, object]]", answer["peers"])
    pool = cast("Mapping[str, int]", answer["pool"])
    role = "a validator" if answer["is_validator"] else "not a validator"
    behind = f", catching up to {answer['syncing_to']}" if answer["syncing_to"] is not None else ""
    return [
        f"height      {answer['height']} at {format_time(cast(int, answer['head_time']))}{behind}",
        f"round       {answer['round'] if answer['round'] is not None else '-'}",
        f"validators  {len(validators)}: {', '.join(validators)}; this node is {role}",
        f"peers       {len(peers)}: {', '.join(str(peer['endpoint']) for peer in peers) or 'none'}",
        f"pool        {pool['pending']} pending, {pool['queued']} queued, {pool['bytes']} bytes",
        f"network     chain {answer['chain_id']}, genesis {answer['genesis_hash']}",
        f"node        {answer['version']}",
        *[_expiry_sentence(each) for each in cast("Sequence[Mapping[str, object]]", answer["expiring"])],
    ]


def _expiry_sentence(each: Mapping[str, object]) -> str:
    """Return the line about something that ends soon."""
    when = format_time(cast(int, each["expires"]))
    return f"ENDS        {each['what']} of participant {each['participant']} (authority {each['authority']}): {when}"


def _number(value: object) -> int | None:
    return None if value is None else int(cast(str, value), 16)
