"""Erasures: who may have a record forgotten, what keeps it, and that no copy of a shelf brings it back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from reads import CHAMBER, STAND_IN, Reads, open_reads, random_of, request_by, wanted

from cocket.attestation.canonical import encode_json
from cocket.attestation.errors import InvalidFile
from cocket.attestation.kinds import CERTIFICATE_OF_ORIGIN
from cocket.attestation.prove import Anchor
from cocket.attestation.reading.erasure import ERASED, EraseRequest, request_json, request_of, signing_hash
from cocket.attestation.reading.exchange import (
    Erased,
    ReleaseCall,
    decode_erased,
    encode_erase_call,
    encode_release_call,
)
from cocket.attestation.reading.receipt import decode_receipt, encode_receipt, is_signed
from cocket.contracts import access
from cocket.contracts.access import authority_party
from cocket.node.store.disk import FakeDisk
from cocket.node.vault.connection import ReadRefused
from cocket.node.vault.declined import NO_SUCH_RECORD, Declined
from cocket.node.vault.holdings import Holdings
from cocket.node.vault.shelf import MemoryShelf
from cocket.node.vault.signing import wallet_of
from cocket.node.vault.tombstones import load_tombstones

BR, KE, NL, SG = (authority_party(number) for number in range(1, 5))


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reads]:
    with open_reads(tmp_path_factory.mktemp("erasures")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def anew(reads: Reads) -> None:
    reads.late_s, reads.retention_days = 0, 0
    reads.begin()


def erase_call(reads: Reads, key: bytes, anchor: Anchor, keeper: int = CHAMBER, **changes: object) -> bytes:
    head = reads.ledger.head()
    request = EraseRequest(
        chain_id=reads.chain_id,
        genesis_hash=reads.genesis_hash,
        batch=anchor.batch,
        index=anchor.index,
        keeper=keeper,
        reason=2,
        block_hash=head.hash,
        block_number=head.number,
        expires=reads.now_s() + 100,
        nonce=random_of(f"{anchor} {keeper} {reads.receipts()} {changes}", 32),
    )
    request = replace(request, **changes)  # type: ignore[arg-type]
    return encode_erase_call(request, wallet_of(key)(signing_hash(request)))


def erased(reads: Reads, name: str, body: bytes) -> Erased:
    return decode_erased(reads.keepers[name].erase(body))


def declined(reads: Reads, name: str, body: bytes, status: int) -> str:
    with pytest.raises(Declined) as refused:
        reads.keepers[name].erase(body)
    assert refused.value.status == status, refused.value
    return str(refused.value)


def test_a_controller_s_record_is_forgotten_by_vault_and_custodians(reads: Reads) -> None:
    anchor, other = reads.issue("SG")
    answer = erased(reads, "vault", erase_call(reads, reads.chamber, anchor))
    assert answer.custodians == (BR, KE, NL, SG)
    assert (answer.receipt.decision, answer.receipt.number) == (ERASED, 0)
    assert is_signed(answer.receipt)
    assert reads.holdings.find(anchor.batch, anchor.index) is None
    with pytest.raises(ReadRefused, match="was erased"):
        reads.reader(reads.chamber).read(wanted(anchor, 2))
    with pytest.raises(ReadRefused, match="no such grant"):  # nothing is left to show whose right it was
        reads.reader(reads.admin("SG")).read(wanted(anchor, 2))
    assert reads.reader(reads.admin("SG")).read(wanted(other, 2))  # its neighbour under the same custody stays
    call = request_by(reads, reads.admin("SG"), wanted(other, 2))
    erased(reads, "BR", erase_call(reads, reads.chamber, other, BR))
    reading = reads.reader(reads.admin("SG")).read(wanted(other, 2))
    assert [party for party, _ in reading.receipts] == [CHAMBER, KE, NL]  # BR answers for it no more
    assert call.request.batch == other.batch


def test_its_authority_may_too_and_nobody_else(reads: Reads) -> None:
    anchor = reads.issue("SG")[0]
    for key in (reads.admin("SG"), reads.admin("NL"), b"s" * 32):
        with pytest.raises(Declined) as refused:
            reads.keepers["vault"].erase(erase_call(reads, key, anchor))
        assert refused.value.refusal == NO_SUCH_RECORD
    nowhere = replace(anchor, batch=b"u" * 32)
    with pytest.raises(Declined) as refused:
        reads.keepers["vault"].erase(erase_call(reads, reads.chamber, nowhere))
    assert refused.value.refusal == NO_SUCH_RECORD
    assert reads.receipts()["vault"] == 0
    erased(reads, "vault", erase_call(reads, reads.admin("KE"), anchor))
    assert "erased before" in declined(reads, "vault", erase_call(reads, reads.chamber, anchor), 410)


def test_a_legal_hold_keeps_a_record(reads: Reads) -> None:
    anchor = reads.issue("SG")[0]
    kenya = reads.admin("KE")
    reads.client.send(kenya, access.ADDRESS, access.freeze(batch=anchor.batch, index=anchor.index, reason=7))
    for key in (reads.chamber, kenya):
        assert "legal hold" in declined(reads, "vault", erase_call(reads, key, anchor), 409)
    reads.client.send(kenya, access.ADDRESS, access.release(batch=anchor.batch, index=anchor.index))
    erased(reads, "vault", erase_call(reads, reads.chamber, anchor))


def test_a_retention_keeps_a_record_from_its_controller(reads: Reads) -> None:
    reads.retention_days = 30
    reads.begin()
    anchor = reads.issue("SG")[0]
    assert "30 days more" in declined(reads, "vault", erase_call(reads, reads.chamber, anchor), 409)
    reads.office.chain.seal(reads.now_s() + 30 * 86_400)
    erased(reads, "vault", erase_call(reads, reads.chamber, anchor))
    other = reads.issue("SG")[0]
    erased(reads, "vault", erase_call(reads, reads.admin("KE"), other))


def test_a_kind_s_own_retention_goes_before_the_vault_s(reads: Reads) -> None:
    reads.retention_days, reads.kinds_retention_days = 0, {CERTIFICATE_OF_ORIGIN.number: 7}
    reads.begin()
    anchor = reads.issue("SG")[0]
    assert "7 days more" in declined(reads, "vault", erase_call(reads, reads.chamber, anchor), 409)
    reads.retention_days, reads.kinds_retention_days = 7, {CERTIFICATE_OF_ORIGIN.number: 0}
    reads.begin()
    erased(reads, "vault", erase_call(reads, reads.chamber, anchor))
    reads.retention_days, reads.kinds_retention_days = 7, {CERTIFICATE_OF_ORIGIN.number + 1: 0}
    reads.begin()
    assert "7 days more" in declined(reads, "vault", erase_call(reads, reads.chamber, reads.issue("SG")[0]), 409)


def test_a_request_is_for_one_keeper_once_and_in_time(reads: Reads) -> None:
    anchor = reads.issue("SG")[0]
    assert "is for party" in declined(reads, "vault", erase_call(reads, reads.chamber, anchor, STAND_IN), 400)
    assert "is for party" in declined(reads, "BR", erase_call(reads, reads.chamber, anchor, KE), 400)
    for changes, status in (
        ({"chain_id": 1}, 400), ({"expires": 1}, 400), ({"block_hash": b"h" * 32}, 400), ({"index": 9999}, 404),
    ):  # fmt: skip
        declined(reads, "vault", erase_call(reads, reads.chamber, anchor, **changes), status)
    body = erase_call(reads, reads.chamber, anchor, BR)
    erased(reads, "BR", body)
    assert "nonce was used" in declined(reads, "BR", body, 409)


def test_a_read_request_erases_nothing_and_an_erase_request_reads_nothing(reads: Reads) -> None:
    anchor = reads.issue("SG")[0]
    call = request_by(reads, reads.chamber, wanted(anchor, 2))
    with pytest.raises(InvalidFile):
        reads.keepers["vault"].erase(encode_release_call(call))
    head = reads.ledger.head()
    posing = EraseRequest(
        call.request.chain_id, call.request.genesis_hash, anchor.batch, anchor.index, CHAMBER, 2, head.hash,
        head.number, call.request.expires, call.request.nonce,
    )  # fmt: skip
    with pytest.raises(Declined) as refused:  # the read's signature makes it somebody else's
        reads.keepers["vault"].erase(encode_erase_call(posing, call.signature))
    assert refused.value.refusal == NO_SUCH_RECORD
    stolen = wallet_of(reads.chamber)(signing_hash(posing))
    with pytest.raises(Declined) as refused:
        reads.keepers["vault"].answer(encode_release_call(ReleaseCall(call.request, stolen, b"")))
    assert refused.value.refusal == NO_SUCH_RECORD


def test_a_shelf_that_was_restored_loses_it_again(reads: Reads) -> None:
    anchor = reads.issue("SG")[0]
    held = reads.holdings.find(anchor.batch, anchor.index)
    assert held is not None
    erased(reads, "vault", erase_call(reads, reads.chamber, anchor))
    keeper = reads.keepers["vault"]
    disk: FakeDisk = keeper.disk
    found = load_tombstones(Path("receipts"), reads.genesis_hash, (1 << 32) + 2, disk)
    assert found.places() == [(anchor.batch, anchor.index)]
    restored = Holdings(MemoryShelf(), 1 << 30)
    restored.store(anchor.batch, anchor.index, 1, manifest=held.manifest, custody=held.custody, envelope=held.envelope)
    assert [restored.erase(*place) for place in found.places()] == [True]
    assert restored.find(anchor.batch, anchor.index) is None
    keeper.register.close_period(random_of("seed", 32), reads.now_s())
    assert load_tombstones(Path("receipts"), reads.genesis_hash, (1 << 32) + 2, disk).places() == found.places()


def test_a_request_reads_back_and_nothing_else_does(reads: Reads) -> None:
    anchor = reads.issue("SG")[0]
    body = erase_call(reads, reads.chamber, anchor)
    import json

    node = json.loads(body)
    request, signature = request_of(node)
    assert encode_json(request_json(request, signature)) == body
    for name, value in (("keeper", 0), ("reason", 1 << 16), ("index", -1), ("format", "other"), ("nonce", "0x")):
        with pytest.raises(InvalidFile):
            request_of({**node, name: value})
    answer = erased(reads, "vault", body)
    assert decode_receipt(encode_receipt(answer.receipt)) == answer.receipt
