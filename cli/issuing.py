"""Issuing certificates in bulk: commit, batch, anchor, wait until final, write the owners' files; and begin again.

The folder of a job holds ``issue.json`` with the batch's secret, the exact documents' hash, and, once signed, the very
transaction. It is on the disk before anything is sent, so that a run that was killed goes on where it was, anchors the
same root by the same transaction, and never anchors twice.
"""

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from cocket.attestation.batch import Batch, BatchBuilder
from cocket.attestation.finding import Finding
from cocket.attestation.prove import Anchor
from cocket.attestation.work import AnchoredChunk, Chunk, commit_chunk, encode_chunk
from cocket.cli.account import Signatory
from cocket.cli.client import Final, NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.cli.files import read_bounded, read_lines
from cocket.cli.progress import Progress
from cocket.cli.workers import CHUNK_DOCUMENTS, open_processes, run_ahead
from cocket.contracts import access, certificates, participants
from cocket.contracts.errors import ContractRefusal
from cocket.contracts.events import BatchAnchored, decode_log
from cocket.node.chain.transaction import decode_transaction
from cocket.node.errors import InvalidTransaction
from cocket.node.keystore import write_whole

DOCUMENT_BYTES_MAX = 1 << 20
JOB_BYTES_MAX = 1 << 20
JOB_FILE = "issue.json"
CERTIFICATE_SUFFIX = ".certificate.json"
REFUSALS_SHOWN = 20

Hex32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Job(msgspec.Struct, forbid_unknown_fields=True):
    """What a job's folder remembers; the secrets in it open every certificate of the batch, so it is mode 0600."""

    documents: int
    documents_hash: Hex32
    batch_secret: Hex32
    batch_seed: Hex32
    country: str
    valid_from: int
    valid_to: int
    issuer: int
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
            count = sum(1 for _ in read_lines(path, DOCUMENT_BYTES_MAX))
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
                yield read_bounded(member.path, DOCUMENT_BYTES_MAX)
            continue
        yield from read_lines(path, DOCUMENT_BYTES_MAX)


def issue(
    sources: list[Source],
    folder: Path,
    signatory: Signatory,
    *,
    country: str,
    valid_from: int,
    valid_to: int,
    are_dates_given: bool,
    skip_invalid: bool,
    progress: Progress,
    declines_right: bool = False,
) -> Issued:
    """Do a job from wherever it stands, and return what it came to.

    Dates that were not given are, in a later run, those of the run that began the job. Where ``declines_right``, the
    default right is declined for the batch before it is anchored.

    :raises CommandError: documents are refused, the key is no participant's, the folder holds another job, or another
        run works in it.
    :raises ContractRefusal: the issuer may not anchor.
    """
    wish = Job(
        documents=len(sources),
        documents_hash=_hash_documents(sources, progress),
        batch_secret=secrets.token_hex(32),
        batch_seed=secrets.token_hex(32),
        country=country,
        valid_from=valid_from,
        valid_to=valid_to,
        issuer=signatory.client.view(participants.ADDRESS, participants.participant_of(signatory.address)),
    )
    with _held(folder), open_processes(len(sources)) as processes:
        job = _open_job(wish, folder, are_dates_given)
        leaves, accepted, refused = _commit(processes, sources, job, progress)
        if refused and not skip_invalid:
            raise CommandError(_refusal_text(sources, refused), Exit.USAGE)
        if not accepted:
            raise CommandError("no document can be issued", Exit.USAGE)
        kind = leaves.kind
        batch = leaves.builder(bytes.fromhex(job.batch_seed), job.issuer).build()
        job.root = batch.root.hex()
        progress("anchoring", 0, 1)
        final, was_anchored = _anchor(job, folder, batch, kind, signatory, declines_right)
        progress("anchoring", 1, 1)
        anchors = _Anchors(batch, signatory, accepted)
        _write_certificates(processes, sources, job, folder, anchors, progress)
        if not job.is_complete:
            job.is_complete = True
            _save_job(folder, job)
    named = tuple((sources[position].name, findings) for position, findings in refused)
    return Issued(len(accepted), batch.root, batch.depth, final, was_anchored, named)


# -- the job's folder ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CommandError(f"{folder}: another run works in this folder; wait for its end", Exit.REFUSED) from None
        yield
    finally:
        os.close(descriptor)


def _hash_documents(sources: list[Source], progress: Progress) -> str:
    digest = hashlib.sha256()
    for number, data in enumerate(read_documents(sources), 1):
        digest.update(hashlib.sha256(data).digest())
        if number % 1000 == 0:
            progress("reading", number, len(sources))
    return digest.hexdigest()


def _open_job(wish: Job, folder: Path, are_dates_given: bool) -> Job:
    """Return the job that the folder holds, or begin the one that is wished for."""
    path = folder / JOB_FILE
    if not path.exists():
        if any(folder.iterdir()):
            raise CommandError(f"{folder} is not empty and holds no job; choose another folder", Exit.REFUSED)
        _require_issuer(wish)
        _save_job(folder, wish)
        return wish
    try:
        job = msgspec.json.decode(read_bounded(path, JOB_BYTES_MAX), type=Job)
        if job.transaction:
            decode_transaction(bytes.fromhex(job.transaction))
    except (msgspec.DecodeError, ValueError, InvalidTransaction) as error:
        raise CommandError(f"{path}: not a job's file ({error}); choose another folder", Exit.USAGE) from None
    differences = [
        name
        for name, differs in (
            ("documents", job.documents_hash != wish.documents_hash),
            ("issuer", wish.issuer not in (0, job.issuer)),  # 0: the key was removed since; the job has its number
            ("importing country", job.country != wish.country),
            ("dates", are_dates_given and (job.valid_from, job.valid_to) != (wish.valid_from, wish.valid_to)),
        )
        if differs
    ]
    if not job.transaction:
        _require_issuer(wish)
    if not differences:
        return job
    if job.transaction:
        raise CommandError(
            f"{folder} holds the job of a batch with other {' and '.join(differences)}; choose another folder",
            Exit.REFUSED,
        )
    _save_job(folder, wish)  # nothing of the earlier job was ever sent
    return wish


def _require_issuer(wish: Job) -> None:
    """Refuse a key of nobody: the batch root binds the issuer's number, so it is needed before anything is signed."""
    if wish.issuer == 0:
        raise CommandError("this key belongs to no participant; ask an authority for accreditation", Exit.REFUSED)


def _save_job(folder: Path, job: Job) -> None:
    write_whole(folder / JOB_FILE, msgspec.json.format(msgspec.json.encode(job), indent=1) + b"\n")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- processes -------------------------------------------------------------------------------------------------------


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

    def builder(self, seed: bytes, issuer: int) -> BatchBuilder:
        builder = BatchBuilder(self.kind, seed, issuer)
        builder.extend(bytes(self._parts))
        return builder


def _commit(
    processes: Executor, sources: list[Source], job: Job, progress: Progress
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


def _anchor(
    job: Job, folder: Path, batch: Batch, kind: int, signatory: Signatory, declines_right: bool
) -> tuple[Final, bool]:
    """Return the transaction that anchored the batch; the very one of an earlier run if there was one.

    The default right is declined before that transaction is signed: what comes after it in nonce could come after it
    on the ledger too, and be too late.
    """
    client = signatory.client
    is_to_decline = declines_right and not client.view(access.ADDRESS, access.declined(batch.root, job.issuer))
    if job.transaction:
        found = _find_anchored(client, bytes.fromhex(job.transaction))
        if found and is_to_decline:
            raise CommandError(
                f"{folder}: an earlier run signed this batch without --decline-right, and it is or may still be "
                "anchored so; leave the option out, or issue into another folder",
                Exit.REFUSED,
            )
        if isinstance(found, Final):
            _require_root(found, batch)
            return found, True
        if not found:
            job.transaction = job.transaction_hash = ""
    if not job.transaction:
        if is_to_decline:
            client.send(signatory.key, access.ADDRESS, access.decline_default_right(batch=batch.root))
        data = certificates.anchor(
            top=batch.top, depth=batch.depth, kind=kind, valid_from=job.valid_from, valid_to=job.valid_to
        )
        raw = client.prepare(signatory.key, certificates.ADDRESS, data)
        job.transaction = raw.hex()
        job.transaction_hash = client.hash_of(raw).hex()
        _save_job(folder, job)
    final = client.send_until_final(bytes.fromhex(job.transaction))
    _require_root(final, batch)
    job.block = final.block_number
    _save_job(folder, job)
    return final, False


def _require_root(final: Final, batch: Batch) -> None:
    """Refuse a batch that the ledger has under another root: the key had become another participant's meanwhile."""
    for entry in final.logs:
        event = decode_log(entry.address, entry.topics, entry.data)
        if isinstance(event, BatchAnchored) and event.root != batch.root:
            raise CommandError(
                f"the batch was anchored as participant {event.participant}'s; the job was begun as participant "
                f"{batch.issuer}'s, whose key this was; issue anew into another folder",
                Exit.REFUSED,
            )


def _find_anchored(client: NodeClient, raw: bytes) -> Final | bool:
    """Return the final block of an earlier run's transaction, or whether it may still become final.

    It may not once it failed in a block, or another transaction of the same nonce is final. The nonce is read first:
    were it the transaction's own, its receipt would be there.
    """
    transaction = decode_transaction(raw)
    is_nonce_taken = client.final_nonce(transaction.sender) > transaction.nonce
    try:
        return client.find_final(transaction.hash) or not is_nonce_taken
    except ContractRefusal:
        return False


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
            self._batch.issuer,
            self._batch.root,
            index,
            self._batch.path_of(index),
        )


def _write_certificates(
    processes: Executor,
    sources: list[Source],
    job: Job,
    folder: Path,
    anchors: _Anchors,
    progress: Progress,
) -> None:
    """Write all certificate files, or those that are missing when an earlier run had written all."""
    secret = bytes.fromhex(job.batch_secret)
    positions: deque[tuple[int, ...]] = deque()

    def is_wanted(position: int) -> bool:
        return position in anchors.order and not (job.is_complete and _holds(_path_of(folder, sources[position])))

    def chunks() -> Iterator[AnchoredChunk]:
        for first, documents in _chunked(read_documents(sources)):
            wanted = [
                (position, data, anchors.of(position))
                for position, data in enumerate(documents, first)
                if is_wanted(position)
            ]
            if not wanted:
                continue
            positions.append(tuple(position for position, _, _ in wanted))
            yield AnchoredChunk(tuple(wanted), secret, job.country)

    written = 0
    for files in run_ahead(processes, encode_chunk, chunks()):
        for position, data in zip(positions.popleft(), files, strict=True):
            path = _path_of(folder, sources[position])
            temporary = path.with_suffix(".new")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            temporary.replace(path)
            written += 1
        progress("writing", written, len(anchors.order))


def _path_of(folder: Path, source: Source) -> Path:
    return folder / (source.name + CERTIFICATE_SUFFIX)


def _holds(path: Path) -> bool:
    """Whether a file is there and not empty, as a power cut could have left it."""
    return path.is_file() and path.stat().st_size > 0


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
