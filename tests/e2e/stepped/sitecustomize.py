"""Python imports this by itself where its folder is on PYTHONPATH: the wall clock, as a file says (`e2e.clocks`)."""

import os
import time
from pathlib import Path

_file = Path(os.environ["COCKET_TEST_CLOCK"])
_time, _time_ns = time.time, time.time_ns


def _offset_s() -> int:
    return int(_file.read_text())


time.time = lambda: _time() + _offset_s()
time.time_ns = lambda: _time_ns() + _offset_s() * 1_000_000_000
