"""Every rule of the formal specification of QBFT, with the tests that hold the core to it.

The specification is in Dafny: ``dafny/spec/L1`` of https://github.com/ConsenSys/qbft-formal-spec-and-verification at
3e2aeee53cf19e46df68dca8c703dccb6a33d479, its ``node.dfy`` and ``node_auxiliary_functions.dfy``. All their predicates
and functions are named here (their lemmas and ``verif`` files state no rule). Where we do otherwise, ``DIFFERENCES``
says why that is safe and which tests show it. A test below fails when a rule has no test, when a test does not cite
its rule, when one is not in the tables, or when a predicate is tested for one of allowing and refusing only.

A difference is safe when it is an earlier or later timeout or a message kept from us (the specification's network may
do both), when it refuses more than the specification and no honest validator says such things, or when it says the
same at another moment.
"""

import ast
import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).resolve().parents[2]
FILES = {
    "steps": "node/consensus/test_specified_steps.py",
    "justifications": "node/consensus/test_specified_justifications.py",
    "functions": "node/consensus/test_specified_functions.py",
    "importer": "node/chain/test_importer.py",
    "ledger": "node/chain/test_ledger.py",
    "votes": "node/chain/test_votes.py",
    "consortium": "contracts/test_consortium.py",
    "inbox": "node/consensus/test_inbox.py",
    "storms": "node/consensus/test_qbft_any_events.py",
    "restart": "node/test_restart.py",
    "gossip": "node/test_validator.py",
    "outages": "simulator/test_outages.py",
}
"""Where a test is: ``steps.test_node_init`` is in the first of these."""
OURS = ("steps", "justifications", "functions")
"""The files that are about the specification alone: each of their tests cites its rules."""

PREDICATES = {
    # node.dfy
    "NodeInit": ["steps.test_node_init"],
    "NodeNext": ["steps.test_node_next"],
    "NodeNextSubStep": ["steps.test_node_next_sub_step"],
    "UponBlockTimeout": ["steps.test_upon_block_timeout"],
    "UponProposal": ["steps.test_upon_proposal"],
    "UponPrepare": ["steps.test_upon_prepare", "steps.test_upon_prepare_keeps_the_block_and_its_round"],
    "UponCommit": ["steps.test_upon_commit"],
    "UponNewBlock": ["steps.test_upon_new_block", "steps.test_upon_new_block_forgets_what_was_prepared"],
    "UponRoundTimeout": [
        "steps.test_upon_round_timeout",
        "steps.test_upon_round_timeout_forgets_the_accepted_proposal",
    ],
    "UponRoundChange": [
        "steps.test_upon_round_change",
        "steps.test_upon_round_change_of_f_plus_1",
        "steps.test_upon_round_change_of_f_plus_1_counts_authors_once_and_this_height_only",
        "steps.test_upon_round_change_carries_what_was_prepared",
    ],
    # node_auxiliary_functions.dfy
    "validateRawEthereumBlock": ["importer.test_an_invalid_transaction_makes_the_block_invalid"],
    "validateEthereumBlock": ["importer.test_a_block_further_ahead_has_an_unknown_parent"],
    "validateNonPreparedBlock": ["justifications.test_validate_non_prepared_block"],
    "validRoundChange": ["justifications.test_valid_round_change"],
    "isHighestPrepared": ["justifications.test_is_highest_prepared"],
    "isProposalJustification": [
        "justifications.test_is_proposal_justification",
        "justifications.test_is_proposal_justification_in_round_0",
    ],
    "isValidProposal": [
        "justifications.test_is_valid_proposal",
        "justifications.test_is_valid_proposal_names_its_own_block",
    ],
    "isReceivedProposalJustification": ["justifications.test_is_received_proposal_justification"],
    "hasReceivedProposalJustification": ["justifications.test_has_received_proposal_justification"],
    "validSignedPrepareForHeightRoundAndDigest": [
        "justifications.test_valid_signed_prepare_for_height_round_and_digest"
    ],
    "validateCommit": ["justifications.test_validate_commit"],
    "ValidNewBlock": [
        "justifications.test_valid_new_block",
        "justifications.test_valid_new_block_is_sealed_for_its_round",
    ],
    "validNewBlockMessage": [
        "importer.test_too_few_seals_are_refused",
        "importer.test_seals_count_against_the_set_of_the_parent_s_state",
    ],
}

FUNCTIONS = {
    # node.dfy
    "getCommitSealsFromCommitMessages": ["steps.test_get_commit_seals_from_commit_messages"],
    # node_auxiliary_functions.dfy
    "digest": ["functions.test_digest"],
    "signProposal": ["functions.test_sign_and_recover"],
    "recoverSignedProposalAuthor": ["functions.test_sign_and_recover"],
    "signPrepare": ["functions.test_sign_and_recover"],
    "recoverSignedPrepareAuthor": ["functions.test_sign_and_recover"],
    "signCommit": ["functions.test_sign_and_recover"],
    "recoverSignedCommitAuthor": ["functions.test_sign_and_recover"],
    "signRoundChange": ["functions.test_sign_and_recover"],
    "recoverSignedRoundChangeAuthor": ["functions.test_sign_and_recover"],
    "signHash": ["functions.test_sign_hash"],
    "recoverSignedHashAuthor": ["functions.test_sign_hash"],
    "validatorsOnRawBlockchain": ["ledger.test_validators_of_the_contract_are_sorted_and_follow_the_state"],
    "minSet": ["functions.test_min_set"],
    "getNewBlock": ["functions.test_get_new_block"],
    "optionIsPresent": ["functions.test_create_round_change"],
    "optionGet": ["functions.test_create_round_change"],
    "setUnionOnSeq": ["functions.test_received_round_changes_and_extract_signed_round_changes"],
    "powerOf2": ["functions.test_power_of_2_and_round_timeout"],
    "fromBlockToRawBlock": ["functions.test_from_block_to_raw_block"],
    "fromBlockchainToRawBlockchain": ["functions.test_from_block_to_raw_block"],
    "validators": ["ledger.test_validators_of_the_header"],
    "f": ["functions.test_quorum_and_f", "functions.test_f_of_nobody"],
    "quorum": ["functions.test_quorum_and_f"],
    "roundTimeout": ["functions.test_power_of_2_and_round_timeout"],
    "replaceRoundInBlock": ["functions.test_replace_round_in_block"],
    "hashBlockForCommitSeal": ["functions.test_hash_block_for_commit_seal"],
    "proposer": ["functions.test_proposer"],
    "Multicast": ["functions.test_multicast"],
    "digestOptionalBlock": ["functions.test_create_round_change"],
    "receivedPrepares": ["functions.test_received_prepares_and_extract_signed_prepares"],
    "extractSignedPrepares": ["functions.test_received_prepares_and_extract_signed_prepares"],
    "receivedRoundChanges": ["functions.test_received_round_changes_and_extract_signed_round_changes"],
    "receivedSignedRoundChangesForCurrentHeightAndFutureRounds": [
        "functions.test_received_signed_round_changes_for_current_height_and_future_rounds"
    ],
    "extractSignedRoundChanges": ["functions.test_received_round_changes_and_extract_signed_round_changes"],
    "getSetOfRoundChangeSenders": ["functions.test_get_set_of_round_change_senders"],
    "receivedBlocksInRoundChanges": ["functions.test_received_blocks_in_round_changes"],
    "getRoundChangeJustification": ["functions.test_get_round_change_justification"],
    "createRoundChange": [
        "functions.test_create_round_change",
        "steps.test_upon_round_change_carries_what_was_prepared",
    ],
    "validPreparesForHeightRoundAndDigest": ["justifications.test_valid_prepares_for_height_round_and_digest"],
    "validCommitsForHeightRoundAndDigest": ["justifications.test_valid_commits_for_height_round_and_digest"],
}

INVARIANTS = {
    # node_auxiliary_functions.dfy: what the specification proves of its states, and no rule refuses
    "validNodeState": ["functions.test_valid_node_state", "storms.test_any_events_break_no_rule"],
    "StateBlockchainInvariant": ["functions.test_state_blockchain_invariant"],
}


@dataclass(frozen=True)
class Difference:
    """A rule that we follow otherwise than the letter, and where that is tested."""

    rule: str
    reason: str
    tests: tuple[str, ...]


DIFFERENCES = (
    Difference(
        "NodeInit",
        "a node that begins again begins with what its journal says of the open height: its round, its certificate, "
        "and what it signed there, which it says again and never signs anew; the specification's node never stops",
        (
            "steps.test_difference_a_node_begins_where_it_was",
            "restart.test_after_any_prefix_the_height_is_finished_as_if_nothing_had_been",
            "restart.test_after_any_prefix_no_offer_gets_a_second_signature",
        ),
    ),
    Difference(
        "NodeNextSubStep",
        "one who may not sign (no validator, or a watcher) says nothing but counts Commits: a quorum of them is a "
        "NewBlock's proof",
        ("steps.test_difference_one_who_may_not_sign_still_sees_a_block_become_final",),
    ),
    Difference(
        "UponBlockTimeout",
        "the proposer's Prepare is signed with its Proposal, not on its receipt: the same two messages, one fsync",
        ("steps.test_difference_the_proposer_prepares_at_once",),
    ),
    Difference(
        "UponProposal",
        "a block that a quorum prepared is executed before we prepare it again (as in Besu); and a second block of a "
        "round is not prepared after a restart either",
        (
            "steps.test_difference_a_block_proposed_again_is_executed_too",
            "steps.test_difference_after_a_restart_no_other_block_is_prepared_in_the_same_round",
        ),
    ),
    Difference(
        "UponCommit",
        "all Commits at hand seal the block, not exactly a quorum; Commits of the round that we prepared in count when "
        "we have left it, because a quorum of them decides for good; the height ends when the block is stored, and the "
        "block goes to all nodes by eth, not as a message of QBFT",
        (
            "steps.test_difference_all_valid_commits_seal",
            "steps.test_difference_commits_of_the_round_we_prepared_in_count_after_it",
            "steps.test_difference_between_the_decision_and_the_stored_block_nothing_is_said",
        ),
    ),
    Difference(
        "UponNewBlock",
        "one who catches up is told of the last block of many; the importer checked each of them",
        ("steps.test_difference_several_blocks_at_once",),
    ),
    Difference(
        "UponRoundTimeout",
        "a later round is not left before a quorum has come to it, and then for the round where a quorum can meet "
        "(ADR 10); a round's time begins when it is entered (timeLastRoundStart stays at the height's start in the "
        "specification), round 0's at the block timeout: all only earlier or later timeouts",
        (
            "steps.test_difference_a_round_waits_for_its_quorum",
            "steps.test_difference_a_timeout_leads_to_where_a_quorum_can_meet",
            "steps.test_difference_each_round_has_its_own_time",
            "outages.test_a_week_without_a_quorum_leaves_nothing_behind",
        ),
    ),
    Difference(
        "UponRoundChange",
        "only RoundChanges that prove what they say count to f+1; and f+1 take the next proposer along, with a "
        "RoundChange of its own, before the quorum is there that lets it propose: an earlier timeout",
        (
            "steps.test_difference_a_claim_without_its_proof_leads_nobody",
            "steps.test_difference_the_proposer_of_a_later_round_says_its_own_round_change_first",
        ),
    ),
    Difference(
        "validateNonPreparedBlock",
        "that the block leaves validators is not asked of a proposal (nor does Besu): who they are is a contract's or "
        "the votes' business, and neither ours nor the votes come to nobody; of another contract the chain waits for",
        (
            "consortium.test_the_last_seat_stays_taken",
            "votes.test_the_last_validator_stays",
            "ledger.test_a_contract_that_does_not_answer_stops_the_height",
        ),
    ),
    Difference(
        "validRoundChange",
        "a RoundChange is to round 1 or later, and is taken only with the block and the Prepares that it speaks of (as "
        "in Besu)",
        (
            "justifications.test_difference_a_round_change_proves_what_it_says",
            "justifications.test_difference_a_round_changes_block_is_the_one_it_says",
        ),
    ),
    Difference(
        "isProposalJustification",
        "nothing besides the proof: no second message of an author, no two blocks prepared in one round, no Prepares "
        "where nobody had prepared, nothing in round 0 (as in Besu); the block is unsealed and on our head",
        (
            "justifications.test_difference_a_justification_has_nothing_besides",
            "justifications.test_difference_round_0_has_no_justification",
            "justifications.test_difference_the_block_is_unsealed_and_on_our_head",
        ),
    ),
    Difference(
        "isValidProposal",
        "a later round's proposal is taken also when none is accepted in the present one (as in Besu): "
        "like a message kept from us until then",
        ("justifications.test_difference_a_later_round_is_taken_also_when_nothing_is_accepted",),
    ),
    Difference(
        "isReceivedProposalJustification",
        "the Prepares are those in the RoundChange, and the block gets the new round (as in Besu): by the letter a "
        "prepared block, whose round is an earlier one, could never be proposed again",
        (
            "justifications.test_difference_the_prepares_of_a_round_change_are_enough",
            "justifications.test_difference_the_prepared_block_is_proposed_in_its_new_round",
        ),
    ),
    Difference(
        "ValidNewBlock",
        "seals are a list on the wire: a second one of the same author is refused, not counted once",
        ("justifications.test_difference_a_block_has_one_seal_of_each",),
    ),
    Difference(
        "roundTimeout",
        "the base doubles with the rounds entered, not with the round's number, up to the genesis' ceiling, and begins "
        "anew at each height; no round is the last, where Besu ends at 1,000 (ADR 10)",
        (
            "functions.test_difference_the_timeout_has_a_ceiling_and_begins_anew_at_each_height",
            "functions.test_difference_no_round_is_the_last",
        ),
    ),
    Difference(
        "proposer",
        "when the validators change, the turn goes to the first address after the parent's proposer (as in Besu), not "
        "to the old place plus one: all count the same",
        ("functions.test_difference_the_turn_when_the_validators_change",),
    ),
    Difference(
        "Multicast",
        "to ourselves nothing travels: our message is taken when it is durable; and what others sign for this height "
        "is passed on once, so that it comes also where no connection is",
        (
            "functions.test_difference_our_own_message_counts_when_it_is_durable_and_travels_nowhere",
            "gossip.test_a_message_is_passed_on_once_to_validators_besides_author_and_bringer",
        ),
    ),
    Difference(
        "receivedRoundChanges",
        "messagesReceived has a bound: of each author this round's vote and the farthest later one, and of later "
        "heights so many of an author and in all; what one author sends pushes out only its own",
        (
            "functions.test_difference_what_is_kept_is_bounded",
            "inbox.test_any_flood_of_one_author_keeps_two_votes_of_it_and_all_of_others",
            "inbox.test_ten_heights_ahead_and_no_more",
            "inbox.test_an_authors_share_by_count",
            "inbox.test_an_authors_share_by_bytes",
        ),
    ),
)

RULES = PREDICATES | FUNCTIONS | INVARIANTS


@cache
def docstrings(file: str) -> dict[str, str]:
    """The tests of a file, and what they say of themselves."""
    body = ast.parse((TESTS / FILES[file]).read_text()).body
    tests = [node for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return {test.name: ast.get_docstring(test) or "" for test in tests}


def cited(file: str, name: str) -> set[str]:
    return {word for word in re.findall(r"``(\w+)``", docstrings(file)[name]) if word in RULES}


@cache
def module_of(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"cases_of_{file}", TESTS / FILES[file])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def case_ids(file: str, name: str) -> list[str]:
    """The names of a parametrized test's cases."""
    marks = getattr(getattr(module_of(file), name), "pytestmark", [])
    return [str(case.id) for mark in marks for case in mark.args[1] if hasattr(case, "id")]


def test_the_specification_has_so_many_rules() -> None:
    """As many as its two files declare; each is in one table."""
    assert (len(PREDICATES), len(FUNCTIONS), len(INVARIANTS)) == (23, 41, 2)
    assert len(RULES) == 66


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_its_tests(rule: str) -> None:
    assert RULES[rule], f"{rule} has no test"
    for test in RULES[rule]:
        file, name = test.split(".")
        assert name in docstrings(file), f"{rule}: {FILES[file]} has no {name}"
        assert file not in OURS or rule in cited(file, name), f"{test} does not cite ``{rule}``"


@pytest.mark.parametrize("rule", PREDICATES)
def test_every_predicate_is_tested_for_what_it_allows_and_for_what_it_refuses(rule: str) -> None:
    ours = [test.split(".") for test in PREDICATES[rule] if test.split(".")[0] in OURS]
    if not ours:
        return  # of the importer's rules each test is one refusal; that what is right is allowed, all others show
    kinds = {case.split(":")[0] for file, name in ours for case in case_ids(file, name)}
    assert kinds == {"allowed", "refused"}


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.rule)
def test_every_difference_has_its_reason_and_its_tests(difference: Difference) -> None:
    assert difference.rule in RULES
    assert len(difference.reason) > 40
    for test in difference.tests:
        file, name = test.split(".")
        assert name in docstrings(file), f"{difference.rule}: {FILES[file]} has no {name}"
        assert file not in OURS or cited(file, name) == {difference.rule}


@pytest.mark.parametrize("file", OURS)
def test_no_test_is_beside_the_tables(file: str) -> None:
    different = {test for difference in DIFFERENCES for test in difference.tests}
    for name in docstrings(file):
        test = f"{file}.{name}"
        if name.startswith("test_difference_"):
            assert test in different, f"{test} is in no Difference"
            continue
        assert cited(file, name), f"{test} cites no rule"
        for rule in cited(file, name):
            assert test in RULES[rule], f"{test} cites ``{rule}`` and is not in its row"


def test_no_rule_differs_twice() -> None:
    assert len({difference.rule for difference in DIFFERENCES}) == len(DIFFERENCES)
