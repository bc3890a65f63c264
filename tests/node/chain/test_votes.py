from dataclasses import replace

import pytest
from ledger.chains import Chain, User

from cocket.node.chain.extra_data import ExtraData, Vote, decode_extra_data, encode_extra_data
from cocket.node.chain.header import Header
from cocket.node.chain.votes import VoteTally
from cocket.node.errors import InvalidBlock

A, B, C, D, E = (bytes([letter]) * 20 for letter in b"abcde")
EPOCH = 10


def header(number: int, coinbase: bytes, vote: Vote | None, validators: tuple[bytes, ...] = ()) -> Header:
    return replace(
        Chain(1).head,
        number=number,
        coinbase=coinbase,
        extra_data=encode_extra_data(ExtraData(validators=validators, vote=vote)),
    )


def tally_of(*votes: tuple[bytes, bytes, bool], validators: tuple[bytes, ...] = (A, B, C, D)) -> VoteTally:
    tally = VoteTally((), ()).after(header(0, bytes(20), None, validators), EPOCH)
    for number, (voter, recipient, is_add) in enumerate(votes, 1):
        tally = tally.after(header(number, voter, Vote(recipient, is_add)), EPOCH)
    return tally


def test_an_epoch_begins_with_the_header_s_validators_sorted() -> None:
    assert tally_of(validators=(C, A, B)) == VoteTally((A, B, C), ())


def test_more_than_half_adds() -> None:
    assert tally_of((A, E, True), (B, E, True)).validators == (A, B, C, D)
    assert tally_of((A, E, True), (B, E, True), (C, E, True)) == VoteTally((A, B, C, D, E), ())


def test_more_than_half_of_an_odd_set() -> None:
    assert tally_of((A, E, True), validators=(A, B, C)).validators == (A, B, C)
    assert tally_of((A, E, True), (B, E, True), validators=(A, B, C)).validators == (A, B, C, E)


def test_more_than_half_drops_and_takes_the_dropped_one_s_votes_along() -> None:
    tally = tally_of((D, E, True), (A, D, False), (B, D, False), (C, D, False))
    assert tally == VoteTally((A, B, C), ())


def test_the_last_validator_stays() -> None:
    assert tally_of((A, A, False), validators=(A,)) == VoteTally((A,), ())
    assert tally_of((A, A, False), (B, A, False), (B, B, False), validators=(A, B)).validators == (B,)


def test_dropping_a_stranger_and_adding_a_validator_change_nothing() -> None:
    assert tally_of((A, E, False), (B, E, False), (C, E, False)) == VoteTally((A, B, C, D), ())
    assert tally_of((A, B, True), (B, B, True), (C, B, True)) == VoteTally((A, B, C, D), ())


def test_the_same_vote_twice_counts_once() -> None:
    assert tally_of((A, E, True), (A, E, True), (A, E, True)).validators == (A, B, C, D)


def test_an_opposite_vote_replaces() -> None:
    tally = tally_of((A, E, True), (B, E, True), (A, E, False), (C, E, True))
    assert tally.validators == (A, B, C, D)
    assert len(tally.votes) == 3


def test_votes_about_others_stay() -> None:
    other = bytes([1]) * 20
    tally = tally_of((A, other, True), (A, E, True), (B, E, True), (C, E, True))
    assert tally.votes == ((A, other, True),)


def test_an_epoch_forgets_votes_and_its_own() -> None:
    tally = tally_of((A, E, True), (B, E, True))
    after = tally.after(header(EPOCH, C, Vote(E, True), (A, B, C, D)), EPOCH)
    assert after == VoteTally((A, B, C, D), ())


def test_a_header_without_a_vote_changes_nothing() -> None:
    tally = tally_of((A, E, True))
    assert tally.after(header(5, B, None), EPOCH) is tally


def test_votes_in_imported_headers_count_for_the_next_block() -> None:
    chain = Chain(4)
    newcomer = User("newcomer")
    for expected in (4, 4, 5):
        block = chain.build().block
        extra = replace(decode_extra_data(block.header.extra_data), vote=Vote(newcomer.address, True))
        header = replace(block.header, extra_data=encode_extra_data(extra))
        chain.importer.import_block(chain.seal(replace(block, header=header)))
        assert len(chain.ledger.validators_after(chain.head)) == expected
    assert newcomer.address in chain.ledger.validators_after(chain.head)
    block = chain.build().block
    assert decode_extra_data(block.header.extra_data).validators == chain.ledger.validators_after(chain.head)
    with pytest.raises(InvalidBlock, match="found 3 seals, expected 4 to 5"):
        chain.importer.import_block(chain.seal(block))
    chain.importer.import_block(chain.seal(block, [*chain.keys[:3], newcomer.key]))


def test_the_ledger_reads_the_same_set_from_the_epoch_and_step_by_step() -> None:
    chain = Chain(1, epoch_length=4)
    for _ in range(9):
        chain.extend()
        step_by_step = chain.ledger.validators_after(chain.head)
        chain.ledger._sets.clear()
        chain.ledger._tally = None
        assert chain.ledger.validators_after(chain.head) == step_by_step == chain.validators
