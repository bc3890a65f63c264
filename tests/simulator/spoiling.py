"""Valid messages made wrong in exactly one way each: for every rule of justification one that only this rule stops.

Each function takes a valid message of the adversary's own (a proposal, a round change or a commit), and what it needs
to know, and gives the spoilt one, signed anew, or None when the message has not what the spoiling needs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from coincurve import PrivateKey
from simulator.chains import Chain
from simulator.players import Player

from cocket.node.chain.block import Block
from cocket.node.chain.extra_data import ExtraData, encode_extra_data
from cocket.node.chain.header import Header, commit_hash, with_round, with_seals
from cocket.node.consensus.messages import (
    Code,
    Commit,
    Message,
    Prepare,
    Proposal,
    Signed,
    SignedPrepare,
    SignedRoundChange,
    UnsignedCommit,
    UnsignedPrepare,
    UnsignedProposal,
    UnsignedRoundChange,
)
from cocket.node.consensus.wire import (
    author_of,
    decode_message,
    encode_proposal,
    encode_round_change,
    encode_signed,
    signing_digest,
)
from cocket.node.signer import KeySigner

ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
FAR: Final = b"\x77" * 32
STRANGERS: Final = tuple([KeySigner(bytes([1 + index]) * 32) for index in range(8)])


@dataclass(frozen=True)
class Bench:
    """What a spoiler works with: its key, a stranger's, the chain, the head and whose height it is."""

    me: Player
    stranger: Player
    chain: Chain
    parent: Header
    validators: tuple[bytes, ...]
    heard: Sequence[Message]
    """Other validators' messages, of this height and earlier ones."""

    @property
    def others(self) -> list[bytes]:
        return [address for address in self.validators if address != self.me.address]


# --- making ----------------------------------------------------------------------------------------------------------


def propose(
    by: Player,
    block: Block,
    height: int,
    round_number: int,
    changes: Sequence[SignedRoundChange] = (),
    prepares: Sequence[SignedPrepare] = (),
) -> Message:
    unsigned = UnsignedProposal(height, round_number, block, commit_hash(block.header))
    signed = Signed(unsigned, by.signer.sign_digest(signing_digest(unsigned)))
    return decode_message(Code.PROPOSAL, encode_proposal(signed, changes, prepares))


def prepare(by: Player, height: int, round_number: int, digest: bytes) -> SignedPrepare:
    unsigned = UnsignedPrepare(height, round_number, digest)
    return Signed(unsigned, by.signer.sign_digest(signing_digest(unsigned)))


def commit(by: Player, height: int, round_number: int, digest: bytes, seal: bytes) -> Message:
    unsigned = UnsignedCommit(height, round_number, digest, seal)
    signed = Signed(unsigned, by.signer.sign_digest(signing_digest(unsigned)))
    return decode_message(Code.COMMIT, encode_signed(signed))


def change(by: Player, height: int, round_number: int, prepared: tuple[int, bytes] | None = None) -> SignedRoundChange:
    unsigned = UnsignedRoundChange(height, round_number, *(prepared or (None, None)))
    return Signed(unsigned, by.signer.sign_digest(signing_digest(unsigned)))


def carry(signed: SignedRoundChange, block: Block | None, prepares: Sequence[SignedPrepare]) -> Message:
    return decode_message(Code.ROUND_CHANGE, encode_round_change(signed, block, prepares))


def sign_again(by: Player, signed: SignedPrepare, nonce: int) -> SignedPrepare:
    """Return the same words under another valid signature of the same key (another k): no second vote."""
    digest = int.from_bytes(signing_digest(signed.unsigned), "big")
    point = PrivateKey.from_int(nonce).public_key.point()
    r = point[0] % ORDER
    s = pow(nonce, -1, ORDER) * (digest + r * int.from_bytes(by.key, "big")) % ORDER
    odd = point[1] & 1
    if s > ORDER // 2:
        s, odd = ORDER - s, odd ^ 1
    return Signed(signed.unsigned, r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((odd,)))


def other_block(bench: Bench, block: Block, **changes: object) -> Block:
    """Return the block with other fields in its header, unsealed."""
    return replace(block, header=replace(block.header, **changes))  # type: ignore[arg-type]


# --- proposals -------------------------------------------------------------------------------------------------------

ProposalSpoiler = Callable[[Bench, Proposal], Message | None]


def _again(
    bench: Bench,
    proposal: Proposal,
    block: Block | None = None,
    changes: Sequence[SignedRoundChange] | None = None,
    prepares: Sequence[SignedPrepare] | None = None,
) -> Message:
    return propose(
        bench.me,
        proposal.block if block is None else block,
        proposal.height,
        proposal.round,
        proposal.round_changes if changes is None else changes,
        proposal.prepares if prepares is None else prepares,
    )


def foreign_coinbase(bench: Bench, proposal: Proposal) -> Message | None:
    if proposal.prepares:
        return None
    header = proposal.block.header
    block = bench.chain.build(bench.parent, bench.others[0], proposal.round, header.timestamp)
    return _again(bench, proposal, block)


def wrong_number(bench: Bench, proposal: Proposal) -> Message | None:
    return None if proposal.prepares else _again(bench, proposal, other_block(bench, proposal.block, number=1 << 20))


def wrong_parent(bench: Bench, proposal: Proposal) -> Message | None:
    return None if proposal.prepares else _again(bench, proposal, other_block(bench, proposal.block, parent_hash=FAR))


def block_of_another_round(bench: Bench, proposal: Proposal) -> Message | None:
    header = with_round(proposal.block.header, proposal.round + 1)
    return _again(bench, proposal, replace(proposal.block, header=header))


def sealed_block(bench: Bench, proposal: Proposal) -> Message | None:
    seal = bench.me.signer.sign_digest(proposal.digest)
    return _again(bench, proposal, replace(proposal.block, header=with_seals(proposal.block.header, [seal])))


def justified_round_0(bench: Bench, proposal: Proposal) -> Message | None:
    if proposal.round != 0:
        return None
    return _again(bench, proposal, changes=(change(bench.me, proposal.height, 1),))


def too_few_changes(bench: Bench, proposal: Proposal) -> Message | None:
    unprepared = [signed for signed in proposal.round_changes if signed.unsigned.prepared_round is None]
    if not unprepared:
        return None
    least = (2 * len(bench.validators) + 2) // 3
    kept = [signed for signed in proposal.round_changes if signed is not unprepared[-1]]
    return _again(bench, proposal, changes=kept[: least - 1]) if _same_highest(kept[: least - 1], proposal) else None


def change_to_another_round(bench: Bench, proposal: Proposal) -> Message | None:
    return _with_own_change(bench, proposal, change(bench.me, proposal.height, proposal.round + 3))


def change_of_another_height(bench: Bench, proposal: Proposal) -> Message | None:
    return _with_own_change(bench, proposal, change(bench.me, proposal.height + 1, proposal.round))


def change_prepared_in_its_own_round(bench: Bench, proposal: Proposal) -> Message | None:
    own = change(bench.me, proposal.height, proposal.round, (proposal.round, proposal.digest))
    prepares = [p.signed for p in _prepares_for(bench, proposal.height, proposal.round, proposal.digest)]
    spoilt = _with_own_change(bench, proposal, own)
    if not isinstance(spoilt, Proposal):
        return None
    return _again(bench, proposal, changes=spoilt.round_changes, prepares=prepares)


def two_blocks_prepared(bench: Bench, proposal: Proposal) -> Message | None:
    rounds = [signed.unsigned.prepared_round for signed in proposal.round_changes]
    highest = max((number for number in rounds if number is not None), default=None)
    if highest is None:
        return None
    # Last, so that the true one is found first.
    own = change(bench.me, proposal.height, proposal.round, (highest, FAR))
    spoilt = _with_own_change(bench, proposal, own)
    return spoilt if isinstance(spoilt, Proposal) and _same_highest(spoilt.round_changes, proposal) else None


def change_of_a_stranger(bench: Bench, proposal: Proposal) -> Message | None:
    return _with_own_change(bench, proposal, change(bench.stranger, proposal.height, proposal.round))


def change_counted_twice(bench: Bench, proposal: Proposal) -> Message | None:
    unprepared = [signed for signed in proposal.round_changes if signed.unsigned.prepared_round is None]
    if len(unprepared) < 2:
        return None
    kept = [signed for signed in proposal.round_changes if signed is not unprepared[0]]
    return _again(bench, proposal, changes=[*kept, unprepared[1]])


def prepares_for_nothing(bench: Bench, proposal: Proposal) -> Message | None:
    if proposal.round == 0 or proposal.prepares:
        return None
    return _again(bench, proposal, prepares=[prepare(bench.me, proposal.height, 0, proposal.digest)])


def another_block_than_prepared(bench: Bench, proposal: Proposal) -> Message | None:
    if not proposal.prepares:
        return None
    header = proposal.block.header
    block = bench.chain.build(bench.parent, header.coinbase, proposal.round, header.timestamp, b"another")
    return _again(bench, proposal, block)


def false_body(bench: Bench, proposal: Proposal) -> Message | None:
    """The header that was prepared, with transactions that are not its own."""
    if not proposal.prepares:
        return None
    return _again(bench, proposal, replace(proposal.block, transactions=(b"\x02false",)))


def too_few_prepares(bench: Bench, proposal: Proposal) -> Message | None:
    least = (2 * len(bench.validators) + 2) // 3
    return _again(bench, proposal, prepares=proposal.prepares[: least - 1]) if proposal.prepares else None


def no_prepares(bench: Bench, proposal: Proposal) -> Message | None:
    return _again(bench, proposal, prepares=()) if proposal.prepares else None


def prepare_of_another_round(bench: Bench, proposal: Proposal) -> Message | None:
    said = proposal.prepares[0].unsigned if proposal.prepares else None
    return None if said is None else _with_prepare(bench, proposal, said.round + 5, said.digest, bench.me)


def prepare_of_another_block(bench: Bench, proposal: Proposal) -> Message | None:
    said = proposal.prepares[0].unsigned if proposal.prepares else None
    return None if said is None else _with_prepare(bench, proposal, said.round, FAR, bench.me)


def prepare_of_a_stranger(bench: Bench, proposal: Proposal) -> Message | None:
    said = proposal.prepares[0].unsigned if proposal.prepares else None
    return None if said is None else _with_prepare(bench, proposal, said.round, said.digest, bench.stranger)


def prepare_counted_twice(bench: Bench, proposal: Proposal) -> Message | None:
    if len(proposal.prepares) < 2:
        return None
    return _again(bench, proposal, prepares=[proposal.prepares[1], *proposal.prepares[1:]])


def _with_own_change(bench: Bench, proposal: Proposal, own: SignedRoundChange) -> Message | None:
    """Put ``own`` in place of the adversary's true round change; the certificate that counts must stay the same."""
    if proposal.round == 0:
        return None
    others = [signed for signed in proposal.round_changes if _author(signed) != bench.me.address]
    if len(others) == len(proposal.round_changes):
        others = others[:-1]
    return _again(bench, proposal, changes=[*others, own]) if _same_highest(others, proposal) else None


def _with_prepare(bench: Bench, proposal: Proposal, round_number: int, digest: bytes, by: Player) -> Message:
    spoilt = prepare(by, proposal.height, round_number, digest)
    others = [signed for signed in proposal.prepares if _author(signed) != bench.me.address]
    return _again(bench, proposal, prepares=[spoilt, *others][: len(proposal.prepares)])


def _same_highest(changes: Sequence[SignedRoundChange], proposal: Proposal) -> bool:
    def highest(signed: Sequence[SignedRoundChange]) -> int:
        return max((-1 if s.unsigned.prepared_round is None else s.unsigned.prepared_round for s in signed), default=-1)

    return highest(changes) == highest(proposal.round_changes)


def _author(signed: SignedPrepare | SignedRoundChange) -> bytes:
    return author_of(signed)


def _prepares_for(bench: Bench, height: int, round_number: int, digest: bytes) -> list[Prepare]:
    found: dict[bytes, Prepare] = {}
    for message in bench.heard:
        if isinstance(message, Prepare) and (message.height, message.round, message.digest) == (
            height,
            round_number,
            digest,
        ):
            found.setdefault(message.author, message)
    return list(found.values())


PROPOSALS: Final[dict[str, ProposalSpoiler]] = {
    "foreign coinbase": foreign_coinbase,
    "wrong number": wrong_number,
    "wrong parent": wrong_parent,
    "block of another round": block_of_another_round,
    "sealed block": sealed_block,
    "justified round 0": justified_round_0,
    "too few round changes": too_few_changes,
    "round change to another round": change_to_another_round,
    "round change of another height": change_of_another_height,
    "round change prepared in its own round": change_prepared_in_its_own_round,
    "two blocks prepared in one round": two_blocks_prepared,
    "round change of a stranger": change_of_a_stranger,
    "round change counted twice": change_counted_twice,
    "prepares for nothing": prepares_for_nothing,
    "another block than prepared": another_block_than_prepared,
    "a false body": false_body,
    "too few prepares": too_few_prepares,
    "no prepares": no_prepares,
    "prepare of another round": prepare_of_another_round,
    "prepare of another block": prepare_of_another_block,
    "prepare of a stranger": prepare_of_a_stranger,
    "prepare counted twice": prepare_counted_twice,
}


# --- round changes ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certificate:
    """A block that a quorum prepared, and their Prepares, for round changes to be made of."""

    height: int
    round: int
    digest: bytes
    block: Block
    prepares: tuple[SignedPrepare, ...]


ChangeSpoiler = Callable[[Bench, Certificate], Message | None]


def _claim(bench: Bench, held: Certificate) -> SignedRoundChange:
    return change(bench.me, held.height, held.round + 1, (held.round, held.digest))


def change_to_round_0(bench: Bench, held: Certificate) -> Message | None:
    return carry(change(bench.me, held.height, 0), None, ()) if held.round == 0 else None


def block_without_a_claim(bench: Bench, held: Certificate) -> Message | None:
    return carry(change(bench.me, held.height, held.round + 1), held.block, held.prepares)


def prepared_in_the_round_to_come(bench: Bench, held: Certificate) -> Message | None:
    if held.round == 0:
        return None
    return carry(change(bench.me, held.height, held.round, (held.round, held.digest)), held.block, held.prepares)


def claim_without_a_block(bench: Bench, held: Certificate) -> Message | None:
    return carry(_claim(bench, held), None, held.prepares)


def claim_of_another_block(bench: Bench, held: Certificate) -> Message | None:
    header = held.block.header
    block = bench.chain.build(bench.parent, header.coinbase, held.round, header.timestamp, b"another")
    return carry(_claim(bench, held), block, held.prepares)


def claim_with_a_false_body(bench: Bench, held: Certificate) -> Message | None:
    block = replace(held.block, transactions=(b"\x02false",))
    return carry(_claim(bench, held), block, held.prepares)


def claim_with_too_few_prepares(bench: Bench, held: Certificate) -> Message | None:
    least = (2 * len(bench.validators) + 2) // 3
    return carry(_claim(bench, held), held.block, held.prepares[: least - 1])


def claim_with_a_prepare_of_another_round(bench: Bench, held: Certificate) -> Message | None:
    return _claim_with(bench, held, prepare(bench.me, held.height, held.round + 5, held.digest))


def claim_with_a_prepare_of_another_height(bench: Bench, held: Certificate) -> Message | None:
    return _claim_with(bench, held, prepare(bench.me, held.height + 1, held.round, held.digest))


def claim_with_a_prepare_of_another_block(bench: Bench, held: Certificate) -> Message | None:
    return _claim_with(bench, held, prepare(bench.me, held.height, held.round, FAR))


def claim_with_a_prepare_of_a_stranger(bench: Bench, held: Certificate) -> Message | None:
    return _claim_with(bench, held, prepare(bench.stranger, held.height, held.round, held.digest))


def claim_with_a_prepare_twice(bench: Bench, held: Certificate) -> Message | None:
    if len(held.prepares) < 2:
        return None
    return carry(_claim(bench, held), held.block, [held.prepares[1], *held.prepares[1:]])


def claim_with_a_prepare_signed_again(bench: Bench, held: Certificate) -> Message | None:
    own = prepare(bench.me, held.height, held.round, held.digest)
    others = [signed for signed in held.prepares if _author(signed) != bench.me.address]
    least = (2 * len(bench.validators) + 2) // 3
    return carry(_claim(bench, held), held.block, [own, sign_again(bench.me, own, 12345), *others[: least - 2]])


def _claim_with(bench: Bench, held: Certificate, spoilt: SignedPrepare) -> Message:
    others = [signed for signed in held.prepares if _author(signed) != bench.me.address]
    return carry(_claim(bench, held), held.block, [spoilt, *others][: len(held.prepares)])


CHANGES: Final[dict[str, ChangeSpoiler]] = {
    "a change to round 0": change_to_round_0,
    "a block without a claim": block_without_a_claim,
    "prepared in the round to come": prepared_in_the_round_to_come,
    "a claim without a block": claim_without_a_block,
    "a claim of another block": claim_of_another_block,
    "a claim with a false body": claim_with_a_false_body,
    "a claim with too few prepares": claim_with_too_few_prepares,
    "a claim with a prepare of another round": claim_with_a_prepare_of_another_round,
    "a claim with a prepare of another height": claim_with_a_prepare_of_another_height,
    "a claim with a prepare of another block": claim_with_a_prepare_of_another_block,
    "a claim with a prepare of a stranger": claim_with_a_prepare_of_a_stranger,
    "a claim with a prepare twice": claim_with_a_prepare_twice,
    "a claim with a prepare signed again": claim_with_a_prepare_signed_again,
}


# --- commits and blocks ----------------------------------------------------------------------------------------------

CommitSpoiler = Callable[[Bench, Commit], Message | None]


def high_seal(bench: Bench, own: Commit) -> Message | None:
    seal = own.commit_seal
    high = ORDER - int.from_bytes(seal[32:64], "big")
    return commit(
        bench.me, own.height, own.round, own.digest, seal[:32] + high.to_bytes(32, "big") + bytes((seal[64] ^ 1,))
    )


def strangers_seal(bench: Bench, own: Commit) -> Message | None:
    seal = bench.stranger.signer.sign_digest(own.digest)
    return commit(bench.me, own.height, own.round, own.digest, seal)


def anothers_seal(bench: Bench, own: Commit) -> Message | None:
    for message in bench.heard:
        if isinstance(message, Commit) and message.digest == own.digest and message.author != bench.me.address:
            return commit(bench.me, own.height, own.round, own.digest, message.commit_seal)
    return None


def nobodys_seal(bench: Bench, own: Commit) -> Message | None:
    return commit(bench.me, own.height, own.round, own.digest, b"\xff" * 32 + bytes(31) + b"\x01\x00")


COMMITS: Final[dict[str, CommitSpoiler]] = {
    "a seal with a high s": high_seal,
    "a stranger's seal": strangers_seal,
    "another's seal": anothers_seal,
    "nobody's seal": nobodys_seal,
}


def falsely_sealed(bench: Bench, how: str, seals: Sequence[bytes]) -> Block | None:
    """Return a block on the head that nobody agreed on, with as many seals as a quorum has, and a fault of one kind.

    ``seals`` are true ones of the block's digest, at most one of each of the adversaries.
    """
    timestamp = bench.parent.timestamp + 1
    block = bench.chain.build(bench.parent, bench.me.address, 0, timestamp, b"false")
    digest = commit_hash(block.header)
    own = bench.me.signer.sign_digest(digest)
    least = (2 * len(bench.validators) + 2) // 3
    match how:
        case "too few seals":
            made = [own]
        case "a seal twice":
            made = [own] * least
        case "strangers' seals":
            made = [own, *[signer.sign_digest(digest) for signer in STRANGERS[: least - 1]]]
        case "seals of another block":
            made = [own, *seals][:least]
        case _:
            raise ValueError(how)
    extra = ExtraData(seals=tuple(made))
    return replace(block, header=replace(block.header, extra_data=encode_extra_data(extra)))


FALSE_SEALS: Final = ("too few seals", "a seal twice", "strangers' seals", "seals of another block")
