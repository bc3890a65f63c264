"""Makes the modules of the command line's tests importable here: an office with a founded ledger behind a real node."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(TESTS / "cli"), str(TESTS / "node" / "rpc"), str(Path(__file__).parent)]

if TYPE_CHECKING:
    from reads import Reads


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Reads]":
    """A ledger with a vault and custodians, one for all tests of a module."""
    from reads import open_reads

    with open_reads(tmp_path_factory.mktemp("reads")) as opened:
        yield opened


@pytest.fixture
def reads(shared: "Reads") -> "Reads":
    """The same, all keepers begun anew."""
    shared.late_s = 0
    shared.begin()
    return shared
