"""Reads on a real ledger: who may gets what was attested; who may not is told why, or nothing; each leaves receipts."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from command import done
from reads import VAULT_KEEPER, Reads, open_reads, random_of, request_by, wanted

from cocket.attestation.prove import Anchor, OpenGroup, integrity_of
from cocket.attestation.reading.exchange import (
    ReleaseCall,
    Share,
    ShareCall,
    decode_release,
    decode_release_call,
    decode_share,
    decode_share_call,
    encode_release_call,
    encode_share,
    encode_share_call,
)
from cocket.contracts import access, participants
from cocket.contracts.access import (
    Claim,
    Delegation,
    Purpose,
    Reason,
    Residency,
    authority_party,
    delegation_commitment,
    encode_claim,
    participant_party,
    residency_commitment,
)
from cocket.node.errors import NodeFault, Refused, Unavailable
from cocket.node.vault.connection import ReadRefused
from cocket.node.vault.decision import REFUSALS_AN_HOUR
from cocket.node.vault.declined import NO_SUCH_RECORD, Declined
from cocket.node.vault.reader import Wanted

BR, KE, NL, SG = (authority_party(number) for number in range(1, 5))
STRANGER = b"s" * 32
UNKNOWN = Anchor(0, b"", b"", 1, b"u" * 32, 3, ())


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reads]:
    with open_reads(tmp_path_factory.mktemp("reads")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def anew(reads: Reads) -> None:
    reads.late_s = 0
    reads.residencies.clear()
    reads.begin()


@pytest.fixture(scope="module")
def anchor(reads: Reads) -> Anchor:
    """A record for import into SG, which no test changes."""
    return reads.issue("SG")[0]


def refusal(reads: Reads, key: bytes, asked: Wanted) -> ReadRefused:
    with pytest.raises(ReadRefused) as refused:
        reads.reader(key).read(asked)
    return refused.value


def told(reads: Reads, key: bytes, asked: Wanted) -> Reason:
    """Return the reason that a reader is told, once the receipt of it is what it should be."""
    found = refusal(reads, key, asked).refusal
    assert found.receipt is not None
    assert (found.receipt.keeper, found.receipt.decision) == (VAULT_KEEPER, found.code)
    return Reason(found.code)


def answer_to(reads: Reads, call: ReleaseCall) -> bytes:
    return reads.keepers["vault"].answer(encode_release_call(call))


def declined(reads: Reads, call: ReleaseCall, status: int) -> str:
    with pytest.raises(Declined) as refused:
        answer_to(reads, call)
    assert refused.value.status == status, refused.value
    assert refused.value.refusal.receipt is None
    return str(refused.value)


# -- who may -----------------------------------------------------------------------------------------------------------


def test_the_importing_authority_reads_by_right_what_was_attested(reads: Reads, anchor: Anchor) -> None:
    reading = reads.reader(reads.admin("SG")).read(wanted(anchor, 2, 3))
    opened = [isinstance(group, OpenGroup) for group in reading.presentation.groups]
    assert opened == [True, False, True, True, False, False]
    integrity = integrity_of(reading.presentation)
    assert integrity.problems == ()
    assert integrity.is_anchored_item
    assert [party for party, _ in reading.receipts] == [participant_party(1), BR, KE]
    assert {receipt.decision for _, receipt in reading.receipts} == {Reason.BY_RIGHT}
    assert reads.receipts() == {"vault": 1, "stand-in": 0, "BR": 1, "KE": 1, "NL": 0, "SG": 0}


def test_another_authority_is_refused_granted_withdrawn_and_refused_again(reads: Reads, anchor: Anchor) -> None:
    brazil = reads.admin("BR")
    assert told(reads, brazil, wanted(anchor, 2)) is Reason.OTHER_COUNTRY
    claim, commitment = reads.grant(BR, anchor, {0, 2}, Purpose.RISK_ANALYSIS, "withdrawn")
    asked = wanted(anchor, 2, purpose=Purpose.RISK_ANALYSIS, claim=claim)
    assert reads.reader(brazil).read(asked).receipts[0][1].decision == Reason.BY_GRANT
    reads.client.send(reads.chamber, access.ADDRESS, access.withdraw(commitment=commitment, reason=1))
    assert told(reads, brazil, asked) is Reason.WITHDRAWN
    assert reads.receipts() == {"vault": 3, "stand-in": 0, "BR": 1, "KE": 1, "NL": 0, "SG": 0}


def test_a_grant_opens_its_groups_for_its_purpose_to_its_reader_and_nothing_else(reads: Reads, anchor: Anchor) -> None:
    claim, _ = reads.grant(NL, anchor, {0, 2}, Purpose.AUDIT, "narrow")
    asked = wanted(anchor, 2, purpose=Purpose.AUDIT, claim=claim)
    assert reads.reader(reads.admin("NL")).read(asked).receipts[0][1].decision == Reason.BY_GRANT
    assert told(reads, reads.admin("NL"), wanted(anchor, 5, purpose=Purpose.AUDIT, claim=claim)) is Reason.OTHER_GROUPS
    other = wanted(anchor, 2, purpose=Purpose.STATISTICS, claim=claim)
    assert told(reads, reads.admin("NL"), other) is Reason.OTHER_PURPOSE
    assert told(reads, reads.admin("BR"), asked) is Reason.OTHER_READER
    assert told(reads, reads.admin("NL"), replace(asked, index=asked.index ^ 1)) is Reason.OTHER_RECORD


@pytest.mark.parametrize(
    ("label", "from_s", "to_s", "reason"),
    [("ahead", 5000, 9000, Reason.NOT_YET), ("over", -5, 20, Reason.EXPIRED), ("now", -5, 9000, None)],
)
def test_a_grant_counts_in_its_time(
    reads: Reads, anchor: Anchor, label: str, from_s: int, to_s: int, reason: Reason | None
) -> None:
    now_s = reads.now_s()
    claim, _ = reads.grant(BR, anchor, {0, 2}, Purpose.AUDIT, label, now_s + from_s, now_s + to_s)
    reads.office.chain.seal(now_s + 20)
    asked = wanted(anchor, 2, purpose=Purpose.AUDIT, claim=claim)
    if reason is None:
        assert reads.reader(reads.admin("BR")).read(asked)
    else:
        assert told(reads, reads.admin("BR"), asked) is reason


def test_the_controller_reads_its_own_records(reads: Reads, anchor: Anchor) -> None:
    reading = reads.reader(reads.chamber).read(wanted(anchor, *range(6), purpose=Purpose.OWN_RECORDS))
    assert all(isinstance(group, OpenGroup) for group in reading.presentation.groups)
    beyond = request_by(reads, reads.chamber, wanted(anchor, 0), groups=0b1000001)
    assert "group 6" in declined(reads, beyond, 400)


def test_an_officer_reads_in_its_authority_s_place_while_delegated(reads: Reads, anchor: Anchor) -> None:
    officer = b"o" * 32
    address = reads.address(officer)
    delegation = Delegation(SG, address, frozenset({0, 2}), frozenset({Purpose.IMPORT_CLEARANCE}), random_of("d", 16))
    asked = wanted(anchor, 2, claim=encode_claim(Claim(delegation=delegation)))
    assert refusal(reads, officer, asked).refusal == NO_SUCH_RECORD
    commitment = delegation_commitment(reads.chain_id, delegation)
    reads.commit(commitment, reads.admin("SG"))
    receipts = [receipt for _, receipt in reads.reader(officer).read(asked).receipts]
    assert {(receipt.decision, receipt.party) for receipt in receipts} == {(Reason.BY_RIGHT, SG)}
    assert refusal(reads, STRANGER, asked).refusal == NO_SUCH_RECORD
    reads.client.send(reads.admin("SG"), access.ADDRESS, access.withdraw(commitment=commitment, reason=1))
    refused = refusal(reads, officer, asked).refusal
    assert refused.receipt is not None
    assert (refused.code, refused.receipt.party) == (Reason.WITHDRAWN, SG)


def test_nobody_has_its_reading_written_to_another_by_a_delegation_that_it_does_not_have(
    reads: Reads, anchor: Anchor
) -> None:
    delegation = Delegation(
        SG,
        reads.address(reads.chamber),
        frozenset({0, 2}),
        frozenset({Purpose.IMPORT_CLEARANCE}),
        random_of("none", 16),
    )
    asked = wanted(anchor, 2, claim=encode_claim(Claim(delegation=delegation)))
    refused = refusal(reads, reads.chamber, asked).refusal
    assert refused.receipt is not None
    assert (refused.code, refused.receipt.party) == (Reason.NO_DELEGATION, participant_party(1))
    own = reads.reader(reads.chamber).read(wanted(anchor, 2, purpose=Purpose.OWN_RECORDS))
    assert {receipt.party for _, receipt in own.receipts} == {participant_party(1)}


def test_a_rotated_key_is_refused_and_the_new_one_reads(reads: Reads) -> None:
    old, new = reads.office.make_key("rotating"), reads.office.make_key("rotated")
    number = reads.office.accredit("NL", old, "A chamber that loses its key")
    record = reads.issue("SG")[0]
    claim, _ = reads.grant(participant_party(number), record, {0, 2}, Purpose.TRADE_FINANCE)
    asked = wanted(record, 2, purpose=Purpose.TRADE_FINANCE, claim=claim)
    assert reads.reader(reads.key(old)).read(asked)
    for change in (participants.add_key, participants.remove_key):
        key = reads.address(reads.key(new if change is participants.add_key else old))
        reads.client.send(reads.admin("NL"), participants.ADDRESS, change(participant=number, key=key))
    assert refusal(reads, reads.key(old), asked).refusal == NO_SUCH_RECORD
    assert reads.reader(reads.key(new)).read(asked)
    done("participant", "suspend", number, "--reason", 3, *reads.office.home("NL"))
    assert told(reads, reads.key(new), asked) is Reason.READER_NOT_IN_FORCE


def test_residency_keeps_a_record_out_of_other_countries(reads: Reads) -> None:
    record = reads.issue("SG")[0]
    residency = Residency(random_of("residency", 16), ("KE", "NL"))
    commitment = residency_commitment(reads.chain_id, record.batch, residency)
    data = access.set_residency(batch=record.batch, commitment=commitment)
    reads.client.send(reads.chamber, access.ADDRESS, data)
    claims = {party: reads.grant(party, record, {0, 2}, Purpose.AUDIT, "residency")[0] for party in (BR, NL)}
    for_nl = wanted(record, 2, purpose=Purpose.AUDIT, claim=claims[NL])
    assert told(reads, reads.admin("NL"), for_nl) is Reason.OUTSIDE_RESIDENCY  # the vault was not told the countries
    reads.residencies[record.batch] = residency
    assert reads.reader(reads.admin("NL")).read(for_nl)
    for_br = wanted(record, 2, purpose=Purpose.AUDIT, claim=claims[BR])
    assert told(reads, reads.admin("BR"), for_br) is Reason.OUTSIDE_RESIDENCY
    assert told(reads, reads.admin("SG"), wanted(record, 2)) is Reason.OUTSIDE_RESIDENCY


def test_a_frozen_record_is_given_to_nobody_until_released(reads: Reads) -> None:
    record = reads.issue("SG")[0]
    kenya = reads.admin("KE")
    reads.client.send(kenya, access.ADDRESS, access.freeze(batch=record.batch, index=record.index, reason=4))
    assert told(reads, reads.admin("SG"), wanted(record, 2)) is Reason.FROZEN
    assert told(reads, reads.chamber, wanted(record, 2)) is Reason.FROZEN
    reads.client.send(kenya, access.ADDRESS, access.release(batch=record.batch, index=record.index))
    assert reads.reader(reads.admin("SG")).read(wanted(record, 2))


# -- strangers ---------------------------------------------------------------------------------------------------------


def test_to_a_stranger_unknown_and_forbidden_records_look_alike_and_leave_nothing(reads: Reads, anchor: Anchor) -> None:
    claim, _ = reads.grant(BR, anchor, {0, 2}, Purpose.AUDIT, "stranger")
    for asked in (wanted(anchor, 2), wanted(anchor, 2, purpose=Purpose.AUDIT, claim=claim)):
        here = request_by(reads, STRANGER, asked)
        nowhere = request_by(reads, STRANGER, asked, batch=UNKNOWN.batch)
        for call in (here, nowhere):
            with pytest.raises(Declined) as refused:
                answer_to(reads, call)
            assert (refused.value.status, refused.value.refusal) == (403, NO_SUCH_RECORD)
    assert reads.receipts() == dict.fromkeys(reads.keepers, 0)


def test_a_member_is_told_that_a_record_is_unknown_with_a_receipt(reads: Reads, anchor: Anchor) -> None:
    call = request_by(reads, reads.admin("BR"), wanted(anchor, 2), batch=UNKNOWN.batch)
    with pytest.raises(Declined) as refused:
        answer_to(reads, call)
    assert refused.value.refusal.code == Reason.UNKNOWN_RECORD
    assert reads.receipts()["vault"] == 1


def test_a_member_s_refusals_are_receipted_within_a_quota(reads: Reads, anchor: Anchor) -> None:
    brazil = reads.admin("BR")
    for _ in range(REFUSALS_AN_HOUR):
        assert told(reads, brazil, wanted(anchor, 2)) is Reason.OTHER_COUNTRY
    assert "refusals in an hour" in declined(reads, request_by(reads, brazil, wanted(anchor, 2)), 429)
    assert reads.receipts()["vault"] == REFUSALS_AN_HOUR
    assert told(reads, reads.admin("NL"), wanted(anchor, 2)) is Reason.OTHER_COUNTRY
    reads.office.chain.seal(reads.now_s() + 3600)
    assert told(reads, brazil, wanted(anchor, 2)) is Reason.OTHER_COUNTRY


def test_a_record_that_the_vault_does_not_hold_is_not_found_by_who_may_read_it(reads: Reads, anchor: Anchor) -> None:
    claim, _ = reads.grant(BR, replace(anchor, index=access.EVERY_INDEX), {0, 2}, Purpose.AUDIT, "whole batch")
    empty = next(at for at in range(16) if reads.holdings.find(anchor.batch, at) is None)
    asked = wanted(replace(anchor, index=empty), 2, purpose=Purpose.AUDIT, claim=claim)
    assert "does not hold" in str(refusal(reads, reads.admin("BR"), asked))
    assert told(reads, reads.admin("SG"), wanted(replace(anchor, index=empty), 2)) is Reason.NO_GRANT


# -- the request -------------------------------------------------------------------------------------------------------


def test_the_same_request_is_answered_once(reads: Reads, anchor: Anchor) -> None:
    call = request_by(reads, reads.admin("SG"), wanted(anchor, 2))
    answer_to(reads, call)
    assert "nonce was used" in declined(reads, call, 409)
    refused_once = request_by(reads, reads.admin("BR"), wanted(anchor, 2))
    with pytest.raises(Declined):
        answer_to(reads, refused_once)
    assert "nonce was used" in declined(reads, refused_once, 409)
    assert reads.receipts()["vault"] == 2


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"chain_id": 4711}, 400, "chain 4711"),
        ({"genesis_hash": b"g" * 32}, 400, "with genesis 0x6767"),
        ({"vault": participant_party(2)}, 400, "vault of 4294967298"),
        ({"access": b"a" * 20}, 400, "is not Access"),
        ({"block_hash": b"h" * 32}, 400, "no block"),
        ({"block_number": 0}, 400, "no block 0 with hash"),
        ({"block_number": 1 << 40}, 503, "before 1099511627776"),
        ({"expires": 1_700_000_000}, 400, "expires at 1700000000"),
        ({"expires": 1 << 40}, 400, "up to 300 s from now"),
    ],
)
def test_a_request_that_is_not_for_here_and_now_is_turned_away(
    reads: Reads, anchor: Anchor, changes: dict[str, object], status: int, words: str
) -> None:
    assert words in declined(reads, request_by(reads, reads.admin("SG"), wanted(anchor, 2), **changes), status)
    assert reads.receipts()["vault"] == 0


def test_a_request_that_was_changed_after_it_was_signed_is_a_stranger_s(reads: Reads, anchor: Anchor) -> None:
    call = request_by(reads, reads.admin("SG"), wanted(anchor, 2))
    changed = ReleaseCall(replace(call.request, groups=0b111111), call.signature, call.claim)
    with pytest.raises(Declined) as refused:
        answer_to(reads, changed)
    assert refused.value.refusal == NO_SUCH_RECORD


def test_nothing_is_decided_while_the_ledger_stands_still(reads: Reads, anchor: Anchor) -> None:
    reads.late_s = 31
    with pytest.raises(Declined, match=r"stands still: its last block [0-9]+ is 31 s old"):
        reads.reader(reads.admin("SG")).read(wanted(anchor, 2))
    reads.late_s = 30
    assert reads.reader(reads.admin("SG")).read(wanted(anchor, 2))


def test_a_claim_that_is_none_is_malformed_and_no_decision(reads: Reads, anchor: Anchor) -> None:
    claim, _ = reads.grant(BR, anchor, {0, 2}, Purpose.AUDIT, "malformed")
    for bad in (claim[:-1], claim + b"\0", b"\xff" * len(claim)):
        call = request_by(reads, reads.admin("BR"), wanted(anchor, 2, purpose=Purpose.AUDIT, claim=claim))
        declined(reads, ReleaseCall(call.request, call.signature, bad), 400)
    assert reads.receipts()["vault"] == 0


# -- custodians --------------------------------------------------------------------------------------------------------


def share_call(reads: Reads, key: bytes, asked: Wanted) -> ShareCall:
    call = request_by(reads, key, asked)
    release = decode_release(answer_to(reads, call), call.request)
    return ShareCall(call.request, call.signature, call.claim, release.evidence, release.items, release.custody)


def share_refused(reads: Reads, call: ShareCall, country: str = "BR") -> Declined:
    with pytest.raises(Declined) as refused:
        reads.keepers[country].answer(encode_share_call(call))
    return refused.value


def test_a_custodian_asks_the_contract_itself(reads: Reads, anchor: Anchor) -> None:
    claim, commitment = reads.grant(BR, anchor, {0, 2}, Purpose.AUDIT, "between")
    call = share_call(reads, reads.admin("BR"), wanted(anchor, 2, purpose=Purpose.AUDIT, claim=claim))
    reads.client.send(reads.chamber, access.ADDRESS, access.withdraw(commitment=commitment, reason=1))
    found = share_refused(reads, call)
    assert found.refusal.code == Reason.WITHDRAWN
    assert found.refusal.receipt is not None
    assert reads.receipts()["BR"] == 1


def test_a_custodian_answers_for_the_record_that_was_decided_and_no_other(reads: Reads, anchor: Anchor) -> None:
    other = reads.issue("BR")[0]
    mine, foreign = (share_call(reads, reads.admin(who), wanted(at, 2)) for who, at in (("SG", anchor), ("BR", other)))
    assert "leads to" in str(share_refused(reads, replace(mine, items=((anchor.index, foreign.items[0][1]),))))
    assert "another batch" in str(share_refused(reads, replace(mine, custody=foreign.custody)))
    deeper = ((anchor.index, replace(mine.items[0][1], document_root=b"r" * 32)),)
    assert "leads to" in str(share_refused(reads, replace(mine, items=deeper)))
    assert reads.receipts()["BR"] == 0
    assert decode_share(reads.keepers["BR"].answer(encode_share_call(mine))).receipt.keeper == BR


def test_a_custody_that_the_custodian_is_not_in_or_that_was_changed_opens_nothing(reads: Reads, anchor: Anchor) -> None:
    call = share_call(reads, reads.admin("SG"), wanted(anchor, 2))
    for custody, words in (
        (replace(call.custody, custodians=call.custody.custodians[1:], threshold=1), "no custodian"),
        (replace(call.custody, threshold=3), "does not open"),
        (replace(call.custody, access=b"a" * 20), "decides about this record"),
    ):
        assert words in str(share_refused(reads, replace(call, custody=custody)))
    assert reads.receipts()["BR"] == 0


def test_evidence_for_another_country_or_record_gives_no_right(reads: Reads, anchor: Anchor) -> None:
    call = share_call(reads, reads.admin("SG"), wanted(anchor, 2))
    assert share_refused(reads, replace(call, evidence=b"")).refusal.code == Reason.NO_GRANT
    again = share_call(reads, reads.admin("SG"), wanted(anchor, 2))
    other = share_call(reads, reads.admin("SG"), wanted(reads.issue("SG")[0], 2))
    assert share_refused(reads, replace(again, evidence=other.evidence)).refusal.code == Reason.NOT_IN_BATCH


def test_a_custodian_that_lies_is_named_and_another_one_asked(reads: Reads, anchor: Anchor) -> None:
    honest = reads.keepers["BR"].answer

    def lying(body: bytes) -> bytes:
        from cocket.attestation.reading.answer import wrap_masks

        call, share = decode_share_call(body), decode_share(honest(body))
        return encode_share(Share(share.receipt, wrap_masks(call.request, BR, [{0: bytes(32), 2: bytes(32)}])))

    reads.keepers["BR"].answer = lying
    reading = reads.reader(reads.admin("SG")).read(wanted(anchor, 2))
    assert reading.liars == (BR,)
    assert [party for party, _ in reading.receipts] == [participant_party(1), KE, NL]


def failing(error: Exception) -> Callable[[bytes], bytes]:
    def fail(body: bytes) -> bytes:
        raise error

    return fail


def test_custodians_that_do_not_answer_are_replaced_while_enough_are_left(reads: Reads, anchor: Anchor) -> None:
    for country in ("BR", "NL"):
        reads.keepers[country].answer = failing(Unavailable("away"))
    reading = reads.reader(reads.admin("SG")).read(wanted(anchor, 2))
    assert [party for party, _ in reading.receipts] == [participant_party(1), KE, SG]
    reads.keepers["KE"].answer = failing(Unavailable("away too"))
    with pytest.raises(Unavailable, match="2 of 4 custodians must answer, 1 did: away; away too; away"):
        reads.reader(reads.admin("SG")).read(wanted(anchor, 2))


# -- what the reader does not believe ----------------------------------------------------------------------------------


def test_the_reader_refuses_a_vault_that_gives_another_record_or_forges_a_receipt(reads: Reads, anchor: Anchor) -> None:
    other = reads.issue("SG")[0]
    honest = reads.keepers["vault"].answer
    stock = decode_release(
        answer_to(reads, (call := request_by(reads, reads.admin("SG"), wanted(other, 2)))), call.request
    )

    def with_changes(**changes: object) -> Callable[[bytes], bytes]:
        def answer(body: bytes) -> bytes:
            from cocket.attestation.reading.exchange import encode_release

            release = decode_release(honest(body), decode_release_call(body).request)
            return encode_release(replace(release, **changes))  # type: ignore[arg-type]

        return answer

    def in_record(**changes: object) -> Callable[[bytes], bytes]:
        def answer(body: bytes) -> bytes:
            from cocket.attestation.reading.exchange import encode_release

            release = decode_release(honest(body), decode_release_call(body).request)
            return encode_release(replace(release, records=(replace(release.records[0], **changes),)))  # type: ignore[arg-type]

        return answer

    record = stock.records[0]
    for answer, words in (
        (in_record(item=record.item), "leads to"),
        (in_record(index=anchor.index ^ 1), "the record asked for"),
        (with_changes(records=(replace(record, index=anchor.index),), custody=stock.custody), "leads to"),
        (in_record(manifest=record.manifest), "not the one that the manifest names"),
        (with_changes(custody=stock.custody), "not the one that the manifest names"),
        (with_changes(receipt=stock.receipt), "a receipt whose"),
        (with_changes(records=()), "the record asked for"),
        (in_record(manifest_signature=record.manifest_signature), "no key of participant 1"),
        (
            in_record(ciphertexts={0: record.ciphertexts[0], 2: record.ciphertexts[2]}),
            "a ciphertext that is not the one",
        ),
    ):
        reads.keepers["vault"].answer = answer
        with pytest.raises(Refused, match=words):
            reads.reader(reads.admin("SG")).read(wanted(anchor, 2))


def test_nothing_is_given_when_the_receipt_is_not_on_the_disk(reads: Reads, anchor: Anchor) -> None:
    release = encode_release_call(request_by(reads, reads.admin("SG"), wanted(anchor, 2)))
    share = encode_share_call(share_call(reads, reads.admin("SG"), wanted(anchor, 2)))
    for name, body in (("vault", release), ("BR", share)):
        reads.keepers[name].disk.is_broken = True
        with pytest.raises(NodeFault):
            reads.keepers[name].answer(body)
        reads.keepers[name].disk.is_broken = False
        with pytest.raises(NodeFault, match="restart"):  # and nothing after it, until it was started again
            reads.keepers[name].answer(body)


def test_a_full_disk_gives_nothing_and_takes_no_nonce(reads: Reads, anchor: Anchor) -> None:
    call = request_by(reads, reads.admin("SG"), wanted(anchor, 2))
    reads.keepers["vault"].disk.room_bytes = 0
    with pytest.raises(Unavailable, match=r"no receipt can be kept.*disk is full"):
        answer_to(reads, call)
    reads.keepers["vault"].disk.room_bytes = None
    answer_to(reads, call)


# -- another Access ----------------------------------------------------------------------------------------------------


def test_the_masks_of_a_custody_for_another_contract_are_not_given(reads: Reads, anchor: Anchor) -> None:
    """Whoever names a contract of its own, which says yes to all, gets nothing: nobody here asks it."""
    call = request_by(reads, reads.admin("SG"), wanted(anchor, 2), access=b"e" * 20)
    assert "is not Access" in declined(reads, call, 400)


def test_a_record_is_decided_by_the_contract_of_its_sealing_until_the_operator_confirms(reads: Reads) -> None:
    new = b"n" * 20
    record = reads.issue("SG")[0]
    asked = wanted(record, 2)
    assert reads.reader(reads.admin("SG")).read(asked)
    reads.begin({access.ADDRESS: new})
    call = request_by(reads, reads.admin("SG"), asked)
    assert f"contract 0x{new.hex()} decides" in declined(reads, call, 409)
    with pytest.raises(Unavailable, match="no contract answers there"):
        reads.reader(reads.admin("SG")).read(replace(asked, contract=new))
