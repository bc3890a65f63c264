"""``cocket ledger``: carry a chain by file, from one home to another or to another program; vouch for a block of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.account import Signing, format_time, signing_options
from cocket.cli.errors import CommandError, Exit
from cocket.cli.output import json_option, note, show

if TYPE_CHECKING:
    from cocket.node.chain.ledger import Ledger

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    help="The node's home: genesis.json, node.toml, data. The node must not run.",
)


@click.group()
def ledger() -> None:
    """Carry a chain by file: sealed blocks as RLP, one after the other, as Besu and geth export them; vouch for one."""


@ledger.command("export", epilog="Example: cocket ledger export --home trial/NL --out nl.blocks")
@home_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The new file.")
@click.option("--from", "first", type=click.IntRange(min=0), default=0, show_default=True, help="The first block.")
@click.option("--to", "last", type=click.IntRange(min=0), help="The last block; without it the chain's last one.")
@json_option
def export_(home: Path, out: Path, first: int, last: int | None, as_json: bool) -> None:
    """Write a chain's blocks to a file. The file appears when it is whole; an existing one is not overwritten."""
    from cocket.node.chain.chain_file import export_file

    with _opened(home, must_exist=True) as chain:
        end = chain.head.number if last is None else last
        progress = make_progress(lambda number, _end: (number - first + 1, end - first + 1), "blocks")
        count = export_file(chain, out, first, last, progress)
        header = chain.header_by_number(end)
        genesis_hash = chain.genesis.hash
    assert header is not None
    answer = {
        "file": str(out),
        "first": first,
        "last": end,
        "blocks": count,
        "bytes": out.stat().st_size,
        "state_root": header.state_root,
        "genesis_hash": genesis_hash,
    }
    show(
        as_json,
        answer,
        [
            f"{out}: {count} blocks, {first} to {end}, {answer['bytes']} bytes",
            f"Another home of this network takes them in: cocket ledger import {out} --home HOME",
        ],
    )


@ledger.command("import", epilog="Example: cocket ledger import nl.blocks --home trial/KE")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@home_option
@json_option
def import_(file: Path, home: Path, as_json: bool) -> None:
    """Take a file's blocks into a home's chain, each verified as if a peer had sent it: seals, rules, execution, roots.

    Blocks that are there already are compared and passed over, so the same command goes on after an interruption.
    """
    from cocket.node.chain.chain_file import CutFile, MalformedFile, import_file
    from cocket.node.chain.importer import Importer
    from cocket.node.chain.permission import PermissionRule
    from cocket.node.errors import InvalidBlock

    size = file.stat().st_size
    with _opened(home) as chain:
        read = 0
        tell = make_progress(lambda _number, end: (end, size), "bytes")

        def progress(number: int, end: int) -> None:
            nonlocal read
            read += 1
            tell(number, end)

        try:
            added = import_file(Importer(chain, PermissionRule(chain)), chain, file, progress)
        except InvalidBlock as error:
            here = f"{error}; the chain here ends with block {chain.head.number}"
            match error:
                case CutFile():
                    raise CommandError(f"{here}: get the whole file and import it again to go on") from error
                case MalformedFile():
                    raise CommandError(
                        f"{here}: get the file again, it is damaged or none of blocks", Exit.USAGE
                    ) from error
                case _:
                    raise CommandError(f"{here}: do not trust this file", Exit.VERIFICATION_NO) from error
        except KeyboardInterrupt:
            raise CommandError(
                f"stopped; the chain here ends with block {chain.head.number}: the same command goes on from there"
            ) from None
        head, head_hash = chain.head, chain.head_hash
    if read == 0:
        raise CommandError(f"{file}: it is empty, expected blocks: export it again", Exit.USAGE)
    answer = {
        "file": str(file),
        "imported": added,
        "passed_over": read - added,
        "height": head.number,
        "head_hash": head_hash,
        "state_root": head.state_root,
    }
    show(
        as_json,
        answer,
        [
            f"{file}: {added} blocks imported, {read - added} were there already",
            f"The chain of {home} now ends with block {head.number}, 0x{head_hash.hex()}.",
        ],
    )


@ledger.command(epilog="Example: cocket ledger checkpoint cp.json --home trial/KE")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--height", type=click.IntRange(min=1), help="The block of a new checkpoint; default: the last one.")
@click.option(
    "--with",
    "others",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Another copy of the same checkpoint, whose signatures are added; may be repeated.",
)
@click.option(
    "--seal-certificate",
    "certificates",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Seal it too: the authority's seal certificate, which the ledger names, then its chain (PEM).",
)
@click.option(
    "--seal-key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The seal's key: P-256 in PEM under a passphrase.",
)
@click.option(
    "--seal-passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File (mode 0600) with its passphrase; asked for when absent.",
)
@signing_options
@json_option
def checkpoint(
    file: Path,
    height: int | None,
    others: tuple[Path, ...],
    certificates: Path | None,
    seal_key: Path | None,
    seal_passphrase_file: Path | None,
    signing: Signing,
    as_json: bool,
) -> None:
    """Make a checkpoint, add an authority's signature to one, or put copies together: an anchor for `cocket verify`.

    FILE is made when it is not there, and else compared with your own node before it is signed with your admin key.
    Hand it from authority to authority, or let all sign copies of it. Two thirds of the active authorities must sign.
    With --seal-certificate and --seal-key it is also sealed (X.509), so that who trusts the certificates' issuers can
    take it from anybody: `cocket verify --anchor FILE --trust roots.pem`.
    """
    from cocket.cli import checkpointing
    from cocket.cli.exchange import read_issuer
    from cocket.cli.judging import read_checkpoint
    from cocket.cli.keys import ask_passphrase
    from cocket.node.bundle.checkpoint import encode_checkpoint
    from cocket.node.keystore import write_whole
    from cocket.node.pem_key import load_pem_key

    if (certificates is None) != (seal_key is None):
        raise CommandError("a seal needs --seal-certificate and --seal-key, both", Exit.USAGE)
    has_key = signing.home is not None or signing.key_file is not None
    if not has_key and not file.exists():
        raise CommandError(
            f"{file}: not there yet; to make it say who signs: --home HOME for an authority's admin key", Exit.USAGE
        )
    if file.exists():
        found = read_checkpoint(file)
        if height not in (None, found.height):
            raise CommandError(f"{file}: of block {found.height}; choose another file for block {height}", Exit.USAGE)
    if has_key:
        signatory = signing.open()
        if not file.exists():
            found = checkpointing.read_statement(signatory.client, height)
        found = checkpointing.sign(found, signatory.client, signatory.key)
        if certificates is not None and seal_key is not None:
            key = load_pem_key(seal_key, ask_passphrase(seal_passphrase_file))
            found = checkpointing.seal(found, signatory.client, read_issuer(certificates), key.sign)
    for other in others:
        found = checkpointing.merge(found, read_checkpoint(other))
    if has_key or others:
        write_whole(file, encode_checkpoint(found), 0o644)
    signers = [signer.country for signer in found.signers()]
    missing = max(0, found.needed - len(signers))
    answer = {
        "file": str(file),
        "height": found.height,
        "block_hash": found.block_hash,
        "genesis_hash": found.genesis_hash,
        "time": found.time_s,
        "signed_by": signers,
        "sealed_by": [seal.issuer.subject for seal in found.seals],
        "needed": found.needed,
        "is_complete": not missing,
    }
    last = f"{missing} more must sign" if missing else f"An anchor now: cocket verify ... --anchor {file}"
    show(
        as_json,
        answer,
        [
            f"{file}: block {found.height}, 0x{found.block_hash.hex()}, {format_time(found.time_s)}",
            f"signed by {', '.join(signers)}, {len(signers)} of {len(found.authorities)} active authorities; {last}",
        ],
    )


@contextmanager
def _opened(home: Path, *, must_exist: bool = False) -> Iterator["Ledger"]:
    """Give a home's chain, locked against its node; ``must_exist`` makes none."""
    from cocket.node.chain.ledger import Ledger
    from cocket.node.config import Home
    from cocket.node.genesis_file import read_genesis
    from cocket.node.store.home import DataFolder
    from cocket.node.store.level import LevelStore

    place = Home(home)
    genesis = read_genesis(place, place.settings())
    if must_exist and not (place.data / "chain").is_dir():
        raise CommandError(f"{place.data}: no chain there yet: start the node, or import one", Exit.NOT_FOUND)
    with DataFolder(place.data) as folder:
        store = LevelStore(folder.chain)
        try:
            yield Ledger(store, genesis)
        finally:
            store.close()


def make_progress(
    measure: Callable[[int, int], tuple[int, int]], unit: str, clock: Callable[[], float] = time.monotonic
) -> Callable[[int, int], None]:
    """Return a progress that says on stderr every few seconds how far and how fast; ``measure`` gives (done, whole)."""
    from cocket.node.pace import Pace

    pace = Pace(clock(), 0)

    def progress(number: int, end: int) -> None:
        done, whole = measure(number, end)
        speed = pace.measure(clock(), done, whole)
        if speed is not None:
            left = "" if speed.left_s is None else f", {speed.left_s:.0f} s left"
            note(f"block {number}: {100 * done // max(1, whole)} %, {speed.per_s:.0f} {unit}/s{left}")

    return progress
