"""The examples in docstrings are true."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["canonical", "codes", "disclose", "finding", "verdict"])
def test_examples(name):
    result = doctest.testmod(importlib.import_module(f"cocket.attestation.{name}"))
    assert result.attempted
    assert not result.failed
