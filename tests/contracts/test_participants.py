"""Participants on the real EVM: each thing that is allowed has its refusals beside it."""

import pytest
from contract_ledger import FOUNDED_AT, KE, NL, SG, STRANGER, address, decide, founded, keys_of

from cocket.contracts import consortium, directory, events, participants
from cocket.contracts.abi import interface
from cocket.contracts.artifact import load_artifact
from cocket.contracts.errors import ContractRefusal
from cocket.contracts.participants import Issuer, KeySpan, MandateStatus, Role, SealSpan

KEY, OTHER_KEY, THIRD_KEY = address("chamber 0"), address("chamber 1"), address("chamber 2")
IDENTITY = b"\1" * 32
FROM, TO = FOUNDED_AT, FOUNDED_AT + 100_000


def accredit(**changes):
    values = {"identity": IDENTITY, "roles": Role.CHAMBER, "kinds": {1, 3}, "valid_from": FROM, "valid_to": TO}
    return participants.accredit(**({"keys": [KEY, OTHER_KEY]} | values | changes))


@pytest.fixture
def empty_ledger():
    return founded()


@pytest.fixture
def ledger():
    found = founded()
    found.participants(KE, accredit())
    return found


def refused(reason):
    return pytest.raises(ContractRefusal, match=f"^{reason}$")


def mandate(ledger):
    return ledger.ask_participants(participants.mandate(1))


def test_accredits(empty_ledger):
    sent = empty_ledger.participants(KE, accredit(roles=Role.CHAMBER | Role.EXPORTER))
    assert sent.events == (
        events.ParticipantAccredited(1, 2, IDENTITY, Role.CHAMBER | Role.EXPORTER, frozenset({1, 3}), FROM, TO),
        events.KeyAdded(1, KEY),
        events.KeyAdded(1, OTHER_KEY),
    )
    found = mandate(empty_ledger)
    assert (found.status, found.authority, found.kinds) == (MandateStatus.ACTIVE, 2, {1, 3})
    assert (found.valid_from, found.valid_to, found.since, found.sequence) == (FROM, TO, empty_ledger.time, 0)
    assert empty_ledger.ask_participants(participants.participant_of(OTHER_KEY)) == 1
    assert empty_ledger.ask_participants(participants.participant_by_identity(IDENTITY)) == 1
    assert empty_ledger.ask_participants(participants.identity_of(1)) == IDENTITY
    assert empty_ledger.ask_participants(participants.participant_count()) == 1
    assert empty_ledger.ask_participants(participants.is_active(KEY))
    assert empty_ledger.ask_participants(participants.authority_behind(KEY)) == 2
    assert empty_ledger.ask_participants(participants.issuer(KEY, 3)) == Issuer(participant=1, authority=2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"identity": bytes(32)}, "participants: zero identity"),
        ({"roles": 0}, "participants: unknown role"),
        ({"roles": 64}, "participants: unknown role"),
        ({"valid_from": TO}, "participants: empty period"),
        ({"valid_from": 0, "valid_to": FOUNDED_AT}, "participants: period is over"),
        ({"keys": []}, "participants: no key"),
        ({"keys": [bytes(20)]}, "participants: zero key"),
        ({"keys": [KEY, KEY]}, "participants: key in use"),
    ],
)
def test_accrediting_is_refused(empty_ledger, changes, reason):
    with refused(reason):
        empty_ledger.participants(KE, accredit(**changes))


def test_accrediting_the_same_twice_is_refused(ledger):
    with refused("participants: known identity"):
        ledger.participants(KE, accredit(keys=[THIRD_KEY]))
    with refused("participants: known identity"):
        ledger.participants(NL, accredit(keys=[THIRD_KEY]))
    with refused("participants: key in use"):
        ledger.participants(NL, accredit(identity=b"\2" * 32))
    ledger.participants(NL, accredit(identity=b"\2" * 32, keys=[THIRD_KEY]))
    assert ledger.ask_participants(participants.participant_of(THIRD_KEY)) == 2


def test_values_beyond_their_types_are_refused_without_a_reason(empty_ledger):
    good = accredit(keys=[KEY])
    too_many = interface("Participants").call("accredit", IDENTITY, 1, 2, FROM, TO, [address(str(i)) for i in range(9)])
    wide_role = good[:4] + good[4:36] + (256).to_bytes(32, "big") + good[68:]
    for data in (too_many, wide_role, b"", b"\1\2\3\4"):
        with pytest.raises(ContractRefusal, match="without a reason"):
            empty_ledger.participants(KE, data)


WRITES = {
    "change": participants.change_mandate(participant=1, roles=Role.PORT, kinds={2}, valid_from=FROM, valid_to=TO),
    "suspend": participants.suspend(participant=1, reason=5),
    "end": participants.end(participant=1, reason=5),
    "add key": participants.add_key(participant=1, key=THIRD_KEY),
    "remove key": participants.remove_key(participant=1, key=KEY),
}


@pytest.mark.parametrize("name", WRITES)
def test_only_the_accrediting_authority_while_active(ledger, name):
    data = WRITES[name]
    with refused("participants: not its authority"):
        ledger.participants(NL, data)
    for sender in (STRANGER, keys_of("KE").validator):
        with refused("participants: not an active authority"):
            ledger.participants(sender, data)
    without_authority = ledger.copy()
    decide(without_authority, [NL, KE, SG], consortium.propose_suspension(authority=2, reason=1))
    with refused("participants: not an active authority"):
        without_authority.participants(KE, data)
    ledger.participants(KE, data)


@pytest.mark.parametrize("name", ["change", "suspend", "end", "add key"])
def test_unknown_and_ended_participants_are_refused(ledger, name):
    number = (1).to_bytes(32, "big")
    unknown = WRITES[name].replace(number, (2).to_bytes(32, "big"), 1)
    with refused("participants: unknown participant"):
        ledger.participants(KE, unknown)
    ledger.participants(KE, participants.end(participant=1, reason=5))
    with refused("participants: ended"):
        ledger.participants(KE, WRITES[name])


def test_accrediting_needs_an_active_authority(empty_ledger):
    with refused("participants: not an active authority"):
        empty_ledger.participants(STRANGER, accredit())
    decide(empty_ledger, [NL, KE, SG], consortium.propose_suspension(authority=2, reason=1))
    with refused("participants: not an active authority"):
        empty_ledger.participants(KE, accredit())


def test_suspends_and_reinstates(ledger):
    sent = ledger.participants(KE, participants.suspend(participant=1, reason=5))
    assert sent.events == (events.ParticipantSuspended(participant=1, reason=5),)
    assert (mandate(ledger).status, mandate(ledger).reason) == (MandateStatus.SUSPENDED, 5)
    assert not ledger.ask_participants(participants.is_active(KEY))
    assert ledger.ask_participants(participants.authority_behind(KEY)) == 0
    with refused("participants: not active"):
        ledger.participants(KE, participants.suspend(participant=1, reason=5))
    # Another scope does not lift the suspension.
    ledger.participants(KE, WRITES["change"])
    assert mandate(ledger).status == MandateStatus.SUSPENDED
    sent = ledger.participants(KE, participants.reinstate(participant=1))
    assert sent.events == (events.ParticipantReinstated(participant=1),)
    assert (mandate(ledger).status, mandate(ledger).reason) == (MandateStatus.ACTIVE, 0)
    with refused("participants: not suspended"):
        ledger.participants(KE, participants.reinstate(participant=1))


def test_a_suspension_and_an_end_need_a_reason(ledger):
    for data in (participants.suspend(participant=1, reason=0), participants.end(participant=1, reason=0)):
        with refused("participants: no reason"):
            ledger.participants(KE, data)


def test_ends_for_good(ledger):
    sent = ledger.participants(KE, participants.end(participant=1, reason=5))
    assert sent.events == (events.ParticipantEnded(participant=1, reason=5),)
    assert mandate(ledger).status == MandateStatus.ENDED
    assert not ledger.ask_participants(participants.is_active(KEY))
    with refused("participants: ended"):
        ledger.participants(KE, participants.reinstate(participant=1))


def test_changes_the_mandate(ledger):
    data = participants.change_mandate(
        participant=1, roles=Role.EXPORTER, kinds={63}, valid_from=FROM + 1, valid_to=TO + 1
    )
    sent = ledger.participants(KE, data)
    assert sent.events == (events.MandateChanged(1, Role.EXPORTER, frozenset({63}), FROM + 1, TO + 1),)
    found = mandate(ledger)
    assert (found.roles, found.kinds, found.valid_from, found.valid_to) == (Role.EXPORTER, {63}, FROM + 1, TO + 1)
    assert found.sequence == 1
    assert ledger.ask_participants(participants.issuer(KEY, 63)) == Issuer(1, 2)
    assert ledger.ask_participants(participants.entitled(1, 63, ledger.time))
    # Kind 64 is no kind, although the next bit (of an odd valid_from) is set.
    assert not ledger.ask_participants(participants.entitled(1, 64, ledger.time))
    with refused("participants: outside its scope"):
        ledger.ask_participants(participants.issuer(KEY, 64))
    for changes, reason in (
        ({"roles": 64}, "participants: unknown role"),
        ({"valid_from": TO}, "participants: empty period"),
        ({"valid_from": 1, "valid_to": FOUNDED_AT + 1}, "participants: period is over"),
    ):
        values = {"participant": 1, "roles": Role.CHAMBER, "kinds": {1}, "valid_from": FROM, "valid_to": TO} | changes
        with refused(reason):
            ledger.participants(KE, participants.change_mandate(**values))


# Who may issue


def test_issuer_says_why_not(ledger):
    ledger.participants(KE, accredit(identity=b"\2" * 32, roles=Role.PORT | Role.AUDITOR, keys=[THIRD_KEY]))
    suspended = ledger.copy()
    suspended.participants(KE, participants.suspend(participant=1, reason=5))
    early = ledger.copy()
    early.time = FROM - 1
    late = ledger.copy()
    late.time = TO
    for where, key, kind, reason in (
        (ledger, STRANGER, 1, "unknown key"),
        (ledger, THIRD_KEY, 1, "not an issuer"),
        (ledger, KEY, 2, "outside its scope"),
        (ledger, KEY, 64, "outside its scope"),
        (ledger, KEY, 255, "outside its scope"),
        (suspended, KEY, 1, "not active"),
        (early, KEY, 1, "outside its dates"),
        (late, KEY, 1, "outside its dates"),
    ):
        with refused(f"participants: {reason}"):
            where.ask_participants(participants.issuer(key, kind))
    late.time = TO - 1
    assert late.ask_participants(participants.issuer(KEY, 1)) == Issuer(1, 2)
    early.time = FROM
    assert early.ask_participants(participants.issuer(KEY, 1)) == Issuer(1, 2)


def test_entitled_on_that_day(ledger):
    def entitled(time, kind=1, participant=1):
        return ledger.ask_participants(participants.entitled(participant, kind, time))

    accredited_at = ledger.time
    assert entitled(accredited_at)
    assert not entitled(accredited_at - 1)
    assert not entitled(accredited_at, kind=2)
    assert not entitled(accredited_at, kind=200)
    assert not entitled(accredited_at, participant=2)
    assert entitled(TO - 1)
    assert not entitled(TO)
    ledger.pass_blocks(5)
    ledger.participants(KE, participants.suspend(participant=1, reason=5))
    suspended_at = ledger.time
    ledger.pass_blocks(5)
    ledger.participants(KE, participants.reinstate(participant=1))
    reinstated_at = ledger.time
    assert entitled(suspended_at - 1)
    assert not entitled(suspended_at)
    assert not entitled(reinstated_at - 1)
    assert entitled(reinstated_at)
    decide(ledger, [NL, KE, SG], consortium.propose_suspension(authority=2, reason=1))
    assert not entitled(ledger.time)
    assert entitled(ledger.time - 1)
    decide(ledger, [NL, SG], consortium.propose_reinstatement(authority=2))
    assert entitled(ledger.time)
    ledger.participants(KE, WRITES["change"])
    assert not entitled(ledger.time)
    assert entitled(ledger.time - 1)
    at = ledger.ask_participants(participants.mandate_at(1, suspended_at))
    assert (at.status, at.reason, at.since) == (MandateStatus.SUSPENDED, 5, suspended_at)
    assert ledger.ask_participants(participants.mandate_at(1, FOUNDED_AT)).status == MandateStatus.UNKNOWN


# Keys


def test_adds_and_removes_keys_for_good(ledger):
    sent = ledger.participants(KE, WRITES["add key"])
    assert sent.events == (events.KeyAdded(1, THIRD_KEY),)
    added_at = ledger.time
    assert ledger.ask_participants(participants.key_span(1, THIRD_KEY)) == KeySpan(added_at, 0)
    with refused("participants: key in use"):
        ledger.participants(KE, WRITES["add key"])
    sent = ledger.participants(KE, participants.remove_key(participant=1, key=THIRD_KEY))
    assert sent.events == (events.KeyRemoved(1, THIRD_KEY),)
    assert ledger.ask_participants(participants.key_span(1, THIRD_KEY)) == KeySpan(added_at, ledger.time)
    assert ledger.ask_participants(participants.participant_of(THIRD_KEY)) == 0
    with refused("participants: unknown key"):
        ledger.ask_participants(participants.issuer(THIRD_KEY, 1))
    with refused("participants: key was removed"):
        ledger.participants(KE, WRITES["add key"])
    with refused("participants: not its key"):
        ledger.participants(KE, participants.remove_key(participant=1, key=THIRD_KEY))
    assert ledger.ask_participants(participants.key_span(1, STRANGER)) == KeySpan(0, 0)
    with refused("participants: zero key"):
        ledger.participants(KE, participants.add_key(participant=1, key=bytes(20)))


def test_a_participant_removes_its_own_keys_but_adds_none(ledger):
    with refused("participants: not an active authority"):
        ledger.participants(KEY, WRITES["add key"])
    ledger.participants(KE, accredit(identity=b"\2" * 32, keys=[THIRD_KEY]))
    with refused("participants: not an active authority"):
        ledger.participants(THIRD_KEY, WRITES["remove key"])
    ledger.participants(OTHER_KEY, WRITES["remove key"])
    assert ledger.ask_participants(participants.participant_of(KEY)) == 0
    ledger.participants(OTHER_KEY, participants.remove_key(participant=1, key=OTHER_KEY))
    with refused("participants: not its key"):
        ledger.participants(OTHER_KEY, participants.remove_key(participant=1, key=OTHER_KEY))


def test_nobodys_key_is_nobodys_to_remove(ledger):
    for number in (0, 1, 2):
        with refused("participants: not its key"):
            ledger.participants(KE, participants.remove_key(participant=number, key=STRANGER))


def test_keys_are_bounded(ledger):
    for i in range(2, 64):
        ledger.participants(KE, participants.add_key(participant=1, key=address(f"chamber {i}")))
    with refused("participants: too many keys"):
        ledger.participants(KE, participants.add_key(participant=1, key=address("one too many")))
    ledger.participants(KE, WRITES["remove key"])
    ledger.participants(KE, participants.add_key(participant=1, key=address("one too many")))


def test_numbers_are_bounded(ledger):
    slot = load_artifact("Participants").layout["participant_count"]
    ledger.state.slots[participants.ADDRESS, slot] = 2**32 - 2
    ledger.participants(KE, accredit(identity=b"\2" * 32, keys=[THIRD_KEY]))
    assert ledger.ask_participants(participants.participant_of(THIRD_KEY)) == 2**32 - 1
    with refused("participants: full"):
        ledger.participants(KE, accredit(identity=b"\3" * 32, keys=[address("another")]))


# Proof


def test_slots_hold_the_history(ledger):
    ledger.participants(KE, participants.suspend(participant=1, reason=5))
    ledger.participants(KE, participants.reinstate(participant=1))

    def read(slot):
        return participants.decode_mandate_word(ledger.state.storage(participants.ADDRESS, slot))

    assert read(participants.mandate_slot(1)) == mandate(ledger)
    second = read(participants.past_mandate_slot(1, 1))
    assert (second.status, second.reason, second.sequence) == (MandateStatus.SUSPENDED, 5, 1)
    assert read(participants.past_mandate_slot(1, 0)).sequence == 0
    assert read(participants.mandate_slot(2)).status == MandateStatus.UNKNOWN


def test_finds_the_consortium_through_the_directory(ledger):
    assert ledger.ask_directory(directory.address_of(directory.PARTICIPANTS)) == participants.ADDRESS
    # Without a directory nobody is an authority: nothing may be written.
    del ledger.state.accounts[directory.ADDRESS]
    with pytest.raises(ContractRefusal):
        ledger.participants(KE, accredit(identity=b"\2" * 32, keys=[THIRD_KEY]))


# -- seals -------------------------------------------------------------------------------------------------------------

BINDING, OTHER_BINDING = b"\2" * 32, b"\3" * 32


def bind(ledger, sender=KEY, binding=BINDING, expires=TO, participant=1):
    data = participants.bind_seal(participant=participant, binding=binding, expires=expires)
    return ledger.participants(sender, data)


def unbind(ledger, sender=KEY, reason=4, participant=1):
    return ledger.participants(sender, participants.unbind_seal(participant=participant, reason=reason))


def seal_of(ledger):
    return ledger.ask_participants(participants.seal_of(1))


def span(ledger, binding):
    return ledger.ask_participants(participants.seal_span(1, binding))


def test_a_participant_binds_its_seal_and_another_takes_its_place(ledger):
    assert bind(ledger).events == (events.SealBound(1, BINDING, TO),)
    bound_at = ledger.time
    assert seal_of(ledger) == BINDING
    assert span(ledger, BINDING) == SealSpan(bound_at, 0, TO)
    assert span(ledger, OTHER_BINDING) == SealSpan(0, 0, 0)
    ledger.time += 50
    sent = bind(ledger, OTHER_KEY, OTHER_BINDING, TO + 9)
    assert sent.events == (events.SealUnbound(1, BINDING, 0), events.SealBound(1, OTHER_BINDING, TO + 9))
    assert span(ledger, BINDING) == SealSpan(bound_at, ledger.time, TO)
    assert span(ledger, OTHER_BINDING) == SealSpan(ledger.time, 0, TO + 9)
    assert seal_of(ledger) == OTHER_BINDING


def test_only_its_own_keys_bind_a_seal(ledger):
    for sender in (STRANGER, KE, NL):
        with refused("participants: not its key"):
            bind(ledger, sender)
    with refused("participants: not its key"):
        bind(ledger, participant=0)
    ledger.participants(KE, participants.remove_key(participant=1, key=KEY))
    with refused("participants: not its key"):
        bind(ledger)
    bind(ledger, OTHER_KEY)


def test_a_binding_is_used_once_and_ends_in_time(ledger):
    with refused("participants: zero binding"):
        bind(ledger, binding=bytes(32))
    with refused("participants: seal is over"):
        bind(ledger, expires=ledger.time)
    bind(ledger)
    with refused("participants: binding was used"):
        bind(ledger)
    unbind(ledger)
    with refused("participants: binding was used"):
        bind(ledger)


@pytest.mark.parametrize("sender", [KEY, OTHER_KEY, KE])
def test_the_participant_and_its_authority_end_a_seal(ledger, sender):
    bind(ledger)
    bound_at = ledger.time
    ledger.time += 50
    assert unbind(ledger, sender).events == (events.SealUnbound(1, BINDING, 4),)
    assert seal_of(ledger) == bytes(32)
    assert span(ledger, BINDING) == SealSpan(bound_at, ledger.time, TO)
    with refused("participants: no seal"):
        unbind(ledger, sender)


def test_nobody_else_ends_a_seal(ledger):
    bind(ledger)
    with refused("participants: not its authority"):
        unbind(ledger, NL)
    with refused("participants: not an active authority"):
        unbind(ledger, STRANGER)
    with refused("participants: no reason"):
        unbind(ledger, reason=0)
    assert seal_of(ledger) == BINDING
