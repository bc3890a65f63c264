"""The founding, done in four folders that share only the records."""

import dataclasses
from pathlib import Path

import msgspec
import pytest
from founding.founders import PASSPHRASE, make_home, make_parameters

from cocket.attestation.sealing.hpke import PrivateKey, PublicKey, Suite
from cocket.contracts import consortium, directory
from cocket.genesis import ceremony
from cocket.genesis.confirmation import Confirmation, make_confirmation, verify_confirmation
from cocket.genesis.errors import CeremonyRefused, InvalidRecord
from cocket.genesis.founding import Founded, gather
from cocket.genesis.parameters import Parameters, decode_parameters, encode_parameters
from cocket.genesis.record import Record, decode_record, encode_record, make_record, verify_record
from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.spec import Fork, configuration_hash, parse_genesis
from cocket.node.chain.state import TrieReader, genesis_state
from cocket.node.chain.vm import BlockContext, CallRequest, call
from cocket.node.config import Home
from cocket.node.encryption_key import new_encryption_key
from cocket.node.signer import KeySigner

COUNTRIES = ("BR", "KE", "NL", "SG")


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Home]:
    folder = tmp_path_factory.mktemp("founding")
    return {country: make_home(folder, country) for country in COUNTRIES}


@pytest.fixture(scope="module")
def keys(homes: dict[str, Home]) -> dict[str, ceremony.AuthorityKeys]:
    return {country: ceremony.open_keys(home, PASSPHRASE) for country, home in homes.items()}


@pytest.fixture(scope="module")
def parameters() -> Parameters:
    return make_parameters(*COUNTRIES)


@pytest.fixture(scope="module")
def custodians(homes: dict[str, Home]) -> dict[str, PublicKey]:
    return {country: ceremony.custodian_key(home, PASSPHRASE) for country, home in homes.items()}


@pytest.fixture(scope="module")
def records(
    keys: dict[str, ceremony.AuthorityKeys], custodians: dict[str, PublicKey], parameters: Parameters
) -> list[Record]:
    return [
        ceremony.record(keys[country], custodians[country], parameters, country, f"{country.lower()}.example:30303")
        for country in COUNTRIES
    ]


@pytest.fixture(scope="module")
def founded(parameters: Parameters, records: list[Record]) -> Founded:
    return gather(parameters, records)


def test_four_folders_that_share_only_the_records_found_one_genesis(
    homes: dict[str, Home], keys: dict[str, ceremony.AuthorityKeys], parameters: Parameters, records: list[Record]
) -> None:
    sent = [encode_record(record) for record in records]
    agreed = encode_parameters(parameters)
    genesis_files = set()
    confirmations: list[Confirmation] = []
    for shift, (country, home) in enumerate(homes.items()):
        own_order = [decode_record(data) for data in sent[shift:] + sent[:shift]]
        own = gather(decode_parameters(agreed), own_order)
        genesis_files.add(own.genesis_json)
        confirmations.append(
            ceremony.confirm(home, keys[country], decode_parameters(agreed), own_order, own.genesis_json)
        )
        assert home.genesis.read_bytes() == own.genesis_json
        assert home.settings().genesis_hash == "0x" + own.genesis.hash.hex()
        assert home.genesis.stat().st_mode & 0o777 == 0o600
    assert len(genesis_files) == 1
    assert [verify_confirmation(c, own.genesis.hash, own.founders).country for c in confirmations] == list(COUNTRIES)


def test_many_authorities_found_one_network() -> None:
    """More than the constructors' gas would allow in a block."""
    countries = tuple(first + second for first in "AB" for second in "ABCDEFGHIJKLMNOPQRST")
    parameters = make_parameters(*countries)
    records = [
        make_record(
            parameters,
            country,
            admin=KeySigner(bytes([1, number]) * 16),
            validator=KeySigner(bytes([2, number]) * 16),
            node_key=bytes([3, number]) * 16,
            endpoint=f"{country}.example:30303",
            encryption_key=PrivateKey(Suite.HYBRID, bytes([4, number]) * 16).public,
        )
        for number, country in enumerate(countries, 1)
    ]
    genesis = gather(parameters, records)
    assert len(genesis.founders) == 40
    assert len(genesis.genesis_json) < 1 << 20


def test_the_contracts_answer_at_block_0(founded: Founded) -> None:
    genesis = founded.genesis
    root, nodes, written = genesis_state(genesis.alloc)
    assert root == genesis.header.state_root
    reader = TrieReader(nodes.get, root, written.codes.get)
    context = BlockContext(
        number=0,
        timestamp=genesis.header.timestamp,
        coinbase=bytes(20),
        gas_limit=30_000_000,
        base_fee=0,
        fork=Fork.CANCUN,
        chain_id=20261,
        mix_hash=bytes(32),
        block_hash_of=lambda _number: None,
        zero_base_fee=True,
    )

    def ask(to: bytes, data: bytes) -> bytes:
        result = call(context, reader, CallRequest(to=to, data=data), deadline_s=10)
        assert result.error is None
        return result.output

    view = consortium.get_validators()
    assert tuple(view.decode(ask(consortium.ADDRESS, view.data))) == tuple(
        sorted(founder.validator for founder in founded.founders)
    )
    may = consortium.may_transact(account=founded.founders[0].admin)
    assert may.decode(ask(consortium.ADDRESS, may.data)) is True
    stranger = consortium.may_transact(account=bytes([9]) * 20)
    assert stranger.decode(ask(consortium.ADDRESS, stranger.data)) is False
    entry = directory.address_of(name=directory.CONSORTIUM)
    assert entry.decode(ask(directory.ADDRESS, entry.data)) == consortium.ADDRESS


def test_the_genesis_hash_binds_the_configuration(founded: Founded) -> None:
    genesis = msgspec.json.decode(founded.genesis_json)
    vanity = decode_extra_data(founded.genesis.header.extra_data).vanity
    assert vanity == configuration_hash(genesis["config"])
    genesis["config"]["qbft"]["blockperiodseconds"] += 1
    with pytest.raises(Exception, match=r"vanity|configuration"):
        parse_genesis(msgspec.json.encode(genesis))


def test_a_missing_record_is_named(parameters: Parameters, records: list[Record]) -> None:
    with pytest.raises(CeremonyRefused, match="none yet for SG"):
        gather(parameters, records[:3])


def test_a_doubled_record_is_refused(parameters: Parameters, records: list[Record]) -> None:
    with pytest.raises(CeremonyRefused, match="more than one for KE"):
        gather(parameters, [*records, records[1]])


@pytest.mark.parametrize("shared", ["admin", "validator", "node", "encryption"])
def test_a_key_that_serves_twice_is_refused(
    shared: str,
    keys: dict[str, ceremony.AuthorityKeys],
    custodians: dict[str, PublicKey],
    parameters: Parameters,
    records: list[Record],
) -> None:
    own, other = keys["SG"], keys["KE"]
    custodian = custodians["KE" if shared == "encryption" else "SG"]
    changes = {} if shared == "encryption" else {shared: getattr(other, shared)}
    record = ceremony.record(dataclasses.replace(own, **changes), custodian, parameters, "SG", "sg.example:30303")
    with pytest.raises(CeremonyRefused, match="is already the"):
        gather(parameters, [*records[:3], record])


def test_one_key_for_two_offices_of_one_authority_is_refused(
    keys: dict[str, ceremony.AuthorityKeys],
    custodians: dict[str, PublicKey],
    parameters: Parameters,
    records: list[Record],
) -> None:
    own = keys["SG"]
    lazy = ceremony.AuthorityKeys(own.admin, own.admin, own.node)
    record = ceremony.record(lazy, custodians["SG"], parameters, "SG", "sg.example:30303")
    with pytest.raises(CeremonyRefused, match="is already the admin address of SG"):
        gather(parameters, [*records[:3], record])


def test_a_record_for_other_parameters_is_refused(parameters: Parameters, records: list[Record]) -> None:
    other = msgspec.structs.replace(parameters, chain_id=parameters.chain_id + 1)
    with pytest.raises(InvalidRecord, match="signed for parameters"):
        gather(other, records)


def test_other_contracts_are_refused(parameters: Parameters, records: list[Record]) -> None:
    other = msgspec.structs.replace(parameters, contracts=parameters.contracts | {"Consortium": "0x" + "00" * 32})
    with pytest.raises(CeremonyRefused, match="Consortium"):
        gather(other, records)


@pytest.mark.parametrize("field", ["admin", "validator", "node_id", "endpoint", "encryption_key", "country"])
def test_a_changed_record_is_refused(field: str, parameters: Parameters, records: list[Record]) -> None:
    body = records[0].body
    other = getattr(records[1].body, field)
    changed = msgspec.structs.replace(records[0], body=msgspec.structs.replace(body, **{field: other}))
    with pytest.raises(InvalidRecord, match="Signature is by"):
        verify_record(changed, parameters)


@pytest.mark.parametrize("field", ["admin_signature", "validator_signature", "node_signature"])
@pytest.mark.parametrize("value", ["0x", "0x" + "00" * 65, "0x" + "ff" * 65, "nonsense"])
def test_a_broken_signature_is_refused(field: str, value: str, parameters: Parameters, records: list[Record]) -> None:
    with pytest.raises(InvalidRecord):
        verify_record(msgspec.structs.replace(records[0], **{field: value}), parameters)


@pytest.mark.parametrize(
    "endpoint", ["", "host", "host:0", "host:70000", "ho st:1", "ho\x01st:1", "host/x:1", "h" * 70 + ":1", "hőst:1"]
)
def test_an_endpoint_must_be_host_and_port(
    endpoint: str,
    keys: dict[str, ceremony.AuthorityKeys],
    custodians: dict[str, PublicKey],
    parameters: Parameters,
) -> None:
    with pytest.raises(InvalidRecord, match="endpoint"):
        ceremony.record(keys["KE"], custodians["KE"], parameters, "KE", endpoint)


def test_a_custodian_may_keep_its_key_in_a_hardware_module(
    keys: dict[str, ceremony.AuthorityKeys], parameters: Parameters
) -> None:
    custodian = new_encryption_key(Suite.P256).public
    record = ceremony.record(keys["KE"], custodian, parameters, "KE", "ke.example:30303")
    assert verify_record(decode_record(encode_record(record)), parameters).encryption_key == custodian


@pytest.mark.parametrize(
    ("suite", "key", "why"),
    [
        (0x0020, bytes(32), r"encryptionSuite 0x0020; expected one of 0x0010 \(P256\), 0x647a \(HYBRID\)"),
        (0x647A, bytes(32), "2432 lower-case hex digits"),
        (0x647A, b"\xff" * 1216, "no public key of HYBRID"),
        (0x0010, bytes(1216), "130 lower-case hex digits"),
        (0x0010, b"\4" + b"\7" * 64, "no public key of P256"),
        (-1, bytes(32), "encryptionSuite"),
    ],
)
def test_a_key_that_nobody_could_seal_to_is_refused(
    suite: int, key: bytes, why: str, parameters: Parameters, records: list[Record]
) -> None:
    body = msgspec.structs.replace(records[0].body, encryption_suite=suite, encryption_key="0x" + key.hex())
    with pytest.raises(InvalidRecord, match=why):
        verify_record(msgspec.structs.replace(records[0], body=body), parameters)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"body": 1}', b"\xff", b"[" * 100_000, b'{"unknown": 1}'])
def test_malformed_files_are_named(data: bytes) -> None:
    with pytest.raises(InvalidRecord, match=r"^x\.json: "):
        decode_record(data, "x.json")
    with pytest.raises(InvalidRecord, match=r"^x\.json: "):
        decode_parameters(data, "x.json")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"ceremony": ""}, "ceremony"),
        ({"chain_id": 0}, "chainId"),
        ({"countries": ("SG", "KE")}, "countries"),
        ({"countries": ("KE", "KE")}, "countries"),
        ({"countries": ("ke",)}, "countries"),
        ({"countries": ()}, "countries"),
        ({"timestamp": -1}, "timestamp"),
        ({"block_period_seconds": 0}, "blockPeriodSeconds"),
        ({"request_timeout_seconds": 3}, "requestTimeoutSeconds"),
        ({"request_timeout_max_seconds": 3}, "requestTimeoutSeconds"),
        ({"gas_limit": 1}, "gasLimit"),
    ],
)
def test_parameters_out_of_range_are_named(change: dict[str, object], named: str, parameters: Parameters) -> None:
    with pytest.raises(InvalidRecord, match=named):
        decode_parameters(encode_parameters(msgspec.structs.replace(parameters, **change)))


def test_confirming_another_file_is_refused(
    tmp_path: Path,
    keys: dict[str, ceremony.AuthorityKeys],
    parameters: Parameters,
    records: list[Record],
    founded: Founded,
) -> None:
    home = Home(tmp_path / "KE")
    with pytest.raises(CeremonyRefused, match="not what these parameters and records mean"):
        ceremony.confirm(home, keys["KE"], parameters, records, founded.genesis_json.replace(b"KE", b"KF") + b" ")
    assert not home.path.exists()


def test_a_home_keeps_its_first_genesis(
    tmp_path: Path,
    keys: dict[str, ceremony.AuthorityKeys],
    parameters: Parameters,
    records: list[Record],
    founded: Founded,
) -> None:
    home = Home(tmp_path / "KE")
    home.path.mkdir()
    home.genesis.write_bytes(b"another")
    with pytest.raises(CeremonyRefused, match="another genesis is there"):
        ceremony.confirm(home, keys["KE"], parameters, records, founded.genesis_json)
    assert home.genesis.read_bytes() == b"another"


def test_keys_of_nobody_cannot_confirm(
    tmp_path: Path,
    keys: dict[str, ceremony.AuthorityKeys],
    parameters: Parameters,
    records: list[Record],
    founded: Founded,
) -> None:
    own = keys["KE"]
    strange = ceremony.AuthorityKeys(bytes([5]) * 32, own.validator, own.node)
    with pytest.raises(CeremonyRefused, match="in none of the records"):
        ceremony.confirm(Home(tmp_path / "KE"), strange, parameters, records, founded.genesis_json)


def test_a_confirmation_is_by_the_admin_and_of_this_genesis(
    keys: dict[str, ceremony.AuthorityKeys], founded: Founded
) -> None:
    own = make_confirmation("KE", founded.genesis.hash, KeySigner(keys["KE"].admin))
    verify_confirmation(own, founded.genesis.hash, founded.founders)
    foreign = make_confirmation("KE", founded.genesis.hash, KeySigner(keys["NL"].admin))
    other = make_confirmation("KE", bytes(32), KeySigner(keys["KE"].admin))
    nobody = make_confirmation("ZZ", founded.genesis.hash, KeySigner(keys["KE"].admin))
    for confirmation, complaint in ((foreign, "signed by"), (other, "it confirms genesis"), (nobody, "not among")):
        with pytest.raises(CeremonyRefused, match=complaint):
            verify_confirmation(confirmation, founded.genesis.hash, founded.founders)


def test_private_keys_are_never_shown(keys: dict[str, ceremony.AuthorityKeys]) -> None:
    assert keys["KE"].admin.hex() not in repr(keys["KE"])
    assert repr(keys["KE"]) == "AuthorityKeys(...)"
