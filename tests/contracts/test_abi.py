"""Encoding: round trips, strictness, and that bad bytes raise nothing but their own error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.contracts import certificates, consortium, directory, participants
from cocket.contracts.abi import ANSWER_BYTES_MAX, decode_values, encode_values, interface
from cocket.contracts.artifact import CONTRACTS
from cocket.contracts.errors import ContractError, ContractRefusal, MalformedAnswer, MalformedValue, decode_revert
from cocket.contracts.events import decode_log, event_topic
from cocket.contracts.values import decode_country, decode_name, encode_country, encode_name

VIEWS = [
    consortium.get_validators(),
    consortium.authority(1),
    consortium.keys(1),
    consortium.nodes(1),
    consortium.proposal(1),
    consortium.standing_at(1, 1),
    consortium.may_transact(bytes(20)),
    participants.mandate(1),
    participants.issuer(bytes(20), 1),
    participants.key_span(1, bytes(20)),
    certificates.batch(bytes(32)),
    certificates.item(bytes(32), 1),
    certificates.item_at(bytes(32), 1, 1),
    directory.address_of("Consortium"),
    directory.name_at(0),
    directory.version(),
]

addresses = st.binary(min_size=20, max_size=20)
words = st.binary(min_size=32, max_size=32)
uint = st.integers(0, 2**256 - 1)
nodes = st.lists(
    st.builds(
        consortium.Node,
        node_id=st.binary(min_size=64, max_size=64),
        endpoint=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64),
    ),
    min_size=1,
    max_size=4,
).map(tuple)
keys = st.builds(
    consortium.Keys,
    admin=addresses,
    validator=addresses,
    seal_certificate=words,
    encryption_suite=st.integers(0, 2**16 - 1),
    encryption_key=st.binary(min_size=1, max_size=1600),
    nodes=nodes,
)


@given(st.binary(max_size=700))
def test_arbitrary_answers_raise_nothing_but_their_own_error(data):
    for view in VIEWS:
        try:
            view.decode(data)
        except MalformedAnswer:
            continue


@given(st.lists(st.integers(0, 2**256 - 1) | st.sampled_from([32, 64, 128, 2**31, 2**64]), max_size=14))
def test_arbitrary_words_raise_nothing_but_their_own_error(values):
    data = b"".join(value.to_bytes(32, "big") for value in values)
    for view in VIEWS:
        try:
            view.decode(data)
        except MalformedAnswer:
            continue


@given(keys)
def test_keys_records_come_back_as_they_went(record):
    outputs = interface("Consortium").functions["keys"].outputs
    assert consortium.keys(1).decode(encode_values("test", outputs, [consortium.keys_tuple(record)])) == record


@given(st.lists(addresses, max_size=64))
def test_validators_come_back_and_hash_as_the_contract_does(validators):
    data = encode_values("test", interface("Consortium").functions["getValidators"].outputs, [validators])
    assert consortium.get_validators().decode(data) == tuple(validators)


def test_answers_are_exact():
    outputs = interface("Consortium").functions["getValidators"].outputs
    good = encode_values("test", outputs, [[b"\1" * 20]])
    assert decode_values("test", outputs, good) == ((b"\1" * 20,),)
    for bad in (
        good + bytes(32),
        good[:-1],
        b"",
        good[:31] + b"\x40" + good[32:],
        good[:-32] + b"\1" + good[-31:],
        good[:63] + b"\2" + good[64:],
        bytes(ANSWER_BYTES_MAX + 1),
    ):
        with pytest.raises(MalformedAnswer, match="test:"):
            decode_values("test", outputs, bad)


def test_unknown_codes_in_answers_are_refused():
    outputs = interface("Consortium").functions["standingAt"].outputs
    assert consortium.standing_at(1, 1).decode(encode_values("test", outputs, (3, 1, 1))).status == 3
    with pytest.raises(MalformedAnswer, match=r"Consortium\.standingAt: 4 is not a valid Status"):
        consortium.standing_at(1, 1).decode(encode_values("test", outputs, (4, 1, 1)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: consortium.vote(proposal=-1, approve=True), r"Consortium\.vote: proposal: -1 is not a uint256"),
        (lambda: consortium.vote(proposal=2**256, approve=True), "proposal"),
        (lambda: consortium.vote(proposal=1, approve=2), r"approve: 2 is not a bool"),
        (lambda: consortium.vote(proposal="1", approve=True), "proposal: '1' is not a uint256"),
        (lambda: consortium.propose_suspension(authority=1, reason=2**16), "reason: 65536 is not a uint16"),
        (lambda: consortium.may_transact(b"\1" * 19), "account: .* is not a value of 20 bytes"),
        (lambda: consortium.may_transact("0x" + "11" * 20), "is not a value of 20 bytes"),
        (lambda: consortium.authority_of_country("nl"), "'nl' is not two capital letters"),
        (lambda: certificates.withdraw(batch=b"\1" * 33, index=1, reason=1), "batch: .* is not a value of 32 bytes"),
        (lambda: certificates.anchor(top=bytes(32), depth=4, kind=1, valid_from=0, valid_to=2**40), "valid_to"),
        (lambda: participants.encode_kinds([64]), "kinds: 64, expected 0 to 63"),
        (
            lambda: participants.accredit(identity=bytes(32), roles=1, kinds=[], valid_from=0, valid_to=1, keys=[1]),
            "keys",
        ),
        (
            lambda: encode_values("test", interface("Consortium").functions["vote"].inputs, [1]),
            "1 arguments, expected 2",
        ),
        (lambda: directory.address_of("x" * 33), "is not 1 to 32 printable"),
        (lambda: directory.address_of(""), "is not 1 to 32 printable"),
    ],
)
def test_arguments_that_do_not_fit_are_named(make, message):
    with pytest.raises(MalformedValue, match=message):
        make()


def test_short_hashes_are_not_padded_in_silence():
    with pytest.raises(MalformedValue, match="top"):
        certificates.anchor(top=b"\1" * 31, depth=4, kind=1, valid_from=0, valid_to=1)


@pytest.mark.parametrize("endpoint", ["", "a b:1", "a\n:1", "\x7f:1", "é:1", "a" * 65])
def test_endpoints_are_printable_ascii(endpoint):
    node = consortium.Node(b"\1" * 64, endpoint)
    record = consortium.Keys(b"\1" * 20, b"\2" * 20, bytes(32), 1, b"\3", (node,))
    with pytest.raises(MalformedValue, match="endpoint"):
        consortium.propose_admission(country="FR", keys=record)


def test_selectors_that_others_have_fixed():
    functions = interface("Consortium").functions
    assert functions["getValidators"].selector.hex() == "b7ab4db5"  # Besu's
    assert {name: functions[name].selector.hex() for name in ("mayTransact", "mayDeploy", "mayConnect")} == {
        "mayTransact": consortium.may_transact(bytes(20)).data[:4].hex(),
        "mayDeploy": consortium.may_deploy(bytes(20)).data[:4].hex(),
        "mayConnect": consortium.may_connect(bytes(64)).data[:4].hex(),
    }


@given(st.sampled_from(CONTRACTS), st.data())
def test_arbitrary_logs_raise_nothing_but_their_own_error(contract, data):
    topics = data.draw(st.lists(st.sampled_from(sorted(interface(contract).events)) | words, max_size=5))
    address = data.draw(st.sampled_from([directory.ADDRESS, consortium.ADDRESS, participants.ADDRESS, b"\1" * 20]))
    try:
        decode_log(address, topics, data.draw(st.binary(max_size=400)))
    except MalformedAnswer:
        return


def test_logs_of_others_are_not_ours():
    topic = event_topic(type_of("BatchWithdrawn"))
    data = encode_values("test", interface("Certificates").events[topic].fields[1:], [1, True])
    assert decode_log(certificates.ADDRESS, [topic, b"\1" * 32], data).reason == 1
    assert decode_log(b"\1" * 20, [topic, b"\1" * 32], data) is None
    assert decode_log(consortium.ADDRESS, [topic, b"\1" * 32], data) is None
    assert decode_log(certificates.ADDRESS, [], data) is None
    for topics in ([topic], [topic, b"\1" * 32, b"\1" * 32]):
        with pytest.raises(MalformedAnswer, match="topics, expected 2"):
            decode_log(certificates.ADDRESS, topics, data)


def type_of(name):
    from cocket.contracts import events

    return getattr(events, name)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_event_has_its_class_with_its_fields(contract):
    for topic, event in interface(contract).events.items():
        kind = type_of(event.name)
        assert list(kind.__dataclass_fields__) == [field.name for field in event.fields]
        assert event_topic(kind) == topic


@given(st.binary(max_size=300))
def test_any_revert_is_a_refusal(output):
    for prefix in (b"", bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")):
        assert isinstance(decode_revert(prefix + output), ContractRefusal)


def test_reverts_say_contract_and_reason():
    error = interface("Directory").functions["version"].outputs  # a string
    output = bytes.fromhex("08c379a0") + encode_values("test", error, ["consortium: not an authority"])
    refusal = decode_revert(output)
    assert (refusal.contract, refusal.reason) == ("consortium", "not an authority")
    assert str(refusal) == "consortium: not an authority"
    assert isinstance(refusal, ContractError)
    plain = decode_revert(bytes.fromhex("08c379a0") + encode_values("test", error, ["no colon"]))
    assert (plain.contract, plain.reason) == ("", "no colon")
    panic = decode_revert(bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big"))
    assert panic.reason == "panic 0x11"
    assert "without a reason" in decode_revert(b"").reason
    assert "more than a reason" in decode_revert(bytes(2000)).reason


@given(st.text(max_size=40))
def test_names_and_countries_come_back_or_are_refused(text):
    for encode, decode in ((encode_name, decode_name), (encode_country, decode_country)):
        try:
            encoded = encode(text)
        except MalformedValue:
            continue
        assert decode(encoded) == text


@given(st.binary(max_size=40))
def test_arbitrary_names_and_countries_raise_nothing_but_their_own_error(data):
    for decode in (decode_name, decode_country):
        try:
            decode(data)
        except MalformedAnswer:
            continue


@given(st.frozensets(st.integers(0, 63)))
def test_kinds_come_back(kinds):
    assert participants.decode_kinds(participants.encode_kinds(kinds)) == kinds
