"""``cocket access freeze``, ``release``, ``decline-right`` and ``residency``: what no grant gets past."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.access_options import REASON, Records, record_options
from cocket.cli.account import Signing, format_time, signing_options
from cocket.cli.client import Final, NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.output import json_option, show

if TYPE_CHECKING:
    from cocket.cli.terms import Place

SALT_BYTES = 16
CONTROLLER = click.option(
    "--controller", type=click.IntRange(min=1), help="Instead of records: all of this participant's."
)


@click.command(epilog="Example: cocket access freeze --controller 7 --reason 12 --home trial/KE")
@record_options
@CONTROLLER
@REASON
@signing_options
@json_option
def freeze(records: Records, controller: int | None, reason: int, signing: Signing, as_json: bool) -> None:
    """Stop all reads of a record, a batch (--all), or all records of a controller, until released.

    The authority under which they were anchored may; for a controller, the one that accredited it. Grants stay as they
    are, and count again after the release. Of what was read nothing is taken back.
    """
    from cocket.contracts import access as contract

    signatory = signing.open()
    place = _target(signatory.client, records, controller)
    if place is None:
        data = contract.freeze_controller(participant=controller or 0, reason=reason)
    else:
        data = contract.freeze(batch=place.batch, index=place.index, reason=reason)
    final = signatory.client.send(signatory.key, contract.ADDRESS, data)
    _tell(as_json, final, f"reads of {_name(place, controller)} are frozen")


@click.command(epilog="Example: cocket access release --controller 7 --home trial/KE")
@record_options
@CONTROLLER
@signing_options
@json_option
def release(records: Records, controller: int | None, signing: Signing, as_json: bool) -> None:
    """Lift a freeze: of a record, of a batch (--all), or of a controller, each as it was frozen."""
    from cocket.contracts import access as contract

    signatory = signing.open()
    place = _target(signatory.client, records, controller)
    if place is None:
        data = contract.release_controller(participant=controller or 0)
    else:
        data = contract.release(batch=place.batch, index=place.index)
    final = signatory.client.send(signatory.key, contract.ADDRESS, data)
    _tell(as_json, final, f"the freeze of {_name(place, controller)} is lifted")


def _target(client: NodeClient, records: Records, controller: int | None) -> "Place | None":
    """Return the place that is named, None when a controller is."""
    from cocket.cli.granting import network_of

    if controller is None:
        return records.require(network_of(client))
    if records.is_any:
        raise CommandError("name either records or their --controller", Exit.USAGE)
    return None


def _name(place: "Place | None", controller: int | None) -> str:
    return f"all records of participant {controller}" if place is None else place.text


@click.command(
    "decline-right",
    epilog=f"Example: cocket access decline-right --batch 0x{'ab' * 32} --key keys/chamber.json",
)
@click.option("--batch", required=True, help="The batch by its root, 0x and 64 hex digits; not anchored yet.")
@signing_options
@json_option
def decline_right(batch: str, signing: Signing, as_json: bool) -> None:
    """Decline importing authorities' default right for a batch that you are about to anchor; afterwards it is too late.

    `cocket certificate issue --decline-right` does both in order; this is for who anchors by other means.
    """
    from cocket.cli.terms import parse_hash
    from cocket.contracts import access as contract

    root = parse_hash(batch, "--batch")
    signatory = signing.open()
    data = contract.decline_default_right(batch=root)
    final = signatory.client.send(signatory.key, contract.ADDRESS, data)
    _tell(as_json, final, f"importing authorities have no default right to your batch 0x{root.hex()}: anchor it now")


@click.command(
    epilog="Example: cocket access residency --record issued/coffee.certificate.json --country SG --country NL "
    "--out coffee.residency.json --key keys/chamber.json"
)
@record_options
@click.option("--country", "countries", multiple=True, help="ISO 3166 code of a country it may be released into.")
@click.option("--lift", is_flag=True, help="Bind it to no countries any more.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="The new file, for the vaults that have the batch."
)
@signing_options
@json_option
def residency(
    records: Records, countries: tuple[str, ...], lift: bool, out: Path | None, signing: Signing, as_json: bool
) -> None:
    """Bind a batch of yours to countries: it is released into no other, whatever grant, order or right there is.

    The whole batch of the record is bound. The ledger gets a salted hash; the file that opens it goes to the vaults
    that have the batch, and without it they release nothing. The country in which a batch resides may always read.
    """
    from cocket.cli.granting import network_of
    from cocket.contracts import access as contract
    from cocket.contracts.access import Residency
    from cocket.node.keystore import write_whole
    from cocket.node.vault.residency import encode_residency

    if lift == bool(countries) or (out is None) != lift:
        raise CommandError("name each --country and the file --out, or else --lift", Exit.USAGE)
    signatory = signing.open()
    network = network_of(signatory.client)
    batch = records.require(network).batch
    commitment = bytes(32)
    bound = Residency(secrets.token_bytes(SALT_BYTES), tuple(sorted({country.upper() for country in countries})))
    if out is not None:
        if out.exists():
            raise CommandError(f"{out} exists; choose another file", Exit.REFUSED)
        commitment = contract.residency_commitment(network.chain_id, batch, bound, network.access)
    data = contract.set_residency(batch=batch, commitment=commitment)
    raw = signatory.client.prepare(signatory.key, contract.ADDRESS, data)
    if out is not None:
        write_whole(out, encode_residency(batch, bound))
    final = signatory.client.send_until_final(raw)
    where = f"may be released into {', '.join(bound.countries)} only" if countries else "may be released anywhere again"
    _tell(as_json, final, f"batch 0x{batch.hex()} {where}", file=None if out is None else str(out))


def _tell(as_json: bool, final: Final, said: str, **more: object) -> None:
    when = f"since block {final.block_number}, {format_time(final.block_time_s)}"
    show(as_json, {"block": final.block_number, "time": final.block_time_s, **more}, [f"{said}, {when}"])
