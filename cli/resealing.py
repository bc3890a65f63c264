"""Sealed records under another custody: re-wrapped, their ciphertexts as they are, or encrypted anew.

Both open the records by the recovery key first. Re-wrapping withdraws nothing from anybody.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cocket.attestation.errors import InvalidFile
from cocket.attestation.files import encode_presentation
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.sealing.attachment import open_segments
from cocket.attestation.sealing.custody import Custody
from cocket.attestation.sealing.custody_file import CUSTODY_BYTES_MAX, decode_custody
from cocket.attestation.sealing.envelope import ENVELOPE_BYTES_MAX
from cocket.attestation.sealing.hpke import Opener
from cocket.attestation.sealing.manifest import MANIFEST_BYTES_MAX, decode_manifest
from cocket.attestation.sealing.record import random_bytes, rewrap_bytes, validate_manifest
from cocket.attestation.sealing.work import (
    AttachedFile,
    RewrapChunk,
    SealedFile,
    StoredRecord,
    recovered,
    recovered_files,
    recovery_seed_of,
    rewrap_chunk,
)
from cocket.cli.account import Signatory
from cocket.cli.attaching import SUFFIX, copy_sealed, open_attached, seal_attached, sealed_file, sealed_paths
from cocket.cli.custody import Terms, draw_custody
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.cli.progress import Progress
from cocket.cli.sealing import (
    CUSTODY_NAME,
    ENVELOPE_SUFFIX,
    MANIFEST_SUFFIX,
    Sealed,
    is_sealed,
    require_own_batch,
    write_records,
)
from cocket.cli.workers import CHUNK_DOCUMENTS, open_processes, run_ahead
from cocket.node.keystore import write_whole
from cocket.node.vault.signing import wallet_of

OPENED_SUFFIX = ".opened.json"
FILES_SUFFIX = ".files"
"""A folder beside it with what the record attaches."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Manifests of one custody as they lie in a folder, and that custody."""

    paths: tuple[Path, ...]
    custody: Custody

    @property
    def names(self) -> list[str]:
        """Return what the records are called."""
        return [path.name.removesuffix(MANIFEST_SUFFIX) for path in self.paths]

    @property
    def folder(self) -> Path:
        """Return where they lie."""
        return self.paths[0].parent

    def record(self, path: Path) -> StoredRecord:
        """Return the bytes of one record."""
        envelope = path.with_name(path.name.removesuffix(MANIFEST_SUFFIX) + ENVELOPE_SUFFIX)
        return StoredRecord(read_bounded(path, MANIFEST_BYTES_MAX), read_bounded(envelope, ENVELOPE_BYTES_MAX))


def find_stored(paths: Sequence[Path]) -> Stored:
    """Return the records that manifests stand for.

    :raises CommandError: they are not named as manifests are, or lie in several folders.
    """
    if wrong := [path for path in paths if not path.name.endswith(MANIFEST_SUFFIX)]:
        raise CommandError(f"{wrong[0]}: expected a file NAME{MANIFEST_SUFFIX}", Exit.USAGE)
    if len({path.parent for path in paths}) != 1:
        raise CommandError("the manifests lie in several folders; each folder is one custody's", Exit.USAGE)
    custody = decode_custody(read_bounded(paths[0].with_name(CUSTODY_NAME), CUSTODY_BYTES_MAX))
    return Stored(tuple(paths), custody)


def reseal(
    stored: Stored,
    key: Opener,
    out: Path,
    signatory: Signatory,
    terms: Terms,
    progress: Progress,
    *,
    is_anew: bool,
) -> Sealed:
    """Bring records under a new custody, into another folder; ``is_anew``: encrypted anew, under the next key epoch.

    :raises CommandError: the recovery key is another's, a record is not what it says, or the signer is not its issuer.
    """
    names, old = stored.names, stored.custody
    batch, participant = require_own_batch(signatory, old.batch)
    if is_sealed(out, names, batch):
        return Sealed(len(names), batch, out, None)
    seed = _recovery_seed(stored, key)
    drawn = draw_custody(signatory.client, batch, participant, terms)
    count = random_bytes if is_anew else rewrap_bytes
    needed = count(CERTIFICATE_OF_ORIGIN, drawn.custody.threshold)

    def chunks() -> Iterator[RewrapChunk]:
        for first in range(0, len(stored.paths), CHUNK_DOCUMENTS):
            records = tuple([stored.record(path) for path in stored.paths[first : first + CHUNK_DOCUMENTS]])
            randomness = tuple([secrets.token_bytes(needed) for _ in records])
            yield RewrapChunk(records, old, seed, drawn.custody, drawn.seeds, randomness, is_anew)

    folder = stored.folder

    def attach(name: str, record: SealedFile) -> None:
        if not is_anew:
            copy_sealed(folder, out, name)
        else:
            seal_attached(out, name, record.attached, _opened_files(folder, name, record.former))

    with open_processes(len(names)) as processes:
        try:
            sealed = (each for chunk in run_ahead(processes, rewrap_chunk, chunks()) for each in chunk)
            write_records(out, names, sealed, drawn.custody, wallet_of(signatory.key), progress, attach)
        except InvalidFile as error:
            raise CommandError(f"nothing is done: {error}", Exit.USAGE) from None
    return Sealed(len(names), batch, out, drawn)


def open_records(stored: Stored, key: Opener, out: Path) -> list[Path]:
    """Write each record, opened whole by the recovery key, as a presentation into a folder; return their files.

    :raises CommandError: the recovery key is another's, or a record is not what it says; or a file exists.
    """
    seed = _recovery_seed(stored, key)
    written = []
    for path, name in zip(stored.paths, stored.names, strict=True):
        target = out / (name + OPENED_SUFFIX)
        if target.exists():
            raise CommandError(f"{target} exists; choose another folder", Exit.REFUSED)
        record = stored.record(path)
        try:
            manifest, _ = decode_manifest(record.manifest)
            validate_manifest(manifest, stored.custody)
            presentation = recovered(manifest, record.envelope, seed)
            files = recovered_files(presentation, manifest, seed)
            segments = [sealed for _, sealed in _sealed_files(stored.folder, name, len(files))]
            written += open_attached(out / (name + FILES_SUFFIX), files, segments)
        except InvalidFile as error:
            raise CommandError(f"{path}: {error}", Exit.USAGE) from None
        write_whole(target, encode_presentation(presentation))
        written.append(target)
    return written


def _opened_files(folder: Path, name: str, former: Sequence[AttachedFile]) -> list[Iterator[bytes]]:
    sealed = _sealed_files(folder, name, len(former))
    return [
        open_segments(each.key, segments, each.attachment.digest)
        for each, (_, segments) in zip(former, sealed, strict=True)
    ]


def _sealed_files(folder: Path, name: str, count: int) -> list[tuple[int, Iterator[bytes]]]:
    """Return the groups and segments of a record's files; InvalidFile when some of so many are not there."""
    paths = sealed_paths(folder, name)
    if len(paths) < count:
        raise InvalidFile(f"{name} attaches {count} files; {name}.{len(paths) + 1}{SUFFIX} is not beside it")
    return [sealed_file(path) for path in paths[:count]]


def _recovery_seed(stored: Stored, key: Opener) -> bytes:
    try:
        return recovery_seed_of(stored.custody, key)
    except InvalidFile:
        raise CommandError("another recovery key than these records were sealed with", Exit.REFUSED) from None
