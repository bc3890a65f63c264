"""``cocket participant keys``: which accounts act for a participant; rotation, and a new one when one is lost."""

import click

from cocket.cli.account import Signing, format_time, signing_options
from cocket.cli.client import NodeClient, node_option
from cocket.cli.errors import CommandError, Exit
from cocket.cli.output import json_option, show, table

NUMBER = click.argument("number", type=click.IntRange(min=1))
ACCOUNT = click.option("--account", required=True, help="Address of the key, 0x and 40 hex digits.")


@click.command(epilog="Example: cocket participant keys 1 --node http://127.0.0.1:8546")
@NUMBER
@node_option
@json_option
def keys(number: int, node_url: str, as_json: bool) -> None:
    """List the accounts that act, or ever acted, for a participant, each with its days."""
    from cocket.cli.parties import all_accounts_of
    from cocket.contracts import participants

    client = NodeClient(node_url)
    head = client.block_number()
    rows: list[dict[str, object]] = []
    for account in all_accounts_of(client, number, head):
        span = client.view(participants.ADDRESS, participants.key_span(number, account), head)
        rows.append({"account": account, "from": span.valid_from, "to": span.valid_to})
    if not rows:
        raise CommandError(f"there is no participant {number}; `cocket participant list` shows all", Exit.NOT_FOUND)
    cells = [[_hex(row["account"]), _time(row["from"]), _time(row["to"])] for row in rows]
    show(as_json, {"participant": number, "keys": rows}, table(cells, ["account", "from", "until"]))


@click.command("add-key", epilog="Example: cocket participant add-key 1 --account 0x8ba1... --home trial/KE")
@NUMBER
@ACCOUNT
@signing_options
@json_option
def add_key(number: int, account: str, signing: Signing, as_json: bool) -> None:
    """Let another account act for a participant from now on; its authority alone may, also when all others are lost.

    Records, grants and mandates are the participant's, not an account's: the new one has them all.
    """
    from cocket.cli.participant import parse_address
    from cocket.contracts import participants

    key = parse_address(account)
    signatory = signing.open()
    data = participants.add_key(participant=number, key=key)
    final = signatory.client.send(signatory.key, participants.ADDRESS, data)
    said = (
        f"{_hex(key)} acts for participant {number} since block {final.block_number}, {format_time(final.block_time_s)}"
    )
    show(as_json, {"participant": number, "account": key, "block": final.block_number}, [said])


@click.command("remove-key", epilog="Example: cocket participant remove-key 1 --account 0x8ba1... --home trial/KE")
@NUMBER
@ACCOUNT
@signing_options
@json_option
def remove_key(number: int, account: str, signing: Signing, as_json: bool) -> None:
    """Stop an account from acting for a participant, for good: lost, stolen or replaced. Add the new one first.

    A key of the participant's own may, and its authority. What it signed before stays as it was.
    """
    from cocket.cli.participant import parse_address
    from cocket.contracts import participants

    key = parse_address(account)
    signatory = signing.open()
    data = participants.remove_key(participant=number, key=key)
    final = signatory.client.send(signatory.key, participants.ADDRESS, data)
    said = f"{_hex(key)} acts for nobody since block {final.block_number}, {format_time(final.block_time_s)}"
    show(as_json, {"participant": number, "account": key, "block": final.block_number}, [said])


def _hex(account: object) -> str:
    return "0x" + account.hex() if isinstance(account, bytes) else str(account)


def _time(time_s: object) -> str:
    return format_time(time_s) if isinstance(time_s, int) and time_s else "now"
