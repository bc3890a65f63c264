"""Who may begin a handshake, and that a crowd shuts no known node out."""

import pytest

from cocket.network.gate import Gate, GateLimits, address_of

LIMITS = GateLimits(address_burst=3, address_per_s=1, strangers_burst=5, strangers_per_s=1, addresses_max=4)


def knock(gate: Gate, remote: str, count: int, now_s: float = 0) -> int:
    return sum(gate.admits(remote, now_s) for _ in range(count))


def test_one_address_has_its_burst_and_then_its_rate() -> None:
    gate = Gate(LIMITS, 0)
    assert knock(gate, "192.0.2.1:1000", 10) == 3
    assert knock(gate, "192.0.2.1:1001", 10) == 0
    assert knock(gate, "192.0.2.2:1000", 2) == 2
    assert knock(gate, "192.0.2.1:1000", 10, now_s=2) == 2


def test_many_addresses_have_a_sum_that_known_ones_do_not_count_in() -> None:
    gate = Gate(LIMITS, 0)
    gate.update_known(["198.51.100.7", "node.example"], lambda _: True)
    assert sum(knock(gate, f"192.0.2.{number}:1", 1) for number in range(50)) == 5
    assert knock(gate, "198.51.100.7:30303", 9) == 3
    assert knock(gate, "192.0.2.99:1", 9, now_s=1) == 1


def test_node_listed_by_name_is_known_once_it_has_been_met_and_while_it_is_allowed() -> None:
    gate = Gate(LIMITS, 0)
    gate.update_known(["node.example"], lambda _: True)
    assert sum(knock(gate, f"192.0.2.{number}:1", 1) for number in range(50)) == 5
    assert knock(gate, "203.0.113.5:1", 1) == 0
    gate.meet(b"node", "203.0.113.5:30303")
    assert knock(gate, "203.0.113.5:2", 1) == 1
    gate.meet(b"node", "[2001:db8::5]:30303")  # it has moved
    assert not gate.is_known("203.0.113.5:3")
    assert gate.is_known("[2001:db8::6]:4")
    gate.update_known(["node.example"], lambda node: node != b"node")
    assert not gate.is_known("[2001:db8::5]:30303")


def test_nodes_met_are_bounded() -> None:
    gate = Gate(GateLimits(met_max=2), 0)
    for number in range(5):
        gate.meet(bytes([number]), f"192.0.2.{number}:1")
    assert [gate.is_known(f"192.0.2.{number}:9") for number in range(5)] == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("waiting", "goes"),
    [
        ("abc", 0),
        ("abcb", 1),  # who has most
        ("KabbK", 2),  # a known node's two, and a crowd's two
        ("KabcK", 1),  # many addresses with one each
        ("KKKab", 0),  # more than half are one known node's
        ("KK", 0),
    ],
)
def test_who_makes_room_is_of_a_crowd_and_of_a_known_node_last(waiting: str, goes: int) -> None:
    gate = Gate(LIMITS, 0)
    gate.update_known(["K"], lambda _: True)
    assert gate.pushed_out([f"{host}:{port}" for port, host in enumerate(waiting)]) == goes


def test_forgotten_addresses_do_not_lift_the_sum() -> None:
    gate = Gate(LIMITS, 0)
    assert sum(knock(gate, f"192.0.2.{number % 10}:1", 1) for number in range(200)) == 5
    assert len(gate._addresses) == LIMITS.addresses_max


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("[2001:db8:1:2:aaaa::1]", "2001:db8:1:2::"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::"),
        ("[::ffff:192.0.2.1]", "192.0.2.1"),
        ("pipe", "pipe"),
        ("", ""),
    ],
)
def test_an_address_is_what_one_party_can_have_only_one_of(host: str, address: str) -> None:
    assert address_of(host) == address
