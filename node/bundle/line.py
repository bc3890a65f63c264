"""The line of validator sets: who may seal the next block, followed from an anchor change by change.

No set is believed because something states it. The set after a block is that whose hash the Consortium has in the
block's state, and the block must be sealed by the set before: exactly a quorum of it, ordered by address, nobody else.
(Contract mode alone: where votes in headers choose validators, nothing in a state says so.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cocket.contracts import consortium
from cocket.node.bundle.deployed import Contract
from cocket.node.bundle.errors import Unproven
from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import Header, commit_hash
from cocket.node.consensus.seals import seal_authors
from cocket.node.consensus.validators import quorum
from cocket.node.errors import InvalidBlock


@dataclass(frozen=True, slots=True)
class Line:
    """Who seals after the block ``height``, whose time is ``time_s``, until the set changes again; ascending."""

    height: int
    time_s: int
    validators: tuple[bytes, ...]


def validate_next(line: Line, header: Header) -> None:
    """Raise Unproven unless a header comes after the line's block and has its set's seals, neither more nor less."""
    where = f"block {header.number}"
    if header.number <= line.height or header.timestamp <= line.time_s:
        raise Unproven(f"{where}: found it after block {line.height}, expected higher and later blocks only")
    try:
        extra = decode_extra_data(header.extra_data)
        if extra.validators or extra.vote is not None:
            raise Unproven(f"{where}: validators are chosen by votes in headers there, which a bundle cannot prove")
        needed = quorum(len(line.validators))
        if len(extra.seals) != needed:
            raise Unproven(
                f"{where}: found {len(extra.seals)} seals, expected {needed} of {len(line.validators)} validators"
            )
        authors = seal_authors(commit_hash(header), extra.seals, line.validators)
    except InvalidBlock as error:
        raise Unproven(f"{where}: {error}") from None
    if list(authors) != sorted(authors):
        raise Unproven(f"{where}: found seals in another order, expected that of their signers' addresses")


def validate_set(contract: Contract, validators: Sequence[bytes], where: str) -> None:
    """Raise Unproven unless the Consortium's state has these validators."""
    found = contract.slot(consortium.validators_hash_slot())
    if found != int.from_bytes(consortium.hash_validators(validators), "big"):
        raise Unproven(f"{where}: found validators with another hash than the Consortium has, {found:#066x}")


def last_change(contract: Contract) -> int:
    """Return the height at which the validators last changed, 0 when they are the founders."""
    return contract.slot(consortium.last_set_change_slot())
