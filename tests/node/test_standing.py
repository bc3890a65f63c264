"""What a peer's header proves before its block is there: only the seals of a quorum do, and only on our head."""

from dataclasses import replace

import pytest
from ledger.chains import Chain

from cocket.node.chain.block import Block
from cocket.node.chain.header import Header
from cocket.node.standing import Standing


class FakePeers:
    """Peers that claim and have shown what a test says."""

    def __init__(self, *headers: Header, claims: tuple[int, ...] = ()) -> None:
        self.headers = {header.number: header for header in headers}
        self.heights = claims
        self.silent = 0

    def claims(self) -> tuple[int, ...]:
        return self.heights

    def unknown(self) -> int:
        return self.silent

    def header_at(self, number: int) -> Header | None:
        return self.headers.get(number)


@pytest.fixture
def chain() -> Chain:
    return Chain(4)


def next_block(chain: Chain, signers: int = 3) -> Block:
    return chain.seal(chain.build().block, chain.keys[:signers])


def standing(chain: Chain, *headers: Header, claims: tuple[int, ...] = (0, 0, 0)) -> Standing:
    return Standing(chain.ledger, FakePeers(*headers, claims=claims), 0.0)


def test_a_header_sealed_by_a_quorum_proves_its_height(chain: Chain) -> None:
    seen = standing(chain, next_block(chain).header)
    assert seen.is_decided(1)
    assert not seen.is_decided(2)
    assert seen.is_early(1, 4, 100.0)


def test_a_stored_block_proves_its_height(chain: Chain) -> None:
    chain.extend()
    assert standing(chain).is_decided(1)
    assert not standing(chain).is_decided(2)


def test_two_of_four_seals_prove_nothing(chain: Chain) -> None:
    seen = standing(chain, next_block(chain, signers=2).header)
    assert not seen.is_decided(1)
    assert not seen.is_early(1, 4, 100.0)


def test_seals_of_others_prove_nothing(chain: Chain) -> None:
    forged = Chain(5).keys
    strangers = [key for key in forged if key not in chain.keys]
    header = chain.seal(chain.build().block, [*chain.keys[:2], *strangers]).header
    assert not standing(chain, header).is_decided(1)


def test_seals_of_another_block_prove_nothing(chain: Chain) -> None:
    header = next_block(chain).header
    moved = replace(header, timestamp=header.timestamp + 1)
    assert not standing(chain, moved).is_decided(1)


def test_a_header_beside_our_head_proves_nothing(chain: Chain) -> None:
    header = replace(next_block(chain).header, parent_hash=bytes(32))
    assert not standing(chain, header).is_decided(1)


def test_a_false_header_does_not_hide_the_true_one_after_it(chain: Chain) -> None:
    """Seals are no part of a block's hash: a liar's header without them has the same one."""
    true = next_block(chain).header
    false = next_block(chain, signers=1).header
    peers = FakePeers(false)
    seen = Standing(chain.ledger, peers, 0.0)
    assert not seen.is_decided(1)
    peers.headers[1] = true
    assert seen.is_decided(1)


def test_after_the_start_it_waits_for_peers_and_then_for_their_blocks(chain: Chain) -> None:
    peers = FakePeers()
    seen = Standing(chain.ledger, peers, 0.0)
    assert seen.is_early(1, 4, 0.0)
    peers.heights = (0, 0)
    assert not seen.is_early(1, 4, 0.1)
    peers.silent = 1
    assert seen.is_early(1, 4, 0.2)
    peers.silent, peers.heights = 0, (0, 0, 7)
    assert seen.is_early(1, 4, 0.3)
    assert not seen.is_early(1, 4, 2.0)
    seen.upon_old_block(2.0)
    assert seen.is_early(1, 4, 2.1)
