"""Issuing certificates in bulk: commit, batch, anchor, wait until final, write the owners' files; and begin again.

The folder of a job holds ``issue.json`` with the batch's secret, the exact documents' hash, and, once signed, the very
transaction. It is on the disk before anything is sent, so that a run that was killed goes on where it was, anchors the
same root by the same transaction, and never anchors twice.
"""

import hashlib
import itertools
import json
import multiprocessing
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from cocket.attestation.batch import Batch, BatchBuilder
from cocket.attestation.finding import Finding
from cocket.attestation.prove import Anchor
from cocket.attestation.work import AnchoredChunk, Chunk, commit_chunk, encode_chunk
from cocket.cli.account import Signatory
from cocket.cli.client import Final
from cocket.cli.errors import CommandError, Exit
from cocket.contracts import certificates
from cocket.node.keystore import write_whole

CHUNK_DOCUMENTS = 200
CHUNKS_AHEAD = 4  # chunks a process may lag behind its feed: bounds the memory
DOCUMENT_BYTES_MAX = 1 << 20
JOB_FILE = "issue.json"
CERTIFICATE_SUFFIX = ".certificate.json"
REFUSALS_SHOWN = 20

A = TypeVar("A")
B = TypeVar("B")
Progress = Callable[[str, int, int], None]


class Job(msgspec.Struct, forbid_unknown_fields=True):
    """What a job's folder remembers; the secrets in it open every certificate of the batch, so it is mode 0600."""

    documents: int
    documents_hash: str
    batch_secret: str
    batch_seed: str
    country: str
    valid_from: int
    valid_to: int
    root: str = ""
    transaction: str = ""
    transaction_hash: str = ""
    block: int = 0
    is_complete: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """One document to issue: a name for its certificate file and where its bytes are."""

    name: str
    path: Path
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """What a job came to."""

    certificates: int
    root: bytes
    depth: int
    final: Final
    was_anchored_before: bool
    refused: tuple[tuple[str, tuple[Finding, ...]], ...]


def list_sources(paths: Iterable[Path]) -> list[Source]:
    """Return the documents of files (one JSON object each) and JSON-lines files (``.jsonl``), in order.

    :raises CommandError: two documents would have the same name.
    """
    sources: list[Source] = []
    for path in paths:
        if path.suffix == ".jsonl":
            with path.open("rb") as lines:
                count = sum(1 for line in lines if line.strip())
            digits = max(6, len(str(count)))
            sources += [Source(f"{path.stem}-{number:0{digits}d}", path, number) for number in range(1, count + 1)]
        else:
            sources.append(Source(path.stem, path))
    names: set[str] = set()
    for source in sources:
        if source.name in names:
            raise CommandError(f"two documents are called {source.name}; rename one of the files", Exit.USAGE)
        names.add(source.name)
    return sources


def read_documents(sources: Iterable[Source]) -> Iterator[bytes]:
    """Yield the bytes of each document, in order; a JSON-lines file is read once."""
    for path, group in itertools.groupby(sources, key=lambda source: source.path):
        if next(iter(members := list(group))).line is None:
            for member in members:
                yield _read_bounded(member.path)
            continue
        with path.open("rb") as lines:
            yield from (line.strip() for line in lines if line.strip())


def issue(
    sources: list[Source],
    folder: Path,
    signatory: Signatory,
    *,
    country: str,
    valid_from: int,
    valid_to: int,
    skip_invalid: bool,
    progress: Progress,
) -> Issued:
    """Do a job from wherever it stands, and return what it came to.

    :raises CommandError: documents are refused, or the folder holds another job.
    :raises ContractRefusal: the issuer may not anchor.
    """
    job = _open_job(sources, folder, country, valid_from, valid_to, progress)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("forkserver")) as processes:
        leaves, accepted, refused = _commit(processes, sources, job, progress)
        if refused and not skip_invalid:
            raise CommandError(_refusal_text(sources, refused), Exit.USAGE)
        if not accepted:
            raise CommandError("no document can be issued", Exit.USAGE)
        kind = leaves.kind
        batch = leaves.builder(bytes.fromhex(job.batch_seed)).build()
        job.root = batch.root.hex()
        progress("anchoring", 0, 1)
        final, was_anchored = _anchor(job, folder, batch, kind, signatory)
        progress("anchoring", 1, 1)
        anchors = _Anchors(batch, signatory, accepted)
        if not job.is_complete:
            _write_certificates(processes, sources, job, folder, anchors, progress)
            job.is_complete = True
            _save_job(folder, job)
    named = tuple((sources[position].name, findings) for position, findings in refused)
    return Issued(len(accepted), batch.root, batch.depth, final, was_anchored, named)


# -- the job's folder ------------------------------------------------------------------------------------------------


def _open_job(
    sources: list[Source], folder: Path, country: str, valid_from: int, valid_to: int, progress: Progress
) -> Job:
    digest = hashlib.sha256()
    for number, data in enumerate(read_documents(sources), 1):
        digest.update(hashlib.sha256(data).digest())
        if number % 1000 == 0:
            progress("reading", number, len(sources))
    path = folder / JOB_FILE
    if path.exists():
        try:
            job = msgspec.json.decode(path.read_bytes(), type=Job)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CommandError(f"{path}: not a job's file ({error}); choose another folder") from None
        if job.documents_hash != digest.hexdigest() or job.country != country:
            raise CommandError(
                f"{folder} holds a job with other documents or another country; choose another folder", Exit.REFUSED
            )
        return job
    if folder.exists() and any(folder.iterdir()):
        raise CommandError(f"{folder} is not empty and holds no job; choose another folder", Exit.REFUSED)
    job = Job(
        documents=len(sources),
        documents_hash=digest.hexdigest(),
        batch_secret=secrets.token_hex(32),
        batch_seed=secrets.token_hex(32),
        country=country,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    _save_job(folder, job)
    return job


def _save_job(folder: Path, job: Job) -> None:
    write_whole(folder / JOB_FILE, msgspec.json.format(msgspec.json.encode(job), indent=1) + b"\n")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- commit ----------------------------------------------------------------------------------------------------------


class _Leaves:
    """The leaves of the accepted documents, in order: 32 bytes each, whatever their number."""

    def __init__(self) -> None:
        self.kind = 0
        self._parts = bytearray()

    def extend(self, kind: int, leaves: bytes) -> None:
        if leaves and self.kind not in (0, kind):
            raise CommandError("a batch has one kind of document; issue the other kind as its own batch", Exit.USAGE)
        self.kind = kind or self.kind
        self._parts += leaves

    def builder(self, seed: bytes) -> BatchBuilder:
        builder = BatchBuilder(self.kind, seed)
        builder.extend(bytes(self._parts))
        return builder


def _commit(
    processes: ProcessPoolExecutor, sources: list[Source], job: Job, progress: Progress
) -> tuple[_Leaves, list[int], list[tuple[int, tuple[Finding, ...]]]]:
    leaves = _Leaves()
    accepted: list[int] = []
    refused: list[tuple[int, tuple[Finding, ...]]] = []
    secret = bytes.fromhex(job.batch_secret)
    chunks = (Chunk(first, documents, secret, job.country) for first, documents in _chunked(read_documents(sources)))
    for result in run_ahead(processes, commit_chunk, chunks):
        leaves.extend(result.kind, result.leaves)
        accepted += result.accepted
        refused += result.refused
        progress("committing", len(accepted) + len(refused), len(sources))
    return leaves, accepted, refused


def run_ahead(processes: ProcessPoolExecutor, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Yield work's results in order, with a bounded number of items under way."""
    ahead = CHUNKS_AHEAD * (os.cpu_count() or 1)
    waiting: deque[Future[B]] = deque()
    for item in items:
        waiting.append(processes.submit(work, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _chunked(documents: Iterable[bytes]) -> Iterator[tuple[int, tuple[bytes, ...]]]:
    remaining = iter(documents)
    first = 0
    while chunk := tuple(itertools.islice(remaining, CHUNK_DOCUMENTS)):
        yield first, chunk
        first += len(chunk)


def _refusal_text(sources: list[Source], refused: list[tuple[int, tuple[Finding, ...]]]) -> str:
    lines = [
        f"{len(refused)} of {len(sources)} documents cannot be issued, so none was (--skip-invalid issues the others):"
    ]
    for position, findings in refused[:REFUSALS_SHOWN]:
        lines += [f"  {sources[position].name}: {finding.text()}" for finding in findings[:3]]
    if len(refused) > REFUSALS_SHOWN:
        lines.append(f"  and {len(refused) - REFUSALS_SHOWN} more; `cocket certificate check` shows all")
    return "\n".join(lines)


# -- anchor ----------------------------------------------------------------------------------------------------------


def _anchor(job: Job, folder: Path, batch: Batch, kind: int, signatory: Signatory) -> tuple[Final, bool]:
    """Return the transaction that anchored the batch; the very one of an earlier run if there was one."""
    client = signatory.client
    if job.transaction_hash:
        found = client.find_final(bytes.fromhex(job.transaction_hash))
        if found is not None:
            return found, True
    if not job.transaction:
        data = certificates.anchor(
            root=batch.root, depth=batch.depth, kind=kind, valid_from=job.valid_from, valid_to=job.valid_to
        )
        raw = client.prepare(signatory.key, certificates.ADDRESS, data)
        job.transaction = raw.hex()
        job.transaction_hash = client.hash_of(raw).hex()
        _save_job(folder, job)
    final = client.send_until_final(bytes.fromhex(job.transaction))
    job.block = final.block_number
    _save_job(folder, job)
    return final, False


# -- the owners' files -----------------------------------------------------------------------------------------------


class _Anchors:
    """Where each accepted document stands: the n-th accepted one is the batch's n-th leaf."""

    def __init__(self, batch: Batch, signatory: Signatory, accepted: list[int]) -> None:
        self._batch = batch
        self._chain_id = signatory.client.chain_id()
        self._genesis_hash = signatory.client.genesis_hash()
        self.order = {position: order for order, position in enumerate(accepted)}

    def of(self, position: int) -> Anchor:
        index = self._batch.index_of(self.order[position])
        return Anchor(
            self._chain_id,
            self._genesis_hash,
            certificates.ADDRESS,
            self._batch.root,
            index,
            self._batch.path_of(index),
        )


def _write_certificates(
    processes: ProcessPoolExecutor,
    sources: list[Source],
    job: Job,
    folder: Path,
    anchors: _Anchors,
    progress: Progress,
) -> None:
    secret = bytes.fromhex(job.batch_secret)
    positions: deque[tuple[int, ...]] = deque()

    def chunks() -> Iterator[AnchoredChunk]:
        for first, documents in _chunked(read_documents(sources)):
            wanted = [
                (position, data, anchors.of(position))
                for position, data in enumerate(documents, first)
                if position in anchors.order
            ]
            positions.append(tuple(position for position, _, _ in wanted))
            yield AnchoredChunk(tuple(wanted), secret, job.country)

    written = 0
    for files in run_ahead(processes, encode_chunk, chunks()):
        for position, data in zip(positions.popleft(), files, strict=True):
            path = folder / (sources[position].name + CERTIFICATE_SUFFIX)
            temporary = path.with_suffix(".new")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            temporary.replace(path)
            written += 1
        progress("writing", written, len(anchors.order))


def _read_bounded(path: Path) -> bytes:
    if path.stat().st_size > DOCUMENT_BYTES_MAX:
        raise CommandError(f"{path}: larger than {DOCUMENT_BYTES_MAX} bytes, so not read", Exit.USAGE)
    return path.read_bytes()


def as_json(issued: Issued) -> dict[str, object]:
    """Return what a job came to, for scripts."""
    return {
        "certificates": issued.certificates,
        "batch": "0x" + issued.root.hex(),
        "depth": issued.depth,
        "block": issued.final.block_number,
        "transaction": "0x" + issued.final.hash.hex(),
        "was_anchored_before": issued.was_anchored_before,
        "refused": [
            {"document": name, "findings": [json.loads(msgspec.json.encode(finding)) for finding in findings]}
            for name, findings in issued.refused
        ],
    }
