"""The order of the suite's files, and that few wait for real nodes at once."""

from distribution import Distribution, chosen, rank
from xdist.scheduler.loadscope import LoadScopeScheduling

NODE, SIEGE, UNIT, CLI = "tests/e2e/test_node.py", "tests/e2e/test_siege.py", "tests/node/test_a.py", "tests/cli/t.py"


def test_files_that_wait_are_begun_first_and_quick_ones_last() -> None:
    assert sorted([UNIT, CLI, NODE, SIEGE], key=rank) == [SIEGE, NODE, CLI, UNIT]


def test_a_file_of_the_kind_that_is_wanted_is_chosen_while_there_is_one() -> None:
    assert chosen([NODE, SIEGE, CLI, UNIT], is_next_waiting=True) == NODE
    assert chosen([NODE, SIEGE, CLI, UNIT], is_next_waiting=False) == CLI
    assert chosen([CLI, UNIT], is_next_waiting=True) == CLI
    assert chosen([SIEGE], is_next_waiting=False) == SIEGE


def test_xdist_still_assigns_files_where_the_distribution_steps_in() -> None:
    assert issubclass(Distribution, LoadScopeScheduling)
    assert {"_assign_work_unit"} == set(vars(Distribution)) & set(vars(LoadScopeScheduling)) - {"__module__", "__doc__"}
