"""``cocket access order`` and ``order-sign``: an authority's orders, which count once two of its officers signed."""

from pathlib import Path
from typing import TYPE_CHECKING

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
    TO,
    Records,
    record_options,
)
from cocket.cli.account import Signatory, Signing, signing_options
from cocket.cli.errors import CommandError, Exit
from cocket.cli.output import json_option, show

if TYPE_CHECKING:
    from cocket.cli.grant_file import Delegated, Grant

DOCUMENT_BYTES_MAX = 64 << 20
"""A court's order as a scan."""


@click.command(
    epilog="Example: cocket access order --reader KE --record coffee.presentation.json --group parties "
    "--document order.pdf --to 2027-01-01 --out case-7.order.json --home trial/KE"
)
@click.option("--reader", required=True, help="An account (0x...), a participant's number, or an authority's country.")
@record_options
@click.option("--controller", default=None, help="Whose records, with --all and no batch: a participant's number.")
@KIND
@ANCHORED_FROM
@ANCHORED_TO
@GROUPS
@click.option(
    "--purpose",
    "purposes",
    multiple=True,
    type=click.Choice(PURPOSES),
    default=("court-order",),
    show_default=True,
    help="What it may be read for.",
)
@click.option("--document", type=EXISTING, required=True, help="The court's order, whose hash the order carries.")
@FROM
@TO
@OUT
@signing_options
@json_option
def order(
    reader: str,
    records: Records,
    controller: str | None,
    kinds: tuple[str, ...],
    anchored_from: str | None,
    anchored_to: str | None,
    groups: tuple[str, ...],
    purposes: tuple[str, ...],
    document: Path,
    first_day: str | None,
    end_day: str,
    out: Path,
    signing: Signing,
    as_json: bool,
) -> None:
    """Order, as the authority of a controller, that a reader may read. It counts once two officers signed the file.

    On the ledger it looks like any grant or delegation. Officers are those with a delegation of this authority; each
    signs with `cocket access order-sign`.
    """
    from cocket.cli.committing import Wish, commit, order_of

    wish = Wish(reader, records, kinds, anchored_from, anchored_to, groups, purposes, first_day, end_day)
    signatory = signing.open()
    made = commit(signatory, order_of(signatory, wish, controller, _hash_of(document)), out)
    show(
        as_json,
        made.as_json(),
        [*made.sentences(signatory.client), f"let two officers sign {out}: cocket access order-sign"],
    )


@click.command(
    "order-sign",
    epilog="Example: cocket access order-sign case-7.order.json --delegation officer.delegation.json "
    "--key keys/officer.json",
)
@click.argument("file", type=EXISTING)
@click.option("--delegation", type=EXISTING, required=True, help="The officer's delegation of that authority.")
@click.option("--document", type=EXISTING, default=None, help="The court's order, to be compared with the file's hash.")
@signing_options
@json_option
def order_sign(file: Path, delegation: Path, document: Path | None, signing: Signing, as_json: bool) -> None:
    """Sign an order as an officer, into its file. Nothing is sent: the ledger has the order's hash already.

    The node is asked whether order and delegation stand and are of one authority.
    """
    from cocket.cli.grant_file import OFFICERS_MAX, encode_opening
    from cocket.cli.granting import load_delegation, load_grant, network_of
    from cocket.contracts.access import OrderSignature, order_digest
    from cocket.node.keystore import write_whole
    from cocket.node.signer import KeySigner

    signatory = signing.open()
    network = network_of(signatory.client)
    ordered, delegated = load_grant(file, network), load_delegation(delegation, network)
    if document is not None and _hash_of(document) != ordered.scope.reference:
        raise CommandError(f"not signed: the order in {file} is of another document than {document}", Exit.REFUSED)
    _require_officer(signatory, ordered, delegated)
    signature = KeySigner(signatory.key).sign_digest(order_digest(ordered.commitment))
    signed = ordered.signed(OrderSignature(delegated.delegation, signature))
    write_whole(file, encode_opening(signed))
    count = len(signed.officers)
    next_step = "give it to the reader" if count == OFFICERS_MAX else "another one has to sign"
    answer = {"file": str(file), "commitment": ordered.commitment, "signatures": count}
    show(as_json, answer, [f"{file} is signed by {count} of {OFFICERS_MAX} officers; {next_step}"])


def _require_officer(signatory: Signatory, ordered: "Grant", delegated: "Delegated") -> None:
    """Refuse to sign what would not count: no order, another's delegation, or what does not stand on the ledger."""
    from cocket.cli.explaining import standing_text
    from cocket.cli.grant_file import OFFICERS_MAX
    from cocket.cli.parties import party_text
    from cocket.cli.standing import is_in_force
    from cocket.contracts import access as contract
    from cocket.contracts.access import ScopeKind

    client, officer = signatory.client, delegated.delegation.officer
    if ordered.scope.kind is not ScopeKind.ORDER:
        raise CommandError(f"not signed: found {ordered.what}; expected an order", Exit.USAGE)
    if signatory.address != officer:
        raise CommandError(
            f"not signed: the delegation is to 0x{officer.hex()}, the key is of 0x{signatory.address.hex()}",
            Exit.REFUSED,
        )
    if officer in [each.delegation.officer for each in ordered.officers]:
        raise CommandError("not signed: this officer has signed already; another one has to", Exit.REFUSED)
    if len(ordered.officers) == OFFICERS_MAX:
        raise CommandError("not signed: two officers have signed already", Exit.REFUSED)
    head = client.block_number()
    for opening in (ordered, delegated):
        if not is_in_force(client, opening.commitment, head):
            raise CommandError(
                f"not signed: the {opening.what} is not in force: {standing_text(client, opening.commitment, head)}",
                Exit.REFUSED,
            )
    giver = client.view(contract.ADDRESS, contract.commitment_of(ordered.commitment), head).party
    if giver != contract.authority_party(delegated.delegation.authority):
        raise CommandError(
            f"not signed: the order is of {party_text(client, giver)}, the officer of "
            f"{party_text(client, delegated.delegation.authority)}",
            Exit.REFUSED,
        )


def _hash_of(document: Path) -> bytes:
    from cocket.attestation.merkle import keccak256
    from cocket.cli.files import read_bounded

    return keccak256(read_bounded(document, DOCUMENT_BYTES_MAX))
