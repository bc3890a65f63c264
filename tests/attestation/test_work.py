"""Work in bulk: chunks commit as single documents do, whatever the cut; examples are real and the same each time."""

import hashlib
import pickle

import pytest

from cocket.attestation.batch import BatchBuilder
from cocket.attestation.check import check, require
from cocket.attestation.codes import EXAMPLES
from cocket.attestation.commit import document_secret
from cocket.attestation.errors import InvalidDocument
from cocket.attestation.examples import bulk_documents, example_documents
from cocket.attestation.files import decode_certificate
from cocket.attestation.prove import Anchor, integrity_of, whole
from cocket.attestation.work import AnchoredChunk, Chunk, commit_chunk, encode_chunk

SECRET = bytes(range(32))
DOCUMENTS = tuple(bulk_documents(20))


def leaves_of(chunk_size):
    results = [
        commit_chunk(Chunk(first, DOCUMENTS[first : first + chunk_size], SECRET))
        for first in range(0, len(DOCUMENTS), chunk_size)
    ]
    return b"".join(result.leaves for result in results)


@pytest.mark.parametrize("chunk_size", [1, 7, 20])
def test_how_documents_are_cut_into_chunks_does_not_count(chunk_size):
    assert leaves_of(chunk_size) == leaves_of(20)


def test_a_refused_document_keeps_its_position():
    result = commit_chunk(Chunk(100, (DOCUMENTS[0], b"{}", DOCUMENTS[1]), SECRET))
    assert (result.accepted, len(result.leaves), result.kind) == ((100, 102), 64, 1)
    ((position, findings),) = result.refused
    assert (position, findings[0].rule) == (101, "dialect")
    assert [position for position, _ in result.notes] == [100, 102]
    assert commit_chunk(Chunk(0, (), SECRET)).leaves == b""


def test_chunks_and_results_pickle():
    chunk = Chunk(0, DOCUMENTS[:3], SECRET)
    result = commit_chunk(pickle.loads(pickle.dumps(chunk)))
    assert pickle.loads(pickle.dumps(result)) == result == commit_chunk(chunk)


def test_the_files_of_a_batch_prove_it():
    result = commit_chunk(Chunk(0, DOCUMENTS, SECRET, "SG"))
    builder = BatchBuilder(result.kind, SECRET, 7)
    builder.extend(result.leaves)
    batch = builder.build()
    anchors = []
    for position in range(len(DOCUMENTS)):
        index = batch.index_of(position)
        anchors.append(Anchor(1, b"g" * 32, b"c" * 20, 7, batch.root, index, batch.path_of(index)))
    files = encode_chunk(AnchoredChunk(tuple(zip(range(20), DOCUMENTS, anchors, strict=True)), SECRET, "SG"))
    for position, data in enumerate(files):
        certificate = decode_certificate(data)
        assert certificate.secret == document_secret(SECRET, position)
        integrity = integrity_of(whole(certificate))
        assert integrity.problems == ()
        assert integrity.batch_root == batch.root
    with pytest.raises(InvalidDocument):
        encode_chunk(AnchoredChunk(((0, b"{}", anchors[0]),), SECRET))


def test_the_examples_are_the_published_ones():
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in example_documents()}
    assert list(digests) == list(EXAMPLES)
    assert digests == {
        "w3c-certification-of-origin": DIGESTS[0],
        "w3c-usmca-certification-of-origin": DIGESTS[1],
    }


def test_variations_are_acceptable_different_and_the_same_each_time():
    documents = list(bulk_documents(300))
    assert documents[:20] == list(DOCUMENTS)
    assert documents[100:110] == list(bulk_documents(10, first=100))
    assert len(set(documents)) == 300
    assert len({require(data).certificate.number for data in documents}) == 300
    assert {require(data).dialect.name for data in documents} == set(EXAMPLES)
    notes = {(finding.severity, finding.rule) for data in documents for finding in check(data).findings}
    assert notes == {("unchecked", "invoice"), ("warning", "country")}
    assert next(bulk_documents(1, seed=b"another")) != documents[0]


def test_a_variation_can_have_more_than_a_hundred_fields():
    (document,) = bulk_documents(1, line_count=12)
    assert sum(map(len, require(document).groups)) > 100


# Of the example blocks of the two YAML files named in attestation/examples/SOURCE.md.
DIGESTS = (
    "1cbc8a9990bb9c9626c04df5a18d88c098bedb456fb51abcaa64786260bf0357",
    "0ed354decac6efba5aab17583492beb1b69eeaf7b0a22ef6ffdbab7e396070ed",
)
