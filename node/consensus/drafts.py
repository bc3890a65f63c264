"""What a validator is about to say: drafts, the certificate that some rest on, and how they become messages.

Keys stay outside: whoever signs hands in the means, so that a remote signer can stand there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cocket.node.chain.block import Block
from cocket.node.consensus.messages import (
    Code,
    Commit,
    Message,
    Prepare,
    Proposal,
    RoundChange,
    Shape,
    Signed,
    SignedPrepare,
    SignedRoundChange,
    UnsignedCommit,
    UnsignedPrepare,
    UnsignedProposal,
    UnsignedRoundChange,
)
from cocket.node.consensus.wire import encode_proposal, encode_round_change, encode_signed, signing_digest


@dataclass(frozen=True, slots=True)
class PreparedCertificate:
    """A block that a quorum prepared in ``round``: what a Commit rests on and what a RoundChange carries on."""

    round: int
    digest: bytes
    block: Block = field(repr=False)
    prepares: tuple[SignedPrepare, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProposalDraft:
    """A Proposal to sign."""

    height: int
    round: int
    block: Block = field(repr=False)
    digest: bytes
    round_changes: tuple[SignedRoundChange, ...] = field(default=(), repr=False)
    prepares: tuple[SignedPrepare, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class PrepareDraft:
    """A Prepare to sign."""

    height: int
    round: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class CommitDraft:
    """A Commit to sign, its seal first."""

    height: int
    round: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class RoundChangeDraft:
    """A RoundChange to sign."""

    height: int
    round: int
    prepared: PreparedCertificate | None = None


Draft: TypeAlias = ProposalDraft | PrepareDraft | CommitDraft | RoundChangeDraft
_DRAFT_CODES: Final = {
    ProposalDraft: Code.PROPOSAL,
    PrepareDraft: Code.PREPARE,
    CommitDraft: Code.COMMIT,
    RoundChangeDraft: Code.ROUND_CHANGE,
}


def code_of(draft: Draft) -> Code:
    """Return the kind of message that a draft becomes."""
    return _DRAFT_CODES[type(draft)]


def sign_draft(
    draft: Draft, author: bytes, sign_digest: Callable[[bytes], bytes], shape: Shape = Shape.CURRENT
) -> Message:
    """Return the message of a draft, signed by ``sign_digest`` (32 bytes in, 65 bytes with low s out) for ``author``.

    A Commit takes two signatures, the seal and the message; everything else one.
    """
    match draft:
        case ProposalDraft():
            proposal = UnsignedProposal(draft.height, draft.round, draft.block, draft.digest, shape)
            signed_proposal = Signed(proposal, sign_digest(signing_digest(proposal)))
            raw = encode_proposal(signed_proposal, draft.round_changes, draft.prepares)
            return Proposal(signed_proposal, author, raw, draft.round_changes, draft.prepares)
        case PrepareDraft():
            prepare = UnsignedPrepare(draft.height, draft.round, draft.digest)
            signed_prepare = Signed(prepare, sign_digest(signing_digest(prepare)))
            return Prepare(signed_prepare, author, encode_signed(signed_prepare))
        case CommitDraft():
            commit = UnsignedCommit(draft.height, draft.round, draft.digest, sign_digest(draft.digest))
            signed_commit = Signed(commit, sign_digest(signing_digest(commit)))
            return Commit(signed_commit, author, encode_signed(signed_commit))
        case RoundChangeDraft():
            held = draft.prepared
            change = UnsignedRoundChange(draft.height, draft.round)
            if held is not None:
                change = UnsignedRoundChange(draft.height, draft.round, held.round, held.digest)
            signed_change = Signed(change, sign_digest(signing_digest(change)))
            return round_change_of(signed_change, author, held, shape)


def round_change_of(
    signed: SignedRoundChange, author: bytes, prepared: PreparedCertificate | None, shape: Shape = Shape.CURRENT
) -> RoundChange:
    """Return the RoundChange of a signed payload and the certificate that it speaks of: always the same bytes."""
    if prepared is None:
        return RoundChange(signed, author, encode_round_change(signed, None, (), shape))
    raw = encode_round_change(signed, prepared.block, prepared.prepares, shape)
    return RoundChange(signed, author, raw, prepared.block, prepared.digest, prepared.prepares)
