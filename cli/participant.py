"""``cocket participant``: chambers, exporters, ports, carriers and auditors, and who accredits them."""

import secrets
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.account import Signing, day_start_s, format_time, parse_day, signing_options
from cocket.cli.client import NodeClient, node_option
from cocket.cli.errors import CommandError, Exit
from cocket.cli.output import json_option, show, table
from cocket.cli.participant_keys import add_key, keys, remove_key

if TYPE_CHECKING:
    from cocket.contracts.participants import Mandate

ROLES = ("chamber", "exporter", "port", "carrier", "auditor", "service")
KINDS = {"certificate-of-origin": 1}
SALT_BYTES = 16


@click.group()
def participant() -> None:
    """Accredit, suspend and list chambers, exporters, ports, carriers and auditors; rotate their keys."""


for _command in (keys, add_key, remove_key):
    participant.add_command(_command)


@participant.command(
    epilog='Example: cocket participant accredit --home trial/KE --name "Kenya Chamber of Commerce" --role chamber '
    "--account 0x8ba1f109551bd432803012645ac136ddd64dba72 --to 2028-01-01"
)
@click.option("--name", required=True, help="Kept out of the ledger: only its salted hash goes there.")
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(ROLES), help="What it is.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(sorted(KINDS)),
    default=("certificate-of-origin",),
    show_default=True,
    help="Kinds of document it may issue.",
)
@click.option("--account", "accounts", multiple=True, required=True, help="Address of a key it signs with (1 to 8).")
@click.option("--from", "first_day", default=None, help="First day, like 2026-11-23; default: today.")
@click.option("--to", "end_day", required=True, help="The day the accreditation ends (that day no longer counts).")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to keep the salt that opens its identity; default: <number>.participant.json",
)
@signing_options
@json_option
def accredit(
    name: str,
    roles: tuple[str, ...],
    kinds: tuple[str, ...],
    accounts: tuple[str, ...],
    first_day: str | None,
    end_day: str,
    out: Path | None,
    signing: Signing,
    as_json: bool,
) -> None:
    """Accredit a participant. Its authority is the one whose admin key signs."""
    import json

    from cocket.contracts import participants
    from cocket.node.keystore import write_whole

    start = parse_day(first_day) if first_day else date.today()
    end = parse_day(end_day)
    if end <= start:
        raise CommandError(f"--to {end} is not after --from {start}", Exit.USAGE)
    salt = secrets.token_bytes(SALT_BYTES)
    identity = identity_hash(salt, name)
    signatory = signing.open()
    data = participants.accredit(
        identity=identity,
        roles=participants.Role(sum(participants.Role[role.upper()] for role in roles)),
        kinds=[KINDS[kind] for kind in kinds],
        valid_from=day_start_s(start),
        valid_to=day_start_s(end),
        keys=[parse_address(account) for account in accounts],
    )
    final = signatory.client.send(signatory.key, participants.ADDRESS, data)
    number = signatory.client.view(participants.ADDRESS, participants.participant_by_identity(identity))
    opening = {"participant": number, "name": name, "salt": "0x" + salt.hex(), "identity": "0x" + identity.hex()}
    path = out or Path(f"{number}.participant.json")
    write_whole(path, json.dumps(opening, indent=1).encode() + b"\n")
    show(
        as_json,
        {"participant": number, "identity": identity, "block": final.block_number, "file": str(path)},
        [
            f"participant {number} ({', '.join(roles)}) is accredited from {start} until {end}, "
            f"final in block {final.block_number}",
            f"{path} opens its identity: keep it, and give {name} a copy",
        ],
    )


@participant.command(epilog="Example: cocket participant suspend 1 --reason 3 --home trial/KE")
@click.argument("number", type=click.IntRange(min=1))
@click.option(
    "--reason", type=click.IntRange(1, 65535), default=1, show_default=True, help="Reason code of the authority."
)
@signing_options
@json_option
def suspend(
    number: int,
    reason: int,
    signing: Signing,
    as_json: bool,
) -> None:
    """Suspend a participant: from this block on it can issue nothing. What it issued stays issued."""
    from cocket.contracts import participants

    signatory = signing.open()
    final = signatory.client.send(
        signatory.key, participants.ADDRESS, participants.suspend(participant=number, reason=reason)
    )
    said = f"participant {number} is suspended since block {final.block_number}, {format_time(final.block_time_s)}"
    show(as_json, {"participant": number, "block": final.block_number, "time": final.block_time_s}, [said])


@participant.command(epilog="Example: cocket participant reinstate 1 --home trial/KE")
@click.argument("number", type=click.IntRange(min=1))
@signing_options
@json_option
def reinstate(
    number: int,
    signing: Signing,
    as_json: bool,
) -> None:
    """Lift a suspension."""
    from cocket.contracts import participants

    signatory = signing.open()
    final = signatory.client.send(signatory.key, participants.ADDRESS, participants.reinstate(participant=number))
    said = f"participant {number} is reinstated since block {final.block_number}, {format_time(final.block_time_s)}"
    show(as_json, {"participant": number, "block": final.block_number, "time": final.block_time_s}, [said])


@participant.command("list", epilog="Example: cocket participant list --node http://127.0.0.1:8546")
@node_option
@json_option
def list_participants(node_url: str, as_json: bool) -> None:
    """List the participants: roles, authority, dates and standing."""
    from cocket.contracts import consortium, participants

    client = NodeClient(node_url)
    found: list[ListedParticipant] = []
    countries: dict[int, str] = {}
    for number in range(1, client.view(participants.ADDRESS, participants.participant_count()) + 1):
        mandate = client.view(participants.ADDRESS, participants.mandate(number))
        if mandate.authority not in countries:
            countries[mandate.authority] = client.view(
                consortium.ADDRESS, consortium.authority(mandate.authority)
            ).country
        found.append(ListedParticipant(number, countries[mandate.authority], mandate))
    rows = [entry.row() for entry in found]
    show(
        as_json,
        {"participants": [entry.as_json() for entry in found]},
        table(rows, ["participant", "roles", "authority", "from", "to", "standing"])
        if rows
        else ["no participants yet"],
    )


@dataclass(frozen=True, slots=True)
class ListedParticipant:
    """One line of the list."""

    number: int
    country: str
    mandate: "Mandate"

    @property
    def roles(self) -> list[str]:
        """The names of its roles."""
        return [role for index, role in enumerate(ROLES) if self.mandate.roles & (1 << index)]

    def row(self) -> list[str]:
        """Return the cells for people."""
        mandate = self.mandate
        days = [format_time(time_s)[:10] for time_s in (mandate.valid_from, mandate.valid_to)]
        standing = mandate.status.name.lower()
        if standing != "active":
            standing += f" since {format_time(mandate.since)} (reason {mandate.reason})"
        return [str(self.number), ", ".join(self.roles), self.country, *days, standing]

    def as_json(self) -> dict[str, object]:
        """Return the fields for scripts."""
        mandate = self.mandate
        return {
            "participant": self.number,
            "roles": self.roles,
            "authority": self.country,
            "kinds": sorted(mandate.kinds),
            "valid_from": mandate.valid_from,
            "valid_to": mandate.valid_to,
            "status": mandate.status.name.lower(),
            "since": mandate.since,
        }


def identity_hash(salt: bytes, name: str) -> bytes:
    """Return what stands for a participant's name on the ledger: keccak of a domain, 16 bytes of salt, and the name."""
    from cocket.node.chain.hashing import keccak256

    return keccak256(b"cocket participant 1" + salt + name.encode())


def parse_address(text: str) -> bytes:
    """Return the 20 bytes of an address.

    :raises CommandError: anything but 0x and 40 hex digits.
    """
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 20:
        raise CommandError(f"{text!r} is not an address; expected 0x and 40 hex digits", Exit.USAGE)
    return raw
