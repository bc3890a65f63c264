"""``cocket authority``: the consortium's members, what they propose and vote on, and their validator seats."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.account import Signing, format_time, signing_options
from cocket.cli.client import NodeClient, node_option
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.output import json_option, show, table

if TYPE_CHECKING:
    from cocket.cli.client import Final
    from cocket.contracts.consortium import Keys, Proposal
    from cocket.genesis.record import Record

KINDS = ("suspend", "reinstate", "withdraw")
PASSED = "passed, to be executed"
UNDECIDED = ("open", PASSED)
NODE_ID_SHOWN = 8  # bytes at each end of a node id: enough to compare by eye; --json has all of it
PARAMETERS = {"spacing-blocks": 1, "proposal-period": 2, "participants-deploy": 3}


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


@authority.group()
def propose() -> None:
    """Propose a change; a proposal counts as its proposer's vote for it."""


@propose.command("admit", epilog="Example: cocket authority propose admit BR.record.json --home trial/KE")
@click.argument("record", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@signing_options
@json_option
def propose_admission(
    record: Path,
    signing: Signing,
    as_json: bool,
) -> None:
    """Propose to admit the authority of a RECORD, as `cocket genesis record` makes it.

    Once admitted it takes its validator seat itself, with `activate`.
    """
    from cocket.contracts import consortium
    from cocket.genesis.canonical import FILE_BYTES_MAX
    from cocket.genesis.record import decode_record

    country, keys = keys_of(decode_record(read_bounded(record, FILE_BYTES_MAX), str(record)))
    data = consortium.propose_admission(country=country, keys=keys)
    _send(data, signing, as_json, f"proposed to admit {country}")


def _subject_command(kind: str) -> click.Command:
    """Make the command that proposes to suspend, reinstate or withdraw an authority."""

    @click.argument("country")
    @click.option("--reason", type=click.IntRange(1, 65535), default=1, show_default=True, help="Reason code.")
    @signing_options
    @json_option
    def command(
        country: str,
        reason: int,
        signing: Signing,
        as_json: bool,
    ) -> None:
        from cocket.contracts import consortium

        signatory = signing.open()
        number = signatory.client.view(consortium.ADDRESS, consortium.authority_of_country(country))
        if number == 0:
            raise CommandError(f"{country}: no authority there; `cocket authority list` shows all", Exit.NOT_FOUND)
        data = {
            "suspend": lambda: consortium.propose_suspension(authority=number, reason=reason),
            "reinstate": lambda: consortium.propose_reinstatement(authority=number),
            "withdraw": lambda: consortium.propose_withdrawal(authority=number, reason=reason),
        }[kind]()
        final = signatory.client.send(signatory.key, consortium.ADDRESS, data)
        _say(final, signatory.client, as_json, f"proposed to {kind} {country}")

    return click.command(
        kind,
        help=f"Propose to {kind} the authority of COUNTRY.",
        epilog=f"Example: cocket authority propose {kind} BR --home trial/KE",
    )(command)


for _kind in KINDS:
    propose.add_command(_subject_command(_kind))


@propose.command("parameter", epilog="Example: cocket authority propose parameter spacing-blocks 20 --home trial/KE")
@click.argument("name", type=click.Choice(sorted(PARAMETERS)))
@click.argument("amount", type=click.IntRange(min=0))
@signing_options
@json_option
def propose_parameter(
    name: str,
    amount: int,
    signing: Signing,
    as_json: bool,
) -> None:
    """Propose another value of a parameter.

    spacing-blocks: the validator set changes by at most one in so many blocks. proposal-period: seconds until a
    proposal expires. participants-deploy: 1 lets accredited participants deploy contracts.
    """
    from cocket.contracts import consortium

    data = consortium.propose_parameter(parameter=consortium.Parameter(PARAMETERS[name]), amount=amount)
    _send(data, signing, as_json, f"proposed {name} {amount}")


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
    _send(data, signing, as_json, said, proposal)


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
    _send(data, signing, as_json, f"executed proposal {proposal}", proposal)


@authority.command(epilog="Example: cocket authority activate --home trial/BR")
@signing_options
@json_option
def activate(signing: Signing, as_json: bool) -> None:
    """Take the own validator seat, once the own node is level with the others."""
    from cocket.contracts import consortium

    _send(consortium.activate(), signing, as_json, "validating from the next block on")


@authority.command("stand-down", epilog="Example: cocket authority stand-down --home trial/BR")
@signing_options
@json_option
def stand_down(signing: Signing, as_json: bool) -> None:
    """Give up the own validator seat, for maintenance; never the last one."""
    from cocket.contracts import consortium

    _send(consortium.stand_down(), signing, as_json, "no longer validating")


def standing(proposal: "Proposal", now_s: int) -> str:
    """Return how a proposal stands, in words; expiry is derived from the time."""
    from cocket.contracts.consortium import ProposalStatus

    if proposal.status in (ProposalStatus.OPEN, ProposalStatus.PASSED) and now_s >= proposal.expires_at:
        return "expired"
    return PASSED if proposal.status is ProposalStatus.PASSED else proposal.status.name.lower()


def subject(proposal: "Proposal") -> str:
    """Return what a proposal is about, in words."""
    if proposal.country:
        return proposal.country
    if proposal.authority:
        return f"authority {proposal.authority}"
    return f"{proposal.name.rstrip(bytes(1)).decode('ascii', 'replace')} {proposal.amount}".strip()


def record_sentences(keys: "Keys") -> list[str]:
    """Return what a keys record holds, for who is to vote on it."""
    from cocket.attestation.sealing.hpke import Suite

    lines = [f"  admin      0x{keys.admin.hex()}", f"  validator  0x{keys.validator.hex()}"]
    for node in keys.nodes:
        first, last = node.node_id[:NODE_ID_SHOWN].hex(), node.node_id[-NODE_ID_SHOWN:].hex()
        lines.append(f"  node       {first}...{last} at {node.endpoint}")
    key, suites = keys.encryption_key, {suite.value: suite.name for suite in Suite}
    suite = suites.get(keys.encryption_suite, f"suite {keys.encryption_suite:#06x}, which nobody can seal to")
    lines.append(f"  custodian  {key[:NODE_ID_SHOWN].hex()}...{key[-NODE_ID_SHOWN:].hex()} of {suite}")
    return lines


def made_by(entry: dict[str, object], votes: str) -> list[object]:
    """Return the authorities that voted one way."""
    voters = entry[votes]
    assert isinstance(voters, list)
    return voters


def keys_of(record: "Record") -> "tuple[str, Keys]":
    """Return country and keys that a record names, each proven by its signature."""
    from cocket.contracts.consortium import Keys, Node
    from cocket.genesis.record import verify_signatures

    founder = verify_signatures(record)
    node = Node(node_id=founder.node_id, endpoint=founder.endpoint)
    return founder.country, Keys(
        admin=founder.admin,
        validator=founder.validator,
        seal_certificate=founder.seal_certificate_hash,
        encryption_suite=founder.encryption_key.suite,
        encryption_key=founder.encryption_key.encoded,
        nodes=(node,),
    )


def _send(
    data: bytes,
    signing: Signing,
    as_json: bool,
    said: str,
    proposal: int | None = None,
) -> None:
    from cocket.contracts import consortium

    signatory = signing.open()
    final = signatory.client.send(signatory.key, consortium.ADDRESS, data)
    _say(final, signatory.client, as_json, said, proposal)


def _say(final: "Final", client: NodeClient, as_json: bool, said: str, proposal: int | None = None) -> None:
    """Say what was done and, for a proposal, how it stands now."""
    from cocket.contracts import consortium
    from cocket.contracts.events import ProposalMade, decode_log

    for entry in final.logs:
        event = decode_log(entry.address, entry.topics, entry.data)
        if isinstance(event, ProposalMade):
            proposal = event.proposal
    answer: dict[str, object] = {"block": final.block_number, "time": final.block_time_s}
    sentences = [f"{said}, final in block {final.block_number}, {format_time(final.block_time_s)}"]
    if proposal is not None:
        made = client.view(consortium.ADDRESS, consortium.proposal(proposal))
        word = standing(made, final.block_time_s)
        answer |= {"proposal": proposal, "standing": word}
        sentences.append(f"proposal {proposal} is {word}: {len(made.approvals)} for, {len(made.refusals)} against")
    show(as_json, answer, sentences)
