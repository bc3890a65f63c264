"""Nodes as child processes: start, watch, stop, kill. What ``network up``, the demo and the benchmark stand on."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from cocket.cli.errors import CommandError
from cocket.node.config import Home

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
LOG_TAIL_LINES = 15
LOG_TAIL_BYTES = 16 << 10  # of the log's end: some hundred lines


class NodeProcess:
    """One ``cocket node run`` and the home it runs in; its log is ``node.log`` there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.name = home.name
        self.rpc = Home(home).settings().rpc
        self.url = f"http://{self.rpc.host}:{self.rpc.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where the node's log lines go."""
        return self.home / "node.log"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self.is_running() and self._process is not None else None

    def is_address_taken(self) -> bool:
        """Whether somebody listens where this node is to serve JSON-RPC."""
        try:
            socket.create_connection((self.rpc.host, self.rpc.port), timeout=2).close()
        except OSError:
            return False
        return True

    def command(self, *options: str) -> list[str]:
        """Return the command line, with further options of ``node run``."""
        return [sys.executable, "-m", "cocket.cli", "node", "run", "--home", str(self.home), *options]

    def environment(self) -> dict[str, str]:
        """Return the variables that it runs with."""
        return dict(os.environ)

    def connection(self, timeout_s: float) -> HTTPConnection:
        """Return a connection to its JSON-RPC, not yet made."""
        return HTTPConnection(self.rpc.host, self.rpc.port, timeout=timeout_s)

    def start(self, *options: str) -> None:
        """Start the node, with further options of ``node run``; ``wait_ready`` waits for it."""
        with self.log.open("ab") as log:
            # A group of its own: Ctrl-C goes to the parent, which stops the nodes in order.
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                self.command(*options),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def exit_code(self) -> int | None:
        """Return how the node ended, None while it runs or was never started; minus a signal's number if killed."""
        return None if self._process is None else self._process.poll()

    def ask(self, method: str, *params: object, timeout_s: float = 5.0) -> object:
        """Return a JSON-RPC result, or None while the node does not answer."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        connection = self.connection(timeout_s)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json", "Connection": "close"})
            answer = json.load(connection.getresponse())
        except (OSError, ValueError, HTTPException):
            return None  # it is not up, or was killed while it answered
        finally:
            connection.close()
        return answer.get("result") if isinstance(answer, dict) else None

    def height(self) -> int | None:
        """Return the height of the node's head, None while it does not answer."""
        found = self.ask("eth_blockNumber")
        return int(found, 16) if isinstance(found, str) else None

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the node answers.

        :raises CommandError: it ended or did not answer in time; with the end of its log.
        """
        deadline = time.monotonic() + timeout_s
        while self.height() is None:
            if not self.is_running():
                raise CommandError(f"node {self.name} ended at its start; {self.log} ends with:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise CommandError(
                    f"node {self.name} does not answer at {self.url} after {timeout_s:.0f} s; see {self.log}"
                )
            time.sleep(0.1)

    def log_tail(self) -> str:
        """Return the last lines of the log."""
        return "\n".join(last_lines(self.log)[-LOG_TAIL_LINES:])

    def terminate(self) -> None:
        """Ask the node to stop."""
        if self._process is not None and self.is_running():
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the node at once, as a power cut would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def wait_stopped(self, timeout_s: float = STOP_TIMEOUT_S) -> bool:
        """Wait for the end of a node that was asked to stop; True when it ended by itself, else it is killed."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True


def last_lines(log: Path) -> list[str]:
    """Return the lines at the end of a log, the first of them perhaps cut; none when it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_TAIL_BYTES))
            return [line.decode(errors="replace") for line in file.read().splitlines()]
    except OSError:
        return []


def stop_all(nodes: list[NodeProcess]) -> list[str]:
    """Stop all nodes together and return the names of those that had to be killed."""
    for node in nodes:
        node.terminate()
    return [node.name for node in nodes if not node.wait_stopped()]
