"""Access: who may read, each reason beside its yes; who may grant, freeze, serve and anchor; what stands there."""

from dataclasses import replace
from functools import cache

import pytest
from coincurve import PrivateKey
from contract_ledger import BR, FOUNDED_AT, KE, NL, SG, STRANGER, ContractLedger, address, decide, founded
from sha3 import keccak_256

from cocket.attestation.batch import ANY_COUNTRY, BatchBuilder, batch_leaf, country_hash
from cocket.contracts import access, certificates, consortium, directory, events, participants
from cocket.contracts.access import (
    EVERY_INDEX,
    Claim,
    Delegation,
    Evidence,
    OrderSignature,
    Purpose,
    Question,
    Reason,
    Residency,
    Right,
    Scope,
    ScopeKind,
    ServiceKind,
    authority_party,
    encode_claim,
    encode_evidence,
    participant_party,
)
from cocket.contracts.errors import ContractRefusal, MalformedAnswer, MalformedValue
from cocket.contracts.participants import Role

CHAMBER, AUDITOR, TRADER = address("chamber"), address("auditor"), address("trader")
OFFICERS = tuple(PrivateKey(keccak_256(f"officer {number}".encode()).digest()) for number in range(3))
NL_NUMBER, KE_NUMBER, SG_NUMBER, BR_NUMBER = 1, 2, 3, 4
KIND = 1
ROOT, SALT = b"d" * 32, b"s" * 16
FROM, TO = FOUNDED_AT, FOUNDED_AT + 10_000_000
BUILDER = BatchBuilder(KIND, b"b" * 32, 1)
POSITION = BUILDER.add(batch_leaf(ROOT, country_hash(SALT, "SG")))
BATCH = BUILDER.build()
INDEX = BATCH.index_of(POSITION)
RIGHT = Right(ROOT, "SG", SALT, BATCH.path_of(INDEX))
QUESTION = Question(BR, BATCH.root, INDEX, frozenset({2}), Purpose.IMPORT_CLEARANCE)
SCOPE = Scope(
    kind=ScopeKind.GRANT,
    controller=1,
    reader=authority_party(BR_NUMBER),
    batch=BATCH.root,
    index=INDEX,
    kinds=frozenset(),
    anchored_from=0,
    anchored_to=0,
    groups=frozenset({0, 2, 3}),
    purposes=frozenset({Purpose.IMPORT_CLEARANCE}),
    daily_cap=0,
    reference=bytes(32),
    salt=b"x" * 16,
)
WIDE = replace(
    SCOPE, batch=bytes(32), index=0, kinds=frozenset({KIND}), anchored_from=FOUNDED_AT, anchored_to=FOUNDED_AT + 5000
)
DELEGATION = Delegation(
    BR_NUMBER,
    address("officer"),
    frozenset({2, 3}),
    frozenset({Purpose.IMPORT_CLEARANCE, Purpose.RISK_ANALYSIS}),
    b"o" * 16,
)


def officer_address(key: PrivateKey) -> bytes:
    return bytes(keccak_256(key.public_key.format(compressed=False)[1:]).digest()[12:])


@cache
def _anchored() -> ContractLedger:
    ledger = founded()
    for sender, key, roles in ((KE, CHAMBER, Role.CHAMBER), (NL, AUDITOR, Role.AUDITOR), (BR, TRADER, Role.EXPORTER)):
        ledger.participants(
            sender,
            participants.accredit(
                identity=keccak_256(key).digest(), roles=roles, kinds={KIND}, valid_from=FROM, valid_to=TO, keys=[key]
            ),
        )
    ledger.certificates(
        CHAMBER,
        certificates.anchor(top=BATCH.top, depth=BATCH.depth, kind=KIND, valid_from=FROM, valid_to=TO, residency="KE"),
    )
    return ledger


@pytest.fixture
def ledger() -> ContractLedger:
    """Anchored by KE's chamber (participant 1) for import into SG; NL's auditor is 2, BR's trader 3."""
    return _anchored().copy()


def stand(
    ledger: ContractLedger, sender: bytes, commitment: bytes, valid_from: int = FROM, valid_to: int = TO
) -> bytes:
    ledger.access(sender, access.commit(commitment=commitment, valid_from=valid_from, valid_to=valid_to))
    return commitment


def grant(ledger: ContractLedger, scope: Scope, sender: bytes = CHAMBER) -> bytes:
    return stand(ledger, sender, access.grant_commitment(1, scope))


def delegate(ledger: ContractLedger, delegation: Delegation, sender: bytes = BR) -> bytes:
    return stand(ledger, sender, access.delegation_commitment(1, delegation))


def ask(
    ledger: ContractLedger,
    question: Question = QUESTION,
    claim: Claim | None = None,
    evidence: Evidence | None = None,
) -> Reason:
    shown = encode_claim(claim) if claim else b""
    proof = encode_evidence(evidence) if evidence else b""
    decision = ledger.ask_access(access.may_read(question, shown, proof))
    assert decision.may_read == (decision.reason < Reason.UNKNOWN_RECORD)
    assert decision.text
    return decision.reason


# -- grants ------------------------------------------------------------------------------------------------------------


def test_a_grant_opens_what_its_scope_says(ledger):
    grant(ledger, SCOPE)
    assert ask(ledger, claim=Claim(SCOPE)) is Reason.BY_GRANT
    assert ask(ledger) is Reason.NO_GRANT


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"reader": STRANGER}, Reason.UNKNOWN_READER),
        ({"reader": NL}, Reason.OTHER_READER),
        ({"reader": TRADER}, Reason.OTHER_READER),
        ({"batch": b"n" * 32}, Reason.UNKNOWN_RECORD),
        ({"index": 1 << BATCH.depth}, Reason.UNKNOWN_RECORD),
        ({"index": INDEX ^ 1}, Reason.OTHER_RECORD),
        ({"groups": frozenset({2, 4})}, Reason.OTHER_GROUPS),
        ({"groups": frozenset()}, Reason.NOTHING_ASKED),
        ({"purpose": 0}, Reason.NOTHING_ASKED),
        ({"purpose": 32}, Reason.NOTHING_ASKED),
        ({"purpose": Purpose.RISK_ANALYSIS}, Reason.OTHER_PURPOSE),
    ],
)
def test_a_grant_opens_nothing_else(ledger, change, reason):
    grant(ledger, SCOPE)
    assert ask(ledger, replace(QUESTION, **change), Claim(SCOPE)) is reason


@pytest.mark.parametrize(
    "field", ["reader", "index", "groups", "purposes", "daily_cap", "salt", "reference", "controller"]
)
def test_a_scope_that_was_changed_is_no_grant(ledger, field):
    grant(ledger, SCOPE)
    other = {"groups": frozenset({5}), "purposes": frozenset({9}), "salt": bytes(16), "reference": b"r" * 32}
    changed = replace(SCOPE, **{field: other.get(field, 7)})
    assert ask(ledger, claim=Claim(changed)) is Reason.NO_GRANT


def test_a_grant_counts_between_its_dates(ledger):
    now = ledger.time
    stand(ledger, CHAMBER, access.grant_commitment(1, SCOPE), now + 100, now + 200)
    for time, reason in ((99, Reason.NOT_YET), (100, Reason.BY_GRANT), (199, Reason.BY_GRANT), (200, Reason.EXPIRED)):
        ledger.time = now + time
        assert ask(ledger, claim=Claim(SCOPE)) is reason


def test_a_withdrawal_counts_from_its_block(ledger):
    commitment = grant(ledger, SCOPE)
    before = ledger.copy()
    sent = ledger.access(CHAMBER, access.withdraw(commitment=commitment, reason=3))
    assert sent.events == (events.CommitmentWithdrawn(commitment, participant_party(1), 3),)
    assert ask(before, claim=Claim(SCOPE)) is Reason.BY_GRANT
    assert ask(ledger, claim=Claim(SCOPE)) is Reason.WITHDRAWN
    found = ledger.ask_access(access.commitment_of(commitment))
    assert (found.withdrawn_at, found.reason, found.party) == (ledger.time, 3, participant_party(1))


def test_a_grant_of_another_opens_nothing(ledger):
    """The trader makes a grant on the chamber's record, in its own name and in the chamber's."""
    for controller in (1, 3):
        scope = replace(SCOPE, controller=controller, reader=participant_party(3))
        grant(ledger, scope, TRADER)
        assert ask(ledger, replace(QUESTION, reader=TRADER), Claim(scope)) is Reason.OTHER_RECORD


def test_a_wide_grant_opens_what_was_anchored_in_its_period(ledger):
    grant(ledger, WIDE)
    assert ask(ledger, claim=Claim(WIDE)) is Reason.BY_GRANT
    for change in ({"kinds": frozenset({2})}, {"anchored_from": FOUNDED_AT + 4000}, {"anchored_to": FOUNDED_AT + 1}):
        other = replace(WIDE, **change)
        grant(ledger, other)
        assert ask(ledger, claim=Claim(other)) is Reason.OTHER_RECORD


def test_a_grant_on_a_whole_batch_opens_each_record(ledger):
    scope = replace(SCOPE, index=EVERY_INDEX)
    grant(ledger, scope)
    for index in (INDEX, INDEX ^ 1):
        assert ask(ledger, replace(QUESTION, index=index), Claim(scope)) is Reason.BY_GRANT


def test_a_grant_of_another_contract_or_chain_is_another(ledger):
    for commitment in (access.grant_commitment(2, SCOPE), access.grant_commitment(1, SCOPE, b"a" * 20)):
        stand(ledger, CHAMBER, commitment)
    assert ask(ledger, claim=Claim(SCOPE)) is Reason.NO_GRANT


def test_a_controller_reads_its_own_and_a_key_that_was_replaced_does_not(ledger):
    question = replace(QUESTION, reader=CHAMBER, groups=frozenset(range(6)), purpose=Purpose.OWN_RECORDS)
    assert ask(ledger, question) is Reason.BY_CONTROL
    fresh = address("chamber's new key")
    ledger.participants(KE, participants.add_key(participant=1, key=fresh))
    ledger.participants(KE, participants.remove_key(participant=1, key=CHAMBER))
    assert ask(ledger, question) is Reason.UNKNOWN_READER
    assert ask(ledger, replace(question, reader=fresh)) is Reason.BY_CONTROL


# -- the reader's standing ---------------------------------------------------------------------------------------------


def test_a_reader_is_in_force_itself_and_so_is_its_authority(ledger):
    scope = replace(SCOPE, reader=participant_party(3))
    grant(ledger, scope)
    question = replace(QUESTION, reader=TRADER)
    assert ask(ledger, question, Claim(scope)) is Reason.BY_GRANT
    suspended = ledger.copy()
    suspended.participants(BR, participants.suspend(participant=3, reason=1))
    assert ask(suspended, question, Claim(scope)) is Reason.READER_NOT_IN_FORCE
    expired = ledger.copy()
    expired.time = TO
    assert ask(expired, question, Claim(scope)) is Reason.READER_NOT_IN_FORCE
    grant(ledger, SCOPE)
    decide(ledger, [NL, KE, SG], consortium.propose_suspension(authority=BR_NUMBER, reason=1))
    assert ask(ledger, question, Claim(scope)) is Reason.AUTHORITY_NOT_IN_FORCE
    assert ask(ledger, claim=Claim(SCOPE)) is Reason.AUTHORITY_NOT_IN_FORCE


def test_an_officer_reads_what_was_delegated_to_it(ledger):
    grant(ledger, SCOPE)
    question = replace(QUESTION, reader=DELEGATION.officer)
    claim = Claim(SCOPE, DELEGATION)
    assert ask(ledger, question, claim) is Reason.NO_DELEGATION
    commitment = delegate(ledger, DELEGATION)
    assert ask(ledger, question, claim) is Reason.BY_GRANT
    assert ask(ledger, question, Claim(SCOPE)) is Reason.UNKNOWN_READER
    assert ask(ledger, replace(question, groups=frozenset({0})), claim) is Reason.OTHER_GROUPS
    assert ask(ledger, replace(question, purpose=Purpose.ORIGIN_VERIFICATION), claim) is Reason.OTHER_PURPOSE
    assert ask(ledger, replace(question, purpose=Purpose.RISK_ANALYSIS), claim) is Reason.OTHER_PURPOSE
    assert ask(ledger, replace(question, reader=TRADER), claim) is Reason.NO_DELEGATION
    assert ask(ledger, question, Claim(SCOPE, replace(DELEGATION, salt=bytes(16)))) is Reason.NO_DELEGATION
    ledger.access(BR, access.withdraw(commitment=commitment, reason=1))
    assert ask(ledger, question, claim) is Reason.WITHDRAWN


def test_nobody_delegates_in_another_authoritys_place(ledger):
    grant(ledger, SCOPE)
    delegate(ledger, DELEGATION, NL)
    assert ask(ledger, replace(QUESTION, reader=DELEGATION.officer), Claim(SCOPE, DELEGATION)) is Reason.NO_DELEGATION


# -- engagements and orders --------------------------------------------------------------------------------------------


def test_an_engagement_is_for_auditors(ledger):
    scope = replace(WIDE, kind=ScopeKind.ENGAGEMENT, reader=participant_party(2), reference=b"e" * 32)
    grant(ledger, scope)
    question = replace(QUESTION, reader=AUDITOR)
    assert ask(ledger, question, Claim(scope)) is Reason.BY_ENGAGEMENT
    other = replace(scope, reader=participant_party(3))
    grant(ledger, other)
    assert ask(ledger, replace(question, reader=TRADER), Claim(other)) is Reason.NOT_AN_AUDITOR


def ordered(ledger: ContractLedger, scope: Scope, keys: tuple[PrivateKey, ...], authority: int = KE_NUMBER) -> Claim:
    digest = access.order_digest(access.grant_commitment(1, scope))
    officers = []
    for key in keys:
        delegation = Delegation(
            authority, officer_address(key), frozenset({2}), frozenset({Purpose.COURT_ORDER}), b"j" * 16
        )
        if ledger.ask_access(access.commitment_of(access.delegation_commitment(1, delegation))).made_at == 0:
            delegate(ledger, delegation, {KE_NUMBER: KE, NL_NUMBER: NL}[authority])
        officers.append(OrderSignature(delegation, key.sign_recoverable(digest, hasher=None)))
    return Claim(scope, officers=tuple(officers))


def test_an_order_is_its_authoritys_with_two_officers(ledger):
    scope = replace(
        SCOPE, kind=ScopeKind.ORDER, purposes=frozenset({Purpose.COURT_ORDER}), reference=b"h" * 32, salt=b"k" * 16
    )
    grant(ledger, scope, KE)
    question = replace(QUESTION, purpose=Purpose.COURT_ORDER)
    first, second, third = OFFICERS
    assert ask(ledger, question, ordered(ledger, scope, (first, second))) is Reason.BY_ORDER
    for keys in ((), (first,), (first, first)):
        assert ask(ledger, question, ordered(ledger, scope, keys)) is Reason.TOO_FEW_OFFICERS
    claim = ordered(ledger, scope, (first, third))
    assert ask(ledger, question, claim) is Reason.BY_ORDER
    forged = replace(claim, officers=(claim.officers[0], replace(claim.officers[1], signature=bytes(65))))
    assert ask(ledger, question, forged) is Reason.TOO_FEW_OFFICERS
    swapped = replace(
        claim, officers=(claim.officers[0], replace(claim.officers[1], signature=claim.officers[0].signature))
    )
    assert ask(ledger, question, swapped) is Reason.TOO_FEW_OFFICERS
    elsewhere = ordered(ledger, scope, (first, second), NL_NUMBER)
    assert ask(ledger, question, elsewhere) is Reason.TOO_FEW_OFFICERS
    delegation = claim.officers[1].delegation
    ledger.access(KE, access.withdraw(commitment=access.delegation_commitment(1, delegation), reason=1))
    assert ask(ledger, question, claim) is Reason.TOO_FEW_OFFICERS


def test_an_order_of_the_controller_or_of_another_authority_is_none(ledger):
    scope = replace(SCOPE, kind=ScopeKind.ORDER)
    claim = ordered(ledger, scope, OFFICERS[:2])
    grant(ledger, scope, CHAMBER)
    assert ask(ledger, claim=claim) is Reason.OTHER_RECORD
    other = replace(scope, salt=b"y" * 16)
    grant(ledger, other, NL)
    assert ask(ledger, claim=replace(claim, scope=other)) is Reason.OTHER_RECORD


# -- default rights ----------------------------------------------------------------------------------------------------


def test_the_importing_authority_reads_by_right(ledger):
    question = replace(QUESTION, reader=SG)
    assert ask(ledger, question, evidence=Evidence(RIGHT)) is Reason.BY_RIGHT
    assert ask(ledger, question) is Reason.NO_GRANT
    assert ask(ledger, evidence=Evidence(RIGHT)) is Reason.OTHER_COUNTRY
    for change, reason in (
        ({"groups": frozenset({0, 2, 3})}, Reason.BY_RIGHT),
        ({"groups": frozenset({1})}, Reason.OTHER_GROUPS),
        ({"purpose": Purpose.ORIGIN_VERIFICATION}, Reason.BY_RIGHT),
        ({"purpose": Purpose.STATISTICS}, Reason.OTHER_PURPOSE),
        ({"index": INDEX ^ 1}, Reason.NOT_IN_BATCH),
    ):
        assert ask(ledger, replace(question, **change), evidence=Evidence(RIGHT)) is reason
    assert ask(ledger, replace(question, reader=AUDITOR), evidence=Evidence(RIGHT)) is Reason.NO_GRANT


@pytest.mark.parametrize(
    "change",
    [
        {"country": "BR"},
        {"salt": bytes(16)},
        {"document_root": b"e" * 32},
        {"path": RIGHT.path[:-1]},
        {"path": (*RIGHT.path, bytes(32))},
        {"path": (RIGHT.path[1], RIGHT.path[0], *RIGHT.path[2:])},
    ],
)
def test_the_vaults_word_is_no_opening(ledger, change):
    forged = replace(RIGHT, **change)
    reader = BR if "country" in change else SG
    assert ask(ledger, replace(QUESTION, reader=reader), evidence=Evidence(forged)) is Reason.NOT_IN_BATCH


def test_a_record_for_no_country_gives_nobody_a_right(ledger):
    builder = BatchBuilder(KIND, b"z" * 32, 1)
    builder.add(batch_leaf(ROOT, country_hash(SALT, ANY_COUNTRY)))
    batch = builder.build()
    ledger.certificates(
        CHAMBER, certificates.anchor(top=batch.top, depth=batch.depth, kind=KIND, valid_from=FROM, valid_to=TO)
    )
    question = replace(QUESTION, reader=SG, batch=batch.root, index=batch.index_of(0))
    right = Right(ROOT, ANY_COUNTRY, SALT, batch.path_of(batch.index_of(0)))
    assert ask(ledger, question, evidence=Evidence(right)) is Reason.OTHER_COUNTRY


def other_batch(ledger: ContractLedger, seed: bytes, declines: bool = False) -> tuple[Question, Evidence]:
    builder = BatchBuilder(KIND, seed, 1)
    builder.add(batch_leaf(ROOT, country_hash(SALT, "SG")))
    batch = builder.build()
    index = batch.index_of(0)
    if declines:
        ledger.access(CHAMBER, access.decline_default_right(batch=batch.root))
    ledger.certificates(
        CHAMBER, certificates.anchor(top=batch.top, depth=batch.depth, kind=KIND, valid_from=FROM, valid_to=TO)
    )
    question = replace(QUESTION, reader=SG, batch=batch.root, index=index)
    return question, Evidence(Right(ROOT, "SG", SALT, batch.path_of(index)))


def test_a_vote_binds_only_what_is_anchored_after_it(ledger):
    vote = consortium.propose_default_right(kind=KIND, groups=0b1000, purposes=0b10)
    sent = decide(ledger, [NL, KE, SG], vote)
    assert sent.events[-1] == events.DefaultRightSet(KIND, 0b1000, 0b10)
    assert ask(ledger, replace(QUESTION, reader=SG), evidence=Evidence(RIGHT)) is Reason.BY_RIGHT
    question, evidence = other_batch(ledger, b"2" * 32)
    assert ask(ledger, question, evidence=evidence) is Reason.OTHER_GROUPS
    assert ask(ledger, replace(question, groups=frozenset({3})), evidence=evidence) is Reason.BY_RIGHT
    assert ledger.ask_access(access.default_right_at(KIND, ledger.time)).groups == {3}
    assert ledger.ask_access(access.default_right_at(KIND, FOUNDED_AT + 1)).groups == {0, 2, 3}
    assert ledger.ask_access(access.default_right_at(KIND, 0)).groups == frozenset()
    decide(ledger, [NL, KE, SG], consortium.propose_default_right(kind=KIND, groups=0, purposes=0b10))
    question, evidence = other_batch(ledger, b"3" * 32)
    assert ask(ledger, question, evidence=evidence) is Reason.NO_RIGHT


def test_a_default_right_needs_two_thirds(ledger):
    ledger.consortium(NL, consortium.propose_default_right(kind=KIND, groups=1, purposes=2))
    ledger.consortium(KE, consortium.vote(proposal=1, approve=True))
    assert ledger.ask_access(access.default_right_at(KIND, ledger.time + 1)).groups == {0, 2, 3}
    ledger.consortium(SG, consortium.vote(proposal=1, approve=True))
    assert ledger.ask_access(access.default_right_at(KIND, ledger.time + 1)).groups == {0}


def test_without_an_access_contract_no_default_right_can_be_set():
    ledger = founded()
    (entry,) = [
        slot
        for slot, value in ledger.state.slots.items()
        if slot[0] == directory.ADDRESS and value == int.from_bytes(access.ADDRESS)
    ]
    ledger.state.slots[entry] = 0
    ledger.consortium(NL, consortium.propose_default_right(kind=KIND, groups=1, purposes=2))
    ledger.consortium(KE, consortium.vote(proposal=1, approve=True))
    with pytest.raises(ContractRefusal, match="consortium: no access contract"):
        ledger.consortium(SG, consortium.vote(proposal=1, approve=True))


def test_only_the_vote_sets_default_rights(ledger):
    call = access.interface("Access").call("setDefaultRight", KIND, 1, 2)
    for sender in (NL, CHAMBER, STRANGER):
        with pytest.raises(ContractRefusal, match="access: not the consortium"):
            ledger.access(sender, call)


# -- delays of listings ------------------------------------------------------------------------------------------------


def test_a_vote_delays_what_subjects_are_told_of_later_reads_for_a_purpose(ledger):
    before = ledger.time
    assert ledger.ask_access(access.listing_delay_at(Purpose.AUDIT, before)) == 0
    sent = decide(ledger, [NL, KE, SG], consortium.propose_listing_delay(purpose=Purpose.AUDIT, delay_s=86_400))
    assert sent.events[-1] == events.ListingDelaySet(Purpose.AUDIT, 86_400)
    decided = ledger.time
    assert ledger.ask_access(access.listing_delay_at(Purpose.AUDIT, decided)) == 86_400
    assert ledger.ask_access(access.listing_delay_at(Purpose.AUDIT, decided - 1)) == 0
    assert ledger.ask_access(access.listing_delay_at(Purpose.STATISTICS, decided)) == 0
    decide(ledger, [NL, KE, SG], consortium.propose_listing_delay(purpose=Purpose.AUDIT, delay_s=0))
    assert ledger.ask_access(access.listing_delay_at(Purpose.AUDIT, ledger.time)) == 0
    assert ledger.ask_access(access.listing_delay_at(Purpose.AUDIT, decided)) == 86_400


def test_a_delay_of_listings_needs_two_thirds_and_has_an_end(ledger):
    longest = access.LISTING_DELAY_S_MAX
    ledger.consortium(NL, consortium.propose_listing_delay(purpose=Purpose.AUDIT, delay_s=longest))
    ledger.consortium(KE, consortium.vote(proposal=1, approve=True))
    assert ledger.ask_access(access.listing_delay_at(Purpose.AUDIT, ledger.time + 1)) == 0
    ledger.consortium(SG, consortium.vote(proposal=1, approve=True))
    assert ledger.ask_access(access.listing_delay_at(Purpose.AUDIT, ledger.time + 1)) == longest
    for purpose, delay_s, reason in (
        (0, 1, "unknown purpose"), (32, 1, "unknown purpose"), (1, longest + 1, "delay too long"),
    ):  # fmt: skip
        with pytest.raises(ContractRefusal, match=f"consortium: {reason}"):
            ledger.consortium(NL, consortium.propose_listing_delay(purpose=purpose, delay_s=delay_s))


def test_only_the_vote_delays_listings(ledger):
    call = access.interface("Access").call("setListingDelay", 1, 1)
    for sender in (NL, CHAMBER, STRANGER):
        with pytest.raises(ContractRefusal, match="access: not the consortium"):
            ledger.access(sender, call)


# -- declining the default right ---------------------------------------------------------------------------------------


def test_a_controller_declines_the_default_right_when_it_anchors(ledger):
    question, evidence = other_batch(ledger, b"4" * 32, declines=True)
    assert ledger.ask_access(access.declined(question.batch, 1))
    assert ask(ledger, question, evidence=evidence) is Reason.OPTED_OUT
    scope = replace(SCOPE, batch=question.batch, index=question.index, reader=authority_party(SG_NUMBER))
    grant(ledger, scope)
    assert ask(ledger, question, Claim(scope), evidence) is Reason.BY_GRANT
    with pytest.raises(ContractRefusal, match="access: already anchored"):
        ledger.access(CHAMBER, access.decline_default_right(batch=BATCH.root))


def test_nobody_declines_in_anothers_place(ledger):
    builder = BatchBuilder(KIND, b"5" * 32, 1)
    builder.add(batch_leaf(ROOT, country_hash(SALT, "SG")))
    ledger.access(TRADER, access.decline_default_right(batch=builder.build().root))
    question, evidence = other_batch(ledger, b"5" * 32)
    assert ask(ledger, question, evidence=evidence) is Reason.BY_RIGHT


# -- residency and freezes ---------------------------------------------------------------------------------------------


def test_a_bound_batch_is_released_into_its_countries_only(ledger):
    residency = Residency(b"c" * 16, ("SG", "NL"))
    grant(ledger, SCOPE)
    ledger.access(
        CHAMBER,
        access.set_residency(batch=BATCH.root, commitment=access.residency_commitment(1, BATCH.root, residency)),
    )
    question = replace(QUESTION, reader=SG)
    assert ask(ledger, question, evidence=Evidence(RIGHT, residency)) is Reason.BY_RIGHT
    assert ask(ledger, question, evidence=Evidence(RIGHT)) is Reason.OUTSIDE_RESIDENCY
    assert ask(ledger, claim=Claim(SCOPE), evidence=Evidence(residency=residency)) is Reason.OUTSIDE_RESIDENCY
    wider = Residency(b"c" * 16, ("SG", "NL", "BR"))
    assert ask(ledger, claim=Claim(SCOPE), evidence=Evidence(residency=wider)) is Reason.OUTSIDE_RESIDENCY
    assert ask(ledger, replace(QUESTION, reader=KE)) is Reason.NO_GRANT  # where it stays, it may be read
    ledger.access(CHAMBER, access.set_residency(batch=BATCH.root, commitment=bytes(32)))
    assert ask(ledger, claim=Claim(SCOPE)) is Reason.BY_GRANT


def test_a_residency_of_another_binds_nothing(ledger):
    ledger.access(TRADER, access.set_residency(batch=BATCH.root, commitment=b"r" * 32))
    assert ledger.ask_access(access.residency_of(BATCH.root, 3)) == b"r" * 32
    assert ledger.ask_access(access.residency_of(BATCH.root, 1)) == bytes(32)
    grant(ledger, SCOPE)
    assert ask(ledger, claim=Claim(SCOPE)) is Reason.BY_GRANT


@pytest.mark.parametrize(
    ("stop", "lift"),
    [
        (access.freeze(batch=BATCH.root, index=INDEX, reason=9), access.release(batch=BATCH.root, index=INDEX)),
        (
            access.freeze(batch=BATCH.root, index=EVERY_INDEX, reason=9),
            access.release(batch=BATCH.root, index=EVERY_INDEX),
        ),
        (access.freeze_controller(participant=1, reason=9), access.release_controller(participant=1)),
    ],
    ids=["record", "batch", "controller"],
)
def test_a_freeze_stops_every_read_until_it_is_lifted(ledger, stop, lift):
    grant(ledger, SCOPE)
    ledger.access(KE, stop)
    assert ledger.ask_access(access.frozen_for(BATCH.root, INDEX, 1)) == 9
    own = replace(QUESTION, reader=CHAMBER)
    for question, claim, evidence in (
        (QUESTION, Claim(SCOPE), None),
        (replace(QUESTION, reader=SG), None, Evidence(RIGHT)),
        (own, None, None),
    ):
        assert ask(ledger, question, claim, evidence) is Reason.FROZEN
    with pytest.raises(ContractRefusal, match="access: already frozen"):
        ledger.access(KE, stop)
    ledger.access(KE, lift)
    assert ask(ledger, claim=Claim(SCOPE)) is Reason.BY_GRANT
    assert ledger.ask_access(access.frozen_for(BATCH.root, INDEX, 1)) == 0
    with pytest.raises(ContractRefusal, match="access: not frozen"):
        ledger.access(KE, lift)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (access.freeze(batch=BATCH.root, index=INDEX, reason=9), "not its authority"),
        (access.release(batch=BATCH.root, index=INDEX), "not its authority"),
        (access.freeze_controller(participant=1, reason=9), "not its authority"),
        (access.release_controller(participant=1), "not its authority"),
        (access.freeze(batch=b"n" * 32, index=0, reason=9), "unknown batch"),
        (access.freeze_controller(participant=9, reason=9), "unknown participant"),
    ],
)
def test_only_the_controllers_authority_freezes(ledger, data, why):
    with pytest.raises(ContractRefusal, match=f"access: {why}"):
        ledger.access(NL, data)
    if why == "not its authority":
        with pytest.raises(ContractRefusal, match="access: not an active authority"):
            ledger.access(CHAMBER, data)


def test_a_freeze_has_a_reason(ledger):
    for data in (access.freeze(batch=BATCH.root, index=0, reason=0), access.freeze_controller(participant=1, reason=0)):
        with pytest.raises(ContractRefusal, match="access: no reason"):
            ledger.access(KE, data)


# -- commitments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "change", "why"),
    [
        (STRANGER, {}, "not a participant in force"),
        (CHAMBER, {"commitment": bytes(32)}, "zero commitment"),
        (CHAMBER, {"valid_to": FROM}, "empty period"),
        (CHAMBER, {"valid_from": 0, "valid_to": FOUNDED_AT}, "period is over"),
    ],
)
def test_commitments_that_cannot_be_are_refused(ledger, sender, change, why):
    good = {"commitment": b"c" * 32, "valid_from": FROM, "valid_to": TO}
    with pytest.raises(ContractRefusal, match=f"access: {why}"):
        ledger.access(sender, access.commit(**(good | change)))


def test_a_commitment_stands_once_and_is_ended_by_who_made_it(ledger):
    commitment = grant(ledger, SCOPE)
    for sender in (CHAMBER, TRADER, KE):
        with pytest.raises(ContractRefusal, match="access: known commitment"):
            ledger.access(sender, access.commit(commitment=commitment, valid_from=FROM, valid_to=TO))
    for sender, change, why in (
        (TRADER, {}, "not its commitment"),
        (KE, {}, "not its commitment"),
        (CHAMBER, {"commitment": b"n" * 32}, "not its commitment"),
        (CHAMBER, {"reason": 0}, "no reason"),
    ):
        with pytest.raises(ContractRefusal, match=f"access: {why}"):
            ledger.access(sender, access.withdraw(**({"commitment": commitment, "reason": 1} | change)))
    ledger.access(CHAMBER, access.withdraw(commitment=commitment, reason=1))
    with pytest.raises(ContractRefusal, match="access: already withdrawn"):
        ledger.access(CHAMBER, access.withdraw(commitment=commitment, reason=2))


def test_all_commitments_look_alike_on_the_ledger(ledger):
    """A grant, an engagement and an authority's delegation take one slot each, and the same event."""
    shapes = set()
    for sender, commitment in (
        (CHAMBER, access.grant_commitment(1, SCOPE)),
        (CHAMBER, access.grant_commitment(1, replace(WIDE, kind=ScopeKind.ENGAGEMENT))),
        (KE, access.delegation_commitment(1, DELEGATION)),
        (KE, access.grant_commitment(1, replace(SCOPE, kind=ScopeKind.ORDER))),
    ):
        before = dict(ledger.state.slots)
        sent = ledger.access(sender, access.commit(commitment=commitment, valid_from=FROM, valid_to=TO))
        changed = {slot for slot, value in ledger.state.slots.items() if before.get(slot) != value}
        shapes.add((len(changed), tuple(type(event).__name__ for event in sent.events)))
    assert shapes == {(1, ("CommitmentMade",))}


# -- services and receipts ---------------------------------------------------------------------------------------------


def test_services_are_found_through_the_ledger(ledger):
    url = "https://vault.chamber.example:8600"
    sent = ledger.access(
        CHAMBER,
        access.serve(kind=ServiceKind.VAULT, keeper=participant_party(1), certificate=b"t" * 32, url=url),
    )
    assert sent.events == (events.ServiceSet(participant_party(1), 1, participant_party(1), b"t" * 32, url),)
    assert ledger.ask_access(access.service_of(participant_party(1), ServiceKind.VAULT)).url == url
    assert ledger.ask_access(access.service_of(authority_party(2), ServiceKind.CUSTODIAN)).url == ""
    custodian = access.serve(kind=ServiceKind.CUSTODIAN, keeper=2, certificate=b"t" * 32, url="https://ke.example")
    ledger.access(KE, custodian)
    assert ledger.ask_access(access.service_of(authority_party(2), ServiceKind.CUSTODIAN)).keeper == 2
    with pytest.raises(ContractRefusal, match="access: unknown service"):
        ledger.access(CHAMBER, custodian)
    ledger.access(CHAMBER, access.serve(kind=ServiceKind.VAULT, keeper=0, certificate=bytes(32), url=""))
    assert ledger.ask_access(access.service_of(participant_party(1), ServiceKind.VAULT)).url == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [("http://a.example", "not https"), ("https://", "not https"), ("x", "not https"), ("https://a b", "address")],
)
def test_services_are_https(ledger, url, why):
    with pytest.raises(ContractRefusal, match=f"access: {why}"):
        ledger.access(KE, access.serve(kind=ServiceKind.VAULT, keeper=2, certificate=bytes(32), url=url))


def test_receipts_are_anchored_in_order_and_once(ledger):
    keeper = participant_party(1)
    for sequence, root in ((1, b"1" * 32), (2, b"2" * 32)):
        sent = ledger.access(CHAMBER, access.anchor_receipts(sequence=sequence, root=root))
        assert sent.events == (events.ReceiptsAnchored(keeper, sequence, root),)
        assert ledger.ask_access(access.receipt_root(keeper, sequence)) == root
    assert ledger.ask_access(access.receipts_anchored(keeper)) == 2
    for sequence in (0, 2, 4):
        with pytest.raises(ContractRefusal, match="access: out of sequence"):
            ledger.access(CHAMBER, access.anchor_receipts(sequence=sequence, root=b"3" * 32))
    with pytest.raises(ContractRefusal, match="access: zero root"):
        ledger.access(CHAMBER, access.anchor_receipts(sequence=3, root=bytes(32)))
    assert ledger.ask_access(access.receipts_anchored(authority_party(1))) == 0


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_claims_and_evidences_are_read_strictly():
    claim = encode_claim(Claim(SCOPE, DELEGATION))
    evidence = encode_evidence(Evidence(RIGHT, Residency(b"c" * 16, ("SG",))))
    assert access.may_read(QUESTION, claim, evidence).data
    for data in (claim[:-1], claim + bytes(32), evidence, b"\1", bytes(9000)):
        with pytest.raises(MalformedAnswer):
            access.may_read(QUESTION, data)
    for data in (evidence[:-1], evidence + bytes(32), claim):
        with pytest.raises(MalformedAnswer):
            access.may_read(QUESTION, b"", data)


@pytest.mark.parametrize(
    "make",
    [
        lambda: access.grant_commitment(1, replace(SCOPE, groups=frozenset({16}))),
        lambda: access.grant_commitment(1, replace(SCOPE, salt=b"short")),
        lambda: access.residency_commitment(1, BATCH.root, Residency(b"c" * 16, ())),
        lambda: access.residency_commitment(1, BATCH.root, Residency(b"c" * 16, ("XX",) * 65)),
    ],
)
def test_what_cannot_be_hashed_is_refused(make):
    with pytest.raises(MalformedValue):
        make()
