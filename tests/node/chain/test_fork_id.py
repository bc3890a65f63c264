"""EIP-2124: the published ids of Ethereum's public networks, and the EIP's rules for accepting a peer."""

import pytest

from cocket.node.chain.fork_id import ForkId, ForkSchedule, fork_id_at, is_compatible

MAINNET = ForkSchedule(
    genesis_hash=bytes.fromhex("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"),
    blocks=(
        *(1150000, 1920000, 2463000, 2675000, 4370000, 7280000, 9069000, 9200000),
        *(12244000, 12965000, 13773000, 15050000),
    ),
    times=(1681338455, 1710338135),
)
SEPOLIA = ForkSchedule.of(
    bytes.fromhex("25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9"),
    1633267481,
    (0, None, 1735371),
    (1677557088, None, 1706655072),
)
PETERSBURG = MAINNET._replace(blocks=MAINNET.blocks[:6], times=())  # mainnet as the EIP's own examples know it


def remote(checksum: str, following: int) -> ForkId:
    return ForkId(bytes.fromhex(checksum), following)


@pytest.mark.parametrize(
    ("number", "timestamp", "checksum", "following"),
    [
        (0, 0, "fc64ec04", 1150000),
        (1149999, 0, "fc64ec04", 1150000),
        (1150000, 0, "97c2c34c", 1920000),
        (1920000, 0, "91d1f948", 2463000),
        (2463000, 0, "7a64da13", 2675000),
        (2675000, 0, "3edd5b10", 4370000),
        (4370000, 0, "a00bc324", 7280000),
        (7280000, 0, "668db0af", 9069000),
        (9069000, 0, "879d6e30", 9200000),
        (9200000, 0, "e029e991", 12244000),
        (12244000, 0, "0eb440f6", 12965000),
        (12965000, 0, "b715077d", 13773000),
        (13773000, 0, "20c327fc", 15050000),
        (15050000, 0, "f0afd0e3", 1681338455),
        (20000000, 1681338454, "f0afd0e3", 1681338455),
        (20000000, 1681338455, "dce96c2d", 1710338135),
        (20000000, 1710338135, "9f3d2254", 0),
    ],
)
def test_mainnet_ids(number: int, timestamp: int, checksum: str, following: int) -> None:
    assert fork_id_at(MAINNET, number, timestamp) == remote(checksum, following)


@pytest.mark.parametrize(
    ("number", "timestamp", "checksum", "following"),
    [
        (0, 1633267481, "fe3366e7", 1735371),
        (1735371, 1661130096, "b96cbd13", 1677557088),
        (1735372, 1677557088, "f7f9bc08", 1706655072),
        (1735372, 1706655072, "88cf81d9", 0),
    ],
)
def test_sepolia_ids(number: int, timestamp: int, checksum: str, following: int) -> None:
    assert fork_id_at(SEPOLIA, number, timestamp) == remote(checksum, following)


def test_forks_at_the_genesis_do_not_count_and_equal_ones_count_once() -> None:
    schedule = ForkSchedule.of(b"\1" * 32, 1000, (0, 5, 5), (999, 1000, 1001, 1001, None))
    assert (schedule.blocks, schedule.times) == ((5,), (1001,))
    assert fork_id_at(ForkSchedule.of(b"\1" * 32, 1000, (0,), (0, 1000)), 9, 2000).next == 0


@pytest.mark.parametrize(
    ("number", "peer", "expected"),
    [
        # Mainnet at Petersburg; the EIP's cases.
        (7987396, remote("668db0af", 0), True),  # same state, no next fork announced
        (7987396, remote("668db0af", 2**64 - 1), True),  # same state, a fork far off that we do not know
        (7279999, remote("a00bc324", 0), True),  # both at Byzantium; the peer does not know of Petersburg yet
        (7279999, remote("a00bc324", 7280000), True),  # both at Byzantium, both know of Petersburg
        (7279999, remote("a00bc324", 2**64 - 1), True),  # both at Byzantium, the peer knows of something else
        (7987396, remote("a00bc324", 7280000), True),  # the peer lags before Petersburg
        (7987396, remote("3edd5b10", 4370000), True),  # the peer lags before Byzantium
        (7279999, remote("668db0af", 0), True),  # we lag: the peer has passed Petersburg
        (4369999, remote("a00bc324", 0), True),  # we lag: the peer has passed Byzantium
        (7987396, remote("a00bc324", 0), False),  # the peer is past Petersburg's height without knowing of it
        (7987396, remote("5cddc0e1", 0), False),  # the peer has passed forks that we do not know
        (7279999, remote("5cddc0e1", 0), False),  # likewise
        (7987396, remote("afec6b27", 0), False),  # Rinkeby at Petersburg
        (7279999, remote("a00bc324", 7279999), False),  # a next fork that we have passed unknowingly
        (88888888, remote("668db0af", 88888888), False),  # the EIP's: we are stale, or the peer is on another fork
    ],
)
def test_the_eips_rules(number: int, peer: ForkId, expected: bool) -> None:
    assert is_compatible(PETERSBURG, number, 0, peer) is expected


def test_the_rules_over_times() -> None:
    before, after = 1710338134, 1710338135
    assert is_compatible(MAINNET, 20000000, before, remote("dce96c2d", 1710338135))
    assert is_compatible(MAINNET, 20000000, before, remote("dce96c2d", 0))
    assert is_compatible(MAINNET, 20000000, before, remote("9f3d2254", 0))  # the peer is ahead
    assert is_compatible(MAINNET, 20000000, after, remote("dce96c2d", 1710338135))  # the peer lags
    assert not is_compatible(MAINNET, 20000000, after, remote("dce96c2d", 0))  # and does not know what comes
    assert is_compatible(MAINNET, 20000000, after, remote("9f3d2254", after + 1))
    assert not is_compatible(MAINNET, 20000000, after, remote("9f3d2254", after))  # passed unknowingly
    assert is_compatible(MAINNET, 20000000, after, remote("9f3d2254", 30000000))  # a height, above ours
    assert not is_compatible(MAINNET, 20000000, after, remote("9f3d2254", 20000000))  # a height, passed


def test_a_chain_with_small_times_compares_them_as_times() -> None:
    schedule = ForkSchedule.of(b"\2" * 32, 0, (0,), (100,))
    here = fork_id_at(schedule, 500, 50)
    assert here.next == 100
    assert is_compatible(schedule, 500, 50, here)
    assert not is_compatible(schedule, 500, 50, ForkId(here.hash, 499))  # unknown to us, so taken for a height
