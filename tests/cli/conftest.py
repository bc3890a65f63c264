"""Makes the modules beside this file importable: the checkout's own ``cli`` package hides ``tests/cli``; and RPC's."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "node" / "rpc")]

from office import Office, open_office


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Four authorities, an accredited chamber in KE, and one running node that seals at once."""
    with open_office(tmp_path_factory.mktemp("office")) as opened:
        yield opened
