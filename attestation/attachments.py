"""Attachments: the scans, PDFs and other files that a document names by their hash, in its ``/relatedResource``.

The member is that of the W3C's Verifiable Credentials Data Model 2.0 (section 5.3), in one strict form: each entry has
the file's name, its media type, and its SHA-256 twice, as the name of RFC 6920 and as the digest of Subresource
Integrity. So what the document's root commits to, the file is held to. The file itself is sealed beside the document
(:mod:`.sealing.attachment`).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cocket.attestation.dialect import Dialect
from cocket.attestation.disclose import Field, document_of
from cocket.attestation.errors import InvalidFile
from cocket.attestation.finding import Finding, shown

MEMBER = "relatedResource"
ATTACHMENTS_MAX = 16
DIGEST_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}", re.ASCII)
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}", re.ASCII)
_ENTRY = ("digestSRI", "id", "mediaType", "name")
_NAME_EXPECTED = "a file's name of 1 to 100 letters, digits, spaces, dots, - and _, beginning with one of the first two"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as a document names it: its name, media type (RFC 6838) and SHA-256 (32 bytes)."""

    name: str
    media_type: str
    digest: bytes


def entry_of(attachment: Attachment) -> dict[str, str]:
    """Return the entry in ``/relatedResource`` of a file.

    >>> entry_of(Attachment("scan.pdf", "application/pdf", bytes(32)))["digestSRI"]
    'sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
    """
    return {
        "id": "ni:///sha-256;" + urlsafe_b64encode(attachment.digest).decode().rstrip("="),
        "mediaType": attachment.media_type,
        "digestSRI": "sha256-" + b64encode(attachment.digest).decode(),
        "name": attachment.name,
    }


def findings_of(node: object) -> Iterator[Finding]:
    """Yield what is wrong with a ``/relatedResource``."""
    pointer = f"/{MEMBER}"
    if not isinstance(node, list) or not 1 <= len(node) <= ATTACHMENTS_MAX:
        yield _finding(pointer, shown(node), f"an array of 1 to {ATTACHMENTS_MAX} attached files")
        return
    names = set()
    for at, entry in enumerate(node):
        place = f"{pointer}/{at}"
        if not isinstance(entry, dict) or sorted(entry) != sorted(_ENTRY):
            yield _finding(place, shown(entry), f"an object of {', '.join(_ENTRY)}")
            continue
        name, media_type = entry["name"], entry["mediaType"]
        if not is_name(name):
            yield _finding(f"{place}/name", shown(name), _NAME_EXPECTED)
        elif name.lower() in names:
            yield _finding(f"{place}/name", shown(name), "another name than those before")
        else:
            names.add(name.lower())
        if not is_media_type(media_type):
            yield _finding(f"{place}/mediaType", shown(media_type), "a media type such as application/pdf")
        digest = _digest_of(entry["digestSRI"])
        if digest is None:
            yield _finding(f"{place}/digestSRI", shown(entry["digestSRI"]), "sha256- and the base64 of 32 bytes")
        elif entry["id"] != (expected := entry_of(Attachment("", "", digest))["id"]):
            yield _finding(f"{place}/id", shown(entry["id"]), f"{expected}, of the same hash")


def attachments_in(fields: Iterable[Field]) -> tuple[Attachment, ...]:
    """Return the files that the fields of a document or of one of its groups name, in order.

    :raises InvalidFile: the fields hold an attachment that is none: not all of it, say.
    """
    named = [(pointer, value) for pointer, value in fields if pointer.startswith(f"/{MEMBER}")]
    if not named:
        return ()
    whole = document_of(named)
    entries = whole[MEMBER] if isinstance(whole, dict) else None
    if problem := next(findings_of(entries), None):
        raise InvalidFile(problem.text())
    assert isinstance(entries, list)
    named_files = [(each["name"], each["mediaType"], _digest_of(each["digestSRI"]) or b"") for each in entries]
    return tuple([Attachment(*each) for each in named_files])


def group_of(dialect: Dialect) -> int:
    """Return the field group of a dialect in which attachments are named: who reads it, reads them."""
    return dialect.tree.group_of(f"/{MEMBER}/0/name")


def is_name(name: object) -> bool:
    """Return whether a file may be called so."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None and not name.endswith((" ", "."))


def is_media_type(text: object) -> bool:
    """Return whether a text is a media type."""
    return isinstance(text, str) and _MEDIA_TYPE.fullmatch(text) is not None


def _digest_of(text: object) -> bytes | None:
    """Return the hash in a digest of Subresource Integrity, None when it is not exactly one SHA-256."""
    if not isinstance(text, str) or len(text) > 64 or not text.isascii():
        return None
    try:
        digest = b64decode(text.removeprefix("sha256-"), validate=True)
    except ValueError:
        return None
    return digest if len(digest) == DIGEST_BYTES and text == "sha256-" + b64encode(digest).decode() else None


def _finding(pointer: str, found: str, expected: str) -> Finding:
    return Finding("error", "attachment", pointer, found, expected)
