"""Stories from seeds: they hold, they replay, and a validator that is spoilt on purpose is found out."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from simulator import __main__ as command
from simulator import scenarios
from simulator.scenarios import Outcome, play

from cocket.node.consensus import turns
from cocket.node.consensus.drafts import Draft, RoundChangeDraft, sign_draft
from cocket.node.consensus.messages import Message
from cocket.node.consensus.state import Restored

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("seed", range(200, 230))
def test_a_seeds_story_holds(seed: int) -> None:
    outcome = play(seed)
    assert outcome.violation is None
    assert not outcome.is_stalled
    assert outcome.heights >= scenarios.CALM_HEIGHTS


def test_a_seed_replays_in_this_process_and_seeds_differ() -> None:
    assert play(3) == play(3)
    assert play(3).history_hash != play(4).history_hash


def test_a_seed_replays_whatever_the_hash_seed_of_the_process() -> None:
    def replayed(hash_seed: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-m", "simulator", "--first", "40", "--seeds", "4", "--json"],
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
    assert (first["seeds"], first["violations"], first["stalls"]) == (4, 0, 0)
    assert len(str(first["history_hash"])) == 64


def test_one_seed_prints_its_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--seed", "5"]) == 0
    assert capsys.readouterr().out.startswith("seed 5, heights ")


@pytest.mark.parametrize(("violation", "is_stalled"), [("Violation: two blocks", False), (None, True)])
def test_a_bad_seed_is_named_and_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], violation: str | None, is_stalled: bool
) -> None:
    bad = Outcome(7, 3, 10, 1_000, 1, 0, 0, violation, is_stalled, "00")
    monkeypatch.setattr(command, "play", lambda seed: bad)
    assert command.main(["--seeds", "1", "--first", "7", "--json"]) == 1
    printed = capsys.readouterr()
    assert "--seed 7" in printed.err
    assert json.loads(printed.out)["replay"] == [7]


# --- sabotage: each safety rule, taken out, must be missed ---------------------------------------------------------


def first_violation(seeds: range) -> str | None:
    for seed in seeds:
        outcome = play(seed)
        if outcome.violation is not None:
            return outcome.violation
    return None


def test_forgetting_what_was_signed_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cocket.node.validator.restore", lambda *_: Restored())
    assert re.search("sent two|after leaving", first_violation(range(40)) or "")


def test_a_round_change_that_hides_what_was_prepared_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def hiding(draft: Draft, *rest: object) -> Message:
        shown = replace(draft, prepared=None) if isinstance(draft, RoundChangeDraft) else draft
        return sign_draft(shown, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("cocket.node.validator.sign_draft", hiding)
    assert "elsewhere" in (first_violation(range(10, 60)) or "")


def test_too_small_a_quorum_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    small: Callable[[int], int] = lambda count: count // 2  # noqa: E731
    monkeypatch.setattr(turns, "quorum", small)
    assert "chain refuses" in (first_violation(range(40)) or "")
