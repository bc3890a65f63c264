"""The wires themselves: a fault that does nothing would let every test on it pass."""

import random
import socket
import time
from collections.abc import Iterator

import pytest
from e2e.hosts import Hosts, WiredHosts, open_hosts
from e2e.wire import QUEUE_S, Link, enter

PORT = 4000


def test_a_good_link_holds_nothing() -> None:
    link = Link()
    assert link.due(1500, 5.0, random.Random(1)) == 5.0
    assert link.counts == {"passed": 1, "cut": 0, "lost": 0, "overflowed": 0}


def test_a_cut_link_brings_nothing_and_a_mended_one_all() -> None:
    link = Link()
    link.shape(is_cut=True)
    assert link.due(40, 5.0, random.Random(1)) is None
    link.shape()
    assert link.due(40, 6.0, random.Random(1)) == 6.0
    assert link.counts["cut"] == 1


def test_loss_is_as_often_as_said() -> None:
    link, chance = Link(), random.Random(1)
    link.shape(loss=0.25)
    lost = [link.due(40, 5.0, chance) for _ in range(4000)].count(None)
    assert 900 < lost < 1100
    assert link.counts["lost"] == lost


def test_delay_and_jitter_keep_the_order() -> None:
    link, chance = Link(), random.Random(1)
    link.shape(delay_s=0.2, jitter_s=0.1)
    found = [link.due(40, 5.0 + number / 100, chance) for number in range(200)]
    arrivals = [due for due in found if due is not None]
    assert len(arrivals) == 200
    assert arrivals == sorted(arrivals)
    assert arrivals[0] - 5.0 >= 0.1
    assert len(set(arrivals)) > 10


def test_a_slow_link_takes_a_packet_after_the_other_and_drops_what_it_cannot_hold() -> None:
    link, chance = Link(), random.Random(1)
    link.shape(rate_bits=12_000)  # one packet of 1500 bytes a second
    assert link.due(1500, 5.0, chance) == 6.0
    assert link.due(1500, 5.0, chance) == 7.0
    assert link.due(1500, 5.0, chance) is None
    assert link.counts["overflowed"] == 1
    assert link.due(1500, 7.0 - QUEUE_S, chance) == 8.0


def test_without_wires_it_says_why() -> None:
    assert Hosts(4, "no network namespaces here").why


@pytest.fixture
def two() -> Iterator[WiredHosts]:
    with open_hosts(2) as hosts:
        if not isinstance(hosts, WiredHosts):
            pytest.skip(hosts.why)
        yield hosts


def listener(hosts: WiredHosts, index: int) -> socket.socket:
    enter(hosts._namespaces[index])
    try:
        return socket.create_server((hosts.address(index), PORT))
    finally:
        enter(hosts._home)


def dialled(hosts: WiredHosts, source: int, target: int) -> socket.socket:
    enter(hosts._namespaces[source])
    try:
        return socket.create_connection((hosts.address(target), PORT), timeout=5)
    finally:
        enter(hosts._home)


def test_hosts_reach_each_other_by_their_wires_only(two: WiredHosts) -> None:
    with listener(two, 1) as server, dialled(two, 0, 1) as here, server.accept()[0] as there:
        there.settimeout(5)
        here.sendall(b"good")
        assert there.recv(9) == b"good"
        assert here.getsockname()[0] == two.address(0)
        two.cut((0, 1))  # one way: what comes back does arrive
        before = two.counts("cut")
        there.sendall(b"back")
        assert here.recv(9) == b"back"
        here.sendall(b"late")
        there.settimeout(0.3)
        with pytest.raises(TimeoutError):
            there.recv(9)
        assert two.counts("cut") > before
        two.mend()
        there.settimeout(5)
        assert there.recv(9) == b"late"  # TCP says it again
        two.shape_all(delay_s=0.1)
        started = time.monotonic()
        here.sendall(b"slow")
        assert there.recv(9) == b"slow"
        assert time.monotonic() - started >= 0.1


def test_they_are_gone_with_their_owner(two: WiredHosts) -> None:
    two.close()
    with pytest.raises((OSError, IndexError)):
        two.connect(0, PORT, 1)
