"""Sealing: certificates to signed manifests and envelopes on the disk, and 10,000 records re-wrapped; all cores."""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from benchmark.progress import say
from benchmark.run import Run

from cocket.attestation.batch import BatchBuilder
from cocket.attestation.examples import bulk_documents
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.prove import Anchor
from cocket.attestation.sealing.custody import Custody, Holder, Seeds, draw, seed_bytes
from cocket.attestation.sealing.custody_file import encode_custody
from cocket.attestation.sealing.hpke import PrivateKey, Suite
from cocket.attestation.sealing.record import random_bytes, rewrap_bytes
from cocket.attestation.sealing.work import (
    RewrapChunk,
    SealChunk,
    StoredRecord,
    recovery_seed_of,
    rewrap_chunk,
    seal_chunk,
)
from cocket.attestation.work import AnchoredChunk, Chunk, commit_chunk, encode_chunk
from cocket.cli.sealing import CUSTODY_NAME, ENVELOPE_SUFFIX, MANIFEST_SUFFIX, write_records
from cocket.cli.workers import CHUNK_DOCUMENTS, open_processes, run_ahead
from cocket.node.vault.signing import wallet_of

GENESIS = bytes(range(32))
SECRET = bytes(range(32, 64))
ACCESS = b"\0" * 20
SIGNER = b"\1" * 32
RECOVERY = PrivateKey(Suite.HYBRID, b"\2" * 32)
VAULT = PrivateKey(Suite.HYBRID, b"\3" * 32)
SEALED, QUICK_SEALED = 10_000, 1_000


def measure(run: Run) -> dict[str, object]:
    """Return documents a second, for one custodian and for 3 of 4, and the seconds that 10,000 re-wraps take."""
    count = QUICK_SEALED if run.is_quick else SEALED
    say(f"sealing {count} certificates for one custodian and for 3 of 4, and re-wrapping them")
    batch, files = _issued(count)
    alone, _ = _seal(run.folder / "alone", batch, files, 1, 1)
    among, custody = _seal(run.folder / "among", batch, files, 3, 4)
    rewrap_s = _rewrap(run.folder / "among", run.folder / "rewrapped", custody)
    return {
        "seal_documents_per_s": round(count / alone),
        "seal_documents_3_of_4_per_s": round(count / among),
        "rewrap_10000_s": round(rewrap_s * 10_000 / count, 2),
    }


def _issued(count: int) -> tuple[bytes, list[bytes]]:
    """Return a batch's root and the files of its certificates."""
    documents = tuple(bulk_documents(count, line_count=1))
    result = commit_chunk(Chunk(0, documents, SECRET, "SG"))
    builder = BatchBuilder(1, SECRET, 1)
    builder.extend(result.leaves)
    batch = builder.build()
    places = [batch.index_of(at) for at in range(count)]
    anchored = [
        (at, documents[at], Anchor(1, GENESIS, ACCESS, 1, batch.root, index, batch.path_of(index)))
        for at, index in enumerate(places)
    ]
    return batch.root, list(encode_chunk(AnchoredChunk(tuple(anchored), SECRET, "SG")))


def _draw(batch: bytes, threshold: int, custodians: int) -> tuple[Custody, Seeds]:
    holders = [
        Holder(number, 1, PrivateKey(Suite.HYBRID, bytes([number]) * 32).public) for number in range(1, custodians + 1)
    ]
    randomness = secrets.token_bytes(seed_bytes(custodians))
    return draw(GENESIS, ACCESS, batch, threshold, holders, RECOVERY.public, VAULT.public, randomness)


def _seal(out: Path, batch: bytes, files: list[bytes], threshold: int, custodians: int) -> tuple[float, Custody]:
    """Return how long sealing took, from certificates' bytes to files on the disk."""
    custody, seeds = _draw(batch, threshold, custodians)
    needed = random_bytes(CERTIFICATE_OF_ORIGIN, threshold)

    def chunks() -> Iterator[SealChunk]:
        for first in range(0, len(files), CHUNK_DOCUMENTS):
            some = tuple(files[first : first + CHUNK_DOCUMENTS])
            yield SealChunk(some, custody, seeds, tuple([secrets.token_bytes(needed) for _ in some]))

    names = [str(at) for at in range(len(files))]
    start = time.perf_counter()
    with open_processes(len(files)) as processes:
        sealed = (each for chunk in run_ahead(processes, seal_chunk, chunks()) for each in chunk)
        write_records(out, names, sealed, custody, wallet_of(SIGNER), _nothing, _nothing)
    return time.perf_counter() - start, custody


def _nothing(*_: object) -> None:
    """Show no progress, and attach no files."""


def _rewrap(source: Path, out: Path, old: Custody) -> float:
    """Return how long it took to bring all records of a folder under another custody, into another folder."""
    custody, seeds = _draw(old.batch, 2, 3)
    needed = rewrap_bytes(CERTIFICATE_OF_ORIGIN, 2)
    paths = sorted(source.glob("*" + MANIFEST_SUFFIX))
    assert (source / CUSTODY_NAME).read_bytes() == encode_custody(old)
    start = time.perf_counter()
    seed = recovery_seed_of(old, RECOVERY)

    def stored(path: Path) -> StoredRecord:
        envelope = path.with_name(path.name.removesuffix(MANIFEST_SUFFIX) + ENVELOPE_SUFFIX)
        return StoredRecord(path.read_bytes(), envelope.read_bytes())

    def chunks() -> Iterator[RewrapChunk]:
        for first in range(0, len(paths), CHUNK_DOCUMENTS):
            records = tuple([stored(path) for path in paths[first : first + CHUNK_DOCUMENTS]])
            randomness = tuple([secrets.token_bytes(needed) for _ in records])
            yield RewrapChunk(records, old, seed, custody, seeds, randomness, is_anew=False)

    names = [path.name.removesuffix(MANIFEST_SUFFIX) for path in paths]
    with open_processes(len(paths)) as processes:
        remade = (each for chunk in run_ahead(processes, rewrap_chunk, chunks()) for each in chunk)
        write_records(out, names, remade, custody, wallet_of(SIGNER), _nothing, _nothing)
    return time.perf_counter() - start
