# pragma version ==0.4.3
# pragma evm-version london
"""
@title Access
@notice Who may read what of an attested document. A record is a document's place, (batch, index); its controller is the
        batch's issuer as Certificates has it. mayRead() is asked by local calls only, by the vault and by each custodian at
        its own head, and what opens a commitment never enters a transaction. On the ledger stand salted hashes with dates:
        a grant, an audit engagement, a court order and an officer's delegation look alike, and say of nobody that somebody
        reads him.

        A party is a 64-bit number: authority n is n, participant p is 2**32 + p. Role, country and standing of a reader
        come from Consortium and Participants as they stand in the deciding block, never from the request.

        The importing authority's default right is shown by the document's root, its country, the country's salt and its
        path; the batch root is made again from them. Which groups and purposes it has is voted on, kind by kind, and binds
        records anchored afterwards only. A withdrawal stops later reads; what was read stays read.
@dev A commitment's word, from the low bits up: from 40 | to 40 | made at 40 | withdrawn at 40 | party 64 | reason 16.
     Commitments are keccak256 of the ABI encoding of (tag, chain id, this contract, fields in order). Histories by subject:
     a document kind (0..255): its default right, groups 16 | purposes 32; 2**128 + participant, and keccak256(batch | index):
     a freeze, frozen 1 | reason 16; 2**129 + purpose: the delay of its listing, in seconds.
"""

import history
import names

interface Directory:
    def addressOf(name: bytes32) -> address: view
    def addressesOf(first: bytes32, second: bytes32) -> (address, address): view

interface Consortium:
    def activeAuthority(admin: address) -> uint256: view
    def authorityOf(admin: address) -> uint256: view
    def activeCountry(authority: uint256) -> bytes2: view

struct Standing:
    participant: uint32
    authority: uint16
    roles: uint8
    in_force: bool

interface Participants:
    def standingOf(key: address) -> Standing: view
    def authorityOver(participant: uint32) -> uint16: view

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

interface Certificates:
    def batch(root: bytes32) -> Batch: view

FIRST_PARTICIPANT: constant(uint64) = 2**32
EVERY_INDEX: constant(uint32) = max_value(uint32)
DEPTH_MAX: constant(uint256) = 20
COUNTRIES_MAX: constant(uint256) = 64
URL_BYTES_MAX: constant(uint256) = 128
PURPOSES: constant(uint8) = 32
AUDITOR: constant(uint8) = 16
ORDER_OFFICERS: constant(uint256) = 2

GRANT: constant(uint8) = 1
ENGAGEMENT: constant(uint8) = 2
ORDER: constant(uint8) = 3

VAULT: constant(uint8) = 1
CUSTODIAN: constant(uint8) = 2

# Yes, and why.
BY_CONTROL: constant(uint8) = 1
BY_GRANT: constant(uint8) = 2
BY_ENGAGEMENT: constant(uint8) = 3
BY_ORDER: constant(uint8) = 4
BY_RIGHT: constant(uint8) = 5
# No, and why.
UNKNOWN_RECORD: constant(uint8) = 64
UNKNOWN_READER: constant(uint8) = 65
READER_NOT_IN_FORCE: constant(uint8) = 66
AUTHORITY_NOT_IN_FORCE: constant(uint8) = 67
NOTHING_ASKED: constant(uint8) = 68
FROZEN: constant(uint8) = 69
OUTSIDE_RESIDENCY: constant(uint8) = 70
NO_GRANT: constant(uint8) = 71
NOT_YET: constant(uint8) = 72
EXPIRED: constant(uint8) = 73
WITHDRAWN: constant(uint8) = 74
OTHER_READER: constant(uint8) = 75
OTHER_RECORD: constant(uint8) = 76
OTHER_GROUPS: constant(uint8) = 77
OTHER_PURPOSE: constant(uint8) = 78
NOT_AN_AUDITOR: constant(uint8) = 79
TOO_FEW_OFFICERS: constant(uint8) = 80
NO_DELEGATION: constant(uint8) = 81
NO_RIGHT: constant(uint8) = 82
OPTED_OUT: constant(uint8) = 83
OTHER_COUNTRY: constant(uint8) = 84
NOT_IN_BATCH: constant(uint8) = 85

COUNTRY_DOMAIN: constant(bytes8) = 0x636f636b65740105
LEAF_DOMAIN: constant(bytes8) = 0x636f636b65740106
NODE_DOMAIN: constant(bytes8) = 0x636f636b65740107
ROOT_DOMAIN: constant(bytes8) = 0x636f636b65740108
GRANT_DOMAIN: constant(bytes8) = 0x636f636b65740140
DELEGATION_DOMAIN: constant(bytes8) = 0x636f636b65740141
RESIDENCY_DOMAIN: constant(bytes8) = 0x636f636b65740142
ORDER_DOMAIN: constant(bytes8) = 0x636f636b65740143

MASK_40: constant(uint256) = 2**40 - 1
CONTROLLER_FREEZES: constant(uint256) = 2**128
LISTING_DELAYS: constant(uint256) = 2**129
LISTING_DELAY_MAX: constant(uint32) = 315_360_000  # ten years of 365 days: delayed, never dropped

DIRECTORY: immutable(address)

struct Question:
    reader: address
    batch: bytes32
    index: uint32
    groups: uint16
    purpose: uint8

struct Scope:
    kind: uint8
    controller: uint32
    reader: uint64
    batch: bytes32
    index: uint32
    kinds: uint64
    anchored_from: uint40
    anchored_to: uint40
    groups: uint16
    purposes: uint32
    daily_cap: uint32
    reference: bytes32
    salt: bytes16

struct Delegation:
    authority: uint16
    officer: address
    groups: uint16
    purposes: uint32
    salt: bytes16

struct Officer:
    delegation: Delegation
    v: uint8
    r: bytes32
    s: bytes32

struct Claim:
    scope: Scope
    delegation: Delegation
    officers: DynArray[Officer, ORDER_OFFICERS]

struct Evidence:
    document_root: bytes32
    country: bytes2
    salt: bytes16
    path: DynArray[bytes32, DEPTH_MAX]
    residency_salt: bytes16
    residency: DynArray[bytes2, COUNTRIES_MAX]

struct Reader:
    party: uint64
    roles: uint8
    country: bytes2
    groups: uint16
    purposes: uint32
    refusal: uint8

struct Commitment:
    valid_from: uint40
    valid_to: uint40
    made_at: uint40
    withdrawn_at: uint40
    party: uint64
    reason: uint16

struct Service:
    keeper: uint64
    certificate: bytes32
    url: String[URL_BYTES_MAX]

initializes: history
commitments: HashMap[bytes32, uint256]
opted_out: HashMap[bytes32, HashMap[uint32, bool]]
residencies: HashMap[bytes32, HashMap[uint32, bytes32]]
services: HashMap[uint64, HashMap[uint8, Service]]
receipt_counts: HashMap[uint64, uint64]
receipt_roots: HashMap[uint64, HashMap[uint64, bytes32]]

event CommitmentMade:
    commitment: indexed(bytes32)
    party: indexed(uint64)
    valid_from: uint40
    valid_to: uint40

event CommitmentWithdrawn:
    commitment: indexed(bytes32)
    party: indexed(uint64)
    reason: uint16

event DefaultRightSet:
    kind: indexed(uint8)
    groups: uint16
    purposes: uint32

event ListingDelaySet:
    purpose: indexed(uint8)
    delay: uint32

event DefaultRightDeclined:
    batch: indexed(bytes32)
    participant: indexed(uint32)

event ResidencySet:
    batch: indexed(bytes32)
    participant: indexed(uint32)
    commitment: bytes32

event RecordFrozen:
    batch: indexed(bytes32)
    index: indexed(uint32)
    reason: uint16

event RecordReleased:
    batch: indexed(bytes32)
    index: indexed(uint32)

event ControllerFrozen:
    participant: indexed(uint32)
    reason: uint16

event ControllerReleased:
    participant: indexed(uint32)

event ServiceSet:
    party: indexed(uint64)
    kind: indexed(uint8)
    keeper: uint64
    certificate: bytes32
    url: String[URL_BYTES_MAX]

event ReceiptsAnchored:
    keeper: indexed(uint64)
    sequence: indexed(uint64)
    root: bytes32


@deploy
def __init__(directory: address, founded_at: uint256, kind: uint8, groups: uint16, purposes: uint32):
    """
    @notice Bind to the Directory, and set the default right of one document kind, which a vote can change.
    @param founded_at The founding time of the ceremony's parameters: no clock is asked.
    """
    assert directory != empty(address), "access: zero directory"
    assert founded_at != 0 and founded_at < 2**40, "access: founding time"
    DIRECTORY = directory
    history._append(convert(kind, uint256), founded_at, self._right(groups, purposes))
    log DefaultRightSet(kind=kind, groups=groups, purposes=purposes)


@external
def commit(commitment: bytes32, valid_from: uint40, valid_to: uint40):
    """
    @notice Let a grant, an engagement, an order or a delegation stand, by its salted hash. A participant's grants open its
            own records; an authority's admin delegates to officers, and orders.
    @param valid_from First second in which it counts; it may lie ahead.
    @param valid_to First second after it.
    """
    party: uint64 = self._sender_party()
    assert commitment != empty(bytes32), "access: zero commitment"
    assert self.commitments[commitment] == 0, "access: known commitment"
    assert valid_from < valid_to, "access: empty period"
    assert convert(valid_to, uint256) > block.timestamp, "access: period is over"
    self.commitments[commitment] = (
        convert(valid_from, uint256)
        | (convert(valid_to, uint256) << 40)
        | (block.timestamp << 80)
        | (convert(party, uint256) << 160)
    )
    log CommitmentMade(commitment=commitment, party=party, valid_from=valid_from, valid_to=valid_to)


@external
def withdraw(commitment: bytes32, reason: uint16):
    """
    @notice End a commitment of the sender's own from this block on. Whoever has read keeps what it read.
    """
    party: uint64 = self._sender_party()
    word: uint256 = self.commitments[commitment]
    assert word != 0 and self._party_of(word) == party, "access: not its commitment"
    assert (word >> 120) & MASK_40 == 0, "access: already withdrawn"
    assert reason != 0, "access: no reason"
    self.commitments[commitment] = word | (block.timestamp << 120) | (convert(reason, uint256) << 224)
    log CommitmentWithdrawn(commitment=commitment, party=party, reason=reason)


@external
def declineDefaultRight(batch: bytes32):
    """
    @notice Decline the default right for a batch that the sender is about to anchor. Afterwards it is too late: others rely
            on it.
    """
    participant: uint32 = self._sender_participant()
    assert self._batch(batch).anchored_at == 0, "access: already anchored"
    self.opted_out[batch][participant] = True
    log DefaultRightDeclined(batch=batch, participant=participant)


@external
def setResidency(batch: bytes32, commitment: bytes32):
    """
    @notice Bind the sender's batch, anchored or about to be, to countries into which it may be released, by their salted
            hash. No vote changes it. Zero lifts it.
    """
    participant: uint32 = self._sender_participant()
    self.residencies[batch][participant] = commitment
    log ResidencySet(batch=batch, participant=participant, commitment=commitment)


@external
def freeze(batch: bytes32, index: uint32, reason: uint16):
    """
    @notice Stop all reads of a record, or of a whole batch (index 2**32 - 1), until released. The authority under which the
            batch was anchored may.
    """
    self._require_authority_of(batch)
    assert reason != 0, "access: no reason"
    self._set_frozen(self._record_subject(batch, index), reason)
    log RecordFrozen(batch=batch, index=index, reason=reason)


@external
def release(batch: bytes32, index: uint32):
    """
    @notice Lift a freeze of a record or batch.
    """
    self._require_authority_of(batch)
    self._lift_freeze(self._record_subject(batch, index))
    log RecordReleased(batch=batch, index=index)


@external
def freezeController(participant: uint32, reason: uint16):
    """
    @notice Stop all reads of a controller's records until released: its key was stolen, say. Its authority may.
    """
    self._require_authority_over(participant)
    assert reason != 0, "access: no reason"
    self._set_frozen(CONTROLLER_FREEZES + convert(participant, uint256), reason)
    log ControllerFrozen(participant=participant, reason=reason)


@external
def releaseController(participant: uint32):
    """
    @notice Lift the freeze of a controller's records.
    """
    self._require_authority_over(participant)
    self._lift_freeze(CONTROLLER_FREEZES + convert(participant, uint256))
    log ControllerReleased(participant=participant)


@external
def setDefaultRight(kind: uint8, groups: uint16, purposes: uint32):
    """
    @notice What importing authorities may read of documents of a kind, anchored after this block. Only by vote. Nothing when
            either is zero.
    """
    consortium: address = staticcall Directory(DIRECTORY).addressOf(names.CONSORTIUM)
    assert msg.sender == consortium, "access: not the consortium"
    history._append(convert(kind, uint256), block.timestamp, self._right(groups, purposes))
    log DefaultRightSet(kind=kind, groups=groups, purposes=purposes)


@external
def setListingDelay(purpose: uint8, delay: uint32):
    """
    @notice How many seconds after a read for a purpose the record's subject is told of it: delayed, never dropped. Only by
            vote; it binds reads from this block on.
    """
    consortium: address = staticcall Directory(DIRECTORY).addressOf(names.CONSORTIUM)
    assert msg.sender == consortium, "access: not the consortium"
    assert purpose != 0 and purpose < PURPOSES, "access: unknown purpose"
    assert delay <= LISTING_DELAY_MAX, "access: delay too long"
    history._append(LISTING_DELAYS + convert(purpose, uint256), block.timestamp, convert(delay, uint256))
    log ListingDelaySet(purpose=purpose, delay=delay)


@external
def serve(kind: uint8, keeper: uint64, certificate: bytes32, url: String[URL_BYTES_MAX]):
    """
    @notice Say where the sender's vault (1) or custodian (2) is: HTTPS, with a certificate of this SHA-256 (of its DER). An
            empty address ends the service. Custodians are authorities'.
    @param keeper The party that keeps and anchors its receipts.
    """
    party: uint64 = self._sender_party()
    assert kind == VAULT or (kind == CUSTODIAN and party < FIRST_PARTICIPANT), "access: unknown service"
    self._check_url(url)
    self.services[party][kind] = Service(keeper=keeper, certificate=certificate, url=url)
    log ServiceSet(party=party, kind=kind, keeper=keeper, certificate=certificate, url=url)


@external
def anchorReceipts(sequence: uint64, root: bytes32):
    """
    @notice Anchor the sender's read receipts of one period, also when nobody read. Each number once, without gaps.
    """
    keeper: uint64 = self._sender_party()
    assert root != empty(bytes32), "access: zero root"
    assert sequence == self.receipt_counts[keeper] + 1, "access: out of sequence"
    self.receipt_counts[keeper] = sequence
    self.receipt_roots[keeper][sequence] = root
    log ReceiptsAnchored(keeper=keeper, sequence=sequence, root=root)


@external
@view
def mayRead(question: Question, claim: Claim, evidence: Evidence) -> (bool, uint8):
    """
    @notice Whether a reader may read these groups of a record for this purpose now, and by what or why not.
    @param claim The reader's: what opens its grant, and who delegated to it. Zeros when it has none.
    @param evidence The vault's: what opens a default right, and the residency. Zeros when there is none.
    """
    reason: uint8 = self._decide(question, claim, evidence)
    return reason < UNKNOWN_RECORD, reason


@external
@view
def commitmentOf(commitment: bytes32) -> Commitment:
    """
    @notice What stands under a commitment; all zero when nothing does.
    """
    word: uint256 = self.commitments[commitment]
    return Commitment(
        valid_from=convert(word & MASK_40, uint40),
        valid_to=convert((word >> 40) & MASK_40, uint40),
        made_at=convert((word >> 80) & MASK_40, uint40),
        withdrawn_at=convert((word >> 120) & MASK_40, uint40),
        party=self._party_of(word),
        reason=convert(word >> 224, uint16),
    )


@external
@view
def defaultRightAt(kind: uint8, time: uint256) -> (uint16, uint32):
    """
    @notice Groups and purposes of the default right for documents of a kind that are anchored at that time.
    """
    return self._right_before(kind, time)


@external
@view
def listingDelayAt(purpose: uint8, time: uint256) -> uint32:
    """
    @notice How many seconds after a read for a purpose at that time the record's subject is told of it.
    """
    word: uint256 = history._word_at(LISTING_DELAYS + convert(purpose, uint256), time)
    return convert(history._fact(word), uint32)


@external
@view
def declined(batch: bytes32, participant: uint32) -> bool:
    """
    @notice Whether a participant declined the default right for a batch.
    """
    return self.opted_out[batch][participant]


@external
@view
def residencyOf(batch: bytes32, participant: uint32) -> bytes32:
    """
    @notice The salted hash of the countries that a participant's batch may be released into; zero when not bound.
    """
    return self.residencies[batch][participant]


@external
@view
def frozenFor(batch: bytes32, index: uint32, participant: uint32) -> uint16:
    """
    @notice The reason why reads of a record of that controller are stopped; zero when they are not.
    """
    return self._frozen_reason(batch, index, participant)


@external
@view
def serviceOf(party: uint64, kind: uint8) -> Service:
    """
    @notice Where a party's vault or custodian is; an empty address when it has none.
    """
    return self.services[party][kind]


@external
@view
def receiptsAnchored(keeper: uint64) -> uint64:
    """
    @notice How many periods of receipts a keeper has anchored; their numbers are 1 to this.
    """
    return self.receipt_counts[keeper]


@external
@view
def receiptRoot(keeper: uint64, sequence: uint64) -> bytes32:
    """
    @notice The anchored root of one period of a keeper's receipts; zero when it has not been.
    """
    return self.receipt_roots[keeper][sequence]


@external
@pure
def version() -> String[16]:
    """
    @notice The version of this contract's code and interface.
    """
    return "1.1.0"


# The decision


@internal
@view
def _decide(question: Question, claim: Claim, evidence: Evidence) -> uint8:
    record: Batch = self._batch(question.batch)
    if record.anchored_at == 0 or convert(question.index, uint256) >> convert(record.depth, uint256) != 0:
        return UNKNOWN_RECORD
    if question.groups == 0 or question.purpose == 0 or question.purpose >= PURPOSES:
        return NOTHING_ASKED
    reader: Reader = self._reader(question.reader, claim.delegation)
    if reader.refusal != 0:
        return reader.refusal
    purpose: uint32 = convert(1 << convert(question.purpose, uint256), uint32)
    if question.groups | reader.groups != reader.groups:
        return OTHER_GROUPS
    if purpose & reader.purposes == 0:
        return OTHER_PURPOSE
    if self._frozen_reason(question.batch, question.index, record.participant) != 0:
        return FROZEN
    if not self._is_within_residency(question.batch, record, reader.country, evidence):
        return OUTSIDE_RESIDENCY
    if reader.party == FIRST_PARTICIPANT + convert(record.participant, uint64):
        return BY_CONTROL
    if claim.scope.kind != 0:
        return self._decide_grant(question, record, reader, purpose, claim)
    if evidence.document_root != empty(bytes32):
        return self._decide_right(question, record, reader, purpose, evidence)
    return NO_GRANT


@internal
@view
def _reader(key: address, delegation: Delegation) -> Reader:
    """
    @notice Who reads, by its key and what was delegated to it; `refusal` says why nobody in force does.
    """
    consortium: address = empty(address)
    participants: address = empty(address)
    consortium, participants = staticcall Directory(DIRECTORY).addressesOf(names.CONSORTIUM, names.PARTICIPANTS)
    reader: Reader = Reader(
        party=0, roles=0, country=empty(bytes2), groups=max_value(uint16), purposes=max_value(uint32), refusal=0
    )
    authority: uint256 = 0
    if delegation.authority != 0:
        if delegation.officer != key:
            reader.refusal = NO_DELEGATION
            return reader
        authority = convert(delegation.authority, uint256)
        reader.refusal = self._delegation_refusal(delegation)
        reader.party = convert(authority, uint64)
        reader.groups = delegation.groups
        reader.purposes = delegation.purposes
        if reader.refusal != 0:
            return reader
    else:
        authority = staticcall Consortium(consortium).authorityOf(key)
        reader.party = convert(authority, uint64)
        if authority == 0:
            standing: Standing = staticcall Participants(participants).standingOf(key)
            if standing.participant == 0:
                reader.refusal = UNKNOWN_READER
                return reader
            if not standing.in_force:
                reader.refusal = READER_NOT_IN_FORCE
                return reader
            authority = convert(standing.authority, uint256)
            reader.party = FIRST_PARTICIPANT + convert(standing.participant, uint64)
            reader.roles = standing.roles
    reader.country = staticcall Consortium(consortium).activeCountry(authority)
    if reader.country == empty(bytes2):
        reader.refusal = AUTHORITY_NOT_IN_FORCE
    return reader


@internal
@view
def _decide_grant(question: Question, record: Batch, reader: Reader, purpose: uint32, claim: Claim) -> uint8:
    scope: Scope = claim.scope
    commitment: bytes32 = keccak256(abi_encode(GRANT_DOMAIN, chain.id, self, scope))
    word: uint256 = self.commitments[commitment]
    if word == 0 or scope.kind > ORDER:
        return NO_GRANT
    giver: uint64 = FIRST_PARTICIPANT + convert(record.participant, uint64)
    if scope.kind == ORDER:
        giver = convert(record.authority, uint64)
    if scope.controller != record.participant or self._party_of(word) != giver:
        return OTHER_RECORD
    refusal: uint8 = self._period_refusal(word)
    if refusal != 0:
        return refusal
    if scope.reader != reader.party:
        return OTHER_READER
    if scope.batch != empty(bytes32):
        if scope.batch != question.batch or (scope.index != question.index and scope.index != EVERY_INDEX):
            return OTHER_RECORD
    elif (
        record.kind >= 64
        or (convert(scope.kinds, uint256) >> convert(record.kind, uint256)) & 1 == 0
        or record.anchored_at < scope.anchored_from
        or record.anchored_at >= scope.anchored_to
    ):
        return OTHER_RECORD
    if question.groups | scope.groups != scope.groups:
        return OTHER_GROUPS
    if purpose & scope.purposes == 0:
        return OTHER_PURPOSE
    if scope.kind == GRANT:
        return BY_GRANT
    if scope.kind == ENGAGEMENT:
        return BY_ENGAGEMENT if reader.roles & AUDITOR != 0 else NOT_AN_AUDITOR
    return BY_ORDER if self._is_ordered(commitment, record.authority, claim.officers) else TOO_FEW_OFFICERS


@internal
@view
def _is_ordered(commitment: bytes32, authority: uint16, officers: DynArray[Officer, ORDER_OFFICERS]) -> bool:
    """
    @notice Whether two officers of that authority, with delegations in force, have signed an order's commitment.
    """
    if len(officers) != ORDER_OFFICERS or officers[0].delegation.officer == officers[1].delegation.officer:
        return False
    digest: bytes32 = keccak256(concat(ORDER_DOMAIN, commitment))
    for officer: Officer in officers:
        if officer.delegation.authority != authority or self._delegation_refusal(officer.delegation) != 0:
            return False
        if officer.delegation.officer == empty(address):
            return False
        if ecrecover(digest, officer.v, officer.r, officer.s) != officer.delegation.officer:
            return False
    return True


@internal
@view
def _delegation_refusal(delegation: Delegation) -> uint8:
    word: uint256 = self.commitments[keccak256(abi_encode(DELEGATION_DOMAIN, chain.id, self, delegation))]
    if word == 0 or self._party_of(word) != convert(delegation.authority, uint64):
        return NO_DELEGATION
    return self._period_refusal(word)


@internal
@view
def _period_refusal(word: uint256) -> uint8:
    """
    @notice Why a commitment does not count now; zero when it does.
    """
    if (word >> 120) & MASK_40 != 0:
        return WITHDRAWN
    if block.timestamp < word & MASK_40:
        return NOT_YET
    if block.timestamp >= (word >> 40) & MASK_40:
        return EXPIRED
    return 0


@internal
@view
def _decide_right(question: Question, record: Batch, reader: Reader, purpose: uint32, evidence: Evidence) -> uint8:
    if reader.party >= FIRST_PARTICIPANT:
        return NO_GRANT
    groups: uint16 = 0
    purposes: uint32 = 0
    groups, purposes = self._right_before(record.kind, convert(record.anchored_at, uint256))
    if groups == 0 or purposes == 0:
        return NO_RIGHT
    if self.opted_out[question.batch][record.participant]:
        return OPTED_OUT
    if not self._is_in_batch(question, record, evidence):
        return NOT_IN_BATCH
    if evidence.country != reader.country:
        return OTHER_COUNTRY
    if question.groups | groups != groups:
        return OTHER_GROUPS
    return BY_RIGHT if purpose & purposes != 0 else OTHER_PURPOSE


@internal
@view
def _is_in_batch(question: Question, record: Batch, evidence: Evidence) -> bool:
    if len(evidence.path) != convert(record.depth, uint256):
        return False
    country: bytes32 = keccak256(concat(COUNTRY_DOMAIN, evidence.salt, evidence.country))
    node: bytes32 = keccak256(concat(LEAF_DOMAIN, evidence.document_root, country))
    position: uint256 = convert(question.index, uint256)
    for sibling: bytes32 in evidence.path:
        if position & 1 == 0:
            node = keccak256(concat(NODE_DOMAIN, node, sibling))
        else:
            node = keccak256(concat(NODE_DOMAIN, sibling, node))
        position >>= 1
    root: bytes32 = keccak256(
        concat(
            ROOT_DOMAIN,
            convert(record.depth, bytes1),
            convert(convert(record.kind, uint16), bytes2),
            convert(record.participant, bytes4),
            node,
        )
    )
    return root == question.batch


@internal
@view
def _is_within_residency(batch: bytes32, record: Batch, country: bytes2, evidence: Evidence) -> bool:
    bound: bytes32 = self.residencies[batch][record.participant]
    if bound == empty(bytes32) or country == record.residency:
        return True
    found: bytes32 = keccak256(
        abi_encode(RESIDENCY_DOMAIN, chain.id, self, batch, evidence.residency_salt, evidence.residency)
    )
    return found == bound and country in evidence.residency


@internal
@view
def _right_before(kind: uint8, time: uint256) -> (uint16, uint32):
    """
    @notice The default right that was voted before that second: a vote binds what is anchored after it.
    """
    if time == 0:
        return 0, 0
    fact: uint256 = history._fact(history._word_at(convert(kind, uint256), time - 1))
    return convert(fact & 65535, uint16), convert(fact >> 16, uint32)


@internal
@pure
def _right(groups: uint16, purposes: uint32) -> uint256:
    return convert(groups, uint256) | (convert(purposes, uint256) << 16)


# Freezes


@internal
@view
def _frozen_reason(batch: bytes32, index: uint32, participant: uint32) -> uint16:
    word: uint256 = history.latest[CONTROLLER_FREEZES + convert(participant, uint256)]
    if word & 1 == 0:
        word = history.latest[self._record_subject(batch, EVERY_INDEX)]
    if word & 1 == 0:
        word = history.latest[self._record_subject(batch, index)]
    return convert((word >> 1) & 65535, uint16) if word & 1 != 0 else 0


@internal
def _set_frozen(subject: uint256, reason: uint16):
    assert history.latest[subject] & 1 == 0, "access: already frozen"
    history._append(subject, block.timestamp, 1 | (convert(reason, uint256) << 1))


@internal
def _lift_freeze(subject: uint256):
    assert history.latest[subject] & 1 == 1, "access: not frozen"
    history._append(subject, block.timestamp, 0)


@internal
@pure
def _record_subject(batch: bytes32, index: uint32) -> uint256:
    return convert(keccak256(concat(batch, convert(convert(index, uint256), bytes32))), uint256)


# Who sends


@internal
@view
def _batch(root: bytes32) -> Batch:
    certificates: address = staticcall Directory(DIRECTORY).addressOf(names.CERTIFICATES)
    return staticcall Certificates(certificates).batch(root)


@internal
@view
def _sender_participant() -> uint32:
    participants: address = staticcall Directory(DIRECTORY).addressOf(names.PARTICIPANTS)
    standing: Standing = staticcall Participants(participants).standingOf(msg.sender)
    assert standing.in_force, "access: not a participant in force"
    return standing.participant


@internal
@view
def _sender_party() -> uint64:
    consortium: address = staticcall Directory(DIRECTORY).addressOf(names.CONSORTIUM)
    authority: uint256 = staticcall Consortium(consortium).activeAuthority(msg.sender)
    if authority != 0:
        return convert(authority, uint64)
    return FIRST_PARTICIPANT + convert(self._sender_participant(), uint64)


@internal
@view
def _sender_authority() -> uint256:
    consortium: address = staticcall Directory(DIRECTORY).addressOf(names.CONSORTIUM)
    authority: uint256 = staticcall Consortium(consortium).activeAuthority(msg.sender)
    assert authority != 0, "access: not an active authority"
    return authority


@internal
@view
def _require_authority_of(batch: bytes32):
    record: Batch = self._batch(batch)
    assert record.anchored_at != 0, "access: unknown batch"
    assert convert(record.authority, uint256) == self._sender_authority(), "access: not its authority"


@internal
@view
def _require_authority_over(participant: uint32):
    participants: address = staticcall Directory(DIRECTORY).addressOf(names.PARTICIPANTS)
    over: uint16 = staticcall Participants(participants).authorityOver(participant)
    assert over != 0, "access: unknown participant"
    assert convert(over, uint256) == self._sender_authority(), "access: not its authority"


# Rules on values


@internal
@pure
def _party_of(word: uint256) -> uint64:
    return convert((word >> 160) & (2**64 - 1), uint64)


@internal
@pure
def _check_url(url: String[URL_BYTES_MAX]):
    """
    @notice Refuse what is neither empty nor `https://` and printable ASCII.
    """
    text: Bytes[URL_BYTES_MAX] = convert(url, Bytes[URL_BYTES_MAX])
    if len(text) == 0:
        return
    assert len(text) > 8 and slice(text, 0, 8) == b"https://", "access: not https"
    for i: uint256 in range(len(text), bound=URL_BYTES_MAX):
        letter: uint256 = convert(slice(text, i, 1), uint256)
        assert letter >= 33 and letter <= 126, "access: address"
