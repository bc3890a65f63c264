"""Validators a, b, c, ... who say what a test wants: real keys, signatures, headers and bytes, and no rules."""

from collections.abc import Sequence
from dataclasses import replace

from simulator.chains import genesis_header
from simulator.keys import KEYS

from cocket.node.chain.block import Block
from cocket.node.chain.extra_data import ExtraData, encode_extra_data
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import Header, block_hash, commit_hash, round_of, with_round, with_seals
from cocket.node.consensus.drafts import (
    CommitDraft,
    Draft,
    PreparedCertificate,
    PrepareDraft,
    ProposalDraft,
    RoundChangeDraft,
    sign_draft,
)
from cocket.node.consensus.messages import Commit, Message, Prepare, Proposal, RoundChange, Shape
from cocket.node.consensus.seals import address_of_key, sign_seal
from cocket.node.consensus.wire import decode_message
from cocket.node.signer import KeySigner

LETTERS = "abcdefghijklmnop"
PERIOD_S = 1


class Player:
    """One who signs with a key; also what no honest validator would."""

    def __init__(self, index: int) -> None:
        self.letter = LETTERS[index]
        self.key = KEYS[index]
        self.address = address_of_key(self.key)
        self.signer = KeySigner(self.key)

    def sign(self, draft: Draft, shape: Shape = Shape.CURRENT) -> Message:
        """Return a draft's message as it is after a trip over the wire."""
        message = sign_draft(draft, self.address, self.signer.sign_digest, shape)
        return decode_message(message.code, message.raw)

    def proposal(
        self,
        block: Block,
        round_changes: Sequence[RoundChange] = (),
        prepares: Sequence[Prepare] = (),
        *,
        height: int | None = None,
        round_number: int | None = None,
        shape: Shape = Shape.CURRENT,
    ) -> Proposal:
        header = block.header
        message = self.sign(
            ProposalDraft(
                header.number if height is None else height,
                round_of(header) if round_number is None else round_number,
                block,
                commit_hash(header),
                tuple([change.signed for change in round_changes]),
                tuple([prepare.signed for prepare in prepares]),
            ),
            shape,
        )
        assert isinstance(message, Proposal)
        return message

    def prepare(self, block: Block, *, height: int | None = None, round_number: int | None = None) -> Prepare:
        header = block.header
        message = self.sign(
            PrepareDraft(
                header.number if height is None else height,
                round_of(header) if round_number is None else round_number,
                commit_hash(header),
            )
        )
        assert isinstance(message, Prepare)
        return message

    def commit(self, block: Block, *, height: int | None = None, round_number: int | None = None) -> Commit:
        header = block.header
        message = self.sign(
            CommitDraft(
                header.number if height is None else height,
                round_of(header) if round_number is None else round_number,
                commit_hash(header),
            )
        )
        assert isinstance(message, Commit)
        return message

    def round_change(
        self,
        height: int,
        round_number: int,
        block: Block | None = None,
        prepares: Sequence[Prepare] = (),
        shape: Shape = Shape.CURRENT,
    ) -> RoundChange:
        prepared = None if block is None else certificate(block, prepares)
        message = self.sign(RoundChangeDraft(height, round_number, prepared), shape)
        assert isinstance(message, RoundChange)
        return message

    def __repr__(self) -> str:
        return self.letter


def players(count: int) -> tuple[Player, ...]:
    """Return the first ``count``, whose addresses ascend."""
    return tuple([Player(index) for index in range(count)])


def child(parent: Header, coinbase: bytes, round_number: int = 0, mark: bytes = b"") -> Block:
    """Return an unsealed block on ``parent``; ``mark`` tells blocks of one coinbase apart."""
    transactions = (b"\x02" + mark,) if mark else ()
    header = replace(
        parent,
        parent_hash=block_hash(parent),
        coinbase=coinbase,
        transactions_root=keccak256(b"".join(transactions)),
        number=parent.number + 1,
        timestamp=parent.timestamp + PERIOD_S,
        extra_data=encode_extra_data(ExtraData(round=round_number)),
    )
    return Block(header, transactions)


def in_round(block: Block, round_number: int) -> Block:
    """Return the same block proposed in another round."""
    return replace(block, header=with_round(block.header, round_number))


def sealed(block: Block, by: Sequence[Player]) -> Block:
    """Return the block with these players' seals."""
    digest = commit_hash(block.header)
    return replace(block, header=with_seals(block.header, [sign_seal(digest, player.key) for player in by]))


def certificate(block: Block, prepares: Sequence[Prepare]) -> PreparedCertificate:
    """Return what a RoundChange carries."""
    header = block.header
    return PreparedCertificate(round_of(header), commit_hash(header), block, tuple([p.signed for p in prepares]))


GENESIS = genesis_header()
