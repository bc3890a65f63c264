# pragma version ==0.4.3
# pragma evm-version london
"""
@title Certificates
@notice Batches of attested documents, by their Merkle root; the state of single documents, by batch and index; and how much
        of each has been used. Nothing is written per document at anchoring: one transaction, one storage slot, up to 2**20
        documents. A document is shown to be in a batch by its path; what it says is not on the ledger.
@dev A batch record is one word, from the low bits up: participant 32 | authority 16 | kind 8 | depth 7 | withdrawn by the
     authority 1 | residency 16 | anchored at 40 | valid from 40 | valid to 40 | withdrawn at 40 | reason 16.
     The state of a document is a history; subject keccak256(batch | index), a fact of status 8 | by the authority 8 |
     reason 16. No entry: in force. Hashing is the attestation's (docs/formats.md): roles 0x06 to 0x08.
"""

import history
import names

interface Directory:
    def addressOf(name: bytes32) -> address: view
    def addressesOf(first: bytes32, second: bytes32) -> (address, address): view

interface Consortium:
    def activeAuthority(admin: address) -> uint256: view
    def isActive(authority: uint256) -> bool: view

interface Participants:
    def issuer(key: address, kind: uint8) -> (uint32, uint16): view
    def participantOf(key: address) -> uint32: view

DEPTH_MIN: constant(uint8) = 4  # batches are padded: a smaller one would tell its count
DEPTH_MAX: constant(uint256) = 20
WHOLE: constant(uint256) = 1_000_000  # shares are parts per million

IN_FORCE: constant(uint256) = 0
SUSPENDED: constant(uint256) = 1
WITHDRAWN: constant(uint256) = 2
SUPERSEDED: constant(uint256) = 3

LEAF_DOMAIN: constant(bytes8) = 0x636f636b65740106
NODE_DOMAIN: constant(bytes8) = 0x636f636b65740107
ROOT_DOMAIN: constant(bytes8) = 0x636f636b65740108

MASK_40: constant(uint256) = 2**40 - 1
BY_AUTHORITY_BIT: constant(uint256) = 2**63

DIRECTORY: immutable(address)

struct Batch:
    participant: uint32
    authority: uint16
    kind: uint8
    depth: uint8
    residency: bytes2
    anchored_at: uint40
    valid_from: uint40
    valid_to: uint40
    withdrawn_at: uint40
    by_authority: bool
    reason: uint16

struct State:
    status: uint8
    since: uint40
    by_authority: bool
    reason: uint16

struct Item:
    status: uint8
    since: uint40
    by_authority: bool
    reason: uint16
    by_batch: bytes32
    by_index: uint32
    used: uint32

struct Successor:
    batch: bytes32
    index: uint256

initializes: history
batches: HashMap[bytes32, uint256]
successors: HashMap[bytes32, HashMap[uint256, Successor]]
used: HashMap[bytes32, HashMap[uint256, uint256]]
used_by: HashMap[bytes32, HashMap[uint256, HashMap[uint256, uint256]]]

event BatchAnchored:
    root: indexed(bytes32)
    participant: indexed(uint32)
    kind: indexed(uint8)
    authority: uint16
    depth: uint8
    valid_from: uint40
    valid_to: uint40
    residency: bytes2
    custody: bytes32

event BatchWithdrawn:
    batch: indexed(bytes32)
    reason: uint16
    by_authority: bool

event ItemSuspended:
    batch: indexed(bytes32)
    index: indexed(uint32)
    reason: uint16
    by_authority: bool

event ItemReinstated:
    batch: indexed(bytes32)
    index: indexed(uint32)
    by_authority: bool

event ItemWithdrawn:
    batch: indexed(bytes32)
    index: indexed(uint32)
    reason: uint16
    by_authority: bool

event ItemSuperseded:
    batch: indexed(bytes32)
    index: indexed(uint32)
    by_batch: bytes32
    by_index: uint32

event ItemUsed:
    batch: indexed(bytes32)
    index: indexed(uint32)
    authority: indexed(uint16)
    share: uint32
    total: uint32

event UseReleased:
    batch: indexed(bytes32)
    index: indexed(uint32)
    authority: indexed(uint16)
    share: uint32
    total: uint32


@deploy
def __init__(directory: address):
    """
    @notice Bind to the Directory through which Consortium and Participants are found.
    """
    assert directory != empty(address), "certificates: zero directory"
    DIRECTORY = directory


@external
def anchor(
    top: bytes32, depth: uint8, kind: uint8, valid_from: uint40, valid_to: uint40, residency: bytes2, custody: bytes32
):
    """
    @notice Attest a batch: the sender is a key of a participant that may issue this kind now, under an active authority.
            Its name, the batch root, binds depth, kind and this participant: who copies the call anchors a batch of its own,
            and takes nothing from the issuer. One root is anchored once.
    @param top The top of the batch's tree; the root is made here.
    @param depth Levels of the tree: the batch's capacity, not its count.
    @param valid_from First second of the documents' validity; may lie in the past (issued retrospectively).
    @param valid_to First second after it.
    @param residency Country in which the documents stay; zero when not stated.
    @param custody Hash of who keeps them, and how many must agree to open them; zero when not stated.
    """
    assert top != empty(bytes32), "certificates: zero top"
    assert depth >= DEPTH_MIN and convert(depth, uint256) <= DEPTH_MAX, "certificates: depth"
    assert valid_from < valid_to, "certificates: empty period"
    participant: uint32 = 0
    authority: uint16 = 0
    participant, authority = self._entitled_sender(kind)
    root: bytes32 = self._root_of(convert(depth, uint256), convert(kind, uint256), participant, top)
    assert self.batches[root] == 0, "certificates: known batch"
    self.batches[root] = (
        convert(participant, uint256)
        | (convert(authority, uint256) << 32)
        | (convert(kind, uint256) << 48)
        | (convert(depth, uint256) << 56)
        | (convert(residency, uint256) << 64)
        | (block.timestamp << 80)
        | (convert(valid_from, uint256) << 120)
        | (convert(valid_to, uint256) << 160)
    )
    log BatchAnchored(
        root=root,
        participant=participant,
        kind=kind,
        authority=authority,
        depth=depth,
        valid_from=valid_from,
        valid_to=valid_to,
        residency=residency,
        custody=custody,
    )


@external
def suspend(batch: bytes32, index: uint32, reason: uint16):
    """
    @notice Put a document out of force until it is reinstated. Its issuer may, and so may the issuer's authority.
    """
    by_authority: bool = self._sender_side(self._known_standing(batch, index))
    assert reason != 0, "certificates: no reason"
    assert self._status(batch, index) == IN_FORCE, "certificates: not in force"
    self._append(batch, index, SUSPENDED, by_authority, reason)
    log ItemSuspended(batch=batch, index=index, reason=reason, by_authority=by_authority)


@external
def reinstate(batch: bytes32, index: uint32):
    """
    @notice Put a suspended document in force again. What the authority suspended, the issuer cannot reinstate; and an issuer
            must be entitled to issue that kind now.
    """
    record: uint256 = self._known_standing(batch, index)
    by_authority: bool = self._sender_side(record)
    fact: uint256 = history._fact(history.latest[self._subject(batch, index)])
    assert fact & 255 == SUSPENDED, "certificates: not suspended"
    if not by_authority:
        assert (fact >> 8) & 255 == 0, "certificates: suspended by the authority"
        self._entitled_sender(convert((record >> 48) & 255, uint8))
    self._append(batch, index, IN_FORCE, by_authority, 0)
    log ItemReinstated(batch=batch, index=index, by_authority=by_authority)


@external
def withdraw(batch: bytes32, index: uint32, reason: uint16):
    """
    @notice Put a document out of force for good. Its issuer may, and so may the issuer's authority.
    """
    by_authority: bool = self._sender_side(self._known_standing(batch, index))
    assert reason != 0, "certificates: no reason"
    assert self._status(batch, index) <= SUSPENDED, "certificates: already withdrawn"
    self._append(batch, index, WITHDRAWN, by_authority, reason)
    log ItemWithdrawn(batch=batch, index=index, reason=reason, by_authority=by_authority)


@external
def supersede(batch: bytes32, index: uint32, by_batch: bytes32, by_index: uint32):
    """
    @notice Replace a document by another of the same issuer that is in force; the replaced one is out of force for good.
    """
    record: uint256 = self._known(batch, index)
    participant: uint32 = 0
    authority: uint16 = 0
    participant, authority = self._entitled_sender(convert((record >> 48) & 255, uint8))
    assert convert(participant, uint256) == record & (2**32 - 1), "certificates: not the issuer"
    successor: uint256 = self._known(by_batch, by_index)
    assert successor & (2**32 - 1) == record & (2**32 - 1), "certificates: successor of another issuer"
    assert batch != by_batch or index != by_index, "certificates: its own successor"
    assert self._status(batch, index) <= SUSPENDED, "certificates: already withdrawn"
    assert (
        (history._fact(history.latest[self._subject(batch, index)]) >> 8) & 255 == 0
    ), "certificates: suspended by the authority"
    assert (
        self._status(by_batch, by_index) == IN_FORCE and successor >> 200 == 0
    ), "certificates: successor not in force"
    self._append(batch, index, SUPERSEDED, False, 0)
    self.successors[batch][convert(index, uint256)] = Successor(batch=by_batch, index=convert(by_index, uint256))
    log ItemSuperseded(batch=batch, index=index, by_batch=by_batch, by_index=by_index)


@external
def withdrawBatch(batch: bytes32, reason: uint16):
    """
    @notice Put a whole batch out of force for good. Its issuer may, and so may the issuer's authority.
    """
    record: uint256 = self.batches[batch]
    assert record != 0, "certificates: unknown batch"
    assert record >> 200 == 0, "certificates: already withdrawn"
    by_authority: bool = self._sender_side(record)
    assert reason != 0, "certificates: no reason"
    record |= (block.timestamp << 200) | (convert(reason, uint256) << 240)
    if by_authority:
        record |= BY_AUTHORITY_BIT
    self.batches[batch] = record
    log BatchWithdrawn(batch=batch, reason=reason, by_authority=by_authority)


@external
def use(
    batch: bytes32,
    index: uint32,
    document_root: bytes32,
    destination: bytes32,
    path: DynArray[bytes32, DEPTH_MAX],
    share: uint32,
):
    """
    @notice Claim a share of a document for goods imported under it; all shares together are at most the whole. The sender is
            the admin of an active authority, and shows that it holds the document: its root and its path.
    @param destination Hash of the importing country with its salt, closed: the ledger learns no more than who claims.
    @param path One hash for each level, from the leaf up.
    @param share Parts per million.
    """
    record: uint256 = self._known(batch, index)
    authority: uint256 = self._active_authority()
    assert (record >> 120) & MASK_40 <= block.timestamp, "certificates: not yet valid"
    assert block.timestamp < (record >> 160) & MASK_40, "certificates: expired"
    assert record >> 200 == 0 and self._status(batch, index) == IN_FORCE, "certificates: not in force"
    assert self._root_by_path(record, index, document_root, destination, path) == batch, "certificates: not in the batch"
    position: uint256 = convert(index, uint256)
    part: uint256 = convert(share, uint256)
    assert part != 0 and part <= WHOLE, "certificates: share"
    total: uint256 = self.used[batch][position] + part
    assert total <= WHOLE, "certificates: already used"
    self.used[batch][position] = total
    self.used_by[batch][position][authority] += part
    log ItemUsed(
        batch=batch, index=index, authority=convert(authority, uint16), share=share, total=convert(total, uint32)
    )


@external
def releaseUse(batch: bytes32, index: uint32, share: uint32):
    """
    @notice Give back what the sender's authority itself has claimed: a declaration was cancelled or corrected.
    """
    authority: uint256 = self._active_authority()
    position: uint256 = convert(index, uint256)
    part: uint256 = convert(share, uint256)
    assert part != 0, "certificates: share"
    claimed: uint256 = self.used_by[batch][position][authority]
    assert part <= claimed, "certificates: more than it used"
    total: uint256 = self.used[batch][position] - part
    self.used[batch][position] = total
    self.used_by[batch][position][authority] = claimed - part
    log UseReleased(
        batch=batch, index=index, authority=convert(authority, uint16), share=share, total=convert(total, uint32)
    )


@external
@view
def batch(root: bytes32) -> Batch:
    """
    @notice What was anchored under this root; all zero when nothing was.
    """
    record: uint256 = self.batches[root]
    return Batch(
        participant=convert(record & (2**32 - 1), uint32),
        authority=convert((record >> 32) & 65535, uint16),
        kind=convert((record >> 48) & 255, uint8),
        depth=convert((record >> 56) & 127, uint8),
        residency=convert(convert((record >> 64) & 65535, uint16), bytes2),
        anchored_at=convert((record >> 80) & MASK_40, uint40),
        valid_from=convert((record >> 120) & MASK_40, uint40),
        valid_to=convert((record >> 160) & MASK_40, uint40),
        withdrawn_at=convert((record >> 200) & MASK_40, uint40),
        by_authority=record & BY_AUTHORITY_BIT != 0,
        reason=convert(record >> 240, uint16),
    )


@external
@view
def item(batch: bytes32, index: uint32) -> Item:
    """
    @notice The state of a document as it stands, its successor, and how much of it is used. Refused for an unknown batch or
            an index beyond it: of those nothing may be read as being in force.
    """
    record: uint256 = self._known(batch, index)
    state: State = self._state(record, history.latest[self._subject(batch, index)], max_value(uint256))
    successor: Successor = self.successors[batch][convert(index, uint256)]
    return Item(
        status=state.status,
        since=state.since,
        by_authority=state.by_authority,
        reason=state.reason,
        by_batch=successor.batch,
        by_index=convert(successor.index, uint32),
        used=convert(self.used[batch][convert(index, uint256)], uint32),
    )


@external
@view
def itemAt(batch: bytes32, index: uint32, time: uint256) -> State:
    """
    @notice The state of a document as it stood at that time. Status 0 is in force, 1 suspended, 2 withdrawn, 3 superseded.
            Refused like item(), and for a time before the batch was anchored.
    """
    record: uint256 = self._known(batch, index)
    assert (record >> 80) & MASK_40 <= time, "certificates: not anchored yet"
    return self._state(record, history._word_at(self._subject(batch, index), time), time)


@external
@view
def usedBy(batch: bytes32, index: uint32, authority: uint16) -> uint32:
    """
    @notice How much of a document that authority has used, in parts per million.
    """
    return convert(self.used_by[batch][convert(index, uint256)][convert(authority, uint256)], uint32)


@external
@pure
def version() -> String[16]:
    """
    @notice The version of this contract's code and interface.
    """
    return "1.0.0"


@internal
@view
def _entitled_sender(kind: uint8) -> (uint32, uint16):
    consortium: address = empty(address)
    participants: address = empty(address)
    consortium, participants = staticcall Directory(DIRECTORY).addressesOf(names.CONSORTIUM, names.PARTICIPANTS)
    participant: uint32 = 0
    authority: uint16 = 0
    participant, authority = staticcall Participants(participants).issuer(msg.sender, kind)
    active: bool = staticcall Consortium(consortium).isActive(convert(authority, uint256))
    assert active, "certificates: authority not active"
    return participant, authority


@internal
@view
def _sender_side(record: uint256) -> bool:
    consortium: address = empty(address)
    participants: address = empty(address)
    consortium, participants = staticcall Directory(DIRECTORY).addressesOf(names.CONSORTIUM, names.PARTICIPANTS)
    participant: uint32 = staticcall Participants(participants).participantOf(msg.sender)
    if convert(participant, uint256) == record & (2**32 - 1):
        return False
    authority: uint256 = staticcall Consortium(consortium).activeAuthority(msg.sender)
    assert authority != 0 and authority == (record >> 32) & 65535, "certificates: not the issuer or its authority"
    return True


@internal
@view
def _active_authority() -> uint256:
    consortium: address = staticcall Directory(DIRECTORY).addressOf(names.CONSORTIUM)
    authority: uint256 = staticcall Consortium(consortium).activeAuthority(msg.sender)
    assert authority != 0, "certificates: not an active authority"
    return authority


@internal
@view
def _known(batch: bytes32, index: uint32) -> uint256:
    record: uint256 = self.batches[batch]
    assert record != 0, "certificates: unknown batch"
    assert convert(index, uint256) >> ((record >> 56) & 127) == 0, "certificates: index beyond the batch"
    return record


@internal
@view
def _known_standing(batch: bytes32, index: uint32) -> uint256:
    record: uint256 = self._known(batch, index)
    assert record >> 200 == 0, "certificates: batch withdrawn"
    return record


@internal
@view
def _status(batch: bytes32, index: uint32) -> uint256:
    return history.latest[self._subject(batch, index)] & 255


@internal
@pure
def _state(record: uint256, word: uint256, time: uint256) -> State:
    status: uint256 = word & 255
    withdrawn_at: uint256 = (record >> 200) & MASK_40
    if withdrawn_at != 0 and withdrawn_at <= time and status <= SUSPENDED:
        return State(
            status=convert(WITHDRAWN, uint8),
            since=convert(withdrawn_at, uint40),
            by_authority=record & BY_AUTHORITY_BIT != 0,
            reason=convert(record >> 240, uint16),
        )
    return State(
        status=convert(status, uint8),
        since=convert(history._time(word), uint40),
        by_authority=(word >> 8) & 255 != 0,
        reason=convert((word >> 16) & 65535, uint16),
    )


@internal
def _append(batch: bytes32, index: uint32, status: uint256, by_authority: bool, reason: uint16):
    fact: uint256 = status | (convert(by_authority, uint256) << 8) | (convert(reason, uint256) << 16)
    history._append(self._subject(batch, index), block.timestamp, fact)


@internal
@pure
def _subject(batch: bytes32, index: uint32) -> uint256:
    return convert(keccak256(concat(batch, convert(convert(index, uint256), bytes32))), uint256)


@internal
@pure
def _root_by_path(
    record: uint256, index: uint32, document_root: bytes32, destination: bytes32, path: DynArray[bytes32, DEPTH_MAX]
) -> bytes32:
    depth: uint256 = (record >> 56) & 127
    assert len(path) == depth, "certificates: path length"
    node: bytes32 = keccak256(concat(LEAF_DOMAIN, document_root, destination))
    position: uint256 = convert(index, uint256)
    for sibling: bytes32 in path:
        if position & 1 == 0:
            node = keccak256(concat(NODE_DOMAIN, node, sibling))
        else:
            node = keccak256(concat(NODE_DOMAIN, sibling, node))
        position >>= 1
    return self._root_of(depth, (record >> 48) & 255, convert(record & (2**32 - 1), uint32), node)


@internal
@pure
def _root_of(depth: uint256, kind: uint256, participant: uint32, top: bytes32) -> bytes32:
    return keccak256(
        concat(
            ROOT_DOMAIN,
            convert(convert(depth, uint8), bytes1),
            convert(convert(kind, uint16), bytes2),
            convert(participant, bytes4),
            top,
        )
    )
