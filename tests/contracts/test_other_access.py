"""Another Access: one that refuses refuses all, and one that takes its name by vote decides about no older record."""

from dataclasses import replace

import pytest
from contract_ledger import BR, FOUNDED_AT, KE, NL, SG, ContractLedger, address, decide, founded
from other_access import allowing, lay, refusing
from sha3 import keccak_256

from cocket.attestation.batch import BatchBuilder, batch_leaf, country_hash
from cocket.contracts import access, certificates, consortium, directory, participants
from cocket.contracts.access import (
    Claim,
    Delegation,
    Evidence,
    OrderSignature,
    Purpose,
    Question,
    Reason,
    Right,
    Scope,
    ScopeKind,
    ServiceKind,
    authority_party,
    encode_claim,
    encode_evidence,
    participant_party,
)
from cocket.contracts.artifact import load_artifact
from cocket.contracts.participants import Role
from cocket.node.signer import KeySigner

CHAMBER, AUDITOR = address("chamber"), address("auditor")
OFFICERS = KeySigner(b"\x01" * 32), KeySigner(b"\x02" * 32)
TO = FOUNDED_AT + 10_000_000
REPLACEMENT = b"\x0a" * 20
BUILDER = BatchBuilder(1, b"b" * 32, 1)
POSITION = BUILDER.add(batch_leaf(b"d" * 32, country_hash(b"s" * 16, "SG")))
BATCH = BUILDER.build()
INDEX = BATCH.index_of(POSITION)
RIGHT = Evidence(Right(b"d" * 32, "SG", b"s" * 16, BATCH.path_of(INDEX)))
QUESTION = Question(BR, BATCH.root, INDEX, frozenset({2}), Purpose.IMPORT_CLEARANCE)
SCOPE = Scope(
    kind=ScopeKind.GRANT,
    controller=1,
    reader=authority_party(4),
    batch=BATCH.root,
    index=INDEX,
    kinds=frozenset(),
    anchored_from=0,
    anchored_to=0,
    groups=frozenset({2}),
    purposes=frozenset({Purpose.IMPORT_CLEARANCE}),
    daily_cap=0,
    reference=bytes(32),
    salt=b"x" * 16,
)
ENGAGEMENT = replace(SCOPE, kind=ScopeKind.ENGAGEMENT, reader=participant_party(2))
ORDER = replace(SCOPE, kind=ScopeKind.ORDER)
DELEGATIONS = tuple(
    Delegation(2, officer.address, frozenset({2}), frozenset({Purpose.COURT_ORDER}), b"o" * 16) for officer in OFFICERS
)
SIGNED = tuple(
    OrderSignature(delegation, officer.sign_digest(access.order_digest(access.grant_commitment(1, ORDER))))
    for delegation, officer in zip(DELEGATIONS, OFFICERS, strict=True)
)
WAYS = {
    Reason.BY_CONTROL: (replace(QUESTION, reader=CHAMBER), Claim(), Evidence()),
    Reason.BY_GRANT: (QUESTION, Claim(SCOPE), Evidence()),
    Reason.BY_ENGAGEMENT: (replace(QUESTION, reader=AUDITOR), Claim(ENGAGEMENT), Evidence()),
    Reason.BY_ORDER: (QUESTION, Claim(ORDER, officers=SIGNED), Evidence()),
    Reason.BY_RIGHT: (replace(QUESTION, reader=SG), Claim(), RIGHT),
}
"""Each way to a yes: who asks, and what is shown."""


def ask(ledger: ContractLedger, way: Reason, contract: bytes = access.ADDRESS) -> Reason:
    question, claim, evidence = WAYS[way]
    view = access.may_read(question, encode_claim(claim), encode_evidence(evidence))
    decision = ledger.ask(contract, view)
    assert decision.may_read == (decision.reason < Reason.UNKNOWN_RECORD)
    return decision.reason


def commit(ledger: ContractLedger, sender: bytes, commitment: bytes, contract: bytes = access.ADDRESS) -> None:
    ledger.send(sender, contract, access.commit(commitment=commitment, valid_from=FOUNDED_AT, valid_to=TO))


@pytest.fixture
def ledger() -> ContractLedger:
    """Anchored by KE's chamber for import into SG, with all that opens it standing."""
    ledger = founded()
    for sender, key, role in ((KE, CHAMBER, Role.CHAMBER), (NL, AUDITOR, Role.AUDITOR)):
        identity = bytes(keccak_256(key).digest())
        dates = {"valid_from": FOUNDED_AT, "valid_to": TO}
        data = participants.accredit(identity=identity, roles=role, kinds={1}, keys=[key], **dates)
        ledger.participants(sender, data)
    anchor = certificates.anchor(top=BATCH.top, depth=BATCH.depth, kind=1, valid_from=FOUNDED_AT, valid_to=TO)
    ledger.certificates(CHAMBER, anchor)
    for scope, sender in ((SCOPE, CHAMBER), (ENGAGEMENT, CHAMBER), (ORDER, KE)):
        commit(ledger, sender, access.grant_commitment(1, scope))
    for delegation in DELEGATIONS:
        commit(ledger, KE, access.delegation_commitment(1, delegation))
    return ledger


# -- one that refuses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_a_yes_is_a_no_of_one_that_refuses(ledger: ContractLedger, way: Reason) -> None:
    assert ask(ledger, way) is way
    lay(ledger, refusing())
    assert ask(ledger, way) is Reason.NO_GRANT


def test_one_that_refuses_is_the_real_one_otherwise(ledger: ContractLedger) -> None:
    """So that what is still given in its presence was given without asking it."""
    commitment = access.grant_commitment(1, SCOPE)
    before = ledger.ask_access(access.commitment_of(commitment))
    lay(ledger, refusing())
    assert ledger.ask_access(access.commitment_of(commitment)) == before
    assert ledger.ask_access(access.version()) == "1.1.0"
    url = "https://vault.example"
    ledger.access(KE, access.serve(kind=ServiceKind.CUSTODIAN, keeper=2, certificate=b"c" * 32, url=url))
    assert ledger.ask_access(access.service_of(2, ServiceKind.CUSTODIAN)).url == url
    ledger.access(CHAMBER, access.withdraw(commitment=commitment, reason=1))
    ledger.access(KE, access.freeze(batch=BATCH.root, index=INDEX, reason=5))
    assert ledger.ask_access(access.frozen_for(BATCH.root, INDEX, 1)) == 5


# -- one that takes its name -------------------------------------------------------------------------------------------


def take_name(ledger: ContractLedger, code: bytes) -> None:
    """Let the authorities vote that Access is elsewhere from now on."""
    lay(ledger, code, REPLACEMENT)
    decide(ledger, [NL, KE, SG], consortium.propose_entry(name=directory.ACCESS, target=REPLACEMENT))
    assert ledger.ask_directory(directory.address_of(directory.ACCESS)) == REPLACEMENT


@pytest.mark.parametrize("way", WAYS)
def test_a_replacement_that_refuses_closes_no_older_record(ledger: ContractLedger, way: Reason) -> None:
    """A custody names the contract of its sealing, and that one still decides as it did."""
    take_name(ledger, refusing())
    assert ask(ledger, way) is way
    assert ask(ledger, way, REPLACEMENT) is Reason.NO_GRANT


def test_a_replacement_that_allows_opens_no_older_record(ledger: ContractLedger) -> None:
    """Nor does what was withdrawn or frozen before or after come back."""
    ledger.access(CHAMBER, access.withdraw(commitment=access.grant_commitment(1, SCOPE), reason=1))
    take_name(ledger, allowing())
    assert ask(ledger, Reason.BY_GRANT) is Reason.WITHDRAWN
    assert ask(ledger, Reason.BY_GRANT, REPLACEMENT) is Reason.BY_GRANT
    ledger.access(CHAMBER, access.withdraw(commitment=access.grant_commitment(1, ENGAGEMENT), reason=1))
    assert ask(ledger, Reason.BY_ENGAGEMENT) is Reason.WITHDRAWN
    ledger.access(KE, access.freeze(batch=BATCH.root, index=INDEX, reason=5))
    assert {ask(ledger, way) for way in WAYS} == {Reason.FROZEN}


def test_grants_of_the_replacement_are_others(ledger: ContractLedger) -> None:
    """The same scope has another hash at each contract, so a grant at one is none at the other."""
    take_name(ledger, real_code())
    assert ask(ledger, Reason.BY_GRANT, REPLACEMENT) is Reason.NO_GRANT
    commit(ledger, CHAMBER, access.grant_commitment(1, SCOPE, REPLACEMENT), REPLACEMENT)
    assert ask(ledger, Reason.BY_GRANT, REPLACEMENT) is Reason.BY_GRANT
    ledger.send(
        CHAMBER, REPLACEMENT, access.withdraw(commitment=access.grant_commitment(1, SCOPE, REPLACEMENT), reason=1)
    )
    assert ask(ledger, Reason.BY_GRANT, REPLACEMENT) is Reason.WITHDRAWN
    assert ask(ledger, Reason.BY_GRANT) is Reason.BY_GRANT


def test_votes_after_it_reach_the_replacement_alone(ledger: ContractLedger) -> None:
    take_name(ledger, real_code())
    decide(ledger, [NL, KE, SG], consortium.propose_default_right(kind=1, groups=0b1, purposes=0b10))
    ledger.pass_blocks(1)
    assert ledger.ask(REPLACEMENT, access.default_right_at(1, ledger.time)).groups == {0}
    assert ledger.ask_access(access.default_right_at(1, ledger.time)).groups == {0, 2, 3}
    assert ask(ledger, Reason.BY_RIGHT) is Reason.BY_RIGHT
    assert ask(ledger, Reason.BY_RIGHT, REPLACEMENT) is Reason.NO_RIGHT


def test_it_takes_two_thirds(ledger: ContractLedger) -> None:
    lay(ledger, allowing(), REPLACEMENT)
    decide(ledger, [NL, KE], consortium.propose_entry(name=directory.ACCESS, target=REPLACEMENT))
    assert ledger.ask_directory(directory.address_of(directory.ACCESS)) == access.ADDRESS


def real_code() -> bytes:
    """Return the code of the real Access, as it lies on a chain; its storage is another contract's."""
    return load_artifact("Access").runtime + directory.ADDRESS.rjust(32, b"\0")
