"""Bulk reads: one signed request for many records, one receipt with their root, a cap a day that no restart lifts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from reads import VAULT_KEEPER, VAULT_KEY, Reads, open_reads, request_by, wanted

from cocket.attestation.prove import Anchor
from cocket.attestation.reading.exchange import ShareCall, encode_share_call
from cocket.attestation.reading.page import Page, decode_page, records_root
from cocket.attestation.sealing.custody_file import decode_custody
from cocket.attestation.verdict import integrity_of
from cocket.contracts import access, certificates
from cocket.contracts.access import EVERY_INDEX, Purpose, Reason, authority_party
from cocket.node.errors import NodeFault, Unavailable
from cocket.node.vault.bulk import DAY_S, PAGES, load_bulk
from cocket.node.vault.connection import ReadRefused
from cocket.node.vault.declined import Declined
from cocket.node.vault.deposit import open_deposit
from cocket.node.vault.reader import Reading, Wanted

BR = authority_party(1)


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reads]:
    with open_reads(tmp_path_factory.mktemp("bulk")) as opened:
        yield opened


@pytest.fixture
def batch(reads: Reads) -> list[Anchor]:
    """Two records of one batch, in order, that a test may change; all keepers begin anew."""
    reads.late_s = 0
    reads.begin()
    return sorted(reads.issue("SG"), key=lambda anchor: anchor.index)


def all_of(reads: Reads, batch: list[Anchor], daily_cap: int, label: str = "", **changes: object) -> Wanted:
    """Let a grant for the whole batch stand; return what asks for it from its first index on."""
    whole = replace(batch[0], index=EVERY_INDEX)
    claim, _ = reads.grant(BR, whole, {0, 2}, Purpose.RISK_ANALYSIS, label, daily_cap=daily_cap)
    asked = wanted(replace(whole, index=0), 2, purpose=Purpose.RISK_ANALYSIS, claim=claim, count=64)
    return replace(asked, **changes)  # type: ignore[arg-type]


def read(reads: Reads, asked: Wanted) -> Reading:
    return reads.reader(reads.admin("BR")).read(asked)


def refusal(reads: Reads, asked: Wanted) -> ReadRefused:
    with pytest.raises(ReadRefused) as refused:
        read(reads, asked)
    return refused.value


def freeze(reads: Reads, anchor: Anchor) -> None:
    data = access.freeze(batch=anchor.batch, index=anchor.index, reason=1)
    reads.client.send(reads.admin("KE"), access.ADDRESS, data)


def test_a_grant_with_a_cap_opens_a_batch_by_one_request_and_one_receipt_a_keeper(
    reads: Reads, batch: list[Anchor]
) -> None:
    reading = read(reads, all_of(reads, batch, 10))
    assert reading.indices == tuple(anchor.index for anchor in batch)
    assert reading.following is None
    assert all(integrity_of(each).is_anchored_item for each in reading.presentations)
    assert {receipt.count for _, receipt in reading.receipts} == {2}
    assert len(reading.receipts) == 3
    for party, receipt in reading.receipts:
        keeper = next(each for each in reads.keepers.values() if each.register._keeper == receipt.keeper)
        name = Path("receipts") / PAGES / f"{receipt.records.hex()}.page"
        assert keeper.disk.read(name) is not None, party
        page = decode_page(keeper.disk.read(name) or b"")
        assert page == Page(batch[0].batch, receipt.salt, reading.indices)
        assert records_root(page) == receipt.records


def test_the_cursor_goes_through_a_batch(reads: Reads, batch: list[Anchor]) -> None:
    asked = all_of(reads, batch, 10)
    asked = replace(asked, count=2)
    whole = read(reads, asked)
    assert (whole.indices, whole.following) == (tuple(anchor.index for anchor in batch), None)
    last = read(reads, replace(asked, index=batch[1].index))
    assert (last.indices, last.following) == ((batch[1].index,), None)
    assert last.receipts[0][1].is_bulk
    after = batch[1].index + 1
    head = reads.ledger.head()
    places = 1 << reads.ledger.view(certificates.ADDRESS, certificates.batch(batch[0].batch), head.number).depth
    beyond = refusal(reads, replace(asked, index=after))
    assert ("no more records of this batch" if after < places else "has no such record") in str(beyond)


def test_a_day_s_cap_holds_at_vault_and_custodians_and_after_a_restart(reads: Reads, batch: list[Anchor]) -> None:
    asked = all_of(reads, batch, 3)
    assert len(read(reads, asked).indices) == 2
    third = read(reads, asked)
    assert (third.indices, third.following) == ((batch[0].index,), batch[1].index)
    assert "3 were given today: go on tomorrow" in str(refusal(reads, asked))
    scope = access.shown_claim(asked.claim, reads.chain_id, access.ADDRESS)
    for name, party in (("vault", VAULT_KEEPER), ("BR", 1)):
        bulk = load_bulk(Path("receipts"), reads.genesis_hash, party, reads.keepers[name].disk)
        assert bulk.left(scope.commitment, 3, reads.now_s()) == 0
        assert bulk.left(scope.commitment, 3, reads.now_s() + DAY_S) == 3
        with pytest.raises(Declined, match="go on tomorrow"):
            load_bulk(Path("receipts"), reads.genesis_hash, party, reads.keepers[name].disk).take(
                scope.commitment, 1, 3, reads.now_s()
            )


def test_custodians_count_for_themselves(reads: Reads, batch: list[Anchor]) -> None:
    """A vault that forgets what it gave, with the reader, gets no more of the custodians than the grant allows."""
    asked = all_of(reads, batch, 2)
    assert len(read(reads, asked).indices) == 2
    custodians = {name: keeper for name, keeper in reads.keepers.items() if name not in ("vault", "stand-in")}

    def forget() -> None:
        reads.begin()
        reads.keepers.update(custodians)

    forget()
    others = read(reads, asked)
    assert [party for party, _ in others.receipts[1:]] == [3, 4], "those that had given their share say no"
    forget()
    found = refusal(reads, asked)
    assert found.who.startswith("the custodian of")
    assert "2 were given today" in str(found)


def test_without_a_cap_nothing_is_given_in_bulk(reads: Reads, batch: list[Anchor]) -> None:
    assert "a bulk read needs a grant with a daily cap" in str(refusal(reads, all_of(reads, batch, 0)))
    by_right = wanted(replace(batch[0], index=0), 2, count=64)
    with pytest.raises(ReadRefused) as refused:
        reads.reader(reads.admin("SG")).read(by_right)
    assert refused.value.refusal.code == Reason.NO_GRANT
    by_control = wanted(replace(batch[0], index=0), 2, count=64, purpose=Purpose.OWN_RECORDS)
    with pytest.raises(ReadRefused, match="a bulk read needs a grant with a daily cap"):
        reads.reader(reads.chamber).read(by_control)


def test_what_the_contract_refuses_is_not_among_the_records(reads: Reads, batch: list[Anchor]) -> None:
    asked = all_of(reads, batch, 10)
    freeze(reads, batch[0])
    reading = read(reads, asked)
    assert reading.indices == (batch[1].index,)
    assert {receipt.decision for _, receipt in reading.receipts} == {Reason.BY_GRANT}, "given is not written as refused"
    freeze(reads, batch[1])
    found = refusal(reads, asked)
    assert found.refusal.code == Reason.FROZEN
    assert found.refusal.receipt is not None
    assert not found.refusal.receipt.is_bulk


def test_a_withdrawn_grant_opens_nothing_more(reads: Reads, batch: list[Anchor]) -> None:
    asked = all_of(reads, batch, 10)
    read(reads, asked)
    scope = access.shown_claim(asked.claim, reads.chain_id, access.ADDRESS)
    reads.client.send(reads.chamber, access.ADDRESS, access.withdraw(commitment=scope.commitment, reason=1))
    assert refusal(reads, asked).refusal.code == Reason.WITHDRAWN


def test_a_grant_for_one_record_opens_that_one_alone(reads: Reads, batch: list[Anchor]) -> None:
    claim, _ = reads.grant(BR, batch[1], {0, 2}, Purpose.RISK_ANALYSIS, "one", daily_cap=10)
    asked = wanted(replace(batch[0], index=0), 2, purpose=Purpose.RISK_ANALYSIS, claim=claim, count=64)
    assert read(reads, asked).indices == (batch[1].index,)


def share_call(reads: Reads, asked: Wanted, places: list[Anchor]) -> bytes:
    """Return a share call for records that no vault was asked about."""
    call = request_by(reads, reads.admin("BR"), asked)
    items = []
    for anchor in places:
        held = reads.holdings.find(anchor.batch, anchor.index)
        assert held is not None
        items.append((anchor.index, open_deposit(held.manifest, held.custody, held.envelope, VAULT_KEY).item))
    custody = decode_custody(held.custody)
    return encode_share_call(ShareCall(call.request, call.signature, call.claim, b"", tuple(items), custody))


def test_a_custodian_asks_about_each_record_itself(reads: Reads, batch: list[Anchor]) -> None:
    asked = all_of(reads, batch, 10)
    freeze(reads, batch[1])
    with pytest.raises(Declined) as refused:
        reads.keepers["BR"].answer(share_call(reads, asked, batch))
    assert refused.value.refusal.code == Reason.FROZEN
    assert reads.keepers["BR"].answer(share_call(reads, asked, batch[:1]))
    assert reads.receipts()["BR"] == 2


def test_a_custodian_takes_no_proof_of_another_record(reads: Reads, batch: list[Anchor]) -> None:
    asked = all_of(reads, batch, 10)
    moved = [replace(batch[0], index=batch[0].index), batch[1]]
    call = share_call(reads, asked, moved)
    first, second = (f"[{anchor.index},{{".encode() for anchor in batch)
    assert call.count(second) == 1
    shifted = call.replace(second, f"[{batch[1].index ^ 1},{{".encode())
    assert first in shifted
    with pytest.raises(Exception, match=r"leads to|each once"):
        reads.keepers["BR"].answer(shifted)
    assert reads.receipts()["BR"] == 0


def test_nothing_is_given_when_the_list_is_not_on_the_disk(reads: Reads, batch: list[Anchor]) -> None:
    asked = all_of(reads, batch, 2)
    disk = reads.keepers["vault"].disk
    disk.is_broken = True
    with pytest.raises((NodeFault, Unavailable)):
        read(reads, asked)
    assert reads.receipts()["vault"] == 0
    disk.is_broken = False
    assert len(read(reads, asked).indices) == 2, "what was not given does not count"
