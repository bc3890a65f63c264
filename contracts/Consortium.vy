# pragma version ==0.4.3
# pragma evm-version london
"""
@title Consortium
@notice The customs authorities: who they are, with which keys, in which standing; what they decide by vote; whose validators
        seal blocks; who may connect, transact and deploy.

        One authority, one vote. A decision about membership, about an authority's keys, or about what a name in the Directory
        means needs at least two thirds of all active authorities: each of these could take every validator's seat; and so does
        one about what importing authorities may read by right. One about a code list or a parameter needs more than half. To
        abstain is not to agree. Suspended authorities neither vote nor count, and a vote given before a suspension
        does not count while it lasts. The subject of a proposal counts and may vote. A proposal lives for a period, then
        expires; until then, what has passed stays passed.

        Membership and the validator's seat are two steps: an admitted authority votes at once, and takes its seat with
        activate() when its node is level. The set of validators changes by at most one in `spacing` blocks, and is never
        empty, never holds zero or a duplicate, and is always ascending.

        A suspended authority has no vote, no seat and no peers; its admin may still transact, so as to propose its own
        reinstatement or new keys. Withdrawal is final; the country may be admitted anew, under a new number.
@dev Storage slot 1 is `validators_hash`, the keccak256 of what getValidators() returns (ABI: address[], ascending): each change
     of validators is one storage proof. Histories by subject: authority (1..255): standing, a fact of status 8 | reason 16;
     256 + authority: the number of its keys record, whose sequence + 1 is the epoch.
"""

import history
import names

interface Directory:
    def addressOf(name: bytes32) -> address: view
    def setEntry(name: bytes32, target: address): nonpayable
    def setCodeList(name: bytes32, edition: bytes32): nonpayable

interface Access:
    def setDefaultRight(kind: uint8, groups: uint16, purposes: uint32): nonpayable
    def setListingDelay(purpose: uint8, delay: uint32): nonpayable

interface Participants:
    def authorityBehind(key: address) -> uint256: view

AUTHORITIES_MAX: constant(uint256) = 255  # ever admitted: votes are bits of one word, bit 0 unused
VALIDATORS_MAX: constant(uint256) = 64  # at once: bounds getValidators() and the founding
NODES_MAX: constant(uint256) = 4  # a validator and its followers
ENCRYPTION_KEY_BYTES_MAX: constant(uint256) = 1600  # ML-KEM-768 + X25519 are 1216
KEYS_HISTORY: constant(uint256) = 256

ACTIVE: constant(uint256) = 1
SUSPENDED: constant(uint256) = 2
WITHDRAWN: constant(uint256) = 3

ADMISSION: constant(uint8) = 1
SUSPENSION: constant(uint8) = 2
REINSTATEMENT: constant(uint8) = 3
WITHDRAWAL: constant(uint8) = 4
KEYS: constant(uint8) = 5
ENTRY: constant(uint8) = 6
CODE_LIST: constant(uint8) = 7
PARAMETER: constant(uint8) = 8
DEFAULT_RIGHT: constant(uint8) = 9
LISTING_DELAY: constant(uint8) = 10

OPEN: constant(uint8) = 1
PASSED: constant(uint8) = 2
EXECUTED: constant(uint8) = 3
REJECTED: constant(uint8) = 4

SPACING_BLOCKS: constant(uint8) = 1
PROPOSAL_PERIOD: constant(uint8) = 2
PARTICIPANTS_DEPLOY: constant(uint8) = 3
SPACING_BLOCKS_MAX: constant(uint256) = 100_000
PROPOSAL_PERIOD_MIN: constant(uint256) = 60
PROPOSAL_PERIOD_MAX: constant(uint256) = 31_536_000
PURPOSES: constant(uint8) = 32
LISTING_DELAY_MAX: constant(uint32) = 315_360_000

DIRECTORY: immutable(address)

struct Node:
    id_x: bytes32
    id_y: bytes32
    endpoint: String[64]

struct Keys:
    admin: address
    validator: address
    seal_certificate: bytes32
    encryption_suite: uint16
    encryption_key: Bytes[ENCRYPTION_KEY_BYTES_MAX]
    nodes: DynArray[Node, NODES_MAX]

struct Founder:
    country: bytes2
    keys: Keys

struct Authority:
    country: bytes2
    status: uint8
    validating: bool
    admitted_at: uint64
    since: uint64
    reason: uint16
    keys_id: uint256
    epoch: uint256

struct Proposal:
    kind: uint8
    status: uint8
    authority: uint256
    proposer: uint256
    made_at: uint64
    expires_at: uint64
    approvals: uint256
    refusals: uint256
    reason: uint16
    country: bytes2
    keys_id: uint256
    name: bytes32
    amount: uint256

validators_hash: bytes32
validators: DynArray[address, VALIDATORS_MAX]
last_set_change: uint256
active: uint256
roster_version: uint256
initializes: history
authority_count: uint256
countries: HashMap[uint256, bytes2]
admitted_at: HashMap[uint256, uint64]
validating: HashMap[uint256, bool]
keys_count: uint256
keys_records: HashMap[uint256, Keys]
admin_owners: HashMap[address, uint256]
validator_owners: HashMap[address, uint256]
node_owners: HashMap[bytes32, uint256]
country_owners: HashMap[bytes2, uint256]
parameters: HashMap[uint8, uint256]
proposal_count: uint256
proposals: HashMap[uint256, Proposal]

event ProposalMade:
    proposal: indexed(uint256)
    proposer: indexed(uint256)
    kind: uint8
    authority: uint256

event VoteCast:
    proposal: indexed(uint256)
    authority: indexed(uint256)
    approve: bool

event ProposalPassed:
    proposal: indexed(uint256)

event ProposalRejected:
    proposal: indexed(uint256)

event ProposalExecuted:
    proposal: indexed(uint256)

event AuthorityAdmitted:
    authority: indexed(uint256)
    country: indexed(bytes2)
    keys_id: uint256

event AuthoritySuspended:
    authority: indexed(uint256)
    reason: uint16

event AuthorityReinstated:
    authority: indexed(uint256)

event AuthorityWithdrawn:
    authority: indexed(uint256)
    reason: uint16

event KeysReplaced:
    authority: indexed(uint256)
    keys_id: uint256
    epoch: uint256

event ValidatorActivated:
    authority: indexed(uint256)
    validator: indexed(address)
    validators_hash: bytes32

event ValidatorStoodDown:
    authority: indexed(uint256)
    validator: indexed(address)
    validators_hash: bytes32

event ParameterSet:
    parameter: indexed(uint8)
    amount: uint256


@deploy
def __init__(
    directory: address,
    founded_at: uint256,
    spacing_blocks: uint256,
    proposal_period_s: uint256,
    participants_deploy: bool,
    founders: DynArray[Founder, VALIDATORS_MAX],
):
    """
    @notice Found the consortium: every founder is active and validates from block 0.
    @param founded_at The founding time of the ceremony's parameters: no clock is asked.
    """
    assert directory != empty(address), "consortium: zero directory"
    assert founded_at != 0 and founded_at < 2**40, "consortium: founding time"
    assert len(founders) != 0, "consortium: no founder"
    DIRECTORY = directory
    self._set_parameter(SPACING_BLOCKS, spacing_blocks)
    self._set_parameter(PROPOSAL_PERIOD, proposal_period_s)
    self._set_parameter(PARTICIPANTS_DEPLOY, convert(participants_deploy, uint256))
    for founder: Founder in founders:
        self._check_country(founder.country)
        authority: uint256 = self._admit(founder.country, self._record_keys(founder.keys), founded_at)
        self.validating[authority] = True
        self._insert_validator(founder.keys.validator)
    self._seal_set()


@external
def proposeAdmission(country: bytes2, keys: Keys) -> uint256:
    """
    @notice Propose to admit a country's authority with these keys; endpoints are printable ASCII. Two thirds.
    """
    self._check_country(country)
    assert self.country_owners[country] == 0, "consortium: country is a member"
    proposal: Proposal = self._draft(ADMISSION, 0)
    proposal.country = country
    proposal.keys_id = self._record_keys(keys)
    return self._propose(proposal)


@external
def proposeSuspension(authority: uint256, reason: uint16) -> uint256:
    """
    @notice Propose to suspend an authority. Two thirds.
    """
    assert reason != 0, "consortium: no reason"
    assert self._status(authority) == ACTIVE, "consortium: not active"
    proposal: Proposal = self._draft(SUSPENSION, authority)
    proposal.reason = reason
    return self._propose(proposal)


@external
def proposeReinstatement(authority: uint256) -> uint256:
    """
    @notice Propose to reinstate a suspended authority; it may do so itself. Two thirds. Its seat it takes with activate().
    """
    assert self._status(authority) == SUSPENDED, "consortium: not suspended"
    return self._propose(self._draft(REINSTATEMENT, authority))


@external
def proposeWithdrawal(authority: uint256, reason: uint16) -> uint256:
    """
    @notice Propose that an authority leaves for good. Two thirds.
    """
    assert reason != 0, "consortium: no reason"
    self._require_member(authority)
    proposal: Proposal = self._draft(WITHDRAWAL, authority)
    proposal.reason = reason
    return self._propose(proposal)


@external
def proposeKeys(authority: uint256, keys: Keys) -> uint256:
    """
    @notice Propose to replace all keys of an authority. Two thirds. The old record stays, with its dates.
    """
    self._require_member(authority)
    proposal: Proposal = self._draft(KEYS, authority)
    proposal.keys_id = self._record_keys(keys)
    return self._propose(proposal)


@external
def proposeEntry(name: bytes32, target: address) -> uint256:
    """
    @notice Propose what a name in the Directory shall mean. Two thirds.
    """
    assert name != empty(bytes32) and target != empty(address), "consortium: zero name or target"
    assert name != names.CONSORTIUM, "consortium: fixed name"
    proposal: Proposal = self._draft(ENTRY, 0)
    proposal.name = name
    proposal.amount = convert(target, uint256)
    return self._propose(proposal)


@external
def proposeCodeList(name: bytes32, edition: bytes32) -> uint256:
    """
    @notice Propose to accept an edition of a code list, by its hash. More than half.
    """
    assert name != empty(bytes32) and edition != empty(bytes32), "consortium: zero name or edition"
    proposal: Proposal = self._draft(CODE_LIST, 0)
    proposal.name = name
    proposal.amount = convert(edition, uint256)
    return self._propose(proposal)


@external
def proposeParameter(parameter: uint8, amount: uint256) -> uint256:
    """
    @notice Propose to set a parameter. More than half.
    @param parameter 1 spacing of changes of the validator set, in blocks; 2 how long a proposal lives, in seconds;
                     3 whether participants may deploy contracts (0 or 1).
    """
    self._check_parameter(parameter, amount)
    proposal: Proposal = self._draft(PARAMETER, convert(parameter, uint256))
    proposal.amount = amount
    return self._propose(proposal)


@external
def proposeDefaultRight(kind: uint8, groups: uint16, purposes: uint32) -> uint256:
    """
    @notice Propose what importing authorities may read by right of documents of a kind, anchored after it is decided: bits of
            field groups and of purposes; nothing when either is zero. Two thirds.
    """
    proposal: Proposal = self._draft(DEFAULT_RIGHT, convert(kind, uint256))
    proposal.amount = convert(groups, uint256) | (convert(purposes, uint256) << 16)
    return self._propose(proposal)


@external
def proposeListingDelay(purpose: uint8, delay: uint32) -> uint256:
    """
    @notice Propose how many seconds after a read for a purpose the record's subject is told of it, at most ten years; zero
            for at once. Binds reads after it is decided. Two thirds.
    """
    assert purpose != 0 and purpose < PURPOSES, "consortium: unknown purpose"
    assert delay <= LISTING_DELAY_MAX, "consortium: delay too long"
    proposal: Proposal = self._draft(LISTING_DELAY, convert(purpose, uint256))
    proposal.amount = convert(delay, uint256)
    return self._propose(proposal)


@external
def vote(proposal: uint256, approve: bool):
    """
    @notice Vote once and finally. A proposal that is thereby decided is executed at once, if the spacing of changes of the
            validator set permits; else any active admin calls execute() later.
    """
    authority: uint256 = self._active_sender()
    assert self.proposals[proposal].status == OPEN, "consortium: not open"
    self._require_fresh(proposal)
    bit: uint256 = 1 << authority
    assert (self.proposals[proposal].approvals | self.proposals[proposal].refusals) & bit == 0, "consortium: voted already"
    self._cast(proposal, authority, approve)
    self._decide(proposal)
    if self.proposals[proposal].status == PASSED and self._may_execute_now(proposal):
        self._execute(proposal)


@external
def execute(proposal: uint256):
    """
    @notice Execute a proposal that has passed, or passes now because fewer authorities count than before.
    """
    sender: uint256 = self._active_sender()
    if self.proposals[proposal].status == OPEN:
        self._decide(proposal)
    assert self.proposals[proposal].status == PASSED, "consortium: not passed"
    self._require_fresh(proposal)
    assert self._may_execute_now(proposal), "consortium: set changed lately"
    self._execute(proposal)


@external
def activate():
    """
    @notice Take the sender's authority's seat among the validators: its node is level and will seal from the next block on.
    """
    authority: uint256 = self._active_sender()
    assert not self.validating[authority], "consortium: already validating"
    assert self._spacing_is_over(), "consortium: set changed lately"
    self.validating[authority] = True
    validator: address = self._validator_of(authority)
    self._insert_validator(validator)
    self._seal_set()
    log ValidatorActivated(authority=authority, validator=validator, validators_hash=self.validators_hash)


@external
def standDown():
    """
    @notice Give up the sender's authority's seat, for maintenance say; activate() takes it again.
    """
    authority: uint256 = self._active_sender()
    assert self.validating[authority], "consortium: not validating"
    assert self._spacing_is_over(), "consortium: set changed lately"
    self._vacate(authority)


@external
@view
def getValidators() -> DynArray[address, VALIDATORS_MAX]:
    """
    @notice The validators after this block, ascending (QBFT contract mode; the name is Besu's).
    """
    return self.validators


@external
@view
def validatorsHash() -> bytes32:
    """
    @notice keccak256 of what getValidators() returns; also storage slot 1.
    """
    return self.validators_hash


@external
@view
def mayTransact(account: address) -> bool:
    """
    @notice Whether consensus lets this account send transactions: admins of authorities that have not withdrawn, and keys of
            participants with an active mandate under an active authority.
    """
    return self.admin_owners[account] != 0 or self._is_participant(account)


@external
@view
def mayDeploy(account: address) -> bool:
    """
    @notice Whether consensus lets this account create contracts: admins of active authorities; participants only by parameter.
    """
    if self._is_active(self.admin_owners[account]):
        return True
    return self.parameters[PARTICIPANTS_DEPLOY] == 1 and self._is_participant(account)


@external
@view
def mayConnect(node: bytes32) -> bool:
    """
    @notice Whether a peer may connect: keccak256 of its 64-byte node id, listed by an active authority.
    """
    return self._is_active(self.node_owners[node])


@external
@view
def authorityCount() -> uint256:
    """
    @notice How many authorities were ever admitted; their numbers are 1 to this.
    """
    return self.authority_count


@external
@view
def authority(number: uint256) -> Authority:
    """
    @notice An authority as it stands; all zero when there is none of that number.
    """
    if number == 0 or number > self.authority_count:
        return empty(Authority)
    standing: uint256 = history.latest[number]
    record: uint256 = history.latest[KEYS_HISTORY + number]
    return Authority(
        country=self.countries[number],
        status=convert(standing & 255, uint8),
        validating=self.validating[number],
        admitted_at=self.admitted_at[number],
        since=convert(history._time(standing), uint64),
        reason=convert((standing >> 8) & 65535, uint16),
        keys_id=history._fact(record),
        epoch=history._sequence(record) + 1,
    )


@external
@view
def keys(keys_id: uint256) -> Keys:
    """
    @notice A keys record, current or not; all zero when there is none of that number.
    """
    return self.keys_records[keys_id]


@external
@view
def nodes(authority: uint256) -> DynArray[Node, NODES_MAX]:
    """
    @notice The nodes of an authority: the first is its validator, the others follow.
    """
    return self.keys_records[self._keys_of(authority)].nodes


@external
@view
def authorityOf(admin: address) -> uint256:
    """
    @notice The authority, active or suspended, of which this is the admin; else zero.
    """
    return self.admin_owners[admin]


@external
@view
def activeAuthority(admin: address) -> uint256:
    """
    @notice The active authority of which this is the admin; else zero.
    """
    authority: uint256 = self.admin_owners[admin]
    return authority if self._is_active(authority) else 0


@external
@view
def activeCountry(authority: uint256) -> bytes2:
    """
    @notice The country of an authority in good standing; else zero.
    """
    return self.countries[authority] if self._is_active(authority) else empty(bytes2)


@external
@view
def authorityOfCountry(country: bytes2) -> uint256:
    """
    @notice The country's authority, active or suspended; else zero.
    """
    return self.country_owners[country]


@external
@view
def isActive(authority: uint256) -> bool:
    """
    @notice Whether the authority is in good standing now.
    """
    return self._is_active(authority)


@external
@view
def wasActive(authority: uint256, time: uint256) -> bool:
    """
    @notice Whether the authority was in good standing at that time.
    """
    return self._standing_word(authority, time) & 255 == ACTIVE


@external
@view
def standingAt(authority: uint256, time: uint256) -> (uint8, uint64, uint16):
    """
    @notice Status, since when, and reason, as they stood at that time; zeros before it was admitted.
    """
    word: uint256 = self._standing_word(authority, time)
    return (
        convert(word & 255, uint8), convert(history._time(word), uint64), convert((word >> 8) & 65535, uint16)
    )


@external
@view
def keysAt(authority: uint256, time: uint256) -> uint256:
    """
    @notice The number of the keys record in force at that time; zero before it was admitted.
    """
    if authority > AUTHORITIES_MAX:
        return 0
    return history._fact(history._word_at(KEYS_HISTORY + authority, time))


@external
@view
def proposalCount() -> uint256:
    """
    @notice How many proposals were ever made; their numbers are 1 to this.
    """
    return self.proposal_count


@external
@view
def proposal(number: uint256) -> Proposal:
    """
    @notice A proposal; all zero when there is none of that number. Votes are bits, by authority.
    """
    return self.proposals[number]


@external
@view
def parameter(number: uint8) -> uint256:
    """
    @notice The value of a parameter; zero when there is none of that number.
    """
    return self.parameters[number]


@external
@view
def lastSetChange() -> uint256:
    """
    @notice The block in which the set of validators last changed.
    """
    return self.last_set_change


@external
@view
def rosterVersion() -> uint256:
    """
    @notice A number that grows whenever somebody's nodes or standing change: who may connect must be read anew.
    """
    return self.roster_version


@external
@pure
def version() -> String[16]:
    """
    @notice The version of this contract's code and interface.
    """
    return "1.1.0"


# Standing


@internal
@view
def _is_active(authority: uint256) -> bool:
    return authority <= AUTHORITIES_MAX and (self.active >> authority) & 1 != 0


@internal
@view
def _status(authority: uint256) -> uint256:
    if authority > AUTHORITIES_MAX:
        return 0
    return history.latest[authority] & 255


@internal
@view
def _standing_word(authority: uint256, time: uint256) -> uint256:
    if authority > AUTHORITIES_MAX:
        return 0
    return history._word_at(authority, time)


@internal
@view
def _is_participant(account: address) -> bool:
    participants: address = staticcall Directory(DIRECTORY).addressOf(names.PARTICIPANTS)
    return self._is_active(staticcall Participants(participants).authorityBehind(account))


@internal
@view
def _active_sender() -> uint256:
    authority: uint256 = self.admin_owners[msg.sender]
    assert authority != 0, "consortium: not an authority"
    assert self._is_active(authority), "consortium: suspended"
    return authority


@internal
@view
def _require_member(authority: uint256):
    status: uint256 = self._status(authority)
    assert status == ACTIVE or status == SUSPENDED, "consortium: not a member"


@internal
def _set_standing(authority: uint256, status: uint256, reason: uint16, time: uint256):
    history._append(authority, time, status | (convert(reason, uint256) << 8))
    bit: uint256 = 1 << authority
    if status == ACTIVE:
        self.active |= bit
    else:
        self.active &= ~bit
    self.roster_version += 1


# Proposals


@internal
@view
def _draft(kind: uint8, authority: uint256) -> Proposal:
    proposer: uint256 = self.admin_owners[msg.sender]
    assert proposer != 0, "consortium: not an authority"
    if not self._is_active(proposer):
        assert authority == proposer and (kind == REINSTATEMENT or kind == KEYS), "consortium: suspended"
    return Proposal(
        kind=kind,
        status=OPEN,
        authority=authority,
        proposer=proposer,
        made_at=convert(block.timestamp, uint64),
        expires_at=convert(block.timestamp + self.parameters[PROPOSAL_PERIOD], uint64),
        approvals=0,
        refusals=0,
        reason=0,
        country=empty(bytes2),
        keys_id=0,
        name=empty(bytes32),
        amount=0,
    )


@internal
def _propose(draft: Proposal) -> uint256:
    number: uint256 = self.proposal_count + 1
    self.proposal_count = number
    self.proposals[number] = draft
    log ProposalMade(proposal=number, proposer=draft.proposer, kind=draft.kind, authority=draft.authority)
    if self._is_active(draft.proposer):
        self._cast(number, draft.proposer, True)
        self._decide(number)
        if self.proposals[number].status == PASSED and self._may_execute_now(number):
            self._execute(number)
    return number


@internal
def _cast(proposal: uint256, authority: uint256, approve: bool):
    if approve:
        self.proposals[proposal].approvals |= 1 << authority
    else:
        self.proposals[proposal].refusals |= 1 << authority
    log VoteCast(proposal=proposal, authority=authority, approve=approve)


@internal
def _decide(proposal: uint256):
    active: uint256 = self._count_bits(self.active)
    approvals: uint256 = self._count_bits(self.proposals[proposal].approvals & self.active)
    refusals: uint256 = self._count_bits(self.proposals[proposal].refusals & self.active)
    kind: uint8 = self.proposals[proposal].kind
    if self._suffices(kind, approvals, active):
        self.proposals[proposal].status = PASSED
        log ProposalPassed(proposal=proposal)
    elif not self._suffices(kind, active - refusals, active):
        self.proposals[proposal].status = REJECTED
        log ProposalRejected(proposal=proposal)


@internal
@pure
def _suffices(kind: uint8, approvals: uint256, active: uint256) -> bool:
    if kind <= ENTRY or kind == DEFAULT_RIGHT or kind == LISTING_DELAY:
        return 3 * approvals >= 2 * active
    return 2 * approvals > active


@internal
@view
def _require_fresh(proposal: uint256):
    assert block.timestamp < convert(self.proposals[proposal].expires_at, uint256), "consortium: expired"


@internal
@view
def _may_execute_now(proposal: uint256) -> bool:
    return self._spacing_is_over() or not self._changes_set(proposal)


@internal
@view
def _changes_set(proposal: uint256) -> bool:
    kind: uint8 = self.proposals[proposal].kind
    authority: uint256 = self.proposals[proposal].authority
    if kind == SUSPENSION or kind == WITHDRAWAL:
        return self.validating[authority]
    if kind == KEYS and self.validating[authority]:
        return self.keys_records[self.proposals[proposal].keys_id].validator != self._validator_of(authority)
    return False


@internal
def _execute(number: uint256):
    proposal: Proposal = self.proposals[number]
    self.proposals[number].status = EXECUTED
    log ProposalExecuted(proposal=number)
    if proposal.kind == ADMISSION:
        authority: uint256 = self._admit(proposal.country, proposal.keys_id, block.timestamp)
        self.proposals[number].authority = authority
        log AuthorityAdmitted(authority=authority, country=proposal.country, keys_id=proposal.keys_id)
    elif proposal.kind == SUSPENSION:
        assert self._status(proposal.authority) == ACTIVE, "consortium: not active"
        self._set_standing(proposal.authority, SUSPENDED, proposal.reason, block.timestamp)
        log AuthoritySuspended(authority=proposal.authority, reason=proposal.reason)
        self._vacate(proposal.authority)
    elif proposal.kind == REINSTATEMENT:
        assert self._status(proposal.authority) == SUSPENDED, "consortium: not suspended"
        self._set_standing(proposal.authority, ACTIVE, 0, block.timestamp)
        log AuthorityReinstated(authority=proposal.authority)
    elif proposal.kind == WITHDRAWAL:
        self._require_member(proposal.authority)
        self._set_standing(proposal.authority, WITHDRAWN, proposal.reason, block.timestamp)
        log AuthorityWithdrawn(authority=proposal.authority, reason=proposal.reason)
        self._vacate(proposal.authority)
        self.country_owners[self.countries[proposal.authority]] = 0
        self._release_keys(self._keys_of(proposal.authority))
    elif proposal.kind == KEYS:
        self._replace_keys(proposal.authority, proposal.keys_id)
    elif proposal.kind == ENTRY:
        extcall Directory(DIRECTORY).setEntry(proposal.name, convert(proposal.amount, address))
    elif proposal.kind == CODE_LIST:
        extcall Directory(DIRECTORY).setCodeList(proposal.name, convert(proposal.amount, bytes32))
    elif proposal.kind == DEFAULT_RIGHT:
        groups: uint16 = convert(proposal.amount & 65535, uint16)
        purposes: uint32 = convert(proposal.amount >> 16, uint32)
        extcall Access(self._access()).setDefaultRight(convert(proposal.authority, uint8), groups, purposes)
    elif proposal.kind == LISTING_DELAY:
        extcall Access(self._access()).setListingDelay(convert(proposal.authority, uint8), convert(proposal.amount, uint32))
    else:
        parameter: uint8 = convert(proposal.authority, uint8)
        self._set_parameter(parameter, proposal.amount)
        log ParameterSet(parameter=parameter, amount=proposal.amount)


@internal
@view
def _access() -> address:
    access: address = staticcall Directory(DIRECTORY).addressOf(names.ACCESS)
    assert access != empty(address), "consortium: no access contract"
    return access


@internal
def _admit(country: bytes2, keys_id: uint256, time: uint256) -> uint256:
    assert self.country_owners[country] == 0, "consortium: country is a member"
    assert self.authority_count < AUTHORITIES_MAX, "consortium: full"
    authority: uint256 = self.authority_count + 1
    self.authority_count = authority
    self.countries[authority] = country
    self.country_owners[country] = authority
    self.admitted_at[authority] = convert(time, uint64)
    self._claim_keys(authority, keys_id)
    history._append(KEYS_HISTORY + authority, time, keys_id)
    self._set_standing(authority, ACTIVE, 0, time)
    return authority


# Keys


@internal
@view
def _keys_of(authority: uint256) -> uint256:
    if authority == 0 or authority > AUTHORITIES_MAX:
        return 0
    return history._fact(history.latest[KEYS_HISTORY + authority])


@internal
@view
def _validator_of(authority: uint256) -> address:
    return self.keys_records[self._keys_of(authority)].validator


@internal
def _record_keys(keys: Keys) -> uint256:
    assert keys.admin != empty(address) and keys.validator != empty(address), "consortium: zero key"
    assert keys.admin != keys.validator, "consortium: keys not distinct"
    assert len(keys.encryption_key) != 0, "consortium: no encryption key"
    assert len(keys.nodes) != 0, "consortium: no node"
    for node: Node in keys.nodes:
        assert node.id_x != empty(bytes32) and node.id_y != empty(bytes32), "consortium: zero node"
        self._check_endpoint(node.endpoint)
    keys_id: uint256 = self.keys_count + 1
    self.keys_count = keys_id
    self.keys_records[keys_id] = keys
    return keys_id


@internal
def _claim_keys(authority: uint256, keys_id: uint256):
    admin: address = self.keys_records[keys_id].admin
    validator: address = self.keys_records[keys_id].validator
    assert self.admin_owners[admin] == 0, "consortium: admin in use"
    assert self.validator_owners[validator] == 0, "consortium: validator in use"
    self.admin_owners[admin] = authority
    self.validator_owners[validator] = authority
    for i: uint256 in range(len(self.keys_records[keys_id].nodes), bound=NODES_MAX):
        node: bytes32 = self._node_hash(keys_id, i)
        assert self.node_owners[node] == 0, "consortium: node in use"
        self.node_owners[node] = authority


@internal
def _release_keys(keys_id: uint256):
    self.admin_owners[self.keys_records[keys_id].admin] = 0
    self.validator_owners[self.keys_records[keys_id].validator] = 0
    for i: uint256 in range(len(self.keys_records[keys_id].nodes), bound=NODES_MAX):
        self.node_owners[self._node_hash(keys_id, i)] = 0


@internal
@view
def _node_hash(keys_id: uint256, position: uint256) -> bytes32:
    return keccak256(
        concat(self.keys_records[keys_id].nodes[position].id_x, self.keys_records[keys_id].nodes[position].id_y)
    )


@internal
def _replace_keys(authority: uint256, keys_id: uint256):
    self._require_member(authority)
    old_validator: address = self._validator_of(authority)
    new_validator: address = self.keys_records[keys_id].validator
    self._release_keys(self._keys_of(authority))
    self._claim_keys(authority, keys_id)
    history._append(KEYS_HISTORY + authority, block.timestamp, keys_id)
    self.roster_version += 1
    epoch: uint256 = history._sequence(history.latest[KEYS_HISTORY + authority]) + 1
    log KeysReplaced(authority=authority, keys_id=keys_id, epoch=epoch)
    if self.validating[authority] and new_validator != old_validator:
        self._remove_validator(old_validator)
        self._insert_validator(new_validator)
        self._seal_set()
        log ValidatorStoodDown(authority=authority, validator=old_validator, validators_hash=self.validators_hash)
        log ValidatorActivated(authority=authority, validator=new_validator, validators_hash=self.validators_hash)


# The set of validators


@internal
@view
def _spacing_is_over() -> bool:
    return block.number >= self.last_set_change + self.parameters[SPACING_BLOCKS]


@internal
def _insert_validator(validator: address):
    assert len(self.validators) < VALIDATORS_MAX, "consortium: set is full"
    self.validators.append(validator)
    for i: uint256 in range(VALIDATORS_MAX):
        position: uint256 = len(self.validators) - 1 - i
        if position == 0:
            break
        before: address = self.validators[position - 1]
        if convert(before, uint256) < convert(validator, uint256):
            break
        assert before != validator, "consortium: duplicate validator"
        self.validators[position] = before
        self.validators[position - 1] = validator


@internal
def _remove_validator(validator: address):
    last: uint256 = len(self.validators) - 1
    shifting: bool = False
    for i: uint256 in range(len(self.validators), bound=VALIDATORS_MAX):
        if self.validators[i] == validator:
            shifting = True
        if shifting and i < last:
            self.validators[i] = self.validators[i + 1]
    assert shifting, "consortium: not in the set"
    self.validators.pop()


@internal
def _seal_set():
    self.validators_hash = keccak256(abi_encode(self.validators))
    self.last_set_change = block.number


@internal
def _vacate(authority: uint256):
    if not self.validating[authority]:
        return
    assert len(self.validators) > 1, "consortium: last validator"
    validator: address = self._validator_of(authority)
    self.validating[authority] = False
    self._remove_validator(validator)
    self._seal_set()
    log ValidatorStoodDown(authority=authority, validator=validator, validators_hash=self.validators_hash)


# Rules on values


@internal
@pure
def _check_country(country: bytes2):
    letters: uint256 = convert(country, uint256)
    for bits: uint256 in [0, 8]:
        letter: uint256 = (letters >> bits) & 255
        assert letter >= 65 and letter <= 90, "consortium: not a country"


@internal
@pure
def _check_endpoint(endpoint: String[64]):
    assert len(endpoint) != 0, "consortium: no endpoint"
    text: Bytes[64] = convert(endpoint, Bytes[64])
    for i: uint256 in range(len(text), bound=64):
        letter: uint256 = convert(slice(text, i, 1), uint256)
        assert letter >= 33 and letter <= 126, "consortium: endpoint"


@internal
@pure
def _check_parameter(parameter: uint8, amount: uint256):
    if parameter == SPACING_BLOCKS:
        assert amount >= 1 and amount <= SPACING_BLOCKS_MAX, "consortium: parameter out of bounds"
    elif parameter == PROPOSAL_PERIOD:
        assert amount >= PROPOSAL_PERIOD_MIN and amount <= PROPOSAL_PERIOD_MAX, "consortium: parameter out of bounds"
    else:
        assert parameter == PARTICIPANTS_DEPLOY, "consortium: unknown parameter"
        assert amount <= 1, "consortium: parameter out of bounds"


@internal
def _set_parameter(parameter: uint8, amount: uint256):
    self._check_parameter(parameter, amount)
    self.parameters[parameter] = amount


@internal
@pure
def _count_bits(word: uint256) -> uint256:
    count: uint256 = 0
    rest: uint256 = word
    for _: uint256 in range(AUTHORITIES_MAX):
        if rest == 0:
            break
        rest &= rest - 1
        count += 1
    return count
