"""The log: what stands on a line, and that a line which cannot be written hurts nobody."""

import contextlib
import io
import json
import os
import sys

import pytest

from cocket.node.log import open_log


def test_a_line_is_one_happening(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    log = open_log("info", as_json=True, node="NL")
    log.debug("unseen")
    log.info("block", height=7)
    log.error("node fault", reason="a\nb")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["event"], line["level"], line["node"]) for line in lines] == [
        ("block", "info", "NL"),
        ("node fault", "error", "NL"),
    ]
    assert lines[0]["height"] == 7


@pytest.mark.parametrize("target", ["pipe", "full", "closed"])
def test_a_log_that_cannot_be_written_raises_nothing(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    if target == "full":
        stream = open("/dev/full", "w")  # noqa: SIM115 - closed below, with its own error
    else:
        reading, writing = os.pipe()
        os.close(reading)
        stream = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stderr", stream)
    if target == "closed":
        stream.close()
    log = open_log("info", as_json=False, node="NL")
    log.info("block", height=7)
    log.warning("peer dropped", reason="x" * 100_000)
    monkeypatch.undo()
    with contextlib.suppress(OSError):  # what is left in its buffer has nowhere to go either
        stream.close()
