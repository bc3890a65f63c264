"""The rules of QBFT once more, read from the specification and not from the core: what an honest validator may say.

The judge of the simulator. It uses the core's data types, codecs and signature recovery, and none of its rules: not
its quorum, its proposer, nor its justification. Each function gives None, or what is wrong, in words.
(QBFT formal specification: ``isValidProposal``, ``isProposalJustification``, ``validRoundChange``; bytes as Besu.)
"""

from collections.abc import Iterable, Sequence

from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import Header, block_hash, commit_hash, with_round
from cocket.node.consensus.messages import Commit, Message, Payload, Prepare, Proposal, Signed, SignedPrepare
from cocket.node.consensus.messages import RoundChange as RoundChangeMessage
from cocket.node.consensus.seals import recover_seal
from cocket.node.consensus.wire import author_of
from cocket.node.errors import PeerError

HALF_ORDER = 0x7FFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_5D576E73_57A4501D_DFE92F46_681B20A0


def quorum_of(count: int) -> int:
    """Return two thirds of the validators, rounded up."""
    return (2 * count + 2) // 3


def faults_of(count: int) -> int:
    """Return less than a third of the validators."""
    return (count - 1) // 3


def leader_of(validators: Sequence[bytes], parent: Header, round_number: int) -> bytes:
    """Return the proposer of a round: the circle goes on from the parent's proposer."""
    after = [address for address in validators if address > parent.coinbase]
    circle = after + [address for address in validators if address <= parent.coinbase]
    return circle[round_number % len(circle)]


def fault_of(message: Message, parent: Header, validators: Sequence[bytes]) -> str | None:
    """Return why an honest validator at the height after ``parent`` may neither say this nor pass it on."""
    if message.author not in validators:
        return "its author is no validator"
    if message.height != parent.number + 1:
        return f"it is of height {message.height}"
    match message:
        case Prepare():
            return None
        case Commit():
            return _seal_fault(message)
        case RoundChangeMessage():
            return round_change_fault(message, validators)
        case Proposal():
            return proposal_fault(message, parent, validators)


def proposal_fault(proposal: Proposal, parent: Header, validators: Sequence[bytes]) -> str | None:
    """Return why a proposal is not valid, its block's execution apart."""
    header, round_number = proposal.block.header, proposal.round
    leader = leader_of(validators, parent, round_number)
    extra = decode_extra_data(header.extra_data)
    if proposal.author != leader:
        return "out of turn"
    if (header.number, header.parent_hash) != (parent.number + 1, block_hash(parent)):
        return "its block does not follow the head"
    if extra.round != round_number or extra.seals:
        return "its block is of another round, or sealed"
    if round_number == 0:
        return "round 0 is justified" if proposal.round_changes or proposal.prepares else _fresh(header, leader)
    changes = [signed.unsigned for signed in proposal.round_changes]
    if fault := _authors(proposal.round_changes, validators, "round changes"):
        return fault
    if {(change.height, change.round) for change in changes} != {(parent.number + 1, round_number)}:
        return "round changes to elsewhere"
    prepared: dict[int, bytes] = {}
    for change in changes:
        if change.prepared_round is not None and change.prepared_digest is not None:
            if change.prepared_round >= round_number:
                return "prepared in the round to come"
            if prepared.setdefault(change.prepared_round, change.prepared_digest) != change.prepared_digest:
                return "two blocks prepared in one round"
    if not prepared:
        return "prepares for nothing" if proposal.prepares else _fresh(header, leader)
    highest = max(prepared)
    if commit_hash(with_round(header, highest)) != prepared[highest]:
        return "another block than the one prepared"
    return _certificate(proposal.prepares, parent.number + 1, highest, prepared[highest], validators)


def round_change_fault(change: RoundChangeMessage, validators: Sequence[bytes]) -> str | None:
    """Return why a round change is not valid, its block's execution apart."""
    said = change.signed.unsigned
    if said.round < 1:
        return "a change to round 0"
    if said.prepared_round is None or said.prepared_digest is None:
        return "a certificate for nothing" if change.block is not None or change.prepares else None
    if said.prepared_round >= said.round:
        return "prepared in the round to come"
    if change.block is None:
        return "no block"
    header = change.block.header
    extra = decode_extra_data(header.extra_data)
    if header.number != said.height or extra.round != said.prepared_round or extra.seals:
        return "a block of elsewhere"
    if commit_hash(header) != said.prepared_digest:
        return "another block than the one prepared"
    return _certificate(change.prepares, said.height, said.prepared_round, said.prepared_digest, validators)


def _fresh(header: Header, leader: bytes) -> str | None:
    return None if header.coinbase == leader else "a fresh block in another's name"


def _certificate(
    prepares: Sequence[SignedPrepare], height: int, round_number: int, digest: bytes, validators: Sequence[bytes]
) -> str | None:
    said = {(p.unsigned.height, p.unsigned.round, p.unsigned.digest) for p in prepares}
    if said != {(height, round_number, digest)}:
        return "prepares for something else"
    return _authors(prepares, validators, "prepares")


def _authors(payloads: Iterable[Signed[Payload]], validators: Sequence[bytes], what: str) -> str | None:
    try:
        authors = [author_of(signed) for signed in payloads]
    except PeerError:
        return f"{what} signed by nobody"
    if not set(authors) <= set(validators):
        return f"{what} of strangers"
    if len(set(authors)) != len(authors):
        return f"{what} counted twice"
    return None if len(authors) >= quorum_of(len(validators)) else f"too few {what}"


def _seal_fault(commit: Commit) -> str | None:
    seal = commit.commit_seal
    if int.from_bytes(seal[32:64], "big") > HALF_ORDER:
        return "a seal with a high s"
    try:
        sealer = recover_seal(commit.digest, seal)
    except ValueError:
        return "a seal of nobody"
    return None if sealer == commit.author else "another's seal"
