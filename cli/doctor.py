"""``cocket doctor``: why a network makes no blocks, or what would keep it from it soon."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.client import DEFAULT_URL
from cocket.cli.errors import Exit
from cocket.cli.output import json_option, show, table

if TYPE_CHECKING:
    from cocket.cli.views import View
    from cocket.node.findings import Finding


@dataclass(frozen=True, slots=True)
class Found:
    """A finding and the nodes or homes that gave it."""

    finding: "Finding"
    by: tuple[str, ...] = ()


@click.command(epilog="Example: cocket doctor --home trial/NL --node http://127.0.0.1:8546")
@click.option(
    "--node",
    "urls",
    multiple=True,
    help=f"JSON-RPC address of a node; several times to compare. Default: COCKET_NODE, else {DEFAULT_URL}.",
)
@click.option(
    "--home",
    "homes",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    multiple=True,
    help="A node's home: asks its node, and says why one that does not answer does not run.",
)
@json_option
def doctor(urls: tuple[str, ...], homes: tuple[Path, ...], as_json: bool) -> Exit:
    """Say why blocks do not come: who is missing, which round, whose clock is off, who disagrees on what.

    One node's view is enough; several are compared. Exit code 0: healthy, 1: something is wrong, 6: could not check.
    """
    import os

    from cocket.cli.home_check import find_at_rest, find_stranger, find_unsound, name_of, url_of
    from cocket.cli.views import NoAnswer, View, compare, is_said_better, take_view
    from cocket.node.config import Home
    from cocket.node.findings import Finding, Severity
    from cocket.node.judgement import judge

    views: list[View] = []
    found: list[Found] = []
    for url in dict.fromkeys(urls or (() if homes else (os.environ.get("COCKET_NODE") or DEFAULT_URL,))):
        try:
            views.append(take_view(url))
        except NoAnswer as error:
            seen = f"No node can be asked at {url}: {error}."
            advice = "On its machine, cocket doctor --home HOME says why."
            found.append(Found(Finding("no-answer", Severity.CRITICAL, (), seen, advice)))
    for home in map(Home, homes):
        where, by = url_of(home), (name_of(home),)
        try:
            if where is None:
                raise NoAnswer("its settings let it answer nobody")
            view = take_view(where)
        except NoAnswer as error:
            found += [Found(finding, by) for finding in find_at_rest(home, str(error))]
            continue
        strange = [Found(finding, by) for finding in find_stranger(home, view.diagnosis)]
        found += strange or [Found(finding, by) for finding in find_unsound(home)]
        if not strange and all(view.url != other.url for other in views):
            views.append(view)
    together = tuple(compare(views)) if len(views) > 1 else ()
    found = [Found(finding) for finding in together] + found
    for view in views:
        found += [Found(f, (view.name,)) for f in judge(view.diagnosis) if not is_said_better(f, view, views, together)]
    merged = _merge(found)
    is_ill = any(one.finding.is_illness for one in merged)
    code = Exit.COULD_NOT_CHECK if not views and not homes else Exit.FAILED if is_ill else Exit.DONE
    first = _headline(views, merged, together)
    answer = {
        "is_healthy": None if code is Exit.COULD_NOT_CHECK else code is Exit.DONE,
        "headline": first,
        "findings": [
            {
                "code": one.finding.code,
                "severity": one.finding.severity.value,
                "who": list(one.finding.who),
                "seen": one.finding.seen,
                "advice": one.finding.advice,
                "by": list(one.by),
            }
            for one in merged
        ],
        "nodes": [_node(view) for view in views],
    }
    show(as_json, answer, [_printable(line) for line in (*_sentences(first, merged), *_table(views))])
    return code


def _merge(found: Iterable[Found]) -> list[Found]:
    """Return one finding of each code and person, the gravest, with all who gave it; the gravest first."""
    merged: dict[tuple[str, tuple[str, ...]], Found] = {}
    for one in sorted(found, key=lambda one: one.finding.rank):
        what = one.finding.code, one.finding.who or (one.finding.seen,)
        before = merged.get(what, one)
        merged[what] = Found(before.finding, tuple(dict.fromkeys((*before.by, *one.by))))
    return list(merged.values())


def _headline(views: "Sequence[View]", merged: Sequence[Found], together: "Sequence[Finding]") -> str:
    """Return the one sentence to read first: of the views' the one that knows of the newest block."""
    from cocket.node.findings import Severity, seconds_of
    from cocket.node.judgement import headline, is_overdue

    if not views:
        return merged[0].finding.seen if merged else "Nothing is wrong with the home."
    newest = max(views, key=lambda view: (view.diagnosis.height, -view.diagnosis.since_block_s)).diagnosis
    grave = [finding for finding in together if finding.severity is Severity.CRITICAL]
    if grave:
        start = f"No block for {seconds_of(newest.since_block_s)}: " if is_overdue(newest) else ""
        return start + grave[0].seen
    return headline(newest, [one.finding for one in merged])


def _sentences(first: str, merged: Sequence[Found]) -> list[str]:
    lines = [first]
    for one in merged:
        if one.finding.seen not in first:
            by = f" [by {', '.join(one.by)}]" if len(one.by) > 1 else ""
            lines += ["", f"{one.finding.severity.value}: {one.finding.seen}{by}"]
        lines.append(f"    {one.finding.advice}")
    return lines


def _table(views: "Sequence[View]") -> list[str]:
    from cocket.node.findings import seconds_of

    rows = []
    for view in views:
        diagnosis, turn = view.diagnosis, view.diagnosis.round
        names = {validator.address: validator.name for validator in diagnosis.validators}
        rows.append(
            (
                view.name,
                str(diagnosis.height),
                f"{seconds_of(diagnosis.since_block_s)} ago",
                "-" if turn is None else f"{turn.round} of block {turn.height}",
                "-" if turn is None else names.get(turn.proposer, turn.proposer),
                ", ".join(v.name for v in diagnosis.validators if v.is_connected and not v.is_self) or "nobody",
            )
        )
    return ["", *table(rows, ("node", "block", "came", "round", "proposer", "connected with"))] if rows else []


def _node(view: "View") -> dict[str, object]:
    import msgspec

    return {
        "url": view.url,
        "name": view.name,
        "clock_ms": view.clock_ms,
        "diagnosis": msgspec.to_builtins(view.diagnosis),
    }


def _printable(line: str) -> str:
    """Return a line without control characters: some words in it are a peer's, and a terminal obeys those."""
    return "".join([character if character.isprintable() else "?" for character in line])
