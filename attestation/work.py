"""Work in bulk: chunks of documents to leaves, and chunks of anchored documents to files, one call a process.

Every argument and result pickles, so a caller may run these in as many processes as it has cores; this package starts
none. Positions count from 0 over the whole batch, refused documents included, so that a killed run goes on the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.batch import ANY_COUNTRY, batch_leaf, country_hash
from cocket.attestation.check import check, require
from cocket.attestation.commit import commit, document_secret, secrets_of
from cocket.attestation.files import encode_certificate
from cocket.attestation.finding import Finding
from cocket.attestation.prove import Anchor, certificate_of


@dataclass(frozen=True, slots=True)
class Chunk:
    """Documents of a batch from a position on, the importing country they are for, the batch's secret."""

    first_position: int
    documents: tuple[bytes, ...]
    batch_secret: bytes
    country: str = ANY_COUNTRY
    invoice_number: str | None = None


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """Leaves (32 bytes each, concatenated) of the accepted documents, their positions, and why others were refused.

    ``notes`` holds the findings on accepted documents, by position.
    """

    first_position: int
    kind: int
    leaves: bytes
    accepted: tuple[int, ...]
    refused: tuple[tuple[int, tuple[Finding, ...]], ...]
    notes: tuple[tuple[int, tuple[Finding, ...]], ...]


def commit_chunk(chunk: Chunk) -> ChunkResult:
    """Return the leaves of a chunk: each document checked, committed to, and bound to its country."""
    leaves: list[bytes] = []
    accepted: list[int] = []
    refused: list[tuple[int, tuple[Finding, ...]]] = []
    notes: list[tuple[int, tuple[Finding, ...]]] = []
    kind = 0
    for position, data in enumerate(chunk.documents, chunk.first_position):
        report = check(data, chunk.invoice_number)
        checked = report.checked
        if checked is None:
            refused.append((position, report.findings))
            continue
        if report.findings:
            notes.append((position, report.findings))
        kind = checked.dialect.kind.number
        secrets = secrets_of(document_secret(chunk.batch_secret, position), checked.dialect.kind)
        root = commit(checked.dialect.kind, checked.groups, secrets)
        leaves.append(batch_leaf(root, country_hash(secrets.country_salt, chunk.country)))
        accepted.append(position)
    return ChunkResult(chunk.first_position, kind, b"".join(leaves), tuple(accepted), tuple(refused), tuple(notes))


@dataclass(frozen=True, slots=True)
class AnchoredChunk:
    """Accepted documents of a chunk with their positions and where each is anchored."""

    documents: tuple[tuple[int, bytes, Anchor], ...]
    batch_secret: bytes
    country: str = ANY_COUNTRY


def encode_chunk(chunk: AnchoredChunk) -> tuple[bytes, ...]:
    """Return the owners' certificate files of a chunk, in its order."""
    return tuple(_file(chunk, position, data, anchor) for position, data, anchor in chunk.documents)


def _file(chunk: AnchoredChunk, position: int, data: bytes, anchor: Anchor) -> bytes:
    checked = require(data)
    secret = document_secret(chunk.batch_secret, position)
    return encode_certificate(certificate_of(checked, secret, chunk.country).anchored(anchor))
