from dataclasses import replace

import pytest
from simulator.players import GENESIS, child, in_round, players

from cocket.node.consensus import inbox
from cocket.node.consensus.inbox import keep_future, keep_vote, prune_votes, votes_for
from cocket.node.consensus.messages import Message, Prepare
from cocket.node.consensus.state import FutureMessage

A, B, C, D = players(4)
BLOCK = child(GENESIS, A.address)
OTHER = child(GENESIS, A.address, mark=b"other")


def prepare(player, round_number: int, block=BLOCK) -> Prepare:
    return player.prepare(in_round(block, round_number))


def kept(*votes: Prepare, current: int = 0, prepared: int | None = None) -> tuple[Prepare, ...]:
    held: tuple[Prepare, ...] = ()
    for vote in votes:
        held = keep_vote(held, vote, current, prepared) or held
    return held


def test_one_vote_a_round_and_author() -> None:
    first, second = prepare(A, 0), prepare(A, 0, OTHER)
    assert kept(first, second) == (first,)
    assert kept(first, first) == (first,)
    assert kept(first, prepare(B, 0)) == (first, prepare(B, 0))


def test_the_highest_later_round_pushes_its_authors_lower_one_out() -> None:
    now, low, high, others = prepare(A, 2), prepare(A, 3), prepare(A, 9), prepare(B, 3)
    assert kept(now, low, others, high, current=2) == (now, others, high)
    assert kept(now, high, low, current=2) == (now, high)


def test_past_rounds_have_no_place_but_the_prepared_one() -> None:
    assert kept(prepare(A, 1), current=2) == ()
    assert kept(prepare(A, 1), current=2, prepared=1) == (prepare(A, 1),)
    assert kept(prepare(A, 0), current=2, prepared=1) == ()


def test_pruning_keeps_what_counts() -> None:
    votes = (prepare(A, 0), prepare(B, 1), prepare(C, 2), prepare(D, 5))
    assert prune_votes(votes, 2) == votes[2:]
    assert prune_votes(votes, 2, 0) == (votes[0], *votes[2:])


def test_votes_are_counted_by_round_and_digest() -> None:
    votes = (prepare(A, 0), prepare(B, 0, OTHER), prepare(C, 0), prepare(D, 1))
    assert votes_for(votes, 0, votes[0].digest) == (votes[0], votes[2])
    assert votes_for(votes, 1, votes[0].digest) == ()


def test_any_flood_of_one_author_keeps_two_votes_of_it_and_all_of_others() -> None:
    votes = [prepare(B, 0), prepare(C, 1), *[prepare(A, number) for number in range(40)], prepare(D, 0)]
    assert [(vote.author, vote.round) for vote in kept(*votes)] == [
        (B.address, 0),
        (C.address, 1),
        (A.address, 0),
        (A.address, 39),
        (D.address, 0),
    ]


# --- future heights ----------------------------------------------------------------------------------------------


def waiting(*messages: Message, head: int = 0) -> tuple[FutureMessage, ...]:
    future: tuple[FutureMessage, ...] = ()
    for message in messages:
        grown = keep_future(future, message, None, head)
        future = future if grown is None else grown
    return future


def at(height: int, round_number: int = 0, player=A) -> Prepare:
    return player.prepare(BLOCK, height=height, round_number=round_number)


def test_ten_heights_ahead_and_no_more() -> None:
    assert [w.message.height for w in waiting(at(2), at(10), at(11))] == [2, 10]
    assert [w.message.height for w in waiting(at(11), head=1)] == [11]


def test_a_second_message_for_one_place_is_not_kept() -> None:
    assert len(waiting(at(2), at(2), A.prepare(OTHER, height=2))) == 1
    assert len(waiting(at(2), A.commit(BLOCK, height=2), at(2, 1), at(3), at(2, player=B))) == 5


def test_an_authors_share_by_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "FUTURE_AUTHOR_MESSAGES_MAX", 3)
    held = waiting(at(5), at(4), at(6), at(7), at(3), at(2, player=B))
    # 7 is farther than all of A's; 3 pushes the farthest out; B has its own share.
    assert [(w.message.author, w.message.height) for w in held] == [
        (A.address, 5),
        (A.address, 4),
        (A.address, 3),
        (B.address, 2),
    ]


def test_an_authors_share_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(at(2).raw)
    monkeypatch.setattr(inbox, "FUTURE_AUTHOR_BYTES_MAX", 2 * size + 10)
    assert [w.message.height for w in waiting(at(9), at(8), at(2))] == [8, 2]
    big = replace(at(2), raw=bytes(3 * size))
    assert [w.message.height for w in waiting(at(9), at(8), big)] == [2]


def test_a_message_larger_than_a_share_is_kept_alone_when_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "FUTURE_AUTHOR_BYTES_MAX", 10)
    assert len(waiting(at(2), at(3))) == 1


def test_the_whole_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "FUTURE_MESSAGES_MAX", 3)
    assert len(waiting(at(2), at(3), at(2, player=B), at(2, player=C))) == 3
    monkeypatch.setattr(inbox, "FUTURE_BYTES_MAX", 2 * len(at(2).raw))
    assert len(waiting(at(2), at(3), at(2, player=B))) == 2
