"""The rules of the formal specification's ``node.dfy``, one by one: what each allows, and what it does not.

Each test is named after a predicate and cites it; ``test_formal_specification`` holds that none is left out. The
happenings are lines of a dialogue (``simulator.dialogues``); what is expected is said at the last of them.
"""

from dataclasses import replace

import pytest
from simulator.desks import ALL, STRANGER, A, B, C, D, Desk
from simulator.dialogues import held, said
from simulator.players import GENESIS, child, sealed

from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.consensus import qbft
from cocket.node.consensus.events import NewHead

Case = tuple[str, list[str], list[str]]
"""Who the core is, what happens, and what it asks for at the last of that."""

OPEN = ["block timeout"]
ACCEPTED = [*OPEN, "a: proposal a@0", "valid a@0"]
PREPARED = [*ACCEPTED, "a: prepare a@0", "c: prepare a@0"]
IN_ROUND_1 = [*OPEN, "round timeout 0"]
TIMERS_0 = ["round timer 0 after 2000 ms", "resend timer after 2000 ms"]
DECIDED = [*PREPARED, "a: commit a@0", "c: commit a@0"]
TIMER_1 = "round timer 1 after 4000 ms"
STRANGE = "its author is no validator"
ROUND_0 = "found round 0, expected 1 or more"


def allowed(what: str, me: str, happenings: list[str], says: list[str]) -> object:
    return pytest.param(me, happenings, says, id=f"allowed: {what}")


def refused(what: str, me: str, happenings: list[str], says: list[str] | None = None) -> object:
    return pytest.param(me, happenings, says or [], id=f"refused: {what}")


def follow(round_number: int) -> list[str]:
    return [f"round timer {round_number} after 4000 ms", f"sign round change {round_number}"]


cases = pytest.mark.parametrize


# --- NodeInit, NodeNext, NodeNextSubStep -------------------------------------------------------------------------


@cases("is_restored", [pytest.param(False, id="allowed: nothing"), pytest.param(True, id="refused: a past")])
def test_node_init(is_restored: bool) -> None:
    """``NodeInit`` (node.dfy): round 0, nothing received, accepted or prepared; unless the journal remembers more."""
    desk = Desk(B).connect(A, C, D)
    if is_restored:
        desk.prepared()
        desk = desk.again()
    state = desk.validator.state
    assert (state.parent, state.validators, state.address) == (GENESIS, ALL, B.address)
    assert (state.round, state.rounds_entered, state.round_changes) == (0, 0, ())
    begun = (state.prepares, state.commits, state.accepted, state.prepared, state.signed)
    assert (begun == ((), (), None, None, ())) is not is_restored


@cases(
    ("me", "happenings", "says"),
    [
        allowed(
            "one event, all that it enables",
            "d",
            [
                *OPEN,
                *[f"{p}: {what} a@0" for p in "abc" for what in ("prepare", "commit")],
                "a: proposal a@0",
                "valid a@0",
            ],
            ["sign prepare a@0", "commit a@0 sealed by a b c"],
        ),
        refused("nothing is enabled", "d", [*ACCEPTED, "valid a@0"]),
    ],
)
def test_node_next(me: str, happenings: list[str], says: list[str]) -> None:
    """``NodeNext`` (node.dfy): after each event the rules fire until none is enabled."""
    assert said(*happenings, me=me) == says


@cases(
    ("me", "happenings", "says"),
    [
        allowed("a validator speaks", "b", [*OPEN, "round timeout 0"], [TIMER_1, "sign round change 1"]),
        refused("no block timeout of another", "e", OPEN),
        refused("no round timeout of another", "e", [*OPEN, "round timeout 0"]),
        refused("no prepare of another", "e", ACCEPTED),
        refused("no commit of another", "e", [*ACCEPTED, "a: prepare a@0", "b: prepare a@0", "c: prepare a@0"]),
        refused("no round change of another", "e", [*OPEN, "a: round change 1", "b: round change 1"]),
        allowed("a new block is for all", "e", ["head a@0", "block timeout"], []),
    ],
)
def test_node_next_sub_step(me: str, happenings: list[str], says: list[str]) -> None:
    """``NodeNextSubStep`` (node.dfy): only a validator of the height says anything; a new block is taken by all."""
    assert said(*happenings, me=me) == says


def test_difference_one_who_may_not_sign_still_sees_a_block_become_final() -> None:
    """``NodeNextSubStep`` differs: a quorum of Commits is final for one who is silent too, as a NewBlock would be."""
    votes = ["a: commit a@0", "b: commit a@0", "c: commit a@0"]
    assert said(*ACCEPTED, *votes, me="e") == ["commit a@0 sealed by a b c"]


# --- UponBlockTimeout --------------------------------------------------------------------------------------------


@cases(
    ("me", "happenings", "says"),
    [
        allowed("its proposer builds", "a", OPEN, [*TIMERS_0, "build 0 not before +1 s"]),
        allowed("and proposes", "a", [*OPEN, "built a@0"], ["sign proposal a@0, prepare a@0"]),
        refused("another's turn", "b", OPEN, TIMERS_0),
        refused("another height", "a", ["block timeout 2"]),
        refused("a second time", "a", [*OPEN, "block timeout"]),
        refused("round 0 is over", "a", ["b: round change 1", "c: round change 1", "block timeout"]),
        refused("a second block", "a", [*OPEN, "built a@0", "built a'@0"]),
        refused("final already", "a", ["head a@0", "block timeout 1"]),
    ],
)
def test_upon_block_timeout(me: str, happenings: list[str], says: list[str]) -> None:
    """``UponBlockTimeout`` (node.dfy): in round 0 its proposer proposes when the block period has passed, once."""
    assert said(*happenings, me=me) == says


def test_difference_the_proposer_prepares_at_once() -> None:
    """``UponBlockTimeout`` differs: our Proposal is not received before it is prepared; one write for both."""
    assert said(*OPEN, "built a@0", me="a") == ["sign proposal a@0, prepare a@0"]
    assert said(*OPEN, "built a@0", "a via b: proposal a@0", me="a") == []


# --- UponProposal ------------------------------------------------------------------------------------------------


@cases(
    ("me", "happenings", "says"),
    [
        allowed("of the current round", "b", ACCEPTED, ["sign prepare a@0"]),
        allowed(
            "of a later round, which is then ours",
            "d",
            [*ACCEPTED, "b: proposal b@1 for a b c"],
            ["round timer 1 after 4000 ms", "validate b@1 in round 1"],
        ),
        allowed(
            "and is prepared there", "d", [*ACCEPTED, "b: proposal b@1 for a b c", "valid b@1"], ["sign prepare b@1"]
        ),
        refused("not checked yet", "b", [*OPEN, "a: proposal a@0"], ["validate a@0 in round 0"]),
        refused(
            "a false block",
            "b",
            [*OPEN, "a: proposal a@0", "invalid a@0"],
            ["rejected a's proposal: its block is not valid: a wrong state root"],
        ),
        refused("a second time", "b", [*ACCEPTED, "a: proposal a@0"]),
        refused("an earlier round", "d", [*IN_ROUND_1, "a: proposal a@0"]),
        refused("when a block is final", "d", [*ACCEPTED, *[f"{p}: commit a@0" for p in "abc"], "a: proposal a@0"]),
    ],
)
def test_upon_proposal(me: str, happenings: list[str], says: list[str]) -> None:
    """``UponProposal`` (node.dfy): a valid proposal of this round or a later one is prepared, one a round."""
    assert said(*happenings, me=me) == says


def test_difference_a_block_proposed_again_is_executed_too() -> None:
    """``UponProposal`` differs: that a quorum prepared a block proves that it is valid; it is checked all the same."""
    again = [*OPEN, "b: proposal a@1 for a b c(a@0) by a b c"]
    assert said(*again, me="d") == ["round timer 1 after 4000 ms", "validate a@1 in round 1"]
    assert said(*again, "invalid a@1", me="d") == ["rejected b's proposal: its block is not valid: a wrong state root"]


def test_difference_after_a_restart_no_other_block_is_prepared_in_the_same_round() -> None:
    """``UponProposal`` differs: the specification's node never forgets; ours has its journal, and signs once."""
    assert said(*ACCEPTED, "restart", "a: proposal a'@0") == [
        "rejected a's proposal: we prepared another block in this round"
    ]
    assert said(*ACCEPTED, "restart", "a: proposal a@0") == ["validate a@0 in round 0"]
    assert said(*ACCEPTED, "restart", "a: proposal a@0", "valid a@0") == []


# --- UponPrepare -------------------------------------------------------------------------------------------------


COMMITS = ["sign commit a@0 with its certificate"]


@cases(
    ("me", "happenings", "says"),
    [
        allowed("a quorum, ours among it", "b", PREPARED, COMMITS),
        allowed(
            "a quorum without ours",
            "b",
            [*OPEN, *[f"{p}: prepare a@0" for p in "acd"], *ACCEPTED[1:]],
            ["sign prepare a@0", *COMMITS],
        ),
        allowed("the proposer's counts", "b", [*ACCEPTED, "d: prepare a@0", "a: prepare a@0"], COMMITS),
        refused("one too few", "b", PREPARED[:-1]),
        refused("the same one twice", "b", [*PREPARED[:-1], "a: prepare a@0"]),
        refused("another block", "b", [*PREPARED[:-1], "c: prepare a'@0"]),
        refused("another round", "b", [*PREPARED[:-1], "c: prepare a@0 in round 1"]),
        refused("another height", "b", [*PREPARED[:-1], "c: prepare a@0 height 2"], ["c is ahead, at 1"]),
        refused("no validator", "b", [*PREPARED[:-1], "e: prepare a@0"], ["rejected e's prepare: " + STRANGE]),
        refused("no proposal", "b", [*OPEN, "a: prepare a@0", "c: prepare a@0", "d: prepare a@0"]),
        refused("committed before", "b", [*PREPARED, "d: prepare a@0"]),
        refused("the round is over", "b", [*PREPARED[:-1], "round timeout 0", "c: prepare a@0"]),
    ],
)
def test_upon_prepare(me: str, happenings: list[str], says: list[str]) -> None:
    """``UponPrepare`` (node.dfy): a quorum of Prepares for the accepted block makes it prepared, and is committed."""
    assert said(*happenings, me=me) == says


def test_upon_prepare_keeps_the_block_and_its_round() -> None:
    """``UponPrepare`` (node.dfy): lastPreparedBlock and lastPreparedRound are those of the accepted proposal."""
    prepared = held(*PREPARED).state
    assert prepared is not None
    assert prepared.prepared is not None
    assert prepared.accepted is not None
    assert (prepared.prepared.round, prepared.prepared.block) == (0, prepared.accepted.block)
    unprepared = held(*PREPARED[:-1]).state
    assert unprepared is not None
    assert unprepared.prepared is None


# --- UponCommit --------------------------------------------------------------------------------------------------


@cases(
    ("me", "happenings", "says"),
    [
        allowed("a quorum, ours among it", "b", DECIDED, ["commit a@0 sealed by a b c"]),
        allowed(
            "a quorum before we are prepared",
            "b",
            [*ACCEPTED, "a: commit a@0", "c: commit a@0", "d: commit a@0"],
            ["commit a@0 sealed by a c d"],
        ),
        refused("one too few", "b", [*PREPARED, "a: commit a@0"]),
        refused("the same one twice", "b", [*PREPARED, "a: commit a@0", "a: commit a@0"]),
        refused("another block", "b", [*PREPARED, "a: commit a@0", "c: commit a'@0"]),
        refused("another round", "b", [*PREPARED, "a: commit a@0", "c: commit a@0 in round 1"]),
        refused("no proposal", "b", [*OPEN, "a: commit a@0", "c: commit a@0", "d: commit a@0"]),
        refused(
            "no validator", "b", [*PREPARED, "a: commit a@0", "e: commit a@0"], ["rejected e's commit: " + STRANGE]
        ),
        refused("final already", "b", [*DECIDED, "d: commit a@0"]),
        refused(
            "a round that we left without preparing",
            "b",
            [*ACCEPTED, "round timeout 0", *[f"{p}: commit a@0" for p in "acd"]],
        ),
    ],
)
def test_upon_commit(me: str, happenings: list[str], says: list[str]) -> None:
    """``UponCommit`` (node.dfy): a quorum of Commits for the accepted block seals it; it is final."""
    assert said(*happenings, me=me) == says


def test_get_commit_seals_from_commit_messages() -> None:
    """``getCommitSealsFromCommitMessages`` (node.dfy): the final block has the seals of the Commits, and no other."""
    desk = Desk(B).connect(A, C, D)
    block = desk.prepared()
    commits = [player.commit(block) for player in (C, A)]
    for commit in commits:
        desk.give(commit)
    seals = decode_extra_data(desk.committed[0].header.extra_data).seals
    own = next(m for m in desk.validator.state.commits if m.author == B.address)
    assert seals == tuple([c.commit_seal for c in sorted([*commits, own], key=lambda commit: commit.author)])


def test_difference_all_valid_commits_seal() -> None:
    """``UponCommit`` differs: it seals with every Commit at hand, not with exactly a quorum, as Besu does."""
    early = [*OPEN, *[f"{p}: commit a@0" for p in "abc"], "d: commit a@0"]
    assert said(*early, "a: proposal a@0", "valid a@0", me="e") == ["commit a@0 sealed by a b c d"]


def test_difference_commits_of_the_round_we_prepared_in_count_after_it() -> None:
    """``UponCommit`` differs: a quorum of Commits decides a block for good, whichever round we are in.

    Without it one whose timeout was a moment early would have to wait for the others' block.
    """
    left = [*PREPARED, "round timeout 0", "a: commit a@0"]
    assert said(*left, "c: commit a@0") == ["commit a@0 sealed by a b c"]
    assert said(*left, "c: commit a'@0") == []


def test_difference_between_the_decision_and_the_stored_block_nothing_is_said() -> None:
    """``UponCommit`` differs: the height is over when the block is stored, and that takes a moment here."""
    for late in ("round timeout 0", "d: prepare a@0", "a: round change 3", "resend timeout", "b via a: commit a@0"):
        assert said(*DECIDED, late) == []
    assert said(*DECIDED, "head a@0") == ["block timer 2 at +2 s"]


# --- UponNewBlock ------------------------------------------------------------------------------------------------


@cases(
    ("number", "is_taken"),
    [
        pytest.param(2, True, id="allowed: the next block"),
        pytest.param(1, False, id="refused: the head again"),
        pytest.param(0, False, id="refused: an older one"),
    ],
)
def test_upon_new_block(number: int, is_taken: bool) -> None:
    """``UponNewBlock`` (node.dfy): another's block begins a height in round 0, nothing accepted or prepared."""
    before = held("head a@0", "block timeout", "round timeout 0", "c: round change 1").state
    assert before is not None
    assert (before.height, before.round, before.rounds_entered) == (2, 1, 1)
    header = sealed(child(before.parent, B.address), (A, B, C)).header if number == 2 else before.parent
    header = GENESIS if number == 0 else header
    after, effects = qbft.step(before, NewHead(header, ALL, 0))
    assert bool(effects) is is_taken
    if not is_taken:
        assert after == before
        return
    assert (after.height, after.round, after.rounds_entered, after.parent) == (3, 0, 0, header)
    assert (after.accepted, after.prepared, after.proposal, after.signed, after.own) == (None, None, None, (), ())
    assert (after.prepares, after.commits, after.round_changes) == ((), (), ())


def test_upon_new_block_forgets_what_was_prepared() -> None:
    """``UponNewBlock`` (node.dfy): lastPreparedBlock is empty at the new height, and its first round change says so."""
    assert said(*PREPARED, "round timeout 0") == [TIMER_1, "sign round change 1 prepared a@0"]
    assert said(*PREPARED, "head a@0", "block timeout", "round timeout 0")[-1] == "sign round change 1"


def test_difference_several_blocks_at_once() -> None:
    """``UponNewBlock`` differs: one who was behind is given the last of many blocks, not each of them."""
    before = held(*OPEN).state
    assert before is not None
    far = replace(GENESIS, number=9, timestamp=GENESIS.timestamp + 9)
    after, _ = qbft.step(before, NewHead(far, ALL, 0))
    assert after.height == 10


# --- UponRoundTimeout --------------------------------------------------------------------------------------------


@cases(
    ("me", "happenings", "says"),
    [
        allowed("one round up", "b", IN_ROUND_1, [TIMER_1, "sign round change 1"]),
        allowed(
            "with what was prepared",
            "b",
            [*PREPARED, "round timeout 0"],
            [TIMER_1, "sign round change 1 prepared a@0"],
        ),
        allowed(
            "and up again",
            "d",
            [*IN_ROUND_1, "a: round change 1", "b: round change 1", "round timeout 1"],
            ["round timer 2 after 8000 ms", "sign round change 2"],
        ),
        refused("the round is over", "b", [*IN_ROUND_1, "round timeout 0"]),
        refused("the round has not come", "b", [*OPEN, "round timeout 1"]),
        refused("the height is not open", "b", ["round timeout 0"]),
        refused("the block is final", "b", [*DECIDED, "round timeout 0"]),
    ],
)
def test_upon_round_timeout(me: str, happenings: list[str], says: list[str]) -> None:
    """``UponRoundTimeout`` (node.dfy): a round that took too long is left for the next one, by a RoundChange."""
    assert said(*happenings, me=me) == says


def test_upon_round_timeout_forgets_the_accepted_proposal() -> None:
    """``UponRoundTimeout`` (node.dfy): proposalAcceptedForCurrentRound is empty after it; what is prepared stays."""
    state = held(*PREPARED, "round timeout 0").state
    assert state is not None
    assert state.accepted is None
    assert state.prepared is not None


def test_difference_a_round_waits_for_its_quorum() -> None:
    """``UponRoundTimeout`` differs (ADR 10): a later round is not left before a quorum has come to it or beyond.

    A timeout is only later by that, as after a longer delay of the network.
    """
    assert said(*IN_ROUND_1, "round timeout 1") == [TIMER_1]
    assert said(*IN_ROUND_1, "a: round change 1", "round timeout 1") == [TIMER_1]
    assert said(*IN_ROUND_1, "a: round change 1", "d: round change 1", "round timeout 1") == [
        "abort",  # the block that b built for its turn
        "round timer 2 after 8000 ms",
        "sign round change 2",
    ]


def test_difference_a_timeout_leads_to_where_a_quorum_can_meet() -> None:
    """``UponRoundTimeout`` differs (ADR 10): not one up, when those ahead are needed for a quorum; at most a jump."""
    two_of_us = [*IN_ROUND_1, "b: round change 1"]
    assert said(*two_of_us, "a: round change 40", "round timeout 1", me="d") == [
        "round timer 40 after 8000 ms",
        "sign round change 40",
    ]
    assert said(*two_of_us, "a: round change 9000", "round timeout 1", me="d")[-1] == "sign round change 4097"
    three_of_us = [*two_of_us, "c: round change 1"]
    assert said(*three_of_us, "a: round change 40", "round timeout 1", me="d")[-1] == "sign round change 2"


def test_difference_each_round_has_its_own_time() -> None:
    """``UponRoundTimeout`` differs: timeLastRoundStart is when we entered the round; the specification's stays.

    Round 0 is counted from the block timeout, as in Besu, so that nobody's round 0 is over before it may be proposed.
    """
    assert said("head a@0") == ["block timer 2 at +2 s"]
    assert said("head a@0", "block timeout")[0] == "round timer 0 after 2000 ms"
    assert said("round timeout 0") == []


# --- UponRoundChange ---------------------------------------------------------------------------------------------


ONE_OTHER = [*IN_ROUND_1, "c: round change 1"]


@cases(
    ("me", "happenings", "says"),
    [
        allowed(
            "a quorum, nothing prepared",
            "b",
            [*ONE_OTHER, "d: round change 1"],
            ["build 1 not before +1 s", TIMER_1],
        ),
        allowed(
            "a fresh block then",
            "b",
            [*ONE_OTHER, "d: round change 1", "built b@1"],
            ["sign proposal b@1 for 3 round changes, prepare b@1"],
        ),
        allowed(
            "a quorum, one prepared",
            "b",
            [*ONE_OTHER, "d: round change 1 prepared a@0 by a c d", "valid a@1"],
            ["sign proposal a@1 for 3 round changes by 3 prepares, prepare a@1"],
        ),
        allowed(
            "a quorum in a later round",
            "d",
            [*OPEN, "a: round change 3", "b: round change 3", "c: round change 3", "built d@3"],
            ["sign proposal d@3 for 4 round changes, prepare d@3"],
        ),
        refused("one too few", "b", ONE_OTHER),
        refused("the same one twice", "b", [*ONE_OTHER, "c: round change 1"]),
        refused("of a stranger", "b", [*ONE_OTHER, "e: round change 1"], ["rejected e's round change: " + STRANGE]),
        refused("another's turn", "c", [*IN_ROUND_1, "a: round change 1", "d: round change 1"], [TIMER_1]),
        refused("to another round", "b", [*ONE_OTHER, "d: round change 2"], [TIMER_1]),
        refused("proposed before", "b", [*ONE_OTHER, "d: round change 1", "built b@1", "a: round change 1"]),
    ],
)
def test_upon_round_change(me: str, happenings: list[str], says: list[str]) -> None:
    """``UponRoundChange`` (node.dfy): with a quorum of RoundChanges the one whose turn it is proposes."""
    assert said(*happenings, me=me) == says


@cases(
    ("validators", "rounds", "says"),
    [
        pytest.param("abcd", (4, 7), follow(4), id="allowed: 2 of 4"),
        pytest.param("abcd", (4,), [], id="refused: 1 of 4"),
        pytest.param("abcdefg", (3, 9, 5), follow(3), id="allowed: 3 of 7"),
        pytest.param("abcdefg", (3, 9), [], id="refused: 2 of 7"),
        pytest.param("abc", (6,), follow(6), id="allowed: 1 of 3"),
        pytest.param("abcd", (0, 0), ["rejected b's round change: " + ROUND_0], id="refused: round 0"),
    ],
)
def test_upon_round_change_of_f_plus_1(validators: str, rounds: tuple[int, ...], says: list[str]) -> None:
    """``UponRoundChange`` (node.dfy), second half: f+1 who went ahead are followed, by a RoundChange of our own."""
    me = validators[-1]
    authors = [letter for letter in validators if letter != me]
    changes = [f"{author}: round change {number}" for author, number in zip(authors, rounds, strict=False)]
    assert said(*OPEN, *changes, me=me, validators=validators) == says


def test_upon_round_change_of_f_plus_1_counts_authors_once_and_this_height_only() -> None:
    """``UponRoundChange`` (node.dfy), refused: one author twice, another height, a round that we are in."""
    assert said(*OPEN, "a: round change 4", "a: round change 5") == []
    assert said(*OPEN, "a: round change 4", "c: round change 4 height 2") == ["c is ahead, at 1"]
    assert said(*IN_ROUND_1, "a: round change 4", "c: round change 1") == [TIMER_1]
    assert said(*OPEN, "a: round change 4", "b via a: round change 5") == [
        "rejected b's round change: it is signed with our key, and not by us in this round"
    ]


def test_upon_round_change_carries_what_was_prepared() -> None:
    """``UponRoundChange`` (node.dfy), second half: the RoundChange is ``createRoundChange``'s, certificate included."""
    ahead = ["a: round change 4", "c: round change 4"]
    assert said(*PREPARED, *ahead) == ["round timer 4 after 4000 ms", "sign round change 4 prepared a@0"]


def test_difference_a_claim_without_its_proof_leads_nobody() -> None:
    """``UponRoundChange`` differs: a RoundChange that cannot prove what it says was prepared does not count to f+1."""
    assert said(*OPEN, "a: round change 4", "c: round change 4 prepared a@0 by a c") == [
        "rejected c's round change: found 2 prepares, expected 3 to 4"
    ]


def test_difference_the_proposer_of_a_later_round_says_its_own_round_change_first() -> None:
    """``UponRoundChange`` differs: at f+1, before the quorum that would let it propose, as after an early timeout."""
    *before, last = [*OPEN, "a: round change 3", "b: round change 3"]
    assert said(*before, last, me="d") == ["round timer 3 after 4000 ms", "sign round change 3"]


# --- restarts and strangers --------------------------------------------------------------------------------------


def test_difference_a_node_begins_where_it_was() -> None:
    """``NodeInit`` differs: a node that begins again begins in its journal's round, with its certificate."""
    assert said(*PREPARED, "round timeout 0", "restart") == [
        "round timer 1 after 2000 ms",
        "resend timer after 2000 ms",
        "send prepare a@0, commit a@0, round change 1 prepared a@0 to all",
    ]
    desk = Desk(STRANGER)
    assert not desk.validator.state.may_sign
    assert "block timer 1" not in desk.log
    assert "block timer 1" in Desk(B).log
