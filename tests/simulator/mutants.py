"""Planted bugs: a validator without one of its rules, which the simulator must find out.

A mutant is a piece of a function's source, and what stands there instead; planting it changes the function's code in
place, for everyone who imported it. A piece that is not found exactly once is an error, so that this list stays in
step with the code. Each names what finds it: the adversary or the fault that only this rule stops.
"""

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Final


@dataclass(frozen=True)
class Mutant:
    """``target`` is ``module:function`` under ``cocket.node``."""

    name: str
    target: str
    found: str
    planted: str
    by: str


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Plant a bug for as long as the context lasts."""
    function = _function(mutant.target)
    whole = function.__code__
    function.__code__ = _mutated(mutant, function)
    try:
        yield
    finally:
        function.__code__ = whole


def mutant_named(name: str) -> Mutant:
    for mutant in MUTANTS:
        if mutant.name == name:
            return mutant
    raise KeyError(name)


def _function(target: str) -> FunctionType:
    module, _, path = target.partition(":")
    found: object = importlib.import_module(f"cocket.node.{module}")
    for name in path.split("."):
        found = getattr(found, name)
    if isinstance(found, property):
        found = found.fget
    assert isinstance(found, FunctionType), f"{target} is no function"
    return found


def _mutated(mutant: Mutant, function: FunctionType):  # type: ignore[no-untyped-def]
    source = textwrap.dedent(inspect.getsource(function))
    count = source.count(mutant.found)
    assert count == 1, f"{mutant.name}: found {count} times in {mutant.target}: {mutant.found!r}"
    source = source.replace(mutant.found, mutant.planted)
    if source.startswith("@"):
        source = source[source.index("def ") :]
    names: dict[str, object] = {}
    exec(compile(source, f"<{mutant.name}>", "exec"), function.__globals__, names)
    made = names[function.__name__]
    assert isinstance(made, FunctionType)
    return made.__code__


def _unless(name: str, target: str, condition: str, by: str) -> Mutant:
    """Return the mutant that lacks one check: ``if condition:`` is never true."""
    return Mutant(name, target, f"if {condition}:", "if False:", by)


_PROPOSAL = "consensus.justification:proposal_fault"
_JUSTIFICATION = "consensus.justification:_justification_fault"
_AUTHORS = "consensus.justification:_authors_fault"
_PREPARES = "consensus.justification:prepares_fault"
_CHANGE = "consensus.justification:round_change_fault"
_COMMIT = "consensus.justification:commit_fault"
_RECEIVE = "consensus.admission:receive"
_SEAL_AUTHORS = "consensus.seals:seal_authors"
_VALIDATE_SEALS = "consensus.seals:validate_seals"

MUTANTS: Final = (
    # --- counting ---
    Mutant(
        "quorum minus one",
        "consensus.validators:quorum",
        "-(-2 * validator_count // 3)",
        "max(1, -(-2 * validator_count // 3) - 1)",
        "any fault",
    ),
    Mutant(
        "prepares for any block count",
        "consensus.inbox:votes_for",
        "and vote.digest == digest",
        "",
        "equivocator",
    ),
    Mutant(
        "votes of any round count",
        "consensus.inbox:votes_for",
        "vote.round == round_number and",
        "",
        "any fault that changes rounds",
    ),
    Mutant(
        "a vote counts twice",
        "consensus.inbox:keep_vote",
        "if kept.round == round_number:",
        "if False:",
        "ballot stuffer",
    ),
    _unless(
        "prepared without a quorum",
        "consensus.turns:upon_prepare",
        "len(prepares) < quorum(len(state.validators))",
        "any",
    ),
    _unless(
        "decided without a quorum", "consensus.turns:upon_commit", "len(commits) < quorum(len(state.validators))", "any"
    ),
    # --- proposals ---
    _unless("proposer not checked", _PROPOSAL, "proposal.author != leader", "unjustified proposer: out of turn"),
    _unless("block number not checked", _PROPOSAL, "header.number != state.height", "unjustified proposer"),
    _unless("parent not checked", _PROPOSAL, "header.parent_hash != state.parent_hash", "unjustified proposer"),
    _unless("round in the block not checked", _PROPOSAL, "extra.round != round_number", "unjustified proposer"),
    _unless("seals in a proposal not checked", _PROPOSAL, "extra.seals", "unjustified proposer"),
    _unless(
        "justification in round 0 not checked",
        _PROPOSAL,
        "proposal.round_changes or proposal.prepares",
        "unjustified proposer",
    ),
    _unless(
        "coinbase not checked",
        "consensus.justification:_fresh_fault",
        "coinbase != leader",
        "unjustified proposer: foreign coinbase",
    ),
    Mutant(
        "no justification check",
        _PROPOSAL,
        "return _justification_fault(state, proposal, leader)",
        "return None",
        "unjustified proposer",
    ),
    _unless(
        "round changes not counted",
        _JUSTIFICATION,
        "not needed <= len(changes) <= count",
        "unjustified proposer: too few round changes",
    ),
    Mutant(
        "height of round changes not checked",
        _JUSTIFICATION,
        "if (unsigned.height, unsigned.round) != (state.height, proposal.round):",
        "if unsigned.round != proposal.round:",
        "unjustified proposer: round change of another height",
    ),
    Mutant(
        "round of round changes not checked",
        _JUSTIFICATION,
        "if (unsigned.height, unsigned.round) != (state.height, proposal.round):",
        "if unsigned.height != state.height:",
        "unjustified proposer: round change to another round",
    ),
    _unless(
        "two blocks in one prepared round not seen",
        _JUSTIFICATION,
        "digest_at.setdefault(unsigned.prepared_round, unsigned.prepared_digest) != unsigned.prepared_digest",
        "unjustified proposer: two blocks prepared in one round",
    ),
    _unless(
        "prepares for nothing not seen",
        _JUSTIFICATION,
        "proposal.prepares",
        "unjustified proposer: prepares for nothing",
    ),
    Mutant(
        "prepares of a proposal not checked",
        _JUSTIFICATION,
        "return prepares_fault(proposal.prepares, state.height, highest.prepared_round, digest, state.validators)",
        "return None",
        "unjustified proposer: too few prepares",
    ),
    _unless(
        "strangers in justifications",
        _AUTHORS,
        "not is_validator(validators, author)",
        "unjustified proposer, certificate forger: a stranger's",
    ),
    _unless(
        "one author counted twice in justifications",
        _AUTHORS,
        "author in authors",
        "unjustified proposer, certificate forger: counted twice",
    ),
    _unless(
        "prepares not counted",
        _PREPARES,
        "not needed <= len(prepares) <= len(validators)",
        "unjustified proposer, certificate forger: too few prepares",
    ),
    Mutant(
        "height of prepares not checked",
        _PREPARES,
        "(unsigned.height, unsigned.round, unsigned.digest) != (height, round_number, digest)",
        "(unsigned.round, unsigned.digest) != (round_number, digest)",
        "certificate forger: a prepare of another height",
    ),
    Mutant(
        "round of prepares not checked",
        _PREPARES,
        "(unsigned.height, unsigned.round, unsigned.digest) != (height, round_number, digest)",
        "(unsigned.height, unsigned.digest) != (height, digest)",
        "unjustified proposer, certificate forger: a prepare of another round",
    ),
    Mutant(
        "block of prepares not checked",
        _PREPARES,
        "(unsigned.height, unsigned.round, unsigned.digest) != (height, round_number, digest)",
        "(unsigned.height, unsigned.round) != (height, round_number)",
        "unjustified proposer, certificate forger: a prepare of another block",
    ),
    Mutant(
        "lowest prepared taken",
        "consensus.justification:highest_prepared",
        "prepared_round is not None and prepared_round > highest_round",
        "prepared_round is not None and (highest is None or prepared_round < highest_round)",
        "messages that reach a few only",
    ),
    _unless(
        "an invalid block prepared", "consensus.turns:upon_proposal", "not verdict.is_valid", "wrong-block proposer"
    ),
    Mutant(
        "a false body borrows a verdict",
        "consensus.state:name_of",
        "block.transactions",
        "()",
        "unjustified proposer, certificate forger: a false body",
    ),
    Mutant(
        "a block built anew though one was prepared",
        "consensus.turns:propose",
        "block = justification[2] or state.built",
        "block = state.built",
        "messages that reach a few only",
    ),
    # --- round changes ---
    _unless("a change to round 0", _CHANGE, "unsigned.round == 0", "certificate forger"),
    _unless(
        "a certificate without a claim", _CHANGE, "change.block is not None or change.prepares", "certificate forger"
    ),
    _unless(
        "prepared in the round to come",
        _CHANGE,
        "unsigned.prepared_round >= unsigned.round",
        "certificate forger",
    ),
    _unless(
        "a claim of another block",
        _CHANGE,
        "change.block_digest != unsigned.prepared_digest",
        "certificate forger",
    ),
    Mutant(
        "certificates not checked",
        _CHANGE,
        """return prepares_fault(
        change.prepares, state.height, unsigned.prepared_round, unsigned.prepared_digest, state.validators
    )""",
        "return None",
        "certificate forger",
    ),
    Mutant(
        "leaves without its certificate",
        "consensus.rounds:change_round",
        "RoundChangeDraft(entered.height, round_number, entered.prepared)",
        "RoundChangeDraft(entered.height, round_number, None)",
        "any fault that changes rounds",
    ),
    Mutant(
        "lock forgotten at a round change",
        "consensus.rounds:enter_round",
        "accepted=None,",
        "accepted=None, prepared=None,",
        "any fault that changes rounds",
    ),
    Mutant(
        "one round change is enough to skip",
        "consensus.rounds:upon_round_change",
        "faults = faults_max(len(state.validators))",
        "faults = 0",
        "stale round changer",
    ),
    # --- commits, seals, blocks ---
    _unless("high s in a seal", _COMMIT, "not is_low_s(commit.commit_seal)", "seal forger"),
    _unless("another's seal in a commit", _COMMIT, "sealer != commit.author", "seal forger"),
    Mutant(
        "seals not counted on sync",
        _VALIDATE_SEALS,
        "not needed <= len(seals) <= len(validators)",
        "not seals",
        "seal forger: too few seals",
    ),
    Mutant(
        "seals not checked on sync",
        _VALIDATE_SEALS,
        "seal_authors(commit_hash(header), seals, validators)",
        "pass",
        "seal forger: seals of another block",
    ),
    _unless("strangers' seals on sync", _SEAL_AUTHORS, "not is_validator(validators, author)", "seal forger"),
    _unless("a seal twice on sync", _SEAL_AUTHORS, "author in authors", "seal forger"),
    # --- who speaks, and of what ---
    _unless(
        "strangers vote",
        _RECEIVE,
        "not state.is_validator(message.author)",
        "strangers' voter",
    ),
    _unless("votes for final heights count", _RECEIVE, "message.height < state.height", "replayer"),
    Mutant(
        "round missing from a signature",
        "consensus.wire:signing_digest",
        "encode_unsigned(unsigned)",
        "encode_unsigned(unsigned if isinstance(unsigned, UnsignedProposal)"
        " else __import__('dataclasses').replace(unsigned, round=1 << 20))",
        "relabeller",
    ),
    Mutant(
        "height missing from a signature",
        "consensus.wire:signing_digest",
        "encode_unsigned(unsigned)",
        "encode_unsigned(unsigned if isinstance(unsigned, UnsignedProposal)"
        " else __import__('dataclasses').replace(unsigned, height=1))",
        "relabeller",
    ),
    # --- bounds ---
    Mutant(
        "future messages of one author without a bound",
        "consensus.inbox:keep_future",
        "author_count >= FUTURE_AUTHOR_MESSAGES_MAX or author_bytes + size > FUTURE_AUTHOR_BYTES_MAX",
        "False",
        "flooder",
    ),
    Mutant(
        "votes for later rounds without a bound",
        "consensus.inbox:keep_vote",
        "if kept.round > current_round and round_number > current_round:",
        "if False:",
        "flooder",
    ),
    # --- disk and restart ---
    Mutant(
        "vote sent before its sync",
        "validator:Validator._sign",
        "records = [encode_message_record(message) for message in messages]",
        "[self._multicast(message) for message in messages]; "
        "records = [encode_message_record(message) for message in messages]",
        "any",
    ),
    Mutant(
        "vote not synced",
        "store.journal:SigningJournal.append",
        "sync=True",
        "sync=False",
        "crash",
    ),
    Mutant(
        "lock forgotten on restart",
        "consensus.records:restore",
        "max(certificates, key=lambda certificate: certificate.round, default=None)",
        "None",
        "crash",
    ),
    Mutant(
        "votes forgotten on restart",
        "validator:Validator.start",
        "restored = restore(self._journal.records(), height, self._signer.address, self._shape)",
        "restored = Restored()",
        "crash",
    ),
    Mutant(
        "a lost journal is trusted",
        "validator:Validator.start",
        "elif self._journal.must_watch(head.number) and not self._is_journal_trusted:",
        "elif False:",
        "journal lost",
    ),
    # --- going on ---
    Mutant(
        "resend missing",
        "consensus.qbft:_upon_resend_timeout",
        "(Send(state.own), timer) if state.own else (timer,)",
        "(timer,)",
        "loss",
    ),
    Mutant(
        "timeout without a ceiling",
        "consensus.state:State.round_timeout_ms",
        "return min(doubled, max(times.request_timeout_max_ms, times.request_timeout_ms))",
        "return doubled",
        "no proposals for minutes",
    ),
    Mutant(
        "claims of peers are waited for without end",
        "joining:Joining.is_early",
        "now_s < self._learning_until_s and",
        "",
        "boaster",
    ),
    Mutant(
        "a slow execution is not broken off",
        "consensus.rounds:enter_round",
        "if not is_wanted:",
        "if False:",
        "slow-block proposer",
    ),
)
