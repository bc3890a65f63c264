"""When a validator holds a timer back, and that no hold lasts, whatever is claimed or withheld."""

from collections.abc import Callable

import pytest

from cocket.node.joining import HOLD_MAX_S, LEARN_S, OLD_S, Joining, Outlook, is_old


def outlook(*claims: int, head: int = 10, unknown: int = 0, is_decided: bool = False, needed: int = 2) -> Outlook:
    return Outlook(head, claims, unknown, is_decided, needed)


LEVEL = outlook(10, 10, 10)
STEP_S = 0.05


def held_s(joining: Joining, height: int, seen: Callable[[float], Outlook], start_s: float = 0.0) -> float:
    """Return how long a height is held when what is seen depends on the time."""
    waited_s = 0.0
    while joining.is_early(height, seen(start_s + waited_s), start_s + waited_s):
        waited_s += STEP_S
        assert waited_s < 60, "held for ever"
    return waited_s


def test_all_started_at_once_and_level_wait_for_nobody() -> None:
    assert not Joining(0.0).is_early(11, LEVEL, 0.0)


def test_peers_behind_us_are_not_waited_for() -> None:
    assert not Joining(0.0).is_early(11, outlook(3, 9, 10), 0.0)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(outlook(), id="nobody there yet"),
        pytest.param(outlook(10), id="fewer than a quorum takes"),
        pytest.param(outlook(10, 10, unknown=1), id="one has not said its height"),
        pytest.param(outlook(10, 10, 500), id="one claims more"),
    ],
)
def test_after_the_start_it_learns_how_far_the_others_are_for_a_while(seen: Outlook) -> None:
    assert Joining(0.0).is_early(11, seen, 0.0)
    assert held_s(Joining(0.0), 11, lambda _: seen) == pytest.approx(LEARN_S, abs=STEP_S)


def test_the_only_validator_of_a_network_waits_for_nobody() -> None:
    assert not Joining(0.0).is_early(11, outlook(needed=0), 0.0)


def test_it_joins_in_as_soon_as_it_is_level() -> None:
    assert held_s(Joining(0.0), 11, lambda now_s: outlook(12) if now_s < 0.3 else LEVEL) == pytest.approx(0.3, abs=0.05)


def test_a_liar_that_claims_much_and_serves_nothing_wins_one_pause_not_one_a_height() -> None:
    joining = Joining(0.0)
    liar = outlook(10, 10, 1_000_000)
    held = [held_s(joining, height, lambda _: liar, 3.0 * (height - 11)) for height in range(11, 40)]
    assert sum(held) == pytest.approx(LEARN_S, abs=STEP_S)


def test_a_decided_height_is_left_to_its_block_and_no_longer_than_it_takes_to_ask_for_it() -> None:
    proven = outlook(10, 10, 10, is_decided=True)
    joining = Joining(0.0)
    assert held_s(joining, 11, lambda _: proven, start_s=100.0) == pytest.approx(HOLD_MAX_S, abs=STEP_S)
    assert not joining.is_early(11, proven, 200.0), "a round of the same height is not held again"
    assert joining.is_early(12, proven, 200.0), "the next height has its own proof"


def test_proofs_that_come_and_go_do_not_add_up_at_one_height() -> None:
    proven = outlook(10, 10, 10, is_decided=True)
    joining = Joining(0.0)
    assert joining.is_early(11, proven, 100.0)
    assert not joining.is_early(11, LEVEL, 103.0)
    assert joining.is_early(11, proven, 104.9)
    assert not joining.is_early(11, proven, 105.0)


def test_an_old_block_shows_that_we_are_behind_and_claims_count_again() -> None:
    joining = Joining(0.0)
    ahead = outlook(10, 10, 500)
    assert not joining.is_early(11, ahead, 100.0)
    joining.upon_old_block(100.0)
    assert held_s(joining, 12, lambda _: ahead, start_s=100.0) == pytest.approx(LEARN_S, abs=STEP_S)


def test_old_is_what_cannot_be_decided_now() -> None:
    assert is_old(OLD_S + 1)
    assert not is_old(OLD_S)
    assert not is_old(-3.0)
