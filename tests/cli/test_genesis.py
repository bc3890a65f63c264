"""The founding through the command line, in folders that share only what is sent; and what is refused on the way."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from command import cocket, done, refused
from founding.founders import PASSPHRASE, make_home

COUNTRIES = ("KE", "NL")


class Founding:
    """Two authorities at the point where all records and the genesis are made and nothing is confirmed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parameters = folder / "parameters.json"
        self.genesis = folder / "genesis.json"
        self.homes = {country: make_home(folder, country).path for country in COUNTRIES}
        self.records = {country: folder / f"{country}.record.json" for country in COUNTRIES}
        self.passphrase = folder / "passphrase"

    def do(self) -> None:
        self.passphrase.write_text(PASSPHRASE)
        self.passphrase.chmod(0o600)
        done(*self.parameters_command(self.parameters))
        for country in COUNTRIES:
            done(*self.record_command(country, self.records[country]))
        done("genesis", "gather", *self.records.values(), *self.with_parameters, "--out", self.genesis)

    @property
    def with_parameters(self) -> tuple[object, ...]:
        return ("--parameters", self.parameters)

    def parameters_command(self, out: Path, *countries: str) -> tuple[object, ...]:
        named = [word for country in countries or COUNTRIES for word in ("--country", country)]
        return (
            "genesis", "parameters", "--ceremony", "test", "--chain-id", 7, "--timestamp", 1_760_000_000,
            *named, "--out", out,
        )  # fmt: skip

    def record_command(self, country: str, out: Path, endpoint: str = "") -> tuple[object, ...]:
        return (
            "genesis", "record", "--home", self.homes[country], "--country", country, *self.with_parameters,
            "--endpoint", endpoint or f"{country.lower()}.example:30303", "--passphrase-file", self.passphrase,
            "--out", out,
        )  # fmt: skip

    def confirm_command(self, country: str, out: Path) -> tuple[object, ...]:
        return (
            "genesis", "confirm", *self.records.values(), "--home", self.homes[country], *self.with_parameters,
            "--genesis", self.genesis, "--passphrase-file", self.passphrase, "--out", out,
        )  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Founding:
    founding = Founding(tmp_path_factory.mktemp("founding"))
    founding.do()
    return founding


@pytest.fixture
def founding(original: Founding, tmp_path: Path) -> Founding:
    """Give a copy of the founding that a test may change."""
    shutil.copytree(original.folder, tmp_path / "copy")
    copy = Founding.__new__(Founding)
    copy.__dict__.update(
        {name: _moved(value, original.folder, tmp_path / "copy") for name, value in vars(original).items()}
    )
    return copy


def _moved(value: object, before: Path, after: Path) -> object:
    if isinstance(value, dict):
        return {key: _moved(path, before, after) for key, path in value.items()}
    assert isinstance(value, Path)
    return after / value.relative_to(before)


def test_each_confirms_and_all_can_be_shown(founding: Founding) -> None:
    confirmations = []
    for country in COUNTRIES:
        out = founding.folder / f"{country}.confirmation.json"
        answer = done(*founding.confirm_command(country, out))
        assert answer["country"] == country
        confirmations += ["--confirmation", out]
        home = founding.homes[country]
        assert (home / "genesis.json").read_bytes() == founding.genesis.read_bytes()
        assert str(answer["genesis_hash"]) in (home / "node.toml").read_text()
        assert done(*founding.confirm_command(country, out)) == answer  # again is the same
    records = [word for record in founding.records.values() for word in ("--record", record)]
    shown = done("genesis", "show", founding.genesis, *founding.with_parameters, *records, *confirmations[:2])
    assert shown["chain_id"] == 7
    assert shown["block_period_s"] == 2
    founders = shown["founders"]
    assert isinstance(founders, list)
    assert [(entry["country"], entry["confirmed"]) for entry in founders] == [("KE", True), ("NL", False)]
    said = cocket("genesis", "show", founding.genesis, *founding.with_parameters, *records, *confirmations)
    assert said.out.count(" yes\n") == 2
    assert "give those too" in refused(2, "genesis", "show", founding.genesis, *confirmations)


def test_gathering_elsewhere_gives_the_same_bytes(founding: Founding, tmp_path: Path) -> None:
    out = tmp_path / "again.json"
    done("genesis", "gather", *reversed(founding.records.values()), *founding.with_parameters, "--out", out)
    assert out.read_bytes() == founding.genesis.read_bytes()
    done("genesis", "gather", *founding.records.values(), *founding.with_parameters, "--out", out)  # the same is fine
    out.write_text("{}")
    gather = ("genesis", "gather", *founding.records.values(), *founding.with_parameters, "--out", out)
    assert "another genesis" in refused(3, *gather)
    assert out.read_text() == "{}"


def test_nothing_is_written_over(founding: Founding) -> None:
    assert str(founding.parameters) in refused(3, *founding.parameters_command(founding.parameters))
    record = founding.records["KE"]
    assert str(record) in refused(3, *founding.record_command("KE", record))


def test_a_missing_or_doubled_record_is_named(founding: Founding) -> None:
    out = founding.folder / "other.json"
    one = ("genesis", "gather", founding.records["KE"], *founding.with_parameters, "--out", out)
    assert "NL" in refused(3, *one)
    twice = ("genesis", "gather", *[founding.records["KE"]] * 2, *founding.with_parameters, "--out", out)
    assert "KE" in refused(3, *twice)
    assert not out.exists()


def test_a_changed_genesis_is_not_confirmed(founding: Founding) -> None:
    founding.genesis.write_bytes(founding.genesis.read_bytes().replace(b'"0x1c9c380"', b'"0x1c9c381"', 1) + b" ")
    out = founding.folder / "KE.confirmation.json"
    assert "do not confirm" in refused(3, *founding.confirm_command("KE", out))
    assert not out.exists()
    assert not (founding.homes["KE"] / "genesis.json").exists()


def test_a_home_of_another_network_is_kept(founding: Founding) -> None:
    home = founding.homes["KE"]
    (home / "genesis.json").write_text("{}")
    out = founding.folder / "KE.confirmation.json"
    assert str(home / "genesis.json") in refused(3, *founding.confirm_command("KE", out))
    assert (home / "genesis.json").read_text() == "{}"


def test_a_wrong_passphrase_makes_no_keys_and_no_record(founding: Founding) -> None:
    founding.passphrase.write_text("another")
    out = founding.folder / "again.record.json"
    assert "does not open this key" in refused(3, *founding.record_command("KE", out))
    assert not out.exists()


@pytest.mark.parametrize("endpoint", ["nowhere", "host:", ":1", "host:0", "host:65536", "ho st:1", "http://host:1"])
def test_an_endpoint_is_host_and_port(founding: Founding, endpoint: str) -> None:
    assert "endpoint" in refused(2, *founding.record_command("KE", founding.folder / "new.json", endpoint))


@pytest.mark.parametrize("country", ["ke", "KEN", "K", "", "42"])
def test_a_country_is_two_letters(founding: Founding, country: str) -> None:
    assert "ISO 3166" in refused(2, *founding.parameters_command(founding.folder / "new.json", country))


BAD = {"empty": b"", "no JSON": b"{", "a list": b"[]", "an object": b"{}", "bytes": b"\xff\xfe", "deep": b"[" * 200_000}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("which", ["parameters", "record", "genesis", "confirmation"])
def test_a_malformed_file_is_named(founding: Founding, name: str, which: str) -> None:
    file = founding.folder / f"bad.{which}.json"
    file.write_bytes(BAD[name])
    out = founding.folder / "out.json"
    record = founding.records["NL"]
    command: tuple[object, ...] = {
        "parameters": ("genesis", "gather", *founding.records.values(), "--parameters", file, "--out", out),
        "record": ("genesis", "gather", file, record, *founding.with_parameters, "--out", out),
        "genesis": ("genesis", "show", file),
        "confirmation": (
            "genesis", "show", founding.genesis, *founding.with_parameters, "--record", record, "--record",
            founding.records["KE"], "--confirmation", file,
        ),
    }[which]  # fmt: skip
    assert str(file) in refused(2, *command)
    assert not out.exists()


@pytest.mark.parametrize("which", ["parameters", "record", "genesis"])
def test_an_oversized_file_is_not_read(founding: Founding, which: str) -> None:
    file = founding.folder / "huge.json"
    with file.open("wb") as hole:
        hole.truncate(10 << 30)
    out = founding.folder / "out.json"
    command: tuple[object, ...] = {
        "parameters": ("genesis", "gather", *founding.records.values(), "--parameters", file, "--out", out),
        "record": ("genesis", "gather", file, *founding.with_parameters, "--out", out),
        "genesis": ("genesis", "show", file),
    }[which]
    assert f"{file}: larger than" in refused(2, *command)


def test_a_forged_record_is_refused_and_names_its_country(founding: Founding) -> None:
    document = json.loads(founding.records["KE"].read_bytes())
    document["body"]["endpoint"] = "evil.example:30303"
    founding.records["KE"].write_bytes(msgspec.json.encode(document))
    out = founding.folder / "out.json"
    said = refused(2, "genesis", "gather", *founding.records.values(), *founding.with_parameters, "--out", out)
    assert "KE" in said


def test_show_says_what_changes_at_which_height(founding: Founding, tmp_path: Path) -> None:
    file = json.loads(founding.genesis.read_text())
    file["config"]["transitions"] = {
        "qbft": [
            {"block": 900, "blockperiodseconds": 5, "miningbeneficiary": "0x" + "be" * 20},
            {
                "block": 1000,
                "validatorselectionmode": "blockheader",
                "validators": ["0x" + "0a" * 20, "0x" + "0b" * 20],
            },
            {"block": 1100},
        ],
        "cocket": [{"block": 900, "requestTimeoutSeconds": 10}],
    }
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(file))
    before, after = done("genesis", "show", founding.genesis), done("genesis", "show", changed)
    assert after["genesis_hash"] == before["genesis_hash"]
    assert before["transitions"] == []
    assert after["transitions"] == [
        {"block": 900, "block_period_s": 5, "request_timeout_s": 10, "mining_beneficiary": "0x" + "be" * 20},
        {"block": 1000, "validator_contract": None, "validators": ["0x" + "0a" * 20, "0x" + "0b" * 20]},
        {"block": 1100},
    ]
    said = cocket("genesis", "show", changed).out
    assert "from block 900 on: block period s 5, request timeout s 10, mining beneficiary 0xbe" in said
    assert "from block 1000 on: validator contract none, validators 0x0a" in said
    assert "from block 1100 on: nothing changes" in said
    file["config"]["transitions"]["qbft"].append({"block": 900})
    changed.write_text(json.dumps(file))
    assert "transitions.qbft[3].block: found 900, expected each height once" in refused(2, "genesis", "show", changed)
