# pragma version ==0.4.3
# pragma evm-version london
"""
@title Participants
@notice Who acts under an authority: chambers, exporters, ports, carriers, auditors. An authority accredits them, with a
        scope (document kinds), dates and keys. Subjects are numbers; who stands behind one is a salted hash.
        Mandates are an append-only dated history and each key has one span per participant, so that "was this issuer
        entitled on that day" is proven at one recent header. Periods are [from, to): `to` is the first second outside.
@dev A mandate is one fact of 192 bits: status 8 | roles 8 | authority 16 | reason 16 | kinds 64 | from 40 | to 40, from the
     low bits up. The history's subject is the participant's number.
"""

import history
import names

interface Directory:
    def addressOf(name: bytes32) -> address: view

interface Consortium:
    def activeAuthority(admin: address) -> uint256: view
    def wasActive(authority: uint256, time: uint256) -> bool: view

KEYS_AT_ACCREDITATION_MAX: constant(uint256) = 8
LIVE_KEYS_MAX: constant(uint256) = 64  # enough for an issuer's machines; bounds what one mandate can send from
PARTICIPANTS_MAX: constant(uint256) = 2**32 - 1

ACTIVE: constant(uint256) = 1
SUSPENDED: constant(uint256) = 2
ENDED: constant(uint256) = 3

ISSUING_ROLES: constant(uint256) = 1 | 2  # chamber 1, exporter 2, port 4, carrier 8, auditor 16, service 32
ALL_ROLES: constant(uint256) = 63

DIRECTORY: immutable(address)

struct Mandate:
    status: uint8
    roles: uint8
    authority: uint16
    reason: uint16
    kinds: uint64
    valid_from: uint40
    valid_to: uint40
    since: uint40
    sequence: uint16

struct SealSpan:
    bound_from: uint40
    bound_to: uint40
    expires: uint40

struct Standing:
    participant: uint32
    authority: uint16
    roles: uint8
    in_force: bool

initializes: history
participant_count: uint256
identities: HashMap[uint256, bytes32]
participant_of_identity: HashMap[bytes32, uint256]
holders: HashMap[address, uint256]  # key -> participant, while the key lives
key_spans: HashMap[uint256, HashMap[address, uint256]]  # from (40 bits) | to << 40; to = 0: still
live_key_count: HashMap[uint256, uint256]
seals: HashMap[uint256, bytes32]  # the binding of the seal certificate that stands
seal_spans: HashMap[uint256, HashMap[bytes32, uint256]]  # from (40 bits) | to << 40 | expires << 80; to = 0: still

event ParticipantAccredited:
    participant: indexed(uint32)
    authority: indexed(uint16)
    identity: indexed(bytes32)
    roles: uint8
    kinds: uint64
    valid_from: uint40
    valid_to: uint40

event MandateChanged:
    participant: indexed(uint32)
    roles: uint8
    kinds: uint64
    valid_from: uint40
    valid_to: uint40

event ParticipantSuspended:
    participant: indexed(uint32)
    reason: uint16

event ParticipantReinstated:
    participant: indexed(uint32)

event ParticipantEnded:
    participant: indexed(uint32)
    reason: uint16

event KeyAdded:
    participant: indexed(uint32)
    key: indexed(address)

event KeyRemoved:
    participant: indexed(uint32)
    key: indexed(address)

event SealBound:
    participant: indexed(uint32)
    binding: indexed(bytes32)
    expires: uint40

event SealUnbound:
    participant: indexed(uint32)
    binding: indexed(bytes32)
    reason: uint16


@deploy
def __init__(directory: address):
    """
    @notice Bind to the Directory through which the Consortium is found.
    """
    assert directory != empty(address), "participants: zero directory"
    DIRECTORY = directory


@external
def accredit(
    identity: bytes32,
    roles: uint8,
    kinds: uint64,
    valid_from: uint40,
    valid_to: uint40,
    keys: DynArray[address, KEYS_AT_ACCREDITATION_MAX],
) -> uint32:
    """
    @notice Accredit a participant under the sender's authority; gives its number.
    @param identity Salted hash of who it is; new on this ledger.
    @param roles Bits: chamber 1, exporter 2, port 4, carrier 8, auditor 16, service 32.
    @param kinds Bit k: may attest documents of kind k.
    @param keys Accounts that act for it.
    """
    authority: uint256 = self._sender_authority()
    assert identity != empty(bytes32), "participants: zero identity"
    assert self.participant_of_identity[identity] == 0, "participants: known identity"
    self._check_mandate(roles, valid_from, valid_to)
    assert len(keys) != 0, "participants: no key"
    assert self.participant_count < PARTICIPANTS_MAX, "participants: full"
    participant: uint256 = self.participant_count + 1
    self.participant_count = participant
    self.identities[participant] = identity
    self.participant_of_identity[identity] = participant
    history._append(participant, block.timestamp, self._pack(ACTIVE, roles, authority, 0, kinds, valid_from, valid_to))
    log ParticipantAccredited(
        participant=convert(participant, uint32),
        authority=convert(authority, uint16),
        identity=identity,
        roles=roles,
        kinds=kinds,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    for key: address in keys:
        self._add_key(participant, key)
    return convert(participant, uint32)


@external
def changeMandate(participant: uint32, roles: uint8, kinds: uint64, valid_from: uint40, valid_to: uint40):
    """
    @notice Give another scope or other dates from now on. A suspension stays.
    """
    mandate: Mandate = self._own_mandate(participant)
    self._check_mandate(roles, valid_from, valid_to)
    mandate.roles = roles
    mandate.kinds = kinds
    mandate.valid_from = valid_from
    mandate.valid_to = valid_to
    self._append(participant, mandate)
    log MandateChanged(participant=participant, roles=roles, kinds=kinds, valid_from=valid_from, valid_to=valid_to)


@external
def suspend(participant: uint32, reason: uint16):
    """
    @notice Suspend the mandate from now on, until it is reinstated.
    """
    mandate: Mandate = self._own_mandate(participant)
    assert convert(mandate.status, uint256) == ACTIVE, "participants: not active"
    assert reason != 0, "participants: no reason"
    mandate.status = convert(SUSPENDED, uint8)
    mandate.reason = reason
    self._append(participant, mandate)
    log ParticipantSuspended(participant=participant, reason=reason)


@external
def reinstate(participant: uint32):
    """
    @notice Lift a suspension from now on. The time of the suspension stays in the history.
    """
    mandate: Mandate = self._own_mandate(participant)
    assert convert(mandate.status, uint256) == SUSPENDED, "participants: not suspended"
    mandate.status = convert(ACTIVE, uint8)
    mandate.reason = 0
    self._append(participant, mandate)
    log ParticipantReinstated(participant=participant)


@external
def end(participant: uint32, reason: uint16):
    """
    @notice End the mandate for good. What it attested before stays attested.
    """
    mandate: Mandate = self._own_mandate(participant)
    assert reason != 0, "participants: no reason"
    mandate.status = convert(ENDED, uint8)
    mandate.reason = reason
    self._append(participant, mandate)
    log ParticipantEnded(participant=participant, reason=reason)


@external
def addKey(participant: uint32, key: address):
    """
    @notice Let another account act for the participant from now on.
    """
    self._require_own(participant)
    self._add_key(convert(participant, uint256), key)


@external
def removeKey(participant: uint32, key: address):
    """
    @notice Stop an account from acting, for good. Its authority may, and so may any live key of the participant itself.
    """
    subject: uint256 = convert(participant, uint256)
    assert subject != 0 and self.holders[key] == subject, "participants: not its key"
    if self.holders[msg.sender] != subject:
        accredited_by: uint256 = (history.latest[subject] >> 16) & 65535
        assert accredited_by == self._sender_authority(), "participants: not its authority"
    self.holders[key] = 0
    self.key_spans[subject][key] |= block.timestamp << 40
    self.live_key_count[subject] -= 1
    log KeyRemoved(participant=participant, key=key)


@external
def bindSeal(participant: uint32, binding: bytes32, expires: uint40):
    """
    @notice Say that the holder of a seal certificate is this participant; it ends what was bound before. A key of the
            participant's own alone may: with the statement that the seal key signed, each side speaks for the other.
    @param binding Salted hash of the statement, its signature and the certificate; used once.
    @param expires The certificate's last second, so that everybody sees it end weeks ahead.
    """
    subject: uint256 = convert(participant, uint256)
    assert subject != 0 and self.holders[msg.sender] == subject, "participants: not its key"
    assert binding != empty(bytes32), "participants: zero binding"
    assert self.seal_spans[subject][binding] == 0, "participants: binding was used"
    assert convert(expires, uint256) > block.timestamp, "participants: seal is over"
    if self.seals[subject] != empty(bytes32):
        self._unbind(participant, 0)
    self.seals[subject] = binding
    self.seal_spans[subject][binding] = block.timestamp | (convert(expires, uint256) << 80)
    log SealBound(participant=participant, binding=binding, expires=expires)


@external
def unbindSeal(participant: uint32, reason: uint16):
    """
    @notice End the binding that stands: the certificate was revoked, or its key is lost. A key of the participant's own may,
            and its authority.
    """
    subject: uint256 = convert(participant, uint256)
    assert self.seals[subject] != empty(bytes32), "participants: no seal"
    assert reason != 0, "participants: no reason"
    if self.holders[msg.sender] != subject:
        accredited_by: uint256 = (history.latest[subject] >> 16) & 65535
        assert accredited_by == self._sender_authority(), "participants: not its authority"
    self._unbind(participant, reason)


@external
@view
def issuer(key: address, kind: uint8) -> (uint32, uint16):
    """
    @notice The participant behind a key and its authority, when it may issue documents of that kind now; else a revert that
            says why. Whether the authority itself is in good standing is the Consortium's to say.
    """
    participant: uint256 = self.holders[key]
    assert participant != 0, "participants: unknown key"
    fact: uint256 = history._fact(history.latest[participant])
    assert fact & 255 == ACTIVE, "participants: not active"
    assert (fact >> 8) & ISSUING_ROLES != 0, "participants: not an issuer"
    assert kind < 64 and (fact >> (48 + convert(kind, uint256))) & 1 != 0, "participants: outside its scope"
    assert self._is_within(fact, block.timestamp), "participants: outside its dates"
    return convert(participant, uint32), convert((fact >> 16) & 65535, uint16)


@external
@view
def entitled(participant: uint32, kind: uint8, time: uint256) -> bool:
    """
    @notice Whether the participant could issue documents of that kind at that time: mandate, scope, dates, and its authority
            in good standing, all as they stood then.
    """
    fact: uint256 = history._fact(history._word_at(convert(participant, uint256), time))
    if fact & 255 != ACTIVE or (fact >> 8) & ISSUING_ROLES == 0:
        return False
    if kind >= 64 or (fact >> (48 + convert(kind, uint256))) & 1 == 0:
        return False
    if not self._is_within(fact, time):
        return False
    return staticcall Consortium(self._consortium()).wasActive((fact >> 16) & 65535, time)


@external
@view
def authorityBehind(key: address) -> uint256:
    """
    @notice The authority that answers for this key while its participant's mandate is active now; else zero.
    """
    participant: uint256 = self.holders[key]
    if participant == 0:
        return 0
    fact: uint256 = history._fact(history.latest[participant])
    if fact & 255 != ACTIVE or not self._is_within(fact, block.timestamp):
        return 0
    return (fact >> 16) & 65535


@external
@view
def standingOf(key: address) -> Standing:
    """
    @notice For whom a key acts now, under which authority, in which roles, and whether that mandate is in force; all zero for
            a key of nobody. Whether the authority itself is in good standing is the Consortium's to say.
    """
    participant: uint256 = self.holders[key]
    fact: uint256 = history._fact(history.latest[participant])
    return Standing(
        participant=convert(participant, uint32),
        authority=convert((fact >> 16) & 65535, uint16),
        roles=convert((fact >> 8) & 255, uint8),
        in_force=fact & 255 == ACTIVE and self._is_within(fact, block.timestamp),
    )


@external
@view
def authorityOver(participant: uint32) -> uint16:
    """
    @notice The authority that accredited a participant, whatever its mandate; zero when there is no such participant.
    """
    return convert((history._fact(history.latest[convert(participant, uint256)]) >> 16) & 65535, uint16)


@external
@view
def isActive(key: address) -> bool:
    """
    @notice Whether this key belongs to a participant whose mandate is active now.
    """
    participant: uint256 = self.holders[key]
    if participant == 0:
        return False
    fact: uint256 = history._fact(history.latest[participant])
    return fact & 255 == ACTIVE and self._is_within(fact, block.timestamp)


@external
@view
def participantOf(key: address) -> uint32:
    """
    @notice The participant for which this key acts now, whatever its mandate; zero when none.
    """
    return convert(self.holders[key], uint32)


@external
@view
def participantByIdentity(identity: bytes32) -> uint32:
    """
    @notice The participant accredited under this salted hash; zero when none.
    """
    return convert(self.participant_of_identity[identity], uint32)


@external
@view
def identityOf(participant: uint32) -> bytes32:
    """
    @notice The salted hash of who the participant is.
    """
    return self.identities[convert(participant, uint256)]


@external
@view
def participantCount() -> uint256:
    """
    @notice How many were ever accredited; their numbers are 1 to this.
    """
    return self.participant_count


@external
@view
def mandate(participant: uint32) -> Mandate:
    """
    @notice The mandate as it stands; all zero when there is no such participant.
    """
    return self._unpack(history.latest[convert(participant, uint256)])


@external
@view
def mandateAt(participant: uint32, time: uint256) -> Mandate:
    """
    @notice The mandate as it stood at that time; all zero when there was none yet.
    """
    return self._unpack(history._word_at(convert(participant, uint256), time))


@external
@view
def keySpan(participant: uint32, key: address) -> (uint40, uint40):
    """
    @notice From when to when this key acted for the participant; (0, 0) never, (from, 0) still.
    """
    span: uint256 = self.key_spans[convert(participant, uint256)][key]
    return convert(span & (2**40 - 1), uint40), convert(span >> 40, uint40)


@external
@view
def sealOf(participant: uint32) -> bytes32:
    """
    @notice The binding that stands for a participant's seal certificate; zero when none does.
    """
    return self.seals[convert(participant, uint256)]


@external
@view
def sealSpan(participant: uint32, binding: bytes32) -> SealSpan:
    """
    @notice From when to when a binding stood, and when its certificate ends; zeros: never, bound_to 0: still.
    """
    word: uint256 = self.seal_spans[convert(participant, uint256)][binding]
    return SealSpan(
        bound_from=convert(word & (2**40 - 1), uint40),
        bound_to=convert((word >> 40) & (2**40 - 1), uint40),
        expires=convert(word >> 80, uint40),
    )


@external
@pure
def version() -> String[16]:
    """
    @notice The version of this contract's code and interface.
    """
    return "1.1.0"


@internal
@view
def _consortium() -> address:
    return staticcall Directory(DIRECTORY).addressOf(names.CONSORTIUM)


@internal
@view
def _sender_authority() -> uint256:
    authority: uint256 = staticcall Consortium(self._consortium()).activeAuthority(msg.sender)
    assert authority != 0, "participants: not an active authority"
    return authority


@internal
@view
def _require_own(participant: uint32):
    authority: uint256 = self._sender_authority()
    fact: uint256 = history._fact(history.latest[convert(participant, uint256)])
    assert fact != 0, "participants: unknown participant"
    assert (fact >> 16) & 65535 == authority, "participants: not its authority"
    assert fact & 255 != ENDED, "participants: ended"


@internal
@view
def _own_mandate(participant: uint32) -> Mandate:
    self._require_own(participant)
    return self._unpack(history.latest[convert(participant, uint256)])


@internal
@view
def _check_mandate(roles: uint8, valid_from: uint40, valid_to: uint40):
    assert roles != 0 and convert(roles, uint256) <= ALL_ROLES, "participants: unknown role"
    assert valid_from < valid_to, "participants: empty period"
    assert convert(valid_to, uint256) > block.timestamp, "participants: period is over"


@internal
def _unbind(participant: uint32, reason: uint16):
    subject: uint256 = convert(participant, uint256)
    binding: bytes32 = self.seals[subject]
    self.seals[subject] = empty(bytes32)
    self.seal_spans[subject][binding] |= block.timestamp << 40
    log SealUnbound(participant=participant, binding=binding, reason=reason)


@internal
def _add_key(participant: uint256, key: address):
    assert key != empty(address), "participants: zero key"
    assert self.holders[key] == 0, "participants: key in use"
    assert self.key_spans[participant][key] == 0, "participants: key was removed"
    assert self.live_key_count[participant] < LIVE_KEYS_MAX, "participants: too many keys"
    self.holders[key] = participant
    self.key_spans[participant][key] = block.timestamp
    self.live_key_count[participant] += 1
    log KeyAdded(participant=convert(participant, uint32), key=key)


@internal
def _append(participant: uint32, mandate: Mandate):
    history._append(
        convert(participant, uint256),
        block.timestamp,
        self._pack(
            convert(mandate.status, uint256),
            mandate.roles,
            convert(mandate.authority, uint256),
            mandate.reason,
            mandate.kinds,
            mandate.valid_from,
            mandate.valid_to,
        ),
    )


@internal
@pure
def _pack(
    status: uint256, roles: uint8, authority: uint256, reason: uint16, kinds: uint64, valid_from: uint40, valid_to: uint40
) -> uint256:
    return (
        status
        | (convert(roles, uint256) << 8)
        | (authority << 16)
        | (convert(reason, uint256) << 32)
        | (convert(kinds, uint256) << 48)
        | (convert(valid_from, uint256) << 112)
        | (convert(valid_to, uint256) << 152)
    )


@internal
@pure
def _unpack(word: uint256) -> Mandate:
    return Mandate(
        status=convert(word & 255, uint8),
        roles=convert((word >> 8) & 255, uint8),
        authority=convert((word >> 16) & 65535, uint16),
        reason=convert((word >> 32) & 65535, uint16),
        kinds=convert((word >> 48) & (2**64 - 1), uint64),
        valid_from=convert((word >> 112) & (2**40 - 1), uint40),
        valid_to=convert((word >> 152) & (2**40 - 1), uint40),
        since=convert(history._time(word), uint40),
        sequence=convert(history._sequence(word), uint16),
    )


@internal
@pure
def _is_within(fact: uint256, time: uint256) -> bool:
    return (fact >> 112) & (2**40 - 1) <= time and time < (fact >> 152) & (2**40 - 1)
