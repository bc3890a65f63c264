"""Certificates on the real EVM: each thing that is allowed has its refusals beside it."""

import json
from pathlib import Path

import pytest
from contract_ledger import FOUNDED_AT, KE, NL, SG, STRANGER, address, decide, founded, last_event
from sha3 import keccak_256

from cocket.attestation.batch import BatchBuilder, batch_leaf, country_hash
from cocket.attestation.commit import secrets_of
from cocket.attestation.kinds import KINDS
from cocket.contracts import certificates, consortium, directory, events, participants
from cocket.contracts.abi import interface
from cocket.contracts.certificates import WHOLE_PPM, ItemStatus
from cocket.contracts.errors import ContractRefusal
from cocket.contracts.participants import Role

KIND = 1
CHAMBER, CHAMBER_2, EXPORTER = address("chamber 0"), address("chamber 1"), address("exporter")
FROM, TO = FOUNDED_AT, FOUNDED_AT + 100_000

DOCUMENT_ROOTS = [bytes([i]) * 32 for i in range(1, 21)]
DESTINATION = country_hash(b"\x05" * 16, "SG")


def built(seed=b"\1" * 32, kind=KIND, issuer=1):
    builder = BatchBuilder(kind, seed, issuer)
    for root in DOCUMENT_ROOTS:
        builder.add(batch_leaf(root, DESTINATION))
    return builder.build()


BATCH, SECOND = built(), built(b"\2" * 32)
ROOT = BATCH.root
INDEX = BATCH.index_of(0)


def anchor(batch=BATCH, **changes):
    values = {"top": batch.top, "depth": batch.depth, "kind": KIND, "valid_from": FROM, "valid_to": TO}
    return certificates.anchor(**(values | {"residency": "KE", "custody": b"\7" * 32} | changes))


def use(position=0, tree=BATCH, **changes):
    index = tree.index_of(position)
    values = {
        "batch": tree.root,
        "index": index,
        "document_root": DOCUMENT_ROOTS[position],
        "destination": DESTINATION,
        "path": tree.path_of(index),
        "share_ppm": WHOLE_PPM,
    }
    return certificates.use(**(values | changes))


SUSPEND = certificates.suspend(batch=ROOT, index=INDEX, reason=3)
REINSTATE = certificates.reinstate(batch=ROOT, index=INDEX)
WITHDRAW = certificates.withdraw(batch=ROOT, index=INDEX, reason=4)
SUPERSEDE = certificates.supersede(batch=ROOT, index=INDEX, by_batch=SECOND.root, by_index=2)
WITHDRAW_BATCH = certificates.withdraw_batch(batch=ROOT, reason=6)


@pytest.fixture
def empty_ledger():
    """KE's chamber (two keys) and NL's exporter, nothing anchored."""
    ledger = founded()
    for authority, identity, roles, keys in (
        (KE, b"\1" * 32, Role.CHAMBER, [CHAMBER, CHAMBER_2]),
        (NL, b"\2" * 32, Role.EXPORTER, [EXPORTER]),
    ):
        data = participants.accredit(
            identity=identity, roles=roles, kinds={KIND, 2}, valid_from=FROM, valid_to=TO, keys=keys
        )
        ledger.participants(authority, data)
    return ledger


@pytest.fixture
def ledger(empty_ledger):
    empty_ledger.certificates(CHAMBER, anchor())
    empty_ledger.certificates(CHAMBER_2, anchor(SECOND))
    return empty_ledger


def refused(reason):
    return pytest.raises(ContractRefusal, match=f"^{reason}$")


def item(ledger, index=INDEX, batch=ROOT):
    return ledger.ask_certificates(certificates.item(batch, index))


# Anchoring


def test_anchors_in_one_slot_for_little_gas(empty_ledger):
    before = dict(empty_ledger.state.slots)
    sent = empty_ledger.certificates(CHAMBER, anchor())
    assert sent.gas < 75_000
    assert sent.events == (events.BatchAnchored(ROOT, 1, KIND, 2, BATCH.depth, FROM, TO, "KE", b"\7" * 32),)
    changed = {slot for slot, value in empty_ledger.state.slots.items() if before.get(slot) != value}
    assert changed == {(certificates.ADDRESS, certificates.batch_slot(ROOT))}
    batch = empty_ledger.ask_certificates(certificates.batch(ROOT))
    assert batch == certificates.Batch(
        participant=1,
        authority=2,
        kind=KIND,
        depth=BATCH.depth,
        residency="KE",
        anchored_at=empty_ledger.time,
        valid_from=FROM,
        valid_to=TO,
        withdrawn_at=0,
        by_authority=False,
        reason=0,
    )
    word = empty_ledger.state.storage(certificates.ADDRESS, certificates.batch_slot(ROOT))
    assert certificates.decode_batch_word(word) == batch


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"top": bytes(32)}, "certificates: zero top"),
        ({"depth": 3}, "certificates: depth"),
        ({"depth": 21}, "certificates: depth"),
        ({"valid_from": TO}, "certificates: empty period"),
        ({"kind": 3}, "participants: outside its scope"),
        ({"kind": 255}, "participants: outside its scope"),
    ],
)
def test_anchoring_is_refused(empty_ledger, changes, reason):
    with refused(reason):
        empty_ledger.certificates(CHAMBER, anchor(**changes))


def test_anchoring_nothing_stated_and_at_the_bounds(empty_ledger):
    empty_ledger.certificates(CHAMBER, anchor(depth=20, residency="", custody=bytes(32), valid_to=2**40 - 1))
    root = keccak_256(bytes.fromhex("636f636b65740108 14 0001 00000001") + BATCH.top).digest()
    batch = empty_ledger.ask_certificates(certificates.batch(root))
    assert (batch.depth, batch.residency, batch.valid_to) == (20, "", 2**40 - 1)
    assert empty_ledger.ask_certificates(certificates.batch(SECOND.root)).anchored_at == 0


def test_anchoring_twice_is_refused(ledger):
    for sender in (CHAMBER, CHAMBER_2):
        with refused("certificates: known batch"):
            ledger.certificates(sender, anchor())
    ledger.certificates(CHAMBER, WITHDRAW_BATCH)
    with refused("certificates: known batch"):
        ledger.certificates(CHAMBER, anchor())


@pytest.mark.parametrize("is_copied_first", [True, False])
def test_a_copied_call_anchors_under_the_copiers_name_only(empty_ledger, is_copied_first):
    """The exporter sends the chamber's very call, before it or after: neither takes the other's batch or its place."""
    copied = built(issuer=2)
    assert copied.root != ROOT
    order = (EXPORTER, CHAMBER) if is_copied_first else (CHAMBER, EXPORTER)
    sent = {sender: empty_ledger.certificates(sender, anchor()) for sender in order}
    assert [event.root for sender in (CHAMBER, EXPORTER) for event in sent[sender].events] == [ROOT, copied.root]
    for tree, participant in ((BATCH, 1), (copied, 2)):
        assert empty_ledger.ask_certificates(certificates.batch(tree.root)).participant == participant
    with refused("certificates: not the issuer or its authority"):
        empty_ledger.certificates(EXPORTER, WITHDRAW)
    # The documents' paths lead to the one whose name the root binds, in the record that is asked.
    empty_ledger.certificates(EXPORTER, certificates.withdraw_batch(batch=copied.root, reason=1))
    with refused("certificates: not in force"):
        empty_ledger.certificates(SG, use(batch=copied.root))
    empty_ledger.certificates(SG, use())


def test_anchoring_needs_a_mandate_now(empty_ledger):
    for sender in (STRANGER, KE):
        with refused("participants: unknown key"):
            empty_ledger.certificates(sender, anchor())
    suspended, over, without_authority, rekeyed = (empty_ledger.copy() for _ in range(4))
    suspended.participants(KE, participants.suspend(participant=1, reason=1))
    with refused("participants: not active"):
        suspended.certificates(CHAMBER, anchor())
    over.time = TO
    with refused("participants: outside its dates"):
        over.certificates(CHAMBER, anchor())
    decide(without_authority, [NL, KE, SG], consortium.propose_suspension(authority=2, reason=1))
    with refused("certificates: authority not active"):
        without_authority.certificates(CHAMBER, anchor())
    without_authority.certificates(EXPORTER, anchor())
    rekeyed.participants(KE, participants.remove_key(participant=1, key=CHAMBER))
    with refused("participants: unknown key"):
        rekeyed.certificates(CHAMBER, anchor())
    rekeyed.certificates(CHAMBER_2, anchor())


def test_anchors_retrospectively_and_ahead(empty_ledger):
    empty_ledger.certificates(CHAMBER, anchor(valid_from=1, valid_to=2))
    empty_ledger.certificates(CHAMBER, anchor(SECOND, valid_from=TO, valid_to=TO + 1))


# The state of a document


def test_in_force_until_something_is_said(ledger):
    assert item(ledger) == certificates.Item(ItemStatus.IN_FORCE, 0, False, 0, bytes(32), 0, 0)
    assert item(ledger, index=(1 << BATCH.depth) - 1).status == ItemStatus.IN_FORCE


def test_nothing_unknown_is_read_as_in_force(ledger):
    anchored_at = ledger.ask_certificates(certificates.batch(ROOT)).anchored_at
    assert ledger.ask_certificates(certificates.item_at(ROOT, INDEX, anchored_at)).status == ItemStatus.IN_FORCE
    for view, reason in (
        (certificates.item(b"\x09" * 32, 0), "unknown batch"),
        (certificates.item_at(b"\x09" * 32, 0, ledger.time), "unknown batch"),
        (certificates.item(ROOT, 1 << BATCH.depth), "index beyond the batch"),
        (certificates.item_at(ROOT, 1 << BATCH.depth, ledger.time), "index beyond the batch"),
        (certificates.item_at(ROOT, INDEX, anchored_at - 1), "not anchored yet"),
    ):
        with refused(f"certificates: {reason}"):
            ledger.ask_certificates(view)


@pytest.mark.parametrize(
    "data", [SUSPEND, WITHDRAW, SUPERSEDE, WITHDRAW_BATCH], ids=["suspend", "withdraw", "supersede", "withdraw batch"]
)
def test_only_the_issuer_or_its_authority(ledger, data):
    issuer_only = data == SUPERSEDE
    for sender in (STRANGER, NL, EXPORTER):
        reasons = {
            (True, EXPORTER): "certificates: not the issuer",
            (True, STRANGER): "participants: unknown key",
            (True, NL): "participants: unknown key",
        }
        with refused(reasons.get((issuer_only, sender), "certificates: not the issuer or its authority")):
            ledger.certificates(sender, data)
    for sender in (CHAMBER, CHAMBER_2):
        ledger.copy().certificates(sender, data)
    if issuer_only:
        with refused("participants: unknown key"):
            ledger.certificates(KE, data)
    else:
        ledger.copy().certificates(KE, data)
        decide(ledger, [NL, KE, SG], consortium.propose_suspension(authority=2, reason=1))
        with refused("certificates: not the issuer or its authority"):
            ledger.certificates(KE, data)


@pytest.mark.parametrize("data", [SUSPEND, REINSTATE, WITHDRAW, SUPERSEDE])
def test_unknown_batches_and_indices_are_refused(ledger, data):
    with refused("certificates: unknown batch"):
        ledger.certificates(CHAMBER, data.replace(ROOT, b"\x09" * 32))
    beyond = data[:36] + (1 << BATCH.depth).to_bytes(32, "big") + data[68:]
    with refused("certificates: index beyond the batch"):
        ledger.certificates(CHAMBER, beyond)
    with pytest.raises(ContractRefusal, match="without a reason"):
        ledger.certificates(CHAMBER, data[:36] + (1 << 32).to_bytes(32, "big") + data[68:])


def test_suspends_and_reinstates(ledger):
    sent = ledger.certificates(CHAMBER, SUSPEND)
    assert sent.events == (events.ItemSuspended(ROOT, INDEX, 3, False),)
    found = item(ledger)
    assert (found.status, found.since, found.reason, found.by_authority) == (
        ItemStatus.SUSPENDED,
        ledger.time,
        3,
        False,
    )
    with refused("certificates: not in force"):
        ledger.certificates(CHAMBER, SUSPEND)
    sent = ledger.certificates(CHAMBER_2, REINSTATE)
    assert sent.events == (events.ItemReinstated(ROOT, INDEX, False),)
    assert item(ledger).status == ItemStatus.IN_FORCE
    with refused("certificates: not suspended"):
        ledger.certificates(CHAMBER, REINSTATE)


def test_reinstating_is_an_issuing_act(ledger):
    ledger.certificates(CHAMBER, SUSPEND)
    with refused("certificates: not the issuer or its authority"):
        ledger.certificates(EXPORTER, REINSTATE)
    suspended = ledger.copy()
    suspended.participants(KE, participants.suspend(participant=1, reason=1))
    with refused("participants: not active"):
        suspended.certificates(CHAMBER, REINSTATE)
    suspended.certificates(CHAMBER, WITHDRAW)  # the safe direction stays open
    sent = ledger.certificates(KE, REINSTATE)
    assert sent.events == (events.ItemReinstated(ROOT, INDEX, True),)


def test_the_issuer_cannot_lift_what_the_authority_suspended(ledger):
    sent = ledger.certificates(KE, SUSPEND)
    assert sent.events == (events.ItemSuspended(ROOT, INDEX, 3, True),)
    assert item(ledger).by_authority
    for data in (REINSTATE, SUPERSEDE):
        with refused("certificates: suspended by the authority"):
            ledger.certificates(CHAMBER, data)
    ledger.certificates(KE, REINSTATE)
    assert item(ledger).status == ItemStatus.IN_FORCE


def test_withdraws_for_good(ledger):
    sent = ledger.certificates(CHAMBER, WITHDRAW)
    assert sent.events == (events.ItemWithdrawn(ROOT, INDEX, 4, False),)
    assert (item(ledger).status, item(ledger).since) == (ItemStatus.WITHDRAWN, ledger.time)
    for data, reason in (
        (WITHDRAW, "already withdrawn"),
        (SUPERSEDE, "already withdrawn"),
        (SUSPEND, "not in force"),
        (REINSTATE, "not suspended"),
    ):
        with refused(f"certificates: {reason}"):
            ledger.certificates(CHAMBER, data)
    assert item(ledger, index=BATCH.index_of(1)).status == ItemStatus.IN_FORCE


def test_a_reason_is_needed(ledger):
    for data in (
        certificates.suspend(batch=ROOT, index=INDEX, reason=0),
        certificates.withdraw(batch=ROOT, index=INDEX, reason=0),
        certificates.withdraw_batch(batch=ROOT, reason=0),
    ):
        with refused("certificates: no reason"):
            ledger.certificates(CHAMBER, data)


def test_supersedes(ledger):
    sent = ledger.certificates(CHAMBER, SUPERSEDE)
    assert sent.events == (events.ItemSuperseded(ROOT, INDEX, SECOND.root, 2),)
    found = item(ledger)
    assert (found.status, found.by_batch, found.by_index) == (ItemStatus.SUPERSEDED, SECOND.root, 2)
    with refused("certificates: already withdrawn"):
        ledger.certificates(CHAMBER, WITHDRAW)
    # No circle: what is superseded succeeds nothing.
    back = certificates.supersede(batch=SECOND.root, index=2, by_batch=ROOT, by_index=INDEX)
    with refused("certificates: successor not in force"):
        ledger.certificates(CHAMBER, back)


def test_a_suspended_document_can_be_superseded_by_its_issuer(ledger):
    ledger.certificates(CHAMBER, SUSPEND)
    ledger.certificates(CHAMBER, SUPERSEDE)
    assert item(ledger).status == ItemStatus.SUPERSEDED


def test_superseding_needs_a_successor_of_the_same_issuer_in_force(ledger):
    foreign = built(b"\3" * 32, issuer=2)
    ledger.certificates(EXPORTER, anchor(foreign))
    for by_batch, by_index, reason in (
        (foreign.root, 1, "successor of another issuer"),
        (ROOT, INDEX, "its own successor"),
        (b"\x09" * 32, 1, "unknown batch"),
        (SECOND.root, 1 << SECOND.depth, "index beyond the batch"),
    ):
        data = certificates.supersede(batch=ROOT, index=INDEX, by_batch=by_batch, by_index=by_index)
        with refused(f"certificates: {reason}"):
            ledger.certificates(CHAMBER, data)
    other_item = ledger.copy()
    other_item.certificates(
        CHAMBER, certificates.supersede(batch=ROOT, index=INDEX, by_batch=ROOT, by_index=(INDEX + 1) % 16)
    )
    withdrawn = ledger.copy()
    withdrawn.certificates(CHAMBER, certificates.withdraw_batch(batch=SECOND.root, reason=1))
    with refused("certificates: successor not in force"):
        withdrawn.certificates(CHAMBER, SUPERSEDE)
    ledger.participants(KE, participants.suspend(participant=1, reason=1))
    with refused("participants: not active"):
        ledger.certificates(CHAMBER, SUPERSEDE)


def test_withdraws_a_batch_for_good(ledger):
    ledger.certificates(CHAMBER, certificates.suspend(batch=ROOT, index=0, reason=3))
    ledger.certificates(CHAMBER, certificates.supersede(batch=ROOT, index=1, by_batch=SECOND.root, by_index=2))
    sent = ledger.certificates(KE, WITHDRAW_BATCH)
    assert sent.events == (events.BatchWithdrawn(ROOT, 6, True),)
    withdrawn_at = ledger.time
    batch = ledger.ask_certificates(certificates.batch(ROOT))
    assert (batch.withdrawn_at, batch.by_authority, batch.reason) == (withdrawn_at, True, 6)
    assert (batch.participant, batch.depth, batch.valid_to, batch.residency) == (1, BATCH.depth, TO, "KE")
    for index in (0, 2):
        found = item(ledger, index)
        assert (found.status, found.since, found.reason) == (ItemStatus.WITHDRAWN, withdrawn_at, 6)
        assert found.by_authority
    assert item(ledger, 1).status == ItemStatus.SUPERSEDED
    for data in (SUSPEND, REINSTATE, WITHDRAW):
        with refused("certificates: batch withdrawn"):
            ledger.certificates(CHAMBER, data)
    with refused("certificates: already withdrawn"):
        ledger.certificates(CHAMBER, WITHDRAW_BATCH)
    with refused("certificates: unknown batch"):
        ledger.certificates(CHAMBER, certificates.withdraw_batch(batch=b"\x09" * 32, reason=1))
    # What was issued wrongly can still be replaced.
    ledger.certificates(CHAMBER, certificates.supersede(batch=ROOT, index=5, by_batch=SECOND.root, by_index=5))
    state = ledger.ask_certificates(certificates.item_at(ROOT, 5, withdrawn_at))
    assert state.status == ItemStatus.WITHDRAWN
    assert ledger.ask_certificates(certificates.item_at(ROOT, 5, withdrawn_at - 1)).status == ItemStatus.IN_FORCE
    assert item(ledger, 5).status == ItemStatus.SUPERSEDED


def test_the_state_is_known_for_every_day(ledger):
    times = []
    for data in (SUSPEND, REINSTATE, WITHDRAW):
        ledger.pass_blocks(5)
        ledger.certificates(CHAMBER, data)
        times.append(ledger.time)

    def status(time):
        return ledger.ask_certificates(certificates.item_at(ROOT, INDEX, time)).status

    assert [status(time - 1) for time in times] == [ItemStatus.IN_FORCE, ItemStatus.SUSPENDED, ItemStatus.IN_FORCE]
    assert [status(time) for time in times] == [ItemStatus.SUSPENDED, ItemStatus.IN_FORCE, ItemStatus.WITHDRAWN]
    words = [certificates.past_item_slot(ROOT, INDEX, 0), certificates.past_item_slot(ROOT, INDEX, 1)]
    words.append(certificates.item_slot(ROOT, INDEX))
    found = [certificates.decode_item_word(ledger.state.storage(certificates.ADDRESS, slot)) for slot in words]
    assert [state.since for state in found] == times
    assert [state.reason for state in found] == [3, 0, 4]


# Use


def test_uses_in_full_once(ledger):
    sent = ledger.certificates(SG, use())
    assert sent.events == (events.ItemUsed(ROOT, INDEX, 3, WHOLE_PPM, WHOLE_PPM),)
    assert item(ledger).used_ppm == WHOLE_PPM
    assert ledger.ask_certificates(certificates.used_by(ROOT, INDEX, 3)) == WHOLE_PPM
    assert ledger.state.storage(certificates.ADDRESS, certificates.used_slot(ROOT, INDEX)) == WHOLE_PPM
    for sender in (SG, NL):
        for share in (WHOLE_PPM, 1):
            with refused("certificates: already used"):
                ledger.certificates(sender, use(share_ppm=share))
    ledger.certificates(NL, use(position=1))


def test_uses_in_parts_up_to_the_whole(ledger):
    ledger.certificates(SG, use(share_ppm=600_000))
    with refused("certificates: already used"):
        ledger.certificates(NL, use(share_ppm=400_001))
    sent = ledger.certificates(NL, use(share_ppm=400_000))
    assert sent.events == (events.ItemUsed(ROOT, INDEX, 1, 400_000, WHOLE_PPM),)
    assert ledger.ask_certificates(certificates.used_by(ROOT, INDEX, 3)) == 600_000
    assert ledger.ask_certificates(certificates.used_by(ROOT, INDEX, 1)) == 400_000


def test_uses_every_document_of_the_batch(ledger):
    for position in range(len(DOCUMENT_ROOTS)):
        ledger.certificates(SG, use(position=position, share_ppm=1))


def test_gives_back_only_what_it_used(ledger):
    ledger.certificates(SG, use(share_ppm=600_000))
    release = certificates.release_use(batch=ROOT, index=INDEX, share_ppm=600_000)
    with refused("certificates: more than it used"):
        ledger.certificates(NL, release)
    for sender in (STRANGER, CHAMBER):
        with refused("certificates: not an active authority"):
            ledger.certificates(sender, release)
    with refused("certificates: share"):
        ledger.certificates(SG, certificates.release_use(batch=ROOT, index=INDEX, share_ppm=0))
    with refused("certificates: more than it used"):
        ledger.certificates(SG, certificates.release_use(batch=ROOT, index=INDEX, share_ppm=600_001))
    sent = ledger.certificates(SG, release)
    assert sent.events == (events.UseReleased(ROOT, INDEX, 3, 600_000, 0),)
    ledger.certificates(NL, use())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"document_root": b"\x99" * 32}, "not in the batch"),
        ({"document_root": DOCUMENT_ROOTS[1]}, "not in the batch"),
        ({"destination": b"\x99" * 32}, "not in the batch"),
        ({"index": INDEX ^ 1}, "not in the batch"),
        ({"path": BATCH.path_of(INDEX ^ 2)}, "not in the batch"),
        ({"path": BATCH.path_of(INDEX)[:-1]}, "path length"),
        ({"path": [*BATCH.path_of(INDEX), bytes(32)]}, "path length"),
        ({"path": []}, "path length"),
        ({"index": INDEX + (1 << BATCH.depth)}, "index beyond the batch"),
        ({"batch": b"\x99" * 32}, "unknown batch"),
        ({"batch": SECOND.root}, "not in the batch"),
        ({"share_ppm": 0}, "share"),
        ({"share_ppm": WHOLE_PPM + 1}, "share"),
    ],
)
def test_use_needs_the_document_and_its_path(ledger, changes, reason):
    with refused(f"certificates: {reason}"):
        ledger.certificates(SG, use(**changes))


def test_a_node_is_not_taken_for_a_document(ledger):
    """An inner node's children as root and destination, and the path from there: other domain, other depth."""
    path = BATCH.path_of(INDEX)
    leaf = batch_leaf(DOCUMENT_ROOTS[0], DESTINATION)
    children = (leaf, path[0]) if INDEX % 2 == 0 else (path[0], leaf)
    for padding in ([], [bytes(32)]):
        forged = use(index=INDEX >> 1, document_root=children[0], destination=children[1], path=[*path[1:], *padding])
        with pytest.raises(ContractRefusal, match=r"^certificates: (path length|not in the batch)$"):
            ledger.certificates(SG, forged)


def test_the_root_binds_kind_and_depth(empty_ledger):
    """The same tree anchored as another kind, or another capacity, is another batch."""
    for changes, prefix in (({"kind": 2}, "05 0002 00000001"), ({"depth": 6}, "06 0001 00000001")):
        assert BATCH.depth == 5
        root = keccak_256(bytes.fromhex("636f636b65740108" + prefix) + BATCH.top).digest()
        sent = empty_ledger.certificates(CHAMBER, anchor(**changes))
        assert last_event(sent, events.BatchAnchored).root == root
        with refused("certificates: unknown batch"):
            empty_ledger.certificates(SG, use())
    with refused("certificates: path length"):
        empty_ledger.certificates(SG, use(batch=root))
    empty_ledger.certificates(CHAMBER, anchor())
    empty_ledger.certificates(SG, use())


def test_only_active_authorities_use(ledger):
    for sender in (STRANGER, CHAMBER):
        with refused("certificates: not an active authority"):
            ledger.certificates(sender, use())
    decide(ledger, [NL, KE, SG], consortium.propose_suspension(authority=3, reason=1))
    with refused("certificates: not an active authority"):
        ledger.certificates(SG, use())


def test_use_is_refused_out_of_force(ledger):
    for sender, data in (
        (CHAMBER, SUSPEND),
        (KE, SUSPEND),
        (CHAMBER, WITHDRAW),
        (CHAMBER, SUPERSEDE),
        (CHAMBER, WITHDRAW_BATCH),
    ):
        copied = ledger.copy()
        copied.certificates(sender, data)
        with refused("certificates: not in force"):
            copied.certificates(SG, use())
    ledger.certificates(CHAMBER, SUSPEND)
    ledger.certificates(CHAMBER, REINSTATE)
    ledger.certificates(SG, use())


def test_use_keeps_to_the_dates(empty_ledger):
    start, end = empty_ledger.time + 1_000, empty_ledger.time + 2_000
    empty_ledger.certificates(CHAMBER, anchor(valid_from=start, valid_to=end))

    def use_at(time):
        ledger = empty_ledger.copy()
        ledger.time = time - 2  # the next block is two seconds later
        ledger.certificates(SG, use())

    with refused("certificates: not yet valid"):
        use_at(start - 1)
    use_at(start)
    use_at(end - 1)
    with refused("certificates: expired"):
        use_at(end)


def test_a_path_longer_than_any_tree_is_no_call(ledger):
    long_path = [bytes(32)] * 21
    with pytest.raises(ContractRefusal, match="without a reason"):
        ledger.certificates(SG, use(path=long_path))


def test_finds_the_others_through_the_directory(ledger):
    """Another Participants, by vote: what it does not know cannot anchor."""
    decide(ledger, [NL, KE, SG], consortium.propose_entry(name=directory.PARTICIPANTS, target=certificates.ADDRESS))
    with pytest.raises(ContractRefusal):
        ledger.certificates(CHAMBER, anchor(built(b"\4" * 32)))


def test_gas_of_what_is_done_often(ledger):
    third = built(b"\3" * 32)
    most = {
        "anchor": (CHAMBER, anchor(third), 73_000),
        "use": (SG, use(), 100_000),
        "use more": (NL, use(share_ppm=1), 100_000),
        "withdraw": (CHAMBER, certificates.withdraw(batch=ROOT, index=3, reason=1), 65_000),
        "supersede": (CHAMBER, certificates.supersede(batch=ROOT, index=4, by_batch=ROOT, by_index=5), 120_000),
    }
    for name, (sender, data, gas) in most.items():
        assert ledger.copy().certificates(sender, data).gas < gas, name


def test_python_and_contract_agree_on_the_batch_word():
    word = interface("Certificates").functions["batch"].outputs[0]
    names = [part.name for part in word.parts]
    assert names == list(certificates.Batch.__dataclass_fields__)
    assert certificates.decode_batch_word(0).anchored_at == 0


def test_uses_the_documents_of_the_golden_vector(empty_ledger):
    """Real documents, committed and batched by the attestation, in the bytes that its vector has fixed."""
    vector = json.loads((Path(__file__).parents[1] / "vectors" / "commitment_cocket.json").read_text())
    batch = vector["batch"]
    root = bytes.fromhex(batch["root"])
    data = certificates.anchor(
        top=bytes.fromhex(batch["top"]), depth=batch["depth"], kind=batch["kind"], valid_from=FROM, valid_to=TO
    )
    assert empty_ledger.ask_participants(participants.participant_of(CHAMBER)) == batch["issuer"]
    assert last_event(empty_ledger.certificates(CHAMBER, data), events.BatchAnchored).root == root
    for document, place in zip(vector["documents"], batch["items"], strict=True):
        salt = secrets_of(bytes.fromhex(document["secret"]), KINDS[batch["kind"]]).country_salt
        data = certificates.use(
            batch=root,
            index=place["index"],
            document_root=bytes.fromhex(document["document_root"]),
            destination=country_hash(salt, document["country"]),
            path=[bytes.fromhex(sibling) for sibling in place["path"]],
            share_ppm=WHOLE_PPM,
        )
        sent = empty_ledger.certificates(SG, data)
        assert sent.events == (events.ItemUsed(root, place["index"], 3, WHOLE_PPM, WHOLE_PPM),)
