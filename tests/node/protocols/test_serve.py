"""Answers to peers: right, in the order asked, and never more than their limits."""

from dataclasses import replace

import pytest
from ledger.chains import Chain

from cocket.node.chain.block import Body, encode_body
from cocket.node.chain.header import Header
from cocket.node.chain.receipt import Receipt
from cocket.node.chain.transaction import Transaction
from cocket.node.protocols import serve
from cocket.node.protocols.eth import (
    BlockBodies,
    BlockHeaders,
    GetBlockBodies,
    GetBlockHeaders,
    GetPooledTransactions,
    GetReceipts,
    Message,
    PooledTransactions,
    Receipts,
    decode_message,
)
from cocket.node.protocols.serve import Request, answer


def ask(chain: Chain, request: Request) -> Message:
    code, payload = answer(request, chain.ledger, chain.pool)
    return decode_message(code, payload)


def headers(chain: Chain, *numbers: int) -> tuple[Header | None, ...]:
    return tuple(chain.ledger.header_by_number(number) for number in numbers)


def hash_at(chain: Chain, number: int) -> bytes:
    found = chain.ledger.hash_by_number(number)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"start": 2, "limit": 3}, (2, 3, 4)),
        ({"start": 2, "limit": 3, "skip": 2}, (2, 5, 8)),
        ({"start": 6, "limit": 3, "is_reverse": True}, (6, 5, 4)),
        ({"start": 6, "limit": 9, "skip": 1, "is_reverse": True}, (6, 4, 2, 0)),
        ({"start": 7, "limit": 9}, (7, 8)),
        ({"start": 8, "limit": 1}, (8,)),
        ({"start": 9, "limit": 4}, ()),
        ({"start": 2, "limit": 0}, ()),
        ({"start": 2, "limit": 2, "skip": 2**64 - 1}, (2,)),
        ({"start": 2**64 - 1, "limit": 2}, ()),
        ({"start": 2, "limit": 2**64 - 1, "skip": 3}, (2, 6)),
    ],
)
def test_headers_by_number(chain: Chain, query: dict[str, int], numbers: tuple[int, ...]) -> None:
    assert ask(chain, GetBlockHeaders(9, **query)) == BlockHeaders(9, headers(chain, *numbers))  # type: ignore[arg-type]


def test_headers_by_hash(chain: Chain) -> None:
    found = ask(chain, GetBlockHeaders(9, hash_at(chain, 4), 2))
    assert found == BlockHeaders(9, headers(chain, 4, 5))  # type: ignore[arg-type]
    assert ask(chain, GetBlockHeaders(9, b"\x07" * 32, 2)) == BlockHeaders(9, ())


def test_own_head_is_served_by_its_hash(chain: Chain) -> None:
    """Besu asks for the header of the head in our Status at once, and drops a peer that has none."""
    assert ask(chain, GetBlockHeaders(1, chain.ledger.head_hash, 1)) == BlockHeaders(1, (chain.head,))


def test_bodies_leave_out_what_we_lack(chain: Chain) -> None:
    second, third = chain.ledger.block_by_number(2), chain.ledger.block_by_number(3)
    assert second is not None
    assert third is not None
    asked = (hash_at(chain, 2), b"\x07" * 32, hash_at(chain, 3))
    assert ask(chain, GetBlockBodies(1, asked)) == BlockBodies(1, (second.body, third.body))
    assert ask(chain, GetBlockBodies(1, ())) == BlockBodies(1, ())


def test_receipts_leave_out_what_we_lack(chain: Chain) -> None:
    asked = (hash_at(chain, 2), b"\x07" * 32, hash_at(chain, 1))
    assert ask(chain, GetReceipts(1, asked)) == Receipts(1, (chain.ledger.receipts_by_number(2), ()))  # type: ignore[arg-type]


def test_pooled_transactions_leave_out_what_we_lack(chain: Chain) -> None:
    sender = chain.users[3]
    raws = [sender.sign(sender.address), sender.sign(sender.address, max_fee_per_gas=0, max_priority_fee_per_gas=0)]
    known = [chain.pool.add(raw) for raw in raws]
    found = ask(chain, GetPooledTransactions(3, (known[1], b"\x07" * 32, known[0])))
    assert found == PooledTransactions(3, (raws[1], raws[0]))
    for transaction_hash in known:
        chain.pool.drop(transaction_hash, "test")
    sender.nonce = 0


class Endless:
    """A chain and pool that have everything asked for, each item of a size."""

    def __init__(self, chain: Chain, size: int) -> None:
        self.size = size
        self.reads = 0
        self._header = chain.head
        self._receipts = chain.ledger.receipts_by_number(2)

    def header_by_number(self, number: int, /) -> Header | None:
        self.reads += 1
        return replace(self._header, number=number)

    def header_by_hash(self, block_hash: bytes, /) -> Header | None:
        return self.header_by_number(1)

    def body_bytes(self, block_hash: bytes, /) -> bytes | None:
        self.reads += 1
        return encode_body(Body((b"\x02" + bytes(self.size),)))

    def receipts_by_hash(self, block_hash: bytes, /) -> tuple[Receipt, ...] | None:
        self.reads += 1
        return self._receipts

    def get(self, transaction_hash: bytes, /) -> Transaction | None:
        self.reads += 1
        return None


@pytest.mark.parametrize(
    ("request_", "count"),
    [
        (GetBlockHeaders(1, 0, 5000), 512),
        (GetBlockBodies(1, (bytes(32),) * 1000), 128),
        (GetReceipts(1, (bytes(32),) * 1000), 256),
        (GetPooledTransactions(1, (bytes(32),) * 1000), 256),
    ],
)
def test_no_more_is_read_than_the_limit(chain: Chain, request_: Request, count: int) -> None:
    endless = Endless(chain, 10)
    answer(request_, endless, endless)
    assert endless.reads == count


def test_answer_stops_at_its_soft_size(chain: Chain) -> None:
    endless = Endless(chain, 500_000)
    _, payload = answer(GetBlockBodies(1, (bytes(32),) * 100), endless, endless)
    assert endless.reads == 5
    assert serve.ANSWER_BYTES_SOFT < len(payload) < serve.ANSWER_BYTES_SOFT + 600_000


def test_answer_never_exceeds_what_peers_accept(chain: Chain) -> None:
    endless = Endless(chain, 11 << 20)
    _, payload = answer(GetBlockBodies(1, (bytes(32),) * 3), endless, endless)
    assert payload == b"\xc2\x01\xc0"
    assert serve.ANSWER_BYTES_MAX < 10 << 20
