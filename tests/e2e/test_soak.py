"""The short soak: four real nodes under load through real faults. What a busy machine alone can break is not judged."""

import argparse
import sys

import pytest
from e2e import soak

SHORTEST_S = 3.0  # long enough for a round with a missing proposer


def test_a_short_soak_loses_nothing_forks_nowhere_and_goes_on_by_itself() -> None:
    found = soak.run(0.0, 0, lambda line: print(line, file=sys.stderr), SHORTEST_S)
    criteria = found["criteria"]
    assert isinstance(criteria, list)
    assert [each for each in criteria if not each["holds"] and not each["is_timed"]] == []
    names = {criterion["name"] for criterion in criteria}
    assert {"healthy", "one stopped", "two stopped", "both back", "all killed", "clock +90 s", "one frozen"} <= names
    if found["wired"]:
        assert {"partition 2|2", "partition healed", "slow links", "one disk full", "room again"} <= names
    final = found["transactions_seen_final"]
    assert isinstance(final, int)
    assert final > 0


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("10m", 600.0), ("1h", 3600.0), ("5", 5.0)])
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert soak.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5s", "1.5m", "10 m", "1d", "9999999s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a duration"):
        soak.parse_duration(text)
