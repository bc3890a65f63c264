"""Where the nodes of a trial run: hosts with wires between them that can be cut and slowed, or this machine's loopback.

``open_hosts`` gives wired hosts where this user may make network namespaces (root), and loopback with the reason
otherwise; who needs wires asks ``has_wires`` and says what was not run.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType

from e2e.wire import address_of, enter

from cocket.cli.processes import NodeProcess

TESTS = Path(__file__).resolve().parents[1]
START_S = 20.0
PEER_PORT = 30_303


class Hosts:
    """So many places for nodes; also a context manager."""

    has_wires = False

    def __init__(self, count: int, why: str = "") -> None:
        self.count = count
        self.why = why
        """Why there are no wires."""

    def address(self, index: int) -> str:
        """Return where others reach a host."""
        return "127.0.0.1"

    def prefix(self, index: int) -> list[str]:
        """Return the command that runs another on a host, and ends it with this process."""
        return []

    def connect(self, index: int, port: int, timeout_s: float) -> socket.socket:
        """Return a TCP connection to a host's own loopback."""
        return socket.create_connection(("127.0.0.1", port), timeout_s)

    def close(self) -> None:
        """Leave nothing behind."""

    def __enter__(self) -> "Hosts":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class WiredHosts(Hosts):
    """Hosts in network namespaces; a process of ours carries what goes between them (``e2e.wire``)."""

    has_wires = True

    def __init__(self, count: int) -> None:
        """Start the wires. OSError or subprocess.SubprocessError where this user or system does not let them be."""
        super().__init__(count)
        self._lock = threading.Lock()
        self._namespaces: list[int] = []
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "e2e.wire", str(count)],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            for descriptor in self._read()["namespaces"]:
                path = f"/proc/{self._process.pid}/fd/{descriptor}"
                self._namespaces.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except BaseException:
            self.close()
            raise

    def address(self, index: int) -> str:
        return address_of(index)

    def prefix(self, index: int) -> list[str]:
        namespace = f"/proc/{os.getpid()}/fd/{self._namespaces[index]}"
        return ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={namespace}"]

    def connect(self, index: int, port: int, timeout_s: float) -> socket.socket:
        # A socket stays in the namespace that it was made in; only this thread goes there, and only to make it.
        enter(self._namespaces[index])
        try:
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            enter(self._home)
        try:
            made.settimeout(timeout_s)
            made.connect(("127.0.0.1", port))
        except BaseException:
            made.close()
            raise
        return made

    # -- the wires ---------------------------------------------------------------------------------------------------

    def shape(self, ways: Iterable[tuple[int, int]], **link: float) -> None:
        """Make these ways, each (from, to), as said (``e2e.wire.Link.shape``)."""
        self._command([[source, target, link] for source, target in ways])

    def shape_all(self, **link: float) -> None:
        """Make all ways as said; without anything, good wires again."""
        self.shape(((a, b) for a in range(self.count) for b in range(self.count) if a != b), **link)

    def cut(self, *ways: tuple[int, int]) -> None:
        """Cut these ways, each in one direction."""
        self.shape(ways, is_cut=True)

    def part(self, *groups: Sequence[int]) -> None:
        """Cut everything between groups of hosts, both ways."""
        self.cut(*[(a, b) for one in groups for other in groups if one is not other for a in one for b in other])

    def mend(self) -> None:
        """Good wires everywhere."""
        self.shape_all()

    def counts(self, name: str) -> int:
        """Return how many packets were ``passed``, ``cut``, ``lost`` or ``overflowed`` since the start."""
        return sum(counts[name] for _, _, counts in self._command([]))

    def _command(self, links: list[list[object]]) -> list[tuple[int, int, dict[str, int]]]:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps({"links": links}).encode() + b"\n")
            self._process.stdin.flush()
            return self._read()  # type: ignore[no-any-return]

    def _read(self):  # type: ignore[no-untyped-def]
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait(START_S)
            assert self._process.stderr is not None
            said = self._process.stderr.read().decode(errors="replace").strip()
            raise OSError(f"no wires: {said.splitlines()[-1] if said else self._process.returncode}")
        return json.loads(line)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        for descriptor in (*self._namespaces, *([self._home] if self._home >= 0 else [])):
            os.close(descriptor)
        self._namespaces.clear()
        self._home = -1


def open_hosts(count: int) -> Hosts:
    """Return so many hosts with wires, or loopback and why there are none."""
    try:
        return WiredHosts(count)
    except (OSError, subprocess.SubprocessError) as error:
        return Hosts(count, f"no network namespaces here ({error}): run it as root")


class HostedNode(NodeProcess):
    """A node on a host, in an environment of its own."""

    def __init__(self, home: Path, hosts: Hosts, index: int, environment: dict[str, str]) -> None:
        super().__init__(home)
        self.hosts = hosts
        self.index = index
        self.added_environment = environment

    def command(self, *options: str) -> list[str]:
        return [*self.hosts.prefix(self.index), *super().command(*options)]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **self.added_environment}

    def connection(self, timeout_s: float) -> HTTPConnection:
        return _HostConnection(self, timeout_s)


class _HostConnection(HTTPConnection):
    def __init__(self, node: HostedNode, timeout_s: float) -> None:
        super().__init__(node.rpc.host, node.rpc.port, timeout=timeout_s)
        self._node = node
        self._timeout_s = timeout_s

    def connect(self) -> None:
        self.sock = self._node.hosts.connect(self._node.index, self._node.rpc.port, self._timeout_s)
