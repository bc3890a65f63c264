"""The reader: gets a record from a vault and its custodians, believing none of them.

It signs one request, finds every address and certificate on the ledger, checks each receipt against its request and
each part against the record's place in its batch. What it asks for always includes the kind's never-hidden group, so
that what it gets is a presentation that can be verified like any other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from secrets import token_bytes

from cocket.attestation.attachments import group_of
from cocket.attestation.dialects import DIALECTS
from cocket.attestation.errors import AttestationError, InvalidFile
from cocket.attestation.kinds import KINDS, NEVER_HIDDEN
from cocket.attestation.merkle import HASH_BYTES
from cocket.attestation.prove import Anchor, OpenGroup, Presentation
from cocket.attestation.reading.answer import unwrap_masks
from cocket.attestation.reading.exchange import (
    Given,
    Release,
    ReleaseCall,
    ShareCall,
    decode_release,
    decode_share,
    encode_release_call,
    encode_share_call,
)
from cocket.attestation.reading.item import validate_item
from cocket.attestation.reading.receipt import Receipt, validate_receipt
from cocket.attestation.reading.request import ReadRequest, signing_hash
from cocket.attestation.reading.ticket import SegmentCall, Ticket, decode_segment, encode_segment_call
from cocket.attestation.sealing.custody import Custody, Seat
from cocket.attestation.sealing.hpke import PRIVATE_KEY_BYTES, PrivateKey, Suite
from cocket.attestation.sealing.manifest import Manifest
from cocket.attestation.sealing.manifest import signing_hash as manifest_hash
from cocket.attestation.sealing.record import presentation_of, validate_manifest
from cocket.attestation.sealing.work import AttachedFile, attached_files
from cocket.attestation.signature import recover
from cocket.contracts import access, certificates, participants
from cocket.contracts.access import Service, ServiceKind, participant_party
from cocket.contracts.certificates import Batch
from cocket.node.errors import Refused, Unavailable
from cocket.node.vault.connection import RELEASE_PATH, SEGMENT_PATH, SHARE_PATH, call_service
from cocket.node.vault.gathering import Masks, gather
from cocket.node.vault.ledger import Head, Ledger
from cocket.node.vault.parties import party_of

EXPIRES_AFTER_S = 120

Call = Callable[[Service, str, bytes, str], bytes]
"""Like :func:`cocket.node.vault.connection.call_service`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be read: groups (numbers) of a record, for a purpose, on what claim; ``vault`` None: its controller's.

    ``contract`` is the Access contract that decides. ``count`` above 1 reads in bulk: so many records at most,
    the first from ``index`` on that the vault holds and the contract opens.
    """

    batch: bytes
    index: int
    groups: frozenset[int]
    purpose: int
    claim: bytes = b""
    vault: int | None = None
    contract: bytes = access.ADDRESS
    count: int = 1


@dataclass(frozen=True, slots=True)
class AttachedRead:
    """A file that a record attaches, which can be fetched: by the ticket, from the vault that gave it; and its key."""

    file: AttachedFile
    place: int
    batch: bytes
    index: int
    ticket: Ticket
    service: Service
    who: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read at which block, and who answered.

    ``indices`` are the records' places in the batch; ``receipts`` the vault's and the custodians', each with its party;
    ``liars`` the authorities whose masks were false; ``following`` is from where a bulk read goes on, None when
    there is no more; ``files`` what each record attaches in groups that were opened.
    """

    indices: tuple[int, ...]
    presentations: tuple[Presentation, ...]
    manifests: tuple[Manifest, ...]
    block_number: int
    receipts: tuple[tuple[int, Receipt], ...]
    liars: tuple[int, ...]
    following: int | None
    files: tuple[tuple[AttachedRead, ...], ...] = ()

    @property
    def presentation(self) -> Presentation:
        """The record that was asked for; of a bulk read the first."""
        return self.presentations[0]

    @property
    def manifest(self) -> Manifest:
        """The manifest of that record."""
        return self.manifests[0]


@dataclass(frozen=True, slots=True)
class _Signed:
    """A request, signed, with what it claims, whose reading it is, and the private part of its fresh key."""

    request: ReadRequest
    signature: bytes
    claim: bytes
    grant: bytes
    party: int
    key: PrivateKey

    def validate(self, receipt: Receipt, keeper: int, indices: tuple[int, ...]) -> None:
        """Refuse (InvalidFile) a receipt of anything else than this request by this keeper."""
        validate_receipt(
            receipt,
            self.request,
            self.signature,
            keeper=keeper,
            party=self.party,
            indices=indices,
            grant=self.grant,
        )


class Reader:
    """Reads records for one account, by one node's ledger."""

    def __init__(
        self, ledger: Ledger, sign: Callable[[bytes], bytes], now_s: Callable[[], int], call: Call = call_service
    ) -> None:
        """Take what signs a hash of 32 bytes with the reader's key (r, s and v, 65 bytes), and what calls a service."""
        self._call = call
        self._ledger = ledger
        self._sign = sign
        self._now_s = now_s

    def read(self, wanted: Wanted) -> Reading:
        """Return what was asked for, once everything leads to the batch on the ledger.

        :raises ReadRefused: the vault or too many custodians said no; says who and why.
        :raises Unavailable: the node, the vault or too many custodians do not answer.
        :raises Refused: what came is false; says what.
        """
        head = self._ledger.head()
        batch = self._ledger.view(certificates.ADDRESS, certificates.batch(wanted.batch), head.number)
        if not batch.anchored_at or batch.kind not in KINDS:
            raise Refused(f"batch 0x{wanted.batch.hex()}: no batch of certificates with this root is anchored")
        signed = self._signed(wanted, batch, head)
        request = signed.request
        service = self._service(request.vault, ServiceKind.VAULT, head)
        release = self._release(signed, service, batch, head)
        gathered = gather(release, lambda seat: self._masks(signed, release, seat, head))
        shares = [(each.authority, each.receipt) for each in gathered.answers.values()]
        records = list(zip(release.records, gathered.opened, strict=True))
        presentations = [_presentation(given, request, batch.participant, opened) for given, opened in records]
        return Reading(
            release.indices,
            tuple(presentations),
            tuple([given.manifest for given in release.records]),
            head.number,
            ((request.vault, release.receipt), *shares),
            tuple(gathered.liars),
            release.following,
            tuple(
                [
                    _files(presentation, given, keys, request, service)
                    for presentation, given, keys in zip(presentations, release.records, gathered.keys, strict=True)
                ]
            ),
        )

    def fetch(self, attached: AttachedRead) -> Iterator[bytes]:
        """Yield the sealed segments of a file that a record attaches, as the vault gives them.

        :raises ReadRefused: the ticket counts no longer, or the file is gone.
        :raises Unavailable: the vault does not answer.
        :raises Refused: what came is no segment.
        """
        ticket = attached.ticket
        for segment in range(ticket.segments[attached.place]):
            call = SegmentCall(
                attached.batch, attached.index, ticket.listed, ticket.expires, ticket.mac, attached.place, segment
            )
            answer = self._call(attached.service, SEGMENT_PATH, encode_segment_call(call), attached.who)
            try:
                yield decode_segment(answer)
            except AttestationError as error:
                raise Refused(f"{attached.who} gave something false: {error}") from None

    def _signed(self, wanted: Wanted, batch: Batch, head: Head) -> _Signed:
        key = PrivateKey(Suite.HYBRID, token_bytes(PRIVATE_KEY_BYTES))
        chain_id, genesis_hash = self._ledger.chain()
        request = ReadRequest(
            chain_id=chain_id,
            genesis_hash=genesis_hash,
            access=wanted.contract,
            batch=wanted.batch,
            index=wanted.index,
            count=wanted.count,
            groups=sum(1 << group for group in wanted.groups | {NEVER_HIDDEN}),
            purpose=wanted.purpose,
            vault=participant_party(batch.participant) if wanted.vault is None else wanted.vault,
            block_hash=head.hash,
            block_number=head.number,
            expires=self._now_s() + EXPIRES_AFTER_S,
            nonce=token_bytes(HASH_BYTES),
            fresh_key=key.public,
        )
        shown = access.shown_claim(wanted.claim, chain_id, wanted.contract)
        digest = signing_hash(request)
        signature = self._sign(digest)
        party = shown.authority or party_of(self._ledger, recover(digest, signature), head.number)
        return _Signed(request, signature, wanted.claim, shown.commitment, party, key)

    def _service(self, party: int, kind: ServiceKind, head: Head) -> Service:
        service = self._ledger.view(access.ADDRESS, access.service_of(party, kind), head.number)
        if not service.url:
            raise Unavailable(f"the ledger has no {kind.name.lower()} of party {party}: ask it to announce one")
        return service

    def _release(self, signed: _Signed, service: Service, batch: Batch, head: Head) -> Release:
        request = signed.request
        who = f"the vault of party {request.vault}"
        body = encode_release_call(ReleaseCall(request, signed.signature, signed.claim))
        answer = self._call(service, RELEASE_PATH, body, who)
        try:
            release = decode_release(answer, request)
            signed.validate(release.receipt, service.keeper, release.indices)
            for given in release.records:
                _validate_record(given, release.custody, request, batch.participant)
                self._validate_signer(given, batch.participant, head)
        except AttestationError as error:
            raise Refused(f"{who} gave something false: {error}") from None
        return release

    def _validate_signer(self, given: Given, participant: int, head: Head) -> None:
        signer = recover(manifest_hash(given.manifest), given.manifest_signature)
        span = self._ledger.view(participants.ADDRESS, participants.key_span(participant, signer), head.number)
        if not span.valid_from:
            raise InvalidFile(f"a manifest signed by 0x{signer.hex()}, which is no key of participant {participant}")

    def _masks(self, signed: _Signed, release: Release, seat: Seat, head: Head) -> Masks:
        request, authority = signed.request, seat.authority
        who = f"the custodian of authority {authority}"
        service = self._service(authority, ServiceKind.CUSTODIAN, head)
        shown = ShareCall(request, signed.signature, signed.claim, release.evidence, release.items, release.custody)
        answer = self._call(service, SHARE_PATH, encode_share_call(shown), who)
        try:
            share = decode_share(answer)
            signed.validate(share.receipt, service.keeper, release.indices)
            masks = unwrap_masks(request, authority, signed.key, share.wrapped, len(release.records))
            return Masks(authority, masks, share.receipt)
        except AttestationError as error:
            raise Refused(f"{who} gave something false: {error}") from None


def _validate_record(given: Given, custody: Custody, request: ReadRequest, participant: int) -> None:
    """Refuse (InvalidFile) what is given when its parts are not all of the record at that place."""
    manifest, item = given.manifest, given.item
    validate_item(item, participant, request.batch, given.index)
    validate_manifest(manifest, custody)
    binding = manifest.binding
    if (manifest.chain_id, binding.genesis_hash) != (request.chain_id, request.genesis_hash):
        raise InvalidFile("a manifest of another network")
    if (binding.document_root, binding.kind, binding.key_epoch) != (item.document_root, item.kind, item.key_epoch):
        raise InvalidFile("a manifest of another record than the item's")
    if custody.batch != request.batch:
        raise InvalidFile("a custody of another batch")


def _presentation(given: Given, request: ReadRequest, participant: int, opened: dict[int, OpenGroup]) -> Presentation:
    item = given.item
    anchor = Anchor(
        request.chain_id,
        request.genesis_hash,
        certificates.ADDRESS,
        participant,
        request.batch,
        given.index,
        item.path,
    )
    return presentation_of(given.manifest, _dialect(opened[NEVER_HIDDEN]), item.destination, anchor, opened)


def _files(
    presentation: Presentation, given: Given, keys: dict[int, bytes], request: ReadRequest, service: Service
) -> tuple[AttachedRead, ...]:
    """Return the files that a record attaches, as far as the group that names them was opened.

    :raises Refused: what it names is no file, or the vault has another number of them.
    """
    group = group_of(DIALECTS[presentation.dialect])
    who = f"the vault of party {request.vault}"
    if group not in keys:
        return ()
    try:
        named = attached_files(presentation.groups[group], group, given.manifest.binding, keys[group])
    except InvalidFile as error:
        raise Refused(f"the record was not sealed as it says: {error}") from None
    ticket = given.ticket
    if ticket is None or len(ticket.segments) != len(named):
        if named:
            held = 0 if ticket is None else len(ticket.segments)
            raise Refused(f"{who} gave {held} attached files; the record names {len(named)}")
        return ()
    return tuple(
        [
            AttachedRead(file, place, request.batch, given.index, ticket, service, who)
            for place, file in enumerate(named)
        ]
    )


def _dialect(group: OpenGroup) -> str:
    """Return the dialect of a record by the types that its never-hidden group names."""
    types = [value for pointer, value in group.fields if pointer.startswith("/type")]
    for dialect in DIALECTS.values():
        if dialect.document_type in types:
            return dialect.name
    raise Refused("the record is of no dialect that this program knows: use a newer one")
