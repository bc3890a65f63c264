"""The founding: what the constructors leave at block 0, and what they refuse."""

import pytest
from contract_ledger import COUNTRIES, FOUNDED_AT, KE, NL, PERIOD_S, SPACING_BLOCKS, found, founding, keys_of

from cocket.contracts import certificates, consortium, directory, participants
from cocket.contracts.abi import encode_values, interface
from cocket.contracts.artifact import load_artifact
from cocket.contracts.consortium import Parameter, Status
from cocket.contracts.errors import MalformedValue
from cocket.contracts.founding import Founder, Founding, founding_initcodes
from cocket.contracts.values import encode_name
from cocket.node.chain.rules import Fork
from cocket.node.chain.vm import run_constructor
from cocket.node.errors import Refused


@pytest.mark.parametrize("fork", list(Fork)[1:])
def test_founds_under_every_fork_from_london(fork):
    ledger = found(founding(), fork)
    authority = ledger.ask_consortium(consortium.authority(2))
    assert (authority.country, authority.status, authority.validating) == ("KE", Status.ACTIVE, True)
    assert (authority.admitted_at, authority.since, authority.keys_id, authority.epoch) == (
        FOUNDED_AT,
        FOUNDED_AT,
        2,
        1,
    )
    assert ledger.ask_consortium(consortium.authority_count()) == 4
    assert ledger.ask_consortium(consortium.keys(2)) == keys_of("KE")
    assert ledger.ask_consortium(consortium.nodes(3)) == keys_of("SG").nodes
    assert ledger.ask_consortium(consortium.parameter(Parameter.SPACING_BLOCKS)) == SPACING_BLOCKS
    assert ledger.ask_consortium(consortium.parameter(Parameter.PROPOSAL_PERIOD_S)) == PERIOD_S
    assert ledger.ask_consortium(consortium.parameter(Parameter.PARTICIPANTS_DEPLOY)) == 0


def test_names_the_contracts_and_their_versions():
    ledger = found(founding())
    addresses = {
        directory.CONSORTIUM: consortium.ADDRESS,
        directory.PARTICIPANTS: participants.ADDRESS,
        directory.CERTIFICATES: certificates.ADDRESS,
    }
    for position, (name, address) in enumerate(addresses.items()):
        assert ledger.ask_directory(directory.address_of(name)) == address
        assert ledger.ask_directory(directory.name_at(position)) == name
    versions = {directory: "1.0.0", consortium: "1.1.0", participants: "1.1.0", certificates: "1.0.0"}
    for module, version in versions.items():
        assert ledger.ask(module.ADDRESS, module.version()) == version


def test_same_founding_gives_same_state_whatever_the_clock():
    first, second = found(founding()), found(founding())
    assert first.state.slots == second.state.slots
    assert FOUNDED_AT in {value >> 216 for value in first.state.slots.values()}


def test_seals_the_founding_validators_in_their_slot():
    ledger = found(founding())
    validators = ledger.ask_consortium(consortium.get_validators())
    assert validators == tuple(sorted(keys_of(country).validator for country in COUNTRIES))
    word = ledger.state.storage(consortium.ADDRESS, consortium.VALIDATORS_HASH_SLOT)
    assert word.to_bytes(32, "big") == consortium.hash_validators(validators)
    assert ledger.ask_consortium(consortium.validators_hash()) == consortium.hash_validators(validators)
    assert load_artifact("Consortium").layout["validators_hash"] == consortium.VALIDATORS_HASH_SLOT


def test_founds_with_one_and_with_the_most():
    assert len(found(founding(["NL"])).ask_consortium(consortium.get_validators())) == 1
    countries = [chr(65 + i // 26) + chr(65 + i % 26) for i in range(consortium.VALIDATORS_MAX)]
    ledger = found(founding(countries))
    assert len(ledger.ask_consortium(consortium.get_validators())) == 64
    with pytest.raises(MalformedValue, match="founders: 65"):
        founding_initcodes(founding([*countries, "ZZ"]))
    with pytest.raises(MalformedValue, match="founders: 0"):
        founding_initcodes(founding([]))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"validator": keys_of("NL").validator}, "consortium: validator in use"),
        ({"admin": NL}, "consortium: admin in use"),
        ({"nodes": keys_of("NL").nodes}, "consortium: node in use"),
        ({"nodes": keys_of("KE").nodes[:1] * 2}, "consortium: node in use"),
        ({"admin": bytes(20)}, "consortium: zero key"),
        ({"validator": bytes(20)}, "consortium: zero key"),
        ({"validator": KE}, "consortium: keys not distinct"),
    ],
)
def test_refuses_keys_that_are_not_each_its_own(changes, reason):
    founders = (Founder("NL", keys_of("NL")), Founder("KE", keys_of("KE", **changes)))
    with pytest.raises(Refused, match=reason.encode().hex()):
        found(Founding(founded_at=FOUNDED_AT, founders=founders))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"founders": (Founder("NL", keys_of("NL")), Founder("NL", keys_of("KE")))}, "consortium: country is a member"),
        ({"founded_at": 0}, "consortium: founding time"),
        ({"founded_at": 2**40}, "consortium: founding time"),
        ({"spacing_blocks": 0}, "consortium: parameter out of bounds"),
        ({"spacing_blocks": 100_001}, "consortium: parameter out of bounds"),
        ({"proposal_period_s": 59}, "consortium: parameter out of bounds"),
        ({"proposal_period_s": 31_536_001}, "consortium: parameter out of bounds"),
    ],
)
def test_refuses_parameters_out_of_bounds(changes, reason):
    with pytest.raises(Refused, match=reason.encode().hex()):
        found(founding(**changes))


@pytest.mark.parametrize(
    ("contract", "arguments", "reason"),
    [
        ("Directory", ([], []), "directory: no consortium"),
        ("Directory", ([encode_name("Consortium")], []), "directory: names and targets differ"),
        ("Directory", ([encode_name("Consortium")] * 2, [NL, NL]), "directory: duplicate name"),
        ("Directory", ([encode_name("Consortium")], [bytes(20)]), "directory: zero name or target"),
        ("Directory", ([bytes(32)], [NL]), "directory: zero name or target"),
        ("Consortium", (bytes(20), FOUNDED_AT, 10, 60, False, []), "consortium: zero directory"),
        ("Consortium", (NL, FOUNDED_AT, 10, 60, False, []), "consortium: no founder"),
        ("Participants", (bytes(20),), "participants: zero directory"),
        ("Certificates", (bytes(20),), "certificates: zero directory"),
    ],
)
def test_constructors_refuse_what_binds_nothing(contract, arguments, reason):
    ledger = found(founding(["NL"]))
    initcode = load_artifact(contract).initcode + encode_values("test", interface(contract).constructor, arguments)
    with pytest.raises(Refused, match=reason.encode().hex()):
        run_constructor(ledger.context(), ledger.state, b"\x77" * 20, initcode)


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes": ()},
        {"nodes": keys_of("KE", node_count=5).nodes},
        {"nodes": (consortium.Node(b"\1" * 63, "a:1"),)},
        {"nodes": (consortium.Node(b"\1" * 64, ""),)},
        {"nodes": (consortium.Node(b"\1" * 64, "x" * 65),)},
        {"encryption_key": b""},
        {"encryption_key": bytes(1601)},
        {"admin": b"\1" * 19},
        {"seal_certificate": b"\1" * 33},
        {"encryption_suite": 2**16},
    ],
)
def test_python_refuses_records_that_no_contract_takes(changes):
    with pytest.raises(MalformedValue):
        founding_initcodes(Founding(founded_at=FOUNDED_AT, founders=(Founder("KE", keys_of("KE", **changes)),)))
