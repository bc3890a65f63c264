"""What a home tells when its node does not answer: whether it runs, how it ended, and what keeps it from starting.

It only reads, and asks the same questions as a node that starts; no key is opened, no lock taken, no database opened.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cocket.cli.processes import last_lines
from cocket.node.config import Home, Settings
from cocket.node.diagnosis import Diagnosis
from cocket.node.errors import NodeError
from cocket.node.examination import free_bytes
from cocket.node.findings import Finding, Severity, judge_room
from cocket.node.genesis_file import read_genesis
from cocket.node.keystore import key_address, read_passphrase
from cocket.node.store.home import owner_of

LINE_CHARACTERS_MAX: Final = 400


def name_of(home: Home) -> str:
    """Return what people call the node of a home."""
    try:
        return home.settings().name or home.path.name
    except (NodeError, OSError):
        return home.path.name


def url_of(home: Home) -> str | None:
    """Return where the node of a home answers, None when it is told to answer nowhere or its settings do not read."""
    try:
        rpc = home.settings().rpc
    except (NodeError, OSError):
        return None
    host = f"[{rpc.host}]" if ":" in rpc.host else rpc.host
    return f"http://{host}:{rpc.port}" if rpc.enabled else None


def find_at_rest(home: Home, reason: str) -> Iterator[Finding]:
    """Yield why the node of a home does not answer, worst first; ``reason`` is what asking it gave."""
    who, pid = name_of(home), owner_of(home.data)
    yield from find_unsound(home)
    if pid is None:
        yield Finding(
            "not-running",
            Severity.CRITICAL,
            (who,),
            f"{who}'s node does not run. {_end_of(home)}.",
            f"Start it: cocket node run --home {home.path}",
        )
    elif _is_suspended(pid):
        yield Finding(
            "suspended",
            Severity.CRITICAL,
            (who,),
            f"{who}'s node (process {pid}) is suspended: it exists and does nothing.",
            f"Let it go on: kill -CONT {pid}",
        )
    else:
        yield Finding(
            "no-answer",
            Severity.CRITICAL,
            (who,),
            f"{who}'s node runs (process {pid}), but cannot be asked at {url_of(home)}: {reason}.",
            "If it has just been started, try again in a minute. If it stays so, look at its log, then restart it.",
        )


def find_unsound(home: Home) -> Iterator[Finding]:
    """Yield what is wrong with a home, so that its node would not start, whether it runs now or not."""
    who = name_of(home)
    try:
        settings = home.settings()
    except (NodeError, OSError) as error:
        yield _unsound(who, error)
        return
    for check in _checks(home, settings):
        try:
            check()
        except (NodeError, OSError) as error:
            yield _unsound(who, error)
    yield from judge_room(who, free_bytes(home.data if home.data.exists() else home.path), f"its data ({home.data})")
    if (home.data / "chain").exists() and settings.validates and not (home.data / "journal").exists():
        yield Finding(
            "no-journal",
            Severity.WARNING,
            (who,),
            f"{who}'s signing journal ({home.data / 'journal'}) is gone, beside a chain that is there.",
            "Put it back if it was moved. Without it the node only watches until the others have made a new block.",
        )


def find_stranger(home: Home, diagnosis: Diagnosis) -> Iterator[Finding]:
    """Yield that what answers where a home's node should is another network's node, or another validator's."""
    try:
        settings = home.settings()
        ours = "0x" + read_genesis(home, settings).hash.hex()
        key = "0x" + key_address(home.path / settings.keys.validator).hex() if settings.validates else None
    except (NodeError, OSError):
        return  # find_unsound says so
    who = name_of(home)
    if (ours, key) != (diagnosis.genesis_hash, diagnosis.address):
        what = "a node of another network" if ours != diagnosis.genesis_hash else "the node of another key"
        yield Finding(
            "another-node",
            Severity.CRITICAL,
            (who,),
            f"At {url_of(home)}, where {who}'s node should answer, {what} does.",
            "Two homes name the same port under [rpc] in node.toml (change one), or the files of this home were "
            "exchanged under a running node.",
        )


def _checks(home: Home, settings: Settings) -> Iterator[Callable[[], object]]:
    yield lambda: read_genesis(home, settings)
    yield lambda: read_passphrase(home.path / settings.keys.passphrase_file)
    yield lambda: key_address(home.path / settings.keys.node)
    if settings.validates:
        yield lambda: key_address(home.path / settings.keys.validator)


def _unsound(who: str, error: Exception) -> Finding:
    return Finding(
        "home-unsound",
        Severity.CRITICAL,
        (who,),
        f"{error}.",
        f"{who}'s node does not start before this is put right.",
    )


def _end_of(home: Home) -> str:
    log = home.path / "node.log"
    lines = [line for line in last_lines(log) if line.strip()]
    if not home.data.exists():
        return "It has never run in this home"
    if not lines:
        return f"There is no log in {log}; look where its output goes (journalctl -u ..., for a service)"
    last = lines[-1][:LINE_CHARACTERS_MAX]
    if "node stopped" in last:
        return "It was stopped in order"
    if last.startswith("cocket: "):
        return f"It ended with: {last.removeprefix('cocket: ')}"
    return f"It ended without a word (killed, or the machine went down); its log ends with: {last}"


def _is_suspended(pid: int) -> bool:
    """Whether a process is stopped by a signal (state T; Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False
