"""Typed calls to the Consortium: authorities, their keys and standing, proposals and votes, validators, permissions.

Writes give calldata and are sent by an authority's admin. Views give a View: ``data`` to send, ``decode`` for the
answer. Authorities are numbered from 1 in the order of their admission, proposals and keys records from 1 as well.
Times are unix seconds. How votes are counted stands in the contract's own notice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import cast

from sha3 import keccak_256

from cocket.contracts.abi import View, interface
from cocket.contracts.artifact import load_artifact
from cocket.contracts.errors import MalformedAnswer, MalformedValue
from cocket.contracts.history import decode_word, latest_slot, mapping_slot, past_slot
from cocket.contracts.values import decode_country, encode_country, encode_name

ADDRESS = bytes.fromhex("00000000000000000000000000000000000c0c02")

VALIDATORS_HASH_SLOT = 1
"""The storage slot of ``validators_hash``: keccak256 of what getValidators() returns."""

ENDPOINT_BYTES_MAX = 64
NODES_MAX = 4
ENCRYPTION_KEY_BYTES_MAX = 1600
VALIDATORS_MAX = 64

_CONSORTIUM = "Consortium"


class Status(IntEnum):
    """An authority's standing. A suspended one has no vote, no seat, no peers; a withdrawn one is gone for good."""

    UNKNOWN = 0
    ACTIVE = 1
    SUSPENDED = 2
    WITHDRAWN = 3


class ProposalKind(IntEnum):
    """What a proposal would do. CODE_LIST and PARAMETER need more than half, all others two thirds."""

    NONE = 0
    ADMISSION = 1
    SUSPENSION = 2
    REINSTATEMENT = 3
    WITHDRAWAL = 4
    KEYS = 5
    ENTRY = 6
    CODE_LIST = 7
    PARAMETER = 8
    DEFAULT_RIGHT = 9
    LISTING_DELAY = 10


class ProposalStatus(IntEnum):
    """How far a proposal is. PASSED waits for ``execute``: the set of validators changed lately."""

    NONE = 0
    OPEN = 1
    PASSED = 2
    EXECUTED = 3
    REJECTED = 4


class Parameter(IntEnum):
    """What the authorities can set by vote."""

    SPACING_BLOCKS = 1
    PROPOSAL_PERIOD_S = 2
    PARTICIPANTS_DEPLOY = 3


@dataclass(frozen=True, slots=True)
class Node:
    """One node of an authority: 64-byte node id (the public key without its prefix) and ``host:port``."""

    node_id: bytes
    endpoint: str

    @property
    def enode(self) -> str:
        """The node's URL as peers write it."""
        return f"enode://{self.node_id.hex()}@{self.endpoint}"


@dataclass(frozen=True, slots=True)
class Keys:
    """One keys record of an authority. The first node is its validator's, the others follow.

    ``seal_certificate`` is the hash of its seal certificate, zeros when it has none yet.
    """

    admin: bytes
    validator: bytes
    seal_certificate: bytes
    encryption_suite: int
    encryption_key: bytes
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority as it stands. ``since`` is the time of its standing, ``epoch`` counts its keys records from 1."""

    country: str
    status: Status
    validating: bool
    admitted_at: int
    since: int
    reason: int
    keys_id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Standing:
    """An authority's status at a time, since when, and the reason code of a suspension or withdrawal."""

    status: Status
    since: int
    reason: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal, with the numbers of the authorities that approved and refused it.

    ``authority`` is its subject, or the number of the parameter; ``amount`` is the entry's address, the edition's hash
    or the parameter's value, as an integer.
    """

    kind: ProposalKind
    status: ProposalStatus
    authority: int
    proposer: int
    made_at: int
    expires_at: int
    approvals: tuple[int, ...]
    refusals: tuple[int, ...]
    reason: int
    country: str
    keys_id: int
    name: bytes
    amount: int

    def is_expired(self, time: int) -> bool:
        """Say whether it can no longer be decided or executed at ``time``, although it never was."""
        return self.status in (ProposalStatus.OPEN, ProposalStatus.PASSED) and time >= self.expires_at


def propose_admission(*, country: str, keys: Keys) -> bytes:
    """Give the calldata that proposes to admit a country's authority."""
    return interface(_CONSORTIUM).call("proposeAdmission", encode_country(country), keys_tuple(keys))


def propose_suspension(*, authority: int, reason: int) -> bytes:
    """Give the calldata that proposes to suspend an authority, for a reason code of 1 to 65535."""
    return interface(_CONSORTIUM).call("proposeSuspension", authority, reason)


def propose_reinstatement(*, authority: int) -> bytes:
    """Give the calldata that proposes to reinstate a suspended authority."""
    return interface(_CONSORTIUM).call("proposeReinstatement", authority)


def propose_withdrawal(*, authority: int, reason: int) -> bytes:
    """Give the calldata that proposes that an authority leaves for good."""
    return interface(_CONSORTIUM).call("proposeWithdrawal", authority, reason)


def propose_keys(*, authority: int, keys: Keys) -> bytes:
    """Give the calldata that proposes to replace all keys of an authority."""
    return interface(_CONSORTIUM).call("proposeKeys", authority, keys_tuple(keys))


def propose_entry(*, name: str, target: bytes) -> bytes:
    """Give the calldata that proposes what a name in the Directory shall mean."""
    return interface(_CONSORTIUM).call("proposeEntry", encode_name(name), target)


def propose_code_list(*, name: str, edition: bytes) -> bytes:
    """Give the calldata that proposes to accept an edition (32-byte hash) of a code list."""
    return interface(_CONSORTIUM).call("proposeCodeList", encode_name(name), edition)


def propose_parameter(*, parameter: Parameter, amount: int) -> bytes:
    """Give the calldata that proposes to set a parameter."""
    return interface(_CONSORTIUM).call("proposeParameter", int(parameter), amount)


def propose_default_right(*, kind: int, groups: int, purposes: int) -> bytes:
    """Give the calldata that proposes what importing authorities may read by right of documents of a kind.

    ``groups`` and ``purposes`` are bits, as ``access.encode_bits`` makes them.
    """
    return interface(_CONSORTIUM).call("proposeDefaultRight", kind, groups, purposes)


def propose_listing_delay(*, purpose: int, delay_s: int) -> bytes:
    """Give the calldata that proposes how long after a read for a purpose the record's subject is told of it."""
    return interface(_CONSORTIUM).call("proposeListingDelay", purpose, delay_s)


def vote(*, proposal: int, approve: bool) -> bytes:
    """Give the calldata that votes on a proposal, once and finally."""
    return interface(_CONSORTIUM).call("vote", proposal, approve)


def execute(*, proposal: int) -> bytes:
    """Give the calldata that executes a proposal that has passed but waited."""
    return interface(_CONSORTIUM).call("execute", proposal)


def activate() -> bytes:
    """Give the calldata by which an authority takes its validator's seat."""
    return interface(_CONSORTIUM).call("activate")


def stand_down() -> bytes:
    """Give the calldata by which an authority gives up its validator's seat."""
    return interface(_CONSORTIUM).call("standDown")


def get_validators() -> View[tuple[bytes, ...]]:
    """Ask for the validators, ascending."""
    return interface(_CONSORTIUM).view("getValidators", make=lambda value: cast("tuple[bytes, ...]", value))


def validators_hash() -> View[bytes]:
    """Ask for the hash of the validators, which also lies in VALIDATORS_HASH_SLOT."""
    return interface(_CONSORTIUM).view("validatorsHash", make=lambda value: cast(bytes, value))


def hash_validators(validators: Sequence[bytes]) -> bytes:
    """Give what ``validators_hash`` is for these addresses, in ascending order: keccak256 of their ABI encoding."""
    if any(len(validator) != 20 for validator in validators):
        raise MalformedValue("validators: each is an address of 20 bytes")
    words = [0x20.to_bytes(32, "big"), len(validators).to_bytes(32, "big")]
    words += [validator.rjust(32, b"\0") for validator in sorted(validators)]
    return bytes(keccak_256(b"".join(words)).digest())


def may_transact(account: bytes) -> View[bool]:
    """Ask whether consensus lets an account send transactions."""
    return interface(_CONSORTIUM).view("mayTransact", account, make=bool)


def may_deploy(account: bytes) -> View[bool]:
    """Ask whether consensus lets an account create contracts."""
    return interface(_CONSORTIUM).view("mayDeploy", account, make=bool)


def may_connect(node_id: bytes) -> View[bool]:
    """Ask whether the node with this 64-byte id may connect."""
    return interface(_CONSORTIUM).view("mayConnect", keccak_256(node_id).digest(), make=bool)


def authority_count() -> View[int]:
    """Ask how many authorities were ever admitted."""
    return interface(_CONSORTIUM).view("authorityCount", make=_int)


def authority(number: int) -> View[Authority]:
    """Ask for an authority; status UNKNOWN when there is none of that number."""
    return interface(_CONSORTIUM).view("authority", number, make=_authority)


def keys(keys_id: int) -> View[Keys]:
    """Ask for a keys record, current or not; zeros when there is none of that number."""
    return interface(_CONSORTIUM).view("keys", keys_id, make=_keys)


def nodes(number: int) -> View[tuple[Node, ...]]:
    """Ask for the nodes of an authority."""
    return interface(_CONSORTIUM).view("nodes", number, make=_nodes)


def authority_of(admin: bytes) -> View[int]:
    """Ask of which authority, active or suspended, an account is the admin; 0 when of none."""
    return interface(_CONSORTIUM).view("authorityOf", admin, make=_int)


def active_authority(admin: bytes) -> View[int]:
    """Ask of which active authority an account is the admin; 0 when of none."""
    return interface(_CONSORTIUM).view("activeAuthority", admin, make=_int)


def authority_of_country(country: str) -> View[int]:
    """Ask for a country's authority, active or suspended; 0 when it has none."""
    return interface(_CONSORTIUM).view("authorityOfCountry", encode_country(country), make=_int)


def active_country(authority: int) -> View[str]:
    """Ask for the country of an authority in good standing; empty when it is not."""
    return interface(_CONSORTIUM).view("activeCountry", authority, make=decode_country)


def is_active(number: int) -> View[bool]:
    """Ask whether an authority is in good standing."""
    return interface(_CONSORTIUM).view("isActive", number, make=bool)


def was_active(number: int, time: int) -> View[bool]:
    """Ask whether an authority was in good standing at a time."""
    return interface(_CONSORTIUM).view("wasActive", number, time, make=bool)


def standing_at(number: int, time: int) -> View[Standing]:
    """Ask how an authority stood at a time."""
    return interface(_CONSORTIUM).view("standingAt", number, time, make=_standing)


def keys_at(number: int, time: int) -> View[int]:
    """Ask for the number of the keys record that an authority had at a time; 0 before its admission."""
    return interface(_CONSORTIUM).view("keysAt", number, time, make=_int)


def proposal_count() -> View[int]:
    """Ask how many proposals were ever made."""
    return interface(_CONSORTIUM).view("proposalCount", make=_int)


def proposal(number: int) -> View[Proposal]:
    """Ask for a proposal; kind NONE when there is none of that number."""
    return interface(_CONSORTIUM).view("proposal", number, make=_proposal)


def parameter(number: Parameter) -> View[int]:
    """Ask for the value of a parameter."""
    return interface(_CONSORTIUM).view("parameter", int(number), make=_int)


def last_set_change() -> View[int]:
    """Ask in which block the set of validators last changed."""
    return interface(_CONSORTIUM).view("lastSetChange", make=_int)


def roster_version() -> View[int]:
    """Ask for the number that grows whenever nodes or standing change: who may connect must then be read anew."""
    return interface(_CONSORTIUM).view("rosterVersion", make=_int)


def version() -> View[str]:
    """Ask for the version of the contract's code and interface."""
    return interface(_CONSORTIUM).view("version", make=str)


def keys_tuple(keys: Keys) -> tuple[object, ...]:
    """Give a keys record as the ABI holds it; raises MalformedValue for sizes that the contract does not take."""
    if not 1 <= len(keys.nodes) <= NODES_MAX:
        raise MalformedValue(f"nodes: {len(keys.nodes)}, expected 1 to {NODES_MAX}")
    if not 1 <= len(keys.encryption_key) <= ENCRYPTION_KEY_BYTES_MAX:
        raise MalformedValue(
            f"encryption_key: {len(keys.encryption_key)} bytes, expected 1 to {ENCRYPTION_KEY_BYTES_MAX}"
        )
    return (
        keys.admin,
        keys.validator,
        keys.seal_certificate,
        keys.encryption_suite,
        keys.encryption_key,
        [_node_tuple(node) for node in keys.nodes],
    )


def _node_tuple(node: Node) -> tuple[bytes, bytes, str]:
    if len(node.node_id) != 64:
        raise MalformedValue(f"node_id: {len(node.node_id)} bytes, expected 64 (a public key without its prefix)")
    if not 1 <= len(node.endpoint) <= ENDPOINT_BYTES_MAX or not all("!" <= letter <= "~" for letter in node.endpoint):
        raise MalformedValue(f"endpoint: {node.endpoint!r}, expected host:port, 1 to {ENDPOINT_BYTES_MAX} of ! to ~")
    return node.node_id[:32], node.node_id[32:], node.endpoint


def validators_hash_slot() -> int:
    """Give the storage slot of the hash of the validators."""
    return load_artifact(_CONSORTIUM).layout["validators_hash"]


def last_set_change_slot() -> int:
    """Give the storage slot of the block in which the set of validators last changed."""
    return load_artifact(_CONSORTIUM).layout["last_set_change"]


def country_slot(authority: int) -> int:
    """Give the storage slot of an authority's country."""
    return mapping_slot(load_artifact(_CONSORTIUM).layout["countries"], authority.to_bytes(32, "big"))


def standing_slot(authority: int) -> int:
    """Give the storage slot of the newest word about an authority's standing."""
    return latest_slot(load_artifact(_CONSORTIUM).layout, authority)


def past_standing_slot(authority: int, sequence: int) -> int:
    """Give the storage slot of an earlier word about an authority's standing, by its sequence number."""
    return past_slot(load_artifact(_CONSORTIUM).layout, authority, sequence)


def decode_country_word(word: int) -> str:
    """Give the country in a storage word, the empty string when there is none."""
    if word & (1 << 240) - 1:
        raise MalformedAnswer(f"country: found {word:#066x}, expected two letters and zeros")
    return decode_country((word >> 240).to_bytes(2, "big"))


def decode_standing_word(word: int) -> Standing:
    """Give an authority's standing in a storage word, as a storage proof shows it."""
    entry = decode_word(word)
    try:
        return Standing(Status(entry.fact & 0xFF), entry.time, entry.fact >> 8 & 0xFFFF)
    except ValueError as error:
        raise MalformedAnswer(f"standing: {error}") from None


def _int(value: object) -> int:
    return cast(int, value)


def _authority(values: tuple[bytes, int, bool, int, int, int, int, int]) -> Authority:
    return Authority(decode_country(values[0]), Status(values[1]), *values[2:])


def _standing(status: int, since: int, reason: int) -> Standing:
    return Standing(Status(status), since, reason)


def _keys(values: tuple[bytes, bytes, bytes, int, bytes, Sequence[tuple[bytes, bytes, str]]]) -> Keys:
    return Keys(*values[:5], _nodes(values[5]))


def _nodes(values: Sequence[tuple[bytes, bytes, str]]) -> tuple[Node, ...]:
    return tuple(Node(id_x + id_y, endpoint) for id_x, id_y, endpoint in values)


def _proposal(
    values: tuple[int, int, int, int, int, int, int, int, int, bytes, int, bytes, int],
) -> Proposal:
    (
        kind,
        status,
        subject,
        proposer,
        made_at,
        expires_at,
        approvals,
        refusals,
        reason,
        country,
        keys_id,
        name,
        amount,
    ) = values
    return Proposal(
        kind=ProposalKind(kind),
        status=ProposalStatus(status),
        authority=subject,
        proposer=proposer,
        made_at=made_at,
        expires_at=expires_at,
        approvals=_authorities(approvals),
        refusals=_authorities(refusals),
        reason=reason,
        country=decode_country(country),
        keys_id=keys_id,
        name=name,
        amount=amount,
    )


def _authorities(bits: int) -> tuple[int, ...]:
    return tuple(number for number in range(256) if bits >> number & 1)
