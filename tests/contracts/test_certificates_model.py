"""Certificates against a model in Python: any order of issuing, changing and using, reason for reason."""

import copy
from dataclasses import dataclass, field

from contract_ledger import FOUNDED_AT, KE, NL, SG, STRANGER, address, founded
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cocket.attestation.batch import BatchBuilder, batch_leaf, country_hash
from cocket.contracts import certificates, participants
from cocket.contracts.certificates import WHOLE_PPM, ItemStatus
from cocket.contracts.errors import ContractRefusal
from cocket.contracts.participants import Role

CHAMBER, EXPORTER = address("chamber"), address("exporter")
ISSUERS = {CHAMBER: 1, EXPORTER: 2}
AUTHORITIES = {NL: 1, KE: 2, SG: 3}
AUTHORITY_OF = {1: 2, 2: 1}
SENDERS = (CHAMBER, EXPORTER, KE, NL, SG, STRANGER)
DOCUMENTS = tuple(bytes([i]) * 32 for i in range(1, 4))
DESTINATION = country_hash(b"\1" * 16, "SG")
IN_FORCE, SUSPENDED, WITHDRAWN, SUPERSEDED = ItemStatus


def build(seed, issuer):
    builder = BatchBuilder(1, bytes([seed]) * 32, issuer)
    for document in DOCUMENTS:
        builder.add(batch_leaf(document, DESTINATION))
    return builder.build()


TOPS = 3
TREES = tuple(build(seed, issuer) for issuer in (1, 2) for seed in range(TOPS))  # the second three: the same tops
Place = tuple[int, int]


class No(Exception):
    """The model's refusal."""


def demand(condition, reason):
    if not condition:
        raise No(reason)


@dataclass
class ModelBatch:
    participant: int
    anchored_at: int
    valid_from: int
    valid_to: int
    withdrawn_at: int = 0


@dataclass
class ModelItem:
    history: list[tuple[int, ItemStatus, bool]] = field(default_factory=list)
    successor: Place | None = None
    shares: dict[int, int] = field(default_factory=dict)

    @property
    def status(self):
        return self.history[-1][1] if self.history else IN_FORCE

    @property
    def by_authority(self):
        return bool(self.history) and self.history[-1][2]


class Model:
    def __init__(self):
        self.time = 0
        self.batches = {}
        self.items = {}
        self.suspended = set()

    def item(self, place):
        return self.items.setdefault(place, ModelItem())

    def entitled(self, sender):
        demand(sender in ISSUERS, "participants: unknown key")
        demand(ISSUERS[sender] not in self.suspended, "participants: not active")
        return ISSUERS[sender]

    def batch(self, place):
        demand(place[0] in self.batches, "certificates: unknown batch")
        return self.batches[place[0]]

    def side(self, sender, batch):
        if ISSUERS.get(sender) == batch.participant:
            return False
        demand(
            AUTHORITIES.get(sender) == AUTHORITY_OF[batch.participant], "certificates: not the issuer or its authority"
        )
        return True

    def standing_side(self, sender, place):
        batch = self.batch(place)
        demand(not batch.withdrawn_at, "certificates: batch withdrawn")
        return self.side(sender, batch)

    def anchor(self, sender, top, valid_from, valid_to):
        demand(valid_from < valid_to, "certificates: empty period")
        participant = self.entitled(sender)
        tree = top + TOPS * (participant - 1)
        demand(tree not in self.batches, "certificates: known batch")
        self.batches[tree] = ModelBatch(participant, self.time, valid_from, valid_to)

    def suspend(self, sender, place):
        by_authority = self.standing_side(sender, place)
        demand(self.item(place).status == IN_FORCE, "certificates: not in force")
        self.item(place).history.append((self.time, SUSPENDED, by_authority))

    def reinstate(self, sender, place):
        by_authority = self.standing_side(sender, place)
        item = self.item(place)
        demand(item.status == SUSPENDED, "certificates: not suspended")
        if not by_authority:
            demand(not item.by_authority, "certificates: suspended by the authority")
            self.entitled(sender)
        item.history.append((self.time, IN_FORCE, by_authority))

    def withdraw(self, sender, place):
        by_authority = self.standing_side(sender, place)
        demand(self.item(place).status in (IN_FORCE, SUSPENDED), "certificates: already withdrawn")
        self.item(place).history.append((self.time, WITHDRAWN, by_authority))

    def supersede(self, sender, place, by):
        batch = self.batch(place)
        demand(self.entitled(sender) == batch.participant, "certificates: not the issuer")
        demand(self.batch(by).participant == batch.participant, "certificates: successor of another issuer")
        demand(place != by, "certificates: its own successor")
        item = self.item(place)
        demand(item.status in (IN_FORCE, SUSPENDED), "certificates: already withdrawn")
        demand(item.status == IN_FORCE or not item.by_authority, "certificates: suspended by the authority")
        demand(
            self.item(by).status == IN_FORCE and not self.batch(by).withdrawn_at,
            "certificates: successor not in force",
        )
        item.history.append((self.time, SUPERSEDED, False))
        item.successor = by

    def withdraw_batch(self, sender, tree):
        batch = self.batch((tree, 0))
        demand(not batch.withdrawn_at, "certificates: already withdrawn")
        self.side(sender, batch)
        batch.withdrawn_at = self.time

    def use(self, sender, place, is_genuine, share):
        batch = self.batch(place)
        demand(sender in AUTHORITIES, "certificates: not an active authority")
        demand(batch.valid_from <= self.time, "certificates: not yet valid")
        demand(self.time < batch.valid_to, "certificates: expired")
        item = self.item(place)
        demand(not batch.withdrawn_at and item.status == IN_FORCE, "certificates: not in force")
        demand(is_genuine, "certificates: not in the batch")
        demand(0 < share <= WHOLE_PPM, "certificates: share")
        demand(sum(item.shares.values()) + share <= WHOLE_PPM, "certificates: already used")
        item.shares[sender] = item.shares.get(sender, 0) + share

    def release(self, sender, place, share):
        demand(sender in AUTHORITIES, "certificates: not an active authority")
        demand(share, "certificates: share")
        claimed = self.items[place].shares.get(sender, 0) if place in self.items else 0
        demand(share <= claimed, "certificates: more than it used")
        self.items[place].shares[sender] -= share

    def status_at(self, place, time):
        status = next((found for since, found, _ in reversed(self.item(place).history) if since <= time), IN_FORCE)
        batch = self.batches.get(place[0])
        is_batch_withdrawn = batch is not None and 0 < batch.withdrawn_at <= time
        return WITHDRAWN if is_batch_withdrawn and status in (IN_FORCE, SUSPENDED) else status


trees = st.integers(0, len(TREES) - 1)
places = st.tuples(st.sampled_from([0, 0, 1, 2, TOPS, TOPS + 1]), st.sampled_from([0, 0, 1, 2]))
shares = st.sampled_from([WHOLE_PPM, 1, 500_000, 400_000, 600_000, 0, WHOLE_PPM + 1])


def index_of(place):
    return TREES[place[0]].index_of(place[1])


class CertificatesMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.ledger = founded()
        for authority, identity, key in ((KE, b"\1" * 32, CHAMBER), (NL, b"\2" * 32, EXPORTER)):
            data = participants.accredit(
                identity=identity,
                roles=Role.CHAMBER,
                kinds={1},
                valid_from=FOUNDED_AT,
                valid_to=2**40 - 1,
                keys=[key],
            )
            self.ledger.participants(authority, data)
        self.model = Model()
        self.run_anchor(CHAMBER, 0, FOUNDED_AT, FOUNDED_AT + 1_000)

    def run_both(self, sender, data, step):
        before = copy.deepcopy(self.model)
        self.model.time = self.ledger.time + 2
        expected = None
        try:
            step(self.model)
        except No as no:
            self.model, expected = before, str(no)
        try:
            self.ledger.certificates(sender, data)
            found = None
        except ContractRefusal as refusal:
            found = str(refusal)
        assert found == expected

    def sender(self, data, tree):
        batch = self.model.batches.get(tree)
        if batch and (data.draw(st.booleans()) or data.draw(st.booleans())):
            issuer = CHAMBER if batch.participant == 1 else EXPORTER
            authority = KE if batch.participant == 1 else NL
            return data.draw(st.sampled_from([issuer, issuer, authority]))
        return data.draw(st.sampled_from(SENDERS))

    def run_anchor(self, sender, top, valid_from, valid_to):
        data = certificates.anchor(
            top=TREES[top].top, depth=TREES[top].depth, kind=1, valid_from=valid_from, valid_to=valid_to
        )
        self.run_both(sender, data, lambda model: model.anchor(sender, top, valid_from, valid_to))

    @rule(
        sender=st.sampled_from([CHAMBER, CHAMBER, CHAMBER, EXPORTER, KE, STRANGER]),
        top=st.integers(0, TOPS - 1),
        valid_from=st.integers(0, 100),
        valid_for=st.integers(0, 1_000),
    )
    def anchor(self, sender, top, valid_from, valid_for):
        self.run_anchor(sender, top, FOUNDED_AT + valid_from, FOUNDED_AT + valid_from + valid_for)

    @rule(data=st.data(), place=places, name=st.sampled_from(["suspend", "reinstate", "withdraw"]))
    def change(self, data, place, name):
        sender = self.sender(data, place[0])
        root, index = TREES[place[0]].root, index_of(place)
        calldata = {
            "suspend": certificates.suspend(batch=root, index=index, reason=1),
            "reinstate": certificates.reinstate(batch=root, index=index),
            "withdraw": certificates.withdraw(batch=root, index=index, reason=1),
        }
        self.run_both(sender, calldata[name], lambda model: getattr(model, name)(sender, place))

    @rule(data=st.data(), place=places, by=places)
    def supersede(self, data, place, by):
        sender = self.sender(data, place[0])
        calldata = certificates.supersede(
            batch=TREES[place[0]].root, index=index_of(place), by_batch=TREES[by[0]].root, by_index=index_of(by)
        )
        self.run_both(sender, calldata, lambda model: model.supersede(sender, place, by))

    @rule(data=st.data(), tree=trees, is_meant=st.integers(0, 3))
    def withdraw_batch(self, data, tree, is_meant):
        if is_meant:
            return
        sender = self.sender(data, tree)
        calldata = certificates.withdraw_batch(batch=TREES[tree].root, reason=1)
        self.run_both(sender, calldata, lambda model: model.withdraw_batch(sender, tree))

    @rule(
        sender=st.sampled_from([SG, NL, KE, SG, NL, CHAMBER, STRANGER]),
        place=places,
        share=shares,
        shown=st.sampled_from([None, None, None, None, 0, 1, 2]),
    )
    def use(self, sender, place, share, shown):
        """``shown`` is the document that is shown for the place, mostly the one that lies there."""
        tree, index = TREES[place[0]], index_of(place)
        shown = place[1] if shown is None else shown
        calldata = certificates.use(
            batch=tree.root,
            index=index,
            document_root=DOCUMENTS[shown],
            destination=DESTINATION,
            path=tree.path_of(index),
            share_ppm=share,
        )
        self.run_both(sender, calldata, lambda model: model.use(sender, place, shown == place[1], share))

    @rule(sender=st.sampled_from([SG, NL, STRANGER]), place=places, share=shares)
    def release(self, sender, place, share):
        calldata = certificates.release_use(batch=TREES[place[0]].root, index=index_of(place), share_ppm=share)
        self.run_both(sender, calldata, lambda model: model.release(sender, place, share))

    @rule()
    def suspend_or_reinstate_the_chamber(self):
        data = (
            participants.reinstate(participant=1)
            if 1 in self.model.suspended
            else participants.suspend(participant=1, reason=1)
        )
        self.ledger.participants(KE, data)
        self.model.suspended ^= {1}

    @rule(blocks=st.integers(1, 100))
    def wait(self, blocks):
        self.ledger.pass_blocks(blocks)

    @invariant()
    def agree(self):
        ask, model = self.ledger.ask_certificates, self.model
        for (tree, position), item in model.items.items():
            root, index = TREES[tree].root, index_of((tree, position))
            found = ask(certificates.item(root, index))
            assert found.status == model.status_at((tree, position), self.ledger.time)
            assert found.used_ppm == sum(item.shares.values()) <= WHOLE_PPM
            successor = item.successor or (None, 0)
            assert found.by_batch == (bytes(32) if item.successor is None else TREES[successor[0]].root)

    def teardown(self):
        """Every day of the past is as the model remembers it."""
        ask, model = self.ledger.ask_certificates, self.model
        for tree, root in enumerate(tree.root for tree in TREES):
            found, batch = ask(certificates.batch(root)), model.batches.get(tree)
            if batch is None:
                assert found.anchored_at == 0
                continue
            assert (found.participant, found.authority) == (batch.participant, AUTHORITY_OF[batch.participant])
            assert (found.anchored_at, found.withdrawn_at) == (batch.anchored_at, batch.withdrawn_at)
            assert (found.valid_from, found.valid_to, found.depth) == (batch.valid_from, batch.valid_to, 4)
        for (tree, position), item in model.items.items():
            root, index = TREES[tree].root, index_of((tree, position))
            for sender, share in item.shares.items():
                assert ask(certificates.used_by(root, index, AUTHORITIES[sender])) == share
            withdrawn_at = model.batches[tree].withdrawn_at
            moments = {since for since, _, _ in item.history} | {withdrawn_at, self.ledger.time}
            anchored_at = model.batches[tree].anchored_at
            for time in {at for moment in moments for at in (moment - 1, moment) if at >= anchored_at}:
                state = ask(certificates.item_at(root, index, time))
                assert state.status == model.status_at((tree, position), time)


TestCertificatesMachine = CertificatesMachine.TestCase
TestCertificatesMachine.settings = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
