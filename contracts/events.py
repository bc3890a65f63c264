"""What the contracts say has happened: one frozen class for each event, and one function that reads a log.

It knows no block and no transaction: whoever reads logs has those. Of the founding no events are kept: block 0 has
no receipts. Numbers of authorities, participants and proposals are those of the contracts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from cocket.contracts import access, certificates, consortium, directory, participants
from cocket.contracts.abi import interface
from cocket.contracts.errors import MalformedAnswer
from cocket.contracts.participants import Role, decode_kinds
from cocket.contracts.values import decode_country


@dataclass(frozen=True, slots=True)
class EntrySet:
    """A name in the Directory means another contract from now on; ``previous`` is zeros for a new name."""

    name: bytes
    target: bytes
    previous: bytes


@dataclass(frozen=True, slots=True)
class CodeListSet:
    """An edition of a code list was accepted."""

    name: bytes
    edition: bytes


@dataclass(frozen=True, slots=True)
class ProposalMade:
    """A proposal was made; ``authority`` is its subject, or the number of a parameter."""

    proposal: int
    proposer: int
    kind: int
    authority: int


@dataclass(frozen=True, slots=True)
class VoteCast:
    """An authority voted."""

    proposal: int
    authority: int
    approve: bool


@dataclass(frozen=True, slots=True)
class ProposalPassed:
    """A proposal has enough votes."""

    proposal: int


@dataclass(frozen=True, slots=True)
class ProposalRejected:
    """A proposal can no longer have enough votes."""

    proposal: int


@dataclass(frozen=True, slots=True)
class ProposalExecuted:
    """What was proposed has been done."""

    proposal: int


@dataclass(frozen=True, slots=True)
class AuthorityAdmitted:
    """A country's authority became a member."""

    authority: int
    country: str
    keys_id: int


@dataclass(frozen=True, slots=True)
class AuthoritySuspended:
    """An authority lost its vote, seat and peers until it is reinstated."""

    authority: int
    reason: int


@dataclass(frozen=True, slots=True)
class AuthorityReinstated:
    """A suspended authority is active again, without a seat yet."""

    authority: int


@dataclass(frozen=True, slots=True)
class AuthorityWithdrawn:
    """An authority left for good."""

    authority: int
    reason: int


@dataclass(frozen=True, slots=True)
class KeysReplaced:
    """All keys of an authority were replaced; ``epoch`` counts its records from 1."""

    authority: int
    keys_id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class ValidatorActivated:
    """An authority took its seat among the validators, whose set now has this hash."""

    authority: int
    validator: bytes
    validators_hash: bytes


@dataclass(frozen=True, slots=True)
class ValidatorStoodDown:
    """An authority left its seat among the validators, whose set now has this hash."""

    authority: int
    validator: bytes
    validators_hash: bytes


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """A parameter has another value."""

    parameter: int
    amount: int


@dataclass(frozen=True, slots=True)
class ParticipantAccredited:
    """An authority accredited a participant."""

    participant: int
    authority: int
    identity: bytes
    roles: Role
    kinds: frozenset[int]
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class MandateChanged:
    """A participant has another scope or other dates."""

    participant: int
    roles: Role
    kinds: frozenset[int]
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class ParticipantSuspended:
    """A mandate was suspended."""

    participant: int
    reason: int


@dataclass(frozen=True, slots=True)
class ParticipantReinstated:
    """A suspended mandate is active again."""

    participant: int


@dataclass(frozen=True, slots=True)
class ParticipantEnded:
    """A mandate is over for good."""

    participant: int
    reason: int


@dataclass(frozen=True, slots=True)
class KeyAdded:
    """Another account acts for a participant."""

    participant: int
    key: bytes


@dataclass(frozen=True, slots=True)
class KeyRemoved:
    """An account no longer acts for a participant."""

    participant: int
    key: bytes


@dataclass(frozen=True, slots=True)
class SealBound:
    """A participant says that a seal certificate is its own, by the hash of the binding."""

    participant: int
    binding: bytes
    expires: int


@dataclass(frozen=True, slots=True)
class SealUnbound:
    """A seal certificate no longer counts as a participant's; reason 0: another one took its place."""

    participant: int
    binding: bytes
    reason: int


@dataclass(frozen=True, slots=True)
class BatchAnchored:
    """A batch of documents was attested."""

    root: bytes
    participant: int
    kind: int
    authority: int
    depth: int
    valid_from: int
    valid_to: int
    residency: str
    custody: bytes


@dataclass(frozen=True, slots=True)
class BatchWithdrawn:
    """A whole batch is out of force for good."""

    batch: bytes
    reason: int
    by_authority: bool


@dataclass(frozen=True, slots=True)
class ItemSuspended:
    """A document is out of force until it is reinstated."""

    batch: bytes
    index: int
    reason: int
    by_authority: bool


@dataclass(frozen=True, slots=True)
class ItemReinstated:
    """A suspended document is in force again."""

    batch: bytes
    index: int
    by_authority: bool


@dataclass(frozen=True, slots=True)
class ItemWithdrawn:
    """A document is out of force for good."""

    batch: bytes
    index: int
    reason: int
    by_authority: bool


@dataclass(frozen=True, slots=True)
class ItemSuperseded:
    """A document was replaced by another."""

    batch: bytes
    index: int
    by_batch: bytes
    by_index: int


@dataclass(frozen=True, slots=True)
class ItemUsed:
    """An authority claimed a share (parts per million) of a document; ``total`` is what all have claimed."""

    batch: bytes
    index: int
    authority: int
    share: int
    total: int


@dataclass(frozen=True, slots=True)
class UseReleased:
    """An authority gave back a share that it had claimed."""

    batch: bytes
    index: int
    authority: int
    share: int
    total: int


@dataclass(frozen=True, slots=True)
class CommitmentMade:
    """A grant, engagement, order or delegation stands."""

    commitment: bytes
    party: int
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class CommitmentWithdrawn:
    """A commitment counts no longer."""

    commitment: bytes
    party: int
    reason: int


@dataclass(frozen=True, slots=True)
class DefaultRightSet:
    """Importing authorities have another default right, as bits; it binds what is anchored later."""

    kind: int
    groups: int
    purposes: int


@dataclass(frozen=True, slots=True)
class ListingDelaySet:
    """Records' subjects are told of reads for a purpose only so many seconds later, of those from then on."""

    purpose: int
    delay: int


@dataclass(frozen=True, slots=True)
class DefaultRightDeclined:
    """A participant declined the default right for a batch that it is about to anchor."""

    batch: bytes
    participant: int


@dataclass(frozen=True, slots=True)
class ResidencySet:
    """A batch is bound to countries, by their salted hash; zeros: no longer."""

    batch: bytes
    participant: int
    commitment: bytes


@dataclass(frozen=True, slots=True)
class RecordFrozen:
    """Reads of a record, or of a whole batch, are stopped."""

    batch: bytes
    index: int
    reason: int


@dataclass(frozen=True, slots=True)
class RecordReleased:
    """A freeze of a record or batch was lifted."""

    batch: bytes
    index: int


@dataclass(frozen=True, slots=True)
class ControllerFrozen:
    """Reads of all records of a controller are stopped."""

    participant: int
    reason: int


@dataclass(frozen=True, slots=True)
class ControllerReleased:
    """The freeze of a controller's records was lifted."""

    participant: int


@dataclass(frozen=True, slots=True)
class ServiceSet:
    """A party's vault or custodian is elsewhere; an empty address: it has none."""

    party: int
    kind: int
    keeper: int
    certificate: bytes
    url: str


@dataclass(frozen=True, slots=True)
class ReceiptsAnchored:
    """A keeper's receipts of one period were anchored."""

    keeper: int
    sequence: int
    root: bytes


Event: TypeAlias = (
    EntrySet
    | CodeListSet
    | ProposalMade
    | VoteCast
    | ProposalPassed
    | ProposalRejected
    | ProposalExecuted
    | AuthorityAdmitted
    | AuthoritySuspended
    | AuthorityReinstated
    | AuthorityWithdrawn
    | KeysReplaced
    | ValidatorActivated
    | ValidatorStoodDown
    | ParameterSet
    | ParticipantAccredited
    | MandateChanged
    | ParticipantSuspended
    | ParticipantReinstated
    | ParticipantEnded
    | KeyAdded
    | KeyRemoved
    | SealBound
    | SealUnbound
    | BatchAnchored
    | BatchWithdrawn
    | ItemSuspended
    | ItemReinstated
    | ItemWithdrawn
    | ItemSuperseded
    | ItemUsed
    | UseReleased
    | CommitmentMade
    | CommitmentWithdrawn
    | DefaultRightSet
    | ListingDelaySet
    | DefaultRightDeclined
    | ResidencySet
    | RecordFrozen
    | RecordReleased
    | ControllerFrozen
    | ControllerReleased
    | ServiceSet
    | ReceiptsAnchored
)

_EVENTS: Mapping[str, Callable[..., Event]] = MappingProxyType(
    {
        "EntrySet": EntrySet,
        "CodeListSet": CodeListSet,
        "ProposalMade": ProposalMade,
        "VoteCast": VoteCast,
        "ProposalPassed": ProposalPassed,
        "ProposalRejected": ProposalRejected,
        "ProposalExecuted": ProposalExecuted,
        "AuthorityAdmitted": AuthorityAdmitted,
        "AuthoritySuspended": AuthoritySuspended,
        "AuthorityReinstated": AuthorityReinstated,
        "AuthorityWithdrawn": AuthorityWithdrawn,
        "KeysReplaced": KeysReplaced,
        "ValidatorActivated": ValidatorActivated,
        "ValidatorStoodDown": ValidatorStoodDown,
        "ParameterSet": ParameterSet,
        "ParticipantAccredited": ParticipantAccredited,
        "MandateChanged": MandateChanged,
        "ParticipantSuspended": ParticipantSuspended,
        "ParticipantReinstated": ParticipantReinstated,
        "ParticipantEnded": ParticipantEnded,
        "KeyAdded": KeyAdded,
        "KeyRemoved": KeyRemoved,
        "SealBound": SealBound,
        "SealUnbound": SealUnbound,
        "BatchAnchored": BatchAnchored,
        "BatchWithdrawn": BatchWithdrawn,
        "ItemSuspended": ItemSuspended,
        "ItemReinstated": ItemReinstated,
        "ItemWithdrawn": ItemWithdrawn,
        "ItemSuperseded": ItemSuperseded,
        "ItemUsed": ItemUsed,
        "UseReleased": UseReleased,
        "CommitmentMade": CommitmentMade,
        "CommitmentWithdrawn": CommitmentWithdrawn,
        "DefaultRightSet": DefaultRightSet,
        "ListingDelaySet": ListingDelaySet,
        "DefaultRightDeclined": DefaultRightDeclined,
        "ResidencySet": ResidencySet,
        "RecordFrozen": RecordFrozen,
        "RecordReleased": RecordReleased,
        "ControllerFrozen": ControllerFrozen,
        "ControllerReleased": ControllerReleased,
        "ServiceSet": ServiceSet,
        "ReceiptsAnchored": ReceiptsAnchored,
    }
)
_CONTRACTS: Mapping[bytes, str] = MappingProxyType(
    {
        directory.ADDRESS: "Directory",
        consortium.ADDRESS: "Consortium",
        participants.ADDRESS: "Participants",
        certificates.ADDRESS: "Certificates",
        access.ADDRESS: "Access",
    }
)
_CONVERSIONS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {
        "country": decode_country,
        "residency": decode_country,
        "roles": Role,
        "kinds": decode_kinds,
    }
)


def decode_log(address: bytes, topics: Sequence[bytes], data: bytes) -> Event | None:
    """Give the event in a log, or None when the log is not one of ours.

    ``address`` is the contract that logged, at the address of the founding. Raises MalformedAnswer when it is ours by
    address and first topic, but not by content.
    """
    contract = _CONTRACTS.get(address)
    found = interface(contract).event(topics, data) if contract else None
    if found is None:
        return None
    name, values = found
    try:
        return _EVENTS[name](
            **{field: _CONVERSIONS[field](value) if field in _CONVERSIONS else value for field, value in values.items()}
        )
    except ValueError as error:
        raise MalformedAnswer(f"{contract}.{name}: {error}") from error


def event_topic(event: type[Event]) -> bytes:
    """Give the first topic of an event's logs, to filter by: the hash of its signature."""
    for contract in _CONTRACTS.values():
        for topic, found in interface(contract).events.items():
            if found.name == event.__name__:
                return topic
    raise KeyError(event.__name__)
