from collections.abc import Iterator
from contextlib import closing

import pytest
from e2e.trial import Trial


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """One network of four authorities for every test of a file that leaves it able to go on."""
    trial = Trial(tmp_path_factory.mktemp("four"), "BR", "KE", "NL", "SG")
    with closing(trial):
        trial.start()
        yield trial


@pytest.fixture
def four(shared: Trial) -> Trial:
    """Give the four nodes, all up and making blocks."""
    shared.restore()
    return shared
