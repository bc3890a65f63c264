"""``cocket genesis``: the founding ceremony, one authority at a time."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.keys import PASSPHRASE, ask_passphrase
from cocket.cli.output import json_option, show, table

if TYPE_CHECKING:
    from cocket.genesis.parameters import Parameters
    from cocket.genesis.record import Record
    from cocket.node.chain.rules import Spec, Transition

SHARED = 0o644  # files of the ceremony are sent to the others
GENESIS_BYTES_MAX = 64 << 20  # a large network's alloc, many times over

HOME = click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), required=True, help="The authority's node home."
)
PARAMETERS = click.option(
    "--parameters",
    "parameters_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="The file of agreed parameters, the same for all.",
)
RECORDS = click.argument(
    "records", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True)
)


@click.group()
def genesis() -> None:
    """Found a network together: parameters, record, gather, confirm, show.

    One authority writes the parameters. Each makes its record on its own machine and sends it to the others. Anybody
    gathers the records: the same records give the same genesis.json everywhere. Each authority gathers again for
    itself and signs the genesis hash.
    """


@genesis.command(
    epilog="Example: cocket genesis parameters --ceremony windows-2026 --chain-id 20261 "
    "--country NL --country KE --out parameters.json"
)
@click.option("--ceremony", required=True, help="A name for this founding.")
@click.option("--chain-id", type=click.IntRange(min=1), required=True, help="EIP-155 chain id of the new network.")
@click.option("--country", "countries", multiple=True, required=True, help="ISO 3166 alpha-2 code; once per authority.")
@click.option(
    "--timestamp", type=int, default=None, help="Seconds since 1970 of block 0; default: now, written into the file."
)
@click.option("--block-period", type=int, default=2, show_default=True, help="Seconds between blocks.")
@click.option("--request-timeout", type=int, default=None, help="Seconds of round 0; default: two block periods.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@json_option
def parameters(
    ceremony: str,
    chain_id: int,
    countries: tuple[str, ...],
    timestamp: int | None,
    block_period: int,
    request_timeout: int | None,
    out: Path,
    as_json: bool,
) -> None:
    """Write the parameters that all authorities agree on."""
    import time

    from cocket.genesis.founding import contract_code_hashes
    from cocket.genesis.parameters import Parameters, encode_parameters
    from cocket.node.keystore import write_whole

    agreed = Parameters(
        ceremony=ceremony,
        chain_id=chain_id,
        countries=tuple(sorted(countries)),
        timestamp=int(time.time()) if timestamp is None else timestamp,
        contracts=contract_code_hashes(),
        block_period_seconds=block_period,
        request_timeout_seconds=request_timeout or 2 * block_period,
    )
    agreed.validate()
    refuse_to_overwrite(out)
    write_whole(out, encode_parameters(agreed), SHARED)
    digest = "0x" + agreed.digest().hex()
    show(as_json, {"file": str(out), "digest": digest}, [f"{out}: send this file to all; its digest is {digest}"])


@genesis.command(
    epilog="Example: cocket genesis record --home ke --country KE --endpoint ke.example:30303 "
    "--parameters parameters.json --out KE.record.json"
)
@HOME
@click.option("--country", required=True, help="ISO 3166 alpha-2 code of the authority.")
@click.option("--endpoint", required=True, help="host:port where the others reach the node.")
@PARAMETERS
@click.option(
    "--encryption-key",
    "encryption_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None,
    help="File with the public key of the custodian, made on its own machine; default: a key in HOME/custodian.",
)
@click.option(
    "--seal-certificate",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None,
    help="The authority's X.509 seal certificate (PEM), whose key will seal checkpoints; default: none yet.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@PASSPHRASE
@json_option
def record(
    home: Path,
    country: str,
    endpoint: str,
    parameters_file: Path,
    encryption_file: Path | None,
    seal_certificate: Path | None,
    out: Path,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Make this authority's keys (where missing) and its signed record.

    The custodian's key opens what others seal to this authority. It is best made where the custodian runs (`cocket
    keys new custodian --encryption`), and its public key brought here.
    """
    from cocket.genesis import ceremony
    from cocket.genesis.record import encode_record
    from cocket.node.config import Home
    from cocket.node.encryption_key import load_public_key
    from cocket.node.keystore import write_whole

    refuse_to_overwrite(out)
    agreed = read_parameters(parameters_file)
    passphrase = ask_passphrase(passphrase_file, confirm=True)
    keys = ceremony.open_keys(Home(home), passphrase)
    custodian = load_public_key(encryption_file) if encryption_file else ceremony.custodian_key(Home(home), passphrase)
    seal = bytes(32) if seal_certificate is None else _fingerprint(seal_certificate)
    made = ceremony.record(keys, custodian, agreed, country, endpoint, seal)
    write_whole(out, encode_record(made), SHARED)
    show(
        as_json,
        {"file": str(out), "country": country, "admin": made.body.admin, "validator": made.body.validator},
        [
            f"{out}: send this file to all; the keys stay in {home / 'keys'}",
            *([] if encryption_file else [f"{Home(home).encryption_key}: bring it to the custodian's machine"]),
        ],
    )


def _fingerprint(path: Path) -> bytes:
    from cocket.cli.exchange import read_issuer

    fingerprint = read_issuer(path).fingerprint
    if fingerprint is None:
        raise CommandError(f"{path}: a public key; expected a certificate", Exit.USAGE)
    return fingerprint


@genesis.command(epilog="Example: cocket genesis gather *.record.json --parameters parameters.json --out genesis.json")
@RECORDS
@PARAMETERS
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@json_option
def gather(records: tuple[Path, ...], parameters_file: Path, out: Path, as_json: bool) -> None:
    """Make genesis.json from all records."""
    from cocket.genesis.founding import gather as gather_records
    from cocket.node.keystore import write_whole

    founded = gather_records(read_parameters(parameters_file), read_records(records))
    if out.exists() and read_bounded(out, GENESIS_BYTES_MAX) != founded.genesis_json:
        raise CommandError(f"{out} exists and is another genesis; choose another file", Exit.REFUSED)
    write_whole(out, founded.genesis_json, SHARED)
    genesis_hash = "0x" + founded.genesis.hash.hex()
    show(
        as_json,
        {"file": str(out), "genesis_hash": genesis_hash, "countries": [f.country for f in founded.founders]},
        [f"{out}: genesis {genesis_hash} of {', '.join(f.country for f in founded.founders)}; each now confirms it"],
    )


@genesis.command(
    epilog="Example: cocket genesis confirm *.record.json --home ke --parameters parameters.json "
    "--genesis genesis.json --out KE.confirmation.json"
)
@RECORDS
@HOME
@PARAMETERS
@click.option(
    "--genesis",
    "genesis_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="The gathered genesis.json.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@PASSPHRASE
@json_option
def confirm(
    records: tuple[Path, ...],
    home: Path,
    parameters_file: Path,
    genesis_file: Path,
    out: Path,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Check genesis.json against the records, install it in the home, and sign its hash."""
    from cocket.genesis import ceremony
    from cocket.genesis.confirmation import encode_confirmation
    from cocket.node.config import Home
    from cocket.node.keystore import write_whole

    keys = ceremony.open_keys(Home(home), ask_passphrase(passphrase_file))
    confirmation = ceremony.confirm(
        Home(home),
        keys,
        read_parameters(parameters_file),
        read_records(records),
        read_bounded(genesis_file, GENESIS_BYTES_MAX),
    )
    write_whole(out, encode_confirmation(confirmation), SHARED)
    show(
        as_json,
        {"file": str(out), "country": confirmation.country, "genesis_hash": confirmation.genesis_hash},
        [f"{out}: {confirmation.country} confirms genesis {confirmation.genesis_hash}; {home} is ready to run"],
    )


@genesis.command(
    "show",
    epilog="Example: cocket genesis show genesis.json --parameters parameters.json --record NL.record.json "
    "--confirmation NL.confirmation.json",
)
@click.argument("genesis_file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--parameters",
    "parameters_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The file of agreed parameters.",
)
@click.option(
    "--record",
    "records",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="An authority's record; once per authority.",
)
@click.option(
    "--confirmation",
    "confirmations",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="An authority's confirmation.",
)
@json_option
def show_genesis(
    genesis_file: Path,
    parameters_file: Path | None,
    records: tuple[Path, ...],
    confirmations: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Show what a genesis.json means, and who has confirmed it (needs the parameters and all records)."""
    from cocket.genesis.canonical import FILE_BYTES_MAX
    from cocket.genesis.confirmation import decode_confirmation, verify_confirmation
    from cocket.genesis.founding import gather as gather_records
    from cocket.node.chain.spec import parse_genesis
    from cocket.node.errors import InvalidGenesis

    if confirmations and not (parameters_file and records):
        raise CommandError("confirmations are checked against the parameters and records; give those too", Exit.USAGE)
    try:
        parsed = parse_genesis(read_bounded(genesis_file, GENESIS_BYTES_MAX))
    except InvalidGenesis as error:
        raise CommandError(f"{genesis_file}: {error}", Exit.USAGE) from None
    spec = parsed.spec
    answer: dict[str, object] = {
        "genesis_hash": "0x" + parsed.hash.hex(),
        "chain_id": spec.chain_id,
        "timestamp": parsed.header.timestamp,
        "block_period_s": spec.block_period_s,
        "request_timeout_s": spec.request_timeout_s,
        "gas_limit": parsed.header.gas_limit,
        "validator_contract": "0x" + spec.validator_contract.hex() if spec.validator_contract else None,
    }
    sentences = [f"{name.replace('_', ' ')}: {value}" for name, value in answer.items()]
    answer["transitions"] = changes = [change_of(spec, transition) for transition in spec.transitions]
    for change in changes:
        rules = ", ".join(
            f"{name.replace('_', ' ')} {_say(value)}" for name, value in change.items() if name != "block"
        )
        sentences.append(f"from block {change['block']} on: {rules or 'nothing changes'}")
    if parameters_file and records:
        founded = gather_records(read_parameters(parameters_file), read_records(records))
        if founded.genesis.hash != parsed.hash:
            raise CommandError(
                f"the parameters and records mean genesis 0x{founded.genesis.hash.hex()}, not this file", Exit.REFUSED
            )
        confirmed = {
            verify_confirmation(
                decode_confirmation(read_bounded(path, FILE_BYTES_MAX), str(path)), parsed.hash, founded.founders
            ).country
            for path in confirmations
        }
        answer["founders"] = [
            {
                "country": f.country,
                "admin": f.admin,
                "validator": f.validator,
                "endpoint": f.endpoint,
                "confirmed": f.country in confirmed,
            }
            for f in founded.founders
        ]
        sentences += table(
            [
                [f.country, "0x" + f.validator.hex(), f.endpoint, "yes" if f.country in confirmed else "not shown"]
                for f in founded.founders
            ],
            ["country", "validator", "endpoint", "confirmed"],
        )
    show(as_json, answer, sentences)


def change_of(spec: "Spec", transition: "Transition") -> dict[str, object]:
    """Return what a transition changes: the names of the rules with what holds from its block on."""
    before = spec.rules_at(transition.block - 1)
    found: dict[str, object] = {"block": transition.block}
    for field in dataclasses.fields(before):
        value = getattr(transition.rules, field.name)
        if value != getattr(before, field.name):
            found[field.name] = "0x" + value.hex() if isinstance(value, bytes) else value
    if transition.validators is not None:
        found["validators"] = ["0x" + validator.hex() for validator in transition.validators]
    return found


def _say(value: object) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "none" if value is None else str(value)


def read_parameters(path: Path) -> "Parameters":
    """Read a parameters file."""
    from cocket.genesis.canonical import FILE_BYTES_MAX
    from cocket.genesis.parameters import decode_parameters

    return decode_parameters(read_bounded(path, FILE_BYTES_MAX), str(path))


def read_records(paths: tuple[Path, ...]) -> "list[Record]":
    """Read record files."""
    from cocket.genesis.canonical import FILE_BYTES_MAX
    from cocket.genesis.record import decode_record

    return [decode_record(read_bounded(path, FILE_BYTES_MAX), str(path)) for path in paths]


def refuse_to_overwrite(path: Path) -> None:
    """Raise when a file is there already."""
    if path.exists():
        raise CommandError(f"{path} exists; choose another file", Exit.REFUSED)
