"""Attached files on this machine: named in a document by their hash, sealed beside it, and opened again.

A record's sealed files are ``NAME.1.attachment`` and so on, in the document's order: magic, the group that names them
in one byte, and the segments. All goes through in parts: no file is in memory whole.
"""

import mimetypes
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from cocket.attestation.attachments import (
    ATTACHMENTS_MAX,
    MEMBER,
    Attachment,
    entry_of,
    findings_of,
    is_media_type,
    is_name,
)
from cocket.attestation.canonical import DOCUMENT_BYTES_MAX, encode_json, parse_json
from cocket.attestation.errors import InvalidDocument, InvalidFile
from cocket.attestation.sealing.attachment import (
    FILE_BYTES_MAX,
    SEALED_SEGMENT_BYTES,
    SEGMENT_BYTES,
    open_segments,
    seal_segments,
)
from cocket.attestation.sealing.work import AttachedFile
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded
from cocket.node.keystore import write_parts

SUFFIX = ".attachment"
_MAGIC = b"cocket-attachment-1\n"
_UNKNOWN_TYPE = "application/octet-stream"


def attach(document: Path, files: Sequence[Path], media_type: str | None) -> bytes:
    """Return a document's text that names these files by their hash, after those that it names already.

    :raises CommandError: it is no document, or a file cannot be attached.
    """
    try:
        node = parse_json(read_bounded(document, DOCUMENT_BYTES_MAX))
    except InvalidDocument as error:
        raise CommandError(f"{document}: {error}", Exit.USAGE) from None
    if not isinstance(node, dict) or not isinstance(node.get(MEMBER, []), list):
        raise CommandError(f"{document}: no document that files can be attached to", Exit.USAGE)
    entries = [*node.get(MEMBER, []), *[entry_of(_attachment(path, media_type)) for path in files]]
    if problem := next(findings_of(entries), None):
        raise CommandError(problem.text(), Exit.USAGE)
    text = encode_json({**node, MEMBER: entries})
    if len(text) > DOCUMENT_BYTES_MAX:
        raise CommandError(f"a document of {len(text)} bytes; expected at most {DOCUMENT_BYTES_MAX}", Exit.USAGE)
    return text


def _attachment(path: Path, media_type: str | None) -> Attachment:
    guessed = media_type or mimetypes.guess_type(path.name)[0] or _UNKNOWN_TYPE
    if not is_name(path.name):
        raise CommandError(
            f"{path}: call it by at most 100 letters, digits, spaces, dots, - and _, the first a letter or digit",
            Exit.USAGE,
        )
    if not is_media_type(guessed):
        raise CommandError(f"{guessed!r} is no media type; expected one like application/pdf", Exit.USAGE)
    if path.stat().st_size > FILE_BYTES_MAX:
        raise CommandError(f"{path}: more than {FILE_BYTES_MAX} bytes; attach it in parts", Exit.USAGE)
    hashed = sha256()
    for part in parts_of(path):
        hashed.update(part)
    return Attachment(path.name, guessed, hashed.digest())


def parts_of(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes, a segment at a time.

    :raises CommandError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            while part := file.read(SEGMENT_BYTES):
                yield part
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", Exit.NOT_FOUND) from None


def sealed_paths(folder: Path, name: str) -> list[Path]:
    """Return the sealed files of a record that lie in a folder, in order: up to the first that is not there."""
    paths: list[Path] = []
    while len(paths) < ATTACHMENTS_MAX and (path := folder / f"{name}.{len(paths) + 1}{SUFFIX}").exists():
        paths.append(path)
    return paths


def seal_attached(out: Path, name: str, attached: Sequence[AttachedFile], sources: Sequence[Iterable[bytes]]) -> None:
    """Write a record's files sealed, each from its source; the hash of each is held to what the document has.

    :raises CommandError: a source is another file than the document names.
    """
    for number, (each, source) in enumerate(zip(attached, sources, strict=True), 1):
        path = out / f"{name}.{number}{SUFFIX}"
        head = _MAGIC + bytes((each.group,))
        checked = _checked(source, each.attachment, path)
        write_parts(path, (part for parts in ([head], seal_segments(each.key, checked)) for part in parts))


def copy_sealed(folder: Path, out: Path, name: str) -> None:
    """Copy a record's sealed files as they are into another folder."""
    for path in sealed_paths(folder, name):
        write_parts(out / path.name, parts_of(path))


def sealed_file(path: Path) -> tuple[int, Iterator[bytes]]:
    """Return the group that names a sealed file, and its segments.

    :raises InvalidFile: it is none.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC) + 1)
        size = path.stat().st_size - len(head)
    except OSError as error:
        raise InvalidFile(f"{path}: {error.strerror}") from None
    if head[:-1] != _MAGIC or size <= 0 or size % SEALED_SEGMENT_BYTES:
        raise InvalidFile(f"{path}: no sealed attachment, or cut off")
    return head[-1], _segments(path, len(head))


def _segments(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while segment := file.read(SEALED_SEGMENT_BYTES):
            yield segment


def open_attached(folder: Path, attached: Sequence[AttachedFile], segments: Sequence[Iterable[bytes]]) -> list[Path]:
    """Write files, opened from their segments, under the names that the document has for them; return them.

    :raises CommandError: one exists.
    :raises InvalidFile: one does not open to what the document names; nothing of that one stays.
    """
    written = []
    for each, sealed in zip(attached, segments, strict=True):
        path = folder / each.attachment.name
        if path.exists():
            raise CommandError(f"{path} exists; choose another folder", Exit.REFUSED)
        write_parts(path, open_segments(each.key, sealed, each.attachment.digest))
        written.append(path)
    return written


def _checked(parts: Iterable[bytes], attachment: Attachment, path: Path) -> Iterator[bytes]:
    hashed = sha256()
    for part in parts:
        hashed.update(part)
        yield part
    if hashed.digest() != attachment.digest:
        raise CommandError(
            f"{path.name}: {attachment.name} is another file than the document names: it has another hash", Exit.REFUSED
        )
