"""The examples in docstrings are true, and what the code can say is written down."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

from cocket.attestation.dialects import DIALECTS
from cocket.attestation.kinds import KINDS


@pytest.mark.parametrize("name", ["canonical", "codes", "disclose", "finding", "verdict"])
def test_examples(name):
    result = doctest.testmod(importlib.import_module(f"cocket.attestation.{name}"))
    assert result.attempted
    assert not result.failed


ROOT = Path(__file__).parents[2]


def test_every_rule_kind_and_dialect_is_in_the_formats():
    formats = (ROOT / "docs/formats.md").read_text()
    code = "".join(path.read_text() for path in sorted((ROOT / "attestation").glob("*.py")))
    rules = set(re.findall(r'Finding\(\s*(?:"\w+"|severity),\s*"([\w-]+)"', code))
    rules |= set(re.findall(r'_refuse\("([\w-]+)"', code))
    assert {"hs-code", "json-names", "schema", "country", "invoice"} <= rules
    assert [rule for rule in sorted(rules) if f"`{rule}`" not in formats] == []
    assert [dialect.document_type for dialect in DIALECTS.values() if dialect.document_type not in formats] == []
    for kind in KINDS.values():
        groups = f"{kind.groups[0]} (never hidden), {', '.join(kind.groups[1:])}"
        assert f"| {kind.number} | {kind.name} | {groups} |" in formats
