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
    gate.update_known(["198.51.100.7", "node.example"])
    assert sum(knock(gate, f"192.0.2.{number}:1", 1) for number in range(50)) == 5
    assert knock(gate, "198.51.100.7:30303", 9) == 3
    assert knock(gate, "192.0.2.99:1", 9, now_s=1) == 1


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
