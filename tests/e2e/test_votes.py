"""Votes in headers between real processes: a contract hands over at a height, operators drop one and take it back."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from e2e.trial import Trial, wait_until

from cocket.cli.client import address_of

COUNTRIES = ("BR", "KE", "NL", "SG")
HANDOVER = 4


@pytest.fixture
def voting(tmp_path: Path) -> Iterator[Trial]:
    """Give four nodes whose genesis.json lets headers carry the validators from a height on."""
    trial = Trial(tmp_path, *COUNTRIES)
    change = {"block": HANDOVER, "validatorselectionmode": "blockheader", "validators": validators_of(trial)}
    for home in trial.homes.values():
        genesis = json.loads(home.genesis.read_text())
        genesis["config"]["transitions"] = {"qbft": [change]}
        home.genesis.write_text(json.dumps(genesis))
    with closing(trial):
        trial.start()
        yield trial


def validators_of(trial: Trial, countries: tuple[str, ...] = COUNTRIES) -> list[str]:
    return sorted("0x" + address_of(trial.keys[country].validator).hex() for country in countries)


def wait_for_validators(trial: Trial, countries: tuple[str, ...]) -> None:
    expected = validators_of(trial, countries)
    method = "qbft_getValidatorsByBlockNumber"
    for name, node in trial.nodes.items():
        wait_until(lambda node=node: node.ask(method, "latest") == expected, f"{len(countries)} validators at {name}")


def test_operators_drop_a_validator_and_take_it_back(voting: Trial) -> None:
    dropped = "0x" + address_of(voting.keys["SG"].validator).hex()
    voting.wait_height(HANDOVER + 1)
    for is_add, countries in ((False, COUNTRIES[:3]), (True, COUNTRIES)):
        for country in COUNTRIES[:3]:
            assert voting[country].ask("qbft_proposeValidatorVote", dropped, is_add, timeout_s=30.0) is True
        wait_until(lambda kept={dropped: is_add}: voting["KE"].ask("qbft_getPendingVotes") == kept, "KE's vote")  # type: ignore[misc]
        wait_for_validators(voting, countries)
        voting.wait_blocks(2)
    for height in range(1, min(voting.heights()) + 1):
        assert len(voting.block_hashes(height)) == 1
    # A restart begins with the rules of the height that it is at, and has forgotten the operator's votes.
    voting["KE"].kill()
    voting.start("KE")
    wait_until(lambda: voting["KE"].ask("qbft_getPendingVotes") == {}, "KE answers, without votes")
    voting.wait_blocks(2)
