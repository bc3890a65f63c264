"""Sealing certificates that are on the ledger: one custody a batch, a manifest and an envelope a record.

The seeds of a custody are in memory only. So ``custody.json`` is written last: a folder without it is of a run that did
not end, and the next run seals all of it anew, under new seeds; no vault takes a record without its custody.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cocket.attestation.errors import InvalidDocument, InvalidFile
from cocket.attestation.files import decode_file
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.sealing.custody import Custody
from cocket.attestation.sealing.custody_file import CUSTODY_BYTES_MAX, decode_custody, encode_custody
from cocket.attestation.sealing.manifest import encode_manifest
from cocket.attestation.sealing.record import random_bytes
from cocket.attestation.sealing.work import SealChunk, SealedFile, seal_chunk
from cocket.cli.account import Signatory
from cocket.cli.attaching import parts_of, seal_attached
from cocket.cli.client import NodeClient
from cocket.cli.custody import Drawn, Terms, draw_custody
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.issuing import CERTIFICATE_SUFFIX
from cocket.cli.parties import participant_behind
from cocket.cli.progress import Progress
from cocket.cli.workers import CHUNK_DOCUMENTS, open_processes, run_ahead
from cocket.contracts import access, certificates
from cocket.node.keystore import write_whole
from cocket.node.vault.signing import wallet_of

CERTIFICATE_BYTES_MAX = 1 << 23
"""A document of 1 MiB with the leaves of all its fields."""
MANIFEST_SUFFIX = ".manifest.json"
ENVELOPE_SUFFIX = ".envelope"
CUSTODY_NAME = "custody.json"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a run came to; ``drawn`` None: an earlier run had sealed all."""

    records: int
    batch: bytes
    folder: Path
    drawn: Drawn | None

    def as_json(self) -> dict[str, object]:
        """Return the answer as an object."""
        custody = None if self.drawn is None else self.drawn.custody
        return {
            "sealed": self.records,
            "batch": self.batch,
            "folder": str(self.folder),
            "custodians": None if self.drawn is None else list(self.drawn.countries),
            "threshold": None if custody is None else custody.threshold,
            "was_sealed_before": self.drawn is None,
        }

    def sentences(self) -> list[str]:
        """Return the answer as sentences."""
        if self.drawn is None:
            return [f"all {self.records} records were sealed before; they are in {self.folder}"]
        return [
            f"{self.records} records of batch 0x{self.batch.hex()} are sealed in {self.folder}",
            self.drawn.note,
            f"put them into the vault: cocket vault store VAULT {self.folder}/*{MANIFEST_SUFFIX}",
        ]


def seal(
    paths: Sequence[Path], out: Path, signatory: Signatory, terms: Terms, progress: Progress, files: Path | None
) -> Sealed:
    """Seal certificates of one batch into a folder, and what they attach, from the folder ``files``.

    :raises CommandError: they are of several batches, not on this ledger or another participant's; or the folder holds
        other records.
    """
    names = [path.name.removesuffix(CERTIFICATE_SUFFIX).removesuffix(".json") for path in paths]
    if len(set(names)) != len(names):
        raise CommandError("two of the files have one name; seal them into different folders", Exit.USAGE)
    batch, participant = require_own_batch(signatory, _batch_of(paths[0]))
    if is_sealed(out, names, batch):
        return Sealed(len(names), batch, out, None)
    drawn = draw_custody(signatory.client, batch, participant, terms)
    needed = random_bytes(CERTIFICATE_OF_ORIGIN, drawn.custody.threshold)

    def chunks() -> Iterator[SealChunk]:
        for first in range(0, len(paths), CHUNK_DOCUMENTS):
            files = tuple(
                [read_bounded(path, CERTIFICATE_BYTES_MAX) for path in paths[first : first + CHUNK_DOCUMENTS]]
            )
            randomness = tuple([secrets.token_bytes(needed) for _ in files])
            yield SealChunk(files, drawn.custody, drawn.seeds, randomness)

    def attach(name: str, record: SealedFile) -> None:
        if record.attached and files is None:
            raise CommandError(
                f"{name}: it attaches {record.attached[0].attachment.name}; say where that is: --attachments FOLDER",
                Exit.USAGE,
            )
        if files is not None:
            sources = [parts_of(files / each.attachment.name) for each in record.attached]
            seal_attached(out, name, record.attached, sources)

    with open_processes(len(paths)) as processes:
        try:
            sealed = (each for chunk in run_ahead(processes, seal_chunk, chunks()) for each in chunk)
            write_records(out, names, sealed, drawn.custody, wallet_of(signatory.key), progress, attach)
        except (InvalidDocument, InvalidFile) as error:
            raise CommandError(f"nothing is sealed: {error}", Exit.USAGE) from None
    return Sealed(len(names), batch, out, drawn)


def write_records(
    out: Path,
    names: Sequence[str],
    sealed: Iterator[SealedFile],
    custody: Custody,
    sign: Callable[[bytes], bytes],
    progress: Progress,
    attach: Callable[[str, SealedFile], None],
) -> None:
    """Write records as they come, each manifest signed, with their attachments, and the custody when all are there."""
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    for done, (name, record) in enumerate(zip(names, sealed, strict=True), 1):
        attach(name, record)
        _replace(out / (name + ENVELOPE_SUFFIX), record.envelope)
        _replace(out / (name + MANIFEST_SUFFIX), encode_manifest(record.manifest, sign(record.digest)))
        progress("sealing", done, len(names))
    write_whole(out / CUSTODY_NAME, encode_custody(custody))


def require_own_batch(signatory: Signatory, batch: bytes) -> tuple[bytes, int]:
    """Return a batch that is on the ledger, and the participant that signs and issued it.

    :raises CommandError: it is not there, or another participant's.
    """
    client: NodeClient = signatory.client
    found = client.view(certificates.ADDRESS, certificates.batch(batch))
    if not found.anchored_at:
        raise CommandError(f"the ledger has no batch 0x{batch.hex()}; issue the certificates first", Exit.NOT_FOUND)
    participant = participant_behind(client, signatory.address)
    if participant != found.participant:
        raise CommandError(
            f"batch 0x{batch.hex()} is participant {found.participant}'s; the key that signs is of {participant}",
            Exit.REFUSED,
        )
    return batch, participant


def is_sealed(out: Path, names: Sequence[str], batch: bytes) -> bool:
    """Return whether a folder holds all these records, sealed to its end.

    :raises CommandError: it holds others.
    """
    path = out / CUSTODY_NAME
    if not path.exists():
        return False
    custody = decode_custody(read_bounded(path, CUSTODY_BYTES_MAX))
    missing = [name for name in names if not (out / (name + MANIFEST_SUFFIX)).exists()]
    if (custody.batch, custody.access) != (batch, access.ADDRESS) or missing:
        what = f"not {missing[0]}" if missing else f"batch 0x{custody.batch.hex()}"
        raise CommandError(f"{out}: it holds other sealed records ({what}); choose another folder", Exit.REFUSED)
    return True


def _batch_of(path: Path) -> bytes:
    try:
        anchor = decode_file(read_bounded(path, CERTIFICATE_BYTES_MAX)).anchor
    except InvalidFile as error:
        raise CommandError(f"{path}: {error}", Exit.USAGE) from None
    if anchor is None:
        raise CommandError(f"{path}: not anchored; issue it first", Exit.USAGE)
    return anchor.batch


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)
