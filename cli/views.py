"""What several nodes say of one network, asked over JSON-RPC and put side by side.

One node's view is judged by ``node.judgement``; here is what only two views together can show: two chains, a cut line,
clocks measured against each other. The answers may be anybody's: they are bounded and strictly read.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final
from urllib.parse import urlsplit

import msgspec

from cocket.node.consensus.validators import quorum
from cocket.node.diagnosis import Diagnosis
from cocket.node.findings import Finding, Severity, judge_clocks, names_of
from cocket.node.judgement import is_clocks_work

ANSWER_S: Final = 5.0
"""A node that lives answers within milliseconds; one whose machine is drowned is ill all the same."""
ANSWER_BYTES_MAX: Final = 4 << 20
"""A diagnosis of a hundred validators is some 100 KiB."""
WAY_MS_MAX: Final = 1_000
"""A clock read over a slower way than this is not compared."""
MESSAGE_CHARACTERS_MAX: Final = 300
"""Of a refusal's words, which are whatever answered's."""
NO_SUCH_METHOD: Final = -32601


class NoAnswer(Exception):
    """Nothing that gives a diagnosis answered; the message says what did."""


@dataclass(frozen=True, slots=True)
class View:
    """What one node said, and its clock against this machine's, None when the answer took too long to tell."""

    url: str
    diagnosis: Diagnosis
    clock_ms: int | None

    @property
    def name(self) -> str:
        """What people call the node."""
        return self.diagnosis.who


def take_view(url: str) -> View:
    """Ask one node.

    :raises NoAnswer: nobody, or nothing that gives a diagnosis, answers in time.
    """
    before_s = time.time()
    result = _ask(url, "cocket_diagnosis")
    after_s = time.time()
    if result is None:
        raise NoAnswer("a node without a network answers there")
    try:
        diagnosis = msgspec.convert(result, Diagnosis)
    except (msgspec.ValidationError, RecursionError):
        raise NoAnswer("a node of another version answers there") from None
    is_slow = (after_s - before_s) * 1000 > WAY_MS_MAX
    return View(url, diagnosis, None if is_slow else diagnosis.now_ms - round((before_s + after_s) * 500))


def block_hash(url: str, height: int) -> str | None:
    """Return the hash that a node has for a height, None when it does not say."""
    try:
        block = _ask(url, "eth_getBlockByNumber", hex(height), False)
    except NoAnswer:
        return None
    found = block.get("hash") if isinstance(block, Mapping) else None
    return found if isinstance(found, str) else None


def compare(views: Sequence[View], hash_at: Callable[[str, int], str | None] = block_hash) -> Iterator[Finding]:
    """Yield what only several views together show; ``hash_at`` gives the block hash that a URL has for a height."""
    camps: dict[str, list[View]] = {}
    for view in views:
        camps.setdefault(view.diagnosis.genesis_hash, []).append(view)
    if len(camps) > 1:
        yield _of_genesis(camps)
    for alike in camps.values():
        yield from _of_fork(alike, hash_at)
        yield from _of_lines(alike)
        yield from _of_watchers(alike)
    clocks = _clocks(views)
    if len(clocks) > 1:
        yield from judge_clocks({**clocks, "this machine": 0}, "Read from the nodes' answers.")


def is_said_better(finding: Finding, view: View, views: Sequence[View], together: Sequence[Finding]) -> bool:
    """Whether one node's finding says less than what ``compare`` found or the one it is about says itself."""
    asked = {other.name: other.diagnosis for other in views if other is not view}
    off = {name for other in together if other.code == "clock-off" for name in other.who}
    match finding.code:
        case "agrees-to-nothing" | "turns-missed":
            return is_clocks_work(finding, off)
        case "genesis-differs":
            return any(other.code == "genesis-differs" for other in together)
        case "no-peers":
            return any(other.code == "cut" for other in together)
        case "not-connected":  # both were asked, so the lines between them are known from both ends
            return view.diagnosis.is_validator and all(name in asked for name in finding.who)
        case "silent":
            return all(name in asked and _says_why(asked[name]) for name in finding.who)
        case "clock-off" | "clock-unclear":
            return len(views) > 1 and all(name in _clocks(views) for name in finding.who)
        case _:
            return False


def _says_why(diagnosis: Diagnosis) -> bool:
    return diagnosis.is_watching or diagnosis.syncing_to is not None


def _ask(url: str, method: str, *params: object) -> object:
    """Return a JSON-RPC result. Not by ``NodeClient``: that neither bounds what it reads nor gives up soon."""
    if not _is_address(url):
        raise NoAnswer("it is no address of a node; one looks like http://127.0.0.1:8545")
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - http
        with opener.open(request, timeout=ANSWER_S) as response:
            answer = msgspec.json.decode(response.read(ANSWER_BYTES_MAX + 1))
    except TimeoutError:
        raise NoAnswer(f"it takes the connection and says nothing within {ANSWER_S:.0f} s") from None
    except urllib.error.HTTPError as error:
        raise NoAnswer(f"what answers there is no node (HTTP {error.code})") from None
    except urllib.error.URLError as error:
        refused = isinstance(error.reason, ConnectionRefusedError)
        raise NoAnswer("it refuses the connection" if refused else str(error.reason)) from None
    except (OSError, ValueError, HTTPException, RecursionError):
        raise NoAnswer("what answers there is no node") from None
    match answer:
        case {"result": result}:
            return result
        case {"error": {"code": code}} if code == NO_SUCH_METHOD:
            raise NoAnswer("a node answers, but one that gives no diagnosis: another version, or other software")
        case {"error": {"message": str(message)}}:
            raise NoAnswer(f"it refuses to answer: {message[:MESSAGE_CHARACTERS_MAX]}")
        case _:
            raise NoAnswer("what answers there is no node")


def _is_address(url: str) -> bool:
    """Whether a URL has a host and a possible port: a resolver would take 99999 for 34463."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    is_port = port is None or port > 0
    return parts.scheme in ("http", "https") and bool(parts.hostname) and is_port and not any(map(str.isspace, url))


def _clocks(views: Sequence[View]) -> dict[str, int]:
    return {view.name: view.clock_ms for view in views if view.clock_ms is not None}


def _of_genesis(camps: Mapping[str, Sequence[View]]) -> Finding:
    names = {genesis: [view.name for view in alike] for genesis, alike in camps.items()}
    everybody = [name for those in names.values() for name in those]
    most: list[str] = max(names.values(), key=len)
    odd = [name for name in everybody if name not in most] if len(most) * 2 > len(everybody) else everybody
    said = "; ".join(f"{names_of(those)} on {genesis[:12]}" for genesis, those in names.items())
    return Finding(
        "genesis-differs",
        Severity.CRITICAL,
        tuple(sorted(odd)),
        f"The nodes are on different networks, by their genesis: {said}.",
        "Compare with the hash that all confirmed (genesis_hash in node.toml), and put that genesis.json back.",
    )


def _of_fork(views: Sequence[View], hash_at: Callable[[str, int], str | None]) -> Iterator[Finding]:
    """Yield that two nodes of one network have different blocks at one height: what consensus promises never to be."""
    height = min(view.diagnosis.height for view in views)
    camps: dict[str, list[str]] = {}
    for view in views if len(views) > 1 else ():
        found = hash_at(view.url, height)
        if found is not None:
            camps.setdefault(found, []).append(view.name)
    if len(camps) > 1:
        said = "; ".join(f"{names_of(names)} {hash_[:12]}" for hash_, names in camps.items())
        yield Finding(
            "fork",
            Severity.CRITICAL,
            tuple(sorted(name for names in camps.values() for name in names)),
            f"The nodes have different blocks at height {height}: {said}.",
            "Stop relying on either. Stop the nodes, keep their homes as they are, and find with all authorities "
            "which validators sealed both.",
        )


def _of_lines(views: Sequence[View]) -> Iterator[Finding]:
    """Yield which of the asked validators do not see each other."""
    names = sorted({view.name for view in views if view.diagnosis.is_validator})
    sees = {
        (view.name, validator.name)
        for view in views
        for validator in view.diagnosis.validators
        if view.name in names and validator.name in names and validator.is_connected
    }
    camps: list[list[str]] = []
    for name in names:
        joined = [camp for camp in camps if any((name, o) in sees or (o, name) in sees for o in camp)]
        camps = [*[camp for camp in camps if camp not in joined], sorted([name, *[o for c in joined for o in c]])]
    if len(camps) > 1:
        yield Finding(
            "cut",
            Severity.CRITICAL,
            tuple(names),
            f"The network is cut into {names_of([f'[{names_of(camp)}]' for camp in sorted(camps)])}: all run, but "
            "those do not reach each other.",
            "Look at the lines, firewalls and addresses between them. Once they reach each other, blocks go on by "
            "themselves.",
        )
    for one, other in [(one, other) for one in names for other in names if one < other] if len(camps) == 1 else ():
        if not {(one, other), (other, one)} <= sees:
            yield Finding(
                "line-down",
                Severity.WARNING,
                (one, other),
                f"{one} and {other} run, but do not reach each other.",
                "Look at the line, firewall and addresses between these two; votes go round by the others meanwhile.",
            )


def _of_watchers(views: Sequence[View]) -> Iterator[Finding]:
    watching = sorted({view.name for view in views if view.diagnosis.is_validator and view.diagnosis.is_watching})
    count = max(len(view.diagnosis.validators) for view in views)
    if len(watching) > count - quorum(count):
        yield Finding(
            "too-many-watch",
            Severity.CRITICAL,
            tuple(watching),
            f"{len(watching)} of {count} validators only watch ({', '.join(watching)}), because their signing "
            f"journals were lost: no block can come, since {quorum(count)} must vote.",
            "Make sure that none of these keys runs in a second place; then start each once with "
            "cocket node run --trust-journal.",
        )
