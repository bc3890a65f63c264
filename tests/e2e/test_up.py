"""``cocket network up``: all nodes as children of one command, and none of them left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from e2e.trial import Trial, wait_until


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return Trial(tmp_path_factory.mktemp("pair"), "KE", "NL")


def folder_of(trial: Trial) -> Path:
    return trial.homes["NL"].path.parent


@contextmanager
def up(trial: Trial, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command, its output in a file; whatever happens no process stays."""
    command = [sys.executable, "-m", "cocket.cli", "network", "up", str(folder_of(trial)), "--json", *options]
    with (folder_of(trial) / "up.out").open("w") as out, (folder_of(trial) / "up.err").open("w") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pid in node_pids(trial):
            os.kill(pid, signal.SIGKILL)


def node_pids(trial: Trial, country: str = "") -> list[int]:
    """Return the live ``node run`` processes of the trial's homes, or of one."""
    homes = {str(home.path) for name, home in trial.homes.items() if country in ("", name)}
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except OSError:
            continue
        if "node" in words and homes & set(words):
            found.append(int(path.parent.name))
    return found


def said(trial: Trial, name: str) -> str:
    return (folder_of(trial) / name).read_text()


def rows(trial: Trial) -> list[dict[str, str]]:
    """Return the last status that was printed whole."""
    lines = [line for line in said(trial, "up.out").splitlines(keepends=True) if line.endswith("\n")]
    if not lines:
        return []
    nodes = json.loads(lines[-1])["nodes"]
    assert isinstance(nodes, list)
    return nodes


def makes_blocks(trial: Trial, process: subprocess.Popen[str]) -> bool:
    assert process.poll() is None, said(trial, "up.err")
    found = rows(trial)
    return bool(found) and all(row["peers"] == "1" and int(row["height"]) >= 1 for row in found)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["Ctrl-C", "hang-up"])
def test_a_signal_stops_all_nodes(trial: Trial, number: signal.Signals) -> None:
    with up(trial) as process:
        wait_until(lambda: makes_blocks(trial, process), "both nodes make blocks")
        assert [row["node"] for row in rows(trial)] == ["KE", "NL"]
        assert len(node_pids(trial)) == 2
        process.send_signal(number)
        process.wait(30)
        assert process.returncode == 0
        assert node_pids(trial) == []
        assert "all nodes have stopped" in said(trial, "up.err")
        assert "Traceback" not in said(trial, "up.err")


def test_a_node_that_dies_is_told_and_the_last_one_ends_it(trial: Trial) -> None:
    with up(trial) as process:
        wait_until(lambda: makes_blocks(trial, process), "both nodes make blocks")
        os.kill(node_pids(trial, "NL")[0], signal.SIGKILL)
        wait_until(lambda: "node NL has ended" in said(trial, "up.err"), "the death is told")
        assert process.poll() is None
        assert rows(trial)[0]["node"] == "KE"
        os.kill(node_pids(trial, "KE")[0], signal.SIGKILL)
        process.wait(30)
        assert process.returncode == 1
        assert "all nodes have ended" in said(trial, "up.err")


def test_a_node_that_does_not_start_ends_all_with_its_reason(trial: Trial) -> None:
    port = trial.peer_ports["NL"]
    with socket.socket() as occupant:
        occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        occupant.bind(("127.0.0.1", port))
        occupant.listen()
        with up(trial) as process:
            process.wait(60)
            assert process.returncode == 1
            assert "node NL ended at its start" in said(trial, "up.err")
            assert f":{port}" in said(trial, "up.err")
            assert "Traceback" not in said(trial, "up.err")
            assert node_pids(trial) == []


def test_a_network_that_is_up_is_not_started_twice(trial: Trial) -> None:
    with socket.socket() as occupant:
        occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        occupant.bind(("127.0.0.1", trial.homes["NL"].settings().rpc.port))
        occupant.listen()
        with up(trial) as process:
            process.wait(60)
            assert process.returncode == 3
            assert trial["NL"].url in said(trial, "up.err")
