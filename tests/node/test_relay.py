"""Which transactions are told to whom, once, and in bounded messages."""

from dataclasses import replace

from cocket.node.chain.transaction import Transaction, decode_transaction, sign_transaction
from cocket.node.protocols.eth import NewPooledTransactionHashes, Transactions
from cocket.node.relay import ANNOUNCED_MAX, KNOWN_MAX, MESSAGE_BYTES, Known, Relay, announcements, whole_messages

KEY = bytes([3]) * 32


def make(nonce: int, size: int = 0) -> Transaction:
    raw = sign_transaction(
        KEY, chain_id=1, nonce=nonce, gas_limit=21_000, to=bytes(20), data=bytes([1]) * size, gas_price=0
    )
    return decode_transaction(raw)


def test_own_transactions_go_whole_and_relayed_ones_by_hash() -> None:
    relay, known = Relay(), Known()
    own, relayed = make(0), make(1)
    relay.add_own(own)
    relay.add_relayed(relayed)
    assert whole_messages(relay.take_own(), known) == [Transactions((own.raw,))]
    announced = NewPooledTransactionHashes(bytes([0]), (len(relayed.raw),), (relayed.hash,))
    assert announcements(relay.take_relayed(), known) == [announced]
    assert relay.take_own() == relay.take_relayed() == ()


def test_a_peer_is_told_once_and_never_what_it_told() -> None:
    known = Known()
    transactions = [make(nonce) for nonce in range(3)]
    known.add(transactions[0].hash)
    assert whole_messages(transactions, known) == [Transactions((transactions[1].raw, transactions[2].raw))]
    assert whole_messages(transactions, known) == []
    assert announcements(transactions, known) == []


def test_messages_are_closed_at_their_size() -> None:
    transactions = [make(nonce, 100_000) for nonce in range(12)]
    messages = whole_messages(transactions, Known())
    assert len(messages) > 1
    told = [raw for message in messages for raw in message.transactions]
    assert told == [transaction.raw for transaction in transactions]
    for message in messages:
        assert sum(map(len, message.transactions)) < MESSAGE_BYTES + 110_000


def test_announcements_are_closed_at_their_count() -> None:
    one = make(0)
    transactions = [replace(one, hash=number.to_bytes(32, "big")) for number in range(ANNOUNCED_MAX + 1)]
    messages = announcements(transactions, Known())
    assert [len(message.hashes) for message in messages] == [ANNOUNCED_MAX, 1]
    assert [len(message.types) for message in messages] == [ANNOUNCED_MAX, 1]


def test_what_a_peer_knows_is_bounded() -> None:
    known = Known()
    hashes = [number.to_bytes(32, "big") for number in range(KNOWN_MAX + 10)]
    for hash_ in hashes:
        known.add(hash_)
    assert hashes[9] not in known
    assert hashes[10] in known
    assert hashes[-1] in known
