"""Calls by anybody: whatever comes, a keeper answers with what it is, or refuses; it is never at fault, nor writes."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reads import CHAMBER, Reads, open_reads, request_by, wanted
from test_erasure import erase_call

from cocket.attestation.errors import AttestationError
from cocket.attestation.reading.exchange import (
    CALL_BYTES_MAX,
    ShareCall,
    decode_release,
    encode_release_call,
    encode_share_call,
)
from cocket.node.errors import Unavailable
from cocket.node.vault.declined import Declined

ENOUGH = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reads]:
    with open_reads(tmp_path_factory.mktemp("hostile-calls")) as opened:
        yield opened


@pytest.fixture(scope="module")
def bodies(reads: Reads) -> dict[str, bytes]:
    return good_calls(reads)


def good_calls(reads: Reads) -> dict[str, bytes]:
    """Return a good call of each kind; none was made yet."""
    anchor = reads.issue("SG")[0]
    key = reads.admin("SG")
    first = request_by(reads, key, wanted(anchor, 2))
    release = decode_release(reads.keepers["vault"].answer(encode_release_call(first)), first.request)
    call = request_by(reads, key, wanted(anchor, 2))
    share = ShareCall(call.request, call.signature, b"", release.evidence, release.items, release.custody)
    return {
        "release": encode_release_call(request_by(reads, key, wanted(anchor, 2))),
        "share": encode_share_call(share),
        "erase": erase_call(reads, reads.chamber, anchor, CHAMBER),
    }


def answer(reads: Reads, kind: str, body: bytes) -> bytes | None:
    """Return what a keeper answers, None when it refuses; anything else that it raises is a fault."""
    keeper = reads.keepers["KE" if kind == "share" else "vault"]
    try:
        return keeper.erase(body) if kind == "erase" else keeper.answer(body)
    except (Declined, AttestationError, Unavailable):
        return None


KINDS = st.sampled_from(["release", "share", "erase"])


@given(KINDS, st.binary(max_size=400))
@ENOUGH
def test_any_bytes_are_refused(reads: Reads, bodies: dict[str, bytes], kind: str, body: bytes) -> None:
    assert answer(reads, kind, body) is None


@given(KINDS, st.data())
@ENOUGH
def test_a_call_that_was_changed_anywhere_is_refused(
    reads: Reads, bodies: dict[str, bytes], kind: str, data: st.DataObject
) -> None:
    body = bytearray(bodies[kind])
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    before = reads.receipts()
    given = answer(reads, kind, bytes(body))
    assert given is None or at_custody(bodies[kind], at)
    if given is None:
        assert sum(reads.receipts().values()) - sum(before.values()) <= 1  # at most a refusal's


def at_custody(body: bytes, at: int) -> bool:
    """Return whether a place is in the custody that a share call shows; others' seats in it are not KE's to judge."""
    start = body.find(b'"custody"')
    return start >= 0 and start < at < body.find(b'"evidence"')


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@given(KINDS, st.data(), HOSTILE)
@ENOUGH
def test_a_member_of_another_shape_is_refused(
    reads: Reads, bodies: dict[str, bytes], kind: str, data: st.DataObject, value: object
) -> None:
    node = json.loads(bodies[kind])
    place = node
    if kind != "erase" and data.draw(st.booleans()):
        place = node["request"]
    name = data.draw(st.sampled_from(sorted(place)))
    if place[name] == value:
        return
    place[name] = value
    assert answer(reads, kind, json.dumps(node).encode()) is None


@pytest.mark.parametrize("kind", ["release", "share", "erase"])
def test_what_is_too_large_or_too_deep_is_refused(reads: Reads, bodies: dict[str, bytes], kind: str) -> None:
    for body in (b" " * (CALL_BYTES_MAX + 1) + bodies[kind], b"[" * 60_000, b'{"a":' * 20_000, b"\xff" * 1000):
        assert answer(reads, kind, body) is None


@pytest.mark.parametrize("kind", ["release", "share", "erase"])
def test_and_the_good_call_is_answered(reads: Reads, kind: str) -> None:
    assert answer(reads, kind, good_calls(reads)[kind])
