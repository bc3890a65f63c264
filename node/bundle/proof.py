"""What a bundle proves from an anchor: link by link, from what its reader has to what the ledger's state says.

The reader has an anchor, a genesis hash or a checkpoint, and nothing else. A link that does not hold is Unproven, and
then the bundle says nothing at all about its certificate, neither for it nor against it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from cocket.attestation.prove import Anchor as Place
from cocket.attestation.verdict import BlockPoint, LedgerFacts, Warrant
from cocket.contracts import consortium
from cocket.node.bundle.checkpoint import Checkpoint, validate_signers
from cocket.node.bundle.deployed import open_consortium
from cocket.node.bundle.errors import Unproven
from cocket.node.bundle.file import CONFIGURATION_BYTES_MAX, Bundle, Change, Founding, Head
from cocket.node.bundle.item import ItemReader, batch_facts
from cocket.node.bundle.line import Line, last_change, validate_next, validate_set
from cocket.node.bundle.state import ProvenState, Replay
from cocket.node.chain.extra_data import ExtraData, decode_extra_data
from cocket.node.chain.genesis_config import parse_config, parse_forks
from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import block_hash
from cocket.node.chain.json_section import parse_json
from cocket.node.errors import InvalidBlock, InvalidGenesis

Anchor: TypeAlias = bytes | Checkpoint
"""What a reader trusts: the hash of block 0, or a checkpoint."""

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where the proof starts, proven: the chain, and who seals after it."""

    chain_id: int
    genesis_hash: bytes
    line: Line


def prove(bundle: Bundle, anchor: Anchor, now_s: int) -> LedgerFacts:
    """Return what a bundle proves of its item; Unproven when it does not follow from the anchor.

    ``now_s`` (UNIX seconds) is only for saying how old the anchor is. InvalidCheckpoint when too few signed it.
    """
    warrant = Warrant("proven from " + describe_anchor(anchor, _anchor_time(bundle, anchor), now_s), is_closed=True)
    beginning = _begin(bundle.start, anchor)
    line = beginning.line
    for change in bundle.changes:
        line = _follow(line, change)
    if isinstance(anchor, Checkpoint):
        _validate_passing(bundle, beginning, anchor)
    place = bundle.presentation.anchor
    assert place is not None, "a decoded bundle has an anchored presentation"
    return _tell(bundle.head, line, beginning, place, warrant)


def describe_anchor(anchor: Anchor, time_s: int, now_s: int) -> str:
    """Return an anchor in words: what it is, who signed it, how old it is."""
    day = datetime.fromtimestamp(min(time_s, 1 << 37), UTC).date()
    days = max(0, now_s - time_s) // _DAY_S
    age = f"of {day}, {days} {'day' if days == 1 else 'days'} old"
    if isinstance(anchor, bytes):
        return f"the genesis 0x{anchor.hex()[:16]}... {age}"
    names = {seal.number: f" ({seal.issuer.subject})" for seal in anchor.seals}
    signers = ", ".join(signer.country + names.get(signer.number, "") for signer in validate_signers(anchor))
    return f"the checkpoint of block {anchor.height} {age}, signed by {signers}"


def founding_chain_id(configuration: bytes, extra: ExtraData) -> int:
    """Return the chain id in a founding configuration; Unproven unless block 0 has its hash, and our Consortium rules.

    ``extra`` is block 0's: the hash stands there as vanity.
    """
    if extra.validators:
        raise Unproven("genesis: validators are chosen by votes in headers, which a bundle cannot prove")
    if keccak256(configuration) != extra.vanity:
        raise Unproven("genesis: found another configuration than the one whose hash block 0 has")
    try:
        config = parse_json(configuration, CONFIGURATION_BYTES_MAX)
        spec = parse_config(config, parse_forks(config))
    except InvalidGenesis as error:
        raise Unproven(f"genesis: the founding configuration cannot be read ({error})") from None
    if spec.validator_contract != consortium.ADDRESS:
        raise Unproven("genesis: another contract than the Consortium names the validators; a bundle cannot prove them")
    return spec.chain_id


def _anchor_time(bundle: Bundle, anchor: Anchor) -> int:
    if isinstance(anchor, Checkpoint):
        return anchor.time_s
    return bundle.start.header.timestamp if isinstance(bundle.start, Founding) else 0


def _begin(start: Founding | bytes, anchor: Anchor) -> Beginning:
    if isinstance(start, Founding):
        beginning = _begin_at_founding(start, anchor if isinstance(anchor, bytes) else anchor.genesis_hash)
        if isinstance(anchor, Checkpoint) and beginning.chain_id != anchor.chain_id:
            raise Unproven(f"genesis: found chain id {beginning.chain_id}, the checkpoint has {anchor.chain_id}")
        return beginning
    if isinstance(anchor, bytes):
        raise Unproven(
            f"the bundle begins at a checkpoint, block 0x{start.hex()}, expected the genesis that is the anchor: name "
            "the checkpoint as the anchor, or get a bundle from the genesis"
        )
    if start != anchor.block_hash:
        raise Unproven(
            f"the bundle begins at block 0x{start.hex()}, expected the checkpoint's 0x{anchor.block_hash.hex()}"
        )
    return Beginning(anchor.chain_id, anchor.genesis_hash, Line(anchor.height, anchor.time_s, anchor.validators))


def _begin_at_founding(start: Founding, genesis_hash: bytes) -> Beginning:
    header = start.header
    found = block_hash(header) if header.number == 0 else b""
    if found != genesis_hash:
        raise Unproven(f"the bundle begins at block 0x{found.hex()}, expected the genesis 0x{genesis_hash.hex()}")
    try:
        extra = decode_extra_data(header.extra_data)
    except InvalidBlock as error:
        raise Unproven(f"genesis: {error}") from None
    chain_id = founding_chain_id(start.configuration, extra)
    nodes = Replay(start.nodes, "genesis")
    validate_set(open_consortium(ProvenState(header.state_root, nodes, "genesis")), start.validators, "genesis")
    nodes.finish()
    return Beginning(chain_id, genesis_hash, Line(0, header.timestamp, start.validators))


def _follow(line: Line, change: Change) -> Line:
    header = change.header
    where = f"block {header.number}"
    validate_next(line, header)
    nodes = Replay(change.nodes, where)
    contract = open_consortium(ProvenState(header.state_root, nodes, where))
    validate_set(contract, change.validators, where)
    if last_change(contract) != header.number:
        raise Unproven(f"{where}: found a block that does not change the validators, expected those that do")
    nodes.finish()
    return Line(header.number, header.timestamp, change.validators)


def _validate_passing(bundle: Bundle, beginning: Beginning, anchor: Checkpoint) -> None:
    """Raise Unproven unless the way from the genesis to the head leads through the checkpoint."""
    head = bundle.head.header
    if head.number < anchor.height:
        raise Unproven(f"the bundle ends with block {head.number}, before the checkpoint of block {anchor.height}")
    passed = [change.header for change in bundle.changes] + [head]
    if any(header.number == anchor.height and block_hash(header) != anchor.block_hash for header in passed):
        raise Unproven(f"block {anchor.height}: found another than the checkpoint's 0x{anchor.block_hash.hex()}")
    before = [change.validators for change in bundle.changes if change.header.number <= anchor.height]
    validators = (beginning.line.validators, *before)[-1]
    if head.number > anchor.height and validators != anchor.validators:
        raise Unproven(f"block {anchor.height}: found other validators after it than the checkpoint has")


def _tell(head: Head, line: Line, beginning: Beginning, place: Place, warrant: Warrant) -> LedgerFacts:
    header = head.header
    where = f"block {header.number}"
    validate_next(line, header)
    nodes = Replay(head.nodes, where)
    facts = read_facts(
        ProvenState(header.state_root, nodes, where),
        place,
        head.users,
        as_of=BlockPoint(header.number, header.timestamp),
        chain=(beginning.chain_id, beginning.genesis_hash),
        line=line,
        warrant=warrant,
    )
    nodes.finish()
    return facts


def read_facts(
    state: ProvenState,
    place: Place,
    users: tuple[int, ...],
    *,
    as_of: BlockPoint,
    chain: tuple[int, bytes],
    line: Line,
    warrant: Warrant | None = None,
) -> LedgerFacts:
    """Return what the state after a block says of an item; Unproven when ``line`` is not who sealed the block.

    ``chain`` is chain id and genesis hash, ``users`` are the authorities that used a share.
    """
    contract = open_consortium(state)
    changed = last_change(contract)
    if line.height < changed != as_of.number:
        raise Unproven(f"block {as_of.number}: the validators changed in block {changed}, which the bundle leaves out")
    item = ItemReader(state, contract, place.batch, place.index)
    record = item.record()
    facts = LedgerFacts(*chain, item.contract, as_of, has_batch=record is not None, warrant=warrant)
    if record is None:
        if users:
            raise Unproven("use: found authorities that used a share of what is not on the ledger")
        return facts
    changes, known_from_s = item.changes(record)
    return LedgerFacts(
        *chain,
        item.contract,
        as_of,
        has_batch=True,
        batch=batch_facts(record),
        changes=changes,
        changes_known_from_s=known_from_s,
        issuer=item.issuer(record),
        uses=item.uses(users),
        warrant=warrant,
    )
