"""What a bundle proves from an anchor: as much as a node says, and nothing when any link is another's."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from bundles.networks import FOUNDERS, Network, Story, key_of, words
from ledger.chains import Chain

from cocket.attestation.prove import Anchor as Place
from cocket.attestation.prove import Presentation, integrity_of, present, whole
from cocket.attestation.verdict import Verdict, verdict
from cocket.cli.bundling import make_bundle, read_change
from cocket.cli.checkpointing import read_statement, sign
from cocket.cli.errors import CommandError
from cocket.cli.evidence import gather_facts
from cocket.contracts import certificates, consortium, directory, participants
from cocket.node.bundle.checkpoint import Checkpoint, signing_hash
from cocket.node.bundle.errors import InvalidBundle, InvalidCheckpoint, Unproven
from cocket.node.bundle.file import Bundle, Change, Founding, decode_bundle, encode_bundle
from cocket.node.bundle.line import Line
from cocket.node.bundle.proof import Anchor, founding_chain_id, prove
from cocket.node.chain.extra_data import ExtraData, decode_extra_data, encode_extra_data
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import Header, commit_hash, with_seals
from cocket.node.consensus.seals import address_of_key, sign_seal

FIRST, LAST = date(2025, 10, 8), date(2025, 10, 17)
GOOD_DAY = date(2025, 10, 14)
NOW_S = 1_800_000_000
LEDGER_LINES = ("issuance", "in_force", "issuer_authority")
CURRENT = ("NL", "SG", "UY")  # who validates in the end


@pytest.fixture(scope="module")
def story() -> Story:
    return Story()


@pytest.fixture(scope="module")
def bundle(story: Story) -> Bundle:
    return story.bundle()


@pytest.fixture(scope="module")
def good(story: Story) -> Bundle:
    """Give the bundle of the day on which everything is well."""
    return story.bundle(story.good)


@pytest.fixture(scope="module")
def checkpoint(story: Story) -> Checkpoint:
    """Give a checkpoint between the second change of the validators and the withdrawal of the certificate."""
    return signed(story.network, story.good, ("KE", "NL", "SG"))


def signed(network: Network, height: int, countries: Sequence[str]) -> Checkpoint:
    checkpoint = read_statement(network.client, height)
    for country in countries:
        checkpoint = sign(checkpoint, network.client, network.admin(country))
    return checkpoint


def judged(bundle: Bundle, anchor: Anchor, day: date = GOOD_DAY) -> Verdict:
    """Return what a reader of the file gets to see."""
    read = decode_bundle(encode_bundle(bundle))
    try:
        facts = prove(read, anchor, NOW_S)
    except Unproven as error:
        return verdict(read.presentation, None, day, str(error))
    return verdict(read.presentation, facts, day)


def refusal(bundle: Bundle, anchor: Anchor) -> str:
    """Return why a bundle proves nothing; no line about the ledger is then a yes, or a no."""
    with pytest.raises(Unproven) as caught:
        prove(bundle, anchor, NOW_S)
    found = words(judged(bundle, anchor).as_json())
    assert found.pop("integrity") == "yes"
    assert set(found.values()) == {"could not check"}
    return str(caught.value)


def sealed_by(header: Header, keys: Sequence[bytes], *, is_ordered: bool = True) -> Header:
    digest = commit_hash(header)
    ordered = sorted(keys, key=address_of_key) if is_ordered else keys
    return with_seals(header, [sign_seal(digest, key) for key in ordered])


def with_head(bundle: Bundle, **changes: object) -> Bundle:
    return replace(bundle, head=replace(bundle.head, **changes))  # type: ignore[arg-type]


# --- what it proves ---------------------------------------------------------------------------------------------------


def test_a_good_certificate_is_yes_from_the_genesis_alone(story: Story, good: Bundle) -> None:
    found = judged(good, story.network.genesis_hash)
    assert found.overall == "yes"
    assert words(found.as_json()) == {
        "integrity": "yes", "issuance": "yes", "in_force": "yes", "issuer_authority": "yes", "superseded": "no",
        "used": "yes",
    }  # fmt: skip
    assert "SG (40 %)" in found.used.reason
    assert "40 % left" in found.used.reason
    days = (NOW_S - story.network.chain.genesis.header.timestamp) // 86_400
    for line in (*LEDGER_LINES, "used"):
        reason = getattr(found, line).reason
        assert f"as of block {story.good}, 2025-10-15T00:01:00Z, proven from the genesis 0x" in reason
        assert f"of 2025-10-09, {days} days old" in reason


def test_on_every_day_it_says_what_a_node_says(story: Story, bundle: Bundle) -> None:
    network, place = story.network, bundle.presentation.anchor
    assert place is not None
    facts = prove(bundle, network.genesis_hash, NOW_S)
    seen = set()
    for number in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=number)
        end_s = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) + 86_399
        ours = verdict(bundle.presentation, facts, day)
        theirs = verdict(bundle.presentation, gather_facts(network.client, place, end_s), day)
        assert words(ours.as_json()) == words(theirs.as_json()), day
        seen.add((ours.in_force.answer, ours.issuer_authority.answer))
    assert seen == {("yes", "yes"), ("no", "yes"), ("no", "no")}
    last = verdict(bundle.presentation, facts, LAST)
    assert "withdrawn (by its authority, reason code 4)" in last.in_force.reason
    assert "its accrediting authority KE was suspended" in last.issuer_authority.reason


def test_each_change_of_the_validators_is_proven_and_no_other_block(story: Story, bundle: Bundle) -> None:
    assert [change.header.number for change in bundle.changes] == story.changes
    start = bundle.start
    assert isinstance(start, Founding)
    sets = [start.validators, *(change.validators for change in bundle.changes)]
    members = [set(FOUNDERS), {*FOUNDERS, "UY"}, {"KE", "NL", "SG", "UY"}, {"NL", "SG", "UY"}]
    assert [set(found) for found in sets] == [{story.network.validator(c) for c in found} for found in members]
    seals = [len(decode_extra_data(c.header.extra_data).seals) for c in (*bundle.changes, bundle.head)]
    assert seals == [3, 4, 3, 2]


def test_a_block_that_changes_the_validators_can_be_the_last_one(story: Story) -> None:
    for height, count in zip(story.changes, range(3), strict=True):
        made = story.bundle(height)
        assert len(made.changes) == count
        assert prove(made, story.network.genesis_hash, NOW_S).as_of.number == height


def test_what_was_never_anchored_is_a_no_by_proof_of_absence(story: Story) -> None:
    certificate = replace(story.certificate, anchor=None)
    place = story.certificate.anchor
    assert place is not None
    absent = replace(place, index=place.index ^ 1)
    presentation = whole(certificate.anchored(absent))
    reached = presentation_root(presentation, absent)
    made = make_bundle(story.network.client, whole(certificate.anchored(reached)), height=story.good)
    found = judged(made, story.network.genesis_hash)
    assert found.integrity.answer == "yes"
    assert found.issuance.answer == "no"
    assert f"no such batch as of block {story.good}" in found.issuance.reason


def presentation_root(presentation: Presentation, place: Place) -> Place:
    """Return the place with the batch root that its own path leads to."""
    root = integrity_of(presentation).batch_root
    assert root is not None
    return replace(place, batch=root)


def test_superseded_by_what_and_since_when() -> None:
    network = Network("superseded")
    network.accredit()
    old, new = network.issue(), network.issue(bytes(32))
    assert old.anchor is not None
    assert new.anchor is not None
    places = {"batch": old.anchor.batch, "index": old.anchor.index}
    by = {"by_batch": new.anchor.batch, "by_index": new.anchor.index}
    network.certificates(network.chamber, certificates.supersede(**places, **by))
    network.next_day()
    network.pass_blocks()
    day = date(2025, 10, 9)
    found = judged(make_bundle(network.client, whole(old)), network.genesis_hash, day)
    assert found.superseded.answer == "yes"
    assert f"by 0x{new.anchor.batch.hex()} item {new.anchor.index}" in found.superseded.reason
    assert found.overall == "no"
    assert judged(make_bundle(network.client, whole(new)), network.genesis_hash, day).overall == "yes"


def test_a_whole_batch_withdrawn_and_an_issuer_that_lost_its_role() -> None:
    network = Network("batch")
    network.accredit()
    certificate = network.issue()
    assert certificate.anchor is not None
    ports = participants.change_mandate(
        participant=1, roles=participants.Role.PORT, kinds={1}, valid_from=1_750_000_000, valid_to=4_000_000_000
    )
    network.send(network.admin("KE"), participants.ADDRESS, ports)
    network.next_day()
    network.certificates(network.chamber, certificates.withdraw_batch(batch=certificate.anchor.batch, reason=5))
    network.next_day()
    made = make_bundle(network.client, whole(certificate))
    first, second = (judged(made, network.genesis_hash, date(2025, 10, day)) for day in (9, 10))
    assert (first.in_force.answer, second.in_force.answer) == ("yes", "no")
    assert "the whole batch, by its issuer, reason code 5" in second.in_force.reason
    assert first.issuer_authority.answer == "no"
    assert "it was entitled when the batch was anchored" in first.issuer_authority.reason


# --- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", [date(2025, 10, 15), date(2025, 10, 16), date(2027, 6, 1)])
def test_of_a_date_that_ends_after_its_last_block_it_says_nothing(story: Story, good: Bundle, day: date) -> None:
    """Such is one cut off before the withdrawal of the 16th: whoever asks about that day gets no yes."""
    found = judged(good, story.network.genesis_hash, day)
    answers = words(found.as_json())
    assert [answers[line] for line in ("in_force", "issuer_authority", "superseded")] == ["could not check"] * 3
    assert f"end with block {story.good}" in found.in_force.reason
    assert found.issuance.answer == "yes"
    assert found.overall == "could not check"


def test_what_is_for_good_stays_a_no_after_its_last_block(story: Story, bundle: Bundle) -> None:
    found = judged(bundle, story.network.genesis_hash, date(2026, 5, 5))
    assert found.in_force.answer == "no"
    assert found.superseded.answer == "could not check"


# --- other networks, other validators ---------------------------------------------------------------------------------


def test_a_second_network_with_the_same_names_and_other_keys_is_never_a_yes(story: Story, good: Bundle) -> None:
    other = Network("other keys")
    assert other.chain.genesis.spec == story.network.chain.genesis.spec
    other.accredit()
    certificate = other.issue()
    other.next_day()
    other.next_day()
    perfect = make_bundle(other.client, whole(certificate))
    day = date(2025, 10, 9)
    assert judged(perfect, other.genesis_hash, day).overall == "yes"
    ours = story.network.genesis_hash
    assert "expected the genesis" in refusal(perfect, ours)
    assert "expected the genesis" in refusal(replace(perfect, presentation=good.presentation), ours)
    # Its head on our beginning, with our certificate or its own.
    assert "seal 0" in refusal(replace(good, head=perfect.head, changes=()), ours)
    assert "seal 0" in refusal(replace(perfect, start=good.start), ours)
    # Our founding with its validators.
    start, founding = good.start, perfect.start
    assert isinstance(start, Founding)
    assert isinstance(founding, Founding)
    forged = replace(perfect, start=replace(start, validators=founding.validators))
    assert "validators with another hash" in refusal(forged, ours)


def test_a_certificate_of_another_network_is_not_in_our_ledger(story: Story, good: Bundle) -> None:
    place = good.presentation.anchor
    assert place is not None
    for changes in ({"genesis_hash": bytes(32)}, {"chain_id": 1}, {"contract": bytes(20)}):
        other = replace(good.presentation, anchor=replace(place, **changes))  # type: ignore[arg-type]
        found = judged(replace(good, presentation=other), story.network.genesis_hash)
        assert found.issuance.answer == "could not check"
        assert found.overall == "could not check"


def test_a_removed_validator_seals_no_more(story: Story, good: Bundle) -> None:
    network = story.network
    keys = [key_of("", country, "validator") for country in ("BR", "NL", "SG")]
    forged = with_head(good, header=sealed_by(good.head.header, keys))
    assert "the signer" in refusal(forged, network.genesis_hash)


def test_a_change_of_the_validators_cannot_be_left_out(story: Story, good: Bundle) -> None:
    """KE, NL and SG are a quorum of the founders too: only the state says that they are not asked as those."""
    network = story.network
    keys = [key_of("", country, "validator") for country in ("KE", "NL", "SG")]
    head = sealed_by(good.head.header, keys)
    left_out = replace(with_head(good, header=head), changes=())
    assert f"changed in block {story.changes[1]}, which the bundle leaves out" in refusal(
        left_out, network.genesis_hash
    )
    assert "validators" in refusal(replace(good, changes=good.changes[:1]), network.genesis_hash)
    assert refusal(replace(good, changes=good.changes[1:]), network.genesis_hash)


def test_a_quorum_of_former_validators_is_found_out_by_a_checkpoint(story: Story, checkpoint: Checkpoint) -> None:
    """Whoever has the keys of a former set can go on from there with another history. A younger anchor tells."""
    fork = Network()
    assert fork.genesis_hash == story.network.genesis_hash
    fork.accredit()
    certificate = fork.issue()
    for _ in range(6):
        fork.next_day()
    short = make_bundle(fork.client, whole(certificate))
    assert "before the checkpoint" in refusal(short, checkpoint)
    # The genesis alone cannot tell: what its reader is told is how old that anchor is.
    assert "days old" in judged(short, fork.genesis_hash, date(2025, 10, 13)).in_force.reason
    fork.pass_blocks(checkpoint.height - fork.height)
    assert "found another than the checkpoint's" in refusal(make_bundle(fork.client, whole(certificate)), checkpoint)
    fork.pass_blocks(5)
    assert "other validators" in refusal(make_bundle(fork.client, whole(certificate)), checkpoint)


# --- checkpoints ------------------------------------------------------------------------------------------------------


def test_a_bundle_from_the_genesis_is_proven_through_a_checkpoint(
    story: Story, good: Bundle, bundle: Bundle, checkpoint: Checkpoint
) -> None:
    found = judged(good, checkpoint)
    assert found.overall == "yes"
    assert f"the checkpoint of block {story.good} of 2025-10-15" in found.in_force.reason
    assert "signed by KE, NL, SG" in found.in_force.reason
    assert judged(bundle, checkpoint, LAST).in_force.answer == "no"


def test_a_bundle_from_a_checkpoint_needs_that_checkpoint(story: Story, checkpoint: Checkpoint) -> None:
    made = story.bundle(checkpoint=checkpoint)
    assert made.start == checkpoint.block_hash
    assert [change.header.number for change in made.changes] == story.changes[2:]
    assert judged(made, checkpoint, LAST).in_force.answer == "no"
    assert "name the checkpoint as the anchor" in refusal(made, story.network.genesis_hash)
    other = signed(story.network, story.good + 1, ("KE", "NL", "SG"))
    assert "expected the checkpoint's" in refusal(made, other)


def test_a_checkpoint_that_too_few_signed_is_no_anchor(story: Story, good: Bundle) -> None:
    with pytest.raises(InvalidCheckpoint, match="found the signatures of 2 authorities, expected 3 of 4"):
        prove(good, signed(story.network, story.good, ("KE", "NL")), NOW_S)


def test_a_checkpoint_of_a_wrong_set_refuses_the_bundle(story: Story, bundle: Bundle, checkpoint: Checkpoint) -> None:
    """Not one of its own words is taken besides: the set that a bundle proves must be the checkpoint's."""

    def forged(**changes: object) -> Checkpoint:
        wrong = replace(checkpoint, signatures=(), **changes)  # type: ignore[arg-type]
        admins = [story.network.admin(country) for country in ("KE", "NL", "SG")]
        return wrong.signed([sign_seal(signing_hash(wrong), admin) for admin in admins])

    assert prove(bundle, forged(), NOW_S).has_batch
    assert "other validators after it" in refusal(bundle, forged(validators=checkpoint.validators[1:]))
    assert "chain id" in refusal(bundle, forged(chain_id=7))
    assert "expected the genesis" in refusal(bundle, forged(genesis_hash=bytes(32)))


# --- seals, nodes, order ----------------------------------------------------------------------------------------------

STRANGER = key_of("a stranger")


def seals(*countries: str, is_ordered: bool = True, strangers: int = 0) -> Callable[[Bundle], Bundle]:
    keys = [key_of("", country, "validator") for country in countries] + [STRANGER] * strangers

    def change(bundle: Bundle) -> Bundle:
        return with_head(bundle, header=sealed_by(bundle.head.header, keys, is_ordered=is_ordered))

    return change


def descending(bundle: Bundle) -> Bundle:
    keys = sorted((key_of("", country, "validator") for country in CURRENT[:2]), key=address_of_key, reverse=True)
    return with_head(bundle, header=sealed_by(bundle.head.header, keys, is_ordered=False))


def first_node_twice(bundle: Bundle) -> Bundle:
    nodes = bundle.head.nodes
    return with_head(bundle, nodes=(nodes[0], *nodes))


WRONG: dict[str, tuple[Callable[[Bundle], Bundle], str]] = {
    "no seal": (seals(), "found 0 seals, expected 2"),
    "too few seals": (seals("NL"), "found 1 seals, expected 2"),
    "surplus seals": (seals("NL", "SG", "UY"), "found 3 seals, expected 2"),
    "a seal twice": (seals("NL", "NL"), "second seal"),
    "a foreign seal": (seals("NL", strangers=1), "the signer"),
    "seals in another order": (descending, "another order"),
    "a header after the last change left out": (lambda b: replace(b, changes=b.changes[:-1]), "expected"),
    "changes in another order": (lambda b: replace(b, changes=b.changes[::-1]), "higher and later"),
    "a change twice": (lambda b: replace(b, changes=(*b.changes, b.changes[-1])), "higher and later"),
    "the head as a change": (
        lambda b: replace(b, changes=(*b.changes, Change(b.head.header, b.changes[-1].validators, b.head.nodes))),
        "another proof node",
    ),
    "no proof nodes": (lambda b: with_head(b, nodes=()), "found 0 proof nodes"),
    "a node missing at the end": (lambda b: with_head(b, nodes=b.head.nodes[:-1]), "proof node"),
    "a node missing at the start": (lambda b: with_head(b, nodes=b.head.nodes[1:]), "proof node"),
    "a surplus node": (lambda b: with_head(b, nodes=(*b.head.nodes, b.head.nodes[0])), "needed"),
    "a node twice": (first_node_twice, "another proof node at position 1"),
    "nodes in another order": (
        lambda b: with_head(b, nodes=(*b.head.nodes[:-2], b.head.nodes[-1], b.head.nodes[-2])),
        "another proof node",
    ),
    "nodes of another block": (lambda b: with_head(b, nodes=b.changes[-1].nodes), "proof node"),
    "a user too many": (lambda b: with_head(b, users=(2, *b.head.users)), "found authority 2"),
    "a user too few": (lambda b: with_head(b, users=b.head.users[1:]), "another proof node"),
    "no users": (lambda b: with_head(b, users=()), "millionths"),
    "validators of another change": (
        lambda b: replace(b, changes=(replace(b.changes[0], validators=b.changes[1].validators), *b.changes[1:])),
        "another hash",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_every_wrong_link_is_found(story: Story, bundle: Bundle, name: str) -> None:
    change, said = WRONG[name]
    changed = change(bundle)
    assert changed != bundle
    assert said in refusal(changed, story.network.genesis_hash)


def test_a_block_that_changes_nothing_is_no_change(story: Story, bundle: Bundle) -> None:
    last = bundle.changes[-2]
    line = Line(last.header.number, last.header.timestamp, last.validators)
    surplus = read_change(story.network.client, story.good, line)
    assert surplus.validators == last.validators
    changes = (*bundle.changes[:-1], surplus, bundle.changes[-1])
    assert "does not change the validators" in refusal(replace(bundle, changes=changes), story.network.genesis_hash)


@pytest.mark.parametrize("stage", ["start", "changes", "head"])
def test_no_node_can_be_left_out_or_added(story: Story, good: Bundle, stage: str) -> None:
    def with_nodes(edit: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> Bundle:
        start = good.start
        assert isinstance(start, Founding)
        if stage == "start":
            return replace(good, start=replace(start, nodes=edit(start.nodes)))
        if stage == "changes":
            first, *others = good.changes
            return replace(good, changes=(replace(first, nodes=edit(first.nodes)), *others))
        return with_head(good, nodes=edit(good.head.nodes))

    part = {"start": good.start, "changes": good.changes[0], "head": good.head}[stage]
    count = len(part.nodes)  # type: ignore[union-attr]
    assert count > 4
    for at in range(count):
        assert refusal(with_nodes(lambda nodes, at=at: nodes[:at] + nodes[at + 1 :]), story.network.genesis_hash)  # type: ignore[misc]
    assert refusal(with_nodes(lambda nodes: (*nodes, b"\xc0")), story.network.genesis_hash)


def test_the_proof_of_another_item_is_of_no_use(story: Story, good: Bundle) -> None:
    network = Network("two")
    network.accredit()
    one, two = network.issue(), network.issue(bytes(32))
    network.next_day()
    first, second = (make_bundle(network.client, whole(certificate)) for certificate in (one, two))
    assert judged(first, network.genesis_hash, date(2025, 10, 8)).issuance.answer == "yes"
    mixed = replace(first, presentation=second.presentation)
    assert "another proof node" in refusal(mixed, network.genesis_hash)
    assert story.network.genesis_hash != network.genesis_hash
    assert good.presentation != first.presentation


def test_a_presentation_shows_what_its_holder_wants_and_keeps_its_verdict(story: Story) -> None:
    shown = present(story.certificate, ["goods"], show_country=False)
    made = make_bundle(story.network.client, shown, height=story.good)
    assert judged(made, story.network.genesis_hash).overall == "yes"
    assert len(list(made.presentation.fields())) < len(list(whole(story.certificate).fields()))


# --- contracts and genesis that a bundle cannot speak of --------------------------------------------------------------


def test_a_contract_of_other_code_is_not_read() -> None:
    network = Network("another contract")
    network.accredit()
    certificate = network.issue()
    entry = consortium.propose_entry(name=directory.CERTIFICATES, target=participants.ADDRESS)
    network.decide(("BR", "KE", "NL"), entry)
    with pytest.raises(Unproven, match="expected the version that this cocket knows"):
        make_bundle(network.client, whole(certificate))
    before = make_bundle(network.client, whole(certificate), height=network.height - 1)
    assert prove(before, network.genesis_hash, NOW_S).has_batch


def test_a_founding_is_held_to_its_configuration(story: Story, good: Bundle) -> None:
    start = good.start
    assert isinstance(start, Founding)
    network = story.network
    for text in (b"{}", b"", start.configuration.replace(b"20261", b"20262"), start.configuration + b" "):
        assert "another configuration" in refusal(
            replace(good, start=replace(start, configuration=text)), network.genesis_hash
        )
    with pytest.raises(Unproven, match="expected the genesis"):
        prove(replace(good, start=replace(start, header=good.head.header)), network.genesis_hash, NOW_S)


def test_validators_voted_for_in_headers_could_not_be_checked(story: Story, good: Bundle) -> None:
    chain = Chain()
    for extra in (ExtraData(validators=chain.validators), ExtraData()):
        with pytest.raises(Unproven, match=r"votes in headers|another configuration"):
            founding_chain_id(b"{}", extra)
    header = good.head.header
    extra_data = replace(decode_extra_data(header.extra_data), validators=chain.validators)
    voted = sealed_by(replace(header, extra_data=encode_extra_data(extra_data)), [])
    assert "votes in headers" in refusal(with_head(good, header=voted), story.network.genesis_hash)


def test_another_validator_contract_could_not_be_checked() -> None:
    def told(contract: str) -> int:
        text = (
            '{"berlinBlock":0,"chainId":5,"londonBlock":0,"qbft":{"blockperiodseconds":1,'
            f'"validatorcontractaddress":"0x{contract}"}}}}'
        ).encode()
        return founding_chain_id(text, ExtraData(vanity=keccak256(text)))

    assert told(consortium.ADDRESS.hex()) == 5
    with pytest.raises(Unproven, match="another contract than the Consortium"):
        told("77" * 20)
    with pytest.raises(Unproven, match="cannot be read"):
        told("77")


# --- any byte ---------------------------------------------------------------------------------------------------------


def yes_lines(found: Verdict) -> set[tuple[str, str]]:
    values = found.as_json()
    return {
        (name, str(answer["reason"])) for name, answer in values.items() if isinstance(answer, dict)
        if answer["answer"] == "yes"
    }  # fmt: skip


def lines_after_flip(data: bytes, at: int, bits: int, anchor: Anchor) -> set[tuple[str, str]]:
    """Return the lines that still say yes when one byte is another; none when the file is refused as a whole."""
    flipped = bytearray(data)
    flipped[at] ^= bits
    try:
        read = decode_bundle(bytes(flipped))
    except InvalidBundle:
        return set()
    found = judged(read, anchor)
    assert found.overall != "yes", f"byte {at}"
    return yes_lines(found)


def test_after_a_flipped_byte_each_line_is_the_original_statement_or_not_yes(story: Story, good: Bundle) -> None:
    """A sample over all parts. Where fields were changed, the other lines still are about the certificate as issued."""
    data = encode_bundle(good)
    anchor = story.network.genesis_hash
    original = yes_lines(judged(good, anchor))
    assert len(original) == 5
    for at in range(3, len(data), len(data) // 150):
        assert lines_after_flip(data, at, 1 << at % 8, anchor) <= original, f"byte {at}"


# --- making one -------------------------------------------------------------------------------------------------------


def test_the_maker_refuses_what_it_cannot_prove(story: Story) -> None:
    client, certificate = story.network.client, story.certificate
    with pytest.raises(CommandError, match="not anchored"):
        make_bundle(client, whole(replace(certificate, anchor=None)))
    with pytest.raises(CommandError, match="blocks only"):
        make_bundle(client, whole(certificate), height=10_000)
    with pytest.raises(CommandError, match="this node is on the network of genesis"):
        make_bundle(Network("elsewhere").client, whole(certificate))
