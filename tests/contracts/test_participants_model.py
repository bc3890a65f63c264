"""Participants and the Directory against models in Python: any order of calls and days, reason for reason."""

import copy
from dataclasses import dataclass, field, replace

from contract_ledger import ADMINS, BR, FOUNDED_AT, KE, NL, SG, STRANGER, address, decide, founded
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cocket.contracts import access, certificates, consortium, directory, participants
from cocket.contracts.errors import ContractRefusal
from cocket.contracts.participants import KeySpan, MandateStatus, Role

KEYS = tuple(address(f"key {i}") for i in range(6))
SENDERS = (KE, NL, SG, *KEYS, STRANGER)
IDENTITIES = tuple(bytes([i]) * 32 for i in range(1, 9))
ACTIVE, SUSPENDED, ENDED = MandateStatus.ACTIVE, MandateStatus.SUSPENDED, MandateStatus.ENDED

run_settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class No(Exception):
    """The model's refusal."""


def demand(condition, reason):
    if not condition:
        raise No(reason)


@dataclass(frozen=True)
class Terms:
    """What a mandate says from a time on."""

    status: MandateStatus
    roles: Role
    kinds: frozenset[int]
    valid_from: int
    valid_to: int
    reason: int = 0


@dataclass
class ModelParticipant:
    authority: int
    identity: bytes
    history: list[tuple[int, Terms]] = field(default_factory=list)
    spans: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    @property
    def terms(self):
        return self.history[-1][1]

    def terms_at(self, time):
        return next((terms for since, terms in reversed(self.history) if since <= time), None)


class Model:
    def __init__(self):
        self.time = 0
        self.participants = {}
        self.holders = {}
        self.standing = {number: [(FOUNDED_AT, True)] for number in range(1, 5)}

    def was_active(self, authority, time):
        return next((active for since, active in reversed(self.standing[authority]) if since <= time), False)

    def sender_authority(self, sender):
        number = ADMINS.index(sender) + 1 if sender in ADMINS else 0
        demand(number and self.was_active(number, self.time), "not an active authority")
        return number

    def own(self, sender, number):
        authority = self.sender_authority(sender)
        demand(number in self.participants, "unknown participant")
        demand(self.participants[number].authority == authority, "not its authority")
        demand(self.participants[number].terms.status != ENDED, "ended")
        return self.participants[number]

    def check(self, terms):
        demand(0 < terms.roles < 64, "unknown role")
        demand(terms.valid_from < terms.valid_to, "empty period")
        demand(terms.valid_to > self.time, "period is over")

    def accredit(self, sender, identity, terms, keys):
        authority = self.sender_authority(sender)
        demand(all(one.identity != identity for one in self.participants.values()), "known identity")
        self.check(terms)
        demand(keys, "no key")
        number = len(self.participants) + 1
        self.participants[number] = ModelParticipant(authority, identity, [(self.time, terms)])
        for key in keys:
            self.put_key(number, key)

    def change(self, sender, number, terms):
        one = self.own(sender, number)
        self.check(terms)
        one.history.append((self.time, replace(terms, status=one.terms.status, reason=one.terms.reason)))

    def suspend(self, sender, number):
        one = self.own(sender, number)
        demand(one.terms.status == ACTIVE, "not active")
        one.history.append((self.time, replace(one.terms, status=SUSPENDED, reason=5)))

    def reinstate(self, sender, number):
        one = self.own(sender, number)
        demand(one.terms.status == SUSPENDED, "not suspended")
        one.history.append((self.time, replace(one.terms, status=ACTIVE, reason=0)))

    def end(self, sender, number):
        one = self.own(sender, number)
        one.history.append((self.time, replace(one.terms, status=ENDED, reason=6)))

    def add_key(self, sender, number, key):
        self.own(sender, number)
        self.put_key(number, key)

    def put_key(self, number, key):
        demand(key not in self.holders, "key in use")
        demand(key not in self.participants[number].spans, "key was removed")
        self.holders[key] = number
        self.participants[number].spans[key] = (self.time, 0)

    def remove_key(self, sender, number, key):
        demand(number and self.holders.get(key) == number, "not its key")
        if self.holders.get(sender) != number:
            demand(self.participants[number].authority == self.sender_authority(sender), "not its authority")
        del self.holders[key]
        self.participants[number].spans[key] = (self.participants[number].spans[key][0], self.time)

    def entitled(self, number, kind, time):
        terms = self.participants[number].terms_at(time)
        return (
            terms is not None
            and terms.status == ACTIVE
            and bool(terms.roles & (Role.CHAMBER | Role.EXPORTER))
            and kind in terms.kinds
            and terms.valid_from <= time < terms.valid_to
            and self.was_active(self.participants[number].authority, time)
        )


def is_usual(data):
    return data.draw(st.booleans()) or data.draw(st.booleans()) or data.draw(st.booleans())


class ParticipantsMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.ledger = founded()
        self.ledger.pass_blocks(100)
        self.model = Model()
        self.tries_without_authority = 0
        for sender, identity, key in ((KE, b"\x10" * 32, KEYS[0]), (NL, b"\x11" * 32, KEYS[1])):
            terms = Terms(ACTIVE, Role.CHAMBER, frozenset({1}), FOUNDED_AT, FOUNDED_AT + 3_000)
            self.do_accredit(sender, identity, terms, [key])

    def run_both(self, sender, data, step):
        if not self.model.standing[2][-1][1]:
            self.tries_without_authority += 1
            if self.tries_without_authority % 3 == 0:
                decide(self.ledger, [NL, SG], consortium.propose_reinstatement(authority=2))
                self.model.standing[2].append((self.ledger.time, True))
        before = copy.deepcopy(self.model)
        self.model.time = self.ledger.time + 2
        expected = None
        try:
            step(self.model)
        except No as no:
            self.model, expected = before, f"participants: {no}"
        try:
            self.ledger.participants(sender, data)
            found = None
        except ContractRefusal as refusal:
            found = str(refusal)
        assert found == expected

    def sender(self, data, number=0):
        """Give mostly whoever may change that participant, KE before there is one."""
        one = self.model.participants.get(number)
        if is_usual(data):
            return ADMINS[one.authority - 1] if one else KE
        return data.draw(st.sampled_from(SENDERS))

    def number(self, data):
        if is_usual(data) and self.model.participants:
            return data.draw(st.sampled_from(sorted(self.model.participants)))
        return data.draw(st.sampled_from([1, 0, 77]))

    def terms(self, data):
        return Terms(
            ACTIVE,
            Role(
                data.draw(st.sampled_from([1, 2, 3, 4, 63])) if is_usual(data) else data.draw(st.sampled_from([0, 64]))
            ),
            data.draw(st.frozensets(st.sampled_from([0, 1, 63]))),
            FOUNDED_AT + data.draw(st.integers(0, 400)),
            FOUNDED_AT + data.draw(st.integers(350, 5_000)),
        )

    @rule(data=st.data(), identity=st.sampled_from(IDENTITIES))
    def accredit(self, data, identity):
        sender, terms = self.sender(data), self.terms(data)
        free = [key for key in KEYS if key not in self.model.holders]
        usual = is_usual(data) and free
        keys = data.draw(
            st.lists(st.sampled_from(free if usual else KEYS), min_size=int(bool(usual)), max_size=2, unique=True)
        )
        self.do_accredit(sender, identity, terms, keys)

    def do_accredit(self, sender, identity, terms, keys):
        calldata = participants.accredit(
            identity=identity,
            roles=terms.roles,
            kinds=terms.kinds,
            valid_from=terms.valid_from,
            valid_to=terms.valid_to,
            keys=keys,
        )
        self.run_both(sender, calldata, lambda model: model.accredit(sender, identity, terms, keys))

    @rule(data=st.data())
    def change(self, data):
        number, terms = self.number(data), self.terms(data)
        sender = self.sender(data, number)
        calldata = participants.change_mandate(
            participant=number,
            roles=terms.roles,
            kinds=terms.kinds,
            valid_from=terms.valid_from,
            valid_to=terms.valid_to,
        )
        self.run_both(sender, calldata, lambda model: model.change(sender, number, terms))

    @rule(data=st.data())
    def suspend(self, data):
        number = self.number(data)
        sender = self.sender(data, number)
        calldata = participants.suspend(participant=number, reason=5)
        self.run_both(sender, calldata, lambda model: model.suspend(sender, number))

    @rule(data=st.data())
    def reinstate(self, data):
        number = self.number(data)
        sender = self.sender(data, number)
        calldata = participants.reinstate(participant=number)
        self.run_both(sender, calldata, lambda model: model.reinstate(sender, number))

    @precondition(lambda self: len(self.model.participants) > 2)
    @rule(data=st.data())
    def end(self, data):
        number = self.number(data)
        sender = self.sender(data, number)
        calldata = participants.end(participant=number, reason=6)
        self.run_both(sender, calldata, lambda model: model.end(sender, number))

    @rule(data=st.data(), key=st.sampled_from(KEYS))
    def add_key(self, data, key):
        number = self.number(data)
        sender = self.sender(data, number)
        calldata = participants.add_key(participant=number, key=key)
        self.run_both(sender, calldata, lambda model: model.add_key(sender, number, key))

    @rule(data=st.data(), key=st.sampled_from(KEYS))
    def remove_key(self, data, key):
        number = self.model.holders.get(key, 0) if is_usual(data) else self.number(data)
        sender = self.sender(data, number)
        calldata = participants.remove_key(participant=number, key=key)
        self.run_both(sender, calldata, lambda model: model.remove_key(sender, number, key))

    @precondition(lambda self: self.model.standing[2][-1][1])
    @rule()
    def the_authority_falls(self):
        """KE is suspended by the others, for a few tries."""
        self.ledger.pass_blocks(10)
        decide(self.ledger, [NL, SG, BR], consortium.propose_suspension(authority=2, reason=1))
        self.model.standing[2].append((self.ledger.time, False))

    @rule(blocks=st.integers(1, 100))
    def wait(self, blocks):
        self.ledger.pass_blocks(blocks)

    @invariant()
    def agree(self):
        ask, model, now = self.ledger.ask_participants, self.model, self.ledger.time
        assert ask(participants.participant_count()) == len(model.participants)
        for key in KEYS:
            number = model.holders.get(key, 0)
            assert ask(participants.participant_of(key)) == number
            terms = model.participants[number].terms if number else None
            is_active = bool(terms) and terms.status == ACTIVE and terms.valid_from <= now < terms.valid_to
            behind = ask(participants.authority_behind(key))
            assert behind == (model.participants[number].authority if is_active else 0)
            if key == KEYS[0]:
                may = is_active and model.was_active(behind, now)
                assert self.ledger.ask_consortium(consortium.may_transact(key)) == may
        for number, one in model.participants.items():
            found = ask(participants.mandate(number))
            terms = one.terms
            assert (found.status, found.authority, found.since) == (terms.status, one.authority, one.history[-1][0])
            assert (found.roles, found.kinds, found.reason) == (terms.roles, terms.kinds, terms.reason)
            assert (found.valid_from, found.valid_to) == (terms.valid_from, terms.valid_to)
            assert found.sequence == len(one.history) - 1

    def teardown(self):
        """Every day of the past is as the model remembers it."""
        ask, model = self.ledger.ask_participants, self.model
        for number, one in model.participants.items():
            for key, span in one.spans.items():
                assert ask(participants.key_span(number, key)) == KeySpan(*span)
            moments = {since for since, _ in one.history} | {since for since, _ in model.standing[one.authority]}
            moments |= {one.terms.valid_from, one.terms.valid_to, self.ledger.time}
            for time in sorted({at for moment in moments for at in (moment - 1, moment)}):
                terms = one.terms_at(time)
                assert ask(participants.mandate_at(number, time)).status == (terms.status if terms else 0)
                assert ask(participants.entitled(number, 1, time)) == model.entitled(number, 1, time)


class DirectoryMachine(RuleBasedStateMachine):
    """Entries and editions, by vote and by whoever tries without one."""

    def __init__(self):
        super().__init__()
        self.ledger = founded()
        self.names = ["Consortium", "Participants", "Certificates", "Access"]
        self.entries = {
            "Consortium": consortium.ADDRESS,
            "Participants": participants.ADDRESS,
            "Certificates": certificates.ADDRESS,
            "Access": access.ADDRESS,
        }
        self.editions = {}
        self.newest = {}

    def decide(self, data, expected):
        try:
            decide(self.ledger, [NL, KE, SG], data)
            found = None
        except ContractRefusal as refusal:
            found = str(refusal)
        assert found == expected

    @rule(
        name=st.sampled_from(["Consortium", "Certificates", "Measures", "Access"]),
        meaning=st.sampled_from([directory.ADDRESS, certificates.ADDRESS, STRANGER, bytes(20)]),
    )
    def set_entry(self, name, meaning):
        expected = None
        if meaning == bytes(20):
            expected = "consortium: zero name or target"
        elif name == "Consortium":
            expected = "consortium: fixed name"
        elif meaning == STRANGER:
            expected = "directory: not a contract"
        else:
            self.names += [name] if name not in self.entries else []
            self.entries[name] = meaning
        self.decide(consortium.propose_entry(name=name, target=meaning), expected)

    @rule(name=st.sampled_from(["HS", "UNLOCODE"]), edition=st.integers(1, 4).map(lambda i: bytes([i]) * 32))
    def set_code_list(self, name, edition):
        expected = None
        if (name, edition) in self.editions:
            expected = "directory: known edition"
        self.decide(consortium.propose_code_list(name=name, edition=edition), expected)
        if expected is None:
            self.editions[name, edition] = self.ledger.time
            self.newest[name] = edition

    @invariant()
    def agree(self):
        ask = self.ledger.ask_directory
        assert ask(directory.name_count()) == len(self.names)
        assert [ask(directory.name_at(i)) for i in range(len(self.names))] == self.names
        for name in (*self.names, "Nothing"):
            assert ask(directory.address_of(name)) == self.entries.get(name, bytes(20))
        for name in ("HS", "UNLOCODE"):
            assert ask(directory.code_list(name)) == self.newest.get(name, bytes(32))
        for (name, edition), since in self.editions.items():
            assert ask(directory.code_list_since(name, edition)) == since


TestParticipantsMachine = ParticipantsMachine.TestCase
TestParticipantsMachine.settings = run_settings
TestDirectoryMachine = DirectoryMachine.TestCase
TestDirectoryMachine.settings = settings(run_settings, max_examples=10, stateful_step_count=15)
