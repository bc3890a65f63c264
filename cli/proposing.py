"""``cocket authority propose``: what the authorities can decide together, each as a command; and how votes are sent."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.access_options import PURPOSES
from cocket.cli.account import Signing, format_time, signing_options
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.output import json_option, show
from cocket.cli.participant import KINDS, parse_address

if TYPE_CHECKING:
    from cocket.cli.client import Final
    from cocket.contracts.consortium import Keys, Proposal
    from cocket.genesis.record import Record

STANDINGS = ("suspend", "reinstate", "withdraw")
PASSED = "passed, to be executed"
PARAMETERS = {"spacing-blocks": 1, "proposal-period": 2, "participants-deploy": 3}
DAY_S = 86_400
LISTING_DELAY_DAYS_MAX = 3650


@click.group()
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

    country, keys = _read_record(record)
    data = consortium.propose_admission(country=country, keys=keys)
    send_vote(data, signing, as_json, f"proposed to admit {country}")


@propose.command("keys", epilog="Example: cocket authority propose keys BR.record.json --home trial/KE")
@click.argument("record", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@signing_options
@json_option
def propose_keys(record: Path, signing: Signing, as_json: bool) -> None:
    """Propose other keys for the authority of a RECORD: all that is in it takes the place of what it has.

    An authority that lost a key, or has another seal certificate, makes a record anew (`cocket genesis record`);
    another one proposes it when its admin key is what it lost. What it had stays on the ledger with its dates.
    """
    from cocket.cli.parties import find_authority
    from cocket.contracts import consortium

    country, keys = _read_record(record)
    signatory = signing.open()
    data = consortium.propose_keys(authority=find_authority(signatory.client, country), keys=keys)
    final = signatory.client.send(signatory.key, consortium.ADDRESS, data)
    _say(final, signatory.client, as_json, f"proposed other keys for {country}")


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


for _kind in STANDINGS:
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
    send_vote(data, signing, as_json, f"proposed {name} {amount}")


@propose.command(
    "default-right",
    epilog="Example: cocket authority propose default-right --group goods --group origin --purpose import-clearance "
    "--home trial/KE",
)
@click.option(
    "--kind",
    type=click.Choice(sorted(KINDS)),
    default="certificate-of-origin",
    show_default=True,
    help="The kind of document.",
)
@click.option("--group", "groups", multiple=True, help="A field group by name, or * for all.")
@click.option("--purpose", "purposes", multiple=True, type=click.Choice(PURPOSES), help="What it may be read for.")
@signing_options
@json_option
def propose_default_right(
    kind: str, groups: tuple[str, ...], purposes: tuple[str, ...], signing: Signing, as_json: bool
) -> None:
    """Propose what importing authorities may read, by right, of documents anchored after it is decided.

    With no group and no purpose: nothing. Records anchored before, grants and residencies stay as they are.
    """
    from cocket.cli.terms import parse_groups, parse_purposes
    from cocket.contracts import access, consortium

    if bool(groups) != bool(purposes):
        raise CommandError("a right needs --group and --purpose, both; with neither, there is none", Exit.USAGE)
    number = KINDS[kind]
    data = consortium.propose_default_right(
        kind=number,
        groups=access.encode_bits(parse_groups(groups, number) if groups else (), access.GROUPS_MAX, "--group"),
        purposes=access.encode_bits(parse_purposes(purposes), access.PURPOSES_MAX, "--purpose"),
    )
    send_vote(data, signing, as_json, f"proposed another default right to a {kind}")


@propose.command(
    "listing-delay", epilog="Example: cocket authority propose listing-delay risk-analysis 180 --home trial/KE"
)
@click.argument("purpose", type=click.Choice(PURPOSES))
@click.argument("days", type=click.IntRange(0, LISTING_DELAY_DAYS_MAX))
@signing_options
@json_option
def propose_listing_delay(purpose: str, days: int, signing: Signing, as_json: bool) -> None:
    """Propose that records' subjects are told of reads for a PURPOSE only so many DAYS later; 0: at once.

    Delayed, never dropped. It binds reads after it is decided; receipts are written and anchored as always.
    """
    from cocket.contracts import consortium

    data = consortium.propose_listing_delay(purpose=1 + PURPOSES.index(purpose), delay_s=days * DAY_S)
    send_vote(data, signing, as_json, f"proposed to tell of reads for {purpose} after {days} days")


@propose.command(
    "directory-entry",
    epilog="Example: cocket authority propose directory-entry Access 0x5FbDB2315678afecb367f032d93F642f64180aa3 "
    "--home trial/KE",
)
@click.argument("name")
@click.argument("address")
@signing_options
@json_option
def propose_directory_entry(name: str, address: str, signing: Signing, as_json: bool) -> None:
    """Propose which contract, by its ADDRESS, a NAME in the Directory means.

    Another Access decides about records sealed after it is named; about older ones only where a keeper's operator
    confirms that, in `keeper.toml`.
    """
    from cocket.contracts import consortium
    from cocket.contracts.errors import MalformedValue

    try:
        data = consortium.propose_entry(name=name, target=parse_address(address))
    except MalformedValue as error:
        raise CommandError(str(error), Exit.USAGE) from None
    send_vote(data, signing, as_json, f"proposed that {name} is {address}")


def standing(proposal: "Proposal", now_s: int) -> str:
    """Return how a proposal stands, in words; expiry is derived from the time."""
    from cocket.contracts.consortium import ProposalStatus

    if proposal.status in (ProposalStatus.OPEN, ProposalStatus.PASSED) and now_s >= proposal.expires_at:
        return "expired"
    return PASSED if proposal.status is ProposalStatus.PASSED else proposal.status.name.lower()


def subject(proposal: "Proposal") -> str:
    """Return what a proposal is about, in words."""
    from cocket.contracts.consortium import ProposalKind

    amount = proposal.amount
    match proposal.kind:
        case ProposalKind.PARAMETER:
            return f"{_name_of(PARAMETERS, proposal.authority)} {amount}"
        case ProposalKind.ENTRY:
            return f"{_text(proposal.name)} 0x{amount.to_bytes(32)[-20:].hex()}"
        case ProposalKind.CODE_LIST:
            return f"{_text(proposal.name)} 0x{amount.to_bytes(32).hex()}"
        case ProposalKind.DEFAULT_RIGHT:
            return _right_text(proposal.authority, amount & 0xFFFF, amount >> 16)
        case ProposalKind.LISTING_DELAY:
            return f"{_purpose_text(proposal.authority)} {amount / DAY_S:g} days"
    return proposal.country or f"authority {proposal.authority}"


def _right_text(kind: int, groups: int, purposes: int) -> str:
    from cocket.cli.terms import group_names, purpose_names
    from cocket.contracts.access import decode_bits

    named = _name_of(KINDS, kind)
    if not groups or not purposes:
        return f"{named}: nothing"
    return f"{named}: {', '.join(group_names(decode_bits(groups), kind))} for " + ", ".join(
        purpose_names(decode_bits(purposes))
    )


def _purpose_text(purpose: int) -> str:
    return PURPOSES[purpose - 1] if 1 <= purpose <= len(PURPOSES) else f"purpose {purpose}"


def _name_of(numbers: dict[str, int], number: int) -> str:
    return next((name for name, each in numbers.items() if each == number), str(number))


def _text(name: bytes) -> str:
    return name.rstrip(bytes(1)).decode("ascii", "replace")


def _read_record(path: Path) -> "tuple[str, Keys]":
    from cocket.genesis.canonical import FILE_BYTES_MAX
    from cocket.genesis.record import decode_record

    return keys_of(decode_record(read_bounded(path, FILE_BYTES_MAX), str(path)))


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


def send_vote(
    data: bytes,
    signing: Signing,
    as_json: bool,
    said: str,
    proposal: int | None = None,
) -> None:
    """Send an authority's proposal or vote, and say how what it is about stands then."""
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
