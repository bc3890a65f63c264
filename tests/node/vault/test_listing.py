"""Listings: who holds a record's capability is told who read it, for what; nobody else is told anything."""

from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest
from office import COUNTRIES
from reads import CHAMBER, LISTING_KEY, Reads, random_of, wanted

from cocket.attestation.errors import InvalidFile
from cocket.attestation.prove import Anchor
from cocket.attestation.reading.erasure import ERASED
from cocket.attestation.reading.exchange import ANSWER_BYTES_MAX
from cocket.attestation.reading.listing import (
    ROWS_MAX,
    Listing,
    ListingCall,
    decode_listing,
    encode_call,
    listing_secret,
)
from cocket.contracts import consortium
from cocket.contracts.access import EVERY_INDEX, Claim, Delegation, Purpose, Reason, delegation_commitment, encode_claim
from cocket.node.errors import Damaged, NodeFault
from cocket.node.vault.connection import ReadRefused
from cocket.node.vault.declined import NO_SUCH_RECORD, Declined
from cocket.node.vault.lister import load_listing_key

BR, KE, NL, SG = (1 + COUNTRIES.index(country) for country in ("BR", "KE", "NL", "SG"))
OFFICER = b"o" * 32


def call_for(reads: Reads, anchor: Anchor, **changes: object) -> bytes:
    secret = listing_secret(LISTING_KEY, reads.genesis_hash, anchor.batch, anchor.index)
    call = ListingCall(reads.chain_id, reads.genesis_hash, anchor.batch, anchor.index, secret)
    return encode_call(replace(call, **changes))  # type: ignore[arg-type]


def listed(reads: Reads, anchor: Anchor, rows_max: int = ROWS_MAX, **changes: object) -> Listing:
    answer = reads.keepers["vault"].lister(rows_max).answer(call_for(reads, anchor, **changes))
    return decode_listing(answer, ANSWER_BYTES_MAX)


def read(reads: Reads, key: bytes, anchor: Anchor, **more: object) -> None:
    reads.reader(key).read(wanted(anchor, 2, **more))


def told(reads: Reads, anchor: Anchor) -> list[tuple[int, str, int, int]]:
    return [(row.party, row.country, row.purpose, row.decision) for row in listed(reads, anchor).rows]


def declined(reads: Reads, anchor: Anchor, **changes: object) -> Declined:
    with pytest.raises(Declined) as refused:
        listed(reads, anchor, **changes)
    return refused.value


def test_the_subject_is_told_who_read_and_who_was_refused_and_never_the_officer(reads: Reads) -> None:
    anchor, other = reads.issue("SG")
    read(reads, reads.admin("SG"), anchor)
    with pytest.raises(ReadRefused):
        read(reads, reads.admin("BR"), anchor, purpose=Purpose.RISK_ANALYSIS)
    delegation = Delegation(
        SG, reads.address(OFFICER), frozenset({0, 2}), frozenset({Purpose.IMPORT_CLEARANCE}), random_of("listed", 16)
    )
    reads.commit(delegation_commitment(reads.chain_id, delegation), reads.admin("SG"))
    read(reads, OFFICER, anchor, claim=encode_claim(Claim(delegation=delegation)))
    read(reads, reads.chamber, anchor, purpose=Purpose.OWN_RECORDS)
    assert told(reads, anchor) == [
        (CHAMBER, "KE", Purpose.OWN_RECORDS, Reason.BY_CONTROL),
        (SG, "SG", Purpose.IMPORT_CLEARANCE, Reason.BY_RIGHT),
        (BR, "BR", Purpose.RISK_ANALYSIS, Reason.OTHER_COUNTRY),
        (SG, "SG", Purpose.IMPORT_CLEARANCE, Reason.BY_RIGHT),
    ]
    body = reads.keepers["vault"].lister(ROWS_MAX).answer(call_for(reads, anchor))
    assert reads.address(OFFICER).hex() not in body.decode()
    assert told(reads, other) == []


def test_nobody_else_is_told_anything_and_all_records_look_alike(reads: Reads) -> None:
    anchor, other = reads.issue("SG")
    read(reads, reads.admin("SG"), anchor)
    secret = listing_secret(LISTING_KEY, reads.genesis_hash, anchor.batch, anchor.index)
    nowhere = replace(anchor, batch=b"u" * 32)
    refusals = [
        declined(reads, anchor, secret=bytes(32)),
        declined(reads, other, secret=secret),
        declined(reads, nowhere, secret=secret),
        declined(reads, anchor, secret=listing_secret(b"o" * 32, reads.genesis_hash, anchor.batch, anchor.index)),
    ]
    assert {(each.status, each.refusal) for each in refusals} == {(HTTPStatus.FORBIDDEN, NO_SUCH_RECORD)}
    assert "another network" in str(declined(reads, anchor, chain_id=1))
    assert "another network" in str(declined(reads, anchor, genesis_hash=bytes(32)))
    with pytest.raises(InvalidFile):
        reads.keepers["vault"].lister(ROWS_MAX).answer(b"{}")
    assert reads.receipts()["vault"] == 1


def test_a_vote_delays_reads_for_a_purpose_and_drops_none(reads: Reads) -> None:
    anchor = reads.issue("SG")[0]
    claim, _ = reads.grant(NL, anchor, {0, 2}, Purpose.AUDIT, "delayed")
    read(reads, reads.admin("NL"), anchor, purpose=Purpose.AUDIT, claim=claim)
    before = told(reads, anchor)
    proposed = consortium.propose_listing_delay(purpose=Purpose.AUDIT, delay_s=3600)
    reads.client.send(reads.admin("KE"), consortium.ADDRESS, proposed)
    number = reads.client.view(consortium.ADDRESS, consortium.proposal_count())
    for country in ("NL", "SG"):
        reads.client.send(reads.admin(country), consortium.ADDRESS, consortium.vote(proposal=number, approve=True))
    read(reads, reads.admin("NL"), anchor, purpose=Purpose.AUDIT, claim=claim)
    read(reads, reads.admin("SG"), anchor)
    by_right = (SG, "SG", Purpose.IMPORT_CLEARANCE, Reason.BY_RIGHT)
    assert told(reads, anchor) == [by_right, *before], "what was read before the vote stays told"
    reads.office.chain.seal(reads.now_s() + 3590)
    assert told(reads, anchor) == [by_right, *before]
    reads.office.chain.seal(reads.now_s() + 20)
    assert told(reads, anchor) == [by_right, *before, *before]
    assert reads.receipts()["vault"] == 3, "receipts are written and anchored as always"


def test_what_was_read_in_bulk_is_told_of_each_of_its_records(reads: Reads) -> None:
    first, second = sorted(reads.issue("SG"), key=lambda anchor: anchor.index)
    whole = replace(first, index=EVERY_INDEX)
    claim, _ = reads.grant(BR, whole, {0, 2}, Purpose.RISK_ANALYSIS, "bulk", daily_cap=9)
    asked = wanted(first, 2, purpose=Purpose.RISK_ANALYSIS, claim=claim, count=2)
    reads.reader(reads.admin("BR")).read(asked)
    reads.reader(reads.admin("BR")).read(replace(asked, index=second.index))
    assert [row.records for row in listed(reads, first).rows] == [2]
    assert [row.records for row in listed(reads, second).rows] == [1, 2]


def test_pages_end_between_seconds_and_come_to_all(reads: Reads) -> None:
    anchor = reads.issue("SG")[0]
    for seconds in (1, 2, 1, 3, 1):
        reads.office.chain.seal(reads.now_s() + seconds)
        read(reads, reads.admin("SG"), anchor)
        read(reads, reads.admin("SG"), anchor)
    whole = listed(reads, anchor)
    assert (len(whole.rows), whole.is_complete) == (10, True)
    pages = [listed(reads, anchor, 3)]
    while not pages[-1].is_complete:
        pages.append(listed(reads, anchor, 3, before_s=pages[-1].rows[-1].time_s))
    assert [row for page in pages for row in page.rows] == list(whole.rows)
    assert [len(page.rows) for page in pages] == [2, 2, 2, 2, 2]


def test_an_erased_record_s_subject_is_told_of_that_too(reads: Reads) -> None:
    from test_erasure import erase_call, erased

    anchor = reads.issue("SG")[0]
    read(reads, reads.admin("SG"), anchor)
    erased(reads, "vault", erase_call(reads, reads.chamber, anchor))
    assert [row.decision for row in listed(reads, anchor).rows] == [ERASED, Reason.BY_RIGHT]


def test_closed_periods_are_looked_through_too(reads: Reads) -> None:
    anchor = reads.issue("SG")[0]
    read(reads, reads.admin("SG"), anchor)
    reads.keepers["vault"].register.close_period(b"p" * 32, reads.now_s())
    read(reads, reads.admin("SG"), anchor)
    assert len(listed(reads, anchor).rows) == 2


def test_nothing_is_told_while_the_ledger_stands_still(reads: Reads) -> None:
    anchor = reads.issue("SG")[0]
    reads.late_s = 31
    refused = declined(reads, anchor)
    assert refused.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "stands still" in str(refused)


def test_receipts_that_are_damaged_are_told_to_the_operator(reads: Reads) -> None:
    anchor = reads.issue("SG")[0]
    read(reads, reads.admin("SG"), anchor)
    keeper = reads.keepers["vault"]
    path = Path("receipts") / "000000000001.receipts"
    whole = keeper.disk.read(path)
    assert whole is not None
    file = keeper.disk.open(path)
    file.truncate(0)
    file.append(b"x" + whole[1:])
    with pytest.raises(Damaged, match="bad header"):
        listed(reads, anchor)


def test_the_vault_s_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "listing.key"
    key = load_listing_key(path)
    assert load_listing_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("0x12")
    with pytest.raises(NodeFault, match="no listing key"):
        load_listing_key(path)
