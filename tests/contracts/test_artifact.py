"""Artifacts: compiled again they are the same, and damaged ones are refused."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from cocket.contracts import compile as compiling
from cocket.contracts.artifact import CONTRACTS, load_artifact, parse_artifact
from cocket.contracts.errors import MalformedArtifact


def text_of(name):
    return files("cocket.contracts").joinpath("artifacts", f"{name}.json").read_text()


@pytest.mark.filterwarnings("default")  # the compiler's own
@pytest.mark.parametrize("name", CONTRACTS)
def test_compiled_again_it_is_the_same(name):
    assert compiling.encode_artifact(compiling.compile_contract(name)) == text_of(name)


@pytest.mark.parametrize("name", CONTRACTS)
def test_code_fits_any_client(name):
    artifact = load_artifact(name)
    assert len(artifact.runtime) + 64 <= 24_576  # EIP-170, immutables included
    assert artifact.compiler == "vyper 0.4.3"
    for source in (name, "history", "names"):
        text = (compiling.SOURCES / f"{source}.vy").read_text()
        assert text.startswith("# pragma version ==0.4.3\n# pragma evm-version london\n")


def test_every_source_is_compiled_or_shared():
    assert {path.stem for path in compiling.SOURCES.glob("*.vy")} == {*CONTRACTS, *compiling.SHARED}


def test_every_reason_has_its_test():
    """Each refusal stands in a test, but for two that cannot be: the set is kept sorted and without duplicates."""
    cannot_be = {"consortium: duplicate validator", "consortium: not in the set"}
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py") if path != Path(__file__))
    for path in compiling.SOURCES.glob("*.vy"):
        for reason in set(re.findall(r', "(\w+: [^"]+)"', path.read_text())) - cannot_be:
            assert re.search(rf"\b{re.escape(reason.partition(': ')[2])}\b", tests), reason
            assert reason.startswith(f"{path.stem.lower()}: ")


def test_every_external_function_has_its_notice():
    for path in compiling.SOURCES.glob("*.vy"):
        text = path.read_text()
        with_notice = re.findall(r'@external\n(?:@\w+\n)?def [^"]*?:\n    """\n    @notice ', text)
        assert len(with_notice) == text.count("@external\n"), path.name


def test_source_hash_tells_sources_apart():
    assert len({compiling.source_hash(name) for name in CONTRACTS}) == len(CONTRACTS)
    assert load_artifact("Directory").source_hash == compiling.source_hash("Directory")


def test_refuses_unknown_and_damaged():
    with pytest.raises(MalformedArtifact, match="no artifact of 'Nothing'"):
        load_artifact("Nothing")
    good = json.loads(text_of("Directory"))
    assert parse_artifact(json.dumps(good)).name == "Directory"
    for changes in (
        {"initcode": "0x00"},
        {"code_hash": "0x12"},
        {"layout": {}},
        {"layout": {"storage_layout": {"a": {"b": 1}}}},
    ):
        with pytest.raises(MalformedArtifact):
            parse_artifact(json.dumps(good | changes))
    for text in ("", "[]", "{}", "nul"):
        with pytest.raises(MalformedArtifact):
            parse_artifact(text)


def test_check_changes_nothing_and_agrees(capsys):
    before = {name: text_of(name) for name in CONTRACTS}
    assert compiling.main(["--check", "Directory"]) == 0
    assert capsys.readouterr().out == ""
    assert {name: text_of(name) for name in CONTRACTS} == before
