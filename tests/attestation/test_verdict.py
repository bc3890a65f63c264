"""Verdicts: six answers, each yes, no with its block, or could not check; never the last as a no."""

import json
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.batch import BatchBuilder
from cocket.attestation.check import require
from cocket.attestation.codes import EXAMPLES, load_example
from cocket.attestation.commit import document_secret, group_hash_of
from cocket.attestation.prove import Anchor, HiddenGroup, certificate_of, present
from cocket.attestation.verdict import (
    BatchFacts,
    BlockPoint,
    IssuerFacts,
    ItemChange,
    LedgerFacts,
    Mandate,
    Use,
    Warrant,
    verdict,
)
from cocket.attestation.work import Chunk, commit_chunk

SECRET = bytes(range(32))
DATA = json.dumps(
    {**json.loads(load_example(EXAMPLES[0])), "validFrom": "2026-02-01T00:00:00Z", "validUntil": "2026-12-31T12:00:00Z"}
).encode()


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def block(number: int, text: str) -> BlockPoint:
    return BlockPoint(number, moment(text))


def issued():
    result = commit_chunk(Chunk(0, (DATA,), SECRET, "SG"))
    builder = BatchBuilder(1, SECRET, 7)
    builder.extend(result.leaves)
    batch = builder.build()
    index = batch.index_of(0)
    anchor = Anchor(4711, b"g" * 32, b"c" * 20, 7, batch.root, index, batch.path_of(index))
    return certificate_of(require(DATA), document_secret(SECRET, 0), "SG").anchored(anchor)


CERTIFICATE = issued()
LONG = moment("2040-01-01")
ACTIVE = Mandate("active", block(2, "2026-01-10"), (1, 3), moment("2026-01-01"), LONG)
ISSUER = IssuerFacts(7, "KE", (ACTIVE,))
BATCH = BatchFacts(4, 1, 7, block(10, "2026-02-02"), moment("2026-02-01"), LONG)
FACTS = LedgerFacts(4711, b"g" * 32, b"c" * 20, block(99, "2026-09-01T10:00:00"), True, BATCH, (), ISSUER, ())
DAY = date(2026, 6, 1)


def words(result):
    return {name: answer["answer"] for name, answer in result.as_json().items() if name != "overall"}


GOOD = {
    "integrity": "yes",
    "issuance": "yes",
    "in_force": "yes",
    "issuer_authority": "yes",
    "superseded": "no",
    "used": "no",
}


def told(facts=FACTS, on_date=DAY, shown=CERTIFICATE):
    """Return (overall, what differs from a good certificate, the verdict)."""
    result = verdict(shown, facts, on_date)
    return result.overall, {name: word for name, word in words(result).items() if word != GOOD[name]}, result


def test_a_good_certificate_and_a_presentation_of_it():
    assert told()[:2] == ("yes", {})
    assert told(shown=present(CERTIFICATE, ["goods"], show_country=False))[:2] == ("yes", {})
    _, _, result = told()
    assert (result.issuance.block, result.issuance.time) == (10, "2026-02-02T00:00:00Z")
    assert "participant 7, accredited by KE" in result.issuer_authority.reason


def test_a_changed_field_is_named_and_the_item_still_judged():
    certificate = replace(CERTIFICATE, document=deepcopy(CERTIFICATE.document))
    certificate.document["credentialSubject"]["manufacturingCountry"] = "CN"
    overall, differs, result = told(shown=certificate)
    assert (overall, differs) == ("no", {"integrity": "no"})
    assert result.integrity.pointer == "/credentialSubject/manufacturingCountry"
    assert "'CN'" in result.integrity.reason


def test_forged_dates_are_not_believed():
    certificate = replace(CERTIFICATE, document={**CERTIFICATE.document, "validUntil": "2030-12-31T00:00:00Z"})
    _, differs, result = told(on_date=date(2026, 8, 1), shown=certificate)
    assert differs == {"integrity": "no", "in_force": "could not check"}
    assert result.integrity.pointer == "/validUntil"
    withdrawn = replace(FACTS, changes=(ItemChange("withdrawn", block(50, "2026-05-31")),))
    assert told(withdrawn, shown=certificate)[1]["in_force"] == "no"  # the ledger's word still counts
    hidden = present(CERTIFICATE)
    hidden = replace(hidden, groups=(HiddenGroup(group_hash_of_first(hidden)), *hidden.groups[1:]))
    _, differs, result = told(shown=hidden)
    assert differs == {"integrity": "no", "in_force": "could not check"}
    assert "hidden" in result.in_force.reason


def group_hash_of_first(presentation):
    return group_hash_of(presentation.groups[0].seed, 0, presentation.groups[0].fields)


def test_fields_that_lead_elsewhere_leave_the_rest_unchecked():
    anchor = replace(CERTIFICATE.anchor, batch=b"x" * 32)
    overall, differs, result = told(shown=CERTIFICATE.anchored(anchor))
    unknown = dict.fromkeys(GOOD, "could not check")
    assert (overall, differs) == ("no", {**unknown, "integrity": "no"})
    assert "nothing the ledger says is about them" in result.used.reason


def test_a_document_that_cannot_be_read():
    certificate = replace(CERTIFICATE, document={**CERTIFICATE.document, "id": 2**60})
    overall, _, result = told(shown=certificate)
    assert (overall, result.integrity.answer, result.integrity.pointer) == ("no", "no", "/id")
    assert result.issuance.answer == "could not check"


@pytest.mark.parametrize(
    ("facts", "shown", "integrity"),
    [
        (None, CERTIFICATE, "yes"),
        (replace(FACTS, chain_id=1), CERTIFICATE, "yes"),
        (replace(FACTS, genesis_hash=b"h" * 32), CERTIFICATE, "yes"),
        (replace(FACTS, contract=b"d" * 20), CERTIFICATE, "yes"),
        (FACTS, replace(CERTIFICATE, anchor=None), "could not check"),
    ],
)
def test_without_the_right_ledger_nothing_is_a_no(facts, shown, integrity):
    overall, _, result = told(facts, shown=shown)
    assert overall == "could not check"
    assert words(result) == {**dict.fromkeys(GOOD, "could not check"), "integrity": integrity}


@pytest.mark.parametrize(
    ("name", "unchecked"),
    [
        ("batch", {"issuance", "in_force"}),
        ("changes", {"in_force", "superseded"}),
        ("issuer", {"issuer_authority"}),
        ("uses", {"used"}),
    ],
)
def test_what_was_not_read_could_not_be_checked(name, unchecked):
    overall, differs, result = told(replace(FACTS, **{name: None}))
    assert differs == dict.fromkeys(unchecked, "could not check")
    assert overall == ("yes" if name == "uses" else "could not check")
    assert all("not read" in getattr(result, question).reason for question in unchecked)


def test_without_a_date_what_hangs_on_it_could_not_be_checked():
    assert told(on_date=None)[:2] == (
        "could not check",
        {"in_force": "could not check", "issuer_authority": "could not check"},
    )


def test_a_certificate_that_names_another_issuer_leads_to_no_batch():
    """The root binds the issuer, so the name cannot be changed in the file."""
    forged = replace(CERTIFICATE, anchor=replace(CERTIFICATE.anchor, issuer=8))
    overall, differs, _ = told(shown=forged)
    assert overall == "no"
    assert (differs["integrity"], differs["issuance"]) == ("no", "could not check")


def test_an_unknown_batch_is_not_issued():
    overall, differs, result = told(replace(FACTS, has_batch=False, batch=None))
    assert overall == "no"
    assert differs["issuance"] == "no"
    assert "block 99" in result.issuance.reason
    assert {word for name, word in differs.items() if name != "issuance"} == {"could not check"}


@pytest.mark.parametrize("batch", [replace(BATCH, depth=5), replace(BATCH, kind=2), replace(BATCH, issuer=8)])
def test_a_batch_of_another_shape_or_issuer_is_not_issued(batch):
    assert told(replace(FACTS, batch=batch))[1]["issuance"] == "no"


@pytest.mark.parametrize(
    ("on_date", "answer", "reason"),
    [
        (date(2026, 1, 31), "no", "not valid before 2026-02-01"),
        (date(2026, 2, 1), "no", "not anchored before block 10"),
        (date(2026, 2, 2), "yes", "in force on 2026-02-02"),
        (date(2026, 12, 31), "yes", "as of block 99"),
        (date(2027, 1, 1), "no", "not valid after 2026-12-31"),
    ],
)
def test_in_force_by_the_document_s_dates(on_date, answer, reason):
    _, _, result = told(on_date=on_date)
    assert result.in_force.answer == answer
    assert reason in result.in_force.reason


def test_a_date_outside_the_document_is_a_no_without_any_ledger():
    _, _, result = told(None, date(2027, 1, 1))
    assert (result.in_force.answer, result.in_force.pointer) == ("no", "/validUntil")
    assert told(None)[2].in_force.answer == "could not check"


def test_in_force_by_the_batch_s_dates():
    batch = replace(BATCH, valid_from_s=moment("2026-03-01"), valid_until_s=moment("2026-05-01"))
    facts = replace(FACTS, batch=batch)
    answers = [told(facts, day)[2].in_force.answer for day in (date(2026, 2, 28), date(2026, 3, 1), date(2026, 5, 1))]
    assert answers == ["no", "yes", "no"]


@pytest.mark.parametrize("status", ["withdrawn", "suspended", "superseded"])
def test_a_change_counts_from_its_day(status):
    change = ItemChange(
        status, block(50, "2026-05-31T23:00:00"), "reason 4", "0xabc/7" if status == "superseded" else ""
    )
    facts = replace(FACTS, changes=(change,))
    overall, differs, result = told(facts)
    assert overall == "no"
    assert differs == {"in_force": "no"} | ({"superseded": "yes"} if status == "superseded" else {})
    assert (result.in_force.block, result.in_force.time) == (50, "2026-05-31T23:00:00Z")
    assert status in result.in_force.reason
    assert "reason 4" in result.in_force.reason
    before = told(facts, date(2026, 5, 30))
    assert before[:2] == ("yes", {})
    assert f"{status}" in before[2].in_force.reason  # in force then, but the reader should know


def test_a_suspension_that_was_lifted():
    changes = (
        ItemChange("suspended", block(50, "2026-04-01")),
        ItemChange("in force", block(60, "2026-05-01")),
    )
    facts = replace(FACTS, changes=changes)
    answers = [told(facts, day)[2].in_force.answer for day in (date(2026, 3, 1), date(2026, 4, 2), date(2026, 5, 2))]
    assert answers == ["yes", "no", "yes"]


def test_valid_when_issued_issuer_since_suspended():
    suspended = replace(ACTIVE, status="suspended", since=block(40, "2026-04-01"), reason="reason 9")
    facts = replace(FACTS, issuer=replace(ISSUER, mandates=(ACTIVE, suspended)))
    overall, differs, result = told(facts)
    assert (overall, differs) == ("no", {"issuer_authority": "no"})
    assert result.issuer_authority.block == 40
    assert "it was entitled when the batch was anchored" in result.issuer_authority.reason
    assert told(facts, date(2026, 3, 1))[:2] == ("yes", {})


@pytest.mark.parametrize(
    ("mandates", "reason"),
    [
        ((), "has no mandate"),
        ((replace(ACTIVE, since=block(70, "2026-07-01")),), "had no mandate before block 70"),
        ((replace(ACTIVE, kinds=(2,)),), "no mandate for kind 1"),
        ((replace(ACTIVE, valid_until_s=moment("2026-05-01")),), "ended 2026-05-01"),
        ((replace(ACTIVE, valid_from_s=moment("2026-08-01")),), "begins 2026-08-01"),
        ((ACTIVE, replace(ACTIVE, status="ended", since=block(60, "2026-05-05"))), "was ended"),
    ],
)
def test_an_issuer_without_mandate(mandates, reason):
    _, differs, result = told(replace(FACTS, issuer=replace(ISSUER, mandates=mandates)))
    assert differs == {"issuer_authority": "no"}
    assert reason in result.issuer_authority.reason


def test_facts_about_another_issuer_are_no_facts():
    assert told(replace(FACTS, issuer=replace(ISSUER, participant=8)))[1] == {"issuer_authority": "could not check"}


def test_use_is_told_with_what_is_left_and_does_not_make_a_certificate_bad():
    once = Use("SG", 250_000, block(70, "2026-07-01"))
    overall, differs, result = told(replace(FACTS, uses=(once,)))
    assert (overall, differs) == ("yes", {"used": "yes"})
    assert "SG (25 %" in result.used.reason
    assert "75 % left" in result.used.reason
    twice = (once, Use("NL", 750_000, block(71, "2026-07-02")))
    assert "in full" in told(replace(FACTS, uses=twice))[2].used.reason


def test_a_presentation_without_the_never_hidden_group():
    presentation = present(CERTIFICATE)
    groups = (HiddenGroup(b"h" * 32), *presentation.groups[1:])
    overall, _, result = told(shown=replace(presentation, groups=groups))
    assert overall == "no"
    assert "may never be hidden" in result.integrity.reason


POINTS = st.builds(BlockPoint, st.none() | st.integers(0, 9), st.integers(0, 2**33))
SOME_FACTS = st.builds(
    LedgerFacts,
    st.just(4711),
    st.just(b"g" * 32),
    st.just(b"c" * 20),
    POINTS,
    st.sampled_from([None, True, False]),
    st.none() | st.builds(BatchFacts, st.just(4), st.just(1), st.just(7), POINTS, st.integers(0, 2**33), st.just(LONG)),
    st.none()
    | st.lists(
        st.builds(ItemChange, st.sampled_from(["in force", "suspended", "withdrawn", "superseded"]), POINTS), max_size=3
    ).map(tuple),
    st.none() | st.builds(IssuerFacts, st.just(7), st.just("KE"), st.lists(st.just(ACTIVE), max_size=1).map(tuple)),
    st.none() | st.lists(st.builds(Use, st.just("SG"), st.integers(1, 10**6), POINTS), max_size=2).map(tuple),
)


@given(SOME_FACTS, st.none() | st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_any_facts_give_a_verdict_and_each_no_has_a_reason(facts, on_date):
    result = verdict(CERTIFICATE, facts, on_date)
    assert result.integrity.answer == "yes"
    assert all(answer["reason"] for name, answer in result.as_json().items() if name != "overall")
    if facts.changes is None and facts.has_batch is not False:
        assert result.superseded.answer == "could not check"
    json.dumps(result.as_json())


CLOSED = Warrant("proven from the anchor", is_closed=True)


def test_each_yes_about_the_ledger_says_as_of_when_and_by_what():
    live = replace(FACTS, warrant=Warrant("by the word of a node", is_closed=False), uses=(Use("SG", 400_000, None),))
    _, _, result = told(live)
    assert "used by SG (40 %): 60 % left" in result.used.reason
    for name in ("issuance", "in_force", "issuer_authority", "used"):
        assert getattr(result, name).reason.endswith("; as of block 99, 2026-09-01T10:00:00Z, by the word of a node")
    assert "as of" not in result.integrity.reason
    assert told(live, date(2026, 9, 1))[0] == "yes"  # a ledger that goes on was asked just now


def test_facts_that_end_for_good_say_nothing_of_later_dates():
    closed = replace(FACTS, warrant=CLOSED)
    assert told(closed, date(2026, 8, 31))[:2] == ("yes", {})
    late = dict.fromkeys(("in_force", "issuer_authority", "superseded"), "could not check")
    for day in (date(2026, 9, 1), date(2026, 9, 2)):
        overall, differs, result = told(closed, day)
        assert (overall, differs) == ("could not check", late)
        assert "end with block 99" in result.in_force.reason
    assert told(closed, date(2027, 1, 1))[1]["in_force"] == "no"  # the document's own end needs no ledger
    for status, word in (("suspended", "could not check"), ("withdrawn", "no"), ("superseded", "no")):
        changed = replace(closed, changes=(ItemChange(status, block(50, "2026-05-01")),))
        assert told(changed, date(2026, 9, 2))[1]["in_force"] == word
    gone = replace(closed, changes=(ItemChange("superseded", block(50, "2026-05-01")),))
    assert told(gone, date(2026, 9, 2))[1]["superseded"] == "yes"


def test_a_moment_counts_to_its_second_and_a_day_to_its_last():
    withdrawn = ItemChange("withdrawn", block(50, "2026-06-01T12:00:00"), "reason 4", "")
    facts = replace(FACTS, changes=(withdrawn,), warrant=Warrant("by proofs", is_closed=True))
    before, after = datetime(2026, 6, 1, 11, 59, 59, tzinfo=UTC), datetime(2026, 6, 1, 12, tzinfo=UTC)
    good = verdict(CERTIFICATE, facts, before).in_force
    assert (good.answer, "in force at 2026-06-01T11:59:59Z" in good.reason) == ("yes", True)
    assert [verdict(CERTIFICATE, facts, when).in_force.answer for when in (after, DAY)] == ["no", "no"]


def test_facts_that_end_within_a_day_say_everything_of_their_own_moment_and_nothing_of_the_day():
    facts = replace(FACTS, warrant=Warrant("by proofs", is_closed=True))
    last = datetime(2026, 9, 1, 10, tzinfo=UTC)
    assert verdict(CERTIFICATE, facts, last).overall == "yes"
    for when in (last.date(), last + timedelta(seconds=1)):
        found = verdict(CERTIFICATE, facts, when)
        assert (found.overall, found.in_force.answer) == ("could not check", "could not check")


def test_of_what_was_before_a_history_is_known_nothing_is_said():
    known = replace(FACTS, changes_known_from_s=moment("2026-05-01"))
    assert told(known)[0] == "yes"
    assert told(known, date(2026, 4, 1))[1] == {"in_force": "could not check"}
    issuer = replace(ISSUER, known_from_s=moment("2026-05-01"))
    assert told(replace(FACTS, issuer=issuer))[0] == "yes"
    assert told(replace(FACTS, issuer=issuer), date(2026, 4, 1))[1] == {"issuer_authority": "could not check"}
    ended = replace(issuer, mandates=(replace(ACTIVE, status="ended"),))
    assert "when the batch was anchored" not in told(replace(FACTS, issuer=ended))[2].issuer_authority.reason


def test_why_there_are_no_facts_is_said():
    result = verdict(CERTIFICATE, None, DAY, "the bundle does not prove it")
    assert result.issuance.reason == "the bundle does not prove it"
    assert result.overall == "could not check"
