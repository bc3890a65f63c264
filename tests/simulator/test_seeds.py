"""Stories from seeds: they hold, they replay, and a validator that is spoilt on purpose is found out."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from simulator import __main__ as command
from simulator import mutants, scenarios
from simulator.mutants import MUTANTS, Mutant, planted
from simulator.scenarios import Outcome, play

from cocket.node.consensus.drafts import Draft, RoundChangeDraft, sign_draft
from cocket.node.consensus.messages import Message

TESTS = Path(__file__).parents[1]
GOOD = Outcome(0, 4, 60, 5_000, 70_000, 1, 0, 0, {"crash": 5}, {}, None, False, "00")


@pytest.mark.parametrize("seed", range(3_000, 3_006))
def test_a_seeds_story_holds(seed: int) -> None:
    outcome = play(seed)
    assert outcome.violation is None
    assert not outcome.is_stalled
    assert outcome.heights >= scenarios.HEIGHTS_MIN
    assert sum(outcome.faults.values()) >= scenarios.FAULTS_MIN
    assert 4 <= outcome.validators <= 10
    assert sum(outcome.adversaries.values()) <= (outcome.validators - 1) // 3


def test_a_seed_replays_in_this_process_and_seeds_differ() -> None:
    assert play(3) == play(3)
    assert play(3).history_hash != play(4).history_hash


def test_a_seed_replays_whatever_the_hash_seed_of_the_process() -> None:
    def replayed(hash_seed: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-m", "simulator", "--first", "40", "--seeds", "2", "--jobs", "2", "--json"],
            cwd=TESTS,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
        )
        summary: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        return {key: value for key, value in summary.items() if key not in ("seconds", "heights_per_s")}

    first, second = replayed("1"), replayed("2")
    assert first == second
    assert (first["seeds"], first["violations"], first["stalls"]) == (2, 0, 0)
    assert len(str(first["history_hash"])) == 64


def test_one_seed_prints_its_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--seed", "5"]) == 0
    assert capsys.readouterr().out.startswith("seed 5, validators ")


@pytest.mark.parametrize(("violation", "is_stalled"), [("Violation: two blocks", False), (None, True)])
def test_a_bad_seed_is_named_and_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], violation: str | None, is_stalled: bool
) -> None:
    bad = replace(GOOD, seed=7, violation=violation, is_stalled=is_stalled)
    monkeypatch.setattr(command, "play", lambda seed: bad)
    assert command.main(["--seeds", "1", "--first", "7", "--json"]) == 1
    printed = capsys.readouterr()
    assert "--seed 7" in printed.err
    assert json.loads(printed.out)["replay"] == [7]


# --- planted bugs: each safety rule, taken out, must be missed --------------------------------------------------------


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_planted_bug_fits_the_code_and_can_be_taken_out(mutant: Mutant) -> None:
    function = mutants._function(mutant.target)
    whole = function.__code__
    with planted(mutant):
        assert function.__code__ is not whole
    assert function.__code__ is whole


def test_a_planted_bug_that_does_not_fit_is_an_error() -> None:
    stale = replace(MUTANTS[0], found="this line is gone")
    with pytest.raises(AssertionError, match="found 0 times"), planted(stale):
        raise AssertionError("it was planted")


@pytest.mark.parametrize("name", ["quorum minus one", "prepared without a quorum", "decided without a quorum"])
def test_a_planted_bug_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--mutant", name, "--seeds", "20", "--jobs", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["mutants"]
    assert [(row["name"], row["caught"]) for row in found] == [(name, True)]


def test_a_bug_that_nobody_finds_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "play", lambda seed: GOOD)
    assert command.main(["--mutant", "quorum minus one", "--seeds", "3", "--jobs", "1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["mutants"][0]["caught"] is False


def test_mutants_are_listed_and_unknown_ones_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--mutant", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(MUTANTS)
    assert command.main(["--mutant", "no such bug"]) == 2
    assert "no mutant is named" in capsys.readouterr().err


def test_hiding_what_was_prepared_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug that no single line is: the drafts are right, and the signer changes them."""

    def hiding(draft: Draft, *rest: object) -> Message:
        shown = replace(draft, prepared=None) if isinstance(draft, RoundChangeDraft) else draft
        return sign_draft(shown, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("cocket.node.validator.sign_draft", hiding)
    violations = (play(seed).violation for seed in range(10, 60))
    assert "without what it committed to" in next(found for found in violations if found is not None)
