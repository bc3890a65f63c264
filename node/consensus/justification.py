"""Why a proposal or a round change may be believed: the validity rules that need no execution.

Each function gives None when the rule holds, else the reason in words. They look at messages and validators only; what
the rules protect is this: in round r > 0 a block may be proposed afresh only when no quorum can have committed one
before, else it must be the one prepared in the highest round. (QBFT formal specification: ``isValidProposal``,
``isProposalJustification``, ``validRoundChange``; on the wire as Besu has them.)
"""

from collections.abc import Sequence

from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import commit_hash, with_round
from cocket.node.consensus.messages import (
    Commit,
    Proposal,
    RoundChange,
    SignedPrepare,
    SignedRoundChange,
    UnsignedRoundChange,
)
from cocket.node.consensus.seals import is_low_s, recover_seal
from cocket.node.consensus.state import State
from cocket.node.consensus.validators import is_validator, quorum
from cocket.node.consensus.wire import author_of
from cocket.node.errors import PeerError


def proposal_fault(state: State, proposal: Proposal) -> str | None:
    """Return why a proposal for this height is not valid, its block's execution apart; None when it is."""
    round_number = proposal.round
    leader = state.proposer_of(round_number)
    if proposal.author != leader:
        return f"found the author 0x{proposal.author.hex()}, expected round {round_number}'s proposer 0x{leader.hex()}"
    header = proposal.block.header
    extra = decode_extra_data(header.extra_data)
    if header.number != state.height:
        return f"found block {header.number}, expected {state.height}"
    if header.parent_hash != state.parent_hash:
        return f"found the parent 0x{header.parent_hash.hex()}, expected 0x{state.parent_hash.hex()}"
    if extra.round != round_number:
        return f"found round {extra.round} in the block, expected {round_number}"
    if extra.seals:
        return f"found {len(extra.seals)} seals in the block, expected none"
    if round_number == 0:
        if proposal.round_changes or proposal.prepares:
            return "found a justification in round 0, expected none"
        return _fresh_fault(proposal, leader)
    return _justification_fault(state, proposal, leader)


def round_change_fault(state: State, change: RoundChange) -> str | None:
    """Return why a round change for this height is not valid, its block's execution apart; None when it is."""
    unsigned = change.signed.unsigned
    if unsigned.round == 0:
        return "found round 0, expected 1 or more"
    if unsigned.prepared_round is None or unsigned.prepared_digest is None:
        if change.block is not None or change.prepares:
            return "found a block or prepares, expected none without a prepared round"
        return None
    if unsigned.prepared_round >= unsigned.round:
        return f"found the prepared round {unsigned.prepared_round}, expected less than {unsigned.round}"
    if change.block is None:
        return "found a prepared round without its block"
    if change.block_digest != unsigned.prepared_digest:
        return f"found a block 0x{(change.block_digest or b'').hex()}, expected 0x{unsigned.prepared_digest.hex()}"
    header = change.block.header
    extra = decode_extra_data(header.extra_data)
    if header.number != state.height or extra.round != unsigned.prepared_round or extra.seals:
        return (
            f"found block {header.number} of round {extra.round} with {len(extra.seals)} seals, expected "
            f"{state.height} of round {unsigned.prepared_round} with none"
        )
    return prepares_fault(
        change.prepares, state.height, unsigned.prepared_round, unsigned.prepared_digest, state.validators
    )


def commit_fault(commit: Commit) -> str | None:
    """Return why a commit's seal would not hold in a header; None when it is the author's. (``validateCommit``)"""
    if not is_low_s(commit.commit_seal):
        return "found a commit seal with a high s"
    try:
        sealer = recover_seal(commit.digest, commit.commit_seal)
    except ValueError as error:
        return f"commit seal: {error}"
    if sealer != commit.author:
        return f"found a commit seal of 0x{sealer.hex()}, expected the author's, 0x{commit.author.hex()}"
    return None


def prepares_fault(
    prepares: Sequence[SignedPrepare],
    height: int,
    round_number: int,
    digest: bytes,
    validators: Sequence[bytes],
) -> str | None:
    """Return why ``prepares`` are not a quorum's for one block in one round; None when they are."""
    needed = quorum(len(validators))
    if not needed <= len(prepares) <= len(validators):
        return f"found {len(prepares)} prepares, expected {needed} to {len(validators)}"
    for signed in prepares:
        unsigned = signed.unsigned
        if (unsigned.height, unsigned.round, unsigned.digest) != (height, round_number, digest):
            return (
                f"found a prepare of height {unsigned.height} round {unsigned.round} 0x{unsigned.digest.hex()}, "
                f"expected height {height} round {round_number} 0x{digest.hex()}"
            )
    return _authors_fault("prepare", prepares, validators)


def highest_prepared(round_changes: Sequence[SignedRoundChange]) -> UnsignedRoundChange | None:
    """Return the payload with the highest prepared round, None when none had prepared. (``isHighestPrepared``)"""
    highest: UnsignedRoundChange | None = None
    highest_round = -1
    for signed in round_changes:
        prepared_round = signed.unsigned.prepared_round
        if prepared_round is not None and prepared_round > highest_round:
            highest, highest_round = signed.unsigned, prepared_round
    return highest


def _fresh_fault(proposal: Proposal, leader: bytes) -> str | None:
    coinbase = proposal.block.header.coinbase
    if coinbase != leader:
        return f"found the coinbase 0x{coinbase.hex()} in a fresh block, expected its proposer 0x{leader.hex()}"
    return None


def _justification_fault(state: State, proposal: Proposal, leader: bytes) -> str | None:
    """Return why round changes and prepares do not justify a proposal of a round > 0. (``isProposalJustification``)"""
    needed, count = quorum(len(state.validators)), len(state.validators)
    changes = proposal.round_changes
    if not needed <= len(changes) <= count:
        return f"found {len(changes)} round changes, expected {needed} to {count}"
    digest_at: dict[int, bytes] = {}
    for signed in changes:
        unsigned = signed.unsigned
        if (unsigned.height, unsigned.round) != (state.height, proposal.round):
            return (
                f"found a round change to height {unsigned.height} round {unsigned.round}, "
                f"expected height {state.height} round {proposal.round}"
            )
        if unsigned.prepared_round is None or unsigned.prepared_digest is None:
            continue
        if unsigned.prepared_round >= unsigned.round:
            return f"found the prepared round {unsigned.prepared_round}, expected less than {unsigned.round}"
        if digest_at.setdefault(unsigned.prepared_round, unsigned.prepared_digest) != unsigned.prepared_digest:
            return f"found two blocks prepared in round {unsigned.prepared_round}, expected one"
    if fault := _authors_fault("round change", changes, state.validators):
        return fault
    highest = highest_prepared(changes)
    if highest is None:
        if proposal.prepares:
            return f"found {len(proposal.prepares)} prepares, expected none when nobody had prepared"
        return _fresh_fault(proposal, leader)
    assert highest.prepared_round is not None
    assert highest.prepared_digest is not None, "prepared: a round without a digest"
    digest = commit_hash(with_round(proposal.block.header, highest.prepared_round))
    if digest != highest.prepared_digest:
        return (
            f"found a block that in round {highest.prepared_round} is 0x{digest.hex()}, "
            f"expected the prepared 0x{highest.prepared_digest.hex()}"
        )
    return prepares_fault(proposal.prepares, state.height, highest.prepared_round, digest, state.validators)


def _authors_fault(
    what: str, payloads: Sequence[SignedPrepare] | Sequence[SignedRoundChange], validators: Sequence[bytes]
) -> str | None:
    authors: list[bytes] = []
    for signed in payloads:
        try:
            author = author_of(signed)
        except PeerError as error:
            return f"{what}: {error}"
        if not is_validator(validators, author):
            return f"found a {what} of 0x{author.hex()}, expected one of the validators"
        if author in authors:
            return f"found a second {what} of 0x{author.hex()}, expected one per validator"
        authors.append(author)
    return None
