"""Property tests are the same in every run, and neither a slow machine nor a shell in the background fails any."""

import signal
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from distribution import Distribution
    from xdist.remote import Producer

hypothesis.settings.register_profile("cocket", derandomize=True, deadline=None)
hypothesis.settings.load_profile("cocket")

# A shell starts its background jobs with Ctrl-C ignored, and children inherit that; what we start must hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # one of several processes
        from distribution import order

        order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "Distribution | None":
    if config.option.dist != "loadfile":
        return None
    from distribution import Distribution

    config.option.loadscopereorder = False  # the order of collection is that of ``distribution``
    return Distribution(config, log)
