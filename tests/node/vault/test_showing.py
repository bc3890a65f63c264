"""Periods of receipts, given to the auditor of an engagement with the vault's controller while it is in force."""

from dataclasses import replace
from http import HTTPStatus

import pytest
from office import COUNTRIES
from reads import CHAMBER, VAULT_KEEPER, Reads, random_of, wanted

from cocket.attestation.errors import InvalidFile
from cocket.attestation.prove import Anchor
from cocket.attestation.reading.exchange import ANSWER_BYTES_MAX
from cocket.attestation.reading.page import records_root
from cocket.attestation.reading.periods import (
    PeriodGiven,
    PeriodsCall,
    PeriodsRequest,
    decode_period_given,
    decode_periods_call,
    encode_period_given,
    encode_periods_call,
    signing_hash,
)
from cocket.attestation.reading.receipt import decode_receipt
from cocket.attestation.reading.receipts import root_of
from cocket.contracts import access
from cocket.contracts.access import (
    EVERY_INDEX,
    Claim,
    Purpose,
    Scope,
    ScopeKind,
    authority_party,
    encode_claim,
    grant_commitment,
    participant_party,
)
from cocket.node.vault.declined import NO_SUCH_RECORD, Declined
from cocket.node.vault.signing import wallet_of

BR = 1 + COUNTRIES.index("BR")
STRANGER = b"x" * 32
ALWAYS = (1 << 40) - 1


@pytest.fixture(scope="module")
def auditor(shared: Reads) -> tuple[int, bytes]:
    key = shared.office.make_key("auditor")
    return shared.office.accredit("NL", key, "An auditor", "auditor"), shared.key(key)


def engage(reads: Reads, number: int, label: str, kind: ScopeKind = ScopeKind.ENGAGEMENT) -> tuple[bytes, bytes]:
    """Let an engagement with the chamber stand; return the claim that shows it, and its hash on the ledger."""
    scope = Scope(
        kind=kind, controller=1, reader=participant_party(number), batch=bytes(32), index=0, kinds=frozenset({1}),
        anchored_from=0, anchored_to=ALWAYS, groups=frozenset({0}), purposes=frozenset({Purpose.AUDIT}), daily_cap=0,
        reference=bytes(32), salt=random_of(label, 16),
    )  # fmt: skip
    commitment = grant_commitment(reads.chain_id, scope)
    reads.commit(commitment)
    return encode_claim(Claim(scope)), commitment


def call_for(reads: Reads, key: bytes, anchor: Anchor, claim: bytes, sequence: int = 1, **changes: object) -> bytes:
    head = reads.ledger.head()
    request = PeriodsRequest(
        chain_id=reads.chain_id,
        genesis_hash=reads.genesis_hash,
        access=access.ADDRESS,
        batch=anchor.batch,
        vault=CHAMBER,
        purpose=Purpose.AUDIT,
        sequence=sequence,
        block_hash=head.hash,
        block_number=head.number,
        expires=reads.now_s() + 60,
        nonce=random_of(f"{head.number} {sequence}", 32),
    )
    request = replace(request, **changes)  # type: ignore[arg-type]
    return encode_periods_call(PeriodsCall(request, wallet_of(key)(signing_hash(request)), claim))


def given(reads: Reads, body: bytes) -> PeriodGiven:
    return decode_period_given(reads.keepers["vault"].showing(CHAMBER).period(body), ANSWER_BYTES_MAX)


def declined(reads: Reads, body: bytes, party: int = CHAMBER) -> Declined:
    with pytest.raises(Declined) as refused:
        reads.keepers["vault"].showing(party).period(body)
    return refused.value


def test_the_auditor_of_an_engagement_gets_whole_periods_with_their_bulk_lists(
    reads: Reads, auditor: tuple[int, bytes]
) -> None:
    first, second = sorted(reads.issue("SG"), key=lambda anchor: anchor.index)
    reads.reader(reads.admin("SG")).read(wanted(first, 2))
    bulk, _ = reads.grant(
        authority_party(BR), replace(first, index=EVERY_INDEX), {0, 2}, Purpose.RISK_ANALYSIS, "bulk", daily_cap=9
    )
    reads.reader(reads.admin("BR")).read(wanted(first, 2, purpose=Purpose.RISK_ANALYSIS, claim=bulk, count=2))
    register = reads.keepers["vault"].register
    closed = register.close_period(b"p" * 32, reads.now_s())
    claim, _ = engage(reads, auditor[0], "whole")
    found = given(reads, call_for(reads, auditor[1], second, claim))
    assert found.period is not None
    assert (found.period.keeper, found.period.sequence, found.closed) == (VAULT_KEEPER, 1, 1)
    assert root_of(found.period) == closed.root
    receipts = [decode_receipt(each) for each in found.period.receipts]
    assert [receipt.count for receipt in receipts] == [1, 2]
    assert [records_root(page) for page in found.pages] == [receipts[1].records]
    assert [page.indices for page in found.pages] == [(first.index, second.index)]
    assert given(reads, call_for(reads, auditor[1], second, claim, 2)) == PeriodGiven(None, (), 1)
    assert register.number == 2, "to show receipts is no read"


def test_it_ends_with_the_engagement(reads: Reads, auditor: tuple[int, bytes]) -> None:
    anchor = reads.issue("SG")[0]
    reads.keepers["vault"].register.close_period(b"p" * 32, reads.now_s())
    claim, commitment = engage(reads, auditor[0], "ends")
    assert given(reads, call_for(reads, auditor[1], anchor, claim)).period is not None
    reads.client.send(reads.chamber, access.ADDRESS, access.withdraw(commitment=commitment, reason=1))
    refused = declined(reads, call_for(reads, auditor[1], anchor, claim))
    assert (refused.status, "the grant was withdrawn" in str(refused)) == (HTTPStatus.FORBIDDEN, True)


def test_nobody_else_gets_receipts(reads: Reads, auditor: tuple[int, bytes]) -> None:
    anchor = reads.issue("SG")[0]
    reads.keepers["vault"].register.close_period(b"p" * 32, reads.now_s())
    number, key = auditor
    claim, _ = engage(reads, number, "only")
    assert "no such grant" in str(declined(reads, call_for(reads, key, anchor, b"")))
    plain, _ = engage(reads, number, "a grant is none", ScopeKind.GRANT)
    assert "no engagement" in str(declined(reads, call_for(reads, key, anchor, plain)))
    assert "no engagement" in str(declined(reads, call_for(reads, reads.chamber, anchor, b"")))
    assert "another reader" in str(declined(reads, call_for(reads, reads.admin("BR"), anchor, claim)))
    assert declined(reads, call_for(reads, STRANGER, anchor, claim)).refusal == NO_SUCH_RECORD
    nowhere = replace(anchor, batch=b"u" * 32)
    assert declined(reads, call_for(reads, key, nowhere, claim)).refusal == NO_SUCH_RECORD
    assert "not this one" in str(declined(reads, call_for(reads, key, anchor, claim, vault=CHAMBER + 1)))
    other_party = call_for(reads, key, anchor, claim, vault=CHAMBER + 1)
    assert declined(reads, other_party, CHAMBER + 1).refusal == NO_SUCH_RECORD, "another controller's vault"
    assert "other purposes" in str(declined(reads, call_for(reads, key, anchor, claim, purpose=Purpose.STATISTICS)))
    assert "is not Access" in str(declined(reads, call_for(reads, key, anchor, claim, access=b"a" * 20)))
    assert "expires" in str(declined(reads, call_for(reads, key, anchor, claim, expires=1)))
    assert "chain 7" in str(declined(reads, call_for(reads, key, anchor, claim, chain_id=7)))
    assert "cannot judge" in str(declined(reads, call_for(reads, key, anchor, b"\1")))
    reads.late_s = 31
    assert "stands still" in str(declined(reads, call_for(reads, key, anchor, claim)))


def test_calls_and_answers_have_one_form(reads: Reads, auditor: tuple[int, bytes]) -> None:
    anchor = reads.issue("SG")[0]
    body = call_for(reads, auditor[1], anchor, b"\1\2")
    call = decode_periods_call(body)
    assert encode_periods_call(call) == body
    for changed in (
        b"{}", body.replace(b"0x0102", b"0x012"), body.replace(b'"purpose":4', b'"purpose":32'),
        body.replace(b"cocket-periods-request-1", b"cocket-erase-request-1"), body[:-1],
    ):  # fmt: skip
        with pytest.raises(InvalidFile):
            decode_periods_call(changed)
    whole = encode_period_given(PeriodGiven(None, (), 3))
    assert decode_period_given(whole, ANSWER_BYTES_MAX) == PeriodGiven(None, (), 3)
    for changed in (b"{}", whole.replace(b"null", b'"x"'), whole.replace(b"[]", b"[1]"), whole.replace(b"3", b"-3")):
        with pytest.raises(InvalidFile):
            decode_period_given(changed, ANSWER_BYTES_MAX)
