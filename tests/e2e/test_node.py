"""One node as a process: what it refuses to start on, what it survives, and how it ends."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from e2e.disks import DiskUnavailable, SmallDisk, small_disk
from e2e.trial import DEADLINE_S, Trial, free_ports, save_passphrase, wait_until
from eth_account import Account
from founding.founders import PASSPHRASE, make_home

from cocket.cli.processes import NodeProcess
from cocket.node.config import Home, PeerSettings, RpcSettings, Settings, format_settings
from cocket.node.keystore import read_key_file

REFUSED = 3
FAILED = 1
DISK_BYTES = 4 << 20


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """A network of one authority: its node makes blocks alone."""
    trial = Trial(tmp_path_factory.mktemp("one"), "NL")
    with closing(trial):
        trial.start()
        yield trial


@pytest.fixture
def node(lone: Trial) -> NodeProcess:
    """Give the one node, up."""
    if not lone["NL"].is_running():
        lone.start()
    return lone["NL"]


@pytest.fixture
def spare(lone: Trial, tmp_path: Path) -> Home:
    """Give a home of the same authority that no node has used, on ports of its own."""
    return copy_home(lone, tmp_path / "NL")


def copy_home(lone: Trial, path: Path, **changes: object) -> Home:
    shutil.copytree(lone.homes["NL"].path, path, ignore=shutil.ignore_patterns("data", "node.log"))
    home = Home(path)
    first = free_ports(2)
    ports = {"rpc": RpcSettings(port=first), "peers": PeerSettings(port=first + 1)}
    change_settings(home, **{**ports, **changes})
    return home


def change_settings(home: Home, **changes: object) -> None:
    home.config.write_text(format_settings(msgspec.structs.replace(home.settings(), **changes)))


def fails_to_start(home: Home) -> tuple[int, str]:
    """Start a node that is expected to end by itself; return its exit code and why it ended, as it said.

    A node that runs on the same home writes to the same log meanwhile.
    """
    process = NodeProcess(home.path)
    before = process.log.stat().st_size if process.log.exists() else 0
    process.start()
    try:
        wait_until(lambda: not process.is_running(), f"the node in {home.path} ends")
    finally:
        process.kill()
    code = process.exit_code()
    assert code is not None
    said = process.log.read_text()[before:]
    assert "Traceback" not in said
    assert "fault in cocket" not in said
    return code, next(line for line in said.splitlines() if line.startswith("cocket: "))


# -- refused starts ----------------------------------------------------------------------------------------------------


def test_a_second_node_on_a_home_is_refused(node: NodeProcess) -> None:
    code, said = fails_to_start(Home(node.home))
    assert code == REFUSED
    assert str(node.pid) in said
    assert str(node.home) in said
    assert node.is_running()
    assert node.height() is not None


def test_data_of_another_network_are_refused(node: NodeProcess, lone: Trial, tmp_path: Path) -> None:
    home = copy_home(lone, tmp_path / "other")
    process = NodeProcess(home.path)
    process.start()
    try:
        process.wait_ready(DEADLINE_S)
        process.terminate()
        assert process.wait_stopped()
    finally:
        process.kill()
    document = json.loads(home.genesis.read_bytes())
    document["timestamp"] = hex(int(document["timestamp"], 16) + 1)
    home.genesis.write_text(json.dumps(document))
    change_settings(home, genesis_hash="")
    code, said = fails_to_start(home)
    assert code == REFUSED
    assert str(home.data) in said or "genesis" in said


@pytest.mark.parametrize("which", ["rpc", "peers"])
def test_a_port_in_use_is_named(spare: Home, which: str) -> None:
    port = getattr(spare.settings(), which).port
    with socket.socket() as occupant:
        occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        occupant.bind(("127.0.0.1", port))
        occupant.listen()
        code, said = fails_to_start(spare)
    assert code in (FAILED, REFUSED)
    assert str(port) in said


def test_without_rpc_it_makes_blocks_and_listens_to_nobody(lone: Trial, tmp_path: Path) -> None:
    home = copy_home(lone, tmp_path / "NL")
    port = home.settings().rpc.port
    change_settings(home, rpc=RpcSettings(enabled=False, port=port))
    process = NodeProcess(home.path)
    try:
        process.start()
        wait_until(lambda: " height=1 " in process.log_tail(), "a block")
        assert not process.is_address_taken()
        process.terminate()
        assert process.wait_stopped()
        assert process.exit_code() == 0
    finally:
        process.kill()


# -- the signing journal -----------------------------------------------------------------------------------------------


def test_without_its_journal_it_signs_nothing_until_the_operator_gives_his_word(lone: Trial, tmp_path: Path) -> None:
    """Nobody else makes the block after which it could vote again, so the network of one stands still."""
    home = copy_home(lone, tmp_path / "NL")
    process = NodeProcess(home.path)
    try:
        process.start()
        process.wait_ready(DEADLINE_S)
        wait_until(lambda: (process.height() or 0) >= 2, "blocks")
        process.kill()
        (home.data / "journal").unlink()
        process.start()
        process.wait_ready(DEADLINE_S)
        height = process.height()
        assert height is not None
        wait_until(lambda: "no block comes" in process.log_tail(), "it stands still")
        assert "watching only" in process.log_tail()
        assert process.height() == height
        process.terminate()
        assert process.wait_stopped()
        process.start("--trust-journal")
        process.wait_ready(DEADLINE_S)
        wait_until(lambda: (process.height() or 0) >= height + 2, "blocks go on")
    finally:
        process.kill()


# -- following ---------------------------------------------------------------------------------------------------------


def test_a_node_that_validates_nothing_follows_and_serves(node: NodeProcess, lone: Trial, tmp_path: Path) -> None:
    """It has a key that no authority registered: its peer must name it too, as a static peer."""
    follower = make_home(tmp_path, "FR")
    save_passphrase(follower)
    follower.genesis.write_bytes(lone.founded.genesis_json)
    first = free_ports(2)
    settings = Settings(
        name="follower",
        validates=False,
        rpc=RpcSettings(port=first),
        peers=PeerSettings(port=first + 1, static=(lone.enode("NL"),)),
    )
    follower.config.write_text(format_settings(settings))
    (follower.path / "keys" / "validator.json").unlink()  # it needs none
    process = NodeProcess(follower.path)
    authority = lone.homes["NL"]
    before = authority.settings()
    node_key = Account.decrypt(dict(read_key_file(follower.path / "keys" / "node.json")), PASSPHRASE)
    enode = lone.enode_of(bytes(node_key), first + 1)
    try:
        process.start()
        process.wait_ready(DEADLINE_S)
        assert process.height() == 0  # not let in yet
        node.terminate()
        assert node.wait_stopped()
        change_settings(authority, peers=msgspec.structs.replace(before.peers, static=(enode,)))
        lone.start()
        raw, transaction_hash = lone.transfer()
        wait_until(lambda: (process.height() or 0) > 0, "the follower follows")
        # Sent to the follower, final at the authority: transactions travel both ways.
        assert process.ask("eth_sendRawTransaction", "0x" + raw.hex()) == transaction_hash
        wait_until(lambda: lone.receipt("NL", transaction_hash) is not None, "final at the authority")
        wait_until(
            lambda: process.ask("eth_getTransactionReceipt", transaction_hash) is not None, "known to the follower"
        )
        status = process.ask("cocket_status")
        assert isinstance(status, dict)
        assert not status["isValidator"]
        process.terminate()
        assert process.wait_stopped()
        assert process.exit_code() == 0
    finally:
        process.kill()
        change_settings(authority, peers=before.peers)


# -- what others throw at it -------------------------------------------------------------------------------------------


def test_garbage_on_both_ports_stops_nothing(node: NodeProcess, lone: Trial) -> None:
    height = node.height()
    assert height is not None
    noise = random.Random(2026)
    rpc = urlsplit(node.url)
    for port in (lone.peer_ports["NL"], rpc.port):
        for size in (0, 1, 307, 5000, 200_000):
            with socket.create_connection(("127.0.0.1", port), 10) as connection, contextlib.suppress(OSError):
                connection.sendall(noise.randbytes(size))
    for body in (b"{", b"[]", b"null", b'{"jsonrpc":"2.0"}', b"[" * 100_000, b"\xff" * 100, b'"' + b"a" * (8 << 20)):
        head = f"POST / HTTP/1.1\r\nHost: {rpc.netloc}\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", rpc.port), 10) as connection, contextlib.suppress(OSError):
            connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert connection.recv(100).startswith(b"HTTP/1.1 ")
    lone.wait_blocks(2)
    assert node.is_running()
    said = node.log.read_text()
    assert "Traceback" not in said
    assert "unexpected" not in said


# -- how it ends -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_within_seconds(node: NodeProcess, number: signal.Signals) -> None:
    assert node.pid is not None
    started = time.monotonic()
    os.kill(node.pid, number)
    assert node.wait_stopped(10)
    assert time.monotonic() - started < 10
    assert node.exit_code() == 0
    assert "node stopped" in node.log_tail()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Give a disk of few megabytes, or skip where none can be mounted."""
    with contextlib.ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(tmp_path / "disk", DISK_BYTES))
        except DiskUnavailable as error:
            pytest.skip(str(error))
        yield disk


def test_a_full_disk_stops_it_and_room_brings_it_back(lone: Trial, disk: SmallDisk, tmp_path: Path) -> None:
    home = copy_home(lone, tmp_path / "home")
    home.data.symlink_to(disk.path)
    process = NodeProcess(home.path)
    try:
        process.start()
        process.wait_ready(DEADLINE_S)
        wait_until(lambda: (process.height() or 0) >= 2, "blocks on the small disk")
        disk.fill()
        wait_until(lambda: not process.is_running(), "the node stops")
        assert process.exit_code() == FAILED
        said = process.log.read_text()
        assert "Traceback" not in said
        assert "make room" in said.strip().splitlines()[-1]
        # Without room it does not start, and says why.
        code, last = fails_to_start(home)
        assert code == FAILED
        assert str(home.data) in last or str(disk.path) in last
        disk.make_room()
        process.start()
        process.wait_ready(DEADLINE_S)
        height = process.height()
        assert height is not None
        assert height >= 2
        wait_until(lambda: (process.height() or 0) >= height + 2, "blocks go on")
    finally:
        process.kill()
