"""Makes ``single_node`` beside this file importable: the checkout's own ``node`` package hides ``tests/node``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
