"""Makes the modules beside this file importable: the checkout's own ``cli`` package hides ``tests/cli``; and RPC's."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "node" / "rpc")]


if TYPE_CHECKING:
    from office import Office


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Office]":
    """Give four authorities, an accredited chamber in KE, and one running node that seals at once."""
    from office import open_office

    with open_office(tmp_path_factory.mktemp("office")) as opened:
        yield opened
