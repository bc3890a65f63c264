"""``cocket authority``: the consortium's members, what they propose and vote on, and their validator seats."""

import dataclasses
from typing import TYPE_CHECKING

import click

from cocket.cli.account import Signing, signing_options
from cocket.cli.client import NodeClient, node_option
from cocket.cli.output import json_option, show, table
from cocket.cli.proposing import PASSED, propose, send_vote, standing, subject

if TYPE_CHECKING:
    from cocket.contracts.consortium import Keys

UNDECIDED = ("open", PASSED)
NODE_ID_SHOWN = 8  # bytes at each end of a node id: enough to compare by eye; --json has all of it


@click.group()
def authority() -> None:
    """List authorities; propose, vote on and execute changes; take a validator seat.

    One authority, one vote. Membership, keys and directory entries need two thirds of the active authorities; anything
    else more than half.
    """


@authority.command("list", epilog="Example: cocket authority list --node http://127.0.0.1:8546")
@node_option
@json_option
def list_authorities(node_url: str, as_json: bool) -> None:
    """List the authorities with their standing and validator seat."""
    from cocket.contracts import consortium

    client = NodeClient(node_url)
    found: list[dict[str, object]] = []
    for number in range(1, client.view(consortium.ADDRESS, consortium.authority_count()) + 1):
        member = client.view(consortium.ADDRESS, consortium.authority(number))
        keys = client.view(consortium.ADDRESS, consortium.keys(member.keys_id))
        found.append(
            {
                "authority": number,
                "country": member.country,
                "status": member.status.name.lower(),
                "since": member.since,
                "validating": member.validating,
                "validator": keys.validator,
                "admin": keys.admin,
                "endpoints": [node.endpoint for node in keys.nodes],
            }
        )
    rows = [
        [
            str(entry["authority"]),
            str(entry["country"]),
            str(entry["status"]),
            "yes" if entry["validating"] else "no",
            "0x" + bytes(entry["validator"]).hex() if isinstance(entry["validator"], bytes) else "",
        ]
        for entry in found
    ]
    show(as_json, {"authorities": found}, table(rows, ["authority", "country", "standing", "validates", "validator"]))


@authority.command(epilog="Example: cocket authority proposals --node http://127.0.0.1:8546")
@node_option
@json_option
def proposals(node_url: str, as_json: bool) -> None:
    """List the proposals and how they stand, and what those still open would record as an authority's keys."""
    from cocket.contracts import consortium

    client = NodeClient(node_url)
    now_s = client.block_time_s(client.block_number())
    found: list[dict[str, object]] = []
    records: list[str] = []
    for number in range(1, client.view(consortium.ADDRESS, consortium.proposal_count()) + 1):
        made = client.view(consortium.ADDRESS, consortium.proposal(number))
        found.append(
            {
                "proposal": number,
                "kind": made.kind.name.lower().replace("_", " "),
                "standing": standing(made, now_s),
                "about": subject(made),
                "approvals": list(made.approvals),
                "refusals": list(made.refusals),
                "expires_at": made.expires_at,
            }
        )
        if made.keys_id:
            keys = client.view(consortium.ADDRESS, consortium.keys(made.keys_id))
            country = made.country or client.view(consortium.ADDRESS, consortium.authority(made.authority)).country
            found[-1] |= {"country": country, "keys": dataclasses.asdict(keys)}
            if found[-1]["standing"] in UNDECIDED:
                records += [f"proposal {number} would record for {country}:", *record_sentences(keys)]
    rows = [
        [
            str(entry["proposal"]),
            str(entry["kind"]),
            str(entry["about"]),
            str(entry["standing"]),
            f"{len(made_by(entry, 'approvals'))} for, {len(made_by(entry, 'refusals'))} against",
        ]
        for entry in found
    ]
    heading = ["proposal", "kind", "about", "standing", "votes"]
    show(as_json, {"proposals": found}, table(rows, heading) + records if rows else ["no proposals yet"])


authority.add_command(propose)


@authority.command(epilog="Example: cocket authority vote 3 --for --home trial/NL")
@click.argument("proposal", type=click.IntRange(min=1))
@click.option("--for/--against", "approve", required=True, help="The authority's vote; it is final.")
@signing_options
@json_option
def vote(
    proposal: int,
    approve: bool,
    signing: Signing,
    as_json: bool,
) -> None:
    """Vote on a proposal. The vote that decides also carries it out, if the validator set may change now."""
    from cocket.contracts import consortium

    data = consortium.vote(proposal=proposal, approve=approve)
    said = f"voted {'for' if approve else 'against'} proposal {proposal}"
    send_vote(data, signing, as_json, said, proposal)


@authority.command(epilog="Example: cocket authority execute 3 --home trial/NL")
@click.argument("proposal", type=click.IntRange(min=1))
@signing_options
@json_option
def execute(
    proposal: int,
    signing: Signing,
    as_json: bool,
) -> None:
    """Carry out a proposal that has passed but had to wait for the spacing of validator changes."""
    from cocket.contracts import consortium

    data = consortium.execute(proposal=proposal)
    send_vote(data, signing, as_json, f"executed proposal {proposal}", proposal)


@authority.command(epilog="Example: cocket authority activate --home trial/BR")
@signing_options
@json_option
def activate(signing: Signing, as_json: bool) -> None:
    """Take the own validator seat, once the own node is level with the others."""
    from cocket.contracts import consortium

    send_vote(consortium.activate(), signing, as_json, "validating from the next block on")


@authority.command("stand-down", epilog="Example: cocket authority stand-down --home trial/BR")
@signing_options
@json_option
def stand_down(signing: Signing, as_json: bool) -> None:
    """Give up the own validator seat, for maintenance; never the last one."""
    from cocket.contracts import consortium

    send_vote(consortium.stand_down(), signing, as_json, "no longer validating")


def record_sentences(keys: "Keys") -> list[str]:
    """Return what a keys record holds, for who is to vote on it."""
    from cocket.attestation.sealing.hpke import Suite

    lines = [f"  admin      0x{keys.admin.hex()}", f"  validator  0x{keys.validator.hex()}"]
    for node in keys.nodes:
        first, last = node.node_id[:NODE_ID_SHOWN].hex(), node.node_id[-NODE_ID_SHOWN:].hex()
        lines.append(f"  node       {first}...{last} at {node.endpoint}")
    if any(keys.seal_certificate):
        lines.append(f"  seal       {keys.seal_certificate.hex()} (SHA-256 of its certificate)")
    key, suites = keys.encryption_key, {suite.value: suite.name for suite in Suite}
    suite = suites.get(keys.encryption_suite, f"suite {keys.encryption_suite:#06x}, which nobody can seal to")
    lines.append(f"  custodian  {key[:NODE_ID_SHOWN].hex()}...{key[-NODE_ID_SHOWN:].hex()} of {suite}")
    return lines


def made_by(entry: dict[str, object], votes: str) -> list[object]:
    """Return the authorities that voted one way."""
    voters = entry[votes]
    assert isinstance(voters, list)
    return voters
