"""The examples in our docstrings are true: every module's, found by its name."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP = ("attestation", "cli", "contracts", "genesis", "network", "node")
NOT_IMPORTABLE = ("cocket.cli.__main__",)  # it runs the command
EXAMPLE = re.compile(r"^\s*>>> ", re.MULTILINE)
MODULES = {
    "cocket." + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for top in TOP
    for path in sorted((ROOT / top).rglob("*.py"))
}
EXAMPLES = [name for name, path in MODULES.items() if name not in NOT_IMPORTABLE and EXAMPLE.search(path.read_text())]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name: str) -> None:
    assert not doctest.testmod(importlib.import_module(name)).failed


def test_some_modules_teach_by_example() -> None:
    assert {"cocket.node.consensus.validators", "cocket.cli.certificate", "cocket.node.config"} <= set(EXAMPLES)
