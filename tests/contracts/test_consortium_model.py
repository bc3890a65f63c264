"""The Consortium against a model in Python: any order of proposals, votes, seats and waits, reason for reason."""

import copy
from dataclasses import dataclass, field

from contract_ledger import PERIOD_S, SPACING_BLOCKS, STRANGER, founded, keys_of
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cocket.contracts import consortium
from cocket.contracts.consortium import Parameter, ProposalKind, ProposalStatus, Status
from cocket.contracts.errors import ContractRefusal

FOUNDERS = ("NL", "KE", "SG", "BR")
LABELS = (*FOUNDERS, "FR", "FR 2", "NL 2", "KE 2")  # each names a whole keys record
COUNTRIES = (*FOUNDERS, "FR")

ADMISSION, SUSPENSION = ProposalKind.ADMISSION, ProposalKind.SUSPENSION
REINSTATEMENT, WITHDRAWAL = ProposalKind.REINSTATEMENT, ProposalKind.WITHDRAWAL
KEYS, PARAMETER = ProposalKind.KEYS, ProposalKind.PARAMETER


class No(Exception):
    """The model's refusal."""


def demand(condition, reason):
    if not condition:
        raise No(reason)


@dataclass
class ModelAuthority:
    country: str
    label: str
    status: Status = Status.ACTIVE
    validating: bool = False


@dataclass
class ModelProposal:
    kind: ProposalKind
    subject: int
    made_at: int
    period: int
    country: str = ""
    label: str = ""
    amount: int = 0
    status: ProposalStatus = ProposalStatus.OPEN
    yes: set[int] = field(default_factory=set)
    no: set[int] = field(default_factory=set)


class Model:
    """What the Consortium's notice says, in sets and lists."""

    def __init__(self, number, time):
        self.number, self.time = number, time
        self.authorities = {i: ModelAuthority(label, label, validating=True) for i, label in enumerate(FOUNDERS, 1)}
        self.proposals = []
        self.last_change = 0
        self.spacing = SPACING_BLOCKS

    def active(self):
        return {i for i, authority in self.authorities.items() if authority.status == Status.ACTIVE}

    def seats(self):
        return {i for i, authority in self.authorities.items() if authority.validating}

    def members(self):
        return {i: one for i, one in self.authorities.items() if one.status in (Status.ACTIVE, Status.SUSPENDED)}

    def owner(self, label):
        return next((i for i, authority in self.members().items() if authority.label == label), 0)

    def member_of(self, country):
        return next((i for i, authority in self.members().items() if authority.country == country), 0)

    def active_sender(self, label):
        sender = self.owner(label)
        demand(sender, "not an authority")
        demand(sender in self.active(), "suspended")
        return sender

    def may_change_set(self):
        return self.number >= self.last_change + self.spacing

    def propose(self, sent_by, kind, subject=0, **values):
        status = self.authorities[subject].status if subject in self.authorities else Status.UNKNOWN
        if kind == ADMISSION:
            demand(not self.member_of(values["country"]), "country is a member")
        elif kind == SUSPENSION:
            demand(status == Status.ACTIVE, "not active")
        elif kind == REINSTATEMENT:
            demand(status == Status.SUSPENDED, "not suspended")
        elif kind in (WITHDRAWAL, KEYS):
            demand(subject in self.members(), "not a member")
        sender = self.owner(sent_by)
        demand(sender, "not an authority")
        if sender not in self.active():
            demand(subject == sender and kind in (REINSTATEMENT, KEYS), "suspended")
        self.proposals.append(ModelProposal(kind, subject, self.time, PERIOD_S, **values))
        if sender in self.active():
            self.proposals[-1].yes.add(sender)
            self.decide(self.proposals[-1])

    def vote(self, label, number, approve):
        sender = self.active_sender(label)
        proposal = self.find(number)
        demand(proposal and proposal.status == ProposalStatus.OPEN, "not open")
        demand(self.time < proposal.made_at + proposal.period, "expired")
        demand(sender not in proposal.yes | proposal.no, "voted already")
        (proposal.yes if approve else proposal.no).add(sender)
        self.decide(proposal)

    def execute(self, label, number):
        self.active_sender(label)
        proposal = self.find(number)
        if proposal and proposal.status == ProposalStatus.OPEN:
            self.count(proposal)
        demand(proposal and proposal.status == ProposalStatus.PASSED, "not passed")
        demand(self.time < proposal.made_at + proposal.period, "expired")
        demand(self.may_change_set() or not self.changes_set(proposal), "set changed lately")
        self.do(proposal)

    def activate(self, label):
        sender = self.active_sender(label)
        demand(not self.authorities[sender].validating, "already validating")
        demand(self.may_change_set(), "set changed lately")
        self.authorities[sender].validating = True
        self.last_change = self.number

    def stand_down(self, label):
        sender = self.active_sender(label)
        demand(self.authorities[sender].validating, "not validating")
        demand(self.may_change_set(), "set changed lately")
        self.vacate(sender)

    def find(self, number):
        return self.proposals[number - 1] if 1 <= number <= len(self.proposals) else None

    def count(self, proposal):
        active = self.active()

        def suffices(votes):
            return 3 * votes >= 2 * len(active) if proposal.kind <= ProposalKind.ENTRY else 2 * votes > len(active)

        if suffices(len(proposal.yes & active)):
            proposal.status = ProposalStatus.PASSED
        elif not suffices(len(active) - len(proposal.no & active)):
            proposal.status = ProposalStatus.REJECTED

    def decide(self, proposal):
        self.count(proposal)
        if proposal.status == ProposalStatus.PASSED and (self.may_change_set() or not self.changes_set(proposal)):
            self.do(proposal)

    def changes_set(self, proposal):
        if proposal.subject not in self.seats():
            return False
        if proposal.kind == KEYS:
            return proposal.label != self.authorities[proposal.subject].label
        return proposal.kind in (SUSPENSION, WITHDRAWAL)

    def do(self, proposal):
        proposal.status = ProposalStatus.EXECUTED
        subject = self.authorities.get(proposal.subject)
        if proposal.kind == ADMISSION:
            demand(not self.member_of(proposal.country), "country is a member")
            demand(not self.owner(proposal.label), "admin in use")
            self.authorities[len(self.authorities) + 1] = ModelAuthority(proposal.country, proposal.label)
        elif proposal.kind == SUSPENSION:
            demand(subject.status == Status.ACTIVE, "not active")
            subject.status = Status.SUSPENDED
            self.vacate(proposal.subject)
        elif proposal.kind == REINSTATEMENT:
            demand(subject.status == Status.SUSPENDED, "not suspended")
            subject.status = Status.ACTIVE
        elif proposal.kind == WITHDRAWAL:
            demand(proposal.subject in self.members(), "not a member")
            subject.status = Status.WITHDRAWN
            self.vacate(proposal.subject)
        elif proposal.kind == KEYS:
            demand(proposal.subject in self.members(), "not a member")
            demand(self.owner(proposal.label) in (0, proposal.subject), "admin in use")
            if subject.validating and subject.label != proposal.label:
                self.last_change = self.number
            subject.label = proposal.label
        else:
            self.spacing = proposal.amount

    def vacate(self, number):
        if self.authorities[number].validating:
            demand(len(self.seats()) > 1, "last validator")
            self.authorities[number].validating = False
            self.last_change = self.number


class ConsortiumMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.ledger = founded()
        self.model = Model(self.ledger.number, self.ledger.time)

    def run_both(self, label, data, step):
        before = copy.deepcopy(self.model)
        self.model.number, self.model.time = self.ledger.number + 1, self.ledger.time + 2
        expected = None
        try:
            step(self.model)
        except No as no:
            self.model, expected = before, f"consortium: {no}"
        seats = self.ledger.ask_consortium(consortium.get_validators())
        try:
            self.ledger.consortium(keys_of(label).admin if label else STRANGER, data)
            found = None
        except ContractRefusal as refusal:
            found = str(refusal)
        assert found == expected
        now = self.ledger.ask_consortium(consortium.get_validators())
        if now != seats:
            assert len(set(now) ^ set(seats)) in (1, 2)  # one more, one less, or one for another
            assert self.ledger.number >= before.last_change + before.spacing

    def propose(self, sent_by, kind, data, subject=0, **values):
        self.run_both(sent_by, data, lambda model: model.propose(sent_by, kind, subject, **values))

    def sender(self, data):
        """Give mostly an authority's present label, sometimes an old one's or (empty) a stranger's."""
        present = [one.label for one in self.model.members().values()]
        return data.draw(st.sampled_from([*present * 6, *LABELS, ""]))

    def subject(self, data):
        return data.draw(st.integers(1, len(self.model.authorities)) | st.sampled_from([0, 300]))

    def keys(self, data):
        free = [label for label in LABELS if not self.model.owner(label)]
        return data.draw(st.sampled_from([*free * 4, *LABELS]))

    @rule(data=st.data())
    def propose_admission(self, data):
        free = [country for country in COUNTRIES if not self.model.member_of(country)]
        country, keys = data.draw(st.sampled_from([*free * 4, *COUNTRIES])), self.keys(data)
        calldata = consortium.propose_admission(country=country, keys=keys_of(keys))
        self.propose(self.sender(data), ADMISSION, calldata, country=country, label=keys)

    @rule(data=st.data(), kind=st.sampled_from([SUSPENSION, SUSPENSION, REINSTATEMENT, WITHDRAWAL]))
    def propose_membership(self, data, kind):
        subject = self.subject(data)
        calldata = {
            SUSPENSION: consortium.propose_suspension(authority=subject, reason=1),
            REINSTATEMENT: consortium.propose_reinstatement(authority=subject),
            WITHDRAWAL: consortium.propose_withdrawal(authority=subject, reason=1),
        }
        self.propose(self.sender(data), kind, calldata[kind], subject)

    @precondition(lambda self: any(one.status == Status.SUSPENDED for one in self.model.authorities.values()))
    @rule(data=st.data())
    def the_suspended_propose(self, data):
        suspended = [i for i, one in self.model.authorities.items() if one.status == Status.SUSPENDED]
        subject = data.draw(st.sampled_from(suspended))
        calldata = consortium.propose_reinstatement(authority=subject)
        self.propose(self.model.authorities[subject].label, REINSTATEMENT, calldata, subject)

    @rule(data=st.data())
    def propose_keys(self, data):
        subject, keys = self.subject(data), self.keys(data)
        calldata = consortium.propose_keys(authority=subject, keys=keys_of(keys))
        self.propose(self.sender(data), KEYS, calldata, subject, label=keys)

    @rule(data=st.data(), amount=st.integers(1, 20))
    def propose_spacing(self, data, amount):
        calldata = consortium.propose_parameter(parameter=Parameter.SPACING_BLOCKS, amount=amount)
        self.propose(self.sender(data), PARAMETER, calldata, int(Parameter.SPACING_BLOCKS), amount=amount)

    @rule(data=st.data(), approve=st.sampled_from((True, True, True, False)))
    def vote(self, data, approve):
        label, number = self.sender(data), self.proposal(data)
        calldata = consortium.vote(proposal=number, approve=approve)
        self.run_both(label, calldata, lambda model: model.vote(label, number, approve))

    @precondition(lambda self: self.model.proposals)
    @rule(data=st.data())
    def vote_many(self, data):
        """Most approve a late proposal: else little would ever pass."""
        active = [self.model.authorities[i].label for i in sorted(self.model.active())]
        number = data.draw(st.integers(max(1, len(self.model.proposals) - 2), len(self.model.proposals)))
        for label in data.draw(st.permutations(active))[: -(-3 * len(active) // 4)]:
            calldata = consortium.vote(proposal=number, approve=True)
            self.run_both(label, calldata, lambda model, label=label: model.vote(label, number, True))

    @rule(data=st.data())
    def execute(self, data):
        label, number = self.sender(data), self.proposal(data)
        self.run_both(label, consortium.execute(proposal=number), lambda model: model.execute(label, number))

    def proposal(self, data):
        waiting = (ProposalStatus.OPEN, ProposalStatus.PASSED)
        numbers = [number for number, one in enumerate(self.model.proposals, 1) if one.status in waiting]
        return data.draw(st.sampled_from([*numbers * 4, 0, len(self.model.proposals) + 1]))

    @rule(data=st.data())
    def take_a_seat(self, data):
        label = self.sender(data)
        self.run_both(label, consortium.activate(), lambda model: model.activate(label))

    @rule(data=st.data())
    def leave_a_seat(self, data):
        label = self.sender(data)
        self.run_both(label, consortium.stand_down(), lambda model: model.stand_down(label))

    @rule(blocks=st.integers(1, 15))
    def wait(self, blocks):
        self.ledger.pass_blocks(blocks)

    @rule()
    def wait_long(self):
        self.ledger.time += PERIOD_S // 8

    @invariant()
    def agree(self):
        ask, model = self.ledger.ask_consortium, self.model
        validators = ask(consortium.get_validators())
        expected = sorted(keys_of(model.authorities[i].label).validator for i in model.seats())
        assert list(validators) == expected
        assert validators
        assert len(set(validators)) == len(validators)
        assert ask(consortium.validators_hash()) == consortium.hash_validators(validators)
        assert ask(consortium.last_set_change()) == model.last_change
        assert ask(consortium.parameter(Parameter.SPACING_BLOCKS)) == model.spacing
        assert ask(consortium.authority_count()) == len(model.authorities)
        assert model.seats() <= model.active()
        for number, one in model.authorities.items():
            found = ask(consortium.authority(number))
            assert (found.country, found.status, found.validating) == (one.country, one.status, one.validating)

    def teardown(self):
        """At the end: who owns which keys, and how every proposal stands."""
        ask, model = self.ledger.ask_consortium, self.model
        for number, one in model.authorities.items():
            assert ask(consortium.is_active(number)) == (one.status == Status.ACTIVE)
        for label in LABELS:
            owner = model.owner(label)
            keys = keys_of(label)
            assert ask(consortium.authority_of(keys.admin)) == owner
            assert ask(consortium.may_transact(keys.admin)) == bool(owner)
            assert ask(consortium.may_connect(keys.nodes[0].node_id)) == (owner in model.active())
        for number, one in enumerate(model.proposals, 1):
            found = ask(consortium.proposal(number))
            assert (found.kind, found.status) == (one.kind, one.status)
            assert set(found.approvals) == one.yes
            assert set(found.refusals) == one.no


TestConsortiumMachine = ConsortiumMachine.TestCase
TestConsortiumMachine.settings = settings(
    max_examples=25,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
