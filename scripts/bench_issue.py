"""Measures issuance and verification of certificates, with OpenAttestation beside us; prints one JSON object.

    python scripts/bench_issue.py             a minute: everything but the million
    python scripts/bench_issue.py --large     adds issue_million_rss_mb (a million documents, some three minutes)

issue_certificates_per_s   documents a second from JSON bytes to a committed batch, W3C certificate of origin, all cores
issue_vs_openattestation   our documents a second over those of npm's wrapDocuments, same documents of 100 fields or
                           more, one core each, one after the other; null without npm
issue_million_rss_mb       resident memory of all processes while a million documents become one batch
verify_ms                  median of decoding a presentation (20 levels of path) and giving its verdict
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from itertools import chain, islice, repeat
from multiprocessing.pool import Pool
from pathlib import Path
from typing import BinaryIO

from cocket.attestation.batch import DEPTH_MAX, Batch, BatchBuilder
from cocket.attestation.check import require
from cocket.attestation.commit import document_secret
from cocket.attestation.examples import bulk_documents
from cocket.attestation.files import decode_file, encode_presentation
from cocket.attestation.prove import Anchor, certificate_of, integrity_of, present
from cocket.attestation.verdict import BatchFacts, BlockPoint, IssuerFacts, LedgerFacts, Mandate, verdict
from cocket.attestation.work import Chunk, ChunkResult, commit_chunk

ORACLE = Path(__file__).resolve().parents[1] / "tests/oracles/openattestation"
SECRET = bytes(range(32))
CHUNK = 250
LINES_FOR_100_FIELDS = 12
ROUNDS = 3  # the best counts, for both sides: what is left of other programs' noise is in all of them


def chunks_of(documents: Iterable[bytes]) -> Iterator[Chunk]:
    source, position = iter(documents), 0
    while some := tuple(islice(source, CHUNK)):
        yield Chunk(position, some, SECRET)
        position += len(some)


def in_order(pool: Pool, chunks: Iterable[Chunk], ahead: int) -> Iterator[ChunkResult]:
    """Yield results in order with at most ``ahead`` chunks under way, so that documents are read as they are needed."""
    source = iter(chunks)
    waiting = deque(pool.apply_async(commit_chunk, (chunk,)) for chunk in islice(source, ahead))
    while waiting:
        yield waiting.popleft().get()
        waiting.extend(pool.apply_async(commit_chunk, (chunk,)) for chunk in islice(source, 1))


def issue(pool: Pool, documents: Iterable[bytes], workers: int) -> Batch:
    builder = BatchBuilder(1, SECRET, 1)
    for result in in_order(pool, chunks_of(documents), 3 * workers):
        assert not result.refused, result.refused
        builder.extend(result.leaves)
    return builder.build()


def issue_rate(count: int, workers: int) -> dict[str, object]:
    documents = list(bulk_documents(count, line_count=1))
    with multiprocessing.Pool(workers) as pool:
        issue(pool, documents[: CHUNK * workers], workers)  # processes started, schemas compiled
        seconds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            batch = issue(pool, documents, workers)
            seconds.append(time.perf_counter() - start)
            assert batch.count == count
    return {"issue_certificates_per_s": round(count / min(seconds)), "issue_documents": count, "issue_workers": workers}


def issue_alone(documents: list[bytes]) -> float:
    """Return the seconds that one core takes from JSON to a batch with every document's path."""
    start = time.perf_counter()
    builder = BatchBuilder(1, SECRET, 1)
    for chunk in chunks_of(documents):
        builder.extend(commit_chunk(chunk).leaves)
    batch = builder.build()
    paths = [batch.path_of(batch.index_of(position)) for position in range(batch.count)]
    seconds = time.perf_counter() - start
    assert len(paths) == len(documents)
    return seconds


def against_openattestation(count: int) -> dict[str, object]:
    documents = list(bulk_documents(count, line_count=LINES_FOR_100_FIELDS))
    fields = sum(map(len, require(documents[0]).groups))
    assert fields >= 100, fields
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # inherited by node: one core each, one after the other
    try:
        issue_alone(documents[:200])
        runs = [(issue_alone(documents), run_openattestation(documents)) for _ in range(ROUNDS)]  # turn by turn
    finally:
        os.sched_setaffinity(0, cores)
    ours = min(seconds for seconds, _ in runs)
    theirs = [told for _, told in runs if told is not None]
    if not theirs:
        return {"issue_vs_openattestation": None}
    assert {told["documents"] for told in theirs} == {count}
    their_seconds = min(told["seconds"] for told in theirs)
    return {
        "issue_vs_openattestation": round(their_seconds / ours, 2),
        "issue_one_core_per_s": round(count / ours),
        "openattestation_per_s": round(count / their_seconds),
        "issue_fields": fields,
        "openattestation_fields": theirs[0]["fields"],
    }


def run_openattestation(documents: list[bytes]) -> dict[str, float] | None:
    try:
        if not (ORACLE / "node_modules/.package-lock.json").exists():
            subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=ORACLE, check=True)
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
            file.write(b"\n".join(documents))
            file.flush()
            told = subprocess.run(["node", "wrap.js", file.name], cwd=ORACLE, check=True, stdout=subprocess.PIPE)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"open-attestation could not be run: {error}", file=sys.stderr)
        return None
    return json.loads(told.stdout.splitlines()[-1])


def million(count: int, workers: int) -> dict[str, object]:
    """Stream ``count`` documents from a file of JSON lines; in a process of its own, so that nothing else counts."""
    distinct = min(count, 50_000)
    with tempfile.TemporaryFile() as file, multiprocessing.Pool(workers) as pool:
        file.writelines(document + b"\n" for document in bulk_documents(distinct, line_count=1))
        start = time.perf_counter()
        batch = issue(pool, islice(chain.from_iterable(map(lines_of, repeat(file))), count), workers)
        seconds = time.perf_counter() - start
        pool.close()
        pool.join()
    assert batch.count == count
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest_worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    megabytes = (own + workers * largest_worker) / 1024
    return {"issue_million_rss_mb": round(megabytes), "issue_million_s": round(seconds, 1), "issue_million": count}


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    yield from file


def verification(times: int) -> dict[str, object]:
    (data,) = bulk_documents(1, line_count=1)
    anchor = Anchor(1, b"g" * 32, b"c" * 20, 1, b"b" * 32, 0, (b"p" * 32,) * DEPTH_MAX)
    certificate = certificate_of(require(data), document_secret(SECRET, 0), "SG").anchored(anchor)
    file = encode_presentation(present_at(certificate, anchor))
    point = BlockPoint(1, 1_770_000_000)
    facts = LedgerFacts(
        chain_id=1,
        genesis_hash=anchor.genesis_hash,
        contract=anchor.contract,
        as_of=BlockPoint(2, 1_790_000_000),
        has_batch=True,
        batch=BatchFacts(DEPTH_MAX, 1, 1, point, 0, 1 << 33),
        changes=(),
        issuer=IssuerFacts(1, "KE", (Mandate("active", point, (1,), 0, 1 << 33),)),
        uses=(),
    )
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        result = verdict(decode_file(file), facts, date(2026, 8, 1))
        spent.append(time.perf_counter() - start)
        assert result.overall == "yes", result
    return {"verify_ms": round(1000 * statistics.median(spent), 3)}


def present_at(certificate, anchor):
    """Return a presentation of the goods and one date, anchored at the root that its fields and path do lead to."""
    reached = integrity_of(replace(present(replace(certificate, anchor=None)), anchor=anchor)).batch_root
    return present(certificate.anchored(replace(anchor, batch=reached)), ["goods", "/credentialSubject/dateOfExport"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="also a million documents in one batch")
    parser.add_argument("--documents", type=int, default=20_000, help="documents for the rate (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="accepted for the sake of scripts/bench; always JSON")
    parser.add_argument("--million", type=int, metavar="COUNT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    workers = len(os.sched_getaffinity(0))
    if arguments.million:
        print(json.dumps(million(arguments.million, workers)))
        return
    figures = issue_rate(arguments.documents, workers)
    figures |= against_openattestation(max(1000, arguments.documents // 10))
    figures |= verification(500)
    figures |= {"issue_million_rss_mb": None}
    if arguments.large:
        own = [sys.executable, __file__, "--million", "1000000"]
        figures |= json.loads(subprocess.run(own, check=True, stdout=subprocess.PIPE).stdout)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
