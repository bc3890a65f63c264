"""The operator's votes: which one the next block carries, and that they reach the set."""

from dataclasses import replace

import pytest
from ledger.chains import Chain

from cocket.node.chain.builder import Builder
from cocket.node.chain.extra_data import Vote, decode_extra_data
from cocket.node.chain.header import Header
from cocket.node.chain.pending_votes import VOTES_MAX, PendingVotes
from cocket.node.chain.rules import Rules, Transition
from cocket.node.chain.votes import VoteTally
from cocket.node.consensus.seals import address_of_key
from cocket.node.consensus.validators import quorum
from cocket.node.errors import Refused

A, B, C, D, E = (bytes([letter]) * 20 for letter in b"abcde")
ALL = (A, B, C, D)


def pending(*votes: tuple[bytes, bool]) -> PendingVotes:
    found = PendingVotes()
    for address, is_add in votes:
        found.propose(address, is_add)
    return found


def test_votes_are_kept_replaced_and_discarded() -> None:
    votes = pending((E, True), (A, False))
    assert votes.all() == {E: True, A: False}
    votes.propose(E, False)
    votes.discard(A)
    votes.discard(B)
    assert votes.all() == {E: False}


@pytest.mark.parametrize(
    ("vote", "cast", "is_useful"),
    [
        ((E, True), (), True),
        ((A, False), (), True),
        ((A, True), (), False),
        ((E, False), (), False),
        ((E, True), ((B, E, True),), False),
        ((E, True), ((C, E, True),), True),
        ((A, False), ((B, A, False),), False),
        # What was said before the other way is taken back.
        ((E, False), ((B, E, True),), True),
        ((A, True), ((B, A, False),), True),
    ],
)
def test_a_vote_is_cast_while_it_means_something(
    vote: tuple[bytes, bool], cast: tuple[tuple[bytes, bytes, bool], ...], is_useful: bool
) -> None:
    votes = pending(vote)
    assert votes.next(B, VoteTally(ALL, cast)) == (Vote(*vote) if is_useful else None)
    assert votes.all() == dict([vote]), "it waits for when it means something again"


def test_votes_take_turns() -> None:
    votes = pending((E, True), (A, True), (C, False), (D, False))
    cast = [votes.next(B, VoteTally(ALL, ())) for _ in range(4)]
    assert cast == [Vote(E, True), Vote(C, False), Vote(D, False), Vote(E, True)]


def test_there_is_a_bound() -> None:
    votes = pending(*[(number.to_bytes(20, "big"), True) for number in range(VOTES_MAX)])
    votes.propose(bytes(20), False)
    with pytest.raises(Refused, match="there are 1000, no more may be: discard some"):
        votes.propose(E, True)


# In blocks


class Voting:
    """A chain whose every proposer's operator has own votes."""

    def __init__(self, **spec: object) -> None:
        self.chain = Chain(**spec)  # type: ignore[arg-type]
        self.votes = {address: PendingVotes() for address in self.chain.validators}
        self.newcomer = Chain(5).keys
        self.keys = {address_of_key(key): key for key in (*self.chain.keys, *self.newcomer)}

    def extend(self) -> Header:
        chain = self.chain
        turn = chain.build().block.header.coinbase
        votes = self.votes.setdefault(turn, PendingVotes())
        builder = Builder(chain.ledger, chain.permission, chain.pool, chain.clock, votes)
        executed = builder.build(turn, chain.head.timestamp + 1, 0, 1000.0)
        validators = chain.ledger.validators_after(chain.head)
        keys = [self.keys[address] for address in validators][: quorum(len(validators))]
        return chain.importer.import_block(chain.seal(executed.block, keys))

    def vote_in(self, header: Header) -> Vote | None:
        return decode_extra_data(header.extra_data).vote


def fifth() -> bytes:
    [address] = set(Chain(5).validators) - set(Chain(4).validators)
    return address


def test_each_casts_its_vote_in_its_own_block_until_more_than_half_have() -> None:
    voting = Voting()
    newcomer = fifth()
    for votes in voting.votes.values():
        votes.propose(newcomer, True)
    sizes = []
    for _ in range(4):
        header = voting.extend()
        sizes.append((voting.vote_in(header), len(voting.chain.ledger.validators_after(header))))
    assert sizes == [(Vote(newcomer, True), 4), (Vote(newcomer, True), 4), (Vote(newcomer, True), 5), (None, 5)]
    for votes in voting.votes.values():
        votes.propose(newcomer, False)
    while len(voting.chain.ledger.validators_after(voting.chain.head)) == 5:
        assert voting.extend().number < 12
    assert voting.chain.ledger.validators_after(voting.chain.head) == voting.chain.validators


def test_the_first_block_of_an_epoch_carries_no_vote_and_the_vote_is_cast_again() -> None:
    voting = Voting(epoch_length=3)
    votes = next(iter(voting.votes.values()))
    for each in voting.votes:
        voting.votes[each] = votes
    votes.propose(fifth(), True)
    cast = [voting.vote_in(voting.extend()) is not None for _ in range(8)]
    assert cast == [True, True, False, True, True, False, True, True]
    assert len(voting.chain.ledger.validators_after(voting.chain.head)) == 4, "two in an epoch are not more than half"


def test_where_a_contract_decides_no_block_carries_a_vote() -> None:
    rules = Rules(1, 1, 30, 0, None, None, None)
    plain = Voting(is_contract_mode=True)
    contract = plain.chain.genesis.spec.validator_contract
    voting = Voting(transitions=(Transition(3, replace(rules, validator_contract=contract)),))
    for each in (plain, voting):
        for votes in each.votes.values():
            votes.propose(fifth(), True)
    assert [plain.vote_in(plain.extend()) is None for _ in range(3)] == [True] * 3
    assert [voting.vote_in(voting.extend()) is None for _ in range(4)] == [False, False, True, True]
