"""Makes the modules of the command line's tests importable here: an office with a founded ledger behind a real node."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(TESTS / "cli"), str(TESTS / "node" / "rpc"), str(Path(__file__).parent)]
