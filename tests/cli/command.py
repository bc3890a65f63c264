"""Runs the command line in this process, as a user would, and looks at what every command owes its user."""

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from typing import cast

from cocket.cli.main import main


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, object]:
        """Return the one JSON object on stdout."""
        lines = self.out.splitlines()
        assert len(lines) == 1, f"expected one line on stdout, found {lines}"
        answer = json.loads(lines[0])
        assert isinstance(answer, dict)
        return cast("dict[str, object]", answer)


def cocket(*arguments: object) -> Answer:
    """Run a command; a traceback or a fault of ours is an error of the test."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["cocket", *map(str, arguments)]
    code: object = None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    said = err.getvalue()
    assert "Traceback" not in said
    assert "fault in cocket" not in said, said
    return Answer(int(str(code or 0)), out.getvalue(), said)


def done(*arguments: object) -> dict[str, object]:
    """Run a command that must succeed, with ``--json``, and return its answer."""
    answer = cocket(*arguments, "--json")
    assert answer.code == 0, f"{arguments}: {answer}"
    return answer.json()


def refused(code: int, *arguments: object) -> str:
    """Run a command that must end with a code, with ``--json``, and return its error."""
    answer = cocket(*arguments, "--json")
    assert answer.code == code, f"{arguments}: {answer}"
    found = answer.json()
    assert found["exit_code"] == code
    error = str(found["error"])
    assert error.splitlines()[0] in answer.err
    return error
