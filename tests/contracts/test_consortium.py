"""The Consortium on the real EVM: each thing that is allowed has its refusals beside it."""

import pytest
from contract_ledger import (
    ADMINS,
    BR,
    FOUNDED_AT,
    KE,
    NL,
    PERIOD_S,
    SG,
    SPACING_BLOCKS,
    STRANGER,
    address,
    decide,
    found,
    founded,
    founding,
    keys_of,
    last_event,
)
from founding.founders import make_parameters

from cocket.contracts import consortium, directory, events, participants
from cocket.contracts.abi import interface
from cocket.contracts.artifact import load_artifact
from cocket.contracts.consortium import (
    ENCRYPTION_KEY_BYTES_MAX,
    NODES_MAX,
    Parameter,
    ProposalKind,
    ProposalStatus,
    Status,
)
from cocket.contracts.errors import ContractRefusal
from cocket.contracts.history import latest_slot
from cocket.contracts.participants import Role

ADMIT_FR = consortium.propose_admission(country="FR", keys=keys_of("FR"))
FR = keys_of("FR").admin
SUSPEND_BR = consortium.propose_suspension(authority=4, reason=7)
WITHDRAW_BR = consortium.propose_withdrawal(authority=4, reason=9)


@pytest.fixture
def ledger():
    return founded()


def refused(reason):
    return pytest.raises(ContractRefusal, match=f"^{reason}$")


def authority(ledger, number):
    return ledger.ask_consortium(consortium.authority(number))


def validators(ledger):
    found_validators = ledger.ask_consortium(consortium.get_validators())
    assert ledger.ask_consortium(consortium.validators_hash()) == consortium.hash_validators(found_validators)
    return found_validators


# Proposals and votes


def test_admits_with_two_thirds_and_not_before(ledger):
    sent = ledger.consortium(NL, ADMIT_FR)
    assert sent.events == (
        events.ProposalMade(proposal=1, proposer=1, kind=ProposalKind.ADMISSION, authority=0),
        events.VoteCast(proposal=1, authority=1, approve=True),
    )
    sent = ledger.consortium(KE, consortium.vote(proposal=1, approve=True))
    assert sent.events == (events.VoteCast(proposal=1, authority=2, approve=True),)
    assert authority(ledger, 5).status == Status.UNKNOWN
    sent = ledger.consortium(SG, consortium.vote(proposal=1, approve=True))
    assert sent.events[1:] == (
        events.ProposalPassed(proposal=1),
        events.ProposalExecuted(proposal=1),
        events.AuthorityAdmitted(authority=5, country="FR", keys_id=5),
    )
    admitted = authority(ledger, 5)
    assert (admitted.country, admitted.status, admitted.validating) == ("FR", Status.ACTIVE, False)
    assert admitted.admitted_at == ledger.time
    assert ledger.ask_consortium(consortium.authority_of_country("FR")) == 5
    assert ledger.ask_consortium(consortium.keys(5)) == keys_of("FR")
    proposal = ledger.ask_consortium(consortium.proposal(1))
    assert (proposal.status, proposal.approvals, proposal.authority) == (ProposalStatus.EXECUTED, (1, 2, 3), 5)


def test_half_is_not_more_than_half(ledger):
    data = consortium.propose_parameter(parameter=Parameter.SPACING_BLOCKS, amount=5)
    decide(ledger, [NL, KE], data)
    assert ledger.ask_consortium(consortium.parameter(Parameter.SPACING_BLOCKS)) == SPACING_BLOCKS
    sent = ledger.consortium(BR, consortium.vote(proposal=1, approve=True))
    assert last_event(sent, events.ParameterSet) == events.ParameterSet(parameter=1, amount=5)
    assert ledger.ask_consortium(consortium.parameter(Parameter.SPACING_BLOCKS)) == 5


def test_rejects_as_soon_as_noes_make_it_impossible(ledger):
    ledger.consortium(NL, ADMIT_FR)
    ledger.consortium(KE, consortium.vote(proposal=1, approve=False))
    sent = ledger.consortium(SG, consortium.vote(proposal=1, approve=False))
    assert sent.events == (
        events.VoteCast(proposal=1, authority=3, approve=False),
        events.ProposalRejected(proposal=1),
    )
    assert ledger.ask_consortium(consortium.proposal(1)).refusals == (2, 3)
    with refused("consortium: not open"):
        ledger.consortium(BR, consortium.vote(proposal=1, approve=True))
    with refused("consortium: not passed"):
        ledger.consortium(BR, consortium.execute(proposal=1))


def test_votes_once_and_only_as_an_active_authority(ledger):
    ledger.consortium(NL, ADMIT_FR)
    for sender, reason in ((NL, "consortium: voted already"), (STRANGER, "consortium: not an authority")):
        with refused(reason):
            ledger.consortium(sender, consortium.vote(proposal=1, approve=True))
    with refused("consortium: not an authority"):
        ledger.consortium(keys_of("KE").validator, consortium.vote(proposal=1, approve=True))
    with refused("consortium: not open"):
        ledger.consortium(KE, consortium.vote(proposal=2, approve=True))
    with refused("consortium: not an authority"):
        ledger.consortium(STRANGER, ADMIT_FR)
    ledger.consortium(KE, consortium.vote(proposal=1, approve=False))
    with refused("consortium: voted already"):
        ledger.consortium(KE, consortium.vote(proposal=1, approve=True))


def test_expires(ledger):
    ledger.consortium(NL, ADMIT_FR)
    made_at = ledger.time
    ledger.time = made_at + PERIOD_S - 3
    ledger.consortium(KE, consortium.vote(proposal=1, approve=True))
    assert ledger.ask_consortium(consortium.proposal(1)).expires_at == made_at + PERIOD_S
    with refused("consortium: expired"):
        ledger.consortium(SG, consortium.vote(proposal=1, approve=True))
    assert ledger.ask_consortium(consortium.proposal(1)).is_expired(ledger.time)
    assert not ledger.ask_consortium(consortium.proposal(1)).is_expired(made_at)


def test_one_authority_alone_decides_at_once():
    ledger = found(founding(["NL"]))
    sent = ledger.consortium(NL, ADMIT_FR)
    assert last_event(sent, events.AuthorityAdmitted).authority == 2


@pytest.mark.parametrize(
    ("data", "needed"),
    [
        (consortium.propose_admission(country="DE", keys=keys_of("DE")), 4),
        (consortium.propose_suspension(authority=5, reason=1), 4),
        (consortium.propose_withdrawal(authority=5, reason=1), 4),
        (consortium.propose_keys(authority=5, keys=keys_of("FR 2")), 4),
        (consortium.propose_entry(name="Measures", target=participants.ADDRESS), 4),
        (consortium.propose_code_list(name="HS", edition=b"\1" * 32), 3),
        (consortium.propose_parameter(parameter=Parameter.SPACING_BLOCKS, amount=9), 3),
    ],
    ids=["admission", "suspension", "withdrawal", "keys", "entry", "code list", "parameter"],
)
def test_of_five_what_could_take_seats_needs_four_and_the_rest_three(data, needed):
    ledger = found(founding(["NL", "KE", "SG", "BR", "FR"]))
    ledger.pass_blocks(SPACING_BLOCKS)
    decide(ledger, [*ADMINS, FR][: needed - 1], data)
    assert ledger.ask_consortium(consortium.proposal(1)).status == ProposalStatus.OPEN
    ledger.consortium([*ADMINS, FR][needed - 1], consortium.vote(proposal=1, approve=True))
    assert ledger.ask_consortium(consortium.proposal(1)).status == ProposalStatus.EXECUTED


def test_of_seven_reinstatement_needs_four_of_the_six_left():
    ledger = found(founding(["NL", "KE", "SG", "BR", "FR", "DE", "IT"]))
    ledger.pass_blocks(SPACING_BLOCKS)
    admins = [keys_of(country).admin for country in ("NL", "KE", "SG", "BR", "FR", "DE")]
    decide(ledger, admins[:5], consortium.propose_suspension(authority=7, reason=1))
    decide(ledger, admins[:3], consortium.propose_reinstatement(authority=7))
    assert authority(ledger, 7).status == Status.SUSPENDED
    ledger.consortium(admins[3], consortium.vote(proposal=2, approve=True))
    assert authority(ledger, 7).status == Status.ACTIVE


def test_of_three_two_suffice_against_the_third():
    ledger = found(founding(["NL", "KE", "SG"]))
    ledger.pass_blocks(SPACING_BLOCKS)
    decide(ledger, [NL, KE], consortium.propose_suspension(authority=3, reason=1))
    assert authority(ledger, 3).status == Status.SUSPENDED


# Membership


def test_admission_is_refused_for_what_is_a_member_already(ledger):
    with refused("consortium: country is a member"):
        ledger.consortium(NL, consortium.propose_admission(country="KE", keys=keys_of("FR")))
    with refused("consortium: admin in use"):
        decide(ledger, [NL, KE, SG], consortium.propose_admission(country="FR", keys=keys_of("FR", admin=BR)))
    decide(ledger, [NL, KE], ADMIT_FR)
    decide(ledger, [NL, KE, SG], ADMIT_FR)
    ledger.consortium(SG, consortium.vote(proposal=2, approve=True))  # three of five now
    with refused("consortium: country is a member"):
        ledger.consortium(BR, consortium.vote(proposal=2, approve=True))


@pytest.mark.parametrize("country", [b"nl", b"N1", b"N\0", b"\0N", b"[A"])
def test_admission_is_refused_for_what_is_no_country(ledger, country):
    good = consortium.propose_admission(country="ZZ", keys=keys_of("FR"))
    with refused("consortium: not a country"):
        ledger.consortium(NL, good.replace(b"ZZ" + bytes(30), country + bytes(30), 1))


@pytest.mark.parametrize(
    ("found_bytes", "put", "reason"),
    [
        (keys_of("FR").nodes[0].node_id[:32], bytes(32), "consortium: zero node"),
        (keys_of("FR").nodes[1].node_id[32:], bytes(32), "consortium: zero node"),
        (keys_of("FR").admin, bytes(20), "consortium: zero key"),
        (keys_of("FR").validator, keys_of("FR").admin, "consortium: keys not distinct"),
    ],
)
def test_keys_records_are_refused_when_hollow(ledger, found_bytes, put, reason):
    assert ADMIT_FR.count(found_bytes) == 1
    with refused(reason):
        ledger.consortium(NL, ADMIT_FR.replace(found_bytes, put))


@pytest.mark.parametrize(
    ("encryption_key", "nodes", "reason"),
    [
        (b"", [(b"\1" * 32, b"\2" * 32, "a:1")], "no encryption key"),
        (b"\1", [], "no node"),
        (b"\1", [(b"\1" * 32, b"\2" * 32, "")], "no endpoint"),
    ],
)
def test_keys_records_are_refused_when_parts_are_missing(ledger, encryption_key, nodes, reason):
    record = (address("a"), address("b"), bytes(32), 1, encryption_key, nodes)
    with refused(f"consortium: {reason}"):
        ledger.consortium(NL, interface("Consortium").call("proposeAdmission", b"FR", record))


def test_keys_records_with_the_longest_keys_fit_in_a_transaction(ledger):
    most = make_parameters("FR").per_transaction_gas_limit
    keys = keys_of("FR", node_count=NODES_MAX, encryption_key=b"\xff" * ENCRYPTION_KEY_BYTES_MAX)
    for data in (
        consortium.propose_admission(country="FR", keys=keys),
        consortium.propose_keys(authority=4, keys=keys),
    ):
        assert ledger.copy().consortium(NL, data).gas < most // 3


@pytest.mark.parametrize("letter", [0x00, 0x09, 0x1B, 0x20, 0x21, 0x7E, 0x7F, 0x80, 0xFF])
def test_endpoints_are_printable_ascii(ledger, letter):
    data = consortium.propose_admission(country="FR", keys=keys_of("FR"))
    endpoint = b"0.fr.example:30303"
    assert data.count(endpoint) == 1
    for position in (0, len(endpoint) - 1):
        changed = data.replace(endpoint, endpoint[:position] + bytes([letter]) + endpoint[position + 1 :])
        if 0x21 <= letter <= 0x7E:
            ledger.copy().consortium(NL, changed)
        else:
            with refused("consortium: endpoint"):
                ledger.consortium(NL, changed)


def test_numbers_are_bounded(ledger):
    """As many votes as a word has bits; the count is put where 250 admissions would have brought it."""
    slot = load_artifact("Consortium").layout["authority_count"]
    ledger.state.slots[consortium.ADDRESS, slot] = 254
    decide(ledger, [NL, KE, SG], ADMIT_FR)
    assert ledger.ask_consortium(consortium.authority_of(FR)) == 255
    with refused("consortium: full"):
        decide(ledger, [NL, KE, SG, FR], consortium.propose_admission(country="DE", keys=keys_of("DE")))
    ledger.consortium(FR, consortium.activate())
    assert keys_of("FR").validator in validators(ledger)
    assert ledger.ask_consortium(consortium.standing_at(255, ledger.time)).status == Status.ACTIVE
    assert ledger.ask_consortium(consortium.keys_at(255, ledger.time)) == authority(ledger, 255).keys_id
    assert ledger.ask_consortium(consortium.nodes(255)) == keys_of("FR").nodes
    decide(ledger, [NL, KE, SG], consortium.propose_keys(authority=255, keys=keys_of("FR", admin=FR)))


def test_histories_are_bounded(ledger):
    slot = latest_slot(load_artifact("Consortium").layout, 4)
    word = ledger.state.slots[consortium.ADDRESS, slot]
    ledger.state.slots[consortium.ADDRESS, slot] = word | (2**16 - 1) << 200
    with refused("history: full"):
        decide(ledger, [NL, KE, SG], SUSPEND_BR)


def test_suspends_and_reinstates(ledger):
    seat = keys_of("BR").validator
    roster = ledger.ask_consortium(consortium.roster_version())
    sent = decide(ledger, [NL, KE, SG], SUSPEND_BR)
    assert last_event(sent, events.AuthoritySuspended) == events.AuthoritySuspended(authority=4, reason=7)
    assert last_event(sent, events.ValidatorStoodDown).validators_hash == consortium.hash_validators(validators(ledger))
    assert seat not in validators(ledger)
    assert len(validators(ledger)) == 3
    suspended = authority(ledger, 4)
    assert (suspended.status, suspended.reason, suspended.validating) == (Status.SUSPENDED, 7, False)
    assert not ledger.ask_consortium(consortium.is_active(4))
    assert ledger.ask_consortium(consortium.authority_of(BR)) == 4
    assert ledger.ask_consortium(consortium.active_authority(BR)) == 0
    assert ledger.ask_consortium(consortium.roster_version()) > roster
    for data in (consortium.vote(proposal=1, approve=True), consortium.activate(), consortium.stand_down(), ADMIT_FR):
        with refused("consortium: suspended"):
            ledger.consortium(BR, data)
    with refused("consortium: not active"):
        ledger.consortium(NL, SUSPEND_BR)
    with refused("consortium: suspended"):
        ledger.consortium(BR, consortium.propose_withdrawal(authority=4, reason=1))
    # It may propose its own reinstatement, which is not its vote.
    ledger.consortium(BR, consortium.propose_reinstatement(authority=4))
    assert ledger.ask_consortium(consortium.proposal(2)).approvals == ()
    ledger.consortium(NL, consortium.vote(proposal=2, approve=True))
    sent = ledger.consortium(KE, consortium.vote(proposal=2, approve=True))
    assert last_event(sent, events.AuthorityReinstated).authority == 4
    assert authority(ledger, 4).status == Status.ACTIVE
    assert not authority(ledger, 4).validating
    with refused("consortium: not suspended"):
        ledger.consortium(NL, consortium.propose_reinstatement(authority=4))


def test_votes_of_the_suspended_do_not_count(ledger):
    ledger.consortium(BR, ADMIT_FR)
    ledger.consortium(NL, consortium.vote(proposal=1, approve=True))
    decide(ledger, [NL, KE, SG], SUSPEND_BR)
    # BR's yes no longer counts, and neither does BR among the others: one of three.
    with refused("consortium: not passed"):
        ledger.consortium(NL, consortium.execute(proposal=1))
    ledger.consortium(KE, consortium.vote(proposal=1, approve=True))
    assert authority(ledger, 5).country == "FR"


def test_executes_what_passes_because_fewer_count(ledger):
    ledger.consortium(NL, ADMIT_FR)
    ledger.consortium(KE, consortium.vote(proposal=1, approve=True))
    decide(ledger, [NL, KE, SG], SUSPEND_BR)
    with refused("consortium: suspended"):
        ledger.consortium(BR, consortium.execute(proposal=1))
    with refused("consortium: not an authority"):
        ledger.consortium(STRANGER, consortium.execute(proposal=1))
    sent = ledger.consortium(SG, consortium.execute(proposal=1))
    assert last_event(sent, events.AuthorityAdmitted).authority == 5


def test_withdraws_for_good(ledger):
    sent = decide(ledger, [NL, KE, SG], WITHDRAW_BR)
    assert last_event(sent, events.AuthorityWithdrawn) == events.AuthorityWithdrawn(authority=4, reason=9)
    assert authority(ledger, 4).status == Status.WITHDRAWN
    assert keys_of("BR").validator not in validators(ledger)
    assert ledger.ask_consortium(consortium.authority_of(BR)) == 0
    assert ledger.ask_consortium(consortium.authority_of_country("BR")) == 0
    with refused("consortium: not an authority"):
        ledger.consortium(BR, ADMIT_FR)
    for data, reason in (
        (consortium.propose_reinstatement(authority=4), "consortium: not suspended"),
        (WITHDRAW_BR, "consortium: not a member"),
        (consortium.propose_keys(authority=4, keys=keys_of("new")), "consortium: not a member"),
        (SUSPEND_BR, "consortium: not active"),
    ):
        with refused(reason):
            ledger.consortium(NL, data)
    # The country comes again, under a new number, with its old keys.
    decide(ledger, [NL, KE], consortium.propose_admission(country="BR", keys=keys_of("BR")))
    assert ledger.ask_consortium(consortium.authority_of(BR)) == 5


def test_membership_proposals_are_refused_without_reason_or_subject(ledger):
    for data, reason in (
        (consortium.propose_suspension(authority=4, reason=0), "consortium: no reason"),
        (consortium.propose_withdrawal(authority=4, reason=0), "consortium: no reason"),
        (consortium.propose_suspension(authority=5, reason=1), "consortium: not active"),
        (consortium.propose_suspension(authority=0, reason=1), "consortium: not active"),
        (consortium.propose_suspension(authority=2**200, reason=1), "consortium: not active"),
        (consortium.propose_suspension(authority=257, reason=1), "consortium: not active"),
        (consortium.propose_withdrawal(authority=256 + 4, reason=1), "consortium: not a member"),
        (consortium.propose_reinstatement(authority=4), "consortium: not suspended"),
        (consortium.propose_keys(authority=9, keys=keys_of("FR")), "consortium: not a member"),
    ):
        with refused(reason):
            ledger.consortium(NL, data)


def test_a_stale_reinstatement_cannot_be_executed(ledger):
    decide(ledger, [NL, KE, SG], SUSPEND_BR)
    ledger.consortium(NL, consortium.propose_reinstatement(authority=4))
    decide(ledger, [KE, SG], consortium.propose_reinstatement(authority=4))
    ledger.consortium(KE, consortium.vote(proposal=2, approve=True))  # two of four now
    with refused("consortium: not suspended"):
        ledger.consortium(SG, consortium.vote(proposal=2, approve=True))


def test_stale_proposals_cannot_be_executed(ledger):
    decide(ledger, [NL, KE], SUSPEND_BR)
    decide(ledger, [NL, KE, SG], WITHDRAW_BR)
    with refused("consortium: not active"):
        ledger.consortium(SG, consortium.vote(proposal=1, approve=True))


# The set of validators


def test_an_admitted_authority_takes_and_gives_up_its_seat(ledger):
    decide(ledger, [NL, KE, SG], ADMIT_FR)
    assert len(validators(ledger)) == 4
    sent = ledger.consortium(FR, consortium.activate())
    activated = last_event(sent, events.ValidatorActivated)
    assert (activated.authority, activated.validator) == (5, keys_of("FR").validator)
    assert activated.validators_hash == consortium.hash_validators(validators(ledger))
    assert validators(ledger) == tuple(sorted(keys_of(country).validator for country in ("NL", "KE", "SG", "BR", "FR")))
    assert ledger.ask_consortium(consortium.last_set_change()) == ledger.number
    with refused("consortium: already validating"):
        ledger.consortium(FR, consortium.activate())
    with refused("consortium: set changed lately"):
        ledger.consortium(NL, consortium.stand_down())
    ledger.pass_blocks(SPACING_BLOCKS)
    sent = ledger.consortium(NL, consortium.stand_down())
    assert last_event(sent, events.ValidatorStoodDown).validator == keys_of("NL").validator
    assert keys_of("NL").validator not in validators(ledger)
    with refused("consortium: not validating"):
        ledger.consortium(NL, consortium.stand_down())
    with refused("consortium: set changed lately"):
        ledger.consortium(NL, consortium.activate())
    for data in (consortium.activate(), consortium.stand_down()):
        with refused("consortium: not an authority"):
            ledger.consortium(STRANGER, data)


def test_spacing_is_counted_in_blocks(ledger):
    ledger.consortium(NL, consortium.stand_down())
    ledger.pass_blocks(SPACING_BLOCKS - 2)
    with refused("consortium: set changed lately"):
        ledger.consortium(KE, consortium.stand_down())  # SPACING_BLOCKS - 1 after
    ledger.consortium(KE, consortium.stand_down())
    assert len(validators(ledger)) == 2


def test_the_last_seat_stays_taken():
    ledger = found(founding(["NL", "KE"]))
    ledger.pass_blocks(SPACING_BLOCKS)
    ledger.consortium(NL, consortium.stand_down())
    ledger.pass_blocks(SPACING_BLOCKS)
    with refused("consortium: last validator"):
        ledger.consortium(KE, consortium.stand_down())
    with refused("consortium: last validator"):
        decide(ledger, [NL, KE], consortium.propose_suspension(authority=2, reason=1))
    with refused("consortium: last validator"):
        decide(ledger, [NL, KE], consortium.propose_withdrawal(authority=2, reason=1))
    assert validators(ledger) == (keys_of("KE").validator,)


def test_the_set_is_bounded():
    countries = [chr(65 + i // 26) + chr(65 + i % 26) for i in range(consortium.VALIDATORS_MAX)]
    ledger = found(founding(countries))
    ledger.pass_blocks(SPACING_BLOCKS)
    admins = [keys_of(country).admin for country in countries]
    decide(ledger, admins[:43], consortium.propose_admission(country="ZZ", keys=keys_of("ZZ")))
    newcomer = keys_of("ZZ").admin
    with refused("consortium: set is full"):
        ledger.consortium(newcomer, consortium.activate())
    ledger.consortium(admins[30], consortium.stand_down())
    assert len(validators(ledger)) == 63
    ledger.pass_blocks(SPACING_BLOCKS)
    ledger.consortium(newcomer, consortium.activate())
    assert len(validators(ledger)) == 64


def test_what_changes_the_set_waits_for_the_spacing(ledger):
    ledger.consortium(NL, consortium.stand_down())
    sent = decide(ledger, [NL, KE, SG], SUSPEND_BR)
    assert sent.events[-1] == events.ProposalPassed(proposal=1)
    assert ledger.ask_consortium(consortium.proposal(1)).status == ProposalStatus.PASSED
    assert authority(ledger, 4).status == Status.ACTIVE
    with refused("consortium: set changed lately"):
        ledger.consortium(KE, consortium.execute(proposal=1))
    with refused("consortium: not open"):
        ledger.consortium(BR, consortium.vote(proposal=1, approve=False))
    ledger.pass_blocks(SPACING_BLOCKS)
    waiting = ledger.copy()
    sent = ledger.consortium(KE, consortium.execute(proposal=1))
    assert last_event(sent, events.AuthoritySuspended).authority == 4
    with refused("consortium: not passed"):
        ledger.consortium(KE, consortium.execute(proposal=1))
    waiting.time += PERIOD_S
    with refused("consortium: expired"):
        waiting.consortium(KE, consortium.execute(proposal=1))


def test_what_leaves_the_set_alone_does_not_wait(ledger):
    ledger.consortium(BR, consortium.stand_down())
    decide(ledger, [NL, KE, SG], SUSPEND_BR)
    assert authority(ledger, 4).status == Status.SUSPENDED


# Keys


def test_replaces_keys_and_keeps_the_old_record(ledger):
    before = ledger.time
    new = keys_of("KE 2")
    sent = decide(ledger, [NL, KE, SG], consortium.propose_keys(authority=2, keys=new))
    assert last_event(sent, events.KeysReplaced) == events.KeysReplaced(authority=2, keys_id=5, epoch=2)
    assert last_event(sent, events.ValidatorActivated).validator == new.validator
    assert validators(ledger) == tuple(sorted([new.validator, *(keys_of(c).validator for c in ("NL", "SG", "BR"))]))
    assert authority(ledger, 2).keys_id == 5
    assert authority(ledger, 2).epoch == 2
    assert ledger.ask_consortium(consortium.keys(2)) == keys_of("KE")
    assert ledger.ask_consortium(consortium.keys(5)) == new
    assert ledger.ask_consortium(consortium.nodes(2)) == new.nodes
    assert ledger.ask_consortium(consortium.keys_at(2, before)) == 2
    assert ledger.ask_consortium(consortium.keys_at(2, ledger.time)) == 5
    assert ledger.ask_consortium(consortium.keys_at(2, FOUNDED_AT - 1)) == 0
    assert ledger.ask_consortium(consortium.authority_of(KE)) == 0
    assert ledger.ask_consortium(consortium.authority_of(new.admin)) == 2
    assert not ledger.ask_consortium(consortium.may_connect(keys_of("KE").nodes[0].node_id))
    assert ledger.ask_consortium(consortium.may_connect(new.nodes[1].node_id))
    with refused("consortium: not an authority"):
        ledger.consortium(KE, ADMIT_FR)


def test_replacing_other_keys_leaves_the_set_alone(ledger):
    ledger.consortium(NL, consortium.stand_down())
    new = keys_of("KE 2", validator=keys_of("KE").validator, nodes=keys_of("KE").nodes)
    decide(ledger, [NL, KE, SG], consortium.propose_keys(authority=2, keys=new))
    assert authority(ledger, 2).epoch == 2
    assert keys_of("KE").validator in validators(ledger)


def test_a_new_validator_key_waits_for_the_spacing(ledger):
    ledger.consortium(NL, consortium.stand_down())
    decide(ledger, [NL, KE, SG], consortium.propose_keys(authority=2, keys=keys_of("KE 2")))
    assert authority(ledger, 2).epoch == 1
    ledger.pass_blocks(SPACING_BLOCKS)
    ledger.consortium(BR, consortium.execute(proposal=1))
    assert keys_of("KE 2").validator in validators(ledger)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"admin": SG}, "consortium: admin in use"),
        ({"validator": keys_of("SG").validator}, "consortium: validator in use"),
        ({"nodes": keys_of("SG").nodes[1:]}, "consortium: node in use"),
    ],
)
def test_keys_of_others_are_refused(ledger, changes, reason):
    with refused(reason):
        decide(ledger, [NL, KE, SG], consortium.propose_keys(authority=2, keys=keys_of("KE 2", **changes)))


def test_a_suspended_authority_may_propose_its_own_new_keys_only(ledger):
    decide(ledger, [NL, KE, SG], SUSPEND_BR)
    new = keys_of("BR 2")
    with refused("consortium: suspended"):
        ledger.consortium(BR, consortium.propose_keys(authority=3, keys=new))
    ledger.consortium(BR, consortium.propose_keys(authority=4, keys=new))
    ledger.consortium(NL, consortium.vote(proposal=2, approve=True))
    ledger.consortium(KE, consortium.vote(proposal=2, approve=True))
    assert ledger.ask_consortium(consortium.authority_of(new.admin)) == 4
    assert len(validators(ledger)) == 3


# Parameters and the Directory


@pytest.mark.parametrize(
    ("parameter", "least", "most"),
    [
        (Parameter.SPACING_BLOCKS, 1, 100_000),
        (Parameter.PROPOSAL_PERIOD_S, 60, 31_536_000),
        (Parameter.PARTICIPANTS_DEPLOY, 0, 1),
    ],
)
def test_parameters_have_bounds(ledger, parameter, least, most):
    for amount in (least, most):
        decide(ledger, [NL, KE, SG], consortium.propose_parameter(parameter=parameter, amount=amount))
        assert ledger.ask_consortium(consortium.parameter(parameter)) == amount
    for amount in (least - 1, most + 1):
        if amount >= 0:
            with refused("consortium: parameter out of bounds"):
                ledger.consortium(NL, consortium.propose_parameter(parameter=parameter, amount=amount))


def test_unknown_parameters_are_refused(ledger):
    for number in (0, 4, 255):
        with refused("consortium: unknown parameter"):
            ledger.consortium(NL, consortium.propose_parameter(parameter=number, amount=1))


def test_sets_a_directory_entry_by_vote(ledger):
    data = consortium.propose_entry(name="Measures", target=participants.ADDRESS)
    sent = decide(ledger, [NL, KE, SG], data)
    assert sent.events[-1] == events.EntrySet(
        name=b"Measures".ljust(32, b"\0"), target=participants.ADDRESS, previous=bytes(20)
    )
    assert ledger.ask_directory(directory.address_of("Measures")) == participants.ADDRESS
    for changed, reason in (
        (consortium.propose_entry(name="Consortium", target=participants.ADDRESS), "consortium: fixed name"),
        (consortium.propose_entry(name="Measures", target=bytes(20)), "consortium: zero name or target"),
    ):
        with refused(reason):
            ledger.consortium(NL, changed)
    with refused("directory: not a contract"):
        decide(ledger, [NL, KE, SG], consortium.propose_entry(name="Measures", target=NL))


def test_accepts_a_code_list_edition_by_vote(ledger):
    data = consortium.propose_code_list(name="HS", edition=b"\5" * 32)
    decide(ledger, [NL, KE, SG], data)
    assert ledger.ask_directory(directory.code_list("HS")) == b"\5" * 32
    with refused("directory: known edition"):
        decide(ledger, [NL, KE, SG], data)
    with refused("consortium: zero name or edition"):
        ledger.consortium(NL, consortium.propose_code_list(name="HS", edition=bytes(32)))


# Who may


def accredited(ledger):
    key = address("chamber")
    ledger.participants(
        KE,
        participants.accredit(
            identity=b"\1" * 32,
            roles=Role.CHAMBER,
            kinds={1},
            valid_from=FOUNDED_AT,
            valid_to=ledger.time + 10_000,
            keys=[key],
        ),
    )
    return key


def may_transact(ledger, account):
    return ledger.ask_consortium(consortium.may_transact(account))


def may_deploy(ledger, account):
    return ledger.ask_consortium(consortium.may_deploy(account))


def test_admins_may_transact_even_suspended_but_strangers_may_not(ledger):
    for admin in ADMINS:
        assert may_transact(ledger, admin)
        assert may_deploy(ledger, admin)
    for account in (STRANGER, bytes(20), keys_of("NL").validator, consortium.ADDRESS):
        assert not may_transact(ledger, account)
        assert not may_deploy(ledger, account)
    decide(ledger, [NL, KE, SG], SUSPEND_BR)
    assert may_transact(ledger, BR)
    assert not may_deploy(ledger, BR)
    decide(ledger, [NL, KE], WITHDRAW_BR)
    assert not may_transact(ledger, BR)


def test_participants_may_transact_while_their_mandate_and_authority_stand(ledger):
    key = accredited(ledger)
    assert may_transact(ledger, key)
    suspended, expired, without_authority = ledger.copy(), ledger.copy(), ledger.copy()
    suspended.participants(KE, participants.suspend(participant=1, reason=1))
    assert not may_transact(suspended, key)
    suspended.participants(KE, participants.reinstate(participant=1))
    assert may_transact(suspended, key)
    suspended.participants(KE, participants.remove_key(participant=1, key=key))
    assert not may_transact(suspended, key)
    expired.time += 10_000
    assert not may_transact(expired, key)
    decide(without_authority, [NL, SG, BR], consortium.propose_suspension(authority=2, reason=1))
    assert not may_transact(without_authority, key)
    assert may_transact(without_authority, KE)


def test_participants_deploy_only_by_parameter(ledger):
    key = accredited(ledger)
    assert not may_deploy(ledger, key)
    decide(ledger, [NL, KE, SG], consortium.propose_parameter(parameter=Parameter.PARTICIPANTS_DEPLOY, amount=1))
    assert may_deploy(ledger, key)
    assert not may_deploy(ledger, STRANGER)


def test_nodes_of_active_authorities_may_connect(ledger):
    for node in keys_of("BR").nodes:
        assert ledger.ask_consortium(consortium.may_connect(node.node_id))
    assert not ledger.ask_consortium(consortium.may_connect(keys_of("FR").nodes[0].node_id))
    decide(ledger, [NL, KE, SG], SUSPEND_BR)
    assert not ledger.ask_consortium(consortium.may_connect(keys_of("BR").nodes[0].node_id))


def test_may_transact_is_cheap(ledger):
    key = accredited(ledger)
    for account, most in ((KE, 3_000), (key, 18_000), (STRANGER, 16_000)):
        _, gas = ledger.ask_bytes(consortium.ADDRESS, consortium.may_transact(account).data)
        assert gas < most
    _, gas = ledger.ask_bytes(consortium.ADDRESS, consortium.get_validators().data)
    assert gas < 12_000


# History


def test_standing_is_known_for_every_day(ledger):
    assert not ledger.ask_consortium(consortium.was_active(4, FOUNDED_AT - 1))
    decide(ledger, [NL, KE, SG], SUSPEND_BR)
    suspended_at = ledger.time
    ledger.pass_blocks(1)
    decide(ledger, [NL, KE], consortium.propose_reinstatement(authority=4))
    reinstated_at = ledger.time
    for time, active in (
        (FOUNDED_AT, True),
        (suspended_at - 1, True),
        (suspended_at, False),
        (reinstated_at - 1, False),
        (reinstated_at, True),
        (reinstated_at + 10**9, True),
    ):
        assert ledger.ask_consortium(consortium.was_active(4, time)) is active
    standing = ledger.ask_consortium(consortium.standing_at(4, reinstated_at - 1))
    assert standing == consortium.Standing(Status.SUSPENDED, suspended_at, 7)
    assert ledger.ask_consortium(consortium.standing_at(9, 1)) == consortium.Standing(Status.UNKNOWN, 0, 0)


@pytest.mark.parametrize("number", [0, 5, 255, 256, 257, 260, 2**256 - 1])
def test_unknown_numbers_give_zeros(ledger, number):
    assert authority(ledger, number).status == Status.UNKNOWN
    assert not ledger.ask_consortium(consortium.is_active(number))
    assert not ledger.ask_consortium(consortium.was_active(number, FOUNDED_AT))
    assert ledger.ask_consortium(consortium.keys_at(number, FOUNDED_AT)) == 0
    assert ledger.ask_consortium(consortium.nodes(number)) == ()
    assert ledger.ask_consortium(consortium.proposal(number)).kind == ProposalKind.NONE
    assert ledger.ask_consortium(consortium.keys(number or 9)).admin == bytes(20)
