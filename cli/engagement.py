"""``cocket engagement``: what an auditor and controllers agree on, and the grants that come of it and end with it."""

from pathlib import Path

import click

from cocket.cli.access_options import (
    ANCHORED_FROM,
    ANCHORED_TO,
    EXISTING,
    FROM,
    GROUPS,
    KIND,
    OUT,
    PURPOSES,
    REASON,
    TO,
)
from cocket.cli.account import Signing, format_time, signing_options
from cocket.cli.client import NodeClient, node_option
from cocket.cli.errors import CommandError, Exit
from cocket.cli.output import json_option, show

FILE = click.argument("file", type=EXISTING)


@click.group()
def engagement() -> None:
    """Agree on an audit: draft, sign on both sides, commit one grant a controller, show, end."""


@engagement.command(
    epilog="Example: cocket engagement draft --auditor 9 --controller 1 --controller 4 --anchored-from 2026-01-01 "
    "--anchored-to 2027-01-01 --group goods --group origin --to 2027-07-01 --out audit-2026.json"
)
@click.option("--auditor", required=True, help="A participant's number or account; accredited as an auditor.")
@click.option(
    "--controller", "controllers", multiple=True, required=True, help="Whose records: a participant, up to 64 of them."
)
@KIND
@ANCHORED_FROM
@ANCHORED_TO
@GROUPS
@click.option(
    "--purpose",
    "purposes",
    multiple=True,
    type=click.Choice(PURPOSES),
    default=("audit",),
    show_default=True,
    help="What it may be read for.",
)
@FROM
@TO
@OUT
@node_option
@json_option
def draft(
    auditor: str,
    controllers: tuple[str, ...],
    kinds: tuple[str, ...],
    anchored_from: str | None,
    anchored_to: str | None,
    groups: tuple[str, ...],
    purposes: tuple[str, ...],
    first_day: str | None,
    end_day: str,
    out: Path,
    node_url: str,
    as_json: bool,
) -> None:
    """Write down what would be agreed on. Nothing is signed or sent; the file is for the parties alone."""
    from cocket.attestation.reading.engagement import SignedEngagement, encode_engagement
    from cocket.cli.engaging import Draft, engagement_of, terms_json, terms_text
    from cocket.node.keystore import write_whole

    if out.exists():
        raise CommandError(f"{out} exists; choose another file", Exit.REFUSED)
    wish = Draft(auditor, controllers, kinds, anchored_from, anchored_to, groups, purposes, first_day, end_day)
    drafted = engagement_of(NodeClient(node_url), wish)
    write_whole(out, encode_engagement(SignedEngagement(drafted)))
    said = [*terms_text(drafted), f"{out} is for the auditor and each controller to sign: cocket engagement sign"]
    show(as_json, {"file": str(out), **terms_json(drafted)}, said)


@engagement.command(epilog="Example: cocket engagement sign audit-2026.json --key keys/auditor.json")
@FILE
@signing_options
@json_option
def sign(file: Path, signing: Signing, as_json: bool) -> None:
    """Sign an engagement as its auditor or as one of its controllers, into its file. Nothing is sent."""
    from cocket.attestation.reading.engagement import encode_engagement, engagement_hash
    from cocket.cli.engaging import load_engagement, signers, terms_text
    from cocket.cli.granting import network_of
    from cocket.cli.parties import participant_behind
    from cocket.node.keystore import write_whole
    from cocket.node.signer import KeySigner

    signatory = signing.open()
    client = signatory.client
    agreed = load_engagement(file, network_of(client))
    own = participant_behind(client, signatory.address)
    parties = (agreed.engagement.auditor, *agreed.engagement.controllers)
    if own not in parties:
        raise CommandError(f"not signed: participant {own} is no party; they are {', '.join(map(str, parties))}",
                           Exit.REFUSED)  # fmt: skip
    if own in signers(client, agreed):
        raise CommandError(f"not signed: participant {own} has signed already", Exit.REFUSED)
    signature = KeySigner(signatory.key).sign_digest(engagement_hash(agreed.engagement))
    signed = agreed.signed(signature[:64] + bytes((27 + signature[64],)))
    write_whole(file, encode_engagement(signed))
    answer = {"file": str(file), "participant": own, "signatures": len(signed.signatures)}
    said = [*terms_text(agreed.engagement), f"{file} is signed by participant {own}; {len(signed.signatures)} in all"]
    show(as_json, answer, said)


@engagement.command(
    epilog="Example: cocket engagement commit audit-2026.json --out audit-2026.grant.json --key keys/chamber.json"
)
@FILE
@OUT
@signing_options
@json_option
def commit(file: Path, out: Path, signing: Signing, as_json: bool) -> None:
    """As a controller, let an engagement's grant stand on the ledger, and write the file with which the auditor reads.

    The auditor and this controller must have signed. Each controller commits its own grant, which reaches its records.
    Where it stands already, the file is written anew.
    """
    from cocket.cli.committing import commit as commit_grant
    from cocket.cli.engaging import grant_for, load_engagement, require_own, rewritten, signers
    from cocket.cli.granting import network_of
    from cocket.cli.parties import participant_behind

    signatory = signing.open()
    client = signatory.client
    agreed = load_engagement(file, network_of(client))
    own = require_own(agreed.engagement, participant_behind(client, signatory.address))
    signed_by = signers(client, agreed)
    for side, number in (("auditor", agreed.engagement.auditor), ("controller", own)):
        if number not in signed_by:
            raise CommandError(
                f"not committed: the {side}, participant {number}, has not signed {file} with a key of today's",
                Exit.REFUSED,
            )
    grant = grant_for(agreed.engagement, own)
    if rewritten(client, grant, own, out):
        said = f"its grant stands already; give {out} to the auditor"
        show(as_json, {"file": str(out), "what": grant.what, "commitment": grant.commitment, "block": None}, [said])
        return
    made = commit_grant(signatory, grant, out)
    show(as_json, made.as_json(), [*made.sentences(client), f"give {out} to the auditor"])


@engagement.command("show", epilog="Example: cocket engagement show audit-2026.json")
@FILE
@node_option
@json_option
def show_engagement(file: Path, node_url: str, as_json: bool) -> None:
    """Show what was agreed on, who has signed, and how each controller's grant stands on the ledger."""
    from cocket.cli.engaging import load_engagement, sides, terms_json, terms_text
    from cocket.cli.granting import network_of

    client = NodeClient(node_url)
    agreed = load_engagement(file, network_of(client))
    head = client.block_number()
    listed = sides(client, agreed, head)
    as_of = {"block": head, "time": client.block_time_s(head)}
    answer = {**terms_json(agreed.engagement), "parties": [side.as_json() for side in listed], "as_of": as_of}
    when = f"as of block {head}, {format_time(client.block_time_s(head))}"
    show(as_json, answer, [*terms_text(agreed.engagement), *[side.text() for side in listed], when])


@engagement.command(epilog="Example: cocket engagement end audit-2026.json --reason 2 --key keys/chamber.json")
@FILE
@REASON
@signing_options
@json_option
def end(file: Path, reason: int, signing: Signing, as_json: bool) -> None:
    """As a controller, end an engagement before its time, as to your own records. What was read stays read."""
    from cocket.cli.engaging import grant_for, load_engagement, require_own
    from cocket.cli.granting import network_of
    from cocket.cli.parties import participant_behind
    from cocket.contracts import access as contract

    signatory = signing.open()
    client = signatory.client
    agreed = load_engagement(file, network_of(client))
    own = require_own(agreed.engagement, participant_behind(client, signatory.address))
    commitment = grant_for(agreed.engagement, own).commitment
    data = contract.withdraw(commitment=commitment, reason=reason)
    final = client.send(signatory.key, contract.ADDRESS, data)
    said = (
        f"ended for the records of participant {own} in block {final.block_number}, "
        f"{format_time(final.block_time_s)}; what was read before stays read"
    )
    show(as_json, {"commitment": commitment, "block": final.block_number, "time": final.block_time_s}, [said])
